/* SageMaker's further documents, and keys, logs, trails, network and IAM documents from a seed. See seed-documents.h. */
#include "tests/simulator/seed-documents.h"

#include <stdio.h>

static bool is_unused(const struct swp_sim_seed_place *place)
{
	return swp_sim_seed_habits(place->account)->amount == 0;
}

static unsigned count_of(const struct swp_sim_seed_place *place, unsigned what, unsigned mean_tenths)
{
	struct swp_sim_dice dice = swp_sim_dice_for(place->account, place->region, what, UINT32_MAX);
	return swp_sim_seed_amount(place->account, &dice, mean_tenths);
}

static void put_role(const struct swp_sim_seed_place *place, const char *member, const char *name)
{
	swp_sim_buffer_printf(place->text, ",\"%s\":\"arn:%s:iam::%s:role/%s\"", member,
		place->world->partition->name, place->account->id, name);
}

/* A member that holds the account's key, where it has the habit of keys. */
static void put_key_member(
	const struct swp_sim_seed_place *place, struct swp_sim_dice *dice, const char *member)
{
	if (!swp_sim_dice_chance(dice, swp_sim_seed_habits(place->account)->has_key))
		return;
	swp_sim_buffer_printf(place->text, ",\"%s\":\"", member);
	swp_sim_seed_put_key_arn(place, place->text);
	swp_sim_buffer_byte(place->text, '"');
}

void swp_sim_seed_models(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf)
{
	char name[24];
	for (unsigned i = 0; i < (is_unused(place) ? 0 : 1 + count_of(place, SWP_SIM_MODELS, 8)); i++) {
		struct swp_sim_dice dice = swp_sim_dice_for(place->account, place->region, SWP_SIM_MODELS, i);
		snprintf(name, sizeof name, "model-%u", i);
		swp_sim_buffer_clear(place->text);
		swp_sim_buffer_printf(place->text, "{\"ModelName\":\"%s\",\"ModelArn\":\"", name);
		swp_sim_seed_put_arn(place, place->text, "sagemaker", "model", name);
		swp_sim_buffer_printf(place->text,
			"\",\"PrimaryContainer\":{\"Image\":\"%s.dkr.ecr.%s.%s/"
			"model:latest\",\"Mode\":\"SingleModel\",\"ModelDataUrl\":"
			"\"s3://ml-data-%s/model.tar.gz\"}",
			place->account->id, swp_sim_regions[place->region].name,
			place->world->partition->dns_suffix, place->account->id);
		put_role(place, "ExecutionRoleArn", "service-role/SageMakerExecution");
		if (swp_sim_dice_chance(&dice, 40))
			swp_sim_buffer_put(place->text, ",\"VpcConfig\":{\"SecurityGroupIds\":[\"sg-"
							"0a1b2c3d\"],\"Subnets\":[\"subnet-0a1b2c3d\"]}");
		swp_sim_buffer_printf(place->text,
			",\"CreationTime\":1767225600.5,\"EnableNetworkIsolation\":%s}",
			swp_sim_dice_chance(&dice, 40) ? "true" : "false");
		swp_sim_seed_add(place, shelf, SWP_SIM_MODELS);
	}
}

void swp_sim_seed_domains(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf)
{
	char id[24];
	for (unsigned i = 0; i < count_of(place, SWP_SIM_DOMAINS, 3); i++) {
		struct swp_sim_dice dice =
			swp_sim_dice_for(place->account, place->region, SWP_SIM_DOMAINS, i);
		snprintf(id, sizeof id, "d-%012llx",
			(unsigned long long)(swp_sim_dice_next(&dice) & 0xffffffffffff));
		swp_sim_buffer_clear(place->text);
		swp_sim_buffer_put(place->text, "{\"DomainArn\":\"");
		swp_sim_seed_put_arn(place, place->text, "sagemaker", "domain", id);
		swp_sim_buffer_printf(place->text,
			"\",\"DomainId\":\"%s\",\"DomainName\":\"studio-%u\",\"Status\":\"InService\","
			"\"CreationTime\":1767225600.5,"
			"\"LastModifiedTime\":1769904000.25,\"AuthMode\":\"%s\",\"AppNetworkAccessType\":\"%"
			"s\",\"SubnetIds\":"
			"[\"subnet-0a1b2c3d\"],\"VpcId\":\"vpc-0a1b2c3d\",\"Url\":\"https://"
			"%s.studio.%s.sagemaker.aws\"",
			id, i, swp_sim_dice_chance(&dice, 50) ? "SSO" : "IAM",
			swp_sim_dice_chance(&dice, 50) ? "VpcOnly" : "PublicInternetOnly", id,
			swp_sim_regions[place->region].name);
		put_key_member(place, &dice, "KmsKeyId");
		swp_sim_buffer_put(
			place->text, ",\"DefaultUserSettings\":{\"SecurityGroups\":[\"sg-0a1b2c3d\"]}}");
		swp_sim_seed_add(place, shelf, SWP_SIM_DOMAINS);
	}
}

