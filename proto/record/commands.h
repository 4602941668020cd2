/* Which commands of Redis each side sends, one row each (commands.c), and from these, the scripts and the key table what an ACL user of
 * Redis must be allowed, and no more. No I/O.
 */
#ifndef SWP_RECORD_COMMANDS_H
#define SWP_RECORD_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/buf.h"

enum swp_store_role {
	SWP_STORE_ROLE_WORKER,
	SWP_STORE_ROLE_COORDINATOR, /* sweep, serve, report, status, doctor … */
	SWP_STORE_ROLE_COUNT,
};

struct swp_store_command_row {
	const char *name; /* "HSET", or with its subcommand "CLIENT SETNAME" */
	unsigned roles;	  /* bits: 1 << enum swp_store_role */
	const char *what; /* for docs/redis.md */
};
/* NULL behind the last. */
const struct swp_store_command_row *swp_store_command_row(size_t index);

/* The user that `orgsweep store acl` names for that role. */
const char *swp_store_role_user(enum swp_store_role role);
/* Appends one line of a users.acl file (which is also what ACL SETUSER takes behind the word `user`), without a password and without a line
 * end. It is understood by Redis 6.2 and newer: a script's commands are checked against its user, so they stand there too. 0, -ENOMEM,
 * -E2BIG. */
int swp_store_role_acl(enum swp_store_role role, struct swp_buf *out);

#endif
