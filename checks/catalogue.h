/* The catalogue: services, operations, resources, checks and chains, as data. YAML is read, linted and compiled to one canonical
 * JSON text (sorted keys) whose SHA-256 names it; programs load the compiled text. What it says of AWS is held against AWS's own
 * service models by a contract test. No I/O here: bytes in, structures out.
 */
#ifndef SWP_CHECKS_CATALOGUE_H
#define SWP_CHECKS_CATALOGUE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "proto/aws/operation.h"
#include "proto/base/buf.h"
#include "proto/base/error.h"

enum swp_severity { /* order of weight */
	SWP_SEVERITY_INFO,
	SWP_SEVERITY_LOW,
	SWP_SEVERITY_MEDIUM,
	SWP_SEVERITY_HIGH,
	SWP_SEVERITY_CRITICAL,
	SWP_SEVERITY_COUNT,
};
const char *swp_severity_name(enum swp_severity severity);		   /* "HIGH" */
int swp_severity_parse(const char *name, enum swp_severity *ret_severity); /* either case; -EINVAL */

/* Which job decides a check, and what its cells are. */
enum swp_level {
	SWP_LEVEL_REGION,	/* account × region: resource-level and account × region-level checks */
	SWP_LEVEL_GLOBAL,	/* account-level: region "global" */
	SWP_LEVEL_ORGANIZATION, /* once a sweep: management account, region "global" */
};

struct swp_check {
	const char *id, *title, *service; /* service: the one named in the report ("sagemaker") */
	enum swp_severity severity;
	enum swp_level level;
	bool per_resource; /* false: one resource a cell, whose ARN comes from a template (account × region, account, organization level) */
	bool joined;	   /* judged by the coordinator on facts of other jobs */
	bool joined_over_accounts; /* … at the sweep's end instead of the account's end */
	const json_t *
		document; /* everything: rationale, remediation, compliance, aliases, predicate … borrowed from the catalogue */
};

struct swp_chain {
	const char *id, *name;
	enum swp_severity severity;
	bool over_accounts; /* correlated at the sweep's end */
	const json_t *document;
};

struct swp_catalogue; /* opaque, immutable, reference-counted */

/* Loads compiled text. -EINVAL: `problem` tells (never happens for what the linter passed). The text is copied. */
int swp_catalogue_load(const char *compiled, size_t length, struct swp_catalogue **ret_catalogue,
	struct swp_problem *problem);
struct swp_catalogue *swp_catalogue_ref(struct swp_catalogue *catalogue);
void swp_catalogue_unref(struct swp_catalogue *catalogue); /* takes NULL */
/* The one built in (checks/catalogue/, compiled at build time). Borrowed for ever. */
const char *swp_catalogue_builtin(size_t *ret_length);
const char *swp_catalogue_compiled(const struct swp_catalogue *catalogue, size_t *ret_length);
const char *swp_catalogue_hash(const struct swp_catalogue *catalogue); /* SHA-256, hex */
/* The whole compiled document: {"services": {NAME: …}, "resources": {KIND: …}, "checks": {ID: …}, "chains": {ID: …}}, each row with
 * the keys it has in YAML (a resource's "facts" and "relations" are lists whose rows have a member "fact" or "relation"). Borrowed. */
const json_t *swp_catalogue_document(const struct swp_catalogue *catalogue);

/* Checks and chains, sorted bytewise by id; an index is stable for one hash. */
size_t swp_catalogue_check_count(const struct swp_catalogue *catalogue);
const struct swp_check *swp_catalogue_check(const struct swp_catalogue *catalogue, size_t index);
int swp_catalogue_check_find(const struct swp_catalogue *catalogue, const char *id); /* index or -1 */
size_t swp_catalogue_chain_count(const struct swp_catalogue *catalogue);
const struct swp_chain *swp_catalogue_chain(const struct swp_catalogue *catalogue, size_t index);
size_t swp_catalogue_service_count(const struct swp_catalogue *catalogue);
const struct swp_aws_service *swp_catalogue_service(const struct swp_catalogue *catalogue, size_t index);
/* NULL when the catalogue has no such service, or the service no such operation. */
const struct swp_aws_operation *swp_catalogue_operation(
	const struct swp_catalogue *catalogue, const char *service, const char *operation);
/* Is the service listed in the region by its region table? A service without a table is nowhere listed. */
bool swp_catalogue_service_listed(
	const struct swp_catalogue *catalogue, const struct swp_aws_service *service, const char *region);

/* A set of checks: one bit each, by index. */
struct swp_selection {
	unsigned char bits[1250]; /* SWP_LIMIT_CATALOGUE_ROWS / 8 */
};
void swp_selection_all(const struct swp_catalogue *catalogue, struct swp_selection *ret_selection);
bool swp_selection_has(const struct swp_selection *selection, size_t index);
void swp_selection_set(struct swp_selection *selection, size_t index, bool on);
/* From ids with commas between, as a store keeps them; "" is none. -ENOMEM; -EBADMSG: one that the catalogue does not know. */
int swp_selection_parse(
	const struct swp_catalogue *catalogue, const char *ids, struct swp_selection *ret_selection);
size_t swp_selection_count(const struct swp_catalogue *catalogue, const struct swp_selection *selection);
/* How many selected checks have their cells at that level (joined ones count at the level of their subject). */
size_t swp_selection_count_level(
	const struct swp_catalogue *catalogue, const struct swp_selection *selection, enum swp_level level);
/* Does a level need a job (a selected check's cells, or facts and relations that a selected joined check or chain needs)? */
bool swp_selection_needs_level(
	const struct swp_catalogue *catalogue, const struct swp_selection *selection, enum swp_level level);
/* Calls `visit` for each IAM action that the selection (with its chains' facts and the services' probe sets) may call, sorted,
 * once each; of the services with that signing name, or (NULL) of all. Non-zero ends the walk and is returned. */
int swp_selection_actions(const struct swp_catalogue *catalogue, const struct swp_selection *selection,
	const char *signing_name, int (*visit)(const char *action, void *context), void *context);
/* … and for each service whose calls a job of that level may make. */
int swp_selection_services(const struct swp_catalogue *catalogue, const struct swp_selection *selection,
	enum swp_level level, int (*visit)(const struct swp_aws_service *service, void *context),
	void *context);
/* Calls to expect of one job of that level: list calls plus the catalogue's estimate of describes; for --plan. */
unsigned swp_selection_expected_calls(
	const struct swp_catalogue *catalogue, const struct swp_selection *selection, enum swp_level level);
/* The resource ARN of a check that is not per_resource, from its template. -E2BIG. */
int swp_check_resource(const struct swp_check *check, const char *partition, const char *account,
	const char *region, const char *organization_id, struct swp_buf *ret_arn);

/* --- making one: YAML → compiled text --- */
struct swp_catalogue_file {
	const char *name;  /* for messages */
	const char *bytes; /* YAML */
	size_t length;
};
struct swp_lint_message {
	const char *file;
	unsigned line;	  /* from 1 */
	const char *text; /* cause, and the nearest known name where a name is unknown */
};
/* Compiles `count` files (borrowed). With `base` the compiled built-in catalogue whose rows may be referred to and overridden (--catalogue DIR
 * adds to the built-in), else NULL. Each fault is given to `complain`. 0: ret_compiled holds canonical JSON; 1: complaints; -ENOMEM. */
int swp_catalogue_compile(const struct swp_catalogue_file *files, size_t count,
	const struct swp_catalogue *base,
	void (*complain)(const struct swp_lint_message *message, void *context), void *context,
	struct swp_buf *ret_compiled);

#endif
