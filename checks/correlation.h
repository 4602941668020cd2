/* Joined checks and attack chains, from findings, facts and relations. No I/O: rows in, results and chain instances out.
 * One correlation covers one account (chains and joined checks whose join stays inside it), or one partition of the join keys
 * of the whole organization. Chains are concrete tuples of resources.
 */
#ifndef SWP_CHECKS_CORRELATION_H
#define SWP_CHECKS_CORRELATION_H

#include "checks/evaluation.h"

struct swp_correlation; /* opaque */

struct swp_correlation_scope {
	const char *partition;
	const char *account;         /* NULL: over accounts */
	const char *organization_id; /* "" none */
	const char *management_account;
	const struct swp_selection *selection;
};
struct swp_correlation *swp_correlation_new(struct swp_catalogue *catalogue, const struct swp_correlation_scope *scope);
void swp_correlation_free(struct swp_correlation *correlation);

/* Is a result of that check, or a fact of that name, of any use to this correlation? Cheap; lets the reader skip rows. */
bool swp_correlation_wants_check(const struct swp_correlation *correlation, size_t check);
bool swp_correlation_wants_fact(const struct swp_correlation *correlation, const char *name);
/* Everything is copied. -ENOMEM; positive 1: ceiling reached (the chains concerned are then listed as not evaluated). */
int swp_correlation_add_result(struct swp_correlation *correlation, const char *account, const char *region,
	const struct swp_result *result);
int swp_correlation_add_fact(struct swp_correlation *correlation, const char *account, const char *region,
	const struct swp_fact *fact);

/* Over accounts: the join key that a row has, by whose hash rows are spread over SWP_JOIN_PARTITIONS. `visit` is called for each
 * key (a fact or a finding may have several, one for each chain that uses it); a row goes to the partition of each. */
int swp_correlation_keys_of_fact(struct swp_catalogue *catalogue, const struct swp_selection *selection,
	const struct swp_fact *fact, int (*visit)(const char *key, void *context), void *context);
int swp_correlation_keys_of_result(struct swp_catalogue *catalogue, const struct swp_selection *selection,
	const struct swp_result *result, int (*visit)(const char *key, void *context), void *context);

struct swp_chain_finding {
	size_t check;
	const char *account, *region, *resource; /* resource NULL: unread list */
	enum swp_status status;
};
struct swp_chain_fix {
	size_t check;
	const char *resource;
};
struct swp_chain_instance { /* lists sorted bytewise, without doubles */
	size_t chain;
	bool confirmed;        /* else unverified */
	const char *basis;     /* "resource", "region", "account" */
	const char *account;
	const char *const *regions; size_t region_count;
	const char *const *regions_not_assessed; size_t region_not_assessed_count;
	const char *const *resources; size_t resource_count;
	const struct swp_chain_finding *findings; size_t finding_count;
	const char *narrative;
	const struct swp_chain_fix *fix; size_t fix_count; /* the smallest set that breaks it: fewest, then least effort, then id */
};
struct swp_correlation_sink {
	/* Results and cells of joined checks (region in `region`). */
	int (*result)(void *context, const char *account, const char *region, const struct swp_result *result);
	int (*cell)(void *context, const char *account, const char *region, const struct swp_cell *cell);
	/* In the order of the report: chain id, account, regions, resources. */
	int (*chain)(void *context, const struct swp_chain_instance *instance);
	void *context;
};
/* Gives everything out. `cells` of joined checks are given for each (account, region) told by swp_correlation_add_scope. */
int swp_correlation_run(struct swp_correlation *correlation, const struct swp_correlation_sink *sink);
/* Tells that account × region was planned (so that joined checks have their cells there), and whether its job was read:
 * reason NONE, else everything of it is unread for that reason. */
int swp_correlation_add_scope(struct swp_correlation *correlation, const char *account, const char *region, enum swp_reason unread);

/* Chains that the selection can't evaluate: visit(chain index, "aws-bedrock-002 not selected"). */
int swp_correlation_not_evaluated(struct swp_catalogue *catalogue, const struct swp_selection *selection,
	int (*visit)(size_t chain, const char *reason, void *context), void *context);
/* Does anything of the selection need correlation over accounts? */
bool swp_correlation_over_accounts(struct swp_catalogue *catalogue, const struct swp_selection *selection);

#endif
