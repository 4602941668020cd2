/* The driver: one refresh for many waiters, refresh before the end, after ExpiredToken, processes, prompts, ends in the middle.
 * HTTP and AWS calls are replaced at link time by a player; loop, files (a map) and processes are real, the clock is ours.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/base/alloc.h"
#include "proto/base/text.h"
#include "proto/io/credential-source.h"

#define SECRET "PLANTEDsecret0123456789"
#define TOKEN "PLANTEDtoken0123456789"
#define START_MS 1795000000000LL /* 2026-11-18T11:06:40Z */
#define MINUTE_MS 60000LL

/* --- clock --- */

static int64_t shift_ms; /* both clocks go on by themselves, and jump by this */

static int64_t monotonic_ms(void *context)
{
	(void)context;
	return swp_clock_monotonic_ms(swp_clock_system()) + shift_ms;
}

static int64_t wall_ms(void *context)
{
	(void)context;
	return START_MS + shift_ms;
}

static void random_bytes(void *context, void *bytes, size_t length)
{
	(void)context;
	memset(bytes, 7, length);
}

static const struct swp_clock test_clock = {
	.monotonic_ms = monotonic_ms, .wall_ms = wall_ms, .random_bytes = random_bytes};

/* --- the player: stands in for proto/io/http.c and caller.c --- */

static struct player {
	struct swp_http_exchange *exchange; /* in flight; NULL: none */
	void (*exchange_done)(struct swp_http_exchange *exchange, const struct swp_http_response *response);
	char url[256], authorization[128];
	bool direct, secret;
	struct swp_call *call;
	void (*call_done)(struct swp_call *call, struct swp_answer *answer);
	char operation[64], region[32], signer[64], partition[16];
	bool anonymous;
	unsigned exchanges, calls, cancelled;
} player;

int swp_http_start(struct swp_http_client *client, const struct swp_http_request *request,
	struct swp_http_exchange *exchange,
	void (*done)(struct swp_http_exchange *exchange, const struct swp_http_response *response))
{
	(void)client;
	assert_null(player.exchange);
	player.exchange = exchange;
	player.exchange_done = done;
	snprintf(player.url, sizeof(player.url), "%s %s", request->method, request->url);
	player.authorization[0] = 0;
	for (size_t i = 0; i < request->header_count; i++)
		if (strcmp(request->headers[i].name, "Authorization") == 0)
			snprintf(player.authorization, sizeof(player.authorization), "%s",
				request->headers[i].value);
	player.direct = request->direct;
	player.secret = request->secret;
	player.exchanges++;
	return 0;
}

void swp_http_cancel(struct swp_http_exchange *exchange)
{
	player.cancelled += player.exchange == exchange;
	player.exchange = NULL;
}

const char *swp_http_failure_name(enum swp_http_failure failure)
{
	return failure == SWP_HTTP_CONNECT ? "connect" : "other";
}

struct swp_caller *swp_caller_new(const struct swp_caller_options *options)
{
	(void)options;
	return (struct swp_caller *)swp_calloc(1, 1);
}

void swp_caller_free(struct swp_caller *caller)
{
	swp_free(caller);
}

void swp_caller_set_partition(struct swp_caller *caller, const struct swp_partition *partition)
{
	(void)caller;
	snprintf(player.partition, sizeof(player.partition), "%s", partition->name);
}

int swp_call_start(struct swp_caller *caller, const struct swp_call_request *request, struct swp_call *call,
	void (*done)(struct swp_call *call, struct swp_answer *answer))
{
	(void)caller;
	assert_null(player.call);
	assert_true(request->secret);
	player.call = call;
	player.call_done = done;
	player.calls++;
	player.anonymous = request->identity->anonymous;
	snprintf(player.operation, sizeof(player.operation), "%s", request->operation->name);
	snprintf(player.region, sizeof(player.region), "%s", request->region);
	snprintf(player.signer, sizeof(player.signer), "%s", request->identity->access_key_id);
	return 0;
}

void swp_call_cancel(struct swp_call *call)
{
	player.cancelled += player.call == call;
	player.call = NULL;
}

