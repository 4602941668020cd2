/* One call is a small machine: queued for its scope's limiter, then for a free place, then sending, then perhaps pausing
 * before the next try. It holds a place only while a request is out, so that a scope that must wait keeps nobody else waiting.
 */
#include "proto/io/caller.h"

#include <errno.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/base/secret.h"
#include "proto/io/caller-call.h"

enum {
	MOSTLY_WAITING = 4,  /* eighths of the time */
	ANSWERS_A_PLACE = 4, /* when the core has some time, but not much */
};

static void call_admit(struct swp_running_call *running);
static void call_step(struct swp_timer *timer);

/* --- life of a call --- */

static void running_free(struct swp_running_call *running)
{
	swp_aws_request_done(&running->request);
	swp_signature_done(&running->signature);
	swp_buf_done(&running->host);
	swp_buf_done(&running->path);
	swp_buf_done(&running->url);
	swp_buf_done(&running->target);
	swp_buf_done(&running->message);
	swp_free(running);
}

static struct swp_running_call *running_take(struct swp_caller *caller)
{
	struct swp_running_call *running = caller->pool;

	if (running != NULL) {
		caller->pool = running->next;
		return running;
	}
	running = swp_calloc(1, sizeof(*running));
	if (running == NULL)
		return NULL;
	running->caller = caller;
	swp_aws_request_init(&running->request);
	swp_signature_init(&running->signature);
	swp_timer_init(&running->timer, caller->loop, call_step);
	return running;
}

/* Out of the list of all calls; its memory is kept for the next one. */
static void running_put(struct swp_running_call *running)
{
	struct swp_caller *caller = running->caller;

	json_decref(running->answer.document);
	running->answer.document = NULL;
	swp_buf_clear(&running->request.body); /* wipes */
	running->next = caller->pool;
	caller->pool = running;
}

static void running_unlink(struct swp_running_call *running)
{
	struct swp_caller *caller = running->caller;

	if (running->previous != NULL)
		running->previous->next = running->next;
	else
		caller->calls = running->next;
	if (running->next != NULL)
		running->next->previous = running->previous;
	running->next = running->previous = NULL;
	running->call->internal = NULL;
}

/* --- queues --- */

struct queue {
	struct swp_running_call **first, **last;
};

static void queue_append(struct queue queue, struct swp_running_call *running)
{
	running->queue_next = NULL;
	if (*queue.last != NULL)
		(*queue.last)->queue_next = running;
	else
		*queue.first = running;
	*queue.last = running;
}

static void queue_prepend(struct queue queue, struct swp_running_call *running)
{
	running->queue_next = *queue.first;
	*queue.first = running;
	if (*queue.last == NULL)
		*queue.last = running;
}

static void queue_remove(struct queue queue, struct swp_running_call *running)
{
	struct swp_running_call *before = NULL, *at = *queue.first;

	while (at != NULL && at != running) {
		before = at;
		at = at->queue_next;
	}
	if (at == NULL)
		return;
	if (before != NULL)
		before->queue_next = running->queue_next;
	else
		*queue.first = running->queue_next;
	if (*queue.last == running)
		*queue.last = before;
	running->queue_next = NULL;
}

static struct queue waiting_queue(struct swp_caller *caller)
{
	return (struct queue){&caller->waiting_first, &caller->waiting_last};
}

static struct queue scope_queue(struct swp_call_scope *scope)
{
	return (struct queue){&scope->queue_first, &scope->queue_last};
}

/* --- ends --- */

static void call_finish(struct swp_running_call *running)
{
	struct swp_call *call = running->call;

	running_unlink(running);
	call->done(call, &running->answer);
	running_put(running);
}

/* Told in the next round, since call-backs never come from inside a call; only where there is no memory left for a timer
 * is it told at once. */
static void call_fail_later(struct swp_running_call *running)
{
	running->state = SWP_CALL_FAILING;
	if (swp_timer_start(&running->timer, 0) != 0)
		call_finish(running);
}

/* --- sending --- */

static void call_answered(struct swp_http_exchange *exchange, const struct swp_http_response *response);

static int64_t left_ms(const struct swp_running_call *running)
{
	return running->deadline_ms - swp_loop_now_ms(running->caller->loop);
}

static void call_cannot_send(struct swp_running_call *running, int result)
{
	if (result == SWP_CALL_NO_KEY)
		swp_call_fail(running, SWP_OUTCOME_EXPIRED, SWP_REASON_CREDENTIALS_EXPIRED, "NoSigningKey",
			"no signing key is at hand for that day, region and service");
	else
		swp_call_fail(running, SWP_OUTCOME_FAILED, SWP_REASON_SERVICE_UNAVAILABLE, "ClientError",
			strerror(-result));
	call_fail_later(running);
}

