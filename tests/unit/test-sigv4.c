/* The signer: published vectors, rules that are easily got wrong, failing allocations. botocore is the other witness
 * (tests/contract/test-signer.py).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/aws/sigv4.h"
#include "proto/base/alloc.h"
#include "proto/base/clock.h"
#include "proto/base/error.h"

/* Credentials and time of AWS's published signing test suite. */
#define SUITE_SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define SUITE_TIME_MS 1440938160000 /* 20150830T123600Z */

static void suite_key(struct swp_signing_key *key)
{
	struct swp_secret secret = {0};

	assert_int_equal(swp_secret_set(&secret, SUITE_SECRET, strlen(SUITE_SECRET)), 0);
	assert_int_equal(swp_signing_key_derive(&secret, "20150830", "us-east-1", "service", key), 0);
	swp_secret_set(&secret, NULL, 0);
}

static void digests(void **state)
{
	char text[65], sha1[41];
	unsigned char digest[SWP_SHA256_BYTES], long_key[131];

	(void)state;
	assert_int_equal(swp_sha256_hex("", 0, text), 0);
	assert_string_equal(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_int_equal(swp_sha256_hex("abc", 3, text), 0);
	assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(swp_sha256("", 0, digest), 0);
	assert_int_equal(digest[0], 0xe3);
	assert_int_equal(swp_sha1_hex("abc", 3, sha1), 0);
	assert_string_equal(sha1, "a9993e364706816aba3e25717850c26c9cd0d89d");
	/* RFC 4231, cases 2 and 6 (a key longer than a block) */
	assert_int_equal(swp_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, digest), 0);
	assert_int_equal(digest[0], 0x5b);
	assert_int_equal(digest[31], 0x43);
	memset(long_key, 0xaa, sizeof(long_key));
	assert_int_equal(swp_hmac_sha256(long_key, sizeof(long_key),
				 "Test Using Larger Than Block-Size Key - Hash Key First", 54, digest),
		0);
	assert_int_equal(digest[0], 0x60);
	assert_int_equal(digest[31], 0x54);
}

