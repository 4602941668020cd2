/* Numbers for Prometheus: a registry made from a table of metrics, and its text in the exposition format 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/, "Text-based format"). No locks and no threads.
 *
 * A series (one metric with one set of label values) is looked up once and kept by who counts; adding to it is an addition. How many
 * series a metric may have is bounded: what is above is counted in a metric of its own, by the name of the metric that was full.
 */
#ifndef SWP_BASE_METRICS_H
#define SWP_BASE_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "proto/base/buf.h"

#define SWP_METRIC_LABELS 2 /* label names of one metric at most */

enum swp_metric_kind {
	SWP_METRIC_COUNTER,
	SWP_METRIC_GAUGE,
	SWP_METRIC_HISTOGRAM,
	SWP_METRIC_KIND_COUNT,
};
const char *swp_metric_kind_name(enum swp_metric_kind kind); /* "counter", as TYPE lines and docs say it */

struct swp_metric_row {
	const char *name; /* base units; a counter's ends with _total */
	enum swp_metric_kind kind;
	const char *help;
	const char *labels[SWP_METRIC_LABELS]; /* names; NULL: no more */
	const double *buckets;		       /* histogram: upper bounds, ascending, without +Inf */
	size_t bucket_count;
	unsigned most_series; /* 0: SWP_LIMIT_METRIC_SERIES */
};

struct swp_metrics;	  /* opaque */
struct swp_metric_series; /* opaque */

/* `rows` are borrowed for life and must be as the format and Prometheus' naming rules want them (asserted). `dropped` is the index of a
 * counter with the one label "metric": it counts the updates of series that did not fit, and has a series for every metric with labels
 * from the start. NULL on out of memory. */
struct swp_metrics *swp_metrics_new(const struct swp_metric_row *rows, size_t count, size_t dropped);
void swp_metrics_free(struct swp_metrics *metrics); /* takes NULL */

/* The series of that row with these label values (as many as the row has labels; NULL for none), made if it is not there: from then on it
 * is written, with 0 until something is counted. Never NULL: above the ceiling, and without memory, it is one that drops what it is given
 * and counts that. Values longer than SWP_LIMIT_METRIC_LABEL_BYTES are cut, what is no UTF-8 in them is shown as \xNN. Borrowed until it
 * is removed. */
struct swp_metric_series *swp_metrics_series(
	struct swp_metrics *metrics, size_t row, const char *const *label_values);
/* The one that drops what it is given, of that row. */
struct swp_metric_series *swp_metrics_dropping(struct swp_metrics *metrics, size_t row);
/* Forgets all series of that row whose first label has that value. Nobody may hold one of them any more. */
void swp_metrics_remove_first(struct swp_metrics *metrics, size_t row, const char *first_value);

/* Counter (`by` ≥ 0) or gauge. */
void swp_metric_add(struct swp_metric_series *series, double by);
/* A gauge; or a counter whose count is kept elsewhere and never goes down. */
void swp_metric_set(struct swp_metric_series *series, double value);
/* Histogram. */
void swp_metric_observe(struct swp_metric_series *series, double value);
/* Counter or gauge: what it stands at; 0 of one that drops. */
double swp_metric_value(const struct swp_metric_series *series);

/* Appends all metrics that have a series: in the order of the rows, a metric's series by their label values, bytewise. 0, -ENOMEM, -E2BIG. */
int swp_metrics_write(const struct swp_metrics *metrics, struct swp_buf *out);

#endif
