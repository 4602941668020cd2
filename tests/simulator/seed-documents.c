/* SageMaker and Bedrock documents from a seed. See seed.h; the shapes are those of AWS's service models. */
#include "tests/simulator/seed-documents.h"

#include <stdio.h>

const struct swp_sim_habits *swp_sim_seed_habits(const struct swp_sim_account *account)
{
	static const struct swp_sim_habits habits[] = {
		[SWP_SIM_TRAIT_MIXED] = {55, 50, 55, 60, 100},
		[SWP_SIM_TRAIT_CAREFUL] = {95, 92, 97, 92, 110},
		[SWP_SIM_TRAIT_CARELESS] = {25, 20, 15, 20, 110},
		[SWP_SIM_TRAIT_UNUSED] = {100, 100, 0, 0, 0},
		[SWP_SIM_TRAIT_MANAGEMENT] = {80, 80, 60, 50, 20},
	};
	if (account->trait < sizeof habits / sizeof habits[0] && habits[account->trait].is_closed != 0)
		return &habits[account->trait];
	return &habits[SWP_SIM_TRAIT_MIXED];
}

/* How many: mean `mean_tenths` / 10, from none to about three times as many. */
unsigned swp_sim_seed_amount(
	const struct swp_sim_account *account, struct swp_sim_dice *dice, unsigned mean_tenths)
{
	static const unsigned char spread[] = {0, 0, 5, 8, 10, 10, 12, 15, 20, 20};
	unsigned scaled = spread[swp_sim_dice_below(dice, 10)] * mean_tenths *
			  swp_sim_seed_habits(account)->amount / 100;
	return scaled / 100 + (swp_sim_dice_below(dice, 100) < scaled % 100);
}

void swp_sim_seed_put_arn(const struct swp_sim_seed_place *place, struct swp_sim_buffer *into,
	const char *service, const char *kind, const char *name)
{
	swp_sim_buffer_printf(into, "arn:%s:%s:%s:%s:%s/%s", place->world->partition->name, service,
		swp_sim_regions[place->region].name, place->account->id, kind, name);
}

void swp_sim_seed_put_key_id(const struct swp_sim_seed_place *place, struct swp_sim_buffer *into)
{
	swp_sim_buffer_printf(into, "%08x-0000-4000-8000-%012llx",
		(unsigned)(place->account->seed & 0xffffffff),
		(unsigned long long)(place->account->seed >> 32 & 0xffffffff));
}

void swp_sim_seed_put_key_arn(const struct swp_sim_seed_place *place, struct swp_sim_buffer *into)
{
	swp_sim_buffer_printf(into, "arn:%s:kms:%s:%s:key/", place->world->partition->name,
		swp_sim_regions[place->region].name, place->account->id);
	swp_sim_seed_put_key_id(place, into);
}

/* A notebook's member that is Enabled, Disabled or not there (which means Enabled). */
static void put_switch(
	struct swp_sim_buffer *into, const char *name, struct swp_sim_dice *dice, unsigned closed_percent)
{
	if (swp_sim_dice_chance(dice, closed_percent))
		swp_sim_buffer_printf(into, ",\"%s\":\"Disabled\"", name);
	else if (swp_sim_dice_chance(dice, 75))
		swp_sim_buffer_printf(into, ",\"%s\":\"Enabled\"", name);
}

