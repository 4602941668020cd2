/* Report files; see the header. */
#include "coordinator/outputs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/alloc.h"
#include "proto/base/text.h"

/* One row a format: its name, its extension, its writer. */
struct format_row {
	const char *name, *extension;
	int (*write)(struct swp_report *report, FILE *out, bool all, struct swp_problem *problem);
};
static const struct format_row formats[] = {
	{"json", ".json", swp_report_write_json},
};

static const struct format_row *format_by_name(const char *name)
{
	for (size_t i = 0; name && i < SWP_ARRAY_SIZE(formats); i++)
		if (swp_text_equal_ignoring_case(formats[i].name, name))
			return &formats[i];
	return NULL;
}

static const char *extension_of(const char *path)
{
	const char *name = strrchr(path, '/');
	const char *dot = strrchr(name ? name : path, '.');
	return dot && dot != path && dot[-1] != '/' ? dot : NULL;
}

/* The format of a file: by its extension; `-` and names without one take --format. */
static int check_format(const char *path, const char *asked, struct swp_problem *problem)
{
	const char *extension = extension_of(path);
	if (swp_text_equal(path, "-"))
		return 0;
	for (size_t i = 0; extension && i < SWP_ARRAY_SIZE(formats); i++)
		if (swp_text_equal_ignoring_case(formats[i].extension, extension))
			return 0;
	if (format_by_name(path))
		return swp_problem_set(problem, -EINVAL,
			"--output %s is a format, not a file; write --output report%s, or --output - "
			"--format %s",
			path, format_by_name(path)->extension, path);
	if (!extension && asked)
		return 0;
	if (extension)
		return swp_problem_set(problem, -EINVAL,
			"--output %s: the format '%s' is not known; known is .json", path, extension);
	return swp_problem_set(problem, -EINVAL,
		"--output %s has no extension that tells the format; write %s.json, or add --format json",
		path, path);
}

/* Two reports on one standard output would be no JSON. */
static int check_twice(const struct swp_option_value *value, size_t index, struct swp_problem *problem)
{
	for (size_t i = 0; i < index; i++)
		if (swp_text_equal(value->items[i], value->items[index]))
			return swp_problem_set(
				problem, -EINVAL, "--output %s stands twice", value->items[index]);
	return 0;
}

static int open_in_place(struct swp_output *output, struct swp_problem *problem)
{
	output->stream = swp_text_equal(output->path, "-") ? fdopen(dup(STDOUT_FILENO), "w")
							   : fopen(output->path, "we");
	if (!output->stream)
		return swp_problem_set(
			problem, -errno, "--output %s can't be opened: %s", output->path, strerror(errno));
	return 0;
}

#define FD_PATH_BYTES 32

static const char *fd_path(int fd, char text[static FD_PATH_BYTES])
{
	snprintf(text, FD_PATH_BYTES, "/proc/self/fd/%d", fd);
	return text;
}

/* A file in the report's folder that has no name until it is whole: whoever kills us in mid-sweep leaves nothing behind. -1 where the
 * file system has none such, or /proc, by which it gets its name, is not there. */
