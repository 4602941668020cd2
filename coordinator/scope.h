/* Which accounts are in scope, and which role is tried in each: the lists of the command line matched against the
 * organization. Pure; marks the entries that matched, so that one that matches nothing can be named.
 *
 * An account entry is an id, a name, a glob over either, or "management". An OU entry is an id (ou-…, r-…) or a path of
 * names ("Workloads/Prod", with or without the root's name in front), each segment a glob; nested OUs are included.
 * --accounts and --ou narrow together; either --exclude- list takes away.
 */
#ifndef SWP_COORDINATOR_SCOPE_H
#define SWP_COORDINATOR_SCOPE_H

#include <stdbool.h>
#include <stddef.h>

#include "coordinator/organization.h"
#include "coordinator/sweep.h"

enum swp_scope_list { /* order of the options in messages */
	SWP_SCOPE_ACCOUNTS,
	SWP_SCOPE_EXCLUDE_ACCOUNTS,
	SWP_SCOPE_OU,
	SWP_SCOPE_EXCLUDE_OU,
	SWP_SCOPE_LIST_COUNT,
};
const char *swp_scope_list_option(enum swp_scope_list list); /* "--exclude-ou" */

struct swp_scope {
	const struct swp_text_list *lists[SWP_SCOPE_LIST_COUNT]; /* borrowed */
	bool *matched[SWP_SCOPE_LIST_COUNT];
	const struct swp_sweep_role *roles; /* borrowed */
	size_t role_count;
};

/* Borrows the lists of `options`. -ENOMEM; a failed one may be given to _done. */
int swp_scope_init(struct swp_scope *scope, const struct swp_sweep_options *options);
void swp_scope_done(struct swp_scope *scope);

/* Must an account's OU be known before it can be decided (an OU list, or a role row with OUs)? */
bool swp_scope_needs_units(const struct swp_scope *scope);
/* … and the names of OUs (an OU entry that is not an id)? */
bool swp_scope_needs_unit_names(const struct swp_scope *scope);
/* Could an entry match something under the unit, so that the names of its children must be known? */
bool swp_scope_needs_children(const struct swp_scope *scope, const struct swp_unit *unit);

enum swp_scope_verdict {
	SWP_SCOPE_IN,
	SWP_SCOPE_NOT_ASKED_FOR, /* not among --accounts or --ou */
	SWP_SCOPE_EXCLUDED,
};
/* Marks the entries that match. */
enum swp_scope_verdict swp_scope_decide(struct swp_scope *scope, const struct swp_account *account);
/* Marks OU entries that match a unit, though no account may be in it. */
void swp_scope_see_unit(struct swp_scope *scope, const struct swp_unit *unit);
/* Have all entries matched something? */
bool swp_scope_all_matched(const struct swp_scope *scope);
/* The first entry that matched nothing; false: none. */
bool swp_scope_unmatched(
	const struct swp_scope *scope, enum swp_scope_list *ret_list, const char **ret_entry);
/* What of the organization is nearest to an entry of that list; NULL: nothing near. */
const char *swp_scope_nearest(
	const struct swp_organization *organization, enum swp_scope_list list, const char *entry);

/* The first role row that matches; NULL: none (the --role-name of the options counts). */
const struct swp_sweep_role *swp_scope_role(const struct swp_scope *scope, const struct swp_account *account);

#endif
