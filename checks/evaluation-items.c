/* Items: resources being read, step by step. A step starts when all that it reads is settled; when all needed steps are, the item is
 * judged and forgotten.
 */
#include "checks/evaluation-internal.h"

#include <errno.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

static size_t root_of(size_t step)
{
	return SWP_ROOT_STEPS + step;
}

static const struct swp_step *step_of(const struct swp_item *item, size_t step)
{
	return &item->run->resource->steps[step];
}

/* --- life --- */

static struct swp_item *item_new(
	struct swp_resource_run *run, json_t *element, const struct swp_gap *malformed)
{
	size_t steps = run->resource->step_count;
	struct swp_item *item =
		swp_calloc(1, sizeof(*item) + (SWP_ROOT_STEPS + steps) * sizeof(item->roots[0]));
	struct swp_slot *slots = swp_calloc(steps ? steps : 1, sizeof(*slots));

	if (!item || !slots) {
		swp_free(item);
		swp_free(slots);
		return NULL;
	}
	item->run = run;
	item->slots = slots;
	item->roots[SWP_ROOT_JOB] = (struct swp_value){
		.state = SWP_VALUE_READ, .json = run->evaluation->job_root, .malformed = &swp_gap_job};
	if (element)
		item->roots[SWP_ROOT_LIST] = (struct swp_value){
			.state = SWP_VALUE_READ, .json = json_incref(element), .malformed = malformed};
	item->next = run->items;
	if (run->items)
		run->items->previous = item;
	run->items = item;
	return item;
}

static void slot_done(struct swp_item *item, struct swp_slot *slot)
{
	struct swp_evaluation *evaluation = item->run->evaluation;

	if (slot->source) {
		swp_source_unwait(slot->source, &slot->waiter);
		swp_source_release(evaluation, slot->source);
	}
	for (size_t i = 0; slot->fan && i < slot->fan->count; i++) {
		if (!slot->fan->sources[i])
			continue;
		if (slot->fan->waiters)
			swp_source_unwait(slot->fan->sources[i], &slot->fan->waiters[i]);
		swp_source_release(evaluation, slot->fan->sources[i]);
	}
	if (slot->fan) {
		swp_free(slot->fan->sources);
		swp_free(slot->fan->waiters);
		swp_free(slot->fan->unmade);
	}
	swp_free(slot->fan);
	json_decref(slot->own);
	swp_free(slot->gaps);
}

void swp_item_free(struct swp_item *item)
{
	if (item->previous)
		item->previous->next = item->next;
	else
		item->run->items = item->next;
	if (item->next)
		item->next->previous = item->previous;
	for (size_t i = 0; i < item->run->resource->step_count; i++)
		slot_done(item, &item->slots[i]);
	json_decref(item->roots[SWP_ROOT_LIST].json);
	swp_free(item->slots);
	swp_free(item->arn);
	swp_free(item);
}

/* --- values of steps --- */

static bool required_fits(const struct swp_required *required, const json_t *value)
{
	if (!value || !swp_type_fits(required->type, value))
		return false;
	if (required->may_be_empty)
		return true;
	if (json_is_string(value))
		return json_string_length(value) > 0;
	return !json_is_array(value) || json_array_size(value) > 0;
}

static int check_one(const struct swp_found *found, void *context)
{
	return !required_fits(context, found->json);
}

/* Does the document have the members that it must have? */
static bool has_required(const struct swp_required *required, size_t count, const json_t *document)
{
	struct swp_scope scope = {
		.locals = {{.json = document, .malformed = &swp_gap_memory}}, .local_count = 1};
	const struct swp_gap *gap = NULL;

	for (size_t i = 0; i < count; i++) {
		struct swp_required one = required[i];

		if (!one.path.many) {
			if (!required_fits(&one, swp_path_find(&one.path, &scope).json))
				return false;
		} else if (swp_path_each(&one.path, &scope, check_one, &one, &gap) != 0 || gap) {
			return false;
		}
	}
	return true;
}

static struct swp_value unread(const struct swp_gap *gap)
{
	return (struct swp_value){.state = SWP_VALUE_UNREAD, .gap = gap};
}

