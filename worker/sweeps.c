/* Sweeps and catalogues that this worker knows. */
#include "worker/sweeps.h"

#include <errno.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/log.h"
#include "worker/job.h"
#include "worker/link.h"
#include "worker/metrics.h"
#include "worker/state.h"

#define CATALOGUES_KEPT 8 /* the built-in one, and those of the last sweeps */

struct swp_catalogue_entry {
	struct swp_catalogue_entry *next; /* the youngest first */
	struct swp_catalogue *catalogue;
};

/* --- catalogues --- */

static struct swp_catalogue *find_catalogue(const struct swp_worker *worker, const char *hash)
{
	for (struct swp_catalogue_entry *entry = worker->catalogues; entry; entry = entry->next)
		if (strcmp(swp_catalogue_hash(entry->catalogue), hash) == 0)
			return entry->catalogue;
	return NULL;
}

static void forget_oldest(struct swp_worker *worker)
{
	struct swp_catalogue_entry **at = &worker->catalogues;

	for (unsigned i = 0; *at && i < CATALOGUES_KEPT; i++)
		at = &(*at)->next;
	while (*at) {
		struct swp_catalogue_entry *entry = *at;

		*at = entry->next;
		swp_catalogue_unref(entry->catalogue);
		swp_free(entry);
	}
}

/* Takes the reference. */
static int keep_catalogue(struct swp_worker *worker, struct swp_catalogue *catalogue)
{
	struct swp_catalogue_entry *entry = swp_calloc(1, sizeof(*entry));

	if (!entry) {
		swp_catalogue_unref(catalogue);
		return -ENOMEM;
	}
	swp_worker_metrics_catalogue(worker->metrics, catalogue);
	entry->catalogue = catalogue;
	entry->next = worker->catalogues;
	worker->catalogues = entry;
	forget_oldest(worker);
	return 0;
}

int swp_sweeps_init(struct swp_worker *worker)
{
	struct swp_catalogue *catalogue;
	size_t length;
	const char *compiled = swp_catalogue_builtin(&length);
	int r = swp_catalogue_load(compiled, length, &catalogue, NULL);

	return r < 0 ? r : keep_catalogue(worker, catalogue);
}

size_t swp_sweeps_hashes(const struct swp_worker *worker, const char **hashes, size_t max)
{
	size_t count = 0;

	for (struct swp_catalogue_entry *entry = worker->catalogues; entry && count < max;
		entry = entry->next)
		hashes[count++] = swp_catalogue_hash(entry->catalogue);
	return count;
}

static void ask_catalogue(struct swp_worker_sweep *sweep)
{
	const struct swp_message message = {
		.type = SWP_MESSAGE_WANT_CATALOGUE,
		.want_catalogue = {sweep->message.sweep.catalogue},
	};

	swp_link_send(sweep->link, &message);
}

/* --- a sweep becomes usable --- */

static int select_checks(struct swp_worker_sweep *sweep)
{
	const struct swp_message_sweep *wanted = &sweep->message.sweep;

	memset(&sweep->selection, 0, sizeof(sweep->selection));
	for (size_t i = 0; i < wanted->selection_count; i++) {
		int index = swp_catalogue_check_find(sweep->catalogue, wanted->selection[i]);

		if (index < 0) {
			swp_log(SWP_LOG_ERROR, "sweep.check",
				"the sweep selects a check that its catalogue does not have",
				SWP_LOG_S("check", wanted->selection[i]));
			return -EINVAL;
		}
		swp_selection_set(&sweep->selection, (size_t)index, true);
	}
	return 0;
}

static int take_endpoints(struct swp_worker_sweep *sweep)
{
	const struct swp_message_sweep *wanted = &sweep->message.sweep;
	struct swp_problem problem;

	sweep->endpoints.fips = wanted->fips;
	sweep->endpoints.dual_stack = wanted->dual_stack;
	for (size_t i = 0; i < wanted->endpoint_count; i++) {
		const struct swp_wire_endpoint *row = &wanted->endpoints[i];
		int r = swp_endpoint_options_add(&sweep->endpoints, row->service[0] ? row->service : NULL,
			row->region[0] ? row->region : NULL, row->url, &problem);

		if (r < 0) {
			swp_log(SWP_LOG_ERROR, "sweep.endpoint", problem.text,
				SWP_LOG_S("sweep", wanted->sweep));
			return r;
		}
	}
	return 0;
}

static int make_caller(struct swp_worker_sweep *sweep)
{
	const struct swp_caller_options options = {
		.http = sweep->worker->http,
		.loop = sweep->worker->loop,
		.partition = sweep->partition,
		.endpoints = &sweep->endpoints,
	};

	sweep->caller = swp_caller_new(&options);
	return sweep->caller ? 0 : -ENOMEM;
}

