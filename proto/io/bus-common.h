/* What both ends of the bus share: a socket in our loop, and the options that every socket gets. Only for proto/io/bus*.c.
 */
#ifndef SWP_IO_BUS_COMMON_H
#define SWP_IO_BUS_COMMON_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/error.h"
#include "proto/io/bus.h"
#include "proto/io/loop.h"

/* Messages taken from one socket before the loop gets its turn again. */
#define SWP_BUS_DRAIN_MESSAGES 256

#define SWP_BUS_HANDSHAKE_MS 10000 /* from the acceptance of a connection */

/* A ZeroMQ socket whose descriptor wakes the loop. The descriptor is edge-triggered, and any send or receive may swallow
 * the edge: who touches the socket sets `look`, and the owner's prepare asks for its events before the loop waits. */
struct swp_bus_socket {
	void *socket; /* owned; NULL while closed */
	struct swp_watch watch;
	bool look;
};

/* Opens and watches. 0 or a negative errno. */
int swp_bus_socket_open(struct swp_bus_socket *socket, void *context, int type, struct swp_loop *loop);
/* Takes closed and zeroed ones. */
void swp_bus_socket_close(struct swp_bus_socket *socket);
/* True when there is something to receive; clears `look` otherwise. */
bool swp_bus_socket_readable(struct swp_bus_socket *socket);

/* Options of both ends (ceilings, heartbeats, back-off, linger) and the own CURVE keys. Negative errno; `problem` tells. */
int swp_bus_socket_prepare(
	struct swp_bus_socket *socket, const struct swp_bus_keys *keys, struct swp_problem *problem);
int swp_bus_set_number(struct swp_bus_socket *socket, int option, int value);
/* Watches the events of `socket` (a mask of ZMQ_EVENT_…). At most one monitor a context: the name is always the same. */
int swp_bus_monitor_open(struct swp_bus_socket *monitor, void *context, const struct swp_bus_socket *socket,
	struct swp_loop *loop, int events);
/* Takes one that was not opened. Before its socket is closed. */
void swp_bus_monitor_close(struct swp_bus_socket *monitor, const struct swp_bus_socket *socket);
/* One event and its value. False: there is none. */
bool swp_bus_monitor_receive(struct swp_bus_socket *monitor, uint16_t *ret_event, uint32_t *ret_value);
/* One frame, never waiting. 0, or a negative errno of zmq_msg_send. */
int swp_bus_send_frame(struct swp_bus_socket *socket, const void *bytes, size_t length, bool more);
/* Ends a context; waits at most the linger time for what is still to be sent. */
void swp_bus_context_free(void *context);

#endif
