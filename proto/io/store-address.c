/* redis://, rediss:// and unix:// URLs. */
#include <errno.h>
#include <string.h>
#include <sys/un.h>

#include "proto/base/text.h"
#include "proto/io/store.h"

#define DEFAULT_PORT 6379
#define MOST_DATABASES 1000000

#define FORMS "redis://HOST[:PORT][/DATABASE], rediss://… (TLS) or unix:///PATH"

static bool is_clean(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if ((unsigned char)text[i] <= ' ' || text[i] == 0x7f)
			return false;
	}
	return true;
}

static int copy_part(char *to, size_t size, const char *from, size_t length)
{
	if (length == 0 || length >= size || !is_clean(from, length))
		return -EINVAL;
	memcpy(to, from, length);
	to[length] = '\0';
	return 0;
}

static int parse_unix(const char *path, struct swp_store_address *address, struct swp_problem *problem)
{
	const size_t longest = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;

	if (path[0] != '/' || path[1] == '\0')
		return swp_problem_set(problem, -EINVAL, "unix:// wants an absolute path: unix:///PATH");
	if (strlen(path) > longest)
		return swp_problem_set(
			problem, -EINVAL, "the path of a unix socket may have at most %zu bytes", longest);
	memcpy(address->host, path, strlen(path) + 1);
	return 0;
}

/* "user@": the text behind it. A password is never repeated in the message. */
static int parse_user(
	const char **cursor, size_t length, struct swp_store_address *address, struct swp_problem *problem)
{
	const char *at = memrchr(*cursor, '@', length);
	size_t user_length;

	if (!at)
		return 0;
	user_length = (size_t)(at - *cursor);
	if (memchr(*cursor, ':', user_length))
		return swp_problem_set(problem, -EINVAL,
			"no password in the store's URL, where ps and logs show it: put it into "
			"ORGSWEEP_STORE_PASSWORD");
	if (copy_part(address->user, sizeof(address->user), *cursor, user_length) != 0)
		return swp_problem_set(problem, -EINVAL,
			"the user before @ in the store's URL must have 1 to %zu bytes",
			sizeof(address->user) - 1);
	*cursor = at + 1;
	return 0;
}

/* "host", "host:port", "[v6]:port", up to `end`. */
static int parse_host(
	const char *text, const char *end, struct swp_store_address *address, struct swp_problem *problem)
{
	const char *host = text, *host_end, *port;
	char digits[8];
	uint64_t value;

	if (*text == '[') {
		host = text + 1;
		host_end = memchr(host, ']', (size_t)(end - host));
		if (!host_end)
			return swp_problem_set(problem, -EINVAL, "the ] of the IPv6 address is missing");
		port = host_end + 1;
	} else {
		host_end = memchr(text, ':', (size_t)(end - text));
		if (!host_end)
			host_end = end;
		port = host_end;
	}
	if (copy_part(address->host, sizeof(address->host), host, (size_t)(host_end - host)) != 0)
		return swp_problem_set(problem, -EINVAL, "no host in the store's URL; the form is " FORMS);
	address->port = DEFAULT_PORT;
	if (port == end)
		return 0;
	if (*port != ':' || copy_part(digits, sizeof(digits), port + 1, (size_t)(end - port) - 1) != 0 ||
		swp_parse_u64(digits, 65535, &value) != 0 || value == 0)
		return swp_problem_set(problem, -EINVAL, "the port in the store's URL must be 1 to 65535");
	address->port = (uint16_t)value;
	return 0;
}

static int parse_network(const char *text, struct swp_store_address *address, struct swp_problem *problem)
{
	const char *slash = strrchr(text, '/'), *at = strrchr(text, '@'), *end;
	uint64_t database = 0;
	int error;

	/* A slash before the @ belongs to what should not be there: a password. */
	if (slash && at && slash < at)
		slash = NULL;
	end = slash ? slash : text + strlen(text);
	error = parse_user(&text, (size_t)(end - text), address, problem);
	if (!error)
		error = parse_host(text, end, address, problem);
	if (error)
		return error;
	if (slash && slash[1] != '\0' && swp_parse_u64(slash + 1, MOST_DATABASES, &database) != 0)
		return swp_problem_set(
			problem, -EINVAL, "what follows / in the store's URL must be a database number");
	address->database = (unsigned)database;
	return 0;
}

int swp_store_address_parse(
	const char *url, struct swp_store_address *ret_address, struct swp_problem *problem)
{
	static const struct {
		const char *prefix;
		enum swp_store_scheme scheme;
		int (*parse)(
			const char *text, struct swp_store_address *address, struct swp_problem *problem);
	} schemes[] = {
		{"redis://", SWP_STORE_TCP, parse_network},
		{"rediss://", SWP_STORE_TLS, parse_network},
		{"unix://", SWP_STORE_UNIX, parse_unix},
	};
	struct swp_store_address address = {0};

	for (size_t i = 0; i < SWP_ARRAY_SIZE(schemes); i++) {
		int error;

		if (!swp_text_starts(url, schemes[i].prefix))
			continue;
		address.scheme = schemes[i].scheme;
		error = schemes[i].parse(url + strlen(schemes[i].prefix), &address, problem);
		if (!error)
			*ret_address = address;
		return error;
	}
	return swp_problem_set(problem, -EINVAL, "the store's URL must have the form " FORMS);
}
