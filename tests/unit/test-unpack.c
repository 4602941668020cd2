/* proto/base/unpack.h: each format of MessagePack, ceilings, and bytes that are missing. */
#include <errno.h>
#include <setjmp.h> /* cmocka.h wants it */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "proto/base/error.h"
#include "proto/base/limits.h"
#include "proto/base/unpack.h"

#define BYTES(...) (const unsigned char[]){__VA_ARGS__}, sizeof((const unsigned char[]){__VA_ARGS__})

struct number_case {
	const char *name;
	const unsigned char *bytes;
	size_t length;
	int64_t value;
};
static const struct number_case numbers[] = {
	{"positive fixint", BYTES(0x7f), 127},
	{"negative fixint", BYTES(0xe0), -32},
	{"minus one", BYTES(0xff), -1},
	{"uint 8", BYTES(0xcc, 0xff), 255},
	{"uint 16", BYTES(0xcd, 0x01, 0x00), 256},
	{"uint 32", BYTES(0xce, 0xff, 0xff, 0xff, 0xff), 4294967295},
	{"uint 64", BYTES(0xcf, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), INT64_MAX},
	{"int 8", BYTES(0xd0, 0x80), -128},
	{"int 16", BYTES(0xd1, 0x80, 0x00), -32768},
	{"int 32", BYTES(0xd2, 0xff, 0xff, 0xff, 0xfe), -2},
	{"int 64", BYTES(0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0), INT64_MIN},
	{"int 8 positive", BYTES(0xd0, 0x05), 5},
};

static void test_numbers(void **state)
{
	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(numbers); i++) {
		struct swp_unpack unpack;
		int64_t value = 0;

		swp_unpack_init(&unpack, numbers[i].bytes, numbers[i].length);
		if (swp_unpack_i64(&unpack, &value) != 0 || value != numbers[i].value)
			fail_msg("%s: %lld instead of %lld", numbers[i].name, (long long)value,
				(long long)numbers[i].value);
		assert_int_equal(swp_unpack_peek(&unpack), SWP_UNPACK_END);
		for (size_t cut = 0; cut < numbers[i].length; cut++) {
			swp_unpack_init(&unpack, numbers[i].bytes, cut);
			assert_int_equal(swp_unpack_i64(&unpack, &value), -EBADMSG);
		}
	}
}

static void test_number_ceilings(void **state)
{
	struct swp_unpack unpack;
	uint64_t value;
	int64_t number;

	(void)state;
	swp_unpack_init(&unpack, BYTES(0xcd, 0x01, 0x00));
	assert_int_equal(swp_unpack_u64(&unpack, 255, &value), -E2BIG);
	assert_int_equal(swp_unpack_u64(&unpack, 256, &value), 0);
	swp_unpack_init(&unpack, BYTES(0xff));
	assert_int_equal(swp_unpack_u64(&unpack, UINT64_MAX, &value), -EBADMSG);
	swp_unpack_init(&unpack, BYTES(0xcf, 0x80, 0, 0, 0, 0, 0, 0, 0));
	assert_int_equal(swp_unpack_i64(&unpack, &number), -E2BIG);
	assert_int_equal(swp_unpack_u64(&unpack, UINT64_MAX, &value), 0);
	assert_true(value == UINT64_C(1) << 63);
}

static void test_texts(void **state)
{
	struct swp_unpack unpack;
	const char *text;
	size_t length;

	(void)state;
	swp_unpack_init(
		&unpack, BYTES(0xa3, 'a', 'b', 'c', 0xd9, 1, 'd', 0xda, 0, 1, 'e', 0xdb, 0, 0, 0, 1, 'f'));
	assert_int_equal(swp_unpack_text(&unpack, 2, &text, &length), -E2BIG);
	assert_int_equal(swp_unpack_text(&unpack, 3, &text, &length), 0);
	assert_memory_equal(text, "abc", 3);
	for (char c = 'd'; c <= 'f'; c++) {
		assert_int_equal(swp_unpack_text(&unpack, 3, &text, &length), 0);
		assert_int_equal(length, 1);
		assert_int_equal(*text, c);
	}
	assert_int_equal(swp_unpack_peek(&unpack), SWP_UNPACK_END);
	swp_unpack_init(&unpack, BYTES(0xa1, 0xff)); /* not UTF-8 */
	assert_int_equal(swp_unpack_text(&unpack, 9, &text, &length), -EBADMSG);
	swp_unpack_init(&unpack, BYTES(0xa2, 'a', 0)); /* a NUL */
	assert_int_equal(swp_unpack_text(&unpack, 9, &text, &length), -EBADMSG);
	swp_unpack_init(&unpack, BYTES(0xdb, 0xff, 0xff, 0xff, 0xff, 'a'));
	assert_int_equal(swp_unpack_text(&unpack, SIZE_MAX, &text, &length), -EBADMSG);
}

