/* proto/record: what is written is read back; bytes that are missing, too many or wrong are refused. */
#include <errno.h>
#include <setjmp.h> /* cmocka.h wants it */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "proto/base/error.h"
#include "proto/base/limits.h"
#include "proto/record/keys.h"
#include "proto/record/record.h"
#include "proto/record/scripts.h"

static const struct swp_record_gap no_gap = {0, "", "", "", ""};
static const struct swp_record_gap denied = {
	1, "bedrock:ListGuardrails", "AccessDeniedException", "not allowed", "req-1"};

static void assert_gap(const struct swp_record_gap *read, const struct swp_record_gap *written)
{
	assert_int_equal(read->reason, written->reason);
	assert_string_equal(read->action, written->action);
	assert_string_equal(read->error_code, written->error_code);
	assert_string_equal(read->message, written->message);
	assert_string_equal(read->request_id, written->request_id);
}

static void write_part(struct swp_buf *out)
{
	struct swp_part_writer writer;
	const struct swp_record_result pass = {3, 0, "arn:x", "{\"a\":1}", 0, no_gap};
	const struct swp_record_result gap = {9999, 3, NULL, NULL, 0, denied};
	const struct swp_record_fact fact = {"bucket.public", "arn:b", NULL, "true", no_gap};
	const struct swp_record_fact relation = {"agent.role", "arn:a", "arn:r", NULL, denied};
	const struct swp_record_cell cell = {7, 1, 10, 0, true};

	assert_int_equal(swp_part_begin(&writer, out), 0);
	assert_int_equal(swp_part_add_result(&writer, &pass), 0);
	assert_int_equal(swp_part_add_result(&writer, &gap), 0);
	assert_int_equal(swp_part_add_fact(&writer, &fact), 0);
	assert_int_equal(swp_part_add_place(&writer, "123456789012", "eu-west-1"), 0);
	assert_int_equal(swp_part_add_fact(&writer, &relation), 0);
	assert_int_equal(swp_part_add_cell(&writer, &cell), 0);
	assert_int_equal(swp_part_end(&writer), 0);
	assert_int_equal(writer.rows, 6);
}

static void test_part(void **state)
{
	struct swp_buf out = {0};
	struct swp_part_reader *reader;
	struct swp_record_row row;

	(void)state;
	write_part(&out);
	assert_int_equal(swp_part_reader_new(out.data, out.length, &reader), 0);
	assert_int_equal(swp_part_next(reader, &row), 1);
	assert_int_equal(row.kind, SWP_RECORD_RESULT);
	assert_int_equal(row.result.check, 3);
	assert_string_equal(row.result.resource, "arn:x");
	assert_string_equal(row.result.evidence, "{\"a\":1}");
	assert_gap(&row.result.gap, &no_gap);
	assert_string_equal(row.account, "");
	assert_int_equal(swp_part_next(reader, &row), 1);
	assert_int_equal(row.result.check, 9999);
	assert_int_equal(row.result.status, 3);
	assert_null(row.result.resource);
	assert_null(row.result.evidence);
	assert_gap(&row.result.gap, &denied);
	assert_int_equal(swp_part_next(reader, &row), 1);
	assert_int_equal(row.kind, SWP_RECORD_FACT);
	assert_string_equal(row.fact.value, "true");
	assert_null(row.fact.object);
	assert_int_equal(swp_part_next(reader, &row), 1);
	assert_string_equal(row.account, "123456789012");
	assert_string_equal(row.region, "eu-west-1");
	assert_string_equal(row.fact.object, "arn:r");
	assert_gap(&row.fact.gap, &denied); /* stored once, by number here */
	assert_int_equal(swp_part_next(reader, &row), 1);
	assert_int_equal(row.kind, SWP_RECORD_CELL);
	assert_int_equal(row.cell.check, 7);
	assert_true(row.cell.partial);
	assert_int_equal(swp_part_next(reader, &row), 0);
	swp_part_reader_free(reader);
	swp_buf_done(&out);
}

