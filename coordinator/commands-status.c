/* orgsweep status: who leads, sweeps, workers. orgsweep sweeps: the sweeps alone. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "coordinator/claim.h"
#include "coordinator/commands.h"
#include "coordinator/json-writer.h"
#include "coordinator/report.h"
#include "proto/base/alloc.h"
#include "proto/base/clock.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/io/owner.h"
#include "proto/record/keys.h"

struct sweep_row {
	char state[16], status[16], organization[64], name[64], owner[SWP_OWNER_BYTES];
	char term[24], counted[72]; /* as SWP_SWEEP_FIELD_ACCOUNTS */
	int64_t started_at_ms, ended_at_ms, until_ms;
	int64_t planned_jobs, done_jobs;    /* -1: not told yet */
	int64_t accounts, accounts_planned; /* -1: not known */
};

static int keep_sweep_field(void *context, const char *field, const struct swp_store_reply *value)
{
	struct sweep_row *row = context;
	const struct {
		const char *field;
		char *text;
		size_t size;
	} texts[] = {{SWP_SWEEP_FIELD_STATE, row->state, sizeof(row->state)},
		{SWP_SWEEP_FIELD_STATUS, row->status, sizeof(row->status)},
		{SWP_SWEEP_FIELD_ORGANIZATION, row->organization, sizeof(row->organization)},
		{SWP_SWEEP_FIELD_NAME, row->name, sizeof(row->name)},
		{SWP_OWNER_FIELD_TERM, row->term, sizeof(row->term)},
		{SWP_SWEEP_FIELD_ACCOUNTS, row->counted, sizeof(row->counted)},
		{SWP_OWNER_FIELD_OWNER, row->owner, sizeof(row->owner)}};
	for (size_t i = 0; i < SWP_ARRAY_SIZE(texts); i++)
		if (swp_text_equal(texts[i].field, field))
			snprintf(texts[i].text, texts[i].size, "%s", value->bytes);
	const struct {
		const char *field;
		int64_t *number;
	} numbers[] = {{SWP_SWEEP_FIELD_STARTED_AT, &row->started_at_ms},
		{SWP_SWEEP_FIELD_ENDED_AT, &row->ended_at_ms}, {SWP_OWNER_FIELD_UNTIL, &row->until_ms},
		{SWP_SWEEP_FIELD_PLANNED_JOBS, &row->planned_jobs},
		{SWP_SWEEP_FIELD_DONE_JOBS, &row->done_jobs}};
	for (size_t i = 0; i < SWP_ARRAY_SIZE(numbers); i++)
		if (swp_text_equal(field, numbers[i].field))
			(void)swp_parse_i64(value->bytes, 0, INT64_MAX, numbers[i].number);
	return 0;
}

/* What was counted under another term is not all: an earlier version, which counts nothing, has gone on with the sweep. */
static void read_counted(struct sweep_row *row)
{
	char *rows = strchr(row->counted, ' ');
	char *planned = rows ? strchr(rows + 1, ' ') : NULL;

	row->accounts = row->accounts_planned = -1;
	if (!planned)
		return;
	*rows++ = *planned++ = '\0';
	if (!swp_text_equal(row->counted, row->term) || swp_parse_i64(rows, 0, INT64_MAX, &row->accounts) ||
		swp_parse_i64(planned, 0, INT64_MAX, &row->accounts_planned))
		row->accounts = row->accounts_planned = -1;
}

static int read_sweep(
	const struct swp_asker *asker, const char *id, struct sweep_row *row, struct swp_problem *problem)
{
	char key[SWP_KEY_BYTES];
	int error = swp_key_format(SWP_KEY_SWEEP, id, NULL, NULL, key);
	if (!error)
		error = swp_ask_hash(asker, key, keep_sweep_field, row, problem);
	if (!error)
		read_counted(row);
	return error;
}

/* Running: its coordinator holds a lease on it, by the store's clock, and is not known to be gone. */
static const char *shown_status(const struct sweep_row *row, int64_t store_ms)
{
	if (swp_text_equal(row->state, "finished") && *row->status)
		return row->status;
	return swp_claim_goes_on(row->until_ms, store_ms) && !swp_owner_is_dead(row->owner) ? "running"
											    : "resumable";
}

static void print_count(struct swp_json_writer *json, const char *name, int64_t count)
{
	if (count < 0)
		swp_json_text_or_null(json, name, "");
	else
		swp_json_number(json, name, (uint64_t)count);
}

#define SOME_OF_BYTES 80

static const char *some_of(
	int64_t some, int64_t all, const char *what, const char *unknown, char ret_text[static SOME_OF_BYTES])
{
	if (all < 0 || some < 0)
		return unknown;
	snprintf(ret_text, SOME_OF_BYTES, "%" PRId64 " of %" PRId64 " %s", some, all, what);
	return ret_text;
}

