/* The HTTP client against a scripted server: what is sent, every way an exchange can end, reuse, ceilings, cancelling. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/base/clock.h"
#include "proto/base/limits.h"
#include "proto/io/http.h"
#include "proto/io/lookup.h"
#include "tests/unit/scripted-server.h"

/* A label is too long: the C library's resolver refuses the name itself, and asks nobody (who may not answer here). */
#define NO_HOST "no-such-host-no-such-host-no-such-host-no-such-host-no-such-host.invalid"

struct result {
	struct swp_http_exchange exchange;
	bool done;
	enum swp_http_failure failure;
	int status, proxy_status;
	char text[256], body[256], request_id[128], error_type[256], content_type[128], date[64],
		retry_after[32], region[64];
	size_t body_length;
	/* a call-back that goes on */
	struct swp_http_client *client;
	const struct swp_http_request *again;
	struct result *to_cancel;
	int rounds;
};

static struct swp_loop *loop;

static void on_done(struct swp_http_exchange *exchange, const struct swp_http_response *response)
{
	struct result *result = SWP_CONTAINER_OF(exchange, struct result, exchange);

	assert_null(exchange->internal);
	result->done = true;
	result->failure = response->failure;
	result->status = response->status;
	result->proxy_status = response->proxy_status;
	result->body_length = response->body_length;
	snprintf(result->text, sizeof(result->text), "%s", response->failure_text);
	snprintf(result->body, sizeof(result->body), "%s", response->body);
	snprintf(result->request_id, sizeof(result->request_id), "%s", response->request_id);
	snprintf(result->error_type, sizeof(result->error_type), "%s", response->error_type);
	snprintf(result->content_type, sizeof(result->content_type), "%s", response->content_type);
	snprintf(result->date, sizeof(result->date), "%s", response->date);
	snprintf(result->retry_after, sizeof(result->retry_after), "%s", response->retry_after);
	snprintf(result->region, sizeof(result->region), "%s", response->location_region);
	if (result->to_cancel != NULL)
		swp_http_cancel(&result->to_cancel->exchange);
	if (result->rounds-- > 0) {
		result->done = false;
		assert_int_equal(swp_http_start(result->client, result->again, exchange, on_done), 0);
	}
}

static void run_until(const bool *done)
{
	for (int i = 0; i < 20000 && !*done; i++)
		assert_int_equal(swp_loop_step(loop, 100), 0);
	assert_true(*done);
}

static int setup(void **state)
{
	(void)state;
	loop = swp_loop_new(swp_clock_system());
	return loop == NULL;
}

static int teardown(void **state)
{
	(void)state;
	swp_loop_free(loop);
	return 0;
}

static struct swp_http_client *client_new(const char *ca_file)
{
	struct swp_http_options options = {.ca_file = ca_file, .user_agent = "orgsweep/test"};
	struct swp_problem problem = {{0}};
	struct swp_http_client *client = swp_http_client_new(loop, &options, &problem);

	if (client == NULL)
		fail_msg("%s", problem.text);
	return client;
}

static const char *url_of(const struct scripted_server *server, bool tls, const char *rest)
{
	static char url[256];

	snprintf(url, sizeof(url), "%s://127.0.0.1:%d%s", tls ? "https" : "http",
		scripted_server_port(server), rest);
	return url;
}

static void exchange(
	struct swp_http_client *client, const struct swp_http_request *request, struct result *result)
{
	memset(result, 0, sizeof(*result));
	assert_int_equal(swp_http_start(client, request, &result->exchange, on_done), 0);
	assert_false(result->done); /* later, never from inside */
	assert_non_null(result->exchange.internal);
	run_until(&result->done);
}

/* --- what goes out and what comes in --- */

