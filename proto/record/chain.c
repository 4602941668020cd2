/* Chain instances: tuples of resources with what was found on them. */
#include <errno.h>

#include "proto/base/limits.h"
#include "proto/record/pack.h"
#include "proto/record/record.h"

#define CHAIN_MEMBERS 11

static void pack_finding(msgpack_packer *packer, const struct swp_record_chain_finding *finding)
{
	msgpack_pack_array(packer, 5);
	msgpack_pack_uint64(packer, finding->check);
	swp_pack_text_or_empty(packer, finding->account);
	swp_pack_text_or_empty(packer, finding->region);
	swp_pack_text(packer, finding->resource);
	msgpack_pack_unsigned_int(packer, finding->status);
}

static void pack_fix(msgpack_packer *packer, const struct swp_record_chain_fix *fix)
{
	msgpack_pack_array(packer, 2);
	msgpack_pack_uint64(packer, fix->check);
	swp_pack_text(packer, fix->resource);
}

static bool too_many(const struct swp_record_chain *chain)
{
	const size_t counts[] = {chain->region_count, chain->region_not_assessed_count, chain->resource_count,
		chain->finding_count, chain->fix_count};

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		if (counts[i] > SWP_LIMIT_CHAIN_ENTRIES)
			return true;
	return false;
}

int swp_chain_encode(const struct swp_record_chain *chain, struct swp_buf *out)
{
	msgpack_packer packer;

	if (too_many(chain))
		return -E2BIG;
	swp_pack_begin(&packer, out);
	msgpack_pack_array(&packer, CHAIN_MEMBERS);
	msgpack_pack_int(&packer, SWP_RECORD_VERSION);
	msgpack_pack_uint64(&packer, chain->chain);
	if (chain->confirmed)
		msgpack_pack_true(&packer);
	else
		msgpack_pack_false(&packer);
	swp_pack_text_or_empty(&packer, chain->basis);
	swp_pack_text_or_empty(&packer, chain->account);
	swp_pack_text_or_empty(&packer, chain->narrative);
	swp_pack_texts(&packer, chain->regions, chain->region_count);
	swp_pack_texts(&packer, chain->regions_not_assessed, chain->region_not_assessed_count);
	swp_pack_texts(&packer, chain->resources, chain->resource_count);
	msgpack_pack_array(&packer, chain->finding_count);
	for (size_t i = 0; i < chain->finding_count; i++)
		pack_finding(&packer, &chain->findings[i]);
	msgpack_pack_array(&packer, chain->fix_count);
	for (size_t i = 0; i < chain->fix_count; i++)
		pack_fix(&packer, &chain->fix[i]);
	return out->failed;
}

static int read_finding(
	struct swp_unpack *unpack, struct swp_region *region, struct swp_record_chain_finding *finding)
{
	struct swp_unpack inside;
	int r = swp_take_row(unpack, 5, &inside, NULL);

	if (r == 0)
		r = swp_take_index(&inside, &finding->check);
	if (r == 0)
		r = swp_take_text(&inside, region, false, &finding->account);
	if (r == 0)
		r = swp_take_text(&inside, region, false, &finding->region);
	if (r == 0)
		r = swp_take_text(&inside, region, true, &finding->resource);
	return r < 0 ? r : swp_take_code(&inside, &finding->status);
}

static int read_findings(struct swp_unpack *inside, struct swp_region *region, struct swp_record_chain *chain)
{
	struct swp_record_chain_finding *findings;
	int r = swp_unpack_array(inside, SWP_LIMIT_CHAIN_ENTRIES, &chain->finding_count);

	if (r < 0)
		return r;
	findings = swp_region_alloc(region, (chain->finding_count + 1) * sizeof(*findings));
	if (!findings)
		return -ENOMEM;
	for (size_t i = 0; i < chain->finding_count && r == 0; i++)
		r = read_finding(inside, region, &findings[i]);
	chain->findings = findings;
	return r;
}

static int read_fixes(struct swp_unpack *inside, struct swp_region *region, struct swp_record_chain *chain)
{
	struct swp_record_chain_fix *fixes;
	struct swp_unpack row;
	int r = swp_unpack_array(inside, SWP_LIMIT_CHAIN_ENTRIES, &chain->fix_count);

	if (r < 0)
		return r;
	fixes = swp_region_alloc(region, (chain->fix_count + 1) * sizeof(*fixes));
	if (!fixes)
		return -ENOMEM;
	for (size_t i = 0; i < chain->fix_count && r == 0; i++) {
		r = swp_take_row(inside, 2, &row, NULL);
		if (r == 0)
			r = swp_take_index(&row, &fixes[i].check);
		if (r == 0)
			r = swp_take_text(&row, region, true, &fixes[i].resource);
	}
	chain->fix = fixes;
	return r;
}

static int read_head(struct swp_unpack *inside, struct swp_region *region, struct swp_record_chain *chain)
{
	int r = swp_take_index(inside, &chain->chain);

	if (r == 0)
		r = swp_unpack_bool(inside, &chain->confirmed);
	if (r == 0)
		r = swp_take_text(inside, region, false, &chain->basis);
	if (r == 0)
		r = swp_take_text(inside, region, false, &chain->account);
	return r < 0 ? r : swp_take_text(inside, region, false, &chain->narrative);
}

static int read_chain(struct swp_unpack *inside, struct swp_region *region, struct swp_record_chain *chain)
{
	int r = read_head(inside, region, chain);

	if (r == 0)
		r = swp_take_texts(
			inside, region, SWP_LIMIT_CHAIN_ENTRIES, &chain->regions, &chain->region_count);
	if (r == 0)
		r = swp_take_texts(inside, region, SWP_LIMIT_CHAIN_ENTRIES, &chain->regions_not_assessed,
			&chain->region_not_assessed_count);
	if (r == 0)
		r = swp_take_texts(
			inside, region, SWP_LIMIT_CHAIN_ENTRIES, &chain->resources, &chain->resource_count);
	if (r == 0)
		r = read_findings(inside, region, chain);
	return r < 0 ? r : read_fixes(inside, region, chain);
}

void swp_chain_open(struct swp_chain_reader *reader, const void *bytes, size_t length)
{
	reader->next = bytes;
	reader->end = length ? reader->next + length : reader->next;
}

int swp_chain_next(
	struct swp_chain_reader *reader, struct swp_region *region, struct swp_record_chain *ret_chain)
{
	struct swp_record_chain chain = {0};
	struct swp_unpack rest, inside;
	int r;

	if (reader->next == reader->end)
		return 0;
	swp_unpack_init(&rest, reader->next, (size_t)(reader->end - reader->next));
	r = swp_take_versioned(&rest, CHAIN_MEMBERS, &inside);
	if (r == 0)
		r = read_chain(&inside, region, &chain);
	if (r < 0) {
		reader->next = reader->end;
		return r == -E2BIG ? -EBADMSG : r;
	}
	reader->next = (const char *)rest.next;
	*ret_chain = chain;
	return 1;
}
