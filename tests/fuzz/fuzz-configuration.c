/* The configuration file from any bytes: it is taken, or refused with words. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "coordinator/configuration.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const services[] = {"bedrock", "sts", NULL};
	struct swp_options options = {.command = swp_command_find("sweep")};
	struct swp_configuration configuration = {0};
	struct swp_problem problem = {0};
	int error = swp_configuration_read(
		"F", "nightly", (const char *)data, size, services, &options, &configuration, &problem);

	SWP_ASSERT(error == 0 || problem.text[0] || error == -ENOMEM);
	for (size_t i = 0; error == 0 && i < configuration.endpoint_count; i++)
		SWP_ASSERT(configuration.endpoints[i].service && configuration.endpoints[i].url);
	for (size_t i = 0; error == 0 && i < configuration.role_count; i++)
		SWP_ASSERT(configuration.roles[i].role_name);
	swp_configuration_done(&configuration);
	swp_options_done(&options);
	return 0;
}
