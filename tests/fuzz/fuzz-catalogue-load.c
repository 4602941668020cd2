/* Compiled text from any bytes, as a worker gets it over the wire: what is loaded can be asked for everything. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "checks/catalogue.h"
#include "checks/evaluation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int take_action(const char *action, void *context)
{
	*(size_t *)context += strlen(action);
	return 0;
}

static int take_service(const struct swp_aws_service *service, void *context)
{
	*(size_t *)context += strlen(service->name) + strlen(service->signing_name);
	return 0;
}

static void ask(const struct swp_catalogue *catalogue)
{
	struct swp_selection selection;
	size_t length = 0;

	swp_selection_all(catalogue, &selection);
	SWP_ASSERT(swp_selection_count(catalogue, &selection) == swp_catalogue_check_count(catalogue));
	swp_selection_actions(catalogue, &selection, NULL, take_action, &length);
	for (int level = 0; level <= SWP_LEVEL_ORGANIZATION; level++) {
		swp_selection_services(catalogue, &selection, (enum swp_level)level, take_service, &length);
		swp_selection_expected_calls(catalogue, &selection, (enum swp_level)level);
	}
	for (size_t i = 0; i < swp_catalogue_check_count(catalogue); i++) {
		const struct swp_check *check = swp_catalogue_check(catalogue, i);
		struct swp_buf arn = {0};

		SWP_ASSERT(swp_catalogue_check_find(catalogue, check->id) == (int)i);
		SWP_ASSERT(check->title && check->service && swp_severity_name(check->severity));
		if (!check->per_resource)
			swp_check_resource(check, "aws", "111122223333", "eu-west-1", "", &arn);
		swp_buf_done(&arn);
	}
	for (size_t i = 0; i < swp_catalogue_chain_count(catalogue); i++)
		SWP_ASSERT(swp_catalogue_chain(catalogue, i)->name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct swp_catalogue *catalogue = NULL;
	struct swp_problem problem = {""};

	if (swp_catalogue_load((const char *)data, size, &catalogue, &problem) == 0)
		ask(catalogue);
	else
		SWP_ASSERT(problem.text[0]);
	swp_catalogue_unref(catalogue);
	return 0;
}
