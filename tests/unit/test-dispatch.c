/* Dispatch as a machine: leases, epochs, attempts, holds, credits, affinity, parking. Time is a number, actions are written down. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/dispatch.h"
#include "proto/base/error.h"

#define MOST 4096

static struct {
	struct swp_dispatch *dispatch;
	int64_t now_ms;
	struct {
		uint64_t job, peer, least;
		bool counts;
		char worker[32];
	} grants[MOST], sent[MOST];
	unsigned granted, sends, lookups, give_ups, cancels, job_ends, account_ends;
	uint64_t looked_up[MOST], given_up[MOST], cancelled[MOST];
	enum swp_job_end ends[MOST];
	int send_error;
	bool parked;
} stage;

static bool may_send(void *context, struct swp_dispatch_account *account)
{
	(void)context;
	(void)account;
	return !stage.parked;
}

static void grant(void *context, struct swp_job *job, const char *worker, bool counts, uint64_t least_epoch)
{
	(void)context;
	stage.grants[stage.granted].job = job->number;
	stage.grants[stage.granted].counts = counts;
	stage.grants[stage.granted].least = least_epoch;
	memcpy(stage.grants[stage.granted].worker, worker, strnlen(worker, 31) + 1);
	stage.granted++;
}

static int send_job(void *context, struct swp_job *job, uint64_t peer)
{
	(void)context;
	if (stage.send_error)
		return stage.send_error;
	stage.sent[stage.sends].job = job->number;
	stage.sent[stage.sends++].peer = peer;
	return 0;
}

static void look_up(void *context, struct swp_job *job)
{
	(void)context;
	stage.looked_up[stage.lookups++] = job->number;
}

static void give_up(void *context, struct swp_job *job)
{
	(void)context;
	stage.given_up[stage.give_ups++] = job->number;
}

static void cancel(void *context, uint64_t peer, uint64_t job, uint64_t epoch)
{
	(void)context;
	(void)peer;
	(void)epoch;
	stage.cancelled[stage.cancels++] = job;
}

static void job_settled(void *context, struct swp_job *job)
{
	(void)context;
	stage.ends[stage.job_ends++] = job->end;
}

static void account_settled(void *context, struct swp_dispatch_account *account)
{
	(void)context;
	(void)account;
	stage.account_ends++;
}

static int begin(void **state)
{
	const struct swp_dispatch_actions actions = {.may_send = may_send,
		.grant = grant,
		.send = send_job,
		.look_up = look_up,
		.give_up = give_up,
		.cancel = cancel,
		.job_settled = job_settled,
		.account_settled = account_settled};

	(void)state;
	memset(&stage, 0, sizeof(stage));
	stage.now_ms = 1000;
	stage.dispatch = swp_dispatch_new(&actions, 77);
	return stage.dispatch ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	swp_dispatch_free(stage.dispatch);
	return 0;
}

static void add(struct swp_dispatch_account *account, struct swp_job *jobs, unsigned count)
{
	memset(jobs, 0, count * sizeof(*jobs));
	for (unsigned i = 0; i < count; i++)
		jobs[i].region = (unsigned char)(SWP_REGION_FIRST + i);
	*account = (struct swp_dispatch_account){.jobs = jobs, .job_count = count};
	assert_int_equal(swp_dispatch_add(stage.dispatch, account, stage.now_ms), 0);
}

static void run(int64_t after_ms)
{
	stage.now_ms += after_ms;
	swp_dispatch_run(stage.dispatch, stage.now_ms);
}

static void greet_holding(
	uint64_t peer, unsigned credits, const struct swp_dispatch_hold *holds, size_t hold_count)
{
	const struct swp_dispatch_greeting greeting = {
		.name = "w", .host = "h", .credits = credits, .holds = holds, .hold_count = hold_count};

	assert_int_equal(swp_dispatch_greet(stage.dispatch, peer, &greeting, stage.now_ms), 0);
}

static void greet(uint64_t peer, unsigned credits)
{
	greet_holding(peer, credits, NULL, 0);
	run(0);
}

/* Nothing is given out yet. */
static void greet_from(const char *host, const char *name, uint64_t peer, unsigned credits)
{
	const struct swp_dispatch_greeting greeting = {.name = name, .host = host, .credits = credits};

	assert_int_equal(swp_dispatch_greet(stage.dispatch, peer, &greeting, stage.now_ms), 0);
}

/* Answers the grant of that number (in the order asked for). */
static void granted(unsigned index, uint64_t epoch, unsigned attempts)
{
	swp_dispatch_granted(stage.dispatch, stage.grants[index].job, SWP_DISPATCH_GRANT_GIVEN, epoch,
		attempts, stage.now_ms);
	run(0);
}

