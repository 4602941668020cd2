#include "coordinator/aws-calls.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "proto/aws/credential-json.h"
#include "proto/base/alloc.h"
#include "proto/base/clock.h"
#include "proto/base/error.h"
#include "proto/base/limits.h"

#define LATEST_MS 253402300800000.0 /* the year 10000 */

/* --- the table --- */

static const struct swp_aws_service sts = {
	.name = "sts",
	.protocol = SWP_PROTOCOL_QUERY,
	.api_version = "2011-06-15",
	.signing_name = "sts",
	.endpoint_prefix = "sts",
	.endpoint_variable = "STS",
	.scope = SWP_SCOPE_REGIONAL,
	.rate_per_second =
		600, /* AssumeRole, GetCallerIdentity and others share it, per calling account and region */
};
static const struct swp_aws_service organizations = {
	.name = "organizations",
	.protocol = SWP_PROTOCOL_JSON_1_1,
	.target_prefix = "AWSOrganizationsV20161128",
	.signing_name = "organizations",
	.endpoint_prefix = "organizations",
	.endpoint_variable = "ORGANIZATIONS",
	.scope = SWP_SCOPE_GLOBAL,
	.rate_per_second = 10, /* not published; large organizations are throttled above five a second */
};
static const struct swp_aws_service account_service = {
	.name = "account",
	.protocol = SWP_PROTOCOL_REST_JSON,
	.signing_name = "account",
	.endpoint_prefix = "account",
	.endpoint_variable = "ACCOUNT",
	.scope = SWP_SCOPE_GLOBAL,
	.rate_per_second = 5,
};
static const struct swp_aws_service ec2 = {
	.name = "ec2",
	.protocol = SWP_PROTOCOL_EC2,
	.api_version = "2016-11-15",
	.signing_name = "ec2",
	.endpoint_prefix = "ec2",
	.endpoint_variable = "EC2",
	.scope = SWP_SCOPE_REGIONAL,
	.rate_per_second = 20,
};

#define TOKEN .input_token = "NextToken", .output_token = "NextToken"
#define REQUIRED(...)                                                                                        \
	.required = (const char *const[])                                                                    \
	{                                                                                                    \
		__VA_ARGS__, NULL                                                                            \
	}

static const struct swp_aws_operation operations[SWP_CALL_COUNT] = {
	[SWP_CALL_GET_CALLER_IDENTITY] = {.service = &sts,
		.name = "GetCallerIdentity",
		.method = "POST",
		.uri = "/",
		.action = "sts:GetCallerIdentity",
		REQUIRED("Account", "Arn")},
	[SWP_CALL_ASSUME_ROLE] = {.service = &sts,
		.name = "AssumeRole",
		.method = "POST",
		.uri = "/",
		.action = "sts:AssumeRole",
		REQUIRED("Credentials")},
	[SWP_CALL_DESCRIBE_ORGANIZATION] = {.service = &organizations,
		.name = "DescribeOrganization",
		.method = "POST",
		.uri = "/",
		.action = "organizations:DescribeOrganization",
		REQUIRED("Organization")},
	[SWP_CALL_LIST_ACCOUNTS] = {.service = &organizations,
		.name = "ListAccounts",
		.method = "POST",
		.uri = "/",
		.action = "organizations:ListAccounts",
		.result = "Accounts",
		REQUIRED("Accounts"),
		TOKEN},
	[SWP_CALL_LIST_ACCOUNTS_FOR_PARENT] = {.service = &organizations,
		.name = "ListAccountsForParent",
		.method = "POST",
		.uri = "/",
		.action = "organizations:ListAccountsForParent",
		.result = "Accounts",
		REQUIRED("Accounts"),
		TOKEN},
	[SWP_CALL_LIST_ROOTS] = {.service = &organizations,
		.name = "ListRoots",
		.method = "POST",
		.uri = "/",
		.action = "organizations:ListRoots",
		.result = "Roots",
		REQUIRED("Roots"),
		TOKEN},
	[SWP_CALL_LIST_ORGANIZATIONAL_UNITS_FOR_PARENT] = {.service = &organizations,
		.name = "ListOrganizationalUnitsForParent",
		.method = "POST",
		.uri = "/",
		.action = "organizations:ListOrganizationalUnitsForParent",
		.result = "OrganizationalUnits",
		REQUIRED("OrganizationalUnits"),
		TOKEN},
	[SWP_CALL_LIST_REGIONS] = {.service = &account_service,
		.name = "ListRegions",
		.method = "POST",
		.uri = "/listRegions",
		.action = "account:ListRegions",
		.result = "Regions",
		REQUIRED("Regions"),
		TOKEN},
	[SWP_CALL_DESCRIBE_REGIONS] = {.service = &ec2,
		.name = "DescribeRegions",
		.method = "POST",
		.uri = "/",
		.action = "ec2:DescribeRegions",
		.result = "regionInfo",
		REQUIRED("regionInfo"),
		.lists = (const char *const[]){"regionInfo", NULL}},
};

