/* A byte stream to Redis. Addresses of a name are tried one after the other under one time limit. */
#include "proto/io/store-transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/base/alloc.h"
#include "proto/base/limits.h"

/* A question to the resolver, shared with the thread that waits for its answer; who lets go last frees it. */
struct resolution {
	atomic_int holders;
	int answered_fd;
	char host[256], port[8];
	int error; /* of getaddrinfo */
	struct addrinfo *addresses;
};

struct swp_store_transport {
	struct swp_loop *loop;
	const struct swp_store_options *options;
	struct swp_store_transport_events events;
	struct swp_store_host host; /* where it is connected, or tries to */
	SSL_CTX *tls;		    /* NULL: none */
	SSL *session;
	int fd;
	bool opened, wants_write;
	bool lacks_certificate; /* it was asked for and is not there; false once the peer has said something */
	struct swp_watch watch, resolved_watch;
	struct swp_timer timer;
	struct resolution *resolution;
	struct addrinfo *next_address;
	struct swp_problem problem; /* why the last address failed */
};

/* --- TLS --- */

static const char *tls_words(char *words, size_t size)
{
	unsigned long code = ERR_get_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;

	snprintf(words, size, "%s", reason ? reason : code ? "unknown TLS error" : "connection closed");
	ERR_clear_error();
	return words;
}

static int tls_problem(struct swp_problem *problem, const char *what, const char *file)
{
	char words[256];

	return swp_problem_set(problem, -EINVAL, "%s %s: %s", what, file, tls_words(words, sizeof(words)));
}

static int load_tls_files(SSL_CTX *tls, const struct swp_store_options *options, struct swp_problem *problem)
{
	if (options->ca_file ? SSL_CTX_load_verify_locations(tls, options->ca_file, NULL) != 1
			     : SSL_CTX_set_default_verify_paths(tls) != 1)
		return tls_problem(problem, "can't read the store's CA file",
			options->ca_file ? options->ca_file : "of the system");
	if (!options->certificate_file && !options->key_file)
		return 0;
	if (!options->certificate_file || !options->key_file)
		return swp_problem_set(problem, -EINVAL,
			"the store's client certificate and its key belong together: give both or none");
	if (SSL_CTX_use_certificate_chain_file(tls, options->certificate_file) != 1)
		return tls_problem(
			problem, "can't use the store's client certificate", options->certificate_file);
	if (SSL_CTX_use_PrivateKey_file(tls, options->key_file, SSL_FILETYPE_PEM) != 1 ||
		SSL_CTX_check_private_key(tls) != 1)
		return tls_problem(
			problem, "can't use the key of the store's client certificate", options->key_file);
	return 0;
}

/* The peer asks for a client certificate, and we have none: it may let us in all the same. */
static int certificate_asked(SSL *session, X509 **certificate, EVP_PKEY **key)
{
	struct swp_store_transport *transport = SSL_get_app_data(session);

	*certificate = NULL;
	*key = NULL;
	transport->lacks_certificate = true;
	return 0;
}

static int make_tls(struct swp_store_transport *transport, struct swp_problem *problem)
{
	transport->tls = SSL_CTX_new(TLS_client_method());
	if (!transport->tls)
		return tls_problem(problem, "OpenSSL", "context");
	SSL_CTX_set_min_proto_version(transport->tls, TLS1_2_VERSION);
	SSL_CTX_set_verify(transport->tls, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_client_cert_cb(transport->tls, certificate_asked);
	/* A retried write may come from another place of the send buffer, and may be taken in part. */
	SSL_CTX_set_mode(transport->tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return load_tls_files(transport->tls, transport->options, problem);
}

/* The certificate must be for the host asked for: a name, which is sent along too (SNI), or an address. */
static int start_session(struct swp_store_transport *transport)
{
	const char *host = transport->host.name;
	unsigned char address[sizeof(struct in6_addr)];
	bool ok, is_address =
			 inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;

	transport->session = SSL_new(transport->tls);
	if (!transport->session)
		return -ENOMEM;
	if (is_address)
		ok = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(transport->session), host) == 1;
	else
		ok = SSL_set1_host(transport->session, host) == 1 &&
		     SSL_set_tlsext_host_name(transport->session, host) == 1;
	SSL_set_app_data(transport->session, transport);
	if (!ok || SSL_set_fd(transport->session, transport->fd) != 1)
		return -ENOMEM;
	SSL_set_connect_state(transport->session);
	return 0;
}

/* What the peer's alert means for us. */
static const char *advice_on_alert(const struct swp_store_transport *transport, unsigned long code)
{
	static const struct {
		int reason;
		const char *advice;
	} rows[] = {
		{SSL_R_TLSV1_ALERT_UNKNOWN_CA,
			"; it does not trust the certificate in ORGSWEEP_STORE_CERTIFICATE_FILE"},
		{SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED,
			"; renew the certificate in ORGSWEEP_STORE_CERTIFICATE_FILE"},
	};

	if (transport->lacks_certificate)
		return "; it asks for a client certificate: give ORGSWEEP_STORE_CERTIFICATE_FILE and "
		       "ORGSWEEP_STORE_KEY_FILE";
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++)
		if (ERR_GET_REASON(code) == rows[i].reason)
			return rows[i].advice;
	return "";
}

