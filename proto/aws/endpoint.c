/* Partitions, host names and their exceptions as tables; configured endpoints. The tables are held against botocore's data by
 * a contract test. Keys of the exception table are endpoint prefixes, since that is what AWS's data is keyed by.
 */
#include "proto/aws/endpoint.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "proto/base/alloc.h"
#include "proto/base/text.h"

/* --- partitions --- */

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

static const struct partition_row {
	struct swp_partition partition;
	const char *const *prefixes; /* of region names: prefix-word-digits */
} partitions[] = {
	{{.name = "aws",
		 .dns_suffix = "amazonaws.com",
		 .dual_stack_suffix = "api.aws",
		 .global_region = "us-east-1",
		 .organizations_region = "us-east-1",
		 .regions = NAMES("af-south-1", "ap-east-1", "ap-east-2", "ap-northeast-1", "ap-northeast-2",
			 "ap-northeast-3", "ap-south-1", "ap-south-2", "ap-southeast-1", "ap-southeast-2",
			 "ap-southeast-3", "ap-southeast-4", "ap-southeast-5", "ap-southeast-6",
			 "ap-southeast-7", "ca-central-1", "ca-west-1", "eu-central-1", "eu-central-2",
			 "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-2", "eu-west-3",
			 "il-central-1", "me-central-1", "me-south-1", "mx-central-1", "sa-east-1",
			 "us-east-1", "us-east-2", "us-west-1", "us-west-2"),
		 .default_enabled = NAMES("us-east-1", "us-east-2", "us-west-2", "us-west-1", "eu-west-1",
			 "eu-central-1", "eu-west-2", "eu-west-3", "eu-north-1", "ca-central-1",
			 "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-southeast-1",
			 "ap-southeast-2", "ap-south-1", "sa-east-1")},
		NAMES("us", "eu", "ap", "sa", "ca", "me", "af", "il", "mx")},
	{{.name = "aws-cn",
		 .dns_suffix = "amazonaws.com.cn",
		 .dual_stack_suffix = "api.amazonwebservices.com.cn",
		 .global_region = "cn-northwest-1",
		 .organizations_region = "cn-northwest-1",
		 .regions = NAMES("cn-north-1", "cn-northwest-1"),
		 .default_enabled = NAMES("cn-northwest-1", "cn-north-1")},
		NAMES("cn")},
	{{.name = "aws-us-gov",
		 .dns_suffix = "amazonaws.com",
		 .dual_stack_suffix = "api.aws",
		 .global_region = "us-gov-west-1",
		 .organizations_region = "us-gov-west-1",
		 .regions = NAMES("us-gov-east-1", "us-gov-west-1"),
		 .default_enabled = NAMES("us-gov-west-1", "us-gov-east-1")},
		NAMES("us-gov")},
	{{.name = "aws-eusc",
		 .dns_suffix = "amazonaws.eu",
		 .dual_stack_suffix = "api.amazonwebservices.eu",
		 .global_region = "eusc-de-east-1",
		 .organizations_region = "eusc-de-east-1",
		 .regions = NAMES("eusc-de-east-1"),
		 .default_enabled = NAMES("eusc-de-east-1")},
		NAMES("eusc-de")},
	{{.name = "aws-iso",
		 .dns_suffix = "c2s.ic.gov",
		 .dual_stack_suffix = "api.aws.ic.gov",
		 .global_region = "us-iso-east-1",
		 .organizations_region = "us-iso-east-1",
		 .regions = NAMES("us-iso-east-1", "us-iso-west-1"),
		 .default_enabled = NAMES("us-iso-east-1", "us-iso-west-1")},
		NAMES("us-iso")},
	{{.name = "aws-iso-b",
		 .dns_suffix = "sc2s.sgov.gov",
		 .dual_stack_suffix = "api.aws.scloud",
		 .global_region = "us-isob-east-1",
		 .organizations_region = "us-isob-east-1",
		 .regions = NAMES("us-isob-east-1", "us-isob-west-1"),
		 .default_enabled = NAMES("us-isob-east-1", "us-isob-west-1")},
		NAMES("us-isob")},
	{{.name = "aws-iso-e",
		 .dns_suffix = "cloud.adc-e.uk",
		 .dual_stack_suffix = "api.cloud-aws.adc-e.uk",
		 .global_region = "eu-isoe-west-1",
		 .organizations_region = "eu-isoe-west-1",
		 .regions = NAMES("eu-isoe-west-1"),
		 .default_enabled = NAMES("eu-isoe-west-1")},
		NAMES("eu-isoe")},
	{{.name = "aws-iso-f",
		 .dns_suffix = "csp.hci.ic.gov",
		 .dual_stack_suffix = "api.aws.hci.ic.gov",
		 .global_region = "us-isof-south-1",
		 .organizations_region = "us-isof-south-1",
		 .regions = NAMES("us-isof-east-1", "us-isof-south-1"),
		 .default_enabled = NAMES("us-isof-south-1", "us-isof-east-1")},
		NAMES("us-isof")},
};