static void plain_answer(void **state)
{
	static const struct scripted_step steps[] = {
		{.status = 400,
			.headers = "X-Amzn-RequestId:  r-1 \r\nx-amzn-ErrorType: T:http://x\r\nContent-Type: "
				   "application/json\r\nDate: Mon, 23 Nov 2026 "
				   "05:00:00 GMT\r\nx-amz-retry-after: 700\r\nx-amz-bucket-region: "
				   "eu-west-1\r\nX-Other: y\r\n",
			.body = "{\"a\":1}"},
		{.status = 200},
	};
	struct scripted_server *server = scripted_server_start(steps, 2, false);
	struct swp_http_client *client = client_new(NULL);
	const struct swp_http_header headers[] = {{"X-Amz-Date", "D"}, {"X-Empty", ""}};
	struct swp_http_request request = {.method = "POST",
		.url = url_of(server, false, "/a/../b%2F?x=1&y"),
		.headers = headers,
		.header_count = 2,
		.body = "{}",
		.body_length = 2};
	struct result result;
	const char *sent;

	(void)state;
	exchange(client, &request, &result);
	assert_int_equal(result.failure, SWP_HTTP_OK);
	assert_int_equal(result.status, 400);
	assert_string_equal(result.body, "{\"a\":1}");
	assert_string_equal(result.request_id, "r-1");
	assert_string_equal(result.error_type, "T:http://x");
	assert_string_equal(result.content_type, "application/json");
	assert_string_equal(result.date, "Mon, 23 Nov 2026 05:00:00 GMT");
	assert_string_equal(result.retry_after, "700");
	assert_string_equal(result.region, "eu-west-1");
	sent = scripted_server_request(server, 0);
	assert_memory_equal(sent, "POST /a/../b%2F?x=1&y HTTP/1.1\r\n", 32); /* as it was signed */
	assert_non_null(strstr(sent, "\r\nX-Amz-Date: D\r\n"));
	assert_non_null(strstr(sent, "\r\nX-Empty:\r\n"));
	assert_non_null(strstr(sent, "\r\nUser-Agent: orgsweep/test\r\n"));
	assert_non_null(strstr(sent, "\r\nContent-Length: 2\r\n"));
	assert_null(strcasestr(sent, "content-type"));
	assert_null(strcasestr(sent, "expect"));
	assert_null(strcasestr(sent, "accept-encoding"));
	assert_non_null(strstr(sent, "\r\n\r\n{}"));
	exchange(client, &request, &result); /* nothing of the first answer is left */
	assert_int_equal(result.status, 200);
	assert_string_equal(result.request_id, "");
	assert_string_equal(result.body, "");
	swp_http_client_free(client);
	scripted_server_stop(server);
}

static void methods(void **state)
{
	static const struct scripted_step steps[] = {{.body = "x"}};
	static const struct {
		const char *method, *body, *starts;
		bool has_length;
	} rows[] = {
		{"GET", NULL, "GET / HTTP/1.1\r\n", false},
		{"PUT", NULL, "PUT / HTTP/1.1\r\n", true},
		{"POST", "abc", "POST / HTTP/1.1\r\n", true},
		{"GET", NULL, "GET / HTTP/1.1\r\n", false},
		{"POST", NULL, "POST / HTTP/1.1\r\n", true},
		{"DELETE", NULL, "DELETE / HTTP/1.1\r\n", false},
		{"GET", NULL, "GET / HTTP/1.1\r\n", false},
	};
	struct scripted_server *server = scripted_server_start(steps, 1, false);
	struct swp_http_client *client = client_new(NULL);

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows);
		i++) { /* on one handle: nothing of the last request may stick */
		struct swp_http_request request = {.method = rows[i].method,
			.url = url_of(server, false, "/"),
			.body = rows[i].body,
			.body_length = rows[i].body != NULL ? strlen(rows[i].body) : 0};
		struct result result;
		const char *sent;

		exchange(client, &request, &result);
		assert_int_equal(result.failure, SWP_HTTP_OK);
		sent = scripted_server_request(server, i);
		assert_memory_equal(sent, rows[i].starts, strlen(rows[i].starts));
		assert_int_equal(strcasestr(sent, "content-length") != NULL, rows[i].has_length);
	}
	assert_int_equal(scripted_server_connections(server), 1);
	swp_http_client_free(client);
	scripted_server_stop(server);
}

