/* Agents, knowledge bases and AgentCore documents from a seed. See seed-documents.h. */
#include "tests/simulator/seed-documents.h"

#include <stdio.h>

#define TIMES "\"createdAt\":\"2026-02-03T09:08:07.654321Z\",\"updatedAt\":\"2026-05-06T07:08:09.123456Z\""

/* Ten capital letters and digits, as agents and knowledge bases are named. */
static void make_id(const struct swp_sim_seed_place *place, unsigned what, unsigned number, char ret_id[11])
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	struct swp_sim_dice dice = swp_sim_dice_for(place->account, place->region, what + 1000, number);
	for (size_t i = 0; i < 10; i++)
		ret_id[i] = letters[swp_sim_dice_below(&dice, 36)];
	ret_id[10] = '\0';
}

static unsigned count_of(const struct swp_sim_seed_place *place, unsigned what, unsigned mean_tenths)
{
	struct swp_sim_dice dice = swp_sim_dice_for(place->account, place->region, what, UINT32_MAX);
	return swp_sim_seed_amount(place->account, &dice, mean_tenths);
}

static unsigned agent_count(const struct swp_sim_seed_place *place)
{
	return count_of(place, SWP_SIM_AGENTS, 7);
}

static void put_role(const struct swp_sim_seed_place *place, struct swp_sim_buffer *into, const char *member)
{
	swp_sim_buffer_printf(into, "\"%s\":\"arn:%s:iam::%s:role/BedrockAgent\"", member,
		place->world->partition->name, place->account->id);
}

/* What the draft and its numbered version have alike. */
static void put_agent(const struct swp_sim_seed_place *place, unsigned number, bool is_version)
{
	struct swp_sim_dice dice = swp_sim_dice_for(place->account, place->region, SWP_SIM_AGENTS, number);
	struct swp_sim_buffer *into = place->text;
	char id[11];
	make_id(place, SWP_SIM_AGENTS, number, id);
	swp_sim_buffer_clear(into);
	swp_sim_buffer_printf(
		into, "{\"agentId\":\"%s\",\"agentName\":\"agent-%u\",\"agentArn\":\"", id, number);
	swp_sim_seed_put_arn(place, into, "bedrock", "agent", id);
	swp_sim_buffer_printf(into,
		"\",\"%s\":\"%s\",\"agentStatus\":\"PREPARED\",\"foundationModel\":\"anthropic.claude-3-"
		"haiku\","
		"\"instruction\":\"Answer questions about orders, and nothing "
		"else.\",\"idleSessionTTLInSeconds\":%u,",
		is_version ? "version" : "agentVersion", is_version ? "1" : "DRAFT",
		600 + 600 * swp_sim_dice_below(&dice, 8));
	put_role(place, into, "agentResourceRoleArn");
	swp_sim_buffer_put(into, "," TIMES);
	if (swp_sim_dice_chance(&dice, swp_sim_seed_habits(place->account)->has_guardrails)) {
		char guardrail[16];
		swp_sim_seed_guardrail_id(place, 0, guardrail);
		swp_sim_buffer_printf(into,
			",\"guardrailConfiguration\":{\"guardrailIdentifier\":\"%s\",\"guardrailVersion\":\"%"
			"s\"}",
			guardrail, swp_sim_dice_chance(&dice, 50) ? "1" : "DRAFT");
	}
	if (swp_sim_dice_chance(&dice, swp_sim_seed_habits(place->account)->has_key)) {
		swp_sim_buffer_put(into, ",\"customerEncryptionKeyArn\":\"");
		swp_sim_seed_put_key_arn(place, into);
		swp_sim_buffer_byte(into, '"');
	}
	if (swp_sim_dice_chance(&dice, 30))
		swp_sim_buffer_put(into, ",\"memoryConfiguration\":{\"enabledMemoryTypes\":[\"SESSION_"
					 "SUMMARY\"],\"storageDays\":30}");
	swp_sim_buffer_put(into, ",\"agentCollaboration\":\"DISABLED\"}");
}

void swp_sim_seed_agents(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf)
{
	for (unsigned i = 0; i < agent_count(place); i++) {
		put_agent(place, i, false);
		swp_sim_seed_add(place, shelf, SWP_SIM_AGENTS);
	}
}

void swp_sim_seed_agent_versions(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf)
{
	for (unsigned i = 0; i < agent_count(place); i++) {
		put_agent(place, i, true);
		swp_sim_seed_add(place, shelf, SWP_SIM_AGENT_VERSIONS);
	}
}

