/* Account rows of a whole organization, read for a report: what many have alike (regions, path, state, why not read) is kept once, since
 * there may be tens of thousands of them.
 */
#ifndef SWP_COORDINATOR_ACCOUNT_ROWS_H
#define SWP_COORDINATOR_ACCOUNT_ROWS_H

#include "proto/base/region.h"
#include "proto/record/record.h"

struct swp_account_rows; /* opaque */

/* What rows hold lives in `memory`, which is borrowed. NULL on -ENOMEM. */
struct swp_account_rows *swp_account_rows_new(struct swp_region *memory);
/* Rows that were read stay. Takes NULL. */
void swp_account_rows_free(struct swp_account_rows *rows);
/* As swp_account_decode. */
int swp_account_rows_read(struct swp_account_rows *rows, const void *bytes, size_t length,
	struct swp_record_account *ret_account);

#endif
