/* store.h: a small Redis in memory. Values are kept as texts by key and field; a string's field is "". Sorted sets keep
 * member → score, lists keep number → entry, both as fields. The scripts of proto/record are done in C, in the words of scripts.h; that
 * the Lua does the same is what tests/unit/test-scripts.c is for.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/error.h"
#include "proto/base/text.h"
#include "proto/record/keys.h"
#include "proto/record/scripts.h"
#include "tests/scenario/player-internal.h"

#define MOST_ARGUMENTS 4096
#define REPLY_MS 1

struct value {
	struct value *next; /* in order of being made */
	char *key, *field, *bytes;
	size_t length;
};

struct request {
	struct request *next;
	struct swp_timer timer;
	struct swp_store *store;
	struct swp_store_argument *arguments;
	size_t count, key_count;
	int script; /* -1: a command */
	bool running, lost;
	swp_store_done done;
	void *context;
};

struct swp_store {
	struct swp_loop *loop;
	struct swp_store_events events;
	struct swp_timer up_timer;
	struct request *requests; /* in order */
	bool up;
	uint64_t connections;
};

struct answer { /* a reply being made */
	struct swp_store_reply reply;
	struct swp_store_reply *items;
	size_t count;
};

static struct value *values;
static struct swp_store *the_store;
static bool away, lose_carried_out, fresh;
static unsigned lose;
static const char *error_words, *refuse_words;
static size_t commands;
static int64_t clock_offset_ms;

static int64_t store_ms(void)
{
	return swp_clock_wall_ms(player_clock()) + clock_offset_ms;
}

void player_store_jump(int64_t ms)
{
	clock_offset_ms += ms;
}

/* --- values --- */

static struct value *find(const char *key, const char *field)
{
	for (struct value *value = values; value; value = value->next)
		if (strcmp(value->key, key) == 0 && strcmp(value->field, field ? field : "") == 0)
			return value;
	return NULL;
}

static char *copy(const void *bytes, size_t length)
{
	char *text = malloc(length + 1);

	if (!text)
		player_fail("out of memory");
	if (length)
		memcpy(text, bytes, length);
	text[length] = '\0';
	return text;
}

void player_store_put(const char *key, const char *field, const void *bytes, size_t length)
{
	struct value *value = find(key, field), **last = &values;

	if (!value) {
		value = calloc(1, sizeof(*value));
		if (!value)
			player_fail("out of memory");
		value->key = copy(key, strlen(key));
		value->field = copy(field ? field : "", field ? strlen(field) : 0);
		while (*last)
			last = &(*last)->next;
		*last = value;
	}
	free(value->bytes);
	value->bytes = copy(bytes, length);
	value->length = length;
}

const char *player_store_get(const char *key, const char *field, size_t *ret_length)
{
	struct value *value = find(key, field);

	if (value && ret_length)
		*ret_length = value->length;
	return value ? value->bytes : NULL;
}

bool player_store_has(const char *pattern)
{
	for (struct value *value = values; value; value = value->next)
		if (swp_glob_match(pattern, value->key))
			return true;
	return false;
}

static void free_value(struct value *value)
{
	free(value->key);
	free(value->field);
	free(value->bytes);
	free(value);
}

static bool drop(const char *key, const char *field, bool whole_key)
{
	struct value **at = &values;
	bool dropped = false;

	while (*at) {
		struct value *value = *at;

		if (strcmp(value->key, key) != 0 || (!whole_key && strcmp(value->field, field) != 0)) {
			at = &value->next;
			continue;
		}
		*at = value->next;
		free_value(value);
		dropped = true;
	}
	return dropped;
}

static size_t count_fields(const char *key)
{
	size_t count = 0;

	for (struct value *value = values; value; value = value->next)
		count += strcmp(value->key, key) == 0;
	return count;
}

static int64_t number_at(const char *key, const char *field)
{
	const char *text = player_store_get(key, field, NULL);

	return text ? strtoll(text, NULL, 10) : 0;
}

static void put_number(const char *key, const char *field, int64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, number);
	player_store_put(key, field, text, strlen(text));
}

/* --- scripts --- */

static void run_command(const struct request *request, struct answer *answer);

static void drop_parts(const char *key)
{
	char field[24];

	for (int i = 0; i < 10000; i++) {
		snprintf(field, sizeof(field), "p%d", i);
		drop(key, field, false);
	}
}

