/* Faults that change an answer which is written: members taken out, names spoiled, bytes cut. See faults.h. */
#include "tests/simulator/faults.h"

#include "tests/simulator/call.h"
#include "tests/simulator/fault-xml.h"

#include <jansson.h>
#include <stdlib.h>

enum change {
	REMOVE,
	NULLIFY,
	RETYPE,
};

static bool is_json(const struct swp_sim_call *call)
{
	return call->service->protocol == SWP_SIM_JSON_11 || call->service->protocol == SWP_SIM_REST_JSON;
}

/* A value of another type: what a reader that trusts the model trips over. */
static json_t *other_type(const json_t *value)
{
	return json_is_string(value) ? json_integer(42) : json_string("not what the model says");
}

static void change_member(json_t *object, const char *name, enum change change)
{
	json_t *value = json_object_get(object, name);
	if (value == NULL)
		return;
	if (change == REMOVE)
		json_object_del(object, name);
	else
		json_object_set_new(object, name, change == NULLIFY ? json_null() : other_type(value));
}

static void change_element(json_t *list, size_t i, enum change change)
{
	if (change == REMOVE)
		json_array_remove(list, i);
	else
		json_array_set_new(
			list, i, change == NULLIFY ? json_null() : other_type(json_array_get(list, i)));
}

static void change_path(json_t *value, struct swp_sim_text path, enum change change);

/* What stands behind a name in the path: [] all elements, [N] one. Elements are changed from the last, as they may go. */
static void change_list(json_t *list, struct swp_sim_text index, struct swp_sim_text rest, enum change change)
{
	uint64_t wanted = 0;
	bool all = index.size == 0;
	if (!json_is_array(list) || (!all && swp_sim_text_number(index, &wanted) != 0))
		return;
	for (size_t i = json_array_size(list); i-- > 0;) {
		if (!all && i != wanted)
			continue;
		if (rest.at != NULL)
			change_path(json_array_get(list, i), rest, change);
		else
			change_element(list, i, change);
	}
}

static void change_path(json_t *value, struct swp_sim_text path, enum change change)
{
	struct swp_sim_text rest = path;
	struct swp_sim_text index = swp_sim_text_cut(&rest, '.');
	struct swp_sim_text name = swp_sim_text_cut(&index, '[');
	char *copy = swp_sim_copy_text(name);
	if (index.at != NULL)
		change_list(json_object_get(value, copy),
			(struct swp_sim_text){index.at, index.size ? index.size - 1 : 0}, rest, change);
	else if (rest.at != NULL)
		change_path(json_object_get(value, copy), rest, change);
	else if (json_is_object(value))
		change_member(value, copy, change);
	free(copy);
}

static void put_json(struct swp_sim_call *call, json_t *document)
{
	char *text = json_dumps(document, JSON_COMPACT);
	if (text != NULL) {
		swp_sim_call_clear_body(call);
		swp_sim_buffer_put(call->body, text);
	}
	free(text);
}

static void change_body(struct swp_sim_call *call, enum change change)
{
	static const enum swp_sim_xml_change xml_changes[] = {
		SWP_SIM_XML_REMOVE, SWP_SIM_XML_EMPTY, SWP_SIM_XML_RETYPE};
	struct swp_sim_text body = swp_sim_call_body(call), path = swp_sim_text_of(call->fault->path);
	if (!is_json(call)) {
		swp_sim_xml_change(call, path, xml_changes[change]);
		return;
	}
	json_t *document = json_loadb(body.at, body.size, 0, NULL);
	if (document != NULL) {
		change_path(document, path, change);
		put_json(call, document);
	}
	json_decref(document);
}

static void remove_member(struct swp_sim_call *call)
{
	change_body(call, REMOVE);
}

static void nullify_member(struct swp_sim_call *call)
{
	change_body(call, NULLIFY);
}

static void retype_member(struct swp_sim_call *call)
{
	change_body(call, RETYPE);
}

static void cut_body(struct swp_sim_call *call)
{
	call->body->size -= (call->body->size - call->body_start + 1) / 2;
}

static void put_garbage(struct swp_sim_call *call)
{
	static const char bytes[] = "\x16\x03\x01 this is not what was asked for \xff\xfe\0}{<&";
	swp_sim_call_clear_body(call);
	swp_sim_buffer_append(call->body, bytes, sizeof bytes - 1);
}

static void put_nothing(struct swp_sim_call *call)
{
	swp_sim_call_clear_body(call);
}

/* Puts text where a further member may stand: behind the first brace, or before the last closing tag. */
static void insert_member(struct swp_sim_call *call, struct swp_sim_text json, struct swp_sim_text xml)
{
	struct swp_sim_buffer old = {0};
	swp_sim_buffer_text_put(&old, swp_sim_call_body(call));
	swp_sim_call_clear_body(call);
	if (is_json(call)) {
		swp_sim_buffer_byte(call->body, '{');
		swp_sim_buffer_text_put(call->body, json);
		if (old.size > 1 && old.data[1] != '}')
			swp_sim_buffer_byte(call->body, ',');
		swp_sim_buffer_append(call->body, old.data + 1, old.size - 1);
	} else {
		size_t last = old.size;
		while (last > 1 && !(old.data[last - 1] == '/' && old.data[last - 2] == '<'))
			last--;
		last = last > 1 ? last - 2 : old.size;
		swp_sim_buffer_append(call->body, old.data, last);
		swp_sim_buffer_text_put(call->body, xml);
		swp_sim_buffer_append(call->body, old.data + last, old.size - last);
	}
	swp_sim_buffer_done(&old);
}

