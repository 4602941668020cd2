/* Config and credentials files: what parses to what, what is refused with which line, settings and endpoints. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/aws/profile.h"
#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

#define MARKER "PLANTEDmarker0123456789"

struct variable {
	const char *name, *value;
};

static const char *map_get(void *context, const char *name)
{
	for (const struct variable *v = context; v && v->name; v++)
		if (strcmp(v->name, name) == 0)
			return v->value;
	return NULL;
}

static struct swp_environment environment_of(const struct variable *variables)
{
	return (struct swp_environment){
		.get = map_get, .context = (void *)(uintptr_t)variables, .home = "/home/x"};
}

static struct swp_profile_set *parse(const char *config, const char *credentials)
{
	struct swp_problem problem = {0};
	struct swp_profile_set *set = swp_profile_set_new();
	assert_non_null(set);
	int r = swp_profile_set_add(set, SWP_PROFILE_CONFIG, "CONFIG", config, strlen(config), &problem);
	if (r == 0)
		r = swp_profile_set_add(
			set, SWP_PROFILE_CREDENTIALS, "CREDS", credentials, strlen(credentials), &problem);
	if (r != 0)
		fail_msg("%d: %s", r, problem.text);
	return set;
}

static void check_text(const char *name, const char *got, const char *expected)
{
	if (!swp_text_equal(got, expected))
		fail_msg("%s: got \"%s\", expected \"%s\"", name, got ? got : "(none)",
			expected ? expected : "(none)");
}

static void values(void **state)
{
	(void)state;
	static const struct {
		const char *name, *config, *credentials, *profile, *key, *expected;
	} rows[] = {
		{"plain", "[profile a]\nregion = eu-west-1\n", "", "a", "region", "eu-west-1"},
		{"default", "[default]\nregion=eu-west-1", "", "default", "region", "eu-west-1"},
		{"profile default", "[profile default]\nregion=eu-west-1", "", "default", "region",
			"eu-west-1"},
		{"the later default wins", "[profile default]\nregion=a\n[default]\nregion=b", "", "default",
			"region", "b"},
		{"quoted name", "[profile \"my own\"]\nregion=x\n", "", "my own", "region", "x"},
		{"single quotes", "[profile 'my own']\nregion=x\n", "", "my own", "region", "x"},
		{"blanks in header", "[profile   a]\nregion=x\n", "", "a", "region", "x"},
		{"text behind header", "[profile a] # mine\nregion=x\n", "", "a", "region", "x"},
		{"bare section is no profile", "[a]\nregion=x\n", "", "a", "region", NULL},
		{"prefix must be a word", "[profilea]\nregion=x\n", "", "a", "region", NULL},
		{"three words are none", "[profile a b]\nregion=x\n", "", "a", "region", NULL},
		{"open quote is none", "[profile \"a]\nregion=x\n", "", "a", "region", NULL},
		{"credentials have bare names", "", "[a]\nregion=x\n", "a", "region", "x"},
		{"credentials with the word keep it", "", "[profile a]\nregion=x\n", "profile a", "region",
			"x"},
		{"credentials win", "[profile a]\nregion=x\n", "[a]\nregion=y\n", "a", "region", "y"},
		{"one profile of two files", "[profile a]\nregion=x\n", "[a]\noutput=y\n", "a", "region",
			"x"},
		{"keys ignore case", "[profile a]\nReGion = x\n", "", "a", "region", "x"},
		{"colon", "[profile a]\nregion: x\n", "", "a", "region", "x"},
		{"first delimiter", "[profile a]\nk: x=y\n", "", "a", "k", "x=y"},
		{"equals in value", "[profile a]\nk = x=y:z\n", "", "a", "k", "x=y:z"},
		{"comment lines", "# c\n[profile a]\n; d\n # e\nk = x\n", "", "a", "k", "x"},
		{"no comment behind a value", "[profile a]\nk = x # y\n", "", "a", "k", "x # y"},
		{"CRLF", "[profile a]\r\nk = x\r\n", "", "a", "k", "x"},
		{"byte order mark", "\xef\xbb\xbf[profile a]\nk = x\n", "", "a", "k", "x"},
		{"empty value", "[profile a]\nk =\nl = x\n", "", "a", "k", ""},
		{"continuation", "[profile a]\nk = x\n  y\n", "", "a", "k", "x\ny"},
		{"indented keys at the same depth", "[profile a]\n  k = x\n  l = y\n", "", "a", "l", "y"},
		{"a deeper one continues", "[profile a]\nk = x\n  l = y\n", "", "a", "l", NULL},
		{"a group is no value", "[profile a]\ns3 =\n  k = v\n", "", "a", "s3", NULL},
		{"a group does not leak its keys", "[profile a]\ns3 =\n  k = v\n", "", "a", "k", NULL},
		{"after a group", "[profile a]\ns3 =\n  k = v\nregion = x\n", "", "a", "region", "x"},
		{"comment within a group", "[profile a]\ns3 =\n  k = v\n# c\n  l = w\nregion = x\n", "", "a",
			"region", "x"},
		{"header with bracket", "[profile a]b]\nk=v\n", "", "a]b", "k", "v"},
		{"utf-8", "[profile gr\xc3\xbc\xc3\x9f]\nk=v\n", "", "gr\xc3\xbc\xc3\x9f", "k", "v"},
		{"empty files", "", "", "default", "k", NULL},
	};
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		struct swp_profile_set *set = parse(rows[i].config, rows[i].credentials);
		check_text(
			rows[i].name, swp_profile_get(set, rows[i].profile, rows[i].key), rows[i].expected);
		swp_profile_set_free(set);
	}
}

static void faults(void **state)
{
	(void)state;
	static const struct {
		const char *name, *bytes, *expected; /* part of the message */
	} rows[] = {
		{"no delimiter", "[default]\n" MARKER "\n", "CREDS line 2: expected"},
		{"no section", "aws_secret_access_key = " MARKER "\n", "CREDS line 1: a key stands before"},
		{"no key", "[default]\n= " MARKER "\n", "line 2: expected"},
		{"section twice", "[a]\n[b]\n[a]\n",
			"line 3: section [a] stands there twice, the first time in line 1"},
		{"key twice", "[a]\nk = " MARKER "\nK = " MARKER "\n",
			"line 3: key k stands twice in its section, the first time in line 2"},
		{"bad group", "[a]\ns3 =\n  " MARKER "\n", "line 2: below this key"},
		{"not UTF-8", "[a]\nk = \xff\n", "CREDS is not UTF-8"},
		{"unclosed header", "[a\n" MARKER " = x\n", "line 1: expected"},
	};
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		struct swp_problem problem = {0};
		struct swp_profile_set *set = swp_profile_set_new();
		int r = swp_profile_set_add(set, SWP_PROFILE_CREDENTIALS, "CREDS", rows[i].bytes,
			strlen(rows[i].bytes), &problem);
		if (r != -EINVAL || !strstr(problem.text, rows[i].expected))
			fail_msg("%s: got %d \"%s\", expected \"%s\"", rows[i].name, r, problem.text,
				rows[i].expected);
		assert_null(strstr(problem.text, MARKER));
		swp_profile_set_free(set);
	}
}

