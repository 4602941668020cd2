#include "coordinator/fleet.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/base/log.h"
#include "proto/base/map.h"
#include "proto/base/text.h"
#include "proto/io/files.h"
#include "proto/io/folder.h"
#include "proto/wire/keyfile.h"
#include "proto/wire/session.h"

#define REFUSALS_TOLD                                                                                        \
	16 /* keys that are told when they are refused, each once: a worker tries again every two seconds */
#define REFUSALS_PAUSE_MS 60000 /* and for further ones, one line in that time */
#define TICK_MS 200		/* heartbeats are due each second, silence is judged by 15 s */

struct peer {
	struct peer *next;
	swp_bus_peer number;
	struct swp_session session;
	char *name;		    /* ZAP's user: the name that its key has */
	char host[64], version[32]; /* as it greeted */
	bool greeted;		    /* told by `greeted` */
	uint64_t calls;
};

/* What is swept. */
struct plan {
	struct plan *next;
	const struct swp_message_sweep *message;
	struct swp_wire_bytes compiled;
};

struct swp_fleet {
	struct swp_loop *loop;
	struct swp_bus_server *server;
	struct swp_fleet_events events;
	struct swp_map *allowed; /* public key → name (owned) */
	char refused[REFUSALS_TOLD][SWP_BUS_KEY_TEXT_BYTES];
	unsigned refused_count;
	int64_t refusal_told_ms; /* the last one beyond these */
	struct plan *plans;
	struct peer *peers;
	unsigned count;
	uint64_t calls_of_gone;
	struct swp_timer timer;
	struct swp_buf frame; /* secret; reused */
};

static int64_t now_ms(const struct swp_fleet *fleet)
{
	return swp_loop_now_ms(fleet->loop);
}

/* --- sending --- */

int swp_fleet_send(struct swp_fleet *fleet, uint64_t peer, const struct swp_message *message)
{
	int error;

	swp_buf_clear(&fleet->frame);
	error = swp_message_encode(message, &fleet->frame);
	if (error == 0)
		error = swp_bus_server_send(fleet->server, peer, fleet->frame.data, fleet->frame.length);
	swp_buf_clear(&fleet->frame);
	return error;
}

void swp_fleet_send_all(struct swp_fleet *fleet, const struct swp_message *message)
{
	for (struct peer *peer = fleet->peers; peer; peer = peer->next)
		if (swp_session_is_open(&peer->session))
			swp_fleet_send(fleet, peer->number, message);
}

static void send_welcome(struct swp_fleet *fleet, struct peer *peer)
{
	struct swp_message message = {.type = SWP_MESSAGE_WELCOME,
		.welcome = {.protocol = SWP_WIRE_VERSION,
			.version = SWP_VERSION,
			.heartbeat_ms = SWP_HEARTBEAT_MS,
			.lease_ms = SWP_LEASE_MS}};

	swp_fleet_send(fleet, peer->number, &message);
}

static int send_plan(struct swp_fleet *fleet, const struct peer *peer, const struct plan *plan)
{
	struct swp_message message = {.type = SWP_MESSAGE_SWEEP, .sweep = *plan->message};

	return swp_fleet_send(fleet, peer->number, &message);
}

static void send_catalogue(struct swp_fleet *fleet, struct peer *peer, const char *hash)
{
	for (const struct plan *plan = fleet->plans; plan; plan = plan->next)
		if (swp_text_equal(hash, plan->message->catalogue)) {
			struct swp_message message = {.type = SWP_MESSAGE_CATALOGUE,
				.catalogue = {.hash = hash, .compiled = plan->compiled}};

			swp_fleet_send(fleet, peer->number, &message);
			return;
		}
}

/* --- peers --- */

static struct peer *find_peer(const struct swp_fleet *fleet, swp_bus_peer number)
{
	for (struct peer *peer = fleet->peers; peer; peer = peer->next)
		if (peer->number == number)
			return peer;
	return NULL;
}

