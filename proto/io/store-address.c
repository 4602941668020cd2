/* redis://, rediss://, unix:// and sentinel:// URLs. */
#include <errno.h>
#include <string.h>
#include <sys/un.h>

#include "proto/base/buf.h"
#include "proto/base/text.h"
#include "proto/io/store.h"

#define DEFAULT_PORT 6379
#define DEFAULT_SENTINEL_PORT 26379
#define MOST_DATABASES 1000000

#define SENTINEL_FORM "sentinel://HOST[:PORT],HOST[:PORT]/NAME[/DATABASE][?tls=yes]"
#define FORMS "redis://HOST[:PORT][/DATABASE], rediss://… (TLS), unix:///PATH or " SENTINEL_FORM

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

/* "[user@]/path": an @ behind the first slash is one of the path. */
static int parse_unix(const char *path, struct swp_store_address *address, struct swp_problem *problem)
{
	const size_t longest = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;
	int error = parse_user(&path, strcspn(path, "/"), address, problem);

	if (error)
		return error;
	if (path[0] != '/' || path[1] == '\0')
		return swp_problem_set(problem, -EINVAL, "unix:// wants an absolute path: unix:///PATH");
	if (strlen(path) > longest)
		return swp_problem_set(
			problem, -EINVAL, "the path of a unix socket may have at most %zu bytes", longest);
	memcpy(address->host, path, strlen(path) + 1);
	return 0;
}

/* "host", "host:port", "[v6]:port", up to `end`. */
static int parse_host(const char *text, const char *end, uint16_t default_port, struct swp_store_host *host,
	struct swp_problem *problem)
{
	const char *name = text, *name_end, *port;
	char digits[8];
	uint64_t value;

	if (*text == '[') {
		name = text + 1;
		name_end = memchr(name, ']', (size_t)(end - name));
		if (!name_end)
			return swp_problem_set(problem, -EINVAL, "the ] of the IPv6 address is missing");
		port = name_end + 1;
	} else {
		name_end = memchr(text, ':', (size_t)(end - text));
		if (!name_end)
			name_end = end;
		port = name_end;
	}
	if (copy_part(host->name, sizeof(host->name), name, (size_t)(name_end - name)) != 0 ||
		strpbrk(host->name, "[]"))
		return swp_problem_set(problem, -EINVAL, "no host in the store's URL; the form is " FORMS);
	host->port = default_port;
	if (port == end)
		return 0;
	if (*port != ':' || copy_part(digits, sizeof(digits), port + 1, (size_t)(end - port) - 1) != 0 ||
		swp_parse_u64(digits, 65535, &value) != 0 || value == 0)
		return swp_problem_set(problem, -EINVAL, "the port in the store's URL must be 1 to 65535");
	host->port = (uint16_t)value;
	return 0;
}

/* What stands behind the slash; "" is database 0. */
static int parse_database(const char *text, struct swp_store_address *address, struct swp_problem *problem)
{
	uint64_t database = 0;

	if (*text != '\0' && swp_parse_u64(text, MOST_DATABASES, &database) != 0)
		return swp_problem_set(
			problem, -EINVAL, "what follows / in the store's URL must be a database number");
	address->database = (unsigned)database;
	return 0;
}

static int parse_network(const char *text, struct swp_store_address *address, struct swp_problem *problem)
{
	const char *slash = strrchr(text, '/'), *at = strrchr(text, '@'), *end;
	struct swp_store_host host = {""};
	int error;

	/* A slash before the @ belongs to what should not be there: a password. */
	if (slash && at && slash < at)
		slash = NULL;
	end = slash ? slash : text + strlen(text);
	error = parse_user(&text, (size_t)(end - text), address, problem);
	if (!error)
		error = parse_host(text, end, DEFAULT_PORT, &host, problem);
	if (error)
		return error;
	memcpy(address->host, host.name, sizeof(address->host));
	address->port = host.port;
	return slash ? parse_database(slash + 1, address, problem) : 0;
}

/* --- sentinel:// --- */

/* "host[:port],host[:port]" up to `end`. */
static int parse_sentinels(
	const char *text, const char *end, struct swp_store_address *address, struct swp_problem *problem)
{
	const char *comma;

	do {
		int error;

		comma = memchr(text, ',', (size_t)(end - text));
		if (address->sentinel_count == SWP_LIMIT_SENTINELS)
			return swp_problem_set(problem, -EINVAL, "at most %d sentinels in the store's URL",
				SWP_LIMIT_SENTINELS);
		error = parse_host(text, comma ? comma : end, DEFAULT_SENTINEL_PORT,
			&address->sentinels[address->sentinel_count++], problem);
		if (error)
			return error;
		text = comma ? comma + 1 : end;
	} while (comma);
	return 0;
}

