#include "coordinator/ledger.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/claim.h"
#include "proto/base/alloc.h"
#include "proto/base/log.h"
#include "proto/base/map.h"
#include "proto/base/text.h"
#include "proto/record/scripts.h"

enum operation_kind {
	WRITE,
	GRANT,
	LOOK_UP,
	GIVE_UP,
	CHECK,
	OWN,
	RENEW,
	ASSERT_GRANT,
};

/* What a write overwrites, and so what it must not overtake another write of. */
enum slot_kind {
	SLOT_NONE,  /* nothing: order does not matter */
	SLOT_KEY,   /* its key */
	SLOT_FIELD, /* a field of its key, which stands behind the command's name */
};

/* One command until it has succeeded. */
struct operation {
	struct swp_ledger *ledger;
	struct operation *next; /* in the list of those to be repeated, or of those behind another one */
	enum slot_kind slot_kind;
	bool whole;		  /* it replaces all that its slot holds */
	char *slot;		  /* owned; NULL: SLOT_NONE */
	struct operation *behind; /* of the same slot, and not sent before this one is acknowledged */
	enum operation_kind kind;
	int script; /* enum swp_script; -1: a plain command */
	struct swp_buf bytes;
	size_t *lengths; /* owned */
	size_t count;
	uint64_t job;
	void *token;
	unsigned number;
};

struct swp_ledger {
	struct swp_loop *loop;
	struct swp_store *store;
	struct swp_ledger_events events;
	char sweep[80];
	struct swp_store_script scripts[SWP_SCRIPT_COUNT];
	struct operation *again, *last_again;
	struct swp_map *slots; /* slot → the operation that has been sent, or waits to be repeated */
	size_t open;
	struct swp_timer retry, watch, idle_timer, renew, held;
	struct swp_claim claim;		      /* to the sweep's row */
	int64_t confirmed_ms;		      /* when the store last said that it is ours */
	struct swp_fence fence, leader_fence; /* leader_fence: without our own row */
	int64_t held_since_ms;		      /* monotonic; -1: nobody else holds it */
	int64_t doubt_since_ms; /* monotonic; a write was refused as that of a deposed coordinator */
	void (*idle)(void *context);
	int64_t trouble_since_ms; /* monotonic; -1: none */
	int64_t away_ms;
	struct swp_problem trouble;
	bool was_up, dead, borrowed;
	bool closed, owning, owned, disowned, renewing, fresh, deposed, finished;
	bool was_written; /* a write was acknowledged */
	bool refuses; /* the trouble is a write that was refused: that something can be read does not end it */
	bool orphan;  /* freed, but a store that is not ours still owes it answers */
};

/* --- trouble --- */

static void operation_free(struct operation *operation)
{
	swp_buf_done(&operation->bytes);
	swp_free(operation->lengths);
	swp_free(operation->slot);
	swp_free(operation);
}

static void die(struct swp_ledger *ledger)
{
	if (ledger->dead)
		return;
	ledger->dead = true;
	swp_timer_stop(&ledger->retry);
	swp_timer_stop(&ledger->watch);
	swp_timer_stop(&ledger->renew);
	swp_timer_stop(&ledger->held);
	ledger->events.lost(ledger->events.context, &ledger->trouble);
}

static int64_t patience_ms(const struct swp_ledger *ledger)
{
	return ledger->was_written || ledger->away_ms < SWP_LEDGER_FIRST_MS ? ledger->away_ms
									    : SWP_LEDGER_FIRST_MS;
}

static void name_trouble(struct swp_ledger *ledger, const char *why)
{
	const char *advice = swp_store_advice(why);

	if (!advice[0] && !ledger->was_up)
		advice = "; check --store and that Redis is up";
	swp_problem_set(&ledger->trouble, -EIO, "the store can't be used: %s%s", why, advice);
}

static void trouble_begins(struct swp_ledger *ledger, const char *why)
{
	if (ledger->trouble_since_ms >= 0 || ledger->dead)
		return;
	ledger->trouble_since_ms = swp_loop_now_ms(ledger->loop);
	name_trouble(ledger, why);
	if (ledger->was_up)
		swp_log(SWP_LOG_WARNING, "store.away", "waiting for the store",
			SWP_LOG_S("why", ledger->trouble.text));
	swp_timer_start(&ledger->watch, patience_ms(ledger));
}

static void trouble_ends(struct swp_ledger *ledger)
{
	if (ledger->trouble_since_ms < 0)
		return;
	if (ledger->was_up)
		swp_log(SWP_LOG_INFO, "store.back", "the store is back",
			SWP_LOG_N("away_ms", swp_loop_now_ms(ledger->loop) - ledger->trouble_since_ms));
	ledger->trouble_since_ms = -1;
	ledger->refuses = false;
	swp_timer_stop(&ledger->watch);
}

