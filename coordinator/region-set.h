/* Regions of a sweep as small numbers, and sets of them as bits: an account keeps its regions in sixteen bytes each.
 * Two pseudo-regions come first: "global" (the account-level job) and "organization" (the one organization-level job).
 */
#ifndef SWP_COORDINATOR_REGION_SET_H
#define SWP_COORDINATOR_REGION_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SWP_REGION_GLOBAL 0
#define SWP_REGION_ORGANIZATION 1
#define SWP_REGION_FIRST 2
/* A partition has at most 34 regions today; names that AWS tells beyond that table are added while there is room. */
#define SWP_LIMIT_SWEEP_REGIONS 128
#define SWP_REGION_NAME_BYTES 32

struct swp_region_set {
	uint64_t words[SWP_LIMIT_SWEEP_REGIONS / 64];
};

struct swp_region_table {
	char names[SWP_LIMIT_SWEEP_REGIONS][SWP_REGION_NAME_BYTES];
	unsigned count;
};

/* Holds the two pseudo-regions afterwards. */
void swp_region_table_init(struct swp_region_table *table);
/* The number of the region; -1 when unknown. */
int swp_region_table_find(const struct swp_region_table *table, const char *name);
/* … made if need be; -EINVAL: not a region's name (letters, digits, hyphens; at most 31); -E2BIG: table full. */
int swp_region_table_add(struct swp_region_table *table, const char *name);
const char *swp_region_table_name(const struct swp_region_table *table, unsigned region);

static inline void swp_region_set_add(struct swp_region_set *set, unsigned region)
{
	set->words[region / 64] |= UINT64_C(1) << (region % 64);
}
static inline void swp_region_set_remove(struct swp_region_set *set, unsigned region)
{
	set->words[region / 64] &= ~(UINT64_C(1) << (region % 64));
}
static inline bool swp_region_set_has(const struct swp_region_set *set, unsigned region)
{
	return (set->words[region / 64] >> (region % 64)) & 1;
}
unsigned swp_region_set_count(const struct swp_region_set *set);
bool swp_region_set_is_empty(const struct swp_region_set *set);
/* The first member that is not below `from`; -1: none. */
int swp_region_set_next(const struct swp_region_set *set, unsigned from);
/* a − b */
struct swp_region_set swp_region_set_minus(const struct swp_region_set *a, const struct swp_region_set *b);
struct swp_region_set swp_region_set_union(const struct swp_region_set *a, const struct swp_region_set *b);
struct swp_region_set swp_region_set_both(const struct swp_region_set *a, const struct swp_region_set *b);

/* Real regions of the set by name, sorted bytewise; returns how many were written (at most SWP_LIMIT_SWEEP_REGIONS). */
size_t swp_region_set_names(const struct swp_region_table *table, const struct swp_region_set *set,
	const char *ret_names[static SWP_LIMIT_SWEEP_REGIONS]);

#endif
