/* The inline session policy of an assumed role: exactly the reads that the selected checks need, so that even an
 * administrator's role yields a session that can read nothing else. Pure.
 *
 * STS takes at most 2,048 characters (https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html, Policy).
 * When the list is longer, actions of one service with the same beginning are joined to a wildcard ("bedrock:ListModel*",
 * then "bedrock:List*"), the widest saving first and never beyond one verb. When that is not enough, the services are
 * spread over several policies: several sessions before none.
 */
#ifndef SWP_COORDINATOR_SESSION_POLICY_H
#define SWP_COORDINATOR_SESSION_POLICY_H

#include <stddef.h>

#include "checks/catalogue.h"

struct swp_session_policies {
	char **texts; /* owned; JSON, each at most SWP_LIMIT_SESSION_POLICY_CHARS */
	size_t count; /* at least 1 */
};
void swp_session_policies_done(struct swp_session_policies *policies);

/* `actions` in any order, doubles allowed. Each policy also allows what the coordinator itself reads with the session
 * (swp_session_policy_own). 0, -ENOMEM, -EINVAL (an action that is not service:Name, or one that fits no policy). */
int swp_session_policies_make(
	const char *const *actions, size_t count, struct swp_session_policies *ret_policies);
/* The same for a selection of checks. */
int swp_session_policies_for(const struct swp_catalogue *catalogue, const struct swp_selection *selection,
	struct swp_session_policies *ret_policies);

/* "account:ListRegions", "ec2:DescribeRegions"; NULL-terminated. */
extern const char *const swp_session_policy_own[];

#endif
