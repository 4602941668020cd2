/* The ledger against a store that refuses, loses answers and goes away: the newest write of each key is what stays. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/ledger.h"
#include "proto/base/error.h"
#include "proto/base/limits.h"
#include "proto/base/region.h"
#include "proto/record/scripts.h"
#include "tests/scenario/player.h"

#define SWEEP "20261122T080000Z-0001"
#define ACCOUNT "222222222222"
#define FULL "OOM command not allowed when used memory > 'maxmemory'."

static struct {
	struct swp_loop *loop;
	struct swp_ledger *ledger;
	unsigned idle, fresh;
	bool lost, owned;
	uint64_t term;
	char why[1024], cancelled_by[64];
} stage;

static void up(void *context)
{
	(void)context;
}

static void lost(void *context, const struct swp_problem *problem)
{
	(void)context;
	stage.lost = true;
	snprintf(stage.why, sizeof(stage.why), "%s", problem->text);
}

static void owned(void *context, uint64_t term)
{
	(void)context;
	stage.owned = true;
	stage.term = term;
}

static void fresh(void *context)
{
	(void)context;
	stage.fresh++;
}

static void asked(void *context, const char *cancelled_by, const char *const *drains, size_t count)
{
	(void)context;
	(void)drains;
	(void)count;
	snprintf(stage.cancelled_by, sizeof(stage.cancelled_by), "%s", cancelled_by);
}

static void idle(void *context)
{
	(void)context;
	stage.idle++;
}

static const struct swp_owner me = {.text = "00000000/1/1/1", .host = "here"};

/* Connected, and not owned yet. */
static void open_ledger(const char *scenario)
{
	const struct swp_ledger_events events = {
		.up = up, .owned = owned, .asked = asked, .lost = lost, .fresh = fresh};
	const struct swp_store_options options = {0};
	struct swp_problem problem;

	player_begin(scenario);
	memset(&stage, 0, sizeof(stage));
	stage.loop = swp_loop_new(player_clock());
	stage.ledger = swp_ledger_new(stage.loop, &options, SWEEP, SWP_STORE_AWAY_MS, &events, &problem);
	if (!stage.ledger)
		player_fail("no ledger: %s", problem.text);
	player_advance(100);
}

static void own(const char *gone)
{
	if (swp_ledger_own(stage.ledger, &(struct swp_ledger_ownership){.owner = &me, .gone = gone}) < 0)
		player_fail("out of memory");
}

static void begin(const char *scenario)
{
	open_ledger(scenario);
	own("");
	player_advance(100);
	if (!stage.owned)
		player_fail("not owned");
}

static void end(void)
{
	swp_ledger_free(stage.ledger);
	swp_loop_free(stage.loop);
	player_end();
}

static void done(int error)
{
	if (error != 0)
		player_fail("error %d", error);
}

static void write_row(const char *account, const char *path, bool swept)
{
	done(swp_ledger_account(stage.ledger,
		&(struct swp_record_account){
			.id = account, .name = "a", .path = path, .state = "ACTIVE", .swept = swept}));
}

static void expect_row(const char *account, const char *path, bool swept)
{
	struct swp_region *region = swp_region_new(0);
	struct swp_record_account row;
	size_t length = 0;
	const char *bytes = player_store_get("swp:" SWEEP ":accounts", account, &length);

	if (!bytes || swp_account_decode(bytes, length, region, &row) < 0)
		player_fail("no row of %s", account);
	if (strcmp(row.path ? row.path : "", path) != 0 || row.swept != swept)
		player_fail("%s: path %s, swept %d", account, row.path, row.swept);
	swp_region_free(region);
}

static void expect_idle(void)
{
	swp_ledger_when_idle(stage.ledger, idle);
	player_advance(10000);
	if (stage.idle != 1 || swp_ledger_open(stage.ledger) != 0 || stage.lost)
		player_fail(
			"idle %u, open %zu, lost %d", stage.idle, swp_ledger_open(stage.ledger), stage.lost);
}

