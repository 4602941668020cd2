#include "coordinator/enumeration.h"

#include <errno.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/base/log.h"

enum step {
	STEP_DESCRIBE,
	STEP_FILTERS, /* the branches that filters name */
	STEP_ACCOUNTS,
	STEP_UNITS,	/* no Paths: every OU and its accounts, when filters need them */
	STEP_UNMATCHED, /* an OU entry matched no account's OU: does the OU exist at all? */
	STEP_NAMES,
	STEP_END,
};

struct swp_enumeration {
	struct swp_aws_asker *asker;
	struct swp_organization *organization;
	struct swp_scope *scope;
	struct swp_enumeration_events events;
	char region[32];
	struct swp_aws_ask ask;
	struct swp_unit
		*asked; /* the unit that the present ask is about; NULL: roots, or the whole organization */
	enum step step;
	bool roots_asked, roots_refused, full, any_account, units_refused, units_told, end_told;
};

static void advance(struct swp_enumeration *enumeration);

/* --- asking --- */

static int start(struct swp_enumeration *enumeration, enum swp_coordinator_operation operation, json_t *input,
	int (*page)(struct swp_aws_ask *ask, const json_t *document),
	void (*done)(struct swp_aws_ask *ask, const struct swp_said *said))
{
	struct swp_aws_ask_options options = {
		.operation = operation, .region = enumeration->region, .input = input};

	return swp_aws_ask_start(&enumeration->ask, enumeration->asker, &options, page, done);
}

static struct swp_enumeration *of(struct swp_aws_ask *ask)
{
	return SWP_CONTAINER_OF(ask, struct swp_enumeration, ask);
}

static void fail(struct swp_enumeration *enumeration, const struct swp_said *said, const char *fix)
{
	struct swp_problem problem;

	swp_problem_set(&problem, -EACCES, "%s: %s: %s%s%s%s; %s", said->action,
		said->error_code[0] ? said->error_code : swp_reason_name(said->reason), said->message,
		said->request_id[0] ? " (request " : "", said->request_id, said->request_id[0] ? ")" : "",
		fix);
	enumeration->events.failed(enumeration->events.context, &problem);
}

static const char fix_refused[] = "run it with credentials of the management account or of a delegated "
				  "administrator that may call Organizations, "
				  "or sweep the caller's own account alone with --no-org";

/* --- the organization --- */

static void described(struct swp_aws_ask *ask, const struct swp_said *said)
{
	struct swp_enumeration *enumeration = of(ask);
	struct swp_said malformed = *said;

	if (said->outcome == SWP_OUTCOME_NOT_IN_USE) {
		enumeration->events.not_in_use(enumeration->events.context);
		return;
	}
	if (said->outcome == SWP_OUTCOME_OK &&
		swp_organization_read_description(enumeration->organization, said->document) != 0) {
		malformed.reason = SWP_REASON_MALFORMED_RESPONSE;
		malformed.message = "the answer lacks the organization's id or management account";
		said = &malformed;
	} else if (said->outcome == SWP_OUTCOME_OK) {
		enumeration->step = STEP_FILTERS;
		enumeration->events.described(enumeration->events.context);
		advance(enumeration);
		return;
	}
	fail(enumeration, said, fix_refused);
}

/* --- units --- */

static int units_page(struct swp_aws_ask *ask, const json_t *document)
{
	struct swp_enumeration *enumeration = of(ask);

	return swp_organization_read_units(enumeration->organization, document, enumeration->asked);
}

static bool names_are_needed(const struct swp_enumeration *enumeration)
{
	return enumeration->step == STEP_FILTERS ||
	       (enumeration->step == STEP_UNITS && swp_scope_needs_units(enumeration->scope));
}

static void unit_said(struct swp_aws_ask *ask, const struct swp_said *said)
{
	struct swp_enumeration *enumeration = of(ask);

	if (said->outcome == SWP_OUTCOME_OK) {
		advance(enumeration);
		return;
	}
	if (names_are_needed(enumeration)) {
		fail(enumeration, said,
			"--ou, --exclude-ou and roles by OU need it: grant it, or name accounts instead");
		return;
	}
	swp_log(SWP_LOG_WARNING, "organization.names",
		"names of organizational units could not be read; paths stay unknown",
		SWP_LOG_S("action", said->action),
		SWP_LOG_S("unit", enumeration->asked ? enumeration->asked->id : ""),
		SWP_LOG_S("error_code", said->error_code), SWP_LOG_S("error", said->message),
		SWP_LOG_S("request_id", said->request_id));
	/* A refusal of one is a refusal of all; asking for each would only be noise in CloudTrail. */
	enumeration->units_refused = true;
	advance(enumeration);
}

