/* YAML to options, roles and endpoints; see the header. */
#include "coordinator/configuration.h"

#include <errno.h>
#include <string.h>

#include "checks/yaml-read.h"
#include "proto/base/alloc.h"
#include "proto/base/text.h"

struct reading {
	const char *file;
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
	const char *names[SWP_OPT_COUNT + 2] = {"roles", "endpoints"};
	char spelled[SWP_OPT_COUNT][48];
	for (int i = 0; i < SWP_OPT_COUNT; i++) {
		snprintf(spelled[i], sizeof(spelled[i]), "%s", swp_option_row(i)->name);
		for (char *at = spelled[i]; *at; at++)
			if (*at == '-')
				*at = '_';
		names[i + 2] = spelled[i];
	}
	return unknown_key(reading, document, key, names, SWP_ARRAY_SIZE(names));
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
	json_object_foreach(document, key, value)
	{
		int error = swp_text_equal(key, "roles")       ? read_roles(reading, document, key, value)
			    : swp_text_equal(key, "endpoints") ? read_endpoints(reading, document, key, value)
							       : read_option(reading, document, key, value);
		if (error)
			return error;
	}
	return 0;
}

int swp_configuration_read(const char *name, const char *bytes, size_t length, const char *const *services,
	struct swp_options *options, struct swp_configuration *ret_configuration, struct swp_problem *problem)
{
	struct swp_catalogue_file file = {name, bytes, length};
	struct swp_problem first = {""};
	struct swp_locations *locations = swp_locations_new();
	struct swp_lint lint = {.locations = locations, .complain = complain, .context = &first};
	struct reading reading = {name, locations, services, options, ret_configuration, problem};
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
	swp_free(configuration->roles);
	swp_free(configuration->endpoints);
	*configuration = (struct swp_configuration){0};
}