static void no_worker_no_grant(void **state)
{
	static struct swp_dispatch_account account; /* still there when the dispatch is freed */
	static struct swp_job jobs[2];

	(void)state;
	add(&account, jobs, 2);
	run(0);
	assert_int_equal(stage.granted, 0);
	greet(1, 1);
	assert_int_equal(stage.granted, 1); /* one credit */
	assert_true(stage.grants[0].counts);
	assert_int_equal(stage.grants[0].least, 1);
	granted(0, 1, 1);
	assert_int_equal(stage.sends, 1);
	assert_int_equal(stage.granted, 1);
	assert_true(swp_dispatch_done(stage.dispatch, 1, jobs[0].number, 1, SWP_DISPATCH_SEALED));
	run(0);
	assert_int_equal(stage.granted, 2); /* the credit came back */
	granted(1, 1, 1);
	assert_true(swp_dispatch_done(stage.dispatch, 1, jobs[1].number, 1, SWP_DISPATCH_SEALED));
	assert_int_equal(stage.account_ends, 1);
	assert_int_equal(swp_dispatch_open_accounts(stage.dispatch), 0);
}

static void expect_workers(unsigned ready, unsigned busy, unsigned draining, unsigned lost)
{
	struct swp_dispatch_worker_states states;

	swp_dispatch_count_workers(stage.dispatch, &states);
	assert_int_equal(states.ready, ready);
	assert_int_equal(states.busy, busy);
	assert_int_equal(states.draining, draining);
	assert_int_equal(states.lost, lost);
}

static void expect_leases_lost(uint64_t expired, uint64_t gone)
{
	struct swp_dispatch_numbers numbers;

	swp_dispatch_count(stage.dispatch, &numbers);
	assert_int_equal(numbers.leases_expired, expired);
	assert_int_equal(numbers.leases_gone, gone);
}

static void a_lease_runs_out(void **state)
{
	static struct swp_dispatch_account account; /* still there when the dispatch is freed */
	static struct swp_job jobs[1];
	struct swp_dispatch_hold hold;

	(void)state;
	add(&account, jobs, 1);
	greet(1, 4);
	granted(0, 1, 1);
	hold = (struct swp_dispatch_hold){jobs[0].number, 1};
	run(SWP_LEASE_MS - 1);
	swp_dispatch_heartbeat(stage.dispatch, 1, &hold, 1, stage.now_ms);
	run(SWP_LEASE_MS - 1);
	assert_int_equal(stage.lookups, 0); /* renewed */
	hold.epoch = 2;
	swp_dispatch_heartbeat(stage.dispatch, 1, &hold, 1, stage.now_ms); /* names another epoch */
	assert_int_equal(swp_dispatch_next_ms(stage.dispatch), stage.now_ms + 1);
	expect_workers(0, 1, 0, 0);
	run(1);
	assert_int_equal(stage.lookups, 1); /* looked up before it is leased again */
	expect_workers(0, 0, 0, 1);
	expect_leases_lost(1, 0);
	assert_int_equal(stage.granted, 1);
	swp_dispatch_looked_up(stage.dispatch, jobs[0].number, SWP_JOB_OPEN, 1, stage.now_ms);
	greet(2, 4);
	assert_int_equal(stage.granted, 2);
	assert_int_equal(stage.grants[1].least, 2);
	granted(1, 2, 2);
	/* The first one's DONE comes late: its epoch is over. */
	assert_false(swp_dispatch_done(stage.dispatch, 1, jobs[0].number, 1, SWP_DISPATCH_SEALED));
	assert_int_equal(stage.job_ends, 0);
	assert_true(swp_dispatch_done(
		stage.dispatch, stage.sent[1].peer, jobs[0].number, 2, SWP_DISPATCH_SEALED));
	/* Twice: once. */
	assert_false(swp_dispatch_done(
		stage.dispatch, stage.sent[1].peer, jobs[0].number, 2, SWP_DISPATCH_SEALED));
	assert_int_equal(stage.job_ends, 1);
	assert_int_equal(stage.ends[0], SWP_JOB_SEALED);
	swp_dispatch_heartbeat(stage.dispatch, 1, NULL, 0, stage.now_ms); /* it is heard of again */
	expect_workers(2, 0, 0, 0);
	expect_leases_lost(1, 0);
}

