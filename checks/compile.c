/* YAML files → one canonical JSON text. */
#include "checks/catalogue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "checks/lint.h"
#include "checks/model.h"
#include "checks/shape.h"
#include "checks/yaml-read.h"
#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

static const char *const sections[] = {"checks", "chains", "predicates", "resources", "services", "sets"};

struct compilation {
	struct swp_locations *locations;
	struct swp_lint lint;
	json_t *own;	/* rows of the files, by section */
	json_t *merged; /* with those of the base */
};

/* Puts the operations of a second row of the same service to the first. */
static int join_services(struct compilation *self, json_t *rows, const char *name, json_t *more)
{
	json_t *first = json_object_get(json_object_get(rows, name), "operations");
	json_t *operations = json_object_get(more, "operations");
	const char *operation;
	json_t *row;

	if (json_object_size(more) != 1 || !json_is_object(operations) || !json_is_object(first)) {
		swp_lint_fault(&self->lint, rows, name,
			"'%.200s' stands twice; a second row may only add 'operations'", name);
		return 0;
	}
	json_object_foreach(operations, operation, row)
	{
		if (json_object_get(first, operation))
			swp_lint_fault(
				&self->lint, operations, operation, "'%.200s' stands twice", operation);
		else if (json_object_set(first, operation, row) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int merge_rows(struct compilation *self, const char *section, json_t *from)
{
	json_t *rows = json_object_get(self->own, section);
	const char *name;
	json_t *row;
	int r = 0;

	if (from && !json_is_object(from)) {
		swp_lint_fault(&self->lint, from, NULL, "'%s' takes a mapping", section);
		return 0;
	}
	json_object_foreach(from, name, row)
	{
		const char *file = NULL;
		unsigned line = 0;

		if (!json_object_get(rows, name)) {
			if (json_object_set(rows, name, row) < 0)
				return -ENOMEM;
			if (swp_locations_find(self->locations, from, name, &file, &line))
				r = swp_locations_add(self->locations, rows, name, file, line);
		} else if (swp_text_equal(section, "services")) {
			r = join_services(self, rows, name, row);
		} else {
			swp_lint_fault(&self->lint, from, name, "'%.200s' stands twice", name);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int merge_file(struct compilation *self, const struct swp_catalogue_file *file)
{
	json_t *document = NULL;
	int r = swp_yaml_parse(file, &self->lint, self->locations, &document);

	if (r != 0)
		return r > 0 ? 0 : r;
	if (swp_shape_check(&self->lint, document, NULL, &swp_shape_document)) {
		for (size_t i = 0; i < SWP_ARRAY_SIZE(sections) && r == 0; i++)
			r = merge_rows(self, sections[i], json_object_get(document, sections[i]));
	}
	/* Kept for the life of the compilation: places are remembered by address. */
	if (json_array_append_new(json_object_get(self->own, "files"), document) < 0)
		return -ENOMEM;
	return r;
}

/* A user's row of a built-in service may be no more than some operations. */
static int extend_service(struct compilation *self, json_t *own, const char *name, const json_t *base)
{
	json_t *row = json_object_get(own, name);
	json_t *operations = json_object_get(row, "operations");
	const char *key;
	json_t *value;
	int r = 0;

	if (!json_is_object(row))
		return 0;
	if (!operations) {
		operations = json_object();
		if (!operations || json_object_set_new(row, "operations", operations) < 0)
			return -ENOMEM;
	}
	json_object_foreach((json_t *)base, key, value)
	{
		if (!json_object_get(row, key) && json_object_set(row, key, value) < 0)
			r = -ENOMEM;
	}
	json_object_foreach(json_object_get(base, "operations"), key, value)
	{
		if (json_is_object(operations) && !json_object_get(operations, key) &&
			json_object_set(operations, key, value) < 0)
			r = -ENOMEM;
	}
	(void)self;
	return r;
}

/* Own rows win over rows of the base. */
static int merge_base_section(struct compilation *self, const char *section, const json_t *base)
{
	json_t *own = json_object_get(self->own, section);
	const char *name;
	json_t *row;
	int r = 0;

	json_object_foreach((json_t *)base, name, row)
	{
		if (swp_text_equal(section, "sets") && swp_text_equal(name, "refused-actions") &&
			json_object_get(own, name))
			swp_lint_fault(&self->lint, own, name,
				"'%s' of the built-in catalogue cannot be replaced", name);
		if (!json_object_get(own, name))
			r = json_object_set(own, name, row) < 0 ? -ENOMEM : 0;
		else if (swp_text_equal(section, "services"))
			r = extend_service(self, own, name, row);
		if (r < 0)
			return r;
	}
	return json_object_size(own) == 0 || json_object_set(self->merged, section, own) == 0 ? 0 : -ENOMEM;
}

static int check_model(struct compilation *self)
{
	struct swp_catalogue catalogue = {.document = self->merged};
	int r;

	catalogue.region = swp_region_new(0);
	if (!catalogue.region)
		return -ENOMEM;
	r = swp_model_build(&catalogue, &self->lint);
	swp_region_free(catalogue.region);
	return r;
}

static int append_dump(const char *bytes, size_t length, void *context)
{
	return swp_buf_append(context, bytes, length) < 0 ? -1 : 0;
}

/* Sorted keys, no spaces: the same rows give the same bytes, however they were spread over files. */
static int write_canonical(const struct compilation *self, struct swp_buf *ret_compiled)
{
	int r = json_dump_callback(
		self->merged, append_dump, ret_compiled, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII);

	return r < 0 ? (ret_compiled->failed ? ret_compiled->failed : -ENOMEM) : 0;
}

static int compile_all(struct compilation *self, const struct swp_catalogue_file *files, size_t count,
	const json_t *base, struct swp_buf *ret_compiled)
{
	int r = 0;

	if (json_object_set_new(self->own, "files", json_array()) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(sections); i++) {
		if (json_object_set_new(self->own, sections[i], json_object()) < 0)
			return -ENOMEM;
	}
	for (size_t i = 0; i < count && r == 0; i++)
		r = merge_file(self, &files[i]);
	for (size_t i = 0; i < SWP_ARRAY_SIZE(sections) && r == 0; i++)
		r = merge_base_section(self, sections[i], json_object_get(base, sections[i]));
	if (r == 0)
		r = check_model(self);
	if (r == 0 && self->lint.faults == 0)
		r = write_canonical(self, ret_compiled);
	return r;
}

int swp_catalogue_compile(const struct swp_catalogue_file *files, size_t count,
	const struct swp_catalogue *base,
	void (*complain)(const struct swp_lint_message *message, void *context), void *context,
	struct swp_buf *ret_compiled)
{
	struct compilation self = {.locations = swp_locations_new(),
		.lint = {.complain = complain, .context = context},
		.own = json_object(),
		.merged = json_object()};
	json_t *base_copy = base ? json_deep_copy(swp_catalogue_document(base)) : NULL;
	int r = -ENOMEM;

	self.lint.locations = self.locations;
	if (self.locations && self.own && self.merged && (base_copy || !base))
		r = compile_all(&self, files, count, base_copy, ret_compiled);
	json_decref(base_copy);
	json_decref(self.merged);
	json_decref(self.own);
	swp_locations_free(self.locations);
	return r == 0 && self.lint.faults ? 1 : r;
}
