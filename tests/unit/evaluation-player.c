/* See evaluation-player.h. */
#include "tests/unit/evaluation-player.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

/* --- catalogues --- */

static void complain(const struct swp_lint_message *message, void *context)
{
	(void)context;
	fprintf(stderr, "%s:%u: %s\n", message->file, message->line, message->text);
}

static char *read_text(const char *path, size_t *ret_length)
{
	FILE *stream = fopen(path, "rb");
	char *text = calloc(1, 1u << 20);

	SWP_ASSERT(stream && text);
	*ret_length = fread(text, 1, (1u << 20) - 1, stream);
	fclose(stream);
	return text;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(
		((const struct swp_catalogue_file *)a)->name, ((const struct swp_catalogue_file *)b)->name);
}

static size_t read_directory(const char *directory, struct swp_catalogue_file *files, size_t most)
{
	DIR *stream = opendir(directory);
	struct dirent *entry;
	size_t count = 0;

	SWP_ASSERT(stream);
	while ((entry = readdir(stream)) && count < most) {
		char *name;

		if (!swp_text_ends(entry->d_name, ".yaml"))
			continue;
		name = swp_asprintf("%s/%s", directory, entry->d_name);
		files[count].name = name;
		files[count].bytes = read_text(name, &files[count].length);
		count++;
	}
	closedir(stream);
	qsort(files, count, sizeof(*files), compare_names);
	return count;
}

struct swp_catalogue *player_catalogue(const char *directory)
{
	struct swp_catalogue_file files[64];
	struct swp_catalogue *base = NULL, *catalogue = NULL;
	struct swp_problem problem = {""};
	struct swp_buf compiled = {0};
	size_t length, count;
	const char *text = swp_catalogue_builtin(&length);

	if (swp_catalogue_load(text, length, &base, &problem) < 0) {
		fprintf(stderr, "%s\n", problem.text);
		abort();
	}
	if (!directory)
		return base;
	count = read_directory(directory, files, SWP_ARRAY_SIZE(files));
	SWP_ASSERT(swp_catalogue_compile(files, count, base, complain, NULL, &compiled) == 0);
	SWP_ASSERT(swp_catalogue_load(compiled.data, compiled.length, &catalogue, &problem) == 0);
	for (size_t i = 0; i < count; i++) {
		swp_free((char *)(uintptr_t)files[i].name);
		free((char *)(uintptr_t)files[i].bytes);
	}
	swp_buf_done(&compiled);
	swp_catalogue_unref(base);
	return catalogue;
}

json_t *player_load_fixture(const char *path)
{
	json_error_t error;
	json_t *fixture = json_load_file(path, 0, &error);

	if (!fixture)
		fprintf(stderr, "%s:%d: %s\n", path, error.line, error.text);
	SWP_ASSERT(fixture);
	return fixture;
}

/* --- what comes out --- */

static int note_result(struct player *player, const struct swp_result *result)
{
	const char *id = swp_catalogue_check(player->catalogue, result->check)->id;
	char *key = swp_asprintf("%s %s", id, result->resource ? result->resource : "-");
	json_t *results = json_object_get(player->outcome, "results");
	json_t *row = json_pack(
		"{s:s,s:O?}", "status", swp_status_name(result->status), "evidence", result->evidence);

	if (!key || !row) {
		json_decref(row);
		swp_free(key);
		return -ENOMEM;
	}
	SWP_ASSERT(!json_object_get(results, key)); /* each (check, resource) once */
	if (result->status == SWP_STATUS_NOT_ASSESSED) {
		SWP_ASSERT(result->gap.reason != SWP_REASON_NONE && result->gap.action &&
			   result->gap.error_code);
		SWP_ASSERT(*result->gap.action);
		json_object_set_new(row, "reason", json_string(swp_reason_name(result->gap.reason)));
		json_object_set_new(row, "action", json_string(result->gap.action));
	}
	if (result->status == SWP_STATUS_NOT_APPLICABLE)
		json_object_set_new(
			row, "reason", json_string(swp_not_applicable_name(result->not_applicable)));
	json_object_set_new(results, key, row);
	swp_free(key);
	return 0;
}

