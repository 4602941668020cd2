/* Checks of the model. */
#include "checks/model-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "checks/chain-lint.h"
#include "checks/shape.h"
#include "proto/base/text.h"

struct check_builder {
	struct swp_builder *builder;
	const json_t *checks, *row;
	struct swp_check_row *check;
	const char *roots[SWP_ROOT_COUNT];
	size_t root_count;
	uint64_t used;
};

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static struct swp_compiler compiler_of(const struct check_builder *self)
{
	return swp_builder_compiler(self->builder, self->roots, self->root_count);
}

static int find_resource(struct check_builder *self)
{
	struct swp_catalogue *catalogue = self->builder->catalogue;
	const char *name = text_of(self->row, "resource");

	for (size_t i = 0; i < catalogue->resource_count; i++) {
		if (swp_text_equal(catalogue->resources[i].name, name))
			self->check->resource = &catalogue->resources[i];
	}
	if (!self->check->resource) {
		swp_builder_unknown(self->builder, self->row, "resource", "resource", name,
			swp_builder_section(self->builder, "resources"));
		return 1;
	}
	self->roots[SWP_ROOT_JOB] = "job";
	self->roots[SWP_ROOT_LIST] = self->check->resource->has_list ? "list" : "";
	self->root_count = SWP_ROOT_STEPS;
	for (size_t i = 0; i < self->check->resource->step_count; i++)
		self->roots[self->root_count++] = self->check->resource->steps[i].name;
	return 0;
}

static int build_predicates(struct check_builder *self)
{
	bool passes = json_object_get(self->row, "pass_when") != NULL;
	bool fails = json_object_get(self->row, "fail_when") != NULL;
	struct swp_compiler compiler = compiler_of(self);
	int r;

	if (passes == fails) {
		swp_lint_fault(self->builder->lint, self->checks, self->check->check.id,
			"one of 'fail_when', 'pass_when' and 'joined' decides a check");
		return 1;
	}
	self->check->predicate_passes = passes;
	r = swp_predicate_compile(
		&compiler, self->row, passes ? "pass_when" : "fail_when", &self->check->predicate);
	if (r == 0 && json_object_get(self->row, "not_applicable_when"))
		r = swp_predicate_compile(
			&compiler, self->row, "not_applicable_when", &self->check->not_applicable_when);
	self->used |= compiler.used;
	return r;
}

static int build_evidence(struct check_builder *self)
{
	const json_t *evidence = json_object_get(self->row, "evidence");
	struct swp_check_row *check = self->check;
	const char **names = swp_builder_keys(self->builder, evidence, &check->evidence_count);
	int r = 0;

	check->evidence = swp_region_alloc(
		self->builder->catalogue->region, (check->evidence_count + 1) * sizeof(*check->evidence));
	if (!names || !check->evidence)
		return -ENOMEM;
	for (size_t i = 0; i < check->evidence_count && r >= 0; i++) {
		struct swp_compiler compiler = compiler_of(self);

		check->evidence[i].name = names[i];
		r = swp_expression_compile(&compiler, evidence, names[i], &check->evidence[i].value);
		self->used |= compiler.used;
		if (json_object_get(json_object_get(evidence, names[i]), "ago"))
			swp_lint_fault(self->builder->lint, evidence, names[i],
				"'ago' is another moment in each sweep: evidence shows what was read");
		if (r == 0 && swp_expression_family(check->evidence[i].value) && check->resource->has_list)
			swp_lint_fault(self->builder->lint, evidence, names[i],
				"'in_use' is for what is not listed: a listed resource is in use");
	}
	return swp_told(r);
}

/* Decided page by page: evidence can't depend on how many more pages another check wanted. */
static bool is_early(const struct swp_check_row *check)
{
	const struct swp_step *step = NULL;

	for (size_t i = 0; i < check->resource->step_count; i++) {
		if (!(check->steps >> i & 1))
			continue;
		if (step)
			return false;
		step = &check->resource->steps[i];
	}
	return step && !check->resource->has_list && step->of_job && step->items.count > 0 &&
	       step->operation->aws.input_token;
}

static int build_judgement(struct check_builder *self)
{
	struct swp_check_row *check = self->check;
	int r;

	if (json_object_get(self->row, "joined")) {
		check->check.joined = true;
		check->check.joined_over_accounts =
			swp_text_equal(text_of(json_object_get(self->row, "joined"), "over"), "organization");
		if (json_object_get(self->row, "pass_when") || json_object_get(self->row, "fail_when"))
			swp_lint_fault(self->builder->lint, self->row, "joined",
				"a joined check has no predicate of its own");
		return swp_joined_lint(
			self->builder->lint, self->builder->catalogue->document, check->check.id);
	}
	r = build_predicates(self);
	if (r == 0)
		r = build_evidence(self);
	check->steps = swp_model_steps_of_roots(check->resource, self->used);
	check->early = is_early(check);
	return swp_told(r);
}

static void check_compliance(struct check_builder *self)
{
	const json_t *list = json_object_get(self->row, "compliance");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);

		if (swp_text_equal(text_of(one, "standing"), "stated") && !json_object_get(one, "source"))
			swp_lint_fault(self->builder->lint, one, "standing", "what is stated has a 'source'");
	}
}

static int build_check(
	struct swp_builder *builder, const json_t *checks, const char *id, struct swp_check_row *check)
{
	struct check_builder self = {
		.builder = builder, .checks = checks, .row = json_object_get(checks, id), .check = check};

	check->check.id = id;
	check->check.document = self.row;
	if (!swp_shape_check(builder->lint, checks, id, &swp_shape_check_row))
		return 0;
	check->check.title = text_of(self.row, "title");
	check->check.service = text_of(self.row, "service");
	swp_severity_parse(text_of(self.row, "severity"), &check->check.severity);
	check_compliance(&self);
	if (find_resource(&self) != 0)
		return 0;
	check->check.level = check->resource->level;
	check->check.per_resource = check->resource->has_list;
	return build_judgement(&self);
}

int swp_model_build_checks(struct swp_builder *builder)
{
	struct swp_catalogue *catalogue = builder->catalogue;
	const json_t *checks = swp_builder_section(builder, "checks");
	const char **ids = swp_builder_keys(builder, checks, &catalogue->check_count);
	int r = 0;

	catalogue->checks = swp_region_alloc(
		catalogue->region, (catalogue->check_count + 1) * sizeof(*catalogue->checks));
	if (!ids || !catalogue->checks)
		return -ENOMEM;
	for (size_t i = 0; i < catalogue->check_count && r == 0; i++)
		r = build_check(builder, checks, ids[i], &catalogue->checks[i]);
	return r;
}
