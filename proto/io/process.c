/* Children. Between fork and exec only calls that are safe there: everything is prepared before. */
#include "proto/io/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/base/secret.h"

#if defined(__SANITIZE_ADDRESS__)
#define UNDER_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ADDRESS_SANITIZER 1
#endif
#endif

#define READ_BYTES (16u << 10)
#define LOOK_FOR_EXIT_MS 20

struct swp_process {
	pid_t pid;			/* 0: reaped */
	int pidfd, input_fd, output_fd; /* −1: none */
	struct swp_watch exit_watch, input_watch, output_watch;
	struct swp_timer exit_timer; /* instead of exit_watch where the kernel (or valgrind) has no pidfd */
	struct swp_buf input, output;
	bool own_group, captures, too_much;
	swp_process_ended ended;
	void *context;
};

/* What the child needs; all descriptors are above 2 and close on exec. */
struct launch {
	char path[PATH_MAX];
	char *const *arguments, *const *environment;
	int standard[3];
	int report_fd; /* errno of a failed exec goes here */
	pid_t parent;
	bool own_group;
};

void swp_process_harden(void)
{
	static const struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
#ifndef UNDER_ADDRESS_SANITIZER
	prctl(PR_SET_DUMPABLE, 0);
#endif
	signal(SIGPIPE, SIG_IGN);
}