const struct swp_partition *swp_partition_by_name(const char *name)
{
	for (size_t i = 0; i < SWP_ARRAY_SIZE(partitions); i++) {
		if (strcmp(partitions[i].partition.name, name) == 0)
			return &partitions[i].partition;
	}
	return NULL;
}

static bool list_has(const char *const *list, const char *name)
{
	for (; *list != NULL; list++) {
		if (strcmp(*list, name) == 0)
			return true;
	}
	return false;
}

/* prefix-word-digits, as the regular expressions of AWS's partition data. */
static bool region_fits_prefix(const char *region, const char *prefix)
{
	size_t length = strlen(prefix), word = 0, digits;

	if (strncmp(region, prefix, length) != 0 || region[length] != '-')
		return false;
	region += length + 1;
	while (islower((unsigned char)region[word]) || isdigit((unsigned char)region[word]))
		word++;
	if (word == 0 || region[word] != '-')
		return false;
	digits = strspn(region + word + 1, "0123456789");
	return digits > 0 && region[word + 1 + digits] == '\0';
}

const struct swp_partition *swp_partition_by_region(const char *region)
{
	for (size_t i = 0; i < SWP_ARRAY_SIZE(partitions); i++) {
		if (list_has(partitions[i].partition.regions, region))
			return &partitions[i].partition;
	}
	for (size_t i = 0; i < SWP_ARRAY_SIZE(partitions); i++) {
		for (const char *const *prefix = partitions[i].prefixes; *prefix != NULL; prefix++) {
			if (region_fits_prefix(region, *prefix))
				return &partitions[i].partition;
		}
	}
	return NULL;
}

const struct swp_partition *swp_partition_by_arn(const char *arn)
{
	char name[32];
	size_t length;

	if (strncmp(arn, "arn:", 4) != 0)
		return NULL;
	length = strcspn(arn + 4, ":");
	if (arn[4 + length] != ':' || length >= sizeof(name))
		return NULL;
	memcpy(name, arn + 4, length);
	name[length] = '\0';
	return swp_partition_by_name(name);
}

/* --- exceptions from {prefix}[-fips].{region}.{suffix} --- */

enum variant {
	PLAIN = 1,
	FIPS = 2,
	DUAL = 4,
	FIPS_DUAL = 8,
};

