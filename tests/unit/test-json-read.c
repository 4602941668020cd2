/* Our JSON reader against jansson's: a table of hard texts and random ones; ceilings; failing allocations. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/aws/dialect.h"
#include "proto/aws/json-read.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/base/limits.h"
#include "tests/unit/under-valgrind.h"

static const char *const texts[] = {
	"{}",
	"[]",
	" {\n\t\"a\" : 1 }\r\n",
	"null",
	"true",
	"false",
	"\"x\"",
	"0",
	"-0",
	"-1",
	"12345678901234",
	"1.5",
	"-0.0",
	"1e3",
	"1E+3",
	"1e-3",
	"9223372036854775807",
	"-9223372036854775808",
	"9223372036854775808",
	"-9223372036854775809",
	"1e308",
	"1e309",
	"-1e309",
	"1e-400",
	"01",
	"1.",
	".5",
	"+1",
	"1e",
	"1e+",
	"-",
	"--1",
	"0x10",
	"1 2",
	"Infinity",
	"NaN",
	"nul",
	"nulll",
	"True",
	"{\"a\":1,\"a\":2}",
	"{\"a\":1,}",
	"[1,]",
	"[,1]",
	"{,}",
	"{\"a\"}",
	"{\"a\":}",
	"{a:1}",
	"{1:2}",
	"[1 2]",
	"{\"a\":1 \"b\":2}",
	"[",
	"{",
	"]",
	"}",
	"",
	" ",
	"\"",
	"\"abc",
	"\"a\nb\"",
	"\"a\tb\"",
	"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
	"\"\\x\"",
	"\"\\",
	"\"\\u0041\\u00e9\\u20ac\"",
	"\"\\ud83d\\ude00\"",
	"\"\\ud83d\"",
	"\"\\ud83dx\"",
	"\"\\ud83d\\n\"",
	"\"\\ude00\"",
	"\"\\ud83d\\ud83d\"",
	"\"\\u12\"",
	"\"\\u12g4\"",
	"\"\\uD83D\\uDE00 and \\u00fC\"",
	"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
	"\"\xc3\"",
	"\"\xff\"",
	"\"\xc0\x80\"",
	"\"\xed\xa0\x80\"",
	"\"\xf4\x90\x80\x80\"",
	"\"a\\n\xc3\"",
	"\"a\\n\xc3\xa9\\n\"",
	"\xef\xbb\xbf{}",
	"{\"k\\u0041\":{\"\\n\":[1,{\"z\":\"\\t\"}]}}",
	"[1,[2,[3,[4,{\"a\":[]}]]]]",
	"{\"\":\"\"}",
	"[1.0,2,\"3\",null,true,false,{},[]]",
	"{\"a\":\"\\u0020\"}",
	"[1]x",
	"[1]]",
	"/* c */ 1",
	"'a'",
	"\"\x7f\"",
	"[-]",
	"[1.5.5]",
	"{\"a\":tru}",
};

static void compare(const char *text, size_t length)
{
	json_t *ours = NULL, *theirs = json_loadb(text, length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	int result = swp_json_read(text, length, &ours);

	if ((result == 0) != (theirs != NULL))
		fail_msg("'%.*s': ours %d, jansson %s", (int)length, text, result,
			theirs != NULL ? "reads it" : "refuses it");
	if (result == 0 && !json_equal(ours, theirs))
		fail_msg("'%.*s' is read as another value", (int)length, text);
	if (result != 0 && result != SWP_DIALECT_MALFORMED)
		fail_msg("'%.*s': %d", (int)length, text, result);
	json_decref(ours);
	json_decref(theirs);
}

static void as_jansson(void **state)
{
	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(texts); i++) {
		for (size_t length = 0; length <= strlen(texts[i]); length++) /* and cut at every byte */
			compare(texts[i], length);
	}
}

