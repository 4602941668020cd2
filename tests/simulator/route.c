/* Which operation does a request ask for? See route.h. */
#include "tests/simulator/route.h"

#include "tests/simulator/signature.h"

#include <stdlib.h>

/* Power of two, several times the number of operations. */
#define NAME_SLOTS 1024

struct named {
	const struct swp_sim_service *service;
	const struct swp_sim_operation *operation;
	unsigned number;
};

struct swp_sim_router {
	struct named names[NAME_SLOTS]; /* JSON 1.1 and query operations by service and name */
	unsigned first_number[64];	/* of each service */
	struct swp_sim_buffer parts[SWP_SIM_URI_PARTS_MAX];
	struct swp_sim_buffer bucket;
};

static size_t name_slot(const struct swp_sim_service *service, struct swp_sim_text name)
{
	return swp_sim_text_hash(SWP_SIM_HASH_START ^ (uintptr_t)service, name) & (NAME_SLOTS - 1);
}

static bool is_named(const struct swp_sim_service *service)
{
	return service->protocol == SWP_SIM_JSON_11 || service->protocol == SWP_SIM_QUERY ||
	       service->protocol == SWP_SIM_EC2_QUERY;
}

struct swp_sim_router *swp_sim_router_new(void)
{
	struct swp_sim_router *router = swp_sim_allocate_zeroed(1, sizeof *router);
	unsigned number = 0;
	for (size_t s = 0; s < swp_sim_service_count; s++) {
		const struct swp_sim_service *service = swp_sim_services[s];
		router->first_number[s] = number;
		for (size_t o = 0; o < service->operation_count; o++, number++) {
			size_t at = name_slot(service, swp_sim_text_of(service->operations[o].name));
			if (!is_named(service))
				continue;
			while (router->names[at].operation != NULL)
				at = (at + 1) & (NAME_SLOTS - 1);
			router->names[at] = (struct named){service, &service->operations[o], number};
		}
	}
	return router;
}

void swp_sim_router_free(struct swp_sim_router *router)
{
	if (router == NULL)
		return;
	for (size_t i = 0; i < SWP_SIM_URI_PARTS_MAX; i++)
		swp_sim_buffer_done(&router->parts[i]);
	swp_sim_buffer_done(&router->bucket);
	free(router);
}

static void find_named(
	const struct swp_sim_router *router, struct swp_sim_call *call, struct swp_sim_text name)
{
	for (size_t at = name_slot(call->service, name); router->names[at].operation != NULL;
		at = (at + 1) & (NAME_SLOTS - 1)) {
		const struct named *named = &router->names[at];
		if (named->service != call->service || !swp_sim_text_is(name, named->operation->name))
			continue;
		call->operation = named->operation;
		call->operation_number = named->number;
		return;
	}
}

static void route_target(
	const struct swp_sim_router *router, struct swp_sim_call *call, struct swp_sim_text target)
{
	struct swp_sim_text name = target;
	for (size_t i = target.size; i > 0; i--) {
		if (target.at[i - 1] == '.') {
			name = (struct swp_sim_text){target.at + i, target.size - i};
			target.size = i - 1;
			break;
		}
	}
	for (size_t s = 0; s < swp_sim_service_count; s++) {
		const char *prefix = swp_sim_services[s]->target_prefix;
		if (prefix == NULL || !swp_sim_text_is(target, prefix))
			continue;
		call->service = swp_sim_services[s];
		find_named(router, call, name);
		return;
	}
}

/* Value of Action= in a form. */
static struct swp_sim_text action_of(struct swp_sim_text form)
{
	while (form.size) {
		struct swp_sim_text value = swp_sim_text_cut(&form, '&');
		if (swp_sim_text_is(swp_sim_text_cut(&value, '='), "Action"))
			return value;
	}
	return (struct swp_sim_text){NULL, 0};
}

static const struct swp_sim_service *service_signed_for(struct swp_sim_text signing_name)
{
	for (size_t s = 0; s < swp_sim_service_count; s++) {
		if (swp_sim_text_is(signing_name, swp_sim_services[s]->signing_name))
			return swp_sim_services[s];
	}
	return NULL;
}

/* First label of a real host name; api.sagemaker counts as one. Empty for addresses and localhost. */
static bool host_is_of(struct swp_sim_text host, const char *prefix)
{
	return swp_sim_text_starts(host, prefix) && host.size > strlen(prefix) &&
	       host.at[strlen(prefix)] == '.';
}

static void query_protocol(const struct swp_sim_router *router, struct swp_sim_call *call,
	struct swp_sim_text signing_name, struct swp_sim_text action)
{
	call->service = service_signed_for(signing_name);
	for (size_t s = 0; call->service == NULL && s < swp_sim_service_count; s++) {
		if (host_is_of(call->request->host, swp_sim_services[s]->host_prefix))
			call->service = swp_sim_services[s];
	}
	if (call->service == NULL)
		call->service = service_signed_for(SWP_SIM_TEXT("sts"));
	if (is_named(call->service))
		find_named(router, call, action);
}

