/* Faults: the table, parsing, choosing, and the kinds that answer instead of AWS. See faults.h. */
#include "tests/simulator/faults.h"

#include "tests/simulator/credentials.h"
#include "tests/simulator/shared.h"

#include <jansson.h>
#include <stdlib.h>

#define ERROR_(name, help)                                                                                   \
	{                                                                                                    \
		name, SWP_SIM_FAULT_ERROR, SWP_SIM_FAULT_ALONE, 0, 0, help                                   \
	}

const struct swp_sim_fault_row swp_sim_fault_rows[] = {
	ERROR_("throttle", "the protocol's throttling error; retry-after=MS adds x-amz-retry-after"),
	{"server-error", SWP_SIM_FAULT_ERROR, SWP_SIM_FAULT_WITH_NUMBER, 500, 0,
		"an error of this HTTP status: 500, 502, 503, 504"},
	ERROR_("denied-identity-explicit", "refused: explicit deny in an identity-based policy"),
	ERROR_("denied-identity-implicit", "refused: no identity-based policy allows the action"),
	ERROR_("denied-resource-explicit", "refused: explicit deny in a resource-based policy"),
	ERROR_("denied-resource-implicit", "refused: no resource-based policy allows the action"),
	ERROR_("denied-scp", "refused: explicit deny in a service control policy; policy=ARN names it"),
	ERROR_("denied-scp-implicit", "refused: no service control policy allows the action"),
	ERROR_("denied-rcp", "refused: explicit deny in a resource control policy"),
	ERROR_("denied-rcp-implicit", "refused: no resource control policy allows the action"),
	ERROR_("denied-boundary", "refused: explicit deny in a permissions boundary"),
	ERROR_("denied-boundary-implicit", "refused: no permissions boundary allows the action"),
	ERROR_("denied-endpoint", "refused: explicit deny in a VPC endpoint policy"),
	ERROR_("denied-endpoint-implicit", "refused: no VPC endpoint policy allows the action"),
	ERROR_("denied-session", "refused: explicit deny in a session policy"),
	ERROR_("denied-session-implicit", "refused: no session policy allows the action"),
	ERROR_("denied-untold", "refused, without a word about the policy"),
	ERROR_("unauthorized-operation", "refused as EC2 does: UnauthorizedOperation"),
	ERROR_("opt-in-required", "OptInRequired: the account is not subscribed to the service"),
	ERROR_("subscription-required", "SubscriptionRequiredException"),
	ERROR_("feature-gated", "the account is not authorized for this feature"),
	ERROR_("unrecognized-client", "as if the region did not know the key"),
	{"expired-token", SWP_SIM_FAULT_ERROR, SWP_SIM_FAULT_ALONE, 0, 1,
		"the session token has expired; once, if times is not given"},
	{"validation-error", SWP_SIM_FAULT_ERROR, SWP_SIM_FAULT_ALONE, 0, 0,
		"an error that no table knows: ValidationException 400"},
	{"proxy-html", SWP_SIM_FAULT_ERROR, SWP_SIM_FAULT_WITH_NUMBER, 403, 0,
		"a page of a proxy, not AWS's word: HTML, 403, 407 or 502"},
	{"vanish", SWP_SIM_FAULT_STATE, SWP_SIM_FAULT_ALONE, 0, 0,
		"the document that is asked for is not there (any more)"},
	{"followed-gone", SWP_SIM_FAULT_STATE, SWP_SIM_FAULT_ALONE, 0, 0,
		"the same, for documents that another one names"},
	{"slow", SWP_SIM_FAULT_DELIVERY, SWP_SIM_FAULT_WITH_NUMBER, 1000, 0,
		"the answer comes this many milliseconds later"},
	{"hang", SWP_SIM_FAULT_DELIVERY, SWP_SIM_FAULT_ALONE, 0, 0,
		"never answered; the connection stays open"},
	{"truncated", SWP_SIM_FAULT_DELIVERY, SWP_SIM_FAULT_ALONE, 0, 0,
		"Content-Length is larger than the body, then the end"},
	{"reset", SWP_SIM_FAULT_DELIVERY, SWP_SIM_FAULT_ALONE, 0, 0,
		"the connection is reset instead of an answer"},
	{"close-before-answer", SWP_SIM_FAULT_DELIVERY, SWP_SIM_FAULT_ALONE, 0, 0,
		"the connection is closed instead of an answer"},
	{"skewed-date", SWP_SIM_FAULT_DELIVERY, SWP_SIM_FAULT_WITH_NUMBER, 3600, 0,
		"the Date header is this many seconds ahead"},
	{"wrong-content-type", SWP_SIM_FAULT_DELIVERY, SWP_SIM_FAULT_ALONE, 0, 0,
		"the body is right, Content-Type is text/html"},
	{"cut-body", SWP_SIM_FAULT_BODY, SWP_SIM_FAULT_ALONE, 0, 0,
		"half of the body, with that Content-Length"},
	{"garbage", SWP_SIM_FAULT_BODY, SWP_SIM_FAULT_ALONE, 0, 0, "bytes that are nothing"},
	{"empty-body", SWP_SIM_FAULT_BODY, SWP_SIM_FAULT_ALONE, 0, 0, "status 200 and no body"},
	{"huge", SWP_SIM_FAULT_BODY, SWP_SIM_FAULT_WITH_NUMBER, 16777216, 0,
		"the answer with a member of this many bytes beside the others"},
	{"deep", SWP_SIM_FAULT_BODY, SWP_SIM_FAULT_WITH_NUMBER, 1000, 0,
		"the answer with a member nested this deep beside the others"},
	{"missing-member", SWP_SIM_FAULT_BODY, SWP_SIM_FAULT_WITH_PATH, 0, 0,
		"without the member at the path"},
	{"null-member", SWP_SIM_FAULT_BODY, SWP_SIM_FAULT_WITH_PATH, 0, 0,
		"null at the path (XML: an empty element)"},
	{"wrong-type", SWP_SIM_FAULT_BODY, SWP_SIM_FAULT_WITH_PATH, 0, 0,
		"a value of another type at the path"},
	{"endless-pages", SWP_SIM_FAULT_PAGES, SWP_SIM_FAULT_ALONE, 0, 0,
		"every page of the list tells of another one, each with a new token"},
	{"repeated-token", SWP_SIM_FAULT_PAGES, SWP_SIM_FAULT_ALONE, 0, 0,
		"the page gives the token that led to it again"},
	{"empty-page-with-token", SWP_SIM_FAULT_PAGES, SWP_SIM_FAULT_ALONE, 0, 1,
		"an empty page, and the token of the page that was asked for; once, if times is not given"},
	{"nul-in-name", SWP_SIM_FAULT_NAMES, SWP_SIM_FAULT_ALONE, 0, 0,
		"names hold a NUL (XML: a reference to one, which is malformed)"},
	{"escapes-in-name", SWP_SIM_FAULT_NAMES, SWP_SIM_FAULT_ALONE, 0, 0,
		"names hold terminal escapes, a line feed and markup"},
};
const size_t swp_sim_fault_row_count = sizeof swp_sim_fault_rows / sizeof swp_sim_fault_rows[0];

