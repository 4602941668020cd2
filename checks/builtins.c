/* Analysis of IAM policies. What is conditional on details of a session can't be known from documents; each function says what it counts.
 * Grammar: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
 */
#include "checks/builtins.h"

#include <errno.h>
#include <string.h>

#include "proto/base/buf.h"
#include "proto/base/error.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

static struct swp_truth known(bool value)
{
	return (struct swp_truth){.value = value ? SWP_TRUE : SWP_FALSE};
}

static struct swp_truth unknown(const struct swp_gap *gap)
{
	return (struct swp_truth){.value = SWP_UNKNOWN, .gap = gap ? gap : &swp_gap_memory};
}

/* Kleene's or. */
static struct swp_truth either(struct swp_truth a, struct swp_truth b)
{
	if (a.value == SWP_TRUE || b.value == SWP_TRUE)
		return known(true);
	if (a.value == SWP_UNKNOWN && b.value == SWP_UNKNOWN)
		return unknown(swp_gap_first(a.gap, b.gap));
	return a.value == SWP_UNKNOWN ? a : b;
}

/* --- policy documents --- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* IAM gives documents percent-encoded (RFC 3986), others as they are. */
static int decode(const char *text, struct swp_buf *out)
{
	for (; *text; text++) {
		int high = *text == '%' ? hex_digit(text[1]) : -1;
		int low = high >= 0 ? hex_digit(text[2]) : -1;

		if (low < 0) {
			swp_buf_append_byte(out, *text);
			continue;
		}
		swp_buf_append_byte(out, (char)(high * 16 + low));
		text += 2;
	}
	return out->failed;
}

/* New reference to the parsed document; NULL: not readable. */
static json_t *parse_document(const json_t *document)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf text = {.limit_bytes = SWP_LIMIT_FILE_BYTES};
	json_t *parsed;

	if (json_is_object(document))
		return json_incref((json_t *)document);
	if (!json_is_string(document))
		return NULL;
	if (json_string_value(document)[0] != '%')
		swp_buf_append_text(&text, json_string_value(document));
	else
		decode(json_string_value(document), &text);
	if (text.failed)
		return NULL;
	parsed = json_loadb(swp_buf_text(&text), text.length, 0, NULL);
	if (json_is_object(parsed))
		return parsed;
	json_decref(parsed);
	return NULL;
}

/* Many members of a policy are one value or a list of them. */
static size_t many_count(const json_t *value)
{
	return json_is_array(value) ? json_array_size(value) : value != NULL;
}

static const json_t *many_get(const json_t *value, size_t index)
{
	return json_is_array(value) ? json_array_get(value, index) : value;
}

static bool holds_text(const json_t *value, const char *text)
{
	for (size_t i = 0; i < many_count(value); i++) {
		const char *one = json_string_value(many_get(value, i));

		if (one && swp_text_equal_ignoring_case(one, text))
			return true;
	}
	return false;
}

static bool allows(const json_t *statement)
{
	return swp_text_equal_ignoring_case(json_string_value(json_object_get(statement, "Effect")), "Allow");
}

/* Does a condition of the statement look at a key (any operator, any case)? */
static bool has_condition_on(const json_t *statement, const char *const *keys)
{
	const char *operator, * key;
	json_t *tests, *values;

	json_object_foreach(json_object_get(statement, "Condition"), operator, tests)
	{
		json_object_foreach(tests, key, values)
		{
			for (const char *const *one = keys; *one; one++) {
				if (swp_text_equal_ignoring_case(key, *one))
					return true;
			}
		}
	}
	return false;
}

typedef bool (*statement_test)(const json_t *statement, const void *context);

static struct swp_truth any_statement(
	const json_t *document, const struct swp_gap *malformed, statement_test test, const void *context)
{
	json_t *policy = parse_document(document);
	const json_t *statements = json_object_get(policy, "Statement");
	bool found = false, readable = policy && statements;

	for (size_t i = 0; i < many_count(statements) && !found; i++) {
		const json_t *statement = many_get(statements, i);

		readable = readable && json_is_object(statement);
		found = json_is_object(statement) && allows(statement) && test(statement, context);
	}
	json_decref(policy);
	return found || readable ? known(found) : unknown(malformed);
}

/* --- role-over-privileged --- */

