/* Compiling and evaluating expressions. */
#include "checks/expression.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/clock.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

enum kind {
	KIND_PATH,
	KIND_TEMPLATE,
	KIND_LITERAL,
	KIND_FIRST,
	KIND_COLLECT,
	KIND_COUNT,
	KIND_TRUTH,
	KIND_IN_USE,
	KIND_AGO
};

struct piece { /* of a template: text before a path, and the path (none at the end) */
	const char *text;
	bool has_path;
	struct swp_member_path path;
};

struct swp_expression {
	enum kind kind;
	const struct swp_predicate *when;
	struct swp_member_path path;
	const struct swp_transform *transform; /* of what the path leads to */
	const json_t *literal; /* or the default of a path; borrowed from the catalogue's document */
	size_t piece_count;
	struct piece *pieces;
	struct swp_elements elements;
	const struct swp_expression *value; /* of an element */
	const struct swp_predicate *truth;
	const char *family;
	int64_t ago_ms;
	bool as_seconds;
};

/* --- compiling --- */

static int compile_path_text(struct swp_compiler *compiler, const json_t *container, const char *key,
	const char *text, struct swp_member_path *ret_path)
{
	int r = swp_path_compile(
		compiler->region, &compiler->names, text, false, compiler->lint, container, key, ret_path);

	if (r == 0 && !ret_path->local)
		compiler->used |= UINT64_C(1) << ret_path->root;
	return r;
}

/* "{partition}" is short for "{job.partition}". */
static char *template_path(struct swp_compiler *compiler, const char *text, size_t length)
{
	bool is_short = !memchr(text, '.', length);

	for (size_t i = 0; i < compiler->names.root_count && is_short; i++) {
		const char *root = compiler->names.roots[i];

		is_short = strncmp(root, text, length) != 0 || root[length] != '\0';
	}
	return swp_region_format(compiler->region, "%s%.*s", is_short ? "job." : "", (int)length, text);
}

static int compile_piece(struct swp_compiler *compiler, const json_t *container, const char *key,
	const char **at, struct piece *piece)
{
	size_t plain = strcspn(*at, "{"), length;
	char *path;

	piece->text = swp_region_strndup(compiler->region, *at, plain);
	if (!piece->text)
		return -ENOMEM;
	*at += plain;
	if (!**at)
		return 0;
	length = strcspn(*at + 1, "}");
	if (!(*at)[1 + length] || length == 0) {
		swp_lint_fault(
			compiler->lint, container, key, "a '{' without its '}', or nothing between them");
		return 1;
	}
	path = template_path(compiler, *at + 1, length);
	if (!path)
		return -ENOMEM;
	*at += length + 2;
	piece->has_path = true;
	return compile_path_text(compiler, container, key, path, &piece->path);
}

static int compile_template(struct swp_compiler *compiler, const json_t *container, const char *key,
	const char *text, struct swp_expression *expression)
{
	size_t most = 1;
	int r = 0;

	for (const char *at = text; *at; at++)
		most += *at == '{';
	expression->pieces = swp_region_alloc(compiler->region, most * sizeof(*expression->pieces));
	if (!expression->pieces)
		return -ENOMEM;
	while (*text && r == 0)
		r = compile_piece(
			compiler, container, key, &text, &expression->pieces[expression->piece_count++]);
	return r;
}

static const char *const plain_members[] = {"path", "template", "literal", "first", "collect", "count",
	"truth", "in_use", "ago", "form", "transform", "default", "when", NULL};

static int kind_path(
	struct swp_compiler *compiler, const json_t *body, const char *key, struct swp_expression *expression)
{
	const json_t *path = json_object_get(body, key);
	int r;

	expression->literal = json_object_get(body, "default");
	if (!json_is_string(path)) {
		swp_lint_fault(compiler->lint, body, key, "'path' takes a text");
		return 1;
	}
	r = compile_path_text(compiler, body, key, json_string_value(path), &expression->path);
	return r == 0 ? swp_transform_compile(compiler, body, &expression->transform) : r;
}

static int kind_template(
	struct swp_compiler *compiler, const json_t *body, const char *key, struct swp_expression *expression)
{
	const json_t *text = json_object_get(body, key);

	if (json_is_string(text))
		return compile_template(compiler, body, key, json_string_value(text), expression);
	swp_lint_fault(compiler->lint, body, key, "'template' takes a text");
	return 1;
}

static int kind_literal(
	struct swp_compiler *compiler, const json_t *body, const char *key, struct swp_expression *expression)
{
	(void)compiler;
	expression->literal = json_object_get(body, key);
	return 0;
}

