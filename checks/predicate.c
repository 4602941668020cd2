/* Compiling and evaluating predicates. */
#include "checks/predicate.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/limits.h"
#include "proto/base/text.h"

enum node_kind {
	NODE_ALL,
	NODE_ANY,
	NODE_NOT,
	NODE_SOME,
	NODE_EVERY,
	NODE_NONE,
	NODE_COUNT,
	NODE_LEAF,
	NODE_BUILTIN,
	NODE_NAMED,
};

struct leaf {
	struct swp_member_path path;
	const struct swp_operator *operator;
	const struct swp_transform *transform;
	enum swp_type type;	      /* of the value the operator looks at */
	const json_t *operand;	      /* borrowed from the catalogue's document */
	struct swp_member_path other; /* SWP_OPERAND_PATH */
	int64_t duration_ms;	      /* SWP_OPERAND_DURATION */
	const json_t *fallback;	      /* default; NULL: none */
};

struct count {
	size_t low, high; /* high SIZE_MAX: no upper bound */
};

struct swp_predicate {
	enum node_kind kind;
	size_t child_count;
	const struct swp_predicate **children;
	struct leaf leaf;
	struct swp_elements elements;
	struct count count;
	const struct swp_builtin *builtin;
	struct swp_argument *arguments;
};

/* --- compiling --- */

static int compile(struct swp_compiler *compiler, const json_t *container, const char *key,
	const struct swp_predicate **ret_predicate);

int swp_lint_members(
	struct swp_lint *lint, const json_t *container, const char *what, const char *const *allowed)
{
	size_t count = 0;
	int faults = 0;
	const char *key;
	json_t *value;

	while (allowed[count])
		count++;
	json_object_foreach((json_t *)container, key, value)
	{
		bool known = false;

		for (size_t i = 0; i < count && !known; i++)
			known = swp_text_equal(allowed[i], key);
		if (known)
			continue;
		swp_lint_unknown(lint, container, key, what, key, allowed, count);
		faults = 1;
	}
	return faults;
}

static int compile_path(struct swp_compiler *compiler, const json_t *container, const char *key,
	const char *text, bool many, struct swp_member_path *ret_path)
{
	int r = swp_path_compile(
		compiler->region, &compiler->names, text, many, compiler->lint, container, key, ret_path);

	if (r == 0 && !ret_path->local)
		compiler->used |= UINT64_C(1) << ret_path->root;
	return r;
}

static int compile_list(
	struct swp_compiler *compiler, const json_t *container, const char *key, struct swp_predicate *node)
{
	const json_t *list = json_object_get(container, key);
	int r = 0;

	if (!json_is_array(list) || json_array_size(list) == 0) {
		swp_lint_fault(compiler->lint, container, key, "'%s' takes a list of predicates", key);
		return 1;
	}
	node->children = swp_region_alloc(compiler->region, json_array_size(list) * sizeof(*node->children));
	if (!node->children)
		return -ENOMEM;
	for (size_t i = 0; i < json_array_size(list) && r >= 0; i++) {
		char index[32];
		int one;

		snprintf(index, sizeof(index), "[%zu]", i);
		one = compile(compiler, list, index, &node->children[i]);
		r = one != 0 && r == 0 ? one : r;
		node->child_count++;
	}
	return r;
}

static int compile_not(
	struct swp_compiler *compiler, const json_t *container, const char *key, struct swp_predicate *node)
{
	node->children = swp_region_alloc(compiler->region, sizeof(*node->children));
	if (!node->children)
		return -ENOMEM;
	node->child_count = 1;
	return compile(compiler, container, key, &node->children[0]);
}

