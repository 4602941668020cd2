/*
 * SHA-256 and HMAC. See digest.h; HMAC: RFC 2104.
 *
 * The block functions are deprecated in OpenSSL 3 but measured at half of the cost of the fetched ones for the
 * few hundred bytes of a canonical request.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "tests/simulator/digest.h"

#include <openssl/sha.h>

#define BLOCK_SIZE 64

void swp_sim_sha256(struct swp_sim_text text, unsigned char ret_digest[SWP_SIM_DIGEST_SIZE])
{
	SHA256_CTX context;
	SHA256_Init(&context);
	SHA256_Update(&context, text.at, text.size);
	SHA256_Final(ret_digest, &context);
}

static void pad_state(const unsigned char key[BLOCK_SIZE], unsigned char pad, uint32_t ret_state[8])
{
	unsigned char block[BLOCK_SIZE];
	SHA256_CTX context;
	for (size_t i = 0; i < BLOCK_SIZE; i++)
		block[i] = key[i] ^ pad;
	SHA256_Init(&context);
	SHA256_Update(&context, block, BLOCK_SIZE);
	for (size_t i = 0; i < 8; i++)
		ret_state[i] = context.h[i];
}

void swp_sim_hmac_key_init(struct swp_sim_hmac_key *key, struct swp_sim_text secret)
{
	unsigned char block[BLOCK_SIZE] = {0};
	if (secret.size > BLOCK_SIZE)
		swp_sim_sha256(secret, block);
	else if (secret.size)
		memcpy(block, secret.at, secret.size);
	pad_state(block, 0x36, key->inner);
	pad_state(block, 0x5c, key->outer);
}

static void resume(SHA256_CTX *context, const uint32_t state[8])
{
	SHA256_Init(context);
	for (size_t i = 0; i < 8; i++)
		context->h[i] = state[i];
	context->Nl = BLOCK_SIZE * 8;
}

void swp_sim_hmac(const struct swp_sim_hmac_key *key, struct swp_sim_text text,
	unsigned char ret_digest[SWP_SIM_DIGEST_SIZE])
{
	SHA256_CTX context;
	unsigned char inner[SWP_SIM_DIGEST_SIZE];
	resume(&context, key->inner);
	SHA256_Update(&context, text.at, text.size);
	SHA256_Final(inner, &context);
	resume(&context, key->outer);
	SHA256_Update(&context, inner, sizeof inner);
	SHA256_Final(ret_digest, &context);
}

void swp_sim_hex(const unsigned char digest[SWP_SIM_DIGEST_SIZE], char ret_hex[2 * SWP_SIM_DIGEST_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < SWP_SIM_DIGEST_SIZE; i++) {
		ret_hex[2 * i] = digits[digest[i] >> 4];
		ret_hex[2 * i + 1] = digits[digest[i] & 15];
	}
}

static const char base64_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void swp_sim_base64_put(struct swp_sim_buffer *into, struct swp_sim_text bytes)
{
	uint32_t bits = 0;
	unsigned have = 0;
	for (size_t i = 0; i < bytes.size; i++) {
		bits = bits << 8 | (unsigned char)bytes.at[i];
		for (have += 8; have >= 6; have -= 6)
			swp_sim_buffer_byte(into, base64_alphabet[bits >> (have - 6) & 63]);
	}
	if (have)
		swp_sim_buffer_byte(into, base64_alphabet[bits << (6 - have) & 63]);
}

int swp_sim_base64_decode(struct swp_sim_buffer *into, struct swp_sim_text text)
{
	uint32_t bits = 0;
	unsigned have = 0;
	for (size_t i = 0; i < text.size; i++) {
		const char *found = text.at[i] ? strchr(base64_alphabet, text.at[i]) : NULL;
		if (found == NULL)
			return -1;
		bits = bits << 6 | (uint32_t)(found - base64_alphabet);
		have += 6;
		if (have >= 8) {
			have -= 8;
			swp_sim_buffer_byte(into, (char)(bits >> have & 255));
		}
	}
	return 0;
}

void swp_sim_base32_put(struct swp_sim_buffer *into, const unsigned char *bytes, size_t characters)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	uint32_t bits = 0;
	unsigned have = 0;
	for (size_t i = 0; i < characters; i++) {
		if (have < 5) {
			bits = bits << 8 | *bytes++;
			have += 8;
		}
		have -= 5;
		swp_sim_buffer_byte(into, alphabet[bits >> have & 31]);
	}
}
