/* Redis: commands out, replies in, over TCP, TLS (own OpenSSL transport) or a unix socket, found by sentinels where those are told, with hiredis' reader (commands
 * are written straight into the send buffer). What is asked in one round of the loop goes out in one write. Reconnects by itself with back-off. Each command is answered exactly once, also when the connection dies
 * (then with SWP_STORE_REPLY_LOST: it may or may not have been carried out; all our writes are idempotent scripts).
 */
#ifndef SWP_IO_STORE_H
#define SWP_IO_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/error.h"
#include "proto/base/limits.h"
#include "proto/base/secret.h"
#include "proto/io/loop.h"

struct swp_store; /* opaque */

enum swp_store_scheme {
	SWP_STORE_TCP,	    /* redis://[user@]host[:port][/db] */
	SWP_STORE_TLS,	    /* rediss://… */
	SWP_STORE_UNIX,	    /* unix://[user@]/path */
	SWP_STORE_SENTINEL, /* sentinel://[user@]host[:port],host[:port]/NAME[/db][?tls=yes] */
};

struct swp_store_host {
	char name[256]; /* or address */
	uint16_t port;
};

struct swp_store_address {
	enum swp_store_scheme scheme;
	char host[256]; /* or path, for unix; "" for sentinel */
	uint16_t port;
	unsigned database;
	char user[128]; /* of Redis; "" none */
	/* For sentinel alone: whom to ask, for which primary, and whether they and Redis speak TLS. */
	struct swp_store_host sentinels[SWP_LIMIT_SENTINELS];
	size_t sentinel_count;
	char primary_name[128];
	bool sentinel_tls;
};
/* Port 6379 (of sentinels: 26379) and database 0 where none is told; an IPv6 host stands in brackets. -EINVAL: `problem` names what is
 * wrong. A password in the URL is refused with a hint to ORGSWEEP_STORE_PASSWORD. */
int swp_store_address_parse(
	const char *url, struct swp_store_address *ret_address, struct swp_problem *problem);
/* Another user. False, and none from then on: it has no place in a URL (1 to 127 bytes, no space, no control character, no : / @). */
bool swp_store_address_set_user(struct swp_store_address *address, const char *user);
/* The URL that parses to this address; the caller frees (swp_free). It holds no password. NULL: out of memory. */
char *swp_store_address_format(const struct swp_store_address *address);
bool swp_store_address_uses_tls(const struct swp_store_address *address);

struct swp_store_options {
	struct swp_store_address address;
	const struct swp_secret *password;	    /* copied; NULL or unset: none */
	const char *sentinel_user;		    /* of the sentinels; NULL: none, their default user */
	const struct swp_secret *sentinel_password; /* of the sentinels; copied; NULL or unset: none */
	const char *ca_file;			    /* TLS: NULL = system's */
	const char *certificate_file, *key_file;    /* TLS client certificate, NULL: none */
	const char *client_name;		    /* CLIENT SETNAME; NULL: none */
	/* 0: SWP_LIMIT_STORE_COMMAND_MS, or where sentinels may know a better one SWP_LIMIT_STORE_SENTINEL_COMMAND_MS */
	int64_t command_timeout_ms;
};

enum swp_store_reply_type {
	SWP_STORE_REPLY_TEXT, /* bytes (bulk or status) */
	SWP_STORE_REPLY_NUMBER,
	SWP_STORE_REPLY_NOTHING, /* nil */
	SWP_STORE_REPLY_LIST,
	SWP_STORE_REPLY_ERROR, /* bytes hold Redis' words, e.g. "OOM command not allowed…" */
	SWP_STORE_REPLY_LOST,  /* connection died or was never made before swp_store_free */
};
struct swp_store_reply {
	enum swp_store_reply_type type;
	int64_t number;
	const char *bytes; /* NUL-terminated behind length */
	size_t length;
	const struct swp_store_reply *items;
	size_t item_count;
};
/* The text at that place of a list; "" where there is none, or something else stands there. */
static inline const char *swp_store_item_text(const struct swp_store_reply *reply, size_t at)
{
	return reply->type == SWP_STORE_REPLY_LIST && at < reply->item_count &&
			       reply->items[at].type == SWP_STORE_REPLY_TEXT
		       ? reply->items[at].bytes
		       : "";
}

