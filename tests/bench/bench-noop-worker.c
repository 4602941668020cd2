/* Workers that make no AWS call: what is left of a sweep then is the coordinator's and Redis' own work. Each --key FILE makes one worker,
 * with a connection and a session of its own; they share one connection to the store, so that whole fleets fit into one process. For each
 * JOB a worker commits by the real scripts a seal (one cell for each check, PASS, or FAIL where the rows are), and with --rows N a part of
 * so many results, and says DONE. Ends at SIGTERM, and prints what it did as one line of JSON.
 * usage: bench-noop-worker --connect ENDPOINT --server-key FILE --store URL --checks N [--rows N] [--fail] [--credits N] --key FILE…
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/alloc.h"
#include "proto/base/text.h"
#include "proto/io/bus.h"
#include "proto/io/files.h"
#include "proto/io/process.h"
#include "proto/io/store.h"
#include "proto/record/keys.h"
#include "proto/record/record.h"
#include "proto/record/scripts.h"
#include "proto/wire/keyfile.h"
#include "proto/wire/session.h"

enum { MAX_WORKERS = 64, MAX_CHECKS = 256, SERIES_STEP_MS = 10, SERIES_LENGTH = 60000, PASS = 0, FAIL = 1 };

struct bench;

struct job {
	struct job *next, *previous; /* of its worker */
	struct noop_worker *worker;
	uint64_t number, epoch;
	char key[SWP_KEY_BYTES], lock[SWP_KEY_BYTES], epoch_text[24];
	struct swp_buf seal, part;
};

struct frame {
	struct frame *next;
	struct swp_buf bytes;
};

struct noop_worker {
	struct bench *bench;
	struct swp_bus_client *client;
	struct swp_session session;
	struct swp_timer timer;
	struct job *jobs;
	struct frame *first, **last; /* what could not be sent yet */
	char name[64];
};

struct bench {
	struct swp_loop *loop;
	struct swp_store *store;
	struct swp_signals *signals;
	struct swp_store_script seal_script;
	struct noop_worker workers[MAX_WORKERS];
	size_t worker_count;
	const char *connect, *server_key, *store_url, *keys[MAX_WORKERS];
	uint64_t checks, rows, credits;
	unsigned status;
	uint64_t done, stale, repeated;
	int64_t first_ms, last_ms; /* monotonic: JOBs received */
	uint32_t series[SERIES_LENGTH];
	int failed;
};

static void give_up(struct bench *bench, const char *what, const char *why)
{
	fprintf(stderr, "bench-noop-worker: %s: %s\n", what, why);
	bench->failed = 1;
	swp_loop_stop(bench->loop);
}

/* --- sending --- */

static void flush(struct noop_worker *worker)
{
	while (worker->first && swp_session_is_open(&worker->session)) {
		struct frame *frame = worker->first;

		if (swp_bus_client_send(worker->client, frame->bytes.data, frame->bytes.length) != 0)
			return;
		worker->first = frame->next;
		if (!worker->first)
			worker->last = &worker->first;
		swp_buf_done(&frame->bytes);
		swp_free(frame);
	}
}

static void send_kept(struct noop_worker *worker, const struct swp_message *message)
{
	struct frame *frame = swp_calloc(1, sizeof(*frame));

	if (!frame || swp_message_encode(message, &frame->bytes) < 0) {
		swp_free(frame);
		give_up(worker->bench, "a message", "out of memory");
		return;
	}
	*worker->last = frame;
	worker->last = &frame->next;
	flush(worker);
}

static int send_now(struct noop_worker *worker, const struct swp_message *message)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf bytes = {0};
	int error = swp_message_encode(message, &bytes);

	return error < 0 ? error : swp_bus_client_send(worker->client, bytes.data, bytes.length);
}

