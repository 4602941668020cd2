/* YAML to options, roles and endpoints; see the header. */
#include "coordinator/configuration.h"

#include <errno.h>
#include <string.h>

#include "checks/yaml-read.h"
#include "proto/base/alloc.h"
#include "proto/base/text.h"

struct reading {
	const char *file, *section;
	struct swp_locations *locations;
	const char *const *services;
	struct swp_options *options;
	struct swp_configuration *out;
	struct swp_problem *problem;
};

/* "FILE:LINE" of a member. */
static void place_of(
	const struct reading *reading, const json_t *container, const char *key, char *text, size_t size)
{
	const char *file = NULL;
	unsigned line = 0;
	if (swp_locations_find(reading->locations, container, key, &file, &line))
		snprintf(text, size, "%s:%u", reading->file, line);
	else
		snprintf(text, size, "%s", reading->file);
}

static int fault(const struct reading *reading, const json_t *container, const char *key, const char *what)
{
	char place[512];
	place_of(reading, container, key, place, sizeof(place));
	return swp_problem_set(reading->problem, -EINVAL, "%s: %s", place, what);
}

static int unknown_key(const struct reading *reading, const json_t *container, const char *key,
	const char *const *known, size_t count)
{
	char place[512];
	const char *nearest = swp_nearest(key, known, count);
	place_of(reading, container, key, place, sizeof(place));
	if (nearest)
		return swp_problem_set(reading->problem, -EINVAL, "%s: unknown key '%s'; did you mean %s?",
			place, key, nearest);
	return swp_problem_set(reading->problem, -EINVAL, "%s: unknown key '%s'", place, key);
}

/* A scalar as text: YAML reads 10 and true as what they look like. */
static char *scalar_text(const json_t *value)
{
	if (json_is_string(value))
		return swp_strdup(json_string_value(value));
	if (json_is_integer(value))
		return swp_asprintf("%lld", (long long)json_integer_value(value));
	if (json_is_real(value))
		return swp_asprintf("%g", json_real_value(value));
	if (json_is_boolean(value))
		return swp_strdup(json_is_true(value) ? "true" : "false");
	return NULL;
}

struct texts {
	char **items;
	size_t count;
};

static void texts_done(struct texts *texts)
{
	for (size_t i = 0; i < texts->count; i++)
		swp_free(texts->items[i]);
	swp_free(texts->items);
	*texts = (struct texts){0};
}

/* A scalar or a list of scalars. */
static int read_texts(const struct reading *reading, const json_t *container, const char *key,
	const json_t *value, struct texts *ret_texts)
{
	size_t count = json_is_array(value) ? json_array_size(value) : 1;
	struct texts texts = {swp_calloc(count + 1, sizeof(char *)), 0};
	if (!texts.items)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const json_t *item = json_is_array(value) ? json_array_get(value, i) : value;
		char *text = scalar_text(item);
		if (!text) {
			texts_done(&texts);
			return fault(reading, container, key,
				"a text, a number, or a list of such is wanted here");
		}
		texts.items[texts.count++] = text;
	}
	*ret_texts = texts;
	return 0;
}

#define OPTION_KEY_BYTES 48

static const char *spell_option(int option, char ret_key[static OPTION_KEY_BYTES])
{
	snprintf(ret_key, OPTION_KEY_BYTES, "%s", swp_option_row(option)->name);
	for (char *at = ret_key; *at; at++)
		if (*at == '-')
			*at = '_';
	return ret_key;
}

static int read_option(
	const struct reading *reading, const json_t *document, const char *key, const json_t *value)
{
	char place[512];
	SWP_CLEANUP(texts_done) struct texts texts = {0};
	int error = read_texts(reading, document, key, value, &texts);
	if (error)
		return error;
	place_of(reading, document, key, place, sizeof(place));
	error = swp_options_configure(reading->options, key, (const char *const *)texts.items, texts.count,
		place, reading->problem);
	if (error <= 0)
		return error;
	const char *names[SWP_OPT_COUNT + 3] = {"roles", "endpoints", "sweeps"};
	char spelled[SWP_OPT_COUNT][OPTION_KEY_BYTES];
	for (int i = 0; i < SWP_OPT_COUNT; i++)
		names[i + 3] = spell_option(i, spelled[i]);
	return unknown_key(reading, document, key, names, SWP_ARRAY_SIZE(names));
}

