#include "checks/chain-plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "checks/correlation.h"
#include "proto/base/region.h"
#include "proto/base/text.h"

/* --- the words of the language --- */

static const struct {
	const char *word;
	const char *columns[SWP_COLUMN_COUNT];
} leg_kinds[SWP_LEG_KIND_COUNT] = {
	[SWP_LEG_FINDING] = {"finding", {[SWP_COLUMN_ACCOUNT] = "account",
						[SWP_COLUMN_REGION] = "region",
						[SWP_COLUMN_SUBJECT] = "resource"}},
	[SWP_LEG_FACT] = {"fact", {[SWP_COLUMN_ACCOUNT] = "account",
					  [SWP_COLUMN_REGION] = "region",
					  [SWP_COLUMN_SUBJECT] = "subject",
					  [SWP_COLUMN_VALUE] = "value"}},
	[SWP_LEG_RELATION] = {"relation", {[SWP_COLUMN_ACCOUNT] = "account",
						  [SWP_COLUMN_REGION] = "region",
						  [SWP_COLUMN_SUBJECT] = "subject",
						  [SWP_COLUMN_OBJECT] = "object"}},
};

const char *const swp_missing_words[SWP_MISSING_COUNT + 1] = {
	[SWP_MISSING_PASS] = "pass",
	[SWP_MISSING_FAIL] = "fail",
	[SWP_MISSING_NOT_ASSESSED] = "not-assessed",
};

const char *swp_column_word(enum swp_leg_kind kind, enum swp_column column)
{
	return leg_kinds[kind].columns[column];
}

const char *swp_leg_kind_word(enum swp_leg_kind kind)
{
	return leg_kinds[kind].word;
}

static enum swp_missing parse_missing(const json_t *value, enum swp_missing otherwise)
{
	for (int i = 0; i < SWP_MISSING_COUNT; i++)
		if (json_is_string(value) && strcmp(json_string_value(value), swp_missing_words[i]) == 0)
			return (enum swp_missing)i;
	return otherwise;
}

/* --- walking the document --- */

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* The lists of legs that can satisfy a chain: its paths, or its one list. */
static size_t path_count(const json_t *chain)
{
	const json_t *paths = json_object_get(chain, "paths");

	return paths ? json_array_size(paths) : 1;
}

static const json_t *path_legs(const json_t *chain, size_t path)
{
	const json_t *paths = json_object_get(chain, "paths");

	return json_object_get(paths ? json_array_get(paths, path) : chain, "legs");
}

/* The alternatives of a leg: `any`, or the leg itself. */
static size_t alternative_count(const json_t *leg)
{
	const json_t *any = json_object_get(leg, "any");

	return any ? json_array_size(any) : 1;
}

static const json_t *alternative(const json_t *leg, size_t index)
{
	const json_t *any = json_object_get(leg, "any");

	return any ? json_array_get(any, index) : leg;
}

static size_t check_id_count(const json_t *finding)
{
	return json_is_array(finding) ? json_array_size(finding) : 1;
}

static const char *check_id(const json_t *finding, size_t index)
{
	return json_string_value(json_is_array(finding) ? json_array_get(finding, index) : finding);
}

/* --- what is not selected --- */

/* Appends the leg's unselected checks if none of its alternatives can be used. */
static int missing_of_leg(const struct swp_catalogue *catalogue, const struct swp_selection *selection,
	const json_t *leg, struct swp_missing_checks *missing)
{
	size_t before = missing->count;

	for (size_t i = 0; i < alternative_count(leg); i++) {
		const json_t *finding = json_object_get(alternative(leg, i), "finding");

		if (!finding) { /* facts and relations are read whenever a chain needs them */
			missing->count = before;
			return 0;
		}
		for (size_t k = 0; k < check_id_count(finding); k++) {
			const char *id = check_id(finding, k);
			int check = id ? swp_catalogue_check_find(catalogue, id) : -1;

			if (check < 0 || missing->count == SWP_ARRAY_SIZE(missing->ids))
				return -EINVAL;
			if (swp_selection_has(selection, (size_t)check)) {
				missing->count = before;
				return 0;
			}
			missing->ids[missing->count++] = id;
		}
	}
	return 0;
}