static int compile_in(struct swp_compiler *compiler, const json_t *body, struct swp_elements *elements)
{
	const json_t *in = json_object_get(body, "in");
	size_t count = json_is_array(in) ? json_array_size(in) : 1;
	int r = 0;

	elements->paths = swp_region_alloc(compiler->region, count * sizeof(*elements->paths));
	if (!elements->paths)
		return -ENOMEM;
	for (size_t i = 0; i < count && r == 0; i++) {
		const json_t *path = json_is_array(in) ? json_array_get(in, i) : in;

		if (!json_is_string(path)) {
			swp_lint_fault(compiler->lint, body, "in", "'in' takes a path or a list of paths");
			return 1;
		}
		r = compile_path(compiler, body, "in", json_string_value(path), true, &elements->paths[i]);
	}
	elements->path_count = count;
	return r;
}

static int compile_type(struct swp_compiler *compiler, const json_t *body, enum swp_type *ret_type)
{
	const json_t *type = json_object_get(body, "type");
	const char *names[SWP_TYPE_COUNT];

	if (!type)
		return 0;
	if (json_is_string(type) && swp_type_parse(json_string_value(type), ret_type) == 0)
		return 0;
	for (int i = 0; i < SWP_TYPE_COUNT; i++)
		names[i] = swp_type_name((enum swp_type)i);
	swp_lint_unknown(compiler->lint, body, "type", "type",
		json_is_string(type) ? json_string_value(type) : "", names, SWP_ARRAY_SIZE(names));
	return 1;
}

static int enter_local(struct swp_compiler *compiler, const json_t *body)
{
	const json_t *as = json_object_get(body, "as");
	const char *name = json_is_string(as) ? json_string_value(as) : "each";

	if ((as && !json_is_string(as)) || !*name || strpbrk(name, ".[] $*")) {
		swp_lint_fault(compiler->lint, body, "as", "'as' takes a plain name");
		return 1;
	}
	if (compiler->names.local_count == SWP_LIMIT_LOCALS) {
		swp_lint_fault(compiler->lint, body, "in", "quantifiers are nested too deep");
		return 1;
	}
	compiler->names.locals[compiler->names.local_count++] = name;
	return 0;
}

int swp_elements_compile(struct swp_compiler *compiler, const json_t *body, struct swp_elements *ret_elements)
{
	struct swp_elements elements = {.local = compiler->names.local_count};
	bool has_where = json_object_get(body, "where") != NULL;
	int r = compile_in(compiler, body, &elements);

	if (r == 0)
		r = compile_type(compiler, body, &elements.type);
	if (r == 0 && !has_where && !json_object_get(body, "type")) {
		swp_lint_fault(compiler->lint, body, "in", "say 'where' or the elements' 'type'");
		r = 1;
	}
	if (r == 0)
		r = enter_local(compiler, body);
	if (r != 0)
		return r;
	if (has_where)
		r = compile(compiler, body, "where", &elements.where);
	if (r == 0)
		*ret_elements = elements;
	else
		swp_elements_leave(compiler);
	return r;
}

void swp_elements_leave(struct swp_compiler *compiler)
{
	compiler->names.local_count--;
}

static int check_body(struct swp_compiler *compiler, const json_t *container, const char *key,
	const json_t *body, const char *const *members)
{
	if (!json_is_object(body)) {
		swp_lint_fault(compiler->lint, container, key, "'%s' takes a mapping", key);
		return 1;
	}
	return swp_lint_members(compiler->lint, body, "member", members);
}

static int compile_quantifier(
	struct swp_compiler *compiler, const json_t *container, const char *key, struct swp_predicate *node)
{
	static const char *const members[] = {"in", "as", "where", "type", NULL};
	const json_t *body = json_object_get(container, key);
	int r = check_body(compiler, container, key, body, members);

	if (r != 0)
		return r;
	r = swp_elements_compile(compiler, body, &node->elements);
	if (r == 0)
		swp_elements_leave(compiler);
	return r;
}

static int compile_count(
	struct swp_compiler *compiler, const json_t *container, const char *key, struct swp_predicate *node)
{
	static const char *const members[] = {
		"in", "as", "where", "type", "at_least", "at_most", "equals", NULL};
	const json_t *body = json_object_get(container, key);
	int r = check_body(compiler, container, key, body, members);
	unsigned bounds = 0;