static void print_row(struct swp_json_writer *json, bool as_json, const char *id, const struct sweep_row *row,
	int64_t store_ms)
{
	char started[SWP_TIME_TEXT_BYTES], jobs[SOME_OF_BYTES], accounts[SOME_OF_BYTES];
	if (!as_json) {
		swp_time_format(row->started_at_ms, started);
		printf("%-28s %-10s %s  %s, %s  %s%s%s\n", id, shown_status(row, store_ms), started,
			some_of(row->done_jobs, row->planned_jobs, "jobs", "jobs not told yet", jobs),
			some_of(row->accounts_planned, row->accounts, "accounts planned",
				"accounts not counted", accounts),
			row->organization, *row->name ? "  " : "", row->name);
		return;
	}
	swp_json_object_begin(json, NULL, true);
	print_count(json, "accounts", row->accounts);
	print_count(json, "accounts_planned", row->accounts_planned);
	swp_json_number(json, "done_jobs", row->done_jobs < 0 ? 0 : (uint64_t)row->done_jobs);
	swp_json_time(json, "finished_at", row->ended_at_ms > 0 ? row->ended_at_ms : -1);
	swp_json_text(json, "id", id);
	swp_json_text_or_null(json, "name", row->name);
	swp_json_text_or_null(json, "organization_id", row->organization);
	swp_json_number(json, "planned_jobs", row->planned_jobs < 0 ? 0 : (uint64_t)row->planned_jobs);
	swp_json_time(json, "started_at", row->started_at_ms);
	swp_json_text(json, "status", shown_status(row, store_ms));
	swp_json_object_end(json);
}

static int keep_time(void *context, const struct swp_store_reply *reply)
{
	int64_t seconds = 0;
	if (reply->type == SWP_STORE_REPLY_LIST && reply->item_count == 2)
		(void)swp_parse_i64(reply->items[0].bytes, 0, INT64_MAX / 1000, &seconds);
	*(int64_t *)context = seconds * 1000;
	return 0;
}

static int ask_time(const struct swp_asker *asker, int64_t *ret_ms, struct swp_problem *problem)
{
	const struct swp_store_argument time = SWP_STORE_TEXT_ARGUMENT("TIME");
	return swp_ask(asker, &time, 1, keep_time, ret_ms, problem);
}

static int print_sweeps(const struct swp_asker *asker, const struct swp_sweep_ids *ids,
	struct swp_json_writer *json, bool as_json, int64_t store_ms, struct swp_problem *problem)
{
	int error = 0;
	if (as_json)
		swp_json_array_begin(json, "sweeps", false);
	for (size_t i = 0; !error && i < ids->count; i++) {
		struct sweep_row row = {.planned_jobs = -1, .done_jobs = -1};
		error = read_sweep(asker, ids->ids[i], &row, problem);
		if (!error)
			print_row(json, as_json, ids->ids[i], &row, store_ms);
	}
	if (as_json)
		swp_json_array_end(json);
	else if (!error && !ids->count)
		puts("the store holds no sweep yet");
	return error;
}

/* --- who leads --- */

struct leader_row {
	char host[SWP_HOST_BYTES], owner[SWP_OWNER_BYTES];
	int64_t term, since_ms, until_ms;
};

static int keep_leader_field(void *context, const char *field, const struct swp_store_reply *value)
{
	struct leader_row *row = context;
	const struct {
		const char *field;
		int64_t *number;
	} numbers[] = {{SWP_OWNER_FIELD_TERM, &row->term}, {SWP_OWNER_FIELD_SINCE, &row->since_ms},
		{SWP_OWNER_FIELD_UNTIL, &row->until_ms}};
	for (size_t i = 0; i < SWP_ARRAY_SIZE(numbers); i++)
		if (swp_text_equal(field, numbers[i].field))
			(void)swp_parse_i64(value->bytes, 0, INT64_MAX, numbers[i].number);
	if (swp_text_equal(field, SWP_OWNER_FIELD_HOST))
		snprintf(row->host, sizeof(row->host), "%s", value->bytes);
	if (swp_text_equal(field, SWP_OWNER_FIELD_OWNER))
		snprintf(row->owner, sizeof(row->owner), "%s", value->bytes);
	return 0;
}

static int print_leader(const struct swp_asker *asker, struct swp_json_writer *json, bool as_json,
	int64_t store_ms, struct swp_problem *problem)
{
	struct leader_row row = {.term = 0};
	char key[SWP_KEY_BYTES], since[SWP_TIME_TEXT_BYTES];
	int error = swp_key_format(SWP_KEY_LEADER, NULL, NULL, NULL, key);
	if (!error)
		error = swp_ask_hash(asker, key, keep_leader_field, &row, problem);
	bool leads = swp_claim_goes_on(row.until_ms, store_ms) && !swp_owner_is_dead(row.owner);
	if (error)
		return error;
	if (!as_json && leads) {
		swp_time_format(row.since_ms, since);
		printf("leader: %s since %s (term %lld)\n", row.host, since, (long long)row.term);
	} else if (as_json && !leads) {
		swp_json_text_or_null(json, "leader", "");
	} else if (as_json) {
		swp_json_object_begin(json, "leader", true);
		swp_json_text(json, "host", row.host);
		swp_json_time(json, "since", row.since_ms);
		swp_json_number(json, "term", (uint64_t)row.term);
		swp_json_object_end(json);
	}
	return 0;
}