static int kind_elements(struct swp_compiler *compiler, const json_t *container, const char *key,
	struct swp_expression *expression)
{
	static const char *const members[] = {"in", "as", "where", "type", "value", NULL};
	const json_t *body = json_object_get(container, key);
	int r;

	if (!json_is_object(body)) {
		swp_lint_fault(compiler->lint, container, key, "'%s' takes a mapping", key);
		return 1;
	}
	r = swp_lint_members(compiler->lint, body, "member", members);
	if (r == 0)
		r = swp_elements_compile(compiler, body, &expression->elements);
	if (r != 0)
		return r;
	if (expression->kind != KIND_COUNT)
		r = swp_expression_compile(compiler, body, "value", &expression->value);
	swp_elements_leave(compiler);
	return r;
}

static int kind_truth(
	struct swp_compiler *compiler, const json_t *body, const char *key, struct swp_expression *expression)
{
	return swp_predicate_compile(compiler, body, key, &expression->truth);
}

static int kind_in_use(
	struct swp_compiler *compiler, const json_t *body, const char *key, struct swp_expression *expression)
{
	expression->family = json_string_value(json_object_get(body, key));
	if (expression->family)
		return 0;
	swp_lint_fault(compiler->lint, body, key, "'in_use' takes a family's name");
	return 1;
}

/* A moment to ask for: JSON 1.1 wants seconds, a query string mostly text. */
static int kind_ago(
	struct swp_compiler *compiler, const json_t *body, const char *key, struct swp_expression *expression)
{
	static const char *const forms[] = {"text", "seconds"};
	const char *ago = json_string_value(json_object_get(body, key));
	const char *form = json_string_value(json_object_get(body, "form"));

	if (!ago || swp_parse_age_ms(ago, &expression->ago_ms) < 0) {
		swp_lint_fault(compiler->lint, body, key, "'ago' takes a duration like 90d, 12h or 30m");
		return 1;
	}
	expression->as_seconds = form && swp_text_equal(form, "seconds");
	if (expression->as_seconds || (form && swp_text_equal(form, "text")))
		return 0;
	swp_lint_unknown(compiler->lint, body, form ? "form" : key, "form of a moment", form ? form : "",
		forms, SWP_ARRAY_SIZE(forms));
	return 1;
}

static const struct kind_row {
	const char *key;
	enum kind kind;
	int (*compile)(struct swp_compiler *compiler, const json_t *body, const char *key,
		struct swp_expression *expression);
} kind_rows[] = {
	{"path", KIND_PATH, kind_path},
	{"template", KIND_TEMPLATE, kind_template},
	{"literal", KIND_LITERAL, kind_literal},
	{"first", KIND_FIRST, kind_elements},
	{"collect", KIND_COLLECT, kind_elements},
	{"count", KIND_COUNT, kind_elements},
	{"truth", KIND_TRUTH, kind_truth},
	{"in_use", KIND_IN_USE, kind_in_use},
	{"ago", KIND_AGO, kind_ago},
};

static int compile_body(struct swp_compiler *compiler, const json_t *body, struct swp_expression *expression)
{
	int r = swp_lint_members(compiler->lint, body, "member", plain_members);
	const struct kind_row *row = NULL;
	size_t kinds = 0;

	for (size_t i = 0; i < SWP_ARRAY_SIZE(kind_rows); i++) {
		if (!json_object_get(body, kind_rows[i].key))
			continue;
		row = &kind_rows[i];
		kinds++;
	}
	if (r != 0)
		return r;
	if (kinds != 1) {
		swp_lint_fault(compiler->lint, body, NULL,
			"one of path, template, literal, first, collect, count, truth, in_use, ago");
		return 1;
	}
	expression->kind = row->kind;
	r = row->compile(compiler, body, row->key, expression);
	if (r == 0 && json_object_get(body, "when"))
		r = swp_predicate_compile(compiler, body, "when", &expression->when);
	return r;
}

static int compile_text(struct swp_compiler *compiler, const json_t *container, const char *key,
	const json_t *node, struct swp_expression *expression)
{
	const char *text = json_string_value(node);

	if (text && *text == '$') {
		expression->kind = KIND_PATH;
		return compile_path_text(compiler, container, key, text + 1, &expression->path);
	}
	expression->kind = KIND_LITERAL;
	expression->literal = node;
	return 0;
}

static const json_t *node_of(const json_t *container, const char *key)
{
	return json_is_array(container) ? json_array_get(container, strtoul(key + 1, NULL, 10))
					: json_object_get(container, key);
}

