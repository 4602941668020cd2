/* SageMaker: JSON 1.1, target prefix SageMaker. */
#include "tests/simulator/services.h"

#define LIST(operation, shelf, list)                                                                         \
	{                                                                                                    \
		"List" operation, "sagemaker:List" operation,                                                \
			.answer = swp_sim_answer_list, .collection = shelf, .member = list,                  \
			.paging = SWP_SIM_PAGES_BODY("NextToken", "MaxResults", 10, 100)                     \
	}

/* SageMaker tells a missing document as a validation error, worded by kind. */
#define DESCRIBE(operation, shelf, key, error, text)                                                         \
	{                                                                                                    \
		"Describe" operation, "sagemaker:Describe" operation,                                        \
			.answer = swp_sim_answer_document, .collection = shelf,                              \
			.keys = {{key, SWP_SIM_IN_BODY}}, .missing = {                                       \
				400,                                                                         \
				error,                                                                       \
				text                                                                         \
			}                                                                                    \
	}

static const struct swp_sim_operation operations[] = {
	LIST("NotebookInstances", SWP_SIM_NOTEBOOK_INSTANCES, "NotebookInstances"),
	DESCRIBE("NotebookInstance", SWP_SIM_NOTEBOOK_INSTANCES, "NotebookInstanceName",
		"ValidationException", "RecordNotFound"),
	LIST("Endpoints", SWP_SIM_ENDPOINTS, "Endpoints"),
	DESCRIBE("Endpoint", SWP_SIM_ENDPOINTS, "EndpointName", "ValidationException",
		"Could not find endpoint \"%s\"."),
	LIST("EndpointConfigs", SWP_SIM_ENDPOINT_CONFIGS, "EndpointConfigs"),
	DESCRIBE("EndpointConfig", SWP_SIM_ENDPOINT_CONFIGS, "EndpointConfigName", "ValidationException",
		"Could not find endpoint configuration \"%s\"."),
	LIST("Models", SWP_SIM_MODELS, "Models"),
	DESCRIBE("Model", SWP_SIM_MODELS, "ModelName", "ValidationException", "Could not find model \"%s\"."),
	LIST("Domains", SWP_SIM_DOMAINS, "Domains"),
	DESCRIBE("Domain", SWP_SIM_DOMAINS, "DomainId", "ResourceNotFound", "Domain [%s] does not exist."),
	LIST("TrainingJobs", SWP_SIM_TRAINING_JOBS, "TrainingJobSummaries"),
	DESCRIBE("TrainingJob", SWP_SIM_TRAINING_JOBS, "TrainingJobName", "ResourceNotFound",
		"Requested resource not found."),
};

const struct swp_sim_service swp_sim_service_sagemaker = {
	"sagemaker",
	"sagemaker",
	"api.sagemaker",
	SWP_SIM_JSON_11,
	.target_prefix = "SageMaker",
	.throttle_code = "ThrottlingException",
	.throttle_status = 400,
	SWP_SIM_OPERATIONS(operations),
};
