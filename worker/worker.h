/* The worker: takes jobs from coordinators, makes the AWS calls that a job's evaluation asks for, and commits what follows
 * from them to the store. One event loop, no threads. It never sees a secret access key: a job brings derived signing keys.
 */
#ifndef SWP_WORKER_WORKER_H
#define SWP_WORKER_WORKER_H

#include <stddef.h>

#include "proto/base/buf.h"
#include "proto/base/error.h"
#include "proto/io/bus.h"
#include "proto/io/http.h"
#include "proto/io/loop.h"
#include "proto/io/store.h"

struct swp_worker; /* opaque */

struct swp_worker_settings { /* everything is borrowed until swp_worker_new returns, unless it says otherwise */
	const char *name, *host;      /* as coordinators and records show it */
	const char *const *endpoints; /* one coordinator each; 1 to SWP_LIMIT_COORDINATORS */
	size_t endpoint_count;
	const struct swp_bus_keys *keys;
	const char *server_public_key; /* Z85, the same for all endpoints */
	struct swp_store_options store;
	struct swp_http_options http;
	unsigned credits; /* jobs at once from each coordinator; 0: SWP_WORKER_CREDITS */
	/* Called once, later, when nothing is left to do: after a drain (0), or because it can never work (2). */
	void (*ended)(void *context, int exit_code);
	void *context;
};
/* NULL: `problem` tells. `loop` is borrowed for life. */
struct swp_worker *swp_worker_new(
	struct swp_loop *loop, const struct swp_worker_settings *settings, struct swp_problem *problem);
/* Takes no new jobs; running ones may finish for SWP_DRAIN_MS, then they are given back; then `ended` is called with 0. Twice: at once. */
void swp_worker_drain(struct swp_worker *worker);
/* Appends the worker's metrics (Prometheus text format 0.0.4). 0, -ENOMEM, -E2BIG. */
int swp_worker_metrics_write(struct swp_worker *worker, struct swp_buf *out);
/* Can it take jobs? 0, or negative and `why` says what is missing. */
int swp_worker_ready(const struct swp_worker *worker, struct swp_problem *why);
/* Drops everything. Takes NULL. */
void swp_worker_free(struct swp_worker *worker);

#endif
