/* Answers from any bytes: a job of all checks is played, each call answered by what the bytes say: a kind, a reason, or one of the JSON
 * documents that follow, wholly or with a spoiled member. Nothing may crash or go on for ever; each cell comes out once.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "checks/evaluation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_CALLS = 2000, MAX_DOCUMENTS = 16 };

struct input {
	const uint8_t *data;
	size_t size, at;
	json_t *documents[MAX_DOCUMENTS];
	size_t document_count;
	size_t cells;
};

static unsigned next(struct input *input)
{
	return input->at < input->size ? input->data[input->at++] : 0;
}

static int take_result(void *context, const struct swp_result *result)
{
	(void)context;
	SWP_ASSERT(result->status != SWP_STATUS_NOT_ASSESSED || result->gap.reason != SWP_REASON_NONE);
	SWP_ASSERT(result->status != SWP_STATUS_NOT_APPLICABLE ||
		   result->not_applicable != SWP_NOT_APPLICABLE_NONE);
	return 0;
}

static int take_cell(void *context, const struct swp_cell *cell)
{
	struct input *input = context;

	SWP_ASSERT(cell->status != SWP_STATUS_NOT_ASSESSED || cell->reason != SWP_REASON_NONE);
	SWP_ASSERT(!cell->partial || cell->status == SWP_STATUS_FAIL);
	input->cells++;
	return 0;
}

static int take_fact(void *context, const struct swp_fact *fact)
{
	(void)context;
	SWP_ASSERT(fact->name && fact->subject);
	return 0;
}

/* The bytes after a zero byte are JSON documents, one a line. */
static void read_documents(struct input *input)
{
	const uint8_t *zero = memchr(input->data, 0, input->size);
	const char *at = zero ? (const char *)zero + 1 : NULL, *end = (const char *)input->data + input->size;

	while (at && at < end && input->document_count < MAX_DOCUMENTS) {
		const char *line = memchr(at, '\n', (size_t)(end - at));
		size_t length = (size_t)((line ? line : end) - at);
		json_t *document = json_loadb(at, length, 0, NULL);

		if (document)
			input->documents[input->document_count++] = document;
		at += length + 1;
	}
	if (zero)
		input->size = (size_t)(zero - input->data);
}

static void answer(struct input *input, struct swp_evaluation *evaluation, const struct swp_wanted_call *call)
{
	unsigned choice = next(input);
	struct swp_evaluation_answer given = {.kind = SWP_ANSWER_FAILED,
		.gap = {.reason = (enum swp_reason)(1 + choice % (SWP_REASON_COUNT - 1)),
			.action = "",
			.error_code = "",
			.message = "",
			.request_id = ""}};
	int r;

	if (choice % 8 == 0)
		given.kind = SWP_ANSWER_NOT_FOUND;
	else if (choice % 8 == 1)
		given.kind = SWP_ANSWER_NOT_OFFERED;
	else if (choice % 8 > 2 && input->document_count)
		given.kind = SWP_ANSWER_DOCUMENT;
	if (given.kind == SWP_ANSWER_DOCUMENT)
		given.document = input->documents[next(input) % input->document_count];
	r = swp_evaluation_answer(evaluation, call->id, &given);
	SWP_ASSERT(r == 0);
	SWP_ASSERT(swp_evaluation_answer(evaluation, call->id, &given) < 0); /* once only */
}

static void play(struct input *input, struct swp_catalogue *catalogue, enum swp_level level)
{
	struct swp_selection selection;
	struct swp_evaluation_job job = {.level = level,
		.partition = "aws",
		.account = "111122223333",
		.region = level == SWP_LEVEL_REGION ? "eu-west-1" : "global",
		.organization_id = "o-1",
		.management_account = "999999999999",
		.started_at_ms = 1790000000000,
		.selection = &selection};
	struct swp_evaluation_sink sink = {
		.result = take_result, .cell = take_cell, .fact = take_fact, .context = input};
	struct swp_evaluation *evaluation;
	struct swp_wanted_call call;

	swp_selection_all(catalogue, &selection);
	evaluation = swp_evaluation_new(catalogue, &job, &sink);
	SWP_ASSERT(evaluation);
	for (unsigned calls = 0; calls < MAX_CALLS && swp_evaluation_next(evaluation, &call); calls++)
		answer(input, evaluation, &call);
	input->cells = 0;
	SWP_ASSERT(swp_evaluation_finish(evaluation, SWP_REASON_CANCELLED) == 0);
	SWP_ASSERT(input->cells == swp_selection_count_level(catalogue, &selection, level));
	swp_evaluation_free(evaluation);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct swp_catalogue *catalogue; /* for all inputs */
	struct input input = {.data = data, .size = size};

	if (!catalogue) {
		size_t length;
		const char *text = swp_catalogue_builtin(&length);

		SWP_ASSERT(swp_catalogue_load(text, length, &catalogue, NULL) == 0);
	}
	read_documents(&input);
	play(&input, catalogue, SWP_LEVEL_REGION);
	for (size_t i = 0; i < input.document_count; i++)
		json_decref(input.documents[i]);
	return 0;
}