/* The refused row waits for its repetition while a newer one comes. */
static void newer_row_wins(void)
{
	begin("a newer row wins");
	player_store_error(FULL);
	write_row(ACCOUNT, "Root", false);
	player_advance(100); /* refused; to be repeated after SWP_LEDGER_RETRY_MS */
	write_row(ACCOUNT, "Root/Prod", true);
	expect_idle();
	expect_row(ACCOUNT, "Root/Prod", true);
	end();
}

/* The newer one is on its way already when the older one is refused. */
static void newer_row_wins_behind(void)
{
	begin("a newer row wins, given before the refusal is known");
	player_store_error(FULL);
	write_row(ACCOUNT, "Root", false);
	write_row(ACCOUNT, "Root/Prod", true);
	expect_idle();
	expect_row(ACCOUNT, "Root/Prod", true);
	end();
}

static void newer_row_wins_after_lost_reply(void)
{
	begin("a newer row wins, the older one's answer is lost");
	player_store_lose_replies(1, true);
	write_row(ACCOUNT, "Root", false);
	write_row(ACCOUNT, "Root/Prod", true);
	expect_idle();
	expect_row(ACCOUNT, "Root/Prod", true);
	end();
}

/* However many come: the first and the newest are held, and written. */
static void many_rows_of_one_account(void)
{
	size_t before;
	char path[32];

	begin("many rows of one account");
	before = player_store_commands();
	player_store_refuse(FULL);
	for (int i = 0; i < 1000; i++) {
		snprintf(path, sizeof(path), "Root/%d", i);
		write_row(ACCOUNT, path, i == 999);
		player_advance(i % 10 ? 0 : 50);
		if (swp_ledger_open(stage.ledger) > 3) /* a renewal is one */
			player_fail("%zu held", swp_ledger_open(stage.ledger));
	}
	player_store_refuse(NULL);
	expect_idle();
	expect_row(ACCOUNT, "Root/999", true);
	if (player_store_commands() - before != 2)
		player_fail("%zu commands", player_store_commands() - before);
	end();
}

/* A refusal holds up its own key's writes, and nobody else's. */
static void others_go_on(void)
{
	begin("others go on");
	player_store_error(FULL);
	write_row(ACCOUNT, "Root", false);
	write_row(ACCOUNT, "Root/Prod", true);
	write_row("333333333333", "Root", true);
	player_advance(100);
	expect_row("333333333333", "Root", true);
	if (player_store_get("swp:" SWEEP ":accounts", ACCOUNT, NULL))
		player_fail("the refused one came through");
	expect_idle();
	expect_row(ACCOUNT, "Root/Prod", true);
	end();
}

/* Fields of the sweep's row do not replace each other: each of them is written, in order. */
static void fields_are_kept(void)
{
	static const char key[] = "swp:" SWEEP ":sweep";

	begin("fields are kept");
	player_store_error(FULL);
	done(swp_ledger_set(
		stage.ledger, (struct swp_ledger_field[]){{"state", "running"}, {"x", "1"}, {NULL, NULL}}));
	done(swp_ledger_set(stage.ledger, (struct swp_ledger_field[]){{"y", "2"}, {NULL, NULL}}));
	done(swp_ledger_set(stage.ledger, (struct swp_ledger_field[]){{"state", "finished"}, {NULL, NULL}}));
	expect_idle();
	if (strcmp(player_store_get(key, "state", NULL), "finished") != 0 ||
		strcmp(player_store_get(key, "x", NULL), "1") != 0 ||
		strcmp(player_store_get(key, "y", NULL), "2") != 0)
		player_fail("state %s", player_store_get(key, "state", NULL));
	end();
}

