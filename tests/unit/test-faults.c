/* Generated faults: in an organization of which everything was read, each answer is replaced in turn by each fault of the contract's table.
 * Each verdict must stay as it was or become NOT_ASSESSED with that reason, never anything else; a fact must stay or become unknown.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/text.h"
#include "tests/unit/evaluation-player.h"
#include "tests/unit/under-valgrind.h"

#define FOLDER "tests/fixtures/faults/"

static struct swp_catalogue *catalogue;
static unsigned long plays;

/* What a play under a fault may differ in. */
struct tolerance {
	const char *reason;    /* of what was not read */
	const char *or_reason; /* NULL, or another one that is right too */
	const char *absence;   /* NOT_APPLICABLE reason that is right too ("not-offered"); NULL */
	bool may_vanish;       /* a resource may be gone */
	bool may_be_absent; /* the document may be known not to be there: verdicts on its resource are free */
};

struct play {
	const char *fixture;
	const struct player_call *call;
	const char *what;
	const json_t *base, *outcome;
	struct tolerance tolerance;
	unsigned failures;
};

static void complain(struct play *play, const char *key, const char *text)
{
	char *input = json_dumps(play->call->input, JSON_COMPACT);

	if (play->failures++ < 3)
		fprintf(stderr, "%s: %s %s token %s, %s: %s: %s\n", play->fixture, play->call->operation,
			input, play->call->token ? play->call->token : "-", play->what, key, text);
	free(input);
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static bool is_excused(const struct play *play, const json_t *row)
{
	if (strcmp(text_of(row, "status"), "NOT_ASSESSED") == 0)
		return strcmp(text_of(row, "reason"), play->tolerance.reason) == 0 ||
		       (play->tolerance.or_reason &&
			       strcmp(text_of(row, "reason"), play->tolerance.or_reason) == 0);
	return play->tolerance.absence && strcmp(text_of(row, "status"), "NOT_APPLICABLE") == 0 &&
	       strcmp(text_of(row, "reason"), play->tolerance.absence) == 0;
}

/* The row of the cell itself, where a list could not be read. */
static const json_t *null_row(const json_t *outcome, const char *key)
{
	char name[256];

	snprintf(name, sizeof(name), "%.*s -", (int)strcspn(key, " "), key);
	return json_object_get(json_object_get(outcome, "results"), name);
}

static void compare_rows(struct play *play)
{
	const json_t *before = json_object_get(play->base, "results"),
		     *after = json_object_get(play->outcome, "results");
	const char *key;
	json_t *row;

	json_object_foreach((json_t *)before, key, row)
	{
		const json_t *now = json_object_get(after, key);
		const json_t *of_list = null_row(play->outcome, key);

		if (!now) {
			if (!play->tolerance.may_vanish && !(of_list && is_excused(play, of_list)))
				complain(play, key, "is lost");
		} else if (strcmp(text_of(row, "status"), text_of(now, "status")) != 0 &&
			   !is_excused(play, now) && !play->tolerance.may_be_absent) {
			complain(play, key, text_of(now, "status"));
		}
	}
	json_object_foreach((json_t *)after, key, row)
	{
		if (json_object_get(before, key) || is_excused(play, row))
			continue;
		if (!(play->tolerance.may_vanish && strcmp(text_of(row, "reason"), "no-resource") == 0))
			complain(play, key, "is new");
	}
}

/* "FAIL", "NOT_ASSESSED reason", "FAIL partial reason", "NOT_APPLICABLE reason". */
static void compare_cells(struct play *play)
{
	const char *id;
	json_t *cell;

	json_object_foreach(json_object_get(play->base, "cells"), id, cell)
	{
		const char *now = text_of(json_object_get(play->outcome, "cells"), id);
		char unread[128], partial[128], absent[128];

		snprintf(unread, sizeof(unread), "NOT_ASSESSED %s", play->tolerance.reason);
		snprintf(partial, sizeof(partial), "FAIL partial %s", play->tolerance.reason);
		snprintf(absent, sizeof(absent), "NOT_APPLICABLE %s",
			play->tolerance.absence ? play->tolerance.absence : "?");
		if (strcmp(now, json_string_value(cell)) == 0 || strcmp(now, unread) == 0 ||
			strcmp(now, absent) == 0)
			continue;
		if (strcmp(now, partial) == 0 && strncmp(json_string_value(cell), "FAIL", 4) == 0)
			continue;
		if (!play->tolerance.may_vanish && !play->tolerance.may_be_absent)
			complain(play, id, now);
	}
}

/* Each fact stays, or is unknown; one that is lost is told by "complete:…". */
static void compare_facts(struct play *play)
{
	const json_t *before = json_object_get(play->base, "facts"),
		     *after = json_object_get(play->outcome, "facts");
	bool told = false;
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)after, key, value)
	{
		json_t *row = json_loads(key, 0, NULL);
		bool unknown = *text_of(row, "reason") != '\0';
		bool absent = play->tolerance.absence &&
			      strcmp(text_of(row, "value"), play->tolerance.absence) == 0;

		told = told || unknown || absent;
		if (!json_object_get(before, key) && !unknown && !absent && !play->tolerance.may_vanish &&
			!play->tolerance.may_be_absent)
			complain(play, key, "is a new fact");
		json_decref(row);
	}
	json_object_foreach((json_t *)before, key, value)
	{
		if (!json_object_get(after, key) && !told && !play->tolerance.may_vanish &&
			!play->tolerance.may_be_absent)
			complain(play, key, "is a lost fact");
	}
}

