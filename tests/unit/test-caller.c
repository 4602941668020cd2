/* The caller against a scripted server: retries, skew, deadlines, admission, what an answer becomes. The clock is the test's:
 * real monotonic time, a wall clock that can be wrong, and jitter that is always 0.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "proto/base/limits.h"
#include "proto/io/caller.h"
#include "tests/unit/scripted-server.h"

/* --- clock --- */

static int64_t wall_offset_ms;

static int64_t test_monotonic(void *context)
{
	(void)context;
	return swp_clock_monotonic_ms(swp_clock_system());
}

static int64_t test_wall(void *context)
{
	(void)context;
	return swp_clock_wall_ms(swp_clock_system()) + wall_offset_ms;
}

static void test_random(void *context, void *bytes, size_t length)
{
	(void)context;
	memset(bytes, 0, length);
}

static const struct swp_clock test_clock = {test_monotonic, test_wall, test_random, NULL};

/* --- a caller with its server --- */

static const struct swp_aws_service sagemaker = {.name = "sagemaker",
	.protocol = SWP_PROTOCOL_JSON_1_1,
	.target_prefix = "SageMaker",
	.signing_name = "sagemaker",
	.endpoint_prefix = "api.sagemaker",
	.rate_per_second = 20};
static const struct swp_aws_operation list_operation = {.service = &sagemaker,
	.name = "ListNotebookInstances",
	.method = "POST",
	.uri = "/",
	.input_token = "NextToken",
	.result = "NotebookInstances"};
static const struct swp_aws_service s3 = {
	.name = "s3", .protocol = SWP_PROTOCOL_REST_XML, .signing_name = "s3", .endpoint_prefix = "s3"};
static const struct swp_aws_operation bucket_operation = {.service = &s3,
	.name = "GetBucketPolicyStatus",
	.method = "GET",
	.uri = "/{Bucket}?policyStatus",
	.host_label = "Bucket"};

struct bench {
	struct swp_loop *loop;
	struct swp_http_client *http;
	struct scripted_server *server;
	struct swp_endpoint_options endpoints;
	struct swp_caller *caller;
	struct swp_secret secret, token;
	struct swp_caller_identity identity;
};

static void bench_start(
	struct bench *bench, const struct scripted_step *steps, size_t count, unsigned max_in_flight)
{
	struct swp_http_options http = {.user_agent = "orgsweep/test"};
	struct swp_caller_options options = {.max_in_flight = max_in_flight};
	char url[64];

	memset(bench, 0, sizeof(*bench));
	wall_offset_ms = 0;
	bench->loop = swp_loop_new(&test_clock);
	bench->http = swp_http_client_new(bench->loop, &http, NULL);
	bench->server = scripted_server_start(steps, count, false);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/prefix", scripted_server_port(bench->server));
	assert_int_equal(swp_endpoint_options_add(&bench->endpoints, NULL, NULL, url, NULL), 0);
	options.http = bench->http;
	options.loop = bench->loop;
	options.endpoints = &bench->endpoints;
	bench->caller = swp_caller_new(&options);
	assert_non_null(bench->caller);
	swp_caller_set_partition(bench->caller, swp_partition_by_name("aws"));
	assert_int_equal(swp_secret_set(&bench->secret, "secret", 6), 0);
	assert_int_equal(swp_secret_set(&bench->token, "session-token", 13), 0);
	bench->identity = (struct swp_caller_identity){.access_key_id = "ASIAEXAMPLE",
		.session_token = &bench->token,
		.secret_access_key = &bench->secret};
}

static void bench_stop(struct bench *bench)
{
	struct swp_caller_statistics statistics;

	swp_caller_statistics_get(bench->caller, &statistics);
	swp_caller_free(bench->caller);
	swp_http_client_free(bench->http);
	scripted_server_stop(bench->server);
	swp_endpoint_options_done(&bench->endpoints);
	swp_secret_set(&bench->secret, NULL, 0);
	swp_secret_set(&bench->token, NULL, 0);
	swp_loop_free(bench->loop);
}

struct asked {
	struct swp_call call;
	bool done;
	int order;
	struct swp_answer answer;
	json_t *document;
	char code[128], message[256], request_id[128];
	struct asked *to_cancel;
};

static int answers;

static void on_answer(struct swp_call *call, struct swp_answer *answer)
{
	struct asked *asked = SWP_CONTAINER_OF(call, struct asked, call);

	assert_null(call->internal);
	asked->done = true;
	asked->order = answers++;
	asked->answer = *answer;
	asked->document = answer->document;
	answer->document = NULL; /* taken */
	snprintf(asked->code, sizeof(asked->code), "%s", answer->error_code);
	snprintf(asked->message, sizeof(asked->message), "%s", answer->message);
	snprintf(asked->request_id, sizeof(asked->request_id), "%s", answer->request_id);
	if (asked->to_cancel != NULL)
		swp_call_cancel(&asked->to_cancel->call);
}

static struct swp_call_request request_of(const struct bench *bench)
{
	return (struct swp_call_request){
		.operation = &list_operation, .region = "eu-west-1", .identity = &bench->identity};
}