static void send_hello(struct noop_worker *worker)
{
	const struct swp_message message = {.type = SWP_MESSAGE_HELLO,
		.hello = {.protocol = SWP_WIRE_VERSION,
			.version = "bench",
			.name = worker->name,
			.host = "bench",
			.pid = (uint64_t)getpid(),
			.credits = worker->bench->credits}};

	if (send_now(worker, &message) == -EAGAIN)
		worker->session.due_ms = swp_loop_now_ms(worker->bench->loop) + 10;
}

static void send_heartbeat(struct noop_worker *worker)
{
	struct swp_wire_lease leases[SWP_LIMIT_HOLDS];
	struct swp_message message = {.type = SWP_MESSAGE_HEARTBEAT, .heartbeat = {.jobs = leases}};

	for (const struct job *job = worker->jobs; job && message.heartbeat.job_count < SWP_LIMIT_HOLDS;
		job = job->next)
		leases[message.heartbeat.job_count++] = (struct swp_wire_lease){job->number, job->epoch};
	send_now(worker, &message);
}

/* --- jobs --- */

static void free_job(struct job *job)
{
	if (job->previous)
		job->previous->next = job->next;
	else
		job->worker->jobs = job->next;
	if (job->next)
		job->next->previous = job->previous;
	swp_buf_done(&job->seal);
	swp_buf_done(&job->part);
	swp_free(job);
}

static void say_done(struct job *job, int64_t answer)
{
	const struct bench *bench = job->worker->bench;
	const struct swp_message message = {.type = SWP_MESSAGE_DONE,
		.done = {.job = job->number,
			.epoch = job->epoch,
			.how = answer == SWP_SCRIPT_STALE ? SWP_DONE_STALE : SWP_DONE_SEALED,
			.rows = bench->rows,
			.calls = 0,
			.pass = bench->checks - (bench->status == FAIL && bench->rows > 0),
			.fail = bench->status == FAIL && bench->rows > 0,
			.answered = true}};

	send_kept(job->worker, &message);
}

static void commit(struct job *job);

static void sealed(void *context, const struct swp_store_reply *reply)
{
	struct job *job = context;
	struct bench *bench = job->worker->bench;

	if (bench->failed)
		return;
	if (reply->type == SWP_STORE_REPLY_LOST) {
		bench->repeated++;
		commit(job);
		return;
	}
	if (reply->type != SWP_STORE_REPLY_NUMBER || reply->number == SWP_SCRIPT_PARTS_MISSING) {
		give_up(bench, "the store", reply->type == SWP_STORE_REPLY_ERROR ? reply->bytes : "?");
		return;
	}
	bench->done++;
	bench->stale += reply->number == SWP_SCRIPT_STALE;
	say_done(job, reply->number);
	free_job(job);
}

static void commit(struct job *job)
{
	struct bench *bench = job->worker->bench;
	const struct swp_store_argument keys[] = {
		SWP_STORE_TEXT_ARGUMENT(job->key), SWP_STORE_TEXT_ARGUMENT(job->lock)};
	const struct swp_store_argument arguments[] = {SWP_STORE_TEXT_ARGUMENT(job->epoch_text),
		SWP_STORE_TEXT_ARGUMENT(job->part.length > 0 ? "1" : "0"), {job->seal.data, job->seal.length},
		SWP_STORE_TEXT_ARGUMENT("0"), {job->part.data, job->part.length}};

	if (swp_store_run(bench->store, &bench->seal_script, keys, 2, arguments, job->part.length > 0 ? 5 : 3,
		    sealed, job) < 0)
		give_up(bench, "the store", "out of memory");
}

