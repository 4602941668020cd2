/* The player: proto/io replaced at link time. It owns network, store, message bus and clock, so that the real logic of a program runs
 * against a script, in no time and always in the same order. It implements loop.h, http.h, store.h and bus.h; proto/io/caller.c is the
 * real one, above the player's http.h. One player a process; its functions are plain calls of a test.
 *
 * It ends the test program, with a message, at once on: an HTTP request that nothing was scripted for, a store command it does not know,
 * a timer on a dead owner; and in player_end on: a scripted answer that was not used, a message that was sent and not looked at,
 * an exchange, store command, timer, bus client or loop that is left over.
 */
#ifndef SWP_TESTS_SCENARIO_PLAYER_H
#define SWP_TESTS_SCENARIO_PLAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/clock.h"
#include "proto/io/bus.h"
#include "proto/io/http.h"
#include "proto/io/loop.h"
#include "proto/io/store.h"
#include "proto/wire/message.h"

/* --- beginning and end --- */
void player_begin(const char *scenario); /* wall clock 2026-11-22T08:00:00Z */
void player_end(void);
/* For a test's own checks: ends the program with file, line and both sides' words. */
void player_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* --- time: nothing happens but within these --- */
void player_advance(int64_t ms); /* everything due until then happens, in order of time */
void player_settle(void);	 /* everything due now */
/* Advances in steps until `done` says so; fails after `limit_ms`. */
void player_until(bool (*done)(void *context), void *context, int64_t limit_ms);
void player_stop(int64_t ms);	   /* SIGSTOP for so long: all that was due meanwhile is late */
int64_t player_now_ms(void);	   /* monotonic, 0 at the start */
void player_jump_wall(int64_t ms); /* the wall clock alone */
const struct swp_clock *player_clock(void);

/* --- HTTP: what AWS answers --- */
struct player_answer {
	/* what it answers; NULL: any. `call` is the X-Amz-Target's operation, or "GET /path" without query, or the form's Action. */
	const char *host, *call, *body_contains;
	unsigned times; /* how often; 0 is 1; PLAYER_ALWAYS: any number, not asked for at the end */
	/* the answer */
	enum swp_http_failure failure;
	int status;		/* 0 is 200; the proxy's, with SWP_HTTP_PROXY */
	const char *body;	/* NULL is "{}" */
	const char *error_type; /* x-amzn-errortype */
	int64_t delay_ms;	/* 0 is 10 */
	bool never;		/* no answer: the attempt runs into its time-out (SWP_HTTP_TIMEOUT) */
};
#define PLAYER_ALWAYS 1000000u
/* Copied, texts borrowed. The first scripted answer that fits and is not used up is taken. */
void player_answer(struct player_answer answer);
unsigned player_requests(const char *call); /* so far */
unsigned player_rests(void);		    /* how often an HTTP client was told to rest, so far */
/* Does the name exist (swp_http_lookup)? 1, 0, -1. What is not told is 1. */
void player_host(const char *host, int exists);
void player_proxy(bool on);

/* --- the store: a small Redis in memory, which knows the commands that orgsweep uses and the scripts of proto/record --- */
void player_store_away(const char *why); /* connections break; commands wait */
void player_store_back(bool fresh_run);
/* The next `count` script calls or commands are carried out (or not) and their reply is lost. */
void player_store_lose_replies(unsigned count, bool carried_out);
void player_store_jump(int64_t ms);	     /* the clock of Redis alone */
void player_store_error(const char *words);  /* the next one is answered with that error */
void player_store_refuse(const char *words); /* so is everything that would write, until NULL */
/* Content, for checks and for setting the stage. `field` NULL: a string value. NULL when not there; borrowed until the next change. */
bool player_store_has(const char *pattern); /* a key that fits the glob */
const char *player_store_get(const char *key, const char *field, size_t *ret_length);
void player_store_put(const char *key, const char *field, const void *bytes, size_t length);
/* Runs a script as somebody else would (the coordinator granting a job to another worker). Returns the first number of the answer. */
int64_t player_store_script(int script, const char *key, const char *const *arguments, size_t count);
size_t player_store_commands(void); /* carried out so far */

/* --- the bus, seen from the other end --- */
/* Worker under test: its bus client number `link` (0 is the first made). */
void player_send(unsigned link, const struct swp_message *message); /* delivered in the next round */
void player_send_bytes(unsigned link, const void *bytes, size_t length);
/* The next message that the client sent, which must be of that type (heartbeats are passed over unless asked for). Fails when there is
 * none. The caller calls swp_message_done. */
void player_take(unsigned link, enum swp_message_type type, struct swp_message *ret_message);
bool player_has(unsigned link,
	enum swp_message_type type); /* is the next one of that type (heartbeats passed over)? */
void player_ignore(enum swp_message_type type, bool on); /* dropped when sent */
/* The coordinator lives: it sends a heartbeat each second. */
void player_keep_alive(unsigned link, bool on);
void player_reconnect(unsigned link);	  /* the connection is another one now */
void player_mute(unsigned link, bool on); /* nothing gets through either way: coordinator lost */

/* Coordinator under test: peers that a test invents, at its bus server. */
bool player_serves(void); /* is there one? */
void player_peer_says(swp_bus_peer peer, const char *user, const struct swp_message *message);
void player_peer_take(swp_bus_peer peer, enum swp_message_type type, struct swp_message *ret_message);
bool player_peer_has(swp_bus_peer peer, enum swp_message_type type);
void player_peer_gone(swp_bus_peer peer); /* sends to it fail with -EHOSTUNREACH */
/* Its ZAP: what the server's allow call-back says of that key. */
const char *player_allowed(const char *public_key);

#endif
