/* Account management: rest-json, global; which regions are on in an account. */
#include "tests/simulator/services.h"

#include <string.h>

/* The account asked about: one's own, or by AccountId from the management account; SIZE_MAX when the call failed. */
static size_t account_asked(struct swp_sim_call *call)
{
	struct swp_sim_world *world = call->context->world;
	struct swp_sim_text id = swp_sim_call_parameter(call, "AccountId", SWP_SIM_IN_BODY);
	if (id.at == NULL)
		return call->account;
	size_t account = swp_sim_world_find_account(world, id);
	bool may_ask = call->account == world->organization.management;
	for (size_t i = 0; i < world->organization.administrator_count; i++) {
		const struct swp_sim_administrator *administrator = &world->organization.administrators[i];
		for (size_t k = 0;
			k < administrator->service_count && administrator->account == call->account; k++)
			may_ask = may_ask || strcmp(administrator->services[k], "account.amazonaws.com") == 0;
	}
	if (account == world->organization.management && account != SIZE_MAX) {
		swp_sim_call_fail(call, 403, "AccessDeniedException",
			"The management account can only be managed using the standalone context.");
		return SIZE_MAX;
	}
	if (!may_ask || account == SIZE_MAX || !world->organization.is_in_use) {
		struct swp_sim_buffer *arn = swp_sim_call_scratch(call);
		swp_sim_call_put_caller_arn(call, arn);
		swp_sim_call_fail(call, 403, "AccessDeniedException",
			"User: %.*s is not authorized to perform: %s (You don't have the required "
			"permissions for this account.)",
			(int)arn->size, arn->data, call->operation->action);
		return SIZE_MAX;
	}
	return account;
}

/* NULL: the region is none that the account could have. */
static const char *status_of(
	const struct swp_sim_world *world, const struct swp_sim_account *account, unsigned region)
{
	if (strcmp(swp_sim_regions[region].partition, world->partition->name) != 0)
		return NULL;
	if (swp_sim_account_has_region(account, region))
		return swp_sim_regions[region].is_opt_in ? "ENABLED" : "ENABLED_BY_DEFAULT";
	return swp_sim_regions[region].is_opt_in ? "DISABLED" : NULL;
}

static void list_regions(struct swp_sim_call *call)
{
	const struct swp_sim_world *world = call->context->world;
	size_t number = account_asked(call), total = 0, seen = 0, written = 0;
	struct swp_sim_page page;
	unsigned chosen[SWP_SIM_REGION_GLOBAL];
	if (number == SIZE_MAX)
		return;
	const struct swp_sim_account *account = &world->accounts[number];
	bool has_filter = swp_sim_call_has_list(call, "RegionOptStatusContains");
	for (unsigned i = 0; i < swp_sim_region_count; i++) {
		const char *status = status_of(world, account, i);
		if (status != NULL && (!has_filter || swp_sim_call_list_has(call, "RegionOptStatusContains",
							      swp_sim_text_of(status))))
			chosen[total++] = i;
	}
	if (!swp_sim_call_page(call, total, &page))
		return;
	swp_sim_buffer_put(call->body, "{\"Regions\":[");
	for (seen = page.first; written < page.count; seen++, written++)
		swp_sim_buffer_printf(call->body, "%s{\"RegionName\":\"%s\",\"RegionOptStatus\":\"%s\"}",
			written ? "," : "", swp_sim_regions[chosen[seen]].name,
			status_of(world, account, chosen[seen]));
	swp_sim_buffer_byte(call->body, ']');
	swp_sim_call_put_page_end(call, &page);
	swp_sim_buffer_byte(call->body, '}');
}

static void get_region_opt_status(struct swp_sim_call *call)
{
	size_t number = account_asked(call);
	if (number == SIZE_MAX)
		return;
	struct swp_sim_text name = swp_sim_call_parameter(call, "RegionName", SWP_SIM_IN_BODY);
	unsigned region = swp_sim_region_find(name);
	const char *status =
		region == SWP_SIM_REGION_NONE
			? NULL
			: status_of(call->context->world, &call->context->world->accounts[number], region);
	if (status == NULL) {
		swp_sim_call_fail(call, 400, "ValidationException", "The provided region is not valid.");
		return;
	}
	swp_sim_buffer_printf(call->body, "{\"RegionName\":\"%s\",\"RegionOptStatus\":\"%s\"}",
		swp_sim_regions[region].name, status);
}

static const struct swp_sim_operation operations[] = {
	{"ListRegions", "account:ListRegions", "POST", "/listRegions", list_regions,
		.paging = SWP_SIM_PAGES_BODY("NextToken", "MaxResults", 50, 50)},
	{"GetRegionOptStatus", "account:GetRegionOptStatus", "POST", "/getRegionOptStatus",
		get_region_opt_status},
};

const struct swp_sim_service swp_sim_service_account = {
	"account",
	"account",
	"account",
	SWP_SIM_REST_JSON,
	.throttle_code = "TooManyRequestsException",
	.throttle_status = 429,
	.is_global = true,
	SWP_SIM_OPERATIONS(operations),
};
