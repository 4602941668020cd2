/* The linter: each kind of fault is told with file, line and, where a name is unknown, the nearest known one. And the compiler: canonical
 * bytes, files in any order, a user's catalogue on top of the built-in one.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checks/catalogue.h"
#include "proto/base/alloc.h"
#include "proto/base/limits.h"

/* A small catalogue without faults, line by line: a fault replaces one line. */
static const char *const good[] = {
	"services:",									      /* 1 */
	"  farm:",									      /* 2 */
	"    protocol: json-1.1",							      /* 3 */
	"    target: Farm",								      /* 4 */
	"    signing_name: farm",							      /* 5 */
	"    endpoint_prefix: farm",							      /* 6 */
	"    endpoint_variable: FARM",							      /* 7 */
	"    regions: [eu-west-1]",							      /* 8 */
	"    probe: [ListCows, ListBarns]",						      /* 9 */
	"    operations:",								      /* 10 */
	"      ListCows: {page: {input: T, output: T}, result: Cows}",			      /* 11 */
	"      ListBarns: {result: Barns}",						      /* 12 */
	"      DescribeCow: {required: [Name], gone: [{code: NoCow}]}",			      /* 13 */
	"  ranch:",									      /* 14 */
	"    protocol: rest-json",							      /* 15 */
	"    signing_name: ranch",							      /* 16 */
	"    endpoint_prefix: ranch",							      /* 17 */
	"    endpoint_variable: RANCH",							      /* 18 */
	"    operations:",								      /* 19 */
	"      GetCow: {method: GET, uri: \"/cows/{cow}\", query: {v: v}}",		      /* 20 */
	"sets:",									      /* 21 */
	"  colours: [red, brown]",							      /* 22 */
	"predicates:",									      /* 23 */
	"  is-red: {path: describe.Colour, equals: red}",				      /* 24 */
	"resources:",									      /* 25 */
	"  cow:",									      /* 26 */
	"    service: farm",								      /* 27 */
	"    list: {operation: ListCows}",						      /* 28 */
	"    item: {required: [Arn]}",							      /* 29 */
	"    identity: \"{list.Arn}\"",							      /* 30 */
	"    skip_when: {path: list.State, equals: Gone}",				      /* 31 */
	"    steps:",									      /* 32 */
	"      describe:",								      /* 33 */
	"        operation: DescribeCow",						      /* 34 */
	"        input: {Name: $list.Name}",						      /* 35 */
	"        gone: vanished",							      /* 36 */
	"      ranch: {service: ranch, operation: GetCow, input: {cow: $describe.Ranch}}",    /* 37 */
	"    relations:",								      /* 38 */
	"      - {relation: cow.barn, object: $describe.Barn}",				      /* 39 */
	"checks:",									      /* 40 */
	"  farm-001:",									      /* 41 */
	"    title: Cow is red",							      /* 42 */
	"    service: farm",								      /* 43 */
	"    severity: LOW",								      /* 44 */
	"    resource: cow",								      /* 45 */
	"    fail_when: {predicate: is-red}",						      /* 46 */
	"    evidence: {Colour: $describe.Colour, where: {path: ranch.Name, default: none}}", /* 47 */
	"    rationale: Red cows are seen from afar.",					      /* 48 */
	"    remediation:",								      /* 49 */
	"      text: Paint it.",							      /* 50 */
	"      cli: paint",								      /* 51 */
	"      terraform: none",							      /* 52 */
	"      effort: low",								      /* 53 */
	"      documentation: https://example.org/",					      /* 54 */
	"    compliance:",								      /* 55 */
	"      - {framework: F, id: I, standing: proposed}",				      /* 56 */
	"    aliases: [{tool: other, id: x}]",						      /* 57 */
};

