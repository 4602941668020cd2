/* Bedrock and Bedrock Agents: rest-json; both sign as bedrock. */
#include "tests/simulator/services.h"

#include "tests/simulator/json-text.h"

#define GONE(kind)                                                                                           \
	{                                                                                                    \
		404, "ResourceNotFoundException", "Could not find " kind " %s."                              \
	}
#define NO_RESOURCE                                                                                          \
	{                                                                                                    \
		404, "ResourceNotFoundException",                                                            \
			"Failed to retrieve resource because it doesn't exist. Retry your request with a "   \
			"different resource identifier."                                                     \
	}

/* With an identifier: its draft and its versions; else the draft of each. */
static void list_guardrails(struct swp_sim_call *call)
{
	struct swp_sim_text wanted = swp_sim_call_parameter(call, "guardrailIdentifier", SWP_SIM_IN_QUERY);
	if (wanted.size == 0) {
		swp_sim_answer_list(call);
		return;
	}
	const struct swp_sim_resource *draft =
		swp_sim_shelf_find(swp_sim_call_shelf(call, SWP_SIM_GUARDRAILS), &wanted, 1);
	if (draft == NULL) {
		swp_sim_call_fail_missing(call, wanted);
		return;
	}
	swp_sim_buffer_put(call->body, "{\"guardrails\":[");
	swp_sim_buffer_text_put(call->body, draft->summary);
	struct swp_sim_buffer *id = swp_sim_call_scratch(call);
	swp_sim_buffer_text_put(id, draft->keys[0]); /* the next shelf may push the first one out */
	const struct swp_sim_shelf *versions = swp_sim_call_shelf(call, SWP_SIM_GUARDRAIL_VERSIONS);
	for (size_t i = 0; i < versions->count; i++) {
		if (!swp_sim_text_equal(versions->items[i].keys[0], swp_sim_buffer_text(id)))
			continue;
		swp_sim_buffer_byte(call->body, ',');
		swp_sim_buffer_text_put(call->body, versions->items[i].summary);
	}
	swp_sim_buffer_put(call->body, "]}");
}

static void get_guardrail(struct swp_sim_call *call)
{
	struct swp_sim_text keys[2] = {swp_sim_call_parameter(call, "guardrailIdentifier", SWP_SIM_IN_URI),
		swp_sim_call_parameter(call, "guardrailVersion", SWP_SIM_IN_QUERY)};
	if (keys[1].size == 0 || swp_sim_text_is(keys[1], "DRAFT")) {
		swp_sim_answer_document(call);
		return;
	}
	const struct swp_sim_resource *draft =
		swp_sim_shelf_find(swp_sim_call_shelf(call, SWP_SIM_GUARDRAILS), keys, 1);
	if (draft != NULL) {
		struct swp_sim_buffer *id = swp_sim_call_scratch(call);
		swp_sim_buffer_text_put(id, draft->keys[0]);
		keys[0] = swp_sim_buffer_text(id);
	}
	const struct swp_sim_resource *version =
		swp_sim_shelf_find(swp_sim_call_shelf(call, SWP_SIM_GUARDRAIL_VERSIONS), keys, 2);
	if (version == NULL)
		swp_sim_call_fail_missing(call, keys[0]);
	else
		swp_sim_buffer_text_put(call->body, version->detail);
}

static const struct swp_sim_operation bedrock[] = {
	{"GetModelInvocationLoggingConfiguration", "bedrock:GetModelInvocationLoggingConfiguration", "GET",
		"/logging/modelinvocations", swp_sim_answer_single, SWP_SIM_LOGGING},
	{"ListGuardrails", "bedrock:ListGuardrails", "GET", "/guardrails", list_guardrails,
		SWP_SIM_GUARDRAILS, "guardrails",
		.paging = {"nextToken", "nextToken", "maxResults", SWP_SIM_IN_QUERY, 10, 1000, 10, NULL},
		.missing = GONE("guardrail")},
	{"GetGuardrail", "bedrock:GetGuardrail", "GET", "/guardrails/{guardrailIdentifier}", get_guardrail,
		SWP_SIM_GUARDRAILS, .keys = {{"guardrailIdentifier", SWP_SIM_IN_URI}},
		.missing = GONE("guardrail")},
	{"ListEnforcedGuardrailsConfiguration", "bedrock:ListEnforcedGuardrailsConfiguration", "GET",
		"/enforcedGuardrailsConfiguration", swp_sim_answer_list, SWP_SIM_ENFORCED_GUARDRAILS,
		"guardrailsConfig",
		.paging = {"nextToken", "nextToken", NULL, SWP_SIM_IN_QUERY, 100, 100, 0, NULL}},
	{"ListCustomModels", "bedrock:ListCustomModels", "GET", "/custom-models", swp_sim_answer_list,
		SWP_SIM_CUSTOM_MODELS, "modelSummaries",
		.paging = SWP_SIM_PAGES_QUERY("nextToken", "maxResults", 100, 1000)},
	{"GetCustomModel", "bedrock:GetCustomModel", "GET", "/custom-models/{modelIdentifier}",
		swp_sim_answer_document, SWP_SIM_CUSTOM_MODELS, .keys = {{"modelIdentifier", SWP_SIM_IN_URI}},
		.missing = GONE("custom model")},
};

