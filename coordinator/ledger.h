/* What a sweep writes to the store, and asks of it: its own row, accounts, grants, seals. Owns the store connection.
 *
 * Every write is repeated until the store has acknowledged it: an answer that is lost is asked for again at once, an error
 * (no memory, disk full, loading) after a pause. When the store has been away or refusing for SWP_STORE_AWAY_MS, `lost` is
 * told, once. All scripts and writes are idempotent (proto/record/scripts.h).
 *
 * Writes of one key (of one field of a hash) keep their order, also where the store refuses one of them: the next is sent when the one
 * before is acknowledged. Where each replaces the other only the newest waits, so that no more than two of them are held.
 *
 * Nothing is written before the sweep is owned (swp_ledger_own): its row then names us, and the term without which the store takes no
 * write of a coordinator. The lease on it is renewed until it is given up. When another has taken it over (our lease had ended: we were
 * stopped, or cut off), the next write or renewal tells, and `lost` says so.
 */
#ifndef SWP_COORDINATOR_LEDGER_H
#define SWP_COORDINATOR_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coordinator/claim.h"
#include "coordinator/dispatch.h"
#include "coordinator/fence.h"
#include "proto/base/error.h"
#include "proto/io/owner.h"
#include "proto/io/store.h"
#include "proto/record/keys.h"
#include "proto/record/record.h"

#define SWP_OWNER_PATIENCE_MS 14000 /* a lease that has not ended by then was renewed twice meanwhile */
#define SWP_LEDGER_RETRY_MS 500	    /* after an error reply */
#define SWP_LEDGER_FIRST_MS 10000   /* a store that has not taken anything for so long at the start: exit 2 */

#define SWP_LEDGER_ASSERT_MS                                                                                 \
	(SWP_PRUNE_UNFINISHED_MS / 2) /* who has not renewed for so long does not assert its term any more */

struct swp_ledger; /* opaque */

struct swp_ledger_events {	      /* none may free the ledger */
	void (*up)(void *context);    /* connected for the first time */
	void (*fresh)(void *context); /* another Redis run than before: what was acknowledged may be gone */
	/* Answer to swp_ledger_own: the sweep is ours, under this term. From now on may be written. */
	void (*owned)(void *context, uint64_t term);
	/* With each renewal: who asked that the sweep be cancelled ("" nobody), and the names of workers to drain. May be NULL. */
	void (*asked)(void *context, const char *cancelled_by, const char *const *drains, size_t count);
	/* It can't be worked with, was away for too long, or belongs to another coordinator. After this nothing is sent any more. */
	void (*lost)(void *context, const struct swp_problem *problem);
	void (*granted)(
		void *context, uint64_t job, enum swp_dispatch_grant what, uint64_t epoch, unsigned attempts);
	void (*looked_up)(void *context, uint64_t job, enum swp_job_end found, unsigned attempts);
	void (*given_up)(void *context, uint64_t job, bool sealed);
	/* The store had another run's grant of that job, or none that can be put back: it is to be looked up. */
	void (*grant_gone)(void *context, uint64_t job);
	/* Answer to swp_ledger_check: `account` is as given. */
	void (*checked)(void *context, void *account, unsigned region, enum swp_job_end found);
	void *context;
};

/* `away_ms`: how long the store may be away, SWP_STORE_AWAY_MS but in tests. NULL: `problem` tells. */
struct swp_ledger *swp_ledger_new(struct swp_loop *loop, const struct swp_store_options *store,
	const char *sweep, int64_t away_ms, const struct swp_ledger_events *events,
	struct swp_problem *problem);
/* The same on a store that somebody else has opened and keeps (report of a sweep whose coordinator is gone): `up` and `fresh` are
 * never told. NULL on -ENOMEM. */
struct swp_ledger *swp_ledger_borrow(struct swp_loop *loop, struct swp_store *store, const char *sweep,
	int64_t away_ms, const struct swp_ledger_events *events);
void swp_ledger_free(struct swp_ledger *ledger); /* takes NULL */
const char *swp_ledger_sweep(const struct swp_ledger *ledger);
struct swp_store *swp_ledger_store(const struct swp_ledger *ledger);

