/* Who is let into a fleet, who is cut off, and what is counted: the fleet over the real bus, in one loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "coordinator/fleet.h"
#include "coordinator/keys.h"
#include "proto/base/alloc.h"
#include "proto/base/log.h"
#include "proto/io/folder.h"
#include "tests/unit/under-valgrind.h"

#define PATIENCE_MS 20000 /* valgrind on a busy machine */
#define CATALOGUE "a catalogue's bytes"

struct worker {
	struct stage *stage;
	struct swp_bus_client *client;
	struct swp_bus_keys keys;
	char name[16], why[256];
	int welcomes, sweeps, catalogues, refusals;
};

struct stage {
	struct swp_loop *loop;
	char top[64], keys[80];
	struct swp_keyfile server;
	struct swp_fleet *fleet;
	struct swp_message_sweep plan;
	struct worker workers[2];
	int greeted, gone, heartbeats, done;
	char greeted_as[64];
	uint64_t greeted_peer, gone_peer;
};

/* --- what the fleet tells --- */

static void greeted(void *context, uint64_t peer, const char *name, const struct swp_message_hello *hello)
{
	struct stage *stage = context;

	(void)hello;
	stage->greeted++;
	stage->greeted_peer = peer;
	snprintf(stage->greeted_as, sizeof(stage->greeted_as), "%s", name);
}

static void heartbeat(void *context, uint64_t peer, const struct swp_message_heartbeat *beat,
	const struct swp_dispatch_hold *jobs, size_t count)
{
	(void)peer;
	(void)beat;
	(void)jobs;
	(void)count;
	((struct stage *)context)->heartbeats++;
}

static void done(void *context, uint64_t peer, const struct swp_message_done *message)
{
	(void)peer;
	(void)message;
	((struct stage *)context)->done++;
}

static void renew(void *context, uint64_t peer, const struct swp_message_renew *message)
{
	(void)context;
	(void)peer;
	(void)message;
}

static void given_back(void *context, uint64_t peer, const struct swp_message_give_back *message)
{
	(void)context;
	(void)peer;
	(void)message;
}

static void gone(void *context, uint64_t peer)
{
	struct stage *stage = context;

	stage->gone++;
	stage->gone_peer = peer;
}

/* --- workers --- */

static void received(void *context, const void *bytes, size_t length)
{
	struct worker *worker = context;
	struct swp_message message = {0};

	assert_int_equal(swp_message_decode(bytes, length, &message), 0);
	worker->welcomes += message.type == SWP_MESSAGE_WELCOME;
	worker->sweeps += message.type == SWP_MESSAGE_SWEEP;
	worker->catalogues += message.type == SWP_MESSAGE_CATALOGUE;
	swp_message_done(&message);
}

static void refused(void *context, const char *why)
{
	struct worker *worker = context;

	worker->refusals++;
	snprintf(worker->why, sizeof(worker->why), "%s", why);
}

static void connect_worker(struct worker *worker)
{
	const struct swp_bus_client_events events = {
		.received = received, .refused = refused, .context = worker};
	struct swp_problem problem = {""};

	worker->client = swp_bus_client_new(worker->stage->loop, swp_fleet_endpoint(worker->stage->fleet),
		&worker->keys, worker->stage->server.public_key, &events, &problem);
	if (!worker->client)
		print_message("%s\n", problem.text);
	assert_non_null(worker->client);
}

static void run_for(struct stage *stage, int64_t ms)
{
	int64_t end = swp_clock_monotonic_ms(swp_clock_system()) + ms;

	while (swp_clock_monotonic_ms(swp_clock_system()) < end)
		assert_int_equal(swp_loop_step(stage->loop, 10), 0);
}

static void run_until(struct stage *stage, const int *counter, int wanted)
{
	int64_t end = swp_clock_monotonic_ms(swp_clock_system()) + PATIENCE_MS;

	while (*counter < wanted && swp_clock_monotonic_ms(swp_clock_system()) < end)
		assert_int_equal(swp_loop_step(stage->loop, 20), 0);
	assert_true(*counter >= wanted);
}

static void say_bytes(struct worker *worker, const void *bytes, size_t length)
{
	int64_t end = swp_clock_monotonic_ms(swp_clock_system()) + PATIENCE_MS;
	int error = swp_bus_client_send(worker->client, bytes, length);

	while (error == -EAGAIN && swp_clock_monotonic_ms(swp_clock_system()) < end) {
		swp_loop_step(worker->stage->loop, 20);
		error = swp_bus_client_send(worker->client, bytes, length);
	}
	assert_int_equal(error, 0);
}

