#include "coordinator/metrics.h"

#include <stdio.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/base/text.h"
#include "proto/io/usage.h"
#include "proto/wire/message.h"

#define BY_HAND "manual"
#define STRANGER_REASONS 16
#define COUNTER SWP_METRIC_COUNTER
#define GAUGE SWP_METRIC_GAUGE
#define PROGRESS "of the sweep under way, else of the last one"
#define LAST "of the last sweep that ended"

static const struct swp_metric_row rows[SWP_COORDINATOR_METRIC_COUNT] = {
	[SWP_METRIC_BUILD] = {"orgsweep_build_info", GAUGE,
		"Always 1; the labels tell the release and the version of the protocol to workers.",
		{"version", "protocol"}},
	[SWP_METRIC_START] = {"orgsweep_start_time_seconds", GAUGE,
		"When the process started, in seconds since 1970."},
	[SWP_METRIC_CPU] = {"orgsweep_cpu_seconds_total", COUNTER,
		"CPU time that the process has used, of user and system."},
	[SWP_METRIC_MEMORY] = {"orgsweep_resident_memory_bytes", GAUGE, "Resident memory of the process."},
	[SWP_METRIC_LEADER] = {"orgsweep_leader", GAUGE,
		"1 while this coordinator leads, 0 while it stands by."},
	[SWP_METRIC_SWEEPS] = {"orgsweep_sweeps_total", COUNTER,
		"Sweeps that ended here: complete, partial, cancelled, could_not_run, store_lost, or are "
		"gone on with "
		"elsewhere: suspended, deposed.",
		{"sweep", "status"}},
	[SWP_METRIC_SWEEP_RUNNING] = {"orgsweep_sweep_running", GAUGE, "1 while that sweep runs, else 0.",
		{"sweep"}},
	[SWP_METRIC_LAST_COMPLETE] = {"orgsweep_sweep_last_complete_timestamp_seconds", GAUGE,
		"When a sweep of that name was complete last, in seconds since 1970; 0: none was yet.",
		{"sweep"}},
	[SWP_METRIC_LAST_DURATION] = {"orgsweep_sweep_last_duration_seconds", GAUGE,
		"How long the last sweep took that ended with a report.", {"sweep"}},
	[SWP_METRIC_COVERAGE] = {"orgsweep_coverage_ratio", GAUGE,
		"Share of the planned cells that were assessed, 0 to 1, " LAST " with a report.", {"sweep"}},
	[SWP_METRIC_FINDINGS] = {"orgsweep_findings", GAUGE, "FAIL results " LAST " with a report.",
		{"sweep", "severity"}},
	[SWP_METRIC_CHAINS] = {"orgsweep_chains", GAUGE, "Confirmed attack chains " LAST " with a report.",
		{"sweep", "severity"}},
	[SWP_METRIC_CELLS_PLANNED] = {"orgsweep_cells_planned", GAUGE,
		"Cells (account, region, check) that are planned so far, " PROGRESS ".", {"sweep"}},
	[SWP_METRIC_CELLS] = {"orgsweep_cells", GAUGE, "Cells that are settled, by state, " PROGRESS ".",
		{"sweep", "state"}},
	[SWP_METRIC_CELLS_PARTIAL] = {"orgsweep_cells_partial", GAUGE,
		"FAIL cells in which some resource could not be read, " PROGRESS ".", {"sweep"}},
	[SWP_METRIC_CELLS_CLOSED] = {"orgsweep_cells_closed", GAUGE,
		"Cells in services that a service control policy closes, " PROGRESS ".", {"sweep"}},
	[SWP_METRIC_ACCOUNTS] = {"orgsweep_accounts", GAUGE,
		"Accounts that the organization has listed, " PROGRESS
		": undecided, not_planned (suspended, excluded …), "
		"open, done, failed (no role).",
		{"sweep", "state"}},
	[SWP_METRIC_JOBS_PLANNED] = {"orgsweep_jobs_planned", GAUGE,
		"Jobs (account and region) that are planned so far, " PROGRESS ".", {"sweep"}},
	[SWP_METRIC_JOBS] = {"orgsweep_jobs", GAUGE,
		"Planned jobs by state, " PROGRESS ": waiting, running, done, lost.", {"sweep", "state"}},
	[SWP_METRIC_JOBS_READY] = {"orgsweep_jobs_ready", GAUGE,
		"Jobs, of all sweeps, that the next free worker could begin."},
	[SWP_METRIC_LEASES_LOST] = {"orgsweep_leases_lost_total", COUNTER,
		"Jobs that were taken from a worker: expired (it did not renew them), worker_gone.",
		{"cause"}},
	[SWP_METRIC_WORKERS] = {"orgsweep_workers", GAUGE,
		"Workers that are connected: ready, busy, draining, lost (a lease ran out and nothing was "
		"heard "
		"since).",
		{"state"}},
	[SWP_METRIC_REQUESTS] = {"orgsweep_aws_requests_total", COUNTER,
		"HTTP requests of the coordinator's own AWS calls (STS, Organizations, regions)."},
	[SWP_METRIC_RETRIES] = {"orgsweep_aws_retries_total", COUNTER, "Of these, further tries of a call."},
	[SWP_METRIC_THROTTLES] = {"orgsweep_aws_throttles_total", COUNTER,
		"Of these, answered with a throttling code."},
	[SWP_METRIC_STORE_UP] = {"orgsweep_store_up", GAUGE, "1 while Redis is connected, else 0."},
	[SWP_METRIC_STORE_RECONNECTS] = {"orgsweep_store_reconnects_total", COUNTER,
		"Times that the connection to Redis was made again."},
	[SWP_METRIC_STRANGERS] = {"orgsweep_strangers_refused_total", COUNTER,
		"Who was not let in or was sent away: unknown_key, without_user, too_large, malformed, "
		"version.",
		{"reason"}},
	[SWP_METRIC_DROPPED] = {"orgsweep_metric_updates_dropped_total", COUNTER,
		"Updates that were not counted because their metric had as many series as it may have.",
		{"metric"}},
};

