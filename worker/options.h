/* The command line of orgsweep-worker. One table (options.c) makes parser, environment and help. Internal to worker/.
 */
#ifndef SWP_WORKER_OPTIONS_H
#define SWP_WORKER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/buf.h"
#include "proto/base/error.h"
#include "proto/base/limits.h"

struct swp_worker_options { /* texts are borrowed from arguments and environment */
	const char *connect[SWP_LIMIT_COORDINATORS];
	size_t connect_count;
	const char *key, *server_key, *store, *name, *log_format, *die_with_parent, *credits, *metrics;
	const char *ca_file, *https_proxy, *no_proxy;
	bool help, version;
};

/* As getenv; passed in, so that tests have an environment of their own. */
typedef const char *(*swp_worker_environment)(const char *name, void *context);

/* Command line wins over environment. -EINVAL: `problem` names the option, and the nearest known one when it is unknown. With --help or
 * --version nothing is required. */
int swp_worker_options_parse(int argc, const char *const *argv, swp_worker_environment environment,
	void *context, struct swp_worker_options *ret_options, struct swp_problem *problem);
/* The text of --help. */
int swp_worker_options_help(struct swp_buf *out);

#endif
