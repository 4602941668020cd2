/* A sweep's life: beginning, phases, end. */
#include "coordinator/sweep-internal.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/log.h"
#include "proto/base/text.h"

static const char *const phase_names[] = {
	[SWP_SWEEP_STARTING] = "starting",
	[SWP_SWEEP_ENUMERATING] = "enumerating",
	[SWP_SWEEP_SWEEPING] = "sweeping",
	[SWP_SWEEP_RECONCILING] = "reconciling",
	[SWP_SWEEP_CORRELATING] = "correlating",
	[SWP_SWEEP_FINISHED] = "finished",
};
static const char *const status_names[] = {
	[SWP_SWEEP_COMPLETE] = "complete",
	[SWP_SWEEP_PARTIAL] = "partial",
	[SWP_SWEEP_CANCELLED] = "cancelled",
};

const char *swp_sweep_phase_name(enum swp_sweep_phase phase)
{
	return phase_names[phase];
}

const char *swp_sweep_status_name(enum swp_sweep_status status)
{
	return status_names[status];
}

int64_t swp_sweep_wall_ms(const struct swp_sweep *sweep)
{
	return swp_clock_wall_ms(swp_loop_clock(sweep->loop));
}

void swp_sweep_set_phase(struct swp_sweep *sweep, enum swp_sweep_phase phase)
{
	if (sweep->progress.phase == phase)
		return;
	sweep->progress.phase = phase;
	if (sweep->events.phase)
		sweep->events.phase(sweep->events.context, phase);
}

void swp_sweep_kick(struct swp_sweep *sweep)
{
	if (!sweep->told && !swp_timer_is_running(&sweep->pump))
		swp_timer_start(&sweep->pump, 0);
}

/* --- the end --- */

static void tell_finished(struct swp_sweep *sweep)
{
	sweep->told = true;
	swp_timer_stop(&sweep->grace);
	swp_timer_stop(&sweep->deadline);
	swp_timer_stop(&sweep->no_worker);
	swp_timer_stop(&sweep->withdrawal_limit);
	swp_sweep_set_phase(sweep, SWP_SWEEP_FINISHED);
	sweep->result.problem = &sweep->problem;
	sweep->result.cancelled_by = sweep->cancelled_by;
	if (sweep->events.finished)
		sweep->events.finished(sweep->events.context, &sweep->result);
}

/* Told from the pump, so that nobody is called back from inside of what failed. */
void swp_sweep_end(struct swp_sweep *sweep, enum swp_sweep_end end, const struct swp_problem *problem)
{
	/* One that only waits for its last words to be written may still lose the store. */
	bool writing = sweep->closing && sweep->begun && sweep->result.end == SWP_SWEEP_END_SWEPT;

	if (sweep->told || (sweep->closing && !writing))
		return;
	sweep->closing = true;
	sweep->result.end = end;
	sweep->problem = *problem;
	if (!problem->text[0]) /* the one failure for which there may be no words */
		swp_problem_set(&sweep->problem, -ENOMEM, "out of memory");
	swp_timer_start(&sweep->pump, 0);
}

void swp_sweep_end_text(struct swp_sweep *sweep, enum swp_sweep_end end, const char *format, ...)
{
	struct swp_problem problem = {0};
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(problem.text, sizeof(problem.text), format, arguments);
	va_end(arguments);
	swp_problem_set(&sweep->problem, 0, "%s", problem.text);
	problem = sweep->problem;
	swp_sweep_end(sweep, end, &problem);
}

static enum swp_sweep_status status_of(const struct swp_sweep *sweep)
{
	if (sweep->cancelled)
		return SWP_SWEEP_CANCELLED;
	return sweep->enumeration_broke || sweep->any_lost ? SWP_SWEEP_PARTIAL : SWP_SWEEP_COMPLETE;
}

static void all_written(void *context)
{
	struct swp_sweep *sweep = context;

	if (!sweep->told && sweep->closing)
		tell_finished(sweep);
}

static void write_end(struct swp_sweep *sweep)
{
	char ended[32], cancelled[32], own_calls[SWP_OWN_CALLS_BYTES];
	char planned[24], done[24];
	struct swp_ledger_field fields[10] = {
		{SWP_SWEEP_FIELD_STATE, "finished"},
		{SWP_SWEEP_FIELD_STATUS, swp_sweep_status_name(status_of(sweep))},
		{SWP_SWEEP_FIELD_ENUMERATION,
			sweep->listed_all && !sweep->enumeration_broke ? "complete" : "incomplete"},
		{SWP_SWEEP_FIELD_ENDED_AT, ended},
		{SWP_SWEEP_FIELD_OWN_CALLS, swp_sweep_own_calls(sweep, own_calls)},
		{SWP_OWNER_FIELD_UNTIL, "0"},
		{SWP_SWEEP_FIELD_PLANNED_JOBS, planned},
		{SWP_SWEEP_FIELD_DONE_JOBS, done},
	};

	snprintf(ended, sizeof(ended), "%lld", (long long)swp_sweep_wall_ms(sweep));
	snprintf(planned, sizeof(planned), "%llu", (unsigned long long)sweep->progress.jobs_planned);
	snprintf(done, sizeof(done), "%llu", (unsigned long long)sweep->progress.jobs_done);
	snprintf(cancelled, sizeof(cancelled), "%lld", (long long)sweep->cancelled_wall_ms);
	if (sweep->cancelled)
		fields[8] = (struct swp_ledger_field){SWP_SWEEP_FIELD_CANCELLED_AT, cancelled};
	swp_ledger_disown(sweep->ledger, false);
	swp_ledger_set(sweep->ledger, fields);
}