/* Reads a part to its end: 0, or the error. */
static int read_all(const void *bytes, size_t length)
{
	struct swp_part_reader *reader;
	struct swp_record_row row;
	int r = swp_part_reader_new(bytes, length, &reader);

	if (r < 0)
		return r;
	do
		r = swp_part_next(reader, &row);
	while (r == 1);
	swp_part_reader_free(reader);
	return r;
}

static void test_part_truncated(void **state)
{
	struct swp_buf out = {0};

	(void)state;
	write_part(&out);
	assert_int_equal(read_all(out.data, out.length), 0);
	for (size_t cut = 0; cut < out.length; cut++)
		assert_int_equal(read_all(out.data, cut), -EBADMSG);
	assert_int_equal(swp_buf_append_byte(&out, '\xc0'), 0);
	assert_int_equal(read_all(out.data, out.length), -EBADMSG); /* left over */
	out.data[1] = 2;
	assert_int_equal(read_all(out.data, out.length), -EPROTONOSUPPORT);
	swp_buf_done(&out);
}

static void test_part_bytes_flipped(void **state)
{
	struct swp_buf out = {0};

	(void)state;
	write_part(&out);
	for (size_t i = 0; i < out.length; i++) {
		for (int bit = 0; bit < 8; bit++) {
			out.data[i] = (char)(out.data[i] ^ (1 << bit));
			read_all(out.data, out.length); /* any answer; the sanitizers watch */
			out.data[i] = (char)(out.data[i] ^ (1 << bit));
		}
	}
	swp_buf_done(&out);
}

static void test_gaps_interned(void **state)
{
	struct swp_buf out = {0};
	struct swp_part_writer writer;
	struct swp_part_reader *reader;
	struct swp_record_row row;
	char request[32];
	size_t first_length;

	(void)state;
	swp_part_begin(&writer, &out);
	for (int i = 0; i < 40; i++) {
		struct swp_record_result result = {1, 3, "arn", NULL, 0, denied};

		snprintf(request, sizeof(request), "req-%d", i / 2 % 20);
		result.gap.request_id = request;
		first_length = out.length;
		assert_int_equal(swp_part_add_result(&writer, &result), 0);
		if (i % 2)
			assert_true(out.length - first_length < 20);
	}
	assert_int_equal(swp_part_end(&writer), 0);
	assert_int_equal(swp_part_reader_new(out.data, out.length, &reader), 0);
	for (int i = 0; i < 40; i++) {
		snprintf(request, sizeof(request), "req-%d", i / 2 % 20);
		assert_int_equal(swp_part_next(reader, &row), 1);
		assert_string_equal(row.result.gap.request_id, request);
	}
	assert_int_equal(swp_part_next(reader, &row), 0);
	swp_part_reader_free(reader);
	swp_buf_done(&out);
}

static void test_texts_made_safe(void **state)
{
	static char text[SWP_LIMIT_ROW_TEXT_BYTES + 10];
	struct swp_buf out = {0};
	struct swp_part_writer writer;
	struct swp_part_reader *reader;
	struct swp_record_row row;
	struct swp_record_result result = {1, 3, "arn", NULL, 0, {1, "a", "b", "bad \xff byte", ""}};

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	memcpy(text + SWP_LIMIT_ROW_TEXT_BYTES - 1, "\xc3\xa4", 2); /* a character across the ceiling */
	swp_part_begin(&writer, &out);
	assert_int_equal(swp_part_add_result(&writer, &result), 0);
	result.gap.message = text;
	assert_int_equal(swp_part_add_result(&writer, &result), 0);
	result.evidence = text;
	assert_int_equal(swp_part_add_result(&writer, &result), -E2BIG);
	assert_int_equal(swp_part_end(&writer), 0);
	assert_int_equal(swp_part_reader_new(out.data, out.length, &reader), 0);
	assert_int_equal(swp_part_next(reader, &row), 1);
	assert_non_null(strstr(row.result.gap.message, "xff"));
	assert_int_equal(swp_part_next(reader, &row), 1);
	assert_int_equal(strlen(row.result.gap.message), SWP_LIMIT_ROW_TEXT_BYTES - 1);
	assert_int_equal(swp_part_next(reader, &row), 0);
	swp_part_reader_free(reader);
	swp_buf_done(&out);
}