static void start(struct bench *bench, const struct swp_call_request *request, struct asked *asked)
{
	memset(asked, 0, sizeof(*asked));
	assert_int_equal(swp_call_start(bench->caller, request, &asked->call, on_answer), 0);
	assert_false(asked->done);
}

static void wait_for(struct bench *bench, const bool *done)
{
	for (int i = 0; i < 20000 && !*done; i++)
		assert_int_equal(swp_loop_step(bench->loop, 50), 0);
	assert_true(*done);
}

static void ask(struct bench *bench, const struct swp_call_request *request, struct asked *asked)
{
	start(bench, request, asked);
	wait_for(bench, &asked->done);
	json_decref(asked->document);
}

#define GOOD "{\"NotebookInstances\":[]}"
#define JSON_ERROR(code, text) "{\"__type\":\"x#" code "\",\"message\":\"" text "\"}"
#define ID "x-amzn-RequestId: r-1\r\n"

/* The value of a request's header. */
static const char *header_of(const char *request, const char *name)
{
	static char value[600];
	char line[64];
	const char *at;
	size_t length;

	snprintf(line, sizeof(line), "\r\n%s: ", name);
	at = strcasestr(request, line);
	if (at == NULL)
		return "";
	at += strlen(line);
	length = strcspn(at, "\r");
	snprintf(value, sizeof(value), "%.*s", (int)length, at);
	return value;
}

/* --- what is sent --- */

static void one_good_call(void **state)
{
	static const struct scripted_step steps[] = {{.headers = ID, .body = GOOD}};
	struct bench bench;
	struct asked asked;
	struct swp_call_request request;
	const char *sent;
	json_t *input = json_loads("{\"MaxResults\":100}", 0, NULL);

	(void)state;
	bench_start(&bench, steps, 1, 0);
	request = request_of(&bench);
	request.input = input;
	request.token = "t";
	ask(&bench, &request, &asked);
	assert_int_equal(asked.answer.outcome, SWP_OUTCOME_OK);
	assert_int_equal(asked.answer.reason, SWP_REASON_NONE);
	assert_int_equal(asked.answer.tries, 1);
	assert_int_equal(asked.answer.status, 200);
	assert_string_equal(asked.request_id, "r-1");
	sent = scripted_server_request(bench.server, 0);
	assert_memory_equal(sent, "POST /prefix/ HTTP/1.1\r\n", 24);
	assert_string_equal(header_of(sent, "X-Amz-Target"), "SageMaker.ListNotebookInstances");
	assert_string_equal(header_of(sent, "Content-Type"), "application/x-amz-json-1.1");
	assert_string_equal(header_of(sent, "X-Amz-Security-Token"), "session-token");
	assert_string_equal(header_of(sent, "amz-sdk-request"), "attempt=1; max=8");
	assert_int_equal(strlen(header_of(sent, "amz-sdk-invocation-id")), 36);
	assert_non_null(strstr(header_of(sent, "Authorization"),
		"/eu-west-1/sagemaker/aws4_request, "
		"SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, "));
	assert_non_null(strstr(sent, "{\"MaxResults\":100,\"NextToken\":\"t\"}"));
	json_decref(input);
	bench_stop(&bench);
}

