/* The stage on which a worker is played: a worker with one coordinator (the test), a small catalogue of its own, and helpers to look at
 * what it committed. Its service "things" is listed in eu-west-1 only and has one check (a thing is open); the global service "roster" has one
 * check of an account's names and one of the organization's teams.
 */
#ifndef SWP_TESTS_SCENARIO_WORKER_STAGE_H
#define SWP_TESTS_SCENARIO_WORKER_STAGE_H

#include "checks/catalogue.h"
#include "tests/scenario/player.h"
#include "worker/worker.h"

#define STAGE_SWEEP "s1"
#define STAGE_ACCOUNT "123456789012"
#define STAGE_REGION "eu-west-1"
#define STAGE_HOST "things.eu-west-1.amazonaws.com"
#define STAGE_STS "sts.eu-west-1.amazonaws.com"

struct stage {
	struct swp_loop *loop;
	struct swp_worker *worker;
	struct swp_catalogue *catalogue;
	struct swp_bus_keys keys;
	int exit_code;	       /* -1 until the worker ended */
	unsigned long fail_at; /* the nth allocation from a job's arrival on fails; 0: none */
};
extern struct stage stage;

/* A worker that was welcomed and knows the sweep. */
void stage_open(const char *scenario);
/* The same, but nobody answered its greeting yet. */
void stage_open_alone(const char *scenario, unsigned coordinators);
void stage_welcome(unsigned link);
void stage_sweep(unsigned link);      /* tells of the sweep, and sends the catalogue that it asks for */
void stage_name_sweep(unsigned link); /* tells of a sweep that it knows */
void stage_close(void);

/* Grants a job in the store and sends it; the region's default is STAGE_REGION. */
void stage_job(uint64_t number, const char *region);
/* How many sessions the credentials of later jobs and renewals have: 1 or 2. */
void stage_sessions(unsigned count);
/* As stage_job, with an epoch of one's own (nothing is granted) and a time at which its credentials end; negative: they never do. */
void stage_job_with(
	unsigned link, uint64_t number, uint64_t epoch, const char *region, int64_t expires_in_ms);
/* The account's global job, or the organization's. */
void stage_job_of_level(uint64_t number, enum swp_level level);
void stage_credentials(uint64_t number, uint64_t epoch, uint64_t refused);
void stage_cancel(uint64_t number, uint64_t epoch, bool all);

/* Takes DONE and checks it. */
void stage_expect_done(uint64_t number, uint64_t epoch, enum swp_done_how how);
/* What is sealed under that region part of the key: the state and reason of the one cell, and how many rows of results with each status there are. */
struct stage_record {
	bool sealed, answered;
	uint32_t parts;
	unsigned status, reason, not_applicable;
	unsigned rows[4];
	uint64_t calls, throttled, vanished;
	char first_gap_code[64];
};
struct stage_record stage_record(const char *region);
void stage_expect_cell(const char *region, unsigned status, unsigned reason);
const char *stage_key(const char *region);
void stage_check(bool condition, const char *what);
/* What the worker's metrics say: a sample by its name (without orgsweep_worker_) and labels, as it is written. */
void stage_expect_metric(const char *sample, double value);
/* Can it take jobs? NULL: yes; else what must stand in the reason. */
void stage_expect_ready(const char *why_not);

/* Bodies of the answers. */
#define ONE_THING "{\"Things\": [{\"Arn\": \"arn:1\", \"Name\": \"one\"}]}"
#define OPEN_THING "{\"Arn\": \"arn:1\", \"State\": \"Open\"}"
#define CLOSED_THING "{\"Arn\": \"arn:1\", \"State\": \"Closed\"}"

#endif