/* A count that somebody else keeps, and may begin anew. */
struct followed {
	uint64_t last;
};

struct named_sweep {
	char *name; /* owned */
	struct followed requests, retries, throttles;
};

struct swp_coordinator_metrics {
	struct swp_metrics *registry;
	struct named_sweep sweeps[SWP_LIMIT_METRIC_SWEEPS];
	size_t sweep_count;
	struct followed expired, gone, reconnects;
	struct {
		const char *reason;
		struct followed count;
	} strangers[STRANGER_REASONS];
};

const struct swp_metric_row *swp_coordinator_metric_rows(void)
{
	return rows;
}

/* --- series by their labels --- */

static struct swp_metric_series *series(struct swp_coordinator_metrics *metrics,
	enum swp_coordinator_metric metric, const char *first, const char *second)
{
	const char *values[] = {first, second};

	return swp_metrics_series(metrics->registry, metric, values);
}

static void set(struct swp_coordinator_metrics *metrics, enum swp_coordinator_metric metric,
	const char *first, const char *second, double value)
{
	swp_metric_set(series(metrics, metric, first, second), value);
}

static void follow(struct swp_metric_series *counter, struct followed *followed, uint64_t now)
{
	uint64_t before = now < followed->last ? 0 : followed->last;

	swp_metric_add(counter, (double)(now - before));
	followed->last = now;
}

/* --- sweeps --- */

static const char *shown_name(const char *name)
{
	return name && *name ? name : BY_HAND;
}

static struct named_sweep *find_sweep(struct swp_coordinator_metrics *metrics, const char *name)
{
	for (size_t i = 0; i < metrics->sweep_count; i++)
		if (swp_text_equal(metrics->sweeps[i].name, name))
			return &metrics->sweeps[i];
	return NULL;
}

static const char *const ends[] = {
	"complete", "partial", "cancelled", "could_not_run", "store_lost", "suspended", "deposed"};

/* Each way to end is there from the start, so that the first one is a step from 0 to 1. */
static struct named_sweep *name_sweep(struct swp_coordinator_metrics *metrics, const char *name)
{
	struct named_sweep *sweep = find_sweep(metrics, shown_name(name));
	char *copy;

