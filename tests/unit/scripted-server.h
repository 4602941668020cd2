/* A small HTTP server for tests, on its own threads: answers what a script says, request by request, well or badly.
 * Plain, or TLS with a certificate made on the spot. Port 0 of 127.0.0.1.
 */
#ifndef SWP_TESTS_SCRIPTED_SERVER_H
#define SWP_TESTS_SCRIPTED_SERVER_H

#include <stdbool.h>
#include <stddef.h>

enum scripted_kind {
	SCRIPTED_ANSWER,      /* the status, headers and body of the step */
	SCRIPTED_HALF,	      /* Content-Length tells twice the body; then the connection ends */
	SCRIPTED_BAD_CHUNK,   /* broken chunked encoding */
	SCRIPTED_CUT_CHUNKS,  /* chunked, without the last chunk */
	SCRIPTED_RESET,	      /* TCP reset instead of an answer */
	SCRIPTED_SILENT_END,  /* closed without a byte */
	SCRIPTED_HANG,	      /* no answer while the test runs */
	SCRIPTED_HUGE,	      /* a body of `number` bytes */
	SCRIPTED_HUGE_HEADER, /* headers of `number` bytes */
	SCRIPTED_NOT_HTTP,    /* "220 smtp ready" */
	SCRIPTED_CLOSE_AFTER, /* as ANSWER, then the connection is closed without saying so */
};

struct scripted_step {
	enum scripted_kind kind;
	int status;	     /* 0: 200 */
	const char *headers; /* "Name: value\r\n…"; NULL: none */
	const char *body;    /* NULL: "" */
	size_t number;
	int delay_ms;
};

struct scripted_server; /* opaque */

/* Steps are taken in the order in which requests come, over all connections; the last one is repeated. Borrows `steps`. */
struct scripted_server *scripted_server_start(const struct scripted_step *steps, size_t count, bool tls);
/* Ends all connections and threads. */
void scripted_server_stop(struct scripted_server *server);
int scripted_server_port(const struct scripted_server *server);
/* PEM file with the server's certificate (tls). */
const char *scripted_server_ca_file(const struct scripted_server *server);
/* The nth request (0-based) with head and body, NULL if it has not come; valid until stop. */
const char *scripted_server_request(struct scripted_server *server, size_t number);
size_t scripted_server_requests(struct scripted_server *server);
size_t scripted_server_connections(struct scripted_server *server);

#endif