void swp_ledger_hurry(struct swp_ledger *ledger, int64_t away_ms)
{
	if (away_ms < ledger->away_ms)
		ledger->away_ms = away_ms;
	if (ledger->trouble_since_ms >= 0 && !ledger->dead)
		swp_timer_start(&ledger->watch, patience_ms(ledger));
}

static void patience_ends(struct swp_timer *timer)
{
	die(SWP_CONTAINER_OF(timer, struct swp_ledger, watch));
}

static void ask_to_own(struct swp_ledger *ledger);

static void tell_warnings(const struct swp_ledger *ledger)
{
	const struct swp_store_warning *warning;

	for (size_t i = 0; (warning = swp_store_warning(ledger->store, i)); i++)
		swp_log(SWP_LOG_WARNING, "store.unsafe", warning->what, SWP_LOG_S("fix", warning->fix));
}

static void store_up(void *context, bool fresh_run)
{
	struct swp_ledger *ledger = context;
	bool first = !ledger->was_up;

	trouble_ends(ledger);
	ledger->was_up = true;
	if (first) {
		tell_warnings(ledger);
		ledger->events.up(ledger->events.context);
	} else if (fresh_run && ledger->owned) {
		ledger->fresh = true; /* told when our term stands there */
		ask_to_own(ledger);
	}
}

static void store_down(void *context, const char *why)
{
	struct swp_ledger *ledger = context;

	/* Waiting began before the first try: only now is it known for what. */
	if (!ledger->was_up && !ledger->dead)
		name_trouble(ledger, why);
	trouble_begins(ledger, why);
}

static void store_refused(void *context, const char *why)
{
	struct swp_ledger *ledger = context;

	swp_problem_set(&ledger->trouble, -EIO, "the store refuses us: %s", why);
	die(ledger);
}

/* --- operations --- */

static void answered(void *context, const struct swp_store_reply *reply);
static int submit(struct swp_ledger *ledger, const struct operation *like,
	const struct swp_store_argument *arguments, size_t count);
static void renew_now(struct swp_timer *timer);
static void held_no_more(struct swp_timer *timer);

static void queue_again(struct operation *operation)
{
	struct swp_ledger *ledger = operation->ledger;

	operation->next = NULL;
	if (ledger->last_again)
		ledger->last_again->next = operation;
	else
		ledger->again = operation;
	ledger->last_again = operation;
	if (!ledger->dead && !swp_timer_is_running(&ledger->retry))
		swp_timer_start(&ledger->retry, SWP_LEDGER_RETRY_MS);
}

/* What makes our term stand there can't ask for it. */
static const struct swp_fence *fence_of(const struct swp_ledger *ledger, enum swp_script script)
{
	return script == SWP_SCRIPT_TAKE_OVER ? &ledger->leader_fence : &ledger->fence;
}

static int send_arguments(struct operation *operation, const struct swp_store_argument *arguments)
{
	struct swp_ledger *ledger = operation->ledger;
	enum swp_script script = (enum swp_script)operation->script;

	if (operation->script < 0)
		return swp_store_command(ledger->store, arguments, operation->count, answered, operation);
	return swp_fence_run(fence_of(ledger, script), ledger->store, script, &ledger->scripts[script],
		arguments, operation->count, answered, operation);
}

static void send_operation(struct operation *operation)
{
	struct swp_ledger *ledger = operation->ledger;
	struct swp_store_argument few[SWP_LEDGER_ARGUMENTS];
	struct swp_store_argument *arguments = few;
	const char *at = operation->bytes.data;
	int error = 0;

	if (operation->count > SWP_LEDGER_ARGUMENTS &&
		!(arguments = swp_calloc(operation->count, sizeof(*arguments))))
		error = -ENOMEM;
	for (size_t i = 0; error == 0 && i < operation->count; i++) {
		arguments[i] = (struct swp_store_argument){at, operation->lengths[i]};
		at += operation->lengths[i];
	}
	if (error == 0)
		error = send_arguments(operation, arguments);
	if (arguments != few)
		swp_free(arguments);
	if (error < 0) {
		trouble_begins(ledger, error == -ENOBUFS ? "too much is waiting for it" : strerror(-error));
		queue_again(operation);
	}
}

static void retry_now(struct swp_timer *timer)
{
	struct swp_ledger *ledger = SWP_CONTAINER_OF(timer, struct swp_ledger, retry);
	struct operation *list = ledger->again;

	ledger->again = ledger->last_again = NULL;
	while (list) {
		struct operation *operation = list;

		list = operation->next;
		send_operation(operation);
	}
}

/* --- order: a refused write is repeated after a pause, and must not come after a newer one of the same slot --- */

/* Taken over. Of those that replace the whole slot only the newest waits: so no slot has more than one of them behind. */
static void wait_behind(struct operation *first, struct operation *operation)
{
	struct operation **last = &first->behind;

	while (*last && (*last)->next)
		last = &(*last)->next;
	if (*last && (*last)->whole && operation->whole) {
		operation_free(*last);
		operation->ledger->open--;
	} else if (*last) {
		last = &(*last)->next;
	}
	*last = operation;
}

