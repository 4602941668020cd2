#include "checks/correlation.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checks/chain-instances.h"
#include "checks/joined.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/base/text.h"

enum { FULL = 1 }; /* a ceiling was crossed */

/* The key of what has none in common: all of it goes to one partition. */
#define KEY_OF_ALL ""

struct gap_texts { /* a gap whose texts are in the pool */
	enum swp_reason reason;
	uint32_t action, error_code, message, request_id;
};

struct swp_correlation {
	struct swp_catalogue *catalogue; /* referenced */
	const struct swp_selection *selection;
	char *partition, *account, *organization_id, *management_account; /* owned; account may be NULL */
	struct swp_text_pool *pool;
	struct swp_plans *plans;
	unsigned char *efforts;
	struct swp_row *rows;
	size_t row_count, row_capacity;
	struct gap_texts *gaps; /* gaps[0] is empty */
	size_t gap_count, gap_capacity;
	struct swp_planned_scope *scopes;
	size_t scope_count, scope_capacity;
	int join_partition; /* −1: all of them */
	bool full;
};

/* --- making one --- */

static char *copy_or_empty(const char *text)
{
	return swp_strdup(text ? text : "");
}

static int init_texts(struct swp_correlation *correlation, const struct swp_correlation_scope *scope)
{
	correlation->partition = copy_or_empty(scope->partition);
	correlation->organization_id = copy_or_empty(scope->organization_id);
	correlation->management_account = copy_or_empty(scope->management_account);
	correlation->account = scope->account ? swp_strdup(scope->account) : NULL;
	correlation->pool = swp_text_pool_new(SWP_LIMIT_CORRELATION_TEXT_BYTES);
	correlation->efforts = swp_calloc(swp_catalogue_check_count(correlation->catalogue) + 1, 1);
	if (!correlation->partition || !correlation->organization_id || !correlation->management_account ||
		!correlation->pool || !correlation->efforts || (scope->account && !correlation->account))
		return -ENOMEM;
	for (size_t i = 0; i < swp_catalogue_check_count(correlation->catalogue); i++)
		correlation->efforts[i] = swp_chain_effort(swp_catalogue_check(correlation->catalogue, i));
	return 0;
}

struct swp_correlation *swp_correlation_new(
	struct swp_catalogue *catalogue, const struct swp_correlation_scope *scope)
{
	struct swp_correlation *correlation = swp_calloc(1, sizeof(*correlation));
	int r;

	if (!correlation)
		return NULL;
	correlation->catalogue = swp_catalogue_ref(catalogue);
	correlation->selection = scope->selection;
	correlation->join_partition = -1;
	r = init_texts(correlation, scope);
	if (r == 0)
		r = swp_plans_new(
			catalogue, scope->selection, !scope->account, correlation->pool, &correlation->plans);
	if (r < 0) {
		swp_correlation_free(correlation);
		return NULL;
	}
	return correlation;
}

void swp_correlation_free(struct swp_correlation *correlation)
{
	if (!correlation)
		return;
	swp_plans_free(correlation->plans);
	swp_text_pool_free(correlation->pool);
	swp_catalogue_unref(correlation->catalogue);
	swp_free(correlation->partition);
	swp_free(correlation->account);
	swp_free(correlation->organization_id);
	swp_free(correlation->management_account);
	swp_free(correlation->efforts);
	swp_free(correlation->rows);
	swp_free(correlation->gaps);
	swp_free(correlation->scopes);
	swp_free(correlation);
}

void swp_correlation_set_partition(struct swp_correlation *correlation, unsigned partition)
{
	correlation->join_partition = (int)partition;
}

bool swp_correlation_wants_check(const struct swp_correlation *correlation, size_t check)
{
	return check < correlation->plans->check_count && correlation->plans->wants_check[check];
}

bool swp_correlation_wants_fact(const struct swp_correlation *correlation, const char *name)
{
	return swp_plans_name(correlation->plans, name) >= 0;
}

/* --- rows in --- */

/* Room for one more; `items` is the array. */
static int grow(void **items, size_t count, size_t *capacity, size_t size)
{
	size_t wanted = *capacity ? *capacity * 2 : 64;
	void *grown;

	if (count < *capacity)
		return 0;
	grown = swp_realloc(*items, wanted * size);
	if (!grown)
		return -ENOMEM;
	*items = grown;
	*capacity = wanted;
	return 0;
}

