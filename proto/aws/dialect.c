/* Building requests and reading answers, protocol by protocol. */
#include "proto/aws/dialect.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/aws/json-read.h"
#include "proto/aws/xml.h"
#include "proto/base/error.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

static bool is_rest(enum swp_protocol protocol)
{
	return protocol == SWP_PROTOCOL_REST_JSON || protocol == SWP_PROTOCOL_REST_XML;
}

static bool is_xml(enum swp_protocol protocol)
{
	return protocol == SWP_PROTOCOL_QUERY || protocol == SWP_PROTOCOL_EC2 ||
	       protocol == SWP_PROTOCOL_REST_XML;
}

/* --- requests --- */

void swp_aws_request_init(struct swp_aws_request *request)
{
	memset(request, 0, sizeof(*request));
	swp_buf_init(&request->path, 0);
	swp_buf_init(&request->query, 0);
	swp_buf_init(&request->body, 0);
	request->body.secret = true; /* AssumeRoleWithWebIdentity sends its token there */
}

void swp_aws_request_done(struct swp_aws_request *request)
{
	swp_buf_done(&request->path);
	swp_buf_done(&request->query);
	swp_buf_done(&request->body);
}

static void request_clear(struct swp_aws_request *request)
{
	swp_buf_clear(&request->path);
	swp_buf_clear(&request->query);
	swp_buf_clear(&request->body);
	request->method = "POST";
	request->content_type = NULL;
	request->target_prefix = request->target_name = NULL;
	request->accept = NULL;
	request->host_label[0] = '\0';
}

/* A scalar as text: borrowed from the value, or written into `number`. NULL for what is none. */
static const char *scalar_text(const json_t *value, char number[static 32])
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		return json_string_value(value);
	case JSON_INTEGER:
		snprintf(number, 32, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return number;
	case JSON_REAL:
		snprintf(number, 32, "%.17g", json_real_value(value));
		return number;
	case JSON_TRUE:
		return "true";
	case JSON_FALSE:
		return "false";
	default:
		return NULL;
	}
}

/* name=value, encoded, behind what is there. */
static int append_pair(struct swp_buf *out, const char *name, const char *value)
{
	if (out->length > 0)
		swp_buf_append_byte(out, '&');
	swp_percent_encode(out, name, strlen(name), false);
	swp_buf_append_byte(out, '=');
	return swp_percent_encode(out, value, strlen(value), false);
}

/* An array is one pair an element; null is left out. */
static int append_query_member(struct swp_buf *out, const char *name, const json_t *value)
{
	char number[32];
	const char *text;

	if (json_is_null(value))
		return 0;
	if (json_is_array(value)) {
		size_t i;
		const json_t *element;
		int error = 0;

		json_array_foreach((json_t *)value, i, element)
		{
			if (error == 0 && json_is_array(element))
				error = -EINVAL;
			if (error == 0)
				error = append_query_member(out, name, element);
		}
		return error;
	}
	text = scalar_text(value, number);
	return text != NULL ? append_pair(out, name, text) : -EINVAL;
}

/* --- json --- */

static int dump_to_buf(const char *bytes, size_t length, void *context)
{
	return swp_buf_append(context, bytes, length) == 0 ? 0 : -1;
}

/* `members` as the body; the token goes in too unless it is NULL. */
static int write_json_body(
	const json_t *members, const char *token_name, const char *token, struct swp_buf *body)
{
	json_t *all;
	int error = 0;

	if ((members == NULL || json_object_size(members) == 0) && token == NULL)
		return swp_buf_append(body, "{}", 2);
	all = members != NULL ? json_copy((json_t *)members) : json_object();
	if (all == NULL)
		return -ENOMEM;
	if (token != NULL && json_object_set_new(all, token_name, json_string(token)) != 0)
		error = -ENOMEM;
	if (error == 0 && json_dump_callback(all, dump_to_buf, body, JSON_COMPACT) != 0)
		error = body->failed != 0 ? body->failed : -ENOMEM;
	json_decref(all);
	return error;
}