static const struct exception_row {
	const char *partition;	     /* NULL: all */
	const char *const *services; /* endpoint prefixes */
	unsigned variants;
	const char
		*host; /* {P} prefix, {R} region, {D} DNS suffix, {S} dual-stack suffix; NULL: AWS has none */
	const char *signing_region; /* NULL: as usual */
} exceptions[] = {
	{"aws", NAMES("iam"), PLAIN, "iam.{D}", NULL},
	{"aws", NAMES("iam"), FIPS, "iam-fips.{D}", NULL},
	{"aws", NAMES("iam"), DUAL, "iam.global.{S}", NULL},
	{"aws", NAMES("iam"), FIPS_DUAL, "iam-fips.global.{S}", NULL},
	{"aws-us-gov", NAMES("iam"), PLAIN | FIPS, "iam.us-gov.{D}", NULL},
	{"aws-us-gov", NAMES("iam"), DUAL | FIPS_DUAL, "iam.us-gov.{S}", NULL},
	{"aws-cn", NAMES("iam"), PLAIN, "iam.cn-north-1.{D}", "cn-north-1"},
	{"aws-cn", NAMES("iam"), DUAL, "iam.global.{S}", "cn-north-1"},
	{"aws-cn", NAMES("iam"), FIPS, "iam-fips.{D}", NULL},
	{"aws-eusc", NAMES("iam"), FIPS, "iam-fips.{D}", NULL},
	{"aws-iso-e", NAMES("iam"), FIPS, "iam-fips.{D}", NULL},
	{"aws-iso-f", NAMES("iam"), FIPS, "iam-fips.{D}", NULL},
	{NULL, NAMES("iam"), DUAL, "iam.{S}", NULL},
	{NULL, NAMES("iam"), FIPS_DUAL, "iam-fips.{S}", NULL},

	{"aws-cn", NAMES("s3"), FIPS | FIPS_DUAL, NULL, NULL},
	{NULL, NAMES("s3"), DUAL, "s3.dualstack.{R}.{D}", NULL},
	{NULL, NAMES("s3"), FIPS_DUAL, "s3-fips.dualstack.{R}.{D}", NULL},

	{"aws", NAMES("api.sagemaker"), FIPS, "api-fips.sagemaker.{R}.{D}", NULL},
	{"aws-us-gov", NAMES("api.sagemaker"), FIPS, "api-fips.sagemaker.{R}.{D}", NULL},
	{NULL, NAMES("api.ecr"), DUAL, "ecr.{R}.{S}", NULL},
	{NULL, NAMES("api.ecr"), FIPS_DUAL, "ecr-fips.{R}.{S}", NULL},
	{"aws", NAMES("es"), DUAL, "aos.{R}.{S}", NULL},
	{"aws-cn", NAMES("es"), DUAL, "aos.{R}.{S}", NULL},
	{"aws-us-gov", NAMES("es"), DUAL, "aos.{R}.{S}", NULL},
	{"aws-eusc", NAMES("ce"), PLAIN, "{P}.{R}.{S}", NULL},
	{NULL, NAMES("s3vectors", "qbusiness"), PLAIN, "{P}.{R}.{S}", NULL},
	{NULL, NAMES("s3vectors", "qbusiness"), FIPS, "{P}-fips.{R}.{S}", NULL},
	{"aws", NAMES("transcribe"), FIPS, "fips.transcribe.{R}.{D}", NULL},
	{"aws-us-gov", NAMES("transcribe"), FIPS, "fips.transcribe.{R}.{D}", NULL},
	{"aws-cn", NAMES("transcribe"), PLAIN, "cn.transcribe.{R}.{D}", NULL},
	{"aws", NAMES("secretsmanager"), DUAL, "{P}.{R}.{D}", NULL},
	{"aws", NAMES("secretsmanager"), FIPS_DUAL, "{P}-fips.{R}.{D}", NULL},
	{"aws-cn", NAMES("secretsmanager"), DUAL, "{P}.{R}.{D}", NULL},
	{"aws-us-gov", NAMES("secretsmanager"), DUAL, "{P}.{R}.{D}", NULL},
	{"aws-us-gov", NAMES("secretsmanager"), FIPS_DUAL, "{P}-fips.{R}.{D}", NULL},

	/* In GovCloud the plain names are FIPS end points already. */
	{"aws-us-gov",
		NAMES("organizations", "sts", "ec2", "cloudtrail", "config", "logs", "guardduty",
			"access-analyzer", "servicequotas", "monitoring", "events", "sns", "sqs", "dynamodb",
			"ssm", "rds", "ram", "sso", "portal.sso", "oidc", "cloudformation", "elasticache",
			"autoscaling", "application-autoscaling", "elasticloadbalancing"),
		FIPS, "{P}.{R}.{D}", NULL},
	{"aws-us-gov", NAMES("monitoring", "events"), FIPS_DUAL, "{P}.{R}.{S}", NULL},
};

static const struct exception_row *exception_find(const char *partition, const char *prefix, unsigned variant)
{
	for (size_t i = 0; i < SWP_ARRAY_SIZE(exceptions); i++) {
		const struct exception_row *row = &exceptions[i];

		if ((row->variants & variant) != 0 && list_has(row->services, prefix) &&
			(row->partition == NULL || strcmp(row->partition, partition) == 0))
			return row;
	}
	return NULL;
}

static int append_part(char *out, size_t out_bytes, size_t *length, const char *text, size_t text_length)
{
	if (*length + text_length >= out_bytes)
		return -E2BIG;
	memcpy(out + *length, text, text_length);
	*length += text_length;
	out[*length] = '\0';
	return 0;
}

