/* Retry delays, quota, rate limiter, page guard: arithmetic over a clock that the test holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/aws/retry.h"
#include "proto/base/limits.h"

static void delays(void **state)
{
	static const int64_t throttled[] = {1000, 2000, 4000, 8000, 16000, 20000, 20000, -1};
	static const int64_t transient[] = {50, 100, 200, 400, 800, 1600, 3200, -1};
	struct swp_retry_quota quota;
	struct swp_retry one = {0}, two = {0}, none = {0};

	(void)state;
	swp_retry_quota_init(&quota);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(
			swp_retry_next_ms(&one, &quota, SWP_OUTCOME_THROTTLED, false, -1, 1.0), throttled[i]);
		assert_int_equal(
			swp_retry_next_ms(&two, &quota, SWP_OUTCOME_TRANSIENT, false, -1, 1.0), transient[i]);
	}
	assert_int_equal(swp_retry_next_ms(&none, &quota, SWP_OUTCOME_THROTTLED, false, -1, 0.0), 0);
	assert_int_equal(swp_retry_next_ms(&none, &quota, SWP_OUTCOME_THROTTLED, false, -1, 0.5), 1000);
}

static void hints(void **state)
{
	static const struct {
		int64_t hint_ms, wait_ms;
	} rows[] = {
		{-1, 500}, {0, 500}, {499, 500}, {700, 700}, {5500, 5500}, {5501, 5500}, {INT64_MAX, 5500}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct swp_retry_quota quota;
		struct swp_retry retry = {0};

		swp_retry_quota_init(&quota);
		assert_int_equal(
			swp_retry_next_ms(&retry, &quota, SWP_OUTCOME_THROTTLED, false, rows[i].hint_ms, 0.5),
			rows[i].wait_ms);
	}
}

static void quota(void **state)
{
	struct swp_retry_quota quota;
	struct swp_retry retry = {0};
	int granted = 0;

	(void)state;
	swp_retry_quota_init(&quota);
	for (int i = 0; i < 1000; i++) {
		struct swp_retry each = {0};

		granted += swp_retry_next_ms(&each, &quota, SWP_OUTCOME_TRANSIENT, true, -1, 0.5) >= 0;
	}
	assert_int_equal(granted, 500 / 14);
	assert_int_equal(quota.tokens, 500 - 14 * 35);
	assert_true(swp_retry_next_ms(&retry, &quota, SWP_OUTCOME_THROTTLED, false, -1, 0.5) >=
		    0); /* 10 left, a throttle costs 5 */
	assert_int_equal(quota.tokens, 5);
	swp_retry_succeeded(&retry, &quota);
	assert_int_equal(quota.tokens, 10);
	swp_retry_succeeded(&retry, &quota); /* without a retry before: 1 */
	assert_int_equal(quota.tokens, 11);
	for (int i = 0; i < 1000; i++)
		swp_retry_succeeded(&retry, &quota);
	assert_int_equal(quota.tokens, SWP_RETRY_QUOTA_TOKENS);
}

