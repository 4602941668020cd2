/* Going on with a sweep that another coordinator began. What it planned stands in the accounts' rows, what is done in the seals. An
 * account is looked at when its turn comes, so that memory and questions stay bounded. Model: "take over", "adopt".
 */
#include "coordinator/sweep-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/log.h"
#include "proto/base/text.h"

/* --- the same sweep? --- */

static int differs(
	const struct swp_sweep *sweep, const char *field, const char *now, struct swp_problem *problem)
{
	const char *before = swp_resume_field(sweep->options->resume, field);

	if (swp_text_equal(before, now))
		return 0;
	return swp_problem_set(problem, -EINVAL,
		"sweep %s can't be resumed with these options: its %s was '%s' and is now '%s'", sweep->id,
		field, before, now);
}

int swp_sweep_resume_verify(struct swp_sweep *sweep, struct swp_problem *problem)
{
	char *filters = swp_sweep_filters_json(sweep->options);
	int error = filters ? 0 : -ENOMEM;

	if (error == 0)
		error = differs(sweep, SWP_SWEEP_FIELD_PARTITION, sweep->partition->name, problem);
	if (error == 0)
		error = differs(sweep, SWP_SWEEP_FIELD_ORGANIZATION, sweep->organization.id, problem);
	if (error == 0)
		error = differs(sweep, SWP_SWEEP_FIELD_FILTERS, filters, problem);
	free(filters);
	return error;
}

/* --- accounts --- */

static void add_names(
	struct swp_sweep *sweep, struct swp_region_set *set, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int region = swp_region_table_add(&sweep->regions, names[i]);

		if (region >= 0)
			swp_region_set_add(set, (unsigned)region);
	}
}

static bool ask_seals(struct swp_sweep *sweep, struct swp_account *account)
{
	for (int region = swp_region_set_next(&account->planned, 0); region >= 0;
		region = swp_region_set_next(&account->planned, (unsigned)region + 1)) {
		if (swp_ledger_check(sweep->ledger, account->id,
			    swp_region_table_name(&sweep->regions, (unsigned)region), account,
			    (unsigned)region) < 0)
			return false;
		account->checks_out++;
	}
	return true;
}

bool swp_sweep_resume_account(struct swp_sweep *sweep, struct swp_account *account)
{
	const struct swp_record_account *row =
		sweep->options->resume ? swp_resume_account(sweep->options->resume, account->id) : NULL;

	if (!row || account->resumed)
		return false;
	account->resumed = true;
	account->swept = row->swept;
	account->regions_told = row->regions_told;
	account->settled_at_ms = row->settled_at_ms;
	add_names(sweep, &account->planned, row->regions, row->region_count);
	add_names(sweep, &account->not_enabled, row->regions_not_enabled, row->region_not_enabled_count);
	swp_sweep_plan_account(sweep, account, NULL);
	account->path_told = row->path != NULL;
	if (!account->path_told && sweep->named)
		swp_sweep_write_account(sweep, account); /* else it is written when names come */
	account->stage = SWP_ACCOUNT_CHECKING;
	sweep->checking++;
	if (swp_region_set_is_empty(&account->planned)) {
		sweep->checking--;
		swp_sweep_account_done(sweep, account);
	} else if (!ask_seals(sweep, account)) {
		swp_sweep_end_text(sweep, SWP_SWEEP_END_STORE_LOST, "out of memory");
	}
	return true;
}

static void queue_checked(struct swp_sweep *sweep, struct swp_account *account)
{
	struct swp_account **at = &sweep->checked_first;

	while (*at)
		at = &(*at)->next_settled;
	account->next_settled = NULL;
	*at = account;
	account->stage = SWP_ACCOUNT_WAITING;
	sweep->waiting++;
}

void swp_sweep_resume_checked(
	struct swp_sweep *sweep, struct swp_account *account, unsigned region, enum swp_job_end found)
{
	struct swp_region_set done, left;

	if (found == SWP_JOB_SEALED)
		swp_region_set_add(&account->sealed, region);
	else if (found != SWP_JOB_OPEN)
		swp_region_set_add(&account->lost, region);
	sweep->any_lost |= found != SWP_JOB_SEALED && found != SWP_JOB_OPEN;
	sweep->progress.jobs_done += found != SWP_JOB_OPEN;
	if (--account->checks_out > 0)
		return;
	sweep->checking--;
	done = swp_region_set_union(&account->sealed, &account->lost);
	left = swp_region_set_minus(&account->planned, &done);
	if (swp_region_set_is_empty(&left) || sweep->cancelling)
		swp_sweep_account_done(sweep, account);
	else
		queue_checked(sweep, account);
	swp_sweep_kick(sweep);
}

struct swp_account *swp_sweep_resume_next(struct swp_sweep *sweep)
{
	struct swp_account *account = sweep->checked_first;

	if (account)
		sweep->checked_first = account->next_settled;
	return account;
}

/* --- what workers hold --- */

struct adopting {
	struct swp_sweep *sweep;
	struct swp_open_account *open;
	unsigned adopted;
};

static struct swp_job *job_of(
	const struct swp_sweep *sweep, struct swp_open_account *open, const char *held_region)
{
	for (unsigned i = 0; i < open->dispatch.job_count; i++) {
		struct swp_job *job = &open->dispatch.jobs[i];

		if (swp_text_equal(swp_region_table_name(&sweep->regions, job->region), held_region))
			return job;
	}
	return NULL;
}

static void adopt(void *context, const struct swp_hub_hold *hold)
{
	struct adopting *adopting = context;
	struct swp_job *job = job_of(adopting->sweep, adopting->open, hold->region);
	int64_t now_ms = swp_loop_now_ms(adopting->sweep->loop);

	/* One of a later term would mean that we are deposed, and do not know it yet. */
	if (!job || hold->epoch >= adopting->sweep->term)
		return;
	job->sent_ms = now_ms;
	adopting->adopted += swp_dispatch_adopt(
		swp_hub_dispatch(adopting->sweep->hub), job, hold->peer, hold->job, hold->epoch, now_ms);
}

void swp_sweep_adopt(struct swp_sweep *sweep, struct swp_open_account *open)
{
	struct adopting adopting = {sweep, open, 0};

	if (!open->dispatch.added)
		return; /* its role is still being assumed: what is held of it is kept until it has jobs */
	swp_hub_take_holds(sweep->hub, sweep->id, open->account->id, adopt, &adopting);
	if (adopting.adopted > 0)
		swp_log(SWP_LOG_INFO, "job.adopted", "workers go on with jobs of the coordinator before",
			SWP_LOG_S("account", &open->account->id[0]), SWP_LOG_N("jobs", adopting.adopted));
}
