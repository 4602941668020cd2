/* Signature Version 4 from AWS's side. See signature.h. */
#include "tests/simulator/signature.h"

#include "tests/simulator/digest.h"

#include <stdlib.h>
#include <stdio.h>
#include <time.h>

/* Power of two; a key that is pushed out is derived again. */
#define KEY_SLOTS 16384
#define QUERY_PARAMETERS_MAX 128
#define SKEW_SEC 300

/* A signing key that was derived, by whose and for what. */
struct derived {
	char access_key_id[SWP_SIM_ACCESS_KEY_SIZE + 1];
	char scope[64];
	struct swp_sim_hmac_key key;
};

struct swp_sim_verifier {
	struct derived *derived;
	struct swp_sim_buffer canonical;
	struct swp_sim_buffer to_sign;
	struct swp_sim_buffer query;
	struct swp_sim_buffer message;
};

struct swp_sim_verifier *swp_sim_verifier_new(void)
{
	struct swp_sim_verifier *verifier = swp_sim_allocate_zeroed(1, sizeof *verifier);
	verifier->derived = swp_sim_allocate_zeroed(KEY_SLOTS, sizeof *verifier->derived);
	return verifier;
}

void swp_sim_verifier_free(struct swp_sim_verifier *verifier)
{
	if (verifier == NULL)
		return;
	free(verifier->derived);
	swp_sim_buffer_done(&verifier->canonical);
	swp_sim_buffer_done(&verifier->to_sign);
	swp_sim_buffer_done(&verifier->query);
	swp_sim_buffer_done(&verifier->message);
	free(verifier);
}

int swp_sim_authorization_parse(struct swp_sim_text header, struct swp_sim_authorization *ret)
{
	static const char algorithm[] = "AWS4-HMAC-SHA256";
	*ret = (struct swp_sim_authorization){0};
	if (!swp_sim_text_starts(header, algorithm))
		return -1;
	struct swp_sim_text rest = {header.at + sizeof algorithm - 1, header.size - (sizeof algorithm - 1)};
	while (rest.at != NULL) {
		struct swp_sim_text value = swp_sim_text_trim(swp_sim_text_cut(&rest, ','));
		struct swp_sim_text name = swp_sim_text_cut(&value, '=');
		if (swp_sim_text_is(name, "Credential"))
			ret->scope = value;
		else if (swp_sim_text_is(name, "SignedHeaders"))
			ret->signed_headers = value;
		else if (swp_sim_text_is(name, "Signature"))
			ret->signature = value;
	}
	if (ret->scope.size == 0 || ret->signed_headers.size == 0 || ret->signature.size == 0)
		return -1;
	ret->access_key_id = swp_sim_text_cut(&ret->scope, '/');
	struct swp_sim_text parts = ret->scope;
	if (parts.at == NULL)
		return -1;
	ret->date = swp_sim_text_cut(&parts, '/');
	ret->region = swp_sim_text_cut(&parts, '/');
	ret->service = swp_sim_text_cut(&parts, '/');
	return swp_sim_text_is(parts.at ? parts : SWP_SIM_TEXT(""), "aws4_request") ? 0 : -1;
}

static int digits(const char *at, int count)
{
	int value = 0;
	for (int i = 0; i < count; i++) {
		if (at[i] < '0' || at[i] > '9')
			return -1;
		value = value * 10 + (at[i] - '0');
	}
	return value;
}

/* Days since 1970 of a date of the Gregorian calendar; March is the first month, so that leap days come last. */
static int64_t days_of(int year, int month, int day)
{
	year -= month <= 2;
	int era = year / 400, in_era = year - era * 400;
	int day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return (int64_t)era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + day_of_year - 719468;
}

int64_t swp_sim_parse_date(struct swp_sim_text date)
{
	if (date.size != 16 || date.at[8] != 'T' || date.at[15] != 'Z')
		return -1;
	int year = digits(date.at, 4), month = digits(date.at + 4, 2), day = digits(date.at + 6, 2);
	int hour = digits(date.at + 9, 2), minute = digits(date.at + 11, 2), second = digits(date.at + 13, 2);
	if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 || minute < 0 ||
		second < 0)
		return -1;
	return days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
}

