#include "coordinator/workers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/io/files.h"
#include "proto/io/process.h"
#include "proto/io/store-access.h"
#include "proto/wire/keyfile.h"

/* One that dies more often than this in its window dies of something that starting it again does not cure. */
#define MAX_STARTS 5
#define START_WINDOW_MS 60000

struct worker {
	struct swp_workers *workers;
	struct swp_process *process; /* NULL: given up */
	char name[32];		     /* of the running process: "local-2.1" */
	char public_key[SWP_BUS_KEY_TEXT_BYTES];
	unsigned index, instance, starts;
	int64_t window_began_ms;
};

struct swp_workers {
	struct swp_loop *loop;
	struct swp_fleet *fleet;
	struct swp_workers_events events;
	struct swp_workers_options options; /* texts owned */
	char *store_url;
	struct swp_secret input; /* passwords of the store, one a line: what a worker reads from stdin */
	char *server_key_path;
	char **environment;
	struct worker *list;
	unsigned given_up;
};

extern char **environ;

/* --- environment --- */

/* AWS credentials are not a worker's business; our own settings, secrets among them, it is told by its options. */
static bool is_kept_back(const char *variable)
{
	return strncmp(variable, "AWS_", 4) == 0 || strncmp(variable, "ORGSWEEP_", 9) == 0;
}

static bool is_replaced(const char *variable, const char *const *extra)
{
	size_t length = strcspn(variable, "=") + 1;

	for (; extra && *extra; extra++)
		if (strncmp(variable, *extra, length) == 0)
			return true;
	return false;
}

char **swp_workers_environment(char *const *environment, const char *const *extra)
{
	size_t count = 0, kept = 0;
	char **result;

	for (char *const *at = environment; *at; at++)
		count++;
	for (const char *const *at = extra; at && *at; at++)
		count++;
	result = swp_calloc(count + 1, sizeof(*result));
	if (!result)
		return NULL;
	for (char *const *at = environment; *at; at++)
		if (!is_kept_back(*at) && !is_replaced(*at, extra) && !(result[kept++] = swp_strdup(*at)))
			goto out_of_memory;
	for (const char *const *at = extra; at && *at; at++)
		if (!(result[kept++] = swp_strdup(*at)))
			goto out_of_memory;
	return result;
out_of_memory:
	swp_workers_environment_free(result);
	return NULL;
}

void swp_workers_environment_free(char **environment)
{
	for (char **at = environment; at && *at; at++) {
		swp_wipe(*at, strlen(*at)); /* a proxy's password may be among them */
		swp_free(*at);
	}
	swp_free(environment);
}

static bool has(const struct swp_secret *secret)
{
	return secret && swp_secret_is_set(secret);
}

/* What store-access.h reads again. */
static int make_input(struct swp_workers *workers, const struct swp_store_options *store)
{
	const struct swp_secret *secrets[] = {store->password, store->sentinel_password};
	SWP_CLEANUP(swp_buf_done) struct swp_buf text = {.secret = true};

	for (size_t i = 0; i < SWP_ARRAY_SIZE(secrets); i++)
		if (has(secrets[i])) {
			swp_buf_append(&text, secrets[i]->bytes, secrets[i]->length);
			swp_buf_append_byte(&text, '\n');
		}
	if (text.failed)
		return text.failed;
	return text.length > 0 ? swp_secret_set(&workers->input, text.data, text.length) : 0;
}

static int make_environment(struct swp_workers *workers)
{
	const struct swp_workers_options *options = &workers->options;
	const struct swp_store_options *store = options->store;
	struct {
		const char *name, *value;
	} rows[] = {
		{"AWS_CA_BUNDLE", options->ca_file},
		{"HTTPS_PROXY", options->https_proxy},
		{"NO_PROXY", options->no_proxy},
		/* Not the password itself: who may look at processes sees their environment. */
		{SWP_STORE_PASSWORD_FILE, has(store->password) ? "/dev/stdin" : NULL},
		{SWP_STORE_SENTINEL_USER, store->sentinel_user},
		{SWP_STORE_SENTINEL_PASSWORD_FILE, has(store->sentinel_password) ? "/dev/stdin" : NULL},
		{SWP_STORE_CA_FILE, store->ca_file},
		{SWP_STORE_CERTIFICATE_FILE, store->certificate_file},
		{SWP_STORE_KEY_FILE, store->key_file},
	};
	char *extra[SWP_ARRAY_SIZE(rows) + 1] = {NULL};
	size_t count = 0;
	int error = 0;

	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++)
		if (rows[i].value && *rows[i].value &&
			!(extra[count++] = swp_asprintf("%s=%s", rows[i].name, rows[i].value)))
			error = -ENOMEM;
	if (error == 0)
		workers->environment = swp_workers_environment(environ, (const char *const *)extra);
	for (size_t i = 0; i < count; i++) {
		if (extra[i])
			swp_wipe(extra[i], strlen(extra[i]));
		swp_free(extra[i]);
	}
	return workers->environment ? 0 : -ENOMEM;
}

