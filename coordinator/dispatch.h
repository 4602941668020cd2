/* Which worker does which job, and what becomes of it: grants, credits, leases, attempts, region affinity. A pure machine:
 * events and the monotonic time come in, actions go out. What an action needs (store, bus) is its owner's business.
 *
 *            grant asked         granted, sent          done (sealed)
 *   READY ──────────────► GRANTING ─────────► RUNNING ──────────────────────────────► SETTLED
 *     ▲                      │                   │ lease over, worker gone, not in holds   ▲
 *     │     could not send   │                   ▼                                         │ sealed
 *     └──────────────────────┴────────────── LOOKING ── three attempts ─► GIVING_UP ───────┘ lost
 *
 * A job is never leased again before its record was looked up: sealed means done. Guarantee: work may be repeated, records
 * never mix (who may write is decided by the epoch in the store).
 *
 * After an attempt was lost, the next one goes to a worker of another host, else to another worker of the same, if one is there that
 * takes jobs: the job may have killed its worker, or the host may kill whatever it gets, and only so the attempts tell which. It waits
 * SWP_ELSEWHERE_MS at most for such a worker to have room; then any will do. Where attempts were lost is kept here alone: a coordinator
 * that resumes knows how many there were (from the store), and not where.
 */
#ifndef SWP_COORDINATOR_DISPATCH_H
#define SWP_COORDINATOR_DISPATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "checks/catalogue.h"
#include "coordinator/region-set.h"
#include "proto/base/limits.h"

#define SWP_LIMIT_STALE_ANSWERS                                                                              \
	3 /* times that a job's own epoch is called stale (the store lost its grant) before it is store-lost */
#define SWP_SEND_RETRY_MS 200 /* a worker whose queue was full is tried again after that */
#define SWP_LOCKED_RETRY_MS 1000
#define SWP_OLDEST_FIRST_MS 10000 /* an account that has been open for so long goes before affinity */
#define SWP_ELSEWHERE_MS 30000	  /* a job waits so long for a worker elsewhere than where it was lost */
#define SWP_LIMIT_LOST_LOOKED_AT                                                                             \
	64 /* of the jobs that wait with lost attempts, so many are looked at for one that a worker may take */

enum swp_job_state {
	SWP_JOB_PARKED, /* its account has no credentials that last */
	SWP_JOB_READY,
	SWP_JOB_GRANTING,
	SWP_JOB_RUNNING,
	SWP_JOB_LOOKING,
	SWP_JOB_GIVING_UP,
	SWP_JOB_LOCKED, /* another sweep's job is done in its account and region */
	SWP_JOB_SETTLED,
};

enum swp_job_end {
	SWP_JOB_OPEN,
	SWP_JOB_SEALED,
	SWP_JOB_LOST,	    /* worker-lost */
	SWP_JOB_STORE_LOST, /* the store lost it and it could not be redone */
};

struct swp_dispatch_account;
struct swp_dispatch_worker;
struct swp_job_losses;

struct swp_job {
	struct swp_dispatch_account *account;
	struct swp_dispatch_worker *worker; /* GRANTING, RUNNING */
	struct swp_job *adopted;	    /* next of those with a number of another coordinator */
	struct swp_job_losses *losses;	    /* where attempts were lost; NULL: nowhere */
	struct swp_job *next,
		*previous; /* in a queue (READY: of its region, or of jobs with losses), or its worker's list (GRANTING, RUNNING) */
	uint64_t number, epoch, least_epoch;
	int64_t lease_due_ms; /* LOCKED: when it is tried again */
	int64_t sent_ms;      /* the owner's: when credentials were sent for it */
	unsigned char region; /* number in the table; the pseudo-regions too */
	unsigned char level;  /* enum swp_level */
	unsigned char state, end;
	unsigned char attempts; /* as the store counts them */
	unsigned char stale;
	bool uncounted; /* the next grant is not an attempt: the last one never reached its worker, or was given back */
};

/* Embedded in an open account. */
struct swp_dispatch_account {
	struct swp_job *jobs; /* owned by the account's owner */
	unsigned job_count;
	void *owner; /* the owner's */
	uint64_t
		*running; /* counts the owner's jobs that are granted or leased; NULL: nobody wants to know */
	/* internal */
	unsigned slot;
	unsigned settled;
	bool parked, added;
	int64_t opened_ms;
};

