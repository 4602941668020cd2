/* Organizations: JSON 1.1, global, for the management account and delegated administrators. */
#include "tests/simulator/services.h"

#include "tests/simulator/json-text.h"

#include <string.h>

/* False, and the call failed, when the organization is none or the caller may not ask it. */
static bool may_ask(struct swp_sim_call *call)
{
	const struct swp_sim_world *world = call->context->world;
	if (!world->organization.is_in_use) {
		swp_sim_call_fail(call, 400, "AWSOrganizationsNotInUseException",
			"Your account is not a member of an organization.");
		return false;
	}
	if (swp_sim_world_is_administrator(world, call->account))
		return true;
	swp_sim_call_fail(
		call, 400, "AccessDeniedException", "You don't have permissions to access this resource.");
	return false;
}

static void put_organization_arn(struct swp_sim_call *call, const char *kind, const char *id)
{
	const struct swp_sim_world *world = call->context->world;
	const struct swp_sim_organization *organization = &world->organization;
	swp_sim_buffer_printf(call->body, "arn:%s:organizations::%s:%s/%s", world->partition->name,
		world->accounts[organization->management].id, kind, organization->id);
	if (id != NULL)
		swp_sim_buffer_printf(call->body, "/%s", id);
}

static void put_member(struct swp_sim_call *call, const char *name, const char *value)
{
	swp_sim_buffer_printf(call->body, ",\"%s\":", name);
	swp_sim_buffer_json(call->body, swp_sim_text_of(value));
}

static const char policy_types[] = "[{\"Type\":\"SERVICE_CONTROL_POLICY\",\"Status\":\"ENABLED\"}]";

static void describe_organization(struct swp_sim_call *call)
{
	const struct swp_sim_world *world = call->context->world;
	const struct swp_sim_organization *organization = &world->organization;
	/* Any member may ask who the organization is. */
	if (!organization->is_in_use) {
		(void)may_ask(call);
		return;
	}
	const struct swp_sim_account *management = &world->accounts[organization->management];
	swp_sim_buffer_printf(call->body, "{\"Organization\":{\"Id\":\"%s\",\"Arn\":\"", organization->id);
	put_organization_arn(call, "organization", NULL);
	swp_sim_buffer_printf(
		call->body, "\",\"FeatureSet\":\"%s\",\"MasterAccountArn\":\"", organization->feature_set);
	put_organization_arn(call, "account", management->id);
	swp_sim_buffer_printf(call->body, "\",\"MasterAccountId\":\"%s\"", management->id);
	put_member(call, "MasterAccountEmail", management->email);
	swp_sim_buffer_printf(call->body, ",\"AvailablePolicyTypes\":%s}}", policy_types);
}

/* What Status said before State came: it knows neither of the two ends of an account's life. */
static const char *status_of(const char *state)
{
	if (strcmp(state, "PENDING_ACTIVATION") == 0)
		return "ACTIVE";
	return strcmp(state, "CLOSED") == 0 ? "SUSPENDED" : state;
}

static void write_account(struct swp_sim_call *call, const struct swp_sim_account *account, bool with_path)
{
	const struct swp_sim_world *world = call->context->world;
	swp_sim_buffer_printf(call->body, "{\"Id\":\"%s\",\"Arn\":\"", account->id);
	put_organization_arn(call, "account", account->id);
	swp_sim_buffer_byte(call->body, '"');
	put_member(call, "Email", account->email);
	put_member(call, "Name", account->name);
	put_member(call, "Status", status_of(account->state));
	if (world->organization.gives_states)
		put_member(call, "State", account->state);
	if (world->organization.gives_paths && with_path)
		swp_sim_buffer_printf(
			call->body, ",\"Paths\":[\"%s%s/\"]", world->units[account->unit].path, account->id);
	put_member(call, "JoinedMethod", account->joined_method);
	swp_sim_buffer_printf(call->body, ",\"JoinedTimestamp\":%.3f", account->joined_at_sec);
}

