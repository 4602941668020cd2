#include "worker/metrics.h"

#include <stdio.h>
#include <string.h>

#include "checks/catalogue.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/wire/message.h"

/* A job of a small region takes some 50 ms, one with slow or throttled services minutes, none more than SWP_LIMIT_JOB_MS. */
static const double job_seconds[] = {0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200};

#define NAME(name) "orgsweep_worker_" name
#define COUNTER SWP_METRIC_COUNTER
#define GAUGE SWP_METRIC_GAUGE

static const struct swp_metric_row rows[SWP_WORKER_METRIC_COUNT] = {
	[SWP_WORKER_METRIC_BUILD] = {NAME("build_info"), GAUGE,
		"Always 1; the labels tell the release and the version of the protocol to coordinators.",
		{"version", "protocol"}},
	[SWP_WORKER_METRIC_START] = {NAME("start_time_seconds"), GAUGE,
		"When the process started, in seconds since 1970."},
	[SWP_WORKER_METRIC_CPU] = {NAME("cpu_seconds_total"), COUNTER,
		"CPU time that the process has used, of user and system."},
	[SWP_WORKER_METRIC_MEMORY] = {NAME("resident_memory_bytes"), GAUGE,
		"Resident memory of the process."},
	[SWP_WORKER_METRIC_CALLS] = {NAME("aws_calls_total"), COUNTER,
		"AWS calls that are over, with all their tries, by how the last try came out.",
		{"service", "outcome"}},
	[SWP_WORKER_METRIC_REQUESTS] = {NAME("aws_requests_total"), COUNTER,
		"HTTP requests of AWS calls that are over: the report's summary.calls.total without the "
		"coordinator's.",
		{"service"}},
	[SWP_WORKER_METRIC_RETRIES] = {NAME("aws_retries_total"), COUNTER,
		"Requests that were a further try of a call.", {"service"}},
	[SWP_WORKER_METRIC_THROTTLES] = {NAME("aws_throttles_total"), COUNTER,
		"Requests that AWS answered with a throttling code.", {"service"}},
	[SWP_WORKER_METRIC_REFUSALS] = {NAME("aws_refusals_total"), COUNTER,
		"Calls that AWS refused, by the reason that their cells get.", {"reason"}},
	[SWP_WORKER_METRIC_IN_FLIGHT] = {NAME("aws_requests_in_flight"), GAUGE,
		"HTTP requests that are under way."},
	[SWP_WORKER_METRIC_WAITING] = {NAME("aws_calls_waiting"), GAUGE,
		"Calls that wait for their limiter or for a free place."},
	[SWP_WORKER_METRIC_LIMITER_WAITS] = {NAME("limiter_waits_total"), COUNTER,
		"Tries of calls that had to wait for the rate limiter of their account, region and service."},
	[SWP_WORKER_METRIC_LIMITER_SECONDS] = {NAME("limiter_wait_seconds_total"), COUNTER,
		"How long they waited, together."},
	[SWP_WORKER_METRIC_CONNECTIONS] = {NAME("aws_connections_total"), COUNTER,
		"Connections that were opened to AWS or a proxy."},
	[SWP_WORKER_METRIC_HANDSHAKES] = {NAME("tls_handshakes_total"), COUNTER,
		"TLS handshakes with AWS that were finished."},
	[SWP_WORKER_METRIC_REUSED] = {NAME("aws_connections_reused_total"), COUNTER,
		"HTTP requests that went over a connection that was open already."},
	[SWP_WORKER_METRIC_RECEIVED] = {NAME("aws_received_bytes_total"), COUNTER,
		"Bytes of answers, heads and bodies, before they are judged."},
	[SWP_WORKER_METRIC_JOBS] = {NAME("jobs_in_hand"), GAUGE,
		"Jobs that the worker has: being collected or being committed."},
	[SWP_WORKER_METRIC_JOBS_ENDED] = {NAME("jobs_total"), COUNTER,
		"Jobs that ended here: sealed, duplicate (was sealed already), stale (granted to another one "
		"meanwhile), given-back, cancelled.",
		{"how"}},
	[SWP_WORKER_METRIC_JOB_SECONDS] = {NAME("job_duration_seconds"), SWP_METRIC_HISTOGRAM,
		"From a job's arrival to its acknowledged seal.", .buckets = job_seconds,
		.bucket_count = SWP_ARRAY_SIZE(job_seconds)},
	[SWP_WORKER_METRIC_COMMITS] = {NAME("commits_total"), COUNTER,
		"Answers to parts and seals sent to the store: taken, stale (another epoch was granted), "
		"missing (the store has lost parts), error and lost (both are sent again).",
		{"result"}},
	[SWP_WORKER_METRIC_COMMITTED] = {NAME("committed_bytes_total"), COUNTER,
		"Bytes of parts and seals that the store has taken."},
	[SWP_WORKER_METRIC_UNCOMMITTED] = {NAME("uncommitted_bytes"), GAUGE,
		"Bytes of results that the store has not acknowledged; at 32 MiB no new call starts."},
	[SWP_WORKER_METRIC_STORE_UP] = {NAME("store_up"), GAUGE, "1 while Redis is connected, else 0."},
	[SWP_WORKER_METRIC_STORE_RECONNECTS] = {NAME("store_reconnects_total"), COUNTER,
		"Times that the connection to Redis was made again."},
	[SWP_WORKER_METRIC_COORDINATOR_UP] = {NAME("coordinator_up"), GAUGE,
		"1 while that coordinator answers, else 0.", {"coordinator"}},
	[SWP_WORKER_METRIC_COORDINATOR_LOSSES] = {NAME("coordinator_losses_total"), COUNTER,
		"Times that the coordinator fell silent; jobs went on meanwhile.", {"coordinator"}},
	[SWP_WORKER_METRIC_DRAINING] = {NAME("draining"), GAUGE,
		"1 while it takes no new jobs because it is to end, else 0."},
	[SWP_WORKER_METRIC_DROPPED] = {NAME("metric_updates_dropped_total"), COUNTER,
		"Updates that were not counted because their metric had as many series as it may have.",
		{"metric"}},
};

