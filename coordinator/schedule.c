#include "coordinator/schedule.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "proto/base/limits.h"
#include "proto/base/text.h"

#define MINUTE_MS INT64_C(60000)
#define DAY_MINUTES 1440
#define LAST_MS INT64_C(253402300799999) /* 9999-12-31 */
#define SEARCH_DAYS 146097 /* after 400 years the calendar begins again, with the days of the week */

/* --- fields --- */

struct field {
	const char *name;
	unsigned least, most;
	const char *const *names; /* of the values from `least` on; NULL ends them */
	size_t offset;		  /* of its bits */
};

static const char *const month_names[] = {
	"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const weekday_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};

#define BITS(member) offsetof(struct swp_schedule, member)

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELDS };
static const struct field fields[FIELDS] = {
	[MINUTE] = {"minute", 0, 59, NULL, BITS(minutes)},
	[HOUR] = {"hour", 0, 23, NULL, BITS(hours)},
	[DAY] = {"day of the month", 1, 31, NULL, BITS(days)},
	[MONTH] = {"month", 1, 12, month_names, BITS(months)},
	[WEEKDAY] = {"day of the week", 0, 7, weekday_names, BITS(weekdays)},
};

static const struct {
	const char *name, *expression;
} nicknames[] = {
	{"@hourly", "0 * * * *"},
	{"@daily", "0 0 * * *"},
	{"@midnight", "0 0 * * *"},
	{"@weekly", "0 0 * * 0"},
	{"@monthly", "0 0 1 * *"},
	{"@yearly", "0 0 1 1 *"},
	{"@annually", "0 0 1 1 *"},
};

struct parsing {
	const struct field *field;
	struct swp_problem *problem;
};

static size_t count_names(const char *const *names)
{
	size_t count = 0;

	while (names && names[count])
		count++;
	return count;
}

static int parse_name(const struct parsing *parsing, const char *word, unsigned *ret_value)
{
	const struct field *field = parsing->field;
	size_t count = count_names(field->names);
	const char *near;

	for (size_t i = 0; i < count; i++)
		if (swp_text_equal_ignoring_case(field->names[i], word)) {
			*ret_value = field->least + (unsigned)i;
			return 0;
		}
	near = count ? swp_nearest(word, field->names, count) : NULL;
	if (near)
		return swp_problem_set(
			parsing->problem, -EINVAL, "%s: \"%s\"; did you mean %s?", field->name, word, near);
	return swp_problem_set(parsing->problem, -EINVAL, "%s: \"%s\" is no number from %u to %u%s%s%s",
		field->name, word, field->least, field->most, count ? ", and none of " : "",
		count ? field->names[0] : "", count ? "…" : "");
}

static int parse_value(const struct parsing *parsing, const char *word, unsigned *ret_value)
{
	const struct field *field = parsing->field;
	uint64_t number;

	if (!*word)
		return swp_problem_set(
			parsing->problem, -EINVAL, "%s: a number is missing in the list", field->name);
	if (swp_parse_u64(word, UINT_MAX, &number) < 0)
		return parse_name(parsing, word, ret_value);
	if (number < field->least || number > field->most)
		return swp_problem_set(parsing->problem, -EINVAL, "%s: %s is not within %u to %u",
			field->name, word, field->least, field->most);
	*ret_value = (unsigned)number;
	return 0;
}

static int parse_step(
	const struct parsing *parsing, const char *word, unsigned first, unsigned last, unsigned *ret_step)
{
	const struct field *field = parsing->field;
	uint64_t step;

	if (swp_parse_u64(word, UINT_MAX, &step) < 0 || step == 0)
		return swp_problem_set(parsing->problem, -EINVAL,
			"%s: the step \"%s\" is no number from 1 on", field->name, word);
	if (step > last - first)
		return swp_problem_set(parsing->problem, -EINVAL,
			"%s: a step of %s leads beyond %u at once; for longer times there is `every`",
			field->name, word, last);
	*ret_step = (unsigned)step;
	return 0;
}

