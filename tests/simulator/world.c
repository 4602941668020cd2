/* The simulated organization. See world.h. */
#include "tests/simulator/world.h"

#include "tests/simulator/digest.h"
#include "tests/simulator/json-text.h"
#include "tests/simulator/seed.h"

#include <stdlib.h>

/* Lists of a few are searched from the front. */
#define INDEX_FROM 16

/* A seeded shelf that may be dropped. */
struct swp_sim_seeded {
	struct swp_sim_seeded *next;
	size_t account;
	unsigned region;
	enum swp_sim_collection collection;
};

void swp_sim_world_init(struct swp_sim_world *world)
{
	*world = (struct swp_sim_world){.partition = &swp_sim_partitions[0]};
	world->organization = (struct swp_sim_organization){
		.is_in_use = true, .gives_paths = true, .gives_states = true, .management = SIZE_MAX};
}

static void shelf_free(struct swp_sim_shelf *shelf)
{
	if (shelf == NULL)
		return;
	for (size_t i = 0; i < shelf->count; i++)
		free((char *)shelf->items[i].keys[0].at); /* the block that holds all texts of the resource */
	free(shelf->items);
	free(shelf->index);
	free(shelf);
}

static void cell_free(struct swp_sim_cell *cell)
{
	if (cell == NULL)
		return;
	for (size_t i = 0; i < SWP_SIM_COLLECTION_COUNT; i++)
		shelf_free(cell->shelves[i]);
	free(cell);
}

static void role_done(struct swp_sim_role *role)
{
	free(role->name);
	free(role->external_id);
	for (size_t i = 0; i < role->trusted_count; i++)
		free(role->trusted[i]);
	free(role->trusted);
}

static void account_done(struct swp_sim_account *account)
{
	free(account->name);
	free(account->email);
	free(account->joined_method);
	free(account->listed);
	for (size_t i = 0; i < account->role_count; i++)
		role_done(&account->roles[i]);
	free(account->roles);
	for (size_t i = 0; i <= SWP_SIM_REGION_GLOBAL; i++)
		cell_free(account->cells[i]);
}

static void policies_done(struct swp_sim_policy *policies, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(policies[i].summary);
		free(policies[i].id);
		free(policies[i].type);
		free(policies[i].content);
	}
	free(policies);
}

static void organization_done(struct swp_sim_organization *organization)
{
	free(organization->id);
	free(organization->feature_set);
	for (size_t i = 0; i < organization->administrator_count; i++) {
		for (size_t k = 0; k < organization->administrators[i].service_count; k++)
			free(organization->administrators[i].services[k]);
		free(organization->administrators[i].services);
	}
	free(organization->administrators);
	policies_done(organization->policies, organization->policy_count);
	policies_done(organization->effective, organization->effective_count);
}

static void units_and_users_done(struct swp_sim_world *world)
{
	for (size_t i = 0; i < world->unit_count; i++) {
		free(world->units[i].id);
		free(world->units[i].name);
		free(world->units[i].path);
	}
	free(world->units);
	for (size_t i = 0; i < world->user_count; i++) {
		free(world->users[i].name);
		free(world->users[i].access_key_id);
		free(world->users[i].secret_access_key);
	}
	free(world->users);
}

void swp_sim_world_done(struct swp_sim_world *world)
{
	for (size_t i = 0; i < world->account_count; i++)
		account_done(&world->accounts[i]);
	free(world->accounts);
	units_and_users_done(world);
	organization_done(&world->organization);
	for (size_t i = 0; i < world->fault_count; i++)
		free(world->faults[i]);
	free(world->faults);
	free(world->account_index);
	for (struct swp_sim_seeded *at = world->seeded_first, *next; at != NULL; at = next) {
		next = at->next;
		free(at);
	}
	*world = (struct swp_sim_world){0};
}

/* Doubles at powers of two, so that adding one needs no capacity beside the count. */
static void *grow(void *array, size_t count, size_t size)
{
	if (count & (count - 1))
		return array;
	return swp_sim_reallocate(array, (count ? count * 2 : 1) * size);
}

