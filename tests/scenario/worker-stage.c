#include "tests/scenario/worker-stage.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/log.h"
#include "proto/record/keys.h"
#include "proto/record/record.h"
#include "proto/record/scripts.h"

static const char catalogue_text[] =
	"services:\n"
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
	"        page: {input: NextToken, output: NextToken}\n"
	"        result: Things\n"
	"        required: [Things]\n"
	"      ListBoxes:\n"
	"        page: {input: NextToken, output: NextToken}\n"
	"        result: Boxes\n"
	"        required: [Boxes]\n"
	"      DescribeThing:\n"
	"        required: [Arn, State]\n"
	"        gone: [{code: ThingNotFound}]\n"
	"  roster:\n"
	"    protocol: json-1.1\n"
	"    target: Roster\n"
	"    signing_name: roster\n"
	"    endpoint_prefix: roster\n"
	"    endpoint_variable: ROSTER\n"
	"    scope: global\n"
	"    rate: 4\n"
	"    regions: [aws]\n"
	"    probe: [ListNames, ListTeams]\n"
	"    operations:\n"
	"      ListNames:\n"
	"        result: Names\n"
	"        required: [Names]\n"
	"      ListTeams:\n"
	"        result: Teams\n"
	"        required: [Teams]\n"
	"resources:\n"
	"  roster-name:\n"
	"    service: roster\n"
	"    level: global\n"
	"    list: {operation: ListNames}\n"
	"    item: {required: [Arn]}\n"
	"    identity: \"{list.Arn}\"\n"
	"  roster-team:\n"
	"    service: roster\n"
	"    level: organization\n"
	"    list: {operation: ListTeams}\n"
	"    item: {required: [Arn]}\n"
	"    identity: \"{list.Arn}\"\n"
	"  thing:\n"
	"    service: things\n"
	"    list: {operation: ListThings}\n"
	"    item: {required: [Arn, Name]}\n"
	"    identity: \"{list.Arn}\"\n"
	"    steps:\n"
	"      describe: {operation: DescribeThing, input: {Name: $list.Name}, required: [Arn, State], gone: "
	"vanished}\n"
	"checks:\n"
	"  aws-things-001:\n"
	"    title: A thing is open\n"
	"    service: things\n"
	"    severity: HIGH\n"
	"    resource: thing\n"
	"    fail_when: {path: describe.State, equals: Open}\n"
	"    evidence: {State: {path: describe.State}, Note: {path: describe.Note}}\n"
	"    rationale: Open things are seen by everybody.\n"
	"    remediation: {text: Close it., cli: aws things close, terraform: \"none\", effort: low, "
	"documentation: \"https://docs.aws.amazon.com/\"}\n"
	"    compliance: []\n"
	"    aliases: []\n"
	"  aws-roster-001:\n"
	"    title: A name is wrong\n"
	"    service: roster\n"
	"    severity: LOW\n"
	"    resource: roster-name\n"
	"    fail_when: {path: list.State, equals: Wrong}\n"
	"    evidence: {State: {path: list.State}}\n"
	"    rationale: x.\n"
	"    remediation: {text: x, cli: x, terraform: x, effort: low, documentation: "
	"\"https://docs.aws.amazon.com/\"}\n"
	"    compliance: []\n"
	"    aliases: []\n"
	"  aws-roster-002:\n"
	"    title: A team is wrong\n"
	"    service: roster\n"
	"    severity: LOW\n"
	"    resource: roster-team\n"
	"    fail_when: {path: list.State, equals: Wrong}\n"
	"    evidence: {State: {path: list.State}}\n"
	"    rationale: x.\n"
	"    remediation: {text: x, cli: x, terraform: x, effort: low, documentation: "
	"\"https://docs.aws.amazon.com/\"}\n"
	"    compliance: []\n"
	"    aliases: []\n";

struct stage stage;

void stage_check(bool condition, const char *what)
{
	if (!condition)
		player_fail("%s", what);
}

void stage_expect_metric(const char *sample, double value)
{
	struct swp_buf text = {0};
	char line[512];
	const char *at;

	if (swp_worker_metrics_write(stage.worker, &text) < 0)
		player_fail("no metrics");
	snprintf(line, sizeof(line), "\norgsweep_worker_%s ", sample);
	at = strstr(swp_buf_text(&text), line);
	if (!at)
		player_fail("no %s in\n%s", sample, swp_buf_text(&text));
	if (strtod(at + strlen(line), NULL) != value)
		player_fail("%s is %.20s, not %g", sample, at + strlen(line), value);
	swp_buf_done(&text);
}

void stage_expect_ready(const char *why_not)
{
	struct swp_problem why = {""};
	int r = swp_worker_ready(stage.worker, &why);

	if ((r == 0) != !why_not || (why_not && !strstr(why.text, why_not)))
		player_fail("ready: %d, %s; expected %s", r, why.text, why_not ? why_not : "yes");
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
}

static void ended(void *context, int exit_code)
{
	(void)context;
	stage.exit_code = exit_code;
}