/* "5", "mon", "8-18"; changed in place. */
static int parse_range(const struct parsing *parsing, char *word, unsigned *ret_first, unsigned *ret_last)
{
	char *hyphen = strchr(word, '-');
	int error;

	if (hyphen)
		*hyphen = '\0';
	error = parse_value(parsing, word, ret_first);
	*ret_last = *ret_first;
	if (error == 0 && hyphen)
		error = parse_value(parsing, hyphen + 1, ret_last);
	if (error < 0)
		return error;
	if (hyphen && *ret_last == 0 && parsing->field == &fields[WEEKDAY] && *ret_first > 0)
		*ret_last = 7; /* fri-sun */
	if (*ret_last < *ret_first)
		return swp_problem_set(parsing->problem, -EINVAL,
			"%s: the range %s-%s ends before it begins; write two of them with a comma",
			parsing->field->name, word, hyphen + 1);
	return 0;
}

/* One element of a list; changed in place. */
static int parse_element(const struct parsing *parsing, char *word, uint64_t *bits)
{
	unsigned first = parsing->field->least, last = parsing->field->most, step = 1;
	char *slash = strchr(word, '/');
	bool single;
	int error = 0;

	if (slash)
		*slash = '\0';
	single = strcmp(word, "*") != 0 && !strchr(word, '-');
	if (slash && single)
		return swp_problem_set(parsing->problem, -EINVAL,
			"%s: a step stands behind * or a range: */%s, or %s-%u/%s", parsing->field->name,
			slash + 1, word, last, slash + 1);
	if (strcmp(word, "*") != 0)
		error = parse_range(parsing, word, &first, &last);
	if (error == 0 && slash)
		error = parse_step(parsing, slash + 1, first, last, &step);
	for (unsigned value = first; error == 0 && value <= last; value += step)
		*bits |= UINT64_C(1) << value;
	return error;
}

/* The next word up to one of `ends`, cut out in place; NULL when there is none. */
static char *cut(char **at, const char *ends)
{
	char *word = *at;
	size_t length;

	if (!word)
		return NULL;
	length = strcspn(word, ends);
	*at = word[length] ? word + length + 1 : NULL;
	word[length] = '\0';
	return word;
}

static int parse_field(const struct parsing *parsing, char *text, uint64_t *bits)
{
	int error = 0;
	char *element;

	*bits = 0;
	while (error == 0 && (element = cut(&text, ",")) != NULL)
		error = parse_element(parsing, element, bits);
	return error;
}

/* Into five; changed in place. The number of them. */
static size_t split_fields(char *text, char *ret_fields[static FIELDS])
{
	size_t count = 0;
	char *word;

	while ((word = cut(&text, " \t")) != NULL) {
		if (!*word)
			continue;
		if (count < FIELDS)
			ret_fields[count] = word;
		count++;
	}
	return count;
}

static bool day_matches(const struct swp_schedule *schedule, int64_t days)
{
	struct swp_date date = swp_date_from_days(days);
	bool day = schedule->days >> date.day & 1, weekday = schedule->weekdays >> swp_date_weekday(days) & 1;

	if (!(schedule->months >> date.month & 1))
		return false;
	return schedule->either ? day || weekday : day && weekday;
}

static bool ever_matches(const struct swp_schedule *schedule)
{
	for (int64_t days = 0; days < SEARCH_DAYS; days++)
		if (day_matches(schedule, days))
			return true;
	return false;
}

static int parse_fields(char *text, struct swp_schedule *schedule, struct swp_problem *problem)
{
	char *words[FIELDS];
	size_t count = split_fields(text, words);
	bool restricted;

	if (count != FIELDS)
		return swp_problem_set(problem, -EINVAL,
			"it has %zu fields; it needs five: minute, hour, day of the month, month, day of the "
			"week",
			count);
	restricted = !strchr(words[DAY], '*') && !strchr(words[WEEKDAY], '*');
	for (size_t i = 0; i < FIELDS; i++) {
		const struct parsing parsing = {&fields[i], problem};
		int error = parse_field(
			&parsing, words[i], (uint64_t *)(void *)((char *)schedule + fields[i].offset));

		if (error < 0)
			return error;
	}
	schedule->weekdays = (schedule->weekdays | schedule->weekdays >> 7) & 0x7f;
	schedule->either = restricted;
	return ever_matches(schedule) ? 0
				      : swp_problem_set(problem, -EINVAL, "there is no such day in any year");
}

