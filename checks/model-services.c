/* Services and operations of the model. */
#include "checks/model-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "checks/shape.h"
#include "proto/base/text.h"

/* IAM actions that read. An operation whose action does not begin so is refused: orgsweep never changes what it looks at. */
static const char *const reading_verbs[] = {
	"BatchGet", "Describe", "Get", "Head", "List", "Lookup", "Query", "Search", "View"};
/* Readers that hand out what nobody may hold: secrets, credentials, contents. The built-in catalogue's set; nobody can replace it. */
#define REFUSED_SET "refused-actions"

static bool action_reads(const struct swp_builder *builder, const char *action)
{
	const json_t *refused = json_object_get(swp_builder_section(builder, "sets"), REFUSED_SET);
	const char *name = strchr(action, ':');
	bool reads = false;

	if (!name || name == action || strpbrk(action, "*? "))
		return false;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(reading_verbs); i++)
		reads = reads || swp_text_starts(name + 1, reading_verbs[i]);
	for (size_t i = 0; i < json_array_size(refused); i++)
		reads = reads && !swp_text_equal(json_string_value(json_array_get(refused, i)), action);
	return reads;
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* A NULL-terminated array of the texts of a list; NULL for no list. */
static int texts_of(struct swp_builder *builder, const json_t *list, const char *const **ret_texts)
{
	size_t count = json_array_size(list);
	const char **texts;

	*ret_texts = NULL;
	if (!list)
		return 0;
	texts = swp_region_alloc(builder->catalogue->region, (count + 1) * sizeof(*texts));
	if (!texts)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		texts[i] = json_string_value(json_array_get(list, i));
	*ret_texts = texts;
	return 0;
}

static int build_query(struct swp_builder *builder, const json_t *row, struct swp_operation *operation)
{
	const json_t *query = json_object_get(row, "query");
	struct swp_aws_query_member *members;
	size_t count, i;
	const char **names = swp_builder_keys(builder, query, &count);

	members = swp_region_alloc(builder->catalogue->region, (count + 1) * sizeof(*members));
	if (!names || !members)
		return -ENOMEM;
	for (i = 0; i < count; i++) {
		members[i] =
			(struct swp_aws_query_member){.member = names[i], .name = text_of(query, names[i])};
		if (!members[i].name)
			swp_lint_fault(builder->lint, query, names[i],
				"'query' gives each member its name in the query");
	}
	operation->aws.query_members = members;
	operation->aws.query_member_count = count;
	return 0;
}

static int build_gone(struct swp_builder *builder, const json_t *row, struct swp_operation *operation)
{
	const json_t *gone = json_object_get(row, "gone");
	size_t count = json_array_size(gone);
	struct swp_gone_rule *rules =
		swp_region_alloc(builder->catalogue->region, (count + 1) * sizeof(*rules));

	if (!rules)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const json_t *rule = json_array_get(gone, i);

		rules[i] = (struct swp_gone_rule){
			.code = text_of(rule, "code"), .contains = text_of(rule, "contains")};
	}
	operation->gone = rules;
	operation->gone_count = count;
	return 0;
}

static bool protocol_is_rest(enum swp_protocol protocol)
{
	return protocol == SWP_PROTOCOL_REST_JSON || protocol == SWP_PROTOCOL_REST_XML;
}

static void check_json_texts(
	struct swp_builder *builder, const json_t *row, const struct swp_operation *operation)
{
	for (const char *const *path = operation->json_texts; path && *path; path++) {
		if (!**path || strpbrk(*path, "[]*$"))
			swp_lint_fault(builder->lint, row, "json_texts",
				"'json_texts' takes paths of plain members");
	}
}

static void check_operation(struct swp_builder *builder, const json_t *operations, const char *name,
	const json_t *row, const struct swp_operation *operation)
{
	bool rest = protocol_is_rest(operation->service->aws.protocol);

	if (rest && (!json_object_get(row, "method") || !json_object_get(row, "uri")))
		swp_lint_fault(builder->lint, operations, name,
			"an operation of a rest protocol needs 'method' and 'uri'");
	if (!rest && (json_object_get(row, "method") || json_object_get(row, "uri") ||
			     json_object_get(row, "query")))
		swp_lint_fault(builder->lint, operations, name,
			"only rest protocols have 'method', 'uri' and 'query'");
	if (!action_reads(builder, operation->aws.action))
		swp_lint_fault(builder->lint, operations, name,
			"IAM action '%s' is not a read, or hands out secrets or contents",
			operation->aws.action);
	check_json_texts(builder, row, operation);
	if (json_object_get(row, "page") && !json_object_get(row, "result") && !json_object_get(row, "lists"))
		swp_lint_fault(
			builder->lint, operations, name, "an operation with pages needs 'result' or 'lists'");
}

