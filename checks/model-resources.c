/* Resources of the model: lists, steps, facts. */
#include "checks/model-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "checks/shape.h"
#include "proto/base/text.h"

struct resource_builder {
	struct swp_builder *builder;
	const json_t *row;
	struct swp_resource *resource;
	const char *roots[SWP_ROOT_COUNT];
	size_t root_count;
};

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static struct swp_region *region_of(const struct resource_builder *self)
{
	return self->builder->catalogue->region;
}

static struct swp_compiler compiler_of(const struct resource_builder *self)
{
	return swp_builder_compiler(self->builder, self->roots, self->root_count);
}

/* --- required members --- */

static int compile_required(struct resource_builder *self, const json_t *container, const json_t *one,
	struct swp_required *required)
{
	struct swp_compiler compiler = swp_builder_compiler(self->builder, NULL, 0);
	const char *path = json_is_string(one) ? json_string_value(one) : text_of(one, "path");
	const char *type = text_of(one, "type");
	char *text;

	compiler.names.locals[compiler.names.local_count++] = "it";
	if (!path || (json_is_object(one) && !type) || (type && swp_type_parse(type, &required->type) < 0)) {
		swp_lint_fault(self->builder->lint, container, "required",
			"'required' is a list of paths (texts that are not empty) or of {path, type, "
			"may_be_empty}");
		return 1;
	}
	if (!type)
		required->type = SWP_TYPE_STRING;
	required->may_be_empty = json_is_true(json_object_get(one, "may_be_empty"));
	text = swp_region_format(region_of(self), "it.%s", path);
	if (!text)
		return -ENOMEM;
	return swp_path_compile(compiler.region, &compiler.names, text, true, compiler.lint, container,
		"required", &required->path);
}

static int build_required(struct resource_builder *self, const json_t *container,
	struct swp_required **ret_required, size_t *ret_count)
{
	const json_t *list = json_object_get(container, "required");
	size_t count = json_array_size(list);
	int r = 0;

	*ret_required = swp_region_alloc(region_of(self), (count + 1) * sizeof(**ret_required));
	if (!*ret_required)
		return -ENOMEM;
	if (list && !json_is_array(list))
		swp_lint_fault(self->builder->lint, container, "required", "'required' takes a list");
	for (size_t i = 0; i < count && r >= 0; i++) {
		r = compile_required(self, container, json_array_get(list, i), &(*ret_required)[*ret_count]);
		*ret_count += r == 0;
	}
	return swp_told(r);
}

/* --- calls --- */

static int build_items(struct resource_builder *self, const json_t *container,
	const struct swp_operation *operation, struct swp_items *ret_items)
{
	const char *text = text_of(container, "items");
	const char *members[SWP_LIMIT_PATH_SEGMENTS];
	size_t count = 0;

	if (!text)
		text = operation->aws.result;
	while (text && *text && count < SWP_ARRAY_SIZE(members)) {
		size_t length = strcspn(text, ".");

		members[count] = swp_region_strndup(region_of(self), text, length);
		if (!members[count++])
			return -ENOMEM;
		text += length + (text[length] == '.');
	}
	ret_items->count = count;
	ret_items->members = swp_region_memdup(region_of(self), members, count * sizeof(*members) + 1);
	return ret_items->members ? 0 : -ENOMEM;
}

/* Each label of the URI must be given. */
static void check_labels(
	struct resource_builder *self, const json_t *container, const struct swp_operation *operation)
{
	const json_t *input = json_object_get(container, "input");

	for (const char *at = strchr(operation->aws.uri, '{'); at; at = strchr(at + 1, '{')) {
		char label[128] = "";
		size_t length = strcspn(at + 1, "+}");

		if (length >= sizeof(label))
			continue;
		memcpy(label, at + 1, length);
		if (!json_object_get(input, label) && !json_object_get(operation->input, label))
			swp_lint_fault(self->builder->lint, container, "operation",
				"'%s' needs the input '%s'", operation->aws.name, label);
	}
}

static int build_input(struct resource_builder *self, const json_t *container, struct swp_compiler *compiler,
	const struct swp_operation *operation, struct swp_input *ret_input)
{
	const json_t *input = json_object_get(container, "input");
	json_t *all = operation->input ? json_copy((json_t *)operation->input) : json_object();
	const char **names = NULL;
	size_t count = 0;
	int r = all && (!input || json_object_update(all, (json_t *)input) == 0) ? 0 : -ENOMEM;

	if (r == 0)
		names = swp_builder_keys(self->builder, all, &count);
	json_decref(all);
	ret_input->members = swp_region_alloc(region_of(self), (count + 1) * sizeof(*ret_input->members));
	if (!names || !ret_input->members)
		return -ENOMEM;
	for (size_t i = 0; i < count && r >= 0; i++) {
		const json_t *from = json_object_get(input, names[i]) ? input : operation->input;

		ret_input->members[i].name = names[i];
		r = swp_expression_compile(compiler, from, names[i], &ret_input->members[i].value);
		ret_input->count += r == 0;
	}
	check_labels(self, container, operation);
	return swp_told(r);
}

