/* Messages as tables: one row a member, from which encoding, decoding, cleaning up and the docs follow. */
#include "proto/wire/message.h"

#include <errno.h>
#include <msgpack.h>
#include <string.h>

#include "proto/base/error.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/base/unpack.h"

enum kind {
	KIND_TEXT,    /* const char * */
	KIND_NUMBER,  /* uint64_t, at most `max` */
	KIND_SIGNED,  /* int64_t */
	KIND_FLAG,    /* bool */
	KIND_BYTES,   /* struct swp_wire_bytes */
	KIND_SECRET,  /* struct swp_secret */
	KIND_TEXTS,   /* const char *const *, and a size_t */
	KIND_RECORD,  /* a struct of `shape` */
	KIND_RECORDS, /* pointer to structs of `shape`, and a size_t */
	KIND_COUNT,
};
static const char *const kind_names[KIND_COUNT] = {
	[KIND_TEXT] = "text",
	[KIND_NUMBER] = "number",
	[KIND_SIGNED] = "signed number",
	[KIND_FLAG] = "flag",
	[KIND_BYTES] = "bytes",
	[KIND_SECRET] = "secret bytes",
	[KIND_TEXTS] = "list of texts",
	[KIND_RECORD] = "record",
	[KIND_RECORDS] = "list of records",
};

struct shape;
struct member {
	const char *name; /* NULL ends a shape */
	enum kind kind;
	bool required;
	size_t offset, count_offset;
	unsigned long max;
	const struct shape *shape;
};
struct shape {
	size_t size;
	const struct member *members;
};
#define REQUIRED true
#define OPTIONAL false

/* `type` and `field` name the C struct's member; one macro a kind, so that a wrong C type does not compile. */
#define AT(type, field, c_type)                                                                              \
	(offsetof(struct type, field) + 0 * sizeof((c_type *)0 == &((struct type *)0)->field))
#define TEXT(type, field, wire, need)                                                                        \
	{                                                                                                    \
		wire, KIND_TEXT, need, AT(type, field, const char *), 0, SWP_LIMIT_WIRE_TEXT_BYTES, NULL     \
	}
#define NUMBER(type, field, wire, need, max_value)                                                           \
	{                                                                                                    \
		wire, KIND_NUMBER, need, AT(type, field, uint64_t), 0, max_value, NULL                       \
	}
#define SIGNED(type, field, wire, need)                                                                      \
	{                                                                                                    \
		wire, KIND_SIGNED, need, AT(type, field, int64_t), 0, 0, NULL                                \
	}
#define FLAG(type, field, wire)                                                                              \
	{                                                                                                    \
		wire, KIND_FLAG, OPTIONAL, AT(type, field, bool), 0, 1, NULL                                 \
	}
#define BYTES(type, field, wire, need, max_bytes)                                                            \
	{                                                                                                    \
		wire, KIND_BYTES, need, AT(type, field, struct swp_wire_bytes), 0, max_bytes, NULL           \
	}
#define SECRET(type, field, wire, need, max_bytes)                                                           \
	{                                                                                                    \
		wire, KIND_SECRET, need, AT(type, field, struct swp_secret), 0, max_bytes, NULL              \
	}
#define TEXTS(type, field, count, wire, max_entries)                                                         \
	{                                                                                                    \
		wire, KIND_TEXTS, OPTIONAL, AT(type, field, const char *const *), AT(type, count, size_t),   \
			max_entries, NULL                                                                    \
	}
#define RECORD(type, field, wire, need, of)                                                                  \
	{                                                                                                    \
		wire, KIND_RECORD, need, offsetof(struct type, field), 0, 1, of                              \
	}
#define RECORDS(type, field, count, wire, max_entries, of)                                                   \
	{                                                                                                    \
		wire, KIND_RECORDS, OPTIONAL, offsetof(struct type, field), AT(type, count, size_t),         \
			max_entries, of                                                                      \
	}
#define SHAPE(type, rows)                                                                                    \
	{                                                                                                    \
		sizeof(struct type), rows                                                                    \
	}
#define END                                                                                                  \
	{                                                                                                    \
		NULL, KIND_TEXT, false, 0, 0, 0, NULL                                                        \
	}
