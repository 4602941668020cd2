/* The coordinator's end: a ROUTER, and the ZAP handler that says who may talk to it. Both are served by the loop. */
#include "proto/io/bus.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <zmq.h>

#include "proto/base/alloc.h"
#include "proto/base/hash.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/io/bus-common.h"
#include "proto/io/bus-connections.h"

#define HASH_NONFATAL_OOM 1
#define HASH_FUNCTION(bytes, length, hash) ((hash) = (unsigned)swp_hash((bytes), (length)))
#define uthash_malloc(size) swp_calloc(1, (size))
#define uthash_free(pointer, size) swp_free(pointer)
#include <uthash.h>

#define ZAP_ENDPOINT "inproc://zeromq.zap.01"
#define ZAP_DOMAIN "orgsweep"
#define CURVE_KEY_BYTES 32
/* Given to each connection with its admission, and told with each of its messages. What the other end calls so does not count:
 * libzmq keeps the first value of a name, and ZAP's come first. */
#define SERIAL_PROPERTY "X-Serial"
#define SERIAL_BYTES 24
#define MONITORED (ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED)
#define UNHEARD_MS (SWP_BUS_HANDSHAKE_MS + 5 * SWP_HEARTBEAT_MS) /* a worker greets each second */
#define LOOK_AFTER_MS 1000
#define CUT_SERIALS 1024 /* as many connections can be ended at once with messages of theirs still here */

struct peer {
	swp_bus_peer number;
	uint64_t heard;	 /* order of the last message; the least is forgotten when there are too many */
	uint64_t serial; /* its connection, 0 when not known, and that one's descriptor */
	int fd;
	char *user;
	size_t id_length;
	UT_hash_handle by_number, by_id;
	char id[];
};

struct swp_bus_server {
	struct swp_loop *loop;
	struct swp_bus_server_events events;
	void *context;
	struct swp_bus_socket zap, router, monitor;
	struct swp_prepare prepare;
	struct swp_timer look_after;
	struct peer *by_number, *by_id;
	struct swp_bus_connections *connections;
	swp_bus_peer last_number;
	uint64_t heard;
	uint64_t order; /* of acceptances and admissions */
	uint64_t cut[CUT_SERIALS];
	size_t cut_count; /* ever: the oldest is written over */
	size_t most_unheard;
	struct swp_bus_statistics statistics;
	char endpoint[512];
	bool *freed; /* set when we are freed from inside a call-back */
};

/* --- peers --- */

static void forget(struct swp_bus_server *server, struct peer *peer)
{
	HASH_DELETE(by_number, server->by_number, peer);
	HASH_DELETE(by_id, server->by_id, peer);
	swp_free(peer->user);
	swp_free(peer);
}

/* A worker that reconnects under ever new ids must not grow the table: who was silent longest goes. */
static void keep_below_ceiling(struct swp_bus_server *server)
{
	struct peer *peer, *next, *oldest = NULL;

	if (HASH_CNT(by_number, server->by_number) < SWP_LIMIT_WORKERS)
		return;
	HASH_ITER(by_number, server->by_number, peer, next)
	{
		if (!oldest || peer->heard < oldest->heard)
			oldest = peer;
	}
	forget(server, oldest);
}

static struct peer *add_peer(
	struct swp_bus_server *server, const void *id, size_t id_length, const char *user)
{
	struct peer *peer = swp_calloc(1, sizeof(*peer) + id_length);

	if (!peer)
		return NULL;
	peer->user = swp_strdup(user);
	if (!peer->user) {
		swp_free(peer);
		return NULL;
	}
	memcpy(peer->id, id, id_length);
	peer->id_length = id_length;
	peer->number = ++server->last_number;
	HASH_ADD(by_number, server->by_number, number, sizeof(peer->number), peer);
	if (peer->by_number.tbl) {
		HASH_ADD_KEYPTR(by_id, server->by_id, peer->id, peer->id_length, peer);
		if (peer->by_id.tbl)
			return peer;
		HASH_DELETE(by_number, server->by_number, peer);
	}
	swp_free(peer->user);
	swp_free(peer);
	return NULL;
}

/* The peer of a message. An id that comes back under another user is another connection. */
static struct peer *peer_of(struct swp_bus_server *server, const void *id, size_t id_length, const char *user)
{
	struct peer *peer;

