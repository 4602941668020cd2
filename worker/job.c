/* A job's life. Its calls are in calls.c, its rows in results.c, its way to the store in commit.c. */
#include "worker/job.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/log.h"
#include "proto/base/secret.h"
#include "proto/record/keys.h"
#include "proto/record/scripts.h"
#include "worker/commit.h"
#include "worker/link.h"

/* --- credentials --- */

static void wipe_keys(struct swp_signing_key *keys, size_t count)
{
	if (keys)
		swp_wipe(keys, count * sizeof(*keys));
	swp_free(keys);
}

static bool copy_text(char *to, size_t size, const char *from)
{
	size_t length = strlen(from);

	if (length >= size)
		return false;
	memcpy(to, from, length + 1);
	return true;
}

static int take_key(const struct swp_wire_signing_key *wire, struct swp_signing_key *key)
{
	if (wire->key.length != sizeof(key->key) || !copy_text(key->day, sizeof(key->day), wire->day) ||
		!copy_text(key->region, sizeof(key->region), wire->region) ||
		!copy_text(key->service, sizeof(key->service), wire->service))
		return -EINVAL;
	memcpy(key->key, wire->key.bytes, sizeof(key->key));
	return 0;
}

/* The keys of one session, behind each other. */
static int take_session(const struct swp_wire_credentials *wire, uint64_t session,
	struct swp_signing_key *keys, struct swp_caller_identity *ret_identity)
{
	const struct swp_wire_session *more = session > 0 ? &wire->more[session - 1] : NULL;
	size_t count = 0;
	int r = 0;

	for (size_t i = 0; i < wire->key_count && r == 0; i++)
		if (wire->keys[i].session == session)
			r = take_key(&wire->keys[i], &keys[count++]);
	*ret_identity = (struct swp_caller_identity){
		.access_key_id = more ? more->access_key_id : wire->access_key_id,
		.session_token = more ? &more->session_token : &wire->session_token,
		.keys = keys,
		.key_count = count,
	};
	return r;
}

/* Calls that are on their way look at their identity for each try, so that they go on with the new one. */
static int take_credentials(struct swp_job *job, const struct swp_wire_credentials *wire)
{
	struct swp_caller_identity identities[SWP_LIMIT_SESSIONS];
	struct swp_signing_key *keys = swp_calloc(wire->key_count + 1, sizeof(*keys));
	size_t taken = 0;
	int r = keys ? 0 : -ENOMEM;

	for (size_t i = 0; i <= wire->more_count && r == 0; i++) {
		r = take_session(wire, i, keys + taken, &identities[i]);
		taken += identities[i].key_count;
	}
	if (r == 0 && taken != wire->key_count)
		r = -EINVAL; /* a key of a session that is not there */
	if (r == 0 && job->identity_count > 0 && job->identity_count != wire->more_count + 1)
		r = -EINVAL; /* calls on their way sign with one that would be gone */
	if (r < 0) {
		wipe_keys(keys, wire->key_count);
		return r;
	}
	wipe_keys(job->keys, job->key_count);
	job->keys = keys;
	job->key_count = wire->key_count;
	job->expires_at_ms = wire->expires_at_ms;
	memcpy(job->identities, identities, (wire->more_count + 1) * sizeof(*identities));
	job->identity_count = wire->more_count + 1;
	return 0;
}

const struct swp_caller_identity *swp_job_identity(
	const struct swp_job *job, const struct swp_aws_service *service)
{
	for (size_t i = 1; i < job->identity_count; i++)
		for (size_t j = 0; j < job->identities[i].key_count; j++)
			if (strcmp(job->identities[i].keys[j].service, service->signing_name) == 0)
				return &job->identities[i];
	return &job->identities[0];
}

static void start_watch(struct swp_job *job);

void swp_job_ask_renewal(struct swp_job *job)
{
	const struct swp_message message = {.type = SWP_MESSAGE_RENEW, .renew = {job->number, job->epoch}};

	if (job->renewing)
		return;
	job->renewing = true;
	job->renew_sent_ms = swp_loop_now_ms(job->worker->loop);
	if (swp_link_is_open(job->link)) /* else it is asked when the coordinator is back */
		swp_link_send(job->link, &message);
	start_watch(job);
}