/* --- sweeps: {nightly: {schedule: "0 2 * * *", regions: [eu-west-1], …}} --- */

static const char *const scheduled_keys[SWP_SCHEDULED_KEYS] = {[SWP_SCHEDULED_SCHEDULE] = "schedule",
	[SWP_SCHEDULED_EVERY] = "every",
	[SWP_SCHEDULED_TIMEZONE] = "timezone",
	[SWP_SCHEDULED_JITTER] = "jitter",
	[SWP_SCHEDULED_CATCH_UP] = "catch_up",
	[SWP_SCHEDULED_MAX_SHARE] = "max_share"};

/* -1: none of them. */
static int scheduled_key(const char *key)
{
	for (int i = 0; i < SWP_SCHEDULED_KEYS; i++)
		if (swp_text_equal(scheduled_keys[i], key))
			return i;
	return -1;
}

static int unknown_sweep_key(const struct reading *reading, const json_t *section, const char *key)
{
	const char *names[SWP_OPT_COUNT + SWP_SCHEDULED_KEYS + 1];
	char spelled[SWP_OPT_COUNT][OPTION_KEY_BYTES];
	size_t count = 0;

	for (int i = 0; i < SWP_OPT_COUNT; i++) {
		spell_option(i, spelled[i]);
		if (swp_option_row(i)->commands & SWP_COMMAND_SCHEDULED)
			names[count++] = spelled[i];
		else if (swp_text_equal(spelled[i], key))
			return fault(reading, section, key,
				"this is of the whole service, not of one sweep: it stands at the top of the "
				"file");
	}
	for (int i = 0; i < SWP_SCHEDULED_KEYS; i++)
		names[count++] = scheduled_keys[i];
	names[count++] = "output";
	return unknown_key(reading, section, key, names, count);
}

static bool is_sweep_option(const char *key)
{
	char spelled[OPTION_KEY_BYTES];

	for (int i = 0; i < SWP_OPT_COUNT; i++)
		if ((swp_option_row(i)->commands & SWP_COMMAND_SCHEDULED) &&
			swp_text_equal(spell_option(i, spelled), key))
			return true;
	return false;
}

static int read_sweep_member(const struct reading *reading, const json_t *section, const char *key,
	const json_t *value, struct swp_configured_sweep *sweep)
{
	int which = scheduled_key(key);
	struct texts texts = {0};
	int error;

	if (which < 0 && !swp_text_equal(key, "output"))
		return is_sweep_option(key) ? 0 : unknown_sweep_key(reading, section, key);
	error = read_texts(reading, section, key, value, &texts);
	if (error)
		return error;
	if (which < 0) {
		sweep->outputs = texts.items;
		sweep->output_count = texts.count;
		return 0;
	}
	if (texts.count != 1) {
		texts_done(&texts);
		return fault(reading, section, key, "one text is wanted here");
	}
	sweep->texts[which] = texts.items[0];
	swp_free(texts.items);
	return 0;
}

/* It becomes part of file names and keys. */
static bool is_sweep_name(const char *name)
{
	size_t length = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");

	return length > 0 && length <= 40 && name[length] == '\0' && name[0] != '-';
}

static int read_sweeps(const struct reading *reading, const json_t *document, const char *key, json_t *value)
{
	const char *name, *member;
	json_t *section, *member_value;
	struct swp_configuration *out = reading->out;
	int error = 0;

	if (!json_is_object(value))
		return fault(reading, document, key, "sweeps is {name: {schedule or every, …}}");
	out->sweeps = swp_calloc(json_object_size(value) + 1, sizeof(*out->sweeps));
	if (!out->sweeps)
		return -ENOMEM;
	json_object_foreach(value, name, section)
	{
		struct swp_configured_sweep *sweep = &out->sweeps[out->sweep_count++];

		if (!is_sweep_name(name))
			return fault(reading, value, name,
				"a sweep's name has 1 to 40 letters, digits, hyphens and underscores");
		if (!json_is_object(section))
			return fault(reading, value, name, "a sweep is {schedule or every, …}");
		if (!(sweep->name = swp_strdup(name)))
			return -ENOMEM;
		json_object_foreach(section, member, member_value)
		{
			error = read_sweep_member(reading, section, member, member_value, sweep);
			if (error)
				return error;
		}
	}
	return 0;
}

