/* Where credentials come from: the AWS SDKs' chain as a plan, and a machine that carries the plan out. No I/O, no clock: the
 * machine says what it needs next (a file, an HTTP exchange, an AWS call, a process, an MFA code, a pause), is given the
 * answer, and ends with credentials or with a problem that names the cause and the fix.
 *
 *   plan = swp_credential_plan_make(profiles, environment, --profile)        pure; loops, missing keys, unknown profiles end here
 *   machine = swp_credential_machine_new(plan, …); swp_credential_machine_start(machine, now)
 *   while (request = swp_credential_machine_request(machine), request->need is neither DONE nor FAILED)
 *           carry it out; swp_credential_machine_answer(machine, &answer, now)
 *
 * Order (botocore's create_credential_resolver): environment (not with an explicit profile) → profile with role_arn → web
 * identity → SSO → shared credentials file → login session → credential_process → keys in the config file → container →
 * instance metadata. The first that is configured counts, even if it then fails.
 */
#ifndef SWP_AWS_CREDENTIALS_H
#define SWP_AWS_CREDENTIALS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/aws/endpoint.h"
#include "proto/aws/operation.h"
#include "proto/aws/outcome.h"
#include "proto/aws/profile.h"
#include "proto/base/error.h"
#include "proto/base/limits.h"
#include "proto/base/region.h"
#include "proto/base/secret.h"

struct swp_credentials {
	char access_key_id[129];
	struct swp_secret secret_access_key;
	struct swp_secret session_token; /* may be unset */
	int64_t expires_at_ms;		 /* wall; 0: never */
	char account_id[13];		 /* "" when the source does not tell */
	char source[128];		 /* "environment", "profile x (sso)" */
};
/* Wipes; may be called twice. */
void swp_credentials_done(struct swp_credentials *credentials);
/* Copies; -ENOMEM leaves `to` empty. */
int swp_credentials_copy(struct swp_credentials *to, const struct swp_credentials *from);
bool swp_credentials_equal(const struct swp_credentials *a, const struct swp_credentials *b);

/* What can be wrong; positive codes of this module. All of them end the program with exit 2 when it starts. */
enum swp_credential_error {
	SWP_CREDENTIAL_E_NONE = 1,	    /* no source is configured, none answers */
	SWP_CREDENTIAL_E_PROFILE_NOT_FOUND, /* a named profile does not exist */
	SWP_CREDENTIAL_E_CONFIG,	    /* a key with a wrong value, or two that exclude each other */
	SWP_CREDENTIAL_E_PARTIAL,	    /* a key is missing beside another */
	SWP_CREDENTIAL_E_LOOP,		    /* source_profile goes round */
	SWP_CREDENTIAL_E_LOGIN,		    /* a person must log in; the problem holds the command */
	SWP_CREDENTIAL_E_RETRIEVAL,	    /* the source failed or answered nonsense */
	SWP_CREDENTIAL_E_REFUSED,	    /* AWS refused to give credentials */
	SWP_CREDENTIAL_E_EXPIRED,	    /* the source gives credentials that have expired */
	SWP_CREDENTIAL_E_CODE,		    /* an MFA code is needed and there is nobody to ask */
};
/* "no-credentials", "profile-not-found", …; "" for 0. */
const char *swp_credential_error_name(int error);

enum swp_credential_kind {
	SWP_CREDENTIAL_ENVIRONMENT,
	SWP_CREDENTIAL_ASSUME_ROLE,
	SWP_CREDENTIAL_WEB_IDENTITY,
	SWP_CREDENTIAL_SSO,
	SWP_CREDENTIAL_SHARED_FILE,
	SWP_CREDENTIAL_LOGIN,
	SWP_CREDENTIAL_PROCESS,
	SWP_CREDENTIAL_CONFIG_FILE,
	SWP_CREDENTIAL_CONTAINER,
	SWP_CREDENTIAL_INSTANCE,
	SWP_CREDENTIAL_KIND_COUNT,
};
/* "environment", "assume-role", … */
const char *swp_credential_kind_name(enum swp_credential_kind kind);

/* One step of a plan. Strings live in the plan's region; NULL where not given. */
struct swp_credential_step {
	enum swp_credential_kind kind;
	const char *profile; /* where it is configured; NULL: the environment */
	const char *role_arn, *role_session_name, *external_id, *mfa_serial;
	unsigned duration_seconds; /* 0: STS's default, one hour */
	const char *path;	   /* web identity token, SSO or login cache, container token file */
	const char *sso_session, *sso_start_url, *sso_region, *sso_account_id, *sso_role_name;
	const char *login_session;
	const char *command;	/* credential_process */
	const char *account_id; /* aws_account_id of the profile */
	const char *url;	/* container, or the metadata service's base */
	unsigned attempts;
	int64_t timeout_ms;
	bool v1_disabled;
	struct swp_credentials keys; /* environment, shared file, config file */
};

