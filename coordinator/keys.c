/* The files behind a fleet's keys; see the header. */
#include "coordinator/keys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/alloc.h"
#include "proto/base/hash.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/io/bus.h"
#include "proto/io/files.h"
#include "proto/io/folder.h"

#define PUBLIC_ENDING ".pub"
#define SECRET_ENDING ".key"

static int out_of_memory(struct swp_problem *problem)
{
	return swp_problem_set(problem, -ENOMEM, "out of memory");
}

/* --- names --- */

static bool is_name_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
	       c == '-' || c == '_';
}

bool swp_keys_name_is_valid(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length >= SWP_KEYS_NAME_BYTES || name[0] == '.' || name[0] == '-')
		return false;
	for (size_t i = 0; i < length; i++)
		if (!is_name_character(name[i]))
			return false;
	return true;
}

static int check_name(const char *name, struct swp_problem *problem)
{
	if (swp_keys_name_is_valid(name))
		return 0;
	return swp_problem_set(problem, -EINVAL,
		"'%s' is no name for a key: 1 to %d letters, digits, dots, hyphens and underscores, "
		"beginning "
		"with a letter, digit or underscore",
		name, SWP_KEYS_NAME_BYTES - 1);
}

/* "rack-7.pub" → "rack-7"; false when that is no name with that ending. */
static bool name_of_file(const char *file, const char *ending, char name[static SWP_KEYS_NAME_BYTES])
{
	size_t length = strlen(file);

	if (!swp_text_ends(file, ending) || length - strlen(ending) >= SWP_KEYS_NAME_BYTES)
		return false;
	snprintf(name, SWP_KEYS_NAME_BYTES, "%.*s", (int)(length - strlen(ending)), file);
	return swp_keys_name_is_valid(name);
}

/* --- pairs --- */

int swp_keys_make(struct swp_keyfile *ret_pair, struct swp_problem *problem)
{
	struct swp_bus_keys pair = {0};
	int error = swp_bus_keys_make(&pair);

	if (error < 0)
		return swp_problem_set(problem, error, "can't make a CURVE key: %s", strerror(-error));
	memcpy(ret_pair->public_key, pair.public_key, sizeof(ret_pair->public_key));
	error = swp_secret_copy(&ret_pair->secret_key, &pair.secret_key);
	swp_bus_keys_done(&pair);
	return error < 0 ? out_of_memory(problem) : 0;
}

/* One that is another user's can be made neither ours nor safe: whoever runs the coordinator has to do it. */
static int make_folder(const char *folder, struct swp_problem *problem)
{
	struct stat status;

	if (stat(folder, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid != geteuid())
		return swp_problem_set(problem, -EPERM,
			"folder %s belongs to another user (uid %u), as whom the coordinator reads it; run "
			"this "
			"command as that user",
			folder, (unsigned)status.st_uid);
	return swp_folder_make(folder, problem);
}

/* The secret file comes first: a public key without it would be of no use. */
static int write_pair(
	const char *key, const char *pub, const struct swp_keyfile *pair, struct swp_problem *problem)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf both = {.secret = true};
	SWP_CLEANUP(swp_buf_done) struct swp_buf public_part = {0};
	int error = swp_keyfile_format(pair, true, &both);

	if (error == 0)
		error = swp_keyfile_format(pair, false, &public_part);
	if (error < 0)
		return out_of_memory(problem);
	error = swp_file_create(key, both.data, both.length, problem);
	if (error < 0)
		return error;
	error = swp_file_create(pub, public_part.data, public_part.length, problem);
	if (error < 0)
		unlink(key);
	return error;
}

static int create_files(
	const char *folder, const char *name, const struct swp_keyfile *pair, struct swp_problem *problem)
{
	SWP_CLEANUP(swp_free_pointer) char *key = swp_asprintf("%s/%s" SECRET_ENDING, folder, name);
	SWP_CLEANUP(swp_free_pointer) char *pub = swp_asprintf("%s/%s" PUBLIC_ENDING, folder, name);
	int error;

	if (!key || !pub)
		return out_of_memory(problem);
	error = write_pair(key, pub, pair, problem);
	if (error == -EEXIST)
		swp_problem_set(problem, error,
			"there is a key of that name already, and it is not overwritten; choose another "
			"name, or "
			"move %s and %s away first",
			key, pub);
	return error;
}

int swp_keys_create(
	const char *folder, const char *name, struct swp_keyfile *ret_pair, struct swp_problem *problem)
{
	struct swp_keyfile pair = {0};
	int error = check_name(name, problem);

	if (error == 0)
		error = make_folder(folder, problem);
	if (error == 0)
		error = swp_keys_make(&pair, problem);
	if (error == 0)
		error = create_files(folder, name, &pair, problem);
	if (error < 0)
		swp_keyfile_done(&pair);
	else
		*ret_pair = pair;
	return error;
}