const char *swp_fleet_name(const struct swp_fleet *fleet, uint64_t peer)
{
	const struct peer *found = find_peer(fleet, peer);

	return found ? found->name : "";
}

void swp_fleet_each(const struct swp_fleet *fleet,
	void (*visit)(void *context, const struct swp_fleet_worker *worker), void *context)
{
	for (const struct peer *peer = fleet->peers; peer; peer = peer->next) {
		const struct swp_fleet_worker worker = {.peer = peer->number,
			.calls = peer->calls,
			.name = peer->name,
			.host = peer->host,
			.version = peer->version};

		if (peer->greeted)
			visit(context, &worker);
	}
}

bool swp_fleet_find(const struct swp_fleet *fleet, const char *name, uint64_t *ret_peer)
{
	for (const struct peer *peer = fleet->peers; peer; peer = peer->next)
		if (peer->greeted && swp_text_equal(peer->name, name)) {
			*ret_peer = peer->number;
			return true;
		}
	return false;
}

static void peer_free(struct peer *peer)
{
	swp_free(peer->name);
	swp_free(peer);
}

static struct peer *add_peer(struct swp_fleet *fleet, swp_bus_peer number, const char *user)
{
	struct peer *peer;

	if (fleet->count >= SWP_LIMIT_WORKERS)
		return NULL;
	peer = swp_calloc(1, sizeof(*peer));
	if (peer)
		peer->name = swp_strdup(user);
	if (!peer || !peer->name) {
		swp_free(peer);
		return NULL;
	}
	peer->number = number;
	swp_session_init(&peer->session, SWP_SESSION_COORDINATOR, now_ms(fleet));
	peer->next = fleet->peers;
	fleet->peers = peer;
	fleet->count++;
	return peer;
}

static void drop_peer(struct swp_fleet *fleet, struct peer *peer, const char *why)
{
	struct peer **at = &fleet->peers;

	while (*at != peer)
		at = &(*at)->next;
	*at = peer->next;
	fleet->count--;
	fleet->calls_of_gone += peer->calls;
	swp_bus_server_forget(fleet->server, peer->number);
	if (peer->greeted) {
		swp_log(SWP_LOG_INFO, "worker.gone", "a worker has gone", SWP_LOG_S("worker", peer->name),
			SWP_LOG_S("why", why));
		fleet->events.gone(fleet->events.context, peer->number);
	}
	peer_free(peer);
}

/* --- what workers say --- */

static void hello_came(struct swp_fleet *fleet, struct peer *peer, const struct swp_message_hello *hello)
{
	send_welcome(fleet, peer);
	for (const struct plan *plan = fleet->plans; plan; plan = plan->next)
		if (send_plan(fleet, peer, plan) < 0)
			return; /* it greets again in a second */
	if (!peer->greeted)
		swp_log(SWP_LOG_INFO, "worker.ready", "a worker is ready", SWP_LOG_S("worker", peer->name),
			SWP_LOG_S("host", hello->host), SWP_LOG_N("pid", hello->pid),
			SWP_LOG_N("credits", hello->credits));
	peer->greeted = true;
	snprintf(peer->host, sizeof(peer->host), "%s", hello->host);
	snprintf(peer->version, sizeof(peer->version), "%s", hello->version);
	fleet->events.greeted(fleet->events.context, peer->number, peer->name, hello);
}

static void heartbeat_came(
	struct swp_fleet *fleet, struct peer *peer, const struct swp_message_heartbeat *heartbeat)
{
	struct swp_dispatch_hold *jobs = swp_calloc(heartbeat->job_count + 1, sizeof(*jobs));

