/* One heap object a lookup, owned by the loop's side and the thread's side together; who lets go last frees it. */
#include "proto/io/lookup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/base/text.h"

enum {
	THREADS_AT_ONCE = 8,
	THREAD_STACK_BYTES = 256 << 10, /* name service modules are not frugal */
};

struct job {
	atomic_int owners;
	int event_fd;
	int exists; /* written by the thread before it signals */
	char host[256];
	struct swp_watch watch;
	struct swp_lookups *lookups;
	struct swp_http_lookup *lookup;
	struct job *next;
	bool running;
};

struct swp_lookups {
	struct swp_loop *loop;
	struct job *jobs; /* running and waiting ones, in the order of their coming */
	unsigned running;
};

static void job_release(struct job *job)
{
	if (atomic_fetch_sub(&job->owners, 1) != 1)
		return;
	close(job->event_fd);
	swp_free(job);
}

/* 1 there is an address, 0 the resolver says that there is no such name, -1 all else (no answer, a name without address). */
static int look_up(const char *host)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *addresses = NULL;
	int result = getaddrinfo(host, "443", &hints, &addresses);

	if (result == 0)
		freeaddrinfo(addresses);
	return result == 0 ? 1 : result == EAI_NONAME ? 0 : -1;
}

static void *thread_main(void *context)
{
	struct job *job = context;
	uint64_t one = 1;

	job->exists = look_up(job->host);
	while (write(job->event_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	job_release(job);
	return NULL;
}

static void jobs_remove(struct swp_lookups *lookups, struct job *job)
{
	struct job **at = &lookups->jobs;

	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	swp_watch_remove(&job->watch);
	lookups->running -= job->running;
	job->lookup->internal = NULL;
	job_release(job);
}

/* Signals are for the loop's thread. */
static int thread_start(struct job *job)
{
	pthread_attr_t attributes;
	pthread_t thread;
	sigset_t all, before;
	int error = pthread_attr_init(&attributes);

	if (error != 0)
		return -error;
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	atomic_fetch_add(&job->owners, 1);
	error = pthread_create(&thread, &attributes, thread_main, job);
	if (error != 0)
		atomic_fetch_sub(&job->owners, 1);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return -error;
}

static void start_waiting(struct swp_lookups *lookups)
{
	for (struct job *job = lookups->jobs; job != NULL && lookups->running < THREADS_AT_ONCE;
		job = job->next) {
		uint64_t one = 1;

		if (job->running)
			continue;
		job->running = true;
		lookups->running++;
		/* Without a thread the answer is "could not tell", and it comes in the loop as every other. */
		if (thread_start(job) != 0 && write(job->event_fd, &one, sizeof(one)) < 0)
			job->exists = -1;
	}
}

static void on_answer(struct swp_watch *watch, uint32_t events)
{
	struct job *job = SWP_CONTAINER_OF(watch, struct job, watch);
	struct swp_lookups *lookups = job->lookups;
	struct swp_http_lookup *lookup = job->lookup;
	int exists = job->exists;
	uint64_t count;

	(void)events;
	if (read(job->event_fd, &count, sizeof(count)) < 0 && errno == EAGAIN)
		return;
	exists = job->exists;
	jobs_remove(lookups, job);
	start_waiting(lookups);
	lookup->done(lookup, exists);
}

struct swp_lookups *swp_lookups_new(struct swp_loop *loop)
{
	struct swp_lookups *lookups = swp_calloc(1, sizeof(*lookups));

	if (lookups != NULL)
		lookups->loop = loop;
	return lookups;
}

void swp_lookups_free(struct swp_lookups *lookups)
{
	if (lookups == NULL)
		return;
	while (lookups->jobs != NULL)
		jobs_remove(lookups, lookups->jobs);
	swp_free(lookups);
}

static struct job *job_new(struct swp_lookups *lookups, const char *host)
{
	struct job *job = swp_calloc(1, sizeof(*job));

	if (job == NULL)
		return NULL;
	atomic_init(&job->owners, 1);
	job->lookups = lookups;
	job->exists = -1;
	job->watch.fd = -1;
	memcpy(job->host, host, strlen(host) + 1);
	job->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (job->event_fd < 0 ||
		swp_watch_add(&job->watch, lookups->loop, job->event_fd, EPOLLIN, on_answer) != 0) {
		if (job->event_fd >= 0)
			close(job->event_fd);
		swp_free(job);
		return NULL;
	}
	return job;
}

int swp_lookups_start(struct swp_lookups *lookups, const char *host, struct swp_http_lookup *lookup,
	void (*done)(struct swp_http_lookup *lookup, int exists))
{
	struct job *job, **end = &lookups->jobs;

	if (host[0] == '\0' || strlen(host) >= sizeof(job->host))
		return -EINVAL;
	job = job_new(lookups, host);
	if (job == NULL)
		return -ENOMEM;
	job->lookup = lookup;
	lookup->internal = job;
	lookup->done = done;
	while (*end != NULL)
		end = &(*end)->next;
	*end = job;
	start_waiting(lookups);
	return 0;
}

void swp_lookups_cancel(struct swp_http_lookup *lookup)
{
	struct job *job = lookup->internal;
	struct swp_lookups *lookups;

	if (job == NULL)
		return;
	lookups = job->lookups;
	jobs_remove(lookups, job);
	start_waiting(lookups);
}

/* --- NO_PROXY --- */

struct address {
	int family; /* 0: a name */
	unsigned char bytes[16];
};

static struct address address_parse(const char *text)
{
	struct address address = {0};

	if (inet_pton(AF_INET, text, address.bytes) == 1)
		address.family = AF_INET;
	else if (inet_pton(AF_INET6, text, address.bytes) == 1)
		address.family = AF_INET6;
	return address;
}

static bool in_block(const struct address *host, const struct address *block, unsigned bits)
{
	if (host->family != block->family || bits > (host->family == AF_INET ? 32u : 128u))
		return false;
	if (memcmp(host->bytes, block->bytes, bits / 8) != 0)
		return false;
	return bits % 8 == 0 || ((host->bytes[bits / 8] ^ block->bytes[bits / 8]) >> (8 - bits % 8)) == 0;
}

/* `entry` is one element, trimmed. */
static bool entry_covers(char *entry, const char *host, const struct address *address)
{
	size_t host_length = strlen(host), length;
	char *slash = strchr(entry, '/');

	if (strcmp(entry, "*") == 0)
		return true;
	if (address->family != 0) {
		struct address block;
		uint64_t bits = address->family == AF_INET ? 32 : 128;

		if (slash != NULL) {
			*slash = '\0';
			if (swp_parse_u64(slash + 1, 128, &bits) != 0)
				return false;
		}
		block = address_parse(entry);
		return in_block(address, &block, (unsigned)bits);
	}
	while (*entry == '.')
		entry++;
	length = strlen(entry);
	if (length > 0 && entry[length - 1] == '.')
		length--;
	if (length == 0 || length > host_length ||
		strncasecmp(host + host_length - length, entry, length) != 0)
		return false;
	return length == host_length || host[host_length - length - 1] == '.';
}

/* Without port, brackets and a last dot. */
static void plain_host(const char *host, char *ret_plain, size_t plain_bytes)
{
	size_t length;

	if (host[0] == '[')
		length = strcspn(++host, "]");
	else
		length = strcspn(host, ":");
	if (length > 0 && host[length - 1] == '.')
		length--;
	if (length >= plain_bytes)
		length = plain_bytes - 1;
	memcpy(ret_plain, host, length);
	ret_plain[length] = '\0';
}

bool swp_no_proxy_covers(const char *no_proxy, const char *host)
{
	char plain[256], entry[256];
	struct address address;

	if (no_proxy == NULL)
		return false;
	plain_host(host, plain, sizeof(plain));
	address = address_parse(plain);
	while (*no_proxy != '\0') {
		size_t length = strcspn(no_proxy, ", \t");

		if (length > 0 && length < sizeof(entry)) {
			memcpy(entry, no_proxy, length);
			entry[length] = '\0';
			if (entry_covers(entry, plain, &address))
				return true;
		}
		no_proxy += length;
		no_proxy += strspn(no_proxy, ", \t");
	}
	return false;
}
