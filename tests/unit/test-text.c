/* Text: numbers, globs, nearest names, encodings, what a terminal must not see, and problems made of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/base/text.h"

static void test_numbers(void **state)
{
	static const struct {
		const char *text;
		uint64_t max;
		int error;
		uint64_t value;
	} rows[] = {
		{"0", 10, 0, 0},
		{"007", 10, 0, 7},
		{"10", 10, 0, 10},
		{"11", 10, -ERANGE, 0},
		{"18446744073709551615", UINT64_MAX, 0, UINT64_MAX},
		{"18446744073709551616", UINT64_MAX, -ERANGE, 0},
		{"99999999999999999999999999", UINT64_MAX, -ERANGE, 0},
		{"99999999999999999999999999x", UINT64_MAX, -EINVAL, 0},
		{"", 10, -EINVAL, 0},
		{"-1", 10, -EINVAL, 0},
		{"+1", 10, -EINVAL, 0},
		{" 1", 10, -EINVAL, 0},
		{"1 ", 10, -EINVAL, 0},
		{"0x1", 100, -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		uint64_t value = 0;

		if (swp_parse_u64(rows[i].text, rows[i].max, &value) != rows[i].error ||
			value != rows[i].value)
			fail_msg("%s", rows[i].text);
	}
}

static void test_signed_numbers(void **state)
{
	static const struct {
		const char *text;
		int64_t min, max;
		int error;
		int64_t value;
	} rows[] = {
		{"-5", -10, 10, 0, -5},
		{"-0", -10, 10, 0, 0},
		{"5", -10, 10, 0, 5},
		{"-11", -10, 10, -ERANGE, 0},
		{"11", -10, 10, -ERANGE, 0},
		{"-9223372036854775808", INT64_MIN, INT64_MAX, 0, INT64_MIN},
		{"-9223372036854775809", INT64_MIN, INT64_MAX, -ERANGE, 0},
		{"9223372036854775807", INT64_MIN, INT64_MAX, 0, INT64_MAX},
		{"9223372036854775808", INT64_MIN, INT64_MAX, -ERANGE, 0},
		{"-", -10, 10, -EINVAL, 0},
		{"--1", -10, 10, -EINVAL, 0},
		{"", -10, 10, -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		int64_t value = 0;

		if (swp_parse_i64(rows[i].text, rows[i].min, rows[i].max, &value) != rows[i].error ||
			value != rows[i].value)
			fail_msg("%s", rows[i].text);
	}
}

static void test_durations_and_percents(void **state)
{
	static const struct {
		const char *text;
		int error;
		int64_t ms;
	} durations[] = {
		{"90", 0, 90000},
		{"90s", 0, 90000},
		{"15m", 0, 900000},
		{"2h", 0, 7200000},
		{"1d", 0, 86400000},
		{"500ms", 0, 500},
		{"0", 0, 0},
		{"366d", 0, INT64_C(366) * 86400000},
		{"367d", -ERANGE, 0},
		{"31622400", 0, INT64_C(366) * 86400000},
		{"31622401", -ERANGE, 0},
		{"99999999999999999999s", -ERANGE, 0},
		{"99999999999999999999q", -EINVAL, 0},
		{"", -EINVAL, 0},
		{"s", -EINVAL, 0},
		{"-1s", -EINVAL, 0},
		{"1.5h", -EINVAL, 0},
		{"1 h", -EINVAL, 0},
		{"1H", -EINVAL, 0},
		{"1hs", -EINVAL, 0},
	};
	static const struct {
		const char *text;
		int error;
		int64_t ms;
	} ages[] = {
		{"90d", 0, INT64_C(90) * 86400000},
		{"12h", 0, 43200000},
		{"36525d", 0, INT64_C(36525) * 86400000},
		{"36526d", -ERANGE, 0},
		{"99999999999999999999d", -ERANGE, 0},
		{"90", -EINVAL, 0},
		{"90days", -EINVAL, 0},
		{"-1d", -EINVAL, 0},
		{"d", -EINVAL, 0},
		{"", -EINVAL, 0},
	};
	static const struct {
		const char *text;
		int error;
		uint32_t hundredths;
	} percents[] = {
		{"80", 0, 8000},
		{"99.5", 0, 9950},
		{"99.05%", 0, 9905},
		{"80%", 0, 8000},
		{"0", 0, 0},
		{"100", 0, 10000},
		{"100.00%", 0, 10000},
		{"100.01", -ERANGE, 0},
		{"101", -ERANGE, 0},
		{"99999999999999999999", -ERANGE, 0},
		{"", -EINVAL, 0},
		{"%", -EINVAL, 0},
		{".5", -EINVAL, 0},
		{"5.", -EINVAL, 0},
		{"5.123", -EINVAL, 0},
		{"5%%", -EINVAL, 0},
		{"-5", -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(durations); i++) {
		int64_t ms = 0;

		if (swp_parse_duration_ms(durations[i].text, &ms) != durations[i].error ||
			ms != durations[i].ms)
			fail_msg("%s", durations[i].text);
	}
	for (size_t i = 0; i < SWP_ARRAY_SIZE(ages); i++) {
		int64_t ms = 0;

		if (swp_parse_age_ms(ages[i].text, &ms) != ages[i].error || ms != ages[i].ms)
			fail_msg("%s", ages[i].text);
	}
	for (size_t i = 0; i < SWP_ARRAY_SIZE(percents); i++) {
		uint32_t hundredths = 0;

		if (swp_parse_percent(percents[i].text, &hundredths) != percents[i].error ||
			hundredths != percents[i].hundredths)
			fail_msg("%s", percents[i].text);
	}
}

static void test_booleans(void **state)
{
	static const char *const yes[] = {"true", "TRUE", "yes", "1", "On"};
	static const char *const no[] = {"false", "no", "0", "oFF"};
	static const char *const bad[] = {"", "2", "y", "true ", "truee"};
	bool value = false;

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(yes); i++) {
		value = false;
		assert_int_equal(swp_parse_bool(yes[i], &value), 0);
		assert_true(value);
	}
	for (size_t i = 0; i < SWP_ARRAY_SIZE(no); i++) {
		value = true;
		assert_int_equal(swp_parse_bool(no[i], &value), 0);
		assert_false(value);
	}
	for (size_t i = 0; i < SWP_ARRAY_SIZE(bad); i++)
		assert_int_equal(swp_parse_bool(bad[i], &value), -EINVAL);
}

static void test_globs(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} rows[] = {
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"*", "anything", true},
		{"?", "", false},
		{"?", "a", true},
		{"a?c", "abc", true},
		{"a?c", "ac", false},
		{"aws-bedrock-*", "aws-bedrock-001", true},
		{"aws-bedrock-*", "aws-sagemaker-001", false},
		{"*prod*", "my-prod-account", true},
		{"*prod", "prod-not", false},
		{"a*b*c", "aXbYbZc", true},
		{"a*b*c", "aXbYbZ", false},
		{"**a**", "bab", true},
		{"*ab", "aab", true},
		{"*?", "", false},
		{"?*", "a", true},
		{"[a]", "a", false},
		{"[a]", "[a]", true},
		{"\\*", "*", false},
		{"\\*", "\\x", true},
		{"A", "a", false},
	};
	char pattern[4001], text[20001];

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		if (swp_glob_match(rows[i].pattern, rows[i].text) != rows[i].matches)
			fail_msg("%s on %s", rows[i].pattern, rows[i].text);
	}
	/* What costs a backtracking matcher for ever. */
	for (int i = 0; i < 2000; i++)
		memcpy(pattern + 2 * i, "a*", 2);
	pattern[3999] = 'b';
	pattern[4000] = '\0';
	memset(text, 'a', 20000);
	text[20000] = '\0';
	assert_false(swp_glob_match(pattern, text));
	assert_true(swp_glob_is_plain("aws-bedrock-001"));
	assert_false(swp_glob_is_plain("aws-*"));
	assert_false(swp_glob_is_plain("a?"));
}

