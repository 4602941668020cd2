/* The YAML files of a catalogue folder, read whole, in the order of their names, subfolders included.
 */
#ifndef SWP_COORDINATOR_FOLDER_H
#define SWP_COORDINATOR_FOLDER_H

#include "checks/catalogue.h"
#include "proto/base/error.h"

struct swp_folder {
	struct swp_catalogue_file *files; /* owned, names and bytes too */
	size_t count;
};

/* Negative errno; `problem` names the file or folder and the fix. On failure nothing is to be freed. */
int swp_folder_read(struct swp_folder *folder, const char *path, struct swp_problem *problem);
void swp_folder_done(struct swp_folder *folder); /* may be called twice */

#endif
