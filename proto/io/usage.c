#include "proto/io/usage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* The second number of proc(5)'s statm: resident pages. */
static uint64_t resident_bytes(void)
{
	char line[128] = "", *at;
	FILE *file = fopen("/proc/self/statm", "re");

	if (!file)
		return 0;
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';
	fclose(file);
	at = strchr(line, ' ');
	return at ? strtoull(at, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

static double seconds(const struct timeval *time)
{
	return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

void swp_usage_get(struct swp_usage *ret_usage)
{
	struct rusage usage;

	*ret_usage = (struct swp_usage){.resident_bytes = resident_bytes()};
	if (getrusage(RUSAGE_SELF, &usage) == 0)
		ret_usage->cpu_seconds = seconds(&usage.ru_utime) + seconds(&usage.ru_stime);
}
