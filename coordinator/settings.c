/* Resolution of what a command works with; see the header. */
#include "coordinator/settings.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
	for (size_t i = 0; i < SWP_ARRAY_SIZE(names); i++)
		if (swp_text_equal_ignoring_case(swp_options_text(options, SWP_OPT_LOG_LEVEL), names[i]))
			least = (enum swp_log_level)i;
	bool json = swp_text_equal_ignoring_case(swp_options_text(options, SWP_OPT_LOG_FORMAT), "json");
	swp_log_setup(stderr, json ? SWP_LOG_JSON : SWP_LOG_TEXT, least, "orgsweep", swp_clock_system());
}

/* The names that may stand under `endpoints`: the built-in services and those that the coordinator itself calls. */
static const char **service_names(const struct swp_catalogue *catalogue)
{
	static const char *const own[] = {"sts", "organizations", "account", "ec2"};
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
	return swp_configuration_read(path, swp_buf_text(&bytes), bytes.length, names, &settings->options,
		&settings->configuration, problem);
}

int swp_settings_resolve(struct swp_settings *settings, const struct swp_command_row *command, int argc,
	char *const *argv, struct swp_problem *problem)
{
	size_t length = 0;
	const char *builtin = swp_catalogue_builtin(&length);
	*settings = (struct swp_settings){0};
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
	swp_secret_done(&settings->store_password);
	swp_free(settings->state_folder);
	swp_free(settings->worker_program);
	swp_free(settings->ca_file);
	settings->catalogue = NULL;
	settings->state_folder = settings->worker_program = settings->ca_file = NULL;
}

/* --- catalogue --- */

struct folder_files {
	struct swp_catalogue_file *files; /* owned, names and bytes too */
	size_t count;
};

static void folder_files_done(struct folder_files *folder)
{
	for (size_t i = 0; i < folder->count; i++) {
		swp_free((char *)(uintptr_t)folder->files[i].name);
		swp_free((char *)(uintptr_t)folder->files[i].bytes);
	}
	swp_free(folder->files);
}

static int folder_add(struct folder_files *folder, const char *path, struct swp_problem *problem)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf bytes = {0};
	int error = swp_file_read(path, &bytes, problem);
	if (error)
		return error;
	if (folder->count >= SWP_LIMIT_CATALOGUE_ROWS)
		return swp_problem_set(problem, -E2BIG, "%s: more than %d files in a catalogue folder", path,
			SWP_LIMIT_CATALOGUE_ROWS);
	struct swp_catalogue_file *files = swp_realloc(folder->files, (folder->count + 1) * sizeof(*files));
	if (!files)
		return -ENOMEM;
	folder->files = files;
	struct swp_catalogue_file *file = &files[folder->count];
	*file = (struct swp_catalogue_file){.length = bytes.length, .name = swp_strdup(path)};
	file->bytes = swp_buf_steal(&bytes);
	folder->count++;
	return file->name && file->bytes ? 0 : -ENOMEM;
}

static int folder_walk(
	struct folder_files *folder, const char *path, unsigned depth, struct swp_problem *problem)
{
	struct dirent **entries = NULL;
	int error = 0;
	int count = scandir(path, &entries, NULL, alphasort);
	if (count < 0)
		return swp_problem_set(problem, -errno,
			"%s: %s; give the folder that holds your catalogue's YAML files", path,
			strerror(errno));
	for (int i = 0; i < count; i++) {
		SWP_CLEANUP(swp_free_pointer) char *name = swp_asprintf("%s/%s", path, entries[i]->d_name);
		struct stat status;
		if (!name)
			error = -ENOMEM;
		else if (!error && entries[i]->d_name[0] != '.' && !stat(name, &status)) {
			if (S_ISDIR(status.st_mode) && depth < 8)
				error = folder_walk(folder, name, depth + 1, problem);
			else if (swp_text_ends(name, ".yaml") || swp_text_ends(name, ".yml"))
				error = folder_add(folder, name, problem);
		}
		free(entries[i]);
	}
	free(entries);
	return error;
}

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
	SWP_CLEANUP(folder_files_done) struct folder_files folder = {0};
	SWP_CLEANUP(swp_buf_done) struct swp_buf compiled = {.limit_bytes = SWP_LIMIT_CATALOGUE_BYTES};
	struct complaints complaints = {0};
	if (!path)
		return 0;
	int error = folder_walk(&folder, path, 0, problem);
	if (error)
		return error;
	if (!folder.count)
		return swp_problem_set(problem, -EINVAL,
			"%s holds no .yaml files; --catalogue takes a folder of checks and chains", path);
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
	const char *nearest = swp_nearest(entry, names, count);
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

static int store_password(struct swp_settings *settings, struct swp_problem *problem)
{
	const char *text = getenv("ORGSWEEP_STORE_PASSWORD"), *path = getenv("ORGSWEEP_STORE_PASSWORD_FILE");
	SWP_CLEANUP(swp_buf_done)
	struct swp_buf bytes = {.secret = true, .limit_bytes = SWP_LIMIT_SECRET_BYTES};
	if (text && *text)
		return swp_secret_set_text(&settings->store_password, text);
	if (!path || !*path)
		return 0;
	int error = swp_file_read(path, &bytes, problem);
	if (error)
		return error;
	while (bytes.length && (bytes.data[bytes.length - 1] == '\n' || bytes.data[bytes.length - 1] == '\r'))
		swp_buf_truncate(&bytes, bytes.length - 1);
	return swp_secret_set(&settings->store_password, bytes.data, bytes.length);
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
		error = store_password(settings, problem);
	settings->store.password = &settings->store_password;
	settings->store.client_name = "orgsweep";
	settings->store.ca_file = getenv("ORGSWEEP_STORE_CA_FILE");
	settings->store.certificate_file = getenv("ORGSWEEP_STORE_CERTIFICATE_FILE");
	settings->store.key_file = getenv("ORGSWEEP_STORE_KEY_FILE");
	return error;
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

int swp_settings_workers(struct swp_settings *settings, struct swp_problem *problem)
{
	const char *variable = getenv("ORGSWEEP_WORKER");
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

static unsigned default_workers(void)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	return cores > 2 ? (unsigned)(cores - 1 < 256 ? cores - 1 : 256) : 1;
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
		.workers = (unsigned)swp_options_number(options, SWP_OPT_WORKERS, default_workers()),
		.worker_program = settings->worker_program,
		.listen = swp_options_text(options, SWP_OPT_LISTEN),
		.keys_folder = swp_options_text(options, SWP_OPT_KEYS),
		.log_form =
			swp_text_equal_ignoring_case(swp_options_text(options, SWP_OPT_LOG_FORMAT), "json")
				? SWP_LOG_JSON
				: SWP_LOG_TEXT,
		.store = settings->private_store ? NULL : &settings->store,
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
