/* The JSON report of contract §3, streamed: object keys bytewise sorted, rows in the model's order, one row a line. */
#include <errno.h>

#include "checks/correlation.h"
#include "coordinator/json-writer.h"
#include "coordinator/report.h"
#include "proto/base/buf.h"
#include "proto/base/text.h"
#include "proto/record/keys.h"

struct writing {
	struct swp_report *report;
	struct swp_json_writer json;
};

static const char *check_id(const struct writing *writing, size_t check)
{
	return swp_catalogue_check(swp_report_catalogue(writing->report), check)->id;
}

static void texts(struct swp_json_writer *json, const char *key, const char *const *items, size_t count)
{
	swp_json_array_begin(json, key, true);
	for (size_t i = 0; i < count; i++)
		swp_json_text(json, NULL, items[i]);
	swp_json_array_end(json);
}

static void severities(
	struct swp_json_writer *json, const char *key, const uint64_t counts[SWP_SEVERITY_COUNT])
{
	static const enum swp_severity sorted[] = {SWP_SEVERITY_CRITICAL, SWP_SEVERITY_HIGH,
		SWP_SEVERITY_INFO, SWP_SEVERITY_LOW, SWP_SEVERITY_MEDIUM};
	swp_json_object_begin(json, key, true);
	for (size_t i = 0; i < SWP_ARRAY_SIZE(sorted); i++)
		swp_json_number(json, swp_severity_name(sorted[i]), counts[sorted[i]]);
	swp_json_object_end(json);
}

static void write_accounts(struct writing *writing)
{
	struct swp_json_writer *json = &writing->json;
	swp_json_array_begin(json, "accounts", false);
	for (size_t i = 0; i < swp_report_account_count(writing->report); i++) {
		const struct swp_report_account *account = swp_report_account(writing->report, i);
		swp_json_object_begin(json, NULL, true);
		swp_json_text(json, "id", account->row.id);
		swp_json_time(
			json, "joined_at", account->row.joined_at_ms > 0 ? account->row.joined_at_ms : -1);
		swp_json_text_or_null(json, "name", account->row.name);
		swp_json_text_or_null(json, "path", account->row.path);
		swp_json_text_or_null(json, "reason", account->reason);
		texts(json, "regions", account->row.regions, account->row.region_count);
		texts(json, "regions_not_enabled", account->row.regions_not_enabled,
			account->row.region_not_enabled_count);
		swp_json_text_or_null(json, "state", account->row.state);
		swp_json_bool(json, "swept", account->swept);
		swp_json_object_end(json);
	}
	swp_json_array_end(json);
}

static void write_chain_findings(struct writing *writing, const struct swp_record_chain *chain)
{
	struct swp_json_writer *json = &writing->json;
	swp_json_array_begin(json, "findings", true);
	for (size_t i = 0; i < chain->finding_count; i++) {
		const struct swp_record_chain_finding *finding = &chain->findings[i];
		swp_json_object_begin(json, NULL, true);
		swp_json_text(json, "account", finding->account);
		swp_json_text(json, "check_id", check_id(writing, finding->check));
		swp_json_text(json, "region", finding->region);
		swp_json_text(json, "resource", finding->resource);
		swp_json_text(json, "status", swp_status_name((enum swp_status)finding->status));
		swp_json_object_end(json);
	}
	swp_json_array_end(json);
}

static void write_chain_fix(struct writing *writing, const struct swp_record_chain *chain)
{
	struct swp_json_writer *json = &writing->json;
	swp_json_array_begin(json, "fix", true);
	for (size_t i = 0; i < chain->fix_count; i++) {
		swp_json_object_begin(json, NULL, true);
		swp_json_text(json, "check_id", check_id(writing, chain->fix[i].check));
		swp_json_text(json, "resource", chain->fix[i].resource);
		swp_json_object_end(json);
	}
	swp_json_array_end(json);
}

/* Every index was checked by the model for chain->chain; those of findings and fixes are checked here, as records are hostile. */
static bool chain_is_sound(const struct writing *writing, const struct swp_record_chain *chain)
{
	size_t checks = swp_catalogue_check_count(swp_report_catalogue(writing->report));
	for (size_t i = 0; i < chain->finding_count; i++)
		if (chain->findings[i].check >= checks || chain->findings[i].status > SWP_STATUS_NOT_ASSESSED)
			return false;
	for (size_t i = 0; i < chain->fix_count; i++)
		if (chain->fix[i].check >= checks)
			return false;
	return true;
}

