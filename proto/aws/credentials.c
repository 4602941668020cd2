/* The machine that carries a credential plan out, step by step. Each kind of source is a row with two functions: how it begins,
 * and what it makes of an answer. It never repeats what an answer said if that holds one of our secrets.
 */
#include "proto/aws/credentials.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "proto/aws/credential-json.h"
#include "proto/aws/sso.h"
#include "proto/base/alloc.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define METADATA_TOKEN_PATH "/latest/api/token"
#define METADATA_ROLE_PATH "/latest/meta-data/iam/security-credentials/"
#define METADATA_TOKEN_SECONDS "21600"
#define HTTP_TRIES 3
#define ROLE_NAME_BYTES 129 /* IAM: at most 64 characters, instance profiles 128 */
#define ROLE_NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+=,.@-"

/* --- operations --- */

static const struct swp_aws_service sts_service = {
	.name = "sts",
	.protocol = SWP_PROTOCOL_QUERY,
	.api_version = "2011-06-15",
	.signing_name = "sts",
	.endpoint_prefix = "sts",
	.endpoint_variable = "STS",
	.scope = SWP_SCOPE_REGIONAL,
};

static const char *const credentials_required[] = {"Credentials", NULL};
static const struct swp_aws_operation assume_role = {
	.service = &sts_service,
	.name = "AssumeRole",
	.method = "POST",
	.uri = "/",
	.action = "sts:AssumeRole",
	.required = credentials_required,
};
static const struct swp_aws_operation assume_role_with_web_identity = {
	.service = &sts_service,
	.name = "AssumeRoleWithWebIdentity",
	.method = "POST",
	.uri = "/",
	.action = "sts:AssumeRoleWithWebIdentity",
	.required = credentials_required,
};

const struct swp_aws_service *const swp_credential_services[] = {
	&sts_service, &swp_sso_service, &swp_sso_oidc_service, NULL};
const struct swp_aws_operation *const swp_credential_operations[] = {&assume_role,
	&assume_role_with_web_identity, &swp_sso_create_token, &swp_sso_get_role_credentials, NULL};

/* --- the machine --- */

struct swp_credential_machine {
	const struct swp_credential_plan *plan;
	const struct swp_environment *environment;
	const struct swp_endpoint_options *endpoints;
	struct swp_credentials results[SWP_LIMIT_PROFILE_CHAIN + 1]; /* one a step */
	size_t index;						     /* of the step in work */
	unsigned stage;						     /* of that step, by its kind */
	unsigned tries;						     /* of the exchange in work */
	int64_t now_ms;
	double random_unit;
	bool after_pause; /* the exchange is sent again when the pause is over */
	struct swp_credential_request request;
	struct swp_credential_request repeat; /* the exchange, while pausing */
	struct swp_buf text;		      /* what request points to: path, URL, text to save */
	char **words;			      /* of credential_process */
	json_t *input;
	struct swp_secret bearer; /* web identity token, IMDS token, container authorization */
	struct swp_secret code;
	struct swp_sso_token token;
	int error;
	struct swp_problem problem;
};

static const struct swp_credential_step *current(const struct swp_credential_machine *machine)
{
	return &machine->plan->steps[machine->index];
}

static struct swp_credentials *result(struct swp_credential_machine *machine)
{
	return &machine->results[machine->index];
}

/* "profile x (sso)"; the machine's own, in `text`. */
static const char *describe(const struct swp_credential_step *step, char *text, size_t size)
{
	if (step->kind == SWP_CREDENTIAL_ENVIRONMENT || !step->profile)
		snprintf(text, size, "%s", swp_credential_kind_name(step->kind));
	else
		snprintf(text, size, "profile %.90s (%s)", step->profile,
			swp_credential_kind_name(step->kind));
	return text;
}

static void fail(struct swp_credential_machine *machine, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void fail(struct swp_credential_machine *machine, int error, const char *format, ...)
{
	char words[sizeof(machine->problem.text)], who[128];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(words, sizeof(words), format, arguments);
	va_end(arguments);
	machine->error = swp_problem_set(
		&machine->problem, error, "%s: %s", describe(current(machine), who, sizeof(who)), words);
	machine->request = (struct swp_credential_request){.need = SWP_CREDENTIAL_FAILED};
}

/* Ends with the error of a function that has filled the machine's problem itself, or with out of memory. */
static void fail_with(struct swp_credential_machine *machine, int error)
{
	char words[sizeof(machine->problem.text)];
	snprintf(words, sizeof(words), "%s", error < 0 ? strerror(-error) : machine->problem.text);
	fail(machine, error, "%s", words);
}

/* --- what an answer said, unless it holds a secret of ours (STS quotes session tokens in signature errors) --- */

static bool holds(const char *message, const struct swp_secret *secret)
{
	return swp_secret_is_set(secret) && strstr(message, swp_secret_text(secret));
}

static const char *told(const struct swp_credential_machine *machine, const char *message)
{
	const struct swp_secret *own[] = {&machine->bearer, &machine->code, &machine->token.access_token,
		&machine->token.refresh_token, &machine->token.client_secret, &machine->token.client_id};
	if (!message || !*message)
		return "no message";
	bool found = false;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(own); i++)
		found = found || holds(message, own[i]);
	for (size_t i = 0; i < machine->plan->count; i++)
		found = found || holds(message, &machine->results[i].secret_access_key) ||
			holds(message, &machine->results[i].session_token);
	return found ? "(its message is withheld, as it repeats a secret)" : message;
}