	HASH_FIND(by_id, server->by_id, id, id_length, peer);
	if (peer && strcmp(peer->user, user) != 0) {
		forget(server, peer);
		peer = NULL;
	}
	if (!peer) {
		keep_below_ceiling(server);
		peer = add_peer(server, id, id_length, user);
	}
	if (peer)
		peer->heard = ++server->heard;
	return peer;
}

static struct peer *peer_by_number(struct swp_bus_server *server, swp_bus_peer number)
{
	struct peer *peer;

	HASH_FIND(by_number, server->by_number, &number, sizeof(number), peer);
	return peer;
}

/* --- connections --- */

static void tell_stranger(struct swp_bus_server *server, enum swp_bus_stranger what, const char *address)
{
	if (server->events.stranger)
		server->events.stranger(server->events.context, what, address, NULL);
}

static void tell_broke_off(struct swp_bus_server *server, uint64_t serial, const char *address)
{
	const struct peer *peer = server->by_number;

	server->statistics.broke_off++;
	while (peer && peer->serial != serial)
		peer = peer->by_number.next;
	if (server->events.stranger)
		server->events.stranger(server->events.context, SWP_BUS_STRANGER_BROKE_OFF, address,
			peer ? peer->user : NULL);
}

static void connection_ended(struct swp_bus_server *server, int fd)
{
	char address[SWP_BUS_ADDRESS_BYTES];
	uint64_t serial;

	switch (swp_bus_connections_ended(
		server->connections, fd, swp_loop_now_ms(server->loop), address, &serial)) {
	case SWP_BUS_ENDING_UNHEARD:
		server->statistics.handshakes_broken++;
		tell_stranger(server, SWP_BUS_STRANGER_HANDSHAKE, address);
		break;
	case SWP_BUS_ENDING_HALF_OPEN:
		server->statistics.half_open++;
		tell_stranger(server, SWP_BUS_STRANGER_HALF_OPEN, address);
		break;
	case SWP_BUS_ENDING_HEARD:
		tell_broke_off(server, serial, address);
		break;
	case SWP_BUS_ENDING_TOLD:
		break;
	}
}

/* libzmq has no ceiling for connections whose handshake has not ended. */
static void keep_unheard_below_ceiling(struct swp_bus_server *server)
{
	char address[SWP_BUS_ADDRESS_BYTES];

	if (!swp_bus_connections_cut_unheard(server->connections, server->most_unheard, INT64_MAX,
		    swp_loop_now_ms(server->loop), address))
		return;
	server->statistics.turned_away++;
	tell_stranger(server, SWP_BUS_STRANGER_TURNED_AWAY, address);
}

/* All of what libzmq's thread has told so far. */
static bool monitor_serve(struct swp_bus_server *server)
{
	uint16_t event;
	uint32_t value;
	bool worked = false;

	while (swp_bus_socket_readable(&server->monitor) &&
		swp_bus_monitor_receive(&server->monitor, &event, &value)) {
		worked = true;
		if (event == ZMQ_EVENT_DISCONNECTED)
			connection_ended(server, (int)value);
		if (event != ZMQ_EVENT_ACCEPTED)
			continue;
		(void)swp_bus_connections_accepted(
			server->connections, (int)value, ++server->order, swp_loop_now_ms(server->loop));
		keep_unheard_below_ceiling(server);
	}
	return worked;
}

/* Those who passed the handshake too and say nothing, or speak under an id that is taken: libzmq lets them wait for ever. */
static void look_after(struct swp_timer *timer)
{
	struct swp_bus_server *server = SWP_CONTAINER_OF(timer, struct swp_bus_server, look_after);
	char address[SWP_BUS_ADDRESS_BYTES];

	while (swp_bus_connections_cut_unheard(
		server->connections, SIZE_MAX, UNHEARD_MS, swp_loop_now_ms(server->loop), address)) {
		server->statistics.half_open++;
		tell_stranger(server, SWP_BUS_STRANGER_HALF_OPEN, address);
	}
	swp_timer_start(&server->look_after, LOOK_AFTER_MS);
}

