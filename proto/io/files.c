/* Small files whole; see the header. */
#include "proto/io/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/base/secret.h"

static int read_all(int fd, struct swp_buf *out)
{
	char block[16384];
	size_t total = 0;
	int error = 0;
	for (;;) {
		ssize_t count = read(fd, block, sizeof(block));
		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0) {
			error = count < 0 ? -errno : 0;
			break;
		}
		total += (size_t)count;
		error = total > SWP_LIMIT_FILE_BYTES ? -E2BIG : swp_buf_append(out, block, (size_t)count);
		if (error)
			break;
	}
	if (out->secret)
		swp_wipe(block, sizeof(block));
	return error;
}

int swp_file_read(const char *path, struct swp_buf *out, struct swp_problem *problem)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return swp_problem_set(problem, -errno, "%s can't be read: %s", path, strerror(errno));
	struct stat status;
	int error = fstat(fd, &status) ? -errno : S_ISDIR(status.st_mode) ? -EISDIR : read_all(fd, out);
	close(fd);
	if (error == -E2BIG)
		return swp_problem_set(
			problem, error, "%s is larger than %u MiB", path, SWP_LIMIT_FILE_BYTES >> 20);
	return error ? swp_problem_set(problem, error, "%s can't be read: %s", path, strerror(-error)) : 0;
}

static int write_all(int fd, const char *bytes, size_t length)
{
	while (length) {
		ssize_t count = write(fd, bytes, length);
		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return count < 0 ? -errno : -EIO;
		bytes += count;
		length -= (size_t)count;
	}
	return 0;
}

int swp_file_write(const char *path, const void *bytes, size_t length, struct swp_problem *problem)
{
	SWP_CLEANUP(swp_free_pointer) char *fresh = swp_asprintf("%s.XXXXXX", path);
	if (!fresh)
		return swp_problem_set(problem, -ENOMEM, "%s can't be written: out of memory", path);
	int fd = mkostemp(fresh, O_CLOEXEC); /* 0600 by mkstemp's own rule */
	if (fd < 0)
		return swp_problem_set(problem, -errno, "%s can't be written: %s", path, strerror(errno));
	int error = write_all(fd, bytes, length);
	if (close(fd) && !error)
		error = -errno;
	if (!error && rename(fresh, path))
		error = -errno;
	if (error) {
		unlink(fresh);
		return swp_problem_set(problem, error, "%s can't be written: %s", path, strerror(-error));
	}
	return 0;
}

int swp_file_create(const char *path, const void *bytes, size_t length, struct swp_problem *problem)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return swp_problem_set(problem, -errno, "%s can't be made: %s", path, strerror(errno));
	int error = write_all(fd, bytes, length);
	if (close(fd) && !error)
		error = -errno;
	if (error) {
		unlink(path);
		return swp_problem_set(problem, error, "%s can't be written: %s", path, strerror(-error));
	}
	return 0;
}

static int make_parents(char *path)
{
	for (char *at = path + 1; *at; at++) {
		if (*at != '/')
			continue;
		*at = '\0';
		int made = mkdir(path, 0700);
		int error = made && errno != EEXIST ? -errno : 0;
		*at = '/';
		if (error)
			return error;
	}
	return mkdir(path, 0700) && errno != EEXIST ? -errno : 0;
}

int swp_folder_make(const char *path, struct swp_problem *problem)
{
	struct stat status;
	SWP_CLEANUP(swp_free_pointer) char *copy = swp_strdup(path);
	if (!copy)
		return swp_problem_set(problem, -ENOMEM, "folder %s can't be made: out of memory", path);
	int error = make_parents(copy);
	if (!error && stat(path, &status))
		error = -errno;
	if (error)
		return swp_problem_set(problem, error, "folder %s can't be made: %s", path, strerror(-error));
	if (!S_ISDIR(status.st_mode))
		return swp_problem_set(problem, -ENOTDIR, "%s is not a folder", path);
	if (status.st_uid != geteuid())
		return swp_problem_set(problem, -EPERM,
			"folder %s belongs to another user; set XDG_STATE_HOME to a folder of yours", path);
	if ((status.st_mode & 077) && chmod(path, 0700))
		return swp_problem_set(problem, -EPERM,
			"folder %s is open to others and can't be closed; run: chmod 700 %s", path, path);
	return 0;
}