static const struct {
	unsigned line; /* that is replaced */
	const char *text;
	unsigned told; /* line of the message; 0: the same */
	const char *part, *nearest;
} faults[] = {
	{1, "servces:", 0, "unknown kind of rows 'servces'", "services"},
	{3, "    protocol: jsn-1.1", 0, "unknown protocol", "json-1.1"},
	{4, "    # no target", 2, "'target' belongs to", NULL},
	{5, "    signing_nam: farm", 0, "unknown member of a service 'signing_nam'", "signing_name"},
	{5, "    # no signing name", 2, "'signing_name' is missing", NULL},
	{5, "    signing_name: \"\"", 0, "takes a text that is not empty", NULL},
	{8, "    regions: eu-west-1", 0, "takes a list of texts", NULL},
	{9, "    probe: [ListCows, ListBarn]", 0, "unknown operation 'ListBarn'", "ListBarns"},
	{9, "    probe: [ListCows]", 0, "at least two list calls", NULL},
	{9, "    # no probe", 27, "no probe set", NULL},
	{11, "      ListCows: {page: {input: T}, result: Cows}", 0, "'output' is missing", NULL},
	{11, "      ListCows: {page: {input: T, output: T}}", 0, "needs 'result'", NULL},
	{12, "      DeleteBarns: {result: Barns}", 0, "not a read", NULL},
	{12, "      ListBarns: {result: Barns, action: \"farm:*\"}", 0, "not a read", NULL},
	{12, "      ListBarns: {result: Barns, metod: GET}", 0, "unknown member of an operation 'metod'",
		"method"},
	{12, "      ListBarns: {result: Barns, json_texts: [\"Policies[]\"]}", 0,
		"takes paths of plain members", NULL},
	{12, "      ListBarns: {result: Barns, method: GET, uri: /}", 0, "only rest protocols", NULL},
	{13, "      DescribeCow: {gone: [{cod: NoCow}]}", 0, "unknown member of 'gone'", "code"},
	{20, "      GetCow: {method: GET}", 0, "needs 'method' and 'uri'", NULL},
	{20, "      GetCow: {method: PATCH, uri: /x}", 0, "unknown method", NULL},
	{22, "  colours: []", 0, "not empty", NULL},
	{24, "  is-red: {path: describe.Colour, equal: red}", 0, "unknown operator 'equal'", "equals"},
	{24, "  is-red: {path: descrbe.Colour, equals: red}", 0, "unknown beginning of a path 'descrbe'",
		"describe"},
	{24, "  is-red: {path: describe.Born, older_then: 90d}", 0, "unknown operator 'older_then'",
		"older_than"},
	{24, "  is-red: {path: describe.Born, older_than: 90 days}", 0, "takes a duration like 90d", NULL},
	{24, "  is-red: {path: describe.Born, older_than: 90}", 0, "does not take such an operand", NULL},
	{24, "  is-red: {path: describe.Born, in_past: yes}", 0, "does not take such an operand", NULL},
	{24, "  is-red: {path: describe.Born, in_past: true, type: string}", 0, "looks at a moment", NULL},
	{24, "  is-red: {path: describe.Born, absent: true, type: momnt}", 0, "unknown type", "moment"},
	{24, "  is-red: {path: describe.Colour, equals_path: descrbe.Colour}", 0,
		"unknown beginning of a path 'descrbe'", "describe"},
	{35, "        input: {Name: $list.Name, Since: {ago: 30}}", 0, "'ago' takes a duration", NULL},
	{35, "        input: {Name: $list.Name, Since: {ago: 30d}}", 0, "unknown form of a moment", NULL},
	{35, "        input: {Name: $list.Name, Since: {ago: 30d, form: second}}", 0,
		"unknown form of a moment", "seconds"},
	{47, "    evidence: {Colour: {path: describe.Colour, transform: lowercase}}", 0, "unknown transform",
		"lower-case"},
	{47, "    evidence: {Colour: {ago: 30d, form: text}}", 0, "another moment in each sweep", NULL},
	{24, "  is-red: {path: describe.Colour, in: $set.colour}", 0, "unknown set 'colour'", "colours"},
	{24, "  is-red: {path: describe.Colour, transform: lower_case, equals: red}", 0, "unknown transform",
		"lower-case"},
	{24, "  is-red: {path: \"describe.Colours[]\", equals: red}", 0, "many values", NULL},
	{24, "  is-red: {al: []}", 0, "unknown kind of predicate 'al'", "all"},
	{24, "  is-red: {builtin: policy-publik, with: {document: list.P}}", 0, "unknown builtin",
		"policy-public"},
	{24, "  is-red: {predicate: is-red}", 0, "round in circles", NULL},
	{27, "    service: frm", 0, "unknown service 'frm'", "farm"},
	{28, "    list: {operation: ListCow}", 0, "unknown operation 'ListCow'", "ListCows"},
	{28, "    list: {operation: DescribeCow}", 0, "say 'items'", NULL},
	{28, "    lst: {operation: ListCows}", 0, "unknown member of a resource 'lst'", "list"},
	{29, "    item: {required: [{path: Arn}]}", 0, "'required' is a list", NULL},
	{30, "    identity: \"{list.Arn\"", 0, "without its '}'", NULL},
	{30, "    identity: \"{lst.Arn}\"", 0, "unknown beginning of a path 'lst'", "list"},
	{30, "    identity: \"{describe.Arn}\"", 0, "unknown beginning", NULL},
	{34, "        operation: DescribeCows", 0, "unknown operation 'DescribeCows'", "DescribeCow"},
	{35, "        input: {Name: $lst.Name}", 0, "unknown beginning of a path 'lst'", "list"},
	{35, "        input: {Name: $ranch.Name}", 33, "circle", NULL},
	{36, "        gone: vanish", 0, "unknown gone 'vanish'", "vanished"},
	{36, "        gone: dropped", 0, "only a step with 'for_each'", NULL},
	{37, "      ranch: {service: ranch, operation: GetCow}", 0, "needs the input 'cow'", NULL},
	{37, "      ranch: {service: ranh, operation: GetCow, input: {cow: x}}", 0, "unknown service",
		"ranch"},
	{39, "      - {relation: cow.barn}", 0, "'object' is missing", NULL},
	{42, "    title: []", 0, "takes a text", NULL},
	{44, "    severity: LOWW", 0, "unknown severity 'LOWW'", "LOW"},
	{45, "    resource: cows", 0, "unknown resource 'cows'", "cow"},
	{46, "    fail_when: {predicate: is-redd}", 0, "unknown predicate 'is-redd'", "is-red"},
	{46, "    # nothing decides", 41, "decides a check", NULL},
	{46, "    joined: {over: account, relation: cow.barnn, fact: x}", 0, "unknown", "cow.barn"},
	{47, "    evidence: {Colour: $descrbe.Colour}", 0, "unknown beginning of a path", "describe"},
	{47, "    evidence: {Colour: {pth: describe.Colour}}", 0, "unknown member 'pth'", "path"},
	{47, "    evidence: {use: {in_use: farm}}", 0, "listed resource is in use", NULL},
	{53, "      effort: lowest", 0, "unknown effort", NULL},
	{54, "      # no documentation", 49, "'documentation' is missing", NULL},
	{56, "      - {framework: F, id: I, standing: stated}", 0, "has a 'source'", NULL},
	{56, "      - {framework: F, id: I, standing: said}", 0, "unknown standing", NULL},
	{57, "    alises: [{tool: other, id: x}]", 0, "unknown member of a check 'alises'", "aliases"},
	{57, "    title: Again", 0, "twice", NULL},
};

