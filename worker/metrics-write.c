/* What is asked for: states and what others count are put into the registry, then it is written. */
#include <errno.h>

#include "proto/io/usage.h"
#include "worker/job.h"
#include "worker/link.h"
#include "worker/metrics.h"
#include "worker/state.h"
#include "worker/sweeps.h"

static void set(struct swp_worker *worker, enum swp_worker_metric metric, double value)
{
	swp_metric_set(swp_metrics_series(worker->metrics->registry, metric, NULL), value);
}

static void set_callers(struct swp_worker *worker)
{
	struct swp_caller_statistics sum = worker->metrics->ended_callers, one;

	for (const struct swp_worker_sweep *sweep = worker->sweeps; sweep; sweep = sweep->next) {
		if (!sweep->caller)
			continue;
		swp_caller_statistics_get(sweep->caller, &one);
		sum.limiter_waits += one.limiter_waits;
		sum.limiter_wait_ms += one.limiter_wait_ms;
		sum.in_flight += one.in_flight;
		sum.waiting += one.waiting;
	}
	set(worker, SWP_WORKER_METRIC_LIMITER_WAITS, (double)sum.limiter_waits);
	set(worker, SWP_WORKER_METRIC_LIMITER_SECONDS, (double)sum.limiter_wait_ms / 1000);
	set(worker, SWP_WORKER_METRIC_IN_FLIGHT, sum.in_flight);
	set(worker, SWP_WORKER_METRIC_WAITING, sum.waiting);
}

static void set_connections(struct swp_worker *worker)
{
	struct swp_http_statistics http;

	swp_http_statistics_get(worker->http, &http);
	set(worker, SWP_WORKER_METRIC_CONNECTIONS, (double)http.connections);
	set(worker, SWP_WORKER_METRIC_HANDSHAKES, (double)http.handshakes);
	set(worker, SWP_WORKER_METRIC_REUSED, (double)http.reused);
	set(worker, SWP_WORKER_METRIC_RECEIVED, (double)http.bytes_received);
}

static void set_peers(struct swp_worker *worker)
{
	uint64_t connections = swp_store_connections(worker->store);
	struct swp_metrics *registry = worker->metrics->registry;

	set(worker, SWP_WORKER_METRIC_STORE_UP, worker->store_up);
	set(worker, SWP_WORKER_METRIC_STORE_RECONNECTS, connections ? (double)(connections - 1) : 0);
	for (size_t i = 0; i < worker->link_count; i++) {
		const char *endpoint = swp_link_endpoint(worker->links[i]);

		swp_metric_set(swp_metrics_series(registry, SWP_WORKER_METRIC_COORDINATOR_UP, &endpoint),
			swp_link_is_open(worker->links[i]));
		swp_metric_set(swp_metrics_series(registry, SWP_WORKER_METRIC_COORDINATOR_LOSSES, &endpoint),
			(double)swp_link_losses(worker->links[i]));
	}
}

int swp_worker_metrics_write(struct swp_worker *worker, struct swp_buf *out)
{
	struct swp_usage usage;

	swp_usage_get(&usage);
	set(worker, SWP_WORKER_METRIC_CPU, usage.cpu_seconds);
	set(worker, SWP_WORKER_METRIC_MEMORY, (double)usage.resident_bytes);
	set(worker, SWP_WORKER_METRIC_JOBS, (double)worker->job_count);
	set(worker, SWP_WORKER_METRIC_UNCOMMITTED, (double)worker->uncommitted_bytes);
	set(worker, SWP_WORKER_METRIC_DRAINING, worker->draining);
	set_callers(worker);
	set_connections(worker);
	set_peers(worker);
	return swp_metrics_write(worker->metrics->registry, out);
}

int swp_worker_ready(const struct swp_worker *worker, struct swp_problem *why)
{
	bool open = false;

	for (size_t i = 0; i < worker->link_count; i++)
		open |= swp_link_is_open(worker->links[i]);
	if (worker->draining)
		return swp_problem_set(why, -ESHUTDOWN, "draining: no new jobs are taken");
	if (!worker->store_up)
		return swp_problem_set(why, -ENOTCONN, "the store is away");
	if (!open)
		return swp_problem_set(why, -ENOTCONN, "no coordinator has answered");
	return 0;
}
