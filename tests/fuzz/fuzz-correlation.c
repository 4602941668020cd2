/* Correlation of any rows: six bytes are one row. The first byte of the input says whether it is one account or the organization. What comes out
 * must be in order, hold what the contract says of an instance, and not depend on the order of the rows. Run in the source folder it
 * knows the test's chains, too (tests/catalogue/chains.yaml).
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checks/correlation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROW_BYTES = 6, MOST_ROWS = 512 };

static const char *const accounts[] = {"111111111111", "222222222222", "333333333333"};
static const char *const regions[] = {"eu-west-1", "us-east-1", "global"};
static const char *const facts[] = {"source.bucket", "agent.role", "agent.partner", "endpoint.model",
	"model.bucket", "bucket.public", "bucket.owner", "role.over_privileged", "organization.account",
	"complete:chaintest-source", "complete:chaintest-agent", "complete:chaintest-bucket",
	"complete:chaintest-role", "complete:organization.account"};
static const char *const values[] = {"true", "false", "\"not-offered\"", "\"closed-by-scp\"", "\"x\""};

static struct swp_catalogue *load_builtin(void)
{
	struct swp_problem problem = {""};
	struct swp_catalogue *catalogue = NULL;
	size_t length;
	const char *compiled = swp_catalogue_builtin(&length);

	SWP_ASSERT(swp_catalogue_load(compiled, length, &catalogue, &problem) == 0);
	return catalogue;
}

static void ignore(const struct swp_lint_message *message, void *context)
{
	(void)message;
	(void)context;
}

static struct swp_catalogue *load(void)
{
	static char bytes[1 << 16];
	struct swp_catalogue_file file = {.name = "tests/catalogue/chains.yaml", .bytes = bytes};
	struct swp_catalogue *base = load_builtin(), *catalogue = NULL;
	struct swp_problem problem = {""};
	struct swp_buf compiled = {0};
	FILE *stream = fopen(file.name, "rb");

	if (!stream)
		return base;
	file.length = fread(bytes, 1, sizeof(bytes), stream);
	fclose(stream);
	if (swp_catalogue_compile(&file, 1, base, ignore, NULL, &compiled) == 0)
		SWP_ASSERT(swp_catalogue_load(compiled.data, compiled.length, &catalogue, &problem) == 0);
	swp_buf_done(&compiled);
	if (!catalogue)
		return base;
	swp_catalogue_unref(base);
	return catalogue;
}

/* --- rows --- */

static void add_fact(
	struct swp_correlation *correlation, const uint8_t *row, const char *account, const char *region)
{
	char subject[16], object[16];
	struct swp_fact fact = {.name = facts[row[1] % SWP_ARRAY_SIZE(facts)], .subject = subject};
	json_t *value = NULL;

	snprintf(subject, sizeof(subject), "t%d", row[4] % 8);
	snprintf(object, sizeof(object), "t%d", row[5] / 16 % 8);
	if (row[5] % 4 == 0)
		value = json_loads(values[row[5] / 4 % SWP_ARRAY_SIZE(values)], JSON_DECODE_ANY, NULL);
	else if (row[5] % 4 == 1)
		fact.gap = (struct swp_gap){SWP_REASON_DENIED_IAM, "a:B", "C", "d", "e"};
	else
		fact.object = object;
	fact.value = value;
	SWP_ASSERT(swp_correlation_add_fact(correlation, account, region, &fact) == 0);
	json_decref(value);
}

static void add_result(const struct swp_catalogue *catalogue, struct swp_correlation *correlation,
	const uint8_t *row, const char *account, const char *region)
{
	char resource[16];
	struct swp_result result = {.check = row[1] % swp_catalogue_check_count(catalogue),
		.status = (enum swp_status)(row[5] % 4),
		.resource = row[4] % 8 ? resource : NULL};

	snprintf(resource, sizeof(resource), "t%d", row[4] % 8);
	SWP_ASSERT(swp_correlation_add_result(correlation, account, region, &result) == 0);
}

static void add_row(const struct swp_catalogue *catalogue, struct swp_correlation *correlation,
	const uint8_t *row, bool over)
{
	const char *account = over ? accounts[row[2] % SWP_ARRAY_SIZE(accounts)] : accounts[0];
	const char *region = regions[row[3] % SWP_ARRAY_SIZE(regions)];

	if (row[0] % 8 == 0)
		SWP_ASSERT(swp_correlation_add_scope(correlation, account, region,
				   (enum swp_reason)(row[5] % SWP_REASON_COUNT)) == 0);
	else if (row[0] % 8 < 4)
		add_fact(correlation, row, account, region);
	else
		add_result(catalogue, correlation, row, account, region);
}

/* --- what comes out --- */

struct output {
	const struct swp_catalogue *catalogue;
	struct swp_buf text;
};

static void check_list(const char *const *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		SWP_ASSERT(items[i] && (i == 0 || strcmp(items[i - 1], items[i]) < 0));
}

