/* What an AWS service and one of its operations look like on the wire. Rows come from the catalogue (data) and from the
 * coordinator's own table; nothing in proto/aws names a service except the credential providers.
 */
#ifndef SWP_AWS_OPERATION_H
#define SWP_AWS_OPERATION_H

#include <stdbool.h>
#include <stddef.h>

enum swp_protocol {
	SWP_PROTOCOL_JSON_1_0, /* POST / with X-Amz-Target, application/x-amz-json-1.0 */
	SWP_PROTOCOL_JSON_1_1,
	SWP_PROTOCOL_REST_JSON, /* method and URI template, JSON body */
	SWP_PROTOCOL_QUERY,	/* POST form Action=…&Version=…, XML answer (STS, IAM) */
	SWP_PROTOCOL_EC2,	/* as query, other error and list wrapping */
	SWP_PROTOCOL_REST_XML,	/* S3: no path normalization, single encoding, x-amz-content-sha256 */
};
/* "json-1.1" …; NULL / -EINVAL when unknown. */
const char *swp_protocol_name(enum swp_protocol protocol);
int swp_protocol_parse(const char *name, enum swp_protocol *ret_protocol);

enum swp_service_scope {
	SWP_SCOPE_REGIONAL,
	SWP_SCOPE_GLOBAL, /* one endpoint a partition (iam, organizations, account) */
};

struct swp_aws_service {
	const char *name; /* our key: "bedrock-agent" */
	enum swp_protocol protocol;
	const char *api_version;       /* query, ec2: "2010-05-08"; else NULL */
	const char *target_prefix;     /* json: "SageMaker"; else NULL */
	const char *signing_name;      /* "bedrock" */
	const char *endpoint_prefix;   /* "api.sagemaker" */
	const char *endpoint_variable; /* suffix of AWS_ENDPOINT_URL_<…>: "BEDROCK_AGENT" */
	enum swp_service_scope scope;
	double rate_per_second; /* default rate of one account and region; 0: SWP_DEFAULT_RATE */
};
#define SWP_DEFAULT_RATE 10.0

/* Where an input member goes in rest protocols; members without a row go to the body, URI labels to the path. */
struct swp_aws_query_member {
	const char *member; /* "maxResults" */
	const char *name;   /* name in the query string */
};

struct swp_aws_operation {
	const struct swp_aws_service *service; /* borrowed */
	const char *name;		       /* "ListGuardrails" */
	const char *method;		       /* rest: "GET"; else "POST" */
	const char *uri; /* rest: "/guardrails/{guardrailIdentifier}?fixed=1"; else "/" */
	const struct swp_aws_query_member *query_members;
	size_t query_member_count;
	const char *
		host_label; /* S3: member whose value is the bucket: put before the host, or first in the path where it has a dot or
	                         * the endpoint is the user's; NULL: none */
	const char *action; /* IAM action, "bedrock:ListGuardrails" */
	/* paging; NULL input_token: the operation does not page */
	const char *input_token;
	const char *
		output_token; /* path in the answer: "nextToken", "ListRolesResult.Marker" is written "Marker" (result wrapper is stripped) */
	const char *
		more_flag; /* "IsTruncated", "Truncated": pages only while true; NULL: while a token is there */
	const char *result; /* list member: "guardrails"; NULL: the whole answer */
	const char *const
		*required; /* members of an answer that must be there, NULL-terminated; may be NULL */
	const char *const *
		lists; /* XML: element names that are lists whatever they hold (flattened or single), NULL-terminated; may be NULL */
};

#endif
