/* The worker's root: makes its parts, keeps the books on memory, and ends. */
#include "worker/worker.h"

#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/log.h"
#include "proto/record/scripts.h"
#include "worker/commit.h"
#include "worker/job.h"
#include "worker/link.h"
#include "worker/metrics.h"
#include "worker/state.h"
#include "worker/sweeps.h"

static void store_up(void *context, bool fresh_run)
{
	struct swp_worker *worker = context;

	worker->store_up = true;
	worker->store_gone = false;
	swp_log(SWP_LOG_INFO, "store.up", "the store is there", SWP_LOG_N("fresh_run", fresh_run));
}

static void store_down(void *context, const char *why)
{
	struct swp_worker *worker = context;

	worker->store_up = false;
	/* A local worker starts beside its private Redis, which may still be a moment from listening. */
	swp_log(worker->store_was_up ? SWP_LOG_WARNING : SWP_LOG_INFO, "store.down",
		"the store is away; results are kept until it is back", SWP_LOG_S("why", why));
}

static void store_refused(void *context, const char *why)
{
	swp_worker_fail(context, "store.refused", why);
}

/* --- memory --- */

void swp_worker_account(struct swp_worker *worker, int64_t bytes)
{
	bool full;

	worker->uncommitted_bytes = (size_t)((int64_t)worker->uncommitted_bytes + bytes);
	full = swp_worker_is_full(worker);
	if (full != worker->was_full) {
		worker->pressure_changed = true;
		swp_worker_keep_house(worker);
	}
	worker->was_full = full;
}

/* Walks over the jobs though each visit may end the one it is at. */
static void each_job(struct swp_worker *worker, void (*visit)(struct swp_job *job))
{
	struct swp_job *next;

	for (struct swp_job *job = worker->jobs; job; job = next) {
		next = job->next;
		visit(job);
	}
}

static void flush_job(struct swp_job *job)
{
	if (job->state == SWP_JOB_COLLECTING && swp_results_flush(job) < 0)
		swp_job_give_back(job, SWP_GIVE_BACK_RESOURCES, "out of memory");
}

void swp_worker_keep_house(struct swp_worker *worker)
{
	if (!worker->closing && !swp_timer_is_running(&worker->housekeeping_timer))
		swp_timer_start(&worker->housekeeping_timer, 0);
}

static void keep_house(struct swp_timer *timer)
{
	struct swp_worker *worker = SWP_CONTAINER_OF(timer, struct swp_worker, housekeeping_timer);

	swp_sweeps_free_ended(worker);
	if (!worker->pressure_changed)
		return;
	worker->pressure_changed = false;
	each_job(worker, swp_worker_is_full(worker) ? flush_job : swp_job_pump);
}

/* Between sweeps a worker keeps nothing of the last one: neither connections, which AWS closes anyhow, nor their memory. */
static void rest(struct swp_timer *timer)
{
	struct swp_worker *worker = SWP_CONTAINER_OF(timer, struct swp_worker, rest_timer);

	swp_sweeps_free_ended(worker);
	swp_http_rest(worker->http);
	swp_alloc_trim();
}

void swp_worker_rest_later(struct swp_worker *worker)
{
	if (worker->job_count == 0 && !worker->closing)
		swp_timer_start(&worker->rest_timer, SWP_WORKER_REST_MS);
}

/* --- the end --- */

static void tell_end(struct swp_timer *timer)
{
	struct swp_worker *worker = SWP_CONTAINER_OF(timer, struct swp_worker, ended_timer);

	if (worker->ended)
		worker->ended(worker->context, worker->exit_code);
}

static void end_with(struct swp_worker *worker, int exit_code)
{
	if (swp_timer_is_running(&worker->ended_timer))
		return;
	worker->exit_code = exit_code;
	swp_timer_stop(&worker->drain_timer);
	swp_timer_start(&worker->ended_timer, 0);
}

void swp_worker_fail(struct swp_worker *worker, const char *event, const char *why)
{
	swp_log(SWP_LOG_ERROR, event, "this worker can't work", SWP_LOG_S("why", why));
	end_with(worker, 2);
}

void swp_worker_check_end(struct swp_worker *worker)
{
	bool open = false;

	if (worker->closing)
		return;
	for (size_t i = 0; i < worker->link_count; i++)
		open |= !swp_link_try_close(worker->links[i]);
	if (!open)
		end_with(worker, 0);
}

static void give_back_draining(struct swp_job *job)
{
	swp_job_give_back(job, SWP_GIVE_BACK_DRAINING, "");
}

