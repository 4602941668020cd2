/* Progress of a sweep on standard error: one line that is redrawn on a terminal, plain lines now and then elsewhere.
 */
#ifndef SWP_COORDINATOR_PROGRESS_H
#define SWP_COORDINATOR_PROGRESS_H

#include <stdbool.h>

#include "coordinator/sweep.h"

struct swp_progress; /* opaque */

/* Starts drawing; hides itself around log lines. `sweep` is borrowed until swp_progress_free. NULL on -ENOMEM. */
struct swp_progress *swp_progress_new(struct swp_loop *loop, const struct swp_sweep *sweep, bool terminal);
/* Clears the line. Takes NULL. */
void swp_progress_free(struct swp_progress *progress);

#endif