static int full(struct swp_correlation *correlation)
{
	correlation->full = true;
	return FULL;
}

static int intern(struct swp_correlation *correlation, const char *text, uint32_t *ret_id)
{
	int r = swp_text_pool_intern(correlation->pool, text ? text : "", ret_id);

	return r == -E2BIG ? full(correlation) : r;
}

static int add_row(struct swp_correlation *correlation, const struct swp_row *row)
{
	void *rows = correlation->rows;
	int r;

	if (correlation->row_count == SWP_LIMIT_CORRELATION_ROWS)
		return full(correlation);
	r = grow(&rows, correlation->row_count, &correlation->row_capacity, sizeof(*correlation->rows));
	if (r < 0)
		return r;
	correlation->rows = rows;
	correlation->rows[correlation->row_count++] = *row;
	return 0;
}

static bool same_gap(const struct gap_texts *a, const struct gap_texts *b)
{
	return a->reason == b->reason && a->action == b->action && a->error_code == b->error_code &&
	       a->message == b->message && a->request_id == b->request_id;
}

static int add_gap(struct swp_correlation *correlation, const struct swp_gap *gap, uint32_t *ret_index)
{
	struct gap_texts texts = {.reason = gap->reason};
	void *gaps = correlation->gaps;
	int r = intern(correlation, gap->action, &texts.action);

	if (r == 0)
		r = intern(correlation, gap->error_code, &texts.error_code);
	if (r == 0)
		r = intern(correlation, gap->message, &texts.message);
	if (r == 0)
		r = intern(correlation, gap->request_id, &texts.request_id);
	if (r != 0)
		return r;
	if (correlation->gap_count == 0)
		correlation->gap_count = 1; /* gaps[0] stays empty */
	else if (correlation->gap_count > 1 &&
		 same_gap(&correlation->gaps[correlation->gap_count - 1], &texts)) {
		*ret_index = (uint32_t)correlation->gap_count - 1;
		return 0;
	}
	if (correlation->gap_count >= correlation->gap_capacity) {
		r = grow(&gaps, correlation->gap_capacity, &correlation->gap_capacity,
			sizeof(*correlation->gaps));
		if (r < 0)
			return r;
		correlation->gaps = gaps;
		correlation->gaps[0] = (struct gap_texts){0};
	}
	*ret_index = (uint32_t)correlation->gap_count;
	correlation->gaps[correlation->gap_count++] = texts;
	return 0;
}

/* A row of a check that this correlation has use for? */
static bool wants_result(const struct swp_correlation *correlation, const struct swp_result *result)
{
	if (!swp_correlation_wants_check(correlation, result->check))
		return false;
	if (result->status == SWP_STATUS_FAIL)
		return result->resource != NULL;
	if (result->status == SWP_STATUS_NOT_ASSESSED)
		return true;
	return result->resource && correlation->plans->wants_passes[result->check];
}

int swp_correlation_add_result(struct swp_correlation *correlation, const char *account, const char *region,
	const struct swp_result *result)
{
	struct swp_row row = {
		.source = (uint32_t)result->check, .status = result->status, .subject = SWP_TEXT_UNREAD};
	int r;

	if (!wants_result(correlation, result))
		return 0;
	if (correlation->full)
		return FULL;
	r = intern(correlation, account, &row.account);
	if (r == 0)
		r = intern(correlation, region, &row.region);
	if (r == 0 && result->resource)
		r = intern(correlation, result->resource, &row.subject);
	return r == 0 ? add_row(correlation, &row) : r;
}

/* A fact's value as canonical JSON text, and as plain text if it is text. */
static int intern_value(struct swp_correlation *correlation, const json_t *value, struct swp_row *row)
{
	char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
	int r;

	if (!text)
		return -ENOMEM;
	r = intern(correlation, text, &row->value);
	free(text); /* jansson's allocator */
	if (r == 0 && json_is_string(value) && row->other == SWP_TEXT_NONE)
		r = intern(correlation, json_string_value(value), &row->other);
	return r;
}

