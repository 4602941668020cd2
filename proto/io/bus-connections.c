/* Who is connected to the bus, by descriptor; see the header. The descriptors are libzmq's: one may be closed, and its number
 * given to another socket, at any moment between two lines here. Therefore nothing is done to one before its two addresses
 * were compared with what they were, and the only thing that is ever done is shutdown(). */
#include "proto/io/bus-connections.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "proto/base/alloc.h"
#include "proto/base/hash.h"
#include "proto/base/text.h"
#include "proto/io/bus-common.h"

#define HASH_NONFATAL_OOM 1
#define HASH_FUNCTION(bytes, length, hash) ((hash) = (unsigned)swp_hash((bytes), (length)))
#define uthash_malloc(size) swp_calloc(1, (size))
#define uthash_free(pointer, size) swp_free(pointer)
#include <uthash.h>

#define LATE_MS 1000	 /* so much later than libzmq's thread we may have seen it */
#define MAPPED "::ffff:" /* before an IPv4 address of a socket that takes both */

struct connection {
	int fd;
	uint64_t order;	 /* of its acceptance */
	uint64_t serial; /* 0: unheard */
	int64_t accepted_ms;
	bool told;    /* its end is no news: we have ended it, or the peer was forgotten */
	bool refused; /* one of this address was refused, most likely this one */
	char address[SWP_BUS_ADDRESS_BYTES];
	UT_hash_handle hh;
};

struct swp_bus_connections {
	struct connection *unheard, *heard; /* by descriptor; the first is the oldest */
	char local[SWP_BUS_ADDRESS_BYTES + sizeof(struct sockaddr_un)];
};

/* --- addresses --- */

static void format_ip(const struct sockaddr_storage *address, char text[static SWP_BUS_ADDRESS_BYTES])
{
	char ip[INET6_ADDRSTRLEN] = "";

	if (address->ss_family == AF_INET) {
		const struct sockaddr_in *v4 = (const void *)address;

		inet_ntop(AF_INET, &v4->sin_addr, ip, sizeof(ip));
		snprintf(text, SWP_BUS_ADDRESS_BYTES, "%s:%u", ip, ntohs(v4->sin_port));
	} else if (address->ss_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const void *)address;
		bool mapped = IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);

		if (mapped)
			inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], ip, sizeof(ip));
		else
			inet_ntop(AF_INET6, &v6->sin6_addr, ip, sizeof(ip));
		snprintf(text, SWP_BUS_ADDRESS_BYTES, mapped ? "%s:%u" : "[%s]:%u", ip, ntohs(v6->sin6_port));
	}
}

/* "10.0.0.7:41234", "[::1]:41234", "pid 4711"; "" when the descriptor is no such connection (any more). */
static void remote_of(int fd, char text[static SWP_BUS_ADDRESS_BYTES])
{
	struct sockaddr_storage address = {0};
	socklen_t size = sizeof(address);
	struct ucred who;

	text[0] = '\0';
	if (getpeername(fd, (struct sockaddr *)&address, &size) < 0)
		return;
	size = sizeof(who);
	if (address.ss_family == AF_UNIX && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0)
		snprintf(text, SWP_BUS_ADDRESS_BYTES, "pid %ld", (long)who.pid);
	else
		format_ip(&address, text);
}