	if (sweep)
		return sweep;
	copy = metrics->sweep_count < SWP_LIMIT_METRIC_SWEEPS ? swp_strdup(shown_name(name)) : NULL;
	if (!copy) {
		swp_metric_add(swp_metrics_dropping(metrics->registry, SWP_METRIC_SWEEPS), 1);
		return NULL;
	}
	sweep = &metrics->sweeps[metrics->sweep_count++];
	*sweep = (struct named_sweep){.name = copy};
	for (size_t i = 0; i < SWP_ARRAY_SIZE(ends); i++)
		series(metrics, SWP_METRIC_SWEEPS, copy, ends[i]);
	set(metrics, SWP_METRIC_LAST_COMPLETE, copy, NULL, 0);
	set(metrics, SWP_METRIC_SWEEP_RUNNING, copy, NULL, 0);
	return sweep;
}

static void set_cells(
	struct swp_coordinator_metrics *metrics, const char *name, const struct swp_sweep_progress *progress)
{
	set(metrics, SWP_METRIC_CELLS_PLANNED, name, NULL, (double)progress->cells_planned);
	set(metrics, SWP_METRIC_CELLS, name, "pass", (double)progress->cells_pass);
	set(metrics, SWP_METRIC_CELLS, name, "fail", (double)progress->cells_fail);
	set(metrics, SWP_METRIC_CELLS, name, "not_applicable", (double)progress->cells_not_applicable);
	set(metrics, SWP_METRIC_CELLS, name, "not_assessed", (double)progress->cells_not_assessed);
	set(metrics, SWP_METRIC_CELLS_PARTIAL, name, NULL, (double)progress->cells_partial);
	set(metrics, SWP_METRIC_CELLS_CLOSED, name, NULL, (double)progress->cells_closed);
}

/* What is left of `whole`; the parts are counted at other moments than it. */
static double rest(uint64_t whole, uint64_t parts)
{
	return whole > parts ? (double)(whole - parts) : 0;
}

static void set_accounts(
	struct swp_coordinator_metrics *metrics, const char *name, const struct swp_sweep_progress *progress)
{
	unsigned decided = progress->accounts_not_planned + progress->accounts_planned;

	set(metrics, SWP_METRIC_ACCOUNTS, name, "undecided", rest(progress->accounts_known, decided));
	set(metrics, SWP_METRIC_ACCOUNTS, name, "not_planned", progress->accounts_not_planned);
	set(metrics, SWP_METRIC_ACCOUNTS, name, "open",
		rest(progress->accounts_planned, progress->accounts_done));
	set(metrics, SWP_METRIC_ACCOUNTS, name, "done",
		rest(progress->accounts_done, progress->accounts_failed));
	set(metrics, SWP_METRIC_ACCOUNTS, name, "failed", progress->accounts_failed);
}

static void set_jobs(
	struct swp_coordinator_metrics *metrics, const char *name, const struct swp_sweep_progress *progress)
{
	set(metrics, SWP_METRIC_JOBS_PLANNED, name, NULL, (double)progress->jobs_planned);
	set(metrics, SWP_METRIC_JOBS, name, "waiting",
		rest(progress->jobs_planned, progress->jobs_done + progress->jobs_running));
	set(metrics, SWP_METRIC_JOBS, name, "running", (double)progress->jobs_running);
	set(metrics, SWP_METRIC_JOBS, name, "done", rest(progress->jobs_done, progress->jobs_lost));
	set(metrics, SWP_METRIC_JOBS, name, "lost", (double)progress->jobs_lost);
}

static void follow_calls(struct swp_coordinator_metrics *metrics, struct named_sweep *sweep,
	const struct swp_caller_statistics *calls)
{
	follow(series(metrics, SWP_METRIC_REQUESTS, NULL, NULL), &sweep->requests, calls->calls);
	follow(series(metrics, SWP_METRIC_RETRIES, NULL, NULL), &sweep->retries, calls->retried);
	follow(series(metrics, SWP_METRIC_THROTTLES, NULL, NULL), &sweep->throttles, calls->throttled);
}

