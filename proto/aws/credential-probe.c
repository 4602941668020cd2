#include "proto/aws/credential-probe.h"

#include <stddef.h>

static const struct swp_aws_service sts = {
	.name = "sts",
	.protocol = SWP_PROTOCOL_QUERY,
	.api_version = "2011-06-15",
	.signing_name = "sts",
	.endpoint_prefix = "sts",
	.endpoint_variable = "STS",
	.scope = SWP_SCOPE_REGIONAL,
};
static const char *const required[] = {"Arn", NULL};
const struct swp_aws_operation swp_credential_probe = {
	.service = &sts,
	.name = "GetCallerIdentity",
	.method = "POST",
	.uri = "/",
	.action = "sts:GetCallerIdentity",
	.required = required,
};
