/* The model of a sweep in the store; see the header.
 *
 * Three layers: loading (sweep, catalogue, accounts, gaps), an account's rows (records decoded, missing cells made), walks over them.
 */
#include "coordinator/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checks/correlation.h"
#include "coordinator/account-rows.h"
#include "coordinator/records.h"
#include "proto/aws/endpoint.h"
#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/base/map.h"
#include "proto/base/region.h"
#include "proto/base/text.h"
#include "proto/record/keys.h"

struct account_state {
	struct swp_report_account shown;
	struct swp_region
		*memory; /* of the row; one for all accounts would do, but rows are decoded one by one */
	unsigned char *chains; /* one bit a chain that has instances here; NULL: none */
};

struct over_chain { /* one instance over accounts, packed; order is made once */
	char *bytes;
	size_t length;
	struct swp_region *memory;
	struct swp_record_chain chain;
};

struct swp_report {
	struct swp_asker asker;
	char sweep[SWP_KEY_BYTES];
	struct swp_region *memory;
	struct swp_map *fields; /* of the sweep's hash */
	struct swp_catalogue *catalogue;
	struct swp_selection selection;
	struct account_state *accounts;
	struct swp_account_rows *account_rows; /* while they are read */
	size_t account_count, account_capacity;
	struct swp_report_check *checks;
	struct swp_map *regions_failed; /* "check\0region" seen, for the count of regions */
	struct swp_record_gap *plain_gaps;
	size_t plain_gap_count;
	struct swp_report_gap_group *groups;
	size_t group_count;
	const char **closed_regions; /* sorted */
	size_t closed_region_count;
	struct over_chain *over;
	size_t over_count;
	struct swp_report_totals totals;
	bool needs_global, needs_organization, lost, missing;
};

/* ------------------------------------------------------------------------------------------------ loading */

static int keep_field(void *context, const char *field, const struct swp_store_reply *value)
{
	struct swp_report *report = context;
	char *copy = swp_region_strndup(report->memory, value->bytes, value->length);
	return copy ? swp_map_put(report->fields, field, copy, NULL) : -ENOMEM;
}

const char *swp_report_field(const struct swp_report *report, const char *field)
{
	const char *text = swp_map_get(report->fields, field);
	return text ? text : "";
}

static int64_t time_field(const struct swp_report *report, const char *field)
{
	int64_t value = 0;
	return swp_parse_i64(swp_report_field(report, field), 0, INT64_MAX, &value) ? 0 : value;
}

/* What lies in the store is not what we write. */
static bool is_damage(int error)
{
	return error == -EBADMSG || error == -EPROTONOSUPPORT || error == -EINVAL;
}

/* `problem` names what is damaged, or nothing; makes a sentence of it. */
static void tell_damage(const char *sweep, int error, struct swp_problem *problem)
{
	struct swp_problem what = *problem;

	if (error == -EPROTO) /* the store's own words */
		swp_problem_set(
			problem, error, "sweep %s can't be read from the store: %s", sweep, what.text);
	else if (is_damage(error))
		swp_problem_set(problem, error, "sweep %s can't be read from the store: %s%s", sweep,
			what.text[0] ? what.text : "a record",
			error == -EPROTONOSUPPORT ? " was written by another version of orgsweep"
						  : " is damaged; something else writes to it. Sweep again");
}

static int tell_unread(int error, const char *account, struct swp_problem *problem)
{
	if (is_damage(error))
		return swp_problem_set(problem, error, "a record of account %s", account);
	if (error == -ENOMEM)
		return swp_problem_set(problem, error, "out of memory while account %s was read", account);
	return swp_problem_set(problem, error, "the store went away while account %s was read", account);
}

/* The fields without which the others mean nothing. */
static int check_sweep(const struct swp_report *report, struct swp_problem *problem)
{
	uint64_t version, started;

	if (swp_parse_u64(swp_report_field(report, SWP_SWEEP_FIELD_VERSION), UINT32_MAX, &version) ||
		swp_parse_u64(swp_report_field(report, SWP_SWEEP_FIELD_STARTED_AT), INT64_MAX, &started))
		return swp_problem_set(problem, -EBADMSG, "its row");
	return version == SWP_RECORD_VERSION ? 0 : swp_problem_set(problem, -EPROTONOSUPPORT, "it");
}

static int load_sweep(struct swp_report *report, struct swp_problem *problem)
{
	char key[SWP_KEY_BYTES];
	int error = swp_key_format(SWP_KEY_SWEEP, report->sweep, NULL, NULL, key);
	if (error)
		return swp_problem_set(
			problem, -ENOENT, "'%s' is no sweep id; see `orgsweep status`", report->sweep);
	error = swp_ask_hash(&report->asker, key, keep_field, report, problem);
	if (!error && !swp_map_count(report->fields))
		return swp_problem_set(problem, -ENOENT,
			"the store holds no sweep '%s'; see `orgsweep status`", report->sweep);
	return error ? error : check_sweep(report, problem);
}

static int load_catalogue(struct swp_report *report, struct swp_problem *problem)
{
	int error = swp_ask_catalogue(&report->asker, swp_report_field(report, SWP_SWEEP_FIELD_CATALOGUE),
		&report->catalogue, problem);

	if (error == -ENOENT)
		swp_problem_set(problem, error, "the store lost the catalogue of sweep %s", report->sweep);
	if (error == -EBADMSG)
		swp_problem_set(problem, error, "its catalogue");
	return error;
}

/* The selection is kept as check ids; one that the catalogue does not know is damage. */
static int load_selection(struct swp_report *report, struct swp_problem *problem)
{
	int error = swp_selection_parse(
		report->catalogue, swp_report_field(report, SWP_SWEEP_FIELD_SELECTION), &report->selection);

	if (error == -EBADMSG)
		swp_problem_set(problem, error, "its selection of checks");
	if (error)
		return error;
	for (size_t i = 0; i < swp_catalogue_check_count(report->catalogue); i++)
		report->checks[i].selected = swp_selection_has(&report->selection, i);
	report->needs_global =
		swp_selection_needs_level(report->catalogue, &report->selection, SWP_LEVEL_GLOBAL);
	report->needs_organization =
		swp_selection_needs_level(report->catalogue, &report->selection, SWP_LEVEL_ORGANIZATION);
	return 0;
}

