/* Loading compiled text, and what others ask of a catalogue. */
#include "checks/catalogue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "checks/lint.h"
#include "checks/model.h"
#include "proto/aws/sigv4.h"
#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

static const char *const severity_names[SWP_SEVERITY_COUNT] = {
	[SWP_SEVERITY_INFO] = "INFO",
	[SWP_SEVERITY_LOW] = "LOW",
	[SWP_SEVERITY_MEDIUM] = "MEDIUM",
	[SWP_SEVERITY_HIGH] = "HIGH",
	[SWP_SEVERITY_CRITICAL] = "CRITICAL",
};

const char *swp_severity_name(enum swp_severity severity)
{
	return severity_names[severity];
}

int swp_severity_parse(const char *name, enum swp_severity *ret_severity)
{
	for (int i = 0; name && i < SWP_SEVERITY_COUNT; i++) {
		if (swp_text_equal_ignoring_case(severity_names[i], name)) {
			*ret_severity = (enum swp_severity)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* --- life --- */

static void catalogue_free(struct swp_catalogue *catalogue)
{
	if (!catalogue)
		return;
	json_decref(catalogue->document);
	swp_region_free(catalogue->region);
	swp_free(catalogue->compiled);
	swp_free(catalogue);
}

static int check_depth(const json_t *value, unsigned depth)
{
	const char *key;
	json_t *member;

	if (depth > SWP_LIMIT_DOCUMENT_DEPTH)
		return -EINVAL;
	for (size_t i = 0; i < json_array_size(value); i++) {
		if (check_depth(json_array_get(value, i), depth + 1) < 0)
			return -EINVAL;
	}
	json_object_foreach((json_t *)value, key, member)
	{
		if (check_depth(member, depth + 1) < 0)
			return -EINVAL;
	}
	return 0;
}

static int read_document(
	struct swp_catalogue *catalogue, const char *compiled, size_t length, struct swp_problem *problem)
{
	json_error_t error;

	if (length > SWP_LIMIT_CATALOGUE_BYTES)
		return swp_problem_set(problem, -EINVAL, "the compiled catalogue is longer than %u bytes",
			SWP_LIMIT_CATALOGUE_BYTES);
	catalogue->document = json_loadb(compiled, length, JSON_REJECT_DUPLICATES, &error);
	if (!catalogue->document) {
		if (json_error_code(&error) == json_error_out_of_memory)
			return -ENOMEM;
		return swp_problem_set(
			problem, -EINVAL, "the compiled catalogue is not JSON: %s", error.text);
	}
	if (!json_is_object(catalogue->document) || check_depth(catalogue->document, 0) < 0)
		return swp_problem_set(problem, -EINVAL, "the compiled catalogue is no object, or too deep");
	return 0;
}

static int load(
	struct swp_catalogue *catalogue, const char *compiled, size_t length, struct swp_problem *problem)
{
	struct swp_lint lint = {.problem = problem};
	int r = swp_sha256_hex(compiled, length, catalogue->hash);

	catalogue->references = 1;
	catalogue->region = swp_region_new(0);
	catalogue->compiled = swp_strndup(compiled, length);
	catalogue->compiled_length = length;
	if (r == 0 && (!catalogue->region || !catalogue->compiled))
		r = -ENOMEM;
	if (r == 0)
		r = read_document(catalogue, compiled, length, problem);
	if (r == 0)
		r = swp_model_build(catalogue, &lint);
	return r == 0 && lint.faults ? -EINVAL : r;
}

int swp_catalogue_load(const char *compiled, size_t length, struct swp_catalogue **ret_catalogue,
	struct swp_problem *problem)
{
	struct swp_catalogue *catalogue = swp_calloc(1, sizeof(*catalogue));
	int r;

	if (!catalogue)
		return -ENOMEM;
	r = load(catalogue, compiled, length, problem);
	if (r == 0)
		*ret_catalogue = catalogue;
	else
		catalogue_free(catalogue);
	return r;
}

struct swp_catalogue *swp_catalogue_ref(struct swp_catalogue *catalogue)
{
	catalogue->references++;
	return catalogue;
}

void swp_catalogue_unref(struct swp_catalogue *catalogue)
{
	if (catalogue && --catalogue->references == 0)
		catalogue_free(catalogue);
}

/* --- questions --- */

const char *swp_catalogue_compiled(const struct swp_catalogue *catalogue, size_t *ret_length)
{
	*ret_length = catalogue->compiled_length;
	return catalogue->compiled;
}

const char *swp_catalogue_hash(const struct swp_catalogue *catalogue)
{
	return catalogue->hash;
}

const json_t *swp_catalogue_document(const struct swp_catalogue *catalogue)
{
	return catalogue->document;
}

size_t swp_catalogue_check_count(const struct swp_catalogue *catalogue)
{
	return catalogue->check_count;
}

const struct swp_check *swp_catalogue_check(const struct swp_catalogue *catalogue, size_t index)
{
	return &catalogue->checks[index].check;
}

int swp_catalogue_check_find(const struct swp_catalogue *catalogue, const char *id)
{
	size_t low = 0, high = catalogue->check_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(id, catalogue->checks[middle].check.id);

		if (order == 0)
			return (int)middle;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return -1;
}

size_t swp_catalogue_chain_count(const struct swp_catalogue *catalogue)
{
	return catalogue->chain_count;
}

const struct swp_chain *swp_catalogue_chain(const struct swp_catalogue *catalogue, size_t index)
{
	return &catalogue->chains[index];
}

size_t swp_catalogue_service_count(const struct swp_catalogue *catalogue)
{
	return catalogue->service_count;
}

const struct swp_aws_service *swp_catalogue_service(const struct swp_catalogue *catalogue, size_t index)
{
	return &catalogue->services[index].aws;
}

const struct swp_aws_operation *swp_catalogue_operation(
	const struct swp_catalogue *catalogue, const char *service, const char *operation)
{
	for (size_t i = 0; i < catalogue->service_count; i++) {
		const struct swp_service *row = &catalogue->services[i];

		if (!swp_text_equal(row->aws.name, service))
			continue;
		for (size_t k = 0; k < row->operation_count; k++) {
			if (swp_text_equal(row->operations[k].aws.name, operation))
				return &row->operations[k].aws;
		}
	}
	return NULL;
}

bool swp_catalogue_service_listed(
	const struct swp_catalogue *catalogue, const struct swp_aws_service *service, const char *region)
{
	for (size_t i = 0; i < catalogue->service_count; i++) {
		const struct swp_service *row = &catalogue->services[i];

		if (&row->aws != service && !swp_text_equal(row->aws.name, service->name))
			continue;
		return row->region_count && bsearch(&region, row->regions, row->region_count,
						    sizeof(*row->regions), swp_compare_text_pointers) != NULL;
	}
	return false;
}

int swp_check_resource(const struct swp_check *check, const char *partition, const char *account,
	const char *region, const char *organization_id, struct swp_buf *ret_arn)
{
	const struct swp_check_row *row = SWP_CONTAINER_OF(check, const struct swp_check_row, check);
	SWP_CLEANUP(json_decrefp)
	json_t *job = json_pack("{s:s,s:s,s:s,s:s}", "partition", partition, "account", account, "region",
		region, "organization", organization_id ? organization_id : "");
	struct swp_value root = {.state = SWP_VALUE_READ, .json = job, .malformed = &swp_gap_pending};
	struct swp_scope scope = {.roots = &root};
	struct swp_evaluated arn = {0};
	int r = job ? swp_expression_evaluate(row->resource->identity, &scope, &arn) : -ENOMEM;

	if (r == 0)
		r = arn.value ? swp_buf_append_text(ret_arn, json_string_value(arn.value)) : -E2BIG;
	json_decref(arn.value);
	return r;
}
