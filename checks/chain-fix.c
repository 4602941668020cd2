#include "checks/chain-fix.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/base/limits.h"

void swp_fix_set_done(struct swp_fix_set *set)
{
	swp_free(set->findings);
	*set = (struct swp_fix_set){0};
}

static int compare_findings(const void *a, const void *b, void *context)
{
	const struct swp_fix_order *order = context;

	return order->compare(order->context, *(const uint32_t *)a, *(const uint32_t *)b);
}

static int compare_by_effort(const void *a, const void *b, void *context)
{
	const struct swp_fix_order *order = context;
	unsigned left = order->effort(order->context, *(const uint32_t *)a);
	unsigned right = order->effort(order->context, *(const uint32_t *)b);

	return left != right ? (left < right ? -1 : 1) : compare_findings(a, b, context);
}

/* Sorts and drops doubles. */
static void settle(struct swp_fix_set *set, const struct swp_fix_order *order)
{
	size_t kept = 0;

	if (set->count)
		qsort_r(set->findings, set->count, sizeof(*set->findings), compare_findings, (void *)order);
	for (size_t i = 0; i < set->count; i++)
		if (i == 0 || order->compare(order->context, set->findings[i], set->findings[kept - 1]) != 0)
			set->findings[kept++] = set->findings[i];
	set->count = kept;
}

static uint64_t total_effort(const struct swp_fix_set *set, const struct swp_fix_order *order)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < set->count; i++)
		sum += order->effort(order->context, set->findings[i]);
	return sum;
}

/* Is `a` better? An empty set is no fix at all: worst. */
static bool better(
	const struct swp_fix_set *a, const struct swp_fix_set *b, const struct swp_fix_order *order)
{
	uint64_t left, right;

	if (a->count == 0 || b->count == 0)
		return a->count != 0;
	if (a->count != b->count)
		return a->count < b->count;
	left = total_effort(a, order);
	right = total_effort(b, order);
	if (left != right)
		return left < right;
	for (size_t i = 0; i < a->count; i++) {
		int r = order->compare(order->context, a->findings[i], b->findings[i]);

		if (r != 0)
			return r < 0;
	}
	return false;
}

/* Keeps the better of the two in `best`; `set` is taken. */
static void keep_better(struct swp_fix_set *best, struct swp_fix_set *set, const struct swp_fix_order *order)
{
	if (better(set, best, order)) {
		swp_fix_set_done(best);
		*best = *set;
	} else {
		swp_fix_set_done(set);
	}
	*set = (struct swp_fix_set){0};
}

static int set_allocate(struct swp_fix_set *set, size_t capacity)
{
	*set = (struct swp_fix_set){.findings = swp_calloc(capacity + 1, sizeof(*set->findings))};
	return set->findings ? 0 : -ENOMEM;
}

/* --- one part --- */

/* All findings of the part, or of its column `column`; empty if a tuple has none there. */
static int column_set(const struct swp_fix_part *part, size_t column, const struct swp_fix_order *order,
	struct swp_fix_set *ret_set)
{
	int r = set_allocate(ret_set, part->tuple_count);

	if (r < 0)
		return r;
	for (size_t i = 0; i < part->tuple_count; i++) {
		uint32_t cell = part->cells[i * part->width + column];

		if (cell == 0) {
			ret_set->count = 0;
			return 0;
		}
		ret_set->findings[ret_set->count++] = cell - 1;
	}
	settle(ret_set, order);
	return 0;
}

static int candidates_of(
	const struct swp_fix_part *part, const struct swp_fix_order *order, struct swp_fix_set *ret_set)
{
	size_t cells = part->tuple_count * part->width;
	int r = set_allocate(ret_set, cells);

	if (r < 0)
		return r;
	for (size_t i = 0; i < cells; i++)
		if (part->cells[i])
			ret_set->findings[ret_set->count++] = part->cells[i] - 1;
	settle(ret_set, order);
	return 0;
}

