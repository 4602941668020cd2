/* Accounts on their way through a sweep: scope, opening, rows in the store, correlation. */
#include "coordinator/sweep-internal.h"

#include <errno.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/log.h"

/* --- what is told and written of an account --- */

static uint64_t cells_of(const struct swp_sweep *sweep, const struct swp_account *account)
{
	uint64_t regions = swp_region_set_count(&account->planned);
	uint64_t cells = 0;

	if (swp_region_set_has(&account->planned, SWP_REGION_GLOBAL)) {
		cells += sweep->level_cells[SWP_LEVEL_GLOBAL];
		regions--;
	}
	if (swp_region_set_has(&account->planned, SWP_REGION_ORGANIZATION)) {
		cells += sweep->level_cells[SWP_LEVEL_ORGANIZATION];
		regions--;
	}
	return cells + regions * sweep->level_cells[SWP_LEVEL_REGION];
}

static uint64_t calls_of(const struct swp_sweep *sweep, const struct swp_account *account)
{
	uint64_t calls = 0;

	for (int region = swp_region_set_next(&account->planned, 0); region >= 0;
		region = swp_region_set_next(&account->planned, (unsigned)region + 1))
		calls += sweep->level_calls[region == SWP_REGION_GLOBAL		? SWP_LEVEL_GLOBAL
					    : region == SWP_REGION_ORGANIZATION ? SWP_LEVEL_ORGANIZATION
										: SWP_LEVEL_REGION];
	return calls;
}

/* Those of its jobs, and what it takes to enter: its sessions, and the list of its regions. Once more each hour and retries not counted. */
static uint64_t expected_calls(
	const struct swp_sweep *sweep, const struct swp_account *account, const struct swp_open_account *open)
{
	uint64_t sessions = open && open->role_arn ? sweep->policies.count : 0;

	return account->reason ? 0 : calls_of(sweep, account) + sessions + 1;
}

static void tell_account(
	struct swp_sweep *sweep, struct swp_account *account, const struct swp_open_account *open)
{
	static const struct swp_account_failure no_failure = {"", "", "", ""};
	const struct swp_account_failure *failure = account->failure ? account->failure : &no_failure;
	const char *regions[SWP_LIMIT_SWEEP_REGIONS], *not_enabled[SWP_LIMIT_SWEEP_REGIONS];
	SWP_CLEANUP(swp_buf_done) struct swp_buf path = {0};
	struct swp_sweep_account row = {
		.id = account->id,
		.name = account->name,
		.path = swp_unit_path(account->unit, &path) ? swp_buf_text(&path) : NULL,
		.state = swp_account_state_name(account->state),
		.joined_at_ms = account->joined_at_ms,
		.not_planned = account->stage == SWP_ACCOUNT_NOT_PLANNED,
		.not_planned_why = account->not_planned_why,
		.management = account->management,
		.own = account->own,
		.role_arn = open ? open->role_arn : NULL,
		.reason = account->reason,
		.action = failure->action,
		.error_code = failure->error_code,
		.message = failure->message,
		.request_id = failure->request_id,
		.regions = regions,
		.region_count = swp_region_set_names(&sweep->regions, &account->planned, regions),
		.regions_not_enabled = not_enabled,
		.region_not_enabled_count =
			swp_region_set_names(&sweep->regions, &account->not_enabled, not_enabled),
		.regions_from = open ? open->regions_from : "",
		.cells = cells_of(sweep, account),
		.jobs = account->reason ? 0 : swp_region_set_count(&account->planned),
		.expected_calls = expected_calls(sweep, account, open),
	};

	if (sweep->events.account)
		sweep->events.account(sweep->events.context, &row);
}