void swp_job_renewed(struct swp_job *job, struct swp_message *message)
{
	struct swp_message old = job->renewed;
	enum swp_reason refused = (enum swp_reason)message->credentials.refused;
	bool have = message->credentials.credentials.access_key_id[0] != '\0';

	if (job->state != SWP_JOB_COLLECTING)
		return;
	if (!refused && !have)
		refused = SWP_REASON_CREDENTIALS_EXPIRED;
	if (refused >= SWP_REASON_COUNT)
		refused = SWP_REASON_CREDENTIALS_EXPIRED;
	job->renewing = false;
	if (!refused) {
		job->renewed = *message;
		if (take_credentials(job, &job->renewed.credentials.credentials) < 0) {
			job->renewed = old;
			refused = SWP_REASON_CREDENTIALS_EXPIRED;
		} else {
			*message = (struct swp_message){0};
			swp_message_done(&old);
		}
	}
	job->progress_ms = swp_loop_now_ms(job->worker->loop);
	start_watch(job);
	swp_job_calls_renewed(job, refused);
}

/* --- time --- */

/* Monotonic time of the next renewal; INT64_MAX: never. A refused or unanswered one is tried again from time to time: the answer, or the
 * question to a coordinator that has just taken the sweep over, may be lost. */
static int64_t renewal_due_ms(const struct swp_job *job, int64_t now_ms)
{
	int64_t left_ms = job->expires_at_ms - swp_clock_wall_ms(job->worker->clock);
	int64_t due_ms;

	if (job->renewing)
		return job->renew_sent_ms + SWP_RENEW_AGAIN_MS;
	if (job->expires_at_ms == 0)
		return INT64_MAX;
	due_ms = now_ms + left_ms - SWP_RENEW_BEFORE_MS;
	if (job->renew_sent_ms && due_ms < job->renew_sent_ms + SWP_RENEW_AGAIN_MS)
		due_ms = job->renew_sent_ms + SWP_RENEW_AGAIN_MS;
	return due_ms;
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void start_watch(struct swp_job *job)
{
	int64_t now_ms = swp_loop_now_ms(job->worker->loop);
	int64_t due_ms = least(job->deadline_ms, job->progress_ms + SWP_LIMIT_JOB_IDLE_MS);

	due_ms = least(due_ms, renewal_due_ms(job, now_ms));
	swp_timer_start(&job->watch, due_ms > now_ms ? due_ms - now_ms : 0);
}

/* A coordinator that can't reach the store for so long has ended. So one that is there can, and perhaps another worker, too. */
static void watch_commit(struct swp_job *job, int64_t now_ms)
{
	int64_t left_ms = job->progress_ms + SWP_STORE_AWAY_MS - now_ms;

	if (left_ms <= 0 && swp_link_is_open(job->link)) {
		job->worker->store_gone = !job->worker->store_up;
		swp_job_give_back(job, SWP_GIVE_BACK_STORE_AWAY, "the store has taken nothing for too long");
		return;
	}
	swp_timer_start(&job->watch, left_ms > SWP_HEARTBEAT_MS ? left_ms : SWP_HEARTBEAT_MS);
}

static void watch(struct swp_timer *timer)
{
	struct swp_job *job = SWP_CONTAINER_OF(timer, struct swp_job, watch);
	int64_t now_ms = swp_loop_now_ms(job->worker->loop);

	if (job->state != SWP_JOB_COLLECTING) {
		watch_commit(job, now_ms);
		return;
	}
	if (swp_worker_is_full(job->worker))
		job->progress_ms = now_ms; /* it waits for the store, not for AWS */
	if (now_ms >= job->deadline_ms || now_ms >= job->progress_ms + SWP_LIMIT_JOB_IDLE_MS) {
		swp_log(SWP_LOG_WARNING, "job.timeout", "a job is ended: what is unread is told as timeout",
			SWP_LOG_S("account", job->account), SWP_LOG_S("region", job->region),
			SWP_LOG_N("without_progress_ms", now_ms - job->progress_ms));
		swp_job_calls_expire(job);
		swp_job_finish(job, SWP_REASON_TIMEOUT);
		return;
	}
	if (now_ms >= renewal_due_ms(job, now_ms)) {
		job->renewing = false;
		swp_job_ask_renewal(job);
	} else {
		start_watch(job);
	}
}

/* --- beginning --- */

static const char *region_part(const struct swp_message_job *job)
{
	return job->level == SWP_LEVEL_ORGANIZATION ? SWP_JOB_ORGANIZATION : job->region;
}

static int begin_evaluation(struct swp_job *job)
{
	const struct swp_message_sweep *sweep = &job->sweep->message.sweep;

	job->described = (struct swp_evaluation_job){
		.level = (enum swp_level)job->message.job.level,
		.partition = sweep->partition,
		.account = job->account,
		.region = job->region,
		.organization_id = sweep->organization_id,
		.management_account = sweep->management_account,
		.started_at_ms = (int64_t)sweep->started_at_ms,
		.selection = &job->sweep->selection,
		.wanted = job->sweep->wanted,
	};
	job->sink = swp_results_sink(job);
	job->evaluation = swp_evaluation_new(job->sweep->catalogue, &job->described, &job->sink);
	return job->evaluation ? 0 : -ENOMEM;
}

static int prepare(struct swp_job *job, const struct swp_message_job *wanted)
{
	int r;

	job->account = wanted->account;
	job->region = wanted->region;
	job->region_part = region_part(wanted);
	job->number = wanted->job;
	job->epoch = wanted->epoch;
	snprintf(job->epoch_text, sizeof(job->epoch_text), "%" PRIu64, job->epoch);
	r = swp_key_format(SWP_KEY_JOB, wanted->sweep, job->account, job->region_part, job->key);
	if (r < 0)
		return r;
	job->memory = swp_region_new(0);
	if (!job->memory)
		return -ENOMEM;
	r = take_credentials(job, &wanted->credentials);
	return r < 0 ? r : begin_evaluation(job);
}

static void set_times(struct swp_job *job)
{
	uint64_t deadline_ms = job->message.job.deadline_ms;

	job->started_ms = job->progress_ms = swp_loop_now_ms(job->worker->loop);
	job->deadline_ms = job->started_ms + (deadline_ms ? (int64_t)deadline_ms : SWP_LIMIT_JOB_MS);
}

static void hang_in(struct swp_job *job)
{
	struct swp_worker *worker = job->worker;

	job->next = worker->jobs;
	if (job->next)
		job->next->previous = job;
	worker->jobs = job;
	worker->job_count++;
	swp_timer_stop(&worker->rest_timer);
	swp_link_job_added(job->link);
	swp_sweeps_take(job->sweep);
}

static void free_memory(struct swp_job *job)
{
	swp_evaluation_free(job->evaluation);
	wipe_keys(job->keys, job->key_count);
	swp_message_done(&job->renewed);
	swp_message_done(&job->message);
	swp_region_free(job->memory);
	swp_free(job);
}

int swp_job_start(struct swp_worker *worker, struct swp_link *link, struct swp_worker_sweep *sweep,
	struct swp_message *message)
{
	struct swp_job *job = swp_calloc(1, sizeof(*job));
	int r;

	if (!job)
		return -ENOMEM;
	job->worker = worker;
	job->link = link;
	job->sweep = sweep;
	swp_timer_init(&job->watch, worker->loop, watch);
	swp_job_calls_init(job);
	job->message = *message; /* the identity will point into it */
	r = prepare(job, &job->message.job);
	if (r < 0) {
		job->message = (struct swp_message){0}; /* stays the caller's */
		free_memory(job);
		return r;
	}
	*message = (struct swp_message){0};
	set_times(job);
	hang_in(job);
	start_watch(job);
	swp_job_pump(job);
	return 0;
}

struct swp_job *swp_job_find(
	struct swp_worker *worker, const struct swp_link *link, uint64_t number, uint64_t epoch)
{
	for (struct swp_job *job = worker->jobs; job; job = job->next)
		if (job->link == link && job->number == number && job->epoch == epoch)
			return job;
	return NULL;
}

/* --- the end --- */

void swp_job_drop(struct swp_job *job)
{
	struct swp_worker *worker = job->worker;

	swp_job_calls_cancel(job);
	swp_timer_stop(&job->watch);
	swp_worker_account(worker, -(int64_t)swp_commit_abandon(job));
	swp_results_done(job);
	if (job->previous)
		job->previous->next = job->next;
	else
		worker->jobs = job->next;
	if (job->next)
		job->next->previous = job->previous;
	worker->job_count--;
	swp_worker_rest_later(worker);
	worker->calls += job->made;
	swp_worker_metrics_job(worker->metrics, job->how, swp_loop_now_ms(worker->loop) - job->started_ms);
	swp_link_job_removed(job->link);
	swp_sweeps_release(job->sweep);
	free_memory(job);
}

void swp_job_give_back(struct swp_job *job, enum swp_give_back_why why, const char *detail)
{
	struct swp_worker *worker = job->worker;

	swp_log(SWP_LOG_WARNING, "job.give_back", "a job is given back", SWP_LOG_S("account", job->account),
		SWP_LOG_S("region", job->region), SWP_LOG_N("why", why), SWP_LOG_S("detail", detail));
	swp_link_give_back(job->link, job->number, job->epoch, why, detail);
	job->how = SWP_JOB_ENDED_GIVEN_BACK;
	swp_job_drop(job);
	swp_worker_check_end(worker);
}

/* Of services that refused for the rate, and of those that began with a rate learned before and did not. */
static size_t learned_limits(
	const struct swp_job *job, struct swp_wire_limit limits[static SWP_LIMIT_JOB_LIMITS])
{
	size_t count = 0;

	for (const struct swp_job_service *service = job->services; service && count < SWP_LIMIT_JOB_LIMITS;
		service = service->next) {
		double rate = service->scope.ready ? service->scope.limiter.learned_rate : 0;

		if (rate > 0 || service->limited)
			limits[count++] =
				(struct swp_wire_limit){service->service->name, (uint64_t)(rate * 1000)};
	}
	return count;
}

static void tell_done(struct swp_job *job, enum swp_done_how how)
{
	static const enum swp_job_ended ended[] = {[SWP_DONE_SEALED] = SWP_JOB_ENDED_SEALED,
		[SWP_DONE_STALE] = SWP_JOB_ENDED_STALE,
		[SWP_DONE_DUPLICATE] = SWP_JOB_ENDED_DUPLICATE};
	const struct swp_results *results = &job->results;
	struct swp_wire_limit limits[SWP_LIMIT_JOB_LIMITS];
	const struct swp_message message = {
		.type = SWP_MESSAGE_DONE,
		.done = {.job = job->number,
			.epoch = job->epoch,
			.how = how,
			.rows = results->rows,
			.calls = job->made,
			.retried = job->retried,
			.throttled = job->throttled,
			.vanished = job->vanished,
			.pass = results->states[SWP_STATUS_PASS],
			.fail = results->states[SWP_STATUS_FAIL],
			.not_applicable = results->states[SWP_STATUS_NOT_APPLICABLE],
			.not_assessed = results->states[SWP_STATUS_NOT_ASSESSED],
			.partial = results->partial,
			.answered = job->answered,
			.elapsed_ms = (uint64_t)(swp_loop_now_ms(job->worker->loop) - job->started_ms),
			.limits = limits,
			.limit_count = learned_limits(job, limits)},
	};
	struct swp_worker *worker = job->worker;

	swp_link_send(job->link, &message);
	job->how = ended[how];
	swp_job_drop(job);
	swp_worker_check_end(worker);
}

static int make_seal(struct swp_job *job, struct swp_buf *seal, uint32_t parts)
{
	const struct swp_record_seal record = {
		.parts = parts,
		.rows = job->results.rows,
		.calls = job->made,
		.retried = job->retried,
		.throttled = job->throttled,
		.vanished = job->vanished,
		.answered = job->answered,
		.worker = job->worker->name,
		.cell_count = job->results.cell_count,
	};

	return swp_seal_encode(&record, job->results.cells, seal);
}

/* The last rows travel with the seal, so that a small job is one round trip. */
static int send_seal(struct swp_job *job)
{
	struct swp_results *results = &job->results;
	struct swp_buf seal = {0};
	bool one_part = results->writing && results->parts_ended == 0;
	size_t part_length = results->part.length, seal_length;
	char *part = NULL, *bytes;
	int r = swp_results_end(job);

	if (r == 0)
		r = make_seal(job, &seal, results->parts_ended + one_part);
	seal_length = seal.length;
	bytes = r == 0 ? swp_buf_steal(&seal) : NULL;
	part = r == 0 && one_part ? swp_buf_steal(&results->part) : NULL;
	swp_buf_done(&seal);
	if (r < 0 || !bytes || (one_part && !part)) {
		swp_free(bytes);
		swp_free(part);
		return r < 0 ? r : -ENOMEM;
	}
	if (one_part) {
		swp_worker_account(job->worker, (int64_t)part_length - (int64_t)results->accounted_bytes);
		results->accounted_bytes = 0;
	}
	job->state = SWP_JOB_SEALING;
	return swp_commit_seal(
		job, results->parts_ended + one_part, bytes, seal_length, part, part ? part_length : 0);
}

/* All rows are there. With more than one part, the seal waits until all of them are acknowledged. */
static void commit_rest(struct swp_job *job)
{
	int r = 0;

	if (job->results.parts_ended > 0)
		r = swp_results_flush(job);
	if (r == 0 && job->parts_open == 0)
		r = send_seal(job);
	if (r < 0)
		swp_job_give_back(job, SWP_GIVE_BACK_RESOURCES, strerror(-r));
}

void swp_job_finish(struct swp_job *job, enum swp_reason unread)
{
	int r;

	if (job->state != SWP_JOB_COLLECTING)
		return;
	swp_job_calls_cancel(job);
	job->state = SWP_JOB_COMMITTING;
	job->progress_ms = swp_loop_now_ms(job->worker->loop);
	swp_timer_start(&job->watch, SWP_STORE_AWAY_MS);
	r = swp_evaluation_finish(job->evaluation, unread);
	if (r < 0) {
		swp_job_give_back(job, SWP_GIVE_BACK_RESOURCES, strerror(-r));
		return;
	}
	job->vanished = swp_evaluation_vanished(job->evaluation);
	swp_evaluation_free(job->evaluation);
	job->evaluation = NULL;
	commit_rest(job);
}

void swp_job_part_committed(struct swp_job *job, int64_t answer)
{
	job->parts_open--;
	job->progress_ms = swp_loop_now_ms(job->worker->loop);
	if (answer == SWP_SCRIPT_STALE) {
		tell_done(job, SWP_DONE_STALE);
		return;
	}
	if (job->state == SWP_JOB_COMMITTING && job->parts_open == 0)
		commit_rest(job);
}

void swp_job_sealed(struct swp_job *job, int64_t answer)
{
	static const struct {
		int64_t answer;
		enum swp_done_how how;
	} answers[] = {{1, SWP_DONE_SEALED}, {0, SWP_DONE_DUPLICATE}, {SWP_SCRIPT_STALE, SWP_DONE_STALE}};

	for (size_t i = 0; i < SWP_ARRAY_SIZE(answers); i++) {
		if (answers[i].answer == answer) {
			tell_done(job, answers[i].how);
			return;
		}
	}
	/* The store lost parts that it had acknowledged; they are not held here any more. */
	swp_job_give_back(job, SWP_GIVE_BACK_STORE_AWAY, "the store lost parts of the record");
}
