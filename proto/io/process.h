/* Children: they die with us (parent-death signal, parent rechecked), are watched by pidfd, and never inherit what they need not.
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
	const char *const *arguments;   /* NULL-terminated; [0] is looked up on PATH unless it has a slash */
	const char *const *environment; /* NULL-terminated NAME=VALUE; NULL: ours */
	int output_fd;                  /* for stdout, -1: /dev/null */
	int error_fd;                   /* for stderr, -1: /dev/null */
	const void *input;              /* written to its stdin (a pipe), then closed; NULL: /dev/null */
	size_t input_length;
	bool capture_output;            /* collect stdout (ceiling 1 MiB), given to `ended` */
	bool capture_secret;
};
typedef void (*swp_process_ended)(void *context, int wait_status, const char *output, size_t output_length);
/* NULL: `problem` tells (not found, fork failed). `ended` is called once, later. */
struct swp_process *swp_process_start(struct swp_loop *loop, const struct swp_process_options *options,
	swp_process_ended ended, void *context, struct swp_problem *problem);
pid_t swp_process_pid(const struct swp_process *process);
void swp_process_signal(struct swp_process *process, int number);
/* Kills (SIGKILL) and reaps if still running; no call-back any more. Takes NULL. */
void swp_process_free(struct swp_process *process);
/* For a program's start: core dumps off, not dumpable, SIGPIPE ignored. */
void swp_process_harden(void);
/* For a child's start: SIGKILL when the parent dies; exits at once if it is gone already. `expected_parent` from the parent. */
int swp_process_die_with_parent(pid_t expected_parent);

#endif