void swp_sweep_write_account(struct swp_sweep *sweep, struct swp_account *account)
{
	static const struct swp_account_failure no_failure = {"", "", "", ""};
	const struct swp_account_failure *failure = account->failure ? account->failure : &no_failure;
	const char *regions[SWP_LIMIT_SWEEP_REGIONS], *not_enabled[SWP_LIMIT_SWEEP_REGIONS];
	SWP_CLEANUP(swp_buf_done) struct swp_buf path = {0};
	struct swp_record_account row = {
		.id = account->id,
		.name = account->name,
		.state = swp_account_state_name(account->state),
		.joined_at_ms = account->joined_at_ms < 0 ? 0 : account->joined_at_ms,
		.not_planned = account->stage == SWP_ACCOUNT_NOT_PLANNED,
		.swept = account->swept,
		.reason = account->reason,
		.excluded = account->not_planned_why,
		.regions = regions,
		.region_count = swp_region_set_names(&sweep->regions, &account->planned, regions),
		.regions_not_enabled = not_enabled,
		.region_not_enabled_count =
			swp_region_set_names(&sweep->regions, &account->not_enabled, not_enabled),
		.unread = {.reason = account->reason,
			.action = failure->action,
			.error_code = failure->error_code,
			.message = failure->message,
			.request_id = failure->request_id},
		.settled_at_ms = account->settled_at_ms,
		.regions_told = account->regions_told,
	};

	char own_calls[SWP_OWN_CALLS_BYTES];
	const struct swp_ledger_field calls[] = {
		{SWP_SWEEP_FIELD_OWN_CALLS, swp_sweep_own_calls(sweep, own_calls)}, {NULL, NULL}};

	/* Before that the sweep may be another's; swp_sweep_begin writes what has come to be known. */
	if (!sweep->ledger || !sweep->begun)
		return;
	account->path_told = swp_unit_path(account->unit, &path);
	if (account->path_told)
		row.path = swp_buf_text(&path);
	/* Before the row: whoever finds the last row finds all calls. */
	if ((account->stage == SWP_ACCOUNT_SETTLED && swp_ledger_set(sweep->ledger, calls) < 0) ||
		swp_ledger_account(sweep->ledger, &row) < 0)
		swp_sweep_end_text(sweep, SWP_SWEEP_END_STORE_LOST, "out of memory");
}

/* One that is gone on with, or done again, has its row from before. */
static bool has_row(const struct swp_account *account)
{
	return account->resumed || account->redone > 0 || account->stage == SWP_ACCOUNT_NOT_PLANNED ||
	       account->stage == SWP_ACCOUNT_SETTLED || (account->open && account->open->entered);
}

bool swp_sweep_write_paths(struct swp_sweep *sweep, size_t at_once)
{
	for (; sweep->path_cursor < sweep->organization.count; sweep->path_cursor++) {
		struct swp_account *account = sweep->organization.accounts[sweep->path_cursor];
		SWP_CLEANUP(swp_buf_done) struct swp_buf path = {0};

		if (sweep->ledger && swp_ledger_open(sweep->ledger) >= at_once)
			return false;
		if (has_row(account) && !account->path_told && swp_unit_path(account->unit, &path))
			swp_sweep_write_account(sweep, account);
	}
	return true;
}

void swp_sweep_write_all_accounts(struct swp_sweep *sweep)
{
	for (size_t i = 0; i < sweep->organization.count; i++)
		if (has_row(sweep->organization.accounts[i]))
			swp_sweep_write_account(sweep, sweep->organization.accounts[i]);
}

/* --- scope --- */

static const char *const state_words[] = {
	[SWP_ACCOUNT_ACTIVE] = "",
	[SWP_ACCOUNT_SUSPENDED] = "suspended",
	[SWP_ACCOUNT_PENDING_CLOSURE] = "pending closure",
	[SWP_ACCOUNT_PENDING_ACTIVATION] = "pending activation",
	[SWP_ACCOUNT_CLOSED] = "closed",
	[SWP_ACCOUNT_STATE_UNKNOWN] = "in an unknown state",
};

static void decide(struct swp_sweep *sweep, struct swp_account *account)
{
	enum swp_scope_verdict verdict = swp_scope_decide(&sweep->scope, account);

	account->stage = SWP_ACCOUNT_NOT_PLANNED;
	if (account->state != SWP_ACCOUNT_ACTIVE)
		account->not_planned_why = state_words[account->state];
	else if (verdict == SWP_SCOPE_EXCLUDED)
		account->not_planned_why = "excluded";
	else if (verdict == SWP_SCOPE_NOT_ASKED_FOR)
		account->not_planned_why = "not asked for";
	else
		account->stage = SWP_ACCOUNT_WAITING;
	if (account->stage == SWP_ACCOUNT_WAITING) {
		sweep->waiting++;
		return;
	}
	sweep->progress.accounts_not_planned++;
	tell_account(sweep, account, NULL);
	swp_sweep_write_account(sweep, account);
}

