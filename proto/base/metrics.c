/* The registry. A metric's series stand in an array sorted by their label values, so that finding one is a few comparisons, writing needs
 * no sorting, and the labels' text is escaped once. */
#include "proto/base/metrics.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

#define NUMBER_BYTES 32			 /* -2.2250738585072014e-308 and its NUL */
#define WHOLE_NUMBERS 9007199254740992.0 /* 2^53: up to here a double holds every whole number */

struct swp_metric_series {
	struct swp_metric_series *drops_into; /* NULL: it is counted; else each update is one there */
	const struct swp_metric_row *row;
	double value;	   /* of a histogram: the sum */
	uint64_t *buckets; /* histogram: in each, not cumulated; the last is +Inf. Owned */
	char *values;	   /* of labels, each with its NUL. Owned */
	char *labels;	   /* name="value",… escaped; "" without labels. Owned */
};

struct family {
	const struct swp_metric_row *row;
	size_t label_count;
	struct swp_metric_series **series; /* owned, by label values */
	size_t count, capacity;
	struct swp_metric_series dropping;
};

struct swp_metrics {
	size_t count;
	struct family families[];
};

static const char *const kind_names[] = {
	[SWP_METRIC_COUNTER] = "counter",
	[SWP_METRIC_GAUGE] = "gauge",
	[SWP_METRIC_HISTOGRAM] = "histogram",
};

const char *swp_metric_kind_name(enum swp_metric_kind kind)
{
	return kind_names[kind];
}

/* --- rows --- */