static void play_fault(struct play *play, const json_t *fixture, const json_t *fault, bool any_token)
{
	struct player player = {.catalogue = catalogue,
		.fixture = fixture,
		.fault = fault,
		.fault_of = play->call,
		.fault_any_token = any_token,
		.order = (unsigned)(plays % 5)};

	if (plays++ % 7 != 0 && under_valgrind())
		return;
	player_play(&player);
	play->outcome = player.outcome;
	if (player.error != 0) {
		complain(play, "evaluation", "failed");
	} else {
		compare_rows(play);
		compare_cells(play);
		compare_facts(play);
	}
	player_done(&player);
}

/* --- faults --- */

static void play_reasons(struct play *play, const json_t *fixture)
{
	for (int reason = SWP_REASON_NONE + 1; reason < SWP_REASON_COUNT; reason++) {
		json_t *fault = json_pack("{s:s}", "failed", swp_reason_name((enum swp_reason)reason));

		play->what = swp_reason_name((enum swp_reason)reason);
		play->tolerance = (struct tolerance){.reason = play->what};
		play_fault(play, fixture, fault, false);
		json_decref(fault);
	}
}

static void play_absences(struct play *play, const json_t *fixture)
{
	json_t *gone = json_pack("{s:b}", "gone", 1), *not_offered = json_pack("{s:b}", "not_offered", 1);

	play->what = "gone";
	play->tolerance = (struct tolerance){.reason = "not-found",
		.or_reason = "service-unavailable", /* a list can't be gone */
		.may_vanish = true,
		.may_be_absent = true};
	play_fault(play, fixture, gone, false);
	play->what = "not offered";
	play->tolerance = (struct tolerance){.reason = "service-unavailable", .absence = "not-offered"};
	play_fault(play, fixture, not_offered, false);
	json_decref(gone);
	json_decref(not_offered);
}

static void play_document(
	struct play *play, const json_t *fixture, const json_t *document, const char *what, bool any_token)
{
	json_t *fault = json_pack("{s:O}", "document", document);

	play->what = what;
	play->tolerance = (struct tolerance){.reason = "malformed-response"};
	play_fault(play, fixture, fault, any_token);
	json_decref(fault);
}

static json_t *another_type(const json_t *value)
{
	if (json_is_string(value))
		return json_integer(7);
	if (json_is_number(value) || json_is_boolean(value))
		return json_string("7");
	return json_is_object(value) ? json_pack("[s]", "x") : json_pack("{s:s}", "x", "y");
}

