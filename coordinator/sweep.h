/* A sweep, from credentials to the last record in the store: the coordinator's core without command line and report.
 *
 *   identity → organization → (accounts: role, regions) → jobs → workers → seals → correlation → finished
 *
 * Everything runs on the caller's loop and never blocks. The core logs what happens (swp_log); what ends a sweep is told
 * once by `finished`. After that the store stays open (swp_sweep_store), so that the report can be read from it, until
 * swp_sweep_free ends the private redis-server and whatever else still runs.
 */
#ifndef SWP_COORDINATOR_SWEEP_H
#define SWP_COORDINATOR_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "checks/catalogue.h"
#include "coordinator/resume.h"
#include "proto/aws/endpoint.h"
#include "proto/aws/outcome.h"
#include "proto/base/error.h"
#include "proto/base/log.h"
#include "proto/io/loop.h"
#include "proto/io/store.h"

/* --- what is asked for: resolved by the command line, what it points to is borrowed until swp_sweep_free --- */

struct swp_text_list {
	const char *const *items;
	size_t count;
};

/* One row of `roles:` in the configuration; the first that matches an account wins. */
struct swp_sweep_role {
	struct swp_text_list accounts; /* ids, names, globs, "management"; empty and no ou: every account */
	struct swp_text_list ou;       /* ids or paths; nested OUs included */
	const char *role_name;	       /* a path may be part of it */
	const char *external_id;       /* NULL: none */
};

struct swp_hub; /* hub.h */

struct swp_sweep_options {
	/* who */
	const char *profile;   /* NULL: none chosen (AWS_PROFILE then counts) */
	const char *role_name; /* never NULL; the default is the command line's business */
	bool role_name_given; /* the option (environment, configuration) was given: also tried in the caller's own account */
	const char *external_id; /* NULL: none */
	const struct swp_sweep_role *roles;
	size_t role_count;
	bool no_org;

	/* scope; empty lists mean all (accounts, ou, regions) or none (exclude_…). `regions` never holds "all" */
	struct swp_text_list accounts, exclude_accounts, ou, exclude_ou, regions, exclude_regions;

	/* what is checked */
	struct swp_catalogue *catalogue;
	const struct swp_selection *selection;

	/* who works: a hub that is lent, or one of its own */
	struct swp_hub *hub;	    /* borrowed; NULL: the next ones tell */
	unsigned workers;	    /* local processes; 0: wait for others */
	const char *worker_program; /* path of orgsweep-worker; may be NULL when workers is 0 */
	const char *listen;	    /* NULL: an ipc endpoint in the state folder */
	const char *
		keys_folder; /* with `listen`: server.key, server.pub, allowed/; NULL: fresh keys, local workers only */
	enum swp_log_form log_form; /* handed to local workers */

	/* where it is kept */
	const struct swp_store_options *store;	      /* NULL: a private redis-server in the state folder */
	const struct swp_store_options *worker_store; /* for local workers that have a user; NULL: as ours */
	const char *state_folder;		      /* exists, 0700 */
	unsigned keep;	  /* sweeps kept in the store, this one included; 0: all */
	const char *name; /* of the sweep in the index; NULL: none */
	const struct swp_resume
		*resume; /* NULL: a new sweep. Its catalogue and selection are those of this struct */
	unsigned max_share_percent; /* of the rates that services allow; 0: the default */
	/* Of whom it was scheduled by: its row fences, too; 0, NULL: nobody. What the leader before owned need not be waited for: its term
	 * is refused. */
	const struct swp_owner *owner;
	uint64_t leader_term;
	const char *leader_before;

	/* how AWS is reached */
	const struct swp_endpoint_options *endpoints;
	const char *ca_file, *https_proxy, *no_proxy; /* NULL: none */

	int64_t deadline_ms; /* from swp_sweep_start; 0: none */
	bool plan_only;	     /* identity, accounts, roles, regions; no store, no worker, no job */
};

/* --- what is told --- */

