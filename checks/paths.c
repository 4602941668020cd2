/* Paths: compiled once, resolved without parsing. */
#include "checks/paths.h"

#include <errno.h>
#include <string.h>

#include "proto/base/text.h"

const struct swp_gap swp_gap_pending = {
	.reason = SWP_REASON_NONE, .action = "", .error_code = "", .message = "", .request_id = ""};
const struct swp_gap swp_gap_memory = {.reason = SWP_REASON_LIMIT_REACHED,
	.action = "",
	.error_code = "",
	.message = "out of memory",
	.request_id = ""};
const struct swp_gap swp_gap_job = {.reason = SWP_REASON_MALFORMED_RESPONSE,
	.action = "",
	.error_code = "",
	.message = "a member of the job is a text",
	.request_id = ""};

const struct swp_gap *swp_gap_first(const struct swp_gap *a, const struct swp_gap *b)
{
	if (!a || !b)
		return a ? a : b;
	if (a == &swp_gap_memory || b == &swp_gap_memory)
		return &swp_gap_memory;
	if (a->reason == SWP_REASON_NONE || b->reason == SWP_REASON_NONE)
		return a->reason == SWP_REASON_NONE ? b : a;
	return swp_reason_first(a->reason, b->reason) == a->reason ? a : b;
}

/* --- compiling --- */

static bool find_root(const struct swp_names *names, const char *word, struct swp_member_path *path)
{
	if (!*word)
		return false;
	for (size_t i = names->local_count; i-- > 0;) {
		if (swp_text_equal(names->locals[i], word)) {
			path->local = true;
			path->root = i;
			return true;
		}
	}
	for (size_t i = 0; i < names->root_count; i++) {
		if (swp_text_equal(names->roots[i], word)) {
			path->local = false;
			path->root = i;
			return true;
		}
	}
	return false;
}

static int unknown_root(const struct swp_names *names, const char *word, struct swp_lint *lint,
	const json_t *container, const char *key)
{
	const char *all[128];
	size_t count = 0;

	for (size_t i = 0; i < names->root_count && count < SWP_ARRAY_SIZE(all); i++)
		all[count++] = names->roots[i];
	for (size_t i = 0; i < names->local_count && count < SWP_ARRAY_SIZE(all); i++)
		all[count++] = names->locals[i];
	swp_lint_unknown(lint, container, key, "beginning of a path", word, all, count);
	return 1;
}

/* One dot-separated part: "member", "member[]", "*", at the end "member!". Appends one or two segments. */
static int add_part(struct swp_region *region, const char *part, size_t length,
	struct swp_path_segment *segments, size_t *count)
{
	bool elements = length >= 2 && memcmp(part + length - 2, "[]", 2) == 0;
	bool required = length >= 1 && part[length - 1] == '!' && part[length] == '\0';
	char *member;

	if (elements)
		length -= 2;
	if (required)
		length--;
	if (length == 0 || *count + 2 > SWP_LIMIT_PATH_SEGMENTS)
		return 1;
	member = swp_region_strndup(region, part, length);
	if (!member)
		return -ENOMEM;
	if (strpbrk(member, "[] ${}!") || (required && swp_text_equal(member, "*")))
		return 1;
	segments[(*count)++] = swp_text_equal(member, "*")
				       ? (struct swp_path_segment){.kind = SWP_STEP_VALUES}
				       : (struct swp_path_segment){.member = member, .required = required};
	if (elements)
		segments[(*count)++] = (struct swp_path_segment){.kind = SWP_STEP_ELEMENTS};
	return 0;
}

static int add_parts(
	struct swp_region *region, const char *rest, struct swp_path_segment *segments, size_t *count)
{
	int r = 0;

	if (strncmp(rest, "[]", 2) == 0) {
		segments[(*count)++] = (struct swp_path_segment){.kind = SWP_STEP_ELEMENTS};
		rest += 2;
	}
	while (*rest && r == 0) {
		size_t length;

		if (*rest++ != '.')
			return 1;
		length = strcspn(rest, ".");
		r = add_part(region, rest, length, segments, count);
		rest += length;
	}
	return r;
}

static bool has_many(const struct swp_path_segment *segments, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (segments[i].kind != SWP_STEP_MEMBER)
			return true;
	}
	return false;
}

int swp_path_compile(struct swp_region *region, const struct swp_names *names, const char *text,
	bool may_be_many, struct swp_lint *lint, const json_t *container, const char *key,
	struct swp_member_path *ret_path)
{
	struct swp_path_segment segments[SWP_LIMIT_PATH_SEGMENTS];
	size_t root_length = strcspn(text, ".[");
	struct swp_member_path path = {0};
	char *root = swp_region_strndup(region, text, root_length);
	int r;

