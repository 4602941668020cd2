#include "coordinator/dispatch.h"

#include <errno.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/base/hash.h"

struct queue {
	struct swp_job *first, *last;
	unsigned length;
};

/* Where a worker is. Hashes: two names with the same one cost no more than the preference for another place. */
struct place {
	uint32_t host, worker;
};

/* How near a worker is to where attempts were lost. */
enum nearness {
	ELSEWHERE,
	SAME_HOST,
	SAME_WORKER,
};

struct swp_job_losses {
	struct place places[SWP_LIMIT_JOB_ATTEMPTS - 1]; /* the last ones */
	unsigned count;					 /* so far */
	int64_t anywhere_ms; /* from then on any worker will do; INT64_MAX until it is ready again */
	enum nearness least; /* of the workers that take jobs, as of the run `least_asked_in` */
	uint64_t least_asked_in;
};

struct swp_dispatch_worker {
	struct swp_dispatch_worker *next;
	uint64_t peer;
	char name[128];
	struct place place;
	unsigned credits;
	struct queue jobs;				 /* granted to it, or leased */
	unsigned short running[SWP_LIMIT_SWEEP_REGIONS]; /* of `jobs`, by region */
	struct swp_region_set held;			 /* regions whose connections it has */
	int64_t paused_until_ms;
	bool draining, unable;
	bool silent; /* a lease of its ran out: nothing new before it is heard of */
};

struct swp_dispatch {
	struct swp_dispatch_actions actions;
	struct swp_dispatch_account *slots[SWP_LIMIT_OPEN_ACCOUNTS];
	uint32_t generations[SWP_LIMIT_OPEN_ACCOUNTS];
	unsigned open;
	uint32_t first_number;
	struct queue ready[SWP_LIMIT_SWEEP_REGIONS]; /* jobs without losses */
	struct queue lost;   /* ready ones with losses, of all regions, oldest loss first */
	struct queue locked; /* in the order of their time */
	uint64_t ready_count, running_count;
	struct swp_dispatch_worker *workers;
	unsigned worker_count;
	uint64_t leases_expired, leases_gone;
	struct swp_job *adopted; /* their numbers say nothing about slots */
	uint64_t runs; /* calls of swp_dispatch_run: in one, no worker begins or ceases to take jobs */
	int64_t next_ms;
};

/* --- queues --- */

static void queue_push(struct queue *queue, struct swp_job *job, bool front)
{
	job->next = front ? queue->first : NULL;
	job->previous = front ? NULL : queue->last;
	if (job->previous)
		job->previous->next = job;
	else
		queue->first = job;
	if (job->next)
		job->next->previous = job;
	else
		queue->last = job;
	queue->length++;
}

static void queue_remove(struct queue *queue, struct swp_job *job)
{
	if (job->previous)
		job->previous->next = job->next;
	else
		queue->first = job->next;
	if (job->next)
		job->next->previous = job->previous;
	else
		queue->last = job->previous;
	job->next = job->previous = NULL;
	SWP_ASSERT(queue->length > 0);
	queue->length--;
}

/* --- numbers: generation of the slot, slot, index in the account --- */

static uint64_t number_of(const struct swp_dispatch *dispatch, unsigned slot, unsigned index)
{
	uint32_t generation = dispatch->first_number + dispatch->generations[slot];

	return (uint64_t)generation << 16 | (uint64_t)slot << 8 | index;
}

static struct swp_job *find_job(const struct swp_dispatch *dispatch, uint64_t number)
{
	unsigned slot = (number >> 8) & 0xff, index = number & 0xff;
	const struct swp_dispatch_account *account = dispatch->slots[slot];

	if (account && index < account->job_count && account->jobs[index].number == number)
		return &account->jobs[index];
	for (struct swp_job *job = dispatch->adopted; job; job = job->adopted)
		if (job->number == number)
			return job;
	return NULL;
}

static void forget_adopted(struct swp_dispatch *dispatch, const struct swp_dispatch_account *account)
{
	struct swp_job **at = &dispatch->adopted;

	while (*at)
		if ((*at)->account == account)
			*at = (*at)->adopted;
		else
			at = &(*at)->adopted;
}

/* --- states --- */

static struct queue *ready_queue(struct swp_dispatch *dispatch, const struct swp_job *job)
{
	return job->losses ? &dispatch->lost : &dispatch->ready[job->region];
}

