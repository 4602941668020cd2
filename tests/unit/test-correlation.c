/* Correlation by tables: rows in as lines of text, instances, results and cells out as lines of text. Each case is also run with its rows
 * shuffled (the seeds are printed), and each case over accounts by partitions, too.
 *
 *   FAIL|GAP|PASS|NONE CHECK ACCOUNT REGION RESOURCE     a result; GAP: NOT_ASSESSED(denied-iam); NONE: NOT_APPLICABLE; "-": no resource
 *   fact NAME ACCOUNT REGION SUBJECT JSON                 fact? …: unknown, without JSON
 *   rel NAME ACCOUNT REGION SUBJECT OBJECT                rel? …: unknown; rel0 …: points to nothing; both without OBJECT
 *   list KIND ACCOUNT REGION JSON                         how far a list was read; list? …: it was not
 *   scope ACCOUNT REGION REASON                           "-": was read
 * "." as account or region is the empty text.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "checks/correlation.h"
#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "tests/unit/under-valgrind.h"

#define A "111111111111"
#define B "222222222222"

static struct swp_catalogue *catalogue;

/* --- the catalogue: the built-in one and the test's --- */

static void complain(const struct swp_lint_message *message, void *context)
{
	(void)context;
	fprintf(stderr, "%s:%u: %s\n", message->file, message->line, message->text);
}

static char *read_file(const char *name, size_t *ret_length)
{
	FILE *stream = fopen(name, "rb");
	char *bytes = calloc(1, 1 << 20);

	if (!stream || !bytes) {
		perror(name);
		exit(1);
	}
	*ret_length = fread(bytes, 1, (1 << 20) - 1, stream);
	fclose(stream);
	return bytes;
}

static int set_up(void **state)
{
	struct swp_catalogue_file file = {.name = "tests/catalogue/chains.yaml"};
	struct swp_problem problem = {""};
	struct swp_catalogue *base;
	struct swp_buf compiled = {0};
	size_t length;
	const char *builtin = swp_catalogue_builtin(&length);
	char *bytes;

	(void)state;
	if (swp_catalogue_load(builtin, length, &base, &problem) < 0) {
		fprintf(stderr, "%s\n", problem.text);
		return -1;
	}
	bytes = read_file(file.name, &file.length);
	file.bytes = bytes;
	if (swp_catalogue_compile(&file, 1, base, complain, NULL, &compiled) != 0 ||
		swp_catalogue_load(compiled.data, compiled.length, &catalogue, &problem) < 0) {
		fprintf(stderr, "%s\n", problem.text);
		return -1;
	}
	free(bytes);
	swp_buf_done(&compiled);
	swp_catalogue_unref(base);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	swp_catalogue_unref(catalogue);
	return 0;
}

/* --- rows in --- */

struct words {
	char text[512];
	const char *word[8];
	size_t count;
};

static void split(const char *line, struct words *words)
{
	char *at = words->text;

	assert_true(strlen(line) < sizeof(words->text));
	memcpy(words->text, line, strlen(line) + 1);
	words->count = 0;
	while (*at) {
		words->word[words->count++] = at;
		at += strcspn(at, " ");
		if (*at)
			*at++ = '\0';
	}
	for (size_t i = 0; i < words->count; i++)
		if (strcmp(words->word[i], ".") == 0)
			words->word[i] = "";
}

static const struct swp_gap denied = {SWP_REASON_DENIED_IAM, "test:Read", "AccessDenied", "no", "request-1"};

enum row_kind { ROW_RESULT, ROW_FACT, ROW_SCOPE };
struct row {
	enum row_kind kind;
	const char *account, *region;
	struct swp_result result;
	struct swp_fact fact;
	json_t *value;
	enum swp_reason unread;
	char name[128];
};

static void parse_result(const struct words *words, struct row *row)
{
	static const struct {
		const char *word;
		enum swp_status status;
	} statuses[] = {{"FAIL", SWP_STATUS_FAIL}, {"GAP", SWP_STATUS_NOT_ASSESSED},
		{"PASS", SWP_STATUS_PASS}, {"NONE", SWP_STATUS_NOT_APPLICABLE}};
	int check = swp_catalogue_check_find(catalogue, words->word[1]);

	row->kind = ROW_RESULT;
	if (check < 0)
		fail_msg("unknown check %s", words->word[1]);
	row->result.check = (size_t)check;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(statuses); i++)
		if (strcmp(statuses[i].word, words->word[0]) == 0)
			row->result.status = statuses[i].status;
	row->account = words->word[2];
	row->region = words->word[3];
	row->result.resource = strcmp(words->word[4], "-") == 0 ? NULL : words->word[4];
	if (row->result.status == SWP_STATUS_NOT_ASSESSED)
		row->result.gap = denied;
}

static void parse_fact(const struct words *words, struct row *row)
{
	const char *kind = words->word[0];
	bool list = strncmp(kind, "list", 4) == 0;

	row->kind = ROW_FACT;
	row->account = words->word[2];
	row->region = words->word[3];
	snprintf(row->name, sizeof(row->name), "%s%s", list ? SWP_FACT_COMPLETE : "", words->word[1]);
	row->fact.name = row->name;
	row->fact.subject = list ? words->word[3] : words->word[4];
	if (kind[strlen(kind) - 1] == '?')
		row->fact.gap = denied;
	else if (strcmp(kind, "rel") == 0)
		row->fact.object = words->word[5];
	else if (strcmp(kind, "rel0") == 0)
		row->value = json_false();
	else
		row->value = json_loads(words->word[list ? 4 : 5], JSON_DECODE_ANY, NULL);
	row->fact.value = row->value;
}

static void parse_row(const struct words *words, struct row *row)
{
	memset(row, 0, sizeof(*row));
	if (strcmp(words->word[0], "scope") == 0) {
		row->kind = ROW_SCOPE;
		row->account = words->word[1];
		row->region = words->word[2];
		if (strcmp(words->word[3], "-") != 0)
			assert_int_equal(swp_reason_parse(words->word[3], &row->unread), 0);
	} else if (strcspn(words->word[0], "abcdefghijklmnopqrstuvwxyz") == 0) {
		parse_fact(words, row);
	} else {
		parse_result(words, row);
	}
}

static int add_line(struct swp_correlation *correlation, const char *line)
{
	struct words words;
	struct row row;
	int r;

	split(line, &words);
	parse_row(&words, &row);
	if (row.kind == ROW_SCOPE)
		r = swp_correlation_add_scope(correlation, row.account, row.region, row.unread);
	else if (row.kind == ROW_FACT)
		r = swp_correlation_add_fact(correlation, row.account, row.region, &row.fact);
	else
		r = swp_correlation_add_result(correlation, row.account, row.region, &row.result);
	json_decref(row.value);
	return r;
}

/* --- lines out --- */

struct output {
	struct swp_buf text;
	bool narratives, joined;
	size_t instances;
};

static void put_list(struct swp_buf *text, const char *name, const char *const *items, size_t count)
{
	if (count == 0)
		return;
	swp_buf_append_format(text, " %s=", name);
	for (size_t i = 0; i < count; i++)
		swp_buf_append_format(text, "%s%s", i ? "," : "", items[i]);
}

static const char *short_id(size_t check)
{
	const char *id = swp_catalogue_check(catalogue, check)->id;

	return strncmp(id, "aws-", 4) == 0 ? id + 4 : id;
}