static int keep_account(void *context, const char *field, const struct swp_store_reply *value)
{
	struct swp_report *report = context;
	struct account_state *account;
	(void)field;
	if (report->account_count == report->account_capacity) {
		size_t capacity = report->account_capacity ? report->account_capacity * 2 : 64;
		struct account_state *accounts = swp_realloc(report->accounts, capacity * sizeof(*accounts));
		if (!accounts)
			return -ENOMEM;
		report->accounts = accounts;
		report->account_capacity = capacity;
	}
	account = &report->accounts[report->account_count];
	*account = (struct account_state){0};
	int error =
		swp_account_rows_read(report->account_rows, value->bytes, value->length, &account->shown.row);
	if (!error)
		report->account_count++;
	return error;
}

static int compare_accounts(const void *a, const void *b)
{
	const struct account_state *left = a, *right = b;
	return strcmp(left->shown.row.id, right->shown.row.id);
}

/* HSCAN may give a field twice. */
static void accounts_without_doubles(struct swp_report *report)
{
	size_t kept = 0;
	qsort(report->accounts, report->account_count, sizeof(*report->accounts), compare_accounts);
	for (size_t i = 0; i < report->account_count; i++)
		if (!kept || !swp_text_equal(report->accounts[kept - 1].shown.row.id,
				     report->accounts[i].shown.row.id))
			report->accounts[kept++] = report->accounts[i];
	report->account_count = kept;
}

static int load_accounts(struct swp_report *report, struct swp_problem *problem)
{
	char key[SWP_KEY_BYTES];
	int error = swp_key_format(SWP_KEY_ACCOUNTS, report->sweep, NULL, NULL, key);
	report->account_rows = swp_account_rows_new(report->memory);
	if (!report->account_rows)
		return -ENOMEM;
	if (!error)
		error = swp_ask_hash(&report->asker, key, keep_account, report, problem);
	swp_account_rows_free(report->account_rows);
	report->account_rows = NULL;
	if (error)
		return is_damage(error) ? swp_problem_set(problem, error, "the list of accounts") : error;
	if (report->account_count)
		accounts_without_doubles(report);
	return 0;
}

static int keep_plain_gaps(void *context, const struct swp_store_reply *reply)
{
	struct swp_report *report = context;
	if (reply->type != SWP_STORE_REPLY_LIST)
		return reply->type == SWP_STORE_REPLY_NOTHING ? 0 : -EPROTO;
	report->plain_gaps =
		swp_region_alloc(report->memory, (reply->item_count + 1) * sizeof(*report->plain_gaps));
	if (!report->plain_gaps)
		return -ENOMEM;
	report->plain_gap_count = 0;
	for (size_t i = 0; i < reply->item_count; i++) {
		int error = reply->items[i].type != SWP_STORE_REPLY_TEXT
				    ? -EPROTO
				    : swp_gap_decode(reply->items[i].bytes, reply->items[i].length,
					      report->memory, &report->plain_gaps[report->plain_gap_count]);
		if (error)
			return error;
		report->plain_gap_count++;
	}
	return 0;
}

static int load_plain_gaps(struct swp_report *report, struct swp_problem *problem)
{
	char key[SWP_KEY_BYTES];
	int error = swp_key_format(SWP_KEY_GAPS, report->sweep, NULL, NULL, key);
	struct swp_store_argument arguments[] = {SWP_STORE_TEXT_ARGUMENT("LRANGE"),
		SWP_STORE_TEXT_ARGUMENT(key), SWP_STORE_TEXT_ARGUMENT("0"), SWP_STORE_TEXT_ARGUMENT("1000")};
	return error ? error
		     : swp_ask(&report->asker, arguments, SWP_ARRAY_SIZE(arguments), keep_plain_gaps, report,
			       problem);
}

/* ------------------------------------------------------------------------------------------------ an account's rows */

/* What one account × region ("global" too) has: rows as decoded, and one state for each selected check that has its cells there. */
struct place {
	const char *region; /* as reported */
	struct swp_report_row *rows;
	size_t row_count, row_capacity;
	struct swp_record_cell *cells; /* by check index; status SWP_RECORD_CODE_MAX + 1: none told */
};

#define CELL_UNTOLD (SWP_RECORD_CODE_MAX + 1)

struct account_view {
	struct swp_report *report;
	size_t account;
	struct swp_account_records *records;
	struct swp_record_bytes joined;
	struct swp_region *memory;
	struct place place;
};

static const char *row_reason(unsigned status, unsigned reason, unsigned not_applicable)
{
	if (status == SWP_STATUS_NOT_ASSESSED)
		return swp_reason_name(reason < SWP_REASON_COUNT ? (enum swp_reason)reason : SWP_REASON_NONE);
	if (status == SWP_STATUS_NOT_APPLICABLE)
		return swp_not_applicable_name((enum swp_not_applicable)not_applicable);
	return NULL;
}

static struct swp_report_row *place_row(struct account_view *view)
{
	struct place *place = &view->place;
	if (place->row_count == place->row_capacity) {
		size_t capacity = place->row_capacity ? place->row_capacity * 2 : 64;
		struct swp_report_row *rows = swp_realloc(place->rows, capacity * sizeof(*rows));
		if (!rows)
			return NULL;
		place->rows = rows;
		place->row_capacity = capacity;
	}
	struct swp_report_row *row = &place->rows[place->row_count++];
	*row = (struct swp_report_row){.account = view->account, .region = place->region};
	return row;
}

static const char *kept(struct account_view *view, const char *text)
{
	return text ? swp_region_strdup(view->memory, text) : NULL;
}

static int take_result(struct account_view *view, const struct swp_record_result *result)
{
	struct swp_report *report = view->report;
	if (result->check >= swp_catalogue_check_count(report->catalogue) ||
		!report->checks[result->check].selected || result->status > SWP_STATUS_NOT_ASSESSED)
		return 0;
	struct swp_report_row *row = place_row(view);
	if (!row)
		return -ENOMEM;
	row->check = result->check;
	row->status = (enum swp_status)result->status;
	row->resource = kept(view, result->resource);
	row->evidence = kept(view, result->evidence);
	row->reason = row_reason(result->status, result->gap.reason, result->not_applicable);
	row->gap_reason = (enum swp_reason)result->gap.reason;
	row->action = kept(view, result->gap.action);
	row->error_code = kept(view, result->gap.error_code);
	row->message = kept(view, result->gap.message);
	row->request_id = kept(view, result->gap.request_id);
	bool whole = row->action && row->error_code && row->message && row->request_id &&
		     (!result->resource || row->resource) && (!result->evidence || row->evidence);
	return whole ? 0 : -ENOMEM;
}

