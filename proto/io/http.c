/* libcurl's multi interface on our loop. What is set once for a handle is set when it is made; handles, their buffers and
 * header lists are kept and used again, since the CPU time of a call is what a sweep is made of.
 */
#include "proto/io/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/base/secret.h"
#include "proto/base/text.h"
#include "proto/io/lookup.h"

enum {
	DNS_CACHE_SECONDS = 300,
	KEEP_BODY_BYTES = 256 << 10, /* a pooled transfer keeps no larger body buffer */
	SPARE_DESCRIPTORS = 256,     /* beside connections: Redis, ZeroMQ, files */
	MAX_REQUEST_HEADERS = 24,
	EXPECT_THRESHOLD_BYTES = 1 << 20, /* from there on libcurl would wait for 100-continue */
};

/* A descriptor that libcurl asks us to watch. It takes a connection out after each call and gives it back with the next one; we
 * leave it in epoll, since that would be two system calls more for each call to AWS. */
struct socket_slot {
	struct swp_watch watch; /* its fd is -1 while it is not in epoll */
	struct swp_http_client *client;
	uint32_t events; /* of epoll */
	bool connection; /* made by on_new_socket: we are told when it is closed */
	bool wanted;	 /* by libcurl */
};

struct response_headers {
	char request_id[128], error_type[256], content_type[128], date[64], retry_after[32],
		retry_after_seconds[32], location_region[64];
};

struct transfer {
	struct swp_http_client *client;
	CURL *easy;
	struct swp_http_exchange *exchange; /* NULL while idle */
	struct transfer *next, *previous;   /* in the list of running ones, or (next) in the pool */
	struct swp_buf request;		    /* header lines and body of the request, secret */
	struct curl_slist lines[MAX_REQUEST_HEADERS + 3];
	struct swp_buf body;
	struct response_headers headers;
	size_t header_bytes;
	int64_t timeout_ms;
	bool too_large, headers_done, proxied, proxied_before;
	char error_text[CURL_ERROR_SIZE];
};

struct swp_http_client {
	struct swp_loop *loop;
	CURLM *multi;
	unsigned max_connections;
	struct swp_timer timer;
	char *ca_file, *proxy, *no_proxy, *user_agent;
	struct transfer *running, *idle;
	struct socket_slot **slots; /* by descriptor; NULL where there was none yet */
	size_t slot_count;
	struct swp_lookups *lookups;
	struct swp_buf clean; /* of failure texts */
	struct swp_http_statistics statistics;
};

/* --- names --- */

static const char *const failure_names[] = {
	[SWP_HTTP_OK] = "ok",
	[SWP_HTTP_RESOLVE] = "resolve",
	[SWP_HTTP_CONNECT] = "connect",
	[SWP_HTTP_TLS] = "tls",
	[SWP_HTTP_RESET] = "reset",
	[SWP_HTTP_TRUNCATED] = "truncated",
	[SWP_HTTP_PROXY] = "proxy",
	[SWP_HTTP_TIMEOUT] = "timeout",
	[SWP_HTTP_TOO_LARGE] = "too-large",
	[SWP_HTTP_INTERNAL] = "internal",
};

const char *swp_http_failure_name(enum swp_http_failure failure)
{
	return (size_t)failure < SWP_ARRAY_SIZE(failure_names) ? failure_names[failure] : "internal";
}

/* --- receiving --- */

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
	struct transfer *transfer = context;

	(void)size; /* always 1 */
	if (swp_buf_append(&transfer->body, bytes, count) != 0) {
		transfer->too_large = transfer->body.failed == -E2BIG;
		return 0; /* ends the transfer with CURLE_WRITE_ERROR */
	}
	return count;
}

#define HEADER(header_name, member)                                                                          \
	{                                                                                                    \
		header_name, sizeof(header_name) - 1, offsetof(struct response_headers, member),             \
			sizeof(((struct response_headers *)0)->member)                                       \
	}

static const struct header_row {
	const char *name;
	size_t name_length, offset, size;
} header_rows[] = {
	HEADER("x-amzn-requestid", request_id),
	HEADER("x-amzn-request-id", request_id),
	HEADER("x-amz-request-id", request_id),
	HEADER("x-amzn-errortype", error_type),
	HEADER("content-type", content_type),
	HEADER("date", date),
	HEADER("x-amz-retry-after", retry_after),
	HEADER("retry-after", retry_after_seconds),
	HEADER("x-amz-bucket-region", location_region),
};

