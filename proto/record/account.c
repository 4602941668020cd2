/* An account's row, and the gap of an enumeration that broke off. */
#include <errno.h>

#include "proto/base/limits.h"
#include "proto/record/pack.h"
#include "proto/record/record.h"

#define ACCOUNT_MEMBERS 15

static void pack_flag(msgpack_packer *packer, bool value)
{
	if (value)
		msgpack_pack_true(packer);
	else
		msgpack_pack_false(packer);
}

int swp_account_encode(const struct swp_record_account *account, struct swp_buf *out)
{
	msgpack_packer packer;

	if (account->region_count > SWP_LIMIT_RECORD_REGIONS ||
		account->region_not_enabled_count > SWP_LIMIT_RECORD_REGIONS)
		return -E2BIG;
	swp_pack_begin(&packer, out);
	msgpack_pack_array(&packer, ACCOUNT_MEMBERS);
	msgpack_pack_int(&packer, SWP_RECORD_VERSION);
	swp_pack_text_or_empty(&packer, account->id);
	swp_pack_text_or_empty(&packer, account->name);
	swp_pack_text(&packer, account->path);
	swp_pack_text_or_empty(&packer, account->state);
	msgpack_pack_int64(&packer, account->joined_at_ms);
	pack_flag(&packer, account->not_planned);
	pack_flag(&packer, account->swept);
	msgpack_pack_unsigned_int(&packer, account->reason);
	swp_pack_text_or_empty(&packer, account->excluded);
	swp_pack_texts(&packer, account->regions, account->region_count);
	swp_pack_texts(&packer, account->regions_not_enabled, account->region_not_enabled_count);
	swp_pack_gap(&packer, &account->unread);
	msgpack_pack_int64(&packer, account->settled_at_ms);
	pack_flag(&packer, account->regions_told);
	return out->failed;
}

static int read_who(struct swp_unpack *inside, struct swp_region *region, struct swp_record_account *account)
{
	int r = swp_take_text(inside, region, false, &account->id);

	if (r == 0)
		r = swp_take_text(inside, region, false, &account->name);
	if (r == 0)
		r = swp_take_text(inside, region, true, &account->path);
	if (r == 0)
		r = swp_take_text(inside, region, false, &account->state);
	return r < 0 ? r : swp_unpack_i64(inside, &account->joined_at_ms);
}

static int read_standing(
	struct swp_unpack *inside, struct swp_region *region, struct swp_record_account *account)
{
	int r = swp_unpack_bool(inside, &account->not_planned);

	if (r == 0)
		r = swp_unpack_bool(inside, &account->swept);
	if (r == 0)
		r = swp_take_code(inside, &account->reason);
	if (r == 0)
		r = swp_take_text(inside, region, false, &account->excluded);
	if (r == 0)
		r = swp_take_texts(
			inside, region, SWP_LIMIT_RECORD_REGIONS, &account->regions, &account->region_count);
	if (r == 0)
		r = swp_take_texts(inside, region, SWP_LIMIT_RECORD_REGIONS, &account->regions_not_enabled,
			&account->region_not_enabled_count);
	if (r == 0)
		r = swp_take_gap(inside, region, &account->unread);
	if (r == 0)
		r = swp_unpack_i64(inside, &account->settled_at_ms);
	return r < 0 ? r : swp_unpack_bool(inside, &account->regions_told);
}

int swp_account_decode(
	const void *bytes, size_t length, struct swp_region *region, struct swp_record_account *ret_account)
{
	struct swp_record_account account = {0};
	struct swp_unpack whole, inside;
	int r;

	swp_unpack_init(&whole, bytes, length);
	r = swp_take_versioned(&whole, ACCOUNT_MEMBERS, &inside);
	if (r == 0 && swp_unpack_peek(&whole) != SWP_UNPACK_END)
		r = -EBADMSG;
	if (r == 0)
		r = read_who(&inside, region, &account);
	if (r == 0)
		r = read_standing(&inside, region, &account);
	if (r < 0)
		return r == -E2BIG ? -EBADMSG : r;
	*ret_account = account;
	return 0;
}

int swp_gap_encode(const struct swp_record_gap *gap, struct swp_buf *out)
{
	msgpack_packer packer;

	swp_pack_begin(&packer, out);
	msgpack_pack_array(&packer, 2);
	msgpack_pack_int(&packer, SWP_RECORD_VERSION);
	swp_pack_gap(&packer, gap);
	return out->failed;
}

int swp_gap_decode(
	const void *bytes, size_t length, struct swp_region *region, struct swp_record_gap *ret_gap)
{
	struct swp_unpack whole, inside;
	int r;

	swp_unpack_init(&whole, bytes, length);
	r = swp_take_versioned(&whole, 2, &inside);
	if (r == 0 && swp_unpack_peek(&whole) != SWP_UNPACK_END)
		r = -EBADMSG;
	if (r == 0)
		r = swp_take_gap(&inside, region, ret_gap);
	return r == -E2BIG ? -EBADMSG : r;
}
