/* Regions, partitions and collections as tables. See world.h. */
#include "tests/simulator/world.h"

/* Order of --regions N: the regions that every account has, then the opt-in ones, then other partitions. */
const struct swp_sim_region swp_sim_regions[] = {
	{"us-east-1", "aws", false},
	{"eu-west-1", "aws", false},
	{"us-west-2", "aws", false},
	{"eu-central-1", "aws", false},
	{"us-east-2", "aws", false},
	{"ap-southeast-1", "aws", false},
	{"ap-northeast-1", "aws", false},
	{"us-west-1", "aws", false},
	{"ap-south-1", "aws", false},
	{"ap-northeast-2", "aws", false},
	{"ap-northeast-3", "aws", false},
	{"ap-southeast-2", "aws", false},
	{"ca-central-1", "aws", false},
	{"eu-west-2", "aws", false},
	{"eu-west-3", "aws", false},
	{"eu-north-1", "aws", false},
	{"sa-east-1", "aws", false},
	{"eu-central-2", "aws", true},
	{"eu-south-1", "aws", true},
	{"eu-south-2", "aws", true},
	{"af-south-1", "aws", true},
	{"ap-east-1", "aws", true},
	{"ap-east-2", "aws", true},
	{"ap-south-2", "aws", true},
	{"ap-southeast-3", "aws", true},
	{"ap-southeast-4", "aws", true},
	{"ap-southeast-5", "aws", true},
	{"ap-southeast-6", "aws", true},
	{"ap-southeast-7", "aws", true},
	{"ca-west-1", "aws", true},
	{"il-central-1", "aws", true},
	{"me-central-1", "aws", true},
	{"me-south-1", "aws", true},
	{"mx-central-1", "aws", true},
	{"cn-north-1", "aws-cn", false},
	{"cn-northwest-1", "aws-cn", false},
	{"us-gov-west-1", "aws-us-gov", false},
	{"us-gov-east-1", "aws-us-gov", false},
	{"eusc-de-east-1", "aws-eusc", false},
};
const size_t swp_sim_region_count = sizeof swp_sim_regions / sizeof swp_sim_regions[0];

/* Asked several times in each request, mostly for the region of the request before, or for a label that is none. */
unsigned swp_sim_region_find(struct swp_sim_text name)
{
	static unsigned last;
	if (name.size < 9 || memchr(name.at, '-', name.size) == NULL)
		return SWP_SIM_REGION_NONE;
	if (swp_sim_text_is(name, swp_sim_regions[last].name))
		return last;
	for (unsigned i = 0; i < swp_sim_region_count; i++) {
		if (swp_sim_text_is(name, swp_sim_regions[i].name))
			return last = i;
	}
	return SWP_SIM_REGION_NONE;
}

const struct swp_sim_partition swp_sim_partitions[] = {
	{"aws", "amazonaws.com", "us-east-1"},
	{"aws-cn", "amazonaws.com.cn", "cn-northwest-1"},
	{"aws-us-gov", "amazonaws.com", "us-gov-west-1"},
	{"aws-eusc", "amazonaws.eu", "eusc-de-east-1"},
};
const size_t swp_sim_partition_count = sizeof swp_sim_partitions / sizeof swp_sim_partitions[0];

const struct swp_sim_partition *swp_sim_partition_find(struct swp_sim_text name)
{
	for (size_t i = 0; i < swp_sim_partition_count; i++) {
		if (swp_sim_text_is(name, swp_sim_partitions[i].name))
			return &swp_sim_partitions[i];
	}
	return NULL;
}

#define MEMBERS(...) ((const char *const[]){__VA_ARGS__, NULL})

