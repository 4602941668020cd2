/* Between dispatch (who does what), fleet (who is there) and ledger (what is kept). */
#include "coordinator/sweep-internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/alloc.h"
#include "proto/base/log.h"
#include "proto/base/text.h"

static int64_t now_ms(const struct swp_sweep *sweep)
{
	return swp_loop_now_ms(sweep->loop);
}

static struct swp_sweep *sweep_of(struct swp_hub_member *member)
{
	return SWP_CONTAINER_OF(member, struct swp_sweep, member);
}

static struct swp_open_account *open_of(const struct swp_job *job)
{
	return SWP_CONTAINER_OF(job->account, struct swp_open_account, dispatch);
}

static const char *region_of(const struct swp_sweep *sweep, const struct swp_job *job)
{
	return swp_region_table_name(&sweep->regions, job->region);
}

/* --- jobs of an account --- */

static enum swp_level level_of(unsigned region)
{
	if (region == SWP_REGION_GLOBAL)
		return SWP_LEVEL_GLOBAL;
	return region == SWP_REGION_ORGANIZATION ? SWP_LEVEL_ORGANIZATION : SWP_LEVEL_REGION;
}

int swp_sweep_add_jobs(struct swp_sweep *sweep, struct swp_open_account *open)
{
	const struct swp_account *account = open->account;
	struct swp_region_set done = swp_region_set_union(&account->sealed, &account->lost);
	struct swp_region_set left = swp_region_set_minus(&account->planned, &done);
	struct swp_job *jobs = swp_calloc(SWP_LIMIT_SWEEP_REGIONS, sizeof(*jobs));
	unsigned count = 0;
	int error;

	if (!jobs)
		return -ENOMEM;
	for (int region = swp_region_set_next(&left, 0); region >= 0;
		region = swp_region_set_next(&left, (unsigned)region + 1)) {
		jobs[count].region = (unsigned char)region;
		jobs[count++].level = (unsigned char)level_of((unsigned)region);
	}
	SWP_ASSERT(count > 0);
	open->dispatch.jobs = swp_realloc(jobs, count * sizeof(*jobs));
	if (!open->dispatch.jobs)
		open->dispatch.jobs = jobs;
	open->dispatch.job_count = count;
	error = swp_hub_add(sweep->hub, &sweep->member, &open->dispatch);
	if (error == 0)
		swp_sweep_adopt(sweep, open);
	swp_sweep_kick(sweep);
	return error;
}

/* --- credentials for jobs --- */

/* Expiry dates and days of keys are AWS's: they are held against its clock, which ours may differ from. */
static int64_t aws_wall_ms(const struct swp_sweep *sweep)
{
	return swp_sweep_wall_ms(sweep) + swp_caller_clock_offset_ms(sweep->caller);
}

static bool last_long_enough(const struct swp_sweep *sweep, const struct swp_open_account *open)
{
	/* A session is renewed to be good for a whole job; the caller's own last as long as their source lets them. */
	int64_t wanted_ms = open->role_arn ? SWP_JOB_MIN_VALID_MS : SWP_RENEW_BEFORE_MS;
	int64_t expires_at_ms = swp_accounts_expires_at_ms(open);
	int64_t left_ms = expires_at_ms - aws_wall_ms(sweep);
	int64_t given_ms = left_ms + now_ms(sweep) - open->issued_ms;

	/* The worker then hears ExpiredToken, and says so in the cells. Also of what had ended before it was given: more of that
	 * would come. */
	if (open->renewal_failed || expires_at_ms == 0 || given_ms <= 0)
		return true;
	/* A role whose sessions are shorter than that is not asked for ever: the first half of what it gives must do. */
	if (wanted_ms > given_ms / 2)
		wanted_ms = given_ms / 2;
	return left_ms >= wanted_ms;
}

static bool may_send(struct swp_hub_member *member, struct swp_dispatch_account *account)
{
	struct swp_sweep *sweep = sweep_of(member);
	struct swp_open_account *open = SWP_CONTAINER_OF(account, struct swp_open_account, dispatch);

	if (sweep->cancelling || sweep->suspending || sweep->adopting_holds)
		return false;
	if (last_long_enough(sweep, open))
		return true;
	return swp_accounts_renew(open) < 0;
}

