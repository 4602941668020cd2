/* Requests of every protocol, answers, required members, error answers. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/aws/dialect.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/base/limits.h"

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static const struct swp_aws_service sagemaker = {
	.name = "sagemaker", .protocol = SWP_PROTOCOL_JSON_1_1, .target_prefix = "SageMaker"};
static const struct swp_aws_service monitoring = {
	.name = "monitoring", .protocol = SWP_PROTOCOL_JSON_1_0, .target_prefix = "G"};
static const struct swp_aws_service bedrock = {.name = "bedrock", .protocol = SWP_PROTOCOL_REST_JSON};
static const struct swp_aws_service iam = {
	.name = "iam", .protocol = SWP_PROTOCOL_QUERY, .api_version = "2010-05-08"};
static const struct swp_aws_service sts = {
	.name = "sts", .protocol = SWP_PROTOCOL_QUERY, .api_version = "2011-06-15"};
static const struct swp_aws_service ec2 = {
	.name = "ec2", .protocol = SWP_PROTOCOL_EC2, .api_version = "2016-11-15"};
static const struct swp_aws_service s3 = {.name = "s3", .protocol = SWP_PROTOCOL_REST_XML};

static const struct swp_aws_query_member page_members[] = {
	{"maxResults", "max-results"}, {"nextToken", "nextToken"}, {"statuses", "status"}};

static const struct swp_aws_operation list_notebooks = {.service = &sagemaker,
	.name = "ListNotebookInstances",
	.method = "POST",
	.uri = "/",
	.input_token = "NextToken",
	.output_token = "NextToken",
	.result = "NotebookInstances"};
static const struct swp_aws_operation get_metrics = {
	.service = &monitoring, .name = "ListMetrics", .method = "POST", .uri = "/"};
static const struct swp_aws_operation list_guardrails = {.service = &bedrock,
	.name = "ListGuardrails",
	.method = "GET",
	.uri = "/guardrails",
	.query_members = page_members,
	.query_member_count = 3,
	.input_token = "nextToken",
	.result = "guardrails"};
static const struct swp_aws_operation get_guardrail = {.service = &bedrock,
	.name = "GetGuardrail",
	.method = "GET",
	.uri = "/guardrails/{guardrailIdentifier}/x/{key+}?fixed=1",
	.required = LIST("guardrailArn", "status.code")};
static const struct swp_aws_operation list_agents = {.service = &bedrock,
	.name = "ListAgents",
	.method = "POST",
	.uri = "/agents/",
	.input_token = "nextToken"};
static const struct swp_aws_operation list_roles = {.service = &iam,
	.name = "ListRoles",
	.method = "POST",
	.uri = "/",
	.input_token = "Marker",
	.result = "Roles"};
static const struct swp_aws_operation caller_identity = {.service = &sts,
	.name = "GetCallerIdentity",
	.method = "POST",
	.uri = "/",
	.required = LIST("Account")};
static const struct swp_aws_operation regions = {
	.service = &ec2, .name = "DescribeRegions", .method = "POST", .uri = "/", .result = "regionInfo"};
static const struct swp_aws_operation list_buckets = {.service = &s3,
	.name = "ListBuckets",
	.method = "GET",
	.uri = "/",
	.result = "Buckets.Bucket",
	.lists = LIST("Bucket")};
static const struct swp_aws_operation bucket_policy = {.service = &s3,
	.name = "GetBucketPolicyStatus",
	.method = "GET",
	.uri = "/{Bucket}?policyStatus",
	.host_label = "Bucket"};

static const struct build_example {
	const char *name;
	const struct swp_aws_operation *operation;
	const char *input, *token; /* input NULL: none */
	int error;
	const char *method, *path, *query, *body, *type, *label;
} build_examples[] = {
	{"json without input", &list_notebooks, NULL, NULL, 0, "POST", "/", "", "{}",
		"application/x-amz-json-1.1", ""},
	{"json with empty input", &list_notebooks, "{}", NULL, 0, "POST", "/", "", "{}",
		"application/x-amz-json-1.1", ""},
	{"json with input and token", &list_notebooks, "{\"MaxResults\":100}", "a\"b", 0, "POST", "/", "",
		"{\"MaxResults\":100,\"NextToken\":\"a\\\"b\"}", "application/x-amz-json-1.1", ""},
	{"json 1.0", &get_metrics, NULL, NULL, 0, "POST", "/", "", "{}", "application/x-amz-json-1.0", ""},
	{"token to what does not page", &get_metrics, NULL, "t", -EINVAL, NULL, NULL, NULL, NULL, NULL, NULL},
	{"rest query", &list_guardrails,
		"{\"maxResults\":10,\"statuses\":[\"A B\",\"C\"],\"other\":true,\"none\":null}", "t/+=", 0,
		"GET", "/guardrails", "max-results=10&status=A%20B&status=C&other=true&nextToken=t%2F%2B%3D",
		"", NULL, ""},
	{"rest query of a list of lists", &list_guardrails, "{\"statuses\":[[\"A\"]]}", NULL, -EINVAL, NULL,
		NULL, NULL, NULL, NULL, NULL},
	{"rest query of an object", &list_guardrails, "{\"statuses\":{\"A\":1}}", NULL, -EINVAL, NULL, NULL,
		NULL, NULL, NULL, NULL},
	{"rest labels", &get_guardrail, "{\"guardrailIdentifier\":\"arn:aws:x/y z\",\"key\":\"a/b c\"}", NULL,
		0, "GET", "/guardrails/arn%3Aaws%3Ax%2Fy%20z/x/a/b%20c", "fixed=1", "", NULL, ""},
	{"rest label is a number", &get_guardrail, "{\"guardrailIdentifier\":7,\"key\":\"k\"}", NULL, 0,
		"GET", "/guardrails/7/x/k", "fixed=1", "", NULL, ""},
	{"rest label missing", &get_guardrail, "{\"key\":\"k\"}", NULL, -EINVAL, NULL, NULL, NULL, NULL, NULL,
		NULL},
	{"rest label without input", &get_guardrail, NULL, NULL, -EINVAL, NULL, NULL, NULL, NULL, NULL, NULL},
	{"rest label empty", &get_guardrail, "{\"guardrailIdentifier\":\"\",\"key\":\"k\"}", NULL, -EINVAL,
		NULL, NULL, NULL, NULL, NULL, NULL},
	{"rest label is ..", &get_guardrail, "{\"guardrailIdentifier\":\"..\",\"key\":\"k\"}", NULL, -EINVAL,
		NULL, NULL, NULL, NULL, NULL, NULL},
	{"rest label is an object", &get_guardrail, "{\"guardrailIdentifier\":{},\"key\":\"k\"}", NULL,
		-EINVAL, NULL, NULL, NULL, NULL, NULL, NULL},
	{"rest body without input", &list_agents, NULL, NULL, 0, "POST", "/agents/", "", "{}",
		"application/json", ""},
	{"rest body with token", &list_agents, "{\"maxResults\":5}", "t", 0, "POST", "/agents/", "",
		"{\"maxResults\":5,\"nextToken\":\"t\"}", "application/json", ""},
	{"query", &caller_identity, NULL, NULL, 0, "POST", "/", "",
		"Action=GetCallerIdentity&Version=2011-06-15",
		"application/x-www-form-urlencoded; charset=utf-8", ""},
	{"query with lists, objects and token", &list_roles,
		"{\"PathPrefix\":\"/a "
		"b/\",\"Tags\":[{\"Key\":\"k\",\"Value\":true},{\"Key\":null}],\"Max\":1.5}",
		"m=", 0, "POST", "/", "",
		"Action=ListRoles&Version=2010-05-08&PathPrefix=%2Fa%20b%2F&Tags.member.1.Key=k&Tags.member."
		"1.Value=true&Max=1.5&Marker=m%3D",
		"application/x-www-form-urlencoded; charset=utf-8", ""},
	{"ec2 lists", &regions, "{\"RegionName\":[\"a\",\"b\"],\"AllRegions\":false}", NULL, 0, "POST", "/",
		"",
		"Action=DescribeRegions&Version=2016-11-15&RegionName.1=a&RegionName.2=b&AllRegions=false",
		"application/x-www-form-urlencoded; charset=utf-8", ""},
	{"s3", &list_buckets, NULL, NULL, 0, "GET", "/", "", "", NULL, ""},
	{"s3 bucket", &bucket_policy, "{\"Bucket\":\"my.bucket-1\"}", NULL, 0, "GET", "/", "policyStatus", "",
		NULL, "my.bucket-1"},
	{"s3 bucket missing", &bucket_policy, "{}", NULL, -EINVAL, NULL, NULL, NULL, NULL, NULL, NULL},
	{"s3 bucket that leads elsewhere", &bucket_policy, "{\"Bucket\":\"evil.com/\"}", NULL, -EINVAL, NULL,
		NULL, NULL, NULL, NULL, NULL},
	{"s3 bucket with dots at the end", &bucket_policy, "{\"Bucket\":\"..\"}", NULL, -EINVAL, NULL, NULL,
		NULL, NULL, NULL, NULL},
	{"s3 bucket too long", &bucket_policy,
		"{\"Bucket\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}", NULL,
		-EINVAL, NULL, NULL, NULL, NULL, NULL, NULL},
};

