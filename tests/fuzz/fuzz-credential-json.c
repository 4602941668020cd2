/* The JSON of credential_process, container, instance metadata, SSO, login and STS from any bytes; the first byte says which.
 * What was accepted is written and read again where there is a writer, and must come out the same.
 */
#include <stdint.h>
#include <string.h>

#include "proto/aws/credential-json.h"
#include "proto/aws/sso.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void sso(const char *text, size_t length)
{
	struct swp_problem problem = {0};
	struct swp_sso_token token = {0}, again = {0};
	struct swp_buf written = {0};
	int r = swp_sso_token_parse(text, length, &token, &problem);
	if (r > 0)
		SWP_ASSERT(problem.text[0] && !swp_secret_is_set(&token.access_token));
	if (r == 0 && swp_sso_token_write(&token, "https://x.example/start", "eu-west-1", &written) == 0) {
		SWP_ASSERT(
			swp_sso_token_parse(swp_buf_text(&written), written.length, &again, &problem) == 0);
		SWP_ASSERT(swp_secret_equal(&token.access_token, &again.access_token));
		SWP_ASSERT(swp_secret_equal(&token.refresh_token, &again.refresh_token));
		SWP_ASSERT(token.expires_at_ms / 1000 == again.expires_at_ms / 1000);
		swp_sso_token_judge(&token, true, 0);
	}
	swp_buf_done(&written);
	swp_sso_token_done(&again);
	swp_sso_token_done(&token);
}

static void credentials(enum swp_credential_form form, const char *text, size_t length)
{
	struct swp_problem problem = {0};
	struct swp_credentials got = {0};
	json_t *object = NULL;
	int r = swp_credential_json_parse(text, length, &object, &problem);
	if (r == 0)
		r = swp_credential_json_read(form, object, &got, &problem);
	if (r == 0)
		SWP_ASSERT(
			got.access_key_id[0] && got.secret_access_key.length > 0 && got.expires_at_ms >= 0);
	else
		SWP_ASSERT(r < 0 || (problem.text[0] && !got.access_key_id[0]));
	swp_credentials_done(&got);
	swp_credential_json_wipe(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	unsigned kind = data[0] % (SWP_CREDENTIAL_FORM_COUNT + 1);
	if (kind == SWP_CREDENTIAL_FORM_COUNT)
		sso((const char *)data + 1, size - 1);
	else
		credentials((enum swp_credential_form)kind, (const char *)data + 1, size - 1);
	return 0;
}
