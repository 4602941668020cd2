/* The simulator's own questions, below /_simulator/: unsigned, loopback only by where it listens. See dispatch.h. */
#include "tests/simulator/dispatch.h"
#include "tests/simulator/json-text.h"

#include <stdlib.h>

static void put_counter(struct swp_sim_buffer *into, const char *name, int64_t value)
{
	swp_sim_buffer_printf(
		into, "%s\"%s\":%lld", into->data[into->size - 1] == '{' ? "" : ",", name, (long long)value);
}

static void put_operations(struct swp_sim_buffer *into, struct swp_sim_statistics *statistics)
{
	const char *service, *operation, *separator = "";
	swp_sim_buffer_put(into, ",\"by_operation\":{");
	for (unsigned i = 0;; i++) {
		swp_sim_operation_name(i, &service, &operation);
		if (service == NULL)
			break;
		uint64_t count = atomic_load(&statistics->by_operation[i]);
		if (count == 0)
			continue;
		swp_sim_buffer_printf(
			into, "%s\"%s:%s\":%llu", separator, service, operation, (unsigned long long)count);
		separator = ",";
	}
	swp_sim_buffer_byte(into, '}');
}

static void put_statuses(struct swp_sim_buffer *into, struct swp_sim_statistics *statistics)
{
	const char *separator = "";
	swp_sim_buffer_put(into, ",\"by_status\":{");
	for (unsigned i = 0; i < SWP_SIM_STATUS_MAX; i++) {
		uint64_t count = atomic_load(&statistics->by_status[i]);
		if (count == 0)
			continue;
		swp_sim_buffer_printf(into, "%s\"%u\":%llu", separator, i, (unsigned long long)count);
		separator = ",";
	}
	swp_sim_buffer_byte(into, '}');
}

static void put_accounts(struct swp_sim_buffer *into, const struct swp_sim_context *context)
{
	const char *separator = "";
	swp_sim_buffer_put(into, ",\"by_account\":{");
	for (size_t i = 0; i < context->world->account_count; i++) {
		uint64_t count = atomic_load(&context->shared->by_account[i]);
		if (count == 0)
			continue;
		swp_sim_buffer_printf(into, "%s\"%s\":%llu", separator, context->world->accounts[i].id,
			(unsigned long long)count);
		separator = ",";
	}
	swp_sim_buffer_byte(into, '}');
}

static int get_statistics(
	struct swp_sim_context *context, const struct swp_sim_request *request, struct swp_sim_buffer *body)
{
	struct swp_sim_statistics *now = &context->shared->statistics;
	(void)request;
	swp_sim_buffer_byte(body, '{');
	put_counter(body, "requests", (int64_t)atomic_load(&now->requests));
	put_counter(body, "control_requests", (int64_t)atomic_load(&now->control_requests));
	put_counter(body, "connections_accepted", (int64_t)atomic_load(&now->connections_accepted));
	put_counter(body, "connections_open", atomic_load(&now->connections_open));
	put_counter(body, "connections_peak", atomic_load(&now->connections_peak));
	put_counter(body, "tls_handshakes", (int64_t)atomic_load(&now->tls_handshakes));
	put_counter(body, "tls_resumed", (int64_t)atomic_load(&now->tls_resumed));
	put_counter(body, "refused_signatures", (int64_t)atomic_load(&now->refused_signatures));
	put_counter(body, "faults_injected", (int64_t)atomic_load(&now->faults_injected));
	put_counter(body, "in_flight", atomic_load(&now->in_flight));
	put_counter(body, "in_flight_peak", atomic_load(&now->in_flight_peak));
	put_counter(body, "bytes_sent", (int64_t)atomic_load(&now->bytes_sent));
	put_operations(body, now);
	put_statuses(body, now);
	put_accounts(body, context);
	swp_sim_buffer_byte(body, '}');
	return 200;
}

static int reset_statistics(
	struct swp_sim_context *context, const struct swp_sim_request *request, struct swp_sim_buffer *body)
{
	(void)request;
	swp_sim_shared_reset_statistics(context->shared);
	swp_sim_buffer_put(body, "{}");
	return 200;
}

static int get_faults(
	struct swp_sim_context *context, const struct swp_sim_request *request, struct swp_sim_buffer *body)
{
	(void)request;
	swp_sim_faults_print(context->shared, body);
	return 200;
}

static int put_error(struct swp_sim_buffer *body, struct swp_sim_text message)
{
	swp_sim_buffer_put(body, "{\"error\":");
	swp_sim_buffer_json(body, message);
	swp_sim_buffer_byte(body, '}');
	return 400;
}

static int add_faults(
	struct swp_sim_context *context, const struct swp_sim_request *request, struct swp_sim_buffer *body)
{
	struct swp_sim_buffer error = {0};
	int status = 200;
	if (swp_sim_faults_add_json(context->shared, request->body, &error) != 0)
		status = put_error(body, swp_sim_buffer_text(&error));
	else
		swp_sim_buffer_put(body, "{}");
	swp_sim_buffer_done(&error);
	return status;
}

/* At once: no call sees none of them. */
static int replace_faults(
	struct swp_sim_context *context, const struct swp_sim_request *request, struct swp_sim_buffer *body)
{
	swp_sim_faults_clear(context->shared);
	return add_faults(context, request, body);
}

static int clear_faults(
	struct swp_sim_context *context, const struct swp_sim_request *request, struct swp_sim_buffer *body)
{
	(void)request;
	swp_sim_faults_clear(context->shared);
	swp_sim_buffer_put(body, "{}");
	return 200;
}

static int set_clock(
	struct swp_sim_context *context, const struct swp_sim_request *request, struct swp_sim_buffer *body)
{
	struct swp_sim_text value;
	uint64_t number;
	if (!swp_sim_json_valid(request->body) ||
		!swp_sim_json_member(request->body, SWP_SIM_TEXT("offset_seconds"), &value))
		return put_error(body, SWP_SIM_TEXT("{\"offset_seconds\": N} is asked for"));
	bool is_negative = value.size && value.at[0] == '-';
	struct swp_sim_text digits = {value.at + is_negative, value.size - is_negative};
	if (swp_sim_text_number(digits, &number) != 0)
		return put_error(body, SWP_SIM_TEXT("offset_seconds must be a whole number"));
	atomic_store(&context->shared->clock_offset_sec, is_negative ? -(int64_t)number : (int64_t)number);
	swp_sim_buffer_put(body, "{}");
	return 200;
}

static const struct {
	const char *method;
	const char *path;
	int (*answer)(struct swp_sim_context *, const struct swp_sim_request *, struct swp_sim_buffer *);
} controls[] = {
	{"GET", "/_simulator/statistics", get_statistics},
	{"POST", "/_simulator/reset-statistics", reset_statistics},
	{"GET", "/_simulator/faults", get_faults},
	{"POST", "/_simulator/faults", add_faults},
	{"PUT", "/_simulator/faults", replace_faults},
	{"DELETE", "/_simulator/faults", clear_faults},
	{"POST", "/_simulator/clock", set_clock},
};

int swp_sim_control(
	struct swp_sim_context *context, const struct swp_sim_request *request, struct swp_sim_buffer *body)
{
	for (size_t i = 0; i < sizeof controls / sizeof controls[0]; i++) {
		if (swp_sim_text_is(request->method, controls[i].method) &&
			swp_sim_text_is(request->path, controls[i].path))
			return controls[i].answer(context, request, body);
	}
	put_error(body, SWP_SIM_TEXT("no such control"));
	return 404;
}
