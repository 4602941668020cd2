/* What the files of the model share, and the order of building. */
#include "checks/model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "checks/chain-lint.h"
#include "checks/model-internal.h"
#include "checks/shape.h"
#include "proto/base/text.h"

const json_t *swp_builder_section(const struct swp_builder *builder, const char *name)
{
	return json_object_get(builder->catalogue->document, name);
}

const char **swp_builder_keys(const struct swp_builder *builder, const json_t *object, size_t *ret_count)
{
	const char **keys =
		swp_region_alloc(builder->catalogue->region, (json_object_size(object) + 1) * sizeof(*keys));
	size_t count = 0;
	const char *key;
	json_t *value;

	if (!keys)
		return NULL;
	json_object_foreach((json_t *)object, key, value)
	{
		keys[count] = swp_region_strdup(builder->catalogue->region, key);
		if (!keys[count++])
			return NULL;
	}
	if (count)
		qsort(keys, count, sizeof(*keys), swp_compare_text_pointers);
	*ret_count = count;
	return keys;
}

void swp_builder_unknown(const struct swp_builder *builder, const json_t *container, const char *key,
	const char *what, const char *word, const json_t *object)
{
	size_t count = 0;
	const char **names = swp_builder_keys(builder, object, &count);

	swp_lint_unknown(builder->lint, container, key, what, word, names, names ? count : 0);
}

struct swp_compiler swp_builder_compiler(
	const struct swp_builder *builder, const char *const *roots, size_t root_count)
{
	return (struct swp_compiler){.region = builder->catalogue->region,
		.lint = builder->lint,
		.sets = swp_builder_section(builder, "sets"),
		.predicates = swp_builder_section(builder, "predicates"),
		.names = {.roots = roots, .root_count = root_count}};
}

static int build_chains(struct swp_builder *builder)
{
	struct swp_catalogue *catalogue = builder->catalogue;
	const json_t *chains = swp_builder_section(builder, "chains");
	const char **ids = swp_builder_keys(builder, chains, &catalogue->chain_count);
	int r = 0;

	catalogue->chains = swp_region_alloc(
		catalogue->region, (catalogue->chain_count + 1) * sizeof(*catalogue->chains));
	if (!ids || !catalogue->chains)
		return -ENOMEM;
	for (size_t i = 0; i < catalogue->chain_count && r == 0; i++) {
		const json_t *row = json_object_get(chains, ids[i]);
		const char *severity = json_string_value(json_object_get(row, "severity"));
		struct swp_chain *chain = &catalogue->chains[i];

		chain->id = ids[i];
		chain->name = json_string_value(json_object_get(row, "name"));
		chain->over_accounts =
			swp_text_equal(json_string_value(json_object_get(row, "over")), "organization");
		chain->document = row;
		r = swp_chain_lint(builder->lint, catalogue->document, ids[i]);
		if (r == 0 && builder->lint->faults == 0 &&
			(!chain->name || !severity || swp_severity_parse(severity, &chain->severity) < 0))
			swp_lint_fault(builder->lint, chains, ids[i], "a chain needs 'name' and 'severity'");
	}
	return r;
}

static int check_sets(struct swp_builder *builder)
{
	const json_t *sets = swp_builder_section(builder, "sets");
	const char *name;
	json_t *set;

	json_object_foreach((json_t *)sets, name, set)
	{
		if (!json_is_array(set) || json_array_size(set) == 0)
			swp_lint_fault(builder->lint, sets, name, "a set is a list that is not empty");
	}
	return 0;
}

static int check_ceiling(struct swp_builder *builder)
{
	const struct swp_catalogue *catalogue = builder->catalogue;
	size_t rows = catalogue->service_count + catalogue->resource_count + catalogue->check_count +
		      catalogue->chain_count;

	for (size_t i = 0; i < catalogue->service_count; i++)
		rows += catalogue->services[i].operation_count;
	if (rows > SWP_LIMIT_CATALOGUE_ROWS)
		swp_lint_fault(builder->lint, catalogue->document, NULL, "more than %d rows",
			SWP_LIMIT_CATALOGUE_ROWS);
	return 0;
}

int swp_model_build(struct swp_catalogue *catalogue, struct swp_lint *lint)
{
	static int (*const passes[])(struct swp_builder * builder) = {check_sets, swp_model_build_services,
		swp_model_build_resources, swp_model_build_checks, build_chains, check_ceiling};
	struct swp_builder builder = {.catalogue = catalogue, .lint = lint};
	int r = 0;

	if (!swp_shape_check(lint, catalogue->document, NULL, &swp_shape_document))
		return 0;
	/* A pass builds on rows of those before it that were found good; checks and chains are told together. */
	for (size_t i = 0; i < SWP_ARRAY_SIZE(passes) && r == 0; i++) {
		if (lint->faults == 0 || passes[i] == build_chains)
			r = passes[i](&builder);
	}
	return r;
}

uint64_t swp_model_steps_of_roots(const struct swp_resource *resource, uint64_t roots)
{
	uint64_t direct = roots >> SWP_ROOT_STEPS, all = direct;

	for (size_t i = 0; i < resource->step_count; i++) {
		if (direct >> i & 1)
			all |= resource->steps[i].needs;
	}
	return all;
}
