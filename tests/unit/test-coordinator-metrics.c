/* What the coordinator tells: from numbers to text, several sweeps, counts that begin anew, ceilings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "coordinator/metrics.h"
#include "proto/base/error.h"
#include "proto/base/limits.h"

static struct swp_coordinator_metrics *metrics;

static int set_up(void **state)
{
	(void)state;
	metrics = swp_coordinator_metrics_new(1764230400500);
	return metrics ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	swp_coordinator_metrics_free(metrics);
	return 0;
}

static const char *written(void)
{
	static char text[4 << 20];
	struct swp_buf out = {0};

	assert_int_equal(swp_coordinator_metrics_write(metrics, &out), 0);
	assert_true(out.length < sizeof(text));
	memcpy(text, swp_buf_text(&out), out.length + 1);
	swp_buf_done(&out);
	return text;
}

static void assert_lines(const char *const *lines)
{
	const char *text = written();
	char whole[512];

	for (; *lines; lines++) {
		snprintf(whole, sizeof(whole), "\n%s\n", *lines);
		if (!strstr(text, whole))
			fail_msg("no line %s in\n%s", *lines, text);
	}
}
#define ASSERT_LINES(...) assert_lines((const char *const[]){__VA_ARGS__, NULL})

static const struct swp_sweep_progress half_way = {
	.accounts_known = 12,
	.accounts_not_planned = 2,
	.accounts_planned = 7,
	.accounts_done = 4,
	.accounts_failed = 1,
	.jobs_planned = 40,
	.jobs_running = 8,
	.jobs_done = 12,
	.jobs_lost = 2,
	.cells_planned = 100,
	.cells_pass = 20,
	.cells_fail = 5,
	.cells_not_applicable = 7,
	.cells_not_assessed = 3,
	.cells_partial = 1,
	.cells_closed = 4,
};

static void nothing_was_told(void **state)
{
	const char *text = written();

	(void)state;
	ASSERT_LINES("orgsweep_build_info{version=\"" SWP_VERSION "\",protocol=\"1\"} 1",
		"orgsweep_start_time_seconds 1764230400.5");
	assert_null(strstr(text, "# TYPE orgsweep_findings"));
	assert_null(strstr(text, "# TYPE orgsweep_coverage_ratio"));
	assert_null(strstr(text, "# TYPE orgsweep_store_up"));
	assert_null(strstr(text, "# TYPE orgsweep_strangers"));
	assert_null(strstr(text, "# TYPE orgsweep_leader"));
	assert_non_null(strstr(text, "orgsweep_cpu_seconds_total "));
	assert_non_null(strstr(text, "orgsweep_resident_memory_bytes "));
	swp_coordinator_metrics_free(NULL);
}

static void a_sweep_that_runs(void **state)
{
	const struct swp_caller_statistics own = {.calls = 30, .retried = 2, .throttled = 1};

	(void)state;
	swp_coordinator_metrics_sweep(metrics,
		&(struct swp_coordinator_sweep){.name = "nightly", .progress = &half_way, .own_calls = &own});
	swp_coordinator_metrics_sweep(metrics, &(struct swp_coordinator_sweep){.progress = &half_way});
	ASSERT_LINES("orgsweep_sweep_running{sweep=\"nightly\"} 1",
		"orgsweep_sweep_running{sweep=\"manual\"} 1", "orgsweep_cells_planned{sweep=\"nightly\"} 100",
		"orgsweep_cells{sweep=\"nightly\",state=\"pass\"} 20",
		"orgsweep_cells{sweep=\"nightly\",state=\"fail\"} 5",
		"orgsweep_cells{sweep=\"nightly\",state=\"not_applicable\"} 7",
		"orgsweep_cells{sweep=\"nightly\",state=\"not_assessed\"} 3",
		"orgsweep_cells_partial{sweep=\"nightly\"} 1", "orgsweep_cells_closed{sweep=\"nightly\"} 4",
		"orgsweep_accounts{sweep=\"nightly\",state=\"undecided\"} 3",
		"orgsweep_accounts{sweep=\"nightly\",state=\"not_planned\"} 2",
		"orgsweep_accounts{sweep=\"nightly\",state=\"open\"} 3",
		"orgsweep_accounts{sweep=\"nightly\",state=\"done\"} 3",
		"orgsweep_accounts{sweep=\"nightly\",state=\"failed\"} 1",
		"orgsweep_jobs_planned{sweep=\"nightly\"} 40",
		"orgsweep_jobs{sweep=\"nightly\",state=\"waiting\"} 20",
		"orgsweep_jobs{sweep=\"nightly\",state=\"running\"} 8",
		"orgsweep_jobs{sweep=\"nightly\",state=\"done\"} 10",
		"orgsweep_jobs{sweep=\"nightly\",state=\"lost\"} 2", "orgsweep_aws_requests_total 30",
		"orgsweep_aws_retries_total 2", "orgsweep_aws_throttles_total 1",
		"orgsweep_sweeps_total{sweep=\"nightly\",status=\"complete\"} 0",
		"orgsweep_sweep_last_complete_timestamp_seconds{sweep=\"nightly\"} 0");
	/* Of a sweep under way nothing is told as its result. */
	assert_null(strstr(written(), "# TYPE orgsweep_findings"));
	assert_null(strstr(written(), "# TYPE orgsweep_coverage_ratio"));
}

