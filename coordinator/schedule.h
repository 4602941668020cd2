/* When a named sweep is due: a cron expression in a time zone, or every so often. A pure module: texts and times come in, times go out.
 *
 * `schedule`: five fields, minute, hour, day of the month, month, day of the week (0 to 7, 0 and 7 are Sunday), each `*`, or a list of
 * numbers and ranges (`1,3,10-20`); also by name (jan, mon), with steps behind `*` or a range (`*`/15, 8-18/2), and @hourly, @daily,
 * @midnight, @weekly, @monthly, @yearly, @annually. Months always restrict. Where both the day of the month and the day of the week
 * are restricted, either is enough, as in POSIX.1-2017, crontab: "if either the month or day of month is specified as an element or
 * list, and the day of week is also specified as an element or list, then any day matching either the month and day of month, or the
 * day of week, shall be matched". POSIX has no steps; as in Debian's cron a field with `*` in it (also in a step) restricts nothing by
 * that rule, and then both must match.
 *
 * When clocks are changed: a time that does not exist that day is due once, at the moment right after the gap (several of them, and
 * that moment's own time, are one run); a time that exists twice is due the first time only. So an hourly cron expression has a pause
 * of two hours in the night in which clocks are put back. `every` knows no clocks: it counts hours, whatever they are called.
 *
 * `every`: 30s to 366d from one due time to the next, so that neither jitter nor a late start adds up.
 * `jitter`: each run begins so much after its due time at most; how much is told by the sweep's name and the due time alone, so that
 * two coordinators agree.
 */
#ifndef SWP_COORDINATOR_SCHEDULE_H
#define SWP_COORDINATOR_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/zone.h"
#include "proto/base/error.h"

#define SWP_SCHEDULE_LIMIT_TEXT_BYTES 256 /* an expression: all sixty minutes in a list have 170 */
#define SWP_SCHEDULE_LEAST_EVERY_MS 30000
#define SWP_SCHEDULE_MOST_JITTER_MS 86400000
#define SWP_SCHEDULE_LIMIT_MISSED 10000 /* more are told as "that many or more" */
/* A run whose start is so far back at most is begun, not missed: a new leader needs 15 s, a restart of the service some more. */
#define SWP_SCHEDULE_LATE_MS 60000
/* A last run that is so far ahead of the clock means that the clock was wrong then; what is less far ahead is waited for. */
#define SWP_SCHEDULE_CLOCK_BACK_MS 3600000

/* As in the configuration file; NULL: not there. */
struct swp_schedule_text {
	const char *schedule, *every; /* one of them */
	const char *timezone;	      /* with `schedule` only; without it UTC */
	const char *jitter;   /* a duration, 0 to 24h, and not longer than the time between two runs */
	const char *catch_up; /* true or false; without it false */
};

struct swp_schedule {
	int64_t every_ms;				 /* 0: by the fields that follow */
	uint64_t minutes, hours, days, months, weekdays; /* bit N: N is in it; Sunday is 0 */
	bool either;					 /* of day of the month and day of the week */
	struct swp_zone *zone;				 /* owned; NULL: UTC */
	int64_t jitter_ms;
	bool catch_up;
};

/* `load_zone` is swp_zone_load (coordinator/zone-file.h) but in tests. -EINVAL: `problem` names the key, what is wrong and, where there is
 * one, the nearest name. -ENOMEM. On failure *ret_schedule needs no done. */
int swp_schedule_parse(const struct swp_schedule_text *text,
	int (*load_zone)(const char *name, struct swp_zone **ret_zone, struct swp_problem *problem),
	struct swp_schedule *ret_schedule, struct swp_problem *problem);
void swp_schedule_done(struct swp_schedule *schedule);

/* The due time that follows `after_ms` (itself not; for `every`: a due time). Wall clock, milliseconds since 1970, here and below;
 * taken as 0 to the end of 9999. */
int64_t swp_schedule_next(const struct swp_schedule *schedule, int64_t after_ms);
/* When the run of that due time begins: due_ms to due_ms + jitter. */
int64_t swp_schedule_start(const struct swp_schedule *schedule, const char *name, int64_t due_ms);

/* What the caller keeps in the store, for each sweep and text of its schedule. */
struct swp_schedule_past {
	int64_t since_ms; /* when this text was first seen: what would have been due before is no matter. `every` begins with it. */
	int64_t last_ms; /* due time of the run that was begun last, or of those that were told as missed; or the start of one that was
			   * begun by hand; -1: none */
};
struct swp_schedule_due {
	int64_t due_ms;	  /* of the run that is to begin now, or else next */
	int64_t start_ms; /* when it begins; not after now: now */
	bool caught_up;	  /* it is begun now for one that was missed, which is among them */
	unsigned
		missed; /* due since `last`, not begun, and not begun any more; at most SWP_SCHEDULE_LIMIT_MISSED */
	int64_t missed_until_ms; /* due time of the last of them: as `last_ms` from now on they are not told again */
};
/* `name`: the sweep's. No overlap: the caller asks when no run of that sweep is at work; those that were due meanwhile are missed, but one
 * that is no more than SWP_SCHEDULE_LATE_MS late. */
void swp_schedule_due(const struct swp_schedule *schedule, const char *name,
	const struct swp_schedule_past *past, int64_t now_ms, struct swp_schedule_due *ret_due);

#endif