static int note_cell(struct player *player, const struct swp_cell *cell)
{
	const char *id = swp_catalogue_check(player->catalogue, cell->check)->id;
	json_t *cells = json_object_get(player->outcome, "cells");
	const char *why = cell->status == SWP_STATUS_NOT_APPLICABLE
				  ? swp_not_applicable_name(cell->not_applicable)
				  : swp_reason_name(cell->reason);
	json_t *text = json_sprintf("%s%s%s%s", swp_status_name(cell->status),
		cell->partial ? " partial" : "", *why ? " " : "", why);

	SWP_ASSERT(!json_object_get(cells, id));
	return text && json_object_set_new(cells, id, text) == 0 ? 0 : -ENOMEM;
}

static int note_fact(struct player *player, const struct swp_fact *fact)
{
	json_t *facts = json_object_get(player->outcome, "facts");
	json_t *row = json_pack("{s:s,s:s,s:s?,s:O?,s:s}", "name", fact->name, "subject", fact->subject,
		"object", fact->object, "value", fact->value, "reason", swp_reason_name(fact->gap.reason));
	char *text = row ? json_dumps(row, JSON_SORT_KEYS) : NULL;

	json_decref(row);
	if (!text)
		return -ENOMEM;
	if (json_object_set_new(facts, text, json_true()) < 0)
		return -ENOMEM;
	free(text);
	return 0;
}

static void arm(const struct player *player, bool on)
{
	if (player->arm)
		player->arm(on);
}

/* What the player itself allocates does not fail. */
static int take_result(void *context, const struct swp_result *result)
{
	int r;

	arm(context, false);
	r = note_result(context, result);
	arm(context, true);
	return r;
}

static int take_cell(void *context, const struct swp_cell *cell)
{
	int r;

	arm(context, false);
	r = note_cell(context, cell);
	arm(context, true);
	return r;
}

static int take_fact(void *context, const struct swp_fact *fact)
{
	int r;

	arm(context, false);
	r = note_fact(context, fact);
	arm(context, true);
	return r;
}

/* --- answering --- */

static bool input_fits(const json_t *wanted, const json_t *input)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)wanted, key, value)
	{
		if (!json_equal(value, json_object_get(input, key)))
			return false;
	}
	return true;
}

static const json_t *find_answer(
	const struct player *player, const char *name, const struct swp_wanted_call *call)
{
	const json_t *answers = json_object_get(json_object_get(player->fixture, "answers"), name);

	for (size_t i = 0; i < json_array_size(answers); i++) {
		const json_t *answer = json_array_get(answers, i);

		if (swp_text_equal(json_string_value(json_object_get(answer, "token")), call->token) &&
			input_fits(json_object_get(answer, "input"), call->input))
			return answer;
	}
	return NULL;
}

static void note_call(struct player *player, const struct swp_wanted_call *call)
{
	if (player->call_count == player->call_capacity) {
		player->call_capacity = player->call_capacity ? player->call_capacity * 2 : 32;
		player->calls = realloc(player->calls, player->call_capacity * sizeof(*player->calls));
		SWP_ASSERT(player->calls);
	}
	player->calls[player->call_count++] =
		(struct player_call){.operation = call->operation->action ? call->operation->name : "",
			.input = json_deep_copy(call->input),
			.token = call->token ? strdup(call->token) : NULL};
}

