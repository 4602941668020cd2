/* The one operation that any live credentials may call, whatever their policies say: whether a region knows them at all is asked by it.
 * Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html ("No permissions are required").
 */
#ifndef SWP_AWS_CREDENTIAL_PROBE_H
#define SWP_AWS_CREDENTIAL_PROBE_H

#include "proto/aws/operation.h"

extern const struct swp_aws_operation swp_credential_probe;

#endif
