/* The tables of operators and text functions. */
#include "checks/operators.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/error.h"
#include "proto/base/text.h"

static const char *const type_names[SWP_TYPE_COUNT] = {
	[SWP_TYPE_ANY] = "any",
	[SWP_TYPE_STRING] = "string",
	[SWP_TYPE_NUMBER] = "number",
	[SWP_TYPE_BOOLEAN] = "boolean",
	[SWP_TYPE_OBJECT] = "object",
	[SWP_TYPE_ARRAY] = "array",
	[SWP_TYPE_MOMENT] = "moment",
};

const char *swp_type_name(enum swp_type type)
{
	return type_names[type];
}

int swp_type_parse(const char *name, enum swp_type *ret_type)
{
	for (int i = 0; i < SWP_TYPE_COUNT; i++) {
		if (swp_text_equal(type_names[i], name)) {
			*ret_type = (enum swp_type)i;
			return 0;
		}
	}
	return -EINVAL;
}

enum swp_type swp_type_of(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		return SWP_TYPE_STRING;
	case JSON_INTEGER:
	case JSON_REAL:
		return SWP_TYPE_NUMBER;
	case JSON_TRUE:
	case JSON_FALSE:
		return SWP_TYPE_BOOLEAN;
	case JSON_OBJECT:
		return SWP_TYPE_OBJECT;
	case JSON_ARRAY:
		return SWP_TYPE_ARRAY;
	default:
		return SWP_TYPE_ANY;
	}
}

int swp_moment_of(const json_t *value, int64_t *ret_wall_ms)
{
	const int64_t first_ms = INT64_C(946684800000), end_ms = INT64_C(253402300800000);
	double ms = json_number_value(value) * 1000 + 0.5;
	int64_t moment_ms = 0;

	if (json_is_string(value)) {
		if (swp_time_parse(json_string_value(value), &moment_ms) < 0)
			return -EINVAL;
	} else if (json_is_number(value) && ms > 0 && ms < (double)end_ms) {
		moment_ms = (int64_t)ms;
	}
	if (moment_ms < first_ms || moment_ms >= end_ms)
		return -EINVAL;
	*ret_wall_ms = moment_ms;
	return 0;
}

bool swp_type_fits(enum swp_type type, const json_t *value)
{
	int64_t moment_ms;

	if (type == SWP_TYPE_MOMENT)
		return swp_moment_of(value, &moment_ms) == 0;
	return type == SWP_TYPE_ANY || swp_type_of(value) == type;
}

/* --- operators: value and operand have the types that the row wants --- */

static bool scalar_equal(const json_t *a, const json_t *b)
{
	if (json_is_number(a) && json_is_number(b))
		return json_number_value(a) >= json_number_value(b) &&
		       json_number_value(a) <= json_number_value(b);
	return json_equal(a, b);
}

static bool equals(const json_t *value, const json_t *operand)
{
	return scalar_equal(value, operand);
}

static bool not_equals(const json_t *value, const json_t *operand)
{
	return !scalar_equal(value, operand);
}

static bool in(const json_t *value, const json_t *operand)
{
	for (size_t i = 0; i < json_array_size(operand); i++) {
		if (scalar_equal(value, json_array_get(operand, i)))
			return true;
	}
	return false;
}

static bool not_in(const json_t *value, const json_t *operand)
{
	return !in(value, operand);
}

static bool always(const json_t *value, const json_t *operand)
{
	(void)value;
	(void)operand;
	return true;
}

static bool never(const json_t *value, const json_t *operand)
{
	(void)value;
	(void)operand;
	return false;
}

static bool empty(const json_t *value, const json_t *operand)
{
	(void)operand;
	if (json_is_string(value))
		return json_string_length(value) == 0;
	return json_is_array(value) ? json_array_size(value) == 0 : json_object_size(value) == 0;
}

static bool not_empty(const json_t *value, const json_t *operand)
{
	return !empty(value, operand);
}