	path.text = swp_region_strdup(region, text);
	if (!root || !path.text)
		return -ENOMEM;
	if (!find_root(names, root, &path))
		return unknown_root(names, root, lint, container, key);
	r = add_parts(region, text + root_length, segments, &path.count);
	if (r > 0)
		swp_lint_fault(lint, container, key, "'%.200s' is no path", text);
	if (r != 0)
		return r;
	path.many = has_many(segments, path.count);
	if (path.many && !may_be_many) {
		swp_lint_fault(lint, container, key, "'%.200s' has many values; one is wanted here", text);
		return 1;
	}
	path.segments = swp_region_memdup(region, segments, path.count * sizeof(*segments) + 1);
	if (!path.segments)
		return -ENOMEM;
	*ret_path = path;
	return 0;
}

/* --- resolving --- */

static struct swp_found root_of(const struct swp_member_path *path, const struct swp_scope *scope)
{
	if (path->local) {
		const struct swp_local *local = &scope->locals[path->root];

		return (struct swp_found){
			.json = local->json, .gap = local->gap, .malformed = local->malformed};
	}
	const struct swp_value *value = &scope->roots[path->root];

	switch (value->state) {
	case SWP_VALUE_READ:
		return (struct swp_found){.json = value->json, .malformed = value->malformed};
	case SWP_VALUE_ABSENT:
		return (struct swp_found){0};
	case SWP_VALUE_UNREAD:
		return (struct swp_found){.gap = value->gap};
	default:
		return (struct swp_found){.gap = &swp_gap_pending};
	}
}

static struct swp_found member_of(struct swp_found found, const struct swp_path_segment *segment)
{
	if (!found.json)
		return found;
	if (!json_is_object(found.json))
		return (struct swp_found){.gap = found.malformed, .malformed = found.malformed};
	found.json = json_object_get(found.json, segment->member);
	if (json_is_null(found.json))
		found.json = NULL;
	if (!found.json && segment->required)
		found.gap = found.malformed;
	return found;
}

struct swp_found swp_path_find(const struct swp_member_path *path, const struct swp_scope *scope)
{
	struct swp_found found = root_of(path, scope);

	if (json_is_null(found.json))
		found.json = NULL;
	for (size_t i = 0; i < path->count && found.json; i++)
		found = member_of(found, &path->segments[i]);
	return found;
}

struct walker {
	const struct swp_member_path *path;
	const struct swp_value *root; /* whose element gaps count at the first array; NULL for locals */
	swp_path_visitor visit;
	void *context;
	const struct swp_gap *gap;
};

static int walk(struct walker *walker, struct swp_found found, size_t index, bool in_element);

static int walk_array(struct walker *walker, struct swp_found found, size_t index)
{
	bool of_root = walker->root && found.json == walker->root->json;
	const struct swp_gap *const *gaps = of_root ? walker->root->element_gaps : NULL;
	size_t count = json_array_size(found.json);
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++) {
		struct swp_found element = {
			.json = json_array_get(found.json, i), .malformed = found.malformed};

		if (gaps && gaps[i])
			element = (struct swp_found){.gap = gaps[i], .malformed = found.malformed};
		else if (json_is_null(element.json))
			element = (struct swp_found){.gap = found.malformed, .malformed = found.malformed};
		r = walk(walker, element, index, true);
	}
	if (of_root)
		walker->gap = swp_gap_first(walker->gap, walker->root->gap);
	return r;
}

static int walk_values(struct walker *walker, struct swp_found found, size_t index)
{
	const char *key;
	json_t *value;
	int r = 0;

	json_object_foreach((json_t *)found.json, key, value)
	{
		struct swp_found element = {.json = value, .malformed = found.malformed};

		r = walk(walker, element, index, true);
		if (r != 0)
			break;
	}
	return r;
}

static int walk(struct walker *walker, struct swp_found found, size_t index, bool in_element)
{
	const struct swp_path_segment *segment;

	for (; index < walker->path->count && found.json; index++) {
		segment = &walker->path->segments[index];
		if (segment->kind == SWP_STEP_MEMBER) {
			found = member_of(found, segment);
			continue;
		}
		if (segment->kind == SWP_STEP_ELEMENTS && json_is_array(found.json))
			return walk_array(walker, found, index + 1);
		if (segment->kind == SWP_STEP_VALUES && json_is_object(found.json))
			return walk_values(walker, found, index + 1);
		found = (struct swp_found){.gap = found.malformed, .malformed = found.malformed};
	}
	if (found.gap && !in_element) {
		walker->gap = swp_gap_first(walker->gap, found.gap);
		return 0;
	}
	return found.json || in_element ? walker->visit(&found, walker->context) : 0;
}

int swp_path_each(const struct swp_member_path *path, const struct swp_scope *scope, swp_path_visitor visit,
	void *context, const struct swp_gap **ret_gap)
{
	struct walker walker = {.path = path, .visit = visit, .context = context};
	struct swp_found found = root_of(path, scope);
	int r;

	if (!path->local && scope->roots[path->root].state == SWP_VALUE_READ)
		walker.root = &scope->roots[path->root];
	r = walk(&walker, found, 0, false);
	*ret_gap = walker.gap;
	return r;
}