static void builds(void **state)
{
	struct swp_aws_request request;

	(void)state;
	swp_aws_request_init(&request);
	for (size_t i = 0; i < SWP_ARRAY_SIZE(build_examples); i++) { /* one struct serves all */
		const struct build_example *example = &build_examples[i];
		json_t *input = example->input != NULL ? json_loads(example->input, 0, NULL) : NULL;
		int error = swp_dialect_build(example->operation, input, example->token, &request);

		if (error != example->error)
			fail_msg("%s: %d", example->name, error);
		if (error == 0) {
			if (strcmp(swp_buf_text(&request.body), example->body) != 0 ||
				strcmp(swp_buf_text(&request.path), example->path) != 0 ||
				strcmp(swp_buf_text(&request.query), example->query) != 0)
				fail_msg("%s: %s?%s with %s", example->name, swp_buf_text(&request.path),
					swp_buf_text(&request.query), swp_buf_text(&request.body));
			assert_string_equal(request.method, example->method);
			assert_string_equal(request.host_label, example->label);
			assert_true((request.content_type == NULL) == (example->type == NULL));
			if (example->type != NULL)
				assert_string_equal(request.content_type, example->type);
		}
		json_decref(input);
	}
	assert_int_equal(swp_dialect_build(&list_notebooks, NULL, NULL, &request), 0);
	assert_string_equal(request.target_prefix, "SageMaker");
	assert_string_equal(request.target_name, "ListNotebookInstances");
	swp_aws_request_done(&request);
	swp_aws_request_done(&request);
}