void swp_sweep_end_again(struct swp_sweep *sweep)
{
	const char *compiled;
	size_t length;

	if (!sweep->closing || sweep->told || sweep->result.end != SWP_SWEEP_END_SWEPT || !sweep->begun ||
		sweep->cancelled || !sweep->hub)
		return;
	sweep->closing = false;
	sweep->disowned = false;
	swp_ledger_reown(sweep->ledger);
	compiled = swp_catalogue_compiled(sweep->options->catalogue, &length);
	if (swp_fleet_add_plan(swp_hub_fleet(sweep->hub), &sweep->plan, compiled, length) < 0)
		swp_sweep_end_text(sweep, SWP_SWEEP_END_STORE_LOST, "out of memory");
}

static void write_last(void *context)
{
	struct swp_sweep *sweep = context;

	if (sweep->told || !sweep->closing)
		return;
	write_end(sweep);
	swp_ledger_when_idle(sweep->ledger, all_written);
}

/* Everything is settled: the last words into the store, then `finished`. */
static void finish(struct swp_sweep *sweep)
{
	if (sweep->closing)
		return;
	sweep->closing = true;
	sweep->result.end = SWP_SWEEP_END_SWEPT;
	sweep->result.status = status_of(sweep);
	sweep->result.enumeration_complete = sweep->listed_all && !sweep->enumeration_broke;
	if (sweep->hub && sweep->begun)
		swp_fleet_remove_plan(swp_hub_fleet(sweep->hub), sweep->id);
	if (!sweep->begun || !sweep->ledger) {
		if (sweep->cancelled && !sweep->options->plan_only) {
			sweep->result.end = SWP_SWEEP_END_COULD_NOT_RUN;
			swp_problem_set(&sweep->problem, 0, "cancelled before anything was swept");
		}
		swp_timer_start(&sweep->pump, 0);
		return;
	}
	/* An earlier write that must be repeated may not come behind the last ones. */
	swp_ledger_when_idle(sweep->ledger, write_last);
}

/* --- over accounts --- */

static bool each_account(void *context, size_t index, struct swp_correlate_account *ret_account)
{
	static struct swp_correlate_job
		jobs[SWP_LIMIT_SWEEP_REGIONS]; /* borrowed by the correlator until the next call */
	struct swp_sweep *sweep = context;
	const struct swp_account *account;

	if (index >= sweep->organization.count)
		return false;
	account = sweep->organization.accounts[index];
	ret_account->id = account->id;
	ret_account->planned = account->stage == SWP_ACCOUNT_SETTLED && account->reason == SWP_REASON_NONE;
	ret_account->jobs = jobs;
	ret_account->count = swp_sweep_correlate_jobs(sweep, account, jobs, true);
	return true;
}

static void over_done(void *context, const struct swp_correlate_counts *counts)
{
	struct swp_sweep *sweep = context;
	struct swp_sweep_progress *progress = &sweep->progress;

	sweep->over_done = true;
	for (size_t i = 0; i < SWP_SEVERITY_COUNT; i++) {
		progress->findings[i] += counts->findings[i];
		progress->chains[i] += counts->chains[i];
	}
	progress->cells_pass += counts->pass;
	progress->cells_fail += counts->fail;
	progress->cells_not_applicable += counts->not_applicable;
	progress->cells_not_assessed += counts->not_assessed;
	progress->cells_partial += counts->partial;
	swp_sweep_kick(sweep);
}

/* True when there is nothing (more) to correlate over accounts. */
static bool correlate_over(struct swp_sweep *sweep)
{
	if (sweep->over_done || !swp_correlator_needs_over(sweep->correlator))
		return true;
	if (sweep->correlating_over)
		return false;
	swp_sweep_set_phase(sweep, SWP_SWEEP_CORRELATING);
	sweep->correlating_over = true;
	if (swp_correlator_over(sweep->correlator, sweep->listed_all && !sweep->enumeration_broke,
		    each_account, over_done, sweep) < 0)
		swp_sweep_end_text(sweep, SWP_SWEEP_END_STORE_LOST, "out of memory");
	return false;
}

/* --- going on --- */

static bool accounts_are_done(const struct swp_sweep *sweep)
{
	return sweep->listed_all && sweep->waiting == 0 && sweep->checking == 0 && sweep->undecided == 0 &&
	       (!sweep->accounts || swp_accounts_open_count(sweep->accounts) == 0);
}

static bool all_correlated(const struct swp_sweep *sweep)
{
	return !sweep->settled_first &&
	       (!sweep->correlator || swp_correlator_at_work(sweep->correlator) == 0);
}