/* Fills a host pattern: {P} prefix, {R} region, {D} and {S} the suffixes. */
static int host_format(const char *pattern, const struct swp_partition *partition, const char *prefix,
	const char *region, char *ret_host, size_t host_bytes)
{
	size_t length = 0;
	int error = 0;

	while (*pattern != '\0' && error == 0) {
		const char *text = pattern;
		size_t text_length = strcspn(pattern, "{");

		if (text_length > 0) {
			pattern += text_length;
		} else {
			text = pattern[1] == 'P'   ? prefix
			       : pattern[1] == 'R' ? region
			       : pattern[1] == 'D' ? partition->dns_suffix
						   : partition->dual_stack_suffix;
			text_length = strlen(text);
			pattern += 3;
		}
		error = append_part(ret_host, host_bytes, &length, text, text_length);
	}
	return error;
}

static bool is_region_name(const char *region)
{
	return region[0] != '\0' && region[strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

static int resolve_aws(const struct swp_endpoint_options *options, const struct swp_partition *partition,
	const struct swp_aws_service *service, const char *region, struct swp_endpoint *endpoint)
{
	static const char *const patterns[] = {
		"{P}.{R}.{D}", "{P}-fips.{R}.{D}", "{P}.{R}.{S}", "{P}-fips.{R}.{S}"};
	unsigned which = (options->fips ? 1u : 0u) + (options->dual_stack ? 2u : 0u);
	const struct exception_row *row =
		exception_find(partition->name, service->endpoint_prefix, 1u << which);
	const char *signing_region = region;

	if (row != NULL && row->host == NULL)
		return SWP_ENDPOINT_NO_VARIANT;
	if (row != NULL && row->signing_region != NULL)
		signing_region = row->signing_region;
	memcpy(endpoint->scheme, "https", 6);
	memcpy(endpoint->signing_region, signing_region, strlen(signing_region) + 1);
	endpoint->variant = which != 0;
	return host_format(row != NULL ? row->host : patterns[which], partition, service->endpoint_prefix,
		region, endpoint->host, sizeof(endpoint->host));
}

/* --- configured endpoints --- */

void swp_endpoint_options_done(struct swp_endpoint_options *options)
{
	for (size_t i = 0; i < options->row_count; i++) {
		swp_free(options->rows[i].service);
		swp_free(options->rows[i].region);
		swp_free(options->rows[i].url);
	}
	swp_free(options->rows);
	options->rows = NULL;
	options->row_count = 0;
}

struct url_parts {
	bool tls;
	const char *host;		 /* with port as written */
	size_t host_length, name_length; /* of it without the port */
	unsigned long port;		 /* 0: none told */
	const char *path;
	size_t path_length; /* without trailing slashes */
};

static const char *split_port(struct url_parts *parts)
{
	const char *name_end, *at;

	if (parts->host[0] == '[') {
		name_end = memchr(parts->host, ']', parts->host_length);
		if (name_end == NULL)
			return "an IPv6 address lacks its closing bracket";
		name_end++;
	} else {
		name_end = memchr(parts->host, ':', parts->host_length);
		if (name_end == NULL)
			name_end = parts->host + parts->host_length;
	}
	parts->name_length = (size_t)(name_end - parts->host);
	if (parts->name_length == parts->host_length)
		return NULL;
	if (*name_end != ':' || parts->name_length + 1 == parts->host_length)
		return "the port is not a number from 1 to 65535";
	for (at = name_end + 1; at < parts->host + parts->host_length; at++) {
		if (!isdigit((unsigned char)*at) || parts->port > 65535)
			return "the port is not a number from 1 to 65535";
		parts->port = parts->port * 10 + (unsigned long)(*at - '0');
	}
	return parts->port >= 1 && parts->port <= 65535 ? NULL : "the port is not a number from 1 to 65535";
}

/* An address is written in the one usual way: resolvers take 127.1 and 0x7f.0.0.1 for it too, and then other bytes would be sent
 * as the host than were signed. */
static bool is_address(int family, const char *text, size_t length)
{
	unsigned char bytes[16];
	char copy[64];

	if (length >= sizeof(copy))
		return false;
	memcpy(copy, text, length);
	copy[length] = '\0';
	return inet_pton(family, copy, bytes) == 1;
}

static bool is_number(const char *text, size_t length)
{
	bool hexadecimal = length > 1 && text[0] == '0' && (text[1] | 0x20) == 'x';

	for (size_t i = hexadecimal ? 2 : 0; i < length; i++)
		if (!(hexadecimal ? isxdigit((unsigned char)text[i]) : isdigit((unsigned char)text[i])))
			return false;
	return length > 0;
}

static bool is_host_name(const char *name, size_t length)
{
	size_t label = length;

	if (length > 2 && name[0] == '[')
		return is_address(AF_INET6, name + 1, length - 2);
	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)name[i];

		if (!isalnum(byte) && byte != '-' && byte != '.' && byte != '_')
			return false;
	}
	while (label > 0 && name[label - 1] != '.')
		label--;
	if (is_number(name + label, length - label)) /* no top-level domain is one */
		return is_address(AF_INET, name, length);
	return length > 0;
}

