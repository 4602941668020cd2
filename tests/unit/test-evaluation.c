/* Fixtures of tests/fixtures/evaluation: answers in, cells and rows out; the same in any order of answers. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "tests/unit/evaluation-player.h"

#define FOLDER "tests/fixtures/evaluation"
#define TEST_CATALOGUE "tests/catalogue/aws"

static struct swp_catalogue *builtin, *extended;

static struct swp_catalogue *catalogue_of(const json_t *fixture)
{
	if (!json_is_true(json_object_get(fixture, "test_catalogue")))
		return builtin;
	if (!extended)
		extended = player_catalogue(TEST_CATALOGUE);
	return extended;
}

/* Every order of answers gives the same, and what the fixture expects. */
static unsigned play_orders(const json_t *fixture, const char *name)
{
	char *first = NULL;
	unsigned failures = 0;

	for (unsigned order = 0; order < 12; order++) {
		struct player player = {
			.catalogue = catalogue_of(fixture), .fixture = fixture, .order = order};
		char *text;

		player_play(&player);
		if (!player_meets(&player, name))
			failures++;
		text = json_dumps(player.outcome, JSON_SORT_KEYS);
		if (first && strcmp(first, text) != 0) {
			fprintf(stderr, "%s: order %u gives something else:\n%s\n%s\n", name, order, first,
				text);
			failures++;
		}
		if (!first)
			first = text;
		else
			free(text);
		player_done(&player);
		if (failures)
			break;
	}
	free(first);
	return failures;
}

static unsigned play_file(const char *name)
{
	char path[512];
	json_t *cases, *one;
	const char *title;
	unsigned failures = 0;

	snprintf(path, sizeof(path), FOLDER "/%s", name);
	cases = player_load_fixture(path);
	json_object_foreach(cases, title, one)
	{
		char full[768];

		snprintf(full, sizeof(full), "%s: %s", name, title);
		failures += play_orders(one, full);
	}
	json_decref(cases);
	return failures;
}

static void test_fixtures(void **state)
{
	DIR *folder = opendir(FOLDER);
	struct dirent *entry;
	unsigned failures = 0, files = 0;

	(void)state;
	assert_non_null(folder);
	while ((entry = readdir(folder))) {
		if (!swp_text_ends(entry->d_name, ".json"))
			continue;
		failures += play_file(entry->d_name);
		files++;
	}
	closedir(folder);
	assert_int_not_equal(files, 0);
	assert_int_equal(failures, 0);
}

/* --- ceilings: lists that a fixture could not hold --- */

struct endless {
	unsigned long notebooks, rows;
	unsigned page_size;
	char list_reason[64];
	enum swp_reason cell;
	size_t largest_evidence;
	bool left_out;
};

static int endless_result(void *context, const struct swp_result *result)
{
	struct endless *endless = context;

	if (!result->resource)
		snprintf(endless->list_reason, sizeof(endless->list_reason), "%s",
			swp_reason_name(result->gap.reason));
	endless->rows += result->resource != NULL;
	if (result->evidence) {
		size_t bytes = json_dumpb(result->evidence, NULL, 0, JSON_COMPACT);

		endless->largest_evidence =
			bytes > endless->largest_evidence ? bytes : endless->largest_evidence;
		endless->left_out = endless->left_out || json_object_get(result->evidence, "left_out");
	}
	return 0;
}

static int endless_cell(void *context, const struct swp_cell *cell)
{
	((struct endless *)context)->cell = cell->reason;
	return 0;
}

static int endless_fact(void *context, const struct swp_fact *fact)
{
	(void)context;
	(void)fact;
	return 0;
}

static json_t *endless_page(struct endless *endless)
{
	json_t *list = json_array();
	char token[64];

	for (unsigned i = 0; i < endless->page_size; i++) {
		char name[64], arn[160];

		snprintf(name, sizeof(name), "n%lu", endless->notebooks++);
		snprintf(arn, sizeof(arn), "arn:aws:sagemaker:eu-west-1:111122223333:notebook-instance/%s",
			name);
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:s}", "NotebookInstanceName", name,
				      "NotebookInstanceArn", arn, "NotebookInstanceStatus", "Deleting"));
	}
	snprintf(token, sizeof(token), "t%lu-%ld", endless->notebooks, random());
	return json_pack("{s:o, s:s}", "NotebookInstances", list, "NextToken", token);
}

