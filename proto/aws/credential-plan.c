/* The chain as a plan: which source is configured, and which roles are assumed with it, one after the other. Everything that can
 * be known without I/O is decided here, with messages that name the file, the profile and the key.
 */
#include "proto/aws/credentials.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/aws/credential-json.h"
#include "proto/aws/sigv4.h"
#include "proto/aws/sso.h"
#include "proto/base/alloc.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define PLAN_SKIP 1000 /* inside this file: this source is not configured, look at the next */
#define PLAN_REGION_BYTES (8u << 20)
#define METADATA_URL "http://169.254.169.254"
#define METADATA_URL_IPV6 "http://[fd00:ec2::254]"
#define CONTAINER_URL "http://169.254.170.2"

static const char *const error_names[] = {
	[SWP_CREDENTIAL_E_NONE] = "no-credentials",
	[SWP_CREDENTIAL_E_PROFILE_NOT_FOUND] = "profile-not-found",
	[SWP_CREDENTIAL_E_CONFIG] = "bad-configuration",
	[SWP_CREDENTIAL_E_PARTIAL] = "partial-credentials",
	[SWP_CREDENTIAL_E_LOOP] = "profile-loop",
	[SWP_CREDENTIAL_E_LOGIN] = "login-needed",
	[SWP_CREDENTIAL_E_RETRIEVAL] = "retrieval-failed",
	[SWP_CREDENTIAL_E_REFUSED] = "refused",
	[SWP_CREDENTIAL_E_EXPIRED] = "expired",
	[SWP_CREDENTIAL_E_CODE] = "code-needed",
};

const char *swp_credential_error_name(int error)
{
	if (error == 0)
		return "";
	return error > 0 && (size_t)error < SWP_ARRAY_SIZE(error_names) ? error_names[error] : "internal";
}

static const char *const kind_names[SWP_CREDENTIAL_KIND_COUNT] = {
	[SWP_CREDENTIAL_ENVIRONMENT] = "environment",
	[SWP_CREDENTIAL_ASSUME_ROLE] = "assume-role",
	[SWP_CREDENTIAL_WEB_IDENTITY] = "web-identity",
	[SWP_CREDENTIAL_SSO] = "sso",
	[SWP_CREDENTIAL_SHARED_FILE] = "credentials-file",
	[SWP_CREDENTIAL_LOGIN] = "login",
	[SWP_CREDENTIAL_PROCESS] = "process",
	[SWP_CREDENTIAL_CONFIG_FILE] = "config-file",
	[SWP_CREDENTIAL_CONTAINER] = "container",
	[SWP_CREDENTIAL_INSTANCE] = "instance-metadata",
};

const char *swp_credential_kind_name(enum swp_credential_kind kind)
{
	return kind_names[kind];
}

struct planner {
	const struct swp_profile_set *profiles;
	const struct swp_environment *environment;
	struct swp_credential_plan *plan;
	struct swp_problem *problem;
	bool explicit_profile;
	bool out_of_memory;
};

/* --- small things --- */

static const char *keep(struct planner *planner, const char *text)
{
	if (!text)
		return NULL;
	char *copy = swp_region_strdup(planner->plan->region, text);
	if (!copy)
		planner->out_of_memory = true;
	return copy;
}

static const char *keep_key(struct planner *planner, const char *profile, const char *key)
{
	const char *value = swp_profile_get(planner->profiles, profile, key);
	return value && *value ? keep(planner, value) : NULL;
}

static const char *keep_buf(struct planner *planner, struct swp_buf *buf)
{
	if (buf->failed)
		planner->out_of_memory = true;
	return keep(planner, swp_buf_text(buf));
}

static const char *keep_path(struct planner *planner, const char *path)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf full = {0};
	swp_path_expand(planner->environment, path, &full);
	return keep_buf(planner, &full);
}

