/* Where reports go: opened before a sweep starts, so that a wrong path costs nothing; each file is written beside its place and
 * takes its name when it is whole. 0600, since a report is a map for an attacker.
 */
#ifndef SWP_COORDINATOR_OUTPUTS_H
#define SWP_COORDINATOR_OUTPUTS_H

#include <stdbool.h>
#include <stdio.h>

#include "coordinator/options.h"
#include "coordinator/report.h"

struct swp_output {
	const char *path; /* borrowed; "-" is standard output */
	char *fresh_path; /* owned; NULL: written in place (standard output, devices, pipes), or not named yet */
	FILE *stream;
	bool nameless; /* the file has no name until it is whole */
};
struct swp_outputs {
	struct swp_output *items; /* owned */
	size_t count;
	const char **names; /* owned; of files, NULL-terminated, for the summary */
};

/* Opens what --output names. -EINVAL (unknown or missing extension), or the system's errors; `problem` names the file and the fix. */
int swp_outputs_open(
	struct swp_outputs *outputs, const struct swp_options *options, struct swp_problem *problem);
/* Writes the report to each. The first failure is returned, the others are still tried. */
int swp_outputs_write(
	struct swp_outputs *outputs, struct swp_report *report, bool all, struct swp_problem *problem);
/* Closes; files that were not written whole are removed. */
void swp_outputs_done(struct swp_outputs *outputs);

#endif