static void play_endless(struct endless *endless)
{
	struct swp_selection selection = {{0}};
	struct swp_evaluation_job job = {.level = SWP_LEVEL_REGION,
		.partition = "aws",
		.account = "111122223333",
		.region = "eu-west-1",
		.selection = &selection};
	struct swp_evaluation_sink sink = {
		.result = endless_result, .cell = endless_cell, .fact = endless_fact, .context = endless};
	struct swp_evaluation *evaluation;
	struct swp_wanted_call call;
	unsigned long calls = 0;

	swp_selection_set(&selection, (size_t)swp_catalogue_check_find(builtin, "aws-sagemaker-001"), true);
	evaluation = swp_evaluation_new(builtin, &job, &sink);
	assert_non_null(evaluation);
	while (swp_evaluation_next(evaluation, &call)) {
		struct swp_evaluation_answer answer = {
			.kind = SWP_ANSWER_DOCUMENT, .document = endless_page(endless)};

		assert_true(++calls <= SWP_LIMIT_LIST_PAGES);
		assert_int_equal(swp_evaluation_answer(evaluation, call.id, &answer), 0);
		json_decref(answer.document);
	}
	assert_true(swp_evaluation_is_idle(evaluation));
	assert_int_equal(swp_evaluation_finish(evaluation, SWP_REASON_NONE), 0);
	swp_evaluation_free(evaluation);
}

/* More pages, more resources, more empty pages than a list may have: an end, and a gap. */
static void test_endless_list(void **state)
{
	static const unsigned page_sizes[] = {0, 1, 1000};

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(page_sizes); i++) {
		struct endless endless = {.page_size = page_sizes[i]};

		play_endless(&endless);
		assert_string_equal(endless.list_reason, "limit-reached");
		assert_int_equal(endless.cell, SWP_REASON_LIMIT_REACHED);
	}
}

static json_t *big_guardrails(size_t name_bytes)
{
	static const char prefix[] = "arn:aws:bedrock:eu-west-1:111122223333:guardrail/";
	char *arn = calloc(1, sizeof(prefix) + name_bytes);
	json_t *document;

	assert_non_null(arn);
	memcpy(arn, prefix, sizeof(prefix));
	memset(arn + strlen(prefix), 'x', name_bytes);
	document = json_pack("{s:[{s:s, s:s, s:s, s:s, s:s, s:s, s:s}]}", "guardrails", "arn", arn, "id", "g",
		"name", "n", "status", "READY", "version", "1", "createdAt", "c", "updatedAt", "u");
	free(arn);
	return document;
}

/* Evidence has a ceiling; what is left out is named. */
static void test_long_evidence(void **state)
{
	struct swp_selection selection = {{0}};
	struct endless endless = {0};
	struct swp_evaluation_job job = {.level = SWP_LEVEL_REGION,
		.partition = "aws",
		.account = "111122223333",
		.region = "eu-west-1",
		.selection = &selection};
	struct swp_evaluation_sink sink = {
		.result = endless_result, .cell = endless_cell, .fact = endless_fact, .context = &endless};
	struct swp_evaluation_answer answer = {
		.kind = SWP_ANSWER_DOCUMENT, .document = big_guardrails(SWP_LIMIT_EVIDENCE_BYTES)};
	struct swp_evaluation *evaluation;
	struct swp_wanted_call call;

	(void)state;
	swp_selection_set(&selection, (size_t)swp_catalogue_check_find(builtin, "aws-bedrock-002"), true);
	evaluation = swp_evaluation_new(builtin, &job, &sink);
	assert_true(swp_evaluation_next(evaluation, &call));
	assert_int_equal(swp_evaluation_answer(evaluation, call.id, &answer), 0);
	/* Answered already, and never asked. */
	assert_int_equal(swp_evaluation_answer(evaluation, call.id, &answer), -22);
	assert_int_equal(swp_evaluation_answer(evaluation, 12345, &answer), -22);
	assert_int_equal(swp_evaluation_finish(evaluation, SWP_REASON_NONE), 0);
	assert_true(endless.left_out);
	assert_true(endless.largest_evidence <= SWP_LIMIT_EVIDENCE_BYTES);
	swp_evaluation_free(evaluation);
	json_decref(answer.document);
}

/* Plays one check with answers that are made on the spot; returns the cell's reason. */
static enum swp_reason play_made(struct swp_catalogue *catalogue, const char *check,
	json_t *(*make)(const struct swp_wanted_call *call))
{
	struct swp_selection selection = {{0}};
	struct endless endless = {0};
	struct swp_evaluation_job job = {.level = SWP_LEVEL_REGION,
		.partition = "aws",
		.account = "111122223333",
		.region = "eu-west-1",
		.selection = &selection};
	struct swp_evaluation_sink sink = {
		.result = endless_result, .cell = endless_cell, .fact = endless_fact, .context = &endless};
	struct swp_evaluation *evaluation;
	struct swp_wanted_call call;

	swp_selection_set(&selection, (size_t)swp_catalogue_check_find(catalogue, check), true);
	evaluation = swp_evaluation_new(catalogue, &job, &sink);
	assert_non_null(evaluation);
	while (swp_evaluation_next(evaluation, &call)) {
		struct swp_evaluation_answer answer = {.kind = SWP_ANSWER_DOCUMENT, .document = make(&call)};

		assert_non_null(answer.document);
		assert_int_equal(swp_evaluation_answer(evaluation, call.id, &answer), 0);
		json_decref(answer.document);
	}
	assert_int_equal(swp_evaluation_finish(evaluation, SWP_REASON_NONE), 0);
	swp_evaluation_free(evaluation);
	return endless.cell;
}

