/* Time zones: made-up files of every shape, what is refused, and real ones held against libc's own reading of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "coordinator/zone-file.h"
#include "coordinator/zone.h"
#include "proto/base/buf.h"
#include "tests/unit/under-valgrind.h"

/* --- made-up files --- */

static void put(struct swp_buf *out, uint64_t value, unsigned width)
{
	while (width-- > 0)
		assert_int_equal(swp_buf_append_byte(out, (char)(value >> 8 * width)), 0);
}

struct block {
	const int64_t *times;
	const unsigned char *types; /* of each time */
	size_t count;
	const int32_t *offsets;
	size_t offset_count;
	unsigned leaps;
};

static void put_block(struct swp_buf *out, char version, unsigned width, const struct block *block)
{
	assert_int_equal(swp_buf_append(out, "TZif", 4), 0);
	put(out, (uint64_t)(unsigned char)version, 1);
	for (int i = 0; i < 15; i++)
		put(out, 0, 1);
	put(out, 0, 4);
	put(out, 0, 4);
	put(out, block->leaps, 4);
	put(out, block->count, 4);
	put(out, block->offset_count, 4);
	put(out, 4, 4);
	for (size_t i = 0; i < block->count; i++)
		put(out, (uint64_t)block->times[i], width);
	for (size_t i = 0; i < block->count; i++)
		put(out, block->types[i], 1);
	for (size_t i = 0; i < block->offset_count; i++) {
		put(out, (uint64_t)block->offsets[i], 4);
		put(out, 0, 2);
	}
	assert_int_equal(swp_buf_append(out, "ABC", 4), 0);
	for (unsigned i = 0; i < block->leaps; i++) {
		put(out, 0, width);
		put(out, 0, 4);
	}
}

/* As of version 2: an empty 32-bit part first. */
static void put_file(struct swp_buf *out, const struct block *block, const char *footer)
{
	const struct block none = {.offsets = (const int32_t[]){0}, .offset_count = 1};

	put_block(out, '2', 4, &none);
	put_block(out, '2', 8, block);
	assert_int_equal(swp_buf_append_format(out, "\n%s\n", footer), 0);
}

static struct swp_zone *parsed(const struct swp_buf *bytes)
{
	struct swp_problem problem = {0};
	struct swp_zone *zone;

	if (swp_zone_parse(bytes->data, bytes->length, &zone, &problem) < 0)
		fail_msg("%s", problem.text);
	assert_non_null(zone);
	return zone;
}

/* A zone of a rule alone. */
static struct swp_zone *of_rule(const char *rule)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf bytes = {0};

	put_file(&bytes, &(struct block){.offsets = (const int32_t[]){0}, .offset_count = 1}, rule);
	return parsed(&bytes);
}

#define GAP_AT 1000000
#define OVERLAP_AT 2000000

static void tables(void **state)
{
	const struct block block = {.times = (const int64_t[]){GAP_AT, OVERLAP_AT},
		.types = (const unsigned char[]){1, 0},
		.count = 2,
		.offsets = (const int32_t[]){3600, 7200},
		.offset_count = 2};
	SWP_CLEANUP(swp_buf_done) struct swp_buf bytes = {0};
	struct swp_zone *zone;

	(void)state;
	put_file(&bytes, &block, "");
	zone = parsed(&bytes);
	assert_int_equal(swp_zone_offset_s(zone, GAP_AT - 1), 3600);
	assert_int_equal(swp_zone_offset_s(zone, GAP_AT), 7200);
	assert_int_equal(swp_zone_offset_s(zone, OVERLAP_AT), 3600);
	assert_int_equal(swp_zone_offset_s(zone, INT64_C(1) << 50), 3600);
	/* Before, in, at the end of and after the gap. */
	assert_int_equal(swp_zone_first_utc_s(zone, GAP_AT + 3599), GAP_AT - 1);
	assert_int_equal(swp_zone_first_utc_s(zone, GAP_AT + 3600), GAP_AT);
	assert_int_equal(swp_zone_first_utc_s(zone, GAP_AT + 5000), GAP_AT);
	assert_int_equal(swp_zone_first_utc_s(zone, GAP_AT + 7200), GAP_AT);
	assert_int_equal(swp_zone_first_utc_s(zone, GAP_AT + 7201), GAP_AT + 1);
	/* Twice: the first of them. Its last second, and the first one after. */
	assert_int_equal(swp_zone_first_utc_s(zone, OVERLAP_AT + 3600), OVERLAP_AT - 3600);
	assert_int_equal(swp_zone_first_utc_s(zone, OVERLAP_AT + 7199), OVERLAP_AT - 1);
	assert_int_equal(swp_zone_first_utc_s(zone, OVERLAP_AT + 7200), OVERLAP_AT + 3600);
	swp_zone_free(zone);
}

