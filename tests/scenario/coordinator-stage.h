/* The stage on which a sweep is played: the coordinator's whole core with credentials, organization and store of the script, and
 * workers that the test plays. Two members and a management account, one region; the catalogue has one check a region.
 */
#ifndef SWP_TESTS_SCENARIO_COORDINATOR_STAGE_H
#define SWP_TESTS_SCENARIO_COORDINATOR_STAGE_H

#include "coordinator/sweep.h"
#include "tests/scenario/player.h"

#define STAGE_MANAGEMENT "111111111111"
#define STAGE_MEMBER "222222222222"
#define STAGE_REGION "eu-west-1"
#define STAGE_WORKER 1 /* the peer */
#define STAGE_CALLS_BEFORE                                                                                   \
	1000 /* that its workers say they have made, before there was anything to do here */

struct coordinator_stage {
	struct swp_loop *loop;
	struct swp_catalogue *catalogue;
	struct swp_selection selection;
	struct swp_sweep_options options;
	struct swp_store_options store;
	struct swp_endpoint_options endpoints;
	struct swp_sweep *sweep;
	char folder[64];
	bool finished, store_away;
	unsigned answer_times; /* of the healthy organization's answers; 0: once each */
	struct swp_sweep_result result;
	struct swp_problem problem;
};
extern struct coordinator_stage stage;

/* Answers of a healthy organization: identity, description, one page with `count` member accounts beside the management
 * account (ids 2222…, 3333…), sessions, regions (one enabled). */
void stage_answer_identity(void);
void stage_answer_listed(unsigned members); /* the accounts without the names of their units */
void stage_answer_accounts(unsigned members);
void stage_answer_sessions(void);
/* Prepares; options may be changed; then stage_start. */
void stage_open(const char *scenario);
void stage_start(void);
/* The `finished` of swp_sweep_events, for a sweep that a test makes itself. */
void stage_finished(void *context, const struct swp_sweep_result *result);
void stage_free_sweep(void); /* the coordinator ends, and says so to its workers */
void stage_close(void);

void stage_check(bool condition, const char *what);
/* The key "w" is allowed, under that name. */
void stage_let_in(void);
/* A worker greets; takes its welcome and, if the plan is known, the sweep. */
void stage_greet(swp_bus_peer peer, unsigned credits);
void stage_take_plan(swp_bus_peer peer);
/* The next job of that peer. */
struct stage_job {
	uint64_t job, epoch, attempt, level;
	char account[16], region[32], access_key_id[64];
	size_t keys;
};
struct stage_job stage_take_job(swp_bus_peer peer);
/* What a worker does: seals the job's record in the store (1, 0, -1 as the script says), and tells. */
int64_t stage_seal(const struct stage_job *job);
void stage_done(swp_bus_peer peer, const struct stage_job *job, unsigned how);
/* Heartbeats each second while `ms` go by, naming the jobs; with stage.store_away they say that the worker can't commit. */
void stage_beat(swp_bus_peer peer, const struct stage_job *jobs, size_t count, int64_t ms);
/* Seals and tells whatever that peer is given until the sweep has finished. */
void stage_work_all(swp_bus_peer peer);
void stage_until_finished(int64_t limit_ms);
/* A field of the sweep's row. */
const char *stage_meta(const char *field);

#endif
