#include "coordinator/hub.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "coordinator/keys.h"
#include "proto/base/alloc.h"
#include "proto/base/map.h"
#include "proto/base/text.h"
#include "proto/io/files.h"
#include "proto/io/folder.h"
#include "proto/wire/keyfile.h"

#define IPC_PATH_BYTES 100 /* sun_path takes 107 */

struct swp_hub {
	struct swp_loop *loop;
	struct swp_hub_options options;
	struct swp_fleet *fleet;
	struct swp_workers *workers;
	struct swp_dispatch *dispatch;
	struct swp_hub_member *members;
	struct swp_hub_hold *holds;
	struct swp_map *drained; /* workers that were asked to leave */
	struct swp_timer lease;
	char *run_folder; /* owned; key files and the ipc socket */
	int run_lock;	  /* its lock: held while we live */
};

static int64_t now_ms(const struct swp_hub *hub)
{
	return swp_loop_now_ms(hub->loop);
}

struct swp_fleet *swp_hub_fleet(const struct swp_hub *hub)
{
	return hub->fleet;
}

struct swp_dispatch *swp_hub_dispatch(const struct swp_hub *hub)
{
	return hub->dispatch;
}

/* --- members --- */

void swp_hub_join(struct swp_hub *hub, struct swp_hub_member *member)
{
	member->next = hub->members;
	hub->members = member;
}

void swp_hub_leave(struct swp_hub *hub, struct swp_hub_member *member)
{
	struct swp_hub_member **at = &hub->members;

	while (*at && *at != member)
		at = &(*at)->next;
	if (*at)
		*at = member->next;
	swp_dispatch_able(hub->dispatch);
}

unsigned swp_hub_members(const struct swp_hub *hub)
{
	unsigned count = 0;

	for (const struct swp_hub_member *member = hub->members; member; member = member->next)
		count++;
	return count;
}

static void kick_all(struct swp_hub *hub)
{
	for (struct swp_hub_member *member = hub->members; member; member = member->next)
		member->actions->kick(member);
}

int swp_hub_add(struct swp_hub *hub, struct swp_hub_member *member, struct swp_dispatch_account *account)
{
	account->owner = member;
	account->running = &member->running;
	return swp_dispatch_add(hub->dispatch, account, now_ms(hub));
}

void swp_hub_run(struct swp_hub *hub)
{
	int64_t next_ms;

	swp_dispatch_run(hub->dispatch, now_ms(hub));
	next_ms = swp_dispatch_next_ms(hub->dispatch);
	if (next_ms == INT64_MAX)
		swp_timer_stop(&hub->lease);
	else
		swp_timer_start(&hub->lease, next_ms > now_ms(hub) ? next_ms - now_ms(hub) : 1);
}

static void lease_fires(struct swp_timer *timer)
{
	struct swp_hub *hub = SWP_CONTAINER_OF(timer, struct swp_hub, lease);

	swp_hub_run(hub);
	kick_all(hub);
}

/* --- what dispatch wants: each is its sweep's business --- */

static struct swp_hub_member *member_of(const struct swp_job *job)
{
	return job->account->owner;
}

static bool may_send(void *context, struct swp_dispatch_account *account)
{
	struct swp_hub_member *member = account->owner;

	(void)context;
	return member->actions->may_send(member, account);
}

static void grant(void *context, struct swp_job *job, const char *worker, bool counts, uint64_t least_epoch)
{
	(void)context;
	member_of(job)->actions->grant(member_of(job), job, worker, counts, least_epoch);
}

static int send_job(void *context, struct swp_job *job, uint64_t peer)
{
	(void)context;
	return member_of(job)->actions->send(member_of(job), job, peer);
}

static void look_up(void *context, struct swp_job *job)
{
	(void)context;
	member_of(job)->actions->look_up(member_of(job), job);
}

static void give_up(void *context, struct swp_job *job)
{
	(void)context;
	member_of(job)->actions->give_up(member_of(job), job);
}

static void job_settled(void *context, struct swp_job *job)
{
	(void)context;
	member_of(job)->actions->job_settled(member_of(job), job);
}

static void account_settled(void *context, struct swp_dispatch_account *account)
{
	struct swp_hub_member *member = account->owner;

	(void)context;
	member->actions->account_settled(member, account);
}