static void s3_and_anonymous(void **state)
{
	static const struct scripted_step steps[] = {
		{.body = "<PolicyStatus><IsPublic>TRUE</IsPublic></PolicyStatus>"}, {.body = GOOD}};
	struct bench bench;
	struct asked asked;
	struct swp_call_request request;
	json_t *input = json_loads("{\"Bucket\":\"a-bucket\"}", 0, NULL);
	const char *sent;

	(void)state;
	bench_start(&bench, steps, 2, 0);
	request = request_of(&bench);
	request.operation = &bucket_operation;
	request.input = input;
	ask(&bench, &request, &asked);
	assert_int_equal(asked.answer.outcome, SWP_OUTCOME_OK);
	sent = scripted_server_request(bench.server, 0);
	assert_memory_equal(sent, "GET /prefix/a-bucket/?policyStatus HTTP/1.1\r\n", 45);
	assert_string_equal(header_of(sent, "X-Amz-Content-Sha256"),
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	bench.identity = (struct swp_caller_identity){.anonymous = true};
	request = request_of(&bench);
	ask(&bench, &request, &asked);
	assert_int_equal(asked.answer.outcome, SWP_OUTCOME_OK);
	assert_null(strcasestr(scripted_server_request(bench.server, 1), "authorization"));
	json_decref(input);
	bench_stop(&bench);
}

/* --- what an answer becomes --- */

static const struct scenario {
	const char *name;
	struct scripted_step steps[9];
	size_t count;
	enum swp_outcome outcome;
	enum swp_reason reason;
	const char *code;
	unsigned tries, throttled;
} scenarios[] = {
	{"throttled twice, then fine",
		{{.status = 400, .body = JSON_ERROR("ThrottlingException", "Rate exceeded")}, {.status = 429},
			{.body = GOOD}},
		3, SWP_OUTCOME_OK, SWP_REASON_NONE, "", 3, 2},
	{"throttled for ever",
		{{.status = 400, .headers = ID, .body = JSON_ERROR("ThrottlingException", "Rate exceeded")}},
		1, SWP_OUTCOME_THROTTLED, SWP_REASON_THROTTLED, "ThrottlingException", 8, 8},
	{"5xx for ever", {{.status = 503, .headers = ID}}, 1, SWP_OUTCOME_TRANSIENT,
		SWP_REASON_SERVICE_UNAVAILABLE, "", 8, 0},
	{"reset, then fine", {{.kind = SCRIPTED_RESET}, {.kind = SCRIPTED_RESET}, {.body = GOOD}}, 3,
		SWP_OUTCOME_OK, SWP_REASON_NONE, "", 3, 0},
	{"reset for ever", {{.kind = SCRIPTED_RESET}}, 1, SWP_OUTCOME_TRANSIENT,
		SWP_REASON_SERVICE_UNAVAILABLE, "ConnectionError", 8, 0},
	{"half a body, then fine", {{.kind = SCRIPTED_HALF, .body = "{\"Note"}, {.body = GOOD}}, 2,
		SWP_OUTCOME_OK, SWP_REASON_NONE, "", 2, 0},
	{"half a body for ever", {{.kind = SCRIPTED_HALF, .body = "{\"Note"}}, 1, SWP_OUTCOME_TRANSIENT,
		SWP_REASON_MALFORMED_RESPONSE, "TruncatedResponse", 8, 0},
	{"not parsable, then fine", {{.body = "{\"Note"}, {.body = "<html>"}, {.body = GOOD}}, 3,
		SWP_OUTCOME_OK, SWP_REASON_NONE, "", 3, 0},
	{"not parsable for ever", {{.body = "{\"Note"}}, 1, SWP_OUTCOME_TRANSIENT,
		SWP_REASON_MALFORMED_RESPONSE, "MalformedResponse", 3, 0},
	{"without its list", {{.body = "{}"}}, 1, SWP_OUTCOME_FAILED, SWP_REASON_MALFORMED_RESPONSE,
		"MissingMember", 1, 0},
	{"too deep",
		{{.body = "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
			  "[["}},
		1, SWP_OUTCOME_FAILED, SWP_REASON_LIMIT_REACHED, "DocumentTooDeep", 1, 0},
	{"too large", {{.kind = SCRIPTED_HUGE, .number = SWP_LIMIT_RESPONSE_BYTES + 1}}, 1,
		SWP_OUTCOME_FAILED, SWP_REASON_LIMIT_REACHED, "ResponseTooLarge", 1, 0},
	{"denied",
		{{.status = 400,
			.headers = ID,
			.body = JSON_ERROR("AccessDeniedException",
				"no: with an explicit deny in a service control policy")}},
		1, SWP_OUTCOME_REFUSED, SWP_REASON_DENIED_SCP, "AccessDeniedException", 1, 0},
	{"a proxy's 403",
		{{.status = 403,
			.headers = "Content-Type: text/html\r\n",
			.body = "<html><body>Access denied</body></html>"}},
		1, SWP_OUTCOME_FAILED, SWP_REASON_SERVICE_UNAVAILABLE, "", 1, 0},
	{"403 without a body", {{.status = 403}}, 1, SWP_OUTCOME_FAILED, SWP_REASON_SERVICE_UNAVAILABLE, "",
		1, 0},
	{"expired", {{.status = 400, .headers = ID, .body = JSON_ERROR("ExpiredTokenException", "expired")}},
		1, SWP_OUTCOME_EXPIRED, SWP_REASON_CREDENTIALS_EXPIRED, "ExpiredTokenException", 1, 0},
	{"unknown credentials",
		{{.status = 400,
			.headers = ID,
			.body = JSON_ERROR("UnrecognizedClientException", "invalid")}},
		1, SWP_OUTCOME_CREDENTIALS_UNKNOWN, SWP_REASON_REGION_DISABLED, "UnrecognizedClientException",
		1, 0},
	{"gone by a rule",
		{{.status = 400,
			.headers = ID,
			.body = JSON_ERROR("ValidationException", "Could not find it")}},
		1, SWP_OUTCOME_NOT_FOUND, SWP_REASON_NONE, "ValidationException", 1, 0},
	{"redirects are not followed", {{.status = 301, .headers = "Location: http://127.0.0.1:1/\r\n"}}, 1,
		SWP_OUTCOME_FAILED, SWP_REASON_SERVICE_UNAVAILABLE, "", 1, 0},
	{"skewed without a Date", {{.status = 403, .body = JSON_ERROR("RequestTimeTooSkewed", "")}}, 1,
		SWP_OUTCOME_FAILED, SWP_REASON_SERVICE_UNAVAILABLE, "RequestTimeTooSkewed", 1, 0},
};

static void each_scenario(void **state)
{
	static const struct swp_gone_rule gone[] = {{"ValidationException", "could not find"}};

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(scenarios); i++) {
		const struct scenario *scenario = &scenarios[i];
		struct swp_call_request request;
		struct bench bench;
		struct asked asked;

		bench_start(&bench, scenario->steps, scenario->count, 0);
		request = request_of(&bench);
		request.gone = gone;
		request.gone_count = 1;
		ask(&bench, &request, &asked);
		if (asked.answer.outcome != scenario->outcome || asked.answer.reason != scenario->reason ||
			asked.answer.tries != scenario->tries ||
			asked.answer.throttled != scenario->throttled ||
			strcmp(asked.code, scenario->code) != 0)
			fail_msg("%s: outcome %d, reason %s, tries %u (%u throttled), code '%s' (%s)",
				scenario->name, (int)asked.answer.outcome,
				swp_reason_name(asked.answer.reason), asked.answer.tries,
				asked.answer.throttled, asked.code, asked.message);
		assert_int_equal(scripted_server_requests(bench.server), scenario->tries);
		assert_true((asked.document != NULL) == (scenario->outcome == SWP_OUTCOME_OK));
		assert_false(asked.answer.host_not_found);
		bench_stop(&bench);
	}
}

