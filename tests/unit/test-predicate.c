/* Predicates: each row of the operator table, each text function, truth tables, quantifiers over lists that were not wholly read. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checks/expression.h"
#include "checks/operators.h"
#include "checks/predicate.h"
#include "proto/base/error.h"

static const struct swp_gap denied = {
	.reason = SWP_REASON_DENIED_IAM, .action = "a", .error_code = "", .message = "", .request_id = ""};
static const struct swp_gap timed_out = {
	.reason = SWP_REASON_TIMEOUT, .action = "a", .error_code = "", .message = "", .request_id = ""};
static const struct swp_gap malformed = {.reason = SWP_REASON_MALFORMED_RESPONSE,
	.action = "a",
	.error_code = "",
	.message = "",
	.request_id = ""};

static const char *const root_names[] = {"doc", "denied", "timeout", "absent", "partial", "holes"};

#define SWEEP_STARTED_AT_MS INT64_C(1795334400000) /* 2026-11-22T08:00:00Z */

struct bench {
	struct swp_region *region;
	json_t *documents[8];
	size_t document_count;
	json_t *library; /* sets and predicates */
	struct swp_value roots[SWP_ARRAY_SIZE(root_names)];
	struct swp_problem problem;
	unsigned faults;
};

static json_t *read_json(struct bench *bench, const char *text)
{
	json_error_t error;
	json_t *value = json_loads(text, JSON_DECODE_ANY, &error);

	if (!value)
		fail_msg("%s: %s", text, error.text);
	if (bench)
		bench->documents[bench->document_count++] = value;
	return value;
}

static const struct swp_gap *const hole_gaps[] = {NULL, &denied};

static void bench_init(struct bench *bench, const char *document)
{
	*bench = (struct bench){.region = swp_region_new(0)};
	bench->library = read_json(bench, "{\"sets\": {\"s\": [\"x\", \"y\"]}, \"predicates\": {\"is-x\": "
					  "{\"path\": \"doc.t\", \"equals\": \"x\"}, "
					  "\"circle\": {\"predicate\": \"circle\"}}}");
	bench->roots[0] = (struct swp_value){
		.state = SWP_VALUE_READ, .json = read_json(bench, document), .malformed = &malformed};
	bench->roots[1] = (struct swp_value){.state = SWP_VALUE_UNREAD, .gap = &denied};
	bench->roots[2] = (struct swp_value){.state = SWP_VALUE_UNREAD, .gap = &timed_out};
	bench->roots[3] = (struct swp_value){.state = SWP_VALUE_ABSENT};
	bench->roots[4] = (struct swp_value){.state = SWP_VALUE_READ,
		.json = read_json(bench, "[{\"v\": 1}, {\"v\": 2}]"),
		.gap = &timed_out,
		.malformed = &malformed};
	bench->roots[5] = (struct swp_value){.state = SWP_VALUE_READ,
		.json = read_json(bench, "[{\"v\": 1}, null]"),
		.element_gaps = hole_gaps,
		.malformed = &malformed};
}

static void bench_done(struct bench *bench)
{
	for (size_t i = 0; i < bench->document_count; i++)
		json_decref(bench->documents[i]);
	swp_region_free(bench->region);
}

/* 'T', 'F', 'd' denied, 't' timeout, 'm' malformed, '?' another gap, 'X' not compiled. */
static char evaluate(struct bench *bench, const char *text)
{
	json_t *container = json_pack("{s:o}", "p", read_json(NULL, text));
	struct swp_lint lint = {.problem = &bench->problem};
	struct swp_compiler compiler = {.region = bench->region,
		.lint = &lint,
		.sets = json_object_get(bench->library, "sets"),
		.predicates = json_object_get(bench->library, "predicates"),
		.names = {.roots = root_names, .root_count = SWP_ARRAY_SIZE(root_names)}};
	struct swp_scope scope = {.roots = bench->roots, .moment_ms = SWEEP_STARTED_AT_MS};
	const struct swp_predicate *predicate = NULL;
	struct swp_truth truth = {0};
	int r = swp_predicate_compile(&compiler, container, "p", &predicate);

	assert_true(r >= 0 && (r == 0) == (lint.faults == 0));
	if (r == 0) {
		truth = swp_predicate_evaluate(predicate, &scope);
		assert_int_equal(scope.local_count, 0);
	}
	json_decref(container);
	if (r != 0)
		return 'X';
	if (truth.value != SWP_UNKNOWN)
		return truth.value == SWP_TRUE ? 'T' : 'F';
	assert_non_null(truth.gap);
	return truth.gap == &denied	 ? 'd'
	       : truth.gap == &timed_out ? 't'
	       : truth.gap == &malformed ? 'm'
					 : '?';
}