static void put_training_job(const struct swp_sim_seed_place *place, unsigned number)
{
	static const char *const states[] = {
		"Completed", "Completed", "Completed", "Failed", "Stopped", "InProgress"};
	struct swp_sim_dice dice =
		swp_sim_dice_for(place->account, place->region, SWP_SIM_TRAINING_JOBS, number);
	const char *state = states[swp_sim_dice_below(&dice, 6)];
	unsigned started = 1780000000 + swp_sim_dice_below(&dice, 10000000);
	char name[32];
	snprintf(name, sizeof name, "training-%u", number);
	swp_sim_buffer_clear(place->text);
	swp_sim_buffer_printf(place->text, "{\"TrainingJobName\":\"%s\",\"TrainingJobArn\":\"", name);
	swp_sim_seed_put_arn(place, place->text, "sagemaker", "training-job", name);
	swp_sim_buffer_printf(place->text,
		"\",\"ModelArtifacts\":{\"S3ModelArtifacts\":\"s3://ml-data-%s/%s/"
		"model.tar.gz\"},\"TrainingJobStatus\":\"%s\","
		"\"SecondaryStatus\":\"%s\",\"AlgorithmSpecification\":{\"TrainingImage\":\"train:1\","
		"\"TrainingInputMode\":"
		"\"File\"},\"OutputDataConfig\":{\"S3OutputPath\":\"s3://ml-data-%s/%s\"",
		place->account->id, name, state, strcmp(state, "InProgress") ? state : "Training",
		place->account->id, name);
	put_key_member(place, &dice, "KmsKeyId");
	swp_sim_buffer_put(place->text, "},\"ResourceConfig\":{\"InstanceType\":\"ml.m5.xlarge\","
					"\"InstanceCount\":1,\"VolumeSizeInGB\":50");
	put_key_member(place, &dice, "VolumeKmsKeyId");
	swp_sim_buffer_printf(place->text,
		"},\"StoppingCondition\":{\"MaxRuntimeInSeconds\":86400},\"CreationTime\":%u.5,"
		"\"LastModifiedTime\":%u.5,"
		"\"EnableNetworkIsolation\":%s,\"EnableInterContainerTrafficEncryption\":%s",
		started, started + 3600, swp_sim_dice_chance(&dice, 40) ? "true" : "false",
		swp_sim_dice_chance(&dice, 40) ? "true" : "false");
	put_role(place, "RoleArn", "service-role/SageMakerExecution");
	swp_sim_buffer_byte(place->text, '}');
}

void swp_sim_seed_training_jobs(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf)
{
	for (unsigned i = 0; i < count_of(place, SWP_SIM_TRAINING_JOBS, 12); i++) {
		put_training_job(place, i);
		swp_sim_seed_add(place, shelf, SWP_SIM_TRAINING_JOBS);
	}
}