static int64_t stale_or_sealed(const char *key, const char *epoch)
{
	const char *granted = player_store_get(key, "e", NULL);

	if (!granted || strcmp(granted, epoch) != 0 || find(key, "l"))
		return SWP_SCRIPT_STALE;
	return find(key, "s") ? 0 : 1;
}

static int64_t commit_part(const char *key, const struct swp_store_argument *arguments)
{
	int64_t answer = stale_or_sealed(key, arguments[0].bytes);
	char field[24];

	snprintf(field, sizeof(field), "p%s", (const char *)arguments[1].bytes);
	if (answer == 1)
		player_store_put(key, field, arguments[2].bytes, arguments[2].length);
	return answer;
}

static int64_t seal(const char *key, const struct swp_store_argument *arguments, size_t count)
{
	int64_t answer = stale_or_sealed(key, arguments[0].bytes),
		parts = strtoll(arguments[1].bytes, NULL, 10);
	char field[24];

	if (answer != 1)
		return answer;
	for (size_t i = 3; i + 1 < count; i += 2) {
		snprintf(field, sizeof(field), "p%s", (const char *)arguments[i].bytes);
		player_store_put(key, field, arguments[i + 1].bytes, arguments[i + 1].length);
	}
	for (int64_t i = 0; i < parts; i++) {
		snprintf(field, sizeof(field), "p%" PRId64, i);
		if (!find(key, field))
			return SWP_SCRIPT_PARTS_MISSING;
	}
	player_store_put(key, "s", arguments[2].bytes, arguments[2].length);
	put_number(key, "t", store_ms());
	return 1;
}

/* Does an unsealed job of another sweep that runs hold the place? */
static const char *lock_word(const char *key, const char *lock)
{
	const char *holder = player_store_get(lock, "", NULL), *state;
	char sweep[SWP_KEY_BYTES];

	if (!holder || strcmp(holder, key) == 0 || !find(holder, "e") || find(holder, "s") ||
		find(holder, "l"))
		return "granted";
	snprintf(sweep, sizeof(sweep), "%.*s:sweep", (int)(strstr(holder, ":job:") - holder), holder);
	state = player_store_get(sweep, "state", NULL);
	return state && strcmp(state, "running") == 0 && llabs(number_at(sweep, "until") - store_ms()) < 15000
		       ? "locked"
		       : "granted";
}

/* "granted", "sealed", "lost" or "locked" in ret_word. */
static void grant(
	const char *key, const char *lock, const struct swp_store_argument *arguments, const char **ret_word)
{
	int64_t epoch = number_at(key, "e") + 1, least = strtoll(arguments[2].bytes, NULL, 10);

	*ret_word = find(key, "s")   ? "sealed"
		    : find(key, "l") ? "lost"
		    : lock	     ? lock_word(key, lock)
				     : "granted";
	if (strcmp(*ret_word, "granted") != 0)
		return;
	if (lock)
		player_store_put(lock, "", key, strlen(key));
	drop_parts(key);
	put_number(key, "e", epoch > least ? epoch : least);
	put_number(key, "a", number_at(key, "a") + (strcmp(arguments[1].bytes, "1") == 0));
	player_store_put(key, "w", arguments[0].bytes, arguments[0].length);
}

static int64_t give_up(const char *key, const struct swp_store_argument *arguments, size_t count)
{
	if (find(key, "s"))
		return 0;
	drop_parts(key);
	player_store_put(key, "l", count ? arguments[0].bytes : "1", count ? arguments[0].length : 1);
	return 1;
}

static int64_t forget(const char *key)
{
	static const char *const fields[] = {"s", "t", "l", "a"};

	drop_parts(key);
	for (size_t i = 0; i < SWP_ARRAY_SIZE(fields); i++)
		drop(key, fields[i], false);
	put_number(key, "e", number_at(key, "e") + 1);
	return 1;
}

/* --- replies --- */

static void say_number(struct answer *answer, int64_t number)
{
	answer->reply.type = SWP_STORE_REPLY_NUMBER;
	answer->reply.number = number;
}

static struct swp_store_reply text_reply(const char *bytes, size_t length)
{
	if (!bytes)
		return (struct swp_store_reply){.type = SWP_STORE_REPLY_NOTHING};
	return (struct swp_store_reply){.type = SWP_STORE_REPLY_TEXT, .bytes = bytes, .length = length};
}

static void add_item(struct answer *answer, struct swp_store_reply item)
{
	answer->items = realloc(answer->items, (answer->count + 1) * sizeof(*answer->items));
	if (!answer->items)
		player_fail("out of memory");
	answer->items[answer->count++] = item;
	answer->reply.type = SWP_STORE_REPLY_LIST;
}

