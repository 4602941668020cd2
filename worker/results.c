/* Results, facts and cells of one job. Evidence is written as compact JSON with sorted keys, so that the same finding has the same bytes. */
#include "worker/results.h"

#include <errno.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "worker/commit.h"
#include "worker/job.h"

/* In place of JSON above the ceiling of a stored text: half of it would be none. */
static const char too_long[] = "{\"truncated\":true}";

/* Serializes into the worker's one scratch buffer: the program has one thread, and a row is packed before the next is begun. */
static const char *json_text(const json_t *json)
{
	static char scratch[SWP_LIMIT_ROW_TEXT_BYTES + 1];
	size_t length;

	if (!json)
		return NULL;
	length = json_dumpb(
		json, scratch, sizeof(scratch) - 1, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
	if (length == 0 || length > sizeof(scratch) - 1)
		return too_long;
	scratch[length] = '\0';
	return scratch;
}

static struct swp_record_gap gap_record(const struct swp_gap *gap)
{
	return (struct swp_record_gap){
		.reason = gap->reason,
		.action = gap->action,
		.error_code = gap->error_code,
		.message = gap->message,
		.request_id = gap->request_id,
	};
}

static int begin_part(struct swp_results *results)
{
	if (results->writing)
		return 0;
	results->part.limit_bytes = SWP_LIMIT_PART_BYTES;
	results->writing = true;
	return swp_part_begin(&results->writer, &results->part);
}

int swp_results_end(struct swp_job *job)
{
	struct swp_results *results = &job->results;

	if (!results->writing)
		return 0;
	results->writing = false;
	return swp_part_end(&results->writer);
}

int swp_results_flush(struct swp_job *job)
{
	struct swp_results *results = &job->results;
	size_t length;
	char *bytes;
	int r;

	if (!results->writing)
		return 0;
	r = swp_results_end(job);
	if (r < 0)
		return r;
	length = results->part.length;
	bytes = swp_buf_steal(&results->part);
	if (!bytes)
		return -ENOMEM;
	swp_worker_account(job->worker, (int64_t)length - (int64_t)results->accounted_bytes);
	results->accounted_bytes = 0;
	return swp_commit_part(job, results->parts_ended++, bytes, length);
}

/* A row was added: books it, and sends the part when it is full. */
static int row_added(struct swp_job *job, int r)
{
	struct swp_results *results = &job->results;
	size_t grown = results->part.length - results->accounted_bytes;

	if (r < 0)
		return r;
	results->rows++;
	results->accounted_bytes += grown;
	swp_worker_account(job->worker, (int64_t)grown);
	return swp_part_is_full(&results->writer) ? swp_results_flush(job) : 0;
}

static int take_result(void *context, const struct swp_result *result)
{
	struct swp_job *job = context;
	const struct swp_record_result row = {
		.check = result->check,
		.status = result->status,
		.resource = result->resource,
		.evidence = json_text(result->evidence),
		.not_applicable = result->not_applicable,
		.gap = gap_record(&result->gap),
	};
	int r = begin_part(&job->results);

	return r < 0 ? r : row_added(job, swp_part_add_result(&job->results.writer, &row));
}

static int take_fact(void *context, const struct swp_fact *fact)
{
	struct swp_job *job = context;
	const struct swp_record_fact row = {
		.name = fact->name,
		.subject = fact->subject,
		.object = fact->object,
		.value = json_text(fact->value),
		.gap = gap_record(&fact->gap),
	};
	int r = begin_part(&job->results);

	return r < 0 ? r : row_added(job, swp_part_add_fact(&job->results.writer, &row));
}

static int grow_cells(struct swp_results *results)
{
	size_t capacity = results->cell_capacity ? 2 * results->cell_capacity : 64;
	struct swp_record_cell *cells = swp_realloc(results->cells, capacity * sizeof(*cells));

	if (!cells)
		return -ENOMEM;
	results->cells = cells;
	results->cell_capacity = capacity;
	return 0;
}

static int take_cell(void *context, const struct swp_cell *cell)
{
	struct swp_results *results = &((struct swp_job *)context)->results;
	int r = results->cell_count == results->cell_capacity ? grow_cells(results) : 0;

	if (r < 0)
		return r;
	results->cells[results->cell_count++] = (struct swp_record_cell){
		.check = cell->check,
		.status = cell->status,
		.reason = cell->reason,
		.not_applicable = cell->not_applicable,
		.partial = cell->partial,
	};
	results->states[cell->status]++;
	results->partial += cell->partial;
	return 0;
}

struct swp_evaluation_sink swp_results_sink(struct swp_job *job)
{
	return (struct swp_evaluation_sink){take_result, take_cell, take_fact, job};
}

void swp_results_done(struct swp_job *job)
{
	struct swp_results *results = &job->results;

	swp_worker_account(job->worker, -(int64_t)results->accounted_bytes);
	results->accounted_bytes = 0;
	swp_buf_done(&results->part);
	swp_free(results->cells);
	results->cells = NULL;
	results->cell_count = results->cell_capacity = 0;
}