static int slot_of(
	const struct operation *operation, const struct swp_store_argument *arguments, char **ret_slot)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf text = {0};

	*ret_slot = NULL;
	if (operation->slot_kind == SLOT_NONE)
		return 0;
	swp_buf_append(&text, arguments[0].bytes, arguments[0].length);
	if (operation->slot_kind == SLOT_FIELD) {
		swp_buf_append_text(&text, "\n");
		swp_buf_append(&text, arguments[2].bytes, arguments[2].length);
	}
	if (!text.failed)
		*ret_slot = swp_strndup(text.data, text.length);
	return *ret_slot ? 0 : -ENOMEM;
}

/* True: it is this one's turn. -ENOMEM. */
static int take_turn(struct operation *operation)
{
	struct operation *first =
		operation->slot ? swp_map_get(operation->ledger->slots, operation->slot) : NULL;
	int error = 0;

	if (first)
		wait_behind(first, operation);
	else if (operation->slot)
		error = swp_map_put(operation->ledger->slots, operation->slot, operation, NULL);
	return error < 0 ? error : !first;
}

/* The operation is acknowledged: the next of its slot is sent. */
static void end_turn(struct operation *operation)
{
	struct operation *next = operation->behind;

	if (!operation->slot)
		return;
	if (!next) {
		swp_map_take(operation->ledger->slots, operation->slot);
		return;
	}
	next->behind = next->next;
	next->next = NULL;
	/* It replaces this one there, which takes no memory. */
	swp_map_put(operation->ledger->slots, next->slot, next, NULL);
	send_operation(next);
}

static int64_t reply_number(const struct swp_store_reply *reply)
{
	int64_t number = 0;

	if (reply->type == SWP_STORE_REPLY_NUMBER)
		return reply->number;
	if (reply->type == SWP_STORE_REPLY_TEXT && swp_parse_i64(reply->bytes, 0, INT64_MAX, &number) == 0)
		return number;
	return 0;
}

static void tell_granted(struct operation *operation, const struct swp_store_reply *reply)
{
	struct swp_ledger *ledger = operation->ledger;
	enum swp_dispatch_grant what = SWP_DISPATCH_GRANT_GIVEN;

	if (reply->type != SWP_STORE_REPLY_LIST || reply->item_count < 3 ||
		reply->items[0].type != SWP_STORE_REPLY_TEXT)
		return;
	if (strcmp(reply->items[0].bytes, "sealed") == 0)
		what = SWP_DISPATCH_GRANT_SEALED;
	else if (strcmp(reply->items[0].bytes, "lost") == 0)
		what = SWP_DISPATCH_GRANT_LOST;
	else if (strcmp(reply->items[0].bytes, "locked") == 0)
		what = SWP_DISPATCH_GRANT_LOCKED;
	ledger->events.granted(ledger->events.context, operation->job, what,
		(uint64_t)reply_number(&reply->items[1]), (unsigned)reply_number(&reply->items[2]));
}

/* HMGET t l a: one script writes a seal and its time, and the time is the shorter one to ask for. */
static enum swp_job_end found_in(const struct swp_store_reply *reply, unsigned *ret_attempts)
{
	*ret_attempts = 0;
	if (reply->type != SWP_STORE_REPLY_LIST || reply->item_count < 3)
		return SWP_JOB_OPEN;
	*ret_attempts = (unsigned)reply_number(&reply->items[2]);
	if (reply->items[0].type == SWP_STORE_REPLY_TEXT)
		return SWP_JOB_SEALED;
	if (reply->items[1].type != SWP_STORE_REPLY_TEXT)
		return SWP_JOB_OPEN;
	return strcmp(reply->items[1].bytes, "store-lost") == 0 ? SWP_JOB_STORE_LOST : SWP_JOB_LOST;
}

/* --- owning --- */

static void wait_for_holder(struct swp_ledger *ledger)
{
	int64_t now_ms = swp_loop_now_ms(ledger->loop), left_ms = ledger->claim.left_ms;
	const char *host = ledger->claim.host;

	if (ledger->held_since_ms < 0) {
		ledger->held_since_ms = now_ms;
		swp_log(SWP_LOG_INFO, "sweep.held",
			"another coordinator holds the sweep; waiting for its lease to end",
			SWP_LOG_S("old_sweep", &ledger->sweep[0]), SWP_LOG_S("host", host),
			SWP_LOG_N("lease_ms", left_ms));
	}
	if (now_ms - ledger->held_since_ms > SWP_OWNER_PATIENCE_MS) {
		swp_problem_set(&ledger->trouble, -EBUSY,
			"sweep %s is run by a coordinator on %s, which is alive; `orgsweep status` shows how "
			"far it is",
			ledger->sweep, *host ? host : "another host");
		die(ledger);
		return;
	}
	swp_timer_start(&ledger->held, left_ms < 500 ? 100 : 500);
}

