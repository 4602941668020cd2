/* What a worker counts. One table (metrics.c) makes registry, docs and tests; the names are what dashboards rely on. Internal to worker/.
 *
 * Counting is an addition to a series that its owner holds. What is a state (calls in flight, memory) and what others count already is put
 * in when somebody asks: metrics-write.c.
 */
#ifndef SWP_WORKER_METRICS_H
#define SWP_WORKER_METRICS_H

#include <stdint.h>

#include "proto/aws/outcome.h"
#include "proto/base/limits.h"
#include "proto/base/metrics.h"
#include "proto/io/caller.h"

struct swp_catalogue;

enum swp_worker_metric {
	SWP_WORKER_METRIC_BUILD,
	SWP_WORKER_METRIC_START,
	SWP_WORKER_METRIC_CPU,
	SWP_WORKER_METRIC_MEMORY,
	SWP_WORKER_METRIC_CALLS,
	SWP_WORKER_METRIC_REQUESTS,
	SWP_WORKER_METRIC_RETRIES,
	SWP_WORKER_METRIC_THROTTLES,
	SWP_WORKER_METRIC_REFUSALS,
	SWP_WORKER_METRIC_IN_FLIGHT,
	SWP_WORKER_METRIC_WAITING,
	SWP_WORKER_METRIC_LIMITER_WAITS,
	SWP_WORKER_METRIC_LIMITER_SECONDS,
	SWP_WORKER_METRIC_CONNECTIONS,
	SWP_WORKER_METRIC_HANDSHAKES,
	SWP_WORKER_METRIC_REUSED,
	SWP_WORKER_METRIC_RECEIVED,
	SWP_WORKER_METRIC_JOBS,
	SWP_WORKER_METRIC_JOBS_ENDED,
	SWP_WORKER_METRIC_JOB_SECONDS,
	SWP_WORKER_METRIC_COMMITS,
	SWP_WORKER_METRIC_COMMITTED,
	SWP_WORKER_METRIC_UNCOMMITTED,
	SWP_WORKER_METRIC_STORE_UP,
	SWP_WORKER_METRIC_STORE_RECONNECTS,
	SWP_WORKER_METRIC_COORDINATOR_UP,
	SWP_WORKER_METRIC_COORDINATOR_LOSSES,
	SWP_WORKER_METRIC_DRAINING,
	SWP_WORKER_METRIC_DROPPED,
	SWP_WORKER_METRIC_COUNT,
};
/* SWP_WORKER_METRIC_COUNT rows. */
const struct swp_metric_row *swp_worker_metric_rows(void);

/* How a job ended here. */
enum swp_job_ended {
	SWP_JOB_ENDED_CANCELLED, /* taken away: by its coordinator, by a newer grant, with the worker's end */
	SWP_JOB_ENDED_SEALED,
	SWP_JOB_ENDED_DUPLICATE,
	SWP_JOB_ENDED_STALE,
	SWP_JOB_ENDED_GIVEN_BACK,
	SWP_JOB_ENDED_COUNT,
};

/* What became of a request to the store. */
enum swp_commit_result {
	SWP_COMMIT_TAKEN,
	SWP_COMMIT_STALE,   /* another epoch was granted meanwhile */
	SWP_COMMIT_MISSING, /* the store has lost parts */
	SWP_COMMIT_ERROR,   /* tried again */
	SWP_COMMIT_LOST,    /* the answer was; asked again */
	SWP_COMMIT_RESULT_COUNT,
};

/* The series of one AWS service. */
struct swp_service_counts {
	char *name; /* owned */
	struct swp_metric_series *calls[SWP_OUTCOME_COUNT], *requests, *retries, *throttles;
};

struct swp_worker_metrics {
	struct swp_metrics *registry;
	struct swp_service_counts services[SWP_LIMIT_METRIC_SERVICES];
	size_t service_count;
	struct swp_service_counts further; /* services above the ceiling: drops, and counts that */
	struct swp_metric_series
		*refusals[SWP_REASON_REGION_DISABLED + 1]; /* the first ones: what a refusal can be */
	struct swp_metric_series *jobs[SWP_JOB_ENDED_COUNT], *job_seconds;
	struct swp_metric_series *commits[SWP_COMMIT_RESULT_COUNT], *committed_bytes;
	struct swp_caller_statistics ended_callers; /* of sweeps that are over */
};

/* NULL on out of memory. `started_ms`: wall time of the program's start. */
struct swp_worker_metrics *swp_worker_metrics_new(int64_t started_ms);
void swp_worker_metrics_free(struct swp_worker_metrics *metrics); /* takes NULL */

/* Of a service by its name; from then on all its series are there, with 0. Never NULL, and stays where it is. */
const struct swp_service_counts *swp_worker_metrics_service(
	struct swp_worker_metrics *metrics, const char *name);
/* The same for each service of a catalogue: a first refusal is then a step from 0 to 1, which is what alerts look for. */
void swp_worker_metrics_catalogue(struct swp_worker_metrics *metrics, const struct swp_catalogue *catalogue);
/* A call is over, with all its tries. */
void swp_worker_metrics_call(struct swp_worker_metrics *metrics, const struct swp_service_counts *service,
	const struct swp_answer *answer);
void swp_worker_metrics_job(struct swp_worker_metrics *metrics, enum swp_job_ended how, int64_t duration_ms);
void swp_worker_metrics_commit(
	struct swp_worker_metrics *metrics, enum swp_commit_result result, size_t bytes);
/* A sweep's caller goes: its numbers stay. Takes NULL. */
void swp_worker_metrics_caller_ends(struct swp_worker_metrics *metrics, const struct swp_caller *caller);

#endif