static const struct parse_example {
	const char *name;
	const struct swp_aws_operation *operation;
	const char *body;
	int result;
	const char *text; /* the document, or the missing member */
} parse_examples[] = {
	{"list", &list_notebooks, "{\"NotebookInstances\":[{\"a\":1}],\"NextToken\":\"t\"}", 0,
		"{\"NotebookInstances\":[{\"a\":1}],\"NextToken\":\"t\"}"},
	{"empty list", &list_notebooks, "{\"NotebookInstances\":[]}", 0, "{\"NotebookInstances\":[]}"},
	{"no list", &list_notebooks, "{}", SWP_DIALECT_MISSING_MEMBER, "NotebookInstances"},
	{"null list", &list_notebooks, "{\"NotebookInstances\":null}", SWP_DIALECT_MISSING_MEMBER,
		"NotebookInstances"},
	{"list that is none", &list_notebooks, "{\"NotebookInstances\":{}}", SWP_DIALECT_MISSING_MEMBER,
		"NotebookInstances"},
	{"empty body, json", &list_notebooks, "", SWP_DIALECT_MALFORMED, NULL},
	{"array", &list_notebooks, "[]", SWP_DIALECT_MALFORMED, NULL},
	{"cut", &list_notebooks, "{\"NotebookInstances\":[", SWP_DIALECT_MALFORMED, NULL},
	{"html", &list_notebooks, "<html></html>", SWP_DIALECT_MALFORMED, NULL},
	{"empty body, rest", &list_agents, "", SWP_DIALECT_MALFORMED, NULL},
	{"blank body, rest", &list_agents, " \n", SWP_DIALECT_MALFORMED, NULL},
	{"empty object, rest", &list_agents, "{}", 0, "{}"},
	{"required", &get_guardrail, "{\"guardrailArn\":\"a\",\"status\":{\"code\":1}}", 0,
		"{\"guardrailArn\":\"a\",\"status\":{\"code\":1}}"},
	{"required missing", &get_guardrail, "{\"status\":{\"code\":1}}", SWP_DIALECT_MISSING_MEMBER,
		"guardrailArn"},
	{"required is null", &get_guardrail, "{\"guardrailArn\":null,\"status\":{\"code\":1}}",
		SWP_DIALECT_MISSING_MEMBER, "guardrailArn"},
	{"required within", &get_guardrail, "{\"guardrailArn\":\"a\",\"status\":{}}",
		SWP_DIALECT_MISSING_MEMBER, "status.code"},
	{"required within what is no object", &get_guardrail, "{\"guardrailArn\":\"a\",\"status\":\"x\"}",
		SWP_DIALECT_MISSING_MEMBER, "status.code"},
	{"query", &caller_identity,
		"<GetCallerIdentityResponse "
		"xmlns=\"u\"><GetCallerIdentityResult><Account>1</Account></GetCallerIdentityResult>"
		"<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></GetCallerIdentityResponse>",
		0, "{\"Account\":\"1\"}"},
	{"query, empty result", &caller_identity,
		"<GetCallerIdentityResponse><GetCallerIdentityResult/></GetCallerIdentityResponse>",
		SWP_DIALECT_MISSING_MEMBER, "Account"},
	{"query, no result", &caller_identity, "<GetCallerIdentityResponse/>", SWP_DIALECT_MISSING_MEMBER,
		"Account"},
	{"query, another's answer", &caller_identity, "<AssumeRoleResponse/>", SWP_DIALECT_MALFORMED, NULL},
	{"query, XHTML", &caller_identity, "<html><body>sign in</body></html>", SWP_DIALECT_MALFORMED, NULL},
	{"query, empty list", &list_roles,
		"<ListRolesResponse><ListRolesResult><Roles/><IsTruncated>false</IsTruncated></"
		"ListRolesResult></ListRolesResponse>",
		0, "{\"Roles\":[],\"IsTruncated\":\"false\"}"},
	{"query, list", &list_roles,
		"<ListRolesResponse><ListRolesResult><Roles><member><Arn>a</Arn></member></Roles></"
		"ListRolesResult></ListRolesResponse>",
		0, "{\"Roles\":[{\"Arn\":\"a\"}]}"},
	{"query, no list", &list_roles,
		"<ListRolesResponse><ListRolesResult><A>1</A></ListRolesResult></ListRolesResponse>",
		SWP_DIALECT_MISSING_MEMBER, "Roles"},
	{"query answered in JSON", &caller_identity,
		" {\"GetCallerIdentityResponse\":{\"GetCallerIdentityResult\":{\"Account\":\"1\"}}}", 0,
		"{\"Account\":\"1\"}"},
	{"query answered in JSON without wrappers", &caller_identity, "{\"Account\":\"1\"}", 0,
		"{\"Account\":\"1\"}"},
	{"ec2", &regions,
		"<DescribeRegionsResponse><requestId>r</requestId><regionInfo><item><regionName>a</"
		"regionName></item></regionInfo></DescribeRegionsResponse>",
		0, "{\"requestId\":\"r\",\"regionInfo\":[{\"regionName\":\"a\"}]}"},
	{"s3 list", &list_buckets,
		"<ListAllMyBucketsResult><Buckets><Bucket><Name>a</Name></Bucket></Buckets></"
		"ListAllMyBucketsResult>",
		0, "{\"Buckets\":{\"Bucket\":[{\"Name\":\"a\"}]}}"},
	{"s3 empty list", &list_buckets,
		"<ListAllMyBucketsResult><Owner/><Buckets/></ListAllMyBucketsResult>", 0,
		"{\"Owner\":\"\",\"Buckets\":{\"Bucket\":[]}}"},
	{"s3 wrapper missing", &list_buckets, "<ListAllMyBucketsResult><Owner/></ListAllMyBucketsResult>",
		SWP_DIALECT_MISSING_MEMBER, "Buckets.Bucket"},
	{"s3 error with status 200", &bucket_policy, "<Error><Code>InternalError</Code></Error>",
		SWP_DIALECT_MALFORMED, NULL},
	{"s3 XHTML", &bucket_policy, "<HTML/>", SWP_DIALECT_MALFORMED, NULL},
};

