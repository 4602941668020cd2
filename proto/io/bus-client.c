/* The worker's end: a DEALER, and its monitor, which is the only place where a refusal can be seen. */
#include "proto/io/bus.h"

#include <errno.h>
#include <string.h>
#include <zmq.h>

#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/io/bus-common.h"

#define MONITORED                                                                                            \
	(ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |                                   \
		ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL)
/* A server that goes down in mid-handshake looks like one that can't read ours: only a row of such ends is told. */
#define BROKEN_HANDSHAKES_TOLD 3
/* After a refusal libzmq gives the connection up for good; we try again, as the key may be allowed later. */
#define RETRY_REFUSED_MS 2000

struct swp_bus_client {
	struct swp_loop *loop;
	struct swp_bus_client_events events;
	void *context;
	struct swp_bus_socket dealer, monitor;
	struct swp_prepare prepare;
	struct swp_timer retry;
	char *endpoint;
	int broken_handshakes; /* in a row */
	bool refused;	       /* told */
	bool *freed;	       /* set when we are freed from inside a call-back */
};

/* --- monitor --- */

static void tell_refused(struct swp_bus_client *client, const char *why)
{
	if (client->refused)
		return;
	client->refused = true;
	if (client->events.refused)
		client->events.refused(client->events.context, why);
}

static void on_monitor_event(struct swp_bus_client *client, uint16_t event)
{
	bool *freed = client->freed;

	if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
		client->broken_handshakes = 0;
		client->refused = false;
		if (client->events.connected)
			client->events.connected(client->events.context);
		return;
	}
	if (event == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL) {
		if (++client->broken_handshakes >= BROKEN_HANDSHAKES_TOLD)
			tell_refused(client,
				"the coordinator ends the handshake: wrong --server-key, or something else "
				"listens there");
		return;
	}
	tell_refused(client,
		event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
			? "the coordinator does not know our key: orgsweep keys allow NAME.pub there, or "
			  "give "
			  "the right --key"
			: "the handshake failed: wrong --server-key, or something else listens there");
	if (!*freed && !swp_timer_is_running(&client->retry))
		swp_timer_start(&client->retry, RETRY_REFUSED_MS);
}

static void retry_connection(struct swp_timer *timer)
{
	struct swp_bus_client *client = SWP_CONTAINER_OF(timer, struct swp_bus_client, retry);

	/* The old connection may be there still (then this keeps it from being made twice) or not. */
	zmq_disconnect(client->dealer.socket, client->endpoint);
	zmq_connect(client->dealer.socket, client->endpoint);
	client->dealer.look = true;
}

/* False: there is none. */
static bool receive_monitor(struct swp_bus_client *client)
{
	uint16_t event;
	uint32_t value;
	bool got = swp_bus_monitor_receive(&client->monitor, &event, &value);

	if (event & MONITORED)
		on_monitor_event(client, event);
	return got;
}

/* --- messages --- */

static bool receive(struct swp_bus_client *client)
{
	zmq_msg_t body, rest;
	bool got, whole;

	zmq_msg_init(&body);
	zmq_msg_init(&rest);
	got = zmq_msg_recv(&body, client->dealer.socket, ZMQ_DONTWAIT) >= 0;
	whole = got && !zmq_msg_more(&body) && zmq_msg_size(&body) <= SWP_LIMIT_WIRE_BYTES;
	for (bool more = got && zmq_msg_more(&body); more; more = zmq_msg_more(&rest)) {
		if (zmq_msg_recv(&rest, client->dealer.socket, ZMQ_DONTWAIT) < 0)
			break;
	}
	zmq_msg_close(&rest);
	if (whole)
		client->events.received(client->events.context, zmq_msg_data(&body), zmq_msg_size(&body));
	zmq_msg_close(&body);
	return got;
}

/* Takes one socket's share of messages; true when there were any. */
static bool drain(struct swp_bus_client *client, struct swp_bus_socket *socket,
	bool (*receive_one)(struct swp_bus_client *), const bool *freed)
{
	bool worked = false;

	for (int i = 0; i < SWP_BUS_DRAIN_MESSAGES; i++) {
		if (*freed || !swp_bus_socket_readable(socket) || !receive_one(client))
			break;
		worked = true;
	}
	return worked;
}