static void say(struct worker *worker, const struct swp_message *message)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf bytes = {.secret = true};

	assert_int_equal(swp_message_encode(message, &bytes), 0);
	say_bytes(worker, bytes.data, bytes.length);
}

static void say_hello_as(struct worker *worker, const char *name)
{
	say(worker, &(struct swp_message){.type = SWP_MESSAGE_HELLO,
			    .hello = {.protocol = SWP_WIRE_VERSION,
				    .version = "0",
				    .name = name,
				    .host = "h",
				    .credits = 4}});
}

static void say_done(struct worker *worker)
{
	say(worker, &(struct swp_message){.type = SWP_MESSAGE_DONE,
			    .done = {.job = 1, .epoch = 1, .how = SWP_DONE_SEALED}});
}

/* --- the stage --- */

static void allow(struct stage *stage, const char *name)
{
	struct swp_keys_entry entry;
	struct swp_problem problem = {""};
	char path[128];
	bool was_there;

	snprintf(path, sizeof(path), "%s/%s.pub", stage->keys, name);
	assert_int_equal(swp_keys_allow(stage->keys, path, &entry, &was_there, &problem), 0);
}

static void take_away(struct stage *stage, const char *name)
{
	struct swp_keys_entry entry;
	struct swp_problem problem = {""};

	assert_int_equal(swp_keys_revoke(stage->keys, name, &entry, &problem), 0);
}

static void make_worker(struct stage *stage, struct worker *worker, const char *name)
{
	struct swp_keyfile pair = {0};

	worker->stage = stage;
	snprintf(worker->name, sizeof(worker->name), "%s", name);
	assert_int_equal(swp_keys_create(stage->keys, name, &pair, NULL), 0);
	memcpy(worker->keys.public_key, pair.public_key, sizeof(worker->keys.public_key));
	assert_int_equal(swp_secret_copy(&worker->keys.secret_key, &pair.secret_key), 0);
	swp_keyfile_done(&pair);
}

static struct swp_fleet *open_fleet(struct stage *stage, struct swp_problem *problem)
{
	const struct swp_fleet_events events = {.greeted = greeted,
		.heartbeat = heartbeat,
		.done = done,
		.renew = renew,
		.given_back = given_back,
		.gone = gone,
		.context = stage};
	struct swp_bus_keys keys = {0};
	const struct swp_fleet_options options = {
		.endpoint = "tcp://127.0.0.1:0", .keys = &keys, .keys_folder = stage->keys};
	struct swp_fleet *fleet;

	memcpy(keys.public_key, stage->server.public_key, sizeof(keys.public_key));
	assert_int_equal(swp_secret_copy(&keys.secret_key, &stage->server.secret_key), 0);
	fleet = swp_fleet_new(stage->loop, &options, &events, problem);
	swp_bus_keys_done(&keys);
	return fleet;
}

static int set_up(void **state)
{
	struct stage *stage = calloc(1, sizeof(*stage));
	struct swp_problem problem = {""};

	swp_log_setup(stderr, SWP_LOG_TEXT, SWP_LOG_ERROR + 1, "test", swp_clock_system());
	stage->loop = swp_loop_new(swp_clock_system());
	snprintf(stage->top, sizeof(stage->top), "/tmp/swp-fleet-XXXXXX");
	assert_non_null(mkdtemp(stage->top));
	snprintf(stage->keys, sizeof(stage->keys), "%s/keys", stage->top);
	assert_int_equal(swp_keys_server(stage->keys, &stage->server, &problem), 0);
	make_worker(stage, &stage->workers[0], "a");
	make_worker(stage, &stage->workers[1], "b");
	allow(stage, "a");
	stage->fleet = open_fleet(stage, &problem);
	if (!stage->fleet)
		print_message("%s\n", problem.text);
	assert_non_null(stage->fleet);
	stage->plan = (struct swp_message_sweep){
		.sweep = "s", .catalogue = "c", .partition = "aws", .started_at_ms = 1};
	assert_int_equal(swp_fleet_add_plan(stage->fleet, &stage->plan, CATALOGUE, strlen(CATALOGUE)), 0);
	*state = stage;
	return 0;
}

static int remove_file(const char *file, void *context)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", (const char *)context, file);
	unlink(path);
	return 0;
}