static void add_value(struct answer *answer, const char *key, const char *field)
{
	struct value *value = find(key, field);

	add_item(answer, value ? text_reply(value->bytes, value->length) : text_reply(NULL, 0));
}

static const char *argument(const struct request *request, size_t at)
{
	if (at >= request->count)
		player_fail("the command %s lacks arguments", (const char *)request->arguments[0].bytes);
	return request->arguments[at].bytes;
}

static int64_t replace_hash(const char *key, const struct swp_store_argument *arguments, size_t count)
{
	drop(key, NULL, true);
	for (size_t i = 0; i + 1 < count; i += 2)
		player_store_put(key, arguments[i].bytes, arguments[i + 1].bytes, arguments[i + 1].length);
	return 1;
}

static int64_t add_once(const char *key, const struct swp_store_argument *entry)
{
	char field[24];
	size_t length = count_fields(key);

	for (size_t i = 0; i < length; i++) {
		size_t bytes;
		const char *there;

		snprintf(field, sizeof(field), "%zu", i);
		there = player_store_get(key, field, &bytes);
		if (there && bytes == entry->length && memcmp(there, entry->bytes, bytes) == 0)
			return (int64_t)length;
	}
	snprintf(field, sizeof(field), "%zu", length);
	player_store_put(key, field, entry->bytes, entry->length);
	return (int64_t)length + 1;
}

static int64_t leave_index(
	const char *index, const char *catalogue, const struct swp_store_argument *arguments)
{
	drop(index, arguments[0].bytes, false);
	for (struct value *value = values; value; value = value->next) {
		char key[SWP_KEY_BYTES];
		const char *hash;

		if (strcmp(value->key, index) != 0 ||
			swp_key_format(SWP_KEY_SWEEP, value->field, NULL, NULL, key) < 0)
			continue;
		hash = player_store_get(key, SWP_SWEEP_FIELD_CATALOGUE, NULL);
		if (hash && strcmp(hash, arguments[1].bytes) == 0)
			return 0;
	}
	return drop(catalogue, NULL, true);
}

static void say_error(struct answer *answer, const char *words)
{
	answer->reply = (struct swp_store_reply){
		.type = SWP_STORE_REPLY_ERROR, .bytes = words, .length = strlen(words)};
}

#define DEPOSED_WORDS SWP_SCRIPT_DEPOSED " another coordinator has taken over"

/* Rows behind the script's own keys must have the terms that its first arguments name. */
static bool is_fenced_off(const struct request *request, unsigned own_keys)
{
	for (size_t i = own_keys; i < request->key_count; i++) {
		const char *term = player_store_get(request->arguments[i].bytes, SWP_OWNER_FIELD_TERM, NULL);

		if (!term || strcmp(term, request->arguments[request->key_count + i - own_keys].bytes) != 0)
			return true;
	}
	return false;
}

static struct swp_store_reply number_reply(int64_t number)
{
	return (struct swp_store_reply){.type = SWP_STORE_REPLY_NUMBER, .number = number};
}

static void put_text(const char *key, const char *field, const struct swp_store_argument *text)
{
	player_store_put(key, field, text->bytes, text->length);
}

static bool is_held(const char *key, const struct swp_store_argument *arguments, int64_t now)
{
	const char *owner = player_store_get(key, SWP_OWNER_FIELD_OWNER, NULL),
		   *until = player_store_get(key, SWP_OWNER_FIELD_UNTIL, NULL);

	if (owner && until && strcmp(owner, arguments[6].bytes) == 0 &&
		strcmp(until, arguments[7].bytes) == 0)
		return false;
	return owner && strcmp(owner, arguments[0].bytes) != 0 && strcmp(owner, arguments[5].bytes) != 0 &&
	       number_at(key, SWP_OWNER_FIELD_UNTIL) > now;
}

/* "term rows planned", if it is of the sweep's term. */
static bool counted_accounts(const char *sweep, int64_t *ret_rows, int64_t *ret_planned)
{
	const char *text = player_store_get(sweep, SWP_SWEEP_FIELD_ACCOUNTS, NULL);
	char *end;

	if (!text || strtoll(text, &end, 10) != number_at(sweep, SWP_OWNER_FIELD_TERM))
		return false;
	*ret_rows = strtoll(end, &end, 10);
	*ret_planned = strtoll(end, NULL, 10);
	return true;
}

