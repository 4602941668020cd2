#include "coordinator/private-store.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/alloc.h"
#include "proto/base/log.h"
#include "proto/base/text.h"
#include "proto/io/files.h"
#include "proto/io/folder.h"
#include "proto/io/process.h"

#define SOCKET_PATH_BYTES 100	 /* sun_path takes 107 */
#define POLL_MS 5		 /* until it listens */
#define LEFT_BEHIND_TERM_MS 3000 /* a server that was left behind has so long to end by itself */
#define MAX_STARTS                                                                                           \
	10 /* in START_WINDOW_MS; one that dies more often does not get better by starting it again */
#define START_WINDOW_MS 60000
#define EARLY_END_MS 3000

struct swp_private_store {
	struct swp_loop *loop;
	struct swp_private_store_events events;
	char *folder;	     /* STATE/redis */
	char *socket_folder; /* a short one under /tmp when the state folder's path is too long; NULL else */
	struct swp_store_address address;
	int lock_fd;
	struct swp_process *process;
	struct swp_timer timer; /* polls: left-behind server, then the socket */
	pid_t left_behind;
	int64_t left_behind_since_ms;
	unsigned starts;
	int64_t started_ms; /* the present one */
	int64_t window_began_ms;
	bool told;
};

static void tell_failed(struct swp_private_store *store, const struct swp_problem *problem)
{
	if (store->events.failed)
		store->events.failed(store->events.context, problem);
	store->events.failed = NULL;
}

/* --- starting --- */

static void process_ended(void *context, int wait_status, const char *output, size_t output_length);

static int start_process(struct swp_private_store *store, struct swp_problem *problem)
{
	/* No port; every write in the append-only file at once, on disk each second; never drop keys by itself. */
	const char *arguments[] = {"redis-server", "--port", "0", "--unixsocket", store->address.host,
		"--unixsocketperm", "600", "--dir", store->folder, "--appendonly", "yes", "--appendfsync",
		"everysec", "--save", "", "--maxmemory-policy", "noeviction", "--daemonize", "no",
		"--databases", "1", "--logfile", "redis.log", "--loglevel", "warning", "--pidfile",
		"redis.pid", NULL};
	/* Ours holds the caller's credentials. */
	static const char *const environment[] = {"LC_ALL=C", NULL};
	struct swp_process_options options = {
		.arguments = arguments, .environment = environment, .output_fd = -1, .error_fd = -1};

	unlink(store->address.host);
	store->started_ms = swp_loop_now_ms(store->loop);
	store->process = swp_process_start(store->loop, &options, process_ended, store, problem);
	if (!store->process) {
		swp_problem_prefix(problem, "can't start redis-server (install it: apt-get install "
					    "redis-server; or give --store redis://HOST)");
		return -ENOENT;
	}
	return swp_timer_start(&store->timer, POLL_MS);
}

/* The last line of its log says why it ended. */
static void last_words(const struct swp_private_store *store, struct swp_buf *out)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf log = {0};
	char *path = swp_asprintf("%s/redis.log", store->folder);
	struct swp_problem ignored;
	const char *line;

	if (path && swp_file_read(path, &log, &ignored) == 0 && log.length > 0) {
		if (log.data[log.length - 1] == '\n')
			swp_buf_truncate(&log, log.length - 1);
		line = strrchr(swp_buf_text(&log), '\n');
		line = line ? line + 1 : swp_buf_text(&log);
		swp_text_clean(out, line, strlen(line));
	}
	swp_free(path);
}

static bool may_start_again(struct swp_private_store *store)
{
	int64_t now_ms = swp_loop_now_ms(store->loop);

	if (now_ms - store->window_began_ms > START_WINDOW_MS) {
		store->window_began_ms = now_ms;
		store->starts = 0;
	}
	return ++store->starts <= MAX_STARTS;
}

/* One that gave up by itself right at its start has a reason that a second start would meet again. */
static bool is_worth_another_start(const struct swp_private_store *store, int wait_status)
{
	return !WIFEXITED(wait_status) || swp_loop_now_ms(store->loop) - store->started_ms > EARLY_END_MS;
}

