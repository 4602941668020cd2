/* The store against a real redis-server (unix socket, TCP, TLS; killed, stopped, restarted) and against a fake one that
 * says what a real one rarely does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/io/store.h"
#include "tests/unit/under-valgrind.h"

#define PATIENCE_MS 30000 /* valgrind on a busy machine */
#define MOST_ANSWERS 20000

static char folder[64];

struct scene {
	struct swp_loop *loop;
	struct swp_store *store;
	struct swp_store_options options;
	pid_t redis;
	int ups, downs, refusals;
	bool fresh_run;
	char why[1024];
	/* answers */
	int answered, lost, errors;
	int times[MOST_ANSWERS]; /* each command is answered exactly once */
	int next_expected;
	enum swp_store_reply_type last_type;
	int64_t last_number;
	char last[256];
	size_t last_length;
	bool free_in_answer, free_in_down, free_in_up;
};

/* --- helpers --- */

static pid_t spawn(const char *const *arguments)
{
	pid_t parent = getpid(), child = fork();

	if (child == 0) {
		int null = open("/dev/null", O_RDWR);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
		execvp(arguments[0], (char *const *)(uintptr_t)arguments);
		_exit(127);
	}
	return child;
}

static void run_shell(const char *script)
{
	const char *const arguments[] = {"sh", "-c", script, NULL};
	int status;

	waitpid(spawn(arguments), &status, 0);
	assert_int_equal(status, 0);
}

static bool answers(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), result;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	result = connect(fd, (struct sockaddr *)&address, sizeof(address));
	close(fd);
	return result == 0;
}

/* redis-server in the folder, ready for connections; `more` is appended to the common arguments. */
static pid_t start_redis(const char *const *more)
{
	static char socket_path[100];
	const char *arguments[40] = {"redis-server", "--dir", folder, "--save", "", "--appendonly", "no",
		"--unixsocket", socket_path, "--databases", "16"};
	size_t count = 11;
	pid_t redis;

	snprintf(socket_path, sizeof(socket_path), "%s/redis", folder);
	for (; more && *more; more++)
		arguments[count++] = *more;
	arguments[count] = NULL;
	redis = spawn(arguments);
	for (int i = 0; i < PATIENCE_MS / 10 && !answers(socket_path); i++)
		usleep(10000);
	assert_true(answers(socket_path));
	return redis;
}

static const char *const no_port[] = {"--port", "0", NULL};

static void stop_redis(struct scene *s)
{
	if (s->redis <= 0)
		return;
	kill(s->redis, SIGKILL);
	waitpid(s->redis, NULL, 0);
	s->redis = 0;
}

static unsigned free_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	close(fd);
	return ntohs(address.sin_port);
}

static void on_up(void *context, bool fresh_run)
{
	struct scene *s = context;

	s->ups++;
	s->fresh_run = fresh_run;
	if (s->free_in_up) {
		swp_store_free(s->store);
		s->store = NULL;
	}
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

static void open_store(struct scene *s)
{
	const struct swp_store_events events = {
		.up = on_up, .down = on_down, .refused = on_refused, .context = s};
	struct swp_problem problem = {0};

	s->store = swp_store_new(s->loop, &s->options, &events, &problem);
	if (!s->store)
		print_message("%s\n", problem.text);
	assert_non_null(s->store);
}

static void run_until(struct scene *s, const int *counter, int wanted)
{
	int64_t end = swp_clock_monotonic_ms(swp_clock_system()) + PATIENCE_MS;

	while (*counter < wanted && swp_clock_monotonic_ms(swp_clock_system()) < end)
		assert_int_equal(swp_loop_step(s->loop, 50), 0);
	if (*counter != wanted)
		print_message("why: %s; last: %s\n", s->why, s->last);
	assert_int_equal(*counter, wanted);
}

static void run_for(struct scene *s, int64_t ms)
{
	int64_t end = swp_clock_monotonic_ms(swp_clock_system()) + ms;

	while (swp_clock_monotonic_ms(swp_clock_system()) < end)
		assert_int_equal(swp_loop_step(s->loop, 10), 0);
}

struct asked {
	struct scene *scene;
	int number;
};
static struct asked asked[MOST_ANSWERS];

static void on_answer(void *context, const struct swp_store_reply *reply)
{
	struct asked *a = context;
	struct scene *s = a->scene;

	s->times[a->number]++;
	s->answered++;
	s->lost += reply->type == SWP_STORE_REPLY_LOST;
	s->errors += reply->type == SWP_STORE_REPLY_ERROR;
	s->last_type = reply->type;
	s->last_number = reply->number;
	s->last_length = reply->length;
	assert_non_null(reply->bytes);
	assert_int_equal(reply->bytes[reply->length], '\0');
	snprintf(s->last, sizeof(s->last), "%.*s", reply->length > 250 ? 250 : (int)reply->length,
		reply->bytes);
	if (reply->type == SWP_STORE_REPLY_LIST) {
		s->last[0] = '\0';
		for (size_t i = 0; i < reply->item_count && i < 8; i++) {
			size_t used = strlen(s->last);

			snprintf(s->last + used, sizeof(s->last) - used, "%d:%.*s:%d ",
				(int)reply->items[i].type, 20, reply->items[i].bytes,
				(int)reply->items[i].number);
		}
	}
	if (s->free_in_answer && s->store) {
		struct swp_store *store = s->store;

		s->store = NULL;
		swp_store_free(store);
	}
}

/* Asks; words are split at blanks. */
static int ask(struct scene *s, int number, const char *words)
{
	struct swp_store_argument arguments[8];
	size_t count = 0;

	asked[number] = (struct asked){s, number};
	while (*words) {
		size_t length = strcspn(words, " ");

		arguments[count++] = (struct swp_store_argument){words, length};
		words += length + (words[length] == ' ');
	}
	return swp_store_command(s->store, arguments, count, on_answer, &asked[number]);
}

static void ask_and_wait(struct scene *s, const char *words)
{
	int before = s->answered;

	assert_int_equal(ask(s, MOST_ANSWERS - 1, words), 0);
	assert_int_equal(s->answered, before);
	run_until(s, &s->answered, before + 1);
}

static int set_up(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));
	char url[128];

	signal(SIGPIPE, SIG_IGN);
	snprintf(folder, sizeof(folder), "/tmp/swp-store-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(url, sizeof(url), "unix://%s/redis", folder);
	assert_int_equal(swp_store_address_parse(url, &s->options.address, NULL), 0);
	s->options.client_name = "test-store";
	s->loop = swp_loop_new(swp_clock_system());
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;
	const char *const arguments[] = {"rm", "-rf", folder, NULL};

	swp_store_free(s->store);
	swp_loop_free(s->loop);
	stop_redis(s);
	waitpid(spawn(arguments), NULL, 0);
	free(s);
	return 0;
}

/* --- addresses --- */

