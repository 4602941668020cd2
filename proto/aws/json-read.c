/* A recursive-descent JSON reader; its depth is bounded by SWP_LIMIT_DOCUMENT_DEPTH. */
#include "proto/aws/json-read.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/aws/dialect.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

struct reader {
	const char *at, *end;
	unsigned depth, values;
	struct swp_buf scratch; /* unescaped strings */
};

static int read_value(struct reader *reader, json_t **ret_value);

static void skip_blanks(struct reader *reader)
{
	while (reader->at < reader->end &&
		(*reader->at == ' ' || *reader->at == '\n' || *reader->at == '\r' || *reader->at == '\t'))
		reader->at++;
}

/* The next byte that is no blank, 0 at the end; not consumed. */
static char peek(struct reader *reader)
{
	skip_blanks(reader);
	return reader->at < reader->end ? *reader->at : '\0';
}

/* --- strings --- */

static int hex_digit(char byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	byte |= 0x20;
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* Four hex digits behind \u; -1 when they are not. */
static long read_unit(struct reader *reader)
{
	long unit = 0;

	if (reader->end - reader->at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = hex_digit(reader->at[i]);

		if (digit < 0)
			return -1;
		unit = unit * 16 + digit;
	}
	reader->at += 4;
	return unit;
}

static int append_code_point(struct swp_buf *out, unsigned long point)
{
	char bytes[4];
	size_t length;

	if (point < 0x80) {
		bytes[0] = (char)point;
		length = 1;
	} else if (point < 0x800) {
		bytes[0] = (char)(0xc0 | (point >> 6));
		length = 2;
	} else if (point < 0x10000) {
		bytes[0] = (char)(0xe0 | (point >> 12));
		length = 3;
	} else {
		bytes[0] = (char)(0xf0 | (point >> 18));
		length = 4;
	}
	for (size_t i = 1; i < length; i++)
		bytes[i] = (char)(0x80 | ((point >> (6 * (length - 1 - i))) & 0x3f));
	return swp_buf_append(out, bytes, length);
}

static int read_unicode_escape(struct reader *reader)
{
	long unit = read_unit(reader), low;
	unsigned long point;

	if (unit < 0 || (unit >= 0xdc00 && unit <= 0xdfff))
		return SWP_DIALECT_MALFORMED;
	point = unit != 0 ? (unsigned long)unit : 0xfffd;
	if (unit >= 0xd800 && unit <= 0xdbff) {
		if (reader->end - reader->at < 2 || reader->at[0] != '\\' || reader->at[1] != 'u')
			return SWP_DIALECT_MALFORMED;
		reader->at += 2;
		low = read_unit(reader);
		if (low < 0xdc00 || low > 0xdfff)
			return SWP_DIALECT_MALFORMED;
		point = 0x10000 + (((unsigned long)unit - 0xd800) << 10) + ((unsigned long)low - 0xdc00);
	}
	return append_code_point(&reader->scratch, point);
}

static int read_escape(struct reader *reader)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *which;
	char byte;

	if (reader->at == reader->end)
		return SWP_DIALECT_MALFORMED;
	byte = *reader->at++;
	if (byte == 'u')
		return read_unicode_escape(reader);
	which = byte != '\0' ? strchr(from, byte) : NULL;
	if (which == NULL)
		return SWP_DIALECT_MALFORMED;
	return swp_buf_append_byte(&reader->scratch, to[which - from]);
}

/* Moves over plain bytes up to '"', '\\', a control byte or the end; tells whether any was above ASCII. */
static bool skip_plain(struct reader *reader)
{
	unsigned char seen = 0;

	while (reader->at < reader->end) {
		unsigned char byte = (unsigned char)*reader->at;

		if (byte == '"' || byte == '\\' || byte < 0x20)
			break;
		seen |= byte;
		reader->at++;
	}
	return seen >= 0x80;
}

static bool is_utf8_run(const char *from, const char *to, bool above_ascii)
{
	return !above_ascii || swp_text_is_utf8(from, (size_t)(to - from));
}