static void add_notebook(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf, unsigned number)
{
	static const char *const types[] = {
		"ml.t3.medium", "ml.m5.xlarge", "ml.g4dn.xlarge", "ml.c5.2xlarge"};
	static const char *const states[] = {
		"InService", "InService", "InService", "Stopped", "Stopped", "Failed", "Pending", "Updating"};
	struct swp_sim_dice dice =
		swp_sim_dice_for(place->account, place->region, SWP_SIM_NOTEBOOK_INSTANCES, number);
	unsigned closed = swp_sim_seed_habits(place->account)->is_closed;
	struct swp_sim_buffer *into = place->text;
	char name[64];
	uint64_t created = 1600000000 + swp_sim_dice_below(&dice, 140000000);
	snprintf(name, sizeof name, "notebook-%u-%04x", number, swp_sim_dice_below(&dice, 0xffff));
	swp_sim_buffer_clear(into);
	swp_sim_buffer_put(into, "{\"NotebookInstanceArn\":\"");
	swp_sim_seed_put_arn(place, into, "sagemaker", "notebook-instance", name);
	swp_sim_buffer_printf(into,
		"\",\"NotebookInstanceName\":\"%s\",\"NotebookInstanceStatus\":\"%s\",\"Url\":\"%s.notebook.%"
		"s.sagemaker.aws\","
		"\"InstanceType\":\"%s\",\"SubnetId\":\"subnet-%08x\",\"SecurityGroups\":[\"sg-%08x\"],"
		"\"RoleArn\":"
		"\"arn:%s:iam::%s:role/service-role/SageMakerExecution\"",
		name, swp_sim_dice_chance(&dice, 4) ? "Deleting" : states[swp_sim_dice_below(&dice, 8)], name,
		swp_sim_regions[place->region].name, types[swp_sim_dice_below(&dice, 4)],
		(unsigned)swp_sim_dice_next(&dice), (unsigned)swp_sim_dice_next(&dice),
		place->world->partition->name, place->account->id);
	if (swp_sim_dice_chance(&dice, swp_sim_seed_habits(place->account)->has_key)) {
		swp_sim_buffer_put(into, ",\"KmsKeyId\":\"");
		swp_sim_seed_put_key_arn(place, into);
		swp_sim_buffer_byte(into, '"');
	}
	swp_sim_buffer_printf(into,
		",\"NetworkInterfaceId\":\"eni-%08x\",\"LastModifiedTime\":%llu.5,\"CreationTime\":%llu.25",
		(unsigned)swp_sim_dice_next(&dice), (unsigned long long)created + 86400,
		(unsigned long long)created);
	put_switch(into, "DirectInternetAccess", &dice, closed);
	swp_sim_buffer_put(into, ",\"VolumeSizeInGB\":20");
	put_switch(into, "RootAccess", &dice, closed);
	swp_sim_buffer_printf(into,
		",\"PlatformIdentifier\":\"notebook-al2-v3\",\"InstanceMetadataServiceConfiguration\":"
		"{\"MinimumInstanceMetadataServiceVersion\":\"%u\"}}",
		1 + swp_sim_dice_below(&dice, 2));
	swp_sim_seed_add(place, shelf, SWP_SIM_NOTEBOOK_INSTANCES);
}

static void fill_notebooks(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf)
{
	struct swp_sim_dice dice =
		swp_sim_dice_for(place->account, place->region, SWP_SIM_NOTEBOOK_INSTANCES, UINT32_MAX);
	unsigned count = swp_sim_seed_amount(place->account, &dice, 16);
	for (unsigned i = 0; i < count; i++)
		add_notebook(place, shelf, i);
}

/* What is decided about an endpoint before it or its configuration is written: both are made from the same dice. */
struct endpoint_plan {
	char name[48];
	char config[64];
	char next_config[64]; /* of a pending deployment; empty: none */
	unsigned config_of;   /* number of the endpoint whose configuration it uses */
	unsigned kind;
	bool has_key;
	bool next_has_key;
	const char *status;
	uint64_t created;
};

enum { KIND_PLAIN, KIND_SERVERLESS, KIND_LOCAL_NVME, KIND_SHADOW, KIND_TWO, KIND_POOLS };

