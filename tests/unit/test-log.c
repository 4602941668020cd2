/* Log lines: both forms, neutralized, cut, in one write, and hooks around them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/base/log.h"

static int64_t fixed_ms(void *context)
{
	(void)context;
	return 1795334400000; /* 2026-11-22T08:00:00Z */
}

static const struct swp_clock fixed_clock = {.monotonic_ms = fixed_ms, .wall_ms = fixed_ms};

static FILE *stream;
static char line[600000];

static const char *lines_so_far(void)
{
	size_t length;

	fflush(stream);
	rewind(stream);
	length = fread(line, 1, sizeof(line) - 1, stream);
	line[length] = '\0';
	assert_int_equal(ftruncate(fileno(stream), 0), 0);
	rewind(stream);
	return line;
}

static int set_up(void **state)
{
	(void)state;
	stream = tmpfile();
	assert_non_null(stream);
	swp_log_setup(stream, SWP_LOG_TEXT, SWP_LOG_INFO, "orgsweep", &fixed_clock);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	swp_log_setup(stderr, SWP_LOG_TEXT, SWP_LOG_INFO, "orgsweep", &fixed_clock);
	fclose(stream);
	return 0;
}

static void test_text_form(void **state)
{
	(void)state;
	swp_log(SWP_LOG_WARNING, "aws.denied", "access refused", SWP_LOG_S("account", "123456789012"),
		SWP_LOG_N("attempt", -3));
	assert_string_equal(lines_so_far(),
		"2026-11-22T08:00:00Z WARNING aws.denied access refused account=123456789012 attempt=-3\n");
	swp_log_fields(SWP_LOG_ERROR, "bare", "no field", NULL);
	assert_string_equal(lines_so_far(), "2026-11-22T08:00:00Z ERROR bare no field\n");
	swp_log(SWP_LOG_INFO, "quoting", "m", SWP_LOG_S("a", "two words"), SWP_LOG_S("b", ""),
		SWP_LOG_S("c", NULL), SWP_LOG_S("d", "say \"hi\" \\"), SWP_LOG_S("e", "x=y"));
	assert_string_equal(lines_so_far(),
		"2026-11-22T08:00:00Z INFO quoting m a=\"two words\" b=\"\" c=\"\" "
		"d=\"say \\\"hi\\\" \\\\\" e=\"x=y\"\n");
}

static void test_json_form(void **state)
{
	(void)state;
	swp_log_setup(stream, SWP_LOG_JSON, SWP_LOG_INFO, "orgsweep-worker", &fixed_clock);
	swp_log(SWP_LOG_INFO, "job.done", "it \"ended\"", SWP_LOG_S("name", "back\\slash\nnew \xc3\xbc \xff"),
		SWP_LOG_N("calls", INT64_MAX));
	assert_string_equal(lines_so_far(),
		"{\"time\":\"2026-11-22T08:00:00Z\",\"level\":\"INFO\",\"program\":\"orgsweep-worker\","
		"\"event\":\"job.done\","
		"\"message\":\"it \\\"ended\\\"\",\"name\":\"back\\\\slash\\\\x0anew \xc3\xbc "
		"\\\\xff\",\"calls\":9223372036854775807}\n");
}

static void test_levels(void **state)
{
	static const char *const names[] = {"DEBUG", "INFO", "WARNING", "ERROR"};

	(void)state;
	for (int least = SWP_LOG_DEBUG; least <= SWP_LOG_ERROR; least++) {
		swp_log_setup(stream, SWP_LOG_TEXT, (enum swp_log_level)least, "orgsweep", &fixed_clock);
		for (int level = SWP_LOG_DEBUG; level <= SWP_LOG_ERROR; level++) {
			swp_log((enum swp_log_level)level, "event", "message", SWP_LOG_N("n", 1));
			assert_int_equal(strstr(lines_so_far(), names[level]) != NULL, level >= least);
		}
	}
}