static void answer_http(int status, const char *body)
{
	struct swp_http_exchange *exchange = player.exchange;
	assert_non_null(exchange);
	player.exchange = NULL;
	const struct swp_http_response response = {.failure = status ? SWP_HTTP_OK : SWP_HTTP_CONNECT,
		.status = status,
		.failure_text = "",
		.body = body,
		.body_length = strlen(body)};
	player.exchange_done(exchange, &response);
}

static void answer_keys(const char *id, int64_t minutes)
{
	char body[512], end[SWP_TIME_TEXT_BYTES];
	swp_time_format(wall_ms(NULL) + minutes * MINUTE_MS, end);
	snprintf(body, sizeof(body),
		"{\"AccessKeyId\":\"%s\",\"SecretAccessKey\":\"" SECRET "\",\"Token\":\"" TOKEN
		"\",\"Expiration\":\"%s\"}",
		id, end);
	answer_http(200, body);
}

static void answer_call(enum swp_outcome outcome, const char *json)
{
	struct swp_call *call = player.call;
	assert_non_null(call);
	player.call = NULL;
	struct swp_answer answer = {
		.outcome = outcome, .error_code = "AccessDenied", .message = "no", .request_id = ""};
	answer.document = json ? json_loads(json, 0, NULL) : NULL;
	player.call_done(call, &answer);
	json_decref(answer.document);
}

/* --- files and environment --- */

struct variable {
	const char *name, *value;
};
static struct variable variables[8];
static struct variable files[4]; /* path → content; content NULL: not readable */
static char saved_path[256], saved_text[1024];

static const char *map_get(void *context, const char *name)
{
	(void)context;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(variables) && variables[i].name; i++)
		if (strcmp(variables[i].name, name) == 0)
			return variables[i].value;
	return NULL;
}

static int map_read(void *context, const char *path, struct swp_buf *out)
{
	(void)context;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(files) && files[i].name; i++)
		if (strcmp(files[i].name, path) == 0)
			return files[i].value ? swp_buf_append_text(out, files[i].value) : -EACCES;
	return -ENOENT;
}

static int map_save(void *context, const char *path, const char *text, size_t length)
{
	(void)context;
	snprintf(saved_path, sizeof(saved_path), "%s", path);
	snprintf(saved_text, sizeof(saved_text), "%.*s", (int)length, text);
	return 0;
}

/* --- one source and its waiters --- */

struct waiter {
	struct swp_credential_wait wait;
	unsigned times;
	char id[129], problem[1024];
	struct swp_credential_source *again; /* asks for more from inside */
	struct waiter *next;
};

static struct swp_loop *loop;
static struct swp_credential_source *source;
static int http_stands_for_itself;

static void waited(struct swp_credential_wait *wait, const struct swp_credentials *credentials,
	const struct swp_problem *problem)
{
	struct waiter *waiter = SWP_CONTAINER_OF(wait, struct waiter, wait);
	waiter->times++;
	snprintf(waiter->id, sizeof(waiter->id), "%s", credentials ? credentials->access_key_id : "");
	snprintf(waiter->problem, sizeof(waiter->problem), "%s", problem ? problem->text : "");
	assert_true((credentials != NULL) == (wait->error == 0));
	if (credentials)
		assert_string_equal(swp_secret_text(&credentials->secret_access_key), SECRET);
	assert_null(strstr(waiter->problem, "PLANTED"));
	if (waiter->again)
		assert_int_equal(swp_credential_source_get(waiter->again, &waiter->next->wait), 0);
}

static void turn(void)
{
	for (int i = 0; i < 3; i++)
		assert_int_equal(swp_loop_step(loop, 1), 0);
}

static void ask(struct waiter *waiter)
{
	unsigned before = waiter->times;
	waiter->wait.done = waited;
	assert_int_equal(swp_credential_source_get(source, &waiter->wait), 0);
	assert_int_equal(waiter->times, before);
	turn();
}

static void check(const struct waiter *waiter, unsigned times, const char *id)
{
	if (waiter->times != times || strcmp(waiter->id, id) != 0)
		fail_msg("called %u times with \"%s\" (%s), expected %u times with \"%s\"", waiter->times,
			waiter->id, waiter->problem, times, id);
}