static struct endpoint_plan plan_endpoint(const struct swp_sim_seed_place *place, unsigned number)
{
	static const char *const states[] = {"InService", "InService", "InService", "InService", "Creating",
		"Failed", "OutOfService", "RollingBack"};
	static const unsigned char kinds[] = {KIND_PLAIN, KIND_PLAIN, KIND_PLAIN, KIND_PLAIN, KIND_PLAIN,
		KIND_SERVERLESS, KIND_LOCAL_NVME, KIND_SHADOW, KIND_TWO, KIND_POOLS};
	struct swp_sim_dice dice = swp_sim_dice_for(place->account, place->region, SWP_SIM_ENDPOINTS, number);
	struct endpoint_plan plan = {.config_of = number};
	snprintf(plan.name, sizeof plan.name, "endpoint-%u-%04x", number, swp_sim_dice_below(&dice, 0xffff));
	plan.kind = kinds[swp_sim_dice_below(&dice, sizeof kinds)];
	plan.has_key = swp_sim_dice_chance(&dice, swp_sim_seed_habits(place->account)->has_key);
	plan.status = swp_sim_dice_chance(&dice, 4) ? "Deleting" : states[swp_sim_dice_below(&dice, 8)];
	plan.created = 1600000000 + swp_sim_dice_below(&dice, 140000000);
	snprintf(plan.config, sizeof plan.config, "%s-config", plan.name);
	if (swp_sim_dice_chance(&dice, 8)) {
		snprintf(plan.next_config, sizeof plan.next_config, "%s-next", plan.name);
		plan.next_has_key = swp_sim_dice_chance(&dice, 50);
		plan.status = "Updating";
	} else if (number > 0 && swp_sim_dice_chance(&dice, 15)) {
		struct endpoint_plan before = plan_endpoint(place, number - 1);
		plan.config_of = before.config_of;
		snprintf(plan.config, sizeof plan.config, "%s", before.config);
	}
	return plan;
}

static unsigned endpoint_count(const struct swp_sim_seed_place *place)
{
	struct swp_sim_dice dice =
		swp_sim_dice_for(place->account, place->region, SWP_SIM_ENDPOINTS, UINT32_MAX);
	return swp_sim_seed_amount(place->account, &dice, 13);
}

static void add_endpoint(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf, unsigned number)
{
	struct endpoint_plan plan = plan_endpoint(place, number);
	struct swp_sim_buffer *into = place->text;
	swp_sim_buffer_clear(into);
	swp_sim_buffer_printf(into, "{\"EndpointName\":\"%s\",\"EndpointArn\":\"", plan.name);
	swp_sim_seed_put_arn(place, into, "sagemaker", "endpoint", plan.name);
	swp_sim_buffer_printf(into,
		"\",\"EndpointConfigName\":\"%s\",\"ProductionVariants\":[{\"VariantName\":\"AllTraffic\","
		"\"CurrentWeight\":1.0,"
		"\"DesiredWeight\":1.0,\"CurrentInstanceCount\":1,\"DesiredInstanceCount\":1}],"
		"\"EndpointStatus\":\"%s\","
		"\"CreationTime\":%llu.75,\"LastModifiedTime\":%llu.5",
		plan.config, plan.status, (unsigned long long)plan.created,
		(unsigned long long)plan.created + 3600);
	if (number % 3 == 0) {
		swp_sim_buffer_put(into,
			",\"DataCaptureConfig\":{\"EnableCapture\":true,\"CaptureStatus\":\"Started\","
			"\"CurrentSamplingPercentage\":10,\"DestinationS3Uri\":\"s3://captured/"
			"data\",\"KmsKeyId\":\"");
		swp_sim_seed_put_key_arn(
			place, into); /* of the captured data: says nothing about the endpoint's volumes */
		swp_sim_buffer_put(into, "\"}");
	}
	if (plan.next_config[0] != '\0')
		swp_sim_buffer_printf(into,
			",\"PendingDeploymentSummary\":{\"EndpointConfigName\":\"%s\",\"StartTime\":%llu.0}",
			plan.next_config, (unsigned long long)plan.created + 7200);
	swp_sim_buffer_byte(into, '}');
	swp_sim_seed_add(place, shelf, SWP_SIM_ENDPOINTS);
}

static void fill_endpoints(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf)
{
	unsigned count = endpoint_count(place);
	for (unsigned i = 0; i < count; i++)
		add_endpoint(place, shelf, i);
}

