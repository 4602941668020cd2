/* The rules of the conversation. */
#include "proto/wire/session.h"

#include <errno.h>

void swp_session_init(struct swp_session *session, enum swp_session_side side, int64_t now_ms)
{
	*session = (struct swp_session){
		.side = side,
		.state = SWP_SESSION_GREETING,
		.heartbeat_ms = SWP_HEARTBEAT_MS,
		.silence_ms = side == SWP_SESSION_WORKER ? SWP_SESSION_SILENCE_MS : SWP_LEASE_MS,
		.heard_ms = now_ms,
		.due_ms = side == SWP_SESSION_WORKER ? now_ms : now_ms + SWP_HEARTBEAT_MS,
	};
}

void swp_session_close(struct swp_session *session)
{
	session->state = SWP_SESSION_CLOSED;
}

void swp_session_reconnected(struct swp_session *session, int64_t now_ms)
{
	if (session->state == SWP_SESSION_CLOSED)
		return;
	session->state = SWP_SESSION_GREETING;
	session->due_ms = now_ms;
}

static enum swp_session_event violation(struct swp_session *session, int error, struct swp_message *message)
{
	swp_message_done(message);
	session->violations++;
	session->error = error;
	return SWP_SESSION_VIOLATION;
}

static enum swp_session_event open_session(struct swp_session *session, int64_t now_ms)
{
	session->state = SWP_SESSION_OPEN;
	session->greeted_before = true;
	session->due_ms = now_ms + session->heartbeat_ms;
	return SWP_SESSION_ESTABLISHED;
}

static enum swp_session_event refuse(struct swp_session *session)
{
	session->state = SWP_SESSION_CLOSED;
	return SWP_SESSION_REFUSED;
}

/* A welcome that names odd times is not believed: the defaults stay. */
static enum swp_session_event take_welcome(
	struct swp_session *session, const struct swp_message *message, int64_t now_ms)
{
	uint64_t heartbeat_ms = message->welcome.heartbeat_ms;

	if (!swp_wire_is_compatible(message->welcome.protocol))
		return refuse(session);
	if (heartbeat_ms >= 10 && heartbeat_ms <= SWP_LEASE_MS / 2) {
		session->heartbeat_ms = (int64_t)heartbeat_ms;
		session->silence_ms = 5 * session->heartbeat_ms;
	}
	return open_session(session, now_ms);
}

/* It, or another one, will be there again: greetings go on. */
static enum swp_session_event left(struct swp_session *session, int64_t now_ms)
{
	session->state = SWP_SESSION_GREETING;
	session->due_ms = now_ms + session->heartbeat_ms;
	return SWP_SESSION_LEFT;
}

static enum swp_session_event worker_received(
	struct swp_session *session, struct swp_message *message, int64_t now_ms)
{
	if (message->type == SWP_MESSAGE_WELCOME)
		return take_welcome(session, message, now_ms);
	if (session->state != SWP_SESSION_OPEN) {
		/* Left over from before a silence: heartbeats are expected then, anything else comes again after the greeting. */
		if (message->type != SWP_MESSAGE_HEARTBEAT)
			return violation(session, -EPROTO, message);
	} else if (message->type == SWP_MESSAGE_BYE) {
		swp_message_done(message);
		return left(session, now_ms);
	} else if (message->type != SWP_MESSAGE_HEARTBEAT) {
		return SWP_SESSION_MESSAGE;
	}
	swp_message_done(message);
	return SWP_SESSION_NOTHING;
}

static enum swp_session_event coordinator_received(
	struct swp_session *session, struct swp_message *message, int64_t now_ms)
{
	if (message->type == SWP_MESSAGE_HELLO)
		return swp_wire_is_compatible(message->hello.protocol) ? open_session(session, now_ms)
								       : refuse(session);
	if (session->state != SWP_SESSION_OPEN)
		return violation(session, -EPROTO, message);
	if (message->type == SWP_MESSAGE_BYE)
		session->state = SWP_SESSION_CLOSED;
	return SWP_SESSION_MESSAGE;
}

enum swp_session_event swp_session_received(struct swp_session *session, const void *bytes, size_t length,
	int64_t now_ms, struct swp_message *ret_message)
{
	struct swp_message message = {0};
	bool to_worker = session->side == SWP_SESSION_WORKER;
	enum swp_session_event event;
	int r;

	*ret_message = message;
	if (session->state == SWP_SESSION_CLOSED)
		return SWP_SESSION_NOTHING;
	r = swp_message_decode(bytes, length, &message);
	if (r == -ENOMEM) {
		session->error = r;
		return SWP_SESSION_VIOLATION; /* not counted: no fault of the other end */
	}
	if (r < 0)
		return violation(session, r, &message);
	if (to_worker ? !swp_message_from_coordinator(message.type) : !swp_message_from_worker(message.type))
		return violation(session, -EPROTO, &message);
	session->heard_ms = now_ms;
	event = to_worker ? worker_received(session, &message, now_ms)
			  : coordinator_received(session, &message, now_ms);
	*ret_message = message;
	return event;
}

static bool is_silent(const struct swp_session *session, int64_t now_ms)
{
	return now_ms - session->heard_ms >= session->silence_ms;
}

/* A worker greets again; to a coordinator a peer that never greeted, or is silent, is gone. */
static enum swp_session_event lost(struct swp_session *session, int64_t now_ms)
{
	if (session->side == SWP_SESSION_WORKER) {
		session->state = SWP_SESSION_GREETING;
		session->due_ms = now_ms;
	} else {
		session->state = SWP_SESSION_CLOSED;
	}
	return SWP_SESSION_LOST;
}

enum swp_session_event swp_session_tick(struct swp_session *session, int64_t now_ms)
{
	bool greeting_worker = session->side == SWP_SESSION_WORKER && session->state == SWP_SESSION_GREETING;

	if (session->state == SWP_SESSION_CLOSED)
		return SWP_SESSION_NOTHING;
	if (!greeting_worker && is_silent(session, now_ms))
		return lost(session, now_ms);
	if (now_ms < session->due_ms)
		return SWP_SESSION_NOTHING;
	session->due_ms = now_ms + session->heartbeat_ms;
	if (session->state == SWP_SESSION_OPEN)
		return SWP_SESSION_HEARTBEAT;
	return greeting_worker ? SWP_SESSION_GREET : SWP_SESSION_NOTHING;
}

int64_t swp_session_next_ms(const struct swp_session *session)
{
	bool greeting_worker = session->side == SWP_SESSION_WORKER && session->state == SWP_SESSION_GREETING;
	int64_t silent_ms = session->heard_ms + session->silence_ms;

	if (session->state == SWP_SESSION_CLOSED)
		return INT64_MAX;
	if (greeting_worker || session->due_ms < silent_ms)
		return session->due_ms;
	return silent_ms;
}
