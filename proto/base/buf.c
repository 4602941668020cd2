/* A growing byte buffer. Capacity doubles, so that appending is cheap; the ceiling is on the content. */
#include "proto/base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/base/limits.h"
#include "proto/base/secret.h"

#define SMALLEST_BYTES 64u

void swp_buf_init(struct swp_buf *buf, size_t limit_bytes)
{
	*buf = (struct swp_buf){.limit_bytes = limit_bytes};
}

static void wipe_if_secret(struct swp_buf *buf)
{
	/* The whole block: what was cut off by truncation lies behind the content. */
	if (buf->secret)
		swp_wipe(buf->data, buf->capacity);
}

void swp_buf_done(struct swp_buf *buf)
{
	size_t limit_bytes = buf->limit_bytes;

	wipe_if_secret(buf);
	swp_free(buf->data);
	swp_buf_init(buf, limit_bytes);
}

void swp_buf_clear(struct swp_buf *buf)
{
	wipe_if_secret(buf);
	buf->length = 0;
	buf->failed = 0;
	if (buf->data)
		buf->data[0] = '\0';
}

static int fail(struct swp_buf *buf, int error)
{
	buf->failed = error;
	return error;
}

/* realloc may leave the old bytes behind in freed memory: a secret moves by copy and wipe. */
static char *grow(struct swp_buf *buf, size_t capacity)
{
	char *data;

	if (!buf->secret)
		return swp_realloc(buf->data, capacity);
	data = swp_calloc(capacity, 1);
	if (!data)
		return NULL;
	if (buf->data)
		memcpy(data, buf->data, buf->length);
	swp_wipe(buf->data, buf->capacity);
	swp_free(buf->data);
	return data;
}

int swp_buf_reserve(struct swp_buf *buf, size_t more_bytes)
{
	size_t limit = buf->limit_bytes ? buf->limit_bytes : SWP_LIMIT_BUFFER_BYTES;
	size_t wanted, capacity;
	char *data;

	if (buf->failed)
		return buf->failed;
	if (buf->length > limit || more_bytes > limit - buf->length)
		return fail(buf, -E2BIG);
	wanted = buf->length + more_bytes + 1;
	if (wanted <= buf->capacity)
		return 0;
	capacity = buf->capacity < SMALLEST_BYTES ? SMALLEST_BYTES : buf->capacity * 2;
	if (capacity < wanted)
		capacity = wanted;
	if (capacity > limit + 1)
		capacity = limit + 1;
	data = grow(buf, capacity);
	if (!data)
		return fail(buf, -ENOMEM);
	data[buf->length] = '\0';
	buf->data = data;
	buf->capacity = capacity;
	return 0;
}

int swp_buf_append(struct swp_buf *buf, const void *bytes, size_t length)
{
	int error = swp_buf_reserve(buf, length);

	if (error)
		return error;
	if (length > 0)
		memcpy(buf->data + buf->length, bytes, length);
	buf->length += length;
	buf->data[buf->length] = '\0';
	return 0;
}

int swp_buf_append_text(struct swp_buf *buf, const char *text)
{
	return swp_buf_append(buf, text, strlen(text));
}

int swp_buf_append_byte(struct swp_buf *buf, char byte)
{
	return swp_buf_append(buf, &byte, 1);
}

int swp_buf_append_format(struct swp_buf *buf, const char *format, ...)
{
	va_list arguments;
	int length, error;

	if (buf->failed)
		return buf->failed;
	va_start(arguments, format);
	length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (length < 0)
		return fail(buf, -E2BIG);
	error = swp_buf_reserve(buf, (size_t)length);
	if (error)
		return error;
	va_start(arguments, format);
	vsnprintf(buf->data + buf->length, (size_t)length + 1, format, arguments);
	va_end(arguments);
	buf->length += (size_t)length;
	return 0;
}

void swp_buf_truncate(struct swp_buf *buf, size_t length)
{
	SWP_ASSERT(length <= buf->length);
	buf->length = length;
	if (buf->data)
		buf->data[length] = '\0';
}

void swp_buf_consume(struct swp_buf *buf, size_t count)
{
	SWP_ASSERT(count <= buf->length);
	if (count == 0)
		return;
	memmove(buf->data, buf->data + count, buf->length - count + 1);
	buf->length -= count;
	/* What stays behind the new end is the old tail, a copy of what is kept. */
	if (buf->secret)
		swp_wipe(buf->data + buf->length, count);
}

const char *swp_buf_text(const struct swp_buf *buf)
{
	return buf->data ? buf->data : "";
}

char *swp_buf_steal(struct swp_buf *buf)
{
	char *data = buf->data;
	bool secret = buf->secret;

	if (buf->failed)
		return NULL;
	if (!data)
		return swp_strdup("");
	swp_buf_init(buf, buf->limit_bytes);
	buf->secret = secret;
	return data;
}
