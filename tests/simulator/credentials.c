/* Access keys and sessions. See credentials.h. */
#include "tests/simulator/credentials.h"

#include "tests/simulator/digest.h"
#include "tests/simulator/json-text.h"

#include <stdlib.h>
#include <stdio.h>
#include <sys/random.h>

/* Power of two; a session that is pushed out is read again from its token. */
#define SESSION_SLOTS 16384

struct swp_sim_credentials {
	struct swp_sim_world *world;
	struct swp_sim_hmac_key token_key;
	struct swp_sim_principal *users; /* parallel to the world's users */
	struct swp_sim_principal *sessions;
	struct swp_sim_buffer scratch;
};

static void user_principal(struct swp_sim_principal *principal, const struct swp_sim_user *user)
{
	*principal = (struct swp_sim_principal){.account = user->account};
	snprintf(principal->access_key_id, sizeof principal->access_key_id, "%s", user->access_key_id);
	snprintf(principal->secret, sizeof principal->secret, "%s", user->secret_access_key);
	principal->name = swp_sim_copy(user->name);
}

struct swp_sim_credentials *swp_sim_credentials_new(struct swp_sim_world *world)
{
	struct swp_sim_credentials *credentials = swp_sim_allocate_zeroed(1, sizeof *credentials);
	credentials->world = world;
	swp_sim_buffer_printf(&credentials->scratch, "session tokens of simulated organization %llu %s",
		(unsigned long long)world->seed, world->organization.id);
	swp_sim_hmac_key_init(&credentials->token_key, swp_sim_buffer_text(&credentials->scratch));
	credentials->users = swp_sim_allocate_zeroed(world->user_count, sizeof *credentials->users);
	for (size_t i = 0; i < world->user_count; i++)
		user_principal(&credentials->users[i], &world->users[i]);
	credentials->sessions = swp_sim_allocate_zeroed(SESSION_SLOTS, sizeof *credentials->sessions);
	return credentials;
}

static void principal_done(struct swp_sim_principal *principal)
{
	free(principal->name);
	free(principal->token);
	*principal = (struct swp_sim_principal){0};
}

void swp_sim_credentials_free(struct swp_sim_credentials *credentials)
{
	if (credentials == NULL)
		return;
	for (size_t i = 0; i < credentials->world->user_count; i++)
		principal_done(&credentials->users[i]);
	for (size_t i = 0; i < SESSION_SLOTS; i++)
		principal_done(&credentials->sessions[i]);
	free(credentials->users);
	free(credentials->sessions);
	swp_sim_buffer_done(&credentials->scratch);
	free(credentials);
}

static void session_secret(struct swp_sim_credentials *credentials, struct swp_sim_text access_key_id,
	struct swp_sim_buffer *into)
{
	unsigned char digest[SWP_SIM_DIGEST_SIZE];
	swp_sim_hmac(&credentials->token_key, access_key_id, digest);
	swp_sim_base64_put(into, (struct swp_sim_text){(const char *)digest, 30});
}

/* Takes ".mac" off the end of a token and checks it; false when it is not ours. */
static bool check_token(struct swp_sim_credentials *credentials, struct swp_sim_text *token)
{
	unsigned char digest[SWP_SIM_DIGEST_SIZE];
	char hex[2 * SWP_SIM_DIGEST_SIZE];
	if (token->size < sizeof hex + 2 || token->at[token->size - sizeof hex - 1] != '.')
		return false;
	const char *mac = token->at + token->size - sizeof hex;
	token->size -= sizeof hex + 1;
	swp_sim_hmac(&credentials->token_key, *token, digest);
	swp_sim_hex(digest, hex);
	return memcmp(hex, mac, sizeof hex) == 0;
}

static bool read_session(struct swp_sim_credentials *credentials, struct swp_sim_text document,
	struct swp_sim_principal *session)
{
	struct swp_sim_text key, account, name, expires, policy;
	uint64_t number;
	struct swp_sim_buffer text = {0};
	if (!swp_sim_json_member(document, SWP_SIM_TEXT("key"), &key) ||
		!swp_sim_json_member(document, SWP_SIM_TEXT("account"), &account) ||
		!swp_sim_json_member(document, SWP_SIM_TEXT("name"), &name) ||
		!swp_sim_json_member(document, SWP_SIM_TEXT("expires"), &expires) ||
		swp_sim_text_number(expires, &number) != 0)
		return false;
	session->expires_at_sec = (int64_t)number;
	swp_sim_json_string(&text, account);
	session->account = swp_sim_world_find_account(credentials->world, swp_sim_buffer_text(&text));
	swp_sim_buffer_clear(&text);
	swp_sim_json_string(&text, key);
	snprintf(session->access_key_id, sizeof session->access_key_id, "%s", swp_sim_buffer_string(&text));
	swp_sim_buffer_clear(&text);
	swp_sim_json_string(&text, name);
	session->name = swp_sim_copy_text(swp_sim_buffer_text(&text));
	swp_sim_buffer_clear(&text);
	if (swp_sim_json_member(document, SWP_SIM_TEXT("policy"), &policy)) {
		swp_sim_json_string(&text, policy);
		session->has_policy = true;
		(void)swp_sim_policy_read(swp_sim_buffer_text(&text), session->allowed, session->denied);
	}
	swp_sim_buffer_done(&text);
	return session->account != SIZE_MAX;
}

