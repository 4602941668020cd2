/* The rows of the key space. */
#include "proto/record/keys.h"

#include <errno.h>
#include <string.h>

#define WITH_SWEEP "with its sweep"

static const struct swp_key_row rows[SWP_KEY_COUNT] = {
	[SWP_KEY_INDEX] = {"swp:index", "sorted set", "sweep ids by start (ms since 1970)",
		"never; a sweep's entry goes with the sweep"},
	[SWP_KEY_CATALOGUE] = {"swp:catalogue:HASH", "string", "compiled catalogue, named by its SHA-256",
		"when no sweep names it any more"},
	[SWP_KEY_SWEEP] = {"swp:SWEEP:sweep", "hash", "what the sweep is: plan, state, times (texts)",
		WITH_SWEEP},
	[SWP_KEY_ACCOUNTS] = {"swp:SWEEP:accounts", "hash", "account id to its packed row", WITH_SWEEP},
	[SWP_KEY_GAPS] = {"swp:SWEEP:gaps", "list",
		"packed gaps without an account: the enumeration broke off", WITH_SWEEP},
	[SWP_KEY_JOB] = {"swp:SWEEP:job:ACCOUNT:REGION", "hash", "a job's grant, parts and seal", WITH_SWEEP},
	[SWP_KEY_JOINED] = {"swp:SWEEP:joined:ACCOUNT", "string",
		"parts with the account's joined results and cells", WITH_SWEEP},
	[SWP_KEY_CHAINS] = {"swp:SWEEP:chains:ACCOUNT", "hash",
		"chain id to the packed instances of that account", WITH_SWEEP},
	[SWP_KEY_CHAINS_OVER] = {"swp:SWEEP:chains-over", "hash",
		"partition number to packed instances over accounts", WITH_SWEEP},
	[SWP_KEY_PARTITION] = {"swp:SWEEP:partition:NUMBER", "hash",
		"account id to a part with its rows for joins over accounts", WITH_SWEEP},
	[SWP_KEY_LOCK] = {"swp:lock:ACCOUNT:REGION", "string",
		"key of the job that was granted there last: no two sweeps work in one place at once",
		"when that job is sealed, else after two hours"},
	[SWP_KEY_LEADER] = {"swp:leader", "hash",
		"which `orgsweep serve` leads: owner, term, end of its lease", "never"},
	[SWP_KEY_DRAINS] = {"swp:drains", "hash", "worker's name to who asked to drain it, and when",
		"when the worker has gone"},
	[SWP_KEY_WORKERS] = {"swp:workers", "hash", "worker's name to its row (JSON), for `orgsweep status`",
		"when a sweep begins, a day after it was last seen"},
	[SWP_KEY_LIMITS] = {"swp:limits", "hash",
		"account, region and service to the rate that it allowed when it last refused for that "
		"(calls in 1,000 s)",
		"when a sweep was not refused there"},
	[SWP_KEY_SCHEDULES] = {"swp:schedules", "hash",
		"name of a scheduled sweep to its last start, its last due time, when one was complete last, "
		"and whose report was written last",
		"never"},
};

const struct swp_key_row *swp_key_row(enum swp_key key)
{
	return &rows[key];
}

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
	       c == '_' || c == '-';
}

static bool is_plain_text(const char *text, size_t max)
{
	size_t length = text ? strnlen(text, max + 1) : 0;

	if (length == 0 || length > max)
		return false;
	for (size_t i = 0; i < length; i++)
		if (!is_plain(text[i]))
			return false;
	return true;
}

bool swp_key_is_sweep_id(const char *text)
{
	static const char *const taken[] = {
		"index", "catalogue", "lock", "leader", "drains", "workers", "schedules", "limits"};

	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (text && strcmp(text, taken[i]) == 0)
			return false;
	return is_plain_text(text, 64);
}

static int add(char *key, size_t *length, const char *text, size_t text_length)
{
	if (text_length >= SWP_KEY_BYTES - *length)
		return -E2BIG;
	memcpy(key + *length, text, text_length);
	*length += text_length;
	key[*length] = '\0';
	return 0;
}

/* A word of the pattern is fixed, or in capitals: SWEEP, else the next of the two parts. */
static int add_word(
	char *key, size_t *length, const char *word, size_t word_length, const char *sweep, const char *part)
{
	const char *text = word;

	if (word[0] < 'A' || word[0] > 'Z')
		return add(key, length, text, word_length);
	if (word_length == 5 && memcmp(word, "SWEEP", 5) == 0)
		text = swp_key_is_sweep_id(sweep) ? sweep : NULL;
	else
		text = is_plain_text(part, 128) ? part : NULL;
	return text ? add(key, length, text, strlen(text)) : -EINVAL;
}

int swp_key_format(enum swp_key key, const char *sweep, const char *first, const char *second,
	char ret_key[static SWP_KEY_BYTES])
{
	const char *parts[] = {first, second, NULL};
	const char *const *part = parts;
	char text[SWP_KEY_BYTES];
	size_t length = 0;
	int r = 0;

	for (const char *word = rows[key].pattern; r == 0 && *word;) {
		size_t word_length = strcspn(word, ":");
		bool is_part = word[0] >= 'A' && word[0] <= 'Z' &&
			       !(word_length == 5 && memcmp(word, "SWEEP", 5) == 0);

		r = add_word(text, &length, word, word_length, sweep, *part);
		if (is_part && *part)
			part++;
		word += word_length;
		if (r == 0 && *word == ':') {
			r = add(text, &length, ":", 1);
			word++;
		}
	}
	if (r == 0)
		memcpy(ret_key, text, length + 1);
	return r;
}

int swp_key_lock_of(const char *job_key, char ret_key[static SWP_KEY_BYTES])
{
	const char *place = strstr(job_key, ":job:");
	size_t length = 0;
	int r = place ? add(ret_key, &length, "swp:lock:", strlen("swp:lock:")) : -EINVAL;

	return r == 0 ? add(ret_key, &length, place + strlen(":job:"), strlen(place + strlen(":job:"))) : r;
}

int swp_key_sweep_pattern(const char *sweep, char ret_pattern[static SWP_KEY_BYTES])
{
	char text[SWP_KEY_BYTES];
	size_t length = 0;
	int r = swp_key_is_sweep_id(sweep) ? 0 : -EINVAL;

	if (r == 0)
		r = add(text, &length, "swp:", 4);
	if (r == 0)
		r = add(text, &length, sweep, strlen(sweep));
	if (r == 0)
		r = add(text, &length, ":*", 2);
	if (r == 0)
		memcpy(ret_pattern, text, length + 1);
	return r;
}
