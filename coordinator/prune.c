#include "coordinator/prune.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/base/limits.h"
#include "proto/base/log.h"
#include "proto/base/text.h"
#include "proto/record/keys.h"
#include "proto/record/scripts.h"

#define SCAN_COUNT "500"
#define SWEEPS_LOOKED_AT "9999" /* the newest so many; older ones are looked at when these are fewer */
#define SWEEPS_AT_ONCE 10000

struct swp_prune {
	struct swp_store *store;
	char **sweeps; /* to be looked at, newest first; owned */
	size_t count, at;
	char cursor[32];
	char present[80], name[80];
	unsigned keep, kept; /* of that name; keep 0: the one sweep goes, whatever it is */
	char catalogue[80];  /* of the sweep that goes */
	int64_t now_ms;
	struct swp_store_script leave, drop;
	struct swp_fence fence;	     /* no rows: none */
	void (*done)(void *context); /* of _one; NULL once told */
	void *context;
	bool waiting; /* an answer is owed */
	bool freed;
};

#define TEXT(value) SWP_STORE_TEXT_ARGUMENT(value)

static void destroy(struct swp_prune *prune)
{
	for (size_t i = 0; i < prune->count; i++)
		swp_free(prune->sweeps[i]);
	swp_free(prune->sweeps);
	swp_free(prune);
}

/* Each step is one command whose answer starts the next; on any trouble it stops, and the next sweep begins anew. The struct then stays
 * until _free. */
static void ask(struct swp_prune *prune, const struct swp_store_argument *arguments, size_t count,
	swp_store_done done)
{
	prune->waiting = swp_store_command(prune->store, arguments, count, done, prune) == 0;
}

static void tell_done(struct swp_prune *prune)
{
	void (*done)(void *context) = prune->done;

	prune->done = NULL;
	if (done)
		done(prune->context);
}

static bool stopped(struct swp_prune *prune, const struct swp_store_reply *reply)
{
	prune->waiting = false;
	if (prune->freed) {
		destroy(prune);
		return true;
	}
	if (reply->type != SWP_STORE_REPLY_LOST && reply->type != SWP_STORE_REPLY_ERROR)
		return false;
	tell_done(prune);
	return true;
}

static void next_sweep(struct swp_prune *prune);

static void catalogue_gone(void *context, const struct swp_store_reply *reply)
{
	struct swp_prune *prune = context;

	if (stopped(prune, reply))
		return;
	prune->at++;
	next_sweep(prune);
}

static void leave_index(struct swp_prune *prune)
{
	char index[SWP_KEY_BYTES], catalogue[SWP_KEY_BYTES];
	const char *hash = prune->catalogue[0] ? prune->catalogue : "none";

	if (swp_key_format(SWP_KEY_INDEX, NULL, NULL, NULL, index) < 0 ||
		swp_key_format(SWP_KEY_CATALOGUE, NULL, hash, NULL, catalogue) < 0)
		return;
	swp_log(SWP_LOG_INFO, "sweep.pruned", "an old sweep was removed from the store",
		SWP_LOG_S("old_sweep", prune->sweeps[prune->at]));
	prune->waiting = swp_fence_run(&prune->fence, prune->store, SWP_SCRIPT_LEAVE_INDEX, &prune->leave,
				 (struct swp_store_argument[]){TEXT(index), TEXT(catalogue),
					 TEXT(prune->sweeps[prune->at]), TEXT(prune->catalogue)},
				 4, catalogue_gone, prune) == 0;
}

static void scan(struct swp_prune *prune);

static void unlinked(void *context, const struct swp_store_reply *reply)
{
	struct swp_prune *prune = context;

	if (stopped(prune, reply))
		return;
	if (strcmp(prune->cursor, "0") == 0)
		leave_index(prune);
	else
		scan(prune);
}

/* SCAN: [cursor, [key …]] */
static void scanned(void *context, const struct swp_store_reply *reply)
{
	struct swp_prune *prune = context;
	struct swp_store_argument *arguments;
	const struct swp_store_reply *keys;

	if (stopped(prune, reply) || reply->type != SWP_STORE_REPLY_LIST || reply->item_count != 2)
		return;
	keys = &reply->items[1];
	snprintf(prune->cursor, sizeof(prune->cursor), "%s", swp_store_item_text(reply, 0));
	arguments = swp_calloc(keys->item_count + 1, sizeof(*arguments));
	if (!arguments)
		return;
	for (size_t i = 0; i < keys->item_count; i++)
		arguments[i] = TEXT(swp_store_item_text(keys, i));
	prune->waiting = swp_fence_run(&prune->fence, prune->store, SWP_SCRIPT_DROP, &prune->drop, arguments,
				 keys->item_count, unlinked, prune) == 0;
	swp_free(arguments);
}

