/* The canonical request of any path, query and header value (a line each): the order of a query's parts does not count, a path that is
 * normal stays as it is but for its encoding, and no value begins a line of its own.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/aws/sigv4.h"
#include "proto/base/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int canonical(const char *path, const char *query, const char *value, bool s3, struct swp_buf *out)
{
	const struct swp_sign_header headers[] = {{"host", "h"}, {"X-Any", value}};
	const struct swp_sign_request request = {.method = "GET",
		.path = path,
		.query = query,
		.headers = headers,
		.header_count = SWP_ARRAY_SIZE(headers),
		.s3 = s3};
	struct swp_buf names = {0};
	int error = swp_sigv4_canonical_request(&request, "20261122T080000Z", "token", out, &names);

	swp_buf_done(&names);
	return error;
}

/* Parts in the opposite order. */
static char *reversed(const char *query)
{
	size_t length = strlen(query), at = 0;
	char *out = calloc(1, length + 1);

	if (!out)
		abort();
	for (size_t end = length;;) {
		size_t start = end;

		while (start > 0 && query[start - 1] != '&')
			start--;
		memcpy(out + at, query + start, end - start);
		at += end - start;
		if (start == 0)
			return out;
		out[at++] = '&';
		end = start - 1;
	}
}

static void check(const char *path, const char *query, const char *value, bool s3)
{
	struct swp_buf one = {0}, other = {0};
	char *turned = reversed(query);
	int error = canonical(path, query, value, s3, &one);

	SWP_ASSERT(error == 0 || error == -E2BIG);
	if (error == 0) {
		unsigned lines = 0;

		SWP_ASSERT(canonical(path, turned, value, s3, &other) == 0);
		SWP_ASSERT(one.length == other.length && memcmp(one.data, other.data, one.length) == 0);
		for (size_t i = 0; i < one.length; i++)
			lines += one.data[i] == '\n';
		/* Method, path, query, headers, a blank line, names; the digest ends without one. */
		SWP_ASSERT(lines == 3 + (s3 ? 5u : 4u) + 2);
		SWP_ASSERT(one.data[4] == '/' || s3);
	}
	free(turned);
	swp_buf_done(&one);
	swp_buf_done(&other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = strndup((const char *)data, size), *text = copy;

	if (!copy)
		return 0;
	const char *path = strsep(&text, "\n"), *query = text ? strsep(&text, "\n") : "";
	const char *value = text ? text : "";
	check(path, query, value, false);
	check(path, query, value, true);
	free(copy);
	return 0;
}