static const char *expression_of(const char *text, struct swp_problem *problem)
{
	const char *names[SWP_ARRAY_SIZE(nicknames)], *near;

	for (size_t i = 0; i < SWP_ARRAY_SIZE(nicknames); i++) {
		if (swp_text_equal_ignoring_case(nicknames[i].name, text))
			return nicknames[i].expression;
		names[i] = nicknames[i].name;
	}
	if (text[0] != '@')
		return text;
	near = swp_nearest_of_all(text, names, SWP_ARRAY_SIZE(names));
	swp_problem_set(problem, -EINVAL, "there is no %s; did you mean %s?", text, near ? near : "@daily");
	return NULL;
}

static int parse_expression(const char *text, struct swp_schedule *schedule, struct swp_problem *problem)
{
	char copy[SWP_SCHEDULE_LIMIT_TEXT_BYTES];
	const char *expression;
	int error;

	if (strlen(text) >= sizeof(copy))
		return swp_problem_set(problem, -EINVAL, "schedule: it is longer than %d characters",
			SWP_SCHEDULE_LIMIT_TEXT_BYTES - 1);
	expression = expression_of(text, problem);
	if (!expression) {
		swp_problem_prefix(problem, "schedule");
		return -EINVAL;
	}
	memcpy(copy, expression, strlen(expression) + 1);
	error = parse_fields(copy, schedule, problem);
	if (error < 0)
		swp_problem_prefix(problem, "schedule: \"%s\"", text);
	return error;
}

/* --- the whole --- */

static int parse_every(const char *text, struct swp_schedule *schedule, struct swp_problem *problem)
{
	if (swp_parse_duration_ms(text, &schedule->every_ms) < 0 ||
		schedule->every_ms < SWP_SCHEDULE_LEAST_EVERY_MS)
		return swp_problem_set(problem, -EINVAL,
			"every: \"%s\" is no duration from 30s to 366d, like 90m, 6h or 1d", text);
	return 0;
}

static bool has_minute(const struct swp_schedule *schedule, unsigned minute)
{
	return schedule->hours >> minute / 60 & 1 && schedule->minutes >> minute % 60 & 1;
}

/* What lies between two runs at least; across midnight as if each day had some. */
static int64_t shortest_pause_ms(const struct swp_schedule *schedule)
{
	int last = -1, first = -1, shortest = DAY_MINUTES;

	if (schedule->every_ms)
		return schedule->every_ms;
	for (int minute = 0; minute < DAY_MINUTES; minute++) {
		if (!has_minute(schedule, (unsigned)minute))
			continue;
		if (last >= 0 && minute - last < shortest)
			shortest = minute - last;
		if (first < 0)
			first = minute;
		last = minute;
	}
	if (first + DAY_MINUTES - last < shortest)
		shortest = first + DAY_MINUTES - last;
	return shortest * MINUTE_MS;
}

static int parse_jitter(const char *text, struct swp_schedule *schedule, struct swp_problem *problem)
{
	int64_t pause_ms = shortest_pause_ms(schedule);

	if (swp_parse_duration_ms(text, &schedule->jitter_ms) < 0 ||
		schedule->jitter_ms > SWP_SCHEDULE_MOST_JITTER_MS)
		return swp_problem_set(
			problem, -EINVAL, "jitter: \"%s\" is no duration up to 24h, like 90s or 10m", text);
	if (schedule->jitter_ms > pause_ms)
		return swp_problem_set(problem, -EINVAL,
			"jitter: %s is longer than what lies between two runs (%lld s)", text,
			(long long)(pause_ms / 1000));
	return 0;
}

static int check_keys(const struct swp_schedule_text *text, struct swp_problem *problem)
{
	if (text->schedule && text->every)
		return swp_problem_set(problem, -EINVAL, "schedule and every: only one of them can hold");
	if (!text->schedule && !text->every)
		return swp_problem_set(problem, -EINVAL, "schedule or every is missing");
	if (text->timezone && text->every)
		return swp_problem_set(
			problem, -EINVAL, "timezone: it goes with schedule; every counts hours, not clocks");
	return 0;
}

