/* The HTTPS server. See server.h. */
#include "tests/simulator/server.h"

#include "tests/simulator/request-log.h"
#include "tests/simulator/timers.h"

#include <openssl/bio.h>
#include <openssl/err.h>

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_AT_ONCE 256
#define INPUT_START_BYTES 4096
#define LISTENERS_MAX 16
/* Answers larger than this are not kept as a connection's buffer when they are sent. */
#define OUTPUT_KEPT_BYTES ((size_t)64 << 10)

enum state {
	READING,
	WAITING, /* an answer is there and waits for its time */
	WRITING, /* the socket did not take all of the answer */
	SILENT,	 /* this request is never answered */
};

struct connection {
	struct swp_sim_timer timer;
	struct connection *next, *previous; /* all of them */
	int fd;
	SSL *ssl;
	enum state state;
	enum swp_sim_delivery delivery;
	bool is_drained;    /* the socket had no more bytes when it was last read */
	bool is_shaken;	    /* the TLS handshake is done */
	bool has_continued; /* 100 Continue was sent for the present request */
	bool closes_after;  /* the client asked for the end of the connection */
	struct swp_sim_buffer in;
	struct swp_sim_buffer out;
	size_t out_at;
};

struct swp_sim_server {
	struct swp_sim_server_options options;
	struct swp_sim_dispatcher *dispatcher;
	struct swp_sim_shared *shared;
	struct swp_sim_log *log;
	struct swp_sim_timers timers;
	struct connection *connections;
	BIO_METHOD *method;
	struct swp_sim_request request;
	struct swp_sim_buffer answer;
	uint64_t now_ms; /* monotonic */
	int64_t now_sec; /* wall */
	uint64_t dice;
	int epoll;
	int listeners[LISTENERS_MAX];
	size_t listener_count;
};

/*
 * OpenSSL reads through this, so that a socket which gave fewer bytes than it was asked for is known to be empty:
 * that saves the second recv of each request.
 */
static int bio_read(BIO *bio, char *into, int size)
{
	struct connection *c = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	if (c->is_drained) {
		BIO_set_retry_read(bio);
		return -1;
	}
	ssize_t got = recv(c->fd, into, (size_t)size, 0);
	if (got > 0 && got < size)
		c->is_drained = true;
	if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
		c->is_drained = errno == EAGAIN;
		BIO_set_retry_read(bio);
	}
	return (int)got;
}

