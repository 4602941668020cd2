/*
 * Faults: what the simulator does wrong on purpose, by account, region and operation.
 *
 * A fault is a row of the shared table. It applies to a call when its three globs match, `after` matching calls have
 * gone by, it has been used fewer than `times` times, and the dice (from the seed) say so. The first that applies wins.
 * Kinds are one table, from which parsing, --list-faults and the README's list are made.
 */
#ifndef TESTS_SIMULATOR_FAULTS_H
#define TESTS_SIMULATOR_FAULTS_H

#include "tests/simulator/buffer.h"

#include <stdatomic.h>
#include <stdio.h>

struct swp_sim_call;
struct swp_sim_shared;

/* A generated test has one per check, call and kind; more than this is a mistake of the test. */
#define SWP_SIM_FAULTS_MAX 1024

/* What happens to the answer on its way out. */
enum swp_sim_delivery {
	SWP_SIM_DELIVER,
	SWP_SIM_DELIVER_THEN_CLOSE, /* what is written is sent as it is, then the connection ends */
	SWP_SIM_DELIVER_NOTHING,    /* never answered; the client has to give up */
	SWP_SIM_CLOSE_BEFORE_ANSWER,
	SWP_SIM_RESET,
};

enum swp_sim_fault_group {
	SWP_SIM_FAULT_ERROR,	/* an error instead of the answer */
	SWP_SIM_FAULT_DELIVERY, /* how the answer is sent */
	SWP_SIM_FAULT_BODY,	/* the answer's bytes are changed */
	SWP_SIM_FAULT_PAGES,	/* the tokens of lists are changed */
	SWP_SIM_FAULT_NAMES,	/* names of the documents are changed */
	SWP_SIM_FAULT_STATE,	/* documents are not there */
};

enum swp_sim_fault_argument {
	SWP_SIM_FAULT_ALONE,
	SWP_SIM_FAULT_WITH_NUMBER,
	SWP_SIM_FAULT_WITH_PATH,
};

struct swp_sim_fault_row {
	const char *name;
	enum swp_sim_fault_group group;
	enum swp_sim_fault_argument argument;
	uint64_t number; /* when none is given */
	uint64_t times;	 /* when none is given; 0: always */
	const char *help;
};

/* Plain data: lives in the mapping that the processes share. Empty globs match everything. */
struct swp_sim_fault {
	unsigned kind; /* row of swp_sim_fault_rows */
	char account[64];
	char region[40];
	char operation[96]; /* service:operation */
	char path[192];
	char policy[192]; /* ARN that a refusal names; empty: none */
	uint64_t number;
	uint64_t times;
	uint64_t after;
	uint64_t retry_after_ms;
	double probability;
	atomic_uint_fast64_t matched;
	atomic_uint_fast64_t injected;
};

extern const struct swp_sim_fault_row swp_sim_fault_rows[];
extern const size_t swp_sim_fault_row_count;

/*
 * Reads 'account=…,region=…,operation=…,kind=…,times=N,after=N,probability=0.5,retry-after=MS,policy=ARN'.
 * 0, or -1 with a message in *error (owned by the caller's buffer).
 */
int swp_sim_fault_parse_option(
	const char *text, struct swp_sim_fault *ret_fault, struct swp_sim_buffer *error);
/* Reads a JSON document: one fault, a list of them, or {"faults": [...]}, and adds them. 0, or -1 and a message. */
int swp_sim_faults_add_json(
	struct swp_sim_shared *shared, struct swp_sim_text json, struct swp_sim_buffer *error);
/* 0, or -1 when the table is full. */
int swp_sim_faults_add(struct swp_sim_shared *shared, const struct swp_sim_fault *fault);
void swp_sim_faults_clear(struct swp_sim_shared *shared);
/* The faults and how often each was used, as a JSON array. */
void swp_sim_faults_print(struct swp_sim_shared *shared, struct swp_sim_buffer *into);

/* The fault for this call, counted as used; NULL when none applies. */
const struct swp_sim_fault *swp_sim_faults_choose(struct swp_sim_call *call);
/* Has the call this kind of fault? */
bool swp_sim_call_has_fault(const struct swp_sim_call *call, const char *kind);

/* Kinds that answer instead of AWS. True when the call is answered. */
bool swp_sim_fault_answers(struct swp_sim_call *call);
/* Kinds that change an answer which is written. */
void swp_sim_fault_changes_answer(struct swp_sim_call *call);
/* Kinds of delivery; *ret_delay_ms is added to the latency. */
enum swp_sim_delivery swp_sim_fault_delivery(const struct swp_sim_fault *fault, uint64_t *ret_delay_ms);

/* What the faults of names append; a request for a name that ends so finds the document of the plain name. */
#define SWP_SIM_NAME_WITH_NUL "\0nul"
#define SWP_SIM_NAME_WITH_ESCAPES "\x1b[31m\n<script>"

/* The table of kinds as Markdown. */
void swp_sim_faults_list(FILE *file);

/* Refusals by policies, in AWS's wording; also used where the simulation itself refuses. */
enum swp_sim_refusal {
	SWP_SIM_REFUSED_IDENTITY_EXPLICIT,
	SWP_SIM_REFUSED_IDENTITY_IMPLICIT,
	SWP_SIM_REFUSED_RESOURCE_EXPLICIT,
	SWP_SIM_REFUSED_RESOURCE_IMPLICIT,
	SWP_SIM_REFUSED_SCP_EXPLICIT,
	SWP_SIM_REFUSED_SCP_IMPLICIT,
	SWP_SIM_REFUSED_RCP_EXPLICIT,
	SWP_SIM_REFUSED_RCP_IMPLICIT,
	SWP_SIM_REFUSED_BOUNDARY_EXPLICIT,
	SWP_SIM_REFUSED_BOUNDARY_IMPLICIT,
	SWP_SIM_REFUSED_ENDPOINT_EXPLICIT,
	SWP_SIM_REFUSED_ENDPOINT_IMPLICIT,
	SWP_SIM_REFUSED_SESSION_EXPLICIT,
	SWP_SIM_REFUSED_SESSION_IMPLICIT,
	SWP_SIM_REFUSED_UNTOLD,
};
void swp_sim_call_refuse(
	struct swp_sim_call *call, enum swp_sim_refusal refusal, const char *resource, const char *policy);

#endif
