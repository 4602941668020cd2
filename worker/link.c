/* One coordinator. What is said is dispatched by a table; what can't be sent now waits in the outbox. */
#include "worker/link.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "proto/base/alloc.h"
#include "proto/base/log.h"
#include "proto/wire/session.h"
#include "worker/job.h"
#include "worker/state.h"
#include "worker/sweeps.h"

struct frame {
	struct frame *next;
	struct swp_buf bytes;
};

struct swp_link {
	struct swp_worker *worker;
	struct swp_bus_client *client;
	struct swp_session session;
	struct swp_timer timer;
	char *endpoint;
	struct frame *first, **last; /* the outbox, in order */
	size_t frame_count, jobs;
	uint64_t losses;
	bool draining;
	struct swp_buf scratch; /* encodes heartbeats without allocating each time */
};

const char *swp_link_endpoint(const struct swp_link *link)
{
	return link->endpoint;
}

uint64_t swp_link_losses(const struct swp_link *link)
{
	return link->losses;
}

bool swp_link_is_open(const struct swp_link *link)
{
	return swp_session_is_open(&link->session);
}

#define GREET_AGAIN_MS 50 /* while there is no connection */

/* --- sending --- */

static void drop_first(struct swp_link *link)
{
	struct frame *frame = link->first;

	link->first = frame->next;
	if (!link->first)
		link->last = &link->first;
	link->frame_count--;
	swp_buf_done(&frame->bytes);
	swp_free(frame);
}

static void flush_outbox(struct swp_link *link)
{
	while (link->first && swp_session_is_open(&link->session)) {
		int r = swp_bus_client_send(link->client, link->first->bytes.data, link->first->bytes.length);

		if (r == -EAGAIN)
			return;
		if (r < 0)
			swp_log(SWP_LOG_ERROR, "link.send", "a message can't be sent",
				SWP_LOG_N("error", -r));
		drop_first(link);
	}
}

static void report_lost_frame(const struct swp_link *link, const struct swp_message *message)
{
	swp_log(SWP_LOG_WARNING, "link.outbox",
		"a message to the coordinator is dropped: no memory or too many wait",
		SWP_LOG_S("type", swp_message_type_name(message->type)),
		SWP_LOG_S("coordinator", link->endpoint));
}

void swp_link_send(struct swp_link *link, const struct swp_message *message)
{
	struct frame *frame = link->frame_count < SWP_LIMIT_OUTBOX ? swp_calloc(1, sizeof(*frame)) : NULL;

	if (!frame || swp_message_encode(message, &frame->bytes) < 0) {
		if (frame)
			swp_buf_done(&frame->bytes);
		swp_free(frame);
		report_lost_frame(link, message);
		return;
	}
	*link->last = frame;
	link->last = &frame->next;
	link->frame_count++;
	flush_outbox(link);
}

void swp_link_give_back(
	struct swp_link *link, uint64_t job, uint64_t epoch, enum swp_give_back_why why, const char *detail)
{
	const struct swp_message message = {
		.type = SWP_MESSAGE_GIVE_BACK,
		.give_back = {.job = job, .epoch = epoch, .why = why, .detail = detail},
	};

	swp_link_send(link, &message);
}

/* Greetings and heartbeats are of the moment: they never wait. */
static int send_now(struct swp_link *link, const struct swp_message *message)
{
	int r;

	swp_buf_clear(&link->scratch);
	r = swp_message_encode(message, &link->scratch);
	return r < 0 ? r : swp_bus_client_send(link->client, link->scratch.data, link->scratch.length);
}

static uint64_t resident_bytes(void)
{
	struct rusage usage;

	return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_maxrss * 1024 : 0;
}

static void add_statistics(const struct swp_worker *worker, struct swp_message_heartbeat *heartbeat)
{
	heartbeat->calls = worker->calls;
	for (const struct swp_job *job = worker->jobs; job; job = job->next) {
		heartbeat->calls += job->made;
		heartbeat->in_flight += job->open_calls;
	}
	heartbeat->resident_bytes = resident_bytes();
	heartbeat->uncommitted_bytes = worker->uncommitted_bytes;
	heartbeat->store_away = !worker->store_up || worker->store_refuses;
}

