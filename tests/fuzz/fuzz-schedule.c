/* Schedules: five lines (schedule, every, timezone, jitter, catch_up; an empty one is not there). What is accepted gives times that
 * go on, and fit it. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "coordinator/schedule.h"
#include "proto/base/alloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* UTC, whatever it is called; but one that nobody has. */
static int load_zone(const char *name, struct swp_zone **ret_zone, struct swp_problem *problem)
{
	*ret_zone = NULL;
	return strcmp(name, "Nowhere") == 0 ? swp_problem_set(problem, -EINVAL, "there is no Nowhere") : 0;
}

static void check_fits(const struct swp_schedule *schedule, int64_t due_ms)
{
	int64_t minute = due_ms / 60000, days = minute / 1440;
	struct swp_date date = swp_date_from_days(days);
	bool day = schedule->days >> date.day & 1, weekday = schedule->weekdays >> swp_date_weekday(days) & 1;

	SWP_ASSERT(due_ms % 60000 == 0);
	SWP_ASSERT(schedule->minutes >> minute % 60 & 1);
	SWP_ASSERT(schedule->hours >> minute / 60 % 24 & 1);
	SWP_ASSERT(schedule->months >> date.month & 1);
	SWP_ASSERT(schedule->either ? day || weekday : day && weekday);
}

static void check_due(
	const struct swp_schedule *schedule, const struct swp_schedule_past *past, int64_t now_ms)
{
	struct swp_schedule_due due;

	swp_schedule_due(schedule, "nightly", past, now_ms, &due);
	SWP_ASSERT(due.start_ms >= due.due_ms && due.start_ms - due.due_ms <= schedule->jitter_ms);
	SWP_ASSERT(due.start_ms == swp_schedule_start(schedule, "nightly", due.due_ms));
	SWP_ASSERT((due.missed > 0) == (due.missed_until_ms >= 0));
	SWP_ASSERT(due.missed <= SWP_SCHEDULE_LIMIT_MISSED && due.missed_until_ms <= now_ms);
	SWP_ASSERT(!due.caught_up || (schedule->catch_up && due.missed > 0 && due.start_ms <= now_ms));
	/* Overdue for longer: only what is caught up. */
	SWP_ASSERT(due.start_ms >= now_ms - SWP_SCHEDULE_LATE_MS || due.caught_up);
}

static void check(const struct swp_schedule *schedule)
{
	static const int64_t times_ms[] = {0, INT64_C(951782400000), INT64_C(1796000000000)};

	for (size_t i = 0; i < SWP_ARRAY_SIZE(times_ms); i++) {
		int64_t before_ms = times_ms[i];

		for (int n = 0; n < 3; n++) {
			int64_t due_ms = swp_schedule_next(schedule, before_ms);

			SWP_ASSERT(due_ms > before_ms);
			if (!schedule->every_ms)
				check_fits(schedule, due_ms);
			before_ms = due_ms;
		}
		check_due(schedule, &(struct swp_schedule_past){times_ms[0], -1}, times_ms[i]);
		check_due(schedule, &(struct swp_schedule_past){times_ms[0], times_ms[i]}, before_ms);
	}
}

static const char *take_line(char **at)
{
	char *line = *at, *end = line ? strchr(line, '\n') : NULL;

	*at = end ? end + 1 : NULL;
	if (end)
		*end = '\0';
	return line && *line ? line : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = swp_strndup((const char *)data, size), *at = text;
	struct swp_schedule_text lines;
	struct swp_problem problem = {0};
	struct swp_schedule schedule;
	int error;

	if (!text)
		return 0;
	lines.schedule = take_line(&at);
	lines.every = take_line(&at);
	lines.timezone = take_line(&at);
	lines.jitter = take_line(&at);
	lines.catch_up = take_line(&at);
	error = swp_schedule_parse(&lines, load_zone, &schedule, &problem);
	SWP_ASSERT(error == 0 || (error == -EINVAL && problem.text[0]));
	if (error == 0) {
		check(&schedule);
		swp_schedule_done(&schedule);
	}
	swp_free(text);
	return 0;
}
