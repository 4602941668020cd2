#include "coordinator/finish.h"

#include <errno.h>
#include <string.h>

#include "coordinator/correlate.h"
#include "coordinator/ledger.h"
#include "coordinator/region-set.h"
#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/base/map.h"
#include "proto/base/region.h"
#include "proto/base/text.h"

#define STEP_WAIT_MS 1000

struct planned_account {
	const char *id;
	bool planned;
	enum swp_reason reason;
	const char **regions; /* region parts of keys */
	size_t count;
};

struct swp_finish {
	struct swp_loop *loop;
	struct swp_store *store;
	struct swp_ledger *ledger;
	struct swp_correlator *correlator;
	struct swp_catalogue *catalogue;
	struct swp_selection selection;
	struct swp_region *memory;
	struct swp_map *meta;		  /* field → text in `memory` */
	struct planned_account *accounts; /* owned array */
	size_t account_count, account_capacity, next;
	char cursor[32];
	void (*done)(void *context, const struct swp_problem *problem_or_null);
	void *context;
	struct swp_timer step;
	struct swp_problem problem;
	bool needs[3], failed, ended, over_began, over_done;
	bool given_up;
	bool waiting; /* for an answer of the store */
	bool freed;
};

#define TEXT(value) SWP_STORE_TEXT_ARGUMENT(value)

static void destroy(struct swp_finish *finish)
{
	swp_timer_stop(&finish->step);
	swp_correlator_free(finish->correlator);
	swp_ledger_free(finish->ledger);
	swp_catalogue_unref(finish->catalogue);
	swp_map_free(finish->meta, NULL);
	swp_region_free(finish->memory);
	swp_free(finish->accounts);
	swp_free(finish);
}

static void end(struct swp_finish *finish)
{
	if (finish->ended)
		return;
	finish->ended = true;
	finish->done(finish->context, finish->failed ? &finish->problem : NULL);
}

static void fail(struct swp_finish *finish, const char *what)
{
	finish->failed = true;
	swp_problem_set(&finish->problem, -EIO, "sweep %s: %s", swp_ledger_sweep(finish->ledger), what);
	end(finish);
}

/* False: freed meanwhile, or no answer that can be used (then it has ended). */
static bool answer_is_good(struct swp_finish *finish, const struct swp_store_reply *reply)
{
	finish->waiting = false;
	if (finish->freed) {
		destroy(finish);
		return false;
	}
	if (reply->type == SWP_STORE_REPLY_LOST || reply->type == SWP_STORE_REPLY_ERROR) {
		fail(finish, reply->type == SWP_STORE_REPLY_LOST ? "the store went away" : reply->bytes);
		return false;
	}
	return true;
}

static void ask(struct swp_finish *finish, const struct swp_store_argument *arguments, size_t count,
	swp_store_done done)
{
	finish->waiting = swp_store_command(finish->store, arguments, count, done, finish) == 0;
	if (!finish->waiting)
		fail(finish, "out of memory");
}

static const char *meta(const struct swp_finish *finish, const char *field)
{
	const char *text = swp_map_get(finish->meta, field);

	return text ? text : "";
}

/* --- correlation --- */

static enum swp_reason unread_of(const struct planned_account *account)
{
	/* A sweep whose coordinator died: what has no seal was not done. */
	return account->reason != SWP_REASON_NONE ? account->reason : SWP_REASON_CANCELLED;
}

static size_t jobs_of(const struct planned_account *account, struct swp_correlate_job *jobs)
{
	for (size_t i = 0; i < account->count; i++)
		jobs[i] = (struct swp_correlate_job){account->regions[i], unread_of(account)};
	return account->count;
}

static void kick(struct swp_finish *finish)
{
	if (!finish->ended && !swp_timer_is_running(&finish->step))
		swp_timer_start(&finish->step, 0);
}

static void account_done(void *context, const struct swp_correlate_counts *counts)
{
	(void)counts;
	kick(context);
}

static void over_done(void *context, const struct swp_correlate_counts *counts)
{
	struct swp_finish *finish = context;

	(void)counts;
	finish->over_done = true;
	kick(finish);
}

static struct swp_correlate_job *scratch_jobs(struct swp_finish *finish, size_t count)
{
	return swp_region_alloc(finish->memory, (count + 1) * sizeof(struct swp_correlate_job));
}

