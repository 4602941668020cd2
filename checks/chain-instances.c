/* A chain is evaluated component by component (legs that share a variable beyond the instance's), so that legs which only share the
 * instance's variables are never multiplied: their tuples are grouped by these, and groups are joined.
 */
#include "checks/chain-instances.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checks/chain-fix.h"
#include "proto/base/alloc.h"
#include "proto/base/region.h"
#include "proto/base/text.h"

struct group { /* tuples of a component that agree on the instance's variables */
	size_t first, count;
};
struct component {
	struct swp_tuples tuples;  /* sorted by the instance's variables */
	struct group *groups;	   /* owned */
	struct swp_tuples grouped; /* one tuple for each group */
	uint32_t variables;
	size_t spare; /* at_least − 1 of a leg alone */
};
struct path_result {
	struct component components[SWP_LIMIT_CHAIN_LEGS];
	size_t component_count;
	struct swp_tuples joined; /* slots: groups */
	uint32_t variables;
};
struct entry { /* one way in which an instance came about */
	const struct path_result *path;
	const struct swp_tuple *tuple;
};
struct amplifier {
	struct swp_tuples tuples;
	struct swp_tuple_index index;
	uint32_t shared; /* variables that legs bind too */
};
struct evaluation {
	const struct swp_chain_run *run;
	const struct swp_chain_plan *plan;
	struct path_result *paths; /* owned, path_count */
	size_t path_count;
	struct amplifier amplifiers[SWP_LIMIT_CHAIN_LEGS];
	struct swp_tuples key; /* one tuple: what amplifiers are looked up by */
	struct entry *entries; /* owned; by instance */
	size_t entry_count;
	struct swp_region *region;	      /* owns what the instances hold */
	struct swp_chain_instance *instances; /* owned */
	size_t instance_count;
};

unsigned char swp_chain_effort(const struct swp_check *check)
{
	static const char *const words[] = {"low", "medium", "high"};
	const char *effort =
		json_string_value(json_object_get(json_object_get(check->document, "remediation"), "effort"));

	for (unsigned char i = 0; i < SWP_ARRAY_SIZE(words); i++)
		if (swp_text_equal(effort, words[i]))
			return (unsigned char)(i + 1);
	return 2;
}

/* --- components and groups --- */

static const struct swp_row *row_at(const struct evaluation *evaluation, uint32_t slot)
{
	return slot ? &evaluation->run->rows->rows[slot - 1] : NULL;
}

struct group_order {
	const struct evaluation *evaluation;
	uint32_t mask;
	unsigned variables, slots;
};

/* By the instance's variables, then state, then the subject of the first row (to count different ones). */
static int compare_grouped(const void *left, const void *right, void *context)
{
	const struct group_order *order = context;
	const struct swp_tuple *a = left, *b = right;

	for (unsigned i = 0; order->mask >> i; i++)
		if ((order->mask & (1u << i)) && a->cells[i] != b->cells[i])
			return a->cells[i] < b->cells[i] ? -1 : 1;
	if (a->state != b->state)
		return a->state < b->state ? -1 : 1;
	for (unsigned i = order->variables; i < order->variables + order->slots; i++) {
		const struct swp_row *row_a = row_at(order->evaluation, a->cells[i]);
		const struct swp_row *row_b = row_at(order->evaluation, b->cells[i]);

		if (row_a && row_b && row_a->subject != row_b->subject)
			return row_a->subject < row_b->subject ? -1 : 1;
	}
	return 0;
}

static bool same_group(const struct swp_tuple *a, const struct swp_tuple *b, uint32_t mask)
{
	for (unsigned i = 0; mask >> i; i++)
		if ((mask & (1u << i)) && a->cells[i] != b->cells[i])
			return false;
	return true;
}

static uint32_t first_subject(
	const struct evaluation *evaluation, const struct swp_tuples *tuples, struct swp_tuple *tuple)
{
	for (unsigned i = 0; i < tuples->slots; i++) {
		const struct swp_row *row = row_at(evaluation, swp_tuple_slots(tuples, tuple)[i]);

		if (row)
			return row->subject;
	}
	return SWP_TEXT_NONE;
}

struct tally {
	size_t failed, unread; /* different subjects, and rows */
	bool open;	       /* a list was not read: any number more */
	bool found, found_unread;
};

