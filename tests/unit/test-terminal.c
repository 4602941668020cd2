/* Asking on a terminal: a pair of pseudo-terminals, the person at the other end is the test. */
#include <fcntl.h>
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/base/alloc.h"
#include "proto/io/terminal.h"

static unsigned answers;
static char answered[300];
static struct swp_credential_source *answered_for;
static char stands_for_a_source;

/* Stands in for the source's. */
void swp_credential_source_code(struct swp_credential_source *source, const char *code)
{
	answers++;
	answered_for = source;
	snprintf(answered, sizeof(answered), "%s", code ? code : "(none)");
}

struct fixture {
	struct swp_loop *loop;
	struct swp_terminal *terminal;
	int person; /* the other end */
	int peek;   /* the terminal itself, to see its modes */
};

static int setup(void **state)
{
	static struct fixture fixture;
	int own;
	answers = 0;
	fixture = (struct fixture){.loop = swp_loop_new(swp_clock_system())};
	if (!fixture.loop || openpty(&fixture.person, &own, NULL, NULL, NULL) < 0)
		return -1;
	fixture.peek = dup(own);
	fcntl(own, F_SETFL, O_NONBLOCK);
	fixture.terminal = swp_terminal_new_on(fixture.loop, own);
	*state = &fixture;
	return fixture.terminal ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;
	swp_terminal_free(fixture->terminal);
	swp_loop_free(fixture->loop);
	if (fixture->person >= 0)
		close(fixture->person);
	close(fixture->peek);
	return 0;
}

static void put_question(const struct fixture *fixture)
{
	const struct swp_credential_prompt *prompt = swp_terminal_prompt(fixture->terminal);
	prompt->ask(prompt->context, (struct swp_credential_source *)(void *)&stands_for_a_source, "Code: ");
}

static void turn(const struct fixture *fixture)
{
	for (int i = 0; i < 3; i++)
		assert_int_equal(swp_loop_step(fixture->loop, 5), 0);
}

static void type(const struct fixture *fixture, const char *text)
{
	assert_int_equal(write(fixture->person, text, strlen(text)), (ssize_t)strlen(text));
	turn(fixture);
}

static bool echoes(const struct fixture *fixture)
{
	struct termios modes;
	assert_int_equal(tcgetattr(fixture->peek, &modes), 0);
	return (modes.c_lflag & ECHO) != 0;
}

static void read_screen(const struct fixture *fixture, char *text, size_t size)
{
	ssize_t count = read(fixture->person, text, size - 1);
	text[count > 0 ? count : 0] = 0;
}

static void question_and_answer(void **state)
{
	const struct fixture *fixture = *state;
	char screen[100];
	put_question(fixture);
	read_screen(fixture, screen, sizeof(screen));
	assert_string_equal(screen, "Code: ");
	assert_false(echoes(fixture));
	type(fixture, "123");
	assert_int_equal(answers, 0);
	type(fixture, "456\n");
	assert_int_equal(answers, 1);
	assert_string_equal(answered, "123456");
	assert_ptr_equal(answered_for, &stands_for_a_source);
	assert_true(echoes(fixture));
	read_screen(fixture, screen, sizeof(screen));
	assert_string_equal(screen, "\r\n"); /* and nothing of the code */
	put_question(fixture);
	type(fixture, "654321\n");
	assert_int_equal(answers, 2);
	assert_string_equal(answered, "654321");
}

static void no_answer(void **state)
{
	struct fixture *fixture = *state;
	put_question(fixture);
	type(fixture, "\x04"); /* end of file */
	assert_int_equal(answers, 1);
	assert_string_equal(answered, "(none)");
	assert_true(echoes(fixture));
	put_question(fixture);
	close(fixture->person); /* hang-up */
	fixture->person = -1;
	turn(fixture);
	assert_int_equal(answers, 2);
	assert_string_equal(answered, "(none)");
}

static void cancelled(void **state)
{
	const struct fixture *fixture = *state;
	const struct swp_credential_prompt *prompt = swp_terminal_prompt(fixture->terminal);
	put_question(fixture);
	prompt->cancel(prompt->context);
	assert_true(echoes(fixture));
	type(fixture, "123456\n");
	assert_int_equal(answers, 0);
}

static void long_answer(void **state)
{
	const struct fixture *fixture = *state;
	char line[602];
	memset(line, '1', sizeof(line) - 2);
	memcpy(line + sizeof(line) - 2, "\n", 2);
	put_question(fixture);
	type(fixture, line);
	assert_int_equal(answers, 1);
	assert_int_equal(strlen(answered), 255);
}

static void failing_allocation(void **state)
{
	const struct fixture *fixture = *state;
	swp_alloc_fail_at(1, 0);
	assert_null(swp_terminal_new_on(fixture->loop, dup(fixture->peek)));
	swp_alloc_fail_at(0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(question_and_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(no_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(cancelled, setup, teardown),
		cmocka_unit_test_setup_teardown(long_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(failing_allocation, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