static const char *const ended_names[SWP_JOB_ENDED_COUNT] = {
	[SWP_JOB_ENDED_CANCELLED] = "cancelled",
	[SWP_JOB_ENDED_SEALED] = "sealed",
	[SWP_JOB_ENDED_DUPLICATE] = "duplicate",
	[SWP_JOB_ENDED_STALE] = "stale",
	[SWP_JOB_ENDED_GIVEN_BACK] = "given-back",
};
static const char *const commit_names[SWP_COMMIT_RESULT_COUNT] = {
	[SWP_COMMIT_TAKEN] = "taken",
	[SWP_COMMIT_STALE] = "stale",
	[SWP_COMMIT_MISSING] = "missing",
	[SWP_COMMIT_ERROR] = "error",
	[SWP_COMMIT_LOST] = "lost",
};

const struct swp_metric_row *swp_worker_metric_rows(void)
{
	return rows;
}

/* --- services --- */

static struct swp_metric_series *of_label(
	struct swp_worker_metrics *metrics, enum swp_worker_metric metric, const char *value)
{
	return swp_metrics_series(metrics->registry, metric, &value);
}

static void fill_service(struct swp_worker_metrics *metrics, struct swp_service_counts *service)
{
	for (int outcome = 0; outcome < SWP_OUTCOME_COUNT; outcome++) {
		const char *values[] = {service->name, swp_outcome_name((enum swp_outcome)outcome)};

		service->calls[outcome] =
			swp_metrics_series(metrics->registry, SWP_WORKER_METRIC_CALLS, values);
	}
	service->requests = of_label(metrics, SWP_WORKER_METRIC_REQUESTS, service->name);
	service->retries = of_label(metrics, SWP_WORKER_METRIC_RETRIES, service->name);
	service->throttles = of_label(metrics, SWP_WORKER_METRIC_THROTTLES, service->name);
}

static void fill_further(struct swp_worker_metrics *metrics)
{
	struct swp_service_counts *further = &metrics->further;

	for (int outcome = 0; outcome < SWP_OUTCOME_COUNT; outcome++)
		further->calls[outcome] = swp_metrics_dropping(metrics->registry, SWP_WORKER_METRIC_CALLS);
	further->requests = swp_metrics_dropping(metrics->registry, SWP_WORKER_METRIC_REQUESTS);
	further->retries = swp_metrics_dropping(metrics->registry, SWP_WORKER_METRIC_RETRIES);
	further->throttles = swp_metrics_dropping(metrics->registry, SWP_WORKER_METRIC_THROTTLES);
}

const struct swp_service_counts *swp_worker_metrics_service(
	struct swp_worker_metrics *metrics, const char *name)
{
	struct swp_service_counts *service;

	for (size_t i = 0; i < metrics->service_count; i++)
		if (strcmp(metrics->services[i].name, name) == 0)
			return &metrics->services[i];
	if (metrics->service_count == SWP_LIMIT_METRIC_SERVICES)
		return &metrics->further;
	service = &metrics->services[metrics->service_count];
	service->name = swp_strdup(name);
	if (!service->name)
		return &metrics->further;
	metrics->service_count++;
	fill_service(metrics, service);
	return service;
}

void swp_worker_metrics_catalogue(struct swp_worker_metrics *metrics, const struct swp_catalogue *catalogue)
{
	for (size_t i = 0; i < swp_catalogue_service_count(catalogue); i++)
		swp_worker_metrics_service(metrics, swp_catalogue_service(catalogue, i)->name);
}

/* --- counting --- */

