/* What AWS said, as one table: HTTP status, error code and wording → outcome and reason. The first row that fits decides.
 *
 * An answer without an error code is never taken for AWS's word: a proxy, a captive portal or a load balancer said it, so
 * only its status counts. Wordings of refusals: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
 */
#include "proto/aws/outcome.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "proto/base/error.h"
#include "proto/base/text.h"

/* --- reasons --- */

static const struct reason_row {
	const char *name;
	const char *remedy;
} reason_rows[SWP_REASON_COUNT] = {
	[SWP_REASON_NONE] = {"", ""},
	[SWP_REASON_DENIED_IAM] = {"denied-iam", "grant the action to the scan role"},
	[SWP_REASON_DENIED_SCP] = {"denied-scp",
		"except the scan role from the service control policy that denies the action"},
	[SWP_REASON_DENIED_RCP] = {"denied-rcp",
		"except the scan role from the resource control policy that denies the action"},
	[SWP_REASON_DENIED_BOUNDARY] = {"denied-boundary",
		"allow the action in the scan role's permissions boundary"},
	[SWP_REASON_DENIED_ENDPOINT_POLICY] = {"denied-endpoint-policy",
		"allow the action in the policy of the VPC endpoint that the call went through"},
	[SWP_REASON_DENIED_SESSION] = {"denied-session", "report this: the session policy that orgsweep made "
							 "lacks the action; nothing is to be granted"},
	[SWP_REASON_FEATURE_GATED] = {"feature-gated",
		"subscribe or opt the account in to the service, or exclude the check there"},
	[SWP_REASON_REGION_DISABLED] = {"region-disabled", "enable the region in the account, or exclude it"},
	[SWP_REASON_THROTTLED] = {"throttled",
		"sweep again, with fewer workers or at a quieter hour, or ask AWS for a higher quota"},
	[SWP_REASON_SERVICE_UNAVAILABLE] = {"service-unavailable",
		"sweep again; if it stays, look at the error code, the network path and the proxy"},
	[SWP_REASON_TIMEOUT] = {"timeout",
		"sweep again; if it stays, look at the network path to that region"},
	[SWP_REASON_CREDENTIALS_EXPIRED] = {"credentials-expired",
		"renew the caller's credentials and sweep again"},
	[SWP_REASON_ROLE_NOT_ASSUMABLE] = {"role-not-assumable",
		"create the scan role in the account, or let its trust policy name the caller"},
	[SWP_REASON_MALFORMED_RESPONSE] = {"malformed-response",
		"sweep again; if it stays, something between here and AWS changes the answers, or the API "
		"has changed"},
	[SWP_REASON_LIMIT_REACHED] = {"limit-reached",
		"one of orgsweep's ceilings was reached: narrow the sweep"},
	[SWP_REASON_NOT_FOUND] = {"not-found",
		"a document that the resource points to is gone: repair the reference"},
	[SWP_REASON_WORKER_LOST] = {"worker-lost",
		"sweep again; if it stays, read the workers' logs for that account and region"},
	[SWP_REASON_STORE_LOST] = {"store-lost", "sweep again, with a store that keeps what it acknowledged"},
	[SWP_REASON_CANCELLED] = {"cancelled", "sweep again; what was seen stays in this report"},
};

const char *swp_reason_name(enum swp_reason reason)
{
	return (size_t)reason < SWP_REASON_COUNT ? reason_rows[reason].name : "";
}

static const char *const outcome_names[SWP_OUTCOME_COUNT] = {
	[SWP_OUTCOME_OK] = "ok",
	[SWP_OUTCOME_NOT_FOUND] = "not-found",
	[SWP_OUTCOME_REFUSED] = "refused",
	[SWP_OUTCOME_THROTTLED] = "throttled",
	[SWP_OUTCOME_TRANSIENT] = "transient",
	[SWP_OUTCOME_EXPIRED] = "expired",
	[SWP_OUTCOME_SKEWED] = "skewed",
	[SWP_OUTCOME_CREDENTIALS_UNKNOWN] = "credentials-unknown",
	[SWP_OUTCOME_NOT_IN_USE] = "not-in-use",
	[SWP_OUTCOME_FAILED] = "failed",
};