static void scan(struct swp_prune *prune)
{
	char pattern[SWP_KEY_BYTES];

	if (swp_key_sweep_pattern(prune->sweeps[prune->at], pattern) < 0)
		return;
	ask(prune,
		(struct swp_store_argument[]){TEXT("SCAN"), TEXT(prune->cursor), TEXT("MATCH"), TEXT(pattern),
			TEXT("COUNT"), TEXT(SCAN_COUNT)},
		6, scanned);
}

/* Of the last day? Not when it is no time at all. */
static bool is_recent(const struct swp_prune *prune, const struct swp_store_reply *time)
{
	int64_t time_ms;

	return time->type == SWP_STORE_REPLY_TEXT &&
	       swp_parse_i64(time->bytes, 0, INT64_MAX, &time_ms) == 0 &&
	       prune->now_ms - time_ms < SWP_PRUNE_UNFINISHED_MS;
}

/* Another coordinator may be at it, however long it takes; one that died does not say so, but is not waited for for ever. */
static bool may_be_running(const struct swp_prune *prune, const struct swp_store_reply *state,
	const struct swp_store_reply *started_at, const struct swp_store_reply *lease_end)
{
	return state->type == SWP_STORE_REPLY_TEXT && strcmp(state->bytes, "running") == 0 &&
	       (is_recent(prune, started_at) || is_recent(prune, lease_end));
}

/* One of the newest of its name, or of another name. */
static bool is_kept(struct swp_prune *prune, const struct swp_store_reply *name)
{
	const char *text = name->type == SWP_STORE_REPLY_TEXT ? name->bytes : "";

	if (prune->keep == 0)
		return false;
	return strcmp(text, prune->name) != 0 || ++prune->kept <= prune->keep;
}

/* HMGET catalogue, state, started_at_ms, name, until */
static void sweep_told(void *context, const struct swp_store_reply *reply)
{
	struct swp_prune *prune = context;

	if (stopped(prune, reply))
		return;
	if (reply->type != SWP_STORE_REPLY_LIST || reply->item_count != 5) {
		tell_done(prune);
		return;
	}
	if (is_kept(prune, &reply->items[3]) ||
		may_be_running(prune, &reply->items[1], &reply->items[2], &reply->items[4])) {
		prune->at++;
		next_sweep(prune);
		return;
	}
	prune->catalogue[0] = '\0';
	if (reply->items[0].type == SWP_STORE_REPLY_TEXT && reply->items[0].length == 64)
		snprintf(prune->catalogue, sizeof(prune->catalogue), "%s", reply->items[0].bytes);
	snprintf(prune->cursor, sizeof(prune->cursor), "0");
	scan(prune);
}

static void next_sweep(struct swp_prune *prune)
{
	char key[SWP_KEY_BYTES];

	if (prune->at >= prune->count ||
		swp_key_format(SWP_KEY_SWEEP, prune->sweeps[prune->at], NULL, NULL, key) < 0) {
		tell_done(prune);
		return;
	}
	ask(prune,
		(struct swp_store_argument[]){TEXT("HMGET"), TEXT(key), TEXT(SWP_SWEEP_FIELD_CATALOGUE),
			TEXT(SWP_SWEEP_FIELD_STATE), TEXT(SWP_SWEEP_FIELD_STARTED_AT),
			TEXT(SWP_SWEEP_FIELD_NAME), TEXT(SWP_OWNER_FIELD_UNTIL)},
		7, sweep_told);
}

static void listed(void *context, const struct swp_store_reply *reply)
{
	struct swp_prune *prune = context;

	if (stopped(prune, reply) || reply->type != SWP_STORE_REPLY_LIST)
		return;
	prune->sweeps = swp_calloc(reply->item_count + 1, sizeof(*prune->sweeps));
	for (size_t i = 0; prune->sweeps && i < reply->item_count && prune->count < SWEEPS_AT_ONCE; i++) {
		const char *id = reply->items[i].bytes;

		if (reply->items[i].type != SWP_STORE_REPLY_TEXT || !swp_key_is_sweep_id(id) ||
			strcmp(id, prune->present) == 0)
			continue;
		if (!(prune->sweeps[prune->count] = swp_strdup(id)))
			return;
		prune->count++;
	}
	if (prune->sweeps)
		next_sweep(prune);
}