int swp_correlation_add_fact(struct swp_correlation *correlation, const char *account, const char *region,
	const struct swp_fact *fact)
{
	int name = swp_plans_name(correlation->plans, fact->name), r;
	struct swp_row row = {.status = SWP_ROW_KNOWN};

	if (name < 0)
		return 0;
	if (correlation->full)
		return FULL;
	row.source = (uint32_t)(correlation->plans->check_count + (size_t)name);
	r = intern(correlation, account, &row.account);
	if (r == 0)
		r = intern(correlation, region, &row.region);
	if (r == 0)
		r = intern(correlation, fact->subject, &row.subject);
	if (r == 0 && fact->object)
		r = intern(correlation, fact->object, &row.other);
	if (r == 0 && fact->value)
		r = intern_value(correlation, fact->value, &row);
	if (r == 0 && !fact->object && !fact->value) {
		struct swp_gap gap = fact->gap;

		if (gap.reason == SWP_REASON_NONE) /* what was stored can't be read as a fact */
			gap.reason = SWP_REASON_MALFORMED_RESPONSE;
		row.status = SWP_ROW_UNKNOWN;
		r = add_gap(correlation, &gap, &row.gap);
	}
	return r == 0 ? add_row(correlation, &row) : r;
}

int swp_correlation_add_scope(
	struct swp_correlation *correlation, const char *account, const char *region, enum swp_reason unread)
{
	struct swp_planned_scope scope = {.level = SWP_LEVEL_REGION, .unread = unread};
	void *scopes = correlation->scopes;
	int r;

	if (unread == SWP_REASON_NONE && correlation->plans->joined_count == 0)
		return 0;
	if (swp_text_equal(region, "global"))
		scope.level = SWP_LEVEL_GLOBAL;
	if (swp_text_equal(region, "organization"))
		scope.level = SWP_LEVEL_ORGANIZATION;
	if (correlation->scope_count == SWP_LIMIT_CORRELATION_ROWS)
		return full(correlation);
	r = intern(correlation, account, &scope.account);
	if (r == 0)
		r = intern(correlation, scope.level == SWP_LEVEL_REGION ? region : "global", &scope.region);
	if (r == 0)
		r = grow(&scopes, correlation->scope_count, &correlation->scope_capacity,
			sizeof(*correlation->scopes));
	if (r != 0)
		return r;
	correlation->scopes = scopes;
	correlation->scopes[correlation->scope_count++] = scope;
	return 0;
}

/* --- what was not read --- */

/* The ARN of a check that has one resource a cell. */
static int resource_of_cell(struct swp_correlation *correlation, const struct swp_check *check,
	const struct swp_planned_scope *scope, uint32_t *ret_subject)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf arn = {0};
	int r;

	if (check->per_resource)
		return 0;
	r = swp_check_resource(check, correlation->partition,
		swp_text_pool_text(correlation->pool, scope->account),
		swp_text_pool_text(correlation->pool, scope->region), correlation->organization_id, &arn);
	return r < 0 ? r : intern(correlation, swp_buf_text(&arn), ret_subject);
}

/* A job that was not read leaves each wanted check of its level not assessed there, and each list unread. Joined checks have rows of their own. */
static int add_unread_scope(struct swp_correlation *correlation, const struct swp_planned_scope *scope)
{
	const struct swp_plans *plans = correlation->plans;
	struct swp_row row = {.account = scope->account, .region = scope->region};
	int r = 0;

	for (size_t i = 0; r == 0 && i < plans->check_count; i++) {
		const struct swp_check *check = swp_catalogue_check(correlation->catalogue, i);

		if (!plans->wants_check[i] || check->joined || check->level != scope->level)
			continue;
		row.source = (uint32_t)i;
		row.subject = SWP_TEXT_UNREAD;
		row.status = SWP_STATUS_NOT_ASSESSED;
		r = resource_of_cell(correlation, check, scope, &row.subject);
		if (r == 0)
			r = add_row(correlation, &row);
	}
	for (size_t i = 0; r == 0 && i < plans->name_count; i++) {
		const struct swp_gap gap = {scope->unread, "", "", "", ""};

		if (!plans->names[i].complete || plans->names[i].level != scope->level)
			continue;
		row.source = (uint32_t)(plans->check_count + i);
		row.subject = scope->region;
		row.status = SWP_ROW_UNKNOWN;
		r = add_gap(correlation, &gap, &row.gap);
		if (r == 0)
			r = add_row(correlation, &row);
	}
	return r;
}

