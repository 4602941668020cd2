/* The registry and its text: format, order, escaping, numbers, histograms, ceilings, memory that fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/base/limits.h"
#include "proto/base/metrics.h"

enum { CALLS, MEMORY, SECONDS, FEW, DROPPED, ROWS };

static const double bounds[] = {0.1, 1, 10};
static const struct swp_metric_row rows[ROWS] = {
	[CALLS] = {"t_calls_total", SWP_METRIC_COUNTER, "Calls.", {"service", "outcome"}},
	[MEMORY] = {"t_memory_bytes", SWP_METRIC_GAUGE, "Back\\slash, \"quotes\" and\nline."},
	[SECONDS] = {"t_job_seconds", SWP_METRIC_HISTOGRAM, "Jobs.", {"kind"}, bounds, 3},
	[FEW] = {"t_few", SWP_METRIC_GAUGE, "At most three.", {"name"}, .most_series = 3},
	[DROPPED] = {"t_dropped_total", SWP_METRIC_COUNTER, "Dropped.", {"metric"}},
};

static struct swp_metrics *make(void)
{
	struct swp_metrics *metrics = swp_metrics_new(rows, ROWS, DROPPED);

	assert_non_null(metrics);
	return metrics;
}

static struct swp_metric_series *of(struct swp_metrics *metrics, size_t row, const char *a, const char *b)
{
	const char *values[] = {a, b};

	return swp_metrics_series(metrics, row, values);
}

static const char *written(struct swp_metrics *metrics)
{
	static char text[64 << 10];
	struct swp_buf out = {0};

	assert_int_equal(swp_metrics_write(metrics, &out), 0);
	assert_true(out.length < sizeof(text));
	memcpy(text, swp_buf_text(&out), out.length + 1);
	swp_buf_done(&out);
	return text;
}

static void assert_has(struct swp_metrics *metrics, const char *line)
{
	char whole[1024];
	const char *text = written(metrics);

	snprintf(whole, sizeof(whole), "\n%s\n", line);
	if (!strstr(text, whole))
		fail_msg("no line %s in\n%s", line, text);
}

#define DROPPED_TEXT                                                                                         \
	"# HELP t_dropped_total Dropped.\n"                                                                  \
	"# TYPE t_dropped_total counter\n"                                                                   \
	"t_dropped_total{metric=\"t_calls_total\"} 0\n"                                                      \
	"t_dropped_total{metric=\"t_few\"} 0\n"                                                              \
	"t_dropped_total{metric=\"t_job_seconds\"} 0\n"

static void the_whole_text(void **state)
{
	struct swp_metrics *metrics = make();
	struct swp_metric_series *series;

	(void)state;
	assert_string_equal(written(metrics), DROPPED_TEXT); /* what nobody counted is not there */
	/* Made in another order than they are written in. */
	swp_metric_add(of(metrics, CALLS, "sts", "ok"), 2);
	swp_metric_add(of(metrics, CALLS, "bedrock", "refused"), 1);
	of(metrics, CALLS, "bedrock", "ok");
	swp_metric_set(of(metrics, MEMORY, NULL, NULL), 4096);
	series = of(metrics, SECONDS, "slow", NULL);
	swp_metric_observe(series, 0.1); /* a bound belongs to its bucket */
	swp_metric_observe(series, 0.25);
	swp_metric_observe(series, 11);
	assert_string_equal(written(metrics), "# HELP t_calls_total Calls.\n"
					      "# TYPE t_calls_total counter\n"
					      "t_calls_total{service=\"bedrock\",outcome=\"ok\"} 0\n"
					      "t_calls_total{service=\"bedrock\",outcome=\"refused\"} 1\n"
					      "t_calls_total{service=\"sts\",outcome=\"ok\"} 2\n"
					      "# HELP t_memory_bytes Back\\\\slash, \"quotes\" and\\nline.\n"
					      "# TYPE t_memory_bytes gauge\n"
					      "t_memory_bytes 4096\n"
					      "# HELP t_job_seconds Jobs.\n"
					      "# TYPE t_job_seconds histogram\n"
					      "t_job_seconds_bucket{kind=\"slow\",le=\"0.1\"} 1\n"
					      "t_job_seconds_bucket{kind=\"slow\",le=\"1\"} 2\n"
					      "t_job_seconds_bucket{kind=\"slow\",le=\"10\"} 2\n"
					      "t_job_seconds_bucket{kind=\"slow\",le=\"+Inf\"} 3\n"
					      "t_job_seconds_sum{kind=\"slow\"} 11.35\n"
					      "t_job_seconds_count{kind=\"slow\"} 3\n" DROPPED_TEXT);
	assert_string_equal(swp_metric_kind_name(SWP_METRIC_HISTOGRAM), "histogram");
	swp_metrics_free(metrics);
	swp_metrics_free(NULL);
}

