/* CURVE key files as text. */
#include "proto/wire/keyfile.h"

#include <errno.h>
#include <string.h>

#include "proto/base/limits.h"

#define KEY_LENGTH (SWP_KEYFILE_KEY_BYTES - 1)

void swp_keyfile_done(struct swp_keyfile *keyfile)
{
	swp_secret_done(&keyfile->secret_key);
	memset(keyfile->public_key, 0, sizeof(keyfile->public_key));
}

bool swp_keyfile_is_key(const char *text, size_t length)
{
	/* ZeroMQ RFC 32 */
	static const char alphabet[] =
		"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

	if (length != KEY_LENGTH)
		return false;
	for (size_t i = 0; i < length; i++)
		if (text[i] == '\0' || !strchr(alphabet, text[i]))
			return false;
	return true;
}

struct line {
	const char *text;
	size_t length;
	unsigned number; /* from 1 */
};

static void trim(struct line *line)
{
	while (line->length && (line->text[0] == ' ' || line->text[0] == '\t')) {
		line->text++;
		line->length--;
	}
	while (line->length && strchr(" \t\r", line->text[line->length - 1]))
		line->length--;
}

/* name = "value" → what stands between the quotes, or false. */
static bool value_of(const struct line *line, const char *name, struct line *ret_value)
{
	size_t name_length = strlen(name);
	struct line rest = *line;

	if (rest.length < name_length || memcmp(rest.text, name, name_length) != 0)
		return false;
	rest.text += name_length;
	rest.length -= name_length;
	trim(&rest);
	if (rest.length == 0 || rest.text[0] != '=')
		return false;
	rest.text++;
	rest.length--;
	trim(&rest);
	if (rest.length < 2 || rest.text[0] != '"' || rest.text[rest.length - 1] != '"')
		return false;
	rest.text++;
	rest.length -= 2;
	*ret_value = rest;
	return true;
}

static int take_public(
	struct swp_keyfile *keyfile, const char *name, const struct line *value, struct swp_problem *problem)
{
	if (keyfile->public_key[0])
		return swp_problem_set(
			problem, -EINVAL, "%s:%u: public-key is there twice", name, value->number);
	memcpy(keyfile->public_key, value->text, KEY_LENGTH);
	keyfile->public_key[KEY_LENGTH] = '\0';
	return 0;
}

static int take_secret(
	struct swp_keyfile *keyfile, const char *name, const struct line *value, struct swp_problem *problem)
{
	if (swp_secret_is_set(&keyfile->secret_key))
		return swp_problem_set(
			problem, -EINVAL, "%s:%u: secret-key is there twice", name, value->number);
	return swp_secret_set(&keyfile->secret_key, value->text, KEY_LENGTH);
}

static const struct key_line {
	const char *name;
	int (*take)(struct swp_keyfile *keyfile, const char *name, const struct line *value,
		struct swp_problem *problem);
} key_lines[] = {
	{"public-key", take_public},
	{"secret-key", take_secret},
};

/* Never shows the line: it may hold a secret. */
static int take_line(
	struct swp_keyfile *keyfile, const char *name, const struct line *line, struct swp_problem *problem)
{
	struct line value;

	if (line->length == 0 || line->text[0] == '#')
		return 0;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(key_lines); i++) {
		if (!value_of(line, key_lines[i].name, &value))
			continue;
		if (!swp_keyfile_is_key(value.text, value.length))
			return swp_problem_set(problem, -EINVAL, "%s:%u: %s is not 40 characters of Z85",
				name, line->number, key_lines[i].name);
		return key_lines[i].take(keyfile, name, &value, problem);
	}
	return swp_problem_set(problem, -EINVAL, "%s:%u: neither public-key = \"…\" nor secret-key = \"…\"",
		name, line->number);
}

static int take_lines(struct swp_keyfile *keyfile, const char *name, const char *text, size_t length,
	struct swp_problem *problem)
{
	struct line line = {text, 0, 0};
	const char *end = text + length;
	int r = 0;

	while (r == 0 && line.text < end) {
		const char *newline = memchr(line.text, '\n', (size_t)(end - line.text));
		const char *next = newline ? newline + 1 : end;

		line.length = (size_t)((newline ? newline : end) - line.text);
		line.number++;
		trim(&line);
		r = take_line(keyfile, name, &line, problem);
		line.text = next;
	}
	return r;
}

int swp_keyfile_parse(const char *name, const char *text, size_t length, bool want_secret,
	struct swp_keyfile *ret_keyfile, struct swp_problem *problem)
{
	struct swp_keyfile keyfile = {0};
	int r;

	if (length > SWP_LIMIT_KEYFILE_BYTES)
		return swp_problem_set(problem, -EINVAL, "%s is too long for a key file", name);
	r = length ? take_lines(&keyfile, name, text, length, problem) : 0;
	if (r == 0 && !keyfile.public_key[0])
		r = swp_problem_set(problem, -EINVAL, "%s has no public-key line", name);
	if (r == 0 && want_secret && !swp_secret_is_set(&keyfile.secret_key))
		r = swp_problem_set(problem, -EINVAL,
			"%s has no secret-key line; give the NAME.key file, not NAME.pub", name);
	if (r < 0) {
		swp_keyfile_done(&keyfile);
		return r;
	}
	if (!want_secret)
		swp_secret_done(&keyfile.secret_key);
	*ret_keyfile = keyfile;
	return 0;
}

int swp_keyfile_format(const struct swp_keyfile *keyfile, bool with_secret, struct swp_buf *out)
{
	if (!swp_keyfile_is_key(keyfile->public_key, strlen(keyfile->public_key)))
		return -EINVAL;
	if (with_secret &&
		!swp_keyfile_is_key(swp_secret_text(&keyfile->secret_key), keyfile->secret_key.length))
		return -EINVAL;
	SWP_ASSERT(!with_secret || out->secret);
	swp_buf_append_format(out, "public-key = \"%s\"\n", keyfile->public_key);
	if (with_secret) {
		swp_buf_append_text(out, "secret-key = \"");
		swp_buf_append(out, swp_secret_text(&keyfile->secret_key), keyfile->secret_key.length);
		swp_buf_append_text(out, "\"\n");
	}
	return out->failed;
}

int swp_keyfile_check_mode(const char *name, mode_t mode, struct swp_problem *problem)
{
	if ((mode & 077) == 0)
		return 0;
	return swp_problem_set(problem, -EACCES,
		"%s holds a secret key and others may open it (mode %04o); fix: chmod 600 %s", name,
		(unsigned)(mode & 07777), name);
}
