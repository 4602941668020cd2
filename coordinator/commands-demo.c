/* orgsweep demo: starts the simulator with its demonstration organization on 127.0.0.1 and sweeps it like any other. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coordinator/commands.h"
#include "proto/base/alloc.h"
#include "proto/base/buf.h"
#include "proto/io/files.h"
#include "proto/io/folder.h"
#include "proto/io/process.h"

#define READY_WAIT_MS 15000
#define FOLDER_NAME "/orgsweep-demo-XXXXXX"

struct demo {
	struct swp_loop *loop;
	struct swp_process *simulator;
	char folder[160];
	bool made, ended;
	struct swp_problem problem;
};

static void simulator_ended(void *context, int wait_status, const char *output, size_t output_length)
{
	struct demo *demo = context;
	(void)wait_status;
	(void)output;
	(void)output_length;
	demo->ended = true;
}

static int start_simulator(struct demo *demo)
{
	SWP_CLEANUP(swp_free_pointer)
	char *program = swp_settings_find_program(
		"ORGSWEEP_SIMULATOR", "orgsweep-simulator", "../tests/simulator/orgsweep-simulator");
	SWP_CLEANUP(swp_free_pointer) char *ready = swp_asprintf("%s/ready", demo->folder);
	if (!ready)
		return -ENOMEM;
	if (!program)
		return swp_problem_set(&demo->problem, -ENOENT,
			"orgsweep-simulator was not found beside orgsweep, in its build tree or on PATH; set "
			"ORGSWEEP_SIMULATOR to its path");
	const char *const arguments[] = {program, "--demo", "--listen", "127.0.0.1:0", "--state",
		demo->folder, "--ready-file", ready, "--die-with-parent", NULL};
	struct swp_process_options options = {
		.arguments = arguments, .output_fd = -1, .error_fd = STDERR_FILENO};
	demo->simulator = swp_process_start(demo->loop, &options, simulator_ended, demo, &demo->problem);
	return demo->simulator ? 0 : -ECHILD;
}

static int wait_ready(struct demo *demo, json_t **ret_ready)
{
	SWP_CLEANUP(swp_free_pointer) char *path = swp_asprintf("%s/ready", demo->folder);
	SWP_CLEANUP(swp_buf_done) struct swp_buf bytes = {0};
	int64_t end_ms = swp_clock_monotonic_ms(swp_clock_system()) + READY_WAIT_MS;
	while (path && !demo->ended && swp_clock_monotonic_ms(swp_clock_system()) < end_ms) {
		int error = swp_loop_step(demo->loop, 20);
		if (error)
			return error;
		swp_buf_clear(&bytes);
		if (access(path, R_OK) || swp_file_read(path, &bytes, &demo->problem))
			continue;
		*ret_ready = json_loadb(swp_buf_text(&bytes), bytes.length, 0, NULL);
		if (*ret_ready)
			return 0;
	}
	return swp_problem_set(&demo->problem, -ETIMEDOUT, "the simulator did not start");
}

static int take_environment(struct demo *demo, const json_t *ready)
{
	static const char *const others[] = {"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN",
		"AWS_SECURITY_TOKEN", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE",
		"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT",
		"ORGSWEEP_PROFILE", "HTTPS_PROXY", "https_proxy"};
	const char *ca = NULL, *key = NULL, *secret = NULL;
	int port = 0;
	char url[64];
	if (json_unpack((json_t *)(uintptr_t)ready, "{s:i,s:s,s:s,s:s}", "port", &port, "ca", &ca,
		    "access_key_id", &key, "secret_access_key", &secret))
		return swp_problem_set(
			&demo->problem, -EBADMSG, "the simulator's ready file is not understood");
	for (size_t i = 0; i < SWP_ARRAY_SIZE(others); i++)
		unsetenv(others[i]);
	snprintf(url, sizeof(url), "https://127.0.0.1:%d", port);
	setenv("AWS_ENDPOINT_URL", url, 1);
	setenv("AWS_CA_BUNDLE", ca, 1);
	setenv("AWS_ACCESS_KEY_ID", key, 1);
	setenv("AWS_SECRET_ACCESS_KEY", secret, 1);
	setenv("AWS_CONFIG_FILE", "/dev/null", 1);
	setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null", 1);
	fprintf(stderr, "orgsweep demo: a simulated organization on %s; no AWS account is touched\n", url);
	return 0;
}

/* Sweeps of the demo are kept apart, so that they never push real ones out of the store. */
static void own_state(void)
{
	const char *base = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	SWP_CLEANUP(swp_free_pointer)
	char *folder = base && *base ? swp_asprintf("%s/orgsweep-demo", base)
		       : home	     ? swp_asprintf("%s/.local/state/orgsweep-demo", home)
				     : NULL;
	if (folder)
		setenv("XDG_STATE_HOME", folder, 1);
}

/* Short, so that what the simulator puts there has room for its path, too. */
static int make_folder(struct demo *demo)
{
	const char *base = getenv("TMPDIR");
	int length = snprintf(
		demo->folder, sizeof(demo->folder), "%s" FOLDER_NAME, base && *base == '/' ? base : "/tmp");
	if (length < 0 || (size_t)length >= sizeof(demo->folder))
		return swp_problem_set(&demo->problem, -ENAMETOOLONG,
			"TMPDIR is too long a path (at most %zu bytes)",
			sizeof(demo->folder) - sizeof(FOLDER_NAME));
	demo->made = mkdtemp(demo->folder) != NULL;
	if (!demo->made)
		return swp_problem_set(&demo->problem, -errno, "no temporary folder can be made as %s: %s",
			demo->folder, strerror(errno));
	return 0;
}

static int begin(struct demo *demo)
{
	json_t *ready = NULL;
	int error = make_folder(demo);
	if (!error && !(demo->loop = swp_loop_new(swp_clock_system())))
		error = -ENOMEM;
	if (!error)
		error = start_simulator(demo);
	if (!error)
		error = wait_ready(demo, &ready);
	if (!error)
		error = take_environment(demo, ready);
	json_decref(ready);
	own_state();
	return error;
}

static bool asks_for_help(int argc, char *const *argv)
{
	for (int i = 0; i < argc; i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return true;
	return false;
}

int swp_command_demo(const struct swp_command_row *command, int argc, char *const *argv)
{
	struct demo demo = {0};
	int code;
	if (asks_for_help(argc, argv))
		return swp_command_sweep(command, argc, argv);
	if (begin(&demo))
		code = swp_command_exit_line(SWP_EXIT_COULD_NOT, demo.problem.text);
	else
		code = swp_command_sweep(command, argc, argv);
	swp_process_free(demo.simulator);
	swp_loop_free(demo.loop);
	if (demo.made)
		swp_folder_remove(demo.folder);
	return code;
}
