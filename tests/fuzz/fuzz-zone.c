/* Time zone files: what is accepted can be asked for any time, and the two ways agree. */
#include <errno.h>
#include <stdint.h>

#include "coordinator/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int64_t shown(const struct swp_zone *zone, int64_t utc_s)
{
	int32_t offset_s = swp_zone_offset_s(zone, utc_s);

	SWP_ASSERT(offset_s >= -SWP_ZONE_LIMIT_OFFSET_S && offset_s <= SWP_ZONE_LIMIT_OFFSET_S);
	return utc_s + offset_s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct swp_problem problem = {0};
	struct swp_zone *zone;
	int error = swp_zone_parse((const char *)data, size, &zone, &problem);

	SWP_ASSERT(error == 0 ? zone != NULL : error == -ENOMEM || problem.text[0]);
	if (error < 0)
		return 0;
	/* 1970 to 2400, at moments of every kind. */
	for (int64_t utc_s = 0; utc_s < INT64_C(13569465600); utc_s += INT64_C(33333333)) {
		int64_t local_s = shown(zone, utc_s), first_s = swp_zone_first_utc_s(zone, local_s);

		SWP_ASSERT(first_s <= utc_s);
		SWP_ASSERT(shown(zone, first_s) >= local_s && shown(zone, first_s - 1) < local_s);
	}
	swp_zone_free(zone);
	return 0;
}