static void cancel(void *context, uint64_t peer, uint64_t job, uint64_t epoch)
{
	struct swp_hub *hub = context;
	struct swp_message message = {
		.type = SWP_MESSAGE_CANCEL, .cancel = {.job = job, .epoch = epoch, .sweep = ""}};

	swp_fleet_send(hub->fleet, peer, &message);
}

static int make_dispatch(struct swp_hub *hub)
{
	const struct swp_dispatch_actions actions = {.may_send = may_send,
		.grant = grant,
		.send = send_job,
		.look_up = look_up,
		.give_up = give_up,
		.cancel = cancel,
		.job_settled = job_settled,
		.account_settled = account_settled,
		.context = hub};

	hub->dispatch = swp_dispatch_new(&actions, (uint32_t)swp_clock_random_u64(swp_loop_clock(hub->loop)));
	return hub->dispatch ? 0 : -ENOMEM;
}

/* --- what workers hold of sweeps that are not here --- */

static void forget_holds(struct swp_hub *hub, uint64_t peer)
{
	struct swp_hub_hold **at = &hub->holds;

	while (*at) {
		struct swp_hub_hold *hold = *at;

		if (peer && hold->peer != peer) {
			at = &hold->next;
			continue;
		}
		*at = hold->next;
		swp_free(hold);
	}
}

static char *put_text(char **at, const char *text)
{
	char *start = *at;

	memcpy(start, text, strlen(text) + 1);
	*at += strlen(text) + 1;
	return start;
}

/* Out of memory: it is not kept, and its job is granted anew. */
static void keep_hold(struct swp_hub *hub, uint64_t peer, const struct swp_wire_hold *wire)
{
	size_t texts = strlen(wire->sweep) + strlen(wire->account) + strlen(wire->region) + 3;
	struct swp_hub_hold *hold = swp_calloc(1, sizeof(*hold) + texts);
	char *at;

	if (!hold)
		return;
	at = (char *)(hold + 1);
	*hold = (struct swp_hub_hold){
		.next = hub->holds, .peer = peer, .job = wire->job, .epoch = wire->epoch};
	hold->sweep = put_text(&at, wire->sweep);
	hold->account = put_text(&at, wire->account);
	hold->region = put_text(&at, wire->region);
	hub->holds = hold;
}

void swp_hub_take_holds(struct swp_hub *hub, const char *sweep, const char *account,
	void (*visit)(void *context, const struct swp_hub_hold *hold), void *context)
{
	struct swp_hub_hold **at = &hub->holds;

	while (*at) {
		struct swp_hub_hold *hold = *at;

		if (!swp_text_equal(hold->sweep, sweep) || !swp_text_equal(hold->account, account)) {
			at = &hold->next;
			continue;
		}
		*at = hold->next;
		visit(context, hold);
		swp_free(hold);
	}
}

/* Those that dispatch knows go to it; others are kept, or are nobody's any more. */
static size_t sort_holds(struct swp_hub *hub, uint64_t peer, const struct swp_message_hello *hello,
	struct swp_dispatch_hold *known)
{
	size_t count = 0;

	forget_holds(hub, peer);
	for (size_t i = 0; i < hello->hold_count; i++) {
		const struct swp_wire_hold *hold = &hello->holds[i];
		const struct swp_job *job = swp_dispatch_find(hub->dispatch, hold->job);

		if (job && swp_text_equal(member_of(job)->sweep, hold->sweep))
			known[count++] = (struct swp_dispatch_hold){hold->job, hold->epoch};
		else if (hub->options.adopts)
			keep_hold(hub, peer, hold);
		else
			cancel(hub, peer, hold->job, hold->epoch);
	}
	return count;
}

/* --- what workers say --- */

static void greeted(void *context, uint64_t peer, const char *name, const struct swp_message_hello *hello)
{
	struct swp_hub *hub = context;
	uint64_t credits = hello->credits < SWP_LIMIT_HOLDS ? hello->credits : SWP_LIMIT_HOLDS;
	struct swp_dispatch_hold *holds = swp_calloc(hello->hold_count + 1, sizeof(*holds));
	struct swp_dispatch_greeting greeting = {
		.name = name, .host = hello->host, .credits = (unsigned)credits, .holds = holds};

	if (!holds)
		return; /* it greets again, and what it holds runs out until then */
	greeting.hold_count = sort_holds(hub, peer, hello, holds);
	if (swp_dispatch_greet(hub->dispatch, peer, &greeting, now_ms(hub)) < 0)
		swp_log(SWP_LOG_ERROR, "worker.too-many", "there is no room for another worker",
			SWP_LOG_S("worker", name));
	swp_free(holds);
	if (hello->draining)
		swp_dispatch_drain(hub->dispatch, peer);
	for (struct swp_hub_member *member = hub->members; member; member = member->next)
		member->actions->worker_came(member);
	kick_all(hub);
}

