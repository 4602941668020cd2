/* The evaluation machine: what a job needs, and its life from the first call to the cells. */
#include "checks/evaluation.h"

#include <errno.h>
#include <string.h>

#include "checks/evaluation-internal.h"
#include "proto/base/alloc.h"
#include "proto/base/text.h"

static const char *const status_names[] = {
	[SWP_STATUS_PASS] = "PASS",
	[SWP_STATUS_FAIL] = "FAIL",
	[SWP_STATUS_NOT_APPLICABLE] = "NOT_APPLICABLE",
	[SWP_STATUS_NOT_ASSESSED] = "NOT_ASSESSED",
};
static const char *const not_applicable_names[] = {
	[SWP_NOT_APPLICABLE_NONE] = "",
	[SWP_NOT_APPLICABLE_NO_RESOURCE] = "no-resource",
	[SWP_NOT_APPLICABLE_NOT_MEANINGFUL] = "not-meaningful",
	[SWP_NOT_APPLICABLE_NOT_OFFERED] = "not-offered",
	[SWP_NOT_APPLICABLE_CLOSED_BY_SCP] = "closed-by-scp",
};

const char *swp_status_name(enum swp_status status)
{
	return status_names[status];
}

const char *swp_not_applicable_name(enum swp_not_applicable reason)
{
	return not_applicable_names[reason];
}

/* --- making --- */

static int plan_checks(struct swp_resource_run *run)
{
	struct swp_evaluation *evaluation = run->evaluation;
	const struct swp_catalogue *catalogue = evaluation->catalogue;

	run->checks = swp_calloc(catalogue->check_count ? catalogue->check_count : 1, sizeof(*run->checks));
	if (!run->checks)
		return -ENOMEM;
	for (size_t i = 0; i < catalogue->check_count; i++) {
		const struct swp_check_row *check = &catalogue->checks[i];

		if (check->resource != run->resource || check->check.joined ||
			!swp_selection_has(evaluation->job.selection, i))
			continue;
		run->checks[run->check_count++] = i;
		evaluation->cells[i].selected = true;
		evaluation->cells[i].run = run;
	}
	for (size_t i = 0; i < run->resource->fact_count; i++)
		run->wants_facts = run->wants_facts ||
				   swp_wanted_facts_has(evaluation->facts, run->resource->facts[i].name);
	return 0;
}

static int plan_runs(struct swp_evaluation *evaluation)
{
	const struct swp_catalogue *catalogue = evaluation->catalogue;
	int r = 0;

	for (size_t i = 0; i < catalogue->resource_count && r == 0; i++) {
		const struct swp_resource *resource = &catalogue->resources[i];
		struct swp_resource_needs needs = swp_resource_needs_of(
			catalogue, evaluation->job.selection, evaluation->facts, resource);
		struct swp_resource_run *run = &evaluation->runs[evaluation->run_count];

		if (!needs.needed || resource->level != evaluation->job.level)
			continue;
		evaluation->run_count++;
		run->evaluation = evaluation;
		run->resource = resource;
		run->steps = needs.steps;
		run->seen = swp_map_new();
		run->job_sources = swp_calloc(
			resource->step_count ? resource->step_count : 1, sizeof(*run->job_sources));
		r = run->seen && run->job_sources ? plan_checks(run) : -ENOMEM;
	}
	return r;
}

static int start_call(struct swp_resource_run *run, const struct swp_operation *operation,
	const struct swp_input *input, struct swp_call_wish wish, struct swp_source **ret_source)
{
	struct swp_value roots[SWP_ROOT_STEPS] = {
		{.state = SWP_VALUE_READ, .json = run->evaluation->job_root, .malformed = &swp_gap_job}};
	struct swp_scope scope = swp_scope_of(run->evaluation, roots);
	const struct swp_gap *gap = NULL;
	int r = swp_input_build(input, &scope, &operation->malformed, &wish.input, &gap);

	if (r < 0 || gap)
		return r < 0 ? r : -EINVAL;
	wish.operation = operation;
	wish.held = true;
	return swp_source_get(run->evaluation, &wish, ret_source);
}

