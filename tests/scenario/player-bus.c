/* bus.h: the other end is the test. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/error.h"
#include "proto/base/limits.h"
#include "tests/scenario/player-internal.h"

#define MOST_LINKS 16

struct frame {
	struct frame *next;
	swp_bus_peer peer; /* of a server's frames */
	size_t length;
	unsigned char bytes[];
};
struct queue {
	struct frame *first;
};

/* On its way to the program under test. */
struct delivery {
	struct swp_timer timer;
	struct delivery *next;
	struct swp_bus_client *client;
	struct swp_bus_server *server;
	swp_bus_peer peer;
	char user[64];
	size_t length;
	unsigned char bytes[];
};

struct swp_bus_client {
	struct swp_loop *loop;
	struct swp_bus_client_events events;
	struct queue sent;
	struct swp_timer alive_timer;
	unsigned number;
	bool muted;
};

struct swp_bus_server {
	struct swp_loop *loop;
	struct swp_bus_server_events events;
	struct queue sent;
	struct swp_bus_statistics statistics;
	char endpoint[128];
};

static struct swp_bus_client *clients[MOST_LINKS];
static unsigned client_count;
static struct swp_bus_server *server;
static struct delivery *deliveries;
static bool ignored[SWP_MESSAGE_TYPE_COUNT];
static swp_bus_peer gone[64];
static unsigned gone_count;

void player_bus_begin(void)
{
	client_count = gone_count = 0;
	memset(clients, 0, sizeof(clients));
	memset(ignored, 0, sizeof(ignored));
}

void player_bus_end(void)
{
	for (unsigned i = 0; i < client_count; i++)
		if (clients[i])
			player_fail("bus client %u is left over", i);
	if (server)
		player_fail("a bus server is left over");
	if (deliveries)
		player_fail("a message to the program is still on its way");
}

void player_ignore(enum swp_message_type type, bool on)
{
	ignored[type] = on;
}

/* --- queues of what was sent --- */

static void decode(const void *bytes, size_t length, struct swp_message *ret_message)
{
	int r = swp_message_decode(bytes, length, ret_message);

	if (r == -ENOMEM) /* a failure that was meant for the program; the next allocation is fine again */
		r = swp_message_decode(bytes, length, ret_message);
	if (r < 0)
		player_fail("the program sent a frame that is no message");
}

static enum swp_message_type type_of(const void *bytes, size_t length)
{
	struct swp_message message;
	enum swp_message_type type;

	decode(bytes, length, &message);
	type = message.type;
	swp_message_done(&message);
	return type;
}

static void append(struct queue *queue, swp_bus_peer peer, const void *bytes, size_t length)
{
	struct frame *frame, **last = &queue->first;

	if (ignored[type_of(bytes, length)])
		return;
	frame = malloc(sizeof(*frame) + length);
	if (!frame)
		player_fail("out of memory");
	*frame = (struct frame){.peer = peer, .length = length};
	memcpy(frame->bytes, bytes, length);
	while (*last)
		last = &(*last)->next;
	*last = frame;
}

/* The first frame for that peer that is not a heartbeat, or is one if that is wanted. */
static struct frame **first_of(struct queue *queue, swp_bus_peer peer, enum swp_message_type wanted)
{
	struct frame **at = &queue->first;

	while (*at && ((*at)->peer != peer ||
			      (wanted != SWP_MESSAGE_HEARTBEAT &&
				      type_of((*at)->bytes, (*at)->length) == SWP_MESSAGE_HEARTBEAT)))
		at = &(*at)->next;
	return at;
}

static bool has(struct queue *queue, swp_bus_peer peer, enum swp_message_type type)
{
	struct frame *frame = *first_of(queue, peer, type);

	return frame && type_of(frame->bytes, frame->length) == type;
}

static void take(
	struct queue *queue, swp_bus_peer peer, enum swp_message_type type, struct swp_message *ret_message)
{
	struct frame **at = first_of(queue, peer, type), *frame = *at;

	if (!frame)
		player_fail("%s was expected and nothing was sent", swp_message_type_name(type));
	decode(frame->bytes, frame->length, ret_message);
	if (ret_message->type != type)
		player_fail("%s was expected, and %s was sent", swp_message_type_name(type),
			swp_message_type_name(ret_message->type));
	*at = frame->next;
	free(frame);
}