/* This worker will never do a job of it. */
static void give_up(struct swp_worker_sweep *sweep, const char *why)
{
	sweep->unusable = true;
	snprintf(sweep->why, sizeof(sweep->why), "%s", why);
	swp_log(SWP_LOG_ERROR, "sweep.unusable",
		"this worker can't do jobs of the sweep; it may be older than its coordinator: upgrade it",
		SWP_LOG_S("sweep", sweep->message.sweep.sweep), SWP_LOG_S("why", why));
	for (struct swp_waiting_job *waiting = sweep->waiting; waiting; waiting = waiting->next)
		swp_link_give_back(sweep->link, waiting->message.job.job, waiting->message.job.epoch,
			SWP_GIVE_BACK_CANNOT, sweep->why);
	swp_sweeps_drop_waiting(sweep, 0, 0, true);
}

static void start_waiting(struct swp_worker_sweep *sweep)
{
	struct swp_waiting_job *first = sweep->waiting;

	sweep->waiting = NULL;
	while (first) {
		struct swp_waiting_job *waiting = first;
		uint64_t job = waiting->message.job.job, epoch = waiting->message.job.epoch;
		int r = swp_job_start(sweep->worker, sweep->link, sweep, &waiting->message);

		if (r < 0)
			swp_link_give_back(sweep->link, job, epoch, SWP_GIVE_BACK_RESOURCES, strerror(-r));
		first = waiting->next;
		swp_message_done(&waiting->message);
		swp_free(waiting);
	}
}

static void catalogue_is_there(struct swp_worker_sweep *sweep, struct swp_catalogue *catalogue)
{
	int r;

	sweep->catalogue = swp_catalogue_ref(catalogue);
	sweep->partition = swp_partition_by_name(sweep->message.sweep.partition);
	r = sweep->partition ? select_checks(sweep) : -EINVAL;
	if (r == 0)
		sweep->wanted = swp_wanted_facts_new(catalogue, &sweep->selection);
	if (r == 0 && !sweep->wanted)
		r = -ENOMEM;
	if (r == 0)
		r = take_endpoints(sweep);
	if (r == 0)
		r = make_caller(sweep);
	if (r < 0) {
		give_up(sweep, !sweep->partition ? "its partition is not known here" : strerror(-r));
		return;
	}
	start_waiting(sweep);
}

/* --- what coordinators say --- */

struct swp_worker_sweep *swp_sweeps_find(struct swp_link *link, struct swp_worker *worker, const char *id)
{
	for (struct swp_worker_sweep *sweep = worker->sweeps; sweep; sweep = sweep->next)
		if (sweep->link == link && !sweep->ended && strcmp(sweep->message.sweep.sweep, id) == 0)
			return sweep;
	return NULL;
}

/* The same sweep of a coordinator that is silent: another has taken it over, and with it the jobs that this worker holds of it. */
static struct swp_worker_sweep *take_over(struct swp_link *link, struct swp_worker *worker, const char *id)
{
	struct swp_worker_sweep *sweep = worker->sweeps;

	while (sweep && (sweep->ended || sweep->link == link || swp_link_is_open(sweep->link) ||
				strcmp(sweep->message.sweep.sweep, id) != 0))
		sweep = sweep->next;
	if (!sweep)
		return NULL;
	swp_log(SWP_LOG_INFO, "sweep.taken-over", "another coordinator goes on with the sweep",
		SWP_LOG_S("sweep", id), SWP_LOG_S("coordinator", swp_link_endpoint(link)));
	sweep->link = link;
	for (struct swp_job *job = worker->jobs; job; job = job->next)
		if (job->sweep == sweep) {
			swp_link_job_removed(job->link);
			job->link = link;
			swp_link_job_added(link);
		}
	return sweep;
}

void swp_sweeps_begin(struct swp_link *link, struct swp_worker *worker, struct swp_message *message)
{
	struct swp_worker_sweep *sweep = swp_sweeps_find(link, worker, message->sweep.sweep);
	struct swp_catalogue *catalogue;

	struct swp_worker_sweep *before = take_over(link, worker, message->sweep.sweep);

	if (!sweep)
		sweep = before;
	else if (before)
		before->ended = true; /* it goes with its last job; new ones are the other's */

	if (sweep)
		sweep->untold = false;
	if (sweep && !sweep->unusable &&
		strcmp(sweep->message.sweep.catalogue, message->sweep.catalogue) == 0)
		return;
	if (sweep)
		swp_sweeps_end(sweep);
	sweep = swp_calloc(1, sizeof(*sweep));
	if (!sweep)
		return; /* its jobs are given back: unknown sweep */
	sweep->worker = worker;
	sweep->link = link;
	sweep->message = *message;
	*message = (struct swp_message){0};
	sweep->next = worker->sweeps;
	worker->sweeps = sweep;
	catalogue = find_catalogue(worker, sweep->message.sweep.catalogue);
	if (catalogue)
		catalogue_is_there(sweep, catalogue);
	else
		ask_catalogue(sweep);
}

static void give_up_all(struct swp_worker *worker, const char *hash, const char *why)
{
	for (struct swp_worker_sweep *sweep = worker->sweeps; sweep; sweep = sweep->next)
		if (!sweep->catalogue && strcmp(sweep->message.sweep.catalogue, hash) == 0)
			give_up(sweep, why);
}

