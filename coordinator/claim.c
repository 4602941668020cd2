#include "coordinator/claim.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/error.h"
#include "proto/base/text.h"

#define READ_MS 1000 /* who looks from outside knows the clock of Redis to a second */

#define TEXT(value) SWP_STORE_TEXT_ARGUMENT(value)

int swp_claim_begin(struct swp_claim *ret_claim, enum swp_key key, const char *sweep,
	const struct swp_owner *owner, const char *gone)
{
	*ret_claim = (struct swp_claim){.owner = *owner};
	snprintf(ret_claim->gone, sizeof(ret_claim->gone), "%s", gone);
	return swp_key_format(key, sweep, NULL, NULL, ret_claim->key) < 0 ? -EINVAL : 0;
}

/* Has the holder not renewed for a whole lease of our clock? */
static bool is_over(const struct swp_claim *claim, int64_t now_ms)
{
	return claim->holder[0] && now_ms - claim->seen_ms >= SWP_OWNER_LEASE_MS;
}

void swp_claim_take(
	const struct swp_claim *claim, const struct swp_clock *clock, struct swp_claim_call *ret_call)
{
	bool over = is_over(claim, swp_clock_monotonic_ms(clock));

	snprintf(ret_call->lease, sizeof(ret_call->lease), "%d", SWP_OWNER_LEASE_MS);
	snprintf(ret_call->wall, sizeof(ret_call->wall), "%" PRId64, swp_clock_wall_ms(clock));
	snprintf(ret_call->term, sizeof(ret_call->term), "%" PRIu64, claim->term);
	const struct swp_store_argument arguments[SWP_CLAIM_ARGUMENTS] = {TEXT(claim->key),
		TEXT(claim->owner.text), TEXT(claim->owner.host), TEXT(ret_call->lease), TEXT(ret_call->wall),
		TEXT(ret_call->term), TEXT(claim->gone), TEXT(over ? claim->holder : ""),
		TEXT(over ? claim->stamp : "")};
	memcpy(ret_call->arguments, arguments, sizeof(arguments));
	ret_call->count = SWP_CLAIM_ARGUMENTS;
}

void swp_claim_renew(const struct swp_claim *claim, int64_t lease_ms, struct swp_claim_call *ret_call)
{
	int error = swp_key_format(SWP_KEY_DRAINS, NULL, NULL, NULL, ret_call->drains);

	SWP_ASSERT(error == 0);
	snprintf(ret_call->lease, sizeof(ret_call->lease), "%" PRId64, lease_ms);
	ret_call->arguments[0] = TEXT(claim->key);
	ret_call->arguments[1] = TEXT(ret_call->drains);
	ret_call->arguments[2] = TEXT(ret_call->lease);
	ret_call->count = 3;
}

static void forget_holder(struct swp_claim *claim)
{
	claim->holder[0] = claim->host[0] = claim->stamp[0] = '\0';
}

static enum swp_claim_answer is_ours(struct swp_claim *claim, const struct swp_store_reply *reply)
{
	if (claim->term == 0) {
		claim->term = (uint64_t)reply->items[1].number;
		snprintf(claim->before, sizeof(claim->before), "%s", swp_store_item_text(reply, 2));
	}
	forget_holder(claim);
	return SWP_CLAIM_OURS;
}

static enum swp_claim_answer is_held(
	struct swp_claim *claim, const struct swp_store_reply *reply, int64_t now_ms)
{
	const char *holder = swp_store_item_text(reply, 2), *stamp = swp_store_item_text(reply, 4);

	if (swp_owner_is_dead(holder) && strlen(holder) < sizeof(claim->gone)) {
		snprintf(claim->gone, sizeof(claim->gone), "%s", holder);
		return SWP_CLAIM_HOLDER_GONE;
	}
	if (!swp_text_equal(claim->holder, holder) || !swp_text_equal(claim->stamp, stamp))
		claim->seen_ms = now_ms;
	snprintf(claim->holder, sizeof(claim->holder), "%s", holder);
	snprintf(claim->stamp, sizeof(claim->stamp), "%s", stamp);
	snprintf(claim->host, sizeof(claim->host), "%s", swp_store_item_text(reply, 3));
	claim->left_ms = reply->items[1].number;
	return SWP_CLAIM_HELD;
}

enum swp_claim_answer swp_claim_read(
	struct swp_claim *claim, const struct swp_store_reply *reply, const struct swp_clock *clock)
{
	const char *word = swp_store_item_text(reply, 0);

	if (reply->type != SWP_STORE_REPLY_LIST || reply->item_count < 3)
		return SWP_CLAIM_UNREADABLE;
	if (swp_text_equal(word, "owned"))
		return is_ours(claim, reply);
	if (swp_text_equal(word, "held"))
		return is_held(claim, reply, swp_clock_monotonic_ms(clock));
	return swp_text_equal(word, "finished") ? SWP_CLAIM_FINISHED : SWP_CLAIM_UNREADABLE;
}

void swp_claim_lose(struct swp_claim *claim)
{
	claim->term = 0;
	forget_holder(claim);
}

size_t swp_claim_drains(const struct swp_store_reply *reply, const char *ret_names[static SWP_LIMIT_WORKERS])
{
	size_t count = 0;

	for (size_t i = 1;
		reply->type == SWP_STORE_REPLY_LIST && i < reply->item_count && count < SWP_LIMIT_WORKERS;
		i++)
		ret_names[count++] = swp_store_item_text(reply, i);
	return count;
}

bool swp_claim_goes_on(int64_t until_ms, int64_t store_ms)
{
	return until_ms > store_ms && until_ms - store_ms <= SWP_OWNER_LEASE_MS + READ_MS;
}