static void take_cell(struct account_view *view, const struct swp_record_cell *cell)
{
	struct swp_report *report = view->report;
	if (cell->check < swp_catalogue_check_count(report->catalogue) &&
		report->checks[cell->check].selected)
		view->place.cells[cell->check] = *cell;
}

static int take_part(struct account_view *view, const struct swp_record_bytes *part, const char *only_region)
{
	struct swp_part_reader *reader = NULL;
	struct swp_record_row row;
	int error = part->bytes ? swp_part_reader_new(part->bytes, part->length, &reader) : -EBADMSG;
	while (!error) {
		int more = swp_part_next(reader, &row);
		if (more <= 0) {
			error = more;
			break;
		}
		if (only_region && !swp_text_equal(row.region, only_region))
			continue;
		if (row.kind == SWP_RECORD_RESULT)
			error = take_result(view, &row.result);
		else if (row.kind == SWP_RECORD_CELL)
			take_cell(view, &row.cell);
	}
	swp_part_reader_free(reader);
	return error;
}

static int take_seal(struct account_view *view, const struct swp_job_record *job)
{
	struct swp_seal_reader reader;
	struct swp_record_seal seal;
	struct swp_record_cell cell;
	int error = swp_seal_open(&reader, job->seal.bytes, job->seal.length, &seal);
	for (int more = 1; !error && more > 0;) {
		more = swp_seal_next_cell(&reader, &cell);
		if (more > 0)
			take_cell(view, &cell);
		error = more < 0 ? more : 0;
	}
	for (size_t i = 0; !error && i < seal.parts; i++)
		error = i < job->part_count ? take_part(view, &job->parts[i], NULL) : -EBADMSG;
	return error;
}

/* Does the check have its cell in this place of this account? */
static bool has_cell(const struct swp_report *report, size_t account, size_t check, bool global)
{
	const struct swp_check *row = swp_catalogue_check(report->catalogue, check);
	if (!report->checks[check].selected)
		return false;
	if (row->level == SWP_LEVEL_REGION)
		return !global;
	if (!global)
		return false;
	if (row->level == SWP_LEVEL_GLOBAL)
		return true;
	return *swp_report_field(report, SWP_SWEEP_FIELD_ORGANIZATION) &&
	       swp_text_equal(report->accounts[account].shown.row.id,
		       swp_report_field(report, SWP_SWEEP_FIELD_MANAGEMENT_ACCOUNT));
}

static const char *job_part(const struct swp_check *check)
{
	return check->level == SWP_LEVEL_ORGANIZATION ? SWP_JOB_ORGANIZATION : SWP_JOB_GLOBAL;
}

static const struct swp_job_record *job_of(const struct account_view *view, const char *part)
{
	for (size_t i = 0; view->records && i < view->records->job_count; i++)
		if (swp_text_equal(view->records->jobs[i].region, part))
			return &view->records->jobs[i];
	return NULL;
}

/* A planned cell that nobody told of: its job did not end. */
static int make_missing(struct account_view *view, size_t check, bool global)
{
	struct swp_report *report = view->report;
	const struct swp_check *row = swp_catalogue_check(report->catalogue, check);
	const struct swp_record_account *account = &report->accounts[view->account].shown.row;
	const struct swp_job_record *job = job_of(view, global ? job_part(row) : view->place.region);
	struct swp_record_result result = {
		.check = check, .status = SWP_STATUS_NOT_ASSESSED, .gap = account->unread};
	SWP_CLEANUP(swp_buf_done) struct swp_buf arn = {0};
	int error = 0;
	if (!result.gap.reason)
		result.gap = (struct swp_record_gap){SWP_REASON_CANCELLED, "", "", "", ""};
	if (!account->unread.reason && job && job->lost)
		result.gap.reason = swp_text_equal(job->lost_why, swp_reason_name(SWP_REASON_STORE_LOST))
					    ? SWP_REASON_STORE_LOST
					    : SWP_REASON_WORKER_LOST;
	report->lost |=
		result.gap.reason == SWP_REASON_WORKER_LOST || result.gap.reason == SWP_REASON_STORE_LOST;
	report->missing |= result.gap.reason == SWP_REASON_CANCELLED;
	if (!row->per_resource) {
		error = swp_check_resource(row, swp_report_field(report, SWP_SWEEP_FIELD_PARTITION),
			account->id, view->place.region,
			swp_report_field(report, SWP_SWEEP_FIELD_ORGANIZATION), &arn);
		result.resource = swp_buf_text(&arn);
	}
	take_cell(view,
		&(struct swp_record_cell){
			.check = check, .status = SWP_STATUS_NOT_ASSESSED, .reason = result.gap.reason});
	return error ? error : take_result(view, &result);
}

static int compare_rows(const void *a, const void *b)
{
	const struct swp_report_row *left = a, *right = b;
	if (left->check != right->check)
		return left->check < right->check ? -1 : 1; /* the catalogue's order is bytewise by id */
	if (!left->resource || !right->resource)
		return (left->resource != NULL) - (right->resource != NULL);
	int order = strcmp(left->resource, right->resource);
	return order ? order : (int)left->status - (int)right->status;
}

static int take_job(struct account_view *view, const char *part)
{
	const struct swp_job_record *job = job_of(view, part);
	return job && job->sealed ? take_seal(view, job) : 0;
}

static int view_place(struct account_view *view, const char *region, bool global)
{
	struct swp_report *report = view->report;
	size_t checks = swp_catalogue_check_count(report->catalogue);
	swp_region_reset(view->memory);
	view->place.region = region;
	view->place.row_count = 0;
	for (size_t i = 0; i < checks; i++)
		view->place.cells[i] = (struct swp_record_cell){.check = i, .status = CELL_UNTOLD};
	int error = take_job(view, global ? SWP_JOB_GLOBAL : region);
	if (!error && global)
		error = take_job(view, SWP_JOB_ORGANIZATION);
	if (!error && view->joined.bytes)
		error = take_part(view, &view->joined, region);
	for (size_t i = 0; !error && i < checks; i++)
		if (has_cell(report, view->account, i, global) && view->place.cells[i].status == CELL_UNTOLD)
			error = make_missing(view, i, global);
	if (!error && view->place.row_count)
		qsort(view->place.rows, view->place.row_count, sizeof(*view->place.rows), compare_rows);
	return error;
}