/* An account never changes, so it is written once and copied from then on. */
static void put_account(struct swp_sim_call *call, size_t number)
{
	struct swp_sim_account *account = &call->context->world->accounts[number];
	size_t start = call->body->size;
	if (account->listed != NULL) {
		swp_sim_buffer_put(call->body, account->listed);
		return;
	}
	write_account(call, account, true);
	swp_sim_buffer_byte(call->body, '}');
	account->listed =
		swp_sim_copy_text((struct swp_sim_text){call->body->data + start, call->body->size - start});
}

static void begin_list(struct swp_sim_call *call)
{
	swp_sim_buffer_printf(call->body, "{\"%s\":[", call->operation->member);
}

static void end_list(struct swp_sim_call *call, const struct swp_sim_page *page)
{
	swp_sim_buffer_byte(call->body, ']');
	swp_sim_call_put_page_end(call, page);
	swp_sim_buffer_byte(call->body, '}');
}

static void list_accounts(struct swp_sim_call *call)
{
	const struct swp_sim_world *world = call->context->world;
	struct swp_sim_page page;
	/* The empty page counts as one entry before the first account. */
	size_t shift = world->organization.has_empty_page ? 1 : 0;
	if (!may_ask(call) || !swp_sim_call_page(call, world->account_count + shift, &page))
		return;
	begin_list(call);
	if (shift && page.first == 0) {
		page.count = 0;
		page.has_more = true;
		swp_sim_call_token(call, 1, page.token);
	}
	for (size_t i = 0; i < page.count; i++) {
		if (i)
			swp_sim_buffer_byte(call->body, ',');
		put_account(call, page.first + i - shift);
	}
	end_list(call, &page);
}

static void list_roots(struct swp_sim_call *call)
{
	const struct swp_sim_world *world = call->context->world;
	struct swp_sim_page page;
	size_t written = 0;
	if (!may_ask(call) || !swp_sim_call_page(call, 1, &page))
		return;
	begin_list(call);
	for (size_t i = 0; i < world->unit_count && page.count; i++) {
		if (world->units[i].parent != SIZE_MAX)
			continue;
		swp_sim_buffer_printf(
			call->body, "%s{\"Id\":\"%s\",\"Arn\":\"", written++ ? "," : "", world->units[i].id);
		put_organization_arn(call, "root", world->units[i].id);
		swp_sim_buffer_byte(call->body, '"');
		put_member(call, "Name", world->units[i].name);
		swp_sim_buffer_printf(call->body, ",\"PolicyTypes\":%s}", policy_types);
	}
	end_list(call, &page);
}

/* The unit that ParentId names; SIZE_MAX, and the call failed, when there is none. */
static size_t parent_asked(struct swp_sim_call *call)
{
	const struct swp_sim_world *world = call->context->world;
	struct swp_sim_text id = swp_sim_call_parameter(call, "ParentId", SWP_SIM_IN_BODY);
	for (size_t i = 0; i < world->unit_count; i++) {
		if (swp_sim_text_is(id, world->units[i].id))
			return i;
	}
	if (id.size == 0)
		swp_sim_call_fail(
			call, 400, "InvalidInputException", "You specified an invalid value: ParentId.");
	else
		swp_sim_call_fail(
			call, 400, "ParentNotFoundException", "You specified parent that doesn't exist.");
	return SIZE_MAX;
}

static void put_unit(struct swp_sim_call *call, const struct swp_sim_unit *unit)
{
	swp_sim_buffer_printf(call->body, "{\"Id\":\"%s\",\"Arn\":\"", unit->id);
	put_organization_arn(call, "ou", unit->id);
	swp_sim_buffer_byte(call->body, '"');
	put_member(call, "Name", unit->name);
	if (call->context->world->organization.gives_paths)
		put_member(call, "Path", unit->path);
	swp_sim_buffer_byte(call->body, '}');
}

