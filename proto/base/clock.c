/* The machine's clock and randomness, and times as text. Calendar arithmetic is our own: no time zone database, no
 * locale, no errno.
 */
#include "proto/base/clock.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "proto/base/error.h"

#define DAY_MS INT64_C(86400000)

static int64_t read_clock(clockid_t id)
{
	struct timespec now;

	SWP_ASSERT(clock_gettime(id, &now) == 0);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t system_monotonic_ms(void *context)
{
	(void)context;
	return read_clock(CLOCK_MONOTONIC);
}

static int64_t system_wall_ms(void *context)
{
	(void)context;
	return read_clock(CLOCK_REALTIME);
}

static void system_random_bytes(void *context, void *bytes, size_t length)
{
	char *next = bytes;

	(void)context;
	while (length > 0) {
		ssize_t got = getrandom(next, length, 0);

		/* Only EINTR can happen here; a kernel without getrandom is not one we run on. */
		SWP_ASSERT(got > 0 || errno == EINTR);
		if (got > 0) {
			next += got;
			length -= (size_t)got;
		}
	}
}

const struct swp_clock *swp_clock_system(void)
{
	static const struct swp_clock clock = {
		.monotonic_ms = system_monotonic_ms,
		.wall_ms = system_wall_ms,
		.random_bytes = system_random_bytes,
	};

	return &clock;
}

uint64_t swp_clock_random_u64(const struct swp_clock *clock)
{
	uint64_t value;

	clock->random_bytes(clock->context, &value, sizeof(value));
	return value;
}

double swp_clock_random_unit(const struct swp_clock *clock)
{
	/* 53 bits: what a double holds exactly. */
	return (double)(swp_clock_random_u64(clock) >> 11) / 9007199254740992.0;
}

/* A moment taken apart; the proleptic Gregorian calendar. */
struct moment {
	int year, month, day, hour, minute, second;
};

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Days from 1970-01-01 to the first of January of `year` (0 to 9999). */
static int64_t days_before_year(int year)
{
	int64_t y = year - 1;

	if (year == 0)
		return -719528;
	return y * 365 + y / 4 - y / 100 + y / 400 - 719162;
}

static int64_t moment_to_ms(const struct moment *m)
{
	int64_t days = days_before_year(m->year) + m->day - 1;

	for (int month = 1; month < m->month; month++)
		days += days_in_month(m->year, month);
	return days * DAY_MS + ((m->hour * 60 + m->minute) * 60 + m->second) * INT64_C(1000);
}

/* Before the year 0 and after 9999 the nearest moment that can be written is taken. */
static void moment_from_ms(int64_t wall_ms, struct moment *m)
{
	const int64_t least = INT64_C(-62167219200000), most = INT64_C(253402300799999);
	int64_t days, rest;

	wall_ms = wall_ms < least ? least : wall_ms > most ? most : wall_ms;
	days = wall_ms / DAY_MS - (wall_ms % DAY_MS < 0);
	rest = (wall_ms - days * DAY_MS) / 1000;
	m->hour = (int)(rest / 3600);
	m->minute = (int)(rest / 60 % 60);
	m->second = (int)(rest % 60);
	m->year = 1970 + (int)(days / 366);
	if (m->year < 0)
		m->year = 0;
	/* A year more than its 366 days suggest, at most a few times a century: off by at most 6 in 8000 years. */
	while (days >= days_before_year(m->year + 1))
		m->year++;
	while (days < days_before_year(m->year))
		m->year--;
	days -= days_before_year(m->year);
	for (m->month = 1; days >= days_in_month(m->year, m->month); m->month++)
		days -= days_in_month(m->year, m->month);
	m->day = (int)days + 1;
}

void swp_time_format(int64_t wall_ms, char text[static SWP_TIME_TEXT_BYTES])
{
	struct moment m;

	moment_from_ms(wall_ms, &m);
	snprintf(text, SWP_TIME_TEXT_BYTES, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned)m.year % 10000,
		(unsigned)m.month % 100, (unsigned)m.day % 100, (unsigned)m.hour % 100,
		(unsigned)m.minute % 100, (unsigned)m.second % 100);
}

void swp_time_format_basic(int64_t wall_ms, char text[static SWP_TIME_TEXT_BYTES])
{
	struct moment m;

	moment_from_ms(wall_ms, &m);
	snprintf(text, SWP_TIME_TEXT_BYTES, "%04u%02u%02uT%02u%02u%02uZ", (unsigned)m.year % 10000,
		(unsigned)m.month % 100, (unsigned)m.day % 100, (unsigned)m.hour % 100,
		(unsigned)m.minute % 100, (unsigned)m.second % 100);
}

