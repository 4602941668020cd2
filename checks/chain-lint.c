/* Shapes first (which members, of what kind), then meaning: names, variables, and what would make an evaluation say something
 * else than its author meant.
 */
#include "checks/chain-lint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checks/chain-plan.h"
#include "checks/correlation.h"
#include "checks/shape.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/base/text.h"

/* --- shapes --- */

static const char *const severity_words[] = {"INFO", "LOW", "MEDIUM", "HIGH", "CRITICAL", NULL};
static const char *const basis_words[] = {"resource", "region", "account", NULL};
static const char *const over_words[] = {"account", "organization", NULL};
static const char *const unread_list_words[] = {"count", "ignore", NULL};

/* What an alternative of a leg, and a leg that is its own only alternative, may say. */
#define ALTERNATIVE_MEMBERS                                                                                  \
	{.name = "finding", .kind = SWP_MEMBER_ANY}, {.name = "fact", .kind = SWP_MEMBER_TEXT},              \
		{.name = "relation", .kind = SWP_MEMBER_TEXT}, {.name = "bind", .kind = SWP_MEMBER_MAP},     \
		{.name = "value", .kind = SWP_MEMBER_ANY},                                                   \
		{.name = "missing", .kind = SWP_MEMBER_WORD, .words = swp_missing_words},                    \
	{                                                                                                    \
		.name = "unread_list", .kind = SWP_MEMBER_WORD, .words = unread_list_words                   \
	}

static const struct swp_member alternative_members[] = {ALTERNATIVE_MEMBERS, {0}};
static const struct swp_shape alternative_shape = {"member of an alternative", alternative_members};

static const struct swp_member leg_members[] = {
	{.name = "name", .kind = SWP_MEMBER_TEXT, .required = true},
	{.name = "any", .kind = SWP_MEMBER_OBJECTS, .shape = &alternative_shape},
	{.name = "at_least", .kind = SWP_MEMBER_NUMBER},
	ALTERNATIVE_MEMBERS,
	{0},
};
static const struct swp_shape leg_shape = {"member of a leg", leg_members};

static const struct swp_member amplifier_members[] = {
	{.name = "name", .kind = SWP_MEMBER_TEXT, .required = true},
	{.name = "finding", .kind = SWP_MEMBER_ANY, .required = true},
	{.name = "bind", .kind = SWP_MEMBER_MAP},
	{0},
};
static const struct swp_shape amplifier_shape = {"member of an amplifier", amplifier_members};

static const struct swp_member path_members[] = {
	{.name = "name", .kind = SWP_MEMBER_TEXT, .required = true},
	{.name = "legs", .kind = SWP_MEMBER_OBJECTS, .required = true, .shape = &leg_shape},
	{0},
};
static const struct swp_shape path_shape = {"member of a path", path_members};

static const struct swp_member narrative_members[] = {
	{.name = "confirmed", .kind = SWP_MEMBER_TEXT, .required = true},
	{.name = "unverified", .kind = SWP_MEMBER_TEXT},
	{0},
};
static const struct swp_shape narrative_shape = {"member of 'narrative'", narrative_members};

static const struct swp_member chain_members[] = {
	{.name = "name", .kind = SWP_MEMBER_TEXT, .required = true},
	{.name = "severity", .kind = SWP_MEMBER_WORD, .required = true, .words = severity_words},
	{.name = "basis", .kind = SWP_MEMBER_WORD, .required = true, .words = basis_words},
	{.name = "over", .kind = SWP_MEMBER_WORD, .words = over_words},
	{.name = "account", .kind = SWP_MEMBER_TEXT},
	{.name = "legs", .kind = SWP_MEMBER_OBJECTS, .shape = &leg_shape},
	{.name = "paths", .kind = SWP_MEMBER_OBJECTS, .shape = &path_shape},
	{.name = "amplifiers", .kind = SWP_MEMBER_OBJECTS, .shape = &amplifier_shape},
	{.name = "different", .kind = SWP_MEMBER_ANY},
	{.name = "instance", .kind = SWP_MEMBER_TEXTS, .required = true},
	{.name = "regions", .kind = SWP_MEMBER_TEXTS},
	{.name = "resources", .kind = SWP_MEMBER_TEXTS},
	{.name = "regions_not_assessed", .kind = SWP_MEMBER_TEXTS},
	{.name = "narrative", .kind = SWP_MEMBER_OBJECT, .required = true, .shape = &narrative_shape},
	{.name = "not_shown", .kind = SWP_MEMBER_TEXT, .required = true},
	{.name = "references", .kind = SWP_MEMBER_TEXTS},
	{0},
};
static const struct swp_shape chain_shape = {"member of a chain", chain_members};