/* A leg alone: all of its findings, but for those that may stay. */
static int single_set(
	const struct swp_fix_part *part, const struct swp_fix_order *order, struct swp_fix_set *ret_set)
{
	size_t wanted;
	int r;

	if (part->spare == 0)
		return column_set(part, 0, order, ret_set);
	r = candidates_of(part, order, ret_set);
	if (r < 0)
		return r;
	wanted = part->tuple_count > part->spare ? part->tuple_count - part->spare : 1;
	qsort_r(ret_set->findings, ret_set->count, sizeof(*ret_set->findings), compare_by_effort,
		(void *)order);
	ret_set->count = wanted <= ret_set->count ? wanted : 0;
	settle(ret_set, order);
	return 0;
}

/* Place of a finding among the candidates; it is there. */
static size_t place_of(
	const struct swp_fix_set *candidates, uint32_t finding, const struct swp_fix_order *order)
{
	size_t low = 0, high = candidates->count;

	while (low + 1 < high) {
		size_t middle = low + (high - low) / 2;

		if (order->compare(order->context, finding, candidates->findings[middle]) < 0)
			high = middle;
		else
			low = middle;
	}
	return low;
}

/* Is the part broken when the candidates in `mask` are fixed? */
static bool part_broken(const struct swp_fix_part *part, const uint32_t *masks, uint32_t mask)
{
	size_t left = 0;

	for (size_t i = 0; i < part->tuple_count; i++)
		if (!(masks[i] & mask) && ++left > part->spare)
			return false;
	return true;
}

/* For each tuple the mask of its candidates. */
static int masks_of(const struct swp_fix_part *part, const struct swp_fix_set *candidates,
	const struct swp_fix_order *order, uint32_t **ret_masks)
{
	uint32_t *masks = swp_calloc(part->tuple_count + 1, sizeof(*masks));

	if (!masks)
		return -ENOMEM;
	for (size_t i = 0; i < part->tuple_count; i++)
		for (size_t k = 0; k < part->width; k++)
			if (part->cells[i * part->width + k])
				masks[i] |= 1u << place_of(
						    candidates, part->cells[i * part->width + k] - 1, order);
	*ret_masks = masks;
	return 0;
}

/* The next mask with as many bits. */
static uint32_t next_subset(uint32_t mask)
{
	uint32_t low = mask & (0u - mask), ripple = mask + low;

	return ripple | (((mask ^ ripple) >> 2) / low);
}

/* What an exact search asks. */
struct breaker {
	const struct swp_fix_path *paths;
	size_t path_count;
	uint32_t **masks; /* by part, over all paths */
};

static bool breaks_all(const struct breaker *breaker, uint32_t mask)
{
	size_t at = 0;

	for (size_t i = 0; i < breaker->path_count; i++) {
		bool broken = false;

		for (size_t k = 0; k < breaker->paths[i].part_count; k++, at++)
			broken |= part_broken(&breaker->paths[i].parts[k], breaker->masks[at], mask);
		if (!broken)
			return false;
	}
	return true;
}

static int subset(const struct swp_fix_set *candidates, uint32_t mask, struct swp_fix_set *ret_set)
{
	int r = set_allocate(ret_set, candidates->count);

	for (size_t i = 0; r == 0 && i < candidates->count; i++)
		if (mask & (1u << i))
			ret_set->findings[ret_set->count++] = candidates->findings[i];
	return r;
}

/* By size of the set, so that the first size with a hit has the answer. */
static int exact(const struct swp_fix_set *candidates, const struct breaker *breaker,
	const struct swp_fix_order *order, struct swp_fix_set *ret_set)
{
	uint32_t end = 1u << candidates->count;
	int r = 0;

	*ret_set = (struct swp_fix_set){0};
	for (size_t size = 1; size <= candidates->count && ret_set->count == 0; size++) {
		for (uint32_t mask = (1u << size) - 1; r == 0 && mask < end; mask = next_subset(mask)) {
			struct swp_fix_set set;

			if (!breaks_all(breaker, mask))
				continue;
			r = subset(candidates, mask, &set);
			if (r == 0)
				keep_better(ret_set, &set, order);
		}
	}
	if (r < 0)
		swp_fix_set_done(ret_set);
	return r;
}

