/* Organizations stated in JSON. See organization-file.h and README.md. */
#include "tests/simulator/organization-file.h"

#include <jansson.h>
#include <stdlib.h>

struct reader {
	struct swp_sim_world *world;
	struct swp_sim_buffer *error;
	uint64_t regions;
};

static int fail(struct reader *reader, const char *what, const char *which)
{
	swp_sim_buffer_printf(
		reader->error, "organization: %s%s%s", what, which ? ": " : "", which ? which : "");
	return -1;
}

static const char *text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static char *copy_of(const json_t *object, const char *name, const char *otherwise)
{
	const char *text = text_of(object, name);
	return swp_sim_copy(text ? text : otherwise);
}

static bool flag_of(const json_t *object, const char *name, bool otherwise)
{
	const json_t *value = json_object_get(object, name);
	return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

/* A member nobody reads is a spelling mistake: a test would then test nothing. */
static int check_members(
	struct reader *reader, const json_t *object, const char *what, const char *const *known)
{
	const char *name;
	json_t *value;
	if (!json_is_object(object))
		return fail(reader, "an object is asked for", what);
	json_object_foreach((json_t *)object, name, value)
	{
		const char *const *at = known;
		while (*at != NULL && strcmp(*at, name) != 0)
			at++;
		if (*at == NULL) {
			swp_sim_buffer_printf(
				reader->error, "organization: %s has no member \"%s\"", what, name);
			return -1;
		}
	}
	return 0;
}
#define KNOWN(...) ((const char *const[]){__VA_ARGS__, NULL})

static int read_regions(struct reader *reader, const json_t *list, uint64_t *ret_regions)
{
	size_t i;
	json_t *name;
	uint64_t regions = 0;
	if (list == NULL)
		return 0;
	json_array_foreach(list, i, name)
	{
		unsigned region = swp_sim_region_find(swp_sim_text_of(json_string_value(name)));
		if (region == SWP_SIM_REGION_NONE)
			return fail(reader, "no such region", json_string_value(name));
		regions |= UINT64_C(1) << region;
	}
	*ret_regions = regions;
	return 0;
}

static int read_unit(struct reader *reader, const json_t *unit, size_t parent)
{
	const char *id = text_of(unit, "id"), *name = text_of(unit, "name");
	size_t i;
	json_t *child;
	if (check_members(reader, unit, "unit", KNOWN("id", "name", "organizational_units")) != 0)
		return -1;
	if (id == NULL || name == NULL)
		return fail(reader, "a unit needs id and name", id ? id : name);
	size_t number = swp_sim_world_add_unit(reader->world, id, name, parent);
	json_array_foreach(json_object_get(unit, "organizational_units"), i, child)
	{
		if (read_unit(reader, child, number) != 0)
			return -1;
	}
	return 0;
}

static int read_role(struct reader *reader, const json_t *row, struct swp_sim_account *account)
{
	const char *name = json_is_string(row) ? json_string_value(row) : text_of(row, "name");
	size_t i;
	json_t *id;
	if (name == NULL)
		return fail(reader, "a role needs a name", account->id);
	struct swp_sim_role *role = swp_sim_account_add_role(account, swp_sim_text_of(name));
	if (json_is_string(row))
		return 0;
	if (check_members(reader, row, "role", KNOWN("name", "external_id", "trusted")) != 0)
		return -1;
	if (text_of(row, "external_id") != NULL)
		role->external_id = swp_sim_copy(text_of(row, "external_id"));
	const json_t *trusted = json_object_get(row, "trusted");
	if (trusted == NULL)
		return 0;
	role->trusted = swp_sim_allocate_zeroed(json_array_size(trusted), sizeof(char *));
	json_array_foreach(trusted, i, id) role->trusted[role->trusted_count++] =
		swp_sim_copy(json_string_value(id));
	return 0;
}

/* The JSON text with ${account}, ${region} and ${partition} filled in. */
static void put_filled(struct reader *reader, const json_t *value, size_t account, unsigned region,
	struct swp_sim_buffer *into)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	const char *at = text, *hole;
	while (at != NULL && (hole = strstr(at, "${")) != NULL) {
		const char *fill = NULL, *end = strchr(hole, '}');
		swp_sim_buffer_append(into, at, (size_t)(hole - at));
		if (end != NULL) {
			struct swp_sim_text name = {hole + 2, (size_t)(end - hole - 2)};
			if (swp_sim_text_is(name, "account"))
				fill = reader->world->accounts[account].id;
			else if (swp_sim_text_is(name, "region"))
				fill = region < swp_sim_region_count ? swp_sim_regions[region].name : "";
			else if (swp_sim_text_is(name, "partition"))
				fill = reader->world->partition->name;
		}
		swp_sim_buffer_put(into, fill ? fill : "${");
		at = fill ? end + 1 : hole + 2;
	}
	swp_sim_buffer_put(into, at ? at : "");
	free(text);
}

