/* What is said to Redis first, and whether its answers will do: a list of steps. Only for proto/io/store*.c.
 */
#ifndef SWP_IO_STORE_GREETING_H
#define SWP_IO_STORE_GREETING_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/buf.h"
#include "proto/base/error.h"
#include "proto/io/store.h"

/* Appends one command as RESP. 0, -ENOMEM, -E2BIG; nothing is appended then. */
int swp_store_format(struct swp_buf *out, const struct swp_store_argument *arguments, size_t count);
/* The arguments alone, without the head that counts them: into memory of at least swp_store_arguments_length bytes. Returns
 * the place behind. */
char *swp_store_write_arguments(char *to, const struct swp_store_argument *arguments, size_t count);
size_t swp_store_arguments_length(const struct swp_store_argument *arguments, size_t count);
/* Length of the whole command in bytes. */
size_t swp_store_format_length(const struct swp_store_argument *arguments, size_t count);

enum swp_store_verdict {
	SWP_STORE_GOOD,
	SWP_STORE_AGAIN,   /* not now: loading, busy, too many clients */
	SWP_STORE_REPLICA, /* a replica: for good at the first time, a fail-over on its way later */
	SWP_STORE_NEVER,
};

struct swp_store_greeting {
	const struct swp_store_options *options; /* borrowed */
	size_t step;				 /* place in the list: the one whose answer comes next */
	char run_id[48];
	bool keeps_no_log;	    /* no append-only file */
	char policy[24];	    /* maxmemory-policy, unless it is noeviction */
	struct swp_problem problem; /* for all but GOOD */
};

/* Appends all commands of the greeting to `out` (which must be marked secret: it may hold the password). 0, -ENOMEM. */
int swp_store_greeting_start(
	struct swp_store_greeting *greeting, const struct swp_store_options *options, struct swp_buf *out);
/* Judges the next answer. */
enum swp_store_verdict swp_store_greeting_answer(
	struct swp_store_greeting *greeting, const struct swp_store_reply *reply);
bool swp_store_greeting_is_over(const struct swp_store_greeting *greeting);

#endif
