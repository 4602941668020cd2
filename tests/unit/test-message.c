/* proto/wire/message.h: every type there and back, truncated at every byte, and with members nobody knows. */
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
#include "proto/wire/message.h"

static const char *const catalogues[] = {"aa", "bb"};
static const struct swp_wire_hold holds[] = {
	{7, 2, "s1", "123456789012", "eu-west-1"}, {8, 1, "s1", "123456789012", "global"}};
static const struct swp_wire_lease leases[] = {{7, 2}, {8, 1}, {INT64_MAX, 3}};
static const struct swp_wire_endpoint endpoints[] = {
	{"bedrock", "us-east-1", "https://vpce.example"}, {"", "", "http://127.0.0.1:1"}};
static const struct swp_wire_limit limits[] = {{"bedrock", 2500}, {"sagemaker", 0}};
static char secret_text[] = "token", key_text[] = "0123456789abcdef0123456789abcdef";
static struct swp_wire_signing_key keys[] = {
	{"20261122", "eu-west-1", "bedrock", {key_text, 32}},
	{"20261123", "eu-west-1", "bedrock", {key_text, 32}, 1},
};
static struct swp_wire_session more_sessions[] = {{"ASIAMORE", {secret_text, 5}}};
#define CREDENTIALS                                                                                          \
	{                                                                                                    \
		"ASIAEXAMPLE", {secret_text, 5}, 1700000000000, keys, 2, more_sessions, 1                    \
	}

static const struct swp_message samples[] = {
	{.type = SWP_MESSAGE_HELLO,
		.hello = {1, "0.1.0", "w1", "host", 42, 64, true, catalogues, 2, holds, 2}},
	{.type = SWP_MESSAGE_WANT_CATALOGUE, .want_catalogue = {"cafe"}},
	{.type = SWP_MESSAGE_DONE,
		.done = {7, 2, SWP_DONE_STALE, 100, 40, 3, 2, 1, 10, 11, 12, 13, 14, true, 999, limits, 2}},
	{.type = SWP_MESSAGE_RENEW, .renew = {7, 2}},
	{.type = SWP_MESSAGE_GIVE_BACK, .give_back = {7, 2, SWP_GIVE_BACK_DRAINING, "why"}},
	{.type = SWP_MESSAGE_BYE},
	{.type = SWP_MESSAGE_HEARTBEAT, .heartbeat = {leases, 3, 1000, 5, 1 << 20, 77, true}},
	{.type = SWP_MESSAGE_WELCOME, .welcome = {1, "0.1.0", 1000, 15000}},
	{.type = SWP_MESSAGE_SWEEP,
		.sweep = {"s1", "cafe", catalogues, 2, "aws", "o-1", "111111111111", 1764230400000, endpoints,
			2, true, true, 50}},
	{.type = SWP_MESSAGE_CATALOGUE, .catalogue = {"cafe", {"\0\1\2", 3}}},
	{.type = SWP_MESSAGE_JOB,
		.job = {7, 2, 1, "s1", "123456789012", "eu-west-1", 0, 60000, limits, 1, CREDENTIALS}},
	{.type = SWP_MESSAGE_CREDENTIALS, .credentials = {7, 2, 0, CREDENTIALS}},
	{.type = SWP_MESSAGE_CREDENTIALS, .credentials = {.job = 7, .epoch = 2, .refused = 13}},
	{.type = SWP_MESSAGE_CANCEL, .cancel = {7, 2, "", false}},
	{.type = SWP_MESSAGE_CANCEL, .cancel = {0, 0, "s1", true}},
	{.type = SWP_MESSAGE_DRAIN},
	{.type = SWP_MESSAGE_END_SWEEP, .end_sweep = {"s1"}},
};

static void encode(const struct swp_message *message, struct swp_buf *out)
{
	swp_buf_init(out, 0);
	out->secret = true;
	assert_int_equal(swp_message_encode(message, out), 0);
}