static bool is_cut(const struct swp_bus_server *server, uint64_t serial)
{
	size_t count = server->cut_count < CUT_SERIALS ? server->cut_count : CUT_SERIALS;

	for (size_t i = 0; serial && i < count; i++)
		if (server->cut[i] == serial)
			return true;
	return false;
}

/* --- ZAP (https://rfc.zeromq.org/spec/27/) --- */

enum zap_frame {
	ZAP_VERSION,
	ZAP_REQUEST_ID,
	ZAP_REQUEST_DOMAIN,
	ZAP_ADDRESS,
	ZAP_IDENTITY,
	ZAP_MECHANISM,
	ZAP_CREDENTIALS,
	ZAP_FRAMES,
};

struct zap_request {
	zmq_msg_t frames[ZAP_FRAMES];
	size_t count; /* also counts those that did not fit */
};

static bool frame_is(zmq_msg_t *frame, const char *text)
{
	return zmq_msg_size(frame) == strlen(text) && memcmp(zmq_msg_data(frame), text, strlen(text)) == 0;
}

/* False when there is none. */
static bool zap_receive(struct swp_bus_server *server, struct zap_request *request)
{
	zmq_msg_t rest;
	bool more = true;

	for (size_t i = 0; i < ZAP_FRAMES; i++)
		zmq_msg_init(&request->frames[i]);
	zmq_msg_init(&rest);
	for (request->count = 0; more; request->count++) {
		zmq_msg_t *frame = request->count < ZAP_FRAMES ? &request->frames[request->count] : &rest;

		if (zmq_msg_recv(frame, server->zap.socket, ZMQ_DONTWAIT) < 0)
			break;
		more = zmq_msg_more(frame);
	}
	zmq_msg_close(&rest);
	return request->count > 0;
}

/* One property: length and name, length and value. */
static size_t zap_metadata(uint64_t serial, unsigned char metadata[static 64])
{
	const size_t name_length = strlen(SERIAL_PROPERTY);
	int length = snprintf(
		(char *)metadata + 1 + name_length + 4, SERIAL_BYTES, "%llu", (unsigned long long)serial);

	metadata[0] = (unsigned char)name_length;
	memcpy(metadata + 1, SERIAL_PROPERTY, name_length);
	memset(metadata + 1 + name_length, 0, 3);
	metadata[1 + name_length + 3] = (unsigned char)length;
	return 1 + name_length + 4 + (size_t)length;
}

static void zap_reply(struct swp_bus_server *server, struct zap_request *request, const char *user)
{
	struct swp_bus_socket *zap = &server->zap;
	unsigned char metadata[64];
	size_t metadata_length = user ? zap_metadata(++server->order, metadata) : 0;

	swp_bus_send_frame(zap, "1.0", 3, true);
	swp_bus_send_frame(zap, zmq_msg_data(&request->frames[ZAP_REQUEST_ID]),
		zmq_msg_size(&request->frames[ZAP_REQUEST_ID]), true);
	swp_bus_send_frame(zap, user ? "200" : "400", 3, true);
	swp_bus_send_frame(zap, user ? "OK" : "key not allowed", user ? 2 : 15, true);
	swp_bus_send_frame(zap, user, user ? strlen(user) : 0, true);
	swp_bus_send_frame(zap, metadata, metadata_length, false);
}

/* The name that belongs to the key in the request, NULL to refuse. */
static const char *zap_judge(struct swp_bus_server *server, struct zap_request *request)
{
	zmq_msg_t *frames = request->frames;
	char key[SWP_BUS_KEY_TEXT_BYTES];

	if (request->count != ZAP_FRAMES || !frame_is(&frames[ZAP_VERSION], "1.0") ||
		!frame_is(&frames[ZAP_REQUEST_DOMAIN], ZAP_DOMAIN) ||
		!frame_is(&frames[ZAP_MECHANISM], "CURVE") ||
		zmq_msg_size(&frames[ZAP_CREDENTIALS]) != CURVE_KEY_BYTES)
		return NULL;
	if (!zmq_z85_encode(key, zmq_msg_data(&frames[ZAP_CREDENTIALS]), CURVE_KEY_BYTES))
		return NULL;
	return server->events.allow(key, server->events.context);
}

