/* Identity Center: token cache, refresh, portal. */
#include "proto/aws/sso.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/aws/credential-json.h"
#include "proto/aws/sigv4.h"
#include "proto/base/clock.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

const struct swp_aws_service swp_sso_service = {
	.name = "sso",
	.protocol = SWP_PROTOCOL_REST_JSON,
	.signing_name = "awsssoportal",
	.endpoint_prefix = "portal.sso",
	.endpoint_variable = "SSO",
	.scope = SWP_SCOPE_REGIONAL,
};
const struct swp_aws_service swp_sso_oidc_service = {
	.name = "sso-oidc",
	.protocol = SWP_PROTOCOL_REST_JSON,
	.signing_name = "sso-oauth",
	.endpoint_prefix = "oidc",
	.endpoint_variable = "SSO_OIDC",
	.scope = SWP_SCOPE_REGIONAL,
};

static const char *const create_token_required[] = {"accessToken", "expiresIn", NULL};
const struct swp_aws_operation swp_sso_create_token = {
	.service = &swp_sso_oidc_service,
	.name = "CreateToken",
	.method = "POST",
	.uri = "/token",
	.required = create_token_required,
};

static const struct swp_aws_query_member role_members[] = {
	{"roleName", "role_name"}, {"accountId", "account_id"}};
static const char *const role_required[] = {"roleCredentials", NULL};
const struct swp_aws_operation swp_sso_get_role_credentials = {
	.service = &swp_sso_service,
	.name = "GetRoleCredentials",
	.method = "GET",
	.uri = "/federation/credentials",
	.query_members = role_members,
	.query_member_count = SWP_ARRAY_SIZE(role_members),
	.required = role_required,
};

void swp_sso_token_done(struct swp_sso_token *token)
{
	swp_secret_done(&token->access_token);
	swp_secret_done(&token->refresh_token);
	swp_secret_done(&token->client_id);
	swp_secret_done(&token->client_secret);
	*token = (struct swp_sso_token){0};
}

int swp_sso_cache_path(const char *home, const char *name, struct swp_buf *out)
{
	char digest[41];
	int r = swp_sha1_hex(name, strlen(name), digest);
	return r < 0 ? r : swp_buf_append_format(out, "%s/.aws/sso/cache/%s.json", home, digest);
}

static int missing(struct swp_problem *problem, const char *member)
{
	return swp_problem_set(problem, SWP_CREDENTIAL_E_RETRIEVAL,
		"%s is missing in it or is not what it should be", member);
}

/* Takes a text member if it is there. */
static int take_secret(const json_t *object, const char *member, struct swp_secret *secret)
{
	const json_t *value = json_object_get(object, member);
	if (!json_is_string(value))
		return 0;
	int r = swp_secret_set(secret, json_string_value(value), json_string_length(value));
	return r == -E2BIG ? 0 : r; /* as if it was not there */
}

static int64_t read_date(const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));
	int64_t wall_ms;
	return text && swp_time_parse(text, &wall_ms) == 0 ? wall_ms : 0;
}

static int read_token(const json_t *object, struct swp_sso_token *token)
{
	int r = take_secret(object, "accessToken", &token->access_token);
	if (r == 0)
		r = take_secret(object, "refreshToken", &token->refresh_token);
	if (r == 0)
		r = take_secret(object, "clientId", &token->client_id);
	if (r == 0)
		r = take_secret(object, "clientSecret", &token->client_secret);
	token->expires_at_ms = read_date(object, "expiresAt");
	token->registration_expires_at_ms = read_date(object, "registrationExpiresAt");
	return r;
}

int swp_sso_token_parse(
	const char *bytes, size_t length, struct swp_sso_token *ret_token, struct swp_problem *problem)
{
	json_t *object = NULL;
	int r = swp_credential_json_parse(bytes, length, &object, problem);
	if (r != 0)
		return r;
	struct swp_sso_token token = {0};
	r = read_token(object, &token);
	swp_credential_json_wipe(object);
	if (r == 0 && !swp_secret_is_set(&token.access_token))
		r = missing(problem, "accessToken");
	if (r == 0 && token.expires_at_ms == 0)
		r = missing(problem, "expiresAt");
	if (r != 0) {
		swp_sso_token_done(&token);
		return r;
	}
	swp_sso_token_done(ret_token);
	*ret_token = token;
	return 0;
}

