/* The pull reader. Every value begins with one byte that tells its type and how long its head is (spec, "Formats"). */
#include "proto/base/unpack.h"

#include <errno.h>
#include <string.h>

#include "proto/base/limits.h"
#include "proto/base/text.h"

struct head {
	enum swp_unpack_type type;
	size_t head_bytes; /* the type byte and the number behind it */
	size_t body_bytes; /* of texts, bytes, extensions, floating point */
	uint64_t number;   /* length, count, or the integer's bits */
	bool negative;
};

void swp_unpack_init(struct swp_unpack *unpack, const void *bytes, size_t length)
{
	unpack->next = bytes;
	unpack->end = length ? unpack->next + length : unpack->next;
}

/* Types 0xc0 to 0xdf, in order: what follows the type byte. */
static const struct format {
	unsigned char type, number_bytes,
		extra_bytes; /* extra: the type byte of extensions, the body of floating point */
	bool has_body;	     /* number_bytes tell a length of bytes that follow */
} formats[32] = {
	[0x00] = {SWP_UNPACK_NIL, 0, 0, false},
	[0x01] = {SWP_UNPACK_OTHER, 0, 0, false}, /* never used */
	[0x02] = {SWP_UNPACK_BOOL, 0, 0, false},
	[0x03] = {SWP_UNPACK_BOOL, 0, 0, false},
	[0x04] = {SWP_UNPACK_BYTES, 1, 0, true},
	[0x05] = {SWP_UNPACK_BYTES, 2, 0, true},
	[0x06] = {SWP_UNPACK_BYTES, 4, 0, true},
	[0x07] = {SWP_UNPACK_OTHER, 1, 1, true}, /* ext 8, 16, 32 */
	[0x08] = {SWP_UNPACK_OTHER, 2, 1, true},
	[0x09] = {SWP_UNPACK_OTHER, 4, 1, true},
	[0x0a] = {SWP_UNPACK_OTHER, 0, 4, false}, /* float 32, 64 */
	[0x0b] = {SWP_UNPACK_OTHER, 0, 8, false},
	[0x0c] = {SWP_UNPACK_NUMBER, 1, 0, false},
	[0x0d] = {SWP_UNPACK_NUMBER, 2, 0, false},
	[0x0e] = {SWP_UNPACK_NUMBER, 4, 0, false},
	[0x0f] = {SWP_UNPACK_NUMBER, 8, 0, false},
	[0x10] = {SWP_UNPACK_NUMBER, 1, 0, false}, /* signed */
	[0x11] = {SWP_UNPACK_NUMBER, 2, 0, false},
	[0x12] = {SWP_UNPACK_NUMBER, 4, 0, false},
	[0x13] = {SWP_UNPACK_NUMBER, 8, 0, false},
	[0x14] = {SWP_UNPACK_OTHER, 0, 2, false}, /* fixext 1, 2, 4, 8, 16 */
	[0x15] = {SWP_UNPACK_OTHER, 0, 3, false},
	[0x16] = {SWP_UNPACK_OTHER, 0, 5, false},
	[0x17] = {SWP_UNPACK_OTHER, 0, 9, false},
	[0x18] = {SWP_UNPACK_OTHER, 0, 17, false},
	[0x19] = {SWP_UNPACK_TEXT, 1, 0, true},
	[0x1a] = {SWP_UNPACK_TEXT, 2, 0, true},
	[0x1b] = {SWP_UNPACK_TEXT, 4, 0, true},
	[0x1c] = {SWP_UNPACK_ARRAY, 2, 0, false},
	[0x1d] = {SWP_UNPACK_ARRAY, 4, 0, false},
	[0x1e] = {SWP_UNPACK_MAP, 2, 0, false},
	[0x1f] = {SWP_UNPACK_MAP, 4, 0, false},
};

/* Types whose length or value is in the type byte itself. */
static bool small_head(unsigned char byte, struct head *head)
{
	*head = (struct head){.head_bytes = 1};
	if (byte <= 0x7f || byte >= 0xe0) {
		head->type = SWP_UNPACK_NUMBER;
		head->negative = byte >= 0xe0;
		head->number = head->negative ? (uint64_t)(int64_t)(int8_t)byte : byte;
	} else if (byte <= 0x8f) {
		head->type = SWP_UNPACK_MAP;
		head->number = byte & 0x0f;
	} else if (byte <= 0x9f) {
		head->type = SWP_UNPACK_ARRAY;
		head->number = byte & 0x0f;
	} else if (byte <= 0xbf) {
		head->type = SWP_UNPACK_TEXT;
		head->number = head->body_bytes = byte & 0x1f;
	} else {
		return false;
	}
	return true;
}

static void sign_extend(struct head *head, unsigned bytes)
{
	uint64_t sign = UINT64_C(1) << (bytes * 8 - 1);

	head->negative = (head->number & sign) != 0;
	if (head->negative && bytes < 8)
		head->number |= ~((sign << 1) - 1);
}

/* Reads the head without taking it; the whole body is there when this succeeds. */
static int read_head(const struct swp_unpack *unpack, struct head *ret_head)
{
	size_t left = (size_t)(unpack->end - unpack->next);
	unsigned char byte;
	const struct format *format;

	if (left == 0)
		return -EBADMSG;
	byte = *unpack->next;
	if (!small_head(byte, ret_head)) {
		format = &formats[byte - 0xc0];
		ret_head->type = (enum swp_unpack_type)format->type;
		ret_head->head_bytes = 1u + format->number_bytes;
		if (left < ret_head->head_bytes)
			return -EBADMSG;
		for (unsigned i = 1; i <= format->number_bytes; i++)
			ret_head->number = ret_head->number << 8 | unpack->next[i];
		if (format->has_body)
			ret_head->body_bytes = (size_t)ret_head->number;
		ret_head->body_bytes += format->extra_bytes;
		if (byte >= 0xd0 && byte <= 0xd3)
			sign_extend(ret_head, format->number_bytes);
	}
	return left - ret_head->head_bytes < ret_head->body_bytes ? -EBADMSG : 0;
}