static void heartbeat(void *context, uint64_t peer, const struct swp_message_heartbeat *beat,
	const struct swp_dispatch_hold *jobs, size_t count)
{
	struct swp_hub *hub = context;

	for (struct swp_hub_member *member = hub->members; member && beat->store_away; member = member->next)
		member->actions->store_away(member);
	swp_dispatch_heartbeat(hub->dispatch, peer, jobs, count, now_ms(hub));
}

static void done(void *context, uint64_t peer, const struct swp_message_done *message)
{
	struct swp_hub *hub = context;
	struct swp_job *job = swp_dispatch_find(hub->dispatch, message->job);
	bool held = job && swp_dispatch_held(hub->dispatch, peer, message->job, message->epoch) == job;
	struct swp_hub_member *member = job ? member_of(job) : NULL;

	if (!member)
		return;
	/* Counted first: when it settles the job, that may be the end of the account. */
	member->actions->done(member, job, message, held);
	swp_dispatch_done(hub->dispatch, peer, message->job, message->epoch,
		message->how == SWP_DONE_STALE ? SWP_DISPATCH_STALE : SWP_DISPATCH_SEALED);
	kick_all(hub);
}

static void renew(void *context, uint64_t peer, const struct swp_message_renew *message)
{
	struct swp_hub *hub = context;
	struct swp_job *job = swp_dispatch_held(hub->dispatch, peer, message->job, message->epoch);

	if (job)
		member_of(job)->actions->renew(member_of(job), job, peer);
	else
		cancel(hub, peer, message->job, message->epoch);
}

static void given_back(void *context, uint64_t peer, const struct swp_message_give_back *message)
{
	static const int64_t pauses_ms[] = {[SWP_GIVE_BACK_STORE_AWAY] = 1000,
		[SWP_GIVE_BACK_NO_CREDIT] = 200,
		[SWP_GIVE_BACK_UNKNOWN_SWEEP] = 1000,
		[SWP_GIVE_BACK_CREDENTIALS] = 1000,
		[SWP_GIVE_BACK_RESOURCES] = 5000};
	struct swp_hub *hub = context;
	int64_t pause_ms = message->why < SWP_ARRAY_SIZE(pauses_ms) ? pauses_ms[message->why] : 1000;
	struct swp_job *job = swp_dispatch_find(hub->dispatch, message->job);

	if (message->why == SWP_GIVE_BACK_DRAINING)
		swp_dispatch_drain(hub->dispatch, peer);
	if (message->why == SWP_GIVE_BACK_UNKNOWN_SWEEP && job)
		swp_fleet_repeat_plan(hub->fleet, peer, member_of(job)->sweep);
	if (message->why == SWP_GIVE_BACK_CANNOT) {
		swp_log(SWP_LOG_ERROR, "worker.unable",
			"a worker can't judge by this catalogue and gets no jobs; upgrade it to the "
			"coordinator's version",
			SWP_LOG_S("worker", swp_fleet_name(hub->fleet, peer)),
			SWP_LOG_S("why", message->detail));
		swp_dispatch_unable(hub->dispatch, peer);
	}
	swp_log(SWP_LOG_INFO, "job.given-back", "a worker gave a job back", SWP_LOG_N("job", message->job),
		SWP_LOG_N("why", message->why), SWP_LOG_S("detail", message->detail));
	swp_dispatch_given_back(hub->dispatch, peer, message->job, message->epoch,
		message->why == SWP_GIVE_BACK_RESOURCES, pause_ms, now_ms(hub));
	kick_all(hub);
}

static void gone(void *context, uint64_t peer)
{
	struct swp_hub *hub = context;

	forget_holds(hub, peer);
	swp_dispatch_gone(hub->dispatch, peer);
	kick_all(hub);
}

