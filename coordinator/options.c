/* Parsing by the table: command line, environment, configuration keys; and the help texts. */
#include "coordinator/options.h"

#include <errno.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/text.h"
#include "proto/io/store-access.h"

static void value_clear(struct swp_option_value *value)
{
	for (size_t i = 0; i < value->item_count; i++)
		swp_free(value->items[i]);
	swp_free(value->items);
	*value = (struct swp_option_value){0};
}

static int value_add(struct swp_option_value *value, const char *text, size_t length)
{
	char **items = swp_realloc(value->items, (value->item_count + 1) * sizeof(*items));
	if (!items)
		return -ENOMEM;
	value->items = items;
	char *copy = swp_strndup(text, length);
	if (!copy)
		return -ENOMEM;
	value->items[value->item_count++] = copy;
	return 0;
}

static int value_add_list(struct swp_option_value *value, const char *text)
{
	for (;;) {
		size_t length = strcspn(text, ",");
		const char *start = text + strspn(text, " ");
		size_t kept = length -
			      (size_t)(start - text > (ptrdiff_t)length ? (ptrdiff_t)length : start - text);
		while (kept && start[kept - 1] == ' ')
			kept--;
		int error = kept ? value_add(value, start, kept) : 0;
		if (error)
			return error;
		if (!text[length])
			return 0;
		text += length + 1;
	}
}

static int choice_check(
	const struct swp_option_row *row, const char *text, const char *where, struct swp_problem *problem)
{
	size_t count = 0;
	for (; row->choices[count]; count++)
		if (swp_text_equal_ignoring_case(row->choices[count], text))
			return 0;
	struct swp_buf known = {0};
	for (size_t i = 0; i < count; i++)
		swp_buf_append_format(&known, "%s%s", i ? ", " : "", row->choices[i]);
	swp_problem_set(problem, 0, "%s takes one of %s, not '%s'", where, swp_buf_text(&known), text);
	swp_buf_done(&known);
	return -EINVAL;
}

static int number_check(
	const struct swp_option_row *row, const char *text, const char *where, struct swp_problem *problem)
{
	uint64_t number = 0;
	if (swp_parse_u64(text, row->most ? row->most : UINT64_MAX, &number) || number < row->least)
		return swp_problem_set(problem, -EINVAL,
			"%s takes a whole number from %llu to %llu, not '%s'", where,
			(unsigned long long)row->least, (unsigned long long)row->most, text);
	return 0;
}

/* Is the text one that the option's kind allows? */
static int text_check(
	const struct swp_option_row *row, const char *text, const char *where, struct swp_problem *problem)
{
	int64_t duration = 0;
	uint32_t percent = 0;
	bool flag = false;
	switch (row->kind) {
	case SWP_OPTION_FLAG:
		if (swp_parse_bool(text, &flag))
			return swp_problem_set(
				problem, -EINVAL, "%s is true or false, not '%s'", where, text);
		return 0;
	case SWP_OPTION_NUMBER:
		return number_check(row, text, where, problem);
	case SWP_OPTION_DURATION:
		if (swp_parse_duration_ms(text, &duration) || duration <= 0)
			return swp_problem_set(problem, -EINVAL,
				"%s takes a time such as 90s, 15m or 2h, not '%s'", where, text);
		return 0;
	case SWP_OPTION_PERCENT:
		if (swp_parse_percent(text, &percent))
			return swp_problem_set(problem, -EINVAL,
				"%s takes a percentage from 0 to 100, not '%s'", where, text);
		return 0;
	case SWP_OPTION_CHOICE:
		return choice_check(row, text, where, problem);
	case SWP_OPTION_TEXT:
	case SWP_OPTION_LIST:
	case SWP_OPTION_REPEATED:
		if (!*text)
			return swp_problem_set(problem, -EINVAL, "%s is empty", where);
		return 0;
	}
	return -EINVAL;
}