static unsigned made_calls;

static json_t *make_agent(const struct swp_wanted_call *call)
{
	const char *name = call->operation->name;
	json_t *groups;

	if (strcmp(name, "ListAgents") == 0)
		return json_pack("{s:[{s:s, s:s, s:s}]}", "agentSummaries", "agentId", "A", "agentName", "n",
			"agentStatus", "PREPARED");
	if (strcmp(name, "GetAgent") == 0)
		return json_pack("{s:{s:s, s:s, s:s, s:s}}", "agent", "agentId", "A", "agentArn", "arn:a",
			"agentName", "n", "agentStatus", "PREPARED");
	if (strcmp(name, "GetAgentActionGroup") == 0) {
		made_calls++;
		return json_pack("{s:{s:s, s:s, s:s}}", "agentActionGroup", "actionGroupId", "g",
			"actionGroupName", "n", "actionGroupState", "DISABLED");
	}
	groups = json_array();
	for (unsigned i = 0; i <= SWP_LIMIT_FAN_OUT; i++) {
		char id[32];

		snprintf(id, sizeof(id), "g%u", i);
		json_array_append_new(groups, json_pack("{s:s, s:s, s:s}", "actionGroupId", id,
						      "actionGroupName", "n", "actionGroupState", "E"));
	}
	return json_pack("{s:o}", "actionGroupSummaries", groups);
}

/* One element more than a step may follow: those are not made, and that is known. */
static void test_fan_out_ceiling(void **state)
{
	(void)state;
	if (!extended)
		extended = player_catalogue(TEST_CATALOGUE);
	made_calls = 0;
	assert_int_equal(play_made(extended, "aws-bedrock-027", make_agent), SWP_REASON_LIMIT_REACHED);
	assert_int_equal(made_calls, SWP_LIMIT_FAN_OUT);
}

/* The last endpoint follows to the configuration of the first, which by then was forgotten: it is read again. */
static json_t *make_endpoint(const struct swp_wanted_call *call)
{
	const char *operation = call->operation->name;
	const char *name = json_string_value(json_object_get(call->input, "EndpointName"));
	json_t *list;

	if (strcmp(operation, "DescribeEndpoint") == 0)
		return json_pack("{s:s, s:s, s:s, s:i, s:i, s:s}", "EndpointName", name, "EndpointArn",
			"arn:x", "EndpointStatus", "InService", "CreationTime", 1, "LastModifiedTime", 1,
			"EndpointConfigName", strcmp(name, "last") == 0 ? "e0" : name);
	if (strcmp(operation, "DescribeEndpointConfig") == 0) {
		made_calls += strcmp(json_string_value(json_object_get(call->input, "EndpointConfigName")),
				      "e0") == 0;
		return json_pack("{s:s, s:s, s:s, s:i, s:[{s:s, s:s}]}", "EndpointConfigName", "c",
			"EndpointConfigArn", "arn:c", "KmsKeyId", "k", "CreationTime", 1,
			"ProductionVariants", "VariantName", "v", "InstanceType", "ml.m5.large");
	}
	list = json_array();
	for (unsigned i = 0; i <= SWP_LIMIT_SHARED_DOCUMENTS + 1; i++) {
		char id[32], arn[64];

		if (i > SWP_LIMIT_SHARED_DOCUMENTS)
			snprintf(id, sizeof(id), "last");
		else
			snprintf(id, sizeof(id), "e%u", i);
		snprintf(arn, sizeof(arn), "arn:aws:sagemaker:%s", id);
		json_array_append_new(list,
			json_pack("{s:s, s:s, s:s, s:i, s:i}", "EndpointName", id, "EndpointArn", arn,
				"EndpointStatus", "InService", "CreationTime", 1, "LastModifiedTime", 1));
	}
	return json_pack("{s:o}", "Endpoints", list);
}

static void test_shared_documents_ceiling(void **state)
{
	(void)state;
	made_calls = 0;
	assert_int_equal(play_made(builtin, "aws-sagemaker-003", make_endpoint), SWP_REASON_NONE);
	assert_in_range(made_calls, 1, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fixtures),
		cmocka_unit_test(test_endless_list),
		cmocka_unit_test(test_long_evidence),
		cmocka_unit_test(test_fan_out_ceiling),
		cmocka_unit_test(test_shared_documents_ceiling),
	};
	int failures;

	builtin = player_catalogue(NULL);
	failures = cmocka_run_group_tests(tests, NULL, NULL);
	swp_catalogue_unref(builtin);
	swp_catalogue_unref(extended);
	return failures;
}