static void end_sweep(const char *name, const struct swp_sweep_progress *progress, uint64_t calls,
	enum swp_sweep_end end, enum swp_sweep_status status, bool enumeration_complete)
{
	const struct swp_caller_statistics own = {.calls = calls};
	const struct swp_coordinator_sweep sweep = {name, progress, &own};
	const struct swp_sweep_result result = {
		.end = end, .status = status, .enumeration_complete = enumeration_complete};

	swp_coordinator_metrics_ended(metrics, &sweep, &result, 1764237600000, 61500);
}

static void a_sweep_that_ended(void **state)
{
	struct swp_sweep_progress whole = half_way;

	(void)state;
	whole.findings[SWP_SEVERITY_HIGH] = 5;
	whole.chains[SWP_SEVERITY_CRITICAL] = 2;
	end_sweep("nightly", &whole, 40, SWP_SWEEP_END_SWEPT, SWP_SWEEP_COMPLETE, true);
	ASSERT_LINES("orgsweep_sweep_running{sweep=\"nightly\"} 0",
		"orgsweep_sweeps_total{sweep=\"nightly\",status=\"complete\"} 1",
		"orgsweep_sweep_last_complete_timestamp_seconds{sweep=\"nightly\"} 1764237600",
		"orgsweep_sweep_last_duration_seconds{sweep=\"nightly\"} 61.5",
		"orgsweep_coverage_ratio{sweep=\"nightly\"} 0.96",
		"orgsweep_findings{sweep=\"nightly\",severity=\"HIGH\"} 5",
		"orgsweep_findings{sweep=\"nightly\",severity=\"INFO\"} 0",
		"orgsweep_chains{sweep=\"nightly\",severity=\"CRITICAL\"} 2");
	/* Another run's first numbers neither touch the results nor are they taken for a smaller count of calls. */
	swp_coordinator_metrics_sweep(
		metrics, &(struct swp_coordinator_sweep){.name = "nightly",
				 .progress = &half_way,
				 .own_calls = &(struct swp_caller_statistics){.calls = 50}});
	ASSERT_LINES("orgsweep_sweep_running{sweep=\"nightly\"} 1",
		"orgsweep_findings{sweep=\"nightly\",severity=\"HIGH\"} 5", "orgsweep_aws_requests_total 90");
	end_sweep("nightly", &half_way, 60, SWP_SWEEP_END_STORE_LOST, SWP_SWEEP_COMPLETE, false);
	ASSERT_LINES("orgsweep_sweeps_total{sweep=\"nightly\",status=\"store_lost\"} 1",
		"orgsweep_sweeps_total{sweep=\"nightly\",status=\"complete\"} 1",
		"orgsweep_findings{sweep=\"nightly\",severity=\"HIGH\"} 5",
		"orgsweep_coverage_ratio{sweep=\"nightly\"} 0.96", "orgsweep_aws_requests_total 100");
}

static void coverage(void **state)
{
	static const struct {
		uint64_t planned, not_assessed, partial;
		bool enumeration_complete;
		const char *line;
	} cases[] = {
		{0, 0, 0, true, "orgsweep_coverage_ratio{sweep=\"c\"} 0"},
		{3, 1, 0, true, "orgsweep_coverage_ratio{sweep=\"c\"} 0.6666"}, /* rounded down */
		{8, 2, 1, true, "orgsweep_coverage_ratio{sweep=\"c\"} 0.625"},
		{5, 0, 0, true, "orgsweep_coverage_ratio{sweep=\"c\"} 1"},
		{5, 0, 0, false, "orgsweep_coverage_ratio{sweep=\"c\"} 0.9999"},
		{5, 5, 0, true, "orgsweep_coverage_ratio{sweep=\"c\"} 0"},
	};

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(cases); i++) {
		const struct swp_sweep_progress progress = {.cells_planned = cases[i].planned,
			.cells_not_assessed = cases[i].not_assessed,
			.cells_partial = cases[i].partial};

		end_sweep("c", &progress, 0, SWP_SWEEP_END_SWEPT, SWP_SWEEP_CANCELLED,
			cases[i].enumeration_complete);
		ASSERT_LINES(cases[i].line);
	}
	ASSERT_LINES("orgsweep_sweeps_total{sweep=\"c\",status=\"cancelled\"} 6",
		"orgsweep_sweep_last_complete_timestamp_seconds{sweep=\"c\"} 0"); /* never complete */
	end_sweep("c", &half_way, 0, SWP_SWEEP_END_COULD_NOT_RUN, SWP_SWEEP_COMPLETE, false);
	ASSERT_LINES("orgsweep_sweeps_total{sweep=\"c\",status=\"could_not_run\"} 1",
		"orgsweep_sweeps_total{sweep=\"c\",status=\"complete\"} 0");
}