static int build_json(const struct swp_aws_operation *operation, const json_t *input, const char *token,
	struct swp_aws_request *request)
{
	request->content_type = operation->service->protocol == SWP_PROTOCOL_JSON_1_0
					? "application/x-amz-json-1.0"
					: "application/x-amz-json-1.1";
	request->target_prefix = operation->service->target_prefix;
	request->target_name = operation->name;
	swp_buf_append_byte(&request->path, '/');
	return write_json_body(input, operation->input_token, token, &request->body);
}

/* --- query and ec2 --- */

struct form {
	struct swp_buf *body;
	struct swp_buf name; /* of the parameter being written: Filters.member.1.Name */
	bool ec2;	     /* lists are flattened: Filter.1.Name */
	unsigned depth;
};

static int append_form_value(struct form *form, const json_t *value);

static int append_form_child(struct form *form, const char *name, size_t number, const json_t *value)
{
	size_t length = form->name.length;
	int error = 0;

	if (length > 0)
		error = swp_buf_append_byte(&form->name, '.');
	if (name != NULL)
		error = swp_buf_append_text(&form->name, name);
	else
		error = swp_buf_append_format(&form->name, form->ec2 ? "%zu" : "member.%zu", number);
	if (error == 0)
		error = append_form_value(form, value);
	if (form->name.failed == 0)
		swp_buf_truncate(&form->name, length);
	return error;
}

static int append_form_container(struct form *form, const json_t *value)
{
	const char *name;
	json_t *child;
	size_t i;
	int error = 0;

	if (form->depth == SWP_LIMIT_DOCUMENT_DEPTH)
		return -E2BIG;
	form->depth++;
	if (json_is_object(value)) {
		json_object_foreach((json_t *)value, name, child)
		{
			if (error == 0)
				error = append_form_child(form, name, 0, child);
		}
	} else {
		json_array_foreach((json_t *)value, i, child)
		{
			if (error == 0)
				error = append_form_child(form, NULL, i + 1, child);
		}
	}
	form->depth--;
	return error;
}

static int append_form_value(struct form *form, const json_t *value)
{
	char number[32];
	const char *text;

	if (json_is_null(value))
		return 0;
	if (json_is_object(value) || json_is_array(value))
		return append_form_container(form, value);
	text = scalar_text(value, number);
	return text != NULL ? append_pair(form->body, swp_buf_text(&form->name), text) : -EINVAL;
}

static int build_query(const struct swp_aws_operation *operation, const json_t *input, const char *token,
	struct swp_aws_request *request)
{
	struct form form = {.body = &request->body, .ec2 = operation->service->protocol == SWP_PROTOCOL_EC2};
	int error;

	request->content_type = "application/x-www-form-urlencoded; charset=utf-8";
	swp_buf_append_byte(&request->path, '/');
	error = append_pair(form.body, "Action", operation->name);
	if (error == 0)
		error = append_pair(form.body, "Version",
			operation->service->api_version != NULL ? operation->service->api_version : "");
	if (error == 0 && input != NULL)
		error = append_form_container(&form, input);
	if (error == 0 && token != NULL)
		error = append_pair(form.body, operation->input_token, token);
	swp_buf_done(&form.name);
	return error;
}

/* --- rest --- */

static const struct swp_aws_query_member *query_member_find(
	const struct swp_aws_operation *operation, const char *member)
{
	for (size_t i = 0; i < operation->query_member_count; i++) {
		if (strcmp(operation->query_members[i].member, member) == 0)
			return &operation->query_members[i];
	}
	return NULL;
}

/* "{name}" or "{name+}" in the template. */
static bool is_uri_label(const char *uri, const char *member)
{
	size_t length = strlen(member);

	for (const char *at = strchr(uri, '{'); at != NULL; at = strchr(at + 1, '{')) {
		if (strncmp(at + 1, member, length) == 0 && (at[1 + length] == '}' || at[1 + length] == '+'))
			return true;
	}
	return false;
}

