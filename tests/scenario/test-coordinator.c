/* The coordinator's logic against a scripted world: organization, store and workers of the test. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/finish.h"
#include "coordinator/report.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/base/limits.h"
#include "proto/base/log.h"
#include "proto/base/text.h"
#include "proto/io/caller.h"
#include "proto/record/keys.h"
#include "proto/record/record.h"
#include "proto/record/scripts.h"
#include "tests/scenario/coordinator-stage.h"

#define SECOND 1000
#define MINUTE (60 * SECOND)

static void begin(const char *scenario, unsigned members)
{
	stage_open(scenario);
	stage_answer_identity();
	stage_answer_accounts(members);
	stage_answer_sessions();
	stage_start();
}

static void begin_with_worker(const char *scenario, unsigned members, unsigned credits)
{
	begin(scenario, members);
	stage_greet(STAGE_WORKER, credits);
	stage_take_plan(STAGE_WORKER);
}

/* Of this sweep, each job with one; what the worker did for others before is none of it. */
static void expect_calls(void)
{
	const struct swp_sweep_progress *progress = swp_sweep_progress(stage.sweep);
	struct swp_caller_statistics own;

	swp_sweep_own_statistics(stage.sweep, &own);
	if (own.calls == 0 || progress->jobs_done < 2 || progress->calls != own.calls + progress->jobs_done)
		player_fail("%llu calls of %llu jobs and %llu own", (unsigned long long)progress->calls,
			(unsigned long long)progress->jobs_done, (unsigned long long)own.calls);
}

static void expect_end(enum swp_sweep_end end, enum swp_sweep_status status)
{
	if (stage.result.end != end || (end == SWP_SWEEP_END_SWEPT && stage.result.status != status))
		player_fail("end %d status %d (%s), expected end %d status %d", stage.result.end,
			stage.result.status, stage.problem.text, end, status);
	if (end == SWP_SWEEP_END_SWEPT)
		stage_check(strcmp(stage_meta(SWP_SWEEP_FIELD_STATUS), swp_sweep_status_name(status)) == 0 &&
				    strcmp(stage_meta(SWP_SWEEP_FIELD_STATE), "finished") == 0,
			"the store has the status");
}

static struct swp_record_account account_row(const char *id, struct swp_region *region)
{
	struct swp_record_account row;
	char key[SWP_KEY_BYTES];
	size_t length;
	const char *bytes;

	if (swp_key_format(SWP_KEY_ACCOUNTS, swp_sweep_id(stage.sweep), NULL, NULL, key) < 0)
		player_fail("no key");
	bytes = player_store_get(key, id, &length);
	if (!bytes || swp_account_decode(bytes, length, region, &row) < 0)
		player_fail("no row of account %s", id);
	return row;
}

/* --- the plain way --- */

static void whole(void)
{
	struct swp_region *region = swp_region_new(0);
	struct swp_record_account row;
	const struct swp_sweep_progress *progress;

	begin_with_worker("a whole sweep", 2, 8);
	stage_work_all(STAGE_WORKER);
	expect_end(SWP_SWEEP_END_SWEPT, SWP_SWEEP_COMPLETE);
	progress = swp_sweep_progress(stage.sweep);
	stage_check(progress->jobs_planned == 3 && progress->jobs_done == 3 &&
			    progress->cells_not_applicable == 3 && progress->accounts_done == 3 &&
			    progress->cells_planned == 3,
		"three jobs with one cell each");
	stage_check(strcmp(stage_meta(SWP_SWEEP_FIELD_ENUMERATION), "complete") == 0 &&
			    strcmp(stage_meta(SWP_SWEEP_FIELD_ORGANIZATION), "o-stage") == 0 &&
			    strcmp(stage_meta(SWP_SWEEP_FIELD_CALLER_ACCOUNT), STAGE_MANAGEMENT) == 0,
		"the sweep's row");
	row = account_row(STAGE_MEMBER, region);
	stage_check(strcmp(row.path, "Root") == 0 && row.region_count == 1 &&
			    strcmp(row.regions[0], STAGE_REGION) == 0 && row.region_not_enabled_count == 1 &&
			    row.unread.reason == 0,
		"a member's row");
	swp_region_free(region);
	stage_close();
}

/* The first job goes out while the list of accounts is still being read. */
static void dispatch_beside_enumeration(void)
{
	struct stage_job job;

	stage_open("dispatch beside enumeration");
	stage_answer_identity();
	player_answer((struct player_answer){.call = "ListAccounts",
		.body = "{\"Accounts\":[{\"Id\":\"222222222222\",\"Name\":\"a\",\"State\":\"ACTIVE\","
			"\"Paths\":[\"o-stage/r-1/222222222222/\"]}],"
			"\"NextToken\":\"t\"}"});
	player_answer((struct player_answer){.call = "ListAccounts",
		.body_contains = "\"t\"",
		.delay_ms = 20 * SECOND,
		.body = "{\"Accounts\":[{\"Id\":\"333333333333\",\"Name\":\"b\",\"State\":\"ACTIVE\","
			"\"Paths\":[\"o-stage/r-1/333333333333/\"]}]}"});
	player_answer((struct player_answer){
		.call = "ListRoots", .body = "{\"Roots\":[{\"Id\":\"r-1\",\"Name\":\"Root\"}]}"});
	stage_answer_sessions();
	stage_start();
	stage_greet(STAGE_WORKER, 8);
	stage_take_plan(STAGE_WORKER);
	job = stage_take_job(STAGE_WORKER);
	stage_check(player_now_ms() < 1 * SECOND, "the first job within a second");
	stage_check(strcmp(job.account, STAGE_MEMBER) == 0 && job.attempt == 1 && job.keys >= 4,
		"with keys for two days");
	stage_check(strcmp(job.access_key_id, "ASIASTAGE") == 0, "with the session's key id");
	stage_seal(&job);
	stage_done(STAGE_WORKER, &job, SWP_DONE_SEALED);
	stage_work_all(STAGE_WORKER);
	expect_end(SWP_SWEEP_END_SWEPT, SWP_SWEEP_COMPLETE);
	expect_calls();
	stage_close();
}

/* --- workers --- */