/* Of one key: SET, then DEL; a hash that is replaced twice. */
static void other_commands(void)
{
	static const char joined[] = "swp:" SWEEP ":joined:" ACCOUNT,
			  chains[] = "swp:" SWEEP ":chains:" ACCOUNT;
	const struct swp_store_argument set[] = {SWP_STORE_TEXT_ARGUMENT("SET"),
		SWP_STORE_TEXT_ARGUMENT(joined), SWP_STORE_TEXT_ARGUMENT("v")};
	const struct swp_store_argument del[] = {
		SWP_STORE_TEXT_ARGUMENT("DEL"), SWP_STORE_TEXT_ARGUMENT(joined)};
	const struct swp_store_argument old[] = {
		SWP_STORE_TEXT_ARGUMENT("AC-1"), SWP_STORE_TEXT_ARGUMENT("old")};
	const struct swp_store_argument fresh[] = {
		SWP_STORE_TEXT_ARGUMENT("AC-2"), SWP_STORE_TEXT_ARGUMENT("new")};

	begin("SET and DEL, and a hash that is replaced");
	player_store_error(FULL);
	done(swp_ledger_write(stage.ledger, set, 3));
	player_advance(100);
	done(swp_ledger_write(stage.ledger, del, 2));
	player_advance(5000);
	player_store_error(FULL);
	done(swp_ledger_replace_hash(stage.ledger, chains, old, 1));
	player_advance(100);
	done(swp_ledger_replace_hash(stage.ledger, chains, fresh, 1));
	expect_idle();
	if (player_store_get(joined, NULL, NULL))
		player_fail("deleted, and there again");
	if (player_store_get(chains, "AC-1", NULL) || !player_store_get(chains, "AC-2", NULL))
		player_fail("the older hash won");
	end();
}

/* The program ends with one refused, and others behind it. */
static void freed_while_waiting(void)
{
	begin("freed while waiting");
	player_store_refuse(FULL);
	write_row(ACCOUNT, "Root", false);
	player_advance(100);
	write_row(ACCOUNT, "Root/Prod", false);
	write_row(ACCOUNT, "Root/Prod", true);
	done(swp_ledger_set(stage.ledger, (struct swp_ledger_field[]){{"state", "running"}, {NULL, NULL}}));
	done(swp_ledger_set(stage.ledger, (struct swp_ledger_field[]){{"state", "finished"}, {NULL, NULL}}));
	if (swp_ledger_open(stage.ledger) != 4)
		player_fail("%zu open", swp_ledger_open(stage.ledger));
	player_store_refuse(NULL);
	end();
}

/* --- owning --- */

#define ROW "swp:" SWEEP ":sweep"

static void put(const char *field, const char *text)
{
	player_store_put(ROW, field, text, strlen(text));
}

static void put_ms(const char *field, int64_t ms)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)ms);
	put(field, text);
}

static int64_t wall_ms(void)
{
	return swp_clock_wall_ms(player_clock());
}

static void the_term_is_above_the_clock(void)
{
	begin("the term is above the clock, and the lease is renewed");
	if (stage.term <= (uint64_t)wall_ms() - 1000)
		player_fail("term %llu", (unsigned long long)stage.term);
	player_advance(60000);
	if (strtoll(player_store_get(ROW, "until", NULL), NULL, 10) < wall_ms() + 5000)
		player_fail("the lease is not renewed");
	done(swp_ledger_disown(stage.ledger, true));
	expect_idle();
	if (strcmp(player_store_get(ROW, "until", NULL), "0") != 0)
		player_fail("the lease was not given up");
	end();
}

static void a_deposed_coordinator_writes_nothing(void)
{
	begin("another took the sweep over: nothing is written any more");
	put_ms("term", (int64_t)stage.term + 5);
	write_row(ACCOUNT, "Root", false);
	player_advance(3000);
	if (!stage.lost || !swp_ledger_is_deposed(stage.ledger) || !strstr(stage.why, "taken sweep"))
		player_fail("lost %d: %s", stage.lost, stage.why);
	if (player_store_get("swp:" SWEEP ":accounts", ACCOUNT, NULL))
		player_fail("a row came through");
	end();
}

/* It is found out by the renewal, also by one that writes nothing. */
static void a_deposed_coordinator_hears_of_it(void)
{
	begin("another took the sweep over while there was nothing to write");
	put_ms("term", (int64_t)stage.term + 5);
	player_advance(4000);
	if (!stage.lost || !swp_ledger_is_deposed(stage.ledger))
		player_fail("lost %d: %s", stage.lost, stage.why);
	end();
}

