/* A growing byte buffer with a ceiling. Always NUL-terminated behind its content, so that text can be used as is.
 * A buffer marked secret is wiped when it grows (the old block) and when it is done with.
 */
#ifndef SWP_BASE_BUF_H
#define SWP_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct swp_buf {
	char *data;	    /* owned; NULL while empty and never written */
	size_t length;	    /* bytes of content */
	size_t capacity;    /* bytes allocated, the terminator included */
	size_t limit_bytes; /* ceiling of length; 0 means SWP_LIMIT_BUFFER_BYTES */
	bool secret;
	int failed; /* sticky: 0, -ENOMEM or -E2BIG; every later append returns it, so one check at the end is enough */
};

/* A zero-initialized struct swp_buf is valid too. */
void swp_buf_init(struct swp_buf *buf, size_t limit_bytes);
/* Frees (and wipes if secret); may be called twice; the buffer is then as after swp_buf_init with the same limit. */
void swp_buf_done(struct swp_buf *buf);
/* Keeps the memory, forgets the content and the failure (wipes if secret). */
void swp_buf_clear(struct swp_buf *buf);

/* Each returns 0, -ENOMEM, or -E2BIG when the ceiling would be crossed; on failure nothing is appended. What is appended
 * must not lie in the buffer itself. */
int swp_buf_append(struct swp_buf *buf, const void *bytes, size_t length);
int swp_buf_append_text(struct swp_buf *buf, const char *text);
int swp_buf_append_byte(struct swp_buf *buf, char byte);
int swp_buf_append_format(struct swp_buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
int swp_buf_reserve(struct swp_buf *buf, size_t more_bytes);
/* Cuts the content to `length` (which must not be above the present length). */
void swp_buf_truncate(struct swp_buf *buf, size_t length);
/* Removes `count` bytes from the front. */
void swp_buf_consume(struct swp_buf *buf, size_t count);
/* The content as text, "" when empty. Borrowed until the next change. */
const char *swp_buf_text(const struct swp_buf *buf);
/* Hands the memory over to the caller (swp_free), "" copy when never written; the buffer is empty then. NULL when out of
 * memory or when `failed` is set (its content is not whole): the buffer stays as it is. */
char *swp_buf_steal(struct swp_buf *buf);

#endif
