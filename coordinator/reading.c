/* A store to read from, for commands that sweep nothing: report, status, doctor. */
#include <errno.h>
#include <string.h>

#include "coordinator/ask.h"
#include "coordinator/commands.h"
#include "coordinator/private-store.h"
#include "proto/base/alloc.h"
#include "proto/base/text.h"
#include "proto/record/keys.h"

#define READING_CONNECT_MS 15000
#define READING_PATIENCE_MS 60000

struct swp_reading {
	struct swp_loop *loop;
	struct swp_private_store *private_store;
	struct swp_store *store;
	struct swp_asker asker;
	bool up, ready, failed;
	char why[512];
	struct swp_problem problem;
};

static void private_ready(void *context)
{
	((struct swp_reading *)context)->ready = true;
}

static void private_failed(void *context, const struct swp_problem *problem)
{
	struct swp_reading *reading = context;
	reading->failed = true;
	reading->problem = *problem;
}

static void store_up(void *context, bool fresh_run)
{
	(void)fresh_run;
	((struct swp_reading *)context)->up = true;
}

static void store_down(void *context, const char *why)
{
	struct swp_reading *reading = context;
	snprintf(reading->why, sizeof(reading->why), "%s", why);
}

static void store_refused(void *context, const char *why)
{
	struct swp_reading *reading = context;
	reading->failed = true;
	swp_problem_set(&reading->problem, -EACCES, "%s", why);
}

static int wait_for(struct swp_reading *reading, const bool *done, const char *what)
{
	int64_t end_ms = swp_clock_monotonic_ms(swp_clock_system()) + READING_CONNECT_MS;
	int error = 0;
	while (!error && !*done && !reading->failed && swp_clock_monotonic_ms(swp_clock_system()) < end_ms)
		error = swp_loop_step(reading->loop, 50);
	if (error || *done)
		return error;
	if (reading->failed)
		return -EACCES;
	return swp_problem_set(&reading->problem, -ETIMEDOUT, "%s%s%s; check --store and that Redis is up",
		what, *reading->why ? ": " : "", reading->why);
}

/* The private server of the state folder: our own for the while, or the one of a sweep that runs at this moment. */
static int open_private(
	struct swp_reading *reading, const struct swp_settings *settings, struct swp_store_options *options)
{
	struct swp_private_store_events events = {private_ready, private_failed, reading};
	struct swp_problem problem = {""};
	if (swp_private_store_is_running(settings->state_folder, &options->address))
		return 0;
	reading->private_store =
		swp_private_store_start(reading->loop, settings->state_folder, &events, &problem);
	if (!reading->private_store)
		return swp_problem_set(&reading->problem, -EACCES, "%s", problem.text);
	options->address = *swp_private_store_address(reading->private_store);
	return wait_for(reading, &reading->ready, "the private redis-server did not start");
}

/* `settings` NULL: the options tell all. */
static int open_all(struct swp_reading *reading, const struct swp_settings *settings,
	const struct swp_store_options *store)
{
	struct swp_store_events events = {store_up, store_down, store_refused, reading};
	struct swp_store_options options = *store;
	int error = 0;
	reading->loop = swp_loop_new(swp_clock_system());
	if (!reading->loop)
		return -ENOMEM;
	options.client_name = "orgsweep-reader";
	if (settings && settings->private_store)
		error = open_private(reading, settings, &options);
	if (error)
		return error;
	reading->store = swp_store_new(reading->loop, &options, &events, &reading->problem);
	if (!reading->store)
		return -EACCES;
	reading->asker = (struct swp_asker){reading->loop, reading->store, READING_PATIENCE_MS};
	return wait_for(reading, &reading->up, "the store can't be reached");
}

static int open_reading(const struct swp_settings *settings, const struct swp_store_options *store,
	struct swp_reading **ret_reading, struct swp_problem *problem)
{
	struct swp_reading *reading = swp_calloc(1, sizeof(*reading));
	if (!reading)
		return swp_problem_set(problem, -ENOMEM, "out of memory");
	int error = open_all(reading, settings, store);
	if (error) {
		swp_problem_set(problem, error, "%s",
			*reading->problem.text ? reading->problem.text : strerror(-error));
		swp_reading_close(reading);
		return error;
	}
	*ret_reading = reading;
	return 0;
}

int swp_reading_open(
	struct swp_settings *settings, struct swp_reading **ret_reading, struct swp_problem *problem)
{
	return open_reading(settings, &settings->store, ret_reading, problem);
}