	node->count = (struct count){.low = 0, .high = SIZE_MAX};
	for (const char *const *name = members + 4; r == 0 && *name; name++) {
		const json_t *bound = json_object_get(body, *name);

		if (!bound)
			continue;
		bounds++;
		if (!json_is_integer(bound) || json_integer_value(bound) < 0) {
			swp_lint_fault(compiler->lint, body, *name, "'%s' takes a number", *name);
			return 1;
		}
		if (!swp_text_equal(*name, "at_most"))
			node->count.low = (size_t)json_integer_value(bound);
		if (!swp_text_equal(*name, "at_least"))
			node->count.high = (size_t)json_integer_value(bound);
	}
	if (r == 0 && bounds == 0) {
		swp_lint_fault(compiler->lint, container, key, "'count' needs at_least, at_most or equals");
		r = 1;
	}
	if (r == 0)
		r = swp_elements_compile(compiler, body, &node->elements);
	if (r == 0)
		swp_elements_leave(compiler);
	return r;
}

static int compile_named(
	struct swp_compiler *compiler, const json_t *container, const char *key, struct swp_predicate *node)
{
	const json_t *name = json_object_get(container, key);
	const char *names[256];
	size_t count = 0;
	const char *other;
	json_t *value;

	if (json_is_string(name) && json_object_get(compiler->predicates, json_string_value(name))) {
		node->children = swp_region_alloc(compiler->region, sizeof(*node->children));
		if (!node->children)
			return -ENOMEM;
		node->child_count = 1;
		return compile(compiler, compiler->predicates, json_string_value(name), &node->children[0]);
	}
	json_object_foreach((json_t *)compiler->predicates, other, value)
	{
		if (count < SWP_ARRAY_SIZE(names))
			names[count++] = other;
	}
	swp_lint_unknown(compiler->lint, container, key, "predicate",
		json_is_string(name) ? json_string_value(name) : "", names, count);
	return 1;
}

static int find_builtin(struct swp_compiler *compiler, const json_t *container, const char *key,
	const struct swp_builtin **ret_builtin)
{
	const json_t *name = json_object_get(container, key);
	const char *text = json_is_string(name) ? json_string_value(name) : "";
	const char *names[64];

	*ret_builtin = swp_builtin_find(text);
	if (*ret_builtin)
		return 0;
	for (size_t i = 0; i < swp_builtin_count; i++)
		names[i] = swp_builtins[i].name;
	swp_lint_unknown(compiler->lint, container, key, "builtin", text, names, swp_builtin_count);
	return 1;
}

static bool texts_fit(const json_t *operand)
{
	for (size_t i = 0; i < json_array_size(operand); i++) {
		if (!json_is_string(json_array_get(operand, i)))
			return false;
	}
	return json_is_string(operand) || json_array_size(operand) > 0;
}

static bool is_scalar(const json_t *value)
{
	return json_is_string(value) || json_is_number(value) || json_is_boolean(value);
}

static bool scalars_fit(const json_t *operand)
{
	const json_t *first = json_array_get(operand, 0);

	for (size_t i = 0; i < json_array_size(operand); i++) {
		const json_t *one = json_array_get(operand, i);

		if (!is_scalar(one) || swp_type_of(one) != swp_type_of(first))
			return false;
	}
	return first != NULL;
}

static bool operand_fits(enum swp_operand_kind kind, const json_t *operand)
{
	switch (kind) {
	case SWP_OPERAND_SCALAR:
		return is_scalar(operand);
	case SWP_OPERAND_SCALARS:
		return scalars_fit(operand);
	case SWP_OPERAND_TEXT:
		return json_is_string(operand);
	case SWP_OPERAND_TEXTS:
		return texts_fit(operand);
	case SWP_OPERAND_NUMBER:
		return json_is_number(operand);
	case SWP_OPERAND_DURATION:
	case SWP_OPERAND_PATH:
		return json_is_string(operand);
	default:
		return json_is_true(operand);
	}
}