/* --- owning --- */
struct swp_ledger_ownership { /* copied */
	const struct swp_owner *owner;
	uint64_t leader_term; /* 0, or that of the leader, whose row then fences too */
	const char *
		gone; /* an owner that can't write any more, so that its lease need not be waited for; NULL: none known */
};
/* Takes the sweep over. Whoever holds it is waited for until its lease ends (claim.h), unless it is known to be gone; `lost` tells when
 * it goes on holding it. Once. -ENOMEM. */
int swp_ledger_own(struct swp_ledger *ledger, const struct swp_ledger_ownership *as);
/* No more renewals; with `now`, the lease ends at once, so that nobody need wait for it. */
int swp_ledger_disown(struct swp_ledger *ledger, bool now);
/* Takes no write any more, and makes nothing stand there again: its rows are about to go. What was sent before is still answered. */
void swp_ledger_close(struct swp_ledger *ledger);
/* Renews again: the end must be written once more. */
void swp_ledger_reown(struct swp_ledger *ledger);
bool swp_ledger_is_deposed(const struct swp_ledger *ledger); /* why it was `lost` */
/* The same: its own coordinator has ended the sweep meanwhile. */
bool swp_ledger_is_finished(const struct swp_ledger *ledger);
/* What it writes under; borrowed. Empty before it is owned. */
const struct swp_fence *swp_ledger_fence(const struct swp_ledger *ledger);

/* --- writes; failures are retried inside. Each 0 or -ENOMEM --- */
struct swp_ledger_field {
	const char *name, *text; /* SWP_SWEEP_FIELD_…; NULL name ends the list */
};
int swp_ledger_set(struct swp_ledger *ledger, const struct swp_ledger_field *fields);
/* Into the index of sweeps, by start. */
int swp_ledger_index(struct swp_ledger *ledger, int64_t started_at_ms);
int swp_ledger_keep_catalogue(
	struct swp_ledger *ledger, const char *hash, const char *compiled, size_t length);
int swp_ledger_account(struct swp_ledger *ledger, const struct swp_record_account *row);
int swp_ledger_gap(struct swp_ledger *ledger, const struct swp_record_gap *gap);
/* Writes something that is there already, if nothing else is being written: a store that takes nothing shows only by that. */
int swp_ledger_probe(struct swp_ledger *ledger);
/* Any idempotent command that replaces all that is at its key: SET, DEL, …; HSET and HDEL of one field. At most SWP_LEDGER_ARGUMENTS
 * arguments, copied; the name of the command ends with a NUL. */
#define SWP_LEDGER_ARGUMENTS 40
int swp_ledger_write(struct swp_ledger *ledger, const struct swp_store_argument *arguments, size_t count);
/* Replaces a whole hash at once by `count` fields with their values; 0 removes it. Any number of fields. */
int swp_ledger_replace_hash(struct swp_ledger *ledger, const char *key,
	const struct swp_store_argument *fields_and_values, size_t count);

/* --- jobs; answered by the events. `region` is the region part of the job's key. Each 0 or -ENOMEM --- */
int swp_ledger_grant(struct swp_ledger *ledger, uint64_t job, const char *account, const char *region,
	const char *worker, bool counts, uint64_t least_epoch);
int swp_ledger_look_up(struct swp_ledger *ledger, uint64_t job, const char *account, const char *region);
int swp_ledger_give_up(
	struct swp_ledger *ledger, uint64_t job, const char *account, const char *region, const char *why);
/* Puts a grant back that a store may have lost. Answered by `grant_gone`, or not at all. */
int swp_ledger_assert_grant(struct swp_ledger *ledger, uint64_t job, const char *account, const char *region,
	const char *worker, uint64_t epoch, unsigned attempts);
/* Is that job sealed? For reconciliation, where no job is in memory. `token` and `number` come back in `checked`. */
int swp_ledger_check(
	struct swp_ledger *ledger, const char *account, const char *region, void *token, unsigned number);

/* From now on the store may be away for `away_ms` only (if that is less than before), counted from now. */
void swp_ledger_hurry(struct swp_ledger *ledger, int64_t away_ms);

/* Writes and questions whose answer is out; 0: everything is in the store. */
/* (a renewal counts too) */
size_t swp_ledger_open(const struct swp_ledger *ledger);
/* Calls `idle` once, later, when that is so. */
void swp_ledger_when_idle(struct swp_ledger *ledger, void (*idle)(void *context));

#endif