void swp_sim_format_date(int64_t now_sec, char ret_date[17])
{
	struct tm parts;
	time_t now = (time_t)now_sec;
	gmtime_r(&now, &parts);
	strftime(ret_date, 17, "%Y%m%dT%H%M%SZ", &parts);
}

static const struct swp_sim_hmac_key *signing_key(struct swp_sim_verifier *verifier,
	const struct swp_sim_principal *principal, const struct swp_sim_authorization *authorization)
{
	uint64_t hash = swp_sim_text_hash(
		swp_sim_text_hash(SWP_SIM_HASH_START, authorization->access_key_id), authorization->scope);
	struct derived *slot = &verifier->derived[(hash ^ hash >> 32) & (KEY_SLOTS - 1)];
	if (authorization->scope.size < sizeof slot->scope &&
		swp_sim_text_is(authorization->scope, slot->scope) &&
		swp_sim_text_is(authorization->access_key_id, slot->access_key_id))
		return &slot->key;
	char start[sizeof principal->secret + 4];
	unsigned char digest[SWP_SIM_DIGEST_SIZE];
	const struct swp_sim_text last = SWP_SIM_TEXT("aws4_request");
	const struct swp_sim_text parts[] = {
		authorization->date, authorization->region, authorization->service, last};
	int size = snprintf(start, sizeof start, "AWS4%s", principal->secret);
	swp_sim_hmac_key_init(&slot->key, (struct swp_sim_text){start, (size_t)size});
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		swp_sim_hmac(&slot->key, parts[i], digest);
		swp_sim_hmac_key_init(&slot->key, (struct swp_sim_text){(const char *)digest, sizeof digest});
	}
	snprintf(slot->access_key_id, sizeof slot->access_key_id, "%s", principal->access_key_id);
	/* A scope too long for the slot is left out of it, and so derived each time. */
	snprintf(slot->scope, sizeof slot->scope, "%.*s", (int)authorization->scope.size,
		authorization->scope.at);
	return &slot->key;
}

/* Dot segments and empty segments taken out, as AWS does for every service but S3. */
static void put_normalized_path(struct swp_sim_buffer *into, struct swp_sim_text path)
{
	size_t start = into->size;
	struct swp_sim_text rest = path;
	bool ends_open = swp_sim_text_ends(path, "/") || swp_sim_text_ends(path, "/.") ||
			 swp_sim_text_ends(path, "/..");
	while (rest.at != NULL) {
		struct swp_sim_text part = swp_sim_text_cut(&rest, '/');
		if (part.size == 0 || swp_sim_text_is(part, "."))
			continue;
		if (!swp_sim_text_is(part, "..")) {
			swp_sim_buffer_byte(into, '/');
			swp_sim_buffer_uri(into, part, false);
			continue;
		}
		while (into->size > start && into->data[--into->size] != '/')
			continue;
	}
	if (ends_open || into->size == start)
		swp_sim_buffer_byte(into, '/');
}

static void put_canonical_path(struct swp_sim_verifier *verifier, struct swp_sim_text path, bool is_s3)
{
	if (!is_s3) {
		put_normalized_path(&verifier->canonical, path);
		return;
	}
	swp_sim_buffer_clear(&verifier->query);
	swp_sim_buffer_uri_decoded(&verifier->query, path, false);
	swp_sim_buffer_uri(&verifier->canonical, swp_sim_buffer_text(&verifier->query), true);
}

struct parameter {
	size_t name, name_size, value, value_size; /* places in the buffer of encoded parameters */
	const struct swp_sim_buffer *buffer;
};

static int compare_bytes(const char *a, size_t a_size, const char *b, size_t b_size)
{
	int order = memcmp(a, b, a_size < b_size ? a_size : b_size);
	return order ? order : (a_size > b_size) - (a_size < b_size);
}