/* Matches a path against a template; the parts taken by {…} are decoded into the router's buffers. */
static bool match_path(struct swp_sim_router *router, struct swp_sim_call *call, struct swp_sim_text template,
	struct swp_sim_text path)
{
	size_t parts = 0;
	while (template.at != NULL && path.at != NULL) {
		struct swp_sim_text want = swp_sim_text_cut(&template, '/'),
				    have = swp_sim_text_cut(&path, '/');
		if (want.size == 0 || want.at[0] != '{') {
			if (!swp_sim_text_equal(want, have))
				return false;
			continue;
		}
		if (have.size == 0 || parts == SWP_SIM_URI_PARTS_MAX)
			return false;
		swp_sim_buffer_clear(&router->parts[parts]);
		swp_sim_buffer_uri_decoded(&router->parts[parts], have, false);
		call->uri_parts[parts] = swp_sim_buffer_text(&router->parts[parts]);
		parts++;
	}
	return template.at == NULL && path.at == NULL;
}

static bool query_has(struct swp_sim_text query, struct swp_sim_text name)
{
	while (query.size) {
		struct swp_sim_text part = swp_sim_text_cut(&query, '&');
		if (swp_sim_text_equal(swp_sim_text_cut(&part, '='), name))
			return true;
	}
	return false;
}

static bool match_rest(struct swp_sim_router *router, struct swp_sim_call *call,
	const struct swp_sim_operation *operation, struct swp_sim_text path)
{
	struct swp_sim_text wanted = swp_sim_text_of(operation->uri);
	struct swp_sim_text template = swp_sim_text_cut(&wanted, '?');
	if (!swp_sim_text_is(call->request->method, operation->method))
		return false;
	if (wanted.at != NULL && !query_has(call->request->query, wanted))
		return false;
	return match_path(router, call, template, path);
}

static bool rest_service(
	struct swp_sim_router *router, struct swp_sim_call *call, size_t s, struct swp_sim_text path)
{
	const struct swp_sim_service *service = swp_sim_services[s];
	for (size_t o = 0; o < service->operation_count; o++) {
		if (match_rest(router, call, &service->operations[o], path)) {
			call->service = service;
			call->operation = &service->operations[o];
			call->operation_number = router->first_number[s] + (unsigned)o;
			return true;
		}
	}
	return false;
}

/* BUCKET.s3.REGION.… becomes the path /BUCKET/…, so that one template serves both styles. */
static struct swp_sim_text s3_path(struct swp_sim_router *router, struct swp_sim_call *call)
{
	struct swp_sim_text host = call->request->host, path = call->request->path;
	const char *dot = host.size ? memmem(host.at, host.size, ".s3.", 4) : NULL;
	struct swp_sim_text rest = path;
	swp_sim_buffer_clear(&router->bucket);
	if (dot == NULL) {
		(void)swp_sim_text_cut(&rest, '/');
		struct swp_sim_text bucket =
			rest.at ? swp_sim_text_cut(&rest, '/') : (struct swp_sim_text){"", 0};
		swp_sim_buffer_byte(&router->bucket, '/');
		swp_sim_buffer_text_put(&router->bucket, bucket);
	} else {
		swp_sim_buffer_byte(&router->bucket, '/');
		swp_sim_buffer_append(&router->bucket, host.at, (size_t)(dot - host.at));
	}
	struct swp_sim_text made = swp_sim_buffer_text(&router->bucket);
	call->bucket = (struct swp_sim_text){made.at + 1, made.size - 1};
	return made;
}

/* Has the host a name of another REST service that signs alike? A single endpoint's host is of none. */
static bool host_is_another(const struct swp_sim_call *call, const struct swp_sim_service *service)
{
	if (host_is_of(call->request->host, service->host_prefix))
		return false;
	for (size_t s = 0; s < swp_sim_service_count; s++) {
		if (host_is_of(call->request->host, swp_sim_services[s]->host_prefix))
			return true;
	}
	return false;
}

static void route_rest(
	struct swp_sim_router *router, struct swp_sim_call *call, struct swp_sim_text signing_name)
{
	const struct swp_sim_service *last = NULL;
	for (size_t s = 0; s < swp_sim_service_count; s++) {
		const struct swp_sim_service *service = swp_sim_services[s];
		bool is_s3 = service->protocol == SWP_SIM_REST_XML;
		if (is_named(service) ||
			(signing_name.size && !swp_sim_text_is(signing_name, service->signing_name)))
			continue;
		if (!is_s3 && host_is_another(call, service))
			continue;
		if (signing_name.size || last == NULL)
			last = service;
		if (is_s3 && signing_name.size == 0)
			continue; /* its templates would take any path */
		if (rest_service(router, call, s, is_s3 ? s3_path(router, call) : call->request->path))
			return;
	}
	call->service = signing_name.size ? last : NULL;
	if (call->service == NULL)
		call->service = service_signed_for(signing_name);
}

void swp_sim_route(struct swp_sim_router *router, struct swp_sim_call *call)
{
	const struct swp_sim_request *request = call->request;
	struct swp_sim_authorization authorization = {0};
	struct swp_sim_text signing_name = {"", 0}, action;
	if (request->target.size) {
		route_target(router, call, request->target);
		if (call->service != NULL)
			return;
	}
	if (swp_sim_authorization_parse(request->authorization, &authorization) == 0)
		signing_name = authorization.service;
	if (swp_sim_text_starts(request->content_type, "application/x-www-form-urlencoded"))
		action = action_of(request->body);
	else
		action = action_of(request->query);
	if (action.at != NULL)
		query_protocol(router, call, signing_name, action);
	else
		route_rest(router, call, signing_name);
}