void swp_sweeps_catalogue(struct swp_link *link, struct swp_worker *worker, const struct swp_message *message)
{
	const struct swp_message_catalogue *sent = &message->catalogue;
	struct swp_catalogue *catalogue = find_catalogue(worker, sent->hash);
	struct swp_problem problem = {""};

	if (!catalogue) {
		if (swp_catalogue_load(sent->compiled.bytes, sent->compiled.length, &catalogue, &problem) <
			0) {
			swp_log(SWP_LOG_ERROR, "catalogue.broken", problem.text,
				SWP_LOG_S("coordinator", swp_link_endpoint(link)));
			give_up_all(worker, sent->hash, problem.text);
			return;
		}
		if (strcmp(swp_catalogue_hash(catalogue), sent->hash) != 0) {
			swp_log(SWP_LOG_ERROR, "catalogue.hash",
				"the catalogue is not the one that its hash names",
				SWP_LOG_S("hash", sent->hash));
			swp_catalogue_unref(catalogue);
			return;
		}
		if (keep_catalogue(worker, catalogue) < 0)
			return;
	}
	for (struct swp_worker_sweep *sweep = worker->sweeps; sweep; sweep = sweep->next)
		if (!sweep->catalogue && strcmp(sweep->message.sweep.catalogue, sent->hash) == 0)
			catalogue_is_there(sweep, catalogue);
}

void swp_sweeps_greeted(struct swp_link *link, struct swp_worker *worker)
{
	for (struct swp_worker_sweep *sweep = worker->sweeps; sweep; sweep = sweep->next) {
		if (sweep->link != link)
			continue;
		sweep->untold = true;
		if (!sweep->catalogue)
			ask_catalogue(sweep);
	}
}

int swp_sweeps_wait(struct swp_worker_sweep *sweep, struct swp_message *message)
{
	struct swp_waiting_job **last = &sweep->waiting;
	struct swp_waiting_job *waiting;
	unsigned count = 0;

	for (; *last; last = &(*last)->next)
		count++;
	if (count >= sweep->worker->credits)
		return -ENOBUFS;
	waiting = swp_calloc(1, sizeof(*waiting));
	if (!waiting)
		return -ENOMEM;
	waiting->message = *message;
	*message = (struct swp_message){0};
	*last = waiting;
	return 0;
}

bool swp_sweeps_drop_waiting(struct swp_worker_sweep *sweep, uint64_t job, uint64_t epoch, bool all)
{
	struct swp_waiting_job **at = &sweep->waiting;
	bool dropped = false;

	while (*at) {
		struct swp_waiting_job *waiting = *at;

		if (!all && (waiting->message.job.job != job || waiting->message.job.epoch != epoch)) {
			at = &waiting->next;
			continue;
		}
		*at = waiting->next;
		swp_message_done(&waiting->message);
		swp_free(waiting);
		dropped = true;
	}
	return dropped;
}

/* --- the end of a sweep --- */

static void free_sweep(struct swp_worker_sweep *sweep)
{
	struct swp_worker_sweep **at = &sweep->worker->sweeps;

	while (*at != sweep)
		at = &(*at)->next;
	*at = sweep->next;
	swp_sweeps_drop_waiting(sweep, 0, 0, true);
	swp_worker_metrics_caller_ends(sweep->worker->metrics, sweep->caller);
	swp_caller_free(sweep->caller);
	swp_endpoint_options_done(&sweep->endpoints);
	swp_wanted_facts_free(sweep->wanted);
	swp_catalogue_unref(sweep->catalogue);
	swp_message_done(&sweep->message);
	swp_free(sweep);
}

void swp_sweeps_end(struct swp_worker_sweep *sweep)
{
	sweep->ended = true;
	swp_worker_keep_house(sweep->worker);
}

void swp_sweeps_take(struct swp_worker_sweep *sweep)
{
	sweep->jobs++;
}

static bool is_over(const struct swp_worker_sweep *sweep)
{
	return sweep->jobs == 0 &&
	       (sweep->ended || (sweep->untold && !sweep->waiting && swp_link_is_open(sweep->link)));
}

void swp_sweeps_release(struct swp_worker_sweep *sweep)
{
	sweep->jobs--;
	if (is_over(sweep))
		swp_worker_keep_house(sweep->worker);
}

void swp_sweeps_free_ended(struct swp_worker *worker)
{
	struct swp_worker_sweep *next;

	for (struct swp_worker_sweep *sweep = worker->sweeps; sweep; sweep = next) {
		next = sweep->next;
		if (is_over(sweep))
			free_sweep(sweep);
	}
}

void swp_sweeps_free_all(struct swp_worker *worker)
{
	while (worker->sweeps)
		free_sweep(worker->sweeps);
	while (worker->catalogues) {
		struct swp_catalogue_entry *entry = worker->catalogues;

		worker->catalogues = entry->next;
		swp_catalogue_unref(entry->catalogue);
		swp_free(entry);
	}
}
