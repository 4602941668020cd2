/* The services that are simulated; each is a table in its own file. */
#ifndef TESTS_SIMULATOR_SERVICES_H
#define TESTS_SIMULATOR_SERVICES_H

#include "tests/simulator/call.h"

#define SWP_SIM_OPERATIONS(table) .operations = (table), .operation_count = sizeof(table) / sizeof((table)[0])

/* Shorthands of table rows: pages whose token and limit stand in the body or in the query string. */
#define SWP_SIM_PAGES_BODY(token, limit, normal, most)                                                       \
	{                                                                                                    \
		token, token, limit, SWP_SIM_IN_BODY, normal, most, 0, NULL                                  \
	}
#define SWP_SIM_PAGES_QUERY(token, limit, normal, most)                                                      \
	{                                                                                                    \
		token, token, limit, SWP_SIM_IN_QUERY, normal, most, 0, NULL                                 \
	}

extern const struct swp_sim_service swp_sim_service_sts;
extern const struct swp_sim_service swp_sim_service_organizations;
extern const struct swp_sim_service swp_sim_service_account;
extern const struct swp_sim_service swp_sim_service_ec2;
extern const struct swp_sim_service swp_sim_service_bedrock;
extern const struct swp_sim_service swp_sim_service_bedrock_agent;
extern const struct swp_sim_service swp_sim_service_agentcore;
extern const struct swp_sim_service swp_sim_service_sagemaker;
extern const struct swp_sim_service swp_sim_service_iam;
extern const struct swp_sim_service swp_sim_service_s3;
extern const struct swp_sim_service swp_sim_service_kms;
extern const struct swp_sim_service swp_sim_service_logs;
extern const struct swp_sim_service swp_sim_service_cloudtrail;
extern const struct swp_sim_service swp_sim_service_guardduty;
extern const struct swp_sim_service swp_sim_service_lambda;

#endif
