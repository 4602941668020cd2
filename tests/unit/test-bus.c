/* The bus: both ends in one loop; who is let in, who is not, what is dropped, who is gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/io/bus.h"
#include "tests/unit/under-valgrind.h"

#define PATIENCE_MS 20000 /* valgrind on a busy machine */

struct ends {
	struct swp_loop *loop;
	struct swp_bus_keys server_keys, worker_keys;
	struct swp_bus_server *server;
	struct swp_bus_client *client;
	char folder[64], path[128];
	bool allow_worker, echo, free_server_inside, free_client_inside;
	int broken, strangers[SWP_BUS_STRANGER_BROKE_OFF + 1];
	char stranger_address[64];
	/* what came */
	int server_received, client_received, refusals;
	swp_bus_peer peer;
	char user[64], text[256], answer[256], why[256];
	size_t last_length;
};

static const char *allow(const char *public_key, void *context)
{
	struct ends *e = context;

	return e->allow_worker && strcmp(public_key, e->worker_keys.public_key) == 0 ? "worker-7" : NULL;
}

static void server_received(
	void *context, swp_bus_peer peer, const char *user, const void *bytes, size_t length)
{
	struct ends *e = context;

	e->server_received++;
	e->peer = peer;
	e->last_length = length;
	snprintf(e->user, sizeof(e->user), "%s", user);
	snprintf(e->text, sizeof(e->text), "%.*s", length > 200 ? 200 : (int)length, (const char *)bytes);
	if (e->echo)
		assert_int_equal(swp_bus_server_send(e->server, peer, bytes, length), 0);
	if (e->free_server_inside) {
		swp_bus_server_free(e->server);
		e->server = NULL;
	}
}

static void client_received(void *context, const void *bytes, size_t length)
{
	struct ends *e = context;

	e->client_received++;
	e->last_length = length;
	snprintf(e->answer, sizeof(e->answer), "%.*s", length > 200 ? 200 : (int)length, (const char *)bytes);
	if (e->free_client_inside) {
		swp_bus_client_free(e->client);
		e->client = NULL;
	}
}

static void client_refused(void *context, const char *why)
{
	struct ends *e = context;

	e->refusals++;
	snprintf(e->why, sizeof(e->why), "%s", why);
	if (e->free_client_inside) {
		swp_bus_client_free(e->client);
		e->client = NULL;
	}
}

static void broken(void *context, swp_bus_peer peer, const char *user)
{
	struct ends *e = context;

	e->broken++;
	e->peer = peer;
	assert_string_equal(user, "worker-7");
}

static void stranger(void *context, enum swp_bus_stranger what, const char *address, const char *user)
{
	struct ends *e = context;

	if (what != SWP_BUS_STRANGER_BROKE_OFF)
		assert_null(user);
	e->strangers[what]++;
	snprintf(e->stranger_address, sizeof(e->stranger_address), "%s", address);
}

static struct swp_bus_server *open_server(struct ends *e, const char *endpoint)
{
	const struct swp_bus_server_events events = {.received = server_received,
		.allow = allow,
		.broken = broken,
		.stranger = stranger,
		.context = e};
	struct swp_problem problem = {0};
	struct swp_bus_server *server =
		swp_bus_server_new(e->loop, endpoint, &e->server_keys, &events, &problem);

	if (!server)
		print_message("%s\n", problem.text);
	assert_non_null(server);
	return server;
}

static struct swp_bus_client *open_client(
	struct ends *e, const struct swp_bus_keys *own, const char *server_key)
{
	const struct swp_bus_client_events events = {
		.received = client_received, .refused = client_refused, .context = e};
	struct swp_problem problem = {0};
	struct swp_bus_client *client = swp_bus_client_new(
		e->loop, swp_bus_server_endpoint(e->server), own, server_key, &events, &problem);

	if (!client)
		print_message("%s\n", problem.text);
	assert_non_null(client);
	return client;
}

static int set_up(void **state)
{
	struct ends *e = calloc(1, sizeof(*e));

	e->loop = swp_loop_new(swp_clock_system());
	assert_int_equal(swp_bus_keys_make(&e->server_keys), 0);
	assert_int_equal(swp_bus_keys_make(&e->worker_keys), 0);
	snprintf(e->folder, sizeof(e->folder), "/tmp/swp-bus-XXXXXX");
	assert_non_null(mkdtemp(e->folder));
	snprintf(e->path, sizeof(e->path), "ipc://%s/bus", e->folder);
	e->allow_worker = e->echo = true;
	*state = e;
	return 0;
}

