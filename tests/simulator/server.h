/*
 * The HTTPS server: one thread, epoll with edges, keep-alive, answers that may wait for their time.
 *
 * A connection has at most one request in work; what a client sends ahead waits in its buffer.
 */
#ifndef TESTS_SIMULATOR_SERVER_H
#define TESTS_SIMULATOR_SERVER_H

#include "tests/simulator/dispatch.h"

#include <openssl/ssl.h>
#include <signal.h>

struct swp_sim_server_options {
	SSL_CTX *tls; /* NULL: plain HTTP */
	uint64_t latency_ms;
	uint64_t latency_jitter_ms; /* evenly spread on top of it */
	uint64_t seed;
};

struct swp_sim_server;

/* Borrows the dispatcher, shared state and log. NULL, errno, when there is no epoll. */
struct swp_sim_server *swp_sim_server_new(const struct swp_sim_server_options *options,
	struct swp_sim_dispatcher *dispatcher, struct swp_sim_shared *shared, struct swp_sim_log *log);
/* Closes all connections. */
void swp_sim_server_free(struct swp_sim_server *server);

/* Opens a listening socket at HOST:PORT (port 0: any). The descriptor, or -1 with a message. */
int swp_sim_listen(const char *where, bool is_shared, struct swp_sim_buffer *error, int *ret_port);
/* Takes connections from this socket, which the server closes at its end. 0 or -1 with errno. */
int swp_sim_server_add_listener(struct swp_sim_server *server, int fd);
/* Serves until *stop is set. 0, or -1 with errno. */
int swp_sim_server_run(struct swp_sim_server *server, const volatile sig_atomic_t *stop);

#endif