static struct named_sweep *take_numbers(
	struct swp_coordinator_metrics *metrics, const struct swp_coordinator_sweep *given)
{
	struct named_sweep *sweep = name_sweep(metrics, given->name);

	if (!sweep)
		return NULL;
	set_cells(metrics, sweep->name, given->progress);
	set_accounts(metrics, sweep->name, given->progress);
	set_jobs(metrics, sweep->name, given->progress);
	if (given->own_calls)
		follow_calls(metrics, sweep, given->own_calls);
	return sweep;
}

void swp_coordinator_metrics_sweep(
	struct swp_coordinator_metrics *metrics, const struct swp_coordinator_sweep *given)
{
	struct named_sweep *sweep = take_numbers(metrics, given);

	if (sweep)
		set(metrics, SWP_METRIC_SWEEP_RUNNING, sweep->name, NULL, 1);
}

static const char *end_name(const struct swp_sweep_result *result)
{
	switch (result->end) {
	case SWP_SWEEP_END_SWEPT:
		return swp_sweep_status_name(result->status);
	case SWP_SWEEP_END_COULD_NOT_RUN:
		return "could_not_run";
	case SWP_SWEEP_END_STORE_LOST:
		return "store_lost";
	case SWP_SWEEP_END_SUSPENDED:
		return "suspended";
	case SWP_SWEEP_END_DEPOSED:
		return "deposed";
	}
	return "";
}

/* As the report has it, which is below 100 % when accounts may be missing, and rounds down to two decimals of a percent. */
static double coverage(const struct swp_sweep_progress *progress, bool enumeration_complete)
{
	uint64_t missing = progress->cells_not_assessed + progress->cells_partial;
	uint64_t hundredths = progress->cells_planned > missing
				      ? 10000 * (progress->cells_planned - missing) / progress->cells_planned
				      : 0;

	return (double)(hundredths == 10000 && !enumeration_complete ? 9999 : hundredths) / 10000;
}

static void set_results(struct swp_coordinator_metrics *metrics, const char *name,
	const struct swp_sweep_progress *progress, const struct swp_sweep_result *result)
{
	set(metrics, SWP_METRIC_COVERAGE, name, NULL, coverage(progress, result->enumeration_complete));
	for (int severity = 0; severity < SWP_SEVERITY_COUNT; severity++) {
		const char *severity_name = swp_severity_name((enum swp_severity)severity);

		set(metrics, SWP_METRIC_FINDINGS, name, severity_name, (double)progress->findings[severity]);
		set(metrics, SWP_METRIC_CHAINS, name, severity_name, (double)progress->chains[severity]);
	}
}

void swp_coordinator_metrics_ended(struct swp_coordinator_metrics *metrics,
	const struct swp_coordinator_sweep *given, const struct swp_sweep_result *result,
	int64_t ended_wall_ms, int64_t duration_ms)
{
	struct named_sweep *sweep = take_numbers(metrics, given);

	if (!sweep)
		return;
	sweep->requests = sweep->retries = sweep->throttles = (struct followed){0};
	set(metrics, SWP_METRIC_SWEEP_RUNNING, sweep->name, NULL, 0);
	swp_metric_add(series(metrics, SWP_METRIC_SWEEPS, sweep->name, end_name(result)), 1);
	if (result->end != SWP_SWEEP_END_SWEPT)
		return;
	set_results(metrics, sweep->name, given->progress, result);
	set(metrics, SWP_METRIC_LAST_DURATION, sweep->name, NULL, (double)duration_ms / 1000);
	if (result->status == SWP_SWEEP_COMPLETE)
		set(metrics, SWP_METRIC_LAST_COMPLETE, sweep->name, NULL, (double)ended_wall_ms / 1000);
}

void swp_coordinator_metrics_last_complete(
	struct swp_coordinator_metrics *metrics, const char *name, int64_t wall_ms)
{
	struct named_sweep *sweep = name_sweep(metrics, name);

	if (sweep)
		set(metrics, SWP_METRIC_LAST_COMPLETE, sweep->name, NULL, (double)wall_ms / 1000);
}