int swp_schedule_parse(const struct swp_schedule_text *text,
	int (*load_zone)(const char *name, struct swp_zone **ret_zone, struct swp_problem *problem),
	struct swp_schedule *ret_schedule, struct swp_problem *problem)
{
	struct swp_schedule *schedule = ret_schedule;
	int error = check_keys(text, problem);

	*schedule = (struct swp_schedule){0};
	if (error == 0)
		error = text->schedule ? parse_expression(text->schedule, schedule, problem)
				       : parse_every(text->every, schedule, problem);
	if (error == 0 && text->jitter)
		error = parse_jitter(text->jitter, schedule, problem);
	if (error == 0 && text->catch_up && swp_parse_bool(text->catch_up, &schedule->catch_up) < 0)
		error = swp_problem_set(
			problem, -EINVAL, "catch_up: \"%s\" is neither true nor false", text->catch_up);
	if (error == 0 && text->timezone) {
		error = load_zone(text->timezone, &schedule->zone, problem);
		if (error < 0)
			swp_problem_prefix(problem, "timezone");
	}
	return error;
}

void swp_schedule_done(struct swp_schedule *schedule)
{
	swp_zone_free(schedule->zone);
	schedule->zone = NULL;
}

/* --- due times --- */

static int64_t floor_divide(int64_t value, int64_t by)
{
	return value / by - (value % by < 0);
}

static int64_t within(int64_t ms, int64_t least_ms)
{
	if (ms < least_ms)
		return least_ms;
	return ms < LAST_MS ? ms : LAST_MS;
}

/* The first minute of the day from `minute` on; DAY_MINUTES: none. */
static unsigned next_minute(const struct swp_schedule *schedule, unsigned minute)
{
	while (minute < DAY_MINUTES && !has_minute(schedule, minute))
		minute = schedule->hours >> minute / 60 & 1 ? minute + 1 : (minute / 60 + 1) * 60;
	return minute;
}

/* What clocks show when it is due next, from `label` on; both in minutes since 1970-01-01 00:00 on those clocks. */
static int64_t next_label(const struct swp_schedule *schedule, int64_t label)
{
	int64_t days = floor_divide(label, DAY_MINUTES);
	unsigned minute = (unsigned)(label - days * DAY_MINUTES);

	for (unsigned searched = 0; searched <= SEARCH_DAYS; searched++, days++, minute = 0) {
		if (!day_matches(schedule, days))
			continue;
		minute = next_minute(schedule, minute);
		if (minute < DAY_MINUTES)
			return days * DAY_MINUTES + minute;
	}
	SWP_ASSERT(false); /* refused when it was parsed */
}

int64_t swp_schedule_next(const struct swp_schedule *schedule, int64_t after_ms)
{
	int64_t after_s, label, due_s;

	after_ms = within(after_ms, -1);
	if (schedule->every_ms)
		return after_ms + schedule->every_ms;
	after_s = floor_divide(after_ms, 1000);
	/* A time on the clocks that is not later than theirs now was due already: as the first of two, or by the end of a gap. */
	label = floor_divide(after_s + swp_zone_offset_s(schedule->zone, after_s), 60) + 1;
	do {
		label = next_label(schedule, label);
		due_s = swp_zone_first_utc_s(schedule->zone, label * 60);
		label++;
	} while (due_s <= after_s);
	return due_s * 1000;
}