static int take_chain(void *context, const struct swp_chain_instance *instance)
{
	struct output *output = context;
	struct swp_buf *text = &output->text;

	output->instances++;
	swp_buf_append_format(text, "%s %s %s %s", swp_catalogue_chain(catalogue, instance->chain)->id,
		instance->confirmed ? "confirmed" : "unverified", instance->basis, instance->account);
	put_list(text, "regions", instance->regions, instance->region_count);
	put_list(text, "unread", instance->regions_not_assessed, instance->region_not_assessed_count);
	put_list(text, "resources", instance->resources, instance->resource_count);
	swp_buf_append_text(text, " findings=");
	for (size_t i = 0; i < instance->finding_count; i++) {
		const struct swp_chain_finding *finding = &instance->findings[i];

		swp_buf_append_format(text, "%s%s/%s%s", i ? "," : "", short_id(finding->check),
			finding->resource ? finding->resource : "-",
			finding->status == SWP_STATUS_FAIL ? "" : "?");
		assert_true(finding->status == SWP_STATUS_FAIL || finding->status == SWP_STATUS_NOT_ASSESSED);
	}
	swp_buf_append_text(text, " fix=");
	for (size_t i = 0; i < instance->fix_count; i++)
		swp_buf_append_format(text, "%s%s/%s", i ? "," : "", short_id(instance->fix[i].check),
			instance->fix[i].resource);
	if (output->narratives)
		swp_buf_append_format(text, " \"%s\"", instance->narrative);
	return swp_buf_append_text(text, "\n");
}

static int take_result(
	void *context, const char *account, const char *region, const struct swp_result *result)
{
	struct output *output = context;
	char *evidence =
		result->evidence ? json_dumps(result->evidence, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	const char *reason = result->status == SWP_STATUS_NOT_ASSESSED
				     ? swp_reason_name(result->gap.reason)
				     : swp_not_applicable_name(result->not_applicable);

	if (output->joined)
		swp_buf_append_format(&output->text, "result %s %s %s %s %s%s%s%s%s\n",
			short_id(result->check), account, region, result->resource ? result->resource : "-",
			swp_status_name(result->status), *reason ? " " : "", reason, evidence ? " " : "",
			evidence ? evidence : "");
	free(evidence);
	return output->text.failed;
}

static int take_cell(void *context, const char *account, const char *region, const struct swp_cell *cell)
{
	struct output *output = context;

	if (output->joined)
		swp_buf_append_format(&output->text, "cell %s %s %s %s%s%s%s%s%s\n", short_id(cell->check),
			account, region, swp_status_name(cell->status), cell->reason ? " " : "",
			swp_reason_name(cell->reason), cell->not_applicable ? " " : "",
			swp_not_applicable_name(cell->not_applicable), cell->partial ? " partial" : "");
	return output->text.failed;
}

static int take_not_evaluated(void *context, size_t chain, const char *reason)
{
	struct output *output = context;

	return swp_buf_append_format(
		&output->text, "%s not evaluated: %s\n", swp_catalogue_chain(catalogue, chain)->id, reason);
}

static struct swp_correlation_sink sink_of(struct output *output)
{
	return (struct swp_correlation_sink){take_result, take_cell, take_chain, take_not_evaluated, output};
}

/* --- running a case --- */

#define MOST_LINES 64

struct test_case {
	const char *name;
	const char *account; /* NULL: over accounts */
	const char *but;     /* checks that are not selected, with blanks between; NULL: none */
	const char *show;    /* "TC-58": only lines that begin so are compared; NULL: AC- */
	const char *lines[MOST_LINES];
	const char *expected;
};

static void select_checks(const char *but, struct swp_selection *ret_selection)
{
	struct words words;

	swp_selection_all(catalogue, ret_selection);
	if (!but)
		return;
	split(but, &words);
	for (size_t i = 0; i < words.count; i++)
		swp_selection_set(
			ret_selection, (size_t)swp_catalogue_check_find(catalogue, words.word[i]), false);
}

/* Does the line begin with one of the prefixes, which have "|" between them? */
static bool is_shown(const char *line, const char *show)
{
	for (; *show; show += strcspn(show, "|"), show += *show == '|') {
		size_t length = strcspn(show, "|");

		if (strncmp(line, show, length) == 0)
			return true;
	}
	return false;
}

static void filter(struct swp_buf *text, const char *show)
{
	struct swp_buf kept = {0};

	for (const char *line = swp_buf_text(text); *line; line += strcspn(line, "\n") + 1)
		if (is_shown(line, show ? show : "AC-"))
			swp_buf_append(&kept, line, strcspn(line, "\n") + 1);
	swp_buf_done(text);
	*text = kept;
}

static struct swp_correlation *correlation_of(
	const struct test_case *test, const struct swp_selection *selection)
{
	const struct swp_correlation_scope scope = {"aws", test->account, "o-example", A, selection};

	return swp_correlation_new(catalogue, &scope);
}

static int run_lines(const struct test_case *test, const char *const *lines, struct output *output)
{
	struct swp_correlation_sink sink = sink_of(output);
	struct swp_selection selection;
	struct swp_correlation *correlation;
	int r = 0;

	select_checks(test->but, &selection);
	correlation = correlation_of(test, &selection);
	if (!correlation)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < MOST_LINES && lines[i]; i++)
		r = add_line(correlation, lines[i]);
	if (r == 0)
		r = swp_correlation_run(correlation, &sink);
	swp_correlation_free(correlation);
	return r;
}

static uint64_t random_state;

static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static void shuffle(const char **lines)
{
	size_t count = 0;

	while (count < MOST_LINES && lines[count])
		count++;
	for (size_t i = count; i > 1; i--) {
		size_t other = next_random() % i;
		const char *line = lines[i - 1];

		lines[i - 1] = lines[other];
		lines[other] = line;
	}
}

static void compare(const char *name, const char *how, const char *expected, const struct swp_buf *got)
{
	if (strcmp(swp_buf_text(got), expected) == 0)
		return;
	fprintf(stderr, "%s (%s)\n--- expected\n%s--- got\n%s", name, how, expected, swp_buf_text(got));
	fail();
}

static void run_and_compare(const struct test_case *test, const char *const *lines, const char *how)
{
	struct output output = {.joined = true};

	assert_int_equal(run_lines(test, lines, &output), 0);
	filter(&output.text, test->show);
	compare(test->name, how, test->expected, &output.text);
	swp_buf_done(&output.text);
}

struct partitions {
	bool in[SWP_JOIN_PARTITIONS];
};

static int visit_partition(const char *key, void *context)
{
	struct partitions *partitions = context;

	if (key)
		partitions->in[swp_join_partition(key)] = true;
	else
		memset(partitions->in, true, sizeof(partitions->in));
	return 0;
}

