/* Resolution of what a command works with; see the header. */
#include "coordinator/settings.h"

#include "coordinator/aws-calls.h"
#include "coordinator/folder.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/aws/credentials.h"
#include "proto/aws/profile.h"
#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/base/log.h"
#include "proto/base/text.h"
#include "proto/io/files.h"

static const char *environment(const char *name, void *context)
{
	(void)context;
	return getenv(name);
}

const char *swp_environment_either(const char *upper)
{
	char lower[64];
	size_t length = strlen(upper);
	const char *text = getenv(upper);
	if ((!text || !*text) && length < sizeof(lower)) {
		for (size_t i = 0; i <= length; i++)
			lower[i] =
				upper[i] >= 'A' && upper[i] <= 'Z' ? (char)(upper[i] - 'A' + 'a') : upper[i];
		text = getenv(lower);
	}
	return text && *text ? text : NULL;
}

static void setup_logs(const struct swp_options *options)
{
	static const char *const names[] = {[SWP_LOG_DEBUG] = "debug",
		[SWP_LOG_INFO] = "info",
		[SWP_LOG_WARNING] = "warning",
		[SWP_LOG_ERROR] = "error"};
	enum swp_log_level least = SWP_LOG_WARNING;
	/* A service tells what it does. */
	bool service = options->command->command == SWP_COMMAND_SERVE &&
		       !swp_options_given(options, SWP_OPT_LOG_LEVEL);
	for (size_t i = 0; i < SWP_ARRAY_SIZE(names); i++)
		if (swp_text_equal_ignoring_case(swp_options_text(options, SWP_OPT_LOG_LEVEL), names[i]))
			least = (enum swp_log_level)i;
	if (service)
		least = SWP_LOG_INFO;
	bool json = swp_text_equal_ignoring_case(swp_options_text(options, SWP_OPT_LOG_FORMAT), "json");
	swp_log_setup(stderr, json ? SWP_LOG_JSON : SWP_LOG_TEXT, least, "orgsweep", swp_clock_system());
}

/* The names that may stand under `endpoints`: the built-in services and those that the coordinator and its credential sources
 * call. */
static const char **service_names(const struct swp_catalogue *catalogue)
{
	static const char *const own[] = {"sts", "organizations", "account", "ec2", "sso", "sso-oidc"};
	size_t count = swp_catalogue_service_count(catalogue);
	const char **names = swp_calloc(count + SWP_ARRAY_SIZE(own) + 1, sizeof(*names));
	for (size_t i = 0; names && i < count; i++)
		names[i] = swp_catalogue_service(catalogue, i)->name;
	for (size_t i = 0; names && i < SWP_ARRAY_SIZE(own); i++)
		names[count + i] = own[i];
	return names;
}

static int read_configuration(struct swp_settings *settings, struct swp_problem *problem)
{
	const char *path = swp_options_text(&settings->options, SWP_OPT_CONFIG);
	SWP_CLEANUP(swp_buf_done) struct swp_buf bytes = {0};
	if (!path)
		return 0;
	int error = swp_file_read(path, &bytes, problem);
	if (error)
		return error;
	SWP_CLEANUP(swp_free_pointer) const char **names = service_names(settings->catalogue);
	if (!names)
		return -ENOMEM;
	return swp_configuration_read(path, settings->section, swp_buf_text(&bytes), bytes.length, names,
		&settings->options, &settings->configuration, problem);
}

int swp_settings_resolve(struct swp_settings *settings, const struct swp_command_row *command, int argc,
	char *const *argv, struct swp_problem *problem)
{
	return swp_settings_resolve_section(settings, NULL, command, argc, argv, problem);
}

