/* libmicrohttpd polls its sockets with an epoll of its own, whose descriptor is one watch of our loop. What it can't do is bound how long a
 * client stays (its time-out begins anew with each byte): instead, each connection has a timer of ours that shuts its socket down. */
#include "proto/io/metrics-server.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

#define BACKLOG 64
#define METHODS "GET, HEAD"
#define CONTENT_METRICS "text/plain; version=0.0.4; charset=utf-8"
#define CONTENT_TEXT "text/plain; charset=utf-8"

struct connection {
	struct connection *next, *previous;
	struct swp_metrics_server *server;
	struct swp_timer timer; /* its time here is over */
	int fd;			/* libmicrohttpd's */
};

struct swp_metrics_server {
	struct swp_loop *loop;
	struct swp_metrics_server_events events;
	struct MHD_Daemon *daemon;
	struct swp_watch watch;
	struct swp_timer timer; /* when libmicrohttpd wants to be run at the latest */
	struct connection *connections;
	bool closed_one; /* in this run: it looks at its listening socket again only in the next */
	char address[NI_MAXHOST + 16];
};

/* --- addresses --- */

int swp_metrics_address_parse(
	const char *text, struct swp_metrics_address *ret_address, struct swp_problem *problem)
{
	const char *colon = strrchr(text, ':'), *host = text;
	size_t length = colon ? (size_t)(colon - text) : 0;
	uint64_t port = 0;

	if (colon && length >= 2 && text[0] == '[' && colon[-1] == ']') {
		host++;
		length -= 2;
		if (length == 0)
			colon = NULL;
	} else if (colon && memchr(text, ':', length)) {
		return swp_problem_set(problem, -EINVAL,
			"an IPv6 address stands in brackets, as in [::1]:9717, not %s", text);
	}
	if (!colon || length >= sizeof(ret_address->host) || strcspn(host, "[]/@ \t") < length ||
		swp_parse_u64(colon + 1, UINT16_MAX, &port) < 0)
		return swp_problem_set(problem, -EINVAL,
			"an address is HOST:PORT, [IPv6]:PORT or :PORT (all addresses), not %s", text);
	memcpy(ret_address->host, host, length);
	ret_address->host[length] = '\0';
	ret_address->port = (uint16_t)port;
	return 0;
}

static int bind_socket(const struct addrinfo *address, int *ret_fd)
{
	static const int yes = 1, no = 0;
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error;

	if (fd < 0)
		return -errno;
	/* Connections of the last start that are not quite over yet do not hold the port. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (address->ai_family == AF_INET6) /* [::] is all addresses, the IPv4 ones too */
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
	if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0) {
		*ret_fd = fd;
		return 0;
	}
	error = -errno;
	close(fd);
	return error;
}

/* The first that can be bound: of a host without IPv6 its addresses can't. */
static int bind_first(const struct addrinfo *addresses, int *ret_fd)
{
	int error = -EADDRNOTAVAIL;

	for (const struct addrinfo *address = addresses; address; address = address->ai_next) {
		error = bind_socket(address, ret_fd);
		if (error != -EADDRNOTAVAIL && error != -EAFNOSUPPORT)
			break;
	}
	return error;
}

static int look_up(const struct swp_metrics_address *address, struct addrinfo **ret_addresses)
{
	/* All: IPv6 first, as it serves IPv4 too. */
	const struct addrinfo hints = {.ai_family = address->host[0] ? AF_UNSPEC : AF_INET6,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV | (address->host[0] ? 0 : AI_NUMERICHOST)};
	char port[8];

	snprintf(port, sizeof(port), "%u", address->port);
	return getaddrinfo(address->host[0] ? address->host : "::", port, &hints, ret_addresses);
}

static const char *why_not(int error)
{
	switch (error) {
	case -EADDRINUSE:
		return "another program listens there already";
	case -EADDRNOTAVAIL:
		return "it is no address of this host";
	case -EACCES:
		return "ports below 1024 need a right that we do not have";
	default:
		return strerror(-error);
	}
}

static int open_listener(const char *text, int *ret_fd, struct swp_problem *problem)
{
	struct swp_metrics_address address;
	struct addrinfo *addresses = NULL;
	int error = swp_metrics_address_parse(text, &address, problem);

	if (error == 0) {
		int failure = look_up(&address, &addresses);

		if (failure)
			return swp_problem_set(problem, -EHOSTUNREACH,
				"can't serve metrics on %s: the host is not known: %s", text,
				gai_strerror(failure));
		error = bind_first(addresses, ret_fd);
		freeaddrinfo(addresses);
		if (address.host[0] == '\0' && (error == -EADDRNOTAVAIL || error == -EAFNOSUPPORT)) {
			snprintf(address.host, sizeof(address.host), "0.0.0.0");
			if (look_up(&address, &addresses) == 0) {
				error = bind_first(addresses, ret_fd);
				freeaddrinfo(addresses);
			}
		}
		if (error < 0)
			swp_problem_set(
				problem, error, "can't serve metrics on %s: %s", text, why_not(error));
	}
	return error;
}

