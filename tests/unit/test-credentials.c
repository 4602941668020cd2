/* The chain: which source is chosen, what the machine asks for, what it makes of the answers; planted secrets in no message. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/aws/credential-json.h"
#include "proto/aws/credentials.h"
#include "proto/aws/sso.h"
#include "proto/base/alloc.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define NOW 1795000000000LL /* 2026-11-18T11:06:40Z */
#define SOON "2026-11-18T11:16:40Z"
#define LATER "2026-11-18T12:06:40Z"
#define PAST "2026-11-18T11:06:39Z"
/* Planted: must never stand in a message. */
#define SECRET "PLANTEDsecret0123456789PLANTEDsecret0123"
#define TOKEN "PLANTEDtoken0123456789PLANTEDtoken"
#define BEARER "PLANTEDbearer0123456789"
#define REFRESH "PLANTEDrefresh012345"
#define CLIENT "PLANTEDclient0123456"

struct variable {
	const char *name, *value;
};

struct act {
	const char *expected; /* part of the request as written by render() */
	int error, status;
	const char *bytes; /* file, output, body, code; JSON of a call's document */
	enum swp_outcome outcome;
	const char *code, *message;
};

struct row {
	const char *name;
	const char *config, *credentials, *profile; /* NULL: empty; profile is --profile */
	struct variable variables[6];
	struct act acts[10];
	int error;	       /* enum swp_credential_error; 0: credentials */
	const char *expected;  /* part of the message, or "id|token?|account|source" */
	int64_t expires_in_ms; /* 0: never */
};

static const char *map_get(void *context, const char *name)
{
	for (const struct variable *v = context; v->name; v++)
		if (strcmp(v->name, name) == 0)
			return v->value;
	return NULL;
}

static const char *const need_names[] = {
	"FILE", "SAVE", "PROCESS", "HTTP", "CALL", "CODE", "PAUSE", "DONE", "FAILED"};

static void render_call(const struct swp_credential_request *request, struct swp_buf *out)
{
	char *input = json_dumps(request->input, JSON_COMPACT | JSON_SORT_KEYS);
	swp_buf_append_format(out, " %s %s %s %s", request->operation->name, request->region,
		request->signer ? request->signer->access_key_id : "-", input ? input : "(none)");
	free(input);
}

static void render(const struct swp_credential_request *request, struct swp_buf *out)
{
	swp_buf_append_text(out, need_names[request->need]);
	if (request->path)
		swp_buf_append_format(out, " %s", request->path);
	if (request->text)
		swp_buf_append_format(out, " %s", request->text);
	for (size_t i = 0; request->arguments && request->arguments[i]; i++)
		swp_buf_append_format(out, "|%s", request->arguments[i]);
	if (request->url)
		swp_buf_append_format(
			out, " %s %s%s", request->method, request->url, request->direct ? "" : " (proxy)");
	for (size_t i = 0; i < request->header_count; i++)
		swp_buf_append_format(out, " %s=%s", request->headers[i].name, request->headers[i].value);
	if (request->operation)
		render_call(request, out);
	if (request->question)
		swp_buf_append_format(out, " %s", request->question);
	if (request->need == SWP_CREDENTIAL_NEED_PAUSE)
		swp_buf_append_format(out, " %d", (int)request->pause_ms);
}

static void assert_nothing_planted(const char *name, const char *text)
{
	if (strstr(text, "PLANTED"))
		fail_msg("%s: a planted secret stands in \"%s\"", name, text);
}

static void check_end(const struct row *row, int error, const struct swp_problem *problem,
	const struct swp_credentials *credentials)
{
	char got[sizeof(problem->text)] = "";
	if (error == 0)
		snprintf(got, sizeof(got), "%s|%s|%s|%s", credentials->access_key_id,
			swp_secret_is_set(&credentials->session_token) ? "token" : "",
			credentials->account_id, credentials->source);
	else
		snprintf(got, sizeof(got), "%s", problem->text);
	if (error != row->error || !strstr(got, row->expected) ||
		(error == 0 && strcmp(got, row->expected) != 0))
		fail_msg("%s: got %s \"%s\", expected %s \"%s\"", row->name, swp_credential_error_name(error),
			got, swp_credential_error_name(row->error), row->expected);
	if (error == 0) {
		assert_string_equal(swp_secret_text(&credentials->secret_access_key), SECRET);
		int64_t expected = row->expires_in_ms ? NOW + row->expires_in_ms : 0;
		if (credentials->expires_at_ms != expected)
			fail_msg("%s: ends at %lld, expected %lld", row->name,
				(long long)credentials->expires_at_ms, (long long)expected);
	}
	assert_nothing_planted(row->name, problem->text);
}

static void perform(struct swp_credential_machine *machine, const struct row *row, const struct act *act)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf request = {0};
	render(swp_credential_machine_request(machine), &request);
	if (!act->expected || !strstr(swp_buf_text(&request), act->expected))
		fail_msg("%s: the machine wants \"%s\", expected \"%s\"", row->name, swp_buf_text(&request),
			act->expected ? act->expected : "(an end)");
	json_t *document = NULL;
	bool is_call = swp_credential_machine_request(machine)->need == SWP_CREDENTIAL_NEED_CALL;
	if (is_call && act->bytes) {
		document = json_loads(act->bytes, 0, NULL);
		assert_non_null(document);
	}
	const struct swp_credential_answer answer = {
		.error = act->error,
		.bytes = act->bytes ? act->bytes : "",
		.length = act->bytes ? strlen(act->bytes) : 0,
		.status = act->status,
		.outcome = act->outcome,
		.error_code = act->code,
		.message = act->message,
		.document = document,
	};
	swp_credential_machine_answer(machine, &answer, NOW);
	json_decref(document);
}

static int play(struct swp_credential_machine *machine, const struct row *row, struct swp_problem *problem)
{
	size_t done = 0;
	swp_credential_machine_start(machine, NOW, 0.5);
	while (swp_credential_machine_request(machine)->need < SWP_CREDENTIAL_DONE) {
		assert_true(done < SWP_ARRAY_SIZE(row->acts));
		perform(machine, row, &row->acts[done++]);
	}
	if (done < SWP_ARRAY_SIZE(row->acts) && row->acts[done].expected) {
		swp_credential_machine_error(machine, problem);
		fail_msg("%s: ended (%s) before \"%s\"", row->name, problem->text, row->acts[done].expected);
	}
	return swp_credential_machine_error(machine, problem);
}

static struct swp_profile_set *profiles_of(const struct row *row)
{
	struct swp_problem problem = {0};
	struct swp_profile_set *set = swp_profile_set_new();
	assert_non_null(set);
	const char *config = row->config ? row->config : "",
		   *credentials = row->credentials ? row->credentials : "";
	if (swp_profile_set_add(set, SWP_PROFILE_CONFIG, "CONFIG", config, strlen(config), &problem) ||
		swp_profile_set_add(
			set, SWP_PROFILE_CREDENTIALS, "CREDS", credentials, strlen(credentials), &problem))
		fail_msg("%s: %s", row->name, problem.text);
	return set;
}

static void run(const struct row *row)
{
	struct swp_problem problem = {0};
	struct swp_endpoint_options endpoints = {0};
	struct swp_credential_plan plan = {0};
	struct swp_profile_set *set = profiles_of(row);
	struct swp_environment environment = {
		.get = map_get, .context = (void *)(uintptr_t)row->variables, .home = "/home/x"};
	int r = swp_credential_plan_make(set, &environment, row->profile, &plan, &problem);
	swp_profile_set_free(set);
	struct swp_credential_machine *machine = NULL;
	if (r == 0) {
		machine = swp_credential_machine_new(&plan, &environment, &endpoints);
		r = play(machine, row, &problem);
	}
	check_end(row, r, &problem, r == 0 ? swp_credential_machine_credentials(machine) : NULL);
	swp_credential_machine_free(machine);
	swp_credential_plan_done(&plan);
}

