/* orgsweep-simulator: a simulated AWS Organization over HTTPS. See README.md. */
#include "tests/simulator/credentials.h"
#include "tests/simulator/dispatch.h"
#include "tests/simulator/options.h"
#include "tests/simulator/organization-file.h"
#include "tests/simulator/request-log.h"
#include "tests/simulator/seed.h"
#include "tests/simulator/server.h"
#include "tests/simulator/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES_MAX 64
#define ACCOUNTS_MAX 100000

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

struct simulator {
	struct swp_sim_options options;
	struct swp_sim_world world;
	struct swp_sim_context context;
	struct swp_sim_tls *tls;
	struct swp_sim_log *log;
	int listeners[SWP_SIM_LISTENS_MAX * PROCESSES_MAX];
	int ports[SWP_SIM_LISTENS_MAX];
	struct swp_sim_buffer error;
};

/* A number, or names: 0, or -1 with a message. */
static int parse_regions(struct simulator *simulator, uint64_t *ret_regions)
{
	struct swp_sim_text rest =
		swp_sim_text_of(simulator->options.regions ? simulator->options.regions : "4");
	uint64_t number, regions = 0;
	if (swp_sim_text_number(rest, &number) == 0) {
		for (unsigned i = 0; i < swp_sim_region_count && number > 0; i++, number--) {
			if (strcmp(swp_sim_regions[i].partition, "aws") != 0)
				break;
			regions |= UINT64_C(1) << i;
		}
		*ret_regions = regions;
		return regions && number == 0
			       ? 0
			       : (swp_sim_buffer_put(&simulator->error, "--regions: 1 to 34, or names"), -1);
	}
	while (rest.at != NULL) {
		struct swp_sim_text name = swp_sim_text_cut(&rest, ',');
		unsigned region = swp_sim_region_find(name);
		if (region == SWP_SIM_REGION_NONE) {
			swp_sim_buffer_printf(
				&simulator->error, "--regions: no region %.*s", (int)name.size, name.at);
			return -1;
		}
		regions |= UINT64_C(1) << region;
	}
	*ret_regions = regions;
	return 0;
}

static int make_world(struct simulator *simulator)
{
	const struct swp_sim_options *options = &simulator->options;
	struct swp_sim_world *world = &simulator->world;
	uint64_t regions;
	swp_sim_world_init(world);
	if (parse_regions(simulator, &regions) != 0)
		return -1;
	if (options->organization != NULL) {
		world->seed = options->seed;
		if (swp_sim_organization_read(world, options->organization, regions, &simulator->error) != 0)
			return -1;
	} else {
		if (options->accounts == 0 || options->accounts > ACCOUNTS_MAX) {
			swp_sim_buffer_printf(&simulator->error, "--accounts: 1 to %d", ACCOUNTS_MAX);
			return -1;
		}
		world->partition = swp_sim_partition_find(
			swp_sim_text_of(swp_sim_regions[__builtin_ctzll(regions)].partition));
		struct swp_sim_seed_options seed = {options->seed, options->accounts, regions,
			options->is_demo, options->role_name, options->external_id};
		swp_sim_seed_organization(world, &seed);
	}
	world->organization.is_in_use = world->organization.is_in_use && !options->is_no_organization;
	world->organization.gives_paths = world->organization.gives_paths && !options->hides_paths;
	world->organization.gives_states = world->organization.gives_states && !options->hides_states;
	world->organization.has_empty_page = world->organization.has_empty_page || options->has_empty_page;
	return 0;
}

static int read_file(const char *path, struct swp_sim_buffer *into, struct swp_sim_buffer *error)
{
	FILE *file = fopen(path, "re");
	size_t got = 0;
	if (file == NULL) {
		swp_sim_buffer_printf(error, "%s: %m", path);
		return -1;
	}
	do {
		swp_sim_buffer_reserve(into, 65536);
		got = fread(into->data + into->size, 1, 65536, file);
		into->size += got;
	} while (got > 0);
	fclose(file);
	return 0;
}

