/* A coordinator's claim to a row of the store (a sweep's, or the leader's): what take-over and renew are told, what they answered, and
 * what is known of whoever holds the row. Sends nothing itself. Model: "take over".
 *
 * A lease ends by the clock of Redis. When that steps back (it was set, or a fail-over went to a host whose clock is behind), the lease
 * of somebody who is gone would last for as long as the step. So who waits watches, too, by a clock of its own that never steps: an owner
 * whose lease has had the same end for the whole of a lease has not renewed it. The next take-over names both, and the script takes
 * exactly that lease for ended. Whoever lives renews, which changes the end; and if it is taken over from all the same, its term is
 * refused (fence.h).
 */
#ifndef SWP_COORDINATOR_CLAIM_H
#define SWP_COORDINATOR_CLAIM_H

#include <stddef.h>
#include <stdint.h>

#include "coordinator/fence.h"
#include "proto/base/clock.h"
#include "proto/base/limits.h"
#include "proto/io/owner.h"
#include "proto/io/store.h"
#include "proto/record/keys.h"

#define SWP_OWNER_LEASE_MS 10000 /* so long others wait for a coordinator that is silent */
#define SWP_OWNER_RENEW_MS 2500
#define SWP_CLAIM_ARGUMENTS 9
#define SWP_CLAIM_STAMP_BYTES 24

struct swp_claim { /* to be read only */
	char key[SWP_KEY_BYTES];
	struct swp_owner owner;	      /* who claims */
	uint64_t term;		      /* 0: not ours */
	char before[SWP_OWNER_BYTES]; /* whom it was taken over from; "" nobody */
	char gone[SWP_OWNER_BYTES];   /* an owner whose lease need not be waited for; "" none */
	/* Who holds it, as answered last; "" nobody, or ourselves. */
	char holder[SWP_OWNER_BYTES], host[SWP_HOST_BYTES], stamp[SWP_CLAIM_STAMP_BYTES];
	int64_t seen_ms; /* monotonic: when they were first answered like that */
	int64_t left_ms; /* of the holder's lease, by the clock of Redis */
};

/* Arguments of one call of a script; they point into this struct, so it stays where it is until they are sent. */
struct swp_claim_call {
	struct swp_store_argument arguments[SWP_CLAIM_ARGUMENTS];
	size_t count;
	char lease[24], wall[24], term[SWP_TERM_BYTES], drains[SWP_KEY_BYTES];
};

enum swp_claim_answer {
	SWP_CLAIM_OURS,
	SWP_CLAIM_HELD,
	SWP_CLAIM_HOLDER_GONE, /* its process was of this machine and is no more: ask again at once */
	SWP_CLAIM_FINISHED,    /* a sweep that has come to its end */
	SWP_CLAIM_UNREADABLE,  /* no answer of take-over */
};

/* `owner` is copied. `gone`: an owner who can't write any more for another reason, "" none. -EINVAL: no such key. */
int swp_claim_begin(struct swp_claim *ret_claim, enum swp_key key, const char *sweep,
	const struct swp_owner *owner, const char *gone);
/* For SWP_SCRIPT_TAKE_OVER: takes the row, or asserts the term when there is one. */
void swp_claim_take(
	const struct swp_claim *claim, const struct swp_clock *clock, struct swp_claim_call *ret_call);
/* For SWP_SCRIPT_RENEW; 0 gives the row up. */
void swp_claim_renew(const struct swp_claim *claim, int64_t lease_ms, struct swp_claim_call *ret_call);
/* What take-over answered, just now. Its errors are the caller's. */
enum swp_claim_answer swp_claim_read(
	struct swp_claim *claim, const struct swp_store_reply *reply, const struct swp_clock *clock);
/* Another has taken it over: it may be claimed anew. */
void swp_claim_lose(struct swp_claim *claim);
/* Of what renew answered: names of workers to drain, borrowed from the reply. How many. */
size_t swp_claim_drains(const struct swp_store_reply *reply, const char *ret_names[static SWP_LIMIT_WORKERS]);
/* For people who look from outside: does a lease that ends at `until_ms` go on at `store_ms` (both by the clock of Redis)? One that ends
 * later than a lease from now was not written by that clock, which has stepped back. */
bool swp_claim_goes_on(int64_t until_ms, int64_t store_ms);

#endif