static bool is_kind(const struct swp_sim_fault *fault, const char *name)
{
	return strcmp(swp_sim_fault_rows[fault->kind].name, name) == 0;
}

static int set_text(char *into, size_t size, struct swp_sim_text value)
{
	if (value.size >= size)
		return -1;
	memcpy(into, value.at, value.size);
	into[value.size] = '\0';
	return 0;
}

static int set_kind(struct swp_sim_fault *fault, struct swp_sim_text value)
{
	struct swp_sim_text argument = value;
	struct swp_sim_text name = swp_sim_text_cut(&argument, ':');
	for (unsigned i = 0; i < swp_sim_fault_row_count; i++) {
		const struct swp_sim_fault_row *row = &swp_sim_fault_rows[i];
		if (!swp_sim_text_is(name, row->name))
			continue;
		fault->kind = i;
		fault->number = row->number;
		fault->times = fault->times ? fault->times : row->times;
		if (argument.at == NULL)
			return row->argument == SWP_SIM_FAULT_WITH_PATH ? -1 : 0;
		if (row->argument == SWP_SIM_FAULT_WITH_NUMBER)
			return swp_sim_text_number(argument, &fault->number);
		return row->argument == SWP_SIM_FAULT_WITH_PATH
			       ? set_text(fault->path, sizeof fault->path, argument)
			       : -1;
	}
	return -1;
}

