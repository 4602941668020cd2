/* Passwords and TLS files of the store, from an environment of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/alloc.h"
#include "proto/io/files.h"
#include "proto/io/store-access.h"

static char folder[64];

static const char *from_list(const char *name, void *context)
{
	for (const char *const *entry = context; *entry; entry += 2)
		if (strcmp(entry[0], name) == 0)
			return entry[1];
	return NULL;
}

#define FILE_NAME "one"
#define WORKER_USER "ORGSWEEP_STORE_WORKER_USER"
#define WORKER_PASSWORD "ORGSWEEP_STORE_WORKER_PASSWORD"
#define WORKER_PASSWORD_FILE "ORGSWEEP_STORE_WORKER_PASSWORD_FILE"
#define READ(access, problem, ...)                                                                           \
	swp_store_access_read(                                                                               \
		access, from_list, (void *)(const char *const[]){__VA_ARGS__, NULL, NULL}, problem)

static int set_up(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/swp-access-XXXXXX");
	return mkdtemp(folder) ? chdir(folder) : -1;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(FILE_NAME);
	return rmdir(folder);
}

static void test_rows(void **state)
{
	static const struct {
		const char *file; /* what it holds; NULL: there is none */
		const char *environment[9];
		const char *password, *sentinel_password;
	} rows[] = {
		{NULL, {NULL}, "", ""},
		{NULL, {"ORGSWEEP_STORE_PASSWORD", ""}, "", ""},
		{NULL, {"ORGSWEEP_STORE_PASSWORD", "a b\n"}, "a b\n", ""},
		{NULL, {"ORGSWEEP_STORE_SENTINEL_PASSWORD", "s"}, "", "s"},
		{"s",
			{"ORGSWEEP_STORE_SENTINEL_USER", "u", "ORGSWEEP_STORE_SENTINEL_PASSWORD_FILE",
				FILE_NAME},
			"", "s"},
		{"p\r\n", {"ORGSWEEP_STORE_PASSWORD_FILE", FILE_NAME}, "p", ""},
		{"p", {"ORGSWEEP_STORE_SENTINEL_PASSWORD_FILE", FILE_NAME}, "", "p"},
		{"", {"ORGSWEEP_STORE_PASSWORD_FILE", FILE_NAME}, "", ""},
		{"p", {"ORGSWEEP_STORE_PASSWORD_FILE", FILE_NAME, "ORGSWEEP_STORE_PASSWORD", "wins"}, "wins",
			""},
		{"p\ns\n",
			{"ORGSWEEP_STORE_PASSWORD_FILE", FILE_NAME, "ORGSWEEP_STORE_SENTINEL_PASSWORD_FILE",
				FILE_NAME},
			"p", "s"},
		{"p\ns",
			{"ORGSWEEP_STORE_PASSWORD_FILE", FILE_NAME, "ORGSWEEP_STORE_SENTINEL_PASSWORD_FILE",
				FILE_NAME, "ORGSWEEP_STORE_PASSWORD", "wins"},
			"wins", "s"},
		{"p\n",
			{"ORGSWEEP_STORE_PASSWORD_FILE", FILE_NAME, "ORGSWEEP_STORE_SENTINEL_PASSWORD_FILE",
				FILE_NAME},
			"p", ""},
	};
	struct swp_store_access access = {0};
	struct swp_problem problem;

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		unlink(FILE_NAME);
		if (rows[i].file)
			assert_int_equal(
				swp_file_write(FILE_NAME, rows[i].file, strlen(rows[i].file), &problem), 0);
		assert_int_equal(
			swp_store_access_read(&access, from_list, (void *)rows[i].environment, &problem), 0);
		assert_string_equal(swp_secret_text(&access.password), rows[i].password);
		assert_string_equal(swp_secret_text(&access.sentinel_password), rows[i].sentinel_password);
	}
	swp_store_access_done(&access);
	assert_int_equal(READ(&access, &problem, "ORGSWEEP_STORE_SENTINEL_PASSWORD_FILE", "none"), -2);
	assert_non_null(strstr(problem.text, "none"));
	assert_int_equal(READ(&access, &problem, "ORGSWEEP_STORE_SENTINEL_USER", "the-user",
				 "ORGSWEEP_STORE_PASSWORD", "p"),
		-EINVAL);
	assert_non_null(strstr(problem.text, "ORGSWEEP_STORE_SENTINEL_USER names the user the-user"));
	assert_non_null(strstr(problem.text, "put it into ORGSWEEP_STORE_SENTINEL_PASSWORD"));
	swp_store_access_done(&access);
}

static void test_options(void **state)
{
	struct swp_store_access access = {0};
	struct swp_store_options options = {.client_name = "stays"};
	struct swp_problem problem;

	(void)state;
	assert_int_equal(
		READ(&access, &problem, "ORGSWEEP_STORE_CA_FILE", "ca", "ORGSWEEP_STORE_CERTIFICATE_FILE",
			"certificate", "ORGSWEEP_STORE_KEY_FILE", "", "ORGSWEEP_STORE_PASSWORD", "p",
			"ORGSWEEP_STORE_SENTINEL_USER", "u", "ORGSWEEP_STORE_SENTINEL_PASSWORD", "s"),
		0);
	swp_store_access_apply(&access, &options);
	assert_string_equal(options.ca_file, "ca");
	assert_string_equal(options.certificate_file, "certificate");
	assert_null(options.key_file);
	assert_string_equal(options.sentinel_user, "u");
	assert_string_equal(swp_secret_text(options.password), "p");
	assert_string_equal(swp_secret_text(options.sentinel_password), "s");
	assert_string_equal(options.client_name, "stays");
	swp_store_access_done(&access);
}