/* Elements that lack what they must have are unknown. */
static int check_elements(const struct swp_step *step, struct swp_slot *slot, const json_t *list)
{
	size_t count = json_array_size(list);
	const struct swp_gap **gaps;

	if (step->required_count == 0 || count <= slot->gap_count)
		return 0;
	gaps = swp_realloc(slot->gaps, count * sizeof(*gaps));
	if (!gaps)
		return -ENOMEM;
	slot->gaps = gaps;
	for (; slot->gap_count < count; slot->gap_count++) {
		const json_t *element = json_array_get(list, slot->gap_count);

		gaps[slot->gap_count] = has_required(step->required, step->required_count, element)
						? NULL
						: &step->operation->malformed;
	}
	return 0;
}

static int list_value(const struct swp_step *step, struct swp_slot *slot, const struct swp_source *source,
	const struct swp_gap *gap, struct swp_value *ret_value)
{
	int r = check_elements(step, slot, source->json);

	*ret_value = (struct swp_value){.state = SWP_VALUE_READ,
		.json = source->json,
		.gap = gap,
		.element_gaps = slot->gaps,
		.malformed = &step->operation->malformed};
	return r;
}

static struct swp_value gone_value(const struct swp_step *step, const struct swp_source *source)
{
	if (step->gone == SWP_GONE_ABSENT)
		return (struct swp_value){.state = SWP_VALUE_ABSENT};
	return unread(&source->note->gap);
}

static int source_value(const struct swp_step *step, struct swp_slot *slot, const struct swp_source *source,
	struct swp_value *ret_value)
{
	switch (source->state) {
	case SWP_SOURCE_READ:
		break;
	case SWP_SOURCE_GONE:
		*ret_value = gone_value(step, source);
		return 0;
	default:
		*ret_value = unread(source->note ? &source->note->gap : &swp_gap_pending);
		return 0;
	}
	if (step->items.count)
		return list_value(step, slot, source, source->note ? &source->note->gap : NULL, ret_value);
	if (!has_required(step->required, step->required_count, source->json))
		*ret_value = unread(&step->operation->malformed);
	else
		*ret_value = (struct swp_value){.state = SWP_VALUE_READ,
			.json = source->json,
			.gap = source->note ? &source->note->gap : NULL,
			.malformed = &step->operation->malformed};
	return 0;
}

/* --- fan-out --- */

/* Appends what one call of a fan-out brought; `gap` for an element that is unknown. */
static int fan_append(struct swp_slot *slot, json_t *value, const struct swp_gap *gap)
{
	size_t count = json_array_size(slot->own);
	const struct swp_gap **gaps = swp_realloc(slot->gaps, (count + 1) * sizeof(*gaps));

	if (!gaps)
		return -ENOMEM;
	slot->gaps = gaps;
	gaps[count] = gap;
	slot->gap_count = count + 1;
	return json_array_append_new(slot->own, gap ? json_null() : json_incref(value)) < 0 ? -ENOMEM : 0;
}

static int fan_take(const struct swp_step *step, struct swp_slot *slot, size_t element)
{
	struct swp_fan *fan = slot->fan;
	const struct swp_source *source = fan->sources[element];
	int r = 0;

	if (!source)
		return fan_append(slot, NULL, fan->unmade[element]);
	if (source->state == SWP_SOURCE_GONE && step->gone != SWP_GONE_UNREAD)
		return 0;
	if (source->state != SWP_SOURCE_READ)
		return fan_append(slot, NULL, &source->note->gap);
	if (step->items.count == 0) {
		bool whole = has_required(step->required, step->required_count, source->json);

		return fan_append(slot, source->json, whole ? NULL : &step->operation->malformed);
	}
	for (size_t i = 0; i < json_array_size(source->json) && r == 0; i++) {
		json_t *one = json_array_get(source->json, i);
		bool whole = has_required(step->required, step->required_count, one);

		r = fan_append(slot, one, whole ? NULL : &step->operation->malformed);
	}
	if (source->note)
		fan->gap = swp_gap_first(fan->gap, &source->note->gap);
	return r;
}

static int fan_value(const struct swp_step *step, struct swp_slot *slot, struct swp_value *ret_value)
{
	int r = 0;

	slot->own = json_array();
	if (!slot->own)
		return -ENOMEM;
	for (size_t i = 0; i < slot->fan->count && r == 0; i++)
		r = fan_take(step, slot, i);
	*ret_value = (struct swp_value){.state = SWP_VALUE_READ,
		.json = slot->own,
		.gap = slot->fan->gap,
		.element_gaps = slot->gaps,
		.malformed = &step->operation->malformed};
	return r;
}

/* --- starting steps --- */

