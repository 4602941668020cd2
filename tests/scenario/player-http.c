/* http.h by script. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "proto/base/error.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "tests/scenario/player-internal.h"

#define MOST_ANSWERS 256
#define MOST_HOSTS 32
#define MOST_REQUESTS 100000

struct swp_http_client {
	struct swp_loop *loop;
	struct swp_http_statistics statistics;
};

struct running {
	struct swp_timer timer;
	struct swp_http_exchange *exchange;
	struct player_answer answer;
	unsigned number;
};

struct looking {
	struct swp_timer timer;
	struct swp_http_lookup *lookup;
	int exists;
};

static struct scripted {
	struct player_answer answer;
	unsigned used;
} answers[MOST_ANSWERS];
static size_t answer_count;
static struct {
	const char *host;
	int exists;
} hosts[MOST_HOSTS];
static size_t host_count;
static char (*requests)[96]; /* the calls made, in order */
static size_t request_count;
static unsigned rests;

void player_http_begin(void)
{
	answer_count = host_count = request_count = 0;
	rests = 0;
	if (!requests)
		requests = calloc(MOST_REQUESTS, sizeof(*requests));
}

static const char *or_any(const char *text)
{
	return text ? text : "any";
}

void player_http_end(void)
{
	for (size_t i = 0; i < answer_count; i++) {
		const struct player_answer *answer = &answers[i].answer;

		if (answer->times != PLAYER_ALWAYS && answers[i].used < answer->times)
			player_fail("the answer to %s at %s was used %u times of %u", or_any(answer->call),
				or_any(answer->host), answers[i].used, answer->times);
	}
	if (player.clients || player.exchanges || player.lookups)
		player_fail("%u HTTP clients, %u exchanges, %u lookups are left over", player.clients,
			player.exchanges, player.lookups);
	free(requests);
	requests = NULL;
}

void player_answer(struct player_answer answer)
{
	if (answer_count == MOST_ANSWERS)
		player_fail("too many scripted answers");
	if (answer.times == 0)
		answer.times = 1;
	answers[answer_count++] = (struct scripted){.answer = answer};
}

void player_host(const char *host, int exists)
{
	hosts[host_count].host = host;
	hosts[host_count++].exists = exists;
}

void player_proxy(bool on)
{
	player.proxy = on;
}

unsigned player_requests(const char *call)
{
	unsigned count = 0;

	for (size_t i = 0; i < request_count; i++)
		count += strcmp(requests[i], call) == 0;
	return count;
}

/* --- which call is it? --- */

static void name_call(const struct swp_http_request *request, const char *path, char *name, size_t size)
{
	const char *body = request->body_length ? request->body : "", *action;

	for (size_t i = 0; i < request->header_count; i++) {
		const char *dot = strrchr(request->headers[i].value, '.');

		if (strcasecmp(request->headers[i].name, "x-amz-target") == 0 && dot) {
			snprintf(name, size, "%s", dot + 1);
			return;
		}
	}
	action = strstr(body, "Action=");
	if (action)
		snprintf(name, size, "%.*s", (int)strcspn(action + 7, "&"), action + 7);
	else
		snprintf(name, size, "%s %.*s", request->method, (int)strcspn(path, "?"), path);
}

static bool fits(const struct scripted *scripted, const char *host, const char *call,
	const struct swp_http_request *request, const char *path)
{
	const struct player_answer *answer = &scripted->answer;
	const char *body = request->body_length ? request->body : "";

	if (scripted->used >= answer->times)
		return false;
	if (answer->host && strcmp(answer->host, host) != 0)
		return false;
	if (answer->call && strcmp(answer->call, call) != 0)
		return false;
	return !answer->body_contains || strstr(body, answer->body_contains) ||
	       strstr(path, answer->body_contains);
}

static struct scripted *find_answer(const struct swp_http_request *request)
{
	const char *host = strstr(request->url, "://"), *path;
	char host_text[256], call[96];

	if (!host)
		player_fail("a request to something that is no URL: %s", request->url);
	host += 3;
	path = host + strcspn(host, "/");
	snprintf(host_text, sizeof(host_text), "%.*s", (int)(path - host), host);
	name_call(request, path, call, sizeof(call));
	if (request_count == MOST_REQUESTS)
		player_fail("too many requests");
	memcpy(requests[request_count++], call, sizeof(call));
	for (size_t i = 0; i < answer_count; i++)
		if (fits(&answers[i], host_text, call, request, path))
			return &answers[i];
	player_fail("nothing was scripted for %s at %s, path %s, body %.*s", call, host_text, path,
		(int)request->body_length, request->body_length ? request->body : "");
}

/* --- http.h --- */

struct swp_http_client *swp_http_client_new(
	struct swp_loop *loop, const struct swp_http_options *options, struct swp_problem *problem)
{
	struct swp_http_client *client = calloc(1, sizeof(*client));

	(void)options;
	(void)problem;
	if (client)
		client->loop = loop;
	player.clients++;
	return client;
}

void swp_http_client_free(struct swp_http_client *client)
{
	if (client)
		player.clients--;
	free(client);
}

