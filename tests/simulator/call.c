/* Parameters of a call, pages, and the two common answers. See call.h. */
#include "tests/simulator/call.h"

#include "tests/simulator/credentials.h"
#include "tests/simulator/faults.h"
#include "tests/simulator/json-text.h"

#include <stdio.h>

struct swp_sim_buffer *swp_sim_call_scratch(struct swp_sim_call *call)
{
	struct swp_sim_buffer *scratch =
		&call->context->scratch[call->scratch_used++ % SWP_SIM_SCRATCH_COUNT];
	swp_sim_buffer_clear(scratch);
	return scratch;
}

static const struct swp_sim_text absent = {NULL, 0};

/* Member of name=value&… text, decoded. */
static struct swp_sim_text form_parameter(
	struct swp_sim_call *call, struct swp_sim_text form, const char *name)
{
	size_t size = strlen(name);
	while (form.size) {
		struct swp_sim_text value = swp_sim_text_cut(&form, '&');
		struct swp_sim_text have = swp_sim_text_cut(&value, '=');
		if (have.size != size || memcmp(have.at, name, size) != 0)
			continue;
		struct swp_sim_buffer *decoded = swp_sim_call_scratch(call);
		swp_sim_buffer_uri_decoded(decoded, value, true);
		swp_sim_buffer_reserve(decoded, 1); /* so that an empty value has an address */
		return swp_sim_buffer_text(decoded);
	}
	return absent;
}

static struct swp_sim_text json_parameter(struct swp_sim_call *call, const char *name)
{
	struct swp_sim_text value;
	if (!swp_sim_json_member(call->request->body, swp_sim_text_of(name), &value))
		return absent;
	char kind = swp_sim_json_kind(value);
	if (kind == '{' || kind == '[' || kind == 'n')
		return absent;
	if (kind == '"' && memchr(value.at, '\\', value.size) == NULL)
		return (struct swp_sim_text){value.at + 1, value.size - 2};
	struct swp_sim_buffer *decoded = swp_sim_call_scratch(call);
	swp_sim_buffer_reserve(decoded, 1);
	swp_sim_json_string(decoded, value);
	return swp_sim_buffer_text(decoded);
}

static bool is_form(const struct swp_sim_call *call)
{
	return call->service->protocol == SWP_SIM_QUERY || call->service->protocol == SWP_SIM_EC2_QUERY;
}

/* Where a query protocol's parameters are: the body, or the query string of a GET. */
static struct swp_sim_text form_of(const struct swp_sim_call *call)
{
	return call->request->body.size ? call->request->body : call->request->query;
}

static struct swp_sim_text uri_parameter(const struct swp_sim_call *call, const char *name)
{
	const char *at = call->operation->uri;
	for (size_t i = 0; (at = strchr(at, '{')) != NULL && i < SWP_SIM_URI_PARTS_MAX; i++) {
		const char *end = strchr(at, '}');
		struct swp_sim_text have = {at + 1, (size_t)(end - at - 1)};
		if (swp_sim_text_is(have, name))
			return call->uri_parts[i];
		at = end;
	}
	return absent;
}

struct swp_sim_text swp_sim_call_parameter(
	struct swp_sim_call *call, const char *name, enum swp_sim_place place)
{
	if (place == SWP_SIM_IN_URI)
		return uri_parameter(call, name);
	if (place == SWP_SIM_IN_QUERY)
		return form_parameter(call, call->request->query, name);
	if (is_form(call))
		return form_parameter(call, form_of(call), name);
	return json_parameter(call, name);
}