static void first_version(void **state)
{
	const struct block block = {.times = (const int64_t[]){-5, 5},
		.types = (const unsigned char[]){1, 0},
		.count = 2,
		.offsets = (const int32_t[]){-60, 60},
		.offset_count = 2};
	SWP_CLEANUP(swp_buf_done) struct swp_buf bytes = {0};
	struct swp_zone *zone;

	(void)state;
	put_block(&bytes, '\0', 4, &block);
	zone = parsed(&bytes);
	assert_int_equal(swp_zone_offset_s(zone, -6), -60);
	assert_int_equal(swp_zone_offset_s(zone, -5), 60);
	assert_int_equal(swp_zone_offset_s(zone, 5), -60);
	swp_zone_free(zone);
}

static const struct {
	const char *rule, *at;
	int32_t offset_s;
} rules[] = {
	{"ABC-1", "2026-07-01T00:00:00Z", 3600},
	{"<+0530>-5:30", "2026-07-01T00:00:00Z", 19800},
	{"ABC5ABD,M3.2.0,M11.1.0", "2026-03-08T06:59:59Z", -18000},
	{"ABC5ABD,M3.2.0,M11.1.0", "2026-03-08T07:00:00Z", -14400},
	{"ABC5ABD,M3.2.0,M11.1.0", "2026-11-01T05:59:59Z", -14400},
	{"ABC5ABD,M3.2.0,M11.1.0", "2026-11-01T06:00:00Z", -18000},
	/* the last Sunday, where a month has four and where it has five */
	{"ABC-1ABD,M3.5.0,M10.5.0/3", "2026-03-29T00:59:59Z", 3600},
	{"ABC-1ABD,M3.5.0,M10.5.0/3", "2026-03-29T01:00:00Z", 7200},
	{"ABC-1ABD,M3.5.0,M10.5.0/3", "2027-03-28T01:00:00Z", 7200},
	/* the south: over the turn of the year */
	{"ABC-10ABD,M10.1.0,M4.1.0/3", "2026-12-31T23:59:59Z", 39600},
	{"ABC-10ABD,M10.1.0,M4.1.0/3", "2027-01-01T00:00:00Z", 39600},
	{"ABC-10ABD,M10.1.0,M4.1.0/3", "2026-07-01T00:00:00Z", 36000},
	/* days of the year: J60 is always the 1st of March, 59 is the 29th of February where there is one */
	{"ABC0ABD,J60/0,J365/0", "2028-02-29T23:59:59Z", 0},
	{"ABC0ABD,J60/0,J365/0", "2028-03-01T00:00:00Z", 3600},
	{"ABC0ABD,59/0,300/0", "2028-02-29T00:00:00Z", 3600},
	{"ABC0ABD,59/0,300/0", "2027-03-01T00:00:00Z", 3600},
	{"ABC0ABD,59/0,300/0", "2027-02-28T23:59:59Z", 0},
	/* RFC 8536's example of daylight saving time that never ends, at the turn of a year */
	{"ABC5ABD,0/0,J365/25", "2026-12-31T23:59:59Z", -14400},
	{"ABC5ABD,0/0,J365/25", "2027-01-01T04:59:59Z", -14400},
	{"ABC5ABD,0/0,J365/25", "2027-01-01T05:00:00Z", -14400},
	{"ABC5ABD,0/0,J365/25", "2027-06-01T00:00:00Z", -14400},
	/* hours beyond a day, and before it */
	{"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T00:59:59Z", -7200},
	{"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T01:00:00Z", -3600},
	{"ABC-2ABD-3:30:15,M3.4.4/50,M10.4.4/50", "2026-07-01T00:00:00Z", 12615},
};

