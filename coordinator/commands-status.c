/* orgsweep status: the sweeps that the store holds, newest first, and how far each is. */
#include <errno.h>
#include <string.h>

#include "coordinator/commands.h"
#include "coordinator/json-writer.h"
#include "coordinator/report.h"
#include "proto/base/alloc.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/io/owner.h"
#include "proto/record/keys.h"
#include "proto/record/record.h"

#define STATUS_SWEEPS "100"

struct sweep_ids {
	char ids[128][SWP_KEY_BYTES];
	size_t count;
};

static int keep_ids(void *context, const struct swp_store_reply *reply)
{
	struct sweep_ids *ids = context;
	for (size_t i = 0;
		reply->type == SWP_STORE_REPLY_LIST && i < reply->item_count && i < SWP_ARRAY_SIZE(ids->ids);
		i++) {
		const struct swp_store_reply *item = &reply->items[i];
		if (item->type != SWP_STORE_REPLY_TEXT || item->length >= sizeof(ids->ids[0]))
			return -EPROTO;
		memcpy(ids->ids[ids->count++], item->bytes, item->length + 1);
	}
	return 0;
}

struct sweep_row {
	char state[16], status[16], organization[64], name[64], owner[SWP_OWNER_BYTES];
	int64_t started_at_ms, ended_at_ms, until_ms;
	uint64_t accounts, accounts_planned;
	struct swp_region *memory;
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
		{SWP_OWNER_FIELD_OWNER, row->owner, sizeof(row->owner)}};
	for (size_t i = 0; i < SWP_ARRAY_SIZE(texts); i++)
		if (swp_text_equal(texts[i].field, field))
			snprintf(texts[i].text, texts[i].size, "%s", value->bytes);
	if (swp_text_equal(field, SWP_SWEEP_FIELD_STARTED_AT))
		(void)swp_parse_i64(value->bytes, 0, INT64_MAX, &row->started_at_ms);
	if (swp_text_equal(field, SWP_SWEEP_FIELD_ENDED_AT))
		(void)swp_parse_i64(value->bytes, 0, INT64_MAX, &row->ended_at_ms);
	if (swp_text_equal(field, SWP_OWNER_FIELD_UNTIL))
		(void)swp_parse_i64(value->bytes, 0, INT64_MAX, &row->until_ms);
	return 0;
}

static int count_account(void *context, const char *field, const struct swp_store_reply *value)
{
	struct sweep_row *row = context;
	struct swp_record_account account;
	(void)field;
	swp_region_reset(row->memory);
	int error = swp_account_decode(value->bytes, value->length, row->memory, &account);
	if (error)
		return error;
	row->accounts++;
	row->accounts_planned += !account.not_planned;
	return 0;
}

static int read_sweep(
	const struct swp_asker *asker, const char *id, struct sweep_row *row, struct swp_problem *problem)
{
	char key[SWP_KEY_BYTES];
	int error = swp_key_format(SWP_KEY_SWEEP, id, NULL, NULL, key);
	if (!error)
		error = swp_ask_hash(asker, key, keep_sweep_field, row, problem);
	if (!error)
		error = swp_key_format(SWP_KEY_ACCOUNTS, id, NULL, NULL, key);
	return error ? error : swp_ask_hash(asker, key, count_account, row, problem);
}

/* Running: its coordinator holds a lease on it, by the store's clock, and is not known to be gone. */
static const char *shown_status(const struct sweep_row *row, int64_t store_ms)
{
	if (swp_text_equal(row->state, "finished") && *row->status)
		return row->status;
	return row->until_ms > store_ms && !swp_owner_is_dead(row->owner) ? "running" : "resumable";
}

static void print_row(struct swp_json_writer *json, bool as_json, const char *id, const struct sweep_row *row,
	int64_t store_ms)
{
	char started[SWP_TIME_TEXT_BYTES];
	if (!as_json) {
		swp_time_format(row->started_at_ms, started);
		printf("%-28s %-10s %s  %llu of %llu accounts planned  %s\n", id, shown_status(row, store_ms),
			started, (unsigned long long)row->accounts_planned, (unsigned long long)row->accounts,
			row->organization);
		return;
	}
	swp_json_object_begin(json, NULL, true);
	swp_json_number(json, "accounts", row->accounts);
	swp_json_number(json, "accounts_planned", row->accounts_planned);
	swp_json_time(json, "finished_at", row->ended_at_ms > 0 ? row->ended_at_ms : -1);
	swp_json_text(json, "id", id);
	swp_json_text_or_null(json, "name", row->name);
	swp_json_text_or_null(json, "organization_id", row->organization);
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

static int print_sweeps(
	const struct swp_asker *asker, const struct sweep_ids *ids, bool as_json, struct swp_problem *problem)
{
	struct swp_json_writer json;
	int64_t store_ms = 0;
	int error = ask_time(asker, &store_ms, problem);
	swp_json_writer_init(&json, stdout);
	if (as_json) {
		swp_json_object_begin(&json, NULL, false);
		swp_json_array_begin(&json, "sweeps", false);
	}
	for (size_t i = 0; !error && i < ids->count; i++) {
		struct sweep_row row = {.memory = swp_region_new(0)};
		error = row.memory ? read_sweep(asker, ids->ids[i], &row, problem) : -ENOMEM;
		if (!error)
			print_row(&json, as_json, ids->ids[i], &row, store_ms);
		swp_region_free(row.memory);
	}
	if (!error && as_json) {
		swp_json_array_end(&json);
		swp_json_object_end(&json);
		(void)swp_json_writer_finish(&json);
	} else if (!error && !ids->count) {
		puts("the store holds no sweep yet");
	}
	return error;
}

static int run(struct swp_settings *settings, struct swp_problem *problem)
{
	struct swp_reading *reading = NULL;
	char key[SWP_KEY_BYTES];
	struct sweep_ids *ids = swp_calloc(1, sizeof(*ids));
	int error = ids ? swp_settings_store(settings, problem) : -ENOMEM;
	if (!error)
		error = swp_reading_open(settings, &reading, problem);
	if (!error)
		error = swp_key_format(SWP_KEY_INDEX, NULL, NULL, NULL, key);
	struct swp_store_argument arguments[] = {SWP_STORE_TEXT_ARGUMENT("ZREVRANGE"),
		SWP_STORE_TEXT_ARGUMENT(error ? "" : key), SWP_STORE_TEXT_ARGUMENT("0"),
		SWP_STORE_TEXT_ARGUMENT(STATUS_SWEEPS)};
	if (!error)
		error = swp_ask(swp_reading_asker(reading), arguments, SWP_ARRAY_SIZE(arguments), keep_ids,
			ids, problem);
	if (!error)
		error = print_sweeps(swp_reading_asker(reading), ids,
			swp_options_flag(&settings->options, SWP_OPT_JSON), problem);
	swp_reading_close(reading);
	swp_free(ids);
	return error;
}

int swp_command_status(const struct swp_command_row *command, int argc, char *const *argv)
{
	struct swp_settings settings = {0};
	struct swp_problem problem = {""};
	int error = swp_settings_resolve(&settings, command, argc, argv, &problem);
	if (!error && !swp_command_helped(&settings))
		error = run(&settings, &problem);
	if (error)
		swp_command_complain(
			"%s", *problem.text ? problem.text : strerror(error < 0 ? -error : error));
	swp_settings_done(&settings);
	return error ? SWP_EXIT_COULD_NOT : SWP_EXIT_OK;
}
