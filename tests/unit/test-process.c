/* Children: what they are given, how they end, what is left of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/limits.h"
#include "proto/io/process.h"

struct outcome {
	struct swp_loop *loop;
	int calls, status;
	bool has_output;
	char *output;
	size_t length;
	struct swp_process *free_inside;
};

static void on_end(void *context, int status, const char *output, size_t length)
{
	struct outcome *o = context;

	o->calls++;
	o->status = status;
	o->has_output = output != NULL;
	free(o->output);
	o->output = calloc(1, length + 1);
	if (output)
		memcpy(o->output, output, length);
	o->length = length;
	swp_process_free(o->free_inside);
	swp_loop_stop(o->loop);
}

/* Runs `sh -c script` to its end with captured output. */
static struct outcome run_shell(
	const char *script, const void *input, size_t length, const char *const *environment)
{
	struct outcome o = {.loop = swp_loop_new(swp_clock_system())};
	const char *const arguments[] = {"sh", "-c", script, NULL};
	const struct swp_process_options options = {.arguments = arguments,
		.environment = environment,
		.output_fd = -1,
		.error_fd = -1,
		.input = input,
		.input_length = length,
		.capture_output = true};
	struct swp_problem problem = {0};
	struct swp_process *process = swp_process_start(o.loop, &options, on_end, &o, &problem);

	assert_non_null(process);
	assert_true(swp_process_pid(process) > 0);
	assert_int_equal(o.calls, 0);
	assert_int_equal(swp_loop_run(o.loop), 0);
	assert_int_equal(o.calls, 1);
	assert_int_equal(swp_process_pid(process), 0);
	swp_process_signal(process, SIGKILL);
	swp_process_free(process);
	swp_loop_free(o.loop);
	return o;
}

static void test_output_and_status(void **state)
{
	static const struct {
		const char *script, *output;
		int exit_status;
	} rows[] = {
		{"printf 'a b'; exit 3", "a b", 3},
		{"exit 0", "", 0},
		{"echo hidden >&2; echo shown", "shown\n", 0},
		{"cat", "", 0},
	};

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		struct outcome o = run_shell(rows[i].script, NULL, 0, NULL);

		assert_true(WIFEXITED(o.status));
		assert_int_equal(WEXITSTATUS(o.status), rows[i].exit_status);
		assert_string_equal(o.output, rows[i].output);
		free(o.output);
	}
}

static void test_long_input_comes_back(void **state)
{
	size_t length = 900000;
	char *input = malloc(length);
	struct outcome o;

	(void)state;
	for (size_t i = 0; i < length; i++)
		input[i] = (char)(i * 7 >> 3);
	o = run_shell("cat", input, length, NULL);
	assert_int_equal(o.length, length);
	assert_memory_equal(o.output, input, length);
	free(o.output);
	/* A child that does not read must not end us by SIGPIPE; harden() ignores it in programs. */
	signal(SIGPIPE, SIG_IGN);
	o = run_shell("exec <&-; sleep 0.1; echo done", input, length, NULL);
	assert_string_equal(o.output, "done\n");
	free(o.output);
	/* And the child has the usual action again: yes would not end otherwise. */
	o = run_shell("yes | head -n 1", NULL, 0, NULL);
	assert_string_equal(o.output, "y\n");
	free(o.output);
	signal(SIGPIPE, SIG_DFL);
	free(input);
}

static void test_output_above_the_ceiling_kills(void **state)
{
	struct outcome o;
	char script[64];

	(void)state;
	snprintf(script, sizeof(script), "head -c %u /dev/zero", SWP_LIMIT_OUTPUT_BYTES);
	o = run_shell(script, NULL, 0, NULL);
	assert_true(o.has_output);
	assert_int_equal(o.length, SWP_LIMIT_OUTPUT_BYTES);
	free(o.output);
	o = run_shell("cat /dev/zero", NULL, 0, NULL);
	assert_false(o.has_output);
	assert_int_equal(o.length, 0);
	free(o.output);
}