static void put_variant(struct swp_sim_buffer *into, const char *name, const char *type)
{
	swp_sim_buffer_printf(into,
		"{\"VariantName\":\"%s\",\"ModelName\":\"model-0\",\"InitialInstanceCount\":1,"
		"\"InstanceType\":\"%s\","
		"\"InitialVariantWeight\":1.0}",
		name, type);
}

static void put_variants(struct swp_sim_buffer *into, unsigned kind)
{
	swp_sim_buffer_put(into, "\"ProductionVariants\":[");
	if (kind == KIND_SERVERLESS)
		swp_sim_buffer_put(into,
			"{\"VariantName\":\"AllTraffic\",\"ModelName\":\"model-0\",\"InitialVariantWeight\":"
			"1.0,"
			"\"ServerlessConfig\":{\"MemorySizeInMB\":2048,\"MaxConcurrency\":5}}");
	else if (kind == KIND_LOCAL_NVME)
		put_variant(into, "AllTraffic", "ml.g5.xlarge");
	else if (kind == KIND_POOLS)
		swp_sim_buffer_put(into, "{\"VariantName\":\"AllTraffic\",\"ModelName\":\"model-0\","
					 "\"InitialVariantWeight\":1.0,\"InstancePools\":"
					 "[{\"InstanceType\":\"ml.m5.large\",\"Priority\":1},{"
					 "\"InstanceType\":\"ml.g5.xlarge\",\"Priority\":2}]}");
	else
		put_variant(into, "AllTraffic", "ml.m5.large");
	if (kind == KIND_TWO) {
		swp_sim_buffer_byte(into, ',');
		put_variant(into, "Canary", "ml.g5.2xlarge");
	}
	swp_sim_buffer_byte(into, ']');
	if (kind == KIND_SHADOW) {
		swp_sim_buffer_put(into, ",\"ShadowProductionVariants\":[");
		put_variant(into, "Shadow", "ml.c5.xlarge");
		swp_sim_buffer_byte(into, ']');
	}
}

static void add_config(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf, const char *name,
	unsigned kind, bool has_key, uint64_t created)
{
	struct swp_sim_buffer *into = place->text;
	swp_sim_buffer_clear(into);
	swp_sim_buffer_printf(into, "{\"EndpointConfigName\":\"%s\",\"EndpointConfigArn\":\"", name);
	swp_sim_seed_put_arn(place, into, "sagemaker", "endpoint-config", name);
	swp_sim_buffer_put(into, "\",");
	put_variants(into, kind);
	if (has_key) {
		swp_sim_buffer_put(into, ",\"KmsKeyId\":\"");
		swp_sim_seed_put_key_arn(place, into);
		swp_sim_buffer_byte(into, '"');
	}
	swp_sim_buffer_printf(into, ",\"CreationTime\":%llu.125,\"EnableNetworkIsolation\":false}",
		(unsigned long long)created);
	swp_sim_seed_add(place, shelf, SWP_SIM_ENDPOINT_CONFIGS);
}

static void fill_configs(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf)
{
	unsigned count = endpoint_count(place);
	for (unsigned i = 0; i < count; i++) {
		struct endpoint_plan plan = plan_endpoint(place, i);
		if (plan.config_of == i)
			add_config(place, shelf, plan.config, plan.kind, plan.has_key, plan.created);
		if (plan.next_config[0] != '\0')
			add_config(place, shelf, plan.next_config, KIND_PLAIN, plan.next_has_key,
				plan.created + 7200);
	}
	if (count > 1) /* an old one that no endpoint uses */
		add_config(place, shelf, "retired-config", KIND_PLAIN, false, 1600000000);
}

