/* Shared by encoders and decoders of records. */
#include "proto/record/pack.h"

#include <errno.h>
#include <string.h>

#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/record/record.h"

static int write_bytes(void *out, const char *bytes, size_t length)
{
	return swp_buf_append(out, bytes, length);
}

void swp_pack_begin(msgpack_packer *packer, struct swp_buf *out)
{
	msgpack_packer_init(packer, out, write_bytes);
}

static void pack_bytes_as_text(msgpack_packer *packer, const char *text, size_t length)
{
	if (length > SWP_LIMIT_ROW_TEXT_BYTES) {
		length = SWP_LIMIT_ROW_TEXT_BYTES;
		while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
			length--; /* not into the middle of a character */
	}
	msgpack_pack_str(packer, length);
	msgpack_pack_str_body(packer, text, length);
}

void swp_pack_text(msgpack_packer *packer, const char *text)
{
	struct swp_buf clean = {0};
	size_t length;

	if (!text) {
		msgpack_pack_nil(packer);
		return;
	}
	length = strlen(text);
	if (swp_text_is_utf8(text, length)) {
		pack_bytes_as_text(packer, text, length);
		return;
	}
	if (swp_text_clean(&clean, text, length) < 0)
		swp_buf_clear(&clean);
	pack_bytes_as_text(packer, swp_buf_text(&clean), clean.length);
	swp_buf_done(&clean);
}

void swp_pack_texts(msgpack_packer *packer, const char *const *texts, size_t count)
{
	msgpack_pack_array(packer, count);
	for (size_t i = 0; i < count; i++)
		swp_pack_text_or_empty(packer, texts[i]);
}

void swp_pack_gap(msgpack_packer *packer, const struct swp_record_gap *gap)
{
	msgpack_pack_array(packer, 5);
	msgpack_pack_unsigned_int(packer, gap->reason);
	swp_pack_text_or_empty(packer, gap->action);
	swp_pack_text_or_empty(packer, gap->error_code);
	swp_pack_text_or_empty(packer, gap->message);
	swp_pack_text_or_empty(packer, gap->request_id);
}

int swp_take_text(struct swp_unpack *unpack, struct swp_region *region, bool optional, const char **ret_text)
{
	const char *text;
	size_t length;
	char *copy;
	int r;

	if (optional && swp_unpack_peek(unpack) == SWP_UNPACK_NIL) {
		*ret_text = NULL;
		return swp_unpack_nil(unpack);
	}
	r = swp_unpack_text(unpack, SWP_LIMIT_ROW_TEXT_BYTES, &text, &length);
	if (r < 0)
		return r;
	copy = swp_region_strndup(region, text, length);
	if (!copy)
		return -ENOMEM;
	*ret_text = copy;
	return 0;
}

int swp_take_texts(struct swp_unpack *unpack, struct swp_region *region, size_t max,
	const char *const **ret_texts, size_t *ret_count)
{
	const char **texts;
	size_t count;
	int r = swp_unpack_array(unpack, max, &count);

	if (r < 0)
		return r;
	texts = swp_region_alloc(region, (count ? count : 1) * sizeof(*texts));
	if (!texts)
		return -ENOMEM;
	for (size_t i = 0; i < count && r == 0; i++)
		r = swp_take_text(unpack, region, false, &texts[i]);
	if (r < 0)
		return r;
	*ret_texts = texts;
	*ret_count = count;
	return 0;
}

int swp_take_code(struct swp_unpack *unpack, unsigned *ret_code)
{
	uint64_t value;
	int r = swp_unpack_u64(unpack, SWP_RECORD_CODE_MAX, &value);

	if (r < 0)
		return r;
	*ret_code = (unsigned)value;
	return 0;
}

int swp_take_index(struct swp_unpack *unpack, size_t *ret_index)
{
	uint64_t value;
	int r = swp_unpack_u64(unpack, SWP_LIMIT_CATALOGUE_ROWS - 1, &value);

	if (r < 0)
		return r;
	*ret_index = (size_t)value;
	return 0;
}

int swp_take_gap(struct swp_unpack *unpack, struct swp_region *region, struct swp_record_gap *ret_gap)
{
	struct swp_record_gap gap;
	struct swp_unpack inside;
	int r = swp_take_row(unpack, 5, &inside, NULL);

	if (r == 0)
		r = swp_take_code(&inside, &gap.reason);
	if (r == 0)
		r = swp_take_text(&inside, region, false, &gap.action);
	if (r == 0)
		r = swp_take_text(&inside, region, false, &gap.error_code);
	if (r == 0)
		r = swp_take_text(&inside, region, false, &gap.message);
	if (r == 0)
		r = swp_take_text(&inside, region, false, &gap.request_id);
	if (r == 0)
		*ret_gap = gap;
	return r;
}

int swp_take_row(struct swp_unpack *unpack, size_t least, struct swp_unpack *ret_inside, size_t *ret_count)
{
	struct swp_unpack inside = *unpack, whole = *unpack;
	size_t count;
	int r = swp_unpack_skip(&whole);

	if (r < 0)
		return r;
	r = swp_unpack_array(&inside, SIZE_MAX, &count);
	if (r < 0)
		return r;
	if (count < least)
		return -EBADMSG;
	inside.end = whole.next;
	unpack->next = whole.next;
	*ret_inside = inside;
	if (ret_count)
		*ret_count = count;
	return 0;
}

int swp_take_versioned(struct swp_unpack *unpack, size_t least, struct swp_unpack *ret_inside)
{
	uint64_t version;
	int r = swp_take_row(unpack, least, ret_inside, NULL);

	if (r == 0)
		r = swp_unpack_u64(ret_inside, UINT64_MAX, &version);
	if (r < 0)
		return r;
	return version == SWP_RECORD_VERSION ? 0 : -EPROTONOSUPPORT;
}