struct swp_dispatch_actions {
	/* May jobs of the account be sent now (credentials last long enough)? If not, its jobs are parked until
	 * swp_dispatch_unpark; the owner has begun to renew. */
	bool (*may_send)(void *context, struct swp_dispatch_account *account);
	/* Write the grant; answer by swp_dispatch_granted. */
	void (*grant)(
		void *context, struct swp_job *job, const char *worker, bool counts, uint64_t least_epoch);
	/* Send the JOB. 0; negative: it could not be sent (-EAGAIN: queue full; else: the peer is gone). */
	int (*send)(void *context, struct swp_job *job, uint64_t peer);
	/* Look its record up; answer by swp_dispatch_looked_up. */
	void (*look_up)(void *context, struct swp_job *job);
	/* Mark it lost in the store; answer by swp_dispatch_given_up. */
	void (*give_up)(void *context, struct swp_job *job);
	/* Tell a worker to drop a job that is not its any more. */
	void (*cancel)(void *context, uint64_t peer, uint64_t job, uint64_t epoch);
	void (*job_settled)(void *context, struct swp_job *job);
	/* All its jobs are settled; it has been removed, and its owner may free it. */
	void (*account_settled)(void *context, struct swp_dispatch_account *account);
	void *context;
};

struct swp_dispatch; /* opaque */

/* `first_number`: where job numbers begin (random, so that a restarted coordinator's are others). NULL on -ENOMEM. */
struct swp_dispatch *swp_dispatch_new(const struct swp_dispatch_actions *actions, uint32_t first_number);
void swp_dispatch_free(struct swp_dispatch *dispatch); /* accounts must be removed or forgotten; takes NULL */

/* --- accounts --- */
/* The jobs have region and level set, the rest zero. -ENOSPC: SWP_LIMIT_OPEN_ACCOUNTS are open. */
int swp_dispatch_add(struct swp_dispatch *dispatch, struct swp_dispatch_account *account, int64_t now_ms);
/* Takes an account away with whatever runs of it (workers are not told). Takes one that was not added. */
void swp_dispatch_remove(struct swp_dispatch *dispatch, struct swp_dispatch_account *account);
unsigned swp_dispatch_open_accounts(const struct swp_dispatch *dispatch);
void swp_dispatch_unpark(struct swp_dispatch *dispatch, struct swp_dispatch_account *account);

/* --- workers --- */
struct swp_dispatch_hold {
	uint64_t job, epoch;
};
struct swp_dispatch_greeting { /* borrowed for the call */
	const char *name;      /* of its key: the same when it comes back */
	const char *host;      /* as it calls its host */
	unsigned credits;      /* jobs at once */
	const struct swp_dispatch_hold *holds;
	size_t hold_count;
};
/* A worker greets, for the first time or again. What it holds and is its own stays its own; what we thought it holds and it
 * does not is lost and looked up; what is not its any more is cancelled. -ENOMEM; -ENOSPC (SWP_LIMIT_WORKERS). */
int swp_dispatch_greet(struct swp_dispatch *dispatch, uint64_t peer,
	const struct swp_dispatch_greeting *greeting, int64_t now_ms);
/* Renews the leases of the jobs that it names; others run out. */
/* A worker holds this job from another coordinator's time, under that one's number and epoch: it goes on with it, if nobody else
 * does. What the epoch is worth, the store says when it commits. False: the job is not waiting, or the worker is not known. */
bool swp_dispatch_adopt(struct swp_dispatch *dispatch, struct swp_job *job, uint64_t peer, uint64_t number,
	uint64_t epoch, int64_t now_ms);
/* Visits every job that is leased to a worker. */
void swp_dispatch_each_running(const struct swp_dispatch *dispatch,
	void (*visit)(void *context, const struct swp_job *job, const char *worker), void *context);
/* The store has no grant of it any more, or another's: it is looked up, and given out anew. */
void swp_dispatch_grant_gone(struct swp_dispatch *dispatch, uint64_t job);
void swp_dispatch_heartbeat(struct swp_dispatch *dispatch, uint64_t peer,
	const struct swp_dispatch_hold *jobs, size_t count, int64_t now_ms);
