/* Session policies: exact while they fit, wildcards when they do not, several when even those do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/session-policy.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

static json_t *actions_of(const char *text)
{
	json_error_t error;
	json_t *policy = json_loads(text, 0, &error);
	json_t *statement = json_array_get(json_object_get(policy, "Statement"), 0);
	json_t *actions = json_incref(json_object_get(statement, "Action"));

	assert_non_null(policy);
	assert_string_equal(json_string_value(json_object_get(policy, "Version")), "2012-10-17");
	assert_string_equal(json_string_value(json_object_get(statement, "Effect")), "Allow");
	assert_string_equal(json_string_value(json_object_get(statement, "Resource")), "*");
	json_decref(policy);
	return actions;
}

static bool allows(const char *text, const char *action)
{
	json_t *actions = actions_of(text);
	bool allowed = false;
	size_t index;
	json_t *pattern;

	json_array_foreach(actions, index, pattern)
	{
		allowed = allowed || swp_glob_match(json_string_value(pattern), action);
	}
	json_decref(actions);
	return allowed;
}

static bool any_allows(const struct swp_session_policies *policies, const char *action)
{
	for (size_t i = 0; i < policies->count; i++)
		if (allows(policies->texts[i], action))
			return true;
	return false;
}

static void few_actions_are_named(void **state)
{
	const char *actions[] = {
		"sagemaker:ListEndpoints", "bedrock:ListGuardrails", "bedrock:ListGuardrails"};
	struct swp_session_policies policies;

	(void)state;
	assert_int_equal(swp_session_policies_make(actions, SWP_ARRAY_SIZE(actions), &policies), 0);
	assert_int_equal(policies.count, 1);
	assert_string_equal(policies.texts[0], "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":"
					       "\"Allow\",\"Action\":[\"account:ListRegions\","
					       "\"bedrock:ListGuardrails\",\"ec2:DescribeRegions\","
					       "\"sagemaker:ListEndpoints\"],\"Resource\":\"*\"}]}");
	swp_session_policies_done(&policies);
	swp_session_policies_done(&policies);
}

/* `services` × `verbs` × `nouns` actions. */
static int make_many(
	unsigned services, unsigned nouns, struct swp_session_policies *ret_policies, bool *ret_all_allowed)
{
	static const char *const verbs[] = {"Get", "List", "Describe"};
	static char texts[20000][64];
	static const char *actions[20000];
	size_t count = 0;
	int error;

	for (unsigned service = 0; service < services; service++)
		for (size_t verb = 0; verb < SWP_ARRAY_SIZE(verbs); verb++)
			for (unsigned noun = 0; noun < nouns; noun++) {
				snprintf(texts[count], sizeof(texts[count]), "service-%03u:%sThing%cDetails",
					service, verbs[verb], 'A' + noun);
				actions[count] = texts[count];
				count++;
			}
	error = swp_session_policies_make(actions, count, ret_policies);
	*ret_all_allowed = error == 0;
	if (error < 0)
		return error;
	for (size_t i = 0; i < count; i++)
		if (!any_allows(ret_policies, actions[i]))
			*ret_all_allowed = false;
	return 0;
}

static void many_become_wildcards(void **state)
{
	struct swp_session_policies policies;
	bool all;

	(void)state;
	assert_int_equal(make_many(8, 10, &policies, &all), 0);
	assert_true(all);
	assert_int_equal(policies.count, 1);
	assert_true(strlen(policies.texts[0]) <= SWP_LIMIT_SESSION_POLICY_CHARS);
	assert_false(allows(policies.texts[0], "service-001:DeleteThingADetails"));
	assert_false(allows(policies.texts[0], "service-001:PutThingADetails"));
	assert_false(allows(policies.texts[0], "other:ListThingADetails"));
	assert_non_null(strstr(policies.texts[0], "*\""));
	swp_session_policies_done(&policies);
}

