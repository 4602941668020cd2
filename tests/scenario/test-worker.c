/* The worker's logic against a scripted world. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checks/evaluation.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/base/limits.h"
#include "proto/base/log.h"
#include "proto/record/keys.h"
#include "proto/record/scripts.h"
#include "tests/scenario/worker-stage.h"

#define SECOND 1000
#define MINUTE (60 * SECOND)

static void answer_list(const char *body)
{
	player_answer((struct player_answer){.host = STAGE_HOST, .call = "ListThings", .body = body});
}

static void answer_describe(const char *body)
{
	player_answer((struct player_answer){.host = STAGE_HOST, .call = "DescribeThing", .body = body});
}

static void refuse(const char *call, const char *type, unsigned times)
{
	player_answer((struct player_answer){.call = call,
		.status = 400,
		.error_type = type,
		.times = times,
		.body = "{\"message\": \"said by the script\"}"});
}

/* --- the plain way --- */

static void finding(void)
{
	struct stage_record record;

	stage_open("a finding");
	answer_list(ONE_THING);
	answer_describe(OPEN_THING);
	stage_job(1, NULL);
	player_advance(5 * SECOND);
	stage_expect_done(1, 1, SWP_DONE_SEALED);
	stage_expect_cell(STAGE_REGION, SWP_STATUS_FAIL, SWP_REASON_NONE);
	record = stage_record(STAGE_REGION);
	stage_check(record.rows[SWP_STATUS_FAIL] == 1 && record.parts == 1 && record.calls == 2,
		"one finding, one part, two calls");
	stage_check(player_store_commands() == 1, "a small job is one round trip");
	stage_expect_metric("aws_calls_total{service=\"things\",outcome=\"ok\"}", 2);
	stage_expect_metric("aws_calls_total{service=\"things\",outcome=\"refused\"}", 0);
	stage_expect_metric("aws_requests_total{service=\"things\"}", 2);
	stage_expect_metric("aws_retries_total{service=\"things\"}", 0);
	stage_expect_metric("aws_requests_in_flight", 0);
	stage_expect_metric("jobs_total{how=\"sealed\"}", 1);
	stage_expect_metric("jobs_in_hand", 0);
	stage_expect_metric("job_duration_seconds_count", 1);
	stage_expect_metric("commits_total{result=\"taken\"}", 1);
	stage_expect_metric("uncommitted_bytes", 0);
	stage_expect_metric("store_up", 1);
	stage_expect_metric("coordinator_up{coordinator=\"tcp://c1:1\"}", 1);
	stage_expect_ready(NULL);
	stage_close();
}

/* A rest costs new connections: so not between the jobs of a sweep, and not again and again. */
static void resting(void)
{
	stage_open("a worker rests when it has had no jobs for a while");
	player_answer((struct player_answer){.call = "ListThings", .body = "{\"Things\": []}", .times = 2});
	player_advance(2 * SWP_WORKER_REST_MS);
	stage_check(player_rests() == 1, "nothing came after the greeting");
	stage_job(1, NULL);
	player_advance(SWP_WORKER_REST_MS / 2);
	stage_expect_done(1, 1, SWP_DONE_SEALED);
	stage_job(2, "eu-west-2");
	player_advance(SWP_WORKER_REST_MS * 9 / 10);
	stage_expect_done(2, 1, SWP_DONE_SEALED);
	stage_check(player_rests() == 1, "the second job came in time");
	player_advance(SWP_WORKER_REST_MS);
	stage_check(player_rests() == 2, "a rest after the last job");
	player_advance(10 * SWP_WORKER_REST_MS);
	stage_check(player_rests() == 2, "one rest is enough");
	stage_close();
}

static void vanished(void)
{
	stage_open("a thing that is gone when described");
	answer_list(ONE_THING);
	refuse("DescribeThing", "ThingNotFound", 1);
	stage_job(1, NULL);
	player_advance(5 * SECOND);
	stage_expect_done(1, 1, SWP_DONE_SEALED);
	stage_check(stage_record(STAGE_REGION).vanished == 1, "one vanished");
	stage_expect_cell(STAGE_REGION, SWP_STATUS_NOT_APPLICABLE, SWP_REASON_NONE);
	stage_close();
}

static void denied(void)
{
	stage_open("a refusal is an answer");
	refuse("ListThings", "AccessDeniedException", 1);
	refuse("ListBoxes", "AccessDeniedException", PLAYER_ALWAYS); /* the service's probe, if it is made */
	stage_job(1, NULL);
	player_advance(5 * SECOND);
	stage_expect_done(1, 1, SWP_DONE_SEALED);
	stage_expect_cell(STAGE_REGION, SWP_STATUS_NOT_ASSESSED, SWP_REASON_DENIED_IAM);
	stage_expect_metric("aws_calls_total{service=\"things\",outcome=\"refused\"}",
		player_requests("ListThings") + player_requests("ListBoxes"));
	stage_expect_metric("aws_refusals_total{reason=\"denied-iam\"}",
		player_requests("ListThings") + player_requests("ListBoxes"));
	stage_expect_metric("aws_refusals_total{reason=\"denied-scp\"}", 0);
	stage_close();
}

static void global_level(void)
{
	stage_open("an account's global job");
	player_answer((struct player_answer){.host = "roster.us-east-1.amazonaws.com",
		.call = "ListNames",
		.body = "{\"Names\": [{\"Arn\": \"arn:n\", \"State\": \"Wrong\"}]}"});
	stage_job_of_level(1, SWP_LEVEL_GLOBAL);
	player_advance(5 * SECOND);
	stage_expect_done(1, 1, SWP_DONE_SEALED);
	stage_expect_cell(SWP_JOB_GLOBAL, SWP_STATUS_FAIL, SWP_REASON_NONE);
	stage_close();
}

static void organization_level(void)
{
	stage_open("the organization's job has a key of its own");
	player_answer((struct player_answer){
		.host = "roster.us-east-1.amazonaws.com", .call = "ListTeams", .body = "{\"Teams\": []}"});
	stage_job_of_level(1, SWP_LEVEL_ORGANIZATION);
	player_advance(5 * SECOND);
	stage_expect_done(1, 1, SWP_DONE_SEALED);
	stage_expect_cell(SWP_JOB_ORGANIZATION, SWP_STATUS_NOT_APPLICABLE, SWP_REASON_NONE);
	stage_close();
}