static void worker_lost(void)
{
	struct stage_job first, second;

	begin_with_worker("a worker is lost", 0, 1);
	first = stage_take_job(STAGE_WORKER);
	stage_beat(STAGE_WORKER, &first, 1, 20 * SECOND); /* heartbeats keep the lease */
	stage_check(!player_peer_has(STAGE_WORKER, SWP_MESSAGE_JOB), "a renewed lease is not given again");
	stage_greet(2, 1);
	stage_take_plan(2);
	stage_beat(2, NULL, 0, SWP_LEASE_MS + SECOND); /* the first one is silent */
	second = stage_take_job(2);
	stage_check(second.job == first.job && second.epoch > first.epoch && second.attempt == 2,
		"another attempt, another epoch");
	stage_check(stage_seal(&first) < 0, "the late worker can write nothing");
	stage_check(stage_seal(&second) == 1, "the second one can");
	stage_done(2, &second, SWP_DONE_SEALED);
	stage_work_all(2);
	expect_end(SWP_SWEEP_END_SWEPT, SWP_SWEEP_COMPLETE);
	stage_close();
}

static void late_commit(void)
{
	struct stage_job job;

	begin_with_worker("the worker is gone after its commit", 0, 1);
	job = stage_take_job(STAGE_WORKER);
	stage_check(stage_seal(&job) == 1, "sealed");
	player_advance(SWP_LEASE_MS + SECOND); /* DONE was never heard; the record tells */
	stage_until_finished(5 * SECOND);
	expect_end(SWP_SWEEP_END_SWEPT, SWP_SWEEP_COMPLETE);
	stage_check(swp_sweep_progress(stage.sweep)->jobs_done == 1, "done once");
	stage_close();
}

static void duplicate_done(void)
{
	struct stage_job job;

	begin_with_worker("DONE twice", 1, 1);
	job = stage_take_job(STAGE_WORKER);
	stage_seal(&job);
	stage_done(STAGE_WORKER, &job, SWP_DONE_SEALED);
	stage_done(STAGE_WORKER, &job, SWP_DONE_SEALED);
	stage_done(STAGE_WORKER, &job, SWP_DONE_DUPLICATE);
	stage_check(swp_sweep_progress(stage.sweep)->jobs_done == 1, "counted once");
	stage_work_all(STAGE_WORKER);
	expect_end(SWP_SWEEP_END_SWEPT, SWP_SWEEP_COMPLETE);
	stage_check(swp_sweep_progress(stage.sweep)->jobs_done == 2, "two jobs");
	stage_close();
}

static void three_losses(void)
{
	begin("three workers are lost on one job", 0);
	for (swp_bus_peer peer = 1; peer <= 3; peer++) {
		struct stage_job job;

		stage_greet(peer, 1);
		stage_take_plan(peer);
		job = stage_take_job(peer);
		stage_check(job.attempt == peer, "attempts are counted");
		player_advance(SWP_LEASE_MS + 2 * SECOND);
	}
	stage_until_finished(30 * SECOND);
	expect_end(SWP_SWEEP_END_SWEPT, SWP_SWEEP_PARTIAL);
	stage_check(swp_sweep_progress(stage.sweep)->cells_not_assessed == 1, "its cell is not assessed");
	stage_close();
}

static void renewal(void)
{
	struct swp_message renew = {.type = SWP_MESSAGE_RENEW}, answer = {0};
	struct stage_job jobs[2];
	unsigned assumed;

	stage_open("two jobs of an account ask for new credentials");
	stage_answer_identity();
	stage_answer_accounts(1);
	player_answer((struct player_answer){.call = "POST /listRegions",
		.times = PLAYER_ALWAYS,
		.body = "{\"Regions\":[{\"RegionName\":\"eu-west-1\",\"RegionOptStatus\":\"ENABLED_BY_"
			"DEFAULT\"},"
			"{\"RegionName\":\"eu-west-2\",\"RegionOptStatus\":\"ENABLED_BY_DEFAULT\"}]}"});
	stage_answer_sessions();
	stage.options.accounts = (struct swp_text_list){(const char *const[]){STAGE_MEMBER}, 1};
	stage_start();
	stage_greet(STAGE_WORKER, 8);
	stage_take_plan(STAGE_WORKER);
	jobs[0] = stage_take_job(STAGE_WORKER);
	jobs[1] = stage_take_job(STAGE_WORKER);
	assumed = player_requests("AssumeRole");
	player_advance(100);
	for (int i = 0; i < 2; i++) {
		renew.renew.job = jobs[i].job;
		renew.renew.epoch = jobs[i].epoch;
		player_peer_says(STAGE_WORKER, "w", &renew);
	}
	player_advance(SECOND);
	for (int i = 0; i < 2; i++) {
		player_peer_take(STAGE_WORKER, SWP_MESSAGE_CREDENTIALS, &answer);
		stage_check(answer.credentials.refused == 0 && answer.credentials.credentials.key_count >= 4,
			"new keys");
		swp_message_done(&answer);
	}
	stage_check(player_requests("AssumeRole") == assumed + 1, "one AssumeRole for both");
	/* A job that is not its any more. */
	renew.renew.epoch = 99;
	player_peer_says(STAGE_WORKER, "w", &renew);
	player_advance(SECOND);
	player_peer_take(STAGE_WORKER, SWP_MESSAGE_CANCEL, &answer);
	swp_message_done(&answer);
	for (int i = 0; i < 2; i++) {
		stage_seal(&jobs[i]);
		stage_done(STAGE_WORKER, &jobs[i], SWP_DONE_SEALED);
	}
	stage_until_finished(5 * SECOND);
	expect_end(SWP_SWEEP_END_SWEPT, SWP_SWEEP_COMPLETE);
	stage_close();
}

static void greets_again(void)
{
	struct swp_wire_hold hold = {0};
	struct swp_message hello = {.type = SWP_MESSAGE_HELLO,
				   .hello = {.protocol = SWP_WIRE_VERSION,
					   .version = "0",
					   .name = "w",
					   .host = "h",
					   .credits = 1,
					   .holds = &hold,
					   .hold_count = 1}},
			   message = {0};
	struct stage_job job;

	begin_with_worker("a worker greets again with what it holds", 0, 1);
	job = stage_take_job(STAGE_WORKER);
	player_advance(SWP_LEASE_MS - 2 * SECOND);
	hold = (struct swp_wire_hold){.job = job.job,
		.epoch = job.epoch,
		.sweep = swp_sweep_id(stage.sweep),
		.account = job.account,
		.region = job.region};
	player_peer_says(STAGE_WORKER, "w", &hello);
	player_settle();
	player_peer_take(STAGE_WORKER, SWP_MESSAGE_WELCOME, &message);
	swp_message_done(&message);
	stage_take_plan(STAGE_WORKER);
	/* Of a sweep whose coordinator is gone: dropped. */
	hold.sweep = "another";
	player_peer_says(STAGE_WORKER, "w", &hello);
	player_settle();
	player_peer_take(STAGE_WORKER, SWP_MESSAGE_WELCOME, &message);
	swp_message_done(&message);
	stage_take_plan(STAGE_WORKER);
	player_peer_take(STAGE_WORKER, SWP_MESSAGE_CANCEL, &message);
	swp_message_done(&message);
	stage_work_all(STAGE_WORKER);
	stage_close();
}

