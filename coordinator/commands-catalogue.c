/* orgsweep checks and orgsweep chains: what the catalogue holds, for people and as JSON; and the linter. */
#include <errno.h>
#include <string.h>

#include "coordinator/commands.h"
#include "coordinator/folder.h"
#include "coordinator/json-writer.h"
#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

static const char *const level_names[] = {[SWP_LEVEL_REGION] = "region",
	[SWP_LEVEL_GLOBAL] = "global",
	[SWP_LEVEL_ORGANIZATION] = "organization"};

static int write_action(const char *action, void *context)
{
	swp_json_text(context, NULL, action);
	return 0;
}

static void write_actions(struct swp_json_writer *json, const struct swp_catalogue *catalogue, size_t check)
{
	struct swp_selection only = {{0}};
	swp_selection_set(&only, check, true);
	swp_json_array_begin(json, "actions", true);
	(void)swp_selection_actions(catalogue, &only, NULL, write_action, json);
	swp_json_array_end(json);
}

static void write_document(struct swp_json_writer *json, const json_t *document)
{
	char *text = json_dumps(document, JSON_SORT_KEYS | JSON_ENCODE_ANY);
	swp_json_raw(json, "document", text ? text : "{}");
	free(text);
}

static void write_check(
	struct swp_json_writer *json, const struct swp_catalogue *catalogue, size_t index, bool whole)
{
	const struct swp_check *check = swp_catalogue_check(catalogue, index);
	swp_json_object_begin(json, NULL, true);
	write_actions(json, catalogue, index);
	if (whole)
		write_document(json, check->document);
	swp_json_text(json, "id", check->id);
	swp_json_bool(json, "joined", check->joined);
	swp_json_text(json, "level", level_names[check->level]);
	swp_json_text(json, "service", check->service);
	swp_json_text(json, "severity", swp_severity_name(check->severity));
	swp_json_text(json, "title", check->title);
	swp_json_object_end(json);
}

static void write_chain(struct swp_json_writer *json, const struct swp_chain *chain, bool whole)
{
	swp_json_object_begin(json, NULL, true);
	if (whole)
		write_document(json, chain->document);
	swp_json_text(json, "id", chain->id);
	swp_json_text(json, "name", chain->name);
	swp_json_text(json, "severity", swp_severity_name(chain->severity));
	swp_json_object_end(json);
}

static int list(const struct swp_settings *settings, bool chains)
{
	const struct swp_catalogue *catalogue = settings->catalogue;
	bool as_json = swp_options_flag(&settings->options, SWP_OPT_JSON);
	size_t count = chains ? swp_catalogue_chain_count(catalogue) : swp_catalogue_check_count(catalogue);
	struct swp_json_writer json;
	swp_json_writer_init(&json, stdout);
	if (as_json) {
		swp_json_object_begin(&json, NULL, false);
		swp_json_array_begin(&json, chains ? "chains" : "checks", false);
	}
	for (size_t i = 0; i < count; i++) {
		const struct swp_check *check = chains ? NULL : swp_catalogue_check(catalogue, i);
		const struct swp_chain *chain = chains ? swp_catalogue_chain(catalogue, i) : NULL;
		if (as_json && chain)
			write_chain(&json, chain, false);
		else if (as_json)
			write_check(&json, catalogue, i, false);
		else if (chain)
			printf("%-20s %-9s %s\n", chain->id, swp_severity_name(chain->severity), chain->name);
		else
			printf("%-20s %-9s %-12s %s\n", check->id, swp_severity_name(check->severity),
				level_names[check->level], check->title);
	}
	if (as_json) {
		swp_json_array_end(&json);
		swp_json_object_end(&json);
		(void)swp_json_writer_finish(&json);
	}
	return SWP_EXIT_OK;
}

/* Behind its name; what has lines of its own (Terraform) stands below, indented. */
static void print_text(const char *text, int depth)
{
	if (!strchr(text, '\n')) {
		printf(" %s", text);
		return;
	}
	while (*text) {
		int length = (int)strcspn(text, "\n");
		printf("\n%*s%.*s", depth * 2, "", length, text);
		text += length + (text[length] == '\n');
	}
}

/* Prints a document's members as indented lines, texts first on their own line: enough to read a check without knowing YAML. */
static void print_value(const json_t *value, int depth)
{
	const char *key;
	const json_t *member;
	size_t index;
	if (json_is_object(value)) {
		json_object_foreach((json_t *)(uintptr_t)value, key, member)
		{
			printf("%s%*s%s:", "\n", depth * 2, "", key);
			print_value(member, depth + 1);
		}
	} else if (json_is_array(value)) {
		json_array_foreach(value, index, member)
		{
			printf("\n%*s-", depth * 2, "");
			print_value(member, depth + 1);
		}
	} else if (json_is_string(value)) {
		print_text(json_string_value(value), depth);
	} else {
		char *text = json_dumps(value, JSON_ENCODE_ANY);
		printf(" %s", text ? text : "");
		free(text);
	}
}

