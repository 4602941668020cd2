/* orgsweep keys: pairs are made, workers let in and out again. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/commands.h"
#include "coordinator/json-writer.h"
#include "coordinator/keys.h"
#include "proto/base/text.h"

/* `operand` is NULL for verbs without one. */
typedef int (*run_verb)(
	const struct swp_settings *settings, const char *operand, struct swp_problem *problem);

static bool as_json(const struct swp_settings *settings)
{
	return swp_options_flag(&settings->options, SWP_OPT_JSON);
}

/* What happened to one key: an object, or a line. `done` is the JSON member that tells whether anything was changed. */
static void tell_entry(const struct swp_settings *settings, const struct swp_keys_entry *entry,
	const char *done, bool changed)
{
	struct swp_json_writer json;

	if (!as_json(settings)) {
		printf("%-24s %s\n", entry->name, *entry->public_key ? entry->public_key : "(not a key)");
		return;
	}
	swp_json_writer_init(&json, stdout);
	swp_json_object_begin(&json, NULL, false);
	swp_json_bool(&json, done, changed);
	swp_json_text(&json, "name", entry->name);
	swp_json_text_or_null(&json, "public_key", entry->public_key);
	swp_json_object_end(&json);
	(void)swp_json_writer_finish(&json);
}

/* --- new --- */

static void print_next_steps(const struct swp_settings *settings, const char *name)
{
	const char *folder = settings->keys_folder;
	bool named = settings->options.values[SWP_OPT_KEYS].source == SWP_SOURCE_OPTION;

	if (swp_text_equal(name, SWP_KEYS_SERVER)) {
		printf("%s/%s.key  secret: stays with the coordinator (--keys)\n", folder, name);
		printf("%s/%s.pub  public: goes to each worker's host (--server-key)\n", folder, name);
		return;
	}
	printf("%s/%s.key  secret: goes to the worker's host (--key), and nowhere else\n", folder, name);
	printf("%s/%s.pub  public: let it in with: orgsweep keys allow %s/%s.pub%s%s\n", folder, name, folder,
		name, named ? " --keys " : "", named ? folder : "");
}

static int new_pair(const struct swp_settings *settings, const char *operand, struct swp_problem *problem)
{
	struct swp_keyfile pair = {0};
	struct swp_keys_entry entry = {.name = ""};
	int error = swp_keys_create(settings->keys_folder, operand, &pair, problem);

	if (error < 0)
		return error;
	snprintf(entry.name, sizeof(entry.name), "%s", operand);
	memcpy(entry.public_key, pair.public_key, sizeof(entry.public_key));
	swp_keyfile_done(&pair);
	tell_entry(settings, &entry, "made", true);
	if (!as_json(settings))
		print_next_steps(settings, operand);
	return 0;
}

/* --- show --- */

static void tell_skipped(void *context, const char *file, const struct swp_problem *problem)
{
	unsigned *skipped = context;

	(void)file;
	(*skipped)++;
	swp_command_complain("%s; it lets nobody in", problem->text);
}

static void show_json(const char *folder, const char *server, const struct swp_keys_list *list)
{
	struct swp_json_writer json;

	swp_json_writer_init(&json, stdout);
	swp_json_object_begin(&json, NULL, false);
	swp_json_array_begin(&json, "allowed", false);
	for (size_t i = 0; i < list->count; i++) {
		swp_json_object_begin(&json, NULL, true);
		swp_json_text(&json, "name", list->entries[i].name);
		swp_json_text(&json, "public_key", list->entries[i].public_key);
		swp_json_object_end(&json);
	}
	swp_json_array_end(&json);
	swp_json_text(&json, "folder", folder);
	swp_json_text_or_null(&json, "server", server);
	swp_json_object_end(&json);
	(void)swp_json_writer_finish(&json);
}