int swp_input_build(const struct swp_input *input, struct swp_scope *scope, const struct swp_gap *malformed,
	json_t **ret_input, const struct swp_gap **ret_gap)
{
	json_t *built = json_object();
	int r = built ? 0 : -ENOMEM;

	*ret_gap = NULL;
	for (size_t i = 0; i < input->count && r == 0 && !*ret_gap; i++) {
		struct swp_evaluated value = {0};

		r = swp_expression_evaluate(input->members[i].value, scope, &value);
		/* What an answer told to ask for next is a name: a text that is not empty. */
		if (r == 0 && (!value.value || (!swp_expression_is_own(input->members[i].value) &&
						       json_string_length(value.value) == 0))) {
			*ret_gap = value.gap ? value.gap : malformed;
			json_decref(value.value);
		} else if (r == 0 && json_object_set_new(built, input->members[i].name, value.value) < 0)
			r = -ENOMEM;
	}
	if (r == 0 && !*ret_gap)
		*ret_input = built;
	else
		json_decref(built);
	return r;
}

static struct swp_call_wish wish_of(const struct swp_item *item, const struct swp_step *step, json_t *input)
{
	return (struct swp_call_wish){.operation = step->operation,
		.input = input,
		.items = step->items,
		.urgent = true,
		.shareable = step->shareable,
		.whole = item->run->resource->has_list || step->fan_out};
}

struct fan_start {
	struct swp_item *item;
	const struct swp_step *step;
	struct swp_scope *scope;
	struct swp_fan *fan;
	size_t capacity;
	int error;
};

static int fan_grow(struct fan_start *start)
{
	struct swp_fan *fan = start->fan;
	size_t capacity = start->capacity ? start->capacity * 2 : 8;
	struct swp_source **sources = swp_realloc(fan->sources, capacity * sizeof(*sources));
	const struct swp_gap **unmade;

	if (!sources)
		return -ENOMEM;
	fan->sources = sources;
	unmade = swp_realloc(fan->unmade, capacity * sizeof(*unmade));
	if (!unmade)
		return -ENOMEM;
	fan->unmade = unmade;
	start->capacity = capacity;
	return 0;
}

static int fan_element(const struct swp_found *found, void *context)
{
	static const struct swp_gap too_many = {.reason = SWP_REASON_LIMIT_REACHED,
		.action = "",
		.error_code = "",
		.message = "too many elements",
		.request_id = ""};
	struct fan_start *start = context;
	struct swp_fan *fan = start->fan;
	const struct swp_gap *gap = found->gap;
	json_t *input = NULL;

	if (fan->count == SWP_LIMIT_FAN_OUT) {
		fan->gap = swp_gap_first(fan->gap, &too_many);
		return 1;
	}
	if (fan->count == start->capacity && fan_grow(start) < 0) {
		start->error = -ENOMEM;
		return 1;
	}
	start->scope->locals[0] =
		(struct swp_local){.json = found->json, .gap = found->gap, .malformed = found->malformed};
	start->scope->local_count = 1;
	if (!gap)
		start->error = swp_input_build(
			&start->step->input, start->scope, &start->step->operation->malformed, &input, &gap);
	start->scope->local_count = 0;
	fan->sources[fan->count] = NULL;
	fan->unmade[fan->count] = gap;
	if (start->error == 0 && !gap) {
		struct swp_call_wish wish = wish_of(start->item, start->step, input);

		start->error = swp_source_get(start->item->run->evaluation, &wish, &fan->sources[fan->count]);
	}
	fan->count += start->error == 0;
	return start->error;
}

/* 1: the step has its value already. */
static int start_fan(struct swp_item *item, const struct swp_step *step, struct swp_scope *scope)
{
	struct swp_slot *slot = &item->slots[step->index];
	struct fan_start start = {.item = item, .step = step, .scope = scope};
	const struct swp_gap *gap = NULL;

	slot->fan = start.fan = swp_calloc(1, sizeof(*start.fan));
	if (!start.fan)
		return -ENOMEM;
	swp_path_each(&step->for_each, scope, fan_element, &start, &gap);
	start.fan->gap = swp_gap_first(start.fan->gap, gap);
	start.fan->waiters = swp_calloc(start.fan->count ? start.fan->count : 1, sizeof(*start.fan->waiters));
	if (start.error < 0 || !start.fan->waiters)
		return -ENOMEM;
	for (size_t i = 0; i < start.fan->count; i++) {
		struct swp_source *source = start.fan->sources[i];

		if (!source || source->state != SWP_SOURCE_PENDING)
			continue;
		swp_source_wait(source, &start.fan->waiters[i], item, step->index, i);
		start.fan->pending++;
	}
	return start.fan->pending == 0;
}

