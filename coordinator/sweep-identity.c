/* Credentials, caller identity, organization: everything until accounts are listed. */
#include "coordinator/sweep-internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/log.h"

/* --- the caller's credentials --- */

struct own_link {
	struct swp_credential_wait wait;
	struct swp_own_wait *own;
	struct swp_sweep *sweep;
};

static void credentials_given(struct swp_credential_wait *wait, const struct swp_credentials *credentials,
	const struct swp_problem *problem)
{
	struct own_link *link = SWP_CONTAINER_OF(wait, struct own_link, wait);
	struct swp_own_wait *own = link->own;

	if (credentials)
		memcpy(link->sweep->source_name, credentials->source, sizeof(link->sweep->source_name));
	own->internal = NULL;
	swp_free(link);
	own->done(own, credentials, problem);
}

static int own_get(void *context, const struct swp_credentials *expired, struct swp_own_wait *wait,
	void (*done)(struct swp_own_wait *wait, const struct swp_credentials *credentials,
		const struct swp_problem *problem))
{
	struct swp_sweep *sweep = context;
	struct own_link *link = swp_calloc(1, sizeof(*link));
	int error;

	if (!link)
		return -ENOMEM;
	if (expired)
		swp_credential_source_expired_key(sweep->source, expired->access_key_id);
	link->wait.done = credentials_given;
	link->own = wait;
	link->sweep = sweep;
	wait->done = done;
	wait->internal = link;
	error = swp_credential_source_get(sweep->source, &link->wait);
	if (error < 0) {
		wait->internal = NULL;
		swp_free(link);
	}
	return error;
}

static void own_cancel(void *context, struct swp_own_wait *wait)
{
	struct own_link *link = wait->internal;

	(void)context;
	if (!link)
		return;
	swp_credential_source_cancel(&link->wait);
	wait->internal = NULL;
	swp_free(link);
}

int swp_sweep_identity_init(struct swp_sweep *sweep, struct swp_problem *problem)
{
	const struct swp_sweep_options *options = sweep->options;
	struct swp_http_options http = {.ca_file = options->ca_file,
		.https_proxy = options->https_proxy,
		.no_proxy = options->no_proxy,
		.user_agent = "orgsweep/" SWP_VERSION};
	struct swp_caller_options caller = {
		.loop = sweep->loop, .endpoints = options->endpoints, .max_in_flight = SWP_COORDINATOR_CALLS};
	struct swp_credential_source_options source = {
		.profile = options->profile, .endpoints = options->endpoints};

	sweep->http = swp_http_client_new(sweep->loop, &http, problem);
	if (!sweep->http)
		return -EIO;
	caller.http = sweep->http;
	sweep->caller = swp_caller_new(&caller);
	if (!sweep->caller)
		return swp_problem_set(problem, -ENOMEM, "out of memory");
	sweep->terminal = swp_terminal_new(sweep->loop);
	if (sweep->terminal)
		source.prompt = swp_terminal_prompt(sweep->terminal);
	sweep->source = swp_credential_source_new(sweep->loop, sweep->http, NULL, &source, problem);
	if (!sweep->source)
		return -EIO;
	sweep->own = (struct swp_own_credentials){.get = own_get, .cancel = own_cancel, .context = sweep};
	sweep->asker.caller = sweep->caller;
	sweep->asker.own = &sweep->own;
	return 0;
}

void swp_sweep_identity_stop(struct swp_sweep *sweep)
{
	swp_aws_ask_cancel(&sweep->ask);
	swp_enumeration_free(sweep->enumeration);
	sweep->enumeration = NULL;
}

void swp_sweep_identity_release(struct swp_sweep *sweep)
{
	swp_sweep_identity_stop(sweep);
	swp_credential_source_free(sweep->source);
	swp_terminal_free(sweep->terminal);
	swp_caller_free(sweep->caller);
	swp_http_client_free(sweep->http);
	sweep->source = NULL;
	sweep->terminal = NULL;
	sweep->caller = NULL;
	sweep->http = NULL;
}

void swp_sweep_identity_done(struct swp_sweep *sweep)
{
	swp_free((char *)(uintptr_t)sweep->enumeration_gap.action);
	swp_free((char *)(uintptr_t)sweep->enumeration_gap.error_code);
	swp_free((char *)(uintptr_t)sweep->enumeration_gap.message);
	swp_free((char *)(uintptr_t)sweep->enumeration_gap.request_id);
	swp_sweep_identity_release(sweep);
}

/* --- the organization --- */

static void described(void *context)
{
	struct swp_sweep *sweep = context;

	sweep->described = true;
	if (swp_sweep_accounts_init(sweep) < 0)
		swp_sweep_end_text(sweep, SWP_SWEEP_END_COULD_NOT_RUN, "out of memory");
	else
		swp_sweep_begin(sweep);
}

