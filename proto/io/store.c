/* The conversation with Redis: a queue of commands, one connection that comes back, and each command answered once.
 *
 * Commands stand in one list in the order asked: those sent and waiting for their answer first, then (from `unsent` on)
 * those whose bytes lie in `out`. When the connection dies the sent ones are lost; the others wait for the next.
 *
 * With sentinel:// each connection begins anew at the sentinels, one after the other, until one of them names a primary that is one.
 */
#include "proto/io/store.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/buf.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/io/store-greeting.h"
#include "proto/io/store-reply.h"
#include "proto/io/store-sentinel.h"
#include "proto/io/store-transport.h"

#define BACK_OFF_LEAST_MS 50
#define BACK_OFF_MOST_MS 2000
#define READ_BYTES (16u << 10)
#define READS_A_ROUND 16
#define WRITE_BYTES_A_ROUND (4u << 20)
#define KEPT_BUFFER_BYTES (1u << 20) /* a larger send buffer is given back once it is empty */
#define OUT_LIMIT_BYTES (2 * (size_t)SWP_LIMIT_STORE_WAITING_BYTES + (1u << 20))
#define SHA1_TEXT_BYTES 41
#define SLOWEST_BYTES_A_MS 256 /* a record takes its time on a long line: 2 Mbit/s */

struct known_script {
	struct known_script *next;
	char sha1[SHA1_TEXT_BYTES];
	char *source;
};

struct command {
	struct command *next;
	swp_store_done done;
	void *context;
	size_t wire_length;
	bool internal; /* ours: not counted, not answered */
	/* For EVALSHA what is needed to say it again as EVAL: all arguments but the first two, as RESP. */
	const struct known_script *script;
	size_t argument_count, rest_length;
	char rest[];
};

enum state {
	STORE_DOWN, /* until the retry timer fires */
	STORE_OPENING,
	STORE_GREETING,
	STORE_UP,
	STORE_REFUSED,
};

struct swp_store {
	struct swp_loop *loop;
	struct swp_store_options options; /* texts are owned */
	struct swp_secret password, sentinel_password;
	struct swp_store_events events;
	enum state state;
	bool asks_sentinel; /* opening and greeting: that is a sentinel, not yet Redis */
	struct swp_store_sentinels sentinels;
	struct swp_store_transport *transport;
	struct swp_store_reader *reader;
	struct swp_store_greeting greeting;
	struct swp_timer retry, silence;
	struct swp_prepare prepare;
	struct command *head, **tail, *unsent;
	size_t front_sent; /* bytes of *unsent that are gone already */
	size_t open_commands;
	size_t unanswered_bytes; /* sent, and not answered yet */
	struct swp_buf out;
	size_t out_sent;	  /* bytes at the front of `out` that are gone already */
	struct swp_buf first_out; /* before all commands: greeting, then the scripts */
	bool blocked, read_more, was_up, told_down, closing;
	uint64_t connections; /* that came up */
	unsigned connection;  /* counts them, so that who read from one sees that it is gone */
	int64_t last_heard_ms;
	unsigned failures; /* in a row */
	char run_id[sizeof(((struct swp_store_greeting *)NULL)->run_id)];
	struct swp_store_warning warnings[2];
	size_t warning_count;
	char policy_warning[128];
	struct known_script *scripts;
	bool *freed; /* see guard */
};

/* Call-backs may free the store: who goes on behind one asks its guard first. */
struct guard {
	bool freed;
	bool *outer;
};

static void guard_enter(struct swp_store *store, struct guard *guard)
{
	*guard = (struct guard){.outer = store->freed};
	store->freed = &guard->freed;
}

/* True when the store is gone. */
static bool guard_leave(struct swp_store *store, struct guard *guard)
{
	if (!guard->freed)
		store->freed = guard->outer;
	else if (guard->outer)
		*guard->outer = true;
	return guard->freed;
}

/* --- the queue --- */

static void answer(struct command *command, const struct swp_store_reply *reply)
{
	swp_store_done done = command->done;
	void *context = command->context;

	swp_free(command);
	if (done)
		done(context, reply);
}

