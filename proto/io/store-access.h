/* What a program is told of its store beside --store: users, passwords and TLS files, by environment variables. One table (store-access.c) makes
 * reading, help and docs.
 */
#ifndef SWP_IO_STORE_ACCESS_H
#define SWP_IO_STORE_ACCESS_H

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
	struct swp_secret password, sentinel_password;
	const char *sentinel_user, *ca_file, *certificate_file,
		*key_file; /* borrowed from the environment; NULL: not told */
};

/* For help texts: the variables in their order; NULL behind the last. */
struct swp_store_variable {
	const char *name, *help;
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
void swp_store_access_done(struct swp_store_access *access);

#endif