/* --- workers --- */

#define WORKER_SILENT_MS 20000 /* its coordinator tells of it every 2.5 s */

struct worker_listing {
	struct swp_json_writer *json;
	bool as_json;
	int64_t store_ms;
};

static void print_worker(
	const struct worker_listing *listing, const char *name, const char *state, const json_t *row)
{
	const char *host = json_string_value(json_object_get(row, "host"));
	const char *version = json_string_value(json_object_get(row, "version"));
	json_int_t jobs = json_integer_value(json_object_get(row, "jobs"));
	json_int_t calls = json_integer_value(json_object_get(row, "calls"));
	SWP_CLEANUP(swp_buf_done) struct swp_buf line = {0};
	if (listing->as_json) {
		swp_json_object_begin(listing->json, NULL, true);
		swp_json_number(listing->json, "calls", (uint64_t)calls);
		swp_json_text(listing->json, "host", host ? host : "");
		swp_json_number(listing->json, "jobs", (uint64_t)jobs);
		swp_json_text(listing->json, "name", name);
		swp_json_text(listing->json, "state", state);
		swp_json_text(listing->json, "version", version ? version : "");
		swp_json_object_end(listing->json);
		return;
	}
	swp_buf_append_format(&line, "worker %s on %s: %s, %lld jobs, %lld calls, version %s", name,
		host ? host : "?", state, (long long)jobs, (long long)calls, version ? version : "?");
	SWP_CLEANUP(swp_buf_done) struct swp_buf clean = {0};
	(void)swp_text_clean(&clean, swp_buf_text(&line), line.length);
	puts(swp_buf_text(&clean));
}

static int worker_row(void *context, const char *name, const struct swp_store_reply *value)
{
	const struct worker_listing *listing = context;
	json_t *row = json_loadb(value->bytes, value->length, 0, NULL);
	const char *state = json_string_value(json_object_get(row, "state"));
	int64_t silent_ms = listing->store_ms - json_integer_value(json_object_get(row, "seen_ms"));
	bool silent = silent_ms > WORKER_SILENT_MS;
	/* One that was drained has left. */
	if (state && silent_ms < SWP_PRUNE_WORKER_MS && !(silent && swp_text_equal(state, "draining")))
		print_worker(listing, name, silent ? "lost" : state, row);
	json_decref(row);
	return 0;
}

static int print_workers(const struct swp_asker *asker, struct swp_json_writer *json, bool as_json,
	int64_t store_ms, struct swp_problem *problem)
{
	struct worker_listing listing = {json, as_json, store_ms};
	char key[SWP_KEY_BYTES];
	int error = swp_key_format(SWP_KEY_WORKERS, NULL, NULL, NULL, key);
	if (as_json)
		swp_json_array_begin(json, "workers", false);
	if (!error)
		error = swp_ask_hash(asker, key, worker_row, &listing, problem);
	if (as_json)
		swp_json_array_end(json);
	return error;
}

/* --- the whole --- */

static int print_all(const struct swp_asker *asker, const struct swp_sweep_ids *ids,
	const struct swp_options *options, struct swp_problem *problem)
{
	struct swp_json_writer json;
	int64_t store_ms = 0;
	bool as_json = swp_options_flag(options, SWP_OPT_JSON);
	bool whole = options->command->command == SWP_COMMAND_STATUS;
	int error = ask_time(asker, &store_ms, problem);
	swp_json_writer_init(&json, stdout);
	if (as_json)
		swp_json_object_begin(&json, NULL, false);
	if (!error && whole)
		error = print_leader(asker, &json, as_json, store_ms, problem);
	if (!error)
		error = print_sweeps(asker, ids, &json, as_json, store_ms, problem);
	if (!error && whole)
		error = print_workers(asker, &json, as_json, store_ms, problem);
	if (as_json) {
		swp_json_object_end(&json);
		(void)swp_json_writer_finish(&json);
	}
	return error;
}

static int run(struct swp_settings *settings, struct swp_problem *problem)
{
	struct swp_reading *reading = NULL;
	struct swp_sweep_ids *ids = NULL;
	int error = swp_settings_store(settings, problem);
	if (!error)
		error = swp_reading_open(settings, &reading, problem);
	if (!error)
		error = swp_ask_newest_sweeps(swp_reading_asker(reading), &ids, problem);
	if (!error)
		error = print_all(swp_reading_asker(reading), ids, &settings->options, problem);
	swp_reading_close(reading);
	swp_free(ids);
	return error;
}

int swp_command_status(const struct swp_command_row *command, int argc, char *const *argv)
{
	return swp_command_run(command, argc, argv, run);
}