static void connections_are_reused(void **state)
{
	static const struct scripted_step steps[] = {{.body = "x"}};
	struct scripted_server *server = scripted_server_start(steps, 1, true);
	struct swp_http_client *client = client_new(scripted_server_ca_file(server));
	struct swp_http_request request = {.method = "GET", .url = url_of(server, true, "/")};
	struct swp_http_statistics statistics;
	struct result result = {.client = client, .again = &request, .rounds = 50};

	(void)state;
	assert_int_equal(swp_http_start(client, &request, &result.exchange, on_done), 0);
	run_until(&result.done);
	assert_int_equal(result.failure, SWP_HTTP_OK);
	assert_int_equal(scripted_server_connections(server), 1);
	swp_http_statistics_get(client, &statistics);
	assert_int_equal(statistics.exchanges, 51);
	assert_int_equal(statistics.connections, 1);
	assert_int_equal(statistics.reused, 50);
	assert_int_equal(statistics.handshakes, 1);
	assert_int_equal(statistics.in_flight, 0);
	assert_true(statistics.bytes_received > 51);
	swp_http_client_free(client);
	scripted_server_stop(server);
}

static void closed_idle_connection(void **state)
{
	static const struct scripted_step steps[] = {{.kind = SCRIPTED_CLOSE_AFTER, .body = "x"}};
	struct scripted_server *server = scripted_server_start(steps, 1, true);
	struct swp_http_client *client = client_new(scripted_server_ca_file(server));
	struct swp_http_request request = {
		.method = "POST", .url = url_of(server, true, "/"), .body = "{}", .body_length = 2};
	struct result result;

	(void)state;
	for (int i = 0; i < 5; i++) {
		exchange(client, &request, &result);
		assert_int_equal(result.failure, SWP_HTTP_OK);
		usleep(20000); /* the server's end arrives */
	}
	swp_http_client_free(client);
	scripted_server_stop(server);
}

/* --- every way to end --- */

static const struct ending {
	const char *name;
	struct scripted_step step;
	enum swp_http_failure failure;
} endings[] = {
	{"half a body", {.kind = SCRIPTED_HALF, .body = "{\"a\":"}, SWP_HTTP_TRUNCATED},
	{"a broken chunk", {.kind = SCRIPTED_BAD_CHUNK}, SWP_HTTP_TRUNCATED},
	{"chunks without end", {.kind = SCRIPTED_CUT_CHUNKS}, SWP_HTTP_TRUNCATED},
	{"no HTTP", {.kind = SCRIPTED_NOT_HTTP}, SWP_HTTP_TRUNCATED},
	{"closed without a byte", {.kind = SCRIPTED_SILENT_END}, SWP_HTTP_RESET},
	{"reset", {.kind = SCRIPTED_RESET}, SWP_HTTP_RESET},
	{"no answer", {.kind = SCRIPTED_HANG}, SWP_HTTP_TIMEOUT},
	{"slow", {.kind = SCRIPTED_ANSWER, .delay_ms = 2000}, SWP_HTTP_TIMEOUT},
	{"a body above the ceiling", {.kind = SCRIPTED_HUGE, .number = 4097}, SWP_HTTP_TOO_LARGE},
	{"a body at the ceiling", {.kind = SCRIPTED_HUGE, .number = 4096}, SWP_HTTP_OK},
	{"headers above the ceiling", {.kind = SCRIPTED_HUGE_HEADER, .number = SWP_LIMIT_HEADER_BYTES + 2000},
		SWP_HTTP_TOO_LARGE},
	{"many headers", {.kind = SCRIPTED_HUGE_HEADER, .number = SWP_LIMIT_HEADER_BYTES - 3000},
		SWP_HTTP_OK},
};

