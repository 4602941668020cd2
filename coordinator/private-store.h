/* The private redis-server of a laptop sweep: unix socket only, append-only file, in its own folder (0700) of the state folder.
 * It is supervised: one that dies is started again, one that was left behind is found and ended first, and it dies with us.
 * The state folder is locked while it runs, so that two sweeps at once fail with a clear line.
 */
#ifndef SWP_COORDINATOR_PRIVATE_STORE_H
#define SWP_COORDINATOR_PRIVATE_STORE_H

#include <stdbool.h>

#include <stdbool.h>

#include "proto/base/error.h"
#include "proto/io/loop.h"
#include "proto/io/store.h"

struct swp_private_store; /* opaque */

struct swp_private_store_events {
	/* It listens (told once). Loading its file may still take a while: the store's transport waits for that. */
	void (*ready)(void *context);
	/* It can't be had, or dies again and again. Told once. */
	void (*failed)(void *context, const struct swp_problem *problem);
	void *context;
};

/* Takes the lock, ends a server that was left behind, starts one. NULL: `problem` names cause and fix (the pid that holds
 * the lock; redis-server not installed). `state_folder` exists. */
struct swp_private_store *swp_private_store_start(struct swp_loop *loop, const char *state_folder,
	const struct swp_private_store_events *events, struct swp_problem *problem);
/* Ends the server and lets the lock go. What was acknowledged is in its file. Takes NULL. */
void swp_private_store_free(struct swp_private_store *store);

/* Where it listens: for swp_store_options. Borrowed until _free. */
const struct swp_store_address *swp_private_store_address(const struct swp_private_store *store);

/* Is another orgsweep's private server at work in that state folder at this moment? Then its address is given, to read from. */
bool swp_private_store_is_running(const char *state_folder, struct swp_store_address *ret_address);

#endif