/* The options of the section that is read. */
static int read_section(const struct reading *reading, const json_t *section)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)section, key, value)
	{
		int error = is_sweep_option(key) ? read_option(reading, section, key, value) : 0;

		if (error)
			return error;
	}
	return 0;
}

/* --- roles: [{ou|accounts, role_name, external_id}] --- */

static const char *const role_keys[] = {"accounts", "ou", "role_name", "external_id"};

static int role_member(const struct reading *reading, const json_t *row, const char *key, const json_t *value,
	struct swp_sweep_role *role)
{
	struct texts texts = {0};
	int error = read_texts(reading, row, key, value, &texts);
	if (error)
		return error;
	if (swp_text_equal(key, "accounts")) {
		role->accounts = (struct swp_text_list){(const char *const *)texts.items, texts.count};
		return 0;
	}
	if (swp_text_equal(key, "ou")) {
		role->ou = (struct swp_text_list){(const char *const *)texts.items, texts.count};
		return 0;
	}
	if (texts.count != 1 || !*texts.items[0]) {
		error = fault(reading, row, key, "one text is wanted here");
	} else if (swp_text_equal(key, "role_name")) {
		role->role_name = swp_strdup(texts.items[0]);
		error = role->role_name ? 0 : -ENOMEM;
	} else if (swp_text_equal(key, "external_id")) {
		role->external_id = swp_strdup(texts.items[0]);
		error = role->external_id ? 0 : -ENOMEM;
	} else {
		error = unknown_key(reading, row, key, role_keys, SWP_ARRAY_SIZE(role_keys));
	}
	texts_done(&texts);
	return error;
}

static int read_roles(const struct reading *reading, const json_t *document, const char *key, json_t *value)
{
	size_t index;
	json_t *row;
	if (!json_is_array(value))
		return fault(reading, document, key,
			"roles is a list of {accounts or ou, role_name, external_id}");
	reading->out->roles = swp_calloc(json_array_size(value) + 1, sizeof(*reading->out->roles));
	if (!reading->out->roles)
		return -ENOMEM;
	json_array_foreach(value, index, row)
	{
		const char *member;
		json_t *member_value;
		struct swp_sweep_role *role = &reading->out->roles[reading->out->role_count];
		if (!json_is_object(row))
			return fault(reading, document, key,
				"each of roles is {accounts or ou, role_name, external_id}");
		reading->out->role_count++;
		json_object_foreach(row, member, member_value)
		{
			int error = role_member(reading, row, member, member_value, role);
			if (error)
				return error;
		}
		if (!role->role_name)
			return fault(reading, row, NULL, "role_name is missing in this entry of roles");
	}
	return 0;
}

/* --- endpoints: {bedrock: {us-east-1: https://…}}; {bedrock: https://…} is for all regions --- */

