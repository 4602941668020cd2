/* The judgement of one job: which AWS calls it needs, what each answer means, and what follows. A machine without I/O and clock:
 * it says what to call next, is given answers in any order, and gives out results, cells, facts and relations as they are decided.
 * Documents are judged as they come and dropped. Identical calls are made once.
 *
 * Predicates are three-valued: what was not read is unknown, with the reason why.
 */
#ifndef SWP_CHECKS_EVALUATION_H
#define SWP_CHECKS_EVALUATION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "checks/catalogue.h"
#include "proto/aws/outcome.h"

enum swp_status { /* of a result, and of a cell */
	SWP_STATUS_PASS,
	SWP_STATUS_FAIL,
	SWP_STATUS_NOT_APPLICABLE,
	SWP_STATUS_NOT_ASSESSED,
};
const char *swp_status_name(enum swp_status status); /* "NOT_ASSESSED" */

enum swp_not_applicable {
	SWP_NOT_APPLICABLE_NONE,
	SWP_NOT_APPLICABLE_NO_RESOURCE,	   /* "no-resource" */
	SWP_NOT_APPLICABLE_NOT_MEANINGFUL, /* "not-meaningful" */
	SWP_NOT_APPLICABLE_NOT_OFFERED,	   /* "not-offered" */
	SWP_NOT_APPLICABLE_CLOSED_BY_SCP,  /* "closed-by-scp" */
};
const char *swp_not_applicable_name(enum swp_not_applicable reason);

/* Why something was not read; empty strings where nothing is known. */
struct swp_gap {
	enum swp_reason reason;
	const char *action; /* "bedrock:ListGuardrails" */
	const char *error_code;
	const char *message;
	const char *request_id;
};

struct swp_result {
	size_t check; /* index in the catalogue */
	enum swp_status status;
	const char *resource;	/* ARN; NULL: the cell has no resource, or its list could not be read */
	const json_t *evidence; /* object, or NULL */
	enum swp_not_applicable not_applicable; /* for NOT_APPLICABLE */
	struct swp_gap gap;			/* for NOT_ASSESSED */
};
struct swp_cell {
	size_t check;
	enum swp_status status;
	enum swp_reason reason; /* NOT_ASSESSED, or partial: the first of those that met */
	enum swp_not_applicable not_applicable;
	bool partial; /* FAIL, and something else of the cell could not be read */
};
/* A fact about a thing, or a relation from a resource to a thing; keyed by what others join on (an ARN, a bucket name).
 * Five shapes of row, which correlation tells apart (checks/correlation.h):
 *   plain fact            name, subject, value
 *   unknown fact          name, subject, value NULL, gap
 *   relation              name, subject, object (value NULL or anything)
 *   relation, none there  name, subject, object NULL, value json_false: the resource was read and points to nothing
 *   relation, unknown     name, subject, object NULL, value NULL, gap
 * Every resource of a kind gives one row for each relation that the kind declares, so that a joined check has its subjects.
 * And for each resource kind that declares facts or relations (and that the selection needs), once a job, how far its list was read:
 *   name "complete:KIND", subject the region; value true: wholly read (each resource has its rows); "not-offered" or
 *   "closed-by-scp": there is nothing to read; NULL: the list, or a part of it, was not read, and gap says why. */
struct swp_fact {
	const char *name;    /* "role.over_privileged", "bucket.public", "agent.role" */
	const char *subject; /* whose fact: the resource's ARN or key */
	const char *object;  /* relation: the other end's key; NULL for a plain fact */
	const json_t *value; /* fact: true/false/any; NULL = unknown, then gap says why */
	struct swp_gap gap;
};
/* All borrowed until return. Each returns 0 or a negative errno that ends the evaluation. */
struct swp_evaluation_sink {
	int (*result)(void *context, const struct swp_result *result);
	int (*cell)(void *context,
		const struct swp_cell
			*cell); /* once for each selected, not joined check of the job's level */
	int (*fact)(void *context, const struct swp_fact *fact);
	void *context;
};

struct swp_evaluation_job {
	enum swp_level level;
	const char *partition, *account, *region;	  /* "aws", 12 digits, "eu-west-1" or "global" */
	const char *organization_id, *management_account; /* "" when none */
	int64_t started_at_ms; /* the sweep's start (since 1970), by which all its jobs judge ages */
	const struct swp_selection *selection;
	const struct swp_wanted_facts
		*wanted; /* of catalogue and selection; NULL: worked out for this job alone */
};
/* The facts and relations that a selection's chains and joined checks want: alike for all jobs of a sweep, and as much work as a
 * few calls. The catalogue is referenced, the selection only read. NULL on -ENOMEM. */
struct swp_wanted_facts; /* opaque */
struct swp_wanted_facts *swp_wanted_facts_new(
	const struct swp_catalogue *catalogue, const struct swp_selection *selection);
void swp_wanted_facts_free(struct swp_wanted_facts *wanted); /* takes NULL */

struct swp_evaluation; /* opaque */
/* Everything is borrowed for its life, `sink` too. NULL on -ENOMEM. */
struct swp_evaluation *swp_evaluation_new(struct swp_catalogue *catalogue,
	const struct swp_evaluation_job *job, const struct swp_evaluation_sink *sink);
void swp_evaluation_free(struct swp_evaluation *evaluation);

struct swp_wanted_call { /* all borrowed until it is answered */
	uint32_t id;
	const struct swp_aws_operation *operation;
	const json_t *input;
	const char *token; /* NULL: first page */
	const struct swp_gone_rule *gone;
	size_t gone_count;
};
/* The next call to make now. False: none at present (answers may bring more). Callers need not take all at once. */
bool swp_evaluation_next(struct swp_evaluation *evaluation, struct swp_wanted_call *ret_call);

enum swp_answer_kind {
	SWP_ANSWER_DOCUMENT,
	SWP_ANSWER_NOT_FOUND,	/* the thing asked for is gone */
	SWP_ANSWER_NOT_OFFERED, /* the service does not exist in that region */
	SWP_ANSWER_FAILED,	/* gap says why (gap.action may be empty: the operation's is used) */
};
struct swp_evaluation_answer {
	enum swp_answer_kind kind;
	json_t *document; /* borrowed until return; texts in it that hold JSON are replaced by what they hold (json_texts) */
	struct swp_gap gap;
};
/* 0, or a negative errno (out of memory, or of the sink). Unknown or already answered ids are -EINVAL. */
int swp_evaluation_answer(
	struct swp_evaluation *evaluation, uint32_t id, const struct swp_evaluation_answer *answer);
/* No call is wanted or open: everything has been given out except the cells. */
bool swp_evaluation_is_idle(const struct swp_evaluation *evaluation);
/* Gives out the cells (and rows of cells without resources). Whatever is unread at that moment is NOT_ASSESSED with `unread`
 * (normally there is none; cancel and job deadlines pass CANCELLED or TIMEOUT). */
int swp_evaluation_finish(struct swp_evaluation *evaluation, enum swp_reason unread);
/* Resources that were listed and gone when described. */
uint64_t swp_evaluation_vanished(const struct swp_evaluation *evaluation);

#endif