static int tear_down(void **state)
{
	struct stage *stage = *state;
	char allowed[128];

	snprintf(allowed, sizeof(allowed), "%s/allowed", stage->keys);
	for (size_t i = 0; i < SWP_ARRAY_SIZE(stage->workers); i++) {
		swp_bus_client_free(stage->workers[i].client);
		swp_bus_keys_done(&stage->workers[i].keys);
	}
	swp_fleet_free(stage->fleet);
	swp_keyfile_done(&stage->server);
	swp_loop_free(stage->loop);
	chmod(allowed, 0700);
	swp_folder_list(allowed, "", remove_file, allowed);
	rmdir(allowed);
	swp_folder_list(stage->keys, "", remove_file, stage->keys);
	rmdir(stage->keys);
	rmdir(stage->top);
	free(stage);
	return 0;
}

static struct worker *greet(struct stage *stage, unsigned number)
{
	struct worker *worker = &stage->workers[number];
	int before = stage->greeted;

	connect_worker(worker);
	say_hello_as(worker, "host-1");
	run_until(stage, &stage->greeted, before + 1);
	assert_string_equal(stage->greeted_as, worker->name);
	run_until(stage, &worker->sweeps, 1);
	return worker;
}

/* --- the folder of keys --- */

static void test_revoked_in_the_middle(void **state)
{
	struct stage *stage = *state;
	struct worker *worker = greet(stage, 0);
	int64_t revoked_ms;
	uint64_t peer = stage->greeted_peer;

	say_done(worker);
	run_until(stage, &stage->done, 1);
	take_away(stage, "a");
	revoked_ms = swp_clock_monotonic_ms(swp_clock_system());
	run_until(stage, &stage->gone, 1);
	assert_true(stage->gone_peer == peer);
	if (!under_valgrind())
		assert_true(swp_clock_monotonic_ms(swp_clock_system()) - revoked_ms <= 1000);
	assert_int_equal(swp_fleet_count(stage->fleet), 0);
	assert_int_equal(
		swp_fleet_send(stage->fleet, peer, &(struct swp_message){.type = SWP_MESSAGE_HEARTBEAT}),
		-EHOSTUNREACH);
	/* Its connection has ended, and it is told why it gets no other. */
	run_until(stage, &worker->refusals, 1);
	assert_non_null(strstr(worker->why, "does not know our key"));
	assert_int_equal(stage->done, 1);
	assert_int_equal(swp_fleet_strangers(stage->fleet).revoked, 1);
	assert_true(swp_fleet_strangers(stage->fleet).refused_keys >= 1);
	/* Allowed again it comes by itself. */
	allow(stage, "a");
	say_hello_as(worker, "host-1");
	run_until(stage, &stage->greeted, 2);
	assert_string_equal(stage->greeted_as, "a");
	assert_true(stage->greeted_peer != peer);
}

/* What it sends between the loss of its key and the end of its connection counts for nothing. */
static void test_words_of_a_revoked_key(void **state)
{
	struct stage *stage = *state;
	struct worker *worker = greet(stage, 0);

	for (int i = 0; i < 100; i++)
		say_done(worker);
	usleep(200000); /* they are here, and the loop has not run */
	take_away(stage, "a");
	assert_int_equal(swp_fleet_reload(stage->fleet), 0);
	assert_int_equal(stage->gone, 1);
	run_for(stage, 500);
	assert_int_equal(stage->done, 0);
	assert_int_equal(swp_fleet_count(stage->fleet), 0);
}

static void test_allowed_in_the_middle(void **state)
{
	struct stage *stage = *state;
	struct worker *worker = &stage->workers[1];

	connect_worker(worker);
	run_until(stage, &worker->refusals, 1);
	assert_int_equal(swp_bus_client_send(worker->client, "x", 1), -EAGAIN);
	assert_true(swp_fleet_strangers(stage->fleet).refused_keys >= 1);
	assert_int_equal(swp_fleet_strangers(stage->fleet).broken_handshakes, 0);
	allow(stage, "b");
	say_hello_as(worker, "host-2");
	run_until(stage, &stage->greeted, 1);
	assert_string_equal(stage->greeted_as, "b");
}

static void test_another_name_is_another_worker(void **state)
{
	struct stage *stage = *state;
	char from[128], to[128];

	greet(stage, 0);
	snprintf(from, sizeof(from), "%s/allowed/a.pub", stage->keys);
	snprintf(to, sizeof(to), "%s/allowed/c.pub", stage->keys);
	assert_int_equal(rename(from, to), 0);
	assert_int_equal(swp_fleet_reload(stage->fleet), 0);
	assert_int_equal(stage->gone, 1);
	run_for(stage, 300); /* it notices that its connection has ended */
	say_hello_as(&stage->workers[0], "host-1");
	run_until(stage, &stage->greeted, 2);
	assert_string_equal(stage->greeted_as, "c");
}

