/*
 * Growing text: what answers, documents and log lines are written into.
 *
 * A buffer keeps its memory when it is cleared, so that the hot path allocates nothing once it is warm.
 * Running out of memory ends the program: a simulator has nothing better to do.
 */
#ifndef TESTS_SIMULATOR_BUFFER_H
#define TESTS_SIMULATOR_BUFFER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Borrowed bytes, not terminated. */
struct swp_sim_text {
	const char *at;
	size_t size;
};

/* Owns data; size bytes of it are in use. */
struct swp_sim_buffer {
	char *data;
	size_t size;
	size_t capacity;
};

#define SWP_SIM_TEXT(literal) ((struct swp_sim_text){(literal), sizeof(literal) - 1})

/* malloc, calloc and realloc that end the program with a message when there is no memory. */
void *swp_sim_allocate(size_t size);
void *swp_sim_allocate_zeroed(size_t count, size_t size);
void *swp_sim_reallocate(void *old, size_t size);
/* A terminated copy, owned by the caller. */
char *swp_sim_copy(const char *text);
char *swp_sim_copy_text(struct swp_sim_text text);

/* Text from a terminated string (borrows it); NULL gives the empty text. */
struct swp_sim_text swp_sim_text_of(const char *string);
bool swp_sim_text_is(struct swp_sim_text text, const char *string);
bool swp_sim_text_is_caseless(struct swp_sim_text text, const char *string);
bool swp_sim_text_equal(struct swp_sim_text a, struct swp_sim_text b);
bool swp_sim_text_starts(struct swp_sim_text text, const char *prefix);
bool swp_sim_text_ends(struct swp_sim_text text, const char *suffix);
/* Without spaces and tabs at both ends. */
struct swp_sim_text swp_sim_text_trim(struct swp_sim_text text);
/*
 * Takes the part before `separator` off *rest and returns it; without a separator all of it.
 * *rest then starts behind the separator; its `at` is NULL when nothing is left.
 */
struct swp_sim_text swp_sim_text_cut(struct swp_sim_text *rest, char separator);
/* Decimal digits only. 0, or -1 when it is no number or does not fit. */
int swp_sim_text_number(struct swp_sim_text text, uint64_t *ret_number);
/* Glob with * and ?, the whole text, case-sensitive. */
bool swp_sim_text_glob(struct swp_sim_text text, const char *pattern);
/* The same, letters of either case alike: IAM actions. */
bool swp_sim_text_glob_caseless(struct swp_sim_text text, const char *pattern);
/* FNV-1a, continued from `hash` (start with SWP_SIM_HASH_START). */
uint64_t swp_sim_text_hash(uint64_t hash, struct swp_sim_text text);
#define SWP_SIM_HASH_START UINT64_C(14695981039346656037)

void swp_sim_buffer_done(struct swp_sim_buffer *buffer);
/* Makes room for `more` bytes behind the used ones. */
void swp_sim_buffer_reserve(struct swp_sim_buffer *buffer, size_t more);
void swp_sim_buffer_append_slow(struct swp_sim_buffer *buffer, const char *bytes, size_t size);
void swp_sim_buffer_number(struct swp_sim_buffer *buffer, uint64_t number);
void swp_sim_buffer_printf(struct swp_sim_buffer *buffer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void swp_sim_buffer_vprintf(struct swp_sim_buffer *buffer, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));
/* The bytes as a JSON string, quotes included; control characters and DEL are escaped. */
void swp_sim_buffer_json(struct swp_sim_buffer *buffer, struct swp_sim_text text);
/* The bytes as XML character data or attribute value; control characters become character references. */
void swp_sim_buffer_xml(struct swp_sim_buffer *buffer, struct swp_sim_text text);
/* Everything but unreserved characters as %XX; '/' stays if keep_slash. */
void swp_sim_buffer_uri(struct swp_sim_buffer *buffer, struct swp_sim_text text, bool keep_slash);
/* %XX decoded; what is no valid escape stays as it is. */
void swp_sim_buffer_uri_decoded(struct swp_sim_buffer *buffer, struct swp_sim_text text, bool plus_is_space);
/* A terminated view of the content; borrowed until the next change. */
const char *swp_sim_buffer_string(struct swp_sim_buffer *buffer);

static inline struct swp_sim_text swp_sim_buffer_text(const struct swp_sim_buffer *buffer)
{
	return (struct swp_sim_text){buffer->data, buffer->size};
}

static inline void swp_sim_buffer_clear(struct swp_sim_buffer *buffer)
{
	buffer->size = 0;
}

static inline void swp_sim_buffer_append(struct swp_sim_buffer *buffer, const char *bytes, size_t size)
{
	if (size == 0)
		return;
	if (buffer->capacity - buffer->size < size) {
		swp_sim_buffer_append_slow(buffer, bytes, size);
		return;
	}
	memcpy(buffer->data + buffer->size, bytes, size);
	buffer->size += size;
}

static inline void swp_sim_buffer_put(struct swp_sim_buffer *buffer, const char *string)
{
	swp_sim_buffer_append(buffer, string, strlen(string));
}

static inline void swp_sim_buffer_text_put(struct swp_sim_buffer *buffer, struct swp_sim_text text)
{
	swp_sim_buffer_append(buffer, text.at, text.size);
}

static inline void swp_sim_buffer_byte(struct swp_sim_buffer *buffer, char byte)
{
	swp_sim_buffer_append(buffer, &byte, 1);
}

#endif
