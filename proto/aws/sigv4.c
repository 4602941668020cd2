/* AWS Signature Version 4. The stages are those of the AWS documentation; the canonical request is built in one buffer that
 * is kept between calls, and the digests run on contexts that are fetched once: OpenSSL 3's fetch by name is what costs.
 */
#include "proto/aws/sigv4.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/error.h"
#include "proto/base/text.h"

#define BLOCK_BYTES 64 /* of SHA-256 */
#define MAX_HEADERS 32 /* signed ones; we send seven */
#define MAX_QUERY_PARTS 256

/* --- digests --- */

/* One context a thread, never freed: it lives as long as the thread that signs. */
static _Thread_local EVP_MD_CTX *digest_context;
static _Thread_local EVP_MD *digest_sha256;

static int digest_start(void)
{
	if (digest_context == NULL) {
		digest_context = EVP_MD_CTX_new();
		digest_sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
		if (digest_context == NULL || digest_sha256 == NULL ||
			EVP_DigestInit_ex(digest_context, digest_sha256, NULL) != 1) {
			EVP_MD_CTX_free(digest_context);
			EVP_MD_free(digest_sha256);
			digest_context = NULL;
			digest_sha256 = NULL;
			return -EIO;
		}
		return 0;
	}
	/* A NULL type keeps the fetched one: the cheapest way to start again. */
	return EVP_DigestInit_ex(digest_context, NULL, NULL) == 1 ? 0 : -EIO;
}

static int digest_two(const void *first, size_t first_length, const void *second, size_t second_length,
	unsigned char ret_digest[static SWP_SHA256_BYTES])
{
	int error = digest_start();

	if (error != 0)
		return error;
	if (EVP_DigestUpdate(digest_context, first, first_length) != 1 ||
		(second_length > 0 && EVP_DigestUpdate(digest_context, second, second_length) != 1) ||
		EVP_DigestFinal_ex(digest_context, ret_digest, NULL) != 1)
		return -EIO;
	return 0;
}

int swp_sha256(const void *bytes, size_t length, unsigned char ret_digest[static SWP_SHA256_BYTES])
{
	return digest_two(length > 0 ? bytes : "", length, NULL, 0, ret_digest);
}

static void hex_text(const unsigned char *bytes, size_t length, char *ret_text)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < length; i++) {
		*ret_text++ = digits[bytes[i] >> 4];
		*ret_text++ = digits[bytes[i] & 15];
	}
	*ret_text = '\0';
}

int swp_sha256_hex(const void *bytes, size_t length, char ret_text[static 65])
{
	static const char empty[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
	unsigned char digest[SWP_SHA256_BYTES];
	int error;

	if (length == 0) {
		memcpy(ret_text, empty, sizeof(empty));
		return 0;
	}
	error = swp_sha256(bytes, length, digest);
	if (error == 0)
		hex_text(digest, sizeof(digest), ret_text);
	return error;
}

int swp_sha1_hex(const void *bytes, size_t length, char ret_text[static 41])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int digest_length = 0;

	if (EVP_Digest(length > 0 ? bytes : "", length, digest, &digest_length, EVP_sha1(), NULL) != 1 ||
		digest_length != 20)
		return -EIO;
	hex_text(digest, digest_length, ret_text);
	return 0;
}

/* RFC 2104, upon the shared context; OpenSSL 3's own HMAC fetches by name at each call. */
int swp_hmac_sha256(const void *key, size_t key_length, const void *bytes, size_t length,
	unsigned char ret_digest[static SWP_SHA256_BYTES])
{
	unsigned char inner[BLOCK_BYTES] = {0}, outer[BLOCK_BYTES];
	unsigned char digest[SWP_SHA256_BYTES];
	int error = 0;

	if (key_length > BLOCK_BYTES)
		error = swp_sha256(key, key_length, inner);
	else if (key_length > 0)
		memcpy(inner, key, key_length);
	for (size_t i = 0; i < BLOCK_BYTES; i++) {
		outer[i] = inner[i] ^ 0x5c;
		inner[i] ^= 0x36;
	}
	if (error == 0)
		error = digest_two(inner, sizeof(inner), bytes, length, digest);
	if (error == 0)
		error = digest_two(outer, sizeof(outer), digest, sizeof(digest), ret_digest);
	swp_wipe(inner, sizeof(inner));
	swp_wipe(outer, sizeof(outer));
	swp_wipe(digest, sizeof(digest));
	return error;
}

/* --- keys --- */

static int derive_step(unsigned char key[static SWP_SHA256_BYTES], const char *part)
{
	unsigned char next[SWP_SHA256_BYTES];
	int error = swp_hmac_sha256(key, SWP_SHA256_BYTES, part, strlen(part), next);

	if (error == 0)
		memcpy(key, next, sizeof(next));
	swp_wipe(next, sizeof(next));
	return error;
}

