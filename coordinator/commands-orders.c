/* orgsweep cancel, drain: orders that wait in the store until whoever owns the sweep, or knows the worker, renews its lease. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/ask.h"
#include "coordinator/commands.h"
#include "coordinator/json-writer.h"
#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/base/map.h"
#include "proto/base/text.h"
#include "proto/io/owner.h"
#include "proto/record/keys.h"

#define TEXT(value) SWP_STORE_TEXT_ARGUMENT(value)

/* "anna@laptop": who gives the order. */
static void who(char *ret_text, size_t size)
{
	const char *user = getenv("USER");
	char host[SWP_HOST_BYTES] = "";

	if (gethostname(host, sizeof(host) - 1) < 0)
		host[0] = '\0';
	snprintf(ret_text, size, "%s@%s", user && *user ? user : "somebody", host);
}

static int ignore(void *context, const struct swp_store_reply *reply)
{
	(void)context;
	(void)reply;
	return 0;
}

static void tell(const struct swp_settings *settings, const char *what, const char *name, const char *text)
{
	struct swp_json_writer json;

	if (!swp_options_flag(&settings->options, SWP_OPT_JSON)) {
		printf("%s: %s\n", name, text);
		return;
	}
	swp_json_writer_init(&json, stdout);
	swp_json_object_begin(&json, NULL, false);
	swp_json_text(&json, what, name);
	swp_json_text(&json, "told", text);
	swp_json_object_end(&json);
	(void)swp_json_writer_finish(&json);
}

/* --- cancel --- */

static int cancel(struct swp_settings *settings, const struct swp_asker *asker, struct swp_problem *problem)
{
	SWP_CLEANUP(swp_free_pointer) char *state = NULL;
	char id[SWP_KEY_BYTES], key[SWP_KEY_BYTES], by[160];
	size_t length;
	int error =
		swp_reading_find_unfinished(asker, settings->options.operands[0], id, sizeof(id), problem);

	if (error == 0)
		error = swp_key_format(SWP_KEY_SWEEP, id, NULL, NULL, key);
	if (error == 0)
		error = swp_ask_field(asker, key, SWP_SWEEP_FIELD_STATE, &state, &length, problem);
	if (error == 0 && !swp_text_equal(state, "running"))
		error = swp_problem_set(problem, -EALREADY, "sweep %s has ended already", id);
	if (error < 0)
		return error;
	who(by, sizeof(by));
	error = swp_ask(asker,
		(struct swp_store_argument[]){
			TEXT("HSET"), TEXT(key), TEXT(SWP_SWEEP_FIELD_CANCEL_ASKED), TEXT(by)},
		4, ignore, NULL, problem);
	if (error == 0)
		tell(settings, "sweep", id,
			"its coordinator ends it within seconds; `orgsweep status` shows it");
	return error;
}

/* --- drain --- */

static int keep_name(void *context, const char *field, const struct swp_store_reply *value)
{
	(void)value;
	return swp_map_put(context, field, context, NULL);
}

struct names {
	const char *items[SWP_LIMIT_WORKERS];
	size_t count;
};

static int add_name(const char *name, void *value, void *context)
{
	struct names *names = context;

	(void)value;
	if (names->count < SWP_ARRAY_SIZE(names->items))
		names->items[names->count++] = name;
	return 0;
}

static int unknown_worker(const struct swp_map *known, const char *name, struct swp_problem *problem)
{
	struct names names = {.count = 0};
	const char *nearest;

	swp_map_each(known, add_name, &names);
	nearest = names.count > 0 ? swp_nearest_of_all(name, names.items, names.count) : NULL;
	return swp_problem_set(problem, -ENOENT,
		"no worker '%s' is known%s%s%s; `orgsweep status` lists them", name,
		nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

static int drain(struct swp_settings *settings, const struct swp_asker *asker, struct swp_problem *problem)
{
	const char *name = settings->options.operands[0];
	struct swp_map *known = swp_map_new();
	char workers[SWP_KEY_BYTES], drains[SWP_KEY_BYTES], by[160];
	int error = known ? swp_key_format(SWP_KEY_WORKERS, NULL, NULL, NULL, workers) : -ENOMEM;

	if (error == 0)
		error = swp_key_format(SWP_KEY_DRAINS, NULL, NULL, NULL, drains);
	if (error == 0)
		error = swp_ask_hash(asker, workers, keep_name, known, problem);
	if (error == 0 && !swp_map_get(known, name))
		error = unknown_worker(known, name, problem);
	who(by, sizeof(by));
	if (error == 0)
		error = swp_ask(asker,
			(struct swp_store_argument[]){TEXT("HSET"), TEXT(drains), TEXT(name), TEXT(by)}, 4,
			ignore, NULL, problem);
	if (error == 0)
		tell(settings, "worker", name, "it finishes what it has, and leaves");
	swp_map_free(known, NULL);
	return error;
}

/* --- both --- */

static int give(struct swp_settings *settings,
	int (*order)(
		struct swp_settings *settings, const struct swp_asker *asker, struct swp_problem *problem),
	struct swp_problem *problem)
{
	struct swp_reading *reading = NULL;
	int error = swp_settings_store(settings, problem);

	if (!error)
		error = swp_reading_open(settings, &reading, problem);
	if (!error)
		error = order(settings, swp_reading_asker(reading), problem);
	swp_reading_close(reading);
	return error;
}

static int run_cancel(struct swp_settings *settings, struct swp_problem *problem)
{
	return give(settings, cancel, problem);
}

static int run_drain(struct swp_settings *settings, struct swp_problem *problem)
{
	return give(settings, drain, problem);
}

int swp_command_cancel(const struct swp_command_row *command, int argc, char *const *argv)
{
	return swp_command_run(command, argc, argv, run_cancel);
}

int swp_command_drain(const struct swp_command_row *command, int argc, char *const *argv)
{
	return swp_command_run(command, argc, argv, run_drain);
}