/* 1: settled at once. */
static int start_call(struct swp_item *item, const struct swp_step *step, struct swp_scope *scope)
{
	struct swp_slot *slot = &item->slots[step->index];
	struct swp_source *of_job = item->run->job_sources[step->index];
	const struct swp_gap *gap = NULL;
	json_t *input = NULL;
	int r = 0;

	if (of_job) {
		of_job->users++;
		slot->source = of_job;
	} else {
		r = swp_input_build(&step->input, scope, &step->operation->malformed, &input, &gap);
		if (r < 0)
			return r;
		if (gap) {
			item->roots[root_of(step->index)] = unread(gap);
			return 1;
		}
		struct swp_call_wish wish = wish_of(item, step, input);

		r = swp_source_get(item->run->evaluation, &wish, &slot->source);
	}
	if (r < 0 || slot->source->state != SWP_SOURCE_PENDING)
		return r < 0 ? r : 1;
	swp_source_wait(slot->source, &slot->waiter, item, step->index, 0);
	return 0;
}

static int start_step(struct swp_item *item, const struct swp_step *step)
{
	struct swp_scope scope = swp_item_scope(item);
	struct swp_truth when = {.value = SWP_TRUE};

	item->started |= UINT64_C(1) << step->index;
	if (step->when)
		when = swp_predicate_evaluate(step->when, &scope);
	if (when.value == SWP_FALSE)
		item->roots[root_of(step->index)] = (struct swp_value){.state = SWP_VALUE_ABSENT};
	if (when.value == SWP_UNKNOWN)
		item->roots[root_of(step->index)] = unread(when.gap);
	if (when.value != SWP_TRUE)
		return 1;
	return step->fan_out ? start_fan(item, step, &scope) : start_call(item, step, &scope);
}

/* --- progress --- */

/* Takes the value of a settled step. 1: the resource is gone. */
static int take_value(struct swp_item *item, const struct swp_step *step)
{
	struct swp_slot *slot = &item->slots[step->index];
	struct swp_value *value = &item->roots[root_of(step->index)];

	item->settled |= UINT64_C(1) << step->index;
	if (slot->fan)
		return fan_value(step, slot, value);
	if (!slot->source)
		return 0;
	if (slot->source->state == SWP_SOURCE_GONE && step->gone == SWP_GONE_VANISHED) {
		int r = swp_map_put(item->run->evaluation->vanished, item->arn, item->run, NULL);

		return r < 0 ? r : 1;
	}
	return source_value(step, slot, slot->source, value);
}

/* Starts what can be started. 1: over (vanished); 0: go on. */
static int start_ready(struct swp_item *item)
{
	const struct swp_resource *resource = item->run->resource;
	bool changed = true;
	int r = 0;

	while (changed && r == 0) {
		changed = false;
		for (size_t i = 0; i < resource->step_count && r == 0; i++) {
			const struct swp_step *step = &resource->steps[i];

			if (!(item->run->steps >> i & 1) || item->started >> i & 1 ||
				step->needs & ~item->settled)
				continue;
			r = start_step(item, step);
			if (r != 1)
				continue;
			changed = true;
			r = take_value(item, step);
		}
	}
	return r;
}

static bool is_skipped(struct swp_item *item)
{
	struct swp_scope scope = swp_item_scope(item);

	return item->run->resource->skip_when &&
	       swp_predicate_evaluate(item->run->resource->skip_when, &scope).value == SWP_TRUE;
}

/* Goes on until it waits, or is over: judged, skipped or gone. */
static int progress(struct swp_item *item)
{
	int r;

	if (item->busy || item->over)
		return 0;
	item->busy = true;
	r = is_skipped(item) ? 1 : start_ready(item);
	if (r == 0 && is_skipped(item))
		r = 1;
	if (r == 0 && (item->run->steps & ~item->settled) == 0) {
		r = swp_judge_item(item);
		item->over = true;
	}
	item->busy = false;
	if (r == 1 || (r == 0 && item->over && item->run->resource->has_list)) {
		item->over = true;
		if (item->run->resource->has_list)
			swp_item_free(item);
	}
	return r < 0 ? r : 0;
}

int swp_item_source_settled(struct swp_item *item, size_t step, size_t element)
{
	struct swp_slot *slot = &item->slots[step];
	int r;

	(void)element;
	if (slot->fan && --slot->fan->pending > 0)
		return 0;
	r = take_value(item, step_of(item, step));
	if (r == 1) {
		swp_item_free(item);
		return 0;
	}
	return r < 0 ? r : progress(item);
}