/* "$set.NAME" stands for a list of the catalogue. */
static int resolve_set(
	struct swp_compiler *compiler, const json_t *container, const char *key, const json_t **operand)
{
	const char *text = json_string_value(*operand);
	const char *names[256];
	size_t count = 0;
	const char *name;
	json_t *value;

	if (!text || !swp_text_starts(text, "$set."))
		return 0;
	*operand = json_object_get(compiler->sets, text + 5);
	if (*operand)
		return 0;
	json_object_foreach((json_t *)compiler->sets, name, value)
	{
		if (count < SWP_ARRAY_SIZE(names))
			names[count++] = name;
	}
	swp_lint_unknown(compiler->lint, container, key, "set", text + 5, names, count);
	return 1;
}

static int compile_argument(struct swp_compiler *compiler, const json_t *with,
	const struct swp_builtin_argument *argument, struct swp_argument *ret_argument)
{
	const json_t *value = json_object_get(with, argument->name);

	if (argument->kind == SWP_ARGUMENT_TEXTS) {
		int r = value ? resolve_set(compiler, with, argument->name, &value) : 0;

		ret_argument->texts = value;
		if (r != 0 || (json_is_array(value) && texts_fit(value)))
			return r;
	} else if (json_is_string(value)) {
		return compile_path(compiler, with, argument->name, json_string_value(value),
			argument->kind == SWP_ARGUMENT_PATHS, &ret_argument->path);
	}
	swp_lint_fault(compiler->lint, with, argument->name, "'%s' takes %s", argument->name,
		argument->kind == SWP_ARGUMENT_TEXTS ? "$set.NAME, or a list of texts" : "a path");
	return 1;
}

static int compile_builtin(
	struct swp_compiler *compiler, const json_t *container, const char *key, struct swp_predicate *node)
{
	const json_t *with = json_object_get(container, "with");
	const char *allowed[SWP_LIMIT_BUILTIN_ARGUMENTS + 1] = {NULL};
	int r = find_builtin(compiler, container, key, &node->builtin);

	if (r != 0)
		return r;
	node->arguments =
		swp_region_alloc(compiler->region, SWP_LIMIT_BUILTIN_ARGUMENTS * sizeof(*node->arguments));
	if (!node->arguments)
		return -ENOMEM;
	if (!json_is_object(with)) {
		swp_lint_fault(compiler->lint, container, key, "builtin '%s' needs its arguments, 'with'",
			node->builtin->name);
		return 1;
	}
	for (size_t i = 0; i < SWP_LIMIT_BUILTIN_ARGUMENTS && node->builtin->arguments[i].name && r == 0;
		i++) {
		allowed[i] = node->builtin->arguments[i].name;
		r = compile_argument(compiler, with, &node->builtin->arguments[i], &node->arguments[i]);
	}
	return r != 0 ? r : swp_lint_members(compiler->lint, with, "argument", allowed);
}

static enum swp_type leaf_type(
	const struct swp_operator *operator, const json_t * operand, enum swp_type said)
{
	if (operator->value != SWP_TYPE_ANY)
		return operator->value;
	if (operator->operand == SWP_OPERAND_SCALARS)
		return swp_type_of(json_array_get(operand, 0));
	return operator->operand == SWP_OPERAND_TRUE ? said : swp_type_of(operand);
}

