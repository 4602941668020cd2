/* Ask and wait; see the header. */
#include "coordinator/ask.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define ASK_STEP_MS 50
#define ASK_SCAN_COUNT "512"

struct question {
	int (*visit)(void *context, const struct swp_store_reply *reply);
	void *context;
	struct swp_problem *problem;
	bool answered, lost;
	bool abandoned; /* patience ended: the late answer frees it */
	int result;
};

static void question_answered(void *context, const struct swp_store_reply *reply)
{
	struct question *question = context;
	if (question->abandoned) {
		swp_free(question);
		return;
	}
	question->answered = true;
	if (reply->type == SWP_STORE_REPLY_LOST)
		question->lost = true;
	else if (reply->type == SWP_STORE_REPLY_ERROR)
		question->result =
			swp_problem_set(question->problem, -EPROTO, "the store refused: %s", reply->bytes);
	else
		question->result = question->visit(question->context, reply);
}

int swp_ask(const struct swp_asker *asker, const struct swp_store_argument *arguments, size_t count,
	int (*visit)(void *context, const struct swp_store_reply *reply), void *context,
	struct swp_problem *problem)
{
	const struct swp_clock *clock = swp_loop_clock(asker->loop);
	int64_t end_ms = swp_clock_monotonic_ms(clock) + asker->patience_ms;
	struct question *question = swp_calloc(1, sizeof(*question));
	if (!question)
		return -ENOMEM;
	*question = (struct question){.visit = visit, .context = context, .problem = problem};
	int error = swp_store_command(asker->store, arguments, count, question_answered, question);
	while (!error && !question->answered) {
		error = swp_loop_step(asker->loop, ASK_STEP_MS);
		if (!error && question->answered && question->lost) {
			question->answered = question->lost = false;
			error = swp_store_command(
				asker->store, arguments, count, question_answered, question);
			if (error)
				question->answered = true;
		}
		if (!error && !question->answered && swp_clock_monotonic_ms(clock) > end_ms) {
			question->abandoned = true;
			return swp_problem_set(
				problem, -ETIMEDOUT, "the store does not answer; is Redis up and reachable?");
		}
	}
	if (!question->answered) { /* the loop itself failed with the answer out */
		question->abandoned = true;
		return error;
	}
	error = error ? error : question->result;
	swp_free(question);
	return error;
}

struct copied {
	char *bytes;
	size_t length;
};

static int copy_text(void *context, const struct swp_store_reply *reply)
{
	struct copied *copied = context;
	if (reply->type == SWP_STORE_REPLY_NOTHING)
		return 0;
	if (reply->type != SWP_STORE_REPLY_TEXT)
		return -EPROTO;
	copied->bytes = swp_calloc(1, reply->length + 1);
	if (!copied->bytes)
		return -ENOMEM;
	memcpy(copied->bytes, reply->bytes, reply->length);
	copied->length = reply->length;
	return 0;
}

static int ask_copy(const struct swp_asker *asker, const struct swp_store_argument *arguments, size_t count,
	char **ret_bytes, size_t *ret_length, struct swp_problem *problem)
{
	struct copied copied = {0};
	int error = swp_ask(asker, arguments, count, copy_text, &copied, problem);
	if (error)
		return error;
	*ret_bytes = copied.bytes;
	if (ret_length)
		*ret_length = copied.length;
	return 0;
}

int swp_ask_field(const struct swp_asker *asker, const char *key, const char *field, char **ret_bytes,
	size_t *ret_length, struct swp_problem *problem)
{
	struct swp_store_argument arguments[] = {SWP_STORE_TEXT_ARGUMENT("HGET"),
		SWP_STORE_TEXT_ARGUMENT(key), SWP_STORE_TEXT_ARGUMENT(field)};
	return ask_copy(asker, arguments, SWP_ARRAY_SIZE(arguments), ret_bytes, ret_length, problem);
}

int swp_ask_text(const struct swp_asker *asker, const char *key, char **ret_bytes, size_t *ret_length,
	struct swp_problem *problem)
{
	struct swp_store_argument arguments[] = {
		SWP_STORE_TEXT_ARGUMENT("GET"), SWP_STORE_TEXT_ARGUMENT(key)};
	return ask_copy(asker, arguments, SWP_ARRAY_SIZE(arguments), ret_bytes, ret_length, problem);
}

struct hash_walk {
	int (*visit)(void *context, const char *field, const struct swp_store_reply *value);
	void *context;
	char cursor[32];
};