static void answer_lost(struct command *list)
{
	static const struct swp_store_reply lost = {.type = SWP_STORE_REPLY_LOST, .bytes = ""};
	struct command *next;

	for (; list; list = next) {
		next = list->next;
		answer(list, &lost);
	}
}

static struct command *take_head(struct swp_store *store)
{
	struct command *command = store->head;

	store->head = command->next;
	if (!store->head)
		store->tail = &store->head;
	store->open_commands -= !command->internal;
	store->unanswered_bytes -= command->wire_length;
	return command;
}

static void append(struct swp_store *store, struct command *command)
{
	command->next = NULL;
	*store->tail = command;
	store->tail = &command->next;
	if (!store->unsent)
		store->unsent = command;
	store->open_commands += !command->internal;
}

/* Cuts off what went out with the connection, also in part; what is left starts at a command's first byte. */
static struct command *take_sent(struct swp_store *store)
{
	struct command *list = NULL, **end = &list;

	if (store->front_sent > 0) {
		store->out_sent += store->unsent->wire_length - store->front_sent;
		store->unanswered_bytes += store->unsent->wire_length - store->front_sent;
		store->unsent = store->unsent->next;
		store->front_sent = 0;
	}
	while (store->head != store->unsent) {
		*end = take_head(store);
		end = &(*end)->next;
	}
	*end = NULL;
	return list;
}

static size_t waiting_bytes(const struct swp_store *store)
{
	return store->out.length - store->out_sent;
}

/* Room for `length` more bytes of commands. 0, -ENOBUFS, -ENOMEM. */
static int make_room(struct swp_store *store, size_t length)
{
	int error;

	if (store->closing || length > SWP_LIMIT_STORE_WAITING_BYTES ||
		waiting_bytes(store) > SWP_LIMIT_STORE_WAITING_BYTES - length)
		return -ENOBUFS;
	if (store->out_sent > store->out.length / 2) {
		swp_buf_consume(&store->out, store->out_sent);
		store->out_sent = 0;
	}
	error = swp_buf_reserve(&store->out, length);
	/* The buffer remembers failures; for us the next command may well have room. */
	store->out.failed = 0;
	return error;
}

/* --- the end of a connection --- */

static void close_connection(struct swp_store *store)
{
	swp_store_transport_close(store->transport);
	swp_store_reader_free(store->reader);
	store->reader = NULL;
	swp_buf_clear(&store->first_out);
	swp_timer_stop(&store->silence);
	store->blocked = store->read_more = false;
	store->connection++;
}

static bool has_sentinels(const struct swp_store *store)
{
	return store->options.address.scheme == SWP_STORE_SENTINEL;
}

static int64_t back_off_ms(struct swp_store *store)
{
	unsigned doublings = store->failures < 6 ? store->failures : 6;
	int64_t most = BACK_OFF_LEAST_MS << doublings;

	store->failures++;
	if (most > BACK_OFF_MOST_MS)
		most = BACK_OFF_MOST_MS;
	return most / 2 + (int64_t)(swp_clock_random_unit(swp_loop_clock(store->loop)) * (double)(most / 2));
}

static void refuse(struct swp_store *store, const char *cause);

/* Tells the lost ones, then that we are down, and tries again later. The store may be gone when it returns. */
static void go_down(struct swp_store *store, const char *why)
{
	struct command *sent;
	struct guard guard;

	store->state = STORE_DOWN;
	swp_timer_start(&store->retry, back_off_ms(store));
	sent = take_sent(store);
	guard_enter(store, &guard);
	answer_lost(sent);
	if (!guard.freed && !store->told_down) {
		store->told_down = true;
		if (store->events.down)
			store->events.down(store->events.context, why);
	}
	guard_leave(store, &guard);
}