struct told {
	unsigned count;
	unsigned line;
	bool matches;
	const char *part, *nearest;
	char all[4096];
};

static void complain(const struct swp_lint_message *message, void *context)
{
	struct told *told = context;
	size_t used = strlen(told->all);

	told->count++;
	snprintf(told->all + used, sizeof(told->all) - used, "%s:%u: %s\n", message->file, message->line,
		message->text);
	if (message->line != told->line || !strstr(message->text, told->part))
		return;
	if (told->nearest) {
		char wanted[128];

		snprintf(wanted, sizeof(wanted), "'%s'", told->nearest);
		told->matches = told->matches || strstr(message->text, wanted);
	} else {
		told->matches = true;
	}
}

static void append(char *text, size_t size, const char *part)
{
	size_t length = strlen(text);

	assert_true(strlen(part) < size - length);
	memcpy(text + length, part, strlen(part) + 1);
}

static char *text_with(unsigned line, const char *replacement)
{
	enum { SIZE = 16384 };
	char *text = calloc(1, SIZE);

	assert_non_null(text);
	for (unsigned i = 0; i < SWP_ARRAY_SIZE(good); i++) {
		append(text, SIZE, i + 1 == line ? replacement : good[i]);
		append(text, SIZE, "\n");
	}
	return text;
}