static void a_store_that_lost_the_term(void)
{
	begin("a store that lost the term gets it again before anything else is written");
	player_store_away("gone");
	player_advance(1000);
	write_row(ACCOUNT, "Root/Prod", true);
	put("term", "7");
	player_store_back(true);
	player_advance(5000);
	expect_idle();
	expect_row(ACCOUNT, "Root/Prod", true);
	if (stage.fresh != 1 || strtoull(player_store_get(ROW, "term", NULL), NULL, 10) != stage.term)
		player_fail("fresh %u, term %s", stage.fresh, player_store_get(ROW, "term", NULL));
	end();
}

/* Its sweep was pruned meanwhile, or (in less time) the store was lost: what is not there any more tells nothing of that. */
static void stopped_for(int64_t ms, bool gives_up)
{
	begin(gives_up ? "stopped for longer than a sweep is kept" : "stopped for long");
	player_stop(ms);
	player_store_script(SWP_SCRIPT_WRITE, ROW, (const char *const[]){"DEL"}, 1);
	write_row(ACCOUNT, "Root/Prod", true);
	player_advance(20000);
	if (gives_up && (player_store_has("swp:" SWEEP ":*") || !swp_ledger_is_deposed(stage.ledger)))
		player_fail("something is there again, or it goes on");
	if (!gives_up)
		expect_row(ACCOUNT, "Root/Prod", true);
	end();
}

#define HOLDER "11111111/1/1/1"

static void held_for(int64_t ms)
{
	put("owner", HOLDER);
	put("host", "elsewhere");
	put("term", "5");
	put_ms("until", wall_ms() + ms);
}

static void held_by_another(bool renews)
{
	open_ledger(renews ? "held by another that is alive" : "held by another until its lease ends");
	held_for(9000);
	own("");
	for (int second = 0; second < 20; second++) {
		player_advance(1000);
		if (renews)
			put_ms("until", wall_ms() + 9000);
		if (second == 7 && (stage.owned || stage.lost))
			player_fail("owned %d, lost %d", stage.owned, stage.lost);
	}
	if (stage.owned == renews || stage.lost != renews)
		player_fail("owned %d, lost %d: %s", stage.owned, stage.lost, stage.why);
	if (renews && !strstr(stage.why, "elsewhere"))
		player_fail("%s", stage.why);
	end();
}

/* The clock of Redis steps back by an hour: a lease of somebody who is gone lasts no longer than by the clock of who waits, counted from
 * its last renewal that was seen. */
static void held_while_the_clock_steps_back(int renewals)
{
	int64_t since_ms;

	open_ledger("held by one that is gone when the clock of Redis steps back");
	player_store_jump(-3600000);
	held_for(9000);
	own("");
	for (int i = 0; i < renewals; i++) {
		player_advance(SWP_OWNER_RENEW_MS);
		put_ms("until", wall_ms() + 10000 + i);
	}
	since_ms = player_now_ms();
	player_advance(SWP_OWNER_LEASE_MS - 500);
	if (stage.owned || stage.lost)
		player_fail("owned %d, lost %d: %s", stage.owned, stage.lost, stage.why);
	while (!stage.owned && !stage.lost && player_now_ms() - since_ms < 30000)
		player_advance(100);
	if (!stage.owned || player_now_ms() - since_ms > 11200 || stage.term <= 5)
		player_fail("owned %d after %lld ms: %s", stage.owned,
			(long long)(player_now_ms() - since_ms), stage.why);
	end();
}

/* It renews while the clock steps about: who waits does not take it for gone. */
static void a_live_owner_keeps_it(void)
{
	open_ledger("an owner that renews while the clock of Redis steps back and back again");
	held_for(9000);
	own("");
	for (int i = 0; i < 20; i++) {
		player_advance(1000);
		player_store_jump(i % 2 ? 60000 : -60000);
		put_ms("until", wall_ms() + (i % 2 ? 9000 : -51000));
		if (stage.owned)
			player_fail("taken over from one that lives");
	}
	if (!stage.lost || !strstr(stage.why, "is alive"))
		player_fail("lost %d: %s", stage.lost, stage.why);
	end();
}