/* What counts as too much is data: the arguments of the builtin. */
struct too_much {
	const json_t *broad_policies; /* names of AWS-managed policies */
	const json_t *
		reaching_actions; /* each reaches other people's data, code or keys, where it is allowed on every resource */
	const json_t *whole_services;  /* action patterns, word by word */
	const json_t *passing_actions; /* … unless the statement says to which service a role is passed */
};

/* Does the action pattern of a policy (any case) take in that action? */
static bool takes_in(const char *pattern, const char *action)
{
	char lower_pattern[256], lower_action[128];

	if (strlen(pattern) >= sizeof(lower_pattern) || strlen(action) >= sizeof(lower_action))
		return false;
	for (size_t i = 0; i <= strlen(pattern); i++)
		lower_pattern[i] =
			(char)(pattern[i] >= 'A' && pattern[i] <= 'Z' ? pattern[i] + 32 : pattern[i]);
	for (size_t i = 0; i <= strlen(action); i++)
		lower_action[i] = (char)(action[i] >= 'A' && action[i] <= 'Z' ? action[i] + 32 : action[i]);
	return swp_glob_match(lower_pattern, lower_action);
}

static bool takes_in_any(const char *pattern, const json_t *actions)
{
	for (size_t i = 0; i < json_array_size(actions); i++) {
		if (takes_in(pattern, json_string_value(json_array_get(actions, i))))
			return true;
	}
	return false;
}

static bool is_reaching(const struct too_much *too_much, const char *pattern, bool passes_to_one_service)
{
	if (takes_in_any(pattern, too_much->reaching_actions))
		return true;
	for (size_t i = 0; i < json_array_size(too_much->whole_services); i++) {
		if (swp_text_equal_ignoring_case(
			    pattern, json_string_value(json_array_get(too_much->whole_services, i))))
			return true;
	}
	return !passes_to_one_service && takes_in_any(pattern, too_much->passing_actions);
}

static bool is_broad(const json_t *statement, const void *context)
{
	static const char *const passed[] = {"iam:PassedToService", NULL};
	const json_t *actions = json_object_get(statement, "Action");
	bool passes_to_one_service = has_condition_on(statement, passed);

	if (!holds_text(json_object_get(statement, "Resource"), "*") &&
		!json_object_get(statement, "NotResource"))
		return false;
	if (json_object_get(statement, "NotAction"))
		return true;
	for (size_t i = 0; i < many_count(actions); i++) {
		const char *pattern = json_string_value(many_get(actions, i));

		if (pattern && is_reaching(context, pattern, passes_to_one_service))
			return true;
	}
	return false;
}

struct policy_search {
	const char *arn;
	const struct too_much *too_much;
	struct swp_truth truth; /* of the policy found */
	bool found;
};

static const json_t *default_document(const json_t *policy)
{
	const json_t *versions = json_object_get(policy, "PolicyVersionList");

	for (size_t i = 0; i < json_array_size(versions); i++) {
		const json_t *version = json_array_get(versions, i);
		const json_t *is_default = json_object_get(version, "IsDefaultVersion");

		if (json_is_true(is_default) || swp_text_equal(json_string_value(is_default), "true"))
			return json_object_get(version, "Document");
	}
	return NULL;
}

static int match_policy(const struct swp_found *found, void *context)
{
	struct policy_search *search = context;

	if (!swp_text_equal(json_string_value(json_object_get(found->json, "Arn")), search->arn))
		return 0;
	search->found = true;
	search->truth =
		any_statement(default_document(found->json), found->malformed, is_broad, search->too_much);
	return 1;
}

static bool is_named_broad(const struct too_much *too_much, const char *arn)
{
	const char *name = strrchr(arn, '/');

	for (size_t i = 0;
		name && strstr(arn, ":iam::aws:policy/") && i < json_array_size(too_much->broad_policies);
		i++) {
		if (swp_text_equal(name + 1, json_string_value(json_array_get(too_much->broad_policies, i))))
			return true;
	}
	return false;
}

static struct swp_truth attached_policy(const json_t *attached, const struct swp_member_path *policies,
	const struct swp_scope *scope, const struct too_much *too_much, const struct swp_gap *malformed)
{
	struct policy_search search = {
		.arn = json_string_value(json_object_get(attached, "PolicyArn")), .too_much = too_much};
	const struct swp_gap *gap = NULL;

	if (!search.arn)
		return unknown(malformed);
	if (is_named_broad(too_much, search.arn))
		return known(true);
	swp_path_each(policies, scope, match_policy, &search, &gap);
	return search.found ? search.truth : unknown(gap ? gap : malformed);
}