/* --- time --- */

static void throttled_to_the_end(void)
{
	struct stage_record record;

	stage_open("throttling until the deadline");
	refuse("ListThings", "ThrottlingException", PLAYER_ALWAYS);
	stage_job(1, NULL);
	player_advance(5 * MINUTE);
	stage_expect_done(1, 1, SWP_DONE_SEALED);
	stage_expect_cell(STAGE_REGION, SWP_STATUS_NOT_ASSESSED, SWP_REASON_THROTTLED);
	record = stage_record(STAGE_REGION);
	stage_check(record.throttled > 1 && record.throttled <= SWP_LIMIT_ATTEMPTS,
		"throttled as often as it was tried");
	stage_expect_metric("aws_calls_total{service=\"things\",outcome=\"throttled\"}", 1);
	stage_expect_metric("aws_throttles_total{service=\"things\"}", (double)record.throttled);
	stage_expect_metric("aws_requests_total{service=\"things\"}", (double)record.calls);
	stage_expect_metric("aws_retries_total{service=\"things\"}", (double)record.calls - 1);
	stage_close();
}

static void throttled_then_fine(void)
{
	stage_open("throttled, then fine");
	refuse("ListThings", "ThrottlingException", 2);
	answer_list("{\"Things\": []}");
	stage_job(1, NULL);
	player_advance(3 * MINUTE);
	stage_expect_done(1, 1, SWP_DONE_SEALED);
	stage_expect_cell(STAGE_REGION, SWP_STATUS_NOT_APPLICABLE, SWP_REASON_NONE);
	stage_expect_metric("aws_calls_total{service=\"things\",outcome=\"ok\"}", 1);
	stage_expect_metric("aws_retries_total{service=\"things\"}", 2);
	stage_expect_metric("aws_throttles_total{service=\"things\"}", 2);
	stage_close();
}

static void never_answered(void)
{
	stage_open("AWS never answers");
	player_answer((struct player_answer){.call = "ListThings", .never = true, .times = PLAYER_ALWAYS});
	stage_job(1, NULL);
	player_advance(10 * MINUTE);
	stage_expect_done(1, 1, SWP_DONE_SEALED);
	stage_expect_cell(STAGE_REGION, SWP_STATUS_NOT_ASSESSED, SWP_REASON_TIMEOUT);
	stage_close();
}

/* What a proxy says is no answer of AWS: the account does not count as swept because of it. */
static void only_a_proxy_answers(void)
{
	static const struct {
		const char *name;
		struct player_answer answer;
		bool answered;
	} rows[] = {
		{"a tunnel refused", {.failure = SWP_HTTP_PROXY, .status = 403}, false},
		{"a page of the proxy", {.status = 403, .body = "<html>Blocked</html>"}, false},
		{"a refusal of AWS",
			{.status = 403,
				.error_type = "AccessDeniedException",
				.body = "{\"message\":\"no\"}"},
			true},
	};

	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		struct player_answer answer = rows[i].answer;

		stage_open(rows[i].name);
		answer.times = PLAYER_ALWAYS;
		player_answer(answer);
		stage_job(1, NULL);
		player_advance(3 * MINUTE);
		stage_expect_done(1, 1, SWP_DONE_SEALED);
		stage_check(stage_record(STAGE_REGION).answered == rows[i].answered, "who has answered");
		stage_close();
	}
}

static void job_deadline(void)
{
	struct swp_message job = {.type = SWP_MESSAGE_JOB,
		.job = {.job = 1,
			.epoch = 1,
			.sweep = STAGE_SWEEP,
			.account = STAGE_ACCOUNT,
			.region = STAGE_REGION,
			.deadline_ms = 20 * SECOND,
			.credentials = {.access_key_id = "A"}}};
	static const char *const arguments[] = {"player", "1", "1"};
	static struct swp_wire_signing_key keys[] = {{"20261122", STAGE_REGION, "things", {NULL, 32}}};
	static char key[] = "0123456789abcdef0123456789abcdef";

	stage_open("a job's own deadline");
	player_answer((struct player_answer){.call = "ListThings", .never = true});
	player_store_script(SWP_SCRIPT_GRANT, stage_key(STAGE_REGION), arguments, 3);
	keys[0].key.bytes = key;
	job.job.credentials.keys = keys;
	job.job.credentials.key_count = 1;
	player_send(0, &job);
	player_advance(19 * SECOND);
	stage_check(!player_has(0, SWP_MESSAGE_DONE), "it waits until the deadline");
	player_advance(2 * SECOND);
	stage_expect_done(1, 1, SWP_DONE_SEALED);
	stage_expect_cell(STAGE_REGION, SWP_STATUS_NOT_ASSESSED, SWP_REASON_TIMEOUT);
	stage_close();
}

/* --- credentials --- */

static void expect_renew(uint64_t number, uint64_t epoch)
{
	struct swp_message renew;

	player_take(0, SWP_MESSAGE_RENEW, &renew);
	stage_check(renew.renew.job == number && renew.renew.epoch == epoch, "RENEW names another job");
	swp_message_done(&renew);
}

static void expired_between_pages(void)
{
	stage_open("expiry between two pages");
	answer_list("{\"Things\": [{\"Arn\": \"arn:1\", \"Name\": \"one\"}], \"NextToken\": \"page2\"}");
	answer_describe(CLOSED_THING);
	player_answer((struct player_answer){.call = "ListThings",
		.body_contains = "page2",
		.status = 400,
		.error_type = "ExpiredTokenException"});
	stage_job(1, NULL);
	player_advance(5 * SECOND);
	expect_renew(1, 1);
	player_answer((struct player_answer){
		.call = "ListThings", .body_contains = "page2", .body = "{\"Things\": []}"});
	stage_credentials(1, 1, 0);
	player_advance(5 * SECOND);
	stage_expect_done(1, 1, SWP_DONE_SEALED);
	stage_expect_cell(STAGE_REGION, SWP_STATUS_PASS, SWP_REASON_NONE);
	stage_check(player_requests("ListThings") == 3, "the first page was kept");
	stage_close();
}

