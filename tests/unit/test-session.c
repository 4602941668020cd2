/* proto/wire/session.h: two ends, a clock in a variable. */
#include <errno.h>
#include <setjmp.h> /* cmocka.h wants it */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "proto/wire/session.h"

static enum swp_session_event say(
	struct swp_session *to, const struct swp_message *message, int64_t now_ms, struct swp_message *ret)
{
	struct swp_buf out = {.secret = true};
	enum swp_session_event event;

	assert_int_equal(swp_message_encode(message, &out), 0);
	event = swp_session_received(to, out.data, out.length, now_ms, ret);
	swp_buf_done(&out);
	return event;
}

static enum swp_session_event say_type(struct swp_session *to, enum swp_message_type type, int64_t now_ms)
{
	const struct swp_message message = {.type = type};
	struct swp_message answer;
	enum swp_session_event event = say(to, &message, now_ms, &answer);

	swp_message_done(&answer);
	return event;
}

static const struct swp_message hello = {
	.type = SWP_MESSAGE_HELLO, .hello = {.protocol = SWP_WIRE_VERSION, .name = "w"}};
static const struct swp_message welcome = {.type = SWP_MESSAGE_WELCOME,
	.welcome = {.protocol = SWP_WIRE_VERSION, .heartbeat_ms = 1000, .lease_ms = 15000}};

static void open_worker(struct swp_session *session, int64_t now_ms)
{
	struct swp_message message;

	swp_session_init(session, SWP_SESSION_WORKER, now_ms);
	assert_int_equal(swp_session_tick(session, now_ms), SWP_SESSION_GREET);
	assert_int_equal(say(session, &welcome, now_ms, &message), SWP_SESSION_ESTABLISHED);
	assert_int_equal(message.type, SWP_MESSAGE_WELCOME);
	swp_message_done(&message);
	assert_true(swp_session_is_open(session));
}

static void test_worker_greets_until_welcome(void **state)
{
	struct swp_session session;

	(void)state;
	swp_session_init(&session, SWP_SESSION_WORKER, 0);
	assert_int_equal(swp_session_next_ms(&session), 0);
	for (int64_t now_ms = 0; now_ms < 20000; now_ms += 1000) {
		assert_int_equal(swp_session_tick(&session, now_ms), SWP_SESSION_GREET);
		assert_int_equal(swp_session_tick(&session, now_ms), SWP_SESSION_NOTHING);
		assert_int_equal(swp_session_next_ms(&session), now_ms + 1000);
	}
}

static void test_worker_heartbeats_and_silence(void **state)
{
	struct swp_session session;

	(void)state;
	open_worker(&session, 0);
	assert_int_equal(swp_session_tick(&session, 999), SWP_SESSION_NOTHING);
	assert_int_equal(swp_session_tick(&session, 1000), SWP_SESSION_HEARTBEAT);
	assert_int_equal(say_type(&session, SWP_MESSAGE_HEARTBEAT, 1500), SWP_SESSION_NOTHING);
	for (int64_t now_ms = 2000; now_ms < 6500; now_ms += 1000)
		assert_int_equal(swp_session_tick(&session, now_ms), SWP_SESSION_HEARTBEAT);
	assert_int_equal(swp_session_next_ms(&session), 6500);
	assert_int_equal(swp_session_tick(&session, 6500), SWP_SESSION_LOST);
	assert_int_equal(swp_session_tick(&session, 6500), SWP_SESSION_GREET);
	assert_false(swp_session_is_open(&session));
	assert_int_equal(
		say_type(&session, SWP_MESSAGE_HEARTBEAT, 6600), SWP_SESSION_NOTHING); /* late, harmless */
	assert_int_equal(say_type(&session, SWP_MESSAGE_DRAIN, 6600), SWP_SESSION_VIOLATION);
	assert_int_equal(session.error, -EPROTO);
}

static void test_coordinator_leaves(void **state)
{
	struct swp_session session;

	(void)state;
	open_worker(&session, 0);
	assert_int_equal(say_type(&session, SWP_MESSAGE_BYE, 400), SWP_SESSION_LEFT);
	assert_false(swp_session_is_open(&session));
	assert_int_equal(
		say_type(&session, SWP_MESSAGE_BYE, 500), SWP_SESSION_VIOLATION); /* once is enough */
	assert_int_equal(swp_session_tick(&session, 1399), SWP_SESSION_NOTHING);
	assert_int_equal(swp_session_tick(&session, 1400), SWP_SESSION_GREET);
	assert_int_equal(say_type(&session, SWP_MESSAGE_HEARTBEAT, 1450), SWP_SESSION_NOTHING);
	assert_int_equal(say_type(&session, SWP_MESSAGE_WELCOME, 1500), SWP_SESSION_REFUSED); /* protocol 0 */
}

static void test_new_connection(void **state)
{
	struct swp_session session;
	struct swp_message message;

	(void)state;
	open_worker(&session, 0);
	swp_session_reconnected(&session, 300);
	assert_false(swp_session_is_open(&session));
	assert_int_equal(swp_session_next_ms(&session), 300);
	assert_int_equal(swp_session_tick(&session, 300), SWP_SESSION_GREET);
	assert_int_equal(say(&session, &welcome, 310, &message), SWP_SESSION_ESTABLISHED);
	swp_message_done(&message);
	swp_session_close(&session);
	swp_session_reconnected(&session, 400);
	assert_int_equal(session.state, SWP_SESSION_CLOSED); /* who said bye does not come back */
}