/* --- cancel --- */

static void cancelled(void)
{
	struct swp_region *region = swp_region_new(0);
	struct swp_message message = {0};
	struct stage_job jobs[2];
	int64_t began_ms;

	begin_with_worker("a signal", 2, 2);
	jobs[0] = stage_take_job(STAGE_WORKER);
	jobs[1] = stage_take_job(STAGE_WORKER);
	began_ms = player_now_ms();
	swp_sweep_cancel(stage.sweep, SIGINT);
	swp_sweep_cancel(stage.sweep, SIGTERM);
	/* What is committed within the grace counts. */
	stage_seal(&jobs[0]);
	stage_done(STAGE_WORKER, &jobs[0], SWP_DONE_SEALED);
	stage_until_finished(3 * SECOND);
	stage_check(player_now_ms() - began_ms <= 2 * SECOND, "within two seconds");
	expect_end(SWP_SWEEP_END_SWEPT, SWP_SWEEP_CANCELLED);
	stage_check(stage.result.cancelled_by == SIGINT, "by the first signal");
	player_peer_take(STAGE_WORKER, SWP_MESSAGE_CANCEL, &message);
	stage_check(message.cancel.all, "everything else is cancelled");
	swp_message_done(&message);
	stage_check(stage_meta(SWP_SWEEP_FIELD_CANCELLED_AT)[0] != '\0', "the store knows when");
	stage_check(account_row(STAGE_MEMBER, region).unread.reason == 0, "a job was made: its seal decides");
	swp_region_free(region);
	stage_close();
}

static void cancelled_with_aws_hanging(void)
{
	struct swp_region *region = swp_region_new(0);

	stage_open("a signal while AssumeRole hangs");
	stage_answer_identity();
	stage_answer_accounts(2);
	player_answer((struct player_answer){.call = "AssumeRole", .times = 2, .never = true});
	player_answer((struct player_answer){.call = "POST /listRegions", .never = true});
	stage_start();
	player_advance(5 * SECOND);
	swp_sweep_cancel(stage.sweep, SIGTERM);
	stage_until_finished(2 * SECOND);
	expect_end(SWP_SWEEP_END_SWEPT, SWP_SWEEP_CANCELLED);
	stage_check(account_row(STAGE_MEMBER, region).unread.reason == SWP_REASON_CANCELLED,
		"never entered: cancelled");
	swp_region_free(region);
	stage_close();
}

static void deadline(void)
{
	stage_open("a deadline");
	stage_answer_identity();
	stage_answer_accounts(0);
	stage_answer_sessions();
	stage.options.deadline_ms = 10 * SECOND;
	stage_start();
	stage_until_finished(12 * SECOND);
	expect_end(SWP_SWEEP_END_SWEPT, SWP_SWEEP_CANCELLED);
	stage_check(stage.result.cancelled_by == 0, "by no signal");
	stage_close();
}

/* --- the organization --- */

static void breaks_off(void)
{
	char key[SWP_KEY_BYTES];

	stage_open("the list of accounts breaks off");
	stage_answer_identity();
	player_answer((struct player_answer){.call = "ListAccounts",
		.body = "{\"Accounts\":[{\"Id\":\"222222222222\",\"State\":\"ACTIVE\",\"Paths\":[\"o-stage/"
			"r-1/222222222222/\"]}],\"NextToken\":\"t\"}"});
	player_answer((struct player_answer){.call = "ListAccounts",
		.body_contains = "\"t\"",
		.status = 400,
		.error_type = "AccessDeniedException",
		.body = "{\"message\":\"not any more\"}"});
	player_answer((struct player_answer){
		.call = "ListRoots", .body = "{\"Roots\":[{\"Id\":\"r-1\",\"Name\":\"Root\"}]}"});
	stage_answer_sessions();
	stage_start();
	stage_greet(STAGE_WORKER, 8);
	stage_take_plan(STAGE_WORKER);
	stage_work_all(STAGE_WORKER);
	expect_end(SWP_SWEEP_END_SWEPT, SWP_SWEEP_PARTIAL);
	stage_check(!stage.result.enumeration_complete &&
			    strcmp(stage_meta(SWP_SWEEP_FIELD_ENUMERATION), "incomplete") == 0,
		"incomplete");
	if (swp_key_format(SWP_KEY_GAPS, swp_sweep_id(stage.sweep), NULL, NULL, key) < 0 ||
		!player_store_get(key, "0", NULL))
		player_fail("a gap says so");
	stage_close();
}

/* Taken for the last page it would hide every account behind it. */
static void token_is_no_text(void)
{
	stage_open("the token of the list of accounts is a number");
	stage_answer_identity();
	player_answer((struct player_answer){.call = "ListAccounts",
		.body = "{\"Accounts\":[{\"Id\":\"222222222222\",\"State\":\"ACTIVE\",\"Paths\":[\"o-stage/"
			"r-1/222222222222/\"]}],\"NextToken\":7}"});
	player_answer((struct player_answer){
		.call = "ListRoots", .body = "{\"Roots\":[{\"Id\":\"r-1\",\"Name\":\"Root\"}]}"});
	stage_answer_sessions();
	stage_start();
	stage_greet(STAGE_WORKER, 8);
	stage_take_plan(STAGE_WORKER);
	stage_work_all(STAGE_WORKER);
	expect_end(SWP_SWEEP_END_SWEPT, SWP_SWEEP_PARTIAL);
	stage_check(!stage.result.enumeration_complete, "incomplete");
	stage_close();
}

static void expect_could_not_run(const char *part)
{
	stage_until_finished(MINUTE);
	expect_end(SWP_SWEEP_END_COULD_NOT_RUN, SWP_SWEEP_COMPLETE);
	if (!strstr(stage.problem.text, part))
		player_fail("\"%s\" does not say \"%s\"", stage.problem.text, part);
	stage_check(!player_store_has("swp:*"), "what could not run leaves nothing in the store");
	stage_close();
}