static void test_addresses(void **state)
{
	static const struct {
		const char *url;
		enum swp_store_scheme scheme;
		const char *host;
		unsigned port, database;
		const char *user;
	} good[] = {
		{"redis://localhost", SWP_STORE_TCP, "localhost", 6379, 0, ""},
		{"redis://h:1", SWP_STORE_TCP, "h", 1, 0, ""},
		{"redis://h:65535/15", SWP_STORE_TCP, "h", 65535, 15, ""},
		{"redis://h/", SWP_STORE_TCP, "h", 6379, 0, ""},
		{"rediss://sweep@redis.example.com:6380/2", SWP_STORE_TLS, "redis.example.com", 6380, 2,
			"sweep"},
		{"redis://[::1]", SWP_STORE_TCP, "::1", 6379, 0, ""},
		{"redis://u@[fe80::1]:7000", SWP_STORE_TCP, "fe80::1", 7000, 0, "u"},
		{"unix:///run/redis.sock", SWP_STORE_UNIX, "/run/redis.sock", 0, 0, ""},
		{"unix:///run/a@b/redis.sock", SWP_STORE_UNIX, "/run/a@b/redis.sock", 0, 0, ""},
		{"unix://sweep@/run/a@b/redis.sock", SWP_STORE_UNIX, "/run/a@b/redis.sock", 0, 0, "sweep"},
	};
	struct swp_store_address address;
	struct swp_problem problem;

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(good); i++) {
		assert_int_equal(swp_store_address_parse(good[i].url, &address, &problem), 0);
		assert_int_equal(address.scheme, good[i].scheme);
		assert_string_equal(address.host, good[i].host);
		assert_int_equal(address.port, good[i].port);
		assert_int_equal(address.database, good[i].database);
		assert_string_equal(address.user, good[i].user);
	}
	for (size_t i = 0; i < SWP_ARRAY_SIZE(good); i++) {
		struct swp_store_address again;
		char *url;

		assert_int_equal(swp_store_address_parse(good[i].url, &address, &problem), 0);
		url = swp_store_address_format(&address);
		assert_int_equal(swp_store_address_parse(url, &again, &problem), 0);
		assert_memory_equal(&again, &address, sizeof(again));
		swp_free(url);
	}
}

static void test_addresses_that_are_none(void **state)
{
	static const struct {
		const char *url, *words;
	} bad[] = {
		{"", "must have the form"},
		{"http://h", "must have the form"},
		{"redis://", "no host"},
		{"redis://:6379", "no host"},
		{"redis://h h", "no host"},
		{"redis://h:0", "1 to 65535"},
		{"redis://h:65536", "1 to 65535"},
		{"redis://h:", "1 to 65535"},
		{"redis://h:6379x", "1 to 65535"},
		{"redis://h/x", "database number"},
		{"redis://h/9999999999", "database number"},
		{"redis://[::1", "] of the IPv6"},
		{"redis://[::1]x", "1 to 65535"},
		{"redis://user:hunter2@h", "ORGSWEEP_STORE_PASSWORD"},
		{"redis://:hunter2@h", "ORGSWEEP_STORE_PASSWORD"},
		{"redis://user:hunter2/x@h", "ORGSWEEP_STORE_PASSWORD"},
		{"rediss://@h", "user before @"},
		{"unix://relative", "absolute path"},
		{"unix:///", "absolute path"},
		{"unix://user@", "absolute path"},
		{"unix://@/path", "user before @"},
		{"unix://user:hunter2@/path", "ORGSWEEP_STORE_PASSWORD"},
	};
	struct swp_store_address address;
	struct swp_problem problem;
	char longer[600];

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(bad); i++) {
		assert_int_equal(swp_store_address_parse(bad[i].url, &address, &problem), -EINVAL);
		if (!strstr(problem.text, bad[i].words) || strstr(problem.text, "hunter2"))
			print_message("%s: %s\n", bad[i].url, problem.text);
		assert_non_null(strstr(problem.text, bad[i].words));
		assert_null(strstr(problem.text, "hunter2"));
	}
	snprintf(longer, sizeof(longer), "redis://%0300d", 1);
	assert_int_equal(swp_store_address_parse(longer, &address, &problem), -EINVAL);
	snprintf(longer, sizeof(longer), "redis://%0300d@h", 1);
	assert_int_equal(swp_store_address_parse(longer, &address, &problem), -EINVAL);
	snprintf(longer, sizeof(longer), "unix:///%0300d", 1);
	assert_int_equal(swp_store_address_parse(longer, &address, &problem), -EINVAL);
	assert_non_null(strstr(problem.text, "at most 107 bytes"));
}

static void test_address_of_another_user(void **state)
{
	static const char *const no_users[] = {"", "a b", "a:b", "a/b", "a@b", "a\n"};
	struct swp_store_address address;
	struct swp_problem problem;
	char longer[600];

	(void)state;
	assert_int_equal(swp_store_address_parse("redis://somebody@h", &address, &problem), 0);
	assert_true(swp_store_address_set_user(&address, "other"));
	assert_string_equal(address.user, "other");
	for (size_t i = 0; i < SWP_ARRAY_SIZE(no_users); i++) {
		assert_false(swp_store_address_set_user(&address, no_users[i]));
		assert_string_equal(address.user, "");
	}
	snprintf(longer, sizeof(longer), "%0128d", 1);
	assert_false(swp_store_address_set_user(&address, longer));
	assert_true(swp_store_address_set_user(&address, longer + 1));
}