static void sealed_before_its_worker_was_lost(void **state)
{
	static struct swp_dispatch_account account; /* still there when the dispatch is freed */
	static struct swp_job jobs[1];

	(void)state;
	add(&account, jobs, 1);
	greet(1, 4);
	granted(0, 1, 1);
	swp_dispatch_gone(stage.dispatch, 1);
	assert_int_equal(stage.lookups, 1);
	swp_dispatch_looked_up(stage.dispatch, jobs[0].number, SWP_JOB_SEALED, 1, stage.now_ms);
	assert_int_equal(stage.account_ends, 1);
	assert_int_equal(stage.ends[0], SWP_JOB_SEALED);
	assert_int_equal(stage.granted, 1); /* never done again */
}

static void three_workers_are_lost_on_it(void **state)
{
	static struct swp_dispatch_account account; /* still there when the dispatch is freed */
	static struct swp_job jobs[1];

	(void)state;
	add(&account, jobs, 1);
	for (unsigned attempt = 1; attempt <= 3; attempt++) {
		greet(attempt, 4);
		assert_int_equal(stage.granted, attempt);
		assert_true(stage.grants[attempt - 1].counts);
		granted(attempt - 1, attempt, attempt);
		swp_dispatch_gone(stage.dispatch, attempt);
		swp_dispatch_looked_up(stage.dispatch, jobs[0].number, SWP_JOB_OPEN, attempt, stage.now_ms);
		run(0);
	}
	greet(9, 4);
	assert_int_equal(stage.granted, 3);
	assert_int_equal(stage.give_ups, 1);
	swp_dispatch_given_up(stage.dispatch, jobs[0].number, false);
	assert_int_equal(stage.ends[0], SWP_JOB_LOST);
	assert_int_equal(stage.account_ends, 1);
	expect_leases_lost(0, 3);
	swp_dispatch_drain(stage.dispatch, 9);
	expect_workers(0, 0, 1, 0);
}

/* The worker goes while it has the job that was granted last: its attempt is lost, and nothing is given out yet. */
static void lose_last(uint64_t peer, unsigned attempts)
{
	granted(stage.granted - 1, attempts, attempts);
	swp_dispatch_gone(stage.dispatch, peer);
	swp_dispatch_looked_up(
		stage.dispatch, stage.grants[stage.granted - 1].job, SWP_JOB_OPEN, attempts, stage.now_ms);
}

static void finish_last(uint64_t peer, uint64_t epoch)
{
	uint64_t job = stage.grants[stage.granted - 1].job;

	granted(stage.granted - 1, epoch, 1);
	assert_true(swp_dispatch_done(stage.dispatch, peer, job, epoch, SWP_DISPATCH_SEALED));
	run(0);
}

static void expect_last_grant(unsigned count, const char *worker)
{
	assert_int_equal(stage.granted, count);
	assert_string_equal(stage.grants[count - 1].worker, worker);
}

/* A host on which every attempt ends, with a worker that is back at once; another host's worker has no room yet. */
static void lost_on_a_host_it_goes_to_another(void **state)
{
	static struct swp_dispatch_account accounts[2];
	static struct swp_job jobs[2][1];

	(void)state;
	greet_from("good", "g", 1, 1);
	add(&accounts[0], jobs[0], 1);
	run(0);
	granted(0, 1, 1);
	greet_from("bad", "b", 2, 4);
	add(&accounts[1], jobs[1], 1);
	run(0);
	expect_last_grant(2, "b");
	lose_last(2, 1);
	greet_from("bad", "b", 3, 4);
	greet_from("bad", "c", 4, 4);
	run(0);
	assert_int_equal(stage.granted, 2); /* it waits, though two workers have room */
	assert_true(swp_dispatch_done(stage.dispatch, 1, jobs[0][0].number, 1, SWP_DISPATCH_SEALED));
	run(0);
	expect_last_grant(3, "g");
	assert_int_equal(stage.grants[2].job, jobs[1][0].number);
	granted(2, 2, 2);
	assert_true(swp_dispatch_done(stage.dispatch, 1, jobs[1][0].number, 2, SWP_DISPATCH_SEALED));
	assert_int_equal(stage.give_ups, 0);
}

/* What was lost on the host that is back waits for the one without room, and holds up nothing that was lost elsewhere. */
static void what_waits_holds_up_no_other(void **state)
{
	static const char *const hosts[] = {"full", "back", "left"};
	static struct swp_dispatch_account accounts[3];
	static struct swp_job jobs[3][1];

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		greet_from(hosts[i], hosts[i], i, 1);
		add(&accounts[i], jobs[i], 1);
		run(0);
		expect_last_grant(i + 1, hosts[i]);
		granted(i, 1, 1);
	}
	for (unsigned i = 1; i < 3; i++) {
		swp_dispatch_gone(stage.dispatch, i);
		swp_dispatch_looked_up(stage.dispatch, jobs[i][0].number, SWP_JOB_OPEN, 1, stage.now_ms);
	}
	greet_from("back", "back", 4, 4);
	run(0);
	expect_last_grant(4, "back");
	assert_int_equal(stage.grants[3].job, jobs[2][0].number);
}

