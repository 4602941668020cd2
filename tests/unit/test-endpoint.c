/* Partitions and endpoints: what a person configures. AWS's own host names are held against botocore by
 * tests/contract/test-endpoints.py; some stand here too.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "proto/aws/endpoint.h"
#include "proto/base/alloc.h"

static const struct swp_aws_service bedrock = {.name = "bedrock-agent",
	.endpoint_prefix = "bedrock-agent",
	.signing_name = "bedrock",
	.endpoint_variable = "BEDROCK_AGENT"};
static const struct swp_aws_service iam = {.name = "iam",
	.endpoint_prefix = "iam",
	.signing_name = "iam",
	.endpoint_variable = "IAM",
	.scope = SWP_SCOPE_GLOBAL};
static const struct swp_aws_service s3 = {
	.name = "s3", .endpoint_prefix = "s3", .signing_name = "s3", .endpoint_variable = "S3"};
static const struct swp_aws_service sagemaker = {
	.name = "sagemaker", .endpoint_prefix = "api.sagemaker", .signing_name = "sagemaker"};
static const struct swp_aws_service organizations = {.name = "organizations",
	.endpoint_prefix = "organizations",
	.signing_name = "organizations",
	.scope = SWP_SCOPE_GLOBAL};

static void partitions(void **state)
{
	(void)state;
	assert_string_equal(swp_partition_by_name("aws-cn")->dns_suffix, "amazonaws.com.cn");
	assert_null(swp_partition_by_name("aws-mars"));
	assert_string_equal(swp_partition_by_region("us-east-1")->name, "aws");
	assert_string_equal(swp_partition_by_region("us-gov-west-1")->name, "aws-us-gov");
	assert_string_equal(swp_partition_by_region("eu-west-99")->name, "aws"); /* by pattern */
	assert_string_equal(swp_partition_by_region("us-gov-north-3")->name, "aws-us-gov");
	assert_string_equal(swp_partition_by_region("eusc-de-south-2")->name, "aws-eusc");
	assert_null(swp_partition_by_region("us-east"));
	assert_null(swp_partition_by_region("us-east-"));
	assert_null(swp_partition_by_region("xx-east-1"));
	assert_null(swp_partition_by_region(""));
	assert_string_equal(
		swp_partition_by_arn("arn:aws-us-gov:sts::111122223333:assumed-role/x")->name, "aws-us-gov");
	assert_null(swp_partition_by_arn("arn:aws"));
	assert_null(swp_partition_by_arn("arn::x"));
	assert_null(swp_partition_by_arn("urn:aws:x"));
	assert_null(swp_partition_by_arn("arn:a-partition-name-that-is-much-too-long:x"));
}

static void every_region(void **state)
{
	static const char *const names[] = {
		"aws", "aws-cn", "aws-us-gov", "aws-eusc", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f"};

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(names); i++) {
		const struct swp_partition *partition = swp_partition_by_name(names[i]);

		for (size_t r = 0; partition->regions[r] != NULL; r++) {
			assert_ptr_equal(swp_partition_by_region(partition->regions[r]), partition);
			if (r > 0)
				assert_true(strcmp(partition->regions[r - 1], partition->regions[r]) < 0);
		}
		assert_ptr_equal(swp_partition_by_region(partition->global_region), partition);
		for (size_t d = 0; partition->default_enabled[d] != NULL; d++) {
			bool known = false;

			for (size_t r = 0; partition->regions[r] != NULL; r++)
				known = known ||
					strcmp(partition->regions[r], partition->default_enabled[d]) == 0;
			assert_true(known);
		}
	}
}