/* Heartbeats may be left over, anything else is something that the test did not look at. */
static void drain_queue(struct queue *queue)
{
	while (queue->first) {
		struct frame *frame = queue->first;
		enum swp_message_type type = type_of(frame->bytes, frame->length);

		if (type != SWP_MESSAGE_HEARTBEAT)
			player_fail("%s was sent and nobody looked at it", swp_message_type_name(type));
		queue->first = frame->next;
		free(frame);
	}
}

/* --- towards the program --- */

static void deliver(struct swp_timer *timer)
{
	struct delivery *delivery = SWP_CONTAINER_OF(timer, struct delivery, timer), **at = &deliveries;

	while (*at != delivery)
		at = &(*at)->next;
	*at = delivery->next;
	if (delivery->client && !delivery->client->muted)
		delivery->client->events.received(
			delivery->client->events.context, delivery->bytes, delivery->length);
	if (delivery->server)
		delivery->server->events.received(delivery->server->events.context, delivery->peer,
			delivery->user, delivery->bytes, delivery->length);
	free(delivery);
}

static struct delivery *begin_delivery(struct swp_loop *loop, const void *bytes, size_t length)
{
	struct delivery *delivery = calloc(1, sizeof(*delivery) + length);

	if (!delivery)
		player_fail("out of memory");
	memcpy(delivery->bytes, bytes, length);
	delivery->length = length;
	delivery->next = deliveries;
	deliveries = delivery;
	swp_timer_init(&delivery->timer, loop, deliver);
	swp_timer_start(&delivery->timer, 0);
	return delivery;
}

/* What is on its way to somebody who goes is lost. */
static void drop_deliveries(const struct swp_bus_client *client, const struct swp_bus_server *to_server)
{
	struct delivery **at = &deliveries;

	while (*at) {
		struct delivery *delivery = *at;

		if ((!client || delivery->client != client) &&
			(!to_server || delivery->server != to_server)) {
			at = &delivery->next;
			continue;
		}
		*at = delivery->next;
		swp_timer_stop(&delivery->timer);
		free(delivery);
	}
}

static struct swp_bus_client *client_of(unsigned link)
{
	if (link >= client_count || !clients[link])
		player_fail("there is no bus client %u", link);
	return clients[link];
}

void player_send_bytes(unsigned link, const void *bytes, size_t length)
{
	begin_delivery(client_of(link)->loop, bytes, length)->client = client_of(link);
}

/* Tried twice: a failing allocation that a test ordered is meant for the program. */
static void encode_own(const struct swp_message *message, struct swp_buf *bytes)
{
	int r = swp_message_encode(message, bytes);

	if (r == -ENOMEM) {
		swp_buf_clear(bytes);
		r = swp_message_encode(message, bytes);
	}
	if (r < 0)
		player_fail("the test's own message can't be encoded");
}

void player_send(unsigned link, const struct swp_message *message)
{
	struct swp_buf bytes = {.secret = true};

	encode_own(message, &bytes);
	player_send_bytes(link, bytes.data, bytes.length);
	swp_buf_done(&bytes);
}

void player_take(unsigned link, enum swp_message_type type, struct swp_message *ret_message)
{
	take(&client_of(link)->sent, 0, type, ret_message);
}

bool player_has(unsigned link, enum swp_message_type type)
{
	return has(&client_of(link)->sent, 0, type);
}

static void still_alive(struct swp_timer *timer)
{
	struct swp_bus_client *client = SWP_CONTAINER_OF(timer, struct swp_bus_client, alive_timer);
	const struct swp_message heartbeat = {.type = SWP_MESSAGE_HEARTBEAT};

	player_send(client->number, &heartbeat);
	swp_timer_start(timer, SWP_HEARTBEAT_MS);
}

void player_keep_alive(unsigned link, bool on)
{
	if (on)
		swp_timer_start(&client_of(link)->alive_timer, SWP_HEARTBEAT_MS);
	else
		swp_timer_stop(&client_of(link)->alive_timer);
}

void player_reconnect(unsigned link)
{
	struct swp_bus_client *client = clients[link];

	client->events.connected(client->events.context);
}

void player_mute(unsigned link, bool on)
{
	client_of(link)->muted = on;
}

bool player_serves(void)
{
	return server != NULL;
}

