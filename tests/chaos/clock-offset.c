/* Preloaded into redis-server: its wall clock is that of the machine and what stands in the file CLOCK_OFFSET_FILE (milliseconds, eight bytes
 * of this machine's order), at any time anew. libfaketime does this for the other programs; it crashes Debian's redis-server, whose
 * allocator asks for the time while libfaketime still sets itself up. This needs no setting up: it asks the kernel.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS 1000000000

static const volatile int64_t *offset_ms; /* NULL: none */

static void __attribute__((constructor)) map_offset(void)
{
	const char *path = getenv("CLOCK_OFFSET_FILE");
	int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *mapped = file < 0 ? MAP_FAILED : mmap(NULL, sizeof(*offset_ms), PROT_READ, MAP_SHARED, file, 0);

	if (mapped != MAP_FAILED)
		offset_ms = mapped;
	if (file >= 0)
		close(file);
}

int clock_gettime(clockid_t clock, struct timespec *ret_time)
{
	int error = (int)syscall(SYS_clock_gettime, clock, ret_time);
	int64_t nanoseconds;

	if (error || !offset_ms || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE))
		return error;
	nanoseconds = ret_time->tv_nsec + *offset_ms % 1000 * 1000000;
	ret_time->tv_sec += (time_t)(*offset_ms / 1000 + (nanoseconds >= SECOND_NS) - (nanoseconds < 0));
	ret_time->tv_nsec = (nanoseconds + SECOND_NS) % SECOND_NS;
	return 0;
}

int gettimeofday(struct timeval *restrict ret_time, void *restrict zone)
{
	struct timespec now;

	(void)zone;
	if (clock_gettime(CLOCK_REALTIME, &now))
		return -1;
	*ret_time = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
	return 0;
}

time_t time(time_t *ret_time)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_REALTIME, &now);
	if (ret_time)
		*ret_time = now.tv_sec;
	return now.tv_sec;
}