static void make_ready(struct swp_dispatch *dispatch, struct swp_job *job, bool front)
{
	if (job->account->parked) {
		job->state = SWP_JOB_PARKED;
		return;
	}
	job->state = SWP_JOB_READY;
	queue_push(ready_queue(dispatch, job), job, front && !job->losses);
	dispatch->ready_count++;
}

static void leave_ready(struct swp_dispatch *dispatch, struct swp_job *job)
{
	queue_remove(ready_queue(dispatch, job), job);
	dispatch->ready_count--;
}

static void give_to(struct swp_dispatch *dispatch, struct swp_job *job, struct swp_dispatch_worker *worker)
{
	job->worker = worker;
	queue_push(&worker->jobs, job, false);
	worker->running[job->region]++;
	swp_region_set_add(&worker->held, job->region);
	dispatch->running_count++;
	if (job->account->running)
		(*job->account->running)++;
}

static void take_from_worker(struct swp_dispatch *dispatch, struct swp_job *job)
{
	if (!job->worker)
		return;
	queue_remove(&job->worker->jobs, job);
	job->worker->running[job->region]--;
	job->worker = NULL;
	dispatch->running_count--;
	if (job->account->running)
		(*job->account->running)--;
}

/* Out of whatever list it is in. */
static void detach(struct swp_dispatch *dispatch, struct swp_job *job)
{
	if (job->state == SWP_JOB_READY)
		leave_ready(dispatch, job);
	if (job->state == SWP_JOB_LOCKED)
		queue_remove(&dispatch->locked, job);
	take_from_worker(dispatch, job);
}

static void forget_losses(struct swp_job *job)
{
	swp_free(job->losses);
	job->losses = NULL;
}

static void look_up(struct swp_dispatch *dispatch, struct swp_job *job)
{
	detach(dispatch, job);
	job->state = SWP_JOB_LOOKING;
	dispatch->actions.look_up(dispatch->actions.context, job);
}

/* An attempt is lost on the worker that has it. Out of memory: where is not remembered, and any worker will do. */
static void lose(struct swp_dispatch *dispatch, struct swp_job *job)
{
	struct swp_job_losses *losses = job->losses;

	if (!losses)
		losses = job->losses = swp_calloc(1, sizeof(*losses));
	if (losses) {
		losses->places[losses->count++ % SWP_ARRAY_SIZE(losses->places)] = job->worker->place;
		losses->anywhere_ms = INT64_MAX;
	}
	look_up(dispatch, job);
}

static void settle(struct swp_dispatch *dispatch, struct swp_job *job, enum swp_job_end end)
{
	struct swp_dispatch_account *account = job->account;

	detach(dispatch, job);
	forget_losses(job);
	job->state = SWP_JOB_SETTLED;
	job->end = (unsigned char)end;
	account->settled++;
	dispatch->actions.job_settled(dispatch->actions.context, job);
	if (account->settled < account->job_count)
		return;
	swp_dispatch_remove(dispatch, account);
	dispatch->actions.account_settled(dispatch->actions.context, account);
}

/* Back to the front of its queue, or given up when it has killed too many workers. */
static void try_again(struct swp_dispatch *dispatch, struct swp_job *job, int64_t now_ms)
{
	if (job->losses && job->losses->anywhere_ms == INT64_MAX)
		job->losses->anywhere_ms = now_ms + SWP_ELSEWHERE_MS;
	if (!job->uncounted && job->attempts >= SWP_LIMIT_JOB_ATTEMPTS) {
		job->state = SWP_JOB_GIVING_UP;
		dispatch->actions.give_up(dispatch->actions.context, job);
		return;
	}
	make_ready(dispatch, job, true);
}

/* --- life --- */

struct swp_dispatch *swp_dispatch_new(const struct swp_dispatch_actions *actions, uint32_t first_number)
{
	struct swp_dispatch *dispatch = swp_calloc(1, sizeof(*dispatch));

	if (!dispatch)
		return NULL;
	dispatch->actions = *actions;
	dispatch->first_number = first_number;
	dispatch->next_ms = INT64_MAX;
	return dispatch;
}