static void on_the_same_host_it_goes_to_another_worker(void **state)
{
	static struct swp_dispatch_account account;
	static struct swp_job jobs[1];

	(void)state;
	greet_from("bad", "b", 1, 4);
	add(&account, jobs, 1);
	run(0);
	lose_last(1, 1);
	greet_from("bad", "c", 2, 4);
	greet_from("bad", "b", 3, 4); /* the last that came is asked first */
	run(0);
	expect_last_grant(2, "c");
	lose_last(2, 2);
	run(0);
	expect_last_grant(3, "b"); /* nobody else is there */
	lose_last(3, 3);
	assert_int_equal(stage.give_ups, 1);
	swp_dispatch_given_up(stage.dispatch, jobs[0].number, false);
	assert_int_equal(stage.ends[0], SWP_JOB_LOST);
}

/* As long as a job waits for another host, worker 1 renews what it holds; nothing is given out. */
static void wait_for_room(const struct swp_dispatch_hold *hold)
{
	int64_t end_ms = stage.now_ms + SWP_ELSEWHERE_MS;
	unsigned before = stage.granted;

	while (stage.now_ms < end_ms - 1) {
		swp_dispatch_heartbeat(stage.dispatch, 1, hold, 1, stage.now_ms);
		run((end_ms - 1 - stage.now_ms) / 3 + 1);
	}
	swp_dispatch_heartbeat(stage.dispatch, 1, hold, 1, stage.now_ms);
	run(0);
	assert_int_equal(stage.granted, before);
	assert_int_equal(swp_dispatch_next_ms(stage.dispatch), end_ms); /* it is woken for it */
	stage.now_ms = end_ms;
}

/* The only worker elsewhere never has room: the job does not wait for it for ever. */
static void it_waits_for_another_host_so_long_and_no_longer(void **state)
{
	static struct swp_dispatch_account accounts[2];
	static struct swp_job jobs[2][1];
	struct swp_dispatch_hold hold;

	(void)state;
	greet_from("good", "g", 1, 1);
	add(&accounts[0], jobs[0], 1);
	run(0);
	granted(0, 1, 1);
	hold = (struct swp_dispatch_hold){jobs[0][0].number, 1};
	greet_from("bad", "b", 2, 4);
	add(&accounts[1], jobs[1], 1);
	run(0);
	lose_last(2, 1);
	greet_from("bad", "b", 3, 4);
	wait_for_room(&hold);
	run(0);
	expect_last_grant(3, "b");
}

static void pass(uint64_t peer)
{
	(void)peer;
}

static void drain(uint64_t peer)
{
	swp_dispatch_drain(stage.dispatch, peer);
}

static void unable(uint64_t peer)
{
	swp_dispatch_unable(stage.dispatch, peer);
}

/* Nobody waits for a worker that takes no jobs. */
static void a_worker_that_takes_no_jobs_is_no_other(void **state)
{
	static const struct {
		void (*stop)(uint64_t peer);
		unsigned credits;
	} others[] = {{drain, 4}, {unable, 4}, {pass, 0}};

	for (size_t i = 0; i < SWP_ARRAY_SIZE(others); i++) {
		static struct swp_dispatch_account account;
		static struct swp_job jobs[1];

		if (i > 0)
			end(state), begin(state);
		greet_from("bad", "b", 1, 4);
		add(&account, jobs, 1);
		run(0);
		lose_last(1, 1);
		greet_from("good", "g", 2, others[i].credits);
		others[i].stop(2);
		greet_from("bad", "b", 3, 4);
		run(0);
		expect_last_grant(2, "b");
	}
}