static void list_units(struct swp_sim_call *call)
{
	const struct swp_sim_world *world = call->context->world;
	struct swp_sim_page page;
	size_t parent = may_ask(call) ? parent_asked(call) : SIZE_MAX, total = 0, seen = 0, written = 0;
	if (parent == SIZE_MAX)
		return;
	for (size_t i = 0; i < world->unit_count; i++)
		total += world->units[i].parent == parent;
	if (!swp_sim_call_page(call, total, &page))
		return;
	begin_list(call);
	for (size_t i = 0; i < world->unit_count && written < page.count; i++) {
		if (world->units[i].parent != parent || seen++ < page.first)
			continue;
		if (written++)
			swp_sim_buffer_byte(call->body, ',');
		put_unit(call, &world->units[i]);
	}
	end_list(call, &page);
}

static void list_accounts_for_parent(struct swp_sim_call *call)
{
	const struct swp_sim_world *world = call->context->world;
	struct swp_sim_page page;
	size_t parent = may_ask(call) ? parent_asked(call) : SIZE_MAX, total = 0, seen = 0, written = 0;
	if (parent == SIZE_MAX)
		return;
	for (size_t i = 0; i < world->account_count; i++)
		total += world->accounts[i].unit == parent;
	if (!swp_sim_call_page(call, total, &page))
		return;
	begin_list(call);
	for (size_t i = 0; i < world->account_count && written < page.count; i++) {
		if (world->accounts[i].unit != parent || seen++ < page.first)
			continue;
		if (written++)
			swp_sim_buffer_byte(call->body, ',');
		put_account(call, i);
	}
	end_list(call, &page);
}

static bool administers(const struct swp_sim_administrator *administrator, struct swp_sim_text service)
{
	if (service.size == 0)
		return true;
	for (size_t i = 0; i < administrator->service_count; i++) {
		if (swp_sim_text_is(service, administrator->services[i]))
			return true;
	}
	return false;
}

static void list_delegated_administrators(struct swp_sim_call *call)
{
	const struct swp_sim_world *world = call->context->world;
	const struct swp_sim_organization *organization = &world->organization;
	struct swp_sim_text service = swp_sim_call_parameter(call, "ServicePrincipal", SWP_SIM_IN_BODY);
	struct swp_sim_page page;
	size_t total = 0, seen = 0, written = 0;
	for (size_t i = 0; i < organization->administrator_count; i++)
		total += administers(&organization->administrators[i], service);
	if (!may_ask(call) || !swp_sim_call_page(call, total, &page))
		return;
	begin_list(call);
	for (size_t i = 0; i < organization->administrator_count && written < page.count; i++) {
		if (!administers(&organization->administrators[i], service) || seen++ < page.first)
			continue;
		const struct swp_sim_account *account =
			&world->accounts[organization->administrators[i].account];
		if (written++)
			swp_sim_buffer_byte(call->body, ',');
		write_account(call, account, false);
		swp_sim_buffer_printf(call->body, ",\"DelegationEnabledDate\":%.3f}", account->joined_at_sec);
	}
	end_list(call, &page);
}

static void describe_effective_policy(struct swp_sim_call *call)
{
	const struct swp_sim_world *world = call->context->world;
	const struct swp_sim_organization *organization = &world->organization;
	struct swp_sim_text type = swp_sim_call_parameter(call, "PolicyType", SWP_SIM_IN_BODY);
	struct swp_sim_text target = swp_sim_call_parameter(call, "TargetId", SWP_SIM_IN_BODY);
	const char *own = world->accounts[call->account].id;
	/* Each member may ask what holds for itself. */
	if (!organization->is_in_use || (target.size && !swp_sim_text_is(target, own))) {
		if (!may_ask(call))
			return;
	}
	if (target.size == 0)
		target = swp_sim_text_of(own);
	for (size_t i = 0; i < organization->effective_count; i++) {
		const struct swp_sim_policy *policy = &organization->effective[i];
		bool is_for = strcmp(policy->id, "*") == 0 || swp_sim_text_is(target, policy->id);
		if (!is_for || !swp_sim_text_is(type, policy->type))
			continue;
		swp_sim_buffer_put(call->body, "{\"EffectivePolicy\":{\"PolicyContent\":");
		swp_sim_buffer_json(call->body, swp_sim_text_of(policy->content));
		swp_sim_buffer_put(call->body, ",\"LastUpdatedTimestamp\":1767225600.0,\"TargetId\":");
		swp_sim_buffer_json(call->body, target);
		put_member(call, "PolicyType", policy->type);
		swp_sim_buffer_put(call->body, "}}");
		return;
	}
	swp_sim_call_fail(call, 400, "EffectivePolicyNotFoundException",
		"The effective policy of the specified type was not found for the target.");
}

