/*
 * Session policies: which of the simulator's operations one allows and denies.
 *
 * Effect, Action and NotAction are read; Resource must be "*" to allow, as nothing else is asked for here.
 */
#include "tests/simulator/credentials.h"

#include <jansson.h>

/* A string or a list of strings: does one match? */
static bool any_matches(const json_t *patterns, const char *action)
{
	size_t i;
	json_t *pattern;
	if (json_is_string(patterns))
		return swp_sim_text_glob_caseless(swp_sim_text_of(action), json_string_value(patterns));
	json_array_foreach(patterns, i, pattern)
	{
		if (json_is_string(pattern) &&
			swp_sim_text_glob_caseless(swp_sim_text_of(action), json_string_value(pattern)))
			return true;
	}
	return false;
}

static bool is_text_or_list(const json_t *value)
{
	return json_is_string(value) || json_is_array(value);
}

static int read_statement(const json_t *statement, uint64_t allowed[], uint64_t denied[])
{
	const char *effect = json_string_value(json_object_get(statement, "Effect"));
	const json_t *action = json_object_get(statement, "Action"),
		     *not_action = json_object_get(statement, "NotAction");
	if (effect == NULL || (strcmp(effect, "Allow") != 0 && strcmp(effect, "Deny") != 0))
		return -1;
	if (!is_text_or_list(action) && !is_text_or_list(not_action))
		return -1;
	if (!is_text_or_list(json_object_get(statement, "Resource")) ||
		!any_matches(json_object_get(statement, "Resource"), "*"))
		return -1;
	uint64_t *set = effect[0] == 'A' ? allowed : denied;
	unsigned number = 0;
	for (size_t s = 0; s < swp_sim_service_count; s++) {
		for (size_t o = 0; o < swp_sim_services[s]->operation_count; o++, number++) {
			const char *needed = swp_sim_services[s]->operations[o].action;
			if (needed == NULL)
				continue;
			if (action != NULL ? any_matches(action, needed) : !any_matches(not_action, needed))
				set[number / 64] |= UINT64_C(1) << (number % 64);
		}
	}
	return 0;
}

int swp_sim_policy_read(struct swp_sim_text policy, uint64_t allowed[SWP_SIM_OPERATION_WORDS],
	uint64_t denied[SWP_SIM_OPERATION_WORDS])
{
	int result = 0;
	size_t i;
	json_t *statement;
	memset(allowed, 0, SWP_SIM_OPERATION_WORDS * sizeof *allowed);
	memset(denied, 0, SWP_SIM_OPERATION_WORDS * sizeof *denied);
	json_t *document = json_loadb(policy.at, policy.size, JSON_REJECT_DUPLICATES, NULL);
	const json_t *statements = json_object_get(document, "Statement");
	if (json_is_object(statements))
		result = read_statement(statements, allowed, denied);
	else if (!json_is_array(statements) || json_array_size(statements) == 0)
		result = -1;
	json_array_foreach(statements, i, statement)
	{
		if (result == 0)
			result = read_statement(statement, allowed, denied);
	}
	json_decref(document);
	return result;
}
