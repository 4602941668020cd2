/* Predicates: three-valued conditions over what was read. Compiled once from the catalogue's JSON, evaluated without allocation. There is
 * no clock: moments are held against the scope's, the sweep's start, so that a job done again judges the same.
 *
 *   {all: [..]} {any: [..]} {not: {..}}                      Kleene's and, or, not
 *   {some|every|none: {in: PATH or [PATHS], as: NAME, where: {..}, type: T}}   over elements; NAME is "each" unless said
 *   {count: {in: …, where: …, at_least|at_most|equals: N}}
 *   {path: P, OPERATOR: operand, default: V, transform: T, type: T}            a leaf, see operators.c
 *   {predicate: NAME}                                        a named one (predicates: of the catalogue), put in here
 *   {builtin: NAME, with: {..}}                              see builtins.c
 */
#ifndef SWP_CHECKS_PREDICATE_H
#define SWP_CHECKS_PREDICATE_H

#include "checks/builtins.h"
#include "checks/operators.h"
#include "checks/paths.h"

struct swp_predicate; /* opaque; lives in its region */

/* What compiling needs to know. */
struct swp_compiler {
	struct swp_region *region;
	struct swp_lint *lint;
	const json_t *sets;	  /* object: name → list; may be NULL */
	const json_t *predicates; /* object: name → predicate; may be NULL */
	struct swp_names names;
	unsigned depth, nodes; /* of nested predicates; 0 at first */
	uint64_t used;	       /* grows: bit i for each root i that a path of the predicate begins with */
};

/* `json` is borrowed for the predicate's life; it is member `key` of `container`. 0; 1: told through lint; -ENOMEM. */
int swp_predicate_compile(struct swp_compiler *compiler, const json_t *container, const char *key,
	const struct swp_predicate **ret_predicate);
/* Pure. `scope` may have locals; it is used as a stack and left as it was. */
struct swp_truth swp_predicate_evaluate(const struct swp_predicate *predicate, struct swp_scope *scope);

/* The member `transform` of `container`, also of expressions; NULL: it has none. 0; 1: told. */
int swp_transform_compile(
	struct swp_compiler *compiler, const json_t *container, const struct swp_transform **ret_transform);

/* Quantifier's elements, also used by expressions: {in, as, where, type}. */
struct swp_elements {
	size_t path_count;
	struct swp_member_path *paths;
	size_t local; /* where the element stands among the locals */
	enum swp_type type;
	const struct swp_predicate *where; /* NULL: all */
};
/* Compiles the quantifier `body`; leaves the local's name on compiler->names, so that more can be compiled under it; take it off with
 * swp_elements_leave. */
int swp_elements_compile(
	struct swp_compiler *compiler, const json_t *body, struct swp_elements *ret_elements);
void swp_elements_leave(struct swp_compiler *compiler);
/* Each element with the truth of `where` (TRUE without one); the element is the innermost local of the scope meanwhile. */
typedef int (*swp_elements_visitor)(
	struct swp_scope *scope, const json_t *element, struct swp_truth truth, void *context);
int swp_elements_each(const struct swp_elements *elements, struct swp_scope *scope,
	swp_elements_visitor visit, void *context, const struct swp_gap **ret_gap);
/* Members that a quantifier's body may have beside those in `more` (NULL-terminated): for linters. */
int swp_lint_members(
	struct swp_lint *lint, const json_t *container, const char *what, const char *const *allowed);

#endif
