#include "tests/scenario/coordinator-stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/sweep-internal.h"
#include "proto/base/alloc.h"
#include "proto/base/log.h"
#include "proto/io/process.h"
#include "proto/io/terminal.h"
#include "proto/record/keys.h"
#include "proto/record/record.h"
#include "proto/record/scripts.h"

struct coordinator_stage stage;

static const char catalogue_text[] = "services:\n"
				     "  things:\n"
				     "    protocol: json-1.1\n"
				     "    target: Things\n"
				     "    signing_name: things\n"
				     "    endpoint_prefix: things\n"
				     "    endpoint_variable: THINGS\n"
				     "    scope: regional\n"
				     "    rate: 4\n"
				     "    regions: [eu-west-1]\n"
				     "    probe: [ListThings, ListBoxes]\n"
				     "    operations:\n"
				     "      ListThings:\n"
				     "        result: Things\n"
				     "        required: [Things]\n"
				     "      ListBoxes:\n"
				     "        result: Boxes\n"
				     "        required: [Boxes]\n"
				     "resources:\n"
				     "  thing:\n"
				     "    service: things\n"
				     "    list: {operation: ListThings}\n"
				     "    item: {required: [Arn]}\n"
				     "    identity: \"{list.Arn}\"\n"
				     "checks:\n"
				     "  aws-things-001:\n"
				     "    title: A thing is open\n"
				     "    service: things\n"
				     "    severity: HIGH\n"
				     "    resource: thing\n"
				     "    fail_when: {path: list.State, equals: Open}\n"
				     "    evidence: {State: {path: list.State}}\n"
				     "    rationale: x.\n"
				     "    remediation: {text: x, cli: x, terraform: x, effort: low, "
				     "documentation: \"https://docs.aws.amazon.com/\"}\n"
				     "    compliance: []\n"
				     "    aliases: []\n";

/* --- what is not played: processes and terminals, which a sweep with a given store and no local workers never asks for --- */

struct swp_process *swp_process_start(struct swp_loop *loop, const struct swp_process_options *options,
	swp_process_ended ended, void *context, struct swp_problem *problem)
{
	(void)loop;
	(void)options;
	(void)ended;
	(void)context;
	swp_problem_set(problem, -1, "no processes on this stage");
	return NULL;
}

void swp_process_free(struct swp_process *process)
{
	(void)process;
}

void swp_process_signal(struct swp_process *process, int number)
{
	(void)process;
	(void)number;
}

struct swp_terminal *swp_terminal_new(struct swp_loop *loop)
{
	(void)loop;
	return NULL;
}

void swp_terminal_free(struct swp_terminal *terminal)
{
	(void)terminal;
}

const struct swp_credential_prompt *swp_terminal_prompt(struct swp_terminal *terminal)
{
	(void)terminal;
	return NULL;
}

/* --- checks --- */

void stage_check(bool condition, const char *what)
{
	if (!condition)
		player_fail("%s", what);
}

static void complain(const struct swp_lint_message *message, void *context)
{
	(void)context;
	player_fail("the stage's catalogue, line %u: %s", message->line, message->text);
}

static void make_catalogue(void)
{
	const struct swp_catalogue_file file = {"things.yaml", catalogue_text, sizeof(catalogue_text) - 1};
	struct swp_buf compiled = {0};
	struct swp_problem problem = {""};

	if (swp_catalogue_compile(&file, 1, NULL, complain, NULL, &compiled) != 0 ||
		swp_catalogue_load(compiled.data, compiled.length, &stage.catalogue, &problem) != 0)
		player_fail("the stage's catalogue: %s", problem.text);
	swp_buf_done(&compiled);
	swp_selection_all(stage.catalogue, &stage.selection);
}

/* --- what AWS says --- */

void stage_answer_identity(void)
{
	player_answer((struct player_answer){.call = "GetCallerIdentity",
		.times = stage.answer_times,
		.body = "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::111111111111:"
			"user/auditor</Arn>"
			"<UserId>U</UserId><Account>111111111111</Account></GetCallerIdentityResult></"
			"GetCallerIdentityResponse>"});
	player_answer((struct player_answer){.call = "DescribeOrganization",
		.times = stage.answer_times,
		.body = "{\"Organization\":{\"Id\":\"o-stage\",\"MasterAccountId\":\"111111111111\"}}"});
}

void stage_answer_listed(unsigned members)
{
	static char body[4096];
	size_t length;

	length = (size_t)snprintf(body, sizeof(body),
		"{\"Accounts\":[{\"Id\":\"111111111111\",\"Name\":\"management\",\"State\":\"ACTIVE\","
		"\"Paths\":[\"o-stage/r-1/111111111111/\"]}");
	for (unsigned i = 0; i < members; i++) {
		char id[13] = "222222222222";

		memset(id, '2' + (char)i, 12);
		length += (size_t)snprintf(body + length, sizeof(body) - length,
			",{\"Id\":\"%s\",\"Name\":\"member-%u\",\"State\":\"ACTIVE\",\"Paths\":[\"o-stage/"
			"r-1/%s/\"]}",
			id, i, id);
	}
	snprintf(body + length, sizeof(body) - length, "]}");
	player_answer(
		(struct player_answer){.call = "ListAccounts", .times = stage.answer_times, .body = body});
}

