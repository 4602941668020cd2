/* What coordinator and worker say to each other. One message is one MessagePack map in one frame: {"v": 1, "t": "job", …}.
 * Typed structs in, bytes out, and back. No I/O. Each message is a table of members (message.c), from which encoder, decoder,
 * tests and docs/wire.md are made. Members that are unknown are skipped, members that are absent are zero / "" / empty, unless the
 * table says they are required: so neighbouring versions work together.
 *
 *   worker                                                     coordinator
 *     | -- hello {name, credits, catalogues, holds} --------------> |   each second until welcome; again after 5 s of silence
 *     | <------------------------------- welcome {heartbeat, lease} |
 *     | <-------------------- sweep {sweep, catalogue, selection …} |   before the first job of a sweep on this session
 *     | -- want-catalogue {hash} ---------------------------------> |   if it does not hold that catalogue
 *     | <--------------------------------- catalogue {hash, bytes}  |
 *     | <----------------- job {job, sweep, epoch, region, keys …}  |   never more at once than credits
 *     | -- heartbeat {jobs (job, epoch) …} -----------------------> |   each second; renews the leases of the jobs it names
 *     | <------------------------------------------------ heartbeat |   each second
 *     | -- renew {job, epoch} ------------------------------------> |   credentials end soon, or AWS said ExpiredToken
 *     | <------------------------- credentials {job, epoch, keys …} |   keys absent: they could not be had, refused says why
 *     | -- done {job, epoch, sealed, summary} --------------------> |   only after the store acknowledged the seal; a credit returns
 *     | -- give-back {job, epoch, draining} ----------------------> |   not begun or dropped; a credit returns; no attempt counted but for resources
 *     | <------------------------------------- cancel {job, epoch}  |   or {all}: dropped at once, no answer, credits return
 *     | <---------------------------------------------------- drain |   running jobs are finished, others given back, then bye
 *     | <--------------------------------------- end-sweep {sweep}  |
 *     | -- bye ---------------------------------------------------> |
 *
 * Job numbers are the coordinator's: unique in one coordinator process over all its sweeps. They should begin at a random
 * number, so that after a restart a job that a worker still holds is not taken for another one; holds tell sweep, account and
 * region beside the number for that.
 */
#ifndef SWP_WIRE_MESSAGE_H
#define SWP_WIRE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/buf.h"
#include "proto/base/region.h"
#include "proto/base/secret.h"

#define SWP_WIRE_VERSION 1

/* Versions next to ours work with it: members are only ever added, unknown ones are skipped, absent ones have defaults. So coordinators
 * and workers are upgraded in any order, one version at a time. */
static inline bool swp_wire_is_compatible(uint64_t version)
{
	return version > 0 && version <= SWP_WIRE_VERSION + 1 && version + 1 >= SWP_WIRE_VERSION;
}

enum swp_message_type {
	SWP_MESSAGE_NONE,
	/* from workers */
	SWP_MESSAGE_HELLO,
	SWP_MESSAGE_WANT_CATALOGUE,
	SWP_MESSAGE_DONE,
	SWP_MESSAGE_RENEW,
	SWP_MESSAGE_GIVE_BACK,
	SWP_MESSAGE_BYE,
	/* either way */
	SWP_MESSAGE_HEARTBEAT,
	/* from the coordinator */
	SWP_MESSAGE_WELCOME,
	SWP_MESSAGE_SWEEP,
	SWP_MESSAGE_CATALOGUE,
	SWP_MESSAGE_JOB,
	SWP_MESSAGE_CREDENTIALS,
	SWP_MESSAGE_CANCEL,
	SWP_MESSAGE_DRAIN,
	SWP_MESSAGE_END_SWEEP,
	SWP_MESSAGE_TYPE_COUNT,
};
/* "want-catalogue"; "" for NONE. */
const char *swp_message_type_name(enum swp_message_type type);
bool swp_message_from_worker(enum swp_message_type type);
bool swp_message_from_coordinator(enum swp_message_type type);

struct swp_wire_bytes {
	const void *bytes;
	size_t length;
};

