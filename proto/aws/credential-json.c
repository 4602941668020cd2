/* Credentials out of JSON, and the checks that every key, secret and token passes. */
#include "proto/aws/credential-json.h"

#include <errno.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"

/* --- values --- */

void swp_credentials_done(struct swp_credentials *credentials)
{
	swp_secret_done(&credentials->secret_access_key);
	swp_secret_done(&credentials->session_token);
	swp_wipe(credentials, sizeof(*credentials));
}

int swp_credentials_copy(struct swp_credentials *to, const struct swp_credentials *from)
{
	struct swp_credentials copy = *from;
	copy.secret_access_key = (struct swp_secret){0};
	copy.session_token = (struct swp_secret){0};
	int r = swp_secret_copy(&copy.secret_access_key, &from->secret_access_key);
	if (r == 0)
		r = swp_secret_copy(&copy.session_token, &from->session_token);
	swp_credentials_done(to);
	if (r < 0)
		swp_credentials_done(&copy);
	else
		*to = copy;
	return r;
}

bool swp_credentials_equal(const struct swp_credentials *a, const struct swp_credentials *b)
{
	return swp_text_equal(a->access_key_id, b->access_key_id) &&
	       swp_secret_equal(&a->secret_access_key, &b->secret_access_key) &&
	       swp_secret_equal(&a->session_token, &b->session_token);
}

/* Visible ASCII only: what goes into a header and a signature. */
static bool is_visible(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text >= 0x7f)
			return false;
	return true;
}

static int refuse_text(struct swp_problem *problem, const char *what)
{
	return swp_problem_set(problem, SWP_CREDENTIAL_E_CONFIG,
		"the %s is empty, too long, or has blanks or control characters in it (a line end copied "
		"with it?); "
		"copy it again",
		what);
}

int swp_credentials_set(struct swp_credentials *credentials, const char *access_key_id,
	const char *secret_access_key, const char *token, struct swp_problem *problem)
{
	size_t id_length = strlen(access_key_id);
	if (id_length == 0 || id_length >= sizeof(credentials->access_key_id) || !is_visible(access_key_id))
		return refuse_text(problem, "access key id");
	if (!*secret_access_key || !is_visible(secret_access_key) ||
		strlen(secret_access_key) > SWP_LIMIT_SECRET_BYTES)
		return refuse_text(problem, "secret access key");
	if (token && (!is_visible(token) || strlen(token) > SWP_LIMIT_SECRET_BYTES))
		return refuse_text(problem, "session token");
	int r = swp_secret_set_text(&credentials->secret_access_key, secret_access_key);
	if (r == 0)
		r = swp_secret_set_text(&credentials->session_token, token && *token ? token : NULL);
	if (r == 0)
		memcpy(credentials->access_key_id, access_key_id, id_length + 1);
	return r;
}

void swp_credentials_set_account(struct swp_credentials *credentials, const char *text)
{
	credentials->account_id[0] = 0;
	if (text && strlen(text) == 12 && strspn(text, "0123456789") == 12)
		memcpy(credentials->account_id, text, 13);
}

/* --- JSON --- */

void swp_credential_json_wipe(json_t *value)
{
	if (!value)
		return;
	const char *key;
	json_t *member;
	size_t index;
	if (json_is_string(value)) {
		/* jansson frees without wiping; the text is its own writable block */
		swp_wipe((char *)(uintptr_t)json_string_value(value), json_string_length(value));
	} else if (json_is_object(value)) {
		json_object_foreach(value, key, member) swp_credential_json_wipe(json_incref(member));
	} else if (json_is_array(value)) {
		json_array_foreach(value, index, member) swp_credential_json_wipe(json_incref(member));
	}
	json_decref(value);
}

int swp_credential_json_parse(
	const char *bytes, size_t length, json_t **ret_object, struct swp_problem *problem)
{
	if (length > SWP_LIMIT_CREDENTIAL_JSON_BYTES)
		return swp_problem_set(problem, SWP_CREDENTIAL_E_RETRIEVAL,
			"the answer is larger than %u KiB", SWP_LIMIT_CREDENTIAL_JSON_BYTES >> 10);
	json_error_t error;
	json_t *value = json_loadb(bytes ? bytes : "", length, 0, &error);
	if (!value && json_error_code(&error) == json_error_out_of_memory)
		return -ENOMEM;
	if (!json_is_object(value)) {
		swp_credential_json_wipe(value);
		return swp_problem_set(problem, SWP_CREDENTIAL_E_RETRIEVAL, "the answer is no JSON object");
	}
	*ret_object = value;
	return 0;
}

