/* What the coordinator's own calls answer, from any JSON: identity, AssumeRole, organization, accounts, units, regions. Several
 * documents, a line each, are read into one organization, as pages are; the first byte of a line says which it is.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/aws-calls.h"
#include "coordinator/organization.h"
#include "coordinator/regions.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void found(struct swp_account *account, void *context)
{
	SWP_ASSERT(swp_account_id_is_valid(account->id));
	(*(unsigned *)context)++;
}

static void session(const json_t *document)
{
	struct swp_credentials credentials = {0};

	if (swp_answer_assume_role(document, "role", &credentials) == 0)
		SWP_ASSERT(credentials.access_key_id[0] && swp_secret_is_set(&credentials.session_token) &&
			   !strpbrk(credentials.access_key_id, " \r\n"));
	swp_credentials_done(&credentials);
}

static void regions(struct swp_region_table *table, const json_t *document, bool list)
{
	struct swp_regions_told told = {0};

	if (list)
		swp_regions_read_list(table, document, &told);
	else
		swp_regions_read_description(table, document, &told);
}

static void read_one(struct swp_organization *organization, struct swp_region_table *table, char kind,
	const json_t *document)
{
	struct swp_caller_identity_answer identity;
	unsigned count = 0;
	size_t before = organization->count;

	switch (kind) {
	case 'i':
		if (swp_answer_caller_identity(document, &identity) == 0)
			SWP_ASSERT(swp_account_id_is_valid(identity.account));
		break;
	case 's':
		session(document);
		break;
	case 'o':
		swp_organization_read_description(organization, document);
		break;
	case 'a':
	case 'p':
		swp_organization_read_accounts(
			organization, document, kind == 'p' ? organization->units : NULL, found, &count);
		SWP_ASSERT(organization->count >= before + count);
		break;
	case 'u':
	case 'c':
		swp_organization_read_units(organization, document, kind == 'c' ? organization->units : NULL);
		break;
	default:
		regions(table, document, kind == 'r');
		break;
	}
}

static void look_at_all(const struct swp_organization *organization)
{
	struct swp_buf path = {0};

	for (size_t i = 0; i < organization->count; i++) {
		const struct swp_account *account = organization->accounts[i];

		swp_buf_clear(&path);
		if (swp_unit_path(account->unit, &path))
			SWP_ASSERT(path.length > 0 || account->unit->name[0] == '\0');
		SWP_ASSERT(account->joined_at_ms >= -1 || account->name);
		SWP_ASSERT(swp_organization_find(organization, account->id) == account);
	}
	swp_buf_done(&path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct swp_organization organization;
	struct swp_region_table table;
	const char *at = (const char *)data, *end = at + size;

	swp_region_table_init(&table);
	if (swp_organization_init(&organization) == 0) {
		while (at < end) {
			const char *stop = memchr(at, '\n', (size_t)(end - at));
			size_t length = (size_t)((stop ? stop : end) - at);
			json_t *document = length > 1 ? json_loadb(at + 1, length - 1, 0, NULL) : NULL;

			if (json_is_object(document))
				read_one(&organization, &table, *at, document);
			json_decref(document);
			at += length + (stop != NULL);
		}
		look_at_all(&organization);
	}
	swp_organization_done(&organization);
	return 0;
}