static void open_next_sentinel(struct swp_store *store)
{
	const struct swp_store_host *host;
	struct swp_problem why;
	bool for_ever;

	store->state = STORE_OPENING;
	store->asks_sentinel = true;
	while ((host = swp_store_sentinels_next(&store->sentinels))) {
		int error = swp_store_transport_open(store->transport, host);

		if (!error)
			return;
		swp_store_sentinels_failed(
			&store->sentinels, swp_store_transport_why(store->transport, error));
	}
	for_ever = swp_store_sentinels_sum_up(&store->sentinels, &why);
	if (for_ever && !store->was_up)
		refuse(store, why.text);
	else
		go_down(store, why.text);
}

/* The connection is no more, or was not to be had. The store may be gone when it returns. */
static void lose(struct swp_store *store, const char *cause)
{
	struct swp_problem why;

	/* `cause` may lie in what is closed now. */
	swp_problem_set(&why, 0, "%s", cause);
	close_connection(store);
	if (!has_sentinels(store) || store->state == STORE_UP) {
		go_down(store, why.text);
		return;
	}
	swp_store_sentinels_failed(&store->sentinels, why.text);
	open_next_sentinel(store);
}

static void refuse(struct swp_store *store, const char *cause)
{
	struct swp_problem why;

	swp_problem_set(&why, 0, "%s", cause);
	close_connection(store);
	store->state = STORE_REFUSED;
	if (store->events.refused)
		store->events.refused(store->events.context, why.text);
}

/* --- writing --- */

/* So long may it say nothing. */
static int64_t patience_ms(const struct swp_store *store)
{
	int64_t least_ms = store->asks_sentinel ? SWP_LIMIT_SENTINEL_MS : store->options.command_timeout_ms;
	int64_t ms = least_ms + (int64_t)(store->unanswered_bytes / SLOWEST_BYTES_A_MS);
	int64_t most_ms = least_ms > SWP_LIMIT_STORE_COMMAND_MS ? least_ms : SWP_LIMIT_STORE_COMMAND_MS;

	return ms < most_ms ? ms : most_ms;
}

/* Writes from `bytes`; takes what was sent off `ret_sent`'s budget. 0, -EAGAIN, or the connection is dead. */
static int write_some(struct swp_store *store, const char *bytes, size_t length, size_t *ret_sent)
{
	size_t done = 0;
	ssize_t sent = 0;

	while (done < length && done < WRITE_BYTES_A_ROUND) {
		sent = swp_store_transport_write(store->transport, bytes + done, length - done);
		if (sent < 0)
			break;
		done += (size_t)sent;
	}
	*ret_sent = done;
	if (done > 0 && store->head == store->unsent)
		store->last_heard_ms = swp_loop_now_ms(store->loop);
	return sent < 0 ? (int)sent : 0;
}

static void account_sent(struct swp_store *store, size_t sent)
{
	store->out_sent += sent;
	store->front_sent += sent;
	store->unanswered_bytes += sent;
	while (store->unsent && store->front_sent >= store->unsent->wire_length) {
		store->front_sent -= store->unsent->wire_length;
		store->unsent = store->unsent->next;
	}
	if (waiting_bytes(store) > 0)
		return;
	store->out_sent = 0;
	if (store->out.capacity > KEPT_BUFFER_BYTES)
		swp_buf_done(&store->out);
	else
		swp_buf_clear(&store->out);
}

/* Sends what lies there, as far as it goes. The store may be gone when it returns. */
static void flush(struct swp_store *store)
{
	size_t sent = 0;
	int error = 0;

	if (store->first_out.length > 0) {
		error = write_some(store, store->first_out.data, store->first_out.length, &sent);
		swp_buf_consume(&store->first_out, sent);
	}
	if (!error && store->first_out.length == 0 && store->state == STORE_UP && waiting_bytes(store) > 0) {
		error = write_some(store, store->out.data + store->out_sent, waiting_bytes(store), &sent);
		account_sent(store, sent);
	}
	store->blocked = error == -EAGAIN;
	if (error && error != -EAGAIN) {
		lose(store, swp_store_transport_why(store->transport, error));
		return;
	}
	if (!swp_timer_is_running(&store->silence))
		swp_timer_start(&store->silence, patience_ms(store));
}

static bool has_to_send(const struct swp_store *store)
{
	return !store->blocked && ((store->state >= STORE_GREETING && store->first_out.length > 0) ||
					  (store->state == STORE_UP && waiting_bytes(store) > 0));
}