static int make_credentials(struct swp_sweep *sweep, const struct swp_open_account *open,
	const struct swp_job *job, struct swp_wire_credentials *ret_credentials)
{
	const struct swp_job_credentials_scope scope = {.services = &sweep->services,
		.partition = sweep->partition,
		.endpoints = sweep->options->endpoints,
		.policies = &sweep->policies};
	const char *region = job->region == SWP_REGION_ORGANIZATION ? SWP_JOB_GLOBAL : region_of(sweep, job);

	int error = swp_job_credentials_make(&scope, open->sessions, open->session_count,
		(enum swp_level)job->level, region, aws_wall_ms(sweep), ret_credentials);

	if (error == 0 && ret_credentials->expires_at_ms != 0) /* the worker's clock is like ours */
		ret_credentials->expires_at_ms -= swp_caller_clock_offset_ms(sweep->caller);
	return error;
}

/* --- what dispatch wants --- */

static void grant(struct swp_hub_member *member, struct swp_job *job, const char *worker, bool counts,
	uint64_t least_epoch)
{
	struct swp_sweep *sweep = sweep_of(member);

	if (least_epoch < sweep->least_epoch)
		least_epoch = sweep->least_epoch;
	if (swp_ledger_grant(sweep->ledger, job->number, open_of(job)->account->id, region_of(sweep, job),
		    worker, counts, least_epoch) < 0)
		swp_sweep_end_text(sweep, SWP_SWEEP_END_STORE_LOST, "out of memory");
}

static int send_job(struct swp_hub_member *member, struct swp_job *job, uint64_t peer)
{
	struct swp_sweep *sweep = sweep_of(member);
	struct swp_open_account *open = open_of(job);
	struct swp_message message = {.type = SWP_MESSAGE_JOB,
		.job = {.job = job->number,
			.epoch = job->epoch,
			.attempt = job->attempts,
			.sweep = sweep->id,
			.account = open->account->id,
			.region = job->region == SWP_REGION_ORGANIZATION ? SWP_JOB_GLOBAL
									 : region_of(sweep, job),
			.level = job->level}};
	struct swp_wire_limit limits[SWP_LIMIT_JOB_LIMITS];
	int error = make_credentials(sweep, open, job, &message.job.credentials);

	message.job.limits = limits;
	message.job.limit_count =
		swp_limits_of(sweep->limits, open->account->id, region_of(sweep, job), limits);

	if (error < 0)
		return error;
	error = swp_fleet_send(swp_hub_fleet(sweep->hub), peer, &message);
	swp_job_credentials_done(&message.job.credentials);
	job->sent_ms = now_ms(sweep);
	return error;
}

static void look_up(struct swp_hub_member *member, struct swp_job *job)
{
	struct swp_sweep *sweep = sweep_of(member);

	if (swp_ledger_look_up(sweep->ledger, job->number, open_of(job)->account->id, region_of(sweep, job)) <
		0)
		swp_sweep_end_text(sweep, SWP_SWEEP_END_STORE_LOST, "out of memory");
}

static void give_up(struct swp_hub_member *member, struct swp_job *job)
{
	struct swp_sweep *sweep = sweep_of(member);

	swp_log(SWP_LOG_ERROR, "job.lost", "three workers were lost on this job; it is given up",
		SWP_LOG_S("account", &open_of(job)->account->id[0]),
		SWP_LOG_S("region", region_of(sweep, job)));
	if (swp_ledger_give_up(sweep->ledger, job->number, open_of(job)->account->id, region_of(sweep, job),
		    swp_reason_name(SWP_REASON_WORKER_LOST)) < 0)
		swp_sweep_end_text(sweep, SWP_SWEEP_END_STORE_LOST, "out of memory");
}

static void job_settled(struct swp_hub_member *member, struct swp_job *job)
{
	struct swp_sweep *sweep = sweep_of(member);
	struct swp_account *account = open_of(job)->account;

	if (job->end == SWP_JOB_SEALED) {
		swp_region_set_add(&account->sealed, job->region);
	} else {
		swp_region_set_add(&account->lost, job->region);
		sweep->any_lost = true;
		if (account->redone == 0)
			sweep->progress.cells_not_assessed += sweep->level_cells[job->level];
		if (account->redone == 0)
			sweep->progress.jobs_lost++;
	}
	if (account->redone == 0)
		sweep->progress.jobs_done++;
	swp_sweep_extend_grace(sweep);
}

