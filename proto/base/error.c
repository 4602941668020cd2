/* What a person reads about a failure, and the end of the program at a mistake of our own. */
#include "proto/base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/text.h"

int swp_problem_set(struct swp_problem *p, int error, const char *format, ...)
{
	char raw[sizeof(p->text)];
	va_list arguments;

	if (!p)
		return error;
	/* Formatted aside, since an argument may be p->text itself. */
	va_start(arguments, format);
	if (vsnprintf(raw, sizeof(raw), format, arguments) < 0)
		raw[0] = '\0';
	va_end(arguments);
	swp_text_clean_array(p->text, sizeof(p->text), raw, strlen(raw));
	return error;
}

void swp_problem_prefix(struct swp_problem *p, const char *format, ...)
{
	char prefix[sizeof(p->text)];
	va_list arguments;

	if (!p)
		return;
	va_start(arguments, format);
	if (vsnprintf(prefix, sizeof(prefix), format, arguments) < 0)
		prefix[0] = '\0';
	va_end(arguments);
	swp_problem_set(p, 0, "%s: %s", prefix, p->text);
}

void swp_assert_failed(const char *file, int line, const char *condition)
{
	fprintf(stderr, "%s:%d: this must hold and does not: %s\n", file, line, condition);
	fflush(stderr);
	abort();
}