static void parses(void **state)
{
	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(parse_examples); i++) {
		const struct parse_example *example = &parse_examples[i];
		json_t *document = NULL,
		       *expected = example->result == 0 ? json_loads(example->text, 0, NULL) : NULL;
		const char *member = NULL;
		int result = swp_dialect_parse(
			example->operation, example->body, strlen(example->body), &document, &member);

		if (result != example->result)
			fail_msg("%s: %d", example->name, result);
		if (result == 0 && !json_equal(document, expected))
			fail_msg("%s: %s", example->name, json_dumps(document, 0));
		if (result == SWP_DIALECT_MISSING_MEMBER)
			assert_string_equal(member, example->text);
		json_decref(document);
		json_decref(expected);
	}
	json_t *document;
	assert_int_equal(
		swp_dialect_parse(&list_notebooks, "{}", 2, &document, NULL), SWP_DIALECT_MISSING_MEMBER);
}

static void too_deep(void **state)
{
	char deep[2 * SWP_LIMIT_DOCUMENT_DEPTH + 8];
	json_t *document;

	(void)state;
	memset(deep, '[', sizeof(deep));
	assert_int_equal(
		swp_dialect_parse(&list_agents, deep, sizeof(deep), &document, NULL), SWP_DIALECT_TOO_DEEP);
}

