/* Which operation does a request ask for? By X-Amz-Target, by Action and the signature's scope, or by method and path. */
#ifndef TESTS_SIMULATOR_ROUTE_H
#define TESTS_SIMULATOR_ROUTE_H

#include "tests/simulator/call.h"

struct swp_sim_router;
struct swp_sim_router *swp_sim_router_new(void);
void swp_sim_router_free(struct swp_sim_router *router);

/*
 * Sets the call's service (NULL when not even that is told), operation (NULL: unknown) and number, and the parts of
 * its path.
 */
void swp_sim_route(struct swp_sim_router *router, struct swp_sim_call *call);

#endif
