/* One job: an account and a region (or the account as a whole, or the organization), from JOB to DONE. Internal to worker/.
 *
 *   collecting   calls are made, answers are judged, full parts go to the store
 *   committing   nothing is called any more; the last parts are on their way
 *   sealing      the seal is on its way; DONE follows its acknowledgement
 */
#ifndef SWP_WORKER_JOB_H
#define SWP_WORKER_JOB_H

#include "checks/evaluation.h"
#include "proto/base/limits.h"
#include "proto/base/region.h"
#include "proto/io/caller.h"
#include "proto/wire/message.h"
#include "worker/metrics.h"
#include "worker/results.h"
#include "worker/state.h"
#include "worker/sweeps.h"

enum swp_job_state {
	SWP_JOB_COLLECTING,
	SWP_JOB_COMMITTING,
	SWP_JOB_SEALING,
};

enum swp_job_call_state {
	SWP_JOB_CALL_FREE,
	SWP_JOB_CALL_SENT,
	SWP_JOB_CALL_AWAITS_CREDENTIALS, /* AWS said expired: again when the renewal is there */
	SWP_JOB_CALL_AWAITS_PROBE,	 /* AWS knows no such credentials: is the region disabled? */
	SWP_JOB_CALL_AWAITS_LOOKUP,	 /* no such host: is the service offered there? */
};

struct swp_job_call {
	struct swp_call call;
	struct swp_job *job;
	struct swp_wanted_call wanted; /* borrowed from the evaluation until answered */
	const struct swp_service_counts *counts;
	enum swp_job_call_state state;
	bool renewed;	     /* was made again after a renewal: once is enough */
	struct swp_gap held; /* what AWS said, while it waits; texts in the job's region */
	struct swp_job_call *next_free;
};

enum swp_offered {
	SWP_OFFERED_UNKNOWN,
	SWP_OFFERED_LOOKING,
	SWP_OFFERED_NOT, /* its host does not exist, the region's STS host does */
	SWP_OFFERED_PERHAPS,
};

struct swp_job_service { /* account × region × service */
	struct swp_job_service *next;
	struct swp_job *job;
	const struct swp_aws_service *service;
	const struct swp_service_counts *counts;
	struct swp_call_scope scope;
	bool limited; /* it began with a learned rate */
	enum swp_offered offered;
	struct swp_http_lookup lookup;
};

enum swp_probe {
	SWP_PROBE_NOT_MADE,
	SWP_PROBE_RUNNING,
	SWP_PROBE_REFUSED, /* the region's STS does not know the credentials either: region-disabled */
	SWP_PROBE_OTHER,
};

struct swp_job {
	struct swp_job *next, *previous;
	struct swp_worker *worker;
	struct swp_link *link;
	struct swp_worker_sweep *sweep;
	struct swp_message message;   /* the JOB; owned */
	const char *account, *region; /* of the message */
	const char *region_part;      /* of its key */
	uint64_t number, epoch;
	char epoch_text[24], key[256];
	enum swp_job_state state;
	enum swp_job_ended how;	   /* it ends, if nothing else is said */
	struct swp_region *memory; /* what lives as long as the job */

	struct swp_evaluation *evaluation;
	struct swp_evaluation_sink sink;
	struct swp_evaluation_job described;
	struct swp_results results;
	struct swp_job_call calls[SWP_LIMIT_JOB_CALLS];
	struct swp_job_call *free_calls;
	unsigned open_calls, waiting_calls; /* waiting: of the open ones, for credentials */
	struct swp_job_service *services;

	struct swp_caller_identity
		identities[SWP_LIMIT_SESSIONS]; /* one, but where the actions fit no single session policy */
	size_t identity_count;
	struct swp_message renewed;   /* the CREDENTIALS that they live on, if any came */
	struct swp_signing_key *keys; /* owned, wiped */
	size_t key_count;
	int64_t expires_at_ms; /* wall; 0 never */
	bool renewing;
	int64_t renew_sent_ms; /* monotonic */

	enum swp_probe probe;
	struct swp_call probe_call;
	const struct swp_aws_operation *refusals_logged[16];
	unsigned refusals_logged_count;

	struct swp_timer watch;			      /* idle, deadline, renewal */
	int64_t started_ms, progress_ms, deadline_ms; /* monotonic */
	unsigned parts_open;			      /* not acknowledged */
	uint64_t made, retried, throttled;	      /* HTTP requests */
	bool answered;
	uint64_t vanished; /* once the collecting is over */
};

/* Takes the message on success. 0; -ENOMEM; -EINVAL (ids that can't be a key, a key that is none). */
int swp_job_start(struct swp_worker *worker, struct swp_link *link, struct swp_worker_sweep *sweep,
	struct swp_message *message);
/* Ends the collecting: what is unread has that reason. */
void swp_job_finish(struct swp_job *job, enum swp_reason unread);
/* At once, without a word to anybody. */
void swp_job_drop(struct swp_job *job);
void swp_job_give_back(struct swp_job *job, enum swp_give_back_why why, const char *detail);
/* CREDENTIALS came: takes the message. */
void swp_job_renewed(struct swp_job *job, struct swp_message *message);
/* Answers of the store: the script's number. */
void swp_job_part_committed(struct swp_job *job, int64_t answer);
void swp_job_sealed(struct swp_job *job, int64_t answer);
struct swp_job *swp_job_find(
	struct swp_worker *worker, const struct swp_link *link, uint64_t number, uint64_t epoch);

/* calls.c */
void swp_job_calls_init(struct swp_job *job);
/* Starts what may start; ends the collecting when nothing is left. May free the job: the caller does not touch it any more. */
void swp_job_pump(struct swp_job *job);
void swp_job_calls_cancel(struct swp_job *job);
/* Whose keys sign calls of that service. */
const struct swp_caller_identity *swp_job_identity(
	const struct swp_job *job, const struct swp_aws_service *service);
/* The credentials are there (or refused for that reason): calls that wait go on. */
void swp_job_calls_renewed(struct swp_job *job, enum swp_reason refused);
/* Asks for a renewal unless that is under way. */
void swp_job_ask_renewal(struct swp_job *job);
/* Calls that still wait for credentials are told that these have expired. */
void swp_job_calls_expire(struct swp_job *job);

#endif