/* --- replies --- */

static void load_scripts(struct swp_store *store);

static void keep_warnings(struct swp_store *store)
{
	store->warning_count = 0;
	if (store->greeting.policy[0]) {
		snprintf(store->policy_warning, sizeof(store->policy_warning),
			"when its memory is full this Redis drops records (maxmemory-policy %s)",
			store->greeting.policy);
		store->warnings[store->warning_count++] =
			(struct swp_store_warning){store->policy_warning, "set maxmemory-policy noeviction"};
	}
	if (store->greeting.keeps_no_log)
		store->warnings[store->warning_count++] = (struct swp_store_warning){
			"this Redis keeps no append-only file: when it restarts, sweeps since its last "
			"snapshot are gone",
			"set appendonly yes"};
}

static void become_up(struct swp_store *store)
{
	bool fresh_run = store->was_up && strcmp(store->run_id, store->greeting.run_id) != 0;

	memcpy(store->run_id, store->greeting.run_id, sizeof(store->run_id));
	store->state = STORE_UP;
	store->was_up = true;
	store->connections++;
	store->told_down = false;
	store->failures = 0;
	if (has_sentinels(store))
		swp_store_sentinels_succeeded(&store->sentinels);
	keep_warnings(store);
	load_scripts(store);
	if (store->events.up)
		store->events.up(store->events.context, fresh_run);
}

static void on_greeting_reply(struct swp_store *store, const struct swp_store_reply *reply)
{
	switch (swp_store_greeting_answer(&store->greeting, reply)) {
	case SWP_STORE_GOOD:
		if (swp_store_greeting_is_over(&store->greeting))
			become_up(store);
		return;
	case SWP_STORE_REPLICA:
		if (!store->was_up && !has_sentinels(store))
			break;
		lose(store, has_sentinels(store) ? "it is a replica" : store->greeting.problem.text);
		return;
	case SWP_STORE_AGAIN:
		lose(store, store->greeting.problem.text);
		return;
	case SWP_STORE_NEVER:
		break;
	}
	refuse(store, store->greeting.problem.text);
}

/* The sentinel has answered: on to the primary that it named, or to the next one. */
static void on_sentinel_reply(struct swp_store *store, const struct swp_store_reply *reply)
{
	int error;

	switch (swp_store_sentinels_answer(&store->sentinels, reply, &store->first_out)) {
	case SWP_SENTINEL_MORE:
		return;
	case SWP_SENTINEL_NEXT:
		close_connection(store);
		open_next_sentinel(store);
		return;
	case SWP_SENTINEL_TOLD:
		break;
	}
	close_connection(store);
	store->asks_sentinel = false;
	store->state = STORE_OPENING;
	error = swp_store_transport_open(store->transport, swp_store_sentinels_primary(&store->sentinels));
	if (error)
		lose(store, swp_store_transport_why(store->transport, error));
}

/* The words of a Redis that is no master any more, also from inside a script. */
static bool says_read_only(const struct swp_store_reply *reply)
{
	return reply->type == SWP_STORE_REPLY_ERROR &&
	       (swp_text_starts(reply->bytes, "READONLY") || swp_text_starts(reply->bytes, "MASTERDOWN") ||
		       strstr(reply->bytes, "-READONLY "));
}

static bool say_again_as_eval(struct swp_store *store, struct command *command);

static void on_reply(struct swp_store *store, const struct swp_store_reply *reply)
{
	struct command *command = store->head;

	if (store->state == STORE_GREETING) {
		if (store->asks_sentinel)
			on_sentinel_reply(store, reply);
		else
			on_greeting_reply(store, reply);
		return;
	}
	if (command == store->unsent) {
		lose(store, "Redis sent an answer that nobody asked for");
		return;
	}
	if (says_read_only(reply)) {
		/* It stays in the list, and is lost with the others. */
		lose(store, "Redis is read-only now: a fail-over");
		return;
	}
	take_head(store);
	if (command->script && reply->type == SWP_STORE_REPLY_ERROR &&
		swp_text_starts(reply->bytes, "NOSCRIPT") && say_again_as_eval(store, command))
		return;
	answer(command, reply);
}

