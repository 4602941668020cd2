/* Reading JSON without a tree. See json-text.h; grammar: RFC 8259. */
#include "tests/simulator/json-text.h"

struct cursor {
	const char *at;
	const char *end;
};

static struct cursor cursor_of(struct swp_sim_text text)
{
	if (text.at == NULL)
		text = SWP_SIM_TEXT("");
	return (struct cursor){text.at, text.at + text.size};
}

static void skip_space(struct cursor *c)
{
	while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\n' || *c->at == '\r'))
		c->at++;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool skip_string(struct cursor *c)
{
	for (c->at++; c->at < c->end; c->at++) {
		unsigned char now = (unsigned char)*c->at;
		if (now == '"') {
			c->at++;
			return true;
		}
		if (now < 0x20)
			return false;
		if (now != '\\')
			continue;
		if (++c->at >= c->end || strchr("\"\\/bfnrtu", *c->at) == NULL)
			return false;
		if (*c->at != 'u')
			continue;
		for (int i = 0; i < 4; i++) {
			if (++c->at >= c->end || !is_hex(*c->at))
				return false;
		}
	}
	return false;
}

static bool skip_digits(struct cursor *c)
{
	const char *start = c->at;
	while (c->at < c->end && *c->at >= '0' && *c->at <= '9')
		c->at++;
	return c->at > start;
}

static bool skip_number(struct cursor *c)
{
	if (*c->at == '-')
		c->at++;
	if (!skip_digits(c))
		return false;
	if (c->at < c->end && *c->at == '.') {
		c->at++;
		if (!skip_digits(c))
			return false;
	}
	if (c->at < c->end && (*c->at == 'e' || *c->at == 'E')) {
		c->at++;
		if (c->at < c->end && (*c->at == '+' || *c->at == '-'))
			c->at++;
		return skip_digits(c);
	}
	return true;
}

static bool skip_word(struct cursor *c, const char *word)
{
	size_t size = strlen(word);
	if ((size_t)(c->end - c->at) < size || memcmp(c->at, word, size) != 0)
		return false;
	c->at += size;
	return true;
}

static bool skip_value(struct cursor *c, unsigned depth);

static bool skip_items(struct cursor *c, unsigned depth, char close)
{
	bool first = true;
	for (c->at++;; first = false) {
		skip_space(c);
		if (c->at >= c->end)
			return false;
		if (*c->at == close && first)
			break;
		if (close == '}') {
			if (*c->at != '"' || !skip_string(c))
				return false;
			skip_space(c);
			if (c->at >= c->end || *c->at++ != ':')
				return false;
		}
		if (!skip_value(c, depth + 1))
			return false;
		skip_space(c);
		if (c->at < c->end && *c->at == close)
			break;
		if (c->at >= c->end || *c->at++ != ',')
			return false;
	}
	c->at++;
	return true;
}

static bool skip_value(struct cursor *c, unsigned depth)
{
	skip_space(c);
	if (c->at >= c->end || depth > SWP_SIM_JSON_DEPTH_MAX)
		return false;
	switch (*c->at) {
	case '{':
		return skip_items(c, depth, '}');
	case '[':
		return skip_items(c, depth, ']');
	case '"':
		return skip_string(c);
	case 't':
		return skip_word(c, "true");
	case 'f':
		return skip_word(c, "false");
	case 'n':
		return skip_word(c, "null");
	default:
		return skip_number(c);
	}
}

bool swp_sim_json_valid(struct swp_sim_text text)
{
	struct cursor c = cursor_of(text);
	if (!skip_value(&c, 0))
		return false;
	skip_space(&c);
	return c.at == c.end;
}

char swp_sim_json_kind(struct swp_sim_text value)
{
	struct cursor c = cursor_of(value);
	skip_space(&c);
	return c.at < c.end ? *c.at : '\0';
}

bool swp_sim_json_walk_init(struct swp_sim_json_walk *walk, struct swp_sim_text value)
{
	struct cursor c = cursor_of(value);
	skip_space(&c);
	if (c.at >= c.end || (*c.at != '{' && *c.at != '['))
		return false;
	*walk = (struct swp_sim_json_walk){.at = c.at + 1, .end = c.end, .is_object = *c.at == '{'};
	return true;
}

bool swp_sim_json_walk_next(
	struct swp_sim_json_walk *walk, struct swp_sim_text *ret_name, struct swp_sim_text *ret_value)
{
	struct cursor c = {walk->at, walk->end};
	struct swp_sim_text name = {"", 0};
	skip_space(&c);
	if (walk->started && c.at < c.end && *c.at == ',')
		c.at++;
	walk->started = true;
	skip_space(&c);
	if (c.at >= c.end || *c.at == '}' || *c.at == ']')
		return false;
	if (walk->is_object) {
		const char *start = c.at + 1;
		if (*c.at != '"' || !skip_string(&c))
			return false;
		name = (struct swp_sim_text){start, (size_t)(c.at - 1 - start)};
		skip_space(&c);
		if (c.at >= c.end || *c.at++ != ':')
			return false;
		skip_space(&c);
	}
	const char *start = c.at;
	if (!skip_value(&c, 1))
		return false;
	walk->at = c.at;
	*ret_name = name;
	*ret_value = (struct swp_sim_text){start, (size_t)(c.at - start)};
	return true;
}

bool swp_sim_json_member(struct swp_sim_text object, struct swp_sim_text name, struct swp_sim_text *ret_value)
{
	struct swp_sim_json_walk walk;
	struct swp_sim_text member, value;
	if (swp_sim_json_kind(object) != '{' || !swp_sim_json_walk_init(&walk, object))
		return false;
	while (swp_sim_json_walk_next(&walk, &member, &value)) {
		if (swp_sim_text_equal(member, name)) {
			*ret_value = value;
			return true;
		}
	}
	return false;
}

static unsigned hex4(const char *at)
{
	unsigned value = 0;
	for (int i = 0; i < 4; i++) {
		char c = at[i];
		value = value * 16 + (unsigned)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
	}
	return value;
}

static void put_utf8(struct swp_sim_buffer *into, unsigned code)
{
	char bytes[4];
	size_t size = 0;
	if (code < 0x80) {
		bytes[size++] = (char)code;
	} else if (code < 0x800) {
		bytes[size++] = (char)(0xc0 | code >> 6);
	} else if (code < 0x10000) {
		bytes[size++] = (char)(0xe0 | code >> 12);
		bytes[size++] = (char)(0x80 | (code >> 6 & 0x3f));
	} else {
		bytes[size++] = (char)(0xf0 | code >> 18);
		bytes[size++] = (char)(0x80 | (code >> 12 & 0x3f));
		bytes[size++] = (char)(0x80 | (code >> 6 & 0x3f));
	}
	if (code >= 0x80)
		bytes[size++] = (char)(0x80 | (code & 0x3f));
	swp_sim_buffer_append(into, bytes, size);
}

/* `at` stands on the u of \uHHHH. Returns the last character that was used. */
static const char *put_escape(struct swp_sim_buffer *into, const char *at, const char *end)
{
	unsigned code = hex4(at + 1);
	const char *last = at + 4;
	if (code >= 0xd800 && code < 0xdc00 && end - last > 6 && last[1] == '\\' && last[2] == 'u') {
		unsigned low = hex4(last + 3);
		if (low >= 0xdc00 && low < 0xe000) {
			code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
			last += 6;
		}
	}
	put_utf8(into, code);
	return last;
}

void swp_sim_json_string(struct swp_sim_buffer *into, struct swp_sim_text value)
{
	static const char names[] = "bfnrt", bytes[] = "\b\f\n\r\t";
	if (value.size < 2 || value.at[0] != '"') {
		swp_sim_buffer_text_put(into, value);
		return;
	}
	const char *end = value.at + value.size - 1;
	for (const char *at = value.at + 1; at < end; at++) {
		if (*at != '\\') {
			swp_sim_buffer_byte(into, *at);
			continue;
		}
		at++;
		const char *named = strchr(names, *at);
		if (*at == 'u')
			at = put_escape(into, at, end);
		else
			swp_sim_buffer_byte(into, named ? bytes[named - names] : *at);
	}
}