static int compare_parameters(const void *a, const void *b)
{
	const struct parameter *x = a, *y = b;
	const char *base = x->buffer->data;
	int order = compare_bytes(base + x->name, x->name_size, base + y->name, y->name_size);
	return order ? order : compare_bytes(base + x->value, x->value_size, base + y->value, y->value_size);
}

/* Decodes a part and encodes it again, so that every way of writing it signs the same. */
static size_t put_encoded_again(
	struct swp_sim_buffer *into, struct swp_sim_buffer *scratch, struct swp_sim_text part)
{
	size_t start = into->size;
	swp_sim_buffer_clear(scratch);
	swp_sim_buffer_uri_decoded(scratch, part, false);
	swp_sim_buffer_uri(into, swp_sim_buffer_text(scratch), false);
	return into->size - start;
}

static int put_canonical_query(struct swp_sim_verifier *verifier, struct swp_sim_text query)
{
	struct parameter parameters[QUERY_PARAMETERS_MAX];
	size_t count = 0;
	struct swp_sim_buffer *encoded = &verifier->query, *scratch = &verifier->to_sign;
	swp_sim_buffer_clear(encoded);
	while (query.size) {
		struct swp_sim_text value = swp_sim_text_cut(&query, '&');
		if (count == QUERY_PARAMETERS_MAX)
			return -1;
		struct parameter *p = &parameters[count++];
		struct swp_sim_text name = swp_sim_text_cut(&value, '=');
		p->buffer = encoded;
		p->name = encoded->size;
		p->name_size = put_encoded_again(encoded, scratch, name);
		p->value = encoded->size;
		p->value_size = put_encoded_again(encoded, scratch, value);
	}
	if (count > 1)
		qsort(parameters, count, sizeof parameters[0], compare_parameters);
	for (size_t i = 0; i < count; i++) {
		if (i)
			swp_sim_buffer_byte(&verifier->canonical, '&');
		swp_sim_buffer_append(
			&verifier->canonical, encoded->data + parameters[i].name, parameters[i].name_size);
		swp_sim_buffer_byte(&verifier->canonical, '=');
		swp_sim_buffer_append(
			&verifier->canonical, encoded->data + parameters[i].value, parameters[i].value_size);
	}
	return 0;
}

/* The value with runs of spaces as one space. */
static void put_header_value(struct swp_sim_buffer *into, struct swp_sim_text value)
{
	if (memchr(value.at, ' ', value.size) == NULL) {
		swp_sim_buffer_text_put(into, value);
		return;
	}
	for (size_t i = 0; i < value.size; i++) {
		if (value.at[i] != ' ' || i == 0 || value.at[i - 1] != ' ')
			swp_sim_buffer_byte(into, value.at[i]);
	}
}

/* All headers of that name, comma-separated. 0, or -1 when there is none. */
static int put_signed_header(
	struct swp_sim_buffer *into, const struct swp_sim_request *request, struct swp_sim_text name)
{
	bool found = false;
	swp_sim_buffer_text_put(into, name);
	swp_sim_buffer_byte(into, ':');
	for (size_t i = 0; i < request->header_count; i++) {
		if (!swp_sim_text_equal(request->headers[i].name, name))
			continue;
		if (found)
			swp_sim_buffer_byte(into, ',');
		put_header_value(into, request->headers[i].value);
		found = true;
	}
	swp_sim_buffer_byte(into, '\n');
	return found ? 0 : -1;
}

static bool list_has(struct swp_sim_text list, struct swp_sim_text name)
{
	while (list.at != NULL) {
		if (swp_sim_text_equal(swp_sim_text_cut(&list, ';'), name))
			return true;
	}
	return false;
}