static void add_lease(
	struct swp_message_heartbeat *heartbeat, struct swp_wire_lease *leases, uint64_t job, uint64_t epoch)
{
	if (heartbeat->job_count < SWP_LIMIT_HOLDS)
		leases[heartbeat->job_count++] = (struct swp_wire_lease){job, epoch};
}

/* Jobs that wait for their catalogue are named too: they are this worker's. */
static void add_waiting(
	const struct swp_link *link, struct swp_message_heartbeat *heartbeat, struct swp_wire_lease *leases)
{
	for (const struct swp_worker_sweep *sweep = link->worker->sweeps; sweep; sweep = sweep->next)
		for (const struct swp_waiting_job *waiting = sweep->waiting; waiting && sweep->link == link;
			waiting = waiting->next)
			add_lease(heartbeat, leases, waiting->message.job.job, waiting->message.job.epoch);
}

static void send_heartbeat(struct swp_link *link)
{
	struct swp_wire_lease leases[SWP_LIMIT_HOLDS];
	struct swp_message message = {.type = SWP_MESSAGE_HEARTBEAT, .heartbeat = {.jobs = leases}};

	for (const struct swp_job *job = link->worker->jobs; job; job = job->next)
		if (job->link == link)
			add_lease(&message.heartbeat, leases, job->number, job->epoch);
	add_waiting(link, &message.heartbeat, leases);
	add_statistics(link->worker, &message.heartbeat);
	send_now(link, &message);
}

static void send_hello(struct swp_link *link)
{
	struct swp_worker *worker = link->worker;
	struct swp_wire_hold holds[SWP_LIMIT_HOLDS];
	const char *hashes[64];
	struct swp_message message = {
		.type = SWP_MESSAGE_HELLO,
		.hello = {.protocol = SWP_WIRE_VERSION,
			.version = SWP_VERSION,
			.name = worker->name,
			.host = worker->host,
			.pid = (uint64_t)getpid(),
			.credits = worker->credits,
			.draining = link->draining,
			.catalogues = hashes,
			.holds = holds},
	};

	message.hello.catalogue_count = swp_sweeps_hashes(worker, hashes, SWP_ARRAY_SIZE(hashes));
	/* Those of a coordinator that is silent are told to the others too: one of them may go on with its sweep. */
	for (const struct swp_job *job = worker->jobs; job; job = job->next) {
		if ((job->link != link && swp_link_is_open(job->link)) ||
			message.hello.hold_count == SWP_LIMIT_HOLDS)
			continue;
		holds[message.hello.hold_count++] = (struct swp_wire_hold){job->number, job->epoch,
			job->sweep->message.sweep.sweep, job->account, job->region_part};
	}
	/* Not connected yet, as at the start: a whole second more would be lost before the first job. */
	if (send_now(link, &message) == -EAGAIN)
		link->session.due_ms = swp_loop_now_ms(worker->loop) + GREET_AGAIN_MS;
}

/* What was this coordinator's may be another one's from now on. */
static void tell_others(const struct swp_link *silent)
{
	const struct swp_worker *worker = silent->worker;

	for (size_t i = 0; silent->jobs > 0 && i < worker->link_count; i++)
		if (worker->links[i] != silent && swp_link_is_open(worker->links[i]))
			send_hello(worker->links[i]);
}

/* --- receiving: one function a type; each may take the message --- */

static void on_sweep(struct swp_link *link, struct swp_message *message)
{
	swp_sweeps_begin(link, link->worker, message);
}

static void on_catalogue(struct swp_link *link, struct swp_message *message)
{
	swp_sweeps_catalogue(link, link->worker, message);
}