#define ANY_NUMBER INT64_MAX
#define LAST_MOMENT_MS INT64_C(253402300799999) /* of the year 9999 */

static const struct member hold_members[] = {
	NUMBER(swp_wire_hold, job, "job", REQUIRED, ANY_NUMBER),
	NUMBER(swp_wire_hold, epoch, "epoch", REQUIRED, ANY_NUMBER),
	TEXT(swp_wire_hold, sweep, "sweep", REQUIRED),
	TEXT(swp_wire_hold, account, "account", REQUIRED),
	TEXT(swp_wire_hold, region, "region", REQUIRED),
	END,
};
static const struct shape hold_shape = SHAPE(swp_wire_hold, hold_members);

static const struct member hello_members[] = {
	NUMBER(swp_message_hello, protocol, "protocol", REQUIRED, ANY_NUMBER),
	TEXT(swp_message_hello, version, "version", OPTIONAL),
	TEXT(swp_message_hello, name, "name", REQUIRED),
	TEXT(swp_message_hello, host, "host", OPTIONAL),
	NUMBER(swp_message_hello, pid, "pid", OPTIONAL, ANY_NUMBER),
	NUMBER(swp_message_hello, credits, "credits", OPTIONAL, SWP_LIMIT_HOLDS),
	FLAG(swp_message_hello, draining, "draining"),
	TEXTS(swp_message_hello, catalogues, catalogue_count, "catalogues", SWP_LIMIT_HOLDS),
	RECORDS(swp_message_hello, holds, hold_count, "holds", SWP_LIMIT_HOLDS, &hold_shape),
	END,
};

static const struct member want_catalogue_members[] = {
	TEXT(swp_message_want_catalogue, hash, "hash", REQUIRED),
	END,
};

static const struct member limit_members[] = {
	TEXT(swp_wire_limit, service, "service", REQUIRED),
	NUMBER(swp_wire_limit, millihertz, "millihertz", OPTIONAL, 1000000000),
	END,
};
static const struct shape limit_shape = SHAPE(swp_wire_limit, limit_members);

static const struct member done_members[] = {
	NUMBER(swp_message_done, job, "job", REQUIRED, ANY_NUMBER),
	NUMBER(swp_message_done, epoch, "epoch", REQUIRED, ANY_NUMBER),
	NUMBER(swp_message_done, how, "how", REQUIRED, SWP_DONE_DUPLICATE),
	NUMBER(swp_message_done, rows, "rows", OPTIONAL, ANY_NUMBER),
	NUMBER(swp_message_done, calls, "calls", OPTIONAL, ANY_NUMBER),
	NUMBER(swp_message_done, retried, "retried", OPTIONAL, ANY_NUMBER),
	NUMBER(swp_message_done, throttled, "throttled", OPTIONAL, ANY_NUMBER),
	NUMBER(swp_message_done, vanished, "vanished", OPTIONAL, ANY_NUMBER),
	NUMBER(swp_message_done, pass, "pass", OPTIONAL, ANY_NUMBER),
	NUMBER(swp_message_done, fail, "fail", OPTIONAL, ANY_NUMBER),
	NUMBER(swp_message_done, not_applicable, "not_applicable", OPTIONAL, ANY_NUMBER),
	NUMBER(swp_message_done, not_assessed, "not_assessed", OPTIONAL, ANY_NUMBER),
	NUMBER(swp_message_done, partial, "partial", OPTIONAL, ANY_NUMBER),
	FLAG(swp_message_done, answered, "answered"),
	NUMBER(swp_message_done, elapsed_ms, "elapsed_ms", OPTIONAL, ANY_NUMBER),
	RECORDS(swp_message_done, limits, limit_count, "limits", SWP_LIMIT_JOB_LIMITS, &limit_shape),
	END,
};

static const struct member renew_members[] = {
	NUMBER(swp_message_renew, job, "job", REQUIRED, ANY_NUMBER),
	NUMBER(swp_message_renew, epoch, "epoch", REQUIRED, ANY_NUMBER),
	END,
};