/* More of them than are looked at, all waiting for a host without room: what was never tried is given out meanwhile, and none is left. */
static void many_lost_at_once(void **state)
{
	enum { COUNT = 3 * SWP_LIMIT_LOST_LOOKED_AT };
	static struct swp_dispatch_account accounts[COUNT], fresh, busy;
	static struct swp_job jobs[COUNT][1], fresh_jobs[1], busy_jobs[1];
	struct swp_dispatch_hold hold;

	(void)state;
	greet_from("good", "g", 1, 1);
	add(&busy, busy_jobs, 1);
	run(0);
	granted(0, 1, 1);
	greet_from("bad", "b", 2, COUNT);
	for (size_t i = 0; i < COUNT; i++)
		add(&accounts[i], jobs[i], 1);
	run(0);
	assert_int_equal(stage.granted, COUNT + 1);
	for (unsigned i = 0; i < COUNT; i++)
		granted(i + 1, 1, 1);
	swp_dispatch_gone(stage.dispatch, 2);
	for (size_t i = 0; i < COUNT; i++)
		swp_dispatch_looked_up(stage.dispatch, jobs[i][0].number, SWP_JOB_OPEN, 1, stage.now_ms);
	greet_from("bad", "b", 3, 2 * COUNT);
	add(&fresh, fresh_jobs, 1);
	run(0);
	expect_last_grant(COUNT + 2, "b");
	assert_int_equal(stage.grants[COUNT + 1].job, fresh_jobs[0].number);
	finish_last(3, 1);
	assert_true(swp_dispatch_done(stage.dispatch, 1, busy_jobs[0].number, 1, SWP_DISPATCH_SEALED));
	run(0);
	expect_last_grant(COUNT + 3, "g"); /* one after the other goes there */
	finish_last(1, 2);
	expect_last_grant(COUNT + 4, "g");
	granted(COUNT + 3, 2, 2);
	hold = (struct swp_dispatch_hold){stage.grants[COUNT + 3].job, 2};
	wait_for_room(&hold);
	run(0);
	expect_last_grant(2 * COUNT + 2, "b");
}

static void given_back_is_no_attempt(void **state)
{
	static struct swp_dispatch_account account; /* still there when the dispatch is freed */
	static struct swp_job jobs[1];

	(void)state;
	add(&account, jobs, 1);
	greet(1, 4);
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(stage.granted, i + 1);
		assert_int_equal(stage.grants[i].counts, i == 0);
		granted(i, i + 1, 1);
		swp_dispatch_given_back(stage.dispatch, 1, jobs[0].number, i + 1, false, 500, stage.now_ms);
		swp_dispatch_looked_up(stage.dispatch, jobs[0].number, SWP_JOB_OPEN, 1, stage.now_ms);
		run(0);
		assert_int_equal(stage.granted, i + 1); /* the worker has a pause */
		run(500);
	}
	assert_int_equal(stage.give_ups, 0);
}

/* For want of memory, say: another host may have it, and if none has, it ends. */
static void given_back_as_a_lost_attempt(void **state)
{
	static const char *const workers[] = {"b", "g", "b"};
	static struct swp_dispatch_account account;
	static struct swp_job jobs[1];

	(void)state;
	greet_from("good", "g", 1, 4);
	greet_from("bad", "b", 2, 4); /* the last that came is asked first */
	add(&account, jobs, 1);
	for (unsigned i = 0; i < 3; i++) {
		run(0);
		expect_last_grant(i + 1, workers[i]);
		assert_true(stage.grants[i].counts);
		granted(i, i + 1, i + 1);
		swp_dispatch_given_back(stage.dispatch, workers[i][0] == 'g' ? 1 : 2, jobs[0].number, i + 1,
			true, 0, stage.now_ms);
		swp_dispatch_looked_up(stage.dispatch, jobs[0].number, SWP_JOB_OPEN, i + 1, stage.now_ms);
	}
	assert_int_equal(stage.give_ups, 1);
}

static void what_could_not_be_sent(void **state)
{
	static struct swp_dispatch_account account; /* still there when the dispatch is freed */
	static struct swp_job jobs[1];

	(void)state;
	add(&account, jobs, 1);
	greet(1, 4);
	stage.send_error = -EAGAIN;
	granted(0, 1, 1);
	assert_int_equal(stage.sends, 0);
	run(SWP_SEND_RETRY_MS);
	stage.send_error = 0;
	assert_int_equal(stage.granted, 2);
	assert_false(stage.grants[1].counts);
	assert_int_equal(stage.grants[1].least, 2);
	/* Its worker goes while the grant is written: the answer finds nobody. */
	swp_dispatch_gone(stage.dispatch, 1);
	granted(1, 2, 1);
	assert_int_equal(stage.sends, 0);
	greet(2, 4);
	assert_int_equal(stage.granted, 3);
	assert_false(stage.grants[2].counts);
}

