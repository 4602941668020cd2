/* A region: a list of blocks, the newest first. Small pieces are cut from the newest block; a piece that would waste
 * much of a block gets one of its own, behind the newest, so that the newest stays open.
 */
#include "proto/base/region.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/limits.h"

#define FIRST_BLOCK_BYTES (4u << 10)
#define LARGEST_BLOCK_BYTES (256u << 10)
#define ALIGNMENT _Alignof(max_align_t)

struct block {
	struct block *next;
	size_t size, used; /* of bytes[] */
	_Alignas(max_align_t) char bytes[];
};

struct swp_region {
	struct block *newest;
	struct block *first; /* kept by swp_region_reset */
	size_t used, limit_bytes;
	size_t next_block_bytes;
};

static struct block *block_new(size_t size)
{
	struct block *block = swp_calloc(1, sizeof(*block) + size);

	if (block)
		block->size = size;
	return block;
}

struct swp_region *swp_region_new(size_t limit_bytes)
{
	struct swp_region *region = swp_calloc(1, sizeof(*region));

	if (!region)
		return NULL;
	region->first = block_new(FIRST_BLOCK_BYTES);
	if (!region->first) {
		swp_free(region);
		return NULL;
	}
	region->newest = region->first;
	region->limit_bytes = limit_bytes ? limit_bytes : SWP_LIMIT_REGION_BYTES;
	region->next_block_bytes = 2 * FIRST_BLOCK_BYTES;
	return region;
}

static void free_blocks_but(struct swp_region *region, const struct block *kept)
{
	struct block *next;

	for (struct block *block = region->newest; block; block = next) {
		next = block->next;
		if (block != kept)
			swp_free(block);
	}
}

void swp_region_free(struct swp_region *region)
{
	if (!region)
		return;
	free_blocks_but(region, NULL);
	swp_free(region);
}

void swp_region_reset(struct swp_region *region)
{
	free_blocks_but(region, region->first);
	region->newest = region->first;
	region->first->next = NULL;
	/* Pieces are promised zeroed. */
	memset(region->first->bytes, 0, region->first->used);
	region->first->used = 0;
	region->used = 0;
	region->next_block_bytes = 2 * FIRST_BLOCK_BYTES;
}

static struct block *block_with_room(struct swp_region *region, size_t size)
{
	struct block *block = region->newest;
	bool own = size > region->next_block_bytes / 4;

	if (block->size - block->used >= size)
		return block;
	block = block_new(own ? size : region->next_block_bytes);
	if (!block)
		return NULL;
	if (own) {
		block->next = region->newest->next;
		region->newest->next = block;
		return block;
	}
	block->next = region->newest;
	region->newest = block;
	if (region->next_block_bytes < LARGEST_BLOCK_BYTES)
		region->next_block_bytes *= 2;
	return block;
}

void *swp_region_alloc(struct swp_region *region, size_t size)
{
	struct block *block;
	void *piece;

	if (size > region->limit_bytes)
		return NULL;
	size = ((size ? size : 1) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	if (size > region->limit_bytes - region->used)
		return NULL;
	block = block_with_room(region, size);
	if (!block)
		return NULL;
	piece = block->bytes + block->used;
	block->used += size;
	region->used += size;
	return piece;
}

void *swp_region_memdup(struct swp_region *region, const void *bytes, size_t size)
{
	void *copy = swp_region_alloc(region, size);

	if (copy && size > 0)
		memcpy(copy, bytes, size);
	return copy;
}

char *swp_region_strndup(struct swp_region *region, const char *text, size_t length)
{
	size_t used = strnlen(text, length);
	char *copy = swp_region_alloc(region, used + 1);

	if (copy)
		memcpy(copy, text, used);
	return copy;
}

char *swp_region_strdup(struct swp_region *region, const char *text)
{
	return swp_region_strndup(region, text, strlen(text));
}

char *swp_region_format(struct swp_region *region, const char *format, ...)
{
	va_list arguments;
	char *text;
	int length;

	va_start(arguments, format);
	length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (length < 0)
		return NULL;
	text = swp_region_alloc(region, (size_t)length + 1);
	if (!text)
		return NULL;
	va_start(arguments, format);
	vsnprintf(text, (size_t)length + 1, format, arguments);
	va_end(arguments);
	return text;
}

size_t swp_region_used(const struct swp_region *region)
{
	return region->used;
}