static void organizations_refused(void)
{
	stage_open("Organizations refuses");
	stage_answer_identity();
	player_answer((struct player_answer){.call = "ListAccounts",
		.status = 400,
		.error_type = "AccessDeniedException",
		.body = "{\"message\":\"no\"}"});
	stage_start();
	expect_could_not_run("--no-org");
}

static void matches_nothing(void)
{
	stage_open("an account that is not there");
	stage_answer_identity();
	stage_answer_listed(2);
	stage.options.accounts = (struct swp_text_list){(const char *const[]){STAGE_MEMBER, "membr-1"}, 2};
	stage_start();
	stage_until_finished(MINUTE);
	stage_check(player_requests("AssumeRole") == 0 && player_requests("POST /listRegions") == 0,
		"nothing was swept");
	stage_check(player_requests("ListRoots") == 0, "nor were names asked for");
	player_advance(SECOND);
	expect_could_not_run("did you mean \"member-1\"?");
}

static void role_refused(void)
{
	struct swp_region *region = swp_region_new(0);
	struct swp_record_account row;

	stage_open("the role can't be assumed in a member");
	stage_answer_identity();
	stage_answer_accounts(1);
	player_answer((struct player_answer){.call = "AssumeRole",
		.status = 403,
		.body = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></"
			"Error><RequestId>r1</RequestId></ErrorResponse>"});
	player_answer((struct player_answer){.call = "POST /listRegions",
		.body = "{\"Regions\":[{\"RegionName\":\"eu-west-1\",\"RegionOptStatus\":\"ENABLED_BY_"
			"DEFAULT\"}]}"});
	stage_start();
	stage_greet(STAGE_WORKER, 8);
	stage_take_plan(STAGE_WORKER);
	stage_work_all(STAGE_WORKER);
	expect_end(SWP_SWEEP_END_SWEPT, SWP_SWEEP_COMPLETE);
	row = account_row(STAGE_MEMBER, region);
	stage_check(row.unread.reason == SWP_REASON_ROLE_NOT_ASSUMABLE &&
			    strcmp(row.unread.action, "sts:AssumeRole") == 0 &&
			    strcmp(row.unread.error_code, "AccessDenied") == 0 &&
			    row.unread.request_id[0] != '\0',
		"the row says why");
	stage_check(row.region_count > 10, "planned with the regions enabled by default");
	swp_region_free(region);
	stage_close();
}

/* Not AWS's word, so it says nothing about the role. */
static void page_instead_of_a_session(void)
{
	struct swp_region *region = swp_region_new(0);
	struct swp_record_account row;

	stage_open("a proxy's page stands where STS should answer");
	stage_answer_identity();
	stage_answer_accounts(1);
	stage.options.accounts = (struct swp_text_list){(const char *const[]){STAGE_MEMBER}, 1};
	player_answer((struct player_answer){.call = "AssumeRole",
		.status = 403,
		.body = "<html><head><title>Forbidden</title></head><body>Ask your administrator</body></"
			"html>"});
	stage_start();
	stage_greet(STAGE_WORKER, 8);
	stage_take_plan(STAGE_WORKER);
	expect_end(SWP_SWEEP_END_SWEPT, SWP_SWEEP_COMPLETE);
	row = account_row(STAGE_MEMBER, region);
	stage_check(row.unread.reason == SWP_REASON_SERVICE_UNAVAILABLE && row.unread.error_code[0] == '\0',
		"the network path is at fault, and not the role");
	swp_region_free(region);
	stage_close();
}

static void sts_region_disabled(void)
{
	stage_open("STS is disabled in the home region");
	stage_answer_identity();
	stage_answer_accounts(1);
	stage.options.accounts = (struct swp_text_list){(const char *const[]){STAGE_MEMBER}, 1};
	player_answer((struct player_answer){.call = "AssumeRole",
		.host = "sts.eu-west-1.amazonaws.com",
		.status = 403,
		.body = "<ErrorResponse><Error><Code>RegionDisabledException</Code><Message>STS is not "
			"activated</Message></Error>"
			"<RequestId>r1</RequestId></ErrorResponse>"});
	stage_answer_sessions();
	stage_start();
	stage_greet(STAGE_WORKER, 8);
	stage_take_plan(STAGE_WORKER);
	stage_work_all(STAGE_WORKER);
	expect_end(SWP_SWEEP_END_SWEPT, SWP_SWEEP_COMPLETE);
	stage_check(player_requests("AssumeRole") == 2, "asked in the next region");
	stage_close();
}

/* --- the store --- */

static void job_key(const struct stage_job *job, char key[static SWP_KEY_BYTES])
{
	if (swp_key_format(SWP_KEY_JOB, swp_sweep_id(stage.sweep), job->account, job->region, key) < 0)
		player_fail("no key");
}

static void store_lost_a_record(void)
{
	struct stage_job jobs[2], again;
	char key[SWP_KEY_BYTES];

	begin_with_worker("the store comes back without a record", 1, 2);
	jobs[0] = stage_take_job(STAGE_WORKER);
	jobs[1] = stage_take_job(STAGE_WORKER);
	stage_seal(&jobs[0]);
	stage_done(STAGE_WORKER, &jobs[0], SWP_DONE_SEALED);
	stage_beat(STAGE_WORKER, &jobs[1], 1, 2 * SECOND);
	player_store_away("gone");
	stage_beat(STAGE_WORKER, &jobs[1], 1, 5 * SECOND);
	/* It was acknowledged, and is not there any more, and neither is its grant: as if the last second of the file had been lost. */
	job_key(&jobs[0], key);
	player_store_script(SWP_SCRIPT_WRITE, key, (const char *const[]){"DEL"}, 1);
	stage_check(!player_store_has(key), "it is gone");
	player_store_back(true);
	stage_beat(STAGE_WORKER, &jobs[1], 1, 2 * SECOND);
	stage_seal(&jobs[1]);
	stage_done(STAGE_WORKER, &jobs[1], SWP_DONE_SEALED);
	again = stage_take_job(STAGE_WORKER);
	stage_check(strcmp(again.account, jobs[0].account) == 0 && again.epoch > jobs[0].epoch,
		"it is done again, with an epoch that nobody ever had");
	stage_seal(&again);
	stage_done(STAGE_WORKER, &again, SWP_DONE_SEALED);
	stage_work_all(STAGE_WORKER);
	expect_end(SWP_SWEEP_END_SWEPT, SWP_SWEEP_COMPLETE);
	stage_close();
}