static void process_ended(void *context, int wait_status, const char *output, size_t output_length)
{
	struct swp_private_store *store = context;
	SWP_CLEANUP(swp_buf_done) struct swp_buf words = {0};
	struct swp_problem problem = {0};

	(void)output;
	(void)output_length;
	swp_process_free(store->process);
	store->process = NULL;
	last_words(store, &words);
	if (is_worth_another_start(store, wait_status) && may_start_again(store)) {
		swp_log(SWP_LOG_WARNING, "store.restart",
			"the private redis-server ended; it is started again",
			SWP_LOG_S("last_log_line", swp_buf_text(&words)));
		if (start_process(store, &problem) == 0)
			return;
	} else {
		swp_problem_set(&problem, -EIO,
			"the private redis-server can't be kept running (log: %s/redis.log): %s",
			store->folder, swp_buf_text(&words));
	}
	tell_failed(store, &problem);
}

/* --- polling --- */

static void poll_left_behind(struct swp_private_store *store)
{
	struct swp_problem problem = {0};

	if (!swp_folder_process_is_there(store->folder, store->left_behind, "redis-server"))
		store->left_behind = 0;
	else if (swp_loop_now_ms(store->loop) - store->left_behind_since_ms > LEFT_BEHIND_TERM_MS)
		kill(store->left_behind, SIGKILL);
	if (store->left_behind)
		swp_timer_start(&store->timer, POLL_MS);
	else if (start_process(store, &problem) < 0)
		tell_failed(store, &problem);
}

static void poll_again(struct swp_timer *timer)
{
	struct swp_private_store *store = SWP_CONTAINER_OF(timer, struct swp_private_store, timer);
	struct stat status;

	if (store->left_behind) {
		poll_left_behind(store);
		return;
	}
	if (stat(store->address.host, &status) < 0 || !S_ISSOCK(status.st_mode)) {
		if (store->process)
			swp_timer_start(&store->timer, POLL_MS);
		return;
	}
	if (!store->told && store->events.ready) {
		store->told = true;
		store->events.ready(store->events.context);
	}
}

/* --- life --- */

/* For readers beside a running sweep. */
static int tell_where(const struct swp_private_store *store, struct swp_problem *problem)
{
	char *path = swp_asprintf("%s/socket", store->folder);
	int error = path ? swp_file_write(path, store->address.host, strlen(store->address.host), problem)
			 : -ENOMEM;

	swp_free(path);
	return error;
}

bool swp_private_store_is_running(const char *state_folder, struct swp_store_address *ret_address)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf text = {.limit_bytes = SOCKET_PATH_BYTES};
	char *path = swp_asprintf("%s/redis/socket", state_folder);
	struct swp_problem ignored;
	struct stat status;
	pid_t holder = 0;
	int fd = -1;
	bool running = false;

	if (path && swp_folder_lock(state_folder, &fd, &holder) == -EBUSY &&
		swp_file_read(path, &text, &ignored) == 0 && stat(swp_buf_text(&text), &status) == 0 &&
		S_ISSOCK(status.st_mode)) {
		*ret_address = (struct swp_store_address){.scheme = SWP_STORE_UNIX};
		memcpy(ret_address->host, swp_buf_text(&text), text.length + 1);
		running = true;
	}
	swp_folder_unlock(fd);
	swp_free(path);
	return running;
}

#define SHORT_FOLDER "/tmp/orgsweep-"
#define SOCKET_NAME "/redis.sock"

/* The short folder of a coordinator that was killed: the file that tells where its socket is is still there, and nobody else's. */
static void remove_short_folder(const struct swp_private_store *store)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf text = {.limit_bytes = SOCKET_PATH_BYTES};
	char *path = swp_asprintf("%s/socket", store->folder);
	struct swp_problem ignored;

	if (path && swp_file_read(path, &text, &ignored) == 0 &&
		swp_text_starts(swp_buf_text(&text), SHORT_FOLDER) &&
		swp_text_ends(swp_buf_text(&text), SOCKET_NAME)) {
		unlink(swp_buf_text(&text));
		swp_buf_truncate(&text, text.length - strlen(SOCKET_NAME));
		rmdir(swp_buf_text(&text));
	}
	swp_free(path);
}