static void tell_address(struct swp_metrics_server *server, int fd)
{
	struct sockaddr_storage bound;
	socklen_t length = sizeof(bound);
	char host[NI_MAXHOST] = "", port[8] = "";

	if (getsockname(fd, (struct sockaddr *)&bound, &length) == 0)
		getnameinfo((const struct sockaddr *)&bound, length, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(server->address, sizeof(server->address), strchr(host, ':') ? "[%s]:%s" : "%s:%s", host,
		port);
}

/* --- answers --- */

struct answer {
	unsigned status;
	const char *content;
	struct swp_buf body;
};

static void answer_metrics(struct swp_metrics_server *server, struct answer *answer)
{
	int error = server->events.write(server->events.context, &answer->body);

	answer->content = CONTENT_METRICS;
	if (error == 0 && answer->body.failed == 0)
		return;
	swp_buf_clear(&answer->body);
	answer->status = MHD_HTTP_INTERNAL_SERVER_ERROR;
	answer->content = CONTENT_TEXT;
	swp_buf_append_format(
		&answer->body, "the metrics could not be written: %s\n", strerror(error ? -error : ENOMEM));
}

static void answer_health(struct swp_metrics_server *server, struct answer *answer)
{
	(void)server;
	swp_buf_append_text(&answer->body, "ok\n");
}

static void answer_ready(struct swp_metrics_server *server, struct answer *answer)
{
	struct swp_problem why = {""};
	bool ready = server->events.ready(server->events.context, &why) == 0;

	answer->status = ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
	swp_buf_append_format(&answer->body, "%s\n", ready ? "ready" : why.text);
}

static const struct route {
	const char *path;
	void (*answer)(struct swp_metrics_server *server, struct answer *answer);
} routes[] = {
	{"/metrics", answer_metrics},
	{"/healthz", answer_health},
	{"/readyz", answer_ready},
};

static void make_answer(
	struct swp_metrics_server *server, const char *path, const char *method, struct answer *answer)
{
	const struct route *route = NULL;

	for (size_t i = 0; i < SWP_ARRAY_SIZE(routes); i++)
		if (strcmp(routes[i].path, path) == 0)
			route = &routes[i];
	if (!route) {
		answer->status = MHD_HTTP_NOT_FOUND;
		swp_buf_append_text(&answer->body, "there are /metrics, /healthz and /readyz\n");
	} else if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
		answer->status = MHD_HTTP_METHOD_NOT_ALLOWED;
		swp_buf_append_text(&answer->body, "only " METHODS "\n");
	} else {
		route->answer(server, answer);
	}
}

/* The body becomes the response's. */
static enum MHD_Result send_answer(struct MHD_Connection *connection, struct answer *answer)
{
	size_t length = answer->body.length;
	char *body = swp_buf_steal(&answer->body);
	struct MHD_Response *response =
		body ? MHD_create_response_from_buffer_with_free_callback(length, body, swp_free) : NULL;
	enum MHD_Result result = MHD_NO;

