/*
 * HTTP/1.1 requests as the AWS SDKs and curl send them: RFC 9110 and 9112, bodies with Content-Length only.
 *
 * Header names are lowered in place in the bytes that were received; everything else is borrowed from them.
 */
#ifndef TESTS_SIMULATOR_HTTP_H
#define TESTS_SIMULATOR_HTTP_H

#include "tests/simulator/buffer.h"

/* SDKs send about 12; a request with more than this is refused. */
#define SWP_SIM_HEADERS_MAX 64
/* A session token with its policy is 3 KiB at most. */
#define SWP_SIM_HEAD_BYTES_MAX ((size_t)64 << 10)
/* AssumeRole with an inline policy is the largest body of ours; fault files come this way too. */
#define SWP_SIM_BODY_BYTES_MAX ((size_t)16 << 20)

struct swp_sim_header {
	struct swp_sim_text name;
	struct swp_sim_text value;
};

struct swp_sim_request {
	struct swp_sim_text method;
	struct swp_sim_text path;  /* as sent, still encoded */
	struct swp_sim_text query; /* as sent, without the question mark */
	struct swp_sim_text body;
	struct swp_sim_header headers[SWP_SIM_HEADERS_MAX];
	size_t header_count;
	size_t size; /* of head and body together */
	bool keeps_alive;
	bool expects_continue;
	/* Headers that are looked at in every request; empty when not there. */
	struct swp_sim_text host, authorization, target, content_type, date, token, content_hash, user_agent;
};

enum swp_sim_http_result {
	SWP_SIM_HTTP_COMPLETE,
	SWP_SIM_HTTP_MORE, /* head or body is not all there yet; *ret has expects_continue once the head is */
	SWP_SIM_HTTP_BAD,  /* 400 */
	SWP_SIM_HTTP_TOO_LARGE, /* 413 */
};

/* Reads the request that starts at `bytes`. */
enum swp_sim_http_result swp_sim_http_parse(char *bytes, size_t size, struct swp_sim_request *ret);
/* Value of a header by lower-case name; `at` NULL when it is not there. */
struct swp_sim_text swp_sim_http_header(const struct swp_sim_request *request, const char *name);
/* Reason phrase of a status. */
const char *swp_sim_http_reason(int status);

#endif