/* Does it belong to our listener: same path, or same port? */
static bool is_ours(const struct swp_bus_connections *connections, int fd)
{
	struct sockaddr_storage address = {0};
	socklen_t size = sizeof(address);
	char text[SWP_BUS_ADDRESS_BYTES] = "";
	const struct sockaddr_un *path = (const void *)&address;

	if (getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		return false;
	if (address.ss_family == AF_UNIX)
		return strcmp(path->sun_path, connections->local) == 0;
	format_ip(&address, text);
	return *text && strcmp(strrchr(text, ':'), connections->local) == 0;
}

static void shut_down(const struct swp_bus_connections *connections, struct connection *connection)
{
	char now[SWP_BUS_ADDRESS_BYTES];

	connection->told = true;
	remote_of(connection->fd, now);
	if (*now && strcmp(now, connection->address) == 0 && is_ours(connections, connection->fd))
		shutdown(connection->fd, SHUT_RDWR);
}

/* --- the table --- */

struct swp_bus_connections *swp_bus_connections_new(const char *endpoint)
{
	struct swp_bus_connections *connections = swp_calloc(1, sizeof(*connections));
	const char *local =
		swp_text_starts(endpoint, "ipc://") ? endpoint + strlen("ipc://") : strrchr(endpoint, ':');

	if (connections)
		snprintf(connections->local, sizeof(connections->local), "%s", local ? local : "");
	return connections;
}

static struct connection *find(struct connection *table, int fd)
{
	struct connection *connection;

	HASH_FIND_INT(table, &fd, connection);
	return connection;
}

static void take_out(struct swp_bus_connections *connections, struct connection *connection)
{
	if (connection->serial)
		HASH_DEL(connections->heard, connection);
	else
		HASH_DEL(connections->unheard, connection);
}

/* NULL when it is not known. */
static struct connection *take(struct swp_bus_connections *connections, int fd)
{
	struct connection *connection = find(connections->heard, fd);

	if (!connection)
		connection = find(connections->unheard, fd);
	if (connection)
		take_out(connections, connection);
	return connection;
}

int swp_bus_connections_accepted(
	struct swp_bus_connections *connections, int fd, uint64_t order, int64_t now_ms)
{
	struct connection *connection;

	swp_free(take(connections, fd));
	connection = swp_calloc(1, sizeof(*connection));
	if (!connection)
		return -ENOMEM;
	connection->fd = fd;
	connection->order = order;
	connection->accepted_ms = now_ms;
	if (is_ours(connections, fd))
		remote_of(fd, connection->address);
	HASH_ADD_INT(connections->unheard, fd, connection);
	if (connection->hh.tbl)
		return 0;
	swp_free(connection);
	return -ENOMEM;
}

static bool same_host(const struct connection *one, const struct connection *other)
{
	const char *port = strrchr(one->address, ':');
	size_t length = port ? (size_t)(port - one->address) : strlen(one->address);

	return strncmp(one->address, other->address, length + (port != NULL)) == 0;
}

/* Who was refused goes at once. If the one that goes is not the one that was taken for it, they change places. */
static bool was_refused(struct swp_bus_connections *connections, const struct connection *ended)
{
	struct connection *connection, *next;

	if (ended->refused)
		return true;
	HASH_ITER(hh, connections->unheard, connection, next)
	{
		if (connection->refused && same_host(ended, connection)) {
			connection->refused = false;
			return true;
		}
	}
	return false;
}

static enum swp_bus_ending ending_of(
	struct swp_bus_connections *connections, const struct connection *connection, int64_t now_ms)
{
	if (connection->told)
		return SWP_BUS_ENDING_TOLD;
	if (connection->serial)
		return SWP_BUS_ENDING_HEARD;
	if (was_refused(connections, connection))
		return SWP_BUS_ENDING_TOLD;
	return now_ms - connection->accepted_ms >= SWP_BUS_HANDSHAKE_MS - LATE_MS ? SWP_BUS_ENDING_HALF_OPEN
										  : SWP_BUS_ENDING_UNHEARD;
}

enum swp_bus_ending swp_bus_connections_ended(struct swp_bus_connections *connections, int fd, int64_t now_ms,
	char ret_address[static SWP_BUS_ADDRESS_BYTES], uint64_t *ret_serial)
{
	struct connection *connection = take(connections, fd);
	enum swp_bus_ending ending;

	ret_address[0] = '\0';
	*ret_serial = 0;
	if (!connection)
		return SWP_BUS_ENDING_TOLD;
	memcpy(ret_address, connection->address, SWP_BUS_ADDRESS_BYTES);
	*ret_serial = connection->serial;
	ending = ending_of(connections, connection, now_ms);
	swp_free(connection);
	return ending;
}

/* The newest unheard one of that host takes the place of one that was taken for a refused one and is not. */
static void pass_refusal_on(struct swp_bus_connections *connections, struct connection *from)
{
	struct connection *connection, *next, *newest = NULL;

	from->refused = false;
	HASH_ITER(hh, connections->unheard, connection, next)
	{
		if (!connection->told && !connection->refused && same_host(from, connection))
			newest = connection;
	}
	if (newest)
		newest->refused = true;
}

/* The heard one of that number, if the descriptor is still its own. */
static struct connection *find_serial(const struct swp_bus_connections *connections, int fd, uint64_t serial)
{
	struct connection *connection = find(connections->heard, fd);

	return connection && connection->serial == serial ? connection : NULL;
}

void swp_bus_connections_heard(struct swp_bus_connections *connections, int fd, uint64_t serial)
{
	struct connection *connection = find_serial(connections, fd, serial);

	if (connection)
		connection->told = false;
	connection = find(connections->unheard, fd);
	if (!connection || connection->order > serial || !serial)
		return;
	HASH_DEL(connections->unheard, connection);
	connection->serial = serial;
	if (connection->refused)
		pass_refusal_on(connections, connection);
	HASH_ADD_INT(connections->heard, fd, connection);
	if (!connection->hh.tbl)
		swp_free(
			connection); /* no memory: not known any more, which only means that it can't be cut */
}

/* ZAP's address: "10.0.0.7", "::1", or ":UID:GID:PID" of a unix socket's peer. */
static bool is_from(const struct connection *connection, const char *zap, size_t length)
{
	const char *text = connection->address + (connection->address[0] == '[');
	const char *pid = length > 0 ? memrchr(zap, ':', length) : NULL;

	if (length > strlen(MAPPED) && memcmp(zap, MAPPED, strlen(MAPPED)) == 0) {
		zap += strlen(MAPPED);
		length -= strlen(MAPPED);
	}
	if (pid && swp_text_starts(text, "pid ")) {
		pid++;
		return strncmp(text + strlen("pid "), pid, (size_t)(zap + length - pid)) == 0;
	}
	return length > 0 && strncmp(text, zap, length) == 0 && (text[length] == ':' || text[length] == ']');
}

void swp_bus_connections_refused(struct swp_bus_connections *connections, const char *zap, size_t length)
{
	struct connection *connection, *next, *newest = NULL;

	HASH_ITER(hh, connections->unheard, connection, next)
	{
		if (!connection->told && !connection->refused && is_from(connection, zap, length))
			newest = connection;
	}
	if (newest)
		newest->refused = true;
}

void swp_bus_connections_cut(struct swp_bus_connections *connections, int fd, uint64_t serial)
{
	struct connection *connection = find_serial(connections, fd, serial);

	if (connection)
		shut_down(connections, connection);
}

void swp_bus_connections_told(struct swp_bus_connections *connections, int fd, uint64_t serial)
{
	struct connection *connection = find_serial(connections, fd, serial);

	if (connection)
		connection->told = true;
}

bool swp_bus_connections_cut_unheard(struct swp_bus_connections *connections, size_t most,
	int64_t patience_ms, int64_t now_ms, char ret_address[static SWP_BUS_ADDRESS_BYTES])
{
	struct connection *oldest = connections->unheard;

	if (!oldest ||
		(HASH_COUNT(connections->unheard) <= most && now_ms - oldest->accepted_ms < patience_ms))
		return false;
	memcpy(ret_address, oldest->address, SWP_BUS_ADDRESS_BYTES);
	shut_down(connections, oldest);
	HASH_DEL(connections->unheard, oldest);
	swp_free(oldest);
	return true;
}

size_t swp_bus_connections_unheard(const struct swp_bus_connections *connections)
{
	return HASH_COUNT(connections->unheard);
}

size_t swp_bus_connections_count(const struct swp_bus_connections *connections)
{
	return HASH_COUNT(connections->unheard) + HASH_COUNT(connections->heard);
}

void swp_bus_connections_free(struct swp_bus_connections *connections)
{
	struct connection *connection;

	if (!connections)
		return;
	while ((connection = connections->unheard ? connections->unheard : connections->heard)) {
		take_out(connections, connection);
		swp_free(connection);
	}
	swp_free(connections);
}
