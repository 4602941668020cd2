/* When sweeps are due. The table of due times was made by a program of its own, in Python on its `zoneinfo`: it goes through every
 * minute that clocks may show, takes those that fit the expression (sets of numbers), asks zoneinfo with fold=0 for the moment, and
 * where no clock shows that minute, goes on by minutes of UTC until one shows more. (The same program agreed on five due times each of
 * 600 random expressions, most of them near a change of clocks, in 14 zones.) The rest is counted by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "coordinator/schedule.h"
#include "coordinator/zone-file.h"
#include "proto/base/clock.h"
#include "tests/unit/under-valgrind.h"

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

static int64_t ms(const char *text)
{
	int64_t parsed = 0;

	if (swp_time_parse(text, &parsed) < 0)
		fail_msg("%s", text);
	return parsed;
}

static void assert_time(const char *what, int64_t is_ms, const char *expected)
{
	char text[SWP_TIME_TEXT_BYTES];

	swp_time_format(is_ms, text);
	if (is_ms != ms(expected))
		fail_msg("%s: %s instead of %s", what, text, expected);
}

static struct swp_schedule parsed(const struct swp_schedule_text *text)
{
	struct swp_schedule schedule;
	struct swp_problem problem = {0};

	if (swp_schedule_parse(text, swp_zone_load, &schedule, &problem) < 0)
		fail_msg("%s", problem.text);
	return schedule;
}

/* --- due times --- */

