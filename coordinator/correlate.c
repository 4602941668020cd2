#include "coordinator/correlate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/records.h"
#include "proto/base/alloc.h"
#include "proto/base/log.h"
#include "proto/base/map.h"
#include "proto/base/text.h"

#define READ_AGAIN_MS 500 /* after an error of the store */
#define READ_TRIES 20	  /* of an account's records: what is nonsense for ten seconds stays nonsense */

struct swp_correlator {
	struct swp_correlator_options options;
	char *organization_id, *management_account, *partition; /* owned */
	bool over;
	struct swp_correlation *keys; /* tells the join keys of rows; NULL unless `over` */
	struct account_work *works;
	unsigned at_work;
	struct over_work *over_work;
};

/* --- rows between record and judgement --- */

static struct swp_gap gap_of(const struct swp_record_gap *gap)
{
	return (struct swp_gap){
		.reason = gap->reason < SWP_REASON_COUNT ? (enum swp_reason)gap->reason : SWP_REASON_NONE,
		.action = gap->action,
		.error_code = gap->error_code,
		.message = gap->message,
		.request_id = gap->request_id};
}

static struct swp_record_gap record_gap(const struct swp_gap *gap)
{
	return (struct swp_record_gap){.reason = gap->reason,
		.action = gap->action,
		.error_code = gap->error_code,
		.message = gap->message,
		.request_id = gap->request_id};
}

/* NULL for NULL and for what is no JSON. New reference. */
static json_t *load_json(const char *text)
{
	return text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
}

/* --- where a correlation's output goes: rows by account, chains by key --- */

struct output_account {
	struct swp_buf bytes;
	struct swp_part_writer writer;
};

struct output {
	struct swp_correlator *correlator;
	struct swp_correlate_counts *counts;
	struct swp_map *accounts; /* id → struct output_account: rows of joined checks */
	struct swp_map *chains;	  /* field → struct swp_buf: packed instances */
	const char *chain_field;  /* NULL: the chain's own id */
};

static void free_output_account(void *value)
{
	struct output_account *account = value;

	swp_buf_done(&account->bytes);
	swp_free(account);
}

static void free_chain_buf(void *value)
{
	swp_buf_done(value);
	swp_free(value);
}

static void output_done(struct output *output)
{
	swp_map_free(output->accounts, free_output_account);
	swp_map_free(output->chains, free_chain_buf);
	output->accounts = output->chains = NULL;
}

static int output_init(
	struct output *output, struct swp_correlator *correlator, struct swp_correlate_counts *counts)
{
	*output = (struct output){.correlator = correlator, .counts = counts};
	output->accounts = swp_map_new();
	output->chains = swp_map_new();
	return output->accounts && output->chains ? 0 : -ENOMEM;
}

static struct output_account *output_for(struct output *output, const char *id)
{
	struct output_account *account = swp_map_get(output->accounts, id);

	if (account)
		return account;
	account = swp_calloc(1, sizeof(*account));
	if (!account)
		return NULL;
	swp_buf_init(&account->bytes, SWP_LIMIT_PART_BYTES);
	if (swp_part_begin(&account->writer, &account->bytes) < 0 ||
		swp_map_put(output->accounts, id, account, NULL) < 0) {
		free_output_account(account);
		return NULL;
	}
	return account;
}

