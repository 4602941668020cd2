/* The event loop. One round: prepare, wait, descriptors, timers. Descriptors come before timers, so that an answer that
 * has arrived wins over its own time-out when the program was held up.
 */
#include "proto/io/loop.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"

#define EVENTS_A_ROUND 256
#define WAITED_WINDOW_MS 20 /* waiting is judged over so long at least */
#define ALL_EIGHTHS 8
#define FEW_EVENTS 4 /* at the end of a wait; more have come while others had our core */

struct swp_loop {
	const struct swp_clock *clock;
	int epoll_fd;
	bool stopping;
	int64_t now_ms;
	int64_t window_began_ms, waited_ms; /* of the window: since when, and how much of it was waiting */
	unsigned eighths_waited;	    /* of the last window */
	size_t watch_count;
	/* What epoll gave in this round and is still to be delivered: a removed watch is struck out here. */
	struct epoll_event events[EVENTS_A_ROUND];
	int event_next, event_count;
	struct swp_prepare *prepares;
	struct swp_prepare *prepare_next; /* the one to be called next in the present walk */
	struct swp_timer **heap;
	int timer_count, timer_capacity;
	uint64_t timer_order; /* of the last start */
};

struct swp_loop *swp_loop_new(const struct swp_clock *clock)
{
	struct swp_loop *loop = swp_calloc(1, sizeof(*loop));

	if (!loop) {
		errno = ENOMEM;
		return NULL;
	}
	loop->clock = clock;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0) {
		swp_free(loop);
		return NULL;
	}
	loop->now_ms = loop->window_began_ms = swp_clock_monotonic_ms(clock);
	loop->eighths_waited = ALL_EIGHTHS;
	return loop;
}

void swp_loop_free(struct swp_loop *loop)
{
	if (!loop)
		return;
	SWP_ASSERT(loop->timer_count == 0);
	SWP_ASSERT(loop->watch_count == 0);
	SWP_ASSERT(loop->prepares == NULL);
	close(loop->epoll_fd);
	swp_free(loop->heap);
	swp_free(loop);
}

const struct swp_clock *swp_loop_clock(const struct swp_loop *loop)
{
	return loop->clock;
}

int64_t swp_loop_now_ms(const struct swp_loop *loop)
{
	return loop->now_ms;
}

unsigned swp_loop_eighths_waited(const struct swp_loop *loop)
{
	return loop->eighths_waited;
}

void swp_loop_stop(struct swp_loop *loop)
{
	loop->stopping = true;
}

/* --- timers: a binary heap; the earliest first, of equal ones the first started --- */

static bool comes_before(const struct swp_timer *a, const struct swp_timer *b)
{
	return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->order < b->order;
}

static void heap_set(struct swp_loop *loop, int index, struct swp_timer *timer)
{
	loop->heap[index] = timer;
	timer->heap_index = index;
}

static void sift_up(struct swp_loop *loop, int index)
{
	struct swp_timer *timer = loop->heap[index];

	while (index > 0 && comes_before(timer, loop->heap[(index - 1) / 2])) {
		heap_set(loop, index, loop->heap[(index - 1) / 2]);
		index = (index - 1) / 2;
	}
	heap_set(loop, index, timer);
}

static void sift_down(struct swp_loop *loop, int index)
{
	struct swp_timer *timer = loop->heap[index];

	for (;;) {
		int child = 2 * index + 1;

		if (child + 1 < loop->timer_count && comes_before(loop->heap[child + 1], loop->heap[child]))
			child++;
		if (child >= loop->timer_count || !comes_before(loop->heap[child], timer))
			break;
		heap_set(loop, index, loop->heap[child]);
		index = child;
	}
	heap_set(loop, index, timer);
}

void swp_timer_init(struct swp_timer *timer, struct swp_loop *loop, void (*fire)(struct swp_timer *timer))
{
	*timer = (struct swp_timer){.fire = fire, .loop = loop, .heap_index = -1};
}

static int heap_reserve(struct swp_loop *loop)
{
	int capacity = loop->timer_capacity ? loop->timer_capacity * 2 : 64;
	struct swp_timer **heap;

	if (loop->timer_count < loop->timer_capacity)
		return 0;
	heap = swp_realloc(loop->heap, (size_t)capacity * sizeof(*heap));
	if (!heap)
		return -ENOMEM;
	loop->heap = heap;
	loop->timer_capacity = capacity;
	return 0;
}