static int setup(void **state)
{
	(void)state;
	memset(&player, 0, sizeof(player));
	memset(variables, 0, sizeof(variables));
	memset(files, 0, sizeof(files));
	shift_ms = 0;
	loop = swp_loop_new(&test_clock);
	return loop ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	swp_credential_source_free(source);
	source = NULL;
	swp_loop_free(loop);
	return 0;
}

static void make_source(const char *profile, const struct swp_credential_prompt *prompt)
{
	struct swp_problem problem = {0};
	const struct swp_credential_source_options options = {.profile = profile,
		.environment = {.get = map_get, .home = "/h"},
		.read_file = map_read,
		.save_file = map_save,
		.prompt = prompt};
	source = swp_credential_source_new(loop, NULL, NULL, &options, &problem);
	if (!source)
		fail_msg("%s", problem.text);
	assert_int_equal(
		swp_credential_source_attach(source, (struct swp_http_client *)&http_stands_for_itself, NULL),
		0);
}

static void use_container(void)
{
	variables[0] = (struct variable){"AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9/c"};
	variables[1] = (struct variable){"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/token"};
	files[0] = (struct variable){"/token", "PLANTEDone"};
	make_source(NULL, NULL);
}

static void one_refresh_for_all(void **state)
{
	(void)state;
	struct waiter a = {0}, b = {0}, c = {0}, d = {0};
	use_container();
	ask(&a);
	ask(&b);
	ask(&c);
	assert_int_equal(player.exchanges, 1);
	assert_string_equal(player.url, "GET http://127.0.0.1:9/c");
	assert_string_equal(player.authorization, "PLANTEDone");
	assert_true(player.direct && player.secret);
	swp_credential_source_cancel(&b.wait);
	swp_credential_source_cancel(&b.wait);
	answer_keys("AK1", 60);
	turn();
	check(&a, 1, "AK1");
	check(&b, 0, "");
	check(&c, 1, "AK1");
	ask(&d);
	check(&d, 1, "AK1");
	assert_int_equal(player.exchanges, 1);
}

static void asks_again_from_inside(void **state)
{
	(void)state;
	struct waiter a = {0}, b = {.wait = {.done = waited}};
	use_container();
	a.again = source;
	a.next = &b;
	ask(&a);
	answer_keys("AK1", 60);
	check(&b, 0, "");
	turn();
	check(&a, 1, "AK1");
	check(&b, 1, "AK1");
}

static void refreshed_before_the_end(void **state)
{
	(void)state;
	struct waiter a = {0}, b = {0}, c = {0}, d = {0};
	use_container();
	ask(&a);
	answer_keys("AK1", 60);
	shift_ms = 46 * MINUTE_MS; /* 14 minutes are left: the old ones are given, new ones are fetched */
	files[0].value = "PLANTEDtwo";
	ask(&b);
	check(&b, 1, "AK1");
	assert_int_equal(player.exchanges, 2);
	assert_string_equal(player.authorization, "PLANTEDtwo"); /* the token file is read again */
	ask(&c);
	check(&c, 1, "AK1");
	assert_int_equal(player.exchanges, 2);
	answer_keys("AK2", 60);
	ask(&d);
	check(&d, 1, "AK2");
}

static void refuse_three_times(void)
{
	for (int i = 0; i < 3; i++) {
		answer_http(403, "{\"message\":\"" SECRET "\"}");
		shift_ms += 1000;
		turn();
	}
}

static void a_failed_early_refresh_does_no_harm(void **state)
{
	(void)state;
	struct waiter a = {0}, b = {0}, c = {0}, d = {0};
	use_container();
	ask(&a);
	answer_keys("AK1", 60);
	shift_ms = 46 * MINUTE_MS;
	ask(&b);
	check(&b, 1, "AK1");
	refuse_three_times();
	assert_int_equal(player.exchanges, 4);
	ask(&c);
	check(&c, 1, "AK1");
	assert_int_equal(player.exchanges, 4); /* not again within a minute */
	shift_ms += 61000;
	ask(&d);
	check(&d, 1, "AK1");
	assert_int_equal(player.exchanges, 5);
}

