/* What a job's evaluation gives out, packed as it comes. Internal to worker/. */
#ifndef SWP_WORKER_RESULTS_H
#define SWP_WORKER_RESULTS_H

#include "checks/evaluation.h"
#include "proto/base/buf.h"
#include "proto/record/record.h"

struct swp_job;

struct swp_results {
	struct swp_buf part; /* being written */
	struct swp_part_writer writer;
	bool writing;
	uint32_t parts_ended; /* handed to commit */
	uint64_t rows;
	size_t accounted_bytes;	       /* of `part`, told to swp_worker_account */
	struct swp_record_cell *cells; /* owned */
	size_t cell_count, cell_capacity;
	uint64_t states[4], partial; /* cells by enum swp_status */
};
/* The sink of a job's evaluation; `context` is the struct swp_job. */
struct swp_evaluation_sink swp_results_sink(struct swp_job *job);
/* Ends the part that is being written and commits it by itself, so that memory is given back. 0, -ENOMEM. */
int swp_results_flush(struct swp_job *job);
/* Ends the part for the seal: the bytes stay in results->part (empty: no rows). */
int swp_results_end(struct swp_job *job);
void swp_results_done(struct swp_job *job);

#endif
