/* Timers. See timers.h. */
#include "tests/simulator/timers.h"

#include <stdlib.h>

void swp_sim_timers_done(struct swp_sim_timers *timers)
{
	free(timers->heap);
	*timers = (struct swp_sim_timers){0};
}

static void put(struct swp_sim_timers *timers, size_t place, struct swp_sim_timer *timer)
{
	timers->heap[place] = timer;
	timer->place = place + 1;
}

static void rise(struct swp_sim_timers *timers, size_t place)
{
	struct swp_sim_timer *timer = timers->heap[place];
	while (place > 0 && timers->heap[(place - 1) / 2]->at_ms > timer->at_ms) {
		put(timers, place, timers->heap[(place - 1) / 2]);
		place = (place - 1) / 2;
	}
	put(timers, place, timer);
}

static void sink(struct swp_sim_timers *timers, size_t place)
{
	struct swp_sim_timer *timer = timers->heap[place];
	for (;;) {
		size_t child = 2 * place + 1;
		if (child + 1 < timers->count && timers->heap[child + 1]->at_ms < timers->heap[child]->at_ms)
			child++;
		if (child >= timers->count || timers->heap[child]->at_ms >= timer->at_ms)
			break;
		put(timers, place, timers->heap[child]);
		place = child;
	}
	put(timers, place, timer);
}

void swp_sim_timers_add(struct swp_sim_timers *timers, struct swp_sim_timer *timer, uint64_t at_ms)
{
	if (timers->count == timers->capacity) {
		timers->capacity = timers->capacity ? timers->capacity * 2 : 64;
		timers->heap = swp_sim_reallocate(timers->heap, timers->capacity * sizeof *timers->heap);
	}
	timer->at_ms = at_ms;
	put(timers, timers->count++, timer);
	rise(timers, timers->count - 1);
}

void swp_sim_timers_remove(struct swp_sim_timers *timers, struct swp_sim_timer *timer)
{
	if (timer->place == 0)
		return;
	size_t place = timer->place - 1;
	struct swp_sim_timer *last = timers->heap[--timers->count];
	timer->place = 0;
	if (last == timer)
		return;
	put(timers, place, last);
	sink(timers, place);
	rise(timers, last->place - 1);
}

bool swp_sim_timers_next(const struct swp_sim_timers *timers, uint64_t *ret_at_ms)
{
	if (timers->count == 0)
		return false;
	*ret_at_ms = timers->heap[0]->at_ms;
	return true;
}

struct swp_sim_timer *swp_sim_timers_pop(struct swp_sim_timers *timers, uint64_t now_ms)
{
	struct swp_sim_timer *first = timers->count ? timers->heap[0] : NULL;
	if (first == NULL || first->at_ms > now_ms)
		return NULL;
	swp_sim_timers_remove(timers, first);
	return first;
}
