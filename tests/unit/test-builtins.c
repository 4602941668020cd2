/* Analysis of IAM policies, over documents as IAM and others give them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checks/builtins.h"
#include "checks/predicate.h"
#include "proto/base/buf.h"
#include "proto/base/error.h"
#include "proto/base/text.h"

static const struct swp_gap malformed = {.reason = SWP_REASON_MALFORMED_RESPONSE,
	.action = "a",
	.error_code = "",
	.message = "",
	.request_id = ""};
static const struct swp_gap timed_out = {
	.reason = SWP_REASON_TIMEOUT, .action = "a", .error_code = "", .message = "", .request_id = ""};

#define WITH_ROLE                                                                                            \
	"{\"p\": {\"builtin\": \"role-over-privileged\", \"with\": {\"role\": \"role\", \"policies\": "      \
	"\"policies[]\", \"broad_policies\": "                                                               \
	"[\"AdministratorAccess\"], \"reaching_actions\": [\"s3:GetObject\", \"kms:Decrypt\"], "             \
	"\"whole_services\": [\"bedrock:*\"], "                                                              \
	"\"passing_actions\": [\"iam:PassRole\"]}}}"
#define WITH_DOCUMENT "{\"p\": {\"builtin\": \"policy-public\", \"with\": {\"document\": \"role\"}}}"

/* 'T', 'F', 'm' malformed, 't' timeout (the list of policies was not wholly read). */
static char evaluate(const char *predicate_text, json_t *role, json_t *policies, const struct swp_gap *gap)
{
	static const char *const names[] = {"role", "policies"};
	struct swp_region *region = swp_region_new(0);
	struct swp_problem problem = {""};
	struct swp_lint lint = {.problem = &problem};
	struct swp_compiler compiler = {
		.region = region, .lint = &lint, .names = {.roots = names, .root_count = 2}};
	struct swp_value roots[] = {
		{.state = role ? SWP_VALUE_READ : SWP_VALUE_ABSENT, .json = role, .malformed = &malformed},
		{.state = SWP_VALUE_READ, .json = policies, .gap = gap, .malformed = &malformed}};
	struct swp_scope scope = {.roots = roots};
	json_t *container = json_loads(predicate_text, 0, NULL);
	const struct swp_predicate *predicate = NULL;
	struct swp_truth truth;

	if (swp_predicate_compile(&compiler, container, "p", &predicate) != 0)
		fail_msg("%s", problem.text);
	truth = swp_predicate_evaluate(predicate, &scope);
	json_decref(container);
	swp_region_free(region);
	if (truth.value != SWP_UNKNOWN)
		return truth.value == SWP_TRUE ? 'T' : 'F';
	return truth.gap == &malformed ? 'm' : 't';
}

/* A policy with one statement, percent-encoded as IAM gives it. */
static json_t *encoded(const char *statement)
{
	struct swp_buf plain = {0}, text = {0};
	json_t *value;

	swp_buf_append_format(&plain, "{\"Version\": \"2012-10-17\", \"Statement\": %s}", statement);
	swp_percent_encode(&text, plain.data, plain.length, false);
	value = json_string(text.data);
	swp_buf_done(&plain);
	swp_buf_done(&text);
	return value;
}