	if (!jobs)
		return;
	peer->calls = heartbeat->calls;
	for (size_t i = 0; i < heartbeat->job_count; i++)
		jobs[i] = (struct swp_dispatch_hold){
			.job = heartbeat->jobs[i].job, .epoch = heartbeat->jobs[i].epoch};
	if (peer->greeted)
		fleet->events.heartbeat(
			fleet->events.context, peer->number, heartbeat, jobs, heartbeat->job_count);
	swp_free(jobs);
}

static void message_came(struct swp_fleet *fleet, struct peer *peer, struct swp_message *message)
{
	void *context = fleet->events.context;

	switch (message->type) {
	case SWP_MESSAGE_WANT_CATALOGUE:
		send_catalogue(fleet, peer, message->want_catalogue.hash);
		break;
	case SWP_MESSAGE_HEARTBEAT:
		heartbeat_came(fleet, peer, &message->heartbeat);
		break;
	case SWP_MESSAGE_DONE:
		fleet->events.done(context, peer->number, &message->done);
		break;
	case SWP_MESSAGE_RENEW:
		fleet->events.renew(context, peer->number, &message->renew);
		break;
	case SWP_MESSAGE_GIVE_BACK:
		fleet->events.given_back(context, peer->number, &message->give_back);
		break;
	case SWP_MESSAGE_BYE:
		drop_peer(fleet, peer, "bye");
		break;
	default:
		break; /* the session lets nothing else through */
	}
	swp_message_done(message);
}

static void refuse_version(struct swp_fleet *fleet, struct peer *peer, struct swp_message *message)
{
	swp_log(SWP_LOG_WARNING, "worker.version",
		"a worker speaks another protocol version and was sent away", SWP_LOG_S("worker", peer->name),
		SWP_LOG_S("version", message->hello.version));
	send_welcome(fleet, peer); /* tells it our version, at which it leaves */
	swp_message_done(message);
	drop_peer(fleet, peer, "another protocol version");
}

static void violation(struct swp_fleet *fleet, struct peer *peer)
{
	if (peer->session.violations == 1)
		swp_log(SWP_LOG_WARNING, "worker.violation", "a worker sent what is not a message here",
			SWP_LOG_S("worker", peer->name), SWP_LOG_S("error", strerror(-peer->session.error)));
	if (peer->session.violations > SWP_LIMIT_VIOLATIONS)
		drop_peer(fleet, peer, "too many broken messages");
}

static void received(void *context, swp_bus_peer number, const char *user, const void *bytes, size_t length)
{
	struct swp_fleet *fleet = context;
	struct peer *peer = find_peer(fleet, number);
	struct swp_message message = {0};

	if (!peer && !(peer = add_peer(fleet, number, user)))
		return;
	switch (swp_session_received(&peer->session, bytes, length, now_ms(fleet), &message)) {
	case SWP_SESSION_ESTABLISHED:
		hello_came(fleet, peer, &message.hello);
		swp_message_done(&message);
		break;
	case SWP_SESSION_MESSAGE:
		message_came(fleet, peer, &message);
		break;
	case SWP_SESSION_REFUSED:
		refuse_version(fleet, peer, &message);
		break;
	case SWP_SESSION_VIOLATION:
		violation(fleet, peer);
		break;
	default:
		break;
	}
}

static bool tick_peer(struct swp_fleet *fleet, struct peer *peer)
{
	struct swp_message heartbeat = {.type = SWP_MESSAGE_HEARTBEAT};

	for (;;) {
		switch (swp_session_tick(&peer->session, now_ms(fleet))) {
		case SWP_SESSION_HEARTBEAT:
			swp_fleet_send(fleet, peer->number, &heartbeat);
			break;
		case SWP_SESSION_LOST:
			return false;
		default:
			return true;
		}
	}
}

static void tick(struct swp_timer *timer)
{
	struct swp_fleet *fleet = SWP_CONTAINER_OF(timer, struct swp_fleet, timer);
	struct peer *next;

	for (struct peer *peer = fleet->peers; peer; peer = next) {
		next = peer->next;
		if (!tick_peer(fleet, peer))
			drop_peer(fleet, peer, "silence");
	}
	swp_timer_start(&fleet->timer, TICK_MS);
}

