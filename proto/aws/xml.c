/* One frame an open element; its value is made when it closes and given to the frame below. */
#include "proto/aws/xml.h"

#include <errno.h>
#include <expat.h>
#include <string.h>

#include "proto/aws/dialect.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/base/limits.h"

struct frame {
	char name[SWP_XML_NAME_BYTES];
	json_t *items;	  /* children, while all of them are list items */
	json_t *members;  /* children, once one of them is not */
	json_t *repeated; /* names in members whose array was made by repetition; NULL: none */
	struct swp_buf text;
};

struct reader {
	XML_Parser parser;
	const char *item;
	const char *const *lists;
	struct frame frames[SWP_LIMIT_DOCUMENT_DEPTH];
	unsigned depth, values;
	json_t *root;
	char root_name[SWP_XML_NAME_BYTES];
	int result; /* first failure; then the parser is stopped */
};

static void stop(struct reader *reader, int result)
{
	if (reader->result == 0) {
		reader->result = result;
		XML_StopParser(reader->parser, XML_FALSE);
	}
}

static bool is_list_name(const struct reader *reader, const char *name)
{
	for (const char *const *list = reader->lists; list != NULL && *list != NULL; list++) {
		if (strcmp(*list, name) == 0)
			return true;
	}
	return false;
}

/* A member named in operation->lists: takes the items of a wrapped list, one item, or nothing (an empty element). */
static int add_to_list(json_t *members, const char *name, json_t *value)
{
	json_t *list = json_object_get(members, name);
	int error = 0;

	if (list == NULL) {
		list = json_array();
		if (list == NULL || json_object_set_new_nocheck(members, name, list) != 0) {
			json_decref(value);
			return -ENOMEM;
		}
	}
	if (json_is_array(value))
		error = json_array_extend(list, value);
	else if (!json_is_string(value) || json_string_length(value) > 0)
		error = json_array_append(list, value);
	json_decref(value);
	return error == 0 ? 0 : -ENOMEM;
}

/* A name that comes again: an array of all its values. */
static int add_repeated(struct frame *frame, const char *name, json_t *first, json_t *value)
{
	json_t *list = first;

	if (json_object_get(frame->repeated, name) == NULL) {
		list = json_array();
		if (frame->repeated == NULL)
			frame->repeated = json_object();
		if (list == NULL || json_array_append(list, first) != 0 ||
			json_object_set_new_nocheck(frame->repeated, name, json_true()) != 0 ||
			json_object_set_nocheck(frame->members, name, list) != 0) {
			json_decref(list);
			json_decref(value);
			return -ENOMEM;
		}
		json_decref(list); /* members keeps it */
	}
	return json_array_append_new(list, value) == 0 ? 0 : -ENOMEM;
}

static int add_member(struct reader *reader, struct frame *frame, const char *name, json_t *value)
{
	json_t *present = json_object_get(frame->members, name);

	if (is_list_name(reader, name))
		return add_to_list(frame->members, name, value);
	if (present != NULL)
		return add_repeated(frame, name, present, value);
	return json_object_set_new_nocheck(frame->members, name, value) == 0 ? 0 : -ENOMEM;
}

/* The children so far looked like a list's, and are an object's. */
static int items_to_members(struct reader *reader, struct frame *frame)
{
	size_t count = json_array_size(frame->items);
	int error = 0;

	frame->members = json_object();
	if (frame->members == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < count && error == 0; i++)
		error = add_member(reader, frame, reader->item, json_incref(json_array_get(frame->items, i)));
	json_decref(frame->items);
	frame->items = NULL;
	return error;
}

/* Takes `value`. */
static int add_child(struct reader *reader, struct frame *frame, const char *name, json_t *value)
{
	if (frame->members == NULL && reader->item != NULL && strcmp(name, reader->item) == 0) {
		if (frame->items == NULL)
			frame->items = json_array();
		return json_array_append_new(frame->items, value) == 0 ? 0 : -ENOMEM;
	}
	if (frame->members == NULL) {
		int error = items_to_members(reader, frame);

		if (error != 0) {
			json_decref(value);
			return error;
		}
	}
	return add_member(reader, frame, name, value);
}

static void frame_done(struct frame *frame)
{
	json_decref(frame->items);
	json_decref(frame->members);
	json_decref(frame->repeated);
	frame->items = frame->members = frame->repeated = NULL;
	swp_buf_done(&frame->text);
}

static json_t *frame_value(const struct frame *frame)
{
	if (frame->members != NULL)
		return json_incref(frame->members);
	if (frame->items != NULL)
		return json_incref(frame->items);
	return json_stringn(frame->text.length > 0 ? frame->text.data : "", frame->text.length);
}

