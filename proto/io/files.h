/* Small files whole, with a ceiling; folders of our own. Blocking, for a program's start only.
 */
#ifndef SWP_IO_FILES_H
#define SWP_IO_FILES_H

#include "proto/base/buf.h"
#include "proto/base/error.h"

/* Appends the whole file, at most SWP_LIMIT_FILE_BYTES (or the buffer's own ceiling if that is lower). Negative errno; `problem` names the file and the fix. */
int swp_file_read(const char *path, struct swp_buf *out, struct swp_problem *problem);
/* Writes the whole file, 0600, by way of a new file beside it that takes its name. Negative errno; `problem` tells. */
int swp_file_write(const char *path, const void *bytes, size_t length, struct swp_problem *problem);
/* Writes a file that must not be there yet, 0600. -EEXIST: it is, and is not touched; others; `problem` tells. */
int swp_file_create(const char *path, const void *bytes, size_t length, struct swp_problem *problem);
/* Makes the folder and its parents, 0700; one that exists must be ours and closed to others (-EPERM; `problem` has the fix). */
int swp_folder_make(const char *path, struct swp_problem *problem);

#endif
