/* The store behind sentinels that are away, silent, behind the times, of another installation or hostile; and behind primaries that are
 * none (any more). All of them are played here, over TCP on 127.0.0.1.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/io/store.h"

#define PATIENCE_MS 30000
#define MOST_CONNECTIONS 8
#define MOST_FAKES 6

struct scene;

/* A server that answers each command by its first words. */
struct fake {
	struct scene *scene;
	struct swp_watch listener;
	struct swp_watch connections[MOST_CONNECTIONS];
	unsigned port;
	int accepted;
	bool silent;
	const char *named, *login, *names; /* a sentinel's answers; named NULL: it is a Redis */
	const char *role, *run_id, *set;   /* a Redis' */
	char heard[4096];
};

struct scene {
	struct swp_loop *loop;
	struct swp_store *store;
	struct swp_store_options options;
	struct swp_secret password, sentinel_password;
	struct fake fakes[MOST_FAKES];
	size_t fake_count;
	int ups, downs, refusals, answered, lost;
	bool fresh_run, free_in_down;
	char why[1024], last[256];
};

static void append(char *to, size_t size, const char *more)
{
	size_t length = strlen(to);

	snprintf(to + length, size - length, "%s", more);
}

/* --- the servers --- */

static void say(int fd, const char *text)
{
	/* They may have hung up on us: what some tests are about. */
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		return;
}

static void say_info(const struct fake *fake, int fd)
{
	char text[512], reply[600];
	int length = snprintf(text, sizeof(text),
		"redis_version:7.0.15\r\nrun_id:%s\r\nrole:%s\r\nmaster_host:x\r\ncluster_enabled:0\r\n",
		fake->run_id ? fake->run_id : "1", fake->role ? fake->role : "master");

	snprintf(reply, sizeof(reply), "$%d\r\n%s\r\n", length, text);
	say(fd, reply);
}

static void answer_command(const struct fake *fake, int fd, const char *name)
{
	if (swp_text_starts(name, "AUTH"))
		say(fd, fake->login ? fake->login : "+OK\r\n");
	else if (fake->named && strstr(name, "GET-MASTER"))
		say(fd, fake->named);
	else if (fake->named)
		say(fd, fake->names ? fake->names : "*0\r\n");
	else if (swp_text_starts(name, "INFO"))
		say_info(fake, fd);
	else if (swp_text_starts(name, "SET"))
		say(fd, fake->set ? fake->set : "+OK\r\n");
	else
		say(fd, "+OK\r\n");
}

static struct fake *fake_of(struct swp_watch *connection, struct scene *s)
{
	for (size_t i = 0; i < s->fake_count; i++)
		if (connection >= s->fakes[i].connections &&
			connection < s->fakes[i].connections + MOST_CONNECTIONS)
			return &s->fakes[i];
	fail();
	return NULL;
}

static struct scene *the_scene;

static void hang_up(struct swp_watch *connection)
{
	int fd = connection->fd;

	if (!connection->loop || fd < 0)
		return;
	swp_watch_remove(connection);
	close(fd);
}

/* Commands are short and come whole: each "*n" line is followed by "$n" and the name. */
static void heard(struct swp_watch *watch, uint32_t events)
{
	struct fake *fake = fake_of(watch, the_scene);
	char bytes[4096];
	ssize_t got = recv(watch->fd, bytes, sizeof(bytes) - 1, 0);
	int fd = watch->fd;

	(void)events;
	if (got <= 0) {
		hang_up(watch);
		return;
	}
	bytes[got] = '\0';
	append(fake->heard, sizeof(fake->heard), bytes);
	for (char *at = fake->silent ? NULL : strchr(bytes, '*'); at; at = strchr(at + 1, '*')) {
		char *end = strstr(at + 1, "\n*"), *name = strchr(at, '$');

		if ((at > bytes && at[-1] != '\n') || !name)
			continue;
		if (end)
			*end = '\0';
		answer_command(fake, fd, strchr(name, '\n') + 1);
		if (end)
			*end = '\n';
	}
}

static void accepted(struct swp_watch *watch, uint32_t events)
{
	struct fake *fake = SWP_CONTAINER_OF(watch, struct fake, listener);
	int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	fake->accepted++;
	for (int i = 0; i < MOST_CONNECTIONS; i++)
		if (!fake->connections[i].loop || fake->connections[i].fd < 0) {
			assert_int_equal(
				swp_watch_add(&fake->connections[i], fake->scene->loop, fd, EPOLLIN, heard),
				0);
			return;
		}
	fail();
}

