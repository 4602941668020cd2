/* XML answers from any bytes, as answers of query, ec2 and rest-xml operations; what is read must be printable. */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>

#include "proto/aws/dialect.h"
#include "proto/base/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct swp_aws_service query_service = {
	.name = "q", .protocol = SWP_PROTOCOL_QUERY, .api_version = "1"};
static const struct swp_aws_service ec2_service = {
	.name = "e", .protocol = SWP_PROTOCOL_EC2, .api_version = "1"};
static const struct swp_aws_service s3_service = {.name = "s", .protocol = SWP_PROTOCOL_REST_XML};
static const char *const lists[] = {"Bucket", "b", NULL};
static const struct swp_aws_operation operations[] = {
	{.service = &query_service, .name = "L", .method = "POST", .uri = "/", .result = "Roles"},
	{.service = &ec2_service, .name = "L", .method = "POST", .uri = "/", .result = "a", .lists = lists},
	{.service = &s3_service,
		.name = "L",
		.method = "GET",
		.uri = "/",
		.result = "Buckets.Bucket",
		.lists = lists},
	{.service = &s3_service, .name = "G", .method = "GET", .uri = "/", .lists = lists},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < SWP_ARRAY_SIZE(operations); i++) {
		const char *member = NULL;
		json_t *document = NULL;
		int result = swp_dialect_parse(&operations[i], (const char *)data, size, &document, &member);

		SWP_ASSERT(result >= 0 && result <= SWP_DIALECT_MISSING_MEMBER);
		SWP_ASSERT((result == 0) == (document != NULL));
		if (document != NULL) {
			char *text = json_dumps(document, JSON_COMPACT);

			SWP_ASSERT(text != NULL);
			free(text);
		}
		json_decref(document);
	}
	return 0;
}
