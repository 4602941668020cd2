/* Account rows of a report: what a plain decoder gives, and what is alike is there once. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/account-rows.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

static const char *const two[] = {"eu-west-1", "us-east-1"}, *const split[] = {"a", "bc"},
			 *const other_split[] = {"ab", "c"}, *const with_line[] = {"a\nbc"};

static void encode(const struct swp_record_account *account, struct swp_buf *out)
{
	swp_buf_clear(out);
	assert_int_equal(swp_account_encode(account, out), 0);
}

static struct swp_record_account sample(const char *id)
{
	return (struct swp_record_account){.id = id,
		.name = "workload",
		.path = "Root/Workloads",
		.state = "ACTIVE",
		.joined_at_ms = 7,
		.swept = true,
		.excluded = "",
		.regions = two,
		.region_count = 2,
		.regions_not_enabled = split,
		.region_not_enabled_count = 2,
		.settled_at_ms = 9,
		.regions_told = true};
}

static void assert_texts(const char *const *got, size_t got_count, const char *const *wanted, size_t count)
{
	assert_int_equal(got_count, count);
	for (size_t i = 0; i < count; i++)
		assert_string_equal(got[i], wanted[i]);
}

static void assert_same(const struct swp_record_account *got, const struct swp_record_account *wanted)
{
	assert_string_equal(got->id, wanted->id);
	assert_string_equal(got->name, wanted->name);
	assert_int_equal(got->path != NULL, wanted->path != NULL);
	if (wanted->path)
		assert_string_equal(got->path, wanted->path);
	assert_string_equal(got->state, wanted->state);
	assert_string_equal(got->excluded, wanted->excluded);
	assert_int_equal(got->joined_at_ms, wanted->joined_at_ms);
	assert_int_equal(got->settled_at_ms, wanted->settled_at_ms);
	assert_int_equal(got->reason, wanted->reason);
	assert_int_equal(got->swept, wanted->swept);
	assert_int_equal(got->not_planned, wanted->not_planned);
	assert_int_equal(got->regions_told, wanted->regions_told);
	assert_texts(got->regions, got->region_count, wanted->regions, wanted->region_count);
	assert_texts(got->regions_not_enabled, got->region_not_enabled_count, wanted->regions_not_enabled,
		wanted->region_not_enabled_count);
}

static void assert_same_gap(const struct swp_record_gap *got, const struct swp_record_gap *wanted)
{
	assert_int_equal(got->reason, wanted->reason);
	assert_string_equal(got->action, wanted->action);
	assert_string_equal(got->error_code, wanted->error_code);
	assert_string_equal(got->message, wanted->message);
	assert_string_equal(got->request_id, wanted->request_id);
}

static void shares_what_is_alike(void **state)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf bytes = {0};
	struct swp_region *memory = swp_region_new(0);
	struct swp_account_rows *rows = swp_account_rows_new(memory);
	struct swp_record_account first = sample("111111111111"), second = sample("222222222222"), got[2];

	(void)state;
	first.unread = second.unread =
		(struct swp_record_gap){3, "sts:AssumeRole", "AccessDenied", "no", "r-1"};
	second.unread.request_id = "r-2";
	second.path = NULL;
	encode(&first, &bytes);
	assert_int_equal(swp_account_rows_read(rows, bytes.data, bytes.length, &got[0]), 0);
	encode(&second, &bytes);
	assert_int_equal(swp_account_rows_read(rows, bytes.data, bytes.length, &got[1]), 0);
	swp_account_rows_free(rows); /* what was read stays */
	assert_same(&got[0], &first);
	assert_same(&got[1], &second);
	assert_same_gap(&got[0].unread, &first.unread);
	assert_same_gap(&got[1].unread, &second.unread);
	assert_ptr_equal(got[0].regions, got[1].regions);
	assert_ptr_equal(got[0].regions_not_enabled, got[1].regions_not_enabled);
	assert_ptr_equal(got[0].state, got[1].state);
	assert_ptr_equal(got[0].unread.action, got[1].unread.action);
	swp_region_free(memory);
}