/* It is gone for sure (its process ended, it said bye, silence): its jobs are looked up at once. Takes unknown ones. */
void swp_dispatch_gone(struct swp_dispatch *dispatch, uint64_t peer);
/* No more jobs for it. */
void swp_dispatch_drain(struct swp_dispatch *dispatch, uint64_t peer);
/* It can't do jobs of what is swept now (its version does not know all of the catalogue): no more jobs for it, until it greets anew or
 * swp_dispatch_able. */
void swp_dispatch_unable(struct swp_dispatch *dispatch, uint64_t peer);
void swp_dispatch_able(struct swp_dispatch *dispatch); /* something else is swept: all may try again */
unsigned swp_dispatch_workers(const struct swp_dispatch *dispatch);
unsigned swp_dispatch_jobs_of(
	const struct swp_dispatch *dispatch, uint64_t peer); /* granted to it, or leased */
bool swp_dispatch_is_draining(const struct swp_dispatch *dispatch, uint64_t peer);
/* The job of that number, of an open account; NULL: none. */
struct swp_job *swp_dispatch_find(const struct swp_dispatch *dispatch, uint64_t job);
bool swp_dispatch_knows(const struct swp_dispatch *dispatch, uint64_t peer);

enum swp_dispatch_done {
	SWP_DISPATCH_SEALED, /* or was sealed with that epoch already */
	SWP_DISPATCH_STALE,
};
/* DONE. Returns true when it settled the job (false: late, double, not ours). */
bool swp_dispatch_done(struct swp_dispatch *dispatch, uint64_t peer, uint64_t job, uint64_t epoch,
	enum swp_dispatch_done how);
/* GIVE-BACK. `counts`: the attempt is lost, as the job may be the cause; else it is none. `pause_ms`: no new job for that worker for so long. */
void swp_dispatch_given_back(struct swp_dispatch *dispatch, uint64_t peer, uint64_t job, uint64_t epoch,
	bool counts, int64_t pause_ms, int64_t now_ms);
/* The job of that number, if `peer` holds it with that epoch; else NULL. */
struct swp_job *swp_dispatch_held(struct swp_dispatch *dispatch, uint64_t peer, uint64_t job, uint64_t epoch);

/* --- answers to actions --- */
enum swp_dispatch_grant {
	SWP_DISPATCH_GRANT_GIVEN,
	SWP_DISPATCH_GRANT_SEALED, /* its record is there already */
	SWP_DISPATCH_GRANT_LOST,   /* it was given up before */
	SWP_DISPATCH_GRANT_LOCKED, /* another sweep is at work there: it is tried again after SWP_LOCKED_RETRY_MS */
};
void swp_dispatch_granted(struct swp_dispatch *dispatch, uint64_t job, enum swp_dispatch_grant what,
	uint64_t epoch, unsigned attempts, int64_t now_ms);
void swp_dispatch_looked_up(struct swp_dispatch *dispatch, uint64_t job, enum swp_job_end found,
	unsigned attempts, int64_t now_ms);
void swp_dispatch_given_up(struct swp_dispatch *dispatch, uint64_t job, bool sealed);

/* --- time --- */
/* Judges leases and gives out what can be given out. Call after each of the above, and at swp_dispatch_next_ms. */
void swp_dispatch_run(struct swp_dispatch *dispatch, int64_t now_ms);
int64_t swp_dispatch_next_ms(const struct swp_dispatch *dispatch); /* INT64_MAX: nothing is waited for */
struct swp_dispatch_numbers {
	uint64_t ready, running; /* running: granted and leased */
	unsigned workers;
	uint64_t leases_expired,
		leases_gone; /* so far: jobs taken from workers that did not renew, that went */
};
void swp_dispatch_count(const struct swp_dispatch *dispatch, struct swp_dispatch_numbers *ret_numbers);
/* Each worker in one of these; walks over them. */
struct swp_dispatch_worker_states {
	unsigned ready, busy, draining;
	unsigned lost; /* a lease of its ran out, and nothing was heard of it since */
};
void swp_dispatch_count_workers(
	const struct swp_dispatch *dispatch, struct swp_dispatch_worker_states *ret_states);

#endif