static struct tally tally_group(
	const struct evaluation *evaluation, const struct swp_tuples *tuples, const struct group *group)
{
	struct tally tally = {0};
	uint32_t last = SWP_TEXT_NONE;

	for (size_t i = group->first; i < group->first + group->count; i++) {
		struct swp_tuple *tuple = swp_tuples_at(tuples, i);
		uint32_t subject = first_subject(evaluation, tuples, tuple);

		if (tuple->state == SWP_TUPLE_FAIL) {
			tally.failed += tally.failed == 0 || subject != last;
			last = subject;
			tally.found |= tuple->found;
		} else if (tuple->state == SWP_TUPLE_NOT_ASSESSED) {
			tally.unread++;
			tally.open |= subject == SWP_TEXT_UNREAD;
			tally.found_unread |= tuple->found;
		}
	}
	return tally;
}

static int add_group(const struct evaluation *evaluation, struct component *component,
	const struct group *group, unsigned slot)
{
	struct tally tally = tally_group(evaluation, &component->tuples, group);
	const struct swp_tuple *first = swp_tuples_at(&component->tuples, group->first);
	uint32_t mask = evaluation->plan->instance & component->variables;
	struct swp_tuple *tuple;
	int r;

	component->groups[component->grouped.count] = *group;
	r = swp_tuples_add(&component->grouped, &tuple);
	if (r != 0)
		return r;
	if (tally.failed > component->spare)
		tuple->state = SWP_TUPLE_FAIL;
	else if (tally.open || tally.failed + tally.unread > component->spare)
		tuple->state = SWP_TUPLE_NOT_ASSESSED;
	tuple->found = tally.found || (tuple->state == SWP_TUPLE_NOT_ASSESSED && tally.found_unread);
	tuple->account = first->account;
	tuple->region = first->region;
	for (unsigned i = 0; mask >> i; i++)
		if (mask & (1u << i))
			tuple->cells[i] = first->cells[i];
	swp_tuple_slots(&component->grouped, tuple)[slot] = (uint32_t)component->grouped.count;
	return 0;
}

static int group_component(
	const struct evaluation *evaluation, struct component *component, unsigned slot, unsigned slots)
{
	struct swp_tuples *tuples = &component->tuples;
	uint32_t mask = evaluation->plan->instance & component->variables;
	struct group_order order = {evaluation, mask, tuples->variables, tuples->slots};
	int r = 0;

	swp_tuples_init(&component->grouped, (unsigned)evaluation->plan->variable_count, slots);
	component->groups = swp_calloc(tuples->count + 1, sizeof(*component->groups));
	if (!component->groups)
		return -ENOMEM;
	if (tuples->count)
		qsort_r(tuples->bytes, tuples->count, tuples->stride, compare_grouped, &order);
	for (size_t i = 0, first = 0; r == 0 && i < tuples->count; i++) {
		const struct swp_tuple *tuple = swp_tuples_at(tuples, i);
		struct group group;

		if (i + 1 < tuples->count && same_group(tuple, swp_tuples_at(tuples, i + 1), mask))
			continue;
		group = (struct group){.first = first, .count = i + 1 - first};
		r = add_group(evaluation, component, &group, slot);
		first = i + 1;
	}
	return r;
}

/* Joins the legs of one component, in order. */
static int join_component(
	struct swp_joiner *joiner, const struct swp_path *path, unsigned number, struct component *component)
{
	bool first = true;

	for (size_t i = 0; i < path->leg_count; i++) {
		const struct swp_leg *leg = &path->legs[i];
		struct swp_tuples loaded, joined;
		int r;

		if (leg->component != number)
			continue;
		r = swp_join_load(joiner, leg, (unsigned)i, (unsigned)path->leg_count, &loaded);
		if (r != 0)
			return r;
		component->spare = leg->at_least - 1;
		if (first) {
			component->tuples = loaded;
		} else {
			r = swp_join(joiner, &component->tuples, &loaded,
				component->variables & leg->variables, leg, &joined);
			swp_tuples_done(&loaded);
			if (r != 0)
				return r;
			swp_tuples_done(&component->tuples);
			component->tuples = joined;
		}
		component->variables |= leg->variables;
		first = false;
	}
	return 0;
}

/* Joins the groups of the components, in order. */
static int join_groups(struct swp_joiner *joiner, struct path_result *result)
{
	uint32_t instance = joiner->plan->instance;
	struct swp_tuples joined;

	if (swp_tuples_copy(&result->components[0].grouped, &result->joined) < 0)
		return -ENOMEM;
	result->variables = result->components[0].variables;
	for (size_t i = 1; i < result->component_count; i++) {
		struct component *component = &result->components[i];
		int r = swp_join(joiner, &result->joined, &component->grouped,
			result->variables & component->variables & instance, NULL, &joined);

		if (r != 0)
			return r;
		swp_tuples_done(&result->joined);
		result->joined = joined;
		result->variables |= component->variables;
	}
	return 0;
}

