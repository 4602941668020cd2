/* Replies in a region: one allocation for many objects, and a ceiling on all of them. */
#include "proto/io/store-reply.h"

#include <errno.h>
#include <hiredis/read.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/base/region.h"

/* Objects beside the bytes themselves: a list of many short items takes more than its bytes. */
#define REGION_BYTES (4 * (size_t)SWP_LIMIT_STORE_REPLY_BYTES)

struct swp_store_reader {
	redisReader *reader;
	struct swp_region *region;
	bool too_large;
	redisReplyObjectFunctions functions;
};

/* Where the object of a task belongs: into its parent's list, or alone. */
static struct swp_store_reply *place(const redisReadTask *task, struct swp_store_reader *reader)
{
	struct swp_store_reply *parent;

	if (task->parent) {
		parent = task->parent->obj;
		/* Items are ours and const only for who reads them. */
		return (struct swp_store_reply *)(uintptr_t)&parent->items[task->idx];
	}
	return swp_region_alloc(reader->region, sizeof(struct swp_store_reply));
}

static struct swp_store_reader *reader_of(const redisReadTask *task)
{
	return task->privdata;
}

static void *create_string(const redisReadTask *task, char *bytes, size_t length)
{
	struct swp_store_reader *reader = reader_of(task);
	struct swp_store_reply *reply = place(task, reader);
	char *copy = reply ? swp_region_alloc(reader->region, length + 1) : NULL;

	if (!copy) {
		reader->too_large = true;
		return NULL;
	}
	memcpy(copy, bytes, length);
	*reply = (struct swp_store_reply){
		.type = task->type == REDIS_REPLY_ERROR ? SWP_STORE_REPLY_ERROR : SWP_STORE_REPLY_TEXT,
		.bytes = copy,
		.length = length,
	};
	return reply;
}

static void *create_array(const redisReadTask *task, int count)
{
	struct swp_store_reader *reader = reader_of(task);
	struct swp_store_reply *reply = place(task, reader), *items = NULL;
	size_t wanted = count > 0 ? (size_t)count : 0;

	/* The count is only a promise yet: it must not make us take memory beyond the ceiling. */
	if (reply && wanted <= REGION_BYTES / sizeof(*items))
		items = swp_region_alloc(reader->region, wanted * sizeof(*items));
	if (!items) {
		reader->too_large = true;
		return NULL;
	}
	*reply = (struct swp_store_reply){
		.type = SWP_STORE_REPLY_LIST, .bytes = "", .items = items, .item_count = wanted};
	return reply;
}

static void *create_integer(const redisReadTask *task, long long number)
{
	struct swp_store_reader *reader = reader_of(task);
	struct swp_store_reply *reply = place(task, reader);

	if (reply)
		*reply = (struct swp_store_reply){
			.type = SWP_STORE_REPLY_NUMBER, .number = number, .bytes = ""};
	else
		reader->too_large = true;
	return reply;
}

static void *create_nil(const redisReadTask *task)
{
	struct swp_store_reader *reader = reader_of(task);
	struct swp_store_reply *reply = place(task, reader);

	if (reply)
		*reply = (struct swp_store_reply){.type = SWP_STORE_REPLY_NOTHING, .bytes = ""};
	else
		reader->too_large = true;
	return reply;
}

static void free_object(void *object)
{
	(void)object; /* the region's */
}

struct swp_store_reader *swp_store_reader_new(void)
{
	struct swp_store_reader *reader = swp_calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	reader->functions = (redisReplyObjectFunctions){
		create_string, create_array, create_integer, create_nil, free_object};
	reader->region = swp_region_new(REGION_BYTES);
	reader->reader = redisReaderCreateWithFunctions(&reader->functions);
	if (!reader->region || !reader->reader) {
		swp_store_reader_free(reader);
		return NULL;
	}
	reader->reader->privdata = reader;
	return reader;
}

void swp_store_reader_free(struct swp_store_reader *reader)
{
	if (!reader)
		return;
	if (reader->reader)
		redisReaderFree(reader->reader);
	swp_region_free(reader->region);
	swp_free(reader);
}

int swp_store_reader_feed(struct swp_store_reader *reader, const void *bytes, size_t length)
{
	/* hiredis keeps the bytes of a text that is not whole yet: as many as Redis cares to send. */
	if (reader->reader->len - reader->reader->pos + length > SWP_LIMIT_STORE_REPLY_BYTES)
		return -E2BIG;
	return redisReaderFeed(reader->reader, bytes, length) == REDIS_OK ? 0 : -ENOMEM;
}

int swp_store_reader_next(struct swp_store_reader *reader, const struct swp_store_reply **ret_reply)
{
	void *reply = NULL;

	/* No reply under construction: the last one's memory may go. */
	if (reader->reader->ridx == -1)
		swp_region_reset(reader->region);
	if (redisReaderGetReply(reader->reader, &reply) != REDIS_OK) {
		if (reader->too_large)
			return -E2BIG;
		return reader->reader->err == REDIS_ERR_OOM ? -ENOMEM : -EPROTO;
	}
	*ret_reply = reply;
	return 0;
}