static int compile(
	const char *text, const struct swp_catalogue *base, struct told *told, struct swp_buf *compiled)
{
	struct swp_catalogue_file file = {.name = "farm.yaml", .bytes = text, .length = strlen(text)};

	return swp_catalogue_compile(&file, 1, base, complain, told, compiled);
}

static void test_good(void **state)
{
	struct told told = {.part = "", .line = 0};
	struct swp_buf compiled = {0};
	struct swp_catalogue *catalogue = NULL;
	struct swp_problem problem = {""};
	char *text = text_with(0, "");

	(void)state;
	assert_int_equal(compile(text, NULL, &told, &compiled), 0);
	assert_int_equal(told.count, 0);
	assert_int_equal(swp_catalogue_load(compiled.data, compiled.length, &catalogue, &problem), 0);
	assert_int_equal(swp_catalogue_check_count(catalogue), 1);
	assert_string_equal(swp_catalogue_check(catalogue, 0)->id, "farm-001");
	assert_true(swp_catalogue_check(catalogue, 0)->per_resource);
	assert_int_equal(swp_catalogue_check_find(catalogue, "farm-001"), 0);
	assert_int_equal(swp_catalogue_check_find(catalogue, "farm-002"), -1);
	assert_non_null(swp_catalogue_operation(catalogue, "farm", "DescribeCow"));
	assert_string_equal(
		swp_catalogue_operation(catalogue, "farm", "DescribeCow")->action, "farm:DescribeCow");
	assert_null(swp_catalogue_operation(catalogue, "farm", "DescribeCows"));
	assert_true(
		swp_catalogue_service_listed(catalogue, swp_catalogue_service(catalogue, 0), "eu-west-1"));
	assert_false(
		swp_catalogue_service_listed(catalogue, swp_catalogue_service(catalogue, 0), "eu-west-2"));
	assert_false(
		swp_catalogue_service_listed(catalogue, swp_catalogue_service(catalogue, 1), "eu-west-1"));
	assert_int_equal(strlen(swp_catalogue_hash(catalogue)), 64);
	swp_catalogue_unref(swp_catalogue_ref(catalogue));
	swp_catalogue_unref(catalogue);
	swp_buf_done(&compiled);
	free(text);
}

static void test_faults(void **state)
{
	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(faults); i++) {
		struct told told = {.line = faults[i].told ? faults[i].told : faults[i].line,
			.part = faults[i].part,
			.nearest = faults[i].nearest};
		struct swp_buf compiled = {0};
		char *text = text_with(faults[i].line, faults[i].text);

		if (compile(text, NULL, &told, &compiled) != 1)
			fail_msg("'%s' is not refused", faults[i].text);
		if (!told.matches)
			fail_msg("'%s' is told as\n%s", faults[i].text, told.all);
		assert_int_equal(compiled.length, 0);
		swp_buf_done(&compiled);
		free(text);
	}
}

/* What the linter refuses in YAML the loader refuses in compiled text. */
static void test_load_faults(void **state)
{
	static const char *const texts[] = {"", "[]", "{", "{\"checks\": []}", "{\"checks\": {\"x\": {}}}",
		"{\"services\": {\"x\": 5}}", "{\"sets\": {}, \"sets\": {}}",
		"{\"resources\": {\"r\": {\"service\": \"nothing\", \"identity\": \"x\"}}}"};

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(texts); i++) {
		struct swp_catalogue *catalogue = NULL;
		struct swp_problem problem = {""};

		if (swp_catalogue_load(texts[i], strlen(texts[i]), &catalogue, &problem) == 0)
			fail_msg("%s is loaded", texts[i]);
		assert_true(problem.text[0]);
		assert_null(catalogue);
	}
}