/* Takes one spelling of a value. A stronger source replaces what a weaker one gave; lists add up within one source. */
static int option_take(struct swp_options *options, enum swp_option option, const char *text,
	enum swp_option_source source, const char *where, struct swp_problem *problem)
{
	const struct swp_option_row *row = swp_option_row(option);
	struct swp_option_value *value = &options->values[option];
	int error = text_check(row, text, where, problem);
	if (error)
		return error;
	bool adds =
		(row->kind == SWP_OPTION_LIST || row->kind == SWP_OPTION_REPEATED) && value->source == source;
	if (!adds)
		value_clear(value);
	value->source = source;
	error = row->kind == SWP_OPTION_LIST ? value_add_list(value, text)
					     : value_add(value, text, strlen(text));
	if (!error && row->kind == SWP_OPTION_LIST && !value->item_count)
		return swp_problem_set(problem, -EINVAL, "%s is an empty list", where);
	return error ? swp_problem_set(problem, error, "out of memory while reading %s", where) : 0;
}

static bool row_applies(enum swp_option option, const struct swp_command_row *command)
{
	return (swp_option_row(option)->commands & command->command) != 0;
}

/* Somebody who abbreviates gets the option that begins so; somebody who mistypes the one with the least distance. */
static const char *nearest_option(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; *name && i < count; i++)
		if (swp_text_starts(names[i], name))
			return names[i];
	return swp_nearest(name, names, count);
}

/* The nearest option of this command, as "; did you mean --x?". */
static int unknown_option(
	const struct swp_command_row *command, const char *name, struct swp_problem *problem)
{
	const char *names[SWP_OPT_COUNT];
	size_t count = 0;
	for (int i = 0; i < SWP_OPT_COUNT; i++) {
		if (swp_text_equal(swp_option_row(i)->name, name) && !row_applies(i, command))
			return swp_problem_set(problem, -EINVAL,
				"--%s is not an option of `orgsweep %s`; see `orgsweep %s --help`", name,
				command->name, command->name);
		if (row_applies(i, command))
			names[count++] = swp_option_row(i)->name;
	}
	const char *nearest = nearest_option(name, names, count);
	if (nearest)
		return swp_problem_set(
			problem, -EINVAL, "unknown option --%s; did you mean --%s?", name, nearest);
	return swp_problem_set(
		problem, -EINVAL, "unknown option --%s; see `orgsweep %s --help`", name, command->name);
}

static int option_find(const struct swp_command_row *command, const char *name)
{
	for (int i = 0; i < SWP_OPT_COUNT; i++)
		if (row_applies(i, command) && swp_text_equal(swp_option_row(i)->name, name))
			return i;
	return -1;
}

struct word_reader {
	int argc;
	char *const *argv;
	int next;
};

static int long_option(struct swp_options *options, struct word_reader *reader, const char *word,
	struct swp_problem *problem)
{
	size_t length = strcspn(word, "=");
	SWP_CLEANUP(swp_free_pointer) char *name = swp_strndup(word, length);
	if (!name)
		return -ENOMEM;
	int option = option_find(options->command, name);
	if (option < 0)
		return unknown_option(options->command, name, problem);
	const struct swp_option_row *row = swp_option_row(option);
	const char *text = word[length] == '=' ? word + length + 1 : NULL;
	if (row->kind == SWP_OPTION_FLAG) {
		if (text)
			return swp_problem_set(problem, -EINVAL, "--%s takes no value", row->name);
		text = "true";
	} else if (!text) {
		if (reader->next >= reader->argc)
			return swp_problem_set(problem, -EINVAL, "--%s needs a value: --%s %s", row->name,
				row->name, row->argument);
		text = reader->argv[reader->next++];
	}
	char where[80];
	snprintf(where, sizeof(where), "--%s", row->name);
	return option_take(options, option, text, SWP_SOURCE_OPTION, where, problem);
}

static int operand_add(struct swp_options *options, const char *word)
{
	char **operands = swp_realloc(options->operands, (options->operand_count + 1) * sizeof(*operands));
	if (!operands)
		return -ENOMEM;
	options->operands = operands;
	char *copy = swp_strdup(word);
	if (!copy)
		return -ENOMEM;
	options->operands[options->operand_count++] = copy;
	return 0;
}

