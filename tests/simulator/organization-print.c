/* Printing a world as an organization file, for tests that want to know what the seed has made. */
#include "tests/simulator/organization-file.h"

#include <stdlib.h>

static void put_text(struct swp_sim_buffer *into, const char *name, const char *text)
{
	swp_sim_buffer_printf(into, ",\"%s\":", name);
	swp_sim_buffer_json(into, swp_sim_text_of(text));
}

static void put_strings(struct swp_sim_buffer *into, const char *name, char *const *strings, size_t count)
{
	swp_sim_buffer_printf(into, ",\"%s\":[", name);
	for (size_t i = 0; i < count; i++) {
		if (i)
			swp_sim_buffer_byte(into, ',');
		swp_sim_buffer_json(into, swp_sim_text_of(strings[i]));
	}
	swp_sim_buffer_byte(into, ']');
}

static void put_regions(struct swp_sim_buffer *into, uint64_t regions)
{
	const char *separator = "";
	swp_sim_buffer_put(into, ",\"regions\":[");
	for (unsigned i = 0; i < swp_sim_region_count; i++) {
		if (!(regions >> i & 1))
			continue;
		swp_sim_buffer_printf(into, "%s\"%s\"", separator, swp_sim_regions[i].name);
		separator = ",";
	}
	swp_sim_buffer_byte(into, ']');
}

static void put_unit(struct swp_sim_buffer *into, const struct swp_sim_world *world, size_t unit)
{
	const char *separator = "";
	swp_sim_buffer_put(into, "{\"id\":");
	swp_sim_buffer_json(into, swp_sim_text_of(world->units[unit].id));
	put_text(into, "name", world->units[unit].name);
	swp_sim_buffer_put(into, ",\"organizational_units\":[");
	for (size_t i = 0; i < world->unit_count; i++) {
		if (world->units[i].parent != unit)
			continue;
		swp_sim_buffer_put(into, separator);
		put_unit(into, world, i);
		separator = ",";
	}
	swp_sim_buffer_put(into, "]}");
}

static void put_policies(struct swp_sim_buffer *into, const char *name, const struct swp_sim_policy *policies,
	size_t count, bool is_effective)
{
	swp_sim_buffer_printf(into, ",\"%s\":[", name);
	for (size_t i = 0; i < count; i++) {
		swp_sim_buffer_printf(into, "%s{\"content\":", i ? "," : "");
		swp_sim_buffer_json(into, swp_sim_text_of(policies[i].content));
		if (is_effective) {
			put_text(into, "target", policies[i].id);
			put_text(into, "type", policies[i].type);
		} else {
			swp_sim_buffer_printf(into, ",\"summary\":%s", policies[i].summary);
		}
		swp_sim_buffer_byte(into, '}');
	}
	swp_sim_buffer_byte(into, ']');
}

static void put_organization(struct swp_sim_buffer *into, const struct swp_sim_world *world)
{
	const struct swp_sim_organization *o = &world->organization;
	swp_sim_buffer_printf(into,
		"\"organization\":{\"in_use\":%s,\"gives_paths\":%s,\"gives_states\":%s,\"empty_page\":%s",
		o->is_in_use ? "true" : "false", o->gives_paths ? "true" : "false",
		o->gives_states ? "true" : "false", o->has_empty_page ? "true" : "false");
	put_text(into, "id", o->id);
	put_text(into, "management_account", world->accounts[o->management].id);
	put_text(into, "feature_set", o->feature_set);
	swp_sim_buffer_put(into, ",\"delegated_administrators\":[");
	for (size_t i = 0; i < o->administrator_count; i++) {
		swp_sim_buffer_printf(into, "%s{\"account\":\"%s\"", i ? "," : "",
			world->accounts[o->administrators[i].account].id);
		put_strings(
			into, "services", o->administrators[i].services, o->administrators[i].service_count);
		swp_sim_buffer_byte(into, '}');
	}
	swp_sim_buffer_byte(into, ']');
	put_policies(into, "policies", o->policies, o->policy_count, false);
	put_policies(into, "effective_policies", o->effective, o->effective_count, true);
	swp_sim_buffer_byte(into, '}');
}

static void put_roles(struct swp_sim_buffer *into, const struct swp_sim_account *account)
{
	swp_sim_buffer_put(into, ",\"roles\":[");
	for (size_t i = 0; i < account->role_count; i++) {
		swp_sim_buffer_put(into, i ? ",{\"name\":" : "{\"name\":");
		swp_sim_buffer_json(into, swp_sim_text_of(account->roles[i].name));
		if (account->roles[i].external_id != NULL)
			put_text(into, "external_id", account->roles[i].external_id);
		if (account->roles[i].trusted != NULL)
			put_strings(
				into, "trusted", account->roles[i].trusted, account->roles[i].trusted_count);
		swp_sim_buffer_byte(into, '}');
	}
	swp_sim_buffer_byte(into, ']');
}

