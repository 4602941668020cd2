/* proto/record/scripts.h: the Lua itself, against a real redis-server on a unix socket in a folder of its own. */
#include <errno.h>
#include <setjmp.h> /* cmocka.h wants it */
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "proto/io/store.h"
#include "proto/record/keys.h"
#include "proto/record/record.h"
#include "proto/record/scripts.h"

#define JOB "swp:s1:job:123456789012:eu-west-1"
#define LOCK "swp:lock:123456789012:eu-west-1"

static char folder[] = "/tmp/orgsweep-scripts-XXXXXX";
static pid_t redis;
static struct swp_loop *loop;
static struct swp_store *store;
static struct swp_store_script scripts[SWP_SCRIPT_COUNT];
static bool up, answered;
static struct {
	enum swp_store_reply_type type;
	int64_t numbers[3]; /* of a number, or of a list's second and third entry */
	char text[256];	    /* of a text, or of a list's first entry */
	char last[64];	    /* of a list: its last entry, a text */
	size_t length;
} got;

static void on_up(void *context, bool fresh_run)
{
	(void)context;
	(void)fresh_run;
	up = true;
}

static void on_trouble(void *context, const char *why)
{
	(void)context;
	(void)why;
}

static void keep_text(const struct swp_store_reply *reply)
{
	got.length = reply->length;
	if (reply->type == SWP_STORE_REPLY_TEXT || reply->type == SWP_STORE_REPLY_ERROR)
		snprintf(got.text, sizeof(got.text), "%.*s", (int)reply->length, reply->bytes);
}

static void on_reply(void *context, const struct swp_store_reply *reply)
{
	(void)context;
	memset(&got, 0, sizeof(got));
	got.type = reply->type;
	keep_text(reply->type == SWP_STORE_REPLY_LIST && reply->item_count ? &reply->items[0] : reply);
	got.numbers[0] = reply->number;
	for (size_t i = 1; reply->type == SWP_STORE_REPLY_LIST && i < reply->item_count && i < 3; i++)
		got.numbers[i] = reply->items[i].number;
	snprintf(got.last, sizeof(got.last), "%s",
		swp_store_item_text(reply, reply->item_count ? reply->item_count - 1 : 0));
	answered = true;
}

static void wait_for(const bool *what)
{
	for (int i = 0; i < 1000 && !*what; i++)
		assert_true(swp_loop_step(loop, 10) >= 0);
	assert_true(*what);
}

static struct swp_store_argument text(const char *bytes)
{
	return (struct swp_store_argument){bytes, strlen(bytes)};
}