void swp_sim_seed_agent_aliases(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf)
{
	char id[11], alias[11];
	for (unsigned i = 0; i < agent_count(place); i++) {
		make_id(place, SWP_SIM_AGENTS, i, id);
		make_id(place, SWP_SIM_AGENT_ALIASES, i, alias);
		swp_sim_buffer_clear(place->text);
		swp_sim_buffer_printf(place->text,
			"{\"agentId\":\"%s\",\"agentAliasId\":\"%s\",\"agentAliasName\":\"live\","
			"\"routingConfiguration\":"
			"[{\"agentVersion\":\"1\"}],\"agentAliasStatus\":\"PREPARED\"," TIMES "}",
			id, alias);
		swp_sim_seed_add(place, shelf, SWP_SIM_AGENT_ALIASES);
	}
}

static void put_action_group(const struct swp_sim_seed_place *place, unsigned number, const char *version)
{
	struct swp_sim_dice dice =
		swp_sim_dice_for(place->account, place->region, SWP_SIM_AGENT_ACTION_GROUPS, number);
	struct swp_sim_buffer *into = place->text;
	char agent[11], id[11];
	make_id(place, SWP_SIM_AGENTS, number, agent);
	make_id(place, SWP_SIM_AGENT_ACTION_GROUPS, number, id);
	swp_sim_buffer_clear(into);
	swp_sim_buffer_printf(into,
		"{\"agentId\":\"%s\",\"agentVersion\":\"%s\",\"actionGroupId\":\"%s\",\"actionGroupName\":"
		"\"orders\","
		"\"actionGroupState\":\"ENABLED\"," TIMES,
		agent, version, id);
	if (swp_sim_dice_chance(&dice, 25)) {
		swp_sim_buffer_put(into, ",\"parentActionSignature\":\"AMAZON.CodeInterpreter\"}");
		return;
	}
	/* One in five names a function that is not there. */
	swp_sim_buffer_printf(into,
		",\"actionGroupExecutor\":{\"lambda\":\"arn:%s:lambda:%s:%s:function:%s\"},"
		"\"functionSchema\":{\"functions\":"
		"[{\"name\":\"cancel_order\",\"description\":\"Cancels an "
		"order\",\"requireConfirmation\":\"%s\"}]}}",
		place->world->partition->name, swp_sim_regions[place->region].name, place->account->id,
		swp_sim_dice_chance(&dice, 20) ? "agent-tools-retired" : "agent-tools",
		swp_sim_dice_chance(&dice, 40) ? "ENABLED" : "DISABLED");
}

void swp_sim_seed_action_groups(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf)
{
	static const char *const versions[] = {"DRAFT", "1"};
	for (unsigned i = 0; i < agent_count(place); i++) {
		for (size_t k = 0; k < 2; k++) {
			put_action_group(place, i, versions[k]);
			swp_sim_seed_add(place, shelf, SWP_SIM_AGENT_ACTION_GROUPS);
		}
	}
}

static unsigned knowledge_base_count(const struct swp_sim_seed_place *place)
{
	return count_of(place, SWP_SIM_KNOWLEDGE_BASES, 5);
}

void swp_sim_seed_knowledge_bases(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf)
{
	char id[11];
	for (unsigned i = 0; i < knowledge_base_count(place); i++) {
		struct swp_sim_buffer *into = place->text;
		make_id(place, SWP_SIM_KNOWLEDGE_BASES, i, id);
		swp_sim_buffer_clear(into);
		swp_sim_buffer_printf(into,
			"{\"knowledgeBaseId\":\"%s\",\"name\":\"handbook-%u\",\"knowledgeBaseArn\":\"", id,
			i);
		swp_sim_seed_put_arn(place, into, "bedrock", "knowledge-base", id);
		swp_sim_buffer_put(into, "\",");
		put_role(place, into, "roleArn");
		swp_sim_buffer_printf(into,
			",\"knowledgeBaseConfiguration\":{\"type\":\"VECTOR\","
			"\"vectorKnowledgeBaseConfiguration\":"
			"{\"embeddingModelArn\":\"arn:%s:bedrock:%s::foundation-model/"
			"amazon.titan-embed-text-v2:0\"}},"
			"\"storageConfiguration\":{\"type\":\"S3_VECTORS\",\"s3VectorsConfiguration\":{"
			"\"indexName\":\"handbook\"}},"
			"\"status\":\"ACTIVE\"," TIMES "}",
			place->world->partition->name, swp_sim_regions[place->region].name);
		swp_sim_seed_add(place, shelf, SWP_SIM_KNOWLEDGE_BASES);
	}
}