struct swp_credential_plan {
	struct swp_region *region;
	const char *profile;	 /* in use */
	const char *region_name; /* of environment or profile; "" when none tells */
	struct swp_credential_step
		steps[SWP_LIMIT_PROFILE_CHAIN +
			1]; /* [0] is the source; each later one assumes a role with the one before */
	size_t count;
	char tried[512]; /* what was looked at and is not configured, for the message */
};
/* 0 (plan is complete and owned by the caller: _done), -ENOMEM, or a code of enum swp_credential_error with `problem` filled.
 * Everything is copied but for the environment, which must live as long as machines of this plan. */
int swp_credential_plan_make(const struct swp_profile_set *profiles,
	const struct swp_environment *environment, const char *explicit_profile,
	struct swp_credential_plan *ret_plan, struct swp_problem *problem);
void swp_credential_plan_done(struct swp_credential_plan *plan); /* wipes; may be called twice */

/* May credentials be fetched from this URL (SDK rule: https, a loopback address, or one of the container addresses)? */
bool swp_credential_container_url_allowed(const char *url);

/* The services of the providers (sts, sso, sso-oidc), for swp_profile_endpoints. NULL-terminated. */
extern const struct swp_aws_service *const swp_credential_services[];
/* The operations of the providers, for the contract test. NULL-terminated. */
extern const struct swp_aws_operation *const swp_credential_operations[];

enum swp_credential_need {
	SWP_CREDENTIAL_NEED_FILE,    /* read `path` */
	SWP_CREDENTIAL_NEED_SAVE,    /* replace `path` by `text` at once, 0600; failure does no harm */
	SWP_CREDENTIAL_NEED_PROCESS, /* run `arguments`, collect standard output */
	SWP_CREDENTIAL_NEED_HTTP,    /* one exchange */
	SWP_CREDENTIAL_NEED_CALL,    /* one AWS call, by the caller */
	SWP_CREDENTIAL_NEED_CODE,    /* ask `question` on the terminal */
	SWP_CREDENTIAL_NEED_PAUSE,   /* come back after pause_ms */
	SWP_CREDENTIAL_DONE,
	SWP_CREDENTIAL_FAILED,
};

struct swp_credential_header {
	const char *name, *value;
};

struct swp_credential_request { /* all borrowed until the answer */
	enum swp_credential_need need;
	const char *path;
	const char *text;
	size_t text_length;
	const char *const *arguments;
	const char *method, *url;
	struct swp_credential_header headers[3];
	size_t header_count;
	int64_t timeout_ms;
	bool direct; /* never through a proxy */
	const struct swp_aws_operation *operation;
	const json_t *input;
	const char *region;
	const struct swp_credentials *signer; /* NULL: not signed */
	const char *question;
	int64_t pause_ms;
};

struct swp_credential_answer { /* all borrowed for the call */
	int error; /* negative errno: no file, process not started, HTTP failed below HTTP (-ETIMEDOUT: in time) */
	const char *detail; /* words for `error`, or NULL */
	const char *bytes;  /* file, standard output, HTTP body, code */
	size_t length;
	int status;		  /* HTTP status; wait status of a process */
	enum swp_outcome outcome; /* CALL */
	const char *error_code, *message;
	const json_t *document;
};

struct swp_credential_machine; /* opaque */

/* `plan`, `environment` and `endpoints` are borrowed for life. NULL on out of memory. */
struct swp_credential_machine *swp_credential_machine_new(const struct swp_credential_plan *plan,
	const struct swp_environment *environment, const struct swp_endpoint_options *endpoints);
void swp_credential_machine_free(struct swp_credential_machine *machine); /* wipes; takes NULL */
/* Begins, or begins again: steps whose credentials are still good for more than 15 minutes are not repeated, the last step is.
 * `random_unit` in [0,1): jitter for instance metadata. */
void swp_credential_machine_start(
	struct swp_credential_machine *machine, int64_t wall_ms, double random_unit);
const struct swp_credential_request *swp_credential_machine_request(
	const struct swp_credential_machine *machine);
void swp_credential_machine_answer(
	struct swp_credential_machine *machine, const struct swp_credential_answer *answer, int64_t wall_ms);
/* When DONE. Borrowed until the next start. */
const struct swp_credentials *swp_credential_machine_credentials(
	const struct swp_credential_machine *machine);
/* When FAILED: a negative errno or a code of enum swp_credential_error; `ret_problem` is filled. */
int swp_credential_machine_error(
	const struct swp_credential_machine *machine, struct swp_problem *ret_problem);

#endif