const struct swp_aws_operation *swp_coordinator_operation(enum swp_coordinator_operation operation)
{
	return &operations[operation];
}

const struct swp_aws_service *swp_coordinator_sts(void)
{
	return &sts;
}

/* --- asking --- */

static void call_done(struct swp_call *call, struct swp_answer *answer);
static void own_done(struct swp_own_wait *wait, const struct swp_credentials *credentials,
	const struct swp_problem *problem);

static void release(struct swp_aws_ask *ask)
{
	json_decref(ask->input);
	ask->input = NULL;
	swp_free(ask->token);
	ask->token = NULL;
	swp_credentials_done(&ask->own);
	ask->busy = false;
}

static void end(struct swp_aws_ask *ask, const struct swp_said *said)
{
	release(ask);
	ask->done(ask, said);
}

static void end_failed(struct swp_aws_ask *ask, enum swp_reason reason, const char *code, const char *message)
{
	struct swp_said said = {.outcome = SWP_OUTCOME_FAILED,
		.reason = reason,
		.action = ask->operation->action,
		.error_code = code,
		.message = message,
		.request_id = ""};

	end(ask, &said);
}

static struct swp_call_scope *own_scope(struct swp_aws_asker *asker, const struct swp_aws_service *service)
{
	if (service == &sts)
		return &asker->sts;
	if (service == &organizations)
		return &asker->organizations;
	return service == &account_service ? &asker->account : NULL;
}

/* Sends one page's request with the credentials at hand. 0, -ENOMEM. */
static int send_page(struct swp_aws_ask *ask)
{
	const struct swp_credentials *credentials = ask->credentials ? ask->credentials : &ask->own;
	struct swp_call_request request = {
		.operation = ask->operation,
		.input = ask->input,
		.token = ask->token,
		.region = ask->region,
		.identity = &ask->identity,
		.scope = ask->scope,
		.secret = ask->operation == &operations[SWP_CALL_ASSUME_ROLE],
	};

	ask->identity = (struct swp_caller_identity){
		.access_key_id = credentials->access_key_id,
		.session_token = &credentials->session_token,
		.secret_access_key = &credentials->secret_access_key,
	};
	return swp_call_start(ask->asker->caller, &request, &ask->call, call_done);
}

static int begin_page(struct swp_aws_ask *ask, const struct swp_credentials *expired)
{
	const struct swp_own_credentials *own = ask->asker->own;

	if (ask->credentials)
		return send_page(ask);
	return own->get(own->context, expired, &ask->wait, own_done);
}

static void own_done(struct swp_own_wait *wait, const struct swp_credentials *credentials,
	const struct swp_problem *problem)
{
	struct swp_aws_ask *ask = SWP_CONTAINER_OF(wait, struct swp_aws_ask, wait);

	if (!credentials) {
		end_failed(ask, SWP_REASON_CREDENTIALS_EXPIRED, "CredentialsError", problem->text);
		return;
	}
	if (swp_credentials_copy(&ask->own, credentials) < 0 || send_page(ask) < 0)
		end_failed(ask, SWP_REASON_LIMIT_REACHED, "OutOfMemory", "out of memory");
}

