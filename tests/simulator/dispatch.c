/* From a request to its answer. See dispatch.h. */
#include "tests/simulator/dispatch.h"

#include "tests/simulator/json-text.h"
#include "tests/simulator/request-log.h"
#include "tests/simulator/route.h"
#include "tests/simulator/signature.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

/* Room for the head before the body, so that both go out in one write without moving the body. */
#define HEAD_ROOM 1024

struct swp_sim_dispatcher {
	struct swp_sim_context *context;
	struct swp_sim_log *log;
	struct swp_sim_router *router;
	struct swp_sim_verifier *verifier;
	struct swp_sim_buffer extra_headers;
	struct swp_sim_buffer head;
	uint64_t request_number[2];
	int64_t date_sec;
	char date[40];
};

struct swp_sim_dispatcher *swp_sim_dispatcher_new(struct swp_sim_context *context, struct swp_sim_log *log)
{
	struct swp_sim_dispatcher *dispatcher = swp_sim_allocate_zeroed(1, sizeof *dispatcher);
	dispatcher->context = context;
	dispatcher->log = log;
	dispatcher->router = swp_sim_router_new();
	dispatcher->verifier = swp_sim_verifier_new();
	dispatcher->date_sec = -1;
	if (getrandom(dispatcher->request_number, sizeof dispatcher->request_number, 0) < 0)
		dispatcher->request_number[0] = (uint64_t)time(NULL);
	return dispatcher;
}