static void attempts_share_one_id(void **state)
{
	static const struct scripted_step steps[] = {{.status = 500}, {.status = 500}, {.body = GOOD}};
	struct bench bench;
	struct asked asked;
	struct swp_call_request request;
	char first[600];

	(void)state;
	bench_start(&bench, steps, 3, 0);
	request = request_of(&bench);
	ask(&bench, &request, &asked);
	snprintf(first, sizeof(first), "%s",
		header_of(scripted_server_request(bench.server, 0), "amz-sdk-invocation-id"));
	assert_string_equal(
		header_of(scripted_server_request(bench.server, 2), "amz-sdk-invocation-id"), first);
	assert_string_equal(
		header_of(scripted_server_request(bench.server, 2), "amz-sdk-request"), "attempt=3; max=8");
	bench_stop(&bench);
}

/* AWS quotes what it would have signed, and may be cut off in the middle of it. */
static void a_message_that_quotes_secrets(void **state)
{
	static const struct {
		const char *message, *kept;
	} rows[] = {
		{"The Canonical String should have been "
		 "'POST\\n/\\nx-amz-security-token:IQoJb3JpZ2luX2VjEMARKERMARKER\\n'",
			"The Canonical String should have been 'POST\n/\nx-amz-security-token:(withheld: it "
			"repeats a "
			"secret)"},
		{"token IQoJb3JpZ2luX2Vj", "token (withheld: it repeats a secret)"},
		{"key ASIAMARKERMARKER0000 is not", "key (withheld: it repeats a secret)"},
		{"secret wJalrMARKERMARKERMARKERMARKERMARKERMARKER",
			"secret (withheld: it repeats a secret)"},
		{"the user test may not", "the user test may not"},
	};

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		char body[512];
		const struct scripted_step steps[] = {{.status = 403, .body = body}};
		struct bench bench;
		struct asked asked;
		struct swp_call_request request;

		snprintf(body, sizeof(body), "{\"__type\":\"SignatureDoesNotMatch\",\"message\":\"%s\"}",
			rows[i].message);
		bench_start(&bench, steps, 1, 0);
		assert_int_equal(swp_secret_set_text(&bench.token, "IQoJb3JpZ2luX2VjEMARKERMARKER"), 0);
		assert_int_equal(
			swp_secret_set_text(&bench.secret, "wJalrMARKERMARKERMARKERMARKERMARKERMARKER"), 0);
		bench.identity.access_key_id = i + 1 < SWP_ARRAY_SIZE(rows) ? "ASIAMARKERMARKER0000" : "test";
		request = request_of(&bench);
		ask(&bench, &request, &asked);
		assert_string_equal(asked.code, "SignatureDoesNotMatch");
		assert_string_equal(asked.message, rows[i].kept);
		bench_stop(&bench);
	}
}

/* --- clocks --- */

/* AWS's clock, or ours, is set while a call goes on: what was corrected is wrong again, a few times at most. */
static void skew_that_changes_is_corrected_again(void **state)
{
	static char dates[5][80];
	struct scripted_step steps[6];
	struct bench bench;
	struct asked asked;
	struct swp_call_request request;
	time_t now = (time_t)(swp_clock_wall_ms(swp_clock_system()) / 1000);

	(void)state;
	for (unsigned jumps = 2; jumps <= 5; jumps++) {
		for (unsigned i = 0; i < jumps; i++) {
			time_t told = now + (i % 2 ? 1200 : 0);
			struct tm parts;

			gmtime_r(&told, &parts);
			strftime(dates[i], sizeof(dates[i]), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts);
			steps[i] = (struct scripted_step){.status = 403,
				.headers = dates[i],
				.body = JSON_ERROR("InvalidSignatureException", "Signature expired")};
		}
		steps[jumps] = (struct scripted_step){.body = GOOD};
		bench_start(&bench, steps, jumps + 1, 0);
		wall_offset_ms = -3 * 86400000LL;
		request = request_of(&bench);
		ask(&bench, &request, &asked);
		assert_int_equal(asked.answer.outcome, jumps <= 3 ? SWP_OUTCOME_OK : SWP_OUTCOME_FAILED);
		assert_int_equal(asked.answer.tries, jumps <= 3 ? jumps + 1 : 4);
		bench_stop(&bench);
	}
}