static void put_counted(const char *sweep, int64_t rows, int64_t planned)
{
	char text[80];

	snprintf(text, sizeof(text), "%" PRId64 " %" PRId64 " %" PRId64,
		number_at(sweep, SWP_OWNER_FIELD_TERM), rows, planned);
	player_store_put(sweep, SWP_SWEEP_FIELD_ACCOUNTS, text, strlen(text));
}

#define PLANNED_BEFORE                                                                                       \
	"planned" /* account → "1" or "0": the Lua looks into the row, but decoding takes memory, which tests refuse */

static void write_account(const char *accounts, const char *sweep, const struct swp_store_argument *arguments)
{
	const char *account = arguments[0].bytes;
	bool there = player_store_get(accounts, account, NULL) != NULL;
	int64_t rows, planned, was_planned = there ? number_at(PLANNED_BEFORE, account) : 0;

	put_text(accounts, account, &arguments[1]);
	put_text(PLANNED_BEFORE, account, &arguments[2]);
	if (!counted_accounts(sweep, &rows, &planned))
		return;
	if (there && rows == 0)
		drop(sweep, SWP_SWEEP_FIELD_ACCOUNTS, true);
	else
		put_counted(sweep, rows + !there, planned + number_at(PLANNED_BEFORE, account) - was_planned);
}

static void take_over(const char *key, const struct swp_store_argument *arguments, struct answer *answer)
{
	static char before[128];
	int64_t now = store_ms(), stored = number_at(key, SWP_OWNER_FIELD_TERM),
		term = strtoll(arguments[4].bytes, NULL, 10), wall = strtoll(arguments[3].bytes, NULL, 10);
	int64_t rows = 0, planned = 0;
	bool counts = counted_accounts(key, &rows, &planned) ||
		      (stored == 0 && strcmp(key + strlen(key) - strlen(":sweep"), ":sweep") == 0);
	const char *owner = player_store_get(key, SWP_OWNER_FIELD_OWNER, NULL),
		   *host = player_store_get(key, SWP_OWNER_FIELD_HOST, NULL);

	snprintf(before, sizeof(before), "%s", owner ? owner : "");
	if (term > 0 && stored > term) {
		say_error(answer, DEPOSED_WORDS);
		return;
	}
	if (term == 0 && is_held(key, arguments, now)) {
		add_item(answer, text_reply("held", 4));
		add_item(answer, number_reply(number_at(key, SWP_OWNER_FIELD_UNTIL) - now));
		add_item(answer, text_reply(before, strlen(before)));
		add_item(answer, text_reply(host ? host : "", host ? strlen(host) : 0));
		add_value(answer, key, SWP_OWNER_FIELD_UNTIL);
		return;
	}
	if (term == 0)
		term = 1 + (stored > wall && stored > now ? stored : wall > now ? wall : now);
	if (strcmp(before, arguments[0].bytes) != 0)
		put_number(key, SWP_OWNER_FIELD_SINCE, now);
	put_number(key, SWP_OWNER_FIELD_TERM, term);
	if (counts)
		put_counted(key, rows, planned);
	put_text(key, SWP_OWNER_FIELD_OWNER, &arguments[0]);
	put_text(key, SWP_OWNER_FIELD_HOST, &arguments[1]);
	put_number(key, SWP_OWNER_FIELD_UNTIL, now + strtoll(arguments[2].bytes, NULL, 10));
	add_item(answer, text_reply("owned", 5));
	add_item(answer, number_reply(term));
	add_item(answer, text_reply(before, strlen(before)));
}

static void renew(const char *key, const char *drains, const struct swp_store_argument *arguments,
	struct answer *answer)
{
	int64_t lease = strtoll(arguments[0].bytes, NULL, 10);

	put_number(key, SWP_OWNER_FIELD_UNTIL, lease ? store_ms() + lease : 0);
	add_value(answer, key, SWP_SWEEP_FIELD_CANCEL_ASKED);
	for (struct value *value = values; value; value = value->next)
		if (strcmp(value->key, drains) == 0)
			add_item(answer, text_reply(value->field, strlen(value->field)));
}

static int64_t assert_grant(const char *key, const struct swp_store_argument *arguments)
{
	int64_t epoch = number_at(key, "e"), asked = strtoll(arguments[1].bytes, NULL, 10);

	if (find(key, "s") || find(key, "l") || epoch > asked)
		return 0;
	if (epoch < asked) {
		drop_parts(key);
		put_text(key, "w", &arguments[0]);
		put_text(key, "e", &arguments[1]);
		put_text(key, "a", &arguments[2]);
	}
	return 1;
}

