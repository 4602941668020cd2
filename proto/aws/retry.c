/* Retry delays and quota of the AWS SDKs' standard mode (constants of 2026), the rate limiter, and the guard of page walks. */
#include "proto/aws/retry.h"

#include <stddef.h>
#include <string.h>

#include "proto/aws/operation.h"
#include "proto/base/error.h"
#include "proto/base/limits.h"

enum {
	BASE_THROTTLE_MS = 1000,
	BASE_TRANSIENT_MS = 50,
	DELAY_CEILING_MS = 20000,
	HINT_EXTRA_MS = 5000, /* a server may ask for at most that much more than our own delay */
	COST_TRANSIENT = 14,
	COST_THROTTLE = 5,
	REFUND_FIRST_TRY = 1,
};

void swp_retry_quota_init(struct swp_retry_quota *quota)
{
	quota->tokens = SWP_RETRY_QUOTA_TOKENS;
}

/* rand(0,1) × min(base × 2^retry, ceiling); the first retry has number 0. */
static int64_t jittered_delay_ms(int retry, int64_t base_ms, double unit)
{
	int64_t delay_ms = base_ms;

	for (int i = 0; i < retry && delay_ms < DELAY_CEILING_MS; i++)
		delay_ms *= 2;
	if (delay_ms > DELAY_CEILING_MS)
		delay_ms = DELAY_CEILING_MS;
	return (int64_t)(unit * (double)delay_ms);
}

static int64_t with_hint_ms(int64_t delay_ms, int64_t hint_ms)
{
	if (hint_ms < delay_ms) /* no hint (-1), or one that is shorter than our own delay */
		return delay_ms;
	return hint_ms < delay_ms + HINT_EXTRA_MS ? hint_ms : delay_ms + HINT_EXTRA_MS;
}

int64_t swp_retry_next_ms(struct swp_retry *retry, struct swp_retry_quota *quota, enum swp_outcome outcome,
	bool timed_out, int64_t hint_ms, double unit)
{
	bool throttled = outcome == SWP_OUTCOME_THROTTLED;
	int cost = throttled ? COST_THROTTLE : COST_TRANSIENT;
	int64_t delay_ms;

	(void)timed_out; /* since 2026 a time-out costs what any other transient failure does */
	retry->attempt++;
	if (retry->attempt >= SWP_LIMIT_ATTEMPTS || quota->tokens < cost)
		return -1;
	quota->tokens -= cost;
	retry->last_cost = cost;
	delay_ms =
		jittered_delay_ms(retry->attempt - 1, throttled ? BASE_THROTTLE_MS : BASE_TRANSIENT_MS, unit);
	return with_hint_ms(delay_ms, hint_ms);
}

void swp_retry_succeeded(struct swp_retry *retry, struct swp_retry_quota *quota)
{
	quota->tokens += retry->last_cost > 0 ? retry->last_cost : REFUND_FIRST_TRY;
	if (quota->tokens > SWP_RETRY_QUOTA_TOKENS)
		quota->tokens = SWP_RETRY_QUOTA_TOKENS;
	retry->last_cost = 0;
}

/* --- rate limiter --- */

#define LIMITER_BURST 20.0
#define LIMITER_SHARE 0.5	      /* of the service's rate: others call it too */
#define LIMITER_FLOOR_PER_SECOND 0.5  /* AWS SDKs' adaptive mode goes no lower */
#define LIMITER_RECOVERY_SECONDS 30.0 /* from the floor back to the full rate, if nothing is refused */
#define LIMITER_THROTTLE_PAUSE_MS                                                                            \
	1000 /* one refusal a second counts; calls in flight together are refused together */

void swp_limiter_init(struct swp_limiter *limiter, double service_rate_per_second, int64_t now_ms)
{
	double rate = service_rate_per_second > 0 ? service_rate_per_second : SWP_DEFAULT_RATE;

	*limiter = (struct swp_limiter){
		.tokens = LIMITER_BURST,
		.rate_per_second = rate * LIMITER_SHARE,
		.full_rate_per_second = rate * LIMITER_SHARE,
		.updated_ms = now_ms,
		.last_throttle_ms = INT64_MIN,
	};
	if (limiter->rate_per_second < LIMITER_FLOOR_PER_SECOND)
		limiter->rate_per_second = limiter->full_rate_per_second = LIMITER_FLOOR_PER_SECOND;
}