static void each_ending(bool tls)
{
	for (size_t i = 0; i < SWP_ARRAY_SIZE(endings); i++) {
		const struct ending *ending = &endings[i];
		struct scripted_server *server = scripted_server_start(&ending->step, 1, tls);
		struct swp_http_client *client = client_new(tls ? scripted_server_ca_file(server) : NULL);
		struct swp_http_request request = {.method = "GET",
			.url = url_of(server, tls, "/"),
			.timeout_ms = 1000,
			.response_limit_bytes = 4096};
		struct result result;

		exchange(client, &request, &result);
		if (result.failure != ending->failure)
			fail_msg("%s%s: %s (%s), expected %s", ending->name, tls ? " by TLS" : "",
				swp_http_failure_name(result.failure), result.text,
				swp_http_failure_name(ending->failure));
		assert_true((result.failure == SWP_HTTP_OK) == (result.text[0] == '\0'));
		swp_http_client_free(client);
		scripted_server_stop(server);
	}
}

static void endings_plain(void **state)
{
	(void)state;
	each_ending(false);
}

static void endings_tls(void **state)
{
	(void)state;
	each_ending(true);
}

static void not_reachable(void **state)
{
	static const struct scripted_step steps[] = {{.body = "x"}};
	struct scripted_server *server = scripted_server_start(steps, 1, true);
	struct swp_http_client *client = client_new(NULL); /* does not trust the server */
	struct swp_http_request request = {.method = "GET", .url = url_of(server, true, "/")};
	struct result result;
	char url[64];

	(void)state;
	exchange(client, &request, &result);
	assert_int_equal(result.failure, SWP_HTTP_TLS);
	request.url = url_of(server, false, "/"); /* plain text to a TLS port */
	exchange(client, &request, &result);
	assert_int_not_equal(result.failure, SWP_HTTP_OK);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/", scripted_server_port(server));
	scripted_server_stop(server);
	request.url = url;
	exchange(client, &request, &result);
	assert_int_equal(result.failure, SWP_HTTP_CONNECT);
	request.url = "http://" NO_HOST "/";
	exchange(client, &request, &result);
	assert_int_equal(result.failure, SWP_HTTP_RESOLVE);
	swp_http_client_free(client);
}

static void through_a_proxy(void **state)
{
	static const struct scripted_step refuses[] = {
		{.status = 407, .headers = "Proxy-Authenticate: Basic\r\n", .body = "<html>who?</html>"}};
	struct scripted_server *server = scripted_server_start(refuses, 1, false);
	char proxy[64];
	struct swp_http_options options = {.https_proxy = proxy, .no_proxy = "other.test,127.0.0.0/8"};
	struct swp_http_request request = {.method = "GET", .url = "https://aws.test/"};
	struct swp_http_client *client;
	struct result result;

	(void)state;
	snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", scripted_server_port(server));
	client = swp_http_client_new(loop, &options, NULL);
	assert_non_null(client);
	assert_true(swp_http_uses_proxy(client, "aws.test"));
	assert_false(swp_http_uses_proxy(client, "a.other.test:443"));
	exchange(client, &request, &result);
	assert_int_equal(result.failure, SWP_HTTP_PROXY);
	assert_int_equal(result.proxy_status, 407);
	assert_memory_equal(scripted_server_request(server, 0), "CONNECT aws.test:443 ", 21);
	request.direct = true; /* never through it */
	request.url = "https://" NO_HOST "/";
	exchange(client, &request, &result);
	assert_int_equal(result.failure, SWP_HTTP_RESOLVE);
	request.direct = false;
	request.url = url_of(server, false, "/"); /* plain requests go straight */
	exchange(client, &request, &result);
	assert_int_equal(result.status, 407);
	assert_memory_equal(scripted_server_request(server, 1), "GET / ", 6);
	scripted_server_stop(server);
	request.url = "https://aws.test/"; /* the proxy is gone */
	exchange(client, &request, &result);
	assert_int_equal(result.failure, SWP_HTTP_PROXY);
	swp_http_client_free(client);
}

