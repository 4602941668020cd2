/* Time zones by name from the system's database (Debian's tzdata). Blocking, for a program's start and reload only.
 */
#ifndef SWP_COORDINATOR_ZONE_FILE_H
#define SWP_COORDINATOR_ZONE_FILE_H

#include "coordinator/zone.h"

#define SWP_ZONE_FOLDER "/usr/share/zoneinfo"
#define SWP_ZONE_NAME_BYTES 64 /* the longest has 32 */

/* "Europe/Berlin". 0: *ret_zone is the caller's to free, NULL for "UTC". -EINVAL: there is no such zone; `problem` has the nearest
 * name; or its file can't be read. -ENOMEM. */
int swp_zone_load(const char *name, struct swp_zone **ret_zone, struct swp_problem *problem);

#endif