#define MOST_DUE 4
static const struct {
	const char *expression, *zone, *after, *due[MOST_DUE];
} rows[] = {
	{"0 2 * * *", "Europe/Berlin", "2026-11-30T12:00:00Z",
		{"2026-12-01T01:00:00Z", "2026-12-02T01:00:00Z", "2026-12-03T01:00:00Z"}},
	{"0 2 * * *", "Europe/Berlin", "2026-03-27T12:00:00Z",
		{"2026-03-28T01:00:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z",
			"2026-03-31T00:00:00Z"}},
	{"30 2 * * *", "Europe/Berlin", "2026-03-27T12:00:00Z",
		{"2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z",
			"2026-03-31T00:30:00Z"}},
	{"*/15 2 * * *", "Europe/Berlin", "2026-03-29T00:30:00Z",
		{"2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z", "2026-03-30T00:15:00Z",
			"2026-03-30T00:30:00Z"}},
	{"0 * * * *", "Europe/Berlin", "2026-03-28T23:30:00Z",
		{"2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z",
			"2026-03-29T03:00:00Z"}},
	{"0 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z",
		{"2026-10-25T00:00:00Z", "2026-10-26T01:00:00Z", "2026-10-27T01:00:00Z"}},
	{"30 2 * * *", "Europe/Berlin", "2026-10-24T00:30:00Z",
		{"2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z", "2026-10-27T01:30:00Z",
			"2026-10-28T01:30:00Z"}},
	{"30 2 * * *", "Europe/Berlin", "2026-10-25T00:45:00Z",
		{"2026-10-26T01:30:00Z", "2026-10-27T01:30:00Z"}},
	{"*/30 * * * *", "Europe/Berlin", "2026-10-24T23:45:00Z",
		{"2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T02:00:00Z",
			"2026-10-25T02:30:00Z"}},
	{"30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z",
		{"2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z", "2026-03-10T06:30:00Z"}},
	{"30 2 8 3 *", "America/New_York", "2026-01-01T00:00:00Z",
		{"2026-03-08T07:00:00Z", "2027-03-08T07:30:00Z"}},
	{"30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z",
		{"2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z", "2026-11-03T06:30:00Z"}},
	{"0 1-3 * * *", "America/New_York", "2026-11-01T00:00:00Z",
		{"2026-11-01T05:00:00Z", "2026-11-01T07:00:00Z", "2026-11-01T08:00:00Z",
			"2026-11-02T06:00:00Z"}},
	{"0 0 * * sun", "America/New_York", "2026-10-30T00:00:00Z",
		{"2026-11-01T04:00:00Z", "2026-11-08T05:00:00Z", "2026-11-15T05:00:00Z"}},
	{"30 2 * * *", "America/New_York", "2060-03-13T12:00:00Z",
		{"2060-03-14T07:00:00Z", "2060-03-15T06:30:00Z", "2060-03-16T06:30:00Z"}},
	{"0 3 31 * *", "Europe/Berlin", "2026-01-31T03:00:00Z",
		{"2026-03-31T01:00:00Z", "2026-05-31T01:00:00Z", "2026-07-31T01:00:00Z",
			"2026-08-31T01:00:00Z"}},
	{"0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z",
		{"2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z", "2036-02-29T00:00:00Z"}},
	{"0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", {"2104-02-29T00:00:00Z", "2108-02-29T00:00:00Z"}},
	{"0 0 1,15 * 1", "UTC", "2026-11-30T00:00:00Z",
		{"2026-12-01T00:00:00Z", "2026-12-07T00:00:00Z", "2026-12-14T00:00:00Z",
			"2026-12-15T00:00:00Z"}},
	{"0 0 1-7 * */7", "UTC", "2026-11-30T00:00:00Z",
		{"2026-12-06T00:00:00Z", "2027-01-03T00:00:00Z", "2027-02-07T00:00:00Z",
			"2027-03-07T00:00:00Z"}},
	{"0 0 */2 * mon", "UTC", "2026-11-30T00:00:00Z",
		{"2026-12-07T00:00:00Z", "2026-12-21T00:00:00Z", "2027-01-11T00:00:00Z"}},
	{"0 12 * jun mon", "UTC", "2026-01-01T00:00:00Z",
		{"2026-06-01T12:00:00Z", "2026-06-08T12:00:00Z", "2026-06-15T12:00:00Z",
			"2026-06-22T12:00:00Z"}},
	{"0 9 * * mon-fri", "Asia/Kolkata", "2026-11-27T04:00:00Z",
		{"2026-11-30T03:30:00Z", "2026-12-01T03:30:00Z", "2026-12-02T03:30:00Z",
			"2026-12-03T03:30:00Z"}},
	{"0 0 * * fri-sun", "UTC", "2026-11-23T00:00:00Z",
		{"2026-11-27T00:00:00Z", "2026-11-28T00:00:00Z", "2026-11-29T00:00:00Z",
			"2026-12-04T00:00:00Z"}},
	{"0 0 * * 5-7", "UTC", "2026-11-23T00:00:00Z",
		{"2026-11-27T00:00:00Z", "2026-11-28T00:00:00Z", "2026-11-29T00:00:00Z",
			"2026-12-04T00:00:00Z"}},
	{"0 0 * * 0,7", "UTC", "2026-11-23T00:00:00Z", {"2026-11-29T00:00:00Z", "2026-12-06T00:00:00Z"}},
	{"15,45 8-18/5 * * *", "UTC", "2026-11-30T08:15:00Z",
		{"2026-11-30T08:45:00Z", "2026-11-30T13:15:00Z", "2026-11-30T13:45:00Z",
			"2026-11-30T18:15:00Z"}},
	{"59 23 31 12 *", "Pacific/Auckland", "2026-11-30T00:00:00Z",
		{"2026-12-31T10:59:00Z", "2027-12-31T10:59:00Z"}},
	{"0 0 * * *", "Pacific/Apia", "2011-12-28T12:00:00Z",
		{"2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z",
			"2012-01-01T10:00:00Z"}},
	{"0 2 * * *", "Australia/Lord_Howe", "2026-10-02T00:00:00Z",
		{"2026-10-02T15:30:00Z", "2026-10-03T15:30:00Z", "2026-10-04T15:00:00Z"}},
	{"45 1 * * *", "Australia/Lord_Howe", "2026-04-03T12:00:00Z",
		{"2026-04-03T14:45:00Z", "2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"}},
	{"0 0 * * *", "America/Asuncion", "2024-10-05T12:00:00Z",
		{"2024-10-06T04:00:00Z", "2024-10-07T03:00:00Z"}},
	{"30 0 * * *", "Africa/Cairo", "2026-04-23T12:00:00Z",
		{"2026-04-23T22:00:00Z", "2026-04-24T21:30:00Z", "2026-04-25T21:30:00Z"}},
	{"0 1 * * *", "Europe/Dublin", "2026-03-28T12:00:00Z",
		{"2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z", "2026-03-31T00:00:00Z"}},
	{"* * * * *", "UTC", "1969-12-31T23:59:59Z", {"1970-01-01T00:00:00Z", "1970-01-01T00:01:00Z"}},
};

