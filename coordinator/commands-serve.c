/* orgsweep serve: reads what is to be swept when, and lets serve.h do it until a signal. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/commands.h"
#include "coordinator/private-store.h"
#include "coordinator/serve.h"
#include "coordinator/zone-file.h"
#include "proto/base/alloc.h"
#include "proto/base/log.h"
#include "proto/base/text.h"
#include "proto/io/metrics-server.h"
#include "proto/io/notify.h"

#define ROUND_MS 250
#define STATUS_MS 10000 /* the service manager's line is written that often, and when something changes */

struct serving {
	const struct swp_command_row *command;
	int argc;
	char *const *argv;
	struct swp_settings settings; /* of the whole service */
	struct swp_sweep_options common;
	struct swp_loop *loop;
	struct swp_signals *signals;
	struct swp_private_store *private_store;
	struct swp_serve *serve;
	struct swp_coordinator_metrics *metrics; /* NULL: not asked for */
	struct swp_metrics_server *metrics_server;
	struct swp_problem problem;
	struct swp_store_options store;
	enum swp_serve_state told_state;
	int64_t told_ms, alive_ms;
	bool private_ready, private_failed, ready_told;
	bool stop, reload;
};

/* --- scheduled sweeps of the configuration --- */

static int read_share(
	const struct swp_configured_sweep *configured, unsigned *ret_percent, struct swp_problem *problem)
{
	const char *text = configured->texts[SWP_SCHEDULED_MAX_SHARE];
	size_t length = text ? strlen(text) : 0;
	char digits[16] = "";
	int64_t percent = 0;

	*ret_percent = 0;
	if (!text)
		return 0;
	if (length > 0 && text[length - 1] == '%' && length < sizeof(digits))
		memcpy(digits, text, length - 1);
	if (swp_parse_i64(digits, 1, 100, &percent))
		return swp_problem_set(problem, -EINVAL,
			"sweeps: %s: max_share is '%s', and should be 1%% to 100%% of the rates that "
			"services allow",
			configured->name, text);
	*ret_percent = (unsigned)percent;
	return 0;
}

static int read_outputs(
	const struct swp_configured_sweep *configured, bool *ret_json, struct swp_problem *problem)
{
	*ret_json = configured->output_count == 0;
	for (size_t i = 0; i < configured->output_count; i++) {
		if (!swp_text_equal(configured->outputs[i], "json"))
			return swp_problem_set(problem, -EINVAL,
				"sweeps: %s: output '%s' is not known; json is", configured->name,
				configured->outputs[i]);
		*ret_json = true;
	}
	return 0;
}

static int read_schedule(const struct swp_configured_sweep *configured, struct swp_scheduled *scheduled,
	struct swp_problem *problem)
{
	char *const *texts = configured->texts;
	const struct swp_schedule_text text = {.schedule = texts[SWP_SCHEDULED_SCHEDULE],
		.every = texts[SWP_SCHEDULED_EVERY],
		.timezone = texts[SWP_SCHEDULED_TIMEZONE],
		.jitter = texts[SWP_SCHEDULED_JITTER],
		.catch_up = texts[SWP_SCHEDULED_CATCH_UP]};
	struct swp_problem own = {0};
	int error = swp_schedule_parse(&text, swp_zone_load, &scheduled->schedule, &own);

	if (error < 0)
		return swp_problem_set(problem, error, "sweeps: %s: %s", configured->name, own.text);
	scheduled->text = swp_asprintf("%s|%s|%s", text.schedule ? text.schedule : "",
		text.every ? text.every : "", text.timezone ? text.timezone : "");
	return scheduled->text ? 0 : -ENOMEM;
}

static int resolve_sweep(
	struct serving *serving, struct swp_scheduled *scheduled, struct swp_problem *problem)
{
	static int (*const parts[])(struct swp_settings * settings, struct swp_problem * problem) = {
		swp_settings_catalogue, swp_settings_selection, swp_settings_store, swp_settings_endpoints};
	struct swp_settings *settings = &scheduled->settings;
	int error = swp_settings_resolve_section(
		settings, scheduled->name, serving->command, serving->argc, serving->argv, problem);

	for (size_t i = 0; error == 0 && i < SWP_ARRAY_SIZE(parts); i++)
		error = parts[i](settings, problem);
	return error;
}

static int make_scheduled(struct serving *serving, const struct swp_configured_sweep *configured,
	struct swp_scheduled **list, struct swp_problem *problem)
{
	struct swp_scheduled *scheduled = swp_calloc(1, sizeof(*scheduled));
	int error;

	if (!scheduled)
		return -ENOMEM;
	scheduled->next = *list;
	*list = scheduled;
	scheduled->name = swp_strdup(configured->name);
	if (!scheduled->name)
		return -ENOMEM;
	error = resolve_sweep(serving, scheduled, problem);
	if (error == 0)
		error = read_schedule(configured, scheduled, problem);
	if (error == 0)
		error = read_share(configured, &scheduled->max_share_percent, problem);
	return error ? error : read_outputs(configured, &scheduled->json, problem);
}

