/* What the encoders of this folder share: MessagePack into a swp_buf, with texts made safe to store. Internal to proto/record.
 */
#ifndef SWP_RECORD_PACK_H
#define SWP_RECORD_PACK_H

#include <msgpack.h>

#include "proto/base/buf.h"
#include "proto/base/region.h"
#include "proto/base/unpack.h"

/* Failures stay in `out` (swp_buf is sticky), so that encoders check once at their end. */
void swp_pack_begin(msgpack_packer *packer, struct swp_buf *out);
/* NULL is nil; invalid UTF-8 is neutralized; what is above SWP_LIMIT_ROW_TEXT_BYTES is cut at a character. */
void swp_pack_text(msgpack_packer *packer, const char *text);
/* NULL is "". */
static inline void swp_pack_text_or_empty(msgpack_packer *packer, const char *text)
{
	swp_pack_text(packer, text ? text : "");
}
void swp_pack_texts(msgpack_packer *packer, const char *const *texts, size_t count);
struct swp_record_gap;
void swp_pack_gap(msgpack_packer *packer, const struct swp_record_gap *gap);

/* --- and the decoders: everything they give lives in `region` --- */
/* A text, or NULL for nil when `optional`. */
int swp_take_text(struct swp_unpack *unpack, struct swp_region *region, bool optional, const char **ret_text);
/* An array of texts of at most `max` entries. */
int swp_take_texts(struct swp_unpack *unpack, struct swp_region *region, size_t max,
	const char *const **ret_texts, size_t *ret_count);
int swp_take_code(struct swp_unpack *unpack, unsigned *ret_code);
int swp_take_index(struct swp_unpack *unpack, size_t *ret_index);
int swp_take_gap(struct swp_unpack *unpack, struct swp_region *region, struct swp_record_gap *ret_gap);
/* Takes the next value, which must be an array, as a frame of its own: `ret_inside` stands behind the array's head and ends where
 * the value ends, so that members added by a later version are left alone. -EBADMSG if it has fewer than `least` members. */
int swp_take_row(struct swp_unpack *unpack, size_t least, struct swp_unpack *ret_inside, size_t *ret_count);
/* As swp_take_row, and the first member must be SWP_RECORD_VERSION: -EPROTONOSUPPORT. */
int swp_take_versioned(struct swp_unpack *unpack, size_t least, struct swp_unpack *ret_inside);

#endif
