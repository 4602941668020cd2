/* What the files sweep*.c share; nobody else includes it.
 *   sweep.c           life, phases, beginning, end
 *   sweep-identity.c  credentials, caller, organization
 *   sweep-accounts.c  accounts: scope, opening, jobs, rows, correlation
 *   sweep-jobs.c      between dispatch, fleet and ledger
 *   sweep-resume.c    going on with what another coordinator began
 */
#ifndef SWP_COORDINATOR_SWEEP_INTERNAL_H
#define SWP_COORDINATOR_SWEEP_INTERNAL_H

#include "coordinator/accounts.h"
#include "coordinator/aws-calls.h"
#include "coordinator/correlate.h"
#include "coordinator/enumeration.h"
#include "coordinator/hub.h"
#include "coordinator/job-credentials.h"
#include "coordinator/ledger.h"
#include "coordinator/learned-limits.h"
#include "coordinator/organization.h"
#include "coordinator/private-store.h"
#include "coordinator/prune.h"
#include "coordinator/regions.h"
#include "coordinator/scope.h"
#include "coordinator/session-policy.h"
#include "coordinator/sweep.h"
#include "proto/io/credential-source.h"
#include "proto/io/owner.h"
#include "proto/io/terminal.h"

#define SWP_SWEEP_ID_BYTES 80
#define SWP_OWN_CALLS_BYTES 64
#define SWP_COORDINATOR_CALLS                                                                                \
	32 /* AWS calls of the coordinator in flight: each is a TLS connection of 60 to 75 KiB */
#define SWP_ROWS_AT_ONCE 128 /* accounts' rows on their way, when all of them get their path */
#define SWP_ROWS_AGAIN_MS 5
#define SWP_RECONCILE_AT_ONCE 512 /* seals that are looked up at once */
#define SWP_ACCOUNT_REDO 3	  /* times that an account's lost records are done again */
#define SWP_ADOPT_MS                                                                                         \
	7000 /* so long workers have to tell a new coordinator what they hold: they greet it when they are connected, at the latest after 5 s of silence */
#define SWP_NO_WORKER_MS 5000 /* without any worker for so long: say so */

struct swp_sweep {
	struct swp_loop *loop;
	struct swp_sweep_options given;		 /* what it points to is borrowed */
	const struct swp_sweep_options *options; /* = &given */
	struct swp_sweep_events events;
	char id[SWP_SWEEP_ID_BYTES];
	char session_name[64];
	struct swp_sweep_progress progress;
	struct swp_sweep_result result;
	struct swp_problem problem;
	int64_t started_wall_ms;

	/* how AWS is asked */
	struct swp_http_client *http;
	struct swp_caller *caller;
	struct swp_caller_statistics
		own_calls; /* as last looked at: they stand when the caller is released */
	uint64_t
		worker_calls; /* of its jobs, as DONE tells: heartbeats tell of all sweeps that a worker has served */
	struct swp_terminal *terminal;
	struct swp_credential_source *source;
	char source_name[128];
	struct swp_own_credentials own;
	struct swp_aws_asker asker;
	struct swp_aws_ask ask; /* identity */
	bool identity_retried;
	char identity_region[32];

	/* who and where */
	struct swp_caller_identity_answer identity;
	const struct swp_partition *partition;
	const char *home_region;
	struct swp_organization organization;
	struct swp_scope scope;
	struct swp_region_table regions;
	struct swp_regions_asked asked;
	struct swp_session_policies policies;
	struct swp_enumeration *enumeration;
	struct swp_accounts *accounts;

	/* who works, and where it is kept */
	struct swp_private_store *private_store;
	struct swp_ledger *ledger;
	struct swp_prune *prune, *withdrawal; /* of old sweeps; of this one */
	struct swp_hub *hub;		      /* NULL: plan only, or released */
	struct swp_hub *own_hub;	      /* the same, unless it is lent */
	struct swp_hub_member member;
	struct swp_correlator *correlator;
	struct swp_job_services services;
	struct swp_limits *limits; /* learned by earlier sweeps */
	struct swp_message_sweep plan;
	const char **plan_selection;
	struct swp_wire_endpoint *plan_endpoints;