struct swp_store_events {
	/* Connected, greeted, checked. `fresh_run`: another Redis run than at the last connection (run_id changed):
	 * acknowledged writes may have vanished. Also called for the first connection with fresh_run false. */
	void (*up)(void *context, bool fresh_run);
	/* Connection lost or not to be had; reconnecting. `why` for the log. Said once per outage. */
	void (*down)(void *context, const char *why);
	/* It can never work: wrong password, ACL, older than 6.2, Redis Cluster; and, if it never worked yet, a replica or a
	 * certificate that is not trusted (later these may be a fail-over on its way), or a name that no sentinel knows. `why`
	 * says what to do. No more tries; commands wait until swp_store_free. Any of the three may free the store. */
	void (*refused)(void *context, const char *why);
	void *context;
};

/* Starts connecting; host names are resolved on a thread of their own that outlives nothing but itself (getaddrinfo can't
 * wait in a loop). SIGPIPE must be ignored (swp_process_harden). NULL: `problem` tells (unreadable TLS files…). Copies
 * options. */
struct swp_store *swp_store_new(struct swp_loop *loop, const struct swp_store_options *options,
	const struct swp_store_events *events, struct swp_problem *problem);
/* Answers what is open with LOST, from inside. Takes NULL. */
void swp_store_free(struct swp_store *store);
bool swp_store_is_up(const struct swp_store *store);
/* How often it came up; each time after the first was a reconnection. */
uint64_t swp_store_connections(const struct swp_store *store);

struct swp_store_argument {
	const void *bytes;
	size_t length;
};
#define SWP_STORE_TEXT_ARGUMENT(text) ((struct swp_store_argument){(text), strlen(text)})

/* `reply` is borrowed until return; called once, later; may free the store. `done` NULL: don't care. A reply above
 * SWP_LIMIT_STORE_REPLY_BYTES, or not understood, is an ERROR, and costs the connection. READONLY (a fail-over) is LOST. */
typedef void (*swp_store_done)(void *context, const struct swp_store_reply *reply);
/* Copies the arguments. Commands are pipelined and answered in order. While down they wait and are sent after reconnection.
 * 0, -ENOMEM, -ENOBUFS (more than SWP_LIMIT_STORE_WAITING_BYTES would wait; nothing is queued then). */
int swp_store_command(struct swp_store *store, const struct swp_store_argument *arguments, size_t count,
	swp_store_done done, void *context);

/* A Lua script, sent by EVAL when the connection has not seen it yet, then by EVALSHA and, on NOSCRIPT, again by EVAL (which
 * then comes behind what was asked in between: the only break of order). `source` is copied and `sha1` filled at first
 * use. Failures as swp_store_command. */
struct swp_store_script {
	const char *source;
	char sha1[41];
};
int swp_store_run(struct swp_store *store, struct swp_store_script *script,
	const struct swp_store_argument *keys, size_t key_count, const struct swp_store_argument *arguments,
	size_t argument_count, swp_store_done done, void *context);
/* What can be done about an ERROR reply of these words: "; free disk space where Redis keeps its files". "" when that is not known. */
const char *swp_store_advice(const char *words);
/* What is amiss with the Redis that was greeted last, though it works: it may forget. By index from 0; NULL: no more. Borrowed until the
 * store is gone or greets again. */
struct swp_store_warning {
	const char *what, *fix;
};
const struct swp_store_warning *swp_store_warning(const struct swp_store *store, size_t index);
/* Commands sent or waiting whose answer is out. */
size_t swp_store_open_commands(const struct swp_store *store);

#endif