/* What can't be understood is told to who asked, so that it is not asked again for ever; then the connection goes. */
static void on_bad_reply(struct swp_store *store, int error)
{
	const char *words = error == -E2BIG    ? "ERR the reply is above the ceiling"
			    : error == -ENOMEM ? "ERR out of memory"
					       : "ERR the reply can't be understood";
	const struct swp_store_reply reply = {
		.type = SWP_STORE_REPLY_ERROR, .bytes = words, .length = strlen(words)};
	struct guard guard;

	guard_enter(store, &guard);
	if (store->state == STORE_UP && store->head != store->unsent)
		answer(take_head(store), &reply);
	if (!guard_leave(store, &guard))
		lose(store, words + strlen("ERR "));
}

/* False when the connection (or the store) is gone. */
static bool take_bytes(struct swp_store *store, const char *bytes, size_t length)
{
	const struct swp_store_reply *reply;
	unsigned connection = store->connection;
	struct guard guard;
	int error = swp_store_reader_feed(store->reader, bytes, length);

	store->last_heard_ms = swp_loop_now_ms(store->loop);
	while (!error) {
		error = swp_store_reader_next(store->reader, &reply);
		if (error)
			break;
		if (!reply)
			return true;
		guard_enter(store, &guard);
		on_reply(store, reply);
		if (guard_leave(store, &guard) || store->connection != connection)
			return false;
	}
	on_bad_reply(store, error);
	return false;
}

static void read_some(struct swp_store *store)
{
	char bytes[READ_BYTES];

	store->read_more = false;
	for (int i = 0; i < READS_A_ROUND; i++) {
		ssize_t got = swp_store_transport_read(store->transport, bytes, sizeof(bytes));

		if (got == -EAGAIN)
			return;
		if (got <= 0) {
			lose(store, got == 0 ? "Redis closed the connection"
					     : swp_store_transport_why(store->transport, (int)got));
			return;
		}
		if (!take_bytes(store, bytes, (size_t)got))
			return;
	}
	/* TLS may hold bytes that the descriptor no longer announces. */
	store->read_more = true;
}

/* --- the loop's calls --- */

static void transport_opened(void *context)
{
	struct swp_store *store = context;
	int error;

	store->reader = swp_store_reader_new();
	if (!store->reader)
		error = -ENOMEM;
	else if (store->asks_sentinel)
		error = swp_store_sentinels_ask(&store->sentinels, &store->first_out);
	else
		error = swp_store_greeting_start(&store->greeting, &store->options, &store->first_out);
	if (error) {
		lose(store, strerror(-error));
		return;
	}
	store->state = STORE_GREETING;
	store->last_heard_ms = swp_loop_now_ms(store->loop);
	flush(store);
}

static void transport_failed(void *context, bool untrusted, const char *why)
{
	struct swp_store *store = context;

	if (untrusted && !store->was_up && !has_sentinels(store))
		refuse(store, why);
	else
		lose(store, why);
}

static void transport_ready(void *context)
{
	struct swp_store *store = context;

	/* TLS may have waited for either direction. */
	store->blocked = false;
	read_some(store);
}

static bool store_prepare(struct swp_prepare *prepare)
{
	struct swp_store *store = SWP_CONTAINER_OF(prepare, struct swp_store, prepare);
	bool read_more = store->read_more, worked = read_more || has_to_send(store);
	struct guard guard;

	guard_enter(store, &guard);
	if (read_more)
		read_some(store);
	if (!guard.freed && has_to_send(store))
		flush(store);
	if (guard_leave(store, &guard))
		return true;
	/* There was no memory for it when the connection was lost. */
	if (store->state == STORE_DOWN && !swp_timer_is_running(&store->retry))
		swp_timer_start(&store->retry, BACK_OFF_MOST_MS);
	return worked && (has_to_send(store) || read_more || store->state == STORE_DOWN);
}

