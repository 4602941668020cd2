#include "coordinator/organization.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/clock.h"
#include "proto/base/error.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

#define LATEST_MS 253402300800000.0 /* the year 10000; beyond it a number is no date */

static const char *const state_names[] = {
	[SWP_ACCOUNT_ACTIVE] = "ACTIVE",
	[SWP_ACCOUNT_SUSPENDED] = "SUSPENDED",
	[SWP_ACCOUNT_PENDING_CLOSURE] = "PENDING_CLOSURE",
	[SWP_ACCOUNT_PENDING_ACTIVATION] = "PENDING_ACTIVATION",
	[SWP_ACCOUNT_CLOSED] = "CLOSED",
	[SWP_ACCOUNT_STATE_UNKNOWN] = "UNKNOWN",
};

const char *swp_account_state_name(enum swp_account_state state)
{
	return state_names[state];
}

enum swp_account_state swp_account_state_parse(const char *word)
{
	for (size_t i = 0; word && i < SWP_ARRAY_SIZE(state_names); i++)
		if (strcmp(word, state_names[i]) == 0)
			return (enum swp_account_state)i;
	return SWP_ACCOUNT_STATE_UNKNOWN;
}

bool swp_account_id_is_valid(const char *id)
{
	size_t length = 0;

	for (; id && id[length]; length++)
		if (length >= SWP_ACCOUNT_ID_BYTES - 1 || !isdigit((unsigned char)id[length]))
			return false;
	return length == SWP_ACCOUNT_ID_BYTES - 1;
}

int swp_organization_init(struct swp_organization *organization)
{
	memset(organization, 0, sizeof(*organization));
	organization->memory = swp_region_new(0);
	organization->by_id = swp_map_new();
	organization->units_by_id = swp_map_new();
	if (!organization->memory || !organization->by_id || !organization->units_by_id)
		return -ENOMEM;
	return 0;
}

void swp_organization_done(struct swp_organization *organization)
{
	swp_map_free(organization->by_id, NULL);
	swp_map_free(organization->units_by_id, NULL);
	swp_region_free(organization->memory);
	swp_free(organization->accounts);
	memset(organization, 0, sizeof(*organization));
}

struct swp_account *swp_organization_find(const struct swp_organization *organization, const char *id)
{
	return swp_map_get(organization->by_id, id);
}

static int make_room(struct swp_organization *organization)
{
	size_t capacity = organization->capacity ? organization->capacity * 2 : 64;
	struct swp_account **accounts;

	if (organization->count < organization->capacity)
		return 0;
	accounts = swp_realloc(organization->accounts, capacity * sizeof(*accounts));
	if (!accounts)
		return -ENOMEM;
	organization->accounts = accounts;
	organization->capacity = capacity;
	return 0;
}

struct swp_account *swp_organization_add(struct swp_organization *organization, const char *id)
{
	struct swp_account *account = swp_organization_find(organization, id);

	if (account)
		return account;
	SWP_ASSERT(swp_account_id_is_valid(id));
	if (organization->count >= SWP_LIMIT_ACCOUNTS || make_room(organization) < 0)
		return NULL;
	account = swp_region_alloc(organization->memory, sizeof(*account));
	if (!account || swp_map_put(organization->by_id, id, account, NULL) < 0)
		return NULL;
	memcpy(account->id, id, SWP_ACCOUNT_ID_BYTES);
	account->state = SWP_ACCOUNT_ACTIVE;
	account->not_planned_why = "";
	account->name = "";
	account->joined_at_ms = -1;
	account->management = strcmp(id, organization->management) == 0;
	organization->accounts[organization->count++] = account;
	return account;
}

struct swp_unit *swp_organization_unit(struct swp_organization *organization, const char *id)
{
	struct swp_unit *unit = swp_map_get(organization->units_by_id, id);

	if (unit)
		return unit;
	if (organization->unit_count >= SWP_LIMIT_ORGANIZATIONAL_UNITS)
		return NULL;
	unit = swp_region_alloc(organization->memory, sizeof(*unit));
	if (!unit || !(unit->id = swp_region_strdup(organization->memory, id)) ||
		swp_map_put(organization->units_by_id, id, unit, NULL) < 0)
		return NULL;
	if (organization->last_unit)
		organization->last_unit->next = unit;
	else
		organization->units = unit;
	organization->last_unit = unit;
	organization->unit_count++;
	return unit;
}

void swp_organization_set_parent(struct swp_unit *unit, struct swp_unit *parent)
{
	/* An answer that makes a ring would make every walk endless. */
	for (const struct swp_unit *above = parent; above; above = above->parent)
		if (above == unit)
			return;
	if (unit->parent)
		return;
	unit->parent = parent;
	unit->depth = parent ? parent->depth + 1 : 0;
}

void swp_organization_place(struct swp_account *account, struct swp_unit *unit)
{
	account->unit = unit;
	for (; unit && !unit->accounts_below; unit = unit->parent)
		unit->accounts_below = true;
}

static bool append_path(const struct swp_unit *unit, struct swp_buf *path)
{
	if (!unit->name)
		return false;
	if (unit->parent) {
		if (!append_path(unit->parent, path))
			return false;
		swp_buf_append_byte(path, '/');
	} else if (strncmp(unit->id, "r-", 2) != 0) {
		return false; /* its parents are not known */
	}
	swp_buf_append_text(path, unit->name);
	return true;
}

