#include "coordinator/session-policy.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/buf.h"
#include "proto/base/error.h"
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

/* --- one policy --- */

/* The actions of one signing name. */
struct group {
	char *name; /* owned */
	struct patterns actions;
};

static int add_copies(struct patterns *to, const struct patterns *from)
{
	int error = 0;

	for (size_t i = 0; error == 0 && i < from->count; i++)
		error = patterns_add(to, from->items[i], strlen(from->items[i]));
	return error;
}

static int write_policy(const struct patterns *patterns, char **ret_text)
{
	struct swp_buf text = {.limit_bytes = SWP_LIMIT_SESSION_POLICY_CHARS};

	swp_buf_append_text(&text, policy_head);
	for (size_t i = 0; i < patterns->count; i++)
		swp_buf_append_format(&text, "%s\"%s\"", i ? "," : "", patterns->items[i]);
	swp_buf_append_text(&text, policy_tail);
	*ret_text = text.failed ? NULL : swp_buf_steal(&text);
	swp_buf_done(&text);
	return *ret_text ? 0 : -ENOMEM;
}

/* The policy of these groups; `*ret_text` stays NULL when it would be too long. */
static int policy_of(const struct group *groups, size_t count, char **ret_text)
{
	SWP_CLEANUP(patterns_done) struct patterns patterns = {0};
	int error = 0;

	*ret_text = NULL;
	for (size_t i = 0; error == 0 && i < count; i++)
		error = add_copies(&patterns, &groups[i].actions);
	for (size_t i = 0; error == 0 && swp_session_policy_own[i]; i++)
		error = patterns_add(&patterns, swp_session_policy_own[i], strlen(swp_session_policy_own[i]));
	if (error < 0)
		return error;
	patterns_sort(&patterns);
	error = shorten(&patterns);
	if (error < 0 || policy_chars(&patterns, 0, patterns.count) > SWP_LIMIT_SESSION_POLICY_CHARS)
		return error;
	return write_policy(&patterns, ret_text);
}

/* --- as many as are needed --- */

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

static int add_service(struct swp_session_policies *policies, const char *name)
{
	struct swp_session_service *services =
		swp_realloc(policies->services, (policies->service_count + 1) * sizeof(*services));

	if (!services)
		return -ENOMEM;
	policies->services = services;
	services[policies->service_count] = (struct swp_session_service){swp_strdup(name), policies->count};
	return services[policies->service_count++].name ? 0 : -ENOMEM;
}

/* As many groups from the first on as fit one policy: their number, or negative. */
static int take_policy(const struct group *groups, size_t count, struct swp_session_policies *policies)
{
	size_t taken = 0;
	char *text = NULL, *longer;
	int error = 0;

	while (error == 0 && taken < count) {
		error = policy_of(groups, taken + 1, &longer);
		if (error < 0 || !longer)
			break;
		swp_free(text);
		text = longer;
		error = add_service(policies, groups[taken++].name);
	}
	if (error == 0 && (!text || policies->count == SWP_LIMIT_SESSIONS))
		error = -E2BIG;
	if (error < 0) {
		swp_free(text);
		return error;
	}
	error = add_policy(policies, text);
	return error < 0 ? error : (int)taken;
}

static int spread(const struct group *groups, size_t count, struct swp_session_policies *policies)
{
	char *text;
	int taken = policy_of(groups, count, &text);

	if (taken < 0)
		return taken;
	if (text)
		return add_policy(policies, text);
	for (size_t first = 0; first < count; first += (size_t)taken) {
		taken = take_policy(groups + first, count - first, policies);
		if (taken < 0)
			return taken;
	}
	return 0;
}

static int make(const struct group *groups, size_t count, struct swp_session_policies *ret_policies)
{
	struct swp_session_policies policies = {0};
	int error = 0;

	for (size_t i = 0; error == 0 && i < count; i++)
		for (size_t j = 0; error == 0 && j < groups[i].actions.count; j++)
			if (!action_is_valid(groups[i].actions.items[j]))
				error = -EINVAL;
	if (error == 0)
		error = spread(groups, count, &policies);
	if (error < 0) {
		swp_session_policies_done(&policies);
		return error;
	}
	*ret_policies = policies;
	return 0;
}

/* --- groups --- */

struct group_list {
	struct group *items; /* owned; sorted by name */
	size_t count;
};

static void groups_done(struct group_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		swp_free(list->items[i].name);
		patterns_done(&list->items[i].actions);
	}
	swp_free(list->items);
	*list = (struct group_list){0};
}

/* The group of a name, made where it is not there yet. NULL on -ENOMEM. */
static struct group *group_of(struct group_list *list, const char *name, size_t length)
{
	struct group *items;
	size_t at = 0;

	while (at < list->count && strncmp(list->items[at].name, name, length) < 0)
		at++;
	if (at < list->count && strncmp(list->items[at].name, name, length) == 0 &&
		!list->items[at].name[length])
		return &list->items[at];
	items = swp_realloc(list->items, (list->count + 1) * sizeof(*items));
	if (!items)
		return NULL;
	list->items = items;
	memmove(&items[at + 1], &items[at], (list->count - at) * sizeof(*items));
	items[at] = (struct group){.name = swp_strndup(name, length)};
	list->count++;
	return items[at].name ? &items[at] : NULL;
}

int swp_session_policies_make(
	const char *const *actions, size_t count, struct swp_session_policies *ret_policies)
{
	SWP_CLEANUP(groups_done) struct group_list groups = {0};

	for (size_t i = 0; i < count; i++) {
		struct group *group = group_of(&groups, actions[i], strcspn(actions[i], ":"));

		if (!group || patterns_add(&group->actions, actions[i], strlen(actions[i])) < 0)
			return -ENOMEM;
	}
	return make(groups.items, groups.count, ret_policies);
}

static int add_action(const char *action, void *context)
{
	return patterns_add(context, action, strlen(action));
}

static int add_name(const struct swp_aws_service *service, void *context)
{
	return group_of(context, service->signing_name, strlen(service->signing_name)) ? 0 : -ENOMEM;
}

int swp_session_policies_for(const struct swp_catalogue *catalogue, const struct swp_selection *selection,
	struct swp_session_policies *ret_policies)
{
	static const enum swp_level levels[] = {SWP_LEVEL_REGION, SWP_LEVEL_GLOBAL, SWP_LEVEL_ORGANIZATION};
	SWP_CLEANUP(groups_done) struct group_list groups = {0};
	int error = 0;

	for (size_t i = 0; error == 0 && i < SWP_ARRAY_SIZE(levels); i++)
		error = swp_selection_services(catalogue, selection, levels[i], add_name, &groups);
	for (size_t i = 0; error == 0 && i < groups.count; i++)
		error = swp_selection_actions(
			catalogue, selection, groups.items[i].name, add_action, &groups.items[i].actions);
	return error < 0 ? error : make(groups.items, groups.count, ret_policies);
}

size_t swp_session_policies_of(const struct swp_session_policies *policies, const char *signing_name)
{
	for (size_t i = 0; i < policies->service_count; i++)
		if (strcmp(policies->services[i].name, signing_name) == 0)
			return policies->services[i].session;
	return 0;
}

void swp_session_policies_done(struct swp_session_policies *policies)
{
	for (size_t i = 0; i < policies->count; i++)
		swp_free(policies->texts[i]);
	for (size_t i = 0; i < policies->service_count; i++)
		swp_free(policies->services[i].name);
	swp_free(policies->texts);
	swp_free(policies->services);
	*policies = (struct swp_session_policies){0};
}