static void put_key(const struct swp_sim_seed_place *place, struct swp_sim_dice *dice, bool is_own)
{
	struct swp_sim_buffer *into = place->text;
	bool is_enabled = !is_own || !swp_sim_dice_chance(dice, 8);
	swp_sim_buffer_clear(into);
	swp_sim_buffer_printf(into, "{\"AWSAccountId\":\"%s\",\"KeyId\":\"", place->account->id);
	swp_sim_seed_put_key_id(place, into);
	if (!is_own)
		into->data[into->size - 1] = 'f'; /* another key: the ids differ in their last digit */
	swp_sim_buffer_put(into, "\",\"Arn\":\"");
	swp_sim_seed_put_key_arn(place, into);
	if (!is_own)
		into->data[into->size - 1] = 'f';
	swp_sim_buffer_printf(into,
		"\",\"CreationDate\":1767225600.5,\"Enabled\":%s,\"Description\":\"%s\",\"KeyUsage\":"
		"\"ENCRYPT_DECRYPT\",\"KeyState\":"
		"\"%s\",\"Origin\":\"AWS_KMS\",\"KeyManager\":\"%s\",\"CustomerMasterKeySpec\":\"SYMMETRIC_"
		"DEFAULT\",\"KeySpec\":"
		"\"SYMMETRIC_DEFAULT\",\"EncryptionAlgorithms\":[\"SYMMETRIC_DEFAULT\"],\"MultiRegion\":"
		"false}",
		is_enabled ? "true" : "false",
		is_own ? "for AI" : "Default key that protects my SageMaker data",
		is_enabled ? "Enabled" : "PendingDeletion", is_own ? "CUSTOMER" : "AWS");
}

void swp_sim_seed_keys(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf)
{
	struct swp_sim_dice dice = swp_sim_dice_for(place->account, place->region, SWP_SIM_KEYS, 0);
	char aliases[160];
	for (int own = 1; own >= 0; own--) {
		const char *alias = own ? "alias/ai" : "alias/aws/sagemaker";
		put_key(place, &dice, own != 0);
		snprintf(aliases, sizeof aliases, "%s\narn:%s:kms:%s:%s:%s\n", alias,
			place->world->partition->name, swp_sim_regions[place->region].name,
			place->account->id, alias);
		swp_sim_seed_add_as(place, shelf, SWP_SIM_KEYS, (struct swp_sim_text){"", 0}, aliases);
	}
}

void swp_sim_seed_log_groups(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf)
{
	static const char *const names[] = {
		"/aws/bedrock/invocations", "/aws/sagemaker/NotebookInstances", "/aws/lambda/agent-tools"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct swp_sim_dice dice =
			swp_sim_dice_for(place->account, place->region, SWP_SIM_LOG_GROUPS, (unsigned)i);
		if (is_unused(place) || !swp_sim_dice_chance(&dice, 75))
			continue;
		swp_sim_buffer_clear(place->text);
		swp_sim_buffer_printf(place->text,
			"{\"logGroupName\":\"%s\",\"creationTime\":1767225600123,\"metricFilterCount\":0,"
			"\"arn\":\"arn:%s:logs:%s:%s:"
			"log-group:%s:*\",\"storedBytes\":%u,\"logGroupClass\":\"STANDARD\",\"logGroupArn\":"
			"\"arn:%s:logs:%s:%s:"
			"log-group:%s\"",
			names[i], place->world->partition->name, swp_sim_regions[place->region].name,
			place->account->id, names[i], swp_sim_dice_below(&dice, 1000000),
			place->world->partition->name, swp_sim_regions[place->region].name,
			place->account->id, names[i]);
		if (swp_sim_dice_chance(&dice, 50))
			swp_sim_buffer_put(place->text, ",\"retentionInDays\":90");
		put_key_member(place, &dice, "kmsKeyId");
		swp_sim_buffer_byte(place->text, '}');
		swp_sim_seed_add(place, shelf, SWP_SIM_LOG_GROUPS);
	}
}

/* One trail of the organization, with its home in the first region and its shadow in all others. */
static void put_trail_arn(const struct swp_sim_seed_place *place, struct swp_sim_buffer *into)
{
	swp_sim_buffer_printf(into, "arn:%s:cloudtrail:%s:%s:trail/organization",
		place->world->partition->name, place->world->partition->global_region,
		place->world->accounts[place->world->organization.management].id);
}

void swp_sim_seed_trails(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf)
{
	swp_sim_buffer_clear(place->text);
	swp_sim_buffer_put(place->text, "{\"Name\":\"organization\",\"S3BucketName\":\"organization-trail\","
					"\"IncludeGlobalServiceEvents\":true,"
					"\"IsMultiRegionTrail\":true,\"TrailARN\":\"");
	put_trail_arn(place, place->text);
	swp_sim_buffer_printf(place->text,
		"\",\"HomeRegion\":\"%s\",\"LogFileValidationEnabled\":true,\"HasCustomEventSelectors\":true,"
		"\"HasInsightSelectors\":false,\"IsOrganizationTrail\":true}",
		place->world->partition->global_region);
	swp_sim_seed_add(place, shelf, SWP_SIM_TRAILS);
}