/* All seals were looked up, and before the end stands in the store it is another run, which lacks one: the end is of that run. */
static void store_goes_back_at_the_end(void)
{
	struct stage_job job, again;
	char key[SWP_KEY_BYTES];

	begin_with_worker("the store goes back while the end is written", 0, 1);
	job = stage_take_job(STAGE_WORKER);
	stage_seal(&job);
	player_store_refuse("OOM command not allowed when used memory > 'maxmemory'.");
	stage_done(STAGE_WORKER, &job, SWP_DONE_SEALED);
	stage_beat(STAGE_WORKER, NULL, 0, 2 * SECOND);
	stage_check(!stage.finished, "its end is not written");
	player_store_away("gone");
	stage_beat(STAGE_WORKER, NULL, 0, SECOND);
	job_key(&job, key);
	player_store_script(SWP_SCRIPT_FORGET, key, NULL, 0);
	player_store_refuse(NULL);
	player_store_back(true);
	stage_take_plan(STAGE_WORKER); /* it had been told of the end */
	again = stage_take_job(STAGE_WORKER);
	stage_check(again.epoch > job.epoch, "it is done again, under a higher epoch");
	stage_seal(&again);
	stage_done(STAGE_WORKER, &again, SWP_DONE_SEALED);
	stage_work_all(STAGE_WORKER);
	expect_end(SWP_SWEEP_END_SWEPT, SWP_SWEEP_COMPLETE);
	stage_check(strcmp(stage_meta(SWP_SWEEP_FIELD_STATE), "finished") == 0, "it is finished");
	stage_close();
}

static void store_away_too_long(void)
{
	struct stage_job job;

	begin_with_worker("the store is away for ten minutes", 1, 1);
	job = stage_take_job(STAGE_WORKER);
	stage_seal(&job);
	stage_done(STAGE_WORKER, &job, SWP_DONE_SEALED);
	stage_beat(STAGE_WORKER, NULL, 0, SECOND);
	player_store_away("gone");
	stage_beat(STAGE_WORKER, NULL, 0, SWP_STORE_AWAY_MS - 5 * SECOND);
	stage_check(!stage.finished, "it is waited for");
	stage_beat(STAGE_WORKER, NULL, 0, 6 * SECOND);
	stage_check(stage.finished, "and then not any more");
	expect_end(SWP_SWEEP_END_STORE_LOST, SWP_SWEEP_COMPLETE);
	while (player_peer_has(STAGE_WORKER, SWP_MESSAGE_JOB))
		stage_take_job(STAGE_WORKER);
	stage_close();
}

/* Grants and seals are refused while the coordinator has nothing to write by itself. */
static void store_refuses_workers(void)
{
	struct stage_job job;

	begin_with_worker("the store has no memory, and only the worker sees it", 0, 1);
	job = stage_take_job(STAGE_WORKER);
	stage_beat(STAGE_WORKER, &job, 1, 2 * SECOND);
	player_store_refuse("OOM command not allowed when used memory > 'maxmemory'.");
	stage.store_away = true;
	stage_beat(STAGE_WORKER, &job, 1, SWP_STORE_AWAY_MS - 5 * SECOND);
	stage_check(!stage.finished, "it is waited for");
	stage_beat(STAGE_WORKER, &job, 1, 10 * SECOND);
	stage_check(stage.finished, "and then not any more");
	expect_end(SWP_SWEEP_END_STORE_LOST, SWP_SWEEP_COMPLETE);
	if (!strstr(stage.problem.text, "maxmemory of this Redis"))
		player_fail("what to do is not told: %s", stage.problem.text);
	stage_check(strstr(stage.problem.text, swp_sweep_id(stage.sweep)), "and which sweep it is");
	stage_close();
}

/* A lease runs out again and again, and its record can be looked up each time: that is no sign of health. */
static void store_can_be_read_only(void)
{
	struct stage_job job;

	begin_with_worker("the store answers questions and takes nothing", 0, 1);
	job = stage_take_job(STAGE_WORKER);
	player_store_refuse("MISCONF Errors writing to the AOF file: No space left on device");
	for (int i = 0; i < 50 && !stage.finished; i++) {
		struct swp_message message = {.type = SWP_MESSAGE_GIVE_BACK,
			.give_back = {.job = job.job,
				.epoch = job.epoch,
				.why = SWP_GIVE_BACK_STORE_AWAY,
				.detail = ""}};

		player_peer_says(STAGE_WORKER, "w", &message);
		stage_beat(STAGE_WORKER, NULL, 0, 20 * SECOND);
	}
	stage_check(player_now_ms() < SWP_STORE_AWAY_MS + 40 * SECOND, "ten minutes, and not more");
	expect_end(SWP_SWEEP_END_STORE_LOST, SWP_SWEEP_COMPLETE);
	stage_close();
}

/* Its version does not know all of the catalogue: it gets nothing more, another one does it, and no attempt is lost. */
static void worker_that_is_too_old(void)
{
	struct stage_job job;
	struct swp_message message = {.type = SWP_MESSAGE_GIVE_BACK};

	begin_with_worker("a worker that can't judge by this catalogue", 0, 1);
	job = stage_take_job(STAGE_WORKER);
	message.give_back = (struct swp_message_give_back){.job = job.job,
		.epoch = job.epoch,
		.why = SWP_GIVE_BACK_CANNOT,
		.detail = "operator from_the_future is not known"};
	player_peer_says(STAGE_WORKER, "w", &message);
	stage_beat(STAGE_WORKER, NULL, 0, 30 * SECOND);
	stage_check(!player_peer_has(STAGE_WORKER, SWP_MESSAGE_JOB), "it gets no more jobs");
	stage_greet(STAGE_WORKER + 1, 4);
	stage_take_plan(STAGE_WORKER + 1);
	for (int i = 0; i < 20 && !player_peer_has(STAGE_WORKER + 1, SWP_MESSAGE_JOB); i++)
		stage_beat(STAGE_WORKER, NULL, 0, SECOND);
	job = stage_take_job(STAGE_WORKER + 1);
	stage_check(job.attempt == 1, "a worker that is too old is no attempt");
	stage_done(STAGE_WORKER + 1, &job, stage_seal(&job) < 0 ? SWP_DONE_STALE : SWP_DONE_SEALED);
	stage_work_all(STAGE_WORKER + 1);
	stage_close();
}

