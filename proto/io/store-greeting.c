/* The greeting: log in, choose the database, tell our name, and look who is there. */
#include "proto/io/store-greeting.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/text.h"

#define OLDEST_MAJOR 6
#define OLDEST_MINOR 2

/* --- RESP (https://redis.io/docs/latest/develop/reference/protocol-spec/) --- */

static size_t digits(size_t number)
{
	size_t count = 1;

	while (number >= 10) {
		number /= 10;
		count++;
	}
	return count;
}

size_t swp_store_arguments_length(const struct swp_store_argument *arguments, size_t count)
{
	size_t length = 0;

	for (size_t i = 0; i < count; i++)
		length += 1 + digits(arguments[i].length) + 2 + arguments[i].length + 2;
	return length;
}

size_t swp_store_format_length(const struct swp_store_argument *arguments, size_t count)
{
	return 1 + digits(count) + 2 + swp_store_arguments_length(arguments, count);
}

static char *write_head(char *to, char kind, size_t number)
{
	size_t count = digits(number);

	*to++ = kind;
	for (size_t i = count; i-- > 0; number /= 10)
		to[i] = (char)('0' + number % 10);
	to += count;
	*to++ = '\r';
	*to++ = '\n';
	return to;
}

char *swp_store_write_arguments(char *to, const struct swp_store_argument *arguments, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		to = write_head(to, '$', arguments[i].length);
		if (arguments[i].length > 0)
			memcpy(to, arguments[i].bytes, arguments[i].length);
		to += arguments[i].length;
		*to++ = '\r';
		*to++ = '\n';
	}
	return to;
}

int swp_store_format(struct swp_buf *out, const struct swp_store_argument *arguments, size_t count)
{
	size_t length = swp_store_format_length(arguments, count);
	int error = swp_buf_reserve(out, length);
	char *to;

	if (error)
		return error;
	to = write_head(out->data + out->length, '*', count);
	to = swp_store_write_arguments(to, arguments, count);
	out->length += length;
	SWP_ASSERT(to == out->data + out->length);
	*to = '\0';
	return 0;
}

/* --- answers --- */

/* The value of "name:value" in INFO's text; false when it is not there. */
static bool info_value(const struct swp_store_reply *reply, const char *name, char *value, size_t size)
{
	const char *line = reply->bytes, *next;
	size_t name_length = strlen(name);

	for (; line && *line; line = next ? next + 1 : NULL) {
		next = strchr(line, '\n');
		if (strncmp(line, name, name_length) == 0 && line[name_length] == ':') {
			snprintf(value, size, "%.*s", (int)strcspn(line + name_length + 1, "\r\n"),
				line + name_length + 1);
			return true;
		}
	}
	return false;
}

static enum swp_store_verdict never(struct swp_store_greeting *greeting, const char *why)
{
	swp_problem_set(&greeting->problem, 0, "%s", why);
	return SWP_STORE_NEVER;
}

static bool is_old(const char *version)
{
	unsigned major = 0, minor = 0;

	while (*version >= '0' && *version <= '9' && major < 1000)
		major = major * 10 + (unsigned)(*version++ - '0');
	if (*version == '.')
		version++;
	while (*version >= '0' && *version <= '9' && minor < 1000)
		minor = minor * 10 + (unsigned)(*version++ - '0');
	return major < OLDEST_MAJOR || (major == OLDEST_MAJOR && minor < OLDEST_MINOR);
}

static enum swp_store_verdict judge_server(
	struct swp_store_greeting *greeting, const struct swp_store_reply *reply)
{
	char version[32];

	if (!info_value(reply, "redis_version", version, sizeof(version)) ||
		!info_value(reply, "run_id", greeting->run_id, sizeof(greeting->run_id)))
		return never(
			greeting, "what answers there is not Redis: INFO tells no redis_version and run_id");
	if (!is_old(version))
		return SWP_STORE_GOOD;
	swp_problem_set(&greeting->problem, 0, "Redis %s is too old: %d.%d or newer is needed", version,
		OLDEST_MAJOR, OLDEST_MINOR);
	return SWP_STORE_NEVER;
}

/* INFO is answered while the append-only file is still read; nothing else is. */
static enum swp_store_verdict judge_persistence(
	struct swp_store_greeting *greeting, const struct swp_store_reply *reply)
{
	char loading[8], log[8];

