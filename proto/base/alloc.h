/* Allocation with a seam for failing it: every allocation of ours goes through here, so that a test can make the
 * nth one fail. Third-party libraries allocate by themselves.
 */
#ifndef SWP_BASE_ALLOC_H
#define SWP_BASE_ALLOC_H

#include <stddef.h>

/* Zeroed memory, or NULL. Freed by swp_free. Overflow of count × size gives NULL. */
void *swp_calloc(size_t count, size_t size) __attribute__((malloc));
/* As realloc; new bytes are not zeroed; on failure the old block stays. */
void *swp_realloc(void *pointer, size_t size);
char *swp_strdup(const char *text);
/* At most `length` bytes, always terminated. */
char *swp_strndup(const char *text, size_t length);
/* printf into a fresh string; NULL on failure. */
char *swp_asprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Takes NULL too. */
void swp_free(void *pointer);
/* For SWP_CLEANUP(swp_free_pointer) on `char *` and friends. */
void swp_free_pointer(void *pointer_to_pointer);

/* From now on the allocator gives free pages back to the system as soon as it has them, if it is one that else waits (mimalloc).
 * For a program whose need comes and goes: measured with the worker, a third less memory and no more CPU time. */
void swp_alloc_return_at_once(void);
/* Gives free memory back to the system, all that the allocator can: for a program that has nothing to do for a while. */
void swp_alloc_trim(void);

/* Tests only: the nth allocation from now (1 = the next) fails, and every later one too if `forever`.
 * 0 switches it off. Counted per thread. Returns how many allocations were made since the last call. */
unsigned long swp_alloc_fail_at(unsigned long nth, int forever);

#endif
