/* Options as rows. */
#include "worker/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/text.h"
#include "proto/io/store-access.h"

enum kind {
	KIND_TEXT,
	KIND_LIST, /* connect */
	KIND_FLAG,
};

static const struct option {
	const char *name, *argument, *help; /* help NULL: not shown */
	enum kind kind;
	size_t offset;
	bool required;
} options[] = {
#define TEXT(field) KIND_TEXT, offsetof(struct swp_worker_options, field)
#define FLAG(field) KIND_FLAG, offsetof(struct swp_worker_options, field)
	{"connect", "ENDPOINT", "coordinator to work for, tcp://HOST:PORT or ipc://PATH; may be repeated",
		KIND_LIST, 0, true},
	{"key", "FILE", "this worker's key pair (NAME.key, mode 0600)", TEXT(key), true},
	{"server-key", "FILE", "the coordinator's public key (server.pub)", TEXT(server_key), true},
	{"store", "URL",
		"where records go: redis://…, rediss://…, unix:///PATH, sentinel://…; default: the private "
		"store of this user's running sweep",
		TEXT(store), false},
	{"name", "NAME", "how coordinators and records call this worker; default: HOST-PID", TEXT(name),
		false},
	{"metrics", "HOST:PORT",
		"serve /metrics (Prometheus), /healthz and /readyz there; :PORT is all addresses; default: "
		"none",
		TEXT(metrics), false},
	{"log-format", "FORMAT", "text or json", TEXT(log_format), false},
	{"help", NULL, "show this", FLAG(help), false},
	{"version", NULL, "show the version", FLAG(version), false},
	{"die-with-parent", "PID", NULL, TEXT(die_with_parent), false},
	{"credits", "NUMBER", NULL, TEXT(credits), false},
};

/* What is read from the environment beside ORGSWEEP_<OPTION> and what proto/io/store-access.c reads; the first that is set and not empty
 * counts. */
static const struct variable {
	const char *name;
	const char *help; /* NULL: another spelling of the one before */
	size_t offset;
} variables[] = {
	{"AWS_CA_BUNDLE", "certificates to trust, instead of the system's",
		offsetof(struct swp_worker_options, ca_file)},
	{"HTTPS_PROXY", "proxy for AWS calls", offsetof(struct swp_worker_options, https_proxy)},
	{"https_proxy", NULL, offsetof(struct swp_worker_options, https_proxy)},
	{"NO_PROXY", "hosts that need no proxy, comma-separated",
		offsetof(struct swp_worker_options, no_proxy)},
	{"no_proxy", NULL, offsetof(struct swp_worker_options, no_proxy)},
};

static void *member(struct swp_worker_options *parsed, size_t offset)
{
	return (char *)parsed + offset;
}

static const struct option *find(const char *name, size_t length)
{
	for (size_t i = 0; i < SWP_ARRAY_SIZE(options); i++)
		if (strlen(options[i].name) == length && memcmp(options[i].name, name, length) == 0)
			return &options[i];
	return NULL;
}

static int unknown(const char *argument, struct swp_problem *problem)
{
	const char *names[SWP_ARRAY_SIZE(options)], *nearest;
	char word[64];
	size_t count = 0;

	for (size_t i = 0; i < SWP_ARRAY_SIZE(options); i++)
		if (options[i].help)
			names[count++] = options[i].name;
	snprintf(word, sizeof(word), "%.*s", (int)strcspn(argument, "="), argument);
	nearest = swp_nearest(strncmp(word, "--", 2) == 0 ? word + 2 : word, names, count);
	if (nearest)
		return swp_problem_set(
			problem, -EINVAL, "unknown option %s; did you mean --%s? See --help", word, nearest);
	return swp_problem_set(problem, -EINVAL, "unknown option %s; see --help", word);
}

static int set_value(struct swp_worker_options *parsed, const struct option *option, const char *value,
	struct swp_problem *problem)
{
	if (value[0] == '\0')
		return swp_problem_set(problem, -EINVAL, "--%s is empty", option->name);
	if (option->kind == KIND_TEXT) {
		*(const char **)member(parsed, option->offset) = value;
		return 0;
	}
	if (parsed->connect_count == SWP_LIMIT_COORDINATORS)
		return swp_problem_set(
			problem, -EINVAL, "--%s may be given %d times", option->name, SWP_LIMIT_COORDINATORS);
	parsed->connect[parsed->connect_count++] = value;
	return 0;
}

/* Takes argv[*at], and its value if that stands by itself. */
static int take_argument(struct swp_worker_options *parsed, int argc, const char *const *argv, int *at,
	struct swp_problem *problem)
{
	const char *text = argv[*at], *equals;
	const struct option *option;