static int read_pair(const char *path, struct swp_keyfile *ret_pair, struct swp_problem *problem)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf text = {.secret = true};
	struct stat status;
	int error = stat(path, &status) < 0 ? 0 : swp_keyfile_check_mode(path, status.st_mode, problem);

	if (error == 0)
		error = swp_file_read(path, &text, problem);
	return error < 0 ? error
			 : swp_keyfile_parse(path, swp_buf_text(&text), text.length, true, ret_pair, problem);
}

int swp_keys_server(const char *folder, struct swp_keyfile *ret_pair, struct swp_problem *problem)
{
	SWP_CLEANUP(swp_free_pointer)
	char *path = swp_asprintf("%s/" SWP_KEYS_SERVER SECRET_ENDING, folder);

	if (!path)
		return out_of_memory(problem);
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return swp_keys_create(folder, SWP_KEYS_SERVER, ret_pair, problem);
	return read_pair(path, ret_pair, problem);
}

/* --- public key files --- */

static int read_public(
	const char *path, char ret_key[static SWP_KEYFILE_KEY_BYTES], struct swp_problem *problem)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf text = {.secret = true}; /* it may be one by mistake */
	struct swp_keyfile keyfile = {0};
	int error = swp_file_read(path, &text, problem);

	if (error < 0)
		return error;
	if (swp_keyfile_parse(path, swp_buf_text(&text), text.length, true, &keyfile, NULL) == 0) {
		swp_keyfile_done(&keyfile);
		return swp_problem_set(problem, -EINVAL,
			"%s holds a secret key, which stays with the worker alone; give its " PUBLIC_ENDING
			" file",
			path);
	}
	error = swp_keyfile_parse(path, swp_buf_text(&text), text.length, false, &keyfile, problem);
	if (error == 0)
		memcpy(ret_key, keyfile.public_key, SWP_KEYFILE_KEY_BYTES);
	swp_keyfile_done(&keyfile);
	return error;
}

int swp_keys_server_public(
	const char *folder, char ret_key[static SWP_KEYFILE_KEY_BYTES], struct swp_problem *problem)
{
	SWP_CLEANUP(swp_free_pointer)
	char *path = swp_asprintf("%s/" SWP_KEYS_SERVER PUBLIC_ENDING, folder);

	return path ? read_public(path, ret_key, problem) : out_of_memory(problem);
}

/* --- the allowed ones --- */

void swp_keys_list_done(struct swp_keys_list *list)
{
	swp_free(list->entries);
	*list = (struct swp_keys_list){NULL, 0};
}

const struct swp_keys_entry *swp_keys_find_name(const struct swp_keys_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->entries[i].name, name) == 0)
			return &list->entries[i];
	return NULL;
}

const struct swp_keys_entry *swp_keys_find_key(const struct swp_keys_list *list, const char *public_key)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->entries[i].public_key, public_key) == 0)
			return &list->entries[i];
	return NULL;
}

struct allowed_reading {
	const char *folder; /* allowed/ itself */
	struct swp_keys_list *list;
	size_t room;
	swp_keys_skipped skipped;
	void *context;
	struct swp_problem *problem;
};

static int make_room(struct allowed_reading *reading)
{
	size_t room = reading->room ? 2 * reading->room : 16;
	struct swp_keys_entry *entries;

	if (reading->list->count < reading->room)
		return 0;
	entries = swp_realloc(reading->list->entries, room * sizeof(*entries));
	if (!entries)
		return out_of_memory(reading->problem);
	reading->list->entries = entries;
	reading->room = room;
	return 0;
}

/* One file's entry. -EINVAL: it is not one; -ENOENT: it has gone meanwhile. */
static int read_entry(const struct allowed_reading *reading, const char *file, struct swp_keys_entry *entry,
	struct swp_problem *problem)
{
	SWP_CLEANUP(swp_free_pointer) char *path = swp_asprintf("%s/%s", reading->folder, file);
	const struct swp_keys_entry *other;
	int error;

	if (!path)
		return out_of_memory(problem);
	if (!name_of_file(file, PUBLIC_ENDING, entry->name))
		return swp_problem_set(problem, -EINVAL,
			"%s: what stands before " PUBLIC_ENDING " is no name for a key", path);
	error = read_public(path, entry->public_key, problem);
	if (error < 0)
		return error;
	other = swp_keys_find_key(reading->list, entry->public_key);
	if (other)
		return swp_problem_set(
			problem, -EINVAL, "%s holds the key that is allowed as %s", path, other->name);
	return 0;
}