/* --- requests --- */

static struct swp_credential_request *need(
	struct swp_credential_machine *machine, enum swp_credential_need need)
{
	machine->request = (struct swp_credential_request){.need = need};
	return &machine->request;
}

static void need_file(struct swp_credential_machine *machine, const char *path)
{
	need(machine, SWP_CREDENTIAL_NEED_FILE)->path = path;
}

/* Takes what is in machine->text as the URL. */
static struct swp_credential_request *need_http(struct swp_credential_machine *machine, const char *method)
{
	struct swp_credential_request *request = need(machine, SWP_CREDENTIAL_NEED_HTTP);
	request->method = method;
	request->url = swp_buf_text(&machine->text);
	request->timeout_ms = current(machine)->timeout_ms;
	request->direct = true;
	machine->tries = 1;
	if (machine->text.failed)
		fail_with(machine, machine->text.failed);
	return request;
}

static void add_header(struct swp_credential_request *request, const char *name, const char *value)
{
	SWP_ASSERT(request->header_count < SWP_ARRAY_SIZE(request->headers));
	request->headers[request->header_count++] = (struct swp_credential_header){name, value};
}

/* Sends the present exchange again after a pause (0: at once); false when its tries are used up. */
static bool again(struct swp_credential_machine *machine, unsigned tries, int64_t pause_ms)
{
	if (machine->tries >= tries)
		return false;
	machine->tries++;
	machine->repeat = machine->request;
	need(machine, SWP_CREDENTIAL_NEED_PAUSE)->pause_ms = pause_ms;
	machine->after_pause = true;
	return true;
}

/* Input of a call; takes the reference. */
static void need_call(struct swp_credential_machine *machine, const struct swp_aws_operation *operation,
	json_t *input, const char *region, const struct swp_credentials *signer)
{
	swp_credential_json_wipe(machine->input);
	machine->input = input;
	struct swp_credential_request *request = need(machine, SWP_CREDENTIAL_NEED_CALL);
	request->operation = operation;
	request->input = input;
	request->region = region;
	request->signer = signer;
	if (!input)
		fail_with(machine, -ENOMEM);
}

/* --- steps follow each other --- */

static void begin_step(struct swp_credential_machine *machine);

static void finish_step(struct swp_credential_machine *machine)
{
	struct swp_credentials *got = result(machine);
	if (got->expires_at_ms && got->expires_at_ms <= machine->now_ms) {
		char when[SWP_TIME_TEXT_BYTES];
		swp_time_format(got->expires_at_ms, when);
		fail(machine, SWP_CREDENTIAL_E_EXPIRED,
			"these credentials expired at %s; renew them where they come from (or correct this "
			"machine's clock)",
			when);
		return;
	}
	describe(current(machine), got->source, sizeof(got->source));
	if (machine->index + 1 < machine->plan->count) {
		machine->index++;
		begin_step(machine);
		return;
	}
	need(machine, SWP_CREDENTIAL_DONE);
}

/* Reads credentials out of the JSON text of an answer; says whether that went well. */
static bool take_json(struct swp_credential_machine *machine, enum swp_credential_form form,
	const char *bytes, size_t length)
{
	json_t *object = NULL;
	int r = swp_credential_json_parse(bytes, length, &object, &machine->problem);
	if (r == 0)
		r = swp_credential_json_read(form, object, result(machine), &machine->problem);
	swp_credential_json_wipe(object);
	machine->error = r;
	return r == 0;
}

/* --- keys that are there already --- */

static void begin_keys(struct swp_credential_machine *machine)
{
	int r = swp_credentials_copy(result(machine), &current(machine)->keys);
	if (r < 0)
		fail_with(machine, r);
	else
		finish_step(machine);
}

/* --- AssumeRole, with and without web identity --- */

static const char *sts_region(const struct swp_credential_machine *machine)
{
	const char *region = machine->plan->region_name;
	const struct swp_partition *of_role = swp_partition_by_arn(current(machine)->role_arn);
	const struct swp_partition *of_region = *region ? swp_partition_by_region(region) : NULL;
	if (of_region && (!of_role || of_role == of_region))
		return region;
	if (!of_role)
		of_role = swp_partition_by_name("aws");
	return of_role && of_role->default_enabled && of_role->default_enabled[0]
		       ? of_role->default_enabled[0]
		       : "us-east-1";
}

static bool add_text(json_t *object, const char *member, const char *value)
{
	return !value || json_object_set_new(object, member, json_string(value)) == 0;
}

static json_t *role_input(const struct swp_credential_machine *machine)
{
	const struct swp_credential_step *step = current(machine);
	char name[64];
	snprintf(name, sizeof(name), "orgsweep-%lld", (long long)(machine->now_ms / 1000));
	json_t *input = json_object();
	bool complete = input && add_text(input, "RoleArn", step->role_arn) &&
			add_text(input, "RoleSessionName",
				step->role_session_name ? step->role_session_name : name) &&
			add_text(input, "ExternalId", step->external_id) &&
			add_text(input, "SerialNumber", step->mfa_serial);
	if (complete && step->duration_seconds)
		complete = json_object_set_new(
				   input, "DurationSeconds", json_integer(step->duration_seconds)) == 0;
	if (complete)
		return input;
	swp_credential_json_wipe(input);
	return NULL;
}