static int64_t drop_keys(const struct swp_store_argument *keys, size_t count)
{
	int64_t gone = 0;

	for (size_t i = 0; i < count; i++)
		gone += drop(keys[i].bytes, NULL, true);
	return gone;
}

/* As the command that it is: its name before the key. */
static void run_write(
	const char *key, const struct swp_store_argument *arguments, size_t count, struct answer *answer)
{
	struct swp_store_argument all[MOST_ARGUMENTS];
	const struct request command = {.script = -1, .arguments = all, .count = count + 1};

	all[0] = arguments[0];
	all[1] = (struct swp_store_argument){key, strlen(key)};
	for (size_t i = 1; i < count; i++)
		all[i + 1] = arguments[i];
	run_command(&command, answer);
}

static void run_script(const struct request *request, struct answer *answer)
{
	const struct swp_script_row *row = swp_script_row((enum swp_script)request->script);
	size_t fences =
		row->fenced && request->key_count > row->own_keys ? request->key_count - row->own_keys : 0;
	const struct swp_store_argument *arguments = request->arguments + request->key_count + fences;
	size_t count = request->count - request->key_count - fences;
	const char *key = request->arguments[0].bytes, *word;

	if (fences > 0 && is_fenced_off(request, row->own_keys)) {
		say_error(answer, DEPOSED_WORDS);
		return;
	}
	switch ((enum swp_script)request->script) {
	case SWP_SCRIPT_GRANT:
		grant(key, request->key_count > 1 ? request->arguments[1].bytes : NULL, arguments, &word);
		add_item(answer, text_reply(word, strlen(word)));
		add_item(answer, (struct swp_store_reply){
					 .type = SWP_STORE_REPLY_NUMBER, .number = number_at(key, "e")});
		add_item(answer, (struct swp_store_reply){
					 .type = SWP_STORE_REPLY_NUMBER, .number = number_at(key, "a")});
		return;
	case SWP_SCRIPT_COMMIT_PART:
		say_number(answer, commit_part(key, arguments));
		return;
	case SWP_SCRIPT_SEAL:
		say_number(answer, seal(key, arguments, count));
		if (request->key_count > 1 && find(key, "s"))
			drop(request->arguments[1].bytes, NULL, true);
		return;
	case SWP_SCRIPT_GIVE_UP:
		say_number(answer, give_up(key, arguments, count));
		return;
	case SWP_SCRIPT_FORGET:
		say_number(answer, forget(key));
		return;
	case SWP_SCRIPT_REPLACE_HASH:
		say_number(answer, replace_hash(key, arguments, count));
		return;
	case SWP_SCRIPT_ADD_ONCE:
		say_number(answer, add_once(key, arguments));
		return;
	case SWP_SCRIPT_WRITE:
		run_write(key, arguments, count, answer);
		return;
	case SWP_SCRIPT_DROP:
		say_number(answer, drop_keys(arguments, count));
		return;
	case SWP_SCRIPT_TAKE_OVER:
		take_over(key, arguments, answer);
		return;
	case SWP_SCRIPT_RENEW:
		renew(key, request->arguments[1].bytes, arguments, answer);
		return;
	case SWP_SCRIPT_ASSERT_GRANT:
		say_number(answer, assert_grant(key, arguments));
		return;
	case SWP_SCRIPT_ACCOUNT:
		write_account(key, request->arguments[1].bytes, arguments);
		say_number(answer, 1);
		return;
	case SWP_SCRIPT_LEAVE_INDEX:
		say_number(answer, leave_index(key, request->arguments[1].bytes, arguments));
		return;
	default:
		player_fail("a script that the player does not know");
	}
}

/* --- commands: one row each --- */

static void set_pairs(const struct request *request, struct answer *answer)
{
	for (size_t i = 2; i + 1 < request->count; i += 2)
		player_store_put(argument(request, 1), argument(request, i), request->arguments[i + 1].bytes,
			request->arguments[i + 1].length);
	say_number(answer, 1);
}

static void get_field(const struct request *request, struct answer *answer)
{
	struct value *value = find(argument(request, 1), argument(request, 2));

	answer->reply = value ? text_reply(value->bytes, value->length) : text_reply(NULL, 0);
}

static void get_fields(const struct request *request, struct answer *answer)
{
	for (size_t i = 2; i < request->count; i++)
		add_value(answer, argument(request, 1), argument(request, i));
}

