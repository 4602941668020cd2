/* The JSON that sources give credentials in. One table row a form. Hostile input: sizes, types and characters are checked, and
 * no message quotes what stood there.
 */
#ifndef SWP_AWS_CREDENTIAL_JSON_H
#define SWP_AWS_CREDENTIAL_JSON_H

#include <jansson.h>
#include <stddef.h>

#include "proto/aws/credentials.h"

enum swp_credential_form {
	SWP_CREDENTIAL_FORM_PROCESS, /* credential_process, Version 1 */
	SWP_CREDENTIAL_FORM_CONTAINER,
	SWP_CREDENTIAL_FORM_INSTANCE,
	SWP_CREDENTIAL_FORM_SSO,   /* GetRoleCredentials */
	SWP_CREDENTIAL_FORM_LOGIN, /* cache file of `aws login` */
	SWP_CREDENTIAL_FORM_STS,   /* AssumeRole, AssumeRoleWithWebIdentity */
	SWP_CREDENTIAL_FORM_COUNT,
};

/* Parses text to an object (new reference). 0, -ENOMEM, or SWP_CREDENTIAL_E_RETRIEVAL (`problem` says what is wrong with it). */
int swp_credential_json_parse(
	const char *bytes, size_t length, json_t **ret_object, struct swp_problem *problem);
/* Reads credentials out of an object; `source` is left alone. 0, -ENOMEM, or SWP_CREDENTIAL_E_RETRIEVAL (`problem` names the
 * member that is missing or wrong). `ret` must be initialized; it is changed on success only. */
int swp_credential_json_read(enum swp_credential_form form, const json_t *object, struct swp_credentials *ret,
	struct swp_problem *problem);
/* Overwrites every string in it and drops the reference. Takes NULL. */
void swp_credential_json_wipe(json_t *value);
/* Checks and sets the three texts, as from keys of a profile. 0, -ENOMEM, SWP_CREDENTIAL_E_CONFIG (`problem` says which text has
 * characters that none has). `token` may be NULL. */
int swp_credentials_set(struct swp_credentials *credentials, const char *access_key_id,
	const char *secret_access_key, const char *token, struct swp_problem *problem);
/* Sets account_id if `text` is twelve digits. `text` may be NULL. */
void swp_credentials_set_account(struct swp_credentials *credentials, const char *text);

#endif