void swp_coordinator_metrics_forget(struct swp_coordinator_metrics *metrics, const char *name)
{
	struct named_sweep *sweep = find_sweep(metrics, shown_name(name));

	if (!sweep)
		return;
	for (size_t row = 0; row < SWP_COORDINATOR_METRIC_COUNT; row++)
		if (swp_text_equal(rows[row].labels[0], "sweep"))
			swp_metrics_remove_first(metrics->registry, row, sweep->name);
	swp_free(sweep->name);
	*sweep = metrics->sweeps[--metrics->sweep_count];
}

/* --- what all sweeps share --- */

void swp_coordinator_metrics_dispatch(struct swp_coordinator_metrics *metrics,
	const struct swp_dispatch_numbers *numbers, const struct swp_dispatch_worker_states *workers)
{
	set(metrics, SWP_METRIC_JOBS_READY, NULL, NULL, (double)numbers->ready);
	follow(series(metrics, SWP_METRIC_LEASES_LOST, "expired", NULL), &metrics->expired,
		numbers->leases_expired);
	follow(series(metrics, SWP_METRIC_LEASES_LOST, "worker_gone", NULL), &metrics->gone,
		numbers->leases_gone);
	set(metrics, SWP_METRIC_WORKERS, "ready", NULL, workers->ready);
	set(metrics, SWP_METRIC_WORKERS, "busy", NULL, workers->busy);
	set(metrics, SWP_METRIC_WORKERS, "draining", NULL, workers->draining);
	set(metrics, SWP_METRIC_WORKERS, "lost", NULL, workers->lost);
}

void swp_coordinator_metrics_store(struct swp_coordinator_metrics *metrics, bool up, uint64_t connections)
{
	set(metrics, SWP_METRIC_STORE_UP, NULL, NULL, up);
	follow(series(metrics, SWP_METRIC_STORE_RECONNECTS, NULL, NULL), &metrics->reconnects,
		connections > 0 ? connections - 1 : 0);
}

void swp_coordinator_metrics_leader(struct swp_coordinator_metrics *metrics, bool leads)
{
	set(metrics, SWP_METRIC_LEADER, NULL, NULL, leads);
}

void swp_coordinator_metrics_strangers(
	struct swp_coordinator_metrics *metrics, const char *reason, uint64_t count)
{
	size_t at = 0;

	while (at < STRANGER_REASONS && metrics->strangers[at].reason &&
		strcmp(metrics->strangers[at].reason, reason) != 0)
		at++;
	SWP_ASSERT(at < STRANGER_REASONS);
	metrics->strangers[at].reason = reason;
	follow(series(metrics, SWP_METRIC_STRANGERS, reason, NULL), &metrics->strangers[at].count, count);
}

int swp_coordinator_metrics_write(struct swp_coordinator_metrics *metrics, struct swp_buf *out)
{
	struct swp_usage usage;

	swp_usage_get(&usage);
	set(metrics, SWP_METRIC_CPU, NULL, NULL, usage.cpu_seconds);
	set(metrics, SWP_METRIC_MEMORY, NULL, NULL, (double)usage.resident_bytes);
	return swp_metrics_write(metrics->registry, out);
}

/* --- life --- */

struct swp_coordinator_metrics *swp_coordinator_metrics_new(int64_t started_ms)
{
	struct swp_coordinator_metrics *metrics = swp_calloc(1, sizeof(*metrics));
	char protocol[16];

	if (metrics)
		metrics->registry = swp_metrics_new(rows, SWP_COORDINATOR_METRIC_COUNT, SWP_METRIC_DROPPED);
	if (!metrics || !metrics->registry) {
		swp_free(metrics);
		return NULL;
	}
	snprintf(protocol, sizeof(protocol), "%d", SWP_WIRE_VERSION);
	set(metrics, SWP_METRIC_BUILD, SWP_VERSION, protocol, 1);
	set(metrics, SWP_METRIC_START, NULL, NULL, (double)started_ms / 1000);
	return metrics;
}

void swp_coordinator_metrics_free(struct swp_coordinator_metrics *metrics)
{
	if (!metrics)
		return;
	for (size_t i = 0; i < metrics->sweep_count; i++)
		swp_free(metrics->sweeps[i].name);
	swp_metrics_free(metrics->registry);
	swp_free(metrics);
}
