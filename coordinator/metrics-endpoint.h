/* The metrics of one sweep, served while it runs and until its report is written: `orgsweep sweep --metrics`.
 */
#ifndef SWP_COORDINATOR_METRICS_ENDPOINT_H
#define SWP_COORDINATOR_METRICS_ENDPOINT_H

#include "coordinator/sweep.h"

struct swp_metrics_endpoint; /* opaque */

/* Listens on HOST:PORT from now on. NULL: `problem` tells. */
struct swp_metrics_endpoint *swp_metrics_endpoint_new(
	struct swp_loop *loop, const char *address, struct swp_problem *problem);
/* Whose numbers are shown; borrowed until the endpoint is freed. */
void swp_metrics_endpoint_watch(struct swp_metrics_endpoint *endpoint, const struct swp_sweep *sweep);
/* It has ended; from its `finished`. Takes no endpoint (NULL), too. */
void swp_metrics_endpoint_ended(struct swp_metrics_endpoint *endpoint, const struct swp_sweep_result *result);
void swp_metrics_endpoint_free(
	struct swp_metrics_endpoint *endpoint); /* takes NULL; before the sweep is freed */

#endif