static bool is_name(const char *name)
{
	return name && (*name == '_' || (*name >= 'a' && *name <= 'z')) &&
	       name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

static void check_row(const struct swp_metric_row *row)
{
	SWP_ASSERT(is_name(row->name) && row->help && row->help[0]);
	SWP_ASSERT((row->kind == SWP_METRIC_COUNTER) == swp_text_ends(row->name, "_total"));
	SWP_ASSERT((row->kind == SWP_METRIC_HISTOGRAM) == (row->bucket_count > 0));
	for (size_t i = 0; i < SWP_METRIC_LABELS && row->labels[i]; i++)
		SWP_ASSERT(is_name(row->labels[i]) && strcmp(row->labels[i], "le") != 0 &&
			   strncmp(row->labels[i], "__", 2) != 0);
	for (size_t i = 1; i < row->bucket_count; i++)
		SWP_ASSERT(row->buckets[i - 1] < row->buckets[i]);
}

static size_t most_series(const struct swp_metric_row *row)
{
	return row->most_series ? row->most_series : SWP_LIMIT_METRIC_SERIES;
}

/* --- label values --- */

struct label_values {
	size_t count;
	char texts[SWP_METRIC_LABELS][SWP_LIMIT_METRIC_LABEL_BYTES + 1];
};

/* As they are kept: whole UTF-8 of at most the ceiling. */
static void take_values(
	const struct family *family, const char *const *given, struct label_values *ret_values)
{
	ret_values->count = family->label_count;
	for (size_t i = 0; i < family->label_count; i++) {
		const char *text = given && given[i] ? given[i] : "";
		size_t length = strlen(text);

		if (length <= SWP_LIMIT_METRIC_LABEL_BYTES && swp_text_is_utf8(text, length))
			memcpy(ret_values->texts[i], text, length + 1);
		else
			swp_text_clean_array(
				ret_values->texts[i], sizeof(ret_values->texts[i]), text, length);
	}
}

static int compare_values(const struct swp_metric_series *series, const struct label_values *values)
{
	const char *at = series->values;
	int order = 0;

	for (size_t i = 0; i < values->count && order == 0; i++) {
		order = strcmp(at, values->texts[i]);
		at += strlen(at) + 1;
	}
	return order;
}

/* Where it stands, or would stand. */
static size_t place_of(const struct family *family, const struct label_values *values, bool *ret_found)
{
	size_t low = 0, high = family->count;

	*ret_found = false;
	while (low < high && !*ret_found) {
		size_t middle = low + (high - low) / 2;
		int order = compare_values(family->series[middle], values);

		*ret_found = order == 0;
		if (order == 0)
			low = middle;
		else if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* --- text --- */

static void append_escaped(struct swp_buf *out, const char *text, bool quoted)
{
	for (; *text; text++) {
		if (*text == '\\')
			swp_buf_append_text(out, "\\\\");
		else if (*text == '\n')
			swp_buf_append_text(out, "\\n");
		else if (*text == '"' && quoted)
			swp_buf_append_text(out, "\\\"");
		else
			swp_buf_append_byte(out, *text);
	}
}

static char *labels_text(const struct family *family, const struct label_values *values)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf text = {0};

	for (size_t i = 0; i < values->count; i++) {
		swp_buf_append_format(&text, "%s%s=\"", i ? "," : "", family->row->labels[i]);
		append_escaped(&text, values->texts[i], true);
		swp_buf_append_byte(&text, '"');
	}
	return swp_buf_steal(&text);
}

/* The shortest of three precisions that reads as the same number. */
static const char *number_text(double value, char text[static NUMBER_BYTES])
{
	if (isnan(value))
		return "NaN";
	if (isinf(value))
		return value > 0 ? "+Inf" : "-Inf";
	if (value >= -WHOLE_NUMBERS && value <= WHOLE_NUMBERS && value == (double)(int64_t)value) {
		snprintf(text, NUMBER_BYTES, "%.0f", value);
		return text;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, NUMBER_BYTES, "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	return text;
}

/* --- series --- */

static void series_free(struct swp_metric_series *series)
{
	swp_free(series->buckets);
	swp_free(series->values);
	swp_free(series->labels);
	swp_free(series);
}

static char *values_copy(const struct label_values *values)
{
	size_t length = 1, at = 0;
	char *copy;

	for (size_t i = 0; i < values->count; i++)
		length += strlen(values->texts[i]) + 1;
	copy = swp_calloc(1, length);
	for (size_t i = 0; copy && i < values->count; i++) {
		memcpy(copy + at, values->texts[i], strlen(values->texts[i]));
		at += strlen(values->texts[i]) + 1;
	}
	return copy;
}

static struct swp_metric_series *series_new(const struct family *family, const struct label_values *values)
{
	struct swp_metric_series *series = swp_calloc(1, sizeof(*series));

	if (!series)
		return NULL;
	series->row = family->row;
	series->values = values_copy(values);
	series->labels = labels_text(family, values);
	if (family->row->bucket_count > 0)
		series->buckets = swp_calloc(family->row->bucket_count + 1, sizeof(*series->buckets));
	if (series->values && series->labels && (series->buckets || family->row->bucket_count == 0))
		return series;
	series_free(series);
	return NULL;
}

static int family_reserve(struct family *family)
{
	size_t capacity = family->capacity ? family->capacity * 2 : 8;
	struct swp_metric_series **series;

	if (family->count < family->capacity)
		return 0;
	series = swp_realloc(family->series, capacity * sizeof(struct swp_metric_series *));
	if (!series)
		return -ENOMEM;
	family->series = series;
	family->capacity = capacity;
	return 0;
}

struct swp_metric_series *swp_metrics_series(
	struct swp_metrics *metrics, size_t row, const char *const *label_values)
{
	struct family *family = &metrics->families[row];
	struct swp_metric_series *series;
	struct label_values values;
	bool found;
	size_t place;

	SWP_ASSERT(row < metrics->count);
	take_values(family, label_values, &values);
	place = place_of(family, &values, &found);
	if (found)
		return family->series[place];
	if (family->count >= most_series(family->row) || family_reserve(family) < 0)
		return &family->dropping;
	series = series_new(family, &values);
	if (!series)
		return &family->dropping;
	memmove(family->series + place + 1, family->series + place,
		(family->count - place) * sizeof(struct swp_metric_series *));
	family->series[place] = series;
	family->count++;
	return series;
}

struct swp_metric_series *swp_metrics_dropping(struct swp_metrics *metrics, size_t row)
{
	SWP_ASSERT(row < metrics->count);
	return &metrics->families[row].dropping;
}

void swp_metrics_remove_first(struct swp_metrics *metrics, size_t row, const char *first_value)
{
	struct family *family = &metrics->families[row];
	const char *given[SWP_METRIC_LABELS] = {first_value};
	struct label_values values;
	size_t kept = 0;

	SWP_ASSERT(row < metrics->count && family->label_count > 0);
	take_values(family, given, &values);
	values.count = 1;
	for (size_t i = 0; i < family->count; i++) {
		if (compare_values(family->series[i], &values) == 0)
			series_free(family->series[i]);
		else
			family->series[kept++] = family->series[i];
	}
	family->count = kept;
}

/* --- counting --- */

/* True when the update goes nowhere; it is counted then. */
static bool is_dropped(struct swp_metric_series *series)
{
	if (!series->drops_into)
		return false;
	series->drops_into->value += 1;
	return true;
}

void swp_metric_add(struct swp_metric_series *series, double by)
{
	if (!is_dropped(series))
		series->value += by;
}

void swp_metric_set(struct swp_metric_series *series, double value)
{
	if (!is_dropped(series))
		series->value = value;
}

void swp_metric_observe(struct swp_metric_series *series, double value)
{
	const struct swp_metric_row *row = series->row;
	size_t bucket = 0;

	if (is_dropped(series))
		return;
	while (bucket < row->bucket_count && value > row->buckets[bucket])
		bucket++;
	series->buckets[bucket]++;
	series->value += value;
}

double swp_metric_value(const struct swp_metric_series *series)
{
	return series->value;
}

/* --- writing --- */

static void write_sample(
	struct swp_buf *out, const char *name, const char *suffix, const char *labels, double value)
{
	char number[NUMBER_BYTES];

	swp_buf_append_format(out, "%s%s%s%s%s %s\n", name, suffix, labels[0] ? "{" : "", labels,
		labels[0] ? "}" : "", number_text(value, number));
}

static void write_histogram(struct swp_buf *out, const struct swp_metric_series *series)
{
	const struct swp_metric_row *row = series->row;
	const char *comma = series->labels[0] ? "," : "";
	char bound[NUMBER_BYTES];
	uint64_t sum = 0;

	for (size_t i = 0; i <= row->bucket_count; i++) {
		sum += series->buckets[i];
		swp_buf_append_format(out, "%s_bucket{%s%sle=\"%s\"} %llu\n", row->name, series->labels,
			comma, i < row->bucket_count ? number_text(row->buckets[i], bound) : "+Inf",
			(unsigned long long)sum);
	}
	write_sample(out, row->name, "_sum", series->labels, series->value);
	write_sample(out, row->name, "_count", series->labels, (double)sum);
}

static void write_family(struct swp_buf *out, const struct family *family)
{
	const struct swp_metric_row *row = family->row;

	if (family->count == 0)
		return;
	swp_buf_append_format(out, "# HELP %s ", row->name);
	append_escaped(out, row->help, false);
	swp_buf_append_format(out, "\n# TYPE %s %s\n", row->name, kind_names[row->kind]);
	for (size_t i = 0; i < family->count; i++) {
		if (row->kind == SWP_METRIC_HISTOGRAM)
			write_histogram(out, family->series[i]);
		else
			write_sample(out, row->name, "", family->series[i]->labels, family->series[i]->value);
	}
}

int swp_metrics_write(const struct swp_metrics *metrics, struct swp_buf *out)
{
	for (size_t i = 0; i < metrics->count; i++)
		write_family(out, &metrics->families[i]);
	return out->failed;
}

/* --- life --- */

static void init_family(struct family *family, const struct swp_metric_row *row)
{
	check_row(row);
	family->row = row;
	while (family->label_count < SWP_METRIC_LABELS && row->labels[family->label_count])
		family->label_count++;
}

/* What does not fit is counted by the metric's name; of that metric itself, nowhere. */
static int init_dropping(struct swp_metrics *metrics, size_t row, size_t dropped)
{
	struct swp_metric_series *nowhere = &metrics->families[dropped].dropping, *counted = nowhere;
	struct family *family = &metrics->families[row];

	if (row != dropped && family->label_count > 0) {
		counted = swp_metrics_series(metrics, dropped, &family->row->name);
		if (counted == nowhere)
			return -ENOMEM;
	}
	family->dropping = (struct swp_metric_series){.row = family->row, .drops_into = counted};
	return 0;
}

struct swp_metrics *swp_metrics_new(const struct swp_metric_row *rows, size_t count, size_t dropped)
{
	struct swp_metrics *metrics = swp_calloc(1, sizeof(*metrics) + count * sizeof(*metrics->families));
	int error = 0;

	SWP_ASSERT(dropped < count && rows[dropped].kind == SWP_METRIC_COUNTER &&
		   swp_text_equal(rows[dropped].labels[0], "metric") && !rows[dropped].labels[1]);
	if (!metrics)
		return NULL;
	metrics->count = count;
	for (size_t i = 0; i < count; i++)
		init_family(&metrics->families[i], &rows[i]);
	for (size_t i = 0; i < count && error == 0; i++)
		error = init_dropping(metrics, i, dropped);
	if (error == 0)
		return metrics;
	swp_metrics_free(metrics);
	return NULL;
}

void swp_metrics_free(struct swp_metrics *metrics)
{
	if (!metrics)
		return;
	for (size_t i = 0; i < metrics->count; i++) {
		for (size_t k = 0; k < metrics->families[i].count; k++)
			series_free(metrics->families[i].series[k]);
		swp_free(metrics->families[i].series);
	}
	swp_free(metrics);
}