struct row {
	const char *predicate;
	char wanted;
};

static void walk(const char *document, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct bench bench;
		char got;

		bench_init(&bench, document);
		got = evaluate(&bench, rows[i].predicate);
		if (got != rows[i].wanted)
			fail_msg("%s gives %c, not %c (%s)", rows[i].predicate, got, rows[i].wanted,
				bench.problem.text);
		bench_done(&bench);
	}
}
#define WALK(document, ...)                                                                                  \
	do {                                                                                                 \
		static const struct row rows[] = {__VA_ARGS__};                                              \
		walk((document), rows, SWP_ARRAY_SIZE(rows));                                                \
	} while (0)

#define DOCUMENT                                                                                             \
	"{\"t\": \"x\", \"n\": 5, \"b\": true, \"e\": \"\", \"l\": [\"x\", \"z\"], \"o\": {\"k\": 1}, "      \
	"\"z\": null, \"le\": [], \"u\": \"x\", \"old\": \"2026-08-23T22:59:59-09:00\", "                    \
	"\"late\": 1795334400.001, \"soon\": \"2026-12-22T08:00:00Z\", \"now\": 1795334400, \"arn\": "       \
	"\"arn:aws:iam::111122223333:role/a/b\"}"

/* For each operator: holds, does not, absent, another type. `%s` is the operator and its operand. */
static const struct {
	const char *operator, * operand, *type, *good, *bad, *wrong;
} operator_rows[] = {
	{"equals", "\"x\"", NULL, "doc.t", "doc.e", "doc.n"},
	{"not_equals", "\"x\"", NULL, "doc.e", "doc.t", "doc.n"},
	{"equals_ignoring_case", "\"X\"", NULL, "doc.t", "doc.e", "doc.n"},
	{"in", "[\"x\", \"y\"]", NULL, "doc.t", "doc.e", "doc.b"},
	{"not_in", "\"$set.s\"", NULL, "doc.e", "doc.t", "doc.l"},
	{"exists", "true", "string", "doc.t", NULL, "doc.n"},
	{"absent", "true", "string", NULL, "doc.t", "doc.n"},
	{"empty", "true", "string", "doc.e", "doc.t", "doc.n"},
	{"not_empty", "true", "array", "doc.l", "doc.le", "doc.t"},
	{"matches", "[\"a*\", \"?\"]", NULL, "doc.t", "doc.e", "doc.o"},
	{"not_matches", "\"x*\"", NULL, "doc.e", "doc.t", "doc.o"},
	{"starts_with", "\"arn:\"", NULL, "doc.arn", "doc.t", "doc.o"},
	{"ends_with", "[\"/b\", \"/c\"]", NULL, "doc.arn", "doc.t", "doc.o"},
	{"contains", "\":role/\"", NULL, "doc.arn", "doc.t", "doc.o"},
	{"has", "\"z\"", NULL, "doc.l", "doc.le", "doc.t"},
	{"lacks", "\"z\"", NULL, "doc.le", "doc.l", "doc.t"},
	{"less_than", "6", NULL, "doc.n", NULL, "doc.t"},
	{"at_most", "5", NULL, "doc.n", NULL, "doc.t"},
	{"more_than", "4.5", NULL, "doc.n", NULL, "doc.t"},
	{"at_least", "5", NULL, "doc.n", NULL, "doc.t"},
	{"equals_path", "\"doc.u\"", NULL, "doc.t", "doc.e", "doc.n"},
	{"not_equals_path", "\"doc.u\"", NULL, "doc.e", "doc.t", "doc.n"},
	{"in_past", "true", NULL, "doc.now", "doc.late", "doc.t"},
	{"in_future", "true", "moment", "doc.late", "doc.now", "doc.b"},
	{"older_than", "\"90d\"", NULL, "doc.old", "doc.now", "doc.l"},
	{"younger_than", "\"90d\"", NULL, "doc.soon", "doc.old", "doc.e"},
	{"due_within", "\"30d\"", NULL, "doc.soon", "doc.now", "doc.o"},
	{"due_after", "\"29d\"", NULL, "doc.soon", "doc.late", "doc.arn"},
};