bool swp_hub_drain(struct swp_hub *hub, const char *worker)
{
	struct swp_message message = {.type = SWP_MESSAGE_DRAIN};
	uint64_t peer;

	if (!swp_fleet_find(hub->fleet, worker, &peer))
		return swp_map_take(hub->drained, worker) != NULL;
	if (swp_dispatch_is_draining(hub->dispatch, peer))
		return false;
	swp_log(SWP_LOG_INFO, "worker.draining", "a worker was asked to finish and leave",
		SWP_LOG_S("worker", worker));
	swp_dispatch_drain(hub->dispatch, peer);
	swp_map_put(hub->drained, worker, hub, NULL); /* without memory the order stays in the store */
	swp_fleet_send(hub->fleet, peer, &message);
	return false;
}

struct describing {
	const struct swp_hub *hub;
	void (*visit)(void *context, const char *name, const char *row);
	void *context;
};

static void describe(void *context, const struct swp_fleet_worker *worker)
{
	struct describing *describing = context;
	const struct swp_hub *hub = describing->hub;
	unsigned jobs = swp_dispatch_jobs_of(hub->dispatch, worker->peer);
	const char *state = swp_dispatch_is_draining(hub->dispatch, worker->peer) ? "draining"
			    : jobs > 0						  ? "busy"
										  : "ready";
	json_t *row = json_pack("{s:s, s:s, s:I, s:I, s:s, s:I}", "host", worker->host, "state", state,
		"jobs", (json_int_t)jobs, "calls", (json_int_t)worker->calls, "version", worker->version,
		"seen_ms", (json_int_t)swp_clock_wall_ms(swp_loop_clock(hub->loop)));
	char *text = row ? json_dumps(row, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

	if (text)
		describing->visit(describing->context, worker->name, text);
	free(text);
	json_decref(row);
}

void swp_hub_each_worker(const struct swp_hub *hub,
	void (*visit)(void *context, const char *name, const char *row), void *context)
{
	struct describing describing = {hub, visit, context};

	swp_fleet_each(hub->fleet, describe, &describing);
}

/* --- run folder, keys --- */

#define SHORT_FOLDERS "/tmp" /* for run folders whose path in the state folder is too long for a socket */
#define SHORT_PREFIX "orgsweep-run-"
#define RUN_FOLDER_TRIES 50 /* 2 ms apart */

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
		swp_folder_remove(path); /* keys that nobody can use any more */
	swp_folder_unlock(fd);
	swp_free(path);
	return 0;
}

static void remove_all_stale(const struct swp_hub *hub)
{
	struct stale_runs places[] = {{hub->options.state_folder, "run-"}, {SHORT_FOLDERS, SHORT_PREFIX}};

	for (size_t i = 0; i < SWP_ARRAY_SIZE(places); i++)
		swp_folder_list(places[i].folder, "", remove_stale, &places[i]);
}

/* Until it is locked it looks like one that was left behind, and another coordinator that starts just now may take it away. */
static int take_run_folder(struct swp_hub *hub, struct swp_problem *problem)
{
	const struct timespec pause = {.tv_nsec = 2000000};
	pid_t holder;
	int error = -ENOENT;

	for (int i = 0; i < RUN_FOLDER_TRIES && (error == -ENOENT || error == -EBUSY); i++) {
		if (i > 0)
			nanosleep(&pause, NULL);
		error = swp_folder_make(hub->run_folder, problem);
		if (error == 0 && (error = swp_folder_lock(hub->run_folder, &hub->run_lock, &holder)) < 0)
			swp_problem_set(
				problem, error, "can't lock %s: %s", hub->run_folder, strerror(-error));
	}
	return error;
}

static int make_run_folder(struct swp_hub *hub, struct swp_problem *problem)
{
	remove_all_stale(hub);
	hub->run_folder = swp_asprintf("%s/run-%s", hub->options.state_folder, hub->options.name);
	if (hub->run_folder && strlen(hub->run_folder) + sizeof("/bus.sock") > IPC_PATH_BYTES) {
		swp_free(hub->run_folder);
		hub->run_folder = swp_asprintf(SHORT_FOLDERS "/" SHORT_PREFIX "%s", hub->options.name);
	}
	if (!hub->run_folder)
		return swp_problem_set(problem, -ENOMEM, "out of memory");
	return take_run_folder(hub, problem);
}

/* --- starting it all --- */