static int take_file(const char *file, void *context)
{
	struct allowed_reading *reading = context;
	struct swp_keys_entry entry;
	struct swp_problem problem = {""};
	int error = read_entry(reading, file, &entry, &problem);

	if (error == -ENOENT)
		return 0;
	if (error == -EINVAL || error == -E2BIG || error == -EISDIR) {
		if (reading->skipped)
			reading->skipped(reading->context, file, &problem);
		return 0;
	}
	if (error < 0)
		return swp_problem_set(reading->problem, error, "%s", problem.text);
	error = make_room(reading);
	if (error == 0)
		reading->list->entries[reading->list->count++] = entry;
	return error;
}

/* Who can write there lets in whom he likes. */
static int check_folder(const char *path, struct swp_problem *problem)
{
	struct stat status;

	if (stat(path, &status) < 0)
		return -errno;
	if (status.st_mode & 022)
		return swp_problem_set(problem, -EPERM,
			"folder %s can be written by others (mode %04o), who could let in anybody; fix: "
			"chmod "
			"700 %s",
			path, (unsigned)(status.st_mode & 07777), path);
	return 0;
}

int swp_keys_allowed(const char *folder, struct swp_keys_list *ret_list, swp_keys_skipped skipped,
	void *context, struct swp_problem *problem)
{
	SWP_CLEANUP(swp_free_pointer) char *path = swp_asprintf("%s/allowed", folder);
	struct swp_keys_list list = {0};
	struct allowed_reading reading = {
		.folder = path, .list = &list, .skipped = skipped, .context = context, .problem = problem};
	struct swp_problem own = {""};
	int error;

	if (!path)
		return out_of_memory(problem);
	if (!problem)
		reading.problem = problem = &own;
	problem->text[0] = '\0';
	error = check_folder(path, problem);
	if (error == 0)
		error = swp_folder_list(path, PUBLIC_ENDING, take_file, &reading);
	if (error == -ENOENT)
		error = 0; /* nobody is allowed yet */
	if (error < 0 && !problem->text[0])
		swp_problem_set(problem, error, "can't read the keys in %s: %s", path, strerror(-error));
	if (error < 0)
		swp_keys_list_done(&list);
	else
		*ret_list = list;
	return error;
}

/* --- has anything changed? --- */

struct stamping {
	const char *folder;
	uint64_t stamp;
};

static void mix(struct stamping *stamping, const void *bytes, size_t length)
{
	uint64_t parts[] = {stamping->stamp, swp_hash(bytes, length)};

	stamping->stamp = swp_hash(parts, sizeof(parts));
}

/* A file that took another's place has another number, one that was written another time of change. */
static int stamp_file(const char *file, void *context)
{
	struct stamping *stamping = context;
	SWP_CLEANUP(swp_free_pointer) char *path = swp_asprintf("%s/%s", stamping->folder, file);
	struct stat status = {0};

	if (path && stat(path, &status) == 0) {
		const uint64_t facts[] = {status.st_ino, (uint64_t)status.st_size,
			(uint64_t)status.st_ctim.tv_sec, (uint64_t)status.st_ctim.tv_nsec,
			(uint64_t)status.st_mode};

		mix(stamping, file, strlen(file));
		mix(stamping, facts, sizeof(facts));
	}
	return 0;
}

uint64_t swp_keys_stamp(const char *folder)
{
	SWP_CLEANUP(swp_free_pointer) char *path = swp_asprintf("%s/allowed", folder);
	struct stamping stamping = {path, 1};
	struct stat status;

	if (!path || stat(path, &status) < 0)
		return 0;
	mix(&stamping, &status.st_mode, sizeof(status.st_mode));
	if (swp_folder_list(path, PUBLIC_ENDING, stamp_file, &stamping) < 0)
		return 0;
	return stamping.stamp;
}

/* --- allow and revoke --- */

static const char *file_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int read_candidate(const char *path, struct swp_keys_entry *entry, struct swp_problem *problem)
{
	const char *file = file_part(path);
	int error = read_public(path, entry->public_key, problem);

	if (error < 0)
		return error;
	if (!swp_text_ends(file, PUBLIC_ENDING))
		return swp_problem_set(problem, -EINVAL,
			"%s: a public key's file is called NAME" PUBLIC_ENDING
			", and NAME is what the worker is called from then on",
			path);
	if (name_of_file(file, PUBLIC_ENDING, entry->name))
		return 0;
	swp_problem_set(problem, -EINVAL,
		"'%.*s' is no name for a key: 1 to %d letters, digits, dots, hyphens and underscores; rename "
		"the file",
		(int)(strlen(file) - strlen(PUBLIC_ENDING)), file, SWP_KEYS_NAME_BYTES - 1);
	return -EINVAL;
}