void swp_sweep_account_listed(struct swp_sweep *sweep, struct swp_account *account)
{
	account->own = strcmp(account->id, sweep->identity.account) == 0;
	sweep->progress.accounts_known++;
	if (swp_scope_needs_units(&sweep->scope) && !account->unit && !sweep->units_known)
		sweep->undecided++;
	else
		decide(sweep, account);
	swp_sweep_kick(sweep);
}

void swp_sweep_units_known(struct swp_sweep *sweep)
{
	sweep->units_known = true;
	for (size_t i = 0; i < sweep->organization.count; i++)
		if (sweep->organization.accounts[i]->stage == SWP_ACCOUNT_LISTED)
			decide(sweep, sweep->organization.accounts[i]);
	sweep->undecided = 0;
	sweep->cursor = 0;
	swp_sweep_kick(sweep);
}

void swp_sweep_check_scope(struct swp_sweep *sweep)
{
	enum swp_scope_list list;
	const char *entry, *nearest;

	if (sweep->told || sweep->closing)
		return;
	if (swp_scope_unmatched(&sweep->scope, &list, &entry)) {
		nearest = swp_scope_nearest(&sweep->organization, list, entry);
		swp_sweep_end_text(sweep, SWP_SWEEP_END_COULD_NOT_RUN,
			"%s: \"%s\" matches nothing in the organization%s%s%s", swp_scope_list_option(list),
			entry, nearest ? "; did you mean \"" : "", nearest ? nearest : "",
			nearest ? "\"?" : "");
		return;
	}
	if (sweep->progress.accounts_not_planned == sweep->organization.count)
		swp_sweep_end_text(sweep, SWP_SWEEP_END_COULD_NOT_RUN,
			"nothing is in scope: none of %zu accounts is active and asked for; look at "
			"--accounts, --ou and the exclusions",
			sweep->organization.count);
}

/* --- opening --- */

static void plan_pseudo_regions(struct swp_sweep *sweep, struct swp_account *account)
{
	if (!sweep->level_needed[SWP_LEVEL_REGION])
		account->planned = (struct swp_region_set){{0}};
	if (sweep->level_needed[SWP_LEVEL_GLOBAL])
		swp_region_set_add(&account->planned, SWP_REGION_GLOBAL);
	if (sweep->level_needed[SWP_LEVEL_ORGANIZATION] && account->management)
		swp_region_set_add(&account->planned, SWP_REGION_ORGANIZATION);
}

static void count_planned(struct swp_sweep *sweep, const struct swp_account *account)
{
	uint64_t cells = cells_of(sweep, account);

	sweep->progress.accounts_planned++;
	sweep->progress.cells_planned += cells;
	if (account->reason) {
		sweep->progress.cells_not_assessed += cells;
		sweep->progress.accounts_failed++;
		return;
	}
	sweep->progress.jobs_planned += swp_region_set_count(&account->planned);
	sweep->progress.expected_calls += expected_calls(sweep, account, account->open);
}

void swp_sweep_plan_account(
	struct swp_sweep *sweep, struct swp_account *account, const struct swp_open_account *open)
{
	plan_pseudo_regions(sweep, account);
	count_planned(sweep, account);
	tell_account(sweep, account, open);
}

static void entered(void *context, struct swp_open_account *open)
{
	struct swp_sweep *sweep = context;
	struct swp_account *account = open->account;

	if (account->redone == 0 && !account->resumed)
		swp_sweep_plan_account(sweep, account, open);
	swp_sweep_write_account(sweep, account);
	swp_sweep_kick(sweep);
	if (!sweep->options->plan_only && !swp_region_set_is_empty(&account->planned)) {
		if (swp_sweep_add_jobs(sweep, open) < 0)
			swp_sweep_end_text(sweep, SWP_SWEEP_END_STORE_LOST, "out of memory");
		return;
	}
	swp_accounts_close(open);
	account->settled_at_ms = swp_sweep_wall_ms(sweep);
	swp_sweep_account_done(sweep, account);
}

