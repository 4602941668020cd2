/* What a local worker is started with: never AWS credentials. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "coordinator/workers.h"

static void no_credentials_in_the_environment(void **state)
{
	const char *environment[] = {"PATH=/bin", "AWS_ACCESS_KEY_ID=AKIA", "AWS_SECRET_ACCESS_KEY=secret",
		"AWS_SESSION_TOKEN=token", "AWS_PROFILE=p", "AWS_WEB_IDENTITY_TOKEN_FILE=/x",
		"AWS_CA_BUNDLE=/old.pem", "HTTPS_PROXY=http://old", "HOME=/home/x",
		"ORGSWEEP_STORE_PASSWORD=secret", "ORGSWEEP_EXTERNAL_ID=secret",
		"ORGSWEEP_STORE_PASSWORD_FILE=/x", "ORGSWEEP_STORE_WORKER_USER=w",
		"ORGSWEEP_STORE_WORKER_PASSWORD=secret", NULL};
	const char *extra[] = {"AWS_CA_BUNDLE=/new.pem", "HTTPS_PROXY=http://new", NULL};
	static const char *const expected[] = {
		"PATH=/bin", "HOME=/home/x", "AWS_CA_BUNDLE=/new.pem", "HTTPS_PROXY=http://new"};
	char **result = swp_workers_environment((char *const *)environment, extra);

	(void)state;
	assert_non_null(result);
	for (size_t i = 0; i < SWP_ARRAY_SIZE(expected); i++)
		assert_string_equal(result[i], expected[i]);
	assert_null(result[SWP_ARRAY_SIZE(expected)]);
	swp_workers_environment_free(result);
	swp_workers_environment_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(no_credentials_in_the_environment)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
