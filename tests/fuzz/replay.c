/* Runs a fuzz harness without a fuzzer: over each file of its corpus, over every shorter prefix of the small ones, and over a number of
 * mutations that are the same in every run. ORGSWEEP_FUZZ_ROUNDS says how many mutations a file (default 300).
 * A found crash is kept by putting its input into the corpus.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_BYTES = 1 << 20, SMALL = 2048, ROUNDS = 300, MOST_CHANGES = 8 };

static uint64_t random_state = 88172645463325252u;

static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* An exact copy, so that a sanitizer sees a read beyond the end. */
static void run(const uint8_t *bytes, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		exit(1);
	memcpy(copy, bytes, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static size_t change(uint8_t *bytes, size_t size)
{
	static const uint8_t telling[] = {0x00, 0x01, 0x7f, 0x80, 0xff, '"', '\\', '{', '[', '<', '\n', '='};
	size_t at = size ? next_random() % size : 0;

	switch (next_random() % 5) {
	case 0:
		bytes[at] ^= (uint8_t)(1u << next_random() % 8);
		return size;
	case 1:
		bytes[at] = telling[next_random() % sizeof(telling)];
		return size;
	case 2: /* drop */
		memmove(bytes + at, bytes + at + 1, size - at - 1);
		return size - 1;
	case 3: /* double */
		memmove(bytes + at + 1, bytes + at, size - at);
		return size + 1;
	default: /* cut */
		return at;
	}
}

static void mutate(const uint8_t *bytes, size_t size, unsigned rounds)
{
	uint8_t *copy = malloc(size + MOST_CHANGES);

	if (!copy)
		exit(1);
	for (unsigned round = 0; round < rounds; round++) {
		size_t length = size, changes = 1 + next_random() % MOST_CHANGES;

		memcpy(copy, bytes, size);
		for (size_t i = 0; i < changes && length > 0; i++)
			length = change(copy, length);
		run(copy, length);
	}
	free(copy);
}

static int replay_file(const char *path, unsigned rounds)
{
	static uint8_t bytes[MOST_BYTES];
	FILE *file = fopen(path, "rb");
	size_t size;

	if (!file) {
		fprintf(stderr, "%s can't be opened\n", path);
		return 1;
	}
	size = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	run(bytes, size);
	for (size_t cut = 0; size <= SMALL && cut < size; cut++)
		run(bytes, cut);
	if (size > 0)
		mutate(bytes, size, rounds);
	return 0;
}

int main(int argc, char **argv)
{
	const char *rounds = getenv("ORGSWEEP_FUZZ_ROUNDS");
	DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
	unsigned files = 0;
	int failed = 0;

	if (!folder) {
		fprintf(stderr, "usage: %s CORPUS-FOLDER\n", argv[0]);
		return 2;
	}
	for (struct dirent *entry; (entry = readdir(folder));) {
		char path[4096];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
		failed |= replay_file(path, rounds ? (unsigned)strtoul(rounds, NULL, 10) : ROUNDS);
		files++;
	}
	closedir(folder);
	printf("%u files\n", files);
	return failed || files == 0;
}
