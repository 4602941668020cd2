/* The connections of the bus's listener, one by one: who they come from, which have said something that was let in, and a way
 * to end one. libzmq has no such thing for a ROUTER; but its monitor tells the descriptor of each connection that it accepts
 * and that has ended, and each message tells the descriptor it came by (ZMQ_SRCFD). Shutting that down is for libzmq what a
 * peer's going away is: it cleans up. Only for proto/io/bus*.c.
 */
#ifndef SWP_IO_BUS_CONNECTIONS_H
#define SWP_IO_BUS_CONNECTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SWP_BUS_ADDRESS_BYTES 64

struct swp_bus_connections; /* opaque */

enum swp_bus_ending {
	SWP_BUS_ENDING_TOLD,	  /* by us, or after a refusal: it was told before; or not known */
	SWP_BUS_ENDING_UNHEARD,	  /* before it brought a message, by itself or for what it sent */
	SWP_BUS_ENDING_HALF_OPEN, /* the same, after the time that a handshake may take */
	SWP_BUS_ENDING_HEARD,
};

/* `endpoint` as bound: connections of other listeners are never touched. NULL on -ENOMEM. */
struct swp_bus_connections *swp_bus_connections_new(const char *endpoint);
void swp_bus_connections_free(struct swp_bus_connections *connections); /* takes NULL */

/* One was accepted; `order` is a number above all before. -ENOMEM: it is not known then. */
int swp_bus_connections_accepted(
	struct swp_bus_connections *connections, int fd, uint64_t order, int64_t now_ms);
/* One has ended. Its address goes to ret_address ("": not known), its serial to ret_serial (0: unheard). */
enum swp_bus_ending swp_bus_connections_ended(struct swp_bus_connections *connections, int fd, int64_t now_ms,
	char ret_address[static SWP_BUS_ADDRESS_BYTES], uint64_t *ret_serial);
/* A message came by it whose handshake was let in as number `serial`, taken from the same count as `order`: so that what
 * came by an earlier connection with that descriptor is not taken for this one's. */
void swp_bus_connections_heard(struct swp_bus_connections *connections, int fd, uint64_t serial);
/* Its key was refused (`zap`: its address as ZAP tells it): its end is no news. Of several unheard ones of that address the newest. */
void swp_bus_connections_refused(struct swp_bus_connections *connections, const char *zap, size_t length);
/* The end of that one is no news, unless it is heard again. */
void swp_bus_connections_told(struct swp_bus_connections *connections, int fd, uint64_t serial);
/* Ends the one that was let in under that number, if it still is what it was. */
void swp_bus_connections_cut(struct swp_bus_connections *connections, int fd, uint64_t serial);
/* Ends the oldest unheard one if there are more than `most`, or if it has been so for `patience_ms`. False: there is none. */
bool swp_bus_connections_cut_unheard(struct swp_bus_connections *connections, size_t most,
	int64_t patience_ms, int64_t now_ms, char ret_address[static SWP_BUS_ADDRESS_BYTES]);
size_t swp_bus_connections_unheard(const struct swp_bus_connections *connections);
size_t swp_bus_connections_count(const struct swp_bus_connections *connections);

#endif