static const struct swp_member joined_members[] = {
	{.name = "over", .kind = SWP_MEMBER_WORD, .words = over_words},
	{.name = "relation", .kind = SWP_MEMBER_TEXT, .required = true},
	{.name = "fact", .kind = SWP_MEMBER_TEXT, .required = true},
	{.name = "value", .kind = SWP_MEMBER_ANY},
	{.name = "missing", .kind = SWP_MEMBER_WORD, .words = swp_missing_words},
	{.name = "none", .kind = SWP_MEMBER_WORD, .words = swp_missing_words},
	{0},
};
static const struct swp_shape joined_shape = {"member of 'joined'", joined_members};

/* --- names --- */

struct names {		    /* borrowed texts */
	const char **items; /* owned */
	size_t count, capacity;
};

static void names_done(struct names *names)
{
	swp_free(names->items);
}

static int names_add(struct names *names, const char *name)
{
	if (!name)
		return 0;
	if (names->count == names->capacity) {
		size_t capacity = names->capacity ? names->capacity * 2 : 64;
		const char **items = swp_realloc(names->items, capacity * sizeof(*items));

		if (!items)
			return -ENOMEM;
		names->items = items;
		names->capacity = capacity;
	}
	names->items[names->count++] = name;
	return 0;
}

static bool names_have(const struct names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (swp_text_equal(names->items[i], name))
			return true;
	return false;
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* Facts or relations of one resource kind. */
static int names_add_rows(struct names *names, const json_t *resource, const char *list, const char *member)
{
	const json_t *row;
	size_t i;
	int r = 0;

	json_array_foreach(json_object_get(resource, list), i, row) if (r == 0) r =
		names_add(names, text_of(row, member));
	return r;
}

struct linter {
	struct swp_lint *lint;
	const json_t *catalogue;
	struct names checks, facts, relations;
	bool over_accounts;
	/* of the chain at hand */
	const char *variables[SWP_LIMIT_CHAIN_VARIABLES]; /* those that legs and amplifiers bind */
	size_t variable_count;
	uint32_t bound; /* by a leg of some path */
	uint32_t instance;
};

static void linter_done(struct linter *self)
{
	names_done(&self->checks);
	names_done(&self->facts);
	names_done(&self->relations);
}

static int linter_init(struct linter *self, struct swp_lint *lint, const json_t *catalogue)
{
	const char *name;
	json_t *row;
	int r;

	*self = (struct linter){.lint = lint, .catalogue = catalogue};
	r = names_add(&self->facts, SWP_FACT_ORGANIZATION_ACCOUNT);
	json_object_foreach(json_object_get(catalogue, "checks"), name, row) if (r == 0) r =
		names_add(&self->checks, name);
	json_object_foreach(json_object_get(catalogue, "resources"), name, row)
	{
		if (r == 0)
			r = names_add_rows(&self->facts, row, "facts", "fact");
		if (r == 0)
			r = names_add_rows(&self->relations, row, "relations", "relation");
	}
	if (r < 0)
		linter_done(self);
	return r;
}

static void check_name(struct linter *self, const json_t *container, const char *key, const char *what,
	const char *name, const struct names *known)
{
	if (!names_have(known, name))
		swp_lint_unknown(self->lint, container, key, what, name, known->items, known->count);
}

/* --- variables --- */

/* The variable's bit; 0 when it is not known and `add` is false, or there are too many. */
static uint32_t variable_bit(struct linter *self, const char *name, bool add)
{
	for (size_t i = 0; i < self->variable_count; i++)
		if (strcmp(self->variables[i], name) == 0)
			return 1u << i;
	if (!add || self->variable_count == SWP_LIMIT_CHAIN_VARIABLES)
		return 0;
	self->variables[self->variable_count] = name;
	return 1u << self->variable_count++;
}

/* A variable must be one of `allowed`. */
static uint32_t known_variable(
	struct linter *self, const json_t *container, const char *key, const char *name, uint32_t allowed)
{
	const char *names[SWP_LIMIT_CHAIN_VARIABLES];
	size_t count = 0;
	uint32_t bit = variable_bit(self, name, false);

	if (bit & allowed)
		return bit;
	for (size_t i = 0; i < self->variable_count; i++)
		if (allowed & (1u << i))
			names[count++] = self->variables[i];
	swp_lint_unknown(self->lint, container, key, "variable", name, names, count);
	return 0;
}

static uint32_t variables_of_list(struct linter *self, const json_t *chain, const char *key, uint32_t allowed)
{
	const json_t *list = json_object_get(chain, key), *name;
	uint32_t mask = 0;
	size_t i;

	json_array_foreach(list, i, name)
	{
		char index[32];

		snprintf(index, sizeof(index), "[%zu]", i);
		if (json_is_string(name))
			mask |= known_variable(self, list, index, json_string_value(name), allowed);
	}
	return mask;
}

static bool is_variable_name(const char *name)
{
	return name[0] && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name);
}

