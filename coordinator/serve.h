/* `orgsweep serve`: leads or stands by, begins sweeps when they are due, goes on with those that another leader began, writes their
 * reports. Settings are read by the command; this knows no files but reports.
 */
#ifndef SWP_COORDINATOR_SERVE_H
#define SWP_COORDINATOR_SERVE_H

#include "coordinator/metrics.h"
#include "coordinator/schedule.h"
#include "coordinator/settings.h"

#define SWP_SERVE_DRAIN_MS 30000 /* so long a stop waits for running jobs */

/* A named sweep and its settings. Owned by the serve once it was given. */
struct swp_scheduled {
	struct swp_scheduled *next;
	char *name;
	struct swp_settings settings;
	struct swp_schedule schedule;
	char *text; /* of the schedule, for telling whether it was changed */
	unsigned max_share_percent;
	bool json; /* a report in that format */
	/* internal */
	struct swp_schedule_past past;
	struct swp_sweep *sweep;
	struct swp_resume *resume;
	struct swp_sweep_result result;
	struct swp_problem problem;
	bool finished, retired;
	char reported
		[80]; /* id of the last one of that name whose report was written; "" none, as far as the store knows */
	bool newest_seen;
	int64_t complete_ms; /* wall: when one of that name was complete last, as far as the store knows; 0: never */
	int64_t resume_at_ms; /* monotonic; its sweep lost the store and is to be gone on with; 0: none */
};
void swp_scheduled_free(struct swp_scheduled *scheduled); /* not while its sweep runs; takes NULL */
void swp_scheduled_free_all(struct swp_scheduled *list);  /* it, and all that follow; takes NULL */

struct swp_serve; /* opaque */

struct swp_serve_options { /* borrowed for life */
	const struct swp_sweep_options
		*common; /* workers, listen, keys, state folder … of the whole service */
	const struct swp_store_options *store;
	const char *reports;			 /* folder; NULL: none are written */
	struct swp_coordinator_metrics *metrics; /* what is told to; NULL: nobody asks */
};
/* NULL: `problem` tells. Takes the list in any case. */
struct swp_serve *swp_serve_new(struct swp_loop *loop, const struct swp_serve_options *options,
	struct swp_scheduled *scheduled, struct swp_problem *problem);
void swp_serve_free(struct swp_serve *serve); /* what runs stays resumable; takes NULL */

/* What can't be done from inside of a call-back; after each round of the loop. 0, or what ends the service: `problem` tells. */
int swp_serve_work(struct swp_serve *serve, struct swp_problem *problem);
/* The numbers of this moment into the metrics that it was given. May be called from inside of a call-back. */
void swp_serve_tell_metrics(const struct swp_serve *serve);
/* Other settings from now on; takes the list. Sweeps that run keep theirs. */
void swp_serve_reload(struct swp_serve *serve, struct swp_scheduled *scheduled);
/* No new jobs; running ones finish. */
void swp_serve_drain(struct swp_serve *serve);
/* It is drained, or SWP_SERVE_DRAIN_MS are over. */
bool swp_serve_is_drained(const struct swp_serve *serve);

enum swp_serve_state {
	SWP_SERVE_CONNECTING, /* the store has not answered yet */
	SWP_SERVE_STANDING_BY,
	SWP_SERVE_LEADING,
};
/* `ret_why`: for people; borrowed. */
enum swp_serve_state swp_serve_state(const struct swp_serve *serve, const char **ret_why);
unsigned swp_serve_running(const struct swp_serve *serve); /* sweeps */

#endif