static void test_environment_and_descriptors(void **state)
{
	static const char *const environment[] = {"ONLY=this", "PATH=/usr/bin:/bin", NULL};
	int null = open("/dev/null", O_RDONLY), leaked = fcntl(null, F_DUPFD, 50); /* without close-on-exec */
	struct outcome o =
		run_shell("echo $ONLY $HOME; i=0; while [ $i -lt 99 ]; do [ -e /proc/$$/fd/$i ] && "
			  "printf '%s ' $i; i=$((i+1)); done",
			NULL, 0, environment);

	(void)state;
	assert_true(leaked >= 50);
	assert_string_equal(o.output, "this\n0 1 2 ");
	free(o.output);
	close(leaked);
	close(null);
}

static void test_what_can_not_be_started(void **state)
{
	static const struct {
		const char *name, *words;
	} rows[] = {
		{"no-such-program-anywhere", "was not found on PATH"},
		{"/no/such/program", "/no/such/program can't be run: No such file"},
		{"/etc/passwd", "/etc/passwd can't be run: Permission denied"},
		{"/etc", "/etc could not be started: Permission denied"},
	};
	struct swp_loop *loop = swp_loop_new(swp_clock_system());

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		const char *const arguments[] = {rows[i].name, NULL};
		const struct swp_process_options options = {
			.arguments = arguments, .output_fd = -1, .error_fd = -1, .capture_output = true};
		struct swp_problem problem = {0};

		assert_null(swp_process_start(loop, &options, on_end, NULL, &problem));
		if (!strstr(problem.text, rows[i].words))
			assert_string_equal(problem.text, rows[i].words);
	}
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	swp_loop_free(loop);
}

static void test_output_goes_where_it_is_sent(void **state)
{
	struct outcome o = {.loop = swp_loop_new(swp_clock_system())};
	const char *const arguments[] = {"sh", "-c", "echo out; echo err >&2", NULL};
	int out[2], err[2];
	char text[16];
	struct swp_process *process;

	(void)state;
	assert_int_equal(pipe(out), 0);
	assert_int_equal(pipe(err), 0);
	process = swp_process_start(o.loop,
		&(struct swp_process_options){
			.arguments = arguments, .output_fd = out[1], .error_fd = err[1]},
		on_end, &o, NULL);
	assert_non_null(process);
	swp_loop_run(o.loop);
	assert_false(o.has_output);
	assert_int_equal(read(out[0], text, sizeof(text)), 4);
	assert_memory_equal(text, "out\n", 4);
	assert_int_equal(read(err[0], text, sizeof(text)), 4);
	assert_memory_equal(text, "err\n", 4);
	swp_process_free(process);
	for (int i = 0; i < 2; i++) {
		close(out[i]);
		close(err[i]);
	}
	free(o.output);
	swp_loop_free(o.loop);
}

/* Gone, or dead and waiting for an init that may never reap here. */
static bool is_gone(pid_t pid)
{
	for (int i = 0; i < 200; i++) {
		char path[64], line[256] = {0}, *state;
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
		file = fopen(path, "r");
		if (!file)
			return true;
		state = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
		fclose(file);
		if (!state || state[2] == 'Z' || state[2] == 'X')
			return true;
		usleep(20000);
	}
	return false;
}

static void test_free_kills_the_group(void **state)
{
	struct swp_loop *loop = swp_loop_new(swp_clock_system());
	const char *const arguments[] = {"sh", "-c", "trap '' TERM; sleep 100 & echo $!; wait", NULL};
	int out[2], grandchild;
	char text[32] = {0};
	struct swp_process *process;
	pid_t child;

	(void)state;
	assert_int_equal(pipe(out), 0);
	process = swp_process_start(loop,
		&(struct swp_process_options){.arguments = arguments, .output_fd = out[1], .error_fd = -1},
		on_end, NULL, NULL);
	assert_non_null(process);
	child = swp_process_pid(process);
	assert_true(read(out[0], text, sizeof(text) - 1) > 1);
	grandchild = (int)strtol(text, NULL, 10);
	assert_int_equal(kill(grandchild, 0), 0);
	assert_int_equal(getpgid(child), child);
	swp_process_free(process);
	assert_true(is_gone(child));
	assert_true(is_gone(grandchild));
	close(out[0]);
	close(out[1]);
	swp_loop_free(loop);
}