static void only_own_account(struct swp_sweep *sweep)
{
	struct swp_account *account;

	described(sweep);
	account = sweep->told ? NULL : swp_organization_add(&sweep->organization, sweep->identity.account);
	sweep->units_known = true;
	if (account)
		swp_sweep_account_listed(sweep, account);
	sweep->listed_all = true;
	sweep->progress.enumeration_done = true;
	sweep->named = true;
	swp_sweep_check_scope(sweep);
	swp_sweep_kick(sweep);
}

static void not_in_use(void *context)
{
	struct swp_sweep *sweep = context;

	swp_log(SWP_LOG_INFO, "organization.none",
		"there is no organization; the caller's own account is swept",
		SWP_LOG_S("account", &sweep->identity.account[0]));
	only_own_account(sweep);
}

static void enumeration_failed(void *context, const struct swp_problem *problem)
{
	swp_sweep_end(context, SWP_SWEEP_END_COULD_NOT_RUN, problem);
}

static void listed(void *context, struct swp_account *account)
{
	swp_sweep_account_listed(context, account);
}

static void units_known(void *context)
{
	swp_sweep_units_known(context);
}

/* What Organizations said when it broke off; texts are ours, since the store may not be there yet. */
static void keep_gap(struct swp_sweep *sweep, const struct swp_said *broke)
{
	struct swp_record_gap *gap = &sweep->enumeration_gap;

	gap->reason = broke->reason;
	gap->action = swp_strdup(broke->action);
	gap->error_code = swp_strdup(broke->error_code);
	gap->message = swp_strdup(broke->message);
	gap->request_id = swp_strdup(broke->request_id);
	swp_sweep_write_gap(sweep);
}

void swp_sweep_enumeration_cancelled(struct swp_sweep *sweep)
{
	static const struct swp_said cut_off = {.reason = SWP_REASON_CANCELLED,
		.action = "organizations:ListAccounts",
		.error_code = "",
		.message = "the list of accounts was cut off",
		.request_id = ""};

	keep_gap(sweep, &cut_off);
}

static void listed_all(void *context, const struct swp_said *broke)
{
	struct swp_sweep *sweep = context;

	sweep->listed_all = true;
	sweep->enumeration_broke = broke != NULL;
	sweep->progress.enumeration_done = true;
	if (broke)
		keep_gap(sweep, broke);
	if (!broke)
		swp_sweep_check_scope(sweep);
	if (sweep->begun && !sweep->told)
		swp_sweep_write_meta(sweep);
	swp_sweep_kick(sweep);
}

static void named(void *context)
{
	struct swp_sweep *sweep = context;

	sweep->named = true;
	sweep->path_cursor = 0;
	swp_sweep_kick(sweep);
}

static void enumerate(struct swp_sweep *sweep)
{
	const struct swp_enumeration_events events = {.described = described,
		.not_in_use = not_in_use,
		.failed = enumeration_failed,
		.listed = listed,
		.units_known = units_known,
		.listed_all = listed_all,
		.named = named,
		.context = sweep};

	swp_sweep_set_phase(sweep, SWP_SWEEP_ENUMERATING);
	if (sweep->options->no_org) {
		only_own_account(sweep);
		return;
	}
	sweep->enumeration = swp_enumeration_start(&sweep->asker, &sweep->organization, &sweep->scope,
		sweep->partition->organizations_region, &events);
	if (!sweep->enumeration)
		swp_sweep_end_text(sweep, SWP_SWEEP_END_COULD_NOT_RUN, "out of memory");
}

/* --- who we are --- */

static void ask_identity(struct swp_sweep *sweep);

/* What to look at when the first call fails; for what AWS itself says: the credentials. */
static const char *identity_advice(const char *error_code)
{
	static const struct {
		const char *error_code, *advice;
	} rows[] = {
		{"TLSError", "; if a proxy or a private endpoint answers there, name its certificate "
			     "authority by AWS_CA_BUNDLE"},
		{"ProxyError", "; check HTTPS_PROXY and NO_PROXY"},
		{"ConnectionError", "; check that this host reaches AWS, or name a proxy by HTTPS_PROXY"},
		{"ResolverError",
			"; check that this host resolves AWS's names, or name a proxy by HTTPS_PROXY"},
	};

	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++)
		if (strcmp(rows[i].error_code, error_code) == 0)
			return rows[i].advice;
	return "; check the credentials";
}

