/* The YAML subset: values, places, and what is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checks/yaml-read.h"
#include "proto/base/alloc.h"
#include "proto/base/limits.h"

struct told {
	unsigned count, line;
	char text[256];
};

static void complain(const struct swp_lint_message *message, void *context)
{
	struct told *told = context;

	if (told->count++ == 0) {
		told->line = message->line;
		snprintf(told->text, sizeof(told->text), "%s", message->text);
	}
}

static int parse(const char *text, struct told *told, struct swp_locations *locations, json_t **ret_document)
{
	struct swp_catalogue_file file = {.name = "file.yaml", .bytes = text, .length = strlen(text)};
	struct swp_lint lint = {.complain = complain, .context = told};

	return swp_yaml_parse(&file, &lint, locations, ret_document);
}

static void test_values(void **state)
{
	static const struct {
		const char *yaml, *json;
	} rows[] = {
		{"", "{}"},
		{"# only a comment\n", "{}"},
		{"a: 1", "{\"a\":1}"},
		{"a: -7", "{\"a\":-7}"},
		{"a: 1.5", "{\"a\":1.5}"},
		{"a: \"1\"", "{\"a\":\"1\"}"},
		{"a: '1'", "{\"a\":\"1\"}"},
		{"a: true", "{\"a\":true}"},
		{"a: yes", "{\"a\":\"yes\"}"}, /* YAML 1.2: a word */
		{"a: on", "{\"a\":\"on\"}"},
		{"a: null", "{\"a\":null}"},
		{"a: ~", "{\"a\":null}"},
		{"a:", "{\"a\":null}"},
		{"a: 0x10", "{\"a\":\"0x10\"}"},
		{"a: 1e3", "{\"a\":\"1e3\"}"},
		{"a: 123456789012345678", "{\"a\":\"123456789012345678\"}"},
		{"a: 2026-11-22", "{\"a\":\"2026-11-22\"}"},
		{"a: [1, [x, {b: c}]]", "{\"a\":[1,[\"x\",{\"b\":\"c\"}]]}"},
		{"a: >-\n  one\n  two\n", "{\"a\":\"one two\"}"},
		{"a: |\n  one\n  two\n", "{\"a\":\"one\\ntwo\\n\"}"},
		{"a: $list.Arn", "{\"a\":\"$list.Arn\"}"},
		{"a: {}\nb: []", "{\"a\":{},\"b\":[]}"},
	};

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		struct told told = {0};
		json_t *document = NULL;
		char *text;

		assert_int_equal(parse(rows[i].yaml, &told, NULL, &document), 0);
		text = json_dumps(document, JSON_COMPACT | JSON_SORT_KEYS);
		if (strcmp(text, rows[i].json) != 0)
			fail_msg("%s gives %s, not %s", rows[i].yaml, text, rows[i].json);
		free(text);
		json_decref(document);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *yaml;
		unsigned line;
		const char *text;
	} rows[] = {
		{"a: 1\na: 2", 2, "twice"},
		{"a: &x 1\nb: 1", 1, "anchors"},
		{"b: 1\na: *x", 2, "alias"},
		{"a: !!str 1", 1, "tags"},
		{"a: &x [1]", 1, "anchors"},
		{"a: 1\n---\nb: 2", 2, "second document"},
		{"- 1\n- 2", 1, "no mapping"},
		{"just text", 1, "no mapping"},
		{"a: [1\nb: 2", 2, "not YAML"},
		{"a: \"\\0\"", 1, "NUL"},
		{"? [x]\n: 1", 1, "key"},
		{"\tb: 1", 1, "not YAML"},
	};

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		struct told told = {0};
		json_t *document = NULL;

		if (parse(rows[i].yaml, &told, NULL, &document) != SWP_YAML_FAULTY)
			fail_msg("%s is not refused", rows[i].yaml);
		if (told.line != rows[i].line || !strstr(told.text, rows[i].text))
			fail_msg("%s: line %u: %s", rows[i].yaml, told.line, told.text);
		assert_null(document);
	}
}

static char *nested(unsigned depth)
{
	char *text = calloc(1, depth * 2 + 8);

	assert_non_null(text);
	memcpy(text, "a: ", 3);
	memset(text + 3, '[', depth);
	memset(text + 3 + depth, ']', depth);
	return text;
}

static void test_ceilings(void **state)
{
	struct told told = {0};
	json_t *document = NULL;
	char *good = nested(SWP_LIMIT_DOCUMENT_DEPTH - 1), *bad = nested(SWP_LIMIT_DOCUMENT_DEPTH);
	char key[300] = "";

	(void)state;
	assert_int_equal(parse(good, &told, NULL, &document), 0);
	json_decref(document);
	assert_int_equal(parse(bad, &told, NULL, &document), SWP_YAML_FAULTY);
	memset(key, 'k', 256);
	memcpy(key + 256, ": 1", sizeof(": 1"));
	assert_int_equal(parse(key, &told, NULL, &document), SWP_YAML_FAULTY);
	free(good);
	free(bad);
}

static void test_too_long(void **state)
{
	struct told told = {0};
	struct swp_catalogue_file file = {.name = "f", .bytes = "", .length = SWP_LIMIT_FILE_BYTES + 1};
	struct swp_lint lint = {.complain = complain, .context = &told};
	json_t *document = NULL;

	(void)state;
	assert_int_equal(swp_yaml_parse(&file, &lint, NULL, &document), SWP_YAML_FAULTY);
	assert_int_equal(told.count, 1);
}

static void test_places(void **state)
{
	struct swp_locations *locations = swp_locations_new();
	struct told told = {0};
	json_t *document = NULL;
	const char *file;
	unsigned line;

	(void)state;
	assert_int_equal(parse("a: 1\nb:\n  - x\n  - c: 2\n    d: 3\n", &told, locations, &document), 0);
	assert_true(swp_locations_find(locations, document, "a", &file, &line));
	assert_int_equal(line, 1);
	assert_string_equal(file, "file.yaml");
	assert_true(swp_locations_find(locations, json_object_get(document, "b"), "[1]", &file, &line));
	assert_int_equal(line, 4);
	assert_true(swp_locations_find(
		locations, json_array_get(json_object_get(document, "b"), 1), "d", &file, &line));
	assert_int_equal(line, 5);
	/* What has no place of its own is told at its container's. */
	assert_true(swp_locations_find(
		locations, json_array_get(json_object_get(document, "b"), 1), "missing", &file, &line));
	assert_int_equal(line, 4);
	assert_false(swp_locations_find(locations, NULL, "a", &file, &line));
	json_decref(document);
	swp_locations_free(locations);
}

static void test_out_of_memory(void **state)
{
	(void)state;
	for (unsigned long n = 1; n < 200; n++) {
		struct swp_locations *locations;
		struct told told = {0};
		json_t *document = NULL;
		int r = -ENOMEM;

		swp_alloc_fail_at(n, 0);
		locations = swp_locations_new();
		if (locations)
			r = parse("a: 1\nb: [x, {c: d}]\n", &told, locations, &document);
		swp_alloc_fail_at(0, 0);
		assert_true(r == 0 || r == -ENOMEM);
		if (r == 0)
			json_decref(document);
		swp_locations_free(locations);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_ceilings),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
