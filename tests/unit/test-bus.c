/* The bus: both ends in one loop; who is let in, who is not, what is dropped, who is gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static struct swp_bus_server *open_server(struct ends *e, const char *endpoint)
{
	const struct swp_bus_server_events events = {
		.received = server_received, .allow = allow, .context = e};
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

static void *raw_dealer(struct ends *e, void *context, bool with_keys)
{
	void *socket = zmq_socket(context, ZMQ_DEALER);
	int linger = 0;

	zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof(linger));
	if (with_keys) {
		zmq_setsockopt(
			socket, ZMQ_CURVE_SERVERKEY, e->server_keys.public_key, SWP_BUS_KEY_TEXT_BYTES);
		zmq_setsockopt(
			socket, ZMQ_CURVE_PUBLICKEY, e->worker_keys.public_key, SWP_BUS_KEY_TEXT_BYTES);
		zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, swp_secret_text(&e->worker_keys.secret_key),
			SWP_BUS_KEY_TEXT_BYTES);
	}
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
	zmq_close(raw);
	zmq_ctx_term(context);
}

/* valgrind encrypts so slowly that heartbeats run out; the plain and the sanitized runs have these. */
static void skip_under_valgrind(void)
{
	if (under_valgrind())
		skip();
}

static void test_the_ceiling_of_a_message(void **state)
{
	struct ends *e = *state;
	size_t size = SWP_LIMIT_WIRE_BYTES + 1;
	struct swp_bus_statistics statistics;
	void *context, *raw;
	char *bytes;

	skip_under_valgrind();
	context = zmq_ctx_new();
	bytes = calloc(1, size + 4096);
	e->echo = false;
	e->server = open_server(e, e->path);
	e->client = open_client(e, &e->worker_keys, e->server_keys.public_key);
	assert_int_equal(swp_bus_client_send(e->client, bytes, size), -EMSGSIZE);
	client_send(e, bytes, size - 1);
	run_until(e, &e->server_received, 1);
	assert_int_equal(e->last_length, SWP_LIMIT_WIRE_BYTES);
	assert_int_equal(swp_bus_server_send(e->server, e->peer, bytes, size), -EMSGSIZE);
	/* Who does not keep to it: just above is dropped and counted, far above costs the connection. */
	raw = raw_dealer(e, context, true);
	assert_int_equal(zmq_send(raw, bytes, size, 0), size);
	assert_int_equal(zmq_send(raw, "small", 5, 0), 5);
	run_until(e, &e->server_received, 2);
	assert_string_equal(e->text, "small");
	swp_bus_server_statistics(e->server, &statistics);
	assert_int_equal(statistics.dropped_too_large, 1);
	zmq_close(raw);
	raw = raw_dealer(e, context, true);
	assert_int_equal(zmq_send(raw, bytes, size + 4095, 0), size + 4095);
	run_for(e, 500);
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
		TEST(test_a_server_that_comes_back),
		TEST(test_freed_inside_a_call_back),
		TEST(test_the_ceiling_of_peers),
		TEST(test_what_can_not_be_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