static void compile_two(const char *first, const char *second, struct swp_buf *compiled)
{
	struct swp_catalogue_file files[] = {{.name = "a", .bytes = first, .length = strlen(first)},
		{.name = "b", .bytes = second, .length = strlen(second)}};
	struct told told = {.part = ""};

	if (swp_catalogue_compile(files, 2, NULL, complain, &told, compiled) != 0)
		fail_msg("%s", told.all);
}

/* The same rows give the same bytes, wherever they stand. */
static void test_canonical(void **state)
{
	struct swp_buf one = {0}, other = {0};
	char *text = text_with(0, "");
	char *cut = strstr(text, "checks:");
	char *head = strndup(text, (size_t)(cut - text));

	(void)state;
	compile_two(head, cut, &one);
	compile_two(cut, head, &other);
	assert_int_equal(one.length, other.length);
	assert_memory_equal(one.data, other.data, one.length);
	swp_buf_done(&one);
	swp_buf_done(&other);
	free(head);
	free(text);
}

static struct swp_catalogue *load_builtin(void)
{
	struct swp_catalogue *base = NULL;
	struct swp_problem problem = {""};
	size_t length;
	const char *text = swp_catalogue_builtin(&length);

	if (swp_catalogue_load(text, length, &base, &problem) != 0)
		fail_msg("%s", problem.text);
	return base;
}

/* --catalogue DIR: adds rows, replaces rows, adds operations to a service, but never replaces what is refused. */
static void test_on_top(void **state)
{
	static const char *const more = "services: {bedrock: {operations: {GetGuardrail: {method: GET, uri: "
					"\"/guardrails/{guardrailIdentifier}\"}}}}\n";
	static const char *const worse = "sets: {refused-actions: [\"x:GetY\"]}\n";
	struct swp_catalogue *base = load_builtin(), *catalogue = NULL;
	struct swp_problem problem = {""};
	struct told told = {.part = "cannot be replaced", .line = 1};
	struct swp_buf compiled = {0};

	(void)state;
	assert_int_equal(compile(more, base, &told, &compiled), 0);
	assert_int_equal(swp_catalogue_load(compiled.data, compiled.length, &catalogue, &problem), 0);
	assert_non_null(swp_catalogue_operation(catalogue, "bedrock", "GetGuardrail"));
	assert_non_null(swp_catalogue_operation(catalogue, "bedrock", "ListGuardrails"));
	assert_int_equal(swp_catalogue_check_count(catalogue), swp_catalogue_check_count(base));
	assert_string_not_equal(swp_catalogue_hash(catalogue), swp_catalogue_hash(base));
	swp_buf_clear(&compiled);
	assert_int_equal(compile(worse, base, &told, &compiled), 1);
	assert_true(told.matches);
	swp_buf_done(&compiled);
	swp_catalogue_unref(catalogue);
	swp_catalogue_unref(base);
}

/* A read that hands out secrets is refused in any catalogue that knows the set. */
static void test_refused_action(void **state)
{
	static const char *const text = "services:\n  bedrock:\n    operations:\n      GetObject: {method: "
					"GET, uri: /x, action: \"s3:GetObject\"}\n";
	struct swp_catalogue *base = load_builtin();
	struct told told = {.part = "hands out secrets", .line = 4};
	struct swp_buf compiled = {0};

	(void)state;
	assert_int_equal(compile(text, base, &told, &compiled), 1);
	assert_true(told.matches);
	swp_buf_done(&compiled);
	swp_catalogue_unref(base);
}

/* --- ceilings --- */

static void crosses(const char *yaml, const char *part)
{
	struct told told = {.part = part, .line = 0};
	struct swp_buf compiled = {0};

	if (compile(yaml, NULL, &told, &compiled) != 1 || !strstr(told.all, part))
		fail_msg("'%s' is not told: %s", part, told.all);
	swp_buf_done(&compiled);
}

