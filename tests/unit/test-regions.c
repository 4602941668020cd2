/* Which regions are planned. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/regions.h"

#define LIST(...)                                                                                            \
	{                                                                                                    \
		(const char *const[]){__VA_ARGS__},                                                          \
			sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)                          \
	}
#define NOTHING                                                                                              \
	{                                                                                                    \
		NULL, 0                                                                                      \
	}

static void ask(struct swp_region_table *table, struct swp_text_list regions, struct swp_text_list exclude,
	struct swp_regions_asked *asked)
{
	struct swp_problem problem;

	swp_region_table_init(table);
	assert_int_equal(
		swp_regions_ask(table, swp_partition_by_name("aws"), &regions, &exclude, asked, &problem), 0);
}

static void expect(
	const struct swp_region_table *table, const struct swp_region_set *set, const char *expected)
{
	const char *names[SWP_LIMIT_SWEEP_REGIONS];
	size_t count = swp_region_set_names(table, set, names);
	char text[4096] = "";

	for (size_t i = 0; i < count; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? " " : "", names[i]);
	assert_string_equal(text, expected);
}

static void told(struct swp_region_table *table, struct swp_regions_told *ret_told)
{
	json_t *list = json_loads(
		"{\"Regions\":[{\"RegionName\":\"us-east-1\",\"RegionOptStatus\":\"ENABLED_BY_DEFAULT\"},"
		"{\"RegionName\":\"eu-west-1\",\"RegionOptStatus\":\"ENABLED_BY_DEFAULT\"},"
		"{\"RegionName\":\"me-south-1\",\"RegionOptStatus\":\"ENABLED\"},"
		"{\"RegionName\":\"af-south-1\",\"RegionOptStatus\":\"DISABLED\"},"
		"{\"RegionName\":\"eu-south-2\",\"RegionOptStatus\":\"ENABLING\"}]}",
		0, NULL);

	*ret_told = (struct swp_regions_told){0};
	assert_int_equal(swp_regions_read_list(table, list, ret_told), 0);
	json_decref(list);
}

static void enabled_ones(void **state)
{
	struct swp_region_table table;
	struct swp_regions_asked asked;
	struct swp_regions_told answer;
	struct swp_regions_plan plan;

	(void)state;
	ask(&table, (struct swp_text_list)NOTHING, (struct swp_text_list)NOTHING, &asked);
	told(&table, &answer);
	plan = swp_regions_plan_told(&asked, &answer);
	expect(&table, &plan.planned, "eu-west-1 me-south-1 us-east-1");
	expect(&table, &plan.not_enabled, "af-south-1 eu-south-2");
}

static void asked_ones(void **state)
{
	struct swp_region_table table;
	struct swp_regions_asked asked;
	struct swp_regions_told answer;
	struct swp_regions_plan plan;

	(void)state;
	ask(&table, (struct swp_text_list)LIST("us-east-1", "af-south-1", "sa-east-1"),
		(struct swp_text_list)NOTHING, &asked);
	told(&table, &answer);
	plan = swp_regions_plan_told(&asked, &answer);
	expect(&table, &plan.planned, "us-east-1");
	expect(&table, &plan.not_enabled, "af-south-1 sa-east-1");
	plan = swp_regions_plan_untold(&asked);
	expect(&table, &plan.planned, "af-south-1 sa-east-1 us-east-1");
	expect(&table, &plan.not_enabled, "");
	plan = swp_regions_plan_closed(&asked);
	expect(&table, &plan.planned, "af-south-1 sa-east-1 us-east-1");
}

static void excluded_ones(void **state)
{
	struct swp_region_table table;
	struct swp_regions_asked asked;
	struct swp_regions_told answer;
	struct swp_regions_plan plan;
	int opt_in;

	(void)state;
	ask(&table, (struct swp_text_list)NOTHING, (struct swp_text_list)LIST("us-east-1", "af-south-1"),
		&asked);
	told(&table, &answer);
	plan = swp_regions_plan_told(&asked, &answer);
	expect(&table, &plan.planned, "eu-west-1 me-south-1");
	expect(&table, &plan.not_enabled, "eu-south-2");
	/* Nobody told: all of the partition, opt-in ones included; closed: those enabled by default. */
	opt_in = swp_region_table_find(&table, "me-south-1");
	plan = swp_regions_plan_untold(&asked);
	assert_true(swp_region_set_has(&plan.planned, (unsigned)opt_in));
	assert_false(swp_region_set_has(&plan.planned, (unsigned)swp_region_table_find(&table, "us-east-1")));
	plan = swp_regions_plan_closed(&asked);
	assert_false(swp_region_set_has(&plan.planned, (unsigned)opt_in));
	assert_true(swp_region_set_has(&plan.planned, (unsigned)swp_region_table_find(&table, "eu-west-1")));
}

