/* SipHash-1-3 (J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast short-input PRF", 2012; one round a word, three at the end). */
#include "proto/base/hash.h"

#include <stdbool.h>
#include <string.h>

#include "proto/base/clock.h"

struct state {
	uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t value, int bits)
{
	return value << bits | value >> (64 - bits);
}

static void sip_round(struct state *s)
{
	s->v0 += s->v1;
	s->v1 = rotate(s->v1, 13) ^ s->v0;
	s->v0 = rotate(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotate(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotate(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotate(s->v1, 17) ^ s->v2;
	s->v2 = rotate(s->v2, 32);
}

static void absorb(struct state *s, uint64_t word)
{
	s->v3 ^= word;
	sip_round(s);
	s->v0 ^= word;
}

/* Up to eight bytes, the first the least. */
static uint64_t read_word(const unsigned char *bytes, size_t count)
{
	uint64_t word = 0;

	for (size_t i = 0; i < count; i++)
		word |= (uint64_t)bytes[i] << (8 * i);
	return word;
}

uint64_t swp_hash_keyed(const void *bytes, size_t length, const uint64_t key[static 2])
{
	struct state s = {key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du,
		key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u};
	const unsigned char *next = bytes;
	size_t left = length;

	for (; left >= 8; left -= 8, next += 8)
		absorb(&s, read_word(next, 8));
	absorb(&s, (uint64_t)(length & 0xff) << 56 | read_word(next, left));
	s.v2 ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint64_t swp_hash(const void *bytes, size_t length)
{
	static uint64_t key[2];
	static bool drawn;

	if (!drawn) {
		const struct swp_clock *clock = swp_clock_system();

		key[0] = swp_clock_random_u64(clock);
		key[1] = swp_clock_random_u64(clock);
		drawn = true;
	}
	return swp_hash_keyed(bytes, length, key);
}
