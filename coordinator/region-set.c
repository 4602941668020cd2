#include "coordinator/region-set.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/error.h"
#include "proto/base/text.h"

void swp_region_table_init(struct swp_region_table *table)
{
	memset(table, 0, sizeof(*table));
	memcpy(table->names[SWP_REGION_GLOBAL], "global", sizeof("global"));
	memcpy(table->names[SWP_REGION_ORGANIZATION], "organization", sizeof("organization"));
	table->count = SWP_REGION_FIRST;
}

int swp_region_table_find(const struct swp_region_table *table, const char *name)
{
	for (unsigned i = 0; i < table->count; i++)
		if (strcmp(table->names[i], name) == 0)
			return (int)i;
	return -1;
}

static bool name_is_valid(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length >= SWP_REGION_NAME_BYTES)
		return false;
	for (const char *at = name; *at; at++)
		if (!islower((unsigned char)*at) && !isdigit((unsigned char)*at) && *at != '-')
			return false;
	return true;
}

int swp_region_table_add(struct swp_region_table *table, const char *name)
{
	int known = swp_region_table_find(table, name);

	if (known >= 0)
		return known;
	if (!name_is_valid(name))
		return -EINVAL;
	if (table->count == SWP_LIMIT_SWEEP_REGIONS)
		return -E2BIG;
	memcpy(table->names[table->count], name, strlen(name) + 1);
	return (int)table->count++;
}

const char *swp_region_table_name(const struct swp_region_table *table, unsigned region)
{
	SWP_ASSERT(region < table->count);
	return table->names[region];
}

unsigned swp_region_set_count(const struct swp_region_set *set)
{
	unsigned count = 0;

	for (size_t i = 0; i < SWP_ARRAY_SIZE(set->words); i++)
		count += (unsigned)__builtin_popcountll(set->words[i]);
	return count;
}

bool swp_region_set_is_empty(const struct swp_region_set *set)
{
	return swp_region_set_count(set) == 0;
}

int swp_region_set_next(const struct swp_region_set *set, unsigned from)
{
	for (unsigned i = from; i < SWP_LIMIT_SWEEP_REGIONS; i++)
		if (swp_region_set_has(set, i))
			return (int)i;
	return -1;
}

struct swp_region_set swp_region_set_minus(const struct swp_region_set *a, const struct swp_region_set *b)
{
	struct swp_region_set result = *a;

	for (size_t i = 0; i < SWP_ARRAY_SIZE(result.words); i++)
		result.words[i] &= ~b->words[i];
	return result;
}

struct swp_region_set swp_region_set_union(const struct swp_region_set *a, const struct swp_region_set *b)
{
	struct swp_region_set result = *a;

	for (size_t i = 0; i < SWP_ARRAY_SIZE(result.words); i++)
		result.words[i] |= b->words[i];
	return result;
}

struct swp_region_set swp_region_set_both(const struct swp_region_set *a, const struct swp_region_set *b)
{
	struct swp_region_set result = *a;

	for (size_t i = 0; i < SWP_ARRAY_SIZE(result.words); i++)
		result.words[i] &= b->words[i];
	return result;
}

size_t swp_region_set_names(const struct swp_region_table *table, const struct swp_region_set *set,
	const char *ret_names[static SWP_LIMIT_SWEEP_REGIONS])
{
	size_t count = 0;

	for (int i = swp_region_set_next(set, SWP_REGION_FIRST); i >= 0;
		i = swp_region_set_next(set, (unsigned)i + 1))
		ret_names[count++] = swp_region_table_name(table, (unsigned)i);
	qsort(ret_names, count, sizeof(ret_names[0]), swp_compare_text_pointers);
	return count;
}