static struct fake *make_fake(struct scene *s, const char *named)
{
	struct fake *fake = &s->fakes[s->fake_count++];
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	fake->scene = s;
	fake->named = named;
	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	assert_int_equal(listen(fd, 10), 0);
	fake->port = ntohs(address.sin_port);
	assert_int_equal(swp_watch_add(&fake->listener, s->loop, fd, EPOLLIN, accepted), 0);
	return fake;
}

static void close_fake(struct fake *fake)
{
	hang_up(&fake->listener);
	for (int i = 0; i < MOST_CONNECTIONS; i++)
		hang_up(&fake->connections[i]);
}

/* What a sentinel says of it. Static: one at a time for each of the slots. */
static const char *at_port(int slot, unsigned port)
{
	static char texts[4][64];
	char digits[8];

	snprintf(digits, sizeof(digits), "%u", port);
	snprintf(texts[slot], sizeof(texts[slot]), "*2\r\n$9\r\n127.0.0.1\r\n$%zu\r\n%s\r\n", strlen(digits),
		digits);
	return texts[slot];
}

#define NOBODY "*-1\r\n" /* SENTINEL GET-MASTER-ADDR-BY-NAME of a name that it does not know */

/* --- the store --- */

static void on_up(void *context, bool fresh_run)
{
	struct scene *s = context;

	s->ups++;
	s->fresh_run = fresh_run;
}

static void on_down(void *context, const char *why)
{
	struct scene *s = context;

	s->downs++;
	snprintf(s->why, sizeof(s->why), "%s", why);
	if (s->free_in_down) {
		swp_store_free(s->store);
		s->store = NULL;
	}
}

static void on_refused(void *context, const char *why)
{
	struct scene *s = context;

	s->refusals++;
	snprintf(s->why, sizeof(s->why), "%s", why);
}

/* For the sentinels at these ports, 0 ends them. */
static void open_store(struct scene *s, const unsigned *ports)
{
	const struct swp_store_events events = {
		.up = on_up, .down = on_down, .refused = on_refused, .context = s};
	char url[256] = "sentinel://", port[32];
	struct swp_problem problem = {""};

	for (; *ports; ports++) {
		snprintf(port, sizeof(port), "127.0.0.1:%u%s", *ports, ports[1] ? "," : "/main");
		append(url, sizeof(url), port);
	}
	assert_int_equal(swp_store_address_parse(url, &s->options.address, &problem), 0);
	s->store = swp_store_new(s->loop, &s->options, &events, &problem);
	assert_non_null(s->store);
}
#define OPEN_STORE(s, ...) open_store(s, (const unsigned[]){__VA_ARGS__, 0})

static void run_until(struct scene *s, const int *counter, int wanted)
{
	int64_t end = swp_clock_monotonic_ms(swp_clock_system()) + PATIENCE_MS;

	while (*counter < wanted && swp_clock_monotonic_ms(swp_clock_system()) < end)
		assert_int_equal(swp_loop_step(s->loop, 50), 0);
	if (*counter != wanted)
		fail_msg("%d, not %d; why: %s", *counter, wanted, s->why);
}

static void run_for(struct scene *s, int64_t ms)
{
	int64_t end = swp_clock_monotonic_ms(swp_clock_system()) + ms;

	while (swp_clock_monotonic_ms(swp_clock_system()) < end)
		assert_int_equal(swp_loop_step(s->loop, 10), 0);
}

static void expect_why(const struct scene *s, const char *words)
{
	if (!strstr(s->why, words))
		fail_msg("\"%s\" is not in: %s", words, s->why);
}

static void on_answer(void *context, const struct swp_store_reply *reply)
{
	struct scene *s = context;

	s->answered++;
	s->lost += reply->type == SWP_STORE_REPLY_LOST;
	snprintf(s->last, sizeof(s->last), "%s", reply->bytes);
}

static void set(struct scene *s)
{
	const struct swp_store_argument arguments[] = {SWP_STORE_TEXT_ARGUMENT("SET"),
		SWP_STORE_TEXT_ARGUMENT("key"), SWP_STORE_TEXT_ARGUMENT("value")};

	assert_int_equal(swp_store_command(s->store, arguments, 3, on_answer, s), 0);
}

static unsigned closed_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	close(fd);
	return ntohs(address.sin_port);
}

