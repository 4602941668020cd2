/* The connections of a listener by descriptor: real sockets, and the events that libzmq's thread would tell, in any order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/io/bus-common.h"
#include "proto/io/bus-connections.h"

#define PAIRS 4
#define LOCALHOST "127.0.0.1"

struct stage {
	struct swp_bus_connections *connections;
	int listener, other_listener;
	struct {
		int near, far; /* accepted, and its other end */
	} pairs[PAIRS];
	char address[SWP_BUS_ADDRESS_BYTES];
	uint64_t serial;
};

static int listen_somewhere(char *endpoint, size_t size)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	snprintf(endpoint, size, "tcp://127.0.0.1:%u", ntohs(address.sin_port));
	return fd;
}

static int accept_one(int listener, int *ret_far)
{
	struct sockaddr_in address;
	socklen_t length = sizeof(address);
	int near;

	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
	*ret_far = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(*ret_far, (struct sockaddr *)&address, sizeof(address)), 0);
	near = accept(listener, NULL, NULL);
	assert_true(near >= 0);
	return near;
}

static int set_up(void **state)
{
	struct stage *stage = calloc(1, sizeof(*stage));
	char endpoint[64], other[64];

	stage->listener = listen_somewhere(endpoint, sizeof(endpoint));
	stage->other_listener = listen_somewhere(other, sizeof(other));
	stage->connections = swp_bus_connections_new(endpoint);
	assert_non_null(stage->connections);
	for (size_t i = 0; i < PAIRS; i++)
		stage->pairs[i].near = accept_one(stage->listener, &stage->pairs[i].far);
	*state = stage;
	return 0;
}

static int tear_down(void **state)
{
	struct stage *stage = *state;

	swp_bus_connections_free(stage->connections);
	for (size_t i = 0; i < PAIRS; i++) {
		close(stage->pairs[i].near);
		close(stage->pairs[i].far);
	}
	close(stage->listener);
	close(stage->other_listener);
	free(stage);
	return 0;
}

static void accepted(struct stage *stage, size_t index, uint64_t order)
{
	assert_int_equal(
		swp_bus_connections_accepted(stage->connections, stage->pairs[index].near, order, 1000), 0);
}

static enum swp_bus_ending ended(struct stage *stage, size_t index, int64_t now_ms)
{
	return swp_bus_connections_ended(
		stage->connections, stage->pairs[index].near, now_ms, stage->address, &stage->serial);
}

static bool is_over(int far)
{
	char byte;

	return recv(far, &byte, 1, MSG_DONTWAIT) == 0;
}

static void test_how_they_end(void **state)
{
	struct stage *stage = *state;

	for (size_t i = 0; i < PAIRS; i++)
		accepted(stage, i, i + 1);
	assert_int_equal(ended(stage, 0, 1500), SWP_BUS_ENDING_UNHEARD);
	assert_true(strncmp(stage->address, LOCALHOST ":", strlen(LOCALHOST ":")) == 0);
	assert_int_equal(stage->serial, 0);
	assert_int_equal(ended(stage, 0, 1500), SWP_BUS_ENDING_TOLD);
	assert_string_equal(stage->address, "");
	assert_int_equal(ended(stage, 1, 1000 + SWP_BUS_HANDSHAKE_MS), SWP_BUS_ENDING_HALF_OPEN);
	swp_bus_connections_heard(stage->connections, stage->pairs[2].near, 10);
	assert_int_equal(swp_bus_connections_unheard(stage->connections), 1);
	assert_int_equal(swp_bus_connections_count(stage->connections), 2);
	assert_int_equal(ended(stage, 2, 99000), SWP_BUS_ENDING_HEARD);
	assert_int_equal(stage->serial, 10);
	swp_bus_connections_heard(stage->connections, stage->pairs[3].near, 11);
	swp_bus_connections_told(stage->connections, stage->pairs[3].near, 11);
	assert_int_equal(ended(stage, 3, 99000), SWP_BUS_ENDING_TOLD);
}

static void test_forgotten_and_heard_again(void **state)
{
	struct stage *stage = *state;

	accepted(stage, 0, 1);
	swp_bus_connections_heard(stage->connections, stage->pairs[0].near, 2);
	swp_bus_connections_told(stage->connections, stage->pairs[0].near, 2);
	swp_bus_connections_heard(stage->connections, stage->pairs[0].near, 2);
	assert_int_equal(ended(stage, 0, 99000), SWP_BUS_ENDING_HEARD);
}

