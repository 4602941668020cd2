/* The calls of a job: what the evaluation wants is asked of AWS, and what AWS says is told to the evaluation. Three answers are not
 * final yet: expired credentials (renewed once), credentials that AWS does not know (is the region disabled?), a host that does
 * not exist (is the service offered there?).
 */
#include <errno.h>
#include <string.h>

#include "proto/aws/credential-probe.h"
#include "proto/base/log.h"
#include "worker/job.h"
#include "worker/link.h"

static void call_done(struct swp_call *call, struct swp_answer *answer);

/* --- places for calls --- */

void swp_job_calls_init(struct swp_job *job)
{
	for (size_t i = SWP_LIMIT_JOB_CALLS; i-- > 0;) {
		job->calls[i].job = job;
		job->calls[i].next_free = job->free_calls;
		job->free_calls = &job->calls[i];
	}
}

static void release(struct swp_job_call *call)
{
	struct swp_job *job = call->job;

	if (call->state == SWP_JOB_CALL_AWAITS_CREDENTIALS)
		job->waiting_calls--;
	call->state = SWP_JOB_CALL_FREE;
	call->renewed = false;
	call->next_free = job->free_calls;
	job->free_calls = call;
	job->open_calls--;
}

static void park(struct swp_job_call *call, enum swp_job_call_state state)
{
	if (state == SWP_JOB_CALL_AWAITS_CREDENTIALS)
		call->job->waiting_calls++;
	call->state = state;
}

/* Visits the calls in that state, until one ends with an error. */
static int each_in_state(struct swp_job *job, enum swp_job_call_state state,
	int (*visit)(struct swp_job_call *call, int argument), int argument)
{
	int r = 0;

	for (size_t i = 0; i < SWP_LIMIT_JOB_CALLS && r == 0; i++)
		if (job->calls[i].state == state)
			r = visit(&job->calls[i], argument);
	return r;
}

/* An answer could not be taken in: rather all unread as limit-reached than a job that fails for ever. */
static void broken(struct swp_job *job, int error)
{
	swp_log(SWP_LOG_ERROR, "job.broken", "an answer could not be judged",
		SWP_LOG_S("account", job->account), SWP_LOG_S("region", job->region),
		SWP_LOG_N("error", -error));
	if (error == -ENOMEM)
		swp_job_give_back(job, SWP_GIVE_BACK_RESOURCES, "out of memory");
	else
		swp_job_finish(job, SWP_REASON_LIMIT_REACHED);
}

/* --- answers to the evaluation --- */

static int give(struct swp_job_call *call, const struct swp_evaluation_answer *answer)
{
	uint32_t id = call->wanted.id;
	struct swp_job *job = call->job;

	release(call);
	return swp_evaluation_answer(job->evaluation, id, answer);
}

static int give_failed(struct swp_job_call *call, const struct swp_gap *gap)
{
	const struct swp_evaluation_answer answer = {.kind = SWP_ANSWER_FAILED, .gap = *gap};

	return give(call, &answer);
}

/* Once an action: many resources may be refused alike. */
static void log_refusal(
	struct swp_job *job, const struct swp_aws_operation *operation, const struct swp_answer *answer)
{
	for (unsigned i = 0; i < job->refusals_logged_count; i++)
		if (job->refusals_logged[i] == operation)
			return;
	if (job->refusals_logged_count == SWP_ARRAY_SIZE(job->refusals_logged))
		return;
	job->refusals_logged[job->refusals_logged_count++] = operation;
	swp_log(SWP_LOG_INFO, "aws.refused", answer->message, SWP_LOG_S("account", job->account),
		SWP_LOG_S("region", job->region), SWP_LOG_S("action", operation->action),
		SWP_LOG_S("reason", swp_reason_name(answer->reason)), SWP_LOG_S("code", answer->error_code),
		SWP_LOG_S("request_id", answer->request_id));
}

static struct swp_gap gap_of(const struct swp_answer *answer)
{
	return (struct swp_gap){
		.reason = answer->reason,
		.action = "",
		.error_code = answer->error_code,
		.message = answer->message,
		.request_id = answer->request_id,
	};
}

/* Keeps what AWS said while the call waits; the answer's own texts go with the call-back. */
static int hold(struct swp_job_call *call, const struct swp_answer *answer)
{
	struct swp_region *memory = call->job->memory;

	call->held = gap_of(answer);
	call->held.error_code = swp_region_strdup(memory, answer->error_code);
	call->held.message = swp_region_strdup(memory, answer->message);
	call->held.request_id = swp_region_strdup(memory, answer->request_id);
	return call->held.error_code && call->held.message && call->held.request_id ? 0 : -ENOMEM;
}

static int give_held(struct swp_job_call *call, int reason)
{
	call->held.reason = (enum swp_reason)reason;
	return give_failed(call, &call->held);
}