static void test_a_folder_that_can_not_be_read_changes_nothing(void **state)
{
	struct stage *stage = *state;
	struct worker *worker = greet(stage, 0);
	char allowed[128];

	snprintf(allowed, sizeof(allowed), "%s/allowed", stage->keys);
	take_away(stage, "a");
	chmod(allowed, 0777);
	assert_int_equal(swp_fleet_reload(stage->fleet), -EPERM);
	assert_int_equal(swp_fleet_reload(stage->fleet), -EPERM);
	run_for(stage, 700);
	say_done(worker);
	run_until(stage, &stage->done, 1);
	assert_int_equal(stage->gone, 0);
	chmod(allowed, 0700);
	run_until(stage, &stage->gone, 1);
}

static void test_a_bad_file_keeps_nobody_out(void **state)
{
	struct stage *stage = *state;
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/allowed/b.pub", stage->keys);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs("public-key = \"", file);
	fclose(file);
	assert_int_equal(swp_fleet_reload(stage->fleet), 0);
	greet(stage, 0);
}

static void test_no_memory_to_read_the_keys(void **state)
{
	struct stage *stage = *state;

	greet(stage, 0);
	allow(stage, "b");
	for (unsigned long nth = 1; nth < 30; nth++) {
		swp_alloc_fail_at(nth, 0);
		int error = swp_fleet_reload(stage->fleet);
		swp_alloc_fail_at(0, 0);

		assert_true(error == 0 || error == -ENOMEM);
	}
	assert_int_equal(stage->gone, 0);
	assert_int_equal(swp_fleet_reload(stage->fleet), 0);
	greet(stage, 1);
}

static void test_keys_without_a_folder(void **state)
{
	struct stage *stage = *state;

	assert_int_equal(swp_fleet_allow(stage->fleet, stage->workers[1].keys.public_key, "local-1.1"), 0);
	assert_int_equal(swp_fleet_reload(stage->fleet), 0);
	connect_worker(&stage->workers[1]);
	say_hello_as(&stage->workers[1], "local-1.1");
	run_until(stage, &stage->greeted, 1);
	assert_string_equal(stage->greeted_as, "local-1.1");
	swp_fleet_disallow(stage->fleet, stage->workers[1].keys.public_key);
	say_done(&stage->workers[1]);
	run_for(stage, 300);
	assert_int_equal(stage->done, 0);
	assert_int_equal(swp_fleet_strangers(stage->fleet).revoked_messages, 1);
	swp_fleet_ended(stage->fleet, "local-1.1");
	assert_int_equal(stage->gone, 1);
}

static void test_a_folder_that_is_wrong_at_the_start(void **state)
{
	struct stage *stage = *state;
	struct swp_problem problem = {""};
	char allowed[128];

	snprintf(allowed, sizeof(allowed), "%s/allowed", stage->keys);
	chmod(allowed, 0720);
	assert_null(open_fleet(stage, &problem));
	assert_non_null(strstr(problem.text, "chmod 700"));
}

/* --- who does not behave --- */

static void test_a_name_of_another(void **state)
{
	struct stage *stage = *state;
	struct worker *liar = &stage->workers[1];

	allow(stage, "b");
	assert_int_equal(swp_fleet_reload(stage->fleet), 0);
	greet(stage, 0);
	connect_worker(liar);
	say_hello_as(liar, "a");
	run_for(stage, 500);
	assert_int_equal(stage->greeted, 1);
	assert_int_equal(liar->welcomes, 0);
	assert_int_equal(swp_fleet_strangers(stage->fleet).false_names, 1);
	assert_int_equal(swp_fleet_count(stage->fleet), 1);
	/* The honest one goes on, and so may the other one, under its own name. */
	say_done(&stage->workers[0]);
	run_until(stage, &stage->done, 1);
	say_hello_as(liar, "b");
	run_until(stage, &stage->greeted, 2);
	assert_string_equal(stage->greeted_as, "b");
}

static void test_too_many_broken_messages(void **state)
{
	struct stage *stage = *state;
	struct worker *worker = greet(stage, 0);
	const struct swp_message downwards = {.type = SWP_MESSAGE_END_SWEEP, .end_sweep = {.sweep = "s"}};

	for (int i = 0; i < 40; i++) {
		if (i % 2)
			say_bytes(worker, "\xc1nonsense", 9);
		else
			say(worker, &downwards);
	}
	say_done(worker);
	run_until(stage, &stage->gone, 1);
	run_for(stage, 300);
	assert_int_equal(stage->done, 0);
	assert_int_equal(swp_fleet_strangers(stage->fleet).violations, SWP_LIMIT_VIOLATIONS + 1);
	assert_int_equal(swp_fleet_strangers(stage->fleet).forgotten, 1);
	assert_int_equal(swp_fleet_count(stage->fleet), 0);
	/* It may begin anew. */
	say_hello_as(worker, "a");
	run_until(stage, &stage->greeted, 2);
}