bool swp_unit_path(const struct swp_unit *unit, struct swp_buf *ret_path)
{
	size_t before = ret_path->length;

	if (unit && append_path(unit, ret_path))
		return true;
	if (!ret_path->failed)
		swp_buf_truncate(ret_path, before);
	return false;
}

/* --- answers --- */

static const char *member(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

int swp_organization_read_description(struct swp_organization *organization, const json_t *document)
{
	const json_t *description = json_object_get(document, "Organization");
	const char *id = member(description, "Id");
	const char *management = member(description, "MasterAccountId");

	if (!id || !*id || strlen(id) >= sizeof(organization->id) || !swp_account_id_is_valid(management))
		return SWP_ORGANIZATION_MALFORMED;
	memcpy(organization->id, id, strlen(id) + 1);
	memcpy(organization->management, management, SWP_ACCOUNT_ID_BYTES);
	for (size_t i = 0; i < organization->count; i++)
		organization->accounts[i]->management =
			strcmp(organization->accounts[i]->id, management) == 0;
	return 0;
}

static bool is_unit_id(const char *id)
{
	return swp_text_starts(id, "r-") || swp_text_starts(id, "ou-");
}

/* "o-x/r-y/ou-z/123456789012/": makes the units on the way; the last one, or NULL when there is none. */
static int read_path(struct swp_organization *organization, const char *path, struct swp_unit **ret_unit)
{
	struct swp_unit *unit = NULL;
	char id[64];

	while (*path) {
		size_t length = strcspn(path, "/");

		if (length > 0 && length < sizeof(id)) {
			memcpy(id, path, length);
			id[length] = '\0';
			if (is_unit_id(id)) {
				struct swp_unit *below = swp_organization_unit(organization, id);

				if (!below)
					return -ENOMEM;
				swp_organization_set_parent(below, unit);
				unit = below;
			}
		}
		path += length + (path[length] == '/');
	}
	*ret_unit = unit;
	return 0;
}

static int place_account(struct swp_organization *organization, struct swp_account *account,
	const json_t *row, struct swp_unit *unit)
{
	const char *path = json_string_value(json_array_get(json_object_get(row, "Paths"), 0));
	struct swp_unit *told = NULL;
	int error = 0;

	if (path)
		error = read_path(organization, path, &told);
	if (error < 0)
		return error;
	if (told)
		organization->has_paths = true;
	if (told || unit)
		swp_organization_place(account, told ? told : unit);
	return 0;
}

/* Seconds since 1970, as json 1.1 writes timestamps; text as some answer with. */
static int64_t read_time(const json_t *value)
{
	int64_t wall_ms;

	if (json_is_number(value)) {
		double ms = json_number_value(value) * 1000.0;

		return ms >= 0 && ms < LATEST_MS ? (int64_t)ms : -1;
	}
	if (json_is_string(value) && swp_time_parse(json_string_value(value), &wall_ms) == 0)
		return wall_ms;
	return -1;
}

static int read_account(struct swp_organization *organization, const json_t *row, struct swp_unit *unit,
	struct swp_account **ret_new)
{
	const char *id = member(row, "Id");
	const char *name = member(row, "Name");
	const char *state = member(row, "State");
	struct swp_account *account;
	bool known;

	*ret_new = NULL;
	if (!swp_account_id_is_valid(id))
		return SWP_ORGANIZATION_MALFORMED;
	if (!state)
		state = member(row, "Status"); /* retired in 2026, still what older simulators tell */
	if (!state)
		return SWP_ORGANIZATION_MALFORMED;
	known = swp_organization_find(organization, id) != NULL;
	if (!known && organization->count >= SWP_LIMIT_ACCOUNTS)
		return SWP_ORGANIZATION_FULL;
	account = swp_organization_add(organization, id);
	if (!account)
		return -ENOMEM;
	account->state = swp_account_state_parse(state);
	account->joined_at_ms = read_time(json_object_get(row, "JoinedTimestamp"));
	if (name && !(account->name = swp_region_strdup(organization->memory, name)))
		return -ENOMEM;
	*ret_new = known ? NULL : account;
	return place_account(organization, account, row, unit);
}

int swp_organization_read_accounts(struct swp_organization *organization, const json_t *document,
	struct swp_unit *unit, void (*found)(struct swp_account *account, void *context), void *context)
{
	const json_t *rows = json_object_get(document, "Accounts");
	const json_t *row;
	size_t index;

	if (!json_is_array(rows))
		return SWP_ORGANIZATION_MALFORMED;
	json_array_foreach(rows, index, row)
	{
		struct swp_account *account;
		int error = read_account(organization, row, unit, &account);

		if (error)
			return error;
		if (account && found)
			found(account, context);
	}
	return 0;
}

int swp_organization_read_units(
	struct swp_organization *organization, const json_t *document, struct swp_unit *parent)
{
	const json_t *rows = json_object_get(document, parent ? "OrganizationalUnits" : "Roots");
	const json_t *row;
	size_t index;

	if (!json_is_array(rows))
		return SWP_ORGANIZATION_MALFORMED;
	json_array_foreach(rows, index, row)
	{
		const char *id = member(row, "Id"), *name = member(row, "Name");
		struct swp_unit *unit;

		if (!id || !name || !is_unit_id(id) || strlen(id) >= 64)
			return SWP_ORGANIZATION_MALFORMED;
		unit = swp_organization_unit(organization, id);
		if (!unit || !(unit->name = swp_region_strdup(organization->memory, name)))
			return -ENOMEM;
		swp_organization_set_parent(unit, parent);
		if (unit->accounts_below && parent)
			parent->accounts_below = true;
	}
	return 0;
}