	if (!response) {
		swp_free(body);
		return MHD_NO; /* closes the connection */
	}
	if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->content) &&
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close") &&
		(answer->status != MHD_HTTP_METHOD_NOT_ALLOWED ||
			MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, METHODS)))
		result = MHD_queue_response(connection, answer->status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result requested(void *context, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *upload, size_t *upload_length, void **request)
{
	struct answer answer = {.status = MHD_HTTP_OK, .content = CONTENT_TEXT};
	enum MHD_Result result;

	(void)version;
	(void)upload;
	(void)upload_length;
	(void)request;
	swp_buf_init(&answer.body, SWP_LIMIT_METRICS_BYTES);
	make_answer(context, url, method, &answer);
	result = send_answer(connection, &answer);
	swp_buf_done(&answer.body);
	return result;
}

/* --- connections --- */

/* libmicrohttpd sees its end, closes it, and tells us. */
static void time_is_over(struct swp_timer *timer)
{
	shutdown(SWP_CONTAINER_OF(timer, struct connection, timer)->fd, SHUT_RDWR);
}

static void begin_connection(struct swp_metrics_server *server, int fd, void **socket_context)
{
	struct connection *connection = swp_calloc(1, sizeof(*connection));

	*socket_context = connection;
	if (!connection) {
		shutdown(fd, SHUT_RDWR);
		return;
	}
	connection->server = server;
	connection->fd = fd;
	swp_timer_init(&connection->timer, server->loop, time_is_over);
	connection->next = server->connections;
	if (connection->next)
		connection->next->previous = connection;
	server->connections = connection;
	if (swp_timer_start(&connection->timer, SWP_LIMIT_METRICS_CONNECTION_MS) < 0)
		shutdown(fd, SHUT_RDWR);
}

static void end_connection(struct connection *connection)
{
	swp_timer_stop(&connection->timer);
	if (connection->previous)
		connection->previous->next = connection->next;
	else
		connection->server->connections = connection->next;
	if (connection->next)
		connection->next->previous = connection->previous;
	swp_free(connection);
}

static void notified(void *context, struct MHD_Connection *connection, void **socket_context,
	enum MHD_ConnectionNotificationCode code)
{
	struct swp_metrics_server *server = context;
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	if (code == MHD_CONNECTION_NOTIFY_STARTED && info) {
		begin_connection(server, info->connect_fd, socket_context);
	} else if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		server->closed_one = true;
		if (*socket_context)
			end_connection(*socket_context);
		*socket_context = NULL;
	}
}

/* --- on the loop --- */

static void run(struct swp_metrics_server *server)
{
	MHD_UNSIGNED_LONG_LONG wait_ms = 0;

	server->closed_one = false;
	MHD_run(server->daemon);
	if (server->closed_one) /* there is room for one that waits */
		swp_timer_start(&server->timer, 0);
	else if (MHD_get_timeout(server->daemon, &wait_ms) == MHD_YES)
		swp_timer_start(&server->timer, wait_ms < INT32_MAX ? (int64_t)wait_ms : INT32_MAX);
	else
		swp_timer_stop(&server->timer);
}

static void ready(struct swp_watch *watch, uint32_t epoll_events)
{
	(void)epoll_events;
	run(SWP_CONTAINER_OF(watch, struct swp_metrics_server, watch));
}

static void timer_fires(struct swp_timer *timer)
{
	run(SWP_CONTAINER_OF(timer, struct swp_metrics_server, timer));
}

static int start_daemon(struct swp_metrics_server *server, int fd, struct swp_problem *problem)
{
	const union MHD_DaemonInfo *info;
	int error;

	/* It takes the socket over, also where it fails. */
	server->daemon =
		MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, requested, server, MHD_OPTION_LISTEN_SOCKET,
			fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)SWP_LIMIT_METRICS_CONNECTIONS,
			MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)SWP_LIMIT_METRICS_CONNECTION_BYTES,
			MHD_OPTION_NOTIFY_CONNECTION, notified, server, MHD_OPTION_END);
	info = server->daemon ? MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	if (!info)
		return swp_problem_set(problem, -EIO, "the metrics server can't be started");
	error = swp_watch_add(&server->watch, server->loop, info->epoll_fd, EPOLLIN, ready);
	if (error == 0)
		error = swp_timer_start(&server->timer, 0); /* its first run begins to listen */
	return error == 0 ? 0
			  : swp_problem_set(problem, error, "the metrics server can't be started: %s",
				    strerror(-error));
}

struct swp_metrics_server *swp_metrics_server_new(struct swp_loop *loop, const char *address,
	const struct swp_metrics_server_events *events, struct swp_problem *problem)
{
	struct swp_metrics_server *server;
	int fd = -1;

	if (open_listener(address, &fd, problem) < 0)
		return NULL;
	server = swp_calloc(1, sizeof(*server));
	if (!server) {
		close(fd);
		swp_problem_set(problem, -ENOMEM, "out of memory");
		return NULL;
	}
	server->loop = loop;
	server->events = *events;
	server->watch.fd = -1;
	swp_timer_init(&server->timer, loop, timer_fires);
	tell_address(server, fd);
	if (start_daemon(server, fd, problem) < 0) {
		swp_metrics_server_free(server);
		return NULL;
	}
	return server;
}

void swp_metrics_server_free(struct swp_metrics_server *server)
{
	if (!server)
		return;
	swp_watch_remove(&server->watch);
	if (server->daemon)
		MHD_stop_daemon(server->daemon);
	while (server->connections)
		end_connection(server->connections);
	swp_timer_stop(&server->timer);
	swp_free(server);
}

const char *swp_metrics_server_address(const struct swp_metrics_server *server)
{
	return server->address;
}