static int choose_socket(struct swp_private_store *store, struct swp_problem *problem)
{
	char template[] = SHORT_FOLDER "XXXXXX";
	const char *folder = store->folder;

	remove_short_folder(store);
	if (strlen(folder) + sizeof(SOCKET_NAME) > SOCKET_PATH_BYTES) {
		if (!mkdtemp(template))
			return swp_problem_set(problem, -errno,
				"can't make a folder for the socket under /tmp: %s", strerror(errno));
		store->socket_folder = swp_strdup(template);
		folder = template;
	}
	store->address.scheme = SWP_STORE_UNIX;
	snprintf(store->address.host, sizeof(store->address.host), "%s" SOCKET_NAME, folder);
	return tell_where(store, problem);
}

static int take_lock(struct swp_private_store *store, const char *state_folder, struct swp_problem *problem)
{
	pid_t holder = 0;
	int error = swp_folder_lock(state_folder, &store->lock_fd, &holder);

	if (error == -EBUSY)
		return swp_problem_set(problem, error,
			"another orgsweep (pid %ld) is using %s; wait until it has ended, or give this one a "
			"store of its own "
			"(--store, or another XDG_STATE_HOME)",
			(long)holder, state_folder);
	if (error < 0)
		return swp_problem_set(problem, error, "can't lock %s: %s", state_folder, strerror(-error));
	return 0;
}

/* A server whose coordinator was killed in the moment between its start and its parent-death signal. */
static void find_left_behind(struct swp_private_store *store)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf text = {0};
	char *path = swp_asprintf("%s/redis.pid", store->folder);
	struct swp_problem ignored;
	uint64_t pid = 0;

	if (path && swp_file_read(path, &text, &ignored) == 0) {
		while (text.length > 0 && strchr("\r\n ", text.data[text.length - 1]))
			swp_buf_truncate(&text, text.length - 1);
		if (swp_parse_u64(swp_buf_text(&text), INT32_MAX, &pid) < 0)
			pid = 0;
	}
	swp_free(path);
	if (!pid || !swp_folder_process_is_there(store->folder, (pid_t)pid, "redis-server"))
		return;
	swp_log(SWP_LOG_WARNING, "store.left-behind",
		"a private redis-server was left behind; it is ended first", SWP_LOG_N("pid", pid));
	store->left_behind = (pid_t)pid;
	store->left_behind_since_ms = swp_loop_now_ms(store->loop);
	kill(store->left_behind, SIGTERM);
}

static int start(struct swp_private_store *store, const char *state_folder, struct swp_problem *problem)
{
	int error;

	store->folder = swp_asprintf("%s/redis", state_folder);
	if (!store->folder)
		return swp_problem_set(problem, -ENOMEM, "out of memory");
	error = take_lock(store, state_folder, problem);
	if (error == 0)
		error = swp_folder_make(store->folder, problem);
	if (error == 0)
		error = choose_socket(store, problem);
	if (error < 0)
		return error;
	find_left_behind(store);
	if (store->left_behind)
		return swp_timer_start(&store->timer, POLL_MS);
	return start_process(store, problem);
}

struct swp_private_store *swp_private_store_start(struct swp_loop *loop, const char *state_folder,
	const struct swp_private_store_events *events, struct swp_problem *problem)
{
	struct swp_private_store *store = swp_calloc(1, sizeof(*store));

	if (!store) {
		swp_problem_set(problem, -ENOMEM, "out of memory");
		return NULL;
	}
	store->loop = loop;
	store->events = *events;
	store->lock_fd = -1;
	store->window_began_ms = swp_loop_now_ms(loop);
	swp_timer_init(&store->timer, loop, poll_again);
	if (start(store, state_folder, problem) < 0) {
		swp_private_store_free(store);
		return NULL;
	}
	return store;
}

void swp_private_store_free(struct swp_private_store *store)
{
	if (!store)
		return;
	swp_timer_stop(&store->timer);
	swp_process_free(store->process);
	if (store->address.host[0] && store->lock_fd >= 0)
		unlink(store->address.host);
	if (store->socket_folder)
		rmdir(store->socket_folder);
	swp_free(store->socket_folder);
	swp_free(store->folder);
	swp_folder_unlock(store->lock_fd);
	swp_free(store);
}

const struct swp_store_address *swp_private_store_address(const struct swp_private_store *store)
{
	return &store->address;
}
