/* What the store knows of a sweep that did not end: what `--resume` (and a coordinator that takes over) goes on with. Read at once,
 * before the sweep is made again; what is sealed is asked for account by account, as they are come to.
 */
#ifndef SWP_COORDINATOR_RESUME_H
#define SWP_COORDINATOR_RESUME_H

#include "checks/catalogue.h"
#include "coordinator/ask.h"
#include "proto/base/map.h"
#include "proto/base/region.h"
#include "proto/record/record.h"

struct swp_resume { /* owned by whoever loaded it; read only */
	char sweep[80];
	int64_t started_at_ms;
	struct swp_catalogue *catalogue; /* the one that it began with */
	struct swp_selection selection;
	uint64_t own_calls[3];	/* all, retried, throttled */
	struct swp_map *fields; /* of its row, name → text */
	struct swp_map *rows;	/* account id → struct swp_record_account */
	struct swp_region *memory;
};

/* -ENOENT: there is no such sweep; -EALREADY: it is finished; -EBADMSG: its rows are damaged; as swp_ask. `problem` tells. */
int swp_resume_load(const struct swp_asker *asker, const char *sweep, struct swp_resume **ret_resume,
	struct swp_problem *problem);
void swp_resume_free(struct swp_resume *resume);				  /* takes NULL */
const char *swp_resume_field(const struct swp_resume *resume, const char *field); /* "" when absent */
/* The row of an account that was entered and planned. NULL: it is as new. */
const struct swp_record_account *swp_resume_account(const struct swp_resume *resume, const char *id);

#endif