void stage_answer_accounts(unsigned members)
{
	stage_answer_listed(members);
	player_answer((struct player_answer){.call = "ListRoots",
		.times = stage.answer_times,
		.body = "{\"Roots\":[{\"Id\":\"r-1\",\"Name\":\"Root\"}]}"});
}

void stage_answer_sessions(void)
{
	player_answer((struct player_answer){.call = "AssumeRole",
		.times = PLAYER_ALWAYS,
		.body = "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIASTAGE</"
			"AccessKeyId>"
			"<SecretAccessKey>stage-secret</SecretAccessKey><SessionToken>stage-token</"
			"SessionToken>"
			"<Expiration>2026-11-22T09:00:00Z</Expiration></Credentials></AssumeRoleResult></"
			"AssumeRoleResponse>"});
	player_answer((struct player_answer){.call = "POST /listRegions",
		.times = PLAYER_ALWAYS,
		.body = "{\"Regions\":[{\"RegionName\":\"eu-west-1\",\"RegionOptStatus\":\"ENABLED_BY_"
			"DEFAULT\"},"
			"{\"RegionName\":\"af-south-1\",\"RegionOptStatus\":\"DISABLED\"}]}"});
}

/* --- the sweep --- */

void stage_finished(void *context, const struct swp_sweep_result *result)
{
	(void)context;
	stage.finished = true;
	stage.result = *result;
	stage.problem = *result->problem;
}