static int operands_check(const struct swp_options *options, struct swp_problem *problem)
{
	const struct swp_command_row *command = options->command;
	if (swp_options_flag(options, SWP_OPT_HELP))
		return 0;
	if (options->operand_count < command->least_operands)
		return swp_problem_set(
			problem, -EINVAL, "usage: orgsweep %s %s", command->name, command->usage);
	if (options->operand_count > command->most_operands)
		return swp_problem_set(problem, -EINVAL, "'%s' is one word too many; usage: orgsweep %s %s",
			options->operands[command->most_operands], command->name, command->usage);
	return 0;
}

int swp_options_parse(struct swp_options *options, const struct swp_command_row *command, int argc,
	char *const *argv, struct swp_problem *problem)
{
	struct word_reader reader = {argc, argv, 0};
	bool only_operands = false;
	*options = (struct swp_options){.command = command};
	while (reader.next < argc) {
		const char *word = argv[reader.next++];
		int error = 0;
		if (!only_operands && swp_text_equal(word, "--"))
			only_operands = true;
		else if (!only_operands && word[0] == '-' && word[1] == '-')
			error = long_option(options, &reader, word + 2, problem);
		else if (!only_operands && swp_text_equal(word, "-h"))
			error = long_option(options, &reader, "help", problem);
		else if (!only_operands && word[0] == '-' && word[1])
			error = swp_problem_set(problem, -EINVAL,
				"unknown option %s; options are written out: see `orgsweep %s --help`", word,
				command->name);
		else
			error = operand_add(options, word);
		if (error)
			return error;
	}
	return operands_check(options, problem);
}

/* "exclude-accounts" → "ORGSWEEP_EXCLUDE_ACCOUNTS" or "exclude_accounts". */
static void spelled(const char *name, const char *prefix, bool upper, char *text, size_t size)
{
	size_t length = (size_t)snprintf(text, size, "%s%s", prefix, name);
	for (size_t i = strlen(prefix); i < length && i < size; i++)
		if (text[i] == '-')
			text[i] = '_';
		else if (upper && text[i] >= 'a' && text[i] <= 'z')
			text[i] = (char)(text[i] - 'a' + 'A');
}

int swp_options_environment(struct swp_options *options, const char *(*get)(const char *name, void *context),
	void *context, struct swp_problem *problem)
{
	for (int i = 0; i < SWP_OPT_COUNT; i++) {
		char name[80];
		if (i == SWP_OPT_HELP || !row_applies(i, options->command) ||
			options->values[i].source == SWP_SOURCE_OPTION)
			continue;
		spelled(swp_option_row(i)->name, "ORGSWEEP_", true, name, sizeof(name));
		const char *text = get(name, context);
		if (!text || !*text)
			continue;
		int error = option_take(options, i, text, SWP_SOURCE_ENVIRONMENT, name, problem);
		if (error)
			return error;
	}
	return 0;
}

int swp_options_configure(struct swp_options *options, const char *key, const char *const *items,
	size_t count, const char *where, struct swp_problem *problem)
{
	for (int i = 0; i < SWP_OPT_COUNT; i++) {
		char name[80];
		spelled(swp_option_row(i)->name, "", false, name, sizeof(name));
		if (i == SWP_OPT_HELP || i == SWP_OPT_CONFIG || !swp_text_equal(name, key))
			continue;
		char place[512];
		snprintf(place, sizeof(place), "%s: %s", where, key);
		bool hidden = !row_applies(i, options->command) ||
			      options->values[i].source > SWP_SOURCE_CONFIGURATION;
		for (size_t k = 0; k < count; k++) {
			int error = hidden ? text_check(swp_option_row(i), items[k], place, problem)
					   : option_take(options, i, items[k], SWP_SOURCE_CONFIGURATION,
						     place, problem);
			if (error)
				return error;
		}
		return 0;
	}
	return 1;
}

