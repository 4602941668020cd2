/* The summary on standard error: what matters first, folded so that ten thousand accounts fit on a screen. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "checks/correlation.h"
#include "coordinator/report.h"
#include "proto/base/alloc.h"
#include "proto/base/text.h"
#include "proto/record/keys.h"

#define SUMMARY_CHAINS 3  /* instances shown of one chain */
#define SUMMARY_REGIONS 8 /* closed ones named */
#define SUMMARY_CHECKS 20
#define SUMMARY_ACCOUNTS 5
#define SUMMARY_GAPS 10

struct summary {
	struct swp_report *report;
	FILE *out;
	bool colour;
	size_t chain;	      /* index of the chain whose instances come, SIZE_MAX before the first */
	size_t chains_shown;  /* of it */
	uint64_t chains_left; /* of it */
};

static const char *const severity_colours[SWP_SEVERITY_COUNT] = {
	[SWP_SEVERITY_INFO] = "\033[36m",
	[SWP_SEVERITY_LOW] = "\033[34m",
	[SWP_SEVERITY_MEDIUM] = "\033[33m",
	[SWP_SEVERITY_HIGH] = "\033[31m",
	[SWP_SEVERITY_CRITICAL] = "\033[1;31m",
};

static void print_severity(const struct summary *summary, enum swp_severity severity)
{
	if (summary->colour)
		fprintf(summary->out, "%s%-8s\033[0m", severity_colours[severity],
			swp_severity_name(severity));
	else
		fprintf(summary->out, "%-8s", swp_severity_name(severity));
}

static void print_heading(const struct summary *summary, const char *text)
{
	fprintf(summary->out, summary->colour ? "\n\033[1m%s\033[0m\n" : "\n%s\n", text);
}

/* Texts that AWS or a user chose, so that a terminal does nothing with them. */
static void print_clean(const struct summary *summary, const char *text)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf clean = {0};
	if (text && !swp_text_clean(&clean, text, strlen(text)))
		fputs(swp_buf_text(&clean), summary->out);
}

/* 1180 → "1,180". */
static const char *grouped(uint64_t number, char text[32])
{
	char digits[24];
	int length = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)number), at = 0;
	for (int i = 0; i < length; i++) {
		if (i && (length - i) % 3 == 0)
			text[at++] = ',';
		text[at++] = digits[i];
	}
	text[at] = '\0';
	return text;
}

static void print_count(const struct summary *summary, uint64_t number, const char *one, const char *many)
{
	char text[32];
	fprintf(summary->out, "%s %s", grouped(number, text), number == 1 ? one : many);
}

static uint64_t not_planned(const struct swp_report *report, bool excluded)
{
	uint64_t count = 0;
	for (size_t i = 0; i < swp_report_account_count(report); i++) {
		const struct swp_report_account *account = swp_report_account(report, i);
		bool active = swp_text_equal(account->row.state, "ACTIVE");
		count += account->row.not_planned && active == excluded;
	}
	return count;
}

static void print_closed(const struct summary *summary, uint64_t cells)
{
	size_t regions = swp_report_closed_region_count(summary->report);

	fprintf(summary->out, "closed by service control policies to the scan role: ");
	print_count(summary, cells, "cell", "cells");
	for (size_t i = 0; i < regions && i < SUMMARY_REGIONS; i++)
		fprintf(summary->out, "%s%s", i ? ", " : " in ",
			swp_report_closed_region(summary->report, i));
	if (regions > SUMMARY_REGIONS)
		fprintf(summary->out, " and %zu more regions", regions - SUMMARY_REGIONS);
	fputc('\n', summary->out);
}

