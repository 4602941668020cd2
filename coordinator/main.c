/* orgsweep: finds the command and runs it. */
#include <stdio.h>
#include <string.h>

#include "coordinator/commands.h"
#include "proto/base/error.h"
#include "proto/base/text.h"
#include "proto/io/process.h"

static const struct {
	enum swp_command command;
	int (*run)(const struct swp_command_row *command, int argc, char *const *argv);
} runs[] = {
	{SWP_COMMAND_SWEEP, swp_command_sweep},
	{SWP_COMMAND_REPORT, swp_command_report},
	{SWP_COMMAND_CHECKS, swp_command_checks},
	{SWP_COMMAND_CHAINS, swp_command_chains},
	{SWP_COMMAND_STATUS, swp_command_status},
	{SWP_COMMAND_DOCTOR, swp_command_doctor},
	{SWP_COMMAND_DEMO, swp_command_demo},
	{SWP_COMMAND_SERVE, swp_command_serve},
	{SWP_COMMAND_SWEEPS, swp_command_status},
	{SWP_COMMAND_CANCEL, swp_command_cancel},
	{SWP_COMMAND_DRAIN, swp_command_drain},
	{SWP_COMMAND_KEYS, swp_command_keys},
	{SWP_COMMAND_STORE, swp_command_store},
};

static int unknown(const char *word)
{
	const char *names[32];
	size_t count = 0;
	for (; swp_command_row(count); count++)
		names[count] = swp_command_row(count)->name;
	const char *nearest = swp_nearest(word, names, count);
	if (nearest)
		swp_command_complain("unknown command '%s'; did you mean `orgsweep %s`?", word, nearest);
	else
		swp_command_complain("unknown command '%s'; see `orgsweep --help`", word);
	return SWP_EXIT_COULD_NOT;
}

int main(int argc, char **argv)
{
	swp_process_harden();
	swp_process_raise_descriptors();
	/* A summary has hundreds of pieces, and a line is what others read beside it. */
	setvbuf(stderr, NULL, _IOLBF, BUFSIZ);
	if (argc < 2) {
		swp_options_help(stderr);
		return SWP_EXIT_COULD_NOT;
	}
	if (swp_text_equal(argv[1], "--help") || swp_text_equal(argv[1], "-h") ||
		swp_text_equal(argv[1], "help")) {
		swp_options_help(stdout);
		return SWP_EXIT_OK;
	}
	if (swp_text_equal(argv[1], "--version")) {
		printf("orgsweep %s\n", SWP_VERSION);
		return SWP_EXIT_OK;
	}
	const struct swp_command_row *command = swp_command_find(argv[1]);
	for (size_t i = 0; command && i < SWP_ARRAY_SIZE(runs); i++)
		if (runs[i].command == command->command)
			return runs[i].run(command, argc - 2, argv + 2);
	return unknown(argv[1]);
}