static void ceilings(void **state)
{
	(void)state;
	struct swp_problem problem = {0};
	struct swp_profile_set *set = swp_profile_set_new();
	size_t length = SWP_LIMIT_FILE_BYTES + 1;
	char *huge = calloc(1, length);
	memset(huge, '#', length);
	assert_int_equal(swp_profile_set_add(set, SWP_PROFILE_CONFIG, "F", huge, length, &problem), -E2BIG);
	assert_int_equal(swp_profile_set_add(set, SWP_PROFILE_CONFIG, "F", huge, length - 1, &problem), 0);
	free(huge);
	struct swp_buf many = {0};
	for (int i = 0; i <= SWP_LIMIT_PROFILE_SECTIONS; i++)
		swp_buf_append_format(&many, "[profile p%d]\nk=v\n", i);
	assert_int_equal(
		swp_profile_set_add(set, SWP_PROFILE_CONFIG, "F", many.data, many.length, &problem), -E2BIG);
	assert_non_null(strstr(problem.text, "more than 10000 sections"));
	swp_buf_done(&many);
	swp_profile_set_free(set);
	char words[2 * SWP_LIMIT_COMMAND_WORDS + 4];
	for (size_t i = 0; i < sizeof(words) - 1; i++)
		words[i] = i % 2 ? ' ' : 'w';
	words[sizeof(words) - 1] = 0;
	char **split = NULL;
	assert_int_equal(swp_words_split(words, &split, NULL), -E2BIG);
}