static void print_headline(const struct summary *summary)
{
	static const char *const statuses[] = {[SWP_REPORT_COMPLETE] = "complete",
		[SWP_REPORT_PARTIAL] = "PARTIAL",
		[SWP_REPORT_CANCELLED] = "CANCELLED"};
	const struct swp_report_totals *totals = swp_report_totals(summary->report);
	const char *organization = swp_report_field(summary->report, SWP_SWEEP_FIELD_ORGANIZATION);
	FILE *out = summary->out;
	fprintf(out, "\norgsweep %s: sweep %s of %s in partition %s, %s\n", SWP_VERSION,
		swp_report_sweep_id(summary->report), *organization ? organization : "one account",
		swp_report_field(summary->report, SWP_SWEEP_FIELD_PARTITION), statuses[totals->status]);
	fprintf(out, "coverage %u.%02u%%: ", totals->coverage_hundredths / 100,
		totals->coverage_hundredths % 100);
	print_count(summary, totals->planned, "cell", "cells");
	fprintf(out, " planned, ");
	print_count(summary, totals->not_assessed, "not assessed", "not assessed");
	fprintf(out, ", ");
	print_count(summary, totals->partial, "partly", "partly");
	fprintf(out, "\naccounts: ");
	print_count(summary, totals->accounts_swept, "swept", "swept");
	fprintf(out, " of %llu planned; %llu excluded, %llu not active\n",
		(unsigned long long)totals->accounts_planned,
		(unsigned long long)not_planned(summary->report, true),
		(unsigned long long)not_planned(summary->report, false));
	if (totals->closed)
		print_closed(summary, totals->closed);
	if (!totals->enumeration_complete)
		fprintf(out, "the list of accounts is INCOMPLETE: Organizations broke off; accounts are "
			     "missing from this report\n");
}

/* "name (id)"; accounts are sorted by id. */
static void print_account(const struct summary *summary, const char *id)
{
	size_t low = 0, high = swp_report_account_count(summary->report);

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct swp_record_account *row = &swp_report_account(summary->report, middle)->row;
		int order = strcmp(id, row->id);

		if (order == 0 && row->name[0]) {
			print_clean(summary, row->name);
			fprintf(summary->out, " (%s)", id);
			return;
		}
		if (order <= 0)
			high = middle;
		else
			low = middle + 1;
	}
	fprintf(summary->out, "account %s", id);
}

/* What follows "arn:PARTITION:SERVICE:REGION:ACCOUNT:"; the rest of the line has told these. */
static const char *resource_part(const char *arn)
{
	const char *part = arn;

	for (int colons = 0; colons < 5; colons++) {
		part = strchr(part, ':');
		if (!part)
			return arn;
		part++;
	}
	return part;
}

static void print_chains_left(struct summary *summary)
{
	if (summary->chains_left)
		fprintf(summary->out, "           and %llu more %s\n",
			(unsigned long long)summary->chains_left,
			swp_catalogue_chain(swp_report_catalogue(summary->report), summary->chain)->id);
	summary->chains_shown = summary->chains_left = 0;
}

static int print_chain(void *context, const struct swp_record_chain *chain)
{
	struct summary *summary = context;
	const struct swp_chain *row =
		swp_catalogue_chain(swp_report_catalogue(summary->report), chain->chain);
	if (chain->chain != summary->chain)
		print_chains_left(summary);
	summary->chain = chain->chain;
	if (summary->chains_shown == SUMMARY_CHAINS) {
		summary->chains_left++;
		return 0;
	}
	summary->chains_shown++;
	fputs("  ", summary->out);
	print_severity(summary, row->severity);
	fprintf(summary->out, " %s %s: ", row->id, row->name);
	print_account(summary, chain->account);
	fputs(", ", summary->out);
	if (chain->region_count == 1)
		fputs(chain->regions[0], summary->out);
	else
		print_count(summary, chain->region_count, "region", "regions");
	if (chain->resource_count == 1) {
		fputs(", ", summary->out);
		print_clean(summary, resource_part(chain->resources[0]));
	}
	fprintf(summary->out, "%s\n", chain->confirmed ? "" : " (unverified: a leg was not assessed)");
	return 0;
}

static int chain_not_evaluated(size_t chain, const char *reason, void *context)
{
	struct summary *summary = context;
	fprintf(summary->out, "  %s was not evaluated: %s\n",
		swp_catalogue_chain(swp_report_catalogue(summary->report), chain)->id, reason);
	return 0;
}

