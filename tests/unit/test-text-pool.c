/* Texts kept once: numbers, order, growth, the ceiling. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "checks/text-pool.h"
#include "proto/base/alloc.h"

static void test_numbers(void **state)
{
	struct swp_text_pool *pool = swp_text_pool_new(1 << 20);
	uint32_t a, b, again, empty;

	(void)state;
	assert_int_equal(swp_text_pool_intern(pool, "b", &b), 0);
	assert_int_equal(swp_text_pool_intern(pool, "a", &a), 0);
	assert_int_equal(swp_text_pool_intern(pool, "b", &again), 0);
	assert_int_equal(swp_text_pool_intern(pool, "", &empty), 0);
	assert_int_equal(b, again);
	assert_int_not_equal(a, b);
	assert_true(a >= SWP_TEXT_FIRST && b >= SWP_TEXT_FIRST && empty >= SWP_TEXT_FIRST);
	assert_string_equal(swp_text_pool_text(pool, a), "a");
	assert_string_equal(swp_text_pool_text(pool, empty), "");
	assert_null(swp_text_pool_text(pool, SWP_TEXT_NONE));
	assert_null(swp_text_pool_text(pool, SWP_TEXT_UNREAD));
	assert_null(swp_text_pool_text(pool, 1000));
	assert_int_equal(swp_text_pool_find(pool, "a"), a);
	assert_int_equal(swp_text_pool_find(pool, "c"), SWP_TEXT_NONE);
	assert_true(swp_text_pool_compare(pool, a, b) < 0);
	assert_true(swp_text_pool_compare(pool, b, a) > 0);
	assert_int_equal(swp_text_pool_compare(pool, b, b), 0);
	assert_true(swp_text_pool_compare(pool, SWP_TEXT_UNREAD, empty) < 0);
	swp_text_pool_free(pool);
	swp_text_pool_free(NULL);
}

static void test_many(void **state)
{
	struct swp_text_pool *pool = swp_text_pool_new(64 << 20);
	char text[32];
	uint32_t id;

	(void)state;
	for (unsigned i = 0; i < 200000; i++) {
		snprintf(text, sizeof(text), "text-%u", i);
		assert_int_equal(swp_text_pool_intern(pool, text, &id), 0);
		assert_int_equal(id, i + SWP_TEXT_FIRST);
	}
	for (unsigned i = 0; i < 200000; i += 777) {
		snprintf(text, sizeof(text), "text-%u", i);
		assert_int_equal(swp_text_pool_find(pool, text), i + SWP_TEXT_FIRST);
		assert_string_equal(swp_text_pool_text(pool, i + SWP_TEXT_FIRST), text);
	}
	swp_text_pool_free(pool);
}

static void test_ceiling(void **state)
{
	struct swp_text_pool *pool = swp_text_pool_new(10);
	uint32_t id = 7;

	(void)state;
	assert_int_equal(swp_text_pool_intern(pool, "123456789a", &id), -E2BIG);
	assert_int_equal(id, 7);
	assert_int_equal(swp_text_pool_intern(pool, "1234", &id), 0);
	assert_int_equal(swp_text_pool_intern(pool, "5678", &id), 0);
	assert_int_equal(swp_text_pool_intern(pool, "", &id), -E2BIG);
	assert_int_equal(swp_text_pool_intern(pool, "5678", &id), 0);
	swp_text_pool_free(pool);
}

static void test_failing_allocations(void **state)
{
	(void)state;
	for (unsigned long nth = 1; nth < 12; nth++) {
		struct swp_text_pool *pool;
		char text[32];
		uint32_t id;

		swp_alloc_fail_at(nth, 0);
		pool = swp_text_pool_new(1 << 20);
		for (unsigned i = 0; pool && i < 400; i++) {
			int r;

			snprintf(text, sizeof(text), "text-%u", i);
			r = swp_text_pool_intern(pool, text, &id);
			assert_true(r == 0 || r == -ENOMEM);
			if (r < 0) /* the next try succeeds */
				assert_int_equal(swp_text_pool_intern(pool, text, &id), 0);
			assert_int_equal(id, i + SWP_TEXT_FIRST);
		}
		swp_alloc_fail_at(0, 0);
		swp_text_pool_free(pool);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_ceiling),
		cmocka_unit_test(test_failing_allocations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