/* The bundle with the company's own authority holds for its proxy, too. */
static void through_a_proxy_by_tls(void **state)
{
	static const struct scripted_step refuses[] = {{.status = 403}};
	struct scripted_server *server = scripted_server_start(refuses, 1, true);
	char proxy[64];
	struct swp_http_options options = {.https_proxy = proxy};
	struct swp_http_request request = {.method = "GET", .url = "https://aws.test/"};
	struct result result;

	(void)state;
	snprintf(proxy, sizeof(proxy), "https://127.0.0.1:%d", scripted_server_port(server));
	for (int own = 0; own < 2; own++) {
		struct swp_http_client *client;

		options.ca_file = own ? scripted_server_ca_file(server) : NULL;
		client = swp_http_client_new(loop, &options, NULL);
		assert_non_null(client);
		exchange(client, &request, &result);
		assert_int_equal(result.failure, own ? SWP_HTTP_PROXY : SWP_HTTP_TLS);
		assert_int_equal(result.proxy_status, own ? 403 : 0);
		swp_http_client_free(client);
	}
	assert_memory_equal(scripted_server_request(server, 0), "CONNECT aws.test:443 ", 21);
	scripted_server_stop(server);
}

/* libcurl quotes a proxy that it can't read, with the password in it. */
static void a_proxy_that_is_none(void **state)
{
	static const char *const rows[] = {"http://user:marker@host:99999", "ftp://user:marker@host",
		"http://user:marker@", "http://user:marker@ho st", "user:marker@[host",
		"http://us%ger:marker@h:x", "socks9://user:marker@h", "http://user:mark\ner@host"};

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		struct swp_http_options options = {.https_proxy = rows[i]};
		struct swp_problem problem = {0};

		assert_null(swp_http_client_new(loop, &options, &problem));
		assert_non_null(strstr(problem.text, "HTTPS_PROXY"));
		assert_null(strstr(problem.text, "mark"));
	}
}

/* --- refusals, cancelling --- */

static void bad_requests(void **state)
{
	struct swp_http_client *client = client_new(NULL);
	const struct swp_http_header bad[] = {{"X", "a\r\nY: b"}, {"X: a", "b"}, {"", "b"}, {"X\n", "b"}};
	static const char *const urls[] = {
		"ftp://host/", "file:///etc/passwd", "host", "http://host/a b", "http://host/\r\nX: y", ""};
	struct swp_http_header many[30];
	struct swp_http_request request = {.method = "GET", .url = "http://127.0.0.1/", .header_count = 1};
	struct result result = {.done = false};

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(bad); i++) {
		request.headers = &bad[i];
		assert_int_equal(swp_http_start(client, &request, &result.exchange, on_done), -EINVAL);
	}
	request.header_count = 0;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(urls); i++) {
		request.url = urls[i];
		assert_int_equal(swp_http_start(client, &request, &result.exchange, on_done), -EINVAL);
	}
	for (size_t i = 0; i < 30; i++)
		many[i] = (struct swp_http_header){"X", "y"};
	request = (struct swp_http_request){
		.method = "GET", .url = "http://127.0.0.1/", .headers = many, .header_count = 30};
	assert_int_equal(swp_http_start(client, &request, &result.exchange, on_done), -EINVAL);
	assert_null(result.exchange.internal);
	swp_http_client_free(client);
}

