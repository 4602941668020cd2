/* What our chain finds in this process's environment, as one line of JSON: credentials-probe [--profile NAME].
 * PROBE_MFA_CODE answers the question for an MFA code; without it there is no terminal. Secrets are not printed.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/text.h"
#include "proto/io/credential-source.h"

struct probe {
	struct swp_loop *loop;
	struct swp_credential_wait wait;
	json_t *result;
};

static const struct swp_aws_service probed[] = {
	{.name = "bedrock",
		.endpoint_prefix = "bedrock",
		.endpoint_variable = "BEDROCK",
		.signing_name = "bedrock"},
	{.name = "bedrock-agent",
		.endpoint_prefix = "bedrock-agent",
		.endpoint_variable = "BEDROCK_AGENT",
		.signing_name = "bedrock"},
	{.name = "sagemaker",
		.endpoint_prefix = "api.sagemaker",
		.endpoint_variable = "SAGEMAKER",
		.signing_name = "sagemaker"},
	{.name = "config",
		.endpoint_prefix = "config",
		.endpoint_variable = "CONFIG_SERVICE",
		.signing_name = "config"},
	{.name = "iam",
		.endpoint_prefix = "iam",
		.endpoint_variable = "IAM",
		.signing_name = "iam",
		.scope = SWP_SCOPE_GLOBAL},
	{.name = "sts", .endpoint_prefix = "sts", .endpoint_variable = "STS", .signing_name = "sts"},
};

static void set_text(json_t *object, const char *member, const char *text)
{
	json_object_set_new(object, member, json_string(text));
}

static void done(struct swp_credential_wait *wait, const struct swp_credentials *credentials,
	const struct swp_problem *problem)
{
	struct probe *probe = SWP_CONTAINER_OF(wait, struct probe, wait);
	set_text(probe->result, "error", swp_credential_error_name(wait->error));
	set_text(probe->result, "message", problem ? problem->text : "");
	if (credentials) {
		set_text(probe->result, "access_key_id", credentials->access_key_id);
		set_text(probe->result, "account", credentials->account_id);
		set_text(probe->result, "source", credentials->source);
		json_object_set_new(
			probe->result, "token", json_boolean(swp_secret_is_set(&credentials->session_token)));
		json_object_set_new(probe->result, "secret_length",
			json_integer((json_int_t)credentials->secret_access_key.length));
		json_object_set_new(probe->result, "expires", json_boolean(credentials->expires_at_ms != 0));
	}
	swp_loop_stop(probe->loop);
}

static void ask(void *context, struct swp_credential_source *source, const char *question)
{
	(void)context;
	(void)question;
	swp_credential_source_code(source, getenv("PROBE_MFA_CODE"));
}

static void put_endpoints(struct probe *probe, const struct swp_credential_source *source)
{
	const struct swp_aws_service *services[SWP_ARRAY_SIZE(probed)];
	struct swp_endpoint_options options = {0};
	struct swp_problem problem = {0};
	json_t *endpoints = json_object();
	for (size_t i = 0; i < SWP_ARRAY_SIZE(probed); i++)
		services[i] = &probed[i];
	if (swp_credential_source_endpoints(source, services, SWP_ARRAY_SIZE(services), &options, &problem) <
		0)
		set_text(probe->result, "endpoint_problem", problem.text);
	for (size_t i = 0; i < SWP_ARRAY_SIZE(probed); i++) {
		struct swp_endpoint endpoint;
		char url[600];
		if (swp_endpoint_resolve(&options, swp_partition_by_name("aws"), &probed[i], "eu-west-1",
			    &endpoint) != 0 ||
			!endpoint.configured)
			continue;
		snprintf(url, sizeof(url), "%s://%s%s", endpoint.scheme, endpoint.host, endpoint.path);
		set_text(endpoints, probed[i].name, url);
	}
	json_object_set_new(probe->result, "endpoints", endpoints);
	set_text(probe->result, "region", swp_credential_source_region(source));
	swp_endpoint_options_done(&options);
}

static int run(struct probe *probe, const char *profile)
{
	struct swp_problem problem = {0};
	const struct swp_credential_prompt prompt = {.ask = ask};
	const struct swp_credential_source_options options = {
		.profile = profile, .prompt = getenv("PROBE_MFA_CODE") ? &prompt : NULL};
	const struct swp_http_options http_options = {.https_proxy = getenv("HTTPS_PROXY"),
		.no_proxy = "sts.example,127.0.0.2",
		.user_agent = "orgsweep-probe"};
	struct swp_credential_source *source =
		swp_credential_source_new(probe->loop, NULL, NULL, &options, &problem);
	if (!source) {
		set_text(probe->result, "error", "bad-file");
		set_text(probe->result, "message", problem.text);
		return 0;
	}
	put_endpoints(probe, source);
	struct swp_http_client *http = swp_http_client_new(probe->loop, &http_options, &problem);
	int failed = !http || swp_credential_source_attach(source, http, NULL) < 0 ||
		     swp_credential_source_get(source, &probe->wait) < 0 || swp_loop_run(probe->loop) < 0;
	swp_credential_source_free(source);
	swp_http_client_free(http);
	return failed;
}

int main(int argc, char **argv)
{
	struct probe probe = {
		.loop = swp_loop_new(swp_clock_system()), .wait = {.done = done}, .result = json_object()};
	const char *profile = argc == 3 && strcmp(argv[1], "--profile") == 0 ? argv[2] : NULL;
	int failed = !probe.loop || run(&probe, profile);
	char *text = json_dumps(probe.result, JSON_COMPACT | JSON_SORT_KEYS);
	puts(text ? text : "{}");
	free(text);
	json_decref(probe.result);
	swp_loop_free(probe.loop);
	return failed;
}