static const struct {
	const char *statement;
	char wanted;
} statements[] = {
	{"[{\"Effect\": \"Allow\", \"Action\": \"*\", \"Resource\": \"*\"}]", 'T'},
	{"{\"Effect\": \"Allow\", \"Action\": [\"logs:PutLogEvents\", \"s3:Get*\"], \"Resource\": "
	 "[\"arn:x\", \"*\"]}",
		'T'},
	{"[{\"Effect\": \"Allow\", \"Action\": \"S3:GETOBJECT\", \"Resource\": \"*\"}]", 'T'},
	{"[{\"Effect\": \"Allow\", \"Action\": \"s3:*\", \"Resource\": \"arn:aws:s3:::b/*\"}]", 'F'},
	{"[{\"Effect\": \"Deny\", \"Action\": \"*\", \"Resource\": \"*\"}]", 'F'},
	{"[{\"Effect\": \"Allow\", \"Action\": \"s3:ListBucket\", \"Resource\": \"*\"}]", 'F'},
	{"[{\"Effect\": \"Allow\", \"Action\": \"bedrock:*\", \"Resource\": \"*\"}]", 'T'},
	{"[{\"Effect\": \"Allow\", \"Action\": \"bedrock:InvokeModel\", \"Resource\": \"*\"}]", 'F'},
	{"[{\"Effect\": \"Allow\", \"NotAction\": \"iam:*\", \"Resource\": \"*\"}]", 'T'},
	{"[{\"Effect\": \"Allow\", \"Action\": \"kms:Decrypt\", \"NotResource\": \"arn:x\"}]", 'T'},
	{"[{\"Effect\": \"Allow\", \"Action\": \"iam:PassRole\", \"Resource\": \"*\"}]", 'T'},
	{"[{\"Effect\": \"Allow\", \"Action\": \"iam:PassRole\", \"Resource\": \"*\", \"Condition\": "
	 "{\"StringEquals\": "
	 "{\"iam:passedtoservice\": \"bedrock.amazonaws.com\"}}}]",
		'F'},
	{"[{\"Effect\": \"Allow\", \"Action\": \"iam:PassRole\", \"Resource\": \"*\", \"Condition\": "
	 "{\"Bool\": {\"aws:SecureTransport\": "
	 "\"true\"}}}]",
		'T'},
	{"[]", 'F'},
	{"[5]", 'm'},
};

static json_t *role_of(json_t *inline_policy, const char *attached)
{
	json_t *role = json_pack("{s:[], s:[]}", "RolePolicyList", "AttachedManagedPolicies");

	if (inline_policy)
		json_array_append_new(json_object_get(role, "RolePolicyList"),
			json_pack("{s:o}", "PolicyDocument", inline_policy));
	if (attached)
		json_array_append_new(json_object_get(role, "AttachedManagedPolicies"),
			json_pack("{s:s}", "PolicyArn", attached));
	return role;
}

static void test_inline(void **state)
{
	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(statements); i++) {
		json_t *role = role_of(encoded(statements[i].statement), NULL), *none = json_array();
		char got = evaluate(WITH_ROLE, role, none, NULL);

		if (got != statements[i].wanted)
			fail_msg("%s gives %c, not %c", statements[i].statement, got, statements[i].wanted);
		json_decref(role);
		json_decref(none);
	}
}

static void test_attached(void **state)
{
	static const char *const broad = "[{\"Effect\": \"Allow\", \"Action\": \"*\", \"Resource\": \"*\"}]";
	static const char *const narrow =
		"[{\"Effect\": \"Allow\", \"Action\": \"s3:ListBucket\", \"Resource\": \"*\"}]";
	json_t *policies = json_pack("[{s:s, s:[{s:s, s:o}, {s:b, s:o}]}]", "Arn", "arn:aws:iam::1:policy/p",
		"PolicyVersionList", "IsDefaultVersion", "false", "Document", encoded(broad),
		"IsDefaultVersion", 1, "Document", encoded(narrow));
	static const struct {
		const char *arn;
		bool whole;
		char wanted;
	} rows[] = {
		{"arn:aws:iam::1:policy/p", true, 'F'}, /* its default version counts */
		{"arn:aws:iam::aws:policy/AdministratorAccess", true, 'T'},
		{"arn:aws-cn:iam::aws:policy/AdministratorAccess", true, 'T'},
		{"arn:aws:iam::1:policy/AdministratorAccess", true,
			'm'}, /* a name of one's own, of a policy that isn't there */
		{"arn:aws:iam::1:policy/other", false, 't'},
	};

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		json_t *role = role_of(NULL, rows[i].arn);
		char got = evaluate(WITH_ROLE, role, policies, rows[i].whole ? NULL : &timed_out);

		if (got != rows[i].wanted)
			fail_msg("%s gives %c, not %c", rows[i].arn, got, rows[i].wanted);
		json_decref(role);
	}
	json_decref(policies);
}