/* The token of the next page; NULL: none, or this operation has no pages. False: there is one that is no text. */
static bool next_token(const struct swp_aws_ask *ask, const json_t *document, const char **ret_token)
{
	const json_t *token = NULL;

	if (ask->operation->output_token)
		token = json_object_get(document, ask->operation->output_token);
	*ret_token = json_string_length(token) > 0 ? json_string_value(token) : NULL;
	return !token || json_is_null(token) || json_is_string(token);
}

static void go_on(struct swp_aws_ask *ask, const char *token)
{
	char *copy = swp_strdup(token);

	swp_free(ask->token);
	ask->token = copy;
	if (!copy || begin_page(ask, NULL) < 0)
		end_failed(ask, SWP_REASON_LIMIT_REACHED, "OutOfMemory", "out of memory");
}

static void end_page_failed(struct swp_aws_ask *ask, int error)
{
	if (error == -ENOMEM)
		end_failed(ask, SWP_REASON_LIMIT_REACHED, "OutOfMemory", "out of memory");
	else if (error < 0)
		end_failed(ask, SWP_REASON_LIMIT_REACHED, "TooManyRows",
			"the list is longer than orgsweep reads");
	else
		end_failed(ask, SWP_REASON_MALFORMED_RESPONSE, "MalformedResponse",
			error > 0 ? "the answer lacks what identifies it" : "the page token is no text");
}

static void page_came(struct swp_aws_ask *ask, const struct swp_answer *answer)
{
	const json_t *rows =
		json_object_get(answer->document, ask->operation->result ? ask->operation->result : "");
	const char *token;
	bool good = next_token(ask, answer->document, &token);
	int error = ask->page ? ask->page(ask, answer->document) : 0;
	struct swp_said said = {.outcome = SWP_OUTCOME_OK,
		.action = ask->operation->action,
		.error_code = "",
		.message = "",
		.request_id = answer->request_id,
		.document = answer->document};

	if (error != 0 || !good) {
		end_page_failed(ask, error);
		return;
	}
	switch (swp_page_guard_next(&ask->guard, token, json_array_size(rows))) {
	case SWP_PAGE_LAST:
		end(ask, &said);
		return;
	case SWP_PAGE_MORE:
		go_on(ask, token);
		return;
	case SWP_PAGE_REPEATED:
		end_failed(ask, SWP_REASON_MALFORMED_RESPONSE, "RepeatedToken",
			"the same page token came twice");
		return;
	case SWP_PAGE_LIMIT:
		end_failed(ask, SWP_REASON_LIMIT_REACHED, "TooManyPages", "more pages than orgsweep reads");
		return;
	}
}

static void call_done(struct swp_call *call, struct swp_answer *answer)
{
	struct swp_aws_ask *ask = SWP_CONTAINER_OF(call, struct swp_aws_ask, call);
	struct swp_said said = {.outcome = answer->outcome,
		.reason = answer->reason,
		.by_aws = answer->status > 0 && answer->error_code[0],
		.action = ask->operation->action,
		.error_code = answer->error_code,
		.message = answer->message,
		.request_id = answer->request_id};

	if (answer->outcome == SWP_OUTCOME_OK) {
		page_came(ask, answer);
		return;
	}
	if (answer->outcome == SWP_OUTCOME_EXPIRED && !ask->credentials && !ask->renewed) {
		ask->renewed = true;
		if (begin_page(ask, &ask->own) == 0)
			return;
	}
	end(ask, &said);
}

int swp_aws_ask_start(struct swp_aws_ask *ask, struct swp_aws_asker *asker,
	const struct swp_aws_ask_options *options,
	int (*page)(struct swp_aws_ask *ask, const json_t *document),
	void (*done)(struct swp_aws_ask *ask, const struct swp_said *said))
{
	const struct swp_aws_operation *operation = &operations[options->operation];
	int error;

	SWP_ASSERT(!ask->busy);
	memset(ask, 0, sizeof(*ask));
	ask->busy = true;
	ask->page = page;
	ask->done = done;
	ask->asker = asker;
	ask->operation = operation;
	ask->credentials = options->credentials;
	ask->scope = options->scope || options->credentials ? options->scope
							    : own_scope(asker, operation->service);
	ask->input = options->input;
	if (strlen(options->region) >= sizeof(ask->region))
		error = -EINVAL;
	else {
		memcpy(ask->region, options->region, strlen(options->region) + 1);
		error = begin_page(ask, NULL);
	}
	if (error < 0)
		release(ask);
	return error;
}