static bool is_fixable(const struct swp_chain_instance *instance, const struct swp_chain_fix *fix)
{
	for (size_t i = 0; i < instance->finding_count; i++) {
		const struct swp_chain_finding *finding = &instance->findings[i];

		if (finding->check == fix->check && finding->status == SWP_STATUS_FAIL && finding->resource &&
			strcmp(finding->resource, fix->resource) == 0)
			return true;
	}
	return false;
}

static int take_chain(void *context, const struct swp_chain_instance *instance)
{
	struct output *output = context;

	check_list(instance->regions, instance->region_count);
	check_list(instance->regions_not_assessed, instance->region_not_assessed_count);
	check_list(instance->resources, instance->resource_count);
	SWP_ASSERT(instance->account && instance->basis && instance->narrative[0]);
	for (size_t i = 0; i < instance->finding_count; i++)
		SWP_ASSERT(instance->findings[i].status == SWP_STATUS_FAIL ||
			   (instance->findings[i].status == SWP_STATUS_NOT_ASSESSED && !instance->confirmed));
	for (size_t i = 0; i < instance->fix_count; i++)
		SWP_ASSERT(is_fixable(instance, &instance->fix[i]));
	swp_buf_append_format(&output->text, "%s %d %s %zu %zu %zu %zu %zu",
		swp_catalogue_chain(output->catalogue, instance->chain)->id, instance->confirmed,
		instance->account, instance->region_count, instance->region_not_assessed_count,
		instance->resource_count, instance->finding_count, instance->fix_count);
	for (size_t i = 0; i < instance->resource_count; i++)
		swp_buf_append_format(&output->text, " %s", instance->resources[i]);
	for (size_t i = 0; i < instance->finding_count; i++)
		swp_buf_append_format(&output->text, " %zu/%s/%s/%s/%d", instance->findings[i].check,
			instance->findings[i].account, instance->findings[i].region,
			instance->findings[i].resource ? instance->findings[i].resource : "-",
			(int)instance->findings[i].status);
	for (size_t i = 0; i < instance->fix_count; i++)
		swp_buf_append_format(
			&output->text, " %zu/%s", instance->fix[i].check, instance->fix[i].resource);
	return swp_buf_append_text(&output->text, "\n");
}

static int take_result(
	void *context, const char *account, const char *region, const struct swp_result *result)
{
	struct output *output = context;

	SWP_ASSERT((result->status == SWP_STATUS_NOT_ASSESSED) == (result->gap.reason != SWP_REASON_NONE));
	return swp_buf_append_format(&output->text, "result %zu %s %s %s %d\n", result->check, account,
		region, result->resource ? result->resource : "-", (int)result->status);
}

static int take_cell(void *context, const char *account, const char *region, const struct swp_cell *cell)
{
	struct output *output = context;

	SWP_ASSERT(!cell->partial || cell->status == SWP_STATUS_FAIL);
	return swp_buf_append_format(
		&output->text, "cell %zu %s %s %d\n", cell->check, account, region, (int)cell->status);
}

static int take_not_evaluated(void *context, size_t chain, const char *reason)
{
	struct output *output = context;

	return swp_buf_append_format(&output->text, "%zu %s\n", chain, reason);
}

static void run(struct swp_catalogue *catalogue, const uint8_t *rows, size_t count, bool over, bool backwards,
	struct output *output)
{
	static struct swp_selection selection;
	const struct swp_correlation_scope scope = {
		"aws", over ? NULL : accounts[0], "o-example", accounts[0], &selection};
	const struct swp_correlation_sink sink = {
		take_result, take_cell, take_chain, take_not_evaluated, output};
	struct swp_correlation *correlation;

	swp_selection_all(catalogue, &selection);
	correlation = swp_correlation_new(catalogue, &scope);
	SWP_ASSERT(correlation);
	output->catalogue = catalogue;
	for (size_t i = 0; i < count; i++)
		add_row(catalogue, correlation, rows + ROW_BYTES * (backwards ? count - 1 - i : i), over);
	SWP_ASSERT(swp_correlation_run(correlation, &sink) == 0);
	swp_correlation_free(correlation);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct swp_catalogue *catalogue;
	struct output forwards = {0}, backwards = {0};
	size_t count = size > 1 ? (size - 1) / ROW_BYTES : 0;

	if (!catalogue)
		catalogue = load();
	if (count > MOST_ROWS)
		count = MOST_ROWS;
	if (size == 0)
		return 0;
	run(catalogue, data + 1, count, data[0] & 1, false, &forwards);
	run(catalogue, data + 1, count, data[0] & 1, true, &backwards);
	if (strcmp(swp_buf_text(&forwards.text), swp_buf_text(&backwards.text)) != 0) {
		fprintf(stderr, "--- forwards\n%s--- backwards\n%s", swp_buf_text(&forwards.text),
			swp_buf_text(&backwards.text));
		abort();
	}
	swp_buf_done(&forwards.text);
	swp_buf_done(&backwards.text);
	return 0;
}
