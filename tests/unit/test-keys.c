/* The files behind a fleet's keys: made once, let in under a name, taken out again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coordinator/keys.h"
#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/io/files.h"
#include "proto/io/folder.h"

struct place {
	char top[64], folder[80];
	struct swp_problem problem;
	unsigned skipped;
	char skipped_file[64], skipped_why[1024];
};

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	snprintf(place->top, sizeof(place->top), "/tmp/swp-keys-XXXXXX");
	assert_non_null(mkdtemp(place->top));
	snprintf(place->folder, sizeof(place->folder), "%s/keys", place->top);
	*state = place;
	return 0;
}

static int remove_file(const char *file, void *context)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", (const char *)context, file);
	if (unlink(path) < 0)
		rmdir(path);
	return 0;
}

static void remove_folder(const char *top, const char *below)
{
	char path[256];

	snprintf(path, sizeof(path), "%s%s", top, below);
	swp_folder_list(path, "", remove_file, path);
	rmdir(path);
}

static int tear_down(void **state)
{
	struct place *place = *state;

	remove_folder(place->top, "/keys/allowed");
	remove_folder(place->top, "/keys");
	remove_folder(place->top, "");
	free(place);
	return 0;
}

static const char *path_of(const struct place *place, const char *below)
{
	static char paths[4][256];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", place->top, below);
	return path;
}

static unsigned mode_of(const char *path)
{
	struct stat status;

	assert_int_equal(stat(path, &status), 0);
	return status.st_mode & 0777;
}

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* A fresh pair, made in the folder; its public key. */
static const char *make(struct place *place, const char *name)
{
	static char keys[8][SWP_KEYFILE_KEY_BYTES];
	static unsigned next;
	char *key = keys[next++ % 8];
	struct swp_keyfile pair = {0};

	assert_int_equal(swp_keys_create(place->folder, name, &pair, &place->problem), 0);
	memcpy(key, pair.public_key, SWP_KEYFILE_KEY_BYTES);
	assert_true(swp_secret_is_set(&pair.secret_key));
	swp_keyfile_done(&pair);
	return key;
}

static int allow(struct place *place, const char *below)
{
	struct swp_keys_entry entry;
	bool was_there;

	return swp_keys_allow(place->folder, path_of(place, below), &entry, &was_there, &place->problem);
}

static void skipped(void *context, const char *file, const struct swp_problem *problem)
{
	struct place *place = context;

	place->skipped++;
	snprintf(place->skipped_file, sizeof(place->skipped_file), "%s", file);
	snprintf(place->skipped_why, sizeof(place->skipped_why), "%s", problem->text);
}

static void says(const struct place *place, const char *words)
{
	if (!strstr(place->problem.text, words))
		assert_string_equal(place->problem.text, words);
}

static void test_names(void **state)
{
	char longest[SWP_KEYS_NAME_BYTES + 1];

	(void)state;
	memset(longest, 'a', sizeof(longest));
	longest[SWP_KEYS_NAME_BYTES] = '\0';
	assert_false(swp_keys_name_is_valid(longest));
	longest[SWP_KEYS_NAME_BYTES - 1] = '\0';
	assert_true(swp_keys_name_is_valid(longest));
	assert_true(swp_keys_name_is_valid("Rack-7.eu_west"));
	assert_true(swp_keys_name_is_valid("_"));
	static const char *const bad[] = {
		"", ".", "..", ".hidden", "-x", "a/b", "a b", "a\n", "ä", "a\x1b[31m"};
	for (size_t i = 0; i < SWP_ARRAY_SIZE(bad); i++)
		assert_false(swp_keys_name_is_valid(bad[i]));
}