static void test_nearest(void **state)
{
	static const char *const names[] = {
		"--regions", "--accounts", "--role-name", "--checks", "--store", "ab"};
	static const struct {
		const char *word, *nearest;
	} rows[] = {
		{"--region", "--regions"},
		{"--REGIONS", "--regions"},
		{"--acounts", "--accounts"},
		{"--rolename", "--role-name"},
		{"--chekcs", "--checks"},
		{"--something-else-entirely", NULL},
		{"", NULL},
		{"zz", NULL},
		{"b", "ab"},
	};
	char longer[200];
	const char *const long_names[] = {longer};

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		const char *nearest = swp_nearest(rows[i].word, names, SWP_ARRAY_SIZE(names));

		if (!swp_text_equal(nearest, rows[i].nearest))
			fail_msg("%s: %s", rows[i].word, nearest ? nearest : "none");
	}
	assert_null(swp_nearest("x", NULL, 0));
	/* Behind the ceiling of 128 bytes nothing is compared, on either side. */
	memset(longer, 'a', sizeof(longer));
	longer[199] = '\0';
	assert_ptr_equal(swp_nearest(longer, long_names, 1), longer);
	assert_ptr_equal(swp_nearest(longer + 1, long_names, 1), longer);
	assert_null(swp_nearest(longer + 180, long_names, 1));

	/* However far. */
	assert_string_equal(
		swp_nearest_of_all("--something-else", names, SWP_ARRAY_SIZE(names)), "--role-name");
	assert_string_equal(swp_nearest_of_all("zz", names, SWP_ARRAY_SIZE(names)), "ab");
	assert_string_equal(swp_nearest_of_all("", names, SWP_ARRAY_SIZE(names)), "ab");
	assert_ptr_equal(swp_nearest_of_all(longer + 180, long_names, 1), longer);
	assert_null(swp_nearest_of_all("x", NULL, 0));
}