static void note(struct planner *planner, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note(struct planner *planner, const char *format, ...)
{
	char *tried = planner->plan->tried;
	size_t used = strlen(tried), size = sizeof(planner->plan->tried);
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(tried + used, size - used, format, arguments);
	va_end(arguments);
}

static bool has_key(const struct planner *planner, const char *profile, const char *key)
{
	return swp_profile_get(planner->profiles, profile, key) != NULL;
}

static bool has_static_keys(const struct planner *planner, const char *profile)
{
	return has_key(planner, profile, "aws_access_key_id") ||
	       has_key(planner, profile, "aws_secret_access_key");
}

/* A profile with a token file is web identity's, also in the middle of a chain. */
static bool has_assume_role(const struct planner *planner, const char *profile)
{
	return has_key(planner, profile, "role_arn") && !has_key(planner, profile, "web_identity_token_file");
}

static struct swp_credential_step *add_step(
	struct planner *planner, enum swp_credential_kind kind, const char *profile)
{
	SWP_ASSERT(planner->plan->count < SWP_ARRAY_SIZE(planner->plan->steps));
	struct swp_credential_step *step = &planner->plan->steps[planner->plan->count++];
	*step = (struct swp_credential_step){.kind = kind, .profile = keep(planner, profile)};
	return step;
}

static const char *paths_looked_in(const struct planner *planner, char *text, size_t size)
{
	snprintf(text, size, "%.180s or %.180s", swp_profile_set_path(planner->profiles, SWP_PROFILE_CONFIG),
		swp_profile_set_path(planner->profiles, SWP_PROFILE_CREDENTIALS));
	return text;
}

static int no_such_profile(const struct planner *planner, int error, const char *profile, const char *who)
{
	char paths[400];
	const char *nearest = swp_profile_nearest(planner->profiles, profile);
	return swp_problem_set(planner->problem, error, "%sprofile \"%s\" does not exist in %s%s%s%s", who,
		profile, paths_looked_in(planner, paths, sizeof(paths)),
		nearest ? "; the nearest name is \"" : "", nearest ? nearest : "",
		nearest ? "\"" : "; `aws configure list-profiles` lists those that do");
}

/* --- environment --- */

static int read_environment_keys(struct planner *planner, struct swp_credentials *keys)
{
	const struct swp_environment *environment = planner->environment;
	const char *secret = swp_environment_get(environment, "AWS_SECRET_ACCESS_KEY");
	if (!secret)
		return swp_problem_set(planner->problem, SWP_CREDENTIAL_E_PARTIAL,
			"AWS_ACCESS_KEY_ID is set but AWS_SECRET_ACCESS_KEY is not; set both or neither");
	const char *token = swp_environment_get(
		environment, "AWS_SECURITY_TOKEN"); /* the old name, first as in botocore */
	if (!token)
		token = swp_environment_get(environment, "AWS_SESSION_TOKEN");
	int r = swp_credentials_set(
		keys, swp_environment_get(environment, "AWS_ACCESS_KEY_ID"), secret, token, planner->problem);
	if (r > 0)
		swp_problem_prefix(planner->problem, "credentials in the environment");
	const char *expiration = swp_environment_get(environment, "AWS_CREDENTIAL_EXPIRATION");
	if (r == 0 && expiration && swp_time_parse(expiration, &keys->expires_at_ms) < 0)
		return swp_problem_set(planner->problem, SWP_CREDENTIAL_E_CONFIG,
			"AWS_CREDENTIAL_EXPIRATION is no date; write it as 2026-11-22T08:00:00Z or unset it");
	swp_credentials_set_account(keys, swp_environment_get(environment, "AWS_ACCOUNT_ID"));
	return r;
}

static int plan_environment(struct planner *planner)
{
	if (!swp_environment_get(planner->environment, "AWS_ACCESS_KEY_ID")) {
		note(planner, "environment (AWS_ACCESS_KEY_ID is not set)");
		return PLAN_SKIP;
	}
	struct swp_credential_step *step = add_step(planner, SWP_CREDENTIAL_ENVIRONMENT, NULL);
	snprintf(step->keys.source, sizeof(step->keys.source), "environment");
	return read_environment_keys(planner, &step->keys);
}

/* --- sources of a profile; each returns 0, PLAN_SKIP, or an error --- */

/* Environment (unless a profile was named by option, or stands in the middle of a chain), then profile. */
static const char *identity_key(const struct planner *planner, const char *profile, bool environment_too,
	const char *variable, const char *key)
{
	const char *value = environment_too ? swp_environment_get(planner->environment, variable) : NULL;
	return value ? value : swp_profile_get(planner->profiles, profile, key);
}

static int plan_web_identity(struct planner *planner, const char *profile, bool environment_too)
{
	const char *path = identity_key(
		planner, profile, environment_too, "AWS_WEB_IDENTITY_TOKEN_FILE", "web_identity_token_file");
	if (!path || !*path)
		return PLAN_SKIP;
	const char *role = identity_key(planner, profile, environment_too, "AWS_ROLE_ARN", "role_arn");
	if (!role || !*role)
		return swp_problem_set(planner->problem, SWP_CREDENTIAL_E_CONFIG,
			"a web identity token file is configured (AWS_WEB_IDENTITY_TOKEN_FILE or "
			"web_identity_token_file of profile "
			"%s) but no role: set AWS_ROLE_ARN or role_arn",
			profile);
	struct swp_credential_step *step = add_step(planner, SWP_CREDENTIAL_WEB_IDENTITY, profile);
	step->path = keep_path(planner, path);
	step->role_arn = keep(planner, role);
	step->role_session_name = keep(planner, identity_key(planner, profile, environment_too,
							"AWS_ROLE_SESSION_NAME", "role_session_name"));
	return 0;
}

struct session_check {
	struct planner *planner;
	const char *profile, *session;
};

static int check_session_key(const char *key, const char *value, void *context)
{
	const struct session_check *check = context;
	const char *own = swp_profile_get(check->planner->profiles, check->profile, key);
	if (!own || swp_text_equal(own, value))
		return 0;
	return swp_problem_set(check->planner->problem, SWP_CREDENTIAL_E_CONFIG,
		"%s of profile %s differs from %s of [sso-session %s]; remove it from the profile", key,
		check->profile, key, check->session);
}

static int check_session(struct planner *planner, const char *profile, const char *session)
{
	if (!swp_sso_session_exists(planner->profiles, session)) {
		const char *nearest = swp_sso_session_nearest(planner->profiles, session);
		return swp_problem_set(planner->problem, SWP_CREDENTIAL_E_CONFIG,
			"profile %s names sso_session = %s, but %s has no [sso-session %s]%s%s", profile,
			session, swp_profile_set_path(planner->profiles, SWP_PROFILE_CONFIG), session,
			nearest ? "; the nearest is " : "",
			nearest ? nearest : "; `aws configure sso` writes one");
	}
	struct session_check check = {.planner = planner, .profile = profile, .session = session};
	return swp_sso_session_each(planner->profiles, session, check_session_key, &check);
}

static const char *sso_key(struct planner *planner, const char *profile, const char *session, const char *key)
{
	const char *value = session ? swp_sso_session_get(planner->profiles, session, key) : NULL;
	return value ? keep(planner, value) : keep_key(planner, profile, key);
}

static int check_sso_step(struct planner *planner, const struct swp_credential_step *step)
{
	const struct {
		const char *key, *value;
	} needed[] = {
		{"sso_role_name", step->sso_role_name},
		{"sso_account_id", step->sso_account_id},
		{"sso_start_url", step->sso_start_url},
		{"sso_region", step->sso_region},
	};
	for (size_t i = 0; i < SWP_ARRAY_SIZE(needed); i++)
		if (!needed[i].value && !planner->out_of_memory)
			return swp_problem_set(planner->problem, SWP_CREDENTIAL_E_CONFIG,
				"profile %s is an SSO profile but has no %s; add it, or run `aws configure "
				"sso --profile %s`",
				step->profile, needed[i].key, step->profile);
	return 0;
}

static int plan_sso(struct planner *planner, const char *profile, bool environment_too)
{
	(void)environment_too;
	if (!has_key(planner, profile, "sso_role_name") && !has_key(planner, profile, "sso_account_id"))
		return PLAN_SKIP;
	const char *session = swp_profile_get(planner->profiles, profile, "sso_session");
	int r = session ? check_session(planner, profile, session) : 0;
	if (r != 0)
		return r;
	struct swp_credential_step *step = add_step(planner, SWP_CREDENTIAL_SSO, profile);
	step->sso_session = keep(planner, session);
	step->sso_start_url = sso_key(planner, profile, session, "sso_start_url");
	step->sso_region = sso_key(planner, profile, session, "sso_region");
	step->sso_account_id = sso_key(planner, profile, session, "sso_account_id");
	step->sso_role_name = sso_key(planner, profile, session, "sso_role_name");
	r = check_sso_step(planner, step);
	if (r != 0 || planner->out_of_memory)
		return r;
	const char *home = planner->environment->home;
	SWP_CLEANUP(swp_buf_done) struct swp_buf path = {0};
	r = swp_sso_cache_path(home ? home : "", session ? session : step->sso_start_url, &path);
	step->path = keep_buf(planner, &path);
	return r;
}

static int plan_file_keys(struct planner *planner, const char *profile, enum swp_profile_file file,
	enum swp_credential_kind kind)
{
	const struct swp_profile_set *profiles = planner->profiles;
	const char *path = swp_profile_set_path(profiles, file);
	const char *id = swp_profile_get_from(profiles, file, profile, "aws_access_key_id");
	if (!id)
		return PLAN_SKIP;
	const char *secret = swp_profile_get_from(profiles, file, profile, "aws_secret_access_key");
	if (!secret)
		return swp_problem_set(planner->problem, SWP_CREDENTIAL_E_PARTIAL,
			"profile %s in %s has aws_access_key_id but no aws_secret_access_key; add it or "
			"remove the other",
			profile, path);
	const char *token = swp_profile_get_from(profiles, file, profile, "aws_security_token");
	if (!token)
		token = swp_profile_get_from(profiles, file, profile, "aws_session_token");
	struct swp_credential_step *step = add_step(planner, kind, profile);
	int r = swp_credentials_set(&step->keys, id, secret, token, planner->problem);
	if (r > 0)
		swp_problem_prefix(planner->problem, "profile %s in %s", profile, path);
	swp_credentials_set_account(
		&step->keys, swp_profile_get_from(profiles, file, profile, "aws_account_id"));
	return r;
}

static int plan_shared_file(struct planner *planner, const char *profile, bool environment_too)
{
	(void)environment_too;
	return plan_file_keys(planner, profile, SWP_PROFILE_CREDENTIALS, SWP_CREDENTIAL_SHARED_FILE);
}

static int plan_config_file(struct planner *planner, const char *profile, bool environment_too)
{
	(void)environment_too;
	return plan_file_keys(planner, profile, SWP_PROFILE_CONFIG, SWP_CREDENTIAL_CONFIG_FILE);
}

/* ~/.aws/login/cache/SHA256(session).json, or in AWS_LOGIN_CACHE_DIRECTORY. */
static int plan_login(struct planner *planner, const char *profile, bool environment_too)
{
	(void)environment_too;
	const char *session = swp_profile_get(planner->profiles, profile, "login_session");
	if (!session)
		return PLAN_SKIP;
	unsigned char digest[32];
	SWP_CLEANUP(swp_buf_done) struct swp_buf path = {0};
	const char *folder = swp_environment_get(planner->environment, "AWS_LOGIN_CACHE_DIRECTORY");
	int r = swp_sha256(session, strlen(session), digest);
	if (r < 0)
		return r;
	swp_path_expand(planner->environment, folder ? folder : "~/.aws/login/cache", &path);
	swp_buf_append_byte(&path, '/');
	swp_hex_encode(&path, digest, sizeof(digest));
	swp_buf_append_text(&path, ".json");
	struct swp_credential_step *step = add_step(planner, SWP_CREDENTIAL_LOGIN, profile);
	step->login_session = keep(planner, session);
	step->path = keep_buf(planner, &path);
	return 0;
}

static int plan_process(struct planner *planner, const char *profile, bool environment_too)
{
	(void)environment_too;
	const char *command = swp_profile_get(planner->profiles, profile, "credential_process");
	if (!command)
		return PLAN_SKIP;
	struct swp_credential_step *step = add_step(planner, SWP_CREDENTIAL_PROCESS, profile);
	step->command = keep(planner, command);
	step->account_id = keep_key(planner, profile, "aws_account_id");
	return 0;
}

static int (*const profile_sources[])(struct planner *planner, const char *profile, bool environment_too) = {
	plan_web_identity,
	plan_sso,
	plan_shared_file,
	plan_login,
	plan_process,
	plan_config_file,
};

static int plan_profile(struct planner *planner, const char *profile, bool environment_too)
{
	int r = PLAN_SKIP;
	for (size_t i = 0; r == PLAN_SKIP && i < SWP_ARRAY_SIZE(profile_sources); i++)
		r = profile_sources[i](planner, profile, environment_too);
	return r;
}

/* --- container and instance --- */

/* Host of an http(s) URL into `host`, without brackets and port; false when there is none, or a user part. */
static bool url_host(const char *url, char *host, size_t size)
{
	const char *begin = strstr(url, "://");
	if (!begin)
		return false;
	begin += 3;
	size_t authority = strcspn(begin, "/?#\\");
	if (authority == 0 || memchr(begin, '@', authority) || begin[authority] == '\\')
		return false;
	bool bracketed = *begin == '[';
	begin += bracketed;
	authority -= bracketed;
	const char *end = memchr(begin, bracketed ? ']' : ':', authority);
	size_t length = end ? (size_t)(end - begin) : authority;
	if ((bracketed && !end) || length == 0 || length >= size)
		return false;
	memcpy(host, begin, length);
	host[length] = 0;
	return true;
}

static bool is_loopback(const char *host)
{
	struct in_addr four;
	struct in6_addr six;
	if (inet_pton(AF_INET, host, &four) == 1)
		return (ntohl(four.s_addr) >> 24) == 127;
	return inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

bool swp_credential_container_url_allowed(const char *url)
{
	static const char *const allowed[] = {"169.254.170.2", "169.254.170.23", "fd00:ec2::23", "localhost"};
	char host[256];
	for (const char *c = url; *c; c++)
		if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f)
			return false;
	if (!url_host(url, host, sizeof(host)))
		return false;
	if (swp_text_starts(url, "https://"))
		return true;
	bool found = is_loopback(host);
	for (size_t i = 0; i < SWP_ARRAY_SIZE(allowed); i++)
		found = found || swp_text_equal(host, allowed[i]);
	return found && swp_text_starts(url, "http://");
}

static int plan_container(struct planner *planner)
{
	const struct swp_environment *environment = planner->environment;
	const char *relative = swp_environment_get(environment, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *full = swp_environment_get(environment, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
	if (!relative && !full) {
		note(planner,
			"; container (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and _FULL_URI are not set)");
		return PLAN_SKIP;
	}
	struct swp_credential_step *step = add_step(planner, SWP_CREDENTIAL_CONTAINER, NULL);
	SWP_CLEANUP(swp_free_pointer)
	char *url = swp_asprintf("%s%s", relative ? CONTAINER_URL : "", relative ? relative : full);
	if (!url)
		return -ENOMEM;
	if (!swp_credential_container_url_allowed(url))
		return swp_problem_set(planner->problem, SWP_CREDENTIAL_E_CONFIG,
			"AWS_CONTAINER_CREDENTIALS_%s_URI names a host that must not be asked for "
			"credentials; allowed are https://, "
			"loopback addresses, 169.254.170.2, 169.254.170.23 and [fd00:ec2::23]",
			relative ? "RELATIVE" : "FULL");
	step->url = keep(planner, url);
	const char *token_file = swp_environment_get(environment, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	step->path = token_file ? keep(planner, token_file) : NULL;
	step->attempts = 3;
	step->timeout_ms = 2000;
	return 0;
}

static int read_metadata_number(
	struct planner *planner, enum swp_setting setting, uint64_t most, uint64_t *ret_value)
{
	const char *text =
		swp_setting_get(planner->profiles, planner->environment, planner->plan->profile, setting);
	*ret_value = 1;
	if (!text || (swp_parse_u64(text, most, ret_value) == 0 && *ret_value > 0))
		return 0;
	return swp_problem_set(planner->problem, SWP_CREDENTIAL_E_CONFIG,
		"%s must be a whole number from 1 to %u", swp_setting_variable(setting), (unsigned)most);
}

static int choose_metadata_url(struct planner *planner, struct swp_credential_step *step)
{
	const struct swp_profile_set *profiles = planner->profiles;
	const char *profile = planner->plan->profile;
	const char *url =
		swp_setting_get(profiles, planner->environment, profile, SWP_SETTING_METADATA_ENDPOINT);
	const char *mode =
		swp_setting_get(profiles, planner->environment, profile, SWP_SETTING_METADATA_ENDPOINT_MODE);
	bool six =
		swp_setting_is_true(profiles, planner->environment, profile, SWP_SETTING_METADATA_USE_IPV6);
	if (mode && !swp_text_equal_ignoring_case(mode, "ipv4") &&
		!swp_text_equal_ignoring_case(mode, "ipv6"))
		return swp_problem_set(planner->problem, SWP_CREDENTIAL_E_CONFIG, "%s must be ipv4 or ipv6",
			swp_setting_variable(SWP_SETTING_METADATA_ENDPOINT_MODE));
	if (mode)
		six = swp_text_equal_ignoring_case(mode, "ipv6");
	char host[256];
	if (url && ((!swp_text_starts(url, "http://") && !swp_text_starts(url, "https://")) ||
			   !url_host(url, host, sizeof(host))))
		return swp_problem_set(planner->problem, SWP_CREDENTIAL_E_CONFIG,
			"%s must be an http:// or https:// URL",
			swp_setting_variable(SWP_SETTING_METADATA_ENDPOINT));
	step->url = keep(planner, url ? url : six ? METADATA_URL_IPV6 : METADATA_URL);
	return 0;
}

static int plan_instance(struct planner *planner)
{
	const char *disabled = swp_environment_get(planner->environment, "AWS_EC2_METADATA_DISABLED");
	if (disabled && swp_text_equal_ignoring_case(disabled, "true")) {
		note(planner, "; instance metadata (switched off by AWS_EC2_METADATA_DISABLED)");
		return PLAN_SKIP;
	}
	struct swp_credential_step *step = add_step(planner, SWP_CREDENTIAL_INSTANCE, NULL);
	uint64_t seconds, attempts;
	int r = choose_metadata_url(planner, step);
	if (r == 0)
		r = read_metadata_number(
			planner, SWP_SETTING_METADATA_TIMEOUT, SWP_LIMIT_METADATA_MS / 1000, &seconds);
	if (r == 0)
		r = read_metadata_number(
			planner, SWP_SETTING_METADATA_ATTEMPTS, SWP_LIMIT_METADATA_ATTEMPTS, &attempts);
	if (r != 0)
		return r;
	step->timeout_ms = (int64_t)seconds * 1000;
	step->attempts = (unsigned)attempts;
	step->v1_disabled = swp_setting_is_true(planner->profiles, planner->environment,
		planner->plan->profile, SWP_SETTING_METADATA_V1_DISABLED);
	return 0;
}

/* --- roles --- */

struct walk { /* from the profile in use towards the source */
	const char *profiles[SWP_LIMIT_PROFILE_CHAIN];
	size_t count;
};

static bool visited(const struct walk *walk, const char *profile)
{
	for (size_t i = 0; i < walk->count; i++)
		if (swp_text_equal(walk->profiles[i], profile))
			return true;
	return false;
}

static int report_loop(struct planner *planner, const struct walk *walk, const char *source)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf way = {0};
	for (size_t i = 0; i < walk->count; i++)
		swp_buf_append_format(&way, "%s -> ", walk->profiles[i]);
	return swp_problem_set(planner->problem, SWP_CREDENTIAL_E_LOOP,
		"source_profile goes round: %s%s; end the chain in a profile with keys of its own (looked in "
		"%s)",
		swp_buf_text(&way), source, swp_profile_set_path(planner->profiles, SWP_PROFILE_CONFIG));
}

static const struct source_row {
	const char *name;
	int (*plan)(struct planner *planner);
} credential_sources[] = {
	{"Environment", plan_environment},
	{"EcsContainer", plan_container},
	{"Ec2InstanceMetadata", plan_instance},
};

static int plan_credential_source(struct planner *planner, const char *profile, const char *name)
{
	for (size_t i = 0; i < SWP_ARRAY_SIZE(credential_sources); i++) {
		if (!swp_text_equal(name, credential_sources[i].name))
			continue;
		int r = credential_sources[i].plan(planner);
		return r != PLAN_SKIP ? r
				      : swp_problem_set(planner->problem, SWP_CREDENTIAL_E_RETRIEVAL,
						"profile %s takes its credentials from %s "
						"(credential_source), but there are none: %s",
						profile, name, planner->plan->tried);
	}
	return swp_problem_set(planner->problem, SWP_CREDENTIAL_E_CONFIG,
		"profile %s: credential_source must be Environment, EcsContainer or Ec2InstanceMetadata",
		profile);
}

static int check_source_keys(
	struct planner *planner, const char *profile, const char *source, const char *named)
{
	if (source && named)
		return swp_problem_set(planner->problem, SWP_CREDENTIAL_E_CONFIG,
			"profile %s has both source_profile and credential_source; remove one", profile);
	if (!source && !named)
		return swp_problem_set(planner->problem, SWP_CREDENTIAL_E_PARTIAL,
			"profile %s has role_arn but neither source_profile nor credential_source; add the "
			"one that says with which "
			"credentials the role is assumed",
			profile);
	return 0;
}

static int plan_source_profile(struct planner *planner, const char *profile, const char *source)
{
	int r = plan_profile(planner, source, false);
	return r != PLAN_SKIP ? r
			      : swp_problem_set(planner->problem, SWP_CREDENTIAL_E_CONFIG,
					"profile %s takes its credentials from profile %s (source_profile), "
					"which has none; add keys, "
					"sso_ settings, credential_process or login_session to it",
					profile, source);
}

static int check_source_profile(
	struct planner *planner, const struct walk *walk, const char *profile, const char *source)
{
	char who[200];
	snprintf(who, sizeof(who), "profile %.120s, source_profile: ", profile);
	if (!swp_profile_exists(planner->profiles, source))
		return no_such_profile(planner, SWP_CREDENTIAL_E_CONFIG, source, who);
	bool self = swp_text_equal(profile, source);
	if (visited(walk, source) && (!self || !has_static_keys(planner, source)))
		return report_loop(planner, walk, source);
	return 0;
}

/* Walks from `profile` to the source, plans the source, and leaves the profiles of the roles in `walk`. */
static int walk_to_source(struct planner *planner, const char *profile, struct walk *walk)
{
	for (;;) {
		const char *source = swp_profile_get(planner->profiles, profile, "source_profile");
		const char *named = swp_profile_get(planner->profiles, profile, "credential_source");
		int r = check_source_keys(planner, profile, source, named);
		walk->profiles[walk->count++] = profile;
		if (r != 0)
			return r;
		if (named)
			return plan_credential_source(planner, profile, named);
		r = check_source_profile(planner, walk, profile, source);
		if (r != 0)
			return r;
		if (has_static_keys(planner, source) || !has_assume_role(planner, source))
			return plan_source_profile(planner, profile, source);
		if (walk->count >= SWP_LIMIT_PROFILE_CHAIN)
			return swp_problem_set(planner->problem, SWP_CREDENTIAL_E_LOOP,
				"profile %s: the chain of source_profile is longer than %d",
				walk->profiles[0], SWP_LIMIT_PROFILE_CHAIN);
		profile = source;
	}
}

static void plan_role(struct planner *planner, const char *profile)
{
	struct swp_credential_step *step = add_step(planner, SWP_CREDENTIAL_ASSUME_ROLE, profile);
	step->role_arn = keep_key(planner, profile, "role_arn");
	step->role_session_name = keep_key(planner, profile, "role_session_name");
	step->external_id = keep_key(planner, profile, "external_id");
	step->mfa_serial = keep_key(planner, profile, "mfa_serial");
	const char *duration = swp_profile_get(planner->profiles, profile, "duration_seconds");
	uint64_t seconds;
	if (duration && swp_parse_u64(duration, 43200, &seconds) == 0)
		step->duration_seconds = (unsigned)seconds;
}

static int plan_assume_role(struct planner *planner, const char *profile)
{
	struct walk walk = {.count = 0};
	int r = walk_to_source(planner, profile, &walk);
	for (size_t i = walk.count; r == 0 && i > 0; i--)
		plan_role(planner, walk.profiles[i - 1]);
	return r;
}

/* --- the chain --- */

static void note_profile(struct planner *planner, const char *profile)
{
	char paths[400];
	paths_looked_in(planner, paths, sizeof(paths));
	if (swp_profile_exists(planner->profiles, profile))
		note(planner,
			"; profile %.60s in %s (it has no keys, sso_ settings, role_arn, credential_process "
			"or "
			"login_session)",
			profile, paths);
	else
		note(planner, "; profile %.60s (not in %s)", profile, paths);
}

static int plan_chain(struct planner *planner)
{
	const char *profile = planner->plan->profile;
	int r = PLAN_SKIP;
	if (planner->explicit_profile)
		note(planner, "environment (not asked, as a profile was named)");
	else
		r = plan_environment(planner);
	if (r == PLAN_SKIP && has_assume_role(planner, profile))
		return plan_assume_role(planner, profile);
	if (r == PLAN_SKIP)
		r = plan_profile(planner, profile, !planner->explicit_profile);
	if (r != PLAN_SKIP)
		return r;
	note_profile(planner, profile);
	r = plan_container(planner);
	return r == PLAN_SKIP ? plan_instance(planner) : r;
}

static int plan_all(struct planner *planner, bool named)
{
	struct swp_credential_plan *plan = planner->plan;
	if (planner->out_of_memory)
		return -ENOMEM;
	if (named && !swp_profile_exists(planner->profiles, plan->profile))
		return no_such_profile(planner, SWP_CREDENTIAL_E_PROFILE_NOT_FOUND, plan->profile, "");
	const char *region =
		swp_setting_get(planner->profiles, planner->environment, plan->profile, SWP_SETTING_REGION);
	plan->region_name = keep(planner, region ? region : "");
	int r = plan_chain(planner);
	if (r == PLAN_SKIP)
		r = swp_problem_set(planner->problem, SWP_CREDENTIAL_E_NONE,
			"no AWS credentials. Tried: %s. Name a profile with --profile or AWS_PROFILE, log in "
			"with `aws sso login` or "
			"`aws login`, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
			plan->tried);
	return planner->out_of_memory ? -ENOMEM : r;
}

int swp_credential_plan_make(const struct swp_profile_set *profiles,
	const struct swp_environment *environment, const char *explicit_profile,
	struct swp_credential_plan *ret_plan, struct swp_problem *problem)
{
	struct swp_credential_plan plan = {.region = swp_region_new(PLAN_REGION_BYTES)};
	if (!plan.region)
		return -ENOMEM;
	struct planner planner = {.profiles = profiles,
		.environment = environment,
		.plan = &plan,
		.problem = problem,
		.explicit_profile = explicit_profile != NULL};
	bool named;
	plan.profile = keep(&planner, swp_profile_choose(environment, explicit_profile, &named));
	int r = plan_all(&planner, named);
	if (r != 0)
		swp_credential_plan_done(&plan);
	else
		*ret_plan = plan;
	return r;
}

void swp_credential_plan_done(struct swp_credential_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		swp_credentials_done(&plan->steps[i].keys);
	swp_region_free(plan->region);
	*plan = (struct swp_credential_plan){0};
}