static int derive_from_secret(
	const struct swp_secret *secret, const char *day, unsigned char key[static SWP_SHA256_BYTES])
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf start = {.secret = true};

	if (swp_buf_append_text(&start, "AWS4") != 0 ||
		swp_buf_append(&start, secret->bytes, secret->length) != 0)
		return start.failed;
	return swp_hmac_sha256(start.data, start.length, day, strlen(day), key);
}

int swp_regional_key_derive(const struct swp_secret *secret_access_key, const char *day, const char *region,
	struct swp_regional_key *ret_key)
{
	struct swp_regional_key key = {0};
	int error;

	if (secret_access_key->bytes == NULL || strlen(day) != 8 || strlen(region) >= sizeof(key.region))
		return -EINVAL;
	memcpy(key.day, day, 9);
	memcpy(key.region, region, strlen(region) + 1);
	error = derive_from_secret(secret_access_key, day, key.key);
	if (error == 0)
		error = derive_step(key.key, region);
	if (error == 0)
		*ret_key = key;
	swp_wipe(&key, sizeof(key));
	return error;
}

int swp_signing_key_of(
	const struct swp_regional_key *regional, const char *service, struct swp_signing_key *ret_key)
{
	struct swp_signing_key key = {0};
	int error;

	if (strlen(service) >= sizeof(key.service))
		return -EINVAL;
	memcpy(key.day, regional->day, sizeof(key.day));
	memcpy(key.region, regional->region, sizeof(key.region));
	memcpy(key.service, service, strlen(service) + 1);
	memcpy(key.key, regional->key, sizeof(key.key));
	error = derive_step(key.key, service);
	if (error == 0)
		error = derive_step(key.key, "aws4_request");
	if (error == 0)
		*ret_key = key;
	swp_wipe(&key, sizeof(key));
	return error;
}

int swp_signing_key_derive(const struct swp_secret *secret_access_key, const char *day, const char *region,
	const char *service, struct swp_signing_key *ret_key)
{
	struct swp_regional_key regional;
	int error = swp_regional_key_derive(secret_access_key, day, region, &regional);

	if (error == 0) {
		error = swp_signing_key_of(&regional, service, ret_key);
		swp_wipe(&regional, sizeof(regional));
	}
	return error;
}

/* --- canonical request --- */

/* RFC 3986 §5.2.4 with runs of slashes taken for one, as AWS does; the result is encoded as it is appended. */
static int append_normal_path(struct swp_buf *out, const char *path)
{
	size_t start = out->length, length = strlen(path);

	swp_buf_append_byte(out, '/');
	for (const char *at = path; *at != '\0';) {
		size_t part = strcspn(at, "/");

		if (part == 2 && memcmp(at, "..", 2) == 0) {
			size_t keep = out->length;

			/* The last part ends with its slash: cut it back to the slash before. */
			if (keep > start + 1) {
				do
					keep--;
				while (keep > start + 1 && out->data[keep - 1] != '/');
				swp_buf_truncate(out, keep);
			}
		} else if (part > 0 && !(part == 1 && *at == '.')) {
			swp_percent_encode(out, at, part, false);
			swp_buf_append_byte(out, '/');
		}
		if (out->failed != 0)
			return out->failed;
		at += part + (at[part] == '/');
	}
	if (out->failed == 0 && out->length > start + 1 && (length == 0 || path[length - 1] != '/'))
		swp_buf_truncate(out, out->length - 1);
	return out->failed;
}

struct query_part {
	const char *text;
	size_t length, name_length;
};

static int compare_bytes(const char *a, size_t a_length, const char *b, size_t b_length)
{
	int order = memcmp(a, b, a_length < b_length ? a_length : b_length);

	return order != 0 ? order : (a_length > b_length) - (a_length < b_length);
}

static int compare_query_parts(const void *a, const void *b)
{
	const struct query_part *x = a, *y = b;
	int order = compare_bytes(x->text, x->name_length, y->text, y->name_length);
	size_t x_skip = x->name_length + (x->length > x->name_length),
	       y_skip = y->name_length + (y->length > y->name_length);

	if (order != 0)
		return order;
	return compare_bytes(x->text + x_skip, x->length - x_skip, y->text + y_skip, y->length - y_skip);
}