static void due_times(void **state)
{
	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		struct swp_schedule schedule = parsed(&(struct swp_schedule_text){
			.schedule = rows[i].expression, .timezone = rows[i].zone});
		int64_t at_ms = ms(rows[i].after);

		for (size_t n = 0; n < MOST_DUE && rows[i].due[n]; n++) {
			at_ms = swp_schedule_next(&schedule, at_ms);
			assert_time(rows[i].expression, at_ms, rows[i].due[n]);
			/* Not skipped when it is asked a moment before. */
			assert_int_equal(swp_schedule_next(&schedule, at_ms - 1), at_ms);
		}
		swp_schedule_done(&schedule);
	}
}

static void same(const char *a, const char *b)
{
	struct swp_schedule first = parsed(&(struct swp_schedule_text){.schedule = a}),
			    second = parsed(&(struct swp_schedule_text){.schedule = b});

	if (first.minutes != second.minutes || first.hours != second.hours || first.days != second.days ||
		first.months != second.months || first.weekdays != second.weekdays ||
		first.either != second.either)
		fail_msg("%s is not %s", a, b);
}

static void ways_to_say_it(void **state)
{
	(void)state;
	same("@hourly", "0 * * * *");
	same("@daily", "0 0 * * *");
	same("@midnight", "0 0 * * *");
	same("@weekly", "0 0 * * sun");
	same("@monthly", "0 0 1 * *");
	same("@yearly", "0 0 1 jan *");
	same("@ANNUALLY", "0 0 1 1 *");
	same("\t0  0\t1 JAN-mar,Dec  Mon ", "0 0 1 1,2,3,12 1");
	same("*/15 */12 * * *", "0,15,30,45 0,12 * * *");
	same("0-59/20 8-12 * * *", "0,20,40 8,9,10,11,12 * * *");
	same("0 0 * * sat-sun", "0 0 * * 0,6");
	same("0 0 * * 0-7", "0 0 * * 0,1,2,3,4,5,6");
	same("5,5,1 0 * * *", "1,5 0 * * *");
}

/* --- what is refused --- */