void swp_dispatch_free(struct swp_dispatch *dispatch)
{
	if (!dispatch)
		return;
	for (size_t i = 0; i < SWP_LIMIT_OPEN_ACCOUNTS; i++)
		if (dispatch->slots[i])
			swp_dispatch_remove(dispatch, dispatch->slots[i]);
	while (dispatch->workers) {
		struct swp_dispatch_worker *worker = dispatch->workers;

		dispatch->workers = worker->next;
		swp_free(worker);
	}
	swp_free(dispatch);
}

/* --- accounts --- */

int swp_dispatch_add(struct swp_dispatch *dispatch, struct swp_dispatch_account *account, int64_t now_ms)
{
	unsigned slot = 0;

	SWP_ASSERT(account->job_count > 0 && account->job_count <= SWP_LIMIT_SWEEP_REGIONS);
	while (slot < SWP_LIMIT_OPEN_ACCOUNTS && dispatch->slots[slot])
		slot++;
	if (slot == SWP_LIMIT_OPEN_ACCOUNTS)
		return -ENOSPC;
	dispatch->slots[slot] = account;
	dispatch->generations[slot]++;
	dispatch->open++;
	account->slot = slot;
	account->settled = 0;
	account->parked = false;
	account->added = true;
	account->opened_ms = now_ms;
	for (unsigned i = 0; i < account->job_count; i++) {
		account->jobs[i].account = account;
		account->jobs[i].number = number_of(dispatch, slot, i);
		make_ready(dispatch, &account->jobs[i], false);
	}
	return 0;
}

void swp_dispatch_remove(struct swp_dispatch *dispatch, struct swp_dispatch_account *account)
{
	if (!account->added)
		return;
	for (unsigned i = 0; i < account->job_count; i++) {
		detach(dispatch, &account->jobs[i]);
		forget_losses(&account->jobs[i]);
	}
	forget_adopted(dispatch, account);
	dispatch->slots[account->slot] = NULL;
	dispatch->open--;
	account->added = false;
}

unsigned swp_dispatch_open_accounts(const struct swp_dispatch *dispatch)
{
	return dispatch->open;
}

static void park(struct swp_dispatch *dispatch, struct swp_dispatch_account *account)
{
	account->parked = true;
	for (unsigned i = 0; i < account->job_count; i++)
		if (account->jobs[i].state == SWP_JOB_READY) {
			leave_ready(dispatch, &account->jobs[i]);
			account->jobs[i].state = SWP_JOB_PARKED;
		}
}

void swp_dispatch_unpark(struct swp_dispatch *dispatch, struct swp_dispatch_account *account)
{
	account->parked = false;
	for (unsigned i = 0; account->added && i < account->job_count; i++)
		if (account->jobs[i].state == SWP_JOB_PARKED)
			make_ready(dispatch, &account->jobs[i], false);
}

/* --- workers --- */

static struct swp_dispatch_worker *find_worker(const struct swp_dispatch *dispatch, uint64_t peer)
{
	for (struct swp_dispatch_worker *worker = dispatch->workers; worker; worker = worker->next)
		if (worker->peer == peer)
			return worker;
	return NULL;
}

struct swp_job *swp_dispatch_find(const struct swp_dispatch *dispatch, uint64_t job)
{
	return find_job(dispatch, job);
}

unsigned swp_dispatch_jobs_of(const struct swp_dispatch *dispatch, uint64_t peer)
{
	const struct swp_dispatch_worker *worker = find_worker(dispatch, peer);

	return worker ? worker->jobs.length : 0;
}

bool swp_dispatch_is_draining(const struct swp_dispatch *dispatch, uint64_t peer)
{
	const struct swp_dispatch_worker *worker = find_worker(dispatch, peer);

	return worker && worker->draining;
}

bool swp_dispatch_knows(const struct swp_dispatch *dispatch, uint64_t peer)
{
	return find_worker(dispatch, peer) != NULL;
}

unsigned swp_dispatch_workers(const struct swp_dispatch *dispatch)
{
	return dispatch->worker_count;
}

static struct swp_dispatch_worker *add_worker(struct swp_dispatch *dispatch, uint64_t peer)
{
	struct swp_dispatch_worker *worker = swp_calloc(1, sizeof(*worker));

	if (!worker)
		return NULL;
	worker->peer = peer;
	worker->next = dispatch->workers;
	dispatch->workers = worker;
	dispatch->worker_count++;
	return worker;
}

static bool is_named(const struct swp_job *job, const struct swp_dispatch_hold *holds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (holds[i].job == job->number && holds[i].epoch == job->epoch)
			return true;
	return false;
}