static void more_are_spread(void **state)
{
	struct swp_session_policies policies;
	bool all;

	(void)state;
	assert_int_equal(make_many(100, 3, &policies, &all), 0);
	assert_true(all);
	assert_in_range(policies.count, 2, SWP_LIMIT_SESSIONS);
	assert_int_equal(policies.service_count, 100);
	for (size_t i = 0; i < policies.service_count; i++) {
		char action[64];

		snprintf(action, sizeof(action), "%s:ListThingADetails", policies.services[i].name);
		assert_int_equal(swp_session_policies_of(&policies, policies.services[i].name),
			policies.services[i].session);
		for (size_t j = 0; j < policies.count; j++)
			assert_int_equal(
				allows(policies.texts[j], action), j == policies.services[i].session);
	}
	assert_int_equal(swp_session_policies_of(&policies, "sts"), 0);
	for (size_t i = 0; i < policies.count; i++) {
		assert_true(strlen(policies.texts[i]) <= SWP_LIMIT_SESSION_POLICY_CHARS);
		assert_true(allows(policies.texts[i], "account:ListRegions"));
		assert_true(allows(policies.texts[i], "ec2:DescribeRegions"));
		assert_false(allows(policies.texts[i], "service-001:DeleteThingADetails"));
	}
	swp_session_policies_done(&policies);
}

/* More sessions than an account is entered with; and one service whose actions fit none. */
static void too_many(void **state)
{
	static char texts[100][64];
	static const char *actions[100];
	struct swp_session_policies policies;
	bool all;

	(void)state;
	assert_int_equal(make_many(400, 3, &policies, &all), -E2BIG);
	for (size_t i = 0; i < SWP_ARRAY_SIZE(actions); i++) {
		snprintf(texts[i], sizeof(texts[i]), "service:Verb%c%cxxxxxxxxxxxxxxxxxxxxThing",
			(int)('a' + i % 26), (int)('a' + i / 26));
		actions[i] = texts[i];
	}
	assert_int_equal(swp_session_policies_make(actions, SWP_ARRAY_SIZE(actions), &policies), -E2BIG);
}

static void what_is_no_action(void **state)
{
	static const char *const bad[] = {
		"", "bedrock", "bedrock:", ":List", "bedrock:List*", "a:b:c", "bed\"rock:List"};
	struct swp_session_policies policies;

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(bad); i++)
		assert_int_equal(swp_session_policies_make(&bad[i], 1, &policies), -EINVAL);
}

static void of_the_builtin_catalogue(void **state)
{
	size_t length;
	const char *compiled = swp_catalogue_builtin(&length);
	struct swp_catalogue *catalogue;
	struct swp_selection selection;
	struct swp_session_policies policies;
	struct swp_problem problem;

	(void)state;
	assert_int_equal(swp_catalogue_load(compiled, length, &catalogue, &problem), 0);
	swp_selection_all(catalogue, &selection);
	assert_int_equal(swp_session_policies_for(catalogue, &selection, &policies), 0);
	assert_int_equal(policies.count, 1);
	assert_true(allows(policies.texts[0], "bedrock:ListGuardrails"));
	assert_true(allows(policies.texts[0], "sagemaker:DescribeNotebookInstance"));
	assert_false(allows(policies.texts[0], "sagemaker:CreateNotebookInstance"));
	assert_false(allows(policies.texts[0], "bedrock:InvokeModel"));
	swp_session_policies_done(&policies);
	swp_catalogue_unref(catalogue);
}

static void memory_that_fails(void **state)
{
	const char *actions[] = {"sagemaker:ListEndpoints", "bedrock:ListGuardrails"};
	struct swp_session_policies policies;
	unsigned long nth = 1;
	int error;

	(void)state;
	do {
		swp_alloc_fail_at(nth++, 0);
		error = swp_session_policies_make(actions, SWP_ARRAY_SIZE(actions), &policies);
		swp_alloc_fail_at(0, 0);
		assert_true(error == 0 || error == -ENOMEM);
	} while (error < 0);
	assert_true(nth > 5);
	swp_session_policies_done(&policies);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(few_actions_are_named),
		cmocka_unit_test(many_become_wildcards),
		cmocka_unit_test(more_are_spread),
		cmocka_unit_test(too_many),
		cmocka_unit_test(what_is_no_action),
		cmocka_unit_test(of_the_builtin_catalogue),
		cmocka_unit_test(memory_that_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