void swp_sim_dispatcher_free(struct swp_sim_dispatcher *dispatcher)
{
	if (dispatcher == NULL)
		return;
	swp_sim_router_free(dispatcher->router);
	swp_sim_verifier_free(dispatcher->verifier);
	swp_sim_buffer_done(&dispatcher->extra_headers);
	swp_sim_buffer_done(&dispatcher->head);
	free(dispatcher);
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* A UUID of version 4, unlike every other. */
static void make_request_id(struct swp_sim_dispatcher *dispatcher, char ret_id[37])
{
	static const char digits[] = "0123456789abcdef";
	uint64_t bits[2] = {mix(++dispatcher->request_number[0]),
		mix(dispatcher->request_number[1] += 0x9e3779b97f4a7c15)};
	for (size_t i = 0, nibble = 0; i < 36; i++) {
		if (i == 8 || i == 13 || i == 18 || i == 23) {
			ret_id[i] = '-';
			continue;
		}
		ret_id[i] = digits[bits[nibble / 16] >> (nibble % 16 * 4) & 15];
		nibble++;
	}
	ret_id[14] = '4';
	ret_id[36] = '\0';
}

static const char *date_header(struct swp_sim_dispatcher *dispatcher, int64_t now_sec)
{
	if (dispatcher->date_sec != now_sec) {
		struct tm parts;
		time_t now = (time_t)now_sec;
		gmtime_r(&now, &parts);
		strftime(dispatcher->date, sizeof dispatcher->date, "%a, %d %b %Y %H:%M:%S GMT", &parts);
		dispatcher->date_sec = now_sec;
	}
	return dispatcher->date;
}

static const char *content_type(const struct swp_sim_call *call)
{
	static const char *const types[SWP_SIM_PROTOCOL_COUNT] = {
		[SWP_SIM_JSON_11] = "application/x-amz-json-1.1",
		[SWP_SIM_REST_JSON] = "application/json",
		[SWP_SIM_QUERY] = "text/xml",
		[SWP_SIM_EC2_QUERY] = "text/xml;charset=UTF-8",
		[SWP_SIM_REST_XML] = "application/xml",
	};
	if (call->content_type != NULL)
		return call->content_type;
	return types[call->service ? call->service->protocol : SWP_SIM_REST_JSON];
}

static const char *request_id_header(const struct swp_sim_call *call)
{
	return call->service != NULL && call->service->protocol == SWP_SIM_REST_XML ? "x-amz-request-id"
										    : "x-amzn-RequestId";
}

static void put_header(struct swp_sim_buffer *head, const char *name, const char *value)
{
	swp_sim_buffer_put(head, name);
	swp_sim_buffer_append(head, ": ", 2);
	swp_sim_buffer_put(head, value);
	swp_sim_buffer_append(head, "\r\n", 2);
}

/* Writes the head into the room before the body. Returns where it begins, and with it the answer. */
static size_t put_head(
	struct swp_sim_dispatcher *dispatcher, const struct swp_sim_call *call, struct swp_sim_buffer *answer)
{
	struct swp_sim_buffer *head = &dispatcher->head;
	int64_t told_sec = call->now_sec;
	uint64_t length = answer->size - HEAD_ROOM;
	if (swp_sim_call_has_fault(call, "skewed-date"))
		told_sec += (int64_t)call->fault->number;
	if (swp_sim_call_has_fault(call, "truncated"))
		length = length * 2 + 64;
	swp_sim_buffer_clear(head);
	swp_sim_buffer_put(head, "HTTP/1.1 ");
	swp_sim_buffer_number(head, (uint64_t)call->status);
	swp_sim_buffer_byte(head, ' ');
	swp_sim_buffer_put(head, swp_sim_http_reason(call->status));
	swp_sim_buffer_put(head, "\r\n");
	if (call->request_id[0] != '\0')
		put_header(head, request_id_header(call), call->request_id);
	put_header(head, "Date", date_header(dispatcher, told_sec));
	put_header(head, "Content-Type", content_type(call));
	swp_sim_buffer_put(head, "Content-Length: ");
	swp_sim_buffer_number(head, length);
	swp_sim_buffer_put(head, "\r\n");
	if (!call->request->keeps_alive)
		put_header(head, "Connection", "close");
	swp_sim_buffer_text_put(head, swp_sim_buffer_text(&dispatcher->extra_headers));
	swp_sim_buffer_put(head, "\r\n");
	if (head->size > HEAD_ROOM) {
		swp_sim_buffer_reserve(answer, head->size);
		memmove(answer->data + head->size, answer->data + HEAD_ROOM, answer->size - HEAD_ROOM);
		answer->size += head->size - HEAD_ROOM;
		memcpy(answer->data, head->data, head->size);
		return 0;
	}
	memcpy(answer->data + HEAD_ROOM - head->size, head->data, head->size);
	return HEAD_ROOM - head->size;
}

/* How each protocol words what is wrong with a signature. NULL: take the message of the check. */
struct refusal {
	enum swp_sim_signature_result result;
	bool is_json;
	bool is_s3;
	int status;
	const char *code;
	const char *message;
};

#define NOT_MATCHING                                                                                         \
	"The request signature we calculated does not match the signature you provided. Check your AWS "     \
	"Secret Access Key "                                                                                 \
	"and signing method. Consult the service documentation for details."
#define BAD_TOKEN "The security token included in the request is invalid."
#define OUT "The security token included in the request is expired"

static const struct refusal refusals[] = {
	{SWP_SIM_SIGNED_MISSING, true, false, 403, "MissingAuthenticationTokenException",
		"Missing Authentication Token"},
	{SWP_SIM_SIGNED_MISSING, false, false, 403, "MissingAuthenticationToken",
		"Request is missing Authentication Token"},
	{SWP_SIM_SIGNED_MISSING, false, true, 403, "AccessDenied", "Access Denied"},
	{SWP_SIM_SIGNED_INCOMPLETE, true, false, 403, "IncompleteSignatureException", NULL},
	{SWP_SIM_SIGNED_INCOMPLETE, false, false, 403, "IncompleteSignature", NULL},
	{SWP_SIM_SIGNED_INCOMPLETE, false, true, 400, "AuthorizationHeaderMalformed", NULL},
	{SWP_SIM_SIGNED_UNKNOWN_KEY, true, false, 403, "UnrecognizedClientException", BAD_TOKEN},
	{SWP_SIM_SIGNED_UNKNOWN_KEY, false, false, 403, "InvalidClientTokenId", BAD_TOKEN},
	{SWP_SIM_SIGNED_UNKNOWN_KEY, false, true, 403, "InvalidAccessKeyId",
		"The AWS Access Key Id you provided does not exist in our records."},
	{SWP_SIM_SIGNED_BAD_TOKEN, true, false, 403, "UnrecognizedClientException", BAD_TOKEN},
	{SWP_SIM_SIGNED_BAD_TOKEN, false, false, 403, "InvalidClientTokenId", BAD_TOKEN},
	{SWP_SIM_SIGNED_BAD_TOKEN, false, true, 400, "InvalidToken",
		"The provided token is malformed or otherwise invalid."},
	{SWP_SIM_SIGNED_BAD_SCOPE, true, false, 403, "InvalidSignatureException", NULL},
	{SWP_SIM_SIGNED_BAD_SCOPE, false, false, 403, "SignatureDoesNotMatch", NULL},
	{SWP_SIM_SIGNED_BAD_SCOPE, false, true, 400, "AuthorizationHeaderMalformed", NULL},
	{SWP_SIM_SIGNED_EXPIRED, true, false, 403, "InvalidSignatureException", NULL},
	{SWP_SIM_SIGNED_EXPIRED, false, false, 403, "SignatureDoesNotMatch", NULL},
	{SWP_SIM_SIGNED_EXPIRED, false, true, 403, "RequestTimeTooSkewed",
		"The difference between the request time and the current time is too large."},
	{SWP_SIM_SIGNED_EARLY, true, false, 403, "InvalidSignatureException", NULL},
	{SWP_SIM_SIGNED_EARLY, false, false, 403, "SignatureDoesNotMatch", NULL},
	{SWP_SIM_SIGNED_EARLY, false, true, 403, "RequestTimeTooSkewed",
		"The difference between the request time and the current time is too large."},
	{SWP_SIM_SIGNED_BADLY, true, false, 403, "InvalidSignatureException", NOT_MATCHING},
	{SWP_SIM_SIGNED_BADLY, false, false, 403, "SignatureDoesNotMatch", NOT_MATCHING},
	{SWP_SIM_SIGNED_BADLY, false, true, 403, "SignatureDoesNotMatch",
		"The request signature we calculated does not match the signature you provided. Check your "
		"key and signing "
		"method."},
	{SWP_SIM_SIGNED_BAD_PAYLOAD, false, true, 400, "XAmzContentSHA256Mismatch",
		"The provided 'x-amz-content-sha256' header does not match what was computed."},
	{SWP_SIM_SIGNED_OUT, true, false, 403, "ExpiredTokenException", OUT},
	{SWP_SIM_SIGNED_OUT, false, false, 403, "ExpiredToken", OUT},
	{SWP_SIM_SIGNED_OUT, false, true, 400, "ExpiredToken", "The provided token has expired."},
};

static void refuse_signature(
	struct swp_sim_call *call, enum swp_sim_signature_result result, struct swp_sim_text message)
{
	enum swp_sim_protocol protocol = call->service ? call->service->protocol : SWP_SIM_REST_JSON;
	bool is_json = protocol == SWP_SIM_JSON_11 || protocol == SWP_SIM_REST_JSON,
	     is_s3 = protocol == SWP_SIM_REST_XML;
	swp_sim_count(&call->context->shared->statistics.refused_signatures);
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		const struct refusal *row = &refusals[i];
		if (row->result != result || row->is_json != is_json || row->is_s3 != is_s3)
			continue;
		if (row->message == NULL && message.size == 0)
			message =
				SWP_SIM_TEXT("Authorization header is not as Signature Version 4 asks for.");
		/* JSON 1.1 services answer 400 where the REST ones answer 403. */
		swp_sim_call_fail(call, protocol == SWP_SIM_JSON_11 ? 400 : row->status, row->code, "%.*s",
			row->message ? (int)strlen(row->message) : (int)message.size,
			row->message ? row->message : message.at);
		return;
	}
	swp_sim_call_fail(call, 403, "AccessDeniedException", "Access denied");
}