static void leaf_gives(const char *path, size_t row, char wanted)
{
	struct bench bench;
	char text[256], type[64] = "", got;

	if (!path)
		return;
	if (operator_rows[row].type)
		snprintf(type, sizeof(type), ", \"type\": \"%s\"", operator_rows[row].type);
	snprintf(text, sizeof(text), "{\"path\": \"%s\", \"%s\": %s%s}", path, operator_rows[row].operator,
		operator_rows[row].operand, type);
	bench_init(&bench, DOCUMENT);
	got = evaluate(&bench, text);
	if (got != wanted)
		fail_msg("%s gives %c, not %c (%s)", text, got, wanted, bench.problem.text);
	bench_done(&bench);
}

/* The table is the truth: each of its rows is tried here, and an absent value gives what the row says. */
static void test_operators(void **state)
{
	(void)state;
	assert_int_equal(SWP_ARRAY_SIZE(operator_rows), swp_operator_count);
	for (size_t i = 0; i < swp_operator_count; i++) {
		const struct swp_operator *operator= swp_operator_find(operator_rows[i].operator);

		assert_ptr_equal(operator, & swp_operators[i]);
		assert_true(operator->help && * operator->help);
		leaf_gives(operator_rows[i].good, i, 'T');
		leaf_gives(operator_rows[i].bad, i, 'F');
		leaf_gives(operator_rows[i].wrong, i, 'm');
		leaf_gives("doc.missing", i, operator->when_absent ? 'T' : 'F');
		leaf_gives("doc.z", i, operator->when_absent ? 'T' : 'F'); /* null is absent */
		leaf_gives("absent.x", i, operator->when_absent ? 'T' : 'F');
		leaf_gives("denied.x", i, 'd');
		leaf_gives("doc.t.deeper", i, 'm');
	}
}

static void test_defaults_and_transforms(void **state)
{
	(void)state;
	WALK(DOCUMENT, {"{\"path\": \"doc.missing\", \"equals\": \"d\", \"default\": \"d\"}", 'T'},
		{"{\"path\": \"doc.t\", \"equals\": \"d\", \"default\": \"d\"}", 'F'},
		{"{\"path\": \"doc.missing\", \"less_than\": 3, \"default\": 2}", 'T'},
		{"{\"path\": \"denied.x\", \"equals\": \"d\", \"default\": \"d\"}", 'd'},
		{"{\"path\": \"doc.missing\", \"equals\": \"d\", \"default\": 5}", 'X'},
		{"{\"path\": \"doc.arn\", \"transform\": \"arn-account\", \"equals\": \"111122223333\"}",
			'T'},
		{"{\"path\": \"doc.arn\", \"transform\": \"last-part\", \"equals\": \"b\"}", 'T'},
		{"{\"path\": \"doc.t\", \"transform\": \"arn-account\", \"not_in\": [\"1\"]}", 'T'},
		{"{\"path\": \"doc.n\", \"transform\": \"lower-case\", \"equals\": \"x\"}", 'm'},
		{"{\"path\": \"doc.t\", \"transform\": \"number\", \"equals\": \"x\"}", 'X'},
		{"{\"path\": \"doc.t\", \"transform\": \"nmber\", \"equals\": 5}", 'X'});
}

/* "!": what the model requires of an object that is there. */
static void test_required_members(void **state)
{
	(void)state;
	WALK(DOCUMENT, {"{\"path\": \"doc.o.k!\", \"equals\": 1}", 'T'},
		{"{\"path\": \"doc.o.name!\", \"not_empty\": true, \"type\": \"string\"}", 'm'},
		{"{\"path\": \"doc.o.name!\", \"equals\": \"d\", \"default\": \"d\"}", 'm'},
		{"{\"path\": \"doc.missing.name!\", \"not_empty\": true, \"type\": \"string\"}", 'F'},
		{"{\"path\": \"doc.z.name!\", \"absent\": true, \"type\": \"string\"}", 'T'},
		{"{\"path\": \"doc.z!\", \"absent\": true, \"type\": \"string\"}", 'm'}, /* null is absent */
		{"{\"path\": \"doc.e!\", \"empty\": true, \"type\": \"string\"}", 'T'},
		{"{\"path\": \"denied.x!\", \"equals\": 1}", 'd'},
		{"{\"path\": \"doc.o!.k\", \"equals\": 1}", 'X'},
		{"{\"path\": \"doc!\", \"equals\": 1}", 'X'}, {"{\"path\": \"doc.!\", \"equals\": 1}", 'X'},
		{"{\"path\": \"doc.k!!\", \"equals\": 1}", 'X'},
		{"{\"some\": {\"in\": \"doc.l[]!\", \"type\": \"string\"}}", 'X'},
		{"{\"some\": {\"in\": \"doc.o.*!\", \"type\": \"number\"}}", 'X'});
	WALK("{\"l\": [{\"v\": 1}, {}], \"o\": {}}",
		{"{\"some\": {\"in\": \"doc.l[].v!\", \"as\": \"v\", \"where\": {\"path\": \"v\", "
		 "\"equals\": 1}}}",
			'T'},
		{"{\"some\": {\"in\": \"doc.l[].v!\", \"as\": \"v\", \"where\": {\"path\": \"v\", "
		 "\"equals\": 2}}}",
			'm'},
		{"{\"none\": {\"in\": \"doc.l[].v!\", \"type\": \"number\"}}", 'F'},
		{"{\"none\": {\"in\": [\"doc.o.l!\", \"doc.m.l!\"], \"type\": \"number\"}}", 'm'},
		{"{\"none\": {\"in\": [\"doc.o.l\", \"doc.m.l!\"], \"type\": \"number\"}}", 'T'});
}