/* --- key files --- */

static int write_keys(
	const char *path, const struct swp_keyfile *keys, bool with_secret, struct swp_problem *problem)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf text = {.secret = true};
	int error = swp_keyfile_format(keys, with_secret, &text);

	return error < 0 ? error : swp_file_write(path, text.data, text.length, problem);
}

static char *key_path(const struct swp_workers *workers, const char *name)
{
	return swp_asprintf("%s/%s.key", workers->options.folder, name);
}

static int make_worker_key(struct worker *worker, const char *path, struct swp_problem *problem)
{
	struct swp_bus_keys pair = {0};
	struct swp_keyfile keyfile = {0};
	int error = swp_bus_keys_make(&pair);

	if (error < 0)
		return swp_problem_set(problem, error, "can't make a CURVE key");
	memcpy(keyfile.public_key, pair.public_key, sizeof(keyfile.public_key));
	memcpy(worker->public_key, pair.public_key, sizeof(worker->public_key));
	error = swp_secret_copy(&keyfile.secret_key, &pair.secret_key);
	if (error == 0)
		error = write_keys(path, &keyfile, true, problem);
	if (error == 0)
		error = swp_fleet_allow(worker->workers->fleet, worker->public_key, worker->name);
	swp_keyfile_done(&keyfile);
	swp_bus_keys_done(&pair);
	return error;
}

static void forget_key(struct worker *worker)
{
	char *path = key_path(worker->workers, worker->name);

	swp_fleet_disallow(worker->workers->fleet, worker->public_key);
	if (path)
		unlink(path);
	swp_free(path);
}

/* --- processes --- */

static void worker_ended(void *context, int wait_status, const char *output, size_t output_length);

/* "tcp://0.0.0.0:7717" is where it listens, not where one connects to. */
static void local_endpoint(const struct swp_workers *workers, char endpoint[static 512])
{
	static const char *const everywhere[] = {"tcp://0.0.0.0:", "tcp://*:", "tcp://[::]:"};
	const char *bound = swp_fleet_endpoint(workers->fleet);

	for (size_t i = 0; i < SWP_ARRAY_SIZE(everywhere); i++)
		if (swp_text_starts(bound, everywhere[i])) {
			snprintf(endpoint, 512, "tcp://127.0.0.1:%s", bound + strlen(everywhere[i]));
			return;
		}
	snprintf(endpoint, 512, "%s", bound);
}

static int start_worker(struct worker *worker, struct swp_problem *problem)
{
	struct swp_workers *workers = worker->workers;
	char endpoint[512], parent[32];
	char *path;
	int error;

	snprintf(worker->name, sizeof(worker->name), "local-%u.%u", worker->index + 1, ++worker->instance);
	snprintf(parent, sizeof(parent), "%ld", (long)getpid());
	local_endpoint(workers, endpoint);
	path = key_path(workers, worker->name);
	error = path ? make_worker_key(worker, path, problem) : -ENOMEM;
	if (error == 0) {
		const char *arguments[] = {workers->options.program, "--connect", endpoint, "--key", path,
			"--server-key", workers->server_key_path, "--store", workers->store_url, "--name",
			worker->name, "--die-with-parent", parent, "--log-format",
			workers->options.log_form == SWP_LOG_JSON ? "json" : "text", NULL};
		struct swp_process_options options = {.arguments = arguments,
			.environment = (const char *const *)workers->environment,
			.output_fd = -1,
			.error_fd = STDERR_FILENO,
			.capture_secret = true};

		if (swp_secret_is_set(&workers->input)) {
			options.input = workers->input.bytes;
			options.input_length = workers->input.length;
		}
		worker->process = swp_process_start(workers->loop, &options, worker_ended, worker, problem);
		if (!worker->process)
			error = -ENOENT;
	}
	swp_free(path);
	return error;
}

static bool may_start_again(struct worker *worker)
{
	int64_t now_ms = swp_loop_now_ms(worker->workers->loop);

	if (now_ms - worker->window_began_ms > START_WINDOW_MS) {
		worker->window_began_ms = now_ms;
		worker->starts = 0;
	}
	return ++worker->starts < MAX_STARTS;
}