int swp_reading_try(const struct swp_store_options *store, struct swp_problem *problem)
{
	struct swp_reading *reading = NULL;
	int error = open_reading(NULL, store, &reading, problem);
	swp_reading_close(reading);
	return error;
}

const struct swp_asker *swp_reading_asker(const struct swp_reading *reading)
{
	return &reading->asker;
}

void swp_reading_close(struct swp_reading *reading)
{
	if (!reading)
		return;
	swp_store_free(reading->store);
	swp_private_store_free(reading->private_store);
	swp_loop_free(reading->loop);
	swp_free(reading);
}

struct found {
	char *id;
	size_t size;
	bool there;
};

static int latest(void *context, const struct swp_store_reply *reply)
{
	struct found *found = context;
	if (reply->type != SWP_STORE_REPLY_LIST || !reply->item_count ||
		reply->items[0].type != SWP_STORE_REPLY_TEXT || reply->items[0].length >= found->size)
		return 0;
	memcpy(found->id, reply->items[0].bytes, reply->items[0].length + 1);
	found->there = true;
	return 0;
}

static int scored(void *context, const struct swp_store_reply *reply)
{
	((struct found *)context)->there = reply->type == SWP_STORE_REPLY_TEXT;
	return 0;
}

int swp_reading_find_sweep(const struct swp_asker *asker, const char *word, char *ret_id, size_t size,
	struct swp_problem *problem)
{
	char key[SWP_KEY_BYTES];
	struct found found = {ret_id, size, false};
	bool is_latest = swp_text_equal(word, "latest");
	int error = swp_key_format(SWP_KEY_INDEX, NULL, NULL, NULL, key);
	struct swp_store_argument newest[] = {SWP_STORE_TEXT_ARGUMENT("ZREVRANGE"),
		SWP_STORE_TEXT_ARGUMENT(key), SWP_STORE_TEXT_ARGUMENT("0"), SWP_STORE_TEXT_ARGUMENT("0")};
	struct swp_store_argument named[] = {SWP_STORE_TEXT_ARGUMENT("ZSCORE"), SWP_STORE_TEXT_ARGUMENT(key),
		SWP_STORE_TEXT_ARGUMENT(word)};
	if (!error)
		error = is_latest ? swp_ask(asker, newest, SWP_ARRAY_SIZE(newest), latest, &found, problem)
				  : swp_ask(asker, named, SWP_ARRAY_SIZE(named), scored, &found, problem);
	if (error)
		return error;
	if (!found.there && is_latest)
		return swp_problem_set(
			problem, -ENOENT, "the store holds no sweep yet; run `orgsweep sweep`");
	if (!found.there || strlen(word) >= size)
		return swp_problem_set(problem, -ENOENT,
			"the store holds no sweep '%s'; `orgsweep status` lists them", word);
	if (!is_latest)
		memcpy(ret_id, word, strlen(word) + 1);
	return 0;
}

static int is_unfinished(const struct swp_asker *asker, const char *id, struct swp_problem *problem)
{
	char key[SWP_KEY_BYTES];
	SWP_CLEANUP(swp_free_pointer) char *state = NULL;
	size_t length = 0;
	int error = swp_key_format(SWP_KEY_SWEEP, id, NULL, NULL, key);
	if (!error)
		error = swp_ask_field(asker, key, SWP_SWEEP_FIELD_STATE, &state, &length, problem);
	return error < 0 ? error : swp_text_equal(state, "running");
}

int swp_reading_find_unfinished(const struct swp_asker *asker, const char *word, char *ret_id, size_t size,
	struct swp_problem *problem)
{
	struct swp_sweep_ids *newest = NULL;
	int error, found = 0;

	if (!swp_text_equal(word, "latest"))
		return swp_reading_find_sweep(asker, word, ret_id, size, problem);
	error = swp_ask_newest_sweeps(asker, &newest, problem);
	for (size_t i = 0; !error && !found && i < newest->count; i++) {
		found = is_unfinished(asker, newest->ids[i], problem);
		error = found < 0 ? found : 0;
		if (found > 0)
			snprintf(ret_id, size, "%s", newest->ids[i]);
	}
	swp_free(newest);
	if (!error && !found)
		error = swp_problem_set(problem, -ENOENT,
			"the store holds no sweep that could be resumed; `orgsweep status` lists what there "
			"is");
	return error;
}