void stage_open_alone(const char *scenario, unsigned coordinators)
{
	static const char *const endpoints[] = {"tcp://c1:1", "tcp://c2:1", "tcp://c3:1"};
	const struct swp_worker_settings settings = {
		.name = "player",
		.host = "stage",
		.endpoints = endpoints,
		.endpoint_count = coordinators,
		.keys = &stage.keys,
		.server_public_key = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID",
		.ended = ended,
	};
	struct swp_problem problem = {""};

	player_begin(scenario);
	stage = (struct stage){.exit_code = -1};
	swp_log_setup(stderr, SWP_LOG_TEXT, SWP_LOG_ERROR, "worker", player_clock());
	make_catalogue();
	swp_bus_keys_make(&stage.keys);
	stage.loop = swp_loop_new(player_clock());
	stage.worker = swp_worker_new(stage.loop, &settings, &problem);
	if (!stage.worker)
		player_fail("no worker: %s", problem.text);
	player_advance(10);
}

void stage_welcome(unsigned link)
{
	const struct swp_message welcome = {
		.type = SWP_MESSAGE_WELCOME, .welcome = {.protocol = SWP_WIRE_VERSION}};
	struct swp_message hello;

	player_take(link, SWP_MESSAGE_HELLO, &hello);
	swp_message_done(&hello);
	player_send(link, &welcome);
	player_keep_alive(link, true);
	player_settle();
}

void stage_name_sweep(unsigned link)
{
	static const char *const checks[] = {"aws-roster-001", "aws-roster-002", "aws-things-001"};
	struct swp_message sweep = {.type = SWP_MESSAGE_SWEEP,
		.sweep = {.sweep = STAGE_SWEEP,
			.catalogue = swp_catalogue_hash(stage.catalogue),
			.selection = checks,
			.selection_count = 3,
			.partition = "aws",
			.management_account = "111111111111",
			.started_at_ms = 1764230400000}};

	player_send(link, &sweep);
	player_settle();
}

void stage_sweep(unsigned link)
{
	struct swp_message catalogue = {
		.type = SWP_MESSAGE_CATALOGUE, .catalogue = {.hash = swp_catalogue_hash(stage.catalogue)}};
	struct swp_message wanted;

	stage_name_sweep(link);
	player_take(link, SWP_MESSAGE_WANT_CATALOGUE, &wanted);
	stage_check(strcmp(wanted.want_catalogue.hash, swp_catalogue_hash(stage.catalogue)) == 0,
		"another catalogue is wanted");
	swp_message_done(&wanted);
	catalogue.catalogue.compiled.bytes =
		swp_catalogue_compiled(stage.catalogue, &catalogue.catalogue.compiled.length);
	player_send(link, &catalogue);
	player_settle();
}

void stage_open(const char *scenario)
{
	stage_open_alone(scenario, 1);
	stage_welcome(0);
	stage_sweep(0);
}

void stage_close(void)
{
	swp_worker_free(stage.worker);
	swp_loop_free(stage.loop);
	swp_catalogue_unref(stage.catalogue);
	swp_bus_keys_done(&stage.keys);
	player_end();
}

const char *stage_key(const char *region)
{
	static char key[SWP_KEY_BYTES];

	if (swp_key_format(SWP_KEY_JOB, STAGE_SWEEP, STAGE_ACCOUNT, region, key) < 0)
		player_fail("no key for region %s", region);
	return key;
}

/* Keys for two days, the service and the probe's. */
/* `sessions` 2: the service's keys are those of a second session, "ASIAMORE". */
static struct swp_wire_session more_session;
static unsigned sessions = 1;
void stage_sessions(unsigned count)
{
	sessions = count;
}

static void fill_credentials(struct swp_wire_credentials *credentials, struct swp_wire_signing_key keys[6],
	const char *region, int64_t expires_at_ms)
{
	static const char *const days[] = {"20261122", "20261123"}, *const services[] = {
									    "things", "sts", "roster"};
	static char bytes[] = "0123456789abcdef0123456789abcdef", token[] = "token";

	for (int i = 0; i < 6; i++)
		keys[i] = (struct swp_wire_signing_key){
			days[i / 3], i % 3 == 2 ? "us-east-1" : region, services[i % 3], {bytes, 32}};
	*credentials = (struct swp_wire_credentials){"ASIAEXAMPLE", {token, 5}, expires_at_ms, keys, 6};
	if (sessions < 2)
		return;
	more_session = (struct swp_wire_session){"ASIAMORE", {token, 5}};
	credentials->more = &more_session;
	credentials->more_count = 1;
	for (int i = 0; i < 6; i += 3)
		keys[i].session = 1;
}

void stage_job_with(unsigned link, uint64_t number, uint64_t epoch, const char *region, int64_t expires_in_ms)
{
	struct swp_wire_signing_key keys[6];
	struct swp_message job = {.type = SWP_MESSAGE_JOB,
		.job = {.job = number,
			.epoch = epoch,
			.attempt = 1,
			.sweep = STAGE_SWEEP,
			.account = STAGE_ACCOUNT,
			.region = region}};

	fill_credentials(&job.job.credentials, keys, region,
		expires_in_ms < 0 ? 0 : swp_clock_wall_ms(player_clock()) + expires_in_ms);
	player_send(link, &job);
	if (stage.fail_at)
		swp_alloc_fail_at(stage.fail_at, 0);
	player_settle();
}

