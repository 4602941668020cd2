/* Does a host name exist? And does NO_PROXY cover it? Internal to proto/io: swp_http_lookup_* and swp_http_uses_proxy.
 * Lookups run getaddrinfo on short-lived detached threads, at most 8 at once; the others wait. A cancelled lookup leaves
 * its thread to end by itself.
 */
#ifndef SWP_IO_LOOKUP_H
#define SWP_IO_LOOKUP_H

#include <stdbool.h>

#include "proto/io/http.h"

struct swp_lookups; /* opaque */

struct swp_lookups *swp_lookups_new(struct swp_loop *loop); /* NULL on out of memory */
/* Cancels all. Takes NULL. */
void swp_lookups_free(struct swp_lookups *lookups);
/* As swp_http_lookup_start. */
int swp_lookups_start(struct swp_lookups *lookups, const char *host, struct swp_http_lookup *lookup,
	void (*done)(struct swp_http_lookup *lookup, int exists));
void swp_lookups_cancel(struct swp_http_lookup *lookup);

/* NO_PROXY's rules as curl has them: "*", names with all names below (a leading dot is ignored), addresses, CIDR blocks.
 * `host` may have a port and, for IPv6, brackets. `no_proxy` may be NULL. */
bool swp_no_proxy_covers(const char *no_proxy, const char *host);

#endif
