/* A byte stream to Redis: unix socket, TCP, or TLS over TCP; non-blocking from the resolver to the last byte. It neither
 * retries nor understands what it carries. Only for proto/io/store*.c.
 */
#ifndef SWP_IO_STORE_TRANSPORT_H
#define SWP_IO_STORE_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "proto/base/error.h"
#include "proto/io/loop.h"
#include "proto/io/store.h"

struct swp_store_transport; /* opaque */

/* All are called from the loop; any may close or free the transport. */
struct swp_store_transport_events {
	void (*opened)(void *context);
	void (*ready)(void *context); /* something can be read, or written again */
	/* Could not be opened; it is closed by then. `untrusted`: the peer's certificate is the cause. */
	void (*failed)(void *context, bool untrusted, const char *why);
	void *context;
};

/* `options` are borrowed for life: scheme and TLS files are theirs, and the path of a unix socket. NULL: `problem` tells. */
struct swp_store_transport *swp_store_transport_new(struct swp_loop *loop,
	const struct swp_store_options *options, const struct swp_store_transport_events *events,
	struct swp_problem *problem);
void swp_store_transport_free(struct swp_store_transport *transport);
/* Starts to open (must be closed) a connection to `host` (copied; not looked at for a unix socket); `opened` or `failed` comes later, at the
 * latest after SWP_LIMIT_CONNECT_MS. A negative errno when that is clear at once: closed again, no call-back. */
int swp_store_transport_open(struct swp_store_transport *transport, const struct swp_store_host *host);
void swp_store_transport_close(struct swp_store_transport *transport);
/* Words for a negative errno of open, read or write. Borrowed until the next call. */
const char *swp_store_transport_why(const struct swp_store_transport *transport, int error);
/* Bytes, 0 at the end of the stream, -EAGAIN, or another negative errno: the connection is dead. */
ssize_t swp_store_transport_read(struct swp_store_transport *transport, void *bytes, size_t size);
/* Bytes taken, -EAGAIN (then `ready` follows), or another negative errno. */
ssize_t swp_store_transport_write(struct swp_store_transport *transport, const void *bytes, size_t length);

#endif
