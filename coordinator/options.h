/* The command line: one table of options and one of commands, from which parser, environment, configuration keys, help and
 * docs are made. Precedence: option, environment (ORGSWEEP_<OPTION>), configuration file.
 */
#ifndef SWP_COORDINATOR_OPTIONS_H
#define SWP_COORDINATOR_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "proto/base/error.h"

/* Commands, as bits: an option row says which ones understand it. */
enum swp_command {
	SWP_COMMAND_SWEEP = 1u << 0,
	SWP_COMMAND_REPORT = 1u << 1,
	SWP_COMMAND_CHECKS = 1u << 2,
	SWP_COMMAND_CHAINS = 1u << 3,
	SWP_COMMAND_STATUS = 1u << 4,
	SWP_COMMAND_DOCTOR = 1u << 5,
	SWP_COMMAND_DEMO = 1u << 6,
	SWP_COMMAND_SERVE = 1u << 7,
	SWP_COMMAND_SWEEPS = 1u << 8,
	SWP_COMMAND_CANCEL = 1u << 9,
	SWP_COMMAND_DRAIN = 1u << 10,
	SWP_COMMAND_STORE = 1u << 12,
};
/* Beside them: what a sweep under `sweeps` in the configuration file may have of its own. */
#define SWP_COMMAND_SCHEDULED (1u << 31)

enum swp_option_kind {
	SWP_OPTION_FLAG,
	SWP_OPTION_TEXT,
	SWP_OPTION_LIST,     /* comma-separated, may be repeated */
	SWP_OPTION_REPEATED, /* may be repeated, commas kept (--output) */
	SWP_OPTION_NUMBER,
	SWP_OPTION_DURATION,
	SWP_OPTION_PERCENT,
	SWP_OPTION_CHOICE, /* one of row->choices, any case */
};

/* One name for each row of the table, in its order. */
enum swp_option {
	SWP_OPT_PROFILE,
	SWP_OPT_ROLE_NAME,
	SWP_OPT_EXTERNAL_ID,
	SWP_OPT_NO_ORG,
	SWP_OPT_ACCOUNTS,
	SWP_OPT_EXCLUDE_ACCOUNTS,
	SWP_OPT_OU,
	SWP_OPT_EXCLUDE_OU,
	SWP_OPT_REGIONS,
	SWP_OPT_EXCLUDE_REGIONS,
	SWP_OPT_CHECKS,
	SWP_OPT_EXCLUDE_CHECKS,
	SWP_OPT_CATALOGUE,
	SWP_OPT_WORKERS,
	SWP_OPT_LISTEN,
	SWP_OPT_KEYS,
	SWP_OPT_METRICS,
	SWP_OPT_STORE,
	SWP_OPT_KEEP,
	SWP_OPT_CONFIG,
	SWP_OPT_DEADLINE,
	SWP_OPT_OUTPUT,
	SWP_OPT_FORMAT,
	SWP_OPT_ALL,
	SWP_OPT_FAIL_ON,
	SWP_OPT_MIN_COVERAGE,
	SWP_OPT_QUIET,
	SWP_OPT_PLAN,
	SWP_OPT_RESUME,
	SWP_OPT_REPORTS,
	SWP_OPT_JSON,
	SWP_OPT_LOG_FORMAT,
	SWP_OPT_LOG_LEVEL,
	SWP_OPT_HELP,
	SWP_OPT_COUNT,
};

struct swp_option_row {
	const char *name;     /* without dashes */
	const char *argument; /* shown in help; NULL for flags */
	enum swp_option_kind kind;
	unsigned commands;	    /* bits of enum swp_command */
	const char *fallback;	    /* the default, as text; NULL none */
	const char *const *choices; /* NULL-terminated */
	uint64_t least, most;	    /* for numbers */
	const char *help;
};
const struct swp_option_row *swp_option_row(enum swp_option option);

struct swp_command_row {
	const char *name;
	enum swp_command command;
	const char *usage; /* what stands after the name */
	const char *summary;
	const char *details;  /* paragraph for --help; may be NULL */
	const char *examples; /* lines; may be NULL */
	unsigned least_operands, most_operands;
};
/* NULL at the end of the table. */
const struct swp_command_row *swp_command_row(size_t index);
const struct swp_command_row *swp_command_find(const char *name);

enum swp_option_source {
	SWP_SOURCE_DEFAULT,
	SWP_SOURCE_CONFIGURATION,
	SWP_SOURCE_ENVIRONMENT,
	SWP_SOURCE_OPTION,
};
struct swp_option_value {
	enum swp_option_source source;
	char **items; /* owned; texts after splitting; flags: "true" or "false" */
	size_t item_count;
};
struct swp_options {
	const struct swp_command_row *command;
	struct swp_option_value values[SWP_OPT_COUNT];
	char **operands; /* owned array of owned texts */
	size_t operand_count;
};

/* Reads the words after the command's name. -EINVAL: `problem` names the option and the nearest known one. -ENOMEM. */
int swp_options_parse(struct swp_options *options, const struct swp_command_row *command, int argc,
	char *const *argv, struct swp_problem *problem);
/* Adds what the environment says of options that the command line did not give. `get` is getenv-like. */
int swp_options_environment(struct swp_options *options, const char *(*get)(const char *name, void *context),
	void *context, struct swp_problem *problem);
/* Sets an option from the configuration file unless a stronger source has; `key` in its spelling with underscores.
 * 1: no such option. `where` ("FILE:LINE") stands in messages. */
int swp_options_configure(struct swp_options *options, const char *key, const char *const *items,
	size_t count, const char *where, struct swp_problem *problem);
void swp_options_done(struct swp_options *options);

bool swp_options_given(const struct swp_options *options, enum swp_option option);
bool swp_options_flag(const struct swp_options *options, enum swp_option option);
/* The value or the default; NULL when neither is there. Borrowed. */
const char *swp_options_text(const struct swp_options *options, enum swp_option option);
uint64_t swp_options_number(const struct swp_options *options, enum swp_option option, uint64_t otherwise);
int64_t swp_options_duration_ms(const struct swp_options *options, enum swp_option option, int64_t otherwise);
uint32_t swp_options_percent(const struct swp_options *options, enum swp_option option); /* hundredths */

/* Help texts, made from the tables. */
void swp_options_help(FILE *out);
void swp_options_command_help(FILE *out, const struct swp_command_row *command);

#endif