/* Was some list that the path reads not read? */
static bool path_unread(const struct swp_rows *rows, const struct swp_path *path)
{
	for (size_t i = 0; i < path->leg_count; i++) {
		for (size_t k = 0; k < path->legs[i].source_count; k++) {
			const struct swp_leg_source *source = &path->legs[i].sources[k];
			size_t count, number = source->kind == SWP_LEG_FINDING
						       ? source->check
						       : rows->check_count + source->fact;
			const struct swp_row *row = swp_rows_of(rows, number, &count);

			for (size_t n = 0; n < count; n++)
				if (row[n].subject == SWP_TEXT_UNREAD)
					return true;
		}
	}
	return false;
}

static int evaluate_path(
	struct evaluation *evaluation, const struct swp_path *path, struct path_result *result)
{
	struct swp_joiner joiner = {.rows = evaluation->run->rows,
		.plan = evaluation->plan,
		.partition = evaluation->run->partition,
		.unread = path_unread(evaluation->run->rows, path)};

	result->component_count = path->component_count;
	for (size_t i = 0; i < path->component_count; i++) {
		int r = join_component(&joiner, path, (unsigned)i, &result->components[i]);

		if (r == 0)
			r = group_component(evaluation, &result->components[i], (unsigned)i,
				(unsigned)path->component_count);
		if (r != 0)
			return r;
	}
	return join_groups(&joiner, result);
}

/* --- which instances there are --- */

/* By the instance's variables, then path, then the place of the list that was not read (the first one is taken). */
static int compare_entries(const void *left, const void *right, void *context)
{
	const struct entry *a = left, *b = right;
	const struct evaluation *evaluation = context;
	const struct swp_text_pool *pool = evaluation->run->rows->pool;
	uint32_t instance = evaluation->plan->instance;
	int r;

	for (unsigned i = 0; instance >> i; i++)
		if ((instance & (1u << i)) && a->tuple->cells[i] != b->tuple->cells[i])
			return a->tuple->cells[i] < b->tuple->cells[i] ? -1 : 1;
	if (a->path != b->path)
		return a->path < b->path ? -1 : 1;
	if (a->tuple->state != b->tuple->state)
		return a->tuple->state > b->tuple->state ? -1 : 1;
	r = swp_text_pool_compare(pool, a->tuple->account, b->tuple->account);
	return r ? r : swp_text_pool_compare(pool, a->tuple->region, b->tuple->region);
}

/* An instance is a concrete tuple: what may be in a list that was not read is none. */
static bool is_instance(const struct swp_chain_plan *plan, const struct swp_tuple *tuple)
{
	for (unsigned i = 0; plan->instance >> i; i++)
		if ((plan->instance & (1u << i)) &&
			(tuple->cells[i] == SWP_TEXT_UNREAD || tuple->cells[i] == SWP_TEXT_NONE))
			return false;
	return tuple->state == SWP_TUPLE_FAIL || (tuple->state == SWP_TUPLE_NOT_ASSESSED && tuple->found);
}

static int collect_entries(struct evaluation *evaluation)
{
	size_t total = 0;

	for (size_t i = 0; i < evaluation->path_count; i++)
		total += evaluation->paths[i].joined.count;
	evaluation->entries = swp_calloc(total + 1, sizeof(*evaluation->entries));
	if (!evaluation->entries)
		return -ENOMEM;
	for (size_t i = 0; i < evaluation->path_count; i++) {
		const struct path_result *path = &evaluation->paths[i];

		for (size_t k = 0; k < path->joined.count; k++) {
			const struct swp_tuple *tuple = swp_tuples_at(&path->joined, k);

			if (is_instance(evaluation->plan, tuple))
				evaluation->entries[evaluation->entry_count++] = (struct entry){path, tuple};
		}
	}
	if (evaluation->entry_count)
		qsort_r(evaluation->entries, evaluation->entry_count, sizeof(*evaluation->entries),
			compare_entries, evaluation);
	return 0;
}

/* --- what an instance holds --- */

struct ids {		 /* a growing list of texts or rows */
	uint32_t *items; /* owned */
	size_t count, capacity;
};

static int ids_add(struct ids *ids, uint32_t item)
{
	if (ids->count == ids->capacity) {
		size_t capacity = ids->capacity ? ids->capacity * 2 : 16;
		uint32_t *items = swp_realloc(ids->items, capacity * sizeof(*items));

		if (!items)
			return -ENOMEM;
		ids->items = items;
		ids->capacity = capacity;
	}
	ids->items[ids->count++] = item;
	return 0;
}

