#include "coordinator/session-policy.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/buf.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

const char *const swp_session_policy_own[] = {"account:ListRegions", "ec2:DescribeRegions", NULL};

static const char policy_head[] =
	"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[";
static const char policy_tail[] = "],\"Resource\":\"*\"}]}";
#define POLICY_FRAME_CHARS (sizeof(policy_head) + sizeof(policy_tail) - 2)

/* A sorted list of patterns, each once. */
struct patterns {
	char **items; /* owned, as are the texts */
	size_t count, capacity;
};

static void patterns_done(struct patterns *patterns)
{
	for (size_t i = 0; i < patterns->count; i++)
		swp_free(patterns->items[i]);
	swp_free(patterns->items);
	memset(patterns, 0, sizeof(*patterns));
}

static int patterns_add(struct patterns *patterns, const char *text, size_t length)
{
	if (patterns->count == patterns->capacity) {
		size_t capacity = patterns->capacity ? patterns->capacity * 2 : 64;
		char **items = swp_realloc(patterns->items, capacity * sizeof(*items));

		if (!items)
			return -ENOMEM;
		patterns->items = items;
		patterns->capacity = capacity;
	}
	patterns->items[patterns->count] = swp_strndup(text, length);
	if (!patterns->items[patterns->count])
		return -ENOMEM;
	patterns->count++;
	return 0;
}

static void patterns_sort(struct patterns *patterns)
{
	size_t kept = 0;

	qsort(patterns->items, patterns->count, sizeof(*patterns->items), swp_compare_text_pointers);
	for (size_t i = 0; i < patterns->count; i++) {
		if (kept > 0 && strcmp(patterns->items[kept - 1], patterns->items[i]) == 0)
			swp_free(patterns->items[i]);
		else
			patterns->items[kept++] = patterns->items[i];
	}
	patterns->count = kept;
}

static size_t policy_chars(const struct patterns *patterns, size_t from, size_t count)
{
	size_t chars = POLICY_FRAME_CHARS;

	for (size_t i = from; i < from + count; i++)
		chars += strlen(patterns->items[i]) + 3; /* quotes and comma */
	return chars - (count > 0);
}

static bool action_is_valid(const char *action)
{
	const char *colon = strchr(action, ':');

	if (!colon || colon == action || !colon[1])
		return false;
	for (const char *at = action; *at; at++)
		if (at != colon && !isalnum((unsigned char)*at) && *at != '-')
			return false;
	return true;
}

/* How many characters of `action` hold its service and its first `words` words ("bedrock:ListModel" for two); 0: it has
 * fewer words than that. A word begins with a capital. */
static size_t word_prefix(const char *action, unsigned words)
{
	const char *name = strchr(action, ':') + 1;
	unsigned seen = 0;

	for (const char *at = name; *at; at++) {
		if (*at == '*')
			return 0;
		if (isupper((unsigned char)*at) && (at == name || !isupper((unsigned char)at[-1])) &&
			seen++ == words)
			return (size_t)(at - action);
	}
	return seen >= words ? strlen(action) : 0;
}

/* The run of patterns from `first` that share `length` characters. */
static size_t run_length(const struct patterns *patterns, size_t first, size_t length)
{
	size_t count = 1;

	while (first + count < patterns->count &&
		strncmp(patterns->items[first], patterns->items[first + count], length) == 0)
		count++;
	return count;
}

/* Joins the run whose wildcard saves most. 0: done; 1: nothing to be saved; -ENOMEM. */
static int join_widest(struct patterns *patterns, unsigned words)
{
	size_t best = 0, best_count = 0, best_length = 0, best_saved = 0;
	char *wildcard;

	for (size_t i = 0; i < patterns->count; i++) {
		size_t length = word_prefix(patterns->items[i], words);
		size_t count = length ? run_length(patterns, i, length) : 0;
		size_t chars = count < 2 ? 0 : policy_chars(patterns, i, count) - POLICY_FRAME_CHARS;

		if (chars > length + 3 && chars - length - 3 > best_saved) {
			best = i;
			best_count = count;
			best_length = length;
			best_saved = chars - length - 3;
		}
	}
	if (best_saved == 0)
		return 1;
	wildcard = swp_asprintf("%.*s*", (int)best_length, patterns->items[best]);
	if (!wildcard)
		return -ENOMEM;
	for (size_t i = best; i < best + best_count; i++)
		swp_free(patterns->items[i]);
	patterns->items[best] = wildcard;
	memmove(&patterns->items[best + 1], &patterns->items[best + best_count],
		(patterns->count - best - best_count) * sizeof(*patterns->items));
	patterns->count -= best_count - 1;
	return 0;
}

static int shorten(struct patterns *patterns)
{
	/* Three words first: the least that is allowed beyond what is needed. */
	for (unsigned words = 3; words >= 1; words--)
		while (policy_chars(patterns, 0, patterns->count) > SWP_LIMIT_SESSION_POLICY_CHARS) {
			int error = join_widest(patterns, words);

			if (error < 0)
				return error;
			if (error)
				break;
		}
	return 0;
}