static void get_vanilla(void **state)
{
	static const struct swp_sign_header headers[] = {{"Host", "example.amazonaws.com"}};
	struct swp_sign_request request = {
		.method = "GET", .path = "/", .query = "", .headers = headers, .header_count = 1};
	struct swp_signing_key key;
	struct swp_signature signature;

	(void)state;
	suite_key(&key);
	swp_signature_init(&signature);
	assert_int_equal(swp_sigv4_sign(&request, "AKIDEXAMPLE", "", &key, SUITE_TIME_MS, &signature), 0);
	assert_string_equal(signature.date, "20150830T123600Z");
	assert_string_equal(signature.authorization.data,
		"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
		"SignedHeaders=host;x-amz-date, "
		"Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
	swp_signature_done(&signature);
	swp_signature_done(&signature);
}

static const struct canonical_example {
	const char *name, *path, *query, *header, *token;
	bool s3;
	const char *expected;
} canonical_examples[] = {
	{"empty path", "", "", "a", "", false,
		"GET\n/\n\nhost:h\nx-amz-date:D\nx-h:a\n\nhost;x-amz-date;x-h\n"},
	{"dots and slashes", "/a/./b/../c//d/", "", "a", "", false,
		"GET\n/a/c/d/\n\nhost:h\nx-amz-date:D\nx-h:a\n\nhost;x-amz-date;x-h\n"},
	{"above the root", "/../../a", "", "a", "", false,
		"GET\n/a\n\nhost:h\nx-amz-date:D\nx-h:a\n\nhost;x-amz-date;x-h\n"},
	{"ends with dots", "/a/b/..", "", "a", "", false,
		"GET\n/a\n\nhost:h\nx-amz-date:D\nx-h:a\n\nhost;x-amz-date;x-h\n"},
	{"encoded twice", "/guardrails/arn%3Aaws", "", "a", "", false,
		"GET\n/guardrails/arn%253Aaws\n\nhost:h\nx-amz-date:D\nx-h:a\n\nhost;x-amz-date;x-h\n"},
	{"S3 as sent", "/a/../b%3A//c", "", "a", "", true,
		"GET\n/a/../b%3A//"
		"c\n\nhost:h\nx-amz-content-sha256:E\nx-amz-date:D\nx-h:a\n\nhost;x-amz-content-sha256;x-amz-"
		"date;x-h\n"},
	{"query sorted by name, then value", "/", "b=2&a=2&a=1&policy&a=10&ab=0&a%2F=1", "a", "", false,
		"GET\n/"
		"\na=1&a=10&a=2&a%2F=1&ab=0&b=2&policy=\nhost:h\nx-amz-date:D\nx-h:a\n\nhost;x-amz-date;x-"
		"h\n"},
	{"value trimmed", "/", "", "  a \t b  ", "", false,
		"GET\n/\n\nhost:h\nx-amz-date:D\nx-h:a b\n\nhost;x-amz-date;x-h\n"},
	{"token", "/", "", "a", "TOK", false,
		"GET\n/"
		"\n\nhost:h\nx-amz-date:D\nx-amz-security-token:TOK\nx-h:a\n\nhost;x-amz-date;x-amz-security-"
		"token;x-h\n"},
};

static void canonical_requests(void **state)
{
	static const char empty[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(canonical_examples); i++) {
		const struct canonical_example *example = &canonical_examples[i];
		const struct swp_sign_header headers[] = {
			{"X-H", example->header}, {"HOST", "h"}, {"User-Agent", "left out"}};
		struct swp_sign_request request = {.method = "GET",
			.path = example->path,
			.query = example->query,
			.headers = headers,
			.header_count = 3,
			.s3 = example->s3};
		struct swp_buf canonical = {.secret = true}, signed_headers = {0}, expected = {0};

		for (const char *at = example->expected; *at != '\0'; at++) {
			if (*at == 'E' && at[-1] == ':')
				swp_buf_append_text(&expected, empty);
			else
				swp_buf_append_byte(&expected, *at);
		}
		swp_buf_append_text(&expected, empty);
		assert_int_equal(swp_sigv4_canonical_request(
					 &request, "D", example->token, &canonical, &signed_headers),
			0);
		if (strcmp(canonical.data, expected.data) != 0)
			fail_msg("%s:\n%s\nexpected:\n%s", example->name, canonical.data, expected.data);
		swp_buf_done(&canonical);
		swp_buf_done(&signed_headers);
		swp_buf_done(&expected);
	}
}

static void repeated_headers(void **state)
{
	const struct swp_sign_header headers[] = {{"host", "h"}, {"X-A", "2"}, {"x-a", " 1 "}};
	struct swp_sign_request request = {
		.method = "GET", .path = "/", .query = "", .headers = headers, .header_count = 3};
	struct swp_buf canonical = {.secret = true}, signed_headers = {0};

	(void)state;
	assert_int_equal(swp_sigv4_canonical_request(&request, "D", "", &canonical, &signed_headers), 0);
	assert_non_null(strstr(canonical.data, "\nx-a:2,1\n"));
	assert_string_equal(signed_headers.data, "host;x-a;x-amz-date");
	swp_buf_done(&canonical);
	swp_buf_done(&signed_headers);
}

static void refusals(void **state)
{
	struct swp_sign_header headers[40];
	struct swp_sign_request request = {
		.method = "GET", .path = "/", .query = "", .headers = headers, .header_count = 1};
	struct swp_signing_key key, other;
	struct swp_secret unset = {0}, secret = {0};
	struct swp_signature signature;
	char name[80];

	(void)state;
	suite_key(&key);
	swp_signature_init(&signature);
	headers[0] = (struct swp_sign_header){"host", "h"};
	assert_int_equal(swp_sigv4_sign(&request, "A", "", &key, SUITE_TIME_MS + 86400000, &signature),
		-EINVAL); /* another day */
	for (int i = 0; i < 40; i++)
		headers[i] = (struct swp_sign_header){"x-a", "1"};
	request.header_count = 40;
	assert_int_equal(swp_sigv4_sign(&request, "A", "", &key, SUITE_TIME_MS, &signature), -E2BIG);
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	headers[0].name = name;
	request.header_count = 1;
	assert_int_equal(swp_sigv4_sign(&request, "A", "", &key, SUITE_TIME_MS, &signature), -E2BIG);
	swp_signature_done(&signature);
	assert_int_equal(swp_signing_key_derive(&unset, "20150830", "r", "s", &other), -EINVAL);
	assert_int_equal(swp_secret_set(&secret, "x", 1), 0);
	assert_int_equal(swp_signing_key_derive(&secret, "2015083", "r", "s", &other), -EINVAL);
	assert_int_equal(swp_signing_key_derive(&secret, "20150830",
				 "a-region-name-that-is-longer-than-it-may-be", "s", &other),
		-EINVAL);
	assert_int_equal(swp_signing_key_derive(&secret, "20150830", "r", name, &other), -EINVAL);
	swp_secret_set(&secret, NULL, 0);
}

static void failing_allocations(void **state)
{
	static char token[900];
	const struct swp_sign_header headers[] = {{"host", "h"}};
	struct swp_sign_request request = {
		.method = "GET", .path = "/a/b", .query = "b=1&a=2", .headers = headers, .header_count = 1};
	struct swp_signing_key key;
	int result = -ENOMEM;

	(void)state;
	memset(token, 't', sizeof(token) - 1);
	suite_key(&key);
	for (unsigned long nth = 1; result == -ENOMEM && nth < 100; nth++) {
		struct swp_signature signature;

		swp_signature_init(&signature);
		swp_alloc_fail_at(nth, 1);
		result = swp_sigv4_sign(&request, "A", token, &key, SUITE_TIME_MS, &signature);
		swp_alloc_fail_at(0, 0);
		assert_true(result == 0 || result == -ENOMEM);
		if (result == -ENOMEM) /* and the same buffers work again */
			assert_int_equal(
				swp_sigv4_sign(&request, "A", token, &key, SUITE_TIME_MS, &signature), 0);
		swp_signature_done(&signature);
	}
	assert_int_equal(result, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests),
		cmocka_unit_test(get_vanilla),
		cmocka_unit_test(canonical_requests),
		cmocka_unit_test(repeated_headers),
		cmocka_unit_test(refusals),
		cmocka_unit_test(failing_allocations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