static void was_finished(struct swp_ledger *ledger)
{
	ledger->finished = true;
	swp_problem_set(&ledger->trouble, -EALREADY,
		"sweep %s was finished by its coordinator meanwhile: there is nothing to resume; `orgsweep "
		"report %s` writes its report",
		ledger->sweep, ledger->sweep);
	die(ledger);
}

static void is_ours(struct swp_ledger *ledger)
{
	bool fresh = ledger->fresh, first = !ledger->owned;

	ledger->confirmed_ms = swp_loop_now_ms(ledger->loop);
	ledger->fresh = false;
	if (first) {
		ledger->owned = true;
		swp_fence_add(&ledger->fence, ledger->claim.key, ledger->claim.term);
		if (!ledger->disowned)
			swp_timer_start(&ledger->renew, SWP_OWNER_RENEW_MS);
		ledger->events.owned(ledger->events.context, ledger->claim.term);
	} else if (fresh && ledger->events.fresh) {
		ledger->events.fresh(ledger->events.context);
	}
}

static void tell_claimed(struct swp_ledger *ledger, const struct swp_store_reply *reply)
{
	ledger->owning = false;
	switch (swp_claim_read(&ledger->claim, reply, swp_loop_clock(ledger->loop))) {
	case SWP_CLAIM_OURS:
		is_ours(ledger);
		break;
	case SWP_CLAIM_HELD:
		wait_for_holder(ledger);
		break;
	case SWP_CLAIM_HOLDER_GONE:
		ask_to_own(ledger);
		break;
	case SWP_CLAIM_FINISHED:
		was_finished(ledger);
		break;
	case SWP_CLAIM_UNREADABLE:
		break;
	}
}

static void tell_renewed(struct swp_ledger *ledger, const struct swp_store_reply *reply)
{
	const char *drains[SWP_LIMIT_WORKERS];
	size_t count = swp_claim_drains(reply, drains);

	ledger->renewing = false;
	ledger->confirmed_ms = swp_loop_now_ms(ledger->loop);
	if (ledger->events.asked && !ledger->disowned && !ledger->dead)
		ledger->events.asked(ledger->events.context, swp_store_item_text(reply, 0), drains, count);
}

static void depose(struct swp_ledger *ledger)
{
	ledger->deposed = true;
	swp_problem_set(&ledger->trouble, -EPERM,
		"another coordinator has taken sweep %s over, or pruned it, while this one was stopped or "
		"cut off",
		ledger->sweep);
	die(ledger);
}

/* The term is not what it should be: taken over, or lost by the store. Asserting it tells which. */
static void doubt(struct swp_ledger *ledger, const struct operation *operation)
{
	int64_t now_ms = swp_loop_now_ms(ledger->loop);

	if (ledger->closed)
		return;
	if (operation->kind != OWN) {
		if (!ledger->owned || ledger->owning)
			return;
		ledger->doubt_since_ms = now_ms;
		ask_to_own(ledger);
	} else if (ledger->leader_fence.count == 0 || !ledger->owned ||
		   now_ms - ledger->doubt_since_ms > SWP_OWNER_LEASE_MS) {
		depose(ledger); /* the leader's row may only be late in standing there again */
	}
}

static void tell(struct operation *operation, const struct swp_store_reply *reply)
{
	const struct swp_ledger_events *events = &operation->ledger->events;
	enum swp_job_end found;
	unsigned attempts;

	switch (operation->kind) {
	case WRITE:
		break;
	case GRANT:
		tell_granted(operation, reply);
		break;
	case LOOK_UP:
		found = found_in(reply, &attempts);
		events->looked_up(events->context, operation->job, found, attempts);
		break;
	case GIVE_UP:
		events->given_up(events->context, operation->job, reply_number(reply) == 0);
		break;
	case CHECK:
		events->checked(
			events->context, operation->token, operation->number, found_in(reply, &attempts));
		break;
	case OWN:
		tell_claimed(operation->ledger, reply);
		break;
	case RENEW:
		tell_renewed(operation->ledger, reply);
		break;
	case ASSERT_GRANT:
		if (reply_number(reply) == 0)
			events->grant_gone(events->context, operation->job);
		break;
	}
}

static bool is_write(const struct operation *operation)
{
	return operation->kind != LOOK_UP && operation->kind != CHECK;
}