static void test_signal_and_free_inside(void **state)
{
	struct outcome o = {.loop = swp_loop_new(swp_clock_system())};
	const char *const arguments[] = {"sleep", "100", NULL};

	(void)state;
	o.free_inside = swp_process_start(o.loop,
		&(struct swp_process_options){
			.arguments = arguments, .output_fd = -1, .error_fd = -1, .shares_terminal = true},
		on_end, &o, NULL);
	assert_non_null(o.free_inside);
	assert_int_equal(getpgid(swp_process_pid(o.free_inside)), getpgrp());
	swp_process_signal(o.free_inside, SIGTERM);
	swp_loop_run(o.loop);
	assert_true(WIFSIGNALED(o.status));
	assert_int_equal(WTERMSIG(o.status), SIGTERM);
	free(o.output);
	swp_loop_free(o.loop);
}

/* A middle process starts a child and is killed: the child must go too. */
static void test_children_die_with_their_parent(void **state)
{
	int report[2];
	pid_t middle, child = 0;

	(void)state;
	assert_int_equal(pipe(report), 0);
	middle = fork();
	if (middle == 0) {
		struct swp_loop *loop = swp_loop_new(swp_clock_system());
		const char *const arguments[] = {"sleep", "100", NULL};
		struct swp_process *process = swp_process_start(loop,
			&(struct swp_process_options){
				.arguments = arguments, .output_fd = -1, .error_fd = -1},
			NULL, NULL, NULL);

		/* Whatever becomes of the test, this one goes too. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		child = process ? swp_process_pid(process) : 0;
		if (write(report[1], &child, sizeof(child)) < 0)
			_exit(1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(report[0], &child, sizeof(child)), sizeof(child));
	assert_true(child > 0);
	assert_int_equal(kill(child, 0), 0);
	kill(middle, SIGKILL);
	waitpid(middle, NULL, 0);
	assert_true(is_gone(child));
	close(report[0]);
	close(report[1]);
}

static int status_of(void (*run)(void))
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		run();
		_exit(0);
	}
	waitpid(child, &status, 0);
	return status;
}

static void harden_and_look(void)
{
	struct rlimit limit;
	struct sigaction action;

	swp_process_harden();
	getrlimit(RLIMIT_CORE, &limit);
	sigaction(SIGPIPE, NULL, &action);
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ADDRESS_SANITIZER 1
#endif
#endif
#if !defined(__SANITIZE_ADDRESS__) && !defined(UNDER_ADDRESS_SANITIZER)
	if (prctl(PR_GET_DUMPABLE) != 0)
		_exit(1);
#endif
	_exit(limit.rlim_cur == 0 && limit.rlim_max == 0 && action.sa_handler == SIG_IGN ? 0 : 2);
}

static void die_with_a_stranger(void)
{
	swp_process_die_with_parent(getpid());
}

static void die_with_the_parent(void)
{
	if (swp_process_die_with_parent(getppid()) != 0)
		_exit(2);
}

static void test_harden_and_parent(void **state)
{
	(void)state;
	assert_int_equal(WEXITSTATUS(status_of(harden_and_look)), 0);
	assert_int_equal(WEXITSTATUS(status_of(die_with_a_stranger)), 1);
	assert_int_equal(WEXITSTATUS(status_of(die_with_the_parent)), 0);
	swp_process_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_output_and_status),
		cmocka_unit_test(test_long_input_comes_back),
		cmocka_unit_test(test_output_above_the_ceiling_kills),
		cmocka_unit_test(test_environment_and_descriptors),
		cmocka_unit_test(test_what_can_not_be_started),
		cmocka_unit_test(test_output_goes_where_it_is_sent),
		cmocka_unit_test(test_free_kills_the_group),
		cmocka_unit_test(test_signal_and_free_inside),
		cmocka_unit_test(test_children_die_with_their_parent),
		cmocka_unit_test(test_harden_and_parent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