/* Sorted by encoded name, then by encoded value; a name alone gets its '='. */
static int append_query(struct swp_buf *out, const char *query)
{
	struct query_part parts[MAX_QUERY_PARTS];
	size_t count = 0;

	if (query[0] == '\0')
		return 0;
	for (const char *at = query;; at++) {
		struct query_part *part = &parts[count];

		if (count++ == MAX_QUERY_PARTS)
			return -E2BIG;
		part->text = at;
		part->name_length = strcspn(at, "=&");
		part->length = strcspn(at, "&");
		at += part->length;
		if (*at == '\0')
			break;
	}
	if (count > 1)
		qsort(parts, count, sizeof(parts[0]), compare_query_parts);
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			swp_buf_append_byte(out, '&');
		swp_buf_append(out, parts[i].text, parts[i].length);
		if (parts[i].length == parts[i].name_length)
			swp_buf_append_byte(out, '=');
	}
	return out->failed;
}

struct canonical_header {
	char name[64]; /* lower case */
	size_t name_length;
	const char *value;
};

/* Headers that hops may change, or that are made after signing, are left out even if the caller lists them. */
static bool is_unsigned_header(const char *lower_name)
{
	static const char *const names[] = {"authorization", "connection", "expect", "keep-alive",
		"proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade",
		"user-agent", "x-amzn-trace-id"};

	for (size_t i = 0; i < SWP_ARRAY_SIZE(names); i++) {
		if (strcmp(names[i], lower_name) == 0)
			return true;
	}
	return false;
}

struct header_list {
	struct canonical_header rows[MAX_HEADERS];
	size_t count;
};

/* Keeps the list sorted by name; equal names stay in the order of their coming. */
static int header_list_add(struct header_list *list, const char *name, const char *value)
{
	struct canonical_header header = {.value = value};
	size_t at = list->count;

	header.name_length = strlen(name);
	if (list->count == MAX_HEADERS || header.name_length >= sizeof(header.name))
		return -E2BIG;
	for (size_t i = 0; i < header.name_length; i++)
		header.name[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + ('a' - 'A') : name[i]);
	if (is_unsigned_header(header.name))
		return 0;
	while (at > 0 && strcmp(list->rows[at - 1].name, header.name) > 0) {
		list->rows[at] = list->rows[at - 1];
		at--;
	}
	list->rows[at] = header;
	list->count++;
	return 0;
}

static bool is_blank(char byte)
{
	return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* Trimmed, inner runs of white space made one blank. */
static void append_header_value(struct swp_buf *out, const char *value)
{
	const char *at = value;
	bool first = true;

	while (*at != '\0') {
		const char *word;

		while (is_blank(*at))
			at++;
		word = at;
		at += strcspn(at, " \t\n\v\f\r"); /* a session token is one word of a thousand characters */
		if (at > word) {
			if (!first)
				swp_buf_append_byte(out, ' ');
			swp_buf_append(out, word, (size_t)(at - word));
			first = false;
		}
	}
}

static int append_headers(struct swp_buf *out, const struct header_list *list, struct swp_buf *signed_headers)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct canonical_header *header = &list->rows[i];

		if (i > 0 && strcmp(list->rows[i - 1].name, header->name) == 0) {
			swp_buf_truncate(out, out->length - 1); /* the line's end: the value goes on */
			swp_buf_append_byte(out, ',');
		} else {
			swp_buf_append(out, header->name, header->name_length);
			swp_buf_append_byte(out, ':');
			if (i > 0)
				swp_buf_append_byte(signed_headers, ';');
			swp_buf_append(signed_headers, header->name, header->name_length);
		}
		append_header_value(out, header->value);
		if (swp_buf_append_byte(out, '\n') != 0 || signed_headers->failed != 0)
			return out->failed != 0 ? out->failed : signed_headers->failed;
	}
	return 0;
}

static int collect_headers(const struct swp_sign_request *request, const char *date,
	const char *session_token, const char *content_sha256, struct header_list *list)
{
	int error = 0;

	for (size_t i = 0; i < request->header_count && error == 0; i++)
		error = header_list_add(list, request->headers[i].name, request->headers[i].value);
	if (error == 0)
		error = header_list_add(list, "x-amz-date", date);
	if (error == 0 && session_token[0] != '\0')
		error = header_list_add(list, "x-amz-security-token", session_token);
	if (error == 0 && request->s3)
		error = header_list_add(list, "x-amz-content-sha256", content_sha256);
	return error;
}

static int build_canonical(const struct swp_sign_request *request, const char *date,
	const char *session_token, const char *content_sha256, struct swp_buf *out,
	struct swp_buf *signed_headers)
{
	struct header_list list = {.count = 0};
	int error = collect_headers(request, date, session_token, content_sha256, &list);