/* --- reading one account --- */

struct pending_read {
	struct swp_records_read operation;
	struct swp_account_records *records;
	bool done;
};

static void read_done(struct swp_records_read *operation, struct swp_account_records *records)
{
	struct pending_read *pending = SWP_CONTAINER_OF(operation, struct pending_read, operation);
	pending->records = records;
	pending->done = true;
}

/* The jobs of an account that were planned: regions, global, organization. */
static size_t planned_parts(const struct swp_report *report, size_t index, const char **parts)
{
	const struct swp_record_account *account = &report->accounts[index].shown.row;
	size_t count = 0;
	if (account->not_planned || account->unread.reason)
		return 0;
	for (size_t i = 0; i < account->region_count; i++)
		parts[count++] = account->regions[i];
	if (report->needs_global)
		parts[count++] = SWP_JOB_GLOBAL;
	if (report->needs_organization && *swp_report_field(report, SWP_SWEEP_FIELD_ORGANIZATION) &&
		swp_text_equal(account->id, swp_report_field(report, SWP_SWEEP_FIELD_MANAGEMENT_ACCOUNT)))
		parts[count++] = SWP_JOB_ORGANIZATION;
	return count;
}

static int view_read(struct account_view *view, struct swp_problem *problem)
{
	struct swp_report *report = view->report;
	const struct swp_record_account *account = &report->accounts[view->account].shown.row;
	struct pending_read pending = {.done = false};
	char key[SWP_KEY_BYTES];
	SWP_CLEANUP(swp_free_pointer)
	const char **parts = swp_calloc(account->region_count + 3, sizeof(*parts));
	if (!parts)
		return -ENOMEM;
	size_t count = planned_parts(report, view->account, parts);
	if (!count)
		return 0;
	int error = swp_records_read(report->asker.store, report->sweep, account->id, parts, count, false,
		&pending.operation, read_done);
	while (!error && !pending.done)
		error = swp_loop_step(report->asker.loop, 50);
	if (!error && !pending.records)
		error = tell_unread(pending.operation.error, account->id, problem);
	view->records = pending.records;
	if (!error)
		error = swp_key_format(SWP_KEY_JOINED, report->sweep, account->id, NULL, key);
	if (!error)
		error = swp_ask_text(&report->asker, key, &view->joined.bytes, &view->joined.length, problem);
	return error;
}

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Calls `each` for the places of one account in order ("global" stands among the regions by its name). */
static int view_each_place(
	struct account_view *view, int (*each)(struct account_view *view, void *context), void *context)
{
	struct swp_report *report = view->report;
	const struct swp_record_account *account = &report->accounts[view->account].shown.row;
	SWP_CLEANUP(swp_free_pointer)
	const char **names = swp_calloc(account->region_count + 1, sizeof(*names));
	size_t count = 0;
	int error = names ? 0 : -ENOMEM;
	bool global = false;
	for (size_t i = 0; i < swp_catalogue_check_count(report->catalogue); i++)
		global |= has_cell(report, view->account, i, true);
	for (size_t i = 0; !error && i < account->region_count; i++)
		names[count++] = account->regions[i];
	if (!error && global)
		names[count++] = SWP_JOB_GLOBAL;
	if (!error && count)
		qsort(names, count, sizeof(*names), compare_text);
	for (size_t i = 0; !error && i < count; i++) {
		error = view_place(view, names[i], swp_text_equal(names[i], SWP_JOB_GLOBAL));
		if (!error)
			error = each(view, context);
	}
	return error;
}

static void view_done(struct account_view *view)
{
	swp_account_records_free(view->records);
	swp_free(view->joined.bytes);
	swp_free(view->place.rows);
	swp_free(view->place.cells);
	swp_region_free(view->memory);
}

/* Calls `each` for every place of every planned account that `wanted` says. */
static int each_place(struct swp_report *report, bool only_unread,
	int (*each)(struct account_view *view, void *context), void *context, struct swp_problem *problem)
{
	size_t checks = swp_catalogue_check_count(report->catalogue);
	SWP_CLEANUP(view_done) struct account_view view = {.report = report, .memory = swp_region_new(0)};
	view.place.cells = swp_calloc(checks + 1, sizeof(*view.place.cells));
	int error = view.memory && view.place.cells ? 0 : -ENOMEM;
	for (size_t i = 0; !error && i < report->account_count; i++) {
		if (report->accounts[i].shown.row.not_planned ||
			(only_unread && !report->accounts[i].shown.has_unread))
			continue;
		view.account = i;
		error = view_read(&view, problem);
		if (!error)
			error = view_each_place(&view, each, context);
		if (is_damage(error))
			swp_problem_set(
				problem, error, "a record of account %s", report->accounts[i].shown.row.id);
		swp_account_records_free(view.records);
		swp_free(view.joined.bytes);
		view.records = NULL;
		view.joined = (struct swp_record_bytes){0};
	}
	return error;
}

/* ------------------------------------------------------------------------------------------------ counting */

static bool is_closed(const struct swp_record_cell *cell)
{
	return cell->status == SWP_STATUS_NOT_APPLICABLE &&
	       cell->not_applicable == SWP_NOT_APPLICABLE_CLOSED_BY_SCP;
}

static void count_cell(struct swp_report *report, const struct swp_record_cell *cell)
{
	struct swp_report_totals *totals = &report->totals;
	uint64_t *const by_status[] = {[SWP_STATUS_PASS] = &totals->pass,
		[SWP_STATUS_FAIL] = &totals->fail,
		[SWP_STATUS_NOT_APPLICABLE] = &totals->not_applicable,
		[SWP_STATUS_NOT_ASSESSED] = &totals->not_assessed};
	if (cell->status >= SWP_ARRAY_SIZE(by_status))
		return;
	totals->planned++;
	(*by_status[cell->status])++;
	totals->partial += cell->status == SWP_STATUS_FAIL && cell->partial;
	totals->closed += is_closed(cell);
	report->lost |= cell->status == SWP_STATUS_NOT_ASSESSED &&
			(cell->reason == SWP_REASON_WORKER_LOST || cell->reason == SWP_REASON_STORE_LOST);
}

