/* XML → JSON by the rules of dialect.h: a table of documents beside what becomes of them; ceilings; failing allocations. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/aws/dialect.h"
#include "proto/aws/xml.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/base/limits.h"

static const char *const lists[] = {"Bucket", "Set", "Empty", NULL};

static const struct example {
	const char *name, *item, *xml, *json; /* json NULL: malformed */
} examples[] = {
	{"text", "member", "<r>a b</r>", "\"a b\""},
	{"empty", "member", "<r/>", "\"\""},
	{"blanks are text where there is nothing else", "member", "<r> x </r>", "\" x \""},
	{"object", "member", "<r>\n <a>1</a>\n <b>2</b>\n</r>", "{\"a\":\"1\",\"b\":\"2\"}"},
	{"mixed text is dropped", "member", "<r>x<a>1</a>y</r>", "{\"a\":\"1\"}"},
	{"list", "member", "<r><l><member>1</member><member>2</member></l></r>", "{\"l\":[\"1\",\"2\"]}"},
	{"list of one", "member", "<r><l><member><a>1</a></member></l></r>", "{\"l\":[{\"a\":\"1\"}]}"},
	{"ec2 list", "item", "<r><l><item>1</item></l></r>", "{\"l\":[\"1\"]}"},
	{"no list name", NULL, "<r><l><member>1</member></l></r>", "{\"l\":{\"member\":\"1\"}}"},
	{"a member beside others is no list", "member", "<r><member>1</member><member>2</member><a>3</a></r>",
		"{\"member\":[\"1\",\"2\"],\"a\":\"3\"}"},
	{"repeated", "member", "<r><a>1</a><b/><a>2</a><a>3</a></r>",
		"{\"a\":[\"1\",\"2\",\"3\"],\"b\":\"\"}"},
	{"repeated lists stay lists of lists", "member",
		"<r><a><member>1</member></a><a><member>2</member></a></r>", "{\"a\":[[\"1\"],[\"2\"]]}"},
	{"flattened list of one", NULL, "<r><Bucket><Name>x</Name></Bucket></r>",
		"{\"Bucket\":[{\"Name\":\"x\"}]}"},
	{"flattened list of two", NULL, "<r><Bucket>x</Bucket><Bucket>y</Bucket></r>",
		"{\"Bucket\":[\"x\",\"y\"]}"},
	{"listed and wrapped", "member", "<r><Set><member>x</member></Set></r>", "{\"Set\":[\"x\"]}"},
	{"listed and empty", "member", "<r><Empty/></r>", "{\"Empty\":[]}"},
	{"attributes, comments, instructions", NULL,
		"<?xml version=\"1.0\"?><r xmlns=\"u\" a=\"1\"><!-- c --><a x=\"y\">1</a><?p i?></r>",
		"{\"a\":\"1\"}"},
	{"entities and CDATA", NULL, "<r><a>&lt;&amp;&#233;<![CDATA[<b>]]></a></r>",
		"{\"a\":\"<&\xc3\xa9<b>\"}"},
	{"document type", NULL, "<!DOCTYPE r [<!ENTITY x \"y\">]><r>&x;</r>", NULL},
	{"document type without entities", NULL, "<!DOCTYPE html><r/>", NULL},
	{"unknown entity", NULL, "<r>&x;</r>", NULL},
	{"cut", NULL, "<r><a>1</a>", NULL},
	{"crossed", NULL, "<r><a></r></a>", NULL},
	{"two roots", NULL, "<r/><r/>", NULL},
	{"nothing", NULL, "", NULL},
	{"no XML", NULL, "{\"a\":1}", NULL},
	{"bad UTF-8", NULL, "<r>\xff</r>", NULL},
};

static void each_example(void **state)
{
	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(examples); i++) {
		const struct example *example = &examples[i];
		char root[SWP_XML_NAME_BYTES];
		json_t *value = NULL, *expected = example->json != NULL
							  ? json_loads(example->json, JSON_DECODE_ANY, NULL)
							  : NULL;
		int result =
			swp_xml_read(example->xml, strlen(example->xml), example->item, lists, root, &value);

		if (result != (example->json != NULL ? 0 : SWP_DIALECT_MALFORMED))
			fail_msg("%s: %d", example->name, result);
		if (result == 0 && !json_equal(value, expected))
			fail_msg("%s: %s, expected %s", example->name, json_dumps(value, JSON_ENCODE_ANY),
				example->json);
		if (result == 0)
			assert_string_equal(root, "r");
		json_decref(value);
		json_decref(expected);
	}
}

static int read_repeated(const char *open, const char *close, size_t count, json_t **ret_value)
{
	size_t open_length = strlen(open), close_length = strlen(close), length = 0;
	char root[SWP_XML_NAME_BYTES], *text = malloc(count * (open_length + close_length) + 8);
	int result;

	assert_non_null(text);
	if (close[0] == '\0')
		text[length++] = '<', text[length++] = 'r', text[length++] = '>';
	for (size_t i = 0; i < count; i++, length += open_length)
		memcpy(text + length, open, open_length);
	for (size_t i = 0; i < count; i++, length += close_length)
		memcpy(text + length, close, close_length);
	if (close[0] == '\0') {
		memcpy(text + length, "</r>", 4);
		length += 4;
	}
	result = swp_xml_read(text, length, "member", NULL, root, ret_value);
	free(text);
	return result;
}

static void ceilings(void **state)
{
	char long_name[SWP_XML_NAME_BYTES + 8] = "<", root[SWP_XML_NAME_BYTES];
	json_t *value;

	(void)state;
	assert_int_equal(read_repeated("<a>", "</a>", SWP_LIMIT_DOCUMENT_DEPTH, &value), 0);
	json_decref(value);
	assert_int_equal(
		read_repeated("<a>", "</a>", SWP_LIMIT_DOCUMENT_DEPTH + 1, &value), SWP_DIALECT_TOO_DEEP);
	assert_int_equal(read_repeated("<a/>", "", SWP_LIMIT_DOCUMENT_VALUES - 1, &value), 0);
	json_decref(value);
	assert_int_equal(read_repeated("<a/>", "", SWP_LIMIT_DOCUMENT_VALUES, &value), SWP_DIALECT_TOO_DEEP);
	memset(long_name + 1, 'n', SWP_XML_NAME_BYTES);
	memcpy(long_name + 1 + SWP_XML_NAME_BYTES, "/>", 3);
	assert_int_equal(
		swp_xml_read(long_name, strlen(long_name), NULL, NULL, root, &value), SWP_DIALECT_MALFORMED);
	assert_int_equal(swp_xml_read("<r/>", (size_t)SWP_LIMIT_RESPONSE_BYTES + 1, NULL, NULL, root, &value),
		SWP_DIALECT_TOO_DEEP);
}

static void *json_malloc(size_t size)
{
	return swp_realloc(NULL, size);
}

static void failing_allocations(void **state)
{
	static const char text[] =
		"<r><l><member>1</member></l><a>1</a><a>2</a><Set>x</Set><m><member>1</member><b/></m></r>";
	char root[SWP_XML_NAME_BYTES];
	int result = -ENOMEM;

	(void)state;
	json_set_alloc_funcs(json_malloc, swp_free);
	for (unsigned long nth = 1; result == -ENOMEM && nth < 300; nth++) {
		json_t *value = NULL;

		swp_alloc_fail_at(nth, 1);
		result = swp_xml_read(text, sizeof(text) - 1, "member", lists, root, &value);
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
		cmocka_unit_test(each_example),
		cmocka_unit_test(ceilings),
		cmocka_unit_test(failing_allocations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
