#include "coordinator/fleet.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/keys.h"
#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/base/log.h"
#include "proto/base/map.h"
#include "proto/base/text.h"
#include "proto/wire/session.h"

#define REFUSALS_TOLD                                                                                        \
	16 /* keys that are told when they are refused, each once: a worker tries again every two seconds */
#define REFUSALS_PAUSE_MS 60000 /* and for further ones, one line in that time */
#define TICK_MS 200		/* heartbeats are due each second, silence is judged by 15 s */
#define KEYS_LOOK_MS 500	/* at the folder: inotify would not see a change made by another host */
#define CATALOGUES_A_SECOND 4	/* to one peer, which may ask without reading what comes */
#define STRANGERS_TOLD 16	/* of each kind, each with a line; then one line in REFUSALS_PAUSE_MS */

enum stranger {
	STRANGER_HANDSHAKE,
	STRANGER_HALF_OPEN,
	STRANGER_TURNED_AWAY,
	STRANGER_BROKE_OFF,
	STRANGER_FALSE_NAME,
	STRANGER_VIOLATION,
	STRANGER_FORGOTTEN,
	STRANGER_COUNT,
};

/* `from` is an address, or a worker's name. */
static const struct {
	enum swp_log_level level;
	const char *event, *message, *from;
	size_t counter; /* in struct swp_fleet_strangers */
} stranger_rows[STRANGER_COUNT] = {
#define COUNTER(member) offsetof(struct swp_fleet_strangers, member)
	[STRANGER_HANDSHAKE] = {SWP_LOG_WARNING, "stranger.handshake",
		"a connection broke the handshake: no worker, or one with another --server-key", "address",
		COUNTER(broken_handshakes)},
	[STRANGER_HALF_OPEN] = {SWP_LOG_WARNING, "stranger.half-open",
		"a connection said nothing for as long as it may and was ended", "address",
		COUNTER(half_open)},
	[STRANGER_TURNED_AWAY] = {SWP_LOG_WARNING, "stranger.turned-away",
		"too many connections have said nothing yet; the oldest was ended", "address",
		COUNTER(turned_away)},
	/* So does a worker that is killed, which is nothing to wake anybody for. */
	[STRANGER_BROKE_OFF] = {SWP_LOG_INFO, "worker.broke-off",
		"the connection of a worker ended without a farewell", "worker", COUNTER(broke_off)},
	[STRANGER_FALSE_NAME] = {SWP_LOG_WARNING, "worker.false-name",
		"a worker greeted under the name of another key and was cut off", "worker",
		COUNTER(false_names)},
	[STRANGER_VIOLATION] = {SWP_LOG_WARNING, "worker.violation",
		"a worker sent what is not a message here", "worker", COUNTER(violations)},
	[STRANGER_FORGOTTEN] = {SWP_LOG_WARNING, "worker.forgotten",
		"a worker sent too much that is not a message here and was cut off", "worker",
		COUNTER(forgotten)},
#undef COUNTER
};

struct peer {
	struct peer *next;
	swp_bus_peer number;
	struct swp_session session;
	char key[SWP_BUS_KEY_TEXT_BYTES]; /* ZAP's user */
	char *name;			  /* that its key has */
	char host[64], version[32];	  /* as it greeted */
	int64_t catalogues_since_ms;
	unsigned catalogues; /* sent since then */
	bool greeted;	     /* told by `greeted` */
	uint64_t calls;
};

/* What is swept. */
struct plan {
	struct plan *next;
	const struct swp_message_sweep *message;
	struct swp_wire_bytes compiled;
};

struct allowed {
	bool from_folder, seen;
	char key[SWP_BUS_KEY_TEXT_BYTES];
	char name[];
};

