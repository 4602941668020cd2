/* The player's clock and loop. A timer is in one list by due time; nothing else makes things happen. */
#include "tests/scenario/player.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/error.h"
#include "tests/scenario/player-internal.h"

#define START_WALL_MS INT64_C(1795334400000) /* 2026-11-22T08:00:00Z */
#define MOST_EVENTS 10000000u		     /* of one player_advance: beyond that something spins */

struct player player;

struct swp_loop {
	const struct swp_clock *clock;
	bool stopped;
};

void player_fail(const char *format, ...)
{
	va_list list;

	fprintf(stderr, "scenario \"%s\" at %lld ms: ", player.scenario ? player.scenario : "?",
		(long long)player.now_ms);
	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fputc('\n', stderr);
	exit(1);
}

/* --- clock --- */

static int64_t monotonic_ms(void *context)
{
	(void)context;
	return player.now_ms;
}

static int64_t wall_ms(void *context)
{
	(void)context;
	return START_WALL_MS + player.now_ms + player.wall_offset_ms;
}

/* xorshift: the same numbers in every run */
static void random_bytes(void *context, void *bytes, size_t length)
{
	unsigned char *out = bytes;

	(void)context;
	for (size_t i = 0; i < length; i++) {
		player.random_state ^= player.random_state << 13;
		player.random_state ^= player.random_state >> 7;
		player.random_state ^= player.random_state << 17;
		out[i] = (unsigned char)player.random_state;
	}
}

static const struct swp_clock the_clock = {monotonic_ms, wall_ms, random_bytes, NULL};

const struct swp_clock *player_clock(void)
{
	return &the_clock;
}

int64_t player_now_ms(void)
{
	return player.now_ms;
}

void player_stop(int64_t ms)
{
	player.now_ms += ms;
}

void player_jump_wall(int64_t ms)
{
	player.wall_offset_ms += ms;
}

/* --- loop.h --- */

struct swp_loop *swp_loop_new(const struct swp_clock *clock)
{
	struct swp_loop *loop = calloc(1, sizeof(*loop));

	if (loop)
		loop->clock = clock;
	player.loops++;
	return loop;
}

void swp_loop_free(struct swp_loop *loop)
{
	if (loop)
		player.loops--;
	free(loop);
}

const struct swp_clock *swp_loop_clock(const struct swp_loop *loop)
{
	return loop->clock;
}

int64_t swp_loop_now_ms(const struct swp_loop *loop)
{
	(void)loop;
	return player.now_ms;
}

unsigned swp_loop_eighths_waited(const struct swp_loop *loop)
{
	(void)loop;
	return 8; /* the player takes no time */
}

void swp_loop_stop(struct swp_loop *loop)
{
	loop->stopped = true;
}

/* A timer that runs has heap_index 0; `due_ms` orders the list, whose links are kept beside the timers, since these have none. */
struct node {
	struct swp_timer *timer;
	struct node *next;
};
static struct node *nodes;

void swp_timer_init(struct swp_timer *timer, struct swp_loop *loop, void (*fire)(struct swp_timer *timer))
{
	*timer = (struct swp_timer){.fire = fire, .loop = loop, .heap_index = -1};
}

void swp_timer_stop(struct swp_timer *timer)
{
	if (!timer->fire || timer->heap_index < 0)
		return;
	for (struct node **at = &nodes; *at; at = &(*at)->next) {
		struct node *node = *at;

		if (node->timer != timer)
			continue;
		*at = node->next;
		free(node);
		break;
	}
	timer->heap_index = -1;
}

int swp_timer_start(struct swp_timer *timer, int64_t delay_ms)
{
	struct node *node = calloc(1, sizeof(*node)), **at = &nodes;

	if (!node)
		player_fail("out of memory");
	if (delay_ms < 0)
		player_fail("a timer with the negative delay %lld", (long long)delay_ms);
	swp_timer_stop(timer);
	timer->due_ms = player.now_ms + delay_ms;
	timer->heap_index = 0;
	while (*at && (*at)->timer->due_ms <= timer->due_ms)
		at = &(*at)->next;
	node->timer = timer;
	node->next = *at;
	*at = node;
	return 0;
}

bool swp_timer_is_running(const struct swp_timer *timer)
{
	return timer->fire && timer->heap_index >= 0;
}

/* --- time passes --- */

static bool fire_next(int64_t until_ms)
{
	struct swp_timer *timer;

	if (!nodes || nodes->timer->due_ms > until_ms)
		return false;
	timer = nodes->timer;
	if (timer->due_ms > player.now_ms)
		player.now_ms = timer->due_ms;
	swp_timer_stop(timer);
	timer->fire(timer);
	return true;
}

void player_advance(int64_t ms)
{
	int64_t until_ms = player.now_ms + ms;
	unsigned events = 0;

	while (fire_next(until_ms))
		if (++events > MOST_EVENTS)
			player_fail("something spins");
	player.now_ms = until_ms;
}

void player_settle(void)
{
	player_advance(0);
}

void player_until(bool (*done)(void *context), void *context, int64_t limit_ms)
{
	int64_t until_ms = player.now_ms + limit_ms;

	while (!done(context))
		if (!fire_next(until_ms))
			player_fail("what was waited for did not happen within %lld ms", (long long)limit_ms);
}

int swp_loop_step(struct swp_loop *loop, int64_t max_wait_ms)
{
	(void)loop;
	player_advance(max_wait_ms);
	return 0;
}

int swp_loop_run(struct swp_loop *loop)
{
	loop->stopped = false;
	while (!loop->stopped)
		if (!fire_next(INT64_MAX))
			player_fail("the loop runs and nothing is due any more");
	return 0;
}

/* --- beginning and end --- */

void player_begin(const char *scenario)
{
	player = (struct player){.scenario = scenario, .random_state = 88172645463325252u};
	player_http_begin();
	player_store_begin();
	player_bus_begin();
}

void player_end(void)
{
	player_http_end();
	player_store_end();
	player_bus_end();
	if (nodes)
		player_fail("a timer still runs (due at %lld ms)", (long long)nodes->timer->due_ms);
	if (player.loops)
		player_fail("%u loops are left over", player.loops);
	player.scenario = NULL;
}
