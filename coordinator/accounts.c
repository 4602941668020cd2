#include "coordinator/accounts.h"

#include <errno.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/base/log.h"
#include "proto/base/text.h"

struct swp_accounts {
	struct swp_accounts_options options;
	struct swp_accounts_events events;
	struct swp_open_account *first;
	unsigned count;
	const char *sts_regions[SWP_STS_REGIONS];
	unsigned sts_region_count;
	bool management_tells_regions; /* ListRegions with AccountId was not refused yet */
};

/* --- STS regions: the home region if it is enabled by default, else the partition's first default ones --- */

static void choose_sts_regions(struct swp_accounts *accounts)
{
	const char *const *defaults = accounts->options.partition->default_enabled;
	const char *home = accounts->options.home_region;

	for (size_t i = 0; defaults[i]; i++)
		if (strcmp(defaults[i], home) == 0)
			accounts->sts_regions[accounts->sts_region_count++] = defaults[i];
	for (size_t i = 0; defaults[i] && accounts->sts_region_count < SWP_STS_REGIONS; i++)
		if (strcmp(defaults[i], home) != 0)
			accounts->sts_regions[accounts->sts_region_count++] = defaults[i];
	SWP_ASSERT(accounts->sts_region_count > 0);
}

/* --- life --- */

struct swp_accounts *swp_accounts_new(
	const struct swp_accounts_options *options, const struct swp_accounts_events *events)
{
	struct swp_accounts *accounts = swp_calloc(1, sizeof(*accounts));

	if (!accounts)
		return NULL;
	accounts->options = *options;
	accounts->events = *events;
	/* Only the management account may ask for others' regions. */
	accounts->management_tells_regions =
		options->organization->management[0] &&
		strcmp(options->organization->management, options->own_account) == 0;
	choose_sts_regions(accounts);
	return accounts;
}

void swp_accounts_free(struct swp_accounts *accounts)
{
	if (!accounts)
		return;
	while (accounts->first)
		swp_accounts_close(accounts->first);
	swp_free(accounts);
}

unsigned swp_accounts_open_count(const struct swp_accounts *accounts)
{
	return accounts->count;
}

struct swp_open_account *swp_accounts_first(const struct swp_accounts *accounts)
{
	return accounts->first;
}

static void forget_sessions(struct swp_open_account *open)
{
	for (size_t i = 0; i < open->session_count; i++)
		swp_credentials_done(&open->sessions[i]);
	open->session_count = 0;
}

int64_t swp_accounts_expires_at_ms(const struct swp_open_account *open)
{
	int64_t first_ms = 0;

	for (size_t i = 0; i < open->session_count; i++) {
		int64_t at_ms = open->sessions[i].expires_at_ms;

		if (at_ms != 0 && (first_ms == 0 || at_ms < first_ms))
			first_ms = at_ms;
	}
	return first_ms;
}

static void stop_asking(struct swp_open_account *open)
{
	const struct swp_own_credentials *own = open->accounts->options.asker->own;

	swp_aws_ask_cancel(&open->ask);
	if (open->waiting)
		own->cancel(own->context, &open->wait);
	open->waiting = false;
}

void swp_accounts_close(struct swp_open_account *open)
{
	struct swp_accounts *accounts = open->accounts;

	stop_asking(open);
	if (open->previous)
		open->previous->next = open->next;
	else
		accounts->first = open->next;
	if (open->next)
		open->next->previous = open->previous;
	accounts->count--;
	open->account->open = NULL;
	forget_sessions(open);
	swp_free(open->sessions);
	swp_free(open->role_arn);
	swp_free(open->dispatch.jobs);
	swp_free(open);
}

/* --- outcomes --- */

/* What the account's gap says; alike texts are not stored twice, as thousands of accounts may lack the same role. */
static const struct swp_account_failure *keep_failure(
	struct swp_organization *organization, const struct swp_said *said, const char *hint)
{
	struct swp_region *memory = organization->memory;
	struct swp_account_failure *failure = swp_region_alloc(memory, sizeof(*failure));