static void test_part_full(void **state)
{
	struct swp_buf out = {0};
	struct swp_part_writer writer;
	const struct swp_record_cell cell = {1, 0, 0, 0, false};

	(void)state;
	swp_part_begin(&writer, &out);
	for (int i = 0; i < SWP_LIMIT_PART_RESOURCES; i++) {
		assert_false(swp_part_is_full(&writer));
		assert_int_equal(swp_part_add_cell(&writer, &cell), 0);
	}
	assert_true(swp_part_is_full(&writer));
	swp_buf_done(&out);
}

static void test_seal(void **state)
{
	const struct swp_record_cell cells[] = {
		{0, 0, 0, 0, false}, {5, 3, 12, 0, false}, {6, 1, 4, 0, true}};
	const struct swp_record_seal seal = {2, 1234, 50, 3, 1, 7, true, "host-1", SWP_ARRAY_SIZE(cells)};
	struct swp_record_seal read;
	struct swp_record_cell cell;
	struct swp_seal_reader reader;
	struct swp_buf out = {0};

	(void)state;
	assert_int_equal(swp_seal_encode(&seal, cells, &out), 0);
	assert_int_equal(swp_seal_open(&reader, out.data, out.length, &read), 0);
	assert_int_equal(read.parts, 2);
	assert_int_equal(read.rows, 1234);
	assert_int_equal(read.calls, 50);
	assert_int_equal(read.retried, 3);
	assert_int_equal(read.throttled, 1);
	assert_int_equal(read.vanished, 7);
	assert_true(read.answered);
	assert_string_equal(read.worker, "host-1");
	for (size_t i = 0; i < SWP_ARRAY_SIZE(cells); i++) {
		assert_int_equal(swp_seal_next_cell(&reader, &cell), 1);
		assert_int_equal(cell.check, cells[i].check);
		assert_int_equal(cell.reason, cells[i].reason);
		assert_int_equal(cell.partial, cells[i].partial);
	}
	assert_int_equal(swp_seal_next_cell(&reader, &cell), 0);
	for (size_t cut = 0; cut < out.length; cut++)
		assert_int_equal(swp_seal_open(&reader, out.data, cut, &read), -EBADMSG);
	swp_buf_done(&out);
}

static void test_seal_ceiling(void **state)
{
	struct swp_record_seal seal = {.cell_count = SWP_LIMIT_CATALOGUE_ROWS + 1};
	struct swp_buf out = {0};

	(void)state;
	assert_int_equal(swp_seal_encode(&seal, NULL, &out), -E2BIG);
}

static const char *const regions[] = {"eu-central-1", "eu-west-1"};

static void test_account(void **state)
{
	const struct swp_record_account account = {"123456789012", "Prod", "Root/Workloads", "ACTIVE",
		1700000000000, false, false, 13, "", regions, 2, regions, 1,
		{13, "sts:AssumeRole", "AccessDenied", "no", "r"}, 42, true};
	struct swp_record_account read;
	struct swp_region *region = swp_region_new(0);
	struct swp_buf out = {0};

	(void)state;
	assert_int_equal(swp_account_encode(&account, &out), 0);
	assert_int_equal(swp_account_decode(out.data, out.length, region, &read), 0);
	assert_string_equal(read.id, account.id);
	assert_string_equal(read.path, account.path);
	assert_int_equal(read.joined_at_ms, account.joined_at_ms);
	assert_int_equal(read.reason, 13);
	assert_int_equal(read.region_count, 2);
	assert_string_equal(read.regions[1], "eu-west-1");
	assert_int_equal(read.region_not_enabled_count, 1);
	assert_gap(&read.unread, &account.unread);
	assert_int_equal(read.settled_at_ms, 42);
	assert_true(read.regions_told);
	for (size_t cut = 0; cut < out.length; cut++)
		assert_int_equal(swp_account_decode(out.data, cut, region, &read), -EBADMSG);
	swp_buf_done(&out);
	swp_region_free(region);
}

