/* Inside of the caller: what its three files share. Internal to proto/io.
 * caller.c: queues, states, deadlines. caller-send.c: URL, headers, signature. caller-answer.c: what an HTTP answer means.
 */
#ifndef SWP_IO_CALLER_CALL_H
#define SWP_IO_CALLER_CALL_H

#include "proto/base/map.h"
#include "proto/io/caller.h"

enum swp_call_state {
	SWP_CALL_LIMITED, /* in its scope's queue, for the limiter */
	SWP_CALL_WAITING, /* in the caller's queue, for a place */
	SWP_CALL_SENDING,
	SWP_CALL_PAUSING, /* before the next try */
	SWP_CALL_FAILING, /* its failure is told in the next round */
};

struct swp_running_call {
	struct swp_caller *caller;
	struct swp_call *call;
	/* as asked for; borrowed until done */
	const struct swp_aws_operation *operation;
	const struct swp_caller_identity *identity;
	struct swp_call_scope *scope; /* own_scope if none was given */
	const struct swp_gone_rule *gone;
	size_t gone_count;
	int64_t wanted_ms; /* for the whole call */
	bool secret;

	enum swp_call_state state;
	struct swp_running_call *next, *previous; /* of all calls of the caller */
	struct swp_running_call *queue_next;	  /* in the queue that its state names */
	struct swp_timer timer;
	struct swp_http_exchange exchange;
	struct swp_call_scope own_scope;
	struct swp_endpoint endpoint;
	struct swp_aws_request request;
	struct swp_signature signature;
	struct swp_buf host, path, url, target;
	char invocation_id[37];
	struct swp_retry retry;
	int64_t deadline_ms; /* monotonic; 0 until the first request may be sent */
	unsigned unparsable;
	int64_t signed_ms; /* wall time as its host was believed to see it when the request was signed */
	unsigned skew_corrections;
	bool timed_out;
	int64_t hint_ms;	  /* the server's wish for the next wait, -1 none */
	int64_t limited_since_ms; /* monotonic, while it waits for the limiter; 0: it does not */

	struct swp_answer answer; /* the last try's */
	struct swp_aws_error error;
	char request_id[128];
	struct swp_buf message;
};

/* A host's clock, and whether its name could be resolved. */
struct swp_known_host {
	int64_t offset_ms;	    /* to be added to our wall time */
	bool offset_known;	    /* the host has told its time */
	int64_t not_found_until_ms; /* monotonic; 0: it was found, or nobody asked */
};

struct swp_derived_key {
	struct swp_signing_key key;
	unsigned char secret_hash[SWP_SHA256_BYTES];
};
#define SWP_CALLER_DERIVED_KEYS 64 /* of the coordinator: services × regions × days; the oldest goes first */

enum { SWP_CALLER_ID_BYTES = 16 };

struct swp_caller {
	struct swp_http_client *http;
	struct swp_loop *loop;
	const struct swp_clock *clock;
	const struct swp_partition *partition;
	const struct swp_endpoint_options *endpoints;
	unsigned max_in_flight;
	unsigned places;	      /* of these so far, see places_grow */
	unsigned answers_until_place; /* answers since the last one was added */
	struct swp_running_call *calls, *pool;
	struct swp_running_call *waiting_first, *waiting_last;
	int64_t clock_offset_ms; /* as the last host told whose clock differed */
	struct swp_map *hosts;	 /* struct swp_known_host; only hosts that there is something to know about */
	struct swp_derived_key derived[SWP_CALLER_DERIVED_KEYS];
	unsigned derived_count;
	unsigned char random[64 * SWP_CALLER_ID_BYTES]; /* for invocation ids */
	size_t random_left;
	struct swp_caller_statistics statistics;
};

/* --- caller-send.c --- */

/* Host, path, URL and target of the call, from its endpoint and request. -ENOMEM, -E2BIG. */
int swp_call_address(struct swp_running_call *running);
/* Signs and starts the request. 0; -ENOMEM, -EINVAL, -EIO; SWP_CALL_NO_KEY when no key fits the day. */
enum { SWP_CALL_NO_KEY = 1 };
int swp_call_send(struct swp_running_call *running, int64_t timeout_ms,
	void (*done)(struct swp_http_exchange *exchange, const struct swp_http_response *response));
/* NULL when nothing is known; `make` adds a row then (NULL: out of memory). */
struct swp_known_host *swp_caller_host(struct swp_caller *caller, const char *host, bool make);
/* Wall time as that call's host sees it. */
int64_t swp_call_wall_ms(const struct swp_running_call *running);

/* --- caller-answer.c --- */

enum swp_call_next {
	SWP_CALL_NEXT_FINISH,
	SWP_CALL_NEXT_RETRY,  /* answer.outcome is THROTTLED or TRANSIENT */
	SWP_CALL_NEXT_RESIGN, /* the host's clock is known now */
};
/* Fills running->answer. */
enum swp_call_next swp_call_judge(struct swp_running_call *running, const struct swp_http_response *response);
/* Fills running->answer with a failure of ours; `code` is a literal. */
void swp_call_fail(struct swp_running_call *running, enum swp_outcome outcome, enum swp_reason reason,
	const char *code, const char *message);

#endif
