#include "checks/joined.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/text.h"

enum { EVIDENCE_THINGS = 16 }; /* named in the evidence of one result; more are counted */

struct joined {
	const struct swp_joined_run *run;
	const struct swp_joined_plan *plan;
	const struct swp_check *check;
	const struct swp_row *relations;
	size_t relation_count;
	const struct swp_row *facts;
	uint32_t *by_subject; /* owned; indexes in facts */
	size_t fact_count;
	uint32_t *here; /* owned; indexes in relations: those of one scope, by subject */
	size_t here_count;
};
struct verdict { /* of one thing, or of one subject */
	enum swp_status status;
	uint32_t thing; /* at the other end */
	uint32_t value; /* JSON text of its fact */
	const struct swp_gap *gap;
};
struct tally {
	size_t count[SWP_STATUS_NOT_ASSESSED + 1];
	enum swp_reason reason;
};

static const struct swp_gap no_gap;
static const struct swp_gap gap_not_found = {.reason = SWP_REASON_NOT_FOUND,
	.action = "",
	.error_code = "",
	.message = "no fact about it was read",
	.request_id = ""};

static const struct swp_gap *gap_of(const struct joined *joined, const struct swp_row *row)
{
	return row->gap ? &joined->run->gaps[row->gap] : &gap_not_found;
}

/* The order of what is found decides which of equal verdicts is told: by text, not by the order in which rows came. */
static int compare_fact_subjects(const void *left, const void *right, void *context)
{
	const struct joined *joined = context;
	const struct swp_text_pool *pool = joined->run->rows->pool;
	const struct swp_row *a = &joined->facts[*(const uint32_t *)left],
			     *b = &joined->facts[*(const uint32_t *)right];
	int r;

	if (a->subject != b->subject)
		return a->subject < b->subject ? -1 : 1;
	r = swp_text_pool_compare(pool, a->account, b->account);
	if (r == 0)
		r = swp_text_pool_compare(pool, a->region, b->region);
	return r ? r : swp_text_pool_compare(pool, a->value, b->value);
}

static int joined_init(struct joined *joined)
{
	const struct swp_rows *rows = joined->run->rows;

	joined->relations =
		swp_rows_of(rows, rows->check_count + joined->plan->relation, &joined->relation_count);
	joined->facts = swp_rows_of(rows, rows->check_count + joined->plan->fact, &joined->fact_count);
	joined->by_subject = swp_calloc(joined->fact_count + 1, sizeof(*joined->by_subject));
	joined->here = swp_calloc(joined->relation_count + 1, sizeof(*joined->here));
	if (!joined->by_subject || !joined->here)
		return -ENOMEM;
	for (size_t i = 0; i < joined->fact_count; i++)
		joined->by_subject[i] = (uint32_t)i;
	qsort_r(joined->by_subject, joined->fact_count, sizeof(*joined->by_subject), compare_fact_subjects,
		joined);
	return 0;
}

/* --- one thing --- */

static enum swp_status status_of_missing(enum swp_missing missing)
{
	static const enum swp_status statuses[SWP_MISSING_COUNT] = {
		[SWP_MISSING_PASS] = SWP_STATUS_PASS,
		[SWP_MISSING_FAIL] = SWP_STATUS_FAIL,
		[SWP_MISSING_NOT_ASSESSED] = SWP_STATUS_NOT_ASSESSED,
	};

	return statuses[missing];
}

/* FAIL wins, then what was not read. */
static void worsen(struct verdict *verdict, const struct verdict *other)
{
	static const int weights[] = {[SWP_STATUS_FAIL] = 3,
		[SWP_STATUS_NOT_ASSESSED] = 2,
		[SWP_STATUS_PASS] = 1,
		[SWP_STATUS_NOT_APPLICABLE] = 0};

	if (weights[other->status] > weights[verdict->status] ||
		(other->status == SWP_STATUS_NOT_ASSESSED && verdict->status == SWP_STATUS_NOT_ASSESSED &&
			other->gap->reason < verdict->gap->reason))
		*verdict = *other;
}

static struct verdict verdict_of_fact(const struct joined *joined, const struct swp_row *fact)
{
	struct verdict verdict = {.thing = fact->subject, .value = fact->value, .gap = &no_gap};

	if (fact->status == SWP_ROW_UNKNOWN) {
		verdict.status = SWP_STATUS_NOT_ASSESSED;
		verdict.gap = gap_of(joined, fact);
	} else {
		verdict.status = joined->plan->any_value || fact->value == joined->plan->value
					 ? SWP_STATUS_FAIL
					 : SWP_STATUS_PASS;
	}
	return verdict;
}