static void identity_refused(struct swp_sweep *sweep, const struct swp_said *said)
{
	const struct swp_partition *partition = swp_partition_by_region(sweep->identity_region);

	/* Credentials that could not be had have their own words. */
	if (strcmp(said->error_code, "CredentialsError") == 0) {
		swp_sweep_end_text(sweep, SWP_SWEEP_END_COULD_NOT_RUN, "%s", said->message);
		return;
	}
	/* AWS_REGION may name one that this account has not enabled. */
	if (!sweep->identity_retried && partition &&
		strcmp(partition->default_enabled[0], sweep->identity_region) != 0) {
		sweep->identity_retried = true;
		snprintf(sweep->identity_region, sizeof(sweep->identity_region), "%s",
			partition->default_enabled[0]);
		ask_identity(sweep);
		return;
	}
	swp_sweep_end_text(sweep, SWP_SWEEP_END_COULD_NOT_RUN, "%s in %s: %s: %s%s%s%s%s (credentials: %s)",
		said->action, sweep->identity_region,
		said->error_code[0] ? said->error_code : swp_reason_name(said->reason), said->message,
		said->request_id[0] ? " (request " : "", said->request_id, said->request_id[0] ? ")" : "",
		identity_advice(said->error_code), sweep->source_name[0] ? sweep->source_name : "none found");
}

static void choose_home_region(struct swp_sweep *sweep)
{
	const char *told = swp_credential_source_region(sweep->source);

	sweep->home_region = told[0] && swp_partition_by_region(told) == sweep->partition ? told : "";
}

static int know_identity(struct swp_sweep *sweep, struct swp_problem *problem)
{
	int error;

	sweep->partition = swp_partition_by_arn(sweep->identity.arn);
	if (!sweep->partition)
		return swp_problem_set(problem, -EINVAL,
			"the caller's ARN %s is of a partition that orgsweep does not know",
			sweep->identity.arn);
	swp_caller_set_partition(sweep->caller, sweep->partition);
	choose_home_region(sweep);
	error = swp_regions_ask(&sweep->regions, sweep->partition, &sweep->options->regions,
		&sweep->options->exclude_regions, &sweep->asked, problem);
	if (error < 0)
		return error;
	error = swp_session_policies_for(
		sweep->options->catalogue, sweep->options->selection, &sweep->policies);
	if (error == -E2BIG)
		return swp_problem_set(problem, error,
			"the selected checks read more than %d session policies of %d characters can name; "
			"select fewer with "
			"--checks and sweep twice",
			SWP_LIMIT_SESSIONS, SWP_LIMIT_SESSION_POLICY_CHARS);
	if (error < 0)
		return swp_problem_set(
			problem, error, "no session policy can be made from the selected checks' actions");
	return 0;
}

static void identity_said(struct swp_aws_ask *ask, const struct swp_said *said)
{
	struct swp_sweep *sweep = SWP_CONTAINER_OF(ask, struct swp_sweep, ask);
	struct swp_said malformed = *said;
	struct swp_problem problem = {0};

	if (said->outcome == SWP_OUTCOME_OK &&
		swp_answer_caller_identity(said->document, &sweep->identity) != 0) {
		malformed.reason = SWP_REASON_MALFORMED_RESPONSE;
		malformed.outcome = SWP_OUTCOME_FAILED;
		malformed.message = "the answer lacks account or ARN";
		said = &malformed;
	}
	if (said->outcome != SWP_OUTCOME_OK) {
		identity_refused(sweep, said);
		return;
	}
	if (know_identity(sweep, &problem) < 0) {
		swp_sweep_end(sweep, SWP_SWEEP_END_COULD_NOT_RUN, &problem);
		return;
	}
	swp_log(SWP_LOG_INFO, "sweep.identity", "credentials are good",
		SWP_LOG_S("arn", &sweep->identity.arn[0]), SWP_LOG_S("source", &sweep->source_name[0]),
		SWP_LOG_S("partition", sweep->partition->name));
	enumerate(sweep);
}

static void ask_identity(struct swp_sweep *sweep)
{
	struct swp_aws_ask_options options = {
		.operation = SWP_CALL_GET_CALLER_IDENTITY, .region = sweep->identity_region};

	if (swp_aws_ask_start(&sweep->ask, &sweep->asker, &options, NULL, identity_said) < 0)
		swp_sweep_end_text(sweep, SWP_SWEEP_END_COULD_NOT_RUN, "out of memory");
}

void swp_sweep_identity_start(struct swp_sweep *sweep)
{
	const char *told = swp_credential_source_region(sweep->source);
	const struct swp_partition *partition = told[0] ? swp_partition_by_region(told) : NULL;

	if (!partition) {
		if (told[0])
			swp_log(SWP_LOG_WARNING, "sweep.region",
				"the configured region is not known; AWS's first one is used",
				SWP_LOG_S("region", told));
		partition = swp_partition_by_name("aws");
		told = partition->default_enabled[0];
	}
	swp_caller_set_partition(sweep->caller, partition);
	snprintf(sweep->identity_region, sizeof(sweep->identity_region), "%s", told);
	ask_identity(sweep);
}
