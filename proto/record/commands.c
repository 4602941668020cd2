/* The commands that are sent, and ACL lines made from them. */
#include "proto/record/commands.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/error.h"
#include "proto/base/text.h"
#include "proto/record/keys.h"
#include "proto/record/scripts.h"

#define WORKER (1u << SWP_STORE_ROLE_WORKER)
#define COORDINATOR (1u << SWP_STORE_ROLE_COORDINATOR)

/* AUTH is not among them: every user may. */
static const struct swp_store_command_row rows[] = {
	{"INFO", WORKER | COORDINATOR, "greeting: version, role, run, persistence, eviction"},
	{"SELECT", WORKER | COORDINATOR, "greeting: where the URL names a database"},
	{"CLIENT SETNAME", WORKER | COORDINATOR, "greeting: CLIENT LIST shows who is who"},
	{"SCRIPT LOAD", WORKER | COORDINATOR, "scripts, on a new connection"},
	{"EVAL", WORKER | COORDINATOR, "scripts, the first time"},
	{"EVALSHA", WORKER | COORDINATOR, "scripts"},
	{"DEL", COORDINATOR, "joined results that are none any more"},
	{"GET", COORDINATOR, "catalogues, joined results"},
	{"HDEL", COORDINATOR, "rows of what is no more: an account, a worker, an order to drain"},
	{"HGET", COORDINATOR, "reading"},
	{"HGETALL", COORDINATOR, "reading"},
	{"HMGET", COORDINATOR, "reading, looking for seals"},
	{"HSCAN", COORDINATOR, "reading long hashes"},
	{"HSET", COORDINATOR, "sweep, accounts, chains"},
	{"LRANGE", COORDINATOR, "reading gaps"},
	{"PING", COORDINATOR, "waiting for what was asked before"},
	{"SCAN", COORDINATOR, "finding the keys of an old sweep"},
	{"SET", COORDINATOR, "catalogues, joined results"},
	{"TIME", COORDINATOR, "how old a lease is, by the clock of Redis"},
	{"ZADD", COORDINATOR, "the index of sweeps"},
	{"ZRANGE", COORDINATOR, "old sweeps"},
	{"ZREVRANGE", COORDINATOR, "sweeps, newest first"},
	{"ZSCORE", COORDINATOR, "whether a sweep is there"},
};

/* What a worker runs and touches; the coordinator may do so with everything of ours. */
static const enum swp_script worker_scripts[] = {SWP_SCRIPT_COMMIT_PART, SWP_SCRIPT_SEAL};
static const enum swp_key worker_keys[] = {SWP_KEY_JOB, SWP_KEY_LOCK};

#define COORDINATOR_KEYS "swp:*"
#define MOST_RIGHTS 256
#define RIGHT_BYTES 32

const struct swp_store_command_row *swp_store_command_row(size_t index)
{
	return index < SWP_ARRAY_SIZE(rows) ? &rows[index] : NULL;
}

const char *swp_store_role_user(enum swp_store_role role)
{
	return role == SWP_STORE_ROLE_WORKER ? "orgsweep-worker" : "orgsweep-coordinator";
}

/* --- rights --- */

struct rights {
	char names[MOST_RIGHTS][RIGHT_BYTES]; /* "client|setname" */
	size_t count;
};

static void add_right(struct rights *rights, const char *name, size_t length)
{
	char *right = rights->names[rights->count];

	SWP_ASSERT(rights->count < MOST_RIGHTS && length < RIGHT_BYTES); /* they come from our own tables */
	for (size_t i = 0; i < length; i++)
		right[i] = name[i] == ' ' ? '|' : (char)tolower((unsigned char)name[i]);
	right[length] = '\0';
	for (size_t i = 0; i < rights->count; i++)
		if (strcmp(rights->names[i], right) == 0)
			return;
	rights->count++;
}

/* Each redis.call('NAME', …) and redis.pcall of the source. */
static void add_script(struct rights *rights, enum swp_script script)
{
	const char *at = swp_script_row(script)->source;

	while ((at = strstr(at, "call('"))) {
		at += strlen("call('");
		add_right(rights, at, strcspn(at, "'"));
	}
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void gather(enum swp_store_role role, struct rights *rights)
{
	rights->count = 0;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++)
		if (rows[i].roles & (1u << role))
			add_right(rights, rows[i].name, strlen(rows[i].name));
	if (role == SWP_STORE_ROLE_WORKER)
		for (size_t i = 0; i < SWP_ARRAY_SIZE(worker_scripts); i++)
			add_script(rights, worker_scripts[i]);
	else
		for (int i = 0; i < SWP_SCRIPT_COUNT; i++)
			add_script(rights, (enum swp_script)i);
	qsort(rights->names, rights->count, sizeof(rights->names[0]), compare);
}

/* --- the line --- */

/* "swp:SWEEP:job:ACCOUNT:REGION" → " ~swp:*:job:*:*" */
static void append_pattern(struct swp_buf *out, enum swp_key key)
{
	const char *pattern = swp_key_row(key)->pattern;

	swp_buf_append_text(out, " ~");
	while (*pattern) {
		size_t length = strcspn(pattern, ":");

		if (isupper((unsigned char)*pattern))
			swp_buf_append_byte(out, '*');
		else
			swp_buf_append(out, pattern, length);
		pattern += length;
		if (*pattern)
			swp_buf_append_byte(out, *pattern++);
	}
}

int swp_store_role_acl(enum swp_store_role role, struct swp_buf *out)
{
	struct rights rights;

	gather(role, &rights);
	swp_buf_append_format(out, "user %s on resetkeys", swp_store_role_user(role));
	if (role == SWP_STORE_ROLE_WORKER)
		for (size_t i = 0; i < SWP_ARRAY_SIZE(worker_keys); i++)
			append_pattern(out, worker_keys[i]);
	else
		swp_buf_append_text(out, " ~" COORDINATOR_KEYS);
	swp_buf_append_text(out, " resetchannels -@all");
	for (size_t i = 0; i < rights.count; i++)
		swp_buf_append_format(out, " +%s", rights.names[i]);
	return out->failed;
}
