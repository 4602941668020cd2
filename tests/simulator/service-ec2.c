/* EC2: its own query protocol, API version 2016-11-15. Regions, and what else the checks look at. */
#include "tests/simulator/services.h"

/* opt-in-not-required, opted-in or not-opted-in; NULL: a region that this partition or simulation has not. */
static const char *status_of(
	const struct swp_sim_world *world, const struct swp_sim_account *account, unsigned region)
{
	if (strcmp(swp_sim_regions[region].partition, world->partition->name) != 0)
		return NULL;
	if (!swp_sim_regions[region].is_opt_in)
		return swp_sim_account_has_region(account, region) ? "opt-in-not-required" : NULL;
	return swp_sim_account_has_region(account, region) ? "opted-in" : "not-opted-in";
}

static bool is_asked_for(struct swp_sim_call *call, const char *name, const char *status)
{
	struct swp_sim_text all = swp_sim_call_parameter(call, "AllRegions", SWP_SIM_IN_BODY);
	if (strcmp(status, "not-opted-in") == 0 &&
		!swp_sim_text_is_caseless(all.at ? all : SWP_SIM_TEXT(""), "true"))
		return false;
	if (swp_sim_call_has_list(call, "RegionName") &&
		!swp_sim_call_list_has(call, "RegionName", swp_sim_text_of(name)))
		return false;
	return !swp_sim_call_has_list(call, "Filter.1.Value") ||
	       swp_sim_call_list_has(call, "Filter.1.Value", swp_sim_text_of(status)) ||
	       swp_sim_call_list_has(call, "Filter.1.Value", swp_sim_text_of(name));
}

static void describe_regions(struct swp_sim_call *call)
{
	const struct swp_sim_world *world = call->context->world;
	const struct swp_sim_account *account = &world->accounts[call->account];
	swp_sim_xml_begin(call);
	swp_sim_buffer_put(call->body, "<regionInfo>");
	for (unsigned i = 0; i < swp_sim_region_count; i++) {
		const char *name = swp_sim_regions[i].name, *status = status_of(world, account, i);
		if (status == NULL || !is_asked_for(call, name, status))
			continue;
		swp_sim_buffer_printf(call->body,
			"<item><regionName>%s</regionName><regionEndpoint>ec2.%s.%s</regionEndpoint>"
			"<optInStatus>%s</optInStatus></item>",
			name, name, world->partition->dns_suffix, status);
	}
	swp_sim_buffer_put(call->body, "</regionInfo>");
	swp_sim_xml_end(call);
}

#define DESCRIBE(operation, shelf, list)                                                                     \
	{                                                                                                    \
		"Describe" operation, "ec2:Describe" operation,                                              \
			.answer = swp_sim_answer_xml_list, .collection = shelf, .member = list, .paging = {  \
				"NextToken",                                                                 \
				"nextToken",                                                                 \
				"MaxResults",                                                                \
				SWP_SIM_IN_BODY,                                                             \
				1000,                                                                        \
				1000                                                                         \
			}                                                                                    \
	}

static const struct swp_sim_operation operations[] = {
	{"DescribeRegions", "ec2:DescribeRegions", .answer = describe_regions},
	DESCRIBE("VpcEndpoints", SWP_SIM_VPC_ENDPOINTS, "VpcEndpoints"),
	DESCRIBE("SecurityGroups", SWP_SIM_SECURITY_GROUPS, "SecurityGroups"),
};

const struct swp_sim_service swp_sim_service_ec2 = {
	"ec2",
	"ec2",
	"ec2",
	SWP_SIM_EC2_QUERY,
	.name_space = "http://ec2.amazonaws.com/doc/2016-11-15/",
	.throttle_code = "RequestLimitExceeded",
	.throttle_status = 503,
	SWP_SIM_OPERATIONS(operations),
};
