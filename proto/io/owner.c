#include "proto/io/owner.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/hash.h"
#include "proto/base/text.h"

#define STATUS_BYTES 1024

/* Some of a small file of /proc; "" when it is not there. */
static void read_small(const char *path, char *ret_text, size_t size)
{
	FILE *file = fopen(path, "re");
	size_t length = file ? fread(ret_text, 1, size - 1, file) : 0;

	ret_text[length] = '\0';
	if (file)
		fclose(file);
}

static uint32_t machine_number(void)
{
	static const uint64_t key[2] = {0}; /* the same number in every process */
	char text[160] = "", *at = text;
	ssize_t length;

	read_small("/proc/sys/kernel/random/boot_id", text, 64);
	at += strlen(text);
	length = readlink("/proc/self/ns/pid", at, 64);
	at[length > 0 ? length : 0] = '\0';
	return (uint32_t)swp_hash_keyed(text, strlen(text), key);
}

/* Field 22 of /proc/PID/stat, clock ticks after boot; the name in field 2 may hold anything, so it is looked for behind its end.
 * 0: no such process, or only what its parent has not waited for yet. */
static uint64_t started_at(long process)
{
	char path[64], text[STATUS_BYTES];
	const char *at;
	uint64_t started = 0;
	int64_t number;

	snprintf(path, sizeof(path), "/proc/%ld/stat", process);
	read_small(path, text, sizeof(text));
	at = strrchr(text, ')');
	if (at && at[1] == ' ' && (at[2] == 'Z' || at[2] == 'X'))
		return 0;
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	if (at) {
		char digits[24] = "";

		memcpy(digits, at + 1, strnlen(at + 1, sizeof(digits) - 1));
		digits[strcspn(digits, " ")] = '\0';
		if (swp_parse_i64(digits, 1, INT64_MAX, &number) == 0)
			started = (uint64_t)number;
	}
	return started;
}

void swp_owner_make(struct swp_owner *ret_owner, uint64_t random)
{
	long process = getpid();

	snprintf(ret_owner->text, sizeof(ret_owner->text), "%08x/%ld/%" PRIu64 "/%08x", machine_number(),
		process, started_at(process), (unsigned)(random & 0xffffffff));
	memset(ret_owner->host, 0, sizeof(ret_owner->host));
	if (gethostname(ret_owner->host, sizeof(ret_owner->host) - 1) < 0)
		snprintf(ret_owner->host, sizeof(ret_owner->host), "unknown");
}

/* The number before the next slash. */
static bool next_number(const char *at, const char **ret_rest, int64_t *ret_number)
{
	const char *slash = strchr(at, '/');
	char digits[24] = "";

	if (!slash || (size_t)(slash - at) >= sizeof(digits))
		return false;
	memcpy(digits, at, (size_t)(slash - at));
	*ret_rest = slash + 1;
	return swp_parse_i64(digits, 0, INT64_MAX, ret_number) == 0;
}

bool swp_owner_is_dead(const char *text)
{
	char here[16];
	int64_t process = 0, started = 0;
	uint64_t now;

	snprintf(here, sizeof(here), "%08x/", machine_number());
	if (strncmp(text, here, strlen(here)) != 0 || !next_number(text + strlen(here), &text, &process) ||
		!next_number(text, &text, &started) || started == 0 || process > INT32_MAX)
		return false;
	now = started_at((long)process);
	return now == 0 ? access("/proc/self/stat", R_OK) == 0 : now != (uint64_t)started;
}