static int set_probability(struct swp_sim_fault *fault, struct swp_sim_text value)
{
	char *copy = swp_sim_copy_text(value), *end;
	fault->probability = strtod(copy, &end);
	bool is_good = *copy != '\0' && *end == '\0' && fault->probability >= 0 && fault->probability <= 1;
	free(copy);
	return is_good ? 0 : -1;
}

/* One member of a fault; 0, -1 bad value, -2 no such member. */
static int set_member(struct swp_sim_fault *fault, struct swp_sim_text name, struct swp_sim_text value)
{
	if (swp_sim_text_is(name, "account"))
		return set_text(fault->account, sizeof fault->account, value);
	if (swp_sim_text_is(name, "region"))
		return set_text(fault->region, sizeof fault->region, value);
	if (swp_sim_text_is(name, "operation"))
		return set_text(fault->operation, sizeof fault->operation, value);
	if (swp_sim_text_is(name, "policy"))
		return set_text(fault->policy, sizeof fault->policy, value);
	if (swp_sim_text_is(name, "times"))
		return swp_sim_text_number(value, &fault->times);
	if (swp_sim_text_is(name, "after"))
		return swp_sim_text_number(value, &fault->after);
	if (swp_sim_text_is(name, "retry-after"))
		return swp_sim_text_number(value, &fault->retry_after_ms);
	if (swp_sim_text_is(name, "probability"))
		return set_probability(fault, value);
	return swp_sim_text_is(name, "kind") ? set_kind(fault, value) : -2;
}

static int set_or_tell(struct swp_sim_fault *fault, struct swp_sim_text name, struct swp_sim_text value,
	struct swp_sim_buffer *error)
{
	int result = set_member(fault, name, value);
	if (result == -1)
		swp_sim_buffer_printf(error, "fault: %.*s cannot be \"%.*s\"; see --list-faults",
			(int)name.size, name.at, (int)value.size, value.at);
	else if (result == -2)
		swp_sim_buffer_printf(error,
			"fault: no member \"%.*s\"; account, region, operation, kind, times, after, "
			"probability, retry-after, "
			"policy",
			(int)name.size, name.at);
	return result ? -1 : 0;
}

static void fault_init(struct swp_sim_fault *fault)
{
	*fault = (struct swp_sim_fault){.kind = UINT32_MAX, .probability = 1};
}

static int check_kind(const struct swp_sim_fault *fault, struct swp_sim_buffer *error)
{
	if (fault->kind != UINT32_MAX)
		return 0;
	swp_sim_buffer_put(error, "fault: kind is asked for; see --list-faults");
	return -1;
}

int swp_sim_fault_parse_option(
	const char *text, struct swp_sim_fault *ret_fault, struct swp_sim_buffer *error)
{
	struct swp_sim_text rest = swp_sim_text_of(text);
	fault_init(ret_fault);
	while (rest.at != NULL) {
		struct swp_sim_text value = swp_sim_text_cut(&rest, ',');
		struct swp_sim_text name = swp_sim_text_cut(&value, '=');
		if (set_or_tell(ret_fault, name, value.at ? value : (struct swp_sim_text){"", 0}, error) != 0)
			return -1;
	}
	return check_kind(ret_fault, error);
}

static int parse_object(const json_t *object, struct swp_sim_fault *fault, struct swp_sim_buffer *error)
{
	const char *name;
	json_t *value;
	fault_init(fault);
	if (!json_is_object(object)) {
		swp_sim_buffer_put(error, "fault: a JSON object is asked for");
		return -1;
	}
	json_object_foreach((json_t *)object, name, value)
	{
		struct swp_sim_buffer text = {0};
		if (json_is_string(value))
			swp_sim_buffer_append(&text, json_string_value(value), json_string_length(value));
		else if (json_is_integer(value) && json_integer_value(value) >= 0)
			swp_sim_buffer_number(&text, (uint64_t)json_integer_value(value));
		else if (json_is_real(value))
			swp_sim_buffer_printf(&text, "%f", json_real_value(value));
		swp_sim_buffer_reserve(&text, 1);
		int result = set_or_tell(fault, swp_sim_text_of(name), swp_sim_buffer_text(&text), error);
		swp_sim_buffer_done(&text);
		if (result != 0)
			return -1;
	}
	return check_kind(fault, error);
}