static void put_aliases(const json_t *list, struct swp_sim_buffer *into)
{
	size_t i;
	json_t *alias;
	json_array_foreach(list, i, alias)
	{
		swp_sim_buffer_put(into, json_is_string(alias) ? json_string_value(alias) : "");
		swp_sim_buffer_byte(into, '\n');
	}
}

/* A document as it is, or {"detail": …, "summary": …, "aliases": […]} where a test wants them to differ. */
static void read_resource(struct reader *reader, const json_t *entry, size_t account, unsigned region,
	enum swp_sim_collection collection)
{
	struct swp_sim_shelf *shelf = swp_sim_world_fixed_shelf(reader->world, account, region, collection);
	struct swp_sim_buffer detail = {0}, summary = {0}, aliases = {0};
	const json_t *stated = json_object_get(entry, "detail"), *listed = json_object_get(entry, "summary");
	bool is_stated = stated != NULL || listed != NULL;
	const json_t *document = is_stated ? stated : entry;
	bool has_detail = document != NULL && !json_is_null(document);
	if (has_detail)
		put_filled(reader, document, account, region, &detail);
	if (listed != NULL)
		put_filled(reader, listed, account, region, &summary);
	if (is_stated)
		put_aliases(json_object_get(entry, "aliases"), &aliases);
	struct swp_sim_text detail_text = swp_sim_buffer_text(&detail),
			    summary_text = swp_sim_buffer_text(&summary);
	swp_sim_shelf_add(shelf, collection, listed ? &summary_text : NULL, has_detail ? &detail_text : NULL,
		swp_sim_buffer_text(&aliases));
	swp_sim_buffer_done(&detail);
	swp_sim_buffer_done(&summary);
	swp_sim_buffer_done(&aliases);
}

static enum swp_sim_collection find_collection(const char *name)
{
	enum swp_sim_collection i = 0;
	while (i < SWP_SIM_COLLECTION_COUNT && strcmp(swp_sim_collections[i].name, name) != 0)
		i++;
	return i;
}

static int read_resources(struct reader *reader, const json_t *place, size_t account, unsigned region)
{
	const char *name;
	json_t *list, *entry;
	size_t i;
	json_object_foreach((json_t *)place, name, list)
	{
		enum swp_sim_collection collection = find_collection(name);
		if (collection == SWP_SIM_COLLECTION_COUNT)
			return fail(reader, "no such collection", name);
		if (swp_sim_collections[collection].is_global != (region == SWP_SIM_REGION_GLOBAL))
			return fail(reader,
				"this collection stands under \"global\" or under a region, not so", name);
		if (json_is_object(list))
			read_resource(reader, list, account, region, collection);
		json_array_foreach(list, i, entry) read_resource(reader, entry, account, region, collection);
	}
	return 0;
}

static int read_places(struct reader *reader, const json_t *places, size_t account)
{
	const char *name;
	json_t *place;
	json_object_foreach((json_t *)places, name, place)
	{
		unsigned only = strcmp(name, "global") == 0 ? SWP_SIM_REGION_GLOBAL
							    : swp_sim_region_find(swp_sim_text_of(name));
		bool is_all = strcmp(name, "*") == 0;
		if (only == SWP_SIM_REGION_NONE && !is_all)
			return fail(reader, "no such region", name);
		if (!is_all && read_resources(reader, place, account, only) != 0)
			return -1;
		for (unsigned i = 0; i < swp_sim_region_count && is_all; i++) {
			if (swp_sim_account_has_region(&reader->world->accounts[account], i) &&
				read_resources(reader, place, account, i) != 0)
				return -1;
		}
	}
	return 0;
}