static void test_a_pair_is_made_once(void **state)
{
	struct place *place = *state;
	const char *first = make(place, "rack-7");
	struct swp_keyfile pair = {0};
	SWP_CLEANUP(swp_buf_done) struct swp_buf before = {.secret = true};
	SWP_CLEANUP(swp_buf_done) struct swp_buf after = {.secret = true};

	assert_int_equal(mode_of(place->folder), 0700);
	assert_int_equal(mode_of(path_of(place, "keys/rack-7.key")), 0600);
	assert_int_equal(mode_of(path_of(place, "keys/rack-7.pub")), 0600);
	assert_int_equal(swp_file_read(path_of(place, "keys/rack-7.key"), &before, NULL), 0);
	assert_non_null(strstr(swp_buf_text(&before), first));
	assert_int_equal(swp_keys_create(place->folder, "rack-7", &pair, &place->problem), -EEXIST);
	says(place, "not overwritten");
	assert_false(swp_secret_is_set(&pair.secret_key));
	/* One half is enough, and the other is not made then. */
	unlink(path_of(place, "keys/rack-7.pub"));
	assert_int_equal(swp_keys_create(place->folder, "rack-7", &pair, &place->problem), -EEXIST);
	assert_int_equal(access(path_of(place, "keys/rack-7.pub"), F_OK), -1);
	assert_int_equal(swp_file_read(path_of(place, "keys/rack-7.key"), &after, NULL), 0);
	assert_string_equal(swp_buf_text(&before), swp_buf_text(&after));
	make(place, "rack-8");
	unlink(path_of(place, "keys/rack-8.key"));
	assert_int_equal(swp_keys_create(place->folder, "rack-8", &pair, &place->problem), -EEXIST);
	assert_int_equal(access(path_of(place, "keys/rack-8.key"), F_OK), -1);
	assert_int_equal(swp_keys_create(place->folder, "../x", &pair, &place->problem), -EINVAL);
	says(place, "no name for a key");
	/* What stands there is not followed to another place. */
	assert_int_equal(symlink("/tmp/never", path_of(place, "keys/rack-9.key")), 0);
	assert_int_equal(swp_keys_create(place->folder, "rack-9", &pair, &place->problem), -EEXIST);
}

static void test_the_coordinators_own_pair(void **state)
{
	struct place *place = *state;
	struct swp_keyfile first = {0}, again = {0};
	char public_key[SWP_KEYFILE_KEY_BYTES];

	assert_int_equal(swp_keys_server_public(place->folder, public_key, &place->problem), -ENOENT);
	assert_int_equal(swp_keys_server(place->folder, &first, &place->problem), 0);
	assert_int_equal(swp_keys_server(place->folder, &again, &place->problem), 0);
	assert_string_equal(first.public_key, again.public_key);
	assert_true(swp_secret_equal(&first.secret_key, &again.secret_key));
	swp_keyfile_done(&again);
	assert_int_equal(swp_keys_server_public(place->folder, public_key, &place->problem), 0);
	assert_string_equal(public_key, first.public_key);
	swp_keyfile_done(&first);
	chmod(path_of(place, "keys/server.key"), 0640);
	assert_int_equal(swp_keys_server(place->folder, &again, &place->problem), -EACCES);
	says(place, "chmod 600");
	write_text(path_of(place, "keys/server.key"), "nonsense\n");
	chmod(path_of(place, "keys/server.key"), 0600);
	assert_int_equal(swp_keys_server(place->folder, &again, &place->problem), -EINVAL);
	says(place, "server.key:1");
}

static void test_allowed_and_revoked(void **state)
{
	struct place *place = *state;
	struct swp_keys_list list = {0};
	struct swp_keys_entry entry;
	const char *a = make(place, "a"), *b = make(place, "b");
	bool was_there = true;

	assert_int_equal(swp_keys_allowed(place->folder, &list, NULL, NULL, &place->problem), 0);
	assert_int_equal(list.count, 0);
	assert_int_equal(swp_keys_stamp(place->folder), 0);
	assert_int_equal(swp_keys_revoke(place->folder, "a", &entry, &place->problem), -ENOENT);
	says(place, "nobody is allowed");
	assert_int_equal(allow(place, "keys/b.pub"), 0);
	assert_int_equal(swp_keys_allow(place->folder, path_of(place, "keys/a.pub"), &entry, &was_there,
				 &place->problem),
		0);
	assert_false(was_there);
	assert_string_equal(entry.name, "a");
	assert_string_equal(entry.public_key, a);
	assert_int_equal(mode_of(path_of(place, "keys/allowed")), 0700);
	assert_int_equal(mode_of(path_of(place, "keys/allowed/a.pub")), 0600);
	/* Twice is once. */
	assert_int_equal(swp_keys_allow(place->folder, path_of(place, "keys/a.pub"), &entry, &was_there,
				 &place->problem),
		0);
	assert_true(was_there);
	assert_int_equal(swp_keys_allowed(place->folder, &list, NULL, NULL, &place->problem), 0);
	assert_int_equal(list.count, 2);
	assert_string_equal(list.entries[0].name, "a");
	assert_string_equal(list.entries[1].public_key, b);
	assert_ptr_equal(swp_keys_find_name(&list, "b"), swp_keys_find_key(&list, b));
	assert_null(swp_keys_find_name(&list, "c"));
	swp_keys_list_done(&list);
	swp_keys_list_done(&list);
	assert_int_equal(swp_keys_revoke(place->folder, "a", &entry, &place->problem), 0);
	assert_string_equal(entry.public_key, a);
	assert_int_equal(swp_keys_revoke(place->folder, "a", &entry, &place->problem), -ENOENT);
	says(place, "did you mean b?");
	assert_int_equal(swp_keys_revoke(place->folder, "../b", &entry, &place->problem), -EINVAL);
	/* The pair itself stays. */
	assert_int_equal(access(path_of(place, "keys/a.pub"), F_OK), 0);
}