static int start_fleet(struct swp_hub *hub, struct swp_keyfile *keyfile, struct swp_problem *problem)
{
	const struct swp_fleet_events events = {.greeted = greeted,
		.heartbeat = heartbeat,
		.done = done,
		.renew = renew,
		.given_back = given_back,
		.gone = gone,
		.context = hub};
	struct swp_bus_keys keys = {0};
	char *ipc = swp_asprintf("ipc://%s/bus.sock", hub->run_folder);
	struct swp_fleet_options fleet = {.endpoint = hub->options.listen ? hub->options.listen : ipc,
		.keys = &keys,
		.keys_folder = hub->options.keys_folder};
	int error = ipc ? 0 : -ENOMEM;

	memcpy(keys.public_key, keyfile->public_key, sizeof(keys.public_key));
	if (error == 0)
		error = swp_secret_copy(&keys.secret_key, &keyfile->secret_key);
	if (error == 0) {
		hub->fleet = swp_fleet_new(hub->loop, &fleet, &events, problem);
		error = hub->fleet ? 0 : -EIO;
	}
	swp_bus_keys_done(&keys);
	swp_free(ipc);
	return error;
}

static void workers_failed(void *context, const struct swp_problem *problem)
{
	struct swp_hub *hub = context;

	if (swp_fleet_count(hub->fleet) > 0 || hub->options.listen) {
		swp_log(SWP_LOG_ERROR, "worker.none", problem->text,
			SWP_LOG_N("others", swp_fleet_count(hub->fleet)));
		return;
	}
	for (struct swp_hub_member *member = hub->members; member; member = member->next)
		member->actions->workers_failed(member, problem);
}

static int start_workers(struct swp_hub *hub, const char *public_key, struct swp_problem *problem)
{
	const struct swp_hub_options *options = &hub->options;
	const struct swp_workers_events events = {.failed = workers_failed, .context = hub};
	struct swp_workers_options workers = {.program = options->worker_program,
		.count = options->workers,
		.folder = hub->run_folder,
		.server_public_key = public_key,
		.store = options->store,
		.ca_file = options->ca_file,
		.https_proxy = options->https_proxy,
		.no_proxy = options->no_proxy,
		.log_form = options->log_form};

	if (options->workers == 0)
		return 0;
	hub->workers = swp_workers_start(hub->loop, hub->fleet, &workers, &events, problem);
	return hub->workers ? 0 : -EIO;
}

static int start(struct swp_hub *hub, struct swp_problem *problem)
{
	struct swp_keyfile keyfile = {0};
	int error = make_run_folder(hub, problem);

	hub->drained = swp_map_new();
	if (error == 0 && (error = hub->drained ? make_dispatch(hub) : -ENOMEM) < 0)
		swp_problem_set(problem, error, "out of memory");
	if (error == 0)
		error = hub->options.keys_folder
				? swp_keys_server(hub->options.keys_folder, &keyfile, problem)
				: swp_keys_make(&keyfile, problem);
	if (error == 0)
		error = start_fleet(hub, &keyfile, problem);
	if (error == 0)
		error = start_workers(hub, keyfile.public_key, problem);
	swp_keyfile_done(&keyfile);
	return error;
}

struct swp_hub *swp_hub_new(
	struct swp_loop *loop, const struct swp_hub_options *options, struct swp_problem *problem)
{
	struct swp_hub *hub = swp_calloc(1, sizeof(*hub));

	if (!hub) {
		swp_problem_set(problem, -ENOMEM, "out of memory");
		return NULL;
	}
	hub->loop = loop;
	hub->options = *options;
	hub->run_lock = -1;
	swp_timer_init(&hub->lease, loop, lease_fires);
	if (start(hub, problem) < 0) {
		swp_hub_free(hub);
		return NULL;
	}
	hub->options.name = NULL;
	return hub;
}

void swp_hub_free(struct swp_hub *hub)
{
	if (!hub)
		return;
	SWP_ASSERT(!hub->members);
	swp_timer_stop(&hub->lease);
	swp_workers_free(hub->workers);
	swp_fleet_free(hub->fleet);
	forget_holds(hub, 0);
	swp_dispatch_free(hub->dispatch);
	swp_map_free(hub->drained, NULL);
	if (hub->run_folder) {
		swp_folder_remove(hub->run_folder); /* a socket, too: ZeroMQ unlinks it too late for us */
		swp_folder_unlock(hub->run_lock);
		swp_free(hub->run_folder);
	}
	swp_free(hub);
}