static void account_settled(struct swp_hub_member *member, struct swp_dispatch_account *dispatch_account)
{
	struct swp_sweep *sweep = sweep_of(member);
	struct swp_open_account *open = SWP_CONTAINER_OF(dispatch_account, struct swp_open_account, dispatch);
	struct swp_account *account = open->account;

	swp_sweep_forget_renewals(open);
	swp_accounts_close(open);
	swp_sweep_account_done(sweep, account);
}

void swp_sweep_run_dispatch(struct swp_sweep *sweep)
{
	swp_hub_run(sweep->hub);
	sweep->progress.jobs_running = sweep->member.running;
	sweep->progress.workers = swp_fleet_count(swp_hub_fleet(sweep->hub));
}

/* --- renewals --- */

struct renewal {
	struct renewal *next;
	uint64_t peer, job, epoch;
};

static void answer_renewal(struct swp_sweep *sweep, struct swp_open_account *open,
	const struct renewal *renewal, enum swp_reason refused)
{
	struct swp_message message = {.type = SWP_MESSAGE_CREDENTIALS,
		.credentials = {.job = renewal->job, .epoch = renewal->epoch, .refused = refused}};
	struct swp_job *job =
		swp_dispatch_held(swp_hub_dispatch(sweep->hub), renewal->peer, renewal->job, renewal->epoch);

	if (!job)
		return;
	if (refused == SWP_REASON_NONE &&
		make_credentials(sweep, open, job, &message.credentials.credentials) < 0)
		message.credentials.refused = SWP_REASON_LIMIT_REACHED;
	job->sent_ms = now_ms(sweep);
	swp_fleet_send(swp_hub_fleet(sweep->hub), renewal->peer, &message);
	swp_job_credentials_done(&message.credentials.credentials);
}

void swp_sweep_answer_renewals(struct swp_sweep *sweep, struct swp_open_account *open, enum swp_reason reason)
{
	while (open->user) {
		struct renewal *renewal = open->user;

		open->user = renewal->next;
		answer_renewal(sweep, open, renewal, reason);
		swp_free(renewal);
	}
}

void swp_sweep_forget_renewals(struct swp_open_account *open)
{
	while (open->user) {
		struct renewal *renewal = open->user;

		open->user = renewal->next;
		swp_free(renewal);
	}
}

static void renew_asked(struct swp_hub_member *member, struct swp_job *job, uint64_t peer)
{
	struct swp_sweep *sweep = sweep_of(member);
	struct swp_open_account *open = open_of(job);
	struct renewal *renewal;

	/* Another job of the account has asked already, after this one was sent. */
	if (!open->renewing && open->issued_ms > job->sent_ms) {
		answer_renewal(
			sweep, open, &(struct renewal){NULL, peer, job->number, job->epoch}, SWP_REASON_NONE);
		return;
	}
	renewal = swp_calloc(1, sizeof(*renewal));
	if (!renewal)
		return; /* the worker asks again, or its lease ends */
	*renewal = (struct renewal){open->user, peer, job->number, job->epoch};
	open->user = renewal;
	if (swp_accounts_renew(open) < 0)
		swp_sweep_answer_renewals(sweep, open, SWP_REASON_LIMIT_REACHED);
}

/* --- what workers say --- */

static void worker_came(struct swp_hub_member *member)
{
	struct swp_sweep *sweep = sweep_of(member);

	for (struct swp_open_account *open = sweep->accounts ? swp_accounts_first(sweep->accounts) : NULL;
		open && sweep->options->resume; open = open->next)
		swp_sweep_adopt(sweep, open);
	swp_timer_stop(&sweep->no_worker);
}

static void store_away(struct swp_hub_member *member)
{
	struct swp_sweep *sweep = sweep_of(member);

	if (sweep->begun && swp_ledger_probe(sweep->ledger) < 0)
		swp_sweep_end_text(sweep, SWP_SWEEP_END_STORE_LOST, "out of memory");
}

static void kick(struct swp_hub_member *member)
{
	swp_sweep_kick(sweep_of(member));
}