/* A label that is empty, "." or ".." would make it another path, and another operation. */
static int append_label(
	struct swp_buf *path, const json_t *input, const char *name, size_t name_length, bool greedy)
{
	const json_t *value = json_object_getn(input, name, name_length);
	char number[32];
	const char *text = value != NULL ? scalar_text(value, number) : NULL;

	if (text == NULL || text[0] == '\0' || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
		return -EINVAL;
	return swp_percent_encode(path, text, strlen(text), greedy);
}

/* Fills the template. A label that is the host label stands in the host, so its part of the path falls away. */
static int fill_path(const struct swp_aws_operation *operation, const json_t *input, struct swp_buf *path)
{
	const char *at = operation->uri, *end = at + strcspn(at, "?");
	int error = 0;

	while (at < end && error == 0) {
		const char *close, *name = at + 1;
		bool greedy;

		if (*at != '{') {
			error = swp_buf_append_byte(path, *at++);
			continue;
		}
		close = memchr(at, '}', (size_t)(end - at));
		if (close == NULL)
			return -EINVAL;
		greedy = close[-1] == '+';
		at = close + 1;
		if (operation->host_label != NULL &&
			strlen(operation->host_label) == (size_t)(close - name) &&
			strncmp(name, operation->host_label, (size_t)(close - name)) == 0)
			at += *at == '/';
		else
			error = append_label(path, input, name, (size_t)(close - name) - greedy, greedy);
	}
	return error != 0 || path->length > 0 ? error : swp_buf_append_byte(path, '/');
}

static int take_host_label(
	const struct swp_aws_operation *operation, const json_t *input, struct swp_aws_request *request)
{
	const char *value = json_string_value(json_object_get(input, operation->host_label));
	size_t length = value != NULL ? strlen(value) : 0;

	/* A host name is made of it: only what may stand in one, and no dot at its ends. */
	if (length == 0 || length >= sizeof(request->host_label) || value[0] == '.' ||
		value[length - 1] == '.' || strstr(value, "..") != NULL ||
		value[strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._")] !=
			'\0')
		return -EINVAL;
	memcpy(request->host_label, value, length + 1);
	return 0;
}

static bool has_body(const char *method)
{
	return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0;
}

/* Members without a row go to the body; where the method has none, to the query by their own name. */
static int place_members(const struct swp_aws_operation *operation, const json_t *input,
	struct swp_aws_request *request, json_t *body)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)input, name, value)
	{
		const struct swp_aws_query_member *row = query_member_find(operation, name);
		int error = 0;

		if (is_uri_label(operation->uri, name) ||
			(operation->host_label != NULL && strcmp(operation->host_label, name) == 0))
			continue;
		if (row != NULL)
			error = append_query_member(&request->query, row->name, value);
		else if (!has_body(operation->method))
			error = append_query_member(&request->query, name, value);
		else if (json_object_set(body, name, value) != 0)
			error = -ENOMEM;
		if (error != 0)
			return error;
	}
	return 0;
}

static int place_token(const struct swp_aws_operation *operation, const char *token,
	struct swp_aws_request *request, json_t *body)
{
	const struct swp_aws_query_member *row = query_member_find(operation, operation->input_token);

	if (row != NULL || !has_body(operation->method))
		return append_pair(&request->query, row != NULL ? row->name : operation->input_token, token);
	return json_object_set_new(body, operation->input_token, json_string(token)) == 0 ? 0 : -ENOMEM;
}

static int build_rest(const struct swp_aws_operation *operation, const json_t *input, const char *token,
	struct swp_aws_request *request)
{
	const char *fixed = strchr(operation->uri, '?');
	json_t *body = json_object();
	int error = body != NULL ? 0 : -ENOMEM;

	request->method = operation->method;
	if (error == 0 && operation->host_label != NULL)
		error = take_host_label(operation, input, request);
	if (error == 0)
		error = fill_path(operation, input, &request->path);
	if (error == 0 && fixed != NULL)
		error = swp_buf_append_text(&request->query, fixed + 1);
	if (error == 0)
		error = place_members(operation, input, request, body);
	if (error == 0 && token != NULL)
		error = place_token(operation, token, request, body);
	if (error == 0 && has_body(operation->method) &&
		operation->service->protocol == SWP_PROTOCOL_REST_JSON) {
		request->content_type = "application/json";
		error = write_json_body(body, NULL, NULL, &request->body);
	}
	json_decref(body);
	return error;
}