static const struct form_row {
	const char *wrapper; /* object that holds the members; NULL: the answer itself */
	const char *access_key_id, *secret_access_key, *session_token, *expiration, *account_id;
	bool is_temporary; /* token and expiration are required */
	bool in_milliseconds;
} forms[SWP_CREDENTIAL_FORM_COUNT] = {
	[SWP_CREDENTIAL_FORM_PROCESS] = {NULL, "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration",
		"AccountId", false, false},
	[SWP_CREDENTIAL_FORM_CONTAINER] = {NULL, "AccessKeyId", "SecretAccessKey", "Token", "Expiration",
		"AccountId", true, false},
	[SWP_CREDENTIAL_FORM_INSTANCE] = {NULL, "AccessKeyId", "SecretAccessKey", "Token", "Expiration",
		"AccountId", true, false},
	[SWP_CREDENTIAL_FORM_SSO] = {"roleCredentials", "accessKeyId", "secretAccessKey", "sessionToken",
		"expiration", "accountId", true, true},
	[SWP_CREDENTIAL_FORM_LOGIN] = {"accessToken", "accessKeyId", "secretAccessKey", "sessionToken",
		"expiresAt", "accountId", true, false},
	[SWP_CREDENTIAL_FORM_STS] = {"Credentials", "AccessKeyId", "SecretAccessKey", "SessionToken",
		"Expiration", "AccountId", true, false},
};

static int refuse_member(struct swp_problem *problem, const char *member, const char *what)
{
	return swp_problem_set(
		problem, SWP_CREDENTIAL_E_RETRIEVAL, "member %s of the answer %s", member, what);
}

/* A text member; NULL for absent and null ones if not required. */
static int read_text(const json_t *object, const char *member, bool required, const char **ret_text,
	struct swp_problem *problem)
{
	const json_t *value = json_object_get(object, member);
	if (!value || json_is_null(value)) {
		*ret_text = NULL;
		return required ? refuse_member(problem, member, "is missing") : 0;
	}
	if (!json_is_string(value))
		return refuse_member(problem, member, "is no text");
	*ret_text = json_string_value(value);
	return 0;
}

/* A date, or a number: milliseconds (SSO), or seconds (STS in JSON). */
static int read_expiration(
	const struct form_row *row, const json_t *object, int64_t *ret_ms, struct swp_problem *problem)
{
	const json_t *value = json_object_get(object, row->expiration);
	*ret_ms = 0;
	if (!value || json_is_null(value))
		return row->is_temporary ? refuse_member(problem, row->expiration, "is missing") : 0;
	double scale = row->in_milliseconds ? 1 : 1000;
	if (json_is_number(value) && json_number_value(value) > 0 && json_number_value(value) * scale < 4e15)
		*ret_ms = (int64_t)(json_number_value(value) * scale);
	else if (row->in_milliseconds || !json_is_string(value) ||
		 swp_time_parse(json_string_value(value), ret_ms) < 0 || *ret_ms <= 0)
		return refuse_member(problem, row->expiration, "is no date");
	return 0;
}

static int check_version(const json_t *object, struct swp_problem *problem)
{
	const json_t *version = json_object_get(object, "Version");
	if (json_is_integer(version) && json_integer_value(version) == 1)
		return 0;
	return refuse_member(problem, "Version", "is not 1");
}

static int read_members(const struct form_row *row, const json_t *object, struct swp_credentials *credentials,
	struct swp_problem *problem)
{
	const char *id, *secret, *token;
	int r = read_text(object, row->access_key_id, true, &id, problem);
	if (r == 0)
		r = read_text(object, row->secret_access_key, true, &secret, problem);
	if (r == 0)
		r = read_text(object, row->session_token, row->is_temporary, &token, problem);
	if (r == 0)
		r = read_expiration(row, object, &credentials->expires_at_ms, problem);
	if (r == 0)
		r = swp_credentials_set(credentials, id, secret, token, problem);
	if (r == 0)
		swp_credentials_set_account(
			credentials, json_string_value(json_object_get(object, row->account_id)));
	return r == SWP_CREDENTIAL_E_CONFIG ? SWP_CREDENTIAL_E_RETRIEVAL : r;
}

int swp_credential_json_read(enum swp_credential_form form, const json_t *object, struct swp_credentials *ret,
	struct swp_problem *problem)
{
	const struct form_row *row = &forms[form];
	int r = form == SWP_CREDENTIAL_FORM_PROCESS ? check_version(object, problem) : 0;
	const json_t *inner = row->wrapper ? json_object_get(object, row->wrapper) : object;
	if (r == 0 && !json_is_object(inner))
		r = refuse_member(problem, row->wrapper ? row->wrapper : "(all)", "is missing");
	if (r != 0)
		return r;
	struct swp_credentials credentials = {0};
	r = read_members(row, inner, &credentials, problem);
	if (r != 0) {
		swp_credentials_done(&credentials);
		return r;
	}
	memcpy(credentials.source, ret->source, sizeof(credentials.source));
	swp_credentials_done(ret);
	*ret = credentials;
	return 0;
}