static void call_assume_role(struct swp_credential_machine *machine)
{
	json_t *input = role_input(machine);
	if (input && swp_secret_is_set(&machine->code) &&
		!add_text(input, "TokenCode", swp_secret_text(&machine->code))) {
		swp_credential_json_wipe(input);
		input = NULL;
	}
	machine->stage = 1;
	need_call(machine, &assume_role, input, sts_region(machine), &machine->results[machine->index - 1]);
}

static void begin_assume_role(struct swp_credential_machine *machine)
{
	const struct swp_credential_step *step = current(machine);
	swp_secret_done(&machine->code);
	if (!step->mfa_serial) {
		call_assume_role(machine);
		return;
	}
	swp_buf_clear(&machine->text);
	swp_buf_append_text(&machine->text, "Code of the MFA device ");
	swp_text_clean(&machine->text, step->mfa_serial, strlen(step->mfa_serial));
	swp_buf_append_text(&machine->text, ": ");
	need(machine, SWP_CREDENTIAL_NEED_CODE)->question = swp_buf_text(&machine->text);
}

static void take_code(struct swp_credential_machine *machine, const struct swp_credential_answer *answer)
{
	if (answer->error < 0) {
		fail(machine, SWP_CREDENTIAL_E_CODE,
			"the role needs a code of the MFA device %s, and there is no terminal to ask on; run "
			"orgsweep in a terminal, or "
			"name a profile without mfa_serial",
			current(machine)->mfa_serial);
		return;
	}
	const char *bytes = answer->bytes;
	size_t length = answer->length;
	while (length && strchr(" \t\r\n", bytes[length - 1]))
		length--;
	bool good = length == 6;
	for (size_t i = 0; good && i < length; i++)
		good = bytes[i] >= '0' && bytes[i] <= '9';
	int r = good ? swp_secret_set(&machine->code, bytes, length) : 0;
	if (!good)
		fail(machine, SWP_CREDENTIAL_E_CODE,
			"an MFA code is six digits; start again with the code that the device shows");
	else if (r < 0)
		fail_with(machine, r);
	else
		call_assume_role(machine);
}

/* arn:aws:sts::123456789012:assumed-role/… */
static void account_of_role(struct swp_credentials *credentials, const json_t *document)
{
	const json_t *user = json_object_get(document, "AssumedRoleUser");
	const char *arn = json_string_value(json_object_get(user, "Arn"));
	for (int colons = 0; arn && colons < 4; colons++) {
		arn = strchr(arn, ':');
		arn = arn ? arn + 1 : NULL;
	}
	char account[13] = "";
	if (arn && strcspn(arn, ":") == 12)
		memcpy(account, arn, 12);
	swp_credentials_set_account(credentials, account);
}

static const char *refusal_hint(const struct swp_credential_step *step, const char *code)
{
	if (step->kind == SWP_CREDENTIAL_WEB_IDENTITY)
		return "; check the role's trust policy, its OIDC provider and the audience of the token";
	if (swp_text_equal(code, "AccessDenied") && step->mfa_serial)
		return "; check the MFA code, the role's trust policy and its external_id";
	if (swp_text_equal(code, "AccessDenied"))
		return "; check the role's trust policy, external_id, and that the source may call "
		       "sts:AssumeRole";
	return "";
}

static void refuse_call(struct swp_credential_machine *machine, const struct swp_credential_answer *answer)
{
	const struct swp_credential_step *step = current(machine);
	const char *code = answer->error_code && *answer->error_code ? answer->error_code : "no error code";
	bool said = answer->outcome != SWP_OUTCOME_TRANSIENT && answer->outcome != SWP_OUTCOME_THROTTLED;
	bool expired = answer->outcome == SWP_OUTCOME_EXPIRED && step->kind == SWP_CREDENTIAL_ASSUME_ROLE;
	int error = expired ? SWP_CREDENTIAL_E_EXPIRED
		    : said  ? SWP_CREDENTIAL_E_REFUSED
			    : SWP_CREDENTIAL_E_RETRIEVAL;
	char source[128];
	fail(machine, error, "%s for %s failed: %s: %.400s%s%s%s",
		step->kind == SWP_CREDENTIAL_WEB_IDENTITY ? assume_role_with_web_identity.name
							  : assume_role.name,
		step->role_arn, code, told(machine, answer->message),
		expired ? "; renew the credentials that it is assumed with: " : "",
		expired ? describe(step - 1, source, sizeof(source)) : "",
		said ? refusal_hint(step, code) : "");
}

static void take_role(struct swp_credential_machine *machine, const struct swp_credential_answer *answer)
{
	swp_credential_json_wipe(machine->input);
	machine->input = NULL;
	if (answer->error < 0) {
		fail_with(machine, answer->error);
		return;
	}
	if (answer->outcome != SWP_OUTCOME_OK) {
		refuse_call(machine, answer);
		return;
	}
	int r = swp_credential_json_read(
		SWP_CREDENTIAL_FORM_STS, answer->document, result(machine), &machine->problem);
	if (r != 0) {
		fail_with(machine, r);
		return;
	}
	account_of_role(result(machine), answer->document);
	swp_secret_done(&machine->code);
	swp_secret_done(&machine->bearer);
	finish_step(machine);
}

