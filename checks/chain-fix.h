/* The smallest set of fixes that breaks a chain's instance: fewest, then least effort, then id. An instance holds while one of its paths
 * holds; a path holds while each of its parts does; a part holds while one of its tuples does (or more than `spare` of them);
 * a tuple is broken when one of its findings is fixed.
 */
#ifndef SWP_CHECKS_CHAIN_FIX_H
#define SWP_CHECKS_CHAIN_FIX_H

#include <stddef.h>
#include <stdint.h>

/* A finding that could be fixed, by its number; order and effort come from the caller. */
struct swp_fix_order {
	/* <0, 0, >0: by check id, then resource. */
	int (*compare)(const void *context, uint32_t a, uint32_t b);
	unsigned (*effort)(const void *context, uint32_t finding);
	const void *context;
};
struct swp_fix_part {
	const uint32_t *cells; /* tuple_count × width findings + 1; 0: nothing to fix there */
	size_t tuple_count, width;
	size_t spare; /* so many tuples may stay (width 1 only) */
};
struct swp_fix_path {
	const struct swp_fix_part *parts;
	size_t part_count;
};
struct swp_fix_set {
	uint32_t *findings; /* owned; sorted by the order */
	size_t count;
};
void swp_fix_set_done(struct swp_fix_set *set);

/* Exact where each path's parts are single legs, and up to SWP_LIMIT_FIX_EXACT candidates in an entangled part (several paths: altogether);
 * above, greedy up to SWP_LIMIT_FIX_TUPLES tuples, or all findings of the leg that has fewest. An empty set: no fix of a finding
 * breaks it. 0, -ENOMEM. */
int swp_fix_smallest(const struct swp_fix_path *paths, size_t path_count, const struct swp_fix_order *order,
	struct swp_fix_set *ret_set);

#endif
