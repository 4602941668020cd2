/* Bytes of Redis: however they are cut into pieces, the same replies come out, whole and within their bounds, and the
 * greeting, and whoever asks sentinels, judges any of them.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/error.h"
#include "proto/base/limits.h"
#include "proto/io/store-greeting.h"
#include "proto/io/store-reply.h"
#include "proto/io/store-sentinel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Touches every byte, so that a sanitizer sees what is not there; returns a sum to compare by. */
static uint64_t sum_of(const struct swp_store_reply *reply, int depth)
{
	uint64_t sum = (uint64_t)reply->type * 31 + (uint64_t)reply->number;

	SWP_ASSERT(depth <= 8);
	SWP_ASSERT(reply->bytes);
	SWP_ASSERT(reply->type != SWP_STORE_REPLY_LOST);
	for (size_t i = 0; i <= reply->length; i++)
		sum = sum * 33 + (unsigned char)reply->bytes[i];
	for (size_t i = 0; i < reply->item_count; i++)
		sum = sum * 37 + sum_of(&reply->items[i], depth + 1);
	return sum;
}

static void greet(const struct swp_store_reply *reply)
{
	struct swp_store_options options = {.client_name = "fuzz", .address.database = 1};
	SWP_CLEANUP(swp_buf_done) struct swp_buf out = {.secret = true};
	struct swp_store_greeting greeting;

	if (swp_store_greeting_start(&greeting, &options, &out) != 0)
		return;
	while (!swp_store_greeting_is_over(&greeting) &&
		swp_store_greeting_answer(&greeting, reply) == SWP_STORE_GOOD)
		;
	SWP_ASSERT(memchr(greeting.run_id, '\0', sizeof(greeting.run_id)));
}

/* The reply as the answer to each question that a sentinel is asked. */
static void ask_sentinel(const struct swp_store_reply *reply)
{
	struct swp_store_options options = {
		.address = {.sentinels = {{"s", 1}, {"s", 2}}, .sentinel_count = 2, .primary_name = "main"}};
	SWP_CLEANUP(swp_buf_done) struct swp_buf out = {.secret = true};
	struct swp_store_sentinels sentinels;
	struct swp_problem why = {""};

	swp_store_sentinels_init(&sentinels, &options);
	for (int step = SWP_SENTINEL_LOGIN; step <= SWP_SENTINEL_NAMES; step++) {
		swp_store_sentinels_begin(&sentinels);
		while (swp_store_sentinels_next(&sentinels)) {
			if (swp_store_sentinels_ask(&sentinels, &out) != 0)
				return;
			sentinels.step = (enum swp_sentinel_step)step;
			if (swp_store_sentinels_answer(&sentinels, reply, &out) == SWP_SENTINEL_TOLD) {
				const struct swp_store_host *primary =
					swp_store_sentinels_primary(&sentinels);

				SWP_ASSERT(primary->port > 0 && primary->name[0] != '\0');
				SWP_ASSERT(memchr(primary->name, '\0', sizeof(primary->name)));
			}
		}
		swp_store_sentinels_sum_up(&sentinels, &why);
		SWP_ASSERT(why.text[0] != '\0');
	}
}

/* All replies of the bytes, fed in pieces of `step`. */
static uint64_t replies_in_pieces(const uint8_t *data, size_t size, size_t step, bool with_greeting)
{
	struct swp_store_reader *reader = swp_store_reader_new();
	uint64_t sum = 0;
	int error = reader ? 0 : -ENOMEM;

	for (size_t at = 0; at < size && !error; at += step) {
		const struct swp_store_reply *reply = NULL;
		size_t piece = size - at < step ? size - at : step;

		error = swp_store_reader_feed(reader, data + at, piece);
		while (!error) {
			reply = NULL;
			error = swp_store_reader_next(reader, &reply);
			if (error || !reply)
				break;
			sum = sum * 41 + sum_of(reply, 0);
			if (with_greeting) {
				greet(reply);
				ask_sentinel(reply);
			}
		}
	}
	swp_store_reader_free(reader);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t whole = replies_in_pieces(data, size, size ? size : 1, true);

	SWP_ASSERT(replies_in_pieces(data, size, 1, false) == whole);
	SWP_ASSERT(replies_in_pieces(data, size, 7, false) == whole);
	return 0;
}
