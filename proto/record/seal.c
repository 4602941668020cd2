/* The seal of a job: counts, statistics and the states of its cells. */
#include <errno.h>
#include <string.h>

#include "proto/base/limits.h"
#include "proto/record/pack.h"
#include "proto/record/record.h"

#define SEAL_MEMBERS 10

static void pack_flag(msgpack_packer *packer, bool value)
{
	if (value)
		msgpack_pack_true(packer);
	else
		msgpack_pack_false(packer);
}

int swp_seal_encode(
	const struct swp_record_seal *seal, const struct swp_record_cell *cells, struct swp_buf *out)
{
	msgpack_packer packer;

	if (seal->cell_count > SWP_LIMIT_CATALOGUE_ROWS)
		return -E2BIG;
	swp_pack_begin(&packer, out);
	msgpack_pack_array(&packer, SEAL_MEMBERS);
	msgpack_pack_int(&packer, SWP_RECORD_VERSION);
	msgpack_pack_uint32(&packer, seal->parts);
	msgpack_pack_uint64(&packer, seal->rows);
	msgpack_pack_uint64(&packer, seal->calls);
	msgpack_pack_uint64(&packer, seal->retried);
	msgpack_pack_uint64(&packer, seal->throttled);
	msgpack_pack_uint64(&packer, seal->vanished);
	pack_flag(&packer, seal->answered);
	swp_pack_text_or_empty(&packer, seal->worker);
	msgpack_pack_array(&packer, seal->cell_count);
	for (size_t i = 0; i < seal->cell_count; i++) {
		msgpack_pack_array(&packer, 5);
		msgpack_pack_uint64(&packer, cells[i].check);
		msgpack_pack_unsigned_int(&packer, cells[i].status);
		msgpack_pack_unsigned_int(&packer, cells[i].reason);
		msgpack_pack_unsigned_int(&packer, cells[i].not_applicable);
		pack_flag(&packer, cells[i].partial);
	}
	return out->failed;
}

static int read_numbers(struct swp_unpack *inside, struct swp_record_seal *seal)
{
	uint64_t *const numbers[] = {
		&seal->rows, &seal->calls, &seal->retried, &seal->throttled, &seal->vanished};
	uint64_t parts;
	int r = swp_unpack_u64(inside, UINT32_MAX, &parts);

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]) && r == 0; i++)
		r = swp_unpack_u64(inside, UINT64_MAX, numbers[i]);
	if (r == 0)
		seal->parts = (uint32_t)parts;
	return r < 0 ? r : swp_unpack_bool(inside, &seal->answered);
}

/* A name longer than the field was not written by us, but it is only for people: cut. */
static int read_worker(struct swp_unpack *inside, struct swp_seal_reader *reader)
{
	const char *text;
	size_t length;
	int r = swp_unpack_text(inside, SWP_LIMIT_ROW_TEXT_BYTES, &text, &length);

	if (r < 0)
		return r;
	if (length >= sizeof(reader->worker)) {
		length = sizeof(reader->worker) - 1;
		while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
			length--;
	}
	if (length)
		memcpy(reader->worker, text, length);
	reader->worker[length] = '\0';
	return 0;
}

int swp_seal_open(
	struct swp_seal_reader *reader, const void *bytes, size_t length, struct swp_record_seal *ret_seal)
{
	struct swp_record_seal seal = {0};
	struct swp_unpack whole, inside;
	int r;

	swp_unpack_init(&whole, bytes, length);
	r = swp_take_versioned(&whole, SEAL_MEMBERS, &inside);
	if (r == 0 && swp_unpack_peek(&whole) != SWP_UNPACK_END)
		r = -EBADMSG;
	if (r == 0)
		r = read_numbers(&inside, &seal);
	if (r == 0)
		r = read_worker(&inside, reader);
	if (r == 0)
		r = swp_unpack_array(&inside, SWP_LIMIT_CATALOGUE_ROWS, &seal.cell_count);
	if (r < 0)
		return r == -E2BIG ? -EBADMSG : r;
	seal.worker = reader->worker;
	reader->next = (const char *)inside.next;
	reader->end = (const char *)inside.end;
	reader->left = seal.cell_count;
	*ret_seal = seal;
	return 0;
}

int swp_seal_next_cell(struct swp_seal_reader *reader, struct swp_record_cell *ret_cell)
{
	struct swp_record_cell cell;
	struct swp_unpack rest, inside;
	int r;

	if (reader->left == 0)
		return 0;
	swp_unpack_init(&rest, reader->next, (size_t)(reader->end - reader->next));
	r = swp_take_row(&rest, 5, &inside, NULL);
	if (r == 0)
		r = swp_take_index(&inside, &cell.check);
	if (r == 0)
		r = swp_take_code(&inside, &cell.status);
	if (r == 0)
		r = swp_take_code(&inside, &cell.reason);
	if (r == 0)
		r = swp_take_code(&inside, &cell.not_applicable);
	if (r == 0)
		r = swp_unpack_bool(&inside, &cell.partial);
	if (r < 0) {
		reader->left = 0;
		return r == -E2BIG ? -EBADMSG : r;
	}
	reader->next = (const char *)rest.next;
	reader->left--;
	*ret_cell = cell;
	return 1;
}