struct swp_sim_account *swp_sim_world_add_account(struct swp_sim_world *world, struct swp_sim_text id)
{
	world->accounts = grow(world->accounts, world->account_count, sizeof *world->accounts);
	struct swp_sim_account *account = &world->accounts[world->account_count++];
	*account = (struct swp_sim_account){.state = "ACTIVE", .regions = world->regions};
	memcpy(account->id, id.at, id.size < SWP_SIM_ACCOUNT_ID_SIZE ? id.size : SWP_SIM_ACCOUNT_ID_SIZE);
	free(world->account_index);
	world->account_index = NULL;
	return account;
}

size_t swp_sim_world_add_unit(struct swp_sim_world *world, const char *id, const char *name, size_t parent)
{
	struct swp_sim_buffer path = {0};
	swp_sim_buffer_put(&path, parent == SIZE_MAX ? world->organization.id : world->units[parent].path);
	swp_sim_buffer_printf(&path, parent == SIZE_MAX ? "/%s/" : "%s/", id);
	world->units = grow(world->units, world->unit_count, sizeof *world->units);
	struct swp_sim_unit *unit = &world->units[world->unit_count++];
	*unit = (struct swp_sim_unit){.id = swp_sim_copy(id), .name = swp_sim_copy(name), .parent = parent};
	unit->path = swp_sim_copy_text(swp_sim_buffer_text(&path));
	swp_sim_buffer_done(&path);
	return world->unit_count - 1;
}

struct swp_sim_role *swp_sim_account_add_role(struct swp_sim_account *account, struct swp_sim_text name)
{
	account->roles = grow(account->roles, account->role_count, sizeof *account->roles);
	struct swp_sim_role *role = &account->roles[account->role_count++];
	*role = (struct swp_sim_role){.name = swp_sim_copy_text(name)};
	return role;
}

static char *made_key(
	const struct swp_sim_world *world, const char *prefix, const char *user, size_t characters)
{
	struct swp_sim_buffer text = {0};
	unsigned char digest[SWP_SIM_DIGEST_SIZE];
	swp_sim_buffer_printf(&text, "%s %s %llu", prefix, user, (unsigned long long)world->seed);
	swp_sim_sha256(swp_sim_buffer_text(&text), digest);
	swp_sim_buffer_clear(&text);
	swp_sim_buffer_put(&text, prefix);
	if (*prefix != '\0')
		swp_sim_base32_put(&text, digest, characters);
	else
		swp_sim_base64_put(&text, (struct swp_sim_text){(const char *)digest, characters * 3 / 4});
	char *key = swp_sim_copy_text(swp_sim_buffer_text(&text));
	swp_sim_buffer_done(&text);
	return key;
}

struct swp_sim_user *swp_sim_world_add_user(struct swp_sim_world *world, size_t account, const char *name,
	const char *access_key_id, const char *secret_access_key)
{
	world->users = grow(world->users, world->user_count, sizeof *world->users);
	struct swp_sim_user *user = &world->users[world->user_count++];
	*user = (struct swp_sim_user){.account = account, .name = swp_sim_copy(name)};
	user->access_key_id = access_key_id ? swp_sim_copy(access_key_id) : made_key(world, "AKIA", name, 16);
	user->secret_access_key =
		secret_access_key ? swp_sim_copy(secret_access_key) : made_key(world, "", name, 40);
	return user;
}

void swp_sim_world_add_fault(struct swp_sim_world *world, const char *json)
{
	world->faults = grow(world->faults, world->fault_count, sizeof *world->faults);
	world->faults[world->fault_count++] = swp_sim_copy(json);
}

struct swp_sim_administrator *swp_sim_world_add_administrator(struct swp_sim_world *world, size_t account)
{
	struct swp_sim_organization *organization = &world->organization;
	organization->administrators = grow(organization->administrators, organization->administrator_count,
		sizeof(struct swp_sim_administrator));
	struct swp_sim_administrator *added =
		&organization->administrators[organization->administrator_count++];
	*added = (struct swp_sim_administrator){.account = account};
	return added;
}

void swp_sim_administrator_add_service(
	struct swp_sim_administrator *administrator, struct swp_sim_text service)
{
	administrator->services = grow(administrator->services, administrator->service_count, sizeof(char *));
	administrator->services[administrator->service_count++] = swp_sim_copy_text(service);
}

void swp_sim_policies_add(struct swp_sim_policy **policies, size_t *count, struct swp_sim_policy policy)
{
	*policies = grow(*policies, *count, sizeof policy);
	(*policies)[(*count)++] = policy;
}