/* Steps behind the last job, in order; each returns whether it is done. */
static bool after_the_jobs(struct swp_sweep *sweep)
{
	if (!all_correlated(sweep))
		return false;
	if (!sweep->cancelling && !sweep->reconciled) {
		swp_sweep_set_phase(sweep, SWP_SWEEP_RECONCILING);
		if (!swp_sweep_reconcile(sweep))
			return false;
		sweep->seal_account = 0;
		sweep->reconciled = sweep->seals_missing == 0;
		sweep->seals_missing = 0;
		if (!sweep->reconciled) {
			swp_sweep_write_plan(sweep);
			swp_sweep_kick(sweep);
			return false;
		}
	}
	/* Jobs may have been made again meanwhile. */
	if (!accounts_are_done(sweep) && !sweep->cancelling)
		return false;
	if (sweep->recorrelate) {
		swp_sweep_correlate_again(sweep);
		return false;
	}
	return correlate_over(sweep);
}

/* Accounts were in scope, but not one cell. A list that broke off may have hidden those that have some. */
static bool nothing_was_planned(const struct swp_sweep *sweep)
{
	return !sweep->cancelling && !sweep->enumeration_broke && sweep->progress.cells_planned == 0;
}

static void cancel_now(struct swp_sweep *sweep);

static void suspended(void *context)
{
	swp_sweep_end_text(context, SWP_SWEEP_END_SUSPENDED,
		"suspended: `orgsweep sweep --resume %s` goes on with it", ((struct swp_sweep *)context)->id);
}

/* True: nothing of it runs any more, or is about to. */
static bool suspend_now(struct swp_sweep *sweep)
{
	if (!sweep->suspending || sweep->cancelling)
		return false;
	if (!sweep->hub || !sweep->begun)
		suspended(sweep);
	else if (sweep->member.running == 0)
		swp_ledger_when_idle(sweep->ledger, suspended);
	return true;
}

void swp_sweep_suspend(struct swp_sweep *sweep)
{
	sweep->suspending = true;
	swp_sweep_kick(sweep);
}

/* All rows of a large organization at once would be most of what the coordinator holds in memory. */
static void write_some_paths(struct swp_sweep *sweep)
{
	if (!sweep->named || sweep->paths_written)
		return;
	sweep->paths_written = swp_sweep_write_paths(sweep, SWP_ROWS_AT_ONCE);
	if (!sweep->paths_written && !swp_timer_is_running(&sweep->pump))
		swp_timer_start(&sweep->pump, SWP_ROWS_AGAIN_MS);
}

static void go_on(struct swp_sweep *sweep)
{
	if (suspend_now(sweep)) {
		if (sweep->hub)
			swp_sweep_run_dispatch(sweep);
		return;
	}
	swp_sweep_open_accounts(sweep);
	if (sweep->hub)
		swp_sweep_run_dispatch(sweep);
	if (sweep->correlator)
		swp_sweep_correlate_accounts(sweep);
	if (sweep->cancelling && !sweep->cancelled && sweep->progress.jobs_running == 0)
		cancel_now(sweep);
	write_some_paths(sweep);
	if (sweep->cancelling ? !sweep->cancelled : !accounts_are_done(sweep) || !sweep->paths_written)
		return;
	if (nothing_was_planned(sweep)) {
		swp_sweep_end_text(sweep, SWP_SWEEP_END_COULD_NOT_RUN,
			"nothing is in scope: no region asked for is enabled in any of %u accounts; look at "
			"--regions and --exclude-regions",
			sweep->progress.accounts_planned);
		return;
	}
	if (sweep->options->plan_only || !sweep->begun || after_the_jobs(sweep))
		finish(sweep);
}

static void count_own_calls(struct swp_sweep *sweep)
{
	if (!sweep->caller) /* released: the numbers stand */
		return;
	swp_caller_statistics_get(sweep->caller, &sweep->own_calls);
	sweep->progress.calls = sweep->own_calls.calls + sweep->worker_calls;
}

const char *swp_sweep_own_calls(struct swp_sweep *sweep, char ret_text[static SWP_OWN_CALLS_BYTES])
{
	static const uint64_t none[3];
	const uint64_t *before = sweep->options->resume ? sweep->options->resume->own_calls : none;

	count_own_calls(sweep);
	snprintf(ret_text, SWP_OWN_CALLS_BYTES, "%llu %llu %llu",
		(unsigned long long)(before[0] + sweep->own_calls.calls),
		(unsigned long long)(before[1] + sweep->own_calls.retried),
		(unsigned long long)(before[2] + sweep->own_calls.throttled));
	return ret_text;
}

/* --- what could not run leaves no rows --- */

static void withdrawn(void *context)
{
	struct swp_sweep *sweep = context;

	sweep->withdrawn = true;
	swp_sweep_kick(sweep);
}

static void withdrawal_over(struct swp_timer *timer)
{
	withdrawn(SWP_CONTAINER_OF(timer, struct swp_sweep, withdrawal_limit));
}

static void withdraw(void *context)
{
	struct swp_sweep *sweep = context;

	/* A renewal on its way, or an account that is listed late, would bring the row back. */
	swp_ledger_close(sweep->ledger);
	sweep->withdrawal = swp_prune_one(swp_ledger_store(sweep->ledger), sweep->id, withdrawn, sweep);
	if (!sweep->withdrawal)
		withdrawn(sweep);
}