static int write_chain(void *context, const struct swp_record_chain *chain)
{
	struct writing *writing = context;
	struct swp_json_writer *json = &writing->json;
	const struct swp_chain *row =
		swp_catalogue_chain(swp_report_catalogue(writing->report), chain->chain);
	if (!chain_is_sound(writing, chain))
		return -EBADMSG;
	swp_json_object_begin(json, NULL, true);
	swp_json_text(json, "account", chain->account);
	swp_json_text(json, "basis", chain->basis);
	swp_json_text(json, "chain_id", row->id);
	write_chain_findings(writing, chain);
	write_chain_fix(writing, chain);
	swp_json_text(json, "name", row->name);
	swp_json_text(json, "narrative", chain->narrative);
	texts(json, "regions", chain->regions, chain->region_count);
	texts(json, "regions_not_assessed", chain->regions_not_assessed, chain->region_not_assessed_count);
	texts(json, "resources", chain->resources, chain->resource_count);
	swp_json_text(json, "severity", swp_severity_name(row->severity));
	swp_json_text(json, "status", chain->confirmed ? "confirmed" : "unverified");
	swp_json_object_end(json);
	return 0;
}

static int write_not_evaluated(size_t chain, const char *reason, void *context)
{
	struct writing *writing = context;
	swp_json_object_begin(&writing->json, NULL, true);
	swp_json_text(&writing->json, "chain_id",
		swp_catalogue_chain(swp_report_catalogue(writing->report), chain)->id);
	swp_json_text(&writing->json, "reason", reason);
	swp_json_object_end(&writing->json);
	return 0;
}

static int write_chains(struct writing *writing, struct swp_problem *problem)
{
	swp_json_array_begin(&writing->json, "chains", false);
	int error = swp_report_each_chain(writing->report, write_chain, writing, problem);
	swp_json_array_end(&writing->json);
	swp_json_array_begin(&writing->json, "chains_not_evaluated", false);
	if (!error)
		error = swp_report_each_not_evaluated(writing->report, write_not_evaluated, writing);
	swp_json_array_end(&writing->json);
	return error;
}

struct gap_row {
	const char *account, *region, *check, *resource;
	enum swp_reason reason;
	const char *action, *error_code, *message, *request_id;
};

static void write_gap(struct writing *writing, const struct gap_row *gap)
{
	struct swp_json_writer *json = &writing->json;
	SWP_CLEANUP(swp_buf_done) struct swp_buf remedy = {0};
	const struct swp_report_unread unread = {
		gap->reason, gap->action, gap->account ? gap->account : "", gap->region};

	swp_report_remedy(writing->report, &unread, &remedy);
	swp_json_object_begin(json, NULL, true);
	swp_json_text(json, "account", gap->account);
	swp_json_text_or_null(json, "action", gap->action);
	swp_json_text(json, "check_id", gap->check);
	swp_json_text_or_null(json, "error_code", gap->error_code);
	swp_json_text_or_null(json, "message", gap->message);
	swp_json_text(json, "reason", swp_reason_name(gap->reason));
	swp_json_text(json, "region", gap->region);
	swp_json_text(json, "remedy", swp_buf_text(&remedy));
	swp_json_text_or_null(json, "request_id", gap->request_id);
	swp_json_text(json, "resource", gap->resource);
	swp_json_object_end(json);
}

static int write_row_gap(void *context, const struct swp_report_row *row)
{
	struct writing *writing = context;
	write_gap(writing, &(struct gap_row){swp_report_account(writing->report, row->account)->row.id,
				   row->region, check_id(writing, row->check), row->resource, row->gap_reason,
				   row->action, row->error_code, row->message, row->request_id});
	return 0;
}

static int write_coverage(struct writing *writing, struct swp_problem *problem)
{
	struct swp_json_writer *json = &writing->json;
	const struct swp_report_totals *totals = swp_report_totals(writing->report);
	swp_json_object_begin(json, "coverage", false);
	swp_json_number(json, "closed", totals->closed);
	swp_json_number(json, "fail", totals->fail);
	swp_json_array_begin(json, "gaps", false);
	for (size_t i = 0; i < swp_report_plain_gap_count(writing->report); i++) {
		const struct swp_record_gap *gap = swp_report_plain_gap(writing->report, i);
		enum swp_reason reason =
			gap->reason < SWP_REASON_COUNT ? (enum swp_reason)gap->reason : SWP_REASON_NONE;
		write_gap(writing, &(struct gap_row){NULL, NULL, NULL, NULL, reason, gap->action,
					   gap->error_code, gap->message, gap->request_id});
	}
	int error = swp_report_each_row(
		writing->report, SWP_REPORT_ROWS_NOT_ASSESSED, write_row_gap, writing, problem);
	swp_json_array_end(json);
	swp_json_number(json, "not_applicable", totals->not_applicable);
	swp_json_number(json, "not_assessed", totals->not_assessed);
	swp_json_number(json, "partial", totals->partial);
	swp_json_number(json, "pass", totals->pass);
	swp_json_hundredths(json, "percent", totals->coverage_hundredths);
	swp_json_number(json, "planned", totals->planned);
	swp_json_object_end(json);
	return error;
}

static void write_generator(struct writing *writing)
{
	struct swp_json_writer *json = &writing->json;
	swp_json_object_begin(json, "generator", true);
	swp_json_text(json, "catalogue", swp_catalogue_hash(swp_report_catalogue(writing->report)));
	swp_json_text(json, "name", "orgsweep");
	swp_json_text(json, "version", SWP_VERSION);
	swp_json_object_end(json);
}