/* A name that was not found a moment ago is not asked for again: libcurl does not remember it. */
static bool host_is_missing(struct swp_running_call *running)
{
	const struct swp_known_host *known =
		swp_caller_host(running->caller, swp_buf_text(&running->host), false);

	if (known == NULL || known->not_found_until_ms <= swp_loop_now_ms(running->caller->loop) ||
		running->answer.tries > 0)
		return false;
	swp_call_fail(running, SWP_OUTCOME_TRANSIENT, SWP_REASON_SERVICE_UNAVAILABLE, "ResolverError",
		"the host name was not found a moment ago");
	running->answer.host_not_found = !running->endpoint.configured && !running->endpoint.variant;
	return true;
}

static void call_send(struct swp_running_call *running)
{
	struct swp_caller *caller = running->caller;
	int64_t timeout_ms;
	int result;

	if (running->deadline_ms == 0)
		running->deadline_ms = swp_loop_now_ms(caller->loop) + running->wanted_ms;
	timeout_ms = left_ms(running);
	if (timeout_ms <= 0 ||
		host_is_missing(running)) { /* the last try's answer stands, if there was one */
		if (running->answer.tries == 0 && timeout_ms <= 0)
			swp_call_fail(running, SWP_OUTCOME_TRANSIENT, SWP_REASON_TIMEOUT, "Timeout",
				"the call's time is up");
		call_fail_later(running);
		return;
	}
	if (timeout_ms > SWP_LIMIT_ATTEMPT_MS)
		timeout_ms = SWP_LIMIT_ATTEMPT_MS;
	result = swp_call_send(running, timeout_ms, call_answered);
	if (result != 0) {
		call_cannot_send(running, result);
		return;
	}
	running->state = SWP_CALL_SENDING;
	caller->statistics.calls++;
	caller->statistics.retried += running->answer.tries > 0;
	caller->statistics.in_flight++;
	running->answer.tries++;
}

/* Takes a place, or a number. */
static void call_place(struct swp_running_call *running)
{
	struct swp_caller *caller = running->caller;

	if (caller->statistics.in_flight < caller->places) {
		call_send(running);
		return;
	}
	running->state = SWP_CALL_WAITING;
	caller->statistics.waiting++;
	queue_append(waiting_queue(caller), running);
}

static void places_fill(struct swp_caller *caller)
{
	while (caller->waiting_first != NULL && caller->statistics.in_flight < caller->places) {
		struct swp_running_call *running = caller->waiting_first;

		queue_remove(waiting_queue(caller), running);
		caller->statistics.waiting--;
		call_send(running);
	}
}

/* --- limiter: only the first call of a scope's queue has a timer --- */

static void begin_wait(struct swp_running_call *running)
{
	running->limited_since_ms = swp_loop_now_ms(running->caller->loop);
	running->scope->waits++;
	running->caller->statistics.limiter_waits++;
}

static void end_wait(struct swp_running_call *running)
{
	struct swp_caller *caller = running->caller;

	if (running->limited_since_ms)
		caller->statistics.limiter_wait_ms +=
			(uint64_t)(swp_loop_now_ms(caller->loop) - running->limited_since_ms);
	running->limited_since_ms = 0;
}

static void scope_pump(struct swp_call_scope *scope)
{
	while (scope->queue_first != NULL) {
		struct swp_running_call *running = scope->queue_first;
		struct swp_caller *caller = running->caller;
		int64_t wait_ms = swp_limiter_take(&scope->limiter, swp_loop_now_ms(caller->loop));

		if (wait_ms > 0 && swp_timer_start(&running->timer, wait_ms) == 0)
			return;
		swp_timer_stop(&running->timer);
		queue_remove(scope_queue(scope), running);
		caller->statistics.waiting--;
		end_wait(running);
		call_place(running);
	}
}

/* The way of every try. A retry goes to the front: it has waited before. */
static void call_admit(struct swp_running_call *running)
{
	struct swp_caller *caller = running->caller;
	struct swp_call_scope *scope = running->scope;
	struct swp_running_call *first = scope->queue_first;

	if (scope == &running->own_scope) { /* no limiter */
		call_place(running);
		return;
	}
	running->state = SWP_CALL_LIMITED;
	caller->statistics.waiting++;
	if (running->answer.tries > 0)
		queue_prepend(scope_queue(scope), running);
	else
		queue_append(scope_queue(scope), running);
	if (scope->queue_first != running) {
		begin_wait(running);
		return;
	}
	if (first != NULL)
		swp_timer_stop(&first->timer);
	scope_pump(scope);
	if (scope->queue_first == running)
		begin_wait(running);
}

/* --- answers --- */

