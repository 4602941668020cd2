/* Errors and XML in the shape of each protocol. See call.h; shapes: AWS JSON 1.1, restJson1, query, EC2, restXml. */
#include "tests/simulator/call.h"

#include "tests/simulator/json-text.h"

#include <stdio.h>

static void json_error(struct swp_sim_call *call, const char *code, struct swp_sim_text message)
{
	/* Organizations and STS write Message, the others message; readers must take both. */
	bool is_upper = strcmp(call->service->name, "organizations") == 0;
	swp_sim_buffer_printf(
		call->body, "{\"__type\":\"%s\",\"%s\":", code, is_upper ? "Message" : "message");
	swp_sim_buffer_json(call->body, message);
	swp_sim_buffer_byte(call->body, '}');
}

static void rest_json_error(struct swp_sim_call *call, const char *code, struct swp_sim_text message)
{
	swp_sim_buffer_printf(call->extra_headers,
		"x-amzn-ErrorType: %s:http://internal.amazon.com/coral/com.amazon.%s/\r\n", code,
		call->service ? call->service->signing_name : "coral.service");
	swp_sim_buffer_put(call->body, "{\"message\":");
	swp_sim_buffer_json(call->body, message);
	swp_sim_buffer_byte(call->body, '}');
}

static void query_error(struct swp_sim_call *call, const char *code, struct swp_sim_text message)
{
	swp_sim_buffer_printf(call->body,
		"<ErrorResponse xmlns=\"%s\">\n  <Error>\n    <Type>%s</Type>\n    <Code>%s</Code>\n    ",
		call->service->name_space, call->status < 500 ? "Sender" : "Receiver", code);
	swp_sim_xml_element(call->body, "Message", message);
	swp_sim_buffer_printf(call->body, "\n  </Error>\n  <RequestId>%s</RequestId>\n</ErrorResponse>\n",
		call->request_id);
}