static void the_same_labels_are_the_same_series(void **state)
{
	struct swp_metrics *metrics = make();
	char name[16];

	(void)state;
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 100; i++) {
			snprintf(name, sizeof(name), "s%d", i * 37 % 100);
			swp_metric_add(of(metrics, CALLS, name, "ok"), i);
		}
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "s%d", i * 37 % 100);
		assert_true(swp_metric_value(of(metrics, CALLS, name, "ok")) == 2 * i);
	}
	/* Where one value ends and the next begins counts. */
	assert_ptr_not_equal(of(metrics, CALLS, "ab", "c"), of(metrics, CALLS, "a", "bc"));
	assert_ptr_equal(of(metrics, MEMORY, NULL, NULL), swp_metrics_series(metrics, MEMORY, NULL));
	swp_metrics_free(metrics);
}

static void labels_from_outside(void **state)
{
	struct swp_metrics *metrics = make();
	char long_value[2 * SWP_LIMIT_METRIC_LABEL_BYTES], expected[3 * SWP_LIMIT_METRIC_LABEL_BYTES];

	(void)state;
	of(metrics, FEW, "a\\b\"c\nd é", NULL);
	assert_has(metrics, "t_few{name=\"a\\\\b\\\"c\\nd é\"} 0");
	of(metrics, FEW, "\xff\xc3", NULL);
	assert_has(metrics, "t_few{name=\"\\\\xff\\\\xc3\"} 0");
	memset(long_value, 'x', sizeof(long_value) - 1);
	long_value[sizeof(long_value) - 1] = '\0';
	swp_metric_set(of(metrics, FEW, long_value, NULL), 7);
	snprintf(expected, sizeof(expected), "t_few{name=\"%.*s\"} 7", SWP_LIMIT_METRIC_LABEL_BYTES,
		long_value);
	assert_has(metrics, expected);
	assert_true(swp_metric_value(of(metrics, FEW, long_value, NULL)) == 7); /* is found again */
	swp_metrics_free(metrics);
}

static void numbers(void **state)
{
	static const struct {
		double value;
		const char *text;
	} cases[] = {
		{0, "0"},
		{-3, "-3"},
		{9007199254740992.0, "9007199254740992"},
		{0.1, "0.1"},
		{1.0 / 3, "0.333333333333333"},
		{0.1 + 0.2, "0.30000000000000004"},
		{1e300, "1e+300"},
		{1764230400.5, "1764230400.5"},
		{INFINITY, "+Inf"},
		{-INFINITY, "-Inf"},
		{NAN, "NaN"},
	};
	struct swp_metrics *metrics = make();
	char line[64];

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(cases); i++) {
		swp_metric_set(of(metrics, FEW, "n", NULL), cases[i].value);
		snprintf(line, sizeof(line), "t_few{name=\"n\"} %s", cases[i].text);
		if (i == 4) { /* reads as the same number, whichever precision that takes */
			const char *at = strstr(written(metrics), "t_few{name=\"n\"} ");

			assert_non_null(at);
			assert_true(strtod(at + strlen("t_few{name=\"n\"} "), NULL) == cases[i].value);
		} else {
			assert_has(metrics, line);
		}
	}
	swp_metrics_free(metrics);
}

