/* Names of the AWS protocols, as the catalogue spells them. */
#include "proto/aws/operation.h"

#include <errno.h>
#include <string.h>

#include "proto/base/error.h"

static const char *const protocol_names[] = {
	[SWP_PROTOCOL_JSON_1_0] = "json-1.0",
	[SWP_PROTOCOL_JSON_1_1] = "json-1.1",
	[SWP_PROTOCOL_REST_JSON] = "rest-json",
	[SWP_PROTOCOL_QUERY] = "query",
	[SWP_PROTOCOL_EC2] = "ec2",
	[SWP_PROTOCOL_REST_XML] = "rest-xml",
};

const char *swp_protocol_name(enum swp_protocol protocol)
{
	if ((size_t)protocol >= SWP_ARRAY_SIZE(protocol_names))
		return NULL;
	return protocol_names[protocol];
}

int swp_protocol_parse(const char *name, enum swp_protocol *ret_protocol)
{
	for (size_t i = 0; i < SWP_ARRAY_SIZE(protocol_names); i++) {
		if (strcmp(protocol_names[i], name) == 0) {
			*ret_protocol = (enum swp_protocol)i;
			return 0;
		}
	}
	return -EINVAL;
}