/* What the answers about a trail do not say but are asked by: its name and ARN, as a summary. */
static void add_for_trail(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf,
	enum swp_sim_collection collection)
{
	struct swp_sim_buffer summary = {0};
	swp_sim_buffer_put(&summary, "{\"Name\":\"organization\",\"TrailARN\":\"");
	put_trail_arn(place, &summary);
	swp_sim_buffer_put(&summary, "\"}");
	swp_sim_seed_add_as(place, shelf, collection, swp_sim_buffer_text(&summary), "");
	swp_sim_buffer_done(&summary);
}

void swp_sim_seed_trail_status(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf)
{
	swp_sim_buffer_clear(place->text);
	swp_sim_buffer_put(place->text,
		"{\"IsLogging\":true,\"LatestDeliveryTime\":1795000000.5,\"StartLoggingTime\":1767225600.25,"
		"\"LatestDeliveryAttemptTime\":\"2026-11-18T10:00:00Z\",\"LatestDeliveryAttemptSucceeded\":"
		"\"2026-11-18T10:00:00Z\"}");
	add_for_trail(place, shelf, SWP_SIM_TRAIL_STATUS);
}

void swp_sim_seed_event_selectors(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf)
{
	swp_sim_buffer_clear(place->text);
	swp_sim_buffer_put(place->text, "{\"TrailARN\":\"");
	put_trail_arn(place, place->text);
	swp_sim_buffer_put(place->text, "\",\"AdvancedEventSelectors\":[{\"Name\":\"management\","
					"\"FieldSelectors\":[{\"Field\":\"eventCategory\","
					"\"Equals\":[\"Management\"]}]}]}");
	add_for_trail(place, shelf, SWP_SIM_EVENT_SELECTORS);
}

void swp_sim_seed_detectors(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf)
{
	struct swp_sim_dice dice = swp_sim_dice_for(place->account, place->region, SWP_SIM_DETECTORS, 0);
	char summary[48];
	int size = snprintf(summary, sizeof summary, "\"%016llx%016llx\"",
		(unsigned long long)swp_sim_dice_next(&dice), (unsigned long long)swp_sim_dice_next(&dice));
	if (!swp_sim_dice_chance(&dice, 75))
		return;
	swp_sim_buffer_clear(place->text);
	swp_sim_buffer_printf(place->text,
		"{\"createdAt\":\"2026-01-01T00:00:00.000Z\",\"findingPublishingFrequency\":\"SIX_HOURS\","
		"\"serviceRole\":"
		"\"arn:%s:iam::%s:role/aws-service-role/guardduty.amazonaws.com/"
		"AWSServiceRoleForAmazonGuardDuty\",\"status\":\"%s\","
		"\"updatedAt\":\"2026-02-01T00:00:00.000Z\",\"features\":[{\"name\":\"S3_DATA_EVENTS\","
		"\"status\":\"%s\"}]}",
		place->world->partition->name, place->account->id,
		swp_sim_dice_chance(&dice, 90) ? "ENABLED" : "DISABLED",
		swp_sim_dice_chance(&dice, 60) ? "ENABLED" : "DISABLED");
	swp_sim_seed_add_as(
		place, shelf, SWP_SIM_DETECTORS, (struct swp_sim_text){summary, (size_t)size}, "");
}

void swp_sim_seed_functions(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf)
{
	swp_sim_buffer_clear(place->text);
	swp_sim_buffer_printf(place->text,
		"{\"FunctionName\":\"agent-tools\",\"FunctionArn\":\"arn:%s:lambda:%s:%s:function:agent-"
		"tools\",\"Runtime\":"
		"\"python3.12\",\"Handler\":\"main.handler\",\"CodeSize\":2048,\"Timeout\":30,\"MemorySize\":"
		"256,\"LastModified\":"
		"\"2026-05-06T07:08:09.000+0000\",\"Version\":\"$LATEST\",\"State\":\"Active\","
		"\"PackageType\":\"Zip\","
		"\"Architectures\":[\"arm64\"],\"EphemeralStorage\":{\"Size\":512}",
		place->world->partition->name, swp_sim_regions[place->region].name, place->account->id);
	put_role(place, "Role", "AgentTools");
	swp_sim_buffer_byte(place->text, '}');
	if (!is_unused(place))
		swp_sim_seed_add(place, shelf, SWP_SIM_FUNCTIONS);
}