static void test_what_is_not_allowed(void **state)
{
	struct place *place = *state;
	char text[128];

	make(place, "a");
	make(place, "b");
	make(place, "server");
	assert_int_equal(allow(place, "keys/a.key"), -EINVAL);
	says(place, "a.key holds a secret key");
	rename(path_of(place, "keys/a.key"), path_of(place, "keys/c.pub"));
	assert_int_equal(allow(place, "keys/c.pub"), -EINVAL);
	says(place, "c.pub holds a secret key");
	assert_int_equal(allow(place, "keys/none.pub"), -ENOENT);
	says(place, "none.pub can't be read");
	assert_int_equal(allow(place, "keys"), -EISDIR);
	write_text(path_of(place, "bad.pub"), "public-key = \"short\"\n");
	assert_int_equal(allow(place, "bad.pub"), -EINVAL);
	says(place, "bad.pub:1");
	write_text(path_of(place, "empty.pub"), "");
	assert_int_equal(allow(place, "empty.pub"), -EINVAL);
	/* The coordinator's own, under whatever name. */
	assert_int_equal(allow(place, "keys/server.pub"), -EINVAL);
	says(place, "coordinator's own key");
	rename(path_of(place, "keys/server.key"), path_of(place, "keys/server.key.away"));
	assert_int_equal(link(path_of(place, "keys/server.pub"), path_of(place, "keys/d.pub")), 0);
	assert_int_equal(allow(place, "keys/d.pub"), -EINVAL);
	says(place, "coordinator's own key");
	/* Each key one name, each name one key. */
	assert_int_equal(allow(place, "keys/b.pub"), 0);
	assert_int_equal(link(path_of(place, "keys/b.pub"), path_of(place, "keys/e.pub")), 0);
	assert_int_equal(allow(place, "keys/e.pub"), -EEXIST);
	says(place, "allowed already, as b");
	unlink(path_of(place, "keys/b.pub"));
	unlink(path_of(place, "keys/b.key"));
	make(place, "b");
	assert_int_equal(allow(place, "keys/b.pub"), -EEXIST);
	says(place, "orgsweep keys revoke b");
	/* Names come from files. */
	snprintf(text, sizeof(text), "%s", path_of(place, "keys/no name.pub"));
	assert_int_equal(link(path_of(place, "keys/a.pub"), text), 0);
	assert_int_equal(allow(place, "keys/no name.pub"), -EINVAL);
	says(place, "no name for a key");
	assert_int_equal(link(path_of(place, "keys/a.pub"), path_of(place, "keys/plain")), 0);
	assert_int_equal(allow(place, "keys/plain"), -EINVAL);
	says(place, "NAME.pub");
}

static void test_a_folder_with_odd_files(void **state)
{
	struct place *place = *state;
	struct swp_keys_list list = {0};

	make(place, "a");
	make(place, "b");
	assert_int_equal(allow(place, "keys/a.pub"), 0);
	assert_int_equal(link(path_of(place, "keys/a.pub"), path_of(place, "keys/allowed/z.pub")), 0);
	assert_int_equal(swp_keys_allowed(place->folder, &list, skipped, place, &place->problem), 0);
	assert_int_equal(list.count, 1);
	assert_int_equal(place->skipped, 1);
	assert_string_equal(place->skipped_file, "z.pub");
	assert_non_null(strstr(place->skipped_why, "allowed as a"));
	swp_keys_list_done(&list);
	write_text(path_of(place, "keys/allowed/bad.pub"), "public-key = \"");
	write_text(path_of(place, "keys/allowed/no name.pub"), "");
	write_text(path_of(place, "keys/allowed/notes.txt"), "not looked at");
	assert_int_equal(mkdir(path_of(place, "keys/allowed/folder.pub"), 0700), 0);
	rename(path_of(place, "keys/b.key"), path_of(place, "keys/allowed/secret.pub"));
	place->skipped = 0;
	assert_int_equal(swp_keys_allowed(place->folder, &list, skipped, place, &place->problem), 0);
	assert_int_equal(list.count, 1);
	assert_int_equal(place->skipped, 5);
	swp_keys_list_done(&list);
	/* One that is not a key is taken out all the same. */
	struct swp_keys_entry entry;
	assert_int_equal(swp_keys_revoke(place->folder, "bad", &entry, &place->problem), 0);
	assert_string_equal(entry.public_key, "");
	/* Where others can write, nothing counts. */
	chmod(path_of(place, "keys/allowed"), 0770);
	assert_int_equal(swp_keys_allowed(place->folder, &list, skipped, place, &place->problem), -EPERM);
	says(place, "chmod 700");
	assert_int_equal(list.count, 0);
	assert_int_equal(swp_keys_allowed(place->folder, &list, NULL, NULL, NULL), -EPERM);
}

