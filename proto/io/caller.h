/* One AWS call with everything that belongs to it: endpoint, signature, attempts, retry quota, rate limiter, clock skew,
 * deadlines, classification. Used by the worker for collecting and by the coordinator for STS and Organizations.
 * Paging and renewal of credentials are the user's: it gets one answer a call.
 */
#ifndef SWP_IO_CALLER_H
#define SWP_IO_CALLER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/aws/dialect.h"
#include "proto/aws/endpoint.h"
#include "proto/aws/operation.h"
#include "proto/aws/outcome.h"
#include "proto/aws/retry.h"
#include "proto/aws/sigv4.h"
#include "proto/io/http.h"

struct swp_caller; /* opaque */

struct swp_caller_options {
	struct swp_http_client *http;		      /* borrowed for life */
	struct swp_loop *loop;			      /* borrowed for life */
	const struct swp_partition *partition;	      /* may be set later */
	const struct swp_endpoint_options *endpoints; /* borrowed for life */
	unsigned
		max_in_flight; /* 0: SWP_LIMIT_CALLS_IN_FLIGHT; more calls wait their turn, first come first served */
};
/* NULL on out of memory. */
struct swp_caller *swp_caller_new(const struct swp_caller_options *options);
/* Cancels what runs, without call-backs. Takes NULL. To be freed before its HTTP client and the scopes of its calls. */
void swp_caller_free(struct swp_caller *caller);
void swp_caller_set_partition(struct swp_caller *caller, const struct swp_partition *partition);

/* Who signs. Either derived keys (workers) or the secret itself (the coordinator; keys are derived and cached inside). */
struct swp_caller_identity {
	const char *access_key_id;
	const struct swp_secret *session_token; /* may be unset */
	/* Derived keys for day × service of this region; may be NULL. Where none is of today, the nearest day's signs, at its
	 * edge: a clock that runs some minutes before or behind the deriver's, or that AWS has yet to correct. */
	const struct swp_signing_key *keys;
	size_t key_count;
	const struct swp_secret *secret_access_key; /* NULL in workers */
	bool anonymous;				    /* AssumeRoleWithWebIdentity is not signed */
};

/* The scope of a limiter and a retry quota: account × region × service. Embedded by its owner or looked up by it, zeroed
 * before the first use; it must stay where it is while a call of it runs. */
struct swp_running_call;
struct swp_call_scope {
	struct swp_limiter limiter;
	struct swp_retry_quota quota;
	bool ready;	/* set at first use */
	uint64_t waits; /* calls that had to wait for the limiter */
	struct swp_running_call *queue_first,
		*queue_last; /* internal: calls that wait for the limiter, first come first served */
};

struct swp_answer {
	enum swp_outcome
		outcome; /* OK, NOT_FOUND, REFUSED, EXPIRED, CREDENTIALS_UNKNOWN, NOT_IN_USE, FAILED, and THROTTLED / TRANSIENT when all tries are used up */
	enum swp_reason reason; /* for everything but OK and NOT_FOUND (there: NONE) */
	json_t *document;	/* OK: new reference that the call-back may take (set to NULL) ; else NULL */
	int status;
	const char *
		error_code; /* "" none (who answered was not AWS). Ours: "ConnectionError", "TLSError", "ResolverError", "ProxyError",
	                             * "TruncatedResponse", "Timeout", "ResponseTooLarge", "DocumentTooDeep", "MalformedResponse",
	                             * "MissingMember", "NoSuchEndpoint", "NoSigningKey" (as EXPIRED), "ClientError", "OutOfMemory" */
	const char *message;	   /* AWS's or ours; neutralized by who prints it */
	const char *request_id;	   /* of the last try */
	bool host_not_found;	   /* the plain host name does not exist: not-offered may be looked at */
	unsigned tries, throttled; /* tries made; of them throttled */
};

struct swp_call {
	void (*done)(struct swp_call *call,
		struct swp_answer *answer); /* answer and its texts are borrowed until return */
	void *internal;			    /* NULL while idle */
};

struct swp_call_request {
	const struct swp_aws_operation *operation;  /* borrowed until done */
	const json_t *input;			    /* borrowed until done; NULL: none */
	const char *token;			    /* copied; page token; NULL: first page */
	const char *region;			    /* cell's region or "global"; copied */
	const struct swp_caller_identity *identity; /* borrowed until done */
	struct swp_call_scope *scope;		    /* borrowed until done; NULL: no limiter, private quota */
	int64_t deadline_ms; /* for the whole call with its retries, from when its first request may be sent (waiting
	                                            * for the limiter or a place before that is not counted); 0: SWP_LIMIT_CALL_MS */
	const struct swp_gone_rule *gone; /* borrowed until done */
	size_t gone_count;
	bool secret; /* the answer holds secrets (STS) */
};

/* Starts; `done` exactly once, later, unless cancelled. `done` may start or cancel calls (this one too) but not free the caller.
 * 0; -ENOMEM; -EINVAL (input lacks a URI label, no partition is set, no such region name); -E2BIG (input above a ceiling). */
int swp_call_start(struct swp_caller *caller, const struct swp_call_request *request, struct swp_call *call,
	void (*done)(struct swp_call *call, struct swp_answer *answer));
void swp_call_cancel(struct swp_call *call); /* takes idle ones */

struct swp_caller_statistics {
	uint64_t calls; /* HTTP requests sent, retries included */
	uint64_t retried, throttled, limiter_waits;
	uint64_t limiter_wait_ms; /* of the waits that are over */
	unsigned in_flight, waiting;
};
/* AWS's clock minus ours, as the last host told that did not believe ours; 0 while none complained. Takes NULL. */
int64_t swp_caller_clock_offset_ms(const struct swp_caller *caller);
void swp_caller_statistics_get(const struct swp_caller *caller, struct swp_caller_statistics *ret_statistics);

#endif
