#include "coordinator/serve.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/ask.h"
#include "coordinator/hub.h"
#include "coordinator/leader.h"
#include "coordinator/outputs.h"
#include "coordinator/report.h"
#include "coordinator/resume.h"
#include "proto/base/alloc.h"
#include "proto/base/log.h"
#include "proto/base/map.h"
#include "proto/base/text.h"
#include "proto/io/folder.h"
#include "proto/record/keys.h"

#define ASK_PATIENCE_MS 60000
#define RESUME_AGAIN_MS                                                                                      \
	15000 /* a sweep that lost the store, or could not be gone on with, is tried again after that */
#define WORKERS_TOLD_MS 2500

struct swp_serve {
	struct swp_loop *loop;
	struct swp_serve_options options;
	struct swp_owner owner;
	struct swp_leader *leader;
	struct swp_hub *hub; /* while leading */
	struct swp_scheduled *scheduled;
	char why[256];
	struct swp_problem refused;
	int64_t drain_ends_ms, workers_told_ms; /* monotonic; 0: not draining */
	bool store_up, known, deposed;
};

static int64_t now_ms(const struct swp_serve *serve)
{
	return swp_loop_now_ms(serve->loop);
}

static int64_t wall_ms(const struct swp_serve *serve)
{
	return swp_clock_wall_ms(swp_loop_clock(serve->loop));
}

static struct swp_asker asker_of(const struct swp_serve *serve)
{
	return (struct swp_asker){serve->loop, swp_leader_store(serve->leader), ASK_PATIENCE_MS};
}

void swp_scheduled_free(struct swp_scheduled *scheduled)
{
	if (!scheduled)
		return;
	SWP_ASSERT(!scheduled->sweep);
	swp_resume_free(scheduled->resume);
	swp_schedule_done(&scheduled->schedule);
	swp_settings_done(&scheduled->settings);
	swp_free(scheduled->name);
	swp_free(scheduled->text);
	swp_free(scheduled);
}

void swp_scheduled_free_all(struct swp_scheduled *list)
{
	while (list) {
		struct swp_scheduled *next = list->next;

		swp_scheduled_free(list);
		list = next;
	}
}

/* --- what was begun when, as the store has it: {"complete": ms, "since": ms, "last": ms, "reported": "id",
 * "text": "…"} --- */

