/* The IAM Identity Center token cache that `aws sso login` writes: where it is, what stands in it, whether it is still good, how
 * it is refreshed (OIDC CreateToken with grant type refresh_token) and written back; and the portal request that gives the
 * credentials of a role. No I/O. Source: botocore's tokens.py and credentials.py, the SSO and SSO OIDC service models.
 */
#ifndef SWP_AWS_SSO_H
#define SWP_AWS_SSO_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/aws/endpoint.h"
#include "proto/aws/operation.h"
#include "proto/base/buf.h"
#include "proto/base/error.h"
#include "proto/base/secret.h"

struct swp_sso_token {
	struct swp_secret access_token, refresh_token, client_id,
		client_secret;		    /* the last three may be unset */
	int64_t expires_at_ms;		    /* wall */
	int64_t registration_expires_at_ms; /* 0: not told */
};
void swp_sso_token_done(struct swp_sso_token *token); /* wipes; may be called twice */

/* Appends HOME/.aws/sso/cache/SHA1.json; `name` is the session's name, or the start URL of a profile without session.
 * -ENOMEM, -E2BIG, -EIO. */
int swp_sso_cache_path(const char *home, const char *name, struct swp_buf *out);

/* 0, -ENOMEM, or SWP_CREDENTIAL_E_RETRIEVAL: `problem` names what is missing or wrong. `ret_token` must be initialized. */
int swp_sso_token_parse(
	const char *bytes, size_t length, struct swp_sso_token *ret_token, struct swp_problem *problem);

enum swp_sso_verdict {
	SWP_SSO_USE,
	SWP_SSO_REFRESH, /* 15 minutes or less are left, or none, and it can be refreshed */
	SWP_SSO_EXPIRED,
};
/* A profile without session has no refresh (`refreshable` false). */
enum swp_sso_verdict swp_sso_token_judge(
	const struct swp_sso_token *token, bool refreshable, int64_t wall_ms);

/* Input of CreateToken: new reference (holds secrets: swp_credential_json_wipe); NULL on out of memory. */
json_t *swp_sso_refresh_input(const struct swp_sso_token *token);
/* Takes CreateToken's answer into the token. 0, -ENOMEM, or SWP_CREDENTIAL_E_RETRIEVAL with `problem`. */
int swp_sso_token_refreshed(
	struct swp_sso_token *token, const json_t *document, int64_t wall_ms, struct swp_problem *problem);
/* Appends the cache file's new text (`out` should be secret). -ENOMEM, -E2BIG. */
int swp_sso_token_write(
	const struct swp_sso_token *token, const char *start_url, const char *region, struct swp_buf *out);

/* Appends the URL of GetRoleCredentials. 0, -ENOMEM, -E2BIG, or SWP_CREDENTIAL_E_CONFIG: the region has no partition. */
int swp_sso_portal_url(const struct swp_endpoint_options *endpoints, const char *region,
	const char *account_id, const char *role_name, struct swp_buf *out, struct swp_problem *problem);

extern const struct swp_aws_service swp_sso_service, swp_sso_oidc_service;
extern const struct swp_aws_operation swp_sso_create_token;
/* Its access token travels in a header, which the dialects do not know: sent by swp_sso_portal_url instead. */
extern const struct swp_aws_operation swp_sso_get_role_credentials;

#endif