/* Each member of the document, in its turn, gets another type; `node` is in `document`, which is played whole. */
static void play_types(struct play *play, const json_t *fixture, json_t *document, json_t *node)
{
	char what[300];

	for (size_t i = 0; i < json_array_size(node); i++) {
		json_t *element = json_incref(json_array_get(node, i));

		json_array_set_new(node, i, another_type(element));
		play_document(play, fixture, document, "an element of another type", false);
		json_array_set_new(node, i, json_null());
		play_document(play, fixture, document, "an element that is null", false);
		json_array_set_new(node, i, element);
		play_types(play, fixture, document, element);
	}
	for (void *at = json_object_iter(node); at; at = json_object_iter_next(node, at)) {
		json_t *member = json_incref(json_object_iter_value(at));

		snprintf(what, sizeof(what), "'%s' of another type", json_object_iter_key(at));
		json_object_iter_set_new(node, at, another_type(member));
		play_document(play, fixture, document, what, false);
		json_object_iter_set_new(node, at, member);
		play_types(play, fixture, document, member);
	}
}

/* Is the member one that the catalogue says must be there? */
static bool names_required(const json_t *list, const char *name)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);
		const char *path = json_is_string(one) ? json_string_value(one) : text_of(one, "path");
		const char *last = strrchr(path, '.');

		if (strcmp(last ? last + 1 : path, name) == 0)
			return true;
	}
	return false;
}

static bool resource_requires(const json_t *resource, const char *operation, const char *name)
{
	const char *step_name;
	json_t *step;

	if (strcmp(text_of(json_object_get(resource, "list"), "operation"), operation) == 0 &&
		names_required(json_object_get(json_object_get(resource, "item"), "required"), name))
		return true;
	json_object_foreach(json_object_get(resource, "steps"), step_name, step)
	{
		if (strcmp(text_of(step, "operation"), operation) == 0 &&
			names_required(json_object_get(step, "required"), name))
			return true;
	}
	return false;
}

static bool is_required(const struct player_call *call, const char *name)
{
	const json_t *document = swp_catalogue_document(catalogue);
	const char *key;
	json_t *row;

	json_object_foreach(json_object_get(document, "services"), key, row)
	{
		const json_t *operation =
			json_object_get(json_object_get(row, "operations"), call->operation);

		if (names_required(json_object_get(operation, "required"), name) ||
			strcmp(text_of(operation, "result"), name) == 0)
			return true;
	}
	json_object_foreach(json_object_get(document, "resources"), key, row)
	{
		if (resource_requires(row, call->operation, name))
			return true;
	}
	return false;
}

/* Does a path in there end with HOLDER.NAME! or HOLDER[].NAME!, so that what is called `holder` must have that member? */
static bool marks_required(const json_t *node, const char *holder, const char *name)
{
	char of_object[160], of_elements[160];
	const char *key;
	json_t *member;

	if (json_is_string(node)) {
		snprintf(of_object, sizeof(of_object), ".%s.%s!", holder, name);
		snprintf(of_elements, sizeof(of_elements), ".%s[].%s!", holder, name);
		return swp_text_ends(json_string_value(node), of_object) ||
		       swp_text_ends(json_string_value(node), of_elements);
	}
	for (size_t i = 0; i < json_array_size(node); i++)
		if (marks_required(json_array_get(node, i), holder, name))
			return true;
	json_object_foreach((json_t *)node, key, member)
	{
		if (marks_required(member, holder, name))
			return true;
	}
	return false;
}

/* Without the member, with null, and (what must not be empty either) with an empty text in its place. */
static void play_without(struct play *play, const json_t *fixture, json_t *document, json_t *node,
	const char *name, bool may_be_empty)
{
	json_t *member = json_incref(json_object_get(node, name));
	char what[300];

	json_object_del(node, name);
	snprintf(what, sizeof(what), "'%s' missing", name);
	play_document(play, fixture, document, what, false);
	json_object_set_new(node, name, json_null());
	snprintf(what, sizeof(what), "'%s' null", name);
	play_document(play, fixture, document, what, false);
	if (json_is_string(member) && !may_be_empty) {
		json_object_set_new(node, name, json_string(""));
		snprintf(what, sizeof(what), "'%s' empty", name);
		play_document(play, fixture, document, what, false);
	}
	json_object_set_new(node, name, member);
}