static void as_jansson_at_random(void **state)
{
	static const char *const pieces[] = {"{", "}", "[", "]", ",", ":", "\"a\"", "\"b\\n\"", "1", "-2.5",
		"null", "true", " ", "\"", "\\", "e", "0", "\xc3\xa9", "\"k\":", "\"l\":", "[]", "{}",
		"\\u0041"};
	unsigned seed = 12345;
	char text[256];

	(void)state;
	for (unsigned round = 0; round < share_under_valgrind(200000); round++) {
		size_t length = 0;

		for (unsigned i = 0; i < 1 + round % 12; i++) {
			const char *piece;

			seed = seed * 1103515245u + 12345u;
			piece = pieces[(seed >> 16) % SWP_ARRAY_SIZE(pieces)];
			memcpy(text + length, piece, strlen(piece));
			length += strlen(piece);
		}
		compare(text, length);
	}
}

static void nul_is_not_lost(void **state)
{
	static const char text[] = "{\"a\\u0000b\":\"x\\u0000y\"}";
	json_t *value;

	(void)state;
	assert_int_equal(swp_json_read(text, sizeof(text) - 1, &value), 0);
	assert_string_equal(json_string_value(json_object_get(value, "a\xef\xbf\xbd"
								     "b")),
		"x\xef\xbf\xbdy");
	json_decref(value);
	assert_int_equal(swp_json_read("\"a\0b\"", 5, &value), SWP_DIALECT_MALFORMED);
	assert_int_equal(swp_json_read("\0", 1, &value), SWP_DIALECT_MALFORMED);
}

static void ceilings(void **state)
{
	static char deep[2 * SWP_LIMIT_DOCUMENT_DEPTH + 4];
	size_t count = SWP_LIMIT_DOCUMENT_VALUES, length = 0;
	char *wide = malloc(2 * count + 8);
	json_t *value;

	(void)state;
	for (int depth = SWP_LIMIT_DOCUMENT_DEPTH; depth <= SWP_LIMIT_DOCUMENT_DEPTH + 1; depth++) {
		memset(deep, '[', (size_t)depth);
		memset(deep + depth, ']', (size_t)depth);
		if (depth == SWP_LIMIT_DOCUMENT_DEPTH) {
			assert_int_equal(swp_json_read(deep, 2 * (size_t)depth, &value), 0);
			json_decref(value);
		} else {
			assert_int_equal(
				swp_json_read(deep, 2 * (size_t)depth, &value), SWP_DIALECT_TOO_DEEP);
		}
	}
	assert_non_null(wide);
	wide[length++] = '[';
	for (size_t i = 0; i < count - 1; i++) { /* with the array itself: exactly the ceiling */
		wide[length++] = '1';
		wide[length++] = ',';
	}
	wide[length - 1] = ']';
	assert_int_equal(swp_json_read(wide, length, &value), 0);
	json_decref(value);
	memcpy(wide + length - 1, ",1]", 3);
	assert_int_equal(swp_json_read(wide, length + 2, &value), SWP_DIALECT_TOO_DEEP);
	free(wide);
}

static void *json_malloc(size_t size)
{
	return swp_realloc(NULL, size);
}

static void failing_allocations(void **state)
{
	static const char text[] = "{\"a\\n\":[1,2.5,\"x\\ty\",null,true],\"b\":{\"c\":\"plain\"}}";
	int result = -ENOMEM;

	(void)state;
	json_set_alloc_funcs(json_malloc, swp_free);
	for (unsigned long nth = 1; result == -ENOMEM && nth < 200; nth++) {
		json_t *value = NULL;

		swp_alloc_fail_at(nth, 1);
		result = swp_json_read(text, sizeof(text) - 1, &value);
		swp_alloc_fail_at(0, 0);
		assert_true(result == 0 || result == -ENOMEM);
		json_decref(value);
	}
	assert_int_equal(result, 0);
	json_set_alloc_funcs(malloc, free);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_jansson),
		cmocka_unit_test(as_jansson_at_random),
		cmocka_unit_test(nul_is_not_lost),
		cmocka_unit_test(ceilings),
		cmocka_unit_test(failing_allocations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