static int open_nameless(const char *path)
{
	const char *slash = strrchr(path, '/');
	SWP_CLEANUP(swp_free_pointer)
	char *folder = !slash	       ? swp_strdup(".")
		       : slash == path ? swp_strdup("/")
				       : swp_strndup(path, (size_t)(slash - path));
	char name[FD_PATH_BYTES];
	int fd = folder ? open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, S_IRUSR | S_IWUSR) : -1;

	if (fd >= 0 && access(fd_path(fd, name), F_OK) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Names what open_nameless has opened, beside the report: only rename replaces a file. */
static int give_name(struct swp_output *output)
{
	char name[FD_PATH_BYTES];
	int error = -EEXIST;

	for (unsigned i = 0; error == -EEXIST && i < 100; i++) {
		swp_free(output->fresh_path);
		output->fresh_path = swp_asprintf("%s.%d-%u", output->path, (int)getpid(), i);
		if (!output->fresh_path)
			return -ENOMEM;
		error = linkat(AT_FDCWD, fd_path(fileno(output->stream), name), AT_FDCWD, output->fresh_path,
				AT_SYMLINK_FOLLOW) < 0
				? -errno
				: 0;
	}
	if (error < 0) { /* it is not ours to remove */
		swp_free(output->fresh_path);
		output->fresh_path = NULL;
	}
	return error;
}

static int open_beside(struct swp_output *output, struct swp_problem *problem)
{
	int nameless = open_nameless(output->path);

	if (nameless >= 0) {
		output->nameless = true;
		output->stream = fdopen(nameless, "w");
		if (!output->stream)
			close(nameless);
		return output->stream ? 0 : -ENOMEM;
	}
	output->fresh_path = swp_asprintf("%s.XXXXXX", output->path);
	if (!output->fresh_path)
		return -ENOMEM;
	int fd = mkostemp(output->fresh_path, O_CLOEXEC);
	if (fd < 0) {
		int error = -errno;
		swp_free(output->fresh_path);
		output->fresh_path = NULL;
		return swp_problem_set(
			problem, error, "--output %s can't be written: %s", output->path, strerror(-error));
	}
	output->stream = fdopen(fd, "w");
	if (!output->stream)
		close(fd);
	return output->stream ? 0 : -ENOMEM;
}

static int open_output(struct swp_output *output, struct swp_problem *problem)
{
	struct stat status;
	bool there = !swp_text_equal(output->path, "-") && !stat(output->path, &status);
	if (there && S_ISDIR(status.st_mode))
		return swp_problem_set(
			problem, -EISDIR, "--output %s is a folder; name a file in it", output->path);
	if (swp_text_equal(output->path, "-") || (there && !S_ISREG(status.st_mode)))
		return open_in_place(output, problem);
	return open_beside(output, problem);
}

int swp_outputs_open(
	struct swp_outputs *outputs, const struct swp_options *options, struct swp_problem *problem)
{
	const struct swp_option_value *value = &options->values[SWP_OPT_OUTPUT];
	*outputs = (struct swp_outputs){0};
	outputs->items = swp_calloc(value->item_count + 1, sizeof(*outputs->items));
	outputs->names = swp_calloc(value->item_count + 1, sizeof(*outputs->names));
	if (!outputs->items || !outputs->names)
		return swp_problem_set(problem, -ENOMEM, "out of memory");
	size_t names = 0;
	for (size_t i = 0; i < value->item_count; i++) {
		struct swp_output *output = &outputs->items[i];
		output->path = value->items[i];
		outputs->count++;
		int error = check_format(output->path, swp_options_text(options, SWP_OPT_FORMAT), problem);
		if (!error)
			error = check_twice(value, i, problem);
		if (!error)
			error = open_output(output, problem);
		if (error)
			return error;
		if (!swp_text_equal(output->path, "-"))
			outputs->names[names++] = output->path;
	}
	return 0;
}

static int output_write(
	struct swp_output *output, struct swp_report *report, bool all, struct swp_problem *problem)
{
	int error = formats[0].write(report, output->stream, all, problem);

	if (!error && fflush(output->stream))
		error = -EIO;
	if (!error && output->nameless)
		error = give_name(output);

	int closed = fclose(output->stream);
	output->stream = NULL;
	if (!error && closed)
		error = -EIO;
	if (!error && output->fresh_path && rename(output->fresh_path, output->path))
		error = -errno;
	if (error)
		return swp_problem_set(problem, error,
			"report %s could not be written whole (%s); free some space and run `orgsweep "
			"report`",
			output->path, strerror(-error));
	swp_free(output->fresh_path);
	output->fresh_path = NULL;
	return 0;
}

int swp_outputs_write(
	struct swp_outputs *outputs, struct swp_report *report, bool all, struct swp_problem *problem)
{
	int first = 0;
	for (size_t i = 0; i < outputs->count; i++) {
		struct swp_problem own;
		int error = output_write(&outputs->items[i], report, all, &own);
		if (error && !first) {
			first = error;
			swp_problem_set(problem, error, "%s", own.text);
		}
	}
	return first;
}

void swp_outputs_done(struct swp_outputs *outputs)
{
	for (size_t i = 0; i < outputs->count; i++) {
		struct swp_output *output = &outputs->items[i];
		if (output->stream)
			fclose(output->stream);
		if (output->fresh_path)
			unlink(output->fresh_path);
		swp_free(output->fresh_path);
	}
	swp_free(outputs->items);
	swp_free(outputs->names);
	*outputs = (struct swp_outputs){0};
}