static void skew_is_corrected_once(void **state)
{
	static char date[80];
	static struct scripted_step steps[] = {
		{.status = 403,
			.headers = date,
			.body = JSON_ERROR("InvalidSignatureException", "Signature expired")},
		{.body = GOOD}};
	struct bench bench;
	struct asked asked;
	struct swp_call_request request;
	time_t now = (time_t)(swp_clock_wall_ms(swp_clock_system()) / 1000);
	struct tm parts;
	char day[16];

	(void)state;
	gmtime_r(&now, &parts);
	strftime(date, sizeof(date), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts);
	strftime(day, sizeof(day), "%Y%m%d", &parts);
	bench_start(&bench, steps, 2, 0);
	wall_offset_ms = -3 * 86400000LL; /* our clock is three days behind */
	request = request_of(&bench);
	ask(&bench, &request, &asked);
	assert_int_equal(asked.answer.outcome, SWP_OUTCOME_OK);
	assert_int_equal(asked.answer.tries, 2);
	assert_memory_not_equal(header_of(scripted_server_request(bench.server, 0), "X-Amz-Date"), day, 8);
	assert_memory_equal(header_of(scripted_server_request(bench.server, 1), "X-Amz-Date"), day, 8);
	ask(&bench, &request, &asked); /* remembered for that host */
	assert_int_equal(asked.answer.tries, 1);
	assert_memory_equal(header_of(scripted_server_request(bench.server, 2), "X-Amz-Date"), day, 8);
	bench_stop(&bench);

	steps[1] = steps[0]; /* corrected, and still not believed: our key is wrong, not our clock */
	bench_start(&bench, steps, 2, 0);
	wall_offset_ms = 3600000;
	request = request_of(&bench);
	ask(&bench, &request, &asked);
	assert_int_equal(asked.answer.outcome, SWP_OUTCOME_FAILED);
	assert_int_equal(asked.answer.reason, SWP_REASON_SERVICE_UNAVAILABLE);
	assert_int_equal(asked.answer.tries, 2);
	bench_stop(&bench);
}

static void derived_keys_only(void **state)
{
	static const struct scripted_step steps[] = {{.body = GOOD}};
	struct swp_signing_key keys[2];
	struct bench bench;
	struct asked asked;
	struct swp_call_request request;
	char today[SWP_TIME_TEXT_BYTES];

	(void)state;
	bench_start(&bench, steps, 1, 0);
	swp_time_format_basic(test_wall(NULL), today);
	today[8] = '\0';
	assert_int_equal(
		swp_signing_key_derive(&bench.secret, "20000101", "eu-west-1", "sagemaker", &keys[0]), 0);
	assert_int_equal(swp_signing_key_derive(&bench.secret, today, "eu-west-1", "sagemaker", &keys[1]), 0);
	bench.identity.secret_access_key = NULL;
	bench.identity.keys = keys;
	bench.identity.key_count = 2;
	request = request_of(&bench);
	ask(&bench, &request, &asked);
	assert_int_equal(asked.answer.outcome, SWP_OUTCOME_OK);
	memcpy(keys[0].region, "eu-west-2", 10); /* and none of this region */
	bench.identity.key_count = 1;
	ask(&bench, &request, &asked);
	assert_int_equal(asked.answer.outcome, SWP_OUTCOME_EXPIRED);
	assert_int_equal(asked.answer.reason, SWP_REASON_CREDENTIALS_EXPIRED);
	assert_string_equal(asked.code, "NoSigningKey");
	assert_int_equal(scripted_server_requests(bench.server), 1);
	bench_stop(&bench);
}

/* Wall time of that moment of the test's clock. */
static void set_wall(const char *text)
{
	int64_t wanted_ms;

	assert_int_equal(swp_time_parse(text, &wanted_ms), 0);
	wall_offset_ms = wanted_ms - swp_clock_wall_ms(swp_clock_system());
}