static void answer_assume_role(
	struct swp_credential_machine *machine, const struct swp_credential_answer *answer)
{
	if (machine->stage == 0)
		take_code(machine, answer);
	else
		take_role(machine, answer);
}

static void begin_web_identity(struct swp_credential_machine *machine)
{
	need_file(machine, current(machine)->path);
}

static void take_identity_token(
	struct swp_credential_machine *machine, const struct swp_credential_answer *answer)
{
	size_t length = answer->length;
	while (answer->error == 0 && length && strchr(" \t\r\n", answer->bytes[length - 1]))
		length--;
	if (answer->error < 0 || length == 0) {
		fail(machine, SWP_CREDENTIAL_E_RETRIEVAL,
			"the web identity token file %s %s%s; check AWS_WEB_IDENTITY_TOKEN_FILE or "
			"web_identity_token_file",
			current(machine)->path, answer->error < 0 ? "can't be read: " : "is empty",
			answer->error < 0 ? strerror(-answer->error) : "");
		return;
	}
	int r = swp_secret_set(&machine->bearer, answer->bytes, length);
	json_t *input = r == 0 ? role_input(machine) : NULL;
	if (input && !add_text(input, "WebIdentityToken", swp_secret_text(&machine->bearer))) {
		swp_credential_json_wipe(input);
		input = NULL;
	}
	machine->stage = 1;
	need_call(machine, &assume_role_with_web_identity, input, sts_region(machine), NULL);
}

static void answer_web_identity(
	struct swp_credential_machine *machine, const struct swp_credential_answer *answer)
{
	if (machine->stage == 0)
		take_identity_token(machine, answer);
	else
		take_role(machine, answer);
}

/* --- SSO: cache file → (CreateToken → save) → portal --- */

enum sso_stage {
	SSO_FILE,
	SSO_REFRESH,
	SSO_SAVE,
	SSO_PORTAL,
};

static void ask_to_log_in(struct swp_credential_machine *machine, const char *why)
{
	const struct swp_credential_step *step = current(machine);
	bool session = step->sso_session != NULL;
	fail(machine, SWP_CREDENTIAL_E_LOGIN, "%s; run: aws sso login %s %s", why,
		session ? "--sso-session" : "--profile", session ? step->sso_session : step->profile);
}

static void begin_sso(struct swp_credential_machine *machine)
{
	need_file(machine, current(machine)->path);
}

static void call_portal(struct swp_credential_machine *machine)
{
	const struct swp_credential_step *step = current(machine);
	machine->stage = SSO_PORTAL;
	swp_buf_clear(&machine->text);
	int r = swp_sso_portal_url(machine->endpoints, step->sso_region, step->sso_account_id,
		step->sso_role_name, &machine->text, &machine->problem);
	if (r != 0) {
		fail_with(machine, r);
		return;
	}
	struct swp_credential_request *request = need_http(machine, "GET");
	request->direct = false;
	add_header(request, "x-amz-sso_bearer_token", swp_secret_text(&machine->token.access_token));
	add_header(request, "Accept", "application/json");
}

/* `failure`: the error code of a refresh that failed; NULL: none was tried. */
static void use_token(struct swp_credential_machine *machine, const char *failure)
{
	bool refreshable = current(machine)->sso_session && !failure;
	char why[200];
	switch (swp_sso_token_judge(&machine->token, refreshable, machine->now_ms)) {
	case SWP_SSO_USE:
		call_portal(machine);
		break;
	case SWP_SSO_REFRESH:
		machine->stage = SSO_REFRESH;
		need_call(machine, &swp_sso_create_token, swp_sso_refresh_input(&machine->token),
			current(machine)->sso_region, NULL);
		break;
	case SWP_SSO_EXPIRED:
		snprintf(why, sizeof(why), "the SSO session has expired%s%.100s%s",
			failure ? " and could not be refreshed (" : "", failure ? failure : "",
			failure ? ")" : "");
		ask_to_log_in(machine, why);
		break;
	}
}

static void take_sso_file(struct swp_credential_machine *machine, const struct swp_credential_answer *answer)
{
	char why[sizeof(machine->problem.text)];
	const char *path = current(machine)->path;
	if (answer->error < 0) {
		snprintf(why, sizeof(why), "there is no SSO session: %.300s can't be read: %s", path,
			strerror(-answer->error));
		ask_to_log_in(machine, why);
		return;
	}
	int r = swp_sso_token_parse(answer->bytes, answer->length, &machine->token, &machine->problem);
	if (r < 0) {
		fail_with(machine, r);
	} else if (r > 0) {
		snprintf(why, sizeof(why), "the SSO token cache %.300s is of no use: %.200s", path,
			machine->problem.text);
		ask_to_log_in(machine, why);
	} else {
		use_token(machine, NULL);
	}
}