static void list_policies(struct swp_sim_call *call)
{
	const struct swp_sim_organization *organization = &call->context->world->organization;
	struct swp_sim_text type = swp_sim_call_parameter(call, "Filter", SWP_SIM_IN_BODY);
	struct swp_sim_page page;
	size_t total = 0, seen = 0, written = 0;
	for (size_t i = 0; i < organization->policy_count; i++)
		total += swp_sim_text_is(type, organization->policies[i].type);
	if (!may_ask(call) || !swp_sim_call_page(call, total, &page))
		return;
	begin_list(call);
	for (size_t i = 0; i < organization->policy_count && written < page.count; i++) {
		if (!swp_sim_text_is(type, organization->policies[i].type) || seen++ < page.first)
			continue;
		swp_sim_buffer_printf(
			call->body, "%s%s", written ? "," : "", organization->policies[i].summary);
		written++;
	}
	end_list(call, &page);
}

static void describe_policy(struct swp_sim_call *call)
{
	const struct swp_sim_organization *organization = &call->context->world->organization;
	struct swp_sim_text id = swp_sim_call_parameter(call, "PolicyId", SWP_SIM_IN_BODY);
	if (!may_ask(call))
		return;
	for (size_t i = 0; i < organization->policy_count; i++) {
		if (!swp_sim_text_is(id, organization->policies[i].id))
			continue;
		swp_sim_buffer_printf(
			call->body, "{\"Policy\":{\"PolicySummary\":%s", organization->policies[i].summary);
		put_member(call, "Content", organization->policies[i].content);
		swp_sim_buffer_put(call->body, "}}");
		return;
	}
	swp_sim_call_fail(call, 400, "PolicyNotFoundException", "You specified a policy that doesn't exist.");
}

#define PAGES .paging = SWP_SIM_PAGES_BODY("NextToken", "MaxResults", 20, 20)

static const struct swp_sim_operation operations[] = {
	{"DescribeOrganization", "organizations:DescribeOrganization", .answer = describe_organization},
	{"ListAccounts", "organizations:ListAccounts", .answer = list_accounts, .member = "Accounts", PAGES},
	{"ListRoots", "organizations:ListRoots", .answer = list_roots, .member = "Roots", PAGES},
	{"ListOrganizationalUnitsForParent", "organizations:ListOrganizationalUnitsForParent",
		.answer = list_units, .member = "OrganizationalUnits", PAGES},
	{"ListAccountsForParent", "organizations:ListAccountsForParent", .answer = list_accounts_for_parent,
		.member = "Accounts", PAGES},
	{"ListDelegatedAdministrators", "organizations:ListDelegatedAdministrators",
		.answer = list_delegated_administrators, .member = "DelegatedAdministrators", PAGES},
	{"DescribeEffectivePolicy", "organizations:DescribeEffectivePolicy",
		.answer = describe_effective_policy},
	{"ListPolicies", "organizations:ListPolicies", .answer = list_policies, .member = "Policies", PAGES},
	{"DescribePolicy", "organizations:DescribePolicy", .answer = describe_policy},
};

const struct swp_sim_service swp_sim_service_organizations = {
	"organizations",
	"organizations",
	"organizations",
	SWP_SIM_JSON_11,
	.target_prefix = "AWSOrganizationsV20161128",
	.throttle_code = "TooManyRequestsException",
	.throttle_status = 400,
	.is_global = true,
	SWP_SIM_OPERATIONS(operations),
};