static int bio_write(BIO *bio, const char *from, int size)
{
	struct connection *c = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	ssize_t sent = send(c->fd, from, (size_t)size, MSG_NOSIGNAL);
	if (sent < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_write(bio);
	return (int)sent;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH;
}

static uint64_t clock_ms(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void look_at_clocks(struct swp_sim_server *server)
{
	server->now_ms = clock_ms(CLOCK_MONOTONIC);
	server->now_sec = (int64_t)(clock_ms(CLOCK_REALTIME) / 1000);
}

struct swp_sim_server *swp_sim_server_new(const struct swp_sim_server_options *options,
	struct swp_sim_dispatcher *dispatcher, struct swp_sim_shared *shared, struct swp_sim_log *log)
{
	struct swp_sim_server *server = swp_sim_allocate_zeroed(1, sizeof *server);
	*server = (struct swp_sim_server){.options = *options,
		.dispatcher = dispatcher,
		.shared = shared,
		.log = log,
		.dice = options->seed | 1};
	server->epoll = epoll_create1(EPOLL_CLOEXEC);
	server->method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "simulator socket");
	if (server->epoll < 0 || server->method == NULL) {
		swp_sim_server_free(server);
		return NULL;
	}
	BIO_meth_set_read(server->method, bio_read);
	BIO_meth_set_write(server->method, bio_write);
	BIO_meth_set_ctrl(server->method, bio_control);
	return server;
}

static void close_connection(struct swp_sim_server *server, struct connection *c)
{
	swp_sim_timers_remove(&server->timers, &c->timer);
	if (c->state != READING)
		swp_sim_count_present(&server->shared->statistics.in_flight,
			&server->shared->statistics.in_flight_peak, -1);
	swp_sim_count_present(&server->shared->statistics.connections_open,
		&server->shared->statistics.connections_peak, -1);
	SSL_free(c->ssl);
	close(c->fd);
	if (c->next != NULL)
		c->next->previous = c->previous;
	if (c->previous != NULL)
		c->previous->next = c->next;
	else
		server->connections = c->next;
	swp_sim_buffer_done(&c->in);
	swp_sim_buffer_done(&c->out);
	free(c);
}

static void reset_connection(struct swp_sim_server *server, struct connection *c)
{
	struct linger now = {.l_onoff = 1};
	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	close_connection(server, c);
}

static void end_connection(struct swp_sim_server *server, struct connection *c)
{
	if (c->ssl != NULL && c->is_shaken)
		SSL_shutdown(c->ssl);
	close_connection(server, c);
}

void swp_sim_server_free(struct swp_sim_server *server)
{
	if (server == NULL)
		return;
	while (server->connections != NULL)
		close_connection(server, server->connections);
	for (size_t i = 0; i < server->listener_count; i++)
		close(server->listeners[i]);
	if (server->epoll >= 0)
		close(server->epoll);
	BIO_meth_free(server->method);
	swp_sim_timers_done(&server->timers);
	swp_sim_buffer_done(&server->answer);
	free(server);
}

static bool attach_tls(struct swp_sim_server *server, struct connection *c)
{
	if (server->options.tls == NULL)
		return true;
	BIO *bio = BIO_new(server->method);
	c->ssl = SSL_new(server->options.tls);
	if (bio == NULL || c->ssl == NULL) {
		BIO_free(bio);
		return false;
	}
	BIO_set_data(bio, c);
	BIO_set_init(bio, 1);
	SSL_set_bio(c->ssl, bio, bio);
	SSL_set_accept_state(c->ssl);
	return true;
}

static void add_connection(struct swp_sim_server *server, int fd)
{
	int on = 1;
	struct connection *c = swp_sim_allocate_zeroed(1, sizeof *c);
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
	c->fd = fd;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	c->next = server->connections;
	if (c->next != NULL)
		c->next->previous = c;
	server->connections = c;
	swp_sim_count(&server->shared->statistics.connections_accepted);
	swp_sim_count_present(&server->shared->statistics.connections_open,
		&server->shared->statistics.connections_peak, 1);
	if (!attach_tls(server, c) || epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
		close_connection(server, c);
}

static void take_connections(struct swp_sim_server *server, int listener)
{
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return; /* none left, or no descriptors: the event comes again */
		add_connection(server, fd);
	}
}

/* Bytes put into c->in; 0 nothing now, -1 the end. */
static ssize_t read_some(struct connection *c)
{
	swp_sim_buffer_reserve(&c->in, INPUT_START_BYTES);
	char *into = c->in.data + c->in.size;
	size_t room = c->in.capacity - c->in.size;
	if (c->ssl == NULL) {
		ssize_t got = c->is_drained ? -1 : recv(c->fd, into, room, 0);
		if (got < 0 && !c->is_drained && errno != EAGAIN && errno != EINTR)
			return -1;
		c->is_drained = got < (ssize_t)room;
		if (got > 0)
			c->in.size += (size_t)got;
		return got > 0 ? got : got == 0 ? -1 : 0;
	}
	ERR_clear_error();
	int got = SSL_read(c->ssl, into, (int)room);
	if (got > 0) {
		c->in.size += (size_t)got;
		return got;
	}
	int why = SSL_get_error(c->ssl, got);
	return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

/* Bytes taken; 0 not now, -1 the connection is broken. */
static ssize_t write_some(struct connection *c, const char *bytes, size_t size)
{
	if (c->ssl == NULL) {
		ssize_t sent = send(c->fd, bytes, size, MSG_NOSIGNAL);
		return sent >= 0 ? sent : errno == EAGAIN || errno == EINTR ? 0 : -1;
	}
	ERR_clear_error();
	int sent = SSL_write(c->ssl, bytes, (int)(size < INT32_MAX ? size : INT32_MAX));
	if (sent > 0)
		return sent;
	int why = SSL_get_error(c->ssl, sent);
	return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

/* What is left of c->out. False when the connection is gone. */
static bool flush_output(struct swp_sim_server *server, struct connection *c)
{
	while (c->out_at < c->out.size) {
		ssize_t sent = write_some(c, c->out.data + c->out_at, c->out.size - c->out_at);
		if (sent < 0) {
			close_connection(server, c);
			return false;
		}
		if (sent == 0)
			return true;
		c->out_at += (size_t)sent;
	}
	return true;
}

/* The answer is out: ready for the next request, unless this was the last. False when the connection is gone. */
static bool finish_answer(struct swp_sim_server *server, struct connection *c)
{
	struct swp_sim_statistics *statistics = &server->shared->statistics;
	swp_sim_count_present(&statistics->in_flight, &statistics->in_flight_peak, -1);
	c->state = READING;
	c->has_continued = false;
	if (c->out.capacity > OUTPUT_KEPT_BYTES)
		swp_sim_buffer_done(&c->out);
	swp_sim_buffer_clear(&c->out);
	c->out_at = 0;
	if (c->delivery == SWP_SIM_DELIVER && !c->closes_after)
		return true;
	end_connection(server, c);
	return false;
}

static void keep_answer(struct connection *c, struct swp_sim_text answer)
{
	swp_sim_buffer_clear(&c->out);
	swp_sim_buffer_text_put(&c->out, answer);
	c->out_at = 0;
}

/* Sends what is in c->out. False when the connection is gone or waits. */
static bool send_kept(struct swp_sim_server *server, struct connection *c)
{
	c->state = WRITING;
	if (c->delivery == SWP_SIM_CLOSE_BEFORE_ANSWER || c->delivery == SWP_SIM_RESET) {
		if (c->delivery == SWP_SIM_RESET)
			reset_connection(server, c);
		else
			end_connection(server, c);
		return false;
	}
	if (!flush_output(server, c) || c->out_at < c->out.size)
		return false;
	return finish_answer(server, c);
}

static uint64_t latency_of(struct swp_sim_server *server, const struct swp_sim_outcome *outcome)
{
	uint64_t jitter = server->options.latency_jitter_ms, delay = outcome->delay_ms;
	if (outcome->is_control)
		return delay;
	if (jitter != 0) {
		server->dice ^= server->dice << 13;
		server->dice ^= server->dice >> 7;
		server->dice ^= server->dice << 17;
		delay += server->dice % (jitter + 1);
	}
	return delay + server->options.latency_ms;
}

/* Sends an answer, keeps it for later, or drops it. False when the connection is gone or waits. */
static bool deliver(
	struct swp_sim_server *server, struct connection *c, const struct swp_sim_outcome *outcome)
{
	struct swp_sim_text answer = {
		server->answer.data + outcome->start, server->answer.size - outcome->start};
	struct swp_sim_statistics *statistics = &server->shared->statistics;
	uint64_t delay_ms = latency_of(server, outcome);
	c->delivery = outcome->delivery;
	swp_sim_count_present(&statistics->in_flight, &statistics->in_flight_peak, 1);
	if (c->delivery == SWP_SIM_DELIVER_NOTHING) {
		c->state = SILENT;
		return false;
	}
	atomic_fetch_add_explicit(&statistics->bytes_sent, answer.size, memory_order_relaxed);
	if (delay_ms != 0) {
		keep_answer(c, answer);
		c->state = WAITING;
		swp_sim_timers_add(&server->timers, &c->timer, server->now_ms + delay_ms);
		return false;
	}
	if (c->delivery == SWP_SIM_DELIVER) {
		ssize_t sent = write_some(c, answer.at, answer.size);
		if (sent < 0) {
			c->state = WRITING;
			close_connection(server, c);
			return false;
		}
		if ((size_t)sent == answer.size)
			return finish_answer(server, c);
		answer = (struct swp_sim_text){answer.at + sent, answer.size - (size_t)sent};
	}
	keep_answer(c, answer);
	return send_kept(server, c);
}

/* A request that cannot be read is answered and is the last. */
static void refuse_request(struct swp_sim_server *server, struct connection *c, enum swp_sim_http_result why)
{
	struct swp_sim_outcome outcome = {.delivery = SWP_SIM_DELIVER_THEN_CLOSE, .is_control = true};
	int status = why == SWP_SIM_HTTP_TOO_LARGE ? 413 : 400;
	swp_sim_buffer_clear(&server->answer);
	swp_sim_buffer_printf(&server->answer,
		"HTTP/1.1 %d %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status,
		swp_sim_http_reason(status));
	(void)deliver(server, c, &outcome);
}

enum progress {
	SERVED,
	NEEDS_MORE,
	STOPPED, /* the connection waits or is gone: it must not be touched */
};

/* A client that asks first whether it may send its body is told to go on, once. */
static enum progress ask_for_body(struct swp_sim_server *server, struct connection *c)
{
	static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
	if (!server->request.expects_continue || c->has_continued)
		return NEEDS_MORE;
	c->has_continued = true;
	if (write_some(c, line, sizeof line - 1) == (ssize_t)(sizeof line - 1))
		return NEEDS_MORE;
	close_connection(server, c);
	return STOPPED;
}

/* Answers one request of the buffer. */
static enum progress serve_one(struct swp_sim_server *server, struct connection *c)
{
	struct swp_sim_request *request = &server->request;
	if (c->in.size == 0)
		return NEEDS_MORE;
	enum swp_sim_http_result result = swp_sim_http_parse(c->in.data, c->in.size, request);
	if (result == SWP_SIM_HTTP_MORE)
		return ask_for_body(server, c);
	if (result != SWP_SIM_HTTP_COMPLETE) {
		refuse_request(server, c, result);
		return STOPPED;
	}
	struct swp_sim_outcome outcome =
		swp_sim_dispatch(server->dispatcher, request, server->now_sec, &server->answer);
	c->closes_after = !request->keeps_alive;
	if (request->size < c->in.size)
		memmove(c->in.data, c->in.data + request->size, c->in.size - request->size);
	c->in.size -= request->size;
	return deliver(server, c, &outcome) ? SERVED : STOPPED;
}

static void count_handshake(struct swp_sim_server *server, struct connection *c)
{
	if (c->is_shaken || c->ssl == NULL || !SSL_is_init_finished(c->ssl))
		return;
	c->is_shaken = true;
	swp_sim_count(&server->shared->statistics.tls_handshakes);
	if (SSL_session_reused(c->ssl))
		swp_sim_count(&server->shared->statistics.tls_resumed);
}

/* Reads and answers until the socket has no more, or an answer has to wait. */
static void serve(struct swp_sim_server *server, struct connection *c)
{
	for (;;) {
		enum progress progress = serve_one(server, c);
		if (progress == STOPPED)
			return;
		if (progress == SERVED)
			continue;
		ssize_t got = read_some(c);
		count_handshake(server, c);
		if (got < 0) {
			end_connection(server, c);
			return;
		}
		if (got == 0)
			return;
	}
}

static void on_event(struct swp_sim_server *server, struct connection *c, uint32_t events)
{
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		c->is_drained = false;
	if (c->state == WAITING || c->state == SILENT) {
		if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
			close_connection(server, c); /* the client has given up */
		return;
	}
	if (c->state == WRITING && !send_kept(server, c))
		return;
	serve(server, c);
}

static void on_timer(struct swp_sim_server *server, struct connection *c)
{
	if (c->state == WAITING && send_kept(server, c))
		serve(server, c);
}

static bool is_listener(struct swp_sim_server *server, const void *pointer)
{
	return pointer >= (const void *)server->listeners &&
	       pointer < (const void *)(server->listeners + LISTENERS_MAX);
}

int swp_sim_server_add_listener(struct swp_sim_server *server, int fd)
{
	if (server->listener_count == LISTENERS_MAX) {
		errno = ENOSPC;
		return -1;
	}
	int *place = &server->listeners[server->listener_count];
	struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = place};
	*place = fd;
	if (epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
		return -1;
	server->listener_count++;
	return 0;
}

/* Milliseconds until the next timer; -1 when there is none. */
static int wait_ms(struct swp_sim_server *server)
{
	uint64_t next;
	if (!swp_sim_timers_next(&server->timers, &next))
		return -1;
	return next <= server->now_ms	       ? 0
	       : next - server->now_ms > 60000 ? 60000
					       : (int)(next - server->now_ms);
}

int swp_sim_server_run(struct swp_sim_server *server, const volatile sig_atomic_t *stop)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	struct swp_sim_timer *due;
	look_at_clocks(server);
	while (!*stop) {
		int count = epoll_wait(server->epoll, events, EVENTS_AT_ONCE, wait_ms(server));
		if (count < 0 && errno != EINTR)
			return -1;
		look_at_clocks(server);
		for (int i = 0; i < count; i++) {
			if (is_listener(server, events[i].data.ptr))
				take_connections(server, *(int *)events[i].data.ptr);
			else
				on_event(server, events[i].data.ptr, events[i].events);
		}
		while ((due = swp_sim_timers_pop(&server->timers, server->now_ms)) != NULL)
			on_timer(server, (struct connection *)due); /* the timer is its first member */
		if (count < EVENTS_AT_ONCE)
			swp_sim_log_flush(server->log);
	}
	return 0;
}

/* HOST:PORT, HOST in brackets for IPv6. */
static struct addrinfo *resolve(const char *where, struct swp_sim_buffer *error)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV},
			*found = NULL;
	const char *colon = strrchr(where, ':');
	struct swp_sim_text host = {where, colon ? (size_t)(colon - where) : 0};
	if (colon == NULL) {
		swp_sim_buffer_printf(error, "--listen %s: HOST:PORT is asked for", where);
		return NULL;
	}
	if (host.size > 1 && host.at[0] == '[')
		host = (struct swp_sim_text){host.at + 1, host.size - 2};
	char *name = swp_sim_copy_text(host);
	int result = getaddrinfo(host.size ? name : NULL, colon + 1, &hints, &found);
	free(name);
	if (result != 0)
		swp_sim_buffer_printf(error, "--listen %s: %s", where, gai_strerror(result));
	return result == 0 ? found : NULL;
}

static int port_of(int fd)
{
	struct sockaddr_storage address = {0};
	socklen_t size = sizeof address;
	char port[8] = "0";
	uint64_t number = 0;
	getsockname(fd, (struct sockaddr *)&address, &size);
	getnameinfo((struct sockaddr *)&address, size, NULL, 0, port, sizeof port, NI_NUMERICSERV);
	(void)swp_sim_text_number(swp_sim_text_of(port), &number);
	return (int)number;
}

int swp_sim_listen(const char *where, bool is_shared, struct swp_sim_buffer *error, int *ret_port)
{
	int on = 1;
	struct addrinfo *found = resolve(where, error);
	if (found == NULL)
		return -1;
	int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
		if (is_shared)
			setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
	}
	if (fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, 4096) != 0) {
		swp_sim_buffer_printf(error, "cannot listen at %s: %m", where);
		if (fd >= 0)
			close(fd);
		fd = -1;
	} else {
		*ret_port = port_of(fd);
	}
	freeaddrinfo(found);
	return fd;
}