static void ec2_error(struct swp_sim_call *call, const char *code, struct swp_sim_text message)
{
	swp_sim_buffer_printf(call->body,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>%s</Code>", code);
	swp_sim_xml_element(call->body, "Message", message);
	swp_sim_buffer_printf(
		call->body, "</Error></Errors><RequestID>%s</RequestID></Response>", call->request_id);
}

static void rest_xml_error(struct swp_sim_call *call, const char *code, struct swp_sim_text message)
{
	swp_sim_buffer_printf(
		call->body, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code>", code);
	swp_sim_xml_element(call->body, "Message", message);
	if (call->bucket.size)
		swp_sim_xml_element(call->body, "BucketName", call->bucket);
	swp_sim_buffer_printf(
		call->body, "<RequestId>%s</RequestId><HostId>simulated</HostId></Error>", call->request_id);
}

static void (*const error_writers[SWP_SIM_PROTOCOL_COUNT])(
	struct swp_sim_call *, const char *, struct swp_sim_text) = {
	[SWP_SIM_JSON_11] = json_error,
	[SWP_SIM_REST_JSON] = rest_json_error,
	[SWP_SIM_QUERY] = query_error,
	[SWP_SIM_EC2_QUERY] = ec2_error,
	[SWP_SIM_REST_XML] = rest_xml_error,
};

void swp_sim_call_fail(struct swp_sim_call *call, int status, const char *code, const char *format, ...)
{
	struct swp_sim_buffer message = {0};
	va_list arguments;
	va_start(arguments, format);
	swp_sim_buffer_vprintf(&message, format, arguments);
	va_end(arguments);
	swp_sim_call_clear_body(call);
	swp_sim_buffer_clear(call->extra_headers);
	call->status = status;
	call->error_code = code;
	error_writers[call->service ? call->service->protocol : SWP_SIM_REST_JSON](
		call, code, swp_sim_buffer_text(&message));
	swp_sim_buffer_done(&message);
}

void swp_sim_call_fail_missing(struct swp_sim_call *call, struct swp_sim_text key)
{
	const struct swp_sim_missing *missing = &call->operation->missing;
	struct swp_sim_buffer message = {0};
	const char *hole = missing->message ? strstr(missing->message, "%s") : NULL;
	if (missing->code == NULL) {
		swp_sim_call_fail(
			call, 404, "ResourceNotFoundException", "The resource you requested was not found.");
		return;
	}
	if (hole != NULL) {
		swp_sim_buffer_append(&message, missing->message, (size_t)(hole - missing->message));
		swp_sim_buffer_text_put(&message, key);
		swp_sim_buffer_put(&message, hole + 2);
	} else {
		swp_sim_buffer_put(&message, missing->message);
	}
	swp_sim_call_fail(call, missing->status, missing->code, "%s", swp_sim_buffer_string(&message));
	swp_sim_buffer_done(&message);
}

void swp_sim_xml_element(struct swp_sim_buffer *into, const char *name, struct swp_sim_text text)
{
	swp_sim_buffer_printf(into, "<%s>", name);
	swp_sim_buffer_xml(into, text);
	swp_sim_buffer_printf(into, "</%s>", name);
}

void swp_sim_xml_begin(struct swp_sim_call *call)
{
	const char *name = call->operation->name;
	if (call->service->protocol == SWP_SIM_QUERY)
		swp_sim_buffer_printf(call->body, "<%sResponse xmlns=\"%s\">\n  <%sResult>", name,
			call->service->name_space, name);
	else if (call->service->protocol == SWP_SIM_EC2_QUERY)
		swp_sim_buffer_printf(call->body,
			"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<%sResponse "
			"xmlns=\"%s\"><requestId>%s</requestId>",
			name, call->service->name_space, call->request_id);
}

void swp_sim_xml_end(struct swp_sim_call *call)
{
	const char *name = call->operation->name;
	if (call->service->protocol == SWP_SIM_QUERY)
		swp_sim_buffer_printf(call->body,
			"</%sResult>\n  <ResponseMetadata>\n    <RequestId>%s</RequestId>\n  "
			"</ResponseMetadata>\n</%sResponse>\n",
			name, call->request_id, name);
	else if (call->service->protocol == SWP_SIM_EC2_QUERY)
		swp_sim_buffer_printf(call->body, "</%sResponse>", name);
}

/*
 * Names on the wire that no rule gives. `element` is what each element of a list is named; NULL: member (query),
 * item (EC2). A flattened list has no element around it.
 */
struct xml_name {
	const char *member;
	const char *name;
	const char *element;
	bool is_flattened;
	const char *beside; /* holds only in objects that have this member too; NULL: everywhere */
};

static const struct xml_name ec2_names[] = {
	{"SecurityGroups", "securityGroupInfo"}, {"VpcEndpoints", "vpcEndpointSet"},
	{"Regions", "regionInfo"}, {"Endpoint", "regionEndpoint"}, {"UserIdGroupPairs", "groups"},
	{"Tags", "tagSet"}, {"RouteTableIds", "routeTableIdSet"}, {"SubnetIds", "subnetIdSet"},
	{"Groups", "groupSet"}, {"NetworkInterfaceIds", "networkInterfaceIdSet"},
	{"DnsEntries", "dnsEntrySet"},
	{"Description", "groupDescription", .beside = "OwnerId"}, /* of a security group, not of its rules */
};

static const struct xml_name s3_names[] = {
	{"Grants", "AccessControlList", "Grant"},
	{"Buckets", "Buckets", "Bucket"},
	{"Rules", "Rule", NULL, true},
	{"MFADelete", "MfaDelete"},
};

static const struct xml_name *special_name(
	const struct swp_sim_call *call, struct swp_sim_text member, struct swp_sim_text object)
{
	bool is_ec2 = call->service->protocol == SWP_SIM_EC2_QUERY,
	     is_s3 = call->service->protocol == SWP_SIM_REST_XML;
	const struct xml_name *names = is_ec2 ? ec2_names : s3_names;
	size_t count = is_ec2  ? sizeof ec2_names / sizeof ec2_names[0]
		       : is_s3 ? sizeof s3_names / sizeof s3_names[0]
			       : 0;
	for (size_t i = 0; i < count; i++) {
		struct swp_sim_text ignored;
		if (!swp_sim_text_is(member, names[i].member))
			continue;
		if (names[i].beside == NULL ||
			swp_sim_json_member(object, swp_sim_text_of(names[i].beside), &ignored))
			return &names[i];
	}
	return NULL;
}

static void put_name(struct swp_sim_call *call, struct swp_sim_text member, const struct xml_name *special)
{
	size_t start = call->body->size;
	if (special != NULL) {
		swp_sim_buffer_put(call->body, special->name);
		return;
	}
	swp_sim_buffer_text_put(call->body, member);
	char *first = call->body->data + start;
	if (call->service->protocol == SWP_SIM_EC2_QUERY && member.size && *first >= 'A' && *first <= 'Z')
		*first = (char)(*first | 32);
}

static void put_value(struct swp_sim_call *call, struct swp_sim_text value, const struct xml_name *special,
	struct swp_sim_text member);

static void put_tagged(struct swp_sim_call *call, struct swp_sim_text member, const struct xml_name *special,
	struct swp_sim_text value)
{
	struct swp_sim_text type;
	swp_sim_buffer_byte(call->body, '<');
	put_name(call, member, special);
	if (swp_sim_text_is(member, "Grantee") && swp_sim_json_member(value, SWP_SIM_TEXT("Type"), &type)) {
		swp_sim_buffer_put(
			call->body, " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=");
		swp_sim_buffer_text_put(call->body, type);
	}
	swp_sim_buffer_byte(call->body, '>');
	put_value(call, value, special, member);
	swp_sim_buffer_put(call->body, "</");
	put_name(call, member, special);
	swp_sim_buffer_byte(call->body, '>');
}

static void put_elements(struct swp_sim_call *call, struct swp_sim_text list, const struct xml_name *special)
{
	const char *element = call->service->protocol == SWP_SIM_EC2_QUERY ? "item" : "member";
	struct swp_sim_json_walk walk;
	struct swp_sim_text ignored, value;
	if (special != NULL && special->element != NULL)
		element = special->element;
	swp_sim_json_walk_init(&walk, list);
	while (swp_sim_json_walk_next(&walk, &ignored, &value)) {
		swp_sim_buffer_printf(call->body, "<%s>", element);
		put_value(call, value, NULL, SWP_SIM_TEXT(""));
		swp_sim_buffer_printf(call->body, "</%s>", element);
	}
}

static void put_value(struct swp_sim_call *call, struct swp_sim_text value, const struct xml_name *special,
	struct swp_sim_text member)
{
	char kind = swp_sim_json_kind(value);
	if (kind == '{') {
		swp_sim_xml_members(call, value);
	} else if (kind == '[') {
		put_elements(call, value, special);
	} else if (kind == '"') {
		struct swp_sim_buffer *text = &call->context->xml_scratch;
		swp_sim_buffer_clear(text);
		swp_sim_json_string(text, value);
		/* Policy documents are URL-encoded in IAM's answers (RFC 3986, says the API reference). */
		if (swp_sim_text_ends(member, "PolicyDocument") || swp_sim_text_is(member, "Document")) {
			if (call->service->protocol == SWP_SIM_QUERY) {
				swp_sim_buffer_uri(call->body, swp_sim_buffer_text(text), false);
				return;
			}
		}
		swp_sim_buffer_xml(call->body, swp_sim_buffer_text(text));
	} else if (kind != 'n') {
		swp_sim_buffer_text_put(call->body, value);
	}
}

void swp_sim_xml_members(struct swp_sim_call *call, struct swp_sim_text json)
{
	struct swp_sim_json_walk walk;
	struct swp_sim_text member, value, ignored, element;
	if (!swp_sim_json_walk_init(&walk, json))
		return;
	while (swp_sim_json_walk_next(&walk, &member, &value)) {
		const struct xml_name *special = special_name(call, member, json);
		if (swp_sim_text_is(member, "Type") && call->service->protocol == SWP_SIM_REST_XML)
			continue; /* an attribute of its Grantee */
		if (special == NULL || !special->is_flattened || swp_sim_json_kind(value) != '[') {
			put_tagged(call, member, special, value);
			continue;
		}
		struct swp_sim_json_walk list;
		swp_sim_json_walk_init(&list, value);
		while (swp_sim_json_walk_next(&list, &ignored, &element))
			put_tagged(call, member, special, element);
	}
}

void swp_sim_answer_xml_list(struct swp_sim_call *call)
{
	const struct swp_sim_shelf *shelf = swp_sim_call_shelf(call, call->operation->collection);
	struct swp_sim_page page;
	if (!swp_sim_call_page(call, shelf->count, &page))
		return;
	struct swp_sim_buffer *list = swp_sim_call_scratch(call);
	swp_sim_buffer_printf(list, "{\"%s\":[", call->operation->member);
	for (size_t i = 0; i < page.count; i++) {
		const struct swp_sim_resource *resource = &shelf->items[page.first + i];
		if (i)
			swp_sim_buffer_byte(list, ',');
		swp_sim_buffer_text_put(list, resource->summary.size ? resource->summary : resource->detail);
	}
	swp_sim_buffer_put(list, "]}");
	swp_sim_xml_begin(call);
	swp_sim_xml_members(call, swp_sim_buffer_text(list));
	swp_sim_call_put_page_end(call, &page);
	swp_sim_xml_end(call);
}