static const struct member give_back_members[] = {
	NUMBER(swp_message_give_back, job, "job", REQUIRED, ANY_NUMBER),
	NUMBER(swp_message_give_back, epoch, "epoch", REQUIRED, ANY_NUMBER),
	NUMBER(swp_message_give_back, why, "why", REQUIRED, 255 /* a newer one may know more */),
	TEXT(swp_message_give_back, detail, "detail", OPTIONAL),
	END,
};

static const struct member lease_members[] = {
	NUMBER(swp_wire_lease, job, "job", REQUIRED, ANY_NUMBER),
	NUMBER(swp_wire_lease, epoch, "epoch", REQUIRED, ANY_NUMBER),
	END,
};
static const struct shape lease_shape = SHAPE(swp_wire_lease, lease_members);

static const struct member heartbeat_members[] = {
	RECORDS(swp_message_heartbeat, jobs, job_count, "jobs", SWP_LIMIT_HOLDS, &lease_shape),
	NUMBER(swp_message_heartbeat, calls, "calls", OPTIONAL, ANY_NUMBER),
	NUMBER(swp_message_heartbeat, in_flight, "in_flight", OPTIONAL, ANY_NUMBER),
	NUMBER(swp_message_heartbeat, resident_bytes, "resident_bytes", OPTIONAL, ANY_NUMBER),
	NUMBER(swp_message_heartbeat, uncommitted_bytes, "uncommitted_bytes", OPTIONAL, ANY_NUMBER),
	FLAG(swp_message_heartbeat, store_away, "store_away"),
	END,
};

static const struct member welcome_members[] = {
	NUMBER(swp_message_welcome, protocol, "protocol", REQUIRED, ANY_NUMBER),
	TEXT(swp_message_welcome, version, "version", OPTIONAL),
	NUMBER(swp_message_welcome, heartbeat_ms, "heartbeat_ms", OPTIONAL, ANY_NUMBER),
	NUMBER(swp_message_welcome, lease_ms, "lease_ms", OPTIONAL, ANY_NUMBER),
	END,
};

static const struct member endpoint_members[] = {
	TEXT(swp_wire_endpoint, service, "service", OPTIONAL),
	TEXT(swp_wire_endpoint, region, "region", OPTIONAL),
	TEXT(swp_wire_endpoint, url, "url", REQUIRED),
	END,
};
static const struct shape endpoint_shape = SHAPE(swp_wire_endpoint, endpoint_members);

static const struct member sweep_members[] = {
	TEXT(swp_message_sweep, sweep, "sweep", REQUIRED),
	TEXT(swp_message_sweep, catalogue, "catalogue", REQUIRED),
	TEXTS(swp_message_sweep, selection, selection_count, "selection", SWP_LIMIT_CATALOGUE_ROWS),
	TEXT(swp_message_sweep, partition, "partition", REQUIRED),
	TEXT(swp_message_sweep, organization_id, "organization_id", OPTIONAL),
	TEXT(swp_message_sweep, management_account, "management_account", OPTIONAL),
	NUMBER(swp_message_sweep, started_at_ms, "started_at_ms", REQUIRED, LAST_MOMENT_MS),
	RECORDS(swp_message_sweep, endpoints, endpoint_count, "endpoints", SWP_LIMIT_ENDPOINT_ROWS,
		&endpoint_shape),
	FLAG(swp_message_sweep, fips, "fips"),
	FLAG(swp_message_sweep, dual_stack, "dual_stack"),
	NUMBER(swp_message_sweep, max_share_percent, "max_share_percent", OPTIONAL, 100),
	END,
};

static const struct member catalogue_members[] = {
	TEXT(swp_message_catalogue, hash, "hash", REQUIRED),
	BYTES(swp_message_catalogue, compiled, "compiled", REQUIRED, SWP_LIMIT_CATALOGUE_BYTES),
	END,
};

static const struct member signing_key_members[] = {
	TEXT(swp_wire_signing_key, day, "day", REQUIRED),
	TEXT(swp_wire_signing_key, region, "region", REQUIRED),
	TEXT(swp_wire_signing_key, service, "service", REQUIRED),
	SECRET(swp_wire_signing_key, key, "key", REQUIRED, SWP_WIRE_SIGNING_KEY_BYTES),
	NUMBER(swp_wire_signing_key, session, "session", OPTIONAL, SWP_LIMIT_SESSIONS - 1),
	END,
};
static const struct shape signing_key_shape = SHAPE(swp_wire_signing_key, signing_key_members);