/* Any 64 bits from any others: the finishing steps of splitmix64. */
static uint64_t stir(uint64_t bits)
{
	bits = (bits ^ bits >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	bits = (bits ^ bits >> 27) * UINT64_C(0x94d049bb133111eb);
	return bits ^ bits >> 31;
}

int64_t swp_schedule_start(const struct swp_schedule *schedule, const char *name, int64_t due_ms)
{
	uint64_t bits = stir((uint64_t)due_ms);

	for (; *name; name++)
		bits = stir(bits ^ (unsigned char)*name);
	return due_ms + (int64_t)(bits % ((uint64_t)schedule->jitter_ms + 1));
}

static int64_t first_due(
	const struct swp_schedule *schedule, const struct swp_schedule_past *past, int64_t now_ms)
{
	int64_t last_ms = past->last_ms, due_ms;

	if (last_ms > now_ms + SWP_SCHEDULE_CLOCK_BACK_MS)
		last_ms = now_ms;
	if (!schedule->every_ms)
		return swp_schedule_next(schedule, last_ms < past->since_ms ? past->since_ms - 1 : last_ms);
	if (last_ms < 0)
		return past->since_ms;
	due_ms = last_ms + schedule->every_ms;
	if (due_ms < past->since_ms) /* further on by whole steps */
		due_ms += (past->since_ms - due_ms + schedule->every_ms - 1) / schedule->every_ms *
			  schedule->every_ms;
	return due_ms;
}

/* The last due time up to `until_ms`, of those from `due_ms` (not after it) on. Without going through all of them. */
static int64_t last_due(const struct swp_schedule *schedule, int64_t due_ms, int64_t until_ms)
{
	int64_t back_ms = MINUTE_MS, next_ms;

	if (schedule->every_ms)
		return due_ms + (until_ms - due_ms) / schedule->every_ms * schedule->every_ms;
	while (back_ms < until_ms - due_ms && swp_schedule_next(schedule, until_ms - back_ms) > until_ms)
		back_ms *= 2;
	if (back_ms < until_ms - due_ms)
		due_ms = swp_schedule_next(schedule, until_ms - back_ms);
	while ((next_ms = swp_schedule_next(schedule, due_ms)) <= until_ms)
		due_ms = next_ms;
	return due_ms;
}

struct passed {
	int64_t due_ms, before_ms; /* the last run that should have begun, and the one before it; -1: none */
	unsigned count;
};

/* Runs whose start is not after now, from `due_ms` on. */
static struct passed count_passed(
	const struct swp_schedule *schedule, const char *name, int64_t due_ms, int64_t now_ms)
{
	struct passed passed = {-1, -1, 0};

	while (swp_schedule_start(schedule, name, due_ms) <= now_ms) {
		passed.before_ms = passed.due_ms;
		passed.due_ms = due_ms;
		if (passed.count <= SWP_SCHEDULE_LIMIT_MISSED)
			passed.count++;
		due_ms = swp_schedule_next(schedule, due_ms);
		/* Enough: straight to the last two. Each begins before the next is due. */
		if (passed.count == SWP_SCHEDULE_LIMIT_MISSED &&
			due_ms + 4 * SWP_SCHEDULE_MOST_JITTER_MS < now_ms)
			due_ms = last_due(schedule, due_ms, now_ms - 2 * SWP_SCHEDULE_MOST_JITTER_MS);
	}
	return passed;
}

void swp_schedule_due(const struct swp_schedule *schedule, const char *name,
	const struct swp_schedule_past *past, int64_t now_ms, struct swp_schedule_due *ret_due)
{
	const struct swp_schedule_past sane = {
		.since_ms = within(past->since_ms, 0), .last_ms = within(past->last_ms, -1)};
	struct passed passed;
	int64_t due_ms;
	bool late;

	now_ms = within(now_ms, 0);
	due_ms = first_due(schedule, &sane, now_ms);
	passed = count_passed(schedule, name, due_ms, now_ms);
	*ret_due = (struct swp_schedule_due){.due_ms = due_ms, .missed_until_ms = -1};
	if (passed.count > 0) {
		late = swp_schedule_start(schedule, name, passed.due_ms) < now_ms - SWP_SCHEDULE_LATE_MS;
		ret_due->caught_up = late && schedule->catch_up;
		ret_due->missed = late ? passed.count : passed.count - 1;
		ret_due->missed_until_ms = late ? passed.due_ms : passed.before_ms;
		ret_due->due_ms = late && !schedule->catch_up ? swp_schedule_next(schedule, passed.due_ms)
							      : passed.due_ms;
		if (ret_due->missed > SWP_SCHEDULE_LIMIT_MISSED)
			ret_due->missed = SWP_SCHEDULE_LIMIT_MISSED;
	}
	ret_due->start_ms = swp_schedule_start(schedule, name, ret_due->due_ms);
}
