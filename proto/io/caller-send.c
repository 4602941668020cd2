/* From a built request to bytes on the way: address, headers, key, signature. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/io/caller-call.h"

#define DAY_MS INT64_C(86400000)

enum { EDGE_MS = 4 * 60 * 1000 }; /* AWS accepts a time that is five minutes off */

struct swp_known_host *swp_caller_host(struct swp_caller *caller, const char *host, bool make)
{
	struct swp_known_host *known = NULL;

	if (swp_map_count(caller->hosts) > 0)
		known = swp_map_get(caller->hosts, host);
	if (known != NULL || !make)
		return known;
	known = swp_calloc(1, sizeof(*known));
	if (known != NULL && swp_map_put(caller->hosts, host, known, NULL) != 0) {
		swp_free(known);
		known = NULL;
	}
	return known;
}

int64_t swp_call_wall_ms(const struct swp_running_call *running)
{
	const struct swp_known_host *known =
		swp_caller_host(running->caller, swp_buf_text(&running->host), false);

	return swp_clock_wall_ms(running->caller->clock) + (known != NULL ? known->offset_ms : 0);
}

/* A bucket stands before the host, unless a dot in its name would leave the certificate's wildcard, or the user's own
 * endpoint has no such names: then it begins the path. */
static bool label_in_host(const struct swp_running_call *running)
{
	const char *label = running->request.host_label;

	return label[0] != '\0' && !running->endpoint.configured && strchr(label, '.') == NULL;
}

int swp_call_address(struct swp_running_call *running)
{
	const struct swp_aws_request *request = &running->request;
	const struct swp_endpoint *endpoint = &running->endpoint;
	bool in_host = label_in_host(running);

	if (in_host) {
		swp_buf_append_text(&running->host, request->host_label);
		swp_buf_append_byte(&running->host, '.');
	}
	swp_buf_append_text(&running->host, endpoint->host);
	swp_buf_append_text(&running->path, endpoint->path);
	if (request->host_label[0] != '\0' && !in_host) {
		swp_buf_append_byte(&running->path, '/');
		swp_buf_append_text(&running->path, request->host_label);
	}
	swp_buf_append(&running->path, swp_buf_text(&request->path), request->path.length);
	swp_buf_append_text(&running->url, endpoint->scheme);
	swp_buf_append_text(&running->url, "://");
	swp_buf_append(&running->url, running->host.data, running->host.length);
	swp_buf_append(&running->url, swp_buf_text(&running->path), running->path.length);
	if (request->query.length > 0) {
		swp_buf_append_byte(&running->url, '?');
		swp_buf_append(&running->url, request->query.data, request->query.length);
	}
	if (request->target_prefix != NULL) {
		swp_buf_append_text(&running->target, request->target_prefix);
		swp_buf_append_byte(&running->target, '.');
		swp_buf_append_text(&running->target, request->target_name);
	}
	if (running->host.failed != 0 || running->path.failed != 0)
		return running->host.failed != 0 ? running->host.failed : running->path.failed;
	return running->url.failed != 0 ? running->url.failed : running->target.failed;
}

/* --- keys --- */

static bool key_fits(
	const struct swp_signing_key *key, const char *day, const char *region, const char *service)
{
	return memcmp(key->day, day, 8) == 0 && strcmp(key->region, region) == 0 &&
	       strcmp(key->service, service) == 0;
}

/* The coordinator's: made from the secret once a day, region and service. */
static int derived_key(struct swp_caller *caller, const struct swp_secret *secret, const char *day,
	const char *region, const char *service, const struct swp_signing_key **ret_key)
{
	unsigned kept = caller->derived_count < SWP_CALLER_DERIVED_KEYS ? caller->derived_count
									: SWP_CALLER_DERIVED_KEYS;
	unsigned char hash[SWP_SHA256_BYTES];
	struct swp_derived_key *slot = &caller->derived[caller->derived_count % SWP_CALLER_DERIVED_KEYS];
	int error = swp_sha256(secret->bytes, secret->length, hash);

	if (error != 0)
		return error;
	for (unsigned i = 0; i < kept; i++) {
		struct swp_derived_key *row = &caller->derived[i];

		if (memcmp(row->secret_hash, hash, sizeof(hash)) == 0 &&
			key_fits(&row->key, day, region, service)) {
			*ret_key = &row->key;
			return 0;
		}
	}
	error = swp_signing_key_derive(secret, day, region, service, &slot->key);
	if (error != 0)
		return error;
	memcpy(slot->secret_hash, hash, sizeof(hash));
	caller->derived_count++;
	*ret_key = &slot->key;
	return 0;
}

/* What must be added to `wall_ms` so that it lies in that day; 0 when it does. */
static int64_t shift_into_day(const char *day, int64_t wall_ms)
{
	char text[SWP_TIME_TEXT_BYTES];
	int64_t start_ms;

	snprintf(text, sizeof(text), "%.4s-%.2s-%.2sT00:00:00Z", day, day + 4, day + 6);
	if (swp_time_parse(text, &start_ms) != 0)
		return INT64_MAX;
	if (wall_ms < start_ms)
		return start_ms - wall_ms;
	return wall_ms < start_ms + DAY_MS ? 0 : start_ms + DAY_MS - 1000 - wall_ms;
}

/* No key of today: the nearest day's, with the time moved into that day. AWS takes a few minutes; more is for a host that has
 * not told its time yet: its Date header then says how wrong our clock is, and how wrong the time was that we signed. */
