/* Bedrock AgentCore, control plane: rest-json, signs as bedrock-agentcore. */
#include "tests/simulator/services.h"

#define LIST(operation, verb, path, shelf, list, in)                                                         \
	{                                                                                                    \
		"List" operation, "bedrock-agentcore:List" operation, verb, path, swp_sim_answer_list,       \
			shelf, list, .paging = {                                                             \
				"nextToken",                                                                 \
				"nextToken",                                                                 \
				"maxResults",                                                                \
				in,                                                                          \
				10,                                                                          \
				100                                                                          \
			}                                                                                    \
	}
#define GET(operation, path, shelf, wrapper, key)                                                            \
	{                                                                                                    \
		"Get" operation, "bedrock-agentcore:Get" operation, "GET", path, swp_sim_answer_document,    \
			shelf, wrapper, .keys = {{key, SWP_SIM_IN_URI}}, .missing = {                        \
				404,                                                                         \
				"ResourceNotFoundException",                                                 \
				"The resource %s does not exist."                                            \
			}                                                                                    \
	}

static const struct swp_sim_operation operations[] = {
	LIST("AgentRuntimes", "POST", "/runtimes/", SWP_SIM_AGENT_RUNTIMES, "agentRuntimes",
		SWP_SIM_IN_QUERY),
	GET("AgentRuntime", "/runtimes/{agentRuntimeId}/", SWP_SIM_AGENT_RUNTIMES, NULL, "agentRuntimeId"),
	LIST("Gateways", "GET", "/gateways/", SWP_SIM_GATEWAYS, "items", SWP_SIM_IN_QUERY),
	GET("Gateway", "/gateways/{gatewayIdentifier}/", SWP_SIM_GATEWAYS, NULL, "gatewayIdentifier"),
	{"ListMemories", "bedrock-agentcore:ListMemories", "POST", "/memories/", swp_sim_answer_list,
		SWP_SIM_MEMORIES, "memories",
		.paging = {"nextToken", "nextToken", "maxResults", SWP_SIM_IN_BODY, 10, 100},
		.throttle_code = "ThrottledException"},
	GET("Memory", "/memories/{memoryId}/details", SWP_SIM_MEMORIES, "memory", "memoryId"),
	LIST("CodeInterpreters", "POST", "/code-interpreters", SWP_SIM_CODE_INTERPRETERS,
		"codeInterpreterSummaries", SWP_SIM_IN_QUERY),
	GET("CodeInterpreter", "/code-interpreters/{codeInterpreterId}", SWP_SIM_CODE_INTERPRETERS, NULL,
		"codeInterpreterId"),
	LIST("Browsers", "POST", "/browsers", SWP_SIM_BROWSERS, "browserSummaries", SWP_SIM_IN_QUERY),
	GET("Browser", "/browsers/{browserId}", SWP_SIM_BROWSERS, NULL, "browserId"),
};

const struct swp_sim_service swp_sim_service_agentcore = {
	"bedrock-agentcore-control",
	"bedrock-agentcore",
	"bedrock-agentcore-control",
	SWP_SIM_REST_JSON,
	.throttle_code = "ThrottlingException",
	.throttle_status = 429,
	SWP_SIM_OPERATIONS(operations),
};