static void expired_twice(void)
{
	stage_open("expired again after the renewal");
	refuse("ListThings", "ExpiredTokenException", 2);
	stage_job(1, NULL);
	player_advance(5 * SECOND);
	expect_renew(1, 1);
	stage_credentials(1, 1, 0);
	player_advance(5 * SECOND);
	stage_expect_done(1, 1, SWP_DONE_SEALED);
	stage_expect_cell(STAGE_REGION, SWP_STATUS_NOT_ASSESSED, SWP_REASON_CREDENTIALS_EXPIRED);
	stage_close();
}

static void renewal_refused(void)
{
	stage_open("the renewal is refused");
	refuse("ListThings", "ExpiredTokenException", 1);
	stage_job(1, NULL);
	player_advance(5 * SECOND);
	expect_renew(1, 1);
	stage_credentials(1, 1, SWP_REASON_ROLE_NOT_ASSUMABLE);
	player_advance(5 * SECOND);
	stage_expect_done(1, 1, SWP_DONE_SEALED);
	stage_expect_cell(STAGE_REGION, SWP_STATUS_NOT_ASSESSED, SWP_REASON_ROLE_NOT_ASSUMABLE);
	stage_close();
}

static void renewal_never_comes(void)
{
	stage_open("no answer to the renewal");
	refuse("ListThings", "ExpiredTokenException", 1);
	stage_job(1, NULL);
	player_advance(20 * SECOND);
	expect_renew(1, 1);
	player_ignore(SWP_MESSAGE_RENEW, true); /* it may be asked again from time to time */
	player_advance(6 * MINUTE);
	stage_expect_done(1, 1, SWP_DONE_SEALED);
	stage_expect_cell(STAGE_REGION, SWP_STATUS_NOT_ASSESSED, SWP_REASON_CREDENTIALS_EXPIRED);
	stage_close();
}

/* Whoever was asked did not come to answer it, or the answer was lost: it is asked again, also of credentials that seem to last. */
static void renewal_answered_when_asked_again(int64_t expires_in_ms)
{
	static const char *const arguments[] = {"player", "1", "1"};

	stage_open("the answer to a renewal is lost");
	refuse("ListThings", "ExpiredTokenException", 1);
	player_store_script(SWP_SCRIPT_GRANT, stage_key(STAGE_REGION), arguments, 3);
	stage_job_with(0, 1, 1, STAGE_REGION, expires_in_ms);
	player_advance(5 * SECOND);
	expect_renew(1, 1);
	player_advance(SWP_RENEW_AGAIN_MS - 10 * SECOND);
	stage_check(!player_has(0, SWP_MESSAGE_RENEW), "not at once");
	player_advance(10 * SECOND);
	expect_renew(1, 1);
	answer_list("{\"Things\": []}");
	stage_credentials(1, 1, 0);
	player_advance(5 * SECOND);
	stage_expect_done(1, 1, SWP_DONE_SEALED);
	stage_close();
}

static void renewal_is_asked_again(void)
{
	renewal_answered_when_asked_again(3600000);
	renewal_answered_when_asked_again(-1);
}

static void renewed_ahead(void)
{
	static const char *const arguments[] = {"player", "1", "1"};

	stage_open("renewed before the end");
	player_answer((struct player_answer){.call = "ListThings", .never = true, .times = PLAYER_ALWAYS});
	player_store_script(SWP_SCRIPT_GRANT, stage_key(STAGE_REGION), arguments, 3);
	stage_job_with(0, 1, 1, STAGE_REGION, SWP_RENEW_BEFORE_MS + 2 * SECOND);
	player_advance(SECOND);
	stage_check(!player_has(0, SWP_MESSAGE_RENEW), "it is not asked too early");
	player_advance(2 * SECOND);
	expect_renew(1, 1);
	stage_cancel(1, 1, false);
	stage_close();
}

/* A call of the second session waits for its next try while credentials come that have no second session. */
static void renewed_with_fewer_sessions(void)
{
	static const char *const arguments[] = {"player", "1", "1"};

	stage_open("renewed with fewer sessions");
	stage_sessions(2);
	player_answer((struct player_answer){
		.call = "ListThings", .status = 503, .error_type = "Unavailable", .times = PLAYER_ALWAYS});
	player_store_script(SWP_SCRIPT_GRANT, stage_key(STAGE_REGION), arguments, 3);
	stage_job_with(0, 1, 1, STAGE_REGION, SWP_RENEW_BEFORE_MS + 10);
	player_advance(20);
	expect_renew(1, 1);
	stage_sessions(1);
	stage_credentials(1, 1, 0);
	player_advance(MINUTE);
	stage_expect_done(1, 1, SWP_DONE_SEALED);
	stage_close();
}

/* --- regions and services that are not there --- */

static void answer_identity(const char *type)
{
	player_answer((struct player_answer){.host = STAGE_STS,
		.call = "GetCallerIdentity",
		.status = type ? 403 : 200,
		.body = type ? "<ErrorResponse><Error><Code>InvalidClientTokenId</Code><Message>unknown</"
			       "Message></Error></ErrorResponse>"
			     : "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:sts::1:"
			       "assumed-role/a/b</Arn>"
			       "</GetCallerIdentityResult></GetCallerIdentityResponse>"});
}

static void region_disabled(void)
{
	stage_open("the region is disabled");
	refuse("ListThings", "UnrecognizedClientException", 1);
	answer_identity("InvalidClientTokenId");
	stage_job(1, NULL);
	player_advance(5 * SECOND);
	stage_expect_done(1, 1, SWP_DONE_SEALED);
	stage_expect_cell(STAGE_REGION, SWP_STATUS_NOT_ASSESSED, SWP_REASON_REGION_DISABLED);
	stage_close();
}

static void region_enabled(void)
{
	stage_open("the region knows the credentials, the service does not");
	refuse("ListThings", "UnrecognizedClientException", 1);
	answer_identity(NULL);
	stage_job(1, NULL);
	player_advance(5 * SECOND);
	stage_expect_done(1, 1, SWP_DONE_SEALED);
	stage_expect_cell(STAGE_REGION, SWP_STATUS_NOT_ASSESSED, SWP_REASON_SERVICE_UNAVAILABLE);
	stage_close();
}