void swp_options_done(struct swp_options *options)
{
	for (int i = 0; i < SWP_OPT_COUNT; i++)
		value_clear(&options->values[i]);
	for (size_t i = 0; i < options->operand_count; i++)
		swp_free(options->operands[i]);
	swp_free(options->operands);
	options->operands = NULL;
	options->operand_count = 0;
}

bool swp_options_given(const struct swp_options *options, enum swp_option option)
{
	return options->values[option].source != SWP_SOURCE_DEFAULT;
}

const char *swp_options_text(const struct swp_options *options, enum swp_option option)
{
	const struct swp_option_value *value = &options->values[option];
	return value->item_count ? value->items[value->item_count - 1] : swp_option_row(option)->fallback;
}

bool swp_options_flag(const struct swp_options *options, enum swp_option option)
{
	const char *text = swp_options_text(options, option);
	bool flag = false;
	return text && !swp_parse_bool(text, &flag) && flag;
}

uint64_t swp_options_number(const struct swp_options *options, enum swp_option option, uint64_t otherwise)
{
	const char *text = swp_options_text(options, option);
	uint64_t number = otherwise;
	if (text)
		(void)swp_parse_u64(text, UINT64_MAX, &number);
	return number;
}

int64_t swp_options_duration_ms(const struct swp_options *options, enum swp_option option, int64_t otherwise)
{
	const char *text = swp_options_text(options, option);
	int64_t duration = otherwise;
	if (text)
		(void)swp_parse_duration_ms(text, &duration);
	return duration;
}

uint32_t swp_options_percent(const struct swp_options *options, enum swp_option option)
{
	const char *text = swp_options_text(options, option);
	uint32_t percent = 0;
	if (text)
		(void)swp_parse_percent(text, &percent);
	return percent;
}

void swp_options_help(FILE *out)
{
	fputs("orgsweep " SWP_VERSION
	      ": sweeps an AWS Organization for the security posture of its AI and ML services.\n\n"
	      "Usage: orgsweep COMMAND [options]\n\nCommands:\n",
		out);
	for (size_t i = 0; swp_command_row(i); i++)
		fprintf(out, "  %-8s %s\n", swp_command_row(i)->name, swp_command_row(i)->summary);
	fputs("\n  orgsweep COMMAND --help   options and examples of a command\n"
	      "  orgsweep --version        the version\n\n"
	      "A first look without AWS:   orgsweep demo\n"
	      "A first sweep:              orgsweep doctor, then orgsweep sweep --output report.json\n",
		out);
}

/* These are no options: secrets have no place in a command line. */
static void store_help(FILE *out)
{
	fputs("\nAbout the store, in the environment alone:\n", out);
	for (size_t i = 0; swp_store_variable(i); i++)
		fprintf(out, "  %-37s %s\n", swp_store_variable(i)->name, swp_store_variable(i)->help);
}

void swp_options_command_help(FILE *out, const struct swp_command_row *command)
{
	fprintf(out, "Usage: orgsweep %s %s\n\n%s.\n", command->name, command->usage, command->summary);
	if (command->details)
		fprintf(out, "\n%s\n", command->details);
	fputs("\nOptions:\n", out);
	for (int i = 0; i < SWP_OPT_COUNT; i++) {
		const struct swp_option_row *row = swp_option_row(i);
		char left[64];
		if (!row_applies(i, command))
			continue;
		snprintf(left, sizeof(left), "--%s%s%s", row->name, row->argument ? " " : "",
			row->argument ? row->argument : "");
		fprintf(out, "  %-26s %s", left, row->help);
		if (row->fallback)
			fprintf(out, " (default: %s)", row->fallback);
		fputc('\n', out);
	}
	fputs("\nEvery option can also be set as ORGSWEEP_<OPTION> in the environment, or as <option> (with "
	      "underscores) in the\n"
	      "configuration file; an option wins over the environment, the environment over the file.\n",
		out);
	if (row_applies(SWP_OPT_STORE, command))
		store_help(out);
	if (command->examples)
		fprintf(out, "\nExamples:\n%s", command->examples);
}