static bool open_token(
	struct swp_sim_credentials *credentials, struct swp_sim_text token, struct swp_sim_principal *session)
{
	struct swp_sim_text payload = token;
	if (!check_token(credentials, &payload))
		return false;
	swp_sim_buffer_clear(&credentials->scratch);
	if (swp_sim_base64_decode(&credentials->scratch, payload) != 0)
		return false;
	if (!read_session(credentials, swp_sim_buffer_text(&credentials->scratch), session))
		return false;
	session->token = swp_sim_copy_text(token);
	struct swp_sim_buffer secret = {0};
	session_secret(credentials, swp_sim_text_of(session->access_key_id), &secret);
	snprintf(session->secret, sizeof session->secret, "%s", swp_sim_buffer_string(&secret));
	swp_sim_buffer_done(&secret);
	return true;
}

static enum swp_sim_key_result find_session(struct swp_sim_credentials *credentials,
	struct swp_sim_text access_key_id, struct swp_sim_text token, const struct swp_sim_principal **ret)
{
	size_t at = swp_sim_text_hash(SWP_SIM_HASH_START, access_key_id) & (SESSION_SLOTS - 1);
	struct swp_sim_principal *slot = &credentials->sessions[at];
	if (slot->token == NULL || !swp_sim_text_is(token, slot->token)) {
		struct swp_sim_principal opened = {0};
		if (token.size == 0 || !open_token(credentials, token, &opened)) {
			principal_done(&opened);
			return token.size ? SWP_SIM_KEY_BAD_TOKEN : SWP_SIM_KEY_UNKNOWN;
		}
		principal_done(slot);
		*slot = opened;
	}
	if (!swp_sim_text_is(access_key_id, slot->access_key_id))
		return SWP_SIM_KEY_BAD_TOKEN;
	*ret = slot;
	return SWP_SIM_KEY_KNOWN;
}

enum swp_sim_key_result swp_sim_credentials_find(struct swp_sim_credentials *credentials,
	struct swp_sim_text access_key_id, struct swp_sim_text token, const struct swp_sim_principal **ret)
{
	for (size_t i = 0; i < credentials->world->user_count; i++) {
		if (!swp_sim_text_is(access_key_id, credentials->users[i].access_key_id))
			continue;
		if (token.size)
			return SWP_SIM_KEY_BAD_TOKEN;
		*ret = &credentials->users[i];
		return SWP_SIM_KEY_KNOWN;
	}
	if (!swp_sim_text_starts(access_key_id, "ASIA"))
		return SWP_SIM_KEY_UNKNOWN;
	return find_session(credentials, access_key_id, token, ret);
}

static void put_member(struct swp_sim_buffer *into, const char *name, struct swp_sim_text text)
{
	swp_sim_buffer_printf(into, ",\"%s\":", name);
	swp_sim_buffer_json(into, text);
}

int swp_sim_credentials_issue(struct swp_sim_credentials *credentials, const struct swp_sim_session *session,
	struct swp_sim_buffer *access_key_id, struct swp_sim_buffer *secret, struct swp_sim_buffer *token)
{
	uint64_t allowed[SWP_SIM_OPERATION_WORDS], denied[SWP_SIM_OPERATION_WORDS];
	unsigned char random[16], digest[SWP_SIM_DIGEST_SIZE];
	char hex[2 * SWP_SIM_DIGEST_SIZE];
	if (session->policy.size && swp_sim_policy_read(session->policy, allowed, denied) != 0)
		return -1;
	if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
		return -1;
	swp_sim_buffer_put(access_key_id, "ASIA");
	swp_sim_base32_put(access_key_id, random, SWP_SIM_ACCESS_KEY_SIZE - 4);
	session_secret(credentials, swp_sim_buffer_text(access_key_id), secret);

	struct swp_sim_buffer *document = &credentials->scratch;
	swp_sim_buffer_clear(document);
	swp_sim_buffer_printf(document, "{\"expires\":%lld", (long long)session->expires_at_sec);
	put_member(document, "key", swp_sim_buffer_text(access_key_id));
	put_member(document, "account", swp_sim_text_of(credentials->world->accounts[session->account].id));
	swp_sim_buffer_put(document, ",\"name\":");
	struct swp_sim_buffer name = {0};
	swp_sim_buffer_printf(&name, "%.*s/%.*s", (int)session->role.size, session->role.at,
		(int)session->name.size, session->name.at);
	swp_sim_buffer_json(document, swp_sim_buffer_text(&name));
	swp_sim_buffer_done(&name);
	if (session->policy.size)
		put_member(document, "policy", session->policy);
	swp_sim_buffer_byte(document, '}');

	size_t start = token->size;
	swp_sim_base64_put(token, swp_sim_buffer_text(document));
	swp_sim_hmac(&credentials->token_key, (struct swp_sim_text){token->data + start, token->size - start},
		digest);
	swp_sim_hex(digest, hex);
	swp_sim_buffer_byte(token, '.');
	swp_sim_buffer_append(token, hex, sizeof hex);
	return 0;
}