static void test_several_frames_are_broken_messages(void **state)
{
	struct stage *stage = *state;
	const struct worker *worker = &stage->workers[0];
	void *context = zmq_ctx_new(), *raw = zmq_socket(context, ZMQ_DEALER);
	int linger = 0, violations = 0;

	zmq_setsockopt(raw, ZMQ_LINGER, &linger, sizeof(linger));
	zmq_setsockopt(raw, ZMQ_CURVE_SERVERKEY, stage->server.public_key, SWP_BUS_KEY_TEXT_BYTES);
	zmq_setsockopt(raw, ZMQ_CURVE_PUBLICKEY, worker->keys.public_key, SWP_BUS_KEY_TEXT_BYTES);
	zmq_setsockopt(
		raw, ZMQ_CURVE_SECRETKEY, swp_secret_text(&worker->keys.secret_key), SWP_BUS_KEY_TEXT_BYTES);
	assert_int_equal(zmq_connect(raw, swp_fleet_endpoint(stage->fleet)), 0);
	for (int i = 0; i < 40; i++) {
		assert_int_equal(zmq_send(raw, "a", 1, ZMQ_SNDMORE), 1);
		assert_int_equal(zmq_send(raw, "b", 1, 0), 1);
	}
	for (int i = 0; i < 100 && violations <= SWP_LIMIT_VIOLATIONS; i++) {
		run_for(stage, 50);
		violations = (int)swp_fleet_strangers(stage->fleet).violations;
	}
	run_for(stage, 200);
	assert_int_equal(swp_fleet_strangers(stage->fleet).violations, SWP_LIMIT_VIOLATIONS + 1);
	assert_int_equal(swp_fleet_strangers(stage->fleet).forgotten, 1);
	zmq_close(raw);
	zmq_ctx_term(context);
}

/* Who asks for the catalogue again and again is not sent it each time. */
static void test_the_catalogue_is_not_sent_without_end(void **state)
{
	struct stage *stage = *state;
	struct worker *worker = greet(stage, 0);
	const struct swp_message ask = {.type = SWP_MESSAGE_WANT_CATALOGUE, .want_catalogue = {.hash = "c"}};

	for (int i = 0; i < 50; i++)
		say(worker, &ask);
	run_until(stage, &worker->catalogues, 1);
	run_for(stage, 300);
	assert_true(worker->catalogues <= 8);
}

/* With all that it may hold, each named as long as AWS's names are. */
static void test_the_longest_greeting_is_let_through(void **state)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf bytes = {.secret = true};
	struct swp_wire_hold *holds = calloc(SWP_LIMIT_HOLDS, sizeof(*holds));
	struct swp_message message = {.type = SWP_MESSAGE_HELLO,
		.hello = {.protocol = SWP_WIRE_VERSION,
			.name = "n",
			.holds = holds,
			.hold_count = SWP_LIMIT_HOLDS}};

	(void)state;
	assert_non_null(holds);
	for (size_t i = 0; i < SWP_LIMIT_HOLDS; i++)
		holds[i] = (struct swp_wire_hold){.job = INT64_MAX,
			.epoch = INT64_MAX,
			.sweep = "20261127T203242Z-1eb27782-and-more-of-it",
			.account = "123456789012",
			.region = "ap-southeast-5-and-more-of-it"};
	assert_int_equal(swp_message_encode(&message, &bytes), 0);
	assert_true(bytes.length > SWP_LIMIT_WIRE_UP_BYTES / 4);
	assert_true(bytes.length <= SWP_LIMIT_WIRE_UP_BYTES);
	free(holds);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_revoked_in_the_middle),
		TEST(test_words_of_a_revoked_key),
		TEST(test_allowed_in_the_middle),
		TEST(test_another_name_is_another_worker),
		TEST(test_a_folder_that_can_not_be_read_changes_nothing),
		TEST(test_a_bad_file_keeps_nobody_out),
		TEST(test_no_memory_to_read_the_keys),
		TEST(test_keys_without_a_folder),
		TEST(test_a_folder_that_is_wrong_at_the_start),
		TEST(test_a_name_of_another),
		TEST(test_too_many_broken_messages),
		TEST(test_several_frames_are_broken_messages),
		TEST(test_the_catalogue_is_not_sent_without_end),
		cmocka_unit_test(test_the_longest_greeting_is_let_through),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