static int build_list(struct resource_builder *self)
{
	struct swp_resource *resource = self->resource;
	const json_t *list = json_object_get(self->row, "list");
	struct swp_compiler compiler = compiler_of(self);
	int r;

	if (!list) {
		self->roots[SWP_ROOT_LIST] = "";
		return 0;
	}
	resource->has_list = true;
	resource->list = swp_builder_operation(self->builder, list, resource->service);
	if (!resource->list)
		return 0;
	compiler.names.root_count = 1; /* the job alone */
	r = build_input(self, list, &compiler, resource->list, &resource->list_input);
	if (r == 0)
		r = build_items(self, list, resource->list, &resource->list_items);
	if (r == 0 && resource->list_items.count == 0)
		swp_lint_fault(self->builder->lint, list, "operation", "'%s' has no 'result'; say 'items'",
			resource->list->aws.name);
	return r == 0 ? build_required(self, json_object_get(self->row, "item"), &resource->item_required,
				&resource->item_required_count)
		      : r;
}

/* --- steps --- */

static enum swp_gone parse_gone(const char *word)
{
	static const struct {
		const char *word;
		enum swp_gone gone;
	} words[] = {
		{"vanished", SWP_GONE_VANISHED}, {"absent", SWP_GONE_ABSENT}, {"dropped", SWP_GONE_DROPPED}};

	for (size_t i = 0; i < SWP_ARRAY_SIZE(words); i++) {
		if (swp_text_equal(words[i].word, word))
			return words[i].gone;
	}
	return SWP_GONE_UNREAD;
}

static int build_fan_out(struct resource_builder *self, const json_t *row, struct swp_compiler *compiler,
	struct swp_step *step)
{
	const char *path = text_of(row, "for_each");
	int r;

	if (!path)
		return 0;
	step->fan_out = true;
	step->as = text_of(row, "as") ? text_of(row, "as") : "each";
	r = swp_path_compile(region_of(self), &compiler->names, path, true, compiler->lint, row, "for_each",
		&step->for_each);
	if (r != 0)
		return r;
	compiler->used |= UINT64_C(1) << step->for_each.root;
	compiler->names.locals[compiler->names.local_count++] = step->as;
	return 0;
}

static void check_step(struct resource_builder *self, const json_t *row, const struct swp_step *step)
{
	if (step->gone == SWP_GONE_DROPPED && !step->fan_out)
		swp_lint_fault(self->builder->lint, row, "gone",
			"only a step with 'for_each' can drop what is gone");
	if (step->gone == SWP_GONE_VANISHED && (step->fan_out || !self->resource->has_list))
		swp_lint_fault(self->builder->lint, row, "gone", "only a listed resource can vanish");
	if (step->operation && step->operation->aws.input_token && step->items.count == 0)
		swp_lint_fault(self->builder->lint, row, "operation", "the operation has pages: say 'items'");
}

static int build_step(struct resource_builder *self, const json_t *steps, struct swp_step *step)
{
	const json_t *row = json_object_get(steps, step->name);
	struct swp_compiler compiler = compiler_of(self);
	int r;

	if (!swp_shape_check(self->builder->lint, steps, step->name, &swp_shape_step))
		return 0;
	step->operation = swp_builder_operation(self->builder, row, self->resource->service);
	step->gone = parse_gone(text_of(row, "gone"));
	if (!step->operation)
		return 0;
	r = swp_told(build_fan_out(self, row, &compiler, step));
	if (r == 0)
		r = build_input(self, row, &compiler, step->operation, &step->input);
	if (r == 0 && json_object_get(row, "when"))
		r = swp_told(swp_predicate_compile(&compiler, row, "when", &step->when));
	if (r == 0)
		r = build_items(self, row, step->operation, &step->items);
	if (r == 0)
		r = build_required(self, row, &step->required, &step->required_count);
	step->roots = compiler.used;
	step->of_job = (compiler.used & ~UINT64_C(1)) == 0 && !step->fan_out && !step->when;
	step->shareable = compiler.used >> SWP_ROOT_STEPS != 0;
	check_step(self, row, step);
	return r;
}

