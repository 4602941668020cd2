/* The event loop: order of timers, watches that go while their event is on its way, prepares, signals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/io/loop.h"

/* A clock that the test moves; waiting itself is real, so tests use waits of 0. */
static int64_t fake_now;
static int64_t fake_wait; /* what each look at the clock takes: so long does a wait seem to be */

static int64_t fake_ms(void *context)
{
	(void)context;
	return fake_now += fake_wait;
}

static const struct swp_clock fake_clock = {.monotonic_ms = fake_ms, .wall_ms = fake_ms};

struct ticking {
	struct swp_timer timer;
	int fired, number;
	struct ticking *starts, *stops;
};
static int fired_order[64], fired_count;

static void fire(struct swp_timer *timer)
{
	struct ticking *t = SWP_CONTAINER_OF(timer, struct ticking, timer);

	t->fired++;
	fired_order[fired_count++] = t->number;
	if (t->starts)
		assert_int_equal(swp_timer_start(&t->starts->timer, 0), 0);
	if (t->stops)
		swp_timer_stop(&t->stops->timer);
}

/* Rounds of 5 ms of work; as each look at the clock takes as long as the wait between two of them, the wait is at most half of it. */
static void test_eighths_of_time_waited(void **state)
{
	struct swp_loop *loop = swp_loop_new(&fake_clock);
	static const struct {
		int64_t wait_ms;
		unsigned eighths;
	} rows[] = {{0, 0}, {1, 1}, {5, 2}, {15, 3}, {0, 0}};

	(void)state;
	assert_int_equal(swp_loop_eighths_waited(loop), 8); /* nothing was measured yet */
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		fake_wait = rows[i].wait_ms;
		for (int round = 0; round < 12; round++) {
			fake_now += 5;
			assert_int_equal(swp_loop_step(loop, 0), 0);
		}
		assert_int_equal(swp_loop_eighths_waited(loop), rows[i].eighths);
	}
	fake_wait = 0;
	swp_loop_free(loop);
}

static void test_timers_fire_in_order(void **state)
{
	struct swp_loop *loop = swp_loop_new(&fake_clock);
	static const int delays[] = {50, 10, 30, 10, 20, 10, 0, 40};
	static const int expected[] = {6, 1, 3, 5, 4, 2, 7, 0};
	struct ticking timers[8];

	(void)state;
	fired_count = 0;
	for (int i = 0; i < 8; i++) {
		timers[i] = (struct ticking){.number = i};
		swp_timer_init(&timers[i].timer, loop, fire);
		assert_false(swp_timer_is_running(&timers[i].timer));
		assert_int_equal(swp_timer_start(&timers[i].timer, delays[i]), 0);
		assert_true(swp_timer_is_running(&timers[i].timer));
	}
	fake_now += 9;
	assert_int_equal(swp_loop_step(loop, 0), 0);
	assert_int_equal(fired_count, 1);
	fake_now += 91;
	assert_int_equal(swp_loop_step(loop, 0), 0);
	assert_int_equal(fired_count, 8);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(fired_order[i], expected[i]);
		assert_int_equal(timers[i].fired, 1);
		assert_false(swp_timer_is_running(&timers[i].timer));
	}
	swp_loop_free(loop);
}

static void test_timers_started_in_a_round_fire_in_a_later_one(void **state)
{
	struct swp_loop *loop = swp_loop_new(&fake_clock);
	struct ticking a = {.number = 1}, b = {.number = 2};

	(void)state;
	a.starts = &a;
	a.stops = &b;
	swp_timer_init(&a.timer, loop, fire);
	swp_timer_init(&b.timer, loop, fire);
	assert_int_equal(swp_timer_start(&a.timer, 0), 0);
	assert_int_equal(swp_timer_start(&b.timer, 0), 0);
	for (int round = 1; round <= 3; round++) {
		assert_int_equal(swp_loop_step(loop, 0), 0);
		assert_int_equal(a.fired, round);
	}
	assert_int_equal(b.fired, 0);
	swp_timer_stop(&a.timer);
	swp_timer_stop(&a.timer);
	assert_int_equal(swp_loop_step(loop, 0), 0);
	assert_int_equal(a.fired, 3);
	swp_loop_free(loop);
}

static void test_restarting_moves_a_timer(void **state)
{
	struct swp_loop *loop = swp_loop_new(&fake_clock);
	struct ticking t = {0};

	(void)state;
	swp_timer_init(&t.timer, loop, fire);
	assert_int_equal(swp_timer_start(&t.timer, 10), 0);
	assert_int_equal(swp_timer_start(&t.timer, 100), 0);
	fake_now += 50;
	swp_loop_step(loop, 0);
	assert_int_equal(t.fired, 0);
	assert_int_equal(swp_timer_start(&t.timer, 1), 0);
	fake_now += 1;
	swp_loop_step(loop, 0);
	assert_int_equal(t.fired, 1);
	swp_loop_free(loop);
}

