/* What an HTTP answer, or its absence, means for the call. */
#include <stdio.h>
#include <string.h>

#include "proto/base/limits.h"
#include "proto/base/secret.h"
#include "proto/base/text.h"
#include "proto/io/caller-call.h"

enum {
	SKEW_MS = 5 * 60 * 1000, /* AWS accepts that much */
	SKEW_TRIES = 3,		 /* clocks are set while a call waits, AWS's or ours */
	UNPARSABLE_TRIES = 3,	 /* a complete answer that does not parse is asked for at most twice more */
	LEAST_SECRET_BYTES = 16, /* access key ids have at least as many */
	SECRET_BEGINNING_BYTES = 12,
	NOT_FOUND_MEMORY_MS = 15000, /* libcurl does not remember that a name does not exist */
};

void swp_call_fail(struct swp_running_call *running, enum swp_outcome outcome, enum swp_reason reason,
	const char *code, const char *message)
{
	struct swp_answer *answer = &running->answer;

	answer->outcome = outcome;
	answer->reason = reason;
	answer->error_code = code;
	swp_buf_clear(&running->message);
	swp_buf_append_text(&running->message, message);
	answer->message = swp_buf_text(&running->message);
}

/* --- failures below HTTP --- */

static const struct failure_row {
	enum swp_outcome outcome;
	enum swp_reason reason;
	const char *code;
} failure_rows[] = {
	[SWP_HTTP_RESOLVE] = {SWP_OUTCOME_TRANSIENT, SWP_REASON_SERVICE_UNAVAILABLE, "ResolverError"},
	[SWP_HTTP_CONNECT] = {SWP_OUTCOME_TRANSIENT, SWP_REASON_SERVICE_UNAVAILABLE, "ConnectionError"},
	[SWP_HTTP_TLS] = {SWP_OUTCOME_TRANSIENT, SWP_REASON_SERVICE_UNAVAILABLE, "TLSError"},
	[SWP_HTTP_RESET] = {SWP_OUTCOME_TRANSIENT, SWP_REASON_SERVICE_UNAVAILABLE, "ConnectionError"},
	[SWP_HTTP_TRUNCATED] = {SWP_OUTCOME_TRANSIENT, SWP_REASON_MALFORMED_RESPONSE, "TruncatedResponse"},
	[SWP_HTTP_PROXY] = {SWP_OUTCOME_TRANSIENT, SWP_REASON_SERVICE_UNAVAILABLE, "ProxyError"},
	[SWP_HTTP_TIMEOUT] = {SWP_OUTCOME_TRANSIENT, SWP_REASON_TIMEOUT, "Timeout"},
	[SWP_HTTP_TOO_LARGE] = {SWP_OUTCOME_FAILED, SWP_REASON_LIMIT_REACHED, "ResponseTooLarge"},
	[SWP_HTTP_INTERNAL] = {SWP_OUTCOME_TRANSIENT, SWP_REASON_SERVICE_UNAVAILABLE, "ClientError"},
};

static enum swp_call_next judge_failure(
	struct swp_running_call *running, const struct swp_http_response *response)
{
	const struct failure_row *row = &failure_rows[response->failure];
	struct swp_caller *caller = running->caller;
	const char *host = swp_buf_text(&running->host);

	swp_call_fail(running, row->outcome, row->reason, row->code, response->failure_text);
	running->answer.status = response->failure == SWP_HTTP_PROXY ? response->proxy_status : 0;
	running->timed_out = response->failure == SWP_HTTP_TIMEOUT;
	running->answer.host_not_found = response->failure == SWP_HTTP_RESOLVE &&
					 !running->endpoint.configured && !running->endpoint.variant &&
					 !swp_http_uses_proxy(caller->http, host);
	if (response->failure == SWP_HTTP_RESOLVE) {
		struct swp_known_host *known = swp_caller_host(caller, host, true);

		if (known != NULL)
			known->not_found_until_ms = swp_loop_now_ms(caller->loop) + NOT_FOUND_MEMORY_MS;
	}
	return row->outcome == SWP_OUTCOME_TRANSIENT ? SWP_CALL_NEXT_RETRY : SWP_CALL_NEXT_FINISH;
}