void swp_sim_seed_vpc_endpoints(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf)
{
	static const char *const services[] = {"bedrock-runtime", "sagemaker.api"};
	for (unsigned i = 0; i < 2; i++) {
		struct swp_sim_dice dice =
			swp_sim_dice_for(place->account, place->region, SWP_SIM_VPC_ENDPOINTS, i);
		if (is_unused(place) || !swp_sim_dice_chance(&dice, 40))
			continue;
		swp_sim_buffer_clear(place->text);
		swp_sim_buffer_printf(place->text,
			"{\"VpcEndpointId\":\"vpce-0a1b2c3d%u\",\"VpcEndpointType\":\"Interface\",\"VpcId\":"
			"\"vpc-0a1b2c3d\",\"ServiceName\":"
			"\"com.amazonaws.%s.%s\",\"State\":\"available\",\"PolicyDocument\":\"{"
			"\\\"Statement\\\":[{\\\"Effect\\\":\\\"Allow\\\","
			"\\\"Principal\\\":\\\"*\\\",\\\"Action\\\":\\\"*\\\",\\\"Resource\\\":\\\"*\\\"}]}"
			"\",\"SubnetIds\":[\"subnet-0a1b2c3d\"],"
			"\"Groups\":[{\"GroupId\":\"sg-0a1b2c3d\",\"GroupName\":\"endpoints\"}],"
			"\"PrivateDnsEnabled\":%s,"
			"\"CreationTimestamp\":\"2026-01-02T03:04:05Z\",\"OwnerId\":\"%s\"}",
			i, swp_sim_regions[place->region].name, services[i],
			swp_sim_dice_chance(&dice, 70) ? "true" : "false", place->account->id);
		swp_sim_seed_add(place, shelf, SWP_SIM_VPC_ENDPOINTS);
	}
}

void swp_sim_seed_security_groups(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf)
{
	struct swp_sim_dice dice =
		swp_sim_dice_for(place->account, place->region, SWP_SIM_SECURITY_GROUPS, 0);
	swp_sim_buffer_clear(place->text);
	swp_sim_buffer_printf(place->text,
		"{\"GroupId\":\"sg-0a1b2c3d\",\"GroupName\":\"notebooks\",\"Description\":\"of the "
		"notebooks\",\"VpcId\":"
		"\"vpc-0a1b2c3d\",\"OwnerId\":\"%s\",\"IpPermissions\":[{\"IpProtocol\":\"tcp\",\"FromPort\":"
		"443,\"ToPort\":443,"
		"\"IpRanges\":[{\"CidrIp\":\"%s\"}]}],\"IpPermissionsEgress\":[{\"IpProtocol\":\"-1\","
		"\"IpRanges\":"
		"[{\"CidrIp\":\"0.0.0.0/0\"}]}],\"Tags\":[{\"Key\":\"team\",\"Value\":\"ml\"}]}",
		place->account->id, swp_sim_dice_chance(&dice, 30) ? "0.0.0.0/0" : "10.0.0.0/8");
	swp_sim_seed_add(place, shelf, SWP_SIM_SECURITY_GROUPS);
}

/* The roles that the other documents name; some may do far too much. */
static void add_role(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf, const char *path,
	const char *name, const char *service, bool is_wide)
{
	swp_sim_buffer_clear(place->text);
	swp_sim_buffer_printf(place->text,
		"{\"Path\":\"%s\",\"RoleName\":\"%s\",\"RoleId\":\"AROA%.12sROLE\",\"Arn\":\"arn:%s:iam::%s:"
		"role%s%s\",\"CreateDate\":"
		"\"2026-01-02T03:04:05Z\",\"AssumeRolePolicyDocument\":\"{\\\"Version\\\":\\\"2012-10-17\\\","
		"\\\"Statement\\\":[{"
		"\\\"Effect\\\":\\\"Allow\\\",\\\"Principal\\\":{\\\"Service\\\":\\\"%s\\\"},\\\"Action\\\":"
		"\\\"sts:AssumeRole\\\"}]}\","
		"\"InstanceProfileList\":[],\"RolePolicyList\":[{\"PolicyName\":\"inline\","
		"\"PolicyDocument\":\"{\\\"Version\\\":"
		"\\\"2012-10-17\\\",\\\"Statement\\\":[{\\\"Effect\\\":\\\"Allow\\\",\\\"Action\\\":\\\"%"
		"s\\\",\\\"Resource\\\":\\\"*\\\"}]}\"}],"
		"\"AttachedManagedPolicies\":[%s],\"Tags\":[]}",
		path, name, place->account->id, place->world->partition->name, place->account->id, path, name,
		service, is_wide ? "s3:*" : "logs:CreateLogStream",
		is_wide ? "{\"PolicyName\":\"AmazonSageMakerFullAccess\",\"PolicyArn\":\"arn:aws:iam::aws:"
			  "policy/"
			  "AmazonSageMakerFullAccess\"}"
			: "");
	swp_sim_seed_add(place, shelf, SWP_SIM_ROLES);
}