static void call_retry(struct swp_running_call *running)
{
	struct swp_caller *caller = running->caller;
	struct swp_answer *answer = &running->answer;
	int64_t wait_ms;

	if (answer->outcome == SWP_OUTCOME_THROTTLED) {
		answer->throttled++;
		caller->statistics.throttled++;
		swp_limiter_throttled(&running->scope->limiter, swp_loop_now_ms(caller->loop));
	}
	wait_ms = swp_retry_next_ms(&running->retry, &running->scope->quota, answer->outcome,
		running->timed_out, running->hint_ms, swp_clock_random_unit(caller->clock));
	if (wait_ms < 0 || wait_ms >= left_ms(running)) {
		call_finish(running);
		return;
	}
	running->state = SWP_CALL_PAUSING;
	if (swp_timer_start(&running->timer, wait_ms) != 0)
		call_finish(running);
}

/* One more for each answer while calls wait and the core has nothing to do, for every few while it has some time, and none when it is
 * busy: a connection costs as much as ten calls. */
static void places_grow(struct swp_caller *caller)
{
	unsigned eighths = swp_loop_eighths_waited(caller->loop);

	if (caller->waiting_first == NULL || caller->places >= caller->max_in_flight || eighths == 0)
		return;
	if (eighths < MOSTLY_WAITING && ++caller->answers_until_place < ANSWERS_A_PLACE)
		return;
	caller->answers_until_place = 0;
	caller->places++;
}

static void call_answered(struct swp_http_exchange *exchange, const struct swp_http_response *response)
{
	struct swp_running_call *running = SWP_CONTAINER_OF(exchange, struct swp_running_call, exchange);
	struct swp_caller *caller = running->caller;
	enum swp_call_next next = swp_call_judge(running, response);

	caller->statistics.in_flight--;
	if (response->failure == SWP_HTTP_OK)
		places_grow(caller);
	if (next == SWP_CALL_NEXT_RESIGN)
		call_place(running);
	else if (next == SWP_CALL_NEXT_RETRY)
		call_retry(running);
	else
		call_finish(running);
	places_fill(caller);
}

/* The call's timer: what it waited for is told by its state. */
static void call_step(struct swp_timer *timer)
{
	struct swp_running_call *running = SWP_CONTAINER_OF(timer, struct swp_running_call, timer);

	switch (running->state) {
	case SWP_CALL_LIMITED:
		scope_pump(running->scope);
		break;
	case SWP_CALL_PAUSING:
		call_admit(running);
		break;
	case SWP_CALL_FAILING:
		call_finish(running);
		break;
	default:
		break;
	}
}

/* --- start and cancel --- */

/* From a stock: a system call for each call's 16 bytes would cost as much as signing. They are no secret. */
static void take_random(struct swp_caller *caller, unsigned char ret_bytes[static SWP_CALLER_ID_BYTES])
{
	if (caller->random_left < SWP_CALLER_ID_BYTES) {
		caller->clock->random_bytes(caller->clock->context, caller->random, sizeof(caller->random));
		caller->random_left = sizeof(caller->random);
	}
	caller->random_left -= SWP_CALLER_ID_BYTES;
	memcpy(ret_bytes, caller->random + caller->random_left, SWP_CALLER_ID_BYTES);
}

/* A random UUID (RFC 9562, version 4). */
static void make_invocation_id(struct swp_caller *caller, char ret_text[static 37])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[SWP_CALLER_ID_BYTES];
	size_t at = 0;

	take_random(caller, bytes);
	bytes[6] = (bytes[6] & 0x0f) | 0x40;
	bytes[8] = (bytes[8] & 0x3f) | 0x80;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			ret_text[at++] = '-';
		ret_text[at++] = digits[bytes[i] >> 4];
		ret_text[at++] = digits[bytes[i] & 15];
	}
	ret_text[at] = '\0';
}

static void running_reset(struct swp_running_call *running, const struct swp_call_request *request)
{
	running->operation = request->operation;
	running->identity = request->identity;
	running->scope = request->scope != NULL ? request->scope : &running->own_scope;
	running->gone = request->gone;
	running->gone_count = request->gone_count;
	running->wanted_ms = request->deadline_ms > 0 ? request->deadline_ms : SWP_LIMIT_CALL_MS;
	running->secret = request->secret;
	running->queue_next = NULL;
	running->limited_since_ms = 0;
	running->own_scope = (struct swp_call_scope){.ready = false};
	running->retry = (struct swp_retry){0};
	running->deadline_ms = 0;
	running->unparsable = 0;
	running->skew_corrections = 0;
	running->timed_out = false;
	running->answer = (struct swp_answer){.error_code = "", .message = "", .request_id = ""};
	swp_buf_clear(&running->host);
	swp_buf_clear(&running->path);
	swp_buf_clear(&running->url);
	swp_buf_clear(&running->target);
	swp_buf_clear(&running->message);
}