static void keep_header(struct transfer *transfer, const char *line, size_t length)
{
	const char *colon = memchr(line, ':', length);
	size_t name_length = colon != NULL ? (size_t)(colon - line) : 0;

	for (size_t i = 0; i < SWP_ARRAY_SIZE(header_rows); i++) {
		const struct header_row *row = &header_rows[i];
		const char *value = line + name_length + 1, *end = line + length;
		char *out = (char *)&transfer->headers + row->offset;

		if (row->name_length != name_length || strncasecmp(row->name, line, name_length) != 0)
			continue;
		while (value < end && (*value == ' ' || *value == '\t'))
			value++;
		while (end > value &&
			(end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' ' || end[-1] == '\t'))
			end--;
		if ((size_t)(end - value) < row->size && memchr(value, '\0', (size_t)(end - value)) == NULL) {
			memcpy(out, value, (size_t)(end - value));
			out[end - value] = '\0';
		}
		return;
	}
}

static void forget_headers(struct transfer *transfer)
{
	char *const fields = (char *)&transfer->headers;

	for (size_t i = 0; i < SWP_ARRAY_SIZE(header_rows); i++)
		fields[header_rows[i].offset] = '\0';
	transfer->headers_done = false;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *context)
{
	struct transfer *transfer = context;

	(void)size;
	transfer->header_bytes += count;
	if (transfer->header_bytes > SWP_LIMIT_HEADER_BYTES) {
		transfer->too_large = true;
		return 0;
	}
	if (count >= 5 && memcmp(bytes, "HTTP/", 5) == 0)
		forget_headers(transfer); /* an interim answer went before */
	else if (count <= 2)
		transfer->headers_done = true;
	else
		keep_header(transfer, bytes, count);
	return count;
}

/* --- how a transfer ended --- */

static const struct failure_row {
	CURLcode code;
	enum swp_http_failure failure;
} failure_rows[] = {
	{CURLE_OK, SWP_HTTP_OK},
	{CURLE_COULDNT_RESOLVE_HOST, SWP_HTTP_RESOLVE},
	{CURLE_COULDNT_RESOLVE_PROXY, SWP_HTTP_PROXY},
	{CURLE_PROXY, SWP_HTTP_PROXY},
	{CURLE_COULDNT_CONNECT, SWP_HTTP_CONNECT},
	{CURLE_INTERFACE_FAILED, SWP_HTTP_CONNECT},
	{CURLE_SSL_CONNECT_ERROR, SWP_HTTP_TLS},
	{CURLE_PEER_FAILED_VERIFICATION, SWP_HTTP_TLS},
	{CURLE_SSL_CERTPROBLEM, SWP_HTTP_TLS},
	{CURLE_SSL_CIPHER, SWP_HTTP_TLS},
	{CURLE_SSL_CACERT_BADFILE, SWP_HTTP_TLS},
	{CURLE_SSL_ISSUER_ERROR, SWP_HTTP_TLS},
	{CURLE_SSL_INVALIDCERTSTATUS, SWP_HTTP_TLS},
	{CURLE_SSL_ENGINE_INITFAILED, SWP_HTTP_TLS},
	{CURLE_USE_SSL_FAILED, SWP_HTTP_TLS},
	{CURLE_GOT_NOTHING, SWP_HTTP_RESET},
	{CURLE_SEND_ERROR, SWP_HTTP_RESET},
	{CURLE_RECV_ERROR, SWP_HTTP_RESET},
	{CURLE_SSL_SHUTDOWN_FAILED, SWP_HTTP_RESET},
	{CURLE_PARTIAL_FILE, SWP_HTTP_TRUNCATED},
	{CURLE_WEIRD_SERVER_REPLY, SWP_HTTP_TRUNCATED}, /* what came is no HTTP */
	{CURLE_UNSUPPORTED_PROTOCOL,
		SWP_HTTP_TRUNCATED}, /* HTTP/0.9; other schemes were refused at the start */
	{CURLE_BAD_CONTENT_ENCODING, SWP_HTTP_TRUNCATED},
	{CURLE_OPERATION_TIMEDOUT, SWP_HTTP_TIMEOUT},
};

static enum swp_http_failure failure_by_code(CURLcode code)
{
	for (size_t i = 0; i < SWP_ARRAY_SIZE(failure_rows); i++) {
		if (failure_rows[i].code == code)
			return failure_rows[i].failure;
	}
	return SWP_HTTP_INTERNAL;
}

static bool was_sent(const struct transfer *transfer)
{
	curl_off_t pretransfer_us = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &pretransfer_us);
	return pretransfer_us > 0;
}