int swp_settings_resolve_section(struct swp_settings *settings, const char *section,
	const struct swp_command_row *command, int argc, char *const *argv, struct swp_problem *problem)
{
	size_t length = 0;
	const char *builtin = swp_catalogue_builtin(&length);
	*settings = (struct swp_settings){.section = section};
	int error = swp_options_parse(&settings->options, command, argc, argv, problem);
	if (error || swp_options_flag(&settings->options, SWP_OPT_HELP))
		return error;
	error = swp_options_environment(&settings->options, environment, NULL, problem);
	if (!error)
		error = swp_catalogue_load(builtin, length, &settings->catalogue, problem);
	if (!error)
		error = read_configuration(settings, problem);
	if (!error)
		setup_logs(&settings->options);
	return error;
}

void swp_settings_done(struct swp_settings *settings)
{
	swp_options_done(&settings->options);
	swp_configuration_done(&settings->configuration);
	swp_catalogue_unref(settings->catalogue);
	swp_endpoint_options_done(&settings->endpoints);
	swp_store_access_done(&settings->store_access);
	swp_free(settings->state_folder);
	swp_free(settings->keys_folder);
	swp_free(settings->worker_program);
	swp_free(settings->ca_file);
	settings->catalogue = NULL;
	settings->state_folder = settings->keys_folder = NULL;
	settings->worker_program = settings->ca_file = NULL;
}

/* --- catalogue --- */

struct complaints {
	unsigned count;
	struct swp_problem first;
};

static void complain(const struct swp_lint_message *message, void *context)
{
	struct complaints *complaints = context;
	if (!complaints->count++)
		swp_problem_set(
			&complaints->first, 0, "%s:%u: %s", message->file, message->line, message->text);
}

int swp_settings_catalogue(struct swp_settings *settings, struct swp_problem *problem)
{
	const char *path = swp_options_text(&settings->options, SWP_OPT_CATALOGUE);
	SWP_CLEANUP(swp_folder_done) struct swp_folder folder = {0};
	SWP_CLEANUP(swp_buf_done) struct swp_buf compiled = {.limit_bytes = SWP_LIMIT_CATALOGUE_BYTES};
	struct complaints complaints = {0};
	if (!path)
		return 0;
	int error = swp_folder_read(&folder, path, problem);
	if (error)
		return error;
	error = swp_catalogue_compile(
		folder.files, folder.count, settings->catalogue, complain, &complaints, &compiled);
	if (error > 0)
		return swp_problem_set(problem, -EINVAL,
			"%s (%u fault%s in all; `orgsweep checks lint %s` lists them)", complaints.first.text,
			complaints.count, complaints.count == 1 ? "" : "s", path);
	struct swp_catalogue *catalogue = NULL;
	if (!error)
		error = swp_catalogue_load(swp_buf_text(&compiled), compiled.length, &catalogue, problem);
	if (error)
		return error;
	swp_catalogue_unref(settings->catalogue);
	settings->catalogue = catalogue;
	return 0;
}

/* Turns the checks that match one entry on or off; an entry that matches nothing names the nearest. */
static int select_entry(struct swp_settings *settings, const char *entry, bool on, const char *option,
	struct swp_problem *problem)
{
	const char *names[SWP_LIMIT_CATALOGUE_ROWS];
	size_t count = swp_catalogue_check_count(settings->catalogue), matches = 0;
	for (size_t i = 0; i < count; i++) {
		names[i] = swp_catalogue_check(settings->catalogue, i)->id;
		if (swp_glob_match(entry, names[i])) {
			swp_selection_set(&settings->selection, i, on);
			matches++;
		}
	}
	if (matches)
		return 0;
	const char *nearest = swp_nearest_of_all(entry, names, count);
	if (nearest)
		return swp_problem_set(problem, -EINVAL, "--%s: no check matches '%s'; did you mean %s?",
			option, entry, nearest);
	return swp_problem_set(
		problem, -EINVAL, "--%s: no check matches '%s'; see `orgsweep checks list`", option, entry);
}