static void a_late_refresh_must_succeed(void **state)
{
	(void)state;
	struct waiter a = {0}, b = {0}, c = {0};
	use_container();
	ask(&a);
	answer_keys("AK1", 60);
	shift_ms = 51 * MINUTE_MS; /* 9 minutes are left */
	ask(&b);
	check(&b, 0, "");
	refuse_three_times();
	check(&b, 1, "");
	assert_int_equal(b.wait.error, SWP_CREDENTIAL_E_RETRIEVAL);
	assert_non_null(strstr(b.problem, "answered 403"));
	ask(&c);
	answer_keys("AK2", 60);
	check(&c, 1, "AK2");
}

/* A source that gives short ones is not asked by every get. */
static void short_credentials(void **state)
{
	(void)state;
	struct waiter a = {0}, b = {0}, c = {0};
	use_container();
	ask(&a);
	answer_keys("AK1", 5);
	check(&a, 1, "AK1");
	ask(&b);
	check(&b, 1, "AK1");
	assert_int_equal(player.exchanges, 1);
	shift_ms += 61000;
	ask(&c);
	assert_int_equal(player.exchanges, 2);
	answer_keys("AK2", 5);
	check(&c, 1, "AK2");
}

static void expired_keys_in_a_file(void **state)
{
	(void)state;
	static const char before[] = "[default]\naws_access_key_id=AK1\naws_secret_access_key=" SECRET "\n";
	static const char after[] = "[default]\naws_access_key_id=AK2\naws_secret_access_key=" SECRET "\n";
	struct waiter a = {0}, b = {0}, c = {0}, d = {0};
	files[0] = (struct variable){"/h/.aws/credentials", before};
	make_source(NULL, NULL);
	ask(&a);
	check(&a, 1, "AK1");
	swp_credential_source_expired(source);
	ask(&b);
	check(&b, 1, "");
	assert_int_equal(b.wait.error, SWP_CREDENTIAL_E_EXPIRED);
	assert_non_null(strstr(b.problem, "profile default (credentials-file) have expired"));
	files[0].value = after; /* another program has renewed them */
	ask(&c);
	check(&c, 1, "AK2");
	swp_credential_source_expired_key(source, "AK1"); /* late news about the old ones */
	files[0].value = "[default]\n" SECRET "\n";
	ask(&d);
	check(&d, 1, "AK2");
	swp_credential_source_expired_key(source, "AK2");
	ask(&d);
	check(&d, 2, "");
	assert_non_null(strstr(d.problem, "/h/.aws/credentials line 2"));
}

#define STS_DOCUMENT(id)                                                                                     \
	"{\"Credentials\":{\"AccessKeyId\":\"" id "\",\"SecretAccessKey\":\"" SECRET                         \
	"\",\"SessionToken\":\"" TOKEN "\",\"Expiration\":\"2026-11-18T12:06:40Z\"}}"

static void a_role_in_china(void **state)
{
	(void)state;
	struct waiter a = {0}, b = {0};
	files[0] = (struct variable){"/h/.aws/config",
		"[profile "
		"p]\nrole_arn=arn:aws-cn:iam::1:role/"
		"r\nsource_profile=p\naws_access_key_id=AKP\naws_secret_access_key=" SECRET
		"\nregion=cn-north-1\n"};
	make_source("p", NULL);
	assert_string_equal(swp_credential_source_region(source), "cn-north-1");
	assert_string_equal(swp_credential_source_profile(source), "p");
	ask(&a);
	assert_string_equal(player.operation, "AssumeRole");
	assert_string_equal(player.region, "cn-north-1");
	assert_string_equal(player.partition, "aws-cn");
	assert_string_equal(player.signer, "AKP");
	assert_false(player.anonymous);
	answer_call(SWP_OUTCOME_OK, STS_DOCUMENT("AKR"));
	check(&a, 1, "AKR");
	swp_credential_source_expired(source);
	ask(&b);
	answer_call(SWP_OUTCOME_REFUSED, NULL);
	check(&b, 1, "");
	assert_int_equal(b.wait.error, SWP_CREDENTIAL_E_REFUSED);
}

