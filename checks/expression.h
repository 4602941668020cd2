/* Values made of what was read: inputs of calls, identities, evidence, facts.
 *
 *   "$path" or {path: P, transform: T, default: V}   what stands there; of a text, what the text function makes of it
 *   {template: "arn:{partition}:…{list.Name}"}   text with paths in it
 *   {literal: V}                                 V itself
 *   {first: {in, as, where, value: E}}           E of the first element that holds
 *   {collect: {in, as, where, value: E}}         E of all, as a sorted list without doubles
 *   {count: {in, as, where}}                     how many
 *   {truth: PREDICATE}                           true or false
 *   {in_use: FAMILY}                             true or "unknown": only in evidence
 *   {ago: 30d, form: text or seconds}            that long before the sweep's start, in whole seconds
 * Each may have `when: PREDICATE`: absent unless it is true.
 */
#ifndef SWP_CHECKS_EXPRESSION_H
#define SWP_CHECKS_EXPRESSION_H

#include "checks/predicate.h"

struct swp_expression; /* opaque; lives in its region */

/* Member `key` of `container`, borrowed for the expression's life. 0; 1: told; -ENOMEM. */
int swp_expression_compile(struct swp_compiler *compiler, const json_t *container, const char *key,
	const struct swp_expression **ret_expression);
/* A template's text alone ("arn:{partition}:…"). */
int swp_template_compile(struct swp_compiler *compiler, const json_t *container, const char *key,
	const struct swp_expression **ret_expression);

struct swp_evaluated {
	json_t *value; /* owned; NULL: absent, or unknown if gap is set */
	const struct swp_gap *gap;
	bool defaulted; /* the value is the row's default */
};
/* 0 or -ENOMEM. */
int swp_expression_evaluate(const struct swp_expression *expression, struct swp_scope *scope,
	struct swp_evaluated *ret_evaluated);
/* Does the catalogue say it, and no answer? */
bool swp_expression_is_own(const struct swp_expression *expression);
/* The family of an {in_use: …}, else NULL. */
const char *swp_expression_family(const struct swp_expression *expression);

#endif
