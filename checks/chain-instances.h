/* One chain: from rows to instances in the order of the report. */
#ifndef SWP_CHECKS_CHAIN_INSTANCES_H
#define SWP_CHECKS_CHAIN_INSTANCES_H

#include "checks/chain-join.h"
#include "checks/correlation.h"

struct swp_chain_run { /* all borrowed */
	const struct swp_rows *rows;
	const struct swp_catalogue *catalogue;
	const unsigned char *efforts; /* by check */
	const char *account;	      /* NULL: over accounts */
	int partition;		      /* −1: all */
	const struct swp_correlation_sink *sink;
};
/* Effort of a check's remediation, as weight: low 1, medium 2 (also when not told), high 3. */
unsigned char swp_chain_effort(const struct swp_check *check);
/* Gives each instance to the sink; a chain given up at a ceiling goes to `not_evaluated` with no instance before. 0, -ENOMEM, or what the
 * sink returned. */
int swp_chain_evaluate(const struct swp_chain_run *run, const struct swp_chain_plan *plan);

#endif