int swp_dialect_build(const struct swp_aws_operation *operation, const json_t *input, const char *token,
	struct swp_aws_request *request)
{
	request_clear(request);
	if (token != NULL && operation->input_token == NULL)
		return -EINVAL;
	switch (operation->service->protocol) {
	case SWP_PROTOCOL_JSON_1_0:
	case SWP_PROTOCOL_JSON_1_1:
		return build_json(operation, input, token, request);
	case SWP_PROTOCOL_QUERY:
	case SWP_PROTOCOL_EC2:
		return build_query(operation, input, token, request);
	default:
		return build_rest(operation, input, token, request);
	}
}

/* --- answers --- */

/* Follows a dotted path; null counts as absent. `ret_parent` (may be NULL) is the object that would hold it. */
static json_t *path_get(json_t *document, const char *path, json_t **ret_parent)
{
	json_t *at = document;

	while (at != NULL) {
		size_t length = strcspn(path, ".");

		if (path[length] == '\0') {
			if (ret_parent != NULL)
				*ret_parent = at;
			at = json_object_getn(at, path, length);
			return at == NULL || json_is_null(at) ? NULL : at;
		}
		at = json_object_getn(at, path, length);
		path += length + 1;
	}
	return NULL;
}

static bool name_is(const char *text, const char *name, const char *suffix)
{
	size_t length = strlen(name);

	return strncmp(text, name, length) == 0 && strcmp(text + length, suffix) == 0;
}

/* Query: <OperationResponse><OperationResult>…; ec2: <OperationResponse>…; S3's root is the result. Takes `root`. */
static int strip_wrapper(
	const struct swp_aws_operation *operation, const char *root_name, json_t *root, json_t **ret_document)
{
	enum swp_protocol protocol = operation->service->protocol;
	char result_name[SWP_XML_NAME_BYTES + 8];
	json_t *document = root;
	int result = 0;

	/* A captive portal's page is well-formed XHTML with status 200 at times. */
	if (protocol == SWP_PROTOCOL_REST_XML
			? strcmp(root_name, "Error") == 0 || swp_text_equal_ignoring_case(root_name, "html")
			: !name_is(root_name, operation->name, "Response"))
		result = SWP_DIALECT_MALFORMED;
	if (result == 0 && protocol == SWP_PROTOCOL_QUERY) {
		snprintf(result_name, sizeof(result_name), "%sResult", operation->name);
		document = json_object_get(root, result_name);
	}
	if (result == 0 && document != NULL && json_is_object(document))
		*ret_document = json_incref(document);
	else if (result == 0 &&
		 (document == NULL || (json_is_string(document) && json_string_length(document) == 0)))
		*ret_document = json_object(); /* no result, or an empty one */
	else
		result = SWP_DIALECT_MALFORMED;
	json_decref(root);
	if (result == 0 && *ret_document == NULL)
		result = -ENOMEM;
	return result;
}

/* A list without elements is an empty element in XML, or, where it is flattened, nothing at all. */
static int complete_xml_list(const struct swp_aws_operation *operation, json_t *document)
{
	const char *name = strrchr(operation->result, '.');
	json_t *parent = NULL, *value = path_get(document, operation->result, &parent);
	bool listed = false;

	name = name != NULL ? name + 1 : operation->result;
	for (const char *const *list = operation->lists; list != NULL && *list != NULL; list++)
		listed = listed || strcmp(*list, name) == 0;
	if (value != NULL ? !(json_is_string(value) && json_string_length(value) == 0) : !listed)
		return 0;
	if (json_is_object(parent))
		return json_object_set_new(parent, name, json_array()) == 0 ? 0 : -ENOMEM;
	if (json_is_string(parent) &&
		json_string_length(parent) == 0) { /* <Buckets/>: the wrapper is empty */
		char wrapper[SWP_XML_NAME_BYTES];
		size_t length = strcspn(operation->result, ".");
		json_t *filled = json_pack("{s:[]}", name);

		if (filled == NULL)
			return -ENOMEM;
		if (length >= sizeof(wrapper) || operation->result + length + 1 != name) {
			json_decref(filled);
			return 0;
		}
		memcpy(wrapper, operation->result, length);
		wrapper[length] = '\0';
		return json_object_set_new(document, wrapper, filled) == 0 ? 0 : -ENOMEM;
	}
	return 0;
}