int swp_sim_faults_add_json(
	struct swp_sim_shared *shared, struct swp_sim_text json, struct swp_sim_buffer *error)
{
	json_error_t where;
	json_t *document = json_loadb(json.at, json.size, JSON_REJECT_DUPLICATES, &where);
	if (document == NULL) {
		swp_sim_buffer_printf(error, "faults: line %d: %s", where.line, where.text);
		return -1;
	}
	const json_t *list = json_is_object(document) ? json_object_get(document, "faults") : document;
	size_t count = json_is_array(list) ? json_array_size(list) : 1;
	int result = 0;
	for (size_t i = 0; i < count && result == 0; i++) {
		struct swp_sim_fault fault;
		result =
			parse_object(json_is_array(list) ? json_array_get(list, i) : document, &fault, error);
		if (result == 0 && swp_sim_faults_add(shared, &fault) != 0) {
			swp_sim_buffer_printf(error, "faults: more than %d", SWP_SIM_FAULTS_MAX);
			result = -1;
		}
	}
	json_decref(document);
	return result;
}

static void lock(struct swp_sim_shared *shared)
{
	while (atomic_flag_test_and_set_explicit(&shared->faults_lock, memory_order_acquire))
		continue;
}

static void unlock(struct swp_sim_shared *shared)
{
	atomic_flag_clear_explicit(&shared->faults_lock, memory_order_release);
}

int swp_sim_faults_add(struct swp_sim_shared *shared, const struct swp_sim_fault *fault)
{
	lock(shared);
	size_t count = atomic_load(&shared->fault_count);
	bool has_room = count < SWP_SIM_FAULTS_MAX;
	if (has_room) {
		memcpy(&shared->faults[count], fault, sizeof *fault);
		atomic_store(&shared->fault_count, count + 1);
	}
	unlock(shared);
	return has_room ? 0 : -1;
}

void swp_sim_faults_clear(struct swp_sim_shared *shared)
{
	lock(shared);
	atomic_store(&shared->fault_count, 0);
	unlock(shared);
}

static void put_text(struct swp_sim_buffer *into, const char *name, const char *value)
{
	if (*value == '\0')
		return;
	swp_sim_buffer_printf(into, ",\"%s\":", name);
	swp_sim_buffer_json(into, swp_sim_text_of(value));
}

void swp_sim_faults_print(struct swp_sim_shared *shared, struct swp_sim_buffer *into)
{
	size_t count = atomic_load(&shared->fault_count);
	swp_sim_buffer_byte(into, '[');
	for (size_t i = 0; i < count; i++) {
		const struct swp_sim_fault *fault = &shared->faults[i];
		swp_sim_buffer_printf(
			into, "%s{\"kind\":\"%s\"", i ? "," : "", swp_sim_fault_rows[fault->kind].name);
		put_text(into, "account", fault->account);
		put_text(into, "region", fault->region);
		put_text(into, "operation", fault->operation);
		put_text(into, "path", fault->path);
		swp_sim_buffer_printf(into, ",\"matched\":%llu,\"injected\":%llu}",
			(unsigned long long)atomic_load(&fault->matched),
			(unsigned long long)atomic_load(&fault->injected));
	}
	swp_sim_buffer_byte(into, ']');
}

static bool glob_or_all(const char *pattern, struct swp_sim_text text)
{
	return *pattern == '\0' || swp_sim_text_glob(text, pattern);
}

static bool matches(const struct swp_sim_fault *fault, const struct swp_sim_call *call)
{
	char name[128];
	const struct swp_sim_account *account = &call->context->world->accounts[call->account];
	if (!glob_or_all(fault->account, swp_sim_text_of(account->id)) &&
		!glob_or_all(fault->account, swp_sim_text_of(account->name)))
		return false;
	if (!glob_or_all(fault->region, swp_sim_text_of(swp_sim_regions[call->region].name)))
		return false;
	int size = snprintf(name, sizeof name, "%s:%s", call->service->name, call->operation->name);
	return glob_or_all(fault->operation, (struct swp_sim_text){name, (size_t)size});
}