struct swp_wire_hold { /* a job that a worker still works on when it greets */
	uint64_t job, epoch;
	const char *sweep, *account;
	const char *region; /* region part of the job's key: "eu-west-1", "global", "organization" */
};
struct swp_message_hello {
	uint64_t protocol;   /* SWP_WIRE_VERSION */
	const char *version; /* program version, for people */
	const char *name, *host;
	uint64_t pid;
	uint64_t credits;	       /* jobs it takes at once, those it holds included */
	bool draining;		       /* takes no new jobs */
	const char *const *catalogues; /* hashes held */
	size_t catalogue_count;
	const struct swp_wire_hold *holds;
	size_t hold_count;
};

/* How fast a service let itself be called in an account and region, where it refused for that. Kept for the next sweep. */
struct swp_wire_limit {
	const char *service;
	uint64_t millihertz; /* calls in 1,000 seconds; 0 in a DONE: what was learned before holds no more */
};

struct swp_message_want_catalogue {
	const char *hash;
};

enum swp_done_how {
	SWP_DONE_SEALED = 1,
	SWP_DONE_STALE,	    /* another epoch was granted meanwhile: nothing was written */
	SWP_DONE_DUPLICATE, /* was sealed with this epoch already (an answer of the store had been lost) */
};
struct swp_message_done {
	uint64_t job, epoch;
	uint64_t how; /* enum swp_done_how */
	/* summary, for progress and statistics; the record is what counts */
	uint64_t rows, calls, retried, throttled, vanished;
	uint64_t pass, fail, not_applicable, not_assessed, partial; /* cells */
	bool answered; /* AWS answered at least one planned call */
	uint64_t elapsed_ms;
	const struct swp_wire_limit *limits; /* learned */
	size_t limit_count;
};

struct swp_message_renew {
	uint64_t job, epoch;
};

enum swp_give_back_why {
	SWP_GIVE_BACK_DRAINING = 1,
	SWP_GIVE_BACK_STORE_AWAY,    /* the store can't be reached: no new job was begun */
	SWP_GIVE_BACK_NO_CREDIT,     /* more jobs than credits */
	SWP_GIVE_BACK_UNKNOWN_SWEEP, /* no sweep message came before it, or its catalogue can't be used */
	SWP_GIVE_BACK_CREDENTIALS,   /* too little time left in them, or no key for today */
	SWP_GIVE_BACK_RESOURCES, /* out of memory; counts as an attempt, since the job itself may be the cause */
	SWP_GIVE_BACK_CANNOT, /* its catalogue has what this worker's version does not know; the detail says what */
};
struct swp_message_give_back {
	uint64_t job, epoch;
	uint64_t why;	    /* enum swp_give_back_why */
	const char *detail; /* for the log; "" none */
};

struct swp_wire_lease {
	uint64_t job, epoch;
};
struct swp_message_heartbeat { /* from the coordinator: empty */
	const struct swp_wire_lease *jobs;
	size_t job_count;
	uint64_t calls, in_flight,
		resident_bytes; /* calls: since the worker's start; resident: the highest so far */
	uint64_t uncommitted_bytes;
	bool store_away; /* its store connection is down */
};

struct swp_message_welcome {
	uint64_t protocol; /* SWP_WIRE_VERSION; one that is not compatible: the worker leaves */
	const char *version;
	uint64_t heartbeat_ms, lease_ms;
};

struct swp_wire_endpoint {	      /* one row of swp_endpoint_options */
	const char *service, *region; /* "": all */
	const char *url;
};
struct swp_message_sweep {
	const char *sweep;
	const char *catalogue;	      /* SHA-256 of the compiled catalogue */
	const char *const *selection; /* check ids */
	size_t selection_count;
	const char *partition, *organization_id, *management_account; /* "" none */
	uint64_t started_at_ms; /* by which ages are judged, on every worker alike */
	const struct swp_wire_endpoint *endpoints;
	size_t endpoint_count;
	bool fips, dual_stack;
	uint64_t max_share_percent; /* of a service's rate that may be used; 0: the default, half */
};

struct swp_message_catalogue {
	const char *hash;
	struct swp_wire_bytes compiled;
};