static void count_cells(struct swp_sweep_progress *progress, const struct swp_message_done *done)
{
	progress->cells_pass += done->pass;
	progress->cells_fail += done->fail;
	progress->cells_not_applicable += done->not_applicable;
	progress->cells_not_assessed += done->not_assessed;
	progress->cells_partial += done->partial;
}

static void done(
	struct swp_hub_member *member, struct swp_job *job, const struct swp_message_done *message, bool held)
{
	struct swp_sweep *sweep = sweep_of(member);
	struct swp_account *account = open_of(job)->account;

	if (!held)
		return;
	sweep->worker_calls += message->calls; /* made, whatever became of their record */
	if (message->how == SWP_DONE_STALE)
		return;
	if (message->limit_count > 0 && swp_limits_note(sweep->limits, account->id, region_of(sweep, job),
						message->limits, message->limit_count) < 0)
		swp_sweep_end_text(sweep, SWP_SWEEP_END_STORE_LOST, "out of memory");
	account->swept |= message->answered;
	if (account->redone == 0)
		count_cells(&sweep->progress, message);
}

/* --- what the ledger says --- */

static void store_up(void *context)
{
	struct swp_sweep *sweep = context;

	sweep->store_ready = true;
	swp_sweep_begin(sweep);
}

static void limits_are_known(void *context)
{
	struct swp_sweep *sweep = context;

	sweep->limits_known = true;
	swp_sweep_begin(sweep);
}

static void owned(void *context, uint64_t term)
{
	struct swp_sweep *sweep = context;

	swp_log(SWP_LOG_DEBUG, "sweep.owned", "the sweep is ours", SWP_LOG_N("term", (int64_t)term));
	sweep->owned = true;
	sweep->term = sweep->least_epoch = term;
	sweep->limits = swp_limits_new(sweep->ledger);
	if (sweep->limits)
		swp_limits_load(sweep->limits, limits_are_known, sweep);
	else
		swp_sweep_end_text(sweep, SWP_SWEEP_END_COULD_NOT_RUN, "out of memory");
}

static void assert_grant(void *context, const struct swp_job *job, const char *worker)
{
	struct swp_sweep *sweep = context;

	if (swp_ledger_assert_grant(sweep->ledger, job->number, open_of(job)->account->id,
		    region_of(sweep, job), worker, job->epoch, job->attempts) < 0)
		swp_sweep_end_text(sweep, SWP_SWEEP_END_STORE_LOST, "out of memory");
}

static void grant_gone(void *context, uint64_t job)
{
	struct swp_sweep *sweep = context;

	swp_dispatch_grant_gone(swp_hub_dispatch(sweep->hub), job);
	swp_sweep_kick(sweep);
}

/* What was acknowledged may be gone: our term stands there again already, now the grants that are out are put back, so that workers
 * can commit; then rows are written again, and seals are looked up again. Model: "assert". */
static void store_fresh(void *context)
{
	struct swp_sweep *sweep = context;

	swp_log(SWP_LOG_WARNING, "store.fresh",
		"the store is another run than before; what was written is checked",
		SWP_LOG_N("jobs_done", sweep->progress.jobs_done));
	if (sweep->least_epoch <= sweep->highest_epoch)
		sweep->least_epoch = sweep->highest_epoch + 1;
	if (sweep->hub)
		swp_dispatch_each_running(swp_hub_dispatch(sweep->hub), assert_grant, sweep);
	swp_sweep_end_again(sweep);
	swp_sweep_write_plan(sweep);
	sweep->recorrelate = true;
	sweep->reconciled = false;
	sweep->seal_account = 0;
	sweep->seal_region = 0;
	swp_sweep_kick(sweep);
}

static void store_lost(void *context, const struct swp_problem *problem)
{
	struct swp_sweep *sweep = context;

	if (sweep->ledger && swp_ledger_is_deposed(sweep->ledger))
		swp_sweep_end(sweep, SWP_SWEEP_END_DEPOSED, problem);
	else if (sweep->any_granted)
		swp_sweep_end_text(sweep, SWP_SWEEP_END_STORE_LOST,
			"%s; what was committed can be read when it is back: orgsweep report %s",
			problem->text, sweep->id);
	else
		swp_sweep_end(sweep, SWP_SWEEP_END_COULD_NOT_RUN, problem);
}