static uint32_t bind_variable(struct linter *self, const json_t *bind, const char *name, const json_t *column,
	enum swp_leg_kind kind)
{
	const char *words[SWP_COLUMN_COUNT];
	size_t count = 0;
	uint32_t bit;

	for (int i = 0; i < SWP_COLUMN_COUNT; i++)
		if (swp_column_word(kind, (enum swp_column)i))
			words[count++] = swp_column_word(kind, (enum swp_column)i);
	for (size_t i = 0; i <= count; i++) {
		if (i == count) {
			swp_lint_unknown(self->lint, bind, name, "column",
				json_is_string(column) ? json_string_value(column) : "", words, count);
			return 0;
		}
		if (swp_text_equal(words[i], json_string_value(column)))
			break;
	}
	if (!is_variable_name(name)) {
		swp_lint_fault(
			self->lint, bind, name, "a variable is named with small letters, digits and _");
		return 0;
	}
	bit = variable_bit(self, name, true);
	if (!bit)
		swp_lint_fault(self->lint, bind, name, "more than %d variables in one chain",
			SWP_LIMIT_CHAIN_VARIABLES);
	return bit;
}

static uint32_t bind_variables(struct linter *self, const json_t *row, enum swp_leg_kind kind)
{
	const json_t *bind = json_object_get(row, "bind");
	const char *name;
	json_t *column;
	uint32_t mask = 0;

	json_object_foreach((json_t *)bind, name, column) mask |=
		bind_variable(self, bind, name, column, kind);
	return mask;
}

/* The variable that the column is bound to; 0 none. */
static uint32_t bound_to(
	struct linter *self, const json_t *row, enum swp_leg_kind kind, enum swp_column column)
{
	const char *name;
	json_t *word;

	json_object_foreach(json_object_get(row, "bind"), name,
		word) if (swp_text_equal(swp_column_word(kind, column),
				  json_string_value(word))) return variable_bit(self, name, false);
	return 0;
}

/* --- alternatives --- */

static void check_finding_id(
	struct linter *self, const json_t *container, const char *key, const json_t *value)
{
	const char *id = json_string_value(value);
	const json_t *check = id ? json_object_get(json_object_get(self->catalogue, "checks"), id) : NULL;
	const char *over = text_of(json_object_get(check, "joined"), "over");

