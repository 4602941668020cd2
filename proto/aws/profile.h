/* The shared config and credentials files of the AWS SDKs: parser, profiles, settings, configured endpoints. No I/O: the
 * bytes are given, the environment is a function. Rules as in botocore (which the AWS CLI uses) and the AWS SDKs and Tools
 * Reference Guide, "Shared config and credentials files":
 *  - config: [default], [profile NAME], [sso-session NAME], [services NAME]; NAME may be quoted; other sections are ignored.
 *    credentials: [NAME]. A profile in both is one profile, and what the credentials file says wins.
 *  - "key = value" or "key: value"; keys ignore case; lines that begin with # or ; are comments (no comments behind values);
 *    deeper indented lines continue a value; an empty value with indented "sub = value" lines is a group.
 *  - a section or key that stands twice, a line without "=", or text before the first section is an error with its line.
 * No message ever quotes a line or value: it may be a secret.
 */
#ifndef SWP_AWS_PROFILE_H
#define SWP_AWS_PROFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/aws/endpoint.h"
#include "proto/aws/operation.h"
#include "proto/base/buf.h"
#include "proto/base/error.h"

/* The process environment, or a map of a test. Borrowed by who is given it. */
struct swp_environment {
	const char *(*get)(
		void *context, const char *name); /* NULL when unset; borrowed until the next call */
	void *context;
	const char *home; /* home folder, for "~"; NULL: unknown */
};
/* Unset and empty are both NULL. */
const char *swp_environment_get(const struct swp_environment *environment, const char *name);

/* Appends `path` with a leading "~" or "~/" and $NAME, ${NAME} replaced; an unset name stays as it is. -ENOMEM, -E2BIG. */
int swp_path_expand(const struct swp_environment *environment, const char *path, struct swp_buf *out);
/* Appends the path of the config or credentials file: AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE, else ~/.aws/… */
enum swp_profile_file {
	SWP_PROFILE_CONFIG,
	SWP_PROFILE_CREDENTIALS,
};
int swp_profile_path(
	const struct swp_environment *environment, enum swp_profile_file file, struct swp_buf *out);

/* Splits as a POSIX shell splits words, quotes and backslashes included, and expands nothing. `ret_words` is owned by the
 * caller (swp_words_free), NULL-terminated. -EINVAL (open quote, trailing backslash), -E2BIG (SWP_LIMIT_COMMAND_WORDS), -ENOMEM. */
int swp_words_split(const char *text, char ***ret_words, size_t *ret_count);
void swp_words_free(char **words); /* wipes; takes NULL */

struct swp_profile_set; /* opaque; owns everything that its getters give; values are wiped when it is freed */

struct swp_profile_set *swp_profile_set_new(void);	/* NULL on out of memory */
void swp_profile_set_free(struct swp_profile_set *set); /* takes NULL */
/* Parses one file; `bytes` is borrowed for the call, `path` is for messages (copied). Each of the two files once. 0, -ENOMEM,
 * -E2BIG (SWP_LIMIT_FILE_BYTES, SWP_LIMIT_PROFILE_SECTIONS), -EINVAL: `problem` names file, line and fix. */
int swp_profile_set_add(struct swp_profile_set *set, enum swp_profile_file file, const char *path,
	const char *bytes, size_t length, struct swp_problem *problem);
/* The path given to _add; "" before. */
const char *swp_profile_set_path(const struct swp_profile_set *set, enum swp_profile_file file);

bool swp_profile_exists(const struct swp_profile_set *set, const char *profile);
/* The existing profile whose name is nearest to `profile`; NULL when none is near. Borrowed. */
const char *swp_profile_nearest(const struct swp_profile_set *set, const char *profile);
/* NULL when the profile or the key is not there, or the key is a group. Borrowed. */
const char *swp_profile_get(const struct swp_profile_set *set, const char *profile, const char *key);
const char *swp_profile_get_from(
	const struct swp_profile_set *set, enum swp_profile_file file, const char *profile, const char *key);
bool swp_sso_session_exists(const struct swp_profile_set *set, const char *session);
const char *swp_sso_session_nearest(const struct swp_profile_set *set, const char *session);
const char *swp_sso_session_get(const struct swp_profile_set *set, const char *session, const char *key);
/* Visits the plain keys of a session in file order; a visitor that returns non-zero ends the walk with that value. */
int swp_sso_session_each(const struct swp_profile_set *set, const char *session,
	int (*visit)(const char *key, const char *value, void *context), void *context);
bool swp_services_exists(const struct swp_profile_set *set, const char *section);
const char *swp_services_get(
	const struct swp_profile_set *set, const char *section, const char *service, const char *key);

/* Settings that stand in the environment or in the profile, the environment first. */
enum swp_setting {
	SWP_SETTING_REGION, /* AWS_REGION, AWS_DEFAULT_REGION, region */
	SWP_SETTING_CA_BUNDLE,
	SWP_SETTING_USE_FIPS,
	SWP_SETTING_USE_DUAL_STACK,
	SWP_SETTING_IGNORE_ENDPOINT_URLS,
	SWP_SETTING_METADATA_TIMEOUT,
	SWP_SETTING_METADATA_ATTEMPTS,
	SWP_SETTING_METADATA_ENDPOINT,
	SWP_SETTING_METADATA_ENDPOINT_MODE,
	SWP_SETTING_METADATA_V1_DISABLED,
	SWP_SETTING_METADATA_USE_IPV6,
	SWP_SETTING_COUNT,
};
/* NULL when unset. Borrowed. */
const char *swp_setting_get(const struct swp_profile_set *set, const struct swp_environment *environment,
	const char *profile, enum swp_setting setting);
/* As botocore reads a boolean: "true" in any case, else false. */
bool swp_setting_is_true(const struct swp_profile_set *set, const struct swp_environment *environment,
	const char *profile, enum swp_setting setting);
/* "AWS_REGION", for messages. */
const char *swp_setting_variable(enum swp_setting setting);

/* The name of the profile in use: `explicit_profile` (may be NULL), AWS_PROFILE, AWS_DEFAULT_PROFILE, "default". Borrowed.
 * `ret_named` (may be NULL) says whether somebody named it: then it must exist. */
const char *swp_profile_choose(
	const struct swp_environment *environment, const char *explicit_profile, bool *ret_named);

/* Adds to `options` what environment and profile say about endpoints: for each service AWS_ENDPOINT_URL_<SERVICE>, else
 * AWS_ENDPOINT_URL, else the profile's `services` section, else its `endpoint_url`; nothing if told to ignore them
 * (AWS_IGNORE_CONFIGURED_ENDPOINT_URLS). Sets fips and dual_stack. 0, -ENOMEM, -EINVAL (`problem` names what and where). */
int swp_profile_endpoints(const struct swp_profile_set *set, const struct swp_environment *environment,
	const char *profile, const struct swp_aws_service *const *services, size_t service_count,
	struct swp_endpoint_options *options, struct swp_problem *problem);

#endif
