/* What a command works with, resolved from options, environment and configuration file: catalogue and selection, roles,
 * endpoints, store, folders. Everything that can be wrong before AWS is asked is found wrong here.
 */
#ifndef SWP_COORDINATOR_SETTINGS_H
#define SWP_COORDINATOR_SETTINGS_H

#include "coordinator/configuration.h"
#include "coordinator/options.h"
#include "coordinator/sweep.h"
#include "proto/io/store-access.h"
#include "proto/io/store.h"

struct swp_settings {
	const char *section; /* borrowed; of `sweeps` in the configuration; NULL: none */
	struct swp_options options;
	struct swp_configuration configuration;
	struct swp_catalogue *catalogue;
	struct swp_selection selection;
	struct swp_endpoint_options endpoints;
	struct swp_store_access store_access;
	struct swp_store_options store;
	struct swp_store_options worker_store; /* of local workers, where store_access has a user of theirs */
	bool private_store;
	char *state_folder;   /* owned */
	char *keys_folder;    /* owned */
	char *worker_program; /* owned; NULL: not found */
	char *ca_file;	      /* owned; NULL: the system's */
};

/* Resolves what every command needs: options, environment, configuration, logs. -EINVAL and others: `problem` tells. */
int swp_settings_resolve(struct swp_settings *settings, const struct swp_command_row *command, int argc,
	char *const *argv, struct swp_problem *problem);
/* The same for one of the sweeps of the configuration (borrowed); its options go before those of the top. */
int swp_settings_resolve_section(struct swp_settings *settings, const char *section,
	const struct swp_command_row *command, int argc, char *const *argv, struct swp_problem *problem);
void swp_settings_done(struct swp_settings *settings);

/* Each resolves one more part; 0 or a negative errno with `problem`. */
int swp_settings_catalogue(struct swp_settings *settings, struct swp_problem *problem); /* --catalogue */
int swp_settings_selection(
	struct swp_settings *settings, struct swp_problem *problem); /* --checks, --exclude-checks */
int swp_settings_store(
	struct swp_settings *settings, struct swp_problem *problem); /* --store, state folder */
int swp_settings_worker_store(struct swp_settings *settings,
	struct swp_problem *problem); /* the local workers' user of the store; after swp_settings_store */
/* NULL: they have no user of their own. */
const struct swp_store_options *swp_settings_workers_own_store(const struct swp_settings *settings);
/* Only where a fleet is asked for, by --keys or --listen: local workers have fresh keys each time. */
int swp_settings_fleet_keys(struct swp_settings *settings, struct swp_problem *problem);
int swp_settings_keys(struct swp_settings *settings,
	struct swp_problem *problem); /* --keys, else keys/ in the state folder */
int swp_settings_endpoints(struct swp_settings *settings,
	struct swp_problem *problem); /* AWS_ENDPOINT_URL…, profile, configuration */
int swp_settings_workers(struct swp_settings *settings,
	struct swp_problem *problem); /* orgsweep-worker, and its user of the store */

/* Fills `ret_options` from all that was resolved; borrowed from `settings`. */
void swp_settings_sweep_options(struct swp_settings *settings, struct swp_sweep_options *ret_options);

/* Finds a program of ours: the environment variable, beside us, in the build tree (`tree_path` from its root), on PATH. NULL: nowhere. */
char *swp_settings_find_program(const char *variable, const char *name, const char *tree_path);
/* getenv that takes the upper- or lower-case spelling ("HTTPS_PROXY"); NULL when unset or empty. */
const char *swp_environment_either(const char *upper);

#endif