/* A few thousand random starts and stops against the plain truth. */
static void test_heap_against_a_list(void **state)
{
	enum { COUNT = 300 };
	struct swp_loop *loop = swp_loop_new(&fake_clock);
	static struct ticking timers[COUNT];
	unsigned random = 12345;

	(void)state;
	for (int i = 0; i < COUNT; i++) {
		timers[i] = (struct ticking){0};
		swp_timer_init(&timers[i].timer, loop, fire);
	}
	for (int step = 0; step < 5000; step++) {
		struct ticking *t;

		random = random * 1103515245u + 12345u;
		t = &timers[(random >> 8) % COUNT];
		if ((random >> 24) % 4 == 0)
			swp_timer_stop(&t->timer);
		else
			assert_int_equal(swp_timer_start(&t->timer, (random >> 16) % 200), 0);
		fake_now += step % 7 == 0;
		fired_count = 0;
		swp_loop_step(loop, 0);
		for (int i = 0; i < COUNT; i++)
			assert_true(
				!swp_timer_is_running(&timers[i].timer) || timers[i].timer.due_ms > fake_now);
	}
	for (int i = 0; i < COUNT; i++)
		swp_timer_stop(&timers[i].timer);
	swp_loop_free(loop);
}

static void test_timer_start_tells_out_of_memory(void **state)
{
	struct swp_loop *loop = swp_loop_new(&fake_clock);
	struct ticking t = {0};

	(void)state;
	swp_timer_init(&t.timer, loop, fire);
	swp_alloc_fail_at(1, 0);
	assert_int_equal(swp_timer_start(&t.timer, 1), -ENOMEM);
	assert_false(swp_timer_is_running(&t.timer));
	swp_alloc_fail_at(1, 0);
	assert_null(swp_loop_new(&fake_clock));
	swp_alloc_fail_at(0, 0);
	swp_loop_free(loop);
}

struct pipe_watch {
	struct swp_watch watch;
	int fds[2], ready;
	struct pipe_watch *other;
};

static void pipe_ready(struct swp_watch *watch, uint32_t events)
{
	struct pipe_watch *p = SWP_CONTAINER_OF(watch, struct pipe_watch, watch);

	assert_true(events & EPOLLIN);
	p->ready++;
	if (p->other) {
		swp_watch_remove(&p->other->watch);
		swp_watch_remove(&p->watch);
	}
}

static void test_a_removed_watch_is_not_called(void **state)
{
	struct swp_loop *loop = swp_loop_new(swp_clock_system());
	struct pipe_watch a = {0}, b = {0};

	(void)state;
	a.other = &b;
	b.other = &a;
	for (int i = 0; i < 2; i++) {
		struct pipe_watch *p = i ? &b : &a;

		assert_int_equal(pipe(p->fds), 0);
		assert_int_equal(swp_watch_add(&p->watch, loop, p->fds[0], EPOLLIN, pipe_ready), 0);
		assert_int_equal(write(p->fds[1], "x", 1), 1);
	}
	assert_int_equal(swp_loop_step(loop, 100), 0);
	assert_int_equal(a.ready + b.ready, 1);
	assert_int_equal(swp_loop_step(loop, 0), 0);
	assert_int_equal(a.ready + b.ready, 1);
	swp_watch_remove(&a.watch);
	assert_int_equal(swp_watch_add(&a.watch, loop, -1, EPOLLIN, pipe_ready), -EBADF);
	for (int i = 0; i < 2; i++) {
		close(a.fds[i]);
		close(b.fds[i]);
	}
	swp_loop_free(loop);
}

static void test_a_watch_can_be_changed(void **state)
{
	struct swp_loop *loop = swp_loop_new(swp_clock_system());
	struct pipe_watch a = {0};

	(void)state;
	assert_int_equal(pipe(a.fds), 0);
	assert_int_equal(swp_watch_add(&a.watch, loop, a.fds[0], 0, pipe_ready), 0);
	assert_int_equal(write(a.fds[1], "x", 1), 1);
	swp_loop_step(loop, 0);
	assert_int_equal(a.ready, 0);
	assert_int_equal(swp_watch_change(&a.watch, EPOLLIN), 0);
	swp_loop_step(loop, 100);
	assert_int_equal(a.ready, 1);
	swp_watch_remove(&a.watch);
	close(a.fds[0]);
	close(a.fds[1]);
	swp_loop_free(loop);
}

