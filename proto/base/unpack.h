/* Pull reader for MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md): the caller says what it expects next
 * and with which ceiling. Nothing is allocated and nothing is believed before its bytes are there; the library's own
 * unpacker sets aside memory for an array as soon as its length has been read, and knows no ceilings.
 */
#ifndef SWP_BASE_UNPACK_H
#define SWP_BASE_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct swp_unpack {
	const unsigned char *next, *end; /* borrowed bytes */
};
void swp_unpack_init(struct swp_unpack *unpack, const void *bytes, size_t length);

enum swp_unpack_type {
	SWP_UNPACK_END, /* no byte is left */
	SWP_UNPACK_NIL,
	SWP_UNPACK_BOOL,
	SWP_UNPACK_NUMBER, /* integers; floating point is none of ours */
	SWP_UNPACK_TEXT,
	SWP_UNPACK_BYTES,
	SWP_UNPACK_ARRAY,
	SWP_UNPACK_MAP,
	SWP_UNPACK_OTHER,
};
/* What comes next; nothing is taken. */
enum swp_unpack_type swp_unpack_peek(const struct swp_unpack *unpack);

/* Each takes one value, or nothing on failure. -EBADMSG: another type, or bytes are missing; -E2BIG: above the ceiling. */
int swp_unpack_nil(struct swp_unpack *unpack);
int swp_unpack_bool(struct swp_unpack *unpack, bool *ret_value);
int swp_unpack_u64(struct swp_unpack *unpack, uint64_t max, uint64_t *ret_value);
int swp_unpack_i64(struct swp_unpack *unpack, int64_t *ret_value);
/* Borrowed, not NUL-terminated. Text is well-formed UTF-8 without NUL (-EBADMSG). */
int swp_unpack_text(struct swp_unpack *unpack, size_t max_length, const char **ret_text, size_t *ret_length);
int swp_unpack_bytes(
	struct swp_unpack *unpack, size_t max_length, const void **ret_bytes, size_t *ret_length);
/* The head only: `ret_count` values (of a map: pairs) follow. A count that the remaining bytes can't hold is -EBADMSG. */
int swp_unpack_array(struct swp_unpack *unpack, size_t max_count, size_t *ret_count);
int swp_unpack_map(struct swp_unpack *unpack, size_t max_count, size_t *ret_count);
/* Takes a whole value of any type, nested up to SWP_LIMIT_DOCUMENT_DEPTH. */
int swp_unpack_skip(struct swp_unpack *unpack);

#endif
