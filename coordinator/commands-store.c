/* orgsweep store acl: what the users of the central Redis must be allowed. */
#include <errno.h>
#include <string.h>

#include "coordinator/commands.h"
#include "proto/base/text.h"
#include "proto/record/commands.h"

static int print_acl(struct swp_problem *problem)
{
	for (int role = 0; role < SWP_STORE_ROLE_COUNT; role++) {
		SWP_CLEANUP(swp_buf_done) struct swp_buf line = {0};
		int error = swp_store_role_acl((enum swp_store_role)role, &line);

		if (error)
			return error;
		if (puts(swp_buf_text(&line)) < 0)
			return swp_problem_set(
				problem, -EIO, "standard output can't be written: %s", strerror(errno));
	}
	if (fflush(stdout) != 0)
		return swp_problem_set(
			problem, -EIO, "standard output can't be written: %s", strerror(errno));
	fputs("These are lines of a users.acl file for Redis 6.2 and newer; behind the word `user` they are "
	      "what ACL "
	      "SETUSER takes.\n"
	      "Nobody can log in as these users until each has a password: redis-cli ACL SETUSER NAME "
	      "'>PASSWORD', then ACL SAVE.\n"
	      "docs/redis.md has the whole of it, and what Redis 7 could do more finely.\n",
		stderr);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(struct swp_problem *problem);
} actions[] = {
	{"acl", print_acl},
};

static int run(struct swp_settings *settings, struct swp_problem *problem)
{
	const char *word = settings->options.operands[0];

	for (size_t i = 0; i < SWP_ARRAY_SIZE(actions); i++)
		if (swp_text_equal(actions[i].name, word))
			return actions[i].run(problem);
	return swp_problem_set(
		problem, -EINVAL, "`orgsweep store` has no '%s'; usage: orgsweep store acl", word);
}

int swp_command_store(const struct swp_command_row *command, int argc, char *const *argv)
{
	return swp_command_run(command, argc, argv, run);
}