#define KEYS(id) "aws_access_key_id = " id "\naws_secret_access_key = " SECRET "\n"
#define STS_DOCUMENT(id, until)                                                                              \
	"{\"Credentials\":{\"AccessKeyId\":\"" id "\",\"SecretAccessKey\":\"" SECRET                         \
	"\",\"SessionToken\":\"" TOKEN "\",\"Expiration\":\"" until                                          \
	"\"},\"AssumedRoleUser\":{\"Arn\":\"arn:aws:sts::111122223333:assumed-role/r/"                       \
	"s\",\"AssumedRoleId\":\"x\"}}"
#define PLAIN_JSON(id, until)                                                                                \
	"{\"AccessKeyId\":\"" id "\",\"SecretAccessKey\":\"" SECRET "\",\"Token\":\"" TOKEN                  \
	"\",\"Expiration\":\"" until "\"}"
#define ENVIRONMENT                                                                                          \
	{"AWS_ACCESS_KEY_ID", "AKENV"},                                                                      \
	{                                                                                                    \
		"AWS_SECRET_ACCESS_KEY", SECRET                                                              \
	}
#define ROLE "role_arn = arn:aws:iam::111122223333:role/r\n"
#define HOUR 3600000
#define NO_INSTANCE                                                                                          \
	{                                                                                                    \
		"AWS_EC2_METADATA_DISABLED", "true"                                                          \
	}

static const struct row static_rows[] = {
	{"environment", .variables = {ENVIRONMENT}, .expected = "AKENV|||environment"},
	{"environment with token and account",
		.variables = {ENVIRONMENT, {"AWS_SESSION_TOKEN", TOKEN}, {"AWS_ACCOUNT_ID", "111122223333"}},
		.expected = "AKENV|token|111122223333|environment"},
	{"environment, old name", .variables = {ENVIRONMENT, {"AWS_SECURITY_TOKEN", TOKEN}},
		.expected = "AKENV|token||environment"},
	{"environment that ends", .variables = {ENVIRONMENT, {"AWS_CREDENTIAL_EXPIRATION", LATER}},
		.expires_in_ms = HOUR, .expected = "AKENV|||environment"},
	{"environment that has ended", .variables = {ENVIRONMENT, {"AWS_CREDENTIAL_EXPIRATION", PAST}},
		.error = SWP_CREDENTIAL_E_EXPIRED, .expected = "expired at 2026-11-18T11:06:39Z"},
	{"environment, no date", .variables = {ENVIRONMENT, {"AWS_CREDENTIAL_EXPIRATION", "soon"}},
		.error = SWP_CREDENTIAL_E_CONFIG, .expected = "AWS_CREDENTIAL_EXPIRATION"},
	{"half an environment", .variables = {{"AWS_ACCESS_KEY_ID", "AKENV"}},
		.error = SWP_CREDENTIAL_E_PARTIAL, .expected = "AWS_SECRET_ACCESS_KEY is not"},
	{"environment with a line end",
		.variables = {{"AWS_ACCESS_KEY_ID", "AKENV"}, {"AWS_SECRET_ACCESS_KEY", SECRET "\n"}},
		.error = SWP_CREDENTIAL_E_CONFIG,
		.expected = "credentials in the environment: the secret access key"},
	{"environment beats a profile named by variable", "[profile p]\n" KEYS("AKP"),
		.variables = {ENVIRONMENT, {"AWS_PROFILE", "p"}}, .expected = "AKENV|||environment"},
	{"an explicit profile beats the environment", .credentials = "[p]\n" KEYS("AKP"), .profile = "p",
		.variables = {ENVIRONMENT}, .expected = "AKP|||profile p (credentials-file)"},
	{"credentials file",
		.credentials = "[default]\n" KEYS("AKD") "aws_session_token=" TOKEN
							 "\naws_account_id=111122223333\n",
		.expected = "AKD|token|111122223333|profile default (credentials-file)"},
	{"credentials file before config file", .config = "[default]\n" KEYS("AKC"),
		.credentials = "[default]\n" KEYS("AKD"),
		.expected = "AKD|||profile default (credentials-file)"},
	{"config file", .config = "[default]\n" KEYS("AKC"),
		.expected = "AKC|||profile default (config-file)"},
	{"half a profile", .credentials = "[default]\naws_access_key_id = AKD\n",
		.error = SWP_CREDENTIAL_E_PARTIAL,
		.expected = "profile default in CREDS has aws_access_key_id but no aws_secret_access_key"},
	{"half a profile in each file", .config = "[default]\naws_secret_access_key = " SECRET "\n",
		.credentials = "[default]\naws_access_key_id = AKD\n", .error = SWP_CREDENTIAL_E_PARTIAL,
		.expected = "in CREDS"},
	{"no such profile by option", .config = "[profile prod]\n", .profile = "prodd",
		.error = SWP_CREDENTIAL_E_PROFILE_NOT_FOUND,
		.expected =
			"profile \"prodd\" does not exist in CONFIG or CREDS; the nearest name is \"prod\""},
	{"no such profile by variable, with keys beside", .variables = {ENVIRONMENT, {"AWS_PROFILE", "q"}},
		.error = SWP_CREDENTIAL_E_PROFILE_NOT_FOUND, .expected = "aws configure list-profiles"},
	{"nothing at all", .variables = {NO_INSTANCE}, .error = SWP_CREDENTIAL_E_NONE,
		.expected = "Tried: environment (AWS_ACCESS_KEY_ID is not set); profile default (not in "
			    "CONFIG or CREDS); container "
			    "(AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and _FULL_URI are not set); instance "
			    "metadata (switched off by "
			    "AWS_EC2_METADATA_DISABLED)"},
	{"an empty profile", .config = "[profile p]\nregion=x\n", .profile = "p", .variables = {NO_INSTANCE},
		.error = SWP_CREDENTIAL_E_NONE,
		.expected = "environment (not asked, as a profile was named); profile p in CONFIG"},
};

#define CALL_ROLE(region, signer, input)                                                                     \
	"CALL AssumeRole " region " " signer " {" input "\"RoleArn\":\"arn:aws:iam::111122223333:role/r\""