enum swp_sweep_phase {
	SWP_SWEEP_STARTING,    /* store, workers, credentials */
	SWP_SWEEP_ENUMERATING, /* first page of accounts not there yet */
	SWP_SWEEP_SWEEPING,    /* jobs run (enumeration may go on) */
	SWP_SWEEP_RECONCILING, /* every done job's seal is looked up */
	SWP_SWEEP_CORRELATING, /* over accounts */
	SWP_SWEEP_FINISHED,
};
const char *swp_sweep_phase_name(enum swp_sweep_phase phase); /* "sweeping" */

enum swp_sweep_status {
	SWP_SWEEP_COMPLETE,
	SWP_SWEEP_PARTIAL,   /* enumeration broke off, or a cell is worker-lost or store-lost */
	SWP_SWEEP_CANCELLED, /* signal or deadline */
};
const char *swp_sweep_status_name(enum swp_sweep_status status); /* "complete" */

/* Which exit code class the end belongs to. */
enum swp_sweep_end {
	SWP_SWEEP_END_SWEPT, /* the store holds the sweep: report it (exit 0, 1, 3, 4, or 130/143 when cancelled) */
	SWP_SWEEP_END_COULD_NOT_RUN, /* exit 2; nothing was swept */
	SWP_SWEEP_END_STORE_LOST,    /* exit 5; can be continued or reported once the store is back */
	SWP_SWEEP_END_SUSPENDED,     /* as swp_sweep_suspend asked */
	SWP_SWEEP_END_DEPOSED,	     /* exit 5; another coordinator goes on with it */
};

struct swp_sweep_result {
	enum swp_sweep_end end;
	enum swp_sweep_status status; /* meaningful with END_SWEPT */
	bool enumeration_complete;
	int cancelled_by;		   /* 0, or the signal given to swp_sweep_cancel */
	const struct swp_problem *problem; /* text "" with END_SWEPT */
};

/* Numbers for the progress line and the summary; all counts are of this sweep so far. */
struct swp_sweep_progress {
	enum swp_sweep_phase phase;
	int64_t started_ms; /* monotonic */
	bool enumeration_done;
	unsigned accounts_known;       /* listed by the organization so far */
	unsigned accounts_not_planned; /* suspended, closed, pending, excluded, out of scope */
	unsigned accounts_planned;     /* settled or open: role and regions decided */
	unsigned accounts_done;	       /* all jobs settled */
	unsigned accounts_failed;      /* role not assumable: part of accounts_done */
	uint64_t jobs_planned, jobs_running, jobs_done; /* done: sealed or given up */
	uint64_t jobs_lost;				/* given up: part of jobs_done */
	uint64_t cells_planned, cells_pass, cells_fail, cells_not_applicable, cells_not_assessed,
		cells_partial, cells_closed;
	uint64_t findings[SWP_SEVERITY_COUNT]; /* FAIL results of sealed jobs, by severity */
	uint64_t chains[SWP_SEVERITY_COUNT];   /* confirmed chain instances, by severity */
	uint64_t
		calls; /* to AWS, of this coordinator: its own, and those of workers for jobs of which it heard DONE */
	uint64_t retried, throttled; /* of the seals of correlated accounts */
	unsigned workers;	     /* greeted and alive, also where other sweeps share them */
	uint64_t
		expected_calls; /* of the planned jobs, by the catalogue's estimate, and to enter their accounts */
};

/* One account as it stands in the store; for --plan, doctor and logs. All borrowed until return. */
struct swp_sweep_account {
	const char *id, *name, *path; /* name "" and path NULL when unknown */
	const char *state;	      /* AWS's word: "ACTIVE" */
	int64_t joined_at_ms;	      /* -1 unknown */
	bool not_planned;	      /* suspended, closed, pending, excluded, not in scope */
	const char *not_planned_why;  /* "suspended", "excluded" …; "" when planned */
	bool management, own;
	const char *role_arn;	/* the role that was tried; NULL: own credentials or none */
	enum swp_reason reason; /* NONE, or why none of its jobs can be done */
	const char *action, *error_code, *message, *request_id; /* of `reason`; "" when unknown */
	const char *const *regions;				/* planned */
	size_t region_count;
	const char *const *regions_not_enabled;
	size_t region_not_enabled_count;
	const char *regions_from; /* "account:ListRegions", …, "partition": who told the regions */
	uint64_t cells, jobs, expected_calls; /* planned */
};

