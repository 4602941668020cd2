/* Named predicates for what operators over paths can't say: analysis of IAM policies. Used from the catalogue as
 * {builtin: NAME, with: {argument: path}}. One row each in builtins.c.
 */
#ifndef SWP_CHECKS_BUILTINS_H
#define SWP_CHECKS_BUILTINS_H

#include "checks/paths.h"

#define SWP_LIMIT_BUILTIN_ARGUMENTS 6

enum swp_truth_value { SWP_FALSE, SWP_TRUE, SWP_UNKNOWN };
struct swp_truth {
	enum swp_truth_value value;
	const struct swp_gap *gap; /* UNKNOWN: why; never NULL then */
};

enum swp_argument_kind {
	SWP_ARGUMENT_PATH,
	SWP_ARGUMENT_PATHS, /* a path with many values */
	SWP_ARGUMENT_TEXTS, /* $set.NAME, or a list of texts */
};
struct swp_builtin_argument {
	const char *name;
	enum swp_argument_kind kind;
	const char *help;
};
struct swp_argument {
	struct swp_member_path path;
	const json_t *texts;
};
struct swp_builtin {
	const char *name;
	struct swp_builtin_argument
		arguments[SWP_LIMIT_BUILTIN_ARGUMENTS]; /* in order; the first without a name ends */
	/* `values` stand in the order of `arguments`. */
	struct swp_truth (*evaluate)(const struct swp_argument *values, const struct swp_scope *scope);
	const char *help;
};
extern const struct swp_builtin swp_builtins[];
extern const size_t swp_builtin_count;
const struct swp_builtin *swp_builtin_find(const char *name); /* NULL */

#endif
