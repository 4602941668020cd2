/* What a program is told of its store beside --store: users, passwords and TLS files, by environment variables. One table (store-access.c) makes
 * reading, help and docs.
 */
#ifndef SWP_IO_STORE_ACCESS_H
#define SWP_IO_STORE_ACCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/error.h"
#include "proto/base/secret.h"
#include "proto/io/store.h"

#define SWP_STORE_PASSWORD_FILE "ORGSWEEP_STORE_PASSWORD_FILE"
#define SWP_STORE_SENTINEL_USER "ORGSWEEP_STORE_SENTINEL_USER"
#define SWP_STORE_SENTINEL_PASSWORD_FILE "ORGSWEEP_STORE_SENTINEL_PASSWORD_FILE"
#define SWP_STORE_CA_FILE "ORGSWEEP_STORE_CA_FILE"
#define SWP_STORE_CERTIFICATE_FILE "ORGSWEEP_STORE_CERTIFICATE_FILE"
#define SWP_STORE_KEY_FILE "ORGSWEEP_STORE_KEY_FILE"

struct swp_store_access {
	struct swp_secret password, sentinel_password, worker_password;
	/* Borrowed from the environment; NULL: not told. Without `worker_user` a coordinator's local workers use what it uses. */
	const char *worker_user, *sentinel_user;
	const char *ca_file, *certificate_file, *key_file;
};

/* For help texts: the variables in their order; NULL behind the last. */
struct swp_store_variable {
	const char *name, *help;
	bool of_coordinators; /* a worker does not read it */
};
const struct swp_store_variable *swp_store_variable(size_t index);

/* As getenv; passed in, so that tests have an environment of their own. */
typedef const char *(*swp_store_environment)(const char *name, void *context);
/* A password itself wins over its file, of which line ends at the end do not count. Where one file is named for both passwords, its first
 * line is that of Redis and its second that of the sentinels. `access` is zero or was read before. Negative errno; `problem` names the file,
 * or the user of the sentinels that has no password (-EINVAL). */
int swp_store_access_read(struct swp_store_access *access, swp_store_environment environment, void *context,
	struct swp_problem *problem);
/* Puts it into options, which borrow it. */
void swp_store_access_apply(const struct swp_store_access *access, struct swp_store_options *options);
/* For who starts local workers, behind swp_store_access_read: user and password that they have instead of ours. A user without a password,
 * a password without a user, a password given twice: -EINVAL, and other negative errnos; `problem` tells. */
int swp_store_access_read_worker(struct swp_store_access *access, swp_store_environment environment,
	void *context, struct swp_problem *problem);
/* The store as they are told of it: `own` with their user and password, which is borrowed from `access`. -EINVAL: the user has no place in a
 * URL, or is the one of `own`; `problem` tells. */
int swp_store_access_apply_worker(const struct swp_store_access *access, const struct swp_store_options *own,
	struct swp_store_options *ret_options, struct swp_problem *problem);
void swp_store_access_done(struct swp_store_access *access);

#endif
