/* Users, passwords and TLS files of the store; see the header. */
#include "proto/io/store-access.h"

#include <errno.h>
#include <string.h>

#include "proto/base/buf.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/io/files.h"

#define PASSWORD "ORGSWEEP_STORE_PASSWORD"
#define SENTINEL_PASSWORD "ORGSWEEP_STORE_SENTINEL_PASSWORD"

#define WORKER_USER "ORGSWEEP_STORE_WORKER_USER"
#define WORKER_PASSWORD "ORGSWEEP_STORE_WORKER_PASSWORD"
#define WORKER_PASSWORD_FILE "ORGSWEEP_STORE_WORKER_PASSWORD_FILE"
#define DEFAULT_USER "default" /* whom Redis takes for who names no user */

static const struct swp_store_variable variables[] = {
	{PASSWORD, "password of the store"},
	{SWP_STORE_PASSWORD_FILE, "file with the password of the store"},
	{WORKER_USER, "user of the store that a coordinator's local workers are", true},
	{WORKER_PASSWORD, "password of that user", true},
	{WORKER_PASSWORD_FILE, "file with the password of that user", true},
	{SWP_STORE_SENTINEL_USER, "user of the sentinels, where they have users"},
	{SENTINEL_PASSWORD, "password of the sentinels"},
	{SWP_STORE_SENTINEL_PASSWORD_FILE, "file with the password of the sentinels"},
	{SWP_STORE_CA_FILE, "certificates to trust for the store (PEM), instead of the system's"},
	{SWP_STORE_CERTIFICATE_FILE, "certificate to show to the store (PEM)"},
	{SWP_STORE_KEY_FILE, "its key (PEM)"},
};

const struct swp_store_variable *swp_store_variable(size_t index)
{
	return index < SWP_ARRAY_SIZE(variables) ? &variables[index] : NULL;
}

struct from {
	swp_store_environment environment;
	void *context;
};

/* NULL when unset or empty. */
static const char *get(const struct from *from, const char *name)
{
	const char *text = from->environment(name, from->context);

	return text && *text ? text : NULL;
}

/* Both passwords, one a line. */
static int split_lines(
	struct swp_store_access *access, const struct swp_buf *text, bool want_first, bool want_second)
{
	const char *line = swp_buf_text(text), *second = line + strcspn(line, "\r\n");
	size_t length = (size_t)(second - line);
	int error = want_first && length > 0 ? swp_secret_set(&access->password, line, length) : 0;

	second += strspn(second, "\r\n");
	length = strcspn(second, "\r\n");
	if (!error && want_second && length > 0)
		error = swp_secret_set(&access->sentinel_password, second, length);
	return error;
}

static int read_file(const char *path, struct swp_buf *text, struct swp_problem *problem)
{
	int error = swp_file_read(path, text, problem);

	while (!error && text->length > 0 && strchr("\r\n", text->data[text->length - 1]))
		swp_buf_truncate(text, text->length - 1);
	return error;
}

static int read_one(struct swp_secret *secret, const char *path, struct swp_problem *problem)
{
	SWP_CLEANUP(swp_buf_done)
	struct swp_buf text = {.secret = true, .limit_bytes = SWP_LIMIT_SECRET_BYTES};
	int error = path ? read_file(path, &text, problem) : 0;

	return !error && text.length > 0 ? swp_secret_set(secret, text.data, text.length) : error;
}

static int read_passwords(
	struct swp_store_access *access, const struct from *from, struct swp_problem *problem)
{
	const char *text = get(from, PASSWORD), *sentinel_text = get(from, SENTINEL_PASSWORD);
	const char *path = get(from, SWP_STORE_PASSWORD_FILE),
		   *sentinel_path = get(from, SWP_STORE_SENTINEL_PASSWORD_FILE);
	SWP_CLEANUP(swp_buf_done)
	struct swp_buf both = {.secret = true, .limit_bytes = SWP_LIMIT_SECRET_BYTES};
	int error = text ? swp_secret_set_text(&access->password, text) : 0;

	if (!error && sentinel_text)
		error = swp_secret_set_text(&access->sentinel_password, sentinel_text);
	if (!error && path && swp_text_equal(path, sentinel_path) && !(text && sentinel_text)) {
		error = read_file(path, &both, problem);
		return error ? error : split_lines(access, &both, !text, !sentinel_text);
	}
	if (!error && !text)
		error = read_one(&access->password, path, problem);
	if (!error && !sentinel_text)
		error = read_one(&access->sentinel_password, sentinel_path, problem);
	return error;
}