static void store_takes_nothing(void)
{
	stage_open("the store never takes anything");
	stage_answer_identity();
	stage_answer_accounts(0);
	stage_answer_sessions();
	player_store_refuse("OOM command not allowed when used memory > 'maxmemory'.");
	stage_start();
	stage_until_finished(20 * SECOND);
	expect_could_not_run("maxmemory");
}

static void cancelled_without_store(void)
{
	struct stage_job job;
	int64_t began_ms;

	begin_with_worker("a signal while the store is away", 0, 1);
	job = stage_take_job(STAGE_WORKER);
	player_store_away("gone");
	stage_beat(STAGE_WORKER, &job, 1, 2 * SECOND);
	began_ms = player_now_ms();
	player_ignore(SWP_MESSAGE_CANCEL, true);
	swp_sweep_cancel(stage.sweep, SIGINT);
	stage_until_finished(10 * SECOND);
	stage_check(player_now_ms() - began_ms <= SWP_CANCEL_STORE_MS + SECOND, "somebody waits for the end");
	expect_end(SWP_SWEEP_END_STORE_LOST, SWP_SWEEP_CANCELLED);
	stage_close();
}

static void store_never_there(void)
{
	stage_open("the store is never there");
	stage_answer_identity();
	stage_answer_accounts(0);
	player_store_away("refused");
	stage_start();
	stage_until_finished(20 * SECOND);
	expect_could_not_run("store");
}

static void lost_replies(void)
{
	begin("answers of the store are lost", 2);
	stage_greet(STAGE_WORKER, 8);
	stage_take_plan(STAGE_WORKER);
	player_store_lose_replies(3, true);
	stage_beat(STAGE_WORKER, NULL, 0, 300);
	player_store_lose_replies(2, false);
	player_store_error("OOM command not allowed when used memory > 'maxmemory'.");
	stage_work_all(STAGE_WORKER);
	expect_end(SWP_SWEEP_END_SWEPT, SWP_SWEEP_COMPLETE);
	stage_close();
}

/* --- memory --- */

#define LONGEST_WITHOUT_MEMORY (30 * MINUTE)

/* Whatever the peer was sent: jobs are sealed and told. */
static void serve_peer(swp_bus_peer peer)
{
	static const enum swp_message_type types[] = {SWP_MESSAGE_WELCOME, SWP_MESSAGE_SWEEP,
		SWP_MESSAGE_CANCEL, SWP_MESSAGE_CREDENTIALS, SWP_MESSAGE_END_SWEEP};
	bool more = true;

	while (more) {
		struct swp_message message = {0};

		more = false;
		for (size_t i = 0; i < SWP_ARRAY_SIZE(types); i++)
			if (player_peer_has(peer, types[i])) {
				player_peer_take(peer, types[i], &message);
				swp_message_done(&message);
				more = true;
			}
		if (player_peer_has(peer, SWP_MESSAGE_JOB)) {
			struct stage_job job = stage_take_job(peer);
			struct swp_message done = {.type = SWP_MESSAGE_DONE,
				.done = {.job = job.job,
					.epoch = job.epoch,
					.how = stage_seal(&job) < 0 ? SWP_DONE_STALE : SWP_DONE_SEALED,
					.not_applicable = 1,
					.answered = true,
					.calls = 1}};

			player_peer_says(peer, "w", &done);
			more = true;
		}
	}
}

/* It holds nothing and has room: what it was not told, or what of its words was lost, is said again. */
static void say_hello(swp_bus_peer peer)
{
	const struct swp_message hello = {.type = SWP_MESSAGE_HELLO,
		.hello = {.protocol = SWP_WIRE_VERSION,
			.version = "0",
			.name = "w",
			.host = "h",
			.pid = 1,
			.credits = 4}};

	stage_let_in();
	player_peer_says(peer, "w", &hello);
}

/* Allocations of the sweep are counted, those of the test that plays along are not. */
static struct {
	unsigned long nth, made;
} memory;

static void count_allocations(void)
{
	swp_alloc_fail_at(memory.nth > memory.made ? memory.nth - memory.made : 0, 0);
}

static void leave_allocations(void)
{
	memory.made += swp_alloc_fail_at(0, 0);
}

static void play_along(void)
{
	leave_allocations();
	if (player_serves())
		serve_peer(STAGE_WORKER);
	count_allocations();
}

/* A sweep that calls itself complete has every account, and of each that was entered every record. */
static void expect_nothing_lost(unsigned long nth)
{
	static const char *const ids[] = {STAGE_MANAGEMENT, STAGE_MEMBER};
	struct swp_region *region = swp_region_new(0);

	for (size_t i = 0; i < SWP_ARRAY_SIZE(ids); i++) {
		struct swp_record_account row = account_row(ids[i], region);
		char key[SWP_KEY_BYTES];

		if (!row.unread.reason && row.region_count == 0)
			player_fail("allocation %lu failed, and account %s has no regions", nth, ids[i]);
		for (size_t k = 0; !row.unread.reason && k < row.region_count; k++)
			if (swp_key_format(SWP_KEY_JOB, swp_sweep_id(stage.sweep), ids[i], row.regions[k],
				    key) < 0 ||
				!player_store_get(key, SWP_JOB_FIELD_SEAL, NULL))
				player_fail("allocation %lu failed, and %s was not swept", nth, key);
	}
	swp_region_free(region);
}

/* The nth allocation from the sweep's beginning on fails: it ends, whole or with a word, and nothing is left over. True: there were
 * so many. */
static bool sweep_without_memory(unsigned long nth)
{
	const struct swp_sweep_events events = {.finished = stage_finished};
	struct swp_problem problem = {""};

	stage_open("an allocation fails");
	swp_log_setup(stderr, SWP_LOG_TEXT, SWP_LOG_ERROR + 1, "stage", player_clock());
	stage.answer_times = PLAYER_ALWAYS;
	stage_answer_identity();
	stage_answer_accounts(1);
	stage_answer_sessions();
	/* Asked for where there was no memory for the first answer. */
	player_answer((struct player_answer){.call = "DescribeRegions",
		.times = PLAYER_ALWAYS,
		.body = "<DescribeRegionsResponse><regionInfo><item><regionName>eu-west-1</regionName>"
			"<optInStatus>opt-in-not-required</optInStatus></item></regionInfo>"
			"</DescribeRegionsResponse>"});
	swp_alloc_fail_at(0, 0);
	memory.nth = nth;
	memory.made = 0;
	count_allocations();
	stage.sweep = swp_sweep_new(stage.loop, &stage.options, &events, &problem);
	if (stage.sweep && swp_sweep_start(stage.sweep) == 0) {
		for (int64_t ms = 0; !stage.finished && ms < LONGEST_WITHOUT_MEMORY; ms += SECOND) {
			leave_allocations();
			if (player_serves())
				say_hello(STAGE_WORKER);
			count_allocations();
			for (int i = 0; i < 10 && !stage.finished; i++) {
				player_advance(SECOND / 10);
				play_along();
			}
		}
		if (!stage.finished)
			player_fail("allocation %lu failed, and the sweep does not end", nth);
		if (stage.result.end != SWP_SWEEP_END_SWEPT && !stage.problem.text[0])
			player_fail("allocation %lu failed, and nobody says why the sweep ended", nth);
	}
	leave_allocations();
	if (stage.finished && stage.result.end == SWP_SWEEP_END_SWEPT &&
		stage.result.status == SWP_SWEEP_COMPLETE)
		expect_nothing_lost(nth);
	stage_close();
	return memory.made >= nth;
}