static void test_transform_table(void **state)
{
	static const struct {
		const char *name, *text, *wanted; /* wanted NULL: absent */
	} rows[] = {
		{"instance-family", "ml.g5.xlarge", "\"g5\""},
		{"instance-family", "ml.p6-b200.48xlarge", "\"p6-b200\""},
		{"instance-family", "m5.large", "\"m5\""},
		{"instance-family", "ml.g5", NULL},
		{"instance-family", "", NULL},
		{"arn-account", "arn:aws:s3:::bucket", NULL},
		{"arn-account", "arn:aws:iam::1:x", "\"1\""},
		{"arn-account", "arn:aws", NULL},
		{"last-part", "a/b:c", "\"c\""},
		{"last-part", "plain", "\"plain\""},
		{"last-part", "a/", NULL},
		{"bucket", "s3://b/k/x", "\"b\""},
		{"bucket", "arn:aws-cn:s3:::b/k", "\"b\""},
		{"bucket", "s3:///k", NULL},
		{"bucket", "https://b", NULL},
		{"registry-account", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/a/b:c",
			"\"123456789012\""},
		{"registry-account", "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com/a@sha256:0",
			"\"123456789012\""},
		{"registry-account", "public.ecr.aws/a/b", NULL},
		{"registry-account", "1234567890123.dkr.ecr.eu-west-1.amazonaws.com/a", NULL},
		{"registry-account", "123456789012", NULL},
		{"host", "https://a.example:8443/x@y", "\"a.example\""},
		{"host", "http://u:p@b.example?q=1", "\"b.example\""},
		{"host", "https://[::1]:80/", "\"[::1]\""},
		{"host", "https://[::1", "\"[::1\""},
		{"host", "https://", NULL},
		{"host", "https:///x", NULL},
		{"host", "https://@/x", NULL},
		{"host", "a.example/x", NULL},
		{"lower-case", "AbÄ", "\"abÄ\""},
		{"number", "12", "12.0"},
		{"number", "-1.5", "-1.5"},
		{"number", "1x", NULL},
		{"number", "", NULL},
		{"number", "nan", NULL},
	};
	size_t tried = 0;

	(void)state;
	for (size_t k = 0; k < swp_transform_count; k++) {
		for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
			json_t *value = NULL;
			char *text;

			if (strcmp(rows[i].name, swp_transforms[k].name) != 0)
				continue;
			tried++;
			assert_int_equal(swp_transforms[k].apply(rows[i].text, &value), 0);
			text = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
			if ((text == NULL) != (rows[i].wanted == NULL) ||
				(text && strcmp(text, rows[i].wanted) != 0))
				fail_msg("%s of '%s' gives %s", rows[i].name, rows[i].text,
					text ? text : "nothing");
			if (value)
				assert_true(swp_type_fits(swp_transforms[k].result, value));
			free(text);
			json_decref(value);
		}
	}
	assert_int_equal(tried, SWP_ARRAY_SIZE(rows));
}

