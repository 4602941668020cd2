/* Times as text, the system clock and its randomness. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <time.h>

#include "proto/base/clock.h"
#include "proto/base/error.h"

static void test_format(void **state)
{
	static const struct {
		int64_t ms;
		const char *text, *basic;
	} rows[] = {
		{0, "1970-01-01T00:00:00Z", "19700101T000000Z"},
		{999, "1970-01-01T00:00:00Z", "19700101T000000Z"},
		{-1, "1969-12-31T23:59:59Z", "19691231T235959Z"},
		{951782400000, "2000-02-29T00:00:00Z", "20000229T000000Z"},
		{1795334400000, "2026-11-22T08:00:00Z", "20261122T080000Z"},
		{4107542399000, "2100-02-28T23:59:59Z", "21000228T235959Z"},
		{4107542400000, "2100-03-01T00:00:00Z", "21000301T000000Z"},
		{253402300799999, "9999-12-31T23:59:59Z", "99991231T235959Z"},
		{INT64_MAX, "9999-12-31T23:59:59Z", "99991231T235959Z"},
		{-62167219200000, "0000-01-01T00:00:00Z", "00000101T000000Z"},
		{INT64_MIN, "0000-01-01T00:00:00Z", "00000101T000000Z"},
	};
	char text[SWP_TIME_TEXT_BYTES];

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		swp_time_format(rows[i].ms, text);
		assert_string_equal(text, rows[i].text);
		swp_time_format_basic(rows[i].ms, text);
		assert_string_equal(text, rows[i].basic);
	}
}

/* Every 1009th hour of four centuries against the C library. */
static void test_format_against_the_library(void **state)
{
	(void)state;
	for (int64_t second = -7000000000; second < 9000000000; second += 3632461) {
		char ours[SWP_TIME_TEXT_BYTES], theirs[64];
		time_t time = (time_t)second;
		int64_t back = 0;
		struct tm tm;

		gmtime_r(&time, &tm);
		assert_true(strftime(theirs, sizeof(theirs), "%Y-%m-%dT%H:%M:%SZ", &tm) > 0);
		swp_time_format(second * 1000, ours);
		assert_string_equal(ours, theirs);
		assert_int_equal(swp_time_parse(ours, &back), 0);
		assert_int_equal(back, second * 1000);
	}
}

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"2026-11-22T08:00:00Z", 1795334400000},
		{"2026-11-22t08:00:00z", 1795334400000},
		{"2026-11-22 08:00:00Z", 1795334400000},
		{"2026-11-22T08:00:00UTC", 1795334400000},
		{"2026-11-22T08:00:00.5Z", 1795334400500},
		{"2026-11-22T08:00:00.123456789Z", 1795334400123},
		{"2026-11-22T09:30:00+01:30", 1795334400000},
		{"2026-11-22T09:30:00+0130", 1795334400000},
		{"2026-11-22T07:00:00.000-01:00", 1795334400000},
		{"2016-12-31T23:59:60Z", 1483228800000},
		{"2024-02-29T00:00:00Z", 1709164800000},
		{"0000-01-01T00:00:00Z", -62167219200000},
	};
	static const char *const bad[] = {"", "2026", "2026-11-22", "2026-11-22T08:00Z",
		"2026-11-22T08:00:00", "2026-11-22T08:00:00.Z", "2026-11-22T08:00:00Zx",
		"2026-11-22T08:00:00+1", "2026-11-22T08:00:00+24:00", "2026-11-22T08:00:00+01:60",
		"2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-02-29T00:00:00Z",
		"2026-04-31T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z",
		"2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z", " 2026-11-22T08:00:00Z",
		"+026-11-22T08:00:00Z", "20261122T080000Z"};
	int64_t ms = 42;

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(good); i++) {
		assert_int_equal(swp_time_parse(good[i].text, &ms), 0);
		assert_int_equal(ms, good[i].ms);
	}
	ms = 42;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(bad); i++) {
		if (swp_time_parse(bad[i], &ms) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
	}
	assert_int_equal(ms, 42);
}

static void test_parse_http(void **state)
{
	static const char *const bad[] = {"", "Sun, 22 Nov 2026 08:00:00", "Sun 22 Nov 2026 08:00:00 GMT",
		"Sunday, 22-Nov-26 08:00:00 GMT", "Sun Nov 22 08:00:00 2026", "Sun, 22 Nov 2026 08:00:00 UTC",
		"Sun, 32 Nov 2026 08:00:00 GMT", "Xyz, 22 Nov 2026 08:00:00 GMT",
		"Sun, 22 Xyz 2026 08:00:00 GMT", "Sun, 2 Nov 2026 08:00:00 GMT",
		"Sun, 22 Nov 2026 08:00:00 GMT "};
	int64_t ms = 42;

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(bad); i++)
		assert_int_equal(swp_time_parse_http(bad[i], &ms), -EINVAL);
	assert_int_equal(ms, 42);
	assert_int_equal(swp_time_parse_http("Sun, 22 Nov 2026 08:00:00 GMT", &ms), 0);
	assert_int_equal(ms, 1795334400000);
}

static void test_the_system_clock(void **state)
{
	const struct swp_clock *clock = swp_clock_system();
	int64_t before = swp_clock_monotonic_ms(clock);
	int64_t wall = swp_clock_wall_ms(clock);
	int low = 0, high = 0;

	(void)state;
	assert_true(swp_clock_monotonic_ms(clock) >= before);
	assert_true(wall / 1000 >= (int64_t)time(NULL) - 5 && wall / 1000 <= (int64_t)time(NULL) + 5);
	assert_int_not_equal(swp_clock_random_u64(clock), swp_clock_random_u64(clock));
	for (int i = 0; i < 1000; i++) {
		double unit = swp_clock_random_unit(clock);

		assert_true(unit >= 0 && unit < 1);
		low += unit < 0.25;
		high += unit >= 0.75;
	}
	assert_true(low > 150 && high > 150);
}

static void all_ones(void *context, void *bytes, size_t length)
{
	(void)context;
	memset(bytes, 0xff, length);
}

static void test_random_unit_stays_below_one(void **state)
{
	struct swp_clock clock = {.random_bytes = all_ones};

	(void)state;
	assert_true(swp_clock_random_unit(&clock) < 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_format_against_the_library),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_http),
		cmocka_unit_test(test_the_system_clock),
		cmocka_unit_test(test_random_unit_stays_below_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