/* How many unbroken tuples each candidate would break. */
static void count_hits(const struct swp_fix_part *part, const struct swp_fix_set *candidates,
	const bool *broken, const struct swp_fix_order *order, size_t *hits)
{
	memset(hits, 0, candidates->count * sizeof(*hits));
	for (size_t i = 0; i < part->tuple_count; i++)
		for (size_t k = 0; !broken[i] && k < part->width; k++)
			if (part->cells[i * part->width + k])
				hits[place_of(candidates, part->cells[i * part->width + k] - 1, order)]++;
}

static size_t pick(
	const struct swp_fix_set *candidates, const size_t *hits, const struct swp_fix_order *order)
{
	size_t best = 0;

	for (size_t i = 1; i < candidates->count; i++)
		if (hits[i] > hits[best] ||
			(hits[i] == hits[best] && hits[i] &&
				order->effort(order->context, candidates->findings[i]) <
					order->effort(order->context, candidates->findings[best])))
			best = i;
	return best;
}

static int greedy_steps(const struct swp_fix_part *part, const struct swp_fix_set *candidates,
	const struct swp_fix_order *order, bool *broken, size_t *hits, struct swp_fix_set *set)
{
	for (size_t left = part->tuple_count; left > 0;) {
		size_t best;

		count_hits(part, candidates, broken, order, hits);
		best = pick(candidates, hits, order);
		if (hits[best] == 0) { /* a tuple without findings: nothing breaks it */
			set->count = 0;
			return 0;
		}
		set->findings[set->count++] = candidates->findings[best];
		for (size_t i = 0; i < part->tuple_count; i++)
			for (size_t k = 0; !broken[i] && k < part->width; k++)
				if (part->cells[i * part->width + k] == candidates->findings[best] + 1) {
					broken[i] = true;
					left--;
				}
	}
	settle(set, order);
	return 0;
}

static int greedy(const struct swp_fix_part *part, const struct swp_fix_set *candidates,
	const struct swp_fix_order *order, struct swp_fix_set *ret_set)
{
	bool *broken = swp_calloc(part->tuple_count + 1, sizeof(*broken));
	size_t *hits = swp_calloc(candidates->count + 1, sizeof(*hits));
	int r = set_allocate(ret_set, candidates->count);

	if (r == 0)
		r = broken && hits ? greedy_steps(part, candidates, order, broken, hits, ret_set) : -ENOMEM;
	swp_free(broken);
	swp_free(hits);
	if (r < 0)
		swp_fix_set_done(ret_set);
	return r;
}

static int exact_part(const struct swp_fix_part *part, const struct swp_fix_set *candidates,
	const struct swp_fix_order *order, struct swp_fix_set *ret_set)
{
	const struct swp_fix_path path = {.parts = part, .part_count = 1};
	uint32_t *masks;
	const struct breaker breaker = {.paths = &path, .path_count = 1, .masks = &masks};
	int r = masks_of(part, candidates, order, &masks);

	if (r < 0)
		return r;
	r = exact(candidates, &breaker, order, ret_set);
	swp_free(masks);
	return r;
}

/* Too many for the exact search: the best of greedy and of each leg's findings. */
static int approximate(const struct swp_fix_part *part, const struct swp_fix_set *candidates,
	const struct swp_fix_order *order, struct swp_fix_set *ret_set)
{
	struct swp_fix_set best = {0}, set;
	int r = 0;

	if (part->tuple_count <= SWP_LIMIT_FIX_TUPLES)
		r = greedy(part, candidates, order, &best);
	for (size_t i = 0; r == 0 && i < part->width; i++) {
		r = column_set(part, i, order, &set);
		if (r == 0)
			keep_better(&best, &set, order);
	}
	if (r < 0) {
		swp_fix_set_done(&best);
		return r;
	}
	*ret_set = best;
	return 0;
}

static int part_set(
	const struct swp_fix_part *part, const struct swp_fix_order *order, struct swp_fix_set *ret_set)
{
	struct swp_fix_set candidates;
	int r;

	if (part->width == 1)
		return single_set(part, order, ret_set);
	r = candidates_of(part, order, &candidates);
	if (r < 0)
		return r;
	if (candidates.count <= SWP_LIMIT_FIX_EXACT)
		r = exact_part(part, &candidates, order, ret_set);
	else
		r = approximate(part, &candidates, order, ret_set);
	swp_fix_set_done(&candidates);
	return r;
}