static void test_every_change_changes_the_stamp(void **state)
{
	struct place *place = *state;
	uint64_t stamps[5];
	struct swp_keys_entry entry;

	make(place, "a");
	make(place, "b");
	assert_int_equal(allow(place, "keys/a.pub"), 0);
	stamps[0] = swp_keys_stamp(place->folder);
	assert_int_equal(swp_keys_stamp(place->folder), stamps[0]);
	assert_int_equal(allow(place, "keys/b.pub"), 0);
	stamps[1] = swp_keys_stamp(place->folder);
	/* The same bytes in another file, and other bytes in the same one. */
	usleep(20000);
	unlink(path_of(place, "keys/allowed/b.pub"));
	assert_int_equal(allow(place, "keys/b.pub"), 0);
	stamps[2] = swp_keys_stamp(place->folder);
	usleep(20000);
	write_text(path_of(place, "keys/allowed/b.pub"),
		"public-key = \"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID\"\n");
	stamps[3] = swp_keys_stamp(place->folder);
	chmod(path_of(place, "keys/allowed"), 0750);
	stamps[4] = swp_keys_stamp(place->folder);
	chmod(path_of(place, "keys/allowed"), 0700);
	assert_int_equal(swp_keys_revoke(place->folder, "b", &entry, &place->problem), 0);
	assert_true(swp_keys_stamp(place->folder) == stamps[0]); /* as it was */
	for (size_t i = 0; i < SWP_ARRAY_SIZE(stamps); i++) {
		assert_int_not_equal(stamps[i], 0);
		for (size_t k = 0; k < i; k++)
			assert_true(stamps[i] != stamps[k]);
	}
}

/* More files than a fleet may have keys for. */
static void test_the_ceiling_of_files(void **state)
{
	struct place *place = *state;
	struct swp_keys_list list = {0};
	char path[256];

	make(place, "a");
	assert_int_equal(allow(place, "keys/a.pub"), 0);
	for (unsigned i = 0; i < SWP_LIMIT_FOLDER_FILES; i++) {
		snprintf(path, sizeof(path), "%s/allowed/w%u.pub", place->folder, i);
		int fd = open(path, O_WRONLY | O_CREAT, 0600);

		assert_true(fd >= 0);
		close(fd);
	}
	assert_int_equal(swp_keys_allowed(place->folder, &list, NULL, NULL, &place->problem), -E2BIG);
	says(place, "can't read the keys");
	for (unsigned i = 0; i < SWP_LIMIT_FOLDER_FILES; i++) {
		snprintf(path, sizeof(path), "%s/allowed/w%u.pub", place->folder, i);
		unlink(path);
	}
}

static int everything(struct place *place)
{
	struct swp_keys_entry entry;
	struct swp_keys_list list = {0};
	struct swp_keyfile pair = {0};
	bool was_there;
	int error = swp_keys_create(place->folder, "n", &pair, &place->problem);

	swp_keyfile_done(&pair);
	if (error == 0)
		error = swp_keys_server(place->folder, &pair, &place->problem);
	swp_keyfile_done(&pair);
	if (error == 0)
		error = swp_keys_allow(
			place->folder, path_of(place, "keys/n.pub"), &entry, &was_there, &place->problem);
	if (error == 0)
		error = swp_keys_allowed(place->folder, &list, NULL, NULL, &place->problem);
	swp_keys_list_done(&list);
	if (error == 0)
		error = swp_keys_revoke(place->folder, "n", &entry, &place->problem);
	return error;
}

static void test_without_memory(void **state)
{
	struct place *place = *state;
	int error = -ENOMEM;
	unsigned long nth;

	for (nth = 1; error; nth++) {
		unlink(path_of(place, "keys/n.key"));
		unlink(path_of(place, "keys/n.pub"));
		unlink(path_of(place, "keys/allowed/n.pub"));
		swp_alloc_fail_at(nth, 0);
		error = everything(place);
		swp_alloc_fail_at(0, 0);
		assert_true(error == 0 || error == -ENOMEM);
		assert_true(error == 0 || place->problem.text[0]);
	}
	assert_true(nth > 20);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		TEST(test_a_pair_is_made_once),
		TEST(test_the_coordinators_own_pair),
		TEST(test_allowed_and_revoked),
		TEST(test_what_is_not_allowed),
		TEST(test_a_folder_with_odd_files),
		TEST(test_every_change_changes_the_stamp),
		TEST(test_the_ceiling_of_files),
		TEST(test_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