/* --- who is let in --- */

/* Strangers must not fill the log. */
static bool is_worth_telling(struct swp_fleet *fleet, const char *public_key)
{
	for (unsigned i = 0; i < fleet->refused_count; i++)
		if (swp_text_equal(fleet->refused[i], public_key))
			return false;
	if (fleet->refused_count < REFUSALS_TOLD) {
		snprintf(fleet->refused[fleet->refused_count++], SWP_BUS_KEY_TEXT_BYTES, "%s", public_key);
		return true;
	}
	if (fleet->refusal_told_ms && now_ms(fleet) - fleet->refusal_told_ms < REFUSALS_PAUSE_MS)
		return false;
	fleet->refusal_told_ms = now_ms(fleet);
	return true;
}

static const char *allow(const char *public_key, void *context)
{
	struct swp_fleet *fleet = context;
	const char *name = swp_map_get(fleet->allowed, public_key);

	if (!name && is_worth_telling(fleet, public_key))
		swp_log(SWP_LOG_WARNING, "worker.refused",
			"a worker with a key that is not allowed was refused",
			SWP_LOG_S("public_key", public_key));
	return name;
}

int swp_fleet_allow(struct swp_fleet *fleet, const char *public_key, const char *name)
{
	char *copy = swp_strdup(name);
	void *old = NULL;
	int error = copy ? swp_map_put(fleet->allowed, public_key, copy, &old) : -ENOMEM;

	if (error < 0)
		swp_free(copy);
	swp_free(old);
	return error;
}

void swp_fleet_disallow(struct swp_fleet *fleet, const char *public_key)
{
	swp_free(swp_map_take(fleet->allowed, public_key));
}

struct allowed_reading {
	struct swp_fleet *fleet;
	const char *folder;
	struct swp_problem *problem;
};

static int read_allowed(const char *file, void *context)
{
	struct allowed_reading *reading = context;
	SWP_CLEANUP(swp_buf_done) struct swp_buf text = {0};
	struct swp_keyfile keyfile = {0};
	char *path = swp_asprintf("%s/%s", reading->folder, file);
	char *name = swp_strndup(file, strlen(file) - strlen(".pub"));
	int error = path && name ? swp_file_read(path, &text, reading->problem) : -ENOMEM;

	if (error == 0)
		error = swp_keyfile_parse(
			path, swp_buf_text(&text), text.length, false, &keyfile, reading->problem);
	if (error == 0)
		error = swp_fleet_allow(reading->fleet, keyfile.public_key, name);
	swp_keyfile_done(&keyfile);
	swp_free(path);
	swp_free(name);
	return error;
}

static int read_allowed_folder(struct swp_fleet *fleet, const char *folder, struct swp_problem *problem)
{
	struct allowed_reading reading = {fleet, folder, problem};
	int error = swp_folder_list(folder, ".pub", read_allowed, &reading);

	if (error == -ENOENT)
		return 0; /* nobody is allowed yet */
	if (error < 0 && !problem->text[0])
		swp_problem_set(problem, error, "can't read the keys in %s: %s", folder, strerror(-error));
	return error;
}

/* --- life --- */

