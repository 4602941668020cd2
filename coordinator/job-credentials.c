#include "coordinator/job-credentials.h"

#include <errno.h>
#include <string.h>

#include "coordinator/aws-calls.h"
#include "proto/aws/sigv4.h"
#include "proto/base/alloc.h"
#include "proto/base/clock.h"
#include "proto/base/limits.h"

#define DAY_MS INT64_C(86400000)
/* Today and tomorrow: a session lasts an hour. The day begins late, as clocks differ by minutes: a worker that is behind still
 * signs for yesterday when we do not any more. */
#define DAYS 2
#define DAY_BEGINS_LATE_MS (15 * 60 * 1000)

/* What the keys of one job share, so that it is worked out once: most of its services sign for the same region. */
struct shared_keys {
	struct swp_regional_key of[SWP_LIMIT_SESSIONS][DAYS]; /* region "": none yet */
};

struct gathering {
	struct swp_job_services *services;
	enum swp_level level;
};

static int gather(const struct swp_aws_service *service, void *context)
{
	struct gathering *gathering = context;
	size_t *count = &gathering->services->counts[gathering->level];
	const struct swp_aws_service **list =
		swp_realloc(gathering->services->services[gathering->level], (*count + 1) * sizeof(*list));

	if (!list)
		return -ENOMEM;
	gathering->services->services[gathering->level] = list;
	list[(*count)++] = service;
	return 0;
}

int swp_job_services_init(struct swp_job_services *services, const struct swp_catalogue *catalogue,
	const struct swp_selection *selection)
{
	int error = 0;

	memset(services, 0, sizeof(*services));
	for (int level = 0; error == 0 && level < SWP_LEVEL_COUNT; level++) {
		struct gathering gathering = {services, (enum swp_level)level};

		error = swp_selection_services(
			catalogue, selection, (enum swp_level)level, gather, &gathering);
		if (error ==
			0) /* the worker's probe of a region whose services do not know its credentials */
			error = gather(swp_coordinator_sts(), &gathering);
	}
	if (error < 0)
		swp_job_services_done(services);
	return error;
}

void swp_job_services_done(struct swp_job_services *services)
{
	for (int level = 0; level < SWP_LEVEL_COUNT; level++) {
		swp_free(services->services[level]);
		services->services[level] = NULL;
		services->counts[level] = 0;
	}
}

static bool has_key(const struct swp_wire_credentials *credentials, const char *region, const char *service)
{
	for (size_t i = 0; i < credentials->key_count; i++)
		if (strcmp(credentials->keys[i].service, service) == 0 &&
			strcmp(credentials->keys[i].region, region) == 0)
			return true;
	return false;
}

/* Texts of a key are kept behind it, in one allocation a key. */
struct key_texts {
	char day[9];
	char region[32];
};

static int derive_key(struct swp_regional_key *shared, const struct swp_credentials *from, const char *day,
	const char *region, const char *service, struct swp_secret *ret_key)
{
	struct swp_signing_key derived;
	int error = 0;

	if (strcmp(shared->region, region) != 0)
		error = swp_regional_key_derive(&from->secret_access_key, day, region, shared);
	if (error == 0)
		error = swp_signing_key_of(shared, service, &derived);
	if (error == 0) {
		error = swp_secret_set(ret_key, derived.key, sizeof(derived.key));
		swp_wipe(&derived, sizeof(derived));
	}
	return error;
}

static int add_key(struct swp_wire_credentials *credentials, struct swp_regional_key *shared,
	const struct swp_credentials *from, uint64_t session, const char *day, const char *region,
	const char *service)
{
	struct swp_wire_signing_key *key = &credentials->keys[credentials->key_count];
	struct key_texts *texts = swp_calloc(1, sizeof(*texts));

	if (!texts)
		return -ENOMEM;
	memcpy(texts->day, day, sizeof(texts->day));
	memcpy(texts->region, region, strnlen(region, sizeof(texts->region) - 1));
	key->day = texts->day;
	key->region = texts->region;
	key->service = service;
	key->session = session;
	credentials->key_count++;
	return derive_key(shared, from, day, region, service, &key->key);
}

