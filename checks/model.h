/* The catalogue as structures that evaluation runs on: nothing is parsed after loading. Lives in the catalogue's region.
 */
#ifndef SWP_CHECKS_MODEL_H
#define SWP_CHECKS_MODEL_H

#include "checks/catalogue.h"
#include "checks/expression.h"
#include "checks/predicate.h"
#include "proto/base/limits.h"
#include "proto/base/region.h"

/* Roots of a resource's paths: the job, the list's item, then its steps in bytewise order of their names. */
enum { SWP_ROOT_JOB, SWP_ROOT_LIST, SWP_ROOT_STEPS };
#define SWP_ROOT_COUNT (SWP_ROOT_STEPS + SWP_LIMIT_STEPS)

struct swp_service;
struct swp_operation {
	struct swp_aws_operation aws; /* first: a pointer to it is a pointer to the row */
	struct swp_service *service;
	const struct swp_gone_rule *gone;
	size_t gone_count;
	const json_t *input; /* members that every call sends (MaxResults); may be NULL */
	const char *const
		*json_texts; /* members whose text is JSON: "Policy.Content"; NULL-terminated, may be NULL */
	struct swp_gap malformed; /* what an unexpected type in an answer is told as */
};
struct swp_service {
	struct swp_aws_service aws; /* first, too */
	size_t index;
	struct swp_operation *operations; /* bytewise by name */
	size_t operation_count;
	const char **regions; /* bytewise */
	size_t region_count;
	const struct swp_operation **probe;
	size_t probe_count;
};

enum swp_gone {		   /* what it means when a document is not there */
	SWP_GONE_UNREAD,   /* it should be: NOT_ASSESSED(not-found) */
	SWP_GONE_VANISHED, /* the resource is gone between list and describe: no resource */
	SWP_GONE_ABSENT,   /* there is none, and that is known */
	SWP_GONE_DROPPED,  /* of a fan-out: that element is left out */
};

struct swp_required {		     /* a member that an answer must have */
	struct swp_member_path path; /* its root is SWP_REQUIRED_ROOT, a local */
	enum swp_type type;
	bool may_be_empty;
};

struct swp_input_member {
	const char *name;
	const struct swp_expression *value;
};
struct swp_input {
	struct swp_input_member *members; /* bytewise by name */
	size_t count;
};

struct swp_items { /* where the list stands in a page; count 0: the page is no list */
	const char *const *members;
	size_t count;
};

struct swp_step {
	const char *name;
	size_t index; /* its bit and its root is SWP_ROOT_STEPS + index */
	const struct swp_operation *operation;
	struct swp_input input;
	struct swp_items items; /* count 0: the step's value is the document, else the list of all pages */
	const struct swp_predicate *when;
	bool fan_out; /* for_each */
	struct swp_member_path for_each;
	const char *as;
	enum swp_gone gone;
	struct swp_required *required;
	size_t required_count;
	uint64_t roots; /* bits of the roots it reads directly */
	uint64_t needs; /* bits of all steps (by index) that must be settled before, however far behind */
	bool of_job;	/* reads the job only: one call for all resources */
	bool shareable; /* reads another step: other resources may follow to the same document */
};

struct swp_fact_row {
	const char *name;
	bool relation;
	const struct swp_expression *subject; /* NULL: the resource's identity */
	const struct swp_expression *value;   /* a fact's value or a relation's other end */
	bool fan_out;
	struct swp_elements elements; /* for_each of a relation */
	uint64_t steps;		      /* all steps that it needs */
};

struct swp_resource {
	const char *name;
	size_t index;
	struct swp_service *service;
	enum swp_level level;
	bool has_list;
	const struct swp_operation *list;
	struct swp_input list_input;
	struct swp_items list_items;
	struct swp_required *item_required;
	size_t item_required_count;
	const struct swp_expression *identity;
	const struct swp_predicate *skip_when;
	uint64_t skip_roots;
	struct swp_step *steps;
	size_t step_count;
	struct swp_fact_row *facts;
	size_t fact_count;
	const char *use;		      /* family whose use a resource proves; NULL */
	const struct swp_predicate *use_when; /* without a list: only if that holds */
	unsigned expected;		      /* resources of a job to expect, for estimates */
};

struct swp_evidence_row {
	const char *name;
	const struct swp_expression *value;
};
struct swp_check_row {
	struct swp_check check;
	struct swp_resource *resource;
	const struct swp_predicate *predicate; /* NULL when joined */
	bool predicate_passes;		       /* it is pass_when */
	const struct swp_predicate *not_applicable_when;
	struct swp_evidence_row *evidence;
	size_t evidence_count;
	uint64_t steps; /* all steps that it needs */
	bool early;	/* decided page by page: one paged step of the job, nothing else */
};

struct swp_catalogue {
	unsigned references;
	struct swp_region *region;
	json_t *document;
	char *compiled;
	size_t compiled_length;
	char hash[65];
	struct swp_service *services;
	size_t service_count;
	struct swp_resource *resources;
	size_t resource_count;
	struct swp_check_row *checks;
	size_t check_count;
	struct swp_chain *chains;
	size_t chain_count;
};

/* Builds the structures of catalogue->document into catalogue->region, telling faults. 0 (look at lint->faults); -ENOMEM. */
int swp_model_build(struct swp_catalogue *catalogue, struct swp_lint *lint);

/* The bits of the steps of a mask of roots, with all that they need. */
uint64_t swp_model_steps_of_roots(const struct swp_resource *resource, uint64_t roots);

/* Which steps, facts and checks of a resource a selection needs in a job of that level. */
struct swp_resource_needs {
	uint64_t steps;
	bool needed; /* at all */
};
struct swp_wanted_facts; /* opaque, see evaluation.h and selection.c */
bool swp_wanted_facts_has(const struct swp_wanted_facts *wanted, const char *name);
struct swp_resource_needs swp_resource_needs_of(const struct swp_catalogue *catalogue,
	const struct swp_selection *selection, const struct swp_wanted_facts *wanted,
	const struct swp_resource *resource);

#endif