	/* cells of one job of each level, and its expected calls */
	unsigned level_cells[SWP_LEVEL_COUNT], level_calls[SWP_LEVEL_COUNT];
	bool level_needed[SWP_LEVEL_COUNT];

	/* accounts on their way */
	size_t path_cursor; /* accounts before it have their path in the store */
	size_t cursor;	    /* accounts before it are not waiting */
	size_t waiting;	    /* in scope, not open */
	size_t undecided;   /* scope waits for their OU */
	struct swp_account *settled_first, *settled_last; /* to be correlated */
	size_t seal_account;				  /* reconciliation: next account, its next region */
	unsigned seal_region;
	size_t seals_asked, seals_missing;
	bool any_lost;
	bool any_granted; /* a job was given out: from then on it is not "nothing was swept" */

	/* of a sweep that is resumed */
	struct swp_account *checked_first; /* seals looked up, jobs left: to be entered before new ones */
	size_t checking;		   /* accounts whose seals are being looked up */
	bool adopting_holds;		   /* nothing is granted: workers have time to say what they hold */

	uint64_t term; /* under which it is ours */
	/* No grant gets a lower epoch: they are counted from the term, and after a fail-over on from the highest one that was ever given, so
	 * that no epoch is given twice, whatever the store has forgotten. Model: `least`. */
	uint64_t least_epoch, highest_epoch;
	struct swp_owner owner;
	struct swp_timer pump, grace, deadline, no_worker, withdrawal_limit, adopting;
	int64_t grace_ends_ms;		       /* monotonic; once it is cancelling */
	struct swp_correlating *correlating;   /* accounts whose correlation is under way */
	struct swp_record_gap enumeration_gap; /* owned texts; reason 0: the enumeration did not break off */
	bool starting, described, units_known, listed_all, enumeration_broke, named;
	bool store_ready;		    /* connected at least once */
	bool disowned, suspending, ordered; /* ordered: `orgsweep cancel` */
	uint64_t told_planned, told_done;   /* jobs, as they stand in the store */
	bool owning, owned;		    /* the store was asked that it be ours; it is */
	bool limits_known, paths_written;
	bool recorrelate; /* the store went back: what stands there is correlated again */
	bool begun;	  /* its rows are in the store, its plan with the fleet */
	bool cancelling, cancelled, reconciling, reconciled, correlating_over, over_done, closing;
	bool withdrawing, withdrawn; /* it could not run: its rows leave the store */
	bool told;		     /* finished */
	int cancelled_by;
	int64_t cancelled_wall_ms;
};

