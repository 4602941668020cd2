/* Growing text. See buffer.h. */
#include "tests/simulator/buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* Most of what is printed fits into this, so that it is formatted once. */
#define PRINTED_AT_ONCE 512

static void *or_die(void *memory)
{
	if (memory == NULL) {
		fputs("orgsweep-simulator: out of memory\n", stderr);
		exit(70);
	}
	return memory;
}

void *swp_sim_allocate(size_t size)
{
	return or_die(malloc(size ? size : 1));
}

void *swp_sim_allocate_zeroed(size_t count, size_t size)
{
	return or_die(calloc(count ? count : 1, size ? size : 1));
}

void *swp_sim_reallocate(void *old, size_t size)
{
	return or_die(realloc(old, size ? size : 1));
}

char *swp_sim_copy_text(struct swp_sim_text text)
{
	char *copy = swp_sim_allocate(text.size + 1);
	if (text.size)
		memcpy(copy, text.at, text.size);
	copy[text.size] = '\0';
	return copy;
}

char *swp_sim_copy(const char *text)
{
	return swp_sim_copy_text(swp_sim_text_of(text));
}

struct swp_sim_text swp_sim_text_of(const char *string)
{
	if (string == NULL)
		return (struct swp_sim_text){"", 0};
	return (struct swp_sim_text){string, strlen(string)};
}

bool swp_sim_text_equal(struct swp_sim_text a, struct swp_sim_text b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.at, b.at, a.size) == 0);
}

bool swp_sim_text_is(struct swp_sim_text text, const char *string)
{
	return swp_sim_text_equal(text, swp_sim_text_of(string));
}

bool swp_sim_text_is_caseless(struct swp_sim_text text, const char *string)
{
	size_t size = strlen(string);
	return text.size == size && (size == 0 || strncasecmp(text.at, string, size) == 0);
}

bool swp_sim_text_starts(struct swp_sim_text text, const char *prefix)
{
	size_t size = strlen(prefix);
	return text.size >= size && (size == 0 || memcmp(text.at, prefix, size) == 0);
}

bool swp_sim_text_ends(struct swp_sim_text text, const char *suffix)
{
	size_t size = strlen(suffix);
	return text.size >= size && (size == 0 || memcmp(text.at + text.size - size, suffix, size) == 0);
}

struct swp_sim_text swp_sim_text_trim(struct swp_sim_text text)
{
	while (text.size && (text.at[0] == ' ' || text.at[0] == '\t')) {
		text.at++;
		text.size--;
	}
	while (text.size && (text.at[text.size - 1] == ' ' || text.at[text.size - 1] == '\t'))
		text.size--;
	return text;
}

struct swp_sim_text swp_sim_text_cut(struct swp_sim_text *rest, char separator)
{
	struct swp_sim_text part = *rest;
	const char *found = rest->size ? memchr(rest->at, separator, rest->size) : NULL;
	if (found == NULL) {
		*rest = (struct swp_sim_text){NULL, 0};
		return part;
	}
	part.size = (size_t)(found - rest->at);
	rest->at = found + 1;
	rest->size -= part.size + 1;
	return part;
}

int swp_sim_text_number(struct swp_sim_text text, uint64_t *ret_number)
{
	uint64_t number = 0;
	if (text.size == 0 || text.size > 18)
		return -1;
	for (size_t i = 0; i < text.size; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return -1;
		number = number * 10 + (uint64_t)(text.at[i] - '0');
	}
	*ret_number = number;
	return 0;
}

static char folded(char c, bool folds)
{
	return folds && c >= 'A' && c <= 'Z' ? (char)(c | 32) : c;
}

