/* ACL lines for users of Redis: what stands in them, and that docs/redis.md has each command. (That they are enough and not more than that
 * is shown by a whole sweep: tests/sweeps/test-redis.py.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "proto/base/error.h"
#include "proto/record/commands.h"
#include "proto/record/scripts.h"

static void has(const char *line, const char *words, bool wanted)
{
	char padded[4096];

	snprintf(padded, sizeof(padded), "%s ", line);
	if (!strstr(padded, words) == wanted)
		fail_msg("\"%s\" %s: %s", words, wanted ? "is missing" : "is too much", line);
}

static void test_worker(void **state)
{
	static const char *const wanted[] = {"user orgsweep-worker on ", " resetchannels ", " -@all ",
		" +eval ", " +evalsha ", " +script|load ", " +client|setname ", " +info ", " +select ",
		" +hmget ", " +hset ", " +hexists ", " +time ", " ~swp:*:job:*:* ", " ~swp:lock:*:* ",
		" +get ", " +del "};
	static const char *const not_wanted[] = {" +set ", " +hdel ", " +scan ", " +unlink ", " +keys ",
		" +config", " +flushall ", " ~swp:* ", " ~* ", " nopass ", " +@", " >", " +script ",
		" +client "};
	SWP_CLEANUP(swp_buf_done) struct swp_buf line = {0};

	(void)state;
	assert_int_equal(swp_store_role_acl(SWP_STORE_ROLE_WORKER, &line), 0);
	for (size_t i = 0; i < SWP_ARRAY_SIZE(wanted); i++)
		has(swp_buf_text(&line), wanted[i], true);
	for (size_t i = 0; i < SWP_ARRAY_SIZE(not_wanted); i++)
		has(swp_buf_text(&line), not_wanted[i], false);
	assert_null(strchr(swp_buf_text(&line), '\n'));
}

static void test_coordinator(void **state)
{
	static const char *const wanted[] = {"user orgsweep-coordinator on ", " ~swp:* ", " +get ",
		" +unlink ", " +scan ", " +hincrby ", " +rpush ", " +zrem ", " +hkeys "};
	static const char *const not_wanted[] = {" +keys ", " +config", " +flushall ", " ~* ", " nopass ",
		" +@", " +script ", " +client ", " +acl"};
	SWP_CLEANUP(swp_buf_done) struct swp_buf line = {0};

	(void)state;
	assert_int_equal(swp_store_role_acl(SWP_STORE_ROLE_COORDINATOR, &line), 0);
	for (size_t i = 0; i < SWP_ARRAY_SIZE(wanted); i++)
		has(swp_buf_text(&line), wanted[i], true);
	for (size_t i = 0; i < SWP_ARRAY_SIZE(not_wanted); i++)
		has(swp_buf_text(&line), not_wanted[i], false);
}

/* Scripts call by redis.call('NAME' or redis.pcall('NAME' alone: what is written in another way would not be found. */
static void test_scripts_call_in_one_way(void **state)
{
	(void)state;
	for (int i = 0; i < SWP_SCRIPT_COUNT; i++) {
		const char *source = swp_script_row((enum swp_script)i)->source, *at = source;

		while ((at = strstr(at, "redis."))) {
			at += strlen("redis.");
			if (strncmp(at, "call('", 6) != 0 && strncmp(at, "pcall('", 7) != 0 &&
				strncmp(at, "call(ARGV[1], ", 14) != 0 && /* `write`: a row of the table */
				strncmp(at, "error_reply(", 12) != 0 && strncmp(at, "status_reply(", 13) != 0)
				fail_msg("%s: redis.%.20s", swp_script_row((enum swp_script)i)->name, at);
		}
	}
}

static void test_documented(void **state)
{
	static char text[64 << 10];
	FILE *file = fopen("docs/redis.md", "r");
	size_t length;

	(void)state;
	assert_non_null(file);
	length = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[length] = '\0';
	for (size_t i = 0; swp_store_command_row(i); i++) {
		const struct swp_store_command_row *command = swp_store_command_row(i);
		char row[256];

		snprintf(row, sizeof(row), "| `%s` | %s | %s |", command->name,
			command->roles & (1u << SWP_STORE_ROLE_WORKER) ? "both" : "coordinator",
			command->what);
		if (!strstr(text, row))
			fail_msg("docs/redis.md lacks this row: %s", row);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_worker),
		cmocka_unit_test(test_coordinator),
		cmocka_unit_test(test_scripts_call_in_one_way),
		cmocka_unit_test(test_documented),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
