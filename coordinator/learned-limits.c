#include "coordinator/learned-limits.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/base/map.h"
#include "proto/base/text.h"

#define PLACE_BYTES 80

/* The services of one account and region. */
struct place {
	struct swp_wire_limit *limits; /* owned, and the names in it */
	size_t count;
};

struct swp_limits {
	struct swp_ledger *ledger;
	struct swp_map *places; /* "ACCOUNT REGION" → struct place */
	size_t count;
	char cursor[32];
	void (*done)(void *context);
	void *context;
	bool waiting, freed;
};

#define TEXT(value) SWP_STORE_TEXT_ARGUMENT(value)

static void place_free(void *value)
{
	struct place *place = value;

	for (size_t i = 0; i < place->count; i++)
		swp_free((char *)(uintptr_t)place->limits[i].service);
	swp_free(place->limits);
	swp_free(place);
}

static void destroy(struct swp_limits *limits)
{
	swp_map_free(limits->places, place_free);
	swp_free(limits);
}

struct swp_limits *swp_limits_new(struct swp_ledger *ledger)
{
	struct swp_limits *limits = swp_calloc(1, sizeof(*limits));

	if (!limits)
		return NULL;
	limits->ledger = ledger;
	limits->places = swp_map_new();
	if (!limits->places) {
		swp_free(limits);
		return NULL;
	}
	return limits;
}

void swp_limits_free(struct swp_limits *limits)
{
	if (!limits)
		return;
	limits->freed = true;
	if (!limits->waiting)
		destroy(limits);
}

/* --- what is known --- */

static struct place *make_place(struct swp_limits *limits, const char *name)
{
	struct place *place = swp_map_get(limits->places, name);

	if (place)
		return place;
	place = swp_calloc(1, sizeof(*place));
	if (place && swp_map_put(limits->places, name, place, NULL) < 0) {
		swp_free(place);
		return NULL;
	}
	return place;
}

static int keep(struct swp_limits *limits, const char *name, const char *service, uint64_t millihertz)
{
	struct place *place = make_place(limits, name);
	struct swp_wire_limit *rows;

	if (!place)
		return -ENOMEM;
	for (size_t i = 0; i < place->count; i++)
		if (swp_text_equal(place->limits[i].service, service)) {
			place->limits[i].millihertz = millihertz;
			return 0;
		}
	if (place->count == SWP_LIMIT_JOB_LIMITS || limits->count == SWP_LIMIT_LEARNED)
		return 0;
	rows = swp_realloc(place->limits, (place->count + 1) * sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	place->limits = rows;
	rows[place->count] = (struct swp_wire_limit){swp_strdup(service), millihertz};
	if (!rows[place->count].service)
		return -ENOMEM;
	place->count++;
	limits->count++;
	return 0;
}

size_t swp_limits_of(const struct swp_limits *limits, const char *account, const char *region,
	struct swp_wire_limit ret_limits[static SWP_LIMIT_JOB_LIMITS])
{
	const struct place *place;
	char name[PLACE_BYTES];
	size_t count = 0;

	snprintf(name, sizeof(name), "%s %s", account, region);
	place = swp_map_get(limits->places, name);
	for (size_t i = 0; place && i < place->count; i++)
		if (place->limits[i].millihertz > 0)
			ret_limits[count++] = place->limits[i];
	return count;
}

int swp_limits_note(struct swp_limits *limits, const char *account, const char *region,
	const struct swp_wire_limit *learned, size_t count)
{
	char name[PLACE_BYTES], key[SWP_KEY_BYTES], field[2 * PLACE_BYTES], rate[24];
	int error = swp_key_format(SWP_KEY_LIMITS, NULL, NULL, NULL, key);

	snprintf(name, sizeof(name), "%s %s", account, region);
	for (size_t i = 0; error == 0 && i < count; i++) {
		if (strlen(learned[i].service) >= PLACE_BYTES || strchr(learned[i].service, ' '))
			continue; /* no service of any catalogue is called so */
		snprintf(field, sizeof(field), "%s %s", name, learned[i].service);
		snprintf(rate, sizeof(rate), "%" PRIu64, learned[i].millihertz);
		error = keep(limits, name, learned[i].service, learned[i].millihertz);
		if (error == 0)
			error = swp_ledger_write(limits->ledger,
				(struct swp_store_argument[]){TEXT(learned[i].millihertz ? "HSET" : "HDEL"),
					TEXT(key), TEXT(field), TEXT(rate)},
				learned[i].millihertz ? 4 : 3);
	}
	return error;
}

/* --- reading them --- */

/* "ACCOUNT REGION SERVICE"; what is not like that is passed over. */
static void take_row(
	struct swp_limits *limits, const struct swp_store_reply *field, const struct swp_store_reply *value)
{
	const char *service = field->type == SWP_STORE_REPLY_TEXT ? strrchr(field->bytes, ' ') : NULL;
	char name[PLACE_BYTES];
	uint64_t millihertz;
	size_t length = service ? (size_t)(service - field->bytes) : 0;

	if (length == 0 || length >= sizeof(name) || !service[1] || value->type != SWP_STORE_REPLY_TEXT ||
		swp_parse_u64(value->bytes, 1000000000, &millihertz))
		return;
	memcpy(name, field->bytes, length);
	name[length] = '\0';
	keep(limits, name, service + 1, millihertz); /* without memory it is as if it was not learned */
}

static void scan(struct swp_limits *limits);

static void scanned(void *context, const struct swp_store_reply *reply)
{
	struct swp_limits *limits = context;
	const struct swp_store_reply *rows;

	limits->waiting = false;
	if (limits->freed) {
		destroy(limits);
		return;
	}
	if (reply->type != SWP_STORE_REPLY_LIST || reply->item_count != 2) {
		limits->done(limits->context);
		return;
	}
	rows = &reply->items[1];
	for (size_t i = 0; i + 1 < rows->item_count; i += 2)
		take_row(limits, &rows->items[i], &rows->items[i + 1]);
	snprintf(limits->cursor, sizeof(limits->cursor), "%s", reply->items[0].bytes);
	if (swp_text_equal(limits->cursor, "0") || limits->count == SWP_LIMIT_LEARNED)
		limits->done(limits->context);
	else
		scan(limits);
}

static void scan(struct swp_limits *limits)
{
	char key[SWP_KEY_BYTES];

	limits->waiting = swp_key_format(SWP_KEY_LIMITS, NULL, NULL, NULL, key) == 0 &&
			  swp_store_command(swp_ledger_store(limits->ledger),
				  (struct swp_store_argument[]){TEXT("HSCAN"), TEXT(key),
					  TEXT(limits->cursor), TEXT("COUNT"), TEXT("500")},
				  5, scanned, limits) == 0;
	if (!limits->waiting)
		limits->done(limits->context);
}

void swp_limits_load(struct swp_limits *limits, void (*done)(void *context), void *context)
{
	limits->done = done;
	limits->context = context;
	snprintf(limits->cursor, sizeof(limits->cursor), "0");
	scan(limits);
}
