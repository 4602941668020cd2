/* The key space of orgsweep in Redis: one row a kind of key (keys.c), from which keys are built and docs/store.md is held
 * to account. Ids are checked before they become part of a key. No I/O.
 */
#ifndef SWP_RECORD_KEYS_H
#define SWP_RECORD_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#define SWP_KEY_BYTES 256

enum swp_key {
	SWP_KEY_INDEX,	     /* swp:index */
	SWP_KEY_CATALOGUE,   /* swp:catalogue:SHA256          first = hash */
	SWP_KEY_SWEEP,	     /* swp:SWEEP:sweep */
	SWP_KEY_ACCOUNTS,    /* swp:SWEEP:accounts */
	SWP_KEY_GAPS,	     /* swp:SWEEP:gaps */
	SWP_KEY_JOB,	     /* swp:SWEEP:job:ACCOUNT:REGION  first = account, second = region part */
	SWP_KEY_JOINED,	     /* swp:SWEEP:joined:ACCOUNT      first = account */
	SWP_KEY_CHAINS,	     /* swp:SWEEP:chains:ACCOUNT      first = account */
	SWP_KEY_CHAINS_OVER, /* swp:SWEEP:chains-over */
	SWP_KEY_PARTITION,   /* swp:SWEEP:partition:NUMBER    first = "0" … "255" */
	SWP_KEY_LOCK,	     /* swp:lock:ACCOUNT:REGION       first = account, second = region part */
	SWP_KEY_LEADER,	     /* swp:leader */
	SWP_KEY_DRAINS,	     /* swp:drains */
	SWP_KEY_WORKERS,     /* swp:workers */
	SWP_KEY_SCHEDULES,   /* swp:schedules */
	SWP_KEY_LIMITS,	     /* swp:limits */
	SWP_KEY_COUNT,
};
struct swp_key_row {
	const char *pattern;   /* "swp:SWEEP:job:ACCOUNT:REGION": capitals are replaced */
	const char *type;      /* Redis type: "hash" */
	const char *holds;     /* one line for docs/store.md */
	const char *retention; /* when it goes */
};
const struct swp_key_row *swp_key_row(enum swp_key key);

/* Builds a key. `sweep`, `first`, `second` are used as the pattern wants, else ignored (NULL then).
 * 0; -EINVAL when a part is missing, empty, or has characters other than A-Z a-z 0-9 . _ - ; -E2BIG. */
int swp_key_format(enum swp_key key, const char *sweep, const char *first, const char *second,
	char ret_key[static SWP_KEY_BYTES]);
/* The lock of the place that a job's key names. 0; -EINVAL: it is no job's key. */
int swp_key_lock_of(const char *job_key, char ret_key[static SWP_KEY_BYTES]);
/* A sweep id: 1 to 64 of A-Z a-z 0-9 . _ - ; "index", "catalogue" and the like, which are keys of their own, are not ids. */
bool swp_key_is_sweep_id(const char *text);
/* MATCH pattern of SCAN for everything of one sweep: "swp:SWEEP:*". As swp_key_format. */
int swp_key_sweep_pattern(const char *sweep, char ret_pattern[static SWP_KEY_BYTES]);

/* Region part of a job's key. */
#define SWP_JOB_GLOBAL "global"		    /* the account's global job */
#define SWP_JOB_ORGANIZATION "organization" /* the sweep's organization job (management account) */

/* Fields of a job's hash. Written by scripts (scripts.h) only; readers read. */
#define SWP_JOB_FIELD_EPOCH "e"	    /* granted epoch, decimal */
#define SWP_JOB_FIELD_ATTEMPTS "a"  /* grants that count as attempts */
#define SWP_JOB_FIELD_WORKER "w"    /* who holds or held it */
#define SWP_JOB_FIELD_PART "p"	    /* p0, p1 …: parts (record.h) */
#define SWP_JOB_FIELD_SEAL "s"	    /* the seal (record.h): present = sealed */
#define SWP_JOB_FIELD_SEALED_AT "t" /* ms since 1970, Redis' TIME, decimal */
#define SWP_JOB_FIELD_LOST "l"	    /* present = no more attempts; says why: worker-lost or store-lost */

/* Fields of a sweep's hash; texts. */
#define SWP_SWEEP_FIELD_VERSION "version"	  /* SWP_RECORD_VERSION of its records */
#define SWP_SWEEP_FIELD_STATE "state"		  /* running | finished */
#define SWP_SWEEP_FIELD_STATUS "status"		  /* complete | partial | cancelled; absent until known */
#define SWP_SWEEP_FIELD_ENUMERATION "enumeration" /* complete | incomplete; absent while it goes on */
#define SWP_SWEEP_FIELD_STARTED_AT "started_at_ms"
#define SWP_SWEEP_FIELD_ENDED_AT "ended_at_ms"
#define SWP_SWEEP_FIELD_CANCELLED_AT "cancelled_at_ms"
#define SWP_SWEEP_FIELD_PARTITION "partition"
#define SWP_SWEEP_FIELD_ORGANIZATION "organization_id"
#define SWP_SWEEP_FIELD_MANAGEMENT_ACCOUNT "management_account"
#define SWP_SWEEP_FIELD_CALLER_ARN "caller_arn"
#define SWP_SWEEP_FIELD_CALLER_ACCOUNT "caller_account"
#define SWP_SWEEP_FIELD_CATALOGUE "catalogue"	      /* SHA-256 */
#define SWP_SWEEP_FIELD_SELECTION "selection"	      /* check ids, comma-separated */
#define SWP_SWEEP_FIELD_REGIONS_ASKED "regions_asked" /* comma-separated; "" all */
#define SWP_SWEEP_FIELD_FILTERS "filters"	      /* JSON */
#define SWP_SWEEP_FIELD_ENDPOINTS "endpoints"	      /* JSON object for the report */
#define SWP_SWEEP_FIELD_NAME "name"		      /* of a scheduled sweep; "" else */
#define SWP_SWEEP_FIELD_NOT_EVALUATED                                                                        \
	"not_evaluated:" /* and a chain's id: why it was given up, e.g. at a ceiling */
#define SWP_SWEEP_FIELD_OWN_CALLS                                                                            \
	"own_calls" /* the coordinator's calls to AWS so far: "all retried throttled" */
#define SWP_SWEEP_FIELD_PLANNED_JOBS "planned_jobs" /* so far; told every few seconds, and at the end */
#define SWP_SWEEP_FIELD_DONE_JOBS "done_jobs"
#define SWP_SWEEP_FIELD_ACCOUNTS                                                                             \
	"accounts" /* "term rows planned": rows of accounts so far, and those of them that are planned; exact if the term is the sweep's, else not known */
/* Who owns the sweep (also the fields of the leader's row); written by take-over and renew. */
#define SWP_OWNER_FIELD_TERM "term"   /* whoever writes must name it */
#define SWP_OWNER_FIELD_OWNER "owner" /* machine, process, moment: see proto/io/owner.h */
#define SWP_OWNER_FIELD_HOST "host"
#define SWP_OWNER_FIELD_UNTIL "until"		    /* ms since 1970, Redis' TIME: end of the lease */
#define SWP_OWNER_FIELD_SINCE "since"		    /* when the owner changed last */
#define SWP_SWEEP_FIELD_CANCEL_ASKED "cancel_asked" /* by whom; the owner sees it when it renews */
#define SWP_SWEEP_FIELD_RETENTION "retention"	    /* how many sweeps of that name are kept */

#endif
