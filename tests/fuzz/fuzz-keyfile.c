/* Key files: what parses must be writable, and parse to the same keys. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/wire/keyfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const uint8_t *data, size_t size, bool want_secret)
{
	struct swp_keyfile first, second;
	struct swp_problem problem = {""};
	struct swp_buf out = {.secret = true};

	if (swp_keyfile_parse("fuzz", (const char *)data, size, want_secret, &first, &problem) < 0) {
		SWP_ASSERT(problem.text[0] != '\0');
		return;
	}
	SWP_ASSERT(swp_keyfile_format(&first, want_secret, &out) == 0);
	SWP_ASSERT(swp_keyfile_parse("fuzz", out.data, out.length, want_secret, &second, &problem) == 0);
	SWP_ASSERT(strcmp(first.public_key, second.public_key) == 0);
	SWP_ASSERT(!want_secret || swp_secret_equal(&first.secret_key, &second.secret_key));
	swp_keyfile_done(&first);
	swp_keyfile_done(&second);
	swp_buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check(data, size, true);
	check(data, size, false);
	return 0;
}