static void test_worker_refuses(void **state)
{
	struct swp_session session;
	struct swp_message other = welcome, message;

	(void)state;
	swp_session_init(&session, SWP_SESSION_WORKER, 0);
	assert_int_equal(
		say_type(&session, SWP_MESSAGE_DONE, 0), SWP_SESSION_VIOLATION); /* wrong direction */
	assert_int_equal(swp_session_received(&session, "\xc1", 1, 0, &message), SWP_SESSION_VIOLATION);
	assert_int_equal(session.error, -EBADMSG);
	assert_int_equal(session.violations, 2);
	other.welcome.protocol = 9;
	assert_int_equal(say(&session, &other, 0, &message), SWP_SESSION_REFUSED);
	assert_int_equal(message.welcome.protocol, 9);
	swp_message_done(&message);
	assert_int_equal(swp_session_next_ms(&session), INT64_MAX);
	assert_int_equal(swp_session_tick(&session, 100000), SWP_SESSION_NOTHING);
	assert_int_equal(say_type(&session, SWP_MESSAGE_DRAIN, 0), SWP_SESSION_NOTHING);
}

static void test_odd_times_are_not_believed(void **state)
{
	struct swp_session session;
	struct swp_message odd = welcome, message;

	(void)state;
	odd.welcome.heartbeat_ms = 0;
	swp_session_init(&session, SWP_SESSION_WORKER, 0);
	assert_int_equal(say(&session, &odd, 0, &message), SWP_SESSION_ESTABLISHED);
	swp_message_done(&message);
	assert_int_equal(session.heartbeat_ms, SWP_HEARTBEAT_MS);
	odd.welcome.heartbeat_ms = 200;
	assert_int_equal(say(&session, &odd, 0, &message), SWP_SESSION_ESTABLISHED);
	swp_message_done(&message);
	assert_int_equal(session.heartbeat_ms, 200);
	assert_int_equal(session.silence_ms, 1000);
}

static void test_coordinator(void **state)
{
	const struct swp_message done = {
		.type = SWP_MESSAGE_DONE, .done = {.job = 1, .epoch = 2, .how = SWP_DONE_SEALED}};
	struct swp_session session;
	struct swp_message message;

	(void)state;
	swp_session_init(&session, SWP_SESSION_COORDINATOR, 0);
	assert_int_equal(say(&session, &done, 0, &message), SWP_SESSION_VIOLATION); /* before the greeting */
	assert_int_equal(say(&session, &hello, 0, &message), SWP_SESSION_ESTABLISHED);
	assert_string_equal(message.hello.name, "w");
	swp_message_done(&message);
	assert_int_equal(say(&session, &done, 10, &message), SWP_SESSION_MESSAGE);
	assert_int_equal(message.done.epoch, 2);
	swp_message_done(&message);
	assert_int_equal(
		say_type(&session, SWP_MESSAGE_HEARTBEAT, 100), SWP_SESSION_MESSAGE); /* it names jobs */
	assert_int_equal(say_type(&session, SWP_MESSAGE_DRAIN, 100), SWP_SESSION_VIOLATION);
	assert_int_equal(swp_session_tick(&session, 1000), SWP_SESSION_HEARTBEAT);
	assert_int_equal(swp_session_tick(&session, 15099), SWP_SESSION_HEARTBEAT);
	assert_int_equal(swp_session_tick(&session, 15100), SWP_SESSION_LOST);
	assert_int_equal(swp_session_next_ms(&session), INT64_MAX);
}

static void test_bye_and_again(void **state)
{
	struct swp_session session;
	struct swp_message message;

	(void)state;
	swp_session_init(&session, SWP_SESSION_COORDINATOR, 0);
	for (int i = 0; i < 2; i++) { /* the second hello is the greeting after a silence */
		assert_int_equal(say(&session, &hello, 0, &message), SWP_SESSION_ESTABLISHED);
		swp_message_done(&message);
	}
	assert_int_equal(say_type(&session, SWP_MESSAGE_BYE, 5), SWP_SESSION_MESSAGE);
	assert_int_equal(session.state, SWP_SESSION_CLOSED);
	swp_session_init(&session, SWP_SESSION_COORDINATOR, 0);
	message = hello;
	message.hello.protocol = SWP_WIRE_VERSION + 2;
	assert_int_equal(say(&session, &message, 0, &message), SWP_SESSION_REFUSED);
	swp_message_done(&message);
	swp_session_init(&session, SWP_SESSION_COORDINATOR, 0);
	message = hello;
	message.hello.protocol = SWP_WIRE_VERSION + 1; /* the next version: they work together */
	assert_int_equal(say(&session, &message, 0, &message), SWP_SESSION_ESTABLISHED);
	swp_message_done(&message);
	swp_session_init(&session, SWP_SESSION_WORKER, 0);
	message = welcome;
	message.welcome.protocol = SWP_WIRE_VERSION + 1;
	assert_int_equal(say(&session, &message, 0, &message), SWP_SESSION_ESTABLISHED);
	swp_message_done(&message);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_worker_greets_until_welcome),
		cmocka_unit_test(test_worker_heartbeats_and_silence),
		cmocka_unit_test(test_worker_refuses),
		cmocka_unit_test(test_odd_times_are_not_believed),
		cmocka_unit_test(test_coordinator),
		cmocka_unit_test(test_bye_and_again),
		cmocka_unit_test(test_coordinator_leaves),
		cmocka_unit_test(test_new_connection),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