/* libcurl's code alone does not tell everything that our caller must know. */
static enum swp_http_failure refine_failure(
	const struct transfer *transfer, CURLcode code, const struct swp_http_response *response)
{
	enum swp_http_failure failure = failure_by_code(code);

	if (transfer->too_large)
		return SWP_HTTP_TOO_LARGE;
	if (response->proxy_status != 0 && response->proxy_status / 100 != 2)
		return SWP_HTTP_PROXY;
	/* The attempt's time is up, or only the connection's? The latter is a host that is not reachable. */
	if (failure == SWP_HTTP_TIMEOUT && !was_sent(transfer) &&
		response->elapsed_ms + 2 < transfer->timeout_ms)
		failure = SWP_HTTP_CONNECT;
	if (failure == SWP_HTTP_CONNECT && transfer->proxied)
		return SWP_HTTP_PROXY;
	if (failure == SWP_HTTP_RESET && transfer->headers_done &&
		(strstr(transfer->error_text, "chunked") != NULL ||
			strstr(transfer->error_text, "unexpected eof") != NULL))
		return SWP_HTTP_TRUNCATED;
	return failure;
}

static void fill_response(struct transfer *transfer, CURLcode code, struct swp_http_response *response)
{
	struct swp_http_client *client = transfer->client;
	long status = 0, proxy_status = 0;
	curl_off_t elapsed_us = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_CONNECTCODE, &proxy_status);
	curl_easy_getinfo(transfer->easy, CURLINFO_TOTAL_TIME_T, &elapsed_us);
	response->status = (int)status;
	response->proxy_status = (int)proxy_status;
	response->elapsed_ms = elapsed_us / 1000;
	response->failure = refine_failure(transfer, code, response);
	response->failure_text = "";
	if (response->failure != SWP_HTTP_OK) {
		const char *text =
			transfer->error_text[0] != '\0' ? transfer->error_text : curl_easy_strerror(code);

		if (transfer->too_large) /* libcurl knows only that we took no more */
			text = "the answer is larger than orgsweep reads";
		swp_buf_clear(&client->clean);
		swp_text_clean(&client->clean, text, strlen(text));
		response->failure_text = swp_buf_text(&client->clean);
	}
	response->request_id = transfer->headers.request_id;
	response->error_type = transfer->headers.error_type;
	response->content_type = transfer->headers.content_type;
	response->date = transfer->headers.date;
	response->retry_after = transfer->headers.retry_after;
	response->retry_after_seconds = transfer->headers.retry_after_seconds;
	response->location_region = transfer->headers.location_region;
	response->body = swp_buf_text(&transfer->body);
	response->body_length = transfer->body.length;
}

static void count_transfer(struct transfer *transfer)
{
	struct swp_http_statistics *statistics = &transfer->client->statistics;
	curl_off_t handshake_us = 0;
	long connects = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &connects);
	if (connects > 0)
		curl_easy_getinfo(transfer->easy, CURLINFO_APPCONNECT_TIME_T, &handshake_us);
	statistics->handshakes += handshake_us > 0;
	statistics->connections += connects > 0 ? (uint64_t)connects : 0;
	statistics->reused += connects == 0 && transfer->headers_done;
	statistics->bytes_received += transfer->header_bytes + transfer->body.length;
}

/* --- transfers --- */

static void transfer_free(struct transfer *transfer)
{
	curl_easy_cleanup(transfer->easy);
	swp_buf_done(&transfer->request);
	swp_buf_done(&transfer->body);
	swp_free(transfer);
}

/* Takes it out of libcurl and out of the running ones; its buffers stay. */
static void transfer_detach(struct transfer *transfer)
{
	struct swp_http_client *client = transfer->client;

	curl_multi_remove_handle(client->multi, transfer->easy);
	if (transfer->previous != NULL)
		transfer->previous->next = transfer->next;
	else
		client->running = transfer->next;
	if (transfer->next != NULL)
		transfer->next->previous = transfer->previous;
	transfer->next = transfer->previous = NULL;
	transfer->exchange->internal = NULL;
	transfer->exchange = NULL;
	client->statistics.in_flight--;
}

static void transfer_to_pool(struct transfer *transfer)
{
	swp_buf_clear(&transfer->request);
	if (transfer->body.capacity > KEEP_BODY_BYTES)
		swp_buf_done(&transfer->body);
	else
		swp_buf_clear(&transfer->body);
	transfer->next = transfer->client->idle;
	transfer->client->idle = transfer;
}