/* Does `matcher` hold for the text and the operand, or one of the operands if it is a list? */
static bool any_text(
	const json_t *value, const json_t *operand, bool (*matcher)(const char *text, const char *operand))
{
	const char *text = json_string_value(value);

	if (json_is_string(operand))
		return matcher(text, json_string_value(operand));
	for (size_t i = 0; i < json_array_size(operand); i++) {
		if (matcher(text, json_string_value(json_array_get(operand, i))))
			return true;
	}
	return false;
}

static bool text_glob(const char *text, const char *pattern)
{
	return swp_glob_match(pattern, text);
}

static bool text_contains(const char *text, const char *part)
{
	return strstr(text, part) != NULL;
}

static bool matches(const json_t *value, const json_t *operand)
{
	return any_text(value, operand, text_glob);
}

static bool not_matches(const json_t *value, const json_t *operand)
{
	return !matches(value, operand);
}

static bool starts_with(const json_t *value, const json_t *operand)
{
	return any_text(value, operand, swp_text_starts);
}

static bool ends_with(const json_t *value, const json_t *operand)
{
	return any_text(value, operand, swp_text_ends);
}

static bool contains(const json_t *value, const json_t *operand)
{
	return any_text(value, operand, text_contains);
}

static bool equals_ignoring_case(const json_t *value, const json_t *operand)
{
	return any_text(value, operand, swp_text_equal_ignoring_case);
}

static bool has(const json_t *value, const json_t *operand)
{
	return in(operand, value);
}

static bool lacks(const json_t *value, const json_t *operand)
{
	return !in(operand, value);
}

static bool less_than(const json_t *value, const json_t *operand)
{
	return json_number_value(value) < json_number_value(operand);
}

static bool at_most(const json_t *value, const json_t *operand)
{
	return json_number_value(value) <= json_number_value(operand);
}

static bool more_than(const json_t *value, const json_t *operand)
{
	return json_number_value(value) > json_number_value(operand);
}

static bool at_least(const json_t *value, const json_t *operand)
{
	return json_number_value(value) >= json_number_value(operand);
}

/* --- operators on moments --- */

static bool in_past(int64_t after_ms, int64_t duration_ms)
{
	(void)duration_ms;
	return after_ms <= 0;
}

static bool in_future(int64_t after_ms, int64_t duration_ms)
{
	(void)duration_ms;
	return after_ms > 0;
}

static bool older_than(int64_t after_ms, int64_t duration_ms)
{
	return after_ms < -duration_ms;
}

static bool younger_than(int64_t after_ms, int64_t duration_ms)
{
	return after_ms >= -duration_ms;
}

static bool due_within(int64_t after_ms, int64_t duration_ms)
{
	return after_ms > 0 && after_ms <= duration_ms;
}

static bool due_after(int64_t after_ms, int64_t duration_ms)
{
	return after_ms > duration_ms;
}

#define MOMENT(name, operand, help)                                                                          \
	{                                                                                                    \
#name, operand, SWP_TYPE_MOMENT, false, NULL, help, name                                     \
	}