static bool each_account(void *context, size_t index, struct swp_correlate_account *ret_account)
{
	struct swp_finish *finish = context;
	const struct planned_account *account;
	struct swp_correlate_job *jobs;

	if (index >= finish->account_count)
		return false;
	account = &finish->accounts[index];
	jobs = scratch_jobs(finish, account->count);
	ret_account->id = account->id;
	ret_account->planned = account->planned && account->reason == SWP_REASON_NONE && jobs;
	ret_account->jobs = jobs;
	ret_account->count = jobs ? jobs_of(account, jobs) : 0;
	return true;
}

static void written(void *context)
{
	end(context);
}

static void correlate(struct swp_timer *timer)
{
	struct swp_finish *finish = SWP_CONTAINER_OF(timer, struct swp_finish, step);

	while (finish->next < finish->account_count &&
		swp_correlator_at_work(finish->correlator) < SWP_CORRELATE_AT_ONCE) {
		const struct planned_account *account = &finish->accounts[finish->next++];
		struct swp_correlate_job jobs[SWP_LIMIT_SWEEP_REGIONS];

		if (!account->planned || account->reason != SWP_REASON_NONE ||
			account->count > SWP_LIMIT_SWEEP_REGIONS)
			continue;
		if (swp_correlator_account(finish->correlator, account->id, jobs, jobs_of(account, jobs),
			    true, account_done, finish) < 0) {
			fail(finish, "out of memory");
			return;
		}
	}
	if (finish->next < finish->account_count || swp_correlator_at_work(finish->correlator) > 0)
		return;
	if (!finish->over_began && swp_correlator_needs_over(finish->correlator)) {
		finish->over_began = true;
		if (swp_correlator_over(finish->correlator,
			    swp_text_equal(meta(finish, SWP_SWEEP_FIELD_ENUMERATION), "complete"),
			    each_account, over_done, finish) < 0)
			fail(finish, "out of memory");
		return;
	}
	if (!finish->over_began || finish->over_done) {
		if (!finish->given_up && swp_ledger_disown(finish->ledger, true) < 0)
			fail(finish, "out of memory");
		finish->given_up = true; /* it may be resumed at once */
		swp_ledger_when_idle(finish->ledger, written);
	}
}

static void start_correlating(struct swp_finish *finish)
{
	const struct swp_correlator_options options = {.loop = finish->loop,
		.ledger = finish->ledger,
		.catalogue = finish->catalogue,
		.selection = &finish->selection,
		.partition = meta(finish, SWP_SWEEP_FIELD_PARTITION),
		.organization_id = meta(finish, SWP_SWEEP_FIELD_ORGANIZATION),
		.management_account = meta(finish, SWP_SWEEP_FIELD_MANAGEMENT_ACCOUNT)};

	finish->correlator = swp_correlator_new(&options);
	if (!finish->correlator)
		fail(finish, "out of memory");
	else
		kick(finish);
}

/* --- accounts --- */

static int add_regions(
	struct swp_finish *finish, const struct swp_record_account *row, struct planned_account *account)
{
	bool management = swp_text_equal(row->id, meta(finish, SWP_SWEEP_FIELD_MANAGEMENT_ACCOUNT));

	account->regions =
		swp_region_alloc(finish->memory, (row->region_count + 2) * sizeof(*account->regions));
	if (!account->regions)
		return -ENOMEM;
	for (size_t i = 0; finish->needs[SWP_LEVEL_REGION] && i < row->region_count; i++)
		account->regions[account->count++] = row->regions[i];
	if (finish->needs[SWP_LEVEL_GLOBAL])
		account->regions[account->count++] = SWP_JOB_GLOBAL;
	if (finish->needs[SWP_LEVEL_ORGANIZATION] && management)
		account->regions[account->count++] = SWP_JOB_ORGANIZATION;
	return 0;
}

