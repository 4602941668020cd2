/* The shapes of the catalogue's rows, and the walker that holds rows against them. docs/catalogue.md tells what each member means. */
#include "checks/shape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/error.h"
#include "proto/base/text.h"

#define TEXT(n)                                                                                              \
	{                                                                                                    \
		.name = (n), .kind = SWP_MEMBER_TEXT                                                         \
	}
#define TEXTS(n)                                                                                             \
	{                                                                                                    \
		.name = (n), .kind = SWP_MEMBER_TEXTS                                                        \
	}
#define ANY(n)                                                                                               \
	{                                                                                                    \
		.name = (n), .kind = SWP_MEMBER_ANY                                                          \
	}
#define MAP(n)                                                                                               \
	{                                                                                                    \
		.name = (n), .kind = SWP_MEMBER_MAP                                                          \
	}
#define NUMBER(n)                                                                                            \
	{                                                                                                    \
		.name = (n), .kind = SWP_MEMBER_NUMBER                                                       \
	}
#define WORD(n, list)                                                                                        \
	{                                                                                                    \
		.name = (n), .kind = SWP_MEMBER_WORD, .words = (list)                                        \
	}
#define OBJECT(n, of)                                                                                        \
	{                                                                                                    \
		.name = (n), .kind = SWP_MEMBER_OBJECT, .shape = (of)                                        \
	}
#define OBJECTS(n, of)                                                                                       \
	{                                                                                                    \
		.name = (n), .kind = SWP_MEMBER_OBJECTS, .shape = (of)                                       \
	}
#define MUST_TEXT(n)                                                                                         \
	{                                                                                                    \
		.name = (n), .kind = SWP_MEMBER_TEXT, .required = true                                       \
	}

static const char *const protocol_words[] = {
	"json-1.0", "json-1.1", "rest-json", "query", "ec2", "rest-xml", NULL};
static const char *const scope_words[] = {"regional", "global", NULL};
static const char *const level_words[] = {"region", "global", "organization", NULL};
static const char *const method_words[] = {"GET", "HEAD", "POST", "PUT", NULL};
static const char *const gone_words[] = {"vanished", "unread", "absent", "dropped", NULL};
static const char *const severity_words[] = {"INFO", "LOW", "MEDIUM", "HIGH", "CRITICAL", NULL};
static const char *const effort_words[] = {"low", "medium", "high", NULL};
static const char *const standing_words[] = {"stated", "proposed", NULL};

static const struct swp_member document_members[] = {
	MAP("services"), MAP("sets"), MAP("predicates"), MAP("resources"), MAP("checks"), MAP("chains"), {0}};
const struct swp_shape swp_shape_document = {"kind of rows", document_members};

static const struct swp_member service_members[] = {
	{.name = "protocol", .kind = SWP_MEMBER_WORD, .required = true, .words = protocol_words},
	TEXT("version"),
	TEXT("target"),
	MUST_TEXT("signing_name"),
	MUST_TEXT("endpoint_prefix"),
	MUST_TEXT("endpoint_variable"),
	WORD("scope", scope_words),
	TEXT("action_prefix"),
	TEXTS("regions"),
	NUMBER("rate"),
	TEXTS("probe"),
	{.name = "operations", .kind = SWP_MEMBER_MAP, .required = true},
	{0},
};
const struct swp_shape swp_shape_service = {"member of a service", service_members};

static const struct swp_member page_members[] = {
	MUST_TEXT("input"),
	MUST_TEXT("output"),
	TEXT("more"),
	{0},
};
static const struct swp_shape page_shape = {"member of 'page'", page_members};

static const struct swp_member gone_members[] = {
	MUST_TEXT("code"),
	TEXT("contains"),
	{0},
};
static const struct swp_shape gone_shape = {"member of 'gone'", gone_members};

static const struct swp_member operation_members[] = {
	WORD("method", method_words),
	TEXT("uri"),
	MAP("query"),
	TEXT("host_label"),
	TEXT("action"),
	MAP("input"),
	OBJECT("page", &page_shape),
	TEXT("result"),
	TEXTS("required"),
	TEXTS("lists"),
	TEXTS("json_texts"),
	OBJECTS("gone", &gone_shape),
	{0},
};
const struct swp_shape swp_shape_operation = {"member of an operation", operation_members};