/* No job of it can be made. An account that is done again keeps what it has. */
static void refused(void *context, struct swp_open_account *open)
{
	struct swp_sweep *sweep = context;
	struct swp_account *account = open->account;

	if (account->redone > 0 || account->resumed) {
		account->reason = SWP_REASON_NONE;
		sweep->any_lost = true;
	} else {
		account->settled_at_ms = swp_sweep_wall_ms(sweep);
		swp_sweep_plan_account(sweep, account, open);
		swp_sweep_write_account(sweep, account);
	}
	swp_accounts_close(open);
	account->correlated = account->reason != SWP_REASON_NONE;
	swp_sweep_account_done(sweep, account);
}

static void renewed(void *context, struct swp_open_account *open, enum swp_reason reason)
{
	struct swp_sweep *sweep = context;

	if (reason != SWP_REASON_NONE)
		swp_log(SWP_LOG_ERROR, "account.renewal", "credentials of the account could not be renewed",
			SWP_LOG_S("account", &open->account->id[0]),
			SWP_LOG_S("reason", swp_reason_name(reason)));
	swp_sweep_answer_renewals(sweep, open, reason);
	swp_dispatch_unpark(swp_hub_dispatch(sweep->hub), &open->dispatch);
	swp_sweep_kick(sweep);
}

int swp_sweep_accounts_init(struct swp_sweep *sweep)
{
	const struct swp_accounts_options options = {.asker = &sweep->asker,
		.sweep = sweep->options,
		.scope = &sweep->scope,
		.organization = &sweep->organization,
		.regions = &sweep->asked,
		.partition = sweep->partition,
		.session_name = sweep->session_name,
		.policies = &sweep->policies,
		.home_region = sweep->home_region,
		.own_account = sweep->identity.account,
		.loop = sweep->loop};
	const struct swp_accounts_events events = {
		.entered = entered, .refused = refused, .renewed = renewed, .context = sweep};

	sweep->accounts = swp_accounts_new(&options, &events);
	return sweep->accounts ? 0 : -ENOMEM;
}

/* An option that matches nothing means that nothing is swept: so nothing is opened before every entry has matched, or the
 * list of accounts is whole. */
static bool may_open(const struct swp_sweep *sweep)
{
	if (sweep->cancelling || sweep->suspending || sweep->told || sweep->closing || !sweep->accounts)
		return false;
	if (!sweep->options->plan_only && !sweep->begun)
		return false;
	return sweep->listed_all || swp_scope_all_matched(&sweep->scope);
}

static struct swp_account *next_waiting(struct swp_sweep *sweep)
{
	struct swp_account *checked = swp_sweep_resume_next(sweep);

	if (checked)
		return checked;
	for (; sweep->cursor < sweep->organization.count; sweep->cursor++) {
		struct swp_account *account = sweep->organization.accounts[sweep->cursor];

		if (account->stage == SWP_ACCOUNT_WAITING)
			return account;
	}
	return NULL;
}

/* Sweeps that run at once have as many open accounts each. */
static size_t open_share(const struct swp_sweep *sweep)
{
	unsigned sweeps = sweep->hub ? swp_hub_members(sweep->hub) : 1;

	return SWP_LIMIT_OPEN_ACCOUNTS / (sweeps > 0 ? sweeps : 1);
}

void swp_sweep_open_accounts(struct swp_sweep *sweep)
{
	struct swp_account *account;

	while (sweep->waiting > 0 && may_open(sweep) &&
		swp_accounts_open_count(sweep->accounts) + sweep->checking < open_share(sweep) &&
		(account = next_waiting(sweep)) != NULL) {
		if (swp_sweep_resume_account(sweep, account)) {
			sweep->waiting--;
			continue;
		}
		if (!swp_accounts_enter(sweep->accounts, account)) {
			account->stage = SWP_ACCOUNT_WAITING;
			swp_sweep_end_text(sweep, SWP_SWEEP_END_STORE_LOST, "out of memory");
			return;
		}
		sweep->waiting--;
		if (sweep->progress.phase < SWP_SWEEP_SWEEPING)
			swp_sweep_set_phase(sweep, SWP_SWEEP_SWEEPING);
	}
}