/* What the options ask for comes first, so that it wins over what the organization brings along. */
static int add_faults(struct simulator *simulator)
{
	const struct swp_sim_options *options = &simulator->options;
	struct swp_sim_shared *shared = simulator->context.shared;
	struct swp_sim_buffer text = {0};
	int result = 0;
	for (size_t i = 0; i < options->fault_count && result == 0; i++) {
		struct swp_sim_fault fault;
		result = swp_sim_fault_parse_option(options->fault[i], &fault, &simulator->error);
		if (result == 0)
			result = swp_sim_faults_add(shared, &fault);
	}
	if (result == 0 && options->faults != NULL)
		result = read_file(options->faults, &text, &simulator->error);
	if (result == 0 && options->faults != NULL)
		result = swp_sim_faults_add_json(shared, swp_sim_buffer_text(&text), &simulator->error);
	for (size_t i = 0; i < simulator->world.fault_count && result == 0; i++)
		result = swp_sim_faults_add_json(
			shared, swp_sim_text_of(simulator->world.faults[i]), &simulator->error);
	swp_sim_buffer_done(&text);
	return result;
}

/* Each process has sockets of its own at the same ports, so that the kernel spreads the connections. */
static int listen_all(struct simulator *simulator)
{
	const struct swp_sim_options *options = &simulator->options;
	bool is_shared = options->processes > 1;
	for (size_t p = 0; p < options->processes; p++) {
		for (size_t i = 0; i < options->listen_count; i++) {
			struct swp_sim_buffer where = {0};
			const char *colon = strrchr(options->listen[i], ':');
			if (p > 0 && colon != NULL)
				swp_sim_buffer_printf(&where, "%.*s:%d", (int)(colon - options->listen[i]),
					options->listen[i], simulator->ports[i]);
			else
				swp_sim_buffer_put(&where, options->listen[i]);
			int fd = swp_sim_listen(swp_sim_buffer_string(&where), is_shared, &simulator->error,
				&simulator->ports[i]);
			swp_sim_buffer_done(&where);
			if (fd < 0)
				return -1;
			simulator->listeners[p * SWP_SIM_LISTENS_MAX + i] = fd;
		}
	}
	return 0;
}

