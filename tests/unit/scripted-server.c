/* One thread listens, one serves each connection. Tests only: it asserts instead of handling what cannot happen. */
#include "tests/unit/scripted-server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS = 256, REQUESTS = 4096, REQUEST_BYTES = 64 << 10 };

struct connection {
	struct scripted_server *server;
	pthread_t thread;
	int fd;
	SSL *ssl;
};

struct scripted_server {
	const struct scripted_step *steps;
	size_t step_count;
	int listen_fd, port;
	int stop_pipe[2];
	bool stopping;
	pthread_t thread;
	pthread_mutex_t lock;
	struct connection connections[CONNECTIONS];
	size_t connection_count, request_count;
	char *requests[REQUESTS];
	SSL_CTX *tls;
	char ca_file[64];
};

/* --- certificate --- */

static void make_certificate(struct scripted_server *server)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();
	X509V3_CTX context;
	X509_EXTENSION *names;
	FILE *file;
	int fd;

	X509_set_version(certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
	X509_set_pubkey(certificate, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
		(const unsigned char *)"scripted server", -1, -1, 0);
	X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
	X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
	names = X509V3_EXT_conf_nid(NULL, &context, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
	assert(names != NULL);
	X509_add_ext(certificate, names, -1);
	X509_EXTENSION_free(names);
	assert(X509_sign(certificate, key, EVP_sha256()) > 0);
	server->tls = SSL_CTX_new(TLS_server_method());
	assert(SSL_CTX_use_certificate(server->tls, certificate) == 1 &&
		SSL_CTX_use_PrivateKey(server->tls, key) == 1);
	snprintf(server->ca_file, sizeof(server->ca_file), "/tmp/scripted-ca-XXXXXX");
	fd = mkstemp(server->ca_file);
	assert(fd >= 0);
	file = fdopen(fd, "w");
	PEM_write_X509(file, certificate);
	fclose(file);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

/* --- bytes --- */

/* False when the test ends first. */
static bool wait_readable(struct scripted_server *server, int fd, int timeout_ms)
{
	struct pollfd fds[2] = {{fd, POLLIN, 0}, {server->stop_pipe[0], POLLIN, 0}};

	return poll(fds, 2, timeout_ms) > 0 && fds[1].revents == 0;
}

static ssize_t receive(struct connection *connection, char *bytes, size_t length)
{
	if (connection->ssl != NULL) {
		if (SSL_pending(connection->ssl) == 0 &&
			!wait_readable(connection->server, connection->fd, -1))
			return 0;
		return SSL_read(connection->ssl, bytes, (int)length);
	}
	return wait_readable(connection->server, connection->fd, -1) ? recv(connection->fd, bytes, length, 0)
								     : 0;
}

static bool send_bytes(struct connection *connection, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t sent = connection->ssl != NULL ? SSL_write(connection->ssl, bytes, (int)length)
						       : send(connection->fd, bytes, length, MSG_NOSIGNAL);

		if (sent <= 0)
			return false;
		bytes += sent;
		length -= (size_t)sent;
	}
	return true;
}

static bool send_text(struct connection *connection, const char *text)
{
	return send_bytes(connection, text, strlen(text));
}

static bool send_filler(struct connection *connection, size_t length)
{
	char block[4096];

	memset(block, 'x', sizeof(block));
	while (length > 0) {
		size_t part = length < sizeof(block) ? length : sizeof(block);

		if (!send_bytes(connection, block, part))
			return false;
		length -= part;
	}
	return true;
}

/* One whole request; NULL at the end of the connection. */
static char *read_request(struct connection *connection)
{
	char *text = calloc(1, REQUEST_BYTES);
	size_t length = 0, wanted = 0;

	for (;;) {
		char *end = strstr(text, "\r\n\r\n"), *told = strcasestr(text, "\r\ncontent-length:");
		ssize_t count;

		if (end != NULL) {
			wanted = (size_t)(end - text) + 4 +
				 (told != NULL && told < end ? strtoul(told + 17, NULL, 10) : 0);
			if (length >= wanted)
				return text;
		}
		count = receive(connection, text + length, REQUEST_BYTES - 1 - length);
		if (count <= 0) {
			free(text);
			return NULL;
		}
		length += (size_t)count;
	}
}

/* --- answers --- */

static bool send_head(struct connection *connection, const struct scripted_step *step, const char *framing)
{
	char head[1024];

	snprintf(head, sizeof(head), "HTTP/1.1 %d Scripted\r\n%s%s\r\n",
		step->status != 0 ? step->status : 200, step->headers != NULL ? step->headers : "", framing);
	return send_text(connection, head);
}

static bool send_answer(struct connection *connection, const struct scripted_step *step, size_t told_length)
{
	char framing[64];
	const char *body = step->body != NULL ? step->body : "";

	snprintf(framing, sizeof(framing), "Content-Length: %zu\r\n", told_length);
	return send_head(connection, step, framing) && send_text(connection, body);
}

static void reset_connection(struct connection *connection)
{
	struct linger now = {1, 0};

	setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

/* True when the connection goes on. */
static bool play(struct connection *connection, const struct scripted_step *step)
{
	size_t length = step->body != NULL ? strlen(step->body) : 0;

	if (step->delay_ms > 0)
		wait_readable(connection->server, connection->server->stop_pipe[0], step->delay_ms);
	switch (step->kind) {
	case SCRIPTED_ANSWER:
		return send_answer(connection, step, length);
	case SCRIPTED_CLOSE_AFTER:
		send_answer(connection, step, length);
		return false;
	case SCRIPTED_HALF:
		send_answer(connection, step, 2 * length + 1);
		return false;
	case SCRIPTED_BAD_CHUNK:
		send_head(connection, step, "Transfer-Encoding: chunked\r\n");
		send_text(connection, "4\r\nabcd\r\nZZ\r\n");
		return false;
	case SCRIPTED_CUT_CHUNKS:
		send_head(connection, step, "Transfer-Encoding: chunked\r\n");
		send_text(connection, "4\r\nabcd\r\n");
		return false;
	case SCRIPTED_HUGE: {
		char framing[64];

		snprintf(framing, sizeof(framing), "Content-Length: %zu\r\n", step->number);
		return send_head(connection, step, framing) && send_filler(connection, step->number);
	}
	case SCRIPTED_HUGE_HEADER:
		send_text(connection, "HTTP/1.1 200 OK\r\n");
		for (size_t sent = 0; sent < step->number; sent += 1004) {
			if (!send_text(connection, "X: ") || !send_filler(connection, 999) ||
				!send_text(connection, "\r\n"))
				return false;
		}
		return send_text(connection, "Content-Length: 0\r\n\r\n");
	case SCRIPTED_NOT_HTTP:
		send_text(connection, "220 smtp ready\r\n");
		return false;
	case SCRIPTED_RESET:
		reset_connection(connection);
		return false;
	case SCRIPTED_HANG:
		wait_readable(connection->server, connection->server->stop_pipe[0], -1);
		return false;
	default:
		return false;
	}
}

static const struct scripted_step *next_step(struct scripted_server *server, char *request)
{
	size_t number;

	pthread_mutex_lock(&server->lock);
	number = server->request_count++;
	assert(number < REQUESTS);
	server->requests[number] = request;
	pthread_mutex_unlock(&server->lock);
	return &server->steps[number < server->step_count ? number : server->step_count - 1];
}

static void *serve(void *context)
{
	struct connection *connection = context;
	struct scripted_server *server = connection->server;
	bool more = true;

	if (server->tls != NULL) {
		connection->ssl = SSL_new(server->tls);
		SSL_set_fd(connection->ssl, connection->fd);
		more = SSL_accept(connection->ssl) == 1;
	}
	while (more) {
		char *request = read_request(connection);

		more = request != NULL && play(connection, next_step(server, request));
	}
	SSL_free(connection->ssl); /* without close-notify, as broken servers do */
	close(connection->fd);
	return NULL;
}

static void *listen_loop(void *context)
{
	struct scripted_server *server = context;

	while (wait_readable(server, server->listen_fd, -1)) {
		struct connection *connection;
		int fd = accept(server->listen_fd, NULL, NULL);

		if (fd < 0)
			continue;
		pthread_mutex_lock(&server->lock);
		assert(server->connection_count < CONNECTIONS);
		connection = &server->connections[server->connection_count++];
		pthread_mutex_unlock(&server->lock);
		connection->server = server;
		connection->fd = fd;
		assert(pthread_create(&connection->thread, NULL, serve, connection) == 0);
	}
	return NULL;
}

/* --- life --- */

struct scripted_server *scripted_server_start(const struct scripted_step *steps, size_t count, bool tls)
{
	struct scripted_server *server = calloc(1, sizeof(*server));
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);

	assert(server != NULL);
	signal(SIGPIPE, SIG_IGN);
	server->steps = steps;
	server->step_count = count;
	pthread_mutex_init(&server->lock, NULL);
	if (tls)
		make_certificate(server);
	server->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert(server->listen_fd >= 0);
	assert(bind(server->listen_fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
		listen(server->listen_fd, 128) == 0);
	assert(getsockname(server->listen_fd, (struct sockaddr *)&address, &length) == 0);
	server->port = ntohs(address.sin_port);
	assert(pipe(server->stop_pipe) == 0);
	assert(pthread_create(&server->thread, NULL, listen_loop, server) == 0);
	return server;
}

void scripted_server_stop(struct scripted_server *server)
{
	assert(write(server->stop_pipe[1], "x", 1) == 1); /* never read: all threads see it */
	pthread_join(server->thread, NULL);
	close(server->listen_fd);
	for (size_t i = 0; i < server->connection_count; i++)
		pthread_join(server->connections[i].thread, NULL);
	for (size_t i = 0; i < server->request_count; i++)
		free(server->requests[i]);
	close(server->stop_pipe[0]);
	close(server->stop_pipe[1]);
	SSL_CTX_free(server->tls);
	if (server->ca_file[0] != '\0')
		unlink(server->ca_file);
	pthread_mutex_destroy(&server->lock);
	free(server);
}

int scripted_server_port(const struct scripted_server *server)
{
	return server->port;
}

const char *scripted_server_ca_file(const struct scripted_server *server)
{
	return server->ca_file;
}

const char *scripted_server_request(struct scripted_server *server, size_t number)
{
	const char *request;

	pthread_mutex_lock(&server->lock);
	request = number < server->request_count ? server->requests[number] : NULL;
	pthread_mutex_unlock(&server->lock);
	return request;
}

size_t scripted_server_requests(struct scripted_server *server)
{
	size_t count;

	pthread_mutex_lock(&server->lock);
	count = server->request_count;
	pthread_mutex_unlock(&server->lock);
	return count;
}

size_t scripted_server_connections(struct scripted_server *server)
{
	size_t count;

	pthread_mutex_lock(&server->lock);
	count = server->connection_count;
	pthread_mutex_unlock(&server->lock);
	return count;
}