static void test_account_ceiling(void **state)
{
	struct swp_record_account account = {.region_count = SWP_LIMIT_RECORD_REGIONS + 1};
	struct swp_buf out = {0};

	(void)state;
	assert_int_equal(swp_account_encode(&account, &out), -E2BIG);
}

static void test_gap(void **state)
{
	struct swp_record_gap read;
	struct swp_region *region = swp_region_new(0);
	struct swp_buf out = {0};

	(void)state;
	assert_int_equal(swp_gap_encode(&denied, &out), 0);
	assert_int_equal(swp_gap_decode(out.data, out.length, region, &read), 0);
	assert_gap(&read, &denied);
	for (size_t cut = 0; cut < out.length; cut++)
		assert_int_equal(swp_gap_decode(out.data, cut, region, &read), -EBADMSG);
	swp_buf_done(&out);
	swp_region_free(region);
}

static void test_chains(void **state)
{
	static const char *const resources[] = {"arn:1", "arn:2"};
	static const struct swp_record_chain_finding findings[] = {
		{1, "123456789012", "eu-west-1", "arn:1", 1}, {2, "1", "r", NULL, 3}};
	static const struct swp_record_chain_fix fixes[] = {{1, "arn:1"}};
	const struct swp_record_chain chain = {4, true, "region", "123456789012", "why", regions, 2, NULL, 0,
		resources, 2, findings, 2, fixes, 1};
	struct swp_record_chain read;
	struct swp_chain_reader reader;
	struct swp_region *region = swp_region_new(0);
	struct swp_buf out = {0};

	(void)state;
	assert_int_equal(swp_chain_encode(&chain, &out), 0);
	assert_int_equal(swp_chain_encode(&chain, &out), 0);
	swp_chain_open(&reader, out.data, out.length);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(swp_chain_next(&reader, region, &read), 1);
		assert_int_equal(read.chain, 4);
		assert_true(read.confirmed);
		assert_string_equal(read.narrative, "why");
		assert_int_equal(read.region_not_assessed_count, 0);
		assert_string_equal(read.resources[1], "arn:2");
		assert_null(read.findings[1].resource);
		assert_int_equal(read.findings[1].status, 3);
		assert_string_equal(read.fix[0].resource, "arn:1");
	}
	assert_int_equal(swp_chain_next(&reader, region, &read), 0);
	for (size_t cut = 1; cut < out.length / 2; cut++) {
		swp_chain_open(&reader, out.data, cut);
		assert_int_equal(swp_chain_next(&reader, region, &read), -EBADMSG);
	}
	swp_buf_done(&out);
	swp_region_free(region);
}

static void test_chain_ceiling(void **state)
{
	struct swp_record_chain chain = {.resource_count = SWP_LIMIT_CHAIN_ENTRIES + 1};
	struct swp_buf out = {0};

	(void)state;
	assert_int_equal(swp_chain_encode(&chain, &out), -E2BIG);
}