static void cancelling(void **state)
{
	static const struct scripted_step steps[] = {
		{.kind = SCRIPTED_ANSWER, .body = "x", .delay_ms = 100}, {.kind = SCRIPTED_HANG}};
	struct scripted_server *server = scripted_server_start(steps, 2, false);
	struct swp_http_client *client = client_new(NULL);
	struct swp_http_request request = {.method = "GET", .url = url_of(server, false, "/")};
	struct result first = {.done = false}, second = {.done = false}, third = {.done = false};
	struct swp_http_statistics statistics;

	(void)state;
	first.to_cancel = &second; /* from inside of another's call-back */
	assert_int_equal(swp_http_start(client, &request, &first.exchange, on_done), 0);
	for (int i = 0; scripted_server_requests(server) == 0 && i < 100; i++)
		swp_loop_step(loop, 20);
	assert_int_equal(swp_http_start(client, &request, &second.exchange, on_done), 0);
	assert_int_equal(swp_http_start(client, &request, &third.exchange, on_done), 0);
	swp_http_cancel(&third.exchange); /* before it began */
	swp_http_cancel(&third.exchange);
	run_until(&first.done);
	for (int i = 0; i < 5; i++)
		swp_loop_step(loop, 10);
	assert_false(second.done);
	assert_false(third.done);
	swp_http_statistics_get(client, &statistics);
	assert_int_equal(statistics.in_flight, 0);
	assert_int_equal(
		swp_http_start(client, &request, &second.exchange, on_done), 0); /* freed while one runs */
	swp_loop_step(loop, 10);
	swp_http_client_free(client);
	assert_null(second.exchange.internal);
	assert_false(second.done);
	scripted_server_stop(server);
}

/* How many descriptors of this process are sockets whose other end is that server. */
static size_t connections_to(const struct scripted_server *server)
{
	size_t count = 0;

	for (int fd = 0; fd < 1024; fd++) {
		struct sockaddr_in peer;
		socklen_t length = sizeof(peer);

		count += getpeername(fd, (struct sockaddr *)&peer, &length) == 0 &&
			 peer.sin_family == AF_INET && ntohs(peer.sin_port) == scripted_server_port(server);
	}
	return count;
}

static void resting(void **state)
{
	static const struct scripted_step steps[] = {
		{.body = "x"}, {.body = "y", .delay_ms = 50}, {.body = "z"}, {.body = "again"}};
	struct scripted_server *server = scripted_server_start(steps, 4, true);
	struct swp_http_client *client = client_new(scripted_server_ca_file(server));
	struct swp_http_request request = {.method = "GET", .url = url_of(server, true, "/")};
	struct result result, other = {.done = false};

	(void)state;
	swp_http_rest(client); /* nothing was kept yet */
	exchange(client, &request, &result);
	assert_int_equal(result.failure, SWP_HTTP_OK);
	assert_int_equal(connections_to(server), 1);
	assert_int_equal(swp_http_start(client, &request, &other.exchange, on_done), 0);
	swp_http_rest(client); /* not while one runs */
	run_until(&other.done);
	assert_string_equal(other.body, "y");
	exchange(client, &request, &result);
	assert_int_equal(scripted_server_connections(server), 1);
	swp_http_rest(client);
	assert_int_equal(connections_to(server), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(swp_loop_step(loop, 5), 0);
	exchange(client, &request, &result);
	assert_string_equal(result.body, "again");
	assert_int_equal(scripted_server_connections(server), 2);
	swp_http_client_free(client);
	scripted_server_stop(server);
}

static void ca_files(void **state)
{
	static const struct {
		const char *path, *words;
	} rows[] = {{"/no/such/file.pem", "/no/such/file.pem"}, {"/tmp", "not a file"}, {"/dev/null", ""}};
	char empty[] = "/tmp/empty-ca-XXXXXX";
	int fd = mkstemp(empty);
	struct swp_http_options options = {.ca_file = empty};
	struct swp_problem problem = {{0}};

	(void)state;
	close(fd);
	assert_null(swp_http_client_new(loop, &options, &problem));
	assert_non_null(strstr(problem.text, empty));
	unlink(empty);
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		options.ca_file = rows[i].path;
		assert_null(swp_http_client_new(loop, &options, &problem));
		assert_non_null(strstr(problem.text, rows[i].words));
	}
	swp_http_client_free(NULL);
}

/* --- lookups and NO_PROXY --- */

struct asked {
	struct swp_http_lookup lookup;
	bool done;
	int exists;
};