void stage_job_of_level(uint64_t number, enum swp_level level)
{
	static const char *const arguments[] = {"player", "1", "1"};
	const char *part = level == SWP_LEVEL_ORGANIZATION ? SWP_JOB_ORGANIZATION : SWP_JOB_GLOBAL;
	struct swp_wire_signing_key keys[6];
	struct swp_message job = {.type = SWP_MESSAGE_JOB,
		.job = {.job = number,
			.epoch = 1,
			.sweep = STAGE_SWEEP,
			.account = STAGE_ACCOUNT,
			.region = "global",
			.level = level}};

	player_store_script(SWP_SCRIPT_GRANT, stage_key(part), arguments, 3);
	fill_credentials(
		&job.job.credentials, keys, "us-east-1", swp_clock_wall_ms(player_clock()) + 3600000);
	player_send(0, &job);
	player_settle();
}

void stage_job(uint64_t number, const char *region)
{
	static const char *const arguments[] = {"player", "1", "1"};
	int64_t epoch = player_store_script(
		SWP_SCRIPT_GRANT, stage_key(region ? region : STAGE_REGION), arguments, 3);

	stage_job_with(0, number, (uint64_t)epoch, region ? region : STAGE_REGION, 3600000);
}

void stage_credentials(uint64_t number, uint64_t epoch, uint64_t refused)
{
	struct swp_wire_signing_key keys[6];
	struct swp_message message = {.type = SWP_MESSAGE_CREDENTIALS,
		.credentials = {.job = number, .epoch = epoch, .refused = refused}};

	if (!refused)
		fill_credentials(&message.credentials.credentials, keys, STAGE_REGION,
			swp_clock_wall_ms(player_clock()) + 3600000);
	player_send(0, &message);
	player_settle();
}

void stage_cancel(uint64_t number, uint64_t epoch, bool all)
{
	const struct swp_message message = {.type = SWP_MESSAGE_CANCEL, .cancel = {number, epoch, "", all}};

	player_send(0, &message);
	player_settle();
}

void stage_expect_done(uint64_t number, uint64_t epoch, enum swp_done_how how)
{
	struct swp_message done;

	player_take(0, SWP_MESSAGE_DONE, &done);
	if (done.done.job != number || done.done.epoch != epoch || done.done.how != how)
		player_fail("DONE of job %" PRIu64 ", epoch %" PRIu64 ", how %" PRIu64 " instead of %" PRIu64
			    ", %" PRIu64 ", %d",
			done.done.job, done.done.epoch, done.done.how, number, epoch, (int)how);
	swp_message_done(&done);
}

/* --- what was committed --- */

static void read_part(const char *key, uint32_t index, struct stage_record *record)
{
	struct swp_part_reader *reader;
	struct swp_record_row row;
	char field[16];
	const char *bytes;
	size_t length = 0;
	int r;

	snprintf(field, sizeof(field), "p%" PRIu32, index);
	bytes = player_store_get(key, field, &length);
	if (!bytes || swp_part_reader_new(bytes, length, &reader) < 0)
		player_fail("part %s of %s is not there or broken", field, key);
	while ((r = swp_part_next(reader, &row)) == 1) {
		if (row.kind != SWP_RECORD_RESULT)
			continue;
		record->rows[row.result.status]++;
		if (row.result.gap.reason && !record->first_gap_code[0])
			snprintf(record->first_gap_code, sizeof(record->first_gap_code), "%s",
				row.result.gap.error_code);
	}
	stage_check(r == 0, "a part can't be read to its end");
	swp_part_reader_free(reader);
}

struct stage_record stage_record(const char *region)
{
	const char *key = stage_key(region);
	struct stage_record record = {0};
	struct swp_record_seal seal;
	struct swp_seal_reader reader;
	struct swp_record_cell cell;
	size_t length = 0;
	const char *bytes = player_store_get(key, SWP_JOB_FIELD_SEAL, &length);

	if (!bytes)
		return record;
	stage_check(swp_seal_open(&reader, bytes, length, &seal) == 0, "the seal is broken");
	stage_check(seal.cell_count == 1 && swp_seal_next_cell(&reader, &cell) == 1,
		"there is not exactly one cell");
	record = (struct stage_record){.sealed = true,
		.answered = seal.answered,
		.parts = seal.parts,
		.status = cell.status,
		.reason = cell.reason,
		.not_applicable = cell.not_applicable,
		.calls = seal.calls,
		.throttled = seal.throttled,
		.vanished = seal.vanished};
	for (uint32_t i = 0; i < seal.parts; i++)
		read_part(key, i, &record);
	return record;
}

void stage_expect_cell(const char *region, unsigned status, unsigned reason)
{
	struct stage_record record = stage_record(region);

	stage_check(record.sealed, "the job is not sealed");
	if (record.status != status || record.reason != reason)
		player_fail("the cell is %u with reason %u instead of %u with %u", record.status,
			record.reason, status, reason);
}
