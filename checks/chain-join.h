/* Rows of findings, facts and relations, and joins over them: tuples of variables, three-valued. */
#ifndef SWP_CHECKS_CHAIN_JOIN_H
#define SWP_CHECKS_CHAIN_JOIN_H

#include "checks/chain-plan.h"
#include "checks/evaluation.h"

/* One row that was added, or stands for a job or list that was not read (then subject is SWP_TEXT_UNREAD). Compared as bytes: no padding. */
struct swp_row {
	uint32_t source; /* check index; facts and relations: check_count + index of the name */
	uint32_t account, region;
	uint32_t subject; /* resource or subject */
	uint32_t other;	  /* relation: object; fact: its value if that is text, as text */
	uint32_t value;	  /* fact: canonical JSON text */
	uint32_t status;  /* finding: enum swp_status; fact, relation: enum swp_row_status */
	uint32_t gap;	  /* index in the gaps, 0 none */
};
enum swp_row_status { SWP_ROW_KNOWN, SWP_ROW_UNKNOWN }; /* a relation to nothing is known and has no object */

struct swp_rows { /* sorted by source, without doubles */
	const struct swp_row *rows;
	size_t count;
	size_t check_count;
	const struct swp_text_pool *pool;
	const struct swp_plans *plans;
};
/* The rows of a source. */
const struct swp_row *swp_rows_of(const struct swp_rows *rows, size_t source, size_t *ret_count);

enum swp_tuple_state { SWP_TUPLE_PASS, SWP_TUPLE_NOT_ASSESSED, SWP_TUPLE_FAIL }; /* the lower one wins */

struct swp_tuple {
	unsigned char state;
	bool found; /* a finding or fact in it was read and failed (a relation alone is no fault) */
	uint32_t account, region; /* of the list behind an SWP_TEXT_UNREAD variable */
	uint32_t cells[];	  /* variables, then slots */
};
/* Tuples of one shape. Slots hold row index + 1 (legs of a component), or group index + 1 (components of a path); 0 none. */
struct swp_tuples {
	unsigned char *bytes; /* owned */
	size_t count, capacity, stride;
	unsigned variables, slots;
};
void swp_tuples_init(struct swp_tuples *tuples, unsigned variables, unsigned slots);
void swp_tuples_done(struct swp_tuples *tuples);
/* A copy of its own. -ENOMEM. */
int swp_tuples_copy(const struct swp_tuples *tuples, struct swp_tuples *ret_copy);
struct swp_tuple *swp_tuples_at(const struct swp_tuples *tuples, size_t index);
static inline uint32_t *swp_tuple_slots(const struct swp_tuples *tuples, struct swp_tuple *tuple)
{
	return tuple->cells + tuples->variables;
}

enum { SWP_JOIN_LIMIT = 1 }; /* a ceiling was crossed: give the chain up */

/* A new zeroed tuple at the end; NULL ret_tuple is not allowed. 0, -ENOMEM, SWP_JOIN_LIMIT. */
int swp_tuples_add(struct swp_tuples *tuples, struct swp_tuple **ret_tuple);

/* A hash over the tuples whose variables in `shared` are all known. */
struct swp_tuple_index {
	uint32_t *heads, *next; /* owned; tuple index + 1 */
	size_t slot_count;
	uint32_t *
		wild; /* owned; indexes of the tuples with an unread shared variable, by account and region of their list */
	size_t wild_count;
	bool possible; /* some tuple is not PASS */
};
int swp_tuple_index_init(struct swp_tuple_index *index, const struct swp_text_pool *pool,
	const struct swp_tuples *tuples, uint32_t shared); /* -ENOMEM: nothing to free beyond _done */
void swp_tuple_index_done(struct swp_tuple_index *index);
/* The next tuple after `at` (0: from the start) that agrees with `key`; index + 1, 0 at the end. */
uint32_t swp_tuple_index_find(const struct swp_tuple_index *index, const struct swp_tuples *tuples,
	const struct swp_tuple *key, uint32_t shared, uint32_t at);

struct swp_joiner {
	const struct swp_rows *rows;
	const struct swp_chain_plan *plan;
	int partition; /* over accounts: rows whose key belongs to another one are left to it; −1: takes all */
	uint64_t work; /* against SWP_LIMIT_CHAIN_WORK */
	bool unread;   /* some list that the chain reads was not read: rows that passed matter */
};
/* The rows of a leg as tuples with the slot `slot` set. `slots`: of the shape. 0, -ENOMEM, SWP_JOIN_LIMIT. */
int swp_join_load(struct swp_joiner *joiner, const struct swp_leg *leg, unsigned slot, unsigned slots,
	struct swp_tuples *ret_tuples);
/* Tuples of `a` with those of `b` that agree on the variables in `shared`. `leg`: the leg behind b, for what is missing; NULL: none. */
int swp_join(struct swp_joiner *joiner, const struct swp_tuples *a, const struct swp_tuples *b,
	uint32_t shared, const struct swp_leg *leg, struct swp_tuples *ret_tuples);

/* Was the list wholly read in which a thing of that name would stand (judged by the ARN's account and region, if it is an ARN with such)?
 * `list`, if not NULL, gets the row of a list that was not, or NULL. For facts. */
bool swp_rows_wholly_read(const struct swp_rows *rows, const struct swp_fact_name *name, uint32_t subject,
	const struct swp_row **ret_unread);
/* May a thing of that name be in a list of that account and region? An ARN tells, other names may be anywhere. */
bool swp_rows_may_hold(const struct swp_text_pool *pool, const char *name, uint32_t account, uint32_t region);

#endif