static void keeps(const char *yaml)
{
	struct told told = {.part = ""};
	struct swp_buf compiled = {0};

	if (compile(yaml, NULL, &told, &compiled) != 0)
		fail_msg("%s", told.all);
	swp_buf_done(&compiled);
}

/* The good catalogue with another cow: `count` steps, each behind the one before if `chained`. */
static char *cow_with_steps(unsigned count, bool chained)
{
	struct swp_buf text = {0};
	char *yaml;

	for (unsigned i = 0; i < 31; i++)
		swp_buf_append_format(&text, "%s\n", good[i]);
	swp_buf_append_text(
		&text, "    steps:\n      describe: {operation: DescribeCow, input: {Name: $list.Name}}\n");
	for (unsigned i = 1; i < count; i++)
		swp_buf_append_format(&text,
			"      s%u: {operation: DescribeCow, input: {Name: $%s%.0u.Name}}\n", i,
			chained && i > 1 ? "s" : "describe", chained && i > 1 ? i - 1 : 0);
	yaml = swp_buf_steal(&text);
	assert_non_null(yaml);
	return yaml;
}

static char *good_with_predicate(const char *predicate)
{
	char line[8192];

	snprintf(line, sizeof(line), "  is-red: %s", predicate);
	return text_with(24, line);
}

static void repeat(char *text, size_t size, const char *part, unsigned times)
{
	while (times-- > 0)
		append(text, size, part);
}

static void test_step_ceilings(void **state)
{
	char *yaml;

	(void)state;
	yaml = cow_with_steps(SWP_LIMIT_STEPS, false);
	keeps(yaml);
	swp_free(yaml);
	yaml = cow_with_steps(SWP_LIMIT_STEPS + 1, false);
	crosses(yaml, "more than 60 steps");
	swp_free(yaml);
	yaml = cow_with_steps(SWP_LIMIT_FOLLOW_DEPTH, true);
	keeps(yaml);
	swp_free(yaml);
	yaml = cow_with_steps(SWP_LIMIT_FOLLOW_DEPTH + 2, true);
	crosses(yaml, "steps behind one another");
	swp_free(yaml);
}

static void test_predicate_ceilings(void **state)
{
	char text[8192], *yaml;

	(void)state;
	for (unsigned depth = SWP_LIMIT_PREDICATE_DEPTH - 2; depth <= SWP_LIMIT_PREDICATE_DEPTH; depth += 2) {
		text[0] = '\0';
		repeat(text, sizeof(text), "{not: ", depth);
		append(text, sizeof(text), "{path: describe.Colour, equals: red}");
		repeat(text, sizeof(text), "}", depth);
		yaml = good_with_predicate(text);
		if (depth < SWP_LIMIT_PREDICATE_DEPTH)
			keeps(yaml);
		else
			crosses(yaml, "nested too deep");
		free(yaml);
	}
	text[0] = '\0';
	append(text, sizeof(text), "{path: describe");
	repeat(text, sizeof(text), ".x", 40);
	append(text, sizeof(text), ", equals: red}");
	yaml = good_with_predicate(text);
	crosses(yaml, "is no path");
	free(yaml);
	text[0] = '\0';
	repeat(text, sizeof(text), "{some: {in: \"describe.L[]\", where: ", 9);
	append(text, sizeof(text), "{path: describe.Colour, equals: red}");
	repeat(text, sizeof(text), "}}", 9);
	yaml = good_with_predicate(text);
	crosses(yaml, "quantifiers are nested too deep");
	free(yaml);
	/* Named ones that double at each level. */
	text[0] = '\0';
	append(text, sizeof(text), "{all: [{predicate: p0}, {predicate: p0}]}");
	for (unsigned i = 0; i < 16; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			"\n  p%u: {all: [{predicate: p%u}, {predicate: p%u}]}", i, i + 1, i + 1);
	append(text, sizeof(text), "\n  p16: {path: describe.Colour, equals: red}");
	yaml = good_with_predicate(text);
	crosses(yaml, "too many");
	free(yaml);
}