int swp_store_access_read(struct swp_store_access *access, swp_store_environment environment, void *context,
	struct swp_problem *problem)
{
	const struct from from = {environment, context};
	int error;

	if (problem)
		problem->text[0] = '\0';
	swp_store_access_done(access);
	access->sentinel_user = get(&from, SWP_STORE_SENTINEL_USER);
	access->ca_file = get(&from, SWP_STORE_CA_FILE);
	access->certificate_file = get(&from, SWP_STORE_CERTIFICATE_FILE);
	access->key_file = get(&from, SWP_STORE_KEY_FILE);
	error = read_passwords(access, &from, problem);
	if (!error && access->sentinel_user && !swp_secret_is_set(&access->sentinel_password))
		error = swp_problem_set(problem, -EINVAL,
			SWP_STORE_SENTINEL_USER
			" names the user %s, but there is no password: put it into " SENTINEL_PASSWORD,
			access->sentinel_user);
	if (error && problem && !problem->text[0])
		swp_problem_set(problem, error, "the store's password can't be kept: %s", strerror(-error));
	return error;
}

/* --- local workers --- */

static int check_worker(const struct swp_store_access *access, const char *text, const char *path,
	struct swp_problem *problem)
{
	if (text && path)
		return swp_problem_set(problem, -EINVAL,
			WORKER_PASSWORD " and " WORKER_PASSWORD_FILE " are both given; leave one out");
	if (!access->worker_user && (text || path))
		return swp_problem_set(problem, -EINVAL,
			"%s is given, but not whose password it is: put the user of the local workers "
			"into " WORKER_USER,
			text ? WORKER_PASSWORD : WORKER_PASSWORD_FILE);
	return 0;
}

int swp_store_access_read_worker(struct swp_store_access *access, swp_store_environment environment,
	void *context, struct swp_problem *problem)
{
	const struct from from = {environment, context};
	const char *text = get(&from, WORKER_PASSWORD), *path = get(&from, WORKER_PASSWORD_FILE);
	int error;

	access->worker_user = get(&from, WORKER_USER);
	error = check_worker(access, text, path, problem);
	if (!error)
		error = text ? swp_secret_set_text(&access->worker_password, text)
			     : read_one(&access->worker_password, path, problem);
	if (!error && access->worker_user && !swp_secret_is_set(&access->worker_password))
		error = swp_problem_set(problem, -EINVAL,
			WORKER_USER
			" names the user %s, but there is no password: put it into " WORKER_PASSWORD
			" or a file that " WORKER_PASSWORD_FILE " names",
			access->worker_user);
	return error;
}

int swp_store_access_apply_worker(const struct swp_store_access *access, const struct swp_store_options *own,
	struct swp_store_options *ret_options, struct swp_problem *problem)
{
	const char *own_user = own->address.user[0] ? own->address.user : DEFAULT_USER;

	*ret_options = *own;
	ret_options->password = &access->worker_password;
	if (!swp_store_address_set_user(&ret_options->address, access->worker_user))
		return swp_problem_set(problem, -EINVAL,
			WORKER_USER " is '%s'; a user has 1 to %zu bytes, and no space, control character, "
				    "colon, slash or @",
			access->worker_user, sizeof(own->address.user) - 1);
	if (swp_text_equal(own_user, access->worker_user))
		return swp_problem_set(problem, -EINVAL,
			WORKER_USER " is %s, which is the coordinator's own user; name another, of which "
				    "`orgsweep store acl` prints the rights, or leave it out",
			own_user);
	return 0;
}

/* --- all --- */

void swp_store_access_apply(const struct swp_store_access *access, struct swp_store_options *options)
{
	options->password = &access->password;
	options->sentinel_user = access->sentinel_user;
	options->sentinel_password = &access->sentinel_password;
	options->ca_file = access->ca_file;
	options->certificate_file = access->certificate_file;
	options->key_file = access->key_file;
}

void swp_store_access_done(struct swp_store_access *access)
{
	swp_secret_done(&access->password);
	swp_secret_done(&access->sentinel_password);
	swp_secret_done(&access->worker_password);
	*access = (struct swp_store_access){0};
}
