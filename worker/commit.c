/* Requests to the store. Each script of a job's hash is idempotent, so that asking again is always right. */
#include "worker/commit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/log.h"
#include "proto/record/keys.h"
#include "proto/record/scripts.h"
#include "worker/job.h"

#define FIRST_PAUSE_MS 100
#define LONGEST_PAUSE_MS 10000

enum kind {
	COMMIT_PART,
	COMMIT_SEAL,
};

struct swp_commit {
	struct swp_commit *next, *previous;
	struct swp_worker *worker;
	struct swp_job *job; /* NULL: dropped; the request ends with its answer */
	enum kind kind;
	char lock[SWP_KEY_BYTES];
	char key[256], epoch[24], number[16]; /* number: the part's index, or the count of parts */
	char *bytes, *part;		      /* part, or seal and the part that comes along */
	size_t length, part_length;
	struct swp_timer again;
	int64_t pause_ms;
};

static void send_request(struct swp_commit *commit);

static void free_request(struct swp_commit *commit)
{
	if (commit->previous)
		commit->previous->next = commit->next;
	else
		commit->worker->commits = commit->next;
	if (commit->next)
		commit->next->previous = commit->previous;
	swp_timer_stop(&commit->again);
	swp_free(commit->bytes);
	swp_free(commit->part);
	swp_free(commit);
}

static void send_later(struct swp_commit *commit)
{
	commit->pause_ms = commit->pause_ms ? 2 * commit->pause_ms : FIRST_PAUSE_MS;
	if (commit->pause_ms > LONGEST_PAUSE_MS)
		commit->pause_ms = LONGEST_PAUSE_MS;
	swp_timer_start(&commit->again, commit->pause_ms);
}

static void again(struct swp_timer *timer)
{
	struct swp_commit *commit = SWP_CONTAINER_OF(timer, struct swp_commit, again);

	if (commit->job)
		send_request(commit);
	else
		free_request(commit);
}

static enum swp_commit_result result_of(int64_t answer)
{
	if (answer == SWP_SCRIPT_STALE)
		return SWP_COMMIT_STALE;
	return answer == SWP_SCRIPT_PARTS_MISSING ? SWP_COMMIT_MISSING : SWP_COMMIT_TAKEN;
}

static void tell_job(struct swp_commit *commit, int64_t answer)
{
	struct swp_job *job = commit->job;
	enum kind kind = commit->kind;
	size_t bytes = kind == COMMIT_PART ? commit->length : commit->part_length;
	struct swp_worker *worker = commit->worker;

	swp_worker_metrics_commit(worker->metrics, result_of(answer), commit->length + commit->part_length);
	free_request(commit);
	swp_worker_account(worker, -(int64_t)bytes);
	if (kind == COMMIT_PART)
		swp_job_part_committed(job, answer);
	else
		swp_job_sealed(job, answer);
}

static void answered(void *context, const struct swp_store_reply *reply)
{
	struct swp_commit *commit = context;

	if (commit->worker->closing)
		return; /* freed with the worker */
	if (!commit->job) {
		free_request(commit);
		return;
	}
	commit->worker->store_refuses = reply->type == SWP_STORE_REPLY_ERROR;
	if (reply->type == SWP_STORE_REPLY_NUMBER) {
		tell_job(commit, reply->number);
		return;
	}
	swp_worker_metrics_commit(commit->worker->metrics,
		reply->type == SWP_STORE_REPLY_LOST ? SWP_COMMIT_LOST : SWP_COMMIT_ERROR, 0);
	if (reply->type != SWP_STORE_REPLY_LOST && commit->pause_ms == 0)
		swp_log(SWP_LOG_WARNING, "store.error", "the store did not take a record; it is tried again",
			SWP_LOG_S("key", commit->key), SWP_LOG_S("answer", reply->bytes),
			SWP_LOG_S("fix", swp_store_advice(reply->bytes)));
	send_later(commit);
}

static void send_request(struct swp_commit *commit)
{
	const struct swp_store_argument keys[] = {
		SWP_STORE_TEXT_ARGUMENT(commit->key), SWP_STORE_TEXT_ARGUMENT(commit->lock)};
	const struct swp_store_argument arguments[] = {
		SWP_STORE_TEXT_ARGUMENT(commit->epoch),
		SWP_STORE_TEXT_ARGUMENT(commit->number),
		{commit->bytes, commit->length},
		SWP_STORE_TEXT_ARGUMENT("0"),
		{commit->part, commit->part_length},
	};
	struct swp_worker *worker = commit->worker;
	struct swp_store_script *script =
		commit->kind == COMMIT_PART ? &worker->part_script : &worker->seal_script;

	if (swp_store_run(worker->store, script, keys, commit->kind == COMMIT_PART ? 1 : 2, arguments,
		    commit->part ? 5 : 3, answered, commit) < 0)
		send_later(commit);
}

static struct swp_commit *new_request(struct swp_job *job, enum kind kind, uint32_t number)
{
	struct swp_commit *commit = swp_calloc(1, sizeof(*commit));

	if (!commit)
		return NULL;
	commit->worker = job->worker;
	commit->job = job;
	commit->kind = kind;
	memcpy(commit->key, job->key, sizeof(commit->key));
	if (swp_key_lock_of(commit->key, commit->lock) < 0)
		commit->lock[0] = '\0'; /* it is none: the script finds nothing there */
	memcpy(commit->epoch, job->epoch_text, sizeof(commit->epoch));
	snprintf(commit->number, sizeof(commit->number), "%" PRIu32, number);
	swp_timer_init(&commit->again, job->worker->loop, again);
	commit->next = job->worker->commits;
	if (commit->next)
		commit->next->previous = commit;
	job->worker->commits = commit;
	return commit;
}

int swp_commit_part(struct swp_job *job, uint32_t index, char *bytes, size_t length)
{
	struct swp_commit *commit = new_request(job, COMMIT_PART, index);

	if (!commit) {
		swp_worker_account(job->worker, -(int64_t)length);
		swp_free(bytes);
		return -ENOMEM;
	}
	commit->bytes = bytes;
	commit->length = length;
	job->parts_open++;
	send_request(commit);
	return 0;
}

int swp_commit_seal(
	struct swp_job *job, uint32_t parts, char *seal, size_t seal_length, char *part, size_t part_length)
{
	struct swp_commit *commit = new_request(job, COMMIT_SEAL, parts);

	if (!commit) {
		swp_worker_account(job->worker, -(int64_t)part_length);
		swp_free(seal);
		swp_free(part);
		return -ENOMEM;
	}
	commit->bytes = seal;
	commit->length = seal_length;
	commit->part = part;
	commit->part_length = part_length;
	send_request(commit);
	return 0;
}

size_t swp_commit_abandon(struct swp_job *job)
{
	size_t bytes = 0;

	for (struct swp_commit *commit = job->worker->commits; commit; commit = commit->next) {
		if (commit->job != job)
			continue;
		commit->job = NULL;
		bytes += commit->kind == COMMIT_PART ? commit->length : commit->part_length;
	}
	return bytes;
}

void swp_commit_free_all(struct swp_worker *worker)
{
	while (worker->commits)
		free_request(worker->commits);
}
