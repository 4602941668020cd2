/* Entering accounts: which role, its session, its regions. An open account is one whose credentials are held; closing it wipes
 * them. Only the coordinator talks to STS, at regional endpoints, never at the global host.
 */
#ifndef SWP_COORDINATOR_ACCOUNTS_H
#define SWP_COORDINATOR_ACCOUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/aws-calls.h"
#include "coordinator/dispatch.h"
#include "coordinator/organization.h"
#include "coordinator/regions.h"
#include "coordinator/scope.h"
#include "coordinator/session-policy.h"
#include "coordinator/sweep.h"

#define SWP_STS_REGIONS 3 /* home or first default region, and two more when AWS says that one is disabled */

struct swp_accounts;

struct swp_accounts_options { /* all borrowed for life */
	struct swp_loop *loop;
	struct swp_aws_asker *asker;
	const struct swp_sweep_options *sweep;
	const struct swp_scope *scope;
	struct swp_organization *organization;
	const struct swp_regions_asked *regions;
	const struct swp_partition *partition;
	const char *session_name;		     /* "orgsweep-SWEEP" */
	const struct swp_session_policies *policies; /* a session of the role each */
	const char *home_region;		     /* of the caller; "" unknown */
	const char *own_account;
};

struct swp_open_account {
	struct swp_open_account *next, *previous; /* in the engine's list */
	struct swp_accounts *accounts;
	struct swp_account *account;
	struct swp_dispatch_account dispatch; /* the owner's, once it has jobs; jobs freed with the account */
	struct swp_credentials *sessions;     /* owned; in the order of the policies; the caller's own: one */
	size_t session_count;		      /* that are there */
	char *role_arn;			      /* NULL: the caller's own credentials */
	const char *external_id;
	const char *regions_from; /* who told the regions; a literal */
	bool entered, renewing;
	void *user;	   /* the owner's */
	int64_t issued_ms; /* monotonic: when the credentials were given */
	bool renewal_failed;
	/* internal */
	struct swp_aws_ask ask;
	struct swp_own_wait wait;
	bool waiting;
	struct swp_call_scope account_scope, ec2_scope;
	unsigned sts_try, region_step;
	size_t session; /* that is being asked for */
	struct swp_regions_told told;
};

struct swp_accounts_events { /* each may close the account */
	/* Credentials are held, and account->planned and not_enabled are set. */
	void (*entered)(void *context, struct swp_open_account *open);
	/* It can't be entered: account->reason, failure, planned are set. */
	void (*refused)(void *context, struct swp_open_account *open);
	/* Answer to swp_accounts_renew: reason NONE, or why not. */
	void (*renewed)(void *context, struct swp_open_account *open, enum swp_reason reason);
	void *context;
};

/* NULL on -ENOMEM. */
struct swp_accounts *swp_accounts_new(
	const struct swp_accounts_options *options, const struct swp_accounts_events *events);
/* Closes all. Takes NULL. */
void swp_accounts_free(struct swp_accounts *accounts);
/* Begins to enter; one of the events follows, later. NULL on -ENOMEM. */
struct swp_open_account *swp_accounts_enter(struct swp_accounts *accounts, struct swp_account *account);
/* New credentials for an account that was entered; many asks at once are one. 0, -ENOMEM. */
int swp_accounts_renew(struct swp_open_account *open);
/* When the first of its sessions ends; wall clock, 0: never. */
int64_t swp_accounts_expires_at_ms(const struct swp_open_account *open);
/* Forgets it; wipes its credentials, frees its jobs. */
void swp_accounts_close(struct swp_open_account *open);
unsigned swp_accounts_open_count(const struct swp_accounts *accounts);
struct swp_open_account *swp_accounts_first(const struct swp_accounts *accounts);

/* Which role is tried in an account; `ret_name` NULL: the caller's own credentials. For tests and --plan. */
void swp_accounts_role(const struct swp_accounts_options *options, const struct swp_account *account,
	const char **ret_name, const char **ret_external_id);

#endif