/* A hold that we did not know of as this worker's. */
static void adopt(struct swp_dispatch *dispatch, struct swp_dispatch_worker *worker,
	const struct swp_dispatch_hold *hold, int64_t now_ms)
{
	struct swp_job *job = find_job(dispatch, hold->job);

	if (!job || job->epoch != hold->epoch || job->state == SWP_JOB_SETTLED ||
		job->state == SWP_JOB_GIVING_UP || job->state == SWP_JOB_GRANTING) {
		dispatch->actions.cancel(dispatch->actions.context, worker->peer, hold->job, hold->epoch);
		return;
	}
	if (job->worker == worker) {
		job->lease_due_ms = now_ms + SWP_LEASE_MS;
		return;
	}
	/* Its old connection held it, or its lease had run out and nobody else was given it. */
	detach(dispatch, job);
	job->state = SWP_JOB_RUNNING;
	job->lease_due_ms = now_ms + SWP_LEASE_MS;
	give_to(dispatch, job, worker);
}

static void introduce(struct swp_dispatch_worker *worker, const struct swp_dispatch_greeting *greeting)
{
	size_t length = strnlen(greeting->name, sizeof(worker->name) - 1);

	memset(worker->name, 0, sizeof(worker->name));
	memcpy(worker->name, greeting->name, length);
	worker->place.host = (uint32_t)swp_hash(greeting->host, strlen(greeting->host));
	worker->place.worker = (uint32_t)swp_hash(worker->name, length);
	worker->credits = greeting->credits;
	worker->paused_until_ms = 0;
	worker->draining = worker->silent = worker->unable = false;
}

int swp_dispatch_greet(struct swp_dispatch *dispatch, uint64_t peer,
	const struct swp_dispatch_greeting *greeting, int64_t now_ms)
{
	struct swp_dispatch_worker *worker = find_worker(dispatch, peer);
	struct swp_job *next;

	if (!worker && dispatch->worker_count >= SWP_LIMIT_WORKERS)
		return -ENOSPC;
	if (!worker && !(worker = add_worker(dispatch, peer)))
		return -ENOMEM;
	introduce(worker, greeting);
	for (struct swp_job *job = worker->jobs.first; job; job = next) {
		next = job->next;
		/* A DONE or a JOB was lost with the connection: the record tells which. */
		if (job->state == SWP_JOB_RUNNING && !is_named(job, greeting->holds, greeting->hold_count))
			lose(dispatch, job);
	}
	for (size_t i = 0; i < greeting->hold_count; i++)
		adopt(dispatch, worker, &greeting->holds[i], now_ms);
	return 0;
}

void swp_dispatch_heartbeat(struct swp_dispatch *dispatch, uint64_t peer,
	const struct swp_dispatch_hold *jobs, size_t count, int64_t now_ms)
{
	struct swp_dispatch_worker *worker = find_worker(dispatch, peer);

	if (worker)
		worker->silent = false;
	for (size_t i = 0; i < count; i++) {
		struct swp_job *job = swp_dispatch_held(dispatch, peer, jobs[i].job, jobs[i].epoch);

		if (job)
			job->lease_due_ms = now_ms + SWP_LEASE_MS;
	}
}

static void lose_jobs(struct swp_dispatch *dispatch, struct swp_dispatch_worker *worker)
{
	while (worker->jobs.first) {
		struct swp_job *job = worker->jobs.first;

		if (job->state == SWP_JOB_RUNNING) {
			dispatch->leases_gone++;
			lose(dispatch, job);
		} else
			take_from_worker(dispatch, job); /* the grant's answer finds it without worker */
	}
}

void swp_dispatch_gone(struct swp_dispatch *dispatch, uint64_t peer)
{
	struct swp_dispatch_worker **at = &dispatch->workers;

	while (*at && (*at)->peer != peer)
		at = &(*at)->next;
	if (*at) {
		struct swp_dispatch_worker *worker = *at;

		*at = worker->next;
		dispatch->worker_count--;
		lose_jobs(dispatch, worker);
		swp_free(worker);
	}
}

void swp_dispatch_drain(struct swp_dispatch *dispatch, uint64_t peer)
{
	struct swp_dispatch_worker *worker = find_worker(dispatch, peer);

	if (worker)
		worker->draining = true;
}