const struct swp_operator swp_operators[] = {
	{"equals", SWP_OPERAND_SCALAR, SWP_TYPE_ANY, false, equals, "the value is the operand", NULL},
	{"not_equals", SWP_OPERAND_SCALAR, SWP_TYPE_ANY, true, not_equals,
		"the value is another one, or absent", NULL},
	{"equals_ignoring_case", SWP_OPERAND_TEXTS, SWP_TYPE_STRING, false, equals_ignoring_case,
		"the text is one of the operands, in any case", NULL},
	{"in", SWP_OPERAND_SCALARS, SWP_TYPE_ANY, false, in, "the value is one of the list", NULL},
	{"not_in", SWP_OPERAND_SCALARS, SWP_TYPE_ANY, true, not_in,
		"the value is none of the list, or absent", NULL},
	{"exists", SWP_OPERAND_TRUE, SWP_TYPE_ANY, false, always, "the value is there", NULL},
	{"absent", SWP_OPERAND_TRUE, SWP_TYPE_ANY, true, never, "the value is not there", NULL},
	{"empty", SWP_OPERAND_TRUE, SWP_TYPE_ANY, true, empty,
		"text, list or object without content, or absent", NULL},
	{"not_empty", SWP_OPERAND_TRUE, SWP_TYPE_ANY, false, not_empty, "text, list or object with content",
		NULL},
	{"matches", SWP_OPERAND_TEXTS, SWP_TYPE_STRING, false, matches, "the text fits a glob (* and ?)",
		NULL},
	{"not_matches", SWP_OPERAND_TEXTS, SWP_TYPE_STRING, true, not_matches,
		"the text fits no glob, or is absent", NULL},
	{"starts_with", SWP_OPERAND_TEXTS, SWP_TYPE_STRING, false, starts_with, "the text begins so", NULL},
	{"ends_with", SWP_OPERAND_TEXTS, SWP_TYPE_STRING, false, ends_with, "the text ends so", NULL},
	{"contains", SWP_OPERAND_TEXTS, SWP_TYPE_STRING, false, contains, "the text holds that part", NULL},
	{"has", SWP_OPERAND_SCALAR, SWP_TYPE_ARRAY, false, has, "the list has that element", NULL},
	{"lacks", SWP_OPERAND_SCALAR, SWP_TYPE_ARRAY, true, lacks,
		"the list has no such element, or is absent", NULL},
	{"less_than", SWP_OPERAND_NUMBER, SWP_TYPE_NUMBER, false, less_than, "the number is below", NULL},
	{"at_most", SWP_OPERAND_NUMBER, SWP_TYPE_NUMBER, false, at_most, "the number is not above", NULL},
	{"more_than", SWP_OPERAND_NUMBER, SWP_TYPE_NUMBER, false, more_than, "the number is above", NULL},
	{"at_least", SWP_OPERAND_NUMBER, SWP_TYPE_NUMBER, false, at_least, "the number is not below", NULL},
	{"equals_path", SWP_OPERAND_PATH, SWP_TYPE_STRING, false, equals,
		"the text is the text at that other path, which is there", NULL},
	{"not_equals_path", SWP_OPERAND_PATH, SWP_TYPE_STRING, true, not_equals,
		"the text is another one than at that other path, or one of them is absent", NULL},
	MOMENT(in_past, SWP_OPERAND_TRUE, "the moment is not after the sweep's start"),
	MOMENT(in_future, SWP_OPERAND_TRUE, "the moment is after the sweep's start"),
	MOMENT(older_than, SWP_OPERAND_DURATION, "the moment is longer ago than that"),
	MOMENT(younger_than, SWP_OPERAND_DURATION, "the moment is at most so long ago, or to come"),
	MOMENT(due_within, SWP_OPERAND_DURATION,
		"the moment comes after the sweep's start, at most so much later"),
	MOMENT(due_after, SWP_OPERAND_DURATION, "the moment comes later after the sweep's start than that"),
};
const size_t swp_operator_count = SWP_ARRAY_SIZE(swp_operators);

const struct swp_operator *swp_operator_find(const char *name)
{
	for (size_t i = 0; i < swp_operator_count; i++) {
		if (swp_text_equal(swp_operators[i].name, name))
			return &swp_operators[i];
	}
	return NULL;
}

/* --- text functions --- */

static int give(json_t *value, json_t **ret_value)
{
	*ret_value = value;
	return value ? 0 : -ENOMEM;
}

static int give_part(const char *text, size_t length, json_t **ret_value)
{
	*ret_value = NULL;
	return length ? give(json_stringn(text, length), ret_value) : 0;
}

/* "ml.g5.xlarge" → "g5"; an instance type without "ml." as well. */
static int instance_family(const char *text, json_t **ret_value)
{
	const char *family = swp_text_starts(text, "ml.") ? text + 3 : text;
	size_t length = strcspn(family, ".");

	return give_part(family, family[length] ? length : 0, ret_value);
}

static int arn_account(const char *text, json_t **ret_value)
{
	*ret_value = NULL;
	if (!swp_text_starts(text, "arn:"))
		return 0;
	for (int part = 0; part < 4; part++) {
		text = strchr(text, ':');
		if (!text)
			return 0;
		text++;
	}
	return give_part(text, strcspn(text, ":"), ret_value);
}

