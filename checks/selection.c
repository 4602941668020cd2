/* What a set of checks needs: resources, facts, calls, IAM actions, services. */
#include "checks/catalogue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "checks/chain-plan.h"
#include "checks/evaluation.h"
#include "checks/model.h"
#include "checks/text-pool.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/base/text.h"

/* --- the set --- */

void swp_selection_all(const struct swp_catalogue *catalogue, struct swp_selection *ret_selection)
{
	*ret_selection = (struct swp_selection){{0}};
	for (size_t i = 0; i < catalogue->check_count; i++)
		swp_selection_set(ret_selection, i, true);
}

int swp_selection_parse(
	const struct swp_catalogue *catalogue, const char *ids, struct swp_selection *ret_selection)
{
	*ret_selection = (struct swp_selection){{0}};
	while (*ids) {
		size_t length = strcspn(ids, ",");
		SWP_CLEANUP(swp_free_pointer) char *id = swp_strndup(ids, length);
		int index = id ? swp_catalogue_check_find(catalogue, id) : -1;

		if (index < 0)
			return id ? -EBADMSG : -ENOMEM;
		swp_selection_set(ret_selection, (size_t)index, true);
		ids += length + (ids[length] == ',');
	}
	return 0;
}

bool swp_selection_has(const struct swp_selection *selection, size_t index)
{
	return index / 8 < sizeof(selection->bits) && (selection->bits[index / 8] >> (index % 8) & 1);
}

void swp_selection_set(struct swp_selection *selection, size_t index, bool on)
{
	unsigned char bit = (unsigned char)(1u << (index % 8));

	SWP_ASSERT(index / 8 < sizeof(selection->bits));
	selection->bits[index / 8] =
		(unsigned char)(on ? selection->bits[index / 8] | bit : selection->bits[index / 8] & ~bit);
}

size_t swp_selection_count(const struct swp_catalogue *catalogue, const struct swp_selection *selection)
{
	size_t count = 0;

	for (size_t i = 0; i < catalogue->check_count; i++)
		count += swp_selection_has(selection, i);
	return count;
}

size_t swp_selection_count_level(
	const struct swp_catalogue *catalogue, const struct swp_selection *selection, enum swp_level level)
{
	size_t count = 0;

	for (size_t i = 0; i < catalogue->check_count; i++)
		count += swp_selection_has(selection, i) && catalogue->checks[i].check.level == level;
	return count;
}

/* --- facts that chains and joined checks want --- */

struct swp_wanted_facts {
	struct swp_text_pool *pools[2];
	struct swp_plans *plans[2]; /* inside an account, and over accounts */
};

void swp_wanted_facts_free(struct swp_wanted_facts *wanted)
{
	if (!wanted)
		return;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(wanted->plans); i++) {
		swp_plans_free(wanted->plans[i]);
		swp_text_pool_free(wanted->pools[i]);
	}
	swp_free(wanted);
}

struct swp_wanted_facts *swp_wanted_facts_new(
	const struct swp_catalogue *catalogue, const struct swp_selection *selection)
{
	struct swp_wanted_facts *wanted = swp_calloc(1, sizeof(*wanted));

	for (size_t i = 0; wanted && i < SWP_ARRAY_SIZE(wanted->plans); i++) {
		wanted->pools[i] = swp_text_pool_new(SWP_LIMIT_CORRELATION_TEXT_BYTES);
		if (!wanted->pools[i] || swp_plans_new((struct swp_catalogue *)catalogue, selection, i == 1,
						 wanted->pools[i], &wanted->plans[i]) < 0) {
			swp_wanted_facts_free(wanted);
			return NULL;
		}
	}
	return wanted;
}

bool swp_wanted_facts_has(const struct swp_wanted_facts *wanted, const char *name)
{
	return swp_plans_name(wanted->plans[0], name) >= 0 || swp_plans_name(wanted->plans[1], name) >= 0;
}

struct swp_resource_needs swp_resource_needs_of(const struct swp_catalogue *catalogue,
	const struct swp_selection *selection, const struct swp_wanted_facts *wanted,
	const struct swp_resource *resource)
{
	struct swp_resource_needs needs = {0};

	for (size_t i = 0; i < catalogue->check_count; i++) {
		const struct swp_check_row *check = &catalogue->checks[i];

		if (check->resource != resource || !swp_selection_has(selection, i))
			continue;
		needs.needed = true;
		needs.steps |= check->steps;
	}
	for (size_t i = 0; i < resource->fact_count; i++) {
		if (!swp_wanted_facts_has(wanted, resource->facts[i].name))
			continue;
		needs.needed = true;
		needs.steps |= resource->facts[i].steps;
	}
	return needs;
}

/* --- walking what a selection calls --- */

struct call_walk {
	const struct swp_catalogue *catalogue;
	const struct swp_selection *selection;
	struct swp_wanted_facts *wanted;
	/* Each operation that may be called; `times` is an estimate for one job. */
	int (*visit)(const struct swp_operation *operation, unsigned times, void *context);
	void *context;
};

static int walk_resource(const struct call_walk *walk, const struct swp_resource *resource, uint64_t steps)
{
	unsigned times = resource->has_list ? resource->expected : 1;
	int r = resource->has_list ? walk->visit(resource->list, 1, walk->context) : 0;

	for (size_t i = 0; i < resource->step_count && r == 0; i++) {
		const struct swp_step *step = &resource->steps[i];

		if (steps >> i & 1)
			r = walk->visit(step->operation, step->of_job ? 1 : times, walk->context);
	}
	return r;
}