/* One in six reads a bucket of the next account's. */
static const char *bucket_owner(const struct swp_sim_seed_place *place, struct swp_sim_dice *dice)
{
	const struct swp_sim_world *world = place->world;
	size_t next = ((size_t)(place->account - world->accounts) + 1) % world->account_count;

	return swp_sim_dice_chance(dice, 16) ? world->accounts[next].id : place->account->id;
}

void swp_sim_seed_data_sources(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf)
{
	char base[11], id[11];
	for (unsigned i = 0; i < knowledge_base_count(place); i++) {
		struct swp_sim_dice dice =
			swp_sim_dice_for(place->account, place->region, SWP_SIM_DATA_SOURCES, i);
		const char *owner = bucket_owner(place, &dice);
		struct swp_sim_buffer *into = place->text;
		make_id(place, SWP_SIM_KNOWLEDGE_BASES, i, base);
		make_id(place, SWP_SIM_DATA_SOURCES, i, id);
		swp_sim_buffer_clear(into);
		swp_sim_buffer_printf(into,
			"{\"knowledgeBaseId\":\"%s\",\"dataSourceId\":\"%s\",\"name\":\"documents\","
			"\"status\":\"AVAILABLE\","
			"\"dataSourceConfiguration\":{\"type\":\"S3\",\"s3Configuration\":{\"bucketArn\":"
			"\"arn:%s:s3:::ml-data-%s\"}},"
			"\"dataDeletionPolicy\":\"%s\"," TIMES,
			base, id, place->world->partition->name, owner,
			swp_sim_dice_chance(&dice, 30) ? "RETAIN" : "DELETE");
		if (swp_sim_dice_chance(&dice, swp_sim_seed_habits(place->account)->has_key)) {
			swp_sim_buffer_put(into, ",\"serverSideEncryptionConfiguration\":{\"kmsKeyArn\":\"");
			swp_sim_seed_put_key_arn(place, into);
			swp_sim_buffer_put(into, "\"}");
		}
		swp_sim_buffer_byte(into, '}');
		swp_sim_seed_add(place, shelf, SWP_SIM_DATA_SOURCES);
	}
}

void swp_sim_seed_enforced_guardrails(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf)
{
	struct swp_sim_dice dice =
		swp_sim_dice_for(place->account, place->region, SWP_SIM_ENFORCED_GUARDRAILS, 0);
	if (swp_sim_seed_habits(place->account)->amount == 0 || !swp_sim_dice_chance(&dice, 12))
		return;
	swp_sim_buffer_clear(place->text);
	swp_sim_buffer_put(place->text, "{\"configId\":\"enforced-1\",\"guardrailArn\":\"");
	swp_sim_seed_put_arn(place, place->text, "bedrock", "guardrail", "enforced0001");
	swp_sim_buffer_printf(place->text,
		"\",\"guardrailId\":\"enforced0001\",\"inputTags\":\"%s\",\"guardrailVersion\":\"1\","
		"\"owner\":\"ACCOUNT\","
		"\"createdBy\":\"security\",\"updatedBy\":\"security\"," TIMES "}",
		swp_sim_dice_chance(&dice, 50) ? "HONOR" : "IGNORE");
	swp_sim_seed_add(place, shelf, SWP_SIM_ENFORCED_GUARDRAILS);
}

