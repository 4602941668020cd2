/* Stored bytes. The first byte chooses the decoder: part, seal, account, gap, chains. What reads to its end must be writable again. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/error.h"
#include "proto/record/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int add_row(struct swp_part_writer *writer, const struct swp_record_row *row)
{
	switch (row->kind) {
	case SWP_RECORD_RESULT:
		return swp_part_add_result(writer, &row->result);
	case SWP_RECORD_FACT:
		return swp_part_add_fact(writer, &row->fact);
	case SWP_RECORD_CELL:
		return swp_part_add_cell(writer, &row->cell);
	default:
		abort(); /* places are not given out */
	}
}

static void part(const uint8_t *data, size_t size)
{
	struct swp_part_reader *reader;
	struct swp_part_writer writer;
	struct swp_record_row row;
	struct swp_buf again = {0};
	unsigned long rows = 0;
	int r = swp_part_reader_new(data, size, &reader);

	if (r < 0) {
		SWP_ASSERT(r == -EBADMSG || r == -EPROTONOSUPPORT);
		return;
	}
	SWP_ASSERT(swp_part_begin(&writer, &again) == 0);
	while ((r = swp_part_next(reader, &row)) == 1) {
		SWP_ASSERT(add_row(&writer, &row) == 0);
		rows++;
	}
	SWP_ASSERT(r == 0 || r == -EBADMSG);
	SWP_ASSERT(swp_part_end(&writer) == 0);
	SWP_ASSERT(swp_part_reader_open(reader, again.data, again.length) == 0);
	while (swp_part_next(reader, &row) == 1)
		rows--;
	SWP_ASSERT(rows == 0);
	swp_part_reader_free(reader);
	swp_buf_done(&again);
}

static void seal(const uint8_t *data, size_t size)
{
	struct swp_seal_reader reader;
	struct swp_record_seal head;
	struct swp_record_cell cell;
	size_t cells = 0;

	if (swp_seal_open(&reader, data, size, &head) < 0)
		return;
	while (swp_seal_next_cell(&reader, &cell) == 1)
		cells++;
	SWP_ASSERT(cells <= head.cell_count);
}

static void account(const uint8_t *data, size_t size)
{
	struct swp_region *region = swp_region_new(0);
	struct swp_record_account read, again;
	struct swp_buf out = {0};

	if (swp_account_decode(data, size, region, &read) == 0) {
		SWP_ASSERT(swp_account_encode(&read, &out) == 0);
		SWP_ASSERT(swp_account_decode(out.data, out.length, region, &again) == 0);
		SWP_ASSERT(strcmp(read.id, again.id) == 0 && read.region_count == again.region_count);
	}
	swp_buf_done(&out);
	swp_region_free(region);
}

static void gap(const uint8_t *data, size_t size)
{
	struct swp_region *region = swp_region_new(0);
	struct swp_record_gap read;
	struct swp_buf out = {0};

	if (swp_gap_decode(data, size, region, &read) == 0)
		SWP_ASSERT(swp_gap_encode(&read, &out) == 0);
	swp_buf_done(&out);
	swp_region_free(region);
}

static void chains(const uint8_t *data, size_t size)
{
	struct swp_region *region = swp_region_new(0);
	struct swp_record_chain chain;
	struct swp_chain_reader reader;
	struct swp_buf out = {0};

	swp_chain_open(&reader, data, size);
	while (swp_chain_next(&reader, region, &chain) == 1) {
		SWP_ASSERT(swp_chain_encode(&chain, &out) == 0);
		swp_region_reset(region);
	}
	swp_buf_done(&out);
	swp_region_free(region);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const decoders[])(const uint8_t *data, size_t size) = {
		part, seal, account, gap, chains};

	if (size > 0)
		decoders[data[0] % SWP_ARRAY_SIZE(decoders)](data + 1, size - 1);
	return 0;
}