static int keys_of_line(
	const struct swp_correlation *planner, const char *line, struct partitions *partitions)
{
	struct words words;
	struct row row;
	int r;

	memset(partitions, 0, sizeof(*partitions));
	split(line, &words);
	parse_row(&words, &row);
	if (row.kind == ROW_SCOPE)
		r = visit_partition(NULL, partitions);
	else if (row.kind == ROW_FACT)
		r = swp_correlation_keys_of_fact(
			planner, row.account, row.region, &row.fact, visit_partition, partitions);
	else
		r = swp_correlation_keys_of_result(
			planner, row.account, row.region, &row.result, visit_partition, partitions);
	json_decref(row.value);
	return r;
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_lines(struct swp_buf *text)
{
	char *lines[1024];
	size_t count = 0;
	struct swp_buf sorted = {0};

	for (char *line = text->data; line && *line && count < SWP_ARRAY_SIZE(lines);) {
		size_t length = strcspn(line, "\n");

		lines[count++] = line;
		if (line[length])
			line[length++] = '\0';
		line += length;
	}
	qsort(lines, count, sizeof(*lines), compare_lines);
	for (size_t i = 0; i < count; i++)
		swp_buf_append_format(&sorted, "%s\n", lines[i]);
	swp_buf_done(text);
	*text = sorted;
}

/* Each partition as a correlation of its own: together the same lines. */
static void run_by_partitions(const struct test_case *test)
{
	struct output output = {.joined = true};
	struct swp_correlation_sink sink = sink_of(&output);
	struct swp_buf expected = {0};
	struct swp_selection selection;
	struct swp_correlation *planner;

	select_checks(test->but, &selection);
	planner = correlation_of(test, &selection);
	for (unsigned p = 0; p < SWP_JOIN_PARTITIONS; p++) {
		struct swp_correlation *correlation = correlation_of(test, &selection);

		swp_correlation_set_partition(correlation, p);
		for (size_t i = 0; i < MOST_LINES && test->lines[i]; i++) {
			struct partitions partitions;

			assert_int_equal(keys_of_line(planner, test->lines[i], &partitions), 0);
			if (partitions.in[p])
				assert_int_equal(add_line(correlation, test->lines[i]), 0);
		}
		assert_int_equal(swp_correlation_run(correlation, &sink), 0);
		swp_correlation_free(correlation);
	}
	swp_correlation_free(planner);
	filter(&output.text, test->show);
	sort_lines(&output.text);
	swp_buf_append_text(&expected, test->expected);
	sort_lines(&expected);
	compare(test->name, "by partitions", swp_buf_text(&expected), &output.text);
	swp_buf_done(&output.text);
	swp_buf_done(&expected);
}

static void run_cases(const struct test_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *lines[MOST_LINES];

		run_and_compare(&cases[i], cases[i].lines, "as written");
		memcpy(lines, cases[i].lines, sizeof(lines));
		for (int round = 0; round < 8; round++) {
			char how[64];

			snprintf(how, sizeof(how), "seed %llu", (unsigned long long)random_state);
			shuffle(lines);
			run_and_compare(&cases[i], lines, how);
		}
		if (!cases[i].account)
			run_by_partitions(&cases[i]);
	}
}

/* --- AC-37: each status of one leg against each of the other, on one ARN --- */

#define SM1 "aws-sagemaker-001 " A " eu-west-1 "
#define SM2 "aws-sagemaker-002 " A " eu-west-1 "
#define SM3 "aws-sagemaker-003 " A " eu-west-1 "

static const struct test_case ac_37[] = {
	{"both fail: the cheaper fix", A, NULL, "AC-37", {"FAIL " SM1 "nb1", "FAIL " SM2 "nb1"},
		"AC-37 confirmed resource " A
		" regions=eu-west-1 resources=nb1 findings=sagemaker-001/nb1,sagemaker-002/nb1 "
		"fix=sagemaker-001/nb1\n"},
	{"root fails, internet unread", A, NULL, "AC-37", {"FAIL " SM1 "nb1", "GAP " SM2 "nb1"},
		"AC-37 unverified resource " A
		" regions=eu-west-1 resources=nb1 findings=sagemaker-001/nb1,sagemaker-002/nb1? "
		"fix=sagemaker-001/nb1\n"},
	{"root unread, internet fails", A, NULL, "AC-37", {"GAP " SM1 "nb1", "FAIL " SM2 "nb1"},
		"AC-37 unverified resource " A
		" regions=eu-west-1 resources=nb1 findings=sagemaker-001/nb1?,sagemaker-002/nb1 "
		"fix=sagemaker-002/nb1\n"},
	{"both unread", A, NULL, "AC-37", {"GAP " SM1 "nb1", "GAP " SM2 "nb1"}, ""},
	{"root fails, internet passes", A, NULL, "AC-37", {"FAIL " SM1 "nb1", "PASS " SM2 "nb1"}, ""},
	{"root passes, internet fails", A, NULL, "AC-37", {"PASS " SM1 "nb1", "FAIL " SM2 "nb1"}, ""},
	{"root unread, internet passes", A, NULL, "AC-37", {"GAP " SM1 "nb1", "PASS " SM2 "nb1"}, ""},
	{"on different notebooks of one region: nothing", A, NULL, "AC-37",
		{"FAIL " SM1 "nb1", "FAIL " SM2 "nb2"}, ""},
	{"one fails, the other on another notebook unread: nothing", A, NULL, "AC-37",
		{"FAIL " SM1 "nb1", "GAP " SM2 "nb2"}, ""},
	{"a list that was not read is not that ARN", A, NULL, "AC-37", {"FAIL " SM1 "nb1", "GAP " SM2 "-"},
		""},
	{"a job that was not read says nothing of an ARN", A, NULL, "AC-37",
		{"FAIL " SM1 "nb1", "scope " A " us-east-1 cancelled"}, ""},
	{"each notebook is an instance; regions in order", A, NULL, "AC-37",
		{"FAIL " SM1 "nb2", "FAIL " SM2 "nb2", "FAIL aws-sagemaker-001 " A " ap-south-1 nb9",
			"FAIL aws-sagemaker-002 " A " ap-south-1 nb9", "FAIL " SM1 "nb1", "FAIL " SM2 "nb1",
			"FAIL " SM1 "nb1"},
		"AC-37 confirmed resource " A
		" regions=ap-south-1 resources=nb9 findings=sagemaker-001/nb9,sagemaker-002/nb9 "
		"fix=sagemaker-001/nb9\n"
		"AC-37 confirmed resource " A
		" regions=eu-west-1 resources=nb1 findings=sagemaker-001/nb1,sagemaker-002/nb1 "
		"fix=sagemaker-001/nb1\n"
		"AC-37 confirmed resource " A
		" regions=eu-west-1 resources=nb2 findings=sagemaker-001/nb2,sagemaker-002/nb2 "
		"fix=sagemaker-001/nb2\n"},
	{"a leg that was not selected", A, "aws-sagemaker-002", "AC-37",
		{"FAIL " SM1 "nb1", "FAIL " SM2 "nb1"}, ""},
};

static void test_ac_37(void **state)
{
	(void)state;
	run_cases(ac_37, SWP_ARRAY_SIZE(ac_37));
}

/* --- AC-38 --- */

#define LOG_EU "aws-bedrock-001 " A " eu-west-1 log-eu"
#define LOG_US "aws-bedrock-001 " A " us-east-1 log-us"
#define LOG_AP "aws-bedrock-001 " A " ap-south-1 log-ap"
#define GUARD_EU "aws-bedrock-002 " A " eu-west-1 guard-eu"
#define GUARD_US "aws-bedrock-002 " A " us-east-1 guard-us"