/* Kleene's tables, over every pair of true, false, denied, timeout. */
/* Both forms of a moment, each bound from both sides, and what is no moment. */
static void test_moments(void **state)
{
	(void)state;
	WALK("{\"a\": \"2026-08-24T08:00:00Z\", \"b\": \"2026-08-24T07:59:59.999Z\", \"c\": "
	     "\"2026-12-22T08:00:00.001Z\", "
	     "\"n\": 1787558400, \"m\": 1787558399.999, \"far\": 1e300, \"d\": \"2026-02-30T00:00:00Z\", "
	     "\"day\": \"2026-08-24\", "
	     "\"first\": \"2000-01-01T00:00:00Z\", \"before\": 946684799.999, \"never\": "
	     "\"0001-01-01T00:00:00Z\", \"minus\": -1, \"zero\": 0, \"last\": 253402300799.999, \"beyond\": "
	     "253402300800, \"key\": {}}",
		{"{\"path\": \"doc.a\", \"older_than\": \"90d\"}", 'F'},
		{"{\"path\": \"doc.a\", \"younger_than\": \"90d\"}", 'T'},
		{"{\"path\": \"doc.b\", \"older_than\": \"90d\"}", 'T'},
		{"{\"path\": \"doc.b\", \"younger_than\": \"90d\"}", 'F'},
		{"{\"path\": \"doc.n\", \"older_than\": \"2160h\"}", 'F'},
		{"{\"path\": \"doc.m\", \"older_than\": \"2160h\"}", 'T'},
		{"{\"path\": \"doc.c\", \"due_within\": \"30d\"}", 'F'},
		{"{\"path\": \"doc.c\", \"due_after\": \"30d\"}", 'T'},
		{"{\"path\": \"doc.c\", \"younger_than\": \"0d\"}", 'T'},
		{"{\"path\": \"doc.first\", \"older_than\": \"9000d\"}", 'T'},
		{"{\"path\": \"doc.last\", \"due_after\": \"36525d\"}", 'T'},
		{"{\"path\": \"doc.beyond\", \"in_future\": true}", 'm'},
		{"{\"path\": \"doc.never\", \"in_past\": true}", 'm'},
		{"{\"path\": \"doc.minus\", \"in_past\": true}", 'm'},
		{"{\"path\": \"doc.zero\", \"in_past\": true}", 'm'},
		{"{\"path\": \"doc.far\", \"in_future\": true}", 'm'},
		{"{\"path\": \"doc.before\", \"in_past\": true}", 'm'},
		{"{\"path\": \"doc.d\", \"in_past\": true}", 'm'},
		{"{\"path\": \"doc.day\", \"in_past\": true}", 'm'},
		{"{\"path\": \"doc.a\", \"exists\": true, \"type\": \"moment\"}", 'T'},
		{"{\"path\": \"doc.d\", \"exists\": true, \"type\": \"moment\"}", 'm'},
		{"{\"path\": \"doc.x\", \"older_than\": \"1d\", \"default\": \"2020-01-01T00:00:00Z\"}", 'T'},
		{"{\"any\": [{\"path\": \"doc.d\", \"in_past\": true}, {\"path\": \"doc.a\", \"in_past\": "
		 "true}]}",
			'T'},
		{"{\"not\": {\"path\": \"timeout.x\", \"older_than\": \"1d\"}}", 't'},
		{"{\"path\": \"doc.x\", \"older_than\": \"1d\", \"default\": \"yesterday\"}", 'X'},
		{"{\"path\": \"doc.a\", \"older_than\": 90}", 'X'},
		{"{\"path\": \"doc.a\", \"older_than\": \"90\"}", 'X'},
		{"{\"path\": \"doc.a\", \"older_than\": \"90 days\"}", 'X'},
		{"{\"path\": \"doc.a\", \"older_than\": \"36526d\"}", 'X'},
		{"{\"path\": \"doc.a\", \"older_then\": \"90d\"}", 'X'},
		{"{\"path\": \"doc.a\", \"in_past\": false}", 'X'},
		{"{\"path\": \"doc.a\", \"in_past\": true, \"type\": \"string\"}", 'X'},
		{"{\"path\": \"doc.a\", \"in_past\": true, \"transform\": \"lower-case\"}", 'X'});
}

static void test_two_paths(void **state)
{
	(void)state;
	WALK("{\"t\": \"x\", \"u\": \"x\", \"v\": \"y\", \"n\": 5, \"arn\": "
	     "\"arn:aws:iam::111122223333:role/x\", \"l\": [{\"id\": \"x\"}, "
	     "{\"id\": \"z\"}]}",
		{"{\"path\": \"doc.t\", \"equals_path\": \"doc.v\"}", 'F'},
		{"{\"path\": \"doc.arn\", \"transform\": \"last-part\", \"equals_path\": \"doc.u\"}", 'T'},
		{"{\"path\": \"doc.missing\", \"default\": \"x\", \"equals_path\": \"doc.u\"}", 'T'},
		{"{\"path\": \"doc.t\", \"equals_path\": \"doc.missing\"}", 'F'},
		{"{\"path\": \"doc.t\", \"not_equals_path\": \"absent.x\"}", 'T'},
		{"{\"path\": \"doc.t\", \"equals_path\": \"denied.x\"}", 'd'},
		{"{\"path\": \"doc.t\", \"equals_path\": \"doc.n\"}", 'm'},
		{"{\"some\": {\"in\": \"doc.l[]\", \"where\": {\"path\": \"each.id\", \"equals_path\": "
		 "\"doc.t\"}}}",
			'T'},
		{"{\"some\": {\"in\": \"doc.l[]\", \"where\": {\"path\": \"doc.v\", \"equals_path\": "
		 "\"each.id\"}}}",
			'F'},
		{"{\"path\": \"doc.t\", \"equals_path\": \"dox.v\"}", 'X'},
		{"{\"path\": \"doc.t\", \"equals_path\": \"doc.l[].id\"}", 'X'},
		{"{\"path\": \"doc.t\", \"equals_path\": 5}", 'X'});
}

