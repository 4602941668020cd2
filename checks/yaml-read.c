/* Reads YAML events of libyaml into jansson values. Refuses what a catalogue doesn't need and what could surprise its reader. */
#include "checks/yaml-read.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "proto/base/limits.h"
#include "proto/base/text.h"

struct frame {
	json_t *container; /* owned by its parent; the first one by the reader */
	char key[256];	   /* objects: the key that waits for its value */
	bool has_key;
	unsigned line; /* of that key */
};

struct reader {
	yaml_parser_t parser;
	const struct swp_catalogue_file *file;
	struct swp_lint *lint;
	struct swp_locations *locations;
	json_t *root;
	struct frame frames[SWP_LIMIT_DOCUMENT_DEPTH];
	size_t depth;
	unsigned documents;
};

static int fault(struct reader *reader, unsigned line, const char *text, const char *word)
{
	struct swp_lint_message message = {.file = reader->file->name, .line = line};
	char full[512];

	if (*word)
		snprintf(full, sizeof(full), "%s: '%.200s'", text, word);
	else
		snprintf(full, sizeof(full), "%s", text);
	message.text = full;
	if (reader->lint->faults++ == 0)
		swp_problem_set(reader->lint->problem, -EINVAL, "%s:%u: %s", message.file, line, full);
	if (reader->lint->complain)
		reader->lint->complain(&message, reader->lint->context);
	return SWP_YAML_FAULTY;
}

static bool is_integer(const char *text)
{
	const char *digits = text + (*text == '-');

	return *digits && strlen(digits) <= 15 && strspn(digits, "0123456789") == strlen(digits);
}

static bool is_real(const char *text)
{
	const char *digits = text + (*text == '-');
	const char *point = strchr(digits, '.');

	return point && point != digits && point[1] && strlen(digits) <= 20 &&
	       strspn(digits, "0123456789") == (size_t)(point - digits) &&
	       strspn(point + 1, "0123456789") == strlen(point + 1);
}

static json_t *plain_scalar(const char *text)
{
	int64_t number;

	if (!*text || swp_text_equal(text, "null") || swp_text_equal(text, "~"))
		return json_null();
	if (swp_text_equal(text, "true") || swp_text_equal(text, "false"))
		return json_boolean(*text == 't');
	if (is_integer(text) && swp_parse_i64(text, -1000000000000000, 1000000000000000, &number) == 0)
		return json_integer(number);
	if (is_real(text))
		return json_real(strtod(text, NULL));
	return json_string(text);
}

static int remember(struct reader *reader, const json_t *container, const char *key, unsigned line)
{
	if (!reader->locations)
		return 0;
	return swp_locations_add(reader->locations, container, key, reader->file->name, line);
}

/* Puts a value where the reader stands. Takes `value`. */
static int put(struct reader *reader, json_t *value, unsigned line)
{
	struct frame *top = reader->depth ? &reader->frames[reader->depth - 1] : NULL;
	char index[32];
	int r;

	if (!value)
		return -ENOMEM;
	if (!top) {
		reader->root = value;
		return 0;
	}
	if (json_is_array(top->container)) {
		snprintf(index, sizeof(index), "[%zu]", json_array_size(top->container));
		r = remember(reader, top->container, index, line);
		return json_array_append_new(top->container, value) < 0 ? -ENOMEM : r;
	}
	top->has_key = false;
	r = remember(reader, top->container, top->key, top->line);
	return json_object_set_new(top->container, top->key, value) < 0 ? -ENOMEM : r;
}

static int take_key(struct reader *reader, struct frame *top, const char *text, unsigned line)
{
	if (strlen(text) >= sizeof(top->key))
		return fault(reader, line, "a key is longer than 255 bytes", "");
	if (json_object_get(top->container, text))
		return fault(reader, line, "a key stands twice", text);
	memcpy(top->key, text, strlen(text) + 1);
	top->has_key = true;
	top->line = line;
	return 0;
}

