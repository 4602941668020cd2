/* The private redis-server: lock, start again, left-behind server. Needs redis-server; skipped where there is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coordinator/private-store.h"
#include "proto/base/text.h"

static struct {
	char folder[64];
	struct swp_loop *loop;
	bool ready, failed;
	struct swp_problem problem;
} stage;

static void ready(void *context)
{
	(void)context;
	stage.ready = true;
}

static void failed(void *context, const struct swp_problem *problem)
{
	(void)context;
	stage.failed = true;
	stage.problem = *problem;
}

static const struct swp_private_store_events events = {.ready = ready, .failed = failed};

static int begin(void **state)
{
	(void)state;
	memset(&stage, 0, sizeof(stage));
	memcpy(stage.folder, "/tmp/orgsweep-unit-XXXXXX", sizeof("/tmp/orgsweep-unit-XXXXXX"));
	stage.loop = swp_loop_new(swp_clock_system());
	return stage.loop && mkdtemp(stage.folder) ? 0 : -1;
}

static void remove_tree(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	char below[512];

	while (folder && (entry = readdir(folder)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
		if (unlink(below) < 0)
			remove_tree(below);
	}
	if (folder)
		closedir(folder);
	rmdir(path);
}

static int end(void **state)
{
	(void)state;
	swp_loop_free(stage.loop);
	remove_tree(stage.folder);
	return 0;
}

static struct swp_private_store *start(void)
{
	return swp_private_store_start(stage.loop, stage.folder, &events, &stage.problem);
}

static bool has_server(void)
{
	return access("/usr/bin/redis-server", X_OK) == 0;
}

static void step_until(const bool *flag)
{
	for (int i = 0; i < 1000 && !*flag && !stage.failed; i++)
		assert_true(swp_loop_step(stage.loop, 10) >= 0);
	if (stage.failed)
		fail_msg("%s", stage.problem.text);
	assert_true(*flag);
}

static pid_t server_pid(void)
{
	char path[128], text[32] = "";
	uint64_t pid = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/redis/redis.pid", stage.folder);
	file = fopen(path, "r");
	if (!file)
		return 0;
	if (fgets(text, sizeof(text), file))
		text[strcspn(text, "\r\n")] = '\0';
	fclose(file);
	return swp_parse_u64(text, INT32_MAX, &pid) == 0 ? (pid_t)pid : 0;
}

static void it_runs_and_is_locked(void **state)
{
	struct swp_private_store *store, *second;
	struct swp_store_address address;
	struct stat status;

	(void)state;
	if (!has_server())
		skip();
	assert_false(swp_private_store_is_running(stage.folder, &address));
	store = start();
	assert_non_null(store);
	step_until(&stage.ready);
	assert_int_equal(stat(swp_private_store_address(store)->host, &status), 0);
	assert_true(S_ISSOCK(status.st_mode));
	assert_true(swp_private_store_is_running(stage.folder, &address));
	assert_string_equal(address.host, swp_private_store_address(store)->host);
	second = start();
	assert_null(second);
	assert_non_null(strstr(stage.problem.text, "another orgsweep (pid "));
	swp_private_store_free(store);
	assert_false(swp_private_store_is_running(stage.folder, &address));
	assert_int_equal(stat(address.host, &status), -1);
}

static void it_is_started_again(void **state)
{
	struct swp_private_store *store;
	pid_t first, now = 0;
	bool other = false;

	(void)state;
	if (!has_server())
		skip();
	store = start();
	assert_non_null(store);
	step_until(&stage.ready);
	for (int i = 0; i < 500 && !(first = server_pid()); i++)
		swp_loop_step(stage.loop, 10);
	assert_true(first > 0);
	assert_int_equal(kill(first, SIGKILL), 0);
	for (int i = 0; i < 1000 && !other; i++) {
		swp_loop_step(stage.loop, 10);
		now = server_pid();
		other = now > 0 && now != first && kill(now, 0) == 0;
	}
	assert_true(other);
	assert_false(stage.failed);
	swp_private_store_free(store);
}

/* A coordinator that was killed in the wrong moment leaves a server without parent-death signal: made here by hand. */
static void one_that_was_left_behind_is_ended(void **state)
{
	char path[128], socket[128];
	struct swp_private_store *store;
	pid_t left;
	int wait_status;

	(void)state;
	if (!has_server())
		skip();
	snprintf(path, sizeof(path), "%s/redis", stage.folder);
	snprintf(socket, sizeof(socket), "%s/redis/old.sock", stage.folder);
	assert_int_equal(mkdir(path, 0700), 0);
	left = fork();
	if (left == 0) {
		execl("/usr/bin/redis-server", "redis-server", "--port", "0", "--unixsocket", socket, "--dir",
			path, "--pidfile", "redis.pid", "--save", "", "--logfile", "old.log", (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < 500 && server_pid() != left; i++)
		usleep(10000);
	assert_int_equal(server_pid(), left);
	store = start();
	assert_non_null(store);
	for (int i = 0; i < 500 && waitpid(left, &wait_status, WNOHANG) != left; i++)
		swp_loop_step(stage.loop, 10);
	step_until(&stage.ready);
	assert_int_equal(kill(left, 0), -1);
	swp_private_store_free(store);
}

static void a_server_that_can_not_start_says_why(void **state)
{
	char path[160];
	struct swp_private_store *store;
	FILE *file;

	(void)state;
	if (!has_server())
		skip();
	snprintf(path, sizeof(path), "%s/redis", stage.folder);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/redis/appendonlydir", stage.folder);
	file = fopen(path, "w"); /* a file where its folder should be */
	assert_non_null(file);
	fclose(file);
	store = start();
	assert_non_null(store);
	for (int i = 0; i < 1000 && !stage.failed; i++)
		swp_loop_step(stage.loop, 10);
	assert_true(stage.failed);
	assert_non_null(strstr(stage.problem.text, "redis.log"));
	swp_private_store_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_runs_and_is_locked, begin, end),
		cmocka_unit_test_setup_teardown(it_is_started_again, begin, end),
		cmocka_unit_test_setup_teardown(one_that_was_left_behind_is_ended, begin, end),
		cmocka_unit_test_setup_teardown(a_server_that_can_not_start_says_why, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
