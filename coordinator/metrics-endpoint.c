#include "coordinator/metrics-endpoint.h"

#include <errno.h>

#include "coordinator/metrics.h"
#include "proto/base/alloc.h"
#include "proto/base/log.h"
#include "proto/io/metrics-server.h"

struct swp_metrics_endpoint {
	struct swp_loop *loop;
	struct swp_metrics_server *server;
	struct swp_coordinator_metrics *metrics;
	const struct swp_sweep *sweep; /* NULL before it is made */
	bool ended;
};

static void take_sweep(struct swp_metrics_endpoint *endpoint)
{
	struct swp_caller_statistics own;
	struct swp_dispatch_numbers numbers;
	struct swp_dispatch_worker_states workers;
	const struct swp_coordinator_sweep sweep = {
		.progress = swp_sweep_progress(endpoint->sweep), .own_calls = &own};

	swp_sweep_own_statistics(endpoint->sweep, &own);
	swp_sweep_dispatch_numbers(endpoint->sweep, &numbers, &workers);
	swp_coordinator_metrics_dispatch(endpoint->metrics, &numbers, &workers);
	if (!endpoint->ended)
		swp_coordinator_metrics_sweep(endpoint->metrics, &sweep);
}

static int write_metrics(void *context, struct swp_buf *out)
{
	struct swp_metrics_endpoint *endpoint = context;
	const struct swp_store *store = endpoint->sweep ? swp_sweep_store(endpoint->sweep) : NULL;

	if (endpoint->sweep)
		take_sweep(endpoint);
	if (store)
		swp_coordinator_metrics_store(
			endpoint->metrics, swp_store_is_up(store), swp_store_connections(store));
	return swp_coordinator_metrics_write(endpoint->metrics, out);
}

static int tell_ready(void *context, struct swp_problem *why)
{
	const struct swp_metrics_endpoint *endpoint = context;
	const struct swp_store *store = endpoint->sweep ? swp_sweep_store(endpoint->sweep) : NULL;

	if (!store || swp_store_connections(store) == 0)
		return swp_problem_set(why, -ENOTCONN, "the store is not there yet");
	if (!swp_store_is_up(store))
		return swp_problem_set(why, -ENOTCONN, "the store is away");
	return 0;
}

struct swp_metrics_endpoint *swp_metrics_endpoint_new(
	struct swp_loop *loop, const char *address, struct swp_problem *problem)
{
	struct swp_metrics_endpoint *endpoint = swp_calloc(1, sizeof(*endpoint));
	const struct swp_metrics_server_events events = {write_metrics, tell_ready, endpoint};

	if (endpoint)
		endpoint->metrics = swp_coordinator_metrics_new(swp_clock_wall_ms(swp_loop_clock(loop)));
	if (!endpoint || !endpoint->metrics) {
		swp_problem_set(problem, -ENOMEM, "out of memory");
		swp_free(endpoint);
		return NULL;
	}
	endpoint->loop = loop;
	endpoint->server = swp_metrics_server_new(loop, address, &events, problem);
	if (!endpoint->server) {
		swp_metrics_endpoint_free(endpoint);
		return NULL;
	}
	swp_log(SWP_LOG_INFO, "metrics.listening", "metrics are served",
		SWP_LOG_S("address", swp_metrics_server_address(endpoint->server)));
	return endpoint;
}

void swp_metrics_endpoint_watch(struct swp_metrics_endpoint *endpoint, const struct swp_sweep *sweep)
{
	endpoint->sweep = sweep;
}

void swp_metrics_endpoint_ended(struct swp_metrics_endpoint *endpoint, const struct swp_sweep_result *result)
{
	struct swp_caller_statistics own;
	struct swp_coordinator_sweep sweep = {.own_calls = &own};

	if (!endpoint)
		return;
	sweep.progress = swp_sweep_progress(endpoint->sweep);
	swp_sweep_own_statistics(endpoint->sweep, &own);
	swp_coordinator_metrics_ended(endpoint->metrics, &sweep, result,
		swp_clock_wall_ms(swp_loop_clock(endpoint->loop)),
		swp_loop_now_ms(endpoint->loop) - sweep.progress->started_ms);
	endpoint->ended = true;
}

void swp_metrics_endpoint_free(struct swp_metrics_endpoint *endpoint)
{
	if (!endpoint)
		return;
	swp_metrics_server_free(endpoint->server);
	swp_coordinator_metrics_free(endpoint->metrics);
	swp_free(endpoint);
}