static void index_accounts(struct swp_sim_world *world)
{
	size_t size = 64;
	while (size < world->account_count * 2)
		size *= 2;
	world->account_index = swp_sim_allocate_zeroed(size, sizeof(uint32_t));
	world->account_index_size = size;
	for (size_t i = 0; i < world->account_count; i++) {
		size_t at = swp_sim_text_hash(SWP_SIM_HASH_START, swp_sim_text_of(world->accounts[i].id)) &
			    (size - 1);
		while (world->account_index[at])
			at = (at + 1) & (size - 1);
		world->account_index[at] = (uint32_t)(i + 1);
	}
}

size_t swp_sim_world_find_account(struct swp_sim_world *world, struct swp_sim_text id)
{
	if (world->account_index == NULL)
		index_accounts(world);
	size_t mask = world->account_index_size - 1;
	for (size_t at = swp_sim_text_hash(SWP_SIM_HASH_START, id) & mask; world->account_index[at];
		at = (at + 1) & mask) {
		size_t number = world->account_index[at] - 1;
		if (swp_sim_text_is(id, world->accounts[number].id))
			return number;
	}
	return SIZE_MAX;
}

/* The names from below the root down to the unit, as in Workloads/Prod. */
static bool unit_has_path(const struct swp_sim_world *world, size_t unit, struct swp_sim_text path)
{
	while (world->units[unit].parent != SIZE_MAX) {
		const char *name = world->units[unit].name;
		size_t size = strlen(name);
		if (!swp_sim_text_ends(path, name))
			return false;
		path.size -= size;
		if (path.size == 0)
			return world->units[world->units[unit].parent].parent == SIZE_MAX;
		if (path.at[--path.size] != '/')
			return false;
		unit = world->units[unit].parent;
	}
	return false;
}

size_t swp_sim_world_find_unit(const struct swp_sim_world *world, struct swp_sim_text id_or_path)
{
	for (size_t i = 0; i < world->unit_count; i++) {
		if (swp_sim_text_is(id_or_path, world->units[i].id) || unit_has_path(world, i, id_or_path))
			return i;
	}
	return SIZE_MAX;
}

bool swp_sim_account_has_region(const struct swp_sim_account *account, unsigned region)
{
	return region < SWP_SIM_REGION_GLOBAL && (account->regions >> region & 1);
}

bool swp_sim_world_is_administrator(const struct swp_sim_world *world, size_t account)
{
	if (account == world->organization.management)
		return true;
	for (size_t i = 0; i < world->organization.administrator_count; i++) {
		if (world->organization.administrators[i].account == account)
			return true;
	}
	return false;
}

static struct swp_sim_cell *cell_of(struct swp_sim_account *account, unsigned region)
{
	if (account->cells[region] == NULL)
		account->cells[region] = swp_sim_allocate_zeroed(1, sizeof(struct swp_sim_cell));
	return account->cells[region];
}

struct swp_sim_shelf *swp_sim_world_fixed_shelf(
	struct swp_sim_world *world, size_t account, unsigned region, enum swp_sim_collection collection)
{
	struct swp_sim_cell *cell = cell_of(&world->accounts[account], region);
	if (cell->shelves[collection] == NULL)
		cell->shelves[collection] = swp_sim_allocate_zeroed(1, sizeof(struct swp_sim_shelf));
	cell->is_fixed[collection] = true;
	return cell->shelves[collection];
}

static void drop_oldest(struct swp_sim_world *world)
{
	struct swp_sim_seeded *oldest = world->seeded_first;
	struct swp_sim_cell *cell = world->accounts[oldest->account].cells[oldest->region];
	world->seeded_first = oldest->next;
	if (world->seeded_first == NULL)
		world->seeded_last = NULL;
	world->seeded_bytes -= cell->shelves[oldest->collection]->bytes;
	shelf_free(cell->shelves[oldest->collection]);
	cell->shelves[oldest->collection] = NULL;
	free(oldest);
}

static void remember_seeded(struct swp_sim_world *world, size_t account, unsigned region,
	enum swp_sim_collection collection, size_t bytes)
{
	struct swp_sim_seeded *seeded = swp_sim_allocate(sizeof *seeded);
	*seeded = (struct swp_sim_seeded){.account = account, .region = region, .collection = collection};
	world->seeded_bytes += bytes;
	if (world->seeded_last != NULL)
		world->seeded_last->next = seeded;
	else
		world->seeded_first = seeded;
	world->seeded_last = seeded;
}