int swp_settings_selection(struct swp_settings *settings, struct swp_problem *problem)
{
	const struct swp_option_value *with = &settings->options.values[SWP_OPT_CHECKS];
	const struct swp_option_value *without = &settings->options.values[SWP_OPT_EXCLUDE_CHECKS];
	int error = 0;
	if (with->item_count)
		settings->selection = (struct swp_selection){{0}};
	else
		swp_selection_all(settings->catalogue, &settings->selection);
	for (size_t i = 0; !error && i < with->item_count; i++)
		error = select_entry(settings, with->items[i], true, "checks", problem);
	for (size_t i = 0; !error && i < without->item_count; i++)
		error = select_entry(settings, without->items[i], false, "exclude-checks", problem);
	if (!error && !swp_selection_count(settings->catalogue, &settings->selection))
		return swp_problem_set(problem, -EINVAL,
			"no check is left: --exclude-checks takes away all that --checks selects");
	return error;
}

/* --- store and folders --- */

static int state_folder(struct swp_settings *settings, struct swp_problem *problem)
{
	const char *base = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	if (settings->state_folder)
		return 0;
	if (base && base[0] == '/')
		settings->state_folder = swp_asprintf("%s/orgsweep", base);
	else if (home && home[0] == '/')
		settings->state_folder = swp_asprintf("%s/.local/state/orgsweep", home);
	else
		return swp_problem_set(problem, -EINVAL,
			"neither XDG_STATE_HOME nor HOME is set; set XDG_STATE_HOME to a folder of yours");
	if (!settings->state_folder)
		return -ENOMEM;
	return swp_folder_make(settings->state_folder, problem);
}

int swp_settings_keys(struct swp_settings *settings, struct swp_problem *problem)
{
	const char *given = swp_options_text(&settings->options, SWP_OPT_KEYS);
	int error = given ? 0 : state_folder(settings, problem);
	if (error)
		return error;
	swp_free(settings->keys_folder);
	settings->keys_folder = given ? swp_strdup(given) : swp_asprintf("%s/keys", settings->state_folder);
	return settings->keys_folder ? 0 : swp_problem_set(problem, -ENOMEM, "out of memory");
}

int swp_settings_fleet_keys(struct swp_settings *settings, struct swp_problem *problem)
{
	const struct swp_options *options = &settings->options;
	bool fleet = swp_options_text(options, SWP_OPT_KEYS) || swp_options_text(options, SWP_OPT_LISTEN);

	return fleet ? swp_settings_keys(settings, problem) : 0;
}

int swp_settings_store(struct swp_settings *settings, struct swp_problem *problem)
{
	const char *url = swp_options_text(&settings->options, SWP_OPT_STORE);
	int error = state_folder(settings, problem);
	if (error)
		return error;
	settings->private_store = !url;
	if (!url)
		return 0;
	error = swp_store_address_parse(url, &settings->store.address, problem);
	if (!error)
		error = swp_store_access_read(&settings->store_access, environment, NULL, problem);
	swp_store_access_apply(&settings->store_access, &settings->store);
	settings->store.client_name = "orgsweep";
	return error;
}

int swp_settings_worker_store(struct swp_settings *settings, struct swp_problem *problem)
{
	struct swp_store_access *access = &settings->store_access;
	int error = swp_store_access_read_worker(access, environment, NULL, problem);

	if (error || !access->worker_user)
		return error;
	if (settings->private_store)
		return swp_problem_set(problem, -EINVAL,
			"a user of the store is named for local workers (%s), but no store: give --store, or "
			"leave ORGSWEEP_STORE_WORKER_USER out (the private redis-server has no users)",
			access->worker_user);
	return swp_store_access_apply_worker(access, &settings->store, &settings->worker_store, problem);
}

const struct swp_store_options *swp_settings_workers_own_store(const struct swp_settings *settings)
{
	return settings->store_access.worker_user ? &settings->worker_store : NULL;
}

/* --- programs --- */

static char *executable(char *path)
{
	if (path && !access(path, X_OK))
		return path;
	swp_free(path);
	return NULL;
}