static int refuse_own_key(const char *folder, const struct swp_keys_entry *entry, struct swp_problem *problem)
{
	char own[SWP_KEYFILE_KEY_BYTES];

	if (strcmp(entry->name, SWP_KEYS_SERVER) == 0 ||
		(swp_keys_server_public(folder, own, NULL) == 0 && strcmp(own, entry->public_key) == 0))
		return swp_problem_set(problem, -EINVAL,
			"%s is the coordinator's own key, which no worker may have; make one for the worker: "
			"orgsweep keys new NAME",
			entry->public_key);
	return 0;
}

static int compare_with_allowed(const char *folder, const struct swp_keys_entry *entry, bool *ret_was_there,
	struct swp_problem *problem)
{
	struct swp_keys_list list = {0};
	const struct swp_keys_entry *by_name, *by_key;
	int error = swp_keys_allowed(folder, &list, NULL, NULL, problem);

	if (error < 0)
		return error;
	by_name = swp_keys_find_name(&list, entry->name);
	by_key = swp_keys_find_key(&list, entry->public_key);
	*ret_was_there = by_name && by_name == by_key;
	if (by_key && by_key != by_name)
		error = swp_problem_set(problem, -EEXIST,
			"that key is allowed already, as %s; each worker has a name and a key of its own",
			by_key->name);
	else if (by_name && by_name != by_key)
		error = swp_problem_set(problem, -EEXIST,
			"%s is allowed already, with another key (%s); if the old one is not to be let in "
			"any "
			"more: orgsweep keys revoke %s",
			entry->name, by_name->public_key, entry->name);
	swp_keys_list_done(&list);
	return error;
}

static int write_allowed(const char *folder, const struct swp_keys_entry *entry, struct swp_problem *problem)
{
	SWP_CLEANUP(swp_free_pointer) char *allowed = swp_asprintf("%s/allowed", folder);
	SWP_CLEANUP(swp_free_pointer)
	char *path = swp_asprintf("%s/allowed/%s" PUBLIC_ENDING, folder, entry->name);
	SWP_CLEANUP(swp_buf_done) struct swp_buf text = {0};
	struct swp_keyfile keyfile = {0};
	int error;

	memcpy(keyfile.public_key, entry->public_key, sizeof(keyfile.public_key));
	if (!allowed || !path || swp_keyfile_format(&keyfile, false, &text) < 0)
		return out_of_memory(problem);
	error = make_folder(folder, problem);
	if (error == 0)
		error = make_folder(allowed, problem);
	return error < 0 ? error : swp_file_write(path, text.data, text.length, problem);
}

int swp_keys_allow(const char *folder, const char *path, struct swp_keys_entry *ret_entry,
	bool *ret_was_there, struct swp_problem *problem)
{
	int error = read_candidate(path, ret_entry, problem);

	*ret_was_there = false;
	if (error == 0)
		error = refuse_own_key(folder, ret_entry, problem);
	if (error == 0)
		error = compare_with_allowed(folder, ret_entry, ret_was_there, problem);
	return error < 0 || *ret_was_there ? error : write_allowed(folder, ret_entry, problem);
}

static int not_allowed(const char *name, const struct swp_keys_list *list, struct swp_problem *problem)
{
	const char **names = swp_calloc(list->count + 1, sizeof(*names)), *nearest;

	if (!names)
		return out_of_memory(problem);
	for (size_t i = 0; i < list->count; i++)
		names[i] = list->entries[i].name;
	nearest = swp_nearest_of_all(name, names, list->count);
	if (nearest)
		swp_problem_set(
			problem, -ENOENT, "no key is allowed as '%s'; did you mean %s?", name, nearest);
	else
		swp_problem_set(problem, -ENOENT, "no key is allowed as '%s': nobody is allowed", name);
	swp_free(names);
	return -ENOENT;
}

/* Also one whose file is not a key any more: it is to be gone. */
int swp_keys_revoke(
	const char *folder, const char *name, struct swp_keys_entry *ret_entry, struct swp_problem *problem)
{
	SWP_CLEANUP(swp_free_pointer) char *path = swp_asprintf("%s/allowed/%s" PUBLIC_ENDING, folder, name);
	struct swp_keys_list list = {0};
	int error = path ? check_name(name, problem) : out_of_memory(problem);

	if (error == 0)
		error = swp_keys_allowed(folder, &list, NULL, NULL, problem);
	if (error == 0) {
		const struct swp_keys_entry *entry = swp_keys_find_name(&list, name);

		*ret_entry = (struct swp_keys_entry){.name = ""};
		snprintf(ret_entry->name, sizeof(ret_entry->name), "%s", name);
		if (entry)
			*ret_entry = *entry;
		if (unlink(path) < 0)
			error = errno == ENOENT ? not_allowed(name, &list, problem)
						: swp_problem_set(problem, -errno, "%s can't be removed: %s",
							  path, strerror(errno));
	}
	swp_keys_list_done(&list);
	return error;
}