static void get_all(const struct request *request, struct answer *answer)
{
	answer->reply.type = SWP_STORE_REPLY_LIST;
	for (struct value *value = values; value; value = value->next) {
		if (strcmp(value->key, argument(request, 1)) != 0)
			continue;
		add_item(answer, text_reply(value->field, strlen(value->field)));
		add_item(answer, text_reply(value->bytes, value->length));
	}
}

/* HSCAN: everything at once, cursor 0. */
static void scan_all(const struct request *request, struct answer *answer)
{
	static struct answer inner;

	free(inner.items);
	inner = (struct answer){0};
	get_all(request, &inner);
	inner.reply.items = inner.items;
	inner.reply.item_count = inner.count;
	add_item(answer, text_reply("0", 1));
	add_item(answer, inner.reply);
}

/* SCAN cursor MATCH pattern …: everything at once, each key once. */
static void scan_keys(const struct request *request, struct answer *answer)
{
	static struct answer inner;

	free(inner.items);
	inner = (struct answer){.reply.type = SWP_STORE_REPLY_LIST};
	for (struct value *value = values; value; value = value->next) {
		bool seen = false;

		for (size_t i = 0; i < inner.count && !seen; i++)
			seen = strcmp(inner.items[i].bytes, value->key) == 0;
		if (!seen && swp_glob_match(argument(request, 3), value->key))
			add_item(&inner, text_reply(value->key, strlen(value->key)));
	}
	inner.reply.items = inner.items;
	inner.reply.item_count = inner.count;
	add_item(answer, text_reply("0", 1));
	add_item(answer, inner.reply);
}

static void delete_fields(const struct request *request, struct answer *answer)
{
	int64_t count = 0;

	for (size_t i = 2; i < request->count; i++)
		count += drop(argument(request, 1), argument(request, i), false);
	say_number(answer, count);
}

static void set_text(const struct request *request, struct answer *answer)
{
	player_store_put(argument(request, 1), NULL, argument(request, 2), request->arguments[2].length);
	answer->reply = text_reply("OK", 2);
}

static void get_text(const struct request *request, struct answer *answer)
{
	struct value *value = find(argument(request, 1), NULL);

	answer->reply = value ? text_reply(value->bytes, value->length) : text_reply(NULL, 0);
}

static void delete_keys(const struct request *request, struct answer *answer)
{
	int64_t count = 0;

	for (size_t i = 1; i < request->count; i++)
		count += drop(argument(request, i), NULL, true);
	say_number(answer, count);
}

static void exists(const struct request *request, struct answer *answer)
{
	say_number(answer, count_fields(argument(request, 1)) > 0);
}

static void field_exists(const struct request *request, struct answer *answer)
{
	say_number(answer, find(argument(request, 1), argument(request, 2)) != NULL);
}

static void push(const struct request *request, struct answer *answer)
{
	char field[24];

	for (size_t i = 2; i < request->count; i++) {
		snprintf(field, sizeof(field), "%zu", count_fields(argument(request, 1)));
		player_store_put(argument(request, 1), field, request->arguments[i].bytes,
			request->arguments[i].length);
	}
	say_number(answer, (int64_t)count_fields(argument(request, 1)));
}

/* Whole lists only; sorted sets in order of being added (tests add in order of score). */
static void range(const struct request *request, struct answer *answer)
{
	bool is_list = argument(request, 0)[0] == 'L',
	     backwards = strncmp(argument(request, 0), "ZREV", 4) == 0;

	answer->reply.type = SWP_STORE_REPLY_LIST;
	for (struct value *value = values; value; value = value->next)
		if (strcmp(value->key, argument(request, 1)) == 0)
			add_item(answer, is_list ? text_reply(value->bytes, value->length)
						 : text_reply(value->field, strlen(value->field)));
	for (size_t i = 0; backwards && i < answer->count / 2; i++) {
		struct swp_store_reply swap = answer->items[i];

		answer->items[i] = answer->items[answer->count - 1 - i];
		answer->items[answer->count - 1 - i] = swap;
	}
}

static void add_score(const struct request *request, struct answer *answer)
{
	player_store_put(argument(request, 1), argument(request, 3), argument(request, 2),
		request->arguments[2].length);
	say_number(answer, 1);
}

static void field_count(const struct request *request, struct answer *answer)
{
	say_number(answer, (int64_t)count_fields(argument(request, 1)));
}