/* A list that was not wholly read: any number of things may be in it, with any facts. */
static int add_unread_list(struct swp_correlation *correlation, const struct swp_row *list)
{
	const struct swp_plans *plans = correlation->plans;
	size_t complete = list->source - plans->check_count;
	int r = 0;

	for (size_t i = 0; r == 0 && i < plans->name_count; i++) {
		for (size_t k = 0; r == 0 && k < plans->names[i].kind_count; k++) {
			struct swp_row row = {.source = (uint32_t)(plans->check_count + i),
				.account = list->account,
				.region = list->region,
				.subject = SWP_TEXT_UNREAD,
				.status = SWP_ROW_UNKNOWN,
				.gap = list->gap};

			if (plans->names[i].kinds[k] == complete)
				r = add_row(correlation, &row);
		}
	}
	return r;
}

static int add_unread(struct swp_correlation *correlation)
{
	const struct swp_plans *plans = correlation->plans;
	size_t count;
	int r = 0;

	for (size_t i = 0; r == 0 && i < correlation->scope_count; i++)
		if (correlation->scopes[i].unread != SWP_REASON_NONE)
			r = add_unread_scope(correlation, &correlation->scopes[i]);
	count = correlation->row_count;
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct swp_row row = correlation->rows[i];

		if (row.source >= plans->check_count &&
			plans->names[row.source - plans->check_count].complete &&
			row.status == SWP_ROW_UNKNOWN)
			r = add_unread_list(correlation, &row);
	}
	return r;
}

/* --- order --- */

/* All but the gap: the same row twice counts once. */
static int compare_rows(const void *left, const void *right)
{
	const struct swp_row *a = left, *b = right;
	const uint32_t fields[][2] = {{a->source, b->source}, {a->account, b->account},
		{a->region, b->region}, {a->subject, b->subject}, {a->other, b->other}, {a->value, b->value},
		{a->status, b->status}};

	for (size_t i = 0; i < SWP_ARRAY_SIZE(fields); i++)
		if (fields[i][0] != fields[i][1])
			return fields[i][0] < fields[i][1] ? -1 : 1;
	return 0;
}

/* Two results of one check for one resource? */
static bool same_result(
	const struct swp_correlation *correlation, const struct swp_row *a, const struct swp_row *b)
{
	return a->source == b->source && a->source < correlation->plans->check_count &&
	       a->account == b->account && a->region == b->region && a->subject == b->subject;
}

/* FAIL wins over what was not read, and that over the rest. */
static uint32_t stronger_status(uint32_t a, uint32_t b)
{
	if (a == SWP_STATUS_FAIL || b == SWP_STATUS_FAIL)
		return SWP_STATUS_FAIL;
	if (a == SWP_STATUS_NOT_ASSESSED || b == SWP_STATUS_NOT_ASSESSED)
		return SWP_STATUS_NOT_ASSESSED;
	return a == SWP_STATUS_PASS ? a : b;
}

static void sort_rows(struct swp_correlation *correlation, struct swp_rows *ret_rows)
{
	struct swp_row *rows = correlation->rows;
	size_t kept = 0;

	if (correlation->row_count)
		qsort(rows, correlation->row_count, sizeof(*rows), compare_rows);
	for (size_t i = 0; i < correlation->row_count; i++) {
		if (i > 0 && same_result(correlation, &rows[i], &rows[kept - 1]))
			rows[kept - 1].status = stronger_status(rows[kept - 1].status, rows[i].status);
		else if (i == 0 || compare_rows(&rows[i], &rows[kept - 1]) != 0)
			rows[kept++] = rows[i];
	}
	correlation->row_count = kept;
	*ret_rows = (struct swp_rows){.rows = correlation->rows,
		.count = kept,
		.check_count = correlation->plans->check_count,
		.pool = correlation->pool,
		.plans = correlation->plans};
}

static bool same_scope(const struct swp_planned_scope *a, const struct swp_planned_scope *b)
{
	return a->account == b->account && a->region == b->region && a->level == b->level;
}

