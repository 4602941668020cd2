/* The commands of the command line, one function each: words after the command's name in, exit code out.
 */
#ifndef SWP_COORDINATOR_COMMANDS_H
#define SWP_COORDINATOR_COMMANDS_H

#include "coordinator/options.h"
#include "coordinator/settings.h"

#define SWP_EXIT_OK 0
#define SWP_EXIT_FOUND 1 /* doctor: something is to be fixed */
#define SWP_EXIT_COULD_NOT 2
#define SWP_EXIT_LOST 5 /* store or output lost on the way */

int swp_command_sweep(const struct swp_command_row *command, int argc, char *const *argv);
int swp_command_keys(const struct swp_command_row *command, int argc, char *const *argv);
int swp_command_demo(const struct swp_command_row *command, int argc, char *const *argv);
int swp_command_report(const struct swp_command_row *command, int argc, char *const *argv);
int swp_command_checks(const struct swp_command_row *command, int argc, char *const *argv);
int swp_command_chains(const struct swp_command_row *command, int argc, char *const *argv);
int swp_command_status(const struct swp_command_row *command, int argc, char *const *argv);
int swp_command_serve(const struct swp_command_row *command, int argc, char *const *argv);
int swp_command_cancel(const struct swp_command_row *command, int argc, char *const *argv);
int swp_command_drain(const struct swp_command_row *command, int argc, char *const *argv);
int swp_command_store(const struct swp_command_row *command, int argc, char *const *argv);
int swp_command_doctor(const struct swp_command_row *command, int argc, char *const *argv);

/* A command that either does its work or says why not: settings are read, --help answered, `run` called (0, or an errno of either
 * sign; `problem` tells), the problem told on standard error. SWP_EXIT_OK or SWP_EXIT_COULD_NOT. */
int swp_command_run(const struct swp_command_row *command, int argc, char *const *argv,
	int (*run)(struct swp_settings *settings, struct swp_problem *problem));
/* "orgsweep: …" on standard error, neutralized. */
void swp_command_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The last line of a sweep: "exit N: why". Returns the code. */
int swp_command_exit_line(int code, const char *why);
/* Is standard error a terminal, and NO_COLOR unset? */
bool swp_command_colour(void);
/* Handles --help: prints and returns true. */
bool swp_command_helped(const struct swp_settings *settings);

/* A store to read from: --store, or the private one of the state folder, started for the while. Steps the loop until it is up. */
struct swp_reading; /* opaque */
int swp_reading_open(
	struct swp_settings *settings, struct swp_reading **ret_reading, struct swp_problem *problem);
/* Is the store reached, and are we let in, as these options say? 0, or a negative errno; `problem` tells. */
int swp_reading_try(const struct swp_store_options *store, struct swp_problem *problem);
const struct swp_asker *swp_reading_asker(const struct swp_reading *reading);
void swp_reading_close(struct swp_reading *reading); /* takes NULL */
/* "latest" or an id → the id of a sweep that the store holds. -ENOENT. */
int swp_reading_find_sweep(const struct swp_asker *asker, const char *word, char *ret_id, size_t size,
	struct swp_problem *problem);
/* The same among sweeps that did not end: `latest` is the newest of them. A finished one is found by its id, too. */
int swp_reading_find_unfinished(const struct swp_asker *asker, const char *word, char *ret_id, size_t size,
	struct swp_problem *problem);

#endif