static const struct swp_member list_members[] = {
	MUST_TEXT("operation"),
	TEXT("service"),
	MAP("input"),
	TEXT("items"),
	{0},
};
static const struct swp_shape list_shape = {"member of 'list'", list_members};

static const struct swp_member item_members[] = {ANY("required"), {0}};
static const struct swp_shape item_shape = {"member of 'item'", item_members};

static const struct swp_member fact_members[] = {
	MUST_TEXT("fact"),
	ANY("subject"),
	{.name = "value", .kind = SWP_MEMBER_ANY, .required = true},
	{0},
};
static const struct swp_shape fact_shape = {"member of a fact", fact_members};

static const struct swp_member relation_members[] = {
	MUST_TEXT("relation"),
	{.name = "object", .kind = SWP_MEMBER_ANY, .required = true},
	ANY("for_each"),
	{0},
};
static const struct swp_shape relation_shape = {"member of a relation", relation_members};

static const struct swp_member resource_members[] = {
	MUST_TEXT("service"),
	WORD("level", level_words),
	OBJECT("list", &list_shape),
	OBJECT("item", &item_shape),
	MUST_TEXT("identity"),
	ANY("skip_when"),
	MAP("steps"),
	OBJECTS("facts", &fact_shape),
	OBJECTS("relations", &relation_shape),
	TEXT("use"),
	ANY("use_when"),
	NUMBER("expected"),
	{0},
};
const struct swp_shape swp_shape_resource = {"member of a resource", resource_members};

static const struct swp_member step_members[] = {
	MUST_TEXT("operation"),
	TEXT("service"),
	MAP("input"),
	TEXT("items"),
	ANY("required"),
	TEXT("for_each"),
	TEXT("as"),
	ANY("when"),
	WORD("gone", gone_words),
	{0},
};
const struct swp_shape swp_shape_step = {"member of a step", step_members};

static const struct swp_member remediation_members[] = {
	MUST_TEXT("text"),
	MUST_TEXT("cli"),
	MUST_TEXT("terraform"),
	{.name = "effort", .kind = SWP_MEMBER_WORD, .required = true, .words = effort_words},
	MUST_TEXT("documentation"),
	{0},
};
static const struct swp_shape remediation_shape = {"member of 'remediation'", remediation_members};

static const struct swp_member compliance_members[] = {
	MUST_TEXT("framework"),
	MUST_TEXT("id"),
	{.name = "standing", .kind = SWP_MEMBER_WORD, .required = true, .words = standing_words},
	TEXT("source"),
	{0},
};
static const struct swp_shape compliance_shape = {"member of a compliance id", compliance_members};

static const struct swp_member alias_members[] = {
	MUST_TEXT("tool"),
	MUST_TEXT("id"),
	{0},
};
static const struct swp_shape alias_shape = {"member of an alias", alias_members};

static const struct swp_member check_members[] = {
	MUST_TEXT("title"),
	MUST_TEXT("service"),
	{.name = "severity", .kind = SWP_MEMBER_WORD, .required = true, .words = severity_words},
	MUST_TEXT("resource"),
	ANY("fail_when"),
	ANY("pass_when"),
	ANY("not_applicable_when"),
	MAP("evidence"),
	ANY("joined"),
	MUST_TEXT("rationale"),
	{.name = "remediation", .kind = SWP_MEMBER_OBJECT, .required = true, .shape = &remediation_shape},
	OBJECTS("compliance", &compliance_shape),
	OBJECTS("aliases", &alias_shape),
	TEXTS("notes"),
	TEXTS("references"),
	{0},
};
const struct swp_shape swp_shape_check_row = {"member of a check", check_members};

/* --- the walker --- */

static bool check_shape(struct swp_lint *lint, const json_t *container, const char *key, const json_t *node,
	const struct swp_shape *shape);

static bool check_word(
	struct swp_lint *lint, const json_t *container, const struct swp_member *member, const json_t *value)
{
	const char *text = json_is_string(value) ? json_string_value(value) : "";
	size_t count = 0;