static void answered(void *context, const struct swp_store_reply *reply)
{
	struct operation *operation = context;
	struct swp_ledger *ledger = operation->ledger;

	if (ledger->orphan) {
		operation_free(operation);
		if (--ledger->open == 0)
			swp_free(ledger);
		return;
	}
	if (ledger->dead || reply->type == SWP_STORE_REPLY_LOST) {
		/* The store keeps what is sent while it is away. */
		queue_again(operation);
		return;
	}
	if (swp_fence_is_deposed(reply)) {
		doubt(ledger, operation);
		queue_again(operation);
		return;
	}
	if (reply->type == SWP_STORE_REPLY_ERROR) {
		trouble_begins(ledger, reply->bytes);
		ledger->refuses |= is_write(operation);
		queue_again(operation);
		return;
	}
	ledger->was_written |= is_write(operation);
	if (is_write(operation) || !ledger->refuses)
		trouble_ends(ledger);
	ledger->open--;
	end_turn(operation);
	tell(operation, reply);
	operation_free(operation);
	if (ledger->open == 0 && ledger->idle)
		swp_timer_start(&ledger->idle_timer, 0);
}

static void idle_fires(struct swp_timer *timer)
{
	struct swp_ledger *ledger = SWP_CONTAINER_OF(timer, struct swp_ledger, idle_timer);
	void (*idle)(void *context) = ledger->idle;

	if (ledger->open > 0 || !idle)
		return;
	ledger->idle = NULL;
	idle(ledger->events.context);
}

static int submit(struct swp_ledger *ledger, const struct operation *like,
	const struct swp_store_argument *arguments, size_t count)
{
	struct operation *operation = ledger->closed ? NULL : swp_calloc(1, sizeof(*operation));
	int turn;

	if (ledger->closed)
		return 0;
	SWP_ASSERT(ledger->owned || like->kind == OWN || !is_write(like)); /* it may be another's */
	if (!operation)
		return -ENOMEM;
	*operation = *like;
	operation->lengths = swp_calloc(count, sizeof(*operation->lengths));
	if (!operation->lengths) {
		operation_free(operation);
		return -ENOMEM;
	}
	operation->ledger = ledger;
	operation->count = count;
	for (size_t i = 0; i < count; i++) {
		operation->lengths[i] = arguments[i].length;
		swp_buf_append(&operation->bytes, arguments[i].bytes, arguments[i].length);
	}
	turn = operation->bytes.failed ? -ENOMEM : slot_of(operation, arguments, &operation->slot);
	if (turn == 0)
		turn = take_turn(operation);
	if (turn < 0) {
		operation_free(operation);
		return -ENOMEM;
	}
	ledger->open++;
	if (turn)
		send_operation(operation);
	return 0;
}

static const struct operation own_like = {.kind = OWN, .script = SWP_SCRIPT_TAKE_OVER};
static const struct operation renew_like = {.kind = RENEW, .script = SWP_SCRIPT_RENEW};

#define TEXT(value) SWP_STORE_TEXT_ARGUMENT(value)

static void out_of_memory(struct swp_ledger *ledger)
{
	swp_problem_set(&ledger->trouble, -ENOMEM, "out of memory");
	die(ledger);
}

/* Who was stopped for so long must not assert its term: the sweep may have been pruned, and rows of it would stay for good. */
static bool is_out_of_date(const struct swp_ledger *ledger)
{
	return ledger->claim.term != 0 &&
	       swp_loop_now_ms(ledger->loop) - ledger->confirmed_ms > SWP_LEDGER_ASSERT_MS;
}

static void ask_to_own(struct swp_ledger *ledger)
{
	struct swp_claim_call call;

	if (is_out_of_date(ledger)) {
		depose(ledger);
		return;
	}
	swp_claim_take(&ledger->claim, swp_loop_clock(ledger->loop), &call);
	ledger->owning = true;
	if (submit(ledger, &own_like, call.arguments, call.count) < 0)
		out_of_memory(ledger);
}

static void held_no_more(struct swp_timer *timer)
{
	ask_to_own(SWP_CONTAINER_OF(timer, struct swp_ledger, held));
}

static int renew_for(struct swp_ledger *ledger, int64_t lease_ms)
{
	struct swp_claim_call call;

	swp_claim_renew(&ledger->claim, lease_ms, &call);
	return submit(ledger, &renew_like, call.arguments, call.count);
}

/* One at a time: while the store is away there is nothing to add. */
static void renew_now(struct swp_timer *timer)
{
	struct swp_ledger *ledger = SWP_CONTAINER_OF(timer, struct swp_ledger, renew);

	swp_timer_start(&ledger->renew, SWP_OWNER_RENEW_MS);
	if (ledger->renewing || ledger->owning)
		return;
	ledger->renewing = true;
	if (renew_for(ledger, SWP_OWNER_LEASE_MS) < 0)
		ledger->renewing = false;
}

int swp_ledger_own(struct swp_ledger *ledger, const struct swp_ledger_ownership *as)
{
	char leader[SWP_KEY_BYTES];

	SWP_ASSERT(!ledger->owning && !ledger->owned);
	if (swp_claim_begin(
		    &ledger->claim, SWP_KEY_SWEEP, ledger->sweep, as->owner, as->gone ? as->gone : "") < 0 ||
		swp_key_format(SWP_KEY_LEADER, NULL, NULL, NULL, leader) < 0)
		return -EINVAL;
	if (as->leader_term) {
		swp_fence_add(&ledger->fence, leader, as->leader_term);
		ledger->leader_fence = ledger->fence;
	}
	ask_to_own(ledger);
	return ledger->dead ? -ENOMEM : 0;
}