/* The rest of a string that has an escape in it; the part before stands in `start`. */
static int read_escaped(struct reader *reader, const char *start)
{
	int result = 0;

	swp_buf_clear(&reader->scratch);
	swp_buf_append(&reader->scratch, start, (size_t)(reader->at - start));
	while (result == 0) {
		if (reader->at == reader->end || (unsigned char)*reader->at < 0x20)
			return SWP_DIALECT_MALFORMED;
		if (*reader->at++ == '"')
			return reader->scratch.failed;
		result = read_escape(reader);
		if (result == 0) {
			const char *run = reader->at;
			bool above_ascii = skip_plain(reader);

			if (!is_utf8_run(run, reader->at, above_ascii))
				return SWP_DIALECT_MALFORMED;
			result = swp_buf_append(&reader->scratch, run, (size_t)(reader->at - run));
		}
	}
	return result;
}

/* Behind the opening quote. The text is borrowed from the body, or from the scratch buffer until the next string. */
static int read_string(struct reader *reader, const char **ret_text, size_t *ret_length)
{
	const char *start = reader->at;
	bool above_ascii = skip_plain(reader);
	int result;

	if (reader->at == reader->end || (unsigned char)*reader->at < 0x20 ||
		!is_utf8_run(start, reader->at, above_ascii))
		return SWP_DIALECT_MALFORMED;
	if (*reader->at == '"') {
		*ret_text = start;
		*ret_length = (size_t)(reader->at++ - start);
		return 0;
	}
	result = read_escaped(reader, start);
	if (result == 0) {
		*ret_text = swp_buf_text(&reader->scratch);
		*ret_length = reader->scratch.length;
	}
	return result;
}

/* --- numbers --- */

static size_t count_digits(const char *at, const char *end)
{
	const char *start = at;

	while (at < end && *at >= '0' && *at <= '9')
		at++;
	return (size_t)(at - start);
}

/* RFC 8259 §6; the length of the number, 0 when it is none. */
static size_t scan_number(const char *start, const char *end, bool *ret_real)
{
	const char *at = start;
	size_t digits;

	*ret_real = false;
	at += at < end && *at == '-';
	digits = count_digits(at, end);
	if (digits == 0 || (digits > 1 && *at == '0'))
		return 0;
	at += digits;
	if (at < end && *at == '.') {
		*ret_real = true;
		digits = count_digits(++at, end);
		if (digits == 0)
			return 0;
		at += digits;
	}
	if (at < end && (*at == 'e' || *at == 'E')) {
		*ret_real = true;
		at++;
		at += at < end && (*at == '+' || *at == '-');
		digits = count_digits(at, end);
		if (digits == 0)
			return 0;
		at += digits;
	}
	return (size_t)(at - start);
}

/* The digits were checked; only the range is open. */
static int read_integer(const char *text, size_t length, json_t **ret_value)
{
	bool negative = text[0] == '-';
	uint64_t magnitude = 0, limit = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;

	for (size_t i = negative; i < length; i++) {
		uint64_t digit = (uint64_t)(text[i] - '0');

		if (magnitude > (limit - digit) / 10)
			return SWP_DIALECT_MALFORMED;
		magnitude = magnitude * 10 + digit;
	}
	*ret_value = json_integer(negative ? -(json_int_t)(magnitude - (magnitude > 0)) - (magnitude > 0)
					   : (json_int_t)magnitude);
	return *ret_value != NULL ? 0 : -ENOMEM;
}

static int read_real(const char *text, size_t length, json_t **ret_value)
{
	char copy[512]; /* longer numbers are nobody's */
	double number;

	if (length >= sizeof(copy))
		return SWP_DIALECT_MALFORMED;
	memcpy(copy, text, length);
	copy[length] = '\0';
	number = strtod(copy, NULL);
	if (!isfinite(number))
		return SWP_DIALECT_MALFORMED;
	*ret_value = json_real(number);
	return *ret_value != NULL ? 0 : -ENOMEM;
}

static int read_number(struct reader *reader, json_t **ret_value)
{
	const char *start = reader->at;
	bool real;
	size_t length = scan_number(start, reader->end, &real);

	if (length == 0)
		return SWP_DIALECT_MALFORMED;
	reader->at += length;
	return real ? read_real(start, length, ret_value) : read_integer(start, length, ret_value);
}

/* --- values --- */