static const struct member session_members[] = {
	TEXT(swp_wire_session, access_key_id, "access_key_id", REQUIRED),
	SECRET(swp_wire_session, session_token, "session_token", OPTIONAL, SWP_LIMIT_SECRET_BYTES),
	END,
};
static const struct shape session_shape = SHAPE(swp_wire_session, session_members);

static const struct member credentials_members[] = {
	TEXT(swp_wire_credentials, access_key_id, "access_key_id", OPTIONAL),
	SECRET(swp_wire_credentials, session_token, "session_token", OPTIONAL, SWP_LIMIT_SECRET_BYTES),
	SIGNED(swp_wire_credentials, expires_at_ms, "expires_at_ms", OPTIONAL),
	RECORDS(swp_wire_credentials, keys, key_count, "keys", SWP_LIMIT_SIGNING_KEYS, &signing_key_shape),
	RECORDS(swp_wire_credentials, more, more_count, "more", SWP_LIMIT_SESSIONS - 1, &session_shape),
	END,
};
static const struct shape credentials_shape = SHAPE(swp_wire_credentials, credentials_members);

static const struct member job_members[] = {
	NUMBER(swp_message_job, job, "job", REQUIRED, ANY_NUMBER),
	NUMBER(swp_message_job, epoch, "epoch", REQUIRED, ANY_NUMBER),
	NUMBER(swp_message_job, attempt, "attempt", OPTIONAL, ANY_NUMBER),
	TEXT(swp_message_job, sweep, "sweep", REQUIRED),
	TEXT(swp_message_job, account, "account", REQUIRED),
	TEXT(swp_message_job, region, "region", REQUIRED),
	NUMBER(swp_message_job, level, "level", OPTIONAL, 2),
	NUMBER(swp_message_job, deadline_ms, "deadline_ms", OPTIONAL, SWP_LIMIT_JOB_MS),
	RECORDS(swp_message_job, limits, limit_count, "limits", SWP_LIMIT_JOB_LIMITS, &limit_shape),
	RECORD(swp_message_job, credentials, "credentials", REQUIRED, &credentials_shape),
	END,
};

static const struct member renewed_members[] = {
	NUMBER(swp_message_credentials, job, "job", REQUIRED, ANY_NUMBER),
	NUMBER(swp_message_credentials, epoch, "epoch", REQUIRED, ANY_NUMBER),
	NUMBER(swp_message_credentials, refused, "refused", OPTIONAL, 63),
	RECORD(swp_message_credentials, credentials, "credentials", OPTIONAL, &credentials_shape),
	END,
};

static const struct member cancel_members[] = {
	NUMBER(swp_message_cancel, job, "job", OPTIONAL, ANY_NUMBER),
	NUMBER(swp_message_cancel, epoch, "epoch", OPTIONAL, ANY_NUMBER),
	TEXT(swp_message_cancel, sweep, "sweep", OPTIONAL),
	FLAG(swp_message_cancel, all, "all"),
	END,
};

static const struct member end_sweep_members[] = {
	TEXT(swp_message_end_sweep, sweep, "sweep", REQUIRED),
	END,
};

static const struct member no_members[] = {END};