const char *swp_outcome_name(enum swp_outcome outcome)
{
	return (size_t)outcome < SWP_OUTCOME_COUNT ? outcome_names[outcome] : "";
}

int swp_reason_parse(const char *name, enum swp_reason *ret_reason)
{
	for (size_t i = 0; i < SWP_REASON_COUNT; i++) {
		if (strcmp(reason_rows[i].name, name) == 0) {
			*ret_reason = (enum swp_reason)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *swp_reason_remedy(enum swp_reason reason)
{
	return (size_t)reason < SWP_REASON_COUNT ? reason_rows[reason].remedy : "";
}

enum swp_reason swp_reason_first(enum swp_reason a, enum swp_reason b)
{
	if (a == SWP_REASON_NONE)
		return b;
	if (b == SWP_REASON_NONE)
		return a;
	return a < b ? a : b;
}

/* --- which kind of policy refused --- */

static const struct policy_row {
	const char *kind; /* as AWS writes it, without the word policy, which boundaries lack */
	enum swp_reason reason;
} policy_rows[] = {
	{"identity-based", SWP_REASON_DENIED_IAM},
	{"resource-based", SWP_REASON_DENIED_IAM},
	{"service control", SWP_REASON_DENIED_SCP},
	{"resource control", SWP_REASON_DENIED_RCP},
	{"permissions boundary", SWP_REASON_DENIED_BOUNDARY},
	{"VPC endpoint", SWP_REASON_DENIED_ENDPOINT_POLICY},
	{"session", SWP_REASON_DENIED_SESSION},
};

/* `pattern` at the start of `text`: any case; a blank fits any run of white space (XML answers are wrapped), # any run of
 * digits (account ids). The place behind it, or NULL. */
static const char *skip_words(const char *text, const char *pattern)
{
	for (; *pattern != '\0'; pattern++) {
		if (*pattern == ' ') {
			if (!isspace((unsigned char)*text))
				return NULL;
			while (isspace((unsigned char)*text))
				text++;
		} else if (*pattern == '#') {
			if (!isdigit((unsigned char)*text))
				return NULL;
			while (isdigit((unsigned char)*text))
				text++;
		} else if (tolower((unsigned char)*text++) != tolower((unsigned char)*pattern)) {
			return NULL;
		}
	}
	return text;
}

/* The first place where the words stand; what follows them, or NULL. */
static const char *find_words(const char *text, const char *pattern)
{
	for (; *text != '\0'; text++) {
		const char *behind = skip_words(text, pattern);

		if (behind != NULL)
			return behind;
	}
	return NULL;
}

static const struct policy_row *policy_at(const char *text, const char **ret_behind)
{
	for (size_t i = 0; i < SWP_ARRAY_SIZE(policy_rows); i++) {
		const char *behind = skip_words(text, policy_rows[i].kind);

		if (behind != NULL) {
			const char *word = skip_words(behind, " policy");

			*ret_behind = word != NULL ? word : behind;
			return &policy_rows[i];
		}
	}
	return NULL;
}

/* "explicit deny in a(n) T": an explicit deny is final whatever else the message says, so it is looked for first. */
static const struct policy_row *find_explicit(const char *message, const char **ret_behind)
{
	static const char *const leads[] = {
		"explicit deny in a ", "explicit deny in an ", "explicit deny in the "};

	for (size_t i = 0; i < SWP_ARRAY_SIZE(leads); i++) {
		for (const char *at = find_words(message, leads[i]); at != NULL;
			at = find_words(at, leads[i])) {
			const struct policy_row *row = policy_at(at, ret_behind);

			if (row != NULL)
				return row;
		}
	}
	return NULL;
}

/* "because no T allows". */
static const struct policy_row *find_implicit(const char *message, const char **ret_behind)
{
	for (const char *at = find_words(message, "no "); at != NULL; at = find_words(at, "no ")) {
		const struct policy_row *row = policy_at(at, ret_behind);

		if (row != NULL && skip_words(*ret_behind, " allows") != NULL)
			return row;
	}
	return NULL;
}

static const struct policy_row *find_policy(const char *message, const char **ret_behind)
{
	const struct policy_row *row = find_explicit(message, ret_behind);

	return row != NULL ? row : find_implicit(message, ret_behind);
}

/* --- the table --- */

enum row_needs {
	NEEDS_NOTHING = 0,
	NEEDS_POLICY = 1, /* the message names a kind of policy; the reason is that kind's */
	NEEDS_DATE = 2,	  /* the Date header is more than 5 minutes from our clock */
};

struct row {
	const char *code;	    /* "" no code at all; NULL any code, but one; globs */
	int status_from, status_to; /* 0, 0: any */
	const char *contains;	    /* words of the message, any case; NULL: any */
	enum row_needs needs;
	enum swp_outcome outcome;
	enum swp_reason reason;
};

#define ROW(row_outcome, row_reason) .outcome = SWP_OUTCOME_##row_outcome, .reason = SWP_REASON_##row_reason
#define CLIENT_ERROR .status_from = 400, .status_to = 499
#define REFUSAL .status_from = 400, .status_to = 403

static const struct row rows[] = {
	/* Success. */
	{.code = "*", .status_from = 200, .status_to = 299, ROW(OK, NONE)},

	/* Clock skew. RequestExpired is skew only if the clocks differ: EC2 says it of expired credentials too. */
	{.code = "RequestTimeTooSkewed", ROW(SKEWED, SERVICE_UNAVAILABLE)},
	{.code = "RequestInTheFuture", ROW(SKEWED, SERVICE_UNAVAILABLE)},
	{.code = "RequestExpired", .needs = NEEDS_DATE, ROW(SKEWED, SERVICE_UNAVAILABLE)},
	{.code = "InvalidSignature", .needs = NEEDS_DATE, ROW(SKEWED, SERVICE_UNAVAILABLE)},
	{.code = "InvalidSignatureException", .needs = NEEDS_DATE, ROW(SKEWED, SERVICE_UNAVAILABLE)},
	{.code = "SignatureDoesNotMatch", .needs = NEEDS_DATE, ROW(SKEWED, SERVICE_UNAVAILABLE)},
	{.code = "AuthFailure", .needs = NEEDS_DATE, ROW(SKEWED, SERVICE_UNAVAILABLE)},

	/* Credentials. */
	{.code = "ExpiredToken", ROW(EXPIRED, CREDENTIALS_EXPIRED)},
	{.code = "ExpiredTokenException", ROW(EXPIRED, CREDENTIALS_EXPIRED)},
	{.code = "RequestExpired", ROW(EXPIRED, CREDENTIALS_EXPIRED)},
	{.code = "UnrecognizedClient", ROW(CREDENTIALS_UNKNOWN, REGION_DISABLED)},
	{.code = "UnrecognizedClientException", ROW(CREDENTIALS_UNKNOWN, REGION_DISABLED)},
	{.code = "InvalidClientTokenId", ROW(CREDENTIALS_UNKNOWN, REGION_DISABLED)},
	{.code = "InvalidClientTokenIdException", ROW(CREDENTIALS_UNKNOWN, REGION_DISABLED)},
	{.code = "InvalidAccessKeyId", ROW(CREDENTIALS_UNKNOWN, REGION_DISABLED)},	   /* S3 */
	{.code = "InvalidToken", CLIENT_ERROR, ROW(CREDENTIALS_UNKNOWN, REGION_DISABLED)}, /* S3 */
	{.code = "AuthFailure", ROW(CREDENTIALS_UNKNOWN, REGION_DISABLED)},		   /* EC2 */
	{.code = "RegionDisabledException", ROW(REFUSED, REGION_DISABLED)}, /* STS, of the role's account */

	/* Throttling; before refusals and 5xx, since EC2 and S3 throttle with 503. */
	{.code = "Throttling", ROW(THROTTLED, THROTTLED)},
	{.code = "Throttling.*", ROW(THROTTLED, THROTTLED)},
	{.code = "ThrottlingException", ROW(THROTTLED, THROTTLED)},
	{.code = "ThrottledException", ROW(THROTTLED, THROTTLED)},
	{.code = "RequestThrottled", ROW(THROTTLED, THROTTLED)},
	{.code = "RequestThrottledException", ROW(THROTTLED, THROTTLED)},
	{.code = "TooManyRequests", ROW(THROTTLED, THROTTLED)},
	{.code = "TooManyRequestsException", ROW(THROTTLED, THROTTLED)}, /* Organizations: HTTP 400 */
	{.code = "RequestLimitExceeded", ROW(THROTTLED, THROTTLED)},	 /* EC2: HTTP 503 */
	{.code = "Client.RequestLimitExceeded", ROW(THROTTLED, THROTTLED)},
	{.code = "EC2ThrottledException", ROW(THROTTLED, THROTTLED)},
	{.code = "SlowDown", ROW(THROTTLED, THROTTLED)}, /* S3: HTTP 503 */
	{.code = "BandwidthLimitExceeded", ROW(THROTTLED, THROTTLED)},
	{.code = "LimitExceededException", ROW(THROTTLED, THROTTLED)},
	{.code = "ProvisionedThroughputExceededException", ROW(THROTTLED, THROTTLED)},
	{.code = "TransactionInProgressException", ROW(THROTTLED, THROTTLED)},
	{.code = "RateExceeded", ROW(THROTTLED, THROTTLED)},
	{.code = "RateLimitExceeded", ROW(THROTTLED, THROTTLED)},
	{.code = "RateLimitExceededException", ROW(THROTTLED, THROTTLED)},
	{.code = "*", .status_from = 429, .status_to = 429, ROW(THROTTLED, THROTTLED)},

	/* Organizations. */
	{.code = "AWSOrganizationsNotInUseException", ROW(NOT_IN_USE, SERVICE_UNAVAILABLE)},

	/* The account lacks the feature. Before the refusals, since some services say it as AccessDenied; but a message that
	 * names the action ("is not authorized to perform: …") or a policy is about permissions. */
	{.code = "OptInRequired", ROW(REFUSED, FEATURE_GATED)},
	{.code = "OptInRequiredException", ROW(REFUSED, FEATURE_GATED)},
	{.code = "SubscriptionRequired", ROW(REFUSED, FEATURE_GATED)},
	{.code = "SubscriptionRequiredException", ROW(REFUSED, FEATURE_GATED)},
	{.code = "NotSignedUp", ROW(REFUSED, FEATURE_GATED)}, /* S3 */
	{.code = NULL, CLIENT_ERROR, .needs = NEEDS_POLICY, ROW(REFUSED, DENIED_IAM)},
	{.code = NULL, .contains = "is not authorized to perform:", ROW(REFUSED, DENIED_IAM)},
	{.code = NULL, REFUSAL, .contains = "account is not authorized", ROW(REFUSED, FEATURE_GATED)},
	{.code = NULL, REFUSAL, .contains = "account # is not authorized", ROW(REFUSED, FEATURE_GATED)},
	{.code = NULL, REFUSAL, .contains = "account isn't authorized", ROW(REFUSED, FEATURE_GATED)},
	{.code = NULL, REFUSAL, .contains = "account not authorized", ROW(REFUSED, FEATURE_GATED)},
	{.code = NULL, REFUSAL, .contains = "account # not authorized", ROW(REFUSED, FEATURE_GATED)},
	{.code = NULL, REFUSAL, .contains = "accounts are not authorized", ROW(REFUSED, FEATURE_GATED)},
	{.code = NULL, REFUSAL, .contains = "authorized to use this feature", ROW(REFUSED, FEATURE_GATED)},
	{.code = NULL, REFUSAL, .contains = "authorized for this feature", ROW(REFUSED, FEATURE_GATED)},
	{.code = NULL, REFUSAL, .contains = "authorized for the feature", ROW(REFUSED, FEATURE_GATED)},
	{.code = NULL,
		REFUSAL,
		.contains = "needs a subscription for the service",
		ROW(REFUSED, FEATURE_GATED)},
	{.code = NULL,
		REFUSAL,
		.contains = "not subscribed to",
		ROW(REFUSED, FEATURE_GATED)}, /* EC2, Security Hub */
	{.code = "AccessDenied*",
		.contains = " is not enabled",
		ROW(REFUSED, FEATURE_GATED)}, /* "Macie is not enabled." */

	/* Refusals whose wording names no kind of policy. */
	{.code = "AccessDenied*", ROW(REFUSED, DENIED_IAM)},
	{.code = "*.AccessDenied", ROW(REFUSED, DENIED_IAM)},
	{.code = "KMSAccessDenied*", ROW(REFUSED, DENIED_IAM)},
	{.code = "UnauthorizedOperation", ROW(REFUSED, DENIED_IAM)},
	{.code = "*.UnauthorizedOperation", ROW(REFUSED, DENIED_IAM)}, /* EC2's older "Client." prefix */
	{.code = "Unauthorized", ROW(REFUSED, DENIED_IAM)},
	{.code = "UnauthorizedException", ROW(REFUSED, DENIED_IAM)},
	{.code = "UnauthorizedAccess", ROW(REFUSED, DENIED_IAM)},
	{.code = "UnauthorizedAccessException", ROW(REFUSED, DENIED_IAM)},
	{.code = "NotAuthorized", ROW(REFUSED, DENIED_IAM)},
	{.code = "NotAuthorizedException", ROW(REFUSED, DENIED_IAM)},
	{.code = "UserNotAuthorized*", ROW(REFUSED, DENIED_IAM)},
	{.code = "AuthorizationError", ROW(REFUSED, DENIED_IAM)}, /* SNS */
	{.code = "AuthorizationErrorException", ROW(REFUSED, DENIED_IAM)},
	{.code = "Forbidden", ROW(REFUSED, DENIED_IAM)},
	{.code = "ForbiddenException", ROW(REFUSED, DENIED_IAM)},
	{.code = "AllAccessDisabled", ROW(REFUSED, DENIED_IAM)},		/* S3 */
	{.code = "InsufficientPermissionsException", ROW(REFUSED, DENIED_IAM)}, /* Config */
	{.code = "InsufficientPrivilegesException", ROW(REFUSED, DENIED_IAM)},

	/* Gone. A wrong "gone" drops a resource in silence while a wrong failure is a gap: only codes without doubt. */
	{.code = "ResourceNotFound*", CLIENT_ERROR, ROW(NOT_FOUND, NONE)},
	{.code = "NoSuchEntity", CLIENT_ERROR, ROW(NOT_FOUND, NONE)},
	{.code = "NoSuchEntityException", CLIENT_ERROR, ROW(NOT_FOUND, NONE)},
	{.code = "NoSuchBucket", CLIENT_ERROR, ROW(NOT_FOUND, NONE)},
	{.code = "NoSuchKey", CLIENT_ERROR, ROW(NOT_FOUND, NONE)},
	{.code = "NotFoundException", CLIENT_ERROR, ROW(NOT_FOUND, NONE)}, /* KMS */
	{.code = "*.NotFound", CLIENT_ERROR, ROW(NOT_FOUND, NONE)},	   /* EC2: InvalidVpcID.NotFound */

	/* Try again. */
	{.code = "RequestTimeout", ROW(TRANSIENT, SERVICE_UNAVAILABLE)}, /* HTTP 400 */
	{.code = "RequestTimeoutException", ROW(TRANSIENT, SERVICE_UNAVAILABLE)},
	{.code = "PriorRequestNotComplete", ROW(TRANSIENT, SERVICE_UNAVAILABLE)},
	{.code = "IDPCommunicationError", ROW(TRANSIENT, SERVICE_UNAVAILABLE)}, /* STS */
	{.code = "*", .status_from = 408, .status_to = 408, ROW(TRANSIENT, SERVICE_UNAVAILABLE)},
	{.code = "*", .status_from = 500, .status_to = 599, ROW(TRANSIENT, SERVICE_UNAVAILABLE)},

	/* What no row knows. */
	{.code = "*", ROW(FAILED, SERVICE_UNAVAILABLE)},
};

static bool code_fits(const struct row *row, const char *code)
{
	if (row->code == NULL)
		return code[0] != '\0';
	if (strchr(row->code, '*') != NULL)
		return swp_glob_match(row->code, code);
	return strcmp(row->code, code) == 0;
}

static bool row_fits(const struct row *row, const struct swp_answer_facts *facts)
{
	if (row->status_to != 0 && (facts->status < row->status_from || facts->status > row->status_to))
		return false;
	if (row->needs == NEEDS_DATE && !facts->date_differs)
		return false;
	if (!code_fits(row, facts->code != NULL ? facts->code : ""))
		return false;
	return row->contains == NULL ||
	       (facts->message != NULL && find_words(facts->message, row->contains) != NULL);
}

static bool is_gone(const struct swp_answer_facts *facts)
{
	if (facts->status < 400 || facts->status > 499 || facts->code == NULL || facts->code[0] == '\0')
		return false;
	for (size_t i = 0; i < facts->gone_count; i++) {
		const struct swp_gone_rule *rule = &facts->gone[i];

		if (strcmp(rule->code, facts->code) == 0 &&
			(rule->contains == NULL ||
				(facts->message != NULL &&
					find_words(facts->message, rule->contains) != NULL)))
			return true;
	}
	return false;
}

struct swp_classified swp_classify(const struct swp_answer_facts *facts)
{
	const char *message = facts->message != NULL ? facts->message : "";
	const char *behind;

	if (is_gone(facts))
		return (struct swp_classified){SWP_OUTCOME_NOT_FOUND, SWP_REASON_NONE};
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		enum swp_reason reason = row->reason;

		if (!row_fits(row, facts))
			continue;
		/* Refusals of every spelling: the wording decides, where it names a kind of policy. */
		if (row->needs == NEEDS_POLICY || row->reason == SWP_REASON_DENIED_IAM) {
			const struct policy_row *policy = find_policy(message, &behind);

			if (row->needs == NEEDS_POLICY && policy == NULL)
				continue;
			if (policy != NULL)
				reason = policy->reason;
		}
		return (struct swp_classified){row->outcome, reason};
	}
	return (struct swp_classified){SWP_OUTCOME_FAILED, SWP_REASON_SERVICE_UNAVAILABLE};
}

/* --- the policy's ARN --- */

static size_t arn_length(const char *text)
{
	return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:/_+=,.@-*");
}

bool swp_classify_policy_arn(const char *message, char *ret_arn, size_t arn_bytes)
{
	const char *at;
	size_t length;

	/* Behind the wording, since the ARN of what was asked for may be a policy's too. */
	if (message == NULL || find_policy(message, &at) == NULL)
		return false;
	for (at = strstr(at, "arn:"); at != NULL; at = strstr(at + length, "arn:")) {
		const char *kind;

		length = arn_length(at);
		while (length > 0 &&
			strchr(".,:", at[length - 1]) != NULL) /* the sentence's, not the ARN's */
			length--;
		kind = strstr(at, ":policy/");
		if (kind != NULL && kind < at + length && length < arn_bytes) {
			memcpy(ret_arn, at, length);
			ret_arn[length] = '\0';
			return true;
		}
	}
	return false;
}