/* --- starting --- */

/* In calls of 1,000 s; 0: none. */
static uint64_t learned_rate(const struct swp_job *job, const struct swp_job_service *service)
{
	const struct swp_message_job *message = &job->message.job;

	for (size_t i = 0; i < message->limit_count; i++)
		if (strcmp(message->limits[i].service, service->service->name) == 0)
			return message->limits[i].millihertz;
	return 0;
}

static void init_scope(const struct swp_job *job, struct swp_job_service *service)
{
	uint64_t share = job->sweep->message.sweep.max_share_percent, learned = learned_rate(job, service);
	double rate =
		service->service->rate_per_second > 0 ? service->service->rate_per_second : SWP_DEFAULT_RATE;

	if (share == 0 && learned == 0)
		return; /* the caller sets the default: half */
	if (share == 0)
		share = 50;
	swp_limiter_init(
		&service->scope.limiter, rate * (double)share / 50.0, swp_loop_now_ms(job->worker->loop));
	if (learned > 0)
		swp_limiter_start_at(&service->scope.limiter, (double)learned / 1000.0);
	service->limited = learned > 0;
	swp_retry_quota_init(&service->scope.quota);
	service->scope.ready = true;
}

static struct swp_job_service *find_service(struct swp_job *job, const struct swp_aws_service *aws)
{
	struct swp_job_service *service = job->services;

	while (service && service->service != aws)
		service = service->next;
	if (service)
		return service;
	service = swp_region_alloc(job->memory, sizeof(*service));
	if (!service)
		return NULL;
	service->job = job;
	service->service = aws;
	service->counts = swp_worker_metrics_service(job->worker->metrics, aws->name);
	init_scope(job, service);
	service->next = job->services;
	job->services = service;
	return service;
}

static int send_call(struct swp_job_call *call)
{
	struct swp_job *job = call->job;
	struct swp_job_service *service = find_service(job, call->wanted.operation->service);
	const struct swp_call_request request = {
		.operation = call->wanted.operation,
		.input = call->wanted.input,
		.token = call->wanted.token,
		.region = job->region,
		.identity = swp_job_identity(job, call->wanted.operation->service),
		.scope = service ? &service->scope : NULL,
		.gone = call->wanted.gone,
		.gone_count = call->wanted.gone_count,
	};
	const struct swp_gap unusable = {SWP_REASON_MALFORMED_RESPONSE, "", "",
		"the answer before lacks what this call must name", ""};
	int r = service ? swp_call_start(job->sweep->caller, &request, &call->call, call_done) : -ENOMEM;

	call->counts = service ? service->counts : NULL;
	if (r == -EINVAL)
		return give_failed(call, &unusable);
	if (r == 0)
		call->state = SWP_JOB_CALL_SENT;
	return r;
}

static int start_next(struct swp_job *job, const struct swp_wanted_call *wanted)
{
	struct swp_job_call *call = job->free_calls;

	job->free_calls = call->next_free;
	job->open_calls++;
	call->wanted = *wanted;
	return send_call(call);
}

/* While calls wait for credentials, more of them would only expire too. */
static bool may_start(const struct swp_job *job)
{
	return job->free_calls && job->waiting_calls == 0 && !swp_worker_is_full(job->worker);
}

void swp_job_pump(struct swp_job *job)
{
	struct swp_wanted_call wanted;
	int r = 0;

	if (job->state != SWP_JOB_COLLECTING)
		return;
	while (r == 0 && may_start(job) && swp_evaluation_next(job->evaluation, &wanted))
		r = start_next(job, &wanted);
	if (r < 0)
		broken(job, r);
	else if (job->open_calls == 0 && swp_evaluation_is_idle(job->evaluation))
		swp_job_finish(job, SWP_REASON_NONE);
}

void swp_job_calls_cancel(struct swp_job *job)
{
	for (size_t i = 0; i < SWP_LIMIT_JOB_CALLS; i++) {
		if (job->calls[i].state == SWP_JOB_CALL_FREE)
			continue;
		swp_call_cancel(&job->calls[i].call);
		release(&job->calls[i]);
	}
	swp_call_cancel(&job->probe_call);
	for (struct swp_job_service *service = job->services; service; service = service->next)
		swp_http_lookup_cancel(&service->lookup);
}

/* --- expired credentials --- */

static int send_again(struct swp_job_call *call, int unused)
{
	(void)unused;
	call->job->waiting_calls--;
	call->state = SWP_JOB_CALL_SENT;
	call->renewed = true;
	return send_call(call);
}

void swp_job_calls_renewed(struct swp_job *job, enum swp_reason refused)
{
	int r = refused ? each_in_state(job, SWP_JOB_CALL_AWAITS_CREDENTIALS, give_held, (int)refused)
			: each_in_state(job, SWP_JOB_CALL_AWAITS_CREDENTIALS, send_again, 0);

	if (r < 0)
		broken(job, r);
	else
		swp_job_pump(job);
}