enum swp_unpack_type swp_unpack_peek(const struct swp_unpack *unpack)
{
	struct head head;

	if (unpack->next == unpack->end)
		return SWP_UNPACK_END;
	return read_head(unpack, &head) < 0 ? SWP_UNPACK_OTHER : head.type;
}

static int expect(const struct swp_unpack *unpack, enum swp_unpack_type type, struct head *ret_head)
{
	int r = read_head(unpack, ret_head);

	if (r < 0)
		return r;
	return ret_head->type == type ? 0 : -EBADMSG;
}

int swp_unpack_nil(struct swp_unpack *unpack)
{
	struct head head;
	int r = expect(unpack, SWP_UNPACK_NIL, &head);

	if (r == 0)
		unpack->next++;
	return r;
}

int swp_unpack_bool(struct swp_unpack *unpack, bool *ret_value)
{
	struct head head;
	int r = expect(unpack, SWP_UNPACK_BOOL, &head);

	if (r < 0)
		return r;
	*ret_value = *unpack->next++ == 0xc3;
	return 0;
}

int swp_unpack_u64(struct swp_unpack *unpack, uint64_t max, uint64_t *ret_value)
{
	struct head head;
	int r = expect(unpack, SWP_UNPACK_NUMBER, &head);

	if (r < 0)
		return r;
	if (head.negative)
		return -EBADMSG;
	if (head.number > max)
		return -E2BIG;
	unpack->next += head.head_bytes;
	*ret_value = head.number;
	return 0;
}

int swp_unpack_i64(struct swp_unpack *unpack, int64_t *ret_value)
{
	struct head head;
	int r = expect(unpack, SWP_UNPACK_NUMBER, &head);

	if (r < 0)
		return r;
	if (!head.negative && head.number > INT64_MAX)
		return -E2BIG;
	unpack->next += head.head_bytes;
	*ret_value = (int64_t)head.number;
	return 0;
}

static int take_body(struct swp_unpack *unpack, enum swp_unpack_type type, size_t max,
	const unsigned char **ret_body, size_t *ret_length)
{
	struct head head;
	int r = expect(unpack, type, &head);

	if (r < 0)
		return r;
	if (head.body_bytes > max)
		return -E2BIG;
	*ret_body = unpack->next + head.head_bytes;
	*ret_length = head.body_bytes;
	return 0;
}

int swp_unpack_text(struct swp_unpack *unpack, size_t max_length, const char **ret_text, size_t *ret_length)
{
	const unsigned char *body;
	size_t length;
	int r = take_body(unpack, SWP_UNPACK_TEXT, max_length, &body, &length);

	if (r < 0)
		return r;
	if (!swp_text_is_utf8((const char *)body, length))
		return -EBADMSG;
	unpack->next = body + length;
	*ret_text = (const char *)body;
	*ret_length = length;
	return 0;
}

int swp_unpack_bytes(struct swp_unpack *unpack, size_t max_length, const void **ret_bytes, size_t *ret_length)
{
	const unsigned char *body;
	size_t length;
	int r = take_body(unpack, SWP_UNPACK_BYTES, max_length, &body, &length);

	if (r < 0)
		return r;
	unpack->next = body + length;
	*ret_bytes = body;
	*ret_length = length;
	return 0;
}

static int take_count(
	struct swp_unpack *unpack, enum swp_unpack_type type, size_t max_count, size_t *ret_count)
{
	struct head head;
	int r = expect(unpack, type, &head);
	uint64_t least_bytes;

	if (r < 0)
		return r;
	if (head.number > max_count)
		return -E2BIG;
	least_bytes = type == SWP_UNPACK_MAP ? head.number * 2 : head.number;
	if (least_bytes > (uint64_t)(unpack->end - unpack->next) - head.head_bytes)
		return -EBADMSG;
	unpack->next += head.head_bytes;
	*ret_count = (size_t)head.number;
	return 0;
}

int swp_unpack_array(struct swp_unpack *unpack, size_t max_count, size_t *ret_count)
{
	return take_count(unpack, SWP_UNPACK_ARRAY, max_count, ret_count);
}

int swp_unpack_map(struct swp_unpack *unpack, size_t max_count, size_t *ret_count)
{
	return take_count(unpack, SWP_UNPACK_MAP, max_count, ret_count);
}

int swp_unpack_skip(struct swp_unpack *unpack)
{
	uint64_t left[SWP_LIMIT_DOCUMENT_DEPTH]; /* values still to come, for each open container */
	unsigned depth = 0;
	struct swp_unpack at = *unpack;
	struct head head;
	int r;

	left[0] = 1;
	for (;;) {
		while (left[depth] == 0) {
			if (depth == 0) {
				unpack->next = at.next;
				return 0;
			}
			depth--;
		}
		left[depth]--;
		r = read_head(&at, &head);
		if (r < 0)
			return r;
		at.next += head.head_bytes + head.body_bytes;
		if (head.type != SWP_UNPACK_ARRAY && head.type != SWP_UNPACK_MAP)
			continue;
		if (depth + 1 == SWP_LIMIT_DOCUMENT_DEPTH)
			return -E2BIG;
		left[++depth] = head.type == SWP_UNPACK_MAP ? head.number * 2 : head.number;
	}
}
