/* The smallest set of fixes, against a search through all subsets; and what stands above the ceilings. */
#include <setjmp.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "checks/chain-fix.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/base/limits.h"
#include "tests/unit/under-valgrind.h"

static uint64_t random_state;

static unsigned random_below(unsigned end)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)(random_state % end);
}

/* Findings are their numbers; effort by number. */
static int by_number(const void *context, uint32_t a, uint32_t b)
{
	(void)context;
	return a < b ? -1 : a > b;
}

static unsigned effort_of(const void *context, uint32_t finding)
{
	(void)context;
	return finding * 7 % 3 + 1;
}

static const struct swp_fix_order order = {by_number, effort_of, NULL};

enum { MOST_PARTS = 3, MOST_TUPLES = 6, MOST_WIDTH = 3, MOST_PATHS = 2, FINDINGS = 9 };

struct problem {
	struct swp_fix_path paths[MOST_PATHS];
	struct swp_fix_part parts[MOST_PATHS][MOST_PARTS];
	uint32_t cells[MOST_PATHS][MOST_PARTS][MOST_TUPLES * MOST_WIDTH];
	size_t path_count;
};

static void make_problem(struct problem *problem)
{
	memset(problem, 0, sizeof(*problem));
	problem->path_count = 1 + random_below(MOST_PATHS);
	for (size_t p = 0; p < problem->path_count; p++) {
		problem->paths[p] = (struct swp_fix_path){problem->parts[p], 1 + random_below(MOST_PARTS)};
		for (size_t k = 0; k < problem->paths[p].part_count; k++) {
			struct swp_fix_part *part = &problem->parts[p][k];

			*part = (struct swp_fix_part){problem->cells[p][k], 1 + random_below(MOST_TUPLES),
				1 + random_below(MOST_WIDTH), 0};
			for (size_t i = 0; i < part->tuple_count * part->width; i++)
				problem->cells[p][k][i] = random_below(6) ? 1 + random_below(FINDINGS) : 0;
		}
	}
}

static bool tuple_broken(const struct swp_fix_part *part, size_t tuple, unsigned mask)
{
	for (size_t i = 0; i < part->width; i++) {
		uint32_t cell = part->cells[tuple * part->width + i];

		if (cell && (mask & 1u << (cell - 1)))
			return true;
	}
	return false;
}

static bool breaks(const struct problem *problem, unsigned mask)
{
	for (size_t p = 0; p < problem->path_count; p++) {
		bool broken = false;

		for (size_t k = 0; k < problem->paths[p].part_count; k++) {
			size_t left = 0;

			for (size_t i = 0; i < problem->parts[p][k].tuple_count; i++)
				left += !tuple_broken(&problem->parts[p][k], i, mask);
			broken |= left == 0;
		}
		if (!broken)
			return false;
	}
	return true;
}

/* (count, effort, ids) as one number, smaller is better; ids: the set with the lower first finding. */
static unsigned long long weight(unsigned mask)
{
	unsigned count = 0, effort = 0, ids = 0;

	for (unsigned i = 0; i < FINDINGS; i++) {
		if (!(mask & 1u << i))
			continue;
		count++;
		effort += effort_of(NULL, i);
		ids |= 1u << (FINDINGS - 1 - i);
	}
	return ((unsigned long long)count << 40) + ((unsigned long long)effort << 20) +
	       ((1u << FINDINGS) - 1 - ids);
}

static unsigned brute_force(const struct problem *problem)
{
	unsigned best = 0;

	for (unsigned mask = 1; mask < 1u << FINDINGS; mask++)
		if (breaks(problem, mask) && (best == 0 || weight(mask) < weight(best)))
			best = mask;
	return best;
}

static void test_against_brute_force(void **state)
{
	(void)state;
	for (unsigned long round = 0; round < share_under_valgrind(20000); round++) {
		unsigned long long seed = random_state;
		struct swp_fix_set set = {0};
		struct problem problem;
		unsigned mask = 0, expected;

		make_problem(&problem);
		expected = brute_force(&problem);
		assert_int_equal(swp_fix_smallest(problem.paths, problem.path_count, &order, &set), 0);
		for (size_t i = 0; i < set.count; i++) {
			assert_true(i == 0 || set.findings[i - 1] < set.findings[i]);
			mask |= 1u << set.findings[i];
		}
		if (mask != expected)
			fail_msg("seed %llu: got %x, expected %x", seed, mask, expected);
		swp_fix_set_done(&set);
	}
}