int swp_timer_start(struct swp_timer *timer, int64_t delay_ms)
{
	struct swp_loop *loop = timer->loop;
	int error;

	SWP_ASSERT(delay_ms >= 0);
	if (timer->heap_index < 0) {
		error = heap_reserve(loop);
		if (error)
			return error;
		heap_set(loop, loop->timer_count++, timer);
	}
	/* The round's time is stale when a call-back took long; a delay counts from now. */
	timer->due_ms = delay_ms ? swp_clock_monotonic_ms(loop->clock) + delay_ms : loop->now_ms;
	timer->order = ++loop->timer_order;
	sift_up(loop, timer->heap_index);
	sift_down(loop, timer->heap_index);
	return 0;
}

void swp_timer_stop(struct swp_timer *timer)
{
	struct swp_loop *loop = timer->loop;
	struct swp_timer *last;
	int index = timer->heap_index;

	if (!loop || index < 0)
		return;
	timer->heap_index = -1;
	last = loop->heap[--loop->timer_count];
	if (last == timer)
		return;
	heap_set(loop, index, last);
	sift_up(loop, index);
	sift_down(loop, last->heap_index);
}

bool swp_timer_is_running(const struct swp_timer *timer)
{
	return timer->loop && timer->heap_index >= 0;
}

/* Timers started by those that fire here stand behind all that were there before (their time is not earlier and their
 * order is higher), so that the first such one ends the walk. */
static void fire_due(struct swp_loop *loop)
{
	uint64_t last_order = loop->timer_order;

	while (loop->timer_count > 0) {
		struct swp_timer *timer = loop->heap[0];

		if (timer->due_ms > loop->now_ms || timer->order > last_order)
			return;
		swp_timer_stop(timer);
		timer->fire(timer);
	}
}

/* --- descriptors --- */

int swp_watch_add(struct swp_watch *watch, struct swp_loop *loop, int fd, uint32_t epoll_events,
	void (*ready)(struct swp_watch *watch, uint32_t epoll_events))
{
	struct epoll_event event = {.events = epoll_events, .data.ptr = watch};

	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		return -errno;
	*watch = (struct swp_watch){.ready = ready, .loop = loop, .fd = fd};
	loop->watch_count++;
	return 0;
}

int swp_watch_change(struct swp_watch *watch, uint32_t epoll_events)
{
	struct epoll_event event = {.events = epoll_events, .data.ptr = watch};

	return epoll_ctl(watch->loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event) < 0 ? -errno : 0;
}

void swp_watch_remove(struct swp_watch *watch)
{
	struct swp_loop *loop = watch->loop;

	if (!loop || watch->fd < 0)
		return;
	/* Fails when the descriptor is closed already, which removes it too. */
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
	for (int i = loop->event_next; i < loop->event_count; i++) {
		if (loop->events[i].data.ptr == watch)
			loop->events[i].data.ptr = NULL;
	}
	watch->fd = -1;
	loop->watch_count--;
}

static void deliver_events(struct swp_loop *loop)
{
	while (loop->event_next < loop->event_count) {
		struct epoll_event *event = &loop->events[loop->event_next++];
		struct swp_watch *watch = event->data.ptr;

		if (watch)
			watch->ready(watch, event->events);
	}
	loop->event_next = loop->event_count = 0;
}

/* --- before each wait --- */

void swp_prepare_add(
	struct swp_prepare *prepare, struct swp_loop *loop, bool (*callback)(struct swp_prepare *prepare))
{
	*prepare = (struct swp_prepare){.prepare = callback, .loop = loop, .next = loop->prepares};
	loop->prepares = prepare;
}

void swp_prepare_remove(struct swp_prepare *prepare)
{
	struct swp_loop *loop = prepare->loop;

	if (!loop)
		return;
	for (struct swp_prepare **link = &loop->prepares; *link; link = &(*link)->next) {
		if (*link != prepare)
			continue;
		*link = prepare->next;
		break;
	}
	if (loop->prepare_next == prepare)
		loop->prepare_next = prepare->next;
	prepare->loop = NULL;
}

static bool run_prepares(struct swp_loop *loop)
{
	bool more = false;

	for (struct swp_prepare *prepare = loop->prepares; prepare; prepare = loop->prepare_next) {
		/* Kept where _remove can see it: a call-back may take away itself or the next one. */
		loop->prepare_next = prepare->next;
		more |= prepare->prepare(prepare);
	}
	return more;
}

