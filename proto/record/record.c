/* Parts: rows of results, facts and cells, written one behind the other and read back one at a time. */
#include "proto/record/record.h"

#include <errno.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/base/limits.h"
#include "proto/record/pack.h"

/* The head is an array of two; the count is always written in 5 bytes, so that it can be filled in at the end. */
#define HEAD_BYTES 7
#define COUNT_OFFSET 2
static const char empty_head[HEAD_BYTES] = {(char)0x92, SWP_RECORD_VERSION, (char)0xce, 0, 0, 0, 0};

/* --- writer --- */

int swp_part_begin(struct swp_part_writer *writer, struct swp_buf *out)
{
	*writer = (struct swp_part_writer){.out = out, .start = out->length};
	return swp_buf_append(out, empty_head, HEAD_BYTES);
}

/* One row is done: counts it. A buffer that failed has lost bytes in the middle, and its owner throws the part away. */
static int row_done(struct swp_part_writer *writer)
{
	if (writer->out->failed)
		return writer->out->failed;
	writer->rows++;
	return 0;
}

static bool text_fits(const char *text)
{
	return !text || strnlen(text, SWP_LIMIT_ROW_TEXT_BYTES + 1) <= SWP_LIMIT_ROW_TEXT_BYTES;
}

/* The gap's own bytes the first time, its number when it is among the last ones. */
static void add_gap(struct swp_part_writer *writer, msgpack_packer *packer, const struct swp_record_gap *gap)
{
	struct swp_buf *out = writer->out;
	size_t offset = out->length, length;
	unsigned slot = writer->gaps % SWP_PART_GAPS_REMEMBERED;

	if (gap->reason == 0) {
		msgpack_pack_nil(packer);
		return;
	}
	swp_pack_gap(packer, gap);
	if (out->failed)
		return;
	length = out->length - offset;
	for (unsigned i = 0; i < SWP_PART_GAPS_REMEMBERED; i++) {
		if (writer->remembered[i].length != length ||
			memcmp(out->data + writer->remembered[i].offset, out->data + offset, length) != 0)
			continue;
		swp_buf_truncate(out, offset);
		msgpack_pack_uint32(packer, writer->remembered[i].number);
		return;
	}
	writer->remembered[slot].offset = offset;
	writer->remembered[slot].length = length;
	writer->remembered[slot].number = writer->gaps++;
}

int swp_part_add_place(struct swp_part_writer *writer, const char *account, const char *region)
{
	msgpack_packer packer;

	swp_pack_begin(&packer, writer->out);
	msgpack_pack_array(&packer, 3);
	msgpack_pack_int(&packer, SWP_RECORD_PLACE);
	swp_pack_text_or_empty(&packer, account);
	swp_pack_text_or_empty(&packer, region);
	return row_done(writer);
}

int swp_part_add_result(struct swp_part_writer *writer, const struct swp_record_result *result)
{
	msgpack_packer packer;

	if (!text_fits(result->evidence))
		return -E2BIG;
	swp_pack_begin(&packer, writer->out);
	msgpack_pack_array(&packer, 7);
	msgpack_pack_int(&packer, SWP_RECORD_RESULT);
	msgpack_pack_uint64(&packer, result->check);
	msgpack_pack_unsigned_int(&packer, result->status);
	swp_pack_text(&packer, result->resource);
	swp_pack_text(&packer, result->evidence);
	msgpack_pack_unsigned_int(&packer, result->not_applicable);
	add_gap(writer, &packer, &result->gap);
	return row_done(writer);
}

int swp_part_add_fact(struct swp_part_writer *writer, const struct swp_record_fact *fact)
{
	msgpack_packer packer;

	if (!text_fits(fact->value))
		return -E2BIG;
	swp_pack_begin(&packer, writer->out);
	msgpack_pack_array(&packer, 6);
	msgpack_pack_int(&packer, SWP_RECORD_FACT);
	swp_pack_text_or_empty(&packer, fact->name);
	swp_pack_text_or_empty(&packer, fact->subject);
	swp_pack_text(&packer, fact->object);
	swp_pack_text(&packer, fact->value);
	add_gap(writer, &packer, &fact->gap);
	return row_done(writer);
}

static void pack_bool(msgpack_packer *packer, bool value)
{
	if (value)
		msgpack_pack_true(packer);
	else
		msgpack_pack_false(packer);
}