static int read_xml(
	const struct swp_aws_operation *operation, const char *body, size_t length, json_t **ret_document)
{
	static const char *const items[] = {
		[SWP_PROTOCOL_QUERY] = "member", [SWP_PROTOCOL_EC2] = "item", [SWP_PROTOCOL_REST_XML] = NULL};
	char root_name[SWP_XML_NAME_BYTES];
	json_t *root, *document;
	int result = swp_xml_read(
		body, length, items[operation->service->protocol], operation->lists, root_name, &root);

	if (result == 0)
		result = strip_wrapper(operation, root_name, root, &document);
	if (result == 0 && operation->result != NULL) {
		result = complete_xml_list(operation, document);
		if (result != 0)
			json_decref(document);
	}
	if (result == 0)
		*ret_document = document;
	return result;
}

/* STS and IAM answer JSON to those who accept it, and some stand-ins always do: {"XResponse": {"XResult": {…}}}. */
static json_t *strip_json_wrapper(const struct swp_aws_operation *operation, json_t *document)
{
	static const char *const suffixes[] = {"Response", "Result"};
	char name[SWP_XML_NAME_BYTES + 16];

	for (size_t i = 0; i < SWP_ARRAY_SIZE(suffixes); i++) {
		json_t *inner;

		snprintf(name, sizeof(name), "%s%s", operation->name, suffixes[i]);
		inner = json_object_get(document, name);
		if (json_is_object(inner)) {
			json_incref(inner);
			json_decref(document);
			document = inner;
		}
	}
	return document;
}

static size_t skip_blanks(const char *body, size_t length)
{
	size_t at = 0;

	while (at < length && strchr(" \t\r\n", body[at]) != NULL && body[at] != '\0')
		at++;
	return at;
}

static int read_document(
	const struct swp_aws_operation *operation, const char *body, size_t length, json_t **ret_document)
{
	enum swp_protocol protocol = operation->service->protocol;
	size_t blanks = skip_blanks(body, length);
	json_t *document;
	int result;

	/* A read answers with a document, be it {}: nothing at all is something lost on the way, not an empty answer. */
	if (blanks == length)
		return SWP_DIALECT_MALFORMED;
	if (is_xml(protocol) && body[blanks] != '{')
		return read_xml(operation, body, length, ret_document);
	result = swp_json_read(body, length, &document);
	if (result != 0)
		return result;
	if (!json_is_object(document)) {
		json_decref(document);
		return SWP_DIALECT_MALFORMED;
	}
	*ret_document = is_xml(protocol) ? strip_json_wrapper(operation, document) : document;
	return 0;
}

/* NULL, or the first member that must be there and is not. */
static const char *missing_member(const struct swp_aws_operation *operation, json_t *document)
{
	if (operation->result != NULL && !json_is_array(path_get(document, operation->result, NULL)))
		return operation->result;
	for (const char *const *name = operation->required; name != NULL && *name != NULL; name++) {
		if (path_get(document, *name, NULL) == NULL)
			return *name;
	}
	return NULL;
}

int swp_dialect_parse(const struct swp_aws_operation *operation, const char *body, size_t length,
	json_t **ret_document, const char **ret_member)
{
	json_t *document;
	const char *missing;
	int result = read_document(operation, body, length, &document);

	if (result != 0)
		return result;
	missing = missing_member(operation, document);
	if (missing != NULL) {
		json_decref(document);
		if (ret_member != NULL)
			*ret_member = missing;
		return SWP_DIALECT_MISSING_MEMBER;
	}
	*ret_document = document;
	return 0;
}