struct content { /* reused from instance to instance */
	struct ids regions, unread_regions, resources;
	struct ids rows;						/* of required legs and amplifiers */
	struct ids cells[SWP_LIMIT_CHAIN_PATHS * SWP_LIMIT_CHAIN_LEGS]; /* for the fixes, by part */
	struct swp_fix_part parts[SWP_LIMIT_CHAIN_PATHS * SWP_LIMIT_CHAIN_LEGS];
	struct swp_fix_path paths[SWP_LIMIT_CHAIN_PATHS];
};

static void content_clear(struct content *content)
{
	content->regions.count = content->unread_regions.count = content->resources.count =
		content->rows.count = 0;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(content->cells); i++)
		content->cells[i].count = 0;
}

static void content_done(struct content *content)
{
	swp_free(content->regions.items);
	swp_free(content->unread_regions.items);
	swp_free(content->resources.items);
	swp_free(content->rows.items);
	for (size_t i = 0; i < SWP_ARRAY_SIZE(content->cells); i++)
		swp_free(content->cells[i].items);
}

static int add_values(struct ids *ids, const struct swp_tuple *tuple, uint32_t mask)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && mask >> i; i++)
		if ((mask & (1u << i)) && tuple->cells[i] >= SWP_TEXT_FIRST)
			r = ids_add(ids, tuple->cells[i]);
	return r;
}

/* Findings of the tuple's slots. */
static int add_rows(const struct evaluation *evaluation, struct content *content,
	const struct swp_tuples *tuples, struct swp_tuple *tuple)
{
	const struct swp_rows *rows = evaluation->run->rows;
	int r = 0;

	for (unsigned i = 0; r == 0 && i < tuples->slots; i++) {
		uint32_t slot = swp_tuple_slots(tuples, tuple)[i];

		if (slot && rows->rows[slot - 1].source < rows->check_count)
			r = ids_add(&content->rows, slot - 1);
	}
	return r;
}