/* --- success --- */

static enum swp_call_next judge_success(
	struct swp_running_call *running, const struct swp_http_response *response)
{
	json_t *document = NULL;
	const char *member = NULL;
	int result = swp_dialect_parse(
		running->operation, response->body, response->body_length, &document, &member);

	if (result == 0) {
		running->answer.outcome = SWP_OUTCOME_OK;
		running->answer.reason = SWP_REASON_NONE;
		running->answer.document = document;
		swp_retry_succeeded(&running->retry, &running->scope->quota);
		return SWP_CALL_NEXT_FINISH;
	}
	if (result == SWP_DIALECT_TOO_DEEP) {
		swp_call_fail(running, SWP_OUTCOME_FAILED, SWP_REASON_LIMIT_REACHED, "DocumentTooDeep",
			"the answer nests deeper, or holds more values, than orgsweep reads");
		return SWP_CALL_NEXT_FINISH;
	}
	if (result == SWP_DIALECT_MISSING_MEMBER) {
		swp_call_fail(running, SWP_OUTCOME_FAILED, SWP_REASON_MALFORMED_RESPONSE, "MissingMember",
			"the answer lacks ");
		swp_buf_append_text(&running->message, member);
		running->answer.message = swp_buf_text(&running->message);
		return SWP_CALL_NEXT_FINISH;
	}
	if (result < 0) {
		swp_call_fail(running, SWP_OUTCOME_FAILED, SWP_REASON_LIMIT_REACHED, "OutOfMemory",
			strerror(-result));
		return SWP_CALL_NEXT_FINISH;
	}
	swp_call_fail(running, SWP_OUTCOME_TRANSIENT, SWP_REASON_MALFORMED_RESPONSE, "MalformedResponse",
		"the answer is not a document of the service's protocol");
	return ++running->unparsable < UNPARSABLE_TRIES ? SWP_CALL_NEXT_RETRY : SWP_CALL_NEXT_FINISH;
}

/* --- what AWS says instead --- */

/* Again only if the time that was signed is wrong once more: else it is not the clock. */
static enum swp_call_next correct_skew(
	struct swp_running_call *running, bool has_date, bool date_differs, int64_t date_ms)
{
	struct swp_known_host *known = NULL;

	if (has_date &&
		(running->skew_corrections == 0 || (date_differs && running->skew_corrections < SKEW_TRIES)))
		known = swp_caller_host(running->caller, swp_buf_text(&running->host), true);
	if (known == NULL) {
		running->answer.outcome = SWP_OUTCOME_FAILED;
		return SWP_CALL_NEXT_FINISH;
	}
	known->offset_ms = date_ms - swp_clock_wall_ms(running->caller->clock);
	known->offset_known = true;
	running->caller->clock_offset_ms = known->offset_ms;
	running->skew_corrections++;
	return SWP_CALL_NEXT_RESIGN;
}

/* Cuts the message where `secret` begins in it. Of long ones the beginning is looked for, as the message's own end may have been cut
 * in the middle of it; what is shorter than any real secret ("test") stands in many a message by chance. */
static void cut_secret(struct swp_aws_error *error, const char *secret)
{
	char beginning[SECRET_BEGINNING_BYTES + 1] = "";
	char *at;

	if (strlen(secret) < LEAST_SECRET_BYTES)
		return;
	memcpy(beginning, secret, SECRET_BEGINNING_BYTES);
	at = strstr(error->message, beginning);
	if (at == NULL)
		return;
	swp_wipe(at, strlen(at));
	snprintf(at, sizeof(error->message) - (size_t)(at - error->message),
		"(withheld: it repeats a secret)");
}