static char *beside_us(const char *relative)
{
	char self[4096];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (length <= 0)
		return NULL;
	self[length] = '\0';
	return executable(swp_asprintf("%s/%s", dirname(self), relative));
}

static char *on_path(const char *name)
{
	const char *path = getenv("PATH");
	while (path && *path) {
		size_t length = strcspn(path, ":");
		char *found = length ? executable(swp_asprintf("%.*s/%s", (int)length, path, name)) : NULL;
		if (found)
			return found;
		path += length + (path[length] == ':');
	}
	return NULL;
}

char *swp_settings_find_program(const char *variable, const char *name, const char *tree_path)
{
	const char *set = getenv(variable);
	if (set && *set)
		return executable(swp_strdup(set));
	char *found = beside_us(name);
	if (!found)
		found = beside_us(tree_path);
	return found ? found : on_path(name);
}

static unsigned local_workers(const struct swp_options *options)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t usual = cores > 2 ? (uint64_t)(cores - 1 < 256 ? cores - 1 : 256) : 1;
	return (unsigned)swp_options_number(options, SWP_OPT_WORKERS, usual);
}

/* A user in the URL tells that this store has users, and a worker's needs less than ours. */
static void warn_of_a_common_user(const struct swp_settings *settings)
{
	const char *user = settings->store.address.user;
	bool starts_workers =
		local_workers(&settings->options) > 0 && !swp_options_flag(&settings->options, SWP_OPT_PLAN);
	if (*user && starts_workers && !swp_settings_workers_own_store(settings))
		swp_log(SWP_LOG_WARNING, "worker.store-user",
			"local workers use the coordinator's user of the store and could do all that it may; "
			"give them their own by ORGSWEEP_STORE_WORKER_USER and "
			"ORGSWEEP_STORE_WORKER_PASSWORD_FILE",
			SWP_LOG_S("user", user));
}

int swp_settings_workers(struct swp_settings *settings, struct swp_problem *problem)
{
	const char *variable = getenv("ORGSWEEP_WORKER");
	int error = swp_settings_worker_store(settings, problem);
	if (error)
		return error;
	warn_of_a_common_user(settings);
	settings->worker_program =
		swp_settings_find_program("ORGSWEEP_WORKER", "orgsweep-worker", "../worker/orgsweep-worker");
	if (settings->worker_program)
		return 0;
	if (variable && *variable)
		return swp_problem_set(problem, -ENOENT,
			"ORGSWEEP_WORKER is %s, which is no program that can be run", variable);
	return swp_problem_set(problem, -ENOENT,
		"orgsweep-worker was not found beside orgsweep, in its build tree or on PATH; set "
		"ORGSWEEP_WORKER to its path");
}

/* --- the sweep's options --- */

static struct swp_text_list list_of(const struct swp_settings *settings, enum swp_option option)
{
	const struct swp_option_value *value = &settings->options.values[option];
	return (struct swp_text_list){(const char *const *)value->items, value->item_count};
}

/* "all" among the regions means all of them. */
static struct swp_text_list regions_of(const struct swp_settings *settings)
{
	struct swp_text_list list = list_of(settings, SWP_OPT_REGIONS);
	for (size_t i = 0; i < list.count; i++)
		if (swp_text_equal(list.items[i], "all"))
			return (struct swp_text_list){NULL, 0};
	return list;
}