enum { FROM_WORKER = 1, FROM_COORDINATOR = 2 };
/* The union's members all begin at the same place. */
#define BODY_OFFSET offsetof(struct swp_message, hello)
static const struct message {
	const char *name;
	int from;
	struct shape shape;
	bool secret;
} messages[SWP_MESSAGE_TYPE_COUNT] = {
	[SWP_MESSAGE_NONE] = {"", 0, {0, no_members}, false},
	[SWP_MESSAGE_HELLO] = {"hello", FROM_WORKER, SHAPE(swp_message_hello, hello_members), false},
	[SWP_MESSAGE_WANT_CATALOGUE] = {"want-catalogue", FROM_WORKER,
		SHAPE(swp_message_want_catalogue, want_catalogue_members), false},
	[SWP_MESSAGE_DONE] = {"done", FROM_WORKER, SHAPE(swp_message_done, done_members), false},
	[SWP_MESSAGE_RENEW] = {"renew", FROM_WORKER, SHAPE(swp_message_renew, renew_members), false},
	[SWP_MESSAGE_GIVE_BACK] = {"give-back", FROM_WORKER, SHAPE(swp_message_give_back, give_back_members),
		false},
	[SWP_MESSAGE_BYE] = {"bye", FROM_WORKER | FROM_COORDINATOR, {0, no_members}, false},
	[SWP_MESSAGE_HEARTBEAT] = {"heartbeat", FROM_WORKER | FROM_COORDINATOR,
		SHAPE(swp_message_heartbeat, heartbeat_members), false},
	[SWP_MESSAGE_WELCOME] = {"welcome", FROM_COORDINATOR, SHAPE(swp_message_welcome, welcome_members),
		false},
	[SWP_MESSAGE_SWEEP] = {"sweep", FROM_COORDINATOR, SHAPE(swp_message_sweep, sweep_members), false},
	[SWP_MESSAGE_CATALOGUE] = {"catalogue", FROM_COORDINATOR,
		SHAPE(swp_message_catalogue, catalogue_members), false},
	[SWP_MESSAGE_JOB] = {"job", FROM_COORDINATOR, SHAPE(swp_message_job, job_members), true},
	[SWP_MESSAGE_CREDENTIALS] = {"credentials", FROM_COORDINATOR,
		SHAPE(swp_message_credentials, renewed_members), true},
	[SWP_MESSAGE_CANCEL] = {"cancel", FROM_COORDINATOR, SHAPE(swp_message_cancel, cancel_members), false},
	[SWP_MESSAGE_DRAIN] = {"drain", FROM_COORDINATOR, {0, no_members}, false},
	[SWP_MESSAGE_END_SWEEP] = {"end-sweep", FROM_COORDINATOR,
		SHAPE(swp_message_end_sweep, end_sweep_members), false},
};

const char *swp_message_type_name(enum swp_message_type type)
{
	return messages[type].name;
}

bool swp_message_from_worker(enum swp_message_type type)
{
	return (messages[type].from & FROM_WORKER) != 0;
}

bool swp_message_from_coordinator(enum swp_message_type type)
{
	return (messages[type].from & FROM_COORDINATOR) != 0;
}

bool swp_message_member(enum swp_message_type type, size_t index, struct swp_message_member_row *ret_row)
{
	const struct member *members = messages[type].shape.members;

	for (size_t i = 0; i <= index; i++)
		if (!members[i].name)
			return false;
	*ret_row = (struct swp_message_member_row){members[index].name, kind_names[members[index].kind],
		members[index].required, members[index].max};
	return true;
}

/* --- access to a struct's members by offset --- */

static void *at(const void *body, size_t offset)
{
	return (char *)(uintptr_t)body + offset;
}

static size_t count_of(const void *body, const struct member *member)
{
	return *(const size_t *)at(body, member->count_offset);
}

/* --- encoding --- */

static int write_bytes(void *out, const char *bytes, size_t length)
{
	return swp_buf_append(out, bytes, length);
}

static bool is_absent(const void *body, const struct member *member)
{
	const void *value = at(body, member->offset);

	switch (member->kind) {
	case KIND_TEXT:
		return !*(const char *const *)value || **(const char *const *)value == '\0';
	case KIND_NUMBER:
		return *(const uint64_t *)value == 0;
	case KIND_SIGNED:
		return *(const int64_t *)value == 0;
	case KIND_FLAG:
		return !*(const bool *)value;
	case KIND_BYTES:
		return ((const struct swp_wire_bytes *)value)->length == 0;
	case KIND_SECRET:
		return !swp_secret_is_set(value);
	case KIND_TEXTS:
	case KIND_RECORDS:
		return count_of(body, member) == 0;
	default:
		return false;
	}
}

static bool is_written(const void *body, const struct member *member)
{
	return member->required || !is_absent(body, member);
}

