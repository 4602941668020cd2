/* What a JOB carries instead of a secret access key: signing keys, derived for the job's services in its region, for today and
 * tomorrow (UTC). No secret access key ever leaves the coordinator, not even the caller's own. Pure.
 */
#ifndef SWP_COORDINATOR_JOB_CREDENTIALS_H
#define SWP_COORDINATOR_JOB_CREDENTIALS_H

#include "checks/catalogue.h"
#include "coordinator/session-policy.h"
#include "proto/aws/credentials.h"
#include "proto/aws/endpoint.h"
#include "proto/wire/message.h"

#define SWP_LEVEL_COUNT 3

/* The services that jobs of each level may call, sts included. */
struct swp_job_services {
	const struct swp_aws_service **services[SWP_LEVEL_COUNT]; /* owned arrays of borrowed rows */
	size_t counts[SWP_LEVEL_COUNT];
};
/* -ENOMEM. */
int swp_job_services_init(struct swp_job_services *services, const struct swp_catalogue *catalogue,
	const struct swp_selection *selection);
void swp_job_services_done(struct swp_job_services *services);

struct swp_job_credentials_scope {
	const struct swp_job_services *services;
	const struct swp_partition *partition;
	const struct swp_endpoint_options *endpoints;
	const struct swp_session_policies
		*policies; /* which session serves a service, when there are several */
};
/* `sessions` are those of the policies, or the caller's own alone. Texts are borrowed from them; keys are owned:
 * swp_job_credentials_done wipes them. `region` is the cell's. `wall_ms` is the time as AWS has it: keys are made for its day and the
 * next one. 0, -ENOMEM, -EIO, -E2BIG (SWP_LIMIT_SIGNING_KEYS). */
int swp_job_credentials_make(const struct swp_job_credentials_scope *scope,
	const struct swp_credentials *sessions, size_t session_count, enum swp_level level,
	const char *region, int64_t wall_ms, struct swp_wire_credentials *ret_credentials);
void swp_job_credentials_done(struct swp_wire_credentials *credentials);

#endif
