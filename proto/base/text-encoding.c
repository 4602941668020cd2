/* Text and bytes: UTF-8, neutralizing what a terminal would obey, hex, base64, percent. */
#include "proto/base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/error.h"

/* Length of the well-formed UTF-8 sequence at `text` and its code point; 0 when there is none (RFC 3629 §4). */
static size_t read_utf8(const char *text, size_t length, uint32_t *ret_point)
{
	const unsigned char *bytes = (const unsigned char *)text;
	unsigned char first = bytes[0];
	size_t size = first < 0x80   ? 1
		      : first < 0xc2 ? 0
		      : first < 0xe0 ? 2
		      : first < 0xf0 ? 3
		      : first < 0xf5 ? 4
				     : 0;
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t point;

	if (size == 0 || size > length)
		return 0;
	point = size == 1 ? first : first & (0x7fu >> size);
	for (size_t i = 1; i < size; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (bytes[i] & 0x3fu);
	}
	if (point < least[size] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
		return 0;
	*ret_point = point;
	return size;
}

bool swp_text_is_utf8(const char *text, size_t length)
{
	uint32_t point;

	while (length > 0) {
		size_t size = read_utf8(text, length, &point);

		if (size == 0 || point == 0)
			return false;
		text += size;
		length -= size;
	}
	return true;
}

/* What a terminal or a reader's eye would be led astray by: controls, line separators, bidirectional marks. */
static bool is_hostile(uint32_t point)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {{0x00, 0x1f}, {0x7f, 0x9f}, {0x61c, 0x61c}, {0x200e, 0x200f}, {0x2028, 0x202e},
		{0x2066, 0x2069}};

	for (size_t i = 0; i < SWP_ARRAY_SIZE(ranges); i++) {
		if (point >= ranges[i].first && point <= ranges[i].last)
			return true;
	}
	return false;
}

#define CLEAN_STEP_BYTES 16

/* One character of the input and how it is shown; returns how many bytes it took. */
static size_t clean_step(
	const char *text, size_t length, char shown[static CLEAN_STEP_BYTES], size_t *ret_shown)
{
	uint32_t point = 0;
	size_t size = read_utf8(text, length, &point);

	if (size > 0 && !is_hostile(point)) {
		memcpy(shown, text, size);
		*ret_shown = size;
		return size;
	}
	if (size <= 1) {
		*ret_shown = (size_t)snprintf(shown, CLEAN_STEP_BYTES, "\\x%02x", (unsigned char)text[0]);
		return 1;
	}
	*ret_shown = (size_t)snprintf(shown, CLEAN_STEP_BYTES, "\\u{%04x}", (unsigned)point);
	return size;
}

/* Bytes at the front that need no look: printable ASCII. Most text is nothing else. */
static size_t plain_run(const char *text, size_t length)
{
	size_t run = 0;

	while (run < length && text[run] >= 0x20 && text[run] < 0x7f)
		run++;
	return run;
}

int swp_text_clean(struct swp_buf *out, const char *text, size_t length)
{
	size_t before = out->length;
	char shown[CLEAN_STEP_BYTES];
	int error = out->failed;

	while (length > 0 && !error) {
		size_t used = plain_run(text, length), shown_length;

		if (used > 0) {
			error = swp_buf_append(out, text, used);
		} else {
			used = clean_step(text, length, shown, &shown_length);
			error = swp_buf_append(out, shown, shown_length);
		}
		text += used;
		length -= used;
	}
	if (error)
		swp_buf_truncate(out, before);
	return error;
}

size_t swp_text_clean_array(char *out, size_t size, const char *text, size_t length)
{
	char shown[CLEAN_STEP_BYTES];
	size_t used = 0, shown_length;

	SWP_ASSERT(size > 0);
	while (length > 0) {
		size_t step = clean_step(text, length, shown, &shown_length);

		if (used + shown_length >= size)
			break;
		memcpy(out + used, shown, shown_length);
		used += shown_length;
		text += step;
		length -= step;
	}
	out[used] = '\0';
	return used;
}