static int note_closed_region(struct swp_report *report, const char *region)
{
	size_t at = 0, count = report->closed_region_count;
	while (at < count && strcmp(report->closed_regions[at], region) < 0)
		at++;
	if (at < count && swp_text_equal(report->closed_regions[at], region))
		return 0;
	const char **regions =
		swp_realloc(report->closed_regions, (count + 1) * sizeof(*report->closed_regions));
	if (!regions)
		return -ENOMEM;
	report->closed_regions = regions;
	char *name = swp_region_strdup(report->memory, region);
	if (!name)
		return -ENOMEM;
	memmove(regions + at + 1, regions + at, (count - at) * sizeof(*regions));
	regions[at] = name;
	report->closed_region_count++;
	return 0;
}

static int count_gap(struct swp_report *report, const struct swp_report_row *row)
{
	struct swp_report_gap_group *group = NULL;
	for (size_t i = 0; i < report->group_count && !group; i++)
		if (report->groups[i].reason == row->gap_reason &&
			swp_text_equal(report->groups[i].action, row->action))
			group = &report->groups[i];
	if (!group) {
		struct swp_report_gap_group *groups =
			swp_realloc(report->groups, (report->group_count + 1) * sizeof(*groups));
		if (!groups)
			return -ENOMEM;
		report->groups = groups;
		group = &groups[report->group_count];
		*group = (struct swp_report_gap_group){.reason = row->gap_reason, .last_account = UINT32_MAX};
		group->action = swp_region_strdup(report->memory, row->action);
		if (!group->action)
			return -ENOMEM;
		report->group_count++;
	}
	group->cells++;
	if (group->last_account != row->account) {
		if (group->accounts < SWP_ARRAY_SIZE(group->first_accounts))
			group->first_accounts[group->accounts] = (uint32_t)row->account;
		group->accounts++;
		group->last_account = (uint32_t)row->account;
	}
	return 0;
}

static int count_failure(struct swp_report *report, const struct swp_report_row *row, uint32_t *last_account)
{
	struct swp_report_check *check = &report->checks[row->check];
	enum swp_severity severity = swp_catalogue_check(report->catalogue, row->check)->severity;
	char key[96];
	check->failed++;
	report->totals.findings[severity]++;
	report->accounts[row->account].shown.findings[severity]++;
	if (last_account[row->check] != (uint32_t)row->account + 1) {
		last_account[row->check] = (uint32_t)row->account + 1;
		check->accounts++;
	}
	snprintf(key, sizeof(key), "%zu %s", row->check, row->region);
	if (swp_map_get(report->regions_failed, key))
		return 0;
	check->regions++;
	return swp_map_put(report->regions_failed, key, check, NULL);
}

static int count_place(struct account_view *view, void *context)
{
	struct swp_report *report = view->report;
	size_t checks = swp_catalogue_check_count(report->catalogue);
	int error = 0;
	for (size_t i = 0; i < checks; i++) {
		count_cell(report, &view->place.cells[i]);
		if (!error && is_closed(&view->place.cells[i]))
			error = note_closed_region(report, view->place.region);
	}
	for (size_t i = 0; !error && i < view->place.row_count; i++) {
		const struct swp_report_row *row = &view->place.rows[i];
		if (row->status == SWP_STATUS_NOT_ASSESSED) {
			report->accounts[view->account].shown.has_unread = true;
			error = count_gap(report, row);
		} else if (row->status == SWP_STATUS_FAIL) {
			error = count_failure(report, row, context);
		}
	}
	return error;
}

static int compare_groups(const void *a, const void *b)
{
	const struct swp_report_gap_group *left = a, *right = b;
	if (left->cells != right->cells)
		return left->cells > right->cells ? -1 : 1;
	int order = strcmp(left->action, right->action);
	return order ? order : (int)left->reason - (int)right->reason;
}

static int count_rows(struct swp_report *report, struct swp_problem *problem)
{
	size_t checks = swp_catalogue_check_count(report->catalogue);
	SWP_CLEANUP(swp_free_pointer) uint32_t *last_account = swp_calloc(checks + 1, sizeof(*last_account));
	if (!last_account)
		return -ENOMEM;
	int error = each_place(report, false, count_place, last_account, problem);
	if (!error && report->group_count)
		qsort(report->groups, report->group_count, sizeof(*report->groups), compare_groups);
	return error;
}

/* Seals hold calls and times too; they are read in a pass of their own that needs no parts. */
static int count_seals(struct swp_report *report, size_t index, struct swp_problem *problem)
{
	struct account_state *account = &report->accounts[index];
	struct pending_read pending = {.done = false};
	SWP_CLEANUP(swp_free_pointer)
	const char **parts = swp_calloc(account->shown.row.region_count + 3, sizeof(*parts));
	if (!parts)
		return -ENOMEM;
	size_t count = planned_parts(report, index, parts);
	int error = count ? swp_records_read(report->asker.store, report->sweep, account->shown.row.id, parts,
				    count, true, &pending.operation, read_done)
			  : 0;
	while (!error && count && !pending.done)
		error = swp_loop_step(report->asker.loop, 50);
	if (!error && count && !pending.records)
		error = tell_unread(pending.operation.error, account->shown.row.id, problem);
	for (size_t i = 0; !error && pending.records && i < pending.records->job_count; i++) {
		const struct swp_job_record *job = &pending.records->jobs[i];
		struct swp_seal_reader reader;
		struct swp_record_seal seal;
		if (!job->sealed)
			continue;
		error = swp_seal_open(&reader, job->seal.bytes, job->seal.length, &seal);
		if (error) {
			swp_problem_set(problem, error, "the record of account %s in %s",
				account->shown.row.id, job->region);
			break;
		}
		report->totals.calls += seal.calls;
		report->totals.retried += seal.retried;
		report->totals.throttled += seal.throttled;
		report->totals.vanished += seal.vanished;
		account->shown.swept |= seal.answered;
		if (job->sealed_at_ms > report->totals.finished_at_ms)
			report->totals.finished_at_ms = job->sealed_at_ms;
	}
	swp_account_records_free(pending.records);
	return error;
}

static const char *account_reason(const struct swp_report *report, const struct swp_report_account *account)
{
	(void)report;
	if (account->swept)
		return "";
	if (account->row.not_planned)
		return account->row.excluded;
	if (account->row.unread.reason && account->row.unread.reason < SWP_REASON_COUNT)
		return swp_reason_name((enum swp_reason)account->row.unread.reason);
	if (account->row.reason && account->row.reason < SWP_REASON_COUNT)
		return swp_reason_name((enum swp_reason)account->row.reason);
	return account->row.region_count ? "no planned call was answered" : "no region in scope";
}