static void show_text(const char *folder, const char *server, const struct swp_keys_list *list)
{
	if (*server)
		printf("coordinator\n  %-24s %s\n", SWP_KEYS_SERVER, server);
	else
		printf("coordinator\n  no key yet: it is made by the first sweep with --listen, or by "
		       "orgsweep keys "
		       "new " SWP_KEYS_SERVER "\n");
	printf("allowed workers (%s/allowed)\n", folder);
	for (size_t i = 0; i < list->count; i++)
		printf("  %-24s %s\n", list->entries[i].name, list->entries[i].public_key);
	if (!list->count)
		puts("  nobody yet: orgsweep keys allow FILE.pub");
}

static int show(const struct swp_settings *settings, const char *operand, struct swp_problem *problem)
{
	const char *folder = settings->keys_folder;
	char server[SWP_KEYFILE_KEY_BYTES] = "";
	struct swp_keys_list list = {0};
	unsigned skipped = 0;
	int error = swp_keys_server_public(folder, server, problem);

	(void)operand;
	if (error == -ENOENT)
		error = 0;
	if (error == 0)
		error = swp_keys_allowed(folder, &list, tell_skipped, &skipped, problem);
	if (error < 0)
		return error;
	(as_json(settings) ? show_json : show_text)(folder, server, &list);
	swp_keys_list_done(&list);
	return skipped ? swp_problem_set(problem, -EINVAL, "%u file%s in %s/allowed let%s nobody in", skipped,
				 skipped == 1 ? "" : "s", folder, skipped == 1 ? "s" : "")
		       : 0;
}

/* --- allow, revoke --- */

static int allow_file(const struct swp_settings *settings, const char *operand, struct swp_problem *problem)
{
	struct swp_keys_entry entry;
	bool was_there;
	int error = swp_keys_allow(settings->keys_folder, operand, &entry, &was_there, problem);

	if (error < 0)
		return error;
	if (!as_json(settings))
		printf("%s:\n", was_there ? "was allowed already" : "allowed");
	tell_entry(settings, &entry, "added", !was_there);
	return 0;
}

static int revoke_name(const struct swp_settings *settings, const char *operand, struct swp_problem *problem)
{
	struct swp_keys_entry entry;
	int error = swp_keys_revoke(settings->keys_folder, operand, &entry, problem);

	if (error < 0)
		return error;
	if (!as_json(settings))
		puts("revoked; a coordinator that runs cuts it off within a second:");
	tell_entry(settings, &entry, "removed", true);
	return 0;
}

/* --- the command --- */

static const struct verb {
	const char *name;
	const char *operand; /* NULL: it takes none */
	run_verb run;
} verbs[] = {
	{"new", "NAME", new_pair},
	{"show", NULL, show},
	{"allow", "FILE.pub", allow_file},
	{"revoke", "NAME", revoke_name},
};

static const struct verb *find_verb(const char *word, struct swp_problem *problem)
{
	const char *names[SWP_ARRAY_SIZE(verbs)], *nearest;

	for (size_t i = 0; i < SWP_ARRAY_SIZE(verbs); i++) {
		names[i] = verbs[i].name;
		if (swp_text_equal(word, names[i]))
			return &verbs[i];
	}
	nearest = swp_nearest(word, names, SWP_ARRAY_SIZE(verbs));
	swp_problem_set(problem, -EINVAL, "orgsweep keys has no '%s'%s%s; see `orgsweep keys --help`", word,
		nearest ? "; did you mean " : "", nearest ? nearest : "");
	return NULL;
}

static int run(struct swp_settings *settings, struct swp_problem *problem)
{
	const struct swp_options *options = &settings->options;
	const struct verb *verb = find_verb(options->operands[0], problem);
	bool has_operand = options->operand_count == 2;
	int error;

	if (!verb)
		return -EINVAL;
	if (has_operand != (verb->operand != NULL))
		return swp_problem_set(problem, -EINVAL, "usage: orgsweep keys %s%s%s [--keys DIR]",
			verb->name, verb->operand ? " " : "", verb->operand ? verb->operand : "");
	error = swp_settings_keys(settings, problem);
	return error < 0 ? error : verb->run(settings, has_operand ? options->operands[1] : NULL, problem);
}

int swp_command_keys(const struct swp_command_row *command, int argc, char *const *argv)
{
	return swp_command_run(command, argc, argv, run);
}