static int running_prepare(struct swp_running_call *running, const struct swp_call_request *request)
{
	struct swp_caller *caller = running->caller;
	int result;

	running_reset(running, request);
	result = swp_dialect_build(request->operation, request->input, request->token, &running->request);
	if (result != 0)
		return result;
	result = swp_endpoint_resolve(caller->endpoints, caller->partition, request->operation->service,
		request->region, &running->endpoint);
	if (result == 0)
		result = swp_call_address(running);
	if (result >= 0) {
		make_invocation_id(caller, running->invocation_id);
		if (!running->scope->ready) {
			swp_limiter_init(&running->scope->limiter,
				request->operation->service->rate_per_second, swp_loop_now_ms(caller->loop));
			swp_retry_quota_init(&running->scope->quota);
			running->scope->ready = true;
		}
	}
	return result;
}

int swp_call_start(struct swp_caller *caller, const struct swp_call_request *request, struct swp_call *call,
	void (*done)(struct swp_call *call, struct swp_answer *answer))
{
	struct swp_running_call *running = running_take(caller);
	int result;

	if (running == NULL)
		return -ENOMEM;
	result = running_prepare(running, request);
	if (result < 0) {
		running_put(running);
		return result;
	}
	running->call = call;
	call->done = done;
	call->internal = running;
	running->previous = NULL;
	running->next = caller->calls;
	if (caller->calls != NULL)
		caller->calls->previous = running;
	caller->calls = running;
	if (result == SWP_ENDPOINT_NO_VARIANT) {
		swp_call_fail(running, SWP_OUTCOME_FAILED, SWP_REASON_SERVICE_UNAVAILABLE, "NoSuchEndpoint",
			"the service has no FIPS or dual-stack endpoint in this partition");
		call_fail_later(running);
	} else {
		call_admit(running);
	}
	return 0;
}

void swp_call_cancel(struct swp_call *call)
{
	struct swp_running_call *running = call->internal;
	struct swp_caller *caller;

	if (running == NULL)
		return;
	caller = running->caller;
	swp_timer_stop(&running->timer);
	if (running->state == SWP_CALL_SENDING) {
		swp_http_cancel(&running->exchange);
		caller->statistics.in_flight--;
	} else if (running->state == SWP_CALL_WAITING) {
		queue_remove(waiting_queue(caller), running);
		caller->statistics.waiting--;
	} else if (running->state == SWP_CALL_LIMITED) {
		queue_remove(scope_queue(running->scope), running);
		caller->statistics.waiting--;
		scope_pump(running->scope);
	}
	running_unlink(running);
	running_put(running);
	places_fill(caller);
}

/* --- the caller --- */

struct swp_caller *swp_caller_new(const struct swp_caller_options *options)
{
	struct swp_caller *caller = swp_calloc(1, sizeof(*caller));

	if (caller == NULL)
		return NULL;
	caller->http = options->http;
	caller->loop = options->loop;
	caller->clock = swp_loop_clock(options->loop);
	caller->partition = options->partition;
	caller->endpoints = options->endpoints;
	caller->max_in_flight =
		options->max_in_flight != 0 ? options->max_in_flight : SWP_LIMIT_CALLS_IN_FLIGHT;
	caller->places =
		caller->max_in_flight < SWP_CALLS_AT_FIRST ? caller->max_in_flight : SWP_CALLS_AT_FIRST;
	caller->hosts = swp_map_new();
	if (caller->hosts == NULL) {
		swp_free(caller);
		return NULL;
	}
	return caller;
}

void swp_caller_free(struct swp_caller *caller)
{
	if (caller == NULL)
		return;
	caller->places = 0; /* nothing new is sent while calls are cancelled */
	while (caller->calls != NULL)
		swp_call_cancel(caller->calls->call);
	while (caller->pool != NULL) {
		struct swp_running_call *running = caller->pool;

		caller->pool = running->next;
		running_free(running);
	}
	swp_map_free(caller->hosts, swp_free);
	swp_wipe(caller->derived, sizeof(caller->derived));
	swp_free(caller);
}

void swp_caller_set_partition(struct swp_caller *caller, const struct swp_partition *partition)
{
	caller->partition = partition;
}

int64_t swp_caller_clock_offset_ms(const struct swp_caller *caller)
{
	return caller != NULL ? caller->clock_offset_ms : 0;
}

void swp_caller_statistics_get(const struct swp_caller *caller, struct swp_caller_statistics *ret_statistics)
{
	*ret_statistics = caller->statistics;
}