static int count_accounts(struct swp_report *report, struct swp_problem *problem)
{
	struct swp_report_totals *totals = &report->totals;
	totals->accounts_total = report->account_count;
	for (size_t i = 0; i < report->account_count; i++) {
		struct swp_report_account *account = &report->accounts[i].shown;
		int error = count_seals(report, i, problem);
		if (error)
			return error;
		totals->accounts_planned += !account->row.not_planned;
		totals->accounts_swept += account->swept;
		account->reason = account_reason(report, account);
		if (account->row.settled_at_ms > totals->finished_at_ms)
			totals->finished_at_ms = account->row.settled_at_ms;
	}
	return 0;
}

/* ------------------------------------------------------------------------------------------------ chains */

static void count_chain(struct swp_report *report, const struct swp_record_chain *chain)
{
	enum swp_severity severity = swp_catalogue_chain(report->catalogue, chain->chain)->severity;
	report->totals.chains[severity]++;
	report->totals.chains_confirmed[severity] += chain->confirmed;
}

struct chain_count {
	struct swp_report *report;
	struct account_state *account;
	struct swp_region *memory;
};

static int count_account_chains(void *context, const char *field, const struct swp_store_reply *value)
{
	struct chain_count *count = context;
	struct swp_report *report = count->report;
	size_t chains = swp_catalogue_chain_count(report->catalogue);
	struct swp_chain_reader reader;
	struct swp_record_chain chain;
	int more;
	(void)field;
	swp_chain_open(&reader, value->bytes, value->length);
	while ((more = swp_chain_next(&reader, count->memory, &chain)) > 0) {
		if (chain.chain >= chains)
			return -EBADMSG;
		if (!count->account->chains)
			count->account->chains = swp_region_alloc(report->memory, chains / 8 + 1);
		if (!count->account->chains)
			return -ENOMEM;
		count->account->chains[chain.chain / 8] |= (unsigned char)(1u << (chain.chain % 8));
		swp_region_reset(count->memory);
	}
	return more;
}

static int keep_over(void *context, const char *field, const struct swp_store_reply *value)
{
	struct swp_report *report = context;
	struct swp_chain_reader reader;
	(void)field;
	swp_chain_open(&reader, value->bytes, value->length);
	for (int more = 1; more > 0;) {
		struct swp_record_chain chain;
		more = swp_chain_next(&reader, report->memory, &chain);
		if (more <= 0)
			return more;
		if (chain.chain >= swp_catalogue_chain_count(report->catalogue))
			return -EBADMSG;
		struct over_chain *over = swp_realloc(report->over, (report->over_count + 1) * sizeof(*over));
		if (!over)
			return -ENOMEM;
		report->over = over;
		over[report->over_count++] = (struct over_chain){.chain = chain};
	}
	return 0;
}

static int compare_lists(const char *const *a, size_t a_count, const char *const *b, size_t b_count)
{
	for (size_t i = 0; i < a_count && i < b_count; i++) {
		int order = strcmp(a[i], b[i]);
		if (order)
			return order;
	}
	return (a_count > b_count) - (a_count < b_count);
}

static int compare_over(const void *a, const void *b)
{
	const struct swp_record_chain *left = &((const struct over_chain *)a)->chain,
				      *right = &((const struct over_chain *)b)->chain;
	if (left->chain != right->chain)
		return left->chain < right->chain ? -1 : 1;
	int order = strcmp(left->account, right->account);
	if (!order)
		order = compare_lists(left->regions, left->region_count, right->regions, right->region_count);
	return order ? order
		     : compare_lists(left->resources, left->resource_count, right->resources,
			       right->resource_count);
}

static int count_one_chain(void *context, const struct swp_record_chain *chain)
{
	count_chain(context, chain);
	return 0;
}

static int load_chains(struct swp_report *report, struct swp_problem *problem)
{
	char key[SWP_KEY_BYTES];
	struct chain_count count = {.report = report, .memory = swp_region_new(0)};
	int error = count.memory ? 0 : -ENOMEM;
	for (size_t i = 0; !error && i < report->account_count; i++) {
		if (report->accounts[i].shown.row.not_planned)
			continue;
		count.account = &report->accounts[i];
		error = swp_key_format(
			SWP_KEY_CHAINS, report->sweep, report->accounts[i].shown.row.id, NULL, key);
		if (!error)
			error = swp_ask_hash(&report->asker, key, count_account_chains, &count, problem);
	}
	swp_region_free(count.memory);
	if (!error)
		error = swp_key_format(SWP_KEY_CHAINS_OVER, report->sweep, NULL, NULL, key);
	if (!error)
		error = swp_ask_hash(&report->asker, key, keep_over, report, problem);
	if (!error && report->over_count)
		qsort(report->over, report->over_count, sizeof(*report->over), compare_over);
	return error ? error : swp_report_each_chain(report, count_one_chain, report, problem);
}

static int each_account_chain(struct swp_report *report, size_t index, size_t chain_index,
	int (*visit)(void *context, const struct swp_record_chain *chain), void *context,
	struct swp_problem *problem)
{
	char key[SWP_KEY_BYTES];
	SWP_CLEANUP(swp_free_pointer) char *bytes = NULL;
	size_t length = 0;
	int error = swp_key_format(
		SWP_KEY_CHAINS, report->sweep, report->accounts[index].shown.row.id, NULL, key);
	if (!error)
		error = swp_ask_field(&report->asker, key,
			swp_catalogue_chain(report->catalogue, chain_index)->id, &bytes, &length, problem);
	if (error || !bytes)
		return error;
	struct swp_region *memory = swp_region_new(0);
	struct swp_chain_reader reader;
	swp_chain_open(&reader, bytes, length);
	error = memory ? 0 : -ENOMEM;
	while (!error) {
		struct swp_record_chain chain;
		int more = swp_chain_next(&reader, memory, &chain);
		if (more <= 0) {
			error = more;
			break;
		}
		error = visit(context, &chain);
		swp_region_reset(memory);
	}
	swp_region_free(memory);
	return error;
}