static const struct test_case ac_38[] = {
	{"one region", A, NULL, "AC-38", {"FAIL " LOG_EU, "PASS " LOG_US},
		"AC-38 confirmed account " A
		" regions=eu-west-1 resources=log-eu findings=bedrock-001/log-eu fix=bedrock-001/log-eu\n"},
	{"all failing regions in one instance, each of them to be fixed; unread ones named", A, NULL, "AC-38",
		{"FAIL " LOG_US, "FAIL " LOG_EU, "GAP " LOG_AP},
		"AC-38 confirmed account " A
		" regions=eu-west-1,us-east-1 unread=ap-south-1 resources=log-eu,log-us "
		"findings=bedrock-001/log-eu,bedrock-001/log-us fix=bedrock-001/log-eu,bedrock-001/log-us\n"},
	{"guardrail findings of the failing regions amplify", A, NULL, "AC-38",
		{"FAIL " LOG_EU, "PASS " LOG_US, "FAIL " GUARD_EU, "FAIL " GUARD_US},
		"AC-38 confirmed account " A
		" regions=eu-west-1 resources=log-eu findings=bedrock-001/log-eu,bedrock-002/guard-eu "
		"fix=bedrock-001/log-eu\n"},
	{"an amplifier that was not read is no finding", A, NULL, "AC-38", {"FAIL " LOG_EU, "GAP " GUARD_EU},
		"AC-38 confirmed account " A
		" regions=eu-west-1 resources=log-eu findings=bedrock-001/log-eu fix=bedrock-001/log-eu\n"},
	{"an amplifier that was not selected", A, "aws-bedrock-002", "AC-38",
		{"FAIL " LOG_EU, "FAIL " GUARD_EU},
		"AC-38 confirmed account " A
		" regions=eu-west-1 resources=log-eu findings=bedrock-001/log-eu fix=bedrock-001/log-eu\n"},
	{"never unverified", A, NULL, "AC-38", {"GAP " LOG_EU, "GAP " LOG_US, "FAIL " GUARD_EU}, ""},
	{"nothing fails", A, NULL, "AC-38", {"PASS " LOG_EU, "NONE " LOG_US, "FAIL " GUARD_EU}, ""},
	{"jobs that were not read are regions that were not assessed", A, NULL, "AC-38",
		{"FAIL " LOG_EU, "scope " A " us-east-1 worker-lost", "scope " A " global cancelled"},
		"AC-38 confirmed account " A
		" regions=eu-west-1 unread=us-east-1 resources=log-eu findings=bedrock-001/log-eu "
		"fix=bedrock-001/log-eu\n"},
};

static void test_ac_38(void **state)
{
	(void)state;
	run_cases(ac_38, SWP_ARRAY_SIZE(ac_38));
}

/* --- AC-39 --- */

static const struct test_case ac_39[] = {
	{"guardrails and a notebook: one fix each, the cheaper", A, NULL, "AC-39",
		{"FAIL " GUARD_EU, "FAIL " SM1 "nb1"},
		"AC-39 confirmed region " A
		" regions=eu-west-1 resources=nb1 findings=bedrock-002/guard-eu,sagemaker-001/nb1 "
		"fix=sagemaker-001/nb1\n"},
	{"guardrails and an endpoint", A, NULL, "AC-39", {"FAIL " GUARD_EU, "FAIL " SM3 "ep1"},
		"AC-39 confirmed region " A
		" regions=eu-west-1 resources=ep1 findings=bedrock-002/guard-eu,sagemaker-003/ep1 "
		"fix=bedrock-002/guard-eu\n"},
	{"many resources: the guardrail is the smaller fix; unread ones are not listed", A, NULL, "AC-39",
		{"FAIL " GUARD_EU, "FAIL " SM1 "nb1", "FAIL " SM1 "nb2", "FAIL " SM3 "ep1", "GAP " SM3 "ep2",
			"GAP " SM1 "-"},
		"AC-39 confirmed region " A " regions=eu-west-1 resources=ep1,nb1,nb2 "
		"findings=bedrock-002/guard-eu,sagemaker-001/nb1,sagemaker-001/nb2,sagemaker-003/ep1 "
		"fix=bedrock-002/guard-eu\n"},
	{"guardrails unread", A, NULL, "AC-39", {"GAP " GUARD_EU, "FAIL " SM1 "nb1", "FAIL " SM3 "ep1"},
		"AC-39 unverified region " A " regions=eu-west-1 resources=ep1,nb1 "
		"findings=bedrock-002/guard-eu?,sagemaker-001/nb1,sagemaker-003/ep1 "
		"fix=sagemaker-001/nb1,sagemaker-003/ep1\n"},
	{"a resource unread, the other leg of the side passes", A, NULL, "AC-39",
		{"FAIL " GUARD_EU, "GAP " SM1 "nb1", "PASS " SM3 "ep1"},
		"AC-39 unverified region " A
		" regions=eu-west-1 resources=nb1 findings=bedrock-002/guard-eu,sagemaker-001/nb1? "
		"fix=bedrock-002/guard-eu\n"},
	{"a list unread", A, NULL, "AC-39", {"FAIL " GUARD_EU, "GAP " SM1 "-", "NONE " SM3 "-"},
		"AC-39 unverified region " A
		" regions=eu-west-1 findings=bedrock-002/guard-eu,sagemaker-001/-? "
		"fix=bedrock-002/guard-eu\n"},
	{"a side of one that fails and one that is unread fails", A, NULL, "AC-39",
		{"FAIL " GUARD_EU, "GAP " SM1 "-", "FAIL " SM3 "ep1"},
		"AC-39 confirmed region " A
		" regions=eu-west-1 resources=ep1 findings=bedrock-002/guard-eu,sagemaker-003/ep1 "
		"fix=bedrock-002/guard-eu\n"},
	{"both sides unread", A, NULL, "AC-39", {"GAP " GUARD_EU, "GAP " SM1 "-"}, ""},
	{"guardrails pass", A, NULL, "AC-39", {"PASS " GUARD_EU, "FAIL " SM1 "nb1", "GAP " SM3 "-"}, ""},
	{"nothing of SageMaker", A, NULL, "AC-39", {"FAIL " GUARD_EU, "PASS " SM1 "nb1", "NONE " SM3 "-"},
		""},
	{"different regions do not meet", A, NULL, "AC-39", {"FAIL " GUARD_US, "FAIL " SM1 "nb1"}, ""},
	{"an instance for each region", A, NULL, "AC-39",
		{"FAIL " GUARD_US, "FAIL aws-sagemaker-001 " A " us-east-1 nb7", "FAIL " GUARD_EU,
			"FAIL " SM1 "nb1"},
		"AC-39 confirmed region " A
		" regions=eu-west-1 resources=nb1 findings=bedrock-002/guard-eu,sagemaker-001/nb1 "
		"fix=sagemaker-001/nb1\n"
		"AC-39 confirmed region " A
		" regions=us-east-1 resources=nb7 findings=bedrock-002/guard-us,sagemaker-001/nb7 "
		"fix=sagemaker-001/nb7\n"},
	{"one alternative of the side not selected", A, "aws-sagemaker-001", "AC-39",
		{"FAIL " GUARD_EU, "FAIL " SM1 "nb1", "FAIL " SM3 "ep1"},
		"AC-39 confirmed region " A
		" regions=eu-west-1 resources=ep1 findings=bedrock-002/guard-eu,sagemaker-003/ep1 "
		"fix=bedrock-002/guard-eu\n"},
	{"no alternative selected", A, "aws-sagemaker-001 aws-sagemaker-003", "AC-39",
		{"FAIL " GUARD_EU, "FAIL " SM3 "ep1"}, ""},
};