/* --- paths --- */

/* Breaking one part breaks the path. */
static int path_set(
	const struct swp_fix_path *path, const struct swp_fix_order *order, struct swp_fix_set *ret_set)
{
	struct swp_fix_set best = {0}, set;

	for (size_t i = 0; i < path->part_count; i++) {
		int r = part_set(&path->parts[i], order, &set);

		if (r < 0) {
			swp_fix_set_done(&best);
			return r;
		}
		keep_better(&best, &set, order);
	}
	*ret_set = best;
	return 0;
}

/* Takes `more` into `set`. */
static int unite(struct swp_fix_set *set, struct swp_fix_set *more, const struct swp_fix_order *order)
{
	uint32_t *findings = swp_realloc(set->findings, (set->count + more->count + 1) * sizeof(*findings));

	if (!findings)
		return -ENOMEM;
	set->findings = findings;
	if (more->count)
		memcpy(findings + set->count, more->findings, more->count * sizeof(*findings));
	set->count += more->count;
	settle(set, order);
	return 0;
}

/* Each path by itself; one that can't be broken makes the whole unbreakable. */
static int union_of_paths(const struct swp_fix_path *paths, size_t count, const struct swp_fix_order *order,
	struct swp_fix_set *ret_set)
{
	struct swp_fix_set all = {0};
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++) {
		struct swp_fix_set set = {0};
		bool none;

		r = path_set(&paths[i], order, &set);
		none = set.count == 0;
		if (r == 0)
			r = unite(&all, &set, order);
		swp_fix_set_done(&set);
		if (r == 0 && none) {
			all.count = 0;
			break;
		}
	}
	if (r < 0) {
		swp_fix_set_done(&all);
		return r;
	}
	*ret_set = all;
	return 0;
}

static int all_candidates(const struct swp_fix_path *paths, size_t count, const struct swp_fix_order *order,
	struct swp_fix_set *ret_set)
{
	struct swp_fix_set all = {0};
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++) {
		for (size_t k = 0; r == 0 && k < paths[i].part_count; k++) {
			struct swp_fix_set set = {0};

			r = candidates_of(&paths[i].parts[k], order, &set);
			if (r == 0)
				r = unite(&all, &set, order);
			swp_fix_set_done(&set);
		}
	}
	if (r < 0)
		swp_fix_set_done(&all);
	*ret_set = all;
	return r;
}

/* Several paths with few candidates: all of them at once, since one fix may break more than one path. */
static int exact_paths(const struct swp_fix_path *paths, size_t count, const struct swp_fix_set *candidates,
	const struct swp_fix_order *order, struct swp_fix_set *ret_set)
{
	struct breaker breaker = {.paths = paths, .path_count = count};
	size_t parts = 0, made = 0;
	int r = 0;

	for (size_t i = 0; i < count; i++)
		parts += paths[i].part_count;
	breaker.masks = swp_calloc(parts + 1, sizeof(*breaker.masks));
	if (!breaker.masks)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; r == 0 && k < paths[i].part_count; k++)
			r = masks_of(&paths[i].parts[k], candidates, order, &breaker.masks[made++]);
	if (r == 0)
		r = exact(candidates, &breaker, order, ret_set);
	for (size_t i = 0; i < made; i++)
		swp_free(breaker.masks[i]);
	swp_free(breaker.masks);
	return r;
}

int swp_fix_smallest(const struct swp_fix_path *paths, size_t path_count, const struct swp_fix_order *order,
	struct swp_fix_set *ret_set)
{
	struct swp_fix_set candidates;
	int r;

	if (path_count == 1)
		return path_set(&paths[0], order, ret_set);
	r = all_candidates(paths, path_count, order, &candidates);
	if (r < 0)
		return r;
	if (candidates.count <= SWP_LIMIT_FIX_EXACT)
		r = exact_paths(paths, path_count, &candidates, order, ret_set);
	else
		r = union_of_paths(paths, path_count, order, ret_set);
	swp_fix_set_done(&candidates);
	return r;
}