static int show(const struct swp_settings *settings, bool chains, const char *id)
{
	const struct swp_catalogue *catalogue = settings->catalogue;
	size_t count = chains ? swp_catalogue_chain_count(catalogue) : swp_catalogue_check_count(catalogue),
	       found = count;
	const char *names[SWP_LIMIT_CATALOGUE_ROWS];
	struct swp_json_writer json;
	for (size_t i = 0; i < count; i++) {
		names[i] = chains ? swp_catalogue_chain(catalogue, i)->id
				  : swp_catalogue_check(catalogue, i)->id;
		if (swp_text_equal_ignoring_case(names[i], id))
			found = i;
	}
	if (found == count) {
		const char *nearest = swp_nearest_of_all(id, names, count);
		swp_command_complain("no %s is called '%s'%s%s%s", chains ? "chain" : "check", id,
			nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
		return SWP_EXIT_COULD_NOT;
	}
	if (swp_options_flag(&settings->options, SWP_OPT_JSON)) {
		swp_json_writer_init(&json, stdout);
		if (chains)
			write_chain(&json, swp_catalogue_chain(catalogue, found), true);
		else
			write_check(&json, catalogue, found, true);
		(void)swp_json_writer_finish(&json);
		return SWP_EXIT_OK;
	}
	printf("%s", names[found]);
	print_value(chains ? swp_catalogue_chain(catalogue, found)->document
			   : swp_catalogue_check(catalogue, found)->document,
		1);
	putchar('\n');
	return SWP_EXIT_OK;
}

struct linting {
	struct swp_json_writer json;
	bool as_json;
	unsigned faults;
};

static void print_fault(const struct swp_lint_message *message, void *context)
{
	struct linting *linting = context;
	linting->faults++;
	if (!linting->as_json) {
		printf("%s:%u: %s\n", message->file, message->line, message->text);
		return;
	}
	swp_json_object_begin(&linting->json, NULL, true);
	swp_json_text(&linting->json, "file", message->file);
	swp_json_number(&linting->json, "line", message->line);
	swp_json_text(&linting->json, "text", message->text);
	swp_json_object_end(&linting->json);
}

static int lint(const struct swp_settings *settings, const char *path)
{
	SWP_CLEANUP(swp_folder_done) struct swp_folder folder = {0};
	SWP_CLEANUP(swp_buf_done) struct swp_buf compiled = {.limit_bytes = SWP_LIMIT_CATALOGUE_BYTES};
	struct linting linting = {.as_json = swp_options_flag(&settings->options, SWP_OPT_JSON)};
	struct swp_problem problem;
	if (swp_folder_read(&folder, path, &problem)) {
		swp_command_complain("%s", problem.text);
		return SWP_EXIT_COULD_NOT;
	}
	swp_json_writer_init(&linting.json, stdout);
	if (linting.as_json) {
		swp_json_object_begin(&linting.json, NULL, false);
		swp_json_array_begin(&linting.json, "faults", false);
	}
	int error = swp_catalogue_compile(
		folder.files, folder.count, settings->catalogue, print_fault, &linting, &compiled);
	if (linting.as_json) {
		swp_json_array_end(&linting.json);
		swp_json_number(&linting.json, "files", folder.count);
		swp_json_object_end(&linting.json);
		(void)swp_json_writer_finish(&linting.json);
	} else {
		printf("%zu files, %u faults\n", folder.count, linting.faults);
	}
	return error ? SWP_EXIT_COULD_NOT : SWP_EXIT_OK;
}

static int run(const struct swp_settings *settings, bool chains)
{
	const struct swp_options *options = &settings->options;
	const char *verb = options->operands[0];
	const char *verbs[] = {"list", "show", "lint"};
	size_t verb_count = chains ? 2 : 3;
	bool has_operand = options->operand_count == 2;
	if (swp_text_equal(verb, "list") && !has_operand)
		return list(settings, chains);
	if (swp_text_equal(verb, "show") && has_operand)
		return show(settings, chains, options->operands[1]);
	if (swp_text_equal(verb, "lint") && has_operand && !chains)
		return lint(settings, options->operands[1]);
	const char *nearest = swp_nearest(verb, verbs, verb_count);
	swp_command_complain("usage: orgsweep %s %s%s%s%s", options->command->name, options->command->usage,
		nearest && !swp_text_equal(nearest, verb) ? "; did you mean " : "",
		nearest && !swp_text_equal(nearest, verb) ? nearest : "",
		nearest && !swp_text_equal(nearest, verb) ? "?" : "");
	return SWP_EXIT_COULD_NOT;
}

static int catalogue_command(const struct swp_command_row *command, int argc, char *const *argv, bool chains)
{
	struct swp_settings settings = {0};
	struct swp_problem problem = {""};
	int code = SWP_EXIT_OK;
	int error = swp_settings_resolve(&settings, command, argc, argv, &problem);
	if (error || !swp_command_helped(&settings)) {
		if (!error)
			error = swp_settings_catalogue(&settings, &problem);
		if (error)
			swp_command_complain("%s", problem.text);
		code = error ? SWP_EXIT_COULD_NOT : run(&settings, chains);
	}
	swp_settings_done(&settings);
	return code;
}

int swp_command_checks(const struct swp_command_row *command, int argc, char *const *argv)
{
	return catalogue_command(command, argc, argv, false);
}

int swp_command_chains(const struct swp_command_row *command, int argc, char *const *argv)
{
	return catalogue_command(command, argc, argv, true);
}