struct swp_fleet {
	struct swp_loop *loop;
	struct swp_bus_server *server;
	struct swp_fleet_events events;
	struct swp_map *allowed; /* public key → struct allowed (owned) */
	char *keys_folder;	 /* NULL: none */
	uint64_t keys_stamp;
	int64_t keys_looked_ms;
	bool keys_unreadable; /* told */
	struct swp_fleet_strangers strangers;
	struct telling {
		unsigned told;
		int64_t told_ms;
		uint64_t untold;
	} tellings[STRANGER_COUNT];
	char refused[REFUSALS_TOLD][SWP_BUS_KEY_TEXT_BYTES];
	unsigned refused_count;
	int64_t refusal_told_ms; /* the last one beyond these */
	struct plan *plans;
	struct peer *peers;
	unsigned count;
	struct swp_timer timer;
	struct swp_buf frame; /* secret; reused */
};

static int64_t now_ms(const struct swp_fleet *fleet)
{
	return swp_loop_now_ms(fleet->loop);
}

/* --- strangers: counted always, told so that they can't fill the log --- */

static void stranger(struct swp_fleet *fleet, enum stranger what, const char *from, const char *detail)
{
	struct telling *telling = &fleet->tellings[what];
	uint64_t *counter = (void *)((char *)&fleet->strangers + stranger_rows[what].counter);

	(*counter)++;
	if (telling->told >= STRANGERS_TOLD && now_ms(fleet) - telling->told_ms < REFUSALS_PAUSE_MS) {
		telling->untold++;
		return;
	}
	telling->told++;
	telling->told_ms = now_ms(fleet);
	swp_log(stranger_rows[what].level, stranger_rows[what].event, stranger_rows[what].message,
		SWP_LOG_S(stranger_rows[what].from, from), SWP_LOG_S("detail", detail),
		SWP_LOG_N("not_told_before", telling->untold));
	telling->untold = 0;
}

static void stranger_came(void *context, enum swp_bus_stranger what, const char *address, const char *key)
{
	static const enum stranger kinds[] = {[SWP_BUS_STRANGER_HANDSHAKE] = STRANGER_HANDSHAKE,
		[SWP_BUS_STRANGER_HALF_OPEN] = STRANGER_HALF_OPEN,
		[SWP_BUS_STRANGER_TURNED_AWAY] = STRANGER_TURNED_AWAY,
		[SWP_BUS_STRANGER_BROKE_OFF] = STRANGER_BROKE_OFF};
	struct swp_fleet *fleet = context;
	const struct allowed *allowed = key ? swp_map_get(fleet->allowed, key) : NULL;

	if (what == SWP_BUS_STRANGER_BROKE_OFF)
		stranger(fleet, kinds[what], allowed ? allowed->name : "", address);
	else
		stranger(fleet, kinds[what], address, "");
}