static void without_memory(void)
{
	unsigned long nth = 1;

	while (sweep_without_memory(nth))
		nth++;
	printf("  %lu allocations\n", nth - 1);
	stage_check(nth > 100, "allocations were made to fail");
}

/* The report as text; NULL: it could not be made, and `problem` says why. */
static char *report_text(const struct swp_asker *asker, struct swp_problem *problem)
{
	struct swp_report *report = NULL;
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);
	int error = swp_report_open(asker, swp_sweep_id(stage.sweep), &report, problem);

	if (error == 0)
		error = swp_report_write_json(report, out, true, problem);
	if (error == 0)
		error = swp_report_write_summary(report, out, true, NULL, NULL, problem);
	swp_report_free(report);
	fclose(out);
	if (error == 0)
		return text;
	free(text);
	return NULL;
}

/* Each allocation of a report fails in turn: it has the same bytes, or there is none and a word why. */
static void report_without_memory(void)
{
	struct swp_problem problem = {""};
	unsigned long nth = 0, made;
	char *whole_text;

	begin_with_worker("a report without memory", 2, 8);
	stage_work_all(STAGE_WORKER);
	const struct swp_asker asker = {
		.loop = stage.loop, .store = swp_sweep_store(stage.sweep), .patience_ms = MINUTE};
	whole_text = report_text(&asker, &problem);
	stage_check(whole_text != NULL && strstr(whole_text, STAGE_MEMBER), "the report can be made");
	swp_log_setup(stderr, SWP_LOG_TEXT, SWP_LOG_ERROR + 1, "stage", player_clock());
	do {
		char *text;

		problem.text[0] = '\0';
		swp_alloc_fail_at(++nth, 0);
		text = report_text(&asker, &problem);
		made = swp_alloc_fail_at(0, 0);
		if (text && strcmp(text, whole_text) != 0)
			player_fail("allocation %lu failed, and another report came out", nth);
		if (!text && !strstr(problem.text, "memory"))
			player_fail("allocation %lu failed, and the word is \"%s\"", nth, problem.text);
		free(text);
	} while (made >= nth);
	printf("  %lu allocations\n", nth - 1);
	stage_check(nth > 50, "allocations were made to fail");
	free(whole_text);
	stage_close();
}

/* The coordinator died before it could write its last words. */
static void leave_unfinished(void)
{
	char key[SWP_KEY_BYTES];

	if (swp_key_format(SWP_KEY_SWEEP, swp_sweep_id(stage.sweep), NULL, NULL, key) < 0)
		player_fail("no key");
	player_store_put(key, SWP_SWEEP_FIELD_STATE, "running", strlen("running"));
}

/* What a dead coordinator left is finished by who reads: each allocation of that fails in turn. */
static void finish_without_memory(void)
{
	struct swp_problem problem = {""};
	unsigned long nth = 0, made;
	char *whole_text;

	begin_with_worker("finishing without memory", 2, 8);
	stage_work_all(STAGE_WORKER);
	const struct swp_asker asker = {
		.loop = stage.loop, .store = swp_sweep_store(stage.sweep), .patience_ms = MINUTE};
	leave_unfinished();
	stage_check(swp_finish_run(&asker, swp_sweep_id(stage.sweep), &problem) == 0, "it can be finished");
	whole_text = report_text(&asker, &problem);
	stage_check(whole_text != NULL, "and reported");
	swp_log_setup(stderr, SWP_LOG_TEXT, SWP_LOG_ERROR + 1, "stage", player_clock());
	do {
		char *text;
		int error;

		leave_unfinished();
		problem.text[0] = '\0';
		swp_alloc_fail_at(++nth, 0);
		error = swp_finish_run(&asker, swp_sweep_id(stage.sweep), &problem);
		made = swp_alloc_fail_at(0, 0);
		text = error == 0 ? report_text(&asker, &problem) : NULL;
		if (text && strcmp(text, whole_text) != 0)
			player_fail("allocation %lu failed, and another report came out", nth);
		if (!text && problem.text[0] == '\0')
			player_fail("allocation %lu failed, and nobody says why it is not finished", nth);
		free(text);
	} while (made >= nth);
	printf("  %lu allocations\n", nth - 1);
	stage_check(nth > 20, "allocations were made to fail");
	free(whole_text);
	stage_close();
}

/* --- going on with it --- */

/* The coordinator before came to an end when all was sealed, and some rows had no path yet: the sweep's row and `path_less` as then. */
static struct swp_resume *leave_to_another(const char *path_less)
{
	const struct swp_asker asker = {
		.loop = stage.loop, .store = swp_sweep_store(stage.sweep), .patience_ms = MINUTE};
	struct swp_region *region = swp_region_new(0);
	struct swp_record_account row = account_row(path_less, region);
	struct swp_buf bytes = {0};
	struct swp_resume *resume = NULL;
	struct swp_problem problem = {""};
	char key[SWP_KEY_BYTES];

	row.path = NULL;
	if (swp_account_encode(&row, &bytes) < 0 ||
		swp_key_format(SWP_KEY_ACCOUNTS, swp_sweep_id(stage.sweep), NULL, NULL, key) < 0)
		player_fail("no row");
	leave_unfinished();
	player_store_put(key, path_less, bytes.data, bytes.length);
	if (swp_resume_load(&asker, swp_sweep_id(stage.sweep), &resume, &problem) < 0)
		player_fail("%s", problem.text);
	swp_buf_done(&bytes);
	swp_region_free(region);
	stage_free_sweep();
	stage.finished = false;
	stage.options.resume = resume;
	return resume;
}

