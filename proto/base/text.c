/* Small text work. Nothing here looks at the locale. */
#include "proto/base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/error.h"

#define LONGEST_NAME_COMPARED 128
#define DAY_MS INT64_C(86400000)

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Reads digits up to the first other byte. */
static int read_number(const char **cursor, uint64_t max, uint64_t *ret_value)
{
	uint64_t value = 0;
	bool too_large = false;

	if (!is_digit(**cursor))
		return -EINVAL;
	for (; is_digit(**cursor); (*cursor)++) {
		uint64_t digit = (uint64_t)(**cursor - '0');

		if (value > max / 10 || digit > max - value * 10)
			too_large = true;
		if (!too_large)
			value = value * 10 + digit;
	}
	if (too_large)
		return -ERANGE;
	*ret_value = value;
	return 0;
}

int swp_parse_u64(const char *text, uint64_t max, uint64_t *ret_value)
{
	uint64_t value;
	int error = read_number(&text, max, &value);

	if (error != -EINVAL && *text != '\0')
		return -EINVAL;
	if (error)
		return error;
	*ret_value = value;
	return 0;
}

int swp_parse_i64(const char *text, int64_t min, int64_t max, int64_t *ret_value)
{
	bool negative = text[0] == '-';
	uint64_t magnitude;
	int64_t value;
	int error = swp_parse_u64(text + negative, (uint64_t)INT64_MAX + negative, &magnitude);

	if (error)
		return error;
	/* −(m − 1) − 1, since −m itself may not be representable on the way. */
	value = !negative ? (int64_t)magnitude : magnitude == 0 ? 0 : -(int64_t)(magnitude - 1) - 1;
	if (value < min || value > max)
		return -ERANGE;
	*ret_value = value;
	return 0;
}

static int parse_span_ms(const char *text, int64_t most, int64_t *ret_ms)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = {{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", DAY_MS}};
	uint64_t number;
	int error = read_number(&text, (uint64_t)most, &number);

	if (error == -EINVAL)
		return error;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(units); i++) {
		if (strcmp(text, units[i].unit) != 0)
			continue;
		if (error || (int64_t)number > most / units[i].ms)
			return -ERANGE;
		*ret_ms = (int64_t)number * units[i].ms;
		return 0;
	}
	return -EINVAL;
}

int swp_parse_duration_ms(const char *text, int64_t *ret_ms)
{
	return parse_span_ms(text, 366 * DAY_MS, ret_ms);
}

int swp_parse_age_ms(const char *text, int64_t *ret_ms)
{
	size_t length = strlen(text);

	/* A bare number would be read as seconds, where days are meant. */
	return length && is_digit(text[length - 1]) ? -EINVAL : parse_span_ms(text, 36525 * DAY_MS, ret_ms);
}

int swp_parse_percent(const char *text, uint32_t *ret_hundredths)
{
	uint64_t whole, hundredths;
	int error = read_number(&text, 1000000, &whole);

	if (error == -EINVAL)
		return error;
	hundredths = error ? 0 : whole * 100;
	if (*text == '.') {
		if (!is_digit(text[1]))
			return -EINVAL;
		hundredths += (uint64_t)(text[1] - '0') * 10;
		text += 2;
		if (is_digit(*text))
			hundredths += (uint64_t)(*text++ - '0');
	}
	if (*text == '%')
		text++;
	if (*text != '\0')
		return -EINVAL;
	if (error || hundredths > 10000)
		return -ERANGE;
	*ret_hundredths = (uint32_t)hundredths;
	return 0;
}

int swp_parse_bool(const char *text, bool *ret_value)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {{"true", true}, {"yes", true}, {"1", true}, {"on", true}, {"false", false},
		{"no", false}, {"0", false}, {"off", false}};

	for (size_t i = 0; i < SWP_ARRAY_SIZE(words); i++) {
		if (swp_text_equal_ignoring_case(text, words[i].word)) {
			*ret_value = words[i].value;
			return 0;
		}
	}
	return -EINVAL;
}

bool swp_glob_match(const char *pattern, const char *text)
{
	/* Behind the last star, and where in the text its run was last assumed to end. An earlier star never needs to be
	 * looked at again: if the later one can't make it match, no other choice for the earlier one can. */
	const char *behind_star = NULL, *run_end = NULL;

	while (*text) {
		if (*pattern == '*') {
			behind_star = ++pattern;
			run_end = text;
		} else if (*pattern == '?' || *pattern == *text) {
			pattern++;
			text++;
		} else if (behind_star) {
			pattern = behind_star;
			text = ++run_end;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

bool swp_glob_is_plain(const char *pattern)
{
	return strpbrk(pattern, "*?") == NULL;
}

/* Levenshtein distance ignoring case; both at most LONGEST_NAME_COMPARED bytes. */
static size_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t row[LONGEST_NAME_COMPARED + 1];

	for (size_t j = 0; j <= b_length; j++)
		row[j] = j;
	for (size_t i = 1; i <= a_length; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b_length; j++) {
			size_t best = diagonal + (lower(a[i - 1]) != lower(b[j - 1]));

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[b_length];
}

/* The nearest of those whose distance is below `limit`; the beginnings of long names are compared. */
static const char *nearest_below(
	const char *word, const char *const *names, size_t count, size_t limit, bool something_in_common)
{
	size_t length = strnlen(word, LONGEST_NAME_COMPARED);
	const char *best = NULL;

	for (size_t i = 0; i < count; i++) {
		size_t name_length = strnlen(names[i], LONGEST_NAME_COMPARED);
		size_t distance = edit_distance(word, length, names[i], name_length);

		if (distance >= limit ||
			(something_in_common && distance >= (length > name_length ? length : name_length)))
			continue;
		limit = distance;
		best = names[i];
	}
	return best;
}

const char *swp_nearest(const char *word, const char *const *names, size_t count)
{
	size_t length = strnlen(word, LONGEST_NAME_COMPARED);

	return nearest_below(word, names, count, length / 3 < 2 ? 3 : length / 3 + 1, true);
}

const char *swp_nearest_of_all(const char *word, const char *const *names, size_t count)
{
	return nearest_below(word, names, count, SIZE_MAX, false);
}

bool swp_text_equal(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool swp_text_equal_ignoring_case(const char *a, const char *b)
{
	if (!a || !b)
		return a == b;
	while (*a && lower(*a) == lower(*b)) {
		a++;
		b++;
	}
	return lower(*a) == lower(*b);
}

bool swp_text_starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool swp_text_ends(const char *text, const char *suffix)
{
	size_t text_length = strlen(text), suffix_length = strlen(suffix);

	return suffix_length <= text_length && strcmp(text + text_length - suffix_length, suffix) == 0;
}

const char *swp_text_find_ignoring_case(const char *text, const char *needle)
{
	size_t length = strlen(needle), at;

	for (;; text++) {
		for (at = 0; at < length && text[at] && lower(text[at]) == lower(needle[at]); at++)
			;
		if (at == length)
			return text;
		if (!*text)
			return NULL;
	}
}

int swp_compare_text_pointers(const void *a, const void *b)
{
	const char *const *left = a, *const *right = b;

	return strcmp(*left, *right);
}