static const struct row role_rows[] = {
	{"source_profile", "[profile p]\n" ROLE "source_profile = base\n", "[base]\n" KEYS("AKB"), "p", {{0}},
		{{CALL_ROLE("us-east-1", "AKB", "") ",\"RoleSessionName\":\"orgsweep-1795000000\"}",
			.bytes = STS_DOCUMENT("AKR", LATER)}},
		0, "AKR|token|111122223333|profile p (assume-role)", HOUR},
	{"all members",
		"[profile p]\n" ROLE "source_profile = base\nexternal_id = e\nrole_session_name = "
		"me\nduration_seconds = 900\nregion=eu-west-1\n",
		"[base]\n" KEYS("AKB"), "p", {{0}},
		{{"CALL AssumeRole eu-west-1 AKB "
		  "{\"DurationSeconds\":900,\"ExternalId\":\"e\",\"RoleArn\":\"arn:aws:iam::111122223333:"
		  "role/r\","
		  "\"RoleSessionName\":\"me\"}",
			.bytes = STS_DOCUMENT("AKR", LATER)}},
		0, "AKR|token|111122223333|profile p (assume-role)", HOUR},
	{"a duration that is none is left out",
		"[profile p]\n" ROLE "source_profile = base\nduration_seconds = long\n",
		"[base]\n" KEYS("AKB"), "p", {{0}},
		{{CALL_ROLE("us-east-1", "AKB", ""), .bytes = STS_DOCUMENT("AKR", LATER)}}, 0,
		"AKR|token|111122223333|profile p (assume-role)", HOUR},
	{"the role's partition beats a region elsewhere",
		"[profile p]\nrole_arn = arn:aws-cn:iam::1:role/r\nsource_profile = base\nregion = "
		"us-east-1\n",
		"[base]\n" KEYS("AKB"), "p", {{0}},
		{{"CALL AssumeRole cn-northwest-1 AKB", .bytes = STS_DOCUMENT("AKR", LATER)}}, 0,
		"AKR|token|111122223333|profile p (assume-role)", HOUR},
	{"a chain",
		"[profile a]\n" ROLE
		"source_profile = b\n[profile b]\nrole_arn=arn:aws:iam::1:role/b\nsource_profile=c\n",
		"[c]\n" KEYS("AKC"), "a", {{0}},
		{{"CALL AssumeRole us-east-1 AKC {\"RoleArn\":\"arn:aws:iam::1:role/b\"",
			 .bytes = STS_DOCUMENT("AKB", LATER)},
			{CALL_ROLE("us-east-1", "AKB", ""), .bytes = STS_DOCUMENT("AKR", LATER)}},
		0, "AKR|token|111122223333|profile a (assume-role)", HOUR},
	{"self-reference with keys", "[profile p]\n" ROLE "source_profile = p\n", "[p]\n" KEYS("AKP"), "p",
		{{0}}, {{CALL_ROLE("us-east-1", "AKP", ""), .bytes = STS_DOCUMENT("AKR", LATER)}}, 0,
		"AKR|token|111122223333|profile p (assume-role)", HOUR},
	{"self-reference without keys", "[profile p]\n" ROLE "source_profile = p\n", .profile = "p",
		.error = SWP_CREDENTIAL_E_LOOP, .expected = "p -> p"},
	{"a loop", "[profile a]\n" ROLE "source_profile = b\n[profile b]\n" ROLE "source_profile = a\n",
		.profile = "a", .error = SWP_CREDENTIAL_E_LOOP,
		.expected = "source_profile goes round: a -> b -> a"},
	{"static keys in the middle end the chain",
		"[profile a]\n" ROLE "source_profile = b\n[profile b]\n" ROLE "source_profile = a\n",
		"[b]\n" KEYS("AKB"), "a", {{0}},
		{{CALL_ROLE("us-east-1", "AKB", ""), .bytes = STS_DOCUMENT("AKR", LATER)}}, 0,
		"AKR|token|111122223333|profile a (assume-role)", HOUR},
	{"no source", "[profile p]\n" ROLE, .profile = "p", .error = SWP_CREDENTIAL_E_PARTIAL,
		.expected = "neither source_profile nor credential_source"},
	{"two sources", "[profile p]\n" ROLE "source_profile=p\ncredential_source=Environment\n",
		.profile = "p", .error = SWP_CREDENTIAL_E_CONFIG,
		.expected = "both source_profile and credential_source"},
	{"source does not exist", "[profile p]\n" ROLE "source_profile=bas\n[profile base]\n", .profile = "p",
		.error = SWP_CREDENTIAL_E_CONFIG,
		.expected = "profile p, source_profile: profile \"bas\" does not exist in CONFIG or CREDS; "
			    "the nearest name is \"base\""},
	{"source has nothing", "[profile p]\n" ROLE "source_profile=base\n[profile base]\n", .profile = "p",
		.error = SWP_CREDENTIAL_E_CONFIG,
		.expected = "profile base (source_profile), which has none"},
	{"credential_source Environment", "[profile p]\n" ROLE "credential_source=Environment\n", NULL, "p",
		{ENVIRONMENT}, {{CALL_ROLE("us-east-1", "AKENV", ""), .bytes = STS_DOCUMENT("AKR", LATER)}},
		0, "AKR|token|111122223333|profile p (assume-role)", HOUR},
	{"credential_source Environment without", "[profile p]\n" ROLE "credential_source=Environment\n",
		.profile = "p", .error = SWP_CREDENTIAL_E_RETRIEVAL,
		.expected = "AWS_ACCESS_KEY_ID is not set"},
	{"credential_source unknown", "[profile p]\n" ROLE "credential_source=environment\n", .profile = "p",
		.error = SWP_CREDENTIAL_E_CONFIG,
		.expected = "must be Environment, EcsContainer or Ec2InstanceMetadata"},
	{"MFA", "[profile p]\n" ROLE "source_profile = base\nmfa_serial = arn:aws:iam::1:mfa/me\n",
		"[base]\n" KEYS("AKB"), "p", {{0}},
		{{"CODE Code of the MFA device arn:aws:iam::1:mfa/me: ", .bytes = "123456\n"},
			{"\"SerialNumber\":\"arn:aws:iam::1:mfa/me\",\"TokenCode\":\"123456\"}",
				.bytes = STS_DOCUMENT("AKR", LATER)}},
		0, "AKR|token|111122223333|profile p (assume-role)", HOUR},
	{"MFA, nobody to ask",
		"[profile p]\n" ROLE "source_profile = base\nmfa_serial = arn:aws:iam::1:mfa/me\n",
		"[base]\n" KEYS("AKB"), "p", {{0}}, {{"CODE", .error = -ENOTTY}}, SWP_CREDENTIAL_E_CODE,
		"no terminal to ask on", 0},
	{"MFA, five digits", "[profile p]\n" ROLE "source_profile = base\nmfa_serial = m\n",
		"[base]\n" KEYS("AKB"), "p", {{0}}, {{"CODE", .bytes = "12345"}}, SWP_CREDENTIAL_E_CODE,
		"six digits", 0},
	{"refused", "[profile p]\n" ROLE "source_profile = base\n", "[base]\n" KEYS("AKB"), "p", {{0}},
		{{"CALL", .outcome = SWP_OUTCOME_REFUSED, .code = "AccessDenied",
			.message = "User is not authorized"}},
		SWP_CREDENTIAL_E_REFUSED,
		"AssumeRole for arn:aws:iam::111122223333:role/r failed: AccessDenied: User is not "
		"authorized; check the role's trust policy",
		0},
	{"the source has expired", "[profile p]\n" ROLE "source_profile = base\n", "[base]\n" KEYS("AKB"),
		"p", {{0}},
		{{"CALL", .outcome = SWP_OUTCOME_EXPIRED, .code = "ExpiredToken", .message = "x"}},
		SWP_CREDENTIAL_E_EXPIRED,
		"renew the credentials that it is assumed with: profile base (credentials-file)", 0},
	{"throttled to the end", "[profile p]\n" ROLE "source_profile = base\n", "[base]\n" KEYS("AKB"), "p",
		{{0}},
		{{"CALL", .outcome = SWP_OUTCOME_THROTTLED, .code = "Throttling",
			.message = "Rate exceeded"}},
		SWP_CREDENTIAL_E_RETRIEVAL, "Throttling: Rate exceeded", 0},
	{"a message with our secret in it", "[profile p]\n" ROLE "source_profile = base\n",
		"[base]\n" KEYS("AKB") "aws_session_token = " TOKEN "\n", "p", {{0}},
		{{"CALL", .outcome = SWP_OUTCOME_FAILED, .code = "SignatureDoesNotMatch",
			.message = "canonical: x-amz-security-token:" TOKEN}},
		SWP_CREDENTIAL_E_REFUSED, "SignatureDoesNotMatch: (its message is withheld", 0},
	{"an answer without token", "[profile p]\n" ROLE "source_profile = base\n", "[base]\n" KEYS("AKB"),
		"p", {{0}},
		{{"CALL", .bytes = "{\"Credentials\":{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"" SECRET
				   "\"}}"}},
		SWP_CREDENTIAL_E_RETRIEVAL, "member SessionToken of the answer is missing", 0},
};

#define WEB                                                                                                  \
	{"AWS_WEB_IDENTITY_TOKEN_FILE", "/t"},                                                               \
	{                                                                                                    \
		"AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/w"                                           \
	}