/* The region that a real host name tells, or SWP_SIM_REGION_NONE. */
static unsigned region_of_host(struct swp_sim_text host)
{
	struct swp_sim_text rest = swp_sim_text_cut(&host, ':');
	while (rest.at != NULL) {
		unsigned region = swp_sim_region_find(swp_sim_text_cut(&rest, '.'));
		if (region != SWP_SIM_REGION_NONE)
			return region;
	}
	return SWP_SIM_REGION_NONE;
}

static bool scope_is_right(struct swp_sim_call *call, const struct swp_sim_authorization *authorization,
	struct swp_sim_buffer *message)
{
	const struct swp_sim_partition *partition = call->context->world->partition;
	unsigned told = region_of_host(call->request->host);
	call->region = swp_sim_region_find(authorization->region);
	if (call->service != NULL && !swp_sim_text_is(authorization->service, call->service->signing_name)) {
		swp_sim_buffer_printf(message, "Credential should be scoped to correct service: '%s'. ",
			call->service->signing_name);
		return false;
	}
	if (call->region == SWP_SIM_REGION_NONE ||
		strcmp(swp_sim_regions[call->region].partition, partition->name) != 0 ||
		(told != SWP_SIM_REGION_NONE && told != call->region &&
			(call->service == NULL || !call->service->is_global))) {
		swp_sim_buffer_put(message, "Credential should be scoped to a valid region. ");
		return false;
	}
	if (call->service != NULL && call->service->is_global &&
		!swp_sim_text_is(authorization->region, partition->global_region)) {
		swp_sim_buffer_printf(message, "Credential should be scoped to a valid region, not '%.*s'. ",
			(int)authorization->region.size, authorization->region.at);
		return false;
	}
	return true;
}

