/* What takes fifty times as long under valgrind takes a share there; the plain and the sanitized runs have all of it. */
#pragma once

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static inline bool under_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "vgpreload");
}

/* How many of count alike to try. */
static inline unsigned long share_under_valgrind(unsigned long count)
{
	return under_valgrind() ? count / 50 + 1 : count;
}
