/*
 * Access keys: the users' long-term ones and the sessions that AssumeRole issues.
 *
 * A session token holds all that is to be known about the session, under an HMAC of a key made from the seed, so that
 * every process of the simulator can check what another one issued. Sessions that were seen are kept in a table.
 */
#ifndef TESTS_SIMULATOR_CREDENTIALS_H
#define TESTS_SIMULATOR_CREDENTIALS_H

#include "tests/simulator/call.h"

#define SWP_SIM_ACCESS_KEY_SIZE 20
#define SWP_SIM_OPERATION_WORDS ((SWP_SIM_OPERATIONS_MAX + 63) / 64)

struct swp_sim_principal {
	char access_key_id[SWP_SIM_ACCESS_KEY_SIZE + 1];
	char secret[44];
	size_t account;
	char *name;		/* user, or ROLE/SESSION */
	char *token;		/* NULL for users */
	int64_t expires_at_sec; /* 0: never */
	bool has_policy;
	uint64_t allowed[SWP_SIM_OPERATION_WORDS]; /* by the session policy */
	uint64_t denied[SWP_SIM_OPERATION_WORDS];
};

enum swp_sim_key_result {
	SWP_SIM_KEY_KNOWN,
	SWP_SIM_KEY_UNKNOWN,
	SWP_SIM_KEY_BAD_TOKEN, /* the token is missing, not of this key, or not ours */
};

struct swp_sim_credentials *swp_sim_credentials_new(struct swp_sim_world *world);
void swp_sim_credentials_free(struct swp_sim_credentials *credentials);

/* Whose key is it? *ret is borrowed until the next call. */
enum swp_sim_key_result swp_sim_credentials_find(struct swp_sim_credentials *credentials,
	struct swp_sim_text access_key_id, struct swp_sim_text token, const struct swp_sim_principal **ret);

/* What a new session is to be. Texts are borrowed. */
struct swp_sim_session {
	size_t account;
	struct swp_sim_text role;
	struct swp_sim_text name;
	struct swp_sim_text policy; /* empty: none */
	int64_t expires_at_sec;
};
/* Issues keys: the three texts are appended to the buffers. 0, or -1 when the policy is no policy. */
int swp_sim_credentials_issue(struct swp_sim_credentials *credentials, const struct swp_sim_session *session,
	struct swp_sim_buffer *access_key_id, struct swp_sim_buffer *secret, struct swp_sim_buffer *token);

/* Reads an inline policy into the sets of operations it allows and denies. 0, or -1 when it is malformed. */
int swp_sim_policy_read(struct swp_sim_text policy, uint64_t allowed[SWP_SIM_OPERATION_WORDS],
	uint64_t denied[SWP_SIM_OPERATION_WORDS]);

#endif
