/* HMGET of an account's job hashes, collected; see the header. */
#include "coordinator/records.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/record/keys.h"
#include "proto/record/record.h"

#define RECORD_ASK_AGAIN 8 /* lost connections that one command survives */
/* Parts that come with one answer: one resource list may fill a hundred, which no single answer may carry. */
#define PARTS_AT_ONCE 4
_Static_assert(
	(PARTS_AT_ONCE + 1) * SWP_LIMIT_PART_BYTES < SWP_LIMIT_STORE_REPLY_BYTES, "parts fit into an answer");

struct job_question {
	struct swp_records_read *operation;
	size_t job;
	uint32_t next_part, parts; /* to be asked for next; of the seal, once that is there */
	unsigned tries;
	char key[SWP_KEY_BYTES];
};

static void job_record_done(struct swp_job_record *job)
{
	for (size_t i = 0; i < job->part_count; i++)
		swp_free(job->parts[i].bytes);
	swp_free(job->parts);
	swp_free(job->seal.bytes);
	swp_free(job->region);
}

void swp_account_records_free(struct swp_account_records *records)
{
	if (!records)
		return;
	for (size_t i = 0; i < records->job_count; i++)
		job_record_done(&records->jobs[i]);
	swp_free(records->jobs);
	swp_free(records);
}

static int keep_bytes(struct swp_record_bytes *kept, const struct swp_store_reply *reply)
{
	char *bytes = swp_calloc(1, reply->length + 1);
	if (!bytes)
		return -ENOMEM;
	memcpy(bytes, reply->bytes, reply->length);
	*kept = (struct swp_record_bytes){bytes, reply->length};
	return 0;
}

static int keep_part(struct swp_job_record *job, size_t index, const struct swp_store_reply *reply)
{
	if (index >= job->part_count) {
		struct swp_record_bytes *parts = swp_realloc(job->parts, (index + 1) * sizeof(*parts));
		if (!parts)
			return -ENOMEM;
		memset(parts + job->part_count, 0, (index + 1 - job->part_count) * sizeof(*parts));
		job->parts = parts;
		job->part_count = index + 1;
	}
	swp_free(job->parts[index].bytes);
	return keep_bytes(&job->parts[index], reply);
}

static int keep_seal(
	struct swp_job_record *job, const struct swp_store_reply *value, struct job_question *question)
{
	struct swp_seal_reader reader;
	struct swp_record_seal seal;
	int error = keep_bytes(&job->seal, value);

	/* A broken one is told by who reads the record. */
	if (!error && swp_seal_open(&reader, value->bytes, value->length, &seal) == 0)
		question->parts = seal.parts;
	job->sealed = true;
	return error;
}

/* The fields that come first, in this order. */
static const char *const seal_fields[] = {SWP_JOB_FIELD_SEAL, SWP_JOB_FIELD_SEALED_AT, SWP_JOB_FIELD_LOST};

static int keep_seal_field(struct swp_job_record *job, const char *name, const struct swp_store_reply *value,
	struct job_question *question)
{
	uint64_t number = 0;
	if (value->type != SWP_STORE_REPLY_TEXT)
		return 0;
	if (swp_text_equal(name, SWP_JOB_FIELD_SEAL))
		return keep_seal(job, value, question);
	if (swp_text_equal(name, SWP_JOB_FIELD_LOST)) {
		job->lost = true;
		snprintf(job->lost_why, sizeof(job->lost_why), "%s", value->bytes);
	} else if (!swp_parse_u64(value->bytes, INT64_MAX, &number)) {
		job->sealed_at_ms = (int64_t)number;
	}
	return 0;
}

static size_t seal_field_count(const struct job_question *question)
{
	return question->next_part == 0 ? SWP_ARRAY_SIZE(seal_fields) : 0;
}

/* What was asked for by `ask`, in that order. */
static int keep_reply(
	struct swp_job_record *job, const struct swp_store_reply *reply, struct job_question *question)
{
	size_t seals = seal_field_count(question), found = 0;
	int error = 0;
	if (reply->type != SWP_STORE_REPLY_LIST || reply->item_count < seals)
		return -EBADMSG;
	for (size_t i = 0; !error && i < seals; i++)
		error = keep_seal_field(job, seal_fields[i], &reply->items[i], question);
	for (size_t i = seals; !error && job->sealed && i < reply->item_count; i++) {
		if (reply->items[i].type != SWP_STORE_REPLY_TEXT)
			continue;
		error = keep_part(job, question->next_part + (i - seals), &reply->items[i]);
		found++;
	}
	question->next_part += PARTS_AT_ONCE;
	if (found < PARTS_AT_ONCE) /* the rest is not there either, whatever the seal says */
		question->parts = 0;
	return error;
}

