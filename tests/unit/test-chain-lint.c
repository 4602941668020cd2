/* The linter of chains and joined checks: what must be refused, each with its line and message; and that what we ship passes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "checks/chain-lint.h"
#include "checks/correlation.h"
#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

static struct swp_catalogue *base;
static char
	*rows; /* the test's services, resources and checks: tests/catalogue/chains.yaml without its chains */

static void take(const struct swp_lint_message *message, void *context)
{
	swp_buf_append_format(context, "%s:%u: %s\n", message->file, message->line, message->text);
}

static int set_up(void **state)
{
	struct swp_problem problem = {""};
	size_t length;
	const char *builtin = swp_catalogue_builtin(&length);
	FILE *stream = fopen("tests/catalogue/chains.yaml", "rb");
	char *end;

	(void)state;
	rows = calloc(1, 1 << 16);
	if (!stream || !rows || swp_catalogue_load(builtin, length, &base, &problem) < 0)
		return -1;
	length = fread(rows, 1, (1 << 16) - 1, stream);
	fclose(stream);
	end = strstr(rows, "\nchains:\n");
	if (!end || length == 0)
		return -1;
	end[1] = '\0';
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	swp_catalogue_unref(base);
	free(rows);
	return 0;
}

/* Compiles the test's rows and one more file. */
static int compile(const char *yaml, struct swp_buf *ret_complaints)
{
	const struct swp_catalogue_file files[] = {
		{"rows.yaml", rows, strlen(rows)}, {"own.yaml", yaml, strlen(yaml)}};
	struct swp_buf compiled = {0};
	int r = swp_catalogue_compile(files, 2, base, take, ret_complaints, &compiled);

	swp_buf_done(&compiled);
	return r;
}

/* A chain of which one line is replaced: `from` begins it (blanks aside), `to` is the new one; NULL: it goes. */
static const char *const good_chain[] = {
	"chains:",
	"  TC-1:",
	"    name: A chain",
	"    severity: HIGH",
	"    basis: resource",
	"    legs:",
	"      - name: open",
	"        finding: test-agent-001",
	"        bind: {agent: resource, region: region}",
	"      - name: runs",
	"        relation: agent.role",
	"        bind: {agent: subject, role: object}",
	"      - name: strong",
	"        fact: role.over_privileged",
	"        bind: {role: subject}",
	"    amplifiers:",
	"      - name: more",
	"        finding: test-agent-002",
	"        bind: {agent: resource}",
	"    instance: [agent]",
	"    regions: [region]",
	"    resources: [agent, role]",
	"    narrative: {confirmed: 'Agent {agent}.', unverified: 'Perhaps {agent}.'}",
	"    not_shown: more.",
	"    references: ['https://example.org/']",
};

struct edit {
	const char *name;
	size_t line; /* from 1 */
	const char *to;
	const char *
		expected; /* a line of the complaints, or its beginning after "own.yaml:"; NULL: it is good */
};

static void build(const struct edit *edit, struct swp_buf *ret_yaml)
{
	for (size_t i = 0; i < SWP_ARRAY_SIZE(good_chain); i++) {
		const char *line = edit && edit->line == i + 1 ? edit->to : good_chain[i];

		if (line)
			swp_buf_append_format(ret_yaml, "%s\n", line);
	}
}