static int set_up(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	signal(SIGPIPE, SIG_IGN);
	s->loop = swp_loop_new(swp_clock_system());
	the_scene = s;
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	swp_store_free(s->store);
	for (size_t i = 0; i < s->fake_count; i++)
		close_fake(&s->fakes[i]);
	swp_loop_free(s->loop);
	swp_secret_done(&s->password);
	swp_secret_done(&s->sentinel_password);
	free(s);
	return 0;
}

/* --- tests --- */

static void test_the_first_that_helps(void **state)
{
	struct scene *s = *state;
	struct fake *redis = make_fake(s, NULL), *silent = make_fake(s, NOBODY),
		    *knows = make_fake(s, at_port(0, redis->port));
	int64_t began = swp_clock_monotonic_ms(swp_clock_system());

	silent->silent = true;
	OPEN_STORE(s, closed_port(), silent->port, knows->port);
	run_until(s, &s->ups, 1);
	assert_int_equal(s->downs, 0);
	assert_true(swp_clock_monotonic_ms(swp_clock_system()) - began >= SWP_LIMIT_SENTINEL_MS);
	assert_false(s->fresh_run);
	set(s);
	run_until(s, &s->answered, 1);
	assert_int_equal(s->lost, 0);
	assert_non_null(strstr(knows->heard, "\r\nmain\r\n"));
	/* It is asked first from now on. */
	hang_up(&redis->connections[0]);
	run_until(s, &s->ups, 2);
	assert_int_equal(silent->accepted, 1);
	assert_int_equal(knows->accepted, 2);
	assert_false(s->fresh_run);
}

static void test_one_is_behind_the_times(void **state)
{
	struct scene *s = *state;
	struct fake *old = make_fake(s, NULL), *primary = make_fake(s, NULL),
		    *stale = make_fake(s, at_port(0, old->port)),
		    *also_stale = make_fake(s, at_port(0, old->port)),
		    *fresh = make_fake(s, at_port(1, primary->port));

	old->role = "slave";
	OPEN_STORE(s, stale->port, also_stale->port, fresh->port);
	run_until(s, &s->ups, 1);
	assert_int_equal(s->downs + s->refusals, 0);
	assert_int_equal(old->accepted, 1); /* what two say is tried once */
	assert_int_equal(primary->accepted, 1);
}

static void test_none_leads_to_a_primary(void **state)
{
	struct scene *s = *state;
	struct fake *one = make_fake(s, NULL), *first = make_fake(s, at_port(0, one->port)),
		    *second = make_fake(s, at_port(1, closed_port()));
	char words[128];

	one->role = "slave";
	OPEN_STORE(s, first->port, second->port);
	run_until(s, &s->downs, 1);
	snprintf(words, sizeof(words), "127.0.0.1:%u says 127.0.0.1:%u (it is a replica)", first->port,
		one->port);
	expect_why(s, "no sentinel leads to the primary of main: ");
	expect_why(s, words);
	expect_why(s, "(connect: Connection refused)");
	/* A fail-over may be on its way: not for ever, even though it never worked yet. */
	run_for(s, 200);
	assert_int_equal(s->refusals, 0);
	assert_int_equal(s->downs, 1);
	one->role = "master";
	run_until(s, &s->ups, 1);
}

static void test_a_name_that_none_knows(void **state)
{
	struct scene *s = *state;
	static const char names[] = "*2\r\n*4\r\n$4\r\nname\r\n$8\r\nmymaster\r\n$2\r\nip\r\n$4\r\nname\r\n"
				    "*2\r\n$4\r\nname\r\n$5\r\nab\033[m\r\n";
	struct fake *first = make_fake(s, NOBODY), *second = make_fake(s, NOBODY);
	unsigned away = closed_port();

	first->names = second->names = names;
	/* One could not be asked: it may know it. */
	OPEN_STORE(s, first->port, away);
	run_until(s, &s->downs, 1);
	expect_why(s, "the sentinels know no primary named main, only these: mymaster, ab\\x1b[m; ");
	expect_why(s, "Connection refused");
	run_for(s, 200);
	assert_int_equal(s->refusals, 0);
	swp_store_free(s->store);
	OPEN_STORE(s, first->port, second->port);
	run_until(s, &s->refusals, 1);
	expect_why(s, "put the right name into --store: sentinel://HOST:PORT/NAME");
	run_for(s, 200);
	assert_int_equal(s->downs, 1);
}