static int find_operator(struct swp_compiler *compiler, const json_t *container, struct leaf *leaf)
{
	static const char *const others[] = {"path", "default", "transform", "type"};
	const char *known[64];
	size_t count = 0;
	const char *key;
	json_t *value;

	for (size_t i = 0; i < SWP_ARRAY_SIZE(others); i++)
		known[count++] = others[i];
	for (size_t i = 0; i < swp_operator_count; i++)
		known[count++] = swp_operators[i].name;
	json_object_foreach((json_t *)container, key, value)
	{
		const struct swp_operator *operator= swp_operator_find(key);
		bool other = false;

		for (size_t i = 0; i < SWP_ARRAY_SIZE(others); i++)
			other = other || swp_text_equal(others[i], key);
		if (other)
			continue;
		if (!operator) {
			swp_lint_unknown(compiler->lint, container, key, "operator", key, known, count);
			return 1;
		}
		if (leaf->operator) {
			swp_lint_fault(compiler->lint, container, key, "one operator a leaf: '%s' or '%s'",
				leaf->operator->name, key);
			return 1;
		}
		leaf->operator= operator;
		leaf->operand = value;
	}
	if (!leaf->operator)
		swp_lint_fault(compiler->lint, container, NULL, "a leaf without an operator");
	return leaf->operator? 0 : 1;
}

/* What the operand's text means, where it is no value itself. */
static int compile_meaning(struct swp_compiler *compiler, const json_t *container, struct leaf *leaf)
{
	const char *name = leaf->operator->name, *text = json_string_value(leaf->operand);

	if (leaf->operator->operand == SWP_OPERAND_PATH)
		return compile_path(compiler, container, name, text, false, &leaf->other);
	if (leaf->operator->operand == SWP_OPERAND_DURATION &&
		swp_parse_age_ms(text, &leaf->duration_ms) < 0) {
		swp_lint_fault(compiler->lint, container, name,
			"'%s' takes a duration like 90d, 12h or 30m, of at most 36525d", name);
		return 1;
	}
	return 0;
}

static int compile_leaf_type(struct swp_compiler *compiler, const json_t *container, struct leaf *leaf)
{
	const char *name = leaf->operator->name;
	enum swp_type said = SWP_TYPE_ANY;
	int r = compile_type(compiler, container, &said);

	if (r != 0)
		return r;
	leaf->type = leaf_type(leaf->operator, leaf->operand, said);
	if (leaf->type == SWP_TYPE_ANY) {
		swp_lint_fault(compiler->lint, container, name, "'%s' needs the value's 'type'", name);
		return 1;
	}
	if (said == SWP_TYPE_ANY || said == leaf->type)
		return 0;
	swp_lint_fault(compiler->lint, container, "type", "'%s' looks at a %s here", name,
		swp_type_name(leaf->type));
	return 1;
}

static int compile_operand(struct swp_compiler *compiler, const json_t *container, struct leaf *leaf)
{
	const char *name = leaf->operator->name;
	int r = resolve_set(compiler, container, name, &leaf->operand);

	if (r != 0)
		return r;
	if (!operand_fits(leaf->operator->operand, leaf->operand)) {
		swp_lint_fault(compiler->lint, container, name, "'%s' does not take such an operand", name);
		return 1;
	}
	r = compile_meaning(compiler, container, leaf);
	if (r == 0)
		r = compile_leaf_type(compiler, container, leaf);
	if (r != 0)
		return r;
	leaf->fallback = json_object_get(container, "default");
	if (leaf->fallback && !swp_type_fits(leaf->type, leaf->fallback)) {
		swp_lint_fault(compiler->lint, container, "default", "the default is no %s",
			swp_type_name(leaf->type));
		return 1;
	}
	return 0;
}

int swp_transform_compile(
	struct swp_compiler *compiler, const json_t *container, const struct swp_transform **ret_transform)
{
	const json_t *name = json_object_get(container, "transform");
	const char *text = json_is_string(name) ? json_string_value(name) : "";
	const char *names[64];

	*ret_transform = name ? swp_transform_find(text) : NULL;
	if (!name || *ret_transform)
		return 0;
	for (size_t i = 0; i < swp_transform_count; i++)
		names[i] = swp_transforms[i].name;
	swp_lint_unknown(
		compiler->lint, container, "transform", "transform", text, names, swp_transform_count);
	return 1;
}