static const struct edit edits[] = {
	{"unknown check", 8, "        finding: test-agent-01",
		"8: unknown check 'test-agent-01' (nearest known: 'test-agent-001')"},
	{"unknown check in a list", 8, "        finding: [test-agent-001, aws-sagemaker-01]",
		"8: unknown check 'aws-sagemaker-01' (nearest known: 'aws-sagemaker-001')"},
	{"unknown fact", 14, "        fact: role.overprivileged",
		"14: unknown fact 'role.overprivileged' (nearest known: 'role.over_privileged')"},
	{"unknown relation", 11, "        relation: agent.rolle",
		"11: unknown relation 'agent.rolle' (nearest known: 'agent.role')"},
	{"a fact is no relation", 11, "        relation: bucket.public",
		"11: unknown relation 'bucket.public'"},
	{"unknown variable of the instance", 20, "    instance: [agnet]",
		"20: unknown variable 'agnet' (nearest known: 'agent')"},
	{"unknown variable of the resources", 22, "    resources: [agent, rol]",
		"22: unknown variable 'rol' (nearest known: 'role')"},
	{"unknown column", 9, "        bind: {agent: resorce, region: region}",
		"9: unknown column 'resorce' (nearest known: 'resource')"},
	{"a column of another kind", 15, "        bind: {role: object}",
		"15: unknown column 'object' (nearest known: 'subject')"},
	{"unknown member of a chain", 20, "    instanze: [agent]",
		"20: unknown member of a chain 'instanze' (nearest known: 'instance')"},
	{"unknown member of a leg", 9, "        binds: {agent: resource}",
		"9: unknown member of a leg 'binds' (nearest known: 'bind')"},
	{"unknown severity", 4, "    severity: HIHG", "4: unknown severity 'HIHG' (nearest known: 'HIGH')"},
	{"unknown basis", 5, "    basis: resources",
		"5: unknown basis 'resources' (nearest known: 'resource')"},
	{"no name", 3, NULL, "2: 'name' is missing"},
	{"no leg", 6, "    legs: []\n    ignored:", "7: unknown member of a chain 'ignored'"},
	{"legs and paths", 5,
		"    basis: resource\n    paths: [{name: x, legs: [{name: y, finding: test-agent-001, bind: "
		"{agent: resource}}]}]",
		"6: a chain has either 'legs' or 'paths'"},
	{"two kinds in a leg", 8, "        finding: test-agent-001\n        fact: role.over_privileged",
		"7: exactly one of 'finding', 'fact', 'relation'"},
	{"value of a finding", 8, "        finding: test-agent-001\n        value: true",
		"9: only a fact has 'value'"},
	{"unread list of a fact", 14, "        fact: role.over_privileged\n        unread_list: ignore",
		"15: only a finding has 'unread_list'"},
	{"a value that is no scalar", 14, "        fact: role.over_privileged\n        value: [1]",
		"15: 'value' takes a text, number, true or false"},
	{"missing without an earlier leg", 15, "        missing: fail",
		"15: 'missing' needs a subject that an earlier leg binds"},
	{"an unknown word for missing", 14, "        fact: role.over_privileged\n        missing: fale",
		"15: unknown missing 'fale' (nearest known: 'fail')"},
	{"a relation behind its object", 9, "        bind: {agent: resource, role: region}",
		"12: a relation stands before the legs about its object"},
	{"a variable in capitals", 9, "        bind: {Agent: resource}",
		"9: a variable is named with small letters, digits and _"},
	{"instance bound nowhere", 20, "    instance: [role, region, agent]", NULL},
	{"counted leg that is joined", 8, "        finding: test-agent-001\n        at_least: 2", NULL},
	{"counted leg, joined by more than the instance", 12,
		"        at_least: 2\n        bind: {agent: subject, role: object}",
		"12: a counted leg shares no variable with others but the instance's"},
	{"counted to one", 8, "        finding: test-agent-001\n        at_least: 1",
		"9: 'at_least' takes a whole number above 1"},
	{"narrative with a variable that filters could change", 23,
		"    narrative: {confirmed: 'Role {role}.', unverified: 'Perhaps.'}",
		"23: unknown variable 'role'"},
	{"narrative with an open brace", 23,
		"    narrative: {confirmed: 'Agent {agent.', unverified: 'Perhaps.'}",
		"23: a '{' without its '}'"},
	{"no text for what is unverified", 23, "    narrative: {confirmed: 'Agent {agent}.'}",
		"23: a chain of several legs needs 'unverified'"},
	{"what is not shown must be told", 24, NULL, "2: 'not_shown' is missing"},
	{"over the organization without an account", 5, "    basis: resource\n    over: organization",
		"6: over the organization 'account' names the variable"},
	{"an account in an account", 5, "    basis: resource\n    account: agent",
		"6: 'account' is for chains over the organization"},
	{"different of one", 5, "    basis: resource\n    different: [[agent]]",
		"6: 'different' takes a list of pairs"},
	{"different of unknown", 5, "    basis: resource\n    different: [[agent, rolle]]",
		"6: unknown variable 'rolle'"},
	{"the member list in an account", 14, "        fact: organization.account",
		"14: the member list is known at the sweep's end"},
	{"a check joined over the organization in an account", 8, "        finding: test-joined-002",
		"8: 'test-joined-002' is joined over the organization"},
	{"an amplifier of an unknown check", 18, "        finding: test-agent-02",
		"18: unknown check 'test-agent-02'"},
	{"an amplifier between two legs", 19, "        bind: {region: region, role: resource}",
		"19: what an amplifier shares with the chain is the instance's, or of one leg"},
	{"alternatives that bind different variables", 8,
		"        any: [{finding: test-agent-001, bind: {agent: resource}}, {finding: test-agent-002, "
		"bind: {region: region}}]\n        xx: 1",
		"9: unknown member of a leg 'xx'"},
};