static const struct {
	struct swp_schedule_text text;
	const char *told;
} bad[] = {
	{{0}, "schedule or every is missing"},
	{{.schedule = "@daily", .every = "6h"}, "schedule and every: only one"},
	{{.every = "6h", .timezone = "UTC"}, "timezone: it goes with schedule"},
	{{.schedule = ""}, "schedule: \"\": it has 0 fields; it needs five"},
	{{.schedule = "0 2 * *"}, "it has 4 fields"},
	{{.schedule = "0 0 2 * * *"}, "it has 6 fields"},
	{{.schedule = "60 2 * * *"}, "schedule: \"60 2 * * *\": minute: 60 is not within 0 to 59"},
	{{.schedule = "0 24 * * *"}, "hour: 24 is not within 0 to 23"},
	{{.schedule = "0 0 0 * *"}, "day of the month: 0 is not within 1 to 31"},
	{{.schedule = "0 0 * 13 *"}, "month: 13 is not within 1 to 12"},
	{{.schedule = "0 0 * * 8"}, "day of the week: 8 is not within 0 to 7"},
	{{.schedule = "0 0 * * mom"}, "day of the week: \"mom\"; did you mean mon?"},
	{{.schedule = "0 0 * ja *"}, "month: \"ja\"; did you mean jan?"},
	{{.schedule = "0 0 * september *"}, "month: \"september\""},
	{{.schedule = "0 two * * *"}, "hour: \"two\" is no number from 0 to 23"},
	{{.schedule = "-1 2 * * *"}, "minute: a number is missing"},
	{{.schedule = "1, 2 * * *"}, "minute: a number is missing"},
	{{.schedule = "+5 2 * * *"}, "minute: \"+5\" is no number"},
	{{.schedule = "5-1 2 * * *"}, "minute: the range 5-1 ends before it begins"},
	{{.schedule = "0 0 * * fri-mon"}, "the range fri-mon ends before it begins"},
	{{.schedule = "1-2-3 2 * * *"}, "minute: \"2-3\""},
	{{.schedule = "5/10 2 * * *"}, "minute: a step stands behind * or a range: */10, or 5-59/10"},
	{{.schedule = "*/0 2 * * *"}, "minute: the step \"0\" is no number from 1 on"},
	{{.schedule = "*/ 2 * * *"}, "minute: the step \"\""},
	{{.schedule = "*/90 * * * *"}, "minute: a step of 90 leads beyond 59 at once"},
	{{.schedule = "8-10/3 * * * *"}, "a step of 3 leads beyond 10 at once"},
	{{.schedule = "** 2 * * *"}, "minute: \"**\""},
	{{.schedule = "99999999999 2 * * *"}, "minute: \"99999999999\""},
	{{.schedule = "0 0 31 4,6 *"}, "there is no such day in any year"},
	{{.schedule = "0 0 30 feb *"}, "there is no such day in any year"},
	{{.schedule = "@dayly"}, "schedule: there is no @dayly; did you mean @daily?"},
	{{.schedule = "@reboot"}, "schedule: there is no @reboot"},
	{{.schedule = "0 2 * * *", .timezone = "Europe/Berln"},
		"timezone: there is no time zone \"Europe/Berln\"; did "
		"you mean Europe/Berlin?"},
	{{.every = "29s"}, "every: \"29s\" is no duration from 30s to 366d"},
	{{.every = "367d"}, "every: \"367d\" is no duration"},
	{{.every = "often"}, "every: \"often\" is no duration"},
	{{.every = "1h", .jitter = "61m"}, "jitter: 61m is longer than what lies between two runs (3600 s)"},
	{{.schedule = "0,20 * * * *", .jitter = "21m"}, "longer than what lies between two runs (1200 s)"},
	{{.schedule = "50 23 * * *", .jitter = "25h"}, "jitter: \"25h\" is no duration up to 24h"},
	{{.schedule = "5 0,23 * * *", .jitter = "61m"}, "longer than what lies between two runs (3600 s)"},
	{{.every = "1h", .jitter = "-5m"}, "jitter: \"-5m\""},
	{{.every = "1h", .catch_up = "perhaps"}, "catch_up: \"perhaps\" is neither true nor false"},
};

static void refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(bad); i++) {
		struct swp_schedule schedule;
		struct swp_problem problem = {0};

		if (swp_schedule_parse(&bad[i].text, swp_zone_load, &schedule, &problem) != -EINVAL)
			fail_msg("%s %s is taken", bad[i].text.schedule, bad[i].text.every);
		if (!strstr(problem.text, bad[i].told))
			fail_msg("\"%s\" has no \"%s\"", problem.text, bad[i].told);
	}
}

static void too_long(void **state)
{
	char text[SWP_SCHEDULE_LIMIT_TEXT_BYTES + 1];
	struct swp_schedule schedule;
	struct swp_problem problem = {0};

	(void)state;
	memset(text, ' ', sizeof(text));
	memcpy(text, "0 2 * * *", 9);
	text[SWP_SCHEDULE_LIMIT_TEXT_BYTES - 1] = '\0';
	assert_int_equal(swp_schedule_parse(&(struct swp_schedule_text){.schedule = text}, swp_zone_load,
				 &schedule, NULL),
		0);
	memset(text, ' ', sizeof(text));
	memcpy(text, "0 2 * * *", 9);
	text[SWP_SCHEDULE_LIMIT_TEXT_BYTES] = '\0';
	assert_int_equal(swp_schedule_parse(&(struct swp_schedule_text){.schedule = text}, swp_zone_load,
				 &schedule, &problem),
		-EINVAL);
	assert_non_null(strstr(problem.text, "longer than 255 characters"));
}