static void pack_text(msgpack_packer *packer, const char *text)
{
	size_t length = text ? strlen(text) : 0;

	msgpack_pack_str(packer, length);
	msgpack_pack_str_body(packer, text ? text : "", length);
}

static int pack_members(msgpack_packer *packer, const void *body, const struct shape *shape, size_t before);

static int pack_checked_text(msgpack_packer *packer, const char *text, size_t max)
{
	size_t length = text ? strnlen(text, max + 1) : 0;

	if (length > max)
		return -E2BIG;
	if (text && !swp_text_is_utf8(text, length))
		return -EINVAL;
	pack_text(packer, text);
	return 0;
}

static int pack_blob(msgpack_packer *packer, const void *bytes, size_t length, size_t max)
{
	if (length > max)
		return -E2BIG;
	msgpack_pack_bin(packer, length);
	msgpack_pack_bin_body(packer, bytes, length);
	return 0;
}

static int pack_list(msgpack_packer *packer, const void *body, const struct member *member)
{
	size_t count = count_of(body, member);
	const char *first = *(const char *const *)at(body, member->offset);
	int r = 0;

	if (count > member->max)
		return -E2BIG;
	msgpack_pack_array(packer, count);
	for (size_t i = 0; i < count && r == 0; i++) {
		if (member->kind == KIND_TEXTS)
			r = pack_checked_text(packer,
				(*(const char *const *const *)at(body, member->offset))[i],
				SWP_LIMIT_WIRE_TEXT_BYTES);
		else
			r = pack_members(packer, first + i * member->shape->size, member->shape, 0);
	}
	return r;
}

static int pack_value(msgpack_packer *packer, const void *body, const struct member *member)
{
	const void *value = at(body, member->offset);
	const struct swp_wire_bytes *blob = value;
	const struct swp_secret *secret = value;

	switch (member->kind) {
	case KIND_TEXT:
		return pack_checked_text(packer, *(const char *const *)value, member->max);
	case KIND_NUMBER:
		if (*(const uint64_t *)value > member->max)
			return -E2BIG;
		return msgpack_pack_uint64(packer, *(const uint64_t *)value);
	case KIND_SIGNED:
		return msgpack_pack_int64(packer, *(const int64_t *)value);
	case KIND_FLAG:
		return *(const bool *)value ? msgpack_pack_true(packer) : msgpack_pack_false(packer);
	case KIND_BYTES:
		return pack_blob(packer, blob->bytes, blob->length, member->max);
	case KIND_SECRET:
		return pack_blob(packer, swp_secret_text(secret), secret->length, member->max);
	case KIND_RECORD:
		return pack_members(packer, value, member->shape, 0);
	default:
		return pack_list(packer, body, member);
	}
}

/* A map of what is there. `before`: members that the caller has put in front (version and type). */
static int pack_members(msgpack_packer *packer, const void *body, const struct shape *shape, size_t before)
{
	size_t count = before;
	int r = 0;

	for (const struct member *member = shape->members; member->name; member++)
		count += is_written(body, member);
	msgpack_pack_map(packer, count);
	if (before) {
		pack_text(packer, "v");
		msgpack_pack_int(packer, SWP_WIRE_VERSION);
		pack_text(packer, "t");
		pack_text(packer, SWP_CONTAINER_OF(shape, struct message, shape)->name);
	}
	for (const struct member *member = shape->members; member->name && r == 0; member++) {
		if (!is_written(body, member))
			continue;
		pack_text(packer, member->name);
		r = pack_value(packer, body, member);
	}
	return r;
}

int swp_message_encode(const struct swp_message *message, struct swp_buf *out)
{
	const struct message *row = &messages[message->type];
	msgpack_packer packer;
	size_t start = out->length;
	int r;

	SWP_ASSERT(message->type != SWP_MESSAGE_NONE);
	SWP_ASSERT(!row->secret || out->secret);
	msgpack_packer_init(&packer, out, write_bytes);
	r = pack_members(&packer, at(message, BODY_OFFSET), &row->shape, 2);
	if (out->failed)
		return out->failed;
	if (r == 0 && out->length - start > SWP_LIMIT_WIRE_BYTES)
		r = -E2BIG;
	if (r < 0)
		swp_buf_truncate(out, start);
	return r;
}