static int tear_down(void **state)
{
	struct ends *e = *state;

	swp_bus_client_free(e->client);
	swp_bus_server_free(e->server);
	swp_loop_free(e->loop);
	swp_bus_keys_done(&e->server_keys);
	swp_bus_keys_done(&e->worker_keys);
	unlink(e->path + strlen("ipc://"));
	rmdir(e->folder);
	free(e);
	return 0;
}

static void run_for(struct ends *e, int64_t ms)
{
	int64_t end = swp_clock_monotonic_ms(swp_clock_system()) + ms;

	while (swp_clock_monotonic_ms(swp_clock_system()) < end)
		assert_int_equal(swp_loop_step(e->loop, 10), 0);
}

static void run_until(struct ends *e, const int *counter, int wanted)
{
	int64_t end = swp_clock_monotonic_ms(swp_clock_system()) + PATIENCE_MS;

	while (*counter < wanted && swp_clock_monotonic_ms(swp_clock_system()) < end)
		assert_int_equal(swp_loop_step(e->loop, 50), 0);
	assert_int_equal(*counter, wanted);
}

/* Sends as soon as the connection is there. */
static void client_send(struct ends *e, const void *bytes, size_t length)
{
	int64_t end = swp_clock_monotonic_ms(swp_clock_system()) + PATIENCE_MS;
	int error = swp_bus_client_send(e->client, bytes, length);

	while (error == -EAGAIN && swp_clock_monotonic_ms(swp_clock_system()) < end) {
		swp_loop_step(e->loop, 20);
		error = swp_bus_client_send(e->client, bytes, length);
	}
	assert_int_equal(error, 0);
}

static void talk(struct ends *e, const char *endpoint)
{
	struct swp_bus_statistics statistics;

	e->server = open_server(e, endpoint);
	e->client = open_client(e, &e->worker_keys, e->server_keys.public_key);
	assert_int_equal(swp_bus_client_send(e->client, "early", 5), -EAGAIN);
	client_send(e, "hello", 5);
	run_until(e, &e->client_received, 1);
	assert_string_equal(e->user, "worker-7");
	assert_string_equal(e->text, "hello");
	assert_string_equal(e->answer, "hello");
	client_send(e, "", 0);
	run_until(e, &e->client_received, 2);
	assert_int_equal(e->last_length, 0);
	swp_bus_server_statistics(e->server, &statistics);
	assert_int_equal(statistics.received, 2);
	assert_int_equal(statistics.sent, 2);
	assert_int_equal(statistics.handshakes_refused, 0);
}

static void test_over_a_unix_socket(void **state)
{
	struct ends *e = *state;
	struct stat status;

	talk(e, e->path);
	assert_int_equal(stat(e->path + strlen("ipc://"), &status), 0);
	assert_int_equal(status.st_mode & 0777, 0700);
}

static void test_over_tcp_on_any_port(void **state)
{
	struct ends *e = *state;

	talk(e, "tcp://127.0.0.1:0");
	assert_null(strstr(swp_bus_server_endpoint(e->server), ":0"));
}

/* The edge of ZeroMQ's descriptor must not get lost under load, in either direction. */
static void test_many_messages(void **state)
{
	struct ends *e = *state;
	enum { COUNT = 3000 };

	e->server = open_server(e, e->path);
	e->client = open_client(e, &e->worker_keys, e->server_keys.public_key);
	for (int i = 0; i < COUNT; i++) {
		char text[32];

		snprintf(text, sizeof(text), "message %d", i);
		client_send(e, text, strlen(text));
		if (i % 100 == 99)
			run_until(e, &e->client_received, i + 1);
	}
	assert_int_equal(e->server_received, COUNT);
	assert_string_equal(e->answer, "message 2999");
}

