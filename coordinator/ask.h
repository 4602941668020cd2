/* Asking the store and waiting for the answer, by stepping the loop: for commands that only read (report, status, doctor) and for the
 * report at a sweep's end. Never called from inside a loop's call-back.
 */
#ifndef SWP_COORDINATOR_ASK_H
#define SWP_COORDINATOR_ASK_H

#include "checks/catalogue.h"
#include "proto/base/error.h"
#include "proto/io/loop.h"
#include "proto/io/store.h"
#include "proto/record/keys.h"

struct swp_asker {
	struct swp_loop *loop;	 /* borrowed */
	struct swp_store *store; /* borrowed */
	int64_t patience_ms;	 /* how long an answer may take */
};

/* Sends and steps the loop until the answer is there; `visit` sees it (borrowed until return) and its return value is handed back.
 * An error reply is -EPROTO, a lost connection is asked again until patience ends (-ETIMEDOUT); `problem` tells. */
int swp_ask(const struct swp_asker *asker, const struct swp_store_argument *arguments, size_t count,
	int (*visit)(void *context, const struct swp_store_reply *reply), void *context,
	struct swp_problem *problem);
/* HGET key field → copied text or bytes (swp_free), NULL when it is not there. */
int swp_ask_field(const struct swp_asker *asker, const char *key, const char *field, char **ret_bytes,
	size_t *ret_length, struct swp_problem *problem);
int swp_ask_text(const struct swp_asker *asker, const char *key, char **ret_bytes, size_t *ret_length,
	struct swp_problem *problem);
/* Walks a hash with HSCAN, so that it may be of any size; a field may be visited twice. */
int swp_ask_hash(const struct swp_asker *asker, const char *key,
	int (*visit)(void *context, const char *field, const struct swp_store_reply *value), void *context,
	struct swp_problem *problem);

/* The catalogue that a sweep was swept with, by its SHA-256. -ENOENT: the store has lost it; -EBADMSG: what stands there is damaged
 * (`problem` has no words for these two). */
int swp_ask_catalogue(const struct swp_asker *asker, const char *hash, struct swp_catalogue **ret_catalogue,
	struct swp_problem *problem);

#define SWP_ASK_SWEEPS 128
struct swp_sweep_ids {
	char ids[SWP_ASK_SWEEPS][SWP_KEY_BYTES];
	size_t count;
};
/* The ids of the newest sweeps that the store holds, SWP_ASK_SWEEPS at most, newest first (swp_free; NULL when it fails). What is too
 * long for a key names no sweep, and is passed over. */
int swp_ask_newest_sweeps(
	const struct swp_asker *asker, struct swp_sweep_ids **ret_ids, struct swp_problem *problem);

#endif
