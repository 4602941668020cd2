/* orgsweep sweep: resolves, runs the core on a loop, writes the report from the store, and tells the exit code. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/commands.h"
#include "coordinator/metrics-endpoint.h"
#include "coordinator/outputs.h"
#include "coordinator/progress.h"
#include "coordinator/report.h"
#include "proto/base/alloc.h"
#include "proto/base/log.h"
#include "proto/base/text.h"
#include "proto/record/keys.h"

#define REPORT_PATIENCE_MS 60000

struct sweeping {
	struct swp_settings settings;
	struct swp_resume *resume; /* NULL: a new sweep */
	struct swp_outputs outputs;
	struct swp_loop *loop;
	struct swp_signals *signals;
	struct swp_sweep *sweep;
	struct swp_progress *progress;
	struct swp_metrics_endpoint *metrics;
	struct swp_sweep_result result;
	struct swp_problem problem;
	int signals_seen;
	bool finished;
};

void swp_command_complain(const char *format, ...)
{
	char text[2048];
	va_list arguments;
	SWP_CLEANUP(swp_buf_done) struct swp_buf clean = {0};
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	(void)swp_text_clean(&clean, text, strlen(text));
	fprintf(stderr, "orgsweep: %s\n", swp_buf_text(&clean));
}

int swp_command_run(const struct swp_command_row *command, int argc, char *const *argv,
	int (*run)(struct swp_settings *settings, struct swp_problem *problem))
{
	struct swp_settings settings = {0};
	struct swp_problem problem = {""};
	int error = swp_settings_resolve(&settings, command, argc, argv, &problem);

	if (!error && !swp_command_helped(&settings))
		error = run(&settings, &problem);
	if (error)
		swp_command_complain(
			"%s", *problem.text ? problem.text : strerror(error < 0 ? -error : error));
	swp_settings_done(&settings);
	return error ? SWP_EXIT_COULD_NOT : SWP_EXIT_OK;
}

int swp_command_exit_line(int code, const char *why)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf clean = {0};
	(void)swp_text_clean(&clean, why, strlen(why));
	fprintf(stderr, "exit %d: %s\n", code, swp_buf_text(&clean));
	return code;
}

bool swp_command_colour(void)
{
	const char *never = getenv("NO_COLOR");
	return isatty(STDERR_FILENO) && !(never && *never);
}

bool swp_command_helped(const struct swp_settings *settings)
{
	if (!swp_options_flag(&settings->options, SWP_OPT_HELP))
		return false;
	swp_options_command_help(stdout, settings->options.command);
	return true;
}

/* --exclude-regions may not take away all that --regions names. */
static int check_regions(const struct swp_options *options, struct swp_problem *problem)
{
	const struct swp_option_value *with = &options->values[SWP_OPT_REGIONS];
	const struct swp_option_value *without = &options->values[SWP_OPT_EXCLUDE_REGIONS];
	size_t left = 0;
	for (size_t i = 0; i < with->item_count; i++) {
		bool excluded = false;
		for (size_t k = 0; k < without->item_count; k++)
			excluded |= swp_glob_match(without->items[k], with->items[i]);
		left += !excluded;
	}
	if (with->item_count && !left)
		return swp_problem_set(problem, -EINVAL,
			"nothing is in scope: --exclude-regions takes away all that --regions names");
	return 0;
}

static int resolve_all(struct swp_settings *settings, struct swp_problem *problem)
{
	static int (*const parts[])(struct swp_settings * settings, struct swp_problem * problem) = {
		swp_settings_catalogue, swp_settings_selection, swp_settings_store, swp_settings_endpoints,
		swp_settings_workers, swp_settings_fleet_keys};
	for (size_t i = 0; i < SWP_ARRAY_SIZE(parts); i++) {
		int error = parts[i](settings, problem);
		if (error)
			return error;
	}
	return check_regions(&settings->options, problem);
}

static void sweep_finished(void *context, const struct swp_sweep_result *result)
{
	struct sweeping *sweeping = context;
	sweeping->result = *result;
	if (result->problem)
		sweeping->problem = *result->problem;
	sweeping->finished = true;
	swp_metrics_endpoint_ended(sweeping->metrics, result);
	swp_loop_stop(sweeping->loop);
}

/* The first signal cancels, a second one ends at once. */
static void signalled(int number, void *context)
{
	struct sweeping *sweeping = context;
	if (sweeping->signals_seen++) {
		swp_sweep_free(sweeping->sweep);
		swp_outputs_done(&sweeping->outputs);
		_exit(128 + number);
	}
	swp_command_complain("%s: ending the sweep; what was seen is reported (again: end at once)",
		number == SIGINT ? "interrupted" : "terminated");
	if (!sweeping->finished)
		swp_sweep_cancel(sweeping->sweep, number);
	else
		sweeping->result.cancelled_by = number;
}

