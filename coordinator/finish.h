/* What a sweep's coordinator would have done after the last record, when it died before: all correlation again, from the store
 * alone. Used by `orgsweep report` on a sweep that is not finished. It writes no status: what is missing is seen by the reader. It owns
 * the sweep meanwhile: one whose coordinator is alive is left alone, and `problem` says so.
 */
#ifndef SWP_COORDINATOR_FINISH_H
#define SWP_COORDINATOR_FINISH_H

#include "coordinator/ask.h"
#include "proto/base/error.h"
#include "proto/io/loop.h"
#include "proto/io/store.h"

struct swp_finish; /* opaque */

/* `store` is up and borrowed for life. `done` once, later: NULL when the correlation stands in the store, else what was wrong.
 * A sweep whose state is "finished" is left as it is. NULL on -ENOMEM and a sweep id that is none. */
struct swp_finish *swp_finish_start(struct swp_loop *loop, struct swp_store *store, const char *sweep,
	void (*done)(void *context, const struct swp_problem *problem_or_null), void *context);
/* Ends it without call-back. Takes NULL; not from inside `done`. */
void swp_finish_free(struct swp_finish *finish);
/* As above, stepping the loop until it is done; for commands. 0, or a negative errno with `problem`. */
int swp_finish_run(const struct swp_asker *asker, const char *sweep, struct swp_problem *problem);

#endif
