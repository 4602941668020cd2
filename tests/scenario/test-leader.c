/* Who leads, against a store whose clock steps: one that is gone is followed by another within a lease and two seconds of the other's own
 * clock, and one that lives and renews goes on leading. */
#include <stdio.h>
#include <string.h>

#include "coordinator/claim.h"
#include "coordinator/leader.h"
#include "proto/base/error.h"
#include "tests/scenario/player.h"

#define ROW "swp:leader"
#define HOLDER "11111111/1/1/1"
#define HOUR 3600000
#define MOST_MS (SWP_OWNER_LEASE_MS + 2 * SWP_LEADER_TRY_MS)

static struct {
	struct swp_loop *loop;
	struct swp_leader *leader;
	unsigned leads, stands_by, deposed;
	char host[SWP_HOST_BYTES];
} stage;

static void leads(void *context, uint64_t term)
{
	(void)context;
	(void)term;
	stage.leads++;
}

static void stands_by(void *context, const char *host)
{
	(void)context;
	stage.stands_by++;
	snprintf(stage.host, sizeof(stage.host), "%s", host);
}

static void deposed(void *context)
{
	(void)context;
	stage.deposed++;
}

static void ignore(void *context)
{
	(void)context;
}

static void ignore_store(void *context, bool up, const char *why)
{
	(void)context;
	(void)up;
	(void)why;
}

static void begin(const char *scenario)
{
	const struct swp_leader_events events = {.leads = leads,
		.stands_by = stands_by,
		.deposed = deposed,
		.fresh = ignore,
		.store = ignore_store};
	const struct swp_owner me = {.text = "00000000/1/1/1", .host = "here"};
	const struct swp_store_options options = {0};
	struct swp_problem problem;

	player_begin(scenario);
	memset(&stage, 0, sizeof(stage));
	stage.loop = swp_loop_new(player_clock());
	stage.leader = swp_leader_new(stage.loop, &options, &me, &events, &problem);
	if (!stage.leader)
		player_fail("no leader: %s", problem.text);
}

static void end(void)
{
	swp_leader_free(stage.leader);
	swp_loop_free(stage.loop);
	player_end();
}

/* As the other coordinator would: its clock does not matter. */
static void holder_takes(void)
{
	player_store_script(SWP_SCRIPT_TAKE_OVER, ROW,
		(const char *const[]){HOLDER, "elsewhere", "10000", "1", "0", "", "", ""}, 8);
}

static void holder_renews(int64_t store_ms)
{
	char text[SWP_CLAIM_STAMP_BYTES];

	snprintf(text, sizeof(text), "%lld",
		(long long)(swp_clock_wall_ms(player_clock()) + store_ms + SWP_OWNER_LEASE_MS));
	player_store_put(ROW, "until", text, strlen(text));
}

static void expect_standing_by(void)
{
	if (stage.leads || stage.stands_by != 1 || strcmp(stage.host, "elsewhere") != 0)
		player_fail("leads %u, stands by %u for %s", stage.leads, stage.stands_by, stage.host);
}

static void expect_to_lead_within(int64_t ms)
{
	int64_t since_ms = player_now_ms();

	while (!stage.leads && player_now_ms() - since_ms < ms)
		player_advance(100);
	if (stage.leads != 1 || !swp_leader_term(stage.leader) ||
		strcmp(swp_leader_before(stage.leader), HOLDER) != 0)
		player_fail("leads %u after %lld ms", stage.leads, (long long)(player_now_ms() - since_ms));
}

/* The other is gone; the clock of Redis steps by `step_ms` when `after_ms` of its lease have gone by. */
static void the_other_is_gone(int64_t step_ms, int64_t after_ms)
{
	begin("the other is gone");
	holder_takes();
	player_advance(after_ms);
	expect_standing_by();
	player_store_jump(step_ms);
	expect_to_lead_within(MOST_MS);
	end();
}

/* It renews, and the clock goes back by an hour each time, or to and fro. */
static void the_other_lives(bool to_and_fro)
{
	int64_t store_ms = 0;

	begin("the other lives while the clock steps");
	holder_takes();
	for (int i = 0; i < 30; i++) {
		int64_t step_ms = to_and_fro && i % 2 ? HOUR : -HOUR;

		player_advance(SWP_OWNER_RENEW_MS);
		player_store_jump(step_ms);
		store_ms += step_ms;
		holder_renews(store_ms);
		expect_standing_by();
	}
	end();
}

/* We lead and seem to be over: whoever waits takes it, we hear of it and stand by; nobody else: our renewal mends it. */
static void ours_seems_over(unsigned somebody_waits)
{
	begin("the clock steps forward while we lead");
	player_advance(5000);
	player_store_jump(HOUR);
	if (somebody_waits)
		holder_takes();
	player_advance(60000);
	if (stage.leads != 1 + somebody_waits || stage.deposed != somebody_waits)
		player_fail("leads %u, deposed %u", stage.leads, stage.deposed);
	if (strcmp(player_store_get(ROW, "owner", NULL), "00000000/1/1/1") != 0)
		player_fail("the holder was gone after 10 s, and still has it");
	end();
}

/* What was watched before we led is of no worth: a store that went back shows it again, and its owner may live. */
static void what_was_watched_before(void)
{
	char stamp[SWP_CLAIM_STAMP_BYTES];

	begin("a store that went back shows what was watched long ago");
	holder_takes();
	player_advance(1000);
	player_store_jump(-HOUR);
	snprintf(stamp, sizeof(stamp), "%s", player_store_get(ROW, "until", NULL));
	expect_to_lead_within(MOST_MS);
	player_store_put(ROW, "owner", HOLDER, strlen(HOLDER));
	player_store_put(ROW, "until", stamp, strlen(stamp));
	player_store_put(ROW, "term", "9000000000000", 13);
	player_advance(SWP_OWNER_LEASE_MS - 500);
	if (stage.deposed != 1 || stage.leads != 1)
		player_fail("deposed %u, leads %u", stage.deposed, stage.leads);
	end();
}

int main(void)
{
	static const int64_t steps_ms[] = {0, -1000, -HOUR, -24 * HOUR, HOUR};
	unsigned count = 0;

	for (size_t i = 0; i < SWP_ARRAY_SIZE(steps_ms); i++)
		for (int64_t after_ms = 100; after_ms < SWP_OWNER_LEASE_MS; after_ms += 4700, count++)
			the_other_is_gone(steps_ms[i], after_ms);
	for (unsigned i = 0; i < 2; i++, count += 2) {
		the_other_lives(i);
		ours_seems_over(i);
	}
	what_was_watched_before();
	printf("%u scenarios passed\n", count + 1);
	return 0;
}
