/*
 * The simulated organization: accounts, organizational units, regions, roles, users, and what stands in each
 * account and region.
 *
 * What stands there are documents in AWS's own shape, one text a resource, kept in collections. They come from an
 * organization file (organization-file.h), or are made from the seed (seed.h) when they are first asked for and
 * dropped again, oldest first, above a budget: making them again gives the same bytes.
 *
 * The world owns everything here; pointers into it are borrowed until the next call that may make documents.
 */
#ifndef TESTS_SIMULATOR_WORLD_H
#define TESTS_SIMULATOR_WORLD_H

#include "tests/simulator/buffer.h"

/* Bytes of seeded documents that are kept at once: a sweep of 2,000 accounts comes by, a small machine bears it. */
#define SWP_SIM_DOCUMENT_BUDGET_BYTES ((size_t)128 << 20)
#define SWP_SIM_KEY_MAX 3
#define SWP_SIM_ACCOUNT_ID_SIZE 12

/* A region AWS has. Its index in the table is its number everywhere. */
struct swp_sim_region {
	const char *name;
	const char *partition;
	bool is_opt_in;
};

extern const struct swp_sim_region swp_sim_regions[];
extern const size_t swp_sim_region_count;
/* Slot of documents that belong to an account as a whole. */
#define SWP_SIM_REGION_GLOBAL 63u
#define SWP_SIM_REGION_NONE 64u

/* Number of the region, or SWP_SIM_REGION_NONE. */
unsigned swp_sim_region_find(struct swp_sim_text name);

/* What a partition calls things; NULL for an unknown partition. */
struct swp_sim_partition {
	const char *name;
	const char *dns_suffix;
	const char *global_region;
};
const struct swp_sim_partition *swp_sim_partition_find(struct swp_sim_text name);
extern const struct swp_sim_partition swp_sim_partitions[];
extern const size_t swp_sim_partition_count;

/* The kinds of documents. One row each in swp_sim_collections[]. */
enum swp_sim_collection {
	SWP_SIM_NOTEBOOK_INSTANCES,
	SWP_SIM_ENDPOINTS,
	SWP_SIM_ENDPOINT_CONFIGS,
	SWP_SIM_MODELS,
	SWP_SIM_DOMAINS,
	SWP_SIM_TRAINING_JOBS,
	SWP_SIM_LOGGING,
	SWP_SIM_GUARDRAILS,
	SWP_SIM_GUARDRAIL_VERSIONS,
	SWP_SIM_ENFORCED_GUARDRAILS,
	SWP_SIM_CUSTOM_MODELS,
	SWP_SIM_AGENTS,
	SWP_SIM_AGENT_ACTION_GROUPS,
	SWP_SIM_AGENT_ALIASES,
	SWP_SIM_AGENT_VERSIONS,
	SWP_SIM_KNOWLEDGE_BASES,
	SWP_SIM_DATA_SOURCES,
	SWP_SIM_AGENT_RUNTIMES,
	SWP_SIM_GATEWAYS,
	SWP_SIM_MEMORIES,
	SWP_SIM_CODE_INTERPRETERS,
	SWP_SIM_BROWSERS,
	SWP_SIM_KEYS,
	SWP_SIM_LOG_GROUPS,
	SWP_SIM_TRAILS,
	SWP_SIM_TRAIL_STATUS,
	SWP_SIM_EVENT_SELECTORS,
	SWP_SIM_DETECTORS,
	SWP_SIM_FUNCTIONS,
	SWP_SIM_VPC_ENDPOINTS,
	SWP_SIM_SECURITY_GROUPS,
	SWP_SIM_ROLES,
	SWP_SIM_USERS,
	SWP_SIM_GROUPS,
	SWP_SIM_POLICIES,
	SWP_SIM_SERVICE_CREDENTIALS,
	SWP_SIM_BUCKETS,
	SWP_SIM_COLLECTION_COUNT
};

/*
 * keys: members that identify a document, outermost owner first. arn: member by which it is found as well.
 * summary: members of the list answer, as "member" or "member:name in the list"; NULL: the list has no summary.
 */
struct swp_sim_collection_row {
	const char *name;
	bool is_global;
	const char *keys[SWP_SIM_KEY_MAX];
	const char *arn;
	const char *const *summary;
};
extern const struct swp_sim_collection_row swp_sim_collections[SWP_SIM_COLLECTION_COUNT];

/* One document. An empty detail: listed, but gone when it is described. Texts are owned by the shelf. */
struct swp_sim_resource {
	struct swp_sim_text keys[SWP_SIM_KEY_MAX];
	struct swp_sim_text arn;
	struct swp_sim_text aliases; /* further names, each followed by a newline */
	struct swp_sim_text summary;
	struct swp_sim_text detail;
};

/* The documents of one collection in one account and region, in list order. */
struct swp_sim_shelf {
	struct swp_sim_resource *items;
	size_t count;
	size_t capacity;
	size_t bytes;
	uint32_t *index; /* open addressing over the last key; made when there are many */
	size_t index_size;
};

struct swp_sim_role {
	char *name;	   /* may hold a path: audit/OrgsweepAudit */
	char *external_id; /* NULL: none is asked for */
	char **trusted;	   /* account ids that may assume it; NULL: management and delegated administrators */
	size_t trusted_count;
};

struct swp_sim_cell {
	struct swp_sim_shelf *shelves[SWP_SIM_COLLECTION_COUNT];
	bool is_fixed[SWP_SIM_COLLECTION_COUNT]; /* from the organization file: never made or dropped */
};

