#include "coordinator/leader.h"

#include <errno.h>
#include <string.h>

#include "coordinator/claim.h"
#include "proto/base/alloc.h"
#include "proto/base/log.h"
#include "proto/base/text.h"

#define GIVE_UP_STEPS 20 /* of 50 ms: how long the last word may take */

/* What is to stand in a hash, until the store has acknowledged it. */
struct put {
	struct put *next;
	struct swp_leader *leader;
	enum swp_key key;
	char *field, *text; /* owned; text NULL: to be removed */
};

struct swp_leader {
	struct swp_loop *loop;
	struct swp_store *store;
	struct swp_leader_events events;
	struct swp_store_script take_over, renew, write;
	struct swp_fence fence;
	struct swp_claim claim;		 /* term 0: does not lead */
	char stands_by[SWP_OWNER_BYTES]; /* for whom, as told last */
	struct swp_timer next;
	struct put *puts; /* not acknowledged */
	unsigned owed;	  /* answers */
	bool asking, leaving, was_fresh, freed;
};

#define TEXT(value) SWP_STORE_TEXT_ARGUMENT(value)

static void put_free(struct put *put)
{
	swp_free(put->field);
	swp_free(put->text);
	swp_free(put);
}

static void destroy(struct swp_leader *leader)
{
	while (leader->puts) {
		struct put *put = leader->puts;

		leader->puts = put->next;
		put_free(put);
	}
	swp_free(leader);
}

/* True: it was freed meanwhile, and is gone when the last answer is here. */
static bool is_gone(struct swp_leader *leader)
{
	leader->owed--;
	if (leader->freed && leader->owed == 0)
		destroy(leader);
	return leader->freed;
}

static void again_in(struct swp_leader *leader, int64_t ms)
{
	if (!leader->leaving)
		swp_timer_start(&leader->next, ms);
}

/* --- losing it --- */

static void depose(struct swp_leader *leader)
{
	swp_claim_lose(&leader->claim);
	leader->fence = (struct swp_fence){.count = 0};
	while (leader->puts) {
		struct put *put = leader->puts;

		leader->puts = put->next;
		put_free(put);
	}
	leader->events.deposed(leader->events.context);
}

/* --- taking it --- */

static void send_puts(struct swp_leader *leader);

static void leads_now(struct swp_leader *leader)
{
	if (leader->fence.count == 0) {
		swp_fence_add(&leader->fence, leader->claim.key, leader->claim.term);
		leader->stands_by[0] = '\0';
		leader->events.leads(leader->events.context, leader->claim.term);
	} else if (leader->was_fresh) {
		leader->events.fresh(leader->events.context);
	}
	leader->was_fresh = false;
	send_puts(leader);
	again_in(leader, SWP_OWNER_RENEW_MS);
}

static void is_held(struct swp_leader *leader)
{
	if (!swp_text_equal(leader->stands_by, leader->claim.holder)) {
		memcpy(leader->stands_by, leader->claim.holder, sizeof(leader->stands_by));
		leader->events.stands_by(leader->events.context, leader->claim.host);
	}
	again_in(leader, SWP_LEADER_TRY_MS);
}

static void read_claim(struct swp_leader *leader, const struct swp_store_reply *reply)
{
	switch (swp_claim_read(&leader->claim, reply, swp_loop_clock(leader->loop))) {
	case SWP_CLAIM_OURS:
		leads_now(leader);
		break;
	case SWP_CLAIM_HELD:
		is_held(leader);
		break;
	case SWP_CLAIM_HOLDER_GONE:
		again_in(leader, 0);
		break;
	case SWP_CLAIM_FINISHED: /* a leader's row never is */
	case SWP_CLAIM_UNREADABLE:
		again_in(leader, SWP_LEADER_TRY_MS);
		break;
	}
}

static void taken(void *context, const struct swp_store_reply *reply)
{
	struct swp_leader *leader = context;

	if (is_gone(leader))
		return;
	leader->asking = false;
	if (swp_fence_is_deposed(reply)) {
		depose(leader);
		again_in(leader, SWP_LEADER_TRY_MS);
	} else {
		if (reply->type == SWP_STORE_REPLY_ERROR)
			leader->events.store(leader->events.context, false, reply->bytes);
		read_claim(leader, reply);
	}
}