void swp_job_calls_expire(struct swp_job *job)
{
	int r = each_in_state(
		job, SWP_JOB_CALL_AWAITS_CREDENTIALS, give_held, SWP_REASON_CREDENTIALS_EXPIRED);

	if (r < 0)
		swp_log(SWP_LOG_ERROR, "job.broken", "an answer could not be judged", SWP_LOG_N("error", -r));
}

static int expired(struct swp_job_call *call, const struct swp_answer *answer)
{
	struct swp_gap gap = gap_of(answer);
	int r;

	gap.reason = SWP_REASON_CREDENTIALS_EXPIRED;
	if (call->renewed)
		return give_failed(call, &gap);
	r = hold(call, answer);
	if (r < 0)
		return r;
	park(call, SWP_JOB_CALL_AWAITS_CREDENTIALS);
	swp_job_ask_renewal(call->job);
	return 0;
}

/* --- credentials that AWS does not know --- */

static int wait_for_credentials(struct swp_job_call *call, int unused)
{
	(void)unused;
	park(call, SWP_JOB_CALL_AWAITS_CREDENTIALS);
	return 0;
}

static enum swp_reason probed_reason(const struct swp_job *job)
{
	return job->probe == SWP_PROBE_REFUSED ? SWP_REASON_REGION_DISABLED : SWP_REASON_SERVICE_UNAVAILABLE;
}

static void probe_done(struct swp_call *probe, struct swp_answer *answer)
{
	struct swp_job *job = SWP_CONTAINER_OF(probe, struct swp_job, probe_call);
	struct swp_worker_metrics *metrics = job->worker->metrics;
	int r;

	swp_worker_metrics_call(
		metrics, swp_worker_metrics_service(metrics, swp_credential_probe.service->name), answer);
	job->made += answer->tries;
	job->progress_ms = swp_loop_now_ms(job->worker->loop);
	if (answer->outcome == SWP_OUTCOME_EXPIRED) {
		job->probe = SWP_PROBE_NOT_MADE;
		each_in_state(job, SWP_JOB_CALL_AWAITS_PROBE, wait_for_credentials, 0);
		swp_job_ask_renewal(job);
		return;
	}
	job->probe =
		answer->outcome == SWP_OUTCOME_CREDENTIALS_UNKNOWN || answer->outcome == SWP_OUTCOME_REFUSED
			? SWP_PROBE_REFUSED
			: SWP_PROBE_OTHER;
	r = each_in_state(job, SWP_JOB_CALL_AWAITS_PROBE, give_held, (int)probed_reason(job));
	if (r < 0)
		broken(job, r);
	else
		swp_job_pump(job);
}

static const char *probe_region(const struct swp_job *job)
{
	return job->message.job.level == SWP_LEVEL_REGION ? job->region
							  : job->sweep->partition->global_region;
}

static void start_probe(struct swp_job *job)
{
	const struct swp_call_request request = {
		.operation = &swp_credential_probe,
		.region = probe_region(job),
		.identity = &job->identities[0], /* which has the keys for STS */
	};

	job->probe = SWP_PROBE_OTHER;
	if (request.operation &&
		swp_call_start(job->sweep->caller, &request, &job->probe_call, probe_done) == 0)
		job->probe = SWP_PROBE_RUNNING;
}

static int credentials_unknown(struct swp_job_call *call, const struct swp_answer *answer)
{
	struct swp_job *job = call->job;
	int r = hold(call, answer);

	if (r < 0)
		return r;
	if (job->probe == SWP_PROBE_NOT_MADE)
		start_probe(job);
	if (job->probe != SWP_PROBE_RUNNING)
		return give_held(call, (int)probed_reason(job));
	park(call, SWP_JOB_CALL_AWAITS_PROBE);
	return 0;
}

/* --- a host that does not exist --- */

static int give_looked_up(struct swp_job_call *call, int unused)
{
	const struct swp_evaluation_answer not_offered = {.kind = SWP_ANSWER_NOT_OFFERED};
	struct swp_job_service *service = find_service(call->job, call->wanted.operation->service);

	(void)unused;
	if (service && service->offered == SWP_OFFERED_LOOKING)
		return 0; /* waits for another one's lookup */
	if (service && service->offered == SWP_OFFERED_NOT)
		return give(call, &not_offered);
	return give_failed(call, &call->held);
}

static void looked_up(struct swp_job_service *service, enum swp_offered offered)
{
	struct swp_job *job = service->job;
	int r;

	service->offered = offered;
	job->progress_ms = swp_loop_now_ms(job->worker->loop);
	r = each_in_state(job, SWP_JOB_CALL_AWAITS_LOOKUP, give_looked_up, 0);
	if (r < 0)
		broken(job, r);
	else
		swp_job_pump(job);
}