void swp_settings_sweep_options(struct swp_settings *settings, struct swp_sweep_options *ret_options)
{
	const struct swp_options *options = &settings->options;
	*ret_options = (struct swp_sweep_options){
		.profile = swp_options_text(options, SWP_OPT_PROFILE),
		.role_name = swp_options_text(options, SWP_OPT_ROLE_NAME),
		.role_name_given = swp_options_given(options, SWP_OPT_ROLE_NAME),
		.external_id = swp_options_text(options, SWP_OPT_EXTERNAL_ID),
		.roles = settings->configuration.roles,
		.role_count = settings->configuration.role_count,
		.no_org = swp_options_flag(options, SWP_OPT_NO_ORG),
		.accounts = list_of(settings, SWP_OPT_ACCOUNTS),
		.exclude_accounts = list_of(settings, SWP_OPT_EXCLUDE_ACCOUNTS),
		.ou = list_of(settings, SWP_OPT_OU),
		.exclude_ou = list_of(settings, SWP_OPT_EXCLUDE_OU),
		.regions = regions_of(settings),
		.exclude_regions = list_of(settings, SWP_OPT_EXCLUDE_REGIONS),
		.catalogue = settings->catalogue,
		.selection = &settings->selection,
		.workers = local_workers(options),
		.worker_program = settings->worker_program,
		.listen = swp_options_text(options, SWP_OPT_LISTEN),
		.keys_folder = settings->keys_folder,
		.log_form =
			swp_text_equal_ignoring_case(swp_options_text(options, SWP_OPT_LOG_FORMAT), "json")
				? SWP_LOG_JSON
				: SWP_LOG_TEXT,
		.store = settings->private_store ? NULL : &settings->store,
		.worker_store = swp_settings_workers_own_store(settings),
		.state_folder = settings->state_folder,
		.keep = (unsigned)swp_options_number(options, SWP_OPT_KEEP, 10),
		.endpoints = &settings->endpoints,
		.ca_file = settings->ca_file,
		.https_proxy = swp_environment_either("HTTPS_PROXY"),
		.no_proxy = swp_environment_either("NO_PROXY"),
		.deadline_ms = swp_options_duration_ms(options, SWP_OPT_DEADLINE, 0),
		.plan_only = swp_options_flag(options, SWP_OPT_PLAN),
	};
}

/* --- endpoints and CA file: environment over configuration over profile --- */

static const char *environment_get(void *context, const char *name)
{
	(void)context;
	return getenv(name);
}

static int add_profile_file(struct swp_profile_set *set, const struct swp_environment *from,
	enum swp_profile_file file, struct swp_problem *problem)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf path = {0};
	SWP_CLEANUP(swp_buf_done) struct swp_buf bytes = {.secret = true};
	int error = swp_profile_path(from, file, &path);
	if (error || access(swp_buf_text(&path), F_OK))
		return error;
	error = swp_file_read(swp_buf_text(&path), &bytes, problem);
	if (error)
		return error;
	return swp_profile_set_add(
		set, file, swp_buf_text(&path), swp_buf_text(&bytes), bytes.length, problem);
}

/* Is the endpoint of this service told by the environment? Then the configuration file has no say. */
static bool told_by_environment(const struct swp_aws_service *service)
{
	char name[128];
	bool ignored = false;
	const char *ignore = getenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"),
		   *global = getenv("AWS_ENDPOINT_URL");
	if (ignore && !swp_parse_bool(ignore, &ignored) && ignored)
		return false;
	snprintf(name, sizeof(name), "AWS_ENDPOINT_URL_%s", service->endpoint_variable);
	const char *own = getenv(name);
	return (own && *own) || (global && *global);
}

static int add_configured(struct swp_settings *settings, const struct swp_aws_service *const *services,
	size_t count, struct swp_problem *problem)
{
	for (size_t i = 0; i < settings->configuration.endpoint_count; i++) {
		const struct swp_configured_endpoint *row = &settings->configuration.endpoints[i];
		bool told = false;
		for (size_t k = 0; k < count; k++)
			told |= swp_text_equal(services[k]->name, row->service) &&
				told_by_environment(services[k]);
		int error = told ? 0
				 : swp_endpoint_options_add(&settings->endpoints, row->service, row->region,
					   row->url, problem);
		if (error)
			return error;
	}
	return 0;
}

static void add_service(
	const struct swp_aws_service **services, size_t *count, const struct swp_aws_service *service)
{
	for (size_t i = 0; i < *count; i++)
		if (swp_text_equal(services[i]->name, service->name))
			return;
	services[(*count)++] = service;
}