struct swp_sim_account {
	char id[SWP_SIM_ACCOUNT_ID_SIZE + 1];
	char *name;
	char *email;
	const char *state; /* PENDING_ACTIVATION, ACTIVE, SUSPENDED, PENDING_CLOSURE, CLOSED */
	char *joined_method;
	double joined_at_sec;
	size_t unit;	  /* its root or organizational unit */
	uint64_t regions; /* bit per region that is enabled */
	uint64_t seed;	  /* 0: no seeded documents */
	unsigned trait;	  /* what the seeded organization gives it; see seed.c */
	struct swp_sim_role *roles;
	size_t role_count;
	char *listed; /* as ListAccounts writes it; NULL until it is first asked for */
	struct swp_sim_cell *cells[SWP_SIM_REGION_GLOBAL + 1];
};

/* A root (parent SIZE_MAX) or an organizational unit. */
struct swp_sim_unit {
	char *id;
	char *name;
	char *path; /* o-…/r-…/ou-…/ */
	size_t parent;
};

/* Long-term credentials. */
struct swp_sim_user {
	size_t account;
	char *name;
	char *access_key_id;
	char *secret_access_key;
};

/* An organization policy. */
struct swp_sim_policy {
	char *summary; /* JSON text of PolicySummary */
	char *id;
	char *type;
	char *content;
};

struct swp_sim_administrator {
	size_t account;
	char **services; /* service principals it is registered for */
	size_t service_count;
};

struct swp_sim_organization {
	bool is_in_use;	     /* false: AWSOrganizationsNotInUseException */
	bool gives_paths;    /* ListAccounts answers Paths */
	bool gives_states;   /* ListAccounts answers State, not only Status */
	bool has_empty_page; /* ListAccounts begins with an empty page with a token */
	char *id;
	char *feature_set;
	size_t management;
	struct swp_sim_administrator *administrators;
	size_t administrator_count;
	struct swp_sim_policy *policies;
	size_t policy_count;
	struct swp_sim_policy *effective; /* id is the target, content the effective policy */
	size_t effective_count;
};

struct swp_sim_world {
	const struct swp_sim_partition *partition;
	uint64_t seed;
	uint64_t regions; /* regions the simulation has; others are unknown there */
	bool is_demo;
	struct swp_sim_organization organization;
	struct swp_sim_account *accounts;
	size_t account_count;
	struct swp_sim_unit *units;
	size_t unit_count;
	struct swp_sim_user *users;
	size_t user_count;
	char **faults; /* JSON text of faults the organization brings along */
	size_t fault_count;
	uint32_t *account_index;
	size_t account_index_size;
	size_t seeded_bytes;
	struct swp_sim_seeded *seeded_first, *seeded_last; /* in the order they were made */
};

void swp_sim_world_init(struct swp_sim_world *world);
void swp_sim_world_done(struct swp_sim_world *world);

/* Adders: the world owns what is added; the returned pointer is borrowed until the next adding. */
struct swp_sim_account *swp_sim_world_add_account(struct swp_sim_world *world, struct swp_sim_text id);
size_t swp_sim_world_add_unit(struct swp_sim_world *world, const char *id, const char *name, size_t parent);
struct swp_sim_role *swp_sim_account_add_role(struct swp_sim_account *account, struct swp_sim_text name);
/* Keys are made from the seed when access_key_id is NULL. */
struct swp_sim_user *swp_sim_world_add_user(struct swp_sim_world *world, size_t account, const char *name,
	const char *access_key_id, const char *secret_access_key);
void swp_sim_world_add_fault(struct swp_sim_world *world, const char *json);
struct swp_sim_administrator *swp_sim_world_add_administrator(struct swp_sim_world *world, size_t account);
void swp_sim_administrator_add_service(
	struct swp_sim_administrator *administrator, struct swp_sim_text service);
void swp_sim_policies_add(struct swp_sim_policy **policies, size_t *count, struct swp_sim_policy policy);

/* Number of the account, or SIZE_MAX. */
size_t swp_sim_world_find_account(struct swp_sim_world *world, struct swp_sim_text id);
/* Number of the unit by id or by path of names (Workloads/Prod), or SIZE_MAX. */
size_t swp_sim_world_find_unit(const struct swp_sim_world *world, struct swp_sim_text id_or_path);
bool swp_sim_account_has_region(const struct swp_sim_account *account, unsigned region);
/* Is it the management account, or a delegated administrator of any service? */
bool swp_sim_world_is_administrator(const struct swp_sim_world *world, size_t account);

/* The documents; never NULL. Borrowed until the next call of this function. */
const struct swp_sim_shelf *swp_sim_world_shelf(
	struct swp_sim_world *world, size_t account, unsigned region, enum swp_sim_collection collection);
/* The shelf of an organization file's account: an entry is added to it by swp_sim_shelf_add. */
struct swp_sim_shelf *swp_sim_world_fixed_shelf(
	struct swp_sim_world *world, size_t account, unsigned region, enum swp_sim_collection collection);

/*
 * Adds a document. Summary NULL: the row's members of the detail. Detail NULL: listed, gone when described.
 * Both are JSON texts and are copied; aliases too. They must be valid JSON objects (or, for a summary, any value).
 */
void swp_sim_shelf_add(struct swp_sim_shelf *shelf, enum swp_sim_collection collection,
	const struct swp_sim_text *summary, const struct swp_sim_text *detail, struct swp_sim_text aliases);
/* By all keys; the last one may also be the ARN or an alias. NULL when there is none. */
const struct swp_sim_resource *swp_sim_shelf_find(
	const struct swp_sim_shelf *shelf, const struct swp_sim_text *keys, size_t key_count);

#endif
