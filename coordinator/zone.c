#include "coordinator/zone.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "proto/base/alloc.h"

#define DAY_S 86400
#define HEADER_BYTES 44
#define TYPE_BYTES 6

/* When in a year clocks are changed. */
struct change {
	enum { WEEKDAY_OF_MONTH, DAY_WITHOUT_LEAP, DAY_WITH_LEAP } kind;
	int month, week,
		day; /* week 5: the last; day: of the week (0: Sunday), or of the year (from 1, or from 0 with leap days) */
	int32_t time_s; /* on the clocks before the change; may lie on another day */
};

/* The text behind the table: what holds after its last transition, for ever. */
struct rule {
	int32_t standard_s, daylight_s;
	bool has_daylight;
	struct change begin, end; /* of daylight saving time */
};

struct swp_zone {
	size_t count;
	int64_t *times_s;   /* of transitions, ascending; owned */
	int32_t *offsets_s; /* behind each; owned */
	int32_t earliest_s; /* before the first */
	bool has_rule;
	struct rule rule;
};

/* --- calendar --- */

int64_t swp_date_to_days(int64_t year, int month, int day)
{
	/* The year is taken to begin in March, so that the leap day is its last one; eras of 400 years. */
	int64_t y = year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400;
	int64_t in_era = y - era * 400;
	int64_t in_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719468;
}

struct swp_date swp_date_from_days(int64_t days)
{
	int64_t shifted = days + 719468, era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	int64_t in_era = shifted - era * 146097;
	int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	int64_t in_year = in_era - (365 * year + year / 4 - year / 100);
	int month = (int)((5 * in_year + 2) / 153);

	return (struct swp_date){
		.year = year + era * 400 + (month >= 10),
		.month = month < 10 ? month + 3 : month - 9,
		.day = (int)(in_year - (153 * month + 2) / 5 + 1),
	};
}