static void test_comparing(void **state)
{
	const char *sorted[] = {"b", "a\xc3", "a", "", "B"};

	(void)state;
	assert_true(swp_text_equal(NULL, NULL));
	assert_false(swp_text_equal(NULL, ""));
	assert_true(swp_text_equal("a", "a"));
	assert_false(swp_text_equal("a", "A"));
	assert_true(swp_text_equal_ignoring_case("aZ", "Az"));
	assert_false(swp_text_equal_ignoring_case("a", "ab"));
	assert_false(swp_text_equal_ignoring_case("@", "`"));
	assert_false(swp_text_equal_ignoring_case(NULL, "a"));
	assert_true(swp_text_equal_ignoring_case(NULL, NULL));
	assert_true(swp_text_starts("abc", "ab"));
	assert_true(swp_text_starts("abc", ""));
	assert_false(swp_text_starts("ab", "abc"));
	assert_true(swp_text_ends("abc", "bc"));
	assert_true(swp_text_ends("abc", ""));
	assert_false(swp_text_ends("bc", "abc"));
	assert_string_equal(
		swp_text_find_ignoring_case("with an EXPLICIT deny in", "explicit DENY"), "EXPLICIT deny in");
	assert_string_equal(swp_text_find_ignoring_case("aab", "ab"), "ab");
	assert_string_equal(swp_text_find_ignoring_case("x", ""), "x");
	assert_string_equal(swp_text_find_ignoring_case("", ""), "");
	assert_null(swp_text_find_ignoring_case("ab", "abc"));
	assert_null(swp_text_find_ignoring_case("", "a"));
	qsort(sorted, 5, sizeof(sorted[0]), swp_compare_text_pointers);
	assert_string_equal(sorted[0], "");
	assert_string_equal(sorted[1], "B");
	assert_string_equal(sorted[3], "a\xc3");
	assert_string_equal(sorted[4], "b");
}

struct bytes {
	const char *bytes;
	size_t length;
};
#define BYTES(text)                                                                                          \
	{                                                                                                    \
		(text), sizeof(text) - 1                                                                     \
	}