static void test_local_workers(void **state)
{
	static const struct {
		const char *file; /* what it holds; NULL: there is none */
		const char *environment[9];
		const char *user, *password; /* of the workers; user NULL: they have none */
		const char *words;	     /* of the refusal; NULL: it is none */
	} rows[] = {
		{NULL, {"ORGSWEEP_STORE_PASSWORD", "p"}, NULL, "", NULL},
		{NULL, {WORKER_USER, "w", WORKER_PASSWORD, "a b"}, "w", "a b", NULL},
		{"f\r\n", {WORKER_USER, "w", WORKER_PASSWORD_FILE, FILE_NAME}, "w", "f", NULL},
		{NULL, {WORKER_USER, "", WORKER_PASSWORD, "", WORKER_PASSWORD_FILE, ""}, NULL, "", NULL},
		{NULL, {WORKER_USER, "w", "ORGSWEEP_STORE_PASSWORD", "p"}, "w", "", "there is no password"},
		{"\n", {WORKER_USER, "w", WORKER_PASSWORD_FILE, FILE_NAME}, "w", "", "there is no password"},
		{NULL, {WORKER_USER, "w", WORKER_PASSWORD_FILE, FILE_NAME}, "w", "", FILE_NAME},
		{NULL, {WORKER_PASSWORD, "secret"}, NULL, "", WORKER_PASSWORD " is given, but not whose"},
		{"secret", {WORKER_PASSWORD_FILE, FILE_NAME}, NULL, "",
			WORKER_PASSWORD_FILE " is given, but not whose"},
		{"secret", {WORKER_USER, "w", WORKER_PASSWORD, "secret", WORKER_PASSWORD_FILE, FILE_NAME},
			"w", "", "leave one out"},
	};
	struct swp_store_access access = {0};
	struct swp_problem problem;

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		const void *environment = rows[i].environment;
		int error;

		unlink(FILE_NAME);
		if (rows[i].file)
			assert_int_equal(
				swp_file_write(FILE_NAME, rows[i].file, strlen(rows[i].file), &problem), 0);
		assert_int_equal(swp_store_access_read(&access, from_list, (void *)environment, &problem), 0);
		problem.text[0] = '\0';
		error = swp_store_access_read_worker(&access, from_list, (void *)environment, &problem);
		assert_int_equal(error < 0, rows[i].words != NULL);
		assert_non_null(strstr(problem.text, rows[i].words ? rows[i].words : ""));
		assert_null(strstr(problem.text, "secret"));
		assert_string_equal(swp_secret_text(&access.worker_password), rows[i].password);
		if (rows[i].user)
			assert_string_equal(access.worker_user, rows[i].user);
		else
			assert_null(access.worker_user);
	}
	swp_store_access_done(&access);
}

/* What local workers are told is what the coordinator was told, but for user and password. */
static void test_local_workers_options(void **state)
{
	static const struct {
		const char *url, *user, *wanted, *words;
	} rows[] = {
		{"redis://me@h:1/2", "w", "redis://w@h:1/2", NULL},
		{"redis://h", "w", "redis://w@h:6379/0", NULL},
		{"unix://me@/run/redis", "w", "unix://w@/run/redis", NULL},
		{"sentinel://me@h:1/main", "w", "sentinel://w@h:1/main/0", NULL},
		{"redis://me@h", "me", NULL, "is me, which is the coordinator's own user"},
		{"redis://h", "default", NULL, "is default, which is the coordinator's own user"},
		{"redis://me@h", "a:b", NULL, "is 'a:b'; a user has 1 to 127 bytes"},
	};
	struct swp_store_access access = {0};

	(void)state;
	assert_int_equal(swp_secret_set_text(&access.password, "mine"), 0);
	assert_int_equal(swp_secret_set_text(&access.worker_password, "theirs"), 0);
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		struct swp_store_options own = {.ca_file = "ca"}, theirs;
		struct swp_problem problem = {""};
		int error;

		access.worker_user = rows[i].user;
		swp_store_access_apply(&access, &own);
		own.ca_file = "ca";
		assert_int_equal(swp_store_address_parse(rows[i].url, &own.address, &problem), 0);
		error = swp_store_access_apply_worker(&access, &own, &theirs, &problem);
		assert_int_equal(error, rows[i].words ? -EINVAL : 0);
		assert_non_null(strstr(problem.text, rows[i].words ? rows[i].words : ""));
		assert_string_equal(swp_secret_text(theirs.password), "theirs");
		assert_string_equal(swp_secret_text(own.password), "mine");
		if (rows[i].wanted) {
			char *url = swp_store_address_format(&theirs.address);

			assert_string_equal(url, rows[i].wanted);
			assert_string_equal(theirs.ca_file, "ca");
			swp_free(url);
		}
	}
	swp_store_access_done(&access);
}

/* Every variable is in docs/redis.md, in the words of the table. */
static void test_documented(void **state)
{
	static char text[64 << 10];
	FILE *file = fopen(state ? "docs/redis.md" : "", "r");
	size_t length;

	assert_non_null(file);
	length = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[length] = '\0';
	for (size_t i = 0; swp_store_variable(i); i++) {
		char row[256];

		snprintf(row, sizeof(row), "| `%s` | %s |", swp_store_variable(i)->name,
			swp_store_variable(i)->help);
		if (!strstr(text, row))
			fail_msg("docs/redis.md lacks this row: %s", row);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_documented), /* before the folder is changed */
		cmocka_unit_test_setup_teardown(test_rows, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_options, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_local_workers, set_up, tear_down),
		cmocka_unit_test(test_local_workers_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