static void put_flags(struct swp_sim_buffer *into, struct swp_sim_dice *dice)
{
	static const char *const flags[] = {"textDataDeliveryEnabled", "imageDataDeliveryEnabled",
		"embeddingDataDeliveryEnabled", "videoDataDeliveryEnabled", "audioDataDeliveryEnabled"};
	unsigned all_off = swp_sim_dice_chance(dice, 8), told = swp_sim_dice_chance(dice, 85);
	for (size_t i = 0; i < sizeof flags / sizeof flags[0] && told; i++)
		swp_sim_buffer_printf(into, ",\"%s\":%s", flags[i],
			!all_off && swp_sim_dice_chance(dice, 85) ? "true" : "false");
}

static void fill_logging(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf)
{
	struct swp_sim_dice dice = swp_sim_dice_for(place->account, place->region, SWP_SIM_LOGGING, 0);
	struct swp_sim_buffer *into = place->text;
	const char *region = swp_sim_regions[place->region].name;
	swp_sim_buffer_clear(into);
	if (!swp_sim_dice_chance(&dice, swp_sim_seed_habits(place->account)->has_logging)) {
		swp_sim_buffer_put(into, "{}");
		swp_sim_seed_add(place, shelf, SWP_SIM_LOGGING);
		return;
	}
	unsigned where = swp_sim_dice_below(&dice, 3); /* log group, bucket, or both */
	swp_sim_buffer_put(into, "{\"loggingConfig\":{");
	if (where != 1)
		swp_sim_buffer_printf(into,
			"\"cloudWatchConfig\":{\"logGroupName\":\"/aws/bedrock/invocations\",\"roleArn\":"
			"\"arn:%s:iam::%s:role/BedrockLogging\"}",
			place->world->partition->name, place->account->id);
	if (where != 0)
		swp_sim_buffer_printf(into,
			"%s\"s3Config\":{\"bucketName\":\"bedrock-logs-%s-%s\",\"keyPrefix\":"
			"\"invocations\"}",
			where == 2 ? "," : "", place->account->id, region);
	put_flags(into, &dice);
	swp_sim_buffer_put(into, "}}");
	swp_sim_seed_add(place, shelf, SWP_SIM_LOGGING);
}

static void put_filters(struct swp_sim_buffer *into, struct swp_sim_dice *dice)
{
	static const char *const kinds[] = {
		"SEXUAL", "VIOLENCE", "HATE", "INSULTS", "MISCONDUCT", "PROMPT_ATTACK"};
	static const char *const strengths[] = {"NONE", "LOW", "MEDIUM", "HIGH", "HIGH"};
	const char *separator = "";
	swp_sim_buffer_put(into, ",\"contentPolicy\":{\"filters\":[");
	for (size_t i = 0; i < 6; i++) {
		if (!swp_sim_dice_chance(dice, 80))
			continue;
		swp_sim_buffer_printf(into,
			"%s{\"type\":\"%s\",\"inputStrength\":\"%s\",\"outputStrength\":\"%s\"}", separator,
			kinds[i], strengths[swp_sim_dice_below(dice, 5)],
			i == 5 ? "NONE" : strengths[swp_sim_dice_below(dice, 5)]);
		separator = ",";
	}
	swp_sim_buffer_put(into, "],\"tier\":{\"tierName\":\"CLASSIC\"}}");
}

void swp_sim_seed_guardrail_id(const struct swp_sim_seed_place *place, unsigned number, char ret_id[16])
{
	struct swp_sim_dice dice =
		swp_sim_dice_for(place->account, place->region, SWP_SIM_GUARDRAILS, number + 100000);
	snprintf(ret_id, 16, "%012llx", (unsigned long long)(swp_sim_dice_next(&dice) & 0xffffffffffff));
}

