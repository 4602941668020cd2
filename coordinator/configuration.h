/* The configuration file: YAML; every option by its name with underscores, and beside them `roles` and `endpoints`.
 * An unknown key is an error that names the line and the nearest known key.
 */
#ifndef SWP_COORDINATOR_CONFIGURATION_H
#define SWP_COORDINATOR_CONFIGURATION_H

#include <stddef.h>

#include "coordinator/options.h"
#include "coordinator/sweep.h"
#include "proto/aws/endpoint.h"
#include "proto/base/error.h"

enum swp_scheduled_key {
	SWP_SCHEDULED_SCHEDULE,
	SWP_SCHEDULED_EVERY,
	SWP_SCHEDULED_TIMEZONE,
	SWP_SCHEDULED_JITTER,
	SWP_SCHEDULED_CATCH_UP,
	SWP_SCHEDULED_MAX_SHARE,
	SWP_SCHEDULED_KEYS,
};

struct swp_configured_endpoint {
	char *service, *region, *url; /* region NULL: all */
};

/* One of `sweeps`: when it is due. What else it has is among the options, if it was the section that was read. NULL: not there. */
struct swp_configured_sweep {
	char *name;
	char *texts[SWP_SCHEDULED_KEYS]; /* by enum swp_scheduled_key */
	char **outputs;			 /* formats */
	size_t output_count;
};

struct swp_configuration {
	struct swp_configured_sweep *sweeps; /* owned, and all in it; in the order of the file */
	size_t sweep_count;
	struct swp_sweep_role *roles; /* owned, and all in it */
	size_t role_count;
	struct swp_configured_endpoint *endpoints; /* owned */
	size_t endpoint_count;
};

/* Reads the bytes of the file `name` and sets options that nothing stronger has set. `services` (NULL-terminated) are the
 * known names under `endpoints`. `section`: the one of `sweeps` whose options are read, too, before those of the top; NULL: none. -EINVAL: `problem` names file, line, key and the nearest known one; -ENOMEM. */
int swp_configuration_read(const char *name, const char *section, const char *bytes, size_t length,
	const char *const *services, struct swp_options *options, struct swp_configuration *ret_configuration,
	struct swp_problem *problem);
void swp_configuration_done(struct swp_configuration *configuration);

#endif
