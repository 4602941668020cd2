/* Regions: alignment, zeroing, ceiling, failing memory. */
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
#include "proto/base/region.h"

static void test_pieces(void **state)
{
	struct swp_region *region = swp_region_new(0);
	static const size_t sizes[] = {0, 1, 7, 16, 17, 100, 1000, 4000, 5000, 70000, 300000, 3};

	(void)state;
	assert_int_equal(swp_region_used(region), 0);
	for (int round = 0; round < 50; round++) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			unsigned char *piece = swp_region_alloc(region, sizes[i]);

			assert_non_null(piece);
			assert_int_equal((uintptr_t)piece % _Alignof(max_align_t), 0);
			for (size_t j = 0; j < sizes[i]; j++)
				assert_int_equal(piece[j], 0);
			/* Overlaps would show as non-zero bytes in a later piece. */
			memset(piece, 0xee, sizes[i]);
		}
	}
	assert_true(swp_region_used(region) > 50 * 380000);
	swp_region_free(region);
	swp_region_free(NULL);
}

static void test_texts(void **state)
{
	struct swp_region *region = swp_region_new(0);

	(void)state;
	assert_string_equal(swp_region_strdup(region, ""), "");
	assert_string_equal(swp_region_strdup(region, "text"), "text");
	assert_string_equal(swp_region_strndup(region, "text", 2), "te");
	assert_string_equal(swp_region_strndup(region, "text", 99), "text");
	assert_string_equal(swp_region_format(region, "%s-%03d", "a", 7), "a-007");
	assert_memory_equal(swp_region_memdup(region, "a\0b", 3), "a\0b", 3);
	assert_non_null(swp_region_memdup(region, NULL, 0));
	swp_region_free(region);
}

static void test_reset_gives_zeroed_memory_again(void **state)
{
	struct swp_region *region = swp_region_new(0);

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 1000; i++) {
			char *piece = swp_region_alloc(region, 64);

			assert_non_null(piece);
			for (int j = 0; j < 64; j++)
				assert_int_equal(piece[j], 0);
			memset(piece, 'x', 64);
		}
		assert_int_equal(swp_region_used(region), 64000);
		swp_region_reset(region);
		assert_int_equal(swp_region_used(region), 0);
	}
	swp_region_free(region);
}

static void test_the_ceiling(void **state)
{
	struct swp_region *region = swp_region_new(1024);

	(void)state;
	assert_null(swp_region_alloc(region, 1025));
	assert_null(swp_region_alloc(region, SIZE_MAX));
	assert_non_null(swp_region_alloc(region, 1000));
	assert_null(swp_region_alloc(region, 32));
	assert_non_null(swp_region_alloc(region, 16));
	assert_null(swp_region_alloc(region, 1));
	assert_null(swp_region_strdup(region, "x"));
	assert_null(swp_region_format(region, "x"));
	assert_null(swp_region_memdup(region, "x", 1));
	swp_region_free(region);
	region = swp_region_new(0);
	assert_null(swp_region_alloc(region, (size_t)SWP_LIMIT_REGION_BYTES + 1));
	for (size_t taken = 0; taken < SWP_LIMIT_REGION_BYTES; taken += 32u << 20)
		assert_non_null(swp_region_alloc(region, 32u << 20));
	assert_null(swp_region_alloc(region, 1));
	swp_region_free(region);
}

static int build(struct swp_region *region)
{
	for (int i = 0; i < 30; i++) {
		if (!swp_region_alloc(region, 1000) || !swp_region_alloc(region, 20000) ||
			!swp_region_strdup(region, "text"))
			return -ENOMEM;
	}
	return 0;
}

static void test_failing_memory(void **state)
{
	int error = -ENOMEM;

	(void)state;
	for (unsigned long nth = 1; error; nth++) {
		struct swp_region *region;

		swp_alloc_fail_at(nth, 0);
		region = swp_region_new(0);
		error = region ? build(region) : -ENOMEM;
		swp_alloc_fail_at(0, 0);
		swp_region_free(region);
		assert_true(nth < 200);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_reset_gives_zeroed_memory_again),
		cmocka_unit_test(test_the_ceiling),
		cmocka_unit_test(test_failing_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