	for (; member->words[count]; count++) {
		if (swp_text_equal(member->words[count], text))
			return true;
	}
	swp_lint_unknown(lint, container, member->name, member->name, text, member->words, count);
	return false;
}

static bool check_texts(const json_t *value)
{
	for (size_t i = 0; i < json_array_size(value); i++) {
		if (json_string_length(json_array_get(value, i)) == 0)
			return false;
	}
	return json_is_array(value);
}

static bool check_objects(struct swp_lint *lint, const struct swp_member *member, const json_t *value)
{
	bool good = true;

	for (size_t i = 0; i < json_array_size(value); i++) {
		char index[32];

		snprintf(index, sizeof(index), "[%zu]", i);
		good = check_shape(lint, value, index, json_array_get(value, i), member->shape) && good;
	}
	return good;
}

static const char *const kind_texts[] = {
	[SWP_MEMBER_ANY] = "anything",
	[SWP_MEMBER_TEXT] = "a text that is not empty",
	[SWP_MEMBER_TEXTS] = "a list of texts",
	[SWP_MEMBER_NUMBER] = "a number",
	[SWP_MEMBER_WORD] = "a word",
	[SWP_MEMBER_OBJECT] = "a mapping",
	[SWP_MEMBER_OBJECTS] = "a list of mappings",
	[SWP_MEMBER_MAP] = "a mapping",
};

static bool kind_fits(enum swp_member_kind kind, const json_t *value)
{
	switch (kind) {
	case SWP_MEMBER_TEXT:
		return json_string_length(value) > 0;
	case SWP_MEMBER_TEXTS:
		return check_texts(value);
	case SWP_MEMBER_NUMBER:
		return json_is_number(value) && json_number_value(value) >= 0;
	case SWP_MEMBER_OBJECT:
	case SWP_MEMBER_MAP:
		return json_is_object(value);
	case SWP_MEMBER_OBJECTS:
		return json_is_array(value);
	default:
		return true;
	}
}

static bool check_member(
	struct swp_lint *lint, const json_t *container, const struct swp_member *member, const json_t *value)
{
	if (!kind_fits(member->kind, value)) {
		swp_lint_fault(lint, container, member->name, "'%s' takes %s", member->name,
			kind_texts[member->kind]);
		return false;
	}
	if (member->kind == SWP_MEMBER_WORD)
		return check_word(lint, container, member, value);
	if (member->kind == SWP_MEMBER_OBJECT)
		return check_shape(lint, container, member->name, value, member->shape);
	return member->kind != SWP_MEMBER_OBJECTS || check_objects(lint, member, value);
}

static const struct swp_member *find_member(const struct swp_shape *shape, const char *name)
{
	for (const struct swp_member *member = shape->members; member->name; member++) {
		if (swp_text_equal(member->name, name))
			return member;
	}
	return NULL;
}

static void tell_unknown(
	struct swp_lint *lint, const json_t *container, const char *key, const struct swp_shape *shape)
{
	const char *names[32];
	size_t count = 0;

	for (const struct swp_member *member = shape->members; member->name && count < SWP_ARRAY_SIZE(names);
		member++)
		names[count++] = member->name;
	swp_lint_unknown(lint, container, key, shape->what, key, names, count);
}

static bool check_shape(struct swp_lint *lint, const json_t *container, const char *key, const json_t *node,
	const struct swp_shape *shape)
{
	bool good = true;
	const char *name;
	json_t *value;

	if (!json_is_object(node)) {
		swp_lint_fault(lint, container, key, "a mapping is wanted here");
		return false;
	}
	json_object_foreach((json_t *)node, name, value)
	{
		const struct swp_member *member = find_member(shape, name);

		if (!member)
			tell_unknown(lint, node, name, shape);
		good = member && check_member(lint, node, member, value) && good;
	}
	for (const struct swp_member *member = shape->members; member->name; member++) {
		if (!member->required || json_object_get(node, member->name))
			continue;
		swp_lint_fault(lint, container, key, "'%s' is missing", member->name);
		good = false;
	}
	return good;
}

bool swp_shape_check(
	struct swp_lint *lint, const json_t *container, const char *key, const struct swp_shape *shape)
{
	return check_shape(lint, container, key, key ? json_object_get(container, key) : container, shape);
}
