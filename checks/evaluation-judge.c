/* Judgement: verdicts, evidence, facts, and the cells at the end (contract §2). */
#include "checks/evaluation-internal.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "checks/correlation.h"
#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

struct verdict {
	enum swp_status status;
	const struct swp_gap *gap; /* NOT_ASSESSED */
};

/* Not applicable, bad, or good: only what stays unknown counts. */
static struct verdict judge(const struct swp_check_row *check, struct swp_scope *scope)
{
	struct swp_truth meaningless = {.value = SWP_FALSE}, truth;
	bool holds;

	if (check->not_applicable_when)
		meaningless = swp_predicate_evaluate(check->not_applicable_when, scope);
	if (meaningless.value == SWP_TRUE)
		return (struct verdict){.status = SWP_STATUS_NOT_APPLICABLE};
	truth = swp_predicate_evaluate(check->predicate, scope);
	if (meaningless.value == SWP_UNKNOWN || truth.value == SWP_UNKNOWN)
		return (struct verdict){.status = SWP_STATUS_NOT_ASSESSED,
			.gap = swp_gap_first(meaningless.value == SWP_UNKNOWN ? meaningless.gap : NULL,
				truth.value == SWP_UNKNOWN ? truth.gap : NULL)};
	holds = truth.value == SWP_TRUE;
	return (struct verdict){
		.status = holds == check->predicate_passes ? SWP_STATUS_PASS : SWP_STATUS_FAIL};
}

/* --- evidence --- */

static int add_name(json_t *evidence, const char *list, const char *name)
{
	json_t *names = json_object_get(evidence, list);

	if (!names) {
		names = json_array();
		if (!names || json_object_set_new(evidence, list, names) < 0)
			return -ENOMEM;
	}
	return json_array_append_new(names, json_string(name)) < 0 ? -ENOMEM : 0;
}

static const char *largest_member(const json_t *evidence)
{
	const char *largest = NULL, *key;
	size_t most = 0;
	json_t *value;

	json_object_foreach((json_t *)evidence, key, value)
	{
		size_t bytes = json_dumpb(value, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);

		if (swp_text_equal(key, "left_out") || bytes < most ||
			(bytes == most && largest && strcmp(key, largest) > 0))
			continue;
		most = bytes;
		largest = key;
	}
	return largest;
}

enum {
	ESCAPED_BYTES = 6, /* of one byte of text, at most: \u0000 */
	NUMBER_BYTES = 32, /* of anything that is no text, at most */
};

/* At least the length of the value's JSON: it need not be written to see that it is short, which nearly all are. */
static size_t at_most(const json_t *value)
{
	size_t bytes = NUMBER_BYTES, index;
	const char *key;
	json_t *element;

	if (json_is_string(value))
		bytes += ESCAPED_BYTES * json_string_length(value);
	json_array_foreach(value, index, element) bytes += at_most(element);
	json_object_foreach((json_t *)value, key, element) bytes +=
		NUMBER_BYTES + ESCAPED_BYTES * strlen(key) + at_most(element);
	return bytes;
}

/* What is too long for a result leaves it, the longest member first, and is named. */
static int shorten(json_t *evidence)
{
	int r = 0;

	if (at_most(evidence) <= SWP_LIMIT_EVIDENCE_BYTES)
		return 0;
	while (r == 0 && json_dumpb(evidence, NULL, 0, JSON_COMPACT) > SWP_LIMIT_EVIDENCE_BYTES) {
		const char *largest = largest_member(evidence);

		if (!largest)
			break;
		r = add_name(evidence, "left_out", largest);
		json_object_del(evidence, largest);
	}
	return r;
}

static int evidence_of(const struct swp_check_row *check, struct swp_scope *scope, json_t **ret_evidence)
{
	json_t *evidence = json_object();
	int r = evidence ? 0 : -ENOMEM;

	for (size_t i = 0; i < check->evidence_count && r == 0; i++) {
		const struct swp_evidence_row *row = &check->evidence[i];
		struct swp_evaluated value = {0};

		r = swp_expression_evaluate(row->value, scope, &value);
		if (r < 0 || !value.value)
			continue;
		if (json_object_set_new(evidence, row->name, value.value) < 0)
			r = -ENOMEM;
		else if (value.defaulted)
			r = add_name(evidence, "defaults", row->name);
	}
	if (r == 0)
		r = shorten(evidence);
	if (r == 0)
		*ret_evidence = evidence;
	else
		json_decref(evidence);
	return r;
}

