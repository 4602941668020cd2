/* The progress line; see the header. */
#include "coordinator/progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/base/log.h"

#define TERMINAL_INTERVAL_MS 200
#define PLAIN_INTERVAL_MS 10000

struct swp_progress {
	struct swp_timer timer;
	const struct swp_sweep *sweep;
	bool terminal, drawn;
	int64_t last_ms;
	uint64_t last_calls;
	double calls_per_second;
};

static void erase(struct swp_progress *progress)
{
	if (progress->drawn)
		fputs("\r\033[K", stderr);
	progress->drawn = false;
}

static void measure(struct swp_progress *progress, const struct swp_sweep_progress *now, int64_t now_ms)
{
	if (now_ms <= progress->last_ms)
		return;
	double rate =
		(double)(now->calls - progress->last_calls) * 1000.0 / (double)(now_ms - progress->last_ms);
	progress->calls_per_second =
		progress->calls_per_second > 0 ? 0.7 * progress->calls_per_second + 0.3 * rate : rate;
	progress->last_ms = now_ms;
	progress->last_calls = now->calls;
}

static uint64_t findings(const struct swp_sweep_progress *now)
{
	uint64_t sum = 0;
	for (int i = 0; i < SWP_SEVERITY_COUNT; i++)
		sum += now->findings[i];
	return sum;
}

static int line(const struct swp_progress *progress, char *text, size_t size)
{
	const struct swp_sweep_progress *now = swp_sweep_progress(progress->sweep);
	int64_t elapsed_ms = progress->last_ms - now->started_ms;
	int length = snprintf(text, size,
		"%s: %u of %u%s accounts, %llu of %llu regions, %.0f calls/s, %llu throttled, %llu findings",
		swp_sweep_phase_name(now->phase), now->accounts_done,
		now->accounts_known - now->accounts_not_planned, now->enumeration_done ? "" : "+",
		(unsigned long long)now->jobs_done, (unsigned long long)now->jobs_planned,
		progress->calls_per_second, (unsigned long long)now->throttled,
		(unsigned long long)findings(now));
	if (now->jobs_done && now->enumeration_done && now->jobs_planned > now->jobs_done &&
		(size_t)length < size)
		length += snprintf(text + length, size - (size_t)length, ", %llds left",
			(long long)(elapsed_ms * (int64_t)(now->jobs_planned - now->jobs_done) /
				    (int64_t)now->jobs_done / 1000));
	return length;
}

static void draw(struct swp_progress *progress)
{
	char text[256];
	struct winsize window = {0};
	line(progress, text, sizeof(text));
	if (!progress->terminal) {
		fprintf(stderr, "%s\n", text);
		return;
	}
	if (!ioctl(STDERR_FILENO, TIOCGWINSZ, &window) && window.ws_col > 1 && strlen(text) >= window.ws_col)
		text[window.ws_col - 1] = '\0';
	fprintf(stderr, "\r\033[K%s", text);
	fflush(stderr);
	progress->drawn = true;
}

static void tick(struct swp_timer *timer)
{
	struct swp_progress *progress = SWP_CONTAINER_OF(timer, struct swp_progress, timer);
	measure(progress, swp_sweep_progress(progress->sweep), swp_loop_now_ms(timer->loop));
	draw(progress);
	(void)swp_timer_start(timer, progress->terminal ? TERMINAL_INTERVAL_MS : PLAIN_INTERVAL_MS);
}

static void around_log(int before, void *context)
{
	if (before)
		erase(context);
}

struct swp_progress *swp_progress_new(struct swp_loop *loop, const struct swp_sweep *sweep, bool terminal)
{
	struct swp_progress *progress = swp_calloc(1, sizeof(*progress));
	if (!progress)
		return NULL;
	progress->sweep = sweep;
	progress->terminal = terminal;
	progress->last_ms = swp_loop_now_ms(loop);
	swp_timer_init(&progress->timer, loop, tick);
	(void)swp_timer_start(&progress->timer, terminal ? TERMINAL_INTERVAL_MS : PLAIN_INTERVAL_MS);
	swp_log_set_hook(around_log, progress);
	return progress;
}

void swp_progress_free(struct swp_progress *progress)
{
	if (!progress)
		return;
	swp_log_set_hook(NULL, NULL);
	swp_timer_stop(&progress->timer);
	erase(progress);
	swp_free(progress);
}