static bool is_list(const json_t *value)
{
	/* An empty XML list is an empty text. */
	return json_is_array(value) || (json_is_string(value) && json_string_length(value) == 0);
}

static struct swp_truth role_over_privileged(const struct swp_argument *values, const struct swp_scope *scope)
{
	struct swp_found role = swp_path_find(&values[0].path, scope);
	const json_t *inline_policies = json_object_get(role.json, "RolePolicyList");
	const json_t *attached = json_object_get(role.json, "AttachedManagedPolicies");
	struct too_much too_much = {.broad_policies = values[2].texts,
		.reaching_actions = values[3].texts,
		.whole_services = values[4].texts,
		.passing_actions = values[5].texts};
	struct swp_truth truth = known(false);

	if (!role.json)
		return role.gap ? unknown(role.gap) : known(false);
	if (!is_list(inline_policies) || !is_list(attached))
		return unknown(role.malformed);
	for (size_t i = 0; i < json_array_size(inline_policies) && truth.value != SWP_TRUE; i++)
		truth = either(truth,
			any_statement(json_object_get(json_array_get(inline_policies, i), "PolicyDocument"),
				role.malformed, is_broad, &too_much));
	for (size_t i = 0; i < json_array_size(attached) && truth.value != SWP_TRUE; i++)
		truth = either(truth, attached_policy(json_array_get(attached, i), &values[1].path, scope,
					      &too_much, role.malformed));
	return truth;
}

/* --- policy-public --- */

static bool is_anyone(const json_t *principal)
{
	return holds_text(principal, "*") || holds_text(json_object_get(principal, "AWS"), "*");
}

static bool is_public(const json_t *statement, const void *context)
{
	static const char *const limiting[] = {"aws:PrincipalOrgID", "aws:PrincipalOrgPaths",
		"aws:PrincipalAccount", "aws:PrincipalArn", "aws:SourceAccount", "aws:SourceArn",
		"aws:SourceOrgID", "aws:SourceOrgPaths", "aws:SourceVpc", "aws:SourceVpce", "aws:SourceOwner",
		NULL};

	(void)context;
	return (is_anyone(json_object_get(statement, "Principal")) ||
		       json_object_get(statement, "NotPrincipal")) &&
	       !has_condition_on(statement, limiting);
}

static struct swp_truth policy_public(const struct swp_argument *values, const struct swp_scope *scope)
{
	struct swp_found document = swp_path_find(&values[0].path, scope);

	if (!document.json)
		return document.gap ? unknown(document.gap) : known(false);
	return any_statement(document.json, document.malformed, is_public, NULL);
}

const struct swp_builtin swp_builtins[] = {
	{"role-over-privileged",
		{{"role", SWP_ARGUMENT_PATH, "an entry of RoleDetailList (GetAccountAuthorizationDetails)"},
			{"policies", SWP_ARGUMENT_PATHS, "the entries of Policies of the same operation"},
			{"broad_policies", SWP_ARGUMENT_TEXTS,
				"names of AWS-managed policies that are too much"},
			{"reaching_actions", SWP_ARGUMENT_TEXTS,
				"actions that are too much on every resource"},
			{"whole_services", SWP_ARGUMENT_TEXTS,
				"action patterns that are too much on every resource"},
			{"passing_actions", SWP_ARGUMENT_TEXTS,
				"actions that are too much on every resource without a condition on "
				"iam:PassedToService"}},
		role_over_privileged,
		"the role has a policy of those names, or a statement that allows one of the actions on "
		"every resource"},
	{"policy-public", {{"document", SWP_ARGUMENT_PATH, "a resource policy, as text or object"}},
		policy_public,
		"the policy allows anyone, without a condition on organization, account, source or network; "
		"absent: false"},
};
const size_t swp_builtin_count = SWP_ARRAY_SIZE(swp_builtins);

const struct swp_builtin *swp_builtin_find(const char *name)
{
	for (size_t i = 0; i < swp_builtin_count; i++) {
		if (swp_text_equal(swp_builtins[i].name, name))
			return &swp_builtins[i];
	}
	return NULL;
}
