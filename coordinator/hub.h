/* What the sweeps of one coordinator share: the workers (fleet, local processes), and who does which job (dispatch). A sweep joins with
 * a member, is asked and told through it, and leaves. Jobs of all sweeps wait in the same queues, so credits, connections and region
 * affinity are common to them.
 */
#ifndef SWP_COORDINATOR_HUB_H
#define SWP_COORDINATOR_HUB_H

#include "coordinator/dispatch.h"
#include "coordinator/fleet.h"
#include "coordinator/workers.h"
#include "proto/base/log.h"
#include "proto/io/store.h"

struct swp_hub; /* opaque */

struct swp_hub_options {	  /* borrowed for life, but for `name` */
	const char *name;	  /* of the run folder: unique among those that live */
	const char *state_folder; /* exists, 0700 */
	const char *listen;	  /* NULL: an ipc endpoint in the run folder */
	const char *keys_folder;  /* NULL: fresh keys, local workers only */
	unsigned workers;	  /* local processes */
	const char *worker_program;
	const struct swp_store_options *store;	      /* for the local workers; until swp_hub_new returns */
	const char *ca_file, *https_proxy, *no_proxy; /* NULL: none */
	enum swp_log_form log_form;
	bool adopts; /* what workers hold of sweeps that are not here (yet) is kept, for when such a sweep is resumed */
};

struct swp_hub_member;

/* What a sweep does for its jobs; `member` is the one that it joined with. None may free the hub. */
struct swp_hub_actions {
	bool (*may_send)(struct swp_hub_member *member, struct swp_dispatch_account *account);
	void (*grant)(struct swp_hub_member *member, struct swp_job *job, const char *worker, bool counts,
		uint64_t least_epoch);
	int (*send)(struct swp_hub_member *member, struct swp_job *job, uint64_t peer);
	void (*look_up)(struct swp_hub_member *member, struct swp_job *job);
	void (*give_up)(struct swp_hub_member *member, struct swp_job *job);
	void (*job_settled)(struct swp_hub_member *member, struct swp_job *job);
	void (*account_settled)(struct swp_hub_member *member, struct swp_dispatch_account *account);
	/* DONE of a job of its; the hub tells dispatch when this returns. */
	void (*done)(struct swp_hub_member *member, struct swp_job *job,
		const struct swp_message_done *message, bool held);
	void (*renew)(struct swp_hub_member *member, struct swp_job *job, uint64_t peer);
	void (*worker_came)(struct swp_hub_member *member);
	void (*store_away)(struct swp_hub_member *member); /* says a worker */
	void (*workers_failed)(struct swp_hub_member *member, const struct swp_problem *problem);
	void (*kick)(struct swp_hub_member *member); /* something has changed */
};

struct swp_hub_member {
	struct swp_hub_member *next; /* the hub's */
	const char *sweep;	     /* id; borrowed until it has left */
	const struct swp_hub_actions *actions;
	uint64_t running; /* jobs of its granted and leased */
};

/* What a worker holds of a sweep that was another coordinator's. */
struct swp_hub_hold {
	struct swp_hub_hold *next;
	uint64_t peer, job, epoch;
	char *sweep, *account, *region; /* in the same block */
};

/* Binds, and starts the local workers. NULL: `problem` tells. */
struct swp_hub *swp_hub_new(
	struct swp_loop *loop, const struct swp_hub_options *options, struct swp_problem *problem);
void swp_hub_free(struct swp_hub *hub); /* ends the local workers; all members must have left; takes NULL */
struct swp_fleet *swp_hub_fleet(const struct swp_hub *hub);
struct swp_dispatch *swp_hub_dispatch(const struct swp_hub *hub);

/* `member` has sweep and actions set. */
void swp_hub_join(struct swp_hub *hub, struct swp_hub_member *member);
/* Its accounts must be removed. Takes one that has not joined. */
void swp_hub_leave(struct swp_hub *hub, struct swp_hub_member *member);
unsigned swp_hub_members(const struct swp_hub *hub);
/* An open account's jobs, of that member. As swp_dispatch_add. */
int swp_hub_add(struct swp_hub *hub, struct swp_hub_member *member, struct swp_dispatch_account *account);
/* Judges leases and gives out what can be given out. Call after every change. */
void swp_hub_run(struct swp_hub *hub);

/* Visits, and takes away, what workers hold of that account of that sweep. */
void swp_hub_take_holds(struct swp_hub *hub, const char *sweep, const char *account,
	void (*visit)(void *context, const struct swp_hub_hold *hold), void *context);
/* Each worker that greeted: its name, and its row for SWP_KEY_WORKERS (JSON; borrowed until return). */
void swp_hub_each_worker(const struct swp_hub *hub,
	void (*visit)(void *context, const char *name, const char *row), void *context);
/* The worker is to finish what it has and to leave. Asked again until it has: true when it was asked here before and is gone, so that
 * the order can be forgotten. */
bool swp_hub_drain(struct swp_hub *hub, const char *worker);

#endif
