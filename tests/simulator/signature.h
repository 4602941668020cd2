/*
 * Signature Version 4 from AWS's side: is this request signed by the key it names?
 *
 * Written from "Signature Version 4 signing process" of the AWS IAM User Guide; shares nothing with the client.
 */
#ifndef TESTS_SIMULATOR_SIGNATURE_H
#define TESTS_SIMULATOR_SIGNATURE_H

#include "tests/simulator/credentials.h"

enum swp_sim_signature_result {
	SWP_SIM_SIGNED_WELL,
	SWP_SIM_SIGNED_MISSING, /* no Authorization header */
	SWP_SIM_SIGNED_INCOMPLETE, /* Authorization that cannot be read, or a header that it needs is not there */
	SWP_SIM_SIGNED_UNKNOWN_KEY,
	SWP_SIM_SIGNED_BAD_TOKEN,
	SWP_SIM_SIGNED_BAD_SCOPE,   /* another service, region or date than the request's */
	SWP_SIM_SIGNED_EXPIRED,	    /* signed too long ago */
	SWP_SIM_SIGNED_EARLY,	    /* signed in the future */
	SWP_SIM_SIGNED_BADLY,	    /* the signature is another one */
	SWP_SIM_SIGNED_BAD_PAYLOAD, /* S3: the body has not the hash of the header */
	SWP_SIM_SIGNED_OUT,	    /* the session has expired */
};

/* The parts of an Authorization header; borrowed from it. */
struct swp_sim_authorization {
	struct swp_sim_text access_key_id;
	struct swp_sim_text date;
	struct swp_sim_text region;
	struct swp_sim_text service;
	struct swp_sim_text scope; /* date/region/service/aws4_request */
	struct swp_sim_text signed_headers;
	struct swp_sim_text signature;
};

/* 0, or -1 when it is no such header. */
int swp_sim_authorization_parse(struct swp_sim_text header, struct swp_sim_authorization *ret);

struct swp_sim_verifier;
struct swp_sim_verifier *swp_sim_verifier_new(void);
void swp_sim_verifier_free(struct swp_sim_verifier *verifier);

/*
 * Checks the call's request. Sets the call's principal, account and region as far as it came. *ret_message is what
 * AWS says about it, borrowed until the next check.
 */
enum swp_sim_signature_result swp_sim_verify(struct swp_sim_verifier *verifier, struct swp_sim_call *call,
	const struct swp_sim_authorization *authorization, struct swp_sim_text *ret_message);

/* 20261123T044107Z as seconds since 1970, or -1. */
int64_t swp_sim_parse_date(struct swp_sim_text date);
/* The other way, 16 characters and a NUL. */
void swp_sim_format_date(int64_t now_sec, char ret_date[17]);

#endif