static void words(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int result;
		const char *joined; /* words, each behind a '|' */
	} rows[] = {
		{"a b c", 0, "|a|b|c"},
		{"  a\t b ", 0, "|a|b"},
		{"", 0, ""},
		{"a \"b c\" d", 0, "|a|b c|d"},
		{"a 'b \"c' d", 0, "|a|b \"c|d"},
		{"a\\ b", 0, "|a b"},
		{"\"a\\\"b\" \"c\\d\"", 0, "|a\"b|c\\d"},
		{"'a\\b'", 0, "|a\\b"},
		{"a\"\"b '' c", 0, "|ab||c"},
		{"x$HOME `y` ;z", 0, "|x$HOME|`y`|;z"},
		{"\"a", -EINVAL, NULL},
		{"a\\", -EINVAL, NULL},
		{"'a", -EINVAL, NULL},
	};
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		char **split = NULL;
		size_t count = 0;
		int r = swp_words_split(rows[i].text, &split, &count);
		if (r != rows[i].result)
			fail_msg("%s: got %d, expected %d", rows[i].text, r, rows[i].result);
		struct swp_buf joined = {0};
		for (size_t k = 0; r == 0 && k < count; k++)
			swp_buf_append_format(&joined, "|%s", split[k]);
		if (r == 0)
			check_text(rows[i].text, swp_buf_text(&joined), rows[i].joined);
		swp_buf_done(&joined);
		swp_words_free(split);
	}
}

static void paths(void **state)
{
	(void)state;
	const struct variable variables[] = {{"A", "/a"}, {"AWS_CONFIG_FILE", "~/$B/${A}x"}, {0}};
	struct swp_environment environment = environment_of(variables);
	static const struct {
		const char *path, *expected;
	} rows[] = {
		{"~/x", "/home/x/x"},
		{"~", "/home/x"},
		{"~y/x", "~y/x"},
		{"$A/x", "/a/x"},
		{"${A}x", "/ax"},
		{"$NONE/x", "$NONE/x"},
		{"${A", "${A"},
		{"a$", "a$"},
	};
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		struct swp_buf out = {0};
		assert_int_equal(swp_path_expand(&environment, rows[i].path, &out), 0);
		check_text(rows[i].path, swp_buf_text(&out), rows[i].expected);
		swp_buf_done(&out);
	}
	struct swp_buf out = {0};
	swp_profile_path(&environment, SWP_PROFILE_CONFIG, &out);
	check_text("config", swp_buf_text(&out), "/home/x/$B//ax");
	swp_buf_clear(&out);
	swp_profile_path(&environment, SWP_PROFILE_CREDENTIALS, &out);
	check_text("credentials", swp_buf_text(&out), "/home/x/.aws/credentials");
	swp_buf_done(&out);
}

