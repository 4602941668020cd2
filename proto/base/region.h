/* A region (arena): everything a job builds lives in the job's region and dies with it. With a ceiling.
 */
#ifndef SWP_BASE_REGION_H
#define SWP_BASE_REGION_H

#include <stddef.h>

struct swp_region; /* opaque; owns all its blocks */

/* NULL on out of memory. `limit_bytes` 0 means SWP_LIMIT_REGION_BYTES. */
struct swp_region *swp_region_new(size_t limit_bytes);
/* Takes NULL. */
void swp_region_free(struct swp_region *region);
/* Zeroed, aligned for any type; NULL when out of memory or above the ceiling. Borrowed until swp_region_free/_reset. */
void *swp_region_alloc(struct swp_region *region, size_t size);
char *swp_region_strdup(struct swp_region *region, const char *text);
char *swp_region_strndup(struct swp_region *region, const char *text, size_t length);
char *swp_region_format(struct swp_region *region, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void *swp_region_memdup(struct swp_region *region, const void *bytes, size_t size);
/* Forgets everything but keeps the first block. */
void swp_region_reset(struct swp_region *region);
/* Bytes handed out. */
size_t swp_region_used(const struct swp_region *region);

#endif