/* A notebook instance as a real worker tells of it. */
static int pack_rows(const struct bench *bench, const struct swp_message_job *message, struct swp_buf *out)
{
	struct swp_part_writer writer;
	char resource[256];
	int error = swp_part_begin(&writer, out);

	for (uint64_t i = 0; error == 0 && i < bench->rows; i++) {
		const struct swp_record_result row = {.check = bench->checks - 1,
			.status = bench->status,
			.resource = resource,
			.evidence = bench->status == FAIL ? "{\"NotebookInstanceStatus\":\"InService\","
							    "\"RootAccess\":\"Enabled\"}"
							  : "{\"NotebookInstanceStatus\":\"InService\","
							    "\"RootAccess\":\"Disabled\"}"};

		snprintf(resource, sizeof(resource),
			"arn:aws:sagemaker:%s:%s:notebook-instance/analysis-notebook-%05" PRIu64,
			message->region, message->account, i);
		error = swp_part_add_result(&writer, &row);
	}
	return error == 0 ? swp_part_end(&writer) : error;
}

static int pack_seal(const struct bench *bench, const char *worker, struct swp_buf *out)
{
	struct swp_record_cell cells[MAX_CHECKS];
	const struct swp_record_seal seal = {.parts = bench->rows > 0,
		.rows = bench->rows,
		.answered = true,
		.worker = worker,
		.cell_count = bench->checks};

	for (uint64_t i = 0; i < bench->checks; i++)
		cells[i] = (struct swp_record_cell){.check = i,
			.status = i == bench->checks - 1 && bench->rows > 0 ? bench->status : PASS};
	return swp_seal_encode(&seal, cells, out);
}

static void note_received(struct bench *bench)
{
	int64_t now_ms = swp_clock_monotonic_ms(swp_clock_system()), step;

	if (bench->first_ms == 0)
		bench->first_ms = now_ms;
	bench->last_ms = now_ms;
	step = (now_ms - bench->first_ms) / SERIES_STEP_MS;
	if (step < SERIES_LENGTH)
		bench->series[step]++;
}

static void job_came(struct noop_worker *worker, const struct swp_message_job *message)
{
	struct bench *bench = worker->bench;
	struct job *job = swp_calloc(1, sizeof(*job));
	int error = job ? 0 : -ENOMEM;

	note_received(bench);
	if (error == 0) {
		job->worker = worker;
		job->number = message->job;
		job->epoch = message->epoch;
		job->next = worker->jobs;
		if (job->next)
			job->next->previous = job;
		worker->jobs = job;
		snprintf(job->epoch_text, sizeof(job->epoch_text), "%" PRIu64, job->epoch);
		error = swp_key_format(
			SWP_KEY_JOB, message->sweep, message->account, message->region, job->key);
	}
	if (error == 0)
		error = swp_key_lock_of(job->key, job->lock);
	if (error == 0 && bench->rows > 0)
		error = pack_rows(bench, message, &job->part);
	if (error == 0)
		error = pack_seal(bench, worker->name, &job->seal);
	if (error < 0)
		give_up(bench, "a job", strerror(-error));
	else
		commit(job);
}

/* --- the session --- */

static void schedule(struct noop_worker *worker)
{
	int64_t wait_ms = swp_session_next_ms(&worker->session) - swp_loop_now_ms(worker->bench->loop);

	if (worker->first && wait_ms > 1)
		wait_ms = 1;
	swp_timer_start(&worker->timer, wait_ms > 0 ? wait_ms : 0);
}

static void handle(
	struct noop_worker *worker, enum swp_session_event event, const struct swp_message *message)
{
	if (event == SWP_SESSION_GREET)
		send_hello(worker);
	else if (event == SWP_SESSION_HEARTBEAT)
		send_heartbeat(worker);
	else if (event == SWP_SESSION_MESSAGE && message->type == SWP_MESSAGE_JOB)
		job_came(worker, &message->job);
	else if (event == SWP_SESSION_REFUSED || event == SWP_SESSION_VIOLATION)
		give_up(worker->bench, "the session", "refused, or a frame that is no message");
}

static void received(void *context, const void *bytes, size_t length)
{
	struct noop_worker *worker = context;
	struct swp_message message = {0};
	enum swp_session_event event = swp_session_received(
		&worker->session, bytes, length, swp_loop_now_ms(worker->bench->loop), &message);

	handle(worker, event, &message);
	swp_message_done(&message);
	flush(worker);
	schedule(worker);
}

