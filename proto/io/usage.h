/* What this process uses, for heartbeats and metrics. */
#ifndef SWP_IO_USAGE_H
#define SWP_IO_USAGE_H

#include <stdint.h>

struct swp_usage {
	uint64_t resident_bytes; /* now; 0: could not be read */
	double cpu_seconds;	 /* since its start, of user and system */
};
void swp_usage_get(struct swp_usage *ret_usage);

#endif