/* --- jitter --- */

static void jitter(void **state)
{
	struct swp_schedule schedule = parsed(&(struct swp_schedule_text){.every = "1h", .jitter = "10m"}),
			    again = parsed(&(struct swp_schedule_text){.every = "1h", .jitter = "10m"}),
			    none = parsed(&(struct swp_schedule_text){.every = "1h"});
	int64_t sum_ms = 0, least_ms = HOUR, most_ms = 0;
	unsigned others = 0;

	(void)state;
	for (int64_t n = 0; n < 1000; n++) {
		int64_t due_ms = 1796000000000 + n * HOUR;
		int64_t later_ms = swp_schedule_start(&schedule, "nightly", due_ms) - due_ms;

		assert_int_equal(swp_schedule_start(&again, "nightly", due_ms) - due_ms, later_ms);
		assert_int_equal(swp_schedule_start(&none, "nightly", due_ms), due_ms);
		others += swp_schedule_start(&schedule, "nightlx", due_ms) - due_ms != later_ms;
		sum_ms += later_ms;
		least_ms = later_ms < least_ms ? later_ms : least_ms;
		most_ms = later_ms > most_ms ? later_ms : most_ms;
	}
	/* Of a thousand evenly spread over ten minutes: near the ends, half in the middle, and another name gets others. */
	assert_true(least_ms >= 0 && least_ms < 10000);
	assert_true(most_ms <= 10 * MINUTE && most_ms > 10 * MINUTE - 10000);
	assert_in_range(sum_ms / 1000, 5 * MINUTE - 20000, 5 * MINUTE + 20000);
	assert_true(others > 990);
}

/* --- due, missed, caught up --- */