static void test_ac_39(void **state)
{
	(void)state;
	run_cases(ac_39, SWP_ARRAY_SIZE(ac_39));
}

/* --- what narratives say --- */

static void test_narratives_do_not_depend_on_filters(void **state)
{
	struct test_case whole = {.account = A,
		.lines = {"FAIL " LOG_EU, "FAIL " LOG_US, "FAIL " GUARD_EU, "FAIL " SM1 "nb1",
			"FAIL " SM2 "nb1", "FAIL " SM3 "ep1"}};
	struct test_case part = {.account = A,
		.but = "aws-bedrock-002",
		.lines = {"FAIL " LOG_EU, "FAIL " SM1 "nb1", "FAIL " SM2 "nb1"}};
	struct output a = {.narratives = true}, b = {.narratives = true};
	const char *from_a, *from_b;

	(void)state;
	assert_int_equal(run_lines(&whole, whole.lines, &a), 0);
	assert_int_equal(run_lines(&part, part.lines, &b), 0);
	filter(&a.text, "AC-38");
	filter(&b.text, "AC-38");
	from_a = strchr(swp_buf_text(&a.text), '"');
	from_b = strchr(swp_buf_text(&b.text), '"');
	assert_non_null(from_a);
	assert_non_null(from_b);
	assert_string_equal(from_a, from_b);
	assert_non_null(strstr(from_a, A));
	assert_non_null(strstr(from_a, " Not shown: "));
	assert_null(strchr(from_a, '{'));
	swp_buf_done(&a.text);
	swp_buf_done(&b.text);
}

/* --- within an account: facts, relations, entangled legs, counts, paths --- */

#define OPEN "test-agent-001 " A " eu-west-1 "
#define UNASKED "test-agent-002 " A " eu-west-1 "

static const struct test_case within[] = {
	{"finding, relation and fact", A, NULL, "TC-58",
		{"FAIL " OPEN "a1", "rel agent.role " A " eu-west-1 a1 r1",
			"fact role.over_privileged " A " global r1 true", "FAIL " UNASKED "a1",
			"FAIL " UNASKED "a2"},
		"TC-58 confirmed resource " A
		" regions=eu-west-1 resources=a1,r1 findings=test-agent-001/a1,test-agent-002/a1 "
		"fix=test-agent-001/a1\n"},
	{"the fact is false", A, NULL, "TC-58",
		{"FAIL " OPEN "a1", "rel agent.role " A " eu-west-1 a1 r1",
			"fact role.over_privileged " A " global r1 false"},
		""},
	{"the fact is unknown", A, NULL, "TC-58",
		{"FAIL " OPEN "a1", "rel agent.role " A " eu-west-1 a1 r1",
			"fact? role.over_privileged " A " global r1"},
		"TC-58 unverified resource " A
		" regions=eu-west-1 resources=a1,r1 findings=test-agent-001/a1 fix=test-agent-001/a1\n"},
	{"the roles' list was not read", A, NULL, "TC-58",
		{"FAIL " OPEN "a1", "rel agent.role " A " eu-west-1 a1 r1",
			"list? chaintest-role " A " global"},
		"TC-58 unverified resource " A
		" regions=eu-west-1 resources=a1,r1 findings=test-agent-001/a1 fix=test-agent-001/a1\n"},
	{"the roles' job was not read", A, NULL, "TC-58",
		{"FAIL " OPEN "a1", "rel agent.role " A " eu-west-1 a1 r1", "scope " A " global timeout"},
		"TC-58 unverified resource " A
		" regions=eu-west-1 resources=a1,r1 findings=test-agent-001/a1 fix=test-agent-001/a1\n"},
	{"the role is not there, and the list was read", A, NULL, "TC-58",
		{"FAIL " OPEN "a1", "rel agent.role " A " eu-west-1 a1 r1",
			"list chaintest-role " A " global true"},
		""},
	{"the relation is unknown", A, NULL, "TC-58",
		{"FAIL " OPEN "a1", "rel? agent.role " A " eu-west-1 a1",
			"fact role.over_privileged " A " global r1 true"},
		"TC-58 unverified resource " A
		" regions=eu-west-1 resources=a1 findings=test-agent-001/a1 fix=test-agent-001/a1\n"},
	{"there is no role", A, NULL, "TC-58",
		{"FAIL " OPEN "a1", "rel0 agent.role " A " eu-west-1 a1",
			"fact role.over_privileged " A " global r1 true"},
		""},
	{"the first leg's list was not read: what no row speaks against", A, NULL, "TC-70",
		{"GAP " OPEN "-", "FAIL " UNASKED "a1", "FAIL " UNASKED "a2", "PASS " OPEN "a2"},
		"TC-70 unverified account " A
		" resources=a1 findings=test-agent-001/-?,test-agent-002/a1 fix=test-agent-002/a1\n"},
	{"the second leg's list was not read", A, NULL, "TC-70",
		{"FAIL " OPEN "a1", "FAIL " OPEN "a2", "GAP " UNASKED "-", "PASS " UNASKED "a2"},
		"TC-70 unverified account " A
		" resources=a1 findings=test-agent-001/a1,test-agent-002/-? fix=test-agent-001/a1\n"},
	{"an unread list of another region does not hold that ARN", A, NULL, "TC-70",
		{"FAIL " OPEN "arn:aws:chaintest:eu-west-1:" A ":agent/a1",
			"GAP test-agent-002 " A " us-east-1 -"},
		""},
	{"one of its own region does", A, NULL, "TC-70",
		{"FAIL " OPEN "arn:aws:chaintest:eu-west-1:" A ":agent/a1",
			"GAP test-agent-002 " A " eu-west-1 -"},
		"TC-70 unverified account " A " resources=arn:aws:chaintest:eu-west-1:" A ":agent/a1 "
		"findings=test-agent-001/arn:aws:chaintest:eu-west-1:" A ":agent/a1,test-agent-002/-? "
		"fix=test-agent-001/arn:aws:chaintest:eu-west-1:" A ":agent/a1\n"},
	{"entangled: for each agent the cheaper leg", A, NULL, "TC-70",
		{"FAIL " OPEN "a1", "FAIL " UNASKED "a1", "FAIL " OPEN "a2", "FAIL " UNASKED "a2",
			"FAIL " OPEN "a3"},
		"TC-70 confirmed account " A " resources=a1,a2 "
		"findings=test-agent-001/a1,test-agent-001/a2,test-agent-002/a1,test-agent-002/a2 "
		"fix=test-agent-001/a1,test-agent-001/a2\n"},
	{"counted: enough", A, NULL, "TC-71",
		{"FAIL " OPEN "a1", "FAIL " OPEN "a2", "FAIL " OPEN "a3", "FAIL " OPEN "a4"},
		"TC-71 confirmed region " A " regions=eu-west-1 resources=a1,a2,a3,a4 "
		"findings=test-agent-001/a1,test-agent-001/a2,test-agent-001/a3,test-agent-001/a4 "
		"fix=test-agent-001/a1,test-agent-001/a2\n"},
	{"counted: too few", A, NULL, "TC-71", {"FAIL " OPEN "a1", "FAIL " OPEN "a2", "PASS " OPEN "a3"}, ""},
	{"counted: perhaps enough", A, NULL, "TC-71",
		{"FAIL " OPEN "a1", "FAIL " OPEN "a2", "GAP " OPEN "a3"},
		"TC-71 unverified region " A " regions=eu-west-1 resources=a1,a2,a3 "
		"findings=test-agent-001/a1,test-agent-001/a2,test-agent-001/a3? fix=test-agent-001/a1\n"},
	{"two paths: the first", A, NULL, "TC-72", {"FAIL " OPEN "a1"},
		"TC-72 confirmed resource " A
		" resources=a1 findings=test-agent-001/a1 fix=test-agent-001/a1\n"},
	{"two paths: the second, by a joined check", A, NULL, "TC-72",
		{"FAIL " UNASKED "a1", "rel agent.role " A " eu-west-1 a1 r1",
			"fact role.over_privileged " A " global r1 true", "scope " A " eu-west-1 -",
			"list chaintest-agent " A " eu-west-1 true"},
		"TC-72 confirmed resource " A
		" resources=a1 findings=test-agent-002/a1,test-joined-001/a1 fix=test-joined-001/a1\n"},
	{"two paths: both hold, and both are to be broken", A, NULL, "TC-72",
		{"FAIL " OPEN "a1", "FAIL " UNASKED "a1", "rel agent.role " A " eu-west-1 a1 r1",
			"fact role.over_privileged " A " global r1 true", "scope " A " eu-west-1 -",
			"list chaintest-agent " A " eu-west-1 true"},
		"TC-72 confirmed resource " A
		" resources=a1 findings=test-agent-001/a1,test-agent-002/a1,test-joined-001/a1 "
		"fix=test-agent-001/a1,test-joined-001/a1\n"},
};