int swp_item_page(struct swp_item *item, size_t step)
{
	struct swp_slot *slot = &item->slots[step];
	int r;

	if (item->run->resource->has_list || slot->fan || !slot->source)
		return 0;
	r = list_value(
		step_of(item, step), slot, slot->source, &swp_gap_pending, &item->roots[root_of(step)]);
	return r < 0 ? r : swp_judge_early(item, step);
}

bool swp_item_wants_more(const struct swp_item *item, size_t step)
{
	const struct swp_resource_run *run = item->run;

	if (run->resource->has_list || run->wants_facts)
		return true;
	for (size_t i = 0; i < run->check_count; i++) {
		const struct swp_check_row *check = &run->evaluation->catalogue->checks[run->checks[i]];

		if (check->steps >> step & 1 && !run->evaluation->cells[run->checks[i]].held.decided)
			return true;
	}
	return false;
}

/* --- runs --- */

void swp_run_take_gap(struct swp_resource_run *run, struct swp_note *note)
{
	if (!run->gap || swp_gap_first(&run->gap->gap, &note->gap) != &run->gap->gap) {
		swp_free(run->gap);
		run->gap = note;
	} else {
		swp_free(note);
	}
}

static int malformed_element(struct swp_resource_run *run)
{
	struct swp_note *note = swp_note_new(&run->resource->list->malformed, NULL);

	if (!note)
		return -ENOMEM;
	swp_run_take_gap(run, note);
	return 0;
}

/* ARNs are what results are joined on: no blanks, no control characters, of a bearable length. */
static bool is_arn(const char *text)
{
	size_t length = strlen(text);

	for (size_t i = 0; i < length; i++) {
		if ((unsigned char)text[i] <= ' ' || text[i] == 0x7f)
			return false;
	}
	return swp_text_starts(text, "arn:") && length <= SWP_LIMIT_ARN_BYTES;
}

/* ret_arn NULL: the element does not tell who it is. */
static int identify(struct swp_resource_run *run, json_t *element, char **ret_arn)
{
	struct swp_value roots[SWP_ROOT_STEPS] = {
		{.state = SWP_VALUE_READ, .json = run->evaluation->job_root, .malformed = &swp_gap_job},
		{.state = element ? SWP_VALUE_READ : SWP_VALUE_ABSENT,
			.json = element,
			.malformed = &swp_gap_memory}};
	struct swp_scope scope = swp_scope_of(run->evaluation, roots);
	struct swp_evaluated arn = {0};
	int r = swp_expression_evaluate(run->resource->identity, &scope, &arn);

	*ret_arn = NULL;
	if (r == 0 && arn.value && is_arn(json_string_value(arn.value))) {
		*ret_arn = swp_strdup(json_string_value(arn.value));
		r = *ret_arn ? 0 : -ENOMEM;
	}
	json_decref(arn.value);
	return r;
}

int swp_run_take_element(struct swp_resource_run *run, json_t *element)
{
	const struct swp_resource *resource = run->resource;
	struct swp_item *item;
	char *arn = NULL;
	int r = identify(run, element, &arn);

	if (r < 0)
		return r;
	if (!arn)
		return malformed_element(run);
	if (swp_map_get(run->seen, arn)) {
		swp_free(arn);
		return 0;
	}
	item = item_new(run, element, &resource->list->malformed);
	if (!item || swp_map_put(run->seen, arn, run, NULL) < 0) {
		swp_free(arn);
		return -ENOMEM;
	}
	item->arn = arn;
	run->listed++;
	run->used = true;
	if (!has_required(resource->item_required, resource->item_required_count, element))
		item->roots[SWP_ROOT_LIST] = (struct swp_value){.state = SWP_VALUE_UNREAD,
			.json = item->roots[SWP_ROOT_LIST].json,
			.gap = &resource->list->malformed};
	return progress(item);
}

int swp_run_start_subject(struct swp_resource_run *run)
{
	struct swp_item *item;
	int r = identify(run, NULL, &run->arn);

	if (r < 0)
		return r;
	if (!run->arn)
		return -EINVAL;
	item = item_new(run, NULL, NULL);
	if (!item)
		return -ENOMEM;
	item->arn = swp_strdup(run->arn);
	return item->arn ? progress(item) : -ENOMEM;
}