static void granted(
	void *context, uint64_t job, enum swp_dispatch_grant what, uint64_t epoch, unsigned attempts)
{
	struct swp_sweep *sweep = context;

	sweep->any_granted |= what == SWP_DISPATCH_GRANT_GIVEN;
	if (what == SWP_DISPATCH_GRANT_GIVEN && epoch > sweep->highest_epoch)
		sweep->highest_epoch = epoch;
	swp_dispatch_granted(swp_hub_dispatch(sweep->hub), job, what, epoch, attempts, now_ms(sweep));
	swp_sweep_kick(sweep);
}

static void looked_up(void *context, uint64_t job, enum swp_job_end found, unsigned attempts)
{
	struct swp_sweep *sweep = context;

	swp_dispatch_looked_up(swp_hub_dispatch(sweep->hub), job, found, attempts, now_ms(sweep));
	swp_sweep_kick(sweep);
}

static void given_up(void *context, uint64_t job, bool sealed)
{
	struct swp_sweep *sweep = context;

	swp_dispatch_given_up(swp_hub_dispatch(sweep->hub), job, sealed);
	swp_sweep_kick(sweep);
}

/* --- reconciliation: every done job's seal is looked up --- */

void swp_sweep_checked(void *context, void *token, unsigned region, enum swp_job_end found)
{
	struct swp_sweep *sweep = context;
	struct swp_account *account = token;

	if (account->stage == SWP_ACCOUNT_CHECKING) {
		swp_sweep_resume_checked(sweep, account, region, found);
		return;
	}
	sweep->seals_asked--;
	swp_sweep_kick(sweep);
	if (found == SWP_JOB_SEALED ? swp_region_set_has(&account->sealed, region)
				    : found != SWP_JOB_OPEN && swp_region_set_has(&account->lost, region))
		return;
	swp_region_set_remove(&account->sealed, region);
	swp_region_set_remove(&account->lost, region);
	if (found == SWP_JOB_SEALED) { /* its mark was lost, and a worker of before has sealed it */
		swp_region_set_add(&account->sealed, region);
		return;
	}
	if (found != SWP_JOB_OPEN) {
		swp_region_set_add(&account->lost, region);
		sweep->any_lost = true;
		return;
	}
	sweep->seals_missing++;
	if (account->stage == SWP_ACCOUNT_SETTLED && account->correlated)
		swp_sweep_redo(sweep, account);
}

bool swp_sweep_reconcile(struct swp_sweep *sweep)
{
	while (sweep->seal_account < sweep->organization.count &&
		sweep->seals_asked < SWP_RECONCILE_AT_ONCE) {
		struct swp_account *account = sweep->organization.accounts[sweep->seal_account];
		struct swp_region_set told = swp_region_set_union(&account->sealed, &account->lost);
		int region = account->stage == SWP_ACCOUNT_SETTLED
				     ? swp_region_set_next(&told, sweep->seal_region)
				     : -1;

		if (region < 0) {
			sweep->seal_account++;
			sweep->seal_region = 0;
			continue;
		}
		if (swp_ledger_check(sweep->ledger, account->id,
			    swp_region_table_name(&sweep->regions, (unsigned)region), account,
			    (unsigned)region) < 0)
			break;
		sweep->seals_asked++;
		sweep->seal_region = (unsigned)region + 1;
	}
	return sweep->seal_account == sweep->organization.count && sweep->seals_asked == 0;
}

/* --- starting it all --- */

static void workers_failed(struct swp_hub_member *member, const struct swp_problem *problem)
{
	struct swp_sweep *sweep = sweep_of(member);

	if (sweep->progress.jobs_done == 0) {
		swp_sweep_end(sweep, SWP_SWEEP_END_COULD_NOT_RUN, problem);
		return;
	}
	swp_log(SWP_LOG_ERROR, "worker.none", problem->text,
		SWP_LOG_N("jobs_done", sweep->progress.jobs_done));
	swp_sweep_cancel(sweep, 0);
}