static int add_service(const struct swp_job_credentials_scope *scope, const struct swp_credentials *sessions,
	size_t session_count, const struct swp_aws_service *service, const char *region, char days[DAYS][9],
	struct shared_keys *shared, struct swp_wire_credentials *credentials)
{
	struct swp_endpoint endpoint;
	size_t session;
	int error = swp_endpoint_resolve(scope->endpoints, scope->partition, service, region, &endpoint);

	if (error != 0) /* no such endpoint here: the worker can't call it either, and says so */
		return error == -ENOMEM ? error : 0;
	if (has_key(credentials, endpoint.signing_region, service->signing_name))
		return 0;
	session = session_count > 1 ? swp_session_policies_of(scope->policies, service->signing_name) : 0;
	for (int day = 0; error == 0 && day < DAYS; day++)
		error = add_key(credentials, &shared->of[session][day], &sessions[session], session,
			days[day], endpoint.signing_region, service->signing_name);
	return error;
}

static void earliest(int64_t *expires_at_ms, int64_t at_ms)
{
	if (at_ms != 0 && (*expires_at_ms == 0 || at_ms < *expires_at_ms))
		*expires_at_ms = at_ms;
}

/* All but the keys. */
static int add_sessions(
	struct swp_wire_credentials *credentials, const struct swp_credentials *sessions, size_t count)
{
	credentials->access_key_id = sessions[0].access_key_id;
	credentials->session_token = sessions[0].session_token;
	if (count > 1)
		credentials->more = swp_calloc(count - 1, sizeof(*credentials->more));
	if (count > 1 && !credentials->more)
		return -ENOMEM;
	for (size_t i = 1; i < count; i++)
		credentials->more[credentials->more_count++] =
			(struct swp_wire_session){sessions[i].access_key_id, sessions[i].session_token};
	for (size_t i = 0; i < count; i++)
		earliest(&credentials->expires_at_ms, sessions[i].expires_at_ms);
	return 0;
}

int swp_job_credentials_make(const struct swp_job_credentials_scope *scope,
	const struct swp_credentials *sessions, size_t session_count, enum swp_level level,
	const char *region, int64_t wall_ms, struct swp_wire_credentials *ret_credentials)
{
	size_t count = scope->services->counts[level];
	struct swp_wire_credentials made = {0};
	struct shared_keys shared = {0};
	char days[DAYS][9], text[SWP_TIME_TEXT_BYTES];
	int error = 0;

	if (count * DAYS > SWP_LIMIT_SIGNING_KEYS)
		return -E2BIG;
	made.keys = swp_calloc(count * DAYS, sizeof(*made.keys));
	if (!made.keys)
		return -ENOMEM;
	for (int day = 0; day < DAYS; day++) {
		swp_time_format_basic(wall_ms - DAY_BEGINS_LATE_MS + day * DAY_MS, text);
		memcpy(days[day], text, 8);
		days[day][8] = '\0';
	}
	error = add_sessions(&made, sessions, session_count);
	for (size_t i = 0; error == 0 && i < count; i++)
		error = add_service(scope, sessions, session_count, scope->services->services[level][i],
			region, days, &shared, &made);
	swp_wipe(&shared, sizeof(shared));
	if (error < 0) {
		swp_job_credentials_done(&made);
		return error;
	}
	*ret_credentials = made;
	return 0;
}

void swp_job_credentials_done(struct swp_wire_credentials *credentials)
{
	for (size_t i = 0; i < credentials->key_count; i++) {
		swp_secret_done(&credentials->keys[i].key);
		/* `day` is the first member of its texts */
		swp_free((char *)credentials->keys[i].day);
	}
	swp_free(credentials->keys);
	swp_free(credentials->more);
	memset(credentials, 0, sizeof(*credentials)); /* the tokens are the owner's */
}
