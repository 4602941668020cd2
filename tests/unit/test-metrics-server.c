/* The metrics server: routes, methods, addresses, and clients that are slow, silent, many or talk nonsense. Server and clients are in one
 * thread: the loop is stepped while the clients' sockets are looked at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/base/error.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/io/metrics-server.h"

#define PATIENCE_STEPS 4000 /* of 5 ms */

/* The machine's clock, which a test can put forward. */
static int64_t ahead_ms;

static int64_t moved_ms(void *context)
{
	(void)context;
	return swp_clock_monotonic_ms(swp_clock_system()) + ahead_ms;
}

static const struct swp_clock moved_clock = {.monotonic_ms = moved_ms, .wall_ms = moved_ms};

static struct {
	struct swp_loop *loop;
	struct swp_metrics_server *server;
	size_t more_bytes; /* behind the first line */
	int write_error;
	bool ready;
} stage;

static int write_metrics(void *context, struct swp_buf *out)
{
	assert_ptr_equal(context, &stage);
	swp_buf_append_text(out, "a_metric 1\n");
	for (size_t i = 0; i < stage.more_bytes / 16; i++)
		swp_buf_append_text(out, "0123456789abcde\n");
	return stage.write_error;
}

static int tell_ready(void *context, struct swp_problem *why)
{
	assert_ptr_equal(context, &stage);
	return stage.ready ? 0 : swp_problem_set(why, -1, "the store is away");
}

static struct swp_metrics_server *try_address(const char *address, struct swp_problem *problem)
{
	const struct swp_metrics_server_events events = {write_metrics, tell_ready, &stage};

	return swp_metrics_server_new(stage.loop, address, &events, problem);
}

static int set_up(void **state)
{
	struct swp_problem problem = {""};

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	ahead_ms = 0;
	memset(&stage, 0, sizeof(stage));
	stage.loop = swp_loop_new(&moved_clock);
	stage.server = try_address("127.0.0.1:0", &problem);
	if (!stage.server)
		fail_msg("%s", problem.text);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	swp_metrics_server_free(stage.server);
	swp_loop_free(stage.loop);
	return 0;
}

static void step(int rounds)
{
	for (int i = 0; i < rounds; i++)
		assert_int_equal(swp_loop_step(stage.loop, 5), 0);
}

/* --- clients --- */

static uint16_t port_of(const char *address)
{
	uint64_t port = 0;

	assert_int_equal(swp_parse_u64(strrchr(address, ':') + 1, UINT16_MAX, &port), 0);
	return (uint16_t)port;
}