/* A derived SigV4 key; same members as struct swp_signing_key (proto/aws/sigv4.h). */
struct swp_wire_signing_key {
	const char *day;       /* "20261122" */
	const char *region;    /* signing region */
	const char *service;   /* signing name */
	struct swp_secret key; /* 32 bytes */
	uint64_t
		session; /* whose key it is: 0 the first one of the credentials, else 1 + an index of `more` */
};
#define SWP_WIRE_SIGNING_KEY_BYTES 32
struct swp_wire_session {
	const char *access_key_id;
	struct swp_secret session_token;
};
struct swp_wire_credentials {
	const char *access_key_id;	 /* "": none could be had */
	struct swp_secret session_token; /* may be unset */
	int64_t expires_at_ms;		 /* wall clock, of the first that ends; 0: never */
	struct swp_wire_signing_key *
		keys; /* services of the job in its region (and the global region), sts there; today and tomorrow (UTC) */
	size_t key_count;
	/* Where one session policy can't name all actions; the keys tell whose they are. */
	struct swp_wire_session *more;
	size_t more_count;
};

struct swp_message_job {
	uint64_t job, epoch, attempt;
	const char *sweep, *account;
	const char *region;   /* cell's region: "eu-west-1", or "global" */
	uint64_t level;	      /* enum swp_level: 0 region, 1 global, 2 organization */
	uint64_t deadline_ms; /* for the whole job; 0: SWP_LIMIT_JOB_MS */
	const struct swp_wire_limit
		*limits; /* as learned by an earlier sweep; others as the catalogue says */
	size_t limit_count;
	struct swp_wire_credentials credentials;
};

struct swp_message_credentials {
	uint64_t job, epoch;
	uint64_t refused; /* enum swp_reason: why none could be had; 0: here they are */
	struct swp_wire_credentials credentials;
};

struct swp_message_cancel {
	uint64_t job, epoch;
	const char *sweep; /* with all: only jobs of that sweep; "": every job */
	bool all;
};

struct swp_message_end_sweep {
	const char *sweep;
};

/* A message. One that was decoded owns everything in it (swp_message_done); one that is built for encoding borrows. */
struct swp_message {
	enum swp_message_type type;
	union {
		struct swp_message_hello hello;
		struct swp_message_want_catalogue want_catalogue;
		struct swp_message_done done;
		struct swp_message_renew renew;
		struct swp_message_give_back give_back;
		struct swp_message_heartbeat heartbeat;
		struct swp_message_welcome welcome;
		struct swp_message_sweep sweep;
		struct swp_message_catalogue catalogue;
		struct swp_message_job job;
		struct swp_message_credentials credentials;
		struct swp_message_cancel cancel;
		struct swp_message_end_sweep end_sweep;
	};
	struct swp_region *region; /* internal: what a decoded message owns; NULL in built ones */
};

/* Appends the frame to `out` (empty, or the caller's own concern). Texts may be NULL for "". `out` must be marked secret for JOB
 * and CREDENTIALS (asserted). 0, -ENOMEM, -E2BIG (a member above its ceiling, or the frame above SWP_LIMIT_WIRE_BYTES). */
int swp_message_encode(const struct swp_message *message, struct swp_buf *out);
/* Everything is copied; secrets into struct swp_secret. 0; -EBADMSG not a message (bytes missing or left over, wrong type of a member, a
 * required member absent, text not UTF-8); -E2BIG above a ceiling; -EPROTONOSUPPORT another "v", or a "t" that is not known (to be
 * counted and dropped: a later version may say more); -ENOMEM. */
int swp_message_decode(const void *bytes, size_t length, struct swp_message *ret_message);
/* Frees what a decoded message owns and wipes its secrets; on a built one it does nothing. May be called twice. */
void swp_message_done(struct swp_message *message);

/* The tables, for tests and docs: members of a type by index; NULL behind the last. */
struct swp_message_member_row {
	const char *name; /* as on the wire */
	const char *kind; /* "text", "number", … */
	bool required;
	unsigned long ceiling; /* bytes of a text, value of a number, entries of a list */
};
bool swp_message_member(enum swp_message_type type, size_t index, struct swp_message_member_row *ret_row);

#endif