static const struct {
	struct bytes from;
	const char *clean;
	bool utf8;
} cleaning[] = {
	{BYTES(""), "", true},
	{BYTES("plain ~!"), "plain ~!", true},
	{BYTES("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f", true},
	{BYTES("\xf0\x9f\x98\x80"), "\xf0\x9f\x98\x80", true},
	{BYTES("a\x1b[31mred"), "a\\x1b[31mred", true},
	{BYTES("two\nlines\r\t"), "two\\x0alines\\x0d\\x09", true},
	{BYTES("nul\0in"), "nul\\x00in", false},
	{BYTES("\x7f"), "\\x7f", true},
	{BYTES("\xc2\x9b"
	       "31m"),
		"\\u{009b}31m", true},
	{BYTES("\x9b"), "\\x9b", false},
	{BYTES("\xe2\x80\xae"
	       "evil"),
		"\\u{202e}evil", true},
	{BYTES("\xe2\x81\xa6"), "\\u{2066}", true},
	{BYTES("\xd8\x9c"), "\\u{061c}", true},
	{BYTES("\xe2\x80\xa8"), "\\u{2028}", true},
	{BYTES("\xff\xfe"), "\\xff\\xfe", false},
	{BYTES("\xc0\x80"), "\\xc0\\x80", false},
	{BYTES("\xed\xa0\x80"), "\\xed\\xa0\\x80", false},
	{BYTES("\xe0\x80\x80"), "\\xe0\\x80\\x80", false},
	{BYTES("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80", false},
	{BYTES("\xf5\x80\x80\x80"), "\\xf5\\x80\\x80\\x80", false},
	{BYTES("cut \xe2\x80"), "cut \\xe2\\x80", false},
	{BYTES("\xc3("), "\\xc3(", false},
};

static void test_cleaning(void **state)
{
	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(cleaning); i++) {
		SWP_CLEANUP(swp_buf_done) struct swp_buf out = {0};
		char array[64];

		assert_int_equal(swp_text_clean(&out, cleaning[i].from.bytes, cleaning[i].from.length), 0);
		assert_string_equal(swp_buf_text(&out), cleaning[i].clean);
		assert_int_equal(
			swp_text_is_utf8(cleaning[i].from.bytes, cleaning[i].from.length), cleaning[i].utf8);
		assert_int_equal(swp_text_clean_array(array, sizeof(array), cleaning[i].from.bytes,
					 cleaning[i].from.length),
			strlen(cleaning[i].clean));
		assert_string_equal(array, cleaning[i].clean);
	}
}

static void test_cleaning_into_little_room(void **state)
{
	static const char text[] = "ab\x1b"
				   "c\xe2\x82\xac";
	static const char *const expected[] = {"", "a", "ab", "ab", "ab", "ab", "ab\\x1b",
		"ab\\x1b"
		"c",
		"ab\\x1b"
		"c",
		"ab\\x1b"
		"c",
		"ab\\x1b"
		"c\xe2\x82\xac"};
	struct swp_buf out;
	char array[16];

	(void)state;
	for (size_t size = 1; size <= SWP_ARRAY_SIZE(expected); size++) {
		memset(array, 'x', sizeof(array));
		assert_int_equal(swp_text_clean_array(array, size, text, sizeof(text) - 1),
			strlen(expected[size - 1]));
		assert_string_equal(array, expected[size - 1]);
	}
	swp_buf_init(&out, 5);
	assert_int_equal(swp_buf_append_text(&out, "x"), 0);
	assert_int_equal(swp_text_clean(&out, text, sizeof(text) - 1), -E2BIG);
	assert_string_equal(swp_buf_text(&out), "x");
	swp_buf_done(&out);
}

static void test_encodings(void **state)
{
	static const struct {
		struct bytes bytes;
		const char *hex, *base64, *percent;
	} rows[] = {
		{BYTES(""), "", "", ""},
		{BYTES("f"), "66", "Zg==", "f"},
		{BYTES("fo"), "666f", "Zm8=", "fo"},
		{BYTES("foo"), "666f6f", "Zm9v", "foo"},
		{BYTES("foob"), "666f6f62", "Zm9vYg==", "foob"},
		{BYTES("\0\xff\x10 /"), "00ff10202f", "AP8QIC8=", "%00%FF%10%20%2F"},
		{BYTES("a-_.~+b"), "612d5f2e7e2b62", "YS1fLn4rYg==", "a-_.~%2Bb"},
		{BYTES("\xfb\xff\xbf"), "fbffbf", "+/+/", "%FB%FF%BF"},
	};

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		SWP_CLEANUP(swp_buf_done) struct swp_buf out = {0};

		assert_int_equal(swp_hex_encode(&out, rows[i].bytes.bytes, rows[i].bytes.length), 0);
		assert_string_equal(swp_buf_text(&out), rows[i].hex);
		swp_buf_clear(&out);
		assert_int_equal(swp_base64_encode(&out, rows[i].bytes.bytes, rows[i].bytes.length), 0);
		assert_string_equal(swp_buf_text(&out), rows[i].base64);
		swp_buf_clear(&out);
		assert_int_equal(swp_base64_decode(&out, rows[i].base64, strlen(rows[i].base64)), 0);
		assert_int_equal(out.length, rows[i].bytes.length);
		assert_memory_equal(swp_buf_text(&out), rows[i].bytes.bytes, out.length);
		swp_buf_clear(&out);
		assert_int_equal(
			swp_percent_encode(&out, rows[i].bytes.bytes, rows[i].bytes.length, false), 0);
		assert_string_equal(swp_buf_text(&out), rows[i].percent);
	}
	{
		SWP_CLEANUP(swp_buf_done) struct swp_buf out = {0};

		assert_int_equal(swp_percent_encode(&out, "/a b/", 5, true), 0);
		assert_string_equal(swp_buf_text(&out), "/a%20b/");
	}
}