static void test_edits(void **state)
{
	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(edits); i++) {
		struct swp_buf yaml = {0}, complaints = {0}, wanted = {0};
		int r;

		build(&edits[i], &yaml);
		r = compile(swp_buf_text(&yaml), &complaints);
		if (edits[i].expected)
			swp_buf_append_format(&wanted, "own.yaml:%s", edits[i].expected);
		if (r != (edits[i].expected ? 1 : 0) ||
			(edits[i].expected && !strstr(swp_buf_text(&complaints), swp_buf_text(&wanted)))) {
			fprintf(stderr, "%s: got %d\n--- wanted\n%s\n--- got\n%s", edits[i].name, r,
				swp_buf_text(&wanted), swp_buf_text(&complaints));
			fail();
		}
		swp_buf_done(&yaml);
		swp_buf_done(&complaints);
		swp_buf_done(&wanted);
	}
}

static void test_alternatives_bind_the_same(void **state)
{
	static const char yaml[] =
		"chains:\n  TC-1:\n    name: A\n    severity: LOW\n    basis: region\n    legs:\n      - "
		"name: one\n        any:\n"
		"          - {finding: test-agent-001, bind: {region: region}}\n"
		"          - {finding: test-agent-002, bind: {region: region, agent: resource}}\n"
		"    instance: [region]\n    narrative: {confirmed: x}\n    not_shown: y\n";
	struct swp_buf complaints = {0};

	(void)state;
	assert_int_equal(compile(yaml, &complaints), 1);
	assert_string_equal(swp_buf_text(&complaints),
		"own.yaml:10: all alternatives of a leg bind the same variables\n");
	swp_buf_done(&complaints);
}

static void test_good_chain(void **state)
{
	struct swp_buf yaml = {0}, complaints = {0};

	(void)state;
	build(NULL, &yaml);
	assert_int_equal(compile(swp_buf_text(&yaml), &complaints), 0);
	assert_string_equal(swp_buf_text(&complaints), "");
	swp_buf_done(&yaml);
	swp_buf_done(&complaints);
}

/* --- ceilings --- */

/* A chain with so many legs, variables or paths. */
static void build_large(size_t legs, size_t variables, size_t paths, struct swp_buf *ret_yaml)
{
	swp_buf_append_text(ret_yaml,
		"chains:\n  TC-1:\n    name: A\n    severity: LOW\n    basis: resource\n    instance: [v0]\n"
		"    narrative: {confirmed: x, unverified: x}\n    not_shown: y\n    paths:\n");
	for (size_t p = 0; p < paths; p++) {
		swp_buf_append_format(ret_yaml, "      - name: p%zu\n        legs:\n", p);
		for (size_t i = 0; i < legs; i++) {
			swp_buf_append_format(ret_yaml,
				"          - name: l%zu\n            finding: test-agent-001\n            "
				"bind: {",
				i);
			for (size_t v = 0; v < variables; v++)
				swp_buf_append_format(ret_yaml, "%sv%zu: resource", v ? ", " : "", v);
			swp_buf_append_text(ret_yaml, "}\n");
		}
	}
}

