/* The list of services. See services.h. */
#include "tests/simulator/services.h"

const struct swp_sim_service *const swp_sim_services[] = {
	&swp_sim_service_sts,
	&swp_sim_service_organizations,
	&swp_sim_service_account,
	&swp_sim_service_ec2,
	&swp_sim_service_bedrock,
	&swp_sim_service_bedrock_agent,
	&swp_sim_service_agentcore,
	&swp_sim_service_sagemaker,
	&swp_sim_service_iam,
	&swp_sim_service_s3,
	&swp_sim_service_kms,
	&swp_sim_service_logs,
	&swp_sim_service_cloudtrail,
	&swp_sim_service_guardduty,
	&swp_sim_service_lambda,
};
const size_t swp_sim_service_count = sizeof swp_sim_services / sizeof swp_sim_services[0];
