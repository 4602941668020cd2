/* Buffers: growth, ceilings, secrets, failing memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/buf.h"
#include "proto/base/limits.h"

static void test_an_empty_buffer(void **state)
{
	struct swp_buf buf = {0};
	char *text;

	(void)state;
	assert_string_equal(swp_buf_text(&buf), "");
	swp_buf_consume(&buf, 0);
	swp_buf_truncate(&buf, 0);
	swp_buf_clear(&buf);
	text = swp_buf_steal(&buf);
	assert_string_equal(text, "");
	swp_free(text);
	swp_buf_done(&buf);
	swp_buf_done(&buf);
}

static void test_append(void **state)
{
	struct swp_buf buf;
	char expected[5001];
	char *text;

	(void)state;
	swp_buf_init(&buf, 0);
	assert_int_equal(swp_buf_append(&buf, "abc", 3), 0);
	assert_int_equal(swp_buf_append(&buf, NULL, 0), 0);
	assert_int_equal(swp_buf_append_text(&buf, "def"), 0);
	assert_int_equal(swp_buf_append_byte(&buf, '\0'), 0);
	assert_int_equal(swp_buf_append_format(&buf, "%d-%s", 42, "x"), 0);
	assert_int_equal(buf.length, 11);
	assert_memory_equal(buf.data, "abcdef\00042-x", 12);
	swp_buf_consume(&buf, 7);
	assert_string_equal(swp_buf_text(&buf), "42-x");
	swp_buf_truncate(&buf, 2);
	assert_string_equal(swp_buf_text(&buf), "42");
	swp_buf_clear(&buf);
	for (int i = 0; i < 5000; i++) {
		expected[i] = (char)('a' + i % 26);
		assert_int_equal(swp_buf_append_byte(&buf, expected[i]), 0);
		assert_int_equal(buf.data[buf.length], '\0');
	}
	expected[5000] = '\0';
	assert_string_equal(swp_buf_text(&buf), expected);
	text = swp_buf_steal(&buf);
	assert_string_equal(text, expected);
	assert_null(buf.data);
	assert_int_equal(buf.length, 0);
	swp_free(text);
	swp_buf_done(&buf);
}

static void test_the_ceiling(void **state)
{
	struct swp_buf buf;

	(void)state;
	swp_buf_init(&buf, 10);
	assert_int_equal(swp_buf_append_text(&buf, "0123456789"), 0);
	assert_int_equal(swp_buf_append_byte(&buf, 'x'), -E2BIG);
	assert_string_equal(swp_buf_text(&buf), "0123456789");
	/* The failure stays, so that one look at the end is enough. */
	swp_buf_truncate(&buf, 0);
	assert_int_equal(swp_buf_append_byte(&buf, 'x'), -E2BIG);
	assert_int_equal(swp_buf_append_format(&buf, "x"), -E2BIG);
	assert_null(swp_buf_steal(&buf));
	swp_buf_clear(&buf);
	assert_int_equal(swp_buf_append_format(&buf, "%s", "0123456789a"), -E2BIG);
	assert_string_equal(swp_buf_text(&buf), "");
	swp_buf_clear(&buf);
	assert_int_equal(swp_buf_reserve(&buf, SIZE_MAX), -E2BIG);
	swp_buf_done(&buf);
	assert_int_equal(buf.limit_bytes, 10);
	assert_int_equal(buf.failed, 0);
}

static void test_the_ceiling_of_all_buffers(void **state)
{
	struct swp_buf buf = {0};
	char *block = calloc(1, SWP_LIMIT_BUFFER_BYTES);

	(void)state;
	assert_int_equal(swp_buf_append(&buf, block, SWP_LIMIT_BUFFER_BYTES), 0);
	assert_int_equal(swp_buf_append_byte(&buf, 'x'), -E2BIG);
	swp_buf_done(&buf);
	free(block);
}

/* What stood in a secret buffer must not be found in its block after it was cut, moved or cleared. */
static void test_secrets_are_wiped(void **state)
{
	struct swp_buf buf = {.secret = true};

	(void)state;
	assert_int_equal(swp_buf_append_text(&buf, "prefix-hunter2"), 0);
	swp_buf_consume(&buf, 7);
	assert_string_equal(swp_buf_text(&buf), "hunter2");
	assert_int_equal(buf.data[8], 0);
	assert_int_equal(buf.data[13], 0);
	swp_buf_truncate(&buf, 1);
	swp_buf_clear(&buf);
	for (size_t i = 0; i < buf.capacity; i++)
		assert_int_equal(buf.data[i], 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(swp_buf_append_text(&buf, "hunter2"), 0);
	assert_int_equal(buf.length, 700);
	assert_memory_equal(buf.data + 693, "hunter2", 8);
	swp_free(swp_buf_steal(&buf));
	assert_true(buf.secret);
	swp_buf_done(&buf);
}

static int build(struct swp_buf *buf)
{
	for (int i = 0; i < 100; i++) {
		swp_buf_append_text(buf, "some text ");
		swp_buf_append_format(buf, "%d", i);
	}
	return buf->failed;
}

static void test_failing_memory(void **state)
{
	(void)state;
	for (int secret = 0; secret < 2; secret++) {
		int error = -ENOMEM;

		for (unsigned long nth = 1; error; nth++) {
			struct swp_buf buf = {.secret = secret != 0};
			char *text;

			swp_alloc_fail_at(nth, 0);
			error = build(&buf);
			swp_alloc_fail_at(0, 0);
			assert_true(error == 0 || error == -ENOMEM);
			text = swp_buf_steal(&buf);
			assert_int_equal(text == NULL, error != 0);
			swp_free(text);
			swp_buf_done(&buf);
			assert_true(nth < 50);
		}
	}
	{
		struct swp_buf empty = {0};

		swp_alloc_fail_at(1, 1);
		assert_null(swp_buf_steal(&empty));
		swp_alloc_fail_at(0, 0);
	}
}

static void test_allocation(void **state)
{
	char *text, *copy;

	(void)state;
	assert_null(swp_calloc(SIZE_MAX, 2));
	swp_alloc_fail_at(0, 0);
	text = swp_asprintf("%d %s", 7, "x");
	assert_string_equal(text, "7 x");
	copy = swp_strndup("abcdef", 3);
	assert_string_equal(copy, "abc");
	swp_free_pointer(&copy);
	assert_null(copy);
	copy = swp_strdup(text);
	assert_string_equal(copy, text);
	copy = swp_realloc(copy, 100);
	assert_string_equal(copy, text);
	swp_free(copy);
	swp_free(text);
	swp_free(NULL);
	assert_int_equal(swp_alloc_fail_at(1, 1), 4);
	assert_null(swp_calloc(1, 1));
	assert_null(swp_realloc(NULL, 1));
	assert_null(swp_strdup("x"));
	assert_null(swp_asprintf("x"));
	assert_int_equal(swp_alloc_fail_at(2, 0), 4);
	for (int i = 1; i <= 4; i++) {
		void *block = swp_calloc(1, 1);

		assert_int_equal(block == NULL, i == 2);
		swp_free(block);
	}
	swp_alloc_fail_at(0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_empty_buffer),
		cmocka_unit_test(test_append),
		cmocka_unit_test(test_the_ceiling),
		cmocka_unit_test(test_the_ceiling_of_all_buffers),
		cmocka_unit_test(test_secrets_are_wiped),
		cmocka_unit_test(test_failing_memory),
		cmocka_unit_test(test_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