/* Written beside and renamed, so that whoever waits for the file finds it whole. */
static int write_file(const char *path, struct swp_sim_buffer *content, struct swp_sim_buffer *error)
{
	struct swp_sim_buffer beside = {0};
	swp_sim_buffer_printf(&beside, "%s.new", path);
	int fd = open(swp_sim_buffer_string(&beside), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool is_written = fd >= 0 && write(fd, content->data, content->size) == (ssize_t)content->size;
	if (fd >= 0)
		is_written = close(fd) == 0 && is_written;
	is_written = is_written && rename(swp_sim_buffer_string(&beside), path) == 0;
	if (!is_written)
		swp_sim_buffer_printf(error, "%s: %m", path);
	swp_sim_buffer_done(&beside);
	return is_written ? 0 : -1;
}

static char *ca_path(const struct simulator *simulator)
{
	struct swp_sim_buffer path = {0};
	char *folder = simulator->options.is_plain ? NULL : realpath(simulator->options.state, NULL);
	if (folder != NULL)
		swp_sim_buffer_printf(&path, "%s/ca.pem", folder);
	free(folder);
	char *copy = swp_sim_copy_text(swp_sim_buffer_text(&path));
	swp_sim_buffer_done(&path);
	return copy;
}

static void put_users(const struct swp_sim_world *world, struct swp_sim_buffer *into)
{
	swp_sim_buffer_put(into, ",\"users\":[");
	for (size_t i = 0; i < world->user_count; i++) {
		const struct swp_sim_user *user = &world->users[i];
		swp_sim_buffer_printf(into, "%s{\"account\":\"%s\",\"name\":", i ? "," : "",
			world->accounts[user->account].id);
		swp_sim_buffer_json(into, swp_sim_text_of(user->name));
		swp_sim_buffer_printf(into, ",\"access_key_id\":\"%s\",\"secret_access_key\":\"%s\"}",
			user->access_key_id, user->secret_access_key);
	}
	swp_sim_buffer_byte(into, ']');
}

static int write_ready(struct simulator *simulator, const char *ca)
{
	struct swp_sim_buffer text = {0};
	const struct swp_sim_user *user = &simulator->world.users[0];
	swp_sim_buffer_printf(&text, "{\"port\":%d,\"ports\":[", simulator->ports[0]);
	for (size_t i = 0; i < simulator->options.listen_count; i++)
		swp_sim_buffer_printf(&text, "%s%d", i ? "," : "", simulator->ports[i]);
	swp_sim_buffer_put(&text, "],\"ca\":");
	swp_sim_buffer_json(&text, swp_sim_text_of(ca));
	swp_sim_buffer_printf(&text,
		",\"endpoint\":\"http%s://"
		"127.0.0.1:%d\",\"access_key_id\":\"%s\",\"secret_access_key\":\"%s\"",
		simulator->options.is_plain ? "" : "s", simulator->ports[0], user->access_key_id,
		user->secret_access_key);
	put_users(&simulator->world, &text);
	swp_sim_buffer_printf(&text, ",\"pid\":%d}\n", (int)getpid());
	int result = write_file(simulator->options.ready_file, &text, &simulator->error);
	swp_sim_buffer_done(&text);
	return result;
}

static int write_environment(struct simulator *simulator, const char *ca)
{
	struct swp_sim_buffer text = {0};
	const struct swp_sim_user *user = &simulator->world.users[0];
	swp_sim_buffer_printf(&text,
		"export AWS_ACCESS_KEY_ID=%s\nexport AWS_SECRET_ACCESS_KEY=%s\nexport "
		"AWS_ENDPOINT_URL=http%s://127.0.0.1:%d\n"
		"export AWS_REGION=%s AWS_DEFAULT_REGION=%s\nunset AWS_SESSION_TOKEN AWS_PROFILE\n",
		user->access_key_id, user->secret_access_key, simulator->options.is_plain ? "" : "s",
		simulator->ports[0], simulator->world.partition->global_region,
		simulator->world.partition->global_region);
	if (!simulator->options.is_plain)
		swp_sim_buffer_printf(&text, "export AWS_CA_BUNDLE='%s'\n", ca);
	int result = write_file(simulator->options.environment_file, &text, &simulator->error);
	swp_sim_buffer_done(&text);
	return result;
}

static int tell_ready(struct simulator *simulator)
{
	char *ca = ca_path(simulator);
	int result = 0;
	if (simulator->options.environment_file != NULL)
		result = write_environment(simulator, ca);
	if (result == 0 && simulator->options.ready_file != NULL)
		result = write_ready(simulator, ca);
	free(ca);
	return result;
}

static int serve(struct simulator *simulator, size_t process)
{
	struct swp_sim_server_options options = {
		.tls = simulator->tls ? swp_sim_tls_context(simulator->tls) : NULL,
		.latency_ms = simulator->options.latency_ms,
		.latency_jitter_ms = simulator->options.latency_jitter_ms,
		.seed = simulator->options.seed + process};
	struct swp_sim_dispatcher *dispatcher = swp_sim_dispatcher_new(&simulator->context, simulator->log);
	struct swp_sim_server *server =
		swp_sim_server_new(&options, dispatcher, simulator->context.shared, simulator->log);
	int result = server ? 0 : -1;
	for (size_t p = 0; p < simulator->options.processes; p++) {
		for (size_t i = 0; i < simulator->options.listen_count; i++) {
			int fd = simulator->listeners[p * SWP_SIM_LISTENS_MAX + i];
			if (p != process || result != 0)
				close(fd);
			else
				result = swp_sim_server_add_listener(server, fd);
		}
	}
	if (result == 0)
		result = swp_sim_server_run(server, &stop);
	swp_sim_server_free(server);
	swp_sim_dispatcher_free(dispatcher);
	return result;
}

/* The other processes serve until this one tells them, or is gone. */
static int serve_all(struct simulator *simulator)
{
	pid_t children[PROCESSES_MAX] = {0};
	for (size_t p = 1; p < simulator->options.processes; p++) {
		pid_t parent = getpid();
		children[p] = fork();
		if (children[p] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGTERM);
			if (getppid() != parent)
				stop = 1;
			return serve(simulator, p);
		}
	}
	int result = serve(simulator, 0);
	for (size_t p = 1; p < simulator->options.processes; p++) {
		if (children[p] > 0) {
			kill(children[p], SIGTERM);
			waitpid(children[p], NULL, 0);
		}
	}
	return result;
}