/* --- settled accounts --- */

static bool has_unfinished(const struct swp_account *account)
{
	struct swp_region_set done = swp_region_set_union(&account->sealed, &account->lost);
	struct swp_region_set left = swp_region_set_minus(&account->planned, &done);

	return !swp_region_set_is_empty(&left);
}

/* Some of its records are gone: its missing jobs are done again, a few times; then they are store-lost. */
void swp_sweep_redo(struct swp_sweep *sweep, struct swp_account *account)
{
	account->correlated = false;
	if (account->redone < SWP_ACCOUNT_REDO && !sweep->cancelling) {
		account->redone++;
		account->stage = SWP_ACCOUNT_WAITING;
		sweep->waiting++;
		sweep->cursor = 0;
		swp_log(SWP_LOG_WARNING, "account.redo",
			"the store lost records of the account; they are made again",
			SWP_LOG_S("account", &account->id[0]), SWP_LOG_N("times", account->redone));
	} else {
		sweep->any_lost = true;
		swp_sweep_account_done(sweep, account);
	}
	swp_sweep_kick(sweep);
}

void swp_sweep_account_done(struct swp_sweep *sweep, struct swp_account *account)
{
	bool first = account->stage != SWP_ACCOUNT_SETTLED && account->redone == 0;

	account->stage = SWP_ACCOUNT_SETTLED;
	if (first)
		sweep->progress.accounts_done++;
	swp_sweep_kick(sweep);
	if (sweep->options->plan_only || account->reason != SWP_REASON_NONE ||
		swp_region_set_is_empty(&account->planned)) {
		account->correlated = true;
		return;
	}
	if (has_unfinished(account) && !sweep->cancelling && account->redone < SWP_ACCOUNT_REDO) {
		swp_sweep_redo(sweep, account);
		return;
	}
	account->next_settled = NULL;
	if (sweep->settled_last)
		sweep->settled_last->next_settled = account;
	else
		sweep->settled_first = account;
	sweep->settled_last = account;
}

static enum swp_reason unread_reason(
	const struct swp_sweep *sweep, const struct swp_account *account, unsigned region)
{
	if (swp_region_set_has(&account->lost, region))
		return SWP_REASON_WORKER_LOST;
	return sweep->cancelling ? SWP_REASON_CANCELLED : SWP_REASON_STORE_LOST;
}

size_t swp_sweep_correlate_jobs(struct swp_sweep *sweep, const struct swp_account *account,
	struct swp_correlate_job jobs[static SWP_LIMIT_SWEEP_REGIONS], bool for_over)
{
	size_t count = 0;

	for (int region = swp_region_set_next(&account->planned, 0); region >= 0;
		region = swp_region_set_next(&account->planned, (unsigned)region + 1)) {
		bool sealed = swp_region_set_has(&account->sealed, (unsigned)region);

		jobs[count].region = swp_region_table_name(&sweep->regions, (unsigned)region);
		jobs[count].unread = for_over && sealed ? SWP_REASON_NONE
				     : account->reason	? (enum swp_reason)account->reason
							: unread_reason(sweep, account, (unsigned)region);
		count++;
	}
	return count;
}

struct swp_correlating {
	struct swp_sweep *sweep;
	struct swp_account *account;
	struct swp_correlating *next;
};

static void correlating_free(struct swp_correlating *correlating)
{
	struct swp_correlating **at = &correlating->sweep->correlating;

	while (*at != correlating)
		at = &(*at)->next;
	*at = correlating->next;
	swp_free(correlating);
}

void swp_sweep_forget_correlating(struct swp_sweep *sweep)
{
	while (sweep->correlating)
		correlating_free(sweep->correlating);
}