/* --- decoding --- */

static void set_defaults(void *body, const struct shape *shape)
{
	for (const struct member *member = shape->members; member->name; member++) {
		if (member->kind == KIND_TEXT)
			*(const char **)at(body, member->offset) = "";
		else if (member->kind == KIND_RECORD)
			set_defaults(at(body, member->offset), member->shape);
	}
}

static int take_members(
	struct swp_unpack *unpack, struct swp_region *region, void *body, const struct shape *shape);

static int take_text(struct swp_unpack *unpack, struct swp_region *region, size_t max, const char **ret_text)
{
	const char *text;
	size_t length;
	int r = swp_unpack_text(unpack, max, &text, &length);
	char *copy;

	if (r < 0)
		return r;
	copy = swp_region_strndup(region, text, length);
	if (!copy)
		return -ENOMEM;
	*ret_text = copy;
	return 0;
}

static int take_texts(
	struct swp_unpack *unpack, struct swp_region *region, void *body, const struct member *member)
{
	const char **texts;
	size_t count;
	int r = swp_unpack_array(unpack, member->max, &count);

	if (r < 0)
		return r;
	texts = swp_region_alloc(region, (count + 1) * sizeof(*texts));
	if (!texts)
		return -ENOMEM;
	for (size_t i = 0; i < count && r == 0; i++)
		r = take_text(unpack, region, SWP_LIMIT_WIRE_TEXT_BYTES, &texts[i]);
	*(const char *const **)at(body, member->offset) = texts;
	*(size_t *)at(body, member->count_offset) = count;
	return r;
}

/* The list is hung up before its entries are read, so that a failure in the middle still finds every secret. */
static int take_records(
	struct swp_unpack *unpack, struct swp_region *region, void *body, const struct member *member)
{
	size_t count, size = member->shape->size;
	char *entries;
	int r = swp_unpack_array(unpack, member->max, &count);

	if (r < 0)
		return r;
	entries = swp_region_alloc(region, (count + 1) * size);
	if (!entries)
		return -ENOMEM;
	*(char **)at(body, member->offset) = entries;
	*(size_t *)at(body, member->count_offset) = count;
	for (size_t i = 0; i < count && r == 0; i++) {
		set_defaults(entries + i * size, member->shape);
		r = take_members(unpack, region, entries + i * size, member->shape);
	}
	return r;
}

static int take_blob(
	struct swp_unpack *unpack, struct swp_region *region, void *value, const struct member *member)
{
	const void *bytes;
	size_t length;
	int r = swp_unpack_bytes(unpack, member->max, &bytes, &length);
	struct swp_wire_bytes *blob = value;

	if (r < 0)
		return r;
	if (member->kind == KIND_SECRET)
		return swp_secret_set(value, bytes, length);
	blob->bytes = length ? swp_region_memdup(region, bytes, length) : "";
	blob->length = length;
	return blob->bytes ? 0 : -ENOMEM;
}

static int take_value(
	struct swp_unpack *unpack, struct swp_region *region, void *body, const struct member *member)
{
	void *value = at(body, member->offset);

	switch (member->kind) {
	case KIND_TEXT:
		return take_text(unpack, region, member->max, value);
	case KIND_NUMBER:
		return swp_unpack_u64(unpack, member->max, value);
	case KIND_SIGNED:
		return swp_unpack_i64(unpack, value);
	case KIND_FLAG:
		return swp_unpack_bool(unpack, value);
	case KIND_BYTES:
	case KIND_SECRET:
		return take_blob(unpack, region, value, member);
	case KIND_TEXTS:
		return take_texts(unpack, region, body, member);
	case KIND_RECORD:
		return take_members(unpack, region, value, member->shape);
	default:
		return take_records(unpack, region, body, member);
	}
}

static const struct member *find_member(const struct shape *shape, const char *name, size_t length)
{
	for (const struct member *member = shape->members; member->name; member++)
		if (strlen(member->name) == length && memcmp(member->name, name, length) == 0)
			return member;
	return NULL;
}