static void test_truth_tables(void **state)
{
	static const char *const leaves[] = {"{\"path\": \"doc.t\", \"equals\": \"x\"}",
		"{\"path\": \"doc.t\", \"equals\": \"y\"}", "{\"path\": \"denied.x\", \"equals\": \"x\"}",
		"{\"path\": \"timeout.x\", \"equals\": \"x\"}"};
	static const char values[] = "TFdt";
	static const char all[4][5] = {
		"TFdt", "FFFF", "dFdd", "tFdt"}; /* of two unknowns the first of the contract's table */
	static const char any[4][5] = {"TTTT", "TFdt", "Tddd", "Ttdt"};

	(void)state;
	for (size_t a = 0; a < 4; a++) {
		struct bench bench;
		char text[512];

		bench_init(&bench, DOCUMENT);
		snprintf(text, sizeof(text), "{\"not\": %s}", leaves[a]);
		assert_int_equal(evaluate(&bench, text), "FTdt"[a]);
		bench_done(&bench);
		for (size_t b = 0; b < 4; b++) {
			bench_init(&bench, DOCUMENT);
			snprintf(text, sizeof(text), "{\"all\": [%s, %s]}", leaves[a], leaves[b]);
			if (evaluate(&bench, text) != all[a][b])
				fail_msg("%c and %c is not %c", values[a], values[b], all[a][b]);
			snprintf(text, sizeof(text), "{\"any\": [%s, %s]}", leaves[a], leaves[b]);
			if (evaluate(&bench, text) != any[a][b])
				fail_msg("%c or %c is not %c", values[a], values[b], any[a][b]);
			bench_done(&bench);
		}
	}
}

#define IN(list, n) "{\"in\": \"" list "\", \"where\": {\"path\": \"each.v\", \"equals\": " n "}}"
#define LIST                                                                                                 \
	"{\"l\": [{\"v\": 1}, {\"v\": 2}], \"x\": \"text\", \"le\": [], \"mixed\": [{\"v\": 1}, \"y\"], "    \
	"\"map\": {\"a\": {\"v\": 1}, \"b\": {\"v\": 2}}, "                                                  \
	"\"deep\": [{\"l\": [{\"v\": 1}]}, {\"l\": [{\"v\": 3}]}]}"