static const char *state_of(const char *text)
{
	static const char *const states[] = {
		"PENDING_ACTIVATION", "ACTIVE", "SUSPENDED", "PENDING_CLOSURE", "CLOSED"};
	for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
		if (text == NULL ? i == 1 : strcmp(text, states[i]) == 0)
			return states[i];
	}
	return NULL;
}

static int read_account(struct reader *reader, const json_t *row)
{
	const char *id = text_of(row, "id"), *unit = text_of(row, "ou");
	size_t i, number = reader->world->account_count;
	json_t *role;
	if (check_members(reader, row, "account",
		    KNOWN("id", "name", "email", "ou", "state", "joined_at", "joined_method", "regions",
			    "roles", "resources", "seed", "trait")) != 0)
		return -1;
	if (id == NULL || strlen(id) != SWP_SIM_ACCOUNT_ID_SIZE)
		return fail(reader, "an account needs an id of 12 digits", id);
	struct swp_sim_account *account = swp_sim_world_add_account(reader->world, swp_sim_text_of(id));
	account->regions = reader->regions;
	account->name = copy_of(row, "name", id);
	account->email = copy_of(row, "email", "aws@example.com");
	account->joined_method = copy_of(row, "joined_method", "CREATED");
	account->joined_at_sec = json_is_number(json_object_get(row, "joined_at"))
					 ? json_number_value(json_object_get(row, "joined_at"))
					 : 1600000000.0;
	account->state = state_of(text_of(row, "state"));
	account->unit = unit ? swp_sim_world_find_unit(reader->world, swp_sim_text_of(unit)) : 0;
	account->seed = (uint64_t)json_integer_value(json_object_get(row, "seed"));
	account->trait = (unsigned)json_integer_value(json_object_get(row, "trait"));
	if (account->state == NULL)
		return fail(reader, "no such state of account", id);
	if (account->unit >= reader->world->unit_count)
		return fail(reader, "no such unit", unit);
	if (read_regions(reader, json_object_get(row, "regions"), &account->regions) != 0)
		return -1;
	json_array_foreach(json_object_get(row, "roles"), i, role)
	{
		if (read_role(reader, role, account) != 0)
			return -1;
	}
	return read_places(reader, json_object_get(row, "resources"), number);
}

static int read_users(struct reader *reader, const json_t *users)
{
	struct swp_sim_world *world = reader->world;
	size_t i;
	json_t *user;
	json_array_foreach(users, i, user)
	{
		const char *id = text_of(user, "account"), *name = text_of(user, "name");
		size_t account = swp_sim_world_find_account(world, swp_sim_text_of(id));
		if (check_members(reader, user, "user",
			    KNOWN("account", "name", "access_key_id", "secret_access_key")) != 0)
			return -1;
		if (account == SIZE_MAX || name == NULL)
			return fail(reader, "a user needs a name and an account of the organization", id);
		swp_sim_world_add_user(world, account, name, text_of(user, "access_key_id"),
			text_of(user, "secret_access_key"));
	}
	if (world->user_count == 0)
		swp_sim_world_add_user(
			world, world->organization.management, "orgsweep-operator", NULL, NULL);
	return 0;
}

static void read_policies(
	const json_t *list, bool is_effective, struct swp_sim_policy **policies, size_t *count)
{
	size_t i;
	json_t *row;
	json_array_foreach(list, i, row)
	{
		const json_t *summary = json_object_get(row, "summary"),
			     *content = json_object_get(row, "content");
		struct swp_sim_policy policy = {0};
		char *dumped = json_is_string(content) ? NULL : json_dumps(content, JSON_COMPACT);
		char *summary_text = json_dumps(summary, JSON_COMPACT);
		policy.content = swp_sim_copy(dumped ? dumped : json_string_value(content));
		policy.summary = swp_sim_copy(summary_text);
		policy.id = is_effective ? copy_of(row, "target", "*") : copy_of(summary, "Id", "");
		policy.type = is_effective ? copy_of(row, "type", "") : copy_of(summary, "Type", "");
		swp_sim_policies_add(policies, count, policy);
		free(dumped);
		free(summary_text);
	}
}

static int read_administrators(struct reader *reader, const json_t *list)
{
	size_t i, k;
	json_t *row, *service;
	json_array_foreach(list, i, row)
	{
		size_t account =
			swp_sim_world_find_account(reader->world, swp_sim_text_of(text_of(row, "account")));
		if (account == SIZE_MAX)
			return fail(reader, "a delegated administrator must be an account",
				text_of(row, "account"));
		struct swp_sim_administrator *administrator =
			swp_sim_world_add_administrator(reader->world, account);
		json_array_foreach(json_object_get(row, "services"), k, service)
			swp_sim_administrator_add_service(
				administrator, swp_sim_text_of(json_string_value(service)));
	}
	return 0;
}