struct swp_fleet *swp_fleet_new(struct swp_loop *loop, const struct swp_fleet_options *options,
	const struct swp_fleet_events *events, struct swp_problem *problem)
{
	struct swp_fleet *fleet = swp_calloc(1, sizeof(*fleet));
	struct swp_bus_server_events bus_events = {.received = received, .allow = allow, .context = fleet};

	problem->text[0] = '\0';
	if (fleet)
		fleet->allowed = swp_map_new();
	if (!fleet || !fleet->allowed) {
		swp_problem_set(problem, -ENOMEM, "out of memory");
		swp_free(fleet);
		return NULL;
	}
	fleet->loop = loop;
	fleet->events = *events;
	swp_buf_init(&fleet->frame, SWP_LIMIT_WIRE_BYTES);
	fleet->frame.secret = true;
	swp_timer_init(&fleet->timer, loop, tick);
	if (options->allowed_folder && read_allowed_folder(fleet, options->allowed_folder, problem) < 0) {
		swp_fleet_free(fleet);
		return NULL;
	}
	fleet->server = swp_bus_server_new(loop, options->endpoint, options->keys, &bus_events, problem);
	if (!fleet->server || swp_timer_start(&fleet->timer, TICK_MS) < 0) {
		swp_fleet_free(fleet);
		return NULL;
	}
	return fleet;
}

void swp_fleet_free(struct swp_fleet *fleet)
{
	if (!fleet)
		return;
	swp_timer_stop(&fleet->timer);
	while (fleet->peers) {
		struct peer *peer = fleet->peers;

		fleet->peers = peer->next;
		peer_free(peer);
	}
	while (fleet->plans) {
		struct plan *plan = fleet->plans;

		fleet->plans = plan->next;
		swp_free(plan);
	}
	swp_bus_server_free(fleet->server);
	swp_map_free(fleet->allowed, swp_free);
	swp_buf_done(&fleet->frame);
	swp_free(fleet);
}

const char *swp_fleet_endpoint(const struct swp_fleet *fleet)
{
	return swp_bus_server_endpoint(fleet->server);
}

void swp_fleet_ended(struct swp_fleet *fleet, const char *name)
{
	struct peer *next;

	for (struct peer *peer = fleet->peers; peer; peer = next) {
		next = peer->next;
		if (swp_text_equal(peer->name, name))
			drop_peer(fleet, peer, "its process ended");
	}
}

int swp_fleet_add_plan(
	struct swp_fleet *fleet, const struct swp_message_sweep *message, const void *compiled, size_t length)
{
	struct plan *plan = swp_calloc(1, sizeof(*plan));

	if (!plan)
		return -ENOMEM;
	*plan = (struct plan){fleet->plans, message, {compiled, length}};
	fleet->plans = plan;
	/* Whom it does not reach gives its first job back as of an unknown sweep. */
	for (const struct peer *peer = fleet->peers; peer; peer = peer->next)
		if (peer->greeted)
			send_plan(fleet, peer, plan);
	return 0;
}

static struct plan **find_plan(struct swp_fleet *fleet, const char *sweep)
{
	struct plan **at = &fleet->plans;

	while (*at && !swp_text_equal((*at)->message->sweep, sweep))
		at = &(*at)->next;
	return at;
}

void swp_fleet_remove_plan(struct swp_fleet *fleet, const char *sweep)
{
	struct plan **at = find_plan(fleet, sweep), *plan = *at;
	struct swp_message message = {.type = SWP_MESSAGE_END_SWEEP, .end_sweep = {.sweep = sweep}};

	if (!plan)
		return;
	swp_fleet_send_all(fleet, &message);
	*at = plan->next;
	swp_free(plan);
}

void swp_fleet_repeat_plan(struct swp_fleet *fleet, uint64_t number, const char *sweep)
{
	const struct peer *peer = find_peer(fleet, number);
	const struct plan *plan = *find_plan(fleet, sweep);

	if (peer && plan)
		send_plan(fleet, peer, plan);
}

unsigned swp_fleet_count(const struct swp_fleet *fleet)
{
	unsigned count = 0;

	for (const struct peer *peer = fleet->peers; peer; peer = peer->next)
		count += peer->greeted;
	return count;
}

uint64_t swp_fleet_calls(const struct swp_fleet *fleet)
{
	uint64_t calls = fleet->calls_of_gone;

	for (const struct peer *peer = fleet->peers; peer; peer = peer->next)
		calls += peer->calls;
	return calls;
}