static void test_unknown_key_is_refused_until_it_is_allowed(void **state)
{
	struct ends *e = *state;
	struct swp_bus_statistics statistics;

	e->allow_worker = false;
	e->server = open_server(e, e->path);
	e->client = open_client(e, &e->worker_keys, e->server_keys.public_key);
	run_until(e, &e->refusals, 1);
	assert_non_null(strstr(e->why, "does not know our key"));
	assert_int_equal(swp_bus_client_send(e->client, "x", 1), -EAGAIN);
	swp_bus_server_statistics(e->server, &statistics);
	assert_true(statistics.handshakes_refused >= 1);
	assert_int_equal(statistics.received, 0);
	run_for(e, 200);
	assert_int_equal(e->strangers[SWP_BUS_STRANGER_HANDSHAKE], 0);
	/* Tried again by itself; told once. */
	e->allow_worker = true;
	client_send(e, "at last", 7);
	run_until(e, &e->client_received, 1);
	assert_string_equal(e->text, "at last");
	assert_int_equal(e->refusals, 1);
}

static void test_wrong_server_key_is_told(void **state)
{
	struct ends *e = *state;

	e->server = open_server(e, e->path);
	e->client = open_client(e, &e->worker_keys, e->worker_keys.public_key);
	run_until(e, &e->refusals, 1);
	assert_non_null(strstr(e->why, "--server-key"));
	assert_int_equal(e->server_received, 0);
}

static void set_worker_keys(const struct ends *e, void *socket)
{
	zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, e->server_keys.public_key, SWP_BUS_KEY_TEXT_BYTES);
	zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, e->worker_keys.public_key, SWP_BUS_KEY_TEXT_BYTES);
	zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, swp_secret_text(&e->worker_keys.secret_key),
		SWP_BUS_KEY_TEXT_BYTES);
}

static void *raw_dealer(struct ends *e, void *context, bool with_keys)
{
	void *socket = zmq_socket(context, ZMQ_DEALER);
	int linger = 0;

	zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof(linger));
	if (with_keys)
		set_worker_keys(e, socket);
	assert_int_equal(zmq_connect(socket, swp_bus_server_endpoint(e->server)), 0);
	return socket;
}

static void test_a_plain_peer_gets_nowhere(void **state)
{
	struct ends *e = *state;
	void *context = zmq_ctx_new(), *plain;
	struct swp_bus_statistics statistics;

	e->server = open_server(e, "tcp://127.0.0.1:*");
	plain = raw_dealer(e, context, false);
	assert_int_equal(zmq_send(plain, "let me in", 9, ZMQ_DONTWAIT), 9);
	run_for(e, 500);
	assert_int_equal(e->server_received, 0);
	swp_bus_server_statistics(e->server, &statistics);
	assert_int_equal(statistics.received, 0);
	zmq_close(plain);
	zmq_ctx_term(context);
	e->client = open_client(e, &e->worker_keys, e->server_keys.public_key);
	client_send(e, "still there", 11);
	run_until(e, &e->client_received, 1);
}

static void test_messages_of_several_frames_are_dropped(void **state)
{
	struct ends *e = *state;
	void *context = zmq_ctx_new(), *raw;
	struct swp_bus_statistics statistics;

	e->server = open_server(e, e->path);
	raw = raw_dealer(e, context, true);
	assert_int_equal(zmq_send(raw, "a", 1, ZMQ_SNDMORE), 1);
	assert_int_equal(zmq_send(raw, "b", 1, ZMQ_SNDMORE), 1);
	assert_int_equal(zmq_send(raw, "c", 1, 0), 1);
	assert_int_equal(zmq_send(raw, "whole", 5, 0), 5);
	run_until(e, &e->server_received, 1);
	assert_string_equal(e->text, "whole");
	swp_bus_server_statistics(e->server, &statistics);
	assert_int_equal(statistics.dropped_malformed, 1);
	assert_int_equal(e->broken, 1);
	zmq_close(raw);
	zmq_ctx_term(context);
}

/* valgrind encrypts so slowly that heartbeats run out; the plain and the sanitized runs have these. */
static void skip_under_valgrind(void)
{
	if (under_valgrind())
		skip();
}

