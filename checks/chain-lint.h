/* The linter of attack chains and of the `joined` block of checks: unknown keys, checks, facts, relations and variables are refused
 * with the nearest known name, before a catalogue is compiled. The language is told in docs/chains.md.
 */
#ifndef SWP_CHECKS_CHAIN_LINT_H
#define SWP_CHECKS_CHAIN_LINT_H

#include <jansson.h>

#include "checks/lint.h"

/* Faults are told and counted through `lint`. `catalogue` is the whole document as it will be compiled, own and base rows together:
 * {"services": …, "resources": …, "checks": …, "chains": …} (see swp_catalogue_document); rows that were just read must be the very objects whose
 * places lint->locations knows. The chain or check must be in it. 0 (look at lint->faults) or -ENOMEM. */
int swp_chain_lint(struct swp_lint *lint, const json_t *catalogue, const char *chain_id);
/* The member "joined" of a check, if it has one. */
int swp_joined_lint(struct swp_lint *lint, const json_t *catalogue, const char *check_id);

#endif