void swp_sim_seed_roles(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf)
{
	struct swp_sim_dice dice = swp_sim_dice_for(place->account, place->region, SWP_SIM_ROLES, 0);
	unsigned wide = 100 - swp_sim_seed_habits(place->account)->is_closed;
	add_role(place, shelf, "/service-role/", "SageMakerExecution", "sagemaker.amazonaws.com",
		swp_sim_dice_chance(&dice, wide));
	add_role(
		place, shelf, "/", "BedrockAgent", "bedrock.amazonaws.com", swp_sim_dice_chance(&dice, wide));
	add_role(place, shelf, "/", "BedrockLogging", "bedrock.amazonaws.com", false);
	add_role(place, shelf, "/", "AgentTools", "lambda.amazonaws.com", swp_sim_dice_chance(&dice, wide));
}

void swp_sim_seed_users(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf)
{
	swp_sim_buffer_clear(place->text);
	swp_sim_buffer_printf(place->text,
		"{\"Path\":\"/"
		"\",\"UserName\":\"bedrock-key-user\",\"UserId\":\"AIDA%.12sUSER\",\"Arn\":\"arn:%s:iam::%s:"
		"user/"
		"bedrock-key-user\",\"CreateDate\":\"2026-01-02T03:04:05Z\",\"GroupList\":[\"data-"
		"scientists\"],"
		"\"AttachedManagedPolicies\":[],\"Tags\":[]}",
		place->account->id, place->world->partition->name, place->account->id);
	if (!is_unused(place))
		swp_sim_seed_add(place, shelf, SWP_SIM_USERS);
}

void swp_sim_seed_groups(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf)
{
	swp_sim_buffer_clear(place->text);
	swp_sim_buffer_printf(place->text,
		"{\"Path\":\"/"
		"\",\"GroupName\":\"data-scientists\",\"GroupId\":\"AGPA%.12sGRUP\",\"Arn\":\"arn:%s:iam::%s:"
		"group/"
		"data-scientists\",\"CreateDate\":\"2026-01-02T03:04:05Z\",\"GroupPolicyList\":[],"
		"\"AttachedManagedPolicies\":[]}",
		place->account->id, place->world->partition->name, place->account->id);
	if (!is_unused(place))
		swp_sim_seed_add(place, shelf, SWP_SIM_GROUPS);
}

void swp_sim_seed_policies(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf)
{
	swp_sim_buffer_clear(place->text);
	swp_sim_buffer_printf(place->text,
		"{\"PolicyName\":\"invoke-models\",\"PolicyId\":\"ANPA%.12sPOLI\",\"Arn\":\"arn:%s:iam::%s:"
		"policy/invoke-models\","
		"\"Path\":\"/"
		"\",\"DefaultVersionId\":\"v1\",\"AttachmentCount\":1,\"PermissionsBoundaryUsageCount\":0,"
		"\"IsAttachable\":true,\"CreateDate\":\"2026-01-02T03:04:05Z\",\"UpdateDate\":\"2026-01-"
		"02T03:04:05Z\","
		"\"PolicyVersionList\":[{\"Document\":\"{\\\"Version\\\":\\\"2012-10-17\\\","
		"\\\"Statement\\\":[{\\\"Effect\\\":\\\"Allow\\\","
		"\\\"Action\\\":\\\"bedrock:InvokeModel\\\",\\\"Resource\\\":\\\"*\\\"}]}\",\"VersionId\":"
		"\"v1\",\"IsDefaultVersion\":true,"
		"\"CreateDate\":\"2026-01-02T03:04:05Z\"}]}",
		place->account->id, place->world->partition->name, place->account->id);
	if (!is_unused(place))
		swp_sim_seed_add(place, shelf, SWP_SIM_POLICIES);
}