void swp_sim_seed_custom_models(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf)
{
	for (unsigned i = 0; i < count_of(place, SWP_SIM_CUSTOM_MODELS, 3); i++) {
		struct swp_sim_dice dice =
			swp_sim_dice_for(place->account, place->region, SWP_SIM_CUSTOM_MODELS, i);
		struct swp_sim_buffer *into = place->text;
		char id[11], name[40];
		struct swp_sim_buffer summary = {0};
		make_id(place, SWP_SIM_CUSTOM_MODELS, i, id);
		snprintf(name, sizeof name, "tuned.model-v1:0/%.10s", id);
		swp_sim_buffer_clear(into);
		swp_sim_buffer_put(into, "{\"modelArn\":\"");
		swp_sim_seed_put_arn(place, into, "bedrock", "custom-model", name);
		swp_sim_buffer_printf(into, "\",\"modelName\":\"tuned-%u\"", i);
		/* The summary has members that the document has not. */
		swp_sim_buffer_text_put(&summary, swp_sim_buffer_text(into));
		swp_sim_buffer_printf(&summary,
			",\"creationTime\":\"2026-03-04T05:06:07Z\",\"baseModelArn\":\"arn:%s:bedrock:%s::"
			"foundation-model/"
			"amazon.titan-text-express-v1\",\"baseModelName\":\"Titan "
			"Text\",\"customizationType\":\"FINE_TUNING\","
			"\"ownerAccountId\":\"%s\",\"modelStatus\":\"Active\"}",
			place->world->partition->name, swp_sim_regions[place->region].name,
			place->account->id);
		swp_sim_buffer_printf(into,
			",\"jobName\":\"tuning-%u\",\"customizationType\":\"FINE_TUNING\","
			"\"trainingDataConfig\":{\"s3Uri\":"
			"\"s3://ml-data-%s/training\"},\"outputDataConfig\":{\"s3Uri\":\"s3://ml-data-%s/"
			"output\"},"
			"\"creationTime\":\"2026-03-04T05:06:07Z\",\"modelStatus\":\"Active\"",
			i, place->account->id, place->account->id);
		if (swp_sim_dice_chance(&dice, swp_sim_seed_habits(place->account)->has_key)) {
			swp_sim_buffer_put(into, ",\"modelKmsKeyArn\":\"");
			swp_sim_seed_put_key_arn(place, into);
			swp_sim_buffer_byte(into, '"');
		}
		swp_sim_buffer_byte(into, '}');
		swp_sim_seed_add_as(place, shelf, SWP_SIM_CUSTOM_MODELS, swp_sim_buffer_text(&summary), "");
		swp_sim_buffer_done(&summary);
	}
}

/* AgentCore names: a name, a hyphen, ten letters. */
static void make_name(const struct swp_sim_seed_place *place, unsigned what, unsigned number,
	const char *stem, char ret[32])
{
	char id[11];
	make_id(place, what, number, id);
	snprintf(ret, 32, "%s-%s", stem, id);
}

#define TIMES_LAST "\"createdAt\":\"2026-06-07T08:09:10.111Z\",\"lastUpdatedAt\":\"2026-07-08T09:10:11.222Z\""

void swp_sim_seed_agent_runtimes(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf)
{
	char name[32];
	for (unsigned i = 0; i < count_of(place, SWP_SIM_AGENT_RUNTIMES, 4); i++) {
		struct swp_sim_dice dice =
			swp_sim_dice_for(place->account, place->region, SWP_SIM_AGENT_RUNTIMES, i);
		struct swp_sim_buffer *into = place->text;
		make_name(place, SWP_SIM_AGENT_RUNTIMES, i, "assistant", name);
		swp_sim_buffer_clear(into);
		swp_sim_buffer_put(into, "{\"agentRuntimeArn\":\"");
		swp_sim_seed_put_arn(place, into, "bedrock-agentcore", "runtime", name);
		swp_sim_buffer_printf(into,
			"\",\"agentRuntimeId\":\"%s\",\"agentRuntimeName\":\"assistant\","
			"\"agentRuntimeVersion\":\"1\","
			"\"description\":\"Assistant number "
			"%u\",\"status\":\"READY\",\"networkConfiguration\":{\"networkMode\":\"%s\"},"
			"\"lifecycleConfiguration\":{\"idleRuntimeSessionTimeout\":900,\"maxLifetime\":28800}"
			",",
			name, i, swp_sim_dice_chance(&dice, 40) ? "VPC" : "PUBLIC");
		put_role(place, into, "roleArn");
		swp_sim_buffer_put(into, "," TIMES_LAST);
		if (swp_sim_dice_chance(&dice, 50))
			swp_sim_buffer_printf(into, ",\"metadataConfiguration\":{\"requireMMDSV2\":%s}",
				swp_sim_dice_chance(&dice, 50) ? "true" : "false");
		swp_sim_buffer_byte(into, '}');
		swp_sim_seed_add_as(place, shelf, SWP_SIM_AGENT_RUNTIMES, (struct swp_sim_text){"", 0}, "");
	}
}

