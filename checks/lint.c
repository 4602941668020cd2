/* Where YAML members stood, and the telling of faults. */
#include "checks/lint.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/map.h"
#include "proto/base/text.h"

struct location {
	const char *file;
	unsigned line;
};
struct swp_locations {
	struct swp_map *map;
};

struct swp_locations *swp_locations_new(void)
{
	struct swp_locations *locations = swp_calloc(1, sizeof(*locations));

	if (!locations)
		return NULL;
	locations->map = swp_map_new();
	if (!locations->map) {
		swp_free(locations);
		return NULL;
	}
	return locations;
}

void swp_locations_free(struct swp_locations *locations)
{
	if (!locations)
		return;
	swp_map_free(locations->map, swp_free);
	swp_free(locations);
}

static char *location_key(const json_t *container, const char *key)
{
	return swp_asprintf("%p %s", (const void *)container, key ? key : "");
}

int swp_locations_add(struct swp_locations *locations, const json_t *container, const char *key,
	const char *file, unsigned line)
{
	SWP_CLEANUP(swp_free_pointer) char *text = location_key(container, key);
	struct location *location = swp_calloc(1, sizeof(*location));
	void *old = NULL;
	int r = -ENOMEM;

	if (text && location) {
		*location = (struct location){.file = file, .line = line};
		r = swp_map_put(locations->map, text, location, &old);
	}
	if (r < 0)
		swp_free(location);
	swp_free(old);
	return r;
}

bool swp_locations_find(const struct swp_locations *locations, const json_t *container, const char *key,
	const char **ret_file, unsigned *ret_line)
{
	for (int own = key == NULL; own < 2; own++) {
		SWP_CLEANUP(swp_free_pointer) char *text = location_key(container, own ? "" : key);
		const struct location *location = text ? swp_map_get(locations->map, text) : NULL;

		if (location) {
			*ret_file = location->file;
			*ret_line = location->line;
			return true;
		}
	}
	return false;
}

static void tell(struct swp_lint *lint, const json_t *container, const char *key, const char *text)
{
	struct swp_lint_message message = {.file = "catalogue", .line = 0, .text = text};

	if (lint->locations &&
		!swp_locations_find(lint->locations, container, key, &message.file, &message.line))
		message.line = 1;
	if (lint->faults++ == 0)
		swp_problem_set(lint->problem, -EINVAL, "%s%s%s", key ? key : "", key ? ": " : "", text);
	if (lint->complain)
		lint->complain(&message, lint->context);
}

void swp_lint_fault(struct swp_lint *lint, const json_t *container, const char *key, const char *format, ...)
{
	char text[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	tell(lint, container, key, text);
}

void swp_lint_unknown(struct swp_lint *lint, const json_t *container, const char *key, const char *what,
	const char *word, const char *const *names, size_t count)
{
	const char *nearest = swp_nearest(word, names, count);

	if (nearest)
		swp_lint_fault(lint, container, key, "unknown %s '%.200s' (nearest known: '%s')", what, word,
			nearest);
	else
		swp_lint_fault(lint, container, key, "unknown %s '%.200s'", what, word);
}