void swp_sim_seed_service_credentials(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf)
{
	static const char *const expiration[] = {/* never, long ago, in many years */
		"", ",\"ExpirationDate\":\"2020-02-01T03:04:05Z\"",
		",\"ExpirationDate\":\"2095-01-02T03:04:05Z\""};
	struct swp_sim_dice dice =
		swp_sim_dice_for(place->account, place->region, SWP_SIM_SERVICE_CREDENTIALS, 0);
	if (is_unused(place) || !swp_sim_dice_chance(&dice, 40))
		return;
	swp_sim_buffer_clear(place->text);
	swp_sim_buffer_printf(place->text,
		"{\"UserName\":\"bedrock-key-user\",\"Status\":\"Active\",\"ServiceCredentialAlias\":"
		"\"bedrock-key-user-at-%s\","
		"\"CreateDate\":\"2020-01-02T03:04:05Z\",\"ServiceSpecificCredentialId\":\"ACCA%.12sCRED\","
		"\"ServiceName\":"
		"\"bedrock.amazonaws.com\"%s}",
		place->account->id, place->account->id, expiration[swp_sim_dice_below(&dice, 3)]);
	swp_sim_seed_add(place, shelf, SWP_SIM_SERVICE_CREDENTIALS);
}

static void add_bucket(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf, const char *name,
	unsigned region)
{
	struct swp_sim_dice dice =
		swp_sim_dice_for(place->account, region, SWP_SIM_BUCKETS, (unsigned)strlen(name));
	unsigned good = swp_sim_seed_habits(place->account)->is_closed;
	const char *closed = swp_sim_dice_chance(&dice, good) ? "true" : "false";
	swp_sim_buffer_clear(place->text);
	swp_sim_buffer_printf(place->text,
		"{\"Name\":\"%s\",\"CreationDate\":\"2026-01-02T03:04:05.000Z\",\"BucketRegion\":\"%s\","
		"\"Acl\":{\"Owner\":{\"ID\":"
		"\"%s\"},\"Grants\":[{\"Grantee\":{\"Type\":\"CanonicalUser\",\"ID\":\"%s\"},\"Permission\":"
		"\"FULL_CONTROL\"}]}",
		name, swp_sim_regions[region].name, place->account->id, place->account->id);
	if (swp_sim_dice_chance(&dice, 80))
		swp_sim_buffer_printf(place->text,
			",\"PublicAccessBlockConfiguration\":{\"BlockPublicAcls\":%s,\"IgnorePublicAcls\":%s,"
			"\"BlockPublicPolicy\":%s,"
			"\"RestrictPublicBuckets\":%s}",
			closed, closed, closed, closed);
	if (swp_sim_dice_chance(&dice, 50))
		swp_sim_buffer_printf(place->text, ",\"PolicyStatus\":{\"IsPublic\":%s}",
			swp_sim_dice_chance(&dice, good) ? "false" : "true");
	if (swp_sim_dice_chance(&dice, 90))
		swp_sim_buffer_put(place->text,
			",\"ServerSideEncryptionConfiguration\":{\"Rules\":[{"
			"\"ApplyServerSideEncryptionByDefault\":"
			"{\"SSEAlgorithm\":\"AES256\"},\"BucketKeyEnabled\":false}]}");
	if (swp_sim_dice_chance(&dice, 60))
		swp_sim_buffer_put(place->text, ",\"Versioning\":{\"Status\":\"Enabled\"}");
	swp_sim_buffer_byte(place->text, '}');
	swp_sim_seed_add(place, shelf, SWP_SIM_BUCKETS);
}

void swp_sim_seed_buckets(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf)
{
	char name[64];
	if (is_unused(place))
		return;
	for (unsigned i = 0; i < swp_sim_region_count; i++) {
		if (!swp_sim_account_has_region(place->account, i))
			continue;
		snprintf(
			name, sizeof name, "bedrock-logs-%s-%s", place->account->id, swp_sim_regions[i].name);
		add_bucket(place, shelf, name, i);
	}
	snprintf(name, sizeof name, "ml-data-%s", place->account->id);
	add_bucket(place, shelf, name, (unsigned)__builtin_ctzll(place->account->regions));
}