/* Nothing was read about the thing: because its list was not read, or because it is not there. */
static struct verdict verdict_of_missing(const struct joined *joined, uint32_t thing)
{
	const struct swp_rows *rows = joined->run->rows;
	const struct swp_row *unread;
	struct verdict verdict = {.status = SWP_STATUS_NOT_ASSESSED, .thing = thing, .gap = &gap_not_found};

	if (swp_rows_wholly_read(rows, &rows->plans->names[joined->plan->fact], thing, &unread))
		verdict.status = status_of_missing(joined->plan->missing);
	else if (unread && unread->status == SWP_ROW_UNKNOWN)
		verdict.gap = gap_of(joined, unread);
	return verdict;
}

static struct verdict verdict_of_thing(const struct joined *joined, uint32_t thing)
{
	struct verdict verdict = {.status = SWP_STATUS_NOT_APPLICABLE, .gap = &no_gap};
	size_t low = 0, high = joined->fact_count;
	bool any = false;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (joined->facts[joined->by_subject[middle]].subject < thing)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < joined->fact_count && joined->facts[joined->by_subject[low]].subject == thing; low++) {
		struct verdict one = verdict_of_fact(joined, &joined->facts[joined->by_subject[low]]);

		worsen(&verdict, &one);
		any = true;
	}
	return any ? verdict : verdict_of_missing(joined, thing);
}

/* A row of the relation. */
static struct verdict verdict_of_relation(const struct joined *joined, const struct swp_row *row)
{
	struct verdict verdict = {.status = SWP_STATUS_NOT_ASSESSED, .gap = &no_gap};

	if (row->status == SWP_ROW_UNKNOWN) {
		verdict.gap = gap_of(joined, row);
	} else if (row->other == SWP_TEXT_NONE) {
		verdict.status = joined->plan->none == SWP_MISSING_PASS
					 ? SWP_STATUS_NOT_APPLICABLE
					 : status_of_missing(joined->plan->none);
		verdict.gap = verdict.status == SWP_STATUS_NOT_ASSESSED ? &gap_not_found : &no_gap;
	} else {
		verdict = verdict_of_thing(joined, row->other);
	}
	return verdict;
}

/* --- results --- */

static int set_text(json_t *object, const char *key, const char *text)
{
	return json_object_set_new(object, key, json_string(text)) == 0 ? 0 : -ENOMEM;
}

/* {relation: the things that decided, fact: its value there}. */
static json_t *evidence_of(
	const struct joined *joined, const struct verdict *verdict, size_t first, size_t last)
{
	const struct swp_rows *rows = joined->run->rows;
	const char *relation = rows->plans->names[joined->plan->relation].name;
	const char *fact = rows->plans->names[joined->plan->fact].name;
	const char *value = swp_text_pool_text(rows->pool, verdict->value);
	json_t *evidence = json_object(), *things = json_array();
	size_t count = 0;
	int r = evidence && things ? 0 : -ENOMEM;

	for (size_t i = first; r == 0 && i < last; i++) {
		const struct swp_row *row = &joined->relations[joined->here[i]];
		const char *thing = swp_text_pool_text(rows->pool, row->other);

		if (!thing || verdict_of_relation(joined, row).status != verdict->status)
			continue;
		if (count++ < EVIDENCE_THINGS)
			r = json_array_append_new(things, json_string(thing)) == 0 ? 0 : -ENOMEM;
	}
	if (r == 0 && count == 1)
		r = set_text(evidence, relation, json_string_value(json_array_get(things, 0)));
	else if (r == 0 && count > 1)
		r = json_object_set(evidence, relation, things) == 0 ? 0 : -ENOMEM;
	if (r == 0 && count > EVIDENCE_THINGS)
		r = json_object_set_new(evidence, "things", json_integer((json_int_t)count)) == 0 ? 0
												  : -ENOMEM;
	if (r == 0 && value)
		r = json_object_set_new(evidence, fact, json_loads(value, JSON_DECODE_ANY, NULL)) == 0
			    ? 0
			    : -ENOMEM;
	json_decref(things);
	if (r == 0)
		return evidence;
	json_decref(evidence);
	return NULL;
}