static void sso_is_refreshed_and_saved(void **state)
{
	(void)state;
	struct waiter a = {0};
	files[0] = (struct variable){"/h/.aws/config",
		"[profile p]\nsso_session=test\nsso_account_id=1\nsso_role_name=r\n[sso-session "
		"test]\nsso_region=eu-west-1\nsso_start_url=u\n"};
	/* SHA-1 of "test" */
	files[1] = (struct variable){"/h/.aws/sso/cache/a94a8fe5ccb19ba61c4c0873d391e987982fbbd3.json",
		"{\"accessToken\":\"" TOKEN
		"\",\"expiresAt\":\"2026-11-18T11:00:00Z\",\"refreshToken\":\"" TOKEN
		"\",\"clientId\":\"c\",\"clientSecret\":\"" SECRET
		"\",\"registrationExpiresAt\":\"2026-12-18T11:00:00Z\"}"};
	make_source("p", NULL);
	ask(&a);
	assert_string_equal(player.operation, "CreateToken");
	assert_true(player.anonymous);
	answer_call(SWP_OUTCOME_OK, "{\"accessToken\":\"PLANTEDnew\",\"expiresIn\":3600}");
	assert_string_equal(saved_path, files[1].name);
	assert_non_null(
		strstr(saved_text, "\"accessToken\":\"PLANTEDnew\",\"expiresAt\":\"2026-11-18T12:06:40Z\""));
	assert_string_equal(player.url,
		"GET "
		"https://portal.sso.eu-west-1.amazonaws.com/federation/credentials?role_name=r&account_id=1");
	assert_false(player.direct);
	answer_http(200, "{\"roleCredentials\":{\"accessKeyId\":\"AKS\",\"secretAccessKey\":\"" SECRET
			 "\",\"sessionToken\":\"" TOKEN "\",\"expiration\":1795003600000}}");
	check(&a, 1, "AKS");
}

/* Children are watched by pidfd, which Debian 12's valgrind does not know. */
static void need_children(void)
{
	int fd = (int)syscall(SYS_pidfd_open, getpid(), 0u);
	if (fd < 0 && errno == ENOSYS)
		skip();
	close(fd);
}

static void wait_for(const struct waiter *waiter)
{
	for (int i = 0; i < 1000 && waiter->times == 0; i++)
		assert_int_equal(swp_loop_step(loop, 10), 0);
}

static void processes(void **state)
{
	(void)state;
	static const struct {
		const char *command, *id, *problem;
	} rows[] = {
		{"/bin/sh -c 'echo "
		 "\"{\\\"Version\\\":1,\\\"AccessKeyId\\\":\\\"AKX\\\",\\\"SecretAccessKey\\\":\\\"" SECRET
		 "\\\"}\"'",
			"AKX", ""},
		{"/bin/sh -c 'exit ${ORGSWEEP_STORE_PASSWORD:-4}'", "", "ended with exit code 4"},
		{"/bin/sh -c 'echo " SECRET "; exit 3'", "",
			"credential_process /bin/sh ended with exit code 3"},
		{"/bin/sh -c 'kill -9 $$'", "", "ended with signal 9"},
		{"/nonexistent/program x", "", "credential_process /nonexistent/program"},
		{"/bin/sh -c 'echo {'", "", "no JSON object"},
		{"/bin/sh -c 'yes | head -c 3000000'", "",
			"credential_process /bin/sh: printed more than 1 MiB"},
	};
	need_children();
	setenv("ORGSWEEP_STORE_PASSWORD", "5", 1);
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		char config[512];
		struct waiter a = {0};
		snprintf(config, sizeof(config), "[profile p]\ncredential_process = %s\n", rows[i].command);
		files[0] = (struct variable){"/h/.aws/config", config};
		make_source("p", NULL);
		ask(&a);
		wait_for(&a);
		check(&a, 1, rows[i].id);
		if (!strstr(a.problem, rows[i].problem))
			fail_msg("%s: \"%s\"", rows[i].command, a.problem);
		swp_credential_source_free(source);
		source = NULL;
	}
}

