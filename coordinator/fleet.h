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
	/* Silent for a lease's length, said bye, or speaks another version. */
	void (*gone)(void *context, uint64_t peer);
	void *context;
};

struct swp_fleet_options {
	const char *endpoint;		 /* "ipc:///path" or "tcp://HOST:PORT" */
	const struct swp_bus_keys *keys; /* borrowed for the call */
	const char *allowed_folder;	 /* NAME.pub of workers; NULL: none */
};
/* NULL: `problem` tells. */
struct swp_fleet *swp_fleet_new(struct swp_loop *loop, const struct swp_fleet_options *options,
	const struct swp_fleet_events *events, struct swp_problem *problem);
void swp_fleet_free(struct swp_fleet *fleet);		       /* takes NULL */
const char *swp_fleet_endpoint(const struct swp_fleet *fleet); /* as bound */

/* Lets a key in under that name (local workers have a fresh one each); -ENOMEM. */
int swp_fleet_allow(struct swp_fleet *fleet, const char *public_key, const char *name);
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
	uint64_t peer, calls;
	const char *name, *host, *version;
};
void swp_fleet_each(const struct swp_fleet *fleet,
	void (*visit)(void *context, const struct swp_fleet_worker *worker), void *context);
unsigned swp_fleet_count(const struct swp_fleet *fleet);
/* Calls that the workers made so far, as their heartbeats tell. */
uint64_t swp_fleet_calls(const struct swp_fleet *fleet);

#endif