static void test_within_an_account(void **state)
{
	(void)state;
	run_cases(within, SWP_ARRAY_SIZE(within));
}

/* --- over accounts --- */

static const struct test_case over[] = {
	{"a bucket of another account", NULL, NULL, "TC-47",
		{"rel source.bucket " A " eu-west-1 s1 b1", "fact bucket.public " B " global b1 true",
			"rel source.bucket " A " eu-west-1 s2 b2", "fact bucket.public " A " global b2 true",
			"rel source.bucket " A " us-east-1 s3 b1"},
		"TC-47 confirmed resource " A " regions=eu-west-1 resources=b1,s1 findings= fix=\n"
		"TC-47 confirmed resource " A " regions=us-east-1 resources=b1,s3 findings= fix=\n"},
	{"the bucket's fact is unknown: a relation alone is no finding", NULL, NULL, "TC-47",
		{"rel source.bucket " A " eu-west-1 s1 b1", "fact? bucket.public " B " global b1"}, ""},
	{"several hops", NULL, NULL, "TC-60",
		{"FAIL test-endpoint-001 " A " eu-west-1 e1", "rel endpoint.model " A " eu-west-1 e1 m1",
			"rel model.bucket " A " eu-west-1 m1 b1", "fact bucket.public " B " global b1 true",
			"FAIL test-endpoint-001 " A " eu-west-1 e2",
			"rel endpoint.model " A " eu-west-1 e2 m1",
			"FAIL test-endpoint-001 " B " eu-west-1 e3",
			"rel endpoint.model " B " eu-west-1 e3 m3", "rel model.bucket " B " eu-west-1 m3 b3",
			"fact bucket.public " B " global b3 false"},
		"TC-60 confirmed resource " A " regions=eu-west-1 resources=b1,e1,e2,m1 "
		"findings=test-endpoint-001/e1,test-endpoint-001/e2 "
		"fix=test-endpoint-001/e1,test-endpoint-001/e2\n"},
	{"several hops, the last account unread", NULL, NULL, "TC-60",
		{"FAIL test-endpoint-001 " A " eu-west-1 e1", "rel endpoint.model " A " eu-west-1 e1 m1",
			"rel model.bucket " A " eu-west-1 m1 b1", "scope " B " global role-not-assumable",
			"list chaintest-bucket " A " global true"},
		"TC-60 unverified resource " A
		" regions=eu-west-1 resources=b1,e1,m1 findings=test-endpoint-001/e1 "
		"fix=test-endpoint-001/e1\n"},
	{"joined over the organization: public, private, missing, unread", NULL, NULL,
		"result test-joined-002|cell test-joined-002",
		{"scope " A " eu-west-1 -", "scope " B " eu-west-1 -", "scope " B " us-east-1 cancelled",
			"list chaintest-source " A " eu-west-1 true",
			"list chaintest-source " B " eu-west-1 true",
			"list chaintest-bucket " A " global true", "list chaintest-bucket " B " global true",
			"rel source.bucket " A " eu-west-1 s1 b1", "fact bucket.public " B " global b1 true",
			"rel source.bucket " A " eu-west-1 s2 b2", "fact bucket.public " A " global b2 false",
			"rel source.bucket " A " eu-west-1 s3 b3", "rel? source.bucket " A " eu-west-1 s4"},
		"result test-joined-002 " A
		" eu-west-1 s1 FAIL {\"bucket.public\":true,\"source.bucket\":\"b1\"}\n"
		"result test-joined-002 " A
		" eu-west-1 s2 PASS {\"bucket.public\":false,\"source.bucket\":\"b2\"}\n"
		"result test-joined-002 " A " eu-west-1 s3 FAIL {\"source.bucket\":\"b3\"}\n"
		"result test-joined-002 " A " eu-west-1 s4 NOT_ASSESSED denied-iam {}\n"
		"cell test-joined-002 " A " eu-west-1 FAIL denied-iam partial\n"
		"result test-joined-002 " B " eu-west-1 - NOT_APPLICABLE no-resource\n"
		"cell test-joined-002 " B " eu-west-1 NOT_APPLICABLE no-resource\n"
		"result test-joined-002 " B " us-east-1 - NOT_ASSESSED cancelled\n"
		"cell test-joined-002 " B " us-east-1 NOT_ASSESSED cancelled\n"},
	{"missing, but a bucket list was not read", NULL, NULL, "result test-joined-002|cell test-joined-002",
		{"scope " A " eu-west-1 -", "scope " B " global role-not-assumable",
			"list chaintest-source " A " eu-west-1 true",
			"list chaintest-bucket " A " global true", "rel source.bucket " A " eu-west-1 s3 b3"},
		"result test-joined-002 " A
		" eu-west-1 s3 NOT_ASSESSED role-not-assumable {\"source.bucket\":\"b3\"}\n"
		"cell test-joined-002 " A " eu-west-1 NOT_ASSESSED role-not-assumable\n"},
	{"the member list", NULL, NULL, "result test-joined-003",
		{"scope " A " eu-west-1 -", "list chaintest-agent " A " eu-west-1 true",
			"list organization.account . . true", "fact organization.account . . " A " true",
			"fact organization.account . . " B " true", "rel agent.partner " A " eu-west-1 a1 " B,
			"rel agent.partner " A " eu-west-1 a2 333333333333",
			"rel0 agent.partner " A " eu-west-1 a3"},
		"result test-joined-003 " A " eu-west-1 a1 PASS {\"agent.partner\":\"" B
		"\",\"organization.account\":true}\n"
		"result test-joined-003 " A " eu-west-1 a2 FAIL {\"agent.partner\":\"333333333333\"}\n"
		"result test-joined-003 " A " eu-west-1 a3 NOT_APPLICABLE not-meaningful {}\n"},
	{"the member list broke off", NULL, NULL, "result test-joined-003",
		{"scope " A " eu-west-1 -", "list chaintest-agent " A " eu-west-1 true",
			"list? organization.account . .",
			"rel agent.partner " A " eu-west-1 a2 333333333333"},
		"result test-joined-003 " A
		" eu-west-1 a2 NOT_ASSESSED denied-iam {\"agent.partner\":\"333333333333\"}\n"},
	{"what is missing, with a joined check as a leg", NULL, NULL, "TC-48",
		{"scope " A " eu-west-1 -", "list chaintest-source " A " eu-west-1 true",
			"list chaintest-bucket " A " global true", "rel source.bucket " A " eu-west-1 s3 b3",
			"rel source.bucket " A " eu-west-1 s1 b1", "fact bucket.public " A " global b1 true"},
		"TC-48 confirmed resource " A
		" regions=eu-west-1 resources=s3 findings=test-joined-002/s3 fix=test-joined-002/s3\n"},
};