static void answered(void *context, const struct swp_store_reply *reply);

static int ask(struct job_question *question)
{
	struct swp_store_argument arguments[2 + SWP_ARRAY_SIZE(seal_fields) + PARTS_AT_ONCE] = {
		SWP_STORE_TEXT_ARGUMENT("HMGET"), SWP_STORE_TEXT_ARGUMENT(question->key)};
	char names[PARTS_AT_ONCE][16];
	size_t count = 2;
	for (size_t i = 0; i < seal_field_count(question); i++)
		arguments[count++] = SWP_STORE_TEXT_ARGUMENT(seal_fields[i]);
	for (unsigned i = 0; !question->operation->seals_only && i < PARTS_AT_ONCE; i++) {
		snprintf(names[i], sizeof(names[i]), SWP_JOB_FIELD_PART "%u", question->next_part + i);
		arguments[count++] = SWP_STORE_TEXT_ARGUMENT(names[i]);
	}
	return swp_store_command(question->operation->store, arguments, count, answered, question);
}

static void settle(struct swp_records_read *operation)
{
	if (--operation->open)
		return;
	struct swp_account_records *records = operation->records;
	operation->records = NULL;
	if (operation->error) {
		swp_account_records_free(records);
		records = NULL;
	}
	operation->done(operation, records);
}

static void answered(void *context, const struct swp_store_reply *reply)
{
	struct job_question *question = context;
	struct swp_records_read *operation = question->operation;
	int error = 0;
	if (reply->type == SWP_STORE_REPLY_LOST && question->tries++ < RECORD_ASK_AGAIN && !ask(question))
		return;
	if (reply->type == SWP_STORE_REPLY_LOST)
		error = -ECONNRESET;
	else
		error = keep_reply(&operation->records->jobs[question->job], reply, question);
	if (!error && question->next_part < question->parts && !operation->error)
		error = ask(question);
	else
		question->parts = 0;
	if (!error && question->parts)
		return;
	if (error && !operation->error)
		operation->error = error;
	swp_free(question);
	settle(operation);
}

static int start_job(struct swp_records_read *operation, const char *sweep, const char *account, size_t job,
	const char *region)
{
	struct job_question *question = swp_calloc(1, sizeof(*question));
	if (!question)
		return -ENOMEM;
	*question = (struct job_question){.operation = operation, .job = job};
	operation->records->jobs[job].region = swp_strdup(region);
	int error = operation->records->jobs[job].region
			    ? swp_key_format(SWP_KEY_JOB, sweep, account, region, question->key)
			    : -ENOMEM;
	if (!error)
		error = ask(question);
	if (error)
		swp_free(question);
	else
		operation->open++;
	return error;
}

/* The call-back must come later also when there is nothing to ask: PING carries it. */
static void nothing_to_ask(void *context, const struct swp_store_reply *reply)
{
	(void)reply;
	settle(context);
}

int swp_records_read(struct swp_store *store, const char *sweep, const char *account,
	const char *const *regions, size_t count, bool seals_only, struct swp_records_read *operation,
	void (*done)(struct swp_records_read *operation, struct swp_account_records *records_or_null))
{
	*operation = (struct swp_records_read){.done = done, .store = store, .seals_only = seals_only};
	operation->records = swp_calloc(1, sizeof(*operation->records));
	if (operation->records)
		operation->records->jobs = swp_calloc(count + 1, sizeof(*operation->records->jobs));
	int error = operation->records && operation->records->jobs ? 0 : -ENOMEM;
	if (!error) {
		snprintf(operation->records->account, sizeof(operation->records->account), "%s", account);
		operation->records->job_count = count;
	}
	for (size_t i = 0; !error && i < count; i++)
		error = start_job(operation, sweep, account, i, regions[i]);
	if (!error && !count) {
		struct swp_store_argument ping = SWP_STORE_TEXT_ARGUMENT("PING");
		operation->open = 1;
		error = swp_store_command(store, &ping, 1, nothing_to_ask, operation);
		operation->open = error ? 0 : 1;
	}
	if (error && operation->open) { /* some questions are on their way: fail when they are answered */
		operation->error = error;
		return 0;
	}
	if (error) {
		swp_account_records_free(operation->records);
		operation->records = NULL;
	}
	return error;
}