/* A job that is granted anew replaces what is left of it here: that could not be committed any more. */
static bool is_repeated(struct swp_link *link, const struct swp_message_job *wanted)
{
	for (struct swp_job *job = link->worker->jobs; job; job = job->next) {
		if (job->link != link || job->number != wanted->job)
			continue;
		if (job->epoch >= wanted->epoch)
			return true;
		swp_job_drop(job);
		return false;
	}
	return false;
}

static enum swp_give_back_why why_not(
	struct swp_link *link, const struct swp_message_job *job, const struct swp_worker_sweep *sweep)
{
	if (link->draining || link->worker->draining)
		return SWP_GIVE_BACK_DRAINING;
	if (!sweep)
		return SWP_GIVE_BACK_UNKNOWN_SWEEP;
	if (sweep->unusable)
		return SWP_GIVE_BACK_CANNOT;
	if (link->worker->store_gone)
		return SWP_GIVE_BACK_STORE_AWAY;
	if (link->jobs >= link->worker->credits)
		return SWP_GIVE_BACK_NO_CREDIT;
	if (job->credentials.access_key_id[0] == '\0')
		return SWP_GIVE_BACK_CREDENTIALS;
	return 0;
}

static void on_job(struct swp_link *link, struct swp_message *message)
{
	struct swp_worker *worker = link->worker;
	struct swp_worker_sweep *sweep = swp_sweeps_find(link, worker, message->job.sweep);
	enum swp_give_back_why why = why_not(link, &message->job, sweep);
	uint64_t number = message->job.job, epoch = message->job.epoch;
	int r;

	if (is_repeated(link, &message->job))
		return;
	if (why) {
		swp_link_give_back(link, number, epoch, why, why == SWP_GIVE_BACK_CANNOT ? sweep->why : "");
		return;
	}
	r = sweep->catalogue ? swp_job_start(worker, link, sweep, message) : swp_sweeps_wait(sweep, message);
	if (r < 0)
		swp_link_give_back(link, number, epoch, SWP_GIVE_BACK_RESOURCES, strerror(-r));
}

static void on_credentials(struct swp_link *link, struct swp_message *message)
{
	struct swp_job *job =
		swp_job_find(link->worker, link, message->credentials.job, message->credentials.epoch);

	if (job)
		swp_job_renewed(job, message);
}

static void cancel_all(struct swp_link *link, const char *sweep_id)
{
	struct swp_job *next;

	for (struct swp_job *job = link->worker->jobs; job; job = next) {
		next = job->next;
		if (job->link == link &&
			(!sweep_id[0] || strcmp(sweep_id, job->sweep->message.sweep.sweep) == 0))
			swp_job_drop(job);
	}
	for (struct swp_worker_sweep *sweep = link->worker->sweeps; sweep; sweep = sweep->next)
		if (sweep->link == link &&
			(!sweep_id[0] || strcmp(sweep_id, sweep->message.sweep.sweep) == 0))
			swp_sweeps_drop_waiting(sweep, 0, 0, true);
}

static void cancel_one(struct swp_link *link, uint64_t number, uint64_t epoch)
{
	struct swp_job *job = swp_job_find(link->worker, link, number, epoch);

	if (job) {
		swp_job_drop(job);
		return;
	}
	for (struct swp_worker_sweep *sweep = link->worker->sweeps; sweep; sweep = sweep->next)
		if (sweep->link == link && swp_sweeps_drop_waiting(sweep, number, epoch, false))
			return;
}

static void on_cancel(struct swp_link *link, struct swp_message *message)
{
	if (message->cancel.all)
		cancel_all(link, message->cancel.sweep);
	else
		cancel_one(link, message->cancel.job, message->cancel.epoch);
	swp_worker_check_end(link->worker);
}

static void on_drain(struct swp_link *link, struct swp_message *message)
{
	(void)message;
	swp_link_drain(link);
	swp_worker_check_end(link->worker);
}

static void on_end_sweep(struct swp_link *link, struct swp_message *message)
{
	struct swp_worker_sweep *sweep = swp_sweeps_find(link, link->worker, message->end_sweep.sweep);

	if (sweep)
		swp_sweeps_end(sweep);
}