const struct swp_sim_service swp_sim_service_bedrock = {
	"bedrock",
	"bedrock",
	"bedrock",
	SWP_SIM_REST_JSON,
	.throttle_code = "ThrottlingException",
	.throttle_status = 429,
	SWP_SIM_OPERATIONS(bedrock),
};

#define AGENT_LIST(operation, path, shelf, list, ...)                                                        \
	{                                                                                                    \
		"List" operation, "bedrock:List" operation, "POST", path, swp_sim_answer_list, shelf, list,  \
			SWP_SIM_PAGES_BODY("nextToken", "maxResults", 100, 1000), .keys = {__VA_ARGS__},     \
										  .missing = NO_RESOURCE     \
	}
#define AGENT_GET(operation, path, shelf, wrapper, ...)                                                      \
	{                                                                                                    \
		"Get" operation, "bedrock:Get" operation, "GET", path, swp_sim_answer_document, shelf,       \
			wrapper, .keys = {__VA_ARGS__}, .missing = NO_RESOURCE                               \
	}
#define AT(name)                                                                                             \
	{                                                                                                    \
		name, SWP_SIM_IN_URI                                                                         \
	}

static const struct swp_sim_operation agent[] = {
	AGENT_LIST("Agents", "/agents/", SWP_SIM_AGENTS, "agentSummaries", {NULL}),
	AGENT_GET("Agent", "/agents/{agentId}/", SWP_SIM_AGENTS, "agent", AT("agentId")),
	AGENT_LIST("AgentActionGroups", "/agents/{agentId}/agentversions/{agentVersion}/actiongroups/",
		SWP_SIM_AGENT_ACTION_GROUPS, "actionGroupSummaries", AT("agentId"), AT("agentVersion")),
	AGENT_GET("AgentActionGroup",
		"/agents/{agentId}/agentversions/{agentVersion}/actiongroups/{actionGroupId}/",
		SWP_SIM_AGENT_ACTION_GROUPS, "agentActionGroup", AT("agentId"), AT("agentVersion"),
		AT("actionGroupId")),
	AGENT_LIST("AgentAliases", "/agents/{agentId}/agentaliases/", SWP_SIM_AGENT_ALIASES,
		"agentAliasSummaries", AT("agentId")),
	AGENT_GET("AgentVersion", "/agents/{agentId}/agentversions/{agentVersion}/", SWP_SIM_AGENT_VERSIONS,
		"agentVersion", AT("agentId"), AT("agentVersion")),
	AGENT_LIST("KnowledgeBases", "/knowledgebases/", SWP_SIM_KNOWLEDGE_BASES, "knowledgeBaseSummaries",
		{NULL}),
	AGENT_GET("KnowledgeBase", "/knowledgebases/{knowledgeBaseId}", SWP_SIM_KNOWLEDGE_BASES,
		"knowledgeBase", AT("knowledgeBaseId")),
	AGENT_LIST("DataSources", "/knowledgebases/{knowledgeBaseId}/datasources/", SWP_SIM_DATA_SOURCES,
		"dataSourceSummaries", AT("knowledgeBaseId")),
	AGENT_GET("DataSource", "/knowledgebases/{knowledgeBaseId}/datasources/{dataSourceId}",
		SWP_SIM_DATA_SOURCES, "dataSource", AT("knowledgeBaseId"), AT("dataSourceId")),
};

const struct swp_sim_service swp_sim_service_bedrock_agent = {
	"bedrock-agent",
	"bedrock",
	"bedrock-agent",
	SWP_SIM_REST_JSON,
	.throttle_code = "ThrottlingException",
	.throttle_status = 429,
	SWP_SIM_OPERATIONS(agent),
};
