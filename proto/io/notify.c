#include "proto/io/notify.h"

#include <inttypes.h>
#include <systemd/sd-daemon.h>

void swp_notify_ready(const char *status)
{
	sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void swp_notify_status(const char *status)
{
	sd_notifyf(0, "STATUS=%s", status);
}

void swp_notify_reloading(int64_t monotonic_us)
{
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, monotonic_us);
}

void swp_notify_stopping(void)
{
	sd_notify(0, "STOPPING=1");
}

int64_t swp_notify_watchdog_ms(void)
{
	uint64_t us = 0;

	return sd_watchdog_enabled(0, &us) > 0 ? (int64_t)(us / 1000) : 0;
}

void swp_notify_alive(void)
{
	sd_notify(0, "WATCHDOG=1");
}
