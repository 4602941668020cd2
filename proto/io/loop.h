/* The event loop: epoll, timers, signals, deferred calls. One loop a program, one thread. Nothing here blocks.
 * Call-backs are always later, never from inside the call that registered them.
 */
#ifndef SWP_IO_LOOP_H
#define SWP_IO_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/clock.h"

struct swp_loop; /* opaque */

/* `clock` is borrowed for the loop's life. NULL on failure (errno tells). */
struct swp_loop *swp_loop_new(const struct swp_clock *clock);
/* All timers must be stopped, all watches and prepares removed (asserted). Takes NULL. */
void swp_loop_free(struct swp_loop *loop);
/* Runs until swp_loop_stop (at once back when that was called before). Returns 0 or a negative errno of epoll itself. */
int swp_loop_run(struct swp_loop *loop);
/* One round: waits at most `max_wait_ms` (0 = only what is due). For tests and for draining. */
int swp_loop_step(struct swp_loop *loop, int64_t max_wait_ms);
/* The present round is finished, then swp_loop_run returns. */
void swp_loop_stop(struct swp_loop *loop);
const struct swp_clock *swp_loop_clock(const struct swp_loop *loop);
/* Monotonic ms, read once a round. */
int64_t swp_loop_now_ms(const struct swp_loop *loop);
/* How many eighths of the time it has waited for events lately, 0 to 8. With none its core is busy, and more to do at once makes nothing
 * faster. */
unsigned swp_loop_eighths_waited(const struct swp_loop *loop);

/* --- timers: embedded in their owner; intrusive heap --- */
struct swp_timer {
	void (*fire)(struct swp_timer *timer); /* SWP_CONTAINER_OF gives the owner */
	struct swp_loop *loop;
	int64_t due_ms;
	int heap_index; /* -1 while stopped */
	uint64_t
		order; /* of its start: of timers due in the same millisecond the first started fires first */
};
void swp_timer_init(struct swp_timer *timer, struct swp_loop *loop, void (*fire)(struct swp_timer *timer));
/* Starts or restarts; fires once, in a later round, not before `delay_ms` (≥ 0) from now. -ENOMEM. */
int swp_timer_start(struct swp_timer *timer, int64_t delay_ms);
void swp_timer_stop(struct swp_timer *timer); /* takes stopped ones, and zeroed ones never initialized */
bool swp_timer_is_running(const struct swp_timer *timer);

/* --- descriptors: only used inside proto/io --- */
struct swp_watch {
	void (*ready)(struct swp_watch *watch, uint32_t epoll_events);
	struct swp_loop *loop;
	int fd; /* -1 while removed */
};
/* Level-triggered unless EPOLLET is asked for. The descriptor stays the caller's (borrowed until removed). Negative errno. */
int swp_watch_add(struct swp_watch *watch, struct swp_loop *loop, int fd, uint32_t epoll_events,
	void (*ready)(struct swp_watch *watch, uint32_t epoll_events));
int swp_watch_change(struct swp_watch *watch, uint32_t epoll_events);
/* Takes removed ones, and zeroed ones never added. Before the descriptor is closed. No call-back any more, not even for
 * what has arrived already; a call-back may remove (and free) any watch, its own too. */
void swp_watch_remove(struct swp_watch *watch);
/* Called before each wait; returns true when it has more to do, or has called back (which may have given another prepare
 * something to do): then the loop does not wait in this round. For ZeroMQ's edge-triggered fd, and for what is collected
 * during a round. A call-back may remove any prepare. */
struct swp_prepare {
	bool (*prepare)(struct swp_prepare *prepare);
	struct swp_loop *loop;
	struct swp_prepare *next;
};
void swp_prepare_add(
	struct swp_prepare *prepare, struct swp_loop *loop, bool (*callback)(struct swp_prepare *prepare));
void swp_prepare_remove(struct swp_prepare *prepare);

/* --- signals (signalfd) --- */
struct swp_signals; /* opaque */
/* Blocks the `count` signals and gives each to `received` in the loop (which may free it). NULL on failure. */
struct swp_signals *swp_signals_new(struct swp_loop *loop, const int *numbers, int count,
	void (*received)(int number, void *context), void *context);
/* For a program that is ending: puts the signal mask back and ignores these signals from now on, those that are pending too, so that one
 * that comes late does not change how it ends. Takes NULL. */
void swp_signals_free(struct swp_signals *signals);

#endif