static void describe_end(int wait_status, char text[static 64])
{
	if (WIFSIGNALED(wait_status))
		snprintf(text, 64, "signal %d", WTERMSIG(wait_status));
	else
		snprintf(text, 64, "exit status %d", WEXITSTATUS(wait_status));
}

static void give_up(struct swp_workers *workers, const struct swp_problem *problem)
{
	if (++workers->given_up == workers->options.count)
		workers->events.failed(workers->events.context, problem);
}

static void worker_ended(void *context, int wait_status, const char *output, size_t output_length)
{
	struct worker *worker = context;
	struct swp_workers *workers = worker->workers;
	struct swp_problem problem = {0};
	char text[64];
	const char *how = text;

	(void)output;
	(void)output_length;
	describe_end(wait_status, text);
	swp_process_free(worker->process);
	worker->process = NULL;
	forget_key(worker);
	swp_log(SWP_LOG_WARNING, "worker.ended", "a local worker ended", SWP_LOG_S("worker", worker->name),
		SWP_LOG_S("how", how));
	swp_fleet_ended(workers->fleet, worker->name);
	if (may_start_again(worker) && start_worker(worker, &problem) == 0)
		return;
	if (!problem.text[0])
		swp_problem_set(&problem, -EIO,
			"local workers end again and again (the last one: %s); what they say of it stands in "
			"the log lines above",
			how);
	give_up(workers, &problem);
}

/* --- life --- */

/* Texts that later starts need are copied; the rest is used up by make_environment. */
static int copy_options(struct swp_workers *workers, const struct swp_workers_options *options)
{
	workers->options = *options;
	workers->options.program = swp_strdup(options->program);
	workers->options.folder = swp_strdup(options->folder);
	workers->store_url = swp_store_address_format(&options->store->address);
	if (!workers->options.program || !workers->options.folder || !workers->store_url)
		return -ENOMEM;
	return make_input(workers, options->store);
}

static int write_server_key(struct swp_workers *workers, const char *public_key, struct swp_problem *problem)
{
	struct swp_keyfile keyfile = {0};

	workers->server_key_path = swp_asprintf("%s/server.pub", workers->options.folder);
	if (!workers->server_key_path)
		return -ENOMEM;
	snprintf(keyfile.public_key, sizeof(keyfile.public_key), "%s", public_key);
	return write_keys(workers->server_key_path, &keyfile, false, problem);
}

static int start_all(struct swp_workers *workers, const char *server_public_key, struct swp_problem *problem)
{
	int error = make_environment(workers);

	if (error == 0)
		error = write_server_key(workers, server_public_key, problem);
	workers->list = swp_calloc(workers->options.count + 1, sizeof(*workers->list));
	if (!workers->list)
		return -ENOMEM;
	for (unsigned i = 0; error == 0 && i < workers->options.count; i++) {
		workers->list[i] = (struct worker){.workers = workers, .index = i};
		workers->list[i].window_began_ms = swp_loop_now_ms(workers->loop);
		error = start_worker(&workers->list[i], problem);
	}
	return error;
}

struct swp_workers *swp_workers_start(struct swp_loop *loop, struct swp_fleet *fleet,
	const struct swp_workers_options *options, const struct swp_workers_events *events,
	struct swp_problem *problem)
{
	struct swp_workers *workers = swp_calloc(1, sizeof(*workers));
	int error = workers ? 0 : -ENOMEM;

	problem->text[0] = '\0';
	if (workers) {
		workers->loop = loop;
		workers->fleet = fleet;
		workers->events = *events;
		error = copy_options(workers, options);
	}
	if (error == 0)
		error = start_all(workers, options->server_public_key, problem);
	if (workers)
		workers->options.store = NULL; /* used up */
	if (error == 0)
		return workers;
	if (!problem->text[0])
		swp_problem_set(problem, error, "can't start workers: %s", strerror(-error));
	swp_workers_free(workers);
	return NULL;
}

void swp_workers_free(struct swp_workers *workers)
{
	if (!workers)
		return;
	for (unsigned i = 0; workers->list && i < workers->options.count; i++) {
		if (!workers->list[i].workers)
			continue;
		swp_process_free(workers->list[i].process);
		forget_key(&workers->list[i]);
	}
	if (workers->server_key_path)
		unlink(workers->server_key_path);
	swp_free(workers->server_key_path);
	swp_workers_environment_free(workers->environment);
	swp_secret_done(&workers->input);
	swp_free(workers->list);
	swp_free((char *)workers->options.program);
	swp_free((char *)workers->options.folder);
	swp_free(workers->store_url);
	swp_free(workers);
}
