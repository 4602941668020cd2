/* STS: query protocol, API version 2011-06-15. */
#include "tests/simulator/credentials.h"
#include "tests/simulator/services.h"

#include <stdio.h>
#include <time.h>

#define SESSION_SECONDS_MIN 900
#define SESSION_SECONDS_MAX 43200
#define CHAINED_SECONDS_MAX 3600
#define POLICY_CHARACTERS_MAX 2048

static void put_element(struct swp_sim_call *call, const char *name, const char *text)
{
	swp_sim_xml_element(call->body, name, swp_sim_text_of(text));
}

static void get_caller_identity(struct swp_sim_call *call)
{
	struct swp_sim_buffer *arn = swp_sim_call_scratch(call);
	const struct swp_sim_principal *principal = call->principal;
	swp_sim_call_put_caller_arn(call, arn);
	swp_sim_xml_begin(call);
	swp_sim_xml_element(call->body, "Arn", swp_sim_buffer_text(arn));
	struct swp_sim_buffer *id = swp_sim_call_scratch(call);
	const char *session = strchr(principal->name, '/');
	swp_sim_buffer_printf(
		id, "%s%.16s", principal->token ? "AROA" : "AIDA", principal->access_key_id + 4);
	if (principal->token && session)
		swp_sim_buffer_printf(id, ":%s", session + 1);
	swp_sim_xml_element(call->body, "UserId", swp_sim_buffer_text(id));
	put_element(call, "Account", call->context->world->accounts[call->account].id);
	swp_sim_xml_end(call);
}

/* The parts of arn:PARTITION:iam::ACCOUNT:role/NAME; false when it is none. */
static bool parse_role_arn(struct swp_sim_text arn, struct swp_sim_text *ret_partition,
	struct swp_sim_text *ret_account, struct swp_sim_text *ret_role)
{
	struct swp_sim_text parts[6], rest = arn;
	for (size_t i = 0; i < 5; i++) {
		parts[i] = swp_sim_text_cut(&rest, ':');
		if (rest.at == NULL)
			return false;
	}
	if (!swp_sim_text_is(parts[0], "arn") || !swp_sim_text_is(parts[2], "iam") || parts[3].size ||
		parts[4].size != 12 || !swp_sim_text_starts(rest, "role/"))
		return false;
	*ret_partition = parts[1];
	*ret_account = parts[4];
	*ret_role = (struct swp_sim_text){rest.at + 5, rest.size - 5};
	return ret_role->size > 0;
}

static const struct swp_sim_role *find_role(const struct swp_sim_account *account, struct swp_sim_text name)
{
	for (size_t i = 0; i < account->role_count; i++) {
		if (swp_sim_text_is(name, account->roles[i].name))
			return &account->roles[i];
	}
	return NULL;
}

static bool role_trusts(
	struct swp_sim_call *call, const struct swp_sim_role *role, struct swp_sim_text external_id)
{
	const struct swp_sim_world *world = call->context->world;
	if (role->external_id != NULL && !swp_sim_text_is(external_id, role->external_id))
		return false;
	if (role->trusted == NULL)
		return swp_sim_world_is_administrator(world, call->account);
	for (size_t i = 0; i < role->trusted_count; i++) {
		if (strcmp(role->trusted[i], world->accounts[call->account].id) == 0)
			return true;
	}
	return false;
}

static bool name_is_valid(struct swp_sim_text name)
{
	if (name.size < 2 || name.size > 64)
		return false;
	for (size_t i = 0; i < name.size; i++) {
		char c = name.at[i];
		bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (!is_letter && (c == '\0' || strchr("_+=,.@-", c) == NULL))
			return false;
	}
	return true;
}

/* Seconds asked for, within what may be asked for; 0 when the call failed. */
static uint64_t session_seconds(struct swp_sim_call *call)
{
	struct swp_sim_text asked = swp_sim_call_parameter(call, "DurationSeconds", SWP_SIM_IN_BODY);
	uint64_t seconds = 3600;
	if (asked.at != NULL && (swp_sim_text_number(asked, &seconds) != 0 || seconds < SESSION_SECONDS_MIN ||
					seconds > SESSION_SECONDS_MAX)) {
		swp_sim_call_fail(call, 400, "ValidationError",
			"1 validation error detected: Value '%.*s' at 'durationSeconds' failed to satisfy "
			"constraint: "
			"Member must have value between 900 and 43200",
			(int)asked.size, asked.at);
		return 0;
	}
	if (call->principal->token != NULL && seconds > CHAINED_SECONDS_MAX) {
		swp_sim_call_fail(call, 400, "ValidationError",
			"The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by "
			"role chaining");
		return 0;
	}
	return call->context->session_seconds ? call->context->session_seconds : seconds;
}

