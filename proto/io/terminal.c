/* One question at a time on /dev/tty. */
#include "proto/io/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <termios.h>
#include <unistd.h>

#include "proto/base/alloc.h"
#include "proto/base/secret.h"

#define ANSWER_BYTES 256 /* a code has six digits; a line of a terminal has at most 4096 bytes */

struct swp_terminal {
	struct swp_loop *loop;
	int fd;
	struct termios before; /* while quiet */
	bool quiet;
	struct swp_watch watch;
	struct swp_credential_prompt prompt;
	struct swp_credential_source *asker; /* borrowed; NULL: no question is open */
	char answer[ANSWER_BYTES];
	size_t length;
};

static void write_text(const struct swp_terminal *terminal, const char *text)
{
	size_t length = strlen(text);
	while (length) {
		ssize_t count = write(terminal->fd, text, length);
		if (count <= 0)
			return; /* a question that can't be shown will not be answered; the person can still cancel */
		text += count;
		length -= (size_t)count;
	}
}

static void set_echo(struct swp_terminal *terminal, bool on)
{
	if (!on && !terminal->quiet && tcgetattr(terminal->fd, &terminal->before) == 0) {
		struct termios quiet = terminal->before;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		terminal->quiet = tcsetattr(terminal->fd, TCSANOW, &quiet) == 0;
	} else if (on && terminal->quiet) {
		tcsetattr(terminal->fd, TCSANOW, &terminal->before);
		terminal->quiet = false;
	}
}

static void end_question(struct swp_terminal *terminal)
{
	if (terminal->watch.fd >= 0)
		swp_watch_remove(&terminal->watch);
	if (terminal->quiet)
		write_text(terminal, "\n");
	set_echo(terminal, true);
	terminal->asker = NULL;
}

static void give_answer(struct swp_terminal *terminal, bool answered)
{
	struct swp_credential_source *asker = terminal->asker;
	char answer[ANSWER_BYTES];
	memcpy(answer, terminal->answer, sizeof(answer));
	answer[terminal->length] = 0;
	swp_wipe(terminal->answer, sizeof(terminal->answer));
	end_question(terminal);
	swp_credential_source_code(asker, answered ? answer : NULL);
	swp_wipe(answer, sizeof(answer));
}

static void ready(struct swp_watch *watch, uint32_t epoll_events)
{
	(void)epoll_events;
	struct swp_terminal *terminal = SWP_CONTAINER_OF(watch, struct swp_terminal, watch);
	ssize_t count = read(terminal->fd, terminal->answer + terminal->length,
		sizeof(terminal->answer) - 1 - terminal->length);
	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (count <= 0) {
		give_answer(terminal, false);
		return;
	}
	terminal->length += (size_t)count;
	const char *end = memchr(terminal->answer, '\n', terminal->length);
	if (end)
		terminal->length = (size_t)(end - terminal->answer);
	if (end || terminal->length == sizeof(terminal->answer) - 1)
		give_answer(terminal, true);
}

static void ask(void *context, struct swp_credential_source *source, const char *question)
{
	struct swp_terminal *terminal = context;
	terminal->asker = source;
	terminal->length = 0;
	set_echo(terminal, false);
	write_text(terminal, question);
	if (swp_watch_add(&terminal->watch, terminal->loop, terminal->fd, EPOLLIN, ready) < 0) {
		terminal->watch.fd = -1;
		give_answer(terminal, false);
	}
}

static void cancel(void *context)
{
	end_question(context);
}

struct swp_terminal *swp_terminal_new_on(struct swp_loop *loop, int fd)
{
	struct swp_terminal *terminal = swp_calloc(1, sizeof(*terminal));
	if (!terminal) {
		close(fd);
		return NULL;
	}
	terminal->loop = loop;
	terminal->fd = fd;
	terminal->watch.fd = -1;
	terminal->prompt = (struct swp_credential_prompt){.ask = ask, .cancel = cancel, .context = terminal};
	return terminal;
}

struct swp_terminal *swp_terminal_new(struct swp_loop *loop)
{
	int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? NULL : swp_terminal_new_on(loop, fd);
}

void swp_terminal_free(struct swp_terminal *terminal)
{
	if (!terminal)
		return;
	end_question(terminal);
	swp_wipe(terminal->answer, sizeof(terminal->answer));
	close(terminal->fd);
	swp_free(terminal);
}

const struct swp_credential_prompt *swp_terminal_prompt(struct swp_terminal *terminal)
{
	return &terminal->prompt;
}
