/* How things fail, everywhere in orgsweep.
 *
 * A function that can fail returns int: 0 is success; a negative errno is fatal to the operation and is passed on
 * unchanged; a positive value is a named code of that function's own contract and is handled by its caller.
 * What a person must read travels beside that, in a struct swp_problem: one line with the cause and, where there
 * is one, the fix. Library code fills it; programs print it, once.
 */
#ifndef SWP_BASE_ERROR_H
#define SWP_BASE_ERROR_H

#include <stddef.h>

struct swp_problem {
	char text[1024];
};

/* Replaces the text. Truncates at the end of the array; control characters are neutralized (see swp_text_clean).
 * Returns `error` unchanged, so that `return swp_problem_set(p, -EINVAL, "…")` works. `p` may be NULL. */
int swp_problem_set(struct swp_problem *p, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before what is there. `p` may be NULL. */
void swp_problem_prefix(struct swp_problem *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Cleanup attribute for a local: SWP_CLEANUP(swp_buf_done) struct swp_buf b = {0}; */
#define SWP_CLEANUP(function) __attribute__((cleanup(function)))

#define SWP_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define SWP_CONTAINER_OF(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* For our own mistakes, never for input: prints file, line and condition, and aborts; kept on with NDEBUG. */
#define SWP_ASSERT(condition) ((condition) ? (void)0 : swp_assert_failed(__FILE__, __LINE__, #condition))
void swp_assert_failed(const char *file, int line, const char *condition) __attribute__((noreturn));

#endif