/* OpenSSL's last error as the problem of the connection. */
static void set_tls_problem(struct swp_store_transport *transport, const char *what)
{
	const char *advice = advice_on_alert(transport, ERR_peek_error());
	char words[256];

	swp_problem_set(
		&transport->problem, -EPROTO, "%s: %s%s", what, tls_words(words, sizeof(words)), advice);
}

/* --- watching --- */

static int want(struct swp_store_transport *transport, bool write)
{
	if (transport->wants_write == write)
		return 0;
	transport->wants_write = write;
	return swp_watch_change(&transport->watch, EPOLLIN | (write ? EPOLLOUT : 0u));
}

static void close_socket(struct swp_store_transport *transport)
{
	swp_watch_remove(&transport->watch);
	if (transport->session)
		SSL_free(transport->session);
	transport->session = NULL;
	if (transport->fd >= 0)
		close(transport->fd);
	transport->fd = -1;
	transport->opened = false;
}

static void fail(struct swp_store_transport *transport, bool untrusted)
{
	char why[sizeof(transport->problem.text)];

	memcpy(why, transport->problem.text, sizeof(why));
	swp_store_transport_close(transport);
	transport->events.failed(transport->events.context, untrusted, why);
}

/* What OpenSSL's last call on the session wants. 0: the end of the stream. A peer that wants a certificate may just hang up. */
static int tls_result(struct swp_store_transport *transport, int result)
{
	int saved_errno = errno;

	switch (SSL_get_error(transport->session, result)) {
	case SSL_ERROR_WANT_READ:
		return -EAGAIN;
	case SSL_ERROR_WANT_WRITE:
		want(transport, true);
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		if (!transport->lacks_certificate)
			return 0;
		break;
	case SSL_ERROR_SYSCALL:
		ERR_clear_error();
		if (transport->lacks_certificate)
			break;
		return saved_errno ? -saved_errno : -ECONNRESET;
	default:
		break;
	}
	set_tls_problem(transport, "TLS");
	return -EPROTO;
}

static void try_next_address(struct swp_store_transport *transport);

static void on_opened(struct swp_store_transport *transport)
{
	swp_timer_stop(&transport->timer);
	transport->opened = true;
	want(transport, false);
	transport->events.opened(transport->events.context);
}

static void tls_handshake(struct swp_store_transport *transport)
{
	long verified;
	int result, error;

	ERR_clear_error();
	result = SSL_do_handshake(transport->session);
	if (result == 1) {
		on_opened(transport);
		return;
	}
	error = SSL_get_error(transport->session, result);
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
		want(transport, error == SSL_ERROR_WANT_WRITE);
		return;
	}
	verified = SSL_get_verify_result(transport->session);
	if (verified != X509_V_OK) {
		swp_problem_set(&transport->problem, -EPROTO,
			"the store's certificate is not trusted: %s; give its CA in ORGSWEEP_STORE_CA_FILE, "
			"or the host name it was issued for",
			X509_verify_cert_error_string(verified));
		fail(transport, true);
		return;
	}
	set_tls_problem(transport, "TLS handshake");
	close_socket(transport);
	try_next_address(transport);
}

