/* Correlation from the store: joined checks and chains of one account when its jobs are settled, and over accounts at the end.
 * Its input are sealed records and nothing else, so that it can be done again at any time: a redo replaces what was there.
 */
#ifndef SWP_COORDINATOR_CORRELATE_H
#define SWP_COORDINATOR_CORRELATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "checks/correlation.h"
#include "coordinator/ledger.h"

#define SWP_CORRELATE_AT_ONCE 8 /* accounts whose records are in memory */

struct swp_correlator; /* opaque */

struct swp_correlator_options { /* texts are copied, the rest is borrowed for life */
	struct swp_loop *loop;
	struct swp_ledger *ledger;
	struct swp_catalogue *catalogue;
	const struct swp_selection *selection;
	const char *partition; /* of ARNs */
	const char *organization_id, *management_account;
};
/* NULL on -ENOMEM. */
struct swp_correlator *swp_correlator_new(const struct swp_correlator_options *options);
/* Nothing is told any more; what the store still owes is thrown away when it comes. Takes NULL. */
void swp_correlator_free(struct swp_correlator *correlator);

/* One planned job of an account. */
struct swp_correlate_job {
	const char *region;	/* region part of its key */
	enum swp_reason unread; /* what it is when it is not sealed */
};

/* What the records of an account say, for progress and the account's row. */
struct swp_correlate_counts {
	uint64_t findings[SWP_SEVERITY_COUNT];			    /* FAIL results, joined ones too */
	uint64_t chains[SWP_SEVERITY_COUNT];			    /* confirmed */
	uint64_t closed;					    /* cells closed-by-scp */
	uint64_t calls, retried, throttled;			    /* of sealed jobs */
	uint64_t pass, fail, not_applicable, not_assessed, partial; /* cells of joined checks */
	unsigned sealed;					    /* jobs */
	bool swept; /* AWS answered at least one planned call */
};
/* Reads, judges, writes. `region` texts are copied. `redo`: it may have been correlated before, and what is not there any more is
 * removed. `done` once, later. or NULL with the reason when the store refuses for
 * good. 0, -ENOMEM, -EBUSY (SWP_CORRELATE_AT_ONCE are at work). */
int swp_correlator_account(struct swp_correlator *correlator, const char *account,
	const struct swp_correlate_job *jobs, size_t count, bool redo,
	void (*done)(void *context, const struct swp_correlate_counts *counts), void *context);
unsigned swp_correlator_at_work(const struct swp_correlator *correlator);

/* --- over accounts --- */
struct swp_correlate_account { /* borrowed until the next one is asked for */
	const char *id;
	bool planned;
	const struct swp_correlate_job *jobs; /* unread NONE: sealed */
	size_t count;
};
/* Does the selection need it at all? */
bool swp_correlator_needs_over(const struct swp_correlator *correlator);
/* All partitions, one at a time. `each` gives account `index` of all that the organization listed, false behind the last.
 * `enumeration_complete`: the list of accounts is whole. `done` once, later. 0, -ENOMEM. */
int swp_correlator_over(struct swp_correlator *correlator, bool enumeration_complete,
	bool (*each)(void *context, size_t index, struct swp_correlate_account *ret_account),
	void (*done)(void *context, const struct swp_correlate_counts *counts), void *context);

#endif
