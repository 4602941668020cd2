/* proto/wire/keyfile.h */
#include <errno.h>
#include <setjmp.h> /* cmocka.h wants it */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "proto/base/limits.h"
#include "proto/wire/keyfile.h"

#define PUBLIC "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
#define SECRET "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"
#define PUBLIC_LINE "public-key = \"" PUBLIC "\"\n"
#define SECRET_LINE "secret-key = \"" SECRET "\"\n"

static void test_round_trip(void **state)
{
	struct swp_keyfile keyfile, again;
	struct swp_buf out = {.secret = true};

	(void)state;
	assert_int_equal(swp_keyfile_parse("a.key", PUBLIC_LINE SECRET_LINE, strlen(PUBLIC_LINE SECRET_LINE),
				 true, &keyfile, NULL),
		0);
	assert_string_equal(keyfile.public_key, PUBLIC);
	assert_string_equal(swp_secret_text(&keyfile.secret_key), SECRET);
	assert_int_equal(swp_keyfile_format(&keyfile, true, &out), 0);
	assert_string_equal(swp_buf_text(&out), PUBLIC_LINE SECRET_LINE);
	assert_int_equal(swp_keyfile_parse("b", out.data, out.length, false, &again, NULL), 0);
	assert_false(swp_secret_is_set(&again.secret_key)); /* not kept when not wanted */
	swp_buf_clear(&out);
	assert_int_equal(swp_keyfile_format(&again, false, &out), 0);
	assert_string_equal(swp_buf_text(&out), PUBLIC_LINE);
	assert_int_equal(swp_keyfile_format(&again, true, &out), -EINVAL);
	swp_keyfile_done(&keyfile);
	swp_keyfile_done(&keyfile);
	swp_keyfile_done(&again);
	swp_buf_done(&out);
}

static const struct {
	const char *name, *text;
	bool want_secret;
	int result;
	const char *says; /* in the message */
} cases[] = {
	{"public alone", PUBLIC_LINE, false, 0, NULL},
	{"comments and blanks", "# made by keys new\n\n  " PUBLIC_LINE "\t\r\n", false, 0, NULL},
	{"no newline at the end", "public-key = \"" PUBLIC "\"", false, 0, NULL},
	{"no spaces", "public-key=\"" PUBLIC "\"", false, 0, NULL},
	{"secret wanted", PUBLIC_LINE, true, -EINVAL, "NAME.key"},
	{"empty", "", false, -EINVAL, "no public-key"},
	{"secret alone", SECRET_LINE, true, -EINVAL, "no public-key"},
	{"twice", PUBLIC_LINE PUBLIC_LINE, false, -EINVAL, ":2: public-key is there twice"},
	{"secret twice", PUBLIC_LINE SECRET_LINE SECRET_LINE, true, -EINVAL, ":3: secret-key is there twice"},
	{"39 characters", "public-key = \"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hI\"\n", false, -EINVAL,
		":1: public-key is not 40"},
	{"not Z85", "public-key = \"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{h~D\"\n", false, -EINVAL,
		"not 40 characters of Z85"},
	{"unquoted", "public-key = " PUBLIC "\n", false, -EINVAL, ":1: neither"},
	{"unknown line", PUBLIC_LINE "color = \"red\"\n", false, -EINVAL, ":2: neither"},
};

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(cases); i++) {
		struct swp_keyfile keyfile = {0};
		struct swp_problem problem = {""};
		int r = swp_keyfile_parse(
			"f", cases[i].text, strlen(cases[i].text), cases[i].want_secret, &keyfile, &problem);

		if (r != cases[i].result)
			fail_msg(
				"%s: %d instead of %d (%s)", cases[i].name, r, cases[i].result, problem.text);
		if (cases[i].says && !strstr(problem.text, cases[i].says))
			fail_msg(
				"%s: \"%s\" does not say \"%s\"", cases[i].name, problem.text, cases[i].says);
		assert_null(strstr(problem.text, SECRET));
		swp_keyfile_done(&keyfile);
	}
}

static void test_ceiling(void **state)
{
	static char text[SWP_LIMIT_KEYFILE_BYTES + 1];
	struct swp_keyfile keyfile;

	(void)state;
	memset(text, '\n', sizeof(text));
	memcpy(text, PUBLIC_LINE, strlen(PUBLIC_LINE));
	assert_int_equal(swp_keyfile_parse("f", text, sizeof(text), false, &keyfile, NULL), -EINVAL);
	assert_int_equal(swp_keyfile_parse("f", text, sizeof(text) - 1, false, &keyfile, NULL), 0);
	swp_keyfile_done(&keyfile);
}

static void test_mode(void **state)
{
	struct swp_problem problem = {""};

	(void)state;
	assert_int_equal(swp_keyfile_check_mode("a.key", 0100600, &problem), 0);
	assert_int_equal(swp_keyfile_check_mode("a.key", 0100400, &problem), 0);
	assert_int_equal(swp_keyfile_check_mode("a.key", 0100640, &problem), -EACCES);
	assert_non_null(strstr(problem.text, "chmod 600 a.key"));
	assert_int_equal(swp_keyfile_check_mode("a.key", 0100604, &problem), -EACCES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_ceiling),
		cmocka_unit_test(test_mode),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