static void test_over_accounts(void **state)
{
	(void)state;
	run_cases(over, SWP_ARRAY_SIZE(over));
}

static const struct test_case joined_in_account[] = {
	{"joined within the account", A, NULL, "result|cell",
		{"scope " A " eu-west-1 -", "scope " A " us-east-1 -", "scope " A " ap-south-1 -",
			"scope " A " global -", "list chaintest-agent " A " eu-west-1 true",
			"list? chaintest-agent " A " us-east-1",
			"list chaintest-agent " A " ap-south-1 \"not-offered\"",
			"list chaintest-role " A " global true", "rel agent.role " A " eu-west-1 a1 r1",
			"rel agent.role " A " eu-west-1 a2 r2", "rel agent.role " A " us-east-1 a3 r2",
			"rel agent.role " A " eu-west-1 a4 r9",
			"fact role.over_privileged " A " global r1 false",
			"fact? role.over_privileged " A " global r2"},
		"result test-joined-001 " A " ap-south-1 - NOT_APPLICABLE not-offered\n"
		"cell test-joined-001 " A " ap-south-1 NOT_APPLICABLE not-offered\n"
		"result test-joined-001 " A
		" eu-west-1 a1 PASS {\"agent.role\":\"r1\",\"role.over_privileged\":false}\n"
		"result test-joined-001 " A " eu-west-1 a2 NOT_ASSESSED denied-iam {\"agent.role\":\"r2\"}\n"
		"result test-joined-001 " A " eu-west-1 a4 NOT_ASSESSED not-found {\"agent.role\":\"r9\"}\n"
		"cell test-joined-001 " A " eu-west-1 NOT_ASSESSED denied-iam\n"
		"result test-joined-001 " A " us-east-1 - NOT_ASSESSED denied-iam\n"
		"result test-joined-001 " A " us-east-1 a3 NOT_ASSESSED denied-iam {\"agent.role\":\"r2\"}\n"
		"cell test-joined-001 " A " us-east-1 NOT_ASSESSED denied-iam\n"},
};

static void test_joined_in_account(void **state)
{
	(void)state;
	run_cases(joined_in_account, SWP_ARRAY_SIZE(joined_in_account));
}

/* --- what the selection allows --- */

static int take_reason(size_t chain, const char *reason, void *context)
{
	return swp_buf_append_format(context, "%s: %s\n", swp_catalogue_chain(catalogue, chain)->id, reason);
}

static void test_not_evaluated(void **state)
{
	static const struct {
		const char *but, *expected;
	} rows[] = {
		{"aws-bedrock-002", "AC-39: aws-bedrock-002 not selected\n"},
		{"aws-bedrock-001", "AC-38: aws-bedrock-001 not selected\n"},
		{"aws-sagemaker-001", "AC-37: aws-sagemaker-001 not selected\n"},
		{"aws-sagemaker-003", ""},
		{"aws-sagemaker-001 aws-sagemaker-003",
			"AC-37: aws-sagemaker-001 not selected\nAC-39: aws-sagemaker-001, aws-sagemaker-003 "
			"not selected\n"},
		{"test-agent-001", "TC-58: test-agent-001 not selected\nTC-70: test-agent-001 not selected\n"
				   "TC-71: test-agent-001 not selected\n"},
	};

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		struct swp_selection selection;
		struct swp_buf text = {0};

		select_checks(rows[i].but, &selection);
		assert_int_equal(swp_correlation_not_evaluated(catalogue, &selection, take_reason, &text), 0);
		assert_string_equal(swp_buf_text(&text), rows[i].expected);
		swp_buf_done(&text);
	}
}

static void test_over_accounts_only_if_needed(void **state)
{
	struct swp_selection selection;
	int only = swp_catalogue_check_find(catalogue, "aws-bedrock-001");

	(void)state;
	swp_selection_all(catalogue, &selection);
	assert_true(swp_correlation_over_accounts(catalogue, &selection));
	for (size_t i = 0; i < swp_catalogue_check_count(catalogue); i++)
		swp_selection_set(&selection, i, (int)i == only);
	assert_true(swp_correlation_over_accounts(catalogue, &selection)); /* TC-47 needs no check */
}

static void test_wants(void **state)
{
	const struct test_case test = {.account = A};
	struct swp_selection selection;
	struct swp_correlation *correlation;

	(void)state;
	select_checks("aws-sagemaker-002 aws-bedrock-001", &selection);
	correlation = correlation_of(&test, &selection);
	assert_true(swp_correlation_wants_check(
		correlation, (size_t)swp_catalogue_check_find(catalogue, "aws-bedrock-002")));
	assert_false(swp_correlation_wants_check(
		correlation, (size_t)swp_catalogue_check_find(catalogue, "aws-bedrock-001")));
	assert_true(swp_correlation_wants_fact(correlation, "role.over_privileged"));
	assert_true(swp_correlation_wants_fact(correlation, "complete:chaintest-role"));
	assert_false(swp_correlation_wants_fact(correlation, "bucket.public"));
	assert_false(swp_correlation_wants_fact(correlation, "complete:chaintest-bucket"));
	swp_correlation_free(correlation);
}

/* --- size, ceilings, memory --- */

