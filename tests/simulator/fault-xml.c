/* Changing an XML answer. See fault-xml.h. */
#include "tests/simulator/fault-xml.h"

/* An element: from its opening bracket to behind its closing one, and what is between the tags. */
struct element {
	const char *start;
	const char *content;
	const char *content_end;
	const char *end;
};

static const char *find(const char *at, const char *end, struct swp_sim_text what)
{
	return at < end ? memmem(at, (size_t)(end - at), what.at, what.size) : NULL;
}

/* The next element of that name, at whatever depth. */
static bool next_element(const char *at, const char *end, struct swp_sim_text name, struct element *ret)
{
	struct swp_sim_buffer tag = {0};
	bool found = false;
	swp_sim_buffer_byte(&tag, '<');
	swp_sim_buffer_text_put(&tag, name);
	for (const char *start = at; !found && (start = find(start, end, swp_sim_buffer_text(&tag))) != NULL;
		start++) {
		const char *behind = start + tag.size;
		if (behind >= end || (*behind != '>' && *behind != ' '))
			continue;
		const char *close = memchr(behind, '>', (size_t)(end - behind));
		if (close == NULL)
			break;
		*ret = (struct element){.start = start, .content = close + 1};
		found = true;
	}
	if (found) {
		swp_sim_buffer_clear(&tag);
		swp_sim_buffer_put(&tag, "</");
		swp_sim_buffer_text_put(&tag, name);
		swp_sim_buffer_byte(&tag, '>');
		ret->content_end = find(ret->content, end, swp_sim_buffer_text(&tag));
		found = ret->content_end != NULL;
		ret->end = found ? ret->content_end + tag.size : NULL;
	}
	swp_sim_buffer_done(&tag);
	return found;
}

static void put_changed(
	struct swp_sim_buffer *into, const struct element *element, enum swp_sim_xml_change change)
{
	if (change == SWP_SIM_XML_REMOVE)
		return;
	swp_sim_buffer_append(into, element->start, (size_t)(element->content - element->start));
	if (change == SWP_SIM_XML_RETYPE)
		swp_sim_buffer_put(into, "<Unexpected><Inner>not what the model says</Inner></Unexpected>");
	swp_sim_buffer_append(into, element->content_end, (size_t)(element->end - element->content_end));
}

static void copy_changed(struct swp_sim_buffer *into, const char *at, const char *end,
	struct swp_sim_text path, enum swp_sim_xml_change change)
{
	struct swp_sim_text rest = path;
	struct swp_sim_text index = swp_sim_text_cut(&rest, '.');
	struct swp_sim_text name = swp_sim_text_cut(&index, '[');
	struct element element;
	while (next_element(at, end, name, &element)) {
		swp_sim_buffer_append(into, at, (size_t)(element.start - at));
		if (rest.at == NULL) {
			put_changed(into, &element, change);
		} else {
			swp_sim_buffer_append(into, element.start, (size_t)(element.content - element.start));
			copy_changed(into, element.content, element.content_end, rest, change);
			swp_sim_buffer_append(
				into, element.content_end, (size_t)(element.end - element.content_end));
		}
		at = element.end;
	}
	swp_sim_buffer_append(into, at, (size_t)(end - at));
}

static void replace_body(struct swp_sim_call *call, struct swp_sim_buffer *changed)
{
	swp_sim_call_clear_body(call);
	swp_sim_buffer_text_put(call->body, swp_sim_buffer_text(changed));
	swp_sim_buffer_done(changed);
}

void swp_sim_xml_change(struct swp_sim_call *call, struct swp_sim_text path, enum swp_sim_xml_change change)
{
	struct swp_sim_buffer changed = {0};
	struct swp_sim_text body = swp_sim_call_body(call);
	copy_changed(&changed, body.at, body.at + body.size, path, change);
	replace_body(call, &changed);
}

void swp_sim_xml_append_to_names(struct swp_sim_call *call, const char *text)
{
	static const char *const endings[] = {"Name", "Arn", "name", "arn"};
	struct swp_sim_buffer changed = {0};
	struct swp_sim_text body = swp_sim_call_body(call);
	for (size_t i = 0; i < body.size; i++) {
		struct swp_sim_text rest = {body.at + i, body.size - i};
		if (swp_sim_text_starts(rest, "</")) {
			struct swp_sim_text tag = swp_sim_text_cut(&rest, '>');
			for (size_t k = 0; k < sizeof endings / sizeof endings[0]; k++) {
				if (swp_sim_text_ends(tag, endings[k]))
					swp_sim_buffer_put(&changed, text);
			}
		}
		swp_sim_buffer_byte(&changed, body.at[i]);
	}
	replace_body(call, &changed);
}
