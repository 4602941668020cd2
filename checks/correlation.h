/* Joined checks and attack chains, from findings, facts and relations. No I/O: rows in, results and chain instances out.
 * One correlation covers one account (chains and joined checks whose join stays inside it), or one partition of the join keys
 * of the whole organization. Chains are concrete tuples of resources.
 */
#ifndef SWP_CHECKS_CORRELATION_H
#define SWP_CHECKS_CORRELATION_H

#include "checks/evaluation.h"

struct swp_correlation; /* opaque */

struct swp_correlation_scope {
	const char *partition;	     /* of ARNs: "aws" */
	const char *account;	     /* NULL: over accounts */
	const char *organization_id; /* "" none */
	const char *management_account;
	const struct swp_selection *selection; /* borrowed for the correlation's life */
};
/* Works out what the selection's chains and joined checks need. The catalogue is referenced; texts of `scope` are copied.
 * NULL on -ENOMEM. */
struct swp_correlation *swp_correlation_new(
	struct swp_catalogue *catalogue, const struct swp_correlation_scope *scope);
void swp_correlation_free(struct swp_correlation *correlation); /* takes NULL */

/* Is a result of that check, or a fact of that name ("complete:…" and "organization.account" too), of any use to this
 * correlation? Cheap; lets the reader skip rows. */
bool swp_correlation_wants_check(const struct swp_correlation *correlation, size_t check);
bool swp_correlation_wants_fact(const struct swp_correlation *correlation, const char *name);
/* Rows in any order; all rows of a wanted check, whatever their status (PASS rows too: they say that a resource was read).
 * Everything is copied. The same row twice counts once. 0, -ENOMEM; positive 1: ceiling reached (all that this correlation would
 * have judged is then "limit-reached": chains are given to `not_evaluated`, joined cells are NOT_ASSESSED). */
int swp_correlation_add_result(struct swp_correlation *correlation, const char *account, const char *region,
	const struct swp_result *result);
int swp_correlation_add_fact(struct swp_correlation *correlation, const char *account, const char *region,
	const struct swp_fact *fact);
/* Tells that the job of account × region was planned (so that joined checks have their cells there), and whether it was read:
 * `unread` NONE, else nothing of it was read, for that reason. `region` is a region, "global" (the account's global job) or
 * "organization" (the organization job, whose rows stand at region "global"). Same returns as the other two. */
int swp_correlation_add_scope(
	struct swp_correlation *correlation, const char *account, const char *region, enum swp_reason unread);
/* Facts about accounts come from the coordinator, account "" and region "": name "organization.account", subject = account id, value
 * true for each member; then "complete:organization.account" (value true, or NULL with a gap if the enumeration broke off). */
#define SWP_FACT_ORGANIZATION_ACCOUNT "organization.account"
#define SWP_FACT_COMPLETE "complete:"

/* Over accounts: the join keys that a row has, by whose hash rows are spread over SWP_JOIN_PARTITIONS. `correlation` was made with
 * account NULL; it needs no rows, and is not changed, so one serves for all rows. `visit` is called for each key (a row may have
 * several, one for each chain that uses it); the row goes to the partition of each, and with key NULL to every partition (lists that were
 * not read concern all keys). Chains whose legs have no key in common, and joined checks over the organization, use one
 * key, hence one partition, for all their rows. Not called when the row is of no use. Each partition is then one
 * correlation with account NULL, which is given its rows and the scopes of all accounts. Non-zero of `visit` is returned. */
int swp_correlation_keys_of_fact(const struct swp_correlation *correlation, const char *account,
	const char *region, const struct swp_fact *fact, int (*visit)(const char *key, void *context),
	void *context);
int swp_correlation_keys_of_result(const struct swp_correlation *correlation, const char *account,
	const char *region, const struct swp_result *result, int (*visit)(const char *key, void *context),
	void *context);
/* 0 to SWP_JOIN_PARTITIONS − 1; the same on every host (FNV-1a, 64 bits). */
unsigned swp_join_partition(const char *key);
/* The partition whose correlation judges the joined checks over the organization; only there are their cells given out. */
unsigned swp_join_partition_of_checks(void);
/* Tells a correlation over accounts which partition it is (before run; joined checks are judged in one only). */
void swp_correlation_set_partition(struct swp_correlation *correlation, unsigned partition);

struct swp_chain_finding {
	size_t check;
	const char *account, *region, *resource; /* resource NULL: unread list */
	enum swp_status status;			 /* FAIL or NOT_ASSESSED */
};
struct swp_chain_fix {
	size_t check;
	const char *resource;
};
struct swp_chain_instance { /* lists sorted bytewise, without doubles; all borrowed until the sink returns */
	size_t chain;
	bool confirmed;	   /* else unverified */
	const char *basis; /* "resource", "region", "account" */
	const char *account;
	const char *const *regions;
	size_t region_count;
	const char *const *regions_not_assessed;
	size_t region_not_assessed_count;
	const char *const *resources;
	size_t resource_count;
	const struct swp_chain_finding *findings; /* by account, region, check id, resource (NULL first) */
	size_t finding_count;
	const char *narrative;
	/* The smallest set of fixes that breaks it: fewest, then least effort, then id. By check id, resource. Exact up to
	 * SWP_LIMIT_FIX_EXACT candidates where several legs are entangled, else greedy (docs/chains.md). */
	const struct swp_chain_fix *fix;
	size_t fix_count;
};
/* Each returns 0, or non-zero, which ends the run and is returned. */
struct swp_correlation_sink {
	/* Results and cells of joined checks (region in `region`): for each (account, region) told by swp_correlation_add_scope
	 * at the check's level, one cell. By check, account, region, resource (NULL first). */
	int (*result)(
		void *context, const char *account, const char *region, const struct swp_result *result);
	int (*cell)(void *context, const char *account, const char *region, const struct swp_cell *cell);
	/* In the order of the report: chain id, account, regions, resources. */
	int (*chain)(void *context, const struct swp_chain_instance *instance);
	/* A chain that was given up at a ceiling; it then has no instance here. reason: "limit-reached: …". */
	int (*not_evaluated)(void *context, size_t chain, const char *reason);
	void *context;
};
/* Gives everything out, once. -ENOMEM, or what the sink returned. */
int swp_correlation_run(struct swp_correlation *correlation, const struct swp_correlation_sink *sink);

/* Chains that the selection can't evaluate: visit(chain index, "aws-bedrock-002 not selected"), by chain. */
int swp_correlation_not_evaluated(struct swp_catalogue *catalogue, const struct swp_selection *selection,
	int (*visit)(size_t chain, const char *reason, void *context), void *context);
/* Does anything of the selection need correlation over accounts? */
bool swp_correlation_over_accounts(struct swp_catalogue *catalogue, const struct swp_selection *selection);

#endif
