/* What a coordinator counts and shows: the metrics of `orgsweep sweep --metrics` and `orgsweep serve`. One table (metrics.c) makes registry,
 * docs and tests. It owns no sweep, no fleet and no store: whoever does tells it their numbers before they are written.
 *
 * A family of which nothing was ever told is not written: no number stands there that nobody counted.
 */
#ifndef SWP_COORDINATOR_METRICS_H
#define SWP_COORDINATOR_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/dispatch.h"
#include "coordinator/sweep.h"
#include "proto/base/buf.h"
#include "proto/base/metrics.h"
#include "proto/io/caller.h"

enum swp_coordinator_metric {
	SWP_METRIC_BUILD,
	SWP_METRIC_START,
	SWP_METRIC_CPU,
	SWP_METRIC_MEMORY,
	SWP_METRIC_LEADER,
	SWP_METRIC_SWEEPS,
	SWP_METRIC_SWEEP_RUNNING,
	SWP_METRIC_LAST_COMPLETE,
	SWP_METRIC_LAST_DURATION,
	SWP_METRIC_COVERAGE,
	SWP_METRIC_FINDINGS,
	SWP_METRIC_CHAINS,
	SWP_METRIC_CELLS_PLANNED,
	SWP_METRIC_CELLS,
	SWP_METRIC_CELLS_PARTIAL,
	SWP_METRIC_CELLS_CLOSED,
	SWP_METRIC_ACCOUNTS,
	SWP_METRIC_JOBS_PLANNED,
	SWP_METRIC_JOBS,
	SWP_METRIC_JOBS_READY,
	SWP_METRIC_LEASES_LOST,
	SWP_METRIC_WORKERS,
	SWP_METRIC_REQUESTS,
	SWP_METRIC_RETRIES,
	SWP_METRIC_THROTTLES,
	SWP_METRIC_STORE_UP,
	SWP_METRIC_STORE_RECONNECTS,
	SWP_METRIC_STRANGERS,
	SWP_METRIC_DROPPED,
	SWP_COORDINATOR_METRIC_COUNT,
};
/* SWP_COORDINATOR_METRIC_COUNT rows. */
const struct swp_metric_row *swp_coordinator_metric_rows(void);

struct swp_coordinator_metrics; /* opaque */

/* `started_ms`: wall time of the program's start. NULL on out of memory. */
struct swp_coordinator_metrics *swp_coordinator_metrics_new(int64_t started_ms);
void swp_coordinator_metrics_free(struct swp_coordinator_metrics *metrics); /* takes NULL */

/* A sweep's numbers of this moment; everything is borrowed for the call. */
struct swp_coordinator_sweep {
	const char *name; /* in the configuration; NULL or "": started by hand, shown as "manual" */
	const struct swp_sweep_progress *progress;
	const struct swp_caller_statistics *
		own_calls; /* the coordinator's own, from the sweep's beginning; NULL: told by another sweep */
};
/* Of a sweep that runs: before each write, or as often as one likes. At most SWP_LIMIT_METRIC_SWEEPS names are shown. */
void swp_coordinator_metrics_sweep(
	struct swp_coordinator_metrics *metrics, const struct swp_coordinator_sweep *sweep);
/* It has ended; `sweep` has its last numbers. Once a sweep. */
void swp_coordinator_metrics_ended(struct swp_coordinator_metrics *metrics,
	const struct swp_coordinator_sweep *sweep, const struct swp_sweep_result *result,
	int64_t ended_wall_ms, int64_t duration_ms);
/* A sweep of that name is configured. `wall_ms`: when one was complete last, as the store knows it; 0: none was yet. */
void swp_coordinator_metrics_last_complete(
	struct swp_coordinator_metrics *metrics, const char *name, int64_t wall_ms);
/* It is configured no more: all its series go. */
void swp_coordinator_metrics_forget(struct swp_coordinator_metrics *metrics, const char *name);

/* Who does what. A dispatch that is made anew begins at 0 again; what was counted stays. */
void swp_coordinator_metrics_dispatch(struct swp_coordinator_metrics *metrics,
	const struct swp_dispatch_numbers *numbers, const struct swp_dispatch_worker_states *workers);
/* `connections`: as swp_store_connections tells them. */
void swp_coordinator_metrics_store(struct swp_coordinator_metrics *metrics, bool up, uint64_t connections);
/* One that no longer leads forgets its sweeps, too: else their old numbers stand beside the new leader's. */
void swp_coordinator_metrics_leader(struct swp_coordinator_metrics *metrics, bool leads);

/* How many were not let in or were sent away so far for that reason: a literal, of at most 16. A fleet that is made anew begins at 0 again;
 * what was counted stays. */
void swp_coordinator_metrics_strangers(
	struct swp_coordinator_metrics *metrics, const char *reason, uint64_t count);

/* Appends everything (Prometheus text format 0.0.4). 0, -ENOMEM, -E2BIG. */
int swp_coordinator_metrics_write(struct swp_coordinator_metrics *metrics, struct swp_buf *out);

#endif