/* The same call number of the same fault always gets the same number, whatever came between. */
static bool dice_say_so(const struct swp_sim_fault *fault, uint64_t seed, uint64_t number)
{
	if (fault->probability >= 1)
		return true;
	uint64_t x =
		(seed ^ fault->kind) * UINT64_C(0x9e3779b97f4a7c15) + number * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 31) * UINT64_C(0x94d049bb133111eb);
	return (double)(x >> 11) / 9007199254740992.0 < fault->probability;
}

const struct swp_sim_fault *swp_sim_faults_choose(struct swp_sim_call *call)
{
	struct swp_sim_shared *shared = call->context->shared;
	size_t count = atomic_load_explicit(&shared->fault_count, memory_order_acquire);
	for (size_t i = 0; i < count; i++) {
		struct swp_sim_fault *fault = &shared->faults[i];
		if (!matches(fault, call))
			continue;
		uint64_t number = atomic_fetch_add(&fault->matched, 1);
		if (number < fault->after || !dice_say_so(fault, call->context->world->seed, number))
			continue;
		if (atomic_fetch_add(&fault->injected, 1) >= fault->times && fault->times != 0) {
			atomic_fetch_sub(&fault->injected, 1);
			continue;
		}
		swp_sim_count(&shared->statistics.faults_injected);
		return fault;
	}
	return NULL;
}

bool swp_sim_call_has_fault(const struct swp_sim_call *call, const char *kind)
{
	return call->fault != NULL && is_kind(call->fault, kind);
}

/* The words between "… on resource: R" and the end, by swp_sim_refusal. */
static const struct {
	const char *words;
	bool is_explicit;
} refusal_rows[] = {
	[SWP_SIM_REFUSED_IDENTITY_EXPLICIT] = {"an identity-based policy", true},
	[SWP_SIM_REFUSED_IDENTITY_IMPLICIT] = {"identity-based policy", false},
	[SWP_SIM_REFUSED_RESOURCE_EXPLICIT] = {"a resource-based policy", true},
	[SWP_SIM_REFUSED_RESOURCE_IMPLICIT] = {"resource-based policy", false},
	[SWP_SIM_REFUSED_SCP_EXPLICIT] = {"a service control policy", true},
	[SWP_SIM_REFUSED_SCP_IMPLICIT] = {"service control policy", false},
	[SWP_SIM_REFUSED_RCP_EXPLICIT] = {"a resource control policy", true},
	[SWP_SIM_REFUSED_RCP_IMPLICIT] = {"resource control policy", false},
	[SWP_SIM_REFUSED_BOUNDARY_EXPLICIT] = {"a permissions boundary", true},
	[SWP_SIM_REFUSED_BOUNDARY_IMPLICIT] = {"permissions boundary", false},
	[SWP_SIM_REFUSED_ENDPOINT_EXPLICIT] = {"a VPC endpoint policy", true},
	[SWP_SIM_REFUSED_ENDPOINT_IMPLICIT] = {"VPC endpoint policy", false},
	[SWP_SIM_REFUSED_SESSION_EXPLICIT] = {"a session policy", true},
	[SWP_SIM_REFUSED_SESSION_IMPLICIT] = {"session policy", false},
	[SWP_SIM_REFUSED_UNTOLD] = {NULL, false},
};

/* GetCallerIdentity needs no permission, and has an action all the same. */
static const char *action_of(const struct swp_sim_call *call)
{
	return call->operation->action ? call->operation->action : "sts:GetCallerIdentity";
}

static void put_reason(struct swp_sim_call *call, struct swp_sim_buffer *message,
	enum swp_sim_refusal refusal, const char *policy)
{
	if (refusal_rows[refusal].words == NULL)
		return;
	if (refusal_rows[refusal].is_explicit)
		swp_sim_buffer_printf(message, " with an explicit deny in %s", refusal_rows[refusal].words);
	else
		swp_sim_buffer_printf(message, " because no %s allows the %s action",
			refusal_rows[refusal].words, action_of(call));
	if (policy != NULL && *policy != '\0')
		swp_sim_buffer_printf(message, ": %s", policy);
}

static int refusal_status(const struct swp_sim_call *call)
{
	return call->service->protocol == SWP_SIM_JSON_11 ? 400 : 403;
}