static void test_quantifiers(void **state)
{
	(void)state;
	WALK(LIST, {"{\"some\": " IN("doc.l[]", "2") "}", 'T'}, {"{\"some\": " IN("doc.l[]", "3") "}", 'F'},
		{"{\"every\": " IN("doc.l[]", "1") "}", 'F'}, {"{\"none\": " IN("doc.l[]", "3") "}", 'T'},
		{"{\"none\": " IN("doc.l[]", "1") "}", 'F'}, {"{\"some\": " IN("doc.le[]", "1") "}", 'F'},
		{"{\"every\": " IN("doc.le[]", "1") "}", 'T'},
		{"{\"some\": " IN("doc.missing[]", "1") "}", 'F'},
		{"{\"some\": " IN("absent[]", "1") "}", 'F'}, {"{\"some\": " IN("denied[]", "1") "}", 'd'},
		/* A list that is none, and an element that is none. */
		{"{\"some\": " IN("doc.x[]", "1") "}", 'm'}, {"{\"some\": " IN("doc.mixed[]", "1") "}", 'T'},
		{"{\"some\": " IN("doc.mixed[]", "3") "}", 'm'},
		{"{\"every\": " IN("doc.mixed[]", "1") "}", 'm'},
		/* Pages unread: what was found decides, what was not found doesn't. */
		{"{\"some\": " IN("partial[]", "2") "}", 'T'}, {"{\"some\": " IN("partial[]", "3") "}", 't'},
		{"{\"every\": " IN("partial[]", "1") "}", 'F'}, {"{\"none\": " IN("partial[]", "3") "}", 't'},
		{"{\"none\": " IN("partial[]", "1") "}", 'F'},
		{"{\"every\": {\"in\": \"partial[]\", \"where\": {\"path\": \"each.v\", \"less_than\": 9}}}",
			't'},
		/* An element that could not be read. */
		{"{\"some\": " IN("holes[]", "1") "}", 'T'}, {"{\"some\": " IN("holes[]", "2") "}", 'd'},
		{"{\"every\": " IN("holes[]", "1") "}", 'd'}, {"{\"every\": " IN("holes[]", "2") "}", 'F'},
		/* Several paths, maps, lists in lists, quantifiers in quantifiers. */
		{"{\"some\": {\"in\": [\"doc.le[]\", \"doc.l[]\"], \"where\": {\"path\": \"each.v\", "
		 "\"equals\": 2}}}",
			'T'},
		{"{\"some\": " IN("doc.map.*", "2") "}", 'T'},
		{"{\"some\": " IN("doc.deep[].l[]", "3") "}", 'T'},
		{"{\"every\": {\"in\": \"doc.deep[]\", \"as\": \"outer\", \"where\": {\"some\": {\"in\": "
		 "\"outer.l[]\", \"where\": {\"path\": "
		 "\"each.v\", \"less_than\": 9}}}}}",
			'T'},
		{"{\"none\": {\"in\": \"doc.x\", \"type\": \"string\"}}", 'F'},
		{"{\"none\": {\"in\": \"doc.y\", \"type\": \"string\"}}", 'T'},
		{"{\"none\": {\"in\": \"doc.x\", \"type\": \"number\"}}", 'm'});
}

#define COUNT(list, n, bound)                                                                                \
	"{\"count\": {\"in\": \"" list "\", \"where\": {\"path\": \"each.v\", \"at_least\": " n "}, " bound  \
	"}}"

static void test_counts(void **state)
{
	(void)state;
	WALK(LIST, {COUNT("doc.l[]", "1", "\"at_least\": 2"), 'T'},
		{COUNT("doc.l[]", "1", "\"at_least\": 3"), 'F'},
		{COUNT("doc.l[]", "2", "\"equals\": 1"), 'T'}, {COUNT("doc.l[]", "1", "\"at_most\": 1"), 'F'},
		{COUNT("doc.le[]", "1", "\"equals\": 0"), 'T'},
		{COUNT("partial[]", "1", "\"at_least\": 2"), 'T'},
		{COUNT("partial[]", "1", "\"at_least\": 3"), 't'},
		{COUNT("partial[]", "1", "\"at_most\": 1"), 'F'},
		{COUNT("partial[]", "1", "\"at_most\": 5"), 't'},
		{COUNT("holes[]", "1", "\"at_most\": 2"), 'T'}, {COUNT("holes[]", "1", "\"equals\": 1"), 'd'},
		{COUNT("holes[]", "1", "\"at_least\": 3"), 'F'},
		{COUNT("denied[]", "1", "\"at_least\": 1"), 'd'},
		{"{\"count\": {\"in\": \"doc.l[]\", \"type\": \"object\"}}", 'X'},
		{COUNT("doc.l[]", "1", "\"at_least\": \"2\""), 'X'});
}