static int last_part(const char *text, json_t **ret_value)
{
	const char *part = text;

	for (const char *at = text; *at; at++) {
		if (*at == '/' || *at == ':')
			part = at + 1;
	}
	return give_part(part, strlen(part), ret_value);
}

/* "123456789012.dkr.ecr.eu-west-1.amazonaws.com/name:tag" → the account; other registries have none. */
static int registry_account(const char *text, json_t **ret_value)
{
	enum { ACCOUNT_DIGITS = 12 };
	bool is_registry = strspn(text, "0123456789") == ACCOUNT_DIGITS &&
			   swp_text_starts(text + ACCOUNT_DIGITS, ".dkr.ecr");

	return give_part(text, is_registry ? ACCOUNT_DIGITS : 0, ret_value);
}

/* "https://user@host:443/path" → "host". */
static int host(const char *text, json_t **ret_value)
{
	const char *name = strstr(text, "://");
	size_t authority = name ? strcspn(name + 3, "/?#") : 0;
	const char *user = authority ? memrchr(name + 3, '@', authority) : NULL;
	const char *begin = user ? user + 1 : name ? name + 3 : text;
	size_t length = authority ? (size_t)(name + 3 + authority - begin) : 0;
	size_t plain = strcspn(begin, *begin == '[' ? "]" : ":");

	if (*begin == '[' && plain < length)
		plain++;
	return give_part(begin, plain < length ? plain : length, ret_value);
}

/* "s3://bucket/key" or "arn:aws:s3:::bucket/key" → "bucket". */
static int bucket(const char *text, json_t **ret_value)
{
	const char *name = "";

	if (swp_text_starts(text, "s3://"))
		name = text + 5;
	else if (swp_text_starts(text, "arn:") && strstr(text, ":s3:::"))
		name = strstr(text, ":s3:::") + 6;
	return give_part(name, strcspn(name, "/"), ret_value);
}

static int lower_case(const char *text, json_t **ret_value)
{
	int r = give(json_string(text), ret_value);
	char *bytes = r == 0 ? (char *)(uintptr_t)json_string_value(*ret_value) : NULL;

	for (; bytes && *bytes; bytes++) {
		if (*bytes >= 'A' && *bytes <= 'Z')
			*bytes = (char)(*bytes - 'A' + 'a');
	}
	return r;
}

/* XML answers hold numbers as text. */
static int number(const char *text, json_t **ret_value)
{
	char *end;
	double value;

	*ret_value = NULL;
	if (!*text || strspn(text, "-0123456789.") != strlen(text))
		return 0;
	errno = 0;
	value = strtod(text, &end);
	return *end || errno ? 0 : give(json_real(value), ret_value);
}

const struct swp_transform swp_transforms[] = {
	{"instance-family", SWP_TYPE_STRING, instance_family,
		"the family of an instance type: ml.g5.xlarge gives g5"},
	{"arn-account", SWP_TYPE_STRING, arn_account, "the account of an ARN; absent where it has none"},
	{"last-part", SWP_TYPE_STRING, last_part, "what stands behind the last '/' or ':'"},
	{"bucket", SWP_TYPE_STRING, bucket, "the bucket of an s3:// address or of an S3 ARN"},
	{"registry-account", SWP_TYPE_STRING, registry_account,
		"the account of an image in ECR; absent for other registries"},
	{"host", SWP_TYPE_STRING, host, "the host of a URL"},
	{"lower-case", SWP_TYPE_STRING, lower_case, "the text in lower case (ASCII)"},
	{"number", SWP_TYPE_NUMBER, number, "the number that the text is (answers in XML)"},
};
const size_t swp_transform_count = SWP_ARRAY_SIZE(swp_transforms);

const struct swp_transform *swp_transform_find(const char *name)
{
	for (size_t i = 0; i < swp_transform_count; i++) {
		if (swp_text_equal(swp_transforms[i].name, name))
			return &swp_transforms[i];
	}
	return NULL;
}