static const struct {
	const char *name;
	struct swp_schedule_text text;
	const char *since, *last, *now; /* last NULL: none */
	const char *due, *missed_until;
	unsigned missed;
	bool at_once, caught_up;
} situations[] = {
	{.name = "cron: seen for the first time",
		.text = {.schedule = "0 2 * * *"},
		.since = "2026-11-30T12:00:00Z",
		.now = "2026-11-30T12:00:00Z",
		.due = "2026-12-01T02:00:00Z"},
	{.name = "cron: seen at its very time",
		.text = {.schedule = "0 2 * * *"},
		.since = "2026-12-01T02:00:00Z",
		.now = "2026-12-01T02:00:00Z",
		.due = "2026-12-01T02:00:00Z",
		.at_once = true},
	{.name = "cron: a moment too late for the loop",
		.text = {.schedule = "0 2 * * *"},
		.since = "2026-11-01T00:00:00Z",
		.last = "2026-11-30T02:00:00Z",
		.now = "2026-12-01T02:00:00.007Z",
		.due = "2026-12-01T02:00:00Z",
		.at_once = true},
	{.name = "cron: a new leader begins it",
		.text = {.schedule = "0 2 * * *"},
		.since = "2026-11-01T00:00:00Z",
		.last = "2026-11-30T02:00:00Z",
		.now = "2026-12-01T02:01:00Z",
		.due = "2026-12-01T02:00:00Z",
		.at_once = true},
	{.name = "cron: missed, not caught up",
		.text = {.schedule = "0 2 * * *"},
		.since = "2026-11-01T00:00:00Z",
		.last = "2026-11-30T02:00:00Z",
		.now = "2026-12-01T02:01:00.001Z",
		.due = "2026-12-02T02:00:00Z",
		.missed = 1,
		.missed_until = "2026-12-01T02:00:00Z"},
	{.name = "cron: told before",
		.text = {.schedule = "0 2 * * *"},
		.since = "2026-11-01T00:00:00Z",
		.last = "2026-12-01T02:00:00Z",
		.now = "2026-12-01T02:01:00.001Z",
		.due = "2026-12-02T02:00:00Z"},
	{.name = "cron: caught up",
		.text = {.schedule = "0 2 * * *", .catch_up = "true"},
		.since = "2026-11-01T00:00:00Z",
		.last = "2026-11-30T02:00:00Z",
		.now = "2026-12-01T09:00:00Z",
		.due = "2026-12-01T02:00:00Z",
		.missed = 1,
		.missed_until = "2026-12-01T02:00:00Z",
		.at_once = true,
		.caught_up = true},
	{.name = "cron: three missed are caught up once",
		.text = {.schedule = "0 2 * * *", .catch_up = "true"},
		.since = "2026-11-01T00:00:00Z",
		.last = "2026-11-27T02:00:00Z",
		.now = "2026-11-30T09:00:00Z",
		.due = "2026-11-30T02:00:00Z",
		.missed = 3,
		.missed_until = "2026-11-30T02:00:00Z",
		.at_once = true,
		.caught_up = true},
	{.name = "cron: two missed and one in time",
		.text = {.schedule = "0 2 * * *"},
		.since = "2026-11-01T00:00:00Z",
		.last = "2026-11-27T02:00:00Z",
		.now = "2026-11-30T02:00:30Z",
		.due = "2026-11-30T02:00:00Z",
		.missed = 2,
		.missed_until = "2026-11-29T02:00:00Z",
		.at_once = true},
	{.name = "cron: never begun, but known for days",
		.text = {.schedule = "0 2 * * *"},
		.since = "2026-11-27T02:00:00Z",
		.now = "2026-11-29T12:00:00Z",
		.due = "2026-11-30T02:00:00Z",
		.missed = 3,
		.missed_until = "2026-11-29T02:00:00Z"},
	{.name = "cron: what was due before it was there is not missed",
		.text = {.schedule = "0 2 * * *"},
		.since = "2026-11-29T12:00:00Z",
		.last = "2026-11-01T02:00:00Z",
		.now = "2026-11-29T12:00:00Z",
		.due = "2026-11-30T02:00:00Z"},
	{.name = "cron: the night without the time",
		.text = {.schedule = "30 2 * * *", .timezone = "Europe/Berlin"},
		.since = "2026-03-01T00:00:00Z",
		.last = "2026-03-28T01:30:00Z",
		.now = "2026-03-29T01:00:00Z",
		.due = "2026-03-29T01:00:00Z",
		.at_once = true},
	{.name = "cron: the night with two of it: not again",
		.text = {.schedule = "30 2 * * *", .timezone = "Europe/Berlin"},
		.since = "2026-03-01T00:00:00Z",
		.last = "2026-10-25T00:30:00Z",
		.now = "2026-10-25T01:30:00Z",
		.due = "2026-10-26T01:30:00Z"},
	{.name = "cron: the run before took until after it",
		.text = {.schedule = "* * * * *"},
		.since = "2026-11-01T00:00:00Z",
		.last = "2026-11-30T12:00:00Z",
		.now = "2026-11-30T12:01:10Z",
		.due = "2026-11-30T12:01:00Z",
		.at_once = true},
	{.name = "cron: it took longer than two",
		.text = {.schedule = "* * * * *"},
		.since = "2026-11-01T00:00:00Z",
		.last = "2026-11-30T12:00:00Z",
		.now = "2026-11-30T12:03:10Z",
		.due = "2026-11-30T12:03:00Z",
		.missed = 2,
		.missed_until = "2026-11-30T12:02:00Z",
		.at_once = true},
	{.name = "cron: years of minutes",
		.text = {.schedule = "* * * * *"},
		.since = "1970-01-01T00:00:00Z",
		.last = "1970-01-01T00:00:00Z",
		.now = "2026-11-30T12:00:10Z",
		.due = "2026-11-30T12:00:00Z",
		.missed = SWP_SCHEDULE_LIMIT_MISSED,
		.missed_until = "2026-11-30T11:59:00Z",
		.at_once = true},
	{.name = "cron: the clock was ahead by years",
		.text = {.schedule = "0 2 * * *"},
		.since = "2026-11-01T00:00:00Z",
		.last = "2036-11-30T02:00:00Z",
		.now = "2026-11-30T12:00:00Z",
		.due = "2026-12-01T02:00:00Z"},
	{.name = "cron: the clock was set back by a little: not twice",
		.text = {.schedule = "0 2 * * *"},
		.since = "2026-11-01T00:00:00Z",
		.last = "2026-12-01T02:00:00Z",
		.now = "2026-12-01T01:59:58Z",
		.due = "2026-12-02T02:00:00Z"},
	{.name = "every: begins when it is seen",
		.text = {.every = "6h"},
		.since = "2026-11-30T12:00:07Z",
		.now = "2026-11-30T12:00:07Z",
		.due = "2026-11-30T12:00:07Z",
		.at_once = true},
	{.name = "every: next",
		.text = {.every = "6h"},
		.since = "2026-11-30T12:00:07Z",
		.last = "2026-11-30T12:00:07Z",
		.now = "2026-11-30T13:00:00Z",
		.due = "2026-11-30T18:00:07Z"},
	{.name = "every: late, and the next is not later for it",
		.text = {.every = "6h"},
		.since = "2026-11-30T12:00:07Z",
		.last = "2026-11-30T12:00:07Z",
		.now = "2026-11-30T18:00:37Z",
		.due = "2026-11-30T18:00:07Z",
		.at_once = true},
	{.name = "every: missed two",
		.text = {.every = "6h"},
		.since = "2026-11-30T12:00:07Z",
		.last = "2026-11-30T12:00:07Z",
		.now = "2026-12-01T01:00:00Z",
		.due = "2026-12-01T06:00:07Z",
		.missed = 2,
		.missed_until = "2026-12-01T00:00:07Z"},
	{.name = "every: missed two, caught up",
		.text = {.every = "6h", .catch_up = "yes"},
		.since = "2026-11-30T12:00:07Z",
		.last = "2026-11-30T12:00:07Z",
		.now = "2026-12-01T01:00:00Z",
		.due = "2026-12-01T00:00:07Z",
		.missed = 2,
		.missed_until = "2026-12-01T00:00:07Z",
		.at_once = true,
		.caught_up = true},
	{.name = "every: a new text long after the last run",
		.text = {.every = "6h"},
		.since = "2026-11-30T12:00:00Z",
		.last = "2026-11-01T01:00:00Z",
		.now = "2026-11-30T12:00:00Z",
		.due = "2026-11-30T13:00:00Z"},
	{.name = "every: by hours, where clocks jump",
		.text = {.every = "1d"},
		.since = "2026-03-01T01:00:00Z",
		.last = "2026-03-28T01:00:00Z",
		.now = "2026-03-28T02:00:00Z",
		.due = "2026-03-29T01:00:00Z"},
	{.name = "every: fifty years of half minutes",
		.text = {.every = "30s"},
		.since = "1976-11-30T12:00:00Z",
		.last = "1976-11-30T12:00:00Z",
		.now = "2026-11-30T12:00:10Z",
		.due = "2026-11-30T12:00:00Z",
		.missed = SWP_SCHEDULE_LIMIT_MISSED,
		.missed_until = "2026-11-30T11:59:30Z",
		.at_once = true},
};

