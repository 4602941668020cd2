/* Which of several `orgsweep serve` leads: the row swp:leader, taken over and renewed like a sweep's (claim.h). The others stand by
 * and try each second, so that one takes over within SWP_OWNER_LEASE_MS and two seconds of the other's silence. Model: "take over".
 */
#ifndef SWP_COORDINATOR_LEADER_H
#define SWP_COORDINATOR_LEADER_H

#include "coordinator/fence.h"
#include "proto/base/error.h"
#include "proto/io/owner.h"
#include "proto/io/store.h"

#define SWP_LEADER_TRY_MS 1000

struct swp_leader; /* opaque */

struct swp_leader_events { /* none may free the leader */
	/* From now on we lead, under this term. */
	void (*leads)(void *context, uint64_t term);
	/* Somebody else does: at the start, and whenever it changes while we stand by. */
	void (*stands_by)(void *context, const char *host);
	/* We led, and do not any more: another has taken over while we were silent. We stand by. */
	void (*deposed)(void *context);
	/* The store was lost and is another run: our row stands there again. */
	void (*fresh)(void *context);
	/* With each renewal: names of workers to drain. */
	void (*drains)(void *context, const char *const *names, size_t count);
	/* The store is there (again), or why not. */
	void (*store)(void *context, bool up, const char *why);
	/* It will never do (wrong password, too old). */
	void (*refused)(void *context, const struct swp_problem *problem);
	void *context;
};

/* `owner` is copied. NULL: `problem` tells. */
struct swp_leader *swp_leader_new(struct swp_loop *loop, const struct swp_store_options *store,
	const struct swp_owner *owner, const struct swp_leader_events *events, struct swp_problem *problem);
/* Gives the lease up first, if it leads and the store is there; takes NULL. Not from inside an event. */
void swp_leader_free(struct swp_leader *leader);
bool swp_leader_leads(const struct swp_leader *leader);
uint64_t swp_leader_term(const struct swp_leader *leader); /* 0: does not lead */
/* The owner that led before us, whose scheduled sweeps nobody writes to any more; "" nobody. Borrowed. */
const char *swp_leader_before(const struct swp_leader *leader);
struct swp_store *swp_leader_store(const struct swp_leader *leader);
/* Under which it writes what is no sweep's (schedules, workers). */
const struct swp_fence *swp_leader_fence(const struct swp_leader *leader);
/* HSET of a field, or HDEL when `text` is NULL; told again until it stands there or we do not lead. -ENOMEM. */
int swp_leader_put(struct swp_leader *leader, enum swp_key key, const char *field, const char *text);

#endif