static void test_sentinel_addresses(void **state)
{
	static const struct {
		const char *url, *whole; /* with everything written out */
		size_t count;
	} good[] = {
		{"sentinel://h/main", "sentinel://h:26379/main/0", 1},
		{"sentinel://h:1,[::1]:2,[fe80::2]/main/3", "sentinel://h:1,[::1]:2,[fe80::2]:26379/main/3",
			3},
		{"sentinel://u@h1,h2/my.main_1-x/?tls=yes",
			"sentinel://u@h1:26379,h2:26379/my.main_1-x/0?tls=yes", 2},
		{"sentinel://h/main?tls=no", "sentinel://h:26379/main/0", 1},
	};
	static const struct {
		const char *url, *words;
	} bad[] = {
		{"sentinel://", "no host"},
		{"sentinel:///main", "no host"},
		{"sentinel://h,/main", "no host"},
		{"sentinel://,h/main", "no host"},
		{"sentinel://h", "the name by which"},
		{"sentinel://h/", "the name by which"},
		{"sentinel://h//0", "the name by which"},
		{"sentinel://h/a b", "the name by which"},
		{"sentinel://h:0/main", "1 to 65535"},
		{"sentinel://h/main/x", "database number"},
		{"sentinel://h/main/0/1", "database number"},
		{"sentinel://h/main/12345678901234567890", "database number"},
		{"sentinel://h/main?ssl=yes", "tls=yes"},
		{"sentinel://h/main?tls=maybe", "tls=yes"},
		{"sentinel://h?tls=yes", "the name by which"},
		{"sentinel://:hunter2@h/main", "ORGSWEEP_STORE_PASSWORD"},
		{"sentinel://u:hunter2/x@h/main", "ORGSWEEP_STORE_PASSWORD"},
	};
	struct swp_store_address address, again;
	struct swp_problem problem;
	char longer[600] = "sentinel://h";

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(good); i++) {
		char *url;

		assert_int_equal(swp_store_address_parse(good[i].url, &address, &problem), 0);
		assert_int_equal(address.scheme, SWP_STORE_SENTINEL);
		assert_int_equal(address.sentinel_count, good[i].count);
		url = swp_store_address_format(&address);
		assert_string_equal(url, good[i].whole);
		assert_int_equal(swp_store_address_parse(url, &again, &problem), 0);
		assert_memory_equal(&again, &address, sizeof(again));
		assert_int_equal(swp_store_address_uses_tls(&address), strstr(url, "tls=yes") != NULL);
		swp_free(url);
	}
	for (size_t i = 0; i < SWP_ARRAY_SIZE(bad); i++) {
		assert_int_equal(swp_store_address_parse(bad[i].url, &address, &problem), -EINVAL);
		if (!strstr(problem.text, bad[i].words) || strstr(problem.text, "hunter2"))
			fail_msg("%s: %s", bad[i].url, problem.text);
	}
	for (int more = 0; more < 2; more++) {
		size_t length = strlen("sentinel://h");

		for (int i = 1; i < SWP_LIMIT_SENTINELS + more; i++)
			length += (size_t)snprintf(longer + length, sizeof(longer) - length, ",h");
		snprintf(longer + length, sizeof(longer) - length, "/n");
		assert_int_equal(swp_store_address_parse(longer, &address, &problem), more ? -EINVAL : 0);
	}
	assert_non_null(strstr(problem.text, "at most 16 sentinels"));
}

/* --- a real one --- */

static void test_talk(void **state)
{
	struct scene *s = *state;

	s->redis = start_redis(no_port);
	open_store(s);
	assert_false(swp_store_is_up(s->store));
	run_until(s, &s->ups, 1);
	assert_true(swp_store_is_up(s->store));
	assert_false(s->fresh_run);
	ask_and_wait(s, "SET key value");
	assert_int_equal(s->last_type, SWP_STORE_REPLY_TEXT);
	assert_string_equal(s->last, "OK");
	ask_and_wait(s, "GET key");
	assert_string_equal(s->last, "value");
	ask_and_wait(s, "GET none");
	assert_int_equal(s->last_type, SWP_STORE_REPLY_NOTHING);
	ask_and_wait(s, "INCR number");
	assert_int_equal(s->last_type, SWP_STORE_REPLY_NUMBER);
	assert_int_equal(s->last_number, 1);
	ask_and_wait(s, "MGET key none key");
	assert_int_equal(s->last_type, SWP_STORE_REPLY_LIST);
	assert_string_equal(s->last, "0:value:0 2::0 0:value:0 ");
	ask_and_wait(s, "KEYS nothing*");
	assert_int_equal(s->last_type, SWP_STORE_REPLY_LIST);
	assert_string_equal(s->last, "");
	ask_and_wait(s, "INCR key");
	assert_int_equal(s->last_type, SWP_STORE_REPLY_ERROR);
	assert_non_null(strstr(s->last, "not an integer"));
	ask_and_wait(s, "CLIENT GETNAME");
	assert_string_equal(s->last, "test-store");
	assert_int_equal(swp_store_command(s->store, &SWP_STORE_TEXT_ARGUMENT("PING"), 1, NULL, NULL), 0);
	assert_int_equal(swp_store_open_commands(s->store), 1);
	ask_and_wait(s, "PING");
	assert_int_equal(swp_store_open_commands(s->store), 0);
}

static void on_ordered(void *context, const struct swp_store_reply *reply)
{
	struct asked *a = context;

	assert_int_equal(a->number, a->scene->next_expected++);
	assert_int_equal(reply->number, a->number + 1);
	on_answer(context, reply);
}

static void test_pipelined_in_order(void **state)
{
	struct scene *s = *state;
	static char bulk[2000];
	const struct swp_store_argument arguments[] = {
		SWP_STORE_TEXT_ARGUMENT("RPUSH"), SWP_STORE_TEXT_ARGUMENT("list"), {bulk, sizeof(bulk)}};

	s->redis = start_redis(no_port);
	open_store(s);
	for (int i = 0; i < 5000; i++) {
		asked[i] = (struct asked){s, i};
		assert_int_equal(swp_store_command(s->store, arguments, 3, on_ordered, &asked[i]), 0);
	}
	assert_int_equal(swp_store_open_commands(s->store), 5000);
	run_until(s, &s->answered, 5000);
	assert_int_equal(s->lost + s->errors, 0);
	/* A reply of 10 MB in one piece. */
	ask_and_wait(s, "LRANGE list 0 -1");
	assert_int_equal(s->last_type, SWP_STORE_REPLY_LIST);
}

static void test_killed_and_started_again(void **state)
{
	struct scene *s = *state;
	enum { BEFORE = 3000, AFTER = 100 };

	s->redis = start_redis(no_port);
	open_store(s);
	run_until(s, &s->ups, 1);
	for (int i = 0; i < BEFORE / 2; i++)
		assert_int_equal(ask(s, i, "INCR number"), 0);
	swp_loop_step(s->loop, 0);
	/* From here on nothing is answered, but much is sent. */
	kill(s->redis, SIGSTOP);
	for (int i = BEFORE / 2; i < BEFORE; i++)
		assert_int_equal(ask(s, i, "INCR number"), 0);
	swp_loop_step(s->loop, 0);
	stop_redis(s);
	run_until(s, &s->downs, 1);
	assert_false(swp_store_is_up(s->store));
	for (int i = BEFORE; i < BEFORE + AFTER; i++)
		assert_int_equal(ask(s, i, "INCR later"), 0);
	run_for(s, 300);
	assert_int_equal(s->downs, 1);
	s->redis = start_redis(no_port);
	run_until(s, &s->ups, 2);
	assert_true(s->fresh_run);
	run_until(s, &s->answered, BEFORE + AFTER);
	for (int i = 0; i < BEFORE + AFTER; i++)
		assert_int_equal(s->times[i], 1);
	assert_true(s->lost > 0 && s->lost <= BEFORE);
	/* None of those asked while it was down got lost, and each was carried out once. */
	ask_and_wait(s, "GET later");
	assert_string_equal(s->last, "100");
	/* The same run again: not fresh. */
	ask_and_wait(s, "CLIENT KILL TYPE normal SKIPME no");
	run_until(s, &s->ups, 3);
	assert_false(s->fresh_run);
	assert_int_equal(swp_store_connections(s->store), 3);
}

