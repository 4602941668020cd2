/* Which regions of an account are planned (contract §2). Pure: answers in, sets out.
 *
 * Enabled regions come from the first that answers: account:ListRegions in the account, ec2:DescribeRegions there,
 * account:ListRegions with AccountId from the management account. If none answers, the regions asked for, else all of the
 * partition, are planned and tried one by one. An account that could not be entered is planned with the regions asked for,
 * else the partition's default-enabled ones.
 */
#ifndef SWP_COORDINATOR_REGIONS_H
#define SWP_COORDINATOR_REGIONS_H

#include <jansson.h>

#include "coordinator/region-set.h"
#include "coordinator/sweep.h"
#include "proto/aws/endpoint.h"

/* What the command line asks for, as sets. */
struct swp_regions_asked {
	struct swp_region_table *table;	       /* borrowed */
	const struct swp_partition *partition; /* borrowed */
	bool all;			       /* no --regions */
	struct swp_region_set asked;	       /* --regions */
	struct swp_region_set excluded;	       /* --exclude-regions */
};
/* Puts the partition's regions into the table. -EINVAL: a name is not a region of that partition; `problem` names the
 * nearest one. -E2BIG. */
int swp_regions_ask(struct swp_region_table *table, const struct swp_partition *partition,
	const struct swp_text_list *regions, const struct swp_text_list *exclude,
	struct swp_regions_asked *ret_asked, struct swp_problem *problem);

/* What AWS told of one account. */
struct swp_regions_told {
	struct swp_region_set enabled, disabled;
};
enum { SWP_REGIONS_MALFORMED = 1 };
/* A page of account:ListRegions (RegionOptStatus). Adds to ret_told. 0 or SWP_REGIONS_MALFORMED. */
int swp_regions_read_list(
	struct swp_region_table *table, const json_t *document, struct swp_regions_told *ret_told);
/* ec2:DescribeRegions with AllRegions (optInStatus). */
int swp_regions_read_description(
	struct swp_region_table *table, const json_t *document, struct swp_regions_told *ret_told);

struct swp_regions_plan {
	struct swp_region_set planned;
	struct swp_region_set not_enabled; /* asked for (without --regions: known), and not enabled */
};
struct swp_regions_plan swp_regions_plan_told(
	const struct swp_regions_asked *asked, const struct swp_regions_told *told);
/* Nobody answered, though the account was entered. */
struct swp_regions_plan swp_regions_plan_untold(const struct swp_regions_asked *asked);
/* The account was not entered. */
struct swp_regions_plan swp_regions_plan_closed(const struct swp_regions_asked *asked);

#endif