void swp_process_raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int swp_process_die_with_parent(pid_t expected_parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	/* It may have died before the line above: then no signal will ever come. */
	if (getppid() != expected_parent)
		_exit(1);
	return 0;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* --- finding the program --- */

static bool is_program(const char *path)
{
	return access(path, X_OK) == 0;
}

static int find_program(const char *name, char path[static PATH_MAX], struct swp_problem *problem)
{
	const char *directory = getenv("PATH");

	if (strchr(name, '/')) {
		if (strlen(name) >= PATH_MAX)
			return swp_problem_set(
				problem, -ENAMETOOLONG, "program name of %zu bytes", strlen(name));
		memcpy(path, name, strlen(name) + 1);
		if (is_program(path))
			return 0;
		return swp_problem_set(problem, -errno, "%s can't be run: %s", name, strerror(errno));
	}
	while (directory && *directory) {
		size_t length = strcspn(directory, ":");

		/* An empty entry would mean the current folder: nothing is ever run from there. */
		if (length > 0 && length + 1 + strlen(name) < PATH_MAX) {
			memcpy(path, directory, length);
			path[length] = '/';
			memcpy(path + length + 1, name, strlen(name) + 1);
			if (is_program(path))
				return 0;
		}
		directory += length + (directory[length] == ':');
	}
	return swp_problem_set(problem, -ENOENT, "%s was not found on PATH", name);
}

/* --- the child's side --- */

static void default_signals(void)
{
	sigset_t none;

	for (int number = 1; number < NSIG; number++) {
		struct sigaction action;

		if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
			signal(number, SIG_DFL);
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void run_child(const struct launch *launch) __attribute__((noreturn));
static void run_child(const struct launch *launch)
{
	int error = 0;

	if (launch->own_group)
		setpgid(0, 0);
	if (swp_process_die_with_parent(launch->parent) < 0)
		error = errno;
	default_signals();
	for (int fd = 0; fd < 3 && !error; fd++) {
		if (dup2(launch->standard[fd], fd) < 0)
			error = errno;
	}
	if (!error) {
		syscall(SYS_close_range, 3u, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */);
		execve(launch->path, launch->arguments, launch->environment);
		error = errno;
	}
	if (write(launch->report_fd, &error, sizeof(error)) < 0)
		_exit(126);
	_exit(127);
}

/* --- the parent's side --- */

/* A copy of `fd` above the standard ones; /dev/null for −1. */
static int duplicate_above(int fd, int flags)
{
	int opened = fd, copy, error;

	if (fd < 0)
		opened = open("/dev/null", flags | O_CLOEXEC);
	if (opened < 0)
		return -errno;
	copy = fcntl(opened, F_DUPFD_CLOEXEC, 3);
	error = -errno;
	if (fd < 0)
		close(opened);
	return copy < 0 ? error : copy;
}

/* Pipe of which our end (`ours`: 0 read, 1 write) does not block. */
static int make_pipe(int ours, int *ret_ours, int *ret_theirs)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	if (fcntl(fds[ours], F_SETFL, O_NONBLOCK) < 0) {
		close(fds[0]);
		close(fds[1]);
		return -errno;
	}
	*ret_ours = fds[ours];
	*ret_theirs = fds[!ours];
	return 0;
}

static int open_standard(
	struct swp_process *process, const struct swp_process_options *options, struct launch *launch)
{
	int input = -1, output = options->output_fd, error = 0;
	bool made_output = false;

	if (options->input)
		error = make_pipe(1, &process->input_fd, &input);
	if (!error && options->capture_output) {
		error = make_pipe(0, &process->output_fd, &output);
		made_output = !error;
	}
	if (!error) {
		const int fds[3] = {input, output, options->error_fd};

		for (int i = 0; i < 3 && !error; i++) {
			launch->standard[i] = duplicate_above(fds[i], i == 0 ? O_RDONLY : O_WRONLY);
			error = launch->standard[i] < 0 ? launch->standard[i] : 0;
		}
	}
	close_fd(&input);
	if (made_output)
		close_fd(&output);
	return error;
}

/* Forks and waits until the program runs or could not be run. */
static int fork_and_exec(struct swp_process *process, struct launch *launch)
{
	int report[2], child_error = 0;
	ssize_t got;

	if (pipe2(report, O_CLOEXEC) < 0)
		return -errno;
	launch->report_fd = report[1];
	launch->parent = getpid();
	process->pid = fork();
	if (process->pid == 0)
		run_child(launch);
	if (process->pid < 0) {
		int error = -errno;

		process->pid = 0;
		close(report[0]);
		close(report[1]);
		return error;
	}
	close(report[1]);
	do
		got = read(report[0], &child_error, sizeof(child_error));
	while (got < 0 && errno == EINTR);
	close(report[0]);
	if (got != (ssize_t)sizeof(child_error))
		return 0;
	waitpid(process->pid, NULL, 0);
	process->pid = 0;
	return -child_error;
}

static void stop_input(struct swp_process *process)
{
	swp_watch_remove(&process->input_watch);
	close_fd(&process->input_fd);
	swp_buf_done(&process->input);
}

static void input_ready(struct swp_watch *watch, uint32_t epoll_events)
{
	struct swp_process *process = SWP_CONTAINER_OF(watch, struct swp_process, input_watch);
	ssize_t written = 0;

	(void)epoll_events;
	if (process->input.length > 0)
		written = write(process->input_fd, process->input.data, process->input.length);
	if (written > 0)
		swp_buf_consume(&process->input, (size_t)written);
	/* A child that does not want its input is no failure of ours. */
	if ((written < 0 && errno != EAGAIN && errno != EINTR) || process->input.length == 0)
		stop_input(process);
}

/* Reads once: bytes, 0 at the end, negative errno. */
static ssize_t read_output(struct swp_process *process)
{
	char bytes[READ_BYTES];
	ssize_t got = read(process->output_fd, bytes, sizeof(bytes));

	if (got < 0)
		return -errno;
	if (!process->too_much && swp_buf_append(&process->output, bytes, (size_t)got) != 0) {
		process->too_much = true;
		swp_process_signal(process, SIGKILL);
	}
	if (process->output.secret)
		swp_wipe(bytes, sizeof(bytes));
	return got;
}

static void output_ready(struct swp_watch *watch, uint32_t epoll_events)
{
	struct swp_process *process = SWP_CONTAINER_OF(watch, struct swp_process, output_watch);
	ssize_t got = read_output(process);

	(void)epoll_events;
	if (got > 0 || got == -EAGAIN || got == -EINTR)
		return;
	swp_watch_remove(&process->output_watch);
	close_fd(&process->output_fd);
}

static void child_ended(struct swp_process *process, int status)
{
	process->pid = 0;
	swp_watch_remove(&process->exit_watch);
	close_fd(&process->pidfd);
	stop_input(process);
	while (process->output_fd >= 0 && !process->too_much && read_output(process) > 0)
		;
	swp_watch_remove(&process->output_watch);
	close_fd(&process->output_fd);
	if (!process->ended)
		return;
	if (process->captures && !process->too_much)
		process->ended(
			process->context, status, swp_buf_text(&process->output), process->output.length);
	else
		process->ended(process->context, status, NULL, 0);
}

static void exit_ready(struct swp_watch *watch, uint32_t epoll_events)
{
	struct swp_process *process = SWP_CONTAINER_OF(watch, struct swp_process, exit_watch);
	int status = 0;

	(void)epoll_events;
	if (waitpid(process->pid, &status, WNOHANG) != 0)
		child_ended(process, status);
}

static void look_for_exit(struct swp_timer *timer)
{
	struct swp_process *process = SWP_CONTAINER_OF(timer, struct swp_process, exit_timer);
	int status = 0;

	if (waitpid(process->pid, &status, WNOHANG) == 0)
		swp_timer_start(timer, LOOK_FOR_EXIT_MS);
	else
		child_ended(process, status);
}

static int watch_exit(struct swp_process *process, struct swp_loop *loop)
{
	process->pidfd = (int)syscall(SYS_pidfd_open, process->pid, 0u);
	if (process->pidfd >= 0)
		return swp_watch_add(&process->exit_watch, loop, process->pidfd, EPOLLIN, exit_ready);
	if (errno != ENOSYS)
		return -errno;
	swp_timer_init(&process->exit_timer, loop, look_for_exit);
	return swp_timer_start(&process->exit_timer, LOOK_FOR_EXIT_MS);
}

static int watch_child(struct swp_process *process, struct swp_loop *loop)
{
	int error = watch_exit(process, loop);

	if (!error && process->input_fd >= 0)
		error = swp_watch_add(&process->input_watch, loop, process->input_fd, EPOLLOUT, input_ready);
	if (!error && process->output_fd >= 0)
		error = swp_watch_add(
			&process->output_watch, loop, process->output_fd, EPOLLIN, output_ready);
	return error;
}

static int start(struct swp_process *process, struct swp_loop *loop,
	const struct swp_process_options *options, struct swp_problem *problem)
{
	struct launch launch = {.standard = {-1, -1, -1}, .own_group = process->own_group};
	int error = find_program(options->arguments[0], launch.path, problem);

	if (error)
		return error;
	/* execve wants them without const and changes neither. */
	launch.arguments = (char *const *)(uintptr_t)options->arguments;
	launch.environment = options->environment ? (char *const *)(uintptr_t)options->environment : environ;
	if (options->input)
		error = swp_buf_append(&process->input, options->input, options->input_length);
	if (!error)
		error = open_standard(process, options, &launch);
	if (!error)
		error = fork_and_exec(process, &launch);
	for (int i = 0; i < 3; i++)
		close_fd(&launch.standard[i]);
	if (!error)
		error = watch_child(process, loop);
	if (error)
		swp_problem_set(problem, error, "%s could not be started: %s", launch.path, strerror(-error));
	return error;
}

struct swp_process *swp_process_start(struct swp_loop *loop, const struct swp_process_options *options,
	swp_process_ended ended, void *context, struct swp_problem *problem)
{
	struct swp_process *process = swp_calloc(1, sizeof(*process));

	if (!process) {
		swp_problem_set(problem, -ENOMEM, "out of memory");
		return NULL;
	}
	process->pidfd = process->input_fd = process->output_fd = -1;
	process->own_group = !options->shares_terminal;
	process->captures = options->capture_output;
	process->ended = ended;
	process->context = context;
	swp_buf_init(&process->output, SWP_LIMIT_OUTPUT_BYTES);
	process->output.secret = process->input.secret = options->capture_secret;
	if (start(process, loop, options, problem) != 0) {
		swp_process_free(process);
		return NULL;
	}
	return process;
}

pid_t swp_process_pid(const struct swp_process *process)
{
	return process->pid;
}

void swp_process_signal(struct swp_process *process, int number)
{
	/* Not reaped yet, so the number is still its. */
	if (process->pid > 0)
		kill(process->pid, number);
}

void swp_process_free(struct swp_process *process)
{
	if (!process)
		return;
	if (process->pid > 0) {
		swp_process_signal(process, SIGKILL);
		if (process->own_group)
			kill(-process->pid, SIGKILL);
		while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	swp_watch_remove(&process->exit_watch);
	swp_timer_stop(&process->exit_timer);
	swp_watch_remove(&process->output_watch);
	stop_input(process);
	close_fd(&process->pidfd);
	close_fd(&process->output_fd);
	swp_buf_done(&process->output);
	swp_free(process);
}
