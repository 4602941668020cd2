/* Secret bytes are a type: wiped on free and when replaced; there is no function that prints one.
 */
#ifndef SWP_BASE_SECRET_H
#define SWP_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

struct swp_secret {
	char *bytes; /* owned, NUL-terminated behind length; NULL when unset */
	size_t length;
};

/* Copies; wipes what was there. -ENOMEM; -E2BIG above SWP_LIMIT_SECRET_BYTES. `bytes` NULL unsets. */
int swp_secret_set(struct swp_secret *secret, const void *bytes, size_t length);
int swp_secret_set_text(struct swp_secret *secret, const char *text);
int swp_secret_copy(struct swp_secret *to, const struct swp_secret *from);
/* Wipes and frees; takes unset ones; may be called twice. */
void swp_secret_done(struct swp_secret *secret);
bool swp_secret_is_set(const struct swp_secret *secret);
/* "" when unset. Borrowed until the next change. Never log it. */
const char *swp_secret_text(const struct swp_secret *secret);
/* Constant time in the bytes compared. */
bool swp_secret_equal(const struct swp_secret *a, const struct swp_secret *b);
/* Wipes memory so that the compiler can't leave it out (explicit_bzero). */
void swp_wipe(void *bytes, size_t length);

#endif