int swp_part_add_cell(struct swp_part_writer *writer, const struct swp_record_cell *cell)
{
	msgpack_packer packer;

	swp_pack_begin(&packer, writer->out);
	msgpack_pack_array(&packer, 6);
	msgpack_pack_int(&packer, SWP_RECORD_CELL);
	msgpack_pack_uint64(&packer, cell->check);
	msgpack_pack_unsigned_int(&packer, cell->status);
	msgpack_pack_unsigned_int(&packer, cell->reason);
	msgpack_pack_unsigned_int(&packer, cell->not_applicable);
	pack_bool(&packer, cell->partial);
	return row_done(writer);
}

int swp_part_end(struct swp_part_writer *writer)
{
	char *count;

	if (writer->out->failed)
		return writer->out->failed;
	count = writer->out->data + writer->start + COUNT_OFFSET + 1;
	for (int i = 0; i < 4; i++)
		count[i] = (char)(writer->rows >> (24 - 8 * i));
	return 0;
}

bool swp_part_is_full(const struct swp_part_writer *writer)
{
	return writer->rows >= SWP_LIMIT_PART_RESOURCES ||
	       writer->out->length - writer->start >= SWP_LIMIT_PART_BYTES / 2;
}

/* --- reader --- */

struct swp_part_reader {
	struct swp_unpack at;
	uint64_t left; /* rows still to come */
	uint32_t gaps; /* defined so far */
	struct swp_unpack remembered[SWP_PART_GAPS_REMEMBERED];
	char account[64], region[64];
	struct swp_region *texts; /* of the present row */
};

int swp_part_reader_open(struct swp_part_reader *reader, const void *bytes, size_t length)
{
	struct swp_region *texts = reader->texts;
	struct swp_unpack at;
	uint64_t version, rows;
	size_t members;
	int r;

	*reader = (struct swp_part_reader){.texts = texts};
	if (length > SWP_LIMIT_PART_BYTES)
		return -E2BIG;
	swp_unpack_init(&at, bytes, length);
	r = swp_unpack_array(&at, 2, &members);
	if (r == 0 && members != 2)
		r = -EBADMSG;
	if (r == 0)
		r = swp_unpack_u64(&at, UINT64_MAX, &version);
	if (r < 0)
		return r == -E2BIG ? -EBADMSG : r;
	if (version != SWP_RECORD_VERSION)
		return -EPROTONOSUPPORT;
	r = swp_unpack_u64(&at, length, &rows);
	if (r < 0)
		return -EBADMSG;
	reader->at = at;
	reader->left = rows;
	return 0;
}

int swp_part_reader_new(const void *bytes, size_t length, struct swp_part_reader **ret_reader)
{
	struct swp_part_reader *reader = swp_calloc(1, sizeof(*reader));
	int r;

	if (!reader)
		return -ENOMEM;
	reader->texts = swp_region_new(8 * SWP_LIMIT_ROW_TEXT_BYTES + 4096);
	r = reader->texts ? swp_part_reader_open(reader, bytes, length) : -ENOMEM;
	if (r < 0) {
		swp_part_reader_free(reader);
		return r;
	}
	*ret_reader = reader;
	return 0;
}

void swp_part_reader_free(struct swp_part_reader *reader)
{
	if (!reader)
		return;
	swp_region_free(reader->texts);
	swp_free(reader);
}

static int take_short(struct swp_unpack *row, char *text, size_t size)
{
	const char *bytes;
	size_t length;
	int r = swp_unpack_text(row, size - 1, &bytes, &length);

	if (r < 0)
		return r;
	if (length)
		memcpy(text, bytes, length);
	text[length] = '\0';
	return 0;
}

static int read_place(struct swp_part_reader *reader, struct swp_unpack *row, struct swp_record_row *ret_row)
{
	int r = take_short(row, reader->account, sizeof(reader->account));

	(void)ret_row;
	return r < 0 ? r : take_short(row, reader->region, sizeof(reader->region));
}

