/* Retention: rows of workers that nobody told of for SWP_PRUNE_WORKER_MS go; of the sweeps in a store the newest are kept, older ones
 * go with all their keys, and a catalogue goes with the last sweep that names it. Runs beside a sweep and is not waited for: a sweep leaves the index only when its keys are gone, so what
 * is left is gone on with next time.
 */
#ifndef SWP_COORDINATOR_PRUNE_H
#define SWP_COORDINATOR_PRUNE_H

#include "coordinator/fence.h"
#include "proto/io/store.h"

struct swp_prune; /* opaque */

/* Of the sweeps named `name` ("" those without a name), keeps the `keep` newest (0: all), whatever its age `present`, and what another
 * coordinator may be at: unfinished ones that began, or whose lease ended, less than SWP_PRUNE_UNFINISHED_MS before `now_ms` (wall clock, since 1970). Sweeps
 * are removed under `fence` (copied). NULL on -ENOMEM. */
struct swp_prune *swp_prune_start(struct swp_store *store, unsigned keep, const char *name,
	const char *present, int64_t now_ms, const struct swp_fence *fence);
/* Takes one sweep out of the store with all its keys: one that could not run. `done` is called at the end, or when the store is in
 * trouble; never from inside of this function, and not after _free. NULL on -ENOMEM. */
struct swp_prune *swp_prune_one(
	struct swp_store *store, const char *sweep, void (*done)(void *context), void *context);
/* Ends it; answers still owed are thrown away. Takes NULL. */
void swp_prune_free(struct swp_prune *prune);

#endif