static int read_array(struct reader *reader, json_t *array)
{
	if (peek(reader) == ']') {
		reader->at++;
		return 0;
	}
	for (;;) {
		json_t *value;
		int result = read_value(reader, &value);
		char next;

		if (result != 0)
			return result;
		if (json_array_append_new(array, value) != 0)
			return -ENOMEM;
		next = peek(reader);
		reader->at++;
		if (next == ']')
			return 0;
		if (next != ',')
			return SWP_DIALECT_MALFORMED;
	}
}

static int read_member(struct reader *reader, json_t *object)
{
	char inline_name[128], *copy = NULL;
	const char *name;
	size_t length;
	json_t *value;
	int result;

	if (peek(reader) != '"')
		return SWP_DIALECT_MALFORMED;
	reader->at++;
	result = read_string(reader, &name, &length);
	if (result != 0)
		return result;
	if (name == reader->scratch.data) { /* the value may need the scratch buffer too */
		copy = length < sizeof(inline_name) ? inline_name : swp_calloc(1, length + 1);
		if (copy == NULL)
			return -ENOMEM;
		memcpy(copy, name, length);
		name = copy;
	}
	result = SWP_DIALECT_MALFORMED;
	if (peek(reader) == ':') {
		reader->at++;
		result = read_value(reader, &value);
	}
	if (result == 0 && json_object_setn_new_nocheck(object, name, length, value) != 0)
		result = -ENOMEM;
	if (copy != inline_name)
		swp_free(copy);
	return result;
}

static int read_object(struct reader *reader, json_t *object)
{
	if (peek(reader) == '}') {
		reader->at++;
		return 0;
	}
	for (;;) {
		int result = read_member(reader, object);
		char next;

		if (result != 0)
			return result;
		next = peek(reader);
		reader->at++;
		if (next == '}')
			return 0;
		if (next != ',')
			return SWP_DIALECT_MALFORMED;
	}
}

static int read_container(struct reader *reader, char open, json_t **ret_value)
{
	json_t *value;
	int result;

	if (reader->depth == SWP_LIMIT_DOCUMENT_DEPTH)
		return SWP_DIALECT_TOO_DEEP;
	value = open == '{' ? json_object() : json_array();
	if (value == NULL)
		return -ENOMEM;
	reader->depth++;
	reader->at++;
	result = open == '{' ? read_object(reader, value) : read_array(reader, value);
	reader->depth--;
	if (result != 0)
		json_decref(value);
	else
		*ret_value = value;
	return result;
}

static int read_literal(struct reader *reader, json_t **ret_value)
{
	static const struct {
		const char *text;
		size_t length;
	} literals[] = {{"true", 4}, {"false", 5}, {"null", 4}};
	size_t left = (size_t)(reader->end - reader->at);

	for (size_t i = 0; i < SWP_ARRAY_SIZE(literals); i++) {
		if (left >= literals[i].length &&
			memcmp(reader->at, literals[i].text, literals[i].length) == 0) {
			reader->at += literals[i].length;
			*ret_value = i == 2 ? json_null() : json_boolean(i == 0);
			return 0;
		}
	}
	return SWP_DIALECT_MALFORMED;
}

static int read_value(struct reader *reader, json_t **ret_value)
{
	const char *text;
	size_t length;
	char next = peek(reader);
	int result;

	if (++reader->values > SWP_LIMIT_DOCUMENT_VALUES)
		return SWP_DIALECT_TOO_DEEP;
	if (next == '{' || next == '[')
		return read_container(reader, next, ret_value);
	if (next == '-' || (next >= '0' && next <= '9'))
		return read_number(reader, ret_value);
	if (next != '"')
		return read_literal(reader, ret_value);
	reader->at++;
	result = read_string(reader, &text, &length);
	if (result != 0)
		return result;
	*ret_value = json_stringn_nocheck(text, length);
	return *ret_value != NULL ? 0 : -ENOMEM;
}

int swp_json_read(const char *text, size_t length, json_t **ret_value)
{
	struct reader reader = {.at = text, .end = text + length, .scratch = {.secret = true}};
	json_t *value;
	int result = read_value(&reader, &value);

	if (result == 0) {
		skip_blanks(&reader);
		if (reader.at == reader.end)
			*ret_value = value;
		else
			result = SWP_DIALECT_MALFORMED;
		if (result != 0)
			json_decref(value);
	}
	swp_buf_done(&reader.scratch);
	return result;
}
