#include "coordinator/scope.h"

#include <errno.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

static const struct {
	const char *option;
	bool units;
} list_rows[SWP_SCOPE_LIST_COUNT] = {
	[SWP_SCOPE_ACCOUNTS] = {"--accounts", false},
	[SWP_SCOPE_EXCLUDE_ACCOUNTS] = {"--exclude-accounts", false},
	[SWP_SCOPE_OU] = {"--ou", true},
	[SWP_SCOPE_EXCLUDE_OU] = {"--exclude-ou", true},
};

const char *swp_scope_list_option(enum swp_scope_list list)
{
	return list_rows[list].option;
}

int swp_scope_init(struct swp_scope *scope, const struct swp_sweep_options *options)
{
	memset(scope, 0, sizeof(*scope));
	scope->lists[SWP_SCOPE_ACCOUNTS] = &options->accounts;
	scope->lists[SWP_SCOPE_EXCLUDE_ACCOUNTS] = &options->exclude_accounts;
	scope->lists[SWP_SCOPE_OU] = &options->ou;
	scope->lists[SWP_SCOPE_EXCLUDE_OU] = &options->exclude_ou;
	scope->roles = options->roles;
	scope->role_count = options->role_count;
	for (size_t i = 0; i < SWP_SCOPE_LIST_COUNT; i++) {
		scope->matched[i] = swp_calloc(scope->lists[i]->count + 1, sizeof(bool));
		if (!scope->matched[i])
			return -ENOMEM;
	}
	return 0;
}

void swp_scope_done(struct swp_scope *scope)
{
	for (size_t i = 0; i < SWP_SCOPE_LIST_COUNT; i++) {
		swp_free(scope->matched[i]);
		scope->matched[i] = NULL;
	}
}

static bool is_unit_id(const char *entry)
{
	return swp_text_starts(entry, "ou-") || swp_text_starts(entry, "r-");
}

bool swp_scope_needs_units(const struct swp_scope *scope)
{
	if (scope->lists[SWP_SCOPE_OU]->count || scope->lists[SWP_SCOPE_EXCLUDE_OU]->count)
		return true;
	for (size_t i = 0; i < scope->role_count; i++)
		if (scope->roles[i].ou.count)
			return true;
	return false;
}

/* Visits every OU entry, those of role rows too, until `visit` says true. */
static bool any_unit_entry(const struct swp_scope *scope,
	bool (*visit)(const char *entry, const void *context), const void *context)
{
	for (size_t list = 0; list < SWP_SCOPE_LIST_COUNT; list++)
		for (size_t i = 0; list_rows[list].units && i < scope->lists[list]->count; i++)
			if (visit(scope->lists[list]->items[i], context))
				return true;
	for (size_t row = 0; row < scope->role_count; row++)
		for (size_t i = 0; i < scope->roles[row].ou.count; i++)
			if (visit(scope->roles[row].ou.items[i], context))
				return true;
	return false;
}

static bool entry_is_path(const char *entry, const void *context)
{
	(void)context;
	return !is_unit_id(entry);
}

bool swp_scope_needs_unit_names(const struct swp_scope *scope)
{
	return any_unit_entry(scope, entry_is_path, NULL);
}

/* --- paths --- */

/* The next segment of an entry, into `segment`; false at the end, or when it is too long to be an OU's name (128). */
static bool next_segment(const char **at, char segment[static 256])
{
	size_t length;

	while (**at == '/')
		(*at)++;
	length = strcspn(*at, "/");
	if (length == 0 || length >= 256)
		return false;
	memcpy(segment, *at, length);
	segment[length] = '\0';
	*at += length;
	return true;
}

/* From the root down to the unit; returns how many, 0 when a parent or a name is unknown or it is too deep. */
#define MAX_DEPTH 16 /* AWS nests OUs five deep */
static size_t unit_chain(const struct swp_unit *unit, const struct swp_unit *ret_chain[static MAX_DEPTH])
{
	size_t count = 0;

	for (const struct swp_unit *at = unit; at; at = at->parent) {
		if (!at->name || count == MAX_DEPTH)
			return 0;
		ret_chain[count++] = at;
	}
	for (size_t i = 0; i < count / 2; i++) {
		const struct swp_unit *swap = ret_chain[i];

		ret_chain[i] = ret_chain[count - 1 - i];
		ret_chain[count - 1 - i] = swap;
	}
	return count;
}

enum path_match {
	PATH_NO,
	PATH_ABOVE, /* the chain ends before the entry does: something below may match */
	PATH_YES,   /* the unit, or one above it, is what the entry names */
};

static enum path_match match_from(const char *entry, const struct swp_unit *const *chain, size_t count)
{
	char segment[256];
	const char *at = entry;

	for (size_t i = 0; next_segment(&at, segment); i++) {
		if (i == count)
			return PATH_ABOVE;
		if (!swp_glob_match(segment, chain[i]->name))
			return PATH_NO;
	}
	return at == entry ? PATH_NO : PATH_YES;
}

static enum path_match match_path(const char *entry, const struct swp_unit *unit)
{
	const struct swp_unit *chain[MAX_DEPTH];
	size_t count = unit_chain(unit, chain);
	enum path_match with_root, without;

	if (count == 0)
		return PATH_NO;
	with_root = match_from(entry, chain, count);
	without = match_from(entry, chain + 1, count - 1);
	return with_root > without ? with_root : without;
}