static void sections(void **state)
{
	(void)state;
	struct swp_profile_set *set = parse("[profile prod]\nx=1\n[profile prod-eu]\nx=1\n[sso-session "
					    "corp]\nsso_region = eu-west-1\n[services local]\nbedrock =\n"
					    "  endpoint_url = http://b\nsts = \n  endpoint_url = http://s\n",
		"[other]\nx=1\n");
	assert_true(swp_profile_exists(set, "prod") && swp_profile_exists(set, "other") &&
		    !swp_profile_exists(set, "corp"));
	check_text("nearest", swp_profile_nearest(set, "prodd"), "prod");
	check_text("nearest", swp_profile_nearest(set, "prod-us"), "prod-eu");
	check_text("nearest", swp_profile_nearest(set, "zzzzzzzz"), NULL);
	check_text("nearest session", swp_sso_session_nearest(set, "crop"), "corp");
	assert_true(swp_sso_session_exists(set, "corp") && !swp_sso_session_exists(set, "prod"));
	check_text("session", swp_sso_session_get(set, "corp", "sso_region"), "eu-west-1");
	check_text("service", swp_services_get(set, "local", "bedrock", "endpoint_url"), "http://b");
	check_text("service", swp_services_get(set, "local", "iam", "endpoint_url"), NULL);
	check_text("path", swp_profile_set_path(set, SWP_PROFILE_CONFIG), "CONFIG");
	swp_profile_set_free(set);
}

static void settings(void **state)
{
	(void)state;
	struct swp_profile_set *set = parse("[profile a]\nregion = p\nuse_fips_endpoint = TRUE\n", "");
	const struct variable both[] = {
		{"AWS_REGION", "r"}, {"AWS_DEFAULT_REGION", "d"}, {"AWS_USE_FIPS_ENDPOINT", "false"}, {0}};
	const struct variable old[] = {
		{"AWS_REGION", ""}, {"AWS_DEFAULT_REGION", "d"}, {"AWS_DEFAULT_PROFILE", "q"}, {0}};
	const struct variable none[] = {{0}};
	struct swp_environment environment = environment_of(both);
	check_text("both", swp_setting_get(set, &environment, "a", SWP_SETTING_REGION), "r");
	assert_false(swp_setting_is_true(set, &environment, "a", SWP_SETTING_USE_FIPS));
	environment = environment_of(old);
	bool named = false;
	check_text("old", swp_setting_get(set, &environment, "a", SWP_SETTING_REGION), "d");
	check_text("profile", swp_profile_choose(&environment, NULL, &named), "q");
	assert_true(named);
	check_text("profile", swp_profile_choose(&environment, "x", &named), "x");
	environment = environment_of(none);
	check_text("none", swp_setting_get(set, &environment, "a", SWP_SETTING_REGION), "p");
	check_text("no profile", swp_setting_get(set, &environment, "b", SWP_SETTING_REGION), NULL);
	assert_true(swp_setting_is_true(set, &environment, "a", SWP_SETTING_USE_FIPS));
	check_text("profile", swp_profile_choose(&environment, NULL, &named), "default");
	assert_false(named);
	for (int setting = 0; setting < SWP_SETTING_COUNT; setting++)
		assert_non_null(swp_setting_variable(setting));
	swp_profile_set_free(set);
}

static const struct swp_aws_service agent = {.name = "bedrock-agent",
	.endpoint_prefix = "bedrock-agent",
	.endpoint_variable = "BEDROCK_AGENT",
	.signing_name = "bedrock",
	.protocol = SWP_PROTOCOL_REST_JSON};
static const struct swp_aws_service iam = {.name = "iam",
	.endpoint_prefix = "iam",
	.endpoint_variable = "IAM",
	.signing_name = "iam",
	.scope = SWP_SCOPE_GLOBAL};
static const struct swp_aws_service *const services[] = {&agent, &iam};