static void limiter(void **state)
{
	struct swp_limiter limiter;
	int64_t now_ms = 1000, wait_ms;
	int taken = 0;

	(void)state;
	swp_limiter_init(&limiter, 10.0, now_ms);
	while (swp_limiter_take(&limiter, now_ms) == 0)
		taken++;
	assert_int_equal(taken, 20); /* the burst */
	wait_ms = swp_limiter_take(&limiter, now_ms);
	assert_in_range(wait_ms, 195, 205); /* then half of 10 a second */
	assert_true(swp_limiter_take(&limiter, now_ms + wait_ms - 10) > 0);
	assert_int_equal(swp_limiter_take(&limiter, now_ms + wait_ms), 0);

	swp_limiter_throttled(&limiter, now_ms + wait_ms);
	assert_true(limiter.rate_per_second > 2.49 && limiter.rate_per_second < 2.51);
	swp_limiter_throttled(&limiter, now_ms + wait_ms + 500); /* the same storm */
	assert_true(limiter.rate_per_second > 2.49 && limiter.rate_per_second < 2.7);
	swp_limiter_throttled(&limiter, now_ms + wait_ms + 1500);
	assert_true(limiter.rate_per_second < 1.6);
	for (int i = 0; i < 20; i++)
		swp_limiter_throttled(&limiter, now_ms + 10000 + i * 1000);
	assert_true(limiter.rate_per_second >= 0.5);
	assert_true(limiter.learned_rate > 0 && limiter.learned_rate <= limiter.rate_per_second);
	swp_limiter_take(&limiter, now_ms + 200000); /* recovers to what it was, not above */
	assert_true(limiter.rate_per_second > 4.99 && limiter.rate_per_second < 5.01);
	assert_true(limiter.tokens <= 20.0);
	wait_ms = swp_limiter_take(&limiter, 0); /* a clock that goes back hurts nobody */
	assert_true(wait_ms >= 0);
	swp_limiter_init(&limiter, 0, 0); /* the default rate */
	assert_true(limiter.rate_per_second > 4.99 && limiter.rate_per_second < 5.01);
}

static void pages(void **state)
{
	struct swp_page_guard guard = {0};
	char token[32];

	(void)state;
	assert_int_equal(swp_page_guard_next(&guard, NULL, 3), SWP_PAGE_LAST);
	assert_int_equal(swp_page_guard_next(&guard, "", 3), SWP_PAGE_LAST);
	assert_int_equal(swp_page_guard_next(&guard, "a", 0), SWP_PAGE_MORE);
	assert_int_equal(
		swp_page_guard_next(&guard, "b", 0), SWP_PAGE_MORE); /* an empty page with a token is legal */
	assert_int_equal(swp_page_guard_next(&guard, "a", 1), SWP_PAGE_REPEATED);

	guard = (struct swp_page_guard){0};
	for (int i = 0; i < SWP_LIMIT_EMPTY_PAGES; i++) {
		snprintf(token, sizeof(token), "t%d", i);
		assert_int_equal(swp_page_guard_next(&guard, token, 0), SWP_PAGE_MORE);
	}
	assert_int_equal(swp_page_guard_next(&guard, "more", 0), SWP_PAGE_LIMIT);

	for (int ring = 1; ring <= 300; ring++) { /* tokens that go round, in rings of any length */
		enum swp_page_verdict verdict = SWP_PAGE_MORE;

		guard = (struct swp_page_guard){0};
		for (int i = 0; i < SWP_LIMIT_LIST_PAGES && verdict == SWP_PAGE_MORE; i++) {
			snprintf(token, sizeof(token), "t%d", i % ring);
			verdict = swp_page_guard_next(&guard, token, 1);
		}
		assert_int_equal(verdict, SWP_PAGE_REPEATED);
	}

	guard = (struct swp_page_guard){0};
	for (int i = 0; i < SWP_LIMIT_LIST_PAGES - 1; i++) {
		snprintf(token, sizeof(token), "t%d", i);
		assert_int_equal(swp_page_guard_next(&guard, token, 1), SWP_PAGE_MORE);
	}
	assert_int_equal(swp_page_guard_next(&guard, "more", 1), SWP_PAGE_LIMIT);

	guard = (struct swp_page_guard){0};
	assert_int_equal(swp_page_guard_next(&guard, NULL, SWP_LIMIT_LIST_RESOURCES), SWP_PAGE_LAST);
	assert_int_equal(swp_page_guard_next(&guard, NULL, 1), SWP_PAGE_LIMIT);

	guard = (struct swp_page_guard){0};
	static char long_token[SWP_LIMIT_TOKEN_BYTES + 2];
	memset(long_token, 'x', sizeof(long_token) - 1);
	assert_int_equal(swp_page_guard_next(&guard, long_token, 1), SWP_PAGE_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delays),
		cmocka_unit_test(hints),
		cmocka_unit_test(quota),
		cmocka_unit_test(limiter),
		cmocka_unit_test(pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