static int make_all(struct serving *serving, const struct swp_configuration *configuration,
	struct swp_scheduled **ret_list, struct swp_problem *problem)
{
	int error = 0;

	*ret_list = NULL;
	if (configuration->sweep_count == 0)
		return swp_problem_set(problem, -EINVAL,
			"no sweep is configured; `sweeps: {nightly: {schedule: \"0 2 * * *\"}}` in the file "
			"that --config "
			"names");
	for (size_t i = configuration->sweep_count; error == 0 && i > 0; i--)
		error = make_scheduled(serving, &configuration->sweeps[i - 1], ret_list, problem);
	if (error < 0) {
		if (!*problem->text)
			swp_problem_set(problem, error, "%s", strerror(-error));
		swp_scheduled_free_all(*ret_list);
		*ret_list = NULL;
	}
	return error;
}

/* --- the store --- */

static void private_ready(void *context)
{
	((struct serving *)context)->private_ready = true;
}

static void private_failed(void *context, const struct swp_problem *problem)
{
	struct serving *serving = context;

	serving->private_failed = true;
	serving->problem = *problem;
}

/* Without --store: one of our own, as a single sweep has. */
static int open_store(struct serving *serving)
{
	const struct swp_private_store_events events = {private_ready, private_failed, serving};
	int error = 0;

	serving->store = serving->settings.store;
	serving->store.client_name = "orgsweep-serve";
	if (!serving->settings.private_store)
		return 0;
	serving->private_store = swp_private_store_start(
		serving->loop, serving->settings.state_folder, &events, &serving->problem);
	if (!serving->private_store)
		return -EIO;
	serving->store.address = *swp_private_store_address(serving->private_store);
	while (error == 0 && !serving->private_ready && !serving->private_failed && !serving->stop)
		error = swp_loop_step(serving->loop, ROUND_MS);
	return serving->private_failed ? -EIO : error;
}

/* --- signals --- */

static void signalled(int number, void *context)
{
	struct serving *serving = context;

	if (number == SIGHUP) {
		serving->reload = true;
		return;
	}
	if (serving->stop)
		_exit(128 + number);
	serving->stop = true;
}

static void reload(struct serving *serving)
{
	struct swp_settings fresh = {0};
	struct swp_scheduled *list = NULL;
	struct swp_problem problem = {0};
	int error;

	serving->reload = false;
	swp_notify_reloading(swp_clock_monotonic_ms(swp_clock_system()) * 1000);
	error = swp_settings_resolve(&fresh, serving->command, serving->argc, serving->argv, &problem);
	if (error == 0)
		error = make_all(serving, &fresh.configuration, &list, &problem);
	if (error < 0) {
		swp_log(SWP_LOG_ERROR, "serve.reload", problem.text,
			SWP_LOG_S("what_counts", "the configuration before"));
	} else {
		swp_serve_reload(serving->serve, list);
		swp_log(SWP_LOG_INFO, "serve.reloaded", "the configuration was read again",
			SWP_LOG_N("sweeps", (int64_t)fresh.configuration.sweep_count));
	}
	swp_settings_done(&fresh);
	serving->ready_told = false;
}

/* --- the service manager --- */

static void tell_manager(struct serving *serving)
{
	static const char *const names[] = {[SWP_SERVE_CONNECTING] = "connecting",
		[SWP_SERVE_STANDING_BY] = "standing by",
		[SWP_SERVE_LEADING] = "leading"};
	int64_t now_ms = swp_loop_now_ms(serving->loop), watchdog_ms = swp_notify_watchdog_ms();
	const char *why;
	enum swp_serve_state state = swp_serve_state(serving->serve, &why);
	char status[400];

	if (watchdog_ms > 0 && now_ms - serving->alive_ms >= watchdog_ms / 3) {
		serving->alive_ms = now_ms;
		swp_notify_alive();
	}
	if (state == serving->told_state && serving->ready_told && now_ms - serving->told_ms < STATUS_MS)
		return;
	snprintf(status, sizeof(status), "%s%s%s; %u sweeps run", names[state],
		state == SWP_SERVE_CONNECTING ? ": " : "", state == SWP_SERVE_CONNECTING ? why : "",
		swp_serve_running(serving->serve));
	if (state != SWP_SERVE_CONNECTING && !serving->ready_told) {
		swp_notify_ready(status);
		serving->ready_told = true;
	} else {
		swp_notify_status(status);
	}
	serving->told_state = state;
	serving->told_ms = now_ms;
}

/* --- metrics --- */

static int write_metrics(void *context, struct swp_buf *out)
{
	struct serving *serving = context;

	if (serving->serve)
		swp_serve_tell_metrics(serving->serve);
	return swp_coordinator_metrics_write(serving->metrics, out);
}