	if (error != 0)
		return error;
	swp_buf_append_text(out, request->method);
	swp_buf_append_byte(out, '\n');
	if (!request->s3)
		append_normal_path(out, request->path);
	else
		swp_buf_append_text(out, request->path[0] != '\0' ? request->path : "/");
	swp_buf_append_byte(out, '\n');
	error = append_query(out, request->query);
	if (error != 0)
		return error;
	swp_buf_append_byte(out, '\n');
	error = append_headers(out, &list, signed_headers);
	if (error != 0)
		return error;
	swp_buf_append_byte(out, '\n');
	swp_buf_append(out, signed_headers->data, signed_headers->length);
	swp_buf_append_byte(out, '\n');
	return swp_buf_append(out, content_sha256, 64);
}

int swp_sigv4_canonical_request(const struct swp_sign_request *request, const char *date,
	const char *session_token, struct swp_buf *ret_canonical, struct swp_buf *ret_signed_headers)
{
	char content_sha256[65];
	int error = swp_sha256_hex(request->body, request->body_length, content_sha256);

	if (error != 0)
		return error;
	return build_canonical(
		request, date, session_token, content_sha256, ret_canonical, ret_signed_headers);
}

/* --- signature --- */

void swp_signature_init(struct swp_signature *signature)
{
	memset(signature, 0, sizeof(*signature));
	swp_buf_init(&signature->authorization, 0);
	swp_buf_init(&signature->canonical, 0);
	swp_buf_init(&signature->signed_headers, 0);
	signature->authorization.secret = true;
	signature->canonical.secret = true;
}

void swp_signature_done(struct swp_signature *signature)
{
	swp_buf_done(&signature->authorization);
	swp_buf_done(&signature->canonical);
	swp_buf_done(&signature->signed_headers);
}

static void append_scope(struct swp_buf *out, const struct swp_signing_key *key)
{
	swp_buf_append(out, key->day, 8);
	swp_buf_append_byte(out, '/');
	swp_buf_append_text(out, key->region);
	swp_buf_append_byte(out, '/');
	swp_buf_append_text(out, key->service);
	swp_buf_append_text(out, "/aws4_request");
}

/* Reuses the canonical request's buffer, which is not needed any more once it is hashed. */
static int sign_text(
	const struct swp_signing_key *key, struct swp_signature *signature, char ret_hex[static 65])
{
	struct swp_buf *text = &signature->canonical;
	char hash[65];
	unsigned char digest[SWP_SHA256_BYTES];
	int error = swp_sha256_hex(text->data, text->length, hash);

	if (error != 0)
		return error;
	swp_buf_clear(text);
	swp_buf_append_text(text, "AWS4-HMAC-SHA256\n");
	swp_buf_append(text, signature->date, 16);
	swp_buf_append_byte(text, '\n');
	append_scope(text, key);
	swp_buf_append_byte(text, '\n');
	error = swp_buf_append(text, hash, 64);
	if (error == 0)
		error = swp_hmac_sha256(key->key, sizeof(key->key), text->data, text->length, digest);
	if (error == 0)
		hex_text(digest, sizeof(digest), ret_hex);
	return error;
}

static int write_authorization(const char *access_key_id, const struct swp_signing_key *key, const char *hex,
	struct swp_signature *signature)
{
	struct swp_buf *out = &signature->authorization;

	swp_buf_append_text(out, "AWS4-HMAC-SHA256 Credential=");
	swp_buf_append_text(out, access_key_id);
	swp_buf_append_byte(out, '/');
	append_scope(out, key);
	swp_buf_append_text(out, ", SignedHeaders=");
	swp_buf_append(out, signature->signed_headers.data, signature->signed_headers.length);
	swp_buf_append_text(out, ", Signature=");
	return swp_buf_append(out, hex, 64);
}

int swp_sigv4_sign(const struct swp_sign_request *request, const char *access_key_id,
	const char *session_token, const struct swp_signing_key *key, int64_t wall_ms,
	struct swp_signature *ret_signature)
{
	struct swp_signature *signature = ret_signature;
	char date[SWP_TIME_TEXT_BYTES], hex[65];
	int error;

	swp_time_format_basic(wall_ms, date);
	if (strlen(date) != 16 || memcmp(date, key->day, 8) != 0)
		return -EINVAL;
	memcpy(signature->date, date, 17);
	swp_buf_clear(&signature->canonical);
	swp_buf_clear(&signature->signed_headers);
	swp_buf_clear(&signature->authorization);
	error = swp_sha256_hex(request->body, request->body_length, signature->content_sha256);
	if (error == 0)
		error = build_canonical(request, signature->date, session_token, signature->content_sha256,
			&signature->canonical, &signature->signed_headers);
	if (error == 0)
		error = sign_text(key, signature, hex);
	if (error == 0)
		error = write_authorization(access_key_id, key, hex, signature);
	return error;
}
