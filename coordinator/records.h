/* Reading what a sweep has in the store, as bytes: the sealed jobs of one account, asynchronously. Decoding is proto/record's,
 * meaning is the reader's (report, correlation).
 */
#ifndef SWP_COORDINATOR_RECORDS_H
#define SWP_COORDINATOR_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/io/store.h"

struct swp_record_bytes {
	char *bytes; /* owned by the records */
	size_t length;
};

struct swp_job_record {
	char *region;	   /* region part of its key: "eu-west-1", "global", "organization" */
	bool sealed;	   /* else nothing below counts but `lost` */
	bool lost;	   /* given up: worker-lost */
	char lost_why[32]; /* what the mark says */
	int64_t sealed_at_ms;
	struct swp_record_bytes seal;
	struct swp_record_bytes *
		parts; /* owned; those that the hash holds, in order; without parts when only seals were asked for */
	size_t part_count;
};

struct swp_account_records {
	char account[16];
	struct swp_job_record *jobs; /* owned; in the order asked */
	size_t job_count;
};
void swp_account_records_free(struct swp_account_records *records); /* takes NULL */

/* Embedded in its owner. */
struct swp_records_read {
	void (*done)(struct swp_records_read *operation, struct swp_account_records *records_or_null);
	struct swp_store *store;
	struct swp_account_records *records;
	size_t open; /* commands whose answer is out */
	int error;
	bool seals_only;
};

/* Reads the jobs `regions` (region parts of keys, copied) of the account. `done` is called once, later; it takes the records (free with
 * swp_account_records_free); NULL: the store refused, was lost for good, held nonsense, or memory ran out (operation->error).
 * A lost connection is asked again. 0, -ENOMEM, -EINVAL (an id that is none). */
int swp_records_read(struct swp_store *store, const char *sweep, const char *account,
	const char *const *regions, size_t count, bool seals_only, struct swp_records_read *operation,
	void (*done)(struct swp_records_read *operation, struct swp_account_records *records_or_null));

#endif