void swp_ledger_close(struct swp_ledger *ledger)
{
	ledger->closed = true;
	swp_timer_stop(&ledger->renew);
}

void swp_ledger_reown(struct swp_ledger *ledger)
{
	ledger->disowned = false;
	if (ledger->owned && !ledger->dead)
		swp_timer_start(&ledger->renew, 0);
}

int swp_ledger_disown(struct swp_ledger *ledger, bool now)
{
	ledger->disowned = true;
	swp_timer_stop(&ledger->renew);
	return now && ledger->owned && !ledger->dead ? renew_for(ledger, 0) : 0;
}

bool swp_ledger_is_deposed(const struct swp_ledger *ledger)
{
	return ledger->deposed;
}

bool swp_ledger_is_finished(const struct swp_ledger *ledger)
{
	return ledger->finished;
}

const struct swp_fence *swp_ledger_fence(const struct swp_ledger *ledger)
{
	return &ledger->fence;
}

/* --- life --- */

static struct swp_ledger *make(
	struct swp_loop *loop, const char *sweep, int64_t away_ms, const struct swp_ledger_events *events)
{
	struct swp_ledger *ledger = swp_calloc(1, sizeof(*ledger));

	SWP_ASSERT(swp_key_is_sweep_id(sweep));
	if (!ledger)
		return NULL;
	ledger->loop = loop;
	ledger->events = *events;
	ledger->away_ms = away_ms;
	ledger->trouble_since_ms = -1;
	ledger->held_since_ms = -1;
	memcpy(ledger->sweep, sweep, strlen(sweep) + 1);
	for (int i = 0; i < SWP_SCRIPT_COUNT; i++)
		ledger->scripts[i].source = swp_script_row((enum swp_script)i)->source;
	ledger->slots = swp_map_new();
	if (!ledger->slots) {
		swp_free(ledger);
		return NULL;
	}
	swp_timer_init(&ledger->retry, loop, retry_now);
	swp_timer_init(&ledger->watch, loop, patience_ends);
	swp_timer_init(&ledger->idle_timer, loop, idle_fires);
	swp_timer_init(&ledger->renew, loop, renew_now);
	swp_timer_init(&ledger->held, loop, held_no_more);
	return ledger;
}

struct swp_ledger *swp_ledger_new(struct swp_loop *loop, const struct swp_store_options *store,
	const char *sweep, int64_t away_ms, const struct swp_ledger_events *events,
	struct swp_problem *problem)
{
	struct swp_ledger *ledger = make(loop, sweep, away_ms, events);
	struct swp_store_events store_events = {
		.up = store_up, .down = store_down, .refused = store_refused, .context = ledger};

	if (!ledger) {
		swp_problem_set(problem, -ENOMEM, "out of memory");
		return NULL;
	}
	ledger->store = swp_store_new(loop, store, &store_events, problem);
	if (!ledger->store) {
		swp_ledger_free(ledger);
		return NULL;
	}
	trouble_begins(ledger, "it does not answer");
	return ledger;
}

struct swp_ledger *swp_ledger_borrow(struct swp_loop *loop, struct swp_store *store, const char *sweep,
	int64_t away_ms, const struct swp_ledger_events *events)
{
	struct swp_ledger *ledger = make(loop, sweep, away_ms, events);

	if (!ledger)
		return NULL;
	ledger->store = store;
	ledger->borrowed = true;
	ledger->was_up = ledger->was_written = true;
	return ledger;
}

const char *swp_ledger_sweep(const struct swp_ledger *ledger)
{
	return ledger->sweep;
}

/* Those waiting to be repeated are forgotten; what is sent and not answered stays. */
static size_t forget_again(struct swp_ledger *ledger)
{
	size_t forgotten = 0;

	while (ledger->again) {
		struct operation *operation = ledger->again;

		ledger->again = operation->next;
		operation_free(operation);
		forgotten++;
	}
	ledger->last_again = NULL;
	return forgotten;
}

/* Those that wait for their turn are forgotten. */
static int forget_behind(const char *slot, void *value, void *context)
{
	struct operation *operation = value;
	struct swp_ledger *ledger = context;

	(void)slot;
	while (operation->behind) {
		struct operation *one = operation->behind;

		operation->behind = one->next;
		operation_free(one);
		ledger->open--;
	}
	return 0;
}

void swp_ledger_free(struct swp_ledger *ledger)
{
	if (!ledger)
		return;
	ledger->dead = true;
	swp_map_each(ledger->slots, forget_behind, ledger);
	swp_map_free(ledger->slots, NULL);
	if (!ledger->borrowed)
		swp_store_free(
			ledger->store); /* answers what is open, which then waits to be forgotten here */
	ledger->open -= forget_again(ledger);
	swp_timer_stop(&ledger->retry);
	swp_timer_stop(&ledger->watch);
	swp_timer_stop(&ledger->idle_timer);
	swp_timer_stop(&ledger->renew);
	swp_timer_stop(&ledger->held);
	ledger->orphan = ledger->open > 0;
	if (!ledger->orphan)
		swp_free(ledger);
}

