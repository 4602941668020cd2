/* The linter of attack chains and of the `joined` block of checks: unknown keys, checks, facts, relations and variables are refused
 * with the nearest known name, before a catalogue is compiled. The language is told in docs/chains.md.
 */
#ifndef SWP_CHECKS_CHAIN_LINT_H
#define SWP_CHECKS_CHAIN_LINT_H

#include <jansson.h>

struct swp_chain_lint {
	/* The whole document as it will be compiled, own and base rows together: {"resources": {…}, "checks": {…}, "chains": {…}}
	 * (see swp_catalogue_document). Borrowed. */
	const json_t *catalogue;
	/* Called for each fault. `pointer` is a JSON pointer from the root of `catalogue` to the place ("/chains/AC-37/legs/0/finding"),
	 * to be turned into file and line; of a wrong key it names the key itself. */
	void (*complain)(const char *pointer, const char *text, void *context);
	void *context;
};

/* 0: no fault; 1: complaints; -ENOMEM. */
int swp_chain_lint(const struct swp_chain_lint *lint, const char *chain_id);
/* The member "joined" of a check, if it has one. Same returns. */
int swp_joined_lint(const struct swp_chain_lint *lint, const char *check_id);

#endif
