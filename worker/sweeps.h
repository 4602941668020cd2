/* What a job needs to know of its sweep: catalogue, selection, endpoints. Catalogues are kept by hash. Internal to worker/. */
#ifndef SWP_WORKER_SWEEPS_H
#define SWP_WORKER_SWEEPS_H

#include <stdbool.h>

#include "checks/catalogue.h"
#include "checks/evaluation.h"
#include "proto/aws/endpoint.h"
#include "proto/io/caller.h"
#include "proto/wire/message.h"
#include "worker/worker.h"

struct swp_link;

struct swp_waiting_job { /* a JOB that came before its sweep's catalogue */
	struct swp_waiting_job *next;
	struct swp_message message; /* owned */
};

struct swp_worker_sweep {
	struct swp_worker_sweep *next;
	struct swp_worker *worker;
	struct swp_link *link;		 /* borrowed; whose sweep it is */
	struct swp_message message;	 /* the SWEEP; owned */
	struct swp_catalogue *catalogue; /* a reference; NULL until it has come */
	bool unusable;			 /* its catalogue or endpoints can't be used */
	char why[160];			 /* of `unusable` */
	bool ended;			 /* goes with its last job */
	bool untold; /* the coordinator greeted anew and has not named it since: it may be one that knows nothing of it */
	unsigned jobs;
	struct swp_selection selection;
	struct swp_wanted_facts *wanted; /* of both; NULL until the catalogue has come */
	const struct swp_partition *partition;
	struct swp_endpoint_options endpoints;
	struct swp_caller *caller;
	struct swp_waiting_job *waiting; /* in order */
};

/* SWEEP came: takes the message. Asks for the catalogue if it is not held. The same sweep again is no news. */
void swp_sweeps_begin(struct swp_link *link, struct swp_worker *worker, struct swp_message *message);
/* CATALOGUE came: its hash is checked; sweeps that waited for it begin their jobs. */
void swp_sweeps_catalogue(
	struct swp_link *link, struct swp_worker *worker, const struct swp_message *message);
/* NULL when unknown. */
struct swp_worker_sweep *swp_sweeps_find(struct swp_link *link, struct swp_worker *worker, const char *sweep);
/* Keeps a JOB until the catalogue is there: takes the message. -ENOMEM. */
int swp_sweeps_wait(struct swp_worker_sweep *sweep, struct swp_message *message);
/* Drops waiting jobs: that one, or all (`all`). True if one was dropped. */
bool swp_sweeps_drop_waiting(struct swp_worker_sweep *sweep, uint64_t job, uint64_t epoch, bool all);
void swp_sweeps_end(struct swp_worker_sweep *sweep);
/* The coordinator greets: catalogues that have not come are asked for again, and all its sweeps are `untold` until it names them. A
 * coordinator that was killed has told no worker that its sweeps are over. */
void swp_sweeps_greeted(struct swp_link *link, struct swp_worker *worker);
void swp_sweeps_take(struct swp_worker_sweep *sweep);	 /* a job begins */
void swp_sweeps_release(struct swp_worker_sweep *sweep); /* a job is over; the sweep may be freed soon */
/* Hashes held: fills at most `max`, borrowed until the next change. */
size_t swp_sweeps_hashes(const struct swp_worker *worker, const char **hashes, size_t max);
/* The compiled-in catalogue is held from the start. */
int swp_sweeps_init(struct swp_worker *worker);
/* Frees those without jobs that have ended, or that an open link's coordinator has not named since it greeted. */
void swp_sweeps_free_ended(struct swp_worker *worker);
void swp_sweeps_free_all(struct swp_worker *worker);

#endif