static const struct {
	enum swp_key key;
	const char *first, *second, *text;
} keys[] = {
	{SWP_KEY_INDEX, NULL, NULL, "swp:index"},
	{SWP_KEY_CATALOGUE, "ab12", NULL, "swp:catalogue:ab12"},
	{SWP_KEY_SWEEP, NULL, NULL, "swp:s1:sweep"},
	{SWP_KEY_ACCOUNTS, NULL, NULL, "swp:s1:accounts"},
	{SWP_KEY_GAPS, NULL, NULL, "swp:s1:gaps"},
	{SWP_KEY_JOB, "123456789012", "eu-west-1", "swp:s1:job:123456789012:eu-west-1"},
	{SWP_KEY_JOINED, "123456789012", NULL, "swp:s1:joined:123456789012"},
	{SWP_KEY_CHAINS, "123456789012", NULL, "swp:s1:chains:123456789012"},
	{SWP_KEY_CHAINS_OVER, NULL, NULL, "swp:s1:chains-over"},
	{SWP_KEY_PARTITION, "255", NULL, "swp:s1:partition:255"},
	{SWP_KEY_LOCK, "123456789012", "eu-west-1", "swp:lock:123456789012:eu-west-1"},
	{SWP_KEY_LEADER, NULL, NULL, "swp:leader"},
	{SWP_KEY_DRAINS, NULL, NULL, "swp:drains"},
	{SWP_KEY_WORKERS, NULL, NULL, "swp:workers"},
	{SWP_KEY_SCHEDULES, NULL, NULL, "swp:schedules"},
	{SWP_KEY_LIMITS, NULL, NULL, "swp:limits"},
};

static void test_keys(void **state)
{
	char key[SWP_KEY_BYTES];

	(void)state;
	assert_int_equal(SWP_ARRAY_SIZE(keys), SWP_KEY_COUNT);
	for (size_t i = 0; i < SWP_ARRAY_SIZE(keys); i++) {
		assert_int_equal(swp_key_format(keys[i].key, "s1", keys[i].first, keys[i].second, key), 0);
		assert_string_equal(key, keys[i].text);
	}
	assert_int_equal(swp_key_format(SWP_KEY_JOB, "s1", "1", "a:b", key), -EINVAL);
	assert_int_equal(swp_key_format(SWP_KEY_JOB, "s1", "1", NULL, key), -EINVAL);
	assert_int_equal(swp_key_format(SWP_KEY_JOB, "s1", "", "r", key), -EINVAL);
	assert_int_equal(swp_key_format(SWP_KEY_SWEEP, "index", NULL, NULL, key), -EINVAL);
	assert_int_equal(swp_key_format(SWP_KEY_SWEEP, "a*b", NULL, NULL, key), -EINVAL);
	assert_int_equal(swp_key_lock_of("swp:s1:job:123456789012:eu-west-1", key), 0);
	assert_string_equal(key, "swp:lock:123456789012:eu-west-1");
	assert_int_equal(swp_key_lock_of("swp:s1:sweep", key), -EINVAL);
	assert_int_equal(swp_key_sweep_pattern("s1", key), 0);
	assert_string_equal(key, "swp:s1:*");
}

/* docs/store.md names every key and script, in the words of the tables. */
static void test_documented(void **state)
{
	static char text[64 << 10];
	FILE *file = fopen("docs/store.md", "r");
	size_t length;

	(void)state;
	assert_non_null(file);
	length = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[length] = '\0';
	for (int i = 0; i < SWP_KEY_COUNT; i++) {
		char row[512];
		const struct swp_key_row *key = swp_key_row((enum swp_key)i);

		snprintf(row, sizeof(row), "| `%s` | %s | %s | %s |", key->pattern, key->type, key->holds,
			key->retention);
		if (!strstr(text, row))
			fail_msg("docs/store.md lacks this row: %s", row);
	}
	for (int i = 0; i < SWP_SCRIPT_COUNT; i++) {
		char row[512];
		const struct swp_script_row *script = swp_script_row((enum swp_script)i);

		snprintf(row, sizeof(row), "| `%s` | %s | %s | %s |", script->name, script->keys,
			script->arguments, script->answers);
		if (!strstr(text, row))
			fail_msg("docs/store.md lacks this row: %s", row);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_part),
		cmocka_unit_test(test_part_truncated),
		cmocka_unit_test(test_part_bytes_flipped),
		cmocka_unit_test(test_gaps_interned),
		cmocka_unit_test(test_texts_made_safe),
		cmocka_unit_test(test_part_full),
		cmocka_unit_test(test_seal),
		cmocka_unit_test(test_seal_ceiling),
		cmocka_unit_test(test_account),
		cmocka_unit_test(test_account_ceiling),
		cmocka_unit_test(test_gap),
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_chain_ceiling),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_documented),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