	if (!id)
		swp_lint_fault(
			self->lint, container, key, "'finding' takes the id of a check, or a list of them");
	else
		check_name(self, container, key, "check", id, &self->checks);
	if (!self->over_accounts && swp_text_equal(over, "organization"))
		swp_lint_fault(self->lint, container, key,
			"'%.200s' is joined over the organization: the chain must be, too ('over: "
			"organization')",
			id);
}

static void check_finding(struct linter *self, const json_t *row)
{
	const json_t *finding = json_object_get(row, "finding"), *id;
	size_t i;

	if (!json_is_array(finding)) {
		check_finding_id(self, row, "finding", finding);
		return;
	}
	if (json_array_size(finding) == 0 || json_array_size(finding) > SWP_LIMIT_CHAIN_ALTERNATIVES)
		swp_lint_fault(self->lint, row, "finding", "one to %d checks", SWP_LIMIT_CHAIN_ALTERNATIVES);
	json_array_foreach(finding, i, id)
	{
		char index[32];

		snprintf(index, sizeof(index), "[%zu]", i);
		check_finding_id(self, finding, index, id);
	}
}

static void check_fact_name(struct linter *self, const json_t *row, const char *key)
{
	const char *fact = text_of(row, key);

	check_name(self, row, key, "fact", fact, &self->facts);
	if (!self->over_accounts && swp_text_equal(fact, SWP_FACT_ORGANIZATION_ACCOUNT))
		swp_lint_fault(self->lint, row, key,
			"the member list is known at the sweep's end: 'over: organization'");
}

static void check_value(struct linter *self, const json_t *row)
{
	const json_t *value = json_object_get(row, "value");

	if (json_is_object(value) || json_is_array(value) || json_is_null(value))
		swp_lint_fault(self->lint, row, "value",
			"'value' takes a text, number, true or false; \"*\" is any");
}

static void refuse_members(struct linter *self, const json_t *row, enum swp_leg_kind kind)
{
	static const char *const only_facts[] = {"value", "missing"};

	for (size_t i = 0; kind != SWP_LEG_FACT && i < SWP_ARRAY_SIZE(only_facts); i++)
		if (json_object_get(row, only_facts[i]))
			swp_lint_fault(self->lint, row, only_facts[i], "only a fact has '%s'", only_facts[i]);
	if (kind != SWP_LEG_FINDING && json_object_get(row, "unread_list"))
		swp_lint_fault(self->lint, row, "unread_list", "only a finding has 'unread_list'");
}

/* One alternative; gives the variables that it binds. `before`: variables of earlier legs. */
static uint32_t check_alternative(struct linter *self, const json_t *row, uint32_t before)
{
	enum swp_leg_kind kind = SWP_LEG_KIND_COUNT;
	unsigned kinds = 0;
	uint32_t mask;

	for (int i = 0; i < SWP_LEG_KIND_COUNT; i++) {
		if (json_object_get(row, swp_leg_kind_word((enum swp_leg_kind)i))) {
			kind = (enum swp_leg_kind)i;
			kinds++;
		}
	}
	if (kinds != 1) {
		swp_lint_fault(self->lint, row, NULL,
			"exactly one of 'finding', 'fact', 'relation' (or 'any' with alternatives)");
		return 0;
	}
	refuse_members(self, row, kind);
	mask = bind_variables(self, row, kind);
	if (kind == SWP_LEG_FINDING)
		check_finding(self, row);
	if (kind == SWP_LEG_FACT) {
		check_fact_name(self, row, "fact");
		check_value(self, row);
		if (json_object_get(row, "missing") &&
			!(bound_to(self, row, kind, SWP_COLUMN_SUBJECT) & before))
			swp_lint_fault(self->lint, row, "missing",
				"'missing' needs a subject that an earlier leg binds");
	}
	if (kind == SWP_LEG_RELATION) {
		check_name(self, row, "relation", "relation", text_of(row, "relation"), &self->relations);
		if (bound_to(self, row, kind, SWP_COLUMN_OBJECT) & before)
			swp_lint_fault(self->lint, row, "bind",
				"a relation stands before the legs about its object");
	}
	return mask;
}

