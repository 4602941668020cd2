/* Times: what is accepted comes back when it is written and read again. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/clock.h"
#include "proto/base/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int error, int64_t ms)
{
	char text[SWP_TIME_TEXT_BYTES];
	int64_t back = 0;

	SWP_ASSERT(error == 0 || error == -EINVAL);
	if (error)
		return;
	swp_time_format(ms, text);
	SWP_ASSERT(strlen(text) == 20);
	SWP_ASSERT(swp_time_parse(text, &back) == 0);
	/* An offset may lead out of the years that can be written. */
	SWP_ASSERT(back <= ms ? ms - back < 1000 || text[0] == '9' : text[0] == '0');
	swp_time_format_basic(ms, text);
	SWP_ASSERT(strlen(text) == 16);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = swp_strndup((const char *)data, size);
	int64_t ms = 0;
	int error;

	if (!text)
		return 0;
	error = swp_time_parse(text, &ms);
	check(error, ms);
	error = swp_time_parse_http(text, &ms);
	check(error, ms);
	if (size >= sizeof(ms)) {
		memcpy(&ms, data, sizeof(ms));
		swp_time_format(ms, (char[SWP_TIME_TEXT_BYTES]){0});
	}
	swp_free(text);
	return 0;
}