static int ask_roots(struct swp_enumeration *enumeration)
{
	enumeration->asked = NULL;
	enumeration->roots_asked = true;
	return start(enumeration, SWP_CALL_LIST_ROOTS, NULL, units_page, unit_said);
}

static int ask_children(struct swp_enumeration *enumeration, struct swp_unit *unit)
{
	enumeration->asked = unit;
	unit->children_named = true;
	return start(enumeration, SWP_CALL_LIST_ORGANIZATIONAL_UNITS_FOR_PARENT, swp_input_parent(unit->id),
		units_page, unit_said);
}

static int accounts_page(struct swp_aws_ask *ask, const json_t *document);

static int ask_accounts_of(struct swp_enumeration *enumeration, struct swp_unit *unit)
{
	enumeration->asked = unit;
	unit->accounts_asked = true;
	return start(enumeration, SWP_CALL_LIST_ACCOUNTS_FOR_PARENT, swp_input_parent(unit->id),
		accounts_page, unit_said);
}

/* The unit whose children are to be asked for next in this step; NULL: none. */
static struct swp_unit *next_parent(const struct swp_enumeration *enumeration)
{
	for (struct swp_unit *unit = enumeration->organization->units; unit; unit = unit->next) {
		if (enumeration->step == STEP_FILTERS) {
			if (!unit->children_named && swp_scope_needs_children(enumeration->scope, unit))
				return unit;
		} else if (enumeration->full) {
			if (!unit->children_named)
				return unit;
		} else if (!unit->name && unit->parent && !unit->parent->children_named) {
			return unit->parent;
		}
	}
	return NULL;
}

static bool some_root_is_unnamed(const struct swp_enumeration *enumeration)
{
	for (const struct swp_unit *unit = enumeration->organization->units; unit; unit = unit->next)
		if (!unit->parent && !unit->name)
			return true;
	return false;
}

static struct swp_unit *next_to_ask_for_accounts(const struct swp_enumeration *enumeration)
{
	for (struct swp_unit *unit = enumeration->organization->units; unit; unit = unit->next)
		if (!unit->accounts_asked)
			return unit;
	return NULL;
}

/* One call of a walk. 1: it runs; 0: the walk is at its end; -ENOMEM. */
static int walk(struct swp_enumeration *enumeration, bool with_accounts)
{
	struct swp_unit *unit;
	int error;

	if (enumeration->units_refused)
		return 0;
	if (!enumeration->roots_asked &&
		(enumeration->step != STEP_NAMES || enumeration->full || some_root_is_unnamed(enumeration))) {
		error = ask_roots(enumeration);
		return error < 0 ? error : 1;
	}
	unit = next_parent(enumeration);
	if (unit) {
		error = ask_children(enumeration, unit);
		return error < 0 ? error : 1;
	}
	unit = with_accounts ? next_to_ask_for_accounts(enumeration) : NULL;
	if (!unit)
		return 0;
	error = ask_accounts_of(enumeration, unit);
	return error < 0 ? error : 1;
}

/* --- accounts --- */

static void account_found(struct swp_account *account, void *context)
{
	struct swp_enumeration *enumeration = context;

	enumeration->any_account = true;
	enumeration->events.listed(enumeration->events.context, account);
}

static int accounts_page(struct swp_aws_ask *ask, const json_t *document)
{
	struct swp_enumeration *enumeration = of(ask);
	bool whole = enumeration->step == STEP_ACCOUNTS;

	/* ListAccountsForParent tells where accounts are; one that ListAccounts did not tell is listed all the same. */
	int error = swp_organization_read_accounts(enumeration->organization, document,
		whole ? NULL : enumeration->asked, account_found, enumeration);

	return error == SWP_ORGANIZATION_FULL ? -E2BIG : error;
}

static void tell_listed_all(struct swp_enumeration *enumeration, const struct swp_said *broke)
{
	if (enumeration->end_told)
		return;
	enumeration->end_told = true;
	enumeration->events.listed_all(enumeration->events.context, broke);
}