static void test_the_ceiling_of_what_waits(void **state)
{
	struct scene *s = *state;
	size_t size = SWP_LIMIT_STORE_WAITING_BYTES / 4;
	char *bulk = calloc(1, size);
	const struct swp_store_argument arguments[] = {
		SWP_STORE_TEXT_ARGUMENT("SET"), SWP_STORE_TEXT_ARGUMENT("k"), {bulk, size - 100}};
	const struct swp_store_argument too_long[] = {
		SWP_STORE_TEXT_ARGUMENT("SET"), {NULL, SWP_LIMIT_STORE_WAITING_BYTES}};
	struct swp_store_script script = {.source = "return #ARGV[1]"};

	open_store(s);
	run_until(s, &s->downs, 1);
	assert_int_equal(swp_store_command(s->store, too_long, 2, NULL, NULL), -ENOBUFS);
	assert_int_equal(swp_store_run(s->store, &script, NULL, 0, too_long + 1, 1, NULL, NULL), -ENOBUFS);
	for (int i = 0; i < 4; i++) {
		asked[i] = (struct asked){s, i};
		assert_int_equal(swp_store_command(s->store, arguments, 3, on_answer, &asked[i]), 0);
	}
	assert_int_equal(swp_store_command(s->store, arguments, 3, on_answer, NULL), -ENOBUFS);
	assert_int_equal(
		swp_store_run(s->store, &script, NULL, 0, arguments + 2, 1, on_answer, NULL), -ENOBUFS);
	s->redis = start_redis(no_port);
	run_until(s, &s->answered, 4);
	assert_int_equal(s->lost + s->errors, 0);
	assert_int_equal(swp_store_command(s->store, arguments, 3, on_answer, &asked[0]), 0);
	run_until(s, &s->answered, 5);
	free(bulk);
}

static void run_script(struct scene *s, struct swp_store_script *script, const char *argument)
{
	const struct swp_store_argument key = SWP_STORE_TEXT_ARGUMENT("script-key");
	const struct swp_store_argument value = SWP_STORE_TEXT_ARGUMENT(argument);
	int before = s->answered;

	asked[0] = (struct asked){s, 0};
	assert_int_equal(swp_store_run(s->store, script, &key, 1, &value, 1, on_answer, &asked[0]), 0);
	run_until(s, &s->answered, before + 1);
}

static void test_scripts(void **state)
{
	struct scene *s = *state;
	struct swp_store_script script = {.source = "return {KEYS[1], ARGV[1], redis.call('INCR', 'runs')}"};

	s->redis = start_redis(no_port);
	open_store(s);
	run_script(s, &script, "a");
	assert_string_equal(s->last, "0:script-key:0 0:a:0 1::1 ");
	run_script(s, &script, "b");
	assert_string_equal(s->last, "0:script-key:0 0:b:0 1::2 ");
	ask_and_wait(s, "SCRIPT LOAD return(1)");
	assert_int_equal(s->last_length, 40);
	{
		struct swp_store_script other = {.source = "return(1)"};
		char sha1[64];

		snprintf(sha1, sizeof(sha1), "%.40s", s->last);
		run_script(s, &other, "");
		assert_string_equal(other.sha1, sha1);
		assert_int_equal(s->last_number, 1);
	}
	/* Gone from the cache behind our back: said again as EVAL, carried out once. */
	ask_and_wait(s, "SCRIPT FLUSH");
	run_script(s, &script, "c");
	assert_string_equal(s->last, "0:script-key:0 0:c:0 1::3 ");
	/* A new run knows no script; what waited is an EVALSHA all the same. */
	stop_redis(s);
	run_until(s, &s->downs, 1);
	s->redis = start_redis(no_port);
	run_script(s, &script, "d");
	assert_string_equal(s->last, "0:script-key:0 0:d:0 1::1 ");
	assert_int_equal(s->lost, 0);
}

static void set_password(struct scene *s, struct swp_secret *secret, const char *password)
{
	assert_int_equal(swp_secret_set_text(secret, password), 0);
	s->options.password = secret;
}

static void test_passwords(void **state)
{
	struct scene *s = *state;
	static const char *const arguments[] = {"--port", "0", "--requirepass", "open-sesame", "--user",
		"worker", "on", ">secret", "~*", "+@all", "-info", NULL};
	static const struct {
		const char *user, *password, *words;
	} rows[] = {
		{"", "wrong", "ORGSWEEP_STORE_PASSWORD"},
		{"", NULL, "ORGSWEEP_STORE_PASSWORD"},
		{"nobody", "secret", "WRONGPASS"},
		{"worker", "secret", "orgsweep store acl"},
	};
	struct swp_secret secret = {0};
	struct swp_problem problem;

	s->redis = start_redis(arguments);
	set_password(s, &secret, "open-sesame");
	open_store(s);
	run_until(s, &s->ups, 1);
	ask_and_wait(s, "PING");
	assert_string_equal(s->last, "PONG");
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		int before;

		swp_store_free(s->store);
		before = s->answered;
		set_password(s, &secret, rows[i].password);
		snprintf(s->options.address.user, sizeof(s->options.address.user), "%s", rows[i].user);
		open_store(s);
		assert_int_equal(ask(s, 1, "PING"), 0);
		run_until(s, &s->refusals, (int)i + 1);
		if (!strstr(s->why, rows[i].words))
			assert_string_equal(s->why, rows[i].words);
		assert_null(strstr(s->why, "secret"));
		run_for(s, 200);
		assert_int_equal(s->refusals, i + 1);
		assert_int_equal(s->answered, before);
	}
	swp_store_free(s->store);
	assert_int_equal(s->lost, 4);
	s->store = NULL;
	swp_secret_done(&secret);
	assert_null(swp_store_new(s->loop, &s->options, &(struct swp_store_events){0}, &problem));
	assert_non_null(strstr(problem.text, "there is no password"));
}

static void test_password_where_none_is_wanted(void **state)
{
	struct scene *s = *state;
	struct swp_secret secret = {0};

	s->redis = start_redis(no_port);
	set_password(s, &secret, "superfluous");
	open_store(s);
	run_until(s, &s->refusals, 1);
	assert_non_null(strstr(s->why, "without any password configured"));
	swp_secret_done(&secret);
}

static void test_silence_ends_a_connection(void **state)
{
	struct scene *s = *state;

	s->options.command_timeout_ms = 300;
	s->redis = start_redis(no_port);
	open_store(s);
	run_until(s, &s->ups, 1);
	ask_and_wait(s, "PING");
	/* Silence alone is nothing: nobody has asked. */
	run_for(s, 700);
	assert_int_equal(s->downs, 0);
	kill(s->redis, SIGSTOP);
	assert_int_equal(ask(s, 0, "PING"), 0);
	run_until(s, &s->downs, 1);
	assert_non_null(strstr(s->why, "has not answered"));
	assert_int_equal(s->lost, 1);
	assert_int_equal(s->times[0], 1);
	kill(s->redis, SIGCONT);
	run_until(s, &s->ups, 2);
	assert_false(s->fresh_run);
}