static void XMLCALL start_element(void *context, const XML_Char *name, const XML_Char **attributes)
{
	struct reader *reader = context;
	struct frame *frame;
	size_t length = strlen(name);

	(void)attributes;
	if (reader->result != 0)
		return;
	if (reader->depth == SWP_LIMIT_DOCUMENT_DEPTH || ++reader->values > SWP_LIMIT_DOCUMENT_VALUES) {
		stop(reader, SWP_DIALECT_TOO_DEEP);
		return;
	}
	if (length >= SWP_XML_NAME_BYTES) {
		stop(reader, SWP_DIALECT_MALFORMED);
		return;
	}
	if (reader->depth > 0) /* white space between children */
		swp_buf_clear(&reader->frames[reader->depth - 1].text);
	frame = &reader->frames[reader->depth++];
	frame->items = frame->members = frame->repeated = NULL;
	memcpy(frame->name, name, length + 1);
}

static void XMLCALL end_element(void *context, const XML_Char *name)
{
	struct reader *reader = context;
	struct frame *frame;
	json_t *value;

	(void)name;
	if (reader->result != 0)
		return;
	frame = &reader->frames[--reader->depth];
	value = frame->text.failed == 0 ? frame_value(frame) : NULL;
	if (value == NULL) {
		stop(reader, -ENOMEM);
	} else if (reader->depth == 0) {
		memcpy(reader->root_name, frame->name, sizeof(reader->root_name));
		reader->root = value;
	} else if (add_child(reader, frame - 1, frame->name, value) != 0) {
		stop(reader, -ENOMEM);
	}
	json_decref(frame->items);
	json_decref(frame->members);
	json_decref(frame->repeated);
	frame->items = frame->members = frame->repeated = NULL;
	swp_buf_clear(&frame->text);
}

static void XMLCALL characters(void *context, const XML_Char *text, int length)
{
	struct reader *reader = context;
	struct frame *frame;

	if (reader->result != 0 || reader->depth == 0)
		return;
	frame = &reader->frames[reader->depth - 1];
	if (frame->items == NULL && frame->members == NULL)
		swp_buf_append(&frame->text, text, (size_t)length);
}

static void XMLCALL doctype(void *context, const XML_Char *name, const XML_Char *system_id,
	const XML_Char *public_id, int has_internal_subset)
{
	(void)name;
	(void)system_id;
	(void)public_id;
	(void)has_internal_subset;
	stop(context, SWP_DIALECT_MALFORMED);
}

static int reader_run(struct reader *reader, const char *text, size_t length)
{
	reader->parser = XML_ParserCreate(NULL);
	if (reader->parser == NULL)
		return -ENOMEM;
	XML_SetUserData(reader->parser, reader);
	XML_SetElementHandler(reader->parser, start_element, end_element);
	XML_SetCharacterDataHandler(reader->parser, characters);
	XML_SetStartDoctypeDeclHandler(reader->parser, doctype);
	if (XML_Parse(reader->parser, text, (int)length, XML_TRUE) != XML_STATUS_OK && reader->result == 0)
		reader->result = XML_GetErrorCode(reader->parser) == XML_ERROR_NO_MEMORY
					 ? -ENOMEM
					 : SWP_DIALECT_MALFORMED;
	XML_ParserFree(reader->parser);
	return reader->result;
}

int swp_xml_read(const char *text, size_t length, const char *item, const char *const *lists,
	char ret_root[static SWP_XML_NAME_BYTES], json_t **ret_value)
{
	struct reader *reader;
	int result;

	if (length > SWP_LIMIT_RESPONSE_BYTES)
		return SWP_DIALECT_TOO_DEEP;
	reader = swp_calloc(1, sizeof(*reader));
	if (reader == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < SWP_LIMIT_DOCUMENT_DEPTH; i++)
		reader->frames[i].text.secret = true; /* STS answers hold credentials */
	reader->item = item;
	reader->lists = lists;
	result = reader_run(reader, text, length);
	if (result == 0 && reader->root != NULL) {
		memcpy(ret_root, reader->root_name, sizeof(reader->root_name));
		*ret_value = reader->root;
		reader->root = NULL;
	} else if (result == 0) {
		result = SWP_DIALECT_MALFORMED;
	}
	json_decref(reader->root);
	for (size_t i = 0; i < SWP_LIMIT_DOCUMENT_DEPTH; i++)
		frame_done(&reader->frames[i]);
	swp_free(reader);
	return result;
}