static const struct row web_rows[] = {
	{"web identity by environment", NULL, NULL, NULL,
		{WEB, {"AWS_ROLE_SESSION_NAME", "me"}, {"AWS_REGION", "eu-west-1"}},
		{{"FILE /t", .bytes = BEARER "\n"},
			{"CALL AssumeRoleWithWebIdentity eu-west-1 - "
			 "{\"RoleArn\":\"arn:aws:iam::111122223333:role/"
			 "w\",\"RoleSessionName\":\"me\",\"WebIdentityToken\":\"" BEARER "\"}",
				.bytes = STS_DOCUMENT("AKW", LATER)}},
		0, "AKW|token|111122223333|profile default (web-identity)", HOUR},
	{"web identity by profile",
		"[profile p]\nrole_arn = arn:aws:iam::111122223333:role/w\nweb_identity_token_file = ~/t\n",
		NULL, "p", {{0}},
		{{"FILE /home/x/t", .bytes = BEARER},
			{"CALL AssumeRoleWithWebIdentity us-east-1 - ", .bytes = STS_DOCUMENT("AKW", LATER)}},
		0, "AKW|token|111122223333|profile p (web-identity)", HOUR},
	{"an explicit profile does not see the variables", .config = "[profile p]\n" KEYS("AKC"),
		.profile = "p", .variables = {WEB}, .expected = "AKC|||profile p (config-file)"},
	{"web identity as source of a role",
		"[profile p]\n" ROLE "source_profile = w\n[profile "
		"w]\nrole_arn=arn:aws:iam::1:role/w\nweb_identity_token_file=/t\n",
		NULL, "p", {{0}},
		{{"FILE /t", .bytes = BEARER},
			{"CALL AssumeRoleWithWebIdentity", .bytes = STS_DOCUMENT("AKW", LATER)},
			{CALL_ROLE("us-east-1", "AKW", ""), .bytes = STS_DOCUMENT("AKR", LATER)}},
		0, "AKR|token|111122223333|profile p (assume-role)", HOUR},
	{"web identity without role", .variables = {{"AWS_WEB_IDENTITY_TOKEN_FILE", "/t"}},
		.error = SWP_CREDENTIAL_E_CONFIG, .expected = "set AWS_ROLE_ARN or role_arn"},
	{"web identity, no file", NULL, NULL, NULL, {WEB}, {{"FILE /t", .error = -ENOENT}},
		SWP_CREDENTIAL_E_RETRIEVAL, "token file /t can't be read: No such file", 0},
	{"web identity, empty file", NULL, NULL, NULL, {WEB}, {{"FILE /t", .bytes = "\n"}},
		SWP_CREDENTIAL_E_RETRIEVAL, "is empty", 0},
	{"web identity refused, quoting the token", NULL, NULL, NULL, {WEB},
		{{"FILE /t", .bytes = BEARER},
			{"CALL", .outcome = SWP_OUTCOME_REFUSED, .code = "InvalidIdentityToken",
				.message = "bad token " BEARER}},
		SWP_CREDENTIAL_E_REFUSED, "InvalidIdentityToken: (its message is withheld", 0},
};

#define SSO_PROFILE "sso_account_id = 111122223333\nsso_role_name = Audit\n"
#define SSO_SESSION "[sso-session corp]\nsso_region = eu-west-1\nsso_start_url = https://corp.example/start\n"
#define SSO_PORTAL                                                                                           \
	"HTTP GET "                                                                                          \
	"https://portal.sso.eu-west-1.amazonaws.com/federation/"                                             \
	"credentials?role_name=Audit&account_id=111122223333 (proxy) x-amz-sso_bearer_token="
#define SSO_ANSWER                                                                                           \
	"{\"roleCredentials\":{\"accessKeyId\":\"AKS\",\"secretAccessKey\":\"" SECRET                        \
	"\",\"sessionToken\":\"" TOKEN "\",\"expiration\":1795003600000}}"
#define SSO_CACHE(until) "{\"accessToken\":\"" BEARER "\",\"expiresAt\":\"" until "\"}"
#define SSO_FULL_CACHE(until, registered)                                                                    \
	"{\"accessToken\":\"" BEARER "\",\"expiresAt\":\"" until "\",\"refreshToken\":\"" REFRESH            \
	"\",\"clientId\":\"id\",\"clientSecret\":\"" CLIENT "\",\"registrationExpiresAt\":\"" registered     \
	"\"}"