static bool same_service(const char *a, const char *b)
{
	size_t length = strcspn(a, ":") + 1;

	return strncmp(a, b, length) == 0;
}

/* Where the policy that begins at `first` ends: behind the last whole service that still fits. */
static size_t policy_end(const struct patterns *patterns, size_t first, size_t limit)
{
	size_t end = first;

	for (size_t i = first; i < patterns->count; i++) {
		if (policy_chars(patterns, first, i + 1 - first) > limit)
			break;
		if (i + 1 == patterns->count || !same_service(patterns->items[i], patterns->items[i + 1]))
			end = i + 1;
	}
	return end;
}

static int write_policy(
	const struct patterns *patterns, size_t first, size_t end, bool with_own, char **ret_text)
{
	struct swp_buf text = {.limit_bytes = SWP_LIMIT_SESSION_POLICY_CHARS};
	const char *comma = "";

	swp_buf_append_text(&text, policy_head);
	for (size_t i = first; i < end; i++, comma = ",")
		swp_buf_append_format(&text, "%s\"%s\"", comma, patterns->items[i]);
	for (size_t i = 0; with_own && swp_session_policy_own[i]; i++, comma = ",")
		swp_buf_append_format(&text, "%s\"%s\"", comma, swp_session_policy_own[i]);
	swp_buf_append_text(&text, policy_tail);
	if (text.failed) {
		swp_buf_done(&text);
		return -ENOMEM;
	}
	*ret_text = swp_buf_steal(&text);
	return *ret_text ? 0 : -ENOMEM;
}

static int add_policy(struct swp_session_policies *policies, char *text)
{
	char **texts = swp_realloc(policies->texts, (policies->count + 1) * sizeof(*texts));

	if (!texts) {
		swp_free(text);
		return -ENOMEM;
	}
	policies->texts = texts;
	policies->texts[policies->count++] = text;
	return 0;
}

static int spread(const struct patterns *patterns, struct swp_session_policies *policies)
{
	size_t own = 0;

	if (policy_chars(patterns, 0, patterns->count) <= SWP_LIMIT_SESSION_POLICY_CHARS) {
		char *text;
		int error = write_policy(patterns, 0, patterns->count, false, &text);

		return error < 0 ? error : add_policy(policies, text);
	}
	for (size_t i = 0; swp_session_policy_own[i]; i++)
		own += strlen(swp_session_policy_own[i]) + 3;
	for (size_t first = 0; first < patterns->count;) {
		size_t end = policy_end(patterns, first, SWP_LIMIT_SESSION_POLICY_CHARS - own);
		char *text;
		int error;

		if (end == first)
			return -EINVAL;
		error = write_policy(patterns, first, end, true, &text);
		if (error == 0)
			error = add_policy(policies, text);
		if (error < 0)
			return error;
		first = end;
	}
	return 0;
}

static int make(struct patterns *patterns, struct swp_session_policies *ret_policies)
{
	struct swp_session_policies policies = {0};
	int error = 0;

	for (size_t i = 0; error == 0 && i < patterns->count; i++)
		if (!action_is_valid(patterns->items[i]))
			error = -EINVAL;
	for (size_t i = 0; error == 0 && swp_session_policy_own[i]; i++)
		error = patterns_add(patterns, swp_session_policy_own[i], strlen(swp_session_policy_own[i]));
	if (error == 0) {
		patterns_sort(patterns);
		error = shorten(patterns);
	}
	if (error == 0)
		error = spread(patterns, &policies);
	if (error < 0) {
		swp_session_policies_done(&policies);
		return error;
	}
	*ret_policies = policies;
	return 0;
}

static int add_action(const char *action, void *context)
{
	return patterns_add(context, action, strlen(action));
}

int swp_session_policies_make(
	const char *const *actions, size_t count, struct swp_session_policies *ret_policies)
{
	SWP_CLEANUP(patterns_done) struct patterns patterns = {0};

	for (size_t i = 0; i < count; i++)
		if (add_action(actions[i], &patterns) < 0)
			return -ENOMEM;
	return make(&patterns, ret_policies);
}

int swp_session_policies_for(const struct swp_catalogue *catalogue, const struct swp_selection *selection,
	struct swp_session_policies *ret_policies)
{
	SWP_CLEANUP(patterns_done) struct patterns patterns = {0};
	int error = swp_selection_actions(catalogue, selection, add_action, &patterns);

	return error < 0 ? error : make(&patterns, ret_policies);
}

void swp_session_policies_done(struct swp_session_policies *policies)
{
	for (size_t i = 0; i < policies->count; i++)
		swp_free(policies->texts[i]);
	swp_free(policies->texts);
	policies->texts = NULL;
	policies->count = 0;
}
