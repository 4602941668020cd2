/* HTTPS by libcurl multi (socket_action on our loop). One client a program; connections are kept alive and shared by
 * all accounts, since they are keyed by host. It neither retries nor interprets: it tells what came back.
 * Facts behind the settings: CAPATH off (else each connection parses all CA files), HTTP/1.1 only, no redirects,
 * MAXCONNECTS above the working set, no queueing inside libcurl (admission is ours).
 */
#ifndef SWP_IO_HTTP_H
#define SWP_IO_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/buf.h"
#include "proto/base/error.h"
#include "proto/io/loop.h"

struct swp_http_client; /* opaque */

struct swp_http_options {
	const char *ca_file;	  /* AWS_CA_BUNDLE; NULL: the system's bundle */
	const char *https_proxy;  /* NULL: none. http://[user:password@]host:port */
	const char *no_proxy;	  /* comma-separated, as NO_PROXY */
	const char *user_agent;	  /* "orgsweep/VERSION" */
	unsigned max_connections; /* cache of idle and busy connections; 0: 2 × SWP_LIMIT_CALLS_IN_FLIGHT */
};

/* NULL on failure, `problem` tells (unreadable CA file names the file and the fix; a proxy that is none is not quoted, as it
 * may hold a password). Options are copied. Raises the soft limit
 * of open descriptors to what the connections need, if the hard limit allows it. */
struct swp_http_client *swp_http_client_new(
	struct swp_loop *loop, const struct swp_http_options *options, struct swp_problem *problem);
/* Cancels what runs without call-backs. Takes NULL. */
void swp_http_client_free(struct swp_http_client *client);
/* Closes all kept connections and frees what calls leave for the next ones (handles, buffers, TLS sessions, name cache): some 50 KiB
 * for each connection. The next call connects anew. Does nothing while an exchange runs, or when out of memory. */
void swp_http_rest(struct swp_http_client *client);

struct swp_http_header {
	const char *name;
	const char *value;
};

struct swp_http_request {
	const char *method; /* "GET", "POST", "PUT" */
	const char *url;    /* as signed; libcurl's path-as-is is on */
	const struct swp_http_header *headers;
	size_t header_count;
	const char *body;
	size_t body_length;
	int64_t timeout_ms;	     /* whole attempt; 0: SWP_LIMIT_ATTEMPT_MS */
	int64_t connect_timeout_ms;  /* 0: SWP_LIMIT_CONNECT_MS */
	size_t response_limit_bytes; /* 0: SWP_LIMIT_RESPONSE_BYTES */
	bool direct;		     /* never through a proxy (IMDS, container addresses) */
	bool secret;		     /* request and response hold secrets: buffers are wiped */
};

/* How an exchange ended below HTTP. */
enum swp_http_failure {
	SWP_HTTP_OK,	  /* an answer came; `status` counts */
	SWP_HTTP_RESOLVE, /* host not found */
	SWP_HTTP_CONNECT, /* refused, unreachable, or not connected within connect_timeout_ms */
	SWP_HTTP_TLS,
	SWP_HTTP_RESET,	    /* sent or received in part, closed, empty reply */
	SWP_HTTP_TRUNCATED, /* fewer bytes than Content-Length, broken chunking, or no HTTP at all */
	SWP_HTTP_PROXY, /* the proxy answered CONNECT with something else than 200 (status in proxy_status), or is not reachable */
	SWP_HTTP_TIMEOUT,
	SWP_HTTP_TOO_LARGE, /* above response_limit_bytes or SWP_LIMIT_HEADER_BYTES */
	SWP_HTTP_INTERNAL,  /* out of memory, libcurl's own */
};
const char *swp_http_failure_name(enum swp_http_failure failure);

/* Response headers that AWS uses; all others are dropped. Absent ones are "". */
struct swp_http_response {
	enum swp_http_failure failure;
	int status;
	int proxy_status;
	const char *failure_text; /* libcurl's words, neutralized; "" if none */
	const char *request_id;	  /* x-amzn-requestid, x-amzn-request-id or x-amz-request-id */
	const char *error_type;	  /* x-amzn-errortype */
	const char *content_type;
	const char *date;
	const char *retry_after;	 /* x-amz-retry-after (ms) */
	const char *retry_after_seconds; /* retry-after: seconds, or a date */
	const char *location_region;	 /* x-amz-bucket-region */
	const char *body; /* NUL-terminated behind length; borrowed until the call-back returns */
	size_t body_length;
	int64_t elapsed_ms;
};

/* Embedded in its owner. */
struct swp_http_exchange {
	void (*done)(struct swp_http_exchange *exchange, const struct swp_http_response *response);
	void *internal; /* NULL while idle */
};

/* Starts; everything in `request` is copied. `done` is called exactly once, later, unless cancelled; it may start and cancel
 * exchanges (this one too) but not free the client. A header with an empty value is sent empty; at most 24 headers.
 * 0, -ENOMEM, -EINVAL (bad URL or header: CR, LF or NUL in it). */
int swp_http_start(struct swp_http_client *client, const struct swp_http_request *request,
	struct swp_http_exchange *exchange,
	void (*done)(struct swp_http_exchange *exchange, const struct swp_http_response *response));
/* No call-back any more; takes idle ones. */
void swp_http_cancel(struct swp_http_exchange *exchange);

/* Does the host name exist in DNS? Used for `not-offered`, on plain names only and never through a proxy.
 * `exists`: 1 yes, 0 the resolver says no such name, -1 could not tell. Runs on a short-lived thread of the resolver,
 * at most 8 at once; the answer comes in the loop. */
struct swp_http_lookup {
	void (*done)(struct swp_http_lookup *lookup, int exists);
	void *internal;
};
int swp_http_lookup_start(struct swp_http_client *client, const char *host, struct swp_http_lookup *lookup,
	void (*done)(struct swp_http_lookup *lookup, int exists));
void swp_http_lookup_cancel(struct swp_http_lookup *lookup);
bool swp_http_uses_proxy(const struct swp_http_client *client, const char *host);

struct swp_http_statistics {
	uint64_t exchanges, connections, reused, bytes_received;
	uint64_t handshakes; /* of TLS that were finished */
	unsigned in_flight;
};
void swp_http_statistics_get(
	const struct swp_http_client *client, struct swp_http_statistics *ret_statistics);

#endif
