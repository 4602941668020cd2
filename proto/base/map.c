/* A map from text to pointer over uthash, which keeps insertion order. Out of memory is told, never fatal. */
#include "proto/base/map.h"

#include <errno.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/hash.h"

#define HASH_NONFATAL_OOM 1
#define HASH_FUNCTION(bytes, length, hash) ((hash) = (unsigned)swp_hash((bytes), (length)))
#define uthash_malloc(size) swp_calloc(1, (size))
#define uthash_free(pointer, size) swp_free(pointer)
#include <uthash.h>

struct entry {
	UT_hash_handle hh;
	void *value;
	char key[];
};

struct swp_map {
	struct entry *head;
};

struct swp_map *swp_map_new(void)
{
	return swp_calloc(1, sizeof(struct swp_map));
}

void swp_map_free(struct swp_map *map, void (*free_value)(void *value))
{
	struct entry *entry, *next;

	if (!map)
		return;
	HASH_ITER(hh, map->head, entry, next)
	{
		HASH_DEL(map->head, entry);
		if (free_value)
			free_value(entry->value);
		swp_free(entry);
	}
	swp_free(map);
}

static struct entry *find(const struct swp_map *map, const char *key)
{
	struct entry *entry = NULL;

	HASH_FIND(hh, map->head, key, strlen(key), entry);
	return entry;
}

void *swp_map_get(const struct swp_map *map, const char *key)
{
	struct entry *entry = find(map, key);

	return entry ? entry->value : NULL;
}

int swp_map_put(struct swp_map *map, const char *key, void *value, void **ret_old)
{
	struct entry *entry = find(map, key);
	void *old = entry ? entry->value : NULL;
	size_t length = strlen(key);

	if (!entry) {
		entry = swp_calloc(1, sizeof(*entry) + length + 1);
		if (!entry)
			return -ENOMEM;
		memcpy(entry->key, key, length + 1);
		HASH_ADD_KEYPTR(hh, map->head, entry->key, length, entry);
		/* This is how uthash tells that it could not add. */
		if (!entry->hh.tbl) {
			swp_free(entry);
			return -ENOMEM;
		}
	}
	entry->value = value;
	if (ret_old)
		*ret_old = old;
	return 0;
}

void *swp_map_take(struct swp_map *map, const char *key)
{
	struct entry *entry = find(map, key);
	void *value;

	if (!entry)
		return NULL;
	value = entry->value;
	HASH_DEL(map->head, entry);
	swp_free(entry);
	return value;
}

size_t swp_map_count(const struct swp_map *map)
{
	return HASH_COUNT(map->head);
}

int swp_map_each(
	const struct swp_map *map, int (*visit)(const char *key, void *value, void *context), void *context)
{
	struct entry *entry, *next;
	int result;

	HASH_ITER(hh, map->head, entry, next)
	{
		result = visit(entry->key, entry->value, context);
		if (result)
			return result;
	}
	return 0;
}