const struct swp_sim_shelf *swp_sim_world_shelf(
	struct swp_sim_world *world, size_t account, unsigned region, enum swp_sim_collection collection)
{
	static const struct swp_sim_shelf empty;
	struct swp_sim_account *owner = &world->accounts[account];
	if (swp_sim_collections[collection].is_global)
		region = SWP_SIM_REGION_GLOBAL;
	struct swp_sim_cell *cell = owner->cells[region];
	if (cell != NULL && cell->shelves[collection] != NULL)
		return cell->shelves[collection];
	if (owner->seed == 0)
		return &empty;
	while (world->seeded_bytes > SWP_SIM_DOCUMENT_BUDGET_BYTES)
		drop_oldest(world);
	struct swp_sim_shelf *shelf = swp_sim_allocate_zeroed(1, sizeof *shelf);
	cell_of(owner, region)->shelves[collection] = shelf;
	swp_sim_seed_fill(world, account, region, collection, shelf);
	remember_seeded(world, account, region, collection, shelf->bytes + sizeof *shelf);
	shelf->bytes += sizeof *shelf;
	return shelf;
}

/* The name that a member of the detail has in the summary; empty when it is not there. */
static struct swp_sim_text summary_name(const char *const *members, struct swp_sim_text member)
{
	for (; *members != NULL; members++) {
		size_t size = member.size;
		if (strncmp(*members, member.at, size) != 0)
			continue;
		if ((*members)[size] == '\0')
			return member;
		if ((*members)[size] == ':')
			return swp_sim_text_of(*members + size + 1);
	}
	return (struct swp_sim_text){"", 0};
}

/* Appends the row's members of the detail to `into`, as one object. */
static void put_summary(struct swp_sim_buffer *into, const char *const *members, struct swp_sim_text detail)
{
	struct swp_sim_json_walk walk;
	struct swp_sim_text member, value;
	char separator = '{';
	if (swp_sim_json_kind(detail) != '{' || !swp_sim_json_walk_init(&walk, detail))
		return;
	while (swp_sim_json_walk_next(&walk, &member, &value)) {
		struct swp_sim_text name = summary_name(members, member);
		if (name.size == 0)
			continue;
		swp_sim_buffer_byte(into, separator);
		swp_sim_buffer_json(into, name);
		swp_sim_buffer_byte(into, ':');
		swp_sim_buffer_text_put(into, value);
		separator = ',';
	}
	swp_sim_buffer_put(into, separator == '{' ? "{}" : "}");
}

/* The name of a key in the summary. */
static struct swp_sim_text name_in_summary(const struct swp_sim_collection_row *row, const char *member)
{
	struct swp_sim_text name = {"", 0};
	if (row->summary != NULL)
		name = summary_name(row->summary, swp_sim_text_of(member));
	return name.size ? name : swp_sim_text_of(member);
}

/* A key's value: from the detail or, when that is gone, from the summary under its name there. */
static void put_key(struct swp_sim_buffer *into, const struct swp_sim_collection_row *row, const char *member,
	const struct swp_sim_text *detail, struct swp_sim_text summary)
{
	struct swp_sim_text value;
	if (member == NULL)
		return;
	if (detail != NULL && swp_sim_json_member(*detail, swp_sim_text_of(member), &value))
		swp_sim_json_string(into, value);
	else if (swp_sim_json_member(summary, name_in_summary(row, member), &value))
		swp_sim_json_string(into, value);
	else if (summary.size && swp_sim_json_kind(summary) == '"' && member == row->keys[0])
		swp_sim_json_string(into, summary);
}