static void test_over_tcp_by_name(void **state)
{
	struct scene *s = *state;
	char port[16], url[64];
	const char *const arguments[] = {"--bind", "127.0.0.1", "--port", port, NULL};

	snprintf(port, sizeof(port), "%u", free_port());
	snprintf(url, sizeof(url), "redis://localhost:%s/3", port);
	s->redis = start_redis(arguments);
	assert_int_equal(swp_store_address_parse(url, &s->options.address, NULL), 0);
	open_store(s);
	run_until(s, &s->ups, 1);
	ask_and_wait(s, "CLIENT INFO");
	assert_non_null(strstr(s->last, " db=3 "));
}

static void test_database_that_is_not_there(void **state)
{
	struct scene *s = *state;
	char port[16], url[64];
	const char *const arguments[] = {"--bind", "127.0.0.1", "--port", port, NULL};

	snprintf(port, sizeof(port), "%u", free_port());
	snprintf(url, sizeof(url), "redis://127.0.0.1:%s/99", port);
	s->redis = start_redis(arguments);
	assert_int_equal(swp_store_address_parse(url, &s->options.address, NULL), 0);
	open_store(s);
	run_until(s, &s->refusals, 1);
	assert_non_null(strstr(s->why, "DB index is out of range"));
}

static void test_hosts_that_do_not_answer(void **state)
{
	struct scene *s = *state;
	char url[64];

	assert_int_equal(
		swp_store_address_parse("redis://no-such-host.invalid", &s->options.address, NULL), 0);
	open_store(s);
	run_until(s, &s->downs, 1);
	/* "Name or service not known", or "no answer of the resolver within …" where nobody answers it. */
	assert_non_null(strstr(s->why, "host no-such-host.invalid: "));
	swp_store_free(s->store);
	snprintf(url, sizeof(url), "redis://127.0.0.1:%u", free_port());
	assert_int_equal(swp_store_address_parse(url, &s->options.address, NULL), 0);
	open_store(s);
	run_until(s, &s->downs, 2);
	assert_non_null(strstr(s->why, "Connection refused"));
	/* Freed while the resolver is still at work. */
	swp_store_free(s->store);
	open_store(s);
	swp_loop_step(s->loop, 0);
}

/* A listener that takes the connection and then says nothing: the TLS handshake never ends by itself. */
static void test_the_ceiling_of_connecting(void **state)
{
	struct scene *s = *state;
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int64_t before = swp_clock_monotonic_ms(swp_clock_system());
	char url[64], words[64];

	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(fd, 10), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	snprintf(url, sizeof(url), "rediss://127.0.0.1:%u", ntohs(address.sin_port));
	assert_int_equal(swp_store_address_parse(url, &s->options.address, NULL), 0);
	open_store(s);
	run_until(s, &s->downs, 1);
	snprintf(words, sizeof(words), "no connection within %d ms", SWP_LIMIT_CONNECT_MS);
	assert_string_equal(s->why, words);
	assert_true(swp_clock_monotonic_ms(swp_clock_system()) - before >= SWP_LIMIT_CONNECT_MS);
	close(fd);
}

/* --- TLS --- */

static void make_certificates(void)
{
	char script[1200];

	snprintf(script, sizeof(script),
		"cd %s && for ca in ca other; do openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout "
		"$ca.key "
		"-out $ca.crt -subj /CN=test-$ca; done && "
		"openssl req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=server && "
		"printf 'subjectAltName=DNS:localhost,IP:127.0.0.1' > san && "
		"openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -out "
		"server.crt "
		"-extfile san && "
		"openssl req -newkey rsa:2048 -nodes -keyout client.key -out client.csr -subj /CN=client && "
		"openssl x509 -req -in client.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -out "
		"client.crt",
		folder);
	run_shell(script);
}

static char tls_files[6][128];

static const char *in_folder(int slot, const char *name)
{
	snprintf(tls_files[slot], sizeof(tls_files[slot]), "%s/%s", folder, name);
	return tls_files[slot];
}

static void start_tls_redis(struct scene *s, const char *auth_clients, char *port, size_t size)
{
	const char *const arguments[] = {"--bind", "127.0.0.1", "--port", "0", "--tls-port", port,
		"--tls-cert-file", in_folder(0, "server.crt"), "--tls-key-file", in_folder(1, "server.key"),
		"--tls-ca-cert-file", in_folder(2, "ca.crt"), "--tls-auth-clients", auth_clients, NULL};

	make_certificates();
	snprintf(port, size, "%u", free_port());
	s->redis = start_redis(arguments);
}

static void test_tls(void **state)
{
	struct scene *s = *state;
	static char bulk[3000000];
	const struct swp_store_argument arguments[] = {
		SWP_STORE_TEXT_ARGUMENT("SET"), SWP_STORE_TEXT_ARGUMENT("k"), {bulk, sizeof(bulk)}};
	char port[16], url[64];
	static const char *const hosts[] = {"localhost", "127.0.0.1"};

	start_tls_redis(s, "no", port, sizeof(port));
	s->options.ca_file = in_folder(2, "ca.crt");
	memset(bulk, 'b', sizeof(bulk));
	for (int i = 0; i < 2; i++) {
		int before = s->answered;

		swp_store_free(s->store);
		snprintf(url, sizeof(url), "rediss://%s:%s", hosts[i], port);
		assert_int_equal(swp_store_address_parse(url, &s->options.address, NULL), 0);
		open_store(s);
		run_until(s, &s->ups, i + 1);
		asked[0] = (struct asked){s, 0};
		for (int j = 0; j < 5; j++)
			assert_int_equal(swp_store_command(s->store, arguments, 3, on_answer, &asked[0]), 0);
		run_until(s, &s->answered, before + 5);
		ask_and_wait(s, "GET k");
		assert_int_equal(s->last_length, sizeof(bulk));
	}
	assert_int_equal(s->lost + s->errors, 0);
	ask_and_wait(s, "CLIENT KILL TYPE normal SKIPME no");
	run_until(s, &s->ups, 3);
}

