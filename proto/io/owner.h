/* Who owns a sweep (or leads): a coordinator's process, named so that another on the same machine can tell whether it still lives.
 *
 *   MACHINE/PROCESS/STARTED/RANDOM   machine: hash of boot id and process namespace; started: as /proc/PID/stat tells it
 *
 * A process of another machine can't be looked at: there the end of its lease is waited for.
 */
#ifndef SWP_IO_OWNER_H
#define SWP_IO_OWNER_H

#include <stdbool.h>
#include <stdint.h>

#define SWP_OWNER_BYTES 96
#define SWP_HOST_BYTES 65

struct swp_owner {
	char text[SWP_OWNER_BYTES];
	char host[SWP_HOST_BYTES]; /* for people */
};

/* This process. `random` tells two of its sweeps apart; the same number gives the same owner. */
void swp_owner_make(struct swp_owner *ret_owner, uint64_t random);
/* True when the owner was a process of this machine, and is gone for sure. Anything that can't be read is taken for alive. */
bool swp_owner_is_dead(const char *text);

#endif
