/* Texts in JSON: what AWS gives as a name must neither break the document nor reach a terminal as a control sequence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include <jansson.h>

#include "coordinator/json-writer.h"
#include "proto/base/error.h"

static void texts_are_escaped(void **state)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{"", "\"\""}, {"plain", "\"plain\""}, {"a\"b\\c", "\"a\\\"b\\\\c\""}, {"\"", "\"\\\"\""},
		{"line\nfeed\x1b[31m\x7f", "\"line\\u000afeed\\u001b[31m\\u007f\""},
		{"\xc2\x9b"
		 "31m\xc2\x80\xc2\xa0", /* a control sequence of one character; U+0080; the no-break space stays */
			"\"\\u009b31m\\u0080\xc2\xa0\""},
		{"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""},
		{"\xc3", "\"\\ufffd\""},
		{"a\xff\xfe"
		 "b\xe2\x82",
			"\"a\\ufffd\\ufffdb\\ufffd\\ufffd\""},
		{"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""}, /* a surrogate */
		{"\xc0\xaf\xc2", "\"\\ufffd\\ufffd\\ufffd\""}, /* overlong, cut off */
	};

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		struct swp_json_writer writer;
		char *text = NULL;
		size_t length = 0;
		FILE *out = open_memstream(&text, &length);
		json_t *read;

		assert_non_null(out);
		swp_json_writer_init(&writer, out);
		swp_json_text(&writer, NULL, rows[i].text);
		assert_int_equal(fclose(out), 0);
		assert_string_equal(text, rows[i].expected);
		read = json_loads(text, JSON_DECODE_ANY, NULL);
		assert_non_null(read);
		json_decref(read);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(texts_are_escaped)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
