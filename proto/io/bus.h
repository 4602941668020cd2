/* Messages between coordinator and workers over ZeroMQ: ROUTER and DEALER, always with CURVE, always with ZAP.
 * A peer is its CURVE key (ZAP's User-Id), not the name it tells. libzmq fails open without a ZAP handler, so the handler
 * is bound before the ROUTER, served by the same loop, and a message without a User-Id is dropped and counted.
 * One message is one frame of at most SWP_LIMIT_WIRE_BYTES, from workers SWP_LIMIT_WIRE_UP_BYTES; what is in it is proto/wire's business.
 */
#ifndef SWP_IO_BUS_H
#define SWP_IO_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/error.h"
#include "proto/base/secret.h"
#include "proto/io/loop.h"

#define SWP_BUS_KEY_TEXT_BYTES 41 /* Z85 text of a CURVE key and its NUL */

struct swp_bus_keys {
	char public_key[SWP_BUS_KEY_TEXT_BYTES];
	struct swp_secret secret_key; /* Z85 text */
};
/* Fresh random pair. -EIO when libsodium fails, -ENOMEM. */
int swp_bus_keys_make(struct swp_bus_keys *ret_keys);
void swp_bus_keys_done(struct swp_bus_keys *keys);

/* Asked by ZAP for each handshake (and never again for that connection): who has that public key (Z85), NULL or "" to refuse.
 * The text is borrowed until the next call; at most 255 bytes. It must not free the server. */
typedef const char *(*swp_bus_allow)(const char *public_key, void *context);

/* --- server (coordinator) --- */
struct swp_bus_server;
/* A peer is one live connection's routing id together with its user; the number is never used again. At most
 * SWP_LIMIT_WORKERS are known at once: a further one takes the place of the one that was silent longest. */
typedef uint64_t swp_bus_peer;

/* What comes to a listener and is no peer, or none any more. Who has the wrong key is told by `allow`. */
enum swp_bus_stranger {
	SWP_BUS_STRANGER_HANDSHAKE,   /* no ZeroMQ, no CURVE, not with our key, an old recording, too large */
	SWP_BUS_STRANGER_HALF_OPEN,   /* said nothing that was let in for as long as it may */
	SWP_BUS_STRANGER_TURNED_AWAY, /* the oldest of more than SWP_LIMIT_UNHEARD such */
	SWP_BUS_STRANGER_BROKE_OFF, /* a peer's connection ended and not by us: it went away, or sent what ZeroMQ refuses */
};

struct swp_bus_server_events {
	/* `user` and `bytes` are borrowed until return. `user` is what `allow` gave for that key. May free the server. */
	void (*received)(
		void *context, swp_bus_peer peer, const char *user, const void *bytes, size_t length);
	swp_bus_allow allow;
	/* A peer sent what is no message: several frames, or more than SWP_LIMIT_WIRE_UP_BYTES. May be NULL. */
	void (*broken)(void *context, swp_bus_peer peer, const char *user);
	/* Somebody was not let in, or a peer's connection broke off: `user` then tells whose, if it is known, else NULL.
	 * `address` is "IP:PORT", "pid N" or "" when it is not known. May be NULL. None of these may free the server. */
	void (*stranger)(void *context, enum swp_bus_stranger what, const char *address, const char *user);
	void *context;
};
/* Binds `endpoint` ("ipc:///path", socket file 0600, "tcp://HOST:PORT", PORT * or 0 = any). `keys` are copied. NULL: `problem` tells. */
struct swp_bus_server *swp_bus_server_new(struct swp_loop *loop, const char *endpoint,
	const struct swp_bus_keys *keys, const struct swp_bus_server_events *events,
	struct swp_problem *problem);
/* Waits up to 200 ms for what is queued to go out. Takes NULL. */
void swp_bus_server_free(struct swp_bus_server *server);
/* The endpoint as bound (real port). Borrowed. */
const char *swp_bus_server_endpoint(const struct swp_bus_server *server);
/* 0; -EHOSTUNREACH the peer is gone (its number stays gone); -EAGAIN its queue is full (caller keeps the message); -EMSGSIZE
 * above SWP_LIMIT_WIRE_BYTES; -ENOMEM. Copies. 0 means queued, not received. */
int swp_bus_server_send(struct swp_bus_server *server, swp_bus_peer peer, const void *bytes, size_t length);
/* Forgets a peer (its number gives -EHOSTUNREACH from now on); the end of its connection is no news then. */
void swp_bus_server_forget(struct swp_bus_server *server, swp_bus_peer peer);
/* Forgets it, and ends its connection: what of its messages is here already is dropped, what waits for it is not sent. */
void swp_bus_server_cut(struct swp_bus_server *server, swp_bus_peer peer);
struct swp_bus_statistics {
	uint64_t received, sent, handshakes_refused, dropped_without_user;
	uint64_t
		dropped_too_large; /* just above the ceiling; what is further above ends its sender's connection */
	uint64_t dropped_malformed; /* not exactly one frame */
	uint64_t dropped_no_memory;
	uint64_t dropped_cut;					       /* of connections that we have ended */
	uint64_t handshakes_broken, half_open, turned_away, broke_off; /* see enum swp_bus_stranger */
	uint64_t connections, unheard; /* now: all, and those without a message yet */
};
void swp_bus_server_statistics(
	const struct swp_bus_server *server, struct swp_bus_statistics *ret_statistics);

/* --- client (worker) --- */
struct swp_bus_client;
struct swp_bus_client_events {
	/* `bytes` is borrowed until return. Either call-back may free the client. */
	void (*received)(void *context, const void *bytes, size_t length);
	/* A connection was made, the first or another one: what was under way on the one before need not have arrived, and a new process
	 * may be at its other end. NULL: is not told. May free the client. */
	void (*connected)(void *context);
	/* The server refused our key, or three handshakes in a row broke off (said once, and again after a success in
	 * between): wrong --key or --server-key. `why` says what to do. Connecting goes on by itself. */
	void (*refused)(void *context, const char *why);
	void *context;
};
/* Connects, and again whenever the connection is lost (100 ms to 10 s between two tries); each process start uses a fresh random routing id. NULL: `problem` tells. */
struct swp_bus_client *swp_bus_client_new(struct swp_loop *loop, const char *endpoint,
	const struct swp_bus_keys *own, const char *server_public_key,
	const struct swp_bus_client_events *events, struct swp_problem *problem);
/* Waits up to 200 ms for what is queued to go out. Takes NULL. */
void swp_bus_client_free(struct swp_bus_client *client);
/* 0, -EAGAIN (queue full or not connected), -EMSGSIZE above SWP_LIMIT_WIRE_UP_BYTES, -ENOMEM. Copies. */
int swp_bus_client_send(struct swp_bus_client *client, const void *bytes, size_t length);

#endif