static void take(struct swp_leader *leader)
{
	struct swp_claim_call call;

	swp_claim_take(&leader->claim, swp_loop_clock(leader->loop), &call);
	leader->asking = swp_fence_run(NULL, leader->store, SWP_SCRIPT_TAKE_OVER, &leader->take_over,
				 call.arguments, call.count, taken, leader) == 0;
	leader->owed += leader->asking;
	if (!leader->asking)
		again_in(leader, SWP_LEADER_TRY_MS);
}

/* --- keeping it --- */

static void renewed(void *context, const struct swp_store_reply *reply)
{
	struct swp_leader *leader = context;
	const char *names[SWP_LIMIT_WORKERS];
	size_t count;

	if (is_gone(leader))
		return;
	leader->asking = false;
	if (leader->leaving)
		return;
	if (swp_fence_is_deposed(reply)) {
		take(leader); /* asserting the term tells whether it was taken over, or lost by the store */
		return;
	}
	again_in(leader, reply->type == SWP_STORE_REPLY_LIST ? SWP_OWNER_RENEW_MS : SWP_LEADER_TRY_MS);
	count = swp_claim_drains(reply, names);
	if (count > 0)
		leader->events.drains(leader->events.context, names, count);
}

static bool renew(struct swp_leader *leader, int64_t lease_ms)
{
	struct swp_claim_call call;

	swp_claim_renew(&leader->claim, lease_ms, &call);
	leader->asking = swp_fence_run(&leader->fence, leader->store, SWP_SCRIPT_RENEW, &leader->renew,
				 call.arguments, call.count, renewed, leader) == 0;
	leader->owed += leader->asking;
	return leader->asking;
}

static void next_step(struct swp_timer *timer)
{
	struct swp_leader *leader = SWP_CONTAINER_OF(timer, struct swp_leader, next);

	if (leader->asking || leader->leaving)
		return;
	if (leader->claim.term == 0)
		take(leader);
	else if (!renew(leader, SWP_OWNER_LEASE_MS))
		again_in(leader, SWP_LEADER_TRY_MS);
	send_puts(leader);
}

/* --- what is no sweep's --- */

static void remove_put(struct swp_leader *leader, struct put *put)
{
	struct put **at = &leader->puts;

	while (*at && *at != put)
		at = &(*at)->next;
	if (*at) {
		*at = put->next;
		put_free(put);
	}
}

/* A put that was replaced or forgotten meanwhile is not in the list any more. */
static struct put *find_put(struct swp_leader *leader, const void *wanted)
{
	struct put *put = leader->puts;

	while (put && put != wanted)
		put = put->next;
	return put;
}

struct sent {
	struct swp_leader *leader;
	const void *put; /* only compared */
};

static void written(void *context, const struct swp_store_reply *reply)
{
	struct sent *sent = context;
	struct swp_leader *leader = sent->leader;
	struct put *put;
	bool stands = reply->type != SWP_STORE_REPLY_LOST && reply->type != SWP_STORE_REPLY_ERROR;

	if (is_gone(leader)) {
		swp_free(sent);
		return;
	}
	put = find_put(leader, sent->put);
	swp_free(sent);
	if (put && stands)
		remove_put(leader, put); /* else it goes again with the next renewal */
}

static void send_put(struct swp_leader *leader, struct put *put)
{
	struct sent *sent = swp_calloc(1, sizeof(*sent));
	char key[SWP_KEY_BYTES];

	if (!sent || swp_key_format(put->key, NULL, NULL, NULL, key) < 0) {
		swp_free(sent);
		return;
	}
	*sent = (struct sent){leader, put};
	if (swp_fence_run(&leader->fence, leader->store, SWP_SCRIPT_WRITE, &leader->write,
		    (struct swp_store_argument[]){TEXT(key), TEXT(put->text ? "HSET" : "HDEL"),
			    TEXT(put->field), TEXT(put->text ? put->text : "")},
		    put->text ? 4 : 3, written, sent) == 0)
		leader->owed++;
	else
		swp_free(sent);
}

static void send_puts(struct swp_leader *leader)
{
	if (leader->claim.term == 0 || !swp_store_is_up(leader->store))
		return;
	for (struct put *put = leader->puts; put; put = put->next)
		send_put(leader, put);
}