static const struct row sso_rows[] = {
	{"SSO by session", "[profile p]\nsso_session = corp\n" SSO_PROFILE SSO_SESSION, NULL, "p", {{0}},
		{{"FILE /home/x/.aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json",
			 .bytes = SSO_CACHE(LATER)},
			{SSO_PORTAL BEARER, .status = 200, .bytes = SSO_ANSWER}},
		0, "AKS|token|111122223333|profile p (sso)", HOUR},
	{"SSO without session",
		"[profile p]\n" SSO_PROFILE
		"sso_region = eu-west-1\nsso_start_url = https://corp.example/start\n",
		NULL, "p", {{0}},
		{{"FILE /home/x/.aws/sso/cache/f7c9b39d0b4c7a7d82c79307585f77e1c5e74378.json",
			 .bytes = SSO_CACHE("2026-11-18T11:06:41UTC")},
			{SSO_PORTAL BEARER, .status = 200, .bytes = SSO_ANSWER}},
		0, "AKS|token|111122223333|profile p (sso)", HOUR},
	{"SSO expired, session", "[profile p]\nsso_session = corp\n" SSO_PROFILE SSO_SESSION, NULL, "p",
		{{0}}, {{"FILE", .bytes = SSO_CACHE(PAST)}}, SWP_CREDENTIAL_E_LOGIN,
		"the SSO session has expired; run: aws sso login --sso-session corp", 0},
	{"SSO expired, legacy",
		"[profile p]\n" SSO_PROFILE
		"sso_region = eu-west-1\nsso_start_url = https://corp.example/start\n",
		NULL, "p", {{0}}, {{"FILE", .bytes = SSO_FULL_CACHE(PAST, LATER)}}, SWP_CREDENTIAL_E_LOGIN,
		"run: aws sso login --profile p", 0},
	{"SSO never logged in", "[profile p]\nsso_session = corp\n" SSO_PROFILE SSO_SESSION, NULL, "p", {{0}},
		{{"FILE", .error = -ENOENT}}, SWP_CREDENTIAL_E_LOGIN, "run: aws sso login --sso-session corp",
		0},
	{"SSO cache is nonsense", "[profile p]\nsso_session = corp\n" SSO_PROFILE SSO_SESSION, NULL, "p",
		{{0}}, {{"FILE", .bytes = "{\"accessToken\": \"" BEARER}}, SWP_CREDENTIAL_E_LOGIN,
		"is of no use: the answer is no JSON object; run: aws sso login", 0},
	{"SSO cache without date", "[profile p]\nsso_session = corp\n" SSO_PROFILE SSO_SESSION, NULL, "p",
		{{0}}, {{"FILE", .bytes = "{\"accessToken\": \"" BEARER "\"}"}}, SWP_CREDENTIAL_E_LOGIN,
		"expiresAt is missing", 0},
	{"SSO refreshed", "[profile p]\nsso_session = corp\n" SSO_PROFILE SSO_SESSION, NULL, "p", {{0}},
		{{"FILE", .bytes = SSO_FULL_CACHE(PAST, LATER)},
			{"CALL CreateToken eu-west-1 - {\"clientId\":\"id\",\"clientSecret\":\"" CLIENT
			 "\",\"grantType\":\"refresh_token\",\"refreshToken\":\"" REFRESH "\"}",
				.bytes = "{\"accessToken\":\"PLANTEDnew\",\"expiresIn\":3600,"
					 "\"refreshToken\":\"PLANTEDnext\"}"},
			{"SAVE /home/x/.aws/sso/cache/", .error = -EROFS},
			{SSO_PORTAL "PLANTEDnew", .status = 200, .bytes = SSO_ANSWER}},
		0, "AKS|token|111122223333|profile p (sso)", HOUR},
	{"SSO refreshed file", "[profile p]\nsso_session = corp\n" SSO_PROFILE SSO_SESSION, NULL, "p", {{0}},
		{{"FILE", .bytes = SSO_FULL_CACHE(SOON, LATER)},
			{"CALL CreateToken", .bytes = "{\"accessToken\":\"PLANTEDnew\",\"expiresIn\":3600,"
						      "\"refreshToken\":\"PLANTEDnext\"}"},
			{"{\"startUrl\":\"https://corp.example/"
			 "start\",\"region\":\"eu-west-1\",\"accessToken\":\"PLANTEDnew\",\"expiresAt\":"
			 "\"" LATER "\",\"clientId\":\"id\",\"clientSecret\":\"" CLIENT
			 "\",\"registrationExpiresAt\":\"" LATER "\",\"refreshToken\":\"PLANTEDnext\"}"},
			{SSO_PORTAL "PLANTEDnew", .status = 200, .bytes = SSO_ANSWER}},
		0, "AKS|token|111122223333|profile p (sso)", HOUR},
	{"SSO refresh refused, token still good", "[profile p]\nsso_session = corp\n" SSO_PROFILE SSO_SESSION,
		NULL, "p", {{0}},
		{{"FILE", .bytes = SSO_FULL_CACHE(SOON, LATER)},
			{"CALL CreateToken", .outcome = SWP_OUTCOME_FAILED, .code = "InvalidGrantException"},
			{SSO_PORTAL BEARER, .status = 200, .bytes = SSO_ANSWER}},
		0, "AKS|token|111122223333|profile p (sso)", HOUR},
	{"SSO refresh refused, token gone", "[profile p]\nsso_session = corp\n" SSO_PROFILE SSO_SESSION, NULL,
		"p", {{0}},
		{{"FILE", .bytes = SSO_FULL_CACHE(PAST, LATER)},
			{"CALL CreateToken", .outcome = SWP_OUTCOME_FAILED, .code = "InvalidGrantException"}},
		SWP_CREDENTIAL_E_LOGIN,
		"the SSO session has expired and could not be refreshed (InvalidGrantException); run: aws "
		"sso login --sso-session corp",
		0},
	{"SSO registration expired", "[profile p]\nsso_session = corp\n" SSO_PROFILE SSO_SESSION, NULL, "p",
		{{0}}, {{"FILE", .bytes = SSO_FULL_CACHE(PAST, PAST)}}, SWP_CREDENTIAL_E_LOGIN,
		"aws sso login", 0},
	{"SSO portal says 401", "[profile p]\nsso_session = corp\n" SSO_PROFILE SSO_SESSION, NULL, "p", {{0}},
		{{"FILE", .bytes = SSO_CACHE(LATER)}, {SSO_PORTAL, .status = 401, .bytes = "{}"}},
		SWP_CREDENTIAL_E_LOGIN, "aws sso login --sso-session corp", 0},
	{"SSO portal says 403 and quotes", "[profile p]\nsso_session = corp\n" SSO_PROFILE SSO_SESSION, NULL,
		"p", {{0}},
		{{"FILE", .bytes = SSO_CACHE(LATER)},
			{SSO_PORTAL, .status = 403, .bytes = "{\"message\":\"No access with " BEARER "\"}"}},
		SWP_CREDENTIAL_E_REFUSED, "check sso_role_name and sso_account_id", 0},
	{"SSO portal away", "[profile p]\nsso_session = corp\n" SSO_PROFILE SSO_SESSION, NULL, "p", {{0}},
		{{"FILE", .bytes = SSO_CACHE(LATER)}, {SSO_PORTAL, .status = 500}, {"PAUSE 1000"},
			{SSO_PORTAL, .error = -ECONNRESET}, {"PAUSE 1000"},
			{SSO_PORTAL, .error = -ECONNREFUSED}},
		SWP_CREDENTIAL_E_RETRIEVAL, "the Identity Center portal in eu-west-1 can't be reached", 0},
	{"SSO without role name", "[profile p]\nsso_session = corp\nsso_account_id = 1\n" SSO_SESSION,
		.profile = "p", .error = SWP_CREDENTIAL_E_CONFIG,
		.expected = "profile p is an SSO profile but has no sso_role_name"},
	{"SSO session does not exist", "[profile p]\nsso_session = crop\n" SSO_PROFILE SSO_SESSION,
		.profile = "p", .error = SWP_CREDENTIAL_E_CONFIG,
		.expected = "CONFIG has no [sso-session crop]; the nearest is corp"},
	{"SSO session differs",
		"[profile p]\nsso_session = corp\nsso_region = us-east-1\n" SSO_PROFILE SSO_SESSION,
		.profile = "p", .error = SWP_CREDENTIAL_E_CONFIG,
		.expected = "sso_region of profile p differs from sso_region of [sso-session corp]"},
	{"SSO before keys", "[profile p]\nsso_session = corp\n" SSO_PROFILE SSO_SESSION, "[p]\n" KEYS("AKP"),
		"p", {{0}},
		{{"FILE", .bytes = SSO_CACHE(LATER)}, {SSO_PORTAL, .status = 200, .bytes = SSO_ANSWER}}, 0,
		"AKS|token|111122223333|profile p (sso)", HOUR},
	{"SSO in a region that has no partition",
		"[profile p]\n" SSO_PROFILE
		"sso_region = nowhere\nsso_start_url = https://corp.example/start\n",
		NULL, "p", {{0}}, {{"FILE", .bytes = SSO_CACHE(LATER)}}, SWP_CREDENTIAL_E_CONFIG,
		"sso_region nowhere", 0},
};

#define LOGIN_CACHE(until)                                                                                   \
	"{\"accessToken\":{\"accessKeyId\":\"AKL\",\"secretAccessKey\":\"" SECRET                            \
	"\",\"sessionToken\":\"" TOKEN "\",\"accountId\":\"111122223333\",\"expiresAt\":\"" until            \
	"\"},\"refreshToken\":\"" REFRESH "\"}"
#define PROCESS(json)                                                                                        \
	{                                                                                                    \
		"PROCESS|/bin/get|my key", .bytes = json                                                     \
	}