static void accounts_said(struct swp_aws_ask *ask, const struct swp_said *said)
{
	struct swp_enumeration *enumeration = of(ask);

	if (said->outcome != SWP_OUTCOME_OK && !enumeration->any_account) {
		fail(enumeration, said, fix_refused);
		return;
	}
	enumeration->step = STEP_UNITS;
	if (said->outcome != SWP_OUTCOME_OK) {
		swp_log(SWP_LOG_ERROR, "organization.incomplete",
			"the list of accounts broke off; what is known is swept",
			SWP_LOG_S("action", said->action), SWP_LOG_S("reason", swp_reason_name(said->reason)),
			SWP_LOG_S("error_code", said->error_code), SWP_LOG_S("error", said->message),
			SWP_LOG_S("request_id", said->request_id));
		tell_listed_all(enumeration, said);
	}
	advance(enumeration);
}

/* --- steps --- */

static bool unmatched_unit(const struct swp_enumeration *enumeration)
{
	enum swp_scope_list list;
	const char *entry;

	return swp_scope_needs_units(enumeration->scope) &&
	       swp_scope_unmatched(enumeration->scope, &list, &entry);
}

static void see_units(struct swp_enumeration *enumeration)
{
	for (const struct swp_unit *unit = enumeration->organization->units; unit; unit = unit->next)
		swp_scope_see_unit(enumeration->scope, unit);
}

/* Runs one call of the present step; 1: it runs, 0: the step is done, -ENOMEM. */
static int run_step(struct swp_enumeration *enumeration)
{
	switch (enumeration->step) {
	case STEP_DESCRIBE:
		return start(enumeration, SWP_CALL_DESCRIBE_ORGANIZATION, NULL, NULL, described) < 0 ? -ENOMEM
												     : 1;
	case STEP_FILTERS:
		return swp_scope_needs_unit_names(enumeration->scope) ? walk(enumeration, false) : 0;
	case STEP_ACCOUNTS:
		return start(enumeration, SWP_CALL_LIST_ACCOUNTS, swp_input_list_accounts(), accounts_page,
			       accounts_said) < 0
			       ? -ENOMEM
			       : 1;
	case STEP_UNITS:
		enumeration->full = !enumeration->organization->has_paths;
		if (enumeration->full && swp_scope_needs_units(enumeration->scope))
			return walk(enumeration, true);
		return 0;
	case STEP_UNMATCHED:
		enumeration->full = enumeration->full || unmatched_unit(enumeration);
		return unmatched_unit(enumeration) ? walk(enumeration, false) : 0;
	case STEP_NAMES:
		return walk(enumeration, !enumeration->organization->has_paths);
	case STEP_END:
		return 0;
	}
	return 0;
}

/* What the end of a step means to others. */
static void step_ended(struct swp_enumeration *enumeration)
{
	enum step ended = enumeration->step++;

	if (ended == STEP_UNITS && swp_scope_needs_units(enumeration->scope) && !enumeration->units_told) {
		enumeration->units_told = true;
		enumeration->events.units_known(enumeration->events.context);
	}
	if (ended == STEP_UNMATCHED) {
		see_units(enumeration);
		/* The walk for names goes on beside the jobs; only this one looked everywhere. */
		enumeration->full = !enumeration->organization->has_paths;
		tell_listed_all(enumeration, NULL);
	}
}

static void advance(struct swp_enumeration *enumeration)
{
	while (enumeration->step < STEP_END) {
		int running = run_step(enumeration);

		if (running > 0)
			return;
		if (running < 0 && enumeration->step <= STEP_ACCOUNTS) {
			struct swp_problem problem;

			swp_problem_set(&problem, running, "out of memory");
			enumeration->events.failed(enumeration->events.context, &problem);
			return;
		}
		if (running < 0)
			enumeration->units_refused = true; /* names are what can be done without */
		step_ended(enumeration);
	}
	enumeration->events.named(enumeration->events.context);
}

struct swp_enumeration *swp_enumeration_start(struct swp_aws_asker *asker,
	struct swp_organization *organization, struct swp_scope *scope, const char *region,
	const struct swp_enumeration_events *events)
{
	struct swp_enumeration *enumeration = swp_calloc(1, sizeof(*enumeration));

	if (!enumeration)
		return NULL;
	enumeration->asker = asker;
	enumeration->organization = organization;
	enumeration->scope = scope;
	enumeration->events = *events;
	memcpy(enumeration->region, region, strnlen(region, sizeof(enumeration->region) - 1));
	if (run_step(enumeration) < 0) {
		swp_free(enumeration);
		return NULL;
	}
	return enumeration;
}

void swp_enumeration_free(struct swp_enumeration *enumeration)
{
	if (!enumeration)
		return;
	swp_aws_ask_cancel(&enumeration->ask);
	swp_free(enumeration);
}