static void test_tls_that_is_not_trusted(void **state)
{
	struct scene *s = *state;
	char port[16], url[64];

	start_tls_redis(s, "no", port, sizeof(port));
	snprintf(url, sizeof(url), "rediss://localhost:%s", port);
	assert_int_equal(swp_store_address_parse(url, &s->options.address, NULL), 0);
	s->options.ca_file = in_folder(3, "other.crt");
	open_store(s);
	run_until(s, &s->refusals, 1);
	assert_non_null(strstr(s->why, "not trusted"));
	swp_store_free(s->store);
	/* The right CA, another host: 127.0.0.2 is no name of that certificate. */
	s->options.ca_file = in_folder(2, "ca.crt");
	snprintf(s->options.address.host, sizeof(s->options.address.host), "ip6-localhost");
	stop_redis(s);
	{
		const char *const arguments[] = {"--bind", "127.0.0.2", "--port", "0", "--tls-port", port,
			"--tls-cert-file", in_folder(0, "server.crt"), "--tls-key-file",
			in_folder(1, "server.key"), "--tls-ca-cert-file", in_folder(2, "ca.crt"),
			"--tls-auth-clients", "no", NULL};

		s->redis = start_redis(arguments);
	}
	snprintf(s->options.address.host, sizeof(s->options.address.host), "127.0.0.2");
	open_store(s);
	run_until(s, &s->refusals, 2);
	assert_non_null(strstr(s->why, "IP address mismatch"));
}

static void test_tls_with_client_certificate(void **state)
{
	struct scene *s = *state;
	char port[16], url[64];

	start_tls_redis(s, "yes", port, sizeof(port));
	snprintf(url, sizeof(url), "rediss://localhost:%s", port);
	assert_int_equal(swp_store_address_parse(url, &s->options.address, NULL), 0);
	s->options.ca_file = in_folder(2, "ca.crt");
	open_store(s);
	run_until(s, &s->downs, 1);
	run_for(s, 300);
	assert_int_equal(s->ups, 0);
	swp_store_free(s->store);
	s->options.certificate_file = in_folder(4, "client.crt");
	s->options.key_file = in_folder(5, "client.key");
	open_store(s);
	run_until(s, &s->ups, 1);
	ask_and_wait(s, "PING");
	assert_string_equal(s->last, "PONG");
}

static void test_tls_files_that_can_not_be_used(void **state)
{
	struct scene *s = *state;
	struct swp_problem problem;
	struct swp_store_events events = {0};

	make_certificates();
	s->options.address.scheme = SWP_STORE_TLS;
	s->options.ca_file = "/no/such/ca";
	assert_null(swp_store_new(s->loop, &s->options, &events, &problem));
	assert_non_null(strstr(problem.text, "/no/such/ca"));
	s->options.ca_file = in_folder(2, "ca.crt");
	s->options.certificate_file = in_folder(4, "client.crt");
	assert_null(swp_store_new(s->loop, &s->options, &events, &problem));
	assert_non_null(strstr(problem.text, "give both or none"));
	s->options.key_file = in_folder(5, "server.key");
	assert_null(swp_store_new(s->loop, &s->options, &events, &problem));
	assert_non_null(strstr(problem.text, "server.key"));
	s->options.certificate_file = "/no/such/certificate";
	assert_null(swp_store_new(s->loop, &s->options, &events, &problem));
	assert_non_null(strstr(problem.text, "/no/such/certificate"));
}

/* --- a fake one --- */

struct fake {
	struct scene *scene;
	struct swp_watch listener, connection;
	int connections;
	/* What INFO tells, and how a command whose name starts with `command` is answered; NULL: +OK. */
	const char *version, *role, *cluster;
	const char *more; /* lines of INFO */
	const char *command, *answer;
	size_t answer_length; /* 0: strlen */
	int loading;	      /* so many connections are told LOADING */
};

static void fake_send(int fd, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);

		if (sent < 0 && errno == EAGAIN)
			continue;
		if (sent < 0)
			return; /* they hung up on us: what some tests are about */
		bytes += sent;
		length -= (size_t)sent;
	}
}

static void fake_info(const struct fake *fake, int fd)
{
	char text[512], head[600];
	int length = snprintf(text, sizeof(text),
		"# "
		"Server\r\nredis_version:%s\r\nrun_id:0123456789012345678901234567890123456789\r\nrole:%s\r\n"
		"master_host:db.example.com\r\ncluster_enabled:%s\r\n%s",
		fake->version, fake->role, fake->cluster, fake->more ? fake->more : "");
	int size = snprintf(head, sizeof(head), "$%d\r\n%s\r\n", length, text);

	fake_send(fd, head, (size_t)size);
}

/* Commands are short and come whole: the name is what stands behind the first "$n" line of each "*n" line. */
static void fake_ready(struct swp_watch *watch, uint32_t epoll_events)
{
	struct fake *fake = SWP_CONTAINER_OF(watch, struct fake, connection);
	char bytes[4096];
	ssize_t got = recv(watch->fd, bytes, sizeof(bytes) - 1, 0);
	int fd = watch->fd;

	(void)epoll_events;
	if (got <= 0) {
		swp_watch_remove(watch);
		close(fd);
		return;
	}
	bytes[got] = '\0';
	for (char *at = strchr(bytes, '*'); at; at = strchr(at + 1, '*')) {
		char *name = strchr(at, '$');

		if ((at > bytes && at[-1] != '\n') || !name || !(name = strchr(name, '\n')))
			continue;
		name++;
		if (fake->loading >= fake->connections)
			fake_send(fd, "-LOADING Redis is loading the dataset in memory\r\n", 49);
		else if (fake->command && strncmp(name, fake->command, strlen(fake->command)) == 0)
			fake_send(fd, fake->answer,
				fake->answer_length ? fake->answer_length : strlen(fake->answer));
		else if (strncmp(name, "INFO", 4) == 0)
			fake_info(fake, fd);
		else
			fake_send(fd, "+OK\r\n", 5);
	}
}

static void fake_accept(struct swp_watch *watch, uint32_t epoll_events)
{
	struct fake *fake = SWP_CONTAINER_OF(watch, struct fake, listener);
	int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), old = fake->connection.fd;

	(void)epoll_events;
	if (fake->connection.loop && old >= 0) {
		swp_watch_remove(&fake->connection);
		close(old);
	}
	fake->connections++;
	assert_int_equal(swp_watch_add(&fake->connection, fake->scene->loop, fd, EPOLLIN, fake_ready), 0);
}

static void fake_open(struct fake *fake, struct scene *s)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	fake->scene = s;
	if (!fake->version)
		fake->version = "7.0.15";
	if (!fake->role)
		fake->role = "master";
	if (!fake->cluster)
		fake->cluster = "0";
	snprintf(address.sun_path, sizeof(address.sun_path), "%.100s", s->options.address.host);
	unlink(address.sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 10), 0);
	assert_int_equal(swp_watch_add(&fake->listener, s->loop, fd, EPOLLIN, fake_accept), 0);
}