/* FAIL rows of amplifiers that agree with the instance (`whole`) and, where they share more, with a tuple of a component. */
static int add_amplifiers(struct evaluation *evaluation, struct content *content, const struct entry *entry,
	const struct swp_tuples *tuples, struct swp_tuple *tuple, uint32_t known)
{
	const struct swp_chain_plan *plan = evaluation->plan;
	struct swp_tuple *key = swp_tuples_at(&evaluation->key, 0);

	for (size_t i = 0; i < plan->variable_count; i++) {
		uint32_t whole = entry->tuple->cells[i], own = tuple ? tuple->cells[i] : SWP_TEXT_NONE;

		key->cells[i] = own >= SWP_TEXT_FIRST ? own : whole;
	}
	for (size_t i = 0; i < plan->amplifier_count; i++) {
		struct amplifier *amplifier = &evaluation->amplifiers[i];
		bool here = (amplifier->shared & ~known) == 0;
		bool whole = (amplifier->shared & ~plan->instance) == 0;

		if (!here || whole != (tuples == NULL))
			continue;
		for (uint32_t at = swp_tuple_index_find(
			     &amplifier->index, &amplifier->tuples, key, amplifier->shared, 0);
			at; at = swp_tuple_index_find(
				    &amplifier->index, &amplifier->tuples, key, amplifier->shared, at)) {
			struct swp_tuple *found = swp_tuples_at(&amplifier->tuples, at - 1);
			int r = found->state == SWP_TUPLE_FAIL
					? add_rows(evaluation, content, &amplifier->tuples, found)
					: 0;

			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* One line of a part's matrix: the tuple's findings that can be fixed. */
static int add_fix_cells(const struct evaluation *evaluation, const struct swp_tuples *tuples,
	struct swp_tuple *tuple, uint32_t legs, struct ids *cells)
{
	const struct swp_rows *rows = evaluation->run->rows;
	int r = 0;

	for (unsigned i = 0; r == 0 && i < tuples->slots; i++) {
		uint32_t slot = swp_tuple_slots(tuples, tuple)[i];
		bool fixable = slot && rows->rows[slot - 1].source < rows->check_count &&
			       rows->rows[slot - 1].status == SWP_STATUS_FAIL;

		if (legs & (1u << i))
			r = ids_add(cells, fixable ? slot : 0);
	}
	return r;
}

static int add_tuple(struct evaluation *evaluation, struct content *content, const struct entry *entry,
	const struct component *component, struct swp_tuple *tuple)
{
	const struct swp_chain_plan *plan = evaluation->plan;
	int r = add_rows(evaluation, content, &component->tuples, tuple);

	if (r == 0)
		r = add_values(&content->regions, tuple, plan->regions);
	if (r == 0)
		r = add_values(&content->resources, tuple, plan->resources);
	if (r == 0 && plan->amplifier_count)
		r = add_amplifiers(evaluation, content, entry, &component->tuples, tuple,
			plan->instance | component->variables);
	return r;
}

static uint32_t component_legs(const struct swp_path *path, unsigned number)
{
	uint32_t legs = 0;

	for (size_t i = 0; i < path->leg_count; i++)
		if (path->legs[i].component == number)
			legs |= 1u << i;
	return legs;
}

/* A component's part in an instance: tuples of the state that its group has. */
static int add_component(struct evaluation *evaluation, struct content *content, const struct entry *entry,
	size_t number, struct swp_fix_part *part, struct ids *cells)
{
	const struct component *component = &entry->path->components[number];
	uint32_t slot =
		swp_tuple_slots(&entry->path->joined, (struct swp_tuple *)(void *)entry->tuple)[number];
	const struct swp_path *path = &evaluation->plan->paths[entry->path - evaluation->paths];
	uint32_t legs = component_legs(path, (unsigned)number);
	const struct group *group;
	unsigned char state = 0;
	int r = 0;

	*part = (struct swp_fix_part){.width = (size_t)__builtin_popcount(legs), .spare = component->spare};
	if (!slot)
		return 0;
	group = &component->groups[slot - 1];
	state = swp_tuples_at(&component->grouped, slot - 1)->state;
	for (size_t i = group->first; r == 0 && i < group->first + group->count; i++) {
		struct swp_tuple *tuple = swp_tuples_at(&component->tuples, i);

		if (tuple->state >=
			state) { /* of a leg that is counted, what fails belongs to what is unverified */
			r = add_tuple(evaluation, content, entry, component, tuple);
			if (r == 0)
				r = add_fix_cells(evaluation, &component->tuples, tuple, legs, cells);
			part->tuple_count++;
		} else if (tuple->state == SWP_TUPLE_NOT_ASSESSED) {
			r = add_values(
				&content->unread_regions, tuple, evaluation->plan->regions_not_assessed);
		}
	}
	return r;
}

/* --- an instance, as it is given out --- */

static int compare_texts(const void *a, const void *b, void *pool)
{
	return swp_text_pool_compare(pool, *(const uint32_t *)a, *(const uint32_t *)b);
}

/* Sorted texts without doubles and without those in `but` (sorted; may be NULL). */
static int settle_texts(struct evaluation *evaluation, struct ids *ids, const struct ids *but,
	const char *const **ret_texts, size_t *ret_count)
{
	const struct swp_text_pool *pool = evaluation->run->rows->pool;
	const char **texts = swp_region_alloc(evaluation->region, (ids->count + 1) * sizeof(*texts));
	size_t kept = 0, barred = 0;

	if (!texts)
		return -ENOMEM;
	if (ids->count)
		qsort_r(ids->items, ids->count, sizeof(*ids->items), compare_texts, (void *)pool);
	for (size_t i = 0; i < ids->count; i++) {
		uint32_t id = ids->items[i];

		while (but && barred < but->count && swp_text_pool_compare(pool, but->items[barred], id) < 0)
			barred++;
		if ((but && barred < but->count && but->items[barred] == id) ||
			(kept > 0 && ids->items[kept - 1] == id))
			continue;
		ids->items[kept] = id;
		texts[kept++] = swp_text_pool_text(pool, id);
	}
	ids->count = kept;
	*ret_texts = texts;
	*ret_count = kept;
	return 0;
}

static const char *check_id(const struct evaluation *evaluation, const struct swp_row *row)
{
	return swp_catalogue_check(evaluation->run->catalogue, row->source)->id;
}

/* By check id, then resource: the order of fixes. */
static int compare_fixes(const void *context, uint32_t left, uint32_t right)
{
	const struct evaluation *evaluation = context;
	const struct swp_row *a = &evaluation->run->rows->rows[left],
			     *b = &evaluation->run->rows->rows[right];
	int r = strcmp(check_id(evaluation, a), check_id(evaluation, b));

	return r ? r : swp_text_pool_compare(evaluation->run->rows->pool, a->subject, b->subject);
}

static unsigned fix_effort(const void *context, uint32_t finding)
{
	const struct evaluation *evaluation = context;

	return evaluation->run->efforts[evaluation->run->rows->rows[finding].source];
}

/* By account, region, check id, resource (a list that was not read first). */
static int compare_findings(const void *left, const void *right, void *context)
{
	const struct evaluation *evaluation = context;
	const struct swp_text_pool *pool = evaluation->run->rows->pool;
	const struct swp_row *a = &evaluation->run->rows->rows[*(const uint32_t *)left];
	const struct swp_row *b = &evaluation->run->rows->rows[*(const uint32_t *)right];
	int r = swp_text_pool_compare(pool, a->account, b->account);

	if (r == 0)
		r = swp_text_pool_compare(pool, a->region, b->region);
	if (r == 0)
		r = strcmp(check_id(evaluation, a), check_id(evaluation, b));
	return r ? r : swp_text_pool_compare(pool, a->subject, b->subject);
}

static int settle_findings(
	struct evaluation *evaluation, struct ids *rows, struct swp_chain_instance *instance)
{
	const struct swp_text_pool *pool = evaluation->run->rows->pool;
	struct swp_chain_finding *findings =
		swp_region_alloc(evaluation->region, (rows->count + 1) * sizeof(*findings));
	size_t kept = 0;

	if (!findings)
		return -ENOMEM;
	if (rows->count)
		qsort_r(rows->items, rows->count, sizeof(*rows->items), compare_findings, evaluation);
	for (size_t i = 0; i < rows->count; i++) {
		const struct swp_row *row = &evaluation->run->rows->rows[rows->items[i]];

		if (i > 0 && compare_findings(&rows->items[i], &rows->items[i - 1], evaluation) == 0)
			continue;
		findings[kept++] = (struct swp_chain_finding){.check = row->source,
			.account = swp_text_pool_text(pool, row->account),
			.region = swp_text_pool_text(pool, row->region),
			.resource = swp_text_pool_text(pool, row->subject),
			.status = (enum swp_status)row->status};
	}
	instance->findings = findings;
	instance->finding_count = kept;
	return 0;
}

static int settle_fix(struct evaluation *evaluation, struct content *content, size_t path_count,
	struct swp_chain_instance *instance)
{
	const struct swp_fix_order order = {compare_fixes, fix_effort, evaluation};
	struct swp_fix_set set = {0};
	struct swp_chain_fix *fixes;
	int r = swp_fix_smallest(content->paths, path_count, &order, &set);

	if (r < 0)
		return r;
	fixes = swp_region_alloc(evaluation->region, (set.count + 1) * sizeof(*fixes));
	for (size_t i = 0; fixes && i < set.count; i++) {
		const struct swp_row *row = &evaluation->run->rows->rows[set.findings[i]];

		fixes[i] = (struct swp_chain_fix){.check = row->source,
			.resource = swp_text_pool_text(evaluation->run->rows->pool, row->subject)};
	}
	instance->fix = fixes;
	instance->fix_count = set.count;
	swp_fix_set_done(&set);
	return fixes ? 0 : -ENOMEM;
}

/* Appends `length` bytes of a template's {name}. */
static void append_variable(const struct evaluation *evaluation, const struct swp_tuple *tuple,
	const char *account, const char *name, size_t length, struct swp_buf *text)
{
	const struct swp_chain_plan *plan = evaluation->plan;

	for (size_t i = 0; i < plan->variable_count; i++) {
		const char *value = swp_text_pool_text(evaluation->run->rows->pool, tuple->cells[i]);

		if (strlen(plan->variables[i]) == length && memcmp(plan->variables[i], name, length) == 0) {
			swp_buf_append_text(text, value ? value : "(not read)");
			return;
		}
	}
	if (length == strlen("account") && memcmp(name, "account", length) == 0)
		swp_buf_append_text(text, account);
}

static void fill_template(const struct evaluation *evaluation, const struct swp_tuple *tuple,
	const char *account, const char *template, struct swp_buf *text)
{
	const char *open, *close;

	for (; (open = strchr(template, '{')) && (close = strchr(open, '}')); template = close + 1) {
		swp_buf_append(text, template, (size_t)(open - template));
		append_variable(evaluation, tuple, account, open + 1, (size_t)(close - open - 1), text);
	}
	swp_buf_append_text(text, template);
}

static int settle_narrative(
	struct evaluation *evaluation, const struct swp_tuple *tuple, struct swp_chain_instance *instance)
{
	const struct swp_chain_plan *plan = evaluation->plan;
	SWP_CLEANUP(swp_buf_done) struct swp_buf text = {0};

	fill_template(evaluation, tuple, instance->account,
		instance->confirmed || !plan->unverified ? plan->confirmed : plan->unverified, &text);
	swp_buf_append_text(&text, " Not shown: ");
	fill_template(evaluation, tuple, instance->account, plan->not_shown, &text);
	if (text.failed)
		return -ENOMEM;
	instance->narrative = swp_region_strdup(evaluation->region, swp_buf_text(&text));
	return instance->narrative ? 0 : -ENOMEM;
}

static int settle_lists(
	struct evaluation *evaluation, struct content *content, struct swp_chain_instance *instance)
{
	int r = settle_texts(
		evaluation, &content->regions, NULL, &instance->regions, &instance->region_count);

	if (r == 0)
		r = settle_texts(evaluation, &content->unread_regions, &content->regions,
			&instance->regions_not_assessed, &instance->region_not_assessed_count);
	if (r == 0)
		r = settle_texts(evaluation, &content->resources, NULL, &instance->resources,
			&instance->resource_count);
	if (r == 0)
		r = settle_findings(evaluation, &content->rows, instance);
	return r;
}

/* One entry of an instance: a path that holds. */
static int add_entry(
	struct evaluation *evaluation, struct content *content, const struct entry *entry, size_t number)
{
	const struct swp_chain_plan *plan = evaluation->plan;
	size_t first = number * SWP_LIMIT_CHAIN_LEGS;
	int r = add_values(&content->regions, entry->tuple, plan->regions);

	if (r == 0)
		r = add_values(&content->resources, entry->tuple, plan->resources);
	if (r == 0 && plan->amplifier_count)
		r = add_amplifiers(
			evaluation, content, entry, NULL, NULL, plan->instance | entry->path->variables);
	for (size_t i = 0; r == 0 && i < entry->path->component_count; i++)
		r = add_component(evaluation, content, entry, i, &content->parts[first + i],
			&content->cells[first + i]);
	for (size_t i = 0; r == 0 && i < entry->path->component_count; i++)
		content->parts[first + i].cells = content->cells[first + i].items;
	content->paths[number] = (struct swp_fix_path){&content->parts[first], entry->path->component_count};
	return r;
}

/* An instance of the entries [first, last), which agree on the instance's variables. */
static int build_instance(struct evaluation *evaluation, struct content *content, size_t first, size_t last)
{
	const struct swp_chain_plan *plan = evaluation->plan;
	struct swp_chain_instance *instance = &evaluation->instances[evaluation->instance_count];
	const struct swp_tuple *tuple = evaluation->entries[first].tuple;
	size_t path_count = 0;
	int r = 0;

	*instance = (struct swp_chain_instance){
		.chain = plan->chain, .basis = plan->basis, .account = evaluation->run->account};
	for (size_t i = first; i < last; i++)
		instance->confirmed |= evaluation->entries[i].tuple->state == SWP_TUPLE_FAIL;
	if (plan->account != SWP_NO_VARIABLE)
		instance->account =
			swp_text_pool_text(evaluation->run->rows->pool, tuple->cells[plan->account]);
	if (!instance->account)
		instance->account = "";
	content_clear(content);
	for (size_t i = first; r == 0 && i < last; i++) {
		const struct entry *entry = &evaluation->entries[i];

		if (i > first && entry->path == entry[-1].path)
			continue;
		if ((entry->tuple->state == SWP_TUPLE_FAIL) == instance->confirmed)
			r = add_entry(evaluation, content, entry, path_count++);
	}
	if (r == 0)
		r = settle_lists(evaluation, content, instance);
	if (r == 0)
		r = settle_fix(evaluation, content, path_count, instance);
	if (r == 0)
		r = settle_narrative(evaluation, tuple, instance);
	evaluation->instance_count++;
	return r;
}

static int build_instances(struct evaluation *evaluation)
{
	struct content *content;
	int r = 0;

	evaluation->instances = swp_calloc(evaluation->entry_count + 1, sizeof(*evaluation->instances));
	content = swp_calloc(1, sizeof(*content));
	if (!evaluation->instances || !content) {
		swp_free(content);
		return -ENOMEM;
	}
	for (size_t i = 0, first = 0; r == 0 && i < evaluation->entry_count; i++) {
		if (i + 1 < evaluation->entry_count &&
			same_group(evaluation->entries[i].tuple, evaluation->entries[i + 1].tuple,
				evaluation->plan->instance))
			continue;
		r = build_instance(evaluation, content, first, i + 1);
		first = i + 1;
	}
	content_done(content);
	swp_free(content);
	return r;
}

static int compare_lists(const char *const *a, size_t a_count, const char *const *b, size_t b_count)
{
	for (size_t i = 0; i < a_count && i < b_count; i++) {
		int r = strcmp(a[i], b[i]);

		if (r != 0)
			return r;
	}
	return a_count == b_count ? 0 : a_count < b_count ? -1 : 1;
}

/* By account, regions, resources; the narrative names the instance's variables, and so settles what is left. */
static int compare_instances(const void *left, const void *right)
{
	const struct swp_chain_instance *a = left, *b = right;
	int r = strcmp(a->account, b->account);

	if (r == 0)
		r = compare_lists(a->regions, a->region_count, b->regions, b->region_count);
	if (r == 0)
		r = compare_lists(a->resources, a->resource_count, b->resources, b->resource_count);
	return r ? r : strcmp(a->narrative, b->narrative);
}

/* --- all together --- */

static int load_amplifiers(struct evaluation *evaluation)
{
	const struct swp_chain_plan *plan = evaluation->plan;
	struct swp_joiner joiner = {
		.rows = evaluation->run->rows, .plan = plan, .partition = evaluation->run->partition};
	uint32_t bound = 0;

	for (size_t i = 0; i < plan->path_count; i++)
		for (size_t k = 0; k < plan->paths[i].leg_count; k++)
			bound |= plan->paths[i].legs[k].variables;
	for (size_t i = 0; i < plan->amplifier_count; i++) {
		struct amplifier *amplifier = &evaluation->amplifiers[i];
		int r = swp_join_load(&joiner, &plan->amplifiers[i], 0, 1, &amplifier->tuples);

		if (r != 0)
			return r;
		amplifier->shared = plan->amplifiers[i].variables & bound;
		r = swp_tuple_index_init(&amplifier->index, evaluation->run->rows->pool, &amplifier->tuples,
			amplifier->shared);
		if (r < 0)
			return r;
	}
	return 0;
}

static int evaluate(struct evaluation *evaluation)
{
	const struct swp_chain_plan *plan = evaluation->plan;
	struct swp_tuple *key;
	int r;

	swp_tuples_init(&evaluation->key, (unsigned)plan->variable_count, 0);
	r = swp_tuples_add(&evaluation->key, &key);
	if (r == 0)
		r = load_amplifiers(evaluation);
	evaluation->paths = swp_calloc(plan->path_count, sizeof(*evaluation->paths));
	if (r == 0 && !evaluation->paths)
		r = -ENOMEM;
	for (size_t i = 0; r == 0 && i < plan->path_count; i++) {
		evaluation->path_count = i + 1;
		if (plan->paths[i].usable)
			r = evaluate_path(evaluation, &plan->paths[i], &evaluation->paths[i]);
	}
	if (r == 0)
		r = collect_entries(evaluation);
	if (r == 0)
		r = build_instances(evaluation);
	if (r == 0 && evaluation->instance_count)
		qsort(evaluation->instances, evaluation->instance_count, sizeof(*evaluation->instances),
			compare_instances);
	return r;
}

static void path_result_done(struct path_result *path)
{
	for (size_t i = 0; i < SWP_LIMIT_CHAIN_LEGS; i++) {
		swp_tuples_done(&path->components[i].tuples);
		swp_tuples_done(&path->components[i].grouped);
		swp_free(path->components[i].groups);
	}
	swp_tuples_done(&path->joined);
}

static void evaluation_done(struct evaluation *evaluation)
{
	for (size_t i = 0; i < evaluation->path_count; i++)
		path_result_done(&evaluation->paths[i]);
	for (size_t i = 0; i < evaluation->plan->amplifier_count; i++) {
		swp_tuples_done(&evaluation->amplifiers[i].tuples);
		swp_tuple_index_done(&evaluation->amplifiers[i].index);
	}
	swp_tuples_done(&evaluation->key);
	swp_free(evaluation->paths);
	swp_free(evaluation->entries);
	swp_free(evaluation->instances);
	swp_region_free(evaluation->region);
}

static int give_up(const struct swp_chain_run *run, const struct swp_chain_plan *plan)
{
	char reason[160];

	snprintf(reason, sizeof(reason), "limit-reached: more than %d combinations%s%s",
		SWP_LIMIT_CHAIN_TUPLES, run->account ? " in account " : " over accounts",
		run->account ? run->account : "");
	return run->sink->not_evaluated(run->sink->context, plan->chain, reason);
}

int swp_chain_evaluate(const struct swp_chain_run *run, const struct swp_chain_plan *plan)
{
	struct evaluation evaluation = {.run = run, .plan = plan};
	int r = -ENOMEM;

	evaluation.region = swp_region_new(SIZE_MAX / 2); /* bounded by the tuples' ceiling */
	if (evaluation.region)
		r = evaluate(&evaluation);
	if (r == SWP_JOIN_LIMIT) {
		evaluation.instance_count = 0;
		r = give_up(run, plan);
	}
	for (size_t i = 0; r == 0 && i < evaluation.instance_count; i++)
		r = run->sink->chain(run->sink->context, &evaluation.instances[i]);
	evaluation_done(&evaluation);
	return r;
}
