/* The list of services. See services.h. */
#include "tests/simulator/services.h"

const struct swp_sim_service *const swp_sim_services[] = {
	&swp_sim_service_sts,
	&swp_sim_service_organizations,
	&swp_sim_service_account,
	&swp_sim_service_bedrock,
	&swp_sim_service_bedrock_agent,
	&swp_sim_service_sagemaker,
};
const size_t swp_sim_service_count = sizeof swp_sim_services / sizeof swp_sim_services[0];