static const struct {
	const char *name;
	void (*run)(const struct request *request, struct answer *answer);
	bool writes;
} known[] = {
	{"HSET", set_pairs, true},
	{"HGET", get_field},
	{"HMGET", get_fields},
	{"HGETALL", get_all},
	{"HSCAN", scan_all},
	{"SCAN", scan_keys},
	{"HDEL", delete_fields, true},
	{"HEXISTS", field_exists},
	{"HLEN", field_count},
	{"SET", set_text, true},
	{"GET", get_text},
	{"DEL", delete_keys, true},
	{"UNLINK", delete_keys, true},
	{"EXISTS", exists},
	{"RPUSH", push, true},
	{"LRANGE", range},
	{"ZADD", add_score, true},
	{"ZRANGE", range},
	{"ZREVRANGE", range},
	{"ZREM", delete_fields, true},
	{"ZSCORE", get_field},
	{"ZCARD", field_count},
};

static bool writes(const struct request *request)
{
	for (size_t i = 0; request->script < 0 && i < SWP_ARRAY_SIZE(known); i++)
		if (strcmp(known[i].name, argument(request, 0)) == 0)
			return known[i].writes;
	return true;
}

static void run_command(const struct request *request, struct answer *answer)
{
	for (size_t i = 0; i < SWP_ARRAY_SIZE(known); i++) {
		if (strcmp(known[i].name, argument(request, 0)) == 0) {
			known[i].run(request, answer);
			return;
		}
	}
	player_fail("a store command that the player does not know: %s", argument(request, 0));
}

static void carry_out(const struct request *request, struct answer *answer)
{
	commands += request->script != SWP_SCRIPT_TAKE_OVER && request->script != SWP_SCRIPT_RENEW;
	if (request->script >= 0)
		run_script(request, answer);
	else
		run_command(request, answer);
	answer->reply.items = answer->items;
	answer->reply.item_count = answer->count;
}

/* --- requests --- */

static void remove_request(struct request *request)
{
	struct request **at = &request->store->requests;

	while (*at != request)
		at = &(*at)->next;
	*at = request->next;
	swp_timer_stop(&request->timer);
}

static void free_request(struct request *request)
{
	for (size_t i = 0; i < request->count; i++)
		free((void *)(uintptr_t)request->arguments[i].bytes);
	free(request->arguments);
	free(request);
}

static void finish(struct request *request, struct answer *answer)
{
	remove_request(request);
	if (request->done)
		request->done(request->context, &answer->reply);
	free(answer->items);
	free_request(request);
}

static void finish_lost(struct request *request)
{
	struct answer answer = {.reply = {.type = SWP_STORE_REPLY_LOST, .bytes = ""}};

	finish(request, &answer);
}

static void reply_now(struct swp_timer *timer)
{
	struct request *request = SWP_CONTAINER_OF(timer, struct request, timer);
	struct answer answer = {.reply = {.bytes = ""}};

	if (request->lost) {
		finish_lost(request);
		return;
	}
	if (error_words || (refuse_words && writes(request))) {
		const char *words = error_words ? error_words : refuse_words;

		answer.reply = (struct swp_store_reply){
			.type = SWP_STORE_REPLY_ERROR, .bytes = words, .length = strlen(words)};
		error_words = NULL;
	} else if (lose > 0) {
		lose--;
		if (lose_carried_out)
			carry_out(request, &answer);
		free(answer.items);
		answer = (struct answer){.reply = {.type = SWP_STORE_REPLY_LOST, .bytes = ""}};
	} else {
		carry_out(request, &answer);
	}
	finish(request, &answer);
}

static void start_request(struct request *request)
{
	request->running = true;
	swp_timer_start(&request->timer, REPLY_MS);
}

static int add_request(struct swp_store *store, int script, const struct swp_store_argument *keys,
	size_t key_count, const struct swp_store_argument *arguments, size_t count, swp_store_done done,
	void *context)
{
	struct request *request = calloc(1, sizeof(*request)), **last = &store->requests;

	if (!request || key_count + count > MOST_ARGUMENTS)
		player_fail("a store command is too long");
	request->store = store;
	request->script = script;
	request->key_count = key_count;
	request->count = key_count + count;
	request->arguments = calloc(request->count + 1, sizeof(*request->arguments));
	for (size_t i = 0; i < request->count; i++) {
		const struct swp_store_argument *from = i < key_count ? &keys[i] : &arguments[i - key_count];

		request->arguments[i] =
			(struct swp_store_argument){copy(from->bytes, from->length), from->length};
	}
	request->done = done;
	request->context = context;
	swp_timer_init(&request->timer, store->loop, reply_now);
	while (*last)
		last = &(*last)->next;
	*last = request;
	if (store->up)
		start_request(request);
	return 0;
}

