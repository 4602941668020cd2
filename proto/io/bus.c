/* The coordinator's end: a ROUTER, and the ZAP handler that says who may talk to it. Both are served by the loop. */
#include "proto/io/bus.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <zmq.h>

#include "proto/base/alloc.h"
#include "proto/base/hash.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/io/bus-common.h"

#define HASH_NONFATAL_OOM 1
#define HASH_FUNCTION(bytes, length, hash) ((hash) = (unsigned)swp_hash((bytes), (length)))
#define uthash_malloc(size) swp_calloc(1, (size))
#define uthash_free(pointer, size) swp_free(pointer)
#include <uthash.h>

#define ZAP_ENDPOINT "inproc://zeromq.zap.01"
#define ZAP_DOMAIN "orgsweep"
#define CURVE_KEY_BYTES 32

struct peer {
	swp_bus_peer number;
	uint64_t heard; /* order of the last message; the least is forgotten when there are too many */
	char *user;
	size_t id_length;
	UT_hash_handle by_number, by_id;
	char id[];
};

struct swp_bus_server {
	struct swp_loop *loop;
	struct swp_bus_server_events events;
	void *context;
	struct swp_bus_socket zap, router;
	struct swp_prepare prepare;
	struct peer *by_number, *by_id;
	swp_bus_peer last_number;
	uint64_t heard;
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

static void zap_reply(struct swp_bus_server *server, struct zap_request *request, const char *user)
{
	struct swp_bus_socket *zap = &server->zap;

	swp_bus_send_frame(zap, "1.0", 3, true);
	swp_bus_send_frame(zap, zmq_msg_data(&request->frames[ZAP_REQUEST_ID]),
		zmq_msg_size(&request->frames[ZAP_REQUEST_ID]), true);
	swp_bus_send_frame(zap, user ? "200" : "400", 3, true);
	swp_bus_send_frame(zap, user ? "OK" : "key not allowed", user ? 2 : 15, true);
	swp_bus_send_frame(zap, user, user ? strlen(user) : 0, true);
	swp_bus_send_frame(zap, "", 0, false);
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
		user = zap_judge(server, &request);
		/* An empty User-Id could not be told from none. */
		if (user && !*user)
			user = NULL;
		if (!user)
			server->statistics.handshakes_refused++;
		zap_reply(server, &request, user);
		for (size_t frame = 0; frame < ZAP_FRAMES; frame++)
			zmq_msg_close(&request.frames[frame]);
	}
	return worked;
}

/* --- messages --- */

static void deliver(struct swp_bus_server *server, zmq_msg_t *id, zmq_msg_t *body)
{
	const char *user = zmq_msg_gets(body, "User-Id");
	struct peer *peer;

	/* libzmq lets everybody in when it finds no ZAP handler: who has no name has not passed ours. */
	if (!user || !*user) {
		server->statistics.dropped_without_user++;
		return;
	}
	if (zmq_msg_size(body) > SWP_LIMIT_WIRE_BYTES) {
		server->statistics.dropped_too_large++;
		return;
	}
	peer = peer_of(server, zmq_msg_data(id), zmq_msg_size(id), user);
	if (!peer) {
		server->statistics.dropped_no_memory++;
		return;
	}
	server->statistics.received++;
	server->events.received(
		server->events.context, peer->number, user, zmq_msg_data(body), zmq_msg_size(body));
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
	if (frames == 2)
		deliver(server, &id, &body);
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
	bool freed = false, worked = zap_serve(server);

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

	if (peer)
		forget(server, peer);
}

void swp_bus_server_statistics(const struct swp_bus_server *server, struct swp_bus_statistics *ret_statistics)
{
	*ret_statistics = server->statistics;
}

const char *swp_bus_server_endpoint(const struct swp_bus_server *server)
{
	return server->endpoint;
}

/* --- life --- */

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
	error = swp_bus_set_number(&server->router, ZMQ_CURVE_SERVER, 1);
	if (!error)
		error = swp_bus_set_number(&server->router, ZMQ_ROUTER_MANDATORY, 1);
	if (!error &&
		zmq_setsockopt(server->router.socket, ZMQ_ZAP_DOMAIN, ZAP_DOMAIN, strlen(ZAP_DOMAIN)) < 0)
		error = -errno;
	if (error)
		return swp_problem_set(problem, error, "ROUTER: %s", zmq_strerror(-error));
	return bind_router(server, endpoint, problem);
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
	swp_bus_socket_close(&server->router);
	swp_bus_socket_close(&server->zap);
	swp_bus_context_free(server->context);
	HASH_ITER(by_number, server->by_number, peer, next)
	{
		forget(server, peer);
	}
	swp_free(server);
}