int swp_expression_compile(struct swp_compiler *compiler, const json_t *container, const char *key,
	const struct swp_expression **ret_expression)
{
	const json_t *node = node_of(container, key);
	struct swp_expression *expression = swp_region_alloc(compiler->region, sizeof(*expression));
	int r;

	if (!expression)
		return -ENOMEM;
	if (!node) {
		swp_lint_fault(compiler->lint, container, key, "'%s' is missing", key);
		return 1;
	}
	r = json_is_object(node) ? compile_body(compiler, node, expression)
				 : compile_text(compiler, container, key, node, expression);
	if (r == 0)
		*ret_expression = expression;
	return r;
}

int swp_template_compile(struct swp_compiler *compiler, const json_t *container, const char *key,
	const struct swp_expression **ret_expression)
{
	const json_t *node = json_object_get(container, key);
	struct swp_expression *expression = swp_region_alloc(compiler->region, sizeof(*expression));
	int r;

	if (!expression)
		return -ENOMEM;
	if (!json_is_string(node)) {
		swp_lint_fault(compiler->lint, container, key, "'%s' takes a text", key);
		return 1;
	}
	expression->kind = KIND_TEMPLATE;
	r = compile_template(compiler, container, key, json_string_value(node), expression);
	if (r == 0)
		*ret_expression = expression;
	return r;
}

bool swp_expression_is_own(const struct swp_expression *expression)
{
	return expression->kind == KIND_LITERAL || expression->kind == KIND_AGO;
}

const char *swp_expression_family(const struct swp_expression *expression)
{
	return expression->family;
}

/* --- evaluating --- */

static int evaluate_path(
	const struct swp_expression *expression, const struct swp_scope *scope, struct swp_evaluated *result)
{
	struct swp_found found = swp_path_find(&expression->path, scope);
	int r = 0;

	if (found.json && expression->transform && !json_is_string(found.json))
		result->gap = found.malformed;
	else if (found.json && expression->transform)
		r = expression->transform->apply(json_string_value(found.json), &result->value);
	else if (found.json)
		result->value = json_incref((json_t *)(uintptr_t)found.json);
	else
		result->gap = found.gap;
	if (r == 0 && !result->value && !result->gap && expression->literal) {
		result->value = json_incref((json_t *)(uintptr_t)expression->literal);
		result->defaulted = true;
	}
	return r;
}

static int evaluate_template(
	const struct swp_expression *expression, struct swp_scope *scope, struct swp_evaluated *result)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf text = {.limit_bytes = SWP_LIMIT_ARN_BYTES};

	for (size_t i = 0; i < expression->piece_count; i++) {
		const struct piece *piece = &expression->pieces[i];
		struct swp_found found = {0};

		swp_buf_append_text(&text, piece->text);
		if (!piece->has_path)
			continue;
		found = swp_path_find(&piece->path, scope);
		if (found.json && !json_is_string(found.json))
			found = (struct swp_found){.gap = found.malformed};
		if (!found.json || json_string_length(found.json) == 0) {
			result->gap = found.json ? NULL : found.gap;
			return 0;
		}
		swp_buf_append(&text, json_string_value(found.json), json_string_length(found.json));
	}
	if (text.failed == -E2BIG) /* longer than any ARN may be: as if it were not there */
		return 0;
	result->value = text.failed ? NULL : json_stringn(swp_buf_text(&text), text.length);
	return result->value ? 0 : -ENOMEM;
}

struct gathering {
	const struct swp_expression *expression;
	struct swp_evaluated *result;
	const struct swp_gap *gap;
	size_t count;
	int error;
};

/* Ends the walk at the first element that holds, or before an element of which that isn't known. */
static int take_first(struct swp_scope *scope, const json_t *element, struct swp_truth truth, void *context)
{
	struct gathering *gathering = context;

	(void)element;
	if (truth.value != SWP_TRUE)
		return 0;
	gathering->error = swp_expression_evaluate(gathering->expression->value, scope, gathering->result);
	gathering->count++;
	return 1;
}

static int take_all(struct swp_scope *scope, const json_t *element, struct swp_truth truth, void *context)
{
	struct gathering *gathering = context;
	struct swp_evaluated one = {0};

	(void)element;
	if (truth.value == SWP_UNKNOWN)
		gathering->gap = swp_gap_first(gathering->gap, truth.gap);
	if (truth.value != SWP_TRUE)
		return 0;
	gathering->count++;
	if (gathering->expression->kind == KIND_COUNT)
		return 0;
	gathering->error = swp_expression_evaluate(gathering->expression->value, scope, &one);
	if (one.gap)
		gathering->gap = swp_gap_first(gathering->gap, one.gap);
	if (one.value && json_array_append_new(gathering->result->value, one.value) < 0)
		gathering->error = -ENOMEM;
	return gathering->error;
}