/* Of a sweep that ended before anything was swept: nobody is to find it in the list of sweeps, as running for ever. */
static bool is_withdrawn(struct swp_sweep *sweep)
{
	if (sweep->result.end != SWP_SWEEP_END_COULD_NOT_RUN || !sweep->owned || sweep->any_granted ||
		sweep->options->resume)
		return true;
	if (!sweep->withdrawing) {
		sweep->withdrawing = true;
		swp_sweep_identity_stop(sweep);
		swp_timer_start(&sweep->withdrawal_limit, SWP_CANCEL_STORE_MS);
		swp_ledger_when_idle(sweep->ledger, withdraw);
	}
	return sweep->withdrawn;
}

/* One that goes on later, or never began: nobody need wait for our lease. */
static void give_up(struct swp_sweep *sweep, bool now)
{
	if (!sweep->owned || sweep->disowned)
		return;
	sweep->disowned = true;
	swp_ledger_disown(sweep->ledger, now);
}

static void pump(struct swp_timer *timer)
{
	struct swp_sweep *sweep = SWP_CONTAINER_OF(timer, struct swp_sweep, pump);

	if (sweep->told)
		return;
	if (!sweep->starting) {
		sweep->starting = true;
		swp_sweep_identity_start(sweep);
	}
	if (sweep->closing && sweep->result.end == SWP_SWEEP_END_SUSPENDED && sweep->owned &&
		!sweep->disowned) {
		give_up(sweep, true);
		swp_ledger_when_idle(sweep->ledger, all_written);
		return;
	}
	if (sweep->closing) {
		/* `finish` waits for the store by itself. */
		if (sweep->result.end == SWP_SWEEP_END_SWEPT && sweep->begun)
			return;
		give_up(sweep, sweep->options->resume != NULL);
		if (is_withdrawn(sweep))
			tell_finished(sweep);
		return;
	}
	go_on(sweep);
}

static void no_worker_fires(struct swp_timer *timer)
{
	struct swp_sweep *sweep = SWP_CONTAINER_OF(timer, struct swp_sweep, no_worker);

	if (sweep->hub && swp_fleet_count(swp_hub_fleet(sweep->hub)) == 0)
		swp_log(SWP_LOG_WARNING, "worker.waiting",
			"no worker is there yet; waiting for one to connect",
			SWP_LOG_S("endpoint", swp_fleet_endpoint(swp_hub_fleet(sweep->hub))));
}

static void adopting_over(struct swp_timer *timer)
{
	struct swp_sweep *sweep = SWP_CONTAINER_OF(timer, struct swp_sweep, adopting);

	sweep->adopting_holds = false;
	for (struct swp_open_account *open = sweep->accounts ? swp_accounts_first(sweep->accounts) : NULL;
		open && sweep->hub; open = open->next)
		swp_dispatch_unpark(swp_hub_dispatch(sweep->hub), &open->dispatch);
	swp_sweep_kick(sweep);
}

/* --- cancel --- */

static void cancel_now(struct swp_sweep *sweep)
{
	struct swp_message message = {
		.type = SWP_MESSAGE_CANCEL, .cancel = {.all = true, .sweep = sweep->id}};

	if (sweep->cancelled || sweep->told)
		return;
	sweep->cancelled = true;
	swp_timer_stop(&sweep->grace);
	if (sweep->hub)
		swp_fleet_send_all(swp_hub_fleet(sweep->hub), &message);
	swp_sweep_identity_stop(sweep);
	if (!sweep->listed_all)
		swp_sweep_enumeration_cancelled(sweep);
	swp_sweep_cancel_accounts(sweep);
	sweep->path_cursor = 0;
	swp_sweep_write_paths(sweep, SIZE_MAX);
	swp_sweep_kick(sweep);
}

static void grace_over(struct swp_timer *timer)
{
	cancel_now(SWP_CONTAINER_OF(timer, struct swp_sweep, grace));
}

void swp_sweep_extend_grace(struct swp_sweep *sweep)
{
	int64_t left_ms = sweep->grace_ends_ms - swp_loop_now_ms(sweep->loop);

	if (!sweep->cancelling || sweep->cancelled || sweep->told)
		return;
	swp_timer_start(&sweep->grace, left_ms < 0		      ? 0
				       : left_ms < SWP_CANCEL_IDLE_MS ? left_ms
								      : SWP_CANCEL_IDLE_MS);
}

void swp_sweep_cancel(struct swp_sweep *sweep, int number)
{
	if (sweep->cancelling || sweep->told || sweep->closing)
		return;
	swp_log(SWP_LOG_WARNING, "sweep.cancelled", "what is committed counts, the rest is cancelled",
		SWP_LOG_S("by", number == SIGINT    ? "SIGINT"
				: number == SIGTERM ? "SIGTERM"
				: sweep->ordered    ? "order"
						    : "deadline"),
		SWP_LOG_N("jobs_running", sweep->progress.jobs_running));
	sweep->cancelling = true;
	sweep->cancelled_by = number;
	sweep->cancelled_wall_ms = swp_sweep_wall_ms(sweep);
	if (sweep->ledger && number)
		swp_ledger_hurry(sweep->ledger, SWP_CANCEL_STORE_MS);
	sweep->grace_ends_ms = swp_loop_now_ms(sweep->loop);
	if (sweep->progress.jobs_running > 0)
		sweep->grace_ends_ms += SWP_CANCEL_GRACE_MS;
	swp_sweep_extend_grace(sweep);
}