static int missing_of_path(const struct swp_catalogue *catalogue, const struct swp_selection *selection,
	const json_t *legs, struct swp_missing_checks *missing)
{
	missing->count = 0;
	for (size_t i = 0; i < json_array_size(legs); i++) {
		int r = missing_of_leg(catalogue, selection, json_array_get(legs, i), missing);

		if (r < 0)
			return r;
	}
	return 0;
}

int swp_chain_missing(const struct swp_catalogue *catalogue, const struct swp_selection *selection,
	const json_t *chain, struct swp_missing_checks *ret_missing)
{
	static const size_t none = (size_t)-1;
	size_t least = none;

	for (size_t i = 0; i < path_count(chain); i++) {
		struct swp_missing_checks missing;
		int r = missing_of_path(catalogue, selection, path_legs(chain, i), &missing);

		if (r < 0)
			return r;
		if (missing.count < least) {
			least = missing.count;
			*ret_missing = missing;
		}
	}
	return least == none ? -EINVAL : 0;
}

/* --- names of facts --- */

struct builder {
	struct swp_catalogue *catalogue;
	const struct swp_selection *selection;
	bool over_accounts;
	struct swp_text_pool *pool;
	struct swp_plans *plans;
	const char **names; /* collected, with doubles */
	size_t name_count, name_capacity;
};

static int add_name(struct builder *builder, const char *name)
{
	if (!name)
		return -EINVAL;
	if (builder->name_count == builder->name_capacity) {
		size_t capacity = builder->name_capacity ? builder->name_capacity * 2 : 64;
		const char **names = swp_region_alloc(builder->plans->region, capacity * sizeof(*names));

		if (!names)
			return -ENOMEM;
		if (builder->name_count)
			memcpy(names, builder->names, builder->name_count * sizeof(*names));
		builder->names = names;
		builder->name_capacity = capacity;
	}
	builder->names[builder->name_count++] = name;
	return 0;
}

static int add_complete_name(struct builder *builder, const char *kind)
{
	const char *name = swp_region_format(builder->plans->region, SWP_FACT_COMPLETE "%s", kind);

	return name ? add_name(builder, name) : -ENOMEM;
}

/* Does the resource kind declare the fact or relation? */
static bool kind_gives(const json_t *resource, const char *name)
{
	static const char *const lists[][2] = {{"facts", "fact"}, {"relations", "relation"}};
	const json_t *row;
	size_t i;

	for (size_t k = 0; k < SWP_ARRAY_SIZE(lists); k++)
		json_array_foreach(json_object_get(resource, lists[k][0]), i,
			row) if (swp_text_equal(text_of(row, lists[k][1]), name)) return true;
	return false;
}

static const json_t *section(const struct builder *builder, const char *name)
{
	return json_object_get(swp_catalogue_document(builder->catalogue), name);
}

static int add_fact_names(struct builder *builder, const char *name)
{
	const char *kind;
	json_t *resource;
	bool given = false;
	int r = add_name(builder, name);

	json_object_foreach((json_t *)section(builder, "resources"), kind, resource)
	{
		if (r < 0 || !kind_gives(resource, name))
			continue;
		given = true;
		r = add_complete_name(builder, kind);
	}
	if (r == 0 && !given) /* the coordinator's own facts */
		r = add_complete_name(builder, name);
	return r;
}

