/* When to try again and how fast to call: retries, retry quota, rate limiter. Pure arithmetic over a clock that is passed in.
 * Source: AWS SDKs' "standard" retry mode; full jitter; 8 attempts since a sweep is a batch job; server hints honoured.
 */
#ifndef SWP_AWS_RETRY_H
#define SWP_AWS_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/aws/outcome.h"

struct swp_retry_quota { /* one per account × region × service */
	int tokens;	 /* SWP_RETRY_QUOTA_TOKENS at the start */
};
void swp_retry_quota_init(struct swp_retry_quota *quota);

struct swp_retry {   /* one per call */
	int attempt; /* tries made */
	int last_cost;
};
/* After a try that ended THROTTLED or TRANSIENT: the wait before the next one (ms), or -1: no more (attempts used up, quota empty).
 * `unit` is uniform in [0,1); `hint_ms` from x-amz-retry-after, -1 none. */
int64_t swp_retry_next_ms(struct swp_retry *retry, struct swp_retry_quota *quota, enum swp_outcome outcome,
	bool timed_out, int64_t hint_ms, double unit);
void swp_retry_succeeded(struct swp_retry *retry, struct swp_retry_quota *quota);

/* Token bucket: burst 20, then half of the service's rate; halved on a throttle (at most once a second), recovering slowly. */
struct swp_limiter {
	double tokens, rate_per_second, full_rate_per_second;
	double learned_rate; /* what was left after the last refusal; 0: nothing was refused */
	int64_t updated_ms, last_throttle_ms;
};
void swp_limiter_init(struct swp_limiter *limiter, double service_rate_per_second, int64_t now_ms);
/* Begins with what was learned before: that rate, and no burst. Behind _init. */
void swp_limiter_start_at(struct swp_limiter *limiter, double rate_per_second);
/* 0: go (a token is taken); else wait that many ms and ask again. */
int64_t swp_limiter_take(struct swp_limiter *limiter, int64_t now_ms);
void swp_limiter_throttled(struct swp_limiter *limiter, int64_t now_ms);

/* Guards a page walk against endless lists (AWS: an empty page with a token is legal). */
struct swp_page_guard {
	unsigned pages, empty_in_a_row;
	unsigned long items;
	uint64_t seen[64]; /* hashes of the last tokens */
	uint64_t anchor;   /* of the one at the last power of two of pages: longer rings come back to it */
	unsigned seen_count;
};
enum swp_page_verdict {
	SWP_PAGE_LAST, /* no token: done */
	SWP_PAGE_MORE,
	SWP_PAGE_REPEATED, /* malformed-response */
	SWP_PAGE_LIMIT,	   /* limit-reached */
};
enum swp_page_verdict swp_page_guard_next(
	struct swp_page_guard *guard, const char *token, unsigned long items_on_page);

#endif