static void retry_now(struct swp_timer *timer)
{
	struct swp_store *store = SWP_CONTAINER_OF(timer, struct swp_store, retry);
	const struct swp_store_address *address = &store->options.address;
	struct swp_store_host host = {.port = address->port};
	int error;

	if (has_sentinels(store)) {
		swp_store_sentinels_begin(&store->sentinels);
		open_next_sentinel(store);
		return;
	}
	memcpy(host.name, address->host, sizeof(host.name));
	store->state = STORE_OPENING;
	error = swp_store_transport_open(store->transport, &host);
	if (error)
		lose(store, swp_store_transport_why(store->transport, error));
}

static void silence_ended(struct swp_timer *timer)
{
	struct swp_store *store = SWP_CONTAINER_OF(timer, struct swp_store, silence);
	int64_t silent_ms = swp_loop_now_ms(store->loop) - store->last_heard_ms;
	struct swp_problem why;

	if (store->state == STORE_UP && !store->head)
		return;
	if (silent_ms < patience_ms(store)) {
		swp_timer_start(&store->silence, patience_ms(store) - silent_ms);
		return;
	}
	swp_problem_set(&why, 0, "%s has not answered for %d s", store->asks_sentinel ? "it" : "Redis",
		(int)(silent_ms / 1000));
	lose(store, why.text);
}

/* --- commands --- */

int swp_store_command(struct swp_store *store, const struct swp_store_argument *arguments, size_t count,
	swp_store_done done, void *context)
{
	size_t length = swp_store_format_length(arguments, count);
	int error = make_room(store, length);
	struct command *command;

	if (error)
		return error;
	command = swp_calloc(1, sizeof(*command));
	if (!command)
		return -ENOMEM;
	command->done = done;
	command->context = context;
	command->wire_length = length;
	swp_store_format(&store->out, arguments, count);
	append(store, command);
	return 0;
}

static void fill_sha1(struct swp_store_script *script)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	static const char digits[] = "0123456789abcdef";
	unsigned length = 0;

	SWP_ASSERT(
		EVP_Digest(script->source, strlen(script->source), digest, &length, EVP_sha1(), NULL) == 1);
	for (unsigned i = 0; i < length; i++) {
		script->sha1[2 * i] = digits[digest[i] >> 4];
		script->sha1[2 * i + 1] = digits[digest[i] & 15];
	}
	script->sha1[2 * length] = '\0';
}

static struct known_script *find_script(struct swp_store *store, const char *sha1)
{
	struct known_script *known = store->scripts;

	while (known && strcmp(known->sha1, sha1) != 0)
		known = known->next;
	return known;
}

/* Remembers a script. It is loaded again on each later connection. */
static struct known_script *learn_script(struct swp_store *store, const struct swp_store_script *script)
{
	struct known_script *known = swp_calloc(1, sizeof(*known));

	if (!known)
		return NULL;
	known->source = swp_strdup(script->source);
	if (!known->source) {
		swp_free(known);
		return NULL;
	}
	memcpy(known->sha1, script->sha1, sizeof(known->sha1));
	known->next = store->scripts;
	store->scripts = known;
	return known;
}

/* Before all that waits: an EVALSHA among it must find its script. Where ACLs refuse it, NOSCRIPT does the same later. */
static void load_scripts(struct swp_store *store)
{
	for (struct known_script *known = store->scripts; known; known = known->next) {
		const struct swp_store_argument arguments[] = {SWP_STORE_TEXT_ARGUMENT("SCRIPT"),
			SWP_STORE_TEXT_ARGUMENT("LOAD"), SWP_STORE_TEXT_ARGUMENT(known->source)};
		struct command *command = swp_calloc(1, sizeof(*command));

		if (!command ||
			swp_store_format(&store->first_out, arguments, SWP_ARRAY_SIZE(arguments)) != 0) {
			store->first_out.failed = 0;
			swp_free(command);
			return;
		}
		/* In front of the list: it counts as sent. */
		command->internal = true;
		command->next = store->head;
		if (!store->head)
			store->tail = &command->next;
		store->head = command;
	}
}