static int build_operation(struct swp_builder *builder, const json_t *operations, const char *name,
	struct swp_operation *operation)
{
	const json_t *row = json_object_get(operations, name), *page = json_object_get(row, "page");
	struct swp_aws_operation *aws = &operation->aws;
	const char *prefix = operation->service->aws.signing_name;
	int r;

	if (!swp_shape_check(builder->lint, operations, name, &swp_shape_operation))
		return 0;
	*aws = (struct swp_aws_operation){.service = &operation->service->aws,
		.name = name,
		.method = text_of(row, "method") ? text_of(row, "method") : "POST",
		.uri = text_of(row, "uri") ? text_of(row, "uri") : "/",
		.host_label = text_of(row, "host_label"),
		.action = text_of(row, "action"),
		.input_token = text_of(page, "input"),
		.output_token = text_of(page, "output"),
		.more_flag = text_of(page, "more"),
		.result = text_of(row, "result")};
	if (json_object_get(
		    json_object_get(swp_builder_section(builder, "services"), operation->service->aws.name),
		    "action_prefix"))
		prefix = text_of(json_object_get(swp_builder_section(builder, "services"),
					 operation->service->aws.name),
			"action_prefix");
	if (!aws->action)
		aws->action = swp_region_format(builder->catalogue->region, "%s:%s", prefix, name);
	operation->input = json_object_get(row, "input");
	operation->malformed = (struct swp_gap){.reason = SWP_REASON_MALFORMED_RESPONSE,
		.action = aws->action,
		.error_code = "MalformedResponse",
		.message = "a member of the answer is missing or has another type than the API's model says",
		.request_id = ""};
	if (!aws->action)
		return -ENOMEM;
	r = build_query(builder, row, operation);
	if (r == 0)
		r = build_gone(builder, row, operation);
	if (r == 0)
		r = texts_of(builder, json_object_get(row, "required"), &aws->required);
	if (r == 0)
		r = texts_of(builder, json_object_get(row, "lists"), &aws->lists);
	if (r == 0)
		r = texts_of(builder, json_object_get(row, "json_texts"), &operation->json_texts);
	if (r == 0)
		check_operation(builder, operations, name, row, operation);
	return r;
}

static int build_operations(struct swp_builder *builder, const json_t *row, struct swp_service *service)
{
	const json_t *operations = json_object_get(row, "operations");
	const char **names = swp_builder_keys(builder, operations, &service->operation_count);
	int r = 0;

	service->operations = swp_region_alloc(
		builder->catalogue->region, (service->operation_count + 1) * sizeof(*service->operations));
	if (!names || !service->operations)
		return -ENOMEM;
	for (size_t i = 0; i < service->operation_count && r == 0; i++) {
		service->operations[i].service = service;
		/* Until the row is found good. */
		service->operations[i].aws = (struct swp_aws_operation){.service = &service->aws,
			.name = names[i],
			.method = "POST",
			.uri = "/",
			.action = ""};
		r = build_operation(builder, operations, names[i], &service->operations[i]);
	}
	return r;
}

static const struct swp_operation *find_operation(const struct swp_service *service, const char *name)
{
	for (size_t i = 0; i < service->operation_count; i++) {
		if (swp_text_equal(service->operations[i].aws.name, name))
			return &service->operations[i];
	}
	return NULL;
}

static void unknown_operation(struct swp_builder *builder, const json_t *container, const char *key,
	const char *word, const struct swp_service *service)
{
	const json_t *row = json_object_get(swp_builder_section(builder, "services"), service->aws.name);

	swp_builder_unknown(builder, container, key, "operation", word, json_object_get(row, "operations"));
}

static int build_probe(struct swp_builder *builder, const json_t *row, struct swp_service *service)
{
	const json_t *probe = json_object_get(row, "probe");
	size_t count = json_array_size(probe);

	service->probe = swp_region_alloc(builder->catalogue->region, (count + 1) * sizeof(*service->probe));
	if (!service->probe)
		return -ENOMEM;
	if (probe && count < 2)
		swp_lint_fault(builder->lint, row, "probe", "a probe set has at least two list calls");
	for (size_t i = 0; i < count; i++) {
		const char *name = json_string_value(json_array_get(probe, i));
		const struct swp_operation *operation = find_operation(service, name);

		if (!operation)
			unknown_operation(builder, row, "probe", name, service);
		else if (strchr(operation->aws.uri, '{'))
			swp_lint_fault(builder->lint, row, "probe",
				"'%s' needs an input; a probe is a plain list call", name);
		else
			service->probe[service->probe_count++] = operation;
	}
	return 0;
}