/* What can be read before the accounts are. */
static int read_organization(struct reader *reader, const json_t *row)
{
	struct swp_sim_organization *organization = &reader->world->organization;
	organization->id = copy_of(row, "id", "o-simulated1");
	organization->feature_set = copy_of(row, "feature_set", "ALL");
	if (row == NULL)
		return 0;
	organization->is_in_use = flag_of(row, "in_use", true);
	organization->gives_paths = flag_of(row, "gives_paths", true);
	organization->gives_states = flag_of(row, "gives_states", true);
	organization->has_empty_page = flag_of(row, "empty_page", false);
	read_policies(json_object_get(row, "policies"), false, &organization->policies,
		&organization->policy_count);
	read_policies(json_object_get(row, "effective_policies"), true, &organization->effective,
		&organization->effective_count);
	return check_members(reader, row, "organization",
		KNOWN("id", "management_account", "feature_set", "in_use", "gives_paths", "gives_states",
			"empty_page", "delegated_administrators", "policies", "effective_policies"));
}

static int read_management(struct reader *reader, const json_t *organization)
{
	const char *id = text_of(organization, "management_account");
	struct swp_sim_world *world = reader->world;
	if (world->account_count == 0)
		return fail(reader, "accounts are asked for", NULL);
	world->organization.management = id ? swp_sim_world_find_account(world, swp_sim_text_of(id)) : 0;
	if (world->organization.management == SIZE_MAX)
		return fail(reader, "the management account must be one of the accounts", id);
	return read_administrators(reader, json_object_get(organization, "delegated_administrators"));
}

static int read_units_and_accounts(struct reader *reader, const json_t *document)
{
	size_t i;
	json_t *row;
	json_array_foreach(json_object_get(document, "roots"), i, row)
	{
		if (read_unit(reader, row, SIZE_MAX) != 0)
			return -1;
	}
	if (reader->world->unit_count == 0)
		swp_sim_world_add_unit(reader->world, "r-root", "Root", SIZE_MAX);
	json_array_foreach(json_object_get(document, "accounts"), i, row)
	{
		if (read_account(reader, row) != 0)
			return -1;
	}
	return 0;
}

static int read_document(struct reader *reader, const json_t *document)
{
	const json_t *organization = json_object_get(document, "organization");
	const char *partition = text_of(document, "partition");
	size_t i;
	json_t *fault;
	if (check_members(reader, document, "the document",
		    KNOWN("partition", "regions", "organization", "roots", "accounts", "users", "faults",
			    "seed")) != 0)
		return -1;
	reader->world->partition = swp_sim_partition_find(swp_sim_text_of(partition ? partition : "aws"));
	if (reader->world->partition == NULL)
		return fail(reader, "no such partition", partition);
	if (json_is_integer(json_object_get(document, "seed")))
		reader->world->seed = (uint64_t)json_integer_value(json_object_get(document, "seed"));
	if (read_regions(reader, json_object_get(document, "regions"), &reader->regions) != 0)
		return -1;
	reader->world->regions = reader->regions;
	if (read_organization(reader, organization) != 0 || read_units_and_accounts(reader, document) != 0 ||
		read_management(reader, organization) != 0 ||
		read_users(reader, json_object_get(document, "users")) != 0)
		return -1;
	json_array_foreach(json_object_get(document, "faults"), i, fault)
	{
		char *text = json_dumps(fault, JSON_COMPACT);
		swp_sim_world_add_fault(reader->world, text ? text : "{}");
		free(text);
	}
	return 0;
}

int swp_sim_organization_read(
	struct swp_sim_world *world, const char *path, uint64_t regions, struct swp_sim_buffer *error)
{
	struct reader reader = {world, error, regions};
	json_error_t where;
	json_t *document = json_load_file(path, JSON_REJECT_DUPLICATES, &where);
	if (document == NULL) {
		swp_sim_buffer_printf(error, "organization: %s, line %d: %s", path, where.line, where.text);
		return -1;
	}
	int result = read_document(&reader, document);
	json_decref(document);
	return result;
}