static void correlated(void *context, const struct swp_correlate_counts *counts)
{
	struct swp_correlating *correlating = context;
	struct swp_sweep *sweep = correlating->sweep;
	struct swp_account *account = correlating->account;
	struct swp_sweep_progress *progress = &sweep->progress;

	correlating_free(correlating);
	account->correlated = true;
	account->swept = account->swept || counts->swept;
	if (account->redone == 0 && !account->counted) {
		account->counted = true;
		for (size_t i = 0; i < SWP_SEVERITY_COUNT; i++) {
			progress->findings[i] += counts->findings[i];
			progress->chains[i] += counts->chains[i];
		}
		progress->cells_closed += counts->closed;
		progress->retried += counts->retried;
		progress->throttled += counts->throttled;
		progress->cells_pass += counts->pass;
		progress->cells_fail += counts->fail;
		progress->cells_not_applicable += counts->not_applicable;
		progress->cells_not_assessed += counts->not_assessed;
		progress->cells_partial += counts->partial;
	}
	swp_sweep_kick(sweep);
}

void swp_sweep_correlate_accounts(struct swp_sweep *sweep)
{
	struct swp_correlate_job jobs[SWP_LIMIT_SWEEP_REGIONS];

	while (sweep->settled_first && swp_correlator_at_work(sweep->correlator) < SWP_CORRELATE_AT_ONCE) {
		struct swp_account *account = sweep->settled_first;
		struct swp_correlating *correlating = swp_calloc(1, sizeof(*correlating));
		size_t count = swp_sweep_correlate_jobs(sweep, account, jobs, false);

		if (!correlating)
			return;
		*correlating = (struct swp_correlating){sweep, account, sweep->correlating};
		sweep->correlating = correlating;
		if (swp_correlator_account(sweep->correlator, account->id, jobs, count,
			    account->redone > 0 || account->counted, correlated, correlating) < 0) {
			correlating_free(correlating);
			swp_sweep_kick(sweep);
			return;
		}
		sweep->settled_first = account->next_settled;
		if (!sweep->settled_first)
			sweep->settled_last = NULL;
	}
}

void swp_sweep_correlate_again(struct swp_sweep *sweep)
{
	sweep->recorrelate = false;
	sweep->over_done = sweep->correlating_over = false;
	for (size_t i = 0; i < sweep->organization.count; i++) {
		struct swp_account *account = sweep->organization.accounts[i];

		if (account->stage != SWP_ACCOUNT_SETTLED || account->reason != SWP_REASON_NONE ||
			!account->counted)
			continue;
		account->next_settled = sweep->settled_first;
		sweep->settled_first = account;
		if (!sweep->settled_last)
			sweep->settled_last = account;
	}
	swp_sweep_kick(sweep);
}

/* --- cancel --- */

/* Never entered: planned as an account that can't be entered, with the reason why. */
static void cancel_account(struct swp_sweep *sweep, struct swp_account *account)
{
	struct swp_regions_plan plan = swp_regions_plan_closed(&sweep->asked);

	if (account->redone > 0 || account->resumed)
		return;
	account->reason = SWP_REASON_CANCELLED;
	account->planned = plan.planned;
	account->not_enabled = plan.not_enabled;
	account->settled_at_ms = sweep->cancelled_wall_ms;
	plan_pseudo_regions(sweep, account);
	count_planned(sweep, account);
	sweep->progress.accounts_failed--;
	tell_account(sweep, account, NULL);
}

void swp_sweep_cancel_accounts(struct swp_sweep *sweep)
{
	struct swp_open_account *open;

	if (sweep->undecided > 0)
		swp_sweep_units_known(sweep);
	while (sweep->accounts && (open = swp_accounts_first(sweep->accounts)) != NULL) {
		struct swp_account *account = open->account;

		if (!open->entered)
			cancel_account(sweep, account);
		if (sweep->hub)
			swp_dispatch_remove(swp_hub_dispatch(sweep->hub), &open->dispatch);
		swp_sweep_forget_renewals(open);
		swp_accounts_close(open);
		account->stage = SWP_ACCOUNT_OPEN;
		swp_sweep_write_account(sweep, account);
		swp_sweep_account_done(sweep, account);
	}
	sweep->checked_first = NULL;
	for (size_t i = 0; i < sweep->organization.count; i++) {
		struct swp_account *account = sweep->organization.accounts[i];

		if (account->stage != SWP_ACCOUNT_WAITING)
			continue;
		cancel_account(sweep, account);
		swp_sweep_write_account(sweep, account);
		swp_sweep_account_done(sweep, account);
	}
	sweep->waiting = 0;
}