/* eu-central-1 is not in the service's region table. */
static void no_such_host(const char *scenario, const char *region, int service_exists, int region_exists,
	unsigned status, unsigned reason)
{
	char host[64], sts[64];

	snprintf(host, sizeof(host), "things.%s.amazonaws.com", region);
	snprintf(sts, sizeof(sts), "sts.%s.amazonaws.com", region);
	stage_open(scenario);
	player_answer(
		(struct player_answer){.host = host, .failure = SWP_HTTP_RESOLVE, .times = PLAYER_ALWAYS});
	player_host(host, service_exists);
	player_host(sts, region_exists);
	stage_job(1, region);
	player_advance(3 * MINUTE);
	stage_expect_done(1, 1, SWP_DONE_SEALED);
	stage_expect_cell(region, status, reason);
}

static void not_offered(void)
{
	no_such_host("not offered", "eu-central-1", 0, 1, SWP_STATUS_NOT_APPLICABLE, SWP_REASON_NONE);
	stage_check(
		stage_record("eu-central-1").not_applicable == SWP_NOT_APPLICABLE_NOT_OFFERED, "not-offered");
	stage_close();
}

static void resolver_fails(void)
{
	no_such_host("no name exists: the resolver fails", "eu-central-1", 0, 0, SWP_STATUS_NOT_ASSESSED,
		SWP_REASON_SERVICE_UNAVAILABLE);
	stage_close();
}

static void listed_but_no_host(void)
{
	no_such_host("listed, but its name does not exist", "eu-west-1", 0, 1, SWP_STATUS_NOT_ASSESSED,
		SWP_REASON_SERVICE_UNAVAILABLE);
	stage_close();
}

static void proxy_hides_names(void)
{
	stage_open("never concluded through a proxy");
	player_proxy(true);
	player_answer((struct player_answer){.failure = SWP_HTTP_RESOLVE, .times = PLAYER_ALWAYS});
	player_host("things.eu-central-1.amazonaws.com", 0);
	stage_job(1, "eu-central-1");
	player_advance(3 * MINUTE);
	stage_expect_done(1, 1, SWP_DONE_SEALED);
	stage_expect_cell("eu-central-1", SWP_STATUS_NOT_ASSESSED, SWP_REASON_SERVICE_UNAVAILABLE);
	stage_close();
}

/* --- the store --- */

static void plain_answers(void)
{
	answer_list(ONE_THING);
	answer_describe(OPEN_THING);
}

static void lost_reply(void)
{
	stage_open("the seal's reply is lost though it was carried out");
	plain_answers();
	player_store_lose_replies(1, true);
	stage_job(1, NULL);
	player_advance(5 * SECOND);
	stage_expect_done(1, 1, SWP_DONE_DUPLICATE);
	stage_expect_cell(STAGE_REGION, SWP_STATUS_FAIL, SWP_REASON_NONE);
	stage_expect_metric("jobs_total{how=\"duplicate\"}", 1);
	stage_expect_metric("job_duration_seconds_count", 0);
	stage_expect_metric("commits_total{result=\"lost\"}", 1);
	stage_close();
}

static void lost_request(void)
{
	stage_open("the seal never reached the store");
	plain_answers();
	player_store_lose_replies(2, false);
	stage_job(1, NULL);
	player_advance(5 * SECOND);
	stage_expect_done(1, 1, SWP_DONE_SEALED);
	stage_close();
}

static void store_error(void)
{
	stage_open("the store is out of memory for a while");
	plain_answers();
	player_store_error("OOM command not allowed when used memory > 'maxmemory'.");
	stage_job(1, NULL);
	player_advance(5 * SECOND);
	stage_expect_done(1, 1, SWP_DONE_SEALED);
	stage_expect_metric("commits_total{result=\"error\"}", 1);
	stage_expect_metric("commits_total{result=\"taken\"}", 1);
	stage_close();
}

static void expect_give_back(uint64_t number, enum swp_give_back_why why)
{
	struct swp_message message;

	player_take(0, SWP_MESSAGE_GIVE_BACK, &message);
	if (message.give_back.job != number || message.give_back.why != (uint64_t)why)
		player_fail("job %" PRIu64 " is given back for %" PRIu64, message.give_back.job,
			message.give_back.why);
	swp_message_done(&message);
}

static void store_away(void)
{
	struct swp_message heartbeat;
	bool away = false;

	stage_open("the store is away and comes back");
	player_store_away("connection refused");
	plain_answers();
	stage_job(1, NULL);
	player_advance(4 * SECOND);
	stage_check(!player_has(0, SWP_MESSAGE_DONE), "not done before the seal");
	stage_check(!stage_record(STAGE_REGION).sealed, "nothing was written");
	stage_expect_metric("store_up", 0);
	stage_expect_ready("the store is away");
	do {
		player_take(0, SWP_MESSAGE_HEARTBEAT, &heartbeat);
		away = heartbeat.heartbeat.store_away && heartbeat.heartbeat.job_count == 1;
		swp_message_done(&heartbeat);
	} while (player_has(0, SWP_MESSAGE_HEARTBEAT));
	stage_check(away, "its heartbeat says that the store is away, and still names the job");
	player_store_back(false);
	player_advance(SECOND);
	stage_expect_done(1, 1, SWP_DONE_SEALED);
	stage_expect_metric("store_up", 1);
	stage_expect_metric("store_reconnects_total", 1);
	stage_close();
}

/* The coordinator goes on for so long only when the store is there for it: the way from here is what is broken. */
static void store_out_of_reach(void)
{
	stage_open("the store is away for this worker alone");
	player_store_away("no route");
	plain_answers();
	stage_job(1, NULL);
	player_advance(SWP_STORE_AWAY_MS - MINUTE);
	stage_check(!player_has(0, SWP_MESSAGE_GIVE_BACK), "results are kept for long");
	player_advance(2 * MINUTE);
	expect_give_back(1, SWP_GIVE_BACK_STORE_AWAY);
	stage_job(2, NULL);
	player_settle();
	expect_give_back(2, SWP_GIVE_BACK_STORE_AWAY);
	player_store_back(false);
	player_advance(5 * SECOND);
	plain_answers();
	stage_job(3, NULL);
	player_advance(5 * SECOND);
	stage_expect_done(3, 3, SWP_DONE_SEALED);
	stage_close();
}

