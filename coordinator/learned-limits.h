/* What earlier sweeps learned about the rates that services allow: places (account, region, service) that refused a call for its rate, in
 * the store for whoever sweeps next. Others begin with the catalogue's rates, and are not here.
 */
#ifndef SWP_COORDINATOR_LEARNED_LIMITS_H
#define SWP_COORDINATOR_LEARNED_LIMITS_H

#include "coordinator/ledger.h"
#include "proto/wire/message.h"

struct swp_limits; /* opaque */

/* NULL on -ENOMEM. `ledger` is borrowed for life. */
struct swp_limits *swp_limits_new(struct swp_ledger *ledger);
void swp_limits_free(struct swp_limits *limits); /* takes NULL */
/* Reads them; `done` once, later (also when the store is in trouble: then none were learned). */
void swp_limits_load(struct swp_limits *limits, void (*done)(void *context), void *context);
/* Of a job: fills at most SWP_LIMIT_JOB_LIMITS; borrowed until the next _note. */
size_t swp_limits_of(const struct swp_limits *limits, const char *account, const char *region,
	struct swp_wire_limit ret_limits[static SWP_LIMIT_JOB_LIMITS]);
/* What a job has learned goes to the store. 0, -ENOMEM. */
int swp_limits_note(struct swp_limits *limits, const char *account, const char *region,
	const struct swp_wire_limit *learned, size_t count);

#endif