static void endpoints(void **state)
{
	(void)state;
	static const char *const config =
		"[profile p]\nservices = local\nendpoint_url = http://own\n[services local]\nbedrock_agent "
		"=\n  endpoint_url = http://section\n";
	static const struct {
		const char *name, *config;
		struct variable variables[4];
		const char *agent, *iam; /* hosts; NULL: AWS's own */
	} rows[] = {
		{"nothing", "[profile p]\n", {{0}}, NULL, NULL},
		{"profile", config, {{0}}, "section", "own"},
		{"variable beats section", config, {{"AWS_ENDPOINT_URL_BEDROCK_AGENT", "http://variable"}},
			"variable", "own"},
		{"global variable beats the profile", config, {{"AWS_ENDPOINT_URL", "http://global"}},
			"global", "global"},
		{"variable beats global variable", config,
			{{"AWS_ENDPOINT_URL", "http://global"}, {"AWS_ENDPOINT_URL_IAM", "http://iam"}},
			"global", "iam"},
		{"empty is unset", config, {{"AWS_ENDPOINT_URL", ""}}, "section", "own"},
		{"ignored", config,
			{{"AWS_ENDPOINT_URL", "http://global"},
				{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"}},
			NULL, NULL},
	};
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		struct swp_problem problem = {0};
		struct swp_profile_set *set = parse(rows[i].config, "");
		struct swp_environment environment = environment_of(rows[i].variables);
		struct swp_endpoint_options options = {0};
		int r = swp_profile_endpoints(set, &environment, "p", services, 2, &options, &problem);
		if (r != 0)
			fail_msg("%s: %s", rows[i].name, problem.text);
		const char *expected[] = {rows[i].agent, rows[i].iam};
		for (size_t k = 0; k < 2; k++) {
			struct swp_endpoint endpoint;
			r = swp_endpoint_resolve(
				&options, swp_partition_by_name("aws"), services[k], "eu-west-1", &endpoint);
			assert_int_equal(r, 0);
			if (expected[k])
				check_text(rows[i].name, endpoint.host, expected[k]);
			else
				assert_false(endpoint.configured);
		}
		swp_endpoint_options_done(&options);
		swp_profile_set_free(set);
	}
}

static void endpoint_faults(void **state)
{
	(void)state;
	static const struct {
		const char *config;
		struct variable variables[2];
		const char *expected;
	} rows[] = {
		{"[profile p]\nservices = gone\n", {{0}}, "no section [services gone]"},
		{"[profile p]\n", {{"AWS_ENDPOINT_URL", "nonsense"}}, "AWS_ENDPOINT_URL"},
		{"[profile p]\nendpoint_url = ftp://x\n", {{0}}, "endpoint_url of the profile"},
		{"[profile p]\nuse_fips_endpoint = yes\n", {{0}},
			"AWS_USE_FIPS_ENDPOINT (or use_fips_endpoint of profile p) must be true or false"},
	};
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		struct swp_problem problem = {0};
		struct swp_profile_set *set = parse(rows[i].config, "");
		struct swp_environment environment = environment_of(rows[i].variables);
		struct swp_endpoint_options options = {0};
		int r = swp_profile_endpoints(set, &environment, "p", services, 2, &options, &problem);
		if (r != -EINVAL || !strstr(problem.text, rows[i].expected))
			fail_msg("got %d \"%s\", expected \"%s\"", r, problem.text, rows[i].expected);
		swp_endpoint_options_done(&options);
		swp_profile_set_free(set);
	}
}

static void failing_allocations(void **state)
{
	(void)state;
	static const char *const config =
		"[profile \"a\"]\nregion = x\ns3 =\n  k = v\n[sso-session s]\na = b\n";
	bool passed = false;
	for (unsigned long nth = 1; !passed; nth++) {
		assert_true(nth < 1000);
		swp_alloc_fail_at(nth, 0);
		struct swp_profile_set *set = swp_profile_set_new();
		int r = set ? swp_profile_set_add(set, SWP_PROFILE_CONFIG, "F", config, strlen(config), NULL)
			    : -ENOMEM;
		swp_alloc_fail_at(0, 0);
		assert_true(r == 0 || r == -ENOMEM);
		passed = r == 0 && swp_profile_get(set, "a", "region") && nth > 20;
		swp_profile_set_free(set);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values),
		cmocka_unit_test(faults),
		cmocka_unit_test(ceilings),
		cmocka_unit_test(words),
		cmocka_unit_test(paths),
		cmocka_unit_test(sections),
		cmocka_unit_test(settings),
		cmocka_unit_test(endpoints),
		cmocka_unit_test(endpoint_faults),
		cmocka_unit_test(failing_allocations),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