static void ticked(struct swp_timer *timer)
{
	struct noop_worker *worker = SWP_CONTAINER_OF(timer, struct noop_worker, timer);
	enum swp_session_event event;

	do {
		event = swp_session_tick(&worker->session, swp_loop_now_ms(worker->bench->loop));
		handle(worker, event, NULL);
	} while (event != SWP_SESSION_NOTHING);
	flush(worker);
	schedule(worker);
}

static void refused(void *context, const char *why)
{
	give_up(((struct noop_worker *)context)->bench, "the coordinator", why);
}

/* --- the program --- */

static int read_key(
	const char *path, bool secret, struct swp_keyfile *ret_keyfile, struct swp_problem *problem)
{
	SWP_CLEANUP(swp_buf_done)
	struct swp_buf text = {.limit_bytes = SWP_LIMIT_KEYFILE_BYTES, .secret = true};
	int error = swp_file_read(path, &text, problem);

	return error < 0 ? error
			 : swp_keyfile_parse(
				   path, swp_buf_text(&text), text.length, secret, ret_keyfile, problem);
}

static int start_worker(
	struct bench *bench, size_t index, const char *server_public_key, struct swp_problem *problem)
{
	struct noop_worker *worker = &bench->workers[index];
	const struct swp_bus_client_events events = {
		.received = received, .refused = refused, .context = worker};
	struct swp_keyfile keyfile = {0};
	struct swp_bus_keys keys = {0};
	int error = read_key(bench->keys[index], true, &keyfile, problem);

	worker->bench = bench;
	worker->last = &worker->first;
	snprintf(worker->name, sizeof(worker->name), "noop-%zu", index);
	swp_timer_init(&worker->timer, bench->loop, ticked);
	swp_session_init(&worker->session, SWP_SESSION_WORKER, swp_loop_now_ms(bench->loop));
	if (error == 0) {
		memcpy(keys.public_key, keyfile.public_key, sizeof(keys.public_key));
		error = swp_secret_copy(&keys.secret_key, &keyfile.secret_key);
	}
	if (error == 0) {
		worker->client = swp_bus_client_new(
			bench->loop, bench->connect, &keys, server_public_key, &events, problem);
		error = worker->client ? 0 : -EIO;
	}
	if (error == 0)
		schedule(worker);
	swp_keyfile_done(&keyfile);
	swp_bus_keys_done(&keys);
	return error;
}

static void store_up(void *context, bool fresh_run)
{
	(void)context;
	(void)fresh_run;
}

static void store_down(void *context, const char *why)
{
	(void)context;
	fprintf(stderr, "bench-noop-worker: the store is away: %s\n", why);
}

static void store_refused(void *context, const char *why)
{
	give_up(context, "the store", why);
}

static int start(struct bench *bench, struct swp_problem *problem)
{
	const struct swp_store_events events = {
		.up = store_up, .down = store_down, .refused = store_refused, .context = bench};
	struct swp_store_options options = {.client_name = "bench-noop-worker"};
	struct swp_keyfile server = {0};
	int error = swp_store_address_parse(bench->store_url, &options.address, problem);

	if (error == 0)
		error = read_key(bench->server_key, false, &server, problem);
	if (error == 0) {
		bench->seal_script.source = swp_script_row(SWP_SCRIPT_SEAL)->source;
		bench->store = swp_store_new(bench->loop, &options, &events, problem);
		error = bench->store ? 0 : -EIO;
	}
	for (size_t i = 0; error == 0 && i < bench->worker_count; i++)
		error = start_worker(bench, i, server.public_key, problem);
	swp_keyfile_done(&server);
	return error;
}

static void signalled(int number, void *context)
{
	(void)number;
	swp_loop_stop(((struct bench *)context)->loop);
}