static void test_faults(void **state)
{
	(void)state;
	WALK(DOCUMENT, {"{}", 'X'}, {"[]", 'X'}, {"{\"al\": []}", 'X'}, {"{\"all\": []}", 'X'},
		{"{\"all\": {}}", 'X'},
		{"{\"all\": [{\"path\": \"doc.t\", \"equals\": \"x\"}], \"any\": []}", 'X'},
		{"{\"not\": 5}", 'X'}, {"{\"path\": \"doc.t\"}", 'X'},
		{"{\"path\": \"doc.t\", \"equal\": \"x\"}", 'X'},
		{"{\"path\": \"doc.t\", \"equals\": \"x\", \"in\": [\"x\"]}", 'X'},
		{"{\"path\": \"dox.t\", \"equals\": \"x\"}", 'X'},
		{"{\"path\": \"each.t\", \"equals\": \"x\"}", 'X'},
		{"{\"path\": \"doc.l[]\", \"equals\": \"x\"}", 'X'},
		{"{\"path\": \"doc..t\", \"equals\": \"x\"}", 'X'},
		{"{\"path\": \"doc.t\", \"exists\": true}", 'X'},
		{"{\"path\": \"doc.t\", \"exists\": true, \"type\": \"text\"}", 'X'},
		{"{\"path\": \"doc.t\", \"exists\": false, \"type\": \"string\"}", 'X'},
		{"{\"path\": \"doc.t\", \"in\": [\"x\", 5]}", 'X'},
		{"{\"path\": \"doc.t\", \"in\": []}", 'X'},
		{"{\"path\": \"doc.t\", \"in\": \"$set.nothing\"}", 'X'},
		{"{\"path\": \"doc.t\", \"less_than\": \"5\"}", 'X'},
		{"{\"path\": \"doc.t\", \"equals\": \"x\", \"type\": \"number\"}", 'X'},
		{"{\"some\": {\"in\": \"doc.l[]\"}}", 'X'},
		{"{\"some\": {\"in\": 5, \"type\": \"string\"}}", 'X'},
		{"{\"some\": {\"in\": \"doc.l[]\", \"wher\": {}, \"type\": \"string\"}}", 'X'},
		{"{\"some\": {\"in\": \"doc.l[]\", \"as\": \"a.b\", \"type\": \"string\"}}", 'X'},
		{"{\"predicate\": \"nothing\"}", 'X'}, {"{\"predicate\": \"circle\"}", 'X'},
		{"{\"predicate\": \"is-x\"}", 'T'}, {"{\"builtin\": \"nothing\", \"with\": {}}", 'X'},
		{"{\"builtin\": \"policy-public\", \"with\": {}}", 'X'},
		{"{\"builtin\": \"policy-public\", \"with\": {\"document\": \"doc.x\", \"more\": 1}}", 'X'},
		{"{\"builtin\": \"policy-public\", \"with\": {\"document\": \"doc.x\"}}", 'F'});
}

/* docs/catalogue.md has each row of the tables, word for word. */
static char *read_documentation(void)
{
	FILE *stream = fopen("docs/catalogue.md", "rb");
	char *text = calloc(1, 1u << 18);

	assert_true(stream && text);
	assert_true(fread(text, 1, (1u << 18) - 1, stream) > 0);
	fclose(stream);
	return text;
}

static void is_documented(const char *documentation, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void is_documented(const char *documentation, const char *format, ...)
{
	char line[2048];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	if (!strstr(documentation, line))
		fail_msg("docs/catalogue.md lacks: %s", line);
}

static void test_documentation(void **state)
{
	static const char *const operands[] = {[SWP_OPERAND_SCALAR] = "a text, number or boolean",
		[SWP_OPERAND_SCALARS] = "a list of them, or $set.NAME",
		[SWP_OPERAND_TEXT] = "a text",
		[SWP_OPERAND_TEXTS] = "a text, or a list of texts",
		[SWP_OPERAND_NUMBER] = "a number",
		[SWP_OPERAND_TRUE] = "true, with `type`",
		[SWP_OPERAND_DURATION] = "a duration like `90d`, `12h`, `30m`",
		[SWP_OPERAND_PATH] = "a path"};
	char *documentation = read_documentation();

	(void)state;
	for (size_t i = 0; i < swp_operator_count; i++)
		is_documented(documentation, "\n| `%s` | %s | %s | %s |\n", swp_operators[i].name,
			swp_operators[i].operand == SWP_OPERAND_TRUE && swp_operators[i].value != SWP_TYPE_ANY
				? "true"
				: operands[swp_operators[i].operand],
			swp_operators[i].when_absent ? "true" : "false", swp_operators[i].help);
	for (size_t i = 0; i < swp_transform_count; i++)
		is_documented(documentation, "\n| `%s` | %s | %s |\n", swp_transforms[i].name,
			swp_type_name(swp_transforms[i].result), swp_transforms[i].help);
	for (size_t i = 0; i < swp_builtin_count; i++) {
		is_documented(documentation, "\n| `%s` | ", swp_builtins[i].name);
		is_documented(documentation, " | %s |\n", swp_builtins[i].help);
		for (size_t k = 0; k < SWP_LIMIT_BUILTIN_ARGUMENTS && swp_builtins[i].arguments[k].name; k++)
			is_documented(documentation, "`%s`: %s", swp_builtins[i].arguments[k].name,
				swp_builtins[i].arguments[k].help);
	}
	free(documentation);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_operators),
		cmocka_unit_test(test_defaults_and_transforms),
		cmocka_unit_test(test_required_members),
		cmocka_unit_test(test_transform_table),
		cmocka_unit_test(test_moments),
		cmocka_unit_test(test_two_paths),
		cmocka_unit_test(test_truth_tables),
		cmocka_unit_test(test_quantifiers),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_documentation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