int swp_hex_encode(struct swp_buf *out, const void *bytes, size_t length)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *next = bytes;
	int error = swp_buf_reserve(out, length > SIZE_MAX / 2 ? SIZE_MAX : length * 2);

	if (error)
		return error;
	for (size_t i = 0; i < length; i++) {
		out->data[out->length++] = digits[next[i] >> 4];
		out->data[out->length++] = digits[next[i] & 15];
	}
	out->data[out->length] = '\0';
	return 0;
}

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int swp_base64_encode(struct swp_buf *out, const void *bytes, size_t length)
{
	const unsigned char *next = bytes;
	int error = swp_buf_reserve(out, length > SIZE_MAX / 2 ? SIZE_MAX : (length + 2) / 3 * 4);

	if (error)
		return error;
	for (size_t i = 0; i < length; i += 3) {
		size_t left = length - i;
		uint32_t group = (uint32_t)next[i] << 16 | (left > 1 ? (uint32_t)next[i + 1] << 8 : 0) |
				 (left > 2 ? next[i + 2] : 0u);

		out->data[out->length++] = base64_digits[group >> 18];
		out->data[out->length++] = base64_digits[group >> 12 & 63];
		out->data[out->length++] = left > 1 ? base64_digits[group >> 6 & 63] : '=';
		out->data[out->length++] = left > 2 ? base64_digits[group & 63] : '=';
	}
	out->data[out->length] = '\0';
	return 0;
}

/* The value of each byte as a base64 digit, −1 for others. */
static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* One group of four; `padding` of its last digits are "=". False if a digit is wrong or bits would be lost. */
static bool decode_group(const char *text, size_t padding, char bytes[static 3])
{
	uint32_t group = 0;

	for (size_t i = 0; i < 4; i++) {
		int value = i < 4 - padding ? base64_value(text[i]) : 0;

		if (value < 0)
			return false;
		group = group << 6 | (uint32_t)value;
	}
	bytes[0] = (char)(group >> 16);
	bytes[1] = (char)(group >> 8 & 255);
	bytes[2] = (char)(group & 255);
	return padding == 0 || (padding == 1 && bytes[2] == 0) ||
	       (padding == 2 && bytes[1] == 0 && bytes[2] == 0);
}

int swp_base64_decode(struct swp_buf *out, const char *text, size_t length)
{
	size_t before = out->length, padding = 0;
	int error;

	if (length % 4 != 0)
		return -EINVAL;
	if (length > 0 && text[length - 1] == '=')
		padding = text[length - 2] == '=' ? 2 : 1;
	error = swp_buf_reserve(out, length / 4 * 3);
	if (error)
		return error;
	for (size_t i = 0; i < length; i += 4) {
		size_t cut = i + 4 == length ? padding : 0;

		if (!decode_group(text + i, cut, out->data + out->length)) {
			swp_buf_truncate(out, before);
			return -EINVAL;
		}
		out->length += 3 - cut;
	}
	out->data[out->length] = '\0';
	return 0;
}

int swp_percent_encode(struct swp_buf *out, const char *text, size_t length, bool keep_slash)
{
	static const char digits[] = "0123456789ABCDEF";
	int error = swp_buf_reserve(out, length > SIZE_MAX / 3 ? SIZE_MAX : length * 3);

	if (error)
		return error;
	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)text[i];
		bool kept = (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
			    (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' || byte == '.' ||
			    byte == '~' || (keep_slash && byte == '/');

		if (kept) {
			out->data[out->length++] = (char)byte;
			continue;
		}
		out->data[out->length++] = '%';
		out->data[out->length++] = digits[byte >> 4];
		out->data[out->length++] = digits[byte & 15];
	}
	out->data[out->length] = '\0';
	return 0;
}