static void test_hostile_values_stay_on_their_line(void **state)
{
	(void)state;
	swp_log(SWP_LOG_INFO, "name", "fake\n2026-11-22T08:00:00Z INFO",
		SWP_LOG_S("account", "\x1b]0;title\x07\r\nX"));
	assert_string_equal(lines_so_far(), "2026-11-22T08:00:00Z INFO name fake\\x0a2026-11-22T08:00:00Z "
					    "INFO account=\\x1b]0;title\\x07\\x0d\\x0aX\n");
}

static void test_context(void **state)
{
	(void)state;
	swp_log_context("sweep", "20261122-abcd");
	swp_log_context("worker", "w1");
	swp_log(SWP_LOG_INFO, "e", "m", SWP_LOG_N("n", 1));
	assert_string_equal(
		lines_so_far(), "2026-11-22T08:00:00Z INFO e m sweep=20261122-abcd worker=w1 n=1\n");
	swp_log_context("sweep", "other");
	swp_log_context("worker", NULL);
	swp_log_context("never there", NULL);
	swp_log_fields(SWP_LOG_INFO, "e", "m", NULL);
	assert_string_equal(lines_so_far(), "2026-11-22T08:00:00Z INFO e m sweep=other\n");
	swp_log_context("sweep", NULL);
	swp_alloc_fail_at(1, 0);
	swp_log_context("sweep", "no memory");
	swp_alloc_fail_at(0, 0);
	swp_log_fields(SWP_LOG_INFO, "e", "m", NULL);
	assert_string_equal(lines_so_far(), "2026-11-22T08:00:00Z INFO e m\n");
}

static void test_the_ceilings(void **state)
{
	static char longer[SWP_LIMIT_LOG_VALUE_BYTES + 100];
	struct swp_log_field fields[100] = {{0}};
	const char *text;

	(void)state;
	memset(longer, 'a', sizeof(longer) - 1);
	longer[SWP_LIMIT_LOG_VALUE_BYTES] = '\0';
	swp_log(SWP_LOG_INFO, "e", "m", SWP_LOG_S("v", longer));
	text = lines_so_far();
	assert_null(strstr(text, "…"));
	assert_int_equal(strlen(strstr(text, "v=")), SWP_LIMIT_LOG_VALUE_BYTES + 3);
	/* One more, with a character of two bytes across the cut. */
	memcpy(longer + SWP_LIMIT_LOG_VALUE_BYTES - 1, "\xc3\xbc", 2);
	swp_log(SWP_LOG_INFO, "e", "m", SWP_LOG_S("v", longer));
	text = lines_so_far();
	assert_int_equal(strlen(strstr(text, "v=")), SWP_LIMIT_LOG_VALUE_BYTES - 1 + strlen("…") + 3);
	assert_non_null(strstr(text, "a…\n"));
	/* A line above its ceiling is not written, which is told. */
	for (int i = 0; i < 99; i++)
		fields[i] = SWP_LOG_S("v", longer);
	swp_log_fields(SWP_LOG_INFO, "e", "m", fields);
	assert_string_equal(lines_so_far(), "a log line was lost: out of memory, or above its ceiling\n");
	swp_alloc_fail_at(1, 1);
	swp_log_fields(SWP_LOG_INFO, "e", "m", NULL);
	swp_alloc_fail_at(0, 0);
	assert_string_equal(lines_so_far(), "a log line was lost: out of memory, or above its ceiling\n");
}

static char hooked[8];

static void hook(int before, void *context)
{
	size_t length = strlen(hooked);

	assert_ptr_equal(context, hooked);
	hooked[length] = before ? '<' : '>';
}

static void test_hook(void **state)
{
	(void)state;
	swp_log_set_hook(hook, hooked);
	swp_log(SWP_LOG_INFO, "e", "m", SWP_LOG_N("n", 1));
	swp_log(SWP_LOG_DEBUG, "e", "m", SWP_LOG_N("n", 1));
	assert_string_equal(hooked, "<>");
	swp_log_set_hook(NULL, NULL);
	swp_log(SWP_LOG_INFO, "e", "m", SWP_LOG_N("n", 1));
	assert_string_equal(hooked, "<>");
}