static int give_result(
	const struct joined *joined, const struct swp_planned_scope *scope, const struct swp_result *result)
{
	const struct swp_text_pool *pool = joined->run->rows->pool;
	const struct swp_correlation_sink *sink = joined->run->sink;
	int r = sink->result(sink->context, swp_text_pool_text(pool, scope->account),
		swp_text_pool_text(pool, scope->region), result);

	return r ? r : joined->run->keep(joined->run->context, scope, result);
}

/* The subject behind the relations [first, last) of `here`. */
static int judge_subject(const struct joined *joined, const struct swp_planned_scope *scope, size_t first,
	size_t last, struct tally *tally)
{
	struct verdict verdict = {.status = SWP_STATUS_NOT_APPLICABLE, .gap = &no_gap};
	struct swp_result result = {.check = joined->plan->check};
	json_t *evidence;
	int r;

	for (size_t i = first; i < last; i++) {
		struct verdict one = verdict_of_relation(joined, &joined->relations[joined->here[i]]);

		if (i == first)
			verdict = one;
		else
			worsen(&verdict, &one);
	}
	evidence = evidence_of(joined, &verdict, first, last);
	if (!evidence)
		return -ENOMEM;
	result.status = verdict.status;
	result.resource =
		swp_text_pool_text(joined->run->rows->pool, joined->relations[joined->here[first]].subject);
	result.evidence = evidence;
	if (verdict.status == SWP_STATUS_NOT_APPLICABLE)
		result.not_applicable = SWP_NOT_APPLICABLE_NOT_MEANINGFUL;
	if (verdict.status == SWP_STATUS_NOT_ASSESSED) {
		result.gap = *verdict.gap;
		tally->reason = swp_reason_first(tally->reason, result.gap.reason);
	}
	tally->count[result.status]++;
	r = give_result(joined, scope, &result);
	json_decref(evidence);
	return r;
}

/* --- a scope --- */

static int compare_here(const void *left, const void *right, void *context)
{
	const struct joined *joined = context;
	const struct swp_row *a = &joined->relations[*(const uint32_t *)left];
	const struct swp_row *b = &joined->relations[*(const uint32_t *)right];

	int r = swp_text_pool_compare(joined->run->rows->pool, a->subject, b->subject);

	if (r == 0)
		r = (int)b->status - (int)a->status;
	return r ? r : swp_text_pool_compare(joined->run->rows->pool, a->other, b->other);
}

/* The scope's rows of a source (sorted by account): the first one; NULL: none. */
static const struct swp_row *first_of_account(const struct swp_row *rows, size_t count, uint32_t account)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (rows[middle].account < account)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && rows[low].account == account ? rows + low : NULL;
}

static void find_here(struct joined *joined, const struct swp_planned_scope *scope)
{
	const struct swp_row *end = joined->relations + joined->relation_count;
	const struct swp_row *row =
		first_of_account(joined->relations, joined->relation_count, scope->account);

	joined->here_count = 0;
	for (; row && row < end && row->account == scope->account; row++)
		if (row->region == scope->region && row->subject != SWP_TEXT_UNREAD)
			joined->here[joined->here_count++] = (uint32_t)(row - joined->relations);
	if (joined->here_count)
		qsort_r(joined->here, joined->here_count, sizeof(*joined->here), compare_here, joined);
}

static const struct swp_row *subjects_list(const struct joined *joined, const struct swp_planned_scope *scope)
{
	const struct swp_rows *rows = joined->run->rows;
	size_t count;
	const struct swp_row *lists = swp_rows_of(rows, rows->check_count + joined->plan->complete, &count);
	const struct swp_row *row = first_of_account(lists, count, scope->account), *worst = NULL;

	for (; row && row < lists + count && row->account == scope->account; row++) {
		if (row->region != scope->region)
			continue;
		if (!worst || row->status > worst->status || /* unknown is more than known */
			(row->status == worst->status &&
				swp_text_pool_compare(rows->pool, row->value, worst->value) < 0))
			worst = row;
	}
	return worst;
}

/* What the list of subjects says where it is not wholly read, or where there is no subject: one row without resource. */
static int judge_list(const struct joined *joined, const struct swp_planned_scope *scope, struct tally *tally,
	enum swp_not_applicable *ret_not_applicable)
{
	const struct swp_row *list = subjects_list(joined, scope);
	const char *value = list ? swp_text_pool_text(joined->run->rows->pool, list->value) : NULL;
	struct swp_result result = {
		.check = joined->plan->check, .status = SWP_STATUS_NOT_ASSESSED, .gap = gap_not_found};
	struct swp_gap scope_gap = {scope->unread, "", "", "", ""};