void swp_aws_ask_cancel(struct swp_aws_ask *ask)
{
	if (!ask->busy)
		return;
	swp_call_cancel(&ask->call);
	ask->asker->own->cancel(ask->asker->own->context, &ask->wait);
	release(ask);
}

/* --- inputs and answers --- */

json_t *swp_input_assume_role(
	const char *role_arn, const char *session_name, const char *external_id, const char *policy)
{
	json_t *input = json_pack("{s:s, s:s, s:i}", "RoleArn", role_arn, "RoleSessionName", session_name,
		"DurationSeconds", SWP_SESSION_SECONDS);

	if (external_id && *external_id)
		json_object_set_new(input, "ExternalId", json_string(external_id));
	if (policy)
		json_object_set_new(input, "Policy", json_string(policy));
	return input;
}

json_t *swp_input_list_accounts(void)
{
	return json_pack("{s:i}", "MaxResults", 20); /* the model allows no more */
}

json_t *swp_input_parent(const char *parent_id)
{
	return json_pack("{s:s, s:i}", "ParentId", parent_id, "MaxResults", 20);
}

json_t *swp_input_list_regions(const char *account_id)
{
	if (account_id)
		return json_pack("{s:s, s:i}", "AccountId", account_id, "MaxResults", 50);
	return json_pack("{s:i}", "MaxResults", 50);
}

json_t *swp_input_describe_regions(void)
{
	return json_pack("{s:b}", "AllRegions", 1);
}

int swp_answer_caller_identity(const json_t *document, struct swp_caller_identity_answer *ret_identity)
{
	const char *account = json_string_value(json_object_get(document, "Account"));
	const char *arn = json_string_value(json_object_get(document, "Arn"));

	if (!account || strlen(account) != 12 || strspn(account, "0123456789") != 12)
		return SWP_ANSWER_MALFORMED;
	if (!arn || strncmp(arn, "arn:", 4) != 0 || strlen(arn) >= sizeof(ret_identity->arn))
		return SWP_ANSWER_MALFORMED;
	memcpy(ret_identity->account, account, 13);
	memcpy(ret_identity->arn, arn, strlen(arn) + 1);
	return 0;
}

/* ISO text in XML; seconds since 1970 where STS answers in JSON. */
static int read_expiration(const json_t *value, int64_t *ret_ms)
{
	if (json_is_number(value)) {
		double ms = json_number_value(value) * 1000.0;

		if (!(ms > 0 && ms < LATEST_MS)) /* what no date is would overflow, too */
			return -EINVAL;
		*ret_ms = (int64_t)ms;
		return 0;
	}
	return json_is_string(value) ? swp_time_parse(json_string_value(value), ret_ms) : -EINVAL;
}

int swp_answer_assume_role(
	const json_t *document, const char *source, struct swp_credentials *ret_credentials)
{
	const json_t *told = json_object_get(document, "Credentials");
	const char *id = json_string_value(json_object_get(told, "AccessKeyId"));
	const char *key = json_string_value(json_object_get(told, "SecretAccessKey"));
	const char *token = json_string_value(json_object_get(told, "SessionToken"));
	struct swp_credentials credentials = {0};

	int error;

	if (!id || !key || !token || !*token)
		return SWP_ANSWER_MALFORMED;
	if (read_expiration(json_object_get(told, "Expiration"), &credentials.expires_at_ms) < 0)
		return SWP_ANSWER_MALFORMED;
	error = swp_credentials_set(&credentials, id, key, token, NULL);
	if (error != 0) {
		swp_credentials_done(&credentials);
		return error < 0 ? error : SWP_ANSWER_MALFORMED;
	}
	memcpy(credentials.source, source, strnlen(source, sizeof(credentials.source) - 1));
	*ret_credentials = credentials;
	return 0;
}