static void repeat(struct swp_sim_buffer *into, const char *text, uint64_t times)
{
	for (uint64_t i = 0; i < times; i++)
		swp_sim_buffer_put(into, text);
}

static void make_huge(struct swp_sim_call *call)
{
	struct swp_sim_buffer json = {0}, xml = {0};
	bool json_is_asked = is_json(call);
	struct swp_sim_buffer *into = json_is_asked ? &json : &xml;
	swp_sim_buffer_put(into, json_is_asked ? "\"padding\":\"" : "<Padding>");
	swp_sim_buffer_reserve(into, call->fault->number + 16);
	memset(into->data + into->size, 'x', call->fault->number);
	into->size += call->fault->number;
	swp_sim_buffer_put(into, json_is_asked ? "\"" : "</Padding>");
	insert_member(call, swp_sim_buffer_text(&json), swp_sim_buffer_text(&xml));
	swp_sim_buffer_done(&json);
	swp_sim_buffer_done(&xml);
}

static void make_deep(struct swp_sim_call *call)
{
	struct swp_sim_buffer json = {0}, xml = {0};
	swp_sim_buffer_put(&json, "\"nested\":");
	repeat(&json, "[", call->fault->number);
	repeat(&json, "]", call->fault->number);
	repeat(&xml, "<Nested>", call->fault->number);
	repeat(&xml, "</Nested>", call->fault->number);
	insert_member(call, swp_sim_buffer_text(&json), swp_sim_buffer_text(&xml));
	swp_sim_buffer_done(&json);
	swp_sim_buffer_done(&xml);
}

static bool is_name(const char *member)
{
	struct swp_sim_text text = swp_sim_text_of(member);
	return swp_sim_text_ends(text, "Name") || swp_sim_text_is(text, "name") ||
	       swp_sim_text_ends(text, "Arn") || swp_sim_text_is(text, "arn");
}

static void spoil_names(json_t *value, struct swp_sim_text suffix)
{
	const char *name;
	json_t *member;
	void *next;
	size_t i;
	json_array_foreach(value, i, member) spoil_names(member, suffix);
	json_object_foreach_safe(value, next, name, member)
	{
		if (!json_is_string(member) || !is_name(name)) {
			spoil_names(member, suffix);
			continue;
		}
		struct swp_sim_buffer text = {0};
		swp_sim_buffer_append(&text, json_string_value(member), json_string_length(member));
		swp_sim_buffer_text_put(&text, suffix);
		json_object_set_new(value, name, json_stringn(text.data, text.size));
		swp_sim_buffer_done(&text);
	}
}

static void change_names(struct swp_sim_call *call, struct swp_sim_text suffix, const char *xml_suffix)
{
	struct swp_sim_text body = swp_sim_call_body(call);
	if (!is_json(call)) {
		swp_sim_xml_append_to_names(call, xml_suffix);
		return;
	}
	json_t *document = json_loadb(body.at, body.size, 0, NULL);
	if (document != NULL) {
		spoil_names(document, suffix);
		put_json(call, document);
	}
	json_decref(document);
}

static void put_nul_in_names(struct swp_sim_call *call)
{
	change_names(call, (struct swp_sim_text){SWP_SIM_NAME_WITH_NUL, sizeof SWP_SIM_NAME_WITH_NUL - 1},
		"&#0;nul");
}

/* XML 1.0 has no ESC, not even as a reference; the C1 control of the same meaning is legal. */
static void put_escapes_in_names(struct swp_sim_call *call)
{
	change_names(call, SWP_SIM_TEXT(SWP_SIM_NAME_WITH_ESCAPES), "&#x9b;31m&#10;&lt;script&gt;");
}

static void change_type(struct swp_sim_call *call)
{
	call->content_type = "text/html";
}

static const struct {
	const char *kind;
	void (*change)(struct swp_sim_call *);
} changes[] = {
	{"missing-member", remove_member},
	{"null-member", nullify_member},
	{"wrong-type", retype_member},
	{"cut-body", cut_body},
	{"garbage", put_garbage},
	{"empty-body", put_nothing},
	{"huge", make_huge},
	{"deep", make_deep},
	{"nul-in-name", put_nul_in_names},
	{"escapes-in-name", put_escapes_in_names},
	{"wrong-content-type", change_type},
};

void swp_sim_fault_changes_answer(struct swp_sim_call *call)
{
	for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
		if (swp_sim_call_has_fault(call, changes[i].kind)) {
			changes[i].change(call);
			return;
		}
	}
}