/* --- error answers --- */

static void copy_text(char *out, size_t out_bytes, const char *text)
{
	size_t length = strlen(text);

	if (length >= out_bytes) {
		length = out_bytes - 1;
		while (length > 0 &&
			((unsigned char)text[length] & 0xc0) == 0x80) /* not within a character */
			length--;
	}
	memcpy(out, text, length);
	out[length] = '\0';
}

/* "com.amazon.coral.service#ThrottlingException:http://internal…" → ThrottlingException; what is no code gives "". */
static void copy_code(char *out, size_t out_bytes, const char *text)
{
	size_t length = strcspn(text, ":");
	const char *hash = memrchr(text, '#', length);

	if (hash != NULL) {
		length -= (size_t)(hash + 1 - text);
		text = hash + 1;
	}
	out[0] = '\0';
	if (length >= out_bytes ||
		strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") < length)
		return;
	memcpy(out, text, length);
	out[length] = '\0';
}

/* The first of the names that is a string; "" when none is. */
static const char *first_string(const json_t *object, const char *const *names)
{
	for (; *names != NULL; names++) {
		const char *text = json_string_value(json_object_get(object, *names));

		if (text != NULL && text[0] != '\0')
			return text;
	}
	return "";
}

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

/* <ErrorResponse><Error>, <Response><Errors><Error> (ec2), <Error> (S3); {"Error": …} where STS answers JSON; else as is. */
static const json_t *error_object(const json_t *root)
{
	const json_t *error = json_object_get(root, "Error");

	if (json_is_object(error))
		return error;
	error = json_object_get(root, "Errors");
	if (json_is_object(error))
		error = json_object_get(error, "Error");
	if (json_is_array(error))
		error = json_array_get(error, 0);
	return json_is_object(error) ? error : root;
}

static void fill_error(const json_t *root, bool rest, const char *header, struct swp_aws_error *error)
{
	const json_t *object = error_object(root);
	const char *code = header;

	if (!rest || code[0] == '\0')
		code = first_string(
			object, rest ? NAMES("code", "Code", "__type") : NAMES("__type", "Code", "code"));
	if (code[0] == '\0')
		code = header;
	copy_code(error->code, sizeof(error->code), code);
	copy_text(error->message, sizeof(error->message),
		first_string(object, NAMES("message", "Message", "errorMessage")));
	copy_text(error->request_id, sizeof(error->request_id),
		first_string(root, NAMES("RequestId", "RequestID", "requestId")));
	if (error->request_id[0] == '\0')
		copy_text(error->request_id, sizeof(error->request_id),
			first_string(object, NAMES("RequestId", "RequestID")));
}

static bool is_error_root(const char *name)
{
	return strcmp(name, "ErrorResponse") == 0 || strcmp(name, "Response") == 0 ||
	       strcmp(name, "Error") == 0;
}

void swp_dialect_parse_error(enum swp_protocol protocol, const char *error_type_header, const char *body,
	size_t length, struct swp_aws_error *ret_error)
{
	char root_name[SWP_XML_NAME_BYTES];
	size_t blanks = skip_blanks(body, length);
	json_t *root = NULL;

	ret_error->code[0] = ret_error->message[0] = ret_error->request_id[0] = '\0';
	/* Told by the first byte, not by the protocol: some services answer JSON errors to query requests. */
	if (blanks < length && body[blanks] == '<') {
		if (swp_xml_read(body, length, NULL, NULL, root_name, &root) == 0 &&
			!is_error_root(root_name)) {
			json_decref(root);
			root = NULL;
		}
	} else if (blanks < length && swp_json_read(body, length, &root) != 0) {
		root = NULL;
	}
	if (json_is_object(root))
		fill_error(root, is_rest(protocol), error_type_header, ret_error);
	else
		copy_code(ret_error->code, sizeof(ret_error->code), error_type_header);
	json_decref(root);
}
