/* The workers as the coordinator sees them: one ROUTER, one session a peer, the messages of proto/wire. Who does which job is
 * dispatch.h's business; this knows who is there, speaks to them, and lets in only keys that are allowed.
 */
#ifndef SWP_COORDINATOR_FLEET_H
#define SWP_COORDINATOR_FLEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coordinator/dispatch.h"
#include "proto/base/error.h"
#include "proto/io/bus.h"
#include "proto/wire/message.h"

struct swp_fleet; /* opaque */

struct swp_fleet_events { /* texts are borrowed until return; none may free the fleet */
	/* A worker greeted, for the first time or again, has been told all plans, and may be given jobs. */
	void (*greeted)(
		void *context, uint64_t peer, const char *name, const struct swp_message_hello *hello);
	void (*heartbeat)(void *context, uint64_t peer, const struct swp_message_heartbeat *heartbeat,
		const struct swp_dispatch_hold *jobs, size_t count);
	void (*done)(void *context, uint64_t peer, const struct swp_message_done *done);
	void (*renew)(void *context, uint64_t peer, const struct swp_message_renew *renew);
	void (*given_back)(void *context, uint64_t peer, const struct swp_message_give_back *give_back);
	/* Silent for a lease's length, said bye, speaks another version, was revoked or misbehaved. */
	void (*gone)(void *context, uint64_t peer);
	void *context;
};

struct swp_fleet_options {
	const char *endpoint;		 /* "ipc:///path" or "tcp://HOST:PORT" */
	const struct swp_bus_keys *keys; /* borrowed for the call */
	const char
		*keys_folder; /* its allowed/ says who is let in (keys.h); NULL: who swp_fleet_allow names */
};
/* NULL: `problem` tells. */
struct swp_fleet *swp_fleet_new(struct swp_loop *loop, const struct swp_fleet_options *options,
	const struct swp_fleet_events *events, struct swp_problem *problem);
void swp_fleet_free(struct swp_fleet *fleet);		       /* takes NULL */
const char *swp_fleet_endpoint(const struct swp_fleet *fleet); /* as bound */

/* Reads again who is allowed: a worker whose key is gone is cut off at once (`gone` follows), a new key is let in from now
 * on. It is done by itself within a second of a change of the folder. 0; a negative errno when the folder can't be read: it is
 * logged, and all stays as it was. Without a folder nothing happens. Not from inside an event. */
int swp_fleet_reload(struct swp_fleet *fleet);

/* Who came and was not let in, or was let in and did not behave: counts since swp_fleet_new. Each has a log event (docs/wire.md). */
struct swp_fleet_strangers {
	uint64_t refused_keys; /* handshakes with a key that is not allowed */
	uint64_t
		broken_handshakes; /* no ZeroMQ, no CURVE, random bytes, an old recording, a message before the handshake */
	uint64_t half_open;   /* connections that said nothing for as long as they may */
	uint64_t turned_away; /* the oldest of more than SWP_LIMIT_UNHEARD such */
	uint64_t
		broke_off; /* connections of workers that ended without a farewell, too large a message being one cause */
	uint64_t false_names;	   /* greetings under a name that belongs to another key */
	uint64_t violations;	   /* messages that are none, or at the wrong time */
	uint64_t forgotten;	   /* peers cut off for too many of those */
	uint64_t revoked;	   /* connections cut off as their key was revoked */
	uint64_t revoked_messages; /* what still came of such */
};
struct swp_fleet_strangers swp_fleet_strangers(const struct swp_fleet *fleet);
/* The members by number: "refused_keys" (a literal), and its count; NULL and 0 behind the last. */
const char *swp_fleet_stranger_name(size_t index);
uint64_t swp_fleet_stranger_count(const struct swp_fleet_strangers *strangers, size_t index);
/* Logs these counts (event fleet.strangers), if there are any: for the end, as not each of them was logged. Takes NULL. */
void swp_fleet_tell_strangers(const struct swp_fleet *fleet);

/* Lets a key in under that name (local workers have a fresh one each); -ENOMEM. */
int swp_fleet_allow(struct swp_fleet *fleet, const char *public_key, const char *name);
/* No message of it is taken any more. Its peer is gone by swp_fleet_ended. */
void swp_fleet_disallow(struct swp_fleet *fleet, const char *public_key);
/* A local worker's process has ended: its peer is gone. */
void swp_fleet_ended(struct swp_fleet *fleet, const char *name);

/* What is swept: told to every worker that is there or comes. `plan` and `compiled` are borrowed until swp_fleet_remove_plan. -ENOMEM. */
int swp_fleet_add_plan(
	struct swp_fleet *fleet, const struct swp_message_sweep *plan, const void *compiled, size_t length);
/* The sweep has ended: workers are told. Takes the id of one that was never added. */
void swp_fleet_remove_plan(struct swp_fleet *fleet, const char *sweep);

/* Tells the plan again to a worker that says it does not know the sweep. */
void swp_fleet_repeat_plan(struct swp_fleet *fleet, uint64_t peer, const char *sweep);

/* 0; -EAGAIN: its queue is full; -EHOSTUNREACH, -ENOMEM, -E2BIG. `message` is borrowed; what is sent is wiped. */
int swp_fleet_send(struct swp_fleet *fleet, uint64_t peer, const struct swp_message *message);
/* To all that are there. */
void swp_fleet_send_all(struct swp_fleet *fleet, const struct swp_message *message);
/* The peer of a worker that greeted, by the name of its key. */
bool swp_fleet_find(const struct swp_fleet *fleet, const char *name, uint64_t *ret_peer);
const char *swp_fleet_name(const struct swp_fleet *fleet, uint64_t peer); /* "" when it is gone */
struct swp_fleet_worker { /* borrowed until the visitor returns */
	uint64_t peer;
	uint64_t calls; /* to AWS since its process began, for whomever */
	const char *name, *host, *version;
};
void swp_fleet_each(const struct swp_fleet *fleet,
	void (*visit)(void *context, const struct swp_fleet_worker *worker), void *context);
unsigned swp_fleet_count(const struct swp_fleet *fleet);

#endif