static void unknown_ones(void **state)
{
	struct swp_region_table table;
	struct swp_regions_asked asked;
	struct swp_problem problem;
	struct swp_text_list regions = LIST("eu-west-11"), nothing = NOTHING, china = LIST("cn-north-1");

	(void)state;
	swp_region_table_init(&table);
	assert_int_equal(
		swp_regions_ask(&table, swp_partition_by_name("aws"), &regions, &nothing, &asked, &problem),
		-EINVAL);
	assert_non_null(strstr(problem.text, "did you mean \"eu-west-1\"?"));
	assert_int_equal(
		swp_regions_ask(&table, swp_partition_by_name("aws"), &nothing, &china, &asked, &problem),
		-EINVAL);
	assert_non_null(strstr(problem.text, "--exclude-regions"));
}

static void descriptions(void **state)
{
	struct swp_region_table table;
	struct swp_regions_told answer = {0};
	json_t *list = json_loads(
		"{\"regionInfo\":[{\"regionName\":\"us-east-1\",\"optInStatus\":\"opt-in-not-required\"},"
		"{\"regionName\":\"me-south-1\",\"optInStatus\":\"opted-in\"},"
		"{\"regionName\":\"af-south-1\",\"optInStatus\":\"not-opted-in\"},"
		"{\"regionName\":\"mars-north-1\",\"optInStatus\":\"opted-in\"}]}",
		0, NULL);
	json_t *bad = json_loads(
		"{\"regionInfo\":[{\"regionName\":\"us east\",\"optInStatus\":\"opted-in\"}]}", 0, NULL);
	json_t *none = json_loads("{}", 0, NULL);

	(void)state;
	swp_region_table_init(&table);
	assert_int_equal(swp_regions_read_description(&table, list, &answer), 0);
	expect(&table, &answer.enabled, "mars-north-1 me-south-1 us-east-1");
	expect(&table, &answer.disabled, "af-south-1");
	assert_int_equal(swp_regions_read_description(&table, bad, &answer), SWP_REGIONS_MALFORMED);
	assert_int_equal(swp_regions_read_description(&table, none, &answer), SWP_REGIONS_MALFORMED);
	json_decref(list);
	json_decref(bad);
	json_decref(none);
}

static void the_table_has_an_end(void **state)
{
	struct swp_region_table table;
	char name[SWP_REGION_NAME_BYTES];
	int region = 0;

	(void)state;
	swp_region_table_init(&table);
	for (unsigned i = 0; region >= 0 && i < 2 * SWP_LIMIT_SWEEP_REGIONS; i++) {
		snprintf(name, sizeof(name), "xx-test-%u", i);
		region = swp_region_table_add(&table, name);
	}
	assert_int_equal(region, -E2BIG);
	assert_int_equal(table.count, SWP_LIMIT_SWEEP_REGIONS);
	assert_int_equal(swp_region_table_add(&table, "xx-test-0"), SWP_REGION_FIRST);
	assert_int_equal(swp_region_table_add(&table, "UPPER"), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(enabled_ones),
		cmocka_unit_test(asked_ones),
		cmocka_unit_test(excluded_ones),
		cmocka_unit_test(unknown_ones),
		cmocka_unit_test(descriptions),
		cmocka_unit_test(the_table_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
