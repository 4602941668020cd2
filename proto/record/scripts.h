/* The Lua scripts by which a job's hash is written, and what else must be done at once, one row each: source, keys, arguments, answers. Every one is idempotent or
 * harmless when repeated (an answer that was lost is asked for again). Users copy `source` into a struct swp_store_script.
 * No I/O here.
 *
 * Who may write: a worker names the epoch of its JOB with each write, and the coordinator writes a grant before it sends the JOB; so a
 * worker that was given up for lost can write nothing. A coordinator names the term under which it owns the sweep; so one that another
 * has taken over from can write nothing. For that, scripts that are `fenced` take more keys behind their own (`own_keys` of them):
 * rows with a field `term`, and as their first arguments the terms that these must have, one a key. Else they answer the error
 * SWP_SCRIPT_DEPOSED and change nothing.
 */
#ifndef SWP_RECORD_SCRIPTS_H
#define SWP_RECORD_SCRIPTS_H

#include <stdbool.h>

enum swp_script {
	/* KEYS job, lock; ARGV worker, counts ("1": an attempt, "0": not, e.g. after give-back), least (the lowest epoch to give: one more than the
	 * coordinator has ever given for this job, else "1"; so that a store that lost writes never grants an epoch twice).
	 * → list {"granted", epoch, attempts}: parts of older epochs are gone; or {"sealed", epoch, attempts}; or {"lost", epoch, attempts}; or
	 * {"locked", epoch, attempts}: an unsealed job of another sweep, whose coordinator lives, holds account and region. (The end of its
	 * lease is within 15 s of now, before or behind: what is further ahead was not written by this clock.)
	 * Repeated: a higher epoch. */
	SWP_SCRIPT_GRANT,
	/* KEYS job; ARGV epoch, index (decimal), part bytes → 1 written (again: the same); 0 sealed already with that epoch; -1 stale epoch. */
	SWP_SCRIPT_COMMIT_PART,
	/* KEYS job, lock; ARGV epoch, count of parts, seal bytes, then for each part that comes along: index, bytes.
	 * → 1 sealed; 0 was sealed already with that epoch; -1 stale epoch; -2 not all parts are there (the store lost some: send all again). */
	SWP_SCRIPT_SEAL,
	/* KEYS job; ARGV why ("worker-lost", "store-lost": kept in the mark) → 1 marked lost; 0 it is sealed, nothing done. Parts go; later grants answer "lost", later commits are stale. */
	SWP_SCRIPT_GIVE_UP,
	/* KEYS job → 1. Seal, parts, attempts and the lost mark go; the epoch stays and grows, so that an old worker stays stale. */
	SWP_SCRIPT_FORGET,
	/* KEYS hash; ARGV field, value … → 1. The hash holds these fields and no others; none: it is gone. */
	SWP_SCRIPT_REPLACE_HASH,
	/* KEYS list; ARGV entry → length. The entry stands in the list once, at its end. */
	SWP_SCRIPT_ADD_ONCE,
	/* KEYS index, catalogue; ARGV sweep, catalogue's hash → 1 the catalogue went too, 0 not. The sweep leaves the index; its catalogue goes
	 * unless another sweep of the index names it. */
	SWP_SCRIPT_LEAVE_INDEX,
	/* KEYS key; ARGV command, then what stands behind the key → what the command answers. */
	SWP_SCRIPT_WRITE,
	/* KEYS none; ARGV keys → how many went. */
	SWP_SCRIPT_DROP,
	/* KEYS row; ARGV owner, host, lease in ms, wall clock in ms, term, gone owner, watched owner, end of the watched lease.
	 * term "0": takes the row over, if it has no owner, is the owner's own, or its lease has ended: by the clock of Redis, or as its owner
	 * is `gone`, or as it is the watched one, with exactly that end: whoever asks has seen that for a whole lease, so that it was not
	 * renewed, and the clock of Redis has stepped back. term = max(stored term, wall clock, clock of Redis) + 1. Else asserts that term
	 * again (a store that lost it), or answers SWP_SCRIPT_DEPOSED.
	 * The row of a sweep that was nobody's begins to count accounts (SWP_SCRIPT_ACCOUNT); what was counted goes on under the new term.
	 * → {"owned", term, owner before or ""}, {"held", ms left, owner, host, end of the lease as it stands there}, or, for term "0",
	 * {"finished", 0, ""}: a sweep that has come to its end is nobody's any more. */
	SWP_SCRIPT_TAKE_OVER,
	/* KEYS row, drains; ARGV lease in ms, "0": given up → {who asked to cancel or "", worker …}. Lengthens the lease from now. */
	SWP_SCRIPT_RENEW,
	/* KEYS job; ARGV worker, epoch, attempts → 1 the grant stands (again, if the store had lost it), 0 the job is sealed, given up or
	 * granted with a higher epoch. */
	SWP_SCRIPT_ASSERT_GRANT,
	/* KEYS accounts, row of the sweep; ARGV account, its row (record.h), planned ("1" or "0") → 1. The row stands there, in place of an
	 * older one, and the sweep's SWP_SWEEP_FIELD_ACCOUNTS counts it: exact, as both are one write. Not where that field is absent, or
	 * of another term than the sweep's: then a coordinator of an earlier version has written accounts, and nobody knows how many. */
	SWP_SCRIPT_ACCOUNT,
	SWP_SCRIPT_COUNT,
};

struct swp_script_row {
	const char *name;			/* "commit-part" */
	const char *source;			/* Lua */
	const char *keys, *arguments, *answers; /* for docs/store.md */
	unsigned own_keys;
	bool fenced;
};
const struct swp_script_row *swp_script_row(enum swp_script script); /* borrowed for ever */

#define SWP_SCRIPT_DEPOSED "DEPOSED" /* begins the error reply */
#define SWP_SCRIPT_STALE (-1)
#define SWP_SCRIPT_PARTS_MISSING (-2)

#endif