static void region_looked_up(struct swp_http_lookup *lookup, int exists)
{
	struct swp_job_service *service = SWP_CONTAINER_OF(lookup, struct swp_job_service, lookup);

	looked_up(service, exists == 1 ? SWP_OFFERED_NOT : SWP_OFFERED_PERHAPS);
}

/* Of plain names only: an endpoint that somebody configured, a variant or a proxy says nothing about what AWS offers. */
static bool plain_host(const struct swp_job *job, const struct swp_aws_service *service, const char *region,
	struct swp_endpoint *ret_endpoint)
{
	const struct swp_worker_sweep *sweep = job->sweep;

	return swp_endpoint_resolve(&sweep->endpoints, sweep->partition, service, region, ret_endpoint) ==
		       0 &&
	       !ret_endpoint->configured && !ret_endpoint->variant &&
	       !swp_http_uses_proxy(job->worker->http, ret_endpoint->host);
}

/* The service's name does not exist. Does the region's? Else it is our resolver that fails. */
static void service_looked_up(struct swp_http_lookup *lookup, int exists)
{
	struct swp_job_service *service = SWP_CONTAINER_OF(lookup, struct swp_job_service, lookup);
	struct swp_job *job = service->job;
	struct swp_endpoint endpoint;

	if (exists != 0 || !plain_host(job, swp_credential_probe.service, probe_region(job), &endpoint) ||
		swp_http_lookup_start(job->worker->http, endpoint.host, &service->lookup, region_looked_up) <
			0)
		looked_up(service, SWP_OFFERED_PERHAPS);
}

static enum swp_offered start_lookup(struct swp_job *job, struct swp_job_service *service)
{
	struct swp_endpoint endpoint;

	if (service->service->scope == SWP_SCOPE_GLOBAL ||
		swp_catalogue_service_listed(job->sweep->catalogue, service->service, job->region) ||
		!plain_host(job, service->service, job->region, &endpoint) ||
		swp_http_lookup_start(job->worker->http, endpoint.host, &service->lookup, service_looked_up) <
			0)
		return SWP_OFFERED_PERHAPS;
	return SWP_OFFERED_LOOKING;
}

static int no_such_host(struct swp_job_call *call, const struct swp_answer *answer)
{
	struct swp_job_service *service = find_service(call->job, call->wanted.operation->service);
	int r = service ? hold(call, answer) : -ENOMEM;

	if (r < 0)
		return r;
	if (service->offered == SWP_OFFERED_UNKNOWN)
		service->offered = start_lookup(call->job, service);
	park(call, SWP_JOB_CALL_AWAITS_LOOKUP);
	return give_looked_up(call, 0);
}

/* --- what AWS said --- */

static int refused(struct swp_job_call *call, struct swp_answer *answer)
{
	const struct swp_gap gap = gap_of(answer);

	if (answer->host_not_found)
		return no_such_host(call, answer);
	log_refusal(call->job, call->wanted.operation, answer);
	return give_failed(call, &gap);
}

static int answered(struct swp_job_call *call, struct swp_answer *answer)
{
	const struct swp_evaluation_answer document = {
		.kind = SWP_ANSWER_DOCUMENT, .document = answer->document};
	const struct swp_evaluation_answer not_found = {.kind = SWP_ANSWER_NOT_FOUND, .gap = gap_of(answer)};

	switch (answer->outcome) {
	case SWP_OUTCOME_OK:
		return give(call, &document);
	case SWP_OUTCOME_NOT_FOUND:
		return give(call, &not_found);
	case SWP_OUTCOME_EXPIRED:
		return expired(call, answer);
	case SWP_OUTCOME_CREDENTIALS_UNKNOWN:
		return credentials_unknown(call, answer);
	default:
		return refused(call, answer);
	}
}

/* Not that of a proxy or a captive portal, which have a status too. */
static bool is_of_aws(const struct swp_answer *answer)
{
	return answer->outcome == SWP_OUTCOME_OK ||
	       (answer->status > 0 && answer->error_code[0] && answer->request_id[0]);
}

static void call_done(struct swp_call *aws_call, struct swp_answer *answer)
{
	struct swp_job_call *call = SWP_CONTAINER_OF(aws_call, struct swp_job_call, call);
	struct swp_job *job = call->job;
	int r;

	swp_worker_metrics_call(job->worker->metrics, call->counts, answer);
	job->made += answer->tries;
	job->retried += answer->tries ? answer->tries - 1 : 0;
	job->throttled += answer->throttled;
	job->answered |= is_of_aws(answer);
	job->progress_ms = swp_loop_now_ms(job->worker->loop);
	r = answered(call, answer);
	if (r < 0)
		broken(job, r);
	else
		swp_job_pump(job);
}