static void test_no_sentinel_answers(void **state)
{
	struct scene *s = *state;
	struct fake *redis = make_fake(s, "-ERR unknown command 'SENTINEL', with args\r\n");
	unsigned away = closed_port();
	char words[64];

	OPEN_STORE(s, away, redis->port);
	run_until(s, &s->downs, 1);
	snprintf(
		words, sizeof(words), "no sentinel answers: 127.0.0.1:%u: connect: Connection refused", away);
	expect_why(s, words);
	expect_why(s, "it is no sentinel");
}

static void test_passwords(void **state)
{
	struct scene *s = *state;
	struct fake *redis = make_fake(s, NULL),
		    *sentinel = make_fake(s, "-NOAUTH Authentication required.\r\n");

	OPEN_STORE(s, sentinel->port);
	run_until(s, &s->downs, 1);
	expect_why(s, "ORGSWEEP_STORE_SENTINEL_PASSWORD");
	swp_store_free(s->store);
	assert_int_equal(swp_secret_set_text(&s->password, "for-redis"), 0);
	assert_int_equal(swp_secret_set_text(&s->sentinel_password, "for-sentinel"), 0);
	s->options.password = &s->password;
	s->options.sentinel_password = &s->sentinel_password;
	sentinel->login = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
	OPEN_STORE(s, sentinel->port);
	run_until(s, &s->downs, 2);
	expect_why(s, "WRONGPASS");
	expect_why(s, "ORGSWEEP_STORE_SENTINEL_PASSWORD");
	sentinel->login = NULL;
	sentinel->named = at_port(0, redis->port);
	run_until(s, &s->ups, 1);
	/* Each is told its own. */
	assert_non_null(strstr(sentinel->heard, "for-sentinel"));
	assert_null(strstr(sentinel->heard, "for-redis"));
	assert_non_null(strstr(redis->heard, "for-redis"));
	assert_null(strstr(redis->heard, "for-sentinel"));
	/* A password that Redis does not take will never do. */
	swp_store_free(s->store);
	redis->login = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
	OPEN_STORE(s, sentinel->port);
	run_until(s, &s->refusals, 1);
	expect_why(s, "ORGSWEEP_STORE_PASSWORD");
}

static void test_users(void **state)
{
	struct scene *s = *state;
	struct fake *redis = make_fake(s, NULL),
		    *sentinel = make_fake(s, "-NOPERM this user has no permissions to run the 'sentinel' "
					     "command or its subcommand\r\n");

	assert_int_equal(swp_secret_set_text(&s->sentinel_password, "for-sentinel"), 0);
	s->options.sentinel_password = &s->sentinel_password;
	s->options.sentinel_user = "watcher";
	OPEN_STORE(s, sentinel->port);
	run_until(s, &s->downs, 1);
	expect_why(s, "NOPERM");
	expect_why(s, "allow the user of ORGSWEEP_STORE_SENTINEL_USER +sentinel|get-master-addr-by-name and "
		      "+sentinel|masters");
	assert_non_null(
		strstr(sentinel->heard, "*3\r\n$4\r\nAUTH\r\n$7\r\nwatcher\r\n$12\r\nfor-sentinel\r\n"));
	sentinel->login = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
	swp_store_free(s->store);
	OPEN_STORE(s, sentinel->port);
	run_until(s, &s->downs, 2);
	expect_why(s, "into ORGSWEEP_STORE_SENTINEL_USER and ORGSWEEP_STORE_SENTINEL_PASSWORD");
	sentinel->login = NULL;
	sentinel->named = at_port(0, redis->port);
	run_until(s, &s->ups, 1);
	assert_null(strstr(redis->heard, "watcher"));
}

static void test_answers_that_make_no_sense(void **state)
{
	struct scene *s = *state;
	char longer[600];
	const char *rows[] = {"+OK\r\n", ":1\r\n", "*0\r\n", "*1\r\n$1\r\na\r\n", "*2\r\n:1\r\n:2\r\n",
		"*2\r\n$0\r\n\r\n$1\r\n1\r\n", "*2\r\n$1\r\na\r\n$1\r\n0\r\n",
		"*2\r\n$1\r\na\r\n$5\r\n65536\r\n", "*2\r\n$1\r\na\r\n$2\r\n-1\r\n", "?\r\n", longer};
	int length = snprintf(longer, sizeof(longer), "*2\r\n$300\r\n%0300d\r\n$1\r\n1\r\n", 1);

	assert_true(length < (int)sizeof(longer));
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		struct fake *sentinel = make_fake(s, rows[i]);

		OPEN_STORE(s, sentinel->port);
		run_until(s, &s->downs, (int)i + 1);
		expect_why(s, "can't be understood");
		swp_store_free(s->store);
		s->store = NULL;
		close_fake(sentinel);
		s->fake_count--;
		memset(sentinel, 0, sizeof(*sentinel));
	}
}