static void a_process_that_hangs(void **state)
{
	(void)state;
	struct waiter a = {0};
	need_children();
	files[0] = (struct variable){"/h/.aws/config", "[profile p]\ncredential_process = /bin/sleep 1000\n"};
	make_source("p", NULL);
	ask(&a);
	check(&a, 0, "");
	shift_ms += 301000;
	wait_for(&a);
	check(&a, 1, "");
	assert_non_null(strstr(a.problem, "did not end within 300 s"));
}

static struct swp_credential_source *asker;
static unsigned asked, void_questions;

static void note_question(void *context, struct swp_credential_source *from, const char *question)
{
	(void)context;
	asked++;
	asker = from;
	assert_string_equal(question, "Code of the MFA device m\\x1b: ");
}

static void note_cancel(void *context)
{
	(void)context;
	void_questions++;
}

static const struct swp_credential_prompt prompt = {.ask = note_question, .cancel = note_cancel};

static void use_mfa(const struct swp_credential_prompt *with)
{
	files[0] = (struct variable){"/h/.aws/config",
		"[profile "
		"p]\nrole_arn=arn:aws:iam::1:role/"
		"r\nsource_profile=p\nmfa_serial=m\x1b\naws_access_key_id=AKP\n"
		"aws_secret_access_key=" SECRET "\n"};
	asked = void_questions = 0;
	make_source("p", with);
}

static void mfa(void **state)
{
	(void)state;
	struct waiter a = {0}, b = {0};
	use_mfa(&prompt);
	ask(&a);
	assert_int_equal(asked, 1);
	assert_int_equal(player.calls, 0);
	ask(&b);
	assert_int_equal(asked, 1);
	swp_credential_source_code(asker, "123456");
	swp_credential_source_code(asker, "654321"); /* nobody asked for that one */
	assert_int_equal(player.calls, 1);
	answer_call(SWP_OUTCOME_OK, STS_DOCUMENT("AKR"));
	check(&a, 1, "AKR");
	check(&b, 1, "AKR");
}

static void mfa_without_answer(void **state)
{
	(void)state;
	struct waiter a = {0}, b = {0};
	use_mfa(&prompt);
	ask(&a);
	swp_credential_source_code(asker, NULL);
	check(&a, 1, "");
	assert_int_equal(a.wait.error, SWP_CREDENTIAL_E_CODE);
	ask(&b);
	assert_int_equal(asked, 2);
	swp_credential_source_free(source);
	assert_int_equal(void_questions, 1);
	use_mfa(NULL);
	ask(&a);
	check(&a, 2, "");
	assert_non_null(strstr(a.problem, "no terminal"));
}

static void ends_in_the_middle(void **state)
{
	(void)state;
	struct waiter a = {0};
	use_container();
	ask(&a);
	swp_credential_source_free(source);
	assert_int_equal(player.cancelled, 1);
	use_container();
	ask(&a);
	answer_http(500, "");
	swp_credential_source_free(source); /* in a pause */
	files[0] = (struct variable){"/h/.aws/config",
		"[profile "
		"p]\nrole_arn=arn:aws:iam::1:role/"
		"r\nsource_profile=p\naws_access_key_id=A\naws_secret_access_key=" SECRET "\n"};
	make_source("p", NULL);
	ask(&a);
	swp_credential_source_free(source); /* in a call */
	source = NULL;
	assert_int_equal(player.cancelled, 2);
	check(&a, 0, "");
}

static void ends_in_a_process(void **state)
{
	(void)state;
	struct waiter a = {0};
	need_children();
	files[0] = (struct variable){"/h/.aws/config", "[profile p]\ncredential_process = /bin/sleep 1000\n"};
	make_source("p", NULL);
	ask(&a);
	swp_credential_source_free(source); /* in a process */
	source = NULL;
	check(&a, 0, "");
}