static int add_names_of_legs(struct builder *builder, const json_t *legs)
{
	for (size_t i = 0; i < json_array_size(legs); i++) {
		const json_t *leg = json_array_get(legs, i);

		for (size_t k = 0; k < alternative_count(leg); k++) {
			const char *fact = text_of(alternative(leg, k), "fact");
			const char *relation = text_of(alternative(leg, k), "relation");
			int r = fact || relation ? add_fact_names(builder, fact ? fact : relation) : 0;

			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int add_names_of_check(struct builder *builder, const struct swp_check *check)
{
	const json_t *joined = json_object_get(check->document, "joined");
	const char *relation = text_of(joined, "relation"), *fact = text_of(joined, "fact");
	const char *kind = text_of(check->document, "resource");
	int r;

	if (!relation || !fact || !kind)
		return -EINVAL;
	r = add_fact_names(builder, relation);
	if (r == 0)
		r = add_fact_names(builder, fact);
	return r == 0 ? add_complete_name(builder, kind) : r;
}

/* In which job a resource kind is read. */
static enum swp_level kind_level(const struct builder *builder, const char *kind)
{
	const json_t *resource = json_object_get(section(builder, "resources"), kind);
	const char *level = text_of(resource, "level"), *service = text_of(resource, "service");
	const json_t *row = service ? json_object_get(section(builder, "services"), service) : NULL;

	if (swp_text_equal(level, "organization"))
		return SWP_LEVEL_ORGANIZATION;
	if (swp_text_equal(level ? level : text_of(row, "scope"), "global"))
		return SWP_LEVEL_GLOBAL;
	return SWP_LEVEL_REGION;
}

int swp_plans_name(const struct swp_plans *plans, const char *name)
{
	size_t low = 0, high = plans->name_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, plans->names[middle].name);

		if (order == 0)
			return (int)middle;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return -1;
}

static void link_kinds(struct builder *builder, struct swp_fact_name *name)
{
	const size_t prefix = strlen(SWP_FACT_COMPLETE);
	struct swp_plans *plans = builder->plans;

	if (name->complete) {
		name->level = kind_level(builder, name->name + prefix);
		return;
	}
	for (size_t i = 0; i < plans->name_count && name->kind_count < SWP_ARRAY_SIZE(name->kinds); i++) {
		const char *kind = plans->names[i].name + prefix;

		if (!plans->names[i].complete)
			continue;
		if (strcmp(kind, name->name) == 0 ||
			kind_gives(json_object_get(section(builder, "resources"), kind), name->name))
			name->kinds[name->kind_count++] = i;
	}
}

static int settle_names(struct builder *builder)
{
	struct swp_plans *plans = builder->plans;

	plans->names = swp_region_alloc(plans->region, (builder->name_count + 1) * sizeof(*plans->names));
	if (!plans->names)
		return -ENOMEM;
	if (builder->name_count)
		qsort(builder->names, builder->name_count, sizeof(*builder->names),
			swp_compare_text_pointers);
	for (size_t i = 0; i < builder->name_count; i++) {
		if (i > 0 && strcmp(builder->names[i], builder->names[i - 1]) == 0)
			continue;
		plans->names[plans->name_count++] = (struct swp_fact_name){.name = builder->names[i],
			.complete = swp_text_starts(builder->names[i], SWP_FACT_COMPLETE)};
	}
	for (size_t i = 0; i < plans->name_count; i++)
		link_kinds(builder, &plans->names[i]);
	return 0;
}

int swp_chain_each_fact(const json_t *chain, int (*visit)(const char *name, void *context), void *context)
{
	for (size_t path = 0; path < path_count(chain); path++) {
		const json_t *legs = path_legs(chain, path), *leg;
		size_t i;

		json_array_foreach(legs, i, leg)
		{
			for (size_t k = 0; k < alternative_count(leg); k++) {
				const char *fact = text_of(alternative(leg, k), "fact");
				const char *relation = text_of(alternative(leg, k), "relation");
				int r = fact || relation ? visit(fact ? fact : relation, context) : 0;

				if (r != 0)
					return r;
			}
		}
	}
	return 0;
}

/* --- legs --- */

static int variable_of(struct swp_chain_plan *plan, const char *name, unsigned char *ret_variable)
{
	for (size_t i = 0; i < plan->variable_count; i++) {
		if (strcmp(plan->variables[i], name) == 0) {
			*ret_variable = (unsigned char)i;
			return 0;
		}
	}
	if (plan->variable_count == SWP_LIMIT_CHAIN_VARIABLES)
		return -EINVAL;
	plan->variables[plan->variable_count] = name;
	*ret_variable = (unsigned char)plan->variable_count++;
	return 0;
}

static int variables_of_list(struct swp_chain_plan *plan, const json_t *list, uint32_t *ret_mask)
{
	const json_t *name;
	unsigned char variable;
	uint32_t mask = 0;
	size_t i;

	json_array_foreach(list, i, name)
	{
		if (!json_is_string(name) || variable_of(plan, json_string_value(name), &variable) < 0)
			return -EINVAL;
		mask |= 1u << variable;
	}
	*ret_mask = mask;
	return 0;
}

static int bind_columns(
	struct swp_chain_plan *plan, const json_t *bind, struct swp_leg_source *source, uint32_t *ret_mask)
{
	const char *name;
	json_t *column;
	uint32_t mask = 0;

	memset(source->variables, SWP_NO_VARIABLE, sizeof(source->variables));
	json_object_foreach((json_t *)bind, name, column)
	{
		unsigned char variable;
		size_t i = 0;

		while (i < SWP_COLUMN_COUNT &&
			!swp_text_equal(
				swp_column_word(source->kind, (enum swp_column)i), json_string_value(column)))
			i++;
		if (!json_is_string(column) || i == SWP_COLUMN_COUNT ||
			variable_of(plan, name, &variable) < 0)
			return -EINVAL;
		source->variables[i] = variable;
		mask |= 1u << variable;
	}
	*ret_mask = mask;
	return 0;
}

/* A scalar as canonical JSON text, interned; "*" means any value. */
static int intern_value(struct builder *builder, const json_t *value, uint32_t *ret_id, bool *ret_any)
{
	char *text;
	int r;

	*ret_any = json_is_string(value) && strcmp(json_string_value(value), "*") == 0;
	if (!value)
		return swp_text_pool_intern(builder->pool, "true", ret_id);
	text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
	if (!text)
		return -ENOMEM;
	r = swp_text_pool_intern(builder->pool, text, ret_id);
	free(text); /* jansson's allocator */
	return r;
}

static int read_fact_source(
	struct builder *builder, const json_t *row, const char *name, struct swp_leg_source *source)
{
	int fact = name ? swp_plans_name(builder->plans, name) : -1;

	if (fact < 0)
		return -EINVAL;
	source->fact = (size_t)fact;
	source->selected = true;
	source->missing = parse_missing(json_object_get(row, "missing"), SWP_MISSING_PASS);
	if (source->kind == SWP_LEG_FACT)
		return intern_value(
			builder, json_object_get(row, "value"), &source->value, &source->any_value);
	return 0;
}

static int read_finding_source(struct builder *builder, const char *id, struct swp_leg_source *source)
{
	int check = id ? swp_catalogue_check_find(builder->catalogue, id) : -1;

	if (check < 0)
		return -EINVAL;
	source->check = (size_t)check;
	source->selected = swp_selection_has(builder->selection, source->check);
	return 0;
}

/* Appends the sources of one alternative to the leg. */
static int read_alternative(
	struct builder *builder, struct swp_chain_plan *plan, const json_t *row, struct swp_leg *leg)
{
	const json_t *finding = json_object_get(row, "finding");
	const char *fact = text_of(row, "fact"), *relation = text_of(row, "relation");
	size_t count = finding ? check_id_count(finding) : 1;
	uint32_t mask = 0;
	int r;

	for (size_t i = 0; i < count; i++) {
		struct swp_leg_source *source = &leg->sources[leg->source_count];

		if (leg->source_count == SWP_LIMIT_CHAIN_ALTERNATIVES)
			return -EINVAL;
		source->kind = finding ? SWP_LEG_FINDING : fact ? SWP_LEG_FACT : SWP_LEG_RELATION;
		source->ignores_unread_list = swp_text_equal(text_of(row, "unread_list"), "ignore");
		r = finding ? read_finding_source(builder, check_id(finding, i), source)
			    : read_fact_source(builder, row, fact ? fact : relation, source);
		if (r == 0)
			r = bind_columns(plan, json_object_get(row, "bind"), source, &mask);
		if (r < 0)
			return r;
		leg->variables |= mask;
		leg->source_count++;
	}
	return 0;
}

static int read_leg(
	struct builder *builder, struct swp_chain_plan *plan, const json_t *row, struct swp_leg *leg)
{
	json_int_t at_least = json_integer_value(json_object_get(row, "at_least"));

	leg->name = text_of(row, "name");
	leg->at_least = at_least > 1 ? (unsigned)at_least : 1;
	leg->sources = swp_region_alloc(
		builder->plans->region, SWP_LIMIT_CHAIN_ALTERNATIVES * sizeof(*leg->sources));
	if (!leg->sources)
		return -ENOMEM;
	for (size_t i = 0; i < alternative_count(row); i++) {
		int r = read_alternative(builder, plan, alternative(row, i), leg);

		if (r < 0)
			return r;
	}
	return 0;
}

static int read_legs(struct builder *builder, struct swp_chain_plan *plan, const json_t *rows,
	struct swp_leg **ret_legs, size_t *ret_count)
{
	size_t count = json_array_size(rows);
	struct swp_leg *legs;

	if (count > SWP_LIMIT_CHAIN_LEGS)
		return -EINVAL;
	legs = swp_region_alloc(builder->plans->region, (count + 1) * sizeof(*legs));
	if (!legs)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		int r = read_leg(builder, plan, json_array_get(rows, i), &legs[i]);

		if (r < 0)
			return r;
	}
	*ret_legs = legs;
	*ret_count = count;
	return 0;
}

/* --- chains --- */

/* Numbers the components of a path: legs that share a variable beyond the instance's hang together. */
static void split_components(const struct swp_chain_plan *plan, struct swp_path *path)
{
	size_t next = 0;

	for (size_t i = 0; i < path->leg_count; i++)
		path->legs[i].component = (unsigned)i;
	for (size_t i = 0; i < path->leg_count; i++) {
		for (size_t k = 0; k < i; k++) {
			unsigned from = path->legs[i].component, into = path->legs[k].component;

			if (from == into ||
				!(path->legs[i].variables & path->legs[k].variables & ~plan->instance))
				continue;
			for (size_t m = 0; m < path->leg_count; m++)
				if (path->legs[m].component == from)
					path->legs[m].component = into;
		}
	}
	for (size_t i = 0; i < path->leg_count; i++) { /* dense numbers, in the order of the legs */
		unsigned old = path->legs[i].component;

		if (old < next)
			continue;
		for (size_t m = i; m < path->leg_count; m++)
			if (path->legs[m].component == old)
				path->legs[m].component = (unsigned)next;
		next++;
	}
	path->component_count = next;
}

static bool has_selected_source(const struct swp_leg *leg)
{
	for (size_t i = 0; i < leg->source_count; i++)
		if (leg->sources[i].selected)
			return true;
	return false;
}

/* A finding whose resource another leg joins on: there, having been read and passed differs from not having been read. */
static bool needs_read_rows(const struct swp_path *path, size_t index)
{
	const struct swp_leg *leg = &path->legs[index];
	uint32_t others = 0;

	for (size_t i = 0; i < path->leg_count; i++)
		if (i != index)
			others |= path->legs[i].variables;
	for (size_t i = 0; i < leg->source_count; i++) {
		const struct swp_leg_source *source = &leg->sources[i];
		unsigned char variable = source->variables[SWP_COLUMN_SUBJECT];

		if (source->kind == SWP_LEG_FINDING && !source->ignores_unread_list &&
			variable != SWP_NO_VARIABLE && (others & (1u << variable)))
			return true;
	}
	return false;
}

static void settle_path(const struct swp_chain_plan *plan, struct swp_path *path)
{
	path->usable = path->leg_count > 0;
	for (size_t i = 0; i < path->leg_count; i++) {
		path->legs[i].needs_read_rows = needs_read_rows(path, i);
		if (!has_selected_source(&path->legs[i]))
			path->usable = false;
	}
	split_components(plan, path);
}

static int read_different(struct builder *builder, struct swp_chain_plan *plan, const json_t *pairs)
{
	plan->different_count = json_array_size(pairs);
	plan->different = swp_region_alloc(
		builder->plans->region, (plan->different_count + 1) * sizeof(*plan->different));
	if (!plan->different)
		return -ENOMEM;
	for (size_t i = 0; i < plan->different_count; i++) {
		for (size_t k = 0; k < 2; k++) {
			const char *name = json_string_value(json_array_get(json_array_get(pairs, i), k));

			if (!name || variable_of(plan, name, &plan->different[i][k]) < 0)
				return -EINVAL;
		}
	}
	return 0;
}

/* The variable that every leg of every path, and every amplifier, binds: rows are spread by it. */
static unsigned char common_variable(const struct swp_chain_plan *plan)
{
	uint32_t common = UINT32_MAX;
	unsigned char variable = 0;

	for (size_t i = 0; i < plan->path_count; i++)
		for (size_t k = 0; k < plan->paths[i].leg_count; k++)
			common &= plan->paths[i].legs[k].variables;
	for (size_t i = 0; i < plan->amplifier_count; i++)
		common &= plan->amplifiers[i].variables;
	if (common == 0 || common == UINT32_MAX)
		return SWP_NO_VARIABLE;
	while (!(common & (1u << variable)))
		variable++;
	return variable;
}

/* Results of joined checks over the organization are known in one partition only. */
static bool needs_joined_over_accounts(const struct builder *builder, const struct swp_chain_plan *plan)
{
	for (size_t i = 0; i < plan->path_count; i++) {
		for (size_t k = 0; k < plan->paths[i].leg_count; k++) {
			const struct swp_leg *leg = &plan->paths[i].legs[k];

			for (size_t n = 0; n < leg->source_count; n++)
				if (leg->sources[n].kind == SWP_LEG_FINDING &&
					swp_catalogue_check(builder->catalogue, leg->sources[n].check)
						->joined_over_accounts)
					return true;
		}
	}
	return false;
}

static int read_lists(struct swp_chain_plan *plan, const json_t *document)
{
	int r = variables_of_list(plan, json_object_get(document, "instance"), &plan->instance);

	if (r == 0)
		r = variables_of_list(plan, json_object_get(document, "regions"), &plan->regions);
	if (r == 0)
		r = variables_of_list(plan, json_object_get(document, "resources"), &plan->resources);
	if (r == 0)
		r = variables_of_list(
			plan, json_object_get(document, "regions_not_assessed"), &plan->regions_not_assessed);
	return r;
}

static int read_paths(struct builder *builder, struct swp_chain_plan *plan, const json_t *document)
{
	plan->path_count = path_count(document);
	if (plan->path_count > SWP_LIMIT_CHAIN_PATHS)
		return -EINVAL;
	plan->paths = swp_region_alloc(builder->plans->region, (plan->path_count + 1) * sizeof(*plan->paths));
	if (!plan->paths)
		return -ENOMEM;
	for (size_t i = 0; i < plan->path_count; i++) {
		int r = read_legs(builder, plan, path_legs(document, i), &plan->paths[i].legs,
			&plan->paths[i].leg_count);

		if (r < 0)
			return r;
	}
	return read_legs(builder, plan, json_object_get(document, "amplifiers"), &plan->amplifiers,
		&plan->amplifier_count);
}

static int read_chain(
	struct builder *builder, const struct swp_chain *chain, size_t index, struct swp_chain_plan *plan)
{
	const json_t *document = chain->document, *narrative = json_object_get(document, "narrative");
	const char *account = text_of(document, "account");
	int r;

	plan->chain = index;
	plan->name = chain->name;
	plan->basis = text_of(document, "basis");
	plan->confirmed = text_of(narrative, "confirmed");
	plan->unverified = text_of(narrative, "unverified");
	plan->not_shown = text_of(document, "not_shown");
	plan->account = SWP_NO_VARIABLE;
	if (!plan->basis || !plan->confirmed || !plan->not_shown)
		return -EINVAL;
	r = read_lists(plan, document);
	if (r == 0)
		r = read_paths(builder, plan, document);
	if (r == 0)
		r = read_different(builder, plan, json_object_get(document, "different"));
	if (r == 0 && account)
		r = variable_of(plan, account, &plan->account);
	if (r < 0)
		return r;
	for (size_t i = 0; i < plan->path_count; i++)
		settle_path(plan, &plan->paths[i]);
	plan->key = needs_joined_over_accounts(builder, plan) ? SWP_NO_VARIABLE : common_variable(plan);
	return 0;
}

/* --- joined checks --- */

static int read_joined(struct builder *builder, size_t check, struct swp_joined_plan *plan)
{
	const json_t *document = swp_catalogue_check(builder->catalogue, check)->document;
	const json_t *joined = json_object_get(document, "joined");
	const char *kind = text_of(document, "resource");
	const char *complete = swp_region_format(builder->plans->region, SWP_FACT_COMPLETE "%s", kind);
	int relation = swp_plans_name(builder->plans, text_of(joined, "relation"));
	int fact = swp_plans_name(builder->plans, text_of(joined, "fact")), list;

	if (!complete)
		return -ENOMEM;
	list = swp_plans_name(builder->plans, complete);
	if (relation < 0 || fact < 0 || list < 0)
		return -EINVAL;
	plan->check = check;
	plan->relation = (size_t)relation;
	plan->fact = (size_t)fact;
	plan->complete = (size_t)list;
	plan->missing = parse_missing(json_object_get(joined, "missing"), SWP_MISSING_NOT_ASSESSED);
	plan->none = parse_missing(json_object_get(joined, "none"), SWP_MISSING_PASS);
	return intern_value(builder, json_object_get(joined, "value"), &plan->value, &plan->any_value);
}

/* --- all together --- */

static int chain_concerns(const struct builder *builder, const struct swp_chain *chain)
{
	struct swp_missing_checks missing;
	int r;

	if (chain->over_accounts != builder->over_accounts)
		return 0;
	r = swp_chain_missing(builder->catalogue, builder->selection, chain->document, &missing);
	return r < 0 ? r : missing.count == 0;
}

static bool check_concerns(const struct builder *builder, size_t index)
{
	const struct swp_check *check = swp_catalogue_check(builder->catalogue, index);

	return check->joined && check->joined_over_accounts == builder->over_accounts &&
	       swp_selection_has(builder->selection, index);
}

static int collect_names(struct builder *builder)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < swp_catalogue_chain_count(builder->catalogue); i++) {
		const struct swp_chain *chain = swp_catalogue_chain(builder->catalogue, i);

		r = chain_concerns(builder, chain);
		for (size_t k = 0; r > 0 && k < path_count(chain->document); k++) {
			r = add_names_of_legs(builder, path_legs(chain->document, k));
			r = r < 0 ? r : 1;
		}
	}
	for (size_t i = 0; r >= 0 && i < swp_catalogue_check_count(builder->catalogue); i++)
		if (check_concerns(builder, i))
			r = add_names_of_check(builder, swp_catalogue_check(builder->catalogue, i));
	return r < 0 ? r : settle_names(builder);
}

