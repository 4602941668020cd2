/* A folder of our own as a whole: one holder at a time, and what is in it. Blocking, for a program's start only.
 */
#ifndef SWP_IO_FOLDER_H
#define SWP_IO_FOLDER_H

#include <sys/types.h>

#include "proto/base/error.h"

/* Takes FOLDER/lock (made 0600) for this process; it is let go when the descriptor is closed or the process ends, however
 * that happens. The holder's pid is written into it. 0; -EBUSY: another process has it (ret_holder, 0 when unknown);
 * -ENOENT: no such folder, or it was removed meanwhile; other negative errno. The descriptor is close-on-exec. */
int swp_folder_lock(const char *folder, int *ret_fd, pid_t *ret_holder);
void swp_folder_unlock(int fd); /* takes -1 */

/* Calls `visit` for each plain file whose name ends with `ending`, sorted bytewise; non-zero ends the walk and is returned.
 * Negative errno when the folder can't be read. At most SWP_LIMIT_FOLDER_FILES files (-E2BIG). */
int swp_folder_list(
	const char *folder, const char *ending, int (*visit)(const char *name, void *context), void *context);

/* Removes the folder with the plain files in it; one that holds folders stays. */
void swp_folder_remove(const char *folder);

/* Is `pid` alive, with `folder` as its working directory and `word` in its command line? That is how a server of ours that
 * was left behind is told from another process with the same number. */
int swp_folder_process_is_there(const char *folder, pid_t pid, const char *word);

#endif