static void sweeps_come_and_go(void **state)
{
	char name[32], line[128];

	(void)state;
	swp_coordinator_metrics_last_complete(metrics, "old", 1764230400000);
	swp_coordinator_metrics_last_complete(metrics, "new", 0);
	ASSERT_LINES("orgsweep_sweep_last_complete_timestamp_seconds{sweep=\"old\"} 1764230400",
		"orgsweep_sweep_last_complete_timestamp_seconds{sweep=\"new\"} 0");
	swp_coordinator_metrics_sweep(
		metrics, &(struct swp_coordinator_sweep){.name = "old", .progress = &half_way});
	swp_coordinator_metrics_forget(metrics, "old");
	swp_coordinator_metrics_forget(metrics, "nobody");
	assert_null(strstr(written(), "\"old\""));
	ASSERT_LINES("orgsweep_sweep_running{sweep=\"new\"} 0");
	for (int i = 0; i < SWP_LIMIT_METRIC_SWEEPS + 2; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		swp_coordinator_metrics_sweep(
			metrics, &(struct swp_coordinator_sweep){.name = name, .progress = &half_way});
	}
	snprintf(
		line, sizeof(line), "orgsweep_cells_planned{sweep=\"s%d\"} 100", SWP_LIMIT_METRIC_SWEEPS - 2);
	ASSERT_LINES(line, "orgsweep_metric_updates_dropped_total{metric=\"orgsweep_sweeps_total\"} 3",
		"orgsweep_metric_updates_dropped_total{metric=\"orgsweep_cells\"} 0");
	snprintf(line, sizeof(line), "\"s%d\"", SWP_LIMIT_METRIC_SWEEPS);
	assert_null(strstr(written(), line));
}

static void what_sweeps_share(void **state)
{
	const struct swp_dispatch_worker_states workers = {.ready = 1, .busy = 2, .draining = 3, .lost = 4};
	struct swp_dispatch_numbers numbers = {.ready = 9, .leases_expired = 5, .leases_gone = 2};

	(void)state;
	swp_coordinator_metrics_dispatch(metrics, &numbers, &workers);
	numbers.leases_expired = 7;
	swp_coordinator_metrics_dispatch(metrics, &numbers, &workers);
	numbers = (struct swp_dispatch_numbers){.leases_expired = 1}; /* made anew */
	swp_coordinator_metrics_dispatch(metrics, &numbers, &workers);
	swp_coordinator_metrics_store(metrics, false, 0);
	ASSERT_LINES("orgsweep_store_up 0", "orgsweep_store_reconnects_total 0");
	swp_coordinator_metrics_store(metrics, true, 1);
	ASSERT_LINES("orgsweep_store_up 1", "orgsweep_store_reconnects_total 0");
	swp_coordinator_metrics_store(metrics, true, 4);
	swp_coordinator_metrics_leader(metrics, false);
	swp_coordinator_metrics_strangers(metrics, "unknown_key", 10);
	swp_coordinator_metrics_strangers(metrics, "unknown_key", 11);
	swp_coordinator_metrics_strangers(metrics, "malformed", 2);
	swp_coordinator_metrics_strangers(metrics, "unknown_key", 3); /* made anew */
	ASSERT_LINES("orgsweep_jobs_ready 0", "orgsweep_leases_lost_total{cause=\"expired\"} 8",
		"orgsweep_leases_lost_total{cause=\"worker_gone\"} 2", "orgsweep_workers{state=\"ready\"} 1",
		"orgsweep_workers{state=\"busy\"} 2", "orgsweep_workers{state=\"draining\"} 3",
		"orgsweep_workers{state=\"lost\"} 4", "orgsweep_store_reconnects_total 3",
		"orgsweep_leader 0", "orgsweep_strangers_refused_total{reason=\"unknown_key\"} 14",
		"orgsweep_strangers_refused_total{reason=\"malformed\"} 2");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(nothing_was_told),
		TEST(a_sweep_that_runs),
		TEST(a_sweep_that_ended),
		TEST(coverage),
		TEST(sweeps_come_and_go),
		TEST(what_sweeps_share),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
