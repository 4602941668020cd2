/* Hash joins, legs in order. What makes them three-valued:
 * - a tuple whose list was not read ("wild": a shared variable is SWP_TEXT_UNREAD) meets what could be in that list, but only where no
 *   row that was read says otherwise;
 * - a tuple that points to something unknown (SWP_TEXT_UNKNOWN) stays one tuple, not assessed, whatever the next leg holds.
 */
#include "checks/chain-join.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "checks/correlation.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

/* --- rows --- */

/* First row of the source that is not before (account). */
static size_t lower_bound(const struct swp_rows *rows, size_t source, uint32_t account)
{
	size_t low = 0, high = rows->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct swp_row *row = &rows->rows[middle];

		if (row->source < source || (row->source == source && row->account < account))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct swp_row *swp_rows_of(const struct swp_rows *rows, size_t source, size_t *ret_count)
{
	size_t first = lower_bound(rows, source, 0);

	*ret_count = lower_bound(rows, source + 1, 0) - first;
	return rows->rows ? rows->rows + first : NULL;
}

/* Fields of an ARN: arn:partition:service:region:account:…; false when it is none. */
static bool arn_place(const char *name, const char **ret_region, size_t *ret_region_length,
	const char **ret_account, size_t *ret_account_length)
{
	const char *field[6];

	if (strncmp(name, "arn:", 4) != 0)
		return false;
	field[0] = name;
	for (size_t i = 1; i < SWP_ARRAY_SIZE(field); i++) {
		const char *colon = strchr(field[i - 1], ':');

		if (!colon)
			return false;
		field[i] = colon + 1;
	}
	*ret_region = field[3];
	*ret_region_length = (size_t)(field[4] - field[3] - 1);
	*ret_account = field[4];
	*ret_account_length = (size_t)(field[5] - field[4] - 1);
	return true;
}

static bool same_text(const char *text, const char *part, size_t length)
{
	return text && strlen(text) == length && memcmp(text, part, length) == 0;
}

bool swp_rows_may_hold(const struct swp_text_pool *pool, const char *name, uint32_t account, uint32_t region)
{
	const char *arn_region, *arn_account, *list_region = swp_text_pool_text(pool, region);
	size_t region_length, account_length;

	if (!name || !arn_place(name, &arn_region, &region_length, &arn_account, &account_length))
		return true;
	if (account_length > 0 && !same_text(swp_text_pool_text(pool, account), arn_account, account_length))
		return false;
	return region_length == 0 || !list_region || strcmp(list_region, "global") == 0 ||
	       same_text(list_region, arn_region, region_length);
}

/* The account that an ARN names; NONE: it names none; UNKNOWN: one of which nothing is here. */
static uint32_t arn_account(const struct swp_text_pool *pool, const char *name)
{
	const char *region, *account;
	size_t region_length, length;
	char copy[32];
	uint32_t id;

	if (!name || !arn_place(name, &region, &region_length, &account, &length) || length == 0)
		return SWP_TEXT_NONE;
	if (length >= sizeof(copy))
		return SWP_TEXT_UNKNOWN;
	memcpy(copy, account, length);
	copy[length] = '\0';
	id = swp_text_pool_find(pool, copy);
	return id == SWP_TEXT_NONE ? SWP_TEXT_UNKNOWN : id;
}

/* Of two lists that were not read the one to name: by account, then region. */
static bool named_before(const struct swp_text_pool *pool, const struct swp_row *a, const struct swp_row *b)
{
	int r;

	if (!b)
		return true;
	r = swp_text_pool_compare(pool, a->account, b->account);
	return r < 0 || (r == 0 && swp_text_pool_compare(pool, a->region, b->region) < 0);
}

/* Looks through the lists of one kind. */
static void look_through(const struct swp_rows *rows, size_t kind, uint32_t subject, bool *ret_any,
	const struct swp_row **ret_unread)
{
	const char *name = swp_text_pool_text(rows->pool, subject);
	uint32_t account = arn_account(rows->pool, name);
	size_t source = rows->check_count + kind;

	for (size_t i = lower_bound(rows, source, account); i < rows->count; i++) {
		const struct swp_row *row = &rows->rows[i];
		const char *value = swp_text_pool_text(rows->pool, row->value);

		if (row->source != source || (account != SWP_TEXT_NONE && row->account != account))
			break;
		if (!swp_rows_may_hold(rows->pool, name, row->account, row->region))
			continue;
		*ret_any = true;
		if (row->status == SWP_ROW_KNOWN && value && strcmp(value, "\"closed-by-scp\"") != 0)
			continue;
		if (named_before(rows->pool, row, *ret_unread))
			*ret_unread = row;
	}
}

bool swp_rows_wholly_read(const struct swp_rows *rows, const struct swp_fact_name *name, uint32_t subject,
	const struct swp_row **ret_unread)
{
	bool any = false;

	*ret_unread = NULL;
	for (size_t i = 0; i < name->kind_count; i++)
		look_through(rows, name->kinds[i], subject, &any, ret_unread);
	return any && !*ret_unread;
}

/* --- tuples --- */

void swp_tuples_init(struct swp_tuples *tuples, unsigned variables, unsigned slots)
{
	*tuples = (struct swp_tuples){.variables = variables,
		.slots = slots,
		.stride = sizeof(struct swp_tuple) + (variables + slots) * sizeof(uint32_t)};
}

void swp_tuples_done(struct swp_tuples *tuples)
{
	swp_free(tuples->bytes);
	tuples->bytes = NULL;
	tuples->count = tuples->capacity = 0;
}

struct swp_tuple *swp_tuples_at(const struct swp_tuples *tuples, size_t index)
{
	return (struct swp_tuple *)(void *)(tuples->bytes + index * tuples->stride);
}

int swp_tuples_copy(const struct swp_tuples *tuples, struct swp_tuples *ret_copy)
{
	struct swp_tuples copy = *tuples;

	copy.capacity = tuples->count;
	copy.bytes = swp_calloc(tuples->count + 1, tuples->stride);
	if (!copy.bytes)
		return -ENOMEM;
	if (tuples->count)
		memcpy(copy.bytes, tuples->bytes, tuples->count * tuples->stride);
	*ret_copy = copy;
	return 0;
}

int swp_tuples_add(struct swp_tuples *tuples, struct swp_tuple **ret_tuple)
{
	if (tuples->count == SWP_LIMIT_CHAIN_TUPLES)
		return SWP_JOIN_LIMIT;
	if (tuples->count == tuples->capacity) {
		size_t capacity = tuples->capacity ? tuples->capacity * 2 : 32;
		unsigned char *bytes = swp_realloc(tuples->bytes, capacity * tuples->stride);

		if (!bytes)
			return -ENOMEM;
		tuples->bytes = bytes;
		tuples->capacity = capacity;
	}
	*ret_tuple = swp_tuples_at(tuples, tuples->count++);
	memset(*ret_tuple, 0, tuples->stride);
	return 0;
}

/* --- loading a leg --- */

/* Pairs that must differ: equal ones are no tuple; where one is not known, not assessed. False: drop it. */
static bool keep_different(const struct swp_chain_plan *plan, struct swp_tuple *tuple)
{
	for (size_t i = 0; i < plan->different_count; i++) {
		uint32_t a = tuple->cells[plan->different[i][0]], b = tuple->cells[plan->different[i][1]];

		if (a == SWP_TEXT_NONE || b == SWP_TEXT_NONE)
			continue;
		if (a >= SWP_TEXT_FIRST && a == b)
			return false;
		if ((a < SWP_TEXT_FIRST || b < SWP_TEXT_FIRST) && tuple->state == SWP_TUPLE_FAIL)
			tuple->state = SWP_TUPLE_NOT_ASSESSED;
	}
	return true;
}

static enum swp_tuple_state row_state(const struct swp_leg_source *source, const struct swp_row *row)
{
	if (source->kind == SWP_LEG_FINDING)
		return row->status == SWP_STATUS_FAIL		? SWP_TUPLE_FAIL
		       : row->status == SWP_STATUS_NOT_ASSESSED ? SWP_TUPLE_NOT_ASSESSED
								: SWP_TUPLE_PASS;
	if (row->status == SWP_ROW_UNKNOWN)
		return SWP_TUPLE_NOT_ASSESSED;
	if (source->kind == SWP_LEG_RELATION)
		return row->other != SWP_TEXT_NONE ? SWP_TUPLE_FAIL : SWP_TUPLE_PASS;
	return source->any_value || source->value == row->value ? SWP_TUPLE_FAIL : SWP_TUPLE_PASS;
}

static uint32_t row_column(
	const struct swp_leg_source *source, const struct swp_row *row, enum swp_column column)
{
	switch (column) {
	case SWP_COLUMN_ACCOUNT:
		return row->account;
	case SWP_COLUMN_REGION:
		return row->region;
	case SWP_COLUMN_SUBJECT:
		return row->subject;
	default:
		if (source->kind == SWP_LEG_RELATION && row->subject == SWP_TEXT_UNREAD)
			return SWP_TEXT_UNREAD;
		return row->status == SWP_ROW_UNKNOWN ? SWP_TEXT_UNKNOWN : row->other;
	}
}

/* False: two columns bound to one variable differ, or a column is empty. */
static bool bind_row(const struct swp_leg_source *source, const struct swp_row *row, uint32_t *variables)
{
	for (int i = 0; i < SWP_COLUMN_COUNT; i++) {
		unsigned char variable = source->variables[i];
		uint32_t value;

		if (variable == SWP_NO_VARIABLE)
			continue;
		value = row_column(source, row, (enum swp_column)i);
		if (value == SWP_TEXT_NONE ||
			(variables[variable] != SWP_TEXT_NONE && variables[variable] != value))
			return false;
		variables[variable] = value;
	}
	return true;
}

/* Rows come to a partition for any chain's key: each chain takes those of its own. */
static bool is_of_partition(const struct swp_joiner *joiner, const struct swp_tuple *tuple)
{
	uint32_t key;

	if (joiner->partition < 0 || joiner->plan->key == SWP_NO_VARIABLE)
		return true;
	key = tuple->cells[joiner->plan->key];
	return key < SWP_TEXT_FIRST ||
	       swp_join_partition(swp_text_pool_text(joiner->rows->pool, key)) == (unsigned)joiner->partition;
}

static int load_row(struct swp_joiner *joiner, const struct swp_leg *leg, const struct swp_leg_source *source,
	const struct swp_row *row, unsigned slot, struct swp_tuples *tuples)
{
	enum swp_tuple_state state = row_state(source, row);
	bool unread = row->subject == SWP_TEXT_UNREAD;
	struct swp_tuple *tuple;
	int r;

	if (unread && source->ignores_unread_list)
		return 0;
	if (state == SWP_TUPLE_PASS && source->kind != SWP_LEG_FACT &&
		!(joiner->unread && leg->needs_read_rows))
		return 0;
	r = swp_tuples_add(tuples, &tuple);
	if (r != 0)
		return r;
	tuple->state = (unsigned char)state;
	tuple->found = state == SWP_TUPLE_FAIL && source->kind != SWP_LEG_RELATION;
	tuple->account = unread ? row->account : SWP_TEXT_NONE;
	tuple->region = unread ? row->region : SWP_TEXT_NONE;
	swp_tuple_slots(tuples, tuple)[slot] = (uint32_t)(row - joiner->rows->rows) + 1;
	if (!bind_row(source, row, tuple->cells) || !keep_different(joiner->plan, tuple) ||
		!is_of_partition(joiner, tuple))
		tuples->count--;
	return 0;
}

int swp_join_load(struct swp_joiner *joiner, const struct swp_leg *leg, unsigned slot, unsigned slots,
	struct swp_tuples *ret_tuples)
{
	swp_tuples_init(ret_tuples, (unsigned)joiner->plan->variable_count, slots);
	for (size_t i = 0; i < leg->source_count; i++) {
		const struct swp_leg_source *source = &leg->sources[i];
		size_t count, number = source->kind == SWP_LEG_FINDING
					       ? source->check
					       : joiner->rows->check_count + source->fact;
		const struct swp_row *rows = swp_rows_of(joiner->rows, number, &count);

		for (size_t k = 0; source->selected && k < count; k++) {
			int r = load_row(joiner, leg, source, &rows[k], slot, ret_tuples);

			if (r != 0) {
				swp_tuples_done(ret_tuples);
				return r;
			}
		}
	}
	return 0;
}

/* --- joining --- */

void swp_tuple_index_done(struct swp_tuple_index *index)
{
	swp_free(index->heads);
	swp_free(index->next);
	swp_free(index->wild);
	*index = (struct swp_tuple_index){0};
}

static uint64_t hash_shared(const struct swp_tuple *tuple, uint32_t shared)
{
	uint64_t hash = 14695981039346656037u;

	for (unsigned i = 0; shared >> i; i++)
		if (shared & (1u << i))
			hash = (hash ^ tuple->cells[i]) * 1099511628211u;
	return hash ^ (hash >> 29);
}

static bool same_shared(const struct swp_tuple *a, const struct swp_tuple *b, uint32_t shared)
{
	for (unsigned i = 0; shared >> i; i++)
		if ((shared & (1u << i)) && a->cells[i] != b->cells[i])
			return false;
	return true;
}

/* The shared variables that hold the special value. */
static uint32_t shared_with(const struct swp_tuple *tuple, uint32_t shared, uint32_t special)
{
	uint32_t mask = 0;

	for (unsigned i = 0; shared >> i; i++)
		if ((shared & (1u << i)) && tuple->cells[i] == special)
			mask |= 1u << i;
	return mask;
}

struct wild_order {
	const struct swp_tuples *tuples;
	const struct swp_text_pool *pool;
};

static int compare_wild(const void *left, const void *right, void *context)
{
	const struct wild_order *order = context;
	const struct swp_tuple *a = swp_tuples_at(order->tuples, *(const uint32_t *)left);
	const struct swp_tuple *b = swp_tuples_at(order->tuples, *(const uint32_t *)right);
	int r = swp_text_pool_compare(order->pool, a->account, b->account);

	return r ? r : swp_text_pool_compare(order->pool, a->region, b->region);
}

static int index_allocate(struct swp_tuple_index *index, size_t count)
{
	index->slot_count = 16;
	while (index->slot_count < 2 * count)
		index->slot_count *= 2;
	index->heads = swp_calloc(index->slot_count, sizeof(*index->heads));
	index->next = swp_calloc(count + 1, sizeof(*index->next));
	index->wild = swp_calloc(count + 1, sizeof(*index->wild));
	return index->heads && index->next && index->wild ? 0 : -ENOMEM;
}

int swp_tuple_index_init(struct swp_tuple_index *index, const struct swp_text_pool *pool,
	const struct swp_tuples *tuples, uint32_t shared)
{
	struct wild_order order = {tuples, pool};

	if (index_allocate(index, tuples->count) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < tuples->count; i++) {
		const struct swp_tuple *tuple = swp_tuples_at(tuples, i);
		size_t at;

		index->possible |= tuple->state != SWP_TUPLE_PASS;
		if (shared_with(tuple, shared, SWP_TEXT_UNREAD)) {
			index->wild[index->wild_count++] = (uint32_t)i;
			continue;
		}
		if (shared_with(tuple, shared, SWP_TEXT_UNKNOWN) || shared_with(tuple, shared, SWP_TEXT_NONE))
			continue; /* the linter puts relations before the legs about their object */
		at = (size_t)hash_shared(tuple, shared) & (index->slot_count - 1);
		index->next[i] = index->heads[at];
		index->heads[at] = (uint32_t)i + 1;
	}
	qsort_r(index->wild, index->wild_count, sizeof(*index->wild), compare_wild, &order);
	return 0;
}

uint32_t swp_tuple_index_find(const struct swp_tuple_index *index, const struct swp_tuples *tuples,
	const struct swp_tuple *key, uint32_t shared, uint32_t at)
{
	at = at ? index->next[at - 1] : index->heads[hash_shared(key, shared) & (index->slot_count - 1)];
	while (at && !same_shared(swp_tuples_at(tuples, at - 1), key, shared))
		at = index->next[at - 1];
	return at;
}

struct join { /* one join on its way */
	struct swp_joiner *joiner;
	const struct swp_tuples *a, *b;
	uint32_t shared;
	const struct swp_leg *leg;
	struct swp_tuple_index in_a, in_b;
	bool wild; /* some list was not read: rows of `a` that passed go on, to speak against it later */
	struct swp_tuples *out;
};

/* What is known wins over what was not read. */
static uint32_t merged(uint32_t a, uint32_t b)
{
	return a == SWP_TEXT_NONE || (a == SWP_TEXT_UNREAD && b >= SWP_TEXT_FIRST) ? b : a;
}

static int emit(struct join *join, const struct swp_tuple *a, const struct swp_tuple *b)
{
	struct swp_tuple *out;
	int r = swp_tuples_add(join->out, &out);

	if (r != 0)
		return r;
	out->state = a->state < b->state ? a->state : b->state;
	out->found = a->found || b->found;
	out->account = a->account != SWP_TEXT_NONE ? a->account : b->account;
	out->region = a->account != SWP_TEXT_NONE ? a->region : b->region;
	for (unsigned i = 0; i < join->a->variables; i++)
		out->cells[i] = merged(a->cells[i], b->cells[i]);
	for (unsigned i = join->a->variables; i < join->a->variables + join->a->slots; i++)
		out->cells[i] = a->cells[i] ? a->cells[i] : b->cells[i];
	if (!keep_different(join->joiner->plan, out))
		join->out->count--;
	return 0;
}

/* `a` alone: nothing of `b` can be named. Its own variables are unknown then. */
static int emit_alone(struct join *join, const struct swp_tuple *a, enum swp_tuple_state state, bool found)
{
	struct swp_tuple *out;
	int r = swp_tuples_add(join->out, &out);

	if (r != 0)
		return r;
	memcpy(out, a, join->out->stride);
	out->state = state < a->state ? (unsigned char)state : a->state;
	out->found = a->found || found;
	for (unsigned i = 0; join->leg && join->leg->variables >> i; i++)
		if ((join->leg->variables & (1u << i)) && out->cells[i] == SWP_TEXT_NONE)
			out->cells[i] = SWP_TEXT_UNKNOWN;
	if (!keep_different(join->joiner->plan, out))
		join->out->count--;
	return 0;
}

/* Can `known` be in the list that was not read, behind `wild`? Their other shared variables must agree. */
static bool may_meet(const struct join *join, const struct swp_tuple *wild, const struct swp_tuple *known)
{
	const struct swp_text_pool *pool = join->joiner->rows->pool;
	uint32_t unread = shared_with(wild, join->shared, SWP_TEXT_UNREAD);

	if (!same_shared(wild, known, join->shared & ~unread))
		return false;
	for (unsigned i = 0; unread >> i; i++)
		if ((unread & (1u << i)) &&
			!swp_rows_may_hold(
				pool, swp_text_pool_text(pool, known->cells[i]), wild->account, wild->region))
			return false;
	return true;
}

/* Two lists of one account and region that were not read: a third leg may still name what could be in both. */
static bool both_unread(const struct join *join, const struct swp_tuple *a, const struct swp_tuple *b)
{
	uint32_t unread =
		shared_with(a, join->shared, SWP_TEXT_UNREAD) | shared_with(b, join->shared, SWP_TEXT_UNREAD);

	return a->account == b->account && a->region == b->region &&
	       same_shared(a, b, join->shared & ~unread);
}

static int charge(struct join *join, size_t work)
{
	join->joiner->work += work;
	return join->joiner->work > SWP_LIMIT_CHAIN_WORK ? SWP_JOIN_LIMIT : 0;
}

/* A tuple of `a` with an unread list: everything of `b` that could be in it and of which `a` holds no row. */
static int join_wild(struct join *join, const struct swp_tuple *a)
{
	int r = charge(join, join->b->count);

	for (size_t i = 0; r == 0 && i < join->b->count; i++) {
		const struct swp_tuple *b = swp_tuples_at(join->b, i);

		if (b->state == SWP_TUPLE_PASS || shared_with(b, join->shared, SWP_TEXT_UNKNOWN))
			continue;
		if (shared_with(b, join->shared, SWP_TEXT_UNREAD))
			r = both_unread(join, a, b) ? emit(join, a, b) : 0;
		else if (may_meet(join, a, b) &&
			 !swp_tuple_index_find(&join->in_a, join->a, b, join->shared, 0))
			r = emit(join, a, b);
	}
	return r;
}

/* What a leg says of a thing that does not exist. */
static enum swp_missing leg_missing(const struct swp_leg *leg, size_t *ret_fact)
{
	enum swp_missing missing = SWP_MISSING_PASS;

	for (size_t i = 0; leg && i < leg->source_count; i++) {
		const struct swp_leg_source *source = &leg->sources[i];

		if (source->kind == SWP_LEG_FACT && source->missing != SWP_MISSING_PASS &&
			missing != SWP_MISSING_FAIL) {
			missing = source->missing;
			*ret_fact = source->fact;
		}
	}
	return missing;
}

/* No row of `b` agrees, read or not. */
static int join_missing(struct join *join, const struct swp_tuple *a)
{
	const struct swp_row *unread;
	size_t fact = 0;
	enum swp_missing missing = leg_missing(join->leg, &fact);
	uint32_t subject = SWP_TEXT_NONE;

	if (missing == SWP_MISSING_PASS)
		return 0;
	for (size_t i = 0; i < join->leg->source_count; i++)
		if (join->leg->sources[i].kind == SWP_LEG_FACT && join->leg->sources[i].fact == fact &&
			join->leg->sources[i].variables[SWP_COLUMN_SUBJECT] != SWP_NO_VARIABLE)
			subject = a->cells[join->leg->sources[i].variables[SWP_COLUMN_SUBJECT]];
	if (missing == SWP_MISSING_FAIL && swp_rows_wholly_read(join->joiner->rows,
						   &join->joiner->rows->plans->names[fact], subject, &unread))
		return emit_alone(join, a, SWP_TUPLE_FAIL, true);
	return emit_alone(join, a, SWP_TUPLE_NOT_ASSESSED, false);
}

static int join_known(struct join *join, const struct swp_tuple *a)
{
	uint32_t at = swp_tuple_index_find(&join->in_b, join->b, a, join->shared, 0);
	int r = 0;

	if (at) {
		for (; r == 0 && at; at = swp_tuple_index_find(&join->in_b, join->b, a, join->shared, at))
			if (swp_tuples_at(join->b, at - 1)->state != SWP_TUPLE_PASS)
				r = emit(join, a, swp_tuples_at(join->b, at - 1));
		return r;
	}
	for (size_t i = 0; i < join->in_b.wild_count; i++) {
		const struct swp_tuple *wild = swp_tuples_at(join->b, join->in_b.wild[i]);

		r = charge(join, 1);
		if (r != 0)
			return r;
		if (may_meet(join, wild, a))
			return emit(join, a, wild);
	}
	return join_missing(join, a);
}

static int join_tuple(struct join *join, const struct swp_tuple *a)
{
	size_t fact;

	if (a->state == SWP_TUPLE_PASS)
		return join->wild ? emit_alone(join, a, SWP_TUPLE_PASS, false) : 0;
	if (shared_with(a, join->shared, SWP_TEXT_UNKNOWN)) {
		bool possible = join->in_b.possible || leg_missing(join->leg, &fact) != SWP_MISSING_PASS;

		return possible ? emit_alone(join, a, SWP_TUPLE_NOT_ASSESSED, false) : 0;
	}
	if (shared_with(a, join->shared, SWP_TEXT_UNREAD))
		return join_wild(join, a);
	return join_known(join, a);
}

int swp_join(struct swp_joiner *joiner, const struct swp_tuples *a, const struct swp_tuples *b,
	uint32_t shared, const struct swp_leg *leg, struct swp_tuples *ret_tuples)
{
	struct join join = {.joiner = joiner,
		.a = a,
		.b = b,
		.shared = shared,
		.leg = leg,
		.wild = joiner->unread,
		.out = ret_tuples};
	int r;

	swp_tuples_init(ret_tuples, a->variables, a->slots);
	r = swp_tuple_index_init(&join.in_a, joiner->rows->pool, a, shared);
	if (r == 0)
		r = swp_tuple_index_init(&join.in_b, joiner->rows->pool, b, shared);
	for (size_t i = 0; r == 0 && i < a->count; i++)
		r = join_tuple(&join, swp_tuples_at(a, i));
	swp_tuple_index_done(&join.in_a);
	swp_tuple_index_done(&join.in_b);
	if (r != 0)
		swp_tuples_done(ret_tuples);
	return r;
}
