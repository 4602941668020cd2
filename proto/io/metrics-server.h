/* A small HTTP server for whoever watches us: /metrics, /healthz, /readyz (libmicrohttpd on our loop, no thread). GET and HEAD only.
 * It is plain HTTP without a password: it tells numbers, and is to be bound where only a Prometheus comes. One answer a connection, so
 * that a slow client's whole stay can be bounded.
 *
 *   /metrics  200, what `write` appends (Prometheus text format 0.0.4)
 *   /healthz  200 "ok": the loop turns
 *   /readyz   200 "ready", or 503 and what `ready` says is missing
 */
#ifndef SWP_IO_METRICS_SERVER_H
#define SWP_IO_METRICS_SERVER_H

#include <stdint.h>

#include "proto/base/buf.h"
#include "proto/base/error.h"
#include "proto/io/loop.h"

struct swp_metrics_server; /* opaque */

/* HOST:PORT, [IPv6]:PORT, or :PORT for all addresses of the host; HOST may be a name. */
struct swp_metrics_address {
	char host[256]; /* "" all */
	uint16_t port;	/* 0: any that is free */
};
/* -EINVAL: `problem` names what is wrong. */
int swp_metrics_address_parse(
	const char *text, struct swp_metrics_address *ret_address, struct swp_problem *problem);

struct swp_metrics_server_events { /* called for each such request; neither may free the server */
	/* Appends to `out` (ceiling SWP_LIMIT_METRICS_BYTES). 0 or a negative errno: the answer is 500 then. */
	int (*write)(void *context, struct swp_buf *out);
	/* 0, or negative with what is missing in `why`. */
	int (*ready)(void *context, struct swp_problem *why);
	void *context;
};
/* Listens from now on. NULL: `problem` tells (address in use, not one of this host's, host name unknown, no right to the port). A host
 * name is resolved here and now, which may take as long as the resolver does. SIGPIPE must be ignored (swp_process_harden). */
struct swp_metrics_server *swp_metrics_server_new(struct swp_loop *loop, const char *address,
	const struct swp_metrics_server_events *events, struct swp_problem *problem);
/* Ends all connections. Takes NULL. */
void swp_metrics_server_free(struct swp_metrics_server *server);
/* As bound: "127.0.0.1:9717", "[::]:9717". Borrowed. */
const char *swp_metrics_server_address(const struct swp_metrics_server *server);

#endif