void player_peer_says(swp_bus_peer peer, const char *user, const struct swp_message *message)
{
	struct swp_buf bytes = {.secret = true};
	struct delivery *delivery;

	if (!server)
		player_fail("there is no bus server");
	encode_own(message, &bytes);
	delivery = begin_delivery(server->loop, bytes.data, bytes.length);
	delivery->server = server;
	delivery->peer = peer;
	snprintf(delivery->user, sizeof(delivery->user), "%s", user);
	swp_buf_done(&bytes);
}

void player_peer_take(swp_bus_peer peer, enum swp_message_type type, struct swp_message *ret_message)
{
	take(&server->sent, peer, type, ret_message);
}

bool player_peer_has(swp_bus_peer peer, enum swp_message_type type)
{
	return has(&server->sent, peer, type);
}

void player_peer_gone(swp_bus_peer peer)
{
	gone[gone_count++ % SWP_ARRAY_SIZE(gone)] = peer;
}

const char *player_allowed(const char *public_key)
{
	return server->events.allow(public_key, server->events.context);
}

/* --- bus.h --- */

int swp_bus_keys_make(struct swp_bus_keys *ret_keys)
{
	*ret_keys = (struct swp_bus_keys){.public_key = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"};
	return swp_secret_set_text(&ret_keys->secret_key, "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs");
}

void swp_bus_keys_done(struct swp_bus_keys *keys)
{
	swp_secret_done(&keys->secret_key);
}

struct swp_bus_client *swp_bus_client_new(struct swp_loop *loop, const char *endpoint,
	const struct swp_bus_keys *own, const char *server_public_key,
	const struct swp_bus_client_events *events, struct swp_problem *problem)
{
	struct swp_bus_client *client = calloc(1, sizeof(*client));

	(void)endpoint;
	(void)own;
	(void)server_public_key;
	(void)problem;
	if (!client || client_count == MOST_LINKS)
		player_fail("too many bus clients");
	client->loop = loop;
	client->events = *events;
	swp_timer_init(&client->alive_timer, loop, still_alive);
	client->number = client_count;
	clients[client_count++] = client;
	return client;
}

void swp_bus_client_free(struct swp_bus_client *client)
{
	if (!client)
		return;
	swp_timer_stop(&client->alive_timer);
	drop_deliveries(client, NULL);
	drain_queue(&client->sent);
	clients[client->number] = NULL;
	free(client);
}

int swp_bus_client_send(struct swp_bus_client *client, const void *bytes, size_t length)
{
	if (!client->muted)
		append(&client->sent, 0, bytes, length);
	return 0;
}

struct swp_bus_server *swp_bus_server_new(struct swp_loop *loop, const char *endpoint,
	const struct swp_bus_keys *keys, const struct swp_bus_server_events *events,
	struct swp_problem *problem)
{
	(void)keys;
	(void)problem;
	if (server)
		player_fail("a second bus server");
	server = calloc(1, sizeof(*server));
	if (!server)
		player_fail("out of memory");
	server->loop = loop;
	server->events = *events;
	snprintf(server->endpoint, sizeof(server->endpoint), "%s", endpoint);
	return server;
}

void swp_bus_server_free(struct swp_bus_server *to_free)
{
	if (!to_free)
		return;
	drop_deliveries(NULL, to_free);
	drain_queue(&to_free->sent);
	free(to_free);
	server = NULL;
}

const char *swp_bus_server_endpoint(const struct swp_bus_server *of)
{
	return of->endpoint;
}

int swp_bus_server_send(struct swp_bus_server *from, swp_bus_peer peer, const void *bytes, size_t length)
{
	for (unsigned i = 0; i < gone_count && i < SWP_ARRAY_SIZE(gone); i++)
		if (gone[i] == peer)
			return -EHOSTUNREACH;
	append(&from->sent, peer, bytes, length);
	return 0;
}

void swp_bus_server_forget(struct swp_bus_server *of, swp_bus_peer peer)
{
	(void)of;
	player_peer_gone(peer);
}

void swp_bus_server_cut(struct swp_bus_server *of, swp_bus_peer peer)
{
	swp_bus_server_forget(of, peer);
}

void swp_bus_server_statistics(const struct swp_bus_server *of, struct swp_bus_statistics *ret_statistics)
{
	*ret_statistics = of->statistics;
}