static bool json_list_has(struct swp_sim_call *call, const char *name, const struct swp_sim_text *element)
{
	struct swp_sim_text list, ignored, value;
	struct swp_sim_json_walk walk;
	struct swp_sim_buffer *decoded = swp_sim_call_scratch(call);
	if (!swp_sim_json_member(call->request->body, swp_sim_text_of(name), &list) ||
		swp_sim_json_kind(list) != '[')
		return false;
	swp_sim_json_walk_init(&walk, list);
	while (swp_sim_json_walk_next(&walk, &ignored, &value)) {
		swp_sim_buffer_clear(decoded);
		swp_sim_json_string(decoded, value);
		if (element == NULL || swp_sim_text_equal(swp_sim_buffer_text(decoded), *element))
			return true;
	}
	return false;
}

/* Name.1, Name.2 (EC2) and Name.member.1 (query) are elements of Name. */
static bool form_list_has(struct swp_sim_call *call, const char *name, const struct swp_sim_text *element)
{
	struct swp_sim_text form = form_of(call);
	struct swp_sim_buffer *decoded = swp_sim_call_scratch(call);
	size_t size = strlen(name);
	while (form.size) {
		struct swp_sim_text value = swp_sim_text_cut(&form, '&');
		struct swp_sim_text have = swp_sim_text_cut(&value, '=');
		if (have.size <= size || memcmp(have.at, name, size) != 0 || have.at[size] != '.')
			continue;
		swp_sim_buffer_clear(decoded);
		swp_sim_buffer_uri_decoded(decoded, value, true);
		if (element == NULL || swp_sim_text_equal(swp_sim_buffer_text(decoded), *element))
			return true;
	}
	return false;
}

bool swp_sim_call_list_has(struct swp_sim_call *call, const char *name, struct swp_sim_text element)
{
	return is_form(call) ? form_list_has(call, name, &element) : json_list_has(call, name, &element);
}

bool swp_sim_call_has_list(struct swp_sim_call *call, const char *name)
{
	return is_form(call) ? form_list_has(call, name, NULL) : json_list_has(call, name, NULL);
}

const struct swp_sim_shelf *swp_sim_call_shelf(struct swp_sim_call *call, enum swp_sim_collection collection)
{
	return swp_sim_world_shelf(call->context->world, call->account, call->region, collection);
}

void swp_sim_call_put_caller_arn(struct swp_sim_call *call, struct swp_sim_buffer *into)
{
	const struct swp_sim_world *world = call->context->world;
	const struct swp_sim_principal *principal = call->principal;
	swp_sim_buffer_printf(into, "arn:%s:%s::%s:%s/%s", world->partition->name,
		principal->token ? "sts" : "iam", world->accounts[principal->account].id,
		principal->token ? "assumed-role" : "user", principal->name);
}

/* Ties a token to the operation and the account, so that one list's token is refused by another. */
static uint32_t token_check(const struct swp_sim_call *call, size_t first)
{
	uint64_t hash = SWP_SIM_HASH_START ^ call->context->world->seed;
	hash = swp_sim_text_hash(hash, swp_sim_text_of(call->operation->name));
	hash = swp_sim_text_hash(hash, swp_sim_text_of(call->context->world->accounts[call->account].id));
	hash = (hash ^ first) * UINT64_C(1099511628211);
	return (uint32_t)(hash ^ hash >> 32);
}

void swp_sim_call_token(const struct swp_sim_call *call, size_t first, char ret_token[64])
{
	snprintf(ret_token, 64, "eyJ%010zx%08xfQ", first, token_check(call, first));
}