/* One that stands by is ready to lead. */
static int tell_ready(void *context, struct swp_problem *why)
{
	const struct serving *serving = context;
	const char *reason = "";

	if (!serving->serve)
		return swp_problem_set(why, -ENOTCONN, "the private store is not there yet");
	if (swp_serve_state(serving->serve, &reason) != SWP_SERVE_CONNECTING)
		return 0;
	return swp_problem_set(why, -ENOTCONN, "%s", *reason ? reason : "connecting to the store");
}

static int start_metrics(struct serving *serving)
{
	const char *address = swp_options_text(&serving->settings.options, SWP_OPT_METRICS);
	const struct swp_metrics_server_events events = {write_metrics, tell_ready, serving};

	if (!address)
		return 0;
	serving->metrics = swp_coordinator_metrics_new(swp_clock_wall_ms(swp_clock_system()));
	if (!serving->metrics)
		return -ENOMEM;
	serving->metrics_server = swp_metrics_server_new(serving->loop, address, &events, &serving->problem);
	if (!serving->metrics_server)
		return -EIO;
	swp_log(SWP_LOG_INFO, "metrics.listening", "metrics are served",
		SWP_LOG_S("address", swp_metrics_server_address(serving->metrics_server)));
	return 0;
}

/* --- running --- */

static int start(struct serving *serving)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	struct swp_scheduled *list = NULL;
	int error;

	serving->loop = swp_loop_new(swp_clock_system());
	if (!serving->loop)
		return -ENOMEM;
	serving->signals =
		swp_signals_new(serving->loop, numbers, SWP_ARRAY_SIZE(numbers), signalled, serving);
	swp_settings_sweep_options(&serving->settings, &serving->common);
	error = make_all(serving, &serving->settings.configuration, &list, &serving->problem);
	if (error == 0)
		error = start_metrics(serving);
	if (error == 0)
		error = open_store(serving);
	if (error < 0) {
		swp_scheduled_free_all(list);
		return error;
	}
	const struct swp_serve_options options = {.common = &serving->common,
		.store = &serving->store,
		.reports = swp_options_text(&serving->settings.options, SWP_OPT_REPORTS),
		.metrics = serving->metrics};

	serving->serve = swp_serve_new(serving->loop, &options, list, &serving->problem);
	return serving->serve ? 0 : -EIO;
}

static int serve(struct serving *serving)
{
	int error = 0;

	while (error == 0 && !swp_serve_is_drained(serving->serve)) {
		error = swp_loop_step(serving->loop, ROUND_MS);
		if (error == 0)
			error = swp_serve_work(serving->serve, &serving->problem);
		if (serving->private_failed)
			error = -EIO;
		if (serving->reload && !serving->stop)
			reload(serving);
		if (serving->stop) {
			swp_notify_stopping();
			swp_serve_drain(serving->serve);
		}
		tell_manager(serving);
	}
	return error;
}

static int check_options(struct serving *serving)
{
	const struct swp_options *options = &serving->settings.options;
	const char *reports = swp_options_text(options, SWP_OPT_REPORTS);

	if (!swp_options_text(options, SWP_OPT_CONFIG))
		return swp_problem_set(&serving->problem, -EINVAL,
			"serve needs --config FILE, which says what is swept when");
	if (reports && access(reports, W_OK | X_OK) < 0)
		return swp_problem_set(&serving->problem, -errno, "reports: %s can't be written to: %s",
			reports, strerror(errno));
	if (swp_options_number(options, SWP_OPT_WORKERS, 1) == 0 &&
		!swp_options_text(options, SWP_OPT_LISTEN))
		return swp_problem_set(
			&serving->problem, -EINVAL, "workers: 0 needs listen, or nobody could ever do a job");
	return 0;
}

static int run(struct serving *serving)
{
	int error = swp_settings_resolve(
		&serving->settings, serving->command, serving->argc, serving->argv, &serving->problem);

	if (error == 0 && swp_command_helped(&serving->settings))
		return 0;
	if (error == 0)
		error = check_options(serving);
	if (error == 0)
		error = swp_settings_fleet_keys(&serving->settings, &serving->problem);
	if (error == 0)
		error = swp_settings_store(&serving->settings, &serving->problem);
	if (error == 0)
		error = swp_settings_endpoints(&serving->settings, &serving->problem);
	if (error == 0)
		error = swp_settings_workers(&serving->settings, &serving->problem);
	if (error == 0)
		error = start(serving);
	return error ? error : serve(serving);
}

int swp_command_serve(const struct swp_command_row *command, int argc, char *const *argv)
{
	struct serving serving = {.command = command, .argc = argc, .argv = argv};
	int error = run(&serving);

	if (error < 0)
		swp_command_complain("%s", *serving.problem.text ? serving.problem.text : strerror(-error));
	swp_metrics_server_free(serving.metrics_server);
	swp_serve_free(serving.serve);
	swp_coordinator_metrics_free(serving.metrics);
	swp_private_store_free(serving.private_store);
	swp_signals_free(serving.signals);
	swp_loop_free(serving.loop);
	swp_settings_done(&serving.settings);
	return error ? SWP_EXIT_COULD_NOT : SWP_EXIT_OK;
}