static int compile_transform(struct swp_compiler *compiler, const json_t *container, struct leaf *leaf)
{
	int r = swp_transform_compile(compiler, container, &leaf->transform);

	if (r != 0 || !leaf->transform || leaf->transform->result == leaf->type)
		return r;
	swp_lint_fault(compiler->lint, container, "transform", "'%s' gives a %s, '%s' looks at a %s",
		leaf->transform->name, swp_type_name(leaf->transform->result), leaf->operator->name,
		swp_type_name(leaf->type));
	return 1;
}

static int compile_leaf(
	struct swp_compiler *compiler, const json_t *container, const char *key, struct swp_predicate *node)
{
	const json_t *path = json_object_get(container, "path");
	int r;

	(void)key;
	if (!json_is_string(path)) {
		swp_lint_fault(compiler->lint, container, "path", "'path' takes a text");
		return 1;
	}
	r = find_operator(compiler, container, &node->leaf);
	if (r == 0)
		r = compile_path(
			compiler, container, "path", json_string_value(path), false, &node->leaf.path);
	if (r == 0)
		r = compile_operand(compiler, container, &node->leaf);
	return r == 0 ? compile_transform(compiler, container, &node->leaf) : r;
}

static const struct node_row {
	const char *key;
	enum node_kind kind;
	int (*compile)(struct swp_compiler *compiler, const json_t *container, const char *key,
		struct swp_predicate *node);
	bool alone; /* the only member of its mapping */
} node_rows[] = {
	{"all", NODE_ALL, compile_list, true},
	{"any", NODE_ANY, compile_list, true},
	{"not", NODE_NOT, compile_not, true},
	{"some", NODE_SOME, compile_quantifier, true},
	{"every", NODE_EVERY, compile_quantifier, true},
	{"none", NODE_NONE, compile_quantifier, true},
	{"count", NODE_COUNT, compile_count, true},
	{"predicate", NODE_NAMED, compile_named, true},
	{"builtin", NODE_BUILTIN, compile_builtin, false},
	{"path", NODE_LEAF, compile_leaf, false},
};

static int unknown_node(struct swp_compiler *compiler, const json_t *node)
{
	const char *names[SWP_ARRAY_SIZE(node_rows)];
	const char *first = json_object_iter_key(json_object_iter((json_t *)node));

	for (size_t i = 0; i < SWP_ARRAY_SIZE(node_rows); i++)
		names[i] = node_rows[i].key;
	if (first)
		swp_lint_unknown(compiler->lint, node, first, "kind of predicate", first, names,
			SWP_ARRAY_SIZE(names));
	else
		swp_lint_fault(compiler->lint, node, NULL, "an empty predicate");
	return 1;
}

static int compile_row(struct swp_compiler *compiler, const struct node_row *row, const json_t *node,
	const struct swp_predicate **ret_predicate)
{
	struct swp_predicate *predicate;
	int r;

	if (row->alone && json_object_size(node) > 1) {
		swp_lint_fault(compiler->lint, node, row->key, "'%s' stands alone in its mapping", row->key);
		return 1;
	}
	predicate = swp_region_alloc(compiler->region, sizeof(*predicate));
	if (!predicate)
		return -ENOMEM;
	predicate->kind = row->kind;
	compiler->depth++;
	r = row->compile(compiler, node, row->key, predicate);
	compiler->depth--;
	if (r == 0)
		*ret_predicate = predicate;
	return r;
}

static int compile(struct swp_compiler *compiler, const json_t *container, const char *key,
	const struct swp_predicate **ret_predicate)
{
	const json_t *node = json_is_array(container) ? json_array_get(container, strtoul(key + 1, NULL, 10))
						      : json_object_get(container, key);

	if (compiler->depth == SWP_LIMIT_PREDICATE_DEPTH || ++compiler->nodes > SWP_LIMIT_PREDICATE_NODES) {
		swp_lint_fault(compiler->lint, container, key,
			"predicates are nested too deep, go round in circles, or are too many");
		return 1;
	}
	if (!json_is_object(node)) {
		swp_lint_fault(compiler->lint, container, key, "a predicate is a mapping");
		return 1;
	}
	for (size_t i = 0; i < SWP_ARRAY_SIZE(node_rows); i++) {
		if (json_object_get(node, node_rows[i].key))
			return compile_row(compiler, &node_rows[i], node, ret_predicate);
	}
	return unknown_node(compiler, node);
}