static int add_account(struct swp_finish *finish, const struct swp_store_reply *value)
{
	struct swp_record_account row;
	struct planned_account *account;
	int error;

	if (finish->account_count >= SWP_LIMIT_ACCOUNTS)
		return -E2BIG;
	if (finish->account_count == finish->account_capacity) {
		size_t capacity = finish->account_capacity ? finish->account_capacity * 2 : 64;
		struct planned_account *accounts =
			swp_realloc(finish->accounts, capacity * sizeof(*accounts));

		if (!accounts)
			return -ENOMEM;
		finish->accounts = accounts;
		finish->account_capacity = capacity;
	}
	error = swp_account_decode(value->bytes, value->length, finish->memory, &row);
	if (error < 0)
		return error;
	account = &finish->accounts[finish->account_count];
	*account = (struct planned_account){.id = row.id,
		.planned = !row.not_planned,
		.reason = row.unread.reason < SWP_REASON_COUNT ? (enum swp_reason)row.unread.reason
							       : SWP_REASON_STORE_LOST};
	error = add_regions(finish, &row, account);
	if (error == 0)
		finish->account_count++;
	return error;
}

static void scan(struct swp_finish *finish);

/* HSCAN may tell a field twice; an account twice is only correlated twice. */
static void accounts_came(void *context, const struct swp_store_reply *reply)
{
	struct swp_finish *finish = context;
	const struct swp_store_reply *rows;

	if (!answer_is_good(finish, reply))
		return;
	if (reply->type != SWP_STORE_REPLY_LIST || reply->item_count != 2) {
		fail(finish, "its accounts can't be read");
		return;
	}
	rows = &reply->items[1];
	for (size_t i = 1; i < rows->item_count; i += 2)
		if (add_account(finish, &rows->items[i]) < 0) {
			fail(finish, "an account's row can't be read");
			return;
		}
	memset(finish->cursor, 0, sizeof(finish->cursor));
	memcpy(finish->cursor, reply->items[0].bytes,
		strnlen(reply->items[0].bytes, sizeof(finish->cursor) - 1));
	if (strcmp(finish->cursor, "0") == 0)
		start_correlating(finish);
	else
		scan(finish);
}

static void scan(struct swp_finish *finish)
{
	char key[SWP_KEY_BYTES];

	if (swp_key_format(SWP_KEY_ACCOUNTS, swp_ledger_sweep(finish->ledger), NULL, NULL, key) < 0) {
		fail(finish, "its id is none");
		return;
	}
	ask(finish,
		(struct swp_store_argument[]){
			TEXT("HSCAN"), TEXT(key), TEXT(finish->cursor), TEXT("COUNT"), TEXT("500")},
		5, accounts_came);
}

/* --- what it swept --- */

/* 0; -ENOMEM, -EBADMSG: a check that its catalogue does not have. */
static int select_checks(struct swp_finish *finish)
{
	int error = swp_selection_parse(
		finish->catalogue, meta(finish, SWP_SWEEP_FIELD_SELECTION), &finish->selection);

	if (error)
		return error;
	for (int level = 0; level < 3; level++)
		finish->needs[level] = swp_selection_needs_level(
			finish->catalogue, &finish->selection, (enum swp_level)level);
	if (!meta(finish, SWP_SWEEP_FIELD_ORGANIZATION)[0])
		finish->needs[SWP_LEVEL_ORGANIZATION] = false;
	return 0;
}

static void catalogue_came(void *context, const struct swp_store_reply *reply)
{
	struct swp_finish *finish = context;
	int error;

	if (!answer_is_good(finish, reply))
		return;
	if (reply->type != SWP_STORE_REPLY_TEXT) {
		fail(finish, "its catalogue is not in the store any more");
		return;
	}
	if (swp_catalogue_load(reply->bytes, reply->length, &finish->catalogue, &finish->problem) < 0) {
		fail(finish, "its catalogue can't be read by this version of orgsweep");
		return;
	}
	if (!swp_text_equal(swp_catalogue_hash(finish->catalogue), meta(finish, SWP_SWEEP_FIELD_CATALOGUE))) {
		fail(finish, "its catalogue is damaged");
		return;
	}
	error = select_checks(finish);
	if (error < 0) {
		fail(finish, error == -ENOMEM ? "out of memory" : "its selection of checks is damaged");
		return;
	}
	memcpy(finish->cursor, "0", 2);
	scan(finish);
}

static int keep_meta(struct swp_finish *finish, const struct swp_store_reply *reply)
{
	for (size_t i = 0; i + 1 < reply->item_count; i += 2) {
		const struct swp_store_reply *name = &reply->items[i], *value = &reply->items[i + 1];
		char *copy = swp_region_strndup(finish->memory, value->bytes, value->length);

		if (!copy || swp_map_put(finish->meta, name->bytes, copy, NULL) < 0)
			return -ENOMEM;
	}
	return 0;
}

