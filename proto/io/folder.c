#include "proto/io/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

static pid_t read_holder(int fd)
{
	char text[32] = "";
	uint64_t pid;
	ssize_t length = pread(fd, text, sizeof(text) - 1, 0);

	if (length <= 0)
		return 0;
	text[strcspn(text, "\n")] = '\0';
	return swp_parse_u64(text, INT32_MAX, &pid) == 0 ? (pid_t)pid : 0;
}

int swp_folder_lock(const char *folder, int *ret_fd, pid_t *ret_holder)
{
	char text[32];
	struct stat status;
	char *path = swp_asprintf("%s/lock", folder);
	int error = 0, length;
	int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;

	if (fd < 0)
		error = path ? -errno : -ENOMEM;
	swp_free(path);
	if (error < 0)
		return error;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		error = errno == EWOULDBLOCK ? -EBUSY : -errno;
		*ret_holder = read_holder(fd);
		close(fd);
		return error;
	}
	if (fstat(fd, &status) < 0 || status.st_nlink == 0) {
		close(fd);
		return -ENOENT;
	}
	length = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)length, 0) != length) {
		error = errno ? -errno : -EIO;
		close(fd);
		return error;
	}
	*ret_fd = fd;
	return 0;
}

void swp_folder_unlock(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void free_names(char **names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		swp_free(names[i]);
	swp_free(names);
}

static int gather(DIR *folder, const char *ending, char **names, size_t *count)
{
	struct dirent *entry;

	while ((entry = readdir(folder)) != NULL) {
		if (entry->d_name[0] == '.' || !swp_text_ends(entry->d_name, ending))
			continue;
		if (*count == SWP_LIMIT_FOLDER_FILES)
			return -E2BIG;
		names[*count] = swp_strdup(entry->d_name);
		if (!names[*count])
			return -ENOMEM;
		(*count)++;
	}
	return 0;
}

int swp_folder_list(
	const char *folder, const char *ending, int (*visit)(const char *name, void *context), void *context)
{
	DIR *stream = opendir(folder);
	char **names;
	size_t count = 0;
	int error;

	if (!stream)
		return -errno;
	names = swp_calloc(SWP_LIMIT_FOLDER_FILES, sizeof(*names));
	error = names ? gather(stream, ending, names, &count) : -ENOMEM;
	closedir(stream);
	if (error == 0 && count > 0)
		qsort(names, count, sizeof(*names), swp_compare_text_pointers);
	for (size_t i = 0; error == 0 && i < count; i++)
		error = visit(names[i], context);
	free_names(names, count);
	return error;
}

static int remove_file(const char *name, void *context)
{
	char *path = swp_asprintf("%s/%s", (const char *)context, name);

	if (path)
		unlink(path);
	swp_free(path);
	return 0;
}

void swp_folder_remove(const char *folder)
{
	swp_folder_list(folder, "", remove_file, (void *)(uintptr_t)folder);
	rmdir(folder);
}

/* Arguments are parted by NUL bytes. */
static bool command_has(pid_t pid, const char *word)
{
	char path[64], text[4096];
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/proc/%ld/cmdline", (long)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	for (ssize_t i = 0; i < length; i++)
		if (text[i] == '\0')
			text[i] = ' ';
	text[length > 0 ? length : 0] = '\0';
	return strstr(text, word) != NULL;
}

int swp_folder_process_is_there(const char *folder, pid_t pid, const char *word)
{
	char link[64], here[4096], *real;
	ssize_t length;
	int same;

	snprintf(link, sizeof(link), "/proc/%ld/cwd", (long)pid);
	length = readlink(link, here, sizeof(here) - 1);
	if (pid <= 1 || length <= 0)
		return 0;
	here[length] = '\0';
	real = realpath(folder, NULL);
	same = real && strcmp(real, here) == 0;
	free(real);
	return same && command_has(pid, word);
}