static void play_missing(
	struct play *play, const json_t *fixture, json_t *document, json_t *node, const char *holder)
{
	char *names[64];
	size_t count = 0;
	const char *key;
	json_t *member;

	for (size_t i = 0; i < json_array_size(node); i++)
		play_missing(play, fixture, document, json_array_get(node, i), holder);
	json_object_foreach(node, key, member)
	{
		assert_true(count < SWP_ARRAY_SIZE(names));
		names[count++] = strdup(key);
	}
	for (size_t i = 0; i < count; i++) {
		if (is_required(play->call, names[i]))
			play_without(play, fixture, document, node, names[i], false);
		else if (marks_required(swp_catalogue_document(catalogue), holder, names[i]))
			play_without(play, fixture, document, node, names[i], true);
		play_missing(play, fixture, document, json_object_get(node, names[i]), names[i]);
		free(names[i]);
	}
}

static const struct swp_aws_operation *operation_of(const struct player_call *call)
{
	for (size_t i = 0; i < swp_catalogue_service_count(catalogue); i++) {
		const struct swp_aws_operation *operation = swp_catalogue_operation(
			catalogue, swp_catalogue_service(catalogue, i)->name, call->operation);

		if (operation)
			return operation;
	}
	return NULL;
}

static void play_tokens(struct play *play, const json_t *fixture, const json_t *document)
{
	const struct swp_aws_operation *operation = operation_of(play->call);
	json_t *copy = json_deep_copy(document);

	if (operation->input_token) {
		json_object_set_new(copy, operation->output_token, json_string("again"));
		if (operation->more_flag)
			json_object_set_new(copy, operation->more_flag, json_true());
		play_document(play, fixture, copy, "a token that comes again and again", true);
		json_object_set_new(copy, operation->output_token, json_integer(1));
		play_document(play, fixture, copy, "a token of another type", false);
		if (operation->more_flag) {
			json_object_del(copy, operation->output_token);
			play_document(play, fixture, copy, "more pages without a token", false);
		}
	}
	json_decref(copy);
}

static const json_t *good_document(const json_t *fixture, const struct player_call *call)
{
	char name[256];
	const json_t *answers;

	snprintf(name, sizeof(name), "%s:%s", operation_of(call)->service->name, call->operation);
	answers = json_object_get(json_object_get(fixture, "answers"), name);
	for (size_t i = 0; i < json_array_size(answers); i++) {
		const json_t *answer = json_array_get(answers, i);
		const char *key;
		json_t *value;
		bool fits = swp_text_equal(json_string_value(json_object_get(answer, "token")), call->token);

		json_object_foreach(json_object_get(answer, "input"), key, value) fits =
			fits && json_equal(value, json_object_get(call->input, key));
		if (fits)
			return json_object_get(answer, "document");
	}
	return NULL;
}

static void play_malformed(struct play *play, const json_t *fixture)
{
	const json_t *good = good_document(fixture, play->call);
	json_t *document = good ? json_deep_copy(good) : NULL;
	json_t *array = json_pack("[s]", "x");

	play_document(play, fixture, array, "an answer that is no object", false);
	if (document) {
		play_types(play, fixture, document, document);
		play_missing(play, fixture, document, document, "");
		play_tokens(play, fixture, document);
		assert_true(json_equal(document, good));
	}
	json_decref(document);
	json_decref(array);
}

static void play_all(const char *name)
{
	char path[256];
	json_t *fixture;
	struct player base;
	unsigned failures = 0;

	snprintf(path, sizeof(path), FOLDER "%s", name);
	fixture = player_load_fixture(path);
	base = (struct player){.catalogue = catalogue, .fixture = fixture};
	player_play(&base);
	assert_true(player_meets(&base, name));
	for (size_t i = 0; i < base.call_count; i++) {
		struct play play = {.fixture = name, .call = &base.calls[i], .base = base.outcome};

		play_reasons(&play, fixture);
		play_absences(&play, fixture);
		play_malformed(&play, fixture);
		failures += play.failures;
	}
	printf("%s: %zu calls\n", name, base.call_count);
	player_done(&base);
	json_decref(fixture);
	assert_int_equal(failures, 0);
}