static void test_bad_base64(void **state)
{
	static const char *const bad[] = {"Z", "Zg", "Zg=", "Zg===", "=", "====", "Z===", "Zm9v\n",
		"Zh==", "Zm9=", "Zg==Zg==", "Z=g=", "Zm-v", "Zm v"};
	SWP_CLEANUP(swp_buf_done) struct swp_buf out = {0};

	(void)state;
	assert_int_equal(swp_buf_append_text(&out, "before"), 0);
	for (size_t i = 0; i < SWP_ARRAY_SIZE(bad); i++) {
		if (swp_base64_decode(&out, bad[i], strlen(bad[i])) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
		assert_string_equal(swp_buf_text(&out), "before");
	}
}

static int encode_all(struct swp_buf *out)
{
	char bytes[300];

	memset(bytes, 0x1b, sizeof(bytes));
	swp_text_clean(out, bytes, sizeof(bytes));
	swp_hex_encode(out, bytes, sizeof(bytes));
	swp_base64_encode(out, bytes, sizeof(bytes));
	swp_percent_encode(out, bytes, sizeof(bytes), false);
	return out->failed ? out->failed : swp_base64_decode(out, "Zm9v", 4);
}

static void test_failing_memory_and_ceilings(void **state)
{
	int error = -ENOMEM;

	(void)state;
	for (unsigned long nth = 1; error; nth++) {
		SWP_CLEANUP(swp_buf_done) struct swp_buf out = {0};

		swp_alloc_fail_at(nth, 0);
		error = encode_all(&out);
		swp_alloc_fail_at(0, 0);
		assert_true(error == 0 || error == -ENOMEM);
		assert_true(nth < 50);
	}
	{
		SWP_CLEANUP(swp_buf_done) struct swp_buf out = {.limit_bytes = 3};

		assert_int_equal(swp_hex_encode(&out, "ab", 2), -E2BIG);
		swp_buf_clear(&out);
		assert_int_equal(swp_base64_encode(&out, "a", 1), -E2BIG);
		swp_buf_clear(&out);
		assert_int_equal(swp_base64_decode(&out, "Zm9vYg==", 8), -E2BIG);
		swp_buf_clear(&out);
		assert_int_equal(swp_percent_encode(&out, "a b", 3, false), -E2BIG);
		assert_int_equal(out.length, 0);
	}
}

static void test_problems(void **state)
{
	struct swp_problem problem = {"old"};
	char longer[3000];

	(void)state;
	assert_int_equal(swp_problem_set(&problem, -EINVAL, "file %s: %s", "a\x1b[0m", "bad"), -EINVAL);
	assert_string_equal(problem.text, "file a\\x1b[0m: bad");
	swp_problem_prefix(&problem, "line %d", 7);
	assert_string_equal(problem.text, "line 7: file a\\x1b[0m: bad");
	assert_int_equal(swp_problem_set(&problem, 3, "again: %s", problem.text), 3);
	assert_string_equal(problem.text, "again: line 7: file a\\x1b[0m: bad");
	assert_int_equal(swp_problem_set(NULL, -EIO, "x"), -EIO);
	swp_problem_prefix(NULL, "x");
	/* Cut at the end of the array, between two characters. */
	for (size_t i = 0; i + 1 < sizeof(longer); i += 2)
		memcpy(longer + i, "\xc3\xbc", 2);
	longer[sizeof(longer) - 2] = '\0';
	swp_problem_set(&problem, 0, "%s", longer);
	assert_int_equal(strlen(problem.text), 1022);
	assert_string_equal(problem.text + 1020, "\xc3\xbc");
}

static void test_assertions_end_the_program(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0) {
		signal(SIGABRT, SIG_DFL);
		fclose(stderr);
		SWP_ASSERT(child == 1);
		_exit(0);
	}
	waitpid(child, &status, 0);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_signed_numbers),
		cmocka_unit_test(test_durations_and_percents),
		cmocka_unit_test(test_booleans),
		cmocka_unit_test(test_globs),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_comparing),
		cmocka_unit_test(test_cleaning),
		cmocka_unit_test(test_cleaning_into_little_room),
		cmocka_unit_test(test_encodings),
		cmocka_unit_test(test_bad_base64),
		cmocka_unit_test(test_failing_memory_and_ceilings),
		cmocka_unit_test(test_problems),
		cmocka_unit_test(test_assertions_end_the_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