/* Encoded, decoded and encoded again gives the same bytes: so every member came through. */
static void test_round_trip(void **state)
{
	bool seen[SWP_MESSAGE_TYPE_COUNT] = {false};

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(samples); i++) {
		struct swp_buf first, second;
		struct swp_message message;

		encode(&samples[i], &first);
		assert_int_equal(swp_message_decode(first.data, first.length, &message), 0);
		assert_int_equal(message.type, samples[i].type);
		seen[message.type] = true;
		encode(&message, &second);
		assert_int_equal(first.length, second.length);
		assert_memory_equal(first.data, second.data, first.length);
		swp_message_done(&message);
		swp_message_done(&message);
		swp_buf_done(&first);
		swp_buf_done(&second);
	}
	for (int type = 1; type < SWP_MESSAGE_TYPE_COUNT; type++)
		if (!seen[type])
			fail_msg("no sample of %s", swp_message_type_name((enum swp_message_type)type));
}

static void test_members_arrive(void **state)
{
	struct swp_buf out;
	struct swp_message message;

	(void)state;
	encode(&samples[10], &out);
	assert_int_equal(swp_message_decode(out.data, out.length, &message), 0);
	assert_int_equal(message.job.job, 7);
	assert_string_equal(message.job.region, "eu-west-1");
	assert_string_equal(swp_secret_text(&message.job.credentials.session_token), "token");
	assert_int_equal(message.job.credentials.key_count, 2);
	assert_string_equal(message.job.credentials.keys[1].day, "20261123");
	assert_int_equal(message.job.credentials.keys[1].key.length, SWP_WIRE_SIGNING_KEY_BYTES);
	assert_int_equal(message.job.credentials.expires_at_ms, 1700000000000);
	swp_message_done(&message);
	swp_buf_done(&out);
}

static void test_truncated(void **state)
{
	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(samples); i++) {
		struct swp_buf out;
		struct swp_message message;

		encode(&samples[i], &out);
		for (size_t cut = 0; cut < out.length; cut++)
			assert_int_equal(swp_message_decode(out.data, cut, &message), -EBADMSG);
		assert_int_equal(swp_buf_append_byte(&out, 1), 0);
		assert_int_equal(swp_message_decode(out.data, out.length, &message), -EBADMSG);
		swp_buf_done(&out);
	}
}

static void test_bits_flipped(void **state)
{
	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(samples); i++) {
		struct swp_buf out;
		struct swp_message message;

		encode(&samples[i], &out);
		for (size_t bit = 0; bit < out.length * 8; bit++) {
			out.data[bit / 8] = (char)(out.data[bit / 8] ^ (1 << bit % 8));
			if (swp_message_decode(out.data, out.length, &message) == 0)
				swp_message_done(&message);
			out.data[bit / 8] = (char)(out.data[bit / 8] ^ (1 << bit % 8));
		}
		swp_buf_done(&out);
	}
}

#define RENEW "\xa1v\x01\xa1t\xa5renew"
static const struct {
	const char *name, *bytes;
	size_t length;
	int result;
} frames[] = {
#define FRAME(name, bytes, result)                                                                           \
	{                                                                                                    \
		name, bytes, sizeof(bytes) - 1, result                                                       \
	}
	FRAME("as it should be",
		"\x84" RENEW "\xa3job\x05\xa5"
		"epoch\x01",
		0),
	FRAME("members in another order",
		"\x84\xa5"
		"epoch\x01\xa3job\x05\xa1t\xa5renew\xa1v\x01",
		0),
	FRAME("a member that a later version has",
		"\x85" RENEW "\xa3job\x05\xa5"
		"epoch\x01\xa3new\x93\x01\xc0\x80",
		0),
	FRAME("a required member is absent", "\x83" RENEW "\xa3job\x05", -EBADMSG),
	FRAME("a member twice",
		"\x85" RENEW "\xa3job\x05\xa3job\x05\xa5"
		"epoch\x01",
		-EBADMSG),
	FRAME("a member of the wrong type",
		"\x84" RENEW "\xa3job\xa1x\xa5"
		"epoch\x01",
		-EBADMSG),
	FRAME("a negative number",
		"\x84" RENEW "\xa3job\xff\xa5"
		"epoch\x01",
		-EBADMSG),
	FRAME("a number above its ceiling",
		"\x84" RENEW "\xa3job\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xa5"
		"epoch\x01",
		-E2BIG),
	FRAME("another version",
		"\x84\xa1v\x03\xa1t\xa5renew\xa3job\x05\xa5"
		"epoch\x01",
		-EPROTONOSUPPORT),
	FRAME("an unknown type", "\x82\xa1v\x01\xa1t\xa3xyz", -EPROTONOSUPPORT),
	FRAME("no version",
		"\x81\xa1t\xa3"
		"bye",
		-EBADMSG),
	FRAME("no type", "\x81\xa1v\x01", -EBADMSG),
	FRAME("no map", "\x91\x01", -EBADMSG),
	FRAME("nothing", "", -EBADMSG),
};