static void bad_files(void **state)
{
	(void)state;
	static const struct {
		const char *path, *content, *expected;
	} rows[] = {
		{"/h/.aws/config", NULL,
			"/h/.aws/config can't be read: Permission denied; correct it, or name another file "
			"with AWS_CONFIG_FILE"},
		{"/h/.aws/credentials", "[default]\n" SECRET "\n", "/h/.aws/credentials line 2: expected"},
		{"/h/.aws/config", "[default]\nendpoint_url = x\n", "endpoint_url of the profile"},
	};
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		struct swp_problem problem = {0};
		files[0] = (struct variable){rows[i].path, rows[i].content};
		const struct swp_credential_source_options options = {
			.environment = {.get = map_get, .home = "/h"}, .read_file = map_read};
		assert_null(swp_credential_source_new(loop, NULL, NULL, &options, &problem));
		if (!strstr(problem.text, rows[i].expected) || strstr(problem.text, "PLANTED"))
			fail_msg("got \"%s\", expected \"%s\"", problem.text, rows[i].expected);
	}
}

static void settings(void **state)
{
	(void)state;
	files[0] = (struct variable){"/h/.aws/config",
		"[default]\nca_bundle=/ca\nuse_fips_endpoint=true\nendpoint_url=http://own\n"};
	variables[0] = (struct variable){"AWS_ENDPOINT_URL_STS", "http://sts"};
	make_source(NULL, NULL);
	assert_string_equal(swp_credential_source_setting(source, SWP_SETTING_CA_BUNDLE), "/ca");
	assert_string_equal(swp_credential_source_setting(source, SWP_SETTING_REGION), "");
	assert_true(swp_credential_source_setting_is_true(source, SWP_SETTING_USE_FIPS));
	assert_false(swp_credential_source_setting_is_true(source, SWP_SETTING_USE_DUAL_STACK));
	struct swp_problem problem = {0};
	struct swp_endpoint_options options = {0};
	struct swp_endpoint endpoint;
	assert_int_equal(swp_credential_source_endpoints(source, NULL, 0, &options, &problem), 0);
	assert_true(options.fips && !options.dual_stack);
	assert_int_equal(swp_endpoint_resolve(&options, swp_partition_by_name("aws"),
				 swp_credential_services[0], "us-east-1", &endpoint),
		0);
	assert_string_equal(endpoint.host, "sts");
	swp_endpoint_options_done(&options);
}

static void failing_allocations(void **state)
{
	(void)state;
	bool passed = false;
	variables[0] = (struct variable){"AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9/c"};
	for (unsigned long nth = 1; !passed; nth++) {
		assert_true(nth < 500);
		struct swp_problem problem = {0};
		struct waiter a = {.wait = {.done = waited}};
		const struct swp_credential_source_options options = {
			.environment = {.get = map_get, .home = "/h"}, .read_file = map_read};
		swp_alloc_fail_at(nth, 0);
		source = swp_credential_source_new(
			loop, (struct swp_http_client *)&http_stands_for_itself, NULL, &options, &problem);
		if (source && swp_credential_source_get(source, &a.wait) == 0) {
			turn();
			if (player.exchange)
				answer_keys("AK1", 60);
			turn();
			assert_int_equal(a.times, 1);
			assert_true(a.wait.error == 0 || a.wait.error == -ENOMEM);
			passed = a.wait.error == 0 && nth > 30;
		}
		swp_alloc_fail_at(0, 0);
		swp_credential_source_free(source);
		source = NULL;
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_refresh_for_all),
		TEST(asks_again_from_inside),
		TEST(refreshed_before_the_end),
		TEST(a_failed_early_refresh_does_no_harm),
		TEST(a_late_refresh_must_succeed),
		TEST(short_credentials),
		TEST(expired_keys_in_a_file),
		TEST(a_role_in_china),
		TEST(sso_is_refreshed_and_saved),
		TEST(processes),
		TEST(a_process_that_hangs),
		TEST(mfa),
		TEST(mfa_without_answer),
		TEST(ends_in_the_middle),
		TEST(ends_in_a_process),
		TEST(bad_files),
		TEST(settings),
		TEST(failing_allocations),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
