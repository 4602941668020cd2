/* Parts and the seal on their way to the store. An answer that is lost is asked for again; an error is tried again, slower and
 * slower; a job that is dropped leaves its requests behind, which then mean nothing. Internal to worker/.
 */
#ifndef SWP_WORKER_COMMIT_H
#define SWP_WORKER_COMMIT_H

#include <stddef.h>
#include <stdint.h>

struct swp_job;
struct swp_worker;

/* Takes `bytes` (swp_free). The answer goes to swp_job_part_committed. -ENOMEM (bytes are freed). */
int swp_commit_part(struct swp_job *job, uint32_t index, char *bytes, size_t length);
/* Takes `seal` and `part` (may be NULL: all parts are in the store). The answer goes to swp_job_sealed. */
int swp_commit_seal(
	struct swp_job *job, uint32_t parts, char *seal, size_t seal_length, char *part, size_t part_length);
/* The job goes: its requests are left alone. Returns how many bytes of them were not acknowledged. */
size_t swp_commit_abandon(struct swp_job *job);
void swp_commit_free_all(struct swp_worker *worker);

#endif