	greeting->keeps_no_log = info_value(reply, "aof_enabled", log, sizeof(log)) && strcmp(log, "0") == 0;
	if (!info_value(reply, "loading", loading, sizeof(loading)) || strcmp(loading, "0") == 0)
		return SWP_STORE_GOOD;
	swp_problem_set(&greeting->problem, 0, "Redis is still loading its data");
	return SWP_STORE_AGAIN;
}

static enum swp_store_verdict judge_memory(
	struct swp_store_greeting *greeting, const struct swp_store_reply *reply)
{
	if (!info_value(reply, "maxmemory_policy", greeting->policy, sizeof(greeting->policy)) ||
		strcmp(greeting->policy, "noeviction") == 0)
		greeting->policy[0] = '\0';
	return SWP_STORE_GOOD;
}

static enum swp_store_verdict judge_replication(
	struct swp_store_greeting *greeting, const struct swp_store_reply *reply)
{
	char role[32], master[64] = "its master";

	if (!info_value(reply, "role", role, sizeof(role)))
		return never(greeting, "INFO tells no role");
	if (strcmp(role, "master") == 0)
		return SWP_STORE_GOOD;
	info_value(reply, "master_host", master, sizeof(master));
	swp_problem_set(
		&greeting->problem, 0, "this Redis is a replica and can't be written to: give %s", master);
	return SWP_STORE_REPLICA;
}

static enum swp_store_verdict judge_cluster(
	struct swp_store_greeting *greeting, const struct swp_store_reply *reply)
{
	char enabled[8];

	if (!info_value(reply, "cluster_enabled", enabled, sizeof(enabled)) || strcmp(enabled, "0") == 0)
		return SWP_STORE_GOOD;
	return never(greeting, "Redis Cluster is not supported: give a Redis that is not part of a cluster");
}

/* Redis 6.2 tells what fails within a script as "ERR Error running script (…): … -OOM command not allowed …". */
static bool says(const char *words, const char *first)
{
	size_t length = strlen(first);
	const char *within = strstr(words, first);

	return swp_text_starts(words, first) ||
	       (within && within[-1] == '-' && (within[length] == ' ' || within[length] == '\0'));
}

const char *swp_store_advice(const char *words)
{
	static const struct {
		const char *first, *advice;
	} rows[] = {
		{"OOM", "; raise maxmemory of this Redis, or give another one (--store)"},
		{"MISCONF", "; free disk space where this Redis keeps its files"},
		{"NOPERM", "; give this user what `orgsweep store acl` prints (docs/redis.md)"},
		{"NOAUTH", "; put the password into ORGSWEEP_STORE_PASSWORD"},
		{"WRONGPASS", "; give the right user in the URL and password in ORGSWEEP_STORE_PASSWORD "
			      "(local workers have theirs from ORGSWEEP_STORE_WORKER_USER and "
			      "ORGSWEEP_STORE_WORKER_PASSWORD, where that is given)"},
		{"NOREPLICAS", "; this Redis waits for replicas (min-replicas-to-write)"},
	};

	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++)
		if (says(words, rows[i].first))
			return rows[i].advice;
	return "";
}

/* Error replies by their first word; the first row that fits counts. */
static enum swp_store_verdict judge_error(struct swp_store_greeting *greeting, const char *words)
{
	static const struct {
		const char *start;
		enum swp_store_verdict verdict;
	} rows[] = {
		{"LOADING", SWP_STORE_AGAIN},
		{"BUSY", SWP_STORE_AGAIN},
		{"MASTERDOWN", SWP_STORE_AGAIN},
		{"ERR max number of clients", SWP_STORE_AGAIN},
		{"", SWP_STORE_NEVER},
	};
	size_t i = 0;

	while (!swp_text_starts(words, rows[i].start))
		i++;
	swp_problem_set(&greeting->problem, 0, "Redis says: %s%s", words, swp_store_advice(words));
	return rows[i].verdict;
}

/* --- the steps --- */