static void store_refuses(void)
{
	struct swp_message heartbeat;
	bool away = false;

	stage_open("the store is there and takes nothing");
	player_store_refuse("MISCONF Errors writing to the AOF file: No space left on device");
	plain_answers();
	stage_job(1, NULL);
	player_advance(4 * SECOND);
	while (player_has(0, SWP_MESSAGE_HEARTBEAT)) {
		player_take(0, SWP_MESSAGE_HEARTBEAT, &heartbeat);
		away = heartbeat.heartbeat.store_away;
		swp_message_done(&heartbeat);
	}
	stage_check(away, "its heartbeat says so");
	player_store_refuse(NULL);
	player_advance(20 * SECOND);
	stage_expect_done(1, 1, SWP_DONE_SEALED);
	stage_close();
}

static void late_commit(void)
{
	static const char *const arguments[] = {"another", "1", "1"};

	stage_open("a late commit is stale");
	plain_answers();
	stage_job(1, NULL);
	player_store_script(SWP_SCRIPT_GRANT, stage_key(STAGE_REGION), arguments, 3);
	player_advance(5 * SECOND);
	stage_expect_done(1, 1, SWP_DONE_STALE);
	stage_check(!stage_record(STAGE_REGION).sealed, "the late worker wrote nothing");
	stage_expect_metric("jobs_total{how=\"stale\"}", 1);
	stage_expect_metric("commits_total{result=\"stale\"}", 1);
	stage_expect_metric("committed_bytes_total", 0);
	stage_close();
}

static void big_list(char *body, size_t size, unsigned first, unsigned count, const char *token)
{
	size_t length = (size_t)snprintf(body, size, "{\"Things\": [");

	for (unsigned i = 0; i < count; i++)
		length += (size_t)snprintf(body + length, size - length,
			"%s{\"Arn\": \"arn:%u\", \"Name\": \"n%u\"}", i ? ", " : "", first + i, first + i);
	snprintf(body + length, size - length, "]%s%s%s}", token ? ", \"NextToken\": \"" : "",
		token ? token : "", token ? "\"" : "");
}

/* 1,500 things: a full part goes ahead of the seal. */
static void many_resources(void)
{
	static char pages[3][64 << 10];
	static const char *const tokens[] = {"2", "3", NULL};
	struct stage_record record;

	stage_open("more rows than one part holds");
	for (unsigned i = 0; i < 3; i++) {
		big_list(pages[i], sizeof(pages[i]), 500 * i, 500, tokens[i]);
		answer_list(pages[i]);
	}
	player_answer((struct player_answer){.call = "DescribeThing", .body = OPEN_THING, .times = 1500});
	stage_job(1, NULL);
	player_advance(25 * MINUTE);
	stage_expect_done(1, 1, SWP_DONE_SEALED);
	record = stage_record(STAGE_REGION);
	if (record.parts != 2 || record.rows[SWP_STATUS_FAIL] != 1500)
		player_fail("%u parts, %u failed, %u passed, %u not assessed", record.parts,
			record.rows[SWP_STATUS_FAIL], record.rows[SWP_STATUS_PASS],
			record.rows[SWP_STATUS_NOT_ASSESSED]);
	stage_close();
}

static void part_lost(void)
{
	static char page[128 << 10];
	struct swp_message give_back;

	stage_open("the store lost a part that it had acknowledged");
	big_list(page, sizeof(page), 0, 1100, NULL);
	answer_list(page);
	player_answer((struct player_answer){.call = "DescribeThing", .body = OPEN_THING, .times = 1100});
	stage_job(1, NULL);
	while (!player_store_get(stage_key(STAGE_REGION), "p0", NULL))
		player_advance(SECOND);
	{
		static const char *const none[] = {"player", "0", "1"};

		player_store_script(SWP_SCRIPT_FORGET, stage_key(STAGE_REGION), none, 0);
		player_store_put(stage_key(STAGE_REGION), "e", "1", 1);
	}
	player_advance(15 * MINUTE);
	player_take(0, SWP_MESSAGE_GIVE_BACK, &give_back);
	stage_check(
		give_back.give_back.why == SWP_GIVE_BACK_STORE_AWAY, "given back since the store lost it");
	swp_message_done(&give_back);
	stage_close();
}

static uint64_t uncommitted_bytes(void)
{
	struct swp_message heartbeat;
	uint64_t bytes = 0;

	while (player_has(0, SWP_MESSAGE_HEARTBEAT)) {
		player_take(0, SWP_MESSAGE_HEARTBEAT, &heartbeat);
		bytes = heartbeat.heartbeat.uncommitted_bytes;
		swp_message_done(&heartbeat);
	}
	return bytes;
}

/* 6,000 things with 7,000 bytes of evidence each: more than may be uncommitted. */
static void uncommitted_ceiling(void)
{
	static char pages[6][64 << 10], thing[8 << 10];
	static const char *const tokens[] = {"2", "3", "4", "5", "6", NULL};
	unsigned made;

	stage_open("results pile up while the store is away");
	snprintf(thing, sizeof(thing), "{\"Arn\": \"arn:1\", \"State\": \"Open\", \"Note\": \"%07000d\"}", 0);
	for (unsigned i = 0; i < 6; i++) {
		big_list(pages[i], sizeof(pages[i]), 1000 * i, 1000, tokens[i]);
		answer_list(pages[i]);
	}
	player_answer((struct player_answer){.call = "DescribeThing", .body = thing, .times = PLAYER_ALWAYS});
	player_advance(SECOND);
	player_store_away("connection refused");
	player_ignore(SWP_MESSAGE_RENEW, true); /* it lasts longer than its credentials */
	stage_job(1, NULL);
	player_advance(50 * MINUTE);
	made = player_requests("DescribeThing");
	stage_check(uncommitted_bytes() >= SWP_LIMIT_UNCOMMITTED_BYTES, "the ceiling is reached");
	player_advance(20 * MINUTE);
	stage_check(player_requests("DescribeThing") == made && made < 6000, "beyond it no call starts");
	stage_check(uncommitted_bytes() < SWP_LIMIT_UNCOMMITTED_BYTES + (4u << 20), "and little is added");
	player_store_back(false);
	player_advance(30 * MINUTE);
	stage_expect_done(1, 1, SWP_DONE_SEALED);
	stage_expect_cell(STAGE_REGION, SWP_STATUS_FAIL, SWP_REASON_NONE);
	stage_check(stage_record(STAGE_REGION).rows[SWP_STATUS_FAIL] == 6000, "all findings are there");
	stage_check(uncommitted_bytes() == 0, "nothing is left");
	stage_close();
}

/* --- the coordinator --- */

