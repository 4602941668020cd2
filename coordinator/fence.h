/* Under which terms a coordinator writes: rows of the store whose `term` must still be what it was when they were taken over, else a
 * script refuses (proto/record/scripts.h). Model: "fenced".
 */
#ifndef SWP_COORDINATOR_FENCE_H
#define SWP_COORDINATOR_FENCE_H

#include "proto/io/store.h"
#include "proto/record/keys.h"
#include "proto/record/scripts.h"

#define SWP_FENCE_ROWS 2 /* a sweep's own, and the leader's where it was scheduled */
#define SWP_TERM_BYTES 24

struct swp_fence {
	char keys[SWP_FENCE_ROWS][SWP_KEY_BYTES];
	char terms[SWP_FENCE_ROWS][SWP_TERM_BYTES];
	unsigned count;
};

void swp_fence_add(struct swp_fence *fence, const char *key, uint64_t term);
/* swp_store_run of a fenced script; its own keys are the first of `arguments` (copied). `script` has its source. NULL fence: none.
 * 0; -ENOMEM; as swp_store_run. */
int swp_fence_run(const struct swp_fence *fence, struct swp_store *store, enum swp_script which,
	struct swp_store_script *script, const struct swp_store_argument *arguments, size_t count,
	swp_store_done done, void *context);
bool swp_fence_is_deposed(const struct swp_store_reply *reply); /* an error that says so */

#endif