static void release(struct bench *bench)
{
	bench->failed |= 2; /* no more answers are acted upon */
	swp_store_free(bench->store);
	for (size_t i = 0; i < bench->worker_count; i++) {
		struct noop_worker *worker = &bench->workers[i];

		swp_timer_stop(&worker->timer);
		swp_bus_client_free(worker->client);
		while (worker->jobs)
			free_job(worker->jobs);
		while (worker->first) {
			struct frame *frame = worker->first;

			worker->first = frame->next;
			swp_buf_done(&frame->bytes);
			swp_free(frame);
		}
	}
	swp_signals_free(bench->signals);
	swp_loop_free(bench->loop);
}

/* Times are CLOCK_MONOTONIC's, so that whoever started us can hold them against its own. */
static void print(const struct bench *bench)
{
	int64_t steps = (bench->last_ms - bench->first_ms) / SERIES_STEP_MS + 1;

	printf("{\"done\": %" PRIu64 ", \"stale\": %" PRIu64 ", \"repeated\": %" PRIu64
	       ", \"first_ms\": %" PRId64 ", \"last_ms\": %" PRId64 ", \"step_ms\": %d, \"received\": [",
		bench->done, bench->stale, bench->repeated, bench->first_ms, bench->last_ms, SERIES_STEP_MS);
	for (int64_t i = 0; bench->first_ms > 0 && i < steps && i < SERIES_LENGTH; i++)
		printf("%s%" PRIu32, i > 0 ? ", " : "", bench->series[i]);
	printf("]}\n");
}

static bool parse(struct bench *bench, int argc, char **argv)
{
	static const struct option options[] = {{"connect", required_argument, NULL, 'c'},
		{"server-key", required_argument, NULL, 's'}, {"store", required_argument, NULL, 'r'},
		{"checks", required_argument, NULL, 'k'}, {"rows", required_argument, NULL, 'n'},
		{"fail", no_argument, NULL, 'f'}, {"credits", required_argument, NULL, 'w'},
		{"key", required_argument, NULL, 'K'}, {NULL, 0, NULL, 0}};
	bool good = true;
	int found;

	while (good && (found = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (found) {
		case 'c':
			bench->connect = optarg;
			break;
		case 's':
			bench->server_key = optarg;
			break;
		case 'r':
			bench->store_url = optarg;
			break;
		case 'k':
			good = swp_parse_u64(optarg, MAX_CHECKS, &bench->checks) == 0;
			break;
		case 'n':
			good = swp_parse_u64(optarg, SWP_LIMIT_PART_RESOURCES, &bench->rows) == 0;
			break;
		case 'f':
			bench->status = FAIL;
			break;
		case 'w':
			good = swp_parse_u64(optarg, SWP_LIMIT_HOLDS, &bench->credits) == 0;
			break;
		case 'K':
			good = bench->worker_count < MAX_WORKERS;
			if (good)
				bench->keys[bench->worker_count++] = optarg;
			break;
		default:
			good = false;
		}
	return good && optind == argc && bench->connect && bench->server_key && bench->store_url &&
	       bench->checks > 0 && bench->worker_count > 0 && bench->credits > 0;
}

int main(int argc, char **argv)
{
	static struct bench bench = {.credits = 64};
	static const int numbers[] = {SIGTERM, SIGINT};
	struct swp_problem problem = {{0}};

	swp_process_harden();
	if (!parse(&bench, argc, argv)) {
		fprintf(stderr, "usage: bench-noop-worker --connect ENDPOINT --server-key FILE --store URL "
				"--checks N "
				"[--rows N] [--fail] [--credits N] --key FILE…\n");
		return 2;
	}
	bench.loop = swp_loop_new(swp_clock_system());
	if (bench.loop)
		bench.signals = swp_signals_new(bench.loop, numbers, 2, signalled, &bench);
	if (!bench.signals)
		return 2;
	if (start(&bench, &problem) < 0)
		give_up(&bench, "it can't start", problem.text);
	else if (swp_loop_run(bench.loop) == 0 && !bench.failed)
		print(&bench);
	release(&bench);
	return bench.failed & 1 ? 1 : 0;
}