static void deadline_over(struct swp_timer *timer)
{
	swp_sweep_cancel(SWP_CONTAINER_OF(timer, struct swp_sweep, deadline), 0);
}

/* --- beginning: rows in the store, plan to the fleet --- */

static int visit_selected(
	const struct swp_sweep *sweep, int (*visit)(const char *id, void *context), void *context)
{
	const struct swp_catalogue *catalogue = sweep->options->catalogue;

	for (size_t i = 0; i < swp_catalogue_check_count(catalogue); i++)
		if (swp_selection_has(sweep->options->selection, i)) {
			int result = visit(swp_catalogue_check(catalogue, i)->id, context);

			if (result)
				return result;
		}
	return 0;
}

static int append_id(const char *id, void *context)
{
	struct swp_buf *text = context;

	return swp_buf_append_format(text, "%s%s", text->length ? "," : "", id);
}

static json_t *list_json(const struct swp_text_list *list)
{
	json_t *array = json_array();

	for (size_t i = 0; i < list->count; i++)
		json_array_append_new(array, json_string(list->items[i]));
	return array;
}

static char *dump_and_drop(json_t *json)
{
	char *text = json ? json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

	json_decref(json);
	return text;
}

char *swp_sweep_filters_json(const struct swp_sweep_options *options)
{
	const struct {
		const char *name;
		const struct swp_text_list *list;
	} rows[] = {{"accounts", &options->accounts}, {"exclude_accounts", &options->exclude_accounts},
		{"ou", &options->ou}, {"exclude_ou", &options->exclude_ou}, {"regions", &options->regions},
		{"exclude_regions", &options->exclude_regions}};
	json_t *filters = json_object();

	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++)
		if (rows[i].list->count > 0)
			json_object_set_new(filters, rows[i].name, list_json(rows[i].list));
	if (options->no_org)
		json_object_set_new(filters, "no_org", json_true());
	return dump_and_drop(filters);
}

/* {"*": "https://…", "bedrock": "https://…", "bedrock us-east-1": "https://…", "fips": true} */
static char *endpoints_json(const struct swp_endpoint_options *endpoints)
{
	json_t *object = json_object();
	char name[160];

	for (size_t i = 0; endpoints && i < endpoints->row_count; i++) {
		const struct swp_endpoint_row *row = &endpoints->rows[i];

		snprintf(name, sizeof(name), "%s%s%s", row->service ? row->service : "*",
			row->region ? " " : "", row->region ? row->region : "");
		json_object_set_new(object, name, json_string(row->url));
	}
	if (endpoints && endpoints->fips)
		json_object_set_new(object, "fips", json_true());
	if (endpoints && endpoints->dual_stack)
		json_object_set_new(object, "dual_stack", json_true());
	return dump_and_drop(object);
}

static int append_list(struct swp_buf *text, const struct swp_text_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		append_id(list->items[i], text);
	return text->failed;
}

void swp_sweep_write_meta(struct swp_sweep *sweep)
{
	const struct swp_sweep_options *options = sweep->options;
	SWP_CLEANUP(swp_buf_done) struct swp_buf selection = {0};
	SWP_CLEANUP(swp_buf_done) struct swp_buf regions = {0};
	char *filters = swp_sweep_filters_json(options), *endpoints = endpoints_json(options->endpoints);
	char version[16], started[32], keep[16];
	const char *enumeration = sweep->enumeration_broke ? "incomplete" : "complete";
	struct swp_ledger_field fields[] = {
		{SWP_SWEEP_FIELD_VERSION, version},
		{SWP_SWEEP_FIELD_STATE, "running"},
		{SWP_SWEEP_FIELD_STARTED_AT, started},
		{SWP_SWEEP_FIELD_PARTITION, sweep->partition->name},
		{SWP_SWEEP_FIELD_ORGANIZATION, sweep->organization.id},
		{SWP_SWEEP_FIELD_MANAGEMENT_ACCOUNT, sweep->organization.management},
		{SWP_SWEEP_FIELD_CALLER_ARN, sweep->identity.arn},
		{SWP_SWEEP_FIELD_CALLER_ACCOUNT, sweep->identity.account},
		{SWP_SWEEP_FIELD_CATALOGUE, swp_catalogue_hash(options->catalogue)},
		{SWP_SWEEP_FIELD_SELECTION, NULL},
		{SWP_SWEEP_FIELD_REGIONS_ASKED, NULL},
		{SWP_SWEEP_FIELD_FILTERS, filters ? filters : "{}"},
		{SWP_SWEEP_FIELD_ENDPOINTS, endpoints ? endpoints : "{}"},
		{SWP_SWEEP_FIELD_NAME, options->name ? options->name : ""},
		{SWP_SWEEP_FIELD_RETENTION, keep},
		{sweep->listed_all ? SWP_SWEEP_FIELD_ENUMERATION : NULL, enumeration},
		{NULL, NULL},
	};

	snprintf(version, sizeof(version), "%d", SWP_RECORD_VERSION);
	snprintf(started, sizeof(started), "%lld", (long long)sweep->started_wall_ms);
	snprintf(keep, sizeof(keep), "%u", options->keep);
	visit_selected(sweep, append_id, &selection);
	append_list(&regions, &options->regions);
	fields[9].text = swp_buf_text(&selection);
	fields[10].text = swp_buf_text(&regions);
	if (selection.failed || regions.failed || swp_ledger_set(sweep->ledger, fields) < 0 ||
		swp_ledger_index(sweep->ledger, sweep->started_wall_ms) < 0)
		swp_sweep_end_text(sweep, SWP_SWEEP_END_STORE_LOST, "out of memory");
	free(filters);
	free(endpoints);
}

