/* JSON answers from any bytes: our reader must agree with jansson's, and what it reads must survive printing and reading again.
 * The same bytes go through a list operation's and a rest operation's answer.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/aws/dialect.h"
#include "proto/aws/json-read.h"
#include "proto/base/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct swp_aws_service json_service = {
	.name = "j", .protocol = SWP_PROTOCOL_JSON_1_1, .target_prefix = "J"};
static const struct swp_aws_service rest_service = {.name = "r", .protocol = SWP_PROTOCOL_REST_JSON};
static const char *const required[] = {"arn", "status.code", NULL};
static const struct swp_aws_operation operations[] = {
	{.service = &json_service, .name = "List", .method = "POST", .uri = "/", .result = "items"},
	{.service = &rest_service, .name = "Get", .method = "GET", .uri = "/", .required = required},
};

static void print_and_read_again(json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	json_t *again = NULL;

	SWP_ASSERT(text != NULL);
	SWP_ASSERT(swp_json_read(text, strlen(text), &again) == 0);
	SWP_ASSERT(json_equal(value, again));
	json_decref(again);
	free(text);
}

static void compare_with_jansson(const char *text, size_t size, int result, json_t *ours)
{
	json_t *theirs = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

	/* Ceilings are ours alone, and so is what becomes of \u0000; jansson takes a NUL byte for the end. */
	if (result != SWP_DIALECT_TOO_DEEP && memmem(text, size, "\\u0000", 6) == NULL &&
		memchr(text, '\0', size) == NULL) {
		SWP_ASSERT((result == 0) == (theirs != NULL));
		SWP_ASSERT(result != 0 || json_equal(ours, theirs));
	}
	json_decref(theirs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	json_t *value = NULL;
	int result = swp_json_read(text, size, &value);

	SWP_ASSERT(result == 0 || result == SWP_DIALECT_MALFORMED || result == SWP_DIALECT_TOO_DEEP);
	compare_with_jansson(text, size, result, value);
	if (result == 0)
		print_and_read_again(value);
	json_decref(value);
	for (size_t i = 0; i < SWP_ARRAY_SIZE(operations); i++) {
		const char *member = NULL;
		json_t *document = NULL;

		result = swp_dialect_parse(&operations[i], text, size, &document, &member);
		SWP_ASSERT((result == 0) == (document != NULL));
		SWP_ASSERT((result == SWP_DIALECT_MISSING_MEMBER) == (member != NULL));
		SWP_ASSERT(result != 0 || json_is_object(document));
		json_decref(document);
	}
	return 0;
}