static void connected(struct swp_store_transport *transport)
{
	int error = 0, one = 1;
	socklen_t size = sizeof(error);

	if (getsockopt(transport->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
	if (error) {
		swp_problem_set(&transport->problem, -error, "connect: %s", strerror(error));
		close_socket(transport);
		try_next_address(transport);
		return;
	}
	if (transport->options->address.scheme != SWP_STORE_UNIX) {
		setsockopt(transport->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		setsockopt(transport->fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	}
	if (!transport->tls) {
		on_opened(transport);
		return;
	}
	error = start_session(transport);
	if (!error) {
		tls_handshake(transport);
		return;
	}
	swp_problem_set(&transport->problem, error, "TLS: %s", strerror(-error));
	fail(transport, false);
}

static void socket_ready(struct swp_watch *watch, uint32_t epoll_events)
{
	struct swp_store_transport *transport = SWP_CONTAINER_OF(watch, struct swp_store_transport, watch);

	(void)epoll_events;
	if (transport->opened) {
		want(transport, false);
		transport->events.ready(transport->events.context);
	} else if (transport->session) {
		tls_handshake(transport);
	} else {
		connected(transport);
	}
}

/* --- connecting --- */

static int connect_to(struct swp_store_transport *transport, const struct sockaddr *address, socklen_t length)
{
	int error;

	transport->fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (transport->fd < 0)
		return -errno;
	/* A unix socket whose queue is full says EAGAIN, and would never become ready: that is a failure. */
	if (connect(transport->fd, address, length) < 0 && errno != EINPROGRESS) {
		error = -errno;
		close_socket(transport);
		return error;
	}
	transport->wants_write = true;
	error = swp_watch_add(
		&transport->watch, transport->loop, transport->fd, EPOLLIN | EPOLLOUT, socket_ready);
	if (error)
		close_socket(transport);
	return error;
}

static void try_next_address(struct swp_store_transport *transport)
{
	while (transport->next_address) {
		struct addrinfo *address = transport->next_address;
		int error = connect_to(transport, address->ai_addr, address->ai_addrlen);

		transport->next_address = address->ai_next;
		if (!error)
			return;
		swp_problem_set(&transport->problem, error, "connect: %s", strerror(-error));
	}
	fail(transport, false);
}

static int connect_unix(struct swp_store_transport *transport)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	/* The parser has seen to the length; both are terminated. */
	memcpy(address.sun_path, transport->options->address.host,
		strnlen(transport->options->address.host, sizeof(address.sun_path) - 1));
	return connect_to(transport, (const struct sockaddr *)(const void *)&address, sizeof(address));
}

/* --- resolving --- */

static void let_go(struct resolution *resolution)
{
	if (!resolution || atomic_fetch_sub(&resolution->holders, 1) > 1)
		return;
	if (resolution->addresses)
		freeaddrinfo(resolution->addresses);
	close(resolution->answered_fd);
	swp_free(resolution);
}

static void *resolve(void *argument)
{
	static const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct resolution *resolution = argument;
	uint64_t one = 1;

	resolution->error = getaddrinfo(resolution->host, resolution->port, &hints, &resolution->addresses);
	/* An eventfd that nobody reads any more takes it too. */
	if (write(resolution->answered_fd, &one, sizeof(one)) < 0)
		resolution->error = EAI_SYSTEM;
	let_go(resolution);
	return NULL;
}

static void resolved(struct swp_watch *watch, uint32_t epoll_events)
{
	struct swp_store_transport *transport =
		SWP_CONTAINER_OF(watch, struct swp_store_transport, resolved_watch);
	struct resolution *resolution = transport->resolution;

	(void)epoll_events;
	swp_watch_remove(&transport->resolved_watch);
	if (resolution->error) {
		swp_problem_set(&transport->problem, -EHOSTUNREACH, "host %s: %s", resolution->host,
			gai_strerror(resolution->error));
		fail(transport, false);
		return;
	}
	transport->next_address = resolution->addresses;
	try_next_address(transport);
}

static int start_thread(struct resolution *resolution)
{
	pthread_attr_t attributes;
	pthread_t thread;
	sigset_t all, before;
	int error;

	/* Signals are for the loop's thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	error = pthread_create(&thread, &attributes, resolve, resolution);
	pthread_attr_destroy(&attributes);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -error;
}

static int start_resolution(struct swp_store_transport *transport)
{
	struct resolution *resolution = swp_calloc(1, sizeof(*resolution));
	int error;

	if (!resolution)
		return -ENOMEM;
	memcpy(resolution->host, transport->host.name, sizeof(resolution->host));
	snprintf(resolution->port, sizeof(resolution->port), "%u", transport->host.port);
	resolution->answered_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (resolution->answered_fd < 0) {
		swp_free(resolution);
		return -errno;
	}
	atomic_init(&resolution->holders, 2);
	error = start_thread(resolution);
	if (error) {
		atomic_store(&resolution->holders, 1);
		let_go(resolution);
		return error;
	}
	transport->resolution = resolution;
	return swp_watch_add(
		&transport->resolved_watch, transport->loop, resolution->answered_fd, EPOLLIN, resolved);
}

/* --- the stream --- */

ssize_t swp_store_transport_read(struct swp_store_transport *transport, void *bytes, size_t size)
{
	ssize_t got;

	if (transport->session) {
		int result;

		ERR_clear_error();
		errno = 0;
		result = SSL_read(transport->session, bytes, size > INT32_MAX ? INT32_MAX : (int)size);
		transport->lacks_certificate &= result <= 0;
		return result > 0 ? result : tls_result(transport, result);
	}
	do
		got = recv(transport->fd, bytes, size, 0);
	while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

ssize_t swp_store_transport_write(struct swp_store_transport *transport, const void *bytes, size_t length)
{
	ssize_t sent;

	if (transport->session) {
		int result;

		ERR_clear_error();
		errno = 0;
		result = SSL_write(transport->session, bytes, length > INT32_MAX ? INT32_MAX : (int)length);
		if (result > 0)
			return result;
		result = tls_result(transport, result);
		return result == 0 ? -EPIPE : result;
	}
	do
		sent = send(transport->fd, bytes, length, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent >= 0)
		return sent;
	if (errno != EAGAIN)
		return -errno;
	want(transport, true);
	return -EAGAIN;
}

/* --- life --- */

static void timed_out(struct swp_timer *timer)
{
	struct swp_store_transport *transport = SWP_CONTAINER_OF(timer, struct swp_store_transport, timer);

	if (transport->resolved_watch.loop && transport->resolved_watch.fd >= 0)
		swp_problem_set(&transport->problem, -ETIMEDOUT,
			"host %s: no answer of the resolver within %d ms", transport->resolution->host,
			SWP_LIMIT_CONNECT_MS);
	else
		swp_problem_set(
			&transport->problem, -ETIMEDOUT, "no connection within %d ms", SWP_LIMIT_CONNECT_MS);
	fail(transport, false);
}

const char *swp_store_transport_why(const struct swp_store_transport *transport, int error)
{
	return error == -EPROTO && transport->problem.text[0] ? transport->problem.text : strerror(-error);
}

int swp_store_transport_open(struct swp_store_transport *transport, const struct swp_store_host *host)
{
	int error = swp_timer_start(&transport->timer, SWP_LIMIT_CONNECT_MS);

	if (error)
		return error;
	transport->problem.text[0] = '\0';
	transport->host = *host;
	transport->lacks_certificate = false;
	if (transport->options->address.scheme == SWP_STORE_UNIX)
		error = connect_unix(transport);
	else
		error = start_resolution(transport);
	if (error)
		swp_store_transport_close(transport);
	return error;
}

void swp_store_transport_close(struct swp_store_transport *transport)
{
	close_socket(transport);
	swp_watch_remove(&transport->resolved_watch);
	let_go(transport->resolution);
	transport->resolution = NULL;
	transport->next_address = NULL;
	swp_timer_stop(&transport->timer);
}

struct swp_store_transport *swp_store_transport_new(struct swp_loop *loop,
	const struct swp_store_options *options, const struct swp_store_transport_events *events,
	struct swp_problem *problem)
{
	struct swp_store_transport *transport = swp_calloc(1, sizeof(*transport));

	if (!transport) {
		swp_problem_set(problem, -ENOMEM, "out of memory");
		return NULL;
	}
	transport->loop = loop;
	transport->options = options;
	transport->events = *events;
	transport->fd = -1;
	swp_timer_init(&transport->timer, loop, timed_out);
	if (swp_store_address_uses_tls(&options->address) && make_tls(transport, problem) != 0) {
		swp_store_transport_free(transport);
		return NULL;
	}
	return transport;
}

void swp_store_transport_free(struct swp_store_transport *transport)
{
	if (!transport)
		return;
	swp_store_transport_close(transport);
	SSL_CTX_free(transport->tls);
	swp_free(transport);
}