/* From workers a mebibyte, to them 64. */
static void test_the_ceiling_of_a_message(void **state)
{
	struct ends *e = *state;
	size_t most = SWP_LIMIT_WIRE_BYTES, up = SWP_LIMIT_WIRE_UP_BYTES;
	struct swp_bus_statistics statistics;
	void *context, *raw;
	char *bytes;

	skip_under_valgrind();
	context = zmq_ctx_new();
	bytes = calloc(1, most + 1);
	e->echo = false;
	e->server = open_server(e, e->path);
	e->client = open_client(e, &e->worker_keys, e->server_keys.public_key);
	assert_int_equal(swp_bus_client_send(e->client, bytes, up + 1), -EMSGSIZE);
	client_send(e, bytes, up);
	run_until(e, &e->server_received, 1);
	assert_int_equal(e->last_length, up);
	assert_int_equal(swp_bus_server_send(e->server, e->peer, bytes, most + 1), -EMSGSIZE);
	assert_int_equal(swp_bus_server_send(e->server, e->peer, bytes, most), 0);
	run_until(e, &e->client_received, 1);
	assert_int_equal(e->last_length, most);
	/* Who does not keep to it: just above is dropped and counted, far above costs the connection. */
	raw = raw_dealer(e, context, true);
	assert_int_equal(zmq_send(raw, bytes, up + 1, 0), up + 1);
	assert_int_equal(zmq_send(raw, "small", 5, 0), 5);
	run_until(e, &e->server_received, 2);
	assert_string_equal(e->text, "small");
	assert_int_equal(e->broken, 1);
	swp_bus_server_statistics(e->server, &statistics);
	assert_int_equal(statistics.dropped_too_large, 1);
	assert_int_equal(zmq_send(raw, bytes, 2 * up + 1, 0), 2 * up + 1);
	run_until(e, &e->strangers[SWP_BUS_STRANGER_BROKE_OFF], 1);
	assert_int_equal(e->server_received, 2);
	zmq_close(raw);
	zmq_ctx_term(context);
	free(bytes);
}

static void test_a_peer_that_is_gone(void **state)
{
	struct ends *e = *state;
	int64_t end = swp_clock_monotonic_ms(swp_clock_system()) + PATIENCE_MS;
	swp_bus_peer first;
	int error = 0;

	e->server = open_server(e, e->path);
	e->client = open_client(e, &e->worker_keys, e->server_keys.public_key);
	client_send(e, "hello", 5);
	run_until(e, &e->client_received, 1);
	first = e->peer;
	swp_bus_client_free(e->client);
	while (!error && swp_clock_monotonic_ms(swp_clock_system()) < end) {
		swp_loop_step(e->loop, 10);
		error = swp_bus_server_send(e->server, first, "there?", 6);
	}
	assert_int_equal(error, -EHOSTUNREACH);
	e->client = open_client(e, &e->worker_keys, e->server_keys.public_key);
	client_send(e, "again", 5);
	run_until(e, &e->client_received, 2);
	assert_int_not_equal(e->peer, first);
	swp_bus_server_forget(e->server, e->peer);
	swp_bus_server_forget(e->server, e->peer);
	assert_int_equal(swp_bus_server_send(e->server, e->peer, "x", 1), -EHOSTUNREACH);
	assert_int_equal(swp_bus_server_send(e->server, 0, "x", 1), -EHOSTUNREACH);
}

/* Its connection ends, what it had sent is dropped, and what it sends by a new one is a new peer's. */
static void cut_in_the_middle(struct ends *e, const char *endpoint)
{
	struct swp_bus_statistics statistics;
	swp_bus_peer first;

	e->echo = false;
	e->server = open_server(e, endpoint);
	e->client = open_client(e, &e->worker_keys, e->server_keys.public_key);
	client_send(e, "hello", 5);
	run_until(e, &e->server_received, 1);
	first = e->peer;
	for (int i = 0; i < 100; i++)
		client_send(e, "unheard", 7);
	usleep(200000); /* they are here, and the loop has not run */
	e->server_received = 0;
	swp_bus_server_cut(e->server, first);
	swp_bus_server_cut(e->server, first);
	swp_bus_server_cut(e->server, 0);
	assert_int_equal(swp_bus_server_send(e->server, first, "x", 1), -EHOSTUNREACH);
	e->allow_worker = false;
	run_until(e, &e->refusals, 1);
	assert_int_equal(e->server_received, 0);
	swp_bus_server_statistics(e->server, &statistics);
	assert_true(statistics.dropped_cut > 0);
	assert_int_equal(statistics.broke_off, 0);
	e->allow_worker = true;
	client_send(e, "again", 5);
	run_until(e, &e->server_received, 1);
	assert_string_equal(e->text, "again");
	assert_true(e->peer != first);
	swp_bus_server_statistics(e->server, &statistics);
	assert_int_equal(statistics.connections, 1);
	assert_int_equal(statistics.unheard, 0);
}

