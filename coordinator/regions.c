#include "coordinator/regions.h"

#include <errno.h>
#include <string.h>

#include "proto/base/text.h"

static size_t count_names(const char *const *names)
{
	size_t count = 0;

	while (names[count])
		count++;
	return count;
}

static int read_names(struct swp_regions_asked *asked, const char *option, const struct swp_text_list *names,
	struct swp_region_set *set, struct swp_problem *problem)
{
	const struct swp_partition *partition = asked->partition;

	for (size_t i = 0; i < names->count; i++) {
		const char *name = names->items[i];
		int region = swp_region_table_find(asked->table, name);

		if (region < SWP_REGION_FIRST) {
			const char *nearest =
				swp_nearest_of_all(name, partition->regions, count_names(partition->regions));

			return swp_problem_set(problem, -EINVAL,
				"%s: there is no region \"%s\" in partition %s%s%s%s", option, name,
				partition->name, nearest ? "; did you mean \"" : "", nearest ? nearest : "",
				nearest ? "\"?" : "");
		}
		swp_region_set_add(set, (unsigned)region);
	}
	return 0;
}

int swp_regions_ask(struct swp_region_table *table, const struct swp_partition *partition,
	const struct swp_text_list *regions, const struct swp_text_list *exclude,
	struct swp_regions_asked *ret_asked, struct swp_problem *problem)
{
	struct swp_regions_asked asked = {.table = table, .partition = partition, .all = regions->count == 0};
	int error = 0;

	for (size_t i = 0; error >= 0 && partition->regions[i]; i++)
		error = swp_region_table_add(table, partition->regions[i]);
	if (error < 0)
		return swp_problem_set(problem, error, "too many regions in partition %s", partition->name);
	error = read_names(&asked, "--regions", regions, &asked.asked, problem);
	if (error == 0)
		error = read_names(&asked, "--exclude-regions", exclude, &asked.excluded, problem);
	if (error == 0)
		*ret_asked = asked;
	return error;
}

/* One row of an answer: a name and how it stands. Names beyond the table's room are left out, as no job could have them. */
static int take(struct swp_region_table *table, const char *name, bool enabled, struct swp_regions_told *told)
{
	int region;

	if (!name)
		return SWP_REGIONS_MALFORMED;
	region = swp_region_table_add(table, name);
	if (region == -EINVAL)
		return SWP_REGIONS_MALFORMED;
	if (region >= SWP_REGION_FIRST)
		swp_region_set_add(enabled ? &told->enabled : &told->disabled, (unsigned)region);
	return 0;
}

static int read_rows(struct swp_region_table *table, const json_t *rows, const char *name_member,
	const char *status_member, const char *const *enabled_words, struct swp_regions_told *told)
{
	const json_t *row;
	size_t index;

	if (!json_is_array(rows))
		return SWP_REGIONS_MALFORMED;
	json_array_foreach(rows, index, row)
	{
		const char *status = json_string_value(json_object_get(row, status_member));
		bool enabled = false;

		if (!status)
			return SWP_REGIONS_MALFORMED;
		for (size_t i = 0; enabled_words[i]; i++)
			enabled = enabled || strcmp(status, enabled_words[i]) == 0;
		if (take(table, json_string_value(json_object_get(row, name_member)), enabled, told))
			return SWP_REGIONS_MALFORMED;
	}
	return 0;
}

int swp_regions_read_list(
	struct swp_region_table *table, const json_t *document, struct swp_regions_told *ret_told)
{
	static const char *const enabled[] = {"ENABLED", "ENABLED_BY_DEFAULT", NULL};

	return read_rows(table, json_object_get(document, "Regions"), "RegionName", "RegionOptStatus",
		enabled, ret_told);
}

int swp_regions_read_description(
	struct swp_region_table *table, const json_t *document, struct swp_regions_told *ret_told)
{
	static const char *const enabled[] = {"opt-in-not-required", "opted-in", NULL};

	return read_rows(table, json_object_get(document, "regionInfo"), "regionName", "optInStatus", enabled,
		ret_told);
}

struct swp_regions_plan swp_regions_plan_told(
	const struct swp_regions_asked *asked, const struct swp_regions_told *told)
{
	struct swp_regions_plan plan;
	struct swp_region_set wanted =
		asked->all ? swp_region_set_union(&told->enabled, &told->disabled) : asked->asked;

	wanted = swp_region_set_minus(&wanted, &asked->excluded);
	plan.planned = swp_region_set_both(&wanted, &told->enabled);
	plan.not_enabled = swp_region_set_minus(&wanted, &told->enabled);
	return plan;
}

static struct swp_regions_plan plan_from(const struct swp_regions_asked *asked, const char *const *names)
{
	struct swp_regions_plan plan = {.planned = asked->asked};

	for (size_t i = 0; asked->all && names[i]; i++) {
		int region = swp_region_table_find(asked->table, names[i]);

		if (region >= SWP_REGION_FIRST)
			swp_region_set_add(&plan.planned, (unsigned)region);
	}
	plan.planned = swp_region_set_minus(&plan.planned, &asked->excluded);
	return plan;
}

struct swp_regions_plan swp_regions_plan_untold(const struct swp_regions_asked *asked)
{
	return plan_from(asked, asked->partition->regions);
}

struct swp_regions_plan swp_regions_plan_closed(const struct swp_regions_asked *asked)
{
	return plan_from(asked, asked->partition->default_enabled);
}