static void test_spare(void **state)
{
	static const uint32_t cells[] = {1, 2, 3, 4, 5};
	static const struct {
		size_t spare;
		unsigned expected; /* efforts of 0 to 4: 1 2 3 1 2 */
	} rows[] = {{0, 0x1f}, {1, 0x1b}, {2, 0x0b}, {3, 0x09}, {4, 0x01}};

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		const struct swp_fix_part part = {cells, 5, 1, rows[i].spare};
		const struct swp_fix_path path = {&part, 1};
		struct swp_fix_set set = {0};
		unsigned mask = 0;

		assert_int_equal(swp_fix_smallest(&path, 1, &order, &set), 0);
		for (size_t k = 0; k < set.count; k++)
			mask |= 1u << set.findings[k];
		assert_int_equal(mask, rows[i].expected);
		swp_fix_set_done(&set);
	}
}

/* A star: each tuple has its own finding and one that all share. Greedy finds the shared one, and above its ceiling the leg that has fewest does. */
static void check_star(size_t tuples)
{
	uint32_t *cells = calloc(tuples * 2, sizeof(*cells));
	const struct swp_fix_part part = {cells, tuples, 2, 0};
	const struct swp_fix_path path = {&part, 1};
	struct swp_fix_set set = {0};

	assert_non_null(cells);
	for (size_t i = 0; i < tuples; i++) {
		cells[2 * i] = (uint32_t)i + 2;
		cells[2 * i + 1] = 1;
	}
	assert_int_equal(swp_fix_smallest(&path, 1, &order, &set), 0);
	assert_int_equal(set.count, 1);
	assert_int_equal(set.findings[0], 0);
	swp_fix_set_done(&set);
	free(cells);
}

/* Above the exact ceiling what comes out still breaks every tuple. */
static void check_breaks(size_t tuples)
{
	uint32_t *cells = calloc(tuples * 2, sizeof(*cells));
	bool *fixed = calloc(tuples * 2 + 2, sizeof(*fixed));
	const struct swp_fix_part part = {cells, tuples, 2, 0};
	const struct swp_fix_path paths[] = {{&part, 1}, {&part, 1}};
	struct swp_fix_set set = {0};

	assert_non_null(cells);
	assert_non_null(fixed);
	for (size_t i = 0; i < tuples; i++) {
		cells[2 * i] = 1 + random_below((unsigned)tuples);
		cells[2 * i + 1] = 1 + (uint32_t)tuples + random_below((unsigned)tuples);
	}
	assert_int_equal(swp_fix_smallest(paths, 2, &order, &set), 0);
	for (size_t i = 0; i < set.count; i++)
		fixed[set.findings[i]] = true;
	for (size_t i = 0; i < tuples; i++)
		assert_true(fixed[cells[2 * i] - 1] || fixed[cells[2 * i + 1] - 1]);
	swp_fix_set_done(&set);
	free(cells);
	free(fixed);
}

static void test_above_the_ceilings(void **state)
{
	(void)state;
	check_star(SWP_LIMIT_FIX_EXACT - 1);
	check_star(SWP_LIMIT_FIX_EXACT);
	check_star(SWP_LIMIT_FIX_TUPLES);
	check_star(SWP_LIMIT_FIX_TUPLES + 1);
	check_breaks(SWP_LIMIT_FIX_EXACT * 2);
	check_breaks(SWP_LIMIT_FIX_TUPLES / 8);
	check_breaks(SWP_LIMIT_FIX_TUPLES + 1);
}

static void test_nothing_to_fix(void **state)
{
	static const uint32_t cells[] = {0, 0, 1, 0};
	const struct swp_fix_part part = {cells, 2, 2, 0};
	const struct swp_fix_path path = {&part, 1};
	struct swp_fix_set set = {0};

	(void)state;
	assert_int_equal(swp_fix_smallest(&path, 1, &order, &set), 0);
	assert_int_equal(set.count, 0);
	swp_fix_set_done(&set);
}

static void test_failing_allocations(void **state)
{
	(void)state;
	for (int round = 0; round < 200; round++) {
		struct problem problem;

		make_problem(&problem);
		for (unsigned long nth = 1;; nth++) {
			struct swp_fix_set set = {0};
			int r;

			swp_alloc_fail_at(nth, 0);
			r = swp_fix_smallest(problem.paths, problem.path_count, &order, &set);
			if (swp_alloc_fail_at(0, 0) < nth) {
				assert_int_equal(r, 0);
				swp_fix_set_done(&set);
				break;
			}
			assert_int_not_equal(r, 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_brute_force),
		cmocka_unit_test(test_spare),
		cmocka_unit_test(test_above_the_ceilings),
		cmocka_unit_test(test_nothing_to_fix),
		cmocka_unit_test(test_failing_allocations),
	};

	random_state = (uint64_t)time(NULL) * 2654435761u + 1;
	if (getenv("ORGSWEEP_TEST_SEED"))
		random_state = strtoull(getenv("ORGSWEEP_TEST_SEED"), NULL, 10);
	printf("seed %llu (ORGSWEEP_TEST_SEED)\n", (unsigned long long)random_state);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