void swp_sim_shelf_add(struct swp_sim_shelf *shelf, enum swp_sim_collection collection,
	const struct swp_sim_text *summary, const struct swp_sim_text *detail, struct swp_sim_text aliases)
{
	const struct swp_sim_collection_row *row = &swp_sim_collections[collection];
	struct swp_sim_buffer block = {0};
	size_t ends[SWP_SIM_KEY_MAX + 4], parts = 0;
	struct swp_sim_buffer made = {0};
	if (summary == NULL && row->summary != NULL && detail != NULL)
		put_summary(&made, row->summary, *detail);
	struct swp_sim_text listed = summary ? *summary : swp_sim_buffer_text(&made);
	for (size_t i = 0; i < SWP_SIM_KEY_MAX; i++) {
		put_key(&block, row, row->keys[i], detail, listed);
		ends[parts++] = block.size;
	}
	put_key(&block, row, row->arn, detail, listed);
	ends[parts++] = block.size;
	swp_sim_buffer_text_put(&block, aliases);
	ends[parts++] = block.size;
	swp_sim_buffer_text_put(&block, listed);
	ends[parts++] = block.size;
	if (detail != NULL)
		swp_sim_buffer_text_put(&block, *detail);
	ends[parts++] = block.size;
	swp_sim_buffer_done(&made);

	/* One block a resource: keys, ARN, aliases, summary, detail, one behind the other. */
	char *data = swp_sim_reallocate(block.data, block.size);
	struct swp_sim_text texts[SWP_SIM_KEY_MAX + 4];
	for (size_t i = 0, start = 0; i < parts; start = ends[i++])
		texts[i] = (struct swp_sim_text){data + start, ends[i] - start};
	if (shelf->count == shelf->capacity) {
		shelf->capacity = shelf->capacity ? shelf->capacity * 2 : 4;
		shelf->items = swp_sim_reallocate(shelf->items, shelf->capacity * sizeof *shelf->items);
	}
	struct swp_sim_resource *resource = &shelf->items[shelf->count++];
	memcpy(resource->keys, texts, sizeof resource->keys);
	resource->arn = texts[SWP_SIM_KEY_MAX];
	resource->aliases = texts[SWP_SIM_KEY_MAX + 1];
	resource->summary = texts[SWP_SIM_KEY_MAX + 2];
	resource->detail = texts[SWP_SIM_KEY_MAX + 3];
	shelf->bytes += block.size + sizeof *resource;
	free(shelf->index);
	shelf->index = NULL;
}

static bool has_alias(struct swp_sim_text aliases, struct swp_sim_text name)
{
	while (aliases.size) {
		if (swp_sim_text_equal(swp_sim_text_cut(&aliases, '\n'), name))
			return true;
	}
	return false;
}

static bool matches(
	const struct swp_sim_resource *resource, const struct swp_sim_text *keys, size_t key_count)
{
	for (size_t i = 0; i + 1 < key_count; i++) {
		if (!swp_sim_text_equal(resource->keys[i], keys[i]))
			return false;
	}
	struct swp_sim_text last = keys[key_count - 1];
	return swp_sim_text_equal(resource->keys[key_count - 1], last) ||
	       (last.size && swp_sim_text_equal(resource->arn, last)) || has_alias(resource->aliases, last);
}

static void index_shelf(struct swp_sim_shelf *shelf, size_t key_count)
{
	size_t size = 64;
	while (size < shelf->count * 2)
		size *= 2;
	shelf->index = swp_sim_allocate_zeroed(size, sizeof(uint32_t));
	shelf->index_size = size;
	for (size_t i = 0; i < shelf->count; i++) {
		size_t at = swp_sim_text_hash(SWP_SIM_HASH_START, shelf->items[i].keys[key_count - 1]) &
			    (size - 1);
		while (shelf->index[at])
			at = (at + 1) & (size - 1);
		shelf->index[at] = (uint32_t)(i + 1);
	}
}

static const struct swp_sim_resource *find_indexed(
	const struct swp_sim_shelf *shelf, const struct swp_sim_text *keys, size_t key_count)
{
	size_t mask = shelf->index_size - 1;
	size_t at = swp_sim_text_hash(SWP_SIM_HASH_START, keys[key_count - 1]) & mask;
	for (; shelf->index[at]; at = (at + 1) & mask) {
		const struct swp_sim_resource *resource = &shelf->items[shelf->index[at] - 1];
		if (matches(resource, keys, key_count))
			return resource;
	}
	return NULL;
}

const struct swp_sim_resource *swp_sim_shelf_find(
	const struct swp_sim_shelf *shelf, const struct swp_sim_text *keys, size_t key_count)
{
	if (shelf->count >= INDEX_FROM) {
		if (shelf->index == NULL)
			index_shelf((struct swp_sim_shelf *)shelf,
				key_count); /* a cache: the documents stay as they are */
		const struct swp_sim_resource *found = find_indexed(shelf, keys, key_count);
		if (found != NULL)
			return found;
	}
	for (size_t i = 0; i < shelf->count; i++) {
		if (matches(&shelf->items[i], keys, key_count))
			return &shelf->items[i];
	}
	return NULL;
}