/* A worker's clock and the coordinator's, which made the keys, see midnight at different moments. */
static void keys_of_another_day(void **state)
{
	static const struct scripted_step steps[] = {{.body = GOOD}, {.body = GOOD},
		{.status = 403,
			.headers = "Date: Thu, 26 Nov 2026 23:50:00 GMT\r\n",
			.body = JSON_ERROR("RequestTimeTooSkewed", "no")},
		{.body = GOOD}};
	struct swp_signing_key keys[2];
	struct bench bench;
	struct asked asked;
	struct swp_call_request request;

	(void)state;
	bench_start(&bench, steps, SWP_ARRAY_SIZE(steps), 0);
	assert_int_equal(
		swp_signing_key_derive(&bench.secret, "20261126", "eu-west-1", "sagemaker", &keys[0]), 0);
	assert_int_equal(
		swp_signing_key_derive(&bench.secret, "20261127", "eu-west-1", "sagemaker", &keys[1]), 0);
	bench.identity.secret_access_key = NULL;
	bench.identity.keys = keys;
	bench.identity.key_count = 2;
	request = request_of(&bench);
	set_wall("2026-11-25T23:59:58Z"); /* behind: signed as at the day's first moment */
	ask(&bench, &request, &asked);
	assert_memory_equal(
		header_of(scripted_server_request(bench.server, 0), "X-Amz-Date"), "20261126T000000Z", 16);
	set_wall("2026-11-28T00:00:02Z"); /* ahead: at its last */
	ask(&bench, &request, &asked);
	assert_memory_equal(
		header_of(scripted_server_request(bench.server, 1), "X-Amz-Date"), "20261127T235959Z", 16);
	set_wall("2026-11-29T10:00:00Z"); /* wrong by days: AWS is asked what time it is */
	ask(&bench, &request, &asked);
	assert_memory_equal(
		header_of(scripted_server_request(bench.server, 2), "X-Amz-Date"), "20261127T235959Z", 16);
	assert_memory_equal(
		header_of(scripted_server_request(bench.server, 3), "X-Amz-Date"), "20261126T235", 12);
	assert_int_equal(asked.answer.outcome, SWP_OUTCOME_OK);
	assert_true(swp_caller_clock_offset_ms(bench.caller) < -48 * 3600000LL);
	wall_offset_ms -= 24 * 3600000LL; /* AWS's time is known, and no key is of its day */
	ask(&bench, &request, &asked);
	assert_string_equal(asked.code, "NoSigningKey");
	bench_stop(&bench);
}

/* --- deadlines --- */

static void deadline_of_the_call(void **state)
{
	static const struct scripted_step hangs[] = {{.kind = SCRIPTED_HANG}};
	static const struct scripted_step waits[] = {
		{.status = 503, .headers = "x-amz-retry-after: 4000\r\n"}};
	struct bench bench;
	struct asked asked;
	struct swp_call_request request;

	(void)state;
	bench_start(&bench, hangs, 1, 0);
	request = request_of(&bench);
	request.deadline_ms = 300;
	ask(&bench, &request, &asked);
	assert_int_equal(asked.answer.outcome, SWP_OUTCOME_TRANSIENT);
	assert_int_equal(asked.answer.reason, SWP_REASON_TIMEOUT);
	assert_string_equal(asked.code, "Timeout");
	bench_stop(&bench);

	bench_start(
		&bench, waits, 1, 0); /* the next wait would cross the deadline: what was said last stands */
	request = request_of(&bench);
	request.deadline_ms = 1000;
	ask(&bench, &request, &asked);
	assert_int_equal(asked.answer.reason, SWP_REASON_SERVICE_UNAVAILABLE);
	assert_int_equal(asked.answer.tries, 1);
	bench_stop(&bench);
}

/* --- admission --- */

/* Jitter is 0 here, so that a wait is the server's wish: at most 5 s, and the call's deadline ends what would wait longer. */
static void what_the_server_wishes(void **state)
{
	static const struct {
		const char *headers;
		bool waits; /* too long for this call's deadline */
	} rows[] = {
		{"x-amz-retry-after: 4000\r\n", true},
		{"x-amz-retry-after: 99999999999999999999\r\n", true}, /* much is not nothing */
		{"Retry-After: 4\r\n", true},
		{"Retry-After: 4\r\nx-amz-retry-after: 10\r\n", false}, /* AWS's own counts */
		{"x-amz-retry-after: -5\r\n", false},
		{"x-amz-retry-after: soon\r\n", false},
		{"Retry-After: Fri, 27 Nov 2026 08:00:00 GMT\r\n", false},
		{"", false},
	};

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		const struct scripted_step steps[] = {
			{.status = 503, .headers = rows[i].headers}, {.body = GOOD}};
		struct bench bench;
		struct asked asked;
		struct swp_call_request request;

		bench_start(&bench, steps, 2, 0);
		request = request_of(&bench);
		request.deadline_ms = 3000;
		ask(&bench, &request, &asked);
		if (asked.answer.tries != (rows[i].waits ? 1u : 2u))
			fail_msg("'%s': %u tries", rows[i].headers, asked.answer.tries);
		bench_stop(&bench);
	}
}

static void limiter_keeps_the_order(void **state)
{
	static const struct scripted_step steps[] = {{.body = GOOD}};
	enum { CALLS = 26 };
	struct bench bench;
	struct asked asked[CALLS];
	struct swp_call_scope scope = {.ready = false};
	struct swp_call_request request;
	struct swp_caller_statistics statistics;
	int64_t began;

	(void)state;
	answers = 0;
	bench_start(&bench, steps, 1, 1); /* one place: answers come in the order of sending */
	request = request_of(&bench);
	request.scope = &scope;
	began = test_monotonic(NULL);
	for (int i = 0; i < CALLS; i++)
		start(&bench, &request, &asked[i]);
	swp_caller_statistics_get(bench.caller, &statistics);
	assert_int_equal(statistics.in_flight, 1);
	assert_int_equal(statistics.waiting, CALLS - 1);
	for (int i = 0; i < CALLS; i++) {
		wait_for(&bench, &asked[i].done);
		json_decref(asked[i].document);
		assert_int_equal(asked[i].order, i);
	}
	/* 20 at once, then half of 20 a second: the last comes after 0.6 s. */
	assert_in_range(test_monotonic(NULL) - began, 500, 3000);
	assert_int_equal(scope.waits, CALLS - 20);
	swp_caller_statistics_get(bench.caller, &statistics);
	assert_int_equal(statistics.limiter_waits, CALLS - 20);
	/* One after the other, a tenth of a second apart: 0.1 + 0.2 + … + 0.6 s together. */
	assert_in_range(statistics.limiter_wait_ms, 1800, 6 * 3000);
	assert_int_equal(statistics.waiting, 0);
	assert_int_equal(statistics.calls, CALLS);
	bench_stop(&bench);
}