	if (!failure)
		return NULL;
	failure->action = swp_region_strdup(memory, said->action);
	failure->error_code = swp_region_strdup(memory, said->error_code);
	failure->message = swp_region_format(memory, "%s%s", said->message, hint);
	failure->request_id = swp_region_strdup(memory, said->request_id);
	if (!failure->action || !failure->error_code || !failure->message || !failure->request_id)
		return NULL;
	return failure;
}

/* A refusal in any wording means that the role can't be assumed; what never reached STS keeps its own reason. */
static enum swp_reason reason_of(const struct swp_said *said)
{
	if (said->outcome == SWP_OUTCOME_EXPIRED)
		return SWP_REASON_CREDENTIALS_EXPIRED;
	if (said->by_aws && said->outcome == SWP_OUTCOME_FAILED &&
		said->reason == SWP_REASON_SERVICE_UNAVAILABLE)
		return SWP_REASON_ROLE_NOT_ASSUMABLE; /* a 4xx of no other row: ValidationError, MalformedPolicyDocument … */
	switch (said->reason) {
	case SWP_REASON_THROTTLED:
	case SWP_REASON_SERVICE_UNAVAILABLE:
	case SWP_REASON_TIMEOUT:
	case SWP_REASON_CREDENTIALS_EXPIRED:
	case SWP_REASON_MALFORMED_RESPONSE:
	case SWP_REASON_LIMIT_REACHED:
		return said->reason;
	default:
		return SWP_REASON_ROLE_NOT_ASSUMABLE;
	}
}

static const char *hint_for(const struct swp_account *account, enum swp_reason reason)
{
	if (!account->management || reason != SWP_REASON_ROLE_NOT_ASSUMABLE)
		return "";
	return " (CloudFormation StackSets never deploy to the management account: create the role there by "
	       "hand)";
}

static void refuse(struct swp_open_account *open, const struct swp_said *said)
{
	struct swp_accounts *accounts = open->accounts;
	struct swp_account *account = open->account;
	struct swp_regions_plan plan = swp_regions_plan_closed(accounts->options.regions);
	enum swp_reason reason = reason_of(said);

	account->reason = (unsigned char)reason;
	account->failure = keep_failure(accounts->options.organization, said, hint_for(account, reason));
	if (account->redone == 0 && !account->resumed) {
		account->planned = plan.planned;
		account->not_enabled = plan.not_enabled;
	}
	open->regions_from = "partition";
	swp_log(SWP_LOG_WARNING, "account.refused", "the account can't be entered",
		SWP_LOG_S("account", account->id), SWP_LOG_S("role", open->role_arn),
		SWP_LOG_S("reason", swp_reason_name(reason)), SWP_LOG_S("error_code", said->error_code),
		SWP_LOG_S("error", said->message), SWP_LOG_S("request_id", said->request_id));
	accounts->events.refused(accounts->events.context, open);
}

static void entered(struct swp_open_account *open, const struct swp_regions_plan *plan, const char *from)
{
	struct swp_accounts *accounts = open->accounts;

	if (plan) {
		open->account->planned = plan->planned;
		open->account->not_enabled = plan->not_enabled;
	}
	open->regions_from = from;
	open->entered = true;
	accounts->events.entered(accounts->events.context, open);
}

/* --- regions: the first that answers --- */

enum region_step {
	STEP_IN_ACCOUNT,
	STEP_DESCRIBE,
	STEP_FROM_MANAGEMENT,
	STEP_COUNT,
};

static bool account_service_exists(const struct swp_partition *partition)
{
	/* botocore's endpoints.json has the service in these two; elsewhere its host does not exist. */
	return strcmp(partition->name, "aws") == 0 || strcmp(partition->name, "aws-cn") == 0;
}

static bool step_is_possible(const struct swp_open_account *open, unsigned step)
{
	const struct swp_accounts *accounts = open->accounts;

	if (step == STEP_DESCRIBE)
		return true;
	if (!account_service_exists(accounts->options.partition))
		return false;
	/* The management account may not name itself. */
	return step == STEP_IN_ACCOUNT || (accounts->management_tells_regions && !open->account->management);
}

