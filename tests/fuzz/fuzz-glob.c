/* Globs against a table of all pairs of prefixes, which is slow and can't be wrong. Pattern and text stand on two lines. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LONGEST = 200 };

static bool match_by_table(const char *pattern, const char *text)
{
	static bool matches[LONGEST + 1][LONGEST + 1];
	size_t rows = strlen(pattern), columns = strlen(text);

	for (size_t i = 0; i <= rows; i++) {
		for (size_t j = 0; j <= columns; j++) {
			char p = i ? pattern[i - 1] : '\0';

			if (i == 0)
				matches[i][j] = j == 0;
			else if (p == '*')
				matches[i][j] = matches[i - 1][j] || (j > 0 && matches[i][j - 1]);
			else
				matches[i][j] =
					j > 0 && (p == '?' || p == text[j - 1]) && matches[i - 1][j - 1];
		}
	}
	return matches[rows][columns];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *pattern = swp_strndup((const char *)data, size), *text;

	if (!pattern)
		return 0;
	text = strchr(pattern, '\n');
	if (text) {
		*text++ = '\0';
		if (strlen(pattern) <= LONGEST && strlen(text) <= LONGEST) {
			bool matches = swp_glob_match(pattern, text);

			SWP_ASSERT(matches == match_by_table(pattern, text));
			SWP_ASSERT(!swp_glob_is_plain(pattern) || matches == (strcmp(pattern, text) == 0));
		}
	}
	swp_free(pattern);
	return 0;
}