void swp_dispatch_unable(struct swp_dispatch *dispatch, uint64_t peer)
{
	struct swp_dispatch_worker *worker = find_worker(dispatch, peer);

	if (worker)
		worker->unable = true;
}

void swp_dispatch_able(struct swp_dispatch *dispatch)
{
	for (struct swp_dispatch_worker *worker = dispatch->workers; worker; worker = worker->next)
		worker->unable = false;
}

struct swp_job *swp_dispatch_held(
	struct swp_dispatch *dispatch, uint64_t peer, uint64_t number, uint64_t epoch)
{
	struct swp_job *job = find_job(dispatch, number);

	if (!job || job->state != SWP_JOB_RUNNING || job->epoch != epoch || job->worker->peer != peer)
		return NULL;
	return job;
}

bool swp_dispatch_done(struct swp_dispatch *dispatch, uint64_t peer, uint64_t number, uint64_t epoch,
	enum swp_dispatch_done how)
{
	struct swp_job *job = find_job(dispatch, number);
	bool waiting;

	if (!job || job->epoch != epoch)
		return false;
	/* Late, but nobody else was given the job meanwhile: its seal stands. */
	waiting = job->state == SWP_JOB_READY || job->state == SWP_JOB_PARKED;
	if (!waiting && !swp_dispatch_held(dispatch, peer, number, epoch))
		return false;
	if (how == SWP_DISPATCH_SEALED) {
		settle(dispatch, job, SWP_JOB_SEALED);
		return true;
	}
	if (waiting)
		return false;
	/* Our own epoch is stale: the store has lost the grant. That is not the worker's doing. */
	job->uncounted = true;
	job->least_epoch = job->epoch + 1;
	if (++job->stale >= SWP_LIMIT_STALE_ANSWERS) {
		settle(dispatch, job, SWP_JOB_STORE_LOST);
		return true;
	}
	look_up(dispatch, job);
	return false;
}

void swp_dispatch_given_back(struct swp_dispatch *dispatch, uint64_t peer, uint64_t number, uint64_t epoch,
	bool counts, int64_t pause_ms, int64_t now_ms)
{
	struct swp_dispatch_worker *worker = find_worker(dispatch, peer);
	struct swp_job *job = swp_dispatch_held(dispatch, peer, number, epoch);

	if (worker && pause_ms > 0)
		worker->paused_until_ms = now_ms + pause_ms;
	if (!job)
		return;
	job->uncounted = !counts;
	if (counts)
		lose(dispatch, job);
	else
		look_up(dispatch, job);
}

bool swp_dispatch_adopt(struct swp_dispatch *dispatch, struct swp_job *job, uint64_t peer, uint64_t number,
	uint64_t epoch, int64_t now_ms)
{
	struct swp_dispatch_worker *worker = find_worker(dispatch, peer);

	if (!worker || (job->state != SWP_JOB_READY && job->state != SWP_JOB_PARKED) ||
		find_job(dispatch, number))
		return false;
	detach(dispatch, job);
	job->number = number;
	job->epoch = epoch;
	if (job->least_epoch <= epoch) /* never lowered */
		job->least_epoch = epoch + 1;
	job->state = SWP_JOB_RUNNING;
	job->lease_due_ms = now_ms + SWP_LEASE_MS;
	job->adopted = dispatch->adopted;
	dispatch->adopted = job;
	give_to(dispatch, job, worker);
	return true;
}

void swp_dispatch_each_running(const struct swp_dispatch *dispatch,
	void (*visit)(void *context, const struct swp_job *job, const char *worker), void *context)
{
	for (const struct swp_dispatch_worker *worker = dispatch->workers; worker; worker = worker->next)
		for (const struct swp_job *job = worker->jobs.first; job; job = job->next)
			if (job->state == SWP_JOB_RUNNING)
				visit(context, job, worker->name);
}

void swp_dispatch_grant_gone(struct swp_dispatch *dispatch, uint64_t number)
{
	struct swp_job *job = find_job(dispatch, number);

	if (!job || job->state != SWP_JOB_RUNNING)
		return;
	job->uncounted = true;
	look_up(dispatch, job);
}

/* --- answers --- */