static void a_worker_greets_again(void **state)
{
	static struct swp_dispatch_account account; /* still there when the dispatch is freed */
	static struct swp_job jobs[3];
	struct swp_dispatch_hold holds[2];

	(void)state;
	add(&account, jobs, 3);
	greet(1, 3);
	for (unsigned i = 0; i < 3; i++)
		granted(i, 1, 1);
	/* It holds the first, has lost the second's DONE with its connection, and never got the third. It tells one of before. */
	holds[0] = (struct swp_dispatch_hold){jobs[0].number, 1};
	holds[1] = (struct swp_dispatch_hold){12345, 1};
	greet_holding(1, 3, holds, 2);
	assert_int_equal(stage.lookups, 2);
	assert_int_equal(stage.cancels, 1);
	assert_int_equal(stage.cancelled[0], 12345);
	swp_dispatch_looked_up(stage.dispatch, jobs[1].number, SWP_JOB_SEALED, 1, stage.now_ms);
	swp_dispatch_looked_up(stage.dispatch, jobs[2].number, SWP_JOB_OPEN, 1, stage.now_ms);
	run(0);
	assert_int_equal(stage.granted, 4);
	assert_int_equal(stage.grants[3].job, jobs[2].number);
	assert_non_null(swp_dispatch_held(stage.dispatch, 1, jobs[0].number, 1));
}

static void another_connection_of_the_same_worker(void **state)
{
	static struct swp_dispatch_account account; /* still there when the dispatch is freed */
	static struct swp_job jobs[1];
	struct swp_dispatch_hold hold;

	(void)state;
	add(&account, jobs, 1);
	greet(1, 3);
	granted(0, 1, 1);
	run(SWP_LEASE_MS);
	assert_int_equal(stage.lookups, 1);
	hold = (struct swp_dispatch_hold){jobs[0].number, 1};
	greet_holding(2, 3, &hold, 1);
	assert_int_equal(stage.cancels, 0); /* nobody else was given it: it is taken back */
	assert_non_null(swp_dispatch_held(stage.dispatch, 2, jobs[0].number, 1));
	swp_dispatch_looked_up(
		stage.dispatch, jobs[0].number, SWP_JOB_OPEN, 1, stage.now_ms); /* too late to matter */
	run(0);
	assert_int_equal(stage.granted, 1);
	assert_true(swp_dispatch_done(stage.dispatch, 2, jobs[0].number, 1, SWP_DISPATCH_SEALED));
}

static void the_store_lost_the_grant(void **state)
{
	static struct swp_dispatch_account account; /* still there when the dispatch is freed */
	static struct swp_job jobs[1];

	(void)state;
	add(&account, jobs, 1);
	greet(1, 3);
	for (unsigned i = 0; i < SWP_LIMIT_STALE_ANSWERS; i++) {
		assert_int_equal(stage.granted, i + 1);
		assert_int_equal(stage.grants[i].least, i + 1); /* an epoch is never given twice */
		granted(i, i + 1, 1);
		swp_dispatch_done(stage.dispatch, 1, jobs[0].number, i + 1, SWP_DISPATCH_STALE);
		swp_dispatch_looked_up(stage.dispatch, jobs[0].number, SWP_JOB_OPEN, 0, stage.now_ms);
		run(0);
	}
	assert_int_equal(stage.job_ends, 1);
	assert_int_equal(stage.ends[0], SWP_JOB_STORE_LOST);
}

static void parked_until_credentials_last(void **state)
{
	static struct swp_dispatch_account account; /* still there when the dispatch is freed */
	static struct swp_job jobs[3];

	(void)state;
	stage.parked = true;
	add(&account, jobs, 3);
	greet(1, 3);
	assert_int_equal(stage.granted, 0);
	stage.parked = false;
	run(0);
	assert_int_equal(stage.granted, 0);
	swp_dispatch_unpark(stage.dispatch, &account);
	run(0);
	assert_int_equal(stage.granted, 3);
}

static void regions_are_shared_out(void **state)
{
	static struct swp_dispatch_account accounts[20];
	static struct swp_job jobs[20][10];
	unsigned by_region[2][SWP_LIMIT_SWEEP_REGIONS] = {{0}};
	unsigned both = 0, given[2] = {0};

	(void)state;
	greet_from("a", "one", 1, 40);
	greet_from("b", "two", 2, 40);
	for (size_t i = 0; i < 20; i++)
		add(&accounts[i], jobs[i], 10);
	run(0);
	assert_int_equal(stage.granted, 80);
	for (unsigned i = 0; i < stage.granted; i++) {
		unsigned who = strcmp(stage.grants[i].worker, "two") == 0;

		by_region[who][stage.grants[i].job & 0xff]++;
		given[who]++;
	}
	assert_int_equal(given[0], 40);
	assert_int_equal(given[1], 40);
	for (unsigned region = 0; region < 10; region++)
		both += by_region[0][region] && by_region[1][region];
	assert_int_equal(both, 0); /* five regions each: no connection is made twice */
	for (unsigned who = 0; who < 2; who++)
		for (unsigned region = 0; region < 10; region++)
			assert_true(by_region[who][region] == 0 || by_region[who][region] == 8);
}