static void plan_account(void *context, const struct swp_sweep_account *account)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf line = {0};

	(void)context;
	swp_buf_append_format(&line, "%s  %-10s  ", account->id, account->state);
	swp_text_clean(&line, account->name, strlen(account->name));
	if (account->not_planned)
		swp_buf_append_format(&line, "  (not planned: %s)", account->not_planned_why);
	else if (account->reason != SWP_REASON_NONE) {
		swp_buf_append_format(&line, "  (%s: ", swp_reason_name(account->reason));
		swp_text_clean(&line, account->message, strlen(account->message));
		swp_buf_append_text(&line, ")");
	} else {
		swp_buf_append_format(&line, "  %zu region%s, %llu cells, about %llu calls",
			account->region_count, account->region_count == 1 ? "" : "s",
			(unsigned long long)account->cells, (unsigned long long)account->expected_calls);
	}
	puts(swp_buf_text(&line));
}

static int start_metrics(struct sweeping *sweeping)
{
	const char *address = swp_options_text(&sweeping->settings.options, SWP_OPT_METRICS);

	if (!address || swp_options_flag(&sweeping->settings.options, SWP_OPT_PLAN))
		return 0;
	sweeping->metrics = swp_metrics_endpoint_new(sweeping->loop, address, &sweeping->problem);
	return sweeping->metrics ? 0 : -EINVAL;
}

static int append_selected(const struct swp_settings *settings, struct swp_buf *ids)
{
	for (size_t i = 0; i < swp_catalogue_check_count(settings->catalogue); i++)
		if (swp_selection_has(&settings->selection, i))
			swp_buf_append_format(ids, "%s%s", ids->length ? "," : "",
				swp_catalogue_check(settings->catalogue, i)->id);
	return ids->failed ? -ENOMEM : 0;
}

/* Checks may be left out with --resume; those given must be the same. */
static int same_checks(const struct sweeping *sweeping, struct swp_problem *problem)
{
	const struct swp_options *options = &sweeping->settings.options;
	SWP_CLEANUP(swp_buf_done) struct swp_buf ids = {0};

	if (!swp_options_given(options, SWP_OPT_CHECKS) &&
		!swp_options_given(options, SWP_OPT_EXCLUDE_CHECKS))
		return 0;
	if (append_selected(&sweeping->settings, &ids))
		return -ENOMEM;
	if (swp_text_equal(swp_buf_text(&ids), swp_resume_field(sweeping->resume, SWP_SWEEP_FIELD_SELECTION)))
		return 0;
	return swp_problem_set(problem, -EINVAL,
		"sweep %s was begun with other checks; leave out --checks and --exclude-checks",
		sweeping->resume->sweep);
}

static int load_resume(struct sweeping *sweeping)
{
	const char *word = swp_options_text(&sweeping->settings.options, SWP_OPT_RESUME);
	struct swp_reading *reading = NULL;
	char id[SWP_KEY_BYTES];
	int error;

	if (!word)
		return 0;
	error = swp_reading_open(&sweeping->settings, &reading, &sweeping->problem);
	if (!error)
		error = swp_reading_find_unfinished(
			swp_reading_asker(reading), word, id, sizeof(id), &sweeping->problem);
	if (!error)
		error = swp_resume_load(
			swp_reading_asker(reading), id, &sweeping->resume, &sweeping->problem);
	swp_reading_close(reading);
	return error ? error : same_checks(sweeping, &sweeping->problem);
}

static int start(struct sweeping *sweeping)
{
	static const int numbers[] = {SIGINT, SIGTERM};
	struct swp_sweep_options options;
	bool plan = swp_options_flag(&sweeping->settings.options, SWP_OPT_PLAN);
	bool quiet = swp_options_flag(&sweeping->settings.options, SWP_OPT_QUIET);
	struct swp_sweep_events events = {
		.account = plan ? plan_account : NULL, .finished = sweep_finished, .context = sweeping};
	swp_settings_sweep_options(&sweeping->settings, &options);
	options.resume = sweeping->resume;
	if (sweeping->resume) {
		options.catalogue = sweeping->resume->catalogue;
		options.selection = &sweeping->resume->selection;
	}
	sweeping->loop = swp_loop_new(swp_clock_system());
	if (!sweeping->loop)
		return swp_problem_set(
			&sweeping->problem, -ENOMEM, "the event loop could not be made: %s", strerror(errno));
	sweeping->signals =
		swp_signals_new(sweeping->loop, numbers, SWP_ARRAY_SIZE(numbers), signalled, sweeping);
	if (start_metrics(sweeping) < 0)
		return -EINVAL;
	sweeping->sweep = swp_sweep_new(sweeping->loop, &options, &events, &sweeping->problem);
	if (!sweeping->sweep)
		return -EINVAL;
	if (sweeping->metrics)
		swp_metrics_endpoint_watch(sweeping->metrics, sweeping->sweep);
	if (!quiet && !plan)
		sweeping->progress = swp_progress_new(sweeping->loop, sweeping->sweep, isatty(STDERR_FILENO));
	return swp_sweep_start(sweeping->sweep);
}