static void test_ceilings(void **state)
{
	static const struct {
		size_t legs, variables, paths;
		int expected;
	} sizes[] = {
		{SWP_LIMIT_CHAIN_LEGS, SWP_LIMIT_CHAIN_VARIABLES, SWP_LIMIT_CHAIN_PATHS, 0},
		{SWP_LIMIT_CHAIN_LEGS + 1, 1, 1, 1},
		{1, SWP_LIMIT_CHAIN_VARIABLES + 1, 1, 1},
		{1, 1, SWP_LIMIT_CHAIN_PATHS + 1, 1},
		{0, 0, 1, 1},
	};

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(sizes); i++) {
		struct swp_buf yaml = {0}, complaints = {0};

		build_large(sizes[i].legs, sizes[i].variables, sizes[i].paths, &yaml);
		if (compile(swp_buf_text(&yaml), &complaints) != sizes[i].expected)
			fail_msg("row %zu: %s", i, swp_buf_text(&complaints));
		swp_buf_done(&yaml);
		swp_buf_done(&complaints);
	}
}

static void test_ceiling_of_alternatives(void **state)
{
	(void)state;
	for (size_t count = SWP_LIMIT_CHAIN_ALTERNATIVES; count <= SWP_LIMIT_CHAIN_ALTERNATIVES + 1;
		count++) {
		struct swp_buf yaml = {0}, complaints = {0};

		swp_buf_append_text(&yaml,
			"chains:\n  TC-1:\n    name: A\n    severity: LOW\n    basis: resource\n    "
			"instance: [v]\n"
			"    narrative: {confirmed: x}\n    not_shown: y\n    legs:\n      - name: l\n"
			"        bind: {v: resource}\n        finding: [");
		for (size_t i = 0; i < count; i++)
			swp_buf_append_format(&yaml, "%stest-agent-001", i ? ", " : "");
		swp_buf_append_text(&yaml, "]\n");
		assert_int_equal(
			compile(swp_buf_text(&yaml), &complaints), count > SWP_LIMIT_CHAIN_ALTERNATIVES);
		swp_buf_done(&yaml);
		swp_buf_done(&complaints);
	}
}

/* --- joined checks --- */

static void test_joined(void **state)
{
	static const struct {
		const char *joined, *expected;
	} cases[] = {
		{"{over: organization, relation: source.bucket, fact: bucket.public, missing: fail, none: "
		 "fail}",
			NULL},
		{"{relation: source.bucket, fact: bucket.public}", NULL},
		{"{relation: source.bucked, fact: bucket.public}",
			"unknown relation of that resource 'source.bucked' (nearest known: 'source.bucket')"},
		{"{relation: agent.role, fact: bucket.public}",
			"unknown relation of that resource 'agent.role'"},
		{"{relation: source.bucket, fact: bucket.publik}",
			"unknown fact 'bucket.publik' (nearest known: 'bucket.public')"},
		{"{relation: source.bucket}", "'fact' is missing"},
		{"{relation: source.bucket, fact: bucket.public, over: organisation}",
			"unknown over 'organisation' (nearest known: 'organization')"},
		{"{relation: source.bucket, fact: bucket.public, missing: no}", "unknown missing 'no'"},
		{"{relation: source.bucket, fact: bucket.public, value: {a: 1}}", "'value' takes"},
		{"{relation: source.bucket, fact: bucket.public, other: 1}",
			"unknown member of 'joined' 'other'"},
		{"{relation: source.bucket, fact: organization.account}",
			"the member list is known at the sweep's end"},
	};

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(cases); i++) {
		struct swp_buf yaml = {0}, complaints = {0};
		int r;

		swp_buf_append_format(&yaml,
			"checks:\n  test-own-001:\n    title: T\n    service: chaintest\n    severity: LOW\n "
			"   resource: chaintest-source\n"
			"    joined: %s\n    rationale: R\n    remediation: {text: t, cli: c, terraform: t, "
			"effort: low, documentation: d}\n",
			cases[i].joined);
		r = compile(swp_buf_text(&yaml), &complaints);
		if (r != (cases[i].expected ? 1 : 0) ||
			(cases[i].expected && !strstr(swp_buf_text(&complaints), cases[i].expected))) {
			fprintf(stderr, "%s: got %d\n%s", cases[i].joined, r, swp_buf_text(&complaints));
			fail();
		}
		swp_buf_done(&yaml);
		swp_buf_done(&complaints);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_chain),
		cmocka_unit_test(test_edits),
		cmocka_unit_test(test_alternatives_bind_the_same),
		cmocka_unit_test(test_ceilings),
		cmocka_unit_test(test_ceiling_of_alternatives),
		cmocka_unit_test(test_joined),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