/* NULL, or what is wrong with it. */
static const char *url_split(const char *url, struct url_parts *parts)
{
	const char *problem;

	*parts = (struct url_parts){.tls = strncasecmp(url, "https://", 8) == 0};
	if (!parts->tls && strncasecmp(url, "http://", 7) != 0)
		return "it must begin with https:// or http://";
	for (const unsigned char *at = (const unsigned char *)url; *at != '\0'; at++) {
		if (*at <= ' ' || *at >= 127 || *at == '"' || *at == '\\')
			return "it has a blank, a control character or another character that no URL has";
	}
	parts->host = url + (parts->tls ? 8 : 7);
	parts->host_length = strcspn(parts->host, "/?#");
	parts->path = parts->host + parts->host_length;
	if (memchr(parts->host, '@', parts->host_length) != NULL)
		return "it must not hold a user name";
	if (strpbrk(parts->path, "?#") != NULL)
		return "it must not have a query or a fragment";
	problem = split_port(parts);
	if (problem != NULL)
		return problem;
	if (!is_host_name(parts->host, parts->name_length))
		return "its host name is empty or has characters that no host name has";
	parts->path_length = strlen(parts->path);
	while (parts->path_length > 0 && parts->path[parts->path_length - 1] == '/')
		parts->path_length--;
	if (parts->host_length >= sizeof(((struct swp_endpoint *)0)->host) ||
		parts->path_length >= sizeof(((struct swp_endpoint *)0)->path))
		return "its host or path is longer than 255 characters";
	return NULL;
}

static int copy_optional(const char *text, char **ret_copy)
{
	*ret_copy = text != NULL ? swp_strdup(text) : NULL;
	return text != NULL && *ret_copy == NULL ? -ENOMEM : 0;
}

/* A user's password and a query's token are not for messages. */
static size_t quotable_length(const char *url)
{
	const char *scheme_end = strstr(url, "://");

	if (strchr(url, '@') != NULL)
		return scheme_end != NULL ? (size_t)(scheme_end - url) + 3 : 0;
	return strcspn(url, "?#");
}

int swp_endpoint_options_add(struct swp_endpoint_options *options, const char *service, const char *region,
	const char *url, struct swp_problem *problem)
{
	struct swp_endpoint_row row = {0}, *rows;
	struct url_parts parts;
	const char *wrong = url_split(url, &parts);

	if (wrong != NULL)
		return swp_problem_set(
			problem, -EINVAL, "endpoint %.*s: %s", (int)quotable_length(url), url, wrong);
	rows = swp_realloc(options->rows, (options->row_count + 1) * sizeof(*rows));
	if (rows == NULL)
		return swp_problem_set(problem, -ENOMEM, "out of memory");
	options->rows = rows;
	if (copy_optional(service, &row.service) != 0 || copy_optional(region, &row.region) != 0 ||
		copy_optional(url, &row.url) != 0) {
		swp_free(row.service);
		swp_free(row.region);
		swp_free(row.url);
		return swp_problem_set(problem, -ENOMEM, "out of memory");
	}
	rows[options->row_count++] = row;
	return 0;
}