static void transfer_finish(struct transfer *transfer, CURLcode code)
{
	struct swp_http_exchange *exchange = transfer->exchange;
	struct swp_http_response response;

	fill_response(transfer, code, &response);
	count_transfer(transfer);
	transfer_detach(transfer);
	exchange->done(exchange, &response); /* may start this exchange again, on another transfer */
	transfer_to_pool(transfer);
}

static void drain_finished(struct swp_http_client *client)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
		struct transfer *transfer = NULL;
		CURLcode code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
		transfer_finish(transfer, code); /* `message` is gone now */
	}
}

/* --- libcurl's events --- */

static void on_ready(struct swp_watch *watch, uint32_t events)
{
	struct socket_slot *slot = SWP_CONTAINER_OF(watch, struct socket_slot, watch);
	struct swp_http_client *client = slot->client;
	int mask = 0, running;

	if (!slot->wanted) { /* an unused connection was closed, or has something to say: libcurl looks before it uses it */
		swp_watch_remove(watch);
		return;
	}
	if ((events & (EPOLLIN | EPOLLHUP)) != 0)
		mask |= CURL_CSELECT_IN;
	if ((events & EPOLLOUT) != 0)
		mask |= CURL_CSELECT_OUT;
	if ((events & EPOLLERR) != 0)
		mask |= CURL_CSELECT_ERR;
	curl_multi_socket_action(client->multi, watch->fd, mask, &running);
	drain_finished(client);
}

static struct socket_slot *slot_of(struct swp_http_client *client, curl_socket_t fd)
{
	size_t index = (size_t)fd, count = client->slot_count;

	if (index >= count) {
		struct socket_slot **slots;

		count = index + 64;
		slots = swp_realloc(client->slots, count * sizeof(struct socket_slot *));
		if (slots == NULL)
			return NULL;
		memset(slots + client->slot_count, 0,
			(count - client->slot_count) * sizeof(struct socket_slot *));
		client->slots = slots;
		client->slot_count = count;
	}
	if (client->slots[index] == NULL) {
		client->slots[index] = swp_calloc(1, sizeof(struct socket_slot));
		if (client->slots[index] != NULL) {
			client->slots[index]->client = client;
			client->slots[index]->watch.fd = -1;
		}
	}
	return client->slots[index];
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *socket_context)
{
	struct swp_http_client *client = context;
	struct socket_slot *slot = slot_of(client, fd);
	uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
	int error = 0;

	(void)easy;
	(void)socket_context;
	if (slot == NULL)
		return -1;
	slot->wanted = what != CURL_POLL_REMOVE;
	if (what == CURL_POLL_REMOVE) {
		if (!slot->connection)
			swp_watch_remove(&slot->watch);
		return 0;
	}
	if (slot->watch.fd < 0)
		error = swp_watch_add(&slot->watch, client->loop, fd, events, on_ready);
	else if (slot->events != events)
		error = swp_watch_change(&slot->watch, events);
	slot->events = events;
	return error == 0 ? 0 : -1;
}

static int on_timeout_change(CURLM *multi, long timeout_ms, void *context)
{
	struct swp_http_client *client = context;

	(void)multi;
	if (timeout_ms < 0) {
		swp_timer_stop(&client->timer);
		return 0;
	}
	return swp_timer_start(&client->timer, timeout_ms) == 0 ? 0 : -1;
}

static void on_timer(struct swp_timer *timer)
{
	struct swp_http_client *client = SWP_CONTAINER_OF(timer, struct swp_http_client, timer);
	int running;

	curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	drain_finished(client);
}

/* Connections are not for the children that we start. */
static int on_new_socket(void *context, curl_socket_t fd, curlsocktype purpose)
{
	struct socket_slot *slot = slot_of(context, fd);

	(void)purpose;
	if (slot == NULL)
		return CURL_SOCKOPT_ERROR;
	slot->connection = true;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	return CURL_SOCKOPT_OK;
}

static int on_close_socket(void *context, curl_socket_t fd)
{
	struct socket_slot *slot = slot_of(context, fd);

	if (slot != NULL) { /* always: on_new_socket has made it */
		swp_watch_remove(&slot->watch);
		slot->connection = slot->wanted = false;
	}
	return close(fd);
}

/* --- client --- */