static void rules_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rules); i++) {
		struct swp_zone *zone = of_rule(rules[i].rule);
		struct tm at = {0};
		int32_t offset_s;

		assert_non_null(strptime(rules[i].at, "%Y-%m-%dT%H:%M:%SZ", &at));
		offset_s = swp_zone_offset_s(zone, timegm(&at));
		if (offset_s != rules[i].offset_s)
			fail_msg("%s at %s: %d", rules[i].rule, rules[i].at, (int)offset_s);
		swp_zone_free(zone);
	}
}

/* --- what is refused --- */

static void refuse(const struct swp_buf *bytes, const char *why)
{
	struct swp_problem problem = {0};
	struct swp_zone *zone;

	assert_int_equal(swp_zone_parse(bytes->data, bytes->length, &zone, &problem), -EINVAL);
	assert_null(zone);
	if (!strstr(problem.text, why))
		fail_msg("\"%s\" has no \"%s\"", problem.text, why);
}

static void bad_rules(void **state)
{
	static const char *const bad[] = {"AB1", "ABC", "ABC26", "ABC1ABD", "ABC1ABD,M3.5.0",
		"ABC1ABD,M13.5.0,M10.5.0", "ABC1ABD,M3.6.0,M10.5.0", "ABC1ABD,M3.5.7,M10.5.0",
		"ABC1ABD,J0,J365", "ABC1ABD,0,366", "ABC1ABD,0/168,1", "ABC1ABD,0,1,", "ABC1:60", "<+01-1",
		"ABC-25:59:59ABD,0,1", "ABC11111111"};

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(bad); i++) {
		SWP_CLEANUP(swp_buf_done) struct swp_buf bytes = {0};

		put_file(&bytes, &(struct block){.offsets = (const int32_t[]){0}, .offset_count = 1}, bad[i]);
		refuse(&bytes, "no rule");
	}
}

static void bad_tables(void **state)
{
	const struct {
		struct block block;
		const char *why;
	} bad[] = {
		{{.offset_count = 0}, "no types"},
		{{.offsets = (const int32_t[]){93600}, .offset_count = 1}, "more than a day"},
		{{.offsets = (const int32_t[]){0}, .offset_count = 1, .leaps = 1}, "leap seconds"},
		{{.times = (const int64_t[]){1},
			 .types = (const unsigned char[]){1},
			 .count = 1,
			 .offsets = (const int32_t[]){0},
			 .offset_count = 1},
			"type that it does not have"},
		{{.times = (const int64_t[]){1, 1},
			 .types = (const unsigned char[]){0, 0},
			 .count = 2,
			 .offsets = (const int32_t[]){0},
			 .offset_count = 1},
			"not in order"},
	};

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(bad); i++) {
		SWP_CLEANUP(swp_buf_done) struct swp_buf bytes = {0};

		put_file(&bytes, &bad[i].block, "ABC0");
		refuse(&bytes, bad[i].why);
	}
}

static void too_many_transitions(void **state)
{
	static int64_t times[SWP_ZONE_LIMIT_TRANSITIONS + 1];
	static unsigned char types[SWP_ZONE_LIMIT_TRANSITIONS + 1];
	struct block block = {
		.times = times, .types = types, .offsets = (const int32_t[]){0}, .offset_count = 1};

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(times); i++)
		times[i] = (int64_t)i;
	for (block.count = SWP_ZONE_LIMIT_TRANSITIONS; block.count <= SWP_ARRAY_SIZE(times); block.count++) {
		SWP_CLEANUP(swp_buf_done) struct swp_buf bytes = {0};

		put_file(&bytes, &block, "ABC0");
		if (block.count > SWP_ZONE_LIMIT_TRANSITIONS)
			refuse(&bytes, "too many transitions");
		else
			swp_zone_free(parsed(&bytes));
	}
}

static void cut_off_anywhere(void **state)
{
	const struct block block = {.times = (const int64_t[]){1, 2},
		.types = (const unsigned char[]){1, 0},
		.count = 2,
		.offsets = (const int32_t[]){0, 3600},
		.offset_count = 2};
	SWP_CLEANUP(swp_buf_done) struct swp_buf bytes = {0};
	size_t length;

	(void)state;
	put_file(&bytes, &block, "ABC0");
	for (length = bytes.length; length-- > 0;) {
		bytes.length = length;
		refuse(&bytes, "");
	}
}