static void take_refreshed_token(
	struct swp_credential_machine *machine, const struct swp_credential_answer *answer)
{
	swp_credential_json_wipe(machine->input);
	machine->input = NULL;
	const struct swp_credential_step *step = current(machine);
	int r = SWP_CREDENTIAL_E_RETRIEVAL;
	if (answer->error == 0 && answer->outcome == SWP_OUTCOME_OK)
		r = swp_sso_token_refreshed(
			&machine->token, answer->document, machine->now_ms, &machine->problem);
	if (r > 0) { /* the old token may still be good for some minutes */
		use_token(machine,
			answer->error_code && *answer->error_code ? answer->error_code : "malformed answer");
		return;
	}
	swp_buf_clear(&machine->text);
	if (r == 0)
		r = swp_sso_token_write(
			&machine->token, step->sso_start_url, step->sso_region, &machine->text);
	if (r < 0) {
		fail_with(machine, r);
		return;
	}
	machine->stage = SSO_SAVE;
	struct swp_credential_request *request = need(machine, SWP_CREDENTIAL_NEED_SAVE);
	request->path = step->path;
	request->text = swp_buf_text(&machine->text);
	request->text_length = machine->text.length;
}

static bool worth_another_try(const struct swp_credential_answer *answer)
{
	return answer->error < 0 || answer->status == 429 || answer->status >= 500;
}

/* The portal's own word for a refusal; "" when it has none. */
static void portal_message(const struct swp_credential_answer *answer, char *text, size_t size)
{
	json_t *object = NULL;
	text[0] = 0;
	if (answer->error == 0 &&
		swp_credential_json_parse(answer->bytes, answer->length, &object, NULL) == 0) {
		const char *message = json_string_value(json_object_get(object, "message"));
		snprintf(text, size, "%s", message ? message : "");
	}
	swp_credential_json_wipe(object);
}

static void take_portal(struct swp_credential_machine *machine, const struct swp_credential_answer *answer)
{
	const struct swp_credential_step *step = current(machine);
	if (worth_another_try(answer) && again(machine, HTTP_TRIES, 1000))
		return;
	if (answer->error == 0 && answer->status == 401) {
		ask_to_log_in(machine, "Identity Center does not take the SSO session any more");
		return;
	}
	if (answer->error == 0 && answer->status == 200) {
		if (!take_json(machine, SWP_CREDENTIAL_FORM_SSO, answer->bytes, answer->length)) {
			fail_with(machine, machine->error);
			return;
		}
		swp_credentials_set_account(result(machine), step->sso_account_id);
		swp_sso_token_done(&machine->token);
		finish_step(machine);
		return;
	}
	char message[300];
	portal_message(answer, message, sizeof(message));
	if (answer->error < 0)
		fail(machine, SWP_CREDENTIAL_E_RETRIEVAL,
			"the Identity Center portal in %s can't be reached: %s", step->sso_region,
			answer->detail ? answer->detail : strerror(-answer->error));
	else
		fail(machine, answer->status < 500 ? SWP_CREDENTIAL_E_REFUSED : SWP_CREDENTIAL_E_RETRIEVAL,
			"Identity Center answered %d (%s) for role %s in account %s; check sso_role_name and "
			"sso_account_id, and that the "
			"role is assigned to you",
			answer->status, told(machine, message), step->sso_role_name, step->sso_account_id);
}

static void answer_sso(struct swp_credential_machine *machine, const struct swp_credential_answer *answer)
{
	switch ((enum sso_stage)machine->stage) {
	case SSO_FILE:
		take_sso_file(machine, answer);
		break;
	case SSO_REFRESH:
		take_refreshed_token(machine, answer);
		break;
	case SSO_SAVE:
		call_portal(machine);
		break;
	case SSO_PORTAL:
		take_portal(machine, answer);
		break;
	}
}

/* --- keys cached by `aws login`; renewing them is the AWS CLI's --- */

static void begin_login(struct swp_credential_machine *machine)
{
	need_file(machine, current(machine)->path);
}

static void answer_login(struct swp_credential_machine *machine, const struct swp_credential_answer *answer)
{
	const struct swp_credential_step *step = current(machine);
	if (answer->error < 0)
		fail(machine, SWP_CREDENTIAL_E_LOGIN,
			"there is no login session: %s can't be read: %s; run: aws login --profile %s",
			step->path, strerror(-answer->error), step->profile);
	else if (!take_json(machine, SWP_CREDENTIAL_FORM_LOGIN, answer->bytes, answer->length) &&
		 machine->error < 0)
		fail_with(machine, machine->error);
	else if (machine->error > 0)
		fail(machine, SWP_CREDENTIAL_E_LOGIN,
			"the login cache %s is of no use: %.200s; run: aws login --profile %s", step->path,
			machine->problem.text, step->profile);
	else if (result(machine)->expires_at_ms <= machine->now_ms)
		fail(machine, SWP_CREDENTIAL_E_LOGIN,
			"the login session has expired; run: aws login --profile %s", step->profile);
	else
		finish_step(machine);
}

/* --- credential_process --- */

static void begin_process(struct swp_credential_machine *machine)
{
	swp_words_free(machine->words);
	machine->words = NULL;
	size_t count = 0;
	int r = swp_words_split(current(machine)->command, &machine->words, &count);
	if (r == -ENOMEM)
		fail_with(machine, r);
	else if (r < 0 || count == 0)
		fail(machine, SWP_CREDENTIAL_E_CONFIG,
			"credential_process can't be split into words (%s); it is run without a shell",
			r == -EINVAL ? "an open quote or a trailing backslash"
			: r < 0	     ? "too many"
				     : "it is empty");
	else
		need(machine, SWP_CREDENTIAL_NEED_PROCESS)->arguments = (const char *const *)machine->words;
}

