/* What checks look up beside the AI services: KMS, CloudWatch Logs, CloudTrail, GuardDuty, Lambda. */
#include "tests/simulator/services.h"

#include "tests/simulator/json-text.h"

static const struct swp_sim_operation kms[] = {
	{"ListKeys", "kms:ListKeys", .answer = swp_sim_answer_list, .collection = SWP_SIM_KEYS,
		.member = "Keys",
		.paging = {"Marker", "NextMarker", "Limit", SWP_SIM_IN_BODY, 100, 1000, 0, "Truncated"}},
	{"DescribeKey", "kms:DescribeKey", .answer = swp_sim_answer_document, .collection = SWP_SIM_KEYS,
		.member = "KeyMetadata", .keys = {{"KeyId", SWP_SIM_IN_BODY}},
		.missing = {400, "NotFoundException", "Key '%s' does not exist"}},
};

const struct swp_sim_service swp_sim_service_kms = {
	"kms",
	"kms",
	"kms",
	SWP_SIM_JSON_11,
	.target_prefix = "TrentService",
	.throttle_code = "ThrottlingException",
	.throttle_status = 400,
	SWP_SIM_OPERATIONS(kms),
};

/* With a prefix the list is shorter; it is asked for one group, so it is one page. */
static void describe_log_groups(struct swp_sim_call *call)
{
	struct swp_sim_text prefix = swp_sim_call_parameter(call, "logGroupNamePrefix", SWP_SIM_IN_BODY);
	const char *separator = "";
	if (prefix.size == 0) {
		swp_sim_answer_list(call);
		return;
	}
	const struct swp_sim_shelf *shelf = swp_sim_call_shelf(call, SWP_SIM_LOG_GROUPS);
	swp_sim_buffer_put(call->body, "{\"logGroups\":[");
	for (size_t i = 0; i < shelf->count; i++) {
		struct swp_sim_text name = shelf->items[i].keys[0];
		if (name.size < prefix.size || memcmp(name.at, prefix.at, prefix.size) != 0)
			continue;
		swp_sim_buffer_put(call->body, separator);
		swp_sim_buffer_text_put(call->body, shelf->items[i].summary);
		separator = ",";
	}
	swp_sim_buffer_put(call->body, "]}");
}

static const struct swp_sim_operation logs[] = {
	{"DescribeLogGroups", "logs:DescribeLogGroups", .answer = describe_log_groups,
		.collection = SWP_SIM_LOG_GROUPS, .member = "logGroups",
		.paging = SWP_SIM_PAGES_BODY("nextToken", "limit", 50, 50)},
};

const struct swp_sim_service swp_sim_service_logs = {
	"logs",
	"logs",
	"logs",
	SWP_SIM_JSON_11,
	.target_prefix = "Logs_20140328",
	.throttle_code = "ThrottlingException",
	.throttle_status = 400,
	SWP_SIM_OPERATIONS(logs),
};

/* All of the region, or those that are named. */
static void describe_trails(struct swp_sim_call *call)
{
	const struct swp_sim_shelf *shelf = swp_sim_call_shelf(call, SWP_SIM_TRAILS);
	const char *separator = "";
	bool has_names = swp_sim_call_has_list(call, "trailNameList");
	swp_sim_buffer_put(call->body, "{\"trailList\":[");
	for (size_t i = 0; i < shelf->count; i++) {
		if (has_names && !swp_sim_call_list_has(call, "trailNameList", shelf->items[i].keys[0]) &&
			!swp_sim_call_list_has(call, "trailNameList", shelf->items[i].arn))
			continue;
		swp_sim_buffer_put(call->body, separator);
		swp_sim_buffer_text_put(call->body, shelf->items[i].summary);
		separator = ",";
	}
	swp_sim_buffer_put(call->body, "]}");
}

#define NO_TRAIL                                                                                             \
	{                                                                                                    \
		404, "TrailNotFoundException", "Unknown trail: %s"                                           \
	}

static const struct swp_sim_operation cloudtrail[] = {
	{"DescribeTrails", "cloudtrail:DescribeTrails", .answer = describe_trails},
	{"GetTrailStatus", "cloudtrail:GetTrailStatus", .answer = swp_sim_answer_document,
		.collection = SWP_SIM_TRAIL_STATUS, .keys = {{"Name", SWP_SIM_IN_BODY}}, .missing = NO_TRAIL},
	{"GetEventSelectors", "cloudtrail:GetEventSelectors", .answer = swp_sim_answer_document,
		.collection = SWP_SIM_EVENT_SELECTORS, .keys = {{"TrailName", SWP_SIM_IN_BODY}},
		.missing = NO_TRAIL},
};

const struct swp_sim_service swp_sim_service_cloudtrail = {
	"cloudtrail",
	"cloudtrail",
	"cloudtrail",
	SWP_SIM_JSON_11,
	.target_prefix = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101",
	.throttle_code = "ThrottlingException",
	.throttle_status = 400,
	SWP_SIM_OPERATIONS(cloudtrail),
};

static const struct swp_sim_operation guardduty[] = {
	{"ListDetectors", "guardduty:ListDetectors", "GET", "/detector", swp_sim_answer_list,
		SWP_SIM_DETECTORS, "detectorIds",
		.paging = SWP_SIM_PAGES_QUERY("nextToken", "maxResults", 50, 50)},
	{"GetDetector", "guardduty:GetDetector", "GET", "/detector/{DetectorId}", swp_sim_answer_document,
		SWP_SIM_DETECTORS, .keys = {{"DetectorId", SWP_SIM_IN_URI}},
		.missing = {400, "BadRequestException",
			"The request is rejected because the input detectorId is not owned by the current "
			"account."}},
};

const struct swp_sim_service swp_sim_service_guardduty = {
	"guardduty",
	"guardduty",
	"guardduty",
	SWP_SIM_REST_JSON,
	.throttle_code = "TooManyRequestsException",
	.throttle_status = 429,
	SWP_SIM_OPERATIONS(guardduty),
};

static const struct swp_sim_operation lambda[] = {
	{"GetFunctionConfiguration", "lambda:GetFunctionConfiguration", "GET",
		"/2015-03-31/functions/{FunctionName}/configuration", swp_sim_answer_document,
		SWP_SIM_FUNCTIONS, .keys = {{"FunctionName", SWP_SIM_IN_URI}},
		.missing = {404, "ResourceNotFoundException", "Function not found: %s"}},
};

const struct swp_sim_service swp_sim_service_lambda = {
	"lambda",
	"lambda",
	"lambda",
	SWP_SIM_REST_JSON,
	.throttle_code = "TooManyRequestsException",
	.throttle_status = 429,
	SWP_SIM_OPERATIONS(lambda),
};