static void test_region(void **state)
{
	(void)state;
	play_all("region.json");
}

static void test_region_all_pass(void **state)
{
	(void)state;
	play_all("region-all-pass.json");
}

static void test_global(void **state)
{
	(void)state;
	play_all("global.json");
}

static void test_organization(void **state)
{
	(void)state;
	play_all("organization.json");
}

/* --- cancelled at any moment --- */

static void test_cut_short(void **state)
{
	json_t *fixture = player_load_fixture(FOLDER "region-all-pass.json");
	struct player base = {.catalogue = catalogue, .fixture = fixture};
	unsigned failures = 0;

	(void)state;
	player_play(&base);
	for (size_t i = 1; i < base.call_count; i++) {
		struct player cut = {.catalogue = catalogue,
			.fixture = fixture,
			.stop_after = i,
			.unread = SWP_REASON_CANCELLED};
		struct play play = {.fixture = "cut short",
			.call = &base.calls[i],
			.what = "cancelled before",
			.base = base.outcome,
			.tolerance = {.reason = "cancelled"}};

		player_play(&cut);
		assert_int_equal(cut.error, 0);
		play.outcome = cut.outcome;
		compare_rows(&play);
		compare_cells(&play);
		compare_facts(&play);
		failures += play.failures;
		player_done(&cut);
	}
	player_done(&base);
	json_decref(fixture);
	assert_int_equal(failures, 0);
}

/* --- no memory --- */

static unsigned long json_countdown;
static bool armed, json_failed;

static void arm(bool on)
{
	armed = on;
}

static void *failing_malloc(size_t size)
{
	if (armed && json_countdown && --json_countdown == 0) {
		json_failed = true;
		return NULL;
	}
	return malloc(size);
}

/* Ours and jansson's allocations fail, one after the other: the evaluation ends with -ENOMEM, or what it gave is what it gives anyway. */
static void test_out_of_memory(void **state)
{
	json_t *fixture = player_load_fixture(FOLDER "region.json");
	struct player base = {.catalogue = catalogue, .fixture = fixture};
	unsigned long stride = 1;

	(void)state;
	player_play(&base);
	json_set_alloc_funcs(failing_malloc, free);
	for (int ours = 0; ours < 2; ours++) {
		for (unsigned long n = 1;; n += stride) {
			struct player player = {.catalogue = catalogue, .fixture = fixture, .arm = arm};
			bool failed;

			json_failed = false;
			json_countdown = ours ? 0 : n;
			swp_alloc_fail_at(0, 0);
			if (ours)
				swp_alloc_fail_at(n, 0);
			player_play(&player);
			json_countdown = 0;
			failed = ours ? swp_alloc_fail_at(0, 0) >= n : json_failed;
			if (player.error == 0 && !json_equal(player.outcome, base.outcome))
				fail_msg("allocation %lu of %s: another outcome", n,
					ours ? "ours" : "jansson's");
			assert_true(player.error == 0 || player.error == -ENOMEM);
			player_done(&player);
			if (!failed)
				break;
			stride = n > 400 ? 3 : 1;
		}
	}
	json_set_alloc_funcs(malloc, free);
	player_done(&base);
	json_decref(fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_region),
		cmocka_unit_test(test_region_all_pass),
		cmocka_unit_test(test_global),
		cmocka_unit_test(test_organization),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_out_of_memory),
	};
	int failures;

	json_object_seed(1);
	catalogue = player_catalogue("tests/catalogue/aws");
	failures = cmocka_run_group_tests(tests, NULL, NULL);
	printf("%lu plays with a fault\n", plays);
	swp_catalogue_unref(catalogue);
	return failures;
}
