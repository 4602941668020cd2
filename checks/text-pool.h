/* Texts kept once, named by small numbers: what correlation joins on. Equal numbers mean equal texts. */
#ifndef SWP_CHECKS_TEXT_POOL_H
#define SWP_CHECKS_TEXT_POOL_H

#include <stddef.h>
#include <stdint.h>

/* Numbers that stand for no text. Texts are numbered from SWP_TEXT_FIRST. */
enum swp_text_special {
	SWP_TEXT_NONE, /* there is none */
	SWP_TEXT_UNKNOWN, /* one thing, but which was not read (the role of an agent that could not be described) */
	SWP_TEXT_UNREAD, /* any number of things, of a list that was not read */
	SWP_TEXT_FIRST,
};

struct swp_text_pool; /* opaque; owns its texts */

/* At most `limit_bytes` of text. NULL on out of memory. */
struct swp_text_pool *swp_text_pool_new(size_t limit_bytes);
void swp_text_pool_free(struct swp_text_pool *pool); /* takes NULL */
/* The number of the text, which is copied if it is new. 0, -ENOMEM, -E2BIG at the ceiling. */
int swp_text_pool_intern(struct swp_text_pool *pool, const char *text, uint32_t *ret_id);
/* The number of a text that is there, else SWP_TEXT_NONE. */
uint32_t swp_text_pool_find(const struct swp_text_pool *pool, const char *text);
/* Borrowed from the pool; NULL for the special numbers. */
const char *swp_text_pool_text(const struct swp_text_pool *pool, uint32_t id);
/* Order of the texts, bytewise; special numbers come first, in their own order. */
int swp_text_pool_compare(const struct swp_text_pool *pool, uint32_t a, uint32_t b);

#endif