static const char *refusal_code(const struct swp_sim_call *call)
{
	switch (call->service->protocol) {
	case SWP_SIM_EC2_QUERY:
		return "UnauthorizedOperation";
	case SWP_SIM_QUERY:
	case SWP_SIM_REST_XML:
		return "AccessDenied";
	default:
		return "AccessDeniedException";
	}
}

void swp_sim_call_refuse(
	struct swp_sim_call *call, enum swp_sim_refusal refusal, const char *resource, const char *policy)
{
	struct swp_sim_buffer *message = swp_sim_call_scratch(call);
	swp_sim_buffer_put(message, "User: ");
	swp_sim_call_put_caller_arn(call, message);
	swp_sim_buffer_printf(message, " is not authorized to perform: %s on resource: ", action_of(call));
	if (resource != NULL)
		swp_sim_buffer_put(message, resource);
	else
		swp_sim_buffer_printf(message, "arn:%s:%s:%s:%s:*", call->context->world->partition->name,
			call->service->signing_name, swp_sim_regions[call->region].name,
			call->context->world->accounts[call->account].id);
	put_reason(call, message, refusal, policy);
	swp_sim_call_fail(
		call, refusal_status(call), refusal_code(call), "%s", swp_sim_buffer_string(message));
}

static const struct {
	const char *kind;
	enum swp_sim_refusal refusal;
} denials[] = {
	{"denied-identity-explicit", SWP_SIM_REFUSED_IDENTITY_EXPLICIT},
	{"denied-identity-implicit", SWP_SIM_REFUSED_IDENTITY_IMPLICIT},
	{"denied-resource-explicit", SWP_SIM_REFUSED_RESOURCE_EXPLICIT},
	{"denied-resource-implicit", SWP_SIM_REFUSED_RESOURCE_IMPLICIT},
	{"denied-scp", SWP_SIM_REFUSED_SCP_EXPLICIT},
	{"denied-scp-implicit", SWP_SIM_REFUSED_SCP_IMPLICIT},
	{"denied-rcp", SWP_SIM_REFUSED_RCP_EXPLICIT},
	{"denied-rcp-implicit", SWP_SIM_REFUSED_RCP_IMPLICIT},
	{"denied-boundary", SWP_SIM_REFUSED_BOUNDARY_EXPLICIT},
	{"denied-boundary-implicit", SWP_SIM_REFUSED_BOUNDARY_IMPLICIT},
	{"denied-endpoint", SWP_SIM_REFUSED_ENDPOINT_EXPLICIT},
	{"denied-endpoint-implicit", SWP_SIM_REFUSED_ENDPOINT_IMPLICIT},
	{"denied-session", SWP_SIM_REFUSED_SESSION_EXPLICIT},
	{"denied-session-implicit", SWP_SIM_REFUSED_SESSION_IMPLICIT},
	{"denied-untold", SWP_SIM_REFUSED_UNTOLD},
};

static void throttle(struct swp_sim_call *call)
{
	swp_sim_call_fail(
		call, call->service->throttle_status, call->service->throttle_code, "Rate exceeded");
	if (call->fault->retry_after_ms)
		swp_sim_buffer_printf(call->extra_headers, "x-amz-retry-after: %llu\r\n",
			(unsigned long long)call->fault->retry_after_ms);
}

static void server_error(struct swp_sim_call *call)
{
	bool is_away = call->fault->number == 503;
	bool is_rest = call->service->protocol == SWP_SIM_REST_JSON;
	const char *code = is_away   ? is_rest ? "ServiceUnavailableException" : "ServiceUnavailable"
			   : is_rest ? "InternalServerException"
				     : "InternalFailure";
	swp_sim_call_fail(call, (int)call->fault->number, code,
		is_away ? "Service is unavailable" : "We encountered an internal error.");
}

static void unauthorized_operation(struct swp_sim_call *call)
{
	swp_sim_call_fail(call, 403, "UnauthorizedOperation",
		"You are not authorized to perform this operation. User: arn:aws:sts::%s:assumed-role is not "
		"authorized to "
		"perform: %s because no identity-based policy allows the %s action",
		call->context->world->accounts[call->account].id, action_of(call), action_of(call));
}

static void opt_in_required(struct swp_sim_call *call)
{
	swp_sim_call_fail(call, 403, "OptInRequired",
		"You are not subscribed to this service. Please go to http://aws.amazon.com to subscribe.");
}

