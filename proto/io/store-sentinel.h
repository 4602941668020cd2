/* The conversation with sentinels: whom to ask, what to say, what an answer means, and what to tell when no primary was found. It owns no
 * connection. Only for proto/io/store*.c.
 *
 * A round asks one sentinel after the other; the round ends with the first that names a primary which is one, or with the last of them.
 */
#ifndef SWP_IO_STORE_SENTINEL_H
#define SWP_IO_STORE_SENTINEL_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/buf.h"
#include "proto/base/error.h"
#include "proto/io/store.h"

enum swp_sentinel_step {
	SWP_SENTINEL_LOGIN,
	SWP_SENTINEL_ADDRESS, /* GET-MASTER-ADDR-BY-NAME */
	SWP_SENTINEL_NAMES,   /* MASTERS: it knows no such name */
};

enum swp_sentinel_verdict {
	SWP_SENTINEL_MORE, /* another answer is to come */
	SWP_SENTINEL_TOLD, /* the primary is known: swp_store_sentinels_primary */
	SWP_SENTINEL_NEXT, /* ask the next one */
};

struct swp_sentinel_said { /* in this round */
	enum { SWP_SENTINEL_SILENT, SWP_SENTINEL_UNKNOWN_NAME, SWP_SENTINEL_NAMED } what;
	struct swp_store_host primary;
	char why[256]; /* that it did not lead to a primary; "" nothing to add */
};

struct swp_store_sentinels {
	const struct swp_store_options *options; /* borrowed */
	size_t order[SWP_LIMIT_SENTINELS];	 /* the one that helped last comes first */
	size_t begun;				 /* so many of `order` were asked in this round */
	enum swp_sentinel_step step;
	struct swp_sentinel_said said[SWP_LIMIT_SENTINELS]; /* by place in `order` */
	char known_names[256]; /* of primaries, as the last one that lists them does */
};

void swp_store_sentinels_init(struct swp_store_sentinels *sentinels, const struct swp_store_options *options);
/* A new round. */
void swp_store_sentinels_begin(struct swp_store_sentinels *sentinels);
/* Whom to ask next; NULL: the round is over. Borrowed from the options. */
const struct swp_store_host *swp_store_sentinels_next(struct swp_store_sentinels *sentinels);
/* Appends what is said to the one that is connected (`out` must be marked secret: it may hold the password). 0, -ENOMEM. */
int swp_store_sentinels_ask(struct swp_store_sentinels *sentinels, struct swp_buf *out);
/* Judges its next answer; may append another question to `out`. */
enum swp_sentinel_verdict swp_store_sentinels_answer(
	struct swp_store_sentinels *sentinels, const struct swp_store_reply *reply, struct swp_buf *out);
/* What the present one named. */
const struct swp_store_host *swp_store_sentinels_primary(const struct swp_store_sentinels *sentinels);
/* The present one, or the primary that it named, was no help. */
void swp_store_sentinels_failed(struct swp_store_sentinels *sentinels, const char *why);
/* The primary that the present one named is one. */
void swp_store_sentinels_succeeded(struct swp_store_sentinels *sentinels);
/* Behind a round without a primary: says why. True: each was reached and none knows the name, so that asking again is of no use. */
bool swp_store_sentinels_sum_up(const struct swp_store_sentinels *sentinels, struct swp_problem *problem);

#endif