static int nearest_key(struct swp_running_call *running, const char *region, const char *service,
	int64_t *wall_ms, const struct swp_signing_key **ret_key)
{
	const struct swp_caller_identity *identity = running->identity;
	const struct swp_known_host *known =
		swp_caller_host(running->caller, swp_buf_text(&running->host), false);
	int64_t best_ms = known != NULL && known->offset_known ? EDGE_MS : INT64_MAX - 1, shift_ms = 0;

	*ret_key = NULL;
	for (size_t i = 0; i < identity->key_count; i++) {
		const struct swp_signing_key *key = &identity->keys[i];
		int64_t key_ms = shift_into_day(key->day, *wall_ms);

		if (!key_fits(key, key->day, region, service) || (key_ms < 0 ? -key_ms : key_ms) > best_ms)
			continue;
		best_ms = key_ms < 0 ? -key_ms : key_ms;
		shift_ms = key_ms;
		*ret_key = key;
	}
	*wall_ms += shift_ms;
	return *ret_key != NULL ? 0 : SWP_CALL_NO_KEY;
}

/* `wall_ms` is the time to sign for; moved where no key is of its day. */
static int find_key(
	struct swp_running_call *running, int64_t *wall_ms, const struct swp_signing_key **ret_key)
{
	const struct swp_caller_identity *identity = running->identity;
	const char *region = running->endpoint.signing_region,
		   *service = running->operation->service->signing_name;
	char day[SWP_TIME_TEXT_BYTES];

	swp_time_format_basic(*wall_ms, day);
	day[8] = '\0';
	for (size_t i = 0; i < identity->key_count; i++) {
		if (key_fits(&identity->keys[i], day, region, service)) {
			*ret_key = &identity->keys[i];
			return 0;
		}
	}
	if (identity->secret_access_key == NULL || identity->secret_access_key->bytes == NULL)
		return nearest_key(running, region, service, wall_ms, ret_key);
	return derived_key(running->caller, identity->secret_access_key, day, region, service, ret_key);
}

/* --- headers --- */

struct header_list {
	struct swp_http_header rows[12];
	size_t count;
};

static void add_header(struct header_list *list, const char *name, const char *value)
{
	SWP_ASSERT(list->count < SWP_ARRAY_SIZE(list->rows));
	list->rows[list->count++] = (struct swp_http_header){name, value};
}

static const char *session_token(const struct swp_caller_identity *identity)
{
	const struct swp_secret *token = identity->session_token;

	return token != NULL && token->bytes != NULL ? token->bytes : "";
}

/* Adds what belongs to the signature. */
static int sign(struct swp_running_call *running, struct header_list *headers)
{
	const struct swp_aws_request *request = &running->request;
	const struct swp_caller_identity *identity = running->identity;
	struct swp_signature *signature = &running->signature;
	struct swp_sign_header signed_rows[3] = {{"host", swp_buf_text(&running->host)}};
	struct swp_sign_request to_sign = {
		.method = request->method,
		.path = swp_buf_text(&running->path),
		.query = swp_buf_text(&request->query),
		.headers = signed_rows,
		.header_count = 1,
		.body = request->body.data,
		.body_length = request->body.length,
		.s3 = running->operation->service->protocol == SWP_PROTOCOL_REST_XML,
	};
	const struct swp_signing_key *key;
	int64_t wall_ms = swp_call_wall_ms(running);
	int result = find_key(running, &wall_ms, &key);

	running->signed_ms = wall_ms;
	if (result != 0)
		return result;
	if (request->content_type != NULL)
		signed_rows[to_sign.header_count++] =
			(struct swp_sign_header){"content-type", request->content_type};
	if (running->target.length > 0)
		signed_rows[to_sign.header_count++] =
			(struct swp_sign_header){"x-amz-target", running->target.data};
	result = swp_sigv4_sign(
		&to_sign, identity->access_key_id, session_token(identity), key, wall_ms, signature);
	if (result != 0)
		return result;
	add_header(headers, "X-Amz-Date", signature->date);
	if (session_token(identity)[0] != '\0')
		add_header(headers, "X-Amz-Security-Token", session_token(identity));
	if (to_sign.s3)
		add_header(headers, "X-Amz-Content-Sha256", signature->content_sha256);
	add_header(headers, "Authorization", signature->authorization.data);
	return 0;
}

int swp_call_send(struct swp_running_call *running, int64_t timeout_ms,
	void (*done)(struct swp_http_exchange *exchange, const struct swp_http_response *response))
{
	const struct swp_aws_request *request = &running->request;
	struct header_list headers = {.count = 0};
	struct swp_http_request http = {
		.method = request->method,
		.url = running->url.data,
		.headers = headers.rows,
		.body = request->body.data,
		.body_length = request->body.length,
		.timeout_ms = timeout_ms,
		.secret = running->secret,
	};
	char attempt[48];
	int result = running->identity->anonymous ? 0 : sign(running, &headers);

	if (result != 0)
		return result;
	if (request->content_type != NULL)
		add_header(&headers, "Content-Type", request->content_type);
	if (running->target.length > 0)
		add_header(&headers, "X-Amz-Target", running->target.data);
	if (request->accept != NULL)
		add_header(&headers, "Accept", request->accept);
	snprintf(attempt, sizeof(attempt), "attempt=%u; max=%d", running->answer.tries + 1,
		SWP_LIMIT_ATTEMPTS);
	add_header(&headers, "amz-sdk-invocation-id", running->invocation_id);
	add_header(&headers, "amz-sdk-request", attempt);
	http.header_count = headers.count;
	return swp_http_start(running->caller->http, &http, &running->exchange, done);
}