static bool unit_matches(const char *entry, const struct swp_unit *unit)
{
	if (!is_unit_id(entry))
		return match_path(entry, unit) == PATH_YES;
	for (; unit; unit = unit->parent)
		if (swp_glob_match(entry, unit->id))
			return true;
	return false;
}

static bool entry_may_be_below(const char *entry, const void *unit)
{
	return !is_unit_id(entry) && match_path(entry, unit) == PATH_ABOVE;
}

bool swp_scope_needs_children(const struct swp_scope *scope, const struct swp_unit *unit)
{
	return any_unit_entry(scope, entry_may_be_below, unit);
}

/* --- accounts --- */

static bool account_matches(const char *entry, const struct swp_account *account)
{
	if (strcmp(entry, "management") == 0 && account->management)
		return true;
	return swp_glob_match(entry, account->id) ||
	       (account->name[0] && swp_glob_match(entry, account->name));
}

static bool list_matches(struct swp_scope *scope, enum swp_scope_list list, const struct swp_account *account)
{
	bool any = false;

	for (size_t i = 0; i < scope->lists[list]->count; i++) {
		const char *entry = scope->lists[list]->items[i];
		bool matches = list_rows[list].units ? account->unit && unit_matches(entry, account->unit)
						     : account_matches(entry, account);

		if (matches)
			scope->matched[list][i] = any = true;
	}
	return any;
}

enum swp_scope_verdict swp_scope_decide(struct swp_scope *scope, const struct swp_account *account)
{
	bool in[SWP_SCOPE_LIST_COUNT];

	for (size_t i = 0; i < SWP_SCOPE_LIST_COUNT; i++)
		in[i] = list_matches(scope, (enum swp_scope_list)i, account);
	if (in[SWP_SCOPE_EXCLUDE_ACCOUNTS] || in[SWP_SCOPE_EXCLUDE_OU])
		return SWP_SCOPE_EXCLUDED;
	if (scope->lists[SWP_SCOPE_ACCOUNTS]->count && !in[SWP_SCOPE_ACCOUNTS])
		return SWP_SCOPE_NOT_ASKED_FOR;
	if (scope->lists[SWP_SCOPE_OU]->count && !in[SWP_SCOPE_OU])
		return SWP_SCOPE_NOT_ASKED_FOR;
	return SWP_SCOPE_IN;
}

void swp_scope_see_unit(struct swp_scope *scope, const struct swp_unit *unit)
{
	for (size_t list = 0; list < SWP_SCOPE_LIST_COUNT; list++)
		for (size_t i = 0; list_rows[list].units && i < scope->lists[list]->count; i++)
			if (unit_matches(scope->lists[list]->items[i], unit))
				scope->matched[list][i] = true;
}

bool swp_scope_unmatched(const struct swp_scope *scope, enum swp_scope_list *ret_list, const char **ret_entry)
{
	for (size_t list = 0; list < SWP_SCOPE_LIST_COUNT; list++)
		for (size_t i = 0; i < scope->lists[list]->count; i++)
			if (!scope->matched[list][i]) {
				*ret_list = (enum swp_scope_list)list;
				*ret_entry = scope->lists[list]->items[i];
				return true;
			}
	return false;
}

bool swp_scope_all_matched(const struct swp_scope *scope)
{
	enum swp_scope_list list;
	const char *entry;

	return !swp_scope_unmatched(scope, &list, &entry);
}

const struct swp_sweep_role *swp_scope_role(const struct swp_scope *scope, const struct swp_account *account)
{
	for (size_t row = 0; row < scope->role_count; row++) {
		const struct swp_sweep_role *role = &scope->roles[row];

		if (role->accounts.count == 0 && role->ou.count == 0)
			return role;
		for (size_t i = 0; i < role->accounts.count; i++)
			if (account_matches(role->accounts.items[i], account))
				return role;
		for (size_t i = 0; i < role->ou.count; i++)
			if (account->unit && unit_matches(role->ou.items[i], account->unit))
				return role;
	}
	return NULL;
}

/* --- the nearest name --- */

static size_t gather_units(const struct swp_organization *organization, const char *entry, const char **names)
{
	size_t count = 0;

	for (const struct swp_unit *unit = organization->units; unit; unit = unit->next) {
		struct swp_buf path = {0};
		const char *text = unit->id;

		if (!is_unit_id(entry)) {
			/* Entries are written without the root's name, so compare them so. */
			text = NULL;
			if (unit->parent && swp_unit_path(unit, &path) && strchr(swp_buf_text(&path), '/'))
				text = swp_region_strdup(
					organization->memory, strchr(swp_buf_text(&path), '/') + 1);
		}
		if (text)
			names[count++] = text;
		swp_buf_done(&path);
	}
	return count;
}

static size_t gather_accounts(const struct swp_organization *organization, const char **names)
{
	size_t count = 0;

	for (size_t i = 0; i < organization->count; i++) {
		names[count++] = organization->accounts[i]->id;
		if (organization->accounts[i]->name[0])
			names[count++] = organization->accounts[i]->name;
	}
	names[count++] = "management";
	return count;
}

const char *swp_scope_nearest(
	const struct swp_organization *organization, enum swp_scope_list list, const char *entry)
{
	size_t room = list_rows[list].units ? organization->unit_count : 2 * organization->count;
	const char **names = swp_calloc(room + 1, sizeof(*names));
	const char *nearest;
	size_t count;

	if (!names)
		return NULL;
	count = list_rows[list].units ? gather_units(organization, entry, names)
				      : gather_accounts(organization, names);
	nearest = swp_nearest_of_all(entry, names, count);
	swp_free(names);
	return nearest;
}