static double seconds_for(size_t notebooks)
{
	const struct test_case test = {.account = A};
	struct output output = {0};
	struct swp_correlation_sink sink = sink_of(&output);
	struct swp_selection selection;
	struct swp_correlation *correlation;
	struct timespec start, end;

	swp_selection_all(catalogue, &selection);
	clock_gettime(CLOCK_MONOTONIC, &start);
	correlation = correlation_of(&test, &selection);
	for (size_t i = 0; i < 2 * notebooks; i++) {
		char line[128];

		snprintf(line, sizeof(line),
			"FAIL aws-sagemaker-00%zu " A " eu-west-1 arn:aws:sagemaker:eu-west-1:" A
			":notebook-instance/n%zu",
			i % 2 + 1, i / 2);
		assert_int_equal(add_line(correlation, line), 0);
	}
	output.text.limit_bytes = (size_t)1 << 30;
	assert_int_equal(swp_correlation_run(correlation, &sink), 0);
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_int_equal(output.instances, notebooks);
	swp_correlation_free(correlation);
	swp_buf_done(&output.text);
	return (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
}

static void test_is_linear(void **state)
{
	double small, large;

	(void)state;
	seconds_for(1000); /* warms up */
	small = seconds_for(12500);
	large = seconds_for(50000); /* 100,000 rows */
	printf("12,500 notebooks: %.3f s; 50,000: %.3f s\n", small, large);
	assert_true(large < small * 4 * 4 + 0.5); /* four times as much: quadratic would be sixteen times */
}

static void test_ceiling_of_rows(void **state)
{
	const struct test_case test = {.account = A};
	struct output output = {.joined = true};
	struct swp_correlation_sink sink = sink_of(&output);
	struct swp_selection selection;
	struct swp_correlation *correlation;
	struct swp_result result = {.check = (size_t)swp_catalogue_check_find(catalogue, "aws-sagemaker-001"),
		.status = SWP_STATUS_FAIL,
		.resource = "nb1"};

	(void)state;
	select_checks("aws-bedrock-002", &selection);
	correlation = correlation_of(&test, &selection);
	assert_int_equal(add_line(correlation, "scope " A " eu-west-1 -"), 0);
	for (size_t i = 0; i < SWP_LIMIT_CORRELATION_ROWS; i++)
		assert_int_equal(swp_correlation_add_result(correlation, A, "eu-west-1", &result), 0);
	assert_int_equal(swp_correlation_add_result(correlation, A, "eu-west-1", &result), 1);
	assert_int_equal(swp_correlation_run(correlation, &sink), 0);
	assert_non_null(strstr(swp_buf_text(&output.text), "AC-37 not evaluated: limit-reached: more than "));
	assert_null(strstr(swp_buf_text(&output.text), "AC-39"));
	assert_non_null(strstr(swp_buf_text(&output.text),
		"cell test-joined-001 " A " eu-west-1 NOT_ASSESSED limit-reached\n"));
	assert_int_equal(output.instances, 0);
	swp_correlation_free(correlation);
	swp_buf_done(&output.text);
}

/* More combinations than a chain may have: each source reads each of many buckets. */
static void test_ceiling_of_tuples(void **state)
{
	const struct test_case test = {.account = NULL};
	struct output output = {0};
	struct swp_correlation_sink sink = sink_of(&output);
	struct swp_selection selection;
	struct swp_correlation *correlation;
	char owner[16];

	(void)state;
	swp_selection_all(catalogue, &selection);
	correlation = correlation_of(&test, &selection);
	for (size_t i = 0; i < 1100; i++) {
		struct swp_fact relation = {.name = "source.bucket", .object = "b1"};
		struct swp_fact fact = {.name = "bucket.public", .subject = "b1", .value = json_true()};
		char source[16];

		snprintf(source, sizeof(source), "s%zu", i);
		snprintf(owner, sizeof(owner), "%012zu", i);
		relation.subject = source;
		assert_int_equal(swp_correlation_add_fact(correlation, A, "eu-west-1", &relation), 0);
		assert_int_equal(swp_correlation_add_fact(correlation, owner, "global", &fact), 0);
	}
	assert_int_equal(swp_correlation_run(correlation, &sink), 0);
	assert_non_null(strstr(swp_buf_text(&output.text), "TC-47 not evaluated: limit-reached: more than "));
	assert_null(strstr(swp_buf_text(&output.text), "TC-47 confirmed"));
	swp_correlation_free(correlation);
	swp_buf_done(&output.text);
}

/* Many agents against many lists that were not read, none of which can hold them. */
static void test_ceiling_of_work(void **state)
{
	const struct test_case test = {.account = A};
	struct output output = {0};
	struct swp_correlation_sink sink = sink_of(&output);
	struct swp_selection selection;
	struct swp_correlation *correlation;
	char line[160];

	(void)state;
	if (under_valgrind())
		skip();
	swp_selection_all(catalogue, &selection);
	correlation = correlation_of(&test, &selection);
	for (size_t i = 0; i < 20000; i++) {
		snprintf(line, sizeof(line),
			"FAIL test-agent-001 " A " eu-west-1 arn:aws:x:eu-west-1:" A ":a%zu", i);
		assert_int_equal(add_line(correlation, line), 0);
	}
	for (size_t i = 0; i < SWP_LIMIT_CHAIN_WORK / 20000 + 2; i++) {
		snprintf(line, sizeof(line), "GAP test-agent-002 " A " region-%zu -", i);
		assert_int_equal(add_line(correlation, line), 0);
	}
	assert_int_equal(swp_correlation_run(correlation, &sink), 0);
	assert_non_null(strstr(swp_buf_text(&output.text), "TC-70 not evaluated: limit-reached: "));
	swp_correlation_free(correlation);
	swp_buf_done(&output.text);
}

static int refuse(void *context, const struct swp_chain_instance *instance)
{
	(void)context;
	(void)instance;
	return 1;
}

static void test_sink_ends_the_run(void **state)
{
	const struct test_case test = {.account = A};
	struct output output = {0};
	struct swp_correlation_sink sink = sink_of(&output);
	struct swp_selection selection;
	struct swp_correlation *correlation;

	(void)state;
	swp_selection_all(catalogue, &selection);
	correlation = correlation_of(&test, &selection);
	assert_int_equal(add_line(correlation, "FAIL " LOG_EU), 0);
	sink.chain = refuse;
	assert_int_equal(swp_correlation_run(correlation, &sink), 1);
	assert_string_equal(swp_buf_text(&output.text), "");
	swp_correlation_free(correlation);
	swp_buf_done(&output.text);
}

/* Each allocation fails once: an error comes back, and nothing is lost. */
static void fail_each_allocation(const struct test_case *test)
{
	for (unsigned long nth = 1;; nth++) {
		struct output output = {.joined = true};
		int r;

		swp_alloc_fail_at(nth, 0);
		r = run_lines(test, test->lines, &output);
		if (swp_alloc_fail_at(0, 0) < nth) {
			assert_int_equal(r, 0);
			swp_buf_done(&output.text);
			assert_true(nth > 20);
			return;
		}
		/* a failure may also have met the test's own output, or an allocation that is done without */
		assert_true(r == -ENOMEM || r == 0);
		swp_buf_done(&output.text);
	}
}

static void test_failing_allocations(void **state)
{
	(void)state;
	fail_each_allocation(&within[0]);
	fail_each_allocation(&within[8]);
	fail_each_allocation(&within[17]);
	fail_each_allocation(&within[18]);
	fail_each_allocation(&over[0]);
	fail_each_allocation(&over[4]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ac_37),
		cmocka_unit_test(test_ac_38),
		cmocka_unit_test(test_ac_39),
		cmocka_unit_test(test_narratives_do_not_depend_on_filters),
		cmocka_unit_test(test_within_an_account),
		cmocka_unit_test(test_over_accounts),
		cmocka_unit_test(test_joined_in_account),
		cmocka_unit_test(test_not_evaluated),
		cmocka_unit_test(test_over_accounts_only_if_needed),
		cmocka_unit_test(test_wants),
		cmocka_unit_test(test_is_linear),
		cmocka_unit_test(test_ceiling_of_rows),
		cmocka_unit_test(test_ceiling_of_tuples),
		cmocka_unit_test(test_ceiling_of_work),
		cmocka_unit_test(test_sink_ends_the_run),
		cmocka_unit_test(test_failing_allocations),
	};

	random_state = (uint64_t)time(NULL) * 2654435761u + 1;
	if (getenv("ORGSWEEP_TEST_SEED"))
		random_state = strtoull(getenv("ORGSWEEP_TEST_SEED"), NULL, 10);
	printf("seed %llu (ORGSWEEP_TEST_SEED)\n", (unsigned long long)random_state);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