static int add_endpoint(const struct reading *reading, const json_t *container, const char *key,
	const char *service, const char *region, const json_t *url)
{
	struct swp_configuration *out = reading->out;
	if (!json_is_string(url))
		return fault(reading, container, key, "a URL is wanted here");
	struct swp_configured_endpoint *rows =
		swp_realloc(out->endpoints, (out->endpoint_count + 1) * sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	out->endpoints = rows;
	struct swp_configured_endpoint *row = &rows[out->endpoint_count++];
	*row = (struct swp_configured_endpoint){
		swp_strdup(service), region ? swp_strdup(region) : NULL, swp_strdup(json_string_value(url))};
	return row->service && (!region || row->region) && row->url ? 0 : -ENOMEM;
}

static int read_endpoints(
	const struct reading *reading, const json_t *document, const char *key, json_t *value)
{
	const char *service, *region;
	json_t *regions, *url;
	size_t count = 0;
	while (reading->services[count])
		count++;
	if (!json_is_object(value))
		return fault(reading, document, key, "endpoints is {service: {region: URL}}");
	json_object_foreach(value, service, regions)
	{
		bool known = false;
		int error = 0;
		for (size_t i = 0; i < count; i++)
			known |= swp_text_equal(reading->services[i], service);
		if (!known)
			return unknown_key(reading, value, service, reading->services, count);
		if (!json_is_object(regions)) {
			error = add_endpoint(reading, value, service, service, NULL, regions);
		} else {
			json_object_foreach(regions, region, url)
			{
				error = add_endpoint(reading, regions, region, service, region, url);
				if (error)
					break;
			}
		}
		if (error)
			return error;
	}
	return 0;
}

/* --- the document --- */

static void complain(const struct swp_lint_message *message, void *context)
{
	struct swp_problem *problem = context;
	if (!*problem->text)
		swp_problem_set(problem, 0, "%s:%u: %s", message->file, message->line, message->text);
}

static int read_document(const struct reading *reading, json_t *document)
{
	const char *key;
	json_t *value;
	if (!json_is_object(document))
		return fault(reading, document, NULL, "a configuration is a list of keys and values");
	const json_t *section =
		reading->section ? json_object_get(json_object_get(document, "sweeps"), reading->section)
				 : NULL;
	json_object_foreach(document, key, value)
	{
		int error = 0;
		if (swp_text_equal(key, "roles"))
			error = read_roles(reading, document, key, value);
		else if (swp_text_equal(key, "endpoints"))
			error = read_endpoints(reading, document, key, value);
		else if (swp_text_equal(key, "sweeps"))
			error = read_sweeps(reading, document, key, value);
		else if (!json_object_get(section, key)) /* else what the section says is meant */
			error = read_option(reading, document, key, value);
		if (error)
			return error;
	}
	return section ? read_section(reading, section) : 0;
}

int swp_configuration_read(const char *name, const char *section, const char *bytes, size_t length,
	const char *const *services, struct swp_options *options, struct swp_configuration *ret_configuration,
	struct swp_problem *problem)
{
	struct swp_catalogue_file file = {name, bytes, length};
	struct swp_problem first = {""};
	struct swp_locations *locations = swp_locations_new();
	struct swp_lint lint = {.locations = locations, .complain = complain, .context = &first};
	struct reading reading = {name, section, locations, services, options, ret_configuration, problem};
	json_t *document = NULL;
	if (!locations)
		return -ENOMEM;
	int error = swp_yaml_parse(&file, &lint, locations, &document);
	if (error > 0)
		error = swp_problem_set(problem, -EINVAL, "%s", first.text);
	else if (!error)
		error = read_document(&reading, document);
	json_decref(document);
	swp_locations_free(locations);
	return error;
}

static void list_free(const struct swp_text_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		swp_free((char *)(uintptr_t)list->items[i]);
	swp_free((void *)(uintptr_t)list->items);
}

static void sweep_done(struct swp_configured_sweep *sweep)
{
	struct texts outputs = {sweep->outputs, sweep->output_count};

	texts_done(&outputs);
	swp_free(sweep->name);
	for (int i = 0; i < SWP_SCHEDULED_KEYS; i++)
		swp_free(sweep->texts[i]);
}

void swp_configuration_done(struct swp_configuration *configuration)
{
	for (size_t i = 0; i < configuration->role_count; i++) {
		struct swp_sweep_role *role = &configuration->roles[i];
		list_free(&role->accounts);
		list_free(&role->ou);
		swp_free((char *)(uintptr_t)role->role_name);
		swp_free((char *)(uintptr_t)role->external_id);
	}
	for (size_t i = 0; i < configuration->endpoint_count; i++) {
		swp_free(configuration->endpoints[i].service);
		swp_free(configuration->endpoints[i].region);
		swp_free(configuration->endpoints[i].url);
	}
	for (size_t i = 0; i < configuration->sweep_count; i++)
		sweep_done(&configuration->sweeps[i]);
	swp_free(configuration->sweeps);
	swp_free(configuration->roles);
	swp_free(configuration->endpoints);
	*configuration = (struct swp_configuration){0};
}