/* One that was told twice was read only if both say so. */
static int compare_scopes(const void *left, const void *right, void *context)
{
	const struct swp_planned_scope *a = left, *b = right;
	int r = swp_text_pool_compare(context, a->account, b->account);

	if (r == 0)
		r = swp_text_pool_compare(context, a->region, b->region);
	if (r == 0)
		r = (int)a->level - (int)b->level;
	if (r == 0)
		r = (a->unread == SWP_REASON_NONE) - (b->unread == SWP_REASON_NONE);
	return r ? r : (int)a->unread - (int)b->unread;
}

static void sort_scopes(struct swp_correlation *correlation)
{
	size_t kept = 0;

	if (correlation->scope_count)
		qsort_r(correlation->scopes, correlation->scope_count, sizeof(*correlation->scopes),
			compare_scopes, correlation->pool);
	for (size_t i = 0; i < correlation->scope_count; i++)
		if (i == 0 || !same_scope(&correlation->scopes[i], &correlation->scopes[kept - 1]))
			correlation->scopes[kept++] = correlation->scopes[i];
	correlation->scope_count = kept;
}

/* --- out --- */

static int keep_joined(void *context, const struct swp_planned_scope *scope, const struct swp_result *result)
{
	struct swp_correlation *correlation = context;
	int r = swp_correlation_add_result(correlation, swp_text_pool_text(correlation->pool, scope->account),
		swp_text_pool_text(correlation->pool, scope->region), result);

	return r == FULL ? 0 : r; /* `full` is remembered */
}

/* The gaps with their texts, for as long as the pool lives. */
static struct swp_gap *resolve_gaps(const struct swp_correlation *correlation)
{
	struct swp_gap *gaps = swp_calloc(correlation->gap_count + 1, sizeof(*gaps));

	for (size_t i = 1; gaps && i < correlation->gap_count; i++) {
		const struct gap_texts *texts = &correlation->gaps[i];

		gaps[i] = (struct swp_gap){.reason = texts->reason,
			.action = swp_text_pool_text(correlation->pool, texts->action),
			.error_code = swp_text_pool_text(correlation->pool, texts->error_code),
			.message = swp_text_pool_text(correlation->pool, texts->message),
			.request_id = swp_text_pool_text(correlation->pool, texts->request_id)};
	}
	return gaps;
}

/* Is what goes by the one key judged here? */
static bool judges_all(const struct swp_correlation *correlation)
{
	return correlation->account || correlation->join_partition < 0 ||
	       (unsigned)correlation->join_partition == swp_join_partition_of_checks();
}

static int run_joined(struct swp_correlation *correlation, const struct swp_correlation_sink *sink)
{
	struct swp_rows rows;
	struct swp_joined_run run = {.rows = &rows,
		.catalogue = correlation->catalogue,
		.sink = sink,
		.keep = keep_joined,
		.context = correlation};
	struct swp_row *copy;
	struct swp_gap *gaps = resolve_gaps(correlation);
	int r = 0;

	sort_rows(correlation, &rows);
	sort_scopes(correlation);
	copy = swp_calloc(
		rows.count + 1, sizeof(*copy)); /* results are added to the rows while they are read */
	if (!gaps || !copy) {
		swp_free(gaps);
		swp_free(copy);
		return -ENOMEM;
	}
	if (rows.count)
		memcpy(copy, rows.rows, rows.count * sizeof(*copy));
	rows.rows = copy;
	run.gaps = gaps;
	run.scopes = correlation->scopes;
	run.scope_count = correlation->scope_count;
	run.full = correlation->full;
	for (size_t i = 0; r == 0 && i < correlation->plans->joined_count; i++)
		r = swp_joined_evaluate(&run, &correlation->plans->joined[i]);
	swp_free(gaps);
	swp_free(copy);
	return r;
}

static int give_up_chain(const struct swp_correlation *correlation, const struct swp_chain_plan *plan,
	const struct swp_correlation_sink *sink)
{
	char reason[160];

	snprintf(reason, sizeof(reason), "limit-reached: more than %d findings and facts%s%s",
		SWP_LIMIT_CORRELATION_ROWS, correlation->account ? " in account " : " over accounts",
		correlation->account ? correlation->account : "");
	return sink->not_evaluated(sink->context, plan->chain, reason);
}