/* --- rounds --- */

static int wait_ms(const struct swp_loop *loop, int64_t now_ms, int64_t max_wait_ms)
{
	int64_t wait = max_wait_ms;

	if (loop->timer_count > 0) {
		int64_t until_due = loop->heap[0]->due_ms - now_ms;

		if (until_due < 0)
			until_due = 0;
		if (wait < 0 || until_due < wait)
			wait = until_due;
	}
	return wait > INT_MAX ? INT_MAX : (int)wait;
}

/* Milliseconds are coarse for one wait, but not for their sum. A wait at whose end many events stand has not been one for them, but for
 * the core: more to do at once would not be faster then either. */
static void measure_waiting(struct swp_loop *loop, int64_t before_ms)
{
	int64_t window_ms = loop->now_ms - loop->window_began_ms;

	if (loop->event_count <= FEW_EVENTS)
		loop->waited_ms += loop->now_ms - before_ms;
	if (window_ms < WAITED_WINDOW_MS)
		return;
	loop->eighths_waited = (unsigned)(ALL_EIGHTHS * loop->waited_ms / window_ms);
	loop->window_began_ms = loop->now_ms;
	loop->waited_ms = 0;
}

/* max_wait_ms −1: as long as it takes. */
static int run_round(struct swp_loop *loop, int64_t max_wait_ms)
{
	bool more = run_prepares(loop);
	int64_t before_ms = swp_clock_monotonic_ms(loop->clock);
	int count = epoll_wait(loop->epoll_fd, loop->events, EVENTS_A_ROUND,
		more || loop->stopping ? 0 : wait_ms(loop, before_ms, max_wait_ms));

	if (count < 0 && errno != EINTR)
		return -errno;
	loop->event_next = 0;
	loop->event_count = count < 0 ? 0 : count;
	loop->now_ms = swp_clock_monotonic_ms(loop->clock);
	measure_waiting(loop, before_ms);
	deliver_events(loop);
	fire_due(loop);
	return 0;
}

int swp_loop_step(struct swp_loop *loop, int64_t max_wait_ms)
{
	return run_round(loop, max_wait_ms < 0 ? 0 : max_wait_ms);
}

int swp_loop_run(struct swp_loop *loop)
{
	int error = 0;

	while (!loop->stopping && !error)
		error = run_round(loop, -1);
	loop->stopping = false;
	return error;
}

/* --- signals --- */

struct swp_signals {
	struct swp_watch watch;
	sigset_t taken, before; /* ours, and the mask to go back to */
	void (*received)(int number, void *context);
	void *context;
};

/* One a call: the call-back may free us. What is left makes the descriptor ready again. */
static void signals_ready(struct swp_watch *watch, uint32_t epoll_events)
{
	struct swp_signals *signals = SWP_CONTAINER_OF(watch, struct swp_signals, watch);
	struct signalfd_siginfo info;

	(void)epoll_events;
	if (read(watch->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		signals->received((int)info.ssi_signo, signals->context);
}

struct swp_signals *swp_signals_new(struct swp_loop *loop, const int *numbers, int count,
	void (*received)(int number, void *context), void *context)
{
	struct swp_signals *signals = swp_calloc(1, sizeof(*signals));
	int fd;

	if (!signals)
		return NULL;
	signals->received = received;
	signals->context = context;
	sigemptyset(&signals->taken);
	for (int i = 0; i < count; i++)
		sigaddset(&signals->taken, numbers[i]);
	if (sigprocmask(SIG_BLOCK, &signals->taken, &signals->before) < 0) {
		swp_free(signals);
		return NULL;
	}
	fd = signalfd(-1, &signals->taken, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0 || swp_watch_add(&signals->watch, loop, fd, EPOLLIN, signals_ready) != 0) {
		if (fd >= 0)
			close(fd);
		sigprocmask(SIG_SETMASK, &signals->before, NULL);
		swp_free(signals);
		return NULL;
	}
	return signals;
}

void swp_signals_free(struct swp_signals *signals)
{
	int fd;

	if (!signals)
		return;
	fd = signals->watch.fd;
	swp_watch_remove(&signals->watch);
	close(fd);
	for (int number = 1; number < NSIG; number++)
		if (sigismember(&signals->taken, number) == 1)
			signal(number, SIG_IGN);
	sigprocmask(SIG_SETMASK, &signals->before, NULL);
	swp_free(signals);
}