enum swp_sso_verdict swp_sso_token_judge(const struct swp_sso_token *token, bool refreshable, int64_t wall_ms)
{
	if (token->expires_at_ms - wall_ms > SWP_CREDENTIAL_ADVISORY_MS)
		return SWP_SSO_USE;
	if (refreshable && swp_secret_is_set(&token->refresh_token) && swp_secret_is_set(&token->client_id) &&
		swp_secret_is_set(&token->client_secret) && token->registration_expires_at_ms > wall_ms)
		return SWP_SSO_REFRESH;
	return token->expires_at_ms > wall_ms ? SWP_SSO_USE : SWP_SSO_EXPIRED;
}

json_t *swp_sso_refresh_input(const struct swp_sso_token *token)
{
	return json_pack("{s:s, s:s, s:s, s:s}", "grantType", "refresh_token", "clientId",
		swp_secret_text(&token->client_id), "clientSecret", swp_secret_text(&token->client_secret),
		"refreshToken", swp_secret_text(&token->refresh_token));
}

int swp_sso_token_refreshed(
	struct swp_sso_token *token, const json_t *document, int64_t wall_ms, struct swp_problem *problem)
{
	const json_t *access = json_object_get(document, "accessToken");
	const json_t *lifetime = json_object_get(document, "expiresIn");
	if (!json_is_string(access) || json_string_length(access) == 0 ||
		json_string_length(access) > SWP_LIMIT_SECRET_BYTES)
		return missing(problem, "accessToken");
	if (!json_is_integer(lifetime) || json_integer_value(lifetime) <= 0 ||
		json_integer_value(lifetime) > 366 * 86400)
		return missing(problem, "expiresIn");
	struct swp_secret next = {0};
	int r = take_secret(document, "refreshToken", &next);
	if (r == 0)
		r = swp_secret_set(
			&token->access_token, json_string_value(access), json_string_length(access));
	if (r < 0) {
		swp_secret_done(&next);
		return r;
	}
	swp_secret_done(&token->refresh_token); /* the old one is used up, whether or not a new one came */
	token->refresh_token = next;
	token->expires_at_ms = wall_ms + (int64_t)json_integer_value(lifetime) * 1000;
	return 0;
}

int swp_sso_token_write(
	const struct swp_sso_token *token, const char *start_url, const char *region, struct swp_buf *out)
{
	char expires[SWP_TIME_TEXT_BYTES], registration[SWP_TIME_TEXT_BYTES];
	swp_time_format(token->expires_at_ms, expires);
	swp_time_format(token->registration_expires_at_ms, registration);
	json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "startUrl", start_url, "region",
		region, "accessToken", swp_secret_text(&token->access_token), "expiresAt", expires,
		"clientId", swp_secret_text(&token->client_id), "clientSecret",
		swp_secret_text(&token->client_secret), "registrationExpiresAt", registration);
	bool complete = object != NULL;
	if (complete && swp_secret_is_set(&token->refresh_token))
		complete = json_object_set_new(object, "refreshToken",
				   json_string(swp_secret_text(&token->refresh_token))) == 0;
	char *text = complete ? json_dumps(object, JSON_COMPACT) : NULL;
	swp_credential_json_wipe(object);
	if (!text)
		return -ENOMEM;
	int r = swp_buf_append_text(out, text);
	swp_wipe(text, strlen(text));
	free(text);
	return r;
}

int swp_sso_portal_url(const struct swp_endpoint_options *endpoints, const char *region,
	const char *account_id, const char *role_name, struct swp_buf *out, struct swp_problem *problem)
{
	struct swp_endpoint endpoint;
	const struct swp_partition *partition = swp_partition_by_region(region);
	int r = partition ? swp_endpoint_resolve(endpoints, partition, &swp_sso_service, region, &endpoint)
			  : -EINVAL;
	if (r != 0)
		return swp_problem_set(problem, SWP_CREDENTIAL_E_CONFIG,
			"sso_region %s has no Identity Center portal", region);
	swp_buf_append_format(out, "%s://%s%s%s?role_name=", endpoint.scheme, endpoint.host, endpoint.path,
		swp_sso_get_role_credentials.uri);
	swp_percent_encode(out, role_name, strlen(role_name), false);
	swp_buf_append_text(out, "&account_id=");
	swp_percent_encode(out, account_id, strlen(account_id), false);
	return out->failed;
}