static void when_a_worker_has_nothing_of_its_own(void **state)
{
	static struct swp_dispatch_account account; /* still there when the dispatch is freed */
	static struct swp_job jobs[2];

	(void)state;
	greet(1, 8);
	add(&account, jobs, 2);
	run(0);
	assert_int_equal(stage.granted, 2);
	granted(0, 1, 1);
	granted(1, 1, 1);
	swp_dispatch_gone(stage.dispatch, 1);
	swp_dispatch_looked_up(stage.dispatch, jobs[0].number, SWP_JOB_OPEN, 1, stage.now_ms);
	swp_dispatch_looked_up(stage.dispatch, jobs[1].number, SWP_JOB_OPEN, 1, stage.now_ms);
	greet(2, 8);
	assert_int_equal(stage.granted, 4); /* it takes over regions that it never held */
}

static void drained(void **state)
{
	static struct swp_dispatch_account account; /* still there when the dispatch is freed */
	static struct swp_job jobs[2];

	(void)state;
	add(&account, jobs, 2);
	greet(1, 8);
	swp_dispatch_drain(stage.dispatch, 1);
	assert_true(swp_dispatch_is_draining(stage.dispatch, 1));
	run(0);
	assert_int_equal(stage.granted, 2); /* before it was drained */
	for (int i = 0; i < 2; i++)
		swp_dispatch_granted(stage.dispatch, jobs[i].number, SWP_DISPATCH_GRANT_GIVEN, 1, 1, 0);
	swp_dispatch_gone(stage.dispatch, 1);
	for (int i = 0; i < 2; i++)
		swp_dispatch_looked_up(stage.dispatch, jobs[i].number, SWP_JOB_OPEN, 1, stage.now_ms);
	greet(2, 8);
	assert_int_equal(stage.granted, 4);
}

/* Another sweep works in its account and region: it is tried again, and is no attempt. */
static void locked_by_another_sweep(void **state)
{
	static struct swp_dispatch_account account;
	static struct swp_job jobs[1];

	(void)state;
	add(&account, jobs, 1);
	greet(1, 8);
	swp_dispatch_granted(stage.dispatch, jobs[0].number, SWP_DISPATCH_GRANT_LOCKED, 0, 0, stage.now_ms);
	assert_int_equal(jobs[0].state, SWP_JOB_LOCKED);
	run(0);
	assert_int_equal(stage.granted, 1);
	assert_int_equal(swp_dispatch_next_ms(stage.dispatch), stage.now_ms + SWP_LOCKED_RETRY_MS);
	run(SWP_LOCKED_RETRY_MS);
	assert_int_equal(stage.granted, 2);
	swp_dispatch_granted(stage.dispatch, jobs[0].number, SWP_DISPATCH_GRANT_LOCKED, 0, 0, stage.now_ms);
	swp_dispatch_remove(stage.dispatch, &account); /* while it waits */
	run(SWP_LOCKED_RETRY_MS);
	assert_int_equal(stage.granted, 2);
}

/* What a worker holds since another coordinator's time: its number stays, its commit settles it, its end lets it go. */
static void adopted_from_another_coordinator(void **state)
{
	static struct swp_dispatch_account account;
	static struct swp_job jobs[3];
	uint64_t running = 0;

	(void)state;
	greet(1, 1);
	greet(2, 0);
	add(&account, jobs, 3);
	account.running = &running;
	run(0);
	assert_int_equal(running, 1);						  /* jobs[0] is granted */
	assert_false(swp_dispatch_adopt(stage.dispatch, &jobs[0], 2, 777, 9, 0)); /* somebody has it */
	assert_false(
		swp_dispatch_adopt(stage.dispatch, &jobs[1], 3, 777, 9, 0)); /* nobody knows that worker */
	assert_true(swp_dispatch_adopt(stage.dispatch, &jobs[1], 2, 777, 9, 0));
	assert_false(swp_dispatch_adopt(stage.dispatch, &jobs[2], 2, 777, 9, 0)); /* that number is taken */
	assert_int_equal(running, 2);
	assert_ptr_equal(swp_dispatch_held(stage.dispatch, 2, 777, 9), &jobs[1]);
	assert_true(swp_dispatch_done(stage.dispatch, 2, 777, 9, SWP_DISPATCH_SEALED));
	assert_int_equal(running, 1);
	assert_true(swp_dispatch_adopt(stage.dispatch, &jobs[2], 2, 778, 4, 0));
	swp_dispatch_grant_gone(stage.dispatch, 778);
	assert_int_equal(jobs[2].state, SWP_JOB_LOOKING);
	swp_dispatch_remove(stage.dispatch, &account);
	assert_null(swp_dispatch_find(stage.dispatch, 778));
	assert_int_equal(running, 0);
}

