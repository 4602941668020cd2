/* A map from text to pointer (uthash inside). Keys are copied; values are the caller's.
 */
#ifndef SWP_BASE_MAP_H
#define SWP_BASE_MAP_H

#include <stddef.h>

struct swp_map; /* opaque */

struct swp_map *swp_map_new(void); /* NULL on out of memory */
/* Frees the map; `free_value` (may be NULL) is called for each value. Takes NULL. */
void swp_map_free(struct swp_map *map, void (*free_value)(void *value));
/* NULL when not there. */
void *swp_map_get(const struct swp_map *map, const char *key);
/* Sets or replaces; the old value, if any, is given back in ret_old (may be NULL). -ENOMEM. */
int swp_map_put(struct swp_map *map, const char *key, void *value, void **ret_old);
/* Removes; returns the value or NULL. */
void *swp_map_take(struct swp_map *map, const char *key);
size_t swp_map_count(const struct swp_map *map);
/* Visits in insertion order; a visitor that returns non-zero ends the walk, and that value is returned. The visitor may
 * remove the entry it stands on and no other. */
int swp_map_each(
	const struct swp_map *map, int (*visit)(const char *key, void *value, void *context), void *context);

#endif