	if (strncmp(text, "--", 2) != 0)
		return unknown(text, problem);
	equals = strchr(text, '=');
	option = find(text + 2, equals ? (size_t)(equals - text - 2) : strlen(text + 2));
	if (!option)
		return unknown(text, problem);
	if (option->kind == KIND_FLAG) {
		if (equals)
			return swp_problem_set(problem, -EINVAL, "--%s takes no value", option->name);
		*(bool *)member(parsed, option->offset) = true;
		return 0;
	}
	if (equals)
		return set_value(parsed, option, equals + 1, problem);
	if (*at + 1 >= argc)
		return swp_problem_set(problem, -EINVAL, "--%s wants %s", option->name, option->argument);
	return set_value(parsed, option, argv[++*at], problem);
}

static void variable_name(const struct option *option, char *name, size_t size)
{
	snprintf(name, size, "ORGSWEEP_%s", option->name);
	for (char *c = name; *c; c++)
		*c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
}

static bool is_set(struct swp_worker_options *parsed, const struct option *option)
{
	if (option->kind == KIND_LIST)
		return parsed->connect_count > 0;
	return option->kind == KIND_FLAG || *(const char **)member(parsed, option->offset);
}

static int take_environment(struct swp_worker_options *parsed, swp_worker_environment environment,
	void *context, struct swp_problem *problem)
{
	char name[64];
	const char *value;
	int r = 0;

	for (size_t i = 0; i < SWP_ARRAY_SIZE(options) && r == 0; i++) {
		if (is_set(parsed, &options[i]))
			continue;
		variable_name(&options[i], name, sizeof(name));
		value = environment(name, context);
		if (value && value[0])
			r = set_value(parsed, &options[i], value, problem);
	}
	for (size_t i = 0; i < SWP_ARRAY_SIZE(variables); i++) {
		const char **field = member(parsed, variables[i].offset);

		value = environment(variables[i].name, context);
		if (!*field && value && value[0])
			*field = value;
	}
	return r;
}

static int check(struct swp_worker_options *parsed, struct swp_problem *problem)
{
	uint64_t credits;

	for (size_t i = 0; i < SWP_ARRAY_SIZE(options); i++)
		if (options[i].required && !is_set(parsed, &options[i]))
			return swp_problem_set(
				problem, -EINVAL, "--%s %s is needed", options[i].name, options[i].argument);
	if (parsed->log_format && strcmp(parsed->log_format, "text") != 0 &&
		strcmp(parsed->log_format, "json") != 0)
		return swp_problem_set(
			problem, -EINVAL, "--log-format is text or json, not %s", parsed->log_format);
	if (parsed->credits && swp_parse_u64(parsed->credits, SWP_LIMIT_HOLDS, &credits) < 0)
		return swp_problem_set(problem, -EINVAL, "--credits is a number up to %d, not %s",
			SWP_LIMIT_HOLDS, parsed->credits);
	return 0;
}

int swp_worker_options_parse(int argc, const char *const *argv, swp_worker_environment environment,
	void *context, struct swp_worker_options *ret_options, struct swp_problem *problem)
{
	struct swp_worker_options parsed = {0};
	int r = 0;

	for (int i = 1; i < argc && r == 0; i++)
		r = take_argument(&parsed, argc, argv, &i, problem);
	if (r == 0 && !parsed.help && !parsed.version) {
		r = take_environment(&parsed, environment, context, problem);
		if (r == 0)
			r = check(&parsed, problem);
	}
	if (r == 0)
		*ret_options = parsed;
	return r;
}

int swp_worker_options_help(struct swp_buf *out)
{
	char left[64];

	swp_buf_append_text(out,
		"usage: orgsweep-worker --connect ENDPOINT... --key FILE --server-key FILE [--store URL] "
		"[--name NAME]\n                       [--metrics HOST:PORT]\n\n"
		"Takes jobs from coordinators, calls AWS, commits results to the store.\n\n");
	for (size_t i = 0; i < SWP_ARRAY_SIZE(options); i++) {
		if (!options[i].help)
			continue;
		snprintf(left, sizeof(left), "--%s %s", options[i].name,
			options[i].argument ? options[i].argument : "");
		swp_buf_append_format(out, "  %-24s %s\n", left, options[i].help);
	}
	swp_buf_append_text(
		out, "\nenvironment: ORGSWEEP_<OPTION> for each option (the command line wins), and\n\n");
	for (size_t i = 0; swp_store_variable(i); i++)
		if (!swp_store_variable(i)->of_coordinators)
			swp_buf_append_format(out, "  %-36s %s\n", swp_store_variable(i)->name,
				swp_store_variable(i)->help);
	for (size_t i = 0; i < SWP_ARRAY_SIZE(variables); i++)
		if (variables[i].help)
			swp_buf_append_format(out, "  %-36s %s\n", variables[i].name, variables[i].help);
	swp_buf_append_text(out, "\nexit: 0 drained (SIGTERM), 2 could not work\n");
	return out->failed;
}