/* Those that the classifier gives to a refusal stand ready. */
static struct swp_metric_series *of_reason(struct swp_worker_metrics *metrics, enum swp_reason reason)
{
	return reason < SWP_ARRAY_SIZE(metrics->refusals)
		       ? metrics->refusals[reason]
		       : of_label(metrics, SWP_WORKER_METRIC_REFUSALS, swp_reason_name(reason));
}

void swp_worker_metrics_call(struct swp_worker_metrics *metrics, const struct swp_service_counts *service,
	const struct swp_answer *answer)
{
	swp_metric_add(service->calls[answer->outcome], 1);
	swp_metric_add(service->requests, answer->tries);
	if (answer->tries > 1)
		swp_metric_add(service->retries, answer->tries - 1);
	if (answer->throttled > 0)
		swp_metric_add(service->throttles, answer->throttled);
	if (answer->outcome == SWP_OUTCOME_REFUSED)
		swp_metric_add(of_reason(metrics, answer->reason), 1);
}

void swp_worker_metrics_job(struct swp_worker_metrics *metrics, enum swp_job_ended how, int64_t duration_ms)
{
	swp_metric_add(metrics->jobs[how], 1);
	if (how == SWP_JOB_ENDED_SEALED)
		swp_metric_observe(metrics->job_seconds, (double)duration_ms / 1000);
}

void swp_worker_metrics_commit(
	struct swp_worker_metrics *metrics, enum swp_commit_result result, size_t bytes)
{
	swp_metric_add(metrics->commits[result], 1);
	if (result == SWP_COMMIT_TAKEN)
		swp_metric_add(metrics->committed_bytes, (double)bytes);
}

void swp_worker_metrics_caller_ends(struct swp_worker_metrics *metrics, const struct swp_caller *caller)
{
	struct swp_caller_statistics statistics;

	if (!caller)
		return;
	swp_caller_statistics_get(caller, &statistics);
	metrics->ended_callers.limiter_waits += statistics.limiter_waits;
	metrics->ended_callers.limiter_wait_ms += statistics.limiter_wait_ms;
}

/* --- life --- */

/* Series whose labels are a closed set are there from the start. */
static void fill_closed_sets(struct swp_worker_metrics *metrics)
{
	for (int how = 0; how < SWP_JOB_ENDED_COUNT; how++)
		metrics->jobs[how] = of_label(metrics, SWP_WORKER_METRIC_JOBS_ENDED, ended_names[how]);
	for (int result = 0; result < SWP_COMMIT_RESULT_COUNT; result++)
		metrics->commits[result] = of_label(metrics, SWP_WORKER_METRIC_COMMITS, commit_names[result]);
	metrics->refusals[SWP_REASON_NONE] =
		swp_metrics_dropping(metrics->registry, SWP_WORKER_METRIC_REFUSALS); /* there is none */
	for (size_t reason = SWP_REASON_NONE + 1; reason < SWP_ARRAY_SIZE(metrics->refusals); reason++)
		metrics->refusals[reason] = of_label(
			metrics, SWP_WORKER_METRIC_REFUSALS, swp_reason_name((enum swp_reason)reason));
	metrics->job_seconds = swp_metrics_series(metrics->registry, SWP_WORKER_METRIC_JOB_SECONDS, NULL);
	metrics->committed_bytes = swp_metrics_series(metrics->registry, SWP_WORKER_METRIC_COMMITTED, NULL);
}

static void tell_build(struct swp_worker_metrics *metrics, int64_t started_ms)
{
	char protocol[16];
	const char *values[] = {SWP_VERSION, protocol};

	snprintf(protocol, sizeof(protocol), "%d", SWP_WIRE_VERSION);
	swp_metric_set(swp_metrics_series(metrics->registry, SWP_WORKER_METRIC_BUILD, values), 1);
	swp_metric_set(swp_metrics_series(metrics->registry, SWP_WORKER_METRIC_START, NULL),
		(double)started_ms / 1000);
}

struct swp_worker_metrics *swp_worker_metrics_new(int64_t started_ms)
{
	struct swp_worker_metrics *metrics = swp_calloc(1, sizeof(*metrics));

	if (metrics)
		metrics->registry = swp_metrics_new(rows, SWP_WORKER_METRIC_COUNT, SWP_WORKER_METRIC_DROPPED);
	if (!metrics || !metrics->registry) {
		swp_free(metrics);
		return NULL;
	}
	fill_further(metrics);
	fill_closed_sets(metrics);
	tell_build(metrics, started_ms);
	return metrics;
}

void swp_worker_metrics_free(struct swp_worker_metrics *metrics)
{
	if (!metrics)
		return;
	for (size_t i = 0; i < metrics->service_count; i++)
		swp_free(metrics->services[i].name);
	swp_metrics_free(metrics->registry);
	swp_free(metrics);
}