/* One statement that is too much decides, whatever else can't be read. */
static void test_decided(void **state)
{
	json_t *role = role_of(encoded("[{\"Effect\": \"Allow\", \"Action\": \"*\", \"Resource\": \"*\"}]"),
		"arn:aws:iam::1:policy/other");
	json_t *none = json_array(),
	       *broken = json_pack("{s:s, s:s}", "RolePolicyList", "", "AttachedManagedPolicies", "x");
	json_t *empty = json_pack("{s:s, s:s}", "RolePolicyList", "", "AttachedManagedPolicies", "");

	(void)state;
	assert_int_equal(evaluate(WITH_ROLE, role, none, &timed_out), 'T');
	assert_int_equal(evaluate(WITH_ROLE, broken, none, NULL), 'm');
	assert_int_equal(evaluate(WITH_ROLE, empty, none, NULL), 'F'); /* empty lists of XML */
	assert_int_equal(evaluate(WITH_ROLE, NULL, none, NULL), 'F');
	json_decref(role);
	json_decref(none);
	json_decref(broken);
	json_decref(empty);
}

static void test_public(void **state)
{
	static const struct {
		const char *document;
		char wanted;
	} rows[] = {
		{"{\"Statement\": [{\"Effect\": \"Allow\", \"Principal\": \"*\", \"Action\": \"x:Y\"}]}",
			'T'},
		{"{\"Statement\": {\"Effect\": \"Allow\", \"Principal\": {\"AWS\": [\"1\", \"*\"]}}}", 'T'},
		{"{\"Statement\": [{\"Effect\": \"Allow\", \"Principal\": {\"AWS\": "
		 "\"arn:aws:iam::1:root\"}}]}",
			'F'},
		{"{\"Statement\": [{\"Effect\": \"Deny\", \"Principal\": \"*\"}]}", 'F'},
		{"{\"Statement\": [{\"Effect\": \"Allow\", \"NotPrincipal\": {\"AWS\": \"1\"}}]}", 'T'},
		{"{\"Statement\": [{\"Effect\": \"Allow\", \"Principal\": \"*\", \"Condition\": "
		 "{\"StringEquals\": {\"aws:principalorgid\": \"o-1\"}}}]}",
			'F'},
		{"{\"Statement\": [{\"Effect\": \"Allow\", \"Principal\": \"*\", \"Condition\": {\"Bool\": "
		 "{\"aws:SecureTransport\": \"true\"}}}]}",
			'T'},
		{"{\"Statement\": [{\"Effect\": \"Allow\", \"Principal\": {\"Service\": \"*\"}}]}", 'F'},
		{"not a policy", 'm'},
		{"{}", 'm'},
	};

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		json_t *text = json_string(rows[i].document), *object = json_loads(rows[i].document, 0, NULL),
		       *none = json_array();
		char got = evaluate(WITH_DOCUMENT, text, none, NULL);

		if (got != rows[i].wanted ||
			(object && evaluate(WITH_DOCUMENT, object, none, NULL) != rows[i].wanted))
			fail_msg("%s gives %c, not %c", rows[i].document, got, rows[i].wanted);
		json_decref(text);
		json_decref(object);
		json_decref(none);
	}
}

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < swp_builtin_count; i++) {
		assert_ptr_equal(swp_builtin_find(swp_builtins[i].name), &swp_builtins[i]);
		assert_true(swp_builtins[i].help && swp_builtins[i].arguments[0].name &&
			    swp_builtins[i].arguments[0].help);
	}
	assert_null(swp_builtin_find("nothing"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inline),
		cmocka_unit_test(test_attached),
		cmocka_unit_test(test_decided),
		cmocka_unit_test(test_public),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