int swp_date_weekday(int64_t days)
{
	return (int)(((days + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
}

int swp_date_month_length(int64_t year, int month)
{
	int64_t next_year = month == 12 ? year + 1 : year;

	return (int)(swp_date_to_days(next_year, month % 12 + 1, 1) - swp_date_to_days(year, month, 1));
}

/* --- the rule --- */

static int64_t change_days(const struct change *change, int64_t year)
{
	int64_t first = swp_date_to_days(year, change->kind == WEEKDAY_OF_MONTH ? change->month : 1, 1);
	int ahead;

	if (change->kind == DAY_WITH_LEAP)
		return first + change->day;
	if (change->kind == DAY_WITHOUT_LEAP)
		return first + change->day - 1 + (change->day >= 60 && swp_date_month_length(year, 2) == 29);
	ahead = (change->day - swp_date_weekday(first) + 7) % 7 + 7 * (change->week - 1);
	while (ahead >= swp_date_month_length(year, change->month))
		ahead -= 7;
	return first + ahead;
}

static int64_t change_utc_s(const struct change *change, int64_t year, int32_t offset_before_s)
{
	return change_days(change, year) * DAY_S + change->time_s - offset_before_s;
}

/* From when to when (not included) an offset holds. */
struct stretch {
	int32_t offset_s;
	int64_t end_s;
};

static struct stretch rule_stretch(const struct rule *rule, int64_t utc_s)
{
	int64_t days = (utc_s >= 0 ? utc_s : utc_s - (DAY_S - 1)) / DAY_S, last_s = INT64_MIN;
	int64_t year = swp_date_from_days(days).year;
	struct stretch stretch = {.offset_s = rule->standard_s, .end_s = INT64_MAX};

	for (int64_t y = year - 1; rule->has_daylight && y <= year + 1; y++) {
		/* The beginning is looked at last: where daylight saving time ends and begins in one moment, it goes on. */
		const struct {
			int64_t utc_s;
			int32_t offset_s;
		} changes[] = {
			{change_utc_s(&rule->end, y, rule->daylight_s), rule->standard_s},
			{change_utc_s(&rule->begin, y, rule->standard_s), rule->daylight_s},
			/* … of the year before, which may be this year's beginning */
			{change_utc_s(&rule->begin, y + 1, rule->standard_s), rule->daylight_s},
		};

		for (size_t i = 0; i < SWP_ARRAY_SIZE(changes); i++) {
			if (changes[i].utc_s <= utc_s && changes[i].utc_s >= last_s) {
				last_s = changes[i].utc_s;
				stretch.offset_s = changes[i].offset_s;
			}
			if (changes[i].utc_s > utc_s && changes[i].utc_s < stretch.end_s)
				stretch.end_s = changes[i].utc_s;
		}
	}
	return stretch;
}

/* --- questions --- */

/* The last transition that is not after it; -1: none. */
static ptrdiff_t find_transition(const struct swp_zone *zone, int64_t utc_s)
{
	size_t low = 0, high = zone->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (zone->times_s[middle] <= utc_s)
			low = middle + 1;
		else
			high = middle;
	}
	return (ptrdiff_t)low - 1;
}

static struct stretch stretch_at(const struct swp_zone *zone, int64_t utc_s)
{
	ptrdiff_t at = zone ? find_transition(zone, utc_s) : -1;

	if (!zone)
		return (struct stretch){.offset_s = 0, .end_s = INT64_MAX};
	if (at + 1 < (ptrdiff_t)zone->count)
		return (struct stretch){.offset_s = at < 0 ? zone->earliest_s : zone->offsets_s[at],
			.end_s = zone->times_s[at + 1]};
	if (zone->has_rule)
		return rule_stretch(&zone->rule, utc_s);
	return (struct stretch){
		.offset_s = at < 0 ? zone->earliest_s : zone->offsets_s[at], .end_s = INT64_MAX};
}

int32_t swp_zone_offset_s(const struct swp_zone *zone, int64_t utc_s)
{
	return stretch_at(zone, utc_s).offset_s;
}

int64_t swp_zone_first_utc_s(const struct swp_zone *zone, int64_t local_s)
{
	int64_t from_s = local_s - SWP_ZONE_LIMIT_OFFSET_S; /* before it no clock shows that much */

	for (;;) {
		struct stretch stretch = stretch_at(zone, from_s);
		int64_t found_s = local_s - stretch.offset_s;

		if (found_s < from_s)
			found_s = from_s;
		if (found_s < stretch.end_s)
			return found_s;
		from_s = stretch.end_s;
	}
}

/* --- reading the rule: POSIX.1-2017, chapter 8.3, TZ; with what RFC 8536, 3.3.1 adds --- */

static bool read_number(const char **at, int least, int most, int *ret_number)
{
	int number = 0, digits = 0;

	for (; **at >= '0' && **at <= '9' && digits < 4; (*at)++, digits++)
		number = number * 10 + (**at - '0');
	*ret_number = number;
	return digits > 0 && number >= least && number <= most;
}

static bool read_byte(const char **at, char wanted)
{
	if (**at != wanted)
		return false;
	(*at)++;
	return true;
}

/* [+-]hh[:mm[:ss]] */
static bool read_time(const char **at, int most_hours, int32_t *ret_s)
{
	int hours, minutes = 0, seconds = 0;
	bool negative = read_byte(at, '-');

	if (!negative)
		read_byte(at, '+');
	if (!read_number(at, 0, most_hours, &hours))
		return false;
	if (read_byte(at, ':') && (!read_number(at, 0, 59, &minutes) ||
					  (read_byte(at, ':') && !read_number(at, 0, 59, &seconds))))
		return false;
	*ret_s = (hours * 60 + minutes) * 60 + seconds;
	if (negative)
		*ret_s = -*ret_s;
	return true;
}

/* CET, or <+03>: at least three characters; nobody asks for it. */
static bool skip_name(const char **at)
{
	bool quoted = read_byte(at, '<');
	size_t length = 0;

	for (; **at; (*at)++, length++) {
		char byte = **at;
		bool letter = (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
		bool more = (byte >= '0' && byte <= '9') || byte == '+' || byte == '-';

		if (!letter && !(quoted && more))
			break;
	}
	return length >= 3 && (!quoted || read_byte(at, '>'));
}

static bool read_change(const char **at, struct change *change)
{
	bool good = read_byte(at, ',');

	change->time_s = 2 * 3600;
	if (good && read_byte(at, 'M')) {
		change->kind = WEEKDAY_OF_MONTH;
		good = read_number(at, 1, 12, &change->month) && read_byte(at, '.') &&
		       read_number(at, 1, 5, &change->week) && read_byte(at, '.') &&
		       read_number(at, 0, 6, &change->day);
	} else if (good && read_byte(at, 'J')) {
		change->kind = DAY_WITHOUT_LEAP;
		good = read_number(at, 1, 365, &change->day);
	} else if (good) {
		change->kind = DAY_WITH_LEAP;
		good = read_number(at, 0, 365, &change->day);
	}
	if (good && read_byte(at, '/'))
		good = read_time(at, 167, &change->time_s);
	return good;
}

static bool read_rule(const char *text, struct rule *rule)
{
	const char *at = text;
	int32_t behind_s;

	if (!skip_name(&at) || !read_time(&at, 25, &behind_s))
		return false;
	rule->standard_s = -behind_s; /* POSIX counts to the west */
	if (!*at)
		return true;
	rule->has_daylight = true;
	rule->daylight_s = rule->standard_s + 3600;
	if (!skip_name(&at))
		return false;
	if (*at != ',') {
		if (!read_time(&at, 25, &behind_s))
			return false;
		rule->daylight_s = -behind_s;
	}
	return rule->daylight_s <= SWP_ZONE_LIMIT_OFFSET_S && read_change(&at, &rule->begin) &&
	       read_change(&at, &rule->end) && !*at;
}

/* --- reading the file --- */

struct reading {
	const unsigned char *bytes;
	size_t length, at;
};

/* A block's numbers, in the order in which its head has them. */
struct counts {
	uint32_t is_utc, is_standard, leaps, times, types, characters;
};

static int64_t take(struct reading *reading, unsigned width)
{
	uint64_t value = reading->bytes[reading->at] & 0x80 ? UINT64_MAX : 0;

	for (unsigned i = 0; i < width; i++)
		value = value << 8 | reading->bytes[reading->at++];
	return (int64_t)value;
}

static uint64_t left(const struct reading *reading)
{
	return reading->length - reading->at;
}

/* The head of a block. The version; -1: it is none. */
static int read_head(struct reading *reading, struct counts *counts)
{
	uint32_t *const numbers[] = {&counts->is_utc, &counts->is_standard, &counts->leaps, &counts->times,
		&counts->types, &counts->characters};
	int version;

	if (left(reading) < HEADER_BYTES || memcmp(reading->bytes + reading->at, "TZif", 4) != 0)
		return -1;
	version = reading->bytes[reading->at + 4];
	reading->at += 20;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(numbers); i++)
		*numbers[i] = (uint32_t)take(reading, 4);
	return version;
}

static uint64_t block_bytes(const struct counts *counts, unsigned width)
{
	return (uint64_t)counts->times * (width + 1) + (uint64_t)counts->types * TYPE_BYTES +
	       counts->characters + (uint64_t)counts->leaps * (width + 4) + counts->is_standard +
	       counts->is_utc;
}

static const char *read_types(struct reading *reading, size_t count, int32_t offsets_s[static 256])
{
	for (size_t i = 0; i < count; i++) {
		int64_t offset_s = take(reading, 4);

		reading->at += TYPE_BYTES - 4; /* daylight or not, and its name: no matter */
		if (offset_s < -SWP_ZONE_LIMIT_OFFSET_S || offset_s > SWP_ZONE_LIMIT_OFFSET_S)
			return "it has an offset of more than a day";
		offsets_s[i] = (int32_t)offset_s;
	}
	return NULL;
}

/* NULL; else what is wrong. */
static const char *read_block(
	struct reading *reading, const struct counts *counts, unsigned width, struct swp_zone *zone)
{
	int32_t offsets_s[256];
	size_t types_at = reading->at;
	const char *wrong;

	for (size_t i = 0; i < counts->times; i++) {
		zone->times_s[i] = take(reading, width);
		if (i > 0 && zone->times_s[i] <= zone->times_s[i - 1])
			return "its transitions are not in order";
	}
	types_at = reading->at;
	reading->at += counts->times;
	wrong = read_types(reading, counts->types, offsets_s);
	if (wrong)
		return wrong;
	for (size_t i = 0; i < counts->times; i++) {
		if (reading->bytes[types_at + i] >= counts->types)
			return "it names a type that it does not have";
		zone->offsets_s[i] = offsets_s[reading->bytes[types_at + i]];
	}
	zone->earliest_s = offsets_s[0];
	zone->count = counts->times;
	reading->at += counts->characters + counts->is_standard + counts->is_utc;
	return NULL;
}

/* "\n" TEXT "\n" behind the second block; an empty text: nothing is known. */
static const char *read_footer(struct reading *reading, struct swp_zone *zone)
{
	char text[128];
	size_t length;
	const unsigned char *begin = reading->bytes + reading->at, *end;

	if (left(reading) < 2 || *begin != '\n' || !(end = memchr(begin + 1, '\n', left(reading) - 1)))
		return "its last line is missing";
	length = (size_t)(end - begin - 1);
	if (length >= sizeof(text) || memchr(begin + 1, '\0', length))
		return "its last line is no rule";
	memcpy(text, begin + 1, length);
	text[length] = '\0';
	zone->has_rule = length > 0;
	return length == 0 || read_rule(text, &zone->rule) ? NULL : "its last line is no rule";
}

static const char *check_counts(const struct reading *reading, const struct counts *counts, unsigned width)
{
	if (counts->times > SWP_ZONE_LIMIT_TRANSITIONS)
		return "it has too many transitions";
	if (counts->types == 0 || counts->types > 256)
		return "it has no types, or too many";
	if (block_bytes(counts, width) > left(reading))
		return "it is cut off";
	return counts->leaps ? "it counts leap seconds" : NULL;
}

static int read_zone(struct reading *reading, struct swp_zone *zone, const char **ret_wrong)
{
	struct counts counts;
	int version = read_head(reading, &counts);
	unsigned width = 4;

	*ret_wrong = version < 0 ? "it is no zone of the time zone database" : NULL;
	if (version > 0) { /* the same again with 64-bit times, and the rule behind it */
		*ret_wrong = block_bytes(&counts, width) > left(reading) ? "it is cut off" : NULL;
		if (*ret_wrong)
			return 0;
		reading->at += block_bytes(&counts, width);
		width = 8;
		if (read_head(reading, &counts) < 0)
			*ret_wrong = "its second part is missing";
	}
	if (!*ret_wrong)
		*ret_wrong = check_counts(reading, &counts, width);
	if (*ret_wrong)
		return 0;
	zone->times_s = swp_calloc(counts.times + 1, sizeof(*zone->times_s));
	zone->offsets_s = swp_calloc(counts.times + 1, sizeof(*zone->offsets_s));
	if (!zone->times_s || !zone->offsets_s)
		return -ENOMEM;
	*ret_wrong = read_block(reading, &counts, width, zone);
	if (!*ret_wrong && width == 8)
		*ret_wrong = read_footer(reading, zone);
	return 0;
}

int swp_zone_parse(const char *bytes, size_t length, struct swp_zone **ret_zone, struct swp_problem *problem)
{
	struct reading reading = {.bytes = (const unsigned char *)bytes, .length = length};
	struct swp_zone *zone = swp_calloc(1, sizeof(*zone));
	const char *wrong = NULL;
	int error = zone ? read_zone(&reading, zone, &wrong) : -ENOMEM;

	*ret_zone = NULL;
	if (error == 0 && !wrong) {
		*ret_zone = zone;
		return 0;
	}
	swp_zone_free(zone);
	if (error < 0)
		return swp_problem_set(problem, error, "out of memory");
	return swp_problem_set(problem, -EINVAL, "the time zone can't be read: %s", wrong);
}

void swp_zone_free(struct swp_zone *zone)
{
	if (!zone)
		return;
	swp_free(zone->times_s);
	swp_free(zone->offsets_s);
	swp_free(zone);
}
