/* A sweep as it stands in the store, for every format: one model, no other source. What no job decided is made here, from the plan:
 * planned = pass + fail + not_applicable + not_assessed, always. Walks go in the order of the report (bytewise: account, region,
 * check, resource with null first) and hold one account's records at a time.
 *
 * All functions step the loop of the asker while they wait; none is called from a loop's call-back.
 */
#ifndef SWP_COORDINATOR_REPORT_H
#define SWP_COORDINATOR_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "checks/catalogue.h"
#include "checks/evaluation.h"
#include "coordinator/ask.h"
#include "proto/record/record.h"

struct swp_report; /* opaque */

enum swp_report_status {
	SWP_REPORT_COMPLETE,
	SWP_REPORT_PARTIAL,   /* enumeration incomplete, or a cell is worker-lost or store-lost */
	SWP_REPORT_CANCELLED, /* signal, deadline, or the coordinator died with jobs left */
};

struct swp_report_check { /* of each check of the catalogue */
	bool selected;
	uint64_t failed;   /* FAIL results */
	uint32_t accounts; /* with a FAIL result */
	uint32_t regions;  /* distinct regions with a FAIL result */
};

/* Gaps that one deed closes: same reason, same action. */
struct swp_report_gap_group {
	enum swp_reason reason;
	char *action; /* "" when no action is to be named */
	uint64_t cells;
	uint32_t accounts;
	uint32_t first_accounts[4]; /* indexes of accounts */
	uint32_t last_account;	    /* internal */
};

struct swp_report_totals {
	uint64_t planned, pass, fail, not_applicable, not_assessed, partial, closed;
	uint32_t coverage_hundredths;
	uint64_t findings[SWP_SEVERITY_COUNT]; /* FAIL results */
	uint64_t chains[SWP_SEVERITY_COUNT];   /* instances, confirmed or not */
	uint64_t chains_confirmed[SWP_SEVERITY_COUNT];
	uint64_t accounts_total, accounts_planned, accounts_swept;
	uint64_t vanished, calls, retried, throttled;
	enum swp_report_status status;
	bool enumeration_complete;
	int64_t started_at_ms, finished_at_ms;
};

struct swp_report_account {
	struct swp_record_account row; /* in the report's memory */
	bool swept;
	const char *reason; /* of one that was not swept; "" */
	uint64_t findings[SWP_SEVERITY_COUNT];
	bool has_unread; /* some of its cells are gaps */
};

/* Reads everything that is counted. The catalogue comes from the store. -ENOENT: no such sweep; others as swp_ask; `problem` tells. */
int swp_report_open(const struct swp_asker *asker, const char *sweep, struct swp_report **ret_report,
	struct swp_problem *problem);
void swp_report_free(struct swp_report *report);

const struct swp_report_totals *swp_report_totals(const struct swp_report *report);
struct swp_catalogue *swp_report_catalogue(const struct swp_report *report);
const struct swp_selection *swp_report_selection(const struct swp_report *report);
/* A field of the sweep's hash; "" when it is not there. */
const char *swp_report_field(const struct swp_report *report, const char *field);
const char *swp_report_sweep_id(const struct swp_report *report);
size_t swp_report_account_count(const struct swp_report *report);
const struct swp_report_account *swp_report_account(
	const struct swp_report *report, size_t index); /* sorted by id */
const struct swp_report_check *swp_report_check(const struct swp_report *report, size_t check);
/* Regions in which an account has a service closed to the scan role (`totals.closed` counts the cells), sorted. */
size_t swp_report_closed_region_count(const struct swp_report *report);
const char *swp_report_closed_region(const struct swp_report *report, size_t index);
size_t swp_report_gap_group_count(const struct swp_report *report);
const struct swp_report_gap_group *swp_report_gap_group(
	const struct swp_report *report, size_t index); /* most cells first */

struct swp_report_row { /* borrowed until the visitor returns */
	size_t account; /* index */
	const char *region;
	size_t check;
	enum swp_status status;
	const char *resource;					/* NULL: none */
	const char *evidence;					/* compact JSON object, NULL: none */
	const char *reason;					/* of NOT_APPLICABLE and NOT_ASSESSED; NULL */
	enum swp_reason gap_reason;				/* of NOT_ASSESSED */
	const char *action, *error_code, *message, *request_id; /* "" unknown */
};
enum swp_report_rows {
	SWP_REPORT_ROWS_FAIL = 1 << SWP_STATUS_FAIL,
	SWP_REPORT_ROWS_NOT_ASSESSED = 1 << SWP_STATUS_NOT_ASSESSED,
	SWP_REPORT_ROWS_ALL = 0xf,
};
/* Visits the rows of those statuses in order. A visitor's non-zero ends the walk and is returned. */
int swp_report_each_row(struct swp_report *report, unsigned rows,
	int (*visit)(void *context, const struct swp_report_row *row), void *context,
	struct swp_problem *problem);
/* Chain instances in order. */
int swp_report_each_chain(struct swp_report *report,
	int (*visit)(void *context, const struct swp_record_chain *chain), void *context,
	struct swp_problem *problem);
/* Chains that were not evaluated, by id: the selection leaves out a leg they need, or they were given up at a ceiling. */
int swp_report_each_not_evaluated(struct swp_report *report,
	int (*visit)(size_t chain, const char *reason, void *context), void *context);
/* Gaps without an account. */
size_t swp_report_plain_gap_count(const struct swp_report *report);
const struct swp_record_gap *swp_report_plain_gap(const struct swp_report *report, size_t index);
struct swp_report_unread {
	enum swp_reason reason;
	const char *action, *account; /* "" when there is none */
	const char *region;	      /* NULL when there is none */
};
/* What closes a gap: appends one line, made from its reason, action and place. */
void swp_report_remedy(
	const struct swp_report *report, const struct swp_report_unread *unread, struct swp_buf *ret_text);

/* --- formats --- */
/* JSON of contract §3; `all` lists PASS and NOT_APPLICABLE too. 0, -EIO (the stream), or what a walk said. */
int swp_report_write_json(struct swp_report *report, FILE *out, bool all, struct swp_problem *problem);
/* The terminal summary; `colour` as the caller knows of the stream; `files` (NULL-terminated, may be NULL) are where the report
 * stands; `hint` is the last line when there are none (NULL: no line). */
int swp_report_write_summary(struct swp_report *report, FILE *out, bool colour, const char *const *files,
	const char *hint, struct swp_problem *problem);

/* The exit code of a sweep by contract §1 (0, 1, 3, 4). fail_on: SWP_SEVERITY_COUNT means none. */
int swp_report_exit_code(const struct swp_report *report, enum swp_severity fail_on,
	uint32_t min_coverage_hundredths, struct swp_buf *ret_why);

#endif