/* Else the first connection would tell it, per call, and without the file's name. */
static int check_ca_file(const char *path, struct swp_problem *problem)
{
	struct stat status;
	SSL_CTX *context;
	int loaded;

	if (stat(path, &status) != 0)
		return swp_problem_set(problem, -errno, "CA bundle %s: %s (AWS_CA_BUNDLE, ca_bundle)", path,
			strerror(errno));
	if (!S_ISREG(status.st_mode) && !S_ISFIFO(status.st_mode))
		return swp_problem_set(problem, -EINVAL,
			"CA bundle %s: not a file; give one PEM file of certificates", path);
	context = SSL_CTX_new(TLS_client_method());
	if (context == NULL)
		return swp_problem_set(problem, -ENOMEM, "out of memory");
	loaded = SSL_CTX_load_verify_file(context, path);
	SSL_CTX_free(context);
	if (loaded != 1)
		return swp_problem_set(problem, -EINVAL,
			"CA bundle %s: cannot be read as PEM certificates (AWS_CA_BUNDLE, ca_bundle)", path);
	return 0;
}

/* NULL, or what is wrong with it. */
static const char *proxy_problem(CURLU *url, const char *proxy)
{
	static const char *const schemes[] = {"http", "https", "socks4", "socks4a", "socks5", "socks5h"};
	static const CURLUPart decoded[] = {CURLUPART_USER, CURLUPART_PASSWORD};
	const char *problem = "its scheme is none of http, https, socks4, socks4a, socks5, socks5h";
	char *part = NULL;

	if (curl_url_set(url, CURLUPART_URL, proxy, CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME) !=
			CURLUE_OK ||
		curl_url_get(url, CURLUPART_SCHEME, &part, 0) != CURLUE_OK)
		return "it is no URL";
	for (size_t i = 0; i < SWP_ARRAY_SIZE(schemes); i++)
		if (strcasecmp(schemes[i], part) == 0)
			problem = NULL;
	curl_free(part);
	for (size_t i = 0; i < SWP_ARRAY_SIZE(decoded); i++) {
		CURLUcode code = curl_url_get(url, decoded[i], &part, CURLU_URLDECODE);

		if (code == CURLUE_OK) {
			swp_wipe(part, strlen(part));
			curl_free(part);
		} else if (code != CURLUE_NO_USER && code != CURLUE_NO_PASSWORD) {
			problem = "its user or password has a wrong percent code or a control character";
		}
	}
	return problem;
}

/* libcurl would tell it per call, and quote it with its password; or, where it can't decode that, go without the proxy. */
static int check_proxy(const char *proxy, struct swp_problem *problem)
{
	CURLU *url = curl_url();
	const char *wrong = url != NULL ? proxy_problem(url, proxy) : NULL;

	if (url == NULL)
		return swp_problem_set(problem, -ENOMEM, "out of memory");
	curl_url_cleanup(url);
	if (wrong != NULL)
		return swp_problem_set(problem, -EINVAL,
			"HTTPS_PROXY can't be used: %s; write it as http://[user:password@]host:port", wrong);
	return 0;
}

/* Each connection is a descriptor, and the usual soft limit of 1,024 is below what we may hold. */
static void raise_descriptor_limit(unsigned connections)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
		limit.rlim_cur >= (rlim_t)connections + SPARE_DESCRIPTORS)
		return;
	limit.rlim_cur = (rlim_t)connections + SPARE_DESCRIPTORS;
	if (limit.rlim_cur > limit.rlim_max)
		limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int copy_text(const char *text, char **ret_copy)
{
	*ret_copy = NULL;
	if (text == NULL || text[0] == '\0')
		return 0;
	*ret_copy = swp_strdup(text);
	return *ret_copy != NULL ? 0 : -ENOMEM;
}

static CURLM *multi_new(struct swp_http_client *client)
{
	CURLM *multi = curl_multi_init();

	if (multi == NULL)
		return NULL;
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, client);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timeout_change);
	curl_multi_setopt(multi, CURLMOPT_TIMERDATA, client);
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)client->max_connections);
	curl_multi_setopt(multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	return multi;
}

static int client_setup(struct swp_http_client *client, const struct swp_http_options *options)
{
	if (copy_text(options->ca_file, &client->ca_file) != 0 ||
		copy_text(options->https_proxy, &client->proxy) != 0 ||
		copy_text(options->no_proxy, &client->no_proxy) != 0 ||
		copy_text(options->user_agent, &client->user_agent) != 0)
		return -ENOMEM;
	client->lookups = swp_lookups_new(client->loop);
	client->max_connections =
		options->max_connections != 0 ? options->max_connections : 2 * SWP_LIMIT_CALLS_IN_FLIGHT;
	client->multi = multi_new(client);
	if (client->lookups == NULL || client->multi == NULL)
		return -ENOMEM;
	raise_descriptor_limit(client->max_connections);
	return 0;
}

