/* Neutralized text: well-formed, without anything a terminal obeys, the same by both ways and when cleaned twice. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/error.h"
#include "proto/base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf once = {0};
	SWP_CLEANUP(swp_buf_done) struct swp_buf twice = {0};
	char array[300];
	size_t used;

	if (swp_text_clean(&once, (const char *)data, size) != 0)
		return 0;
	SWP_ASSERT(swp_text_is_utf8(swp_buf_text(&once), once.length));
	for (size_t i = 0; i < once.length; i++)
		SWP_ASSERT((unsigned char)once.data[i] >= 0x20 && once.data[i] != 0x7f);
	if (swp_text_clean(&twice, swp_buf_text(&once), once.length) != 0)
		return 0;
	SWP_ASSERT(once.length == twice.length &&
		   memcmp(swp_buf_text(&once), swp_buf_text(&twice), once.length) == 0);
	used = swp_text_clean_array(array, sizeof(array), (const char *)data, size);
	SWP_ASSERT(used < sizeof(array) && array[used] == '\0' && used <= once.length);
	SWP_ASSERT(memcmp(array, swp_buf_text(&once), used) == 0);
	SWP_ASSERT(used == once.length || used > sizeof(array) - 16);
	SWP_ASSERT(swp_text_is_utf8(array, used));
	return 0;
}
