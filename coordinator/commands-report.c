/* orgsweep report: the report of a sweep, from the store alone; a sweep whose coordinator died is correlated first. */
#include <errno.h>
#include <string.h>

#include "coordinator/commands.h"
#include "coordinator/finish.h"
#include "coordinator/outputs.h"
#include "coordinator/report.h"
#include "proto/base/text.h"
#include "proto/record/keys.h"

static int write_report(struct swp_settings *settings, const struct swp_asker *asker, const char *sweep,
	struct swp_problem *problem)
{
	struct swp_report *report = NULL;
	struct swp_outputs outputs = {0};
	const struct swp_options *options = &settings->options;
	int error = swp_finish_run(asker, sweep, problem);
	if (!error)
		error = swp_outputs_open(&outputs, options, problem);
	if (!error)
		error = swp_report_open(asker, sweep, &report, problem);
	if (!error)
		error = swp_outputs_write(&outputs, report, swp_options_flag(options, SWP_OPT_ALL), problem);
	if (!error && !swp_options_flag(options, SWP_OPT_QUIET) && !outputs.count)
		error = swp_report_write_summary(report, stderr, swp_command_colour(), NULL,
			"add --output report.json to write the whole report", problem);
	swp_report_free(report);
	swp_outputs_done(&outputs);
	return error;
}

static int run(struct swp_settings *settings, struct swp_problem *problem)
{
	struct swp_reading *reading = NULL;
	char sweep[SWP_KEY_BYTES];
	const char *word = settings->options.operand_count ? settings->options.operands[0] : "latest";
	int error = swp_settings_store(settings, problem);
	if (!error)
		error = swp_reading_open(settings, &reading, problem);
	if (!error)
		error = swp_reading_find_sweep(
			swp_reading_asker(reading), word, sweep, sizeof(sweep), problem);
	if (!error)
		error = write_report(settings, swp_reading_asker(reading), sweep, problem);
	swp_reading_close(reading);
	return error;
}

int swp_command_report(const struct swp_command_row *command, int argc, char *const *argv)
{
	return swp_command_run(command, argc, argv, run);
}
