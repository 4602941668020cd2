/*
 * The simulator's certificate authority and its leaves.
 *
 * A client without a server name, or with localhost, gets the plain leaf; a client that names an AWS host gets a leaf
 * of that host's region, made when it is first asked for. One leaf with every name of every region would cost each
 * client 40 KiB a connection, which a benchmark would take for the client's own.
 */
#ifndef TESTS_SIMULATOR_TLS_H
#define TESTS_SIMULATOR_TLS_H

#include "tests/simulator/buffer.h"

#include <openssl/ssl.h>

struct swp_sim_tls;

/* Creates ca.pem, ca-key.pem, cert.pem, key.pem in the folder, or reads them. NULL, and a message, when it cannot. */
struct swp_sim_tls *swp_sim_tls_new(const char *folder, struct swp_sim_buffer *error);
void swp_sim_tls_free(struct swp_sim_tls *tls);
/* Borrowed. */
SSL_CTX *swp_sim_tls_context(struct swp_sim_tls *tls);

#endif