static void plain_hosts(void **state)
{
	static const struct {
		const char *partition, *region;
		const struct swp_aws_service *service;
		bool fips, dual;
		const char *host, *signing_region;
	} rows[] = {
		{"aws", "eu-west-1", &bedrock, false, false, "bedrock-agent.eu-west-1.amazonaws.com",
			"eu-west-1"},
		{"aws", "eu-west-1", &bedrock, true, true, "bedrock-agent-fips.eu-west-1.api.aws",
			"eu-west-1"},
		{"aws", "global", &iam, false, false, "iam.amazonaws.com", "us-east-1"},
		{"aws", "eu-west-1", &iam, false, false, "iam.amazonaws.com", "us-east-1"},
		{"aws-cn", "global", &iam, false, false, "iam.cn-north-1.amazonaws.com.cn", "cn-north-1"},
		{"aws-us-gov", "global", &iam, false, false, "iam.us-gov.amazonaws.com", "us-gov-west-1"},
		{"aws-cn", "global", &organizations, false, false,
			"organizations.cn-northwest-1.amazonaws.com.cn", "cn-northwest-1"},
		{"aws", "us-east-1", &sagemaker, true, false, "api-fips.sagemaker.us-east-1.amazonaws.com",
			"us-east-1"},
		{"aws-cn", "cn-north-1", &sagemaker, true, false,
			"api.sagemaker-fips.cn-north-1.amazonaws.com.cn", "cn-north-1"},
		{"aws", "us-east-1", &s3, false, true, "s3.dualstack.us-east-1.amazonaws.com", "us-east-1"},
		{"aws", "us-east-1", &sagemaker, false, false, "api.sagemaker.us-east-1.amazonaws.com",
			"us-east-1"},
	};

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		struct swp_endpoint_options options = {.fips = rows[i].fips, .dual_stack = rows[i].dual};
		struct swp_endpoint endpoint;

		assert_int_equal(swp_endpoint_resolve(&options, swp_partition_by_name(rows[i].partition),
					 rows[i].service, rows[i].region, &endpoint),
			0);
		assert_string_equal(endpoint.host, rows[i].host);
		assert_string_equal(endpoint.signing_region, rows[i].signing_region);
		assert_string_equal(endpoint.scheme, "https");
		assert_string_equal(endpoint.path, "");
		assert_false(endpoint.configured);
		assert_int_equal(endpoint.variant, rows[i].fips || rows[i].dual);
	}
}

static void refusals(void **state)
{
	struct swp_endpoint_options fips = {.fips = true};
	struct swp_endpoint endpoint;

	(void)state;
	assert_int_equal(
		swp_endpoint_resolve(&fips, swp_partition_by_name("aws-cn"), &s3, "cn-north-1", &endpoint),
		SWP_ENDPOINT_NO_VARIANT);
	assert_int_equal(swp_endpoint_resolve(NULL, NULL, &s3, "cn-north-1", &endpoint), -EINVAL);
	assert_int_equal(
		swp_endpoint_resolve(NULL, swp_partition_by_name("aws"), &s3, "evil.com/", &endpoint),
		-EINVAL);
	assert_int_equal(
		swp_endpoint_resolve(NULL, swp_partition_by_name("aws"), &s3, "", &endpoint), -EINVAL);
	assert_int_equal(swp_endpoint_resolve(NULL, swp_partition_by_name("aws"), &s3,
				 "a-region-name-that-is-longer-than-any", &endpoint),
		-EINVAL);
}

static const struct url_example {
	const char *url;
	bool good;
	const char *scheme, *host, *path;
} url_examples[] = {
	{"https://vpce-1.bedrock.us-east-1.vpce.amazonaws.com", true, "https",
		"vpce-1.bedrock.us-east-1.vpce.amazonaws.com", ""},
	{"http://127.0.0.1:4566", true, "http", "127.0.0.1:4566", ""},
	{"HTTPS://Example.COM:443/a/b//", true, "https", "example.com", "/a/b"},
	{"http://host:80/", true, "http", "host", ""},
	{"http://host:443/x", true, "http", "host:443", "/x"},
	{"https://[::1]:8443/p", true, "https", "[::1]:8443", "/p"},
	{"https://[::1]", true, "https", "[::1]", ""},
	{"ftp://host", false, NULL, NULL, NULL},
	{"host", false, NULL, NULL, NULL},
	{"https://", false, NULL, NULL, NULL},
	{"https://:80", false, NULL, NULL, NULL},
	{"https://user@host", false, NULL, NULL, NULL},
	{"https://user:marker@host", false, NULL, NULL, NULL},
	{"https://user:mar/marker@host", false, NULL, NULL, NULL},
	{"user:marker@host", false, NULL, NULL, NULL},
	{"https://host/a?token=marker", false, NULL, NULL, NULL},
	{"https://host:0", false, NULL, NULL, NULL},
	{"https://host:65536", false, NULL, NULL, NULL},
	{"https://host:99999999999999999999", false, NULL, NULL, NULL},
	{"https://host:x", false, NULL, NULL, NULL},
	{"https://host:", false, NULL, NULL, NULL},
	{"https://host/a?b", false, NULL, NULL, NULL},
	{"https://host#f", false, NULL, NULL, NULL},
	{"https://ho st", false, NULL, NULL, NULL},
	{"https://host\r\nX: y", false, NULL, NULL, NULL},
	{"https://[::1", false, NULL, NULL, NULL},
	{"https://host\\x", false, NULL, NULL, NULL},
	{"https://127.0.0.017", false, NULL, NULL, NULL},
	{"https://127.1", false, NULL, NULL, NULL},
	{"https://0x7f.0.0.0x1", false, NULL, NULL, NULL},
	{"https://[::g]", false, NULL, NULL, NULL},
	{"https://[]", false, NULL, NULL, NULL},
	{"https://[", false, NULL, NULL, NULL},
	{"https://10.0.0.1:8443", true, "https", "10.0.0.1:8443", ""},
	{"https://[0:0:0:0:0:0:0:1]:8443/x", true, "https", "[::1]:8443", "/x"},
	{"https://[FE80:0::1]:443", true, "https", "[fe80::1]", ""},
	{"http://4f3a2b1c:4566", true, "http", "4f3a2b1c:4566", ""}, /* a container's name */
	{"https://sts.2x.example", true, "https", "sts.2x.example", ""},
};