/* True when the call is signed by a key that exists, for this service and a region of the partition. */
static bool authenticate(struct swp_sim_dispatcher *dispatcher, struct swp_sim_call *call)
{
	struct swp_sim_authorization authorization;
	struct swp_sim_text message = {"", 0};
	if (call->request->authorization.size == 0) {
		refuse_signature(call, SWP_SIM_SIGNED_MISSING, message);
		return false;
	}
	if (swp_sim_authorization_parse(call->request->authorization, &authorization) != 0) {
		refuse_signature(call, SWP_SIM_SIGNED_INCOMPLETE, message);
		return false;
	}
	call->credential = authorization.access_key_id;
	struct swp_sim_buffer *scope_message = swp_sim_call_scratch(call);
	if (!scope_is_right(call, &authorization, scope_message)) {
		refuse_signature(call, SWP_SIM_SIGNED_BAD_SCOPE, swp_sim_buffer_text(scope_message));
		return false;
	}
	enum swp_sim_signature_result result =
		swp_sim_verify(dispatcher->verifier, call, &authorization, &message);
	if (result != SWP_SIM_SIGNED_WELL) {
		refuse_signature(call, result, message);
		return false;
	}
	call->is_signed_well = true;
	return true;
}

/* A region that is off in the account refuses every key of it, as if it did not know the key. */
static bool region_is_on(struct swp_sim_call *call)
{
	const struct swp_sim_account *account = &call->context->world->accounts[call->account];
	if (swp_sim_account_has_region(account, call->region) || call->service->is_global)
		return true;
	refuse_signature(call, SWP_SIM_SIGNED_UNKNOWN_KEY, (struct swp_sim_text){"", 0});
	return false;
}

static bool session_allows(struct swp_sim_call *call)
{
	const struct swp_sim_principal *principal = call->principal;
	unsigned word = call->operation_number / 64, bit = call->operation_number % 64;
	if (!principal->has_policy || call->operation->action == NULL)
		return true;
	if (principal->denied[word] >> bit & 1) {
		swp_sim_call_refuse(call, SWP_SIM_REFUSED_SESSION_EXPLICIT, NULL, NULL);
		return false;
	}
	if (principal->allowed[word] >> bit & 1)
		return true;
	swp_sim_call_refuse(call, SWP_SIM_REFUSED_SESSION_IMPLICIT, NULL, NULL);
	return false;
}

static bool body_is_readable(struct swp_sim_call *call)
{
	enum swp_sim_protocol protocol = call->service->protocol;
	if (protocol != SWP_SIM_JSON_11 && (protocol != SWP_SIM_REST_JSON || call->request->body.size == 0))
		return true;
	if (swp_sim_json_kind(call->request->body) == '{' && swp_sim_json_valid(call->request->body))
		return true;
	swp_sim_call_fail(call, 400, "SerializationException", "the body is no JSON object");
	return false;
}

