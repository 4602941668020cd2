/* Allocation with a seam for failing it. The counters are per thread, so that the few short-lived resolver threads
 * neither race with a test nor are counted by it.
 */
#include "proto/base/alloc.h"

#include <malloc.h>
#include <mimalloc.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local unsigned long made;
static _Thread_local unsigned long fail_at;
static _Thread_local bool fail_forever;

static bool must_fail(void)
{
	made++;
	if (fail_at == 0)
		return false;
	return fail_forever ? made >= fail_at : made == fail_at;
}

void *swp_calloc(size_t count, size_t size)
{
	if (must_fail() || (size > 0 && count > SIZE_MAX / size))
		return NULL;
	return calloc(count ? count : 1, size ? size : 1);
}

void *swp_realloc(void *pointer, size_t size)
{
	return must_fail() ? NULL : realloc(pointer, size ? size : 1);
}

char *swp_strdup(const char *text)
{
	return swp_strndup(text, strlen(text));
}

char *swp_strndup(const char *text, size_t length)
{
	size_t used = strnlen(text, length);
	char *copy = must_fail() ? NULL : malloc(used + 1);

	if (!copy)
		return NULL;
	memcpy(copy, text, used);
	copy[used] = '\0';
	return copy;
}

char *swp_asprintf(const char *format, ...)
{
	va_list arguments;
	char *text = NULL;
	int length;

	if (must_fail())
		return NULL;
	va_start(arguments, format);
	length = vasprintf(&text, format, arguments);
	va_end(arguments);
	return length < 0 ? NULL : text;
}

void swp_free(void *pointer)
{
	free(pointer);
}

void swp_free_pointer(void *pointer_to_pointer)
{
	char **pointer = pointer_to_pointer;

	free(*pointer);
	*pointer = NULL;
}

/* --- the allocator itself: mimalloc where a program is linked with it, else glibc's or a sanitizer's --- */

extern void mi_collect(bool force) __attribute__((weak));
extern void mi_option_set(mi_option_t option, long value) __attribute__((weak));

#if MI_MALLOC_VERSION >= 210
#define DELAY_OF_RETURN mi_option_purge_delay
#else
#define DELAY_OF_RETURN mi_option_decommit_delay
#endif

void swp_alloc_return_at_once(void)
{
	if (mi_option_set)
		mi_option_set(DELAY_OF_RETURN, 0);
}

void swp_alloc_trim(void)
{
	if (mi_collect)
		mi_collect(true);
	else
		malloc_trim(0);
}

unsigned long swp_alloc_fail_at(unsigned long nth, int forever)
{
	unsigned long before = made;

	made = 0;
	fail_at = nth;
	fail_forever = forever != 0;
	return before;
}