/* True after any message: what its receiver queued elsewhere must be seen to before the loop waits. */
static bool client_prepare(struct swp_prepare *prepare)
{
	struct swp_bus_client *client = SWP_CONTAINER_OF(prepare, struct swp_bus_client, prepare);
	bool freed = false, worked;

	client->freed = &freed;
	worked = drain(client, &client->monitor, receive_monitor, &freed);
	if (!freed)
		worked |= drain(client, &client->dealer, receive, &freed);
	if (!freed)
		client->freed = NULL;
	return worked;
}

int swp_bus_client_send(struct swp_bus_client *client, const void *bytes, size_t length)
{
	if (length > SWP_LIMIT_WIRE_UP_BYTES)
		return -EMSGSIZE;
	return swp_bus_send_frame(&client->dealer, bytes, length, false);
}

/* --- life --- */

/* Fresh at each start: a ROUTER silently refuses an id whose old connection it has not seen die yet. */
static int set_routing_id(struct swp_bus_client *client)
{
	uint64_t random[2] = {swp_clock_random_u64(swp_loop_clock(client->loop)),
		swp_clock_random_u64(swp_loop_clock(client->loop))};
	char id[1 + sizeof(random)] = "w"; /* ids that begin with a zero byte are ZeroMQ's own */

	memcpy(id + 1, random, sizeof(random));
	return zmq_setsockopt(client->dealer.socket, ZMQ_ROUTING_ID, id, sizeof(id)) < 0 ? -errno : 0;
}

static int open_client(struct swp_bus_client *client, const struct swp_bus_keys *own,
	const char *server_public_key, struct swp_problem *problem)
{
	int error;

	client->context = zmq_ctx_new();
	if (!client->context)
		return swp_problem_set(problem, -ENOMEM, "ZeroMQ context: %s", zmq_strerror(errno));
	error = swp_bus_socket_open(&client->dealer, client->context, ZMQ_DEALER, client->loop);
	if (error)
		return swp_problem_set(problem, error, "DEALER: %s", zmq_strerror(-error));
	error = swp_bus_socket_prepare(&client->dealer, own, problem);
	if (error)
		return error;
	if (strlen(server_public_key) != SWP_BUS_KEY_TEXT_BYTES - 1 ||
		zmq_setsockopt(client->dealer.socket, ZMQ_CURVE_SERVERKEY, server_public_key,
			SWP_BUS_KEY_TEXT_BYTES) < 0)
		return swp_problem_set(
			problem, -EINVAL, "the server's key is not a CURVE key (40 characters of Z85)");
	/* Nothing is queued for a connection that is not there. */
	error = swp_bus_set_number(&client->dealer, ZMQ_IMMEDIATE, 1);
	if (!error)
		error = set_routing_id(client);
	if (!error)
		error = swp_bus_monitor_open(
			&client->monitor, client->context, &client->dealer, client->loop, MONITORED);
	if (error)
		return swp_problem_set(problem, error, "DEALER: %s", zmq_strerror(-error));
	if (zmq_connect(client->dealer.socket, client->endpoint) < 0)
		return swp_problem_set(
			problem, -errno, "can't connect to %s: %s", client->endpoint, zmq_strerror(errno));
	return 0;
}

struct swp_bus_client *swp_bus_client_new(struct swp_loop *loop, const char *endpoint,
	const struct swp_bus_keys *own, const char *server_public_key,
	const struct swp_bus_client_events *events, struct swp_problem *problem)
{
	struct swp_bus_client *client = swp_calloc(1, sizeof(*client));

	if (client)
		client->endpoint = swp_strdup(endpoint);
	if (!client || !client->endpoint) {
		swp_problem_set(problem, -ENOMEM, "out of memory");
		swp_free(client);
		return NULL;
	}
	client->loop = loop;
	client->events = *events;
	swp_timer_init(&client->retry, loop, retry_connection);
	if (open_client(client, own, server_public_key, problem) != 0) {
		swp_bus_client_free(client);
		return NULL;
	}
	swp_prepare_add(&client->prepare, loop, client_prepare);
	return client;
}

void swp_bus_client_free(struct swp_bus_client *client)
{
	if (!client)
		return;
	if (client->freed)
		*client->freed = true;
	swp_prepare_remove(&client->prepare);
	swp_timer_stop(&client->retry);
	swp_bus_monitor_close(&client->monitor, &client->dealer);
	swp_bus_socket_close(&client->dealer);
	swp_bus_context_free(client->context);
	swp_free(client->endpoint);
	swp_free(client);
}
