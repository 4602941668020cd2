/* What the service manager is told (sd_notify(3)): readiness, state, reload, stop, and that the process is alive. Without one (no
 * NOTIFY_SOCKET) nothing happens.
 */
#ifndef SWP_IO_NOTIFY_H
#define SWP_IO_NOTIFY_H

#include <stdint.h>

void swp_notify_ready(const char *status); /* it works; `status` for people */
void swp_notify_status(const char *status);
void swp_notify_reloading(int64_t monotonic_us);
void swp_notify_stopping(void);
/* How often the service manager wants to hear that the process is alive, in ms; 0: never. */
int64_t swp_notify_watchdog_ms(void);
void swp_notify_alive(void);

#endif