static void zap_refused(struct swp_bus_server *server, struct zap_request *request)
{
	zmq_msg_t *address = &request->frames[ZAP_ADDRESS];

	server->statistics.handshakes_refused++;
	swp_bus_connections_refused(server->connections, zmq_msg_data(address), zmq_msg_size(address));
}

/* True when there was a request. */
static bool zap_serve(struct swp_bus_server *server)
{
	struct zap_request request;
	bool worked = false;

	for (int i = 0; i < SWP_BUS_DRAIN_MESSAGES; i++) {
		const char *user;

		if (!swp_bus_socket_readable(&server->zap) || !zap_receive(server, &request))
			break;
		worked = true;
		server->monitor.look = true;
		monitor_serve(server); /* whose handshake it is was accepted before */
		user = zap_judge(server, &request);
		/* An empty User-Id could not be told from none. */
		if (user && !*user)
			user = NULL;
		if (!user)
			zap_refused(server, &request);
		zap_reply(server, &request, user);
		for (size_t frame = 0; frame < ZAP_FRAMES; frame++)
			zmq_msg_close(&request.frames[frame]);
	}
	return worked;
}

/* --- messages --- */

static uint64_t serial_of(zmq_msg_t *message)
{
	const char *text = zmq_msg_gets(message, SERIAL_PROPERTY);
	uint64_t serial;

	return text && swp_parse_u64(text, UINT64_MAX, &serial) == 0 ? serial : 0;
}

/* The peer of a message that may come in; NULL: it is dropped and counted. */
static struct peer *admit(struct swp_bus_server *server, zmq_msg_t *id, zmq_msg_t *body)
{
	const char *user = zmq_msg_gets(body, "User-Id");
	uint64_t serial = serial_of(body);
	struct peer *peer;

	/* libzmq lets everybody in when it finds no ZAP handler: who has no name has not passed ours. */
	if (!user || !*user) {
		server->statistics.dropped_without_user++;
		return NULL;
	}
	if (is_cut(server, serial)) {
		server->statistics.dropped_cut++;
		return NULL;
	}
	peer = peer_of(server, zmq_msg_data(id), zmq_msg_size(id), user);
	if (!peer) {
		server->statistics.dropped_no_memory++;
		return NULL;
	}
	if (peer->serial != serial) {
		peer->serial = serial;
		peer->fd = zmq_msg_get(body, ZMQ_SRCFD);
		swp_bus_connections_heard(server->connections, peer->fd, serial);
	}
	return peer;
}

static void tell_broken(struct swp_bus_server *server, const struct peer *peer, uint64_t *counter)
{
	(*counter)++;
	if (server->events.broken)
		server->events.broken(server->events.context, peer->number, peer->user);
}

static void deliver(struct swp_bus_server *server, zmq_msg_t *id, zmq_msg_t *body, bool whole)
{
	struct peer *peer = admit(server, id, body);

	if (!peer)
		return;
	if (!whole) {
		tell_broken(server, peer, &server->statistics.dropped_malformed);
	} else if (zmq_msg_size(body) > SWP_LIMIT_WIRE_UP_BYTES) {
		tell_broken(server, peer, &server->statistics.dropped_too_large);
	} else {
		server->statistics.received++;
		server->events.received(server->events.context, peer->number, peer->user, zmq_msg_data(body),
			zmq_msg_size(body));
	}
}

/* One message: id and body. Of messages with more frames the rest is read and all is dropped. False: there is none. */
static bool receive(struct swp_bus_server *server)
{
	zmq_msg_t id, body, rest;
	size_t frames = 0;
	bool more = true;

	zmq_msg_init(&id);
	zmq_msg_init(&body);
	zmq_msg_init(&rest);
	while (more) {
		zmq_msg_t *frame = frames == 0 ? &id : frames == 1 ? &body : &rest;

		if (zmq_msg_recv(frame, server->router.socket, ZMQ_DONTWAIT) < 0)
			break;
		more = zmq_msg_more(frame);
		frames++;
	}
	if (frames >= 2)
		deliver(server, &id, &body, frames == 2);
	else if (frames > 0)
		server->statistics.dropped_malformed++;
	zmq_msg_close(&id);
	zmq_msg_close(&body);
	zmq_msg_close(&rest);
	return frames > 0;
}

