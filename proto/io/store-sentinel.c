/* Asking sentinels (https://redis.io/docs/latest/develop/reference/sentinel-clients/): any of them may be away, behind the times, or one of
 * another installation, so what is told is only where to look.
 */
#include "proto/io/store-sentinel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/text.h"
#include "proto/io/store-greeting.h"

#define TEXT(value) SWP_STORE_TEXT_ARGUMENT(value)

void swp_store_sentinels_init(struct swp_store_sentinels *sentinels, const struct swp_store_options *options)
{
	*sentinels = (struct swp_store_sentinels){.options = options};
	for (size_t i = 0; i < SWP_LIMIT_SENTINELS; i++)
		sentinels->order[i] = i;
}

void swp_store_sentinels_begin(struct swp_store_sentinels *sentinels)
{
	sentinels->begun = 0;
	sentinels->known_names[0] = '\0';
	memset(sentinels->said, 0, sizeof(sentinels->said));
}

static const struct swp_store_host *host_at(const struct swp_store_sentinels *sentinels, size_t place)
{
	return &sentinels->options->address.sentinels[sentinels->order[place]];
}

const struct swp_store_host *swp_store_sentinels_next(struct swp_store_sentinels *sentinels)
{
	if (sentinels->begun == sentinels->options->address.sentinel_count)
		return NULL;
	return host_at(sentinels, sentinels->begun++);
}

static struct swp_sentinel_said *present(struct swp_store_sentinels *sentinels)
{
	return &sentinels->said[sentinels->begun - 1];
}

const struct swp_store_host *swp_store_sentinels_primary(const struct swp_store_sentinels *sentinels)
{
	return &sentinels->said[sentinels->begun - 1].primary;
}

void swp_store_sentinels_failed(struct swp_store_sentinels *sentinels, const char *why)
{
	struct swp_sentinel_said *said = present(sentinels);

	swp_text_clean_array(said->why, sizeof(said->why), why, strlen(why));
}

void swp_store_sentinels_succeeded(struct swp_store_sentinels *sentinels)
{
	size_t place = sentinels->begun - 1, first = sentinels->order[place];

	memmove(sentinels->order + 1, sentinels->order, place * sizeof(*sentinels->order));
	sentinels->order[0] = first;
}

/* --- questions --- */

static int ask_address(const struct swp_store_sentinels *sentinels, struct swp_buf *out)
{
	const struct swp_store_argument arguments[] = {TEXT("SENTINEL"), TEXT("GET-MASTER-ADDR-BY-NAME"),
		TEXT(sentinels->options->address.primary_name)};

	return swp_store_format(out, arguments, SWP_ARRAY_SIZE(arguments));
}

static int ask_names(struct swp_buf *out)
{
	const struct swp_store_argument arguments[] = {TEXT("SENTINEL"), TEXT("MASTERS")};

	return swp_store_format(out, arguments, SWP_ARRAY_SIZE(arguments));
}

static int log_in(const struct swp_store_options *options, struct swp_buf *out)
{
	struct swp_store_argument arguments[3] = {TEXT("AUTH")};
	size_t count = 1;

	if (options->sentinel_user)
		arguments[count++] = TEXT(options->sentinel_user);
	arguments[count++] = (struct swp_store_argument){
		options->sentinel_password->bytes, options->sentinel_password->length};
	return swp_store_format(out, arguments, count);
}

int swp_store_sentinels_ask(struct swp_store_sentinels *sentinels, struct swp_buf *out)
{
	const struct swp_secret *password = sentinels->options->sentinel_password;
	bool logs_in = password && swp_secret_is_set(password);
	int error = logs_in ? log_in(sentinels->options, out) : 0;

	sentinels->step = logs_in ? SWP_SENTINEL_LOGIN : SWP_SENTINEL_ADDRESS;
	return error ? error : ask_address(sentinels, out);
}

/* --- answers --- */

static enum swp_sentinel_verdict refused(struct swp_store_sentinels *sentinels, const char *words)
{
	static const struct {
		const char *start, *advice;
	} rows[] = {
		{"NOAUTH", "; put the sentinels' password into ORGSWEEP_STORE_SENTINEL_PASSWORD"},
		{"WRONGPASS", "; put the sentinels' user and password into ORGSWEEP_STORE_SENTINEL_USER and "
			      "ORGSWEEP_STORE_SENTINEL_PASSWORD"},
		{"NOPERM", "; allow the user of ORGSWEEP_STORE_SENTINEL_USER "
			   "+sentinel|get-master-addr-by-name and "
			   "+sentinel|masters"},
		{"ERR AUTH", "; it has no password: leave ORGSWEEP_STORE_SENTINEL_PASSWORD out"},
		{"ERR unknown command", "; it is no sentinel"},
		{"", ""},
	};
	struct swp_problem why;
	size_t i = 0;

	while (!swp_text_starts(words, rows[i].start))
		i++;
	swp_problem_set(&why, 0, "it says %.80s%s", words, rows[i].advice);
	swp_store_sentinels_failed(sentinels, why.text);
	return SWP_SENTINEL_NEXT;
}

static bool same_host(const struct swp_store_host *one, const struct swp_store_host *other)
{
	return one->port == other->port && strcmp(one->name, other->name) == 0;
}

static bool was_named_before(
	const struct swp_store_sentinels *sentinels, const struct swp_store_host *primary)
{
	for (size_t i = 0; i + 1 < sentinels->begun; i++)
		if (sentinels->said[i].what == SWP_SENTINEL_NAMED &&
			same_host(&sentinels->said[i].primary, primary))
			return true;
	return false;
}