static const json_t *choose_answer(struct player *player, const struct swp_wanted_call *call)
{
	const struct player_call *spoiled = player->fault_of;
	char name[256];
	const json_t *answer;

	if (spoiled && swp_text_equal(spoiled->operation, call->operation->name) &&
		(player->fault_any_token || swp_text_equal(spoiled->token, call->token)) &&
		json_equal(spoiled->input, call->input))
		return player->fault;
	snprintf(name, sizeof(name), "%s:%s", call->operation->service->name, call->operation->name);
	answer = find_answer(player, name, call);
	if (!answer) {
		char *input = json_dumps(call->input, JSON_COMPACT);

		if (player->error == 0 && !player->fault)
			fprintf(stderr, "unexpected call: %s %s token %s\n", name, input ? input : "",
				call->token ? call->token : "-");
		free(input);
		player->unexpected = true;
	}
	return answer;
}

static int answer_call(
	struct player *player, struct swp_evaluation *evaluation, const struct swp_wanted_call *call)
{
	const json_t *answer = choose_answer(player, call);
	const char *failed = json_string_value(json_object_get(answer, "failed"));
	const char *code = json_string_value(json_object_get(answer, "code"));
	const char *message = json_string_value(json_object_get(answer, "message"));
	struct swp_evaluation_answer given = {.kind = SWP_ANSWER_FAILED,
		.gap = {.reason = SWP_REASON_SERVICE_UNAVAILABLE,
			.action = "",
			.error_code = code ? code : "",
			.message = message ? message : "",
			.request_id = "r-1"}};

	if (failed)
		SWP_ASSERT(swp_reason_parse(failed, &given.gap.reason) == 0);
	if (json_object_get(answer, "document")) {
		given.kind = SWP_ANSWER_DOCUMENT;
		given.document = json_deep_copy(json_object_get(answer, "document"));
		SWP_ASSERT(given.document);
	} else if (json_object_get(answer, "gone")) {
		given.kind = SWP_ANSWER_NOT_FOUND;
	} else if (json_object_get(answer, "not_offered")) {
		given.kind = SWP_ANSWER_NOT_OFFERED;
	}
	note_call(player, call);
	arm(player, true);
	player->error = swp_evaluation_answer(evaluation, call->id, &given);
	arm(player, false);
	json_decref(given.document);
	return player->error;
}

static size_t choose(struct player *player, uint64_t *state, size_t count)
{
	if (player->order == 0)
		return 0;
	if (player->order == 1)
		return count - 1;
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (size_t)(*state >> 33) % count;
}

static void play_calls(struct player *player, struct swp_evaluation *evaluation)
{
	struct swp_wanted_call open[512];
	size_t count = 0, answered = 0;
	uint64_t state = player->order;

	while (player->error == 0) {
		size_t index;
		struct swp_wanted_call call;

		/* Some orders take calls one by one, others all at once. */
		while (count < (player->order % 3 == 2 ? 1 : SWP_ARRAY_SIZE(open)) &&
			swp_evaluation_next(evaluation, &open[count]))
			count++;
		if (count == 0 || (player->stop_after && answered == player->stop_after))
			return;
		index = choose(player, &state, count);
		call = open[index];
		memmove(&open[index], &open[index + 1], (count - index - 1) * sizeof(*open));
		count--;
		answered++;
		answer_call(player, evaluation, &call);
	}
}

/* --- a play --- */

static const char *text_or(const json_t *fixture, const char *key, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(fixture, key));

	return text ? text : otherwise;
}

static void select_checks(const struct player *player, struct swp_selection *selection)
{
	const json_t *globs = json_object_get(player->fixture, "checks");

	*selection = (struct swp_selection){{0}};
	for (size_t i = 0; i < swp_catalogue_check_count(player->catalogue); i++) {
		const char *id = swp_catalogue_check(player->catalogue, i)->id;

		for (size_t k = 0; k < json_array_size(globs); k++) {
			if (swp_glob_match(json_string_value(json_array_get(globs, k)), id))
				swp_selection_set(selection, i, true);
		}
	}
}

static enum swp_level level_of(const json_t *fixture)
{
	const char *level = text_or(fixture, "level", "region");

	if (strcmp(level, "global") == 0)
		return SWP_LEVEL_GLOBAL;
	return strcmp(level, "organization") == 0 ? SWP_LEVEL_ORGANIZATION : SWP_LEVEL_REGION;
}