static void want_leg(struct swp_plans *plans, const struct swp_leg *leg)
{
	for (size_t i = 0; i < leg->source_count; i++) {
		const struct swp_leg_source *source = &leg->sources[i];

		if (source->kind != SWP_LEG_FINDING || !source->selected)
			continue;
		plans->wants_check[source->check] = true;
		plans->wants_passes[source->check] |= leg->needs_read_rows;
	}
}

static void want_chain(struct swp_plans *plans, const struct swp_chain_plan *plan)
{
	for (size_t i = 0; i < plan->path_count; i++)
		for (size_t k = 0; plan->paths[i].usable && k < plan->paths[i].leg_count; k++)
			want_leg(plans, &plan->paths[i].legs[k]);
	for (size_t i = 0; i < plan->amplifier_count; i++)
		want_leg(plans, &plan->amplifiers[i]);
}

static int build_chains(struct builder *builder)
{
	struct swp_plans *plans = builder->plans;
	size_t count = swp_catalogue_chain_count(builder->catalogue);

	plans->chains = swp_region_alloc(plans->region, (count + 1) * sizeof(*plans->chains));
	if (!plans->chains)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct swp_chain *chain = swp_catalogue_chain(builder->catalogue, i);
		int r = chain_concerns(builder, chain);

		if (r == 0)
			continue;
		if (r > 0)
			r = read_chain(builder, chain, i, &plans->chains[plans->chain_count]);
		if (r < 0)
			return r;
		want_chain(plans, &plans->chains[plans->chain_count++]);
	}
	return 0;
}