static int hash_page(void *context, const struct swp_store_reply *reply)
{
	struct hash_walk *walk = context;
	if (reply->type != SWP_STORE_REPLY_LIST || reply->item_count != 2 ||
		reply->items[0].type != SWP_STORE_REPLY_TEXT ||
		reply->items[1].type != SWP_STORE_REPLY_LIST ||
		reply->items[0].length >= sizeof(walk->cursor))
		return -EPROTO;
	memcpy(walk->cursor, reply->items[0].bytes, reply->items[0].length + 1);
	const struct swp_store_reply *pairs = &reply->items[1];
	for (size_t i = 0; i + 1 < pairs->item_count; i += 2) {
		if (pairs->items[i].type != SWP_STORE_REPLY_TEXT ||
			pairs->items[i + 1].type != SWP_STORE_REPLY_TEXT)
			return -EPROTO;
		int error = walk->visit(walk->context, pairs->items[i].bytes, &pairs->items[i + 1]);
		if (error)
			return error;
	}
	return 0;
}

int swp_ask_hash(const struct swp_asker *asker, const char *key,
	int (*visit)(void *context, const char *field, const struct swp_store_reply *value), void *context,
	struct swp_problem *problem)
{
	struct hash_walk walk = {.visit = visit, .context = context, .cursor = "0"};
	int error = 0;
	do {
		char cursor[sizeof(walk.cursor)];
		memcpy(cursor, walk.cursor, sizeof(cursor));
		struct swp_store_argument arguments[] = {SWP_STORE_TEXT_ARGUMENT("HSCAN"),
			SWP_STORE_TEXT_ARGUMENT(key), SWP_STORE_TEXT_ARGUMENT(cursor),
			SWP_STORE_TEXT_ARGUMENT("COUNT"), SWP_STORE_TEXT_ARGUMENT(ASK_SCAN_COUNT)};
		error = swp_ask(asker, arguments, SWP_ARRAY_SIZE(arguments), hash_page, &walk, problem);
	} while (!error && !swp_text_equal(walk.cursor, "0"));
	return error;
}

int swp_ask_catalogue(const struct swp_asker *asker, const char *hash, struct swp_catalogue **ret_catalogue,
	struct swp_problem *problem)
{
	SWP_CLEANUP(swp_free_pointer) char *compiled = NULL;
	struct swp_catalogue *catalogue = NULL;
	char key[SWP_KEY_BYTES];
	size_t length = 0;
	int error = swp_key_format(SWP_KEY_CATALOGUE, NULL, hash, NULL, key);

	if (!error)
		error = swp_ask_text(asker, key, &compiled, &length, problem);
	if (!error && !compiled)
		error = -ENOENT;
	if (!error)
		error = swp_catalogue_load(compiled, length, &catalogue, problem);
	if (error == -EINVAL || (!error && !swp_text_equal(swp_catalogue_hash(catalogue), hash)))
		error = -EBADMSG;
	if (error)
		swp_catalogue_unref(catalogue);
	else
		*ret_catalogue = catalogue;
	return error;
}

static int keep_ids(void *context, const struct swp_store_reply *reply)
{
	struct swp_sweep_ids *ids = context;

	if (reply->type != SWP_STORE_REPLY_LIST)
		return -EPROTO;
	for (size_t i = 0; i < reply->item_count && ids->count < SWP_ARRAY_SIZE(ids->ids); i++) {
		const struct swp_store_reply *item = &reply->items[i];

		if (item->type == SWP_STORE_REPLY_TEXT && item->length < sizeof(ids->ids[0]))
			memcpy(ids->ids[ids->count++], item->bytes, item->length + 1);
	}
	return 0;
}

int swp_ask_newest_sweeps(
	const struct swp_asker *asker, struct swp_sweep_ids **ret_ids, struct swp_problem *problem)
{
	struct swp_sweep_ids *ids = swp_calloc(1, sizeof(*ids));
	char key[SWP_KEY_BYTES], last[16];
	int error = ids ? swp_key_format(SWP_KEY_INDEX, NULL, NULL, NULL, key) : -ENOMEM;

	*ret_ids = NULL;
	snprintf(last, sizeof(last), "%d", SWP_ASK_SWEEPS - 1);
	if (!error)
		error = swp_ask(asker,
			(struct swp_store_argument[]){SWP_STORE_TEXT_ARGUMENT("ZREVRANGE"),
				SWP_STORE_TEXT_ARGUMENT(key), SWP_STORE_TEXT_ARGUMENT("0"),
				SWP_STORE_TEXT_ARGUMENT(last)},
			4, keep_ids, ids, problem);
	if (error) {
		swp_free(ids);
		return error;
	}
	*ret_ids = ids;
	return 0;
}