/* --- store.h --- */

static void come_up(struct swp_timer *timer)
{
	struct swp_store *store = SWP_CONTAINER_OF(timer, struct swp_store, up_timer);

	store->up = true;
	store->connections++;
	store->events.up(store->events.context, fresh);
	for (struct request *request = store->requests; request; request = request->next)
		if (!request->running)
			start_request(request);
}

struct swp_store *swp_store_new(struct swp_loop *loop, const struct swp_store_options *options,
	const struct swp_store_events *events, struct swp_problem *problem)
{
	struct swp_store *store = calloc(1, sizeof(*store));

	(void)options;
	(void)problem;
	if (!store || the_store)
		player_fail("a second store");
	store->loop = loop;
	store->events = *events;
	swp_timer_init(&store->up_timer, loop, come_up);
	the_store = store;
	if (!away)
		swp_timer_start(&store->up_timer, REPLY_MS);
	return store;
}

void swp_store_free(struct swp_store *store)
{
	if (!store)
		return;
	swp_timer_stop(&store->up_timer);
	while (store->requests)
		finish_lost(store->requests);
	the_store = NULL;
	free(store);
}

uint64_t swp_store_connections(const struct swp_store *store)
{
	return store->connections;
}

const struct swp_store_warning *swp_store_warning(const struct swp_store *store, size_t index)
{
	(void)store;
	(void)index;
	return NULL;
}

bool swp_store_is_up(const struct swp_store *store)
{
	return store->up;
}

int swp_store_command(struct swp_store *store, const struct swp_store_argument *arguments, size_t count,
	swp_store_done done, void *context)
{
	return add_request(store, -1, NULL, 0, arguments, count, done, context);
}

static int script_number(const char *source)
{
	for (int i = 0; i < SWP_SCRIPT_COUNT; i++)
		if (strcmp(swp_script_row((enum swp_script)i)->source, source) == 0)
			return i;
	player_fail("a script that is not in proto/record");
}

int swp_store_run(struct swp_store *store, struct swp_store_script *script,
	const struct swp_store_argument *keys, size_t key_count, const struct swp_store_argument *arguments,
	size_t argument_count, swp_store_done done, void *context)
{
	return add_request(store, script_number(script->source), keys, key_count, arguments, argument_count,
		done, context);
}

size_t swp_store_open_commands(const struct swp_store *store)
{
	size_t count = 0;

	for (const struct request *request = store->requests; request; request = request->next)
		count++;
	return count;
}

/* --- the test's hand --- */

void player_store_away(const char *why)
{
	away = true;
	if (!the_store || !the_store->up)
		return;
	the_store->up = false;
	/* Their answers come as lost, in a later round, as from a connection that broke. */
	for (struct request *request = the_store->requests; request; request = request->next) {
		request->lost = true;
		request->running = true;
		swp_timer_start(&request->timer, 0);
	}
	the_store->events.down(the_store->events.context, why);
}

void player_store_back(bool fresh_run)
{
	away = false;
	fresh = fresh_run;
	if (the_store)
		swp_timer_start(&the_store->up_timer, REPLY_MS);
}

void player_store_lose_replies(unsigned count, bool carried_out)
{
	lose = count;
	lose_carried_out = carried_out;
}

void player_store_error(const char *words)
{
	error_words = words;
}

void player_store_refuse(const char *words)
{
	refuse_words = words;
}

size_t player_store_commands(void)
{
	return commands;
}

int64_t player_store_script(int script, const char *key, const char *const *arguments, size_t count)
{
	struct swp_store_argument all[16] = {{key, strlen(key)}};
	struct request request = {.script = script, .key_count = 1, .count = count + 1, .arguments = all};
	struct answer answer = {.reply = {.bytes = ""}};
	int64_t number;

	for (size_t i = 0; i < count; i++)
		all[i + 1] = (struct swp_store_argument){arguments[i], strlen(arguments[i])};
	run_script(&request, &answer);
	number = answer.count > 1 ? answer.items[1].number : answer.reply.number;
	free(answer.items);
	return number;
}

void player_store_begin(void)
{
	away = false;
	fresh = false;
	lose = 0;
	error_words = refuse_words = NULL;
	commands = 0;
	clock_offset_ms = 0;
}

void player_store_end(void)
{
	if (the_store)
		player_fail("the store's connection is left over");
	if (lose > 0 || error_words)
		player_fail("a scripted loss or error of the store was not used");
	while (values) {
		struct value *value = values;

		values = value->next;
		free_value(value);
	}
}