struct swp_store *swp_ledger_store(const struct swp_ledger *ledger)
{
	return ledger->store;
}

size_t swp_ledger_open(const struct swp_ledger *ledger)
{
	return ledger->open;
}

void swp_ledger_when_idle(struct swp_ledger *ledger, void (*idle)(void *context))
{
	ledger->idle = idle;
	if (ledger->open == 0)
		swp_timer_start(&ledger->idle_timer, 0);
}

/* --- writes --- */

static void key_of(const struct swp_ledger *ledger, enum swp_key key, const char *first, const char *second,
	char ret_key[static SWP_KEY_BYTES])
{
	int error = swp_key_format(key, ledger->sweep, first, second, ret_key);

	SWP_ASSERT(error == 0); /* ids were checked when they came in */
}

static const struct operation write_key = {
	.kind = WRITE, .script = SWP_SCRIPT_WRITE, .slot_kind = SLOT_KEY, .whole = true};
static const struct operation write_fields = {
	.kind = WRITE, .script = SWP_SCRIPT_WRITE, .slot_kind = SLOT_KEY};
static const struct operation write_field = {
	.kind = WRITE, .script = SWP_SCRIPT_WRITE, .slot_kind = SLOT_FIELD, .whole = true};
static const struct operation write_account = {
	.kind = WRITE, .script = SWP_SCRIPT_ACCOUNT, .slot_kind = SLOT_FIELD, .whole = true};

int swp_ledger_set(struct swp_ledger *ledger, const struct swp_ledger_field *fields)
{
	struct swp_store_argument arguments[SWP_LEDGER_ARGUMENTS];
	char key[SWP_KEY_BYTES];
	size_t count = 2;

	key_of(ledger, SWP_KEY_SWEEP, NULL, NULL, key);
	arguments[0] = TEXT(key);
	arguments[1] = TEXT("HSET");
	for (; fields->name; fields++) {
		SWP_ASSERT(count + 2 <= SWP_LEDGER_ARGUMENTS);
		arguments[count++] = TEXT(fields->name);
		arguments[count++] = TEXT(fields->text);
	}
	return submit(ledger, &write_fields, arguments, count);
}

int swp_ledger_index(struct swp_ledger *ledger, int64_t started_at_ms)
{
	char key[SWP_KEY_BYTES], score[32];

	key_of(ledger, SWP_KEY_INDEX, NULL, NULL, key);
	snprintf(score, sizeof(score), "%lld", (long long)started_at_ms);
	return submit(ledger, &write_key,
		(struct swp_store_argument[]){TEXT(key), TEXT("ZADD"), TEXT(score), TEXT(ledger->sweep)}, 4);
}

int swp_ledger_keep_catalogue(
	struct swp_ledger *ledger, const char *hash, const char *compiled, size_t length)
{
	char key[SWP_KEY_BYTES];

	key_of(ledger, SWP_KEY_CATALOGUE, hash, NULL, key);
	return submit(ledger, &write_key,
		(struct swp_store_argument[]){TEXT(key), TEXT("SET"), {compiled, length}}, 3);
}

int swp_ledger_account(struct swp_ledger *ledger, const struct swp_record_account *row)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf bytes = {0};
	char key[SWP_KEY_BYTES], sweep[SWP_KEY_BYTES];
	int error = swp_account_encode(row, &bytes);

	if (error < 0)
		return error;
	key_of(ledger, SWP_KEY_ACCOUNTS, NULL, NULL, key);
	key_of(ledger, SWP_KEY_SWEEP, NULL, NULL, sweep);
	return submit(ledger, &write_account,
		(struct swp_store_argument[]){TEXT(key), TEXT(sweep), TEXT(row->id),
			{bytes.data, bytes.length}, TEXT(row->not_planned ? "0" : "1")},
		5);
}

int swp_ledger_gap(struct swp_ledger *ledger, const struct swp_record_gap *gap)
{
	const struct operation like = {.kind = WRITE, .script = SWP_SCRIPT_ADD_ONCE};
	SWP_CLEANUP(swp_buf_done) struct swp_buf bytes = {0};
	char key[SWP_KEY_BYTES];
	int error = swp_gap_encode(gap, &bytes);

	if (error < 0)
		return error;
	key_of(ledger, SWP_KEY_GAPS, NULL, NULL, key);
	return submit(ledger, &like, (struct swp_store_argument[]){TEXT(key), {bytes.data, bytes.length}}, 2);
}