static int run_chains(struct swp_correlation *correlation, const struct swp_correlation_sink *sink)
{
	struct swp_rows rows;
	const struct swp_chain_run run = {.rows = &rows,
		.catalogue = correlation->catalogue,
		.efforts = correlation->efforts,
		.account = correlation->account,
		.partition = correlation->join_partition,
		.sink = sink};
	int r = 0;

	sort_rows(correlation, &rows);
	for (size_t i = 0; r == 0 && i < correlation->plans->chain_count; i++) {
		const struct swp_chain_plan *plan = &correlation->plans->chains[i];

		if (plan->key == SWP_NO_VARIABLE && !judges_all(correlation))
			continue;
		r = correlation->full ? give_up_chain(correlation, plan, sink)
				      : swp_chain_evaluate(&run, plan);
	}
	return r;
}

int swp_correlation_run(struct swp_correlation *correlation, const struct swp_correlation_sink *sink)
{
	int r = correlation->full ? 0 : add_unread(correlation);

	if (r < 0)
		return r;
	r = 0; /* a ceiling is remembered in `full` */
	if (correlation->plans->joined_count && judges_all(correlation))
		r = run_joined(correlation, sink);
	return r == 0 ? run_chains(correlation, sink) : r;
}

/* --- partitions --- */

unsigned swp_join_partition(const char *key)
{
	uint64_t hash = 14695981039346656037u; /* FNV-1a, 64 bits */

	for (; *key; key++)
		hash = (hash ^ (unsigned char)*key) * 1099511628211u;
	return (unsigned)((hash ^ (hash >> 32)) % SWP_JOIN_PARTITIONS);
}

unsigned swp_join_partition_of_checks(void)
{
	return swp_join_partition(KEY_OF_ALL);
}

struct key_walk { /* the keys of one row */
	const struct swp_correlation *correlation;
	size_t check; /* or SIZE_MAX */
	size_t fact;
	const char *columns[SWP_COLUMN_COUNT]; /* NULL: not known */
	int (*visit)(const char *key, void *context);
	void *context;
	const char *seen[SWP_LIMIT_CHAIN_LEGS]; /* given already */
	size_t seen_count;
	bool everywhere;
};

static int visit_key(struct key_walk *walk, const char *key)
{
	if (!key) {
		if (walk->everywhere)
			return 0;
		walk->everywhere = true;
		return walk->visit(NULL, walk->context);
	}
	for (size_t i = 0; i < walk->seen_count; i++)
		if (strcmp(walk->seen[i], key) == 0)
			return 0;
	if (walk->seen_count < SWP_ARRAY_SIZE(walk->seen))
		walk->seen[walk->seen_count++] = key;
	return walk->visit(key, walk->context);
}

static bool source_takes(const struct key_walk *walk, const struct swp_leg_source *source)
{
	if (source->kind == SWP_LEG_FINDING)
		return source->selected && source->check == walk->check;
	return walk->check == SIZE_MAX && source->fact == walk->fact;
}

static int keys_of_leg(struct key_walk *walk, const struct swp_chain_plan *plan, const struct swp_leg *leg)
{
	for (size_t i = 0; i < leg->source_count; i++) {
		const struct swp_leg_source *source = &leg->sources[i];
		const char *key = KEY_OF_ALL;
		int r;

		if (!source_takes(walk, source))
			continue;
		for (int k = 0; plan->key != SWP_NO_VARIABLE && k < SWP_COLUMN_COUNT; k++)
			if (source->variables[k] == plan->key)
				key = walk->columns[k];
		r = visit_key(walk, key);
		if (r != 0)
			return r;
	}
	return 0;
}

static int keys_of_chain(struct key_walk *walk, const struct swp_chain_plan *plan)
{
	int r = 0;

	for (size_t i = 0; i < plan->path_count; i++)
		for (size_t k = 0; r == 0 && plan->paths[i].usable && k < plan->paths[i].leg_count; k++)
			r = keys_of_leg(walk, plan, &plan->paths[i].legs[k]);
	for (size_t i = 0; r == 0 && i < plan->amplifier_count; i++)
		r = keys_of_leg(walk, plan, &plan->amplifiers[i]);
	return r;
}