static void limiter_advance(struct swp_limiter *limiter, int64_t now_ms)
{
	double seconds = (double)(now_ms - limiter->updated_ms) / 1000.0;

	if (seconds <= 0)
		return;
	limiter->updated_ms = now_ms;
	limiter->tokens += seconds * limiter->rate_per_second;
	if (limiter->tokens > LIMITER_BURST)
		limiter->tokens = LIMITER_BURST;
	limiter->rate_per_second += seconds * limiter->full_rate_per_second / LIMITER_RECOVERY_SECONDS;
	if (limiter->rate_per_second > limiter->full_rate_per_second)
		limiter->rate_per_second = limiter->full_rate_per_second;
}

int64_t swp_limiter_take(struct swp_limiter *limiter, int64_t now_ms)
{
	int64_t wait_ms;

	limiter_advance(limiter, now_ms);
	if (limiter->tokens >= 1.0) {
		limiter->tokens -= 1.0;
		return 0;
	}
	wait_ms = (int64_t)((1.0 - limiter->tokens) / limiter->rate_per_second * 1000.0) + 1;
	return wait_ms;
}

void swp_limiter_throttled(struct swp_limiter *limiter, int64_t now_ms)
{
	limiter_advance(limiter, now_ms);
	if (limiter->last_throttle_ms != INT64_MIN &&
		now_ms - limiter->last_throttle_ms < LIMITER_THROTTLE_PAUSE_MS)
		return;
	limiter->last_throttle_ms = now_ms;
	limiter->tokens = 0; /* the burst was too much */
	limiter->rate_per_second /= 2;
	if (limiter->rate_per_second < LIMITER_FLOOR_PER_SECOND)
		limiter->rate_per_second = LIMITER_FLOOR_PER_SECOND;
	limiter->learned_rate = limiter->rate_per_second;
}

void swp_limiter_start_at(struct swp_limiter *limiter, double rate_per_second)
{
	if (rate_per_second >= limiter->full_rate_per_second)
		return;
	limiter->rate_per_second =
		rate_per_second > LIMITER_FLOOR_PER_SECOND ? rate_per_second : LIMITER_FLOOR_PER_SECOND;
	if (limiter->tokens > limiter->rate_per_second)
		limiter->tokens = limiter->rate_per_second > 1 ? limiter->rate_per_second : 1;
}

/* --- page walks --- */

/* FNV-1a, 64 bits: a repeated token is found; two tokens with one hash are as unlikely as a broken disk. */
static uint64_t token_hash(const char *token)
{
	uint64_t hash = 14695981039346656037u;

	for (const unsigned char *p = (const unsigned char *)token; *p != '\0'; p++)
		hash = (hash ^ *p) * 1099511628211u;
	return hash;
}

static bool guard_has_seen(struct swp_page_guard *guard, uint64_t hash)
{
	unsigned kept = guard->seen_count < SWP_ARRAY_SIZE(guard->seen) ? guard->seen_count
									: SWP_ARRAY_SIZE(guard->seen);

	for (unsigned i = 0; i < kept; i++) {
		if (guard->seen[i] == hash)
			return true;
	}
	if (guard->seen_count > 0 && guard->anchor == hash)
		return true;
	if ((guard->pages & (guard->pages - 1)) == 0)
		guard->anchor = hash;
	guard->seen[guard->seen_count % SWP_ARRAY_SIZE(guard->seen)] = hash;
	guard->seen_count++;
	return false;
}

enum swp_page_verdict swp_page_guard_next(
	struct swp_page_guard *guard, const char *token, unsigned long items_on_page)
{
	guard->pages++;
	guard->items += items_on_page;
	guard->empty_in_a_row = items_on_page == 0 ? guard->empty_in_a_row + 1 : 0;
	if (guard->items > SWP_LIMIT_LIST_RESOURCES)
		return SWP_PAGE_LIMIT;
	if (token == NULL || token[0] == '\0')
		return SWP_PAGE_LAST;
	if (strlen(token) > SWP_LIMIT_TOKEN_BYTES || guard->pages >= SWP_LIMIT_LIST_PAGES ||
		guard->empty_in_a_row > SWP_LIMIT_EMPTY_PAGES)
		return SWP_PAGE_LIMIT;
	if (guard_has_seen(guard, token_hash(token)))
		return SWP_PAGE_REPEATED;
	return SWP_PAGE_MORE;
}