static size_t write_auth(const struct swp_store_options *options, struct swp_store_argument *arguments)
{
	size_t count = 0;

	if (!options->password || !swp_secret_is_set(options->password))
		return 0;
	arguments[count++] = SWP_STORE_TEXT_ARGUMENT("AUTH");
	if (options->address.user[0])
		arguments[count++] = SWP_STORE_TEXT_ARGUMENT(options->address.user);
	arguments[count++] = (struct swp_store_argument){options->password->bytes, options->password->length};
	return count;
}

static size_t write_name(const struct swp_store_options *options, struct swp_store_argument *arguments)
{
	if (!options->client_name)
		return 0;
	arguments[0] = SWP_STORE_TEXT_ARGUMENT("CLIENT");
	arguments[1] = SWP_STORE_TEXT_ARGUMENT("SETNAME");
	arguments[2] = SWP_STORE_TEXT_ARGUMENT(options->client_name);
	return 3;
}

static size_t write_info(const char *section, struct swp_store_argument *arguments)
{
	arguments[0] = SWP_STORE_TEXT_ARGUMENT("INFO");
	arguments[1] = SWP_STORE_TEXT_ARGUMENT(section);
	return 2;
}

/* A step is skipped when neither `write` gives arguments nor `section` names a part of INFO; an error reply is judged by
 * its words unless it does not matter. SELECT, which needs a number as text, is written by its own code below. */
static const struct step {
	size_t (*write)(const struct swp_store_options *options, struct swp_store_argument *arguments);
	const char *section;
	bool selects, error_is_fine;
	enum swp_store_verdict (*judge)(
		struct swp_store_greeting *greeting, const struct swp_store_reply *reply);
} steps[] = {
	{.write = write_auth},
	{.section = "server", .judge = judge_server},
	{.section = "persistence", .judge = judge_persistence},
	{.section = "memory", .judge = judge_memory},
	{.section = "replication", .judge = judge_replication},
	{.section = "cluster", .judge = judge_cluster},
	{.selects = true},
	{.write = write_name, .error_is_fine = true},
};

/* Arguments of a step; 0: it is left out. `number` holds SELECT's. */
static size_t write_step(const struct step *step, const struct swp_store_options *options,
	struct swp_store_argument arguments[static 3], char number[static 16])
{
	if (step->write)
		return step->write(options, arguments);
	if (step->section)
		return write_info(step->section, arguments);
	if (!step->selects || options->address.database == 0)
		return 0;
	snprintf(number, 16, "%u", options->address.database);
	arguments[0] = SWP_STORE_TEXT_ARGUMENT("SELECT");
	arguments[1] = SWP_STORE_TEXT_ARGUMENT(number);
	return 2;
}

/* Moves on to the next step that was sent. */
static void skip_unsent(struct swp_store_greeting *greeting)
{
	struct swp_store_argument arguments[3];
	char number[16];

	while (greeting->step < SWP_ARRAY_SIZE(steps) &&
		write_step(&steps[greeting->step], greeting->options, arguments, number) == 0)
		greeting->step++;
}

int swp_store_greeting_start(
	struct swp_store_greeting *greeting, const struct swp_store_options *options, struct swp_buf *out)
{
	struct swp_store_argument arguments[3];
	char number[16];
	int error = 0;

	*greeting = (struct swp_store_greeting){.options = options};
	for (size_t i = 0; i < SWP_ARRAY_SIZE(steps) && !error; i++) {
		size_t count = write_step(&steps[i], options, arguments, number);

		if (count > 0)
			error = swp_store_format(out, arguments, count);
	}
	skip_unsent(greeting);
	return error;
}

enum swp_store_verdict swp_store_greeting_answer(
	struct swp_store_greeting *greeting, const struct swp_store_reply *reply)
{
	const struct step *step = &steps[greeting->step];
	enum swp_store_verdict verdict = SWP_STORE_GOOD;

	if (reply->type == SWP_STORE_REPLY_ERROR && !step->error_is_fine)
		return judge_error(greeting, reply->bytes);
	if (step->judge && reply->type != SWP_STORE_REPLY_TEXT)
		return never(greeting, "what answers there is not Redis: INFO brings no text");
	if (step->judge)
		verdict = step->judge(greeting, reply);
	greeting->step++;
	skip_unsent(greeting);
	return verdict;
}

bool swp_store_greeting_is_over(const struct swp_store_greeting *greeting)
{
	return greeting->step == SWP_ARRAY_SIZE(steps);
}