struct swp_http_client *swp_http_client_new(
	struct swp_loop *loop, const struct swp_http_options *options, struct swp_problem *problem)
{
	struct swp_http_client *client;

	if (options->ca_file != NULL && options->ca_file[0] != '\0' &&
		check_ca_file(options->ca_file, problem) != 0)
		return NULL;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		swp_problem_set(problem, -EIO, "libcurl cannot be initialized");
		return NULL;
	}
	if (options->https_proxy != NULL && options->https_proxy[0] != '\0' &&
		check_proxy(options->https_proxy, problem) != 0) {
		curl_global_cleanup();
		return NULL;
	}
	client = swp_calloc(1, sizeof(*client));
	if (client != NULL) {
		client->loop = loop;
		swp_timer_init(&client->timer, loop, on_timer);
	}
	if (client == NULL || client_setup(client, options) != 0) {
		swp_problem_set(problem, -ENOMEM, "out of memory");
		swp_http_client_free(client);
		if (client == NULL)
			curl_global_cleanup();
		return NULL;
	}
	return client;
}

static void free_idle(struct swp_http_client *client)
{
	while (client->idle != NULL) {
		struct transfer *transfer = client->idle;

		client->idle = transfer->next;
		transfer_free(transfer);
	}
}

void swp_http_client_free(struct swp_http_client *client)
{
	if (client == NULL)
		return;
	while (client->running != NULL) {
		struct transfer *transfer = client->running;

		transfer_detach(transfer);
		transfer_free(transfer);
	}
	free_idle(client);
	curl_multi_cleanup(client->multi);
	for (size_t i = 0; i < client->slot_count; i++) {
		if (client->slots[i] != NULL)
			swp_watch_remove(&client->slots[i]->watch);
		swp_free(client->slots[i]);
	}
	swp_free(client->slots);
	swp_timer_stop(&client->timer);
	swp_lookups_free(client->lookups);
	swp_buf_done(&client->clean);
	swp_free(client->ca_file);
	if (client->proxy != NULL)
		swp_wipe(client->proxy, strlen(client->proxy)); /* may hold a password */
	swp_free(client->proxy);
	swp_free(client->no_proxy);
	swp_free(client->user_agent);
	swp_free(client);
	curl_global_cleanup();
}

/* libcurl closes what it keeps only with the multi handle itself. */
void swp_http_rest(struct swp_http_client *client)
{
	CURLM *fresh;

	if (client->running != NULL)
		return;
	fresh = multi_new(client);
	if (fresh == NULL)
		return;
	free_idle(client);
	curl_multi_cleanup(client->multi);
	swp_timer_stop(&client->timer); /* it was the old one's */
	client->multi = fresh;
}

/* --- starting --- */

/* What never changes for a handle. CAPATH off: with it libcurl parses all CA files again for each connection (23 ms).
 * QUICK_EXIT: removing a handle must not wait for its resolver thread. */
static bool transfer_setup(struct transfer *transfer)
{
	struct swp_http_client *client = transfer->client;
	CURL *easy = transfer->easy;
	bool ok = true;

#define SET(option, value) (ok = ok && curl_easy_setopt(easy, (option), (value)) == CURLE_OK)
	SET(CURLOPT_PRIVATE, transfer);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_QUICK_EXIT, 1L);
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_PATH_AS_IS, 1L);
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_PROTOCOLS_STR, "https,http");
	SET(CURLOPT_CAPATH, NULL);
	SET(CURLOPT_PROXY_CAPATH, NULL);
	if (client->ca_file != NULL) { /* who has an authority of his own has it for an https:// proxy, too */
		SET(CURLOPT_CAINFO, client->ca_file);
		SET(CURLOPT_PROXY_CAINFO, client->ca_file);
	}
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_DNS_CACHE_TIMEOUT, (long)DNS_CACHE_SECONDS);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_SOCKOPTFUNCTION, on_new_socket);
	SET(CURLOPT_SOCKOPTDATA, client);
	SET(CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
	SET(CURLOPT_CLOSESOCKETDATA, client);
	SET(CURLOPT_PROXY, "");	  /* the environment is the program's business, not libcurl's */
	SET(CURLOPT_NOPROXY, ""); /* which hosts go without one, set_proxy says */
	SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	if (client->user_agent != NULL)
		SET(CURLOPT_USERAGENT, client->user_agent);
	SET(CURLOPT_ERRORBUFFER, transfer->error_text);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, transfer);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, transfer);
#undef SET
	return ok;
}

static struct transfer *transfer_take(struct swp_http_client *client)
{
	struct transfer *transfer = client->idle;