struct preparing {
	struct swp_prepare prepare;
	int calls, more;
	struct preparing *removes;
};

static bool on_prepare(struct swp_prepare *prepare)
{
	struct preparing *p = SWP_CONTAINER_OF(prepare, struct preparing, prepare);

	p->calls++;
	if (p->removes)
		swp_prepare_remove(&p->removes->prepare);
	return p->calls <= p->more;
}

static void test_prepare_with_more_to_do_does_not_wait(void **state)
{
	struct swp_loop *loop = swp_loop_new(swp_clock_system());
	struct preparing a = {.more = 3}, b = {0};
	int64_t before = swp_clock_monotonic_ms(swp_clock_system());

	(void)state;
	swp_prepare_add(&a.prepare, loop, on_prepare);
	swp_prepare_add(&b.prepare, loop, on_prepare);
	for (int i = 0; i < 3; i++)
		swp_loop_step(loop, 5000);
	assert_true(swp_clock_monotonic_ms(swp_clock_system()) - before < 4000);
	assert_int_equal(a.calls, 3);
	/* b stands before a: it takes away the one that would come next, then itself. */
	b.removes = &a;
	swp_loop_step(loop, 0);
	assert_int_equal(a.calls, 3);
	b.removes = &b;
	swp_loop_step(loop, 0);
	swp_loop_step(loop, 0);
	assert_int_equal(b.calls, 5);
	swp_loop_free(loop);
}

struct signalled {
	struct swp_loop *loop;
	struct swp_signals *signals;
	int last, count;
	bool free_inside;
};

static void on_signal(int number, void *context)
{
	struct signalled *s = context;

	s->last = number;
	s->count++;
	if (s->free_inside) {
		swp_signals_free(s->signals);
		s->signals = NULL;
	}
	swp_loop_stop(s->loop);
}

static void test_signals_come_in_the_loop(void **state)
{
	static const int numbers[] = {SIGUSR1, SIGUSR2};
	struct signalled s = {.loop = swp_loop_new(swp_clock_system())};
	sigset_t before, after;

	(void)state;
	sigprocmask(SIG_SETMASK, NULL, &before);
	s.signals = swp_signals_new(s.loop, numbers, 2, on_signal, &s);
	assert_non_null(s.signals);
	kill(getpid(), SIGUSR1);
	assert_int_equal(s.count, 0);
	assert_int_equal(swp_loop_run(s.loop), 0);
	assert_int_equal(s.last, SIGUSR1);
	s.free_inside = true;
	kill(getpid(), SIGUSR2);
	assert_int_equal(swp_loop_run(s.loop), 0);
	assert_int_equal(s.last, SIGUSR2);
	assert_int_equal(s.count, 2);
	assert_null(s.signals);
	sigprocmask(SIG_SETMASK, NULL, &after);
	assert_int_equal(sigismember(&after, SIGUSR1), sigismember(&before, SIGUSR1));
	s.signals = swp_signals_new(s.loop, numbers, 2, on_signal, &s);
	assert_non_null(s.signals);
	kill(getpid(), SIGUSR1); /* its usual effect is the end of this test */
	swp_signals_free(s.signals);
	kill(getpid(), SIGUSR2);
	assert_int_equal(s.count, 2);
	signal(SIGUSR1, SIG_DFL);
	signal(SIGUSR2, SIG_DFL);
	swp_signals_free(NULL);
	swp_loop_free(s.loop);
}

static void test_stop_before_run_returns_at_once(void **state)
{
	struct swp_loop *loop = swp_loop_new(swp_clock_system());

	(void)state;
	assert_ptr_equal(swp_loop_clock(loop), swp_clock_system());
	swp_loop_stop(loop);
	assert_int_equal(swp_loop_run(loop), 0);
	swp_loop_free(loop);
	swp_loop_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_eighths_of_time_waited),
		cmocka_unit_test(test_timers_fire_in_order),
		cmocka_unit_test(test_timers_started_in_a_round_fire_in_a_later_one),
		cmocka_unit_test(test_restarting_moves_a_timer),
		cmocka_unit_test(test_heap_against_a_list),
		cmocka_unit_test(test_timer_start_tells_out_of_memory),
		cmocka_unit_test(test_a_removed_watch_is_not_called),
		cmocka_unit_test(test_a_watch_can_be_changed),
		cmocka_unit_test(test_prepare_with_more_to_do_does_not_wait),
		cmocka_unit_test(test_signals_come_in_the_loop),
		cmocka_unit_test(test_stop_before_run_returns_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