static int sink_result(
	void *context, const char *account_id, const char *region, const struct swp_result *result)
{
	struct output *output = context;
	struct output_account *account = output_for(output, account_id);
	char *evidence =
		result->evidence ? json_dumps(result->evidence, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	struct swp_record_result row = {.check = result->check,
		.status = result->status,
		.resource = result->resource,
		.evidence = evidence,
		.not_applicable = result->not_applicable,
		.gap = record_gap(&result->gap)};
	int error = account && (evidence || !result->evidence) ? 0 : -ENOMEM;

	if (error == 0)
		error = swp_part_add_place(&account->writer, account_id, region);
	if (error == 0)
		error = swp_part_add_result(&account->writer, &row);
	if (result->status == SWP_STATUS_FAIL)
		output->counts
			->findings[swp_catalogue_check(output->correlator->options.catalogue, result->check)
					   ->severity]++;
	free(evidence);
	return error;
}

static void count_cell(struct swp_correlate_counts *counts, const struct swp_cell *cell)
{
	uint64_t *const by_status[] = {
		[SWP_STATUS_PASS] = &counts->pass,
		[SWP_STATUS_FAIL] = &counts->fail,
		[SWP_STATUS_NOT_APPLICABLE] = &counts->not_applicable,
		[SWP_STATUS_NOT_ASSESSED] = &counts->not_assessed,
	};

	++*by_status[cell->status];
	counts->partial += cell->partial;
	counts->closed += cell->not_applicable == SWP_NOT_APPLICABLE_CLOSED_BY_SCP;
}

static int sink_cell(void *context, const char *account_id, const char *region, const struct swp_cell *cell)
{
	struct output *output = context;
	struct output_account *account = output_for(output, account_id);
	struct swp_record_cell row = {.check = cell->check,
		.status = cell->status,
		.reason = cell->reason,
		.not_applicable = cell->not_applicable,
		.partial = cell->partial};
	int error = account ? swp_part_add_place(&account->writer, account_id, region) : -ENOMEM;

	count_cell(output->counts, cell);
	return error == 0 ? swp_part_add_cell(&account->writer, &row) : error;
}

static int pack_chain(const struct swp_chain_instance *chain, struct swp_buf *out)
{
	struct swp_record_chain_finding *findings = swp_calloc(chain->finding_count + 1, sizeof(*findings));
	struct swp_record_chain_fix *fix = swp_calloc(chain->fix_count + 1, sizeof(*fix));
	struct swp_record_chain record = {.chain = chain->chain,
		.confirmed = chain->confirmed,
		.basis = chain->basis,
		.account = chain->account,
		.narrative = chain->narrative,
		.regions = chain->regions,
		.region_count = chain->region_count,
		.regions_not_assessed = chain->regions_not_assessed,
		.region_not_assessed_count = chain->region_not_assessed_count,
		.resources = chain->resources,
		.resource_count = chain->resource_count,
		.findings = findings,
		.finding_count = chain->finding_count,
		.fix = fix,
		.fix_count = chain->fix_count};
	int error = findings && fix ? 0 : -ENOMEM;

	for (size_t i = 0; error == 0 && i < chain->finding_count; i++)
		findings[i] = (struct swp_record_chain_finding){.check = chain->findings[i].check,
			.account = chain->findings[i].account,
			.region = chain->findings[i].region,
			.resource = chain->findings[i].resource,
			.status = chain->findings[i].status};
	for (size_t i = 0; error == 0 && i < chain->fix_count; i++)
		fix[i] = (struct swp_record_chain_fix){
			.check = chain->fix[i].check, .resource = chain->fix[i].resource};
	if (error == 0)
		error = swp_chain_encode(&record, out);
	swp_free(findings);
	swp_free(fix);
	return error;
}

static struct swp_buf *chain_buf(struct output *output, const char *field)
{
	struct swp_buf *buf = swp_map_get(output->chains, field);

	if (buf)
		return buf;
	buf = swp_calloc(1, sizeof(*buf));
	if (buf && swp_map_put(output->chains, field, buf, NULL) < 0) {
		swp_free(buf);
		buf = NULL;
	}
	return buf;
}

static int sink_chain(void *context, const struct swp_chain_instance *instance)
{
	struct output *output = context;
	const struct swp_chain *chain =
		swp_catalogue_chain(output->correlator->options.catalogue, instance->chain);
	struct swp_buf *buf = chain_buf(output, output->chain_field ? output->chain_field : chain->id);

	if (instance->confirmed)
		output->counts->chains[chain->severity]++;
	return buf ? pack_chain(instance, buf) : -ENOMEM;
}

/* A chain that was given up at a ceiling stands in the report beside those that the selection leaves out. */
static int sink_not_evaluated(void *context, size_t chain, const char *reason)
{
	struct output *output = context;
	struct swp_correlator *correlator = output->correlator;
	const char *id = swp_catalogue_chain(correlator->options.catalogue, chain)->id;
	char key[SWP_KEY_BYTES], field[128];
	int error =
		swp_key_format(SWP_KEY_SWEEP, swp_ledger_sweep(correlator->options.ledger), NULL, NULL, key);

	swp_log(SWP_LOG_WARNING, "chain.not-evaluated", "a chain could not be evaluated here",
		SWP_LOG_S("chain", id), SWP_LOG_S("reason", reason));
	if (error < 0)
		return error;
	snprintf(field, sizeof(field), SWP_SWEEP_FIELD_NOT_EVALUATED "%s", id);
	return swp_ledger_write(correlator->options.ledger,
		(struct swp_store_argument[]){SWP_STORE_TEXT_ARGUMENT("HSET"), SWP_STORE_TEXT_ARGUMENT(key),
			SWP_STORE_TEXT_ARGUMENT(field), SWP_STORE_TEXT_ARGUMENT(reason)},
		4);
}

static int run(struct swp_correlation *correlation, struct output *output)
{
	const struct swp_correlation_sink sink = {.result = sink_result,
		.cell = sink_cell,
		.chain = sink_chain,
		.not_evaluated = sink_not_evaluated,
		.context = output};

	return swp_correlation_run(correlation, &sink);
}

/* --- writing --- */

#define TEXT(value) SWP_STORE_TEXT_ARGUMENT(value)

static int make_key(struct swp_correlator *correlator, enum swp_key key, const char *first,
	char ret_key[static SWP_KEY_BYTES])
{
	return swp_key_format(key, swp_ledger_sweep(correlator->options.ledger), first, NULL, ret_key);
}

static int write_joined(
	struct swp_correlator *correlator, const char *account, const void *bytes, size_t length)
{
	struct swp_ledger *ledger = correlator->options.ledger;
	char key[SWP_KEY_BYTES];
	int error = make_key(correlator, SWP_KEY_JOINED, account, key);

	if (error < 0)
		return error;
	if (length == 0)
		return swp_ledger_write(ledger, (struct swp_store_argument[]){TEXT("DEL"), TEXT(key)}, 2);
	return swp_ledger_write(
		ledger, (struct swp_store_argument[]){TEXT("SET"), TEXT(key), {bytes, length}}, 3);
}

struct fields {
	struct swp_store_argument *list;
	size_t count;
};

static int add_chain_field(const char *key, void *value, void *context)
{
	struct fields *fields = context;
	const struct swp_buf *buf = value;

	fields->list[2 * fields->count] = TEXT(key);
	fields->list[2 * fields->count + 1] = (struct swp_store_argument){buf->data, buf->length};
	fields->count++;
	return buf->failed;
}

static int write_chains(struct output *output, enum swp_key kind, const char *account)
{
	struct fields fields = {
		swp_calloc(2 * swp_map_count(output->chains) + 1, sizeof(struct swp_store_argument)), 0};
	char key[SWP_KEY_BYTES];
	int error = fields.list ? make_key(output->correlator, kind, account, key) : -ENOMEM;

	if (error == 0)
		error = swp_map_each(output->chains, add_chain_field, &fields);
	if (error == 0)
		error = swp_ledger_replace_hash(
			output->correlator->options.ledger, key, fields.list, fields.count);
	swp_free(fields.list);
	return error;
}

/* --- rows for joins over accounts, spread over partitions --- */

struct spreading {
	struct swp_correlator *correlator;
	struct output_account *partitions[SWP_JOIN_PARTITIONS]; /* NULL: no row yet */
	bool wanted[SWP_JOIN_PARTITIONS];
};

static int want_partition(const char *key, void *context)
{
	struct spreading *spreading = context;

	for (unsigned i = 0; !key && i < SWP_JOIN_PARTITIONS; i++)
		spreading->wanted[i] = true;
	if (key)
		spreading->wanted[swp_join_partition(key)] = true;
	return 0;
}

static int spread_row(struct spreading *spreading, const char *account, const char *region,
	const struct swp_record_row *row)
{
	int error = 0;

	for (unsigned i = 0; error == 0 && i < SWP_JOIN_PARTITIONS; i++) {
		struct output_account *to = spreading->partitions[i];

		if (!spreading->wanted[i])
			continue;
		spreading->wanted[i] = false;
		if (!to) {
			to = spreading->partitions[i] = swp_calloc(1, sizeof(*to));
			if (!to)
				return -ENOMEM;
			swp_buf_init(&to->bytes, SWP_LIMIT_PART_BYTES);
			error = swp_part_begin(&to->writer, &to->bytes);
		}
		if (error == 0)
			error = swp_part_add_place(&to->writer, account, region);
		if (error == 0)
			error = row->kind == SWP_RECORD_FACT ? swp_part_add_fact(&to->writer, &row->fact)
							     : swp_part_add_result(&to->writer, &row->result);
	}
	return error;
}

static int write_partitions(struct spreading *spreading, const char *account, bool redo)
{
	struct swp_correlator *correlator = spreading->correlator;
	char key[SWP_KEY_BYTES], number[16];
	int error = 0;

	for (unsigned i = 0; error == 0 && i < SWP_JOIN_PARTITIONS; i++) {
		struct output_account *from = spreading->partitions[i];

		if (!from && !redo)
			continue;
		snprintf(number, sizeof(number), "%u", i);
		error = make_key(correlator, SWP_KEY_PARTITION, number, key);
		if (error == 0 && from)
			error = swp_part_end(&from->writer);
		if (error < 0)
			break;
		if (from)
			error = swp_ledger_write(correlator->options.ledger,
				(struct swp_store_argument[]){TEXT("HSET"), TEXT(key), TEXT(account),
					{from->bytes.data, from->bytes.length}},
				4);
		else
			error = swp_ledger_write(correlator->options.ledger,
				(struct swp_store_argument[]){TEXT("HDEL"), TEXT(key), TEXT(account)}, 3);
	}
	return error;
}

static void spreading_done(struct spreading *spreading)
{
	for (unsigned i = 0; i < SWP_JOIN_PARTITIONS; i++)
		if (spreading->partitions[i])
			free_output_account(spreading->partitions[i]);
}

/* --- one account --- */

struct account_work {
	struct swp_correlator *correlator; /* NULL: freed meanwhile */
	struct account_work *next;
	struct swp_records_read read;
	struct swp_timer again;
	char account[16];
	char (*regions)[64];
	enum swp_reason *unread;
	size_t count;
	bool redo;
	unsigned tries;
	void (*done)(void *context, const struct swp_correlate_counts *counts);
	void *context;
};

/* What one account's records are fed into. */
struct feeding {
	struct swp_correlator *correlator;
	struct swp_correlation *correlation;
	struct spreading *spreading; /* NULL: nothing over accounts */
	struct swp_correlate_counts *counts;
	const char *account;
};

/* A ceiling of the correlation (1) is its own matter: it tells what it then can't judge. */
static int fatal(int error)
{
	return error < 0 ? error : 0;
}

static int feed_result(struct feeding *feeding, const char *region, const struct swp_record_row *row)
{
	struct swp_catalogue *catalogue = feeding->correlator->options.catalogue;
	struct swp_result result = {.check = row->result.check,
		.status = (enum swp_status)row->result.status,
		.resource = row->result.resource,
		.not_applicable = (enum swp_not_applicable)row->result.not_applicable,
		.gap = gap_of(&row->result.gap)};
	json_t *evidence = NULL;
	bool here, over;
	int error = 0;

	if (result.check >= swp_catalogue_check_count(catalogue) || result.status > SWP_STATUS_NOT_ASSESSED)
		return -EBADMSG;
	if (result.status == SWP_STATUS_FAIL)
		feeding->counts->findings[swp_catalogue_check(catalogue, result.check)->severity]++;
	here = swp_correlation_wants_check(feeding->correlation, result.check);
	over = feeding->spreading && swp_correlation_wants_check(feeding->correlator->keys, result.check);
	if (here || over)
		result.evidence = evidence = load_json(row->result.evidence);
	if (here)
		error = fatal(
			swp_correlation_add_result(feeding->correlation, feeding->account, region, &result));
	if (over && error == 0)
		error = swp_correlation_keys_of_result(feeding->correlator->keys, feeding->account, region,
			&result, want_partition, feeding->spreading);
	if (over && error == 0)
		error = spread_row(feeding->spreading, feeding->account, region, row);
	json_decref(evidence);
	return error;
}

static int feed_fact(struct feeding *feeding, const char *region, const struct swp_record_row *row)
{
	json_t *value = load_json(row->fact.value);
	struct swp_fact fact = {.name = row->fact.name,
		.subject = row->fact.subject,
		.object = row->fact.object,
		.value = value,
		.gap = gap_of(&row->fact.gap)};
	int error = 0;

	if (swp_correlation_wants_fact(feeding->correlation, fact.name))
		error = fatal(
			swp_correlation_add_fact(feeding->correlation, feeding->account, region, &fact));
	if (error == 0 && feeding->spreading &&
		swp_correlation_wants_fact(feeding->correlator->keys, fact.name)) {
		error = swp_correlation_keys_of_fact(feeding->correlator->keys, feeding->account, region,
			&fact, want_partition, feeding->spreading);
		if (error == 0)
			error = spread_row(feeding->spreading, feeding->account, region, row);
	}
	json_decref(value);
	return error;
}

static int feed_part(struct feeding *feeding, const char *region, const struct swp_record_bytes *bytes)
{
	struct swp_part_reader *reader;
	struct swp_record_row row;
	int error = swp_part_reader_new(bytes->bytes, bytes->length, &reader);
	int more;

	if (error < 0)
		return error;
	while ((more = swp_part_next(reader, &row)) > 0) {
		if (row.kind == SWP_RECORD_RESULT)
			error = feed_result(feeding, region, &row);
		else if (row.kind == SWP_RECORD_FACT)
			error = feed_fact(feeding, region, &row);
		if (error < 0)
			break;
	}
	swp_part_reader_free(reader);
	return error < 0 ? error : more;
}

static int feed_seal(struct feeding *feeding, const struct swp_job_record *job)
{
	struct swp_correlate_counts *counts = feeding->counts;
	struct swp_seal_reader reader;
	struct swp_record_seal seal;
	struct swp_record_cell cell;
	int error = swp_seal_open(&reader, job->seal.bytes, job->seal.length, &seal);

	if (error < 0 || seal.parts > job->part_count)
		return error < 0 ? error : -EBADMSG;
	while ((error = swp_seal_next_cell(&reader, &cell)) > 0)
		counts->closed += cell.not_applicable == SWP_NOT_APPLICABLE_CLOSED_BY_SCP;
	if (error < 0)
		return error;
	counts->sealed++;
	counts->calls += seal.calls;
	counts->retried += seal.retried;
	counts->throttled += seal.throttled;
	counts->swept = counts->swept || seal.answered;
	return 0;
}

/* The region by which its rows are known: the organization job's rows stand at "global". */
static const char *row_region(const char *key_region)
{
	return strcmp(key_region, SWP_JOB_ORGANIZATION) == 0 ? SWP_JOB_GLOBAL : key_region;
}

static int feed_job(struct feeding *feeding, const struct swp_job_record *job, enum swp_reason unread)
{
	struct swp_seal_reader reader;
	struct swp_record_seal seal;
	int error = 0;

	if (!job->sealed)
		return fatal(swp_correlation_add_scope(feeding->correlation, feeding->account, job->region,
			unread != SWP_REASON_NONE ? unread : SWP_REASON_STORE_LOST));
	error = fatal(swp_correlation_add_scope(
		feeding->correlation, feeding->account, job->region, SWP_REASON_NONE));
	if (error == 0)
		error = feed_seal(feeding, job);
	if (error == 0)
		error = swp_seal_open(&reader, job->seal.bytes, job->seal.length, &seal);
	for (uint32_t i = 0; error == 0 && i < seal.parts; i++)
		error = feed_part(feeding, row_region(job->region), &job->parts[i]);
	if (error == -EBADMSG || error == -EPROTONOSUPPORT) {
		/* Written by somebody else than a worker: the reader of the report says the same of it. */
		swp_log(SWP_LOG_ERROR, "record.unreadable", "a record in the store can't be read",
			SWP_LOG_S("account", feeding->account), SWP_LOG_S("region", job->region));
		error = 0;
	}
	return error;
}

static int judge_account(struct account_work *work, const struct swp_account_records *records,
	struct swp_correlate_counts *counts)
{
	struct swp_correlator *correlator = work->correlator;
	struct swp_correlation_scope scope = {.partition = correlator->partition,
		.account = work->account,
		.organization_id = correlator->organization_id,
		.management_account = correlator->management_account,
		.selection = correlator->options.selection};
	struct spreading *spreading = correlator->over ? swp_calloc(1, sizeof(*spreading)) : NULL;
	struct feeding feeding = {
		.correlator = correlator, .spreading = spreading, .counts = counts, .account = work->account};
	struct output output;
	const struct output_account *joined;
	int error = output_init(&output, correlator, counts);

	feeding.correlation = swp_correlation_new(correlator->options.catalogue, &scope);
	if (!feeding.correlation || (correlator->over && !spreading))
		error = -ENOMEM;
	if (spreading)
		spreading->correlator = correlator;
	for (size_t i = 0; error == 0 && i < records->job_count; i++)
		error = feed_job(&feeding, &records->jobs[i], work->unread[i]);
	if (error == 0)
		error = run(feeding.correlation, &output);
	joined = error == 0 ? swp_map_get(output.accounts, work->account) : NULL;
	if (joined)
		error = swp_part_end((struct swp_part_writer *)&joined->writer);
	/* Always, also when there is nothing: a report of the unfinished sweep may have written what was known then. */
	if (error == 0)
		error = write_joined(correlator, work->account, joined ? joined->bytes.data : "",
			joined ? joined->bytes.length : 0);
	if (error == 0)
		error = write_chains(&output, SWP_KEY_CHAINS, work->account);
	if (error == 0 && spreading)
		error = write_partitions(spreading, work->account, work->redo);
	if (spreading)
		spreading_done(spreading);
	swp_free(spreading);
	output_done(&output);
	swp_correlation_free(feeding.correlation);
	return error;
}

static void work_free(struct account_work *work)
{
	if (work->correlator) {
		struct account_work **at = &work->correlator->works;

		while (*at != work)
			at = &(*at)->next;
		*at = work->next;
		work->correlator->at_work--;
	}
	swp_timer_stop(&work->again);
	swp_free(work->regions);
	swp_free(work->unread);
	swp_free(work);
}

static void work_ends(struct account_work *work, const struct swp_correlate_counts *counts)
{
	void (*done)(void *context, const struct swp_correlate_counts *result) = work->done;
	void *context = work->context;

	work_free(work);
	done(context, counts);
}

static void records_read(struct swp_records_read *operation, struct swp_account_records *records)
{
	struct account_work *work = SWP_CONTAINER_OF(operation, struct account_work, read);
	struct swp_correlate_counts counts = {0};
	int error;

	if (!work->correlator) {
		swp_account_records_free(records);
		work_free(work);
		return;
	}
	if (!records && ++work->tries < READ_TRIES) {
		swp_timer_start(&work->again, READ_AGAIN_MS);
		return;
	}
	error = records ? judge_account(work, records, &counts) : operation->error;
	swp_account_records_free(records);
	if (error < 0)
		swp_log(SWP_LOG_ERROR, "account.correlation", "the account could not be correlated",
			SWP_LOG_S("account", work->account), SWP_LOG_S("error", strerror(-error)));
	work_ends(work, &counts);
}

static int start_reading(struct account_work *work)
{
	const char **regions = swp_calloc(work->count + 1, sizeof(*regions));
	int error;

	if (!regions)
		return -ENOMEM;
	for (size_t i = 0; i < work->count; i++)
		regions[i] = work->regions[i];
	error = swp_records_read(swp_ledger_store(work->correlator->options.ledger),
		swp_ledger_sweep(work->correlator->options.ledger), work->account, regions, work->count,
		false, &work->read, records_read);
	swp_free(regions);
	return error;
}

static void read_again(struct swp_timer *timer)
{
	struct account_work *work = SWP_CONTAINER_OF(timer, struct account_work, again);

	if (start_reading(work) < 0)
		swp_timer_start(&work->again, READ_AGAIN_MS);
}

int swp_correlator_account(struct swp_correlator *correlator, const char *account,
	const struct swp_correlate_job *jobs, size_t count, bool redo,
	void (*done)(void *context, const struct swp_correlate_counts *counts), void *context)
{
	struct account_work *work;

	if (correlator->at_work >= SWP_CORRELATE_AT_ONCE)
		return -EBUSY;
	work = swp_calloc(1, sizeof(*work));
	if (!work)
		return -ENOMEM;
	work->correlator = correlator;
	work->next = correlator->works;
	correlator->works = work;
	correlator->at_work++;
	work->done = done;
	work->context = context;
	work->count = count;
	work->redo = redo;
	snprintf(work->account, sizeof(work->account), "%s", account);
	swp_timer_init(&work->again, correlator->options.loop, read_again);
	work->regions = swp_calloc(count + 1, sizeof(*work->regions));
	work->unread = swp_calloc(count + 1, sizeof(*work->unread));
	for (size_t i = 0; work->regions && work->unread && i < count; i++) {
		snprintf(work->regions[i], sizeof(work->regions[i]), "%s", jobs[i].region);
		work->unread[i] = jobs[i].unread;
	}
	if (!work->regions || !work->unread || start_reading(work) < 0) {
		work_free(work);
		return -ENOMEM;
	}
	return 0;
}

unsigned swp_correlator_at_work(const struct swp_correlator *correlator)
{
	return correlator->at_work;
}

/* --- over accounts, one partition after the other --- */

struct over_work {
	struct swp_correlator *correlator; /* NULL: freed meanwhile */
	unsigned partition;
	bool enumeration_complete;
	bool (*each)(void *context, size_t index, struct swp_correlate_account *ret_account);
	void (*done)(void *context, const struct swp_correlate_counts *counts);
	void *context;
	struct swp_correlate_counts counts;
	struct output
		output; /* of the partition of joined checks, until the accounts' own rows are merged in */
	size_t merging; /* joined rows still to be merged */
	struct swp_timer step;
};

static struct swp_correlation *new_over(const struct swp_correlator *correlator)
{
	struct swp_correlation_scope scope = {.partition = correlator->partition,
		.organization_id = correlator->organization_id,
		.management_account = correlator->management_account,
		.selection = correlator->options.selection};

	return swp_correlation_new(correlator->options.catalogue, &scope);
}

static int tell_account(struct swp_correlation *correlation, const struct swp_correlate_account *account)
{
	struct swp_fact fact = {
		.name = SWP_FACT_ORGANIZATION_ACCOUNT, .subject = account->id, .value = json_true()};
	int error = 0;

	if (swp_correlation_wants_fact(correlation, fact.name))
		error = fatal(swp_correlation_add_fact(correlation, "", "", &fact));
	for (size_t i = 0; error == 0 && account->planned && i < account->count; i++)
		error = fatal(swp_correlation_add_scope(
			correlation, account->id, account->jobs[i].region, account->jobs[i].unread));
	return error;
}

static int tell_accounts(struct over_work *work, struct swp_correlation *correlation)
{
	struct swp_fact complete = {.name = SWP_FACT_COMPLETE SWP_FACT_ORGANIZATION_ACCOUNT,
		.subject = "",
		.value = work->enumeration_complete ? json_true() : NULL,
		.gap = {.reason =
				work->enumeration_complete ? SWP_REASON_NONE : SWP_REASON_SERVICE_UNAVAILABLE,
			.action = "organizations:ListAccounts",
			.error_code = "",
			.message = "",
			.request_id = ""}};
	struct swp_correlate_account account;
	int error = 0;

	for (size_t i = 0; error == 0 && work->each(work->context, i, &account); i++)
		error = tell_account(correlation, &account);
	if (error == 0 && swp_correlation_wants_fact(correlation, complete.name))
		error = fatal(swp_correlation_add_fact(correlation, "", "", &complete));
	return error;
}

static int feed_row(struct swp_correlation *correlation, const struct swp_record_row *row)
{
	json_t *value = load_json(row->kind == SWP_RECORD_FACT ? row->fact.value : row->result.evidence);
	int error = 0;

	if (row->kind == SWP_RECORD_FACT) {
		struct swp_fact fact = {.name = row->fact.name,
			.subject = row->fact.subject,
			.object = row->fact.object,
			.value = value,
			.gap = gap_of(&row->fact.gap)};

		error = fatal(swp_correlation_add_fact(correlation, row->account, row->region, &fact));
	} else if (row->kind == SWP_RECORD_RESULT) {
		struct swp_result result = {.check = row->result.check,
			.status = (enum swp_status)row->result.status,
			.resource = row->result.resource,
			.evidence = value,
			.not_applicable = (enum swp_not_applicable)row->result.not_applicable,
			.gap = gap_of(&row->result.gap)};

		error = fatal(swp_correlation_add_result(correlation, row->account, row->region, &result));
	}
	json_decref(value);
	return error;
}

/* HGETALL of a partition: account, part, account, part … */
static int feed_partition(struct swp_correlation *correlation, const struct swp_store_reply *reply)
{
	int error = 0;

	for (size_t i = 1; error >= 0 && i < reply->item_count; i += 2) {
		struct swp_part_reader *reader;
		struct swp_record_row row;

		error = swp_part_reader_new(reply->items[i].bytes, reply->items[i].length, &reader);
		if (error < 0)
			return error;
		while ((error = swp_part_next(reader, &row)) > 0) {
			error = feed_row(correlation, &row);
			if (error < 0)
				break;
		}
		swp_part_reader_free(reader);
	}
	return error;
}

static void over_free(struct over_work *work)
{
	if (work->correlator)
		work->correlator->over_work = NULL;
	swp_timer_stop(&work->step);
	output_done(&work->output);
	swp_free(work);
}

static void over_ends(struct over_work *work)
{
	void (*done)(void *context, const struct swp_correlate_counts *counts) = work->done;
	void *context = work->context;
	struct swp_correlate_counts counts = work->counts;

	over_free(work);
	done(context, &counts);
}

static void step_later(struct over_work *work, int64_t delay_ms)
{
	swp_timer_start(&work->step, delay_ms);
}

/* --- joined rows over accounts are put beside those that the account itself has --- */

static bool is_over(struct swp_correlator *correlator, size_t check)
{
	return check < swp_catalogue_check_count(correlator->options.catalogue) &&
	       swp_catalogue_check(correlator->options.catalogue, check)->joined_over_accounts;
}

/* Copies rows; of the account's own ones those of an earlier try over accounts are left out. */
static int copy_rows(struct swp_correlator *correlator, const void *bytes, size_t length, bool own,
	struct swp_part_writer *to)
{
	struct swp_part_reader *reader;
	struct swp_record_row row;
	int error = swp_part_reader_new(bytes, length, &reader);
	int more;

	if (error < 0)
		return error;
	while (error == 0 && (more = swp_part_next(reader, &row)) != 0) {
		if (more < 0)
			error = more;
		else if (own && row.kind != SWP_RECORD_FACT &&
			 is_over(correlator, row.kind == SWP_RECORD_CELL ? row.cell.check : row.result.check))
			continue;
		if (error == 0)
			error = swp_part_add_place(to, row.account, row.region);
		if (error == 0)
			error = row.kind == SWP_RECORD_CELL   ? swp_part_add_cell(to, &row.cell)
				: row.kind == SWP_RECORD_FACT ? swp_part_add_fact(to, &row.fact)
							      : swp_part_add_result(to, &row.result);
	}
	swp_part_reader_free(reader);
	return error;
}

struct merge {
	struct over_work *work;
	char account[16];
};

static int merge_rows(struct merge *merge, const struct swp_store_reply *reply)
{
	struct swp_correlator *correlator = merge->work->correlator;
	const struct output_account *over = swp_map_get(merge->work->output.accounts, merge->account);
	SWP_CLEANUP(swp_buf_done) struct swp_buf bytes = {.limit_bytes = SWP_LIMIT_PART_BYTES};
	struct swp_part_writer writer;
	int error = swp_part_begin(&writer, &bytes);

	if (error == 0 && reply->type == SWP_STORE_REPLY_TEXT)
		error = copy_rows(correlator, reply->bytes, reply->length, true, &writer);
	if (error == 0)
		error = copy_rows(correlator, over->bytes.data, over->bytes.length, false, &writer);
	if (error == 0)
		error = swp_part_end(&writer);
	return error < 0 ? error : write_joined(correlator, merge->account, bytes.data, bytes.length);
}

static int start_merge(const char *account, void *value, void *context);

static void joined_came(void *context, const struct swp_store_reply *reply)
{
	struct merge *merge = context;
	struct over_work *work = merge->work;
	int error = 0;

	if (work->correlator && (reply->type == SWP_STORE_REPLY_LOST || reply->type == SWP_STORE_REPLY_ERROR))
		error = start_merge(merge->account, NULL, work);
	else if (work->correlator)
		error = merge_rows(merge, reply);
	if (error < 0)
		swp_log(SWP_LOG_ERROR, "account.correlation",
			"joined results over accounts could not be kept",
			SWP_LOG_S("account", merge->account), SWP_LOG_S("error", strerror(-error)));
	swp_free(merge);
	if (--work->merging > 0)
		return;
	if (!work->correlator)
		over_free(work);
	else
		over_ends(work);
}

static int start_merge(const char *account, void *value, void *context)
{
	struct over_work *work = context;
	struct merge *merge = swp_calloc(1, sizeof(*merge));
	char key[SWP_KEY_BYTES];
	int error = merge ? make_key(work->correlator, SWP_KEY_JOINED, account, key) : -ENOMEM;

	(void)value;
	if (error == 0) {
		merge->work = work;
		snprintf(merge->account, sizeof(merge->account), "%s", account);
		error = swp_store_command(swp_ledger_store(work->correlator->options.ledger),
			(struct swp_store_argument[]){TEXT("GET"), TEXT(key)}, 2, joined_came, merge);
	}
	if (error < 0)
		swp_free(merge);
	else
		work->merging++;
	return error;
}

static int end_part(const char *account, void *value, void *context)
{
	(void)account;
	(void)context;
	return swp_part_end(&((struct output_account *)value)->writer);
}

static void merge_all(struct over_work *work)
{
	swp_map_each(work->output.accounts, end_part, NULL);
	work->merging = 1; /* until all have begun */
	if (swp_map_each(work->output.accounts, start_merge, work) < 0)
		swp_log(SWP_LOG_ERROR, "account.correlation",
			"joined results over accounts could not be kept",
			SWP_LOG_S("error", "out of memory"));
	if (--work->merging == 0)
		over_ends(work);
}

/* --- the walk over partitions --- */

static int judge_partition(struct over_work *work, const struct swp_store_reply *reply)
{
	struct swp_correlator *correlator = work->correlator;
	struct swp_correlation *correlation = new_over(correlator);
	char number[16];
	int error = correlation ? 0 : -ENOMEM;

	snprintf(number, sizeof(number), "%u", work->partition);
	work->output.chain_field = number;
	if (error == 0) {
		swp_correlation_set_partition(correlation, work->partition);
		error = tell_accounts(work, correlation);
	}
	if (error == 0)
		error = feed_partition(correlation, reply);
	if (error == 0)
		error = run(correlation, &work->output);
	work->output.chain_field = NULL;
	swp_correlation_free(correlation);
	return error;
}

static void partition_came(void *context, const struct swp_store_reply *reply)
{
	struct over_work *work = context;
	int error = 0;

	if (!work->correlator) {
		over_free(work);
		return;
	}
	if (reply->type != SWP_STORE_REPLY_LIST) {
		step_later(work, READ_AGAIN_MS);
		return;
	}
	/* A partition without rows has no chain; the joined checks have their cells in one of them all the same. */
	if (reply->item_count > 0 || work->partition == swp_join_partition_of_checks())
		error = judge_partition(work, reply);
	if (error < 0)
		swp_log(SWP_LOG_ERROR, "sweep.correlation",
			"a partition could not be correlated over accounts",
			SWP_LOG_N("partition", work->partition), SWP_LOG_S("error", strerror(-error)));
	work->partition++;
	step_later(work, 0);
}

static void over_step(struct swp_timer *timer)
{
	struct over_work *work = SWP_CONTAINER_OF(timer, struct over_work, step);
	struct swp_correlator *correlator = work->correlator;
	char key[SWP_KEY_BYTES], number[16];

	if (work->partition == SWP_JOIN_PARTITIONS) {
		if (write_chains(&work->output, SWP_KEY_CHAINS_OVER, NULL) < 0)
			step_later(work, READ_AGAIN_MS);
		else
			merge_all(work);
		return;
	}
	snprintf(number, sizeof(number), "%u", work->partition);
	if (make_key(correlator, SWP_KEY_PARTITION, number, key) < 0 ||
		swp_store_command(swp_ledger_store(correlator->options.ledger),
			(struct swp_store_argument[]){TEXT("HGETALL"), TEXT(key)}, 2, partition_came,
			work) < 0)
		step_later(work, READ_AGAIN_MS);
}

bool swp_correlator_needs_over(const struct swp_correlator *correlator)
{
	return correlator->over;
}

int swp_correlator_over(struct swp_correlator *correlator, bool enumeration_complete,
	bool (*each)(void *context, size_t index, struct swp_correlate_account *ret_account),
	void (*done)(void *context, const struct swp_correlate_counts *counts), void *context)
{
	struct over_work *work = swp_calloc(1, sizeof(*work));

	SWP_ASSERT(!correlator->over_work);
	if (!work)
		return -ENOMEM;
	work->correlator = correlator;
	correlator->over_work = work;
	work->enumeration_complete = enumeration_complete;
	work->each = each;
	work->done = done;
	work->context = context;
	swp_timer_init(&work->step, correlator->options.loop, over_step);
	if (output_init(&work->output, correlator, &work->counts) < 0) {
		over_free(work);
		return -ENOMEM;
	}
	step_later(work, 0);
	return 0;
}

/* --- life --- */

struct swp_correlator *swp_correlator_new(const struct swp_correlator_options *options)
{
	struct swp_correlator *correlator = swp_calloc(1, sizeof(*correlator));

	if (!correlator)
		return NULL;
	correlator->options = *options;
	correlator->partition = swp_strdup(options->partition);
	correlator->organization_id = swp_strdup(options->organization_id);
	correlator->management_account = swp_strdup(options->management_account);
	correlator->over = swp_correlation_over_accounts(options->catalogue, options->selection);
	if (correlator->partition && correlator->organization_id && correlator->management_account &&
		correlator->over)
		correlator->keys = new_over(correlator);
	if (!correlator->partition || !correlator->organization_id || !correlator->management_account ||
		(correlator->over && !correlator->keys)) {
		swp_correlator_free(correlator);
		return NULL;
	}
	return correlator;
}

void swp_correlator_free(struct swp_correlator *correlator)
{
	if (!correlator)
		return;
	/* Reads whose answer is out free themselves when it comes. */
	while (correlator->works) {
		struct account_work *work = correlator->works;
		bool waits = swp_timer_is_running(&work->again);

		if (waits) {
			work_free(work);
			continue;
		}
		correlator->works = work->next;
		work->correlator = NULL;
	}
	if (correlator->over_work) {
		struct over_work *work = correlator->over_work;

		if (swp_timer_is_running(&work->step))
			over_free(work);
		else
			work->correlator = NULL;
	}
	swp_correlation_free(correlator->keys);
	swp_free(correlator->partition);
	swp_free(correlator->organization_id);
	swp_free(correlator->management_account);
	swp_free(correlator);
}