/* Appends EVAL or EVALSHA with `what` (source or sha1) and the rest as given. There is room. */
static size_t format_script(struct swp_store *store, const char *verb, const char *what,
	size_t argument_count, const char *rest, size_t rest_length)
{
	size_t before = store->out.length;

	swp_buf_append_format(&store->out, "*%zu\r\n$%zu\r\n%s\r\n$%zu\r\n", argument_count, strlen(verb),
		verb, strlen(what));
	swp_buf_append_text(&store->out, what);
	swp_buf_append(&store->out, "\r\n", 2);
	swp_buf_append(&store->out, rest, rest_length);
	return store->out.length - before;
}

#define SCRIPT_HEAD_BYTES 96 /* more than the head of such a command takes beside source or sha1 */

static bool say_again_as_eval(struct swp_store *store, struct command *command)
{
	const char *source = command->script->source;

	if (make_room(store, SCRIPT_HEAD_BYTES + strlen(source) + command->rest_length) != 0)
		return false;
	command->wire_length = format_script(
		store, "EVAL", source, command->argument_count, command->rest, command->rest_length);
	command->script = NULL;
	append(store, command);
	return true;
}

/* Number of keys, keys and arguments as RESP, behind the command's own struct. NULL on out of memory. */
static struct command *make_script_command(const struct swp_store_argument *keys, size_t key_count,
	const struct swp_store_argument *arguments, size_t argument_count)
{
	char number[24];
	const struct swp_store_argument first = {
		number, (size_t)snprintf(number, sizeof(number), "%zu", key_count)};
	size_t length = swp_store_arguments_length(&first, 1) + swp_store_arguments_length(keys, key_count) +
			swp_store_arguments_length(arguments, argument_count);
	struct command *command = swp_calloc(1, sizeof(*command) + length);
	char *to;

	if (!command)
		return NULL;
	to = swp_store_write_arguments(command->rest, &first, 1);
	to = swp_store_write_arguments(to, keys, key_count);
	to = swp_store_write_arguments(to, arguments, argument_count);
	command->rest_length = (size_t)(to - command->rest);
	command->argument_count = 3 + key_count + argument_count;
	return command;
}

int swp_store_run(struct swp_store *store, struct swp_store_script *script,
	const struct swp_store_argument *keys, size_t key_count, const struct swp_store_argument *arguments,
	size_t argument_count, swp_store_done done, void *context)
{
	struct known_script *known;
	struct command *command;
	bool first_time;
	int error;

	if (!script->sha1[0])
		fill_sha1(script);
	known = find_script(store, script->sha1);
	first_time = !known;
	if (swp_store_arguments_length(keys, key_count) +
			swp_store_arguments_length(arguments, argument_count) >
		SWP_LIMIT_STORE_WAITING_BYTES)
		return -ENOBUFS;
	command = make_script_command(keys, key_count, arguments, argument_count);
	if (!command)
		return -ENOMEM;
	error = make_room(store, SCRIPT_HEAD_BYTES + strlen(script->source) + command->rest_length);
	if (!error && first_time) {
		known = learn_script(store, script);
		error = known ? 0 : -ENOMEM;
	}
	if (error) {
		swp_free(command);
		return error;
	}
	command->done = done;
	command->context = context;
	command->script = known;
	command->wire_length = format_script(store, first_time ? "EVAL" : "EVALSHA",
		first_time ? script->source : script->sha1, command->argument_count, command->rest,
		command->rest_length);
	append(store, command);
	return 0;
}

size_t swp_store_open_commands(const struct swp_store *store)
{
	return store->open_commands;
}

uint64_t swp_store_connections(const struct swp_store *store)
{
	return store->connections;
}

const struct swp_store_warning *swp_store_warning(const struct swp_store *store, size_t index)
{
	return index < store->warning_count ? &store->warnings[index] : NULL;
}

bool swp_store_is_up(const struct swp_store *store)
{
	return store->state == STORE_UP;
}

/* --- life --- */

static int copy_text(const char **to, const char *from)
{
	*to = from ? swp_strdup(from) : NULL;
	return from && !*to ? -ENOMEM : 0;
}