/* AWS quotes the whole canonical request where a signature is wrong, with the session token in it. */
static void cut_secrets(struct swp_running_call *running)
{
	const struct swp_caller_identity *identity = running->identity;
	struct swp_aws_error *error = &running->error;

	if (identity->access_key_id != NULL)
		cut_secret(error, identity->access_key_id);
	if (identity->session_token != NULL)
		cut_secret(error, swp_secret_text(identity->session_token));
	if (identity->secret_access_key != NULL)
		cut_secret(error, swp_secret_text(identity->secret_access_key));
}

static void describe_error(struct swp_running_call *running, const struct swp_http_response *response)
{
	struct swp_answer *answer = &running->answer;

	swp_dialect_parse_error(running->operation->service->protocol, response->error_type, response->body,
		response->body_length, &running->error);
	cut_secrets(running);
	answer->error_code = running->error.code;
	answer->message = running->error.message;
	if (answer->request_id[0] == '\0')
		answer->request_id = running->error.request_id;
	if (running->error.code[0] == '\0' && running->error.message[0] == '\0') {
		swp_buf_clear(&running->message);
		swp_buf_append_format(
			&running->message, "HTTP %d without an AWS error code", response->status);
		answer->message = swp_buf_text(&running->message);
	}
}

static enum swp_call_next judge_error(
	struct swp_running_call *running, const struct swp_http_response *response)
{
	struct swp_answer *answer = &running->answer;
	struct swp_answer_facts facts = {
		.status = response->status, .gone = running->gone, .gone_count = running->gone_count};
	struct swp_classified classified;
	int64_t date_ms = 0, difference_ms;
	bool has_date = swp_time_parse_http(response->date, &date_ms) == 0;

	describe_error(running, response);
	/* Against the time that was signed: another call to this host may have corrected the offset in the meantime. */
	difference_ms = has_date ? date_ms - running->signed_ms : 0;
	facts.code = running->error.code;
	facts.message = running->error.message;
	facts.date_differs = difference_ms > SKEW_MS || difference_ms < -SKEW_MS;
	classified = swp_classify(&facts);
	answer->outcome = classified.outcome;
	answer->reason = classified.reason;
	if (classified.outcome == SWP_OUTCOME_SKEWED)
		return correct_skew(running, has_date, facts.date_differs, date_ms);
	if (classified.outcome == SWP_OUTCOME_THROTTLED || classified.outcome == SWP_OUTCOME_TRANSIENT)
		return SWP_CALL_NEXT_RETRY;
	return SWP_CALL_NEXT_FINISH;
}

/* x-amz-retry-after in milliseconds, else the Retry-After of load balancers in seconds (not its date form); a number too large
 * for us is a long wait, which the retry arithmetic cuts. */
static int64_t read_hint(const struct swp_http_response *response)
{
	bool own = response->retry_after[0] != '\0';
	const char *text = own ? response->retry_after : response->retry_after_seconds;
	int64_t hint;

	if (text[0] == '\0' || text[strspn(text, "0123456789")] != '\0')
		return -1;
	if (swp_parse_i64(text, 0, SWP_LIMIT_CALL_MS, &hint) != 0)
		hint = SWP_LIMIT_CALL_MS;
	return own ? hint : hint * 1000;
}

enum swp_call_next swp_call_judge(struct swp_running_call *running, const struct swp_http_response *response)
{
	struct swp_answer *answer = &running->answer;

	answer->status = response->status;
	answer->error_code = answer->message = "";
	answer->host_not_found = false;
	running->timed_out = false;
	running->hint_ms = -1;
	/* The response's texts live only until the call-back returns, the answer until the next try. */
	snprintf(running->request_id, sizeof(running->request_id), "%s", response->request_id);
	answer->request_id = running->request_id;
	if (response->failure != SWP_HTTP_OK)
		return judge_failure(running, response);
	running->hint_ms = read_hint(response);
	if (response->status >= 200 && response->status <= 299)
		return judge_success(running, response);
	return judge_error(running, response);
}