static void fake_close(struct fake *fake)
{
	int fds[] = {fake->listener.fd, fake->connection.loop ? fake->connection.fd : -1};

	swp_watch_remove(&fake->listener);
	swp_watch_remove(&fake->connection);
	for (int i = 0; i < 2; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
}

static void test_redis_that_will_not_do(void **state)
{
	struct scene *s = *state;
	struct {
		struct fake fake;
		const char *words;
	} rows[] = {
		{{.version = "5.0.7"}, "Redis 5.0.7 is too old: 6.2 or newer"},
		{{.version = "6.0.20"}, "Redis 6.0.20 is too old"},
		{{.cluster = "1"}, "Redis Cluster is not supported"},
		{{.role = "slave"}, "is a replica and can't be written to: give db.example.com"},
		{{.command = "INFO", .answer = "+PONG\r\n"}, "is not Redis"},
		{{.command = "INFO", .answer = ":1\r\n"}, "is not Redis"},
		{{.command = "INFO", .answer = "-DENIED Redis is running in protected mode\r\n"},
			"protected mode"},
		{{.command = "INFO", .answer = "-ERR unknown command\r\n"}, "unknown command"},
		{{.command = "INFO", .answer = "-NOAUTH Authentication required.\r\n"},
			"ORGSWEEP_STORE_PASSWORD"},
	};

	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		fake_open(&rows[i].fake, s);
		open_store(s);
		run_until(s, &s->refusals, (int)i + 1);
		if (!strstr(s->why, rows[i].words))
			assert_string_equal(s->why, rows[i].words);
		run_for(s, 120);
		assert_int_equal(rows[i].fake.connections, 1);
		swp_store_free(s->store);
		s->store = NULL;
		fake_close(&rows[i].fake);
	}
}

/* What works, and what is to be said of it. */
static void test_redis_that_will_do(void **state)
{
	struct scene *s = *state;
	struct {
		struct fake fake;
		const char *warnings; /* words, in order */
	} rows[] = {
		{{.version = "6.2.0"}, ""},
		{{.version = "6.2.14", .more = "aof_enabled:1\r\nmaxmemory_policy:noeviction\r\n"}, ""},
		/* Valkey 8.0.1, as it calls itself */
		{{.version = "7.2.4",
			 .more = "server_name:valkey\r\nvalkey_version:8.0.1\r\naof_enabled:1\r\n"},
			""},
		{{.version = "10.0.0", .more = "maxmemory_policy:allkeys-lru\r\naof_enabled:1\r\n"},
			"allkeys-lru;"},
		{{.more = "aof_enabled:0\r\nmaxmemory_policy:volatile-ttl\r\n"}, "volatile-ttl;append-only;"},
		{{.more = "aof_enabled:0\r\n"}, "append-only;"},
	};

	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		const struct swp_store_warning *warning;
		const char *words = rows[i].warnings;
		size_t count = 0;

		fake_open(&rows[i].fake, s);
		open_store(s);
		run_until(s, &s->ups, (int)i + 1);
		while ((warning = swp_store_warning(s->store, count++))) {
			char word[32];

			snprintf(word, sizeof(word), "%.*s", (int)strcspn(words, ";"), words);
			if (!*word || !strstr(warning->what, word) || !*warning->fix)
				fail_msg("row %zu: %s; %s", i, warning->what, warning->fix);
			words += strlen(word) + 1;
		}
		assert_string_equal(words, "");
		swp_store_free(s->store);
		s->store = NULL;
		fake_close(&rows[i].fake);
	}
}

static void test_redis_that_is_not_ready_yet(void **state)
{
	struct scene *s = *state;
	struct fake fake = {.loading = 3, .version = "6.2.0"};

	fake_open(&fake, s);
	open_store(s);
	run_until(s, &s->ups, 1);
	assert_int_equal(fake.connections, 4);
	assert_int_equal(s->downs, 1);
	assert_non_null(strstr(s->why, "LOADING"));
	swp_store_free(s->store);
	s->store = NULL;
	fake_close(&fake);
}

static void test_a_fail_over(void **state)
{
	struct scene *s = *state;
	struct fake fake = {
		.command = "SET", .answer = "-READONLY You can't write against a read only replica.\r\n"};

	fake_open(&fake, s);
	open_store(s);
	run_until(s, &s->ups, 1);
	assert_int_equal(ask(s, 0, "GET k"), 0);
	assert_int_equal(ask(s, 1, "SET k v"), 0);
	assert_int_equal(ask(s, 2, "GET k"), 0);
	fake.role = "slave";
	run_until(s, &s->answered, 3);
	assert_int_equal(s->lost, 2);
	run_until(s, &s->downs, 1);
	assert_non_null(strstr(s->why, "read-only"));
	/* It worked before: no reason to give up while it is a replica. */
	run_for(s, 300);
	assert_int_equal(s->refusals, 0);
	assert_true(fake.connections > 1);
	fake.role = "master";
	run_until(s, &s->ups, 2);
	swp_store_free(s->store);
	s->store = NULL;
	fake_close(&fake);
}

static void test_replies_that_can_not_be_taken(void **state)
{
	struct scene *s = *state;
	size_t long_size = SWP_LIMIT_STORE_REPLY_BYTES + 64;
	char *long_text = malloc(long_size), deep[200] = "";
	struct {
		const char *answer;
		size_t length;
		const char *words;
	} rows[] = {
		{"?what\r\n", 0, "can't be understood"},
		{"$-5\r\n", 0, "can't be understood"},
		{"*2147483647\r\n", 0, "above the ceiling"},
		{deep, 0, "can't be understood"},
		{long_text, long_size, "above the ceiling"},
	};

	memset(long_text, 'x', long_size);
	memcpy(long_text, "$100000000\r\n", 12);
	for (int i = 0; i < 9; i++)
		memcpy(deep + 4 * i, "*1\r\n", 5);
	memcpy(deep + 36, ":1\r\n", 5);
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		struct fake fake = {
			.command = "GET", .answer = rows[i].answer, .answer_length = rows[i].length};
		int answered = s->answered, lost = s->lost, ups = s->ups;

		/* hiredis grows its buffer by 1 MiB at a time, which valgrind copies: 2 GiB for the ceiling of a reply. */
		if (rows[i].length && under_valgrind())
			continue;
		/* The fake sends without reading on, so it must not wait for us: a thread of its own would hide errors. */
		if (rows[i].length)
			fake.command = "NEVER";
		fake_open(&fake, s);
		open_store(s);
		run_until(s, &s->ups, ups + 1);
		assert_int_equal(ask(s, 0, "GET k"), 0);
		if (rows[i].length) {
			pid_t sender, parent = getpid();

			/* Sent from a child on the accepted connection, while our loop reads. */
			run_for(s, 50);
			sender = fork();
			if (sender == 0) {
				/* Nobody else ends it if the test is killed: it would try to send for ever. */
				prctl(PR_SET_PDEATHSIG, SIGKILL);
				if (getppid() != parent)
					_exit(1);
				fake_send(fake.connection.fd, rows[i].answer, rows[i].length);
				_exit(0);
			}
			/* The first GET was answered with +OK; the long text is for this one. */
			assert_int_equal(s->answered, answered + 1);
			answered++;
			fake.command = "GET";
			fake.answer = "";
			fake.answer_length = 0;
			assert_int_equal(ask(s, 2, "GET k"), 0);
			run_until(s, &s->answered, answered + 1);
			kill(sender, SIGKILL);
			waitpid(sender, NULL, 0);
		} else {
			assert_int_equal(ask(s, 1, "GET k"), 0);
			run_until(s, &s->answered, answered + 2);
			assert_int_equal(s->lost, lost + 1);
		}
		run_until(s, &s->errors, (int)i + 1);
		run_for(s, 10);
		if (!strstr(s->why, rows[i].words))
			assert_string_equal(s->why, rows[i].words);
		swp_store_free(s->store);
		s->store = NULL;
		fake_close(&fake);
	}
	free(long_text);
}

