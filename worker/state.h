/* What the worker's modules share. Internal to worker/. */
#ifndef SWP_WORKER_STATE_H
#define SWP_WORKER_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/limits.h"
#include "proto/record/record.h"
#include "worker/worker.h"

struct swp_job;
struct swp_link;
struct swp_worker_sweep;
struct swp_commit;
struct swp_worker_metrics;

struct swp_worker {
	struct swp_loop *loop;	       /* borrowed */
	const struct swp_clock *clock; /* borrowed */
	struct swp_http_client *http;  /* owned, as all that follow */
	struct swp_store *store;
	struct swp_worker_metrics *metrics;
	struct swp_link *links[SWP_LIMIT_COORDINATORS];
	size_t link_count;
	struct swp_worker_sweep *sweeps;
	struct swp_catalogue_entry *catalogues;
	struct swp_job *jobs; /* all links' */
	size_t job_count;
	struct swp_commit *commits; /* requests to the store that are open */
	struct swp_store_script part_script, seal_script;
	char *name, *host;
	unsigned credits;
	uint64_t calls;		  /* HTTP requests of jobs that are over */
	size_t uncommitted_bytes; /* rows not yet acknowledged by the store */
	bool store_up, store_was_up, draining, closing;
	bool store_refuses; /* its last answer was an error */
	bool store_gone;    /* a record was given up because it is not there: no new jobs until it is */
	int exit_code;
	struct swp_timer drain_timer;	     /* the drain's end */
	struct swp_timer ended_timer;	     /* calls `ended` from the loop */
	struct swp_timer housekeeping_timer; /* what must not be done from within a call-back of a call */
	struct swp_timer rest_timer;	     /* runs while there are no jobs */
	bool was_full, pressure_changed;
	void (*ended)(void *context, int exit_code);
	void *context;
};

/* Beyond SWP_LIMIT_UNCOMMITTED_BYTES no new call starts. */
static inline bool swp_worker_is_full(const struct swp_worker *worker)
{
	return worker->uncommitted_bytes >= SWP_LIMIT_UNCOMMITTED_BYTES;
}
/* Rows came (positive) or were acknowledged or dropped (negative). Soon after it gets full, all jobs' rows are committed; soon after
 * it is not full any more, the jobs go on. */
void swp_worker_account(struct swp_worker *worker, int64_t bytes);
/* A sweep that ended is without jobs: it is freed soon. */
void swp_worker_keep_house(struct swp_worker *worker);
/* Is it without jobs, it rests in SWP_WORKER_REST_MS, unless one comes. */
void swp_worker_rest_later(struct swp_worker *worker);
/* A job or a link is gone: is the drain over? */
void swp_worker_check_end(struct swp_worker *worker);
/* It can never work: says why, and ends with exit code 2. */
void swp_worker_fail(struct swp_worker *worker, const char *event, const char *why);

#endif