static int64_t started_at_ms(const json_t *fixture)
{
	int64_t ms = 0;
	int error = swp_time_parse(text_or(fixture, "started_at", "2026-11-22T08:00:00Z"), &ms);

	SWP_ASSERT(error == 0);
	return ms;
}

void player_play(struct player *player)
{
	struct swp_selection selection;
	enum swp_level level = level_of(player->fixture);
	struct swp_evaluation_job job = {.level = level,
		.partition = text_or(player->fixture, "partition", "aws"),
		.account = text_or(player->fixture, "account", "111122223333"),
		.region = text_or(
			player->fixture, "region", level == SWP_LEVEL_REGION ? "eu-west-1" : "global"),
		.organization_id = "o-1234567890",
		.management_account = "999999999999",
		.started_at_ms = started_at_ms(player->fixture),
		.selection = &selection};
	struct swp_evaluation_sink sink = {
		.result = take_result, .cell = take_cell, .fact = take_fact, .context = player};
	struct swp_evaluation *evaluation;

	select_checks(player, &selection);
	player->outcome = json_pack("{s:{},s:{},s:{}}", "cells", "results", "facts");
	SWP_ASSERT(player->outcome);
	arm(player, true);
	evaluation = swp_evaluation_new(player->catalogue, &job, &sink);
	arm(player, false);
	if (!evaluation) {
		player->error = -ENOMEM;
		return;
	}
	play_calls(player, evaluation);
	arm(player, true);
	if (player->error == 0)
		player->error = swp_evaluation_finish(evaluation, player->unread);
	arm(player, false);
	json_object_set_new(
		player->outcome, "vanished", json_integer((json_int_t)swp_evaluation_vanished(evaluation)));
	swp_evaluation_free(evaluation);
}

void player_done(struct player *player)
{
	for (size_t i = 0; i < player->call_count; i++) {
		json_decref(player->calls[i].input);
		free(player->calls[i].token);
	}
	free(player->calls);
	json_decref(player->outcome);
	player->calls = NULL;
	player->call_count = player->call_capacity = 0;
	player->outcome = NULL;
	player->error = 0;
	player->unexpected = false;
}

/* --- comparing --- */

static bool holds(const json_t *expected, const json_t *actual)
{
	const char *key;
	json_t *value;

	if (!json_is_object(expected))
		return json_equal(expected, actual);
	json_object_foreach((json_t *)expected, key, value)
	{
		const json_t *other = json_object_get(actual, key);

		if (json_is_null(value) ? other && !json_is_null(other) : !holds(value, other))
			return false;
	}
	return true;
}

/* fixture.calls: how often an operation is called. */
static bool calls_meet(const struct player *player)
{
	const char *operation;
	json_t *times;

	json_object_foreach(json_object_get(player->fixture, "calls"), operation, times)
	{
		json_int_t count = 0;

		for (size_t i = 0; i < player->call_count; i++)
			count += strcmp(player->calls[i].operation, operation) == 0;
		if (count != json_integer_value(times))
			return false;
	}
	return true;
}

bool player_meets(const struct player *player, const char *name)
{
	const json_t *expect = json_object_get(player->fixture, "expect");
	const json_t *rows = json_object_get(expect, "results");
	bool good = holds(expect, player->outcome) && calls_meet(player) && !player->unexpected &&
		    player->error == 0 && expect;

	if (rows && json_object_size(rows) != json_object_size(json_object_get(player->outcome, "results")))
		good = false;
	if (!good) {
		char *wanted = json_dumps(expect, JSON_INDENT(2) | JSON_SORT_KEYS);
		char *got = json_dumps(player->outcome, JSON_INDENT(2) | JSON_SORT_KEYS);

		fprintf(stderr, "%s (order %u, error %d):\nexpected %s\ngot %s\n", name, player->order,
			player->error, wanted, got);
		free(wanted);
		free(got);
	}
	return good;
}
