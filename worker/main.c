/* orgsweep-worker: reads options, builds the worker, runs it, frees it. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/alloc.h"
#include "proto/base/log.h"
#include "proto/base/text.h"
#include "proto/io/files.h"
#include "proto/io/metrics-server.h"
#include "proto/io/process.h"
#include "proto/io/store-access.h"
#include "proto/wire/keyfile.h"
#include "worker/options.h"
#include "worker/worker.h"

enum { EXIT_DONE = 0, EXIT_CANNOT = 2 };

struct program {
	struct swp_worker_options options;
	struct swp_loop *loop;
	struct swp_signals *signals;
	struct swp_worker *worker;
	struct swp_metrics_server *metrics;
	struct swp_bus_keys keys;
	char server_public_key[SWP_BUS_KEY_TEXT_BYTES];
	struct swp_store_access store_access;
	char name[128], host[128];
	int exit_code;
};

static const char *from_environment(const char *name, void *context)
{
	(void)context;
	return getenv(name);
}

/* --- what files say --- */

static int check_mode(const char *path, struct swp_problem *problem)
{
	struct stat status;

	if (stat(path, &status) < 0)
		return swp_problem_set(problem, -errno, "%s can't be opened: %s", path, strerror(errno));
	return swp_keyfile_check_mode(path, status.st_mode, problem);
}

static int read_keyfile(
	const char *path, bool want_secret, struct swp_keyfile *ret_keyfile, struct swp_problem *problem)
{
	SWP_CLEANUP(swp_buf_done)
	struct swp_buf text = {.limit_bytes = SWP_LIMIT_KEYFILE_BYTES, .secret = true};
	int r = want_secret ? check_mode(path, problem) : 0;

	if (r == 0)
		r = swp_file_read(path, &text, problem);
	return r < 0 ? r
		     : swp_keyfile_parse(
			       path, swp_buf_text(&text), text.length, want_secret, ret_keyfile, problem);
}

static int read_keys(struct program *program, struct swp_problem *problem)
{
	struct swp_keyfile own = {0}, server = {0};
	int r = read_keyfile(program->options.key, true, &own, problem);

	if (r == 0)
		r = read_keyfile(program->options.server_key, false, &server, problem);
	if (r == 0) {
		memcpy(program->keys.public_key, own.public_key, sizeof(program->keys.public_key));
		memcpy(program->server_public_key, server.public_key, sizeof(program->server_public_key));
		r = swp_secret_copy(&program->keys.secret_key, &own.secret_key);
	}
	swp_keyfile_done(&own);
	swp_keyfile_done(&server);
	return r;
}

static void choose_name(struct program *program)
{
	if (gethostname(program->host, sizeof(program->host) - 1) < 0)
		snprintf(program->host, sizeof(program->host), "unknown");
	if (program->options.name)
		snprintf(program->name, sizeof(program->name), "%s", program->options.name);
	else
		snprintf(program->name, sizeof(program->name), "%.100s-%ld", program->host, (long)getpid());
}

/* --- running --- */

static void ended(void *context, int exit_code)
{
	struct program *program = context;

	program->exit_code = exit_code;
	swp_loop_stop(program->loop);
}

static void signalled(int number, void *context)
{
	struct program *program = context;

	(void)number;
	if (program->worker)
		swp_worker_drain(program->worker);
}

/* Where this user's running sweep has its private redis-server: told by a file in the state folder. */
static int find_private_store(struct swp_store_address *ret_address, struct swp_problem *problem)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf text = {.limit_bytes = sizeof(ret_address->host) - 1};
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	char path[PATH_MAX];
	bool set = state && *state;
	int r;

	if (!set && !(home && *home))
		return swp_problem_set(problem, -ENOENT, "--store URL is needed");
	snprintf(path, sizeof(path), "%s%s/orgsweep/redis/socket", set ? state : home,
		set ? "" : "/.local/state");
	r = swp_file_read(path, &text, problem);
	if (r < 0) {
		swp_problem_prefix(problem, "--store URL is needed, as no sweep runs here");
		return r;
	}
	*ret_address = (struct swp_store_address){.scheme = SWP_STORE_UNIX};
	memcpy(ret_address->host, swp_buf_text(&text), text.length + 1);
	return 0;
}

static int find_store(const char *url, struct swp_store_address *ret_address, struct swp_problem *problem)
{
	return url ? swp_store_address_parse(url, ret_address, problem)
		   : find_private_store(ret_address, problem);
}