static void cancelled(void)
{
	stage_open("cancelled");
	player_answer((struct player_answer){.call = "ListThings", .never = true, .times = 2});
	stage_job(1, NULL);
	stage_job(2, "eu-west-2");
	stage_expect_metric("jobs_in_hand", 2);
	stage_expect_metric("aws_requests_in_flight", 2);
	stage_cancel(1, 1, false);
	stage_cancel(0, 0, true);
	player_advance(2 * SECOND);
	stage_check(player_store_commands() == 0, "nothing was committed");
	stage_expect_metric("jobs_total{how=\"cancelled\"}", 2);
	stage_expect_metric("jobs_in_hand", 0);
	stage_expect_metric("aws_requests_in_flight", 0);
	stage_close();
}

static void coordinator_lost(void)
{
	struct swp_message hello;
	const struct swp_message welcome = {
		.type = SWP_MESSAGE_WELCOME, .welcome = {.protocol = SWP_WIRE_VERSION}};

	stage_open("the coordinator is lost and comes back");
	player_answer((struct player_answer){
		.host = STAGE_HOST, .call = "ListThings", .body = ONE_THING, .delay_ms = 20 * SECOND});
	answer_describe(OPEN_THING);
	stage_job(1, NULL);
	player_mute(0, true);
	player_advance(10 * SECOND);
	stage_expect_metric("coordinator_up{coordinator=\"tcp://c1:1\"}", 0);
	stage_expect_metric("coordinator_losses_total{coordinator=\"tcp://c1:1\"}", 1);
	stage_expect_ready("no coordinator has answered");
	player_mute(0, false);
	player_advance(SECOND);
	player_take(0, SWP_MESSAGE_HELLO, &hello);
	stage_check(hello.hello.hold_count == 1, "it names the job that it holds");
	stage_check(strcmp(hello.hello.holds[0].region, STAGE_REGION) == 0 && hello.hello.holds[0].epoch == 1,
		"by region and epoch");
	swp_message_done(&hello);
	player_send(0, &welcome);
	player_advance(15 * SECOND);
	stage_expect_done(1, 1, SWP_DONE_SEALED);
	stage_close();
}

static void connected_again(void)
{
	struct swp_message hello;

	stage_open("another connection, to a coordinator that has ended and is back");
	player_answer((struct player_answer){
		.host = STAGE_HOST, .call = "ListThings", .body = ONE_THING, .delay_ms = 3 * SECOND});
	answer_describe(OPEN_THING);
	stage_job(1, NULL);
	player_advance(SECOND);
	player_reconnect(0);
	player_advance(SECOND / 10);
	player_take(0, SWP_MESSAGE_HELLO, &hello);
	stage_check(hello.hello.hold_count == 1, "it greets at once, and names the job that it holds");
	swp_message_done(&hello);
	player_advance(SECOND);
	stage_welcome(0);
	stage_name_sweep(0);
	player_advance(5 * SECOND);
	stage_expect_done(1, 1, SWP_DONE_SEALED);
	stage_expect_metric("coordinator_losses_total{coordinator=\"tcp://c1:1\"}", 0);
	stage_close();
}

static void coordinator_leaves(void)
{
	const struct swp_message bye = {.type = SWP_MESSAGE_BYE};

	stage_open("the coordinator says that it ends");
	plain_answers();
	player_send(0, &bye);
	player_settle();
	stage_expect_metric("coordinator_up{coordinator=\"tcp://c1:1\"}", 0);
	stage_expect_metric("coordinator_losses_total{coordinator=\"tcp://c1:1\"}", 0);
	player_advance(SECOND);
	stage_welcome(0);
	stage_name_sweep(0);
	stage_job(1, NULL);
	player_advance(SECOND);
	stage_expect_done(1, 1, SWP_DONE_SEALED);
	stage_close();
}

static void committed_while_alone(void)
{
	stage_open("done while the coordinator is away");
	plain_answers();
	stage_job(1, NULL);
	player_mute(0, true);
	player_advance(10 * SECOND);
	stage_expect_cell(STAGE_REGION, SWP_STATUS_FAIL, SWP_REASON_NONE);
	player_mute(0, false);
	player_advance(SECOND);
	stage_welcome(0);
	/* DONE itself was said into the void; the coordinator looks the record up when the lease ends. */
	player_advance(SECOND);
	stage_close();
}

static void granted_again(void)
{
	stage_open("the same job, granted again to the same worker");
	player_answer((struct player_answer){.call = "ListThings", .never = true});
	stage_job(1, NULL);
	player_advance(SECOND);
	plain_answers();
	stage_job(1, NULL);				/* epoch 2: the first try is dropped */
	stage_job_with(0, 1, 2, STAGE_REGION, 3600000); /* repeated: no news */
	player_advance(3 * SECOND);
	stage_expect_done(1, 2, SWP_DONE_SEALED);
	stage_close();
}

static void given_back(void)
{
	struct swp_message job = {.type = SWP_MESSAGE_JOB,
		.job = {.job = 5,
			.epoch = 1,
			.sweep = "nobody-knows",
			.account = STAGE_ACCOUNT,
			.region = STAGE_REGION}};

	stage_open("jobs that can't be taken");
	player_send(0, &job);
	player_settle();
	expect_give_back(5, SWP_GIVE_BACK_UNKNOWN_SWEEP);
	job.job.sweep = STAGE_SWEEP;
	player_send(0, &job);
	player_settle();
	expect_give_back(5, SWP_GIVE_BACK_CREDENTIALS);
	player_answer((struct player_answer){.call = "ListThings", .never = true, .times = PLAYER_ALWAYS});
	for (uint64_t i = 0; i < SWP_WORKER_CREDITS; i++)
		stage_job_with(0, 100 + i, 1, "eu-west-1", 3600000);
	stage_job_with(0, 999, 1, "eu-west-1", 3600000);
	expect_give_back(999, SWP_GIVE_BACK_NO_CREDIT);
	stage_cancel(0, 0, true);
	stage_close();
}