static int start_calls(struct swp_resource_run *run)
{
	const struct swp_resource *resource = run->resource;
	int r = 0;

	if (resource->has_list)
		r = start_call(run, resource->list, &resource->list_input,
			(struct swp_call_wish){.items = resource->list_items, .stream = run}, &run->list);
	for (size_t i = 0; i < resource->step_count && r == 0; i++) {
		const struct swp_step *step = &resource->steps[i];

		if (step->of_job && run->steps >> i & 1)
			r = start_call(run, step->operation, &step->input,
				(struct swp_call_wish){.items = step->items, .whole = resource->has_list},
				&run->job_sources[i]);
	}
	return r;
}

static int start(struct swp_evaluation *evaluation)
{
	const struct swp_evaluation_job *job = &evaluation->job;
	int r;

	evaluation->job_root = json_pack("{s:s,s:s,s:s,s:s,s:s}", "partition", job->partition, "account",
		job->account, "region", job->region, "organization",
		job->organization_id ? job->organization_id : "", "management",
		job->management_account ? job->management_account : "");
	if (!evaluation->job_root || !evaluation->facts || !evaluation->calls || !evaluation->vanished ||
		!evaluation->services || !evaluation->runs || !evaluation->cells)
		return -ENOMEM;
	r = plan_runs(evaluation);
	for (size_t i = 0; i < evaluation->run_count && r == 0; i++)
		r = start_calls(&evaluation->runs[i]);
	for (size_t i = 0; i < evaluation->run_count && r == 0; i++) {
		if (!evaluation->runs[i].resource->has_list)
			r = swp_run_start_subject(&evaluation->runs[i]);
	}
	return r;
}

struct swp_evaluation *swp_evaluation_new(struct swp_catalogue *catalogue,
	const struct swp_evaluation_job *job, const struct swp_evaluation_sink *sink)
{
	struct swp_evaluation *evaluation = swp_calloc(1, sizeof(*evaluation));

	if (!evaluation)
		return NULL;
	evaluation->catalogue = catalogue;
	evaluation->job = *job;
	evaluation->sink = sink;
	if (!job->wanted)
		evaluation->own_facts = swp_wanted_facts_new(catalogue, job->selection);
	evaluation->facts = job->wanted ? job->wanted : evaluation->own_facts;
	evaluation->calls = swp_map_new();
	evaluation->vanished = swp_map_new();
	evaluation->services = swp_calloc(catalogue->service_count + 1, sizeof(*evaluation->services));
	evaluation->runs = swp_calloc(catalogue->resource_count + 1, sizeof(*evaluation->runs));
	evaluation->cells = swp_calloc(catalogue->check_count + 1, sizeof(*evaluation->cells));
	if (start(evaluation) < 0) {
		swp_evaluation_free(evaluation);
		return NULL;
	}
	return evaluation;
}

static void run_done(struct swp_resource_run *run)
{
	while (run->items)
		swp_item_free(run->items);
	swp_map_free(run->seen, NULL);
	swp_free(run->checks);
	swp_free(run->job_sources);
	swp_free(run->gap);
	swp_free(run->fact_gap);
	swp_free(run->arn);
}

void swp_evaluation_free(struct swp_evaluation *evaluation)
{
	if (!evaluation)
		return;
	for (size_t i = 0; evaluation->runs && i < evaluation->run_count; i++)
		run_done(&evaluation->runs[i]);
	if (evaluation->calls)
		swp_walks_free(evaluation);
	swp_map_free(evaluation->calls, NULL);
	swp_map_free(evaluation->vanished, NULL);
	for (size_t i = 0; evaluation->services && i < evaluation->catalogue->service_count; i++)
		swp_free(evaluation->services[i].probes);
	for (size_t i = 0; evaluation->cells && i < evaluation->catalogue->check_count; i++) {
		json_decref(evaluation->cells[i].held.evidence);
		swp_free(evaluation->cells[i].held.note);
	}
	swp_wanted_facts_free(evaluation->own_facts);
	json_decref(evaluation->job_root);
	swp_free(evaluation->open);
	swp_free(evaluation->free_slots);
	swp_free(evaluation->services);
	swp_free(evaluation->runs);
	swp_free(evaluation->cells);
	swp_free(evaluation);
}