int swp_predicate_compile(struct swp_compiler *compiler, const json_t *container, const char *key,
	const struct swp_predicate **ret_predicate)
{
	return compile(compiler, container, key, ret_predicate);
}

/* --- evaluating --- */

static struct swp_truth known(bool value)
{
	return (struct swp_truth){.value = value ? SWP_TRUE : SWP_FALSE};
}

static struct swp_truth unknown(const struct swp_gap *gap)
{
	return (struct swp_truth){.value = SWP_UNKNOWN, .gap = gap ? gap : &swp_gap_pending};
}

static struct swp_truth negate(struct swp_truth truth)
{
	if (truth.value != SWP_UNKNOWN)
		truth.value = truth.value == SWP_TRUE ? SWP_FALSE : SWP_TRUE;
	return truth;
}

/* Kleene's or over the children (`decisive` TRUE), or and (FALSE). */
static struct swp_truth combine(
	const struct swp_predicate *node, struct swp_scope *scope, enum swp_truth_value decisive)
{
	const struct swp_gap *gap = NULL;

	for (size_t i = 0; i < node->child_count; i++) {
		struct swp_truth truth = swp_predicate_evaluate(node->children[i], scope);

		if (truth.value == decisive)
			return truth;
		if (truth.value == SWP_UNKNOWN)
			gap = swp_gap_first(gap, truth.gap);
	}
	return gap ? unknown(gap) : known(decisive == SWP_FALSE);
}

/* The value is there and has the operator's type. */
static struct swp_truth compare(const struct leaf *leaf, const struct swp_scope *scope, const json_t *value)
{
	const struct swp_operator *operator= leaf->operator;
	struct swp_found other = {.json = leaf->operand};
	int64_t moment_ms = 0;

	if (operator->holds_at && swp_moment_of(value, &moment_ms) == 0)
		return known(operator->holds_at(moment_ms - scope->moment_ms, leaf->duration_ms));
	if (operator->operand == SWP_OPERAND_PATH)
		other = swp_path_find(&leaf->other, scope);
	if (other.gap)
		return unknown(other.gap);
	if (!other.json)
		return known(operator->when_absent);
	if (operator->operand == SWP_OPERAND_PATH && !swp_type_fits(leaf->type, other.json))
		return unknown(other.malformed);
	return known(operator->holds(value, other.json));
}

static struct swp_truth evaluate_leaf(const struct leaf *leaf, const struct swp_scope *scope)
{
	struct swp_found found = swp_path_find(&leaf->path, scope);
	const json_t *value = found.json;
	json_t *made = NULL;
	struct swp_truth truth;

	if (found.gap)
		return unknown(found.gap);
	if (value && leaf->transform) {
		if (!json_is_string(value))
			return unknown(found.malformed);
		if (leaf->transform->apply(json_string_value(value), &made) < 0)
			return unknown(&swp_gap_memory);
		value = made;
	}
	if (!value)
		value = leaf->fallback;
	if (!value)
		truth = known(leaf->operator->when_absent);
	else if (!swp_type_fits(leaf->type, value))
		truth = unknown(found.malformed);
	else
		truth = compare(leaf, scope, value);
	json_decref(made);
	return truth;
}

struct element_visit {
	const struct swp_elements *elements;
	struct swp_scope *scope;
	swp_elements_visitor visit;
	void *context;
};