static int compare_values(const void *a, const void *b)
{
	const json_t *x = *(const json_t *const *)a, *y = *(const json_t *const *)b;

	if (json_is_string(x) && json_is_string(y))
		return strcmp(json_string_value(x), json_string_value(y));
	if (json_is_number(x) && json_is_number(y))
		return (json_number_value(x) > json_number_value(y)) -
		       (json_number_value(x) < json_number_value(y));
	return (int)json_typeof(x) - (int)json_typeof(y);
}

/* Sorted, each once. Takes `list`; NULL when out of memory. */
static json_t *sorted_set(json_t *list)
{
	size_t count = json_array_size(list);
	json_t **values = swp_calloc(count + 1, sizeof(*values));
	json_t *set = values ? json_array() : NULL;

	for (size_t i = 0; set && i < count; i++)
		values[i] = json_array_get(list, i);
	if (set)
		qsort(values, count, sizeof(*values), compare_values);
	for (size_t i = 0; set && i < count; i++) {
		if (i > 0 && json_equal(values[i - 1], values[i]))
			continue;
		if (json_array_append(set, values[i]) < 0) {
			json_decref(set);
			set = NULL;
		}
	}
	swp_free(values);
	json_decref(list);
	return set;
}

static int evaluate_elements(
	const struct swp_expression *expression, struct swp_scope *scope, struct swp_evaluated *result)
{
	struct gathering gathering = {.expression = expression, .result = result};
	const struct swp_gap *gap = NULL;

	if (expression->kind == KIND_FIRST) {
		swp_elements_each(&expression->elements, scope, take_first, &gathering, &gap);
		if (gathering.count == 0)
			result->gap = gap;
		return gathering.error;
	}
	if (expression->kind == KIND_COLLECT && !(result->value = json_array()))
		return -ENOMEM;
	swp_elements_each(&expression->elements, scope, take_all, &gathering, &gap);
	result->gap = swp_gap_first(gathering.gap, gap);
	if (gathering.error == 0 && expression->kind == KIND_COLLECT)
		result->value = sorted_set(result->value);
	if (gathering.error == 0 && expression->kind == KIND_COUNT)
		result->value = json_integer((json_int_t)gathering.count);
	if (gathering.error == 0 && !result->value)
		gathering.error = -ENOMEM;
	if (gathering.error != 0 || result->gap) {
		json_decref(result->value);
		result->value = NULL;
	}
	return gathering.error;
}

static int evaluate_ago(
	const struct swp_expression *expression, const struct swp_scope *scope, struct swp_evaluated *result)
{
	int64_t moment_ms = scope->moment_ms - expression->ago_ms;
	char text[SWP_TIME_TEXT_BYTES];

	swp_time_format(moment_ms, text);
	result->value = expression->as_seconds ? json_integer(moment_ms / 1000) : json_string(text);
	return result->value ? 0 : -ENOMEM;
}

static int evaluate_kind(
	const struct swp_expression *expression, struct swp_scope *scope, struct swp_evaluated *result)
{
	struct swp_truth truth;

	switch (expression->kind) {
	case KIND_PATH:
		return evaluate_path(expression, scope, result);
	case KIND_TEMPLATE:
		return evaluate_template(expression, scope, result);
	case KIND_LITERAL:
		result->value = json_incref((json_t *)(uintptr_t)expression->literal);
		return 0;
	case KIND_TRUTH:
		truth = swp_predicate_evaluate(expression->truth, scope);
		result->gap = truth.value == SWP_UNKNOWN ? truth.gap : NULL;
		result->value = truth.value == SWP_UNKNOWN ? NULL : json_boolean(truth.value == SWP_TRUE);
		return 0;
	case KIND_IN_USE:
		return 0;
	case KIND_AGO:
		return evaluate_ago(expression, scope, result);
	default:
		return evaluate_elements(expression, scope, result);
	}
}

int swp_expression_evaluate(
	const struct swp_expression *expression, struct swp_scope *scope, struct swp_evaluated *ret_evaluated)
{
	struct swp_evaluated result = {0};
	struct swp_truth when = {.value = SWP_TRUE};
	int r = 0;

	if (expression->when)
		when = swp_predicate_evaluate(expression->when, scope);
	if (when.value == SWP_UNKNOWN)
		result.gap = when.gap;
	if (when.value == SWP_TRUE)
		r = evaluate_kind(expression, scope, &result);
	if (r == 0)
		*ret_evaluated = result;
	return r;
}