static void fail_unknown(struct swp_sim_call *call)
{
	enum swp_sim_protocol protocol = call->service ? call->service->protocol : SWP_SIM_REST_JSON;
	if (protocol == SWP_SIM_QUERY || protocol == SWP_SIM_EC2_QUERY)
		swp_sim_call_fail(
			call, 400, "InvalidAction", "The action is not valid for this web service.");
	else if (protocol == SWP_SIM_REST_XML)
		swp_sim_call_fail(call, 405, "MethodNotAllowed",
			"The specified method is not allowed against this resource.");
	else
		swp_sim_call_fail(call, protocol == SWP_SIM_JSON_11 ? 400 : 404, "UnknownOperationException",
			"Unknown operation");
}

static void answer_call(struct swp_sim_dispatcher *dispatcher, struct swp_sim_call *call)
{
	if (!authenticate(dispatcher, call))
		return;
	if (call->operation == NULL) {
		fail_unknown(call);
		return;
	}
	swp_sim_count(&call->context->shared->by_account[call->account]);
	call->fault = swp_sim_faults_choose(call);
	if (call->fault != NULL && swp_sim_fault_answers(call))
		return;
	if (!region_is_on(call) || !session_allows(call) || !body_is_readable(call))
		return;
	call->operation->answer(call);
	if (call->fault != NULL)
		swp_sim_fault_changes_answer(call);
}

static void count_call(const struct swp_sim_call *call)
{
	struct swp_sim_statistics *statistics = &call->context->shared->statistics;
	swp_sim_count(&statistics->requests);
	swp_sim_count(&statistics->by_status[call->status]);
	if (call->operation != NULL)
		swp_sim_count(&statistics->by_operation[call->operation_number]);
}

static void answer_control(struct swp_sim_dispatcher *dispatcher, struct swp_sim_call *call)
{
	swp_sim_count(&call->context->shared->statistics.control_requests);
	call->content_type = "application/json";
	call->status = swp_sim_control(dispatcher->context, call->request, call->body);
}

struct swp_sim_outcome swp_sim_dispatch(struct swp_sim_dispatcher *dispatcher,
	const struct swp_sim_request *request, int64_t now_sec, struct swp_sim_buffer *answer)
{
	struct swp_sim_shared *shared = dispatcher->context->shared;
	struct swp_sim_outcome outcome = {.is_control = swp_sim_text_starts(request->path, "/_simulator/")};
	swp_sim_buffer_clear(answer);
	swp_sim_buffer_clear(&dispatcher->extra_headers);
	swp_sim_buffer_reserve(answer, HEAD_ROOM);
	answer->size = HEAD_ROOM;
	struct swp_sim_call call = {.context = dispatcher->context,
		.request = request,
		.region = SWP_SIM_REGION_NONE,
		.account = SIZE_MAX,
		.status = 200,
		.body = answer,
		.body_start = HEAD_ROOM,
		.extra_headers = &dispatcher->extra_headers,
		.now_sec = now_sec + atomic_load_explicit(&shared->clock_offset_sec, memory_order_relaxed)};
	if (outcome.is_control) {
		answer_control(dispatcher, &call);
	} else {
		make_request_id(dispatcher, call.request_id);
		swp_sim_route(dispatcher->router, &call);
		answer_call(dispatcher, &call);
		count_call(&call);
	}
	if (call.fault != NULL)
		outcome.delivery = swp_sim_fault_delivery(call.fault, &outcome.delay_ms);
	outcome.start = put_head(dispatcher, &call, answer);
	if (dispatcher->log != NULL && !outcome.is_control)
		swp_sim_log_call(dispatcher->log, &call);
	return outcome;
}

void swp_sim_operation_name(unsigned number, const char **ret_service, const char **ret_operation)
{
	*ret_service = *ret_operation = NULL;
	for (size_t s = 0; s < swp_sim_service_count; s++) {
		if (number < swp_sim_services[s]->operation_count) {
			*ret_service = swp_sim_services[s]->name;
			*ret_operation = swp_sim_services[s]->operations[number].name;
			return;
		}
		number -= (unsigned)swp_sim_services[s]->operation_count;
	}
}