/* --- open calls: an id is a slot and its generation, so that an answer that comes twice is noticed --- */

enum { SLOT_BITS = 20, SLOT_MASK = (1 << SLOT_BITS) - 1 };

static int grow_slots(struct swp_evaluation *evaluation)
{
	size_t capacity = evaluation->open_capacity ? evaluation->open_capacity * 2 : 64;
	struct swp_open_call *open;
	uint32_t *slots;

	if (capacity > SLOT_MASK)
		return -ENOMEM;
	open = swp_realloc(evaluation->open, capacity * sizeof(*open));
	if (!open)
		return -ENOMEM;
	evaluation->open = open;
	slots = swp_realloc(evaluation->free_slots, capacity * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	evaluation->free_slots = slots;
	memset(open + evaluation->open_capacity, 0, (capacity - evaluation->open_capacity) * sizeof(*open));
	for (size_t i = capacity; i-- > evaluation->open_capacity;)
		slots[evaluation->free_count++] = (uint32_t)i;
	evaluation->open_capacity = capacity;
	return 0;
}

bool swp_evaluation_next(struct swp_evaluation *evaluation, struct swp_wanted_call *ret_call)
{
	struct swp_walk *walk;
	uint32_t slot;

	if (evaluation->failed < 0)
		return false;
	if (evaluation->free_count == 0 && grow_slots(evaluation) < 0) {
		evaluation->failed = -ENOMEM;
		return false;
	}
	walk = swp_walk_next(evaluation);
	if (!walk)
		return false;
	slot = evaluation->free_slots[--evaluation->free_count];
	evaluation->open[slot].walk = walk;
	evaluation->open[slot].generation =
		(evaluation->open[slot].generation + 1) & (UINT32_MAX >> SLOT_BITS);
	evaluation->open_count++;
	walk->id = evaluation->open[slot].generation << SLOT_BITS | slot;
	*ret_call = (struct swp_wanted_call){.id = walk->id,
		.operation = &walk->operation->aws,
		.input = walk->input,
		.token = walk->token,
		.gone = walk->operation->gone,
		.gone_count = walk->operation->gone_count};
	return true;
}

static struct swp_walk *take_open(struct swp_evaluation *evaluation, uint32_t id)
{
	uint32_t slot = id & SLOT_MASK;
	struct swp_walk *walk;

	if (slot >= evaluation->open_capacity || !evaluation->open[slot].walk ||
		evaluation->open[slot].walk->id != id)
		return NULL;
	walk = evaluation->open[slot].walk;
	evaluation->open[slot].walk = NULL;
	evaluation->free_slots[evaluation->free_count++] = slot;
	evaluation->open_count--;
	return walk;
}

int swp_evaluation_answer(
	struct swp_evaluation *evaluation, uint32_t id, const struct swp_evaluation_answer *answer)
{
	struct swp_walk *walk = take_open(evaluation, id);
	int r;

	if (!walk)
		return -EINVAL;
	if (evaluation->failed < 0)
		return evaluation->failed;
	r = swp_walk_answer(evaluation, walk, answer);
	if (r < 0)
		evaluation->failed = r;
	return r;
}

bool swp_evaluation_is_idle(const struct swp_evaluation *evaluation)
{
	return evaluation->open_count == 0 && !evaluation->urgent.first && !evaluation->pages.first;
}

int swp_evaluation_finish(struct swp_evaluation *evaluation, enum swp_reason unread)
{
	if (evaluation->failed < 0)
		return evaluation->failed;
	evaluation->closing = unread != SWP_REASON_NONE ? unread : SWP_REASON_CANCELLED;
	evaluation->failed = swp_walks_close(evaluation);
	if (evaluation->failed == 0)
		evaluation->failed = swp_finish_cells(evaluation);
	return evaluation->failed;
}

uint64_t swp_evaluation_vanished(const struct swp_evaluation *evaluation)
{
	return swp_map_count(evaluation->vanished);
}