int swp_ledger_probe(struct swp_ledger *ledger)
{
	char version[16];
	const struct swp_ledger_field fields[] = {{SWP_SWEEP_FIELD_VERSION, version}, {NULL, NULL}};

	snprintf(version, sizeof(version), "%d", SWP_RECORD_VERSION);
	return ledger->open > 0 ? 0 : swp_ledger_set(ledger, fields);
}

int swp_ledger_write(struct swp_ledger *ledger, const struct swp_store_argument *arguments, size_t count)
{
	struct swp_store_argument ordered[SWP_LEDGER_ARGUMENTS];
	const char *name = arguments[0].bytes;
	bool is_hash = strcmp(name, "HSET") == 0 || strcmp(name, "HDEL") == 0;

	SWP_ASSERT(count >= 2 && count <= SWP_LEDGER_ARGUMENTS && (!is_hash || count <= 4));
	memcpy(ordered, arguments, count * sizeof(*ordered));
	ordered[0] = arguments[1];
	ordered[1] = arguments[0];
	return submit(ledger, is_hash ? &write_field : &write_key, ordered, count);
}

int swp_ledger_replace_hash(struct swp_ledger *ledger, const char *key,
	const struct swp_store_argument *fields_and_values, size_t count)
{
	const struct operation like = {
		.kind = WRITE, .script = SWP_SCRIPT_REPLACE_HASH, .slot_kind = SLOT_KEY, .whole = true};
	struct swp_store_argument *arguments = swp_calloc(2 * count + 1, sizeof(*arguments));
	int error;

	if (!arguments)
		return -ENOMEM;
	arguments[0] = TEXT(key);
	if (count > 0)
		memcpy(arguments + 1, fields_and_values, 2 * count * sizeof(*arguments));
	error = submit(ledger, &like, arguments, 2 * count + 1);
	swp_free(arguments);
	return error;
}

/* --- jobs --- */

int swp_ledger_grant(struct swp_ledger *ledger, uint64_t job, const char *account, const char *region,
	const char *worker, bool counts, uint64_t least_epoch)
{
	const struct operation like = {.kind = GRANT, .script = SWP_SCRIPT_GRANT, .job = job};
	char key[SWP_KEY_BYTES], lock[SWP_KEY_BYTES], least[32];

	key_of(ledger, SWP_KEY_JOB, account, region, key);
	key_of(ledger, SWP_KEY_LOCK, account, region, lock);
	snprintf(least, sizeof(least), "%" PRIu64, least_epoch);
	return submit(ledger, &like,
		(struct swp_store_argument[]){
			TEXT(key), TEXT(lock), TEXT(worker), TEXT(counts ? "1" : "0"), TEXT(least)},
		5);
}

static int ask_record(
	struct swp_ledger *ledger, const struct operation *like, const char *account, const char *region)
{
	char key[SWP_KEY_BYTES];

	key_of(ledger, SWP_KEY_JOB, account, region, key);
	return submit(ledger, like,
		(struct swp_store_argument[]){TEXT("HMGET"), TEXT(key), TEXT(SWP_JOB_FIELD_SEALED_AT),
			TEXT(SWP_JOB_FIELD_LOST), TEXT(SWP_JOB_FIELD_ATTEMPTS)},
		5);
}

int swp_ledger_look_up(struct swp_ledger *ledger, uint64_t job, const char *account, const char *region)
{
	return ask_record(
		ledger, &(struct operation){.kind = LOOK_UP, .script = -1, .job = job}, account, region);
}

int swp_ledger_give_up(
	struct swp_ledger *ledger, uint64_t job, const char *account, const char *region, const char *why)
{
	const struct operation like = {.kind = GIVE_UP, .script = SWP_SCRIPT_GIVE_UP, .job = job};
	char key[SWP_KEY_BYTES];

	key_of(ledger, SWP_KEY_JOB, account, region, key);
	return submit(ledger, &like, (struct swp_store_argument[]){TEXT(key), TEXT(why)}, 2);
}

int swp_ledger_assert_grant(struct swp_ledger *ledger, uint64_t job, const char *account, const char *region,
	const char *worker, uint64_t epoch, unsigned attempts)
{
	const struct operation like = {.kind = ASSERT_GRANT, .script = SWP_SCRIPT_ASSERT_GRANT, .job = job};
	char key[SWP_KEY_BYTES], epoch_text[24], attempts_text[16];

	key_of(ledger, SWP_KEY_JOB, account, region, key);
	snprintf(epoch_text, sizeof(epoch_text), "%" PRIu64, epoch);
	snprintf(attempts_text, sizeof(attempts_text), "%u", attempts);
	return submit(ledger, &like,
		(struct swp_store_argument[]){TEXT(key), TEXT(worker), TEXT(epoch_text), TEXT(attempts_text)},
		4);
}

int swp_ledger_check(
	struct swp_ledger *ledger, const char *account, const char *region, void *token, unsigned number)
{
	return ask_record(ledger,
		&(struct operation){.kind = CHECK, .script = -1, .token = token, .number = number}, account,
		region);
}