static void above_the_ceiling(void **state)
{
	struct swp_metrics *metrics = make();
	char name[32];

	(void)state;
	for (int i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		swp_metric_set(of(metrics, FEW, name, NULL), i);
	}
	assert_has(metrics, "t_few{name=\"n2\"} 2");
	assert_null(strstr(written(metrics), "n3"));
	assert_has(metrics, "t_dropped_total{metric=\"t_few\"} 2");
	assert_has(metrics, "t_dropped_total{metric=\"t_calls_total\"} 0");
	assert_true(swp_metric_value(of(metrics, FEW, "n4", NULL)) == 0);
	assert_ptr_equal(of(metrics, FEW, "n4", NULL), swp_metrics_dropping(metrics, FEW));
	/* The general ceiling; and each kind of update is counted. */
	for (int i = 0; i < SWP_LIMIT_METRIC_SERIES; i++) {
		snprintf(name, sizeof(name), "k%d", i);
		swp_metric_observe(of(metrics, SECONDS, name, NULL), 1);
	}
	assert_true(swp_metric_value(of(metrics, DROPPED, "t_job_seconds", NULL)) == 0);
	swp_metric_observe(of(metrics, SECONDS, "one more", NULL), 1);
	swp_metric_add(of(metrics, SECONDS, "one more", NULL), 1);
	assert_true(swp_metric_value(of(metrics, DROPPED, "t_job_seconds", NULL)) == 2);
	/* The metric of what is dropped is bounded, too: by the table. */
	for (int i = 0; i < 2 * SWP_LIMIT_METRIC_SERIES; i++) {
		snprintf(name, sizeof(name), "d%d", i);
		swp_metric_add(of(metrics, DROPPED, name, NULL), 1);
	}
	swp_metrics_free(metrics);
}

static void series_that_go(void **state)
{
	struct swp_metrics *metrics = make();

	(void)state;
	of(metrics, CALLS, "a", "ok");
	of(metrics, CALLS, "b", "ok");
	of(metrics, CALLS, "b", "refused");
	of(metrics, CALLS, "c", "ok");
	swp_metrics_remove_first(metrics, CALLS, "b");
	swp_metrics_remove_first(metrics, CALLS, "nobody");
	assert_null(strstr(written(metrics), "\"b\""));
	assert_has(metrics, "t_calls_total{service=\"a\",outcome=\"ok\"} 0");
	assert_has(metrics, "t_calls_total{service=\"c\",outcome=\"ok\"} 0");
	for (int i = 0; i < 3; i++) { /* there is room again */
		char name[8];

		snprintf(name, sizeof(name), "n%d", i);
		of(metrics, FEW, name, NULL);
	}
	swp_metrics_remove_first(metrics, FEW, "n1");
	swp_metric_set(of(metrics, FEW, "new", NULL), 5);
	assert_has(metrics, "t_few{name=\"new\"} 5");
	swp_metrics_free(metrics);
}

/* Whichever allocation fails: nothing breaks, and what could not be counted is counted as that. */
static void without_memory(void **state)
{
	(void)state;
	for (unsigned long nth = 1; nth < 200; nth++) {
		struct swp_metrics *metrics;
		struct swp_buf out = {0};
		double counted;
		unsigned long made;

		swp_alloc_fail_at(nth, 0);
		metrics = swp_metrics_new(rows, ROWS, DROPPED);
		if (metrics) {
			swp_metric_add(of(metrics, CALLS, "sts", "ok"), 1);
			swp_metric_observe(of(metrics, SECONDS, "slow", NULL), 1);
			swp_metrics_write(metrics, &out);
		}
		made = swp_alloc_fail_at(0, 0);
		if (metrics) {
			counted = swp_metric_value(of(metrics, CALLS, "sts", "ok")) +
				  swp_metric_value(of(metrics, DROPPED, "t_calls_total", NULL));
			assert_true(counted == 1);
		}
		swp_buf_done(&out);
		swp_metrics_free(metrics);
		if (made < nth)
			return; /* none was left to fail */
	}
	fail_msg("there are more allocations than expected");
}

static void a_ceiling_of_the_text(void **state)
{
	struct swp_metrics *metrics = make();
	struct swp_buf out;

	(void)state;
	swp_buf_init(&out, 64);
	assert_int_not_equal(swp_metrics_write(metrics, &out), 0);
	swp_buf_done(&out);
	swp_metrics_free(metrics);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_whole_text),
		cmocka_unit_test(the_same_labels_are_the_same_series),
		cmocka_unit_test(labels_from_outside),
		cmocka_unit_test(numbers),
		cmocka_unit_test(above_the_ceiling),
		cmocka_unit_test(series_that_go),
		cmocka_unit_test(without_memory),
		cmocka_unit_test(a_ceiling_of_the_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
