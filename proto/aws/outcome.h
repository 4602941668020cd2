/* What AWS said is a value. One classifier, one table (outcome.c): code, HTTP status and wording → outcome.
 * The reasons are the closed set of the contract (§2); their order is the order of precedence in a cell.
 */
#ifndef SWP_AWS_OUTCOME_H
#define SWP_AWS_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reasons of NOT_ASSESSED. 0 is none; smaller wins where several meet. */
enum swp_reason {
	SWP_REASON_NONE,
	SWP_REASON_DENIED_IAM,
	SWP_REASON_DENIED_SCP,
	SWP_REASON_DENIED_RCP,
	SWP_REASON_DENIED_BOUNDARY,
	SWP_REASON_DENIED_ENDPOINT_POLICY,
	SWP_REASON_DENIED_SESSION,
	SWP_REASON_FEATURE_GATED,
	SWP_REASON_REGION_DISABLED,
	SWP_REASON_THROTTLED,
	SWP_REASON_SERVICE_UNAVAILABLE,
	SWP_REASON_TIMEOUT,
	SWP_REASON_CREDENTIALS_EXPIRED,
	SWP_REASON_ROLE_NOT_ASSUMABLE,
	SWP_REASON_MALFORMED_RESPONSE,
	SWP_REASON_LIMIT_REACHED,
	SWP_REASON_NOT_FOUND,
	SWP_REASON_WORKER_LOST,
	SWP_REASON_STORE_LOST,
	SWP_REASON_CANCELLED,
	SWP_REASON_COUNT,
};
/* "denied-iam"; "" for NONE. */
const char *swp_reason_name(enum swp_reason reason);
int swp_reason_parse(const char *name, enum swp_reason *ret_reason); /* -EINVAL */
/* What a person does about it; one line, without account or action ("grant the action to the scan role"). */
const char *swp_reason_remedy(enum swp_reason reason);
/* The one that wins where both meet; NONE loses. */
enum swp_reason swp_reason_first(enum swp_reason a, enum swp_reason b);

/* What the caller does next about an answer. */
enum swp_outcome {
	SWP_OUTCOME_OK,
	SWP_OUTCOME_NOT_FOUND, /* the resource asked for is not there (gone, vanished) */
	SWP_OUTCOME_REFUSED,   /* reason says how; final */
	SWP_OUTCOME_THROTTLED, /* try again, later */
	SWP_OUTCOME_TRANSIENT, /* 5xx, network: try again */
	SWP_OUTCOME_EXPIRED,   /* credentials have expired: renew once, then reason credentials-expired */
	SWP_OUTCOME_SKEWED,    /* our clock is off: correct by the Date header, sign again */
	SWP_OUTCOME_CREDENTIALS_UNKNOWN, /* UnrecognizedClient / InvalidClientTokenId: region disabled if GetCallerIdentity at that region's STS is refused too */
	SWP_OUTCOME_NOT_IN_USE,		 /* AWSOrganizationsNotInUseException */
	SWP_OUTCOME_FAILED,		 /* final, reason says */
	SWP_OUTCOME_COUNT,
};
/* "ok", "not-found", "refused", …: for metrics and logs. */
const char *swp_outcome_name(enum swp_outcome outcome);

/* An API error code that an operation or resource treats as "not there" beside the general ones; from the catalogue. */
struct swp_gone_rule {
	const char *code;     /* "ValidationException" */
	const char *contains; /* part of the message, any case; NULL: any */
};

struct swp_answer_facts { /* what the classifier looks at */
	int status;
	const char *code; /* trimmed: "AccessDeniedException" */
	const char *message;
	bool date_differs;		  /* |Date − our clock| > 5 min */
	const struct swp_gone_rule *gone; /* may be NULL */
	size_t gone_count;
};
struct swp_classified {
	enum swp_outcome outcome;
	enum swp_reason reason; /* what it becomes if it stays so */
};
/* Pure; never fails: what no row knows is FAILED / service-unavailable. */
struct swp_classified swp_classify(const struct swp_answer_facts *facts);
/* The ARN of the policy in a refusal's message, if AWS tells it. False when not there. */
bool swp_classify_policy_arn(const char *message, char *ret_arn, size_t arn_bytes);

#endif