/* The report, from the store alone. 0 or the exit code of what went wrong; sweeping->problem tells. */
static int report(struct sweeping *sweeping, int *ret_code, struct swp_buf *why)
{
	const struct swp_options *options = &sweeping->settings.options;
	struct swp_asker asker = {sweeping->loop, swp_sweep_store(sweeping->sweep), REPORT_PATIENCE_MS};
	struct swp_report *model = NULL;
	enum swp_severity fail_on = SWP_SEVERITY_COUNT;
	int error;
	swp_sweep_release(sweeping->sweep);
	error = swp_report_open(&asker, swp_sweep_id(sweeping->sweep), &model, &sweeping->problem);
	if (error)
		return error;
	(void)swp_severity_parse(swp_options_text(options, SWP_OPT_FAIL_ON), &fail_on);
	error = swp_outputs_write(
		&sweeping->outputs, model, swp_options_flag(options, SWP_OPT_ALL), &sweeping->problem);
	if (!swp_options_flag(options, SWP_OPT_QUIET)) {
		struct swp_problem ignored;
		char hint[256];
		bool demo = options->command->command == SWP_COMMAND_DEMO;
		snprintf(hint, sizeof(hint),
			demo ? "`orgsweep demo --output report.json` writes the whole report"
			     : "the sweep is kept: `orgsweep report %s --output report.json` writes the "
			       "whole report",
			swp_sweep_id(sweeping->sweep));
		(void)swp_report_write_summary(model, stderr, swp_command_colour(),
			error ? NULL : sweeping->outputs.names, hint, &ignored);
	}
	*ret_code =
		swp_report_exit_code(model, fail_on, swp_options_percent(options, SWP_OPT_MIN_COVERAGE), why);
	swp_report_free(model);
	return error;
}

static int plan_end(const struct sweeping *sweeping)
{
	const struct swp_sweep_progress *progress = swp_sweep_progress(sweeping->sweep);
	printf("%u accounts listed, %u not planned, %u without a role; %llu jobs, %llu cells, about %llu "
	       "calls\n",
		progress->accounts_known, progress->accounts_not_planned, progress->accounts_failed,
		(unsigned long long)progress->jobs_planned, (unsigned long long)progress->cells_planned,
		(unsigned long long)progress->expected_calls);
	return swp_command_exit_line(SWP_EXIT_OK, "planned; nothing was swept");
}

static int finish(struct sweeping *sweeping)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf why = {0};
	int code = 0;
	if (sweeping->result.end == SWP_SWEEP_END_COULD_NOT_RUN)
		return swp_command_exit_line(SWP_EXIT_COULD_NOT, sweeping->problem.text);
	if (sweeping->result.end == SWP_SWEEP_END_STORE_LOST || sweeping->result.end == SWP_SWEEP_END_DEPOSED)
		return swp_command_exit_line(SWP_EXIT_LOST, sweeping->problem.text);
	if (swp_options_flag(&sweeping->settings.options, SWP_OPT_PLAN))
		return plan_end(sweeping);
	if (report(sweeping, &code, &why))
		return swp_command_exit_line(SWP_EXIT_LOST, sweeping->problem.text);
	if (sweeping->result.cancelled_by) {
		swp_buf_clear(&why);
		swp_buf_append_format(&why, "%s; the partial report holds what was seen",
			sweeping->result.cancelled_by == SIGINT ? "interrupted" : "terminated");
		code = 128 + sweeping->result.cancelled_by;
	}
	return swp_command_exit_line(code, swp_buf_text(&why));
}

static int run(struct sweeping *sweeping, const struct swp_command_row *command, int argc, char *const *argv)
{
	int error = swp_settings_resolve(&sweeping->settings, command, argc, argv, &sweeping->problem);
	if (!error && swp_command_helped(&sweeping->settings))
		return SWP_EXIT_OK;
	if (!error)
		error = resolve_all(&sweeping->settings, &sweeping->problem);
	if (!error)
		error = swp_outputs_open(&sweeping->outputs, &sweeping->settings.options, &sweeping->problem);
	if (!error)
		error = load_resume(sweeping);
	if (!error)
		error = start(sweeping);
	if (!error)
		error = swp_loop_run(sweeping->loop);
	swp_progress_free(sweeping->progress);
	sweeping->progress = NULL;
	if (error)
		return swp_command_exit_line(SWP_EXIT_COULD_NOT,
			*sweeping->problem.text ? sweeping->problem.text : strerror(-error));
	return finish(sweeping);
}

int swp_command_sweep(const struct swp_command_row *command, int argc, char *const *argv)
{
	struct sweeping sweeping = {.finished = false};
	int code = run(&sweeping, command, argc, argv);
	swp_metrics_endpoint_free(sweeping.metrics);
	swp_sweep_free(sweeping.sweep);
	swp_resume_free(sweeping.resume);
	swp_signals_free(sweeping.signals);
	swp_outputs_done(&sweeping.outputs);
	swp_loop_free(sweeping.loop);
	swp_settings_done(&sweeping.settings);
	return code;
}
