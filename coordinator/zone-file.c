#include "coordinator/zone-file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/text.h"
#include "proto/io/files.h"

#define NAMES_FILE SWP_ZONE_FOLDER "/tzdata.zi"
#define MOST_NAMES 2048 /* there are about 600 */

/* --- which names there are --- */

/* The name in a line of the database's text: "Z NAME …", or "L TARGET NAME". Cut out in place; NULL: it has none. */
static char *name_in(char *line)
{
	char *name = line + 2, *end;

	if ((line[0] != 'Z' && line[0] != 'L') || line[1] != ' ')
		return NULL;
	if (line[0] == 'L') {
		name = strchr(name, ' ');
		if (!name)
			return NULL;
		name++;
	}
	end = strchr(name, ' ');
	if (end)
		*end = '\0';
	return *name ? name : NULL;
}

/* Into `text`; returns how many. */
static size_t split_names(char *text, const char *names[static MOST_NAMES])
{
	size_t count = 0;

	for (char *line = text, *next; line && count < MOST_NAMES; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		names[count] = name_in(line);
		count += names[count] != NULL;
	}
	return count;
}

static const char *last_part(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? slash + 1 : name;
}

/* Berlin is near to Europe/Berlin, though most of it is missing. */
static const char *nearest(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (swp_text_equal_ignoring_case(last_part(names[i]), last_part(name)))
			return names[i];
	return swp_nearest(name, names, count);
}

static int unknown(const char *name, const char *near, struct swp_problem *problem)
{
	if (near)
		return swp_problem_set(
			problem, -EINVAL, "there is no time zone \"%s\"; did you mean %s?", name, near);
	return swp_problem_set(problem, -EINVAL,
		"there is no time zone \"%s\"; names are those of the time zone database, like Europe/Berlin "
		"or UTC",
		name);
}

/* 0: it is one of the names. Without the list every name is tried. */
static int check_name(const char *name, struct swp_problem *problem)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf text = {0};
	const char **names;
	size_t count;
	int error = 0;
	bool known = false;

	if (swp_file_read(NAMES_FILE, &text, NULL) < 0 || text.length == 0)
		return 0;
	names = swp_calloc(MOST_NAMES, sizeof(*names));
	if (!names)
		return swp_problem_set(problem, -ENOMEM, "out of memory");
	count = split_names(text.data, names);
	for (size_t i = 0; i < count && !known; i++)
		known = strcmp(names[i], name) == 0;
	if (!known && count > 0)
		error = unknown(name, nearest(name, names, count), problem);
	swp_free(names);
	return error;
}

/* Nothing that leads out of the folder, or to this machine's own settings. */
static bool may_be_name(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length >= SWP_ZONE_NAME_BYTES || name[0] == '/' || strstr(name, ".."))
		return false;
	return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/_+-") == length;
}

int swp_zone_load(const char *name, struct swp_zone **ret_zone, struct swp_problem *problem)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf bytes = {0};
	char path[sizeof(SWP_ZONE_FOLDER) + 1 + SWP_ZONE_NAME_BYTES];
	int error;

	*ret_zone = NULL;
	if (strcmp(name, "UTC") == 0)
		return 0;
	if (!may_be_name(name))
		return unknown(name, NULL, problem);
	error = check_name(name, problem);
	if (error < 0)
		return error;
	snprintf(path, sizeof(path), "%s/%s", SWP_ZONE_FOLDER, name);
	error = swp_file_read(path, &bytes, problem);
	if (error < 0) {
		swp_problem_prefix(problem, "time zone %s (install tzdata)", name);
		return error == -ENOMEM ? error : -EINVAL;
	}
	error = swp_zone_parse(bytes.data ? bytes.data : "", bytes.length, ret_zone, problem);
	if (error < 0)
		swp_problem_prefix(problem, "%s", path);
	return error;
}
