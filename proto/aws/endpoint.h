/* Partitions and endpoints: which host a service has in a region, with FIPS, dual-stack, and what the user configured.
 * Source: botocore's partitions.json and endpoint rules, checked by a contract test.
 */
#ifndef SWP_AWS_ENDPOINT_H
#define SWP_AWS_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/aws/operation.h"
#include "proto/base/error.h"

struct swp_partition {
	const char *name;	/* "aws" */
	const char *dns_suffix; /* "amazonaws.com" */
	const char *dual_stack_suffix;
	const char *global_region; /* where global services sign: "us-east-1" */
	const char *organizations_region;
	const char *const *regions; /* all known, NULL-terminated, bytewise sorted */
	const char *const
		*default_enabled; /* the subset enabled without opt-in, in order of preference for STS */
};
const struct swp_partition *swp_partition_by_name(const char *name);	 /* NULL when unknown */
const struct swp_partition *swp_partition_by_region(const char *region); /* by list, then by pattern; NULL */
/* From an ARN's second part; NULL when unknown. */
const struct swp_partition *swp_partition_by_arn(const char *arn);

/* Configured endpoints. The most telling row counts: service and region, service, region, neither; of equally telling ones
 * the first that was added. Precedence between environment and files is done by who adds. */
struct swp_endpoint_row {
	char *service; /* swp_aws_service.name or endpoint_variable spelling; NULL: all services */
	char *region;  /* NULL: all regions */
	char *url;     /* https://host[:port][/path] or http:// */
};
struct swp_endpoint_options {
	struct swp_endpoint_row *rows; /* owned */
	size_t row_count;
	bool fips, dual_stack;
};
void swp_endpoint_options_done(struct swp_endpoint_options *options);
/* -EINVAL: `problem` names the URL, without user and query, and what is wrong. */
int swp_endpoint_options_add(struct swp_endpoint_options *options, const char *service, const char *region,
	const char *url, struct swp_problem *problem);

struct swp_endpoint {
	char scheme[6];
	char host[256]; /* Host header: with port only if not the default */
	char path[256]; /* prefix, "" or "/x" without trailing slash */
	char signing_region[32];
	bool configured; /* the user's, not AWS's host name: never conclude not-offered from it */
	bool variant;	 /* FIPS or dual-stack name of AWS */
};
/* `region` is the cell's ("global" services use the partition's own). `options` NULL: none.
 * -EINVAL unknown partition or no region name; -E2BIG; positive SWP_ENDPOINT_NO_VARIANT
 * when AWS has no such variant (S3 FIPS in aws-cn). */
enum { SWP_ENDPOINT_NO_VARIANT = 1 };
int swp_endpoint_resolve(const struct swp_endpoint_options *options, const struct swp_partition *partition,
	const struct swp_aws_service *service, const char *region, struct swp_endpoint *ret_endpoint);

#endif