static void no_more_than_so_many_accounts(void **state)
{
	static struct swp_dispatch_account accounts[SWP_LIMIT_OPEN_ACCOUNTS + 1];
	static struct swp_job jobs[SWP_LIMIT_OPEN_ACCOUNTS + 1][1];

	(void)state;
	for (size_t i = 0; i < SWP_LIMIT_OPEN_ACCOUNTS; i++)
		add(&accounts[i], jobs[i], 1);
	accounts[SWP_LIMIT_OPEN_ACCOUNTS] =
		(struct swp_dispatch_account){.jobs = jobs[SWP_LIMIT_OPEN_ACCOUNTS], .job_count = 1};
	assert_int_equal(swp_dispatch_add(stage.dispatch, &accounts[SWP_LIMIT_OPEN_ACCOUNTS], 0), -ENOSPC);
	swp_dispatch_remove(stage.dispatch, &accounts[5]);
	assert_int_equal(swp_dispatch_add(stage.dispatch, &accounts[SWP_LIMIT_OPEN_ACCOUNTS], 0), 0);
	/* The place is the same, the number is another one. */
	assert_int_not_equal(jobs[SWP_LIMIT_OPEN_ACCOUNTS][0].number, jobs[5][0].number);
}

static void the_oldest_goes_first_when_the_window_is_full(void **state)
{
	static struct swp_dispatch_account accounts[SWP_LIMIT_OPEN_ACCOUNTS];
	static struct swp_job jobs[SWP_LIMIT_OPEN_ACCOUNTS][2];

	(void)state;
	for (size_t i = 0; i < SWP_LIMIT_OPEN_ACCOUNTS; i++) {
		add(&accounts[i], jobs[i], 2);
		stage.now_ms++;
	}
	stage.now_ms += SWP_OLDEST_FIRST_MS;
	greet(1, 2);
	assert_int_equal(stage.granted, 2);
	assert_int_equal(stage.grants[0].job, jobs[0][0].number);
	assert_int_equal(stage.grants[1].job, jobs[0][1].number);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(no_worker_no_grant, begin, end),
		cmocka_unit_test_setup_teardown(a_lease_runs_out, begin, end),
		cmocka_unit_test_setup_teardown(sealed_before_its_worker_was_lost, begin, end),
		cmocka_unit_test_setup_teardown(three_workers_are_lost_on_it, begin, end),
		cmocka_unit_test_setup_teardown(lost_on_a_host_it_goes_to_another, begin, end),
		cmocka_unit_test_setup_teardown(what_waits_holds_up_no_other, begin, end),
		cmocka_unit_test_setup_teardown(on_the_same_host_it_goes_to_another_worker, begin, end),
		cmocka_unit_test_setup_teardown(it_waits_for_another_host_so_long_and_no_longer, begin, end),
		cmocka_unit_test_setup_teardown(a_worker_that_takes_no_jobs_is_no_other, begin, end),
		cmocka_unit_test_setup_teardown(many_lost_at_once, begin, end),
		cmocka_unit_test_setup_teardown(given_back_is_no_attempt, begin, end),
		cmocka_unit_test_setup_teardown(given_back_as_a_lost_attempt, begin, end),
		cmocka_unit_test_setup_teardown(what_could_not_be_sent, begin, end),
		cmocka_unit_test_setup_teardown(a_worker_greets_again, begin, end),
		cmocka_unit_test_setup_teardown(another_connection_of_the_same_worker, begin, end),
		cmocka_unit_test_setup_teardown(the_store_lost_the_grant, begin, end),
		cmocka_unit_test_setup_teardown(parked_until_credentials_last, begin, end),
		cmocka_unit_test_setup_teardown(regions_are_shared_out, begin, end),
		cmocka_unit_test_setup_teardown(when_a_worker_has_nothing_of_its_own, begin, end),
		cmocka_unit_test_setup_teardown(adopted_from_another_coordinator, begin, end),
		cmocka_unit_test_setup_teardown(locked_by_another_sweep, begin, end),
		cmocka_unit_test_setup_teardown(drained, begin, end),
		cmocka_unit_test_setup_teardown(no_more_than_so_many_accounts, begin, end),
		cmocka_unit_test_setup_teardown(the_oldest_goes_first_when_the_window_is_full, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