static bool has_all_required(const struct shape *shape, uint32_t seen)
{
	for (size_t i = 0; shape->members[i].name; i++)
		if (shape->members[i].required && !(seen & UINT32_C(1) << i))
			return false;
	return true;
}

static int take_members(
	struct swp_unpack *unpack, struct swp_region *region, void *body, const struct shape *shape)
{
	const struct member *member;
	const char *name;
	size_t count, length;
	uint32_t seen = 0, bit;
	int r = swp_unpack_map(unpack, 256, &count);

	for (size_t i = 0; i < count && r == 0; i++) {
		r = swp_unpack_text(unpack, 64, &name, &length);
		if (r < 0)
			return r;
		member = find_member(shape, name, length);
		if (!member) {
			r = swp_unpack_skip(unpack);
			continue;
		}
		bit = UINT32_C(1) << (member - shape->members);
		if (seen & bit)
			return -EBADMSG; /* said twice */
		seen |= bit;
		r = take_value(unpack, region, body, member);
	}
	if (r < 0)
		return r;
	return has_all_required(shape, seen) ? 0 : -EBADMSG;
}

/* First walk: which version, which type. Members may stand in any order. */
static int find_type(struct swp_unpack unpack, enum swp_message_type *ret_type)
{
	const char *name, *type = NULL;
	size_t count, length, type_length = 0;
	uint64_t version = 0;
	int r = swp_unpack_map(&unpack, 256, &count);

	for (size_t i = 0; i < count && r == 0; i++) {
		r = swp_unpack_text(&unpack, 64, &name, &length);
		if (r < 0)
			return r;
		if (length == 1 && name[0] == 'v')
			r = swp_unpack_u64(&unpack, UINT64_MAX, &version);
		else if (length == 1 && name[0] == 't')
			r = swp_unpack_text(&unpack, 64, &type, &type_length);
		else
			r = swp_unpack_skip(&unpack);
	}
	if (r < 0)
		return r;
	if (version == 0 || !type || swp_unpack_peek(&unpack) != SWP_UNPACK_END)
		return -EBADMSG;
	if (!swp_wire_is_compatible(version))
		return -EPROTONOSUPPORT;
	for (int i = SWP_MESSAGE_NONE + 1; i < SWP_MESSAGE_TYPE_COUNT; i++) {
		if (strlen(messages[i].name) == type_length &&
			memcmp(messages[i].name, type, type_length) == 0) {
			*ret_type = (enum swp_message_type)i;
			return 0;
		}
	}
	return -EPROTONOSUPPORT;
}

int swp_message_decode(const void *bytes, size_t length, struct swp_message *ret_message)
{
	struct swp_message message = {0};
	struct swp_unpack unpack;
	int r;

	if (length > SWP_LIMIT_WIRE_BYTES)
		return -E2BIG;
	swp_unpack_init(&unpack, bytes, length);
	r = find_type(unpack, &message.type);
	if (r < 0)
		return r;
	message.region = swp_region_new(2 * SWP_LIMIT_WIRE_BYTES);
	if (!message.region)
		return -ENOMEM;
	set_defaults(at(&message, BODY_OFFSET), &messages[message.type].shape);
	r = take_members(&unpack, message.region, at(&message, BODY_OFFSET), &messages[message.type].shape);
	if (r < 0) {
		swp_message_done(&message);
		return r;
	}
	*ret_message = message;
	return 0;
}

/* --- cleaning up --- */

static void wipe_secrets(void *body, const struct shape *shape)
{
	for (const struct member *member = shape->members; member->name; member++) {
		void *value = at(body, member->offset);

		if (member->kind == KIND_SECRET)
			swp_secret_done(value);
		else if (member->kind == KIND_RECORD)
			wipe_secrets(value, member->shape);
		else if (member->kind == KIND_RECORDS)
			for (size_t i = 0; i < count_of(body, member); i++)
				wipe_secrets(*(char **)value + i * member->shape->size, member->shape);
	}
}

void swp_message_done(struct swp_message *message)
{
	if (!message->region)
		return;
	wipe_secrets(at(message, BODY_OFFSET), &messages[message->type].shape);
	swp_region_free(message->region);
	*message = (struct swp_message){0};
}