static void meta_came(void *context, const struct swp_store_reply *reply)
{
	struct swp_finish *finish = context;
	struct swp_owner owner;

	if (!answer_is_good(finish, reply))
		return;
	if (reply->type != SWP_STORE_REPLY_LIST || reply->item_count == 0) {
		fail(finish, "there is no such sweep in the store");
		return;
	}
	if (keep_meta(finish, reply) < 0) {
		fail(finish, "out of memory");
		return;
	}
	if (swp_text_equal(meta(finish, SWP_SWEEP_FIELD_STATE), "finished")) {
		end(finish);
		return;
	}
	swp_owner_make(&owner, swp_clock_random_u64(swp_loop_clock(finish->loop)));
	if (swp_ledger_own(finish->ledger, &(struct swp_ledger_ownership){.owner = &owner}) < 0)
		fail(finish, "out of memory");
}

/* Nobody else writes to it, as long as we do. */
static void owned(void *context, uint64_t term)
{
	struct swp_finish *finish = context;
	char key[SWP_KEY_BYTES];

	(void)term;
	if (swp_key_format(SWP_KEY_CATALOGUE, NULL, meta(finish, SWP_SWEEP_FIELD_CATALOGUE), NULL, key) < 0) {
		fail(finish, "it names no catalogue");
		return;
	}
	ask(finish, (struct swp_store_argument[]){TEXT("GET"), TEXT(key)}, 2, catalogue_came);
}

/* --- life --- */

static void ledger_lost(void *context, const struct swp_problem *problem)
{
	struct swp_finish *finish = context;

	if (!swp_ledger_is_finished(finish->ledger)) { /* else there is nothing to do */
		finish->failed = true;
		finish->problem = *problem;
	}
	end(finish);
}

struct swp_finish *swp_finish_start(struct swp_loop *loop, struct swp_store *store, const char *sweep,
	void (*done)(void *context, const struct swp_problem *problem_or_null), void *context)
{
	struct swp_finish *finish = swp_key_is_sweep_id(sweep) ? swp_calloc(1, sizeof(*finish)) : NULL;
	struct swp_ledger_events events = {.owned = owned, .lost = ledger_lost, .context = finish};
	char key[SWP_KEY_BYTES];

	if (!finish)
		return NULL;
	finish->loop = loop;
	finish->store = store;
	finish->done = done;
	finish->context = context;
	swp_timer_init(&finish->step, loop, correlate);
	finish->ledger = swp_ledger_borrow(loop, store, sweep, SWP_STORE_AWAY_MS, &events);
	finish->memory = swp_region_new(0);
	finish->meta = swp_map_new();
	if (!finish->ledger || !finish->memory || !finish->meta ||
		swp_key_format(SWP_KEY_SWEEP, sweep, NULL, NULL, key) < 0) {
		destroy(finish);
		return NULL;
	}
	finish->waiting = swp_store_command(store, (struct swp_store_argument[]){TEXT("HGETALL"), TEXT(key)},
				  2, meta_came, finish) == 0;
	if (!finish->waiting) {
		destroy(finish);
		return NULL;
	}
	return finish;
}

void swp_finish_free(struct swp_finish *finish)
{
	if (!finish)
		return;
	finish->ended = true;
	finish->freed = true;
	if (!finish->waiting)
		destroy(finish);
}

struct running {
	bool done;
	int error;
	struct swp_problem *problem;
};

static void run_done(void *context, const struct swp_problem *problem_or_null)
{
	struct running *running = context;

	running->done = true;
	if (problem_or_null) {
		running->error = -EIO;
		if (running->problem)
			*running->problem = *problem_or_null;
	}
}

int swp_finish_run(const struct swp_asker *asker, const char *sweep, struct swp_problem *problem)
{
	struct running running = {.problem = problem};
	struct swp_finish *finish = swp_finish_start(asker->loop, asker->store, sweep, run_done, &running);
	int error = finish ? 0 : swp_problem_set(problem, -ENOMEM, "out of memory");

	while (error == 0 && !running.done)
		error = swp_loop_step(asker->loop, STEP_WAIT_MS);
	swp_finish_free(finish);
	return error < 0 ? error : running.error;
}