#define PROCESS_PROFILE "[profile p]\ncredential_process = /bin/get 'my key'\naws_account_id = 111122223333\n"
static const struct row local_rows[] = {
	{"login", "[profile p]\nlogin_session = arn:aws:iam::1:user/x\n", NULL, "p", {{0}},
		{{"FILE /home/x/.aws/login/cache/", .bytes = LOGIN_CACHE(LATER)}}, 0,
		"AKL|token|111122223333|profile p (login)", HOUR},
	{"login, other folder", "[profile p]\nlogin_session = x\n", NULL, "p",
		{{"AWS_LOGIN_CACHE_DIRECTORY", "~/c"}},
		{{"FILE /home/x/c/2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881.json",
			.bytes = LOGIN_CACHE(LATER)}},
		0, "AKL|token|111122223333|profile p (login)", HOUR},
	{"login expired", "[profile p]\nlogin_session = x\n", NULL, "p", {{0}},
		{{"FILE", .bytes = LOGIN_CACHE(PAST)}}, SWP_CREDENTIAL_E_LOGIN,
		"the login session has expired; run: aws login --profile p", 0},
	{"never logged in", "[profile p]\nlogin_session = x\n", NULL, "p", {{0}},
		{{"FILE", .error = -ENOENT}}, SWP_CREDENTIAL_E_LOGIN, "run: aws login --profile p", 0},
	{"login cache is nonsense", "[profile p]\nlogin_session = x\n", NULL, "p", {{0}},
		{{"FILE", .bytes = "{\"accessToken\":\"" BEARER "\"}"}}, SWP_CREDENTIAL_E_LOGIN,
		"member accessToken of the answer is missing", 0},
	{"process", PROCESS_PROFILE, NULL, "p", {{0}},
		{PROCESS("{\"Version\":1,\"AccessKeyId\":\"AKX\",\"SecretAccessKey\":\"" SECRET "\"}")}, 0,
		"AKX||111122223333|profile p (process)", 0},
	{"process with all", PROCESS_PROFILE, NULL, "p", {{0}},
		{PROCESS("{\"Version\":1,\"AccessKeyId\":\"AKX\",\"SecretAccessKey\":\"" SECRET
			 "\",\"SessionToken\":\"" TOKEN
			 "\",\"Expiration\":\"2026-11-18T13:06:40+01:00\",\"AccountId\":\"444455556666\"}")},
		0, "AKX|token|444455556666|profile p (process)", HOUR},
	{"process, other version", PROCESS_PROFILE, NULL, "p", {{0}},
		{PROCESS("{\"Version\":2,\"AccessKeyId\":\"AKX\",\"SecretAccessKey\":\"" SECRET "\"}")},
		SWP_CREDENTIAL_E_RETRIEVAL,
		"credential_process /bin/get: member Version of the answer is not 1", 0},
	{"process without secret", PROCESS_PROFILE, NULL, "p", {{0}},
		{PROCESS("{\"Version\":1,\"AccessKeyId\":\"AKX\"}")}, SWP_CREDENTIAL_E_RETRIEVAL,
		"SecretAccessKey of the answer is missing", 0},
	{"process, wrong type", PROCESS_PROFILE, NULL, "p", {{0}},
		{PROCESS("{\"Version\":1,\"AccessKeyId\":7,\"SecretAccessKey\":\"" SECRET "\"}")},
		SWP_CREDENTIAL_E_RETRIEVAL, "AccessKeyId of the answer is no text", 0},
	{"process, no JSON", PROCESS_PROFILE, NULL, "p", {{0}}, {PROCESS("key " SECRET)},
		SWP_CREDENTIAL_E_RETRIEVAL, "no JSON object", 0},
	{"process, expired", PROCESS_PROFILE, NULL, "p", {{0}},
		{PROCESS("{\"Version\":1,\"AccessKeyId\":\"AKX\",\"SecretAccessKey\":\"" SECRET
			 "\",\"Expiration\":\"" PAST "\"}")},
		SWP_CREDENTIAL_E_EXPIRED, "expired at", 0},
	{"process, date is none", PROCESS_PROFILE, NULL, "p", {{0}},
		{PROCESS("{\"Version\":1,\"AccessKeyId\":\"AKX\",\"SecretAccessKey\":\"" SECRET
			 "\",\"Expiration\":\"x\"}")},
		SWP_CREDENTIAL_E_RETRIEVAL, "Expiration of the answer is no date", 0},
	{"process fails", PROCESS_PROFILE, NULL, "p", {{0}}, {{"PROCESS", .status = 3 << 8, .bytes = SECRET}},
		SWP_CREDENTIAL_E_RETRIEVAL, "credential_process /bin/get ended with exit code 3", 0},
	{"process killed", PROCESS_PROFILE, NULL, "p", {{0}}, {{"PROCESS", .status = 9}},
		SWP_CREDENTIAL_E_RETRIEVAL, "ended with signal 9", 0},
	{"process not there", PROCESS_PROFILE, NULL, "p", {{0}}, {{"PROCESS", .error = -ENOENT}},
		SWP_CREDENTIAL_E_RETRIEVAL, "No such file", 0},
	{"process, open quote", "[profile p]\ncredential_process = /bin/get '" SECRET "\n", NULL, "p", {{0}},
		{{0}}, SWP_CREDENTIAL_E_CONFIG, "an open quote", 0},
	{"process after keys of the credentials file", PROCESS_PROFILE, "[p]\n" KEYS("AKP"), "p", {{0}},
		{{0}}, 0, "AKP|||profile p (credentials-file)", 0},
	{"process before keys of the config file",
		"[profile p]\ncredential_process = /bin/get 'my key'\n" KEYS("AKC"), NULL, "p", {{0}},
		{PROCESS("{\"Version\":1,\"AccessKeyId\":\"AKX\",\"SecretAccessKey\":\"" SECRET "\"}")}, 0,
		"AKX|||profile p (process)", 0},
};

#define FULL(url)                                                                                            \
	{                                                                                                    \
		"AWS_CONTAINER_CREDENTIALS_FULL_URI", url                                                    \
	}
