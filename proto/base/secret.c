/* Secret bytes. They are never reallocated in place: realloc would leave a copy behind. */
#include "proto/base/secret.h"

#include <errno.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/limits.h"

void swp_wipe(void *bytes, size_t length)
{
	if (bytes && length > 0)
		explicit_bzero(bytes, length);
}

void swp_secret_done(struct swp_secret *secret)
{
	if (secret->bytes) {
		swp_wipe(secret->bytes, secret->length);
		swp_free(secret->bytes);
	}
	*secret = (struct swp_secret){0};
}

int swp_secret_set(struct swp_secret *secret, const void *bytes, size_t length)
{
	char *copy;

	if (!bytes) {
		swp_secret_done(secret);
		return 0;
	}
	if (length > SWP_LIMIT_SECRET_BYTES)
		return -E2BIG;
	copy = swp_calloc(length + 1, 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, bytes, length);
	/* Only now, since `bytes` may lie in the old value. */
	swp_secret_done(secret);
	secret->bytes = copy;
	secret->length = length;
	return 0;
}

int swp_secret_set_text(struct swp_secret *secret, const char *text)
{
	return swp_secret_set(secret, text, text ? strlen(text) : 0);
}

int swp_secret_copy(struct swp_secret *to, const struct swp_secret *from)
{
	return swp_secret_set(to, from->bytes, from->length);
}

bool swp_secret_is_set(const struct swp_secret *secret)
{
	return secret->bytes != NULL;
}

const char *swp_secret_text(const struct swp_secret *secret)
{
	return secret->bytes ? secret->bytes : "";
}

bool swp_secret_equal(const struct swp_secret *a, const struct swp_secret *b)
{
	unsigned char difference = 0;

	if (!a->bytes || !b->bytes)
		return a->bytes == b->bytes;
	if (a->length != b->length)
		return false;
	for (size_t i = 0; i < a->length; i++)
		difference |= (unsigned char)(a->bytes[i] ^ b->bytes[i]);
	return difference == 0;
}