static void put_resource(struct swp_sim_buffer *into, const struct swp_sim_resource *resource,
	enum swp_sim_collection collection)
{
	struct swp_sim_text aliases = resource->aliases;
	bool is_plain = resource->detail.size && aliases.size == 0;
	if (is_plain) {
		swp_sim_buffer_text_put(into, resource->detail);
		return;
	}
	swp_sim_buffer_put(into, "{\"detail\":");
	swp_sim_buffer_text_put(into, resource->detail.size ? resource->detail : SWP_SIM_TEXT("null"));
	if (resource->detail.size == 0 && swp_sim_collections[collection].summary != NULL) {
		swp_sim_buffer_put(into, ",\"summary\":");
		swp_sim_buffer_text_put(into, resource->summary);
	}
	swp_sim_buffer_put(into, ",\"aliases\":[");
	for (bool first = true; aliases.size; first = false) {
		if (!first)
			swp_sim_buffer_byte(into, ',');
		swp_sim_buffer_json(into, swp_sim_text_cut(&aliases, '\n'));
	}
	swp_sim_buffer_put(into, "]}");
}

static void put_place(
	struct swp_sim_buffer *into, struct swp_sim_world *world, size_t account, unsigned region)
{
	const char *separator = "";
	swp_sim_buffer_byte(into, '{');
	for (enum swp_sim_collection c = 0; c < SWP_SIM_COLLECTION_COUNT; c++) {
		if (swp_sim_collections[c].is_global != (region == SWP_SIM_REGION_GLOBAL))
			continue;
		const struct swp_sim_shelf *shelf = swp_sim_world_shelf(world, account, region, c);
		if (shelf->count == 0)
			continue;
		swp_sim_buffer_printf(into, "%s\"%s\":[", separator, swp_sim_collections[c].name);
		for (size_t i = 0; i < shelf->count; i++) {
			if (i)
				swp_sim_buffer_byte(into, ',');
			put_resource(into, &shelf->items[i], c);
		}
		swp_sim_buffer_byte(into, ']');
		separator = ",";
	}
	swp_sim_buffer_byte(into, '}');
}

static void put_account(struct swp_sim_buffer *into, struct swp_sim_world *world, size_t number)
{
	const struct swp_sim_account *account = &world->accounts[number];
	swp_sim_buffer_printf(into, "{\"id\":\"%s\",\"joined_at\":%.3f", account->id, account->joined_at_sec);
	put_text(into, "name", account->name);
	put_text(into, "email", account->email);
	put_text(into, "ou", world->units[account->unit].id);
	put_text(into, "state", account->state);
	put_text(into, "joined_method", account->joined_method);
	put_regions(into, account->regions);
	put_roles(into, account);
	swp_sim_buffer_put(into, ",\"resources\":{\"global\":");
	put_place(into, world, number, SWP_SIM_REGION_GLOBAL);
	for (unsigned i = 0; i < swp_sim_region_count; i++) {
		if (!swp_sim_account_has_region(account, i))
			continue;
		swp_sim_buffer_printf(into, ",\n\"%s\":", swp_sim_regions[i].name);
		put_place(into, world, number, i);
	}
	swp_sim_buffer_put(into, "}}");
}

static void put_users(struct swp_sim_buffer *into, const struct swp_sim_world *world)
{
	swp_sim_buffer_put(into, "],\"users\":[");
	for (size_t i = 0; i < world->user_count; i++) {
		swp_sim_buffer_printf(into, "%s{\"account\":\"%s\"", i ? "," : "",
			world->accounts[world->users[i].account].id);
		put_text(into, "name", world->users[i].name);
		put_text(into, "access_key_id", world->users[i].access_key_id);
		put_text(into, "secret_access_key", world->users[i].secret_access_key);
		swp_sim_buffer_byte(into, '}');
	}
	swp_sim_buffer_put(into, "],\"faults\":[");
	for (size_t i = 0; i < world->fault_count; i++)
		swp_sim_buffer_printf(into, "%s%s", i ? "," : "", world->faults[i]);
	swp_sim_buffer_put(into, "]}\n");
}

void swp_sim_organization_print(struct swp_sim_world *world, FILE *file)
{
	struct swp_sim_buffer text = {0};
	const char *separator = "";
	swp_sim_buffer_printf(&text, "{\"partition\":\"%s\",\"seed\":%llu", world->partition->name,
		(unsigned long long)world->seed);
	put_regions(&text, world->regions);
	swp_sim_buffer_byte(&text, ',');
	put_organization(&text, world);
	swp_sim_buffer_put(&text, ",\"roots\":[");
	for (size_t i = 0; i < world->unit_count; i++) {
		if (world->units[i].parent != SIZE_MAX)
			continue;
		swp_sim_buffer_put(&text, separator);
		put_unit(&text, world, i);
		separator = ",";
	}
	swp_sim_buffer_put(&text, "],\"accounts\":[");
	for (size_t i = 0; i < world->account_count; i++) {
		swp_sim_buffer_put(&text, i ? ",\n" : "\n");
		put_account(&text, world, i);
		fwrite(text.data, 1, text.size, file);
		swp_sim_buffer_clear(&text);
	}
	put_users(&text, world);
	fwrite(text.data, 1, text.size, file);
	swp_sim_buffer_done(&text);
}