/* The characters that sentinels take in a name. */
static bool is_name(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z') ||
			    (text[i] >= '0' && text[i] <= '9') || strchr("._-", text[i])))
			return false;
	return true;
}

/* "NAME" or "NAME/database" up to `end`. */
static int parse_primary(
	const char *text, const char *end, struct swp_store_address *address, struct swp_problem *problem)
{
	const char *slash = memchr(text, '/', (size_t)(end - text));
	size_t length = (size_t)((slash ? slash : end) - text);
	char database[16] = "";

	if (!is_name(text, length) ||
		copy_part(address->primary_name, sizeof(address->primary_name), text, length) != 0)
		return swp_problem_set(problem, -EINVAL,
			"the name by which the sentinels know the primary is missing, or is none (letters, "
			"digits, . _ -); the form is " SENTINEL_FORM);
	if (slash && slash + 1 < end &&
		copy_part(database, sizeof(database), slash + 1, (size_t)(end - slash) - 1) != 0)
		memcpy(database, "?", 2); /* too long for a number */
	return parse_database(database, address, problem);
}

static int parse_sentinel(const char *text, struct swp_store_address *address, struct swp_problem *problem)
{
	static const char parameter[] = "?tls=";
	const char *at = strrchr(text, '@'), *hosts = at ? at + 1 : text;
	const char *slash = strchr(hosts, '/'), *query = strchr(hosts, '?');
	const char *end = query ? query : hosts + strlen(hosts);
	int error = parse_user(&text, strlen(text), address, problem);

	if (!error)
		error = parse_sentinels(hosts, slash && slash < end ? slash : end, address, problem);
	if (!error)
		error = parse_primary(slash && slash < end ? slash + 1 : end, end, address, problem);
	if (!error && query &&
		(!swp_text_starts(query, parameter) ||
			swp_parse_bool(query + strlen(parameter), &address->sentinel_tls) != 0))
		error = swp_problem_set(problem, -EINVAL,
			"what follows ? in a sentinel:// URL is tls=yes or tls=no: whether sentinels and "
			"Redis "
			"speak TLS");
	return error;
}

/* --- all --- */

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
		{"sentinel://", SWP_STORE_SENTINEL, parse_sentinel},
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

static void append_host(struct swp_buf *url, const char *name, unsigned port)
{
	bool bracketed = strchr(name, ':') != NULL;

	swp_buf_append_format(url, "%s%s%s:%u", bracketed ? "[" : "", name, bracketed ? "]" : "", port);
}

bool swp_store_address_set_user(struct swp_store_address *address, const char *user)
{
	memset(address->user, 0, sizeof(address->user));
	return !strpbrk(user, ":/@") &&
	       copy_part(address->user, sizeof(address->user), user, strlen(user)) == 0;
}

char *swp_store_address_format(const struct swp_store_address *address)
{
	static const char *const schemes[] = {[SWP_STORE_TCP] = "redis",
		[SWP_STORE_TLS] = "rediss",
		[SWP_STORE_UNIX] = "unix",
		[SWP_STORE_SENTINEL] = "sentinel"};
	SWP_CLEANUP(swp_buf_done) struct swp_buf url = {0};

	swp_buf_append_format(&url, "%s://", schemes[address->scheme]);
	if (address->user[0])
		swp_buf_append_format(&url, "%s@", address->user);
	if (address->scheme == SWP_STORE_UNIX) {
		swp_buf_append_text(&url, address->host);
		return swp_buf_steal(&url);
	}
	if (address->scheme != SWP_STORE_SENTINEL)
		append_host(&url, address->host, address->port);
	for (size_t i = 0; i < address->sentinel_count; i++) {
		if (i > 0)
			swp_buf_append_byte(&url, ',');
		append_host(&url, address->sentinels[i].name, address->sentinels[i].port);
	}
	if (address->scheme == SWP_STORE_SENTINEL)
		swp_buf_append_format(&url, "/%s", address->primary_name);
	swp_buf_append_format(&url, "/%u%s", address->database, address->sentinel_tls ? "?tls=yes" : "");
	return swp_buf_steal(&url);
}

bool swp_store_address_uses_tls(const struct swp_store_address *address)
{
	return address->scheme == SWP_STORE_TLS || address->sentinel_tls;
}