static int write_result(void *context, const struct swp_report_row *row)
{
	struct writing *writing = context;
	struct swp_json_writer *json = &writing->json;
	const struct swp_check *check =
		swp_catalogue_check(swp_report_catalogue(writing->report), row->check);
	swp_json_object_begin(json, NULL, true);
	swp_json_text(json, "account", swp_report_account(writing->report, row->account)->row.id);
	swp_json_text(json, "check_id", check->id);
	swp_json_raw(json, "evidence", row->evidence ? row->evidence : "{}");
	swp_json_text_or_null(json, "reason", row->reason);
	swp_json_text(json, "region", row->region);
	swp_json_text(json, "resource", row->resource);
	swp_json_text(json, "service", check->service);
	swp_json_text(json, "severity", swp_severity_name(check->severity));
	swp_json_text(json, "status", swp_status_name(row->status));
	swp_json_text(json, "title", check->title);
	swp_json_object_end(json);
	return 0;
}

static int write_results(struct writing *writing, bool all, struct swp_problem *problem)
{
	unsigned rows = all ? SWP_REPORT_ROWS_ALL : SWP_REPORT_ROWS_FAIL | SWP_REPORT_ROWS_NOT_ASSESSED;
	swp_json_array_begin(&writing->json, "results", false);
	int error = swp_report_each_row(writing->report, rows, write_result, writing, problem);
	swp_json_array_end(&writing->json);
	return error;
}

static void write_summary(struct writing *writing)
{
	struct swp_json_writer *json = &writing->json;
	const struct swp_report_totals *totals = swp_report_totals(writing->report);
	swp_json_object_begin(json, "summary", false);
	swp_json_object_begin(json, "accounts", true);
	swp_json_number(json, "planned", totals->accounts_planned);
	swp_json_number(json, "swept", totals->accounts_swept);
	swp_json_number(json, "total", totals->accounts_total);
	swp_json_object_end(json);
	swp_json_object_begin(json, "calls", true);
	swp_json_number(json, "retried", totals->retried);
	swp_json_number(json, "throttled", totals->throttled);
	swp_json_number(json, "total", totals->calls);
	swp_json_object_end(json);
	severities(json, "chains", totals->chains);
	severities(json, "findings", totals->findings);
	swp_json_number(json, "vanished", totals->vanished);
	swp_json_object_end(json);
}

static void write_sweep(struct writing *writing)
{
	static const char *const statuses[] = {[SWP_REPORT_COMPLETE] = "complete",
		[SWP_REPORT_PARTIAL] = "partial",
		[SWP_REPORT_CANCELLED] = "cancelled"};
	struct swp_json_writer *json = &writing->json;
	const struct swp_report *report = writing->report;
	const struct swp_report_totals *totals = swp_report_totals(report);
	const char *endpoints = swp_report_field(report, SWP_SWEEP_FIELD_ENDPOINTS);
	swp_json_object_begin(json, "sweep", false);
	swp_json_text_or_null(json, "caller_arn", swp_report_field(report, SWP_SWEEP_FIELD_CALLER_ARN));
	swp_json_raw(json, "endpoints", *endpoints ? endpoints : "{}");
	swp_json_text(json, "enumeration", totals->enumeration_complete ? "complete" : "incomplete");
	swp_json_time(json, "finished_at", totals->finished_at_ms);
	swp_json_text(json, "id", swp_report_sweep_id(report));
	swp_json_text_or_null(
		json, "organization_id", swp_report_field(report, SWP_SWEEP_FIELD_ORGANIZATION));
	swp_json_text(json, "partition", swp_report_field(report, SWP_SWEEP_FIELD_PARTITION));
	swp_json_time(json, "started_at", totals->started_at_ms);
	swp_json_text(json, "status", statuses[totals->status]);
	swp_json_object_end(json);
}

/* What has to be read from the store, and what stands between it. */
static int write_walks(struct writing *writing, bool all, struct swp_problem *problem)
{
	write_accounts(writing);
	int error = write_chains(writing, problem);
	if (!error)
		error = write_coverage(writing, problem);
	if (error)
		return error;
	write_generator(writing);
	return write_results(writing, all, problem);
}

int swp_report_write_json(struct swp_report *report, FILE *out, bool all, struct swp_problem *problem)
{
	struct writing writing = {.report = report};
	swp_json_writer_init(&writing.json, out);
	swp_json_object_begin(&writing.json, NULL, false);
	int error = write_walks(&writing, all, problem);
	if (error == -ENOMEM)
		swp_problem_set(problem, error, "out of memory while writing the report");
	if (error)
		return error;
	swp_json_text(&writing.json, "schema", "orgsweep.report/1");
	write_summary(&writing);
	write_sweep(&writing);
	swp_json_object_end(&writing.json);
	error = swp_json_writer_finish(&writing.json);
	return error ? swp_problem_set(problem, error, "the report could not be written; is the disk full?")
		     : 0;
}
