/* The local orgsweep-worker processes of a sweep: started with a fresh CURVE key each, started again when they die (with a
 * ceiling), ended with us. They are given no secret by arguments or by environment, and no AWS credentials at all.
 */
#ifndef SWP_COORDINATOR_WORKERS_H
#define SWP_COORDINATOR_WORKERS_H

#include "coordinator/fleet.h"
#include "proto/base/log.h"
#include "proto/io/store.h"

struct swp_workers; /* opaque */

struct swp_workers_options {
	const char *program;
	unsigned count;
	const char *folder;			      /* of key files, ours, 0700; exists */
	const char *server_public_key;		      /* Z85 */
	const struct swp_store_options *store;	      /* for them; passwords are handed over by stdin */
	const char *ca_file, *https_proxy, *no_proxy; /* NULL: none */
	enum swp_log_form log_form;
};

struct swp_workers_events {
	/* None could be kept running: told once, when the last one has died too often. */
	void (*failed)(void *context, const struct swp_problem *problem);
	void *context;
};

/* Starts them. `fleet` is borrowed for life, `options` are copied. NULL: `problem` tells (program not found). */
struct swp_workers *swp_workers_start(struct swp_loop *loop, struct swp_fleet *fleet,
	const struct swp_workers_options *options, const struct swp_workers_events *events,
	struct swp_problem *problem);
/* Kills what runs and removes the key files. Takes NULL. Before the fleet is freed. */
void swp_workers_free(struct swp_workers *workers);

/* An orgsweep process's environment without everything that begins with AWS_ or ORGSWEEP_. For tests.
 * `extra` (NAME=VALUE, NULL-terminated) replaces variables of the same name. The caller frees by swp_workers_environment_free. */
char **swp_workers_environment(char *const *environment, const char *const *extra);
void swp_workers_environment_free(char **environment);

#endif
