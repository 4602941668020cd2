/* Between dispatch (who does what), fleet (who is there) and ledger (what is kept). */
#include "coordinator/sweep-internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coordinator/keys.h"
#include "proto/base/alloc.h"
#include "proto/base/log.h"
#include "proto/base/text.h"
#include "proto/io/files.h"
#include "proto/io/folder.h"
#include "proto/wire/keyfile.h"

#define IPC_PATH_BYTES 100 /* sun_path takes 107 */

static int64_t now_ms(const struct swp_sweep *sweep)
{
	return swp_loop_now_ms(sweep->loop);
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
	error = swp_dispatch_add(sweep->dispatch, &open->dispatch, now_ms(sweep));
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

static bool may_send(void *context, struct swp_dispatch_account *account)
{
	struct swp_sweep *sweep = context;
	struct swp_open_account *open = SWP_CONTAINER_OF(account, struct swp_open_account, dispatch);

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

static void grant(void *context, struct swp_job *job, const char *worker, bool counts, uint64_t least_epoch)
{
	struct swp_sweep *sweep = context;

	if (swp_ledger_grant(sweep->ledger, job->number, open_of(job)->account->id, region_of(sweep, job),
		    worker, counts, least_epoch) < 0)
		swp_sweep_end_text(sweep, SWP_SWEEP_END_STORE_LOST, "out of memory");
}

static int send_job(void *context, struct swp_job *job, uint64_t peer)
{
	struct swp_sweep *sweep = context;
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
	int error = make_credentials(sweep, open, job, &message.job.credentials);

	if (error < 0)
		return error;
	error = swp_fleet_send(sweep->fleet, peer, &message);
	swp_job_credentials_done(&message.job.credentials);
	job->sent_ms = now_ms(sweep);
	return error;
}

static void look_up(void *context, struct swp_job *job)
{
	struct swp_sweep *sweep = context;

	if (swp_ledger_look_up(sweep->ledger, job->number, open_of(job)->account->id, region_of(sweep, job)) <
		0)
		swp_sweep_end_text(sweep, SWP_SWEEP_END_STORE_LOST, "out of memory");
}

static void give_up(void *context, struct swp_job *job)
{
	struct swp_sweep *sweep = context;

	swp_log(SWP_LOG_ERROR, "job.lost", "three workers were lost on this job; it is given up",
		SWP_LOG_S("account", &open_of(job)->account->id[0]),
		SWP_LOG_S("region", region_of(sweep, job)));
	if (swp_ledger_give_up(sweep->ledger, job->number, open_of(job)->account->id, region_of(sweep, job),
		    swp_reason_name(SWP_REASON_WORKER_LOST)) < 0)
		swp_sweep_end_text(sweep, SWP_SWEEP_END_STORE_LOST, "out of memory");
}

static void cancel(void *context, uint64_t peer, uint64_t job, uint64_t epoch)
{
	struct swp_sweep *sweep = context;
	struct swp_message message = {
		.type = SWP_MESSAGE_CANCEL, .cancel = {.job = job, .epoch = epoch, .sweep = sweep->id}};

	swp_fleet_send(sweep->fleet, peer, &message);
}

static void job_settled(void *context, struct swp_job *job)
{
	struct swp_sweep *sweep = context;
	struct swp_account *account = open_of(job)->account;

	if (job->end == SWP_JOB_SEALED) {
		swp_region_set_add(&account->sealed, job->region);
	} else {
		swp_region_set_add(&account->lost, job->region);
		sweep->any_lost = true;
		if (account->redone == 0)
			sweep->progress.cells_not_assessed += sweep->level_cells[job->level];
	}
	if (account->redone == 0)
		sweep->progress.jobs_done++;
	swp_sweep_extend_grace(sweep);
}

static void account_settled(void *context, struct swp_dispatch_account *dispatch_account)
{
	struct swp_sweep *sweep = context;
	struct swp_open_account *open = SWP_CONTAINER_OF(dispatch_account, struct swp_open_account, dispatch);
	struct swp_account *account = open->account;

	swp_sweep_forget_renewals(open);
	swp_accounts_close(open);
	swp_sweep_account_done(sweep, account);
}

void swp_sweep_run_dispatch(struct swp_sweep *sweep)
{
	struct swp_dispatch_numbers numbers;
	int64_t next_ms;

	swp_dispatch_run(sweep->dispatch, now_ms(sweep));
	swp_dispatch_count(sweep->dispatch, &numbers);
	sweep->progress.jobs_running = numbers.running;
	sweep->progress.workers = swp_fleet_count(sweep->fleet);
	next_ms = swp_dispatch_next_ms(sweep->dispatch);
	if (next_ms == INT64_MAX)
		swp_timer_stop(&sweep->lease);
	else
		swp_timer_start(&sweep->lease, next_ms > now_ms(sweep) ? next_ms - now_ms(sweep) : 1);
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
	struct swp_job *job = swp_dispatch_held(sweep->dispatch, renewal->peer, renewal->job, renewal->epoch);

	if (!job)
		return;
	if (refused == SWP_REASON_NONE &&
		make_credentials(sweep, open, job, &message.credentials.credentials) < 0)
		message.credentials.refused = SWP_REASON_LIMIT_REACHED;
	job->sent_ms = now_ms(sweep);
	swp_fleet_send(sweep->fleet, renewal->peer, &message);
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

static void renew_asked(void *context, uint64_t peer, const struct swp_message_renew *renew)
{
	struct swp_sweep *sweep = context;
	struct swp_job *job = swp_dispatch_held(sweep->dispatch, peer, renew->job, renew->epoch);
	struct swp_open_account *open;
	struct renewal *renewal;

	if (!job) {
		cancel(sweep, peer, renew->job, renew->epoch);
		return;
	}
	open = open_of(job);
	/* Another job of the account has asked already, after this one was sent. */
	if (!open->renewing && open->issued_ms > job->sent_ms) {
		answer_renewal(sweep, open, &(struct renewal){NULL, peer, renew->job, renew->epoch},
			SWP_REASON_NONE);
		return;
	}
	renewal = swp_calloc(1, sizeof(*renewal));
	if (!renewal)
		return; /* the worker asks again, or its lease ends */
	*renewal = (struct renewal){open->user, peer, renew->job, renew->epoch};
	open->user = renewal;
	if (swp_accounts_renew(open) < 0)
		swp_sweep_answer_renewals(sweep, open, SWP_REASON_LIMIT_REACHED);
}

/* --- what workers say --- */

static void greeted(void *context, uint64_t peer, const char *name, const struct swp_message_hello *hello,
	const struct swp_dispatch_hold *holds, size_t hold_count)
{
	struct swp_sweep *sweep = context;
	uint64_t credits = hello->credits < SWP_LIMIT_HOLDS ? hello->credits : SWP_LIMIT_HOLDS;

	if (swp_dispatch_greet(
		    sweep->dispatch, peer, name, (unsigned)credits, holds, hold_count, now_ms(sweep)) < 0)
		swp_log(SWP_LOG_ERROR, "worker.too-many", "there is no room for another worker",
			SWP_LOG_S("worker", name));
	if (hello->draining)
		swp_dispatch_drain(sweep->dispatch, peer);
	swp_timer_stop(&sweep->no_worker);
	swp_sweep_kick(sweep);
}

static void heartbeat(void *context, uint64_t peer, const struct swp_message_heartbeat *beat,
	const struct swp_dispatch_hold *jobs, size_t count)
{
	struct swp_sweep *sweep = context;

	if (beat->store_away && sweep->begun && swp_ledger_probe(sweep->ledger) < 0)
		swp_sweep_end_text(sweep, SWP_SWEEP_END_STORE_LOST, "out of memory");
	swp_dispatch_heartbeat(sweep->dispatch, peer, jobs, count, now_ms(sweep));
}

static void count_cells(struct swp_sweep_progress *progress, const struct swp_message_done *done)
{
	progress->cells_pass += done->pass;
	progress->cells_fail += done->fail;
	progress->cells_not_applicable += done->not_applicable;
	progress->cells_not_assessed += done->not_assessed;
	progress->cells_partial += done->partial;
}

static void done(void *context, uint64_t peer, const struct swp_message_done *message)
{
	struct swp_sweep *sweep = context;
	enum swp_dispatch_done how =
		message->how == SWP_DONE_STALE ? SWP_DISPATCH_STALE : SWP_DISPATCH_SEALED;
	struct swp_job *job = swp_dispatch_held(sweep->dispatch, peer, message->job, message->epoch);
	struct swp_account *account = job ? open_of(job)->account : NULL;
	bool settled;

	if (account && how == SWP_DISPATCH_SEALED && message->answered)
		account->swept = true;
	settled = swp_dispatch_done(sweep->dispatch, peer, message->job, message->epoch, how);
	if (settled && how == SWP_DISPATCH_SEALED && account && account->redone == 0)
		count_cells(&sweep->progress, message);
	swp_sweep_kick(sweep);
}

static void given_back(void *context, uint64_t peer, const struct swp_message_give_back *message)
{
	static const int64_t pauses_ms[] = {[SWP_GIVE_BACK_STORE_AWAY] = 1000,
		[SWP_GIVE_BACK_NO_CREDIT] = 200,
		[SWP_GIVE_BACK_UNKNOWN_SWEEP] = 1000,
		[SWP_GIVE_BACK_CREDENTIALS] = 1000,
		[SWP_GIVE_BACK_RESOURCES] = 5000};
	struct swp_sweep *sweep = context;
	int64_t pause_ms = message->why < SWP_ARRAY_SIZE(pauses_ms) ? pauses_ms[message->why] : 1000;

	if (message->why == SWP_GIVE_BACK_DRAINING)
		swp_dispatch_drain(sweep->dispatch, peer);
	if (message->why == SWP_GIVE_BACK_UNKNOWN_SWEEP)
		swp_fleet_repeat_plan(sweep->fleet, peer);
	swp_log(SWP_LOG_INFO, "job.given-back", "a worker gave a job back", SWP_LOG_N("job", message->job),
		SWP_LOG_N("why", message->why), SWP_LOG_S("detail", message->detail));
	swp_dispatch_given_back(sweep->dispatch, peer, message->job, message->epoch, pause_ms, now_ms(sweep));
	swp_sweep_kick(sweep);
}

static void gone(void *context, uint64_t peer)
{
	struct swp_sweep *sweep = context;

	swp_dispatch_gone(sweep->dispatch, peer);
	swp_sweep_kick(sweep);
}

/* --- what the ledger says --- */

static void store_up(void *context)
{
	struct swp_sweep *sweep = context;

	sweep->store_ready = true;
	swp_sweep_begin(sweep);
}

/* What was acknowledged may be gone: rows are written again, seals are looked up again. */
static void store_fresh(void *context)
{
	struct swp_sweep *sweep = context;

	swp_log(SWP_LOG_WARNING, "store.fresh",
		"the store is another run than before; what was written is checked",
		SWP_LOG_N("jobs_done", sweep->progress.jobs_done));
	swp_sweep_write_plan(sweep);
	sweep->reconciled = false;
	sweep->seal_account = 0;
	sweep->seal_region = 0;
	swp_sweep_kick(sweep);
}

static void store_lost(void *context, const struct swp_problem *problem)
{
	struct swp_sweep *sweep = context;

	if (sweep->any_granted)
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
	swp_dispatch_granted(sweep->dispatch, job, what, epoch, attempts, now_ms(sweep));
	swp_sweep_kick(sweep);
}

static void looked_up(void *context, uint64_t job, enum swp_job_end found, unsigned attempts)
{
	struct swp_sweep *sweep = context;

	swp_dispatch_looked_up(sweep->dispatch, job, found, attempts);
	swp_sweep_kick(sweep);
}

static void given_up(void *context, uint64_t job, bool sealed)
{
	struct swp_sweep *sweep = context;

	swp_dispatch_given_up(sweep->dispatch, job, sealed);
	swp_sweep_kick(sweep);
}

/* --- reconciliation: every done job's seal is looked up --- */

void swp_sweep_checked(void *context, void *token, unsigned region, enum swp_job_end found)
{
	struct swp_sweep *sweep = context;
	struct swp_account *account = token;

	sweep->seals_asked--;
	swp_sweep_kick(sweep);
	if (found == SWP_JOB_SEALED || !swp_region_set_has(&account->sealed, region))
		return;
	swp_region_set_remove(&account->sealed, region);
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
		int region = account->stage == SWP_ACCOUNT_SETTLED
				     ? swp_region_set_next(&account->sealed, sweep->seal_region)
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

static int remove_file(const char *name, void *context)
{
	char *path = swp_asprintf("%s/%s", (const char *)context, name);

	if (path)
		unlink(path);
	swp_free(path);
	return 0;
}

/* With whatever is in it: keys that nobody can use any more, and a socket that ZeroMQ unlinks too late for us. */
static void remove_run_folder(char *folder)
{
	swp_folder_list(folder, "", remove_file, folder);
	rmdir(folder);
}

#define SHORT_FOLDERS "/tmp" /* for run folders whose path in the state folder is too long for a socket */
#define SHORT_PREFIX "orgsweep-run-"

struct stale_runs {
	const char *folder, *prefix;
};

static bool is_our_folder(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid();
}

/* One whose coordinator was killed. A live one holds its lock. */
static int remove_stale(const char *name, void *context)
{
	const struct stale_runs *runs = context;
	char *path = swp_text_starts(name, runs->prefix) ? swp_asprintf("%s/%s", runs->folder, name) : NULL;
	pid_t holder;
	int fd = -1;

	if (path && is_our_folder(path) && swp_folder_lock(path, &fd, &holder) == 0)
		remove_run_folder(path);
	swp_folder_unlock(fd);
	swp_free(path);
	return 0;
}

static void remove_all_stale(const struct swp_sweep *sweep)
{
	struct stale_runs places[] = {{sweep->options->state_folder, "run-"}, {SHORT_FOLDERS, SHORT_PREFIX}};

	for (size_t i = 0; i < SWP_ARRAY_SIZE(places); i++)
		swp_folder_list(places[i].folder, "", remove_stale, &places[i]);
}

static int make_run_folder(struct swp_sweep *sweep, struct swp_problem *problem)
{
	pid_t holder;
	int error;

	remove_all_stale(sweep);
	sweep->run_folder = swp_asprintf("%s/run-%s", sweep->options->state_folder, sweep->id);
	if (sweep->run_folder && strlen(sweep->run_folder) + sizeof("/bus.sock") > IPC_PATH_BYTES) {
		swp_free(sweep->run_folder);
		sweep->run_folder = swp_asprintf(SHORT_FOLDERS "/" SHORT_PREFIX "%s", sweep->id);
	}
	if (!sweep->run_folder)
		return swp_problem_set(problem, -ENOMEM, "out of memory");
	error = swp_folder_make(sweep->run_folder, problem);
	if (error == 0 && (error = swp_folder_lock(sweep->run_folder, &sweep->run_lock, &holder)) < 0)
		swp_problem_set(problem, error, "can't lock %s: %s", sweep->run_folder, strerror(-error));
	return error;
}

static int start_fleet(struct swp_sweep *sweep, struct swp_keyfile *keyfile, struct swp_problem *problem)
{
	const struct swp_sweep_options *options = sweep->options;
	const struct swp_fleet_events events = {.greeted = greeted,
		.heartbeat = heartbeat,
		.done = done,
		.renew = renew_asked,
		.given_back = given_back,
		.gone = gone,
		.context = sweep};
	struct swp_bus_keys keys = {0};
	char *ipc = swp_asprintf("ipc://%s/bus.sock", sweep->run_folder);
	struct swp_fleet_options fleet = {.endpoint = options->listen ? options->listen : ipc,
		.keys = &keys,
		.keys_folder = options->keys_folder,
		.sweep = sweep->id};
	int error = ipc ? 0 : -ENOMEM;

	memcpy(keys.public_key, keyfile->public_key, sizeof(keys.public_key));
	if (error == 0)
		error = swp_secret_copy(&keys.secret_key, &keyfile->secret_key);
	if (error == 0) {
		sweep->fleet = swp_fleet_new(sweep->loop, &fleet, &events, problem);
		error = sweep->fleet ? 0 : -EIO;
	}
	swp_bus_keys_done(&keys);
	swp_free(ipc);
	return error;
}

static void workers_failed(void *context, const struct swp_problem *problem)
{
	struct swp_sweep *sweep = context;

	if (swp_fleet_count(sweep->fleet) > 0 || sweep->options->listen) {
		swp_log(SWP_LOG_ERROR, "worker.none", problem->text,
			SWP_LOG_N("others", swp_fleet_count(sweep->fleet)));
		return;
	}
	if (sweep->progress.jobs_done == 0) {
		swp_sweep_end(sweep, SWP_SWEEP_END_COULD_NOT_RUN, problem);
		return;
	}
	swp_log(SWP_LOG_ERROR, "worker.none", problem->text,
		SWP_LOG_N("jobs_done", sweep->progress.jobs_done));
	swp_sweep_cancel(sweep, 0);
}

/* As a worker's --store takes it; the password goes by stdin. */
static char *url_of(const struct swp_store_address *address)
{
	const char *open = strchr(address->host, ':') ? "[" : "", *close = open[0] ? "]" : "";

	if (address->scheme == SWP_STORE_UNIX)
		return swp_asprintf("unix://%s", address->host);
	return swp_asprintf("%s://%s%s%s%s%s:%u/%u", address->scheme == SWP_STORE_TLS ? "rediss" : "redis",
		address->user, address->user[0] ? "@" : "", open, address->host, close, address->port,
		address->database);
}

static int start_workers(struct swp_sweep *sweep, const char *public_key, struct swp_problem *problem)
{
	const struct swp_sweep_options *options = sweep->options;
	const struct swp_workers_events events = {.failed = workers_failed, .context = sweep};
	struct swp_workers_options workers = {.program = options->worker_program,
		.count = options->workers,
		.folder = sweep->run_folder,
		.server_public_key = public_key,
		.ca_file = options->ca_file,
		.https_proxy = options->https_proxy,
		.no_proxy = options->no_proxy,
		.log_form = options->log_form};
	char *url;

	if (options->workers == 0)
		return 0;
	url = url_of(sweep->private_store ? swp_private_store_address(sweep->private_store)
					  : &options->store->address);
	if (!url)
		return swp_problem_set(problem, -ENOMEM, "out of memory");
	workers.store_url = url;
	workers.store_password = sweep->private_store ? NULL : options->store->password;
	sweep->workers = swp_workers_start(sweep->loop, sweep->fleet, &workers, &events, problem);
	swp_free(url);
	return sweep->workers ? 0 : -EIO;
}

static int open_ledger(struct swp_sweep *sweep, struct swp_problem *problem)
{
	const struct swp_ledger_events events = {.up = store_up,
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

static int make_dispatch(struct swp_sweep *sweep, struct swp_problem *problem)
{
	const struct swp_dispatch_actions actions = {.may_send = may_send,
		.grant = grant,
		.send = send_job,
		.look_up = look_up,
		.give_up = give_up,
		.cancel = cancel,
		.job_settled = job_settled,
		.account_settled = account_settled,
		.context = sweep};

	sweep->dispatch =
		swp_dispatch_new(&actions, (uint32_t)swp_clock_random_u64(swp_loop_clock(sweep->loop)));
	if (!sweep->dispatch || swp_job_services_init(&sweep->services, sweep->options->catalogue,
					sweep->options->selection) < 0)
		return swp_problem_set(problem, -ENOMEM, "out of memory");
	return 0;
}

int swp_sweep_jobs_init(struct swp_sweep *sweep, struct swp_problem *problem)
{
	struct swp_keyfile keyfile = {0};
	int error = start_store(sweep, problem);

	if (error == 0)
		error = make_run_folder(sweep, problem);
	if (error == 0)
		error = make_dispatch(sweep, problem);
	if (error == 0)
		error = sweep->options->keys_folder
				? swp_keys_server(sweep->options->keys_folder, &keyfile, problem)
				: swp_keys_make(&keyfile, problem);
	if (error == 0)
		error = start_fleet(sweep, &keyfile, problem);
	if (error == 0)
		error = start_workers(sweep, keyfile.public_key, problem);
	swp_keyfile_done(&keyfile);
	return error;
}

void swp_sweep_jobs_release(struct swp_sweep *sweep)
{
	swp_workers_free(sweep->workers);
	sweep->workers = NULL;
	swp_fleet_free(sweep->fleet);
	sweep->fleet = NULL;
	swp_correlator_free(sweep->correlator);
	swp_sweep_forget_correlating(sweep);
	sweep->correlator = NULL;
	swp_dispatch_free(sweep->dispatch);
	sweep->dispatch = NULL;
}

void swp_sweep_jobs_done(struct swp_sweep *sweep)
{
	swp_sweep_jobs_release(sweep);
	if (sweep->run_folder) {
		remove_run_folder(sweep->run_folder);
		swp_folder_unlock(sweep->run_lock);
		swp_free(sweep->run_folder);
	}
	swp_prune_free(sweep->prune);
	swp_prune_free(sweep->withdrawal);
	swp_ledger_free(sweep->ledger);
	swp_private_store_free(sweep->private_store);
	swp_job_services_done(&sweep->services);
}
