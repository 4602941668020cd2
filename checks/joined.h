/* Joined checks: a resource's relation leads to a thing that another job has read; the fact about it decides. */
#ifndef SWP_CHECKS_JOINED_H
#define SWP_CHECKS_JOINED_H

#include "checks/chain-join.h"
#include "checks/correlation.h"

struct swp_planned_scope {	  /* a job that was planned */
	uint32_t account, region; /* the region of its rows: "global" for the organization job */
	enum swp_level level;
	enum swp_reason unread;
};
struct swp_joined_run { /* all borrowed */
	const struct swp_rows *rows;
	const struct swp_gap *gaps; /* by index; gaps[0] is empty */
	const struct swp_catalogue *catalogue;
	const struct swp_planned_scope *scopes; /* by account and region, bytewise */
	size_t scope_count;
	bool full; /* a ceiling was reached: nothing is judged */
	const struct swp_correlation_sink *sink;
	/* Each result is kept too, as row of a chain. -ENOMEM, positive: ceiling. */
	int (*keep)(void *context, const struct swp_planned_scope *scope, const struct swp_result *result);
	void *context;
};
/* Results and cell of one check for each scope at its level. 0, -ENOMEM, or what the sink returned. */
int swp_joined_evaluate(const struct swp_joined_run *run, const struct swp_joined_plan *plan);

#endif