/* Lists that are the same text when written one behind the other are not the same list. */
static void tells_lists_apart(void **state)
{
	static const struct {
		const char *const *texts;
		size_t count;
	} lists[] = {{two, 2}, {split, 2}, {other_split, 2}, {with_line, 1}, {two, 1}, {two, 0}};
	SWP_CLEANUP(swp_buf_done) struct swp_buf bytes = {0};
	struct swp_region *memory = swp_region_new(0);
	struct swp_account_rows *rows = swp_account_rows_new(memory);

	(void)state;
	for (size_t i = 0; i < 2 * SWP_ARRAY_SIZE(lists); i++) {
		struct swp_record_account account = sample("111111111111"), got;

		account.regions = lists[i % SWP_ARRAY_SIZE(lists)].texts;
		account.region_count = lists[i % SWP_ARRAY_SIZE(lists)].count;
		encode(&account, &bytes);
		assert_int_equal(swp_account_rows_read(rows, bytes.data, bytes.length, &got), 0);
		assert_same(&got, &account);
	}
	swp_account_rows_free(rows);
	swp_region_free(memory);
}

static void grows_by_little(void **state)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf bytes = {0};
	struct swp_region *memory = swp_region_new(0);
	struct swp_account_rows *rows = swp_account_rows_new(memory);
	size_t before = 0;

	(void)state;
	for (unsigned i = 0; i < 1001; i++) {
		char id[16];
		struct swp_record_account account, got;

		snprintf(id, sizeof(id), "%012u", i);
		account = sample(id);
		encode(&account, &bytes);
		assert_int_equal(swp_account_rows_read(rows, bytes.data, bytes.length, &got), 0);
		if (i == 0)
			before = swp_region_used(memory);
	}
	/* Its id and its name, each rounded up. */
	assert_true(swp_region_used(memory) - before <= 1000 * 64);
	swp_account_rows_free(rows);
	swp_region_free(memory);
}

static void damage(void **state)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf bytes = {0};
	struct swp_region *memory = swp_region_new(0), *plain = swp_region_new(0);
	struct swp_account_rows *rows = swp_account_rows_new(memory);
	struct swp_record_account account = sample("111111111111"), got;

	(void)state;
	encode(&account, &bytes);
	for (size_t length = 0; length < bytes.length; length++) {
		int wanted = swp_account_decode(bytes.data, length, plain, &got);

		assert_true(wanted < 0);
		assert_int_equal(swp_account_rows_read(rows, bytes.data, length, &got), wanted);
	}
	swp_account_rows_free(rows);
	swp_region_free(memory);
	swp_region_free(plain);
}

static int make_and_read(const struct swp_buf *bytes)
{
	struct swp_region *memory = swp_region_new(0);
	struct swp_account_rows *rows = memory ? swp_account_rows_new(memory) : NULL;
	struct swp_record_account got;
	int result = rows ? swp_account_rows_read(rows, bytes->data, bytes->length, &got) : -ENOMEM;

	swp_account_rows_free(rows);
	swp_region_free(memory);
	return result;
}

static void failing_allocations(void **state)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf bytes = {0};
	struct swp_record_account account = sample("111111111111");
	int result = -ENOMEM;

	(void)state;
	encode(&account, &bytes);
	for (unsigned long nth = 1; result == -ENOMEM && nth < 200; nth++) {
		swp_alloc_fail_at(nth, 1);
		result = make_and_read(&bytes);
		swp_alloc_fail_at(0, 0);
		assert_true(result == 0 || result == -ENOMEM);
	}
	assert_int_equal(result, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares_what_is_alike),
		cmocka_unit_test(tells_lists_apart),
		cmocka_unit_test(grows_by_little),
		cmocka_unit_test(damage),
		cmocka_unit_test(failing_allocations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
