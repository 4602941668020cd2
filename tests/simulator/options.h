/* The simulator's command line: one table, from which parsing and --help are made. */
#ifndef TESTS_SIMULATOR_OPTIONS_H
#define TESTS_SIMULATOR_OPTIONS_H

#include "tests/simulator/buffer.h"

#define SWP_SIM_LISTENS_MAX 16
#define SWP_SIM_FAULT_OPTIONS_MAX 256

struct swp_sim_options {
	const char *listen[SWP_SIM_LISTENS_MAX];
	size_t listen_count;
	const char *state;
	const char *organization;
	const char *regions;
	const char *role_name;
	const char *external_id;
	const char *ready_file;
	const char *environment_file;
	const char *log;
	const char *faults;
	const char *fault[SWP_SIM_FAULT_OPTIONS_MAX];
	size_t fault_count;
	uint64_t seed;
	uint64_t accounts;
	uint64_t latency_ms;
	uint64_t latency_jitter_ms;
	uint64_t session_seconds;
	uint64_t page_size;
	uint64_t processes;
	bool is_demo;
	bool is_plain;
	bool dies_with_parent;
	bool hides_paths;
	bool hides_states;
	bool has_empty_page;
	bool is_no_organization;
	bool lists_faults;
	bool prints_organization;
	bool asks_help;
};

/* 0, or -1 with a message for the user. Texts are borrowed from arguments. */
int swp_sim_options_parse(
	int count, char **arguments, struct swp_sim_options *ret, struct swp_sim_buffer *error);
/* The help text, from the table. */
void swp_sim_options_help(struct swp_sim_buffer *into);

#endif