static void test_a_peer_is_cut_off_over_tcp(void **state)
{
	cut_in_the_middle(*state, "tcp://127.0.0.1:0");
}

static void test_a_peer_is_cut_off_over_a_unix_socket(void **state)
{
	struct ends *e = *state;

	cut_in_the_middle(e, e->path);
}

/* One connection of two with the same user and program: the other stays. */
static void test_only_one_is_cut_off(void **state)
{
	struct ends *e = *state;
	void *context = zmq_ctx_new(), *raw;
	swp_bus_peer first;

	e->server = open_server(e, "tcp://127.0.0.1:0");
	e->client = open_client(e, &e->worker_keys, e->server_keys.public_key);
	client_send(e, "one", 3);
	run_until(e, &e->client_received, 1);
	first = e->peer;
	raw = raw_dealer(e, context, true);
	assert_int_equal(zmq_send(raw, "two", 3, 0), 3);
	run_until(e, &e->server_received, 2);
	assert_true(e->peer != first);
	swp_bus_server_cut(e->server, e->peer);
	client_send(e, "three", 5);
	run_until(e, &e->client_received, 2);
	assert_true(e->peer == first);
	assert_int_equal(e->strangers[SWP_BUS_STRANGER_BROKE_OFF], 0);
	zmq_close(raw);
	zmq_ctx_term(context);
}

/* What waits for it must not wait for ever: the kernel ends it, ZeroMQ's heartbeats would not. */
static void test_who_never_reads_is_disconnected(void **state)
{
	struct ends *e = *state;
	enum { SIZE = 1 << 20 };
	void *context, *raw;
	char *bytes;
	int small = 4096, one = 1, error = 0, sent;

	skip_under_valgrind();
	context = zmq_ctx_new();
	bytes = calloc(1, SIZE);
	e->echo = false;
	e->server = open_server(e, "tcp://127.0.0.1:0");
	raw = zmq_socket(context, ZMQ_DEALER);
	zmq_setsockopt(raw, ZMQ_RCVHWM, &one, sizeof(one));
	zmq_setsockopt(raw, ZMQ_RCVBUF, &small, sizeof(small));
	zmq_setsockopt(raw, ZMQ_LINGER, &(int){0}, sizeof(int));
	set_worker_keys(e, raw);
	assert_int_equal(zmq_connect(raw, swp_bus_server_endpoint(e->server)), 0);
	assert_int_equal(zmq_send(raw, "hello", 5, 0), 5);
	run_until(e, &e->server_received, 1);
	for (sent = 0; sent < 64 && !error; sent++) {
		error = swp_bus_server_send(e->server, e->peer, bytes, SIZE);
		run_for(e, 5);
	}
	/* It goes on talking. */
	for (int i = 0; i < 200 && !e->strangers[SWP_BUS_STRANGER_BROKE_OFF]; i++) {
		zmq_send(raw, "more", 4, ZMQ_DONTWAIT);
		run_for(e, 100);
	}
	assert_int_equal(e->strangers[SWP_BUS_STRANGER_BROKE_OFF], 1);
	assert_true(e->server_received > 50);
	assert_int_equal(swp_bus_server_send(e->server, e->peer, "x", 1), -EHOSTUNREACH);
	zmq_close(raw);
	zmq_ctx_term(context);
	free(bytes);
}

static int connect_to(const struct ends *e)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const char *port = strrchr(swp_bus_server_endpoint(e->server), ':') + 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void test_who_breaks_the_handshake_is_told(void **state)
{
	struct ends *e = *state;
	char noise[256];
	int fd;

	memset(noise, 'x', sizeof(noise));
	e->server = open_server(e, "tcp://127.0.0.1:0");
	fd = connect_to(e);
	run_for(e, 100); /* of one that has ended before we look nobody knows whence it came */
	assert_int_equal(send(fd, noise, sizeof(noise), MSG_NOSIGNAL), sizeof(noise));
	shutdown(fd, SHUT_WR);
	run_until(e, &e->strangers[SWP_BUS_STRANGER_HANDSHAKE], 1);
	assert_non_null(strstr(e->stranger_address, "127.0.0.1:"));
	close(fd);
	run_for(e, 100);
	assert_int_equal(e->strangers[SWP_BUS_STRANGER_HANDSHAKE], 1);
}

