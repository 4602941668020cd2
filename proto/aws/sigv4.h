/* AWS Signature Version 4 (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html), by OpenSSL.
 * Signing needs a derived key only; the secret access key stays with who derives. Stages can be called one by one.
 */
#ifndef SWP_AWS_SIGV4_H
#define SWP_AWS_SIGV4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/buf.h"
#include "proto/base/secret.h"

#define SWP_SHA256_BYTES 32

/* One-shot digests; -EIO when OpenSSL fails. */
int swp_sha256(const void *bytes, size_t length, unsigned char ret_digest[static SWP_SHA256_BYTES]);
int swp_sha256_hex(const void *bytes, size_t length, char ret_text[static 65]);
int swp_sha1_hex(const void *bytes, size_t length, char ret_text[static 41]); /* SSO cache file names */
int swp_hmac_sha256(const void *key, size_t key_length, const void *bytes, size_t length,
	unsigned char ret_digest[static SWP_SHA256_BYTES]);

/* Valid for one day (UTC), region, service. Holds a secret: wipe with swp_wipe when done. */
struct swp_signing_key {
	char day[9]; /* "20261122" */
	char region[32];
	char service[64]; /* signing name */
	unsigned char key[SWP_SHA256_BYTES];
};
/* `secret_access_key` is borrowed. -EIO, -EINVAL (a part too long). */
int swp_signing_key_derive(const struct swp_secret *secret_access_key, const char *day, const char *region,
	const char *service, struct swp_signing_key *ret_key);
/* The same in two steps: keys of all services of a day and region share the first one, which is half of the work. It signs for all
 * services there, so it is wiped as a secret, and never leaves who derives. Failures as above. */
struct swp_regional_key {
	char day[9];
	char region[32];
	unsigned char key[SWP_SHA256_BYTES];
};
int swp_regional_key_derive(const struct swp_secret *secret_access_key, const char *day, const char *region,
	struct swp_regional_key *ret_key);
int swp_signing_key_of(
	const struct swp_regional_key *regional, const char *service, struct swp_signing_key *ret_key);

struct swp_sign_header {
	const char *name; /* any case */
	const char *value;
};
struct swp_sign_request {
	const char *method;
	const char *path;  /* as sent (encoded once); "" is "/" */
	const char *query; /* as sent, without '?' ; "" none */
	const struct swp_sign_header *
		headers; /* to be signed (at most 28), host among them; x-amz-date and token are added by the signer;
	                                        * user-agent and hop-by-hop names are left out */
	size_t header_count;
	const void *body;
	size_t body_length;
	bool s3; /* no path normalization, path encoded once, x-amz-content-sha256 sent and signed */
};
struct swp_signature {
	char date[17];		      /* X-Amz-Date: 20261122T080000Z */
	char content_sha256[65];      /* to be sent when s3 */
	struct swp_buf authorization; /* Authorization: value; secret-marked; reused between calls */
	struct swp_buf canonical, signed_headers; /* internal, kept for reuse */
};
void swp_signature_init(struct swp_signature *signature);
void swp_signature_done(struct swp_signature *signature);
/* `session_token` "" when none: it is signed as x-amz-security-token and must be sent. `wall_ms` is the (corrected) time;
 * its day must be the key's day (-EINVAL else). 0, -EIO, -ENOMEM, -E2BIG. */
int swp_sigv4_sign(const struct swp_sign_request *request, const char *access_key_id,
	const char *session_token, const struct swp_signing_key *key, int64_t wall_ms,
	struct swp_signature *ret_signature);
/* Stages, for tests against fixtures. Appends to both buffers (mark the first one secret: it holds the token). As above. */
int swp_sigv4_canonical_request(const struct swp_sign_request *request, const char *date,
	const char *session_token, struct swp_buf *ret_canonical, struct swp_buf *ret_signed_headers);

#endif