/* --- rows --- */

static void count(struct swp_cell_run *cell, enum swp_status status, enum swp_reason reason)
{
	cell->rows++;
	cell->pass += status == SWP_STATUS_PASS;
	cell->fail += status == SWP_STATUS_FAIL;
	cell->not_applicable += status == SWP_STATUS_NOT_APPLICABLE;
	cell->unread += status == SWP_STATUS_NOT_ASSESSED;
	if (status == SWP_STATUS_NOT_ASSESSED)
		cell->reason = swp_reason_first(cell->reason, reason);
}

/* Our own lack of memory is nothing that AWS said: it ends the job, which is done again elsewhere. */
static bool is_lack_of_memory(const struct swp_gap *gap)
{
	return gap && gap->message == swp_gap_memory.message;
}

/* A gap that is given out has texts, and a reason: what was still pending is unread for the reason of closing. */
static struct swp_gap whole_gap(const struct swp_evaluation *evaluation, const struct swp_gap *gap)
{
	struct swp_gap whole = gap ? *gap : swp_gap_pending;

	if (whole.reason == SWP_REASON_NONE)
		whole.reason =
			evaluation->closing != SWP_REASON_NONE ? evaluation->closing : SWP_REASON_CANCELLED;
	whole.action = whole.action ? whole.action : "";
	whole.error_code = whole.error_code ? whole.error_code : "";
	whole.message = whole.message ? whole.message : "";
	whole.request_id = whole.request_id ? whole.request_id : "";
	return whole;
}

static int give_result(struct swp_evaluation *evaluation, struct swp_result *result)
{
	count(&evaluation->cells[result->check], result->status, result->gap.reason);
	return evaluation->sink->result(evaluation->sink->context, result);
}

static int judge_listed(struct swp_item *item, size_t index)
{
	struct swp_evaluation *evaluation = item->run->evaluation;
	const struct swp_check_row *check = &evaluation->catalogue->checks[index];
	struct swp_scope scope = swp_item_scope(item);
	struct verdict verdict = judge(check, &scope);
	struct swp_result result = {
		.check = index, .status = verdict.status, .resource = item->arn, .gap = swp_gap_pending};
	json_t *evidence = NULL;
	int r = is_lack_of_memory(verdict.gap) ? -ENOMEM : 0;

	if (r < 0)
		return r;
	if (verdict.status == SWP_STATUS_NOT_ASSESSED)
		result.gap = whole_gap(evaluation, verdict.gap);
	else
		r = evidence_of(check, &scope, &evidence);
	if (verdict.status == SWP_STATUS_NOT_APPLICABLE)
		result.not_applicable = SWP_NOT_APPLICABLE_NOT_MEANINGFUL;
	result.evidence = evidence;
	if (r == 0)
		r = give_result(evaluation, &result);
	json_decref(evidence);
	return r;
}

/* What is not listed is held until the end: whether its service is in use, or closed, is known only then. */
static int hold(struct swp_item *item, size_t index, struct verdict verdict, struct swp_scope *scope)
{
	struct swp_evaluation *evaluation = item->run->evaluation;
	struct swp_held *held = &evaluation->cells[index].held;

	if (is_lack_of_memory(verdict.gap))
		return -ENOMEM;
	held->status = verdict.status;
	if (verdict.status == SWP_STATUS_NOT_ASSESSED) {
		struct swp_gap gap = whole_gap(evaluation, verdict.gap);

		held->note = swp_note_new(&gap, NULL);
		if (!held->note)
			return -ENOMEM;
		held->gap = held->note->gap;
	} else {
		int r = evidence_of(&evaluation->catalogue->checks[index], scope, &held->evidence);

		if (r < 0)
			return r;
		held->gap = swp_gap_pending;
	}
	held->decided = true;
	return 0;
}

int swp_judge_early(struct swp_item *item, size_t step)
{
	struct swp_resource_run *run = item->run;
	struct swp_scope scope = swp_item_scope(item);
	int r = 0;

	for (size_t i = 0; i < run->check_count && r == 0; i++) {
		size_t index = run->checks[i];
		const struct swp_check_row *check = &run->evaluation->catalogue->checks[index];
		struct verdict verdict;

		if (!check->early || !(check->steps >> step & 1) ||
			run->evaluation->cells[index].held.decided)
			continue;
		verdict = judge(check, &scope);
		if (verdict.status != SWP_STATUS_NOT_ASSESSED || is_lack_of_memory(verdict.gap))
			r = hold(item, index, verdict, &scope);
	}
	return r;
}