void swp_dispatch_granted(struct swp_dispatch *dispatch, uint64_t number, enum swp_dispatch_grant what,
	uint64_t epoch, unsigned attempts, int64_t now_ms)
{
	struct swp_job *job = find_job(dispatch, number);
	int error;

	if (!job || job->state != SWP_JOB_GRANTING)
		return;
	if (what == SWP_DISPATCH_GRANT_LOCKED) {
		take_from_worker(dispatch, job);
		job->state = SWP_JOB_LOCKED;
		job->lease_due_ms = now_ms + SWP_LOCKED_RETRY_MS;
		queue_push(&dispatch->locked, job, false);
		return;
	}
	job->epoch = epoch;
	job->least_epoch = epoch + 1;
	job->attempts = (unsigned char)(attempts < UINT8_MAX ? attempts : UINT8_MAX);
	if (what != SWP_DISPATCH_GRANT_GIVEN) {
		settle(dispatch, job, what == SWP_DISPATCH_GRANT_SEALED ? SWP_JOB_SEALED : SWP_JOB_LOST);
		return;
	}
	job->uncounted = false;
	job->state = SWP_JOB_RUNNING;
	job->lease_due_ms = now_ms + SWP_LEASE_MS;
	error = job->worker ? dispatch->actions.send(dispatch->actions.context, job, job->worker->peer)
			    : -EHOSTUNREACH;
	if (error == 0)
		return;
	if (job->worker)
		job->worker->paused_until_ms = now_ms + SWP_SEND_RETRY_MS;
	take_from_worker(dispatch, job);
	job->uncounted = true; /* nobody has seen it */
	make_ready(dispatch, job, true);
}

void swp_dispatch_looked_up(struct swp_dispatch *dispatch, uint64_t number, enum swp_job_end found,
	unsigned attempts, int64_t now_ms)
{
	struct swp_job *job = find_job(dispatch, number);

	if (!job || job->state != SWP_JOB_LOOKING)
		return;
	if (found != SWP_JOB_OPEN) {
		settle(dispatch, job, found);
		return;
	}
	if (attempts > job->attempts)
		job->attempts = (unsigned char)(attempts < UINT8_MAX ? attempts : UINT8_MAX);
	try_again(dispatch, job, now_ms);
}

void swp_dispatch_given_up(struct swp_dispatch *dispatch, uint64_t number, bool sealed)
{
	struct swp_job *job = find_job(dispatch, number);

	if (job && job->state == SWP_JOB_GIVING_UP)
		settle(dispatch, job, sealed ? SWP_JOB_SEALED : SWP_JOB_LOST);
}

/* --- who gets what --- */

static enum nearness nearness_of(
	const struct swp_dispatch_worker *worker, const struct swp_job_losses *losses)
{
	enum nearness nearest = ELSEWHERE;

	for (size_t i = 0; i < SWP_ARRAY_SIZE(losses->places) && i < losses->count; i++) {
		if (losses->places[i].worker == worker->place.worker)
			return SAME_WORKER;
		if (losses->places[i].host == worker->place.host)
			nearest = SAME_HOST;
	}
	return nearest;
}

static bool takes_jobs(const struct swp_dispatch_worker *worker)
{
	return !worker->draining && !worker->silent && !worker->unable && worker->credits > 0;
}

static bool has_credit(const struct swp_dispatch_worker *worker, int64_t now_ms)
{
	return takes_jobs(worker) && worker->jobs.length < worker->credits &&
	       worker->paused_until_ms <= now_ms;
}

static enum nearness least_nearness(const struct swp_dispatch *dispatch, struct swp_job_losses *losses)
{
	const struct swp_dispatch_worker *worker = dispatch->workers;

	if (losses->least_asked_in == dispatch->runs)
		return losses->least;
	losses->least_asked_in = dispatch->runs;
	losses->least = SAME_WORKER;
	for (; worker && losses->least != ELSEWHERE; worker = worker->next) {
		enum nearness near = takes_jobs(worker) ? nearness_of(worker, losses) : SAME_WORKER;

		if (near < losses->least)
			losses->least = near;
	}
	return losses->least;
}

/* Not while it may still get to a worker that is farther from where it was lost. */
static bool may_take(const struct swp_dispatch *dispatch, const struct swp_dispatch_worker *worker,
	const struct swp_job *job, int64_t now_ms)
{
	enum nearness near = job->losses ? nearness_of(worker, job->losses) : ELSEWHERE;

	return near == ELSEWHERE || job->losses->anywhere_ms <= now_ms ||
	       near <= least_nearness(dispatch, job->losses);
}

