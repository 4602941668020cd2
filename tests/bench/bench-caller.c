/* Drives signed calls through the caller and prints calls a second, CPU time a call, connections.
 * usage: bench-caller CALLS IN_FLIGHT [REGIONS]
 * The endpoint and keys come from the environment: AWS_ENDPOINT_URL, AWS_CA_BUNDLE, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
 * AWS_SESSION_TOKEN. Signing keys are derived before, as a worker has them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "proto/base/clock.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/io/caller.h"

enum { MAX_REGIONS = 64 };

static const struct swp_aws_service sagemaker = {.name = "sagemaker",
	.protocol = SWP_PROTOCOL_JSON_1_1,
	.target_prefix = "SageMaker",
	.signing_name = "sagemaker",
	.endpoint_prefix = "api.sagemaker"};
static const struct swp_aws_service bedrock = {.name = "bedrock",
	.protocol = SWP_PROTOCOL_REST_JSON,
	.signing_name = "bedrock",
	.endpoint_prefix = "bedrock"};
static const struct swp_aws_query_member guardrail_members[] = {
	{"maxResults", "maxResults"}, {"nextToken", "nextToken"}};
static const struct swp_aws_operation operations[] = {
	{.service = &sagemaker,
		.name = "ListNotebookInstances",
		.method = "POST",
		.uri = "/",
		.input_token = "NextToken",
		.result = "NotebookInstances"},
	{.service = &bedrock,
		.name = "ListGuardrails",
		.method = "GET",
		.uri = "/guardrails",
		.query_members = guardrail_members,
		.query_member_count = 2,
		.input_token = "nextToken",
		.result = "guardrails"},
};

struct bench {
	struct swp_loop *loop;
	struct swp_caller *caller;
	struct swp_caller_identity identity;
	struct swp_signing_key keys[2 * MAX_REGIONS];
	const char *const *regions;
	size_t region_count;
	unsigned long started, wanted, answered, good;
	unsigned long reasons[SWP_REASON_COUNT];
	char first_failure[512];
};

struct slot {
	struct swp_call call;
	struct bench *bench;
};

static void slot_start(struct slot *slot);

static void on_answer(struct swp_call *call, struct swp_answer *answer)
{
	struct slot *slot = SWP_CONTAINER_OF(call, struct slot, call);
	struct bench *bench = slot->bench;

	bench->answered++;
	bench->good += answer->outcome == SWP_OUTCOME_OK;
	bench->reasons[answer->reason]++;
	if (answer->outcome != SWP_OUTCOME_OK && bench->first_failure[0] == '\0')
		snprintf(bench->first_failure, sizeof(bench->first_failure), "%s: %s", answer->error_code,
			answer->message);
	if (bench->started < bench->wanted)
		slot_start(slot);
	else if (bench->answered == bench->wanted)
		swp_loop_stop(bench->loop);
}

static void slot_start(struct slot *slot)
{
	struct bench *bench = slot->bench;
	struct swp_call_request request = {
		.operation = &operations[bench->started % SWP_ARRAY_SIZE(operations)],
		.region = bench->regions[bench->started / 2 % bench->region_count],
		.identity = &bench->identity,
	};

	bench->started++;
	if (swp_call_start(bench->caller, &request, &slot->call, on_answer) != 0) {
		fprintf(stderr, "a call cannot be started\n");
		exit(1);
	}
}

static const char *from_environment(const char *name)
{
	const char *value = getenv(name);

	return value != NULL ? value : "";
}

static int derive_keys(struct bench *bench, const struct swp_secret *secret)
{
	char day[SWP_TIME_TEXT_BYTES];
	int error = 0;

	swp_time_format_basic(swp_clock_wall_ms(swp_clock_system()), day);
	day[8] = '\0';
	for (size_t i = 0; i < bench->region_count && error == 0; i++) {
		error = swp_signing_key_derive(
			secret, day, bench->regions[i], "sagemaker", &bench->keys[2 * i]);
		if (error == 0)
			error = swp_signing_key_derive(
				secret, day, bench->regions[i], "bedrock", &bench->keys[2 * i + 1]);
	}
	bench->identity.keys = bench->keys;
	bench->identity.key_count = 2 * bench->region_count;
	return error;
}

static double cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void report(const struct bench *bench, struct swp_http_client *http, double cpu, double wall)
{
	struct swp_http_statistics statistics;

	swp_http_statistics_get(http, &statistics);
	printf("%lu calls, %lu good: %.0f calls/s, %.1f us CPU a call, %lu connections, %.0f bytes a call\n",
		bench->answered, bench->good, (double)bench->answered / wall,
		cpu * 1e6 / (double)bench->answered, (unsigned long)statistics.connections,
		(double)statistics.bytes_received / (double)bench->answered);
	for (int reason = 1; reason < SWP_REASON_COUNT; reason++) {
		if (bench->reasons[reason] > 0)
			printf("  %lu %s\n", bench->reasons[reason],
				swp_reason_name((enum swp_reason)reason));
	}
	if (bench->first_failure[0] != '\0')
		printf("  first: %s\n", bench->first_failure);
}

static int run(struct bench *bench, struct swp_http_client *http, unsigned long in_flight)
{
	struct slot *slots = calloc(in_flight, sizeof(*slots));
	double cpu = cpu_seconds();
	int64_t began_ms = swp_clock_monotonic_ms(swp_clock_system());
	int error;

	if (slots == NULL)
		return 1;
	for (unsigned long i = 0; i < in_flight && bench->started < bench->wanted; i++) {
		slots[i].bench = bench;
		slot_start(&slots[i]);
	}
	error = swp_loop_run(bench->loop);
	report(bench, http, cpu_seconds() - cpu,
		(double)(swp_clock_monotonic_ms(swp_clock_system()) - began_ms) / 1000.0);
	free(slots);
	return error != 0 || bench->good != bench->wanted;
}

int main(int argc, char **argv)
{
	static struct bench bench;
	uint64_t calls = 0, in_flight = 0, regions = 1;
	struct swp_secret secret = {0}, token = {0};
	struct swp_endpoint_options endpoints = {0};
	struct swp_problem problem = {{0}};
	struct swp_http_options http_options = {
		.ca_file = getenv("AWS_CA_BUNDLE"), .user_agent = "orgsweep/bench"};
	struct swp_caller_options options = {
		.partition = swp_partition_by_name("aws"), .endpoints = &endpoints};
	int failed;

	if (argc < 3 || swp_parse_u64(argv[1], 100000000, &calls) != 0 ||
		swp_parse_u64(argv[2], SWP_LIMIT_CALLS_IN_FLIGHT, &in_flight) != 0 ||
		(argc > 3 && swp_parse_u64(argv[3], 17, &regions) != 0) || in_flight == 0 || regions == 0) {
		fprintf(stderr, "usage: bench-caller CALLS IN_FLIGHT [REGIONS]\n");
		return 2;
	}
	bench.regions = options.partition->default_enabled;
	bench.region_count = regions;
	bench.wanted = calls;
	bench.loop = options.loop = swp_loop_new(swp_clock_system());
	options.http = swp_http_client_new(bench.loop, &http_options, &problem);
	bench.identity.access_key_id = from_environment("AWS_ACCESS_KEY_ID");
	bench.identity.session_token = &token;
	if (options.http == NULL ||
		swp_secret_set(&secret, from_environment("AWS_SECRET_ACCESS_KEY"),
			strlen(from_environment("AWS_SECRET_ACCESS_KEY"))) != 0 ||
		swp_secret_set(&token, from_environment("AWS_SESSION_TOKEN"),
			strlen(from_environment("AWS_SESSION_TOKEN"))) != 0 ||
		swp_endpoint_options_add(
			&endpoints, NULL, NULL, from_environment("AWS_ENDPOINT_URL"), &problem) != 0 ||
		derive_keys(&bench, &secret) != 0) {
		fprintf(stderr, "%s\n", problem.text);
		return 2;
	}
	bench.caller = swp_caller_new(&options);
	failed = run(&bench, options.http, in_flight);
	swp_caller_free(bench.caller);
	swp_http_client_free(options.http);
	swp_loop_free(bench.loop);
	swp_endpoint_options_done(&endpoints);
	swp_secret_set(&secret, NULL, 0);
	swp_secret_set(&token, NULL, 0);
	return failed;
}