static void add_guardrail(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf,
	unsigned number, const char *status, enum swp_sim_collection collection)
{
	struct swp_sim_dice dice =
		swp_sim_dice_for(place->account, place->region, SWP_SIM_GUARDRAILS, number);
	struct swp_sim_buffer *into = place->text;
	char id[16];
	swp_sim_seed_guardrail_id(place, number, id);
	swp_sim_buffer_clear(into);
	swp_sim_buffer_printf(into,
		"{\"name\":\"guardrail-%u\",\"description\":\"Guardrail number "
		"%u\",\"guardrailId\":\"%s\",\"guardrailArn\":\"",
		number, number, id);
	swp_sim_seed_put_arn(place, into, "bedrock", "guardrail", id);
	swp_sim_buffer_printf(into, "\",\"version\":\"%s\",\"status\":\"%s\"",
		collection == SWP_SIM_GUARDRAILS ? "DRAFT" : "1", status);
	if (swp_sim_dice_chance(&dice, 85))
		put_filters(into, &dice);
	if (swp_sim_dice_chance(&dice, 50))
		swp_sim_buffer_put(into, ",\"sensitiveInformationPolicy\":{\"piiEntities\":[{\"type\":"
					 "\"PASSWORD\",\"action\":\"BLOCK\"},"
					 "{\"type\":\"EMAIL\",\"action\":\"ANONYMIZE\"}]}");
	if (strcmp(status, "FAILED") == 0)
		swp_sim_buffer_put(into, ",\"statusReasons\":[\"The key cannot be used.\"]");
	swp_sim_buffer_printf(into,
		",\"createdAt\":\"2025-0%u-11T08:30:00.123456Z\",\"updatedAt\":\"2026-0%u-02T10:15:30."
		"654321Z\","
		"\"blockedInputMessaging\":\"This cannot be asked.\",\"blockedOutputsMessaging\":\"This "
		"cannot be answered.\"",
		1 + number % 9, 1 + number % 9);
	if (swp_sim_dice_chance(&dice, swp_sim_seed_habits(place->account)->has_key)) {
		swp_sim_buffer_put(into, ",\"kmsKeyArn\":\"");
		swp_sim_seed_put_key_arn(place, into);
		swp_sim_buffer_byte(into, '"');
	}
	swp_sim_buffer_byte(into, '}');
	swp_sim_seed_add(place, shelf, collection);
}

/*
 * None, one or a few; seldom several pages of which only the last holds one that counts.
 */
static void fill_guardrails(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf,
	enum swp_sim_collection collection)
{
	static const char *const useless[] = {"FAILED", "CREATING", "DELETING"};
	static const char *const good[] = {"READY", "READY", "READY", "UPDATING", "VERSIONING"};
	struct swp_sim_dice dice =
		swp_sim_dice_for(place->account, place->region, SWP_SIM_GUARDRAILS, UINT32_MAX);
	bool has_good = swp_sim_dice_chance(&dice, swp_sim_seed_habits(place->account)->has_guardrails);
	unsigned poor = swp_sim_dice_chance(&dice, 4) ? 11 + swp_sim_dice_below(&dice, 14)
						      : swp_sim_dice_chance(&dice, 15);
	unsigned count = poor + (has_good ? 1 + swp_sim_dice_below(&dice, 3) : 0);
	if (swp_sim_seed_habits(place->account)->amount == 0)
		count = 0;
	for (unsigned i = 0; i < count; i++) {
		const char *status =
			i < poor ? useless[swp_sim_dice_below(&dice, 3)] : good[swp_sim_dice_below(&dice, 5)];
		if (collection == SWP_SIM_GUARDRAILS || i % 2 == 0)
			add_guardrail(place, shelf, i, status, collection);
	}
}

static void fill_drafts(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf)
{
	fill_guardrails(place, shelf, SWP_SIM_GUARDRAILS);
}

static void fill_versions(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf)
{
	fill_guardrails(place, shelf, SWP_SIM_GUARDRAIL_VERSIONS);
}

void swp_sim_seed_add(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf,
	enum swp_sim_collection collection)
{
	struct swp_sim_text detail = swp_sim_buffer_text(place->text);
	swp_sim_shelf_add(shelf, collection, NULL, &detail, (struct swp_sim_text){"", 0});
}

void swp_sim_seed_add_as(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf,
	enum swp_sim_collection collection, struct swp_sim_text summary, const char *aliases)
{
	struct swp_sim_text detail = swp_sim_buffer_text(place->text);
	swp_sim_shelf_add(
		shelf, collection, summary.size ? &summary : NULL, &detail, swp_sim_text_of(aliases));
}

