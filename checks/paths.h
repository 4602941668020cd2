/* Paths into what was read: ROOT.member.member[].member. A root is a document (list item, answer of a step, the job itself) or, inside a
 * quantifier, its element. "[]" goes through the elements of an array, ".*" through the values of an object; such a path has many values.
 * A last member with "!" is one that the API's model requires: an object that is there without it is malformed, and the value unknown.
 * What was not read is unknown, with the reason; what is not there is absent; JSON null is absent, as the AWS SDKs read it.
 */
#ifndef SWP_CHECKS_PATHS_H
#define SWP_CHECKS_PATHS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "checks/evaluation.h"
#include "checks/lint.h"
#include "proto/base/region.h"

#define SWP_LIMIT_LOCALS 8	   /* quantifiers inside one another */
#define SWP_LIMIT_PATH_SEGMENTS 24 /* no AWS answer nests deeper */

enum swp_value_state {
	SWP_VALUE_PENDING, /* not answered yet */
	SWP_VALUE_READ,
	SWP_VALUE_ABSENT, /* known not to be: an optional follow without its condition, a document that may be gone */
	SWP_VALUE_UNREAD, /* gap says why */
};

struct swp_value {
	enum swp_value_state state;
	json_t *json;		   /* READ: owned by whoever owns the value */
	const struct swp_gap *gap; /* UNREAD: why; READ: why the list is not complete, NULL: it is */
	const struct swp_gap *const *
		element_gaps; /* NULL, or one for each element of the array: why it is unknown, NULL: known */
	const struct swp_gap *malformed; /* what an unexpected type in it is told as; never NULL when READ */
};
/* The gap of PENDING values and of lists that still have pages to come: reason NONE. */
extern const struct swp_gap swp_gap_pending;
/* No memory was left to look closer: reason limit-reached. It comes before any other, so that who judges sees it. */
extern const struct swp_gap swp_gap_memory;
/* A member of `job` is no such thing as the catalogue takes it for: reason malformed-response. */
extern const struct swp_gap swp_gap_job;

/* Names that a path may begin with. */
struct swp_names {
	const char *const *roots;
	size_t root_count;
	const char *locals[SWP_LIMIT_LOCALS]; /* innermost last */
	size_t local_count;
};

enum swp_step_kind { SWP_STEP_MEMBER, SWP_STEP_ELEMENTS, SWP_STEP_VALUES };
struct swp_path_segment {
	enum swp_step_kind kind;
	const char *member;
	bool required; /* last one only */
};
struct swp_member_path {
	const char *text;
	bool local; /* root indexes the locals */
	size_t root;
	bool many;
	size_t count;
	struct swp_path_segment *segments;
};
/* Compiles `text`, which stands in `container` under `key`. 0; 1: told through lint; -ENOMEM. */
int swp_path_compile(struct swp_region *region, const struct swp_names *names, const char *text,
	bool may_be_many, struct swp_lint *lint, const json_t *container, const char *key,
	struct swp_member_path *ret_path);

struct swp_local {
	const json_t *json; /* NULL: absent or, with gap, unknown */
	const struct swp_gap *gap, *malformed;
};
/* What paths are resolved against. */
struct swp_scope {
	const struct swp_value *roots;
	int64_t moment_ms; /* when the sweep started: what "older than" is measured by */
	struct swp_local locals[SWP_LIMIT_LOCALS];
	size_t local_count;
};

struct swp_found {
	const json_t *json; /* NULL: absent, or unknown if gap is set */
	const struct swp_gap *gap;
	const struct swp_gap *malformed; /* for the caller's own type check */
};
/* A path that is not `many`. */
struct swp_found swp_path_find(const struct swp_member_path *path, const struct swp_scope *scope);
/* Each value of a path. Absent ones are given (json NULL, gap NULL) only when they are members of an element that is there
 * ("variants[].name"). Non-zero of the visitor ends the walk and is returned.
 * ret_gap: NULL, or why there may be more that was not seen (an unknown part, or a list with pages unread). */
typedef int (*swp_path_visitor)(const struct swp_found *found, void *context);
int swp_path_each(const struct swp_member_path *path, const struct swp_scope *scope, swp_path_visitor visit,
	void *context, const struct swp_gap **ret_gap);

/* The gap that wins where both meet; either may be NULL. */
const struct swp_gap *swp_gap_first(const struct swp_gap *a, const struct swp_gap *b);

#endif