/* One round of "needs what its needs need". True when something was new. */
static bool widen_needs(struct swp_resource *resource)
{
	bool widened = false;

	for (size_t i = 0; i < resource->step_count; i++) {
		uint64_t needs = resource->steps[i].needs, wide = needs;

		for (size_t k = 0; k < resource->step_count; k++)
			wide |= needs >> k & 1 ? resource->steps[k].roots >> SWP_ROOT_STEPS : 0;
		resource->steps[i].needs = wide;
		widened = widened || wide != needs;
	}
	return widened;
}

/* All that a step needs, however far behind. */
static void close_needs(struct resource_builder *self, const json_t *steps)
{
	struct swp_resource *resource = self->resource;
	int rounds = 1;

	for (size_t i = 0; i < resource->step_count; i++)
		resource->steps[i].needs = resource->steps[i].roots >> SWP_ROOT_STEPS;
	while (widen_needs(resource))
		rounds++;
	for (size_t i = 0; i < resource->step_count; i++) {
		if (!(resource->steps[i].needs >> i & 1))
			continue;
		swp_lint_fault(
			self->builder->lint, steps, resource->steps[i].name, "steps go round in a circle");
		return;
	}
	if (rounds > SWP_LIMIT_FOLLOW_DEPTH)
		swp_lint_fault(self->builder->lint, self->row, "steps",
			"more than %d steps behind one another", SWP_LIMIT_FOLLOW_DEPTH);
}

static int build_steps(struct resource_builder *self)
{
	struct swp_resource *resource = self->resource;
	const json_t *steps = json_object_get(self->row, "steps");
	const char **names = swp_builder_keys(self->builder, steps, &resource->step_count);
	int r = 0;

	resource->steps =
		swp_region_alloc(region_of(self), (resource->step_count + 1) * sizeof(*resource->steps));
	if (!names || !resource->steps)
		return -ENOMEM;
	if (resource->step_count > SWP_LIMIT_STEPS) {
		swp_lint_fault(
			self->builder->lint, self->row, "steps", "more than %d steps", SWP_LIMIT_STEPS);
		resource->step_count = 0;
		return 0;
	}
	for (size_t i = 0; i < resource->step_count; i++)
		self->roots[self->root_count++] = names[i];
	for (size_t i = 0; i < resource->step_count && r == 0; i++) {
		resource->steps[i].name = names[i];
		resource->steps[i].index = i;
		r = build_step(self, steps, &resource->steps[i]);
	}
	close_needs(self, steps);
	return r;
}

/* --- facts --- */

static int build_fact(struct swp_compiler *compiler, const json_t *row, struct swp_fact_row *fact)
{
	int r = 0;

	if (json_object_get(row, "subject"))
		r = swp_expression_compile(compiler, row, "subject", &fact->subject);
	if (r == 0)
		r = swp_expression_compile(compiler, row, "value", &fact->value);
	return swp_told(r);
}

static int build_relation(struct swp_compiler *compiler, const json_t *row, struct swp_fact_row *fact)
{
	const json_t *for_each = json_object_get(row, "for_each");
	int r = 0;

	if (for_each && !json_is_object(for_each)) {
		swp_lint_fault(compiler->lint, row, "for_each",
			"'for_each' of a relation takes {in, as, where, type}");
		return 0;
	}
	if (for_each)
		r = swp_elements_compile(compiler, for_each, &fact->elements);
	if (r != 0)
		return swp_told(r);
	fact->fan_out = for_each != NULL;
	r = swp_expression_compile(compiler, row, "object", &fact->value);
	if (for_each)
		swp_elements_leave(compiler);
	return swp_told(r);
}

static int build_facts(struct resource_builder *self)
{
	static const char *const lists[] = {"facts", "relations"};
	struct swp_resource *resource = self->resource;
	size_t most = json_array_size(json_object_get(self->row, lists[0])) +
		      json_array_size(json_object_get(self->row, lists[1]));
	int r = 0;

	resource->facts = swp_region_alloc(region_of(self), (most + 1) * sizeof(*resource->facts));
	if (!resource->facts)
		return -ENOMEM;
	for (size_t relation = 0; relation < 2; relation++) {
		const json_t *list = json_object_get(self->row, lists[relation]);

		for (size_t i = 0; i < json_array_size(list) && r == 0; i++) {
			const json_t *row = json_array_get(list, i);
			struct swp_fact_row *fact = &resource->facts[resource->fact_count++];
			struct swp_compiler compiler = compiler_of(self);

			fact->relation = relation == 1;
			fact->name = text_of(row, relation ? "relation" : "fact");
			r = relation ? build_relation(&compiler, row, fact)
				     : build_fact(&compiler, row, fact);
			fact->steps = swp_model_steps_of_roots(resource, compiler.used);
		}
	}
	return r;
}