static int walk_calls(struct call_walk *walk, bool any_level, enum swp_level level)
{
	int r = 0;

	walk->wanted = swp_wanted_facts_new(walk->catalogue, walk->selection);
	if (!walk->wanted)
		return -ENOMEM;
	for (size_t i = 0; i < walk->catalogue->resource_count && r == 0; i++) {
		const struct swp_resource *resource = &walk->catalogue->resources[i];
		struct swp_resource_needs needs =
			swp_resource_needs_of(walk->catalogue, walk->selection, walk->wanted, resource);

		if (needs.needed && (any_level || resource->level == level))
			r = walk_resource(walk, resource, needs.steps);
	}
	swp_wanted_facts_free(walk->wanted);
	return r;
}

bool swp_selection_needs_level(
	const struct swp_catalogue *catalogue, const struct swp_selection *selection, enum swp_level level)
{
	struct swp_wanted_facts *wanted = swp_wanted_facts_new(catalogue, selection);
	bool needed = wanted == NULL; /* out of memory: the job itself will tell */

	for (size_t i = 0; wanted && i < catalogue->resource_count && !needed; i++) {
		const struct swp_resource *resource = &catalogue->resources[i];

		needed = resource->level == level &&
			 swp_resource_needs_of(catalogue, selection, wanted, resource).needed;
	}
	swp_wanted_facts_free(wanted);
	return needed;
}

/* --- services and actions --- */

static int mark_service(const struct swp_operation *operation, unsigned times, void *context)
{
	bool *marks = context;

	(void)times;
	marks[operation->service->index] = true;
	return 0;
}

int swp_selection_services(const struct swp_catalogue *catalogue, const struct swp_selection *selection,
	enum swp_level level, int (*visit)(const struct swp_aws_service *service, void *context),
	void *context)
{
	bool *marks = swp_calloc(catalogue->service_count + 1, sizeof(*marks));
	struct call_walk walk = {
		.catalogue = catalogue, .selection = selection, .visit = mark_service, .context = marks};
	int r = marks ? walk_calls(&walk, false, level) : -ENOMEM;

	for (size_t i = 0; i < catalogue->service_count && r == 0; i++) {
		if (marks[i])
			r = visit(&catalogue->services[i].aws, context);
	}
	swp_free(marks);
	return r;
}

struct action_list {
	const char *signing_name; /* of the services that count; NULL: all */
	const char **actions;
	size_t count, capacity;
};

static int add_action(struct action_list *list, const char *action)
{
	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? list->capacity * 2 : 64;
		const char **actions = swp_realloc(list->actions, capacity * sizeof(*actions));

		if (!actions)
			return -ENOMEM;
		list->actions = actions;
		list->capacity = capacity;
	}
	list->actions[list->count++] = action;
	return 0;
}

/* The operation's action, and those of its service's probe set. */
static int add_actions(const struct swp_operation *operation, unsigned times, void *context)
{
	const char *wanted = ((struct action_list *)context)->signing_name;
	int r;

	(void)times;
	if (wanted && strcmp(wanted, operation->service->aws.signing_name) != 0)
		return 0;
	r = add_action(context, operation->aws.action);
	for (size_t i = 0; i < operation->service->probe_count && r == 0; i++)
		r = add_action(context, operation->service->probe[i]->aws.action);
	return r;
}

int swp_selection_actions(const struct swp_catalogue *catalogue, const struct swp_selection *selection,
	const char *signing_name, int (*visit)(const char *action, void *context), void *context)
{
	struct action_list list = {.signing_name = signing_name};
	struct call_walk walk = {
		.catalogue = catalogue, .selection = selection, .visit = add_actions, .context = &list};
	int r = walk_calls(&walk, true, SWP_LEVEL_REGION);

	if (list.count)
		qsort(list.actions, list.count, sizeof(*list.actions), swp_compare_text_pointers);
	for (size_t i = 0; i < list.count && r == 0; i++) {
		if (i == 0 || strcmp(list.actions[i - 1], list.actions[i]) != 0)
			r = visit(list.actions[i], context);
	}
	swp_free(list.actions);
	return r;
}

struct estimate {
	const struct swp_operation *seen[512]; /* list calls are made once, whoever wants them */
	size_t seen_count;
	unsigned calls;
};

static int estimate_call(const struct swp_operation *operation, unsigned times, void *context)
{
	struct estimate *estimate = context;

	for (size_t i = 0; times == 1 && i < estimate->seen_count; i++) {
		if (estimate->seen[i] == operation)
			return 0;
	}
	if (times == 1 && estimate->seen_count < SWP_ARRAY_SIZE(estimate->seen))
		estimate->seen[estimate->seen_count++] = operation;
	estimate->calls += times;
	return 0;
}

unsigned swp_selection_expected_calls(
	const struct swp_catalogue *catalogue, const struct swp_selection *selection, enum swp_level level)
{
	struct estimate estimate = {0};
	struct call_walk walk = {
		.catalogue = catalogue, .selection = selection, .visit = estimate_call, .context = &estimate};

	return walk_calls(&walk, false, level) == 0 ? estimate.calls : 0;
}
