/* Secrets: setting, comparing, ceiling, failing memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/base/secret.h"

static void test_set_and_unset(void **state)
{
	struct swp_secret a = {0}, b = {0};

	(void)state;
	assert_false(swp_secret_is_set(&a));
	assert_string_equal(swp_secret_text(&a), "");
	assert_int_equal(swp_secret_set_text(&a, "hunter2"), 0);
	assert_true(swp_secret_is_set(&a));
	assert_int_equal(a.length, 7);
	assert_string_equal(swp_secret_text(&a), "hunter2");
	/* From a part of itself. */
	assert_int_equal(swp_secret_set(&a, a.bytes + 1, 3), 0);
	assert_string_equal(swp_secret_text(&a), "unt");
	assert_int_equal(swp_secret_copy(&b, &a), 0);
	assert_int_equal(swp_secret_copy(&b, &b), 0);
	assert_string_equal(swp_secret_text(&b), "unt");
	assert_int_equal(swp_secret_set(&a, "", 0), 0);
	assert_true(swp_secret_is_set(&a));
	assert_int_equal(swp_secret_set_text(&a, NULL), 0);
	assert_false(swp_secret_is_set(&a));
	assert_int_equal(swp_secret_copy(&b, &a), 0);
	assert_false(swp_secret_is_set(&b));
	swp_secret_done(&a);
	swp_secret_done(&a);
}

static void test_equal(void **state)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} rows[] = {
		{"x", "x", true},
		{"", "", true},
		{NULL, NULL, true},
		{"x", "y", false},
		{"xy", "x", false},
		{"", NULL, false},
		{NULL, "x", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct swp_secret a = {0}, b = {0};

		assert_int_equal(swp_secret_set_text(&a, rows[i].a), 0);
		assert_int_equal(swp_secret_set_text(&b, rows[i].b), 0);
		assert_int_equal(swp_secret_equal(&a, &b), rows[i].equal);
		assert_int_equal(swp_secret_equal(&b, &a), rows[i].equal);
		swp_secret_done(&a);
		swp_secret_done(&b);
	}
}

static void test_wipe(void **state)
{
	char bytes[] = "hunter2";

	(void)state;
	swp_wipe(bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		assert_int_equal(bytes[i], 0);
	swp_wipe(NULL, 0);
	swp_wipe(NULL, 5);
}

static void test_the_ceiling_and_failing_memory(void **state)
{
	char *longest = calloc(1, SWP_LIMIT_SECRET_BYTES + 2);
	struct swp_secret secret = {0};

	(void)state;
	memset(longest, 'a', SWP_LIMIT_SECRET_BYTES + 1);
	assert_int_equal(swp_secret_set_text(&secret, "before"), 0);
	assert_int_equal(swp_secret_set_text(&secret, longest), -E2BIG);
	assert_string_equal(swp_secret_text(&secret), "before");
	swp_alloc_fail_at(1, 0);
	assert_int_equal(swp_secret_set_text(&secret, "after"), -ENOMEM);
	swp_alloc_fail_at(0, 0);
	assert_string_equal(swp_secret_text(&secret), "before");
	longest[SWP_LIMIT_SECRET_BYTES] = '\0';
	assert_int_equal(swp_secret_set_text(&secret, longest), 0);
	assert_int_equal(secret.length, SWP_LIMIT_SECRET_BYTES);
	swp_secret_done(&secret);
	free(longest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_and_unset),
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_wipe),
		cmocka_unit_test(test_the_ceiling_and_failing_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