static void on_exists(struct swp_http_lookup *lookup, int exists)
{
	struct asked *asked = SWP_CONTAINER_OF(lookup, struct asked, lookup);

	assert_null(lookup->internal);
	asked->done = true;
	asked->exists = exists;
}

static void lookups(void **state)
{
	struct swp_http_client *client = client_new(NULL);
	struct asked many[20] = {{.done = false}}, cancelled = {.done = false};
	char long_name[400];

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(many); i++)
		assert_int_equal(swp_http_lookup_start(client, "localhost", &many[i].lookup, on_exists), 0);
	assert_false(many[0].done);
	assert_int_equal(
		swp_http_lookup_start(client, "no-such-host.invalid", &cancelled.lookup, on_exists), 0);
	swp_http_lookup_cancel(&cancelled.lookup);
	swp_http_lookup_cancel(&cancelled.lookup);
	for (size_t i = 0; i < SWP_ARRAY_SIZE(many); i++) {
		run_until(&many[i].done);
		assert_int_equal(many[i].exists, 1);
	}
	many[0].done = false;
	assert_int_equal(
		swp_http_lookup_start(client, "no-such-host.invalid", &many[0].lookup, on_exists), 0);
	run_until(&many[0].done);
	assert_int_not_equal(many[0].exists, 1); /* 0, or -1 where no resolver answers */
	memset(long_name, 'a', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	assert_int_equal(swp_http_lookup_start(client, long_name, &many[0].lookup, on_exists), -EINVAL);
	assert_int_equal(swp_http_lookup_start(client, "", &many[0].lookup, on_exists), -EINVAL);
	assert_int_equal(
		swp_http_lookup_start(client, "no-such-host.invalid", &cancelled.lookup, on_exists), 0);
	swp_http_client_free(client); /* with one running */
	assert_false(cancelled.done);
}

static void no_proxy_rules(void **state)
{
	static const struct {
		const char *no_proxy, *host;
		bool covered;
	} rows[] = {
		{NULL, "a.b", false},
		{"", "a.b", false},
		{"*", "a.b", true},
		{"b", "a.b", true},
		{".b", "a.b", true},
		{"b.", "A.B:443", true},
		{"b", "ab", false},
		{"x, a.b", "a.b", true},
		{"x a.b", "a.b", true},
		{"a.b.c", "b.c", false},
		{"127.0.0.1", "127.0.0.1:8443", true},
		{"127.0.0.0/8", "127.9.9.9", true},
		{"127.0.0.0/8", "128.0.0.1", false},
		{"10.1.2.128/25", "10.1.2.200", true},
		{"10.1.2.128/25", "10.1.2.100", false},
		{"0.0.0.0/0", "10.1.2.100", true},
		{"10.0.0.0/33", "10.0.0.1", false},
		{"::1", "[::1]:443", true},
		{"fd00::/8", "[fd12::1]", true},
		{"fd00::/8", "127.0.0.1", false},
		{"/8", "10.0.0.1", false},
	};

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		if (swp_no_proxy_covers(rows[i].no_proxy, rows[i].host) != rows[i].covered)
			fail_msg("'%s' and %s", rows[i].no_proxy != NULL ? rows[i].no_proxy : "(null)",
				rows[i].host);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_answer),
		cmocka_unit_test(methods),
		cmocka_unit_test(connections_are_reused),
		cmocka_unit_test(closed_idle_connection),
		cmocka_unit_test(endings_plain),
		cmocka_unit_test(endings_tls),
		cmocka_unit_test(not_reachable),
		cmocka_unit_test(through_a_proxy),
		cmocka_unit_test(through_a_proxy_by_tls),
		cmocka_unit_test(a_proxy_that_is_none),
		cmocka_unit_test(bad_requests),
		cmocka_unit_test(cancelling),
		cmocka_unit_test(resting),
		cmocka_unit_test(ca_files),
		cmocka_unit_test(lookups),
		cmocka_unit_test(no_proxy_rules),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
