/* Open addressing over the numbers of the texts; each text remembers its hash, so that growing does not read texts again. */
#include "checks/text-pool.h"

#include <errno.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/region.h"

struct entry {
	const char *text;
	uint64_t hash;
};

struct swp_text_pool {
	struct swp_region *region; /* owns the texts */
	size_t limit_bytes, used_bytes;
	struct entry *entries; /* by number − SWP_TEXT_FIRST */
	size_t count, capacity;
	uint32_t *slots; /* number, or SWP_TEXT_NONE; a power of two, at most half full */
	size_t slot_count;
};

enum { FIRST_SLOTS = 256 };

static uint64_t hash_text(const char *text)
{
	uint64_t hash = 14695981039346656037u; /* FNV-1a, 64 bits */

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 1099511628211u;
	return hash ^ (hash >> 32);
}

struct swp_text_pool *swp_text_pool_new(size_t limit_bytes)
{
	struct swp_text_pool *pool = swp_calloc(1, sizeof(*pool));

	if (!pool)
		return NULL;
	pool->limit_bytes = limit_bytes;
	pool->slot_count = FIRST_SLOTS;
	pool->slots = swp_calloc(pool->slot_count, sizeof(*pool->slots));
	pool->region = swp_region_new(SIZE_MAX / 2); /* the ceiling is ours: used_bytes */
	if (!pool->slots || !pool->region) {
		swp_text_pool_free(pool);
		return NULL;
	}
	return pool;
}

void swp_text_pool_free(struct swp_text_pool *pool)
{
	if (!pool)
		return;
	swp_region_free(pool->region);
	swp_free(pool->entries);
	swp_free(pool->slots);
	swp_free(pool);
}

/* The slot that holds the text, or the free one where it belongs. */
static size_t slot_of(const struct swp_text_pool *pool, const char *text, uint64_t hash)
{
	size_t at = (size_t)hash & (pool->slot_count - 1);

	while (pool->slots[at] != SWP_TEXT_NONE) {
		const struct entry *entry = &pool->entries[pool->slots[at] - SWP_TEXT_FIRST];

		if (entry->hash == hash && strcmp(entry->text, text) == 0)
			break;
		at = (at + 1) & (pool->slot_count - 1);
	}
	return at;
}

static int grow_slots(struct swp_text_pool *pool)
{
	size_t count = pool->slot_count * 2;
	uint32_t *slots = swp_calloc(count, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < pool->count; i++) {
		size_t at = (size_t)pool->entries[i].hash & (count - 1);

		while (slots[at] != SWP_TEXT_NONE)
			at = (at + 1) & (count - 1);
		slots[at] = (uint32_t)(i + SWP_TEXT_FIRST);
	}
	swp_free(pool->slots);
	pool->slots = slots;
	pool->slot_count = count;
	return 0;
}

static int make_room(struct swp_text_pool *pool)
{
	if (pool->count == pool->capacity) {
		size_t capacity = pool->capacity ? pool->capacity * 2 : FIRST_SLOTS / 2;
		struct entry *entries = swp_realloc(pool->entries, capacity * sizeof(*entries));

		if (!entries)
			return -ENOMEM;
		pool->entries = entries;
		pool->capacity = capacity;
	}
	return 2 * (pool->count + 1) > pool->slot_count ? grow_slots(pool) : 0;
}

int swp_text_pool_intern(struct swp_text_pool *pool, const char *text, uint32_t *ret_id)
{
	uint64_t hash = hash_text(text);
	size_t at = slot_of(pool, text, hash), length;
	char *copy;
	int r;

	if (pool->slots[at] != SWP_TEXT_NONE) {
		*ret_id = pool->slots[at];
		return 0;
	}
	length = strlen(text) + 1;
	if (length > pool->limit_bytes - pool->used_bytes || pool->count >= UINT32_MAX - SWP_TEXT_FIRST)
		return -E2BIG;
	r = make_room(pool);
	if (r < 0)
		return r;
	copy = swp_region_memdup(pool->region, text, length);
	if (!copy)
		return -ENOMEM;
	pool->used_bytes += length;
	pool->entries[pool->count] = (struct entry){.text = copy, .hash = hash};
	*ret_id = (uint32_t)(pool->count + SWP_TEXT_FIRST);
	pool->slots[slot_of(pool, text, hash)] = *ret_id;
	pool->count++;
	return 0;
}

uint32_t swp_text_pool_find(const struct swp_text_pool *pool, const char *text)
{
	return pool->slots[slot_of(pool, text, hash_text(text))];
}

const char *swp_text_pool_text(const struct swp_text_pool *pool, uint32_t id)
{
	if (id < SWP_TEXT_FIRST || id - SWP_TEXT_FIRST >= pool->count)
		return NULL;
	return pool->entries[id - SWP_TEXT_FIRST].text;
}

int swp_text_pool_compare(const struct swp_text_pool *pool, uint32_t a, uint32_t b)
{
	if (a == b)
		return 0;
	if (a < SWP_TEXT_FIRST || b < SWP_TEXT_FIRST)
		return a < b ? -1 : 1;
	return strcmp(swp_text_pool_text(pool, a), swp_text_pool_text(pool, b));
}