static int visit_element(const struct swp_found *found, void *context)
{
	const struct element_visit *visit = context;
	struct swp_scope *scope = visit->scope;
	struct swp_truth truth = known(true);
	int r;

	if (!found->json && !found->gap)
		return 0;
	if (found->gap)
		truth = unknown(found->gap);
	else if (!swp_type_fits(visit->elements->type, found->json))
		truth = unknown(found->malformed);
	scope->locals[scope->local_count++] =
		(struct swp_local){.json = found->json, .gap = found->gap, .malformed = found->malformed};
	if (truth.value == SWP_TRUE && visit->elements->where)
		truth = swp_predicate_evaluate(visit->elements->where, scope);
	r = visit->visit(scope, found->json, truth, visit->context);
	scope->local_count--;
	return r;
}

int swp_elements_each(const struct swp_elements *elements, struct swp_scope *scope,
	swp_elements_visitor visit, void *context, const struct swp_gap **ret_gap)
{
	struct element_visit state = {
		.elements = elements, .scope = scope, .visit = visit, .context = context};
	const struct swp_gap *gap = NULL;
	int r = 0;

	for (size_t i = 0; i < elements->path_count && r == 0; i++) {
		const struct swp_gap *one = NULL;

		r = swp_path_each(&elements->paths[i], scope, visit_element, &state, &one);
		gap = swp_gap_first(gap, one);
	}
	*ret_gap = gap;
	return r;
}

struct tally {
	size_t holding, doubtful;
	const struct swp_gap *gap;
	bool stop_at_first;
};

static int tally_element(
	struct swp_scope *scope, const json_t *element, struct swp_truth truth, void *context)
{
	struct tally *tally = context;

	(void)scope;
	(void)element;
	if (truth.value == SWP_TRUE)
		tally->holding++;
	if (truth.value == SWP_UNKNOWN) {
		tally->doubtful++;
		tally->gap = swp_gap_first(tally->gap, truth.gap);
	}
	return tally->stop_at_first && tally->holding > 0;
}

static int tally_other(struct swp_scope *scope, const json_t *element, struct swp_truth truth, void *context)
{
	return tally_element(scope, element, negate(truth), context);
}

/* Is there an element for which `where` holds (or, with `other`, does not hold)? */
static struct swp_truth evaluate_some(const struct swp_predicate *node, struct swp_scope *scope, bool other)
{
	struct tally tally = {.stop_at_first = true};
	const struct swp_gap *gap = NULL;

	swp_elements_each(&node->elements, scope, other ? tally_other : tally_element, &tally, &gap);
	if (tally.holding > 0)
		return known(true);
	gap = swp_gap_first(tally.gap, gap);
	return gap ? unknown(gap) : known(false);
}

static struct swp_truth evaluate_count(const struct swp_predicate *node, struct swp_scope *scope)
{
	struct tally tally = {0};
	const struct swp_gap *gap = NULL;
	size_t most;

	swp_elements_each(&node->elements, scope, tally_element, &tally, &gap);
	most = gap ? SIZE_MAX : tally.holding + tally.doubtful;
	if (tally.holding > node->count.high || most < node->count.low)
		return known(false);
	if (tally.holding >= node->count.low && most <= node->count.high)
		return known(true);
	return unknown(swp_gap_first(tally.gap, gap));
}

struct swp_truth swp_predicate_evaluate(const struct swp_predicate *node, struct swp_scope *scope)
{
	switch (node->kind) {
	case NODE_ALL:
		return combine(node, scope, SWP_FALSE);
	case NODE_ANY:
		return combine(node, scope, SWP_TRUE);
	case NODE_NOT:
		return negate(swp_predicate_evaluate(node->children[0], scope));
	case NODE_NAMED:
		return swp_predicate_evaluate(node->children[0], scope);
	case NODE_SOME:
		return evaluate_some(node, scope, false);
	case NODE_EVERY:
		return negate(evaluate_some(node, scope, true));
	case NODE_NONE:
		return negate(evaluate_some(node, scope, false));
	case NODE_COUNT:
		return evaluate_count(node, scope);
	case NODE_BUILTIN:
		return node->builtin->evaluate(node->arguments, scope);
	default:
		return evaluate_leaf(&node->leaf, scope);
	}
}