static void test_frames(void **state)
{
	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(frames); i++) {
		struct swp_message message;
		int r = swp_message_decode(frames[i].bytes, frames[i].length, &message);

		if (r != frames[i].result)
			fail_msg("%s: %d instead of %d", frames[i].name, r, frames[i].result);
		if (r == 0)
			swp_message_done(&message);
	}
}

static void test_ceilings(void **state)
{
	static char long_text[SWP_LIMIT_WIRE_TEXT_BYTES + 2];
	static struct swp_wire_lease many[SWP_LIMIT_HOLDS + 1];
	struct swp_message message = {.type = SWP_MESSAGE_END_SWEEP, .end_sweep = {long_text}};
	struct swp_buf out = {0};

	(void)state;
	memset(long_text, 'x', SWP_LIMIT_WIRE_TEXT_BYTES + 1);
	assert_int_equal(swp_message_encode(&message, &out), -E2BIG);
	assert_int_equal(out.length, 0);
	long_text[SWP_LIMIT_WIRE_TEXT_BYTES] = '\0';
	assert_int_equal(swp_message_encode(&message, &out), 0);
	swp_buf_clear(&out);
	message = (struct swp_message){
		.type = SWP_MESSAGE_HEARTBEAT, .heartbeat = {.jobs = many, .job_count = SWP_LIMIT_HOLDS + 1}};
	assert_int_equal(swp_message_encode(&message, &out), -E2BIG);
	message.heartbeat.job_count--;
	assert_int_equal(swp_message_encode(&message, &out), 0);
	message = (struct swp_message){
		.type = SWP_MESSAGE_CATALOGUE, .catalogue = {"h", {NULL, SWP_LIMIT_CATALOGUE_BYTES + 1}}};
	assert_int_equal(swp_message_encode(&message, &out), -E2BIG);
	message = (struct swp_message){.type = SWP_MESSAGE_END_SWEEP, .end_sweep = {"\xff"}};
	assert_int_equal(swp_message_encode(&message, &out), -EINVAL);
	swp_buf_done(&out);
}

static void test_directions(void **state)
{
	(void)state;
	for (int i = 1; i < SWP_MESSAGE_TYPE_COUNT; i++) {
		enum swp_message_type type = (enum swp_message_type)i;

		assert_true(swp_message_from_worker(type) || swp_message_from_coordinator(type));
		assert_int_equal(swp_message_from_worker(type) && swp_message_from_coordinator(type),
			type == SWP_MESSAGE_HEARTBEAT || type == SWP_MESSAGE_BYE);
	}
}

/* docs/wire.md has one row for each member of each type, in the words of the tables. */
static void test_documented(void **state)
{
	static char text[64 << 10];
	struct swp_message_member_row row;
	FILE *file = fopen("docs/wire.md", "r");
	size_t length;

	(void)state;
	assert_non_null(file);
	length = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[length] = '\0';
	for (int i = 1; i < SWP_MESSAGE_TYPE_COUNT; i++) {
		const char *name = swp_message_type_name((enum swp_message_type)i);

		for (size_t at = 0; swp_message_member((enum swp_message_type)i, at, &row); at++) {
			char line[256];

			snprintf(line, sizeof(line), "| %s | `%s` | %s | %s |", name, row.name, row.kind,
				row.required ? "yes" : "no");
			if (!strstr(text, line))
				fail_msg("docs/wire.md lacks this row: %s", line);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_members_arrive),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_bits_flipped),
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_ceilings),
		cmocka_unit_test(test_directions),
		cmocka_unit_test(test_documented),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