static void (*const fillers[SWP_SIM_COLLECTION_COUNT])(
	const struct swp_sim_seed_place *, struct swp_sim_shelf *) = {
	[SWP_SIM_NOTEBOOK_INSTANCES] = fill_notebooks,
	[SWP_SIM_ENDPOINTS] = fill_endpoints,
	[SWP_SIM_ENDPOINT_CONFIGS] = fill_configs,
	[SWP_SIM_LOGGING] = fill_logging,
	[SWP_SIM_GUARDRAILS] = fill_drafts,
	[SWP_SIM_GUARDRAIL_VERSIONS] = fill_versions,
	[SWP_SIM_ENFORCED_GUARDRAILS] = swp_sim_seed_enforced_guardrails,
	[SWP_SIM_CUSTOM_MODELS] = swp_sim_seed_custom_models,
	[SWP_SIM_AGENTS] = swp_sim_seed_agents,
	[SWP_SIM_AGENT_ACTION_GROUPS] = swp_sim_seed_action_groups,
	[SWP_SIM_AGENT_ALIASES] = swp_sim_seed_agent_aliases,
	[SWP_SIM_AGENT_VERSIONS] = swp_sim_seed_agent_versions,
	[SWP_SIM_KNOWLEDGE_BASES] = swp_sim_seed_knowledge_bases,
	[SWP_SIM_DATA_SOURCES] = swp_sim_seed_data_sources,
	[SWP_SIM_AGENT_RUNTIMES] = swp_sim_seed_agent_runtimes,
	[SWP_SIM_GATEWAYS] = swp_sim_seed_gateways,
	[SWP_SIM_MEMORIES] = swp_sim_seed_memories,
	[SWP_SIM_CODE_INTERPRETERS] = swp_sim_seed_code_interpreters,
	[SWP_SIM_BROWSERS] = swp_sim_seed_browsers,
	[SWP_SIM_MODELS] = swp_sim_seed_models,
	[SWP_SIM_DOMAINS] = swp_sim_seed_domains,
	[SWP_SIM_TRAINING_JOBS] = swp_sim_seed_training_jobs,
	[SWP_SIM_KEYS] = swp_sim_seed_keys,
	[SWP_SIM_LOG_GROUPS] = swp_sim_seed_log_groups,
	[SWP_SIM_TRAILS] = swp_sim_seed_trails,
	[SWP_SIM_TRAIL_STATUS] = swp_sim_seed_trail_status,
	[SWP_SIM_EVENT_SELECTORS] = swp_sim_seed_event_selectors,
	[SWP_SIM_DETECTORS] = swp_sim_seed_detectors,
	[SWP_SIM_FUNCTIONS] = swp_sim_seed_functions,
	[SWP_SIM_VPC_ENDPOINTS] = swp_sim_seed_vpc_endpoints,
	[SWP_SIM_SECURITY_GROUPS] = swp_sim_seed_security_groups,
	[SWP_SIM_ROLES] = swp_sim_seed_roles,
	[SWP_SIM_USERS] = swp_sim_seed_users,
	[SWP_SIM_GROUPS] = swp_sim_seed_groups,
	[SWP_SIM_POLICIES] = swp_sim_seed_policies,
	[SWP_SIM_SERVICE_CREDENTIALS] = swp_sim_seed_service_credentials,
	[SWP_SIM_BUCKETS] = swp_sim_seed_buckets,
};

void swp_sim_seed_fill(struct swp_sim_world *world, size_t account, unsigned region,
	enum swp_sim_collection collection, struct swp_sim_shelf *shelf)
{
	struct swp_sim_buffer text = {0};
	struct swp_sim_seed_place place = {world, &world->accounts[account], region, &text};
	if (fillers[collection] != NULL)
		fillers[collection](&place, shelf);
	swp_sim_buffer_done(&text);
}