void swp_sim_seed_gateways(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf)
{
	char name[32];
	for (unsigned i = 0; i < count_of(place, SWP_SIM_GATEWAYS, 3); i++) {
		struct swp_sim_dice dice =
			swp_sim_dice_for(place->account, place->region, SWP_SIM_GATEWAYS, i);
		static const char *const authorizers[] = {"CUSTOM_JWT", "AWS_IAM", "NONE"};
		struct swp_sim_buffer *into = place->text;
		make_name(place, SWP_SIM_GATEWAYS, i, "tools", name);
		swp_sim_buffer_clear(into);
		swp_sim_buffer_put(into, "{\"gatewayArn\":\"");
		swp_sim_seed_put_arn(place, into, "bedrock-agentcore", "gateway", name);
		swp_sim_buffer_printf(into,
			"\",\"gatewayId\":\"%s\",\"name\":\"tools\",\"status\":\"READY\",\"protocolType\":"
			"\"MCP\","
			"\"authorizerType\":\"%s\",",
			name, authorizers[swp_sim_dice_below(&dice, 3)]);
		put_role(place, into, "roleArn");
		swp_sim_buffer_put(into, "," TIMES "}");
		swp_sim_seed_add(place, shelf, SWP_SIM_GATEWAYS);
	}
}

void swp_sim_seed_memories(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf)
{
	char name[32];
	for (unsigned i = 0; i < count_of(place, SWP_SIM_MEMORIES, 3); i++) {
		struct swp_sim_dice dice =
			swp_sim_dice_for(place->account, place->region, SWP_SIM_MEMORIES, i);
		struct swp_sim_buffer *into = place->text;
		make_name(place, SWP_SIM_MEMORIES, i, "memory", name);
		swp_sim_buffer_clear(into);
		swp_sim_buffer_put(into, "{\"arn\":\"");
		swp_sim_seed_put_arn(place, into, "bedrock-agentcore", "memory", name);
		swp_sim_buffer_printf(into,
			"\",\"id\":\"%s\",\"name\":\"memory\",\"eventExpiryDuration\":90,\"status\":"
			"\"ACTIVE\","
			"\"createdAt\":1767225600.5,\"updatedAt\":1769904000.25",
			name);
		if (swp_sim_dice_chance(&dice, swp_sim_seed_habits(place->account)->has_key)) {
			swp_sim_buffer_put(into, ",\"encryptionKeyArn\":\"");
			swp_sim_seed_put_key_arn(place, into);
			swp_sim_buffer_byte(into, '"');
		}
		swp_sim_buffer_byte(into, '}');
		swp_sim_seed_add(place, shelf, SWP_SIM_MEMORIES);
	}
}

/* Code interpreters and browsers: one of AWS's own, and the account's. */
static void add_tool(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf,
	enum swp_sim_collection collection, unsigned number)
{
	bool is_browser = collection == SWP_SIM_BROWSERS;
	const char *member = is_browser ? "browser" : "codeInterpreter",
		   *kind = is_browser ? "browser" : "code-interpreter";
	struct swp_sim_dice dice = swp_sim_dice_for(place->account, place->region, collection, number);
	struct swp_sim_buffer *into = place->text;
	char name[40];
	if (number == UINT32_MAX)
		snprintf(name, sizeof name, "aws.%s.v1", is_browser ? "browser" : "codeinterpreter");
	else
		make_name(place, collection, number, "tool", name);
	swp_sim_buffer_clear(into);
	swp_sim_buffer_printf(into, "{\"%sArn\":\"", member);
	swp_sim_seed_put_arn(place, into, "bedrock-agentcore", kind, name);
	swp_sim_buffer_printf(into,
		"\",\"%sId\":\"%s\",\"name\":\"%s\",\"status\":\"READY\",\"networkConfiguration\":{"
		"\"networkMode\":\"%s\"}," TIMES_LAST,
		member, name, number == UINT32_MAX ? "Amazon default" : "tool",
		swp_sim_dice_chance(&dice, 40) ? "VPC" : "PUBLIC");
	if (is_browser && number != UINT32_MAX)
		swp_sim_buffer_printf(into, ",\"recording\":{\"enabled\":%s}",
			swp_sim_dice_chance(&dice, 50) ? "true" : "false");
	swp_sim_buffer_byte(into, '}');
	swp_sim_seed_add(place, shelf, collection);
}

static void fill_tools(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf,
	enum swp_sim_collection collection)
{
	add_tool(place, shelf, collection, UINT32_MAX);
	for (unsigned i = 0; i < count_of(place, collection, 3); i++)
		add_tool(place, shelf, collection, i);
}

void swp_sim_seed_code_interpreters(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf)
{
	fill_tools(place, shelf, SWP_SIM_CODE_INTERPRETERS);
}

void swp_sim_seed_browsers(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf)
{
	fill_tools(place, shelf, SWP_SIM_BROWSERS);
}