int swp_report_each_chain(struct swp_report *report,
	int (*visit)(void *context, const struct swp_record_chain *chain), void *context,
	struct swp_problem *problem)
{
	int error = 0;
	size_t over = 0;
	for (size_t c = 0; !error && c < swp_catalogue_chain_count(report->catalogue); c++) {
		for (; !error && over < report->over_count && report->over[over].chain.chain == c; over++)
			error = visit(context, &report->over[over].chain);
		for (size_t i = 0; !error && i < report->account_count; i++) {
			const unsigned char *chains = report->accounts[i].chains;
			if (chains && (chains[c / 8] & (1u << (c % 8))))
				error = each_account_chain(report, i, c, visit, context, problem);
		}
	}
	return error;
}

struct not_evaluated {
	const char **reasons; /* by chain */
	struct swp_region *memory;
};

static int note_not_evaluated(size_t chain, const char *reason, void *context)
{
	struct not_evaluated *noted = context;
	noted->reasons[chain] = swp_region_strdup(noted->memory, reason);
	return noted->reasons[chain] ? 0 : -ENOMEM;
}

int swp_report_each_not_evaluated(struct swp_report *report,
	int (*visit)(size_t chain, const char *reason, void *context), void *context)
{
	size_t count = swp_catalogue_chain_count(report->catalogue);
	struct not_evaluated noted = {
		swp_region_alloc(report->memory, (count + 1) * sizeof(*noted.reasons)), report->memory};
	int error = noted.reasons ? 0 : -ENOMEM;
	if (!error)
		error = swp_correlation_not_evaluated(
			report->catalogue, &report->selection, note_not_evaluated, &noted);
	for (size_t i = 0; !error && i < count; i++) {
		char field[128];
		snprintf(field, sizeof(field), SWP_SWEEP_FIELD_NOT_EVALUATED "%s",
			swp_catalogue_chain(report->catalogue, i)->id);
		const char *reason = noted.reasons[i] ? noted.reasons[i] : swp_report_field(report, field);
		if (*reason)
			error = visit(i, reason, context);
	}
	return error;
}

/* ------------------------------------------------------------------------------------------------ opening */

/* The workers' calls stand in the seals; these are those of the coordinator. */
static void add_own_calls(struct swp_report *report)
{
	struct swp_report_totals *totals = &report->totals;
	const char *at = swp_report_field(report, SWP_SWEEP_FIELD_OWN_CALLS);
	uint64_t *const sums[] = {&totals->calls, &totals->retried, &totals->throttled};

	for (size_t i = 0; i < SWP_ARRAY_SIZE(sums); i++) {
		size_t length = strcspn(at, " ");
		char number[24];
		uint64_t value;

		if (length >= sizeof(number))
			return;
		memcpy(number, at, length);
		number[length] = '\0';
		if (swp_parse_u64(number, UINT32_MAX, &value))
			return;
		*sums[i] += value;
		at += length + (at[length] == ' ');
	}
}

static void settle_totals(struct swp_report *report)
{
	struct swp_report_totals *totals = &report->totals;
	int64_t cancelled_at_ms = time_field(report, SWP_SWEEP_FIELD_CANCELLED_AT);
	add_own_calls(report);
	totals->started_at_ms = time_field(report, SWP_SWEEP_FIELD_STARTED_AT);
	totals->enumeration_complete =
		swp_text_equal(swp_report_field(report, SWP_SWEEP_FIELD_ENUMERATION), "complete");
	if (cancelled_at_ms > totals->finished_at_ms)
		totals->finished_at_ms = cancelled_at_ms;
	if (totals->started_at_ms > totals->finished_at_ms)
		totals->finished_at_ms = totals->started_at_ms;
	if (totals->planned)
		totals->coverage_hundredths =
			(uint32_t)(10000 * (totals->planned - totals->not_assessed - totals->partial) /
				   totals->planned);
	if (!totals->enumeration_complete && totals->coverage_hundredths == 10000)
		totals->coverage_hundredths = 9999; /* what was not enumerated was not seen */
	if (cancelled_at_ms || report->missing)
		totals->status = SWP_REPORT_CANCELLED;
	else if (!totals->enumeration_complete || report->lost)
		totals->status = SWP_REPORT_PARTIAL;
	else
		totals->status = SWP_REPORT_COMPLETE;
}

static int report_load(struct swp_report *report, struct swp_problem *problem)
{
	int error = load_sweep(report, problem);
	if (!error)
		error = load_catalogue(report, problem);
	if (error)
		return error;
	report->checks = swp_region_alloc(
		report->memory, (swp_catalogue_check_count(report->catalogue) + 1) * sizeof(*report->checks));
	if (!report->checks)
		return -ENOMEM;
	error = load_selection(report, problem);
	if (!error)
		error = load_accounts(report, problem);
	if (!error)
		error = load_plain_gaps(report, problem);
	if (!error)
		error = count_accounts(report, problem);
	if (!error)
		error = count_rows(report, problem);
	if (!error)
		error = load_chains(report, problem);
	if (!error)
		settle_totals(report);
	return error;
}

int swp_report_open(const struct swp_asker *asker, const char *sweep, struct swp_report **ret_report,
	struct swp_problem *problem)
{
	struct swp_report *report = swp_calloc(1, sizeof(*report));
	int error = -ENOMEM;
	if (!report)
		return swp_problem_set(problem, error, "out of memory");
	report->asker = *asker;
	snprintf(report->sweep, sizeof(report->sweep), "%s", sweep);
	report->memory = swp_region_new(1u << 30);
	report->fields = swp_map_new();
	report->regions_failed = swp_map_new();
	if (report->memory && report->fields && report->regions_failed)
		error = report_load(report, problem);
	if (error) {
		if (error == -ENOMEM)
			swp_problem_set(problem, error, "out of memory while reading sweep %s", sweep);
		tell_damage(sweep, error, problem);
		swp_report_free(report);
		return error;
	}
	*ret_report = report;
	return 0;
}

void swp_report_free(struct swp_report *report)
{
	if (!report)
		return;
	swp_map_free(report->fields, NULL);
	swp_map_free(report->regions_failed, NULL);
	swp_catalogue_unref(report->catalogue);
	swp_free(report->accounts);
	swp_free(report->groups);
	swp_free(report->closed_regions);
	swp_free(report->over);
	swp_region_free(report->memory);
	swp_free(report);
}

/* ------------------------------------------------------------------------------------------------ asking it */

