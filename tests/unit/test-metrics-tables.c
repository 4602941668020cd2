/* The tables of docs/metrics.md are those of the programs. `test-metrics-tables --write` puts them in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "coordinator/metrics.h"
#include "proto/base/buf.h"
#include "proto/base/error.h"
#include "proto/base/text.h"
#include "worker/metrics.h"

#define PAGE "docs/metrics.md"

static const struct table {
	const char *name;
	const struct swp_metric_row *(*rows)(void);
	size_t count;
} tables[] = {
	{"coordinator", swp_coordinator_metric_rows, SWP_COORDINATOR_METRIC_COUNT},
	{"worker", swp_worker_metric_rows, SWP_WORKER_METRIC_COUNT},
};

static void append_table(struct swp_buf *out, const struct table *table)
{
	const struct swp_metric_row *rows = table->rows();

	swp_buf_append_text(out, "| metric | kind | labels | what |\n|---|---|---|---|\n");
	for (size_t i = 0; i < table->count; i++) {
		swp_buf_append_format(
			out, "| `%s` | %s | ", rows[i].name, swp_metric_kind_name(rows[i].kind));
		for (size_t k = 0; k < SWP_METRIC_LABELS && rows[i].labels[k]; k++)
			swp_buf_append_format(out, "%s`%s`", k ? ", " : "", rows[i].labels[k]);
		swp_buf_append_format(out, " | %s |\n", rows[i].help);
	}
}

static void read_page(struct swp_buf *text)
{
	char bytes[4096];
	size_t length;
	FILE *file = fopen(PAGE, "re");

	assert_non_null(file);
	while ((length = fread(bytes, 1, sizeof(bytes), file)) > 0)
		assert_int_equal(swp_buf_append(text, bytes, length), 0);
	fclose(file);
}

/* The page with the tables as they should be. */
static void make_page(const struct swp_buf *page, struct swp_buf *out)
{
	const char *at = swp_buf_text(page);

	for (size_t i = 0; i < SWP_ARRAY_SIZE(tables); i++) {
		char begin[64], end[64];
		const char *from, *to;

		snprintf(begin, sizeof(begin), "<!-- begin %s -->\n", tables[i].name);
		snprintf(end, sizeof(end), "<!-- end %s -->\n", tables[i].name);
		from = strstr(at, begin);
		to = from ? strstr(from, end) : NULL;
		if (!from || !to)
			fail_msg("no place for the table of the %s in " PAGE, tables[i].name);
		from += strlen(begin);
		swp_buf_append(out, at, (size_t)(from - at));
		append_table(out, &tables[i]);
		at = to;
	}
	swp_buf_append_text(out, at);
	assert_int_equal(out->failed, 0);
}

static void the_page_is_right(void **state)
{
	struct swp_buf page = {0}, made = {0};

	(void)state;
	read_page(&page);
	make_page(&page, &made);
	if (strcmp(swp_buf_text(&page), swp_buf_text(&made)) != 0)
		fail_msg(PAGE " has other tables than the programs; run from the root: test-metrics-tables "
			      "--write");
	swp_buf_done(&page);
	swp_buf_done(&made);
}

static void write_the_page(void **state)
{
	struct swp_buf page = {0}, made = {0};
	FILE *file;

	(void)state;
	read_page(&page);
	make_page(&page, &made);
	file = fopen(PAGE, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(made.data, 1, made.length, file), made.length);
	assert_int_equal(fclose(file), 0);
	swp_buf_done(&page);
	swp_buf_done(&made);
}

/* Base units, prefixes, no name twice: what promtool can't see of rows that a run never fills. */
static void names_follow_the_rules(void **state)
{
	static const char *const other_units[] = {
		"_milliseconds", "_ms", "_minutes", "_hours", "_percent", "_kilobytes", "_megabytes"};
	static const char *const prefixes[] = {"orgsweep_", "orgsweep_worker_"};

	(void)state;
	for (size_t t = 0; t < SWP_ARRAY_SIZE(tables); t++) {
		const struct swp_metric_row *rows = tables[t].rows();

		for (size_t i = 0; i < tables[t].count; i++) {
			assert_true(swp_text_starts(rows[i].name, prefixes[t]));
			assert_true(swp_text_ends(rows[i].help, "."));
			assert_null(strchr(rows[i].help, '|'));
			for (size_t k = 0; k < SWP_ARRAY_SIZE(other_units); k++)
				assert_null(strstr(rows[i].name, other_units[k]));
			for (size_t k = 0; k < i; k++)
				assert_string_not_equal(rows[i].name, rows[k].name);
		}
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_follow_the_rules),
		cmocka_unit_test(the_page_is_right),
	};
	const struct CMUnitTest writing[] = {cmocka_unit_test(write_the_page)};

	if (argc > 1 && swp_text_equal(argv[1], "--write"))
		return cmocka_run_group_tests(writing, NULL, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
