/* A catalogue folder's YAML files; see the header. */
#include "coordinator/folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/io/files.h"

#define FOLDER_DEPTH 8

void swp_folder_done(struct swp_folder *folder)
{
	for (size_t i = 0; i < folder->count; i++) {
		swp_free((char *)(uintptr_t)folder->files[i].name);
		swp_free((char *)(uintptr_t)folder->files[i].bytes);
	}
	swp_free(folder->files);
	*folder = (struct swp_folder){0};
}

static int folder_add(struct swp_folder *folder, const char *path, struct swp_problem *problem)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf bytes = {0};
	int error = swp_file_read(path, &bytes, problem);
	if (error)
		return error;
	if (folder->count >= SWP_LIMIT_CATALOGUE_ROWS)
		return swp_problem_set(problem, -E2BIG, "%s: more than %d files in a catalogue folder", path,
			SWP_LIMIT_CATALOGUE_ROWS);
	struct swp_catalogue_file *files = swp_realloc(folder->files, (folder->count + 1) * sizeof(*files));
	if (!files)
		return -ENOMEM;
	folder->files = files;
	struct swp_catalogue_file *file = &files[folder->count];
	*file = (struct swp_catalogue_file){.length = bytes.length, .name = swp_strdup(path)};
	file->bytes = swp_buf_steal(&bytes);
	folder->count++;
	return file->name && file->bytes ? 0 : -ENOMEM;
}

static int folder_walk(
	struct swp_folder *folder, const char *path, unsigned depth, struct swp_problem *problem)
{
	struct dirent **entries = NULL;
	int error = 0;
	int count = scandir(path, &entries, NULL, alphasort);
	if (count < 0)
		return swp_problem_set(problem, -errno,
			"%s: %s; give the folder that holds your catalogue's YAML files", path,
			strerror(errno));
	for (int i = 0; i < count; i++) {
		SWP_CLEANUP(swp_free_pointer) char *name = swp_asprintf("%s/%s", path, entries[i]->d_name);
		struct stat status;
		if (!name)
			error = -ENOMEM;
		else if (!error && entries[i]->d_name[0] != '.' && !stat(name, &status)) {
			if (S_ISDIR(status.st_mode) && depth < FOLDER_DEPTH)
				error = folder_walk(folder, name, depth + 1, problem);
			else if (swp_text_ends(name, ".yaml") || swp_text_ends(name, ".yml"))
				error = folder_add(folder, name, problem);
		}
		free(entries[i]);
	}
	free(entries);
	return error;
}

int swp_folder_read(struct swp_folder *folder, const char *path, struct swp_problem *problem)
{
	*folder = (struct swp_folder){0};
	int error = folder_walk(folder, path, 0, problem);
	if (!error && !folder->count)
		error = swp_problem_set(problem, -EINVAL,
			"%s holds no .yaml files; a catalogue folder holds checks and chains", path);
	if (error)
		swp_folder_done(folder);
	return error;
}