static void test_counts(void **state)
{
	struct swp_unpack unpack;
	size_t count;

	(void)state;
	swp_unpack_init(&unpack, BYTES(0xdd, 0xff, 0xff, 0xff, 0xff, 1)); /* says 4 G entries, has one byte */
	assert_int_equal(swp_unpack_array(&unpack, SIZE_MAX, &count), -EBADMSG);
	assert_int_equal(swp_unpack_array(&unpack, 1000, &count), -E2BIG);
	swp_unpack_init(&unpack, BYTES(0x93, 1, 2, 3));
	assert_int_equal(swp_unpack_array(&unpack, 3, &count), 0);
	assert_int_equal(count, 3);
	swp_unpack_init(&unpack, BYTES(0x81, 1)); /* half a pair */
	assert_int_equal(swp_unpack_map(&unpack, 3, &count), -EBADMSG);
	swp_unpack_init(&unpack, BYTES(0xdf, 0, 0, 0, 1, 1, 2));
	assert_int_equal(swp_unpack_map(&unpack, 3, &count), 0);
	assert_int_equal(count, 1);
}

struct skip_case {
	const char *name;
	const unsigned char *bytes;
	size_t length;
};
static const struct skip_case skips[] = {
	{"nil", BYTES(0xc0)},
	{"float 32", BYTES(0xca, 0, 0, 0, 0)},
	{"float 64", BYTES(0xcb, 0, 0, 0, 0, 0, 0, 0, 0)},
	{"bin 8", BYTES(0xc4, 2, 1, 2)},
	{"bin 16", BYTES(0xc5, 0, 2, 1, 2)},
	{"bin 32", BYTES(0xc6, 0, 0, 0, 2, 1, 2)},
	{"ext 8", BYTES(0xc7, 2, 9, 1, 2)},
	{"ext 16", BYTES(0xc8, 0, 2, 9, 1, 2)},
	{"ext 32", BYTES(0xc9, 0, 0, 0, 2, 9, 1, 2)},
	{"fixext 1", BYTES(0xd4, 9, 1)},
	{"fixext 2", BYTES(0xd5, 9, 1, 2)},
	{"fixext 4", BYTES(0xd6, 9, 1, 2, 3, 4)},
	{"fixext 8", BYTES(0xd7, 9, 1, 2, 3, 4, 5, 6, 7, 8)},
	{"fixext 16", BYTES(0xd8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8)},
	{"nested", BYTES(0x82, 0xa1, 'a', 0x92, 1, 0x90, 0xa1, 'b', 0x80)},
	{"array 16", BYTES(0xdc, 0, 2, 0xc2, 0xc3)},
	{"map 16", BYTES(0xde, 0, 1, 1, 2)},
};

static void test_skip(void **state)
{
	struct swp_unpack unpack;

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(skips); i++) {
		swp_unpack_init(&unpack, skips[i].bytes, skips[i].length);
		if (swp_unpack_skip(&unpack) != 0 || swp_unpack_peek(&unpack) != SWP_UNPACK_END)
			fail_msg("%s is not skipped", skips[i].name);
		for (size_t cut = 0; cut < skips[i].length; cut++) {
			swp_unpack_init(&unpack, skips[i].bytes, cut);
			assert_int_equal(swp_unpack_skip(&unpack), -EBADMSG);
		}
	}
}

static void test_depth(void **state)
{
	unsigned char deep[SWP_LIMIT_DOCUMENT_DEPTH + 2];
	struct swp_unpack unpack;

	(void)state;
	memset(deep, 0x91, sizeof(deep));
	deep[SWP_LIMIT_DOCUMENT_DEPTH - 1] = 0xc0;
	swp_unpack_init(&unpack, deep, SWP_LIMIT_DOCUMENT_DEPTH);
	assert_int_equal(swp_unpack_skip(&unpack), 0);
	memset(deep, 0x91, sizeof(deep));
	deep[sizeof(deep) - 1] = 0xc0;
	swp_unpack_init(&unpack, deep, sizeof(deep));
	assert_int_equal(swp_unpack_skip(&unpack), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_number_ceilings),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_skip),
		cmocka_unit_test(test_depth),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