/* --- legs --- */

struct leg {
	const json_t *row;
	uint32_t variables;
};

static uint32_t check_leg(struct linter *self, const json_t *row, uint32_t before)
{
	const json_t *any = json_object_get(row, "any"), *alternative;
	uint32_t mask = 0, own;
	size_t i;

	if (!any)
		return check_alternative(self, row, before);
	for (int k = 0; k < SWP_LEG_KIND_COUNT; k++)
		if (json_object_get(row, swp_leg_kind_word((enum swp_leg_kind)k)))
			swp_lint_fault(self->lint, row, NULL,
				"'any' stands instead of 'finding', 'fact' or 'relation'");
	if (json_array_size(any) == 0 || json_array_size(any) > SWP_LIMIT_CHAIN_ALTERNATIVES)
		swp_lint_fault(
			self->lint, row, "any", "one to %d alternatives", SWP_LIMIT_CHAIN_ALTERNATIVES);
	json_array_foreach(any, i, alternative)
	{
		own = check_alternative(self, alternative, before);
		if (i > 0 && own != mask)
			swp_lint_fault(self->lint, alternative, NULL,
				"all alternatives of a leg bind the same variables");
		mask = i == 0 ? own : mask;
	}
	return mask;
}

static void check_at_least(struct linter *self, const struct leg *legs, size_t count, size_t index)
{
	const json_t *row = legs[index].row, *at_least = json_object_get(row, "at_least");
	uint32_t others = 0;

	if (!at_least)
		return;
	for (size_t i = 0; i < count; i++)
		if (i != index)
			others |= legs[i].variables;
	if (!json_is_integer(at_least) || json_integer_value(at_least) < 2 ||
		json_integer_value(at_least) > SWP_LIMIT_CHAIN_TUPLES)
		swp_lint_fault(self->lint, row, "at_least", "'at_least' takes a whole number above 1");
	if (legs[index].variables & others & ~self->instance)
		swp_lint_fault(self->lint, row, "at_least",
			"a counted leg shares no variable with others but the instance's");
	if (json_object_get(row, "any") || json_is_array(json_object_get(row, "finding")))
		swp_lint_fault(self->lint, row, "at_least", "a counted leg has one check, fact or relation");
}

/* Over accounts a leg that is joined with nothing would be multiplied with the whole organization. */
static void check_connected(struct linter *self, const struct leg *legs, size_t count)
{
	for (size_t i = 0; self->over_accounts && count > 1 && i < count; i++) {
		uint32_t others = 0;

		for (size_t k = 0; k < count; k++)
			if (k != i)
				others |= legs[k].variables;
		if (!(legs[i].variables & others))
			swp_lint_fault(self->lint, legs[i].row, "name",
				"leg '%.100s' shares no variable with another leg",
				text_of(legs[i].row, "name"));
	}
}

/* An amplifier is looked up by the instance, or by one leg's rows. */
static void check_amplifiers(struct linter *self, const json_t *chain, const struct leg *legs, size_t count)
{
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(chain, "amplifiers"), i, row)
	{
		uint32_t shared = check_alternative(self, row, 0) & self->bound & ~self->instance;
		bool held = shared == 0, elsewhere = true;

		for (size_t k = 0; k < count; k++) {
			held |= (shared & ~legs[k].variables) == 0;
			elsewhere &= (shared & legs[k].variables) == 0;
		}
		if (!held && !elsewhere)
			swp_lint_fault(self->lint, row, "bind",
				"what an amplifier shares with the chain is the instance's, or of one leg");
	}
}