static bool read_token(const struct swp_sim_call *call, struct swp_sim_text token, size_t *ret_first)
{
	char expected[64];
	uint64_t first = 0;
	if (token.size != 23)
		return false;
	for (size_t i = 3; i < 13; i++) {
		char c = token.at[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
		first = first * 16 + (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	swp_sim_call_token(call, (size_t)first, expected);
	*ret_first = (size_t)first;
	return swp_sim_text_is(token, expected);
}

static bool read_limit(struct swp_sim_call *call, size_t *ret_limit)
{
	const struct swp_sim_paging *paging = &call->operation->paging;
	size_t cap = paging->page_cap ? paging->page_cap : paging->page_max;
	uint64_t limit = paging->page_default ? paging->page_default : paging->page_max;
	struct swp_sim_text value =
		paging->limit ? swp_sim_call_parameter(call, paging->limit, paging->place) : absent;
	if (value.at != NULL &&
		(swp_sim_text_number(value, &limit) != 0 || limit == 0 || limit > paging->page_max)) {
		swp_sim_call_fail(call, 400, "ValidationException",
			"1 validation error detected: Value '%.*s' at '%s' failed to satisfy constraint: "
			"Member must have "
			"value less than or equal to %u",
			(int)value.size, value.at, paging->limit, paging->page_max);
		return false;
	}
	if (call->context->page_cap && call->context->page_cap < cap)
		cap = call->context->page_cap;
	*ret_limit = limit < cap ? (size_t)limit : cap;
	return true;
}

/* Faults that play with tokens; see faults.c for what each is for. */
static void spoil_page(struct swp_sim_call *call, struct swp_sim_page *page, size_t first)
{
	if (swp_sim_call_has_fault(call, "endless-pages")) {
		page->has_more = true;
		swp_sim_call_token(call, first + 1, page->token);
		page->first = 0;
	} else if (swp_sim_call_has_fault(call, "repeated-token")) {
		page->has_more = true;
		swp_sim_call_token(call, first ? first : 1, page->token);
		page->first = 0;
	} else if (swp_sim_call_has_fault(call, "empty-page-with-token")) {
		page->has_more = true;
		page->count = 0;
		swp_sim_call_token(call, first, page->token);
	}
}

bool swp_sim_call_page(struct swp_sim_call *call, size_t total, struct swp_sim_page *ret_page)
{
	const struct swp_sim_paging *paging = &call->operation->paging;
	size_t first = 0, limit = total;
	struct swp_sim_text token = absent;
	*ret_page = (struct swp_sim_page){.count = total};
	if (paging->token_in == NULL)
		return true;
	if (!read_limit(call, &limit))
		return false;
	token = swp_sim_call_parameter(call, paging->token_in, paging->place);
	if (token.size && !read_token(call, token, &first)) {
		swp_sim_call_fail(call, 400, "ValidationException",
			"Invalid token: the token is not valid for this list.");
		return false;
	}
	size_t left = first < total ? total - first : 0;
	ret_page->first = first < total ? first : total;
	ret_page->count = left < limit ? left : limit;
	ret_page->has_more = left > limit;
	swp_sim_call_token(call, first + limit, ret_page->token);
	if (call->fault != NULL) {
		spoil_page(call, ret_page, first);
		if (ret_page->first == 0 && first != 0 && ret_page->count == 0)
			ret_page->count = total < limit ? total : limit;
	}
	return true;
}

void swp_sim_call_put_page_end(struct swp_sim_call *call, const struct swp_sim_page *page)
{
	const struct swp_sim_paging *paging = &call->operation->paging;
	bool is_json =
		call->service->protocol == SWP_SIM_JSON_11 || call->service->protocol == SWP_SIM_REST_JSON;
	if (paging->truncated != NULL) {
		swp_sim_buffer_printf(call->body, is_json ? ",\"%s\":%s" : "<%s>%s", paging->truncated,
			page->has_more ? "true" : "false");
		if (!is_json)
			swp_sim_buffer_printf(call->body, "</%s>", paging->truncated);
	}
	if (!page->has_more)
		return;
	if (is_json)
		swp_sim_buffer_printf(call->body, ",\"%s\":\"%s\"", paging->token_out, page->token);
	else
		swp_sim_xml_element(call->body, paging->token_out, swp_sim_text_of(page->token));
}

/* A name that a fault has spoiled means the document of the plain name. */
static struct swp_sim_text without_spoiling(struct swp_sim_text key)
{
	if (swp_sim_text_ends(key, SWP_SIM_NAME_WITH_ESCAPES))
		key.size -= sizeof SWP_SIM_NAME_WITH_ESCAPES - 1;
	else if (key.size > 4 && memcmp(key.at + key.size - 4, SWP_SIM_NAME_WITH_NUL, 4) == 0)
		key.size -= 4;
	return key;
}

/* The keys the request gives. False, and the call failed, when one is missing. */
static bool read_keys(struct swp_sim_call *call, struct swp_sim_text keys[SWP_SIM_KEY_MAX], size_t *ret_count)
{
	const struct swp_sim_operation *operation = call->operation;
	size_t count = 0;
	for (; count < SWP_SIM_KEY_MAX && operation->keys[count].name != NULL; count++) {
		keys[count] = without_spoiling(swp_sim_call_parameter(
			call, operation->keys[count].name, operation->keys[count].place));
		if (keys[count].size == 0) {
			swp_sim_call_fail(call, 400, "ValidationException",
				"1 validation error detected: Value null at '%s' failed to satisfy "
				"constraint: Member must "
				"not be null",
				operation->keys[count].name);
			return false;
		}
	}
	*ret_count = count;
	return true;
}

static bool belongs(
	const struct swp_sim_resource *resource, const struct swp_sim_text *keys, size_t key_count)
{
	for (size_t i = 0; i < key_count; i++) {
		if (!swp_sim_text_equal(resource->keys[i], keys[i]))
			return false;
	}
	return true;
}

void swp_sim_answer_list(struct swp_sim_call *call)
{
	const struct swp_sim_shelf *shelf = swp_sim_call_shelf(call, call->operation->collection);
	struct swp_sim_text keys[SWP_SIM_KEY_MAX];
	struct swp_sim_page page;
	size_t key_count, total = shelf->count, seen = 0, written = 0;
	if (!read_keys(call, keys, &key_count))
		return;
	if (key_count) {
		total = 0;
		for (size_t i = 0; i < shelf->count; i++)
			total += belongs(&shelf->items[i], keys, key_count);
	}
	if (!swp_sim_call_page(call, total, &page))
		return;
	swp_sim_buffer_put(call->body, "{\"");
	swp_sim_buffer_put(call->body, call->operation->member);
	swp_sim_buffer_put(call->body, "\":[");
	for (size_t i = key_count ? 0 : page.first; i < shelf->count && written < page.count; i++) {
		if (key_count && (!belongs(&shelf->items[i], keys, key_count) || seen++ < page.first))
			continue;
		if (written++)
			swp_sim_buffer_byte(call->body, ',');
		swp_sim_buffer_text_put(call->body, shelf->items[i].summary);
	}
	swp_sim_buffer_byte(call->body, ']');
	swp_sim_call_put_page_end(call, &page);
	swp_sim_buffer_byte(call->body, '}');
}

void swp_sim_answer_document(struct swp_sim_call *call)
{
	const struct swp_sim_shelf *shelf = swp_sim_call_shelf(call, call->operation->collection);
	struct swp_sim_text keys[SWP_SIM_KEY_MAX];
	size_t key_count;
	if (!read_keys(call, keys, &key_count))
		return;
	const struct swp_sim_resource *resource = swp_sim_shelf_find(shelf, keys, key_count);
	if (resource == NULL || resource->detail.size == 0) {
		swp_sim_call_fail_missing(call, keys[key_count - 1]);
		return;
	}
	if (call->operation->member == NULL) {
		swp_sim_buffer_text_put(call->body, resource->detail);
		return;
	}
	swp_sim_buffer_printf(call->body, "{\"%s\":", call->operation->member);
	swp_sim_buffer_text_put(call->body, resource->detail);
	swp_sim_buffer_byte(call->body, '}');
}

void swp_sim_answer_single(struct swp_sim_call *call)
{
	const struct swp_sim_shelf *shelf = swp_sim_call_shelf(call, call->operation->collection);
	if (shelf->count == 0)
		swp_sim_buffer_put(call->body, "{}");
	else
		swp_sim_buffer_text_put(call->body, shelf->items[0].detail);
}
