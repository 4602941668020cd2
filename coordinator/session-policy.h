/* The inline session policy of an assumed role: exactly the reads that the selected checks need, so that even an
 * administrator's role yields a session that can read nothing else. Pure.
 *
 * STS takes at most 2,048 characters (https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html, Policy).
 * When the list is longer, actions of one service with the same beginning are joined to a wildcard ("bedrock:ListModel*",
 * then "bedrock:List*"), the widest saving first and never beyond one verb. When that is not enough, the services are
 * spread over several policies: several sessions before none. Wildcards come before more sessions, as each session is one
 * more AssumeRole an hour in every account and one more token in every JOB, while a wildcard of one verb still allows
 * nothing but reads. All services of one signing name stand in the same policy, as a signing key tells no more than that.
 */
#ifndef SWP_COORDINATOR_SESSION_POLICY_H
#define SWP_COORDINATOR_SESSION_POLICY_H

#include <stddef.h>

#include "checks/catalogue.h"

struct swp_session_policies {
	char **texts; /* owned; JSON, each at most SWP_LIMIT_SESSION_POLICY_CHARS */
	size_t count; /* 1 to SWP_LIMIT_SESSIONS */
	struct swp_session_service {
		char *name;	/* owned: a signing name */
		size_t session; /* index of its policy */
	} * services;		/* owned; none while there is one policy */
	size_t service_count;
};
void swp_session_policies_done(struct swp_session_policies *policies);

/* Which session serves the services of a signing name: an index of the policies, 0 for one that has no actions here. */
size_t swp_session_policies_of(const struct swp_session_policies *policies, const char *signing_name);

/* `actions` in any order, doubles allowed; what stands before the colon is taken for the signing name. Each policy also allows
 * what the coordinator itself reads with the session (swp_session_policy_own). 0, -ENOMEM, -EINVAL (an action that is not
 * service:Name), -E2BIG (the actions of one service fit no policy, or more than SWP_LIMIT_SESSIONS are needed). */
int swp_session_policies_make(
	const char *const *actions, size_t count, struct swp_session_policies *ret_policies);
/* The same for a selection of checks. */
int swp_session_policies_for(const struct swp_catalogue *catalogue, const struct swp_selection *selection,
	struct swp_session_policies *ret_policies);

/* "account:ListRegions", "ec2:DescribeRegions"; NULL-terminated. */
extern const char *const swp_session_policy_own[];

#endif