	if (transfer != NULL) {
		client->idle = transfer->next;
		transfer->next = NULL;
		return transfer;
	}
	transfer = swp_calloc(1, sizeof(*transfer));
	if (transfer == NULL)
		return NULL;
	transfer->client = client;
	transfer->request.secret = true;
	transfer->easy = curl_easy_init();
	if (transfer->easy == NULL || !transfer_setup(transfer)) {
		transfer_free(transfer);
		return NULL;
	}
	return transfer;
}

/* Without a branch a byte, so that the compiler takes 32 at once: a session token has a thousand. */
static bool is_clean(const char *text)
{
	size_t length = strlen(text);
	unsigned char bad = 0;

	for (size_t i = 0; i < length; i++)
		bad |= (unsigned char)(((unsigned char)text[i] < 0x20) & (text[i] != '\t'));
	return bad == 0;
}

static bool is_valid(const struct swp_http_request *request)
{
	if (strncmp(request->url, "https://", 8) != 0 && strncmp(request->url, "http://", 7) != 0)
		return false;
	if (!is_clean(request->url) || strchr(request->url, ' ') != NULL ||
		request->header_count > MAX_REQUEST_HEADERS)
		return false;
	for (size_t i = 0; i < request->header_count; i++) {
		const char *name = request->headers[i].name;

		if (name[0] == '\0' || strpbrk(name, ": \t") != NULL || !is_clean(name) ||
			!is_clean(request->headers[i].value))
			return false;
	}
	return true;
}

static size_t request_size(const struct swp_http_request *request)
{
	size_t size = request->body_length + 1;

	for (size_t i = 0; i < request->header_count; i++)
		size += strlen(request->headers[i].name) + strlen(request->headers[i].value) + 3;
	return size;
}

static void add_line(struct transfer *transfer, size_t *count, char *line)
{
	struct curl_slist *row = &transfer->lines[*count];

	row->data = line;
	row->next = NULL;
	if (*count > 0)
		transfer->lines[*count - 1].next = row;
	(*count)++;
}

/* All lines stand in one buffer whose size is reserved before, so that pointers into it stay. libcurl only reads the list. */
static int copy_headers(
	struct transfer *transfer, const struct swp_http_request *request, struct curl_slist **ret_lines)
{
	static char no_expect[] = "Expect:", no_type[] = "Content-Type:";
	bool has_type = false;
	size_t count = 0;

	for (size_t i = 0; i < request->header_count; i++) {
		const struct swp_http_header *header = &request->headers[i];
		size_t start = transfer->request.length;

		has_type = has_type || strcasecmp(header->name, "Content-Type") == 0;
		swp_buf_append_text(&transfer->request, header->name);
		/* libcurl takes "Name:" for "leave it out"; "Name;" sends it empty. */
		swp_buf_append_text(&transfer->request, header->value[0] != '\0' ? ": " : ";");
		swp_buf_append(&transfer->request, header->value, strlen(header->value) + 1);
		if (transfer->request.failed != 0)
			return transfer->request.failed;
		add_line(transfer, &count, transfer->request.data + start);
	}
	if (request->body_length >= EXPECT_THRESHOLD_BYTES)
		add_line(transfer, &count, no_expect);
	if (!has_type && strcmp(request->method, "GET") != 0)
		add_line(transfer, &count, no_type); /* else libcurl says that it is a form */
	*ret_lines = count > 0 ? &transfer->lines[0] : NULL;
	return 0;
}

static int set_method(struct transfer *transfer, const struct swp_http_request *request, const char *body)
{
	CURL *easy = transfer->easy;
	bool get = strcmp(request->method, "GET") == 0, head = strcmp(request->method, "HEAD") == 0;
	bool post = strcmp(request->method, "POST") == 0, put = strcmp(request->method, "PUT") == 0;
	CURLcode code = CURLE_OK;

	if (post || put || request->body_length > 0) {
		code = curl_easy_setopt(easy, CURLOPT_POST, 1L);
		if (code == CURLE_OK)
			code = curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
		if (code == CURLE_OK)
			code = curl_easy_setopt(
				easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length);
	} else {
		code = curl_easy_setopt(easy, head ? CURLOPT_NOBODY : CURLOPT_HTTPGET, 1L);
	}
	if (code == CURLE_OK)
		code = curl_easy_setopt(
			easy, CURLOPT_CUSTOMREQUEST, get || head || post ? NULL : request->method);
	return code == CURLE_OK ? 0 : -ENOMEM;
}