/* --- facts --- */

static int give_fact(struct swp_evaluation *evaluation, struct swp_fact fact)
{
	if (is_lack_of_memory(&fact.gap))
		return -ENOMEM;
	fact.gap = fact.gap.reason == SWP_REASON_NONE ? swp_gap_pending : whole_gap(evaluation, &fact.gap);
	return evaluation->sink->fact(evaluation->sink->context, &fact);
}

/* One relation to what an expression gave. */
static int give_relation(struct swp_evaluation *evaluation, const char *name, const char *subject,
	const struct swp_evaluated *object)
{
	struct swp_fact fact = {.name = name, .subject = subject};

	if (object->gap || (object->value && !json_is_string(object->value)))
		fact.gap = object->gap ? whole_gap(evaluation, object->gap)
				       : (struct swp_gap){.reason = SWP_REASON_MALFORMED_RESPONSE};
	else if (object->value)
		fact.object = json_string_value(object->value);
	else
		fact.value = json_false();
	return give_fact(evaluation, fact);
}

struct relation_walk {
	struct swp_item *item;
	const struct swp_fact_row *row;
	size_t given;
};

static int relation_element(
	struct swp_scope *scope, const json_t *element, struct swp_truth truth, void *context)
{
	struct relation_walk *walk = context;
	struct swp_evaluated object = {0};
	int r = 0;

	(void)element;
	if (truth.value == SWP_FALSE)
		return 0;
	if (truth.value == SWP_UNKNOWN)
		object.gap = truth.gap;
	else
		r = swp_expression_evaluate(walk->row->value, scope, &object);
	if (r == 0 && (object.value || object.gap)) {
		r = give_relation(walk->item->run->evaluation, walk->row->name, walk->item->arn, &object);
		walk->given++;
	}
	json_decref(object.value);
	return r;
}

static int give_relations(struct swp_item *item, const struct swp_fact_row *row, struct swp_scope *scope)
{
	struct swp_evaluation *evaluation = item->run->evaluation;
	struct relation_walk walk = {.item = item, .row = row};
	struct swp_evaluated object = {0};
	int r;

	if (row->fan_out) {
		r = swp_elements_each(&row->elements, scope, relation_element, &walk, &object.gap);
		if (r != 0 || (walk.given && !object.gap))
			return r;
	} else {
		r = swp_expression_evaluate(row->value, scope, &object);
	}
	if (r == 0)
		r = give_relation(evaluation, row->name, item->arn, &object);
	json_decref(object.value);
	return r;
}

static int keep_fact_gap(struct swp_resource_run *run, const struct swp_gap *gap)
{
	struct swp_gap whole = whole_gap(run->evaluation, gap);

	if (!run->fact_gap)
		run->fact_gap = swp_note_new(&whole, NULL);
	return run->fact_gap ? 0 : -ENOMEM;
}

static int give_plain_fact(struct swp_item *item, const struct swp_fact_row *row, struct swp_scope *scope)
{
	struct swp_evaluated subject = {0}, value = {0};
	struct swp_fact fact = {.name = row->name, .subject = item->arn};
	int r = row->subject ? swp_expression_evaluate(row->subject, scope, &subject) : 0;

	if (r < 0)
		return r;
	if (row->subject && !json_is_string(subject.value)) {
		r = keep_fact_gap(item->run,
			subject.gap ? subject.gap : &item->run->resource->service->operations->malformed);
		json_decref(subject.value);
		return r;
	}
	if (row->subject)
		fact.subject = json_string_value(subject.value);
	r = swp_expression_evaluate(row->value, scope, &value);
	if (r == 0) {
		fact.value = value.value ? value.value : (value.gap ? NULL : json_false());
		if (value.gap)
			fact.gap = whole_gap(item->run->evaluation, value.gap);
		r = give_fact(item->run->evaluation, fact);
	}
	json_decref(subject.value);
	json_decref(value.value);
	return r;
}

static int give_facts(struct swp_item *item)
{
	const struct swp_resource *resource = item->run->resource;
	struct swp_scope scope = swp_item_scope(item);
	int r = 0;

	for (size_t i = 0; i < resource->fact_count && r == 0; i++) {
		const struct swp_fact_row *row = &resource->facts[i];

		if (swp_wanted_facts_has(item->run->evaluation->facts, row->name))
			r = row->relation ? give_relations(item, row, &scope)
					  : give_plain_fact(item, row, &scope);
	}
	return r;
}