static void set_environment(void)
{
	static const char *const unset[] = {"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN",
		"AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "AWS_DEFAULT_REGION"};

	for (size_t i = 0; i < SWP_ARRAY_SIZE(unset); i++)
		unsetenv(unset[i]);
	setenv("AWS_ACCESS_KEY_ID", "AKIASTAGE", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "own-secret", 1);
	setenv("AWS_REGION", STAGE_REGION, 1);
	setenv("AWS_CONFIG_FILE", "/nonexistent/config", 1);
	setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials", 1);
}

void stage_open(const char *scenario)
{
	memset(&stage, 0, sizeof(stage));
	player_begin(scenario);
	player_ignore(SWP_MESSAGE_END_SWEEP, true);
	set_environment();
	swp_log_setup(stderr, SWP_LOG_TEXT, SWP_LOG_ERROR, "stage", player_clock());
	memcpy(stage.folder, "/tmp/orgsweep-stage-XXXXXX", sizeof("/tmp/orgsweep-stage-XXXXXX"));
	if (!mkdtemp(stage.folder))
		player_fail("no folder under /tmp");
	make_catalogue();
	stage.loop = swp_loop_new(player_clock());
	stage.options = (struct swp_sweep_options){.role_name = "OrgsweepAudit",
		.catalogue = stage.catalogue,
		.selection = &stage.selection,
		.listen = "tcp://127.0.0.1:0",
		.store = &stage.store,
		.state_folder = stage.folder,
		.endpoints = &stage.endpoints};
}

void stage_start(void)
{
	const struct swp_sweep_events events = {.finished = stage_finished};
	struct swp_problem problem = {""};

	stage.sweep = swp_sweep_new(stage.loop, &stage.options, &events, &problem);
	if (!stage.sweep || swp_sweep_start(stage.sweep) < 0)
		player_fail("the sweep does not start: %s", problem.text);
}

void stage_free_sweep(void)
{
	player_ignore(SWP_MESSAGE_BYE, true); /* now, and at no other time */
	swp_sweep_free(stage.sweep);
	player_ignore(SWP_MESSAGE_BYE, false);
}

void stage_close(void)
{
	stage_free_sweep();
	swp_loop_free(stage.loop);
	swp_catalogue_unref(stage.catalogue);
	if (rmdir(stage.folder) < 0)
		player_fail("something is left in %s", stage.folder);
	player_end();
}

/* --- a worker --- */

void stage_let_in(void)
{
	if (swp_fleet_allow(swp_hub_fleet(stage.sweep->hub), "w", "w") < 0)
		player_fail("out of memory");
}

void stage_greet(swp_bus_peer peer, unsigned credits)
{
	struct swp_message hello = {.type = SWP_MESSAGE_HELLO,
		.hello = {.protocol = SWP_WIRE_VERSION,
			.version = "0",
			.name = "w",
			.host = "h",
			.pid = 1,
			.credits = credits}};
	struct swp_message welcome = {0};

	stage_let_in();
	player_peer_says(peer, "w", &hello);
	player_settle();
	player_peer_take(peer, SWP_MESSAGE_WELCOME, &welcome);
	stage_check(welcome.welcome.lease_ms == SWP_LEASE_MS, "the welcome tells the lease");
	swp_message_done(&welcome);
}

void stage_take_plan(swp_bus_peer peer)
{
	struct swp_message plan = {0};

	for (int i = 0; i < 100 && !player_peer_has(peer, SWP_MESSAGE_SWEEP); i++)
		player_advance(50);
	player_peer_take(peer, SWP_MESSAGE_SWEEP, &plan);
	stage_check(strcmp(plan.sweep.partition, "aws") == 0 &&
			    strcmp(plan.sweep.organization_id, "o-stage") == 0,
		"the plan tells partition and organization");
	swp_message_done(&plan);
}

struct stage_job stage_take_job(swp_bus_peer peer)
{
	struct swp_message message = {0};
	struct stage_job job;

	for (int i = 0; i < 100 && !player_peer_has(peer, SWP_MESSAGE_JOB); i++)
		player_advance(50);
	player_peer_take(peer, SWP_MESSAGE_JOB, &message);
	job = (struct stage_job){.job = message.job.job,
		.epoch = message.job.epoch,
		.attempt = message.job.attempt,
		.level = message.job.level,
		.keys = message.job.credentials.key_count};
	snprintf(job.account, sizeof(job.account), "%s", message.job.account);
	snprintf(job.region, sizeof(job.region), "%s", message.job.region);
	snprintf(job.access_key_id, sizeof(job.access_key_id), "%s", message.job.credentials.access_key_id);
	swp_message_done(&message);
	return job;
}

static void key_of(const struct stage_job *job, char key[static SWP_KEY_BYTES])
{
	if (swp_key_format(SWP_KEY_JOB, swp_sweep_id(stage.sweep), job->account, job->region, key) < 0)
		player_fail("no key for %s %s", job->account, job->region);
}

/* The seal of a job with one PASS cell and no rows, through the real script's twin. */
int64_t stage_seal(const struct stage_job *job)
{
	const struct swp_record_seal seal = {
		.parts = 0, .calls = 1, .answered = true, .worker = "w", .cell_count = 1};
	const struct swp_record_cell cell = {.check = 0, .status = 2, .not_applicable = 1};
	struct swp_buf bytes = {0};
	char key[SWP_KEY_BYTES], epoch[24];
	const char *granted;

	key_of(job, key);
	snprintf(epoch, sizeof(epoch), "%llu", (unsigned long long)job->epoch);
	granted = player_store_get(key, "e", NULL);
	if (!granted || strcmp(granted, epoch) != 0)
		return SWP_SCRIPT_STALE;
	if (player_store_get(key, "s", NULL))
		return 0;
	if (swp_seal_encode(&seal, &cell, &bytes) < 0)
		player_fail("no seal");
	player_store_put(key, "s", bytes.data, bytes.length);
	player_store_put(key, "t", "1795334400000", 13);
	swp_buf_done(&bytes);
	return 1;
}

void stage_done(swp_bus_peer peer, const struct stage_job *job, unsigned how)
{
	struct swp_message message = {.type = SWP_MESSAGE_DONE,
		.done = {.job = job->job,
			.epoch = job->epoch,
			.how = how,
			.not_applicable = 1,
			.answered = true,
			.calls = 1}};

	player_peer_says(peer, "w", &message);
	player_settle();
}

void stage_beat(swp_bus_peer peer, const struct stage_job *jobs, size_t count, int64_t ms)
{
	struct swp_wire_lease leases[64];
	struct swp_message message = {.type = SWP_MESSAGE_HEARTBEAT,
		.heartbeat = {.jobs = leases,
			.job_count = count,
			.calls = STAGE_CALLS_BEFORE,
			.store_away = stage.store_away}};

	stage_check(count <= SWP_ARRAY_SIZE(leases), "too many jobs for one heartbeat of the stage");
	for (size_t i = 0; i < count; i++)
		leases[i] = (struct swp_wire_lease){jobs[i].job, jobs[i].epoch};
	for (; ms > 0; ms -= 1000) {
		player_peer_says(peer, "w", &message);
		player_advance(ms < 1000 ? ms : 1000);
	}
}

void stage_work_all(swp_bus_peer peer)
{
	for (int i = 0; i < 2000 && !stage.finished; i++) {
		if (!player_peer_has(peer, SWP_MESSAGE_JOB)) {
			stage_beat(peer, NULL, 0, 100);
			continue;
		}
		struct stage_job job = stage_take_job(peer);

		stage_done(peer, &job, stage_seal(&job) < 0 ? SWP_DONE_STALE : SWP_DONE_SEALED);
	}
	stage_check(stage.finished, "the sweep has finished");
}

void stage_until_finished(int64_t limit_ms)
{
	for (; limit_ms > 0 && !stage.finished; limit_ms -= 100)
		player_advance(100);
	stage_check(stage.finished, "the sweep has finished in time");
}

const char *stage_meta(const char *field)
{
	char key[SWP_KEY_BYTES];
	const char *text;

	if (swp_key_format(SWP_KEY_SWEEP, swp_sweep_id(stage.sweep), NULL, NULL, key) < 0)
		player_fail("no key");
	text = player_store_get(key, field, NULL);
	return text ? text : "";
}