/* Above the ceiling the oldest goes, and a worker gets in all the same. */
static void test_the_ceiling_of_unheard_connections(void **state)
{
	struct ends *e = *state;
	enum { COUNT = SWP_LIMIT_UNHEARD + 50 };
	static int fds[COUNT];
	struct swp_bus_statistics statistics;
	struct rlimit before, raised = {4 * SWP_LIMIT_UNHEARD + 100, 0};
	char byte;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	raised.rlim_max = before.rlim_max;
	if (before.rlim_max < raised.rlim_cur)
		skip();
	if (before.rlim_cur < raised.rlim_cur)
		setrlimit(RLIMIT_NOFILE, &raised);
	e->server = open_server(e, "tcp://127.0.0.1:0");
	for (int i = 0; i < COUNT; i++) {
		fds[i] = connect_to(e);
		if (i % 64 == 0)
			run_for(e, 5);
	}
	run_until(e, &e->strangers[SWP_BUS_STRANGER_TURNED_AWAY], COUNT - SWP_LIMIT_UNHEARD);
	run_for(e, 100);
	swp_bus_server_statistics(e->server, &statistics);
	assert_int_equal(statistics.turned_away, COUNT - SWP_LIMIT_UNHEARD);
	assert_int_equal(statistics.unheard, SWP_LIMIT_UNHEARD);
	/* The oldest ones have ended, the others not. */
	while (recv(fds[0], &byte, 1, MSG_DONTWAIT) == 1)
		;
	assert_int_equal(recv(fds[0], &byte, 1, MSG_DONTWAIT), 0);
	while (recv(fds[COUNT - 1], &byte, 1, MSG_DONTWAIT) == 1)
		;
	assert_int_equal(recv(fds[COUNT - 1], &byte, 1, MSG_DONTWAIT), -1);
	e->client = open_client(e, &e->worker_keys, e->server_keys.public_key);
	client_send(e, "hello", 5);
	run_until(e, &e->client_received, 1);
	for (int i = 0; i < COUNT; i++)
		close(fds[i]);
	setrlimit(RLIMIT_NOFILE, &before);
}

static void test_a_server_that_comes_back(void **state)
{
	struct ends *e = *state;

	e->server = open_server(e, e->path);
	e->client = open_client(e, &e->worker_keys, e->server_keys.public_key);
	client_send(e, "one", 3);
	run_until(e, &e->client_received, 1);
	swp_bus_server_free(e->server);
	run_for(e, 200);
	e->server = open_server(e, e->path);
	client_send(e, "two", 3);
	run_until(e, &e->client_received, 2);
	assert_string_equal(e->text, "two");
}

static void test_freed_inside_a_call_back(void **state)
{
	struct ends *e = *state;

	e->server = open_server(e, e->path);
	e->client = open_client(e, &e->worker_keys, e->server_keys.public_key);
	e->free_client_inside = true;
	client_send(e, "hello", 5);
	run_until(e, &e->client_received, 1);
	assert_null(e->client);
	e->free_server_inside = true;
	e->echo = e->free_client_inside = false;
	e->client = open_client(e, &e->worker_keys, e->server_keys.public_key);
	client_send(e, "hello", 5);
	run_until(e, &e->server_received, 2);
	assert_null(e->server);
	run_for(e, 50);
}