static int copy_options(
	struct swp_store *store, const struct swp_store_options *options, struct swp_problem *problem)
{
	struct swp_store_options *own = &store->options;
	int error;

	*own = (struct swp_store_options){
		.address = options->address, .command_timeout_ms = options->command_timeout_ms};
	if (own->command_timeout_ms <= 0)
		own->command_timeout_ms = has_sentinels(store) ? SWP_LIMIT_STORE_SENTINEL_COMMAND_MS
							       : SWP_LIMIT_STORE_COMMAND_MS;
	error = options->password ? swp_secret_copy(&store->password, options->password) : 0;
	own->password = &store->password;
	if (!error && options->sentinel_password)
		error = swp_secret_copy(&store->sentinel_password, options->sentinel_password);
	own->sentinel_password = &store->sentinel_password;
	if (!error)
		error = copy_text(&own->sentinel_user, options->sentinel_user);
	if (!error)
		error = copy_text(&own->ca_file, options->ca_file);
	if (!error)
		error = copy_text(&own->certificate_file, options->certificate_file);
	if (!error)
		error = copy_text(&own->key_file, options->key_file);
	if (!error)
		error = copy_text(&own->client_name, options->client_name);
	if (error)
		return swp_problem_set(problem, error, "store: %s", strerror(-error));
	if (own->address.user[0] && !swp_secret_is_set(&store->password))
		return swp_problem_set(problem, -EINVAL,
			"the store's URL names the user %s, but there is no password: put it into "
			"ORGSWEEP_STORE_PASSWORD",
			own->address.user);
	return 0;
}

static int open_store(
	struct swp_store *store, const struct swp_store_options *options, struct swp_problem *problem)
{
	const struct swp_store_transport_events events = {.opened = transport_opened,
		.ready = transport_ready,
		.failed = transport_failed,
		.context = store};
	int error = copy_options(store, options, problem);

	if (error)
		return error;
	swp_store_sentinels_init(&store->sentinels, &store->options);
	store->transport = swp_store_transport_new(store->loop, &store->options, &events, problem);
	if (!store->transport)
		return -EINVAL;
	error = swp_timer_start(&store->retry, 0);
	return error ? swp_problem_set(problem, error, "store: %s", strerror(-error)) : 0;
}

struct swp_store *swp_store_new(struct swp_loop *loop, const struct swp_store_options *options,
	const struct swp_store_events *events, struct swp_problem *problem)
{
	struct swp_store *store = swp_calloc(1, sizeof(*store));

	if (!store) {
		swp_problem_set(problem, -ENOMEM, "out of memory");
		return NULL;
	}
	store->loop = loop;
	store->events = *events;
	store->tail = &store->head;
	swp_buf_init(&store->out, OUT_LIMIT_BYTES);
	store->first_out.secret = true;
	swp_timer_init(&store->retry, loop, retry_now);
	swp_timer_init(&store->silence, loop, silence_ended);
	swp_prepare_add(&store->prepare, loop, store_prepare);
	if (open_store(store, options, problem) != 0) {
		swp_store_free(store);
		return NULL;
	}
	return store;
}

static void free_text(const char *text)
{
	swp_free((char *)(uintptr_t)text);
}

void swp_store_free(struct swp_store *store)
{
	struct known_script *next;

	if (!store)
		return;
	if (store->freed)
		*store->freed = true;
	store->closing = true;
	if (store->transport)
		close_connection(store);
	swp_timer_stop(&store->retry);
	swp_prepare_remove(&store->prepare);
	store->open_commands = 0;
	answer_lost(store->head);
	swp_store_transport_free(store->transport);
	for (struct known_script *known = store->scripts; known; known = next) {
		next = known->next;
		swp_free(known->source);
		swp_free(known);
	}
	swp_buf_done(&store->out);
	swp_buf_done(&store->first_out);
	swp_secret_done(&store->password);
	swp_secret_done(&store->sentinel_password);
	free_text(store->options.sentinel_user);
	free_text(store->options.ca_file);
	free_text(store->options.certificate_file);
	free_text(store->options.key_file);
	free_text(store->options.client_name);
	swp_free(store);
}
