/* A keyed hash for tables whose keys others choose (names, ARNs, routing ids): SipHash-1-3 under a key drawn at start, so
 * that nobody can make them collide on purpose. Not for anything that is written down: it differs in every process.
 */
#ifndef SWP_BASE_HASH_H
#define SWP_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t swp_hash(const void *bytes, size_t length);
/* The same under a given key: for tests. */
uint64_t swp_hash_keyed(const void *bytes, size_t length, const uint64_t key[static 2]);

#endif