/* Those with losses go before all that were never tried. One that is behind the first SWP_LIMIT_LOST_LOOKED_AT waits for these, which
 * any worker may take once their time has come. */
static struct swp_job *lost_job(
	const struct swp_dispatch *dispatch, const struct swp_dispatch_worker *worker, int64_t now_ms)
{
	struct swp_job *job = dispatch->lost.first;

	for (unsigned i = 0; job && i < SWP_LIMIT_LOST_LOOKED_AT; i++, job = job->next)
		if (may_take(dispatch, worker, job, now_ms))
			return job;
	return NULL;
}

/* When the next of those that lost_job looks at may go to any worker. */
static int64_t next_anywhere_ms(const struct swp_dispatch *dispatch, int64_t now_ms)
{
	const struct swp_job *job = dispatch->lost.first;
	int64_t next_ms = INT64_MAX;

	for (unsigned i = 0; job && i < SWP_LIMIT_LOST_LOOKED_AT; i++, job = job->next)
		if (job->losses->anywhere_ms > now_ms && job->losses->anywhere_ms < next_ms)
			next_ms = job->losses->anywhere_ms;
	return next_ms;
}

/* Of the open account that goes before affinity: the window is full, and it has been in it for long. */
static struct swp_job *overdue_job(
	const struct swp_dispatch *dispatch, const struct swp_dispatch_worker *worker, int64_t now_ms)
{
	const struct swp_dispatch_account *oldest = NULL;

	if (dispatch->open < SWP_LIMIT_OPEN_ACCOUNTS)
		return NULL;
	for (size_t i = 0; i < SWP_LIMIT_OPEN_ACCOUNTS; i++) {
		const struct swp_dispatch_account *account = dispatch->slots[i];

		if (account && !account->parked && (!oldest || account->opened_ms < oldest->opened_ms))
			oldest = account;
	}
	if (!oldest || now_ms - oldest->opened_ms < SWP_OLDEST_FIRST_MS)
		return NULL;
	for (unsigned i = 0; i < oldest->job_count; i++)
		if (oldest->jobs[i].state == SWP_JOB_READY &&
			may_take(dispatch, worker, &oldest->jobs[i], now_ms))
			return &oldest->jobs[i];
	return NULL;
}

static unsigned holders_of(const struct swp_dispatch *dispatch, unsigned region)
{
	unsigned holders = 0;

	for (const struct swp_dispatch_worker *worker = dispatch->workers; worker; worker = worker->next)
		holders += swp_region_set_has(&worker->held, region);
	return holders;
}

/* Regions that the worker holds and that have jobs; and of all regions with jobs, its fair share. */
static bool wants_another_region(
	const struct swp_dispatch *dispatch, const struct swp_dispatch_worker *worker)
{
	unsigned waiting = 0, mine = 0;

	for (unsigned region = 0; region < SWP_LIMIT_SWEEP_REGIONS; region++) {
		if (!dispatch->ready[region].length)
			continue;
		waiting++;
		mine += swp_region_set_has(&worker->held, region);
	}
	return mine * dispatch->worker_count < waiting;
}

/* The region to take a job from. Of the regions whose connections the worker holds, the one where it does least, so that
 * all its connections stay in use; a region that nobody (or the fewest) holds, while it has less than its share of regions. */
static int choose_region(const struct swp_dispatch *dispatch, const struct swp_dispatch_worker *worker)
{
	bool another = wants_another_region(dispatch, worker);
	uint64_t best_weight = UINT64_MAX;
	int best = -1;

	for (unsigned region = 0; region < SWP_LIMIT_SWEEP_REGIONS; region++) {
		bool held = swp_region_set_has(&worker->held, region);
		uint64_t weight;

		if (!dispatch->ready[region].length)
			continue;
		weight = held ? worker->running[region] : holders_of(dispatch, region);
		weight |= (uint64_t)(held == another)
			  << 32; /* the other kind only when there is nothing of this kind */
		if (weight < best_weight) {
			best_weight = weight;
			best = (int)region;
		}
	}
	return best;
}

static struct swp_job *choose_job(
	const struct swp_dispatch *dispatch, const struct swp_dispatch_worker *worker, int64_t now_ms)
{
	struct swp_job *job = overdue_job(dispatch, worker, now_ms);
	int region;

	if (!job)
		job = lost_job(dispatch, worker, now_ms);
	if (job)
		return job;
	region = choose_region(dispatch, worker);
	return region < 0 ? NULL : dispatch->ready[region].first;
}

