/* The YAML reader from any bytes: read, and what was read is printed and read as JSON again; then compiled, whatever it is. */
#include <stdint.h>
#include <stdlib.h>

#include "checks/catalogue.h"
#include "checks/yaml-read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ignore(const struct swp_lint_message *message, void *context)
{
	(void)context;
	SWP_ASSERT(message->text[0] && message->file[0]);
}

static void print(json_t *document)
{
	char *text = json_dumps(document, JSON_COMPACT | JSON_SORT_KEYS);
	json_t *again = text ? json_loads(text, 0, NULL) : NULL;

	SWP_ASSERT(!text || json_equal(document, again));
	json_decref(again);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct swp_catalogue_file file = {.name = "F", .bytes = (const char *)data, .length = size};
	struct swp_locations *locations = swp_locations_new();
	struct swp_lint lint = {.complain = ignore};
	struct swp_buf compiled = {0};
	json_t *document = NULL;
	int r;

	SWP_ASSERT(locations);
	r = swp_yaml_parse(&file, &lint, locations, &document);
	SWP_ASSERT((r == 0) == (lint.faults == 0));
	if (r == 0)
		print(document);
	json_decref(document);
	swp_locations_free(locations);
	r = swp_catalogue_compile(&file, 1, NULL, ignore, NULL, &compiled);
	SWP_ASSERT(r == 0 || r == 1);
	swp_buf_done(&compiled);
	return 0;
}