static int connect_client(void)
{
	const struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons(port_of(swp_metrics_server_address(stage.server))),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

static void send_text(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* What has come so far is appended. False: the server has closed. */
static bool look(int fd, struct swp_buf *answer)
{
	char bytes[65536];
	ssize_t length;

	while ((length = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		assert_int_equal(swp_buf_append(answer, bytes, (size_t)length), 0);
	return length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

/* Until the server closes. */
static void read_all(int fd, struct swp_buf *answer)
{
	for (int i = 0; look(fd, answer); i++) {
		assert_true(i < PATIENCE_STEPS);
		step(1);
	}
	close(fd);
}

static const char *ask(const char *request)
{
	static char text[4096];
	struct swp_buf answer = {0};
	int fd = connect_client();

	send_text(fd, request);
	read_all(fd, &answer);
	assert_true(answer.length < sizeof(text));
	memcpy(text, swp_buf_text(&answer), answer.length + 1);
	swp_buf_done(&answer);
	return text;
}

static void assert_answer(const char *request, const char *const *parts)
{
	const char *answer = ask(request);

	for (; *parts; parts++)
		if (!swp_text_find_ignoring_case(answer, *parts))
			fail_msg("no %s in the answer to %s: %s", *parts, request, answer);
}

#define PARTS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define HEAD_END " HTTP/1.1\r\nHost: h\r\n\r\n"

/* --- what is asked for --- */

static void routes(void **state)
{
	(void)state;
	assert_answer("GET /metrics" HEAD_END,
		PARTS("HTTP/1.1 200 ", "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n",
			"\r\nConnection: close\r\n", "\r\nContent-Length: 11\r\n", "\r\n\r\na_metric 1\n"));
	assert_answer("GET /metrics?name=x" HEAD_END, PARTS(" 200 ", "a_metric 1\n"));
	assert_answer("GET /healthz" HEAD_END, PARTS(" 200 ", "\r\n\r\nok\n"));
	assert_answer("GET /readyz" HEAD_END, PARTS(" 503 ", "\r\n\r\nthe store is away\n"));
	stage.ready = true;
	assert_answer("GET /readyz" HEAD_END, PARTS(" 200 ", "\r\n\r\nready\n"));
	assert_answer("GET /" HEAD_END, PARTS(" 404 ", "/metrics"));
	assert_answer("GET /metrics/" HEAD_END, PARTS(" 404 "));
	assert_answer("GET /metrics HTTP/1.0\r\n\r\n", PARTS(" 200 ", "a_metric 1\n"));
	stage.write_error = -ENOMEM;
	assert_answer("GET /metrics" HEAD_END, PARTS(" 500 ", "Cannot allocate memory\n"));
	assert_null(strstr(ask("GET /metrics" HEAD_END), "a_metric"));
}

static void methods(void **state)
{
	static const char *const others[] = {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "NONSENSE"};
	const char *head;

	(void)state;
	head = ask("HEAD /metrics" HEAD_END);
	assert_non_null(strstr(head, "200 OK"));
	assert_non_null(strstr(head, "Content-Length: 11\r\n"));
	assert_string_equal(strstr(head, "\r\n\r\n"), "\r\n\r\n");
	for (size_t i = 0; i < SWP_ARRAY_SIZE(others); i++) {
		char request[256];

		snprintf(request, sizeof(request), "%s /metrics" HEAD_END, others[i]);
		assert_answer(request, PARTS(" 405 ", "\r\nAllow: GET, HEAD\r\n"));
	}
	assert_answer("POST /metrics HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", PARTS(" 405 "));
	assert_answer("POST /nothing" HEAD_END, PARTS(" 404 "));
}

static void above_the_ceiling_of_the_text(void **state)
{
	(void)state;
	stage.more_bytes = SWP_LIMIT_METRICS_BYTES;
	assert_answer("GET /metrics" HEAD_END, PARTS(" 500 "));
}

/* --- clients that are not as they should be --- */

static void nonsense(void **state)
{
	static const char *const requests[] = {
		"\r\n\r\n\r\n",
		"GET\r\n\r\n",
		"\x16\x03\x01\x02\x01\x01\xff\xfe\r\n\r\n", /* TLS */
		"GET /metrics HTTP/9.9\r\n\r\n",
		"GET /metrics HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
		"GET /metrics HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(requests); i++) {
		struct swp_buf answer = {0};
		int fd = connect_client();

		send_text(fd, requests[i]);
		shutdown(fd, SHUT_WR);
		read_all(fd, &answer); /* closed, with or without an answer */
		if (answer.length)
			assert_int_equal(strncmp(swp_buf_text(&answer), "HTTP/1.", 7), 0);
		swp_buf_done(&answer);
	}
	assert_answer("GET /healthz" HEAD_END, PARTS(" 200 "));
}

static void a_head_without_end(void **state)
{
	struct swp_buf answer = {0};
	char line[1024];
	size_t sent = 0;
	int fd = connect_client();

	(void)state;
	send_text(fd, "GET /metrics HTTP/1.1\r\n");
	memset(line, 'h', sizeof(line) - 3);
	memcpy(line + 1, ": ", 2);
	memcpy(line + sizeof(line) - 3, "\r\n", 3);
	while (look(fd, &answer) && answer.length == 0) {
		send(fd, line, strlen(line), MSG_NOSIGNAL);
		sent += strlen(line);
		assert_true(sent < 10 * SWP_LIMIT_METRICS_CONNECTION_BYTES);
		step(2);
	}
	assert_true(sent > SWP_LIMIT_METRICS_CONNECTION_BYTES / 2);
	swp_buf_done(&answer);
	close(fd);
	assert_answer("GET /healthz" HEAD_END, PARTS(" 200 "));
}

/* A byte now and then keeps nobody here longer than a connection may be. */
static void a_slow_client(void **state)
{
	static const char request[] = "GET /metrics HTTP/1.1\r\nHost: slow\r\nX: ";
	struct swp_buf answer = {0};
	int fd = connect_client();

	(void)state;
	for (size_t i = 0; i < sizeof(request) - 1; i++) {
		assert_int_equal(send(fd, request + i, 1, MSG_NOSIGNAL), 1);
		step(1);
		ahead_ms += SWP_LIMIT_METRICS_CONNECTION_MS / 2 / (int64_t)sizeof(request);
	}
	step(2);
	assert_true(look(fd, &answer));				/* half of its time: it is still here */
	assert_answer("GET /healthz" HEAD_END, PARTS(" 200 ")); /* and nobody waits for it */
	send_text(fd, "x");
	step(1);
	ahead_ms += SWP_LIMIT_METRICS_CONNECTION_MS / 2 + 1000;
	step(4);
	assert_false(look(fd, &answer));
	assert_int_equal(answer.length, 0);
	close(fd);
	swp_buf_done(&answer);
}

static void a_client_that_does_not_read(void **state)
{
	struct swp_buf answer = {0};
	int fd = connect_client();

	(void)state;
	stage.more_bytes = SWP_LIMIT_METRICS_BYTES / 2; /* more than sockets hold */
	send_text(fd, "GET /metrics" HEAD_END);
	step(20);
	assert_answer("GET /healthz" HEAD_END, PARTS(" 200 "));
	ahead_ms += SWP_LIMIT_METRICS_CONNECTION_MS + 100;
	step(20);
	while (look(fd, &answer))
		step(1);
	assert_true(answer.length < stage.more_bytes);
	close(fd);
	swp_buf_done(&answer);
}

static void a_large_answer_is_whole(void **state)
{
	struct swp_buf answer = {0};
	int fd = connect_client();

	(void)state;
	stage.more_bytes = SWP_LIMIT_METRICS_BYTES / 2;
	send_text(fd, "GET /metrics" HEAD_END);
	read_all(fd, &answer);
	assert_true(answer.length > stage.more_bytes);
	assert_string_equal(answer.data + answer.length - 16, "0123456789abcde\n");
	swp_buf_done(&answer);
}

/* Those above the ceiling wait until there is room, and then are served at once. */
static void too_many_connections(void **state)
{
	int idle[SWP_LIMIT_METRICS_CONNECTIONS], waiting;
	struct swp_buf answer = {0};

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(idle); i++) {
		idle[i] = connect_client();
		send_text(idle[i], "GET /metr");
		step(1);
	}
	waiting = connect_client();
	send_text(waiting, "GET /healthz" HEAD_END);
	step(40);
	assert_true(look(waiting, &answer));
	assert_int_equal(answer.length, 0);
	close(idle[0]);
	step(10);
	look(waiting, &answer);
	assert_non_null(strstr(swp_buf_text(&answer), "200 OK"));
	/* And if none of them goes by itself, its time ends. */
	close(waiting);
	idle[0] = connect_client();
	waiting = connect_client();
	send_text(waiting, "GET /healthz" HEAD_END);
	swp_buf_clear(&answer);
	step(10);
	assert_int_equal(answer.length, 0);
	ahead_ms += SWP_LIMIT_METRICS_CONNECTION_MS + 100;
	step(20);
	look(waiting, &answer);
	assert_non_null(strstr(swp_buf_text(&answer), "200 OK"));
	for (size_t i = 0; i < SWP_ARRAY_SIZE(idle); i++)
		close(idle[i]);
	close(waiting);
	swp_buf_done(&answer);
}

static void freed_with_open_connections(void **state)
{
	struct swp_problem problem;
	int half = connect_client(), silent = connect_client(), unread = connect_client();

	(void)state;
	stage.more_bytes = SWP_LIMIT_METRICS_BYTES / 2;
	send_text(half, "GET /metrics HTTP/1.1\r\n");
	send_text(unread, "GET /metrics" HEAD_END);
	step(10);
	swp_metrics_server_free(stage.server);
	stage.server = try_address("127.0.0.1:0", &problem);
	assert_non_null(stage.server);
	swp_metrics_server_free(NULL);
	close(half);
	close(silent);
	close(unread);
}

/* Waiting costs nothing: the loop is not kept busy. */
static void an_idle_server_is_idle(void **state)
{
	int fd = connect_client();
	unsigned rounds = 0;
	int64_t end;

	(void)state;
	send_text(fd, "GET /");
	step(4);
	end = moved_ms(NULL) + 200;
	while (moved_ms(NULL) < end) {
		swp_loop_step(stage.loop, 50);
		rounds++;
	}
	assert_true(rounds < 20);
	close(fd);
}

/* What is started meanwhile inherits none of it. */
static void descriptors_close_on_exec(void **state)
{
	int fd = connect_client();
	DIR *folder = opendir("/proc/self/fd");

	(void)state;
	send_text(fd, "GET /");
	step(4);
	assert_non_null(folder);
	for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
		char target[64] = "", path[300];
		uint64_t number = 0;

		if (swp_parse_u64(entry->d_name, INT32_MAX, &number) < 0)
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%s", entry->d_name);
		if (readlink(path, target, sizeof(target) - 1) > 0 && number > 2 &&
			(strncmp(target, "socket:", 7) == 0 || strstr(target, "epoll")))
			assert_true(fcntl((int)number, F_GETFD) & FD_CLOEXEC);
	}
	closedir(folder);
	close(fd);
}

/* --- addresses --- */

static void addresses(void **state)
{
	static const struct {
		const char *text, *host; /* NULL: none */
		uint16_t port;
	} cases[] = {
		{"127.0.0.1:9717", "127.0.0.1", 9717},
		{"[::1]:9717", "::1", 9717},
		{":9717", "", 9717},
		{"metrics.internal:0", "metrics.internal", 0},
		{"", NULL, 0},
		{"9717", NULL, 0},
		{"127.0.0.1", NULL, 0},
		{"127.0.0.1:", NULL, 0},
		{"127.0.0.1:65536", NULL, 0},
		{"127.0.0.1:-1", NULL, 0},
		{"127.0.0.1:http", NULL, 0},
		{"::1:9717", NULL, 0},
		{"[::1]", NULL, 0},
		{"[]:9717", NULL, 0},
		{"[::1:9717", NULL, 0},
		{"::1]:9717", NULL, 0},
		{"http://host:9717", NULL, 0},
		{"user@host:9717", NULL, 0},
		{"a b:9717", NULL, 0},
	};
	char long_name[400];

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(cases); i++) {
		struct swp_metrics_address address;
		struct swp_problem problem = {""};
		int error = swp_metrics_address_parse(cases[i].text, &address, &problem);

		if (!cases[i].host) {
			if (error != -EINVAL)
				fail_msg("%s was taken", cases[i].text);
			assert_non_null(strstr(problem.text, "[")); /* says how one looks */
			continue;
		}
		assert_int_equal(error, 0);
		assert_string_equal(address.host, cases[i].host);
		assert_int_equal(address.port, cases[i].port);
	}
	memset(long_name, 'n', sizeof(long_name));
	memcpy(long_name + sizeof(long_name) - 6, ":9717", 6);
	assert_int_equal(
		swp_metrics_address_parse(long_name, &(struct swp_metrics_address){""}, NULL), -EINVAL);
}

static void assert_refused(const char *address, const char *words)
{
	struct swp_problem problem = {""};
	struct swp_metrics_server *server = try_address(address, &problem);

	assert_null(server);
	if (!strstr(problem.text, words))
		fail_msg("%s: %s", address, problem.text);
}

static void addresses_that_can_not_be_had(void **state)
{
	(void)state;
	assert_refused(swp_metrics_server_address(stage.server), "another program listens there");
	assert_refused("192.0.2.1:0", "no address of this host"); /* RFC 5737: nobody's */
	assert_refused("nowhere", "HOST:PORT");
}

static void all_addresses_and_ipv6(void **state)
{
	static const char *const texts[] = {":0", "[::1]:0", "localhost:0"};

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(texts); i++) {
		struct swp_problem problem = {""};
		struct swp_metrics_server *server = try_address(texts[i], &problem);

		if (!server && i == 1) { /* a host without IPv6 */
			assert_non_null(strstr(problem.text, "can't serve metrics on [::1]:0"));
			continue;
		}
		if (!server)
			fail_msg("%s: %s", texts[i], problem.text);
		assert_true(port_of(swp_metrics_server_address(server)) > 0);
		if (i != 2) { /* which of its addresses localhost is first is the host's business */
			swp_metrics_server_free(server);
			if (i == 0) { /* an IPv4 client finds the one that listens on all */
				swp_metrics_server_free(stage.server);
				stage.server = try_address(":0", &problem);
				assert_answer("GET /healthz" HEAD_END, PARTS(" 200 "));
			}
			continue;
		}
		swp_metrics_server_free(server);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(routes),
		TEST(methods),
		TEST(above_the_ceiling_of_the_text),
		TEST(nonsense),
		TEST(a_head_without_end),
		TEST(a_slow_client),
		TEST(a_client_that_does_not_read),
		TEST(a_large_answer_is_whole),
		TEST(too_many_connections),
		TEST(freed_with_open_connections),
		TEST(an_idle_server_is_idle),
		TEST(descriptors_close_on_exec),
		TEST(addresses),
		TEST(addresses_that_can_not_be_had),
		TEST(all_addresses_and_ipv6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