static void test_errno_is_kept(void **state)
{
	FILE *full = fopen("/dev/full", "w");

	(void)state;
	swp_log_setup(full, SWP_LOG_TEXT, SWP_LOG_INFO, "orgsweep", &fixed_clock);
	errno = EXDEV;
	swp_log(SWP_LOG_INFO, "e", "m", SWP_LOG_N("n", 1));
	assert_int_equal(errno, EXDEV);
	swp_log_setup(stream, SWP_LOG_TEXT, SWP_LOG_INFO, "orgsweep", &fixed_clock);
	fclose(full);
}

/* A packet pipe tells one write from two. */
static void test_a_line_is_one_write(void **state)
{
	static char longer[SWP_LIMIT_LOG_VALUE_BYTES];
	int fds[2];
	FILE *writer;

	(void)state;
	assert_int_equal(pipe2(fds, O_DIRECT /* packets */), 0);
	writer = fdopen(fds[1], "w");
	swp_log_setup(writer, SWP_LOG_TEXT, SWP_LOG_INFO, "orgsweep", &fixed_clock);
	memset(longer, 'a', 3500);
	swp_log(SWP_LOG_INFO, "one", longer, SWP_LOG_N("n", 1));
	swp_log(SWP_LOG_INFO, "two", "m", SWP_LOG_N("n", 1));
	assert_int_equal(
		read(fds[0], line, sizeof(line)), strlen("2026-11-22T08:00:00Z INFO one  n=1\n") + 3500);
	assert_int_equal(read(fds[0], line, sizeof(line)), strlen("2026-11-22T08:00:00Z INFO two m n=1\n"));
	swp_log_setup(stream, SWP_LOG_TEXT, SWP_LOG_INFO, "orgsweep", &fixed_clock);
	fclose(writer);
	close(fds[0]);
}

static void terminal_line(FILE *terminal, int master, bool coloured)
{
	ssize_t length;

	swp_log_setup(terminal, SWP_LOG_TEXT, SWP_LOG_INFO, "orgsweep", &fixed_clock);
	swp_log(SWP_LOG_WARNING, "e", "m", SWP_LOG_N("n", 1));
	length = read(master, line, sizeof(line) - 1);
	assert_true(length > 0);
	line[length] = '\0';
	assert_int_equal(strstr(line, "\033[33mWARNING\033[0m") != NULL, coloured);
	assert_int_equal(strchr(line, '\033') != NULL, coloured);
}

static void test_colours_only_on_a_terminal(void **state)
{
	int master, slave;
	FILE *terminal;

	(void)state;
	unsetenv("NO_COLOR");
	setenv("TERM", "xterm", 1);
	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	terminal = fdopen(slave, "w");
	terminal_line(terminal, master, true);
	setenv("NO_COLOR", "1", 1);
	terminal_line(terminal, master, false);
	unsetenv("NO_COLOR");
	setenv("TERM", "dumb", 1);
	terminal_line(terminal, master, false);
	fclose(terminal);
	close(master);
}

static void test_a_stream_without_descriptor(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *memory = open_memstream(&text, &size);

	(void)state;
	swp_log_setup(memory, SWP_LOG_TEXT, SWP_LOG_INFO, "orgsweep", NULL);
	swp_log(SWP_LOG_INFO, "e", "m", SWP_LOG_N("n", 1));
	swp_log_setup(stream, SWP_LOG_TEXT, SWP_LOG_INFO, "orgsweep", &fixed_clock);
	fclose(memory);
	/* Without a clock it takes the system's. */
	assert_non_null(strstr(text, "Z INFO e m n=1\n"));
	free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_text_form),
		TEST(test_json_form),
		TEST(test_levels),
		TEST(test_hostile_values_stay_on_their_line),
		TEST(test_context),
		TEST(test_the_ceilings),
		TEST(test_hook),
		TEST(test_errno_is_kept),
		TEST(test_a_line_is_one_write),
		TEST(test_colours_only_on_a_terminal),
		TEST(test_a_stream_without_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
