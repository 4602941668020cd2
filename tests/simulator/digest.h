/* SHA-256, HMAC and the text forms of bytes, over OpenSSL's one-shot block functions (no fetch per call). */
#ifndef TESTS_SIMULATOR_DIGEST_H
#define TESTS_SIMULATOR_DIGEST_H

#include "tests/simulator/buffer.h"

#define SWP_SIM_DIGEST_SIZE 32

/* An HMAC key whose two padded blocks are hashed already: a short message then costs two more blocks. */
struct swp_sim_hmac_key {
	uint32_t inner[8];
	uint32_t outer[8];
};

void swp_sim_sha256(struct swp_sim_text text, unsigned char ret_digest[SWP_SIM_DIGEST_SIZE]);
void swp_sim_hmac_key_init(struct swp_sim_hmac_key *key, struct swp_sim_text secret);
void swp_sim_hmac(const struct swp_sim_hmac_key *key, struct swp_sim_text text,
	unsigned char ret_digest[SWP_SIM_DIGEST_SIZE]);
/* 64 lower-case characters, not terminated. */
void swp_sim_hex(const unsigned char digest[SWP_SIM_DIGEST_SIZE], char ret_hex[2 * SWP_SIM_DIGEST_SIZE]);
/* Base64 with the URL alphabet, without padding. */
void swp_sim_base64_put(struct swp_sim_buffer *into, struct swp_sim_text bytes);
/* 0, or -1 when a character is not of that alphabet. */
int swp_sim_base64_decode(struct swp_sim_buffer *into, struct swp_sim_text text);
/* RFC 4648 base32 characters (upper case letters, 2 to 7), as access key ids are made of. */
void swp_sim_base32_put(struct swp_sim_buffer *into, const unsigned char *bytes, size_t characters);

#endif