	if (scope->unread != SWP_REASON_NONE) {
		result.gap = scope_gap;
	} else if (list && list->status == SWP_ROW_UNKNOWN) {
		result.gap = *gap_of(joined, list);
	} else if (list || joined->here_count > 0) {
		if (joined->here_count > 0)
			return 0;
		result.status = SWP_STATUS_NOT_APPLICABLE;
		result.gap = no_gap;
		result.not_applicable = SWP_NOT_APPLICABLE_NO_RESOURCE;
		if (value && strcmp(value, "\"not-offered\"") == 0)
			result.not_applicable = SWP_NOT_APPLICABLE_NOT_OFFERED;
		if (value && strcmp(value, "\"closed-by-scp\"") == 0)
			result.not_applicable = SWP_NOT_APPLICABLE_CLOSED_BY_SCP;
		*ret_not_applicable = result.not_applicable;
	}
	tally->count[result.status]++;
	tally->reason = swp_reason_first(tally->reason, result.gap.reason);
	return give_result(joined, scope, &result);
}

static int give_cell(const struct joined *joined, const struct swp_planned_scope *scope,
	const struct tally *tally, enum swp_not_applicable not_applicable)
{
	const struct swp_text_pool *pool = joined->run->rows->pool;
	const struct swp_correlation_sink *sink = joined->run->sink;
	struct swp_cell cell = {.check = joined->plan->check, .reason = tally->reason};

	if (tally->count[SWP_STATUS_FAIL])
		cell.status = SWP_STATUS_FAIL;
	else if (tally->count[SWP_STATUS_NOT_ASSESSED])
		cell.status = SWP_STATUS_NOT_ASSESSED;
	else if (tally->count[SWP_STATUS_PASS])
		cell.status = SWP_STATUS_PASS;
	else
		cell.status = SWP_STATUS_NOT_APPLICABLE;
	cell.partial = cell.status == SWP_STATUS_FAIL && tally->count[SWP_STATUS_NOT_ASSESSED];
	if (cell.status == SWP_STATUS_NOT_APPLICABLE)
		cell.not_applicable = not_applicable;
	return sink->cell(sink->context, swp_text_pool_text(pool, scope->account),
		swp_text_pool_text(pool, scope->region), &cell);
}

static int judge_scope(struct joined *joined, const struct swp_planned_scope *scope)
{
	enum swp_not_applicable not_applicable = SWP_NOT_APPLICABLE_NOT_MEANINGFUL;
	struct tally tally = {.reason = SWP_REASON_NONE};
	int r;

	find_here(joined, scope);
	r = judge_list(joined, scope, &tally, &not_applicable);
	for (size_t i = 0, first = 0; r == 0 && i < joined->here_count; i++) {
		if (i + 1 < joined->here_count && joined->relations[joined->here[i]].subject ==
							  joined->relations[joined->here[i + 1]].subject)
			continue;
		r = judge_subject(joined, scope, first, i + 1, &tally);
		first = i + 1;
	}
	return r == 0 ? give_cell(joined, scope, &tally, not_applicable) : r;
}

/* A ceiling was reached: nothing can be said. */
static int give_up_scope(const struct joined *joined, const struct swp_planned_scope *scope)
{
	enum swp_reason reason = swp_reason_first(scope->unread, SWP_REASON_LIMIT_REACHED);
	struct swp_result result = {.check = joined->plan->check,
		.status = SWP_STATUS_NOT_ASSESSED,
		.gap = {reason, "", "", "", ""}};
	struct tally tally = {.reason = reason};
	int r;

	tally.count[SWP_STATUS_NOT_ASSESSED] = 1;
	r = give_result(joined, scope, &result);
	return r == 0 ? give_cell(joined, scope, &tally, SWP_NOT_APPLICABLE_NONE) : r;
}

int swp_joined_evaluate(const struct swp_joined_run *run, const struct swp_joined_plan *plan)
{
	struct joined joined = {
		.run = run, .plan = plan, .check = swp_catalogue_check(run->catalogue, plan->check)};
	int r = joined_init(&joined);

	for (size_t i = 0; r == 0 && i < run->scope_count; i++)
		if (run->scopes[i].level == joined.check->level)
			r = run->full ? give_up_scope(&joined, &run->scopes[i])
				      : judge_scope(&joined, &run->scopes[i]);
	swp_free(joined.by_subject);
	swp_free(joined.here);
	return r;
}