static int add_plan_id(const char *id, void *context)
{
	struct swp_message_sweep *plan = context;

	((const char **)plan->selection)[plan->selection_count++] = id;
	return 0;
}

static int make_plan(struct swp_sweep *sweep)
{
	const struct swp_sweep_options *options = sweep->options;
	const struct swp_endpoint_options *endpoints = options->endpoints;
	size_t rows = endpoints ? endpoints->row_count : 0;

	sweep->plan_selection =
		swp_calloc(swp_catalogue_check_count(options->catalogue) + 1, sizeof(*sweep->plan_selection));
	sweep->plan_endpoints = swp_calloc(rows + 1, sizeof(*sweep->plan_endpoints));
	if (!sweep->plan_selection || !sweep->plan_endpoints)
		return -ENOMEM;
	for (size_t i = 0; i < rows; i++)
		sweep->plan_endpoints[i] = (struct swp_wire_endpoint){
			.service = endpoints->rows[i].service ? endpoints->rows[i].service : "",
			.region = endpoints->rows[i].region ? endpoints->rows[i].region : "",
			.url = endpoints->rows[i].url,
		};
	sweep->plan = (struct swp_message_sweep){.sweep = sweep->id,
		.catalogue = swp_catalogue_hash(options->catalogue),
		.selection = sweep->plan_selection,
		.partition = sweep->partition->name,
		.organization_id = sweep->organization.id,
		.management_account = sweep->organization.management,
		.started_at_ms = (uint64_t)sweep->started_wall_ms,
		.endpoints = sweep->plan_endpoints,
		.endpoint_count = rows,
		.max_share_percent = options->max_share_percent,
		.fips = endpoints && endpoints->fips,
		.dual_stack = endpoints && endpoints->dual_stack};
	return visit_selected(sweep, add_plan_id, &sweep->plan);
}

static int make_correlator(struct swp_sweep *sweep)
{
	const struct swp_correlator_options options = {.loop = sweep->loop,
		.ledger = sweep->ledger,
		.catalogue = sweep->options->catalogue,
		.selection = sweep->options->selection,
		.partition = sweep->partition->name,
		.organization_id = sweep->organization.id,
		.management_account = sweep->organization.management};

	sweep->correlator = swp_correlator_new(&options);
	return sweep->correlator ? 0 : -ENOMEM;
}

void swp_sweep_write_gap(struct swp_sweep *sweep)
{
	if (sweep->begun && sweep->enumeration_gap.reason &&
		swp_ledger_gap(sweep->ledger, &sweep->enumeration_gap) < 0)
		swp_sweep_end_text(sweep, SWP_SWEEP_END_STORE_LOST, "out of memory");
}

/* All that the report needs beside the records. Also written again when the store has lost something. */
void swp_sweep_write_plan(struct swp_sweep *sweep)
{
	const struct swp_catalogue *catalogue = sweep->options->catalogue;
	size_t length;
	const char *compiled = swp_catalogue_compiled(catalogue, &length);

	if (!sweep->begun)
		return;
	if (swp_ledger_keep_catalogue(sweep->ledger, swp_catalogue_hash(catalogue), compiled, length) < 0)
		swp_sweep_end_text(sweep, SWP_SWEEP_END_STORE_LOST, "out of memory");
	swp_sweep_write_meta(sweep);
	swp_sweep_write_gap(sweep);
	swp_sweep_write_all_accounts(sweep);
}

/* True when the store has said that the sweep is ours; asks for it the first time. */
static bool is_owned(struct swp_sweep *sweep)
{
	if (!sweep->owning) {
		sweep->owning = true;
		if (swp_ledger_own(sweep->ledger,
			    &(struct swp_ledger_ownership){&sweep->owner, sweep->options->leader_term,
				    sweep->options->leader_before}) < 0)
			swp_sweep_end_text(sweep, SWP_SWEEP_END_COULD_NOT_RUN, "out of memory");
	}
	return sweep->owned && sweep->limits_known;
}

static bool may_resume(struct swp_sweep *sweep)
{
	struct swp_problem problem = {0};

	if (!sweep->options->resume || swp_sweep_resume_verify(sweep, &problem) == 0)
		return true;
	swp_sweep_end(sweep, SWP_SWEEP_END_COULD_NOT_RUN, &problem);
	return false;
}