/* sweep.c */
void swp_sweep_kick(struct swp_sweep *sweep); /* looks at everything again, soon */
/* A job was settled: while cancelling, others are waited for some more. */
void swp_sweep_extend_grace(struct swp_sweep *sweep);
void swp_sweep_set_phase(struct swp_sweep *sweep, enum swp_sweep_phase phase);
/* Ends it: could not run (exit 2), or the store is lost (exit 5). The first call counts. */
void swp_sweep_end(struct swp_sweep *sweep, enum swp_sweep_end end, const struct swp_problem *problem);
void swp_sweep_end_text(struct swp_sweep *sweep, enum swp_sweep_end end, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Rows, index and catalogue into the store; plan to the fleet; once organization and store are known. */
void swp_sweep_begin(struct swp_sweep *sweep);
/* Another run of the store while the end was being written: seals must be looked up in that one, too. Model: `finish_script`. */
void swp_sweep_end_again(struct swp_sweep *sweep);
void swp_sweep_write_meta(struct swp_sweep *sweep);
void swp_sweep_write_plan(struct swp_sweep *sweep);
/* The gap of an enumeration that broke off; it may break off before the store is there. */
void swp_sweep_write_gap(struct swp_sweep *sweep);
int64_t swp_sweep_wall_ms(const struct swp_sweep *sweep);

/* sweep-identity.c */
int swp_sweep_identity_init(struct swp_sweep *sweep, struct swp_problem *problem);
void swp_sweep_identity_start(struct swp_sweep *sweep);
void swp_sweep_identity_stop(struct swp_sweep *sweep);	       /* no more questions to Organizations */
void swp_sweep_enumeration_cancelled(struct swp_sweep *sweep); /* writes the gap: accounts may be unknown */
void swp_sweep_identity_release(struct swp_sweep *sweep); /* connections and credentials; may come again */
void swp_sweep_identity_done(struct swp_sweep *sweep);

/* sweep-accounts.c */
void swp_sweep_account_listed(struct swp_sweep *sweep, struct swp_account *account);
void swp_sweep_units_known(struct swp_sweep *sweep);
void swp_sweep_check_scope(
	struct swp_sweep *sweep); /* at the end of the list: what matched nothing, nothing in scope */
int swp_sweep_accounts_init(struct swp_sweep *sweep); /* once the organization is described */
void swp_sweep_open_accounts(struct swp_sweep *sweep);
void swp_sweep_forget_correlating(
	struct swp_sweep *sweep); /* after the correlator is gone: nobody calls back any more */
void swp_sweep_correlate_accounts(struct swp_sweep *sweep);
/* What was correlated before the store went back may be of records that are not there any more. */
void swp_sweep_correlate_again(struct swp_sweep *sweep);
/* Its planned regions are known: adds those that are none, counts, tells. */
void swp_sweep_plan_account(
	struct swp_sweep *sweep, struct swp_account *account, const struct swp_open_account *open);
void swp_sweep_account_done(
	struct swp_sweep *sweep, struct swp_account *account); /* its jobs are settled, or there were none */
void swp_sweep_write_account(struct swp_sweep *sweep, struct swp_account *account);
/* The coordinator's calls to AWS so far, as SWP_SWEEP_FIELD_OWN_CALLS wants them; returns `ret_text`. */
const char *swp_sweep_own_calls(struct swp_sweep *sweep, char ret_text[static SWP_OWN_CALLS_BYTES]);
/* Rows of accounts that were written before the names of their units were known, as long as fewer than `at_once` writes are on their way.
 * True: all are. */
bool swp_sweep_write_paths(struct swp_sweep *sweep, size_t at_once);
void swp_sweep_write_all_accounts(struct swp_sweep *sweep);
void swp_sweep_cancel_accounts(struct swp_sweep *sweep);
void swp_sweep_redo(struct swp_sweep *sweep, struct swp_account *account);
/* Jobs of an account as the correlator takes them; returns how many. */
size_t swp_sweep_correlate_jobs(struct swp_sweep *sweep, const struct swp_account *account,
	struct swp_correlate_job jobs[static SWP_LIMIT_SWEEP_REGIONS], bool for_over);

/* sweep-jobs.c */
int swp_sweep_jobs_init(
	struct swp_sweep *sweep, struct swp_problem *problem); /* ledger, fleet, workers, dispatch */
void swp_sweep_jobs_release(struct swp_sweep *sweep); /* all but the ledger and its store; may come again */
void swp_sweep_jobs_done(struct swp_sweep *sweep);
int swp_sweep_add_jobs(struct swp_sweep *sweep, struct swp_open_account *open);
void swp_sweep_run_dispatch(struct swp_sweep *sweep);
void swp_sweep_answer_renewals(
	struct swp_sweep *sweep, struct swp_open_account *open, enum swp_reason reason);
void swp_sweep_forget_renewals(struct swp_open_account *open);

/* sweep-resume.c */
/* The account was begun with before: its plan is taken over, its seals are looked up. False: it is as new. */
bool swp_sweep_resume_account(struct swp_sweep *sweep, struct swp_account *account);
/* Answer about a seal of a CHECKING account. */
void swp_sweep_resume_checked(
	struct swp_sweep *sweep, struct swp_account *account, unsigned region, enum swp_job_end found);
/* Accounts with jobs left, oldest first; NULL: none. */
struct swp_account *swp_sweep_resume_next(struct swp_sweep *sweep);
/* It must be the same organization, asked the same. 0; -EINVAL: `problem` tells. */
int swp_sweep_resume_verify(struct swp_sweep *sweep, struct swp_problem *problem);
/* What workers hold of an account that has just been opened goes on. */
void swp_sweep_adopt(struct swp_sweep *sweep, struct swp_open_account *open);
char *swp_sweep_filters_json(const struct swp_sweep_options *options); /* free() */

/* Looks up seals of settled accounts; false while it goes on. */
bool swp_sweep_reconcile(struct swp_sweep *sweep);
void swp_sweep_checked(void *context, void *account, unsigned region, enum swp_job_end found);

#endif