static void (*const handlers[SWP_MESSAGE_TYPE_COUNT])(struct swp_link *link, struct swp_message *message) = {
	[SWP_MESSAGE_SWEEP] = on_sweep,
	[SWP_MESSAGE_CATALOGUE] = on_catalogue,
	[SWP_MESSAGE_JOB] = on_job,
	[SWP_MESSAGE_CREDENTIALS] = on_credentials,
	[SWP_MESSAGE_CANCEL] = on_cancel,
	[SWP_MESSAGE_DRAIN] = on_drain,
	[SWP_MESSAGE_END_SWEEP] = on_end_sweep,
};

/* --- the session --- */

static void schedule(struct swp_link *link)
{
	int64_t next_ms = swp_session_next_ms(&link->session), now_ms = swp_loop_now_ms(link->worker->loop);

	if (next_ms == INT64_MAX)
		swp_timer_stop(&link->timer);
	else
		swp_timer_start(&link->timer, next_ms > now_ms ? next_ms - now_ms : 0);
}

static void established(struct swp_link *link)
{
	swp_log(SWP_LOG_INFO, "link.up", "the coordinator answered",
		SWP_LOG_S("coordinator", link->endpoint));
	swp_sweeps_greeted(link, link->worker);
	swp_worker_rest_later(link->worker);
	for (struct swp_job *job = link->worker->jobs; job; job = job->next) {
		if (job->link != link || !job->renewing)
			continue;
		job->renewing = false;
		swp_job_ask_renewal(job);
	}
	flush_outbox(link);
	swp_worker_check_end(link->worker);
}

static void refused(struct swp_link *link, const struct swp_message *message)
{
	swp_log(SWP_LOG_ERROR, "link.refused",
		"the coordinator speaks another version of the protocol; use the same release for both",
		SWP_LOG_S("coordinator", link->endpoint), SWP_LOG_S("version", message->welcome.version),
		SWP_LOG_N("protocol", message->welcome.protocol));
	for (size_t i = 0; i < link->worker->link_count; i++)
		if (link->worker->links[i]->session.state != SWP_SESSION_CLOSED)
			return;
	swp_worker_fail(link->worker, "worker.end", "no coordinator of this version");
}

static void is_away(struct swp_link *link)
{
	tell_others(link);
	swp_worker_check_end(link->worker); /* a drain does not wait for one that is not there */
}

static void handle(struct swp_link *link, enum swp_session_event event, struct swp_message *message)
{
	switch (event) {
	case SWP_SESSION_MESSAGE:
		if (handlers[message->type])
			handlers[message->type](link, message);
		return;
	case SWP_SESSION_ESTABLISHED:
		established(link);
		return;
	case SWP_SESSION_REFUSED:
		refused(link, message);
		return;
	case SWP_SESSION_GREET:
		send_hello(link);
		return;
	case SWP_SESSION_HEARTBEAT:
		send_heartbeat(link);
		flush_outbox(link);
		return;
	case SWP_SESSION_LEFT:
		swp_log(SWP_LOG_INFO, "link.left", "the coordinator has ended; jobs go on and are committed",
			SWP_LOG_S("coordinator", link->endpoint), SWP_LOG_N("jobs", link->jobs));
		is_away(link);
		return;
	case SWP_SESSION_LOST:
		link->losses++;
		swp_log(SWP_LOG_WARNING, "link.lost",
			"the coordinator is silent; jobs go on and are committed",
			SWP_LOG_S("coordinator", link->endpoint), SWP_LOG_N("jobs", link->jobs));
		is_away(link);
		return;
	case SWP_SESSION_VIOLATION:
		swp_log(SWP_LOG_WARNING, "link.violation", "a message was dropped",
			SWP_LOG_N("error", -link->session.error), SWP_LOG_S("coordinator", link->endpoint));
		return;
	case SWP_SESSION_NOTHING:
		return;
	}
}