/* One job for the worker. False: nothing to give. */
static bool give_one(struct swp_dispatch *dispatch, struct swp_dispatch_worker *worker, int64_t now_ms)
{
	struct swp_job *job = choose_job(dispatch, worker, now_ms);

	if (!job)
		return false;
	if (!dispatch->actions.may_send(dispatch->actions.context, job->account)) {
		park(dispatch, job->account);
		return true;
	}
	leave_ready(dispatch, job);
	job->state = SWP_JOB_GRANTING;
	give_to(dispatch, job, worker);
	dispatch->actions.grant(dispatch->actions.context, job, worker->name, !job->uncounted,
		job->least_epoch ? job->least_epoch : 1);
	return true;
}

/* In turns, so that the first to greet does not take all. */
static void give_out(struct swp_dispatch *dispatch, int64_t now_ms)
{
	bool given = true;

	while (given && dispatch->ready_count > 0) {
		given = false;
		for (struct swp_dispatch_worker *worker = dispatch->workers; worker; worker = worker->next)
			if (has_credit(worker, now_ms) && give_one(dispatch, worker, now_ms))
				given = true;
	}
}

static int64_t judge_leases(struct swp_dispatch *dispatch, int64_t now_ms)
{
	int64_t next_ms = INT64_MAX;

	for (struct swp_dispatch_worker *worker = dispatch->workers; worker; worker = worker->next) {
		struct swp_job *next;

		for (struct swp_job *job = worker->jobs.first; job; job = next) {
			next = job->next;
			if (job->state != SWP_JOB_RUNNING)
				continue;
			if (job->lease_due_ms <= now_ms) {
				worker->silent = true;
				dispatch->leases_expired++;
				lose(dispatch, job);
			} else if (job->lease_due_ms < next_ms)
				next_ms = job->lease_due_ms;
		}
		if (worker->paused_until_ms > now_ms && worker->paused_until_ms < next_ms)
			next_ms = worker->paused_until_ms;
	}
	return next_ms;
}

static void try_locked(struct swp_dispatch *dispatch, int64_t now_ms)
{
	while (dispatch->locked.first && dispatch->locked.first->lease_due_ms <= now_ms) {
		struct swp_job *job = dispatch->locked.first;

		queue_remove(&dispatch->locked, job);
		make_ready(dispatch, job, false);
	}
	if (dispatch->locked.first && dispatch->locked.first->lease_due_ms < dispatch->next_ms)
		dispatch->next_ms = dispatch->locked.first->lease_due_ms;
}

void swp_dispatch_run(struct swp_dispatch *dispatch, int64_t now_ms)
{
	int64_t anywhere_ms;

	dispatch->runs++;
	dispatch->next_ms = judge_leases(dispatch, now_ms);
	try_locked(dispatch, now_ms);
	give_out(dispatch, now_ms);
	anywhere_ms = next_anywhere_ms(dispatch, now_ms);
	if (anywhere_ms < dispatch->next_ms)
		dispatch->next_ms = anywhere_ms;
}

int64_t swp_dispatch_next_ms(const struct swp_dispatch *dispatch)
{
	return dispatch->next_ms;
}

void swp_dispatch_count(const struct swp_dispatch *dispatch, struct swp_dispatch_numbers *ret_numbers)
{
	ret_numbers->ready = dispatch->ready_count;
	ret_numbers->running = dispatch->running_count;
	ret_numbers->workers = dispatch->worker_count;
	ret_numbers->leases_expired = dispatch->leases_expired;
	ret_numbers->leases_gone = dispatch->leases_gone;
}

void swp_dispatch_count_workers(
	const struct swp_dispatch *dispatch, struct swp_dispatch_worker_states *ret_states)
{
	*ret_states = (struct swp_dispatch_worker_states){0};
	for (const struct swp_dispatch_worker *worker = dispatch->workers; worker; worker = worker->next) {
		ret_states->lost += worker->silent;
		ret_states->draining += !worker->silent && worker->draining;
		ret_states->busy += !worker->silent && !worker->draining && worker->jobs.length > 0;
		ret_states->ready += !worker->silent && !worker->draining && worker->jobs.length == 0;
	}
}