static void a_waiting_scope_keeps_nobody_waiting(void **state)
{
	static const struct scripted_step steps[] = {{.body = GOOD}};
	struct bench bench;
	struct asked slow, fast;
	struct swp_call_scope dry = {.ready = false}, fresh = {.ready = false};
	struct swp_call_request request;

	(void)state;
	bench_start(&bench, steps, 1, 1);
	request = request_of(&bench);
	request.scope = &dry;
	ask(&bench, &request, &fast);
	dry.limiter.tokens = -20; /* it will wait for two seconds */
	start(&bench, &request, &slow);
	request.scope = &fresh;
	ask(&bench, &request, &fast);
	assert_int_equal(fast.answer.outcome, SWP_OUTCOME_OK);
	assert_false(slow.done);
	swp_call_cancel(&slow.call);
	bench_stop(&bench);
}

static void cancelling_in_every_state(void **state)
{
	static const struct scripted_step steps[] = {{.body = GOOD},
		{.status = 503, .headers = "x-amz-retry-after: 3000\r\n"}, {.kind = SCRIPTED_HANG}};
	struct bench bench;
	struct asked first, pausing, sending, placeless, limited, behind, idle = {.done = false};
	struct swp_call_scope scope = {.ready = false};
	struct swp_call_request request;
	struct swp_caller_statistics statistics;

	(void)state;
	bench_start(&bench, steps, 3, 1);
	request = request_of(&bench);
	request.scope = &scope;
	ask(&bench, &request, &first);
	start(&bench, &request, &pausing);
	for (int i = 0; i < 100 && scripted_server_requests(bench.server) < 2; i++)
		swp_loop_step(bench.loop, 20);
	for (int i = 0; i < 10; i++)
		swp_loop_step(bench.loop, 10);
	start(&bench, &request, &sending);
	start(&bench, &request, &placeless);
	scope.limiter.tokens = -100;
	start(&bench, &request, &limited);
	start(&bench, &request, &behind);
	swp_caller_statistics_get(bench.caller, &statistics);
	assert_int_equal(statistics.in_flight, 1);
	assert_int_equal(statistics.waiting, 3);
	swp_call_cancel(&limited.call); /* the first of the queue: the next one gets its timer */
	swp_call_cancel(&pausing.call);
	swp_call_cancel(&sending.call); /* its place goes to the one that waits */
	swp_caller_statistics_get(bench.caller, &statistics);
	assert_int_equal(statistics.in_flight, 1);
	assert_int_equal(statistics.waiting, 1);
	swp_call_cancel(&placeless.call);
	swp_call_cancel(&behind.call);
	swp_call_cancel(&behind.call);
	swp_call_cancel(&idle.call);
	swp_caller_statistics_get(bench.caller, &statistics);
	assert_int_equal(statistics.in_flight, 0);
	assert_int_equal(statistics.waiting, 0);
	assert_null(scope.queue_first);
	start(&bench, &request, &sending); /* freed with one waiting for its limiter */
	bench_stop(&bench);
	assert_false(sending.done || pausing.done || placeless.done || limited.done || behind.done);
}

static void cancelling_from_a_call_back(void **state)
{
	static const struct scripted_step steps[] = {{.body = GOOD}};
	struct bench bench;
	struct asked first, second;
	struct swp_call_request request;

	(void)state;
	bench_start(&bench, steps, 1, 1);
	request = request_of(&bench);
	start(&bench, &request, &first);
	start(&bench, &request, &second);
	first.to_cancel = &second;
	wait_for(&bench, &first.done);
	json_decref(first.document);
	for (int i = 0; i < 5; i++)
		swp_loop_step(bench.loop, 10);
	assert_false(second.done);
	assert_int_equal(scripted_server_requests(bench.server), 1);
	bench_stop(&bench);
}

/* --- what cannot be sent --- */

static void refused_at_the_start(void **state)
{
	static const struct scripted_step steps[] = {{.body = GOOD}};
	struct bench bench;
	struct asked asked = {.done = false};
	struct swp_call_request request;

	(void)state;
	bench_start(&bench, steps, 1, 0);
	request = request_of(&bench);
	request.operation = &bucket_operation; /* needs a bucket */
	assert_int_equal(swp_call_start(bench.caller, &request, &asked.call, on_answer), -EINVAL);
	request = request_of(&bench);
	request.region = "not/a/region";
	assert_int_equal(swp_call_start(bench.caller, &request, &asked.call, on_answer), -EINVAL);
	swp_caller_set_partition(bench.caller, NULL);
	request.region = "eu-west-1";
	assert_int_equal(swp_call_start(bench.caller, &request, &asked.call, on_answer), -EINVAL);
	assert_null(asked.call.internal);
	bench_stop(&bench);
}