/* Ours seems to have ended. Nobody waits for it: the next renewal mends it. Somebody does: we are deposed, and write nothing more. */
static void the_clock_steps_forward(bool somebody_waits)
{
	begin(somebody_waits ? "the clock of Redis steps forward, and another takes over"
			     : "the clock of Redis steps forward");
	player_store_jump(3600000);
	if (somebody_waits)
		player_store_script(SWP_SCRIPT_TAKE_OVER, ROW,
			(const char *const[]){HOLDER, "elsewhere", "10000", "1", "0", "", "", ""}, 8);
	write_row(ACCOUNT, "Root/Prod", true);
	player_advance(60000);
	if (stage.lost != somebody_waits || swp_ledger_is_deposed(stage.ledger) != somebody_waits)
		player_fail("lost %d: %s", stage.lost, stage.why);
	if (somebody_waits && player_store_get("swp:" SWEEP ":accounts", ACCOUNT, NULL))
		player_fail("a row came through");
	if (!somebody_waits)
		expect_row(ACCOUNT, "Root/Prod", true);
	end();
}

/* The leader before is fenced off by the leader's row: its lease on the sweep says nothing. */
static void an_owner_that_is_gone(void)
{
	open_ledger("held by one that is known to be gone");
	held_for(9000);
	own(HOLDER);
	player_advance(100);
	if (!stage.owned)
		player_fail("not owned");
	end();
}

/* Its rows go: neither a renewal that is on its way nor a late write brings them back. */
static void closed_for_good(void)
{
	begin("a ledger that is closed brings nothing back");
	player_advance(2450); /* the renewal is sent in 50 ms */
	swp_ledger_close(stage.ledger);
	player_store_script(SWP_SCRIPT_WRITE, ROW, (const char *const[]){"DEL"}, 1);
	write_row(ACCOUNT, "Root", false);
	player_advance(20000);
	if (player_store_has("swp:" SWEEP ":*") || stage.lost)
		player_fail("something is there again, or lost %d", stage.lost);
	end();
	begin("a ledger that is closed with a write on its way");
	write_row(ACCOUNT, "Root", false);
	player_store_script(SWP_SCRIPT_WRITE, ROW, (const char *const[]){"DEL"}, 1);
	swp_ledger_close(stage.ledger);
	player_advance(20000);
	if (player_store_has("swp:" SWEEP ":*") || stage.lost)
		player_fail("something is there again, or lost %d", stage.lost);
	end();
}

static void orders_from_the_store(void)
{
	begin("who asked to cancel is told with a renewal");
	put("cancel_asked", "anna@laptop");
	player_advance(4000);
	if (strcmp(stage.cancelled_by, "anna@laptop") != 0)
		player_fail("by %s", stage.cancelled_by);
	end();
}

int main(void)
{
	the_term_is_above_the_clock();
	a_deposed_coordinator_writes_nothing();
	a_deposed_coordinator_hears_of_it();
	a_store_that_lost_the_term();
	stopped_for(SWP_LEDGER_ASSERT_MS - 60000, false);
	stopped_for(SWP_LEDGER_ASSERT_MS + 60000, true);
	held_by_another(false);
	held_by_another(true);
	for (int renewals = 0; renewals < 2; renewals++)
		held_while_the_clock_steps_back(renewals);
	a_live_owner_keeps_it();
	the_clock_steps_forward(false);
	the_clock_steps_forward(true);
	an_owner_that_is_gone();
	closed_for_good();
	orders_from_the_store();
	newer_row_wins();
	newer_row_wins_behind();
	newer_row_wins_after_lost_reply();
	many_rows_of_one_account();
	others_go_on();
	fields_are_kept();
	other_commands();
	freed_while_waiting();
	printf("25 scenarios passed\n");
	return 0;
}