static void answer_process(struct swp_credential_machine *machine, const struct swp_credential_answer *answer)
{
	const char *program = machine->words && machine->words[0] ? machine->words[0] : "";
	int status = answer->status;
	if (answer->error < 0) {
		fail(machine, SWP_CREDENTIAL_E_RETRIEVAL, "credential_process %s: %.300s", program,
			answer->detail ? answer->detail : strerror(-answer->error));
		return;
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		fail(machine, SWP_CREDENTIAL_E_RETRIEVAL,
			"credential_process %s ended with %s %d; run it by hand to see why", program,
			WIFEXITED(status) ? "exit code" : "signal",
			WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
		return;
	}
	if (!take_json(machine, SWP_CREDENTIAL_FORM_PROCESS, answer->bytes, answer->length)) {
		if (machine->error > 0)
			swp_problem_prefix(&machine->problem, "credential_process %s", program);
		fail_with(machine, machine->error);
		return;
	}
	if (!result(machine)->account_id[0])
		swp_credentials_set_account(result(machine), current(machine)->account_id);
	finish_step(machine);
}

/* --- container endpoint (ECS, EKS Pod Identity) --- */

static void ask_container(struct swp_credential_machine *machine)
{
	const char *token = swp_secret_text(&machine->bearer);
	if (strpbrk(token, "\r\n")) {
		fail(machine, SWP_CREDENTIAL_E_CONFIG,
			"the container authorization token has a line end in it, so it is no header value; "
			"write it without one");
		return;
	}
	machine->stage = 1;
	swp_buf_clear(&machine->text);
	swp_buf_append_text(&machine->text, current(machine)->url);
	struct swp_credential_request *request = need_http(machine, "GET");
	if (request->need != SWP_CREDENTIAL_NEED_HTTP)
		return;
	add_header(request, "Accept", "application/json");
	if (*token)
		add_header(request, "Authorization", token);
}

static void begin_container(struct swp_credential_machine *machine)
{
	swp_secret_done(&machine->bearer);
	if (current(machine)->path) {
		need_file(machine, current(machine)->path);
		return;
	}
	const char *token = swp_environment_get(machine->environment, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
	int r = token ? swp_secret_set_text(&machine->bearer, token) : 0;
	if (r < 0)
		fail_with(machine, r);
	else
		ask_container(machine);
}

static void take_container_token(
	struct swp_credential_machine *machine, const struct swp_credential_answer *answer)
{
	int r = answer->error;
	if (r == 0 && (answer->length == 0 || memchr(answer->bytes, 0, answer->length)))
		r = -EINVAL;
	if (r == 0)
		r = swp_secret_set(&machine->bearer, answer->bytes, answer->length);
	if (r < 0)
		fail(machine, r == -ENOMEM ? r : SWP_CREDENTIAL_E_RETRIEVAL,
			"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE %s is of no use: %s", current(machine)->path,
			r == -EINVAL ? "it is empty or binary" : strerror(-r));
	else
		ask_container(machine);
}

static void answer_container(
	struct swp_credential_machine *machine, const struct swp_credential_answer *answer)
{
	const struct swp_credential_step *step = current(machine);
	if (machine->stage == 0) {
		take_container_token(machine, answer);
		return;
	}
	bool answered = answer->error == 0 && answer->status == 200;
	if (answered && take_json(machine, SWP_CREDENTIAL_FORM_CONTAINER, answer->bytes, answer->length)) {
		swp_secret_done(&machine->bearer);
		finish_step(machine);
		return;
	}
	if (answered && machine->error < 0) {
		fail_with(machine, machine->error);
		return;
	}
	if (again(machine, step->attempts, 1000))
		return;
	if (answered)
		fail_with(machine, machine->error);
	else if (answer->error < 0)
		fail(machine, SWP_CREDENTIAL_E_RETRIEVAL,
			"the container credential endpoint %s does not answer: %s", step->url,
			answer->detail ? answer->detail : strerror(-answer->error));
	else
		fail(machine, SWP_CREDENTIAL_E_RETRIEVAL,
			"the container credential endpoint %s answered %d; check the task role or the pod "
			"identity association, and "
			"AWS_CONTAINER_AUTHORIZATION_TOKEN",
			step->url, answer->status);
}

/* --- instance metadata: token (v2) → role name → credentials --- */

enum instance_stage {
	INSTANCE_TOKEN,
	INSTANCE_ROLE,
	INSTANCE_CREDENTIALS,
};

/* The last source of the chain: when it has nothing, nothing has. */
static void fail_instance(struct swp_credential_machine *machine, const char *why)
{
	const struct swp_credential_plan *plan = machine->plan;
	bool whole_chain = plan->count == 1;
	machine->request = (struct swp_credential_request){.need = SWP_CREDENTIAL_FAILED};
	if (whole_chain)
		machine->error = swp_problem_set(&machine->problem, SWP_CREDENTIAL_E_NONE,
			"no AWS credentials. Tried: %s; instance metadata %s (%s). Name a profile with "
			"--profile or AWS_PROFILE, log in "
			"with `aws sso login` or `aws login`, or set AWS_ACCESS_KEY_ID and "
			"AWS_SECRET_ACCESS_KEY",
			plan->tried, current(machine)->url, why);
	else
		machine->error = swp_problem_set(&machine->problem, SWP_CREDENTIAL_E_RETRIEVAL,
			"profile %s takes its credentials from Ec2InstanceMetadata (credential_source), but "
			"%s %s",
			plan->steps[1].profile, current(machine)->url, why);
}

static struct swp_credential_request *ask_instance(
	struct swp_credential_machine *machine, const char *method, const char *path, const char *name)
{
	const char *base = current(machine)->url;
	size_t length = strlen(base);
	while (length && base[length - 1] == '/')
		length--;
	swp_buf_clear(&machine->text);
	swp_buf_append(&machine->text, base, length);
	swp_buf_append_text(&machine->text, path);
	swp_buf_append_text(&machine->text, name);
	return need_http(machine, method);
}

static void begin_instance(struct swp_credential_machine *machine)
{
	swp_secret_done(&machine->bearer);
	struct swp_credential_request *request = ask_instance(machine, "PUT", METADATA_TOKEN_PATH, "");
	if (request->need == SWP_CREDENTIAL_NEED_HTTP)
		add_header(request, "x-aws-ec2-metadata-token-ttl-seconds", METADATA_TOKEN_SECONDS);
}

static void get_from_instance(
	struct swp_credential_machine *machine, enum instance_stage stage, const char *name)
{
	machine->stage = stage;
	struct swp_credential_request *request = ask_instance(machine, "GET", METADATA_ROLE_PATH, name);
	if (request->need == SWP_CREDENTIAL_NEED_HTTP && swp_secret_is_set(&machine->bearer))
		add_header(request, "x-aws-ec2-metadata-token", swp_secret_text(&machine->bearer));
}

static bool is_header_value(const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (bytes[i] <= ' ' || bytes[i] >= 0x7f)
			return false;
	return length > 0;
}

/* Version 1 is for services that do not know tokens: 403, 404, 405, and those that never answer the PUT (a hop limit). */
static void fall_back_to_v1(struct swp_credential_machine *machine, const char *why)
{
	if (current(machine)->v1_disabled)
		fail(machine, SWP_CREDENTIAL_E_RETRIEVAL,
			"the metadata service gives no IMDSv2 token (%s), and AWS_EC2_METADATA_V1_DISABLED "
			"forbids version 1; raise the "
			"hop limit (HttpPutResponseHopLimit) if this is a container",
			why);
	else
		get_from_instance(machine, INSTANCE_ROLE, "");
}

static void take_instance_token(
	struct swp_credential_machine *machine, const struct swp_credential_answer *answer)
{
	char why[64];
	snprintf(why, sizeof(why), "HTTP status %d", answer->status);
	if (answer->error == -ETIMEDOUT) {
		fall_back_to_v1(machine, "no answer in time");
	} else if (answer->error == 0 &&
		   (answer->status == 403 || answer->status == 404 || answer->status == 405)) {
		fall_back_to_v1(machine, why);
	} else if (answer->error == 0 && answer->status == 200 &&
		   is_header_value(answer->bytes, answer->length)) {
		int r = swp_secret_set(&machine->bearer, answer->bytes, answer->length);
		if (r < 0)
			fail_with(machine, r);
		else
			get_from_instance(machine, INSTANCE_ROLE, "");
	} else if (answer->error == 0 && answer->status == 400) {
		fail_instance(machine, why);
	} else if (!again(machine, current(machine)->attempts, 0)) {
		fail_instance(machine, answer->error == 0 ? why
				       : answer->detail	  ? answer->detail
							  : strerror(-answer->error));
	}
}

static void take_instance_role(
	struct swp_credential_machine *machine, const struct swp_credential_answer *answer)
{
	char name[ROLE_NAME_BYTES];
	size_t length = 0;
	while (length < answer->length && !strchr("\r\n", answer->bytes[length]))
		length++;
	bool good = length > 0 && length < sizeof(name);
	if (good)
		memcpy(name, answer->bytes, length);
	name[good ? length : 0] = 0;
	if (!good || strspn(name, ROLE_NAME_CHARACTERS) != length) {
		fail_instance(machine, "names no role; attach an instance profile to the instance");
		return;
	}
	get_from_instance(machine, INSTANCE_CREDENTIALS, name);
}

/* IMDS serves old credentials when it can't renew them: they go on being used, and are asked for again in a while. */
static void extend_expiration(struct swp_credential_machine *machine, struct swp_credentials *got)
{
	int64_t jitter_ms = 120000 + (int64_t)(machine->random_unit * 480000);
	int64_t window_ms = SWP_CREDENTIAL_ADVISORY_MS + jitter_ms;
	if (got->expires_at_ms - window_ms <= machine->now_ms)
		got->expires_at_ms = machine->now_ms + window_ms;
}

static void take_instance_credentials(
	struct swp_credential_machine *machine, const struct swp_credential_answer *answer)
{
	if (take_json(machine, SWP_CREDENTIAL_FORM_INSTANCE, answer->bytes, answer->length)) {
		extend_expiration(machine, result(machine));
		swp_secret_done(&machine->bearer);
		finish_step(machine);
		return;
	}
	char why[300];
	snprintf(why, sizeof(why), "gives no credentials: %.250s", machine->problem.text);
	if (machine->error < 0)
		fail_with(machine, machine->error);
	else
		fail_instance(machine, why);
}

static void answer_instance(
	struct swp_credential_machine *machine, const struct swp_credential_answer *answer)
{
	if (machine->stage == INSTANCE_TOKEN) {
		take_instance_token(machine, answer);
		return;
	}
	if (answer->error < 0 || answer->status != 200 || answer->length == 0) {
		char why[64];
		snprintf(why, sizeof(why), "%s %d", answer->status == 200 ? "empty answer," : "HTTP status",
			answer->status);
		if (!again(machine, current(machine)->attempts, 0))
			fail_instance(machine, answer->error == 0 ? why
					       : answer->detail	  ? answer->detail
								  : strerror(-answer->error));
	} else if (machine->stage == INSTANCE_ROLE) {
		take_instance_role(machine, answer);
	} else {
		take_instance_credentials(machine, answer);
	}
}

/* --- the table --- */

static const struct kind_row {
	void (*begin)(struct swp_credential_machine *machine);
	void (*answer)(struct swp_credential_machine *machine, const struct swp_credential_answer *answer);
} kinds[SWP_CREDENTIAL_KIND_COUNT] = {
	[SWP_CREDENTIAL_ENVIRONMENT] = {begin_keys, NULL},
	[SWP_CREDENTIAL_ASSUME_ROLE] = {begin_assume_role, answer_assume_role},
	[SWP_CREDENTIAL_WEB_IDENTITY] = {begin_web_identity, answer_web_identity},
	[SWP_CREDENTIAL_SSO] = {begin_sso, answer_sso},
	[SWP_CREDENTIAL_SHARED_FILE] = {begin_keys, NULL},
	[SWP_CREDENTIAL_LOGIN] = {begin_login, answer_login},
	[SWP_CREDENTIAL_PROCESS] = {begin_process, answer_process},
	[SWP_CREDENTIAL_CONFIG_FILE] = {begin_keys, NULL},
	[SWP_CREDENTIAL_CONTAINER] = {begin_container, answer_container},
	[SWP_CREDENTIAL_INSTANCE] = {begin_instance, answer_instance},
};

static void begin_step(struct swp_credential_machine *machine)
{
	machine->stage = 0;
	machine->tries = 0;
	kinds[current(machine)->kind].begin(machine);
}

struct swp_credential_machine *swp_credential_machine_new(const struct swp_credential_plan *plan,
	const struct swp_environment *environment, const struct swp_endpoint_options *endpoints)
{
	SWP_ASSERT(plan->count > 0);
	struct swp_credential_machine *machine = swp_calloc(1, sizeof(*machine));
	if (!machine)
		return NULL;
	machine->plan = plan;
	machine->environment = environment;
	machine->endpoints = endpoints;
	swp_buf_init(&machine->text, SWP_LIMIT_CREDENTIAL_JSON_BYTES);
	machine->text.secret = true;
	machine->request.need = SWP_CREDENTIAL_FAILED;
	machine->error = -EINVAL; /* not started */
	return machine;
}

void swp_credential_machine_free(struct swp_credential_machine *machine)
{
	if (!machine)
		return;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(machine->results); i++)
		swp_credentials_done(&machine->results[i]);
	swp_buf_done(&machine->text);
	swp_words_free(machine->words);
	swp_credential_json_wipe(machine->input);
	swp_secret_done(&machine->bearer);
	swp_secret_done(&machine->code);
	swp_sso_token_done(&machine->token);
	swp_free(machine);
}

/* The first step to be done: behind the last one, but for the plan's end, whose credentials are still good. */
static size_t first_step(const struct swp_credential_machine *machine)
{
	for (size_t i = machine->plan->count - 1; i > 0; i--) {
		const struct swp_credentials *before = &machine->results[i - 1];
		bool good = before->access_key_id[0] &&
			    (!before->expires_at_ms ||
				    before->expires_at_ms - machine->now_ms > SWP_CREDENTIAL_ADVISORY_MS);
		if (good)
			return i;
	}
	return 0;
}

void swp_credential_machine_start(struct swp_credential_machine *machine, int64_t wall_ms, double random_unit)
{
	machine->now_ms = wall_ms;
	machine->random_unit = random_unit;
	machine->after_pause = false;
	machine->error = 0;
	machine->problem.text[0] = 0;
	machine->index = first_step(machine);
	begin_step(machine);
}

const struct swp_credential_request *swp_credential_machine_request(
	const struct swp_credential_machine *machine)
{
	return &machine->request;
}

void swp_credential_machine_answer(
	struct swp_credential_machine *machine, const struct swp_credential_answer *answer, int64_t wall_ms)
{
	SWP_ASSERT(machine->request.need < SWP_CREDENTIAL_DONE);
	machine->now_ms = wall_ms;
	if (machine->after_pause) {
		machine->after_pause = false;
		machine->request = machine->repeat;
		return;
	}
	kinds[current(machine)->kind].answer(machine, answer);
}

const struct swp_credentials *swp_credential_machine_credentials(const struct swp_credential_machine *machine)
{
	SWP_ASSERT(machine->request.need == SWP_CREDENTIAL_DONE);
	return &machine->results[machine->plan->count - 1];
}

int swp_credential_machine_error(
	const struct swp_credential_machine *machine, struct swp_problem *ret_problem)
{
	if (ret_problem)
		*ret_problem = machine->problem;
	return machine->error;
}