static int read_gap(struct swp_part_reader *reader, struct swp_unpack *row, struct swp_record_gap *ret_gap)
{
	struct swp_unpack definition;
	uint64_t number;
	int r;

	switch (swp_unpack_peek(row)) {
	case SWP_UNPACK_NIL:
		*ret_gap = (struct swp_record_gap){0, "", "", "", ""};
		return swp_unpack_nil(row);
	case SWP_UNPACK_NUMBER:
		r = swp_unpack_u64(row, UINT32_MAX, &number);
		if (r < 0)
			return r;
		if (number >= reader->gaps || reader->gaps - number > SWP_PART_GAPS_REMEMBERED)
			return -EBADMSG;
		definition = reader->remembered[number % SWP_PART_GAPS_REMEMBERED];
		return swp_take_gap(&definition, reader->texts, ret_gap);
	default:
		reader->remembered[reader->gaps % SWP_PART_GAPS_REMEMBERED] = *row;
		reader->gaps++;
		return swp_take_gap(row, reader->texts, ret_gap);
	}
}

static int read_result(struct swp_part_reader *reader, struct swp_unpack *row, struct swp_record_row *ret_row)
{
	struct swp_record_result *result = &ret_row->result;
	int r = swp_take_index(row, &result->check);

	if (r == 0)
		r = swp_take_code(row, &result->status);
	if (r == 0)
		r = swp_take_text(row, reader->texts, true, &result->resource);
	if (r == 0)
		r = swp_take_text(row, reader->texts, true, &result->evidence);
	if (r == 0)
		r = swp_take_code(row, &result->not_applicable);
	return r < 0 ? r : read_gap(reader, row, &result->gap);
}

static int read_fact(struct swp_part_reader *reader, struct swp_unpack *row, struct swp_record_row *ret_row)
{
	struct swp_record_fact *fact = &ret_row->fact;
	int r = swp_take_text(row, reader->texts, false, &fact->name);

	if (r == 0)
		r = swp_take_text(row, reader->texts, false, &fact->subject);
	if (r == 0)
		r = swp_take_text(row, reader->texts, true, &fact->object);
	if (r == 0)
		r = swp_take_text(row, reader->texts, true, &fact->value);
	return r < 0 ? r : read_gap(reader, row, &fact->gap);
}

static int read_cell(struct swp_part_reader *reader, struct swp_unpack *row, struct swp_record_row *ret_row)
{
	struct swp_record_cell *cell = &ret_row->cell;
	int r = swp_take_index(row, &cell->check);

	(void)reader;
	if (r == 0)
		r = swp_take_code(row, &cell->status);
	if (r == 0)
		r = swp_take_code(row, &cell->reason);
	if (r == 0)
		r = swp_take_code(row, &cell->not_applicable);
	return r < 0 ? r : swp_unpack_bool(row, &cell->partial);
}

static int (*const read_kind[])(struct swp_part_reader *, struct swp_unpack *, struct swp_record_row *) = {
	[SWP_RECORD_PLACE] = read_place,
	[SWP_RECORD_RESULT] = read_result,
	[SWP_RECORD_FACT] = read_fact,
	[SWP_RECORD_CELL] = read_cell,
};

/* 1: a row to give out; 0: a row for ourselves (place, or of a kind that a later version knows). */
static int read_row(struct swp_part_reader *reader, struct swp_record_row *row)
{
	struct swp_unpack inside;
	uint64_t kind;
	int r = swp_take_row(&reader->at, 1, &inside, NULL);

	if (r == 0)
		r = swp_unpack_u64(&inside, UINT64_MAX, &kind);
	if (r < 0)
		return r;
	if (kind >= SWP_ARRAY_SIZE(read_kind))
		return 0;
	row->kind = (enum swp_record_kind)kind;
	r = read_kind[kind](reader, &inside, row);
	return r < 0 ? r : kind != SWP_RECORD_PLACE;
}

int swp_part_next(struct swp_part_reader *reader, struct swp_record_row *ret_row)
{
	struct swp_record_row row;
	int r = 0;

	swp_region_reset(reader->texts);
	while (r == 0) {
		if (reader->left == 0)
			return swp_unpack_peek(&reader->at) == SWP_UNPACK_END ? 0 : -EBADMSG;
		reader->left--;
		r = read_row(reader, &row);
	}
	if (r < 0) {
		reader->left = 0;
		return r == -E2BIG ? -EBADMSG : r;
	}
	row.account = reader->account;
	row.region = reader->region;
	*ret_row = row;
	return 1;
}
