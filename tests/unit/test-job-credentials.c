/* Keys of a job: each is that of its own day, region, service and session, whatever others it shares its first steps with. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/job-credentials.h"
#include "proto/aws/sigv4.h"
#include "proto/base/alloc.h"

#define NOON_MS 1795953600000 /* 2026-11-29T12:00:00Z */

/* Two regional ones, one that signs for the global region, and one more regional one: the shared steps must be made anew twice. */
static const struct swp_aws_service services[] = {
	{.name = "alpha", .signing_name = "alpha", .endpoint_prefix = "alpha", .scope = SWP_SCOPE_REGIONAL},
	{.name = "beta", .signing_name = "beta", .endpoint_prefix = "beta", .scope = SWP_SCOPE_REGIONAL},
	{.name = "iam", .signing_name = "iam", .endpoint_prefix = "iam", .scope = SWP_SCOPE_GLOBAL},
	{.name = "gamma", .signing_name = "gamma", .endpoint_prefix = "gamma", .scope = SWP_SCOPE_REGIONAL},
};
#define SERVICE_COUNT (sizeof(services) / sizeof(services[0]))

struct fixture {
	const struct swp_aws_service *list[SERVICE_COUNT];
	struct swp_job_services services;
	struct swp_session_service session_of[1];
	struct swp_session_policies policies;
	struct swp_endpoint_options endpoints;
	struct swp_credentials sessions[2];
	struct swp_job_credentials_scope scope;
};

static void set_up(struct fixture *fixture)
{
	static char beta[] = "beta";

	*fixture = (struct fixture){0};
	for (size_t i = 0; i < SERVICE_COUNT; i++)
		fixture->list[i] = &services[i];
	fixture->services.services[SWP_LEVEL_REGION] = fixture->list;
	fixture->services.counts[SWP_LEVEL_REGION] = SERVICE_COUNT;
	fixture->session_of[0].name = beta;
	fixture->session_of[0].session = 1;
	fixture->policies.services = fixture->session_of;
	fixture->policies.service_count = 1;
	fixture->policies.count = 2;
	assert_int_equal(swp_secret_set_text(&fixture->sessions[0].secret_access_key, "first"), 0);
	assert_int_equal(swp_secret_set_text(&fixture->sessions[1].secret_access_key, "second"), 0);
	fixture->scope = (struct swp_job_credentials_scope){.services = &fixture->services,
		.partition = swp_partition_by_name("aws"),
		.endpoints = &fixture->endpoints,
		.policies = &fixture->policies};
}

static void tear_down(struct fixture *fixture)
{
	for (size_t i = 0; i < 2; i++)
		swp_credentials_done(&fixture->sessions[i]);
	swp_endpoint_options_done(&fixture->endpoints);
}

static int make(struct fixture *fixture, const char *region, struct swp_wire_credentials *ret_credentials)
{
	return swp_job_credentials_make(
		&fixture->scope, fixture->sessions, 2, SWP_LEVEL_REGION, region, NOON_MS, ret_credentials);
}

static void assert_own_key(const struct fixture *fixture, const struct swp_wire_signing_key *key)
{
	const struct swp_secret *secret = &fixture->sessions[key->session].secret_access_key;
	struct swp_signing_key wanted;

	assert_int_equal(swp_signing_key_derive(secret, key->day, key->region, key->service, &wanted), 0);
	assert_int_equal(key->key.length, sizeof(wanted.key));
	assert_memory_equal(key->key.bytes, wanted.key, sizeof(wanted.key));
}

static void each_key_is_its_own(void **state)
{
	static const char *const regions[SERVICE_COUNT] = {
		"eu-west-1", "eu-west-1", "us-east-1", "eu-west-1"};
	struct swp_wire_credentials credentials;
	struct fixture fixture;

	(void)state;
	set_up(&fixture);
	assert_int_equal(make(&fixture, "eu-west-1", &credentials), 0);
	assert_int_equal(credentials.key_count, 2 * SERVICE_COUNT);
	for (size_t i = 0; i < credentials.key_count; i++) {
		const struct swp_wire_signing_key *key = &credentials.keys[i];

		assert_string_equal(key->service, services[i / 2].signing_name);
		assert_string_equal(key->region, regions[i / 2]);
		assert_string_equal(key->day, i % 2 == 0 ? "20261129" : "20261130");
		assert_int_equal(key->session, i / 2 == 1);
		assert_own_key(&fixture, key);
	}
	swp_job_credentials_done(&credentials);
	tear_down(&fixture);
}

static void failing_allocations(void **state)
{
	struct swp_wire_credentials credentials;
	struct fixture fixture;
	int result = -ENOMEM;

	(void)state;
	set_up(&fixture);
	for (unsigned long nth = 1; result == -ENOMEM && nth < 200; nth++) {
		swp_alloc_fail_at(nth, 1);
		result = make(&fixture, "eu-west-1", &credentials);
		swp_alloc_fail_at(0, 0);
		assert_true(result == 0 || result == -ENOMEM);
	}
	assert_int_equal(result, 0);
	swp_job_credentials_done(&credentials);
	tear_down(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_key_is_its_own),
		cmocka_unit_test(failing_allocations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