/* Reads exactly `digits` digits; false leaves the cursor where it was. */
static bool read_digits(const char **cursor, int digits, int *ret_value)
{
	int value = 0;

	for (int i = 0; i < digits; i++) {
		char c = (*cursor)[i];

		if (c < '0' || c > '9')
			return false;
		value = value * 10 + (c - '0');
	}
	*cursor += digits;
	*ret_value = value;
	return true;
}

static bool read_char(const char **cursor, char wanted)
{
	if (**cursor != wanted)
		return false;
	(*cursor)++;
	return true;
}

/* Reads one of `count` names of three letters; tells its place from 0. */
static bool read_name(const char **cursor, const char *const *names, int count, int *ret_index)
{
	for (int i = 0; i < count; i++) {
		if (strncmp(*cursor, names[i], 3) == 0) {
			*cursor += 3;
			*ret_index = i;
			return true;
		}
	}
	return false;
}

static bool moment_is_valid(const struct moment *m)
{
	return m->month >= 1 && m->month <= 12 && m->day >= 1 && m->day <= days_in_month(m->year, m->month) &&
	       m->hour <= 23 && m->minute <= 59 && m->second <= 60; /* 60: a leap second */
}

static bool read_time_of_day(const char **cursor, struct moment *m)
{
	return read_digits(cursor, 2, &m->hour) && read_char(cursor, ':') &&
	       read_digits(cursor, 2, &m->minute) && read_char(cursor, ':') &&
	       read_digits(cursor, 2, &m->second);
}

static bool read_date(const char **cursor, struct moment *m)
{
	return read_digits(cursor, 4, &m->year) && read_char(cursor, '-') &&
	       read_digits(cursor, 2, &m->month) && read_char(cursor, '-') && read_digits(cursor, 2, &m->day);
}

/* ".123456": the milliseconds of it. */
static bool read_fraction(const char **cursor, int *ret_ms)
{
	int unit = 100, ms = 0, digit;

	if (!read_char(cursor, '.')) {
		*ret_ms = 0;
		return true;
	}
	if (!read_digits(cursor, 1, &digit))
		return false;
	do {
		ms += digit * unit;
		unit /= 10;
	} while (read_digits(cursor, 1, &digit));
	*ret_ms = ms;
	return true;
}

/* "Z", "UTC", "+01:00", "+0100": minutes east of Greenwich. */
static bool read_zone(const char **cursor, int *ret_minutes)
{
	int hours, minutes, sign;

	*ret_minutes = 0;
	if (read_char(cursor, 'Z') || read_char(cursor, 'z'))
		return true;
	if (strncmp(*cursor, "UTC", 3) == 0) {
		*cursor += 3;
		return true;
	}
	sign = read_char(cursor, '-') ? -1 : 1;
	if (sign > 0 && !read_char(cursor, '+'))
		return false;
	if (!read_digits(cursor, 2, &hours))
		return false;
	read_char(cursor, ':');
	if (!read_digits(cursor, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*ret_minutes = sign * (hours * 60 + minutes);
	return true;
}

int swp_time_parse(const char *text, int64_t *ret_wall_ms)
{
	struct moment m = {0};
	int fraction_ms, zone_minutes;

	if (!read_date(&text, &m))
		return -EINVAL;
	if (!read_char(&text, 'T') && !read_char(&text, 't') && !read_char(&text, ' '))
		return -EINVAL;
	if (!read_time_of_day(&text, &m) || !read_fraction(&text, &fraction_ms) ||
		!read_zone(&text, &zone_minutes))
		return -EINVAL;
	if (*text != '\0' || !moment_is_valid(&m))
		return -EINVAL;
	*ret_wall_ms = moment_to_ms(&m) + fraction_ms - zone_minutes * INT64_C(60000);
	return 0;
}

int swp_time_parse_http(const char *text, int64_t *ret_wall_ms)
{
	static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
	static const char *const months[] = {
		"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct moment m = {0};
	int index;

	if (!read_name(&text, days, SWP_ARRAY_SIZE(days), &index) || !read_char(&text, ',') ||
		!read_char(&text, ' '))
		return -EINVAL;
	if (!read_digits(&text, 2, &m.day) || !read_char(&text, ' ') ||
		!read_name(&text, months, SWP_ARRAY_SIZE(months), &index) || !read_char(&text, ' '))
		return -EINVAL;
	m.month = index + 1;
	if (!read_digits(&text, 4, &m.year) || !read_char(&text, ' ') || !read_time_of_day(&text, &m))
		return -EINVAL;
	if (strcmp(text, " GMT") != 0 || !moment_is_valid(&m))
		return -EINVAL;
	*ret_wall_ms = moment_to_ms(&m);
	return 0;
}
