/* Asking AWS what the organization is: one Organizations call in flight, ListAccounts once, OU names by a top-down walk beside
 * everything else (before it only where a filter needs them). Never DescribeAccount, never a walk up.
 *
 *   DescribeOrganization → (branches that filters name) → ListAccounts … → (OUs, where there are no Paths) → names
 */
#ifndef SWP_COORDINATOR_ENUMERATION_H
#define SWP_COORDINATOR_ENUMERATION_H

#include "coordinator/aws-calls.h"
#include "coordinator/organization.h"
#include "coordinator/scope.h"

struct swp_enumeration; /* opaque */

struct swp_enumeration_events { /* none may free the enumeration */
	/* DescribeOrganization was answered: organization->id and management are set. */
	void (*described)(void *context);
	/* There is no organization (AWSOrganizationsNotInUse). Nothing follows. */
	void (*not_in_use)(void *context);
	/* Nothing can be enumerated: `problem` tells. Nothing follows. */
	void (*failed)(void *context, const struct swp_problem *problem);
	/* An account became known. Its unit may become known by `units_known` only. */
	void (*listed)(void *context, struct swp_account *account);
	/* Every account's unit is known as far as it ever will be. Only told when the scope needs units. */
	void (*units_known)(void *context);
	/* ListAccounts ended; `broke` (NULL: it is complete) says how it broke off. */
	void (*listed_all)(void *context, const struct swp_said *broke);
	/* Names are known as far as they ever will be. The end. */
	void (*named)(void *context);
	void *context;
};

/* Everything is borrowed for life. Starts at once. NULL on -ENOMEM. */
struct swp_enumeration *swp_enumeration_start(struct swp_aws_asker *asker,
	struct swp_organization *organization, struct swp_scope *scope, const char *region,
	const struct swp_enumeration_events *events);
void swp_enumeration_free(struct swp_enumeration *enumeration); /* takes NULL */

#endif
