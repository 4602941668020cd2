/* Clock and randomness are passed in: monotonic for waiting, wall time for signing and for what people read.
 */
#ifndef SWP_BASE_CLOCK_H
#define SWP_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

struct swp_clock {
	int64_t (*monotonic_ms)(void *context); /* never goes back; origin without meaning */
	int64_t (*wall_ms)(void *context);	/* milliseconds since 1970-01-01T00:00:00Z */
	/* Fills with unpredictable bytes; never fails (getrandom on the system clock, a seeded generator in tests). */
	void (*random_bytes)(void *context, void *bytes, size_t length);
	void *context;
};

/* The machine's. Borrowed for ever. */
const struct swp_clock *swp_clock_system(void);

static inline int64_t swp_clock_monotonic_ms(const struct swp_clock *clock)
{
	return clock->monotonic_ms(clock->context);
}
static inline int64_t swp_clock_wall_ms(const struct swp_clock *clock)
{
	return clock->wall_ms(clock->context);
}
/* Uniform in [0, 1). */
double swp_clock_random_unit(const struct swp_clock *clock);
uint64_t swp_clock_random_u64(const struct swp_clock *clock);

#define SWP_TIME_TEXT_BYTES 32 /* more than any of these needs */
/* "2026-11-22T08:00:00Z" (whole seconds, rounded down; years 0000 to 9999, beyond them the nearest of these). */
void swp_time_format(int64_t wall_ms, char text[static SWP_TIME_TEXT_BYTES]);
/* "20261122T080000Z", the form SigV4 wants. */
void swp_time_format_basic(int64_t wall_ms, char text[static SWP_TIME_TEXT_BYTES]);
/* RFC 3339 with Z or offset (colon optional), fractions allowed (milliseconds are kept); also "2026-11-22T08:00:00UTC"
 * (SSO cache). -EINVAL. */
int swp_time_parse(const char *text, int64_t *ret_wall_ms);
/* HTTP-date, IMF-fixdate form only (RFC 9110 §5.6.7). -EINVAL. */
int swp_time_parse_http(const char *text, int64_t *ret_wall_ms);

#endif