static void list_sweeps(struct swp_prune *prune)
{
	char index[SWP_KEY_BYTES];

	if (prune->keep > 0 && swp_key_format(SWP_KEY_INDEX, NULL, NULL, NULL, index) == 0)
		ask(prune,
			(struct swp_store_argument[]){
				TEXT("ZREVRANGE"), TEXT(index), TEXT("0"), TEXT(SWEEPS_LOOKED_AT)},
			4, listed);
}

/* --- workers --- */

static void scan_workers(struct swp_prune *prune);

static void next_workers(struct swp_prune *prune)
{
	if (strcmp(prune->cursor, "0") == 0)
		list_sweeps(prune);
	else
		scan_workers(prune);
}

static void workers_gone(void *context, const struct swp_store_reply *reply)
{
	if (!stopped(context, reply))
		next_workers(context);
}

/* What can't be read is no row of a worker, and nobody shows it. */
static bool is_long_gone(const struct swp_prune *prune, const char *text)
{
	json_t *row = json_loads(text, 0, NULL);
	bool gone = prune->now_ms - json_integer_value(json_object_get(row, "seen_ms")) > SWP_PRUNE_WORKER_MS;

	json_decref(row);
	return gone;
}

/* HSCAN: [cursor, [name, row, …]] */
static void workers_told(void *context, const struct swp_store_reply *reply)
{
	struct swp_prune *prune = context;
	struct swp_store_argument *arguments;
	const struct swp_store_reply *rows;
	char key[SWP_KEY_BYTES];
	size_t count = 0;

	if (stopped(prune, reply) || reply->type != SWP_STORE_REPLY_LIST || reply->item_count != 2)
		return;
	rows = &reply->items[1];
	snprintf(prune->cursor, sizeof(prune->cursor), "%s", swp_store_item_text(reply, 0));
	arguments = swp_calloc(rows->item_count / 2 + 2, sizeof(*arguments));
	if (!arguments || swp_key_format(SWP_KEY_WORKERS, NULL, NULL, NULL, key) < 0) {
		swp_free(arguments);
		return;
	}
	arguments[count++] = TEXT("HDEL");
	arguments[count++] = TEXT(key);
	for (size_t i = 0; i + 1 < rows->item_count; i += 2)
		if (is_long_gone(prune, swp_store_item_text(rows, i + 1)))
			arguments[count++] = TEXT(swp_store_item_text(rows, i));
	if (count > 2)
		ask(prune, arguments, count, workers_gone);
	else
		next_workers(prune);
	swp_free(arguments);
}

static void scan_workers(struct swp_prune *prune)
{
	char key[SWP_KEY_BYTES];

	if (swp_key_format(SWP_KEY_WORKERS, NULL, NULL, NULL, key) == 0)
		ask(prune,
			(struct swp_store_argument[]){TEXT("HSCAN"), TEXT(key), TEXT(prune->cursor),
				TEXT("COUNT"), TEXT(SCAN_COUNT)},
			5, workers_told);
}

/* --- life --- */

static void know_scripts(struct swp_prune *prune)
{
	prune->leave.source = swp_script_row(SWP_SCRIPT_LEAVE_INDEX)->source;
	prune->drop.source = swp_script_row(SWP_SCRIPT_DROP)->source;
}

struct swp_prune *swp_prune_one(
	struct swp_store *store, const char *sweep, void (*done)(void *context), void *context)
{
	struct swp_prune *prune = swp_calloc(1, sizeof(*prune));

	if (!prune)
		return NULL;
	/* It is ours to take, however young it is. */
	*prune = (struct swp_prune){.store = store, .done = done, .context = context, .now_ms = INT64_MAX};
	know_scripts(prune);
	prune->sweeps = swp_calloc(1, sizeof(*prune->sweeps));
	if (!prune->sweeps || !(prune->sweeps[0] = swp_strdup(sweep))) {
		destroy(prune);
		return NULL;
	}
	prune->count = 1;
	next_sweep(prune);
	return prune;
}

struct swp_prune *swp_prune_start(struct swp_store *store, unsigned keep, const char *name,
	const char *present, int64_t now_ms, const struct swp_fence *fence)
{
	struct swp_prune *prune = swp_calloc(1, sizeof(*prune));

	if (!prune)
		return NULL;
	*prune = (struct swp_prune){
		.store = store, .keep = keep, .kept = 1, .now_ms = now_ms, .fence = *fence, .cursor = "0"};
	know_scripts(prune);
	snprintf(prune->present, sizeof(prune->present), "%s", present);
	snprintf(prune->name, sizeof(prune->name), "%s", name);
	scan_workers(prune);
	return prune;
}

void swp_prune_free(struct swp_prune *prune)
{
	if (!prune)
		return;
	prune->freed = true;
	if (!prune->waiting)
		destroy(prune);
}
