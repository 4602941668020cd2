/*
 * Reading JSON without building a tree: request bodies and the documents that are served are only looked into.
 *
 * Everything borrows the text it was given. Nothing allocates but the decoding of a string.
 */
#ifndef TESTS_SIMULATOR_JSON_TEXT_H
#define TESTS_SIMULATOR_JSON_TEXT_H

#include "tests/simulator/buffer.h"

/* Nesting that is read; deeper text counts as malformed. */
#define SWP_SIM_JSON_DEPTH_MAX 64

/* Walks the members of one object or the elements of one array. */
struct swp_sim_json_walk {
	const char *at;
	const char *end;
	bool is_object;
	bool started;
};

/* Is it one whole JSON value, and nothing but white space behind it? */
bool swp_sim_json_valid(struct swp_sim_text text);
/* First character of a value: { [ " t f n or a digit or minus; 0 for an empty text. */
char swp_sim_json_kind(struct swp_sim_text value);
/* Starts a walk. False when the value is neither object nor array. The text must be valid JSON. */
bool swp_sim_json_walk_init(struct swp_sim_json_walk *walk, struct swp_sim_text value);
/* Next member or element; *ret_name is raw (escapes not decoded), empty in arrays. False at the end. */
bool swp_sim_json_walk_next(
	struct swp_sim_json_walk *walk, struct swp_sim_text *ret_name, struct swp_sim_text *ret_value);
/* Value of a member of an object. False when it is not there. The text must be valid JSON. */
bool swp_sim_json_member(
	struct swp_sim_text object, struct swp_sim_text name, struct swp_sim_text *ret_value);
/* Content of a string value, escapes decoded (\u as UTF-8), appended to `into`; other values as they stand. */
void swp_sim_json_string(struct swp_sim_buffer *into, struct swp_sim_text value);

#endif