/* --- a resource --- */

static enum swp_level level_of(const json_t *row, const struct swp_service *service)
{
	const char *level = text_of(row, "level");

	if (swp_text_equal(level, "organization"))
		return SWP_LEVEL_ORGANIZATION;
	if (level)
		return swp_text_equal(level, "global") ? SWP_LEVEL_GLOBAL : SWP_LEVEL_REGION;
	return service->aws.scope == SWP_SCOPE_GLOBAL ? SWP_LEVEL_GLOBAL : SWP_LEVEL_REGION;
}

static int build_conditions(struct resource_builder *self)
{
	struct swp_resource *resource = self->resource;
	struct swp_compiler compiler = compiler_of(self);
	int r = 0;

	if (json_object_get(self->row, "skip_when"))
		r = swp_told(swp_predicate_compile(&compiler, self->row, "skip_when", &resource->skip_when));
	resource->skip_roots = compiler.used;
	if (r == 0 && json_object_get(self->row, "use_when"))
		r = swp_told(swp_predicate_compile(&compiler, self->row, "use_when", &resource->use_when));
	if (resource->skip_when && !resource->has_list)
		swp_lint_fault(
			self->builder->lint, self->row, "skip_when", "only what is listed can be skipped");
	if (resource->use_when && (resource->has_list || !resource->use))
		swp_lint_fault(self->builder->lint, self->row, "use_when",
			"'use_when' belongs to 'use' of what is not listed");
	return r;
}

static int build_identity(struct resource_builder *self)
{
	struct swp_compiler compiler = compiler_of(self);

	compiler.names.root_count = self->resource->has_list ? SWP_ROOT_STEPS : 1;
	return swp_told(swp_template_compile(&compiler, self->row, "identity", &self->resource->identity));
}

static void check_resource(struct resource_builder *self, const json_t *resources)
{
	const struct swp_resource *resource = self->resource;

	if (!resource->has_list && resource->step_count == 0)
		swp_lint_fault(
			self->builder->lint, resources, resource->name, "a resource has a 'list' or 'steps'");
	if (resource->service && resource->service->probe_count < 2)
		swp_lint_fault(self->builder->lint, self->row, "service",
			"service '%s' has no probe set of at least two list calls",
			resource->service->aws.name);
}

static int build_resource(struct swp_builder *builder, const json_t *resources, struct swp_resource *resource)
{
	struct resource_builder self = {.builder = builder,
		.row = json_object_get(resources, resource->name),
		.resource = resource,
		.roots = {"job", "list"},
		.root_count = SWP_ROOT_STEPS};
	static int (*const parts[])(struct resource_builder * self) = {
		build_list, build_steps, build_identity, build_conditions, build_facts};
	int r = 0;

	if (!swp_shape_check(builder->lint, resources, resource->name, &swp_shape_resource))
		return 0;
	resource->service = swp_builder_service(builder, text_of(self.row, "service"));
	if (!resource->service) {
		swp_builder_unknown(builder, self.row, "service", "service", text_of(self.row, "service"),
			swp_builder_section(builder, "services"));
		return 0;
	}
	resource->level = level_of(self.row, resource->service);
	resource->use = text_of(self.row, "use");
	resource->expected = (unsigned)json_number_value(json_object_get(self.row, "expected"));
	for (size_t i = 0; i < SWP_ARRAY_SIZE(parts) && r == 0; i++)
		r = parts[i](&self);
	check_resource(&self, resources);
	return r;
}

int swp_model_build_resources(struct swp_builder *builder)
{
	struct swp_catalogue *catalogue = builder->catalogue;
	const json_t *resources = swp_builder_section(builder, "resources");
	const char **names = swp_builder_keys(builder, resources, &catalogue->resource_count);
	int r = 0;

	catalogue->resources = swp_region_alloc(
		catalogue->region, (catalogue->resource_count + 1) * sizeof(*catalogue->resources));
	if (!names || !catalogue->resources)
		return -ENOMEM;
	for (size_t i = 0; i < catalogue->resource_count && r == 0; i++) {
		catalogue->resources[i].name = names[i];
		catalogue->resources[i].index = i;
		r = build_resource(builder, resources, &catalogue->resources[i]);
	}
	return r;
}