int swp_judge_item(struct swp_item *item)
{
	struct swp_resource_run *run = item->run;
	struct swp_scope scope = swp_item_scope(item);
	int r = 0;

	for (size_t i = 0; i < run->check_count && r == 0; i++) {
		size_t index = run->checks[i];

		if (run->resource->has_list)
			r = judge_listed(item, index);
		else if (!run->evaluation->cells[index].held.decided)
			r = hold(item, index, judge(&run->evaluation->catalogue->checks[index], &scope),
				&scope);
	}
	if (!run->resource->has_list && run->resource->use)
		run->used = !run->resource->use_when ||
			    swp_predicate_evaluate(run->resource->use_when, &scope).value == SWP_TRUE;
	return r == 0 && run->wants_facts ? give_facts(item) : r;
}

/* --- the end --- */

/* Were all calls of the service's probe set refused by a service control policy? ret_policy: its ARN, "" if AWS did not tell. */
static bool is_closed(
	const struct swp_evaluation *evaluation, const struct swp_service *service, const char **ret_policy)
{
	const struct swp_service_run *run = &evaluation->services[service->index];

	*ret_policy = "";
	if (!run->probing)
		return false;
	for (size_t i = 0; i < service->probe_count; i++) {
		const struct swp_walk *walk = run->probes[i];

		if (!walk || !walk->refused_by_scp)
			return false;
		if (!**ret_policy && walk->policy)
			*ret_policy = walk->policy;
	}
	return service->probe_count >= 2;
}

/* Why nothing of the service is there to be read; NONE: it is. */
static enum swp_not_applicable absence_of(const struct swp_resource_run *run, const char **ret_policy)
{
	*ret_policy = "";
	if (run->evaluation->services[run->resource->service->index].not_offered)
		return SWP_NOT_APPLICABLE_NOT_OFFERED;
	return is_closed(run->evaluation, run->resource->service, ret_policy)
		       ? SWP_NOT_APPLICABLE_CLOSED_BY_SCP
		       : SWP_NOT_APPLICABLE_NONE;
}

static int give_absence(
	struct swp_resource_run *run, size_t index, enum swp_not_applicable absence, const char *policy)
{
	struct swp_result result = {.check = index,
		.status = SWP_STATUS_NOT_APPLICABLE,
		.resource = run->arn,
		.not_applicable = absence,
		.gap = swp_gap_pending};
	json_t *evidence = NULL;
	int r;

	if (absence == SWP_NOT_APPLICABLE_CLOSED_BY_SCP) {
		evidence = json_pack("{s:s,s:s}", "statement",
			"a service control policy refused the scan role here; it says nothing of other "
			"principals",
			"service", run->resource->service->aws.name);
		if (!evidence || (*policy && json_object_set_new(evidence, "service_control_policy",
						     json_string(policy)) < 0)) {
			json_decref(evidence);
			return -ENOMEM;
		}
	}
	result.evidence = evidence;
	run->evaluation->cells[index].why = absence;
	r = give_result(run->evaluation, &result);
	json_decref(evidence);
	return r;
}

/* Is a resource of that family in use, as far as the calls of this job tell? */
static bool family_in_use(const struct swp_evaluation *evaluation, const char *family)
{
	for (size_t i = 0; i < evaluation->run_count; i++) {
		const struct swp_resource_run *run = &evaluation->runs[i];

		if (run->used && swp_text_equal(run->resource->use, family))
			return true;
	}
	return false;
}