struct swp_fleet_strangers swp_fleet_strangers(const struct swp_fleet *fleet)
{
	return fleet->strangers;
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
	if (now_ms(fleet) - peer->catalogues_since_ms >= SWP_HEARTBEAT_MS) {
		peer->catalogues_since_ms = now_ms(fleet);
		peer->catalogues = 0;
	}
	for (const struct plan *plan = fleet->plans; plan; plan = plan->next)
		if (swp_text_equal(hash, plan->message->catalogue)) {
			struct swp_message message = {.type = SWP_MESSAGE_CATALOGUE,
				.catalogue = {.hash = hash, .compiled = plan->compiled}};

			if (peer->catalogues++ < CATALOGUES_A_SECOND)
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

static struct peer *add_peer(struct swp_fleet *fleet, swp_bus_peer number, const char *key, const char *name)
{
	struct peer *peer;

	if (fleet->count >= SWP_LIMIT_WORKERS)
		return NULL;
	peer = swp_calloc(1, sizeof(*peer));
	if (peer)
		peer->name = swp_strdup(name);
	if (!peer || !peer->name) {
		swp_free(peer);
		return NULL;
	}
	peer->number = number;
	snprintf(peer->key, sizeof(peer->key), "%s", key);
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
	swp_bus_server_forget(fleet->server, peer->number);
	if (peer->greeted) {
		swp_log(SWP_LOG_INFO, "worker.gone", "a worker has gone", SWP_LOG_S("worker", peer->name),
			SWP_LOG_S("why", why));
		fleet->events.gone(fleet->events.context, peer->number);
	}
	peer_free(peer);
}

/* Its connection ends, too: it is a peer that must not come back by its next message. */
static void cut_peer(struct swp_fleet *fleet, struct peer *peer, const char *why)
{
	swp_bus_server_cut(fleet->server, peer->number);
	drop_peer(fleet, peer, why);
}

/* --- what workers say --- */

struct claim {
	const char *key, *name;
};

static int belongs_to_another(const char *key, void *value, void *context)
{
	const struct allowed *allowed = value;
	const struct claim *claim = context;

	return swp_text_equal(allowed->name, claim->name) && !swp_text_equal(key, claim->key);
}

/* A worker is called by its key's name. What it calls itself is its own business, as long as nobody else is called so. */
static bool claims_another(struct swp_fleet *fleet, struct peer *peer, const struct swp_message_hello *hello)
{
	struct claim claim = {peer->key, hello->name};

	if (!swp_map_each(fleet->allowed, belongs_to_another, &claim))
		return false;
	stranger(fleet, STRANGER_FALSE_NAME, peer->name, hello->name);
	cut_peer(fleet, peer, "false name");
	return true;
}

static void hello_came(struct swp_fleet *fleet, struct peer *peer, const struct swp_message_hello *hello)
{
	if (claims_another(fleet, peer, hello))
		return;
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

/* Each peer's first one is told. */
static void violation(struct swp_fleet *fleet, struct peer *peer)
{
	if (peer->session.error == -ENOMEM)
		return; /* our own */
	if (peer->session.violations == 1)
		stranger(fleet, STRANGER_VIOLATION, peer->name, strerror(-peer->session.error));
	else
		fleet->strangers.violations++;
	if (peer->session.violations > SWP_LIMIT_VIOLATIONS) {
		stranger(fleet, STRANGER_FORGOTTEN, peer->name, strerror(-peer->session.error));
		cut_peer(fleet, peer, "too many broken messages");
	}
}

/* NULL: the message does not count. */
static struct peer *peer_of(struct swp_fleet *fleet, swp_bus_peer number, const char *key)
{
	const struct allowed *allowed = swp_map_get(fleet->allowed, key);
	struct peer *peer = find_peer(fleet, number);

	if (!allowed) {
		fleet->strangers.revoked_messages++;
		swp_bus_server_cut(fleet->server, number);
		return NULL;
	}
	return peer ? peer : add_peer(fleet, number, key, allowed->name);
}

static void broken_came(void *context, swp_bus_peer number, const char *key)
{
	struct swp_fleet *fleet = context;
	struct peer *peer = peer_of(fleet, number, key);

	if (!peer)
		return;
	peer->session.violations++;
	peer->session.error = -EMSGSIZE;
	violation(fleet, peer);
}

static void received(void *context, swp_bus_peer number, const char *key, const void *bytes, size_t length)
{
	struct swp_fleet *fleet = context;
	struct peer *peer = peer_of(fleet, number, key);
	struct swp_message message = {0};

	if (!peer)
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

static void look_at_keys(struct swp_fleet *fleet)
{
	if (!fleet->keys_folder || now_ms(fleet) - fleet->keys_looked_ms < KEYS_LOOK_MS)
		return;
	fleet->keys_looked_ms = now_ms(fleet);
	if (swp_keys_stamp(fleet->keys_folder) != fleet->keys_stamp)
		swp_fleet_reload(fleet);
}

static void tick(struct swp_timer *timer)
{
	struct swp_fleet *fleet = SWP_CONTAINER_OF(timer, struct swp_fleet, timer);
	struct peer *next;

	look_at_keys(fleet);

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

/* Told again when it is refused again. */
static void forget_refusal(struct swp_fleet *fleet, const char *public_key)
{
	for (unsigned i = 0; i < fleet->refused_count; i++)
		if (swp_text_equal(fleet->refused[i], public_key)) {
			memcpy(fleet->refused[i], fleet->refused[--fleet->refused_count],
				sizeof(fleet->refused[i]));
			return;
		}
}

/* The key itself is the bus's user: whether it is allowed is asked with each message, so that a key that is revoked counts for
 * nothing from then on. */
static const char *allow(const char *public_key, void *context)
{
	struct swp_fleet *fleet = context;
	const struct allowed *allowed = swp_map_get(fleet->allowed, public_key);

	if (allowed)
		return allowed->key;
	fleet->strangers.refused_keys++;
	if (is_worth_telling(fleet, public_key))
		swp_log(SWP_LOG_WARNING, "worker.refused",
			"a worker with a key that is not allowed was refused",
			SWP_LOG_S("public_key", public_key));
	return NULL;
}

static int let_in(struct swp_fleet *fleet, const char *public_key, const char *name, bool from_folder)
{
	size_t size = strlen(name) + 1;
	struct allowed *allowed = swp_calloc(1, sizeof(*allowed) + size);
	void *old = NULL;
	int error = -ENOMEM;

	if (allowed) {
		allowed->from_folder = allowed->seen = from_folder;
		snprintf(allowed->key, sizeof(allowed->key), "%s", public_key);
		memcpy(allowed->name, name, size);
		error = swp_map_put(fleet->allowed, public_key, allowed, &old);
	}
	if (error < 0)
		swp_free(allowed);
	else
		forget_refusal(fleet, public_key);
	swp_free(old);
	return error;
}

int swp_fleet_allow(struct swp_fleet *fleet, const char *public_key, const char *name)
{
	return let_in(fleet, public_key, name, false);
}

void swp_fleet_disallow(struct swp_fleet *fleet, const char *public_key)
{
	swp_free(swp_map_take(fleet->allowed, public_key));
}

/* --- the folder of allowed keys --- */

static void cut_all_of(struct swp_fleet *fleet, const char *public_key)
{
	struct peer *next;

	for (struct peer *peer = fleet->peers; peer; peer = next) {
		next = peer->next;
		if (!swp_text_equal(peer->key, public_key))
			continue;
		fleet->strangers.revoked++;
		cut_peer(fleet, peer, "revoked");
	}
}

static void skipped(void *context, const char *file, const struct swp_problem *problem)
{
	(void)context;
	swp_log(SWP_LOG_WARNING, "keys.skipped", problem->text, SWP_LOG_S("file", file));
}

/* Takes what the folder says of one key. A key that has got another name is another worker. */
static int take_entry(struct swp_fleet *fleet, const struct swp_keys_entry *entry, bool tell)
{
	struct allowed *allowed = swp_map_get(fleet->allowed, entry->public_key);

	if (allowed && (!allowed->from_folder || swp_text_equal(allowed->name, entry->name))) {
		allowed->seen = true;
		return 0;
	}
	if (allowed)
		cut_all_of(fleet, entry->public_key);
	if (tell)
		swp_log(SWP_LOG_INFO, "worker.allowed", "a worker is let in from now on",
			SWP_LOG_S("worker", entry->name));
	return let_in(fleet, entry->public_key, entry->name, true);
}

/* What the folder does not say any more goes, and the others are made ready for the next time. */
static int take_out(const char *public_key, void *value, void *context)
{
	struct swp_fleet *fleet = context;
	struct allowed *allowed = value;
	bool stays = allowed->seen || !allowed->from_folder;

	allowed->seen = false;
	if (stays)
		return 0;
	swp_log(SWP_LOG_WARNING, "worker.revoked",
		"a worker's key is not allowed any more; it is cut off and its jobs go to others",
		SWP_LOG_S("worker", allowed->name));
	is_worth_telling(fleet, public_key); /* that it tries again is no news */
	cut_all_of(fleet, public_key);
	swp_free(swp_map_take(fleet->allowed, public_key));
	return 0;
}

static int read_allowed(struct swp_fleet *fleet, bool tell, struct swp_problem *problem)
{
	struct swp_keys_list list = {0};
	uint64_t stamp = swp_keys_stamp(fleet->keys_folder);
	int error = swp_keys_allowed(
		fleet->keys_folder, &list, fleet->keys_unreadable ? NULL : skipped, fleet, problem);

	if (error < 0)
		return error;
	for (size_t i = 0; error == 0 && i < list.count; i++)
		error = take_entry(fleet, &list.entries[i], tell);
	swp_keys_list_done(&list);
	if (error < 0)
		return swp_problem_set(problem, error, "out of memory");
	fleet->keys_stamp = stamp;
	swp_map_each(fleet->allowed, take_out, fleet);
	return 0;
}

int swp_fleet_reload(struct swp_fleet *fleet)
{
	struct swp_problem problem = {""};
	int error = fleet->keys_folder ? read_allowed(fleet, true, &problem) : 0;

	if (error < 0 && !fleet->keys_unreadable)
		swp_log(SWP_LOG_ERROR, "keys.unreadable", problem.text,
			SWP_LOG_S("meanwhile", "who was allowed stays allowed"));
	fleet->keys_unreadable = error < 0;
	return error;
}

static int start_keys(struct swp_fleet *fleet, const char *folder, struct swp_problem *problem)
{
	fleet->keys_folder = swp_strdup(folder);
	if (!fleet->keys_folder)
		return swp_problem_set(problem, -ENOMEM, "out of memory");
	return read_allowed(fleet, false, problem);
}

/* --- life --- */

struct swp_fleet *swp_fleet_new(struct swp_loop *loop, const struct swp_fleet_options *options,
	const struct swp_fleet_events *events, struct swp_problem *problem)
{
	struct swp_fleet *fleet = swp_calloc(1, sizeof(*fleet));
	struct swp_bus_server_events bus_events = {.received = received,
		.allow = allow,
		.broken = broken_came,
		.stranger = stranger_came,
		.context = fleet};

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
	if (options->keys_folder && start_keys(fleet, options->keys_folder, problem) < 0) {
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

static const struct {
	const char *name;
	size_t offset;
} counters[] = {
#define COUNTER(member)                                                                                      \
	{                                                                                                    \
#member, offsetof(struct swp_fleet_strangers, member)                                        \
	}
	COUNTER(refused_keys),
	COUNTER(broken_handshakes),
	COUNTER(half_open),
	COUNTER(turned_away),
	COUNTER(broke_off),
	COUNTER(false_names),
	COUNTER(violations),
	COUNTER(forgotten),
	COUNTER(revoked),
	COUNTER(revoked_messages),
#undef COUNTER
};

const char *swp_fleet_stranger_name(size_t index)
{
	return index < SWP_ARRAY_SIZE(counters) ? counters[index].name : NULL;
}

uint64_t swp_fleet_stranger_count(const struct swp_fleet_strangers *strangers, size_t index)
{
	uint64_t count = 0;

	if (index < SWP_ARRAY_SIZE(counters))
		memcpy(&count, (const char *)strangers + counters[index].offset, sizeof(count));
	return count;
}

void swp_fleet_tell_strangers(const struct swp_fleet *fleet)
{
	struct swp_log_field fields[SWP_ARRAY_SIZE(counters) + 1] = {{.name = NULL}};
	bool any = false;

	for (size_t i = 0; fleet && i < SWP_ARRAY_SIZE(counters); i++) {
		uint64_t count = swp_fleet_stranger_count(&fleet->strangers, i);

		fields[i] = SWP_LOG_N(counters[i].name, count);
		any |= count > 0;
	}
	if (any)
		swp_log_fields(
			SWP_LOG_INFO, "fleet.strangers", "who was not let in, or did not behave", fields);
}

void swp_fleet_free(struct swp_fleet *fleet)
{
	const struct swp_message bye = {.type = SWP_MESSAGE_BYE};

	if (!fleet)
		return;
	swp_timer_stop(&fleet->timer);
	swp_fleet_send_all(fleet, &bye); /* may be lost with the connection: then our silence tells */
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
	swp_free(fleet->keys_folder);
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