static int scalar(struct reader *reader, const yaml_event_t *event, unsigned line)
{
	const char *text = (const char *)event->data.scalar.value;
	struct frame *top = reader->depth ? &reader->frames[reader->depth - 1] : NULL;
	json_t *value;

	if (event->data.scalar.anchor || event->data.scalar.tag)
		return fault(reader, line, "anchors and tags are not understood", "");
	if (!swp_text_is_utf8(text, event->data.scalar.length))
		return fault(reader, line, "text is not UTF-8, or holds a NUL", "");
	if (top && json_is_object(top->container) && !top->has_key)
		return take_key(reader, top, text, line);
	value = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? plain_scalar(text) : json_string(text);
	return put(reader, value, line);
}

static int open_container(struct reader *reader, json_t *container, const yaml_char_t *anchor,
	const yaml_char_t *tag, unsigned line)
{
	struct frame *top = reader->depth ? &reader->frames[reader->depth - 1] : NULL;
	int r;

	if (!container)
		return -ENOMEM;
	if (anchor || tag) {
		json_decref(container);
		return fault(reader, line, "anchors and tags are not understood", "");
	}
	if (reader->depth == SWP_LIMIT_DOCUMENT_DEPTH ||
		(top && json_is_object(top->container) && !top->has_key)) {
		json_decref(container);
		return fault(reader, line, "nested too deep, or a key that is no text", "");
	}
	r = put(reader, container, line);
	if (r == 0)
		r = remember(reader, container, "", line);
	reader->frames[reader->depth++] = (struct frame){.container = container};
	return r;
}

static int take(struct reader *reader, const yaml_event_t *event)
{
	unsigned line = (unsigned)event->start_mark.line + 1;

	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		return reader->documents++ ? fault(reader, line, "a second document", "") : 0;
	case YAML_ALIAS_EVENT:
		return fault(reader, line, "aliases are not understood", "");
	case YAML_SCALAR_EVENT:
		return scalar(reader, event, line);
	case YAML_MAPPING_START_EVENT:
		return open_container(reader, json_object(), event->data.mapping_start.anchor,
			event->data.mapping_start.tag, line);
	case YAML_SEQUENCE_START_EVENT:
		return open_container(reader, json_array(), event->data.sequence_start.anchor,
			event->data.sequence_start.tag, line);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		reader->depth--;
		return 0;
	default:
		return 0;
	}
}

static int read_events(struct reader *reader)
{
	bool end = false;
	int r = 0;

	while (!end && r == 0) {
		yaml_event_t event;

		if (!yaml_parser_parse(&reader->parser, &event)) {
			if (reader->parser.error == YAML_MEMORY_ERROR)
				return -ENOMEM;
			return fault(reader, (unsigned)reader->parser.problem_mark.line + 1, "not YAML",
				reader->parser.problem ? reader->parser.problem : "unreadable");
		}
		end = event.type == YAML_STREAM_END_EVENT;
		r = take(reader, &event);
		yaml_event_delete(&event);
	}
	return r;
}

int swp_yaml_parse(const struct swp_catalogue_file *file, struct swp_lint *lint,
	struct swp_locations *locations, json_t **ret_document)
{
	struct reader reader = {.file = file, .lint = lint, .locations = locations};
	int r;

	if (file->length > SWP_LIMIT_FILE_BYTES)
		return fault(&reader, 1, "longer than a catalogue file may be", "");
	if (!yaml_parser_initialize(&reader.parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&reader.parser, (const unsigned char *)file->bytes, file->length);
	r = read_events(&reader);
	yaml_parser_delete(&reader.parser);
	if (r == 0 && (!reader.root || json_is_null(reader.root))) {
		json_decref(reader.root);
		reader.root = json_object();
		r = reader.root ? 0 : -ENOMEM;
	}
	if (r == 0 && !json_is_object(reader.root))
		r = fault(&reader, 1, "the file's top is no mapping", "");
	if (r == 0)
		*ret_document = reader.root;
	else
		json_decref(reader.root);
	return r;
}