static const char *const step_names[STEP_COUNT] = {
	"account:ListRegions", "ec2:DescribeRegions", "account:ListRegions from the management account"};

static int region_page(struct swp_aws_ask *ask, const json_t *document)
{
	struct swp_open_account *open = SWP_CONTAINER_OF(ask, struct swp_open_account, ask);
	struct swp_region_table *table = open->accounts->options.regions->table;

	if (open->region_step == STEP_DESCRIBE)
		return swp_regions_read_description(table, document, &open->told);
	return swp_regions_read_list(table, document, &open->told);
}

static void ask_regions(struct swp_open_account *open);

static void regions_said(struct swp_aws_ask *ask, const struct swp_said *said)
{
	struct swp_open_account *open = SWP_CONTAINER_OF(ask, struct swp_open_account, ask);
	struct swp_regions_plan plan;

	if (said->outcome == SWP_OUTCOME_OK && !swp_region_set_is_empty(&open->told.enabled)) {
		plan = swp_regions_plan_told(open->accounts->options.regions, &open->told);
		open->account->regions_told = true;
		entered(open, &plan, step_names[open->region_step]);
		return;
	}
	if (open->region_step == STEP_FROM_MANAGEMENT && said->outcome == SWP_OUTCOME_REFUSED)
		open->accounts->management_tells_regions = false;
	swp_log(SWP_LOG_INFO, "account.regions", "the account's regions could not be asked for this way",
		SWP_LOG_S("account", open->account->id), SWP_LOG_S("action", said->action),
		SWP_LOG_S("error_code", said->error_code), SWP_LOG_S("request_id", said->request_id));
	open->region_step++;
	ask_regions(open);
}

static int start_region_step(struct swp_open_account *open)
{
	struct swp_accounts *accounts = open->accounts;
	struct swp_aws_ask_options options = {
		.operation = SWP_CALL_LIST_REGIONS, .region = accounts->sts_regions[0]};

	if (open->region_step == STEP_FROM_MANAGEMENT) {
		options.input = swp_input_list_regions(open->account->id);
	} else {
		options.credentials = &open->sessions[0];
		options.scope = &open->account_scope;
		options.input = swp_input_list_regions(NULL);
	}
	if (open->region_step == STEP_DESCRIBE) {
		json_decref(options.input);
		options.operation = SWP_CALL_DESCRIBE_REGIONS;
		options.scope = &open->ec2_scope;
		options.input = swp_input_describe_regions();
	}
	return swp_aws_ask_start(&open->ask, accounts->options.asker, &options, region_page, regions_said);
}

static void ask_regions(struct swp_open_account *open)
{
	struct swp_regions_plan plan;

	if (open->account->redone > 0 || open->account->resumed) {
		entered(open, NULL, ""); /* its plan stands */
		return;
	}
	memset(&open->told, 0, sizeof(open->told));
	while (open->region_step < STEP_COUNT && !step_is_possible(open, open->region_step))
		open->region_step++;
	if (open->region_step < STEP_COUNT && start_region_step(open) == 0)
		return;
	plan = swp_regions_plan_untold(open->accounts->options.regions);
	entered(open, &plan, "partition");
}

/* --- credentials --- */

static void renewed(struct swp_open_account *open, enum swp_reason reason)
{
	struct swp_accounts *accounts = open->accounts;

	open->renewing = false;
	open->renewal_failed = reason != SWP_REASON_NONE;
	accounts->events.renewed(accounts->events.context, open, reason);
}

static void own_given(struct swp_own_wait *wait, const struct swp_credentials *credentials,
	const struct swp_problem *problem)
{
	struct swp_open_account *open = SWP_CONTAINER_OF(wait, struct swp_open_account, wait);
	struct swp_said said = {.outcome = SWP_OUTCOME_FAILED,
		.reason = SWP_REASON_CREDENTIALS_EXPIRED,
		.action = "sts:GetCallerIdentity",
		.error_code = "",
		.message = problem ? problem->text : "",
		.request_id = ""};
	bool copied = false;

	open->waiting = false;
	if (credentials) {
		forget_sessions(open);
		copied = swp_credentials_copy(&open->sessions[0], credentials) == 0;
		open->session_count = copied;
		open->issued_ms = swp_loop_now_ms(open->accounts->options.loop);
	}
	if (open->entered)
		renewed(open, copied ? SWP_REASON_NONE : SWP_REASON_CREDENTIALS_EXPIRED);
	else if (copied)
		ask_regions(open);
	else
		refuse(open, &said);
}