static struct swp_worker *make_worker(struct program *program, struct swp_problem *problem)
{
	const struct swp_worker_options *options = &program->options;
	struct swp_worker_settings settings = {
		.name = program->name,
		.host = program->host,
		.endpoints = options->connect,
		.endpoint_count = options->connect_count,
		.keys = &program->keys,
		.server_public_key = program->server_public_key,
		.store = {.client_name = "orgsweep-worker"},
		.http = {.ca_file = options->ca_file,
			.https_proxy = options->https_proxy,
			.no_proxy = options->no_proxy,
			.user_agent = "orgsweep/" SWP_VERSION},
		.ended = ended,
		.context = program,
	};
	uint64_t credits = 0;

	swp_store_access_apply(&program->store_access, &settings.store);
	if (find_store(options->store, &settings.store.address, problem) < 0)
		return NULL;
	if (options->credits)
		swp_parse_u64(options->credits, SWP_LIMIT_HOLDS, &credits);
	settings.credits = (unsigned)credits;
	return swp_worker_new(program->loop, &settings, problem);
}

static int write_metrics(void *context, struct swp_buf *out)
{
	return swp_worker_metrics_write(((struct program *)context)->worker, out);
}

static int tell_ready(void *context, struct swp_problem *why)
{
	return swp_worker_ready(((struct program *)context)->worker, why);
}

static int start_metrics(struct program *program, struct swp_problem *problem)
{
	const struct swp_metrics_server_events events = {write_metrics, tell_ready, program};

	if (!program->options.metrics)
		return 0;
	program->metrics = swp_metrics_server_new(program->loop, program->options.metrics, &events, problem);
	if (!program->metrics)
		return -EIO;
	swp_log(SWP_LOG_INFO, "metrics.listening", "metrics are served",
		SWP_LOG_S("address", swp_metrics_server_address(program->metrics)));
	return 0;
}

static int run(struct program *program, struct swp_problem *problem)
{
	static const int numbers[] = {SIGTERM, SIGINT};
	int r = read_keys(program, problem);

	if (r == 0)
		r = swp_store_access_read(&program->store_access, from_environment, NULL, problem);
	if (r < 0)
		return r;
	choose_name(program);
	program->loop = swp_loop_new(swp_clock_system());
	if (program->loop)
		program->signals =
			swp_signals_new(program->loop, numbers, SWP_ARRAY_SIZE(numbers), signalled, program);
	if (!program->signals)
		return swp_problem_set(problem, -errno, "the event loop can't be made: %s", strerror(errno));
	program->worker = make_worker(program, problem);
	swp_bus_keys_done(&program->keys);
	if (!program->worker)
		return -EINVAL;
	r = start_metrics(program, problem);
	return r < 0 ? r : swp_loop_run(program->loop);
}

static void release(struct program *program)
{
	swp_metrics_server_free(program->metrics);
	swp_worker_free(program->worker);
	swp_signals_free(program->signals);
	swp_loop_free(program->loop);
	swp_bus_keys_done(&program->keys);
	swp_store_access_done(&program->store_access);
}

static int show(bool help)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf text = {0};

	if (help ? swp_worker_options_help(&text)
		 : swp_buf_append_text(&text, "orgsweep-worker " SWP_VERSION "\n"))
		return EXIT_CANNOT;
	return fputs(swp_buf_text(&text), stdout) < 0 || fflush(stdout) != 0 ? EXIT_CANNOT : EXIT_DONE;
}

static int refuse(const struct swp_problem *problem)
{
	fprintf(stderr, "orgsweep-worker: %s\n", problem->text);
	return EXIT_CANNOT;
}

/* A local worker goes with its coordinator, however that ends. */
static int follow_parent(const char *text, struct swp_problem *problem)
{
	uint64_t parent;

	if (!text)
		return 0;
	if (swp_parse_u64(text, INT32_MAX, &parent) < 0)
		return swp_problem_set(
			problem, -EINVAL, "--die-with-parent wants a process id, not %s", text);
	return swp_process_die_with_parent((pid_t)parent);
}

int main(int argc, char **argv)
{
	struct program program = {.exit_code = EXIT_CANNOT};
	struct swp_problem problem = {""};

	swp_alloc_return_at_once();
	swp_process_harden();
	if (swp_worker_options_parse(
		    argc, (const char *const *)argv, from_environment, NULL, &program.options, &problem) < 0)
		return refuse(&problem);
	if (program.options.help || program.options.version)
		return show(program.options.help);
	if (follow_parent(program.options.die_with_parent, &problem) < 0)
		return refuse(&problem);
	/* What a local worker was refused stands in the report; a fleet's worker is watched by its log. */
	swp_log_setup(stderr,
		swp_text_equal(program.options.log_format, "json") ? SWP_LOG_JSON : SWP_LOG_TEXT,
		program.options.die_with_parent ? SWP_LOG_WARNING : SWP_LOG_INFO, "orgsweep-worker",
		swp_clock_system());
	if (run(&program, &problem) < 0) {
		refuse(&problem);
		program.exit_code = EXIT_CANNOT;
	}
	release(&program);
	return program.exit_code;
}
