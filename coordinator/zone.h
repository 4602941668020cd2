/* A time zone of the system's database, from UTC to what its clocks show and back. The bytes of a TZif file (RFC 8536) come in:
 * no file is opened here, and the process's TZ is neither read nor changed. Beside it the calendar that schedules need.
 */
#ifndef SWP_COORDINATOR_ZONE_H
#define SWP_COORDINATOR_ZONE_H

#include <stddef.h>
#include <stdint.h>

#include "proto/base/error.h"

#define SWP_ZONE_LIMIT_TRANSITIONS                                                                           \
	4096			      /* the longest file of the database has under 300 in its 64-bit part */
#define SWP_ZONE_LIMIT_OFFSET_S 93599 /* RFC 8536: less than 26 hours */

struct swp_zone; /* opaque; NULL is UTC in all that follows */

/* -EINVAL: it is no TZif file, is not whole, contradicts itself, or counts leap seconds; `problem` says which. -ENOMEM. */
int swp_zone_parse(const char *bytes, size_t length, struct swp_zone **ret_zone, struct swp_problem *problem);
void swp_zone_free(struct swp_zone *zone); /* takes NULL */

/* Seconds that clocks are ahead of UTC at that moment. */
int32_t swp_zone_offset_s(const struct swp_zone *zone, int64_t utc_s);
/* The first moment at which clocks show `local_s` (seconds since 1970-01-01 00:00 on them) or more. So a time that exists twice
 * is the first of them, and one that does not exist is the end of the gap. */
int64_t swp_zone_first_utc_s(const struct swp_zone *zone, int64_t local_s);

/* --- calendar (proleptic Gregorian) --- */
struct swp_date {
	int64_t year;
	int month, day; /* from 1 */
};
int64_t swp_date_to_days(int64_t year, int month, int day); /* since 1970-01-01 */
struct swp_date swp_date_from_days(int64_t days);
int swp_date_weekday(int64_t days); /* 0: Sunday */
int swp_date_month_length(int64_t year, int month);

#endif
