/* The config and credentials files from any bytes: parse, then ask for everything and plan with it. The first byte says which
 * file the rest is.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/aws/credentials.h"
#include "proto/aws/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct swp_aws_service service = {.name = "bedrock",
	.endpoint_prefix = "bedrock",
	.endpoint_variable = "BEDROCK",
	.signing_name = "bedrock"};
static const struct swp_aws_service *const services[] = {&service};

static void plan(
	const struct swp_profile_set *set, const struct swp_environment *environment, const char *profile)
{
	struct swp_problem problem = {0};
	struct swp_credential_plan made = {0};
	if (swp_credential_plan_make(set, environment, profile, &made, &problem) == 0)
		SWP_ASSERT(made.count > 0 && made.count <= SWP_LIMIT_PROFILE_CHAIN + 1);
	swp_credential_plan_done(&made);
	struct swp_endpoint_options options = {0};
	swp_profile_endpoints(
		set, environment, profile ? profile : "default", services, 1, &options, &problem);
	swp_endpoint_options_done(&options);
}

static void ask_everything(const struct swp_profile_set *set)
{
	const struct swp_environment environment = {.home = "/h"};
	static const char *const names[] = {"default", "a", "b", "p"};
	for (size_t i = 0; i < SWP_ARRAY_SIZE(names); i++) {
		swp_profile_get(set, names[i], "region");
		swp_profile_nearest(set, names[i]);
		swp_sso_session_get(set, names[i], "sso_region");
		swp_services_get(set, names[i], "bedrock", "endpoint_url");
		for (int setting = 0; setting < SWP_SETTING_COUNT; setting++)
			swp_setting_get(set, &environment, names[i], (enum swp_setting)setting);
		plan(set, &environment, names[i]);
	}
	plan(set, &environment, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct swp_problem problem = {0};
	struct swp_profile_set *set = swp_profile_set_new();
	if (!set || size == 0) {
		swp_profile_set_free(set);
		return 0;
	}
	enum swp_profile_file file = data[0] & 1 ? SWP_PROFILE_CREDENTIALS : SWP_PROFILE_CONFIG;
	int r = swp_profile_set_add(set, file, "F", (const char *)data + 1, size - 1, &problem);
	if (r == 0)
		ask_everything(set);
	else
		SWP_ASSERT(problem.text[0]);
	swp_profile_set_free(set);
	char **words = NULL;
	char *text = strndup((const char *)data + 1, size - 1);
	if (text && swp_words_split(text, &words, NULL) == 0)
		swp_words_free(words);
	free(text);
	return 0;
}