static void what_is_due(void **state)
{
	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(situations); i++) {
		struct swp_schedule schedule = parsed(&situations[i].text);
		const char *name = situations[i].name, *until = situations[i].missed_until;
		struct swp_schedule_past past = {
			ms(situations[i].since), situations[i].last ? ms(situations[i].last) : -1};
		struct swp_schedule_due due;
		int64_t now_ms = ms(situations[i].now);

		swp_schedule_due(&schedule, "nightly", &past, now_ms, &due);
		assert_time(name, due.due_ms, situations[i].due);
		if (due.missed != situations[i].missed || (due.start_ms <= now_ms) != situations[i].at_once ||
			due.caught_up != situations[i].caught_up ||
			due.missed_until_ms != (until ? ms(until) : -1))
			fail_msg(
				"%s: missed %u until %lld", name, due.missed, (long long)due.missed_until_ms);
		/* Once told, it is not told again, and nothing else changes. */
		if (until && !due.caught_up) {
			int64_t due_ms = due.due_ms;

			past.last_ms = due.missed_until_ms;
			swp_schedule_due(&schedule, "nightly", &past, now_ms, &due);
			assert_int_equal(due.missed, 0);
			assert_int_equal(due.due_ms, due_ms);
		}
		swp_schedule_done(&schedule);
	}
}

