/* What both ends of the bus share. */
#include "proto/io/bus-common.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <zmq.h>

#include "proto/base/limits.h"

/* libzmq counts a frame as it is on the wire: CURVE adds command name, nonce, authentication and flags, 33 bytes. What
 * comes between the two ceilings is dropped by us and counted; what is above costs its sender the connection. */
#define CURVE_OVERHEAD_BYTES 64

#define HIGH_WATER_MESSAGES 1024 /* twice what a worker has credits for */
#define MONITOR_ENDPOINT "inproc://orgsweep-monitor"
#define HEARTBEAT_MS 2000
#define HEARTBEAT_TIMEOUT_MS 10000
#define RECONNECT_MS 100
#define RECONNECT_MOST_MS 10000 /* libzmq's default is no back-off at all */
/* Who does not read for so long is disconnected by the kernel (TCP_USER_TIMEOUT): ZeroMQ's heartbeats don't see it, as they wait
 * behind what is not read. */
#define UNREAD_MS 10000
#define LINGER_MS 200 /* a farewell still goes out; then nobody is waited for */

static void socket_ready(struct swp_watch *watch, uint32_t epoll_events)
{
	(void)epoll_events;
	SWP_CONTAINER_OF(watch, struct swp_bus_socket, watch)->look = true;
}

int swp_bus_socket_open(struct swp_bus_socket *socket, void *context, int type, struct swp_loop *loop)
{
	size_t size = sizeof(int);
	int fd;

	socket->socket = zmq_socket(context, type);
	if (!socket->socket)
		return -errno;
	socket->look = true;
	if (zmq_getsockopt(socket->socket, ZMQ_FD, &fd, &size) < 0)
		return -errno;
	/* Only EPOLLIN, also for writing: the descriptor is a mailbox, not the connection. */
	return swp_watch_add(&socket->watch, loop, fd, EPOLLIN, socket_ready);
}

void swp_bus_socket_close(struct swp_bus_socket *socket)
{
	swp_watch_remove(&socket->watch);
	if (socket->socket)
		zmq_close(socket->socket);
	socket->socket = NULL;
}

bool swp_bus_socket_readable(struct swp_bus_socket *socket)
{
	size_t size = sizeof(int);
	int events = 0;

	if (!socket->look)
		return false;
	if (zmq_getsockopt(socket->socket, ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLIN))
		return true;
	socket->look = false;
	return false;
}