static int print_chains(struct summary *summary, struct swp_problem *problem)
{
	print_heading(summary, "Attack chains");
	int error = swp_report_each_chain(summary->report, print_chain, summary, problem);
	print_chains_left(summary);
	if (!error && summary->chain == SIZE_MAX)
		fputs("  none\n", summary->out);
	if (!error)
		error = swp_report_each_not_evaluated(summary->report, chain_not_evaluated, summary);
	return error;
}

struct ranked {
	size_t index;
	uint64_t first, second; /* more comes first */
};

static int compare_ranked(const void *a, const void *b)
{
	const struct ranked *left = a, *right = b;
	if (left->first != right->first)
		return left->first > right->first ? -1 : 1;
	if (left->second != right->second)
		return left->second > right->second ? -1 : 1;
	return left->index < right->index ? -1 : 1;
}

static int print_findings(const struct summary *summary)
{
	struct swp_catalogue *catalogue = swp_report_catalogue(summary->report);
	size_t count = 0, checks = swp_catalogue_check_count(catalogue);
	SWP_CLEANUP(swp_free_pointer) struct ranked *ranked = swp_calloc(checks + 1, sizeof(*ranked));
	if (!ranked)
		return -ENOMEM;
	for (size_t i = 0; i < checks; i++)
		if (swp_report_check(summary->report, i)->failed)
			ranked[count++] = (struct ranked){i, swp_catalogue_check(catalogue, i)->severity,
				swp_report_check(summary->report, i)->failed};
	if (count)
		qsort(ranked, count, sizeof(*ranked), compare_ranked);
	print_heading(summary, "Findings");
	for (size_t i = 0; i < count && i < SUMMARY_CHECKS; i++) {
		const struct swp_check *check = swp_catalogue_check(catalogue, ranked[i].index);
		const struct swp_report_check *found = swp_report_check(summary->report, ranked[i].index);
		fputs("  ", summary->out);
		print_severity(summary, check->severity);
		fprintf(summary->out, " %s: ", check->id);
		print_count(summary, found->accounts, "account", "accounts");
		fputs(" × ", summary->out);
		print_count(summary, found->regions, "region", "regions");
		fputs(", ", summary->out);
		print_count(summary, found->failed, "resource", "resources");
		fprintf(summary->out, ": %s\n", check->title);
	}
	if (count > SUMMARY_CHECKS)
		fprintf(summary->out, "  and %zu more checks\n", count - SUMMARY_CHECKS);
	if (!count)
		fputs("  none\n", summary->out);
	return 0;
}

static int print_accounts(const struct summary *summary)
{
	size_t accounts = swp_report_account_count(summary->report), count = 0;
	SWP_CLEANUP(swp_free_pointer) struct ranked *ranked = swp_calloc(accounts + 1, sizeof(*ranked));
	if (!ranked)
		return -ENOMEM;
	for (size_t i = 0; i < accounts; i++) {
		const uint64_t *found = swp_report_account(summary->report, i)->findings;
		uint64_t heavy = found[SWP_SEVERITY_CRITICAL] + found[SWP_SEVERITY_HIGH],
			 all = heavy + found[SWP_SEVERITY_MEDIUM] + found[SWP_SEVERITY_LOW] +
			       found[SWP_SEVERITY_INFO];
		if (all)
			ranked[count++] = (struct ranked){i, heavy, all};
	}
	if (count < 2)
		return 0;
	qsort(ranked, count, sizeof(*ranked), compare_ranked);
	print_heading(summary, "Most affected accounts");
	for (size_t i = 0; i < count && i < SUMMARY_ACCOUNTS; i++) {
		const struct swp_record_account *row =
			&swp_report_account(summary->report, ranked[i].index)->row;
		fputs("  ", summary->out);
		print_account(summary, row->id);
		if (row->path) {
			fputs(" in ", summary->out);
			print_clean(summary, row->path);
		}
		fprintf(summary->out, ": %llu high or critical of ", (unsigned long long)ranked[i].first);
		print_count(summary, ranked[i].second, "finding", "findings");
		fputs("\n", summary->out);
	}
	return 0;
}