static int build_joined(struct builder *builder)
{
	struct swp_plans *plans = builder->plans;

	plans->joined = swp_region_alloc(plans->region, (plans->check_count + 1) * sizeof(*plans->joined));
	if (!plans->joined)
		return -ENOMEM;
	for (size_t i = 0; i < plans->check_count; i++) {
		int r = check_concerns(builder, i)
				? read_joined(builder, i, &plans->joined[plans->joined_count])
				: 1;

		if (r < 0)
			return r;
		if (r == 0)
			plans->joined_count++;
	}
	return 0;
}

static int build(struct builder *builder)
{
	struct swp_plans *plans = builder->plans;
	int r;

	plans->check_count = swp_catalogue_check_count(builder->catalogue);
	plans->wants_check = swp_region_alloc(plans->region, (plans->check_count + 1) * sizeof(bool));
	plans->wants_passes = swp_region_alloc(plans->region, (plans->check_count + 1) * sizeof(bool));
	if (!plans->wants_check || !plans->wants_passes)
		return -ENOMEM;
	r = collect_names(builder);
	if (r == 0)
		r = build_chains(builder);
	return r == 0 ? build_joined(builder) : r;
}

int swp_plans_new(struct swp_catalogue *catalogue, const struct swp_selection *selection, bool over_accounts,
	struct swp_text_pool *pool, struct swp_plans **ret_plans)
{
	struct swp_region *region = swp_region_new(0);
	struct builder builder = {
		.catalogue = catalogue, .selection = selection, .over_accounts = over_accounts, .pool = pool};
	int r = -ENOMEM;

	builder.plans = region ? swp_region_alloc(region, sizeof(*builder.plans)) : NULL;
	if (builder.plans) {
		builder.plans->region = region;
		r = build(&builder);
	}
	if (r < 0) {
		swp_region_free(region);
		return r;
	}
	*ret_plans = builder.plans;
	return 0;
}

void swp_plans_free(struct swp_plans *plans)
{
	if (plans)
		swp_region_free(plans->region);
}