void swp_http_rest(struct swp_http_client *client)
{
	(void)client;
	if (player.exchanges)
		player_fail("a client with %u exchanges is told to rest", player.exchanges);
	rests++;
}

unsigned player_rests(void)
{
	return rests;
}

static void answer_now(struct swp_timer *timer)
{
	struct running *running = SWP_CONTAINER_OF(timer, struct running, timer);
	const struct player_answer *answer = &running->answer;
	struct swp_http_exchange *exchange = running->exchange;
	char request_id[32];
	struct swp_http_response response = {
		.failure = answer->never ? SWP_HTTP_TIMEOUT : answer->failure,
		.failure_text = "scripted",
		.proxy_status = answer->failure == SWP_HTTP_PROXY ? answer->status : 0,
		.request_id = request_id,
		.error_type = answer->error_type ? answer->error_type : "",
		.content_type = "application/json",
		.date = "",
		.retry_after = "",
		.retry_after_seconds = "",
		.location_region = "",
		.body = "",
	};

	snprintf(request_id, sizeof(request_id), "request-%u", running->number);
	if (response.failure != SWP_HTTP_OK)
		response.request_id = "";
	else {
		response.status = answer->status ? answer->status : 200;
		response.body = answer->body ? answer->body : "{}";
		response.body_length = strlen(response.body);
	}
	exchange->internal = NULL;
	player.exchanges--;
	free(running);
	exchange->done(exchange, &response);
}

int swp_http_start(struct swp_http_client *client, const struct swp_http_request *request,
	struct swp_http_exchange *exchange,
	void (*done)(struct swp_http_exchange *exchange, const struct swp_http_response *response))
{
	struct scripted *scripted = find_answer(request);
	struct running *running = calloc(1, sizeof(*running));
	int64_t delay_ms = scripted->answer.delay_ms ? scripted->answer.delay_ms : 10;
	int64_t limit_ms = request->timeout_ms ? request->timeout_ms : SWP_LIMIT_ATTEMPT_MS;

	if (!running)
		return -ENOMEM;
	scripted->used++;
	running->answer = scripted->answer;
	running->number = (unsigned)request_count;
	running->exchange = exchange;
	if (delay_ms > limit_ms)
		running->answer.never = true;
	exchange->done = done;
	exchange->internal = running;
	player.exchanges++;
	client->statistics.exchanges++;
	swp_timer_init(&running->timer, client->loop, answer_now);
	swp_timer_start(&running->timer, running->answer.never ? limit_ms : delay_ms);
	return 0;
}

void swp_http_cancel(struct swp_http_exchange *exchange)
{
	struct running *running = exchange->internal;

	if (!running)
		return;
	exchange->internal = NULL;
	swp_timer_stop(&running->timer);
	player.exchanges--;
	free(running);
}

const char *swp_http_failure_name(enum swp_http_failure failure)
{
	static const char *const names[] = {[SWP_HTTP_OK] = "ok",
		[SWP_HTTP_RESOLVE] = "resolve",
		[SWP_HTTP_CONNECT] = "connect",
		[SWP_HTTP_TLS] = "tls",
		[SWP_HTTP_RESET] = "reset",
		[SWP_HTTP_TRUNCATED] = "truncated",
		[SWP_HTTP_PROXY] = "proxy",
		[SWP_HTTP_TIMEOUT] = "timeout",
		[SWP_HTTP_TOO_LARGE] = "too-large",
		[SWP_HTTP_INTERNAL] = "internal"};

	return names[failure];
}

static void lookup_now(struct swp_timer *timer)
{
	struct looking *looking = SWP_CONTAINER_OF(timer, struct looking, timer);
	struct swp_http_lookup *lookup = looking->lookup;
	int exists = looking->exists;

	lookup->internal = NULL;
	player.lookups--;
	free(looking);
	lookup->done(lookup, exists);
}

int swp_http_lookup_start(struct swp_http_client *client, const char *host, struct swp_http_lookup *lookup,
	void (*done)(struct swp_http_lookup *lookup, int exists))
{
	struct looking *looking = calloc(1, sizeof(*looking));

	if (!looking)
		return -ENOMEM;
	looking->lookup = lookup;
	looking->exists = 1;
	for (size_t i = 0; i < host_count; i++)
		if (strcmp(hosts[i].host, host) == 0)
			looking->exists = hosts[i].exists;
	lookup->done = done;
	lookup->internal = looking;
	player.lookups++;
	swp_timer_init(&looking->timer, client->loop, lookup_now);
	return swp_timer_start(&looking->timer, 5);
}

void swp_http_lookup_cancel(struct swp_http_lookup *lookup)
{
	struct looking *looking = lookup->internal;

	if (!looking)
		return;
	lookup->internal = NULL;
	swp_timer_stop(&looking->timer);
	player.lookups--;
	free(looking);
}

bool swp_http_uses_proxy(const struct swp_http_client *client, const char *host)
{
	(void)client;
	(void)host;
	return player.proxy;
}

void swp_http_statistics_get(const struct swp_http_client *client, struct swp_http_statistics *ret_statistics)
{
	*ret_statistics = client->statistics;
}