static bool glob(struct swp_sim_text text, const char *pattern, bool folds)
{
	size_t at = 0, star_at = 0;
	const char *star = NULL;
	while (at < text.size) {
		if (*pattern == '*') {
			star = ++pattern;
			star_at = at;
		} else if (*pattern == '?' ||
			   (*pattern != '\0' && folded(*pattern, folds) == folded(text.at[at], folds))) {
			pattern++;
			at++;
		} else if (star != NULL) {
			pattern = star;
			at = ++star_at;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

bool swp_sim_text_glob(struct swp_sim_text text, const char *pattern)
{
	return glob(text, pattern, false);
}

bool swp_sim_text_glob_caseless(struct swp_sim_text text, const char *pattern)
{
	return glob(text, pattern, true);
}

uint64_t swp_sim_text_hash(uint64_t hash, struct swp_sim_text text)
{
	for (size_t i = 0; i < text.size; i++) {
		hash ^= (unsigned char)text.at[i];
		hash *= UINT64_C(1099511628211);
	}
	return hash;
}

void swp_sim_buffer_done(struct swp_sim_buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct swp_sim_buffer){0};
}

void swp_sim_buffer_reserve(struct swp_sim_buffer *buffer, size_t more)
{
	if (buffer->capacity - buffer->size >= more)
		return;
	size_t capacity = buffer->capacity ? buffer->capacity : 256;
	while (capacity - buffer->size < more)
		capacity *= 2;
	buffer->data = swp_sim_reallocate(buffer->data, capacity);
	buffer->capacity = capacity;
}

void swp_sim_buffer_append_slow(struct swp_sim_buffer *buffer, const char *bytes, size_t size)
{
	swp_sim_buffer_reserve(buffer, size);
	memcpy(buffer->data + buffer->size, bytes, size);
	buffer->size += size;
}

void swp_sim_buffer_number(struct swp_sim_buffer *buffer, uint64_t number)
{
	char digits[20];
	size_t at = sizeof digits;
	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	swp_sim_buffer_append(buffer, digits + at, sizeof digits - at);
}

void swp_sim_buffer_vprintf(struct swp_sim_buffer *buffer, const char *format, va_list arguments)
{
	va_list again;
	va_copy(again, arguments);
	swp_sim_buffer_reserve(buffer, PRINTED_AT_ONCE);
	size_t room = buffer->capacity - buffer->size;
	int size = vsnprintf(buffer->data + buffer->size, room, format, arguments);
	if (size >= 0 && (size_t)size >= room) {
		swp_sim_buffer_reserve(buffer, (size_t)size + 1);
		vsnprintf(buffer->data + buffer->size, (size_t)size + 1, format, again);
	}
	buffer->size += size > 0 ? (size_t)size : 0;
	va_end(again);
}

void swp_sim_buffer_printf(struct swp_sim_buffer *buffer, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	swp_sim_buffer_vprintf(buffer, format, arguments);
	va_end(arguments);
}

static const char hex_digits[] = "0123456789abcdef";

void swp_sim_buffer_json(struct swp_sim_buffer *buffer, struct swp_sim_text text)
{
	size_t plain = 0;
	swp_sim_buffer_byte(buffer, '"');
	for (size_t i = 0; i < text.size; i++) {
		unsigned char c = (unsigned char)text.at[i];
		if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
			continue;
		swp_sim_buffer_append(buffer, text.at + plain, i - plain);
		plain = i + 1;
		if (c == '"' || c == '\\') {
			swp_sim_buffer_byte(buffer, '\\');
			swp_sim_buffer_byte(buffer, (char)c);
		} else {
			swp_sim_buffer_put(buffer, "\\u00");
			swp_sim_buffer_byte(buffer, hex_digits[c >> 4]);
			swp_sim_buffer_byte(buffer, hex_digits[c & 15]);
		}
	}
	swp_sim_buffer_append(buffer, text.at + plain, text.size - plain);
	swp_sim_buffer_byte(buffer, '"');
}

void swp_sim_buffer_xml(struct swp_sim_buffer *buffer, struct swp_sim_text text)
{
	for (size_t i = 0; i < text.size; i++) {
		unsigned char c = (unsigned char)text.at[i];
		if (c == '&')
			swp_sim_buffer_put(buffer, "&amp;");
		else if (c == '<')
			swp_sim_buffer_put(buffer, "&lt;");
		else if (c == '>')
			swp_sim_buffer_put(buffer, "&gt;");
		else if (c == '"')
			swp_sim_buffer_put(buffer, "&quot;");
		else if (c < 0x20)
			swp_sim_buffer_printf(buffer, "&#x%x;", c);
		else
			swp_sim_buffer_byte(buffer, (char)c);
	}
}

static bool is_unreserved(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '_' || c == '.' || c == '~';
}

void swp_sim_buffer_uri(struct swp_sim_buffer *buffer, struct swp_sim_text text, bool keep_slash)
{
	static const char upper[] = "0123456789ABCDEF";
	for (size_t i = 0; i < text.size; i++) {
		unsigned char c = (unsigned char)text.at[i];
		if (is_unreserved(c) || (c == '/' && keep_slash)) {
			swp_sim_buffer_byte(buffer, (char)c);
			continue;
		}
		const char escape[3] = {'%', upper[c >> 4], upper[c & 15]};
		swp_sim_buffer_append(buffer, escape, sizeof escape);
	}
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

void swp_sim_buffer_uri_decoded(struct swp_sim_buffer *buffer, struct swp_sim_text text, bool plus_is_space)
{
	for (size_t i = 0; i < text.size; i++) {
		char c = text.at[i];
		if (c == '%' && i + 2 < text.size) {
			int high = hex_value(text.at[i + 1]), low = hex_value(text.at[i + 2]);
			if (high >= 0 && low >= 0) {
				c = (char)(high * 16 + low);
				i += 2;
			}
		} else if (c == '+' && plus_is_space) {
			c = ' ';
		}
		swp_sim_buffer_byte(buffer, c);
	}
}

const char *swp_sim_buffer_string(struct swp_sim_buffer *buffer)
{
	swp_sim_buffer_reserve(buffer, 1);
	buffer->data[buffer->size] = '\0';
	return buffer->data;
}