static void answer_session(struct swp_sim_call *call, const struct swp_sim_session *session)
{
	struct swp_sim_buffer *key = swp_sim_call_scratch(call), *secret = swp_sim_call_scratch(call),
			      *token = swp_sim_call_scratch(call);
	const struct swp_sim_world *world = call->context->world;
	char until[32];
	struct tm parts;
	time_t expires = (time_t)session->expires_at_sec;
	if (swp_sim_credentials_issue(call->context->credentials, session, key, secret, token) != 0) {
		swp_sim_call_fail(
			call, 400, "MalformedPolicyDocument", "The policy is not in the valid JSON format.");
		return;
	}
	gmtime_r(&expires, &parts);
	strftime(until, sizeof until, "%Y-%m-%dT%H:%M:%SZ", &parts);
	swp_sim_xml_begin(call);
	swp_sim_buffer_put(call->body, "<AssumedRoleUser><AssumedRoleId>AROA");
	swp_sim_buffer_append(call->body, key->data + 4, key->size - 4);
	swp_sim_buffer_byte(call->body, ':');
	swp_sim_buffer_xml(call->body, session->name);
	swp_sim_buffer_printf(call->body, "</AssumedRoleId><Arn>arn:%s:sts::%s:assumed-role/",
		world->partition->name, world->accounts[session->account].id);
	swp_sim_buffer_xml(call->body, session->role);
	swp_sim_buffer_byte(call->body, '/');
	swp_sim_buffer_xml(call->body, session->name);
	swp_sim_buffer_put(call->body, "</Arn></AssumedRoleUser><Credentials>");
	swp_sim_xml_element(call->body, "AccessKeyId", swp_sim_buffer_text(key));
	swp_sim_xml_element(call->body, "SecretAccessKey", swp_sim_buffer_text(secret));
	swp_sim_xml_element(call->body, "SessionToken", swp_sim_buffer_text(token));
	put_element(call, "Expiration", until);
	swp_sim_buffer_put(call->body, "</Credentials>");
	if (session->policy.size)
		swp_sim_buffer_printf(call->body, "<PackedPolicySize>%zu</PackedPolicySize>",
			1 + session->policy.size * 99 / POLICY_CHARACTERS_MAX);
	swp_sim_xml_end(call);
}

static void refuse_role(struct swp_sim_call *call, struct swp_sim_text role_arn)
{
	struct swp_sim_buffer *arn = swp_sim_call_scratch(call);
	swp_sim_call_put_caller_arn(call, arn);
	swp_sim_call_fail(call, 403, "AccessDenied",
		"User: %.*s is not authorized to perform: sts:AssumeRole on resource: %.*s", (int)arn->size,
		arn->data, (int)role_arn.size, role_arn.at);
}

/* The account of the role and the role itself, if the caller may have it; false when the call failed. */
static bool find_session_role(
	struct swp_sim_call *call, struct swp_sim_text arn, struct swp_sim_session *session)
{
	struct swp_sim_world *world = call->context->world;
	struct swp_sim_text partition, account, role;
	if (!parse_role_arn(arn, &partition, &account, &role) ||
		!swp_sim_text_is(partition, world->partition->name)) {
		swp_sim_call_fail(call, 400, "ValidationError", "%.*s is invalid", (int)arn.size, arn.at);
		return false;
	}
	session->account = swp_sim_world_find_account(world, account);
	const struct swp_sim_account *owner =
		session->account == SIZE_MAX ? NULL : &world->accounts[session->account];
	const struct swp_sim_role *found = owner ? find_role(owner, role) : NULL;
	if (found == NULL || strcmp(owner->state, "ACTIVE") != 0 ||
		!role_trusts(call, found, swp_sim_call_parameter(call, "ExternalId", SWP_SIM_IN_BODY))) {
		refuse_role(call, arn);
		return false;
	}
	if (!swp_sim_account_has_region(owner, call->region)) {
		swp_sim_call_fail(call, 403, "RegionDisabledException",
			"STS is not activated in this region for account:%s. Your account administrator can "
			"activate STS in "
			"this region using the IAM Console.",
			owner->id);
		return false;
	}
	for (session->role = role; memchr(session->role.at, '/', session->role.size) != NULL;)
		(void)swp_sim_text_cut(
			&session->role, '/'); /* a session's ARN has the role's name without its path */
	return true;
}

static void assume_role(struct swp_sim_call *call)
{
	struct swp_sim_session session = {0};
	struct swp_sim_text arn = swp_sim_call_parameter(call, "RoleArn", SWP_SIM_IN_BODY);
	session.name = swp_sim_call_parameter(call, "RoleSessionName", SWP_SIM_IN_BODY);
	session.policy = swp_sim_call_parameter(call, "Policy", SWP_SIM_IN_BODY);
	if (arn.size < 20 || !name_is_valid(session.name)) {
		swp_sim_call_fail(call, 400, "ValidationError",
			"1 validation error detected: Value '%.*s' at '%s' failed to satisfy constraint",
			arn.size < 20 ? (int)arn.size : (int)session.name.size,
			arn.size < 20 ? arn.at : session.name.at,
			arn.size < 20 ? "roleArn" : "roleSessionName");
		return;
	}
	if (session.policy.size > POLICY_CHARACTERS_MAX) {
		swp_sim_call_fail(call, 400, "ValidationError",
			"1 validation error detected: Value at 'policy' failed to satisfy constraint: Member "
			"must have length "
			"less than or equal to %d",
			POLICY_CHARACTERS_MAX);
		return;
	}
	uint64_t seconds = session_seconds(call);
	if (seconds == 0 || !find_session_role(call, arn, &session))
		return;
	session.expires_at_sec = call->now_sec + (int64_t)seconds;
	answer_session(call, &session);
}

static const struct swp_sim_operation operations[] = {
	{"GetCallerIdentity", .answer = get_caller_identity},
	{"AssumeRole", "sts:AssumeRole", .answer = assume_role},
};

const struct swp_sim_service swp_sim_service_sts = {
	"sts",
	"sts",
	"sts",
	SWP_SIM_QUERY,
	.name_space = "https://sts.amazonaws.com/doc/2011-06-15/",
	.throttle_code = "Throttling",
	.throttle_status = 400,
	SWP_SIM_OPERATIONS(operations),
};