void swp_sweep_begin(struct swp_sweep *sweep)
{
	const char *compiled;
	size_t length;

	if (sweep->begun || sweep->options->plan_only || !sweep->described || !sweep->store_ready ||
		sweep->told || sweep->closing || !may_resume(sweep) || !is_owned(sweep))
		return;
	if (make_plan(sweep) < 0 || make_correlator(sweep) < 0) {
		swp_sweep_end_text(sweep, SWP_SWEEP_END_COULD_NOT_RUN, "out of memory");
		return;
	}
	sweep->begun = true;
	swp_sweep_write_plan(sweep); /* accounts may have been listed before the store was there */
	compiled = swp_catalogue_compiled(sweep->options->catalogue, &length);
	sweep->prune = swp_prune_start(swp_ledger_store(sweep->ledger), sweep->options->keep,
		sweep->options->name ? sweep->options->name : "", sweep->id, swp_sweep_wall_ms(sweep),
		swp_ledger_fence(sweep->ledger));
	if (swp_fleet_add_plan(swp_hub_fleet(sweep->hub), &sweep->plan, compiled, length) < 0)
		swp_sweep_end_text(sweep, SWP_SWEEP_END_STORE_LOST, "out of memory");
	if (sweep->progress.phase < SWP_SWEEP_SWEEPING && sweep->organization.count > 0)
		swp_sweep_set_phase(sweep, SWP_SWEEP_SWEEPING);
	swp_sweep_kick(sweep);
}

/* --- life --- */

static void make_id(struct swp_sweep *sweep)
{
	char time[SWP_TIME_TEXT_BYTES];
	uint64_t random = swp_clock_random_u64(swp_loop_clock(sweep->loop));
	const struct swp_resume *resume = sweep->options->resume;

	if (sweep->options->owner)
		sweep->owner = *sweep->options->owner;
	else
		swp_owner_make(&sweep->owner, random >> 32);
	if (resume)
		sweep->started_wall_ms = resume->started_at_ms;
	swp_time_format_basic(sweep->started_wall_ms, time);
	snprintf(sweep->id, sizeof(sweep->id), "%s-%08x", time, (unsigned)(random & 0xffffffff));
	if (resume)
		snprintf(sweep->id, sizeof(sweep->id), "%s", resume->sweep);
	snprintf(sweep->session_name, sizeof(sweep->session_name), "orgsweep-%.50s", sweep->id);
}

static void know_levels(struct swp_sweep *sweep)
{
	const struct swp_catalogue *catalogue = sweep->options->catalogue;
	const struct swp_selection *selection = sweep->options->selection;

	for (int level = 0; level < SWP_LEVEL_COUNT; level++) {
		enum swp_level which = (enum swp_level)level;

		sweep->level_needed[level] = swp_selection_needs_level(catalogue, selection, which);
		if (which == SWP_LEVEL_ORGANIZATION && sweep->options->no_org)
			sweep->level_needed[level] = false;
		if (!sweep->level_needed[level])
			continue;
		sweep->level_cells[level] = (unsigned)swp_selection_count_level(catalogue, selection, which);
		sweep->level_calls[level] = swp_selection_expected_calls(catalogue, selection, which);
	}
}

static int check_options(const struct swp_sweep_options *options, struct swp_problem *problem)
{
	if (swp_selection_count(options->catalogue, options->selection) == 0)
		return swp_problem_set(problem, -EINVAL, "no check is selected");
	if (options->plan_only)
		return 0;
	if (options->hub)
		return 0;
	if (options->workers > 0 && !options->worker_program)
		return swp_problem_set(problem, -ENOENT,
			"orgsweep-worker was not found beside orgsweep or on PATH; set ORGSWEEP_WORKER to "
			"where it is");
	if (options->workers == 0 && !options->listen)
		return swp_problem_set(
			problem, -EINVAL, "--workers 0 needs --listen, or nobody could ever do a job");
	return 0;
}

static void init_timers(struct swp_sweep *sweep)
{
	swp_timer_init(&sweep->pump, sweep->loop, pump);
	swp_timer_init(&sweep->grace, sweep->loop, grace_over);
	swp_timer_init(&sweep->deadline, sweep->loop, deadline_over);
	swp_timer_init(&sweep->no_worker, sweep->loop, no_worker_fires);
	swp_timer_init(&sweep->withdrawal_limit, sweep->loop, withdrawal_over);
	swp_timer_init(&sweep->adopting, sweep->loop, adopting_over);
}

static int init(struct swp_sweep *sweep, struct swp_problem *problem)
{
	int error = check_options(sweep->options, problem);

	if (error < 0)
		return error;
	if (swp_organization_init(&sweep->organization) < 0 ||
		swp_scope_init(&sweep->scope, sweep->options) < 0)
		return swp_problem_set(problem, -ENOMEM, "out of memory");
	swp_region_table_init(&sweep->regions);
	know_levels(sweep);
	return swp_sweep_identity_init(sweep, problem);
}

