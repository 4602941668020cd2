/* Children: they die with us (parent-death signal, parent rechecked), are watched by pidfd (a timer where there is none), and never inherit what they need not.
 */
#ifndef SWP_IO_PROCESS_H
#define SWP_IO_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "proto/base/buf.h"
#include "proto/base/error.h"
#include "proto/io/loop.h"

struct swp_process; /* opaque */

struct swp_process_options {
	const char *const *arguments;	/* NULL-terminated; [0] is looked up on PATH unless it has a slash */
	const char *const *environment; /* NULL-terminated NAME=VALUE; NULL: ours */
	int output_fd;			/* for stdout, -1: /dev/null */
	int error_fd;			/* for stderr, -1: /dev/null */
	const void *input;		/* written to its stdin (a pipe), then closed; NULL: /dev/null */
	size_t input_length;
	bool capture_output; /* collect stdout, given to `ended`; `output_fd` does not count then */
	bool capture_secret; /* what is captured and `input` are wiped */
	bool shares_terminal; /* stays in our process group, so that Ctrl-C reaches it too; else it has its own */
};
/* `output` is borrowed until return. It is NULL when nothing was captured, and when it went above SWP_LIMIT_OUTPUT_BYTES:
 * the child was killed for that. What grandchildren write after the child's end is not waited for. */
typedef void (*swp_process_ended)(void *context, int wait_status, const char *output, size_t output_length);
/* Everything in `options` is copied. NULL: `problem` tells (not found, may not be run, no more processes). `ended` (may be
 * NULL) is called once, later; it may free the process. The child has the three descriptors, an empty signal mask,
 * default signal actions for what we ignore, and dies with us. */
struct swp_process *swp_process_start(struct swp_loop *loop, const struct swp_process_options *options,
	swp_process_ended ended, void *context, struct swp_problem *problem);
/* 0 once it has ended. */
pid_t swp_process_pid(const struct swp_process *process);
/* Nothing happens when it has ended already. */
void swp_process_signal(struct swp_process *process, int number);
/* Kills (SIGKILL, its whole process group unless it shares ours) and reaps if still running; no call-back any more.
 * Takes NULL. */
void swp_process_free(struct swp_process *process);
/* For a program's start: core dumps off, not dumpable (but under AddressSanitizer, whose leak search must be able to attach),
 * SIGPIPE ignored. */
void swp_process_harden(void);
/* As many descriptors as the system lets this user have: the usual 1,024 are fewer than a fleet's connections, and a stranger's
 * would keep ours from being made. */
void swp_process_raise_descriptors(void);
/* For a child's start: SIGKILL when the parent dies; exits at once (status 1) if it is gone already. `expected_parent` is
 * what the parent's getpid() said before the fork. 0 or a negative errno. */
int swp_process_die_with_parent(pid_t expected_parent);

#endif
