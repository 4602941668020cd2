/* The two ends of the conversation as state machines: frames and time in, events out. They hold the rules of message.h's
 * drawing: who may say what when, heartbeats, silence. They send nothing themselves: an event says what is due, and the owner, who
 * knows the content (which jobs it holds), encodes and sends it. No I/O, no clock: now_ms is monotonic and passed in.
 */
#ifndef SWP_WIRE_SESSION_H
#define SWP_WIRE_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/limits.h"
#include "proto/wire/message.h"

#define SWP_SESSION_SILENCE_MS (5 * SWP_HEARTBEAT_MS) /* a worker takes the coordinator for lost after that */

enum swp_session_event {
	SWP_SESSION_NOTHING,
	SWP_SESSION_MESSAGE,	 /* ret_message is for the owner, who calls swp_message_done */
	SWP_SESSION_ESTABLISHED, /* worker: welcome came; coordinator: a hello came (again: the worker greeted anew; its holds are in ret_message) */
	SWP_SESSION_LOST, /* silence: worker: it goes on with its jobs and greets again; coordinator: the peer may be forgotten */
	SWP_SESSION_LEFT, /* worker: the coordinator said that it ends; as LOST, without waiting for its silence */
	SWP_SESSION_REFUSED, /* the other end speaks another protocol version; the session is over. ret_message: welcome or hello */
	SWP_SESSION_GREET,     /* worker: HELLO is due */
	SWP_SESSION_HEARTBEAT, /* a HEARTBEAT is due */
	SWP_SESSION_VIOLATION, /* the frame broke the rules (not decodable, wrong direction, before the greeting); it was dropped and counted;
				  * `error` of swp_session tells. A coordinator forgets a peer above SWP_LIMIT_VIOLATIONS. */
};

enum swp_session_side {
	SWP_SESSION_WORKER,
	SWP_SESSION_COORDINATOR,
};
enum swp_session_state {
	SWP_SESSION_GREETING,
	SWP_SESSION_OPEN,
	SWP_SESSION_CLOSED, /* bye was said, or refused */
};

struct swp_session { /* embedded in its owner; owns no memory */
	enum swp_session_side side;
	enum swp_session_state state;
	bool greeted_before; /* was OPEN at least once */
	int64_t heartbeat_ms, silence_ms;
	int64_t heard_ms; /* when the other end last said something */
	int64_t due_ms;	  /* next greeting or heartbeat */
	unsigned violations;
	int error; /* of the last violation: as swp_message_decode, or -EPROTO for a message at the wrong time */
};

/* Worker side: the first GREET is due at once. Coordinator side: one per peer, made when its first frame comes; silence is the lease. */
void swp_session_init(struct swp_session *session, enum swp_session_side side, int64_t now_ms);

/* A frame came. On MESSAGE, ESTABLISHED and REFUSED ret_message is owned by the caller, else it is empty. Heartbeats of the
 * coordinator are taken in silently (NOTHING); those of workers are MESSAGE, since they name jobs. BYE of a worker is MESSAGE, and closes; of the coordinator it is LEFT. */
enum swp_session_event swp_session_received(struct swp_session *session, const void *bytes, size_t length,
	int64_t now_ms, struct swp_message *ret_message);

/* What time brings: GREET, HEARTBEAT, LOST or NOTHING. Call until NOTHING, at the latest at swp_session_next_ms. */
enum swp_session_event swp_session_tick(struct swp_session *session, int64_t now_ms);
/* When to tick next (monotonic ms); INT64_MAX when closed. */
int64_t swp_session_next_ms(const struct swp_session *session);

/* Worker: there is a new connection, so that whoever is at its other end is greeted at once, without waiting for silence. */
void swp_session_reconnected(struct swp_session *session, int64_t now_ms);

/* What could not be sent (queue full) needs no report: it is due again after a heartbeat.
 * The owner said BYE (worker) or is done with the peer: closed. */
void swp_session_close(struct swp_session *session);
static inline bool swp_session_is_open(const struct swp_session *session)
{
	return session->state == SWP_SESSION_OPEN;
}

#endif