static void test_row_ceiling(void **state)
{
	struct swp_buf text = {0};

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		swp_buf_append_format(&text, "%s\n", good[i]);
	for (unsigned i = 0; i <= SWP_LIMIT_CATALOGUE_ROWS; i++)
		swp_buf_append_format(&text, "      List%u: {result: X}\n", i);
	swp_buf_append_text(&text, "      ListCows: {result: X}\n      ListBarns: {result: X}\n");
	assert_int_equal(text.failed, 0);
	crosses(text.data, "more than 10000 rows");
	swp_buf_done(&text);
}

enum { ACTIONS_BYTES = 4096 };

static int add_action(const char *action, void *context)
{
	append(context, ACTIONS_BYTES, action);
	append(context, ACTIONS_BYTES, " ");
	return 0;
}

static int count_service(const struct swp_aws_service *service, void *context)
{
	assert_non_null(service->name);
	++*(unsigned *)context;
	return 0;
}

static void test_selection(void **state)
{
	struct swp_catalogue *base = load_builtin();
	struct swp_selection selection = {{0}};
	char actions[ACTIONS_BYTES] = "";
	unsigned services = 0;
	struct swp_buf arn = {0};

	(void)state;
	swp_selection_set(&selection, (size_t)swp_catalogue_check_find(base, "aws-sagemaker-003"), true);
	assert_int_equal(swp_selection_count(base, &selection), 1);
	assert_int_equal(swp_selection_count_level(base, &selection, SWP_LEVEL_REGION), 1);
	assert_int_equal(swp_selection_count_level(base, &selection, SWP_LEVEL_GLOBAL), 0);
	assert_true(swp_selection_needs_level(base, &selection, SWP_LEVEL_REGION));
	assert_false(swp_selection_needs_level(base, &selection, SWP_LEVEL_GLOBAL));
	assert_int_equal(swp_selection_actions(base, &selection, NULL, add_action, actions), 0);
	/* The probe set belongs to it, sorted, each once. */
	assert_string_equal(actions,
		"sagemaker:DescribeEndpoint sagemaker:DescribeEndpointConfig sagemaker:ListEndpoints "
		"sagemaker:ListNotebookInstances ");
	assert_int_equal(
		swp_selection_services(base, &selection, SWP_LEVEL_REGION, count_service, &services), 0);
	assert_int_equal(services, 1);
	assert_true(swp_selection_expected_calls(base, &selection, SWP_LEVEL_REGION) >= 3);
	swp_selection_all(base, &selection);
	assert_int_equal(swp_selection_count(base, &selection), swp_catalogue_check_count(base));
	assert_int_equal(swp_check_resource(swp_catalogue_check(base, (size_t)swp_catalogue_check_find(
									      base, "aws-bedrock-002")),
				 "aws-cn", "111122223333", "cn-north-1", NULL, &arn),
		0);
	assert_string_equal(swp_buf_text(&arn), "arn:aws-cn:bedrock:cn-north-1:111122223333:guardrails");
	swp_buf_done(&arn);
	swp_catalogue_unref(base);
}

static void test_out_of_memory(void **state)
{
	char *text = text_with(0, "");
	unsigned long n = 1;
	int r;

	(void)state;
	do {
		struct told told = {.part = ""};
		struct swp_buf compiled = {0};
		struct swp_catalogue *catalogue = NULL;

		swp_alloc_fail_at(n, 0);
		r = compile(text, NULL, &told, &compiled);
		if (r == 0)
			r = swp_catalogue_load(compiled.data, compiled.length, &catalogue, NULL);
		swp_alloc_fail_at(0, 0);
		assert_true(r == 0 || r == -12);
		swp_catalogue_unref(catalogue);
		swp_buf_done(&compiled);
		n++;
	} while (r != 0);
	assert_true(n > 50);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_load_faults),
		cmocka_unit_test(test_canonical),
		cmocka_unit_test(test_on_top),
		cmocka_unit_test(test_refused_action),
		cmocka_unit_test(test_step_ceilings),
		cmocka_unit_test(test_predicate_ceilings),
		cmocka_unit_test(test_row_ceiling),
		cmocka_unit_test(test_selection),
		cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