const struct swp_sim_collection_row swp_sim_collections[SWP_SIM_COLLECTION_COUNT] = {
	[SWP_SIM_NOTEBOOK_INSTANCES] = {"notebook-instances", .keys = {"NotebookInstanceName"},
		.summary = MEMBERS("NotebookInstanceName", "NotebookInstanceArn", "NotebookInstanceStatus",
			"Url", "InstanceType", "CreationTime", "LastModifiedTime",
			"NotebookInstanceLifecycleConfigName", "DefaultCodeRepository",
			"AdditionalCodeRepositories")},
	[SWP_SIM_ENDPOINTS] = {"endpoints", .keys = {"EndpointName"},
		.summary = MEMBERS(
			"EndpointName", "EndpointArn", "CreationTime", "LastModifiedTime", "EndpointStatus")},
	[SWP_SIM_ENDPOINT_CONFIGS] = {"endpoint-configs", .keys = {"EndpointConfigName"},
		.summary = MEMBERS("EndpointConfigName", "EndpointConfigArn", "CreationTime")},
	[SWP_SIM_MODELS] = {"models", .keys = {"ModelName"},
		.summary = MEMBERS("ModelName", "ModelArn", "CreationTime")},
	[SWP_SIM_DOMAINS] = {"domains", .keys = {"DomainId"},
		.summary = MEMBERS("DomainArn", "DomainId", "DomainName", "Status", "CreationTime",
			"LastModifiedTime", "Url")},
	[SWP_SIM_TRAINING_JOBS] = {"training-jobs", .keys = {"TrainingJobName"},
		.summary = MEMBERS("TrainingJobName", "TrainingJobArn", "CreationTime", "TrainingEndTime",
			"LastModifiedTime", "TrainingJobStatus", "SecondaryStatus", "WarmPoolStatus",
			"TrainingPlanArn")},
	[SWP_SIM_LOGGING] = {"logging"},
	[SWP_SIM_GUARDRAILS] = {"guardrails", .keys = {"guardrailId"}, .arn = "guardrailArn",
		.summary = MEMBERS("guardrailId:id", "guardrailArn:arn", "status", "name", "description",
			"version", "createdAt", "updatedAt", "crossRegionDetails")},
	[SWP_SIM_GUARDRAIL_VERSIONS] = {"guardrail-versions", .keys = {"guardrailId", "version"},
		.summary = MEMBERS("guardrailId:id", "guardrailArn:arn", "status", "name", "description",
			"version", "createdAt", "updatedAt", "crossRegionDetails")},
	[SWP_SIM_ENFORCED_GUARDRAILS] = {"enforced-guardrails", .keys = {"configId"},
		.summary = MEMBERS("configId", "guardrailArn", "guardrailId", "inputTags",
			"selectiveContentGuarding", "guardrailVersion", "createdAt", "createdBy", "updatedAt",
			"updatedBy", "owner", "modelEnforcement")},
	[SWP_SIM_CUSTOM_MODELS] = {"custom-models", .keys = {"modelName"}, .arn = "modelArn",
		.summary = MEMBERS("modelArn", "modelName", "creationTime", "baseModelArn", "baseModelName",
			"customizationType", "ownerAccountId", "modelStatus")},
	[SWP_SIM_AGENTS] = {"agents", .keys = {"agentId"},
		.summary = MEMBERS("agentId", "agentName", "agentStatus", "description", "updatedAt",
			"latestAgentVersion", "guardrailConfiguration")},
	[SWP_SIM_AGENT_ACTION_GROUPS] = {"agent-action-groups",
		.keys = {"agentId", "agentVersion", "actionGroupId"},
		.summary = MEMBERS(
			"actionGroupId", "actionGroupName", "actionGroupState", "description", "updatedAt")},
	[SWP_SIM_AGENT_ALIASES] = {"agent-aliases", .keys = {"agentId", "agentAliasId"},
		.summary = MEMBERS("agentAliasId", "agentAliasName", "description", "routingConfiguration",
			"agentAliasStatus", "createdAt", "updatedAt", "aliasInvocationState")},
	[SWP_SIM_AGENT_VERSIONS] = {"agent-versions", .keys = {"agentId", "version"}},
	[SWP_SIM_KNOWLEDGE_BASES] = {"knowledge-bases", .keys = {"knowledgeBaseId"},
		.summary = MEMBERS("knowledgeBaseId", "name", "description", "status", "updatedAt")},
	[SWP_SIM_DATA_SOURCES] = {"data-sources", .keys = {"knowledgeBaseId", "dataSourceId"},
		.summary = MEMBERS(
			"knowledgeBaseId", "dataSourceId", "name", "status", "description", "updatedAt")},
	[SWP_SIM_AGENT_RUNTIMES] = {"agent-runtimes", .keys = {"agentRuntimeId"}, .arn = "agentRuntimeArn",
		.summary = MEMBERS("agentRuntimeArn", "agentRuntimeId", "agentRuntimeVersion",
			"agentRuntimeName", "description", "lastUpdatedAt", "status")},
	[SWP_SIM_GATEWAYS] = {"gateways", .keys = {"gatewayId"}, .arn = "gatewayArn",
		.summary = MEMBERS("gatewayId", "name", "status", "description", "createdAt", "updatedAt",
			"authorizerType", "protocolType")},
	[SWP_SIM_MEMORIES] = {"memories", .keys = {"id"}, .arn = "arn",
		.summary = MEMBERS("arn", "id", "status", "createdAt", "updatedAt")},
	[SWP_SIM_CODE_INTERPRETERS] = {"code-interpreters", .keys = {"codeInterpreterId"},
		.summary = MEMBERS("codeInterpreterId", "codeInterpreterArn", "name", "description", "status",
			"createdAt", "lastUpdatedAt")},
	[SWP_SIM_BROWSERS] = {"browsers", .keys = {"browserId"},
		.summary = MEMBERS("browserId", "browserArn", "name", "description", "status", "createdAt",
			"lastUpdatedAt")},
	[SWP_SIM_KEYS] = {"kms-keys", .keys = {"KeyId"}, .arn = "Arn",
		.summary = MEMBERS("KeyId", "Arn:KeyArn")},
	[SWP_SIM_LOG_GROUPS] = {"log-groups", .keys = {"logGroupName"}, .arn = "logGroupArn",
		.summary = MEMBERS("logGroupName", "creationTime", "retentionInDays", "metricFilterCount",
			"arn", "storedBytes", "kmsKeyId", "dataProtectionStatus", "inheritedProperties",
			"logGroupClass", "logGroupArn", "deletionProtectionEnabled")},
	[SWP_SIM_TRAILS] = {"trails", .keys = {"Name"}, .arn = "TrailARN",
		.summary = MEMBERS("Name", "S3BucketName", "S3KeyPrefix", "SnsTopicName", "SnsTopicARN",
			"IncludeGlobalServiceEvents", "IsMultiRegionTrail", "HomeRegion", "TrailARN",
			"LogFileValidationEnabled", "CloudWatchLogsLogGroupArn", "CloudWatchLogsRoleArn",
			"KmsKeyId", "HasCustomEventSelectors", "HasInsightSelectors", "IsOrganizationTrail")},
	[SWP_SIM_TRAIL_STATUS] = {"trail-status", .keys = {"Name"}, .arn = "TrailARN"},
	[SWP_SIM_EVENT_SELECTORS] = {"event-selectors", .keys = {"Name"}, .arn = "TrailARN"},
	[SWP_SIM_DETECTORS] = {"detectors", .keys = {"detectorId"}},
	[SWP_SIM_FUNCTIONS] = {"functions", .keys = {"FunctionName"}, .arn = "FunctionArn"},
	[SWP_SIM_VPC_ENDPOINTS] = {"vpc-endpoints", .keys = {"VpcEndpointId"}},
	[SWP_SIM_SECURITY_GROUPS] = {"security-groups", .keys = {"GroupId"}},
	[SWP_SIM_ROLES] = {"iam-roles", .is_global = true, .keys = {"RoleName"}, .arn = "Arn",
		.summary = MEMBERS("Path", "RoleName", "RoleId", "Arn", "CreateDate",
			"AssumeRolePolicyDocument", "Description", "MaxSessionDuration")},
	[SWP_SIM_USERS] = {"iam-users", .is_global = true, .keys = {"UserName"}, .arn = "Arn"},
	[SWP_SIM_GROUPS] = {"iam-groups", .is_global = true, .keys = {"GroupName"}, .arn = "Arn"},
	[SWP_SIM_POLICIES] = {"iam-policies", .is_global = true, .keys = {"PolicyName"}, .arn = "Arn"},
	[SWP_SIM_SERVICE_CREDENTIALS] = {"service-specific-credentials", .is_global = true,
		.keys = {"ServiceSpecificCredentialId"}},
	[SWP_SIM_BUCKETS] = {"buckets", .is_global = true, .keys = {"Name"},
		.summary = MEMBERS("Name", "CreationDate", "BucketRegion")},
};