#define IMDS "http://169.254.169.254/latest"
#define IMDS_TOKEN "HTTP PUT " IMDS "/api/token x-aws-ec2-metadata-token-ttl-seconds=21600"
#define IMDS_ROLE "HTTP GET " IMDS "/meta-data/iam/security-credentials/"
static const struct row network_rows[] = {
	{"container, relative", NULL, NULL, NULL, {{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x"}},
		{{"HTTP GET http://169.254.170.2/v2/x Accept=application/json", .status = 200,
			.bytes = PLAIN_JSON("AKT", LATER)}},
		0, "AKT|token||container", HOUR},
	{"container, full with token", NULL, NULL, NULL,
		{FULL("http://127.0.0.1:8000/x"), {"AWS_CONTAINER_AUTHORIZATION_TOKEN", BEARER}},
		{{"HTTP GET http://127.0.0.1:8000/x Accept=application/json Authorization=" BEARER,
			.status = 200, .bytes = PLAIN_JSON("AKT", LATER)}},
		0, "AKT|token||container", HOUR},
	{"container, token file first", NULL, NULL, NULL,
		{FULL("http://[fd00:ec2::23]/x"), {"AWS_CONTAINER_AUTHORIZATION_TOKEN", "no"},
			{"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/t"}},
		{{"FILE /t", .bytes = BEARER},
			{"Authorization=" BEARER, .status = 200, .bytes = PLAIN_JSON("AKT", LATER)}},
		0, "AKT|token||container", HOUR},
	{"container, line end in token", NULL, NULL, NULL,
		{FULL("http://127.0.0.1/x"), {"AWS_CONTAINER_AUTHORIZATION_TOKEN", BEARER "\r\nx: y"}}, {{0}},
		SWP_CREDENTIAL_E_CONFIG, "has a line end in it", 0},
	{"container, line end in token file", NULL, NULL, NULL,
		{FULL("http://127.0.0.1/x"), {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/t"}},
		{{"FILE /t", .bytes = BEARER "\n"}}, SWP_CREDENTIAL_E_CONFIG, "has a line end in it", 0},
	{"container, token file away", NULL, NULL, NULL,
		{FULL("http://127.0.0.1/x"), {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/t"}},
		{{"FILE /t", .error = -EACCES}}, SWP_CREDENTIAL_E_RETRIEVAL,
		"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE /t is of no use: Permission denied", 0},
	{"container, host not allowed", .variables = {FULL("http://example.com/x")},
		.error = SWP_CREDENTIAL_E_CONFIG,
		.expected = "AWS_CONTAINER_CREDENTIALS_FULL_URI names a host that must not be asked"},
	{"container, relative that leaves its host",
		.variables = {{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", ".evil.example/x"}},
		.error = SWP_CREDENTIAL_E_CONFIG,
		.expected = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI names a host"},
	{"container, second try", NULL, NULL, NULL, {FULL("https://example.com/x")},
		{{"HTTP GET https://example.com/x", .status = 500}, {"PAUSE 1000"},
			{"HTTP GET https://example.com/x", .status = 200, .bytes = PLAIN_JSON("AKT", LATER)}},
		0, "AKT|token||container", HOUR},
	{"container, three times no", NULL, NULL, NULL, {FULL("http://localhost/x")},
		{{"HTTP", .status = 404, .bytes = SECRET}, {"PAUSE"}, {"HTTP", .error = -ETIMEDOUT},
			{"PAUSE"}, {"HTTP", .status = 404, .bytes = SECRET}},
		SWP_CREDENTIAL_E_RETRIEVAL, "http://localhost/x answered 404", 0},
	{"container, nonsense", NULL, NULL, NULL, {FULL("http://localhost/x")},
		{{"HTTP", .status = 200, .bytes = "<" SECRET}, {"PAUSE"},
			{"HTTP", .status = 200, .bytes = "{"}, {"PAUSE"},
			{"HTTP", .status = 200, .bytes = "[]"}},
		SWP_CREDENTIAL_E_RETRIEVAL, "no JSON object", 0},
	{"container before instance, after keys", .config = "[default]\n" KEYS("AKC"),
		.variables = {FULL("http://localhost/x")}, .expected = "AKC|||profile default (config-file)"},
	{"instance, version 2", NULL, NULL, NULL, {{0}},
		{{IMDS_TOKEN, .status = 200, .bytes = BEARER},
			{IMDS_ROLE " x-aws-ec2-metadata-token=" BEARER, .status = 200, .bytes = "my-role"},
			{IMDS_ROLE "my-role x-aws-ec2-metadata-token=" BEARER, .status = 200,
				.bytes = PLAIN_JSON("AKI", LATER)}},
		0, "AKI|token||instance-metadata", HOUR},
	{"instance, version 1", NULL, NULL, NULL, {{0}},
		{{IMDS_TOKEN, .status = 404}, {IMDS_ROLE, .status = 200, .bytes = "r\n"},
			{IMDS_ROLE "r", .status = 200, .bytes = PLAIN_JSON("AKI", LATER)}},
		0, "AKI|token||instance-metadata", HOUR},
	{"instance, token never answered", NULL, NULL, NULL, {{0}},
		{{IMDS_TOKEN, .error = -ETIMEDOUT}, {IMDS_ROLE, .status = 200, .bytes = "r"},
			{IMDS_ROLE "r", .status = 200, .bytes = PLAIN_JSON("AKI", LATER)}},
		0, "AKI|token||instance-metadata", HOUR},
	{"instance, version 1 forbidden", NULL, NULL, NULL, {{"AWS_EC2_METADATA_V1_DISABLED", "true"}},
		{{IMDS_TOKEN, .status = 403}}, SWP_CREDENTIAL_E_RETRIEVAL,
		"AWS_EC2_METADATA_V1_DISABLED forbids version 1", 0},
	{"instance, old credentials are extended", NULL, NULL, NULL, {{0}},
		{{IMDS_TOKEN, .status = 200, .bytes = BEARER}, {IMDS_ROLE, .status = 200, .bytes = "r"},
			{IMDS_ROLE "r", .status = 200, .bytes = PLAIN_JSON("AKI", PAST)}},
		0, "AKI|token||instance-metadata", 900000 + 120000 + 240000},
	{"instance, nobody there", NULL, NULL, NULL, {{0}}, {{IMDS_TOKEN, .error = -ECONNREFUSED}},
		SWP_CREDENTIAL_E_NONE,
		"no AWS credentials. Tried: environment (AWS_ACCESS_KEY_ID is not set); profile default (not "
		"in CONFIG or CREDS); container",
		0},
	{"instance, more tries", NULL, NULL, NULL, {{"AWS_METADATA_SERVICE_NUM_ATTEMPTS", "2"}},
		{{IMDS_TOKEN, .status = 500}, {"PAUSE 0"}, {IMDS_TOKEN, .status = 200, .bytes = BEARER},
			{IMDS_ROLE, .status = 200, .bytes = "r"}, {IMDS_ROLE "r", .status = 500}, {"PAUSE 0"},
			{IMDS_ROLE "r", .status = 200, .bytes = PLAIN_JSON("AKI", LATER)}},
		0, "AKI|token||instance-metadata", HOUR},
	{"instance without role", NULL, NULL, NULL, {{0}},
		{{IMDS_TOKEN, .status = 200, .bytes = BEARER}, {IMDS_ROLE, .status = 404}},
		SWP_CREDENTIAL_E_NONE, "HTTP status 404", 0},
	{"instance, role that is a path", NULL, NULL, NULL, {{0}},
		{{IMDS_TOKEN, .status = 200, .bytes = BEARER}, {IMDS_ROLE, .status = 200, .bytes = "a/../b"}},
		SWP_CREDENTIAL_E_NONE, "names no role", 0},
	{"instance, error as JSON", NULL, NULL, NULL, {{0}},
		{{IMDS_TOKEN, .status = 200, .bytes = BEARER}, {IMDS_ROLE, .status = 200, .bytes = "r"},
			{IMDS_ROLE "r", .status = 200,
				.bytes = "{\"Code\":\"AssumeRoleUnauthorizedAccess\",\"Message\":\"x\"}"}},
		SWP_CREDENTIAL_E_NONE, "AccessKeyId of the answer is missing", 0},
	{"instance, own endpoint", NULL, NULL, NULL,
		{{"AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://localhost:1338/"}},
		{{"HTTP PUT http://localhost:1338/latest/api/token", .status = 400}}, SWP_CREDENTIAL_E_NONE,
		"HTTP status 400", 0},
	{"instance, IPv6", NULL, NULL, NULL, {{"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv6"}},
		{{"HTTP PUT http://[fd00:ec2::254]/latest/api/token", .status = 400}}, SWP_CREDENTIAL_E_NONE,
		"no AWS credentials", 0},
	{"instance, mode unknown", .variables = {{"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ipv5"}},
		.error = SWP_CREDENTIAL_E_CONFIG, .expected = "must be ipv4 or ipv6"},
	{"instance, too many tries", .variables = {{"AWS_METADATA_SERVICE_NUM_ATTEMPTS", "11"}},
		.error = SWP_CREDENTIAL_E_CONFIG, .expected = "from 1 to 10"},
	{"instance, timeout is none", .variables = {{"AWS_METADATA_SERVICE_TIMEOUT", "61"}},
		.error = SWP_CREDENTIAL_E_CONFIG, .expected = "from 1 to 60"},
	{"instance as source of a role", "[profile p]\n" ROLE "credential_source = Ec2InstanceMetadata\n",
		NULL, "p", {{0}},
		{{IMDS_TOKEN, .status = 404}, {IMDS_ROLE, .status = 200, .bytes = "r"},
			{IMDS_ROLE "r", .status = 200, .bytes = PLAIN_JSON("AKI", LATER)},
			{CALL_ROLE("us-east-1", "AKI", ""), .bytes = STS_DOCUMENT("AKR", LATER)}},
		0, "AKR|token|111122223333|profile p (assume-role)", HOUR},
	{"instance as source, away", "[profile p]\n" ROLE "credential_source = Ec2InstanceMetadata\n", NULL,
		"p", {{0}}, {{IMDS_TOKEN, .error = -ECONNREFUSED}}, SWP_CREDENTIAL_E_RETRIEVAL,
		"profile p takes its credentials from Ec2InstanceMetadata", 0},
	{"container as source of a role", "[profile p]\n" ROLE "credential_source = EcsContainer\n", NULL,
		"p", {FULL("http://127.0.0.1/x")},
		{{"HTTP", .status = 200, .bytes = PLAIN_JSON("AKT", LATER)},
			{CALL_ROLE("us-east-1", "AKT", ""), .bytes = STS_DOCUMENT("AKR", LATER)}},
		0, "AKR|token|111122223333|profile p (assume-role)", HOUR},
};

#define RUN(rows)                                                                                            \
	static void run_##rows(void **state)                                                                 \
	{                                                                                                    \
		(void)state;                                                                                 \
		for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++)                                            \
			run(&rows[i]);                                                                       \
	}
RUN(static_rows)
RUN(role_rows)
RUN(web_rows)
RUN(sso_rows)
RUN(local_rows)
RUN(network_rows)

static void long_chain(void **state)
{
	(void)state;
	for (int length = SWP_LIMIT_PROFILE_CHAIN; length <= SWP_LIMIT_PROFILE_CHAIN + 1; length++) {
		struct swp_buf config = {0};
		struct swp_problem problem = {0};
		for (int i = 0; i < length; i++)
			swp_buf_append_format(
				&config, "[profile p%d]\n" ROLE "source_profile = p%d\n", i, i + 1);
		swp_buf_append_format(&config, "[profile p%d]\n" KEYS("AKB"), length);
		const struct row row = {.name = "long", .config = swp_buf_text(&config)};
		struct swp_profile_set *set = profiles_of(&row);
		struct swp_credential_plan plan = {0};
		struct swp_environment environment = {
			.get = map_get, .context = (void *)(uintptr_t)row.variables, .home = "/home/x"};
		int r = swp_credential_plan_make(set, &environment, "p0", &plan, &problem);
		assert_int_equal(r, length > SWP_LIMIT_PROFILE_CHAIN ? SWP_CREDENTIAL_E_LOOP : 0);
		assert_int_equal(plan.count, r == 0 ? SWP_LIMIT_PROFILE_CHAIN + 1 : 0);
		swp_credential_plan_done(&plan);
		swp_profile_set_free(set);
		swp_buf_done(&config);
	}
}

/* On a refresh only what has ended is repeated: the MFA code of the first role is not asked for again. */
static void restart_keeps_what_is_good(void **state)
{
	(void)state;
	static const struct row first = {"first",
		"[profile a]\n" ROLE "source_profile = b\n[profile b]\n" ROLE
		"mfa_serial = m\nsource_profile = c\n",
		"[c]\n" KEYS("AKC"), "a", {{0}},
		{{"CODE", .bytes = "123456"},
			{"CALL AssumeRole us-east-1 AKC",
				.bytes = STS_DOCUMENT("AKB", "2026-11-18T23:06:40Z")},
			{"CALL AssumeRole us-east-1 AKB", .bytes = STS_DOCUMENT("AKR", LATER)}},
		0, "AKR|token|111122223333|profile a (assume-role)", HOUR};
	static const struct row second = {"second",
		.acts = {{"CALL AssumeRole us-east-1 AKB", .bytes = STS_DOCUMENT("AKS", LATER)}},
		.expected = "AKS|token|111122223333|profile a (assume-role)", .expires_in_ms = HOUR};
	struct swp_problem problem = {0};
	struct swp_credential_plan plan = {0};
	struct swp_endpoint_options endpoints = {0};
	struct swp_profile_set *set = profiles_of(&first);
	struct swp_environment environment = {
		.get = map_get, .context = (void *)(uintptr_t)first.variables, .home = "/home/x"};
	int r = swp_credential_plan_make(set, &environment, "a", &plan, &problem);
	assert_int_equal(r, 0);
	struct swp_credential_machine *machine = swp_credential_machine_new(&plan, &environment, &endpoints);
	r = play(machine, &first, &problem);
	check_end(&first, r, &problem, swp_credential_machine_credentials(machine));
	r = play(machine, &second, &problem);
	check_end(&second, r, &problem, swp_credential_machine_credentials(machine));
	swp_credential_machine_free(machine);
	swp_credential_plan_done(&plan);
	swp_profile_set_free(set);
}

static void container_urls(void **state)
{
	(void)state;
	static const struct {
		const char *url;
		bool allowed;
	} rows[] = {
		{"https://anything.example/x", true},
		{"http://127.0.0.1/x", true},
		{"http://127.9.9.9:80", true},
		{"http://[::1]:80/x", true},
		{"http://localhost:1/x", true},
		{"http://169.254.170.2/x", true},
		{"http://169.254.170.23/v1/credentials", true},
		{"http://[fd00:ec2::23]/x", true},
		{"http://169.254.169.254/x", false},
		{"http://example.com/x", false},
		{"http://127.0.0.1@example.com/x", false},
		{"http://example.com#@127.0.0.1/", false},
		{"http://127.0.0.1\\@example.com/", false},
		{"http://localhost.example.com/", false},
		{"http://127.0.0.1.example.com/", false},
		{"http://2130706433/", false},
		{"http://[::1/x", false},
		{"ftp://127.0.0.1/x", false},
		{"http:///x", false},
		{"https://", false},
		{"127.0.0.1", false},
		{"http://127.0.0.1/x y", false},
		{"http://127.0.0.1/x\r\ny", false},
		{"", false},
	};
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++)
		if (swp_credential_container_url_allowed(rows[i].url) != rows[i].allowed)
			fail_msg("\"%s\" should be %s", rows[i].url, rows[i].allowed ? "allowed" : "refused");
}

static void names(void **state)
{
	(void)state;
	for (int kind = 0; kind < SWP_CREDENTIAL_KIND_COUNT; kind++)
		assert_non_null(swp_credential_kind_name((enum swp_credential_kind)kind));
	for (int error = SWP_CREDENTIAL_E_NONE; error <= SWP_CREDENTIAL_E_CODE; error++)
		assert_string_not_equal(swp_credential_error_name(error), "internal");
	assert_string_equal(swp_credential_error_name(0), "");
	assert_string_equal(swp_credential_error_name(-ENOMEM), "internal");
}

static void sso_ceilings(void **state)
{
	(void)state;
	struct swp_problem problem = {0};
	struct swp_sso_token token = {0};
	size_t length = SWP_LIMIT_CREDENTIAL_JSON_BYTES + 1;
	char *huge = calloc(1, length + 1);
	memset(huge, ' ', length);
	assert_int_equal(swp_sso_token_parse(huge, length, &token, &problem), SWP_CREDENTIAL_E_RETRIEVAL);
	assert_non_null(strstr(problem.text, "larger than 1024 KiB"));
	free(huge);
	json_t *document = json_pack("{s:s, s:i}", "accessToken", "x", "expiresIn", -1);
	assert_int_equal(
		swp_sso_token_refreshed(&token, document, NOW, &problem), SWP_CREDENTIAL_E_RETRIEVAL);
	json_decref(document);
}

/* Every allocation fails once, in a walk with a file, a process, JSON and a call. */
static void failing_allocations(void **state)
{
	(void)state;
	static const struct row *const walked[] = {
		&sso_rows[7], &role_rows[1], &local_rows[6], &web_rows[3], &network_rows[2]};
	for (size_t i = 0; i < SWP_ARRAY_SIZE(walked); i++) {
		struct swp_environment environment = {.get = map_get,
			.context = (void *)(uintptr_t)walked[i]->variables,
			.home = "/home/x"};
		struct swp_endpoint_options endpoints = {0};
		struct swp_profile_set *set = profiles_of(walked[i]);
		int r = -ENOMEM;
		for (unsigned long nth = 1; r != 0; nth++) {
			assert_true(nth < 2000);
			struct swp_problem problem = {0};
			struct swp_credential_plan plan = {0};
			swp_alloc_fail_at(nth, 0);
			r = swp_credential_plan_make(set, &environment, walked[i]->profile, &plan, &problem);
			struct swp_credential_machine *machine =
				r == 0 ? swp_credential_machine_new(&plan, &environment, &endpoints) : NULL;
			if (machine)
				swp_credential_machine_start(machine, NOW, 0.5);
			for (size_t k = 0; machine && swp_credential_machine_request(machine)->need <
							      SWP_CREDENTIAL_DONE;
				k++) {
				const struct act *act = &walked[i]->acts[k];
				json_t *document = act->bytes ? json_loads(act->bytes, 0, NULL) : NULL;
				swp_credential_machine_answer(machine,
					&(struct swp_credential_answer){.error = act->error,
						.status = act->status,
						.bytes = act->bytes,
						.length = act->bytes ? strlen(act->bytes) : 0,
						.document = document},
					NOW);
				json_decref(document);
			}
			if (r == 0)
				r = machine ? swp_credential_machine_error(machine, &problem) : -ENOMEM;
			swp_alloc_fail_at(0, 0);
			if (r != 0 && r != -ENOMEM)
				fail_msg("%s, allocation %lu: got %d \"%s\"", walked[i]->name, nth, r,
					problem.text);
			swp_credential_machine_free(machine);
			swp_credential_plan_done(&plan);
		}
		swp_profile_set_free(set);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(run_static_rows),
		cmocka_unit_test(run_role_rows),
		cmocka_unit_test(run_web_rows),
		cmocka_unit_test(run_sso_rows),
		cmocka_unit_test(run_local_rows),
		cmocka_unit_test(run_network_rows),
		cmocka_unit_test(long_chain),
		cmocka_unit_test(restart_keeps_what_is_good),
		cmocka_unit_test(container_urls),
		cmocka_unit_test(names),
		cmocka_unit_test(sso_ceilings),
		cmocka_unit_test(failing_allocations),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
