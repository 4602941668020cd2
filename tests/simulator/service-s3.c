/* S3: rest-xml. A bucket is one document that holds its settings as members. */
#include "tests/simulator/services.h"

#include "tests/simulator/json-text.h"

#define NAME_SPACE "http://s3.amazonaws.com/doc/2006-03-01/"

static void begin(struct swp_sim_call *call, const char *element)
{
	swp_sim_buffer_printf(call->body,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<%s xmlns=\"" NAME_SPACE "\">", element);
}

static void put_owner(struct swp_sim_call *call)
{
	unsigned long long id = call->context->world->seed;
	swp_sim_buffer_printf(call->body, "<Owner><ID>%016llx%s</ID></Owner>", id,
		call->context->world->accounts[call->account].id);
}

static void list_buckets(struct swp_sim_call *call)
{
	const struct swp_sim_shelf *shelf = swp_sim_call_shelf(call, SWP_SIM_BUCKETS);
	struct swp_sim_page page;
	if (!swp_sim_call_page(call, shelf->count, &page))
		return;
	begin(call, "ListAllMyBucketsResult");
	swp_sim_buffer_put(call->body, "<Buckets>");
	for (size_t i = 0; i < page.count; i++) {
		swp_sim_buffer_put(call->body, "<Bucket>");
		swp_sim_xml_members(call, shelf->items[page.first + i].summary);
		swp_sim_buffer_put(call->body, "</Bucket>");
	}
	swp_sim_buffer_put(call->body, "</Buckets>");
	put_owner(call);
	swp_sim_call_put_page_end(call, &page);
	swp_sim_buffer_put(call->body, "</ListAllMyBucketsResult>");
}

/* Bucket names are unique among all accounts: whose it is decides what is said. */
static bool belongs_to_another(struct swp_sim_call *call)
{
	struct swp_sim_world *world = call->context->world;
	for (size_t i = 0; i < world->account_count; i++) {
		const struct swp_sim_shelf *shelf =
			swp_sim_world_shelf(world, i, SWP_SIM_REGION_GLOBAL, SWP_SIM_BUCKETS);
		if (swp_sim_shelf_find(shelf, &call->bucket, 1) != NULL)
			return true;
	}
	return false;
}

/* A bucket elsewhere answers where it is; every client follows that. */
static bool is_in_region(struct swp_sim_call *call, const struct swp_sim_resource *bucket)
{
	struct swp_sim_text region;
	if (!swp_sim_json_member(bucket->detail, SWP_SIM_TEXT("BucketRegion"), &region) || region.size < 2)
		return true;
	region = (struct swp_sim_text){region.at + 1, region.size - 2};
	if (swp_sim_text_is(region, swp_sim_regions[call->region].name) ||
		strcmp(call->operation->name, "GetBucketLocation") == 0)
		return true;
	swp_sim_call_fail(call, 301, "PermanentRedirect",
		"The bucket you are attempting to access must be addressed using the specified endpoint. "
		"Please send all "
		"future requests to this endpoint.");
	swp_sim_buffer_printf(
		call->extra_headers, "x-amz-bucket-region: %.*s\r\n", (int)region.size, region.at);
	return false;
}

/* The member of the bucket that the operation's row names. False, and the call failed, when there is none. */
static bool find_setting(struct swp_sim_call *call, struct swp_sim_text *ret_setting)
{
	const struct swp_sim_resource *bucket =
		swp_sim_shelf_find(swp_sim_call_shelf(call, SWP_SIM_BUCKETS), &call->bucket, 1);
	if (bucket == NULL || bucket->detail.size == 0) {
		if (bucket == NULL && belongs_to_another(call))
			swp_sim_call_fail(call, 403, "AccessDenied", "Access Denied");
		else
			swp_sim_call_fail(call, 404, "NoSuchBucket", "The specified bucket does not exist");
		return false;
	}
	if (!is_in_region(call, bucket))
		return false;
	if (swp_sim_json_member(bucket->detail, swp_sim_text_of(call->operation->member), ret_setting))
		return true;
	if (call->operation->missing.code != NULL) {
		swp_sim_call_fail_missing(call, call->bucket);
		return false;
	}
	*ret_setting = SWP_SIM_TEXT("{}");
	return true;
}

static void get_setting(struct swp_sim_call *call)
{
	struct swp_sim_text setting;
	const char *member = call->operation->member;
	const char *element = strcmp(member, "Versioning") == 0 ? "VersioningConfiguration"
			      : strcmp(member, "Acl") == 0	? "AccessControlPolicy"
								: member;
	if (!find_setting(call, &setting))
		return;
	begin(call, element);
	swp_sim_xml_members(call, setting);
	swp_sim_buffer_printf(call->body, "</%s>", element);
}

/* The first region of all has no name here. */
static void get_location(struct swp_sim_call *call)
{
	struct swp_sim_text region;
	if (!find_setting(call, &region))
		return;
	begin(call, "LocationConstraint");
	struct swp_sim_buffer *name = swp_sim_call_scratch(call);
	if (region.at[0] == '"')
		swp_sim_json_string(name, region);
	if (!swp_sim_text_is(swp_sim_buffer_text(name), "us-east-1"))
		swp_sim_buffer_xml(call->body, swp_sim_buffer_text(name));
	swp_sim_buffer_put(call->body, "</LocationConstraint>");
}

static const struct swp_sim_operation operations[] = {
	{"ListBuckets", "s3:ListAllMyBuckets", "GET", "/", list_buckets, SWP_SIM_BUCKETS, "Buckets",
		.paging = {"continuation-token", "ContinuationToken", "max-buckets", SWP_SIM_IN_QUERY, 10000,
			10000}},
	{"GetBucketPolicyStatus", "s3:GetBucketPolicyStatus", "GET", "/{Bucket}?policyStatus", get_setting,
		SWP_SIM_BUCKETS, "PolicyStatus",
		.missing = {404, "NoSuchBucketPolicy", "The bucket policy does not exist"}},
	{"GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock", "GET", "/{Bucket}?publicAccessBlock",
		get_setting, SWP_SIM_BUCKETS, "PublicAccessBlockConfiguration",
		.missing = {404, "NoSuchPublicAccessBlockConfiguration",
			"The public access block configuration was not found"}},
	{"GetBucketEncryption", "s3:GetEncryptionConfiguration", "GET", "/{Bucket}?encryption", get_setting,
		SWP_SIM_BUCKETS, "ServerSideEncryptionConfiguration",
		.missing = {404, "ServerSideEncryptionConfigurationNotFoundError",
			"The server side encryption configuration was not found"}},
	{"GetBucketVersioning", "s3:GetBucketVersioning", "GET", "/{Bucket}?versioning", get_setting,
		SWP_SIM_BUCKETS, "Versioning"},
	{"GetBucketLocation", "s3:GetBucketLocation", "GET", "/{Bucket}?location", get_location,
		SWP_SIM_BUCKETS, "BucketRegion"},
	{"GetBucketAcl", "s3:GetBucketAcl", "GET", "/{Bucket}?acl", get_setting, SWP_SIM_BUCKETS, "Acl"},
};

const struct swp_sim_service swp_sim_service_s3 = {
	"s3",
	"s3",
	"s3",
	SWP_SIM_REST_XML,
	.name_space = NAME_SPACE,
	.throttle_code = "SlowDown",
	.throttle_status = 503,
	SWP_SIM_OPERATIONS(operations),
};