/* The names must be sorted, host must be among them, and so must every x-amz- header that was sent. */
static int put_canonical_headers(struct swp_sim_buffer *into, const struct swp_sim_request *request,
	struct swp_sim_text signed_headers)
{
	struct swp_sim_text rest = signed_headers, before = {"", 0};
	while (rest.at != NULL) {
		struct swp_sim_text name = swp_sim_text_cut(&rest, ';');
		if (compare_bytes(before.at, before.size, name.at, name.size) >= 0)
			return -1;
		if (put_signed_header(into, request, name) != 0)
			return -1;
		before = name;
	}
	if (!list_has(signed_headers, SWP_SIM_TEXT("host")))
		return -1;
	for (size_t i = 0; i < request->header_count; i++) {
		if (swp_sim_text_starts(request->headers[i].name, "x-amz-") &&
			!list_has(signed_headers, request->headers[i].name))
			return -1;
	}
	return 0;
}

/* Canonical request into verifier->canonical. 0, or -1 when the request cannot be what was signed. */
static int put_canonical(struct swp_sim_verifier *verifier, const struct swp_sim_request *request,
	const struct swp_sim_authorization *authorization, const char body_hash[2 * SWP_SIM_DIGEST_SIZE])
{
	struct swp_sim_buffer *into = &verifier->canonical;
	bool is_s3 = swp_sim_text_is(authorization->service, "s3");
	swp_sim_buffer_clear(into);
	swp_sim_buffer_text_put(into, request->method);
	swp_sim_buffer_byte(into, '\n');
	put_canonical_path(verifier, request->path, is_s3);
	swp_sim_buffer_byte(into, '\n');
	if (put_canonical_query(verifier, request->query) != 0)
		return -1;
	swp_sim_buffer_byte(into, '\n');
	if (put_canonical_headers(into, request, authorization->signed_headers) != 0)
		return -1;
	swp_sim_buffer_byte(into, '\n');
	swp_sim_buffer_text_put(into, authorization->signed_headers);
	swp_sim_buffer_byte(into, '\n');
	if (is_s3)
		swp_sim_buffer_text_put(into, request->content_hash);
	else
		swp_sim_buffer_append(into, body_hash, 2 * SWP_SIM_DIGEST_SIZE);
	return 0;
}