static int build_regions(struct swp_builder *builder, const json_t *row, struct swp_service *service)
{
	const json_t *regions = json_object_get(row, "regions");

	service->region_count = json_array_size(regions);
	service->regions = swp_region_alloc(
		builder->catalogue->region, (service->region_count + 1) * sizeof(*service->regions));
	if (!service->regions)
		return -ENOMEM;
	for (size_t i = 0; i < service->region_count; i++)
		service->regions[i] = json_string_value(json_array_get(regions, i));
	if (service->region_count)
		qsort(service->regions, service->region_count, sizeof(*service->regions),
			swp_compare_text_pointers);
	return 0;
}

static void check_service(struct swp_builder *builder, const json_t *services, const json_t *row,
	const struct swp_service *service)
{
	enum swp_protocol protocol = service->aws.protocol;
	bool target = protocol == SWP_PROTOCOL_JSON_1_0 || protocol == SWP_PROTOCOL_JSON_1_1;
	bool version = protocol == SWP_PROTOCOL_QUERY || protocol == SWP_PROTOCOL_EC2;

	if (target != (json_object_get(row, "target") != NULL))
		swp_lint_fault(
			builder->lint, services, service->aws.name, "'target' belongs to the json protocols");
	if (version != (json_object_get(row, "version") != NULL))
		swp_lint_fault(builder->lint, services, service->aws.name,
			"'version' belongs to the protocols query and ec2");
}

static int build_service(
	struct swp_builder *builder, const json_t *services, const char *name, struct swp_service *service)
{
	const json_t *row = json_object_get(services, name);
	int r;

	service->aws.name = name;
	if (!swp_shape_check(builder->lint, services, name, &swp_shape_service))
		return 0;
	service->aws = (struct swp_aws_service){.name = name,
		.api_version = text_of(row, "version"),
		.target_prefix = text_of(row, "target"),
		.signing_name = text_of(row, "signing_name"),
		.endpoint_prefix = text_of(row, "endpoint_prefix"),
		.endpoint_variable = text_of(row, "endpoint_variable"),
		.scope = swp_text_equal(text_of(row, "scope"), "global") ? SWP_SCOPE_GLOBAL
									 : SWP_SCOPE_REGIONAL,
		.rate_per_second = json_number_value(json_object_get(row, "rate"))};
	if (swp_protocol_parse(text_of(row, "protocol"), &service->aws.protocol) < 0) {
		swp_lint_fault(
			builder->lint, row, "protocol", "unknown protocol '%s'", text_of(row, "protocol"));
		return 0;
	}
	check_service(builder, services, row, service);
	r = build_regions(builder, row, service);
	if (r == 0)
		r = build_operations(builder, row, service);
	return r == 0 ? build_probe(builder, row, service) : r;
}

int swp_model_build_services(struct swp_builder *builder)
{
	struct swp_catalogue *catalogue = builder->catalogue;
	const json_t *services = swp_builder_section(builder, "services");
	const char **names = swp_builder_keys(builder, services, &catalogue->service_count);
	int r = 0;

	catalogue->services = swp_region_alloc(
		catalogue->region, (catalogue->service_count + 1) * sizeof(*catalogue->services));
	if (!names || !catalogue->services)
		return -ENOMEM;
	for (size_t i = 0; i < catalogue->service_count && r == 0; i++) {
		catalogue->services[i].index = i;
		r = build_service(builder, services, names[i], &catalogue->services[i]);
	}
	return r;
}

struct swp_service *swp_builder_service(const struct swp_builder *builder, const char *name)
{
	for (size_t i = 0; i < builder->catalogue->service_count; i++) {
		if (swp_text_equal(builder->catalogue->services[i].aws.name, name))
			return &builder->catalogue->services[i];
	}
	return NULL;
}

const struct swp_operation *swp_builder_operation(
	const struct swp_builder *builder, const json_t *row, struct swp_service *service)
{
	const char *other = text_of(row, "service"), *name = text_of(row, "operation");
	const struct swp_operation *operation;

	if (other)
		service = swp_builder_service(builder, other);
	if (!service) {
		swp_builder_unknown(builder, row, "service", "service", other ? other : "",
			swp_builder_section(builder, "services"));
		return NULL;
	}
	operation = find_operation(service, name);
	if (!operation)
		unknown_operation((struct swp_builder *)builder, row, "operation", name, service);
	return operation;
}