struct swp_sweep *swp_sweep_new(struct swp_loop *loop, const struct swp_sweep_options *options,
	const struct swp_sweep_events *events, struct swp_problem *problem)
{
	struct swp_sweep *sweep = swp_calloc(1, sizeof(*sweep));

	if (!sweep) {
		swp_problem_set(problem, -ENOMEM, "out of memory");
		return NULL;
	}
	sweep->loop = loop;
	sweep->given = *options;
	sweep->options = &sweep->given;
	if (events)
		sweep->events = *events;
	sweep->home_region = "";
	init_timers(sweep);
	sweep->started_wall_ms = swp_sweep_wall_ms(sweep);
	sweep->progress.started_ms = swp_loop_now_ms(loop);
	make_id(sweep);
	if (init(sweep, problem) < 0) {
		swp_sweep_free(sweep);
		return NULL;
	}
	return sweep;
}

int swp_sweep_start(struct swp_sweep *sweep)
{
	struct swp_problem problem = {0};

	if (!sweep->options->plan_only && swp_sweep_jobs_init(sweep, &problem) < 0)
		swp_sweep_end(sweep, SWP_SWEEP_END_COULD_NOT_RUN, &problem);
	if (sweep->options->deadline_ms > 0 &&
		swp_timer_start(&sweep->deadline, sweep->options->deadline_ms) < 0)
		return -ENOMEM;
	if (sweep->hub)
		swp_timer_start(&sweep->no_worker, SWP_NO_WORKER_MS);
	if (sweep->hub && sweep->options->resume && (sweep->options->listen || sweep->options->hub)) {
		sweep->adopting_holds = true;
		swp_timer_start(&sweep->adopting, SWP_ADOPT_MS);
	}
	sweep->starting = sweep->closing; /* what failed already asks AWS nothing */
	return swp_timer_start(&sweep->pump, 0);
}

void swp_sweep_release(struct swp_sweep *sweep)
{
	SWP_ASSERT(sweep->told);
	if (sweep->own_hub)
		swp_fleet_tell_strangers(swp_hub_fleet(sweep->own_hub));
	swp_sweep_jobs_release(sweep);
	swp_accounts_free(sweep->accounts);
	sweep->accounts = NULL;
	swp_sweep_identity_release(sweep);
	swp_organization_done(&sweep->organization);
}

void swp_sweep_free(struct swp_sweep *sweep)
{
	if (!sweep)
		return;
	sweep->told = true;
	swp_timer_stop(&sweep->pump);
	swp_timer_stop(&sweep->grace);
	swp_timer_stop(&sweep->deadline);
	swp_timer_stop(&sweep->no_worker);
	swp_timer_stop(&sweep->withdrawal_limit);
	swp_timer_stop(&sweep->adopting);
	for (struct swp_open_account *open = sweep->accounts ? swp_accounts_first(sweep->accounts) : NULL;
		open; open = open->next)
		swp_sweep_forget_renewals(open);
	swp_sweep_jobs_done(sweep);
	swp_accounts_free(sweep->accounts);
	swp_sweep_identity_done(sweep);
	swp_scope_done(&sweep->scope);
	swp_organization_done(&sweep->organization);
	swp_session_policies_done(&sweep->policies);
	swp_free(sweep->plan_selection);
	swp_free(sweep->plan_endpoints);
	swp_free(sweep);
}

/* --- questions --- */

const char *swp_sweep_id(const struct swp_sweep *sweep)
{
	return sweep->id;
}

const struct swp_sweep_progress *swp_sweep_progress(const struct swp_sweep *sweep)
{
	count_own_calls((struct swp_sweep *)sweep);
	return &sweep->progress;
}

struct swp_store *swp_sweep_store(const struct swp_sweep *sweep)
{
	return sweep->ledger ? swp_ledger_store(sweep->ledger) : NULL;
}

void swp_sweep_own_statistics(const struct swp_sweep *sweep, struct swp_caller_statistics *ret_statistics)
{
	count_own_calls((struct swp_sweep *)sweep);
	*ret_statistics = sweep->own_calls;
}

void swp_sweep_dispatch_numbers(const struct swp_sweep *sweep, struct swp_dispatch_numbers *ret_numbers,
	struct swp_dispatch_worker_states *ret_workers)
{
	*ret_numbers = (struct swp_dispatch_numbers){0};
	*ret_workers = (struct swp_dispatch_worker_states){0};
	if (!sweep->hub)
		return;
	swp_dispatch_count(swp_hub_dispatch(sweep->hub), ret_numbers);
	swp_dispatch_count_workers(swp_hub_dispatch(sweep->hub), ret_workers);
}

void swp_sweep_strangers(const struct swp_sweep *sweep, struct swp_fleet_strangers *ret_strangers)
{
	*ret_strangers =
		sweep->hub ? swp_fleet_strangers(swp_hub_fleet(sweep->hub)) : (struct swp_fleet_strangers){0};
}

const char *swp_sweep_partition(const struct swp_sweep *sweep)
{
	return sweep->partition ? sweep->partition->name : "";
}

const char *swp_sweep_caller_arn(const struct swp_sweep *sweep)
{
	return sweep->identity.arn;
}

const char *swp_sweep_caller_account(const struct swp_sweep *sweep)
{
	return sweep->identity.account;
}

const char *swp_sweep_organization_id(const struct swp_sweep *sweep)
{
	return sweep->organization.id;
}

const char *swp_sweep_management_account(const struct swp_sweep *sweep)
{
	return sweep->organization.management;
}

const char *swp_sweep_credential_source(const struct swp_sweep *sweep)
{
	return sweep->source_name;
}