static int use_own(struct swp_open_account *open, const struct swp_credentials *expired)
{
	const struct swp_own_credentials *own = open->accounts->options.asker->own;
	int error;

	swp_free(open->role_arn);
	open->role_arn = NULL;
	open->waiting = true;
	error = own->get(own->context, expired, &open->wait, own_given);
	if (error < 0)
		open->waiting = false;
	return error;
}

static int assume(struct swp_open_account *open);

static bool try_next_sts_region(struct swp_open_account *open, const struct swp_said *said)
{
	if (!swp_text_equal(said->error_code, "RegionDisabledException"))
		return false;
	if (open->sts_try + 1 >= open->accounts->sts_region_count)
		return false;
	open->sts_try++;
	return assume(open) == 0;
}

/* The own account's role is tried when it was asked for; the caller's own credentials do as well. */
static bool fall_back_to_own(struct swp_open_account *open, const struct swp_said *said)
{
	if (!open->account->own)
		return false;
	swp_log(SWP_LOG_INFO, "account.own",
		"the role can't be assumed in the caller's own account; its own credentials are used",
		SWP_LOG_S("account", open->account->id), SWP_LOG_S("role", open->role_arn),
		SWP_LOG_S("error_code", said->error_code), SWP_LOG_S("request_id", said->request_id));
	return use_own(open, NULL) == 0;
}

/* In hundredths of what STS takes, for policies, tags and session together: text of XML, a number of JSON; -1 untold. */
static int64_t packed_percent(const json_t *document)
{
	const json_t *value = json_object_get(document, "PackedPolicySize");
	const char *text = json_string_value(value);
	uint64_t percent;

	if (json_is_integer(value))
		return json_integer_value(value);
	return text && swp_parse_u64(text, INT32_MAX, &percent) == 0 ? (int64_t)percent : -1;
}

static void log_session(const struct swp_open_account *open, const struct swp_said *said)
{
	swp_log(SWP_LOG_DEBUG, "account.session", "the role is assumed",
		SWP_LOG_S("account", &open->account->id[0]), SWP_LOG_S("role", open->role_arn),
		SWP_LOG_N("session", open->session + 1),
		SWP_LOG_N("sessions", open->accounts->options.policies->count),
		SWP_LOG_N("packed_policy_percent", packed_percent(said->document)),
		SWP_LOG_S("request_id", said->request_id));
}

/* Moves them. One session after the other, so that an account never has two calls to STS open. */
static void take_session(struct swp_open_account *open, struct swp_credentials *credentials)
{
	swp_credentials_done(&open->sessions[open->session]);
	open->sessions[open->session++] = *credentials;
	if (open->session_count < open->session)
		open->session_count = open->session;
}

static void assumed(struct swp_open_account *open)
{
	open->issued_ms = swp_loop_now_ms(open->accounts->options.loop);
	if (open->entered)
		renewed(open, SWP_REASON_NONE);
	else
		ask_regions(open);
}