int swp_bus_set_number(struct swp_bus_socket *socket, int option, int value)
{
	return zmq_setsockopt(socket->socket, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int set_keys(
	struct swp_bus_socket *socket, const struct swp_bus_keys *keys, struct swp_problem *problem)
{
	char derived[SWP_BUS_KEY_TEXT_BYTES];
	const char *secret = swp_secret_text(&keys->secret_key);

	if (keys->secret_key.length != SWP_BUS_KEY_TEXT_BYTES - 1 || zmq_curve_public(derived, secret) < 0)
		return swp_problem_set(
			problem, -EINVAL, "the secret key is not a CURVE key (40 characters of Z85)");
	if (strcmp(derived, keys->public_key) != 0)
		return swp_problem_set(problem, -EINVAL,
			"the public key %s does not belong to the secret key", keys->public_key);
	if (zmq_setsockopt(socket->socket, ZMQ_CURVE_PUBLICKEY, keys->public_key, SWP_BUS_KEY_TEXT_BYTES) <
			0 ||
		zmq_setsockopt(socket->socket, ZMQ_CURVE_SECRETKEY, secret, SWP_BUS_KEY_TEXT_BYTES) < 0)
		return swp_problem_set(problem, -errno, "CURVE keys: %s", zmq_strerror(errno));
	return 0;
}

int swp_bus_socket_prepare(
	struct swp_bus_socket *socket, const struct swp_bus_keys *keys, struct swp_problem *problem)
{
	static const struct {
		int option, value;
	} options[] = {
		{ZMQ_SNDHWM, HIGH_WATER_MESSAGES},
		{ZMQ_RCVHWM, HIGH_WATER_MESSAGES},
		{ZMQ_HANDSHAKE_IVL, SWP_BUS_HANDSHAKE_MS},
		{ZMQ_HEARTBEAT_IVL, HEARTBEAT_MS},
		{ZMQ_HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS},
		{ZMQ_HEARTBEAT_TTL, HEARTBEAT_TIMEOUT_MS},
		{ZMQ_RECONNECT_IVL, RECONNECT_MS},
		{ZMQ_RECONNECT_IVL_MAX, RECONNECT_MOST_MS},
		{ZMQ_LINGER, LINGER_MS},
		{ZMQ_BACKLOG, SWP_LIMIT_WORKERS},
		{ZMQ_TCP_KEEPALIVE, 1},
		{ZMQ_TCP_MAXRT, UNREAD_MS},
		{ZMQ_IPV6, 1},
	};
	int64_t largest = (int64_t)SWP_LIMIT_WIRE_BYTES + CURVE_OVERHEAD_BYTES;
	int error = 0;

	for (size_t i = 0; i < SWP_ARRAY_SIZE(options) && !error; i++)
		error = swp_bus_set_number(socket, options[i].option, options[i].value);
	if (!error && zmq_setsockopt(socket->socket, ZMQ_MAXMSGSIZE, &largest, sizeof(largest)) < 0)
		error = -errno;
	if (error)
		return swp_problem_set(problem, error, "ZeroMQ socket: %s", zmq_strerror(-error));
	return set_keys(socket, keys, problem);
}

int swp_bus_monitor_open(struct swp_bus_socket *monitor, void *context, const struct swp_bus_socket *socket,
	struct swp_loop *loop, int events)
{
	int error;

	if (zmq_socket_monitor(socket->socket, MONITOR_ENDPOINT, events) < 0)
		return -errno;
	error = swp_bus_socket_open(monitor, context, ZMQ_PAIR, loop);
	if (!error)
		error = swp_bus_set_number(monitor, ZMQ_LINGER, 0);
	/* With a ceiling libzmq's own thread would wait for us, with all connections. */
	if (!error)
		error = swp_bus_set_number(monitor, ZMQ_RCVHWM, 0);
	if (!error && zmq_connect(monitor->socket, MONITOR_ENDPOINT) < 0)
		error = -errno;
	return error;
}

void swp_bus_monitor_close(struct swp_bus_socket *monitor, const struct swp_bus_socket *socket)
{
	if (socket->socket)
		zmq_socket_monitor(socket->socket, NULL, 0);
	swp_bus_socket_close(monitor);
}

/* Two frames: event and value, then the endpoint, which is always ours. */
bool swp_bus_monitor_receive(struct swp_bus_socket *monitor, uint16_t *ret_event, uint32_t *ret_value)
{
	zmq_msg_t head, endpoint;
	bool got;

	*ret_event = 0;
	*ret_value = 0;
	zmq_msg_init(&head);
	zmq_msg_init(&endpoint);
	got = zmq_msg_recv(&head, monitor->socket, ZMQ_DONTWAIT) >= 0;
	if (got && zmq_msg_size(&head) >= sizeof(*ret_event) + sizeof(*ret_value)) {
		memcpy(ret_event, zmq_msg_data(&head), sizeof(*ret_event));
		memcpy(ret_value, (const char *)zmq_msg_data(&head) + sizeof(*ret_event), sizeof(*ret_value));
	}
	if (got && zmq_msg_more(&head))
		zmq_msg_recv(&endpoint, monitor->socket, ZMQ_DONTWAIT);
	zmq_msg_close(&head);
	zmq_msg_close(&endpoint);
	return got;
}

int swp_bus_send_frame(struct swp_bus_socket *socket, const void *bytes, size_t length, bool more)
{
	zmq_msg_t message;

	if (zmq_msg_init_size(&message, length) < 0)
		return -errno;
	if (length > 0)
		memcpy(zmq_msg_data(&message), bytes, length);
	socket->look = true;
	if (zmq_msg_send(&message, socket->socket, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0)) >= 0)
		return 0;
	int error = -errno;
	zmq_msg_close(&message);
	return error;
}

void swp_bus_context_free(void *context)
{
	if (!context)
		return;
	while (zmq_ctx_term(context) < 0 && errno == EINTR)
		;
}

int swp_bus_keys_make(struct swp_bus_keys *ret_keys)
{
	struct swp_bus_keys keys = {0};
	char secret[SWP_BUS_KEY_TEXT_BYTES];
	int error;

	if (zmq_curve_keypair(keys.public_key, secret) < 0)
		return -EIO;
	error = swp_secret_set_text(&keys.secret_key, secret);
	swp_wipe(secret, sizeof(secret));
	if (error)
		return error;
	*ret_keys = keys;
	return 0;
}

void swp_bus_keys_done(struct swp_bus_keys *keys)
{
	swp_secret_done(&keys->secret_key);
	memset(keys->public_key, 0, sizeof(keys->public_key));
}