/* With jitter a run begins neither before its time nor twice, and none is missed by a caller who asks each second. */
static void a_week_with_jitter(void **state)
{
	struct swp_schedule schedule = parsed(&(struct swp_schedule_text){
		.schedule = "0 */4 * * *", .jitter = "4h", .timezone = "Europe/Berlin"});
	struct swp_schedule_past past = {ms("2026-10-20T00:00:00Z"), -1};
	const int64_t step_ms = under_valgrind() ? 50000 : 1000;
	unsigned runs = 0;

	(void)state;
	for (int64_t now_ms = past.since_ms; now_ms < past.since_ms + 7 * DAY; now_ms += step_ms) {
		struct swp_schedule_due due;

		swp_schedule_due(&schedule, "nightly", &past, now_ms, &due);
		assert_int_equal(due.missed, 0);
		if (due.start_ms > now_ms)
			continue;
		assert_true(due.due_ms > past.last_ms && due.start_ms > now_ms - step_ms);
		past.last_ms = due.due_ms;
		runs++;
	}
	/* 7 days and an hour; the last one or two may not have begun yet. */
	assert_in_range(runs, 41, 43);
	swp_schedule_done(&schedule);
}

/* A start by hand counts, too: `every` goes on from it. */
static void by_hand(void **state)
{
	struct swp_schedule every = parsed(&(struct swp_schedule_text){.every = "6h"}),
			    cron = parsed(&(struct swp_schedule_text){.schedule = "0 2 * * *"});
	const struct swp_schedule_past past = {ms("2026-11-01T00:00:00Z"), ms("2026-11-30T13:14:15Z")};
	struct swp_schedule_due due;

	(void)state;
	swp_schedule_due(&every, "nightly", &past, past.last_ms, &due);
	assert_time("every", due.due_ms, "2026-11-30T19:14:15Z");
	swp_schedule_due(&cron, "nightly", &past, past.last_ms, &due);
	assert_time("cron", due.due_ms, "2026-12-01T02:00:00Z");
}

/* Times that make no sense are taken as the nearest that do. */
static void odd_times(void **state)
{
	struct swp_schedule cron = parsed(&(struct swp_schedule_text){
				    .schedule = "0 2 * * *", .timezone = "Europe/Berlin"}),
			    every = parsed(&(struct swp_schedule_text){.every = "366d", .jitter = "24h"});
	const int64_t odd[] = {INT64_MIN, -1, 0, INT64_C(253402300799999), INT64_MAX};
	struct swp_schedule_due due;

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(odd); i++)
		for (size_t j = 0; j < SWP_ARRAY_SIZE(odd); j++) {
			const struct swp_schedule_past past = {odd[j], odd[j]};

			swp_schedule_due(&cron, "nightly", &past, odd[i], &due);
			assert_true(due.due_ms >= 0);
			swp_schedule_due(&every, "nightly", &past, odd[i], &due);
			assert_true(due.due_ms >= 0);
		}
	swp_schedule_done(&cron);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(due_times),
		cmocka_unit_test(ways_to_say_it),
		cmocka_unit_test(refused),
		cmocka_unit_test(too_long),
		cmocka_unit_test(jitter),
		cmocka_unit_test(what_is_due),
		cmocka_unit_test(a_week_with_jitter),
		cmocka_unit_test(by_hand),
		cmocka_unit_test(odd_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