/* A global service is known by its cell's region ("global") and by the one that it signs for. */
static bool row_is_for(const struct swp_endpoint_row *row, const struct swp_aws_service *service,
	const char *cell_region, const char *signing_region)
{
	if (row->region != NULL && strcmp(row->region, cell_region) != 0 &&
		strcmp(row->region, signing_region) != 0)
		return false;
	return row->service == NULL || swp_text_equal_ignoring_case(row->service, service->name) ||
	       (service->endpoint_variable != NULL &&
		       swp_text_equal_ignoring_case(row->service, service->endpoint_variable));
}

static const struct swp_endpoint_row *row_find(const struct swp_endpoint_options *options,
	const struct swp_aws_service *service, const char *cell_region, const char *signing_region)
{
	const struct swp_endpoint_row *best = NULL;
	int best_rank = -1;

	for (size_t i = 0; i < options->row_count; i++) {
		const struct swp_endpoint_row *row = &options->rows[i];
		int rank = (row->service != NULL ? 2 : 0) + (row->region != NULL ? 1 : 0);

		if (rank > best_rank && row_is_for(row, service, cell_region, signing_region)) {
			best = row;
			best_rank = rank;
		}
	}
	return best;
}

/* [0:0:0:0:0:0:0:1]:8443 → [::1]:8443: libcurl sends the shorter spelling, so it is what is signed. */
static void shorten_address(char *host, size_t name_length)
{
	unsigned char bytes[16];
	char text[INET6_ADDRSTRLEN], *end = host + name_length - 1;

	if (host[0] != '[')
		return;
	*end = '\0';
	if (inet_pton(AF_INET6, host + 1, bytes) == 1 &&
		inet_ntop(AF_INET6, bytes, text, sizeof(text)) != NULL && strlen(text) < name_length - 2) {
		memcpy(host + 1, text, strlen(text));
		*end = ']';
		memmove(host + 1 + strlen(text), end, strlen(end) + 1);
		return;
	}
	*end = ']';
}

static int resolve_configured(const struct swp_endpoint_row *row, struct swp_endpoint *endpoint)
{
	struct url_parts parts;
	size_t length;

	if (url_split(row->url, &parts) != NULL)
		return -EINVAL;
	memcpy(endpoint->scheme, parts.tls ? "https" : "http", parts.tls ? 6 : 5);
	/* The Host header leaves out the default port, and so does the signature. */
	length = parts.port == 0 || parts.port == (parts.tls ? 443 : 80) ? parts.name_length
									 : parts.host_length;
	for (size_t i = 0; i < length; i++)
		endpoint->host[i] = (char)tolower((unsigned char)parts.host[i]);
	endpoint->host[length] = '\0';
	shorten_address(endpoint->host, parts.name_length);
	memcpy(endpoint->path, parts.path, parts.path_length);
	endpoint->path[parts.path_length] = '\0';
	endpoint->configured = true;
	return 0;
}

/* Global services have one region a partition, whatever region the cell has. */
static const char *service_region(
	const struct swp_partition *partition, const struct swp_aws_service *service, const char *region)
{
	if (service->scope != SWP_SCOPE_GLOBAL)
		return region;
	return strcmp(service->endpoint_prefix, "organizations") == 0 ? partition->organizations_region
								      : partition->global_region;
}

int swp_endpoint_resolve(const struct swp_endpoint_options *options, const struct swp_partition *partition,
	const struct swp_aws_service *service, const char *region, struct swp_endpoint *ret_endpoint)
{
	static const struct swp_endpoint_options none;
	struct swp_endpoint endpoint = {.configured = false};
	const struct swp_endpoint_row *row;
	const char *cell_region;
	int result;

	if (partition == NULL)
		return -EINVAL;
	if (options == NULL)
		options = &none;
	cell_region = region;
	region = service_region(partition, service, region);
	if (!is_region_name(region) || strlen(region) >= sizeof(endpoint.signing_region))
		return -EINVAL;
	row = row_find(options, service, cell_region, region);
	result = resolve_aws(options, partition, service, region, &endpoint);
	if (row != NULL && result >= 0) { /* the signing region stays the service's */
		endpoint.variant = false;
		if (result == SWP_ENDPOINT_NO_VARIANT)
			memcpy(endpoint.signing_region, region, strlen(region) + 1);
		result = resolve_configured(row, &endpoint);
	}
	if (result == 0)
		*ret_endpoint = endpoint;
	return result;
}