static void forget_put(struct swp_leader *leader, enum swp_key key, const char *field)
{
	for (struct put *put = leader->puts; put; put = put->next)
		if (put->key == key && swp_text_equal(put->field, field)) {
			remove_put(leader, put);
			return;
		}
}

int swp_leader_put(struct swp_leader *leader, enum swp_key key, const char *field, const char *text)
{
	struct put *put = leader->claim.term ? swp_calloc(1, sizeof(*put)) : NULL;

	if (leader->claim.term == 0)
		return 0;
	if (put) {
		put->field = swp_strdup(field);
		put->text = text ? swp_strdup(text) : NULL;
	}
	if (!put || !put->field || (text && !put->text)) {
		if (put)
			put_free(put);
		return -ENOMEM;
	}
	forget_put(leader, key, field);
	put->key = key;
	put->next = leader->puts;
	leader->puts = put;
	send_put(leader, put);
	return 0;
}

/* --- life --- */

static void store_up(void *context, bool fresh_run)
{
	struct swp_leader *leader = context;

	leader->events.store(leader->events.context, true, "");
	leader->was_fresh |= fresh_run && leader->claim.term != 0;
	if (!leader->asking && !leader->leaving)
		take(leader); /* asserts the term, if there is one */
}

static void store_down(void *context, const char *why)
{
	struct swp_leader *leader = context;

	leader->events.store(leader->events.context, false, why);
}

static void store_refused(void *context, const char *why)
{
	struct swp_leader *leader = context;
	struct swp_problem problem = {0};

	swp_problem_set(&problem, -EACCES, "the store refuses us: %s%s", why, swp_store_advice(why));
	leader->events.refused(leader->events.context, &problem);
}

struct swp_leader *swp_leader_new(struct swp_loop *loop, const struct swp_store_options *store,
	const struct swp_owner *owner, const struct swp_leader_events *events, struct swp_problem *problem)
{
	struct swp_leader *leader = swp_calloc(1, sizeof(*leader));
	struct swp_store_events store_events = {
		.up = store_up, .down = store_down, .refused = store_refused, .context = leader};

	if (!leader) {
		swp_problem_set(problem, -ENOMEM, "out of memory");
		return NULL;
	}
	leader->loop = loop;
	leader->events = *events;
	leader->take_over.source = swp_script_row(SWP_SCRIPT_TAKE_OVER)->source;
	leader->renew.source = swp_script_row(SWP_SCRIPT_RENEW)->source;
	leader->write.source = swp_script_row(SWP_SCRIPT_WRITE)->source;
	swp_timer_init(&leader->next, loop, next_step);
	if (swp_claim_begin(&leader->claim, SWP_KEY_LEADER, NULL, owner, "") < 0 ||
		!(leader->store = swp_store_new(loop, store, &store_events, problem))) {
		swp_free(leader);
		return NULL;
	}
	return leader;
}

/* So that another need not wait for the lease to end; not for long. */
static void give_up(struct swp_leader *leader)
{
	if (leader->claim.term == 0 || !swp_store_is_up(leader->store) || !renew(leader, 0))
		return;
	for (int i = 0; i < GIVE_UP_STEPS && leader->asking; i++)
		swp_loop_step(leader->loop, 50);
}

void swp_leader_free(struct swp_leader *leader)
{
	if (!leader)
		return;
	leader->leaving = true;
	swp_timer_stop(&leader->next);
	give_up(leader);
	leader->freed = true;
	leader->owed++; /* ours, so that it lives until the store is gone */
	swp_store_free(leader->store);
	leader->owed--;
	if (leader->owed == 0)
		destroy(leader);
}

bool swp_leader_leads(const struct swp_leader *leader)
{
	return leader->claim.term != 0;
}

uint64_t swp_leader_term(const struct swp_leader *leader)
{
	return leader->claim.term;
}

const char *swp_leader_before(const struct swp_leader *leader)
{
	return leader->claim.before;
}

struct swp_store *swp_leader_store(const struct swp_leader *leader)
{
	return leader->store;
}

const struct swp_fence *swp_leader_fence(const struct swp_leader *leader)
{
	return &leader->fence;
}
