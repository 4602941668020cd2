/* Timers in a binary heap: thousands of answers that wait for their latency. */
#ifndef TESTS_SIMULATOR_TIMERS_H
#define TESTS_SIMULATOR_TIMERS_H

#include "tests/simulator/buffer.h"

/* Embedded in what waits. All zero: not running. */
struct swp_sim_timer {
	uint64_t at_ms;
	size_t place; /* in the heap, plus one; 0: not running */
};

struct swp_sim_timers {
	struct swp_sim_timer **heap;
	size_t count;
	size_t capacity;
};

void swp_sim_timers_done(struct swp_sim_timers *timers);
void swp_sim_timers_add(struct swp_sim_timers *timers, struct swp_sim_timer *timer, uint64_t at_ms);
void swp_sim_timers_remove(struct swp_sim_timers *timers, struct swp_sim_timer *timer);
/* When is the earliest? False when none runs. */
bool swp_sim_timers_next(const struct swp_sim_timers *timers, uint64_t *ret_at_ms);
/* Takes off one that is due, or NULL. */
struct swp_sim_timer *swp_sim_timers_pop(struct swp_sim_timers *timers, uint64_t now_ms);

#endif