static void drain_over(struct swp_timer *timer)
{
	struct swp_worker *worker = SWP_CONTAINER_OF(timer, struct swp_worker, drain_timer);

	each_job(worker, give_back_draining);
	swp_worker_check_end(worker);
}

void swp_worker_drain(struct swp_worker *worker)
{
	if (worker->draining) {
		drain_over(&worker->drain_timer);
		return;
	}
	worker->draining = true;
	swp_log(SWP_LOG_INFO, "worker.drain", "no new jobs; running ones are finished",
		SWP_LOG_N("jobs", worker->job_count));
	swp_timer_start(&worker->drain_timer, SWP_DRAIN_MS);
	for (size_t i = 0; i < worker->link_count; i++)
		swp_link_drain(worker->links[i]);
	swp_worker_check_end(worker);
}

/* --- making and freeing --- */

static int make_links(
	struct swp_worker *worker, const struct swp_worker_settings *settings, struct swp_problem *problem)
{
	int r = 0;

	for (size_t i = 0; i < settings->endpoint_count && r == 0; i++) {
		r = swp_link_new(worker, settings->endpoints[i], settings->keys, settings->server_public_key,
			&worker->links[worker->link_count], problem);
		if (r == 0)
			worker->link_count++;
	}
	return r;
}

static int make_parts(
	struct swp_worker *worker, const struct swp_worker_settings *settings, struct swp_problem *problem)
{
	const struct swp_store_events events = {store_up, store_down, store_refused, worker};
	int r;

	worker->name = swp_strdup(settings->name);
	worker->host = swp_strdup(settings->host);
	worker->metrics = swp_worker_metrics_new(swp_clock_wall_ms(worker->clock));
	if (!worker->name || !worker->host || !worker->metrics)
		return swp_problem_set(problem, -1, "out of memory");
	r = swp_sweeps_init(worker);
	if (r < 0)
		return swp_problem_set(problem, r, "the built-in catalogue can't be loaded");
	worker->http = swp_http_client_new(worker->loop, &settings->http, problem);
	if (!worker->http)
		return -1;
	worker->store = swp_store_new(worker->loop, &settings->store, &events, problem);
	if (!worker->store)
		return -1;
	return make_links(worker, settings, problem);
}

struct swp_worker *swp_worker_new(
	struct swp_loop *loop, const struct swp_worker_settings *settings, struct swp_problem *problem)
{
	struct swp_worker *worker;

	if (settings->endpoint_count == 0 || settings->endpoint_count > SWP_LIMIT_COORDINATORS) {
		swp_problem_set(problem, -1, "give --connect once to %d times", SWP_LIMIT_COORDINATORS);
		return NULL;
	}
	worker = swp_calloc(1, sizeof(*worker));
	if (!worker) {
		swp_problem_set(problem, -1, "out of memory");
		return NULL;
	}
	worker->loop = loop;
	worker->clock = swp_loop_clock(loop);
	worker->credits = settings->credits ? settings->credits : SWP_WORKER_CREDITS;
	worker->ended = settings->ended;
	worker->context = settings->context;
	worker->part_script.source = swp_script_row(SWP_SCRIPT_COMMIT_PART)->source;
	worker->seal_script.source = swp_script_row(SWP_SCRIPT_SEAL)->source;
	swp_timer_init(&worker->drain_timer, loop, drain_over);
	swp_timer_init(&worker->ended_timer, loop, tell_end);
	swp_timer_init(&worker->housekeeping_timer, loop, keep_house);
	swp_timer_init(&worker->rest_timer, loop, rest);
	if (make_parts(worker, settings, problem) < 0) {
		swp_worker_free(worker);
		return NULL;
	}
	return worker;
}

void swp_worker_free(struct swp_worker *worker)
{
	if (!worker)
		return;
	worker->closing = true;
	while (worker->jobs)
		swp_job_drop(worker->jobs);
	for (size_t i = 0; i < worker->link_count; i++)
		swp_link_free(worker->links[i]);
	swp_sweeps_free_all(worker);
	swp_store_free(worker->store);
	swp_commit_free_all(worker);
	swp_http_client_free(worker->http);
	swp_timer_stop(&worker->drain_timer);
	swp_timer_stop(&worker->ended_timer);
	swp_timer_stop(&worker->housekeeping_timer);
	swp_timer_stop(&worker->rest_timer);
	swp_worker_metrics_free(worker->metrics);
	swp_free(worker->name);
	swp_free(worker->host);
	swp_free(worker);
}
