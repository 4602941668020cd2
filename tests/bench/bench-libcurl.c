/* libcurl alone: the floor under a worker's CPU time. The same requests over keep-alive TLS as a worker's lists, signed once before the
 * clock runs, sent again and again; answers are counted and dropped. What a call takes here no client on libcurl can save.
 * usage: bench-libcurl CALLS IN_FLIGHT HEADER_BYTES
 * HEADER_BYTES is the length of one more header, in place of the session token that a worker sends.
 * The endpoint and keys come from the environment: AWS_ENDPOINT_URL, AWS_CA_BUNDLE, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION.
 */
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "proto/aws/sigv4.h"
#include "proto/base/clock.h"
#include "proto/base/error.h"
#include "proto/base/secret.h"
#include "proto/base/text.h"

enum { MAX_IN_FLIGHT = 512, MAX_HEADER_BYTES = 4096, URL_BYTES = 512 };

/* The three lists that a sweep of the built-in checks makes in each region, and whose answers are of usual length. */
static const struct request_row {
	const char *service, *method, *path, *target, *body;
} rows[] = {
	{"sagemaker", "POST", "/", "SageMaker.ListNotebookInstances", "{}"},
	{"sagemaker", "POST", "/", "SageMaker.ListEndpoints", "{}"},
	{"bedrock", "GET", "/guardrails", NULL, ""},
};

struct prepared {
	char url[URL_BYTES];
	struct curl_slist *headers;
};

struct bench {
	struct prepared requests[SWP_ARRAY_SIZE(rows)];
	unsigned long wanted, started, answered, good, connections;
	unsigned long long bytes;
	CURLM *multi;
	int epoll_fd;
	int64_t due_ms; /* when libcurl wants to look at its time-outs; -1: it does not */
};

static const char *from_environment(const char *name)
{
	const char *value = getenv(name);

	return value != NULL ? value : "";
}

static void add_header(struct prepared *request, const char *name, const char *value)
{
	char line[MAX_HEADER_BYTES + 64];

	snprintf(line, sizeof(line), "%s: %s", name, value);
	request->headers = curl_slist_append(request->headers, line);
}

static int sign(const struct request_row *row, const struct swp_secret *secret, struct prepared *request)
{
	const char *endpoint = from_environment("AWS_ENDPOINT_URL"), *region = from_environment("AWS_REGION");
	struct swp_sign_header headers[3] = {
		{"host", strstr(endpoint, "://") ? strstr(endpoint, "://") + 3 : ""}};
	struct swp_sign_request to_sign = {.method = row->method,
		.path = row->path,
		.query = "",
		.headers = headers,
		.header_count = 1,
		.body = row->body,
		.body_length = strlen(row->body)};
	struct swp_signature signature;
	struct swp_signing_key key;
	int64_t now_ms = swp_clock_wall_ms(swp_clock_system());
	char day[SWP_TIME_TEXT_BYTES];
	int error;

	swp_time_format_basic(now_ms, day);
	day[8] = '\0';
	swp_signature_init(&signature);
	if (row->target != NULL) {
		headers[to_sign.header_count++] =
			(struct swp_sign_header){"content-type", "application/x-amz-json-1.1"};
		headers[to_sign.header_count++] = (struct swp_sign_header){"x-amz-target", row->target};
	}
	error = swp_signing_key_derive(secret, day, region, row->service, &key);
	if (error == 0)
		error = swp_sigv4_sign(
			&to_sign, from_environment("AWS_ACCESS_KEY_ID"), "", &key, now_ms, &signature);
	if (error == 0) {
		snprintf(request->url, sizeof(request->url), "%s%s", endpoint, row->path);
		add_header(request, "X-Amz-Date", signature.date);
		add_header(request, "Authorization", swp_buf_text(&signature.authorization));
		for (size_t i = 1; i < to_sign.header_count; i++)
			add_header(request, headers[i].name, headers[i].value);
	}
	swp_signature_done(&signature);
	swp_wipe(&key, sizeof(key));
	return error;
}

static int prepare(struct bench *bench, size_t header_bytes)
{
	const char *secret_text = from_environment("AWS_SECRET_ACCESS_KEY");
	struct swp_secret secret = {0};
	char filler[MAX_HEADER_BYTES + 1];
	int error = swp_secret_set(&secret, secret_text, strlen(secret_text));

	memset(filler, 't', header_bytes);
	filler[header_bytes] = '\0';
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows) && error == 0; i++) {
		error = sign(&rows[i], &secret, &bench->requests[i]);
		if (error == 0 && header_bytes > 0)
			add_header(&bench->requests[i], "X-Filler", filler);
	}
	swp_secret_set(&secret, NULL, 0);
	return error;
}

static size_t count_bytes(char *bytes, size_t size, size_t count, void *context)
{
	(void)bytes;
	((struct bench *)context)->bytes += size * count;
	return size * count;
}

static CURL *new_handle(struct bench *bench)
{
	CURL *easy = curl_easy_init();

	if (easy == NULL)
		exit(1);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_CAINFO, from_environment("AWS_CA_BUNDLE"));
	curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "orgsweep/bench");
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, count_bytes);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, bench);
	return easy;
}