struct swp_sweep_events {
	/* Any may be NULL. */
	void (*phase)(void *context, enum swp_sweep_phase phase);
	/* Once for each account listed: its role and regions are decided, or it is not planned. */
	void (*account)(void *context, const struct swp_sweep_account *account);
	/* Once, last. Called from the loop; the sweep may not be freed inside it. */
	void (*finished)(void *context, const struct swp_sweep_result *result);
	void *context;
};

struct swp_sweep; /* opaque */
struct swp_caller_statistics;
struct swp_dispatch_numbers;
struct swp_dispatch_worker_states;
struct swp_fleet_strangers;

/* A hub as the options ask for: `prefix` and the process' number name its run folder; `store` is for local workers that have no user of their
 * own; `adopts` as in hub.h. NULL: `problem` tells. */
struct swp_hub *swp_sweep_hub_new(struct swp_loop *loop, const struct swp_sweep_options *options,
	const char *prefix, const struct swp_store_options *store, bool adopts, struct swp_problem *problem);
/* Checks the options that can be checked without AWS. NULL: `problem` tells, the exit-2 class. Nothing runs yet. */
struct swp_sweep *swp_sweep_new(struct swp_loop *loop, const struct swp_sweep_options *options,
	const struct swp_sweep_events *events, struct swp_problem *problem);
/* Starts; `finished` is called later, also for what fails at once. 0; -ENOMEM. */
int swp_sweep_start(struct swp_sweep *sweep);
/* Signal or deadline: what is committed within SWP_CANCEL_GRACE_MS (SWP_CANCEL_IDLE_MS after the last job) counts, the rest is NOT_ASSESSED(cancelled).
 * `finished` follows. `number`: SIGINT, SIGTERM, or 0 for a deadline. Later calls change nothing. */
void swp_sweep_cancel(struct swp_sweep *sweep, int number);
/* Gives out no more jobs, and ends when those that run are committed; nothing is written of its end, so that it can be resumed. Whoever
 * does not want to wait frees it. */
void swp_sweep_suspend(struct swp_sweep *sweep);
/* After `finished`: ends the workers and frees all but the store and what can be asked, so that the report does not come on top of
 * it in memory. May be left out. */
void swp_sweep_release(struct swp_sweep *sweep);
/* Ends everything that it started: workers, private redis-server. Takes NULL. */
void swp_sweep_free(struct swp_sweep *sweep);

/* --- what can be asked at any time; borrowed until swp_sweep_free --- */
const char *swp_sweep_id(const struct swp_sweep *sweep); /* known from swp_sweep_new on */
const struct swp_sweep_progress *swp_sweep_progress(const struct swp_sweep *sweep);
/* NULL before the store is open, and with plan_only. */
struct swp_store *swp_sweep_store(const struct swp_sweep *sweep);
/* The coordinator's own calls to AWS so far; and who does what, zeros before and after there is work. */
void swp_sweep_own_statistics(const struct swp_sweep *sweep, struct swp_caller_statistics *ret_statistics);
void swp_sweep_dispatch_numbers(const struct swp_sweep *sweep, struct swp_dispatch_numbers *ret_numbers,
	struct swp_dispatch_worker_states *ret_workers);
/* Who was not let in or did not behave (fleet.h); zeros where there is no fleet. */
void swp_sweep_strangers(const struct swp_sweep *sweep, struct swp_fleet_strangers *ret_strangers);
const char *swp_sweep_partition(const struct swp_sweep *sweep); /* "" while unknown; also the next ones */
const char *swp_sweep_caller_arn(const struct swp_sweep *sweep);
const char *swp_sweep_caller_account(const struct swp_sweep *sweep);
const char *swp_sweep_organization_id(const struct swp_sweep *sweep);
const char *swp_sweep_management_account(const struct swp_sweep *sweep);
/* Where the caller's credentials come from ("profile prod (sso)"), for doctor. */
const char *swp_sweep_credential_source(const struct swp_sweep *sweep);

#endif
