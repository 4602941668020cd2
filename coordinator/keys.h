/* CURVE keys of a fleet, as files in one folder:
 *
 *   DIR/server.key, server.pub   the coordinator's own pair
 *   DIR/NAME.key, NAME.pub       a worker's pair, made here to be carried to its host
 *   DIR/allowed/NAME.pub         the workers that are let in, each under the name that the coordinator calls it
 *
 * Folders are 0700, files 0600. Blocking, as all small files are; nothing here is kept between two calls.
 */
#ifndef SWP_COORDINATOR_KEYS_H
#define SWP_COORDINATOR_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/error.h"
#include "proto/wire/keyfile.h"

#define SWP_KEYS_SERVER "server"
#define SWP_KEYS_NAME_BYTES 64 /* a name and its NUL */

/* 1 to 63 letters, digits, dots, hyphens and underscores, not beginning with a dot or hyphen */
bool swp_keys_name_is_valid(const char *name);

/* A fresh pair, in no file. -EIO, -ENOMEM. */
int swp_keys_make(struct swp_keyfile *ret_pair, struct swp_problem *problem);
/* Makes the folder and NAME's pair of files in it. -EINVAL: not a name; -EEXIST: one of the files is there, and neither is
 * touched; others of the files. `problem` has the fix. */
int swp_keys_create(
	const char *folder, const char *name, struct swp_keyfile *ret_pair, struct swp_problem *problem);
/* The coordinator's own pair; made the first time. -EACCES: others may read it. `problem` has the fix. */
int swp_keys_server(const char *folder, struct swp_keyfile *ret_pair, struct swp_problem *problem);

struct swp_keys_entry {
	char name[SWP_KEYS_NAME_BYTES];
	char public_key[SWP_KEYFILE_KEY_BYTES];
};
struct swp_keys_list {
	struct swp_keys_entry *entries; /* owned; by name, bytewise */
	size_t count;
};
void swp_keys_list_done(struct swp_keys_list *list); /* takes an empty one; may be called twice */
/* NULL when not there. */
const struct swp_keys_entry *swp_keys_find_name(const struct swp_keys_list *list, const char *name);
const struct swp_keys_entry *swp_keys_find_key(const struct swp_keys_list *list, const char *public_key);

/* A file in allowed/ whose key counts for nothing, and why: not a name, not a key, or a key that an earlier name has. */
typedef void (*swp_keys_skipped)(void *context, const char *file, const struct swp_problem *problem);
/* Who is allowed; nobody when the folder is not there. `skipped` may be NULL. -EPERM: others may write the folder, so that
 * nothing in it can be trusted; -E2BIG above SWP_LIMIT_FOLDER_FILES; others of reading: then nothing is said of anybody. */
int swp_keys_allowed(const char *folder, struct swp_keys_list *ret_list, swp_keys_skipped skipped,
	void *context, struct swp_problem *problem);
/* A number that is another one (but for chance) when a file of allowed/ came, went or was changed; 0: no folder. */
uint64_t swp_keys_stamp(const char *folder);

/* Puts the public key of the file at `path` (NAME.pub) into allowed/, and gives it back with its name. *ret_was_there: it
 * was allowed under that name already. -EINVAL: no public key file, a secret one, a bad name, the coordinator's own key;
 * -EEXIST: the key is allowed under another name, or the name has another key. `problem` has the fix. */
int swp_keys_allow(const char *folder, const char *path, struct swp_keys_entry *ret_entry,
	bool *ret_was_there, struct swp_problem *problem);
/* Takes NAME out of allowed/. -ENOENT: not there, `problem` names the nearest one. */
int swp_keys_revoke(
	const char *folder, const char *name, struct swp_keys_entry *ret_entry, struct swp_problem *problem);
/* The coordinator's public key, from server.pub. -ENOENT: there is none yet. */
int swp_keys_server_public(
	const char *folder, char ret_key[static SWP_KEYFILE_KEY_BYTES], struct swp_problem *problem);

#endif
