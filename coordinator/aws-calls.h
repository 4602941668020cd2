/* The AWS calls that the coordinator itself makes: STS, Organizations, Account, and EC2's region list. One table of
 * operations, and one way to ask: an ask is an operation with its pages, as the caller or as an assumed session.
 * This file and proto/aws/credentials are the only C that names AWS services.
 *
 * Sources: botocore's sts 2011-06-15, organizations 2016-11-28, account 2021-02-01, ec2 2016-11-15 service models.
 */
#ifndef SWP_COORDINATOR_AWS_CALLS_H
#define SWP_COORDINATOR_AWS_CALLS_H

#include <jansson.h>
#include <stdbool.h>

#include "proto/aws/credentials.h"
#include "proto/io/caller.h"

enum swp_coordinator_operation {
	SWP_CALL_GET_CALLER_IDENTITY,
	SWP_CALL_ASSUME_ROLE,
	SWP_CALL_DESCRIBE_ORGANIZATION,
	SWP_CALL_LIST_ACCOUNTS,
	SWP_CALL_LIST_ACCOUNTS_FOR_PARENT,
	SWP_CALL_LIST_ROOTS,
	SWP_CALL_LIST_ORGANIZATIONAL_UNITS_FOR_PARENT,
	SWP_CALL_LIST_REGIONS,
	SWP_CALL_DESCRIBE_REGIONS,
	SWP_CALL_COUNT,
};
/* The rows, for the contract test and the role's template. Borrowed for ever. */
const struct swp_aws_operation *swp_coordinator_operation(enum swp_coordinator_operation operation);
const struct swp_aws_service *swp_coordinator_sts(void);

/* --- the caller's own credentials, as the asker sees them --- */
struct swp_own_wait {
	void (*done)(struct swp_own_wait *wait, const struct swp_credentials *credentials,
		const struct swp_problem *problem);
	void *internal;
};
struct swp_own_credentials {
	/* Gives good credentials through wait->done, later (NULL: they can't be had, `problem` tells; borrowed until return).
	 * `expired`: AWS said that these (may be NULL) have expired. 0, -ENOMEM. */
	int (*get)(void *context, const struct swp_credentials *expired, struct swp_own_wait *wait,
		void (*done)(struct swp_own_wait *wait, const struct swp_credentials *credentials,
			const struct swp_problem *problem));
	void (*cancel)(void *context, struct swp_own_wait *wait); /* takes idle ones */
	void *context;
};

/* Who asks, for a whole sweep. */
struct swp_aws_asker {
	struct swp_caller *caller;	       /* borrowed */
	const struct swp_own_credentials *own; /* borrowed */
	struct swp_call_scope sts, organizations,
		account; /* the caller's own rate, shared by all asks as the caller */
};

/* How an ask ended. Texts are borrowed until `done` returns. */
struct swp_said {
	enum swp_outcome outcome;
	enum swp_reason reason;
	bool by_aws; /* an HTTP answer with an error code of AWS: neither a proxy's page nor a failure of ours */
	const char *action, *error_code, *message, *request_id;
	const json_t *document; /* OK without a page call-back: the answer; borrowed */
};

/* Embedded in its owner. */
struct swp_aws_ask {
	/* Each page of a list; 0; positive: this page is not what it should be (ends as malformed-response); -ENOMEM, -E2BIG
	 * (a ceiling; both end as limit-reached). May be NULL. */
	int (*page)(struct swp_aws_ask *ask, const json_t *document);
	/* Once, later, unless cancelled. The ask is idle then and may be started again. */
	void (*done)(struct swp_aws_ask *ask, const struct swp_said *said);
	/* internal */
	struct swp_aws_asker *asker;
	const struct swp_aws_operation *operation;
	struct swp_call call;
	struct swp_own_wait wait;
	struct swp_caller_identity identity;
	struct swp_credentials own;		   /* a copy while asking as the caller */
	const struct swp_credentials *credentials; /* of a session; NULL: as the caller */
	struct swp_call_scope *scope;
	json_t *input;
	char *token;
	char region[32];
	struct swp_page_guard guard;
	bool busy, renewed;
};

struct swp_aws_ask_options {
	enum swp_coordinator_operation operation;
	json_t *input;	    /* taken, also on failure; NULL: none */
	const char *region; /* copied; where a regional service is asked */
	const struct swp_credentials *
		credentials; /* borrowed until done; NULL: as the caller, renewed and repeated once when expired */
	struct swp_call_scope *scope; /* borrowed until done; NULL: the asker's own of that service */
};
/* 0, -ENOMEM. */
int swp_aws_ask_start(struct swp_aws_ask *ask, struct swp_aws_asker *asker,
	const struct swp_aws_ask_options *options,
	int (*page)(struct swp_aws_ask *ask, const json_t *document),
	void (*done)(struct swp_aws_ask *ask, const struct swp_said *said));
/* No call-back any more; wipes what it holds. Takes idle and zeroed ones. */
void swp_aws_ask_cancel(struct swp_aws_ask *ask);

/* --- inputs and answers --- */

/* New reference; NULL on out of memory. */
json_t *swp_input_assume_role(
	const char *role_arn, const char *session_name, const char *external_id, const char *policy);
json_t *swp_input_list_accounts(void);
json_t *swp_input_parent(const char *parent_id); /* ListAccountsForParent, ListOrganizationalUnitsForParent */
json_t *swp_input_list_regions(const char *account_id); /* NULL: the account asked */
json_t *swp_input_describe_regions(void);

enum { SWP_ANSWER_MALFORMED = 1 };
struct swp_caller_identity_answer {
	char account[13];
	char arn[512];
};
/* 0 or SWP_ANSWER_MALFORMED. */
int swp_answer_caller_identity(const json_t *document, struct swp_caller_identity_answer *ret_identity);
/* AssumeRole: 0, -ENOMEM, SWP_ANSWER_MALFORMED. `source` names the role for people. */
int swp_answer_assume_role(
	const json_t *document, const char *source, struct swp_credentials *ret_credentials);

#endif