static int prepare(struct simulator *simulator)
{
	const struct swp_sim_options *options = &simulator->options;
	if (options->processes == 0 || options->processes > PROCESSES_MAX) {
		swp_sim_buffer_printf(&simulator->error, "--processes: 1 to %d", PROCESSES_MAX);
		return -1;
	}
	if (!options->is_plain && options->state == NULL) {
		swp_sim_buffer_put(
			&simulator->error, "--state DIR is asked for, where the certificates are kept");
		return -1;
	}
	simulator->context.world = &simulator->world;
	simulator->context.session_seconds = (unsigned)options->session_seconds;
	simulator->context.page_cap = (unsigned)options->page_size;
	simulator->context.shared = swp_sim_shared_new(simulator->world.account_count);
	simulator->context.credentials = swp_sim_credentials_new(&simulator->world);
	if (add_faults(simulator) != 0)
		return -1;
	if (!options->is_plain) {
		simulator->tls = swp_sim_tls_new(options->state, &simulator->error);
		if (simulator->tls == NULL)
			return -1;
	}
	if (options->log != NULL && (simulator->log = swp_sim_log_open(options->log)) == NULL) {
		swp_sim_buffer_printf(&simulator->error, "--log %s: %m", options->log);
		return -1;
	}
	return listen_all(simulator);
}

static void watch_for_the_end(const struct swp_sim_options *options)
{
	struct sigaction action = {.sa_handler = on_signal};
	struct rlimit files;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (options->dies_with_parent) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() == 1)
			stop = 1;
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

static void done(struct simulator *simulator)
{
	swp_sim_tls_free(simulator->tls);
	swp_sim_log_close(simulator->log);
	swp_sim_credentials_free(simulator->context.credentials);
	swp_sim_shared_free(simulator->context.shared);
	for (size_t i = 0; i < SWP_SIM_SCRATCH_COUNT; i++)
		swp_sim_buffer_done(&simulator->context.scratch[i]);
	swp_sim_buffer_done(&simulator->context.xml_scratch);
	swp_sim_world_done(&simulator->world);
	swp_sim_buffer_done(&simulator->error);
}

/* Options that print something instead of serving. True when one was given. */
static bool prints_only(struct simulator *simulator)
{
	struct swp_sim_buffer text = {0};
	const struct swp_sim_options *options = &simulator->options;
	if (options->asks_help)
		swp_sim_options_help(&text);
	else if (options->lists_faults)
		swp_sim_faults_list(stdout);
	else if (!options->prints_organization || make_world(simulator) != 0)
		return false;
	else
		swp_sim_organization_print(&simulator->world, stdout);
	fwrite(text.data, 1, text.size, stdout);
	swp_sim_buffer_done(&text);
	return true;
}

int main(int count, char **arguments)
{
	static struct simulator simulator;
	int result = 2;
	if (swp_sim_options_parse(count, arguments, &simulator.options, &simulator.error) == 0) {
		watch_for_the_end(&simulator.options);
		if (prints_only(&simulator))
			result = 0;
		else if (simulator.error.size == 0 && make_world(&simulator) == 0 &&
			 prepare(&simulator) == 0 && tell_ready(&simulator) == 0)
			result = serve_all(&simulator) == 0 ? 0 : 1;
	}
	if (simulator.error.size != 0)
		fprintf(stderr, "orgsweep-simulator: %s\n", swp_sim_buffer_string(&simulator.error));
	done(&simulator);
	return result;
}