static void subscription_required(struct swp_sim_call *call)
{
	swp_sim_call_fail(call, refusal_status(call), "SubscriptionRequiredException",
		"The AWS Access Key Id needs a subscription for the service");
}

static void feature_gated(struct swp_sim_call *call)
{
	swp_sim_call_fail(call, refusal_status(call), refusal_code(call),
		"Your account is not authorized to invoke this API operation.");
}

static void unrecognized_client(struct swp_sim_call *call)
{
	bool is_json =
		call->service->protocol == SWP_SIM_JSON_11 || call->service->protocol == SWP_SIM_REST_JSON;
	swp_sim_call_fail(call, refusal_status(call),
		is_json ? "UnrecognizedClientException" : "InvalidClientTokenId",
		"The security token included in the request is invalid.");
}

static void expired_token(struct swp_sim_call *call)
{
	bool is_json =
		call->service->protocol == SWP_SIM_JSON_11 || call->service->protocol == SWP_SIM_REST_JSON;
	swp_sim_call_fail(call, refusal_status(call), is_json ? "ExpiredTokenException" : "ExpiredToken",
		"The security token included in the request is expired");
}

static void validation_error(struct swp_sim_call *call)
{
	swp_sim_call_fail(call, 400, "ValidationException", "The input is not what this service wants.");
}

static void proxy_html(struct swp_sim_call *call)
{
	swp_sim_call_clear_body(call);
	call->status = (int)call->fault->number;
	call->content_type = "text/html";
	call->request_id[0] = '\0';
	swp_sim_buffer_printf(call->body,
		"<html><head><title>%d</title></head><body><h1>The proxy does not let you "
		"through</h1></body></html>\n",
		call->status);
}

static void gone(struct swp_sim_call *call)
{
	swp_sim_call_fail_missing(call, SWP_SIM_TEXT("it"));
}

static const struct {
	const char *kind;
	void (*answer)(struct swp_sim_call *);
} answers[] = {
	{"throttle", throttle},
	{"server-error", server_error},
	{"unauthorized-operation", unauthorized_operation},
	{"opt-in-required", opt_in_required},
	{"subscription-required", subscription_required},
	{"feature-gated", feature_gated},
	{"unrecognized-client", unrecognized_client},
	{"expired-token", expired_token},
	{"validation-error", validation_error},
	{"proxy-html", proxy_html},
	{"vanish", gone},
	{"followed-gone", gone},
};

bool swp_sim_fault_answers(struct swp_sim_call *call)
{
	for (size_t i = 0; i < sizeof denials / sizeof denials[0]; i++) {
		if (is_kind(call->fault, denials[i].kind)) {
			swp_sim_call_refuse(call, denials[i].refusal, NULL, call->fault->policy);
			return true;
		}
	}
	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		if (is_kind(call->fault, answers[i].kind)) {
			answers[i].answer(call);
			return true;
		}
	}
	return false;
}

enum swp_sim_delivery swp_sim_fault_delivery(const struct swp_sim_fault *fault, uint64_t *ret_delay_ms)
{
	if (is_kind(fault, "slow"))
		*ret_delay_ms = fault->number;
	if (is_kind(fault, "hang"))
		return SWP_SIM_DELIVER_NOTHING;
	if (is_kind(fault, "truncated"))
		return SWP_SIM_DELIVER_THEN_CLOSE;
	if (is_kind(fault, "reset"))
		return SWP_SIM_RESET;
	return is_kind(fault, "close-before-answer") ? SWP_SIM_CLOSE_BEFORE_ANSWER : SWP_SIM_DELIVER;
}

void swp_sim_faults_list(FILE *file)
{
	static const char *const arguments[] = {"", ":NUMBER", ":PATH"};
	fputs("| kind | what happens |\n|---|---|\n", file);
	for (size_t i = 0; i < swp_sim_fault_row_count; i++) {
		const struct swp_sim_fault_row *row = &swp_sim_fault_rows[i];
		fprintf(file, "| `%s%s` | %s", row->name, arguments[row->argument], row->help);
		if (row->argument == SWP_SIM_FAULT_WITH_NUMBER)
			fprintf(file, "; %llu if not given", (unsigned long long)row->number);
		fputs(" |\n", file);
	}
}