/* The primary turns read-only; what was asked of it is lost, what waits goes to the new one. */
static void test_a_fail_over(void **state)
{
	struct scene *s = *state;
	struct fake *old = make_fake(s, NULL), *next = make_fake(s, NULL),
		    *sentinel = make_fake(s, at_port(0, old->port));

	next->run_id = "2";
	old->set = "-READONLY You can't write against a read only replica.\r\n";
	OPEN_STORE(s, sentinel->port);
	run_until(s, &s->ups, 1);
	old->role = "slave";
	set(s);
	run_until(s, &s->answered, 1);
	assert_int_equal(s->lost, 1);
	set(s);
	run_for(s, 200);
	assert_int_equal(s->answered, 1);
	sentinel->named = at_port(1, next->port);
	run_until(s, &s->answered, 2);
	assert_int_equal(s->lost, 1);
	assert_int_equal(s->ups, 2);
	assert_int_equal(s->downs, 1);
	assert_true(s->fresh_run);
	assert_non_null(strstr(next->heard, "value"));
}

/* One that was stopped takes connections and says nothing. */
static void test_a_primary_that_falls_silent(void **state)
{
	struct scene *s = *state;
	struct fake *old = make_fake(s, NULL), *next = make_fake(s, NULL),
		    *stale = make_fake(s, at_port(0, old->port)),
		    *fresh = make_fake(s, at_port(1, next->port));

	s->options.command_timeout_ms = 300;
	OPEN_STORE(s, stale->port, fresh->port);
	run_until(s, &s->ups, 1);
	old->silent = true;
	set(s);
	run_until(s, &s->downs, 1);
	expect_why(s, "has not answered");
	run_until(s, &s->ups, 2);
	assert_int_equal(old->accepted, 2); /* the stale one was asked first, and what it said did not do */
	assert_int_equal(next->accepted, 1);
	assert_int_equal(s->lost, 1);
}

/* A long record on a slow line is not taken for silence. */
static void test_what_is_long_takes_longer(void **state)
{
	struct scene *s = *state;
	struct fake *redis = make_fake(s, NULL), *sentinel = make_fake(s, at_port(0, redis->port));
	static char bulk[600000];
	const struct swp_store_argument arguments[] = {SWP_STORE_TEXT_ARGUMENT("GET"), {bulk, sizeof(bulk)}};

	memset(bulk, 'b', sizeof(bulk));
	s->options.command_timeout_ms = 200;
	OPEN_STORE(s, sentinel->port);
	run_until(s, &s->ups, 1);
	redis->silent = true;
	assert_int_equal(swp_store_command(s->store, arguments, 2, on_answer, s), 0);
	run_for(s, 900);
	assert_int_equal(s->downs, 0);
	run_until(s, &s->downs, 1);
	expect_why(s, "has not answered");
	/* What is small is not waited for so long, also afterwards. */
	redis->silent = false;
	run_until(s, &s->ups, 2);
	redis->silent = true;
	set(s);
	run_for(s, 700);
	assert_int_equal(s->downs, 2);
}

static void test_freed_at_any_moment(void **state)
{
	struct scene *s = *state;
	struct fake *redis = make_fake(s, NULL), *sentinel = make_fake(s, at_port(0, redis->port));

	for (int steps = 0; steps < 24; steps++) {
		OPEN_STORE(s, closed_port(), sentinel->port);
		set(s);
		for (int i = 0; i < steps; i++)
			assert_int_equal(swp_loop_step(s->loop, 1), 0);
		swp_store_free(s->store);
		s->store = NULL;
		run_for(s, 5);
	}
	s->free_in_down = true;
	OPEN_STORE(s, closed_port());
	set(s);
	run_until(s, &s->downs, 1);
	assert_null(s->store);
	assert_int_equal(s->answered, 25);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_first_that_helps),
		TEST(test_one_is_behind_the_times),
		TEST(test_none_leads_to_a_primary),
		TEST(test_a_name_that_none_knows),
		TEST(test_no_sentinel_answers),
		TEST(test_passwords),
		TEST(test_users),
		TEST(test_answers_that_make_no_sense),
		TEST(test_a_fail_over),
		TEST(test_a_primary_that_falls_silent),
		TEST(test_what_is_long_takes_longer),
		TEST(test_freed_at_any_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