/* A coordinator that is killed tells nobody that its sweeps are over: a worker would keep them for good. */
static void forgotten(void)
{
	stage_open("a sweep that the next coordinator does not know");
	plain_answers();
	player_answer((struct player_answer){.call = "ListThings", .never = true});
	stage_job(1, NULL);
	player_advance(SECOND);
	stage_expect_done(1, 1, SWP_DONE_SEALED);
	player_mute(0, true);
	player_advance(MINUTE);
	player_mute(0, false);
	player_advance(SECOND);
	stage_welcome(0);
	stage_name_sweep(0); /* the same one is back */
	player_advance(SWP_WORKER_REST_MS + SECOND);
	stage_job_with(0, 2, 1, "eu-west-2", 3600000);
	stage_check(!player_has(0, SWP_MESSAGE_GIVE_BACK), "a sweep that was named again is kept");
	stage_cancel(0, 0, true);
	player_mute(0, true);
	player_advance(MINUTE);
	player_mute(0, false);
	player_advance(SECOND);
	stage_welcome(0); /* another one, which names none */
	player_advance(SWP_WORKER_REST_MS + SECOND);
	stage_job_with(0, 3, 1, "eu-west-2", 3600000);
	expect_give_back(3, SWP_GIVE_BACK_UNKNOWN_SWEEP);
	stage_close();
}

static void broken_frames(void)
{
	stage_open("frames that break the rules");
	player_send_bytes(0, "\xc1rubbish", 8);
	player_send_bytes(0, "", 0);
	player_settle();
	plain_answers();
	stage_job(1, NULL);
	player_advance(3 * SECOND);
	stage_expect_done(1, 1, SWP_DONE_SEALED);
	stage_close();
}

/* As of a coordinator whose version knows more than this one. */
static void catalogue_not_understood(void)
{
	static const char *const checks[] = {"aws-things-001"};
	static const char newer[] = "{\"version\": 1, \"operators\": [\"from_the_future\"]}";
	struct swp_message sweep = {.type = SWP_MESSAGE_SWEEP,
		.sweep = {.sweep = STAGE_SWEEP,
			.selection = checks,
			.selection_count = 1,
			.catalogue = "0000000000000000000000000000000000000000000000000000000000000000",
			.partition = "aws",
			.started_at_ms = 1764230400000}};
	struct swp_message catalogue = {.type = SWP_MESSAGE_CATALOGUE}, wanted;

	stage_open_alone("a catalogue that this version does not understand", 1);
	stage_welcome(0);
	player_send(0, &sweep);
	player_settle();
	player_take(0, SWP_MESSAGE_WANT_CATALOGUE, &wanted);
	swp_message_done(&wanted);
	stage_job_with(0, 1, 1, STAGE_REGION, 3600000);
	catalogue.catalogue.hash = sweep.sweep.catalogue;
	catalogue.catalogue.compiled = (struct swp_wire_bytes){newer, sizeof(newer) - 1};
	player_send(0, &catalogue);
	player_advance(100);
	expect_give_back(1, SWP_GIVE_BACK_CANNOT); /* what waited for it */
	stage_job_with(0, 2, 1, STAGE_REGION, 3600000);
	player_advance(100);
	expect_give_back(2, SWP_GIVE_BACK_CANNOT); /* and what comes later */
	stage_close();
}

static void job_before_catalogue(void)
{
	static const char *const checks[] = {"aws-things-001"};
	static const char *const arguments[] = {"player", "1", "1"};
	struct swp_message sweep = {.type = SWP_MESSAGE_SWEEP,
		.sweep = {.sweep = STAGE_SWEEP,
			.selection = checks,
			.selection_count = 1,
			.partition = "aws",
			.started_at_ms = 1764230400000}};
	struct swp_message catalogue = {.type = SWP_MESSAGE_CATALOGUE}, wanted, heartbeat;
	size_t leases;

	stage_open_alone("a job before its catalogue", 1);
	stage_welcome(0);
	sweep.sweep.catalogue = catalogue.catalogue.hash = swp_catalogue_hash(stage.catalogue);
	player_send(0, &sweep);
	player_settle();
	player_take(0, SWP_MESSAGE_WANT_CATALOGUE, &wanted);
	swp_message_done(&wanted);
	player_store_script(SWP_SCRIPT_GRANT, stage_key(STAGE_REGION), arguments, 3);
	stage_job_with(0, 1, 1, STAGE_REGION, 3600000);
	stage_job_with(0, 2, 1, STAGE_REGION, 3600000);
	stage_cancel(2, 1, false);
	player_advance(SECOND);
	do {
		player_take(0, SWP_MESSAGE_HEARTBEAT, &heartbeat);
		leases = heartbeat.heartbeat.job_count;
		swp_message_done(&heartbeat);
	} while (player_has(0, SWP_MESSAGE_HEARTBEAT));
	stage_check(leases == 1, "a job that waits for its catalogue is named in heartbeats");
	plain_answers();
	catalogue.catalogue.compiled.bytes =
		swp_catalogue_compiled(stage.catalogue, &catalogue.catalogue.compiled.length);
	player_send(0, &catalogue);
	player_advance(3 * SECOND);
	stage_expect_done(1, 1, SWP_DONE_SEALED);
	stage_close();
}

static void two_coordinators(void)
{
	struct swp_message done;

	stage_open_alone("two coordinators", 2);
	stage_welcome(0);
	stage_sweep(0);
	stage_welcome(1);
	{
		/* The catalogue is held by now: nobody has to send it again. */
		static const char *const checks[] = {"aws-things-001"};
		const struct swp_message sweep = {.type = SWP_MESSAGE_SWEEP,
			.sweep = {.sweep = STAGE_SWEEP,
				.catalogue = swp_catalogue_hash(stage.catalogue),
				.selection = checks,
				.selection_count = 1,
				.partition = "aws",
				.started_at_ms = 1764230400000}};

		player_send(1, &sweep);
		player_settle();
	}
	plain_answers();
	plain_answers();
	stage_job(1, NULL);
	player_advance(2 * SECOND);
	stage_expect_done(1, 1, SWP_DONE_SEALED);
	stage_job_with(1, 1, 1, STAGE_REGION, 3600000);
	player_advance(2 * SECOND);
	player_take(1, SWP_MESSAGE_DONE, &done);
	stage_check(done.done.how == SWP_DONE_DUPLICATE, "the second one finds it sealed");
	swp_message_done(&done);
	stage_close();
}

/* --- draining --- */