/* Runs and gives the number that came. */
static int64_t run(enum swp_script script, const char *const *arguments, size_t count)
{
	const struct swp_store_argument keys[] = {text(JOB), text(LOCK)};
	struct swp_store_argument all[8];

	for (size_t i = 0; i < count; i++)
		all[i] = text(arguments[i]);
	answered = false;
	assert_int_equal(swp_store_run(store, &scripts[script], keys, swp_script_row(script)->own_keys, all,
				 count, on_reply, NULL),
		0);
	wait_for(&answered);
	if (got.type == SWP_STORE_REPLY_ERROR)
		fail_msg("%s: %s", swp_script_row(script)->name, got.text);
	return got.numbers[0];
}
#define RUN(script, ...)                                                                                     \
	run(script, (const char *const[]){__VA_ARGS__},                                                      \
		sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void command(const char *const *words, size_t count)
{
	struct swp_store_argument all[8];

	for (size_t i = 0; i < count; i++)
		all[i] = text(words[i]);
	answered = false;
	assert_int_equal(swp_store_command(store, all, count, on_reply, NULL), 0);
	wait_for(&answered);
}
#define COMMAND(...)                                                                                         \
	command((const char *const[]){__VA_ARGS__},                                                          \
		sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void assert_field(const char *field, const char *value)
{
	COMMAND("HGET", JOB, field);
	if (!value) {
		assert_int_equal(got.type, SWP_STORE_REPLY_NOTHING);
		return;
	}
	assert_int_equal(got.type, SWP_STORE_REPLY_TEXT);
	assert_string_equal(got.text, value);
}

static void assert_grant(const char *worker, const char *counts, const char *least, const char *word,
	int64_t epoch, int64_t attempts)
{
	RUN(SWP_SCRIPT_GRANT, worker, counts, least);
	assert_string_equal(got.text, word);
	assert_int_equal(got.numbers[1], epoch);
	assert_int_equal(got.numbers[2], attempts);
}

static void test_grant(void **state)
{
	(void)state;
	assert_grant("w1", "1", "1", "granted", 1, 1);
	assert_field("w", "w1");
	assert_grant("w2", "1", "1", "granted", 2, 2);
	assert_grant("w2", "0", "1", "granted", 3, 2);	 /* after a give-back: no attempt */
	assert_grant("w2", "1", "10", "granted", 10, 3); /* the store had lost writes */
	assert_field("e", "10");
}

static void test_regrant_drops_parts(void **state)
{
	(void)state;
	assert_grant("w1", "1", "1", "granted", 1, 1);
	assert_int_equal(RUN(SWP_SCRIPT_COMMIT_PART, "1", "0", "old"), 1);
	assert_int_equal(RUN(SWP_SCRIPT_COMMIT_PART, "1", "17", "old"), 1);
	assert_grant("w2", "1", "1", "granted", 2, 2);
	assert_field("p0", NULL);
	assert_field("p17", NULL);
	assert_int_equal(RUN(SWP_SCRIPT_COMMIT_PART, "1", "0", "late"), SWP_SCRIPT_STALE);
	assert_int_equal(RUN(SWP_SCRIPT_SEAL, "1", "0", "late seal"), SWP_SCRIPT_STALE);
	assert_field("p0", NULL);
	assert_field("s", NULL);
}

static void test_commit_and_seal(void **state)
{
	(void)state;
	assert_grant("w1", "1", "1", "granted", 1, 1);
	assert_int_equal(RUN(SWP_SCRIPT_COMMIT_PART, "1", "0", "first"), 1);
	assert_int_equal(RUN(SWP_SCRIPT_COMMIT_PART, "1", "0", "first"), 1); /* sent again */
	assert_int_equal(RUN(SWP_SCRIPT_SEAL, "1", "2", "seal"), SWP_SCRIPT_PARTS_MISSING);
	assert_field("s", NULL);
	assert_int_equal(RUN(SWP_SCRIPT_SEAL, "1", "2", "seal", "1", "second"), 1);
	assert_field("p0", "first");
	assert_field("p1", "second");
	assert_field("s", "seal");
	COMMAND("HGET", JOB, SWP_JOB_FIELD_SEALED_AT);
	assert_int_equal(got.length, 13); /* milliseconds */
	assert_int_equal(RUN(SWP_SCRIPT_SEAL, "1", "2", "again"), 0);
	assert_int_equal(RUN(SWP_SCRIPT_COMMIT_PART, "1", "0", "again"), 0);
	assert_field("s", "seal");
	assert_field("p0", "first");
	assert_grant("w2", "1", "1", "sealed", 1, 1);
}

static void test_without_parts(void **state)
{
	(void)state;
	assert_int_equal(RUN(SWP_SCRIPT_SEAL, "1", "0", "seal"), SWP_SCRIPT_STALE); /* never granted */
	assert_grant("w1", "1", "1", "granted", 1, 1);
	assert_int_equal(RUN(SWP_SCRIPT_SEAL, "1", "0", "seal"), 1);
}

static void test_give_up(void **state)
{
	(void)state;
	assert_grant("w1", "1", "1", "granted", 1, 1);
	assert_int_equal(RUN(SWP_SCRIPT_COMMIT_PART, "1", "0", "x"), 1);
	assert_int_equal(RUN(SWP_SCRIPT_GIVE_UP, "worker-lost"), 1);
	assert_field("l", "worker-lost");
	assert_field("p0", NULL);
	assert_int_equal(RUN(SWP_SCRIPT_SEAL, "1", "0", "late"), SWP_SCRIPT_STALE);
	assert_grant("w2", "1", "1", "lost", 1, 1);
}

static void test_give_up_after_seal(void **state)
{
	(void)state;
	assert_grant("w1", "1", "1", "granted", 1, 1);
	assert_int_equal(RUN(SWP_SCRIPT_SEAL, "1", "0", "seal"), 1);
	assert_int_equal(RUN(SWP_SCRIPT_GIVE_UP, "worker-lost"), 0);
	assert_field("l", NULL);
}

static void test_forget(void **state)
{
	(void)state;
	assert_grant("w1", "1", "1", "granted", 1, 1);
	assert_int_equal(RUN(SWP_SCRIPT_SEAL, "1", "1", "seal", "0", "part"), 1);
	assert_int_equal(RUN(SWP_SCRIPT_FORGET, "unused"), 1);
	assert_field("s", NULL);
	assert_field("p0", NULL);
	assert_int_equal(RUN(SWP_SCRIPT_SEAL, "1", "0", "from before"), SWP_SCRIPT_STALE);
	assert_grant("w2", "1", "1", "granted", 3, 1);
}

/* --- owning and fencing --- */

#define ROW "swp:s1:sweep"
#define LEADER "swp:leader"

/* Keys end with NULL, then the arguments. Errors are answers here. */
static void run_keys(enum swp_script script, const char *const *words, size_t count)
{
	struct swp_store_argument keys[4], arguments[10];
	size_t key_count = 0, argument_count = 0, at = 0;

	for (; words[at]; at++)
		keys[key_count++] = text(words[at]);
	for (at++; at < count; at++)
		arguments[argument_count++] = text(words[at]);
	answered = false;
	assert_int_equal(swp_store_run(store, &scripts[script], keys, key_count, arguments, argument_count,
				 on_reply, NULL),
		0);
	wait_for(&answered);
}
#define RUN_KEYS(script, ...)                                                                                \
	run_keys(script, (const char *const[]){__VA_ARGS__},                                                 \
		sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void assert_deposed(void)
{
	assert_int_equal(got.type, SWP_STORE_REPLY_ERROR);
	assert_memory_equal(got.text, SWP_SCRIPT_DEPOSED " ", sizeof(SWP_SCRIPT_DEPOSED));
}

static void own(const char *owner, const char *lease, const char *wall, const char *term, const char *dead)
{
	RUN_KEYS(SWP_SCRIPT_TAKE_OVER, ROW, NULL, owner, "host", lease, wall, term, dead);
}

/* Who waits names what it has watched. */
static void own_watching(const char *owner, const char *watched, const char *until)
{
	RUN_KEYS(SWP_SCRIPT_TAKE_OVER, ROW, NULL, owner, "host", "60000", "1", "0", "", watched, until);
}

static void assert_held(const char *until)
{
	assert_string_equal(got.text, "held");
	assert_string_equal(got.last, until);
}

/* The clock of Redis has stepped back, which only shows in leases that end too late: nobody can wait for them. */
static void test_watched_lease(void **state)
{
	static const char until[] = "4000000000000", renewed[] = "4000000002500";

	(void)state;
	own("a", "60000", "1", "77", "");
	COMMAND("HSET", ROW, "until", until);
	own_watching("b", "", "");
	assert_held(until);
	own_watching("b", "c", until); /* another owner's */
	assert_held(until);
	own_watching("b", "", until);
	assert_held(until);
	own_watching("b", "a", "");
	assert_held(until);
	COMMAND("HSET", ROW, "until", renewed); /* it lives */
	own_watching("b", "a", until);
	assert_held(renewed);
	own_watching("b", "a", renewed);
	assert_string_equal(got.text, "owned");
	assert_true(got.numbers[1] > 77);
	assert_string_equal(got.last, "a");
	RUN_KEYS(SWP_SCRIPT_RENEW, ROW, "swp:drains", ROW, NULL, "77", "60000");
	assert_deposed();
	COMMAND("HSET", ROW, "state", "finished");
	own_watching("c", "b", until);
	assert_string_equal(got.text, "finished");
}

/* Nor is a place kept for longer by a sweep whose coordinator is gone. */
static void test_lock_when_the_clock_stepped_back(void **state)
{
	static const char other[] = "swp:s2:job:123456789012:eu-west-1";

	(void)state;
	own("a", "10000", "1", "77", "");
	COMMAND("HSET", ROW, "state", "running");
	assert_grant("w1", "1", "1", "granted", 1, 1);
	RUN_KEYS(SWP_SCRIPT_GRANT, other, LOCK, NULL, "w1", "1", "1");
	assert_string_equal(got.text, "locked");
	COMMAND("HSET", ROW, "until", "4000000000000");
	RUN_KEYS(SWP_SCRIPT_GRANT, other, LOCK, NULL, "w1", "1", "1");
	assert_string_equal(got.text, "granted");
	COMMAND("DEL", other);
}

static void test_take_over(void **state)
{
	char mine[24], later[24];

	(void)state;
	own("a", "60000", "1", "0", "");
	assert_string_equal(got.text, "owned");
	assert_true(got.numbers[1] > 1700000000000); /* above the clock of Redis */
	snprintf(mine, sizeof(mine), "%lld", (long long)got.numbers[1]);
	own("b", "60000", "1", "0", "");
	assert_string_equal(got.text, "held");
	assert_true(got.numbers[1] > 50000 && got.numbers[1] <= 60000);
	own("b", "60000", "1", "0", "c"); /* another is dead */
	assert_string_equal(got.text, "held");
	own("a", "60000", "1", mine, ""); /* asserted */
	assert_string_equal(got.text, "owned");
	assert_string_equal(mine, (snprintf(later, sizeof(later), "%lld", (long long)got.numbers[1]), later));
	own("b", "60000", "1", "0", "a"); /* its owner is dead */
	assert_string_equal(got.text, "owned");
	assert_true(got.numbers[1] > strtoll(mine, NULL, 10));
	own("a", "60000", "1", mine, "");
	assert_deposed();
	own("b", "0", "4000000000000", "0", ""); /* a wall clock far ahead */
	assert_true(got.numbers[1] == 4000000000001);
	own("c", "1", "1", "0", ""); /* b's lease has ended */
	assert_string_equal(got.text, "owned");
	assert_true(got.numbers[1] == 4000000000002);
}

/* Who waited for a lease that ended with the sweep does not begin it anew; its own coordinator may still assert its term. */
static void test_take_over_finished(void **state)
{
	(void)state;
	own("a", "60000", "1", "77", "");
	COMMAND("HSET", ROW, "state", "finished");
	own("a", "60000", "1", "77", "");
	assert_string_equal(got.text, "owned");
	COMMAND("HSET", ROW, "until", "0");
	own("b", "60000", "1", "0", "");
	assert_string_equal(got.text, "finished");
	own("b", "60000", "1", "0", "a");
	assert_string_equal(got.text, "finished");
	own("a", "60000", "1", "77", "");
	assert_string_equal(got.text, "owned");
}

/* The store went back to an older state: the term is asserted there, a higher one is not touched. */
static void test_assert_term(void **state)
{
	(void)state;
	own("a", "60000", "1", "77", "");
	assert_string_equal(got.text, "owned");
	assert_true(got.numbers[1] == 77);
	own("a", "60000", "1", "76", "");
	assert_deposed();
}

static void test_fence(void **state)
{
	(void)state;
	own("a", "60000", "1", "77", "");
	COMMAND("HSET", LEADER, "term", "5");
	RUN_KEYS(SWP_SCRIPT_GRANT, JOB, LOCK, ROW, NULL, "77", "w1", "1", "1");
	assert_string_equal(got.text, "granted");
	RUN_KEYS(SWP_SCRIPT_GRANT, JOB, LOCK, ROW, NULL, "76", "w1", "1", "1");
	assert_deposed();
	RUN_KEYS(SWP_SCRIPT_WRITE, "swp:s1:x", ROW, LEADER, NULL, "77", "5", "HSET", "f", "v");
	assert_int_equal(got.type, SWP_STORE_REPLY_NUMBER);
	RUN_KEYS(SWP_SCRIPT_WRITE, "swp:s1:x", ROW, LEADER, NULL, "77", "6", "HSET", "f", "late");
	assert_deposed();
	COMMAND("HGET", "swp:s1:x", "f");
	assert_string_equal(got.text, "v");
	RUN_KEYS(SWP_SCRIPT_GIVE_UP, JOB, ROW, NULL, "76", "worker-lost");
	assert_deposed();
	RUN_KEYS(SWP_SCRIPT_DROP, ROW, NULL, "76", "swp:s1:x");
	assert_deposed();
	RUN_KEYS(SWP_SCRIPT_DROP, ROW, NULL, "77", "swp:s1:x", "swp:s1:y");
	assert_int_equal(got.numbers[0], 1);
	COMMAND("DEL", ROW); /* a store that lost the row refuses, too */
	RUN_KEYS(SWP_SCRIPT_GRANT, JOB, LOCK, ROW, NULL, "77", "w1", "1", "1");
	assert_deposed();
	assert_field("e", "1");
}

#define ACCOUNTS "swp:s1:accounts"

static void write_account(const char *term, const char *account, bool planned)
{
	const struct swp_store_argument keys[] = {text(ACCOUNTS), text(ROW), text(ROW)};
	const struct swp_record_account row = {
		.id = account, .name = "a", .state = "ACTIVE", .not_planned = !planned};
	struct swp_buf bytes = {0};

	assert_int_equal(swp_account_encode(&row, &bytes), 0);
	answered = false;
	assert_int_equal(swp_store_run(store, &scripts[SWP_SCRIPT_ACCOUNT], keys, 3,
				 (struct swp_store_argument[]){text(term), text(account),
					 {bytes.data, bytes.length}, text(planned ? "1" : "0")},
				 4, on_reply, NULL),
		0);
	wait_for(&answered);
	swp_buf_done(&bytes);
}

static void assert_counted(const char *value)
{
	COMMAND("HGET", ROW, SWP_SWEEP_FIELD_ACCOUNTS);
	if (value)
		assert_string_equal(got.text, value);
	else
		assert_int_equal(got.type, SWP_STORE_REPLY_NOTHING);
}

/* Each account once, however often its row is written, and under whichever term. */
static void test_accounts_are_counted(void **state)
{
	char later[40];

	(void)state;
	own("a", "60000", "1", "77", "");
	assert_counted("77 0 0");
	write_account("77", "1", true);
	assert_int_equal(got.numbers[0], 1);
	write_account("77", "2", false);
	write_account("77", "1", true);
	assert_counted("77 2 1");
	write_account("77", "2", true); /* it has been activated since */
	assert_counted("77 2 2");
	write_account("77", "1", false);
	assert_counted("77 2 1");
	write_account("76", "3", true);
	assert_deposed();
	own("a", "60000", "1", "77", ""); /* asserted */
	assert_counted("77 2 1");
	own("b", "60000", "4000000000000", "0", "a");
	assert_counted("4000000000001 2 1");
	write_account("4000000000001", "3", true);
	assert_counted("4000000000001 3 2");
	COMMAND("HGET", ACCOUNTS, "3");
	assert_int_equal(got.type, SWP_STORE_REPLY_TEXT);
	own("c", "60000", "1", "0", "b");
	snprintf(later, sizeof(later), "%lld 3 2", (long long)got.numbers[1]);
	assert_counted(later);
	RUN_KEYS(SWP_SCRIPT_TAKE_OVER, LEADER, NULL, "a", "host", "60000", "1", "0", "");
	COMMAND("HGET", LEADER, SWP_SWEEP_FIELD_ACCOUNTS); /* the leader's row has none */
	assert_int_equal(got.type, SWP_STORE_REPLY_NOTHING);
}

/* A coordinator of an earlier version writes rows by `write` and takes over without it: what stands there is never taken for the whole. */
static void test_accounts_of_an_earlier_version(void **state)
{
	char later[24];

	(void)state;
	COMMAND("HSET", ROW, "term", "70");
	own("a", "60000", "1", "77", "");
	write_account("77", "1", true);
	assert_counted(NULL);
	COMMAND("DEL", ROW, ACCOUNTS);
	own("a", "60000", "1", "77", "");
	write_account("77", "1", true);
	COMMAND("HSET", ROW, "term", "78"); /* as it took over */
	write_account("78", "2", true);
	own("b", "60000", "1", "0", "a");
	snprintf(later, sizeof(later), "%lld", (long long)got.numbers[1]);
	write_account(later, "3", true);
	assert_int_equal(got.numbers[0], 1);
	assert_counted("77 1 1"); /* of another term than the sweep's */
}

/* The sweep's row is lost, and not the accounts': they are not counted from nought. */
static void test_accounts_without_their_sweep(void **state)
{
	(void)state;
	own("a", "60000", "1", "77", "");
	write_account("77", "1", true);
	COMMAND("DEL", ROW);
	own("a", "60000", "1", "77", "");
	write_account("77", "1", true);
	assert_counted(NULL);
	write_account("77", "2", true);
	assert_counted(NULL);
}

static void test_renew(void **state)
{
	(void)state;
	own("a", "1000", "1", "77", "");
	COMMAND("HSET", "swp:drains", "w1", "me");
	COMMAND("HSET", ROW, "cancel_asked", "anna");
	RUN_KEYS(SWP_SCRIPT_RENEW, ROW, "swp:drains", ROW, NULL, "77", "60000");
	assert_int_equal(got.type, SWP_STORE_REPLY_LIST);
	assert_string_equal(got.text, "anna");
	own("b", "1000", "1", "0", "");
	assert_string_equal(got.text, "held");
	RUN_KEYS(SWP_SCRIPT_RENEW, ROW, "swp:drains", ROW, NULL, "77", "0"); /* given up */
	own("b", "1000", "1", "0", "");
	assert_string_equal(got.text, "owned");
	RUN_KEYS(SWP_SCRIPT_RENEW, ROW, "swp:drains", ROW, NULL, "77", "60000");
	assert_deposed();
	COMMAND("DEL", "swp:drains");
}

/* Two sweeps in one place. */
static void test_lock(void **state)
{
	static const char other[] = "swp:s2:job:123456789012:eu-west-1";

	(void)state;
	own("a", "10000", "1", "77", "");
	COMMAND("HSET", ROW, "state", "running");
	assert_grant("w1", "1", "1", "granted", 1, 1);
	assert_grant("w2", "1", "1", "granted", 2, 2); /* its own lock does not keep it out */
	RUN_KEYS(SWP_SCRIPT_GRANT, other, LOCK, NULL, "w1", "1", "1");
	assert_string_equal(got.text, "locked");
	COMMAND("EXISTS", other);
	assert_int_equal(got.numbers[0], 0);
	assert_int_equal(RUN(SWP_SCRIPT_SEAL, "2", "0", "seal"), 1);
	COMMAND("EXISTS", LOCK);
	assert_int_equal(got.numbers[0], 0);
	RUN_KEYS(SWP_SCRIPT_GRANT, other, LOCK, NULL, "w1", "1", "1");
	assert_string_equal(got.text, "granted");
	COMMAND("DEL", JOB);
	assert_grant("w1", "1", "1", "granted", 1, 1); /* sweep s2 does not run */
	COMMAND("HSET", ROW, "until", "1");
	RUN_KEYS(SWP_SCRIPT_GRANT, other, LOCK, NULL, "w1", "1", "1"); /* nor does s1 any more */
	assert_string_equal(got.text, "granted");
	COMMAND("PTTL", LOCK);
	assert_true(got.numbers[0] > 7000000);
	COMMAND("DEL", other);
}

/* The second worker's part was acknowledged and lost with its grant; the first one's is still there. */
static void test_assert_grant_drops_parts(void **state)
{
	(void)state;
	assert_grant("w1", "1", "1", "granted", 1, 1);
	assert_int_equal(RUN(SWP_SCRIPT_COMMIT_PART, "1", "0", "of the first"), 1);
	assert_int_equal(RUN(SWP_SCRIPT_ASSERT_GRANT, "w2", "2", "2"), 1);
	assert_field("p0", NULL);
	assert_int_equal(
		RUN(SWP_SCRIPT_SEAL, "2", "2", "seal", "1", "of the second"), SWP_SCRIPT_PARTS_MISSING);
	/* One that stands keeps them. */
	assert_int_equal(RUN(SWP_SCRIPT_COMMIT_PART, "2", "0", "of the second"), 1);
	assert_int_equal(RUN(SWP_SCRIPT_ASSERT_GRANT, "w2", "2", "2"), 1);
	assert_field("p0", "of the second");
}

static void test_assert_grant(void **state)
{
	(void)state;
	assert_int_equal(RUN(SWP_SCRIPT_ASSERT_GRANT, "w1", "3", "2"), 1); /* the store had lost it */
	assert_field("e", "3");
	assert_field("a", "2");
	assert_field("w", "w1");
	assert_int_equal(RUN(SWP_SCRIPT_ASSERT_GRANT, "w1", "3", "2"), 1);
	assert_int_equal(RUN(SWP_SCRIPT_ASSERT_GRANT, "w1", "2", "1"), 0); /* granted anew meanwhile */
	assert_int_equal(RUN(SWP_SCRIPT_SEAL, "3", "0", "seal"), 1);
	assert_int_equal(RUN(SWP_SCRIPT_ASSERT_GRANT, "w1", "4", "2"), 0); /* sealed: it stays */
	assert_field("e", "3");
}

/* Every byte passes: parts are MessagePack. */
static void test_binary(void **state)
{
	static const char bytes[] = "\0\r\n$5\xff\x93";
	const struct swp_store_argument key = text(JOB),
					arguments[] = {text("1"), text("0"), {bytes, sizeof(bytes) - 1}};

	(void)state;
	assert_grant("w1", "1", "1", "granted", 1, 1);
	answered = false;
	assert_int_equal(
		swp_store_run(store, &scripts[SWP_SCRIPT_COMMIT_PART], &key, 1, arguments, 3, on_reply, NULL),
		0);
	wait_for(&answered);
	COMMAND("HGET", JOB, "p0");
	assert_int_equal(got.length, sizeof(bytes) - 1);
}

static int each_begins(void **state)
{
	(void)state;
	COMMAND("DEL", JOB);
	COMMAND("DEL", "swp:s1:sweep");
	COMMAND("DEL", LOCK);
	return 0;
}

static int begin(void **state)
{
	char path[64], url[80];
	struct swp_store_options options = {0};
	const struct swp_store_events events = {on_up, on_trouble, on_trouble, NULL};
	struct swp_problem problem = {""};

	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/redis", folder);
	snprintf(url, sizeof(url), "unix://%s", path);
	redis = fork();
	if (redis == 0) {
		execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", path, "--save", "",
			"--dir", folder, "--loglevel", "warning", (char *)NULL);
		_exit(127);
	}
	loop = swp_loop_new(swp_clock_system());
	if (!loop || swp_store_address_parse(url, &options.address, &problem) < 0)
		return -1;
	for (int i = 0; i < SWP_SCRIPT_COUNT; i++)
		scripts[i].source = swp_script_row((enum swp_script)i)->source;
	store = swp_store_new(loop, &options, &events, &problem);
	if (!store)
		return -1;
	wait_for(&up);
	return 0;
}

static int end(void **state)
{
	char path[64];

	(void)state;
	swp_store_free(store);
	swp_loop_free(loop);
	kill(redis, SIGTERM);
	waitpid(redis, NULL, 0);
	snprintf(path, sizeof(path), "%s/redis", folder);
	unlink(path);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_grant, each_begins),
		cmocka_unit_test_setup(test_regrant_drops_parts, each_begins),
		cmocka_unit_test_setup(test_commit_and_seal, each_begins),
		cmocka_unit_test_setup(test_without_parts, each_begins),
		cmocka_unit_test_setup(test_give_up, each_begins),
		cmocka_unit_test_setup(test_give_up_after_seal, each_begins),
		cmocka_unit_test_setup(test_forget, each_begins),
		cmocka_unit_test_setup(test_binary, each_begins),
		cmocka_unit_test_setup(test_take_over, each_begins),
		cmocka_unit_test_setup(test_watched_lease, each_begins),
		cmocka_unit_test_setup(test_lock_when_the_clock_stepped_back, each_begins),
		cmocka_unit_test_setup(test_take_over_finished, each_begins),
		cmocka_unit_test_setup(test_assert_term, each_begins),
		cmocka_unit_test_setup(test_fence, each_begins),
		cmocka_unit_test_setup(test_accounts_are_counted, each_begins),
		cmocka_unit_test_setup(test_accounts_of_an_earlier_version, each_begins),
		cmocka_unit_test_setup(test_accounts_without_their_sweep, each_begins),
		cmocka_unit_test_setup(test_renew, each_begins),
		cmocka_unit_test_setup(test_assert_grant, each_begins),
		cmocka_unit_test_setup(test_assert_grant_drops_parts, each_begins),
		cmocka_unit_test_setup(test_lock, each_begins),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
