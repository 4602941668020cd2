/* IAM: query protocol, global, API version 2010-05-08. */
#include "tests/simulator/services.h"

#include "tests/simulator/json-text.h"

/* The four lists of GetAccountAuthorizationDetails in the order in which they are paged. */
static const struct {
	const char *member;
	const char *filter;
	enum swp_sim_collection collection;
} details[] = {
	{"UserDetailList", "User", SWP_SIM_USERS},
	{"GroupDetailList", "Group", SWP_SIM_GROUPS},
	{"RoleDetailList", "Role", SWP_SIM_ROLES},
	{"Policies", "LocalManagedPolicy", SWP_SIM_POLICIES},
};
#define DETAIL_COUNT (sizeof details / sizeof details[0])

/* Is the document asked for? Managed policies of AWS have a filter of their own, told by their ARN. */
static bool passes_filter(struct swp_sim_call *call, size_t list, const struct swp_sim_resource *resource)
{
	const char *filter = details[list].filter;
	if (!swp_sim_call_has_list(call, "Filter"))
		return true;
	if (details[list].collection == SWP_SIM_POLICIES &&
		memmem(resource->arn.at, resource->arn.size, ":aws:policy/", 12))
		filter = "AWSManagedPolicy";
	return swp_sim_call_list_has(call, "Filter", swp_sim_text_of(filter));
}

static size_t count_details(struct swp_sim_call *call)
{
	size_t total = 0;
	for (size_t i = 0; i < DETAIL_COUNT; i++) {
		const struct swp_sim_shelf *shelf = swp_sim_call_shelf(call, details[i].collection);
		for (size_t k = 0; k < shelf->count; k++)
			total += passes_filter(call, i, &shelf->items[k]);
	}
	return total;
}

static void get_account_authorization_details(struct swp_sim_call *call)
{
	struct swp_sim_page page;
	size_t seen = 0;
	if (!swp_sim_call_page(call, count_details(call), &page))
		return;
	swp_sim_xml_begin(call);
	for (size_t i = 0; i < DETAIL_COUNT; i++) {
		const struct swp_sim_shelf *shelf = swp_sim_call_shelf(call, details[i].collection);
		swp_sim_buffer_printf(call->body, "<%s>", details[i].member);
		for (size_t k = 0; k < shelf->count; k++) {
			if (!passes_filter(call, i, &shelf->items[k]))
				continue;
			if (seen >= page.first && seen < page.first + page.count) {
				swp_sim_buffer_put(call->body, "<member>");
				swp_sim_xml_members(call, shelf->items[k].detail);
				swp_sim_buffer_put(call->body, "</member>");
			}
			seen++;
		}
		swp_sim_buffer_printf(call->body, "</%s>", details[i].member);
	}
	swp_sim_call_put_page_end(call, &page);
	swp_sim_xml_end(call);
}

#define PAGES .paging = {"Marker", "Marker", "MaxItems", SWP_SIM_IN_BODY, 100, 1000, 0, "IsTruncated"}

static const struct swp_sim_operation operations[] = {
	{"ListServiceSpecificCredentials", "iam:ListServiceSpecificCredentials",
		.answer = swp_sim_answer_xml_list, .collection = SWP_SIM_SERVICE_CREDENTIALS,
		.member = "ServiceSpecificCredentials", PAGES},
	{"GetAccountAuthorizationDetails", "iam:GetAccountAuthorizationDetails",
		.answer = get_account_authorization_details, PAGES},
	{"ListRoles", "iam:ListRoles", .answer = swp_sim_answer_xml_list, .collection = SWP_SIM_ROLES,
		.member = "Roles", PAGES},
};

const struct swp_sim_service swp_sim_service_iam = {
	"iam",
	"iam",
	"iam",
	SWP_SIM_QUERY,
	.name_space = "https://iam.amazonaws.com/doc/2010-05-08/",
	.throttle_code = "Throttling",
	.throttle_status = 400,
	.is_global = true,
	SWP_SIM_OPERATIONS(operations),
};