static void drained(void)
{
	struct swp_message message;

	stage_open("drained");
	plain_answers();
	stage_job(1, NULL);
	swp_worker_drain(stage.worker);
	player_settle();
	player_take(0, SWP_MESSAGE_HELLO, &message);
	stage_check(message.hello.draining, "it says that it takes no more");
	stage_expect_metric("draining", 1);
	stage_expect_ready("draining");
	swp_message_done(&message);
	stage_job_with(0, 2, 1, "eu-west-2", 3600000);
	expect_give_back(2, SWP_GIVE_BACK_DRAINING);
	player_advance(3 * SECOND);
	stage_expect_done(1, 1, SWP_DONE_SEALED);
	player_take(0, SWP_MESSAGE_BYE, &message);
	swp_message_done(&message);
	stage_check(stage.exit_code == 0, "it ended");
	stage_close();
}

static void drained_late(void)
{
	struct swp_message message;

	stage_open("drained, and a job does not end");
	player_answer((struct player_answer){.call = "ListThings", .never = true});
	stage_job(1, NULL);
	swp_worker_drain(stage.worker);
	player_settle();
	player_take(0, SWP_MESSAGE_HELLO, &message);
	swp_message_done(&message);
	player_ignore(SWP_MESSAGE_HELLO, true);
	player_advance(29 * SECOND);
	stage_check(stage.exit_code == -1, "it waits");
	player_send(0, &(struct swp_message){
			       .type = SWP_MESSAGE_WELCOME, .welcome = {.protocol = SWP_WIRE_VERSION}});
	player_advance(2 * SECOND);
	expect_give_back(1, SWP_GIVE_BACK_DRAINING);
	stage_expect_metric("jobs_total{how=\"given-back\"}", 1);
	player_take(0, SWP_MESSAGE_BYE, &message);
	swp_message_done(&message);
	stage_check(stage.exit_code == 0, "it ended");
	stage_close();
}

static void other_protocol(void)
{
	const struct swp_message welcome = {
		.type = SWP_MESSAGE_WELCOME, .welcome = {.protocol = 99, .version = "9.0"}};
	struct swp_message hello;

	stage_open_alone("a coordinator of another version", 1);
	player_take(0, SWP_MESSAGE_HELLO, &hello);
	swp_message_done(&hello);
	player_send(0, &welcome);
	player_settle();
	stage_check(stage.exit_code == 2, "it can't work");
	stage_close();
}

/* --- memory --- */

/* The nth allocation from the job's arrival on fails. The job is sealed, given back, or never heard of (its lease then ends at the
 * coordinator); whatever it is, a finding is never half there. */
static bool finding_without_memory(unsigned long nth)
{
	unsigned long made;

	stage_open("an allocation fails");
	swp_log_setup(stderr, SWP_LOG_TEXT, SWP_LOG_ERROR + 1, "worker", player_clock());
	player_ignore(SWP_MESSAGE_DONE, true);
	player_ignore(SWP_MESSAGE_GIVE_BACK, true);
	player_answer(
		(struct player_answer){.call = "ListThings", .body = ONE_THING, .times = PLAYER_ALWAYS});
	player_answer((struct player_answer){
		.call = "ListBoxes", .body = "{\"Boxes\": []}", .times = PLAYER_ALWAYS});
	player_answer(
		(struct player_answer){.call = "DescribeThing", .body = OPEN_THING, .times = PLAYER_ALWAYS});
	stage.fail_at = nth;
	stage_job(1, NULL);
	player_advance(3 * SECOND);
	made = swp_alloc_fail_at(0, 0);
	if (stage_record(STAGE_REGION).sealed && stage_record(STAGE_REGION).status == SWP_STATUS_PASS)
		player_fail("allocation %lu failed, and an open thing passed", nth);
	stage_close();
	return made >= nth;
}

static void without_memory(void)
{
	unsigned long nth = 1;

	while (finding_without_memory(nth))
		nth++;
	printf("  %lu allocations\n", nth - 1);
	stage_check(nth > 20, "allocations were made to fail");
}

static const struct {
	const char *name;
	void (*run)(void);
} scenarios[] = {
#define SCENARIO(function)                                                                                   \
	{                                                                                                    \
#function, function                                                                          \
	}
	SCENARIO(finding),
	SCENARIO(resting),
	SCENARIO(vanished),
	SCENARIO(denied),
	SCENARIO(global_level),
	SCENARIO(organization_level),
	SCENARIO(throttled_to_the_end),
	SCENARIO(throttled_then_fine),
	SCENARIO(never_answered),
	SCENARIO(only_a_proxy_answers),
	SCENARIO(job_deadline),
	SCENARIO(expired_between_pages),
	SCENARIO(expired_twice),
	SCENARIO(renewal_refused),
	SCENARIO(renewal_never_comes),
	SCENARIO(renewal_is_asked_again),
	SCENARIO(renewed_ahead),
	SCENARIO(renewed_with_fewer_sessions),
	SCENARIO(region_disabled),
	SCENARIO(region_enabled),
	SCENARIO(not_offered),
	SCENARIO(resolver_fails),
	SCENARIO(listed_but_no_host),
	SCENARIO(proxy_hides_names),
	SCENARIO(lost_reply),
	SCENARIO(lost_request),
	SCENARIO(store_error),
	SCENARIO(store_away),
	SCENARIO(store_out_of_reach),
	SCENARIO(store_refuses),
	SCENARIO(late_commit),
	SCENARIO(many_resources),
	SCENARIO(part_lost),
	SCENARIO(uncommitted_ceiling),
	SCENARIO(cancelled),
	SCENARIO(coordinator_lost),
	SCENARIO(connected_again),
	SCENARIO(coordinator_leaves),
	SCENARIO(committed_while_alone),
	SCENARIO(granted_again),
	SCENARIO(given_back),
	SCENARIO(forgotten),
	SCENARIO(broken_frames),
	SCENARIO(job_before_catalogue),
	SCENARIO(catalogue_not_understood),
	SCENARIO(two_coordinators),
	SCENARIO(drained),
	SCENARIO(drained_late),
	SCENARIO(other_protocol),
	SCENARIO(without_memory),
};

int main(int argc, char **argv)
{
	for (size_t i = 0; i < SWP_ARRAY_SIZE(scenarios); i++) {
		if (argc > 1 && strcmp(argv[1], scenarios[i].name) != 0)
			continue;
		printf("%s\n", scenarios[i].name);
		fflush(stdout);
		scenarios[i].run();
	}
	return 0;
}