/* [address, port] */
static enum swp_sentinel_verdict take_address(
	struct swp_store_sentinels *sentinels, const struct swp_store_reply *reply)
{
	struct swp_sentinel_said *said = present(sentinels);
	struct swp_store_host primary = {""};
	uint64_t port = 0;

	if (reply->type != SWP_STORE_REPLY_LIST || reply->item_count != 2 ||
		reply->items[0].type != SWP_STORE_REPLY_TEXT ||
		reply->items[1].type != SWP_STORE_REPLY_TEXT || reply->items[0].length == 0 ||
		reply->items[0].length >= sizeof(primary.name) ||
		strlen(reply->items[0].bytes) != reply->items[0].length ||
		swp_parse_u64(reply->items[1].bytes, 65535, &port) != 0 || port == 0) {
		swp_store_sentinels_failed(sentinels, "its answer can't be understood");
		return SWP_SENTINEL_NEXT;
	}
	memcpy(primary.name, reply->items[0].bytes, reply->items[0].length + 1);
	primary.port = (uint16_t)port;
	said->what = SWP_SENTINEL_NAMED;
	said->primary = primary;
	/* It was tried a moment ago. */
	return was_named_before(sentinels, &primary) ? SWP_SENTINEL_NEXT : SWP_SENTINEL_TOLD;
}

/* A list of [field, value, field, value …], of which "name" is one. As many as there is room for. */
static void take_names(struct swp_store_sentinels *sentinels, const struct swp_store_reply *reply)
{
	size_t used = 0, size = sizeof(sentinels->known_names);

	if (reply->type != SWP_STORE_REPLY_LIST)
		return;
	sentinels->known_names[0] = '\0';
	for (size_t i = 0; i < reply->item_count; i++) {
		const struct swp_store_reply *row = &reply->items[i];

		for (size_t k = 0; row->type == SWP_STORE_REPLY_LIST && k + 1 < row->item_count; k += 2) {
			const struct swp_store_reply *value = &row->items[k + 1];

			if (row->items[k].type != SWP_STORE_REPLY_TEXT ||
				strcmp(row->items[k].bytes, "name") != 0 ||
				value->type != SWP_STORE_REPLY_TEXT || used + 2 + value->length >= size)
				continue;
			if (used > 0)
				used += (size_t)snprintf(sentinels->known_names + used, size - used, ", ");
			used += swp_text_clean_array(
				sentinels->known_names + used, size - used, value->bytes, value->length);
		}
	}
}

static enum swp_sentinel_verdict take_unknown(struct swp_store_sentinels *sentinels, struct swp_buf *out)
{
	present(sentinels)->what = SWP_SENTINEL_UNKNOWN_NAME;
	sentinels->step = SWP_SENTINEL_NAMES;
	return ask_names(out) == 0 ? SWP_SENTINEL_MORE : SWP_SENTINEL_NEXT;
}

enum swp_sentinel_verdict swp_store_sentinels_answer(
	struct swp_store_sentinels *sentinels, const struct swp_store_reply *reply, struct swp_buf *out)
{
	enum swp_sentinel_step step = sentinels->step;

	if (step == SWP_SENTINEL_NAMES) {
		take_names(sentinels, reply);
		return SWP_SENTINEL_NEXT;
	}
	if (reply->type == SWP_STORE_REPLY_ERROR)
		return refused(sentinels, reply->bytes);
	if (step == SWP_SENTINEL_LOGIN) {
		sentinels->step = SWP_SENTINEL_ADDRESS;
		return SWP_SENTINEL_MORE;
	}
	return reply->type == SWP_STORE_REPLY_NOTHING ? take_unknown(sentinels, out)
						      : take_address(sentinels, reply);
}

/* --- what is told when there is no primary --- */

/* "s1:26379 says 10.0.0.5:6379 (connect: Connection refused)" and the like, one sentinel after the other. */
static void describe(const struct swp_store_sentinels *sentinels, struct swp_buf *out)
{
	for (size_t i = 0; i < sentinels->begun; i++) {
		const struct swp_store_host *host = host_at(sentinels, i);
		const struct swp_sentinel_said *said = &sentinels->said[i];

		swp_buf_append_format(out, "%s%s:%u", i > 0 ? "; " : "", host->name, host->port);
		if (said->what == SWP_SENTINEL_NAMED)
			swp_buf_append_format(out, " says %s:%u", said->primary.name, said->primary.port);
		else if (said->what == SWP_SENTINEL_UNKNOWN_NAME)
			swp_buf_append_text(out, " does not know it");
		if (said->why[0])
			swp_buf_append_format(
				out, said->what == SWP_SENTINEL_NAMED ? " (%s)" : ": %s", said->why);
	}
}

bool swp_store_sentinels_sum_up(const struct swp_store_sentinels *sentinels, struct swp_problem *problem)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf each = {0};
	const char *name = sentinels->options->address.primary_name;
	size_t named = 0, unknown = 0;

	for (size_t i = 0; i < sentinels->begun; i++) {
		named += sentinels->said[i].what == SWP_SENTINEL_NAMED;
		unknown += sentinels->said[i].what == SWP_SENTINEL_UNKNOWN_NAME;
	}
	describe(sentinels, &each);
	if (named > 0)
		swp_problem_set(
			problem, 0, "no sentinel leads to the primary of %s: %s", name, swp_buf_text(&each));
	else if (unknown > 0)
		swp_problem_set(problem, 0,
			"the sentinels know no primary named %s, only these: %s; put the right name into "
			"--store: sentinel://HOST:PORT/NAME (%s)",
			name, sentinels->known_names[0] ? sentinels->known_names : "none",
			swp_buf_text(&each));
	else
		swp_problem_set(problem, 0, "no sentinel answers: %s", swp_buf_text(&each));
	return unknown == sentinels->begun;
}