static void body_digest(struct swp_sim_text body, char ret_hex[2 * SWP_SIM_DIGEST_SIZE])
{
	static const char empty[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
	unsigned char digest[SWP_SIM_DIGEST_SIZE];
	if (body.size == 0) {
		memcpy(ret_hex, empty, 2 * SWP_SIM_DIGEST_SIZE);
		return;
	}
	swp_sim_sha256(body, digest);
	swp_sim_hex(digest, ret_hex);
}

static bool signature_is_right(struct swp_sim_verifier *verifier, struct swp_sim_call *call,
	const struct swp_sim_authorization *authorization, const char body_hash[2 * SWP_SIM_DIGEST_SIZE])
{
	unsigned char digest[SWP_SIM_DIGEST_SIZE];
	char hex[2 * SWP_SIM_DIGEST_SIZE];
	if (put_canonical(verifier, call->request, authorization, body_hash) != 0)
		return false;
	swp_sim_sha256(swp_sim_buffer_text(&verifier->canonical), digest);
	swp_sim_hex(digest, hex);
	struct swp_sim_buffer *to_sign = &verifier->to_sign;
	swp_sim_buffer_clear(to_sign);
	swp_sim_buffer_put(to_sign, "AWS4-HMAC-SHA256\n");
	swp_sim_buffer_text_put(to_sign, call->request->date);
	swp_sim_buffer_byte(to_sign, '\n');
	swp_sim_buffer_text_put(to_sign, authorization->scope);
	swp_sim_buffer_byte(to_sign, '\n');
	swp_sim_buffer_append(to_sign, hex, sizeof hex);
	swp_sim_hmac(
		signing_key(verifier, call->principal, authorization), swp_sim_buffer_text(to_sign), digest);
	swp_sim_hex(digest, hex);
	return swp_sim_text_equal(authorization->signature, (struct swp_sim_text){hex, sizeof hex});
}

static enum swp_sim_signature_result check_time(struct swp_sim_verifier *verifier,
	const struct swp_sim_call *call, const struct swp_sim_authorization *authorization)
{
	struct swp_sim_text date = call->request->date;
	int64_t signed_at = swp_sim_parse_date(date);
	char now[17], limit[17];
	if (signed_at < 0) {
		swp_sim_buffer_put(&verifier->message, "Date must be in ISO-8601 'basic format'.");
		return SWP_SIM_SIGNED_INCOMPLETE;
	}
	if (!swp_sim_text_equal(authorization->date, (struct swp_sim_text){date.at, 8})) {
		swp_sim_buffer_printf(&verifier->message,
			"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from "
			"HTTP: "
			"'%.*s' != '%.8s', from '%.*s'.",
			(int)authorization->date.size, authorization->date.at, date.at, (int)date.size,
			date.at);
		return SWP_SIM_SIGNED_BAD_SCOPE;
	}
	int64_t age_sec = call->now_sec - signed_at;
	if (age_sec <= SKEW_SEC && age_sec >= -SKEW_SEC)
		return SWP_SIM_SIGNED_WELL;
	bool is_old = age_sec > 0;
	swp_sim_format_date(call->now_sec, now);
	swp_sim_format_date(call->now_sec + (is_old ? -SKEW_SEC : SKEW_SEC), limit);
	swp_sim_buffer_printf(&verifier->message, "Signature %s: %.*s is %s than %s (%s %c 5 min.)",
		is_old ? "expired" : "not yet current", (int)date.size, date.at,
		is_old ? "now earlier" : "still later", limit, now, is_old ? '-' : '+');
	return is_old ? SWP_SIM_SIGNED_EXPIRED : SWP_SIM_SIGNED_EARLY;
}

static enum swp_sim_signature_result find_principal(
	struct swp_sim_call *call, const struct swp_sim_authorization *authorization)
{
	enum swp_sim_key_result known = swp_sim_credentials_find(call->context->credentials,
		authorization->access_key_id, call->request->token, &call->principal);
	if (known == SWP_SIM_KEY_UNKNOWN)
		return SWP_SIM_SIGNED_UNKNOWN_KEY;
	if (known == SWP_SIM_KEY_BAD_TOKEN)
		return SWP_SIM_SIGNED_BAD_TOKEN;
	call->account = call->principal->account;
	return SWP_SIM_SIGNED_WELL;
}

static enum swp_sim_signature_result check_payload(const struct swp_sim_call *call,
	const struct swp_sim_authorization *authorization, const char hash[2 * SWP_SIM_DIGEST_SIZE])
{
	struct swp_sim_text told = call->request->content_hash;
	if (!swp_sim_text_is(authorization->service, "s3"))
		return SWP_SIM_SIGNED_WELL;
	if (told.size == 0)
		return SWP_SIM_SIGNED_INCOMPLETE;
	if (swp_sim_text_is(told, "UNSIGNED-PAYLOAD") ||
		swp_sim_text_equal(told, (struct swp_sim_text){hash, 2 * SWP_SIM_DIGEST_SIZE}))
		return SWP_SIM_SIGNED_WELL;
	return SWP_SIM_SIGNED_BAD_PAYLOAD;
}

enum swp_sim_signature_result swp_sim_verify(struct swp_sim_verifier *verifier, struct swp_sim_call *call,
	const struct swp_sim_authorization *authorization, struct swp_sim_text *ret_message)
{
	char hash[2 * SWP_SIM_DIGEST_SIZE];
	swp_sim_buffer_clear(&verifier->message);
	enum swp_sim_signature_result result = find_principal(call, authorization);
	if (result == SWP_SIM_SIGNED_WELL)
		result = check_time(verifier, call, authorization);
	if (result == SWP_SIM_SIGNED_WELL) {
		body_digest(call->request->body, hash);
		result = check_payload(call, authorization, hash);
	}
	if (result == SWP_SIM_SIGNED_WELL && !signature_is_right(verifier, call, authorization, hash))
		result = SWP_SIM_SIGNED_BADLY;
	if (result == SWP_SIM_SIGNED_WELL && call->principal->expires_at_sec &&
		call->now_sec >= call->principal->expires_at_sec)
		result = SWP_SIM_SIGNED_OUT;
	*ret_message = swp_sim_buffer_text(&verifier->message);
	return result;
}