static void test_an_answer_nobody_asked_for(void **state)
{
	struct scene *s = *state;
	struct fake fake = {.command = "GET", .answer = "+one\r\n+two\r\n"};

	fake_open(&fake, s);
	open_store(s);
	run_until(s, &s->ups, 1);
	ask_and_wait(s, "GET k");
	assert_string_equal(s->last, "one");
	run_until(s, &s->downs, 1);
	assert_non_null(strstr(s->why, "nobody asked for"));
	assert_int_equal(s->answered, 1);
	swp_store_free(s->store);
	s->store = NULL;
	fake_close(&fake);
}

/* --- life --- */

static void test_free_answers_what_is_open(void **state)
{
	struct scene *s = *state;

	open_store(s);
	for (int i = 0; i < 10; i++)
		assert_int_equal(ask(s, i, "PING"), 0);
	assert_int_equal(swp_store_open_commands(s->store), 10);
	swp_store_free(s->store);
	s->store = NULL;
	assert_int_equal(s->lost, 10);
	assert_int_equal(s->answered, 10);
	swp_store_free(NULL);
}

static void test_freed_inside_call_backs(void **state)
{
	struct scene *s = *state;

	s->redis = start_redis(no_port);
	s->free_in_up = true;
	open_store(s);
	assert_int_equal(ask(s, 0, "PING"), 0);
	run_until(s, &s->ups, 1);
	assert_int_equal(s->lost, 1);
	s->free_in_up = false;
	open_store(s);
	run_until(s, &s->ups, 2);
	s->free_in_answer = true;
	for (int i = 0; i < 10; i++)
		assert_int_equal(ask(s, i, "PING"), 0);
	run_until(s, &s->answered, 11);
	assert_null(s->store);
	/* In the answer that tells the loss, with others lost beside it. */
	s->free_in_answer = false;
	open_store(s);
	run_until(s, &s->ups, 3);
	for (int i = 0; i < 10; i++)
		assert_int_equal(ask(s, i, "PING"), 0);
	kill(s->redis, SIGSTOP);
	swp_loop_step(s->loop, 0);
	s->free_in_answer = true;
	stop_redis(s);
	run_until(s, &s->answered, 21);
	assert_int_equal(s->downs, 0);
	s->free_in_answer = false;
	s->free_in_down = true;
	open_store(s);
	run_until(s, &s->downs, 1);
	assert_null(s->store);
	run_for(s, 50);
}

static void test_out_of_memory(void **state)
{
	struct scene *s = *state;
	struct swp_store_script script = {.source = "return 1"};
	const struct swp_store_argument argument = SWP_STORE_TEXT_ARGUMENT("PING");
	int error = -ENOMEM;

	for (unsigned long nth = 1; !s->store; nth++) {
		swp_alloc_fail_at(nth, 0);
		s->store = swp_store_new(
			s->loop, &s->options, &(struct swp_store_events){.up = on_up, .context = s}, NULL);
		swp_alloc_fail_at(0, 0);
		assert_true(nth < 100);
	}
	for (unsigned long nth = 1; error; nth++) {
		swp_alloc_fail_at(nth, 0);
		error = swp_store_command(s->store, &argument, 1, NULL, NULL);
		swp_alloc_fail_at(0, 0);
		assert_true(error == 0 || error == -ENOMEM);
	}
	assert_int_equal(swp_store_open_commands(s->store), 1);
	error = -ENOMEM;
	for (unsigned long nth = 1; error; nth++) {
		swp_alloc_fail_at(nth, 0);
		error = swp_store_run(s->store, &script, NULL, 0, &argument, 1, NULL, NULL);
		swp_alloc_fail_at(0, 0);
		assert_true(error == 0 || error == -ENOMEM);
	}
	assert_int_equal(swp_store_open_commands(s->store), 2);
	s->redis = start_redis(no_port);
	run_until(s, &s->ups, 1);
	ask_and_wait(s, "PING");
	assert_string_equal(s->last, "PONG");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static void test_advice(void **state)
{
	(void)state;
	assert_non_null(strstr(
		swp_store_advice("OOM command not allowed when used memory > 'maxmemory'."), "maxmemory"));
	/* as Redis 6.2 says it from within a script */
	assert_non_null(strstr(
		swp_store_advice("ERR Error running script (call to f_1): @user_script:4: @user_script: 4: "
				 "-OOM command not allowed when used memory > 'maxmemory'."),
		"maxmemory"));
	assert_non_null(strstr(swp_store_advice("MISCONF Errors writing to the AOF file"), "disk"));
	assert_non_null(strstr(
		swp_store_advice("NOREPLICAS Not enough good replicas to write."), "min-replicas-to-write"));
	assert_string_equal(swp_store_advice("ERR unknown command 'BOOM'"), "");
	assert_string_equal(swp_store_advice(""), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_addresses_that_are_none),
		cmocka_unit_test(test_address_of_another_user),
		cmocka_unit_test(test_sentinel_addresses),
		cmocka_unit_test(test_advice),
		TEST(test_talk),
		TEST(test_pipelined_in_order),
		TEST(test_killed_and_started_again),
		TEST(test_the_ceiling_of_what_waits),
		TEST(test_scripts),
		TEST(test_passwords),
		TEST(test_password_where_none_is_wanted),
		TEST(test_silence_ends_a_connection),
		TEST(test_over_tcp_by_name),
		TEST(test_database_that_is_not_there),
		TEST(test_hosts_that_do_not_answer),
		TEST(test_the_ceiling_of_connecting),
		TEST(test_tls),
		TEST(test_tls_that_is_not_trusted),
		TEST(test_tls_with_client_certificate),
		TEST(test_tls_files_that_can_not_be_used),
		TEST(test_redis_that_will_not_do),
		TEST(test_redis_that_will_do),
		TEST(test_redis_that_is_not_ready_yet),
		TEST(test_a_fail_over),
		TEST(test_replies_that_can_not_be_taken),
		TEST(test_an_answer_nobody_asked_for),
		TEST(test_free_answers_what_is_open),
		TEST(test_freed_inside_call_backs),
		TEST(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