static void assume_said(struct swp_aws_ask *ask, const struct swp_said *said)
{
	struct swp_open_account *open = SWP_CONTAINER_OF(ask, struct swp_open_account, ask);
	struct swp_credentials credentials = {0};
	struct swp_said malformed = {.outcome = SWP_OUTCOME_FAILED,
		.reason = SWP_REASON_MALFORMED_RESPONSE,
		.action = said->action,
		.error_code = "MalformedResponse",
		.message = "AssumeRole's answer has no credentials",
		.request_id = said->request_id};

	if (said->outcome == SWP_OUTCOME_OK) {
		if (swp_answer_assume_role(said->document, open->role_arn, &credentials) == 0) {
			log_session(open, said);
			take_session(open, &credentials);
			if (open->session < open->accounts->options.policies->count && assume(open) == 0)
				return;
			if (open->session == open->accounts->options.policies->count) {
				assumed(open);
				return;
			}
			malformed.reason = SWP_REASON_LIMIT_REACHED;
			malformed.error_code = "OutOfMemory";
			malformed.message = "no memory for one more session";
		}
		said = &malformed;
	}
	if (try_next_sts_region(open, said))
		return;
	if (open->entered)
		renewed(open, reason_of(said));
	else if (!fall_back_to_own(open, said))
		refuse(open, said);
}

static int assume(struct swp_open_account *open)
{
	struct swp_accounts *accounts = open->accounts;
	struct swp_aws_ask_options options = {
		.operation = SWP_CALL_ASSUME_ROLE,
		.region = accounts->sts_regions[open->sts_try],
		.input = swp_input_assume_role(open->role_arn, accounts->options.session_name,
			open->external_id, accounts->options.policies->texts[open->session]),
	};

	if (!options.input)
		return -ENOMEM;
	return swp_aws_ask_start(&open->ask, accounts->options.asker, &options, NULL, assume_said);
}

/* --- entering --- */

void swp_accounts_role(const struct swp_accounts_options *options, const struct swp_account *account,
	const char **ret_name, const char **ret_external_id)
{
	const struct swp_sweep_role *row = swp_scope_role(options->scope, account);

	*ret_name = NULL;
	*ret_external_id = NULL;
	if (row) {
		*ret_name = row->role_name;
		*ret_external_id = row->external_id;
	} else if (!account->own || options->sweep->role_name_given) {
		*ret_name = options->sweep->role_name;
		*ret_external_id = options->sweep->external_id;
	}
}

static struct swp_open_account *add_open(struct swp_accounts *accounts, struct swp_account *account)
{
	struct swp_open_account *open = swp_calloc(1, sizeof(*open));

	if (!open)
		return NULL;
	open->sessions = swp_calloc(accounts->options.policies->count, sizeof(*open->sessions));
	if (!open->sessions) {
		swp_free(open);
		return NULL;
	}
	open->accounts = accounts;
	open->account = account;
	open->next = accounts->first;
	if (open->next)
		open->next->previous = open;
	accounts->first = open;
	accounts->count++;
	account->open = open;
	account->stage = SWP_ACCOUNT_OPEN;
	return open;
}

struct swp_open_account *swp_accounts_enter(struct swp_accounts *accounts, struct swp_account *account)
{
	struct swp_open_account *open = add_open(accounts, account);
	const char *name;
	int error;

	if (!open)
		return NULL;
	swp_accounts_role(&accounts->options, account, &name, &open->external_id);
	if (name) {
		open->role_arn = swp_asprintf("arn:%s:iam::%s:role/%s", accounts->options.partition->name,
			account->id, name[0] == '/' ? name + 1 : name);
		error = open->role_arn ? assume(open) : -ENOMEM;
	} else {
		error = use_own(open, NULL);
	}
	if (error < 0) {
		swp_accounts_close(open);
		return NULL;
	}
	return open;
}

/* Keys without an end that AWS calls expired, or whose end is over: their source must look again. */
static bool own_are_over(const struct swp_open_account *open)
{
	const struct swp_accounts_options *options = &open->accounts->options;
	int64_t wall_ms = swp_clock_wall_ms(swp_loop_clock(options->loop)) +
			  swp_caller_clock_offset_ms(options->asker->caller);

	return open->sessions[0].expires_at_ms == 0 || open->sessions[0].expires_at_ms <= wall_ms;
}

int swp_accounts_renew(struct swp_open_account *open)
{
	int error;

	if (open->renewing)
		return 0;
	open->sts_try = 0;
	open->session = 0;
	error = open->role_arn ? assume(open) : use_own(open, own_are_over(open) ? &open->sessions[0] : NULL);
	open->renewing = error == 0;
	return error;
}