/* --- real ones --- */

static const char *const real[] = {"Europe/Berlin", "America/New_York", "Europe/Dublin",
	"Australia/Lord_Howe", "Pacific/Apia", "America/Asuncion", "Africa/Casablanca", "Asia/Kolkata",
	"America/Nuuk", "Etc/GMT+12"};

static struct swp_zone *loaded(const char *name)
{
	struct swp_problem problem = {0};
	struct swp_zone *zone;

	if (swp_zone_load(name, &zone, &problem) < 0)
		fail_msg("%s", problem.text);
	return zone;
}

/* Another reader of the same files: libc's. Each 6 hours and 7 seconds of 1960 to 2110. */
static void as_libc_says(void **state)
{
	const time_t step = under_valgrind() ? 50 * 21607 : 21607;

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(real); i++) {
		struct swp_zone *zone = loaded(real[i]);

		setenv("TZ", real[i], 1);
		tzset();
		for (time_t at = -315619200; at < 4417977600; at += step) {
			struct tm there;

			assert_non_null(localtime_r(&at, &there));
			if (there.tm_gmtoff != swp_zone_offset_s(zone, at))
				fail_msg("%s at %lld: %d", real[i], (long long)at,
					(int)swp_zone_offset_s(zone, at));
		}
		swp_zone_free(zone);
	}
	unsetenv("TZ");
	tzset();
}

static void names(void **state)
{
	static const struct {
		const char *name, *told;
	} bad[] = {
		{"Europe/Berln", "did you mean Europe/Berlin?"},
		{"europe/berlin", "did you mean Europe/Berlin?"},
		{"Berlin", "did you mean Europe/Berlin?"},
		{"Mars/Olympus_Mons_Base", "there is no time zone"},
		{"", "there is no time zone"},
		{"../../../etc/passwd", "there is no time zone"},
		{"/etc/localtime", "there is no time zone"},
		{"localtime", "there is no time zone"},
		{"right/UTC", "there is no time zone"},
		{"tzdata.zi", "there is no time zone"},
	};
	struct swp_zone *zone = NULL;

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(bad); i++) {
		struct swp_problem problem = {0};

		assert_int_equal(swp_zone_load(bad[i].name, &zone, &problem), -EINVAL);
		if (!strstr(problem.text, bad[i].told))
			fail_msg("\"%s\" has no \"%s\"", problem.text, bad[i].told);
	}
	assert_int_equal(swp_zone_load("UTC", &zone, NULL), 0);
	assert_null(zone);
	assert_int_equal(swp_zone_offset_s(zone, 1796000000), 0);
	assert_int_equal(swp_zone_first_utc_s(zone, 1796000000), 1796000000);
}

static void calendar(void **state)
{
	(void)state;
	for (int64_t days = -800000; days < 3000000; days += 13) {
		struct swp_date date = swp_date_from_days(days);

		assert_int_equal(swp_date_to_days(date.year, date.month, date.day), days);
		assert_true(date.day >= 1 && date.day <= swp_date_month_length(date.year, date.month));
	}
	/* As libc counts. */
	for (time_t at = 0; at < 253402300800; at += 86400 * 17) {
		struct swp_date date = swp_date_from_days(at / 86400);
		struct tm there;

		assert_non_null(gmtime_r(&at, &there));
		assert_int_equal(date.year, there.tm_year + 1900);
		assert_int_equal(date.month, there.tm_mon + 1);
		assert_int_equal(date.day, there.tm_mday);
		assert_int_equal(swp_date_weekday(at / 86400), there.tm_wday);
	}
	assert_int_equal(swp_date_weekday(-1), 3);
	assert_int_equal(swp_date_month_length(2000, 2), 29);
	assert_int_equal(swp_date_month_length(2100, 2), 28);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables),
		cmocka_unit_test(first_version),
		cmocka_unit_test(rules_hold),
		cmocka_unit_test(bad_rules),
		cmocka_unit_test(bad_tables),
		cmocka_unit_test(too_many_transitions),
		cmocka_unit_test(cut_off_anywhere),
		cmocka_unit_test(as_libc_says),
		cmocka_unit_test(names),
		cmocka_unit_test(calendar),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