static void put_worker(void *context, const char *name, const char *row)
{
	struct swp_sweep *sweep = context;
	char key[SWP_KEY_BYTES];

	if (swp_key_format(SWP_KEY_WORKERS, NULL, NULL, NULL, key) == 0)
		swp_ledger_write(sweep->ledger,
			(struct swp_store_argument[]){SWP_STORE_TEXT_ARGUMENT("HSET"),
				SWP_STORE_TEXT_ARGUMENT(key), SWP_STORE_TEXT_ARGUMENT(name),
				SWP_STORE_TEXT_ARGUMENT(row)},
			4);
}

static void forget_drain(struct swp_sweep *sweep, const char *worker)
{
	char key[SWP_KEY_BYTES];

	if (swp_key_format(SWP_KEY_DRAINS, NULL, NULL, NULL, key) == 0)
		swp_ledger_write(sweep->ledger,
			(struct swp_store_argument[]){SWP_STORE_TEXT_ARGUMENT("HDEL"),
				SWP_STORE_TEXT_ARGUMENT(key), SWP_STORE_TEXT_ARGUMENT(worker)},
			3);
}

/* What `orgsweep status` shows of a sweep that runs. Where the hub is lent, its owner tells of the workers. */
static void tell_status(struct swp_sweep *sweep)
{
	char planned[24], done[24];
	const struct swp_sweep_progress *progress = &sweep->progress;

	if (!sweep->begun || sweep->closing)
		return;
	if (sweep->own_hub)
		swp_hub_each_worker(sweep->own_hub, put_worker, sweep);
	if (progress->jobs_planned == sweep->told_planned && progress->jobs_done == sweep->told_done)
		return;
	sweep->told_planned = progress->jobs_planned;
	sweep->told_done = progress->jobs_done;
	snprintf(planned, sizeof(planned), "%" PRIu64, progress->jobs_planned);
	snprintf(done, sizeof(done), "%" PRIu64, progress->jobs_done);
	swp_ledger_set(sweep->ledger, (struct swp_ledger_field[]){{SWP_SWEEP_FIELD_PLANNED_JOBS, planned},
					      {SWP_SWEEP_FIELD_DONE_JOBS, done}, {NULL, NULL}});
}

/* Orders given at any command line, which wait in the store. */
static void asked(void *context, const char *cancelled_by, const char *const *drains, size_t count)
{
	struct swp_sweep *sweep = context;

	tell_status(sweep);
	/* Where the hub is lent, its owner hears of it as well. */
	for (size_t i = 0; sweep->own_hub && i < count; i++)
		if (swp_hub_drain(sweep->own_hub, drains[i]))
			forget_drain(sweep, drains[i]);
	if (*cancelled_by && !sweep->cancelling) {
		swp_log(SWP_LOG_WARNING, "sweep.cancel-asked", "the sweep is to be cancelled",
			SWP_LOG_S("by", cancelled_by));
		sweep->ordered = true;
		swp_sweep_cancel(sweep, 0);
	}
}

static int open_ledger(struct swp_sweep *sweep, struct swp_problem *problem)
{
	const struct swp_ledger_events events = {.up = store_up,
		.owned = owned,
		.asked = asked,
		.grant_gone = grant_gone,
		.fresh = store_fresh,
		.lost = store_lost,
		.granted = granted,
		.looked_up = looked_up,
		.given_up = given_up,
		.checked = swp_sweep_checked,
		.context = sweep};
	struct swp_store_options options = {.client_name = "orgsweep"};

	if (sweep->private_store)
		options.address = *swp_private_store_address(sweep->private_store);
	else
		options = *sweep->options->store;
	sweep->ledger = swp_ledger_new(sweep->loop, &options, sweep->id, SWP_STORE_AWAY_MS, &events, problem);
	return sweep->ledger ? 0 : -EIO;
}

static void private_ready(void *context)
{
	struct swp_sweep *sweep = context;
	struct swp_problem problem = {0};

	if (open_ledger(sweep, &problem) < 0)
		swp_sweep_end(sweep, SWP_SWEEP_END_COULD_NOT_RUN, &problem);
}

static void private_failed(void *context, const struct swp_problem *problem)
{
	store_lost(context, problem);
}