static int add_use(
	const struct swp_evaluation *evaluation, const struct swp_check_row *check, json_t *evidence)
{
	for (size_t i = 0; i < check->evidence_count; i++) {
		const char *family = swp_expression_family(check->evidence[i].value);

		if (family &&
			json_object_set_new(evidence, check->evidence[i].name,
				family_in_use(evaluation, family) ? json_true() : json_string("unknown")) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int finish_subject(struct swp_evaluation *evaluation, size_t index)
{
	struct swp_cell_run *cell = &evaluation->cells[index];
	struct swp_result result = {.check = index,
		.status = cell->held.status,
		.resource = cell->run->arn,
		.gap = cell->held.gap};
	const char *policy;
	enum swp_not_applicable absence = absence_of(cell->run, &policy);
	int r = 0;

	if (!cell->held.decided) {
		result.status = SWP_STATUS_NOT_ASSESSED;
		result.gap = whole_gap(evaluation, NULL);
	}
	if (result.status == SWP_STATUS_NOT_ASSESSED && absence != SWP_NOT_APPLICABLE_NONE)
		return give_absence(cell->run, index, absence, policy);
	if (result.status == SWP_STATUS_NOT_APPLICABLE)
		result.not_applicable = SWP_NOT_APPLICABLE_NOT_MEANINGFUL;
	if (cell->held.evidence)
		r = add_use(evaluation, &evaluation->catalogue->checks[index], cell->held.evidence);
	result.evidence = cell->held.evidence;
	return r == 0 ? give_result(evaluation, &result) : r;
}

static int finish_listed(struct swp_evaluation *evaluation, size_t index)
{
	struct swp_cell_run *cell = &evaluation->cells[index];
	struct swp_result result = {.check = index, .gap = swp_gap_pending};
	const char *policy;
	enum swp_not_applicable absence = absence_of(cell->run, &policy);

	if (absence != SWP_NOT_APPLICABLE_NONE && cell->run->listed == 0 && cell->run->gap)
		return give_absence(cell->run, index, absence, policy);
	if (cell->run->gap) {
		result.status = SWP_STATUS_NOT_ASSESSED;
		result.gap = whole_gap(evaluation, &cell->run->gap->gap);
		return give_result(evaluation, &result);
	}
	if (cell->rows > 0)
		return 0;
	result.status = SWP_STATUS_NOT_APPLICABLE;
	result.not_applicable = cell->why = SWP_NOT_APPLICABLE_NO_RESOURCE;
	return give_result(evaluation, &result);
}

/* Contract §2: fail, else not assessed, else not applicable, else pass. */
static int give_cell(struct swp_evaluation *evaluation, size_t index)
{
	const struct swp_cell_run *run = &evaluation->cells[index];
	struct swp_cell cell = {
		.check = index, .reason = run->reason, .partial = run->fail > 0 && run->unread > 0};

	if (run->fail)
		cell.status = SWP_STATUS_FAIL;
	else if (run->unread)
		cell.status = SWP_STATUS_NOT_ASSESSED;
	else if (run->pass == 0)
		cell.status = SWP_STATUS_NOT_APPLICABLE;
	else
		cell.status = SWP_STATUS_PASS;
	if (cell.status == SWP_STATUS_NOT_APPLICABLE)
		cell.not_applicable =
			run->why != SWP_NOT_APPLICABLE_NONE ? run->why : SWP_NOT_APPLICABLE_NOT_MEANINGFUL;
	return evaluation->sink->cell(evaluation->sink->context, &cell);
}

/* How far the subjects of facts were read. */
static int finish_facts(struct swp_resource_run *run)
{
	const char *policy;
	enum swp_not_applicable absence = absence_of(run, &policy);
	const struct swp_note *note = run->gap ? run->gap : run->fact_gap;
	SWP_CLEANUP(swp_free_pointer) char *name = swp_asprintf(SWP_FACT_COMPLETE "%s", run->resource->name);
	struct swp_fact fact = {.name = name, .subject = run->evaluation->job.region};
	json_t *value = NULL;
	int r;

	if (!name)
		return -ENOMEM;
	if (absence != SWP_NOT_APPLICABLE_NONE && run->listed == 0)
		value = json_string(swp_not_applicable_name(absence));
	else if (note)
		fact.gap = whole_gap(run->evaluation, &note->gap);
	else
		value = json_true();
	fact.value = value;
	if (!value && fact.gap.reason == SWP_REASON_NONE)
		return -ENOMEM;
	r = give_fact(run->evaluation, fact);
	json_decref(value);
	return r;
}

int swp_finish_cells(struct swp_evaluation *evaluation)
{
	int r = 0;

	for (size_t i = 0; i < evaluation->catalogue->check_count && r == 0; i++) {
		struct swp_cell_run *cell = &evaluation->cells[i];

		if (!cell->selected)
			continue;
		r = cell->run->resource->has_list ? finish_listed(evaluation, i)
						  : finish_subject(evaluation, i);
		if (r == 0)
			r = give_cell(evaluation, i);
	}
	for (size_t i = 0; i < evaluation->run_count && r == 0; i++) {
		if (evaluation->runs[i].wants_facts)
			r = finish_facts(&evaluation->runs[i]);
	}
	return r;
}
