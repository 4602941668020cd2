/* Credentials of the caller, kept good for as long as a sweep runs: drives the machine of proto/aws/credentials with files, HTTP,
 * AWS calls and processes on the loop. Many waiters share one refresh.
 *
 * Credentials that end are renewed from 15 minutes before their end while the old ones go on being given, and must be renewed from
 * 10 minutes before it. When AWS says that they have expired, the files are read again and the whole chain is walked again, so
 * that keys which another program renews in a file are found. Files are read blocking: they are small and on this machine.
 */
#ifndef SWP_IO_CREDENTIAL_SOURCE_H
#define SWP_IO_CREDENTIAL_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/aws/credentials.h"
#include "proto/aws/profile.h"
#include "proto/io/caller.h"
#include "proto/io/http.h"
#include "proto/io/loop.h"

struct swp_credential_source; /* opaque */

/* How a person is asked for an MFA code, without blocking. */
struct swp_credential_prompt {
	/* Shows the question; the answer comes by swp_credential_source_code, at once or later, once. */
	void (*ask)(void *context, struct swp_credential_source *source, const char *question);
	/* The question is void; no answer may come any more. */
	void (*cancel)(void *context);
	void *context;
};

struct swp_credential_source_options { /* copied; what it points to is borrowed for the source's life, `profile` and home are copied */
	const char *profile; /* --profile, or NULL */
	struct swp_environment
		environment; /* get NULL: the process's own; home NULL: HOME, else the password file's */
	/* Appends a whole file; negative errno. NULL: real files, with ceilings. */
	int (*read_file)(void *context, const char *path, struct swp_buf *out);
	/* Replaces a file at once, 0600; negative errno. NULL: real files. */
	int (*save_file)(void *context, const char *path, const char *text, size_t length);
	void *file_context;
	const struct swp_credential_prompt
		*prompt; /* NULL: there is no terminal; a needed code is a problem then */
	const struct swp_endpoint_options
		*endpoints; /* of the providers' own calls; NULL: what environment and profile say */
};

/* Reads the config and credentials files (blocking; small files). `http` and `caller` may be NULL until _attach, since the HTTP
 * client needs the CA bundle that the source tells. NULL on failure: `problem` names file, line and fix. */
struct swp_credential_source *swp_credential_source_new(struct swp_loop *loop, struct swp_http_client *http,
	struct swp_caller *caller, const struct swp_credential_source_options *options,
	struct swp_problem *problem);
/* Borrowed for the source's life. `caller` NULL: it makes one of its own; a given one gets its partition set by the region of
 * each call of a provider. -ENOMEM. */
int swp_credential_source_attach(
	struct swp_credential_source *source, struct swp_http_client *http, struct swp_caller *caller);
/* Ends everything without call-backs; waiters are forgotten. Not from inside one of its call-backs. Takes NULL. */
void swp_credential_source_free(struct swp_credential_source *source);

/* Embedded in its owner, who sets `done`. */
struct swp_credential_wait {
	/* Called once, later: credentials (borrowed until return), or NULL with what a person must read. */
	void (*done)(struct swp_credential_wait *wait, const struct swp_credentials *credentials,
		const struct swp_problem *problem);
	int error; /* when done without credentials: negative errno or enum swp_credential_error */
	struct swp_credential_wait *next, *previous; /* internal; NULL while idle */
};
/* Gives credentials that are good for some minutes at least (if their source gives such). 0, -ENOMEM. */
int swp_credential_source_get(struct swp_credential_source *source, struct swp_credential_wait *wait);
/* No call-back any more; takes idle ones. */
void swp_credential_source_cancel(struct swp_credential_wait *wait);

/* AWS said ExpiredToken about the present credentials: the next get walks the chain again. If that brings the same ones, it is
 * an error that says so. */
void swp_credential_source_expired(struct swp_credential_source *source);
/* As above, but only if these are still the present ones: for callers that hear about it late. */
void swp_credential_source_expired_key(struct swp_credential_source *source, const char *access_key_id);
/* The answer to a prompt (copied); NULL: nobody answered. */
void swp_credential_source_code(struct swp_credential_source *source, const char *code);

/* What environment and profile say; known from the start, borrowed for the source's life, "" when not told. */
const char *swp_credential_source_profile(const struct swp_credential_source *source);
const char *swp_credential_source_region(const struct swp_credential_source *source);
const char *swp_credential_source_setting(
	const struct swp_credential_source *source, enum swp_setting setting);
bool swp_credential_source_setting_is_true(
	const struct swp_credential_source *source, enum swp_setting setting);
/* swp_profile_endpoints for these services and those of the providers. */
int swp_credential_source_endpoints(const struct swp_credential_source *source,
	const struct swp_aws_service *const *services, size_t service_count,
	struct swp_endpoint_options *options, struct swp_problem *problem);

#endif