static void host_that_does_not_exist(void **state)
{
	static const struct scripted_step steps[] = {{.body = GOOD}};
	static const struct swp_aws_service nowhere = {.name = "nowhere",
		.protocol = SWP_PROTOCOL_JSON_1_1,
		.target_prefix = "N",
		.signing_name = "n",
		/* a label is too long: the resolver refuses the name itself, and asks nobody (who may not answer here) */
		.endpoint_prefix =
			"no-such-service-no-such-service-no-such-service-no-such-service-no-such-service"};
	static const struct swp_aws_operation operation = {
		.service = &nowhere, .name = "List", .method = "POST", .uri = "/"};
	struct swp_endpoint_options none = {.row_count = 0}, fips = {.fips = true};
	struct swp_caller_options options = {
		.endpoints = &none, .partition = swp_partition_by_name("aws-iso-e")};
	struct swp_caller *plain, *variant;
	struct bench bench;
	struct asked asked;
	struct swp_call_request request;

	(void)state;
	bench_start(&bench, steps, 1, 0);
	options.http = bench.http;
	options.loop = bench.loop;
	plain = swp_caller_new(&options);
	options.endpoints = &fips;
	variant = swp_caller_new(&options);
	request = request_of(&bench);
	request.operation = &operation;
	request.region = "eu-isoe-west-1";
	request.deadline_ms = 20000;
	assert_int_equal(swp_call_start(plain, &request, &asked.call, on_answer), 0);
	asked.done = false;
	asked.to_cancel = NULL;
	wait_for(&bench, &asked.done);
	assert_string_equal(asked.code, "ResolverError");
	assert_true(asked.answer.host_not_found);
	assert_int_equal(asked.answer.reason, SWP_REASON_SERVICE_UNAVAILABLE);
	asked.done = false;
	assert_int_equal(swp_call_start(plain, &request, &asked.call, on_answer), 0);
	assert_false(asked.done);
	wait_for(&bench, &asked.done); /* remembered: not asked for again */
	assert_int_equal(asked.answer.tries, 0);
	assert_true(asked.answer.host_not_found);
	asked.done = false;
	assert_int_equal(swp_call_start(variant, &request, &asked.call, on_answer), 0);
	wait_for(&bench, &asked.done);
	assert_string_equal(asked.code, "ResolverError");
	assert_false(asked.answer.host_not_found); /* FIPS names exist in few regions: it means nothing */
	swp_caller_free(plain);
	swp_caller_free(variant);
	swp_caller_free(NULL);
	bench_stop(&bench);
}

static void no_such_variant(void **state)
{
	static const struct scripted_step steps[] = {{.body = GOOD}};
	struct swp_endpoint_options fips = {.fips = true};
	struct swp_caller_options options = {
		.endpoints = &fips, .partition = swp_partition_by_name("aws-cn")};
	struct swp_caller *caller;
	struct bench bench;
	struct asked asked = {.done = false};
	struct swp_call_request request;
	json_t *input = json_loads("{\"Bucket\":\"b\"}", 0, NULL);

	(void)state;
	bench_start(&bench, steps, 1, 0);
	options.http = bench.http;
	options.loop = bench.loop;
	caller = swp_caller_new(&options);
	request = request_of(&bench);
	request.operation = &bucket_operation;
	request.input = input;
	request.region = "cn-north-1";
	assert_int_equal(swp_call_start(caller, &request, &asked.call, on_answer), 0);
	assert_false(asked.done);
	wait_for(&bench, &asked.done);
	assert_string_equal(asked.code, "NoSuchEndpoint");
	assert_int_equal(asked.answer.reason, SWP_REASON_SERVICE_UNAVAILABLE);
	swp_caller_free(caller);
	json_decref(input);
	bench_stop(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_good_call),
		cmocka_unit_test(s3_and_anonymous),
		cmocka_unit_test(each_scenario),
		cmocka_unit_test(attempts_share_one_id),
		cmocka_unit_test(skew_is_corrected_once),
		cmocka_unit_test(skew_that_changes_is_corrected_again),
		cmocka_unit_test(a_message_that_quotes_secrets),
		cmocka_unit_test(derived_keys_only),
		cmocka_unit_test(keys_of_another_day),
		cmocka_unit_test(deadline_of_the_call),
		cmocka_unit_test(what_the_server_wishes),
		cmocka_unit_test(limiter_keeps_the_order),
		cmocka_unit_test(a_waiting_scope_keeps_nobody_waiting),
		cmocka_unit_test(cancelling_in_every_state),
		cmocka_unit_test(cancelling_from_a_call_back),
		cmocka_unit_test(refused_at_the_start),
		cmocka_unit_test(host_that_does_not_exist),
		cmocka_unit_test(no_such_variant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