static size_t collect_legs(struct linter *self, const json_t *rows, struct leg *legs)
{
	const json_t *row;
	uint32_t before = 0;
	size_t i, count = 0;

	json_array_foreach(rows, i, row)
	{
		if (count == SWP_LIMIT_CHAIN_LEGS)
			break;
		legs[count].row = row;
		legs[count].variables = check_leg(self, row, before);
		before |= legs[count++].variables;
	}
	self->bound |= before;
	return count;
}

struct path {
	const json_t *rows;
	struct leg legs[SWP_LIMIT_CHAIN_LEGS];
	size_t count;
};

static uint32_t path_variables(const struct path *path)
{
	uint32_t mask = 0;

	for (size_t i = 0; i < path->count; i++)
		mask |= path->legs[i].variables;
	return mask;
}

static void check_path(struct linter *self, const json_t *chain, const struct path *path)
{
	uint32_t unbound = self->instance & ~path_variables(path);

	if (json_array_size(path->rows) == 0 ||
		json_array_size(path->rows) + json_array_size(json_object_get(chain, "amplifiers")) >
			SWP_LIMIT_CHAIN_LEGS)
		swp_lint_fault(self->lint, chain, "legs", "one to %d legs, amplifiers included",
			SWP_LIMIT_CHAIN_LEGS);
	for (size_t i = 0; i < self->variable_count; i++)
		if (unbound & (1u << i))
			swp_lint_fault(self->lint, chain, "instance", "no leg binds '%s' in each path",
				self->variables[i]);
	for (size_t i = 0; i < path->count; i++)
		check_at_least(self, path->legs, path->count, i);
	check_connected(self, path->legs, path->count);
	check_amplifiers(self, chain, path->legs, path->count);
}

/* --- the rest of a chain --- */

static void check_template(struct linter *self, const json_t *container, const char *key)
{
	const char *text = text_of(container, key), *open, *close;

	for (; text && (open = strchr(text, '{')); text = close + 1) {
		char name[64];
		size_t length;

		close = strchr(open, '}');
		length = close ? (size_t)(close - open - 1) : sizeof(name);
		if (length >= sizeof(name)) {
			swp_lint_fault(self->lint, container, key, "a '{' without its '}'");
			return;
		}
		memcpy(name, open + 1, length);
		name[length] = '\0';
		if (strcmp(name, "account") !=
			0) /* only what names the instance: a narrative never depends on filters */
			known_variable(self, container, key, name, self->instance);
	}
}

static void check_texts(struct linter *self, const json_t *chain, const struct path *paths, size_t count)
{
	const json_t *narrative = json_object_get(chain, "narrative");
	size_t most = 0;

	for (size_t i = 0; i < count; i++)
		most = paths[i].count > most ? paths[i].count : most;
	if (most > 1 && !json_object_get(narrative, "unverified"))
		swp_lint_fault(
			self->lint, chain, "narrative", "a chain of several legs needs 'unverified', too");
	check_template(self, narrative, "confirmed");
	check_template(self, narrative, "unverified");
	check_template(self, chain, "not_shown");
}

static void check_different(struct linter *self, const json_t *chain)
{
	const json_t *pairs = json_object_get(chain, "different"), *pair;
	size_t i;

	if (pairs && !json_is_array(pairs))
		swp_lint_fault(
			self->lint, chain, "different", "'different' takes a list of pairs of variables");
	json_array_foreach(pairs, i, pair)
	{
		char index[32];

		snprintf(index, sizeof(index), "[%zu]", i);
		if (json_array_size(pair) != 2 || !json_is_string(json_array_get(pair, 0)) ||
			!json_is_string(json_array_get(pair, 1))) {
			swp_lint_fault(
				self->lint, pairs, index, "'different' takes a list of pairs of variables");
			continue;
		}
		for (size_t k = 0; k < 2; k++)
			known_variable(
				self, pairs, index, json_string_value(json_array_get(pair, k)), self->bound);
	}
}

