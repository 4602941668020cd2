/* worker/options.h: each option by command line and environment, and what is refused. */
#include <errno.h>
#include <setjmp.h> /* cmocka.h wants it */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "worker/options.h"

static const char *const *environment; /* NAME, value, …, NULL */

static const char *from_environment(const char *name, void *context)
{
	(void)context;
	for (const char *const *entry = environment; entry && *entry; entry += 2)
		if (strcmp(entry[0], name) == 0)
			return entry[1];
	return NULL;
}

static int parse(
	const char *const *arguments, struct swp_worker_options *options, struct swp_problem *problem)
{
	const char *argv[64] = {"orgsweep-worker"};
	int argc = 1;

	for (; *arguments; arguments++)
		argv[argc++] = *arguments;
	return swp_worker_options_parse(argc, argv, from_environment, NULL, options, problem);
}
#define PARSE(options, problem, ...) parse((const char *const[]){__VA_ARGS__, NULL}, options, problem)
#define NEEDED "--connect", "tcp://h:1", "--key", "k", "--server-key", "s", "--store", "redis://r"

static void test_plain(void **state)
{
	struct swp_worker_options options;
	struct swp_problem problem = {""};

	(void)state;
	environment = NULL;
	assert_int_equal(PARSE(&options, &problem, NEEDED, "--connect=ipc:///x", "--name", "n",
				 "--log-format", "json", "--metrics", ":9718"),
		0);
	assert_string_equal(options.metrics, ":9718");
	assert_int_equal(options.connect_count, 2);
	assert_string_equal(options.connect[1], "ipc:///x");
	assert_string_equal(options.key, "k");
	assert_string_equal(options.server_key, "s");
	assert_string_equal(options.store, "redis://r");
	assert_string_equal(options.name, "n");
	assert_null(options.https_proxy);
}

static void test_environment(void **state)
{
	static const char *const values[] = {"ORGSWEEP_CONNECT", "tcp://e:1", "ORGSWEEP_KEY", "ek",
		"ORGSWEEP_SERVER_KEY", "es", "ORGSWEEP_STORE", "redis://e", "AWS_CA_BUNDLE", "/ca",
		"https_proxy", "http://p", "NO_PROXY", "", "no_proxy", "a,b", NULL};
	struct swp_worker_options options;
	struct swp_problem problem = {""};

	(void)state;
	environment = values;
	assert_int_equal(PARSE(&options, &problem, "--key", "given"), 0);
	assert_string_equal(options.key, "given"); /* the command line wins */
	assert_string_equal(options.connect[0], "tcp://e:1");
	assert_string_equal(options.server_key, "es");
	assert_string_equal(options.store, "redis://e");
	assert_string_equal(options.ca_file, "/ca");
	assert_string_equal(options.https_proxy, "http://p"); /* either case */
	assert_string_equal(options.no_proxy, "a,b");	      /* an empty one is unset */
}

static const struct {
	const char *arguments[12];
	const char *says;
} refused[] = {
	{{"--conect", "x"}, "did you mean --connect"},
	{{"--frobnicate"}, "unknown option --frobnicate"},
	{{"--serverkey=x"}, "did you mean --server-key"},
	{{"stray"}, "unknown option stray"},
	{{"--key"}, "--key wants FILE"},
	{{"--key="}, "--key is empty"},
	{{"--help=yes"}, "--help takes no value"},
	{{"--connect", "a", "--key", "b", "--store", "c"}, "--server-key FILE is needed"},
	{{NEEDED, "--log-format", "xml"}, "text or json"},
	{{NEEDED, "--credits", "many"}, "--credits is a number"},
};

static void test_refused(void **state)
{
	(void)state;
	environment = NULL;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(refused); i++) {
		struct swp_worker_options options;
		struct swp_problem problem = {""};

		assert_int_equal(parse(refused[i].arguments, &options, &problem), -EINVAL);
		if (!strstr(problem.text, refused[i].says))
			fail_msg("\"%s\" does not say \"%s\"", problem.text, refused[i].says);
	}
}

static void test_too_many_coordinators(void **state)
{
	const char *arguments[2 * SWP_LIMIT_COORDINATORS + 3] = {NULL};
	struct swp_worker_options options;
	struct swp_problem problem = {""};

	(void)state;
	environment = NULL;
	for (int i = 0; i <= SWP_LIMIT_COORDINATORS; i++) {
		arguments[2 * i] = "--connect";
		arguments[2 * i + 1] = "tcp://h:1";
	}
	assert_int_equal(parse(arguments, &options, &problem), -EINVAL);
	assert_non_null(strstr(problem.text, "may be given"));
}

static void test_help(void **state)
{
	struct swp_worker_options options;
	struct swp_problem problem = {""};
	struct swp_buf text = {0};

	(void)state;
	environment = NULL;
	assert_int_equal(PARSE(&options, &problem, "--help"), 0);
	assert_true(options.help);
	assert_int_equal(swp_worker_options_help(&text), 0);
	for (size_t i = 0; i < 6; i++) {
		static const char *const shown[] = {
			"--connect", "--key", "--server-key", "--store", "--name", "AWS_CA_BUNDLE"};

		assert_non_null(strstr(swp_buf_text(&text), shown[i]));
	}
	assert_null(strstr(swp_buf_text(&text), "die-with-parent"));
	assert_non_null(strstr(swp_buf_text(&text), "ORGSWEEP_STORE_SENTINEL_USER"));
	assert_null(strstr(swp_buf_text(&text), "ORGSWEEP_STORE_WORKER")); /* a coordinator's business */
	swp_buf_done(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_too_many_coordinators),
		cmocka_unit_test(test_help),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