/* More routing ids than the table has places: the one that was silent longest goes. */
static void test_the_ceiling_of_peers(void **state)
{
	struct ends *e = *state;
	void *context, *socket;
	swp_bus_peer first = 0;

	skip_under_valgrind();
	context = zmq_ctx_new();
	zmq_ctx_set(context, ZMQ_MAX_SOCKETS, SWP_LIMIT_WORKERS + 100);
	e->echo = false;
	e->server = open_server(e, e->path);
	for (int i = 0; i <= SWP_LIMIT_WORKERS; i++) {
		socket = raw_dealer(e, context, true);
		assert_int_equal(zmq_send(socket, "x", 1, 0), 1);
		run_until(e, &e->server_received, i + 1);
		if (i == 0)
			first = e->peer;
		if (i == SWP_LIMIT_WORKERS - 1)
			swp_bus_server_send(e->server, first, "x", 1);
		zmq_close(socket);
	}
	assert_int_equal(swp_bus_server_send(e->server, first, "x", 1), -EHOSTUNREACH);
	zmq_ctx_term(context);
}

static void test_what_can_not_be_opened(void **state)
{
	struct ends *e = *state;
	struct swp_bus_server_events events = {.received = server_received, .allow = allow, .context = e};
	struct swp_bus_client_events client_events = {.received = client_received, .context = e};
	struct swp_bus_keys mixed = {0}, unset = {0};
	struct swp_problem problem = {0};
	char longer[200];
	static const struct {
		const char *endpoint, *words;
	} rows[] = {
		{"tcp://nowhere.invalid:1", "can't listen on tcp://nowhere.invalid:1"},
		{"nonsense", "can't listen on nonsense"},
		{"ipc:///no/such/folder/bus", "can't listen on ipc:///no/such/folder/bus"},
	};

	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		assert_null(
			swp_bus_server_new(e->loop, rows[i].endpoint, &e->server_keys, &events, &problem));
		if (!strstr(problem.text, rows[i].words))
			assert_string_equal(problem.text, rows[i].words);
	}
	snprintf(longer, sizeof(longer), "ipc:///tmp/%0150d", 1);
	assert_null(swp_bus_server_new(e->loop, longer, &e->server_keys, &events, &problem));
	assert_non_null(strstr(problem.text, "at most 107 bytes"));
	assert_null(swp_bus_server_new(e->loop, e->path, &unset, &events, &problem));
	assert_non_null(strstr(problem.text, "not a CURVE key"));
	memcpy(mixed.public_key, e->worker_keys.public_key, sizeof(mixed.public_key));
	assert_int_equal(swp_secret_copy(&mixed.secret_key, &e->server_keys.secret_key), 0);
	assert_null(swp_bus_server_new(e->loop, e->path, &mixed, &events, &problem));
	assert_non_null(strstr(problem.text, "does not belong to the secret key"));
	swp_bus_keys_done(&mixed);
	assert_null(swp_bus_client_new(e->loop, e->path, &e->worker_keys, "short", &client_events, &problem));
	assert_non_null(strstr(problem.text, "the server's key"));
	assert_null(swp_bus_client_new(
		e->loop, "bad", &e->worker_keys, e->server_keys.public_key, &client_events, &problem));
	assert_non_null(strstr(problem.text, "can't connect to bad"));
	swp_alloc_fail_at(1, 1);
	assert_null(swp_bus_server_new(e->loop, e->path, &e->server_keys, &events, NULL));
	assert_null(swp_bus_client_new(e->loop, e->path, &e->worker_keys, "k", &client_events, NULL));
	assert_int_equal(swp_bus_keys_make(&mixed), -ENOMEM);
	swp_alloc_fail_at(0, 0);
	swp_bus_server_free(NULL);
	swp_bus_client_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_over_a_unix_socket),
		TEST(test_over_tcp_on_any_port),
		TEST(test_many_messages),
		TEST(test_unknown_key_is_refused_until_it_is_allowed),
		TEST(test_wrong_server_key_is_told),
		TEST(test_a_plain_peer_gets_nowhere),
		TEST(test_messages_of_several_frames_are_dropped),
		TEST(test_the_ceiling_of_a_message),
		TEST(test_a_peer_that_is_gone),
		TEST(test_a_peer_is_cut_off_over_tcp),
		TEST(test_a_peer_is_cut_off_over_a_unix_socket),
		TEST(test_only_one_is_cut_off),
		TEST(test_who_never_reads_is_disconnected),
		TEST(test_who_breaks_the_handshake_is_told),
		TEST(test_the_ceiling_of_unheard_connections),
		TEST(test_a_server_that_comes_back),
		TEST(test_freed_inside_a_call_back),
		TEST(test_the_ceiling_of_peers),
		TEST(test_what_can_not_be_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