static void start(struct bench *bench, CURL *easy)
{
	size_t index = bench->started++ % SWP_ARRAY_SIZE(rows);
	bool post = strcmp(rows[index].method, "POST") == 0;

	curl_easy_setopt(easy, CURLOPT_URL, bench->requests[index].url);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, bench->requests[index].headers);
	curl_easy_setopt(easy, post ? CURLOPT_POST : CURLOPT_HTTPGET, 1L);
	if (post)
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, rows[index].body);
	curl_multi_add_handle(bench->multi, easy);
}

static void finished(struct bench *bench, const CURLMsg *message)
{
	CURL *easy = message->easy_handle;
	long status = 0, connects = 0;

	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connects);
	bench->answered++;
	bench->good += message->data.result == CURLE_OK && status == 200;
	bench->connections += (unsigned long)connects;
	curl_multi_remove_handle(bench->multi, easy);
	if (bench->started < bench->wanted)
		start(bench, easy);
}

/* --- libcurl's sockets in epoll --- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *known)
{
	struct bench *bench = context;
	struct epoll_event event = {.data.fd = fd};

	(void)easy;
	if (what == CURL_POLL_REMOVE)
		return epoll_ctl(bench->epoll_fd, EPOLL_CTL_DEL, fd, NULL) < 0 && errno != EBADF &&
				       errno != ENOENT
			       ? -1
			       : 0;
	event.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
	if (known == NULL)
		curl_multi_assign(bench->multi, fd, bench);
	return epoll_ctl(bench->epoll_fd, known != NULL ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
}

static int on_timeout(CURLM *multi, long timeout_ms, void *context)
{
	(void)multi;
	((struct bench *)context)->due_ms =
		timeout_ms < 0 ? -1 : swp_clock_monotonic_ms(swp_clock_system()) + timeout_ms;
	return 0;
}

static void wait_and_act(struct bench *bench)
{
	struct epoll_event events[MAX_IN_FLIGHT];
	int64_t left_ms = bench->due_ms - swp_clock_monotonic_ms(swp_clock_system());
	int running, count = epoll_wait(bench->epoll_fd, events, MAX_IN_FLIGHT,
			     bench->due_ms < 0 ? 1000
			     : left_ms > 0     ? (int)left_ms
					       : 0);

	for (int i = 0; i < count; i++)
		curl_multi_socket_action(bench->multi, events[i].data.fd,
			(events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
				(events[i].events & ~(unsigned)EPOLLOUT ? CURL_CSELECT_IN : 0),
			&running);
	if (bench->due_ms >= 0 && swp_clock_monotonic_ms(swp_clock_system()) >= bench->due_ms) {
		bench->due_ms = -1; /* it is told once */
		curl_multi_socket_action(bench->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
}

static void set_up(struct bench *bench)
{
	bench->multi = curl_multi_init();
	bench->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	curl_multi_setopt(bench->multi, CURLMOPT_MAXCONNECTS, 2L * MAX_IN_FLIGHT);
	curl_multi_setopt(bench->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(bench->multi, CURLMOPT_SOCKETDATA, bench);
	curl_multi_setopt(bench->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
	curl_multi_setopt(bench->multi, CURLMOPT_TIMERDATA, bench);
}

static void run(struct bench *bench, unsigned long in_flight)
{
	CURL *handles[MAX_IN_FLIGHT];
	CURLMsg *message;
	int left;

	set_up(bench);
	for (unsigned long i = 0; i < in_flight; i++) {
		handles[i] = new_handle(bench);
		start(bench, handles[i]);
	}
	while (bench->answered < bench->wanted) {
		wait_and_act(bench);
		while ((message = curl_multi_info_read(bench->multi, &left)) != NULL)
			if (message->msg == CURLMSG_DONE)
				finished(bench, message);
	}
	for (unsigned long i = 0; i < in_flight; i++)
		curl_easy_cleanup(handles[i]);
	curl_multi_cleanup(bench->multi);
	close(bench->epoll_fd);
}

static double seconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	static struct bench bench;
	uint64_t calls = 0, in_flight = 0, header_bytes = 0;
	double cpu, wall;

	if (argc != 4 || swp_parse_u64(argv[1], 100000000, &calls) != 0 ||
		swp_parse_u64(argv[2], MAX_IN_FLIGHT, &in_flight) != 0 ||
		swp_parse_u64(argv[3], MAX_HEADER_BYTES, &header_bytes) != 0 || in_flight == 0 ||
		calls < in_flight) {
		fprintf(stderr, "usage: bench-libcurl CALLS IN_FLIGHT HEADER_BYTES\n");
		return 2;
	}
	curl_global_init(CURL_GLOBAL_DEFAULT);
	if (prepare(&bench, header_bytes) != 0) {
		fprintf(stderr, "the requests can't be signed\n");
		return 2;
	}
	bench.wanted = calls;
	cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	wall = seconds(CLOCK_MONOTONIC);
	run(&bench, in_flight);
	cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	wall = seconds(CLOCK_MONOTONIC) - wall;
	printf("{\"calls\": %lu, \"good\": %lu, \"cpu_us\": %.1f, \"wall\": %.3f, \"connections\": %lu, "
	       "\"bytes\": %.0f}\n",
		bench.answered, bench.good, cpu * 1e6 / (double)bench.answered, wall, bench.connections,
		(double)bench.bytes / (double)bench.answered);
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++)
		curl_slist_free_all(bench.requests[i].headers);
	curl_global_cleanup();
	return bench.good == bench.wanted ? 0 : 1;
}