/* True after any message: what its receiver queued elsewhere must be seen to before the loop waits. */
static bool server_prepare(struct swp_prepare *prepare)
{
	struct swp_bus_server *server = SWP_CONTAINER_OF(prepare, struct swp_bus_server, prepare);
	bool freed = false, worked = monitor_serve(server);

	worked |= zap_serve(server);
	server->freed = &freed;
	for (int i = 0; i < SWP_BUS_DRAIN_MESSAGES; i++) {
		if (!swp_bus_socket_readable(&server->router) || !receive(server))
			break;
		worked = true;
		if (freed)
			return true;
	}
	server->freed = NULL;
	return worked;
}

/* The body is made first: when it can't be, no half of a message must have gone out. */
static int send_to(struct swp_bus_server *server, const struct peer *peer, const void *bytes, size_t length)
{
	zmq_msg_t body;
	int error;

	if (zmq_msg_init_size(&body, length) < 0)
		return -errno;
	if (length > 0)
		memcpy(zmq_msg_data(&body), bytes, length);
	error = swp_bus_send_frame(&server->router, peer->id, peer->id_length, true);
	if (!error && zmq_msg_send(&body, server->router.socket, ZMQ_DONTWAIT) < 0)
		error = -errno;
	if (error)
		zmq_msg_close(&body);
	return error;
}

int swp_bus_server_send(struct swp_bus_server *server, swp_bus_peer number, const void *bytes, size_t length)
{
	struct peer *peer = peer_by_number(server, number);
	int error;

	if (!peer)
		return -EHOSTUNREACH;
	if (length > SWP_LIMIT_WIRE_BYTES)
		return -EMSGSIZE;
	error = send_to(server, peer, bytes, length);
	if (error == -EHOSTUNREACH)
		forget(server, peer);
	if (!error)
		server->statistics.sent++;
	return error;
}

void swp_bus_server_forget(struct swp_bus_server *server, swp_bus_peer number)
{
	struct peer *peer = peer_by_number(server, number);

	if (!peer)
		return;
	swp_bus_connections_told(server->connections, peer->fd, peer->serial);
	forget(server, peer);
}

void swp_bus_server_cut(struct swp_bus_server *server, swp_bus_peer number)
{
	struct peer *peer = peer_by_number(server, number);

	if (!peer)
		return;
	if (peer->serial) {
		server->cut[server->cut_count++ % CUT_SERIALS] = peer->serial;
		swp_bus_connections_cut(server->connections, peer->fd, peer->serial);
	}
	forget(server, peer);
}

void swp_bus_server_statistics(const struct swp_bus_server *server, struct swp_bus_statistics *ret_statistics)
{
	*ret_statistics = server->statistics;
	ret_statistics->connections = swp_bus_connections_count(server->connections);
	ret_statistics->unheard = swp_bus_connections_unheard(server->connections);
}

const char *swp_bus_server_endpoint(const struct swp_bus_server *server)
{
	return server->endpoint;
}

/* --- life --- */

/* They must leave descriptors for all others. */
static size_t most_unheard(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur / 4 > SWP_LIMIT_UNHEARD)
		return SWP_LIMIT_UNHEARD;
	return (size_t)limit.rlim_cur / 4;
}

static int open_zap(struct swp_bus_server *server, struct swp_problem *problem)
{
	int error = swp_bus_socket_open(&server->zap, server->context, ZMQ_REP, server->loop);

	if (!error)
		error = swp_bus_set_number(&server->zap, ZMQ_LINGER, 0);
	if (!error && zmq_bind(server->zap.socket, ZAP_ENDPOINT) < 0)
		error = -errno;
	return error ? swp_problem_set(problem, error, "ZAP handler: %s", zmq_strerror(-error)) : 0;
}