static int start_store(struct swp_sweep *sweep, struct swp_problem *problem)
{
	const struct swp_private_store_events events = {
		.ready = private_ready, .failed = private_failed, .context = sweep};

	if (sweep->options->store)
		return open_ledger(sweep, problem);
	sweep->private_store =
		swp_private_store_start(sweep->loop, sweep->options->state_folder, &events, problem);
	return sweep->private_store ? 0 : -EIO;
}

static const struct swp_hub_actions hub_actions = {.may_send = may_send,
	.grant = grant,
	.send = send_job,
	.look_up = look_up,
	.give_up = give_up,
	.job_settled = job_settled,
	.account_settled = account_settled,
	.done = done,
	.renew = renew_asked,
	.worker_came = worker_came,
	.store_away = store_away,
	.workers_failed = workers_failed,
	.kick = kick};

struct swp_hub *swp_sweep_hub_new(struct swp_loop *loop, const struct swp_sweep_options *options,
	const char *prefix, const struct swp_store_options *store, bool adopts, struct swp_problem *problem)
{
	SWP_CLEANUP(swp_free_pointer) char *name = swp_asprintf("%s-%d", prefix, (int)getpid());
	const struct swp_hub_options hub = {.name = name,
		.state_folder = options->state_folder,
		.listen = options->listen,
		.keys_folder = options->keys_folder,
		.workers = options->workers,
		.worker_program = options->worker_program,
		.store = options->worker_store ? options->worker_store : store,
		.ca_file = options->ca_file,
		.https_proxy = options->https_proxy,
		.no_proxy = options->no_proxy,
		.log_form = options->log_form,
		.adopts = adopts};

	if (!name) {
		swp_problem_set(problem, -ENOMEM, "out of memory");
		return NULL;
	}
	return swp_hub_new(loop, &hub, problem);
}

/* A hub of its own, where nobody lends it one. */
static int start_hub(struct swp_sweep *sweep, struct swp_problem *problem)
{
	const struct swp_sweep_options *options = sweep->options;
	struct swp_store_options private_store = {0};

	if (sweep->private_store)
		private_store.address = *swp_private_store_address(sweep->private_store);
	sweep->own_hub = swp_sweep_hub_new(sweep->loop, options, sweep->id,
		sweep->private_store ? &private_store : options->store, options->resume != NULL, problem);
	sweep->hub = sweep->own_hub;
	return sweep->hub ? 0 : -EIO;
}

int swp_sweep_jobs_init(struct swp_sweep *sweep, struct swp_problem *problem)
{
	int error = start_store(sweep, problem);

	if (error == 0 && swp_job_services_init(
				  &sweep->services, sweep->options->catalogue, sweep->options->selection) < 0)
		error = swp_problem_set(problem, -ENOMEM, "out of memory");
	sweep->hub = sweep->options->hub;
	if (error == 0 && !sweep->hub)
		error = start_hub(sweep, problem);
	if (error < 0)
		return error;
	sweep->member.sweep = sweep->id;
	sweep->member.actions = &hub_actions;
	swp_hub_join(sweep->hub, &sweep->member);
	return 0;
}

/* Its plan is the workers' no more, and its accounts are not dispatch's. */
static void leave_hub(struct swp_sweep *sweep)
{
	if (!sweep->hub)
		return;
	for (struct swp_open_account *open = sweep->accounts ? swp_accounts_first(sweep->accounts) : NULL;
		open; open = open->next)
		swp_dispatch_remove(swp_hub_dispatch(sweep->hub), &open->dispatch);
	swp_fleet_remove_plan(swp_hub_fleet(sweep->hub), sweep->id);
	swp_hub_leave(sweep->hub, &sweep->member);
	swp_hub_free(sweep->own_hub);
	sweep->hub = sweep->own_hub = NULL;
}

void swp_sweep_jobs_release(struct swp_sweep *sweep)
{
	leave_hub(sweep);
	swp_correlator_free(sweep->correlator);
	swp_sweep_forget_correlating(sweep);
	sweep->correlator = NULL;
}

void swp_sweep_jobs_done(struct swp_sweep *sweep)
{
	swp_sweep_jobs_release(sweep);
	swp_limits_free(sweep->limits);
	swp_prune_free(sweep->prune);
	swp_prune_free(sweep->withdrawal);
	swp_ledger_free(sweep->ledger);
	swp_private_store_free(sweep->private_store);
	swp_job_services_done(&sweep->services);
}