static void check_account(struct linter *self, const json_t *chain)
{
	const char *account = text_of(chain, "account");

	if (self->over_accounts && !account)
		swp_lint_fault(self->lint, chain, "over",
			"over the organization 'account' names the variable that the report shows");
	if (!self->over_accounts && account)
		swp_lint_fault(self->lint, chain, "account", "'account' is for chains over the organization");
	if (self->over_accounts && account)
		known_variable(self, chain, "account", account, self->instance);
}

static size_t collect_paths(struct linter *self, const json_t *chain, struct path *paths)
{
	const json_t *rows = json_object_get(chain, "paths"), *legs = json_object_get(chain, "legs");
	size_t count = rows ? json_array_size(rows) : 1;

	if (!rows == !legs)
		swp_lint_fault(
			self->lint, chain, rows ? "paths" : NULL, "a chain has either 'legs' or 'paths'");
	if (count == 0 || count > SWP_LIMIT_CHAIN_PATHS) {
		swp_lint_fault(self->lint, chain, "paths", "one to %d paths", SWP_LIMIT_CHAIN_PATHS);
		return 0;
	}
	for (size_t i = 0; i < count; i++) {
		paths[i].rows = rows ? json_object_get(json_array_get(rows, i), "legs") : legs;
		paths[i].count = collect_legs(self, paths[i].rows, paths[i].legs);
	}
	return count;
}

static int check_chain(struct linter *self, const json_t *chain)
{
	static const char *const lists[] = {"regions", "resources", "regions_not_assessed"};
	struct path *paths = swp_calloc(SWP_LIMIT_CHAIN_PATHS, sizeof(*paths));
	size_t count;

	if (!paths)
		return -ENOMEM;
	self->over_accounts = swp_text_equal(text_of(chain, "over"), "organization");
	count = collect_paths(self, chain, paths);
	self->instance = variables_of_list(self, chain, "instance", self->bound);
	for (size_t i = 0; i < count; i++)
		check_path(self, chain, &paths[i]);
	for (size_t i = 0; i < SWP_ARRAY_SIZE(lists); i++)
		variables_of_list(self, chain, lists[i], self->bound);
	check_different(self, chain);
	check_account(self, chain);
	check_texts(self, chain, paths, count);
	swp_free(paths);
	return 0;
}

int swp_chain_lint(struct swp_lint *lint, const json_t *catalogue, const char *chain_id)
{
	const json_t *chains = json_object_get(catalogue, "chains");
	struct linter self;
	int r;

	if (!swp_shape_check(lint, chains, chain_id, &chain_shape))
		return 0;
	r = linter_init(&self, lint, catalogue);
	if (r < 0)
		return r;
	r = check_chain(&self, json_object_get(chains, chain_id));
	linter_done(&self);
	return r;
}

/* --- joined checks --- */

static int check_joined(struct linter *self, const json_t *check)
{
	const json_t *joined = json_object_get(check, "joined");
	const char *kind = text_of(check, "resource"), *relation = text_of(joined, "relation");
	const json_t *resource =
		kind ? json_object_get(json_object_get(self->catalogue, "resources"), kind) : NULL;
	struct names own = {0};
	int r = names_add_rows(&own, resource, "relations", "relation");

	if (r == 0 && resource) /* an unknown resource is told where checks are read */
		check_name(self, joined, "relation", "relation of that resource", relation, &own);
	names_done(&own);
	self->over_accounts = swp_text_equal(text_of(joined, "over"), "organization");
	check_fact_name(self, joined, "fact");
	check_value(self, joined);
	return r;
}

int swp_joined_lint(struct swp_lint *lint, const json_t *catalogue, const char *check_id)
{
	const json_t *check = json_object_get(json_object_get(catalogue, "checks"), check_id);
	struct linter self;
	int r;

	if (!json_object_get(check, "joined") || !swp_shape_check(lint, check, "joined", &joined_shape))
		return 0;
	r = linter_init(&self, lint, catalogue);
	if (r < 0)
		return r;
	r = check_joined(&self, check);
	linter_done(&self);
	return r;
}