static int keys_of_joined(struct key_walk *walk, const struct swp_joined_plan *plan)
{
	if (walk->check == SIZE_MAX && (plan->relation == walk->fact || plan->fact == walk->fact))
		return visit_key(walk, KEY_OF_ALL);
	return 0;
}

static int walk_keys(struct key_walk *walk)
{
	const struct swp_plans *plans = walk->correlation->plans;
	int r = 0;

	for (size_t i = 0; r == 0 && i < plans->chain_count; i++)
		r = keys_of_chain(walk, &plans->chains[i]);
	for (size_t i = 0; r == 0 && i < plans->joined_count; i++)
		r = keys_of_joined(walk, &plans->joined[i]);
	return r;
}

int swp_correlation_keys_of_fact(const struct swp_correlation *correlation, const char *account,
	const char *region, const struct swp_fact *fact, int (*visit)(const char *key, void *context),
	void *context)
{
	int name = swp_plans_name(correlation->plans, fact->name);
	struct key_walk walk = {
		.correlation = correlation, .check = SIZE_MAX, .visit = visit, .context = context};

	if (name < 0)
		return 0;
	if (correlation->plans->names[name].complete) /* says of every key whether it could have been read */
		return visit(NULL, context);
	walk.fact = (size_t)name;
	walk.columns[SWP_COLUMN_ACCOUNT] = account;
	walk.columns[SWP_COLUMN_REGION] = region;
	walk.columns[SWP_COLUMN_SUBJECT] = fact->subject;
	walk.columns[SWP_COLUMN_OBJECT] = fact->object;
	walk.columns[SWP_COLUMN_VALUE] = json_string_value(fact->value);
	return walk_keys(&walk);
}

int swp_correlation_keys_of_result(const struct swp_correlation *correlation, const char *account,
	const char *region, const struct swp_result *result, int (*visit)(const char *key, void *context),
	void *context)
{
	struct key_walk walk = {
		.correlation = correlation, .check = result->check, .visit = visit, .context = context};

	if (!wants_result(correlation, result))
		return 0;
	walk.columns[SWP_COLUMN_ACCOUNT] = account;
	walk.columns[SWP_COLUMN_REGION] = region;
	walk.columns[SWP_COLUMN_SUBJECT] = result->resource;
	return walk_keys(&walk);
}

/* --- what the selection allows --- */

static int tell_missing(const struct swp_missing_checks *missing, size_t chain,
	int (*visit)(size_t chain, const char *reason, void *context), void *context)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf reason = {0};

	for (size_t i = 0; i < missing->count; i++) {
		swp_buf_append_text(&reason, i ? ", " : "");
		swp_buf_append_text(&reason, missing->ids[i]);
	}
	swp_buf_append_text(&reason, " not selected");
	return reason.failed ? reason.failed : visit(chain, swp_buf_text(&reason), context);
}

int swp_correlation_not_evaluated(struct swp_catalogue *catalogue, const struct swp_selection *selection,
	int (*visit)(size_t chain, const char *reason, void *context), void *context)
{
	for (size_t i = 0; i < swp_catalogue_chain_count(catalogue); i++) {
		struct swp_missing_checks missing;
		int r = swp_chain_missing(
			catalogue, selection, swp_catalogue_chain(catalogue, i)->document, &missing);

		if (r == 0 && missing.count)
			r = tell_missing(&missing, i, visit, context);
		if (r != 0)
			return r;
	}
	return 0;
}

bool swp_correlation_over_accounts(struct swp_catalogue *catalogue, const struct swp_selection *selection)
{
	for (size_t i = 0; i < swp_catalogue_check_count(catalogue); i++)
		if (swp_catalogue_check(catalogue, i)->joined_over_accounts &&
			swp_selection_has(selection, i))
			return true;
	for (size_t i = 0; i < swp_catalogue_chain_count(catalogue); i++) {
		const struct swp_chain *chain = swp_catalogue_chain(catalogue, i);
		struct swp_missing_checks missing;

		if (chain->over_accounts &&
			swp_chain_missing(catalogue, selection, chain->document, &missing) == 0 &&
			missing.count == 0)
			return true;
	}
	return false;
}