static const struct error_example {
	const char *name;
	enum swp_protocol protocol;
	const char *header, *body;
	const char *code, *message, *request_id;
} error_examples[] = {
	{"json", SWP_PROTOCOL_JSON_1_1, "",
		"{\"__type\":\"com.amazonaws.sagemaker#ThrottlingException\",\"message\":\"m\"}",
		"ThrottlingException", "m", ""},
	{"json, capital", SWP_PROTOCOL_JSON_1_1, "",
		"{\"__type\":\"AccessDeniedException\",\"Message\":\"m\"}", "AccessDeniedException", "m", ""},
	{"json, header only", SWP_PROTOCOL_JSON_1_1, "X:http://y", "{}", "X", "", ""},
	{"rest, header first", SWP_PROTOCOL_REST_JSON, "ThrottlingException:http://internal/",
		"{\"code\":\"Other\",\"message\":\"m\"}", "ThrottlingException", "m", ""},
	{"rest, code", SWP_PROTOCOL_REST_JSON, "", "{\"code\":\"a#b#Gone:x\",\"Message\":\"m\"}", "Gone", "m",
		""},
	{"rest, Code", SWP_PROTOCOL_REST_JSON, "", "{\"Code\":\"Gone\"}", "Gone", "", ""},
	{"rest, type", SWP_PROTOCOL_REST_JSON, "", "{\"__type\":\"x#Gone\"}", "Gone", "", ""},
	{"rest, empty body", SWP_PROTOCOL_REST_JSON, "AccessDeniedException", "", "AccessDeniedException", "",
		""},
	{"query", SWP_PROTOCOL_QUERY, "",
		"<ErrorResponse xmlns=\"u\"><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate "
		"exceeded</Message></Error>"
		"<RequestId>r-1</RequestId></ErrorResponse>",
		"Throttling", "Rate exceeded", "r-1"},
	{"ec2", SWP_PROTOCOL_EC2, "",
		"<?xml "
		"version=\"1.0\"?><Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>m</"
		"Message></Error></Errors>"
		"<RequestID>r-2</RequestID></Response>",
		"RequestLimitExceeded", "m", "r-2"},
	{"ec2, several errors", SWP_PROTOCOL_EC2, "",
		"<Response><Errors><Error><Code>A</Code></Error><Error><Code>B</Code></Error></Errors></"
		"Response>",
		"A", "", ""},
	{"s3", SWP_PROTOCOL_REST_XML, "",
		"<Error><Code>NoSuchBucket</Code><Message>m</Message><RequestId>r-3</RequestId></Error>",
		"NoSuchBucket", "m", "r-3"},
	{"query in JSON", SWP_PROTOCOL_QUERY, "",
		"{\"Error\":{\"Code\":\"ExpiredToken\",\"Message\":\"m\"},\"RequestId\":\"r\"}",
		"ExpiredToken", "m", "r"},
	{"a proxy's page", SWP_PROTOCOL_REST_JSON, "", "<html><head><title>403</title></head></html>", "", "",
		""},
	{"a proxy's page that is no XML", SWP_PROTOCOL_QUERY, "", "<!DOCTYPE html><p>Access<br>Denied", "",
		"", ""},
	{"a code that is a number", SWP_PROTOCOL_REST_JSON, "", "{\"code\":403,\"message\":\"no\"}", "", "no",
		""},
	{"a code that is a sentence", SWP_PROTOCOL_JSON_1_1, "",
		"{\"__type\":\"Access is denied\",\"message\":\"no\"}", "", "no", ""},
	{"not an object", SWP_PROTOCOL_JSON_1_1, "", "[\"AccessDenied\"]", "", "", ""},
	{"nothing", SWP_PROTOCOL_REST_XML, "", "", "", "", ""},
	{"blanks", SWP_PROTOCOL_REST_XML, "", "  \n", "", "", ""},
	{"cut", SWP_PROTOCOL_REST_JSON, "X", "{\"message\":\"m", "X", "", ""},
};