static void urls(void **state)
{
	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(url_examples); i++) {
		const struct url_example *example = &url_examples[i];
		struct swp_endpoint_options options = {0};
		struct swp_problem problem = {{0}};
		struct swp_endpoint endpoint;
		int error = swp_endpoint_options_add(&options, NULL, NULL, example->url, &problem);

		if ((error == 0) != example->good)
			fail_msg("%s: %d %s", example->url, error, problem.text);
		if (error == 0) {
			assert_int_equal(swp_endpoint_resolve(&options, swp_partition_by_name("aws"), &iam,
						 "global", &endpoint),
				0);
			assert_string_equal(endpoint.scheme, example->scheme);
			assert_string_equal(endpoint.host, example->host);
			assert_string_equal(endpoint.path, example->path);
			assert_string_equal(endpoint.signing_region, "us-east-1");
			assert_true(endpoint.configured);
		} else {
			assert_non_null(strstr(problem.text, "endpoint"));
			assert_null(strstr(problem.text, "marker")); /* a secret is not repeated */
		}
		swp_endpoint_options_done(&options);
	}
}

static void expect_host(const struct swp_endpoint_options *options, const struct swp_aws_service *service,
	const char *region, const char *host)
{
	struct swp_endpoint endpoint;

	assert_int_equal(
		swp_endpoint_resolve(options, swp_partition_by_name("aws"), service, region, &endpoint), 0);
	assert_string_equal(endpoint.host, host);
}

static void most_telling_row(void **state)
{
	struct swp_endpoint_options options = {.fips = true};

	(void)state;
	assert_int_equal(swp_endpoint_options_add(&options, NULL, NULL, "https://all", NULL), 0);
	assert_int_equal(swp_endpoint_options_add(&options, NULL, NULL, "https://all-later", NULL), 0);
	assert_int_equal(
		swp_endpoint_options_add(&options, "BEDROCK_AGENT", NULL, "https://service", NULL), 0);
	assert_int_equal(
		swp_endpoint_options_add(&options, "bedrock-agent", "eu-west-1", "https://both", NULL), 0);
	assert_int_equal(swp_endpoint_options_add(&options, NULL, "us-west-2", "https://region", NULL), 0);
	assert_int_equal(swp_endpoint_options_add(&options, "iam", "us-east-1", "https://iam-east", NULL), 0);
	expect_host(&options, &bedrock, "eu-west-1", "both");
	expect_host(&options, &bedrock, "eu-west-2", "service");
	expect_host(&options, &bedrock, "us-west-2", "service");
	expect_host(&options, &sagemaker, "us-west-2", "region");
	expect_host(&options, &sagemaker, "eu-west-1", "all");
	expect_host(&options, &iam, "global", "iam-east"); /* by the region that it signs for */
	expect_host(&options, &organizations, "global", "all");
	swp_endpoint_options_done(&options);
	swp_endpoint_options_done(&options);
}

static void failing_allocations(void **state)
{
	int error = -ENOMEM;

	(void)state;
	for (unsigned long nth = 1; error == -ENOMEM && nth < 20; nth++) {
		struct swp_endpoint_options options = {0};

		swp_alloc_fail_at(nth, 0);
		error = swp_endpoint_options_add(&options, "s3", "eu-west-1", "https://x", NULL);
		swp_alloc_fail_at(0, 0);
		assert_int_equal(options.row_count, error == 0);
		swp_endpoint_options_done(&options);
	}
	assert_int_equal(error, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(partitions),
		cmocka_unit_test(every_region),
		cmocka_unit_test(plain_hosts),
		cmocka_unit_test(refusals),
		cmocka_unit_test(urls),
		cmocka_unit_test(most_telling_row),
		cmocka_unit_test(failing_allocations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