/* A message that came by an earlier connection with the same descriptor says nothing of this one, and cuts nothing off. */
static void test_a_descriptor_that_came_again(void **state)
{
	struct stage *stage = *state;

	accepted(stage, 0, 1);
	accepted(stage, 0, 5); /* the end of the first was not told */
	swp_bus_connections_heard(stage->connections, stage->pairs[0].near, 2);
	assert_int_equal(swp_bus_connections_unheard(stage->connections), 1);
	swp_bus_connections_cut(stage->connections, stage->pairs[0].near, 2);
	assert_false(is_over(stage->pairs[0].far));
	swp_bus_connections_heard(stage->connections, stage->pairs[0].near, 6);
	swp_bus_connections_cut(stage->connections, stage->pairs[0].near, 2);
	assert_false(is_over(stage->pairs[0].far));
	swp_bus_connections_cut(stage->connections, stage->pairs[0].near, 6);
	assert_true(is_over(stage->pairs[0].far));
	assert_int_equal(ended(stage, 0, 1500), SWP_BUS_ENDING_TOLD);
}

/* libzmq has closed it, and its number is another socket's by now: that one is left alone. */
static void test_a_descriptor_of_something_else(void **state)
{
	struct stage *stage = *state;
	int far, near;

	accepted(stage, 0, 1);
	swp_bus_connections_heard(stage->connections, stage->pairs[0].near, 2);
	near = accept_one(stage->listener, &far); /* of the same listener, from another port */
	assert_int_equal(dup2(near, stage->pairs[0].near), stage->pairs[0].near);
	close(near);
	swp_bus_connections_cut(stage->connections, stage->pairs[0].near, 2);
	assert_false(is_over(far));
	close(far);
	accepted(stage, 1, 3);
	swp_bus_connections_heard(stage->connections, stage->pairs[1].near, 4);
	near = accept_one(stage->other_listener, &far);
	assert_int_equal(dup2(near, stage->pairs[1].near), stage->pairs[1].near);
	close(near);
	swp_bus_connections_cut(stage->connections, stage->pairs[1].near, 4);
	assert_false(is_over(far));
	close(far);
	/* And one that was another's from the beginning. */
	stage->pairs[2].near = accept_one(stage->other_listener, &far);
	accepted(stage, 2, 5);
	swp_bus_connections_heard(stage->connections, stage->pairs[2].near, 6);
	swp_bus_connections_cut(stage->connections, stage->pairs[2].near, 6);
	assert_false(is_over(far));
	close(far);
}

/* Which connection a refused key came by is not told: as many ends are no news as keys were refused. */
static void test_refused_ones(void **state)
{
	struct stage *stage = *state;

	for (size_t i = 0; i < PAIRS; i++)
		accepted(stage, i, i + 1);
	swp_bus_connections_refused(stage->connections, "10.1.2.3", strlen("10.1.2.3"));
	swp_bus_connections_refused(stage->connections, "127.0.0.10", strlen("127.0.0.10"));
	swp_bus_connections_refused(stage->connections, "", 0);
	swp_bus_connections_refused(stage->connections, LOCALHOST, strlen(LOCALHOST));
	swp_bus_connections_refused(stage->connections, "::ffff:" LOCALHOST, strlen("::ffff:" LOCALHOST));
	/* The newest were taken for them; one of these is an honest worker's. */
	swp_bus_connections_heard(stage->connections, stage->pairs[3].near, 10);
	assert_int_equal(ended(stage, 0, 1500), SWP_BUS_ENDING_TOLD);
	assert_int_equal(ended(stage, 1, 1500), SWP_BUS_ENDING_TOLD);
	assert_int_equal(ended(stage, 2, 1500), SWP_BUS_ENDING_UNHEARD);
	assert_int_equal(ended(stage, 3, 1500), SWP_BUS_ENDING_HEARD);
}

static void test_the_oldest_goes_first(void **state)
{
	struct stage *stage = *state;

	for (size_t i = 0; i < PAIRS; i++)
		accepted(stage, i, i + 1);
	assert_false(swp_bus_connections_cut_unheard(stage->connections, PAIRS, 5000, 5999, stage->address));
	swp_bus_connections_heard(stage->connections, stage->pairs[0].near, 10);
	assert_true(swp_bus_connections_cut_unheard(stage->connections, 2, INT64_MAX, 1500, stage->address));
	assert_true(is_over(stage->pairs[1].far));
	assert_int_equal(ended(stage, 1, 1500), SWP_BUS_ENDING_TOLD);
	assert_false(swp_bus_connections_cut_unheard(stage->connections, 2, INT64_MAX, 1500, stage->address));
	assert_true(
		swp_bus_connections_cut_unheard(stage->connections, SIZE_MAX, 5000, 6000, stage->address));
	assert_true(is_over(stage->pairs[2].far));
	assert_true(
		swp_bus_connections_cut_unheard(stage->connections, SIZE_MAX, 5000, 6000, stage->address));
	assert_false(
		swp_bus_connections_cut_unheard(stage->connections, SIZE_MAX, 5000, 6000, stage->address));
	assert_false(is_over(stage->pairs[0].far));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_how_they_end),
		TEST(test_forgotten_and_heard_again),
		TEST(test_a_descriptor_that_came_again),
		TEST(test_a_descriptor_of_something_else),
		TEST(test_refused_ones),
		TEST(test_the_oldest_goes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