static int bind_router(struct swp_bus_server *server, const char *endpoint, struct swp_problem *problem)
{
	size_t size = sizeof(server->endpoint);
	mode_t mask;
	int bound, error;

	if (swp_text_starts(endpoint, "ipc://") &&
		strlen(endpoint + 6) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return swp_problem_set(problem, -ENAMETOOLONG,
			"%s: the path of a unix socket may have at most %zu bytes; choose a shorter folder",
			endpoint, sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1);
	/* The socket file is for us alone, whatever the folder is. */
	mask = umask(077);
	bound = zmq_bind(server->router.socket, endpoint);
	error = -errno;
	umask(mask);
	if (bound < 0)
		return swp_problem_set(
			problem, error, "can't listen on %s: %s", endpoint, zmq_strerror(-error));
	if (zmq_getsockopt(server->router.socket, ZMQ_LAST_ENDPOINT, server->endpoint, &size) < 0)
		return swp_problem_set(problem, -errno, "listening on %s: %s", endpoint, zmq_strerror(errno));
	return 0;
}

/* What is further above the ceiling than a little costs its sender the connection: libzmq does not even read it. */
static int prepare_router(struct swp_bus_server *server)
{
	int64_t largest = 2 * (int64_t)SWP_LIMIT_WIRE_UP_BYTES;
	int error = swp_bus_set_number(&server->router, ZMQ_CURVE_SERVER, 1);

	if (!error)
		error = swp_bus_set_number(&server->router, ZMQ_ROUTER_MANDATORY, 1);
	if (!error)
		error = swp_bus_set_number(&server->router, ZMQ_RCVHWM, SWP_LIMIT_WIRE_WAITING);
	if (!error &&
		zmq_setsockopt(server->router.socket, ZMQ_ZAP_DOMAIN, ZAP_DOMAIN, strlen(ZAP_DOMAIN)) < 0)
		error = -errno;
	if (!error && zmq_setsockopt(server->router.socket, ZMQ_MAXMSGSIZE, &largest, sizeof(largest)) < 0)
		error = -errno;
	return error;
}

/* The ZAP handler comes first: without one libzmq lets every key in. */
static int open_server(struct swp_bus_server *server, const char *endpoint, const struct swp_bus_keys *keys,
	struct swp_problem *problem)
{
	int error;

	server->context = zmq_ctx_new();
	if (!server->context)
		return swp_problem_set(problem, -ENOMEM, "ZeroMQ context: %s", zmq_strerror(errno));
	error = open_zap(server, problem);
	if (error)
		return error;
	error = swp_bus_socket_open(&server->router, server->context, ZMQ_ROUTER, server->loop);
	if (error)
		return swp_problem_set(problem, error, "ROUTER: %s", zmq_strerror(-error));
	error = swp_bus_socket_prepare(&server->router, keys, problem);
	if (error)
		return error;
	error = prepare_router(server);
	if (!error)
		error = swp_bus_monitor_open(
			&server->monitor, server->context, &server->router, server->loop, MONITORED);
	if (error)
		return swp_problem_set(problem, error, "ROUTER: %s", zmq_strerror(-error));
	error = bind_router(server, endpoint, problem);
	if (error)
		return error;
	server->connections = swp_bus_connections_new(server->endpoint);
	if (!server->connections || swp_timer_start(&server->look_after, LOOK_AFTER_MS) < 0)
		return swp_problem_set(problem, -ENOMEM, "out of memory");
	return 0;
}

struct swp_bus_server *swp_bus_server_new(struct swp_loop *loop, const char *endpoint,
	const struct swp_bus_keys *keys, const struct swp_bus_server_events *events,
	struct swp_problem *problem)
{
	struct swp_bus_server *server = swp_calloc(1, sizeof(*server));

	if (!server) {
		swp_problem_set(problem, -ENOMEM, "out of memory");
		return NULL;
	}
	server->loop = loop;
	server->events = *events;
	server->most_unheard = most_unheard();
	swp_timer_init(&server->look_after, loop, look_after);
	if (open_server(server, endpoint, keys, problem) != 0) {
		swp_bus_server_free(server);
		return NULL;
	}
	swp_prepare_add(&server->prepare, loop, server_prepare);
	return server;
}

void swp_bus_server_free(struct swp_bus_server *server)
{
	struct peer *peer, *next;

	if (!server)
		return;
	if (server->freed)
		*server->freed = true;
	swp_prepare_remove(&server->prepare);
	swp_timer_stop(&server->look_after);
	swp_bus_monitor_close(&server->monitor, &server->router);
	swp_bus_socket_close(&server->router);
	swp_bus_socket_close(&server->zap);
	swp_bus_context_free(server->context);
	HASH_ITER(by_number, server->by_number, peer, next)
	{
		forget(server, peer);
	}
	swp_bus_connections_free(server->connections);
	swp_free(server);
}
