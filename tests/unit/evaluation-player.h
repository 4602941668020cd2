/* Plays a job's evaluation against answers from a fixture, in a given order of answering, and writes down all that comes out as JSON.
 *
 * A fixture: {"checks": [globs], "level", "account", "region", "started_at", "answers": {"service:Operation": [ANSWER…]}, "expect": {…}}.
 * ANSWER: {"token": T or absent for the first page, "input": members that must be equal, and one of "document": {…}, "gone": true,
 * "not_offered": true, "failed": REASON with "code", "message"}. The first that fits counts.
 */
#ifndef SWP_TESTS_EVALUATION_PLAYER_H
#define SWP_TESTS_EVALUATION_PLAYER_H

#include <jansson.h>

#include "checks/evaluation.h"

struct player_call {
	const char *operation; /* "bedrock:ListGuardrails", borrowed */
	json_t *input;	       /* owned */
	char *token;	       /* owned; NULL: first page */
};
struct player {
	struct swp_catalogue *catalogue;
	const json_t *fixture;
	unsigned order;	     /* 0: as wanted; 1: the last first; else a seed */
	size_t fault_call;   /* index in the list of calls of an unspoiled play; SIZE_MAX: none */
	const json_t *fault; /* the ANSWER it gets instead */
	const struct player_call *fault_of;
	bool fault_any_token;	/* … and each further page of that call */
	void (*arm)(bool on);	/* called around each call into the evaluation; may be NULL */
	enum swp_reason unread; /* given to finish */
	size_t stop_after;	/* answers; 0: all */
	/* filled in */
	json_t *outcome; /* {"cells": {id: text}, "results": {id + " " + resource: {…}}, "facts": [..], "vanished": n} */
	struct player_call *calls;
	size_t call_count, call_capacity;
	int error;	 /* negative errno of the evaluation; the outcome is not whole then */
	bool unexpected; /* a call that the fixture does not answer; told on standard error */
};

/* The built-in catalogue, or (with `directory`) that one on top of it. Fails the test on a fault. */
struct swp_catalogue *player_catalogue(const char *directory);
json_t *player_load_fixture(const char *path);
void player_play(struct player *player);
void player_done(struct player *player);
/* Compares the outcome with fixture.expect; false: told on standard error. */
bool player_meets(const struct player *player, const char *name);

#endif