static int set_proxy(struct transfer *transfer, const struct swp_http_request *request)
{
	struct swp_http_client *client = transfer->client;
	bool use = client->proxy != NULL && !request->direct && strncmp(request->url, "https://", 8) == 0;
	size_t host_start = use ? 8 : 0, host_length = strcspn(request->url + host_start, "/?");
	char host[256] = "";

	if (use && host_length < sizeof(host)) {
		memcpy(host, request->url + host_start, host_length);
		host[host_length] = '\0';
	}
	transfer->proxied = use && swp_http_uses_proxy(client, host);
	if (transfer->proxied == transfer->proxied_before)
		return 0;
	transfer->proxied_before = transfer->proxied;
	return curl_easy_setopt(transfer->easy, CURLOPT_PROXY, transfer->proxied ? client->proxy : "") ==
			       CURLE_OK
		       ? 0
		       : -ENOMEM;
}

static int transfer_prepare(struct transfer *transfer, const struct swp_http_request *request)
{
	CURL *easy = transfer->easy;
	struct curl_slist *lines = NULL;
	long connect_ms =
		(long)(request->connect_timeout_ms > 0 ? request->connect_timeout_ms : SWP_LIMIT_CONNECT_MS);
	int error = swp_buf_reserve(&transfer->request, request_size(request));

	transfer->timeout_ms = request->timeout_ms > 0 ? request->timeout_ms : SWP_LIMIT_ATTEMPT_MS;
	transfer->body.limit_bytes =
		request->response_limit_bytes != 0 ? request->response_limit_bytes : SWP_LIMIT_RESPONSE_BYTES;
	transfer->body.secret = request->secret;
	transfer->header_bytes = 0;
	transfer->too_large = false;
	transfer->error_text[0] = '\0';
	forget_headers(transfer);
	if (error == 0)
		error = copy_headers(transfer, request, &lines);
	if (error == 0 && request->body_length > 0)
		error = swp_buf_append(&transfer->request, request->body, request->body_length);
	if (error == 0)
		error = set_method(transfer, request,
			request->body_length > 0
				? transfer->request.data + transfer->request.length - request->body_length
				: "");
	if (error == 0)
		error = set_proxy(transfer, request);
	if (error != 0)
		return error;
	if (curl_easy_setopt(easy, CURLOPT_URL, request->url) != CURLE_OK ||
		curl_easy_setopt(easy, CURLOPT_HTTPHEADER, lines) != CURLE_OK ||
		curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)transfer->timeout_ms) != CURLE_OK ||
		curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms) != CURLE_OK)
		return -ENOMEM;
	return 0;
}

int swp_http_start(struct swp_http_client *client, const struct swp_http_request *request,
	struct swp_http_exchange *exchange,
	void (*done)(struct swp_http_exchange *exchange, const struct swp_http_response *response))
{
	struct transfer *transfer;
	int error;

	if (!is_valid(request))
		return -EINVAL;
	transfer = transfer_take(client);
	if (transfer == NULL)
		return -ENOMEM;
	error = transfer_prepare(transfer, request);
	if (error == 0 && curl_multi_add_handle(client->multi, transfer->easy) != CURLM_OK)
		error = -ENOMEM;
	if (error != 0) {
		transfer_to_pool(transfer);
		return error;
	}
	transfer->next = client->running;
	transfer->previous = NULL;
	if (client->running != NULL)
		client->running->previous = transfer;
	client->running = transfer;
	transfer->exchange = exchange;
	exchange->done = done;
	exchange->internal = transfer;
	client->statistics.exchanges++;
	client->statistics.in_flight++;
	return 0;
}

void swp_http_cancel(struct swp_http_exchange *exchange)
{
	struct transfer *transfer = exchange->internal;

	if (transfer == NULL)
		return;
	transfer_detach(transfer);
	transfer_to_pool(transfer);
}

int swp_http_lookup_start(struct swp_http_client *client, const char *host, struct swp_http_lookup *lookup,
	void (*done)(struct swp_http_lookup *lookup, int exists))
{
	return swp_lookups_start(client->lookups, host, lookup, done);
}

void swp_http_lookup_cancel(struct swp_http_lookup *lookup)
{
	swp_lookups_cancel(lookup);
}

bool swp_http_uses_proxy(const struct swp_http_client *client, const char *host)
{
	return client->proxy != NULL && !swp_no_proxy_covers(client->no_proxy, host);
}

void swp_http_statistics_get(const struct swp_http_client *client, struct swp_http_statistics *ret_statistics)
{
	*ret_statistics = client->statistics;
}