/* Of the catalogue, of the coordinator's own calls, and of the credential sources (sso, sso-oidc). */
static const struct swp_aws_service **all_services(const struct swp_settings *settings, size_t *ret_count)
{
	size_t count = swp_catalogue_service_count(settings->catalogue);
	size_t providers = 0;
	while (swp_credential_services[providers])
		providers++;
	const struct swp_aws_service **services =
		swp_calloc(count + SWP_CALL_COUNT + providers, sizeof(*services));
	if (!services)
		return NULL;
	for (size_t i = 0; i < count; i++)
		services[i] = swp_catalogue_service(settings->catalogue, i);
	for (int i = 0; i < SWP_CALL_COUNT; i++)
		add_service(services, &count, swp_coordinator_operation(i)->service);
	for (size_t i = 0; i < providers; i++)
		add_service(services, &count, swp_credential_services[i]);
	*ret_count = count;
	return services;
}

/* `host` may be followed by a port and a path. */
static bool is_loopback(const char *host)
{
	char text[256];
	struct in_addr address;
	size_t length = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");
	if (length >= sizeof(text))
		return false;
	memcpy(text, host, length);
	text[length] = '\0';
	if (inet_pton(AF_INET, text, &address) == 1)
		return ntohl(address.s_addr) >> 24 == 127;
	return swp_text_equal_ignoring_case(text, "localhost") || swp_text_equal(text, "[::1]");
}

static void warn_plain_http(const struct swp_endpoint_options *endpoints)
{
	for (size_t i = 0; i < endpoints->row_count; i++) {
		const char *url = endpoints->rows[i].url;
		if (strncasecmp(url, "http://", 7) == 0 && !is_loopback(url + 7))
			swp_log(SWP_LOG_WARNING, "endpoint.plain",
				"AWS is called without TLS; use https:// for this endpoint",
				SWP_LOG_S("url", url));
	}
}

static int endpoints_from(struct swp_settings *settings, const struct swp_profile_set *set,
	const struct swp_environment *from, struct swp_problem *problem)
{
	size_t count = 0;
	bool named = false;
	const char *profile =
		swp_profile_choose(from, swp_options_text(&settings->options, SWP_OPT_PROFILE), &named);
	SWP_CLEANUP(swp_free_pointer)
	const struct swp_aws_service **services = all_services(settings, &count);
	if (!services)
		return -ENOMEM;
	int error = add_configured(settings, services, count, problem);
	if (!error)
		error = swp_profile_endpoints(
			set, from, profile, services, count, &settings->endpoints, problem);
	const char *bundle = swp_setting_get(set, from, profile, SWP_SETTING_CA_BUNDLE);
	if (!error && bundle) {
		settings->ca_file = swp_strdup(bundle);
		error = settings->ca_file ? 0 : -ENOMEM;
	}
	if (!error && settings->ca_file && access(settings->ca_file, R_OK))
		error = swp_problem_set(problem, -errno,
			"the CA bundle %s (AWS_CA_BUNDLE or ca_bundle) can't be read: %s", settings->ca_file,
			strerror(errno));
	if (!error)
		warn_plain_http(&settings->endpoints);
	return error;
}

int swp_settings_endpoints(struct swp_settings *settings, struct swp_problem *problem)
{
	struct swp_environment from = {.get = environment_get, .home = getenv("HOME")};
	struct swp_profile_set *set = swp_profile_set_new();
	int error = set ? 0 : -ENOMEM;
	if (!error)
		error = add_profile_file(set, &from, SWP_PROFILE_CONFIG, problem);
	if (!error)
		error = add_profile_file(set, &from, SWP_PROFILE_CREDENTIALS, problem);
	if (!error)
		error = endpoints_from(settings, set, &from, problem);
	swp_profile_set_free(set);
	return error;
}