static void errors(void **state)
{
	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(error_examples); i++) {
		const struct error_example *example = &error_examples[i];
		struct swp_aws_error error;

		swp_dialect_parse_error(
			example->protocol, example->header, example->body, strlen(example->body), &error);
		if (strcmp(error.code, example->code) != 0 || strcmp(error.message, example->message) != 0 ||
			strcmp(error.request_id, example->request_id) != 0)
			fail_msg("%s: '%s' '%s' '%s'", example->name, error.code, error.message,
				error.request_id);
	}
}

static void long_error_texts(void **state)
{
	static char body[8000];
	struct swp_aws_error error;

	(void)state;
	memcpy(body, "{\"message\":\"", 12);
	for (size_t i = 12; i + 1 < 7000; i += 2) /* two-byte characters: the cut must not fall within one */
		memcpy(body + i, "\xc3\xa9", 2);
	memcpy(body + 7000, "\"}", 3);
	swp_dialect_parse_error(SWP_PROTOCOL_JSON_1_1, "", body, strlen(body), &error);
	assert_int_equal(strlen(error.message), 2046);
	memset(body, 'a', 300);
	memcpy(body, "{\"__type\":\"", 11);
	memcpy(body + 300, "\"}", 3);
	swp_dialect_parse_error(SWP_PROTOCOL_JSON_1_1, "", body, strlen(body), &error);
	assert_string_equal(error.code, "");
}

static void *json_malloc(size_t size)
{
	return swp_realloc(NULL, size);
}

static int build_and_parse(
	const struct build_example *build, const struct parse_example *parse, json_t *input)
{
	struct swp_aws_request request;
	json_t *document = NULL;
	int result;

	swp_aws_request_init(&request);
	result = swp_dialect_build(build->operation, input, build->token, &request);
	swp_aws_request_done(&request);
	if (result == build->error)
		result = swp_dialect_parse(
			parse->operation, parse->body, strlen(parse->body), &document, NULL);
	json_decref(document);
	return result;
}

static void failing_allocations(void **state)
{
	(void)state;
	json_set_alloc_funcs(json_malloc, swp_free);
	for (size_t i = 0; i < SWP_ARRAY_SIZE(build_examples) || i < SWP_ARRAY_SIZE(parse_examples); i++) {
		const struct build_example *build = &build_examples[i % SWP_ARRAY_SIZE(build_examples)];
		const struct parse_example *parse = &parse_examples[i % SWP_ARRAY_SIZE(parse_examples)];
		json_t *input = build->input != NULL ? json_loads(build->input, 0, NULL) : NULL;
		int expected = build_and_parse(build, parse, input), result = -ENOMEM;

		for (unsigned long nth = 1; result == -ENOMEM && nth < 300; nth++) {
			swp_alloc_fail_at(nth, 1);
			result = build_and_parse(build, parse, input);
			swp_alloc_fail_at(0, 0);
			if (result != expected && result != -ENOMEM)
				fail_msg("%s and %s: %d", build->name, parse->name, result);
		}
		assert_int_equal(result, expected);
		json_decref(input);
	}
	json_set_alloc_funcs(malloc, free);
}

static void protocol_names(void **state)
{
	(void)state;
	for (int protocol = SWP_PROTOCOL_JSON_1_0; protocol <= SWP_PROTOCOL_REST_XML; protocol++) {
		enum swp_protocol parsed;

		assert_int_equal(
			swp_protocol_parse(swp_protocol_name((enum swp_protocol)protocol), &parsed), 0);
		assert_int_equal(parsed, protocol);
	}
	enum swp_protocol none;
	assert_int_equal(swp_protocol_parse("soap", &none), -EINVAL);
	assert_null(swp_protocol_name((enum swp_protocol)99));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(builds),
		cmocka_unit_test(parses),
		cmocka_unit_test(too_deep),
		cmocka_unit_test(errors),
		cmocka_unit_test(long_error_texts),
		cmocka_unit_test(failing_allocations),
		cmocka_unit_test(protocol_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