static void print_gap_group(const struct summary *summary, const struct swp_report_gap_group *group)
{
	fprintf(summary->out, "  %s: ", swp_reason_name(group->reason));
	if (*group->action) {
		print_clean(summary, group->action);
		fputs(", ", summary->out);
	}
	print_count(summary, group->cells, "result", "results");
	fputs(" in ", summary->out);
	print_count(summary, group->accounts, "account", "accounts");
	fputs(" (", summary->out);
	for (size_t i = 0; i < group->accounts && i < SWP_ARRAY_SIZE(group->first_accounts); i++)
		fprintf(summary->out, "%s%s", i ? ", " : "",
			swp_report_account(summary->report, group->first_accounts[i])->row.id);
	fprintf(summary->out, "%s)\n    %s\n",
		group->accounts > SWP_ARRAY_SIZE(group->first_accounts) ? ", …" : "",
		swp_reason_remedy(group->reason));
}

/* "Grant these 3 actions in these 5 accounts": all that only needs a grant, in one line. */
static void print_grants(const struct summary *summary)
{
	size_t actions = 0;
	uint64_t accounts = 0;
	for (size_t i = 0; i < swp_report_gap_group_count(summary->report); i++) {
		const struct swp_report_gap_group *group = swp_report_gap_group(summary->report, i);
		if (group->reason == SWP_REASON_DENIED_IAM && *group->action) {
			fprintf(summary->out, "%s", actions++ ? ", " : "  to do: grant ");
			print_clean(summary, group->action);
			accounts = group->accounts > accounts ? group->accounts : accounts;
		}
	}
	if (!actions)
		return;
	fprintf(summary->out, " to the scan role (%zu action%s, up to ", actions, actions == 1 ? "" : "s");
	print_count(summary, accounts, "account", "accounts");
	fputs(" each)\n", summary->out);
}

static void print_gaps(const struct summary *summary)
{
	size_t count = swp_report_gap_group_count(summary->report);
	if (!count && !swp_report_plain_gap_count(summary->report))
		return;
	print_heading(summary, "Not seen");
	for (size_t i = 0; i < swp_report_plain_gap_count(summary->report); i++) {
		const struct swp_record_gap *gap = swp_report_plain_gap(summary->report, i);
		fputs("  the organization's account list: ", summary->out);
		print_clean(summary, gap->action);
		fputs(" ", summary->out);
		print_clean(summary, gap->error_code);
		fputs(" ", summary->out);
		print_clean(summary, gap->message);
		fputs("\n", summary->out);
	}
	for (size_t i = 0; i < count && i < SUMMARY_GAPS; i++)
		print_gap_group(summary, swp_report_gap_group(summary->report, i));
	if (count > SUMMARY_GAPS)
		fprintf(summary->out, "  and %zu more kinds of gaps; the report lists each\n",
			count - SUMMARY_GAPS);
	print_grants(summary);
}

int swp_report_write_summary(struct swp_report *report, FILE *out, bool colour, const char *const *files,
	const char *hint, struct swp_problem *problem)
{
	struct summary summary = {.report = report, .out = out, .colour = colour, .chain = SIZE_MAX};
	const struct swp_report_totals *totals = swp_report_totals(report);
	print_headline(&summary);
	int error = print_chains(&summary, problem);
	if (!error)
		error = print_findings(&summary);
	if (!error)
		error = print_accounts(&summary);
	if (error == -ENOMEM)
		swp_problem_set(problem, error, "out of memory while writing the summary");
	if (error)
		return error;
	print_gaps(&summary);
	fprintf(out, "\n%llu AWS calls, %llu retried, %llu throttled, %.1f s\n",
		(unsigned long long)totals->calls, (unsigned long long)totals->retried,
		(unsigned long long)totals->throttled,
		(double)(totals->finished_at_ms - totals->started_at_ms) / 1000.0);
	for (size_t i = 0; files && files[i]; i++)
		fprintf(out, "report: %s\n", files[i]);
	if ((!files || !files[0]) && hint)
		fprintf(out, "%s\n", hint);
	return 0;
}