static void received(void *context, const void *bytes, size_t length)
{
	struct swp_link *link = context;
	struct swp_message message;
	enum swp_session_event event = swp_session_received(
		&link->session, bytes, length, swp_loop_now_ms(link->worker->loop), &message);

	handle(link, event, &message);
	swp_message_done(&message);
	schedule(link);
}

static void ticked(struct swp_timer *timer)
{
	struct swp_link *link = SWP_CONTAINER_OF(timer, struct swp_link, timer);
	enum swp_session_event event;

	do {
		event = swp_session_tick(&link->session, swp_loop_now_ms(link->worker->loop));
		handle(link, event, NULL);
	} while (event != SWP_SESSION_NOTHING);
	schedule(link);
}

static void connected(void *context)
{
	struct swp_link *link = context;

	swp_session_reconnected(&link->session, swp_loop_now_ms(link->worker->loop));
	schedule(link);
}

static void key_refused(void *context, const char *why)
{
	struct swp_link *link = context;

	swp_log(SWP_LOG_ERROR, "link.key",
		"the coordinator does not let this worker in; it is asked again every two seconds",
		SWP_LOG_S("coordinator", link->endpoint), SWP_LOG_S("why", why));
}

/* --- draining --- */

void swp_link_drain(struct swp_link *link)
{
	struct swp_worker *worker = link->worker;

	if (link->draining)
		return;
	link->draining = true;
	for (struct swp_worker_sweep *sweep = worker->sweeps; sweep; sweep = sweep->next) {
		if (sweep->link != link)
			continue;
		for (struct swp_waiting_job *waiting = sweep->waiting; waiting; waiting = waiting->next)
			swp_link_give_back(link, waiting->message.job.job, waiting->message.job.epoch,
				SWP_GIVE_BACK_DRAINING, "");
		swp_sweeps_drop_waiting(sweep, 0, 0, true);
	}
	if (swp_session_is_open(&link->session))
		send_hello(link);
}

bool swp_link_try_close(struct swp_link *link)
{
	const struct swp_message bye = {.type = SWP_MESSAGE_BYE};

	if (link->session.state == SWP_SESSION_CLOSED)
		return true;
	if (!link->draining || link->jobs > 0)
		return false;
	/* What waits is only of use to a coordinator that is there. */
	if (swp_session_is_open(&link->session) && link->first)
		return false;
	send_now(link, &bye);
	swp_session_close(&link->session);
	swp_timer_stop(&link->timer);
	return true;
}

size_t swp_link_job_count(const struct swp_link *link)
{
	return link->jobs;
}

void swp_link_job_added(struct swp_link *link)
{
	link->jobs++;
}

void swp_link_job_removed(struct swp_link *link)
{
	link->jobs--;
}

/* --- making and freeing --- */

int swp_link_new(struct swp_worker *worker, const char *endpoint, const struct swp_bus_keys *keys,
	const char *server_public_key, struct swp_link **ret_link, struct swp_problem *problem)
{
	struct swp_link *link = swp_calloc(1, sizeof(*link));
	const struct swp_bus_client_events events = {
		.received = received, .connected = connected, .refused = key_refused, .context = link};

	if (!link)
		return swp_problem_set(problem, -ENOMEM, "out of memory");
	link->worker = worker;
	link->last = &link->first;
	swp_timer_init(&link->timer, worker->loop, ticked);
	link->endpoint = swp_strdup(endpoint);
	swp_session_init(&link->session, SWP_SESSION_WORKER, swp_loop_now_ms(worker->loop));
	if (link->endpoint)
		link->client =
			swp_bus_client_new(worker->loop, endpoint, keys, server_public_key, &events, problem);
	if (!link->client) {
		swp_link_free(link);
		return -EIO;
	}
	schedule(link);
	*ret_link = link;
	return 0;
}

void swp_link_free(struct swp_link *link)
{
	if (!link)
		return;
	while (link->first)
		drop_first(link);
	swp_timer_stop(&link->timer);
	swp_bus_client_free(link->client);
	swp_buf_done(&link->scratch);
	swp_free(link->endpoint);
	swp_free(link);
}