static void write_past(struct swp_serve *serve, const struct swp_scheduled *scheduled)
{
	json_t *row = json_pack("{s:I, s:I, s:I, s:s, s:s}", "complete", (json_int_t)scheduled->complete_ms,
		"since", (json_int_t)scheduled->past.since_ms, "last", (json_int_t)scheduled->past.last_ms,
		"reported", scheduled->reported, "text", scheduled->text);
	char *text = row ? json_dumps(row, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

	if (text)
		swp_leader_put(serve->leader, SWP_KEY_SCHEDULES, scheduled->name, text);
	free(text);
	json_decref(row);
}

static void set_reported(struct swp_scheduled *scheduled, const char *id)
{
	if (swp_key_is_sweep_id(id))
		snprintf(scheduled->reported, sizeof(scheduled->reported), "%s", id);
	else
		scheduled->reported[0] = '\0';
}

/* Of another schedule, or of none: it begins now. */
static void read_past(struct swp_serve *serve, struct swp_scheduled *scheduled, const char *text)
{
	json_t *row = text ? json_loads(text, 0, NULL) : NULL;
	const char *before = json_string_value(json_object_get(row, "text"));
	const char *reported = json_string_value(json_object_get(row, "reported"));

	set_reported(scheduled, reported ? reported : "");
	scheduled->past = (struct swp_schedule_past){wall_ms(serve), -1};
	scheduled->complete_ms = json_integer_value(json_object_get(row, "complete"));
	if (before && swp_text_equal(before, scheduled->text)) {
		scheduled->past.since_ms = json_integer_value(json_object_get(row, "since"));
		scheduled->past.last_ms = json_integer_value(json_object_get(row, "last"));
	} else {
		write_past(serve, scheduled);
	}
	json_decref(row);
}

static int keep_text(void *context, const char *field, const struct swp_store_reply *value)
{
	char *copy = swp_strndup(value->bytes, value->length);
	void *old = NULL;
	int error = copy ? swp_map_put(context, field, copy, &old) : -ENOMEM;

	if (error < 0)
		swp_free(copy);
	swp_free(old);
	return error;
}

static int read_all_pasts(struct swp_serve *serve, struct swp_problem *problem)
{
	struct swp_asker asker = asker_of(serve);
	struct swp_map *texts = swp_map_new();
	char key[SWP_KEY_BYTES];
	int error = texts ? swp_key_format(SWP_KEY_SCHEDULES, NULL, NULL, NULL, key) : -ENOMEM;

	if (error == 0)
		error = swp_ask_hash(&asker, key, keep_text, texts, problem);
	for (struct swp_scheduled *scheduled = serve->scheduled; error == 0 && scheduled;
		scheduled = scheduled->next)
		if (!scheduled->sweep)
			read_past(serve, scheduled, swp_map_get(texts, scheduled->name));
	swp_map_free(texts, swp_free);
	return error;
}

/* --- metrics --- */

static void tell_known(const struct swp_serve *serve)
{
	for (const struct swp_scheduled *scheduled = serve->scheduled; serve->options.metrics && scheduled;
		scheduled = scheduled->next)
		if (!scheduled->retired)
			swp_coordinator_metrics_last_complete(
				serve->options.metrics, scheduled->name, scheduled->complete_ms);
}

static void forget_name(const struct swp_serve *serve, const char *name)
{
	if (serve->options.metrics)
		swp_coordinator_metrics_forget(serve->options.metrics, name);
}

static void tell_sweep_ended(struct swp_serve *serve, struct swp_scheduled *scheduled)
{
	struct swp_caller_statistics own;
	const struct swp_coordinator_sweep sweep = {
		scheduled->name, swp_sweep_progress(scheduled->sweep), &own};
	const int64_t ended_ms =
		wall_ms(serve); /* one reading: the store and the metrics tell the same moment */

	if (scheduled->result.end == SWP_SWEEP_END_SWEPT && scheduled->result.status == SWP_SWEEP_COMPLETE) {
		scheduled->complete_ms = ended_ms;
		write_past(serve, scheduled);
	}
	if (!serve->options.metrics)
		return;
	swp_sweep_own_statistics(scheduled->sweep, &own);
	swp_coordinator_metrics_ended(serve->options.metrics, &sweep, &scheduled->result, ended_ms,
		now_ms(serve) - sweep.progress->started_ms);
}

static void tell_sweep(const struct swp_serve *serve, const struct swp_scheduled *scheduled)
{
	struct swp_caller_statistics own;
	const struct swp_coordinator_sweep sweep = {
		scheduled->name, swp_sweep_progress(scheduled->sweep), &own};

	swp_sweep_own_statistics(scheduled->sweep, &own);
	swp_coordinator_metrics_sweep(serve->options.metrics, &sweep);
}

void swp_serve_tell_metrics(const struct swp_serve *serve)
{
	struct swp_coordinator_metrics *metrics = serve->options.metrics;
	const struct swp_store *store = swp_leader_store(serve->leader);
	struct swp_dispatch_numbers numbers = {0};
	struct swp_dispatch_worker_states workers = {0};
	struct swp_fleet_strangers strangers;

	if (!metrics)
		return;
	if (serve->hub) {
		swp_dispatch_count(swp_hub_dispatch(serve->hub), &numbers);
		swp_dispatch_count_workers(swp_hub_dispatch(serve->hub), &workers);
		strangers = swp_fleet_strangers(swp_hub_fleet(serve->hub));
		swp_coordinator_metrics_fleet(metrics, &strangers);
	}
	swp_coordinator_metrics_dispatch(metrics, &numbers, &workers);
	swp_coordinator_metrics_leader(metrics, swp_leader_leads(serve->leader));
	swp_coordinator_metrics_store(metrics, swp_store_is_up(store), swp_store_connections(store));
	for (const struct swp_scheduled *scheduled = serve->scheduled; scheduled; scheduled = scheduled->next)
		if (scheduled->sweep && !scheduled->finished)
			tell_sweep(serve, scheduled);
}

/* --- a sweep begins --- */

static void sweep_finished(void *context, const struct swp_sweep_result *result)
{
	struct swp_scheduled *scheduled = context;

	scheduled->result = *result;
	if (result->problem)
		scheduled->problem = *result->problem;
	scheduled->finished = true;
}

static void drop_sweep(struct swp_scheduled *scheduled)
{
	swp_sweep_free(scheduled->sweep);
	scheduled->sweep = NULL;
	scheduled->finished = false;
	swp_resume_free(scheduled->resume);
	scheduled->resume = NULL;
}

static void begin(struct swp_serve *serve, struct swp_scheduled *scheduled)
{
	const struct swp_sweep_events events = {.finished = sweep_finished, .context = scheduled};
	struct swp_sweep_options options;
	struct swp_problem problem = {0};

	swp_settings_sweep_options(&scheduled->settings, &options);
	options.hub = serve->hub;
	options.store = serve->options.store;
	options.state_folder = serve->options.common->state_folder;
	options.name = scheduled->name;
	options.owner = &serve->owner;
	options.leader_term = swp_leader_term(serve->leader);
	options.leader_before = swp_leader_before(serve->leader);
	options.max_share_percent = scheduled->max_share_percent;
	options.resume = scheduled->resume;
	if (scheduled->resume) {
		options.catalogue = scheduled->resume->catalogue;
		options.selection = &scheduled->resume->selection;
	}
	scheduled->finished = false;
	scheduled->sweep = swp_sweep_new(serve->loop, &options, &events, &problem);
	if (!scheduled->sweep || swp_sweep_start(scheduled->sweep) < 0) {
		swp_log(SWP_LOG_ERROR, "sweep.not-begun", *problem.text ? problem.text : "out of memory",
			SWP_LOG_S("name", scheduled->name));
		drop_sweep(scheduled);
		return;
	}
	swp_log(SWP_LOG_INFO, scheduled->resume ? "sweep.resumed" : "sweep.begun",
		scheduled->resume ? "a sweep is gone on with" : "a sweep begins",
		SWP_LOG_S("name", scheduled->name), SWP_LOG_S("sweep", swp_sweep_id(scheduled->sweep)));
}

/* --- going on with what another leader began --- */

struct state_and_name {
	char state[16], name[64];
};

static int keep_state(void *context, const struct swp_store_reply *reply)
{
	struct state_and_name *row = context;

	if (reply->type != SWP_STORE_REPLY_LIST || reply->item_count != 2)
		return 0;
	if (reply->items[0].type == SWP_STORE_REPLY_TEXT)
		snprintf(row->state, sizeof(row->state), "%s", reply->items[0].bytes);
	if (reply->items[1].type == SWP_STORE_REPLY_TEXT)
		snprintf(row->name, sizeof(row->name), "%s", reply->items[1].bytes);
	return 0;
}

static struct swp_scheduled *find(const struct swp_serve *serve, const char *name)
{
	for (struct swp_scheduled *scheduled = serve->scheduled; scheduled; scheduled = scheduled->next)
		if (!scheduled->retired && swp_text_equal(scheduled->name, name))
			return scheduled;
	return NULL;
}

/* Told to the settings of now, which a reload may have replaced. */
static void was_reported(struct swp_serve *serve, const char *name, const char *id)
{
	struct swp_scheduled *scheduled = find(serve, name);

	if (!scheduled)
		return;
	set_reported(scheduled, id);
	write_past(serve, scheduled);
}

static int write_report(struct swp_serve *serve, struct swp_scheduled *scheduled, const char *id,
	struct swp_report *report, struct swp_problem *problem)
{
	SWP_CLEANUP(swp_free_pointer)
	char *path = swp_asprintf("%s/%s-%s.json", serve->options.reports, scheduled->name, id);
	struct swp_option_value *output = &scheduled->settings.options.values[SWP_OPT_OUTPUT];
	struct swp_option_value before = *output;
	struct swp_outputs outputs = {0};
	int error;

	if (!serve->options.reports || !scheduled->json)
		return 0;
	if (!path)
		return -ENOMEM;
	*output = (struct swp_option_value){.items = &path, .item_count = 1};
	error = swp_outputs_open(&outputs, &scheduled->settings.options, problem);
	*output = before;
	if (error == 0)
		error = swp_outputs_write(&outputs, report,
			swp_options_flag(&scheduled->settings.options, SWP_OPT_ALL), problem);
	swp_outputs_done(&outputs);
	return error;
}

/* Its leader was killed when the sweep had ended and the report was not written yet. */
static void report_late(struct swp_serve *serve, struct swp_scheduled *scheduled, const char *id)
{
	struct swp_asker asker = asker_of(serve);
	struct swp_report *report = NULL;
	struct swp_problem problem = {0};
	int error = swp_report_open(&asker, id, &report, &problem);

	if (error == 0)
		error = write_report(serve, scheduled, id, report, &problem);
	swp_report_free(report);
	if (error < 0) {
		swp_log(SWP_LOG_ERROR, "sweep.report", problem.text, SWP_LOG_S("name", scheduled->name),
			SWP_LOG_S("sweep", id));
		return;
	}
	swp_log(SWP_LOG_INFO, "sweep.reported", "the coordinator before did not come to write this report",
		SWP_LOG_S("name", scheduled->name), SWP_LOG_S("sweep", id));
	was_reported(serve, scheduled->name, id);
}

static int resume_one(struct swp_serve *serve, const char *id, struct swp_problem *problem)
{
	struct swp_asker asker = asker_of(serve);
	struct state_and_name row = {"", ""};
	struct swp_scheduled *scheduled;
	bool newest;
	char key[SWP_KEY_BYTES];
	int error = swp_key_format(SWP_KEY_SWEEP, id, NULL, NULL, key);

	if (error == 0)
		error = swp_ask(&asker,
			(struct swp_store_argument[]){SWP_STORE_TEXT_ARGUMENT("HMGET"),
				SWP_STORE_TEXT_ARGUMENT(key), SWP_STORE_TEXT_ARGUMENT(SWP_SWEEP_FIELD_STATE),
				SWP_STORE_TEXT_ARGUMENT(SWP_SWEEP_FIELD_NAME)},
			4, keep_state, &row, problem);
	scheduled = error == 0 ? find(serve, row.name) : NULL;
	if (!scheduled || scheduled->sweep)
		return error;
	newest = !scheduled->newest_seen;
	scheduled->newest_seen = true;
	if (newest && swp_text_equal(row.state, "finished") && !swp_text_equal(scheduled->reported, id))
		report_late(serve, scheduled, id);
	if (!swp_text_equal(row.state, "running"))
		return 0;
	error = swp_resume_load(&asker, id, &scheduled->resume, problem);
	if (error == 0 && swp_leader_leads(serve->leader))
		begin(serve, scheduled);
	return error == -ENOMEM || error == -ETIMEDOUT ? error : 0; /* a damaged one is left alone */
}

/* The newest of each name; and the report of the newest, if it is finished and has none. */
static int resume_all(struct swp_serve *serve, struct swp_problem *problem)
{
	struct swp_asker asker = asker_of(serve);
	struct swp_sweep_ids *newest = NULL;
	int error = swp_ask_newest_sweeps(&asker, &newest, problem);

	for (struct swp_scheduled *scheduled = serve->scheduled; scheduled; scheduled = scheduled->next)
		scheduled->newest_seen = false;
	for (size_t i = 0; error == 0 && i < newest->count; i++)
		error = resume_one(serve, newest->ids[i], problem);
	swp_free(newest);
	return error;
}

/* --- a sweep has ended: its report --- */

static void tell_end(const struct swp_scheduled *scheduled, const struct swp_report *report)
{
	const struct swp_report_totals *totals = swp_report_totals(report);
	char coverage[16];

	snprintf(coverage, sizeof(coverage), "%u.%02u", totals->coverage_hundredths / 100,
		totals->coverage_hundredths % 100);
	swp_log(SWP_LOG_INFO, "sweep.ended", "a sweep has ended", SWP_LOG_S("name", scheduled->name),
		SWP_LOG_S("sweep", swp_sweep_id(scheduled->sweep)),
		SWP_LOG_S("status", swp_sweep_status_name(scheduled->result.status)),
		SWP_LOG_S("coverage_percent", coverage), SWP_LOG_N("failed", totals->fail),
		SWP_LOG_N("not_assessed", totals->not_assessed),
		SWP_LOG_N("seconds", (totals->finished_at_ms - totals->started_at_ms) / 1000));
}

static int report_sweep(struct swp_serve *serve, struct swp_scheduled *scheduled, struct swp_problem *problem)
{
	struct swp_asker asker = {serve->loop, swp_sweep_store(scheduled->sweep), ASK_PATIENCE_MS};
	struct swp_report *report = NULL;
	int error;

	swp_sweep_release(scheduled->sweep);
	error = swp_report_open(&asker, swp_sweep_id(scheduled->sweep), &report, problem);
	if (error == 0)
		error = write_report(serve, scheduled, swp_sweep_id(scheduled->sweep), report, problem);
	if (error == 0)
		was_reported(serve, scheduled->name, swp_sweep_id(scheduled->sweep));
	if (report)
		tell_end(scheduled, report); /* whoever waits for this line finds the report there */
	swp_report_free(report);
	return error;
}

/* --- reports go with their sweep --- */

struct pruning {
	struct swp_serve *serve;
	const char *name;
	struct swp_map *kept; /* ids in the index */
};

static int keep_indexed(void *context, const struct swp_store_reply *reply)
{
	int error = 0;

	for (size_t i = 0; reply->type == SWP_STORE_REPLY_LIST && i < reply->item_count && error == 0; i++)
		error = swp_map_put(context, reply->items[i].bytes, (void *)(uintptr_t)1, NULL);
	return error;
}

/* NAME-SWEEP.json, where SWEEP is an id of ours that the store does not hold any more. */
static int prune_report(const char *file, void *context)
{
	const struct pruning *pruning = context;
	size_t name = strlen(pruning->name), length = strlen(file);
	char id[SWP_KEY_BYTES];

	if (strncmp(file, pruning->name, name) != 0 || file[name] != '-' || length < name + 7 ||
		length - name - 6 >= sizeof(id))
		return 0;
	memcpy(id, file + name + 1, length - name - 6);
	id[length - name - 6] = '\0';
	if (strspn(id, "0123456789TZ-abcdef") != strlen(id) || swp_map_get(pruning->kept, id))
		return 0;
	char *path = swp_asprintf("%s/%s", pruning->serve->options.reports, file);

	if (path)
		unlink(path);
	swp_free(path);
	return 0;
}

static void prune_reports(struct swp_serve *serve, const struct swp_scheduled *scheduled)
{
	struct swp_asker asker = asker_of(serve);
	struct pruning pruning = {serve, scheduled->name, swp_map_new()};
	struct swp_problem problem = {0};
	char key[SWP_KEY_BYTES];

	if (serve->options.reports && pruning.kept &&
		swp_key_format(SWP_KEY_INDEX, NULL, NULL, NULL, key) == 0 &&
		swp_ask(&asker,
			(struct swp_store_argument[]){SWP_STORE_TEXT_ARGUMENT("ZRANGE"),
				SWP_STORE_TEXT_ARGUMENT(key), SWP_STORE_TEXT_ARGUMENT("0"),
				SWP_STORE_TEXT_ARGUMENT("-1")},
			4, keep_indexed, pruning.kept, &problem) == 0 &&
		swp_map_count(pruning.kept) > 0)
		swp_folder_list(serve->options.reports, ".json", prune_report, &pruning);
	swp_map_free(pruning.kept, NULL);
}

static void tell_next(struct swp_serve *serve, const struct swp_scheduled *scheduled)
{
	struct swp_schedule_due due;
	char start[SWP_TIME_TEXT_BYTES];

	if (scheduled->retired)
		return;
	swp_schedule_due(&scheduled->schedule, scheduled->name, &scheduled->past, wall_ms(serve), &due);
	swp_time_format(due.start_ms, start);
	swp_log(SWP_LOG_INFO, "schedule.next", "when the sweep begins next",
		SWP_LOG_S("name", scheduled->name), SWP_LOG_S("at", start));
}

static void end_sweep(struct swp_serve *serve, struct swp_scheduled *scheduled)
{
	struct swp_problem problem = {0};

	tell_sweep_ended(serve, scheduled);
	if (scheduled->result.end == SWP_SWEEP_END_SWEPT) {
		if (report_sweep(serve, scheduled, &problem) < 0)
			swp_log(SWP_LOG_ERROR, "sweep.report", problem.text,
				SWP_LOG_S("name", scheduled->name),
				SWP_LOG_S("sweep", swp_sweep_id(scheduled->sweep)));
	} else if (scheduled->result.end != SWP_SWEEP_END_SUSPENDED) {
		swp_log(SWP_LOG_ERROR, "sweep.failed", scheduled->problem.text,
			SWP_LOG_S("name", scheduled->name),
			SWP_LOG_S("sweep", swp_sweep_id(scheduled->sweep)));
	}
	/* What is in the store already is not given up because AWS could not be asked who we are. */
	if (scheduled->result.end == SWP_SWEEP_END_STORE_LOST ||
		(scheduled->result.end == SWP_SWEEP_END_COULD_NOT_RUN && scheduled->resume))
		scheduled->resume_at_ms = now_ms(serve) + RESUME_AGAIN_MS;
	drop_sweep(scheduled);
	if (scheduled->result.end == SWP_SWEEP_END_SWEPT && swp_leader_leads(serve->leader)) {
		prune_reports(serve, scheduled);
		tell_next(serve, scheduled);
	}
}

/* --- when they are due --- */

static bool runs_elsewhere(const struct swp_serve *serve, const struct swp_scheduled *scheduled)
{
	for (const struct swp_scheduled *other = serve->scheduled; other; other = other->next)
		if (other != scheduled && other->sweep && swp_text_equal(other->name, scheduled->name))
			return true;
	return false;
}

static void look_at(struct swp_serve *serve, struct swp_scheduled *scheduled)
{
	struct swp_schedule_due due;

	if (scheduled->sweep || scheduled->retired || runs_elsewhere(serve, scheduled))
		return;
	swp_schedule_due(&scheduled->schedule, scheduled->name, &scheduled->past, wall_ms(serve), &due);
	if (due.missed > 0) {
		char until[SWP_TIME_TEXT_BYTES];

		swp_time_format(due.missed_until_ms, until);
		swp_log(SWP_LOG_WARNING, "schedule.missed",
			due.caught_up ? "runs were missed; one is begun now"
				      : "runs were missed; they are not caught up",
			SWP_LOG_S("name", scheduled->name), SWP_LOG_N("runs", due.missed),
			SWP_LOG_S("until", until));
		scheduled->past.last_ms = due.missed_until_ms;
		write_past(serve, scheduled);
	}
	if (due.start_ms > wall_ms(serve))
		return;
	scheduled->past.last_ms = due.due_ms;
	write_past(serve, scheduled);
	begin(serve, scheduled);
}

/* --- leading --- */

static void leads(void *context, uint64_t term)
{
	struct swp_serve *serve = context;

	snprintf(serve->why, sizeof(serve->why), "leading");
	serve->known = true;
	swp_log(SWP_LOG_INFO, "serve.leads", "this coordinator leads", SWP_LOG_N("term", (int64_t)term));
}

static void stands_by(void *context, const char *host)
{
	struct swp_serve *serve = context;

	snprintf(serve->why, sizeof(serve->why), "standing by for %s", host);
	serve->known = true;
	swp_log(SWP_LOG_INFO, "serve.stands-by", "another coordinator leads; standing by",
		SWP_LOG_S("leader", host));
}

static void deposed(void *context)
{
	struct swp_serve *serve = context;

	serve->deposed = true;
	swp_log(SWP_LOG_WARNING, "serve.deposed",
		"another coordinator has taken over while this one was silent; its sweeps are that one's",
		SWP_LOG_N("sweeps", swp_serve_running(serve)));
}

static void fresh(void *context)
{
	struct swp_serve *serve = context;

	for (struct swp_scheduled *scheduled = serve->scheduled; scheduled; scheduled = scheduled->next)
		if (!scheduled->retired)
			write_past(serve, scheduled);
}

static void drains(void *context, const char *const *names, size_t count)
{
	struct swp_serve *serve = context;

	for (size_t i = 0; serve->hub && i < count; i++)
		if (swp_hub_drain(serve->hub, names[i]))
			swp_leader_put(serve->leader, SWP_KEY_DRAINS, names[i], NULL);
}

static void store_says(void *context, bool up, const char *why)
{
	struct swp_serve *serve = context;

	if (serve->store_up == up && (up || serve->why[0]))
		return;
	serve->store_up = up;
	if (!up) {
		snprintf(serve->why, sizeof(serve->why), "waiting for the store: %s", why);
		swp_log(SWP_LOG_WARNING, "store.away", "waiting for the store", SWP_LOG_S("why", why));
	}
}

static void store_refused(void *context, const struct swp_problem *problem)
{
	((struct swp_serve *)context)->refused = *problem;
}

static int lead(struct swp_serve *serve, struct swp_problem *problem)
{
	int error;

	serve->hub = swp_sweep_hub_new(
		serve->loop, serve->options.common, "serve", serve->options.store, true, problem);
	if (!serve->hub)
		return -EIO;
	error = read_all_pasts(serve, problem);
	if (error == 0)
		tell_known(serve);
	if (error == 0 && swp_leader_leads(serve->leader))
		error = resume_all(serve, problem);
	if (error < 0)
		swp_log(SWP_LOG_ERROR, "serve.resume", problem->text, SWP_LOG_N("error", -error));
	for (const struct swp_scheduled *scheduled = serve->scheduled; scheduled; scheduled = scheduled->next)
		tell_next(serve, scheduled);
	return 0;
}

static void stop_leading(struct swp_serve *serve)
{
	serve->deposed = false;
	for (struct swp_scheduled *scheduled = serve->scheduled; scheduled; scheduled = scheduled->next) {
		drop_sweep(scheduled);
		forget_name(serve, scheduled->name); /* they are the new leader's to tell of */
	}
	swp_hub_free(serve->hub);
	serve->hub = NULL;
}

static void put_worker(void *context, const char *name, const char *row)
{
	struct swp_serve *serve = context;

	swp_leader_put(serve->leader, SWP_KEY_WORKERS, name, row);
}

static void free_retired(struct swp_serve *serve)
{
	struct swp_scheduled **at = &serve->scheduled;

	while (*at) {
		struct swp_scheduled *scheduled = *at;

		if (!scheduled->retired || scheduled->sweep) {
			at = &scheduled->next;
			continue;
		}
		*at = scheduled->next;
		if (!find(serve, scheduled->name))
			forget_name(serve, scheduled->name);
		swp_scheduled_free(scheduled);
	}
}

static void work_on(struct swp_serve *serve, struct swp_scheduled *scheduled)
{
	struct swp_problem problem = {0};

	if (scheduled->sweep && scheduled->finished)
		end_sweep(serve, scheduled);
	if (serve->drain_ends_ms || !swp_leader_leads(serve->leader))
		return;
	if (scheduled->resume_at_ms && scheduled->resume_at_ms <= now_ms(serve) && serve->store_up) {
		scheduled->resume_at_ms = 0;
		resume_all(serve, &problem);
	}
	if (!scheduled->resume_at_ms)
		look_at(serve, scheduled);
}

int swp_serve_work(struct swp_serve *serve, struct swp_problem *problem)
{
	int error = 0;

	if (serve->refused.text[0]) {
		*problem = serve->refused;
		return -EACCES;
	}
	if (serve->deposed)
		stop_leading(serve);
	if (swp_leader_leads(serve->leader) && !serve->hub && !serve->drain_ends_ms)
		error = lead(serve, problem);
	if (error < 0)
		return error;
	for (struct swp_scheduled *scheduled = serve->scheduled; serve->hub && !serve->deposed && scheduled;
		scheduled = scheduled->next)
		work_on(serve, scheduled);
	if (serve->hub && now_ms(serve) - serve->workers_told_ms >= WORKERS_TOLD_MS) {
		serve->workers_told_ms = now_ms(serve);
		swp_hub_each_worker(serve->hub, put_worker, serve);
	}
	free_retired(serve);
	return 0;
}

/* --- life --- */

struct swp_serve *swp_serve_new(struct swp_loop *loop, const struct swp_serve_options *options,
	struct swp_scheduled *scheduled, struct swp_problem *problem)
{
	struct swp_serve *serve = swp_calloc(1, sizeof(*serve));
	const struct swp_leader_events events = {.leads = leads,
		.stands_by = stands_by,
		.deposed = deposed,
		.fresh = fresh,
		.drains = drains,
		.store = store_says,
		.refused = store_refused,
		.context = serve};

	if (!serve) {
		swp_problem_set(problem, -ENOMEM, "out of memory");
		swp_scheduled_free_all(scheduled);
		return NULL;
	}
	serve->loop = loop;
	serve->options = *options;
	serve->scheduled = scheduled;
	swp_owner_make(&serve->owner, swp_clock_random_u64(swp_loop_clock(loop)));
	serve->leader = swp_leader_new(loop, options->store, &serve->owner, &events, problem);
	if (!serve->leader) {
		swp_serve_free(serve);
		return NULL;
	}
	return serve;
}

void swp_serve_free(struct swp_serve *serve)
{
	if (!serve)
		return;
	if (serve->hub)
		stop_leading(serve);
	swp_leader_free(serve->leader);
	swp_scheduled_free_all(serve->scheduled);
	swp_free(serve);
}

void swp_serve_reload(struct swp_serve *serve, struct swp_scheduled *scheduled)
{
	struct swp_scheduled *last = scheduled;

	for (struct swp_scheduled *old = serve->scheduled; old; old = old->next) {
		struct swp_scheduled *fresh_one = scheduled;

		while (fresh_one && !swp_text_equal(fresh_one->name, old->name))
			fresh_one = fresh_one->next;
		if (fresh_one && !old->retired && swp_text_equal(fresh_one->text, old->text))
			fresh_one->past = old->past;
		if (fresh_one && !old->retired) {
			fresh_one->complete_ms = old->complete_ms;
			set_reported(fresh_one, old->reported);
		}
		old->retired = true;
	}
	for (; last; last = last->next)
		if (last->past.since_ms == 0) {
			last->past = (struct swp_schedule_past){wall_ms(serve), -1};
			write_past(serve, last);
		}
	last = scheduled;
	while (last && last->next)
		last = last->next;
	if (last) {
		last->next = serve->scheduled;
		serve->scheduled = scheduled;
	}
	free_retired(serve);
	if (serve->hub) {
		swp_fleet_reload(swp_hub_fleet(serve->hub));
		tell_known(serve);
	}
}

void swp_serve_drain(struct swp_serve *serve)
{
	if (serve->drain_ends_ms)
		return;
	serve->drain_ends_ms = now_ms(serve) + SWP_SERVE_DRAIN_MS;
	for (struct swp_scheduled *scheduled = serve->scheduled; scheduled; scheduled = scheduled->next)
		if (scheduled->sweep)
			swp_sweep_suspend(scheduled->sweep);
}

unsigned swp_serve_running(const struct swp_serve *serve)
{
	unsigned running = 0;

	for (const struct swp_scheduled *scheduled = serve->scheduled; scheduled; scheduled = scheduled->next)
		running += scheduled->sweep != NULL;
	return running;
}

bool swp_serve_is_drained(const struct swp_serve *serve)
{
	return serve->drain_ends_ms &&
	       (swp_serve_running(serve) == 0 || now_ms(serve) >= serve->drain_ends_ms);
}

enum swp_serve_state swp_serve_state(const struct swp_serve *serve, const char **ret_why)
{
	*ret_why = serve->why;
	if (!serve->known || !serve->store_up)
		return SWP_SERVE_CONNECTING;
	return serve->hub ? SWP_SERVE_LEADING : SWP_SERVE_STANDING_BY;
}