static void begin_to_leave(const char *scenario)
{
	stage_open(scenario);
	stage.answer_times = 2;
	stage_answer_identity();
	stage_answer_accounts(1);
	stage_answer_sessions();
	stage_start();
	stage_greet(STAGE_WORKER, 8);
	stage_take_plan(STAGE_WORKER);
	stage_work_all(STAGE_WORKER);
}

static bool is_listed(void *context)
{
	(void)context;
	return player_requests("ListAccounts") == 2;
}

static void hold_by_another(const char *row)
{
	static const char holder[] = "11111111/1/1/1";

	player_store_put(row, SWP_OWNER_FIELD_OWNER, holder, strlen(holder));
	player_store_put(row, SWP_OWNER_FIELD_UNTIL, "9000000000000", 13);
}

/* The names of units are known before it is asked what is sealed of the accounts (`held`: another has the sweep until then), or meanwhile:
 * the path comes into their rows all the same. */
static void resumed_when_names_are_known(bool held)
{
	struct swp_region *region = swp_region_new(0);
	struct swp_resume *resume;
	char row[SWP_KEY_BYTES];

	begin_to_leave("resumed, and names come early");
	if (swp_key_format(SWP_KEY_SWEEP, swp_sweep_id(stage.sweep), NULL, NULL, row) < 0)
		player_fail("no key");
	resume = leave_to_another(STAGE_MEMBER);
	if (held)
		hold_by_another(row);
	stage_start();
	player_until(is_listed, NULL, 5 * SECOND);
	if (!held) {
		player_advance(5); /* owned, and its accounts not yet there */
		player_store_away("gone");
		player_advance(5 * SECOND);
		player_store_back(false);
	}
	stage_until_finished(MINUTE);
	expect_end(SWP_SWEEP_END_SWEPT, SWP_SWEEP_COMPLETE);
	stage_check(swp_text_equal(account_row(STAGE_MEMBER, region).path, "Root"), "the path is told");
	swp_region_free(region);
	stage_close();
	swp_resume_free(resume);
}

static void resumed_while_the_store_is_slow(void)
{
	resumed_when_names_are_known(false);
}

static void resumed_after_another_had_it(void)
{
	resumed_when_names_are_known(true);
}

/* Somebody who lives has it: as long as it is waited for nothing is written, though the accounts are listed meanwhile. */
static void resumed_while_another_has_it(void)
{
	char row[SWP_KEY_BYTES], accounts[SWP_KEY_BYTES];
	struct swp_resume *resume;

	stage_open("resumed, and another has it");
	stage.answer_times = 2;
	stage_answer_identity();
	player_answer((struct player_answer){.call = "ListAccounts",
		.times = 2,
		.body = "{\"Accounts\":[{\"Id\":\"111111111111\",\"Name\":\"m\",\"State\":\"ACTIVE\","
			"\"Paths\":[\"o-stage/r-1/111111111111/\"]},{\"Id\":\"222222222222\",\"Name\":\"a\","
			"\"State\":\"SUSPENDED\",\"Paths\":[\"o-stage/r-1/222222222222/\"]}]}"});
	player_answer((struct player_answer){
		.call = "ListRoots", .times = 2, .body = "{\"Roots\":[{\"Id\":\"r-1\",\"Name\":\"Root\"}]}"});
	stage_answer_sessions();
	stage_start();
	stage_greet(STAGE_WORKER, 8);
	stage_take_plan(STAGE_WORKER);
	stage_work_all(STAGE_WORKER);
	if (swp_key_format(SWP_KEY_SWEEP, swp_sweep_id(stage.sweep), NULL, NULL, row) < 0 ||
		swp_key_format(SWP_KEY_ACCOUNTS, swp_sweep_id(stage.sweep), NULL, NULL, accounts) < 0)
		player_fail("no key");
	resume = leave_to_another(STAGE_MEMBER);
	player_store_script(SWP_SCRIPT_WRITE, accounts, (const char *const[]){"DEL"}, 1);
	hold_by_another(row);
	stage_start();
	player_advance(5 * SECOND);
	stage_check(player_requests("ListAccounts") == 2, "the accounts are listed");
	stage_check(!player_store_has(accounts), "nothing is written before it is ours");
	stage_until_finished(MINUTE);
	expect_end(SWP_SWEEP_END_SWEPT, SWP_SWEEP_COMPLETE);
	stage_check(player_store_has(accounts), "and then it is");
	stage_close();
	swp_resume_free(resume);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} scenarios[] = {
		{"whole", whole},
		{"dispatch_beside_enumeration", dispatch_beside_enumeration},
		{"worker_lost", worker_lost},
		{"late_commit", late_commit},
		{"duplicate_done", duplicate_done},
		{"three_losses", three_losses},
		{"renewal", renewal},
		{"greets_again", greets_again},
		{"cancelled", cancelled},
		{"cancelled_with_aws_hanging", cancelled_with_aws_hanging},
		{"deadline", deadline},
		{"breaks_off", breaks_off},
		{"organizations_refused", organizations_refused},
		{"matches_nothing", matches_nothing},
		{"role_refused", role_refused},
		{"page_instead_of_a_session", page_instead_of_a_session},
		{"token_is_no_text", token_is_no_text},
		{"sts_region_disabled", sts_region_disabled},
		{"store_lost_a_record", store_lost_a_record},
		{"store_goes_back_at_the_end", store_goes_back_at_the_end},
		{"store_away_too_long", store_away_too_long},
		{"store_refuses_workers", store_refuses_workers},
		{"store_can_be_read_only", store_can_be_read_only},
		{"worker_that_is_too_old", worker_that_is_too_old},
		{"store_takes_nothing", store_takes_nothing},
		{"cancelled_without_store", cancelled_without_store},
		{"store_never_there", store_never_there},
		{"lost_replies", lost_replies},
		{"without_memory", without_memory},
		{"report_without_memory", report_without_memory},
		{"finish_without_memory", finish_without_memory},
		{"resumed_while_the_store_is_slow", resumed_while_the_store_is_slow},
		{"resumed_after_another_had_it", resumed_after_another_had_it},
		{"resumed_while_another_has_it", resumed_while_another_has_it},
	};

	for (size_t i = 0; i < SWP_ARRAY_SIZE(scenarios); i++) {
		if (argc > 1 && strcmp(argv[1], scenarios[i].name) != 0)
			continue;
		puts(scenarios[i].name);
		fflush(stdout);
		scenarios[i].run();
	}
	return 0;
}