const struct swp_report_totals *swp_report_totals(const struct swp_report *report)
{
	return &report->totals;
}

struct swp_catalogue *swp_report_catalogue(const struct swp_report *report)
{
	return report->catalogue;
}

const struct swp_selection *swp_report_selection(const struct swp_report *report)
{
	return &report->selection;
}

const char *swp_report_sweep_id(const struct swp_report *report)
{
	return report->sweep;
}

size_t swp_report_account_count(const struct swp_report *report)
{
	return report->account_count;
}

const struct swp_report_account *swp_report_account(const struct swp_report *report, size_t index)
{
	return &report->accounts[index].shown;
}

const struct swp_report_check *swp_report_check(const struct swp_report *report, size_t check)
{
	return &report->checks[check];
}

size_t swp_report_closed_region_count(const struct swp_report *report)
{
	return report->closed_region_count;
}

const char *swp_report_closed_region(const struct swp_report *report, size_t index)
{
	return report->closed_regions[index];
}

size_t swp_report_gap_group_count(const struct swp_report *report)
{
	return report->group_count;
}

const struct swp_report_gap_group *swp_report_gap_group(const struct swp_report *report, size_t index)
{
	return &report->groups[index];
}

size_t swp_report_plain_gap_count(const struct swp_report *report)
{
	return report->plain_gap_count;
}

const struct swp_record_gap *swp_report_plain_gap(const struct swp_report *report, size_t index)
{
	return &report->plain_gaps[index];
}

struct row_walk {
	unsigned rows;
	int (*visit)(void *context, const struct swp_report_row *row);
	void *context;
};

static int visit_place(struct account_view *view, void *context)
{
	struct row_walk *walk = context;
	int error = 0;
	for (size_t i = 0; !error && i < view->place.row_count; i++)
		if (walk->rows & (1u << view->place.rows[i].status))
			error = walk->visit(walk->context, &view->place.rows[i]);
	return error;
}

int swp_report_each_row(struct swp_report *report, unsigned rows,
	int (*visit)(void *context, const struct swp_report_row *row), void *context,
	struct swp_problem *problem)
{
	struct row_walk walk = {rows, visit, context};
	return each_place(report, rows == SWP_REPORT_ROWS_NOT_ASSESSED, visit_place, &walk, problem);
}

static bool is_among(const char *word, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count && words[i]; i++)
		if (swp_text_equal(words[i], word))
			return true;
	return false;
}

/* AWS has listed the account's regions, and an opt-in one that it calls enabled does not know the credentials: so tokens of the global
 * STS endpoint, unless it is told otherwise
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_enable-regions.html). */
static bool is_global_token(const struct swp_report *report, const char *id, const char *region)
{
	const struct swp_partition *partition =
		swp_partition_by_name(swp_report_field(report, SWP_SWEEP_FIELD_PARTITION));

	for (size_t i = 0; region && partition && i < report->account_count; i++) {
		const struct swp_record_account *row = &report->accounts[i].shown.row;

		if (swp_text_equal(row->id, id))
			return row->regions_told && is_among(region, row->regions, row->region_count) &&
			       !is_among(region, partition->default_enabled, SIZE_MAX);
	}
	return false;
}

void swp_report_remedy(
	const struct swp_report *report, const struct swp_report_unread *unread, struct swp_buf *ret_text)
{
	if (!*unread->account && unread->reason == SWP_REASON_DENIED_IAM) {
		/* Of the enumeration: no scan role was at work. */
		swp_buf_append_format(ret_text, "grant the action to the caller: %s", unread->action);
		return;
	}
	if (unread->reason == SWP_REASON_REGION_DISABLED &&
		is_global_token(report, unread->account, unread->region))
		swp_buf_append_text(ret_text, "AWS lists the region as enabled, so this looks like a token "
					      "of the global STS endpoint, which opt-in regions "
					      "refuse: get credentials from a regional STS endpoint "
					      "(AWS_STS_REGIONAL_ENDPOINTS=regional), or have the account's "
					      "global endpoint give tokens that are valid in all regions");
	else
		swp_buf_append_text(ret_text, swp_reason_remedy(unread->reason));
	if (*unread->action && !*unread->account)
		swp_buf_append_format(
			ret_text, " (%s, called with the caller's credentials)", unread->action);
	else if (*unread->action && unread->reason == SWP_REASON_DENIED_IAM)
		swp_buf_append_format(ret_text, ": %s in account %s", unread->action, unread->account);
	else if (*unread->action)
		swp_buf_append_format(ret_text, " (%s in account %s)", unread->action, unread->account);
}

static bool no_findings(const struct swp_report_totals *totals)
{
	uint64_t sum = 0;

	for (int i = 0; i < SWP_SEVERITY_COUNT; i++)
		sum += totals->findings[i] + totals->chains_confirmed[i];
	return sum == 0;
}

int swp_report_exit_code(const struct swp_report *report, enum swp_severity fail_on,
	uint32_t min_coverage_hundredths, struct swp_buf *ret_why)
{
	const struct swp_report_totals *totals = &report->totals;
	uint64_t findings = 0, chains = 0;
	for (int i = fail_on; i < SWP_SEVERITY_COUNT; i++) {
		findings += totals->findings[i];
		chains += totals->chains_confirmed[i];
	}
	bool found = findings || chains;
	bool blind = totals->coverage_hundredths < min_coverage_hundredths;
	if (found)
		swp_buf_append_format(ret_why, "%llu finding%s and %llu confirmed chain%s at or above %s",
			(unsigned long long)findings, findings == 1 ? "" : "s", (unsigned long long)chains,
			chains == 1 ? "" : "s", swp_severity_name(fail_on));
	else if (fail_on == SWP_SEVERITY_COUNT)
		swp_buf_append_text(ret_why, "findings do not count (--fail-on none)");
	else if (no_findings(totals))
		swp_buf_append_text(ret_why, "no finding");
	else
		swp_buf_append_format(ret_why, "no finding at or above %s", swp_severity_name(fail_on));
	swp_buf_append_format(ret_why, "%s coverage %u.%02u%% %s %u.%02u%%", found && blind ? ";" : ",",
		totals->coverage_hundredths / 100, totals->coverage_hundredths % 100,
		blind ? "is below" : "of at least", min_coverage_hundredths / 100,
		min_coverage_hundredths % 100);
	return found ? (blind ? 4 : 1) : (blind ? 3 : 0);
}
