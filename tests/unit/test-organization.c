/* What Organizations' and STS's answers say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "coordinator/aws-calls.h"
#include "coordinator/organization.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

static json_t *parse(const char *text)
{
	json_error_t error;
	json_t *document = json_loads(text, 0, &error);

	if (!document)
		fail_msg("%s in %s", error.text, text);
	return document;
}

static int read_accounts(struct swp_organization *organization, const char *text, struct swp_unit *unit)
{
	json_t *document = parse(text);
	int error = swp_organization_read_accounts(organization, document, unit, NULL, NULL);

	json_decref(document);
	return error;
}

static int read_units(struct swp_organization *organization, const char *text, struct swp_unit *parent)
{
	json_t *document = parse(text);
	int error = swp_organization_read_units(organization, document, parent);

	json_decref(document);
	return error;
}

static void state_before_status(void **state)
{
	struct swp_organization organization;

	(void)state;
	assert_int_equal(swp_organization_init(&organization), 0);
	assert_int_equal(
		read_accounts(&organization,
			"{\"Accounts\":[{\"Id\":\"111111111111\",\"Name\":\"a\",\"State\":\"PENDING_"
			"CLOSURE\",\"Status\":\"ACTIVE\"},"
			"{\"Id\":\"222222222222\",\"Status\":\"SUSPENDED\",\"JoinedTimestamp\":1700000000.5},"
			"{\"Id\":\"333333333333\",\"State\":\"HIBERNATING\",\"JoinedTimestamp\":1e300}]}",
			NULL),
		0);
	assert_int_equal(organization.count, 3);
	assert_int_equal(organization.accounts[2]->joined_at_ms, -1); /* that is no date */
	assert_int_equal(organization.accounts[0]->state, SWP_ACCOUNT_PENDING_CLOSURE);
	assert_int_equal(organization.accounts[1]->state, SWP_ACCOUNT_SUSPENDED);
	assert_int_equal(organization.accounts[1]->joined_at_ms, 1700000000500);
	assert_string_equal(organization.accounts[1]->name, "");
	assert_int_equal(organization.accounts[2]->state, SWP_ACCOUNT_STATE_UNKNOWN);
	/* Again, and in another page: still three. */
	assert_int_equal(read_accounts(&organization,
				 "{\"Accounts\":[{\"Id\":\"111111111111\",\"State\":\"ACTIVE\"}]}", NULL),
		0);
	assert_int_equal(organization.count, 3);
	assert_int_equal(read_accounts(&organization, "{\"Accounts\":[]}", NULL), 0);
	swp_organization_done(&organization);
	swp_organization_done(&organization);
}

static void malformed(void **state)
{
	static const char *const rows[] = {
		"{}",
		"{\"Accounts\":{}}",
		"{\"Accounts\":[{\"Name\":\"a\",\"State\":\"ACTIVE\"}]}",
		"{\"Accounts\":[{\"Id\":\"12\",\"State\":\"ACTIVE\"}]}",
		"{\"Accounts\":[{\"Id\":\"11111111111a\",\"State\":\"ACTIVE\"}]}",
		"{\"Accounts\":[{\"Id\":\"1111111111111\",\"State\":\"ACTIVE\"}]}",
		"{\"Accounts\":[{\"Id\":\"111111111111\"}]}",
	};
	struct swp_organization organization;

	(void)state;
	assert_int_equal(swp_organization_init(&organization), 0);
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++)
		assert_int_equal(read_accounts(&organization, rows[i], NULL), SWP_ORGANIZATION_MALFORMED);
	assert_int_equal(read_units(&organization, "{\"Roots\":[{\"Id\":\"r-1\"}]}", NULL),
		SWP_ORGANIZATION_MALFORMED);
	assert_int_equal(read_units(&organization, "{\"Roots\":[{\"Id\":\"x-1\",\"Name\":\"Root\"}]}", NULL),
		SWP_ORGANIZATION_MALFORMED);
	assert_int_equal(read_units(&organization, "{}", NULL), SWP_ORGANIZATION_MALFORMED);
	swp_organization_done(&organization);
}

static void paths_and_names_meet(void **state)
{
	struct swp_organization organization;
	struct swp_buf path = {0};
	struct swp_unit *root;

	(void)state;
	assert_int_equal(swp_organization_init(&organization), 0);
	assert_int_equal(read_accounts(&organization,
				 "{\"Accounts\":[{\"Id\":\"111111111111\",\"State\":\"ACTIVE\","
				 "\"Paths\":[\"o-x/r-1/ou-1-work/ou-1-prod/111111111111/\"]},"
				 "{\"Id\":\"222222222222\",\"State\":\"ACTIVE\",\"Paths\":[\"o-x/r-1/"
				 "222222222222/\"]}]}",
				 NULL),
		0);
	assert_true(organization.has_paths);
	assert_int_equal(organization.unit_count, 3);
	assert_false(swp_unit_path(organization.accounts[0]->unit, &path));
	assert_int_equal(path.length, 0);
	assert_int_equal(
		read_units(&organization, "{\"Roots\":[{\"Id\":\"r-1\",\"Name\":\"Root\"}]}", NULL), 0);
	root = swp_organization_unit(&organization, "r-1");
	assert_int_equal(
		read_units(&organization,
			"{\"OrganizationalUnits\":[{\"Id\":\"ou-1-work\",\"Name\":\"Workloads\"}]}", root),
		0);
	assert_int_equal(read_units(&organization,
				 "{\"OrganizationalUnits\":[{\"Id\":\"ou-1-prod\",\"Name\":\"Prod\"}]}",
				 swp_organization_unit(&organization, "ou-1-work")),
		0);
	assert_true(swp_unit_path(organization.accounts[0]->unit, &path));
	assert_string_equal(swp_buf_text(&path), "Root/Workloads/Prod");
	swp_buf_clear(&path);
	assert_true(swp_unit_path(organization.accounts[1]->unit, &path));
	assert_string_equal(swp_buf_text(&path), "Root");
	/* An answer that makes a ring makes none. */
	swp_organization_set_parent(root, swp_organization_unit(&organization, "ou-1-prod"));
	assert_null(root->parent);
	swp_buf_done(&path);
	swp_organization_done(&organization);
}

static void description(void **state)
{
	struct swp_organization organization;
	json_t *good = parse("{\"Organization\":{\"Id\":\"o-abc\",\"MasterAccountId\":\"111111111111\"}}");
	json_t *bad = parse("{\"Organization\":{\"Id\":\"o-abc\"}}");

	(void)state;
	assert_int_equal(swp_organization_init(&organization), 0);
	assert_non_null(swp_organization_add(&organization, "111111111111"));
	assert_int_equal(swp_organization_read_description(&organization, bad), SWP_ORGANIZATION_MALFORMED);
	assert_int_equal(swp_organization_read_description(&organization, good), 0);
	assert_string_equal(organization.id, "o-abc");
	assert_true(organization.accounts[0]->management);
	json_decref(good);
	json_decref(bad);
	swp_organization_done(&organization);
}

static void assumed_roles(void **state)
{
	static const struct {
		const char *text;
		int result;
		int64_t expires_at_ms;
	} rows[] = {
		{"{\"Credentials\":{\"AccessKeyId\":\"ASIA1\",\"SecretAccessKey\":\"s\",\"SessionToken\":"
		 "\"t\","
		 "\"Expiration\":\"2026-11-22T09:00:00Z\"}}",
			0, 1795338000000},
		{"{\"Credentials\":{\"AccessKeyId\":\"ASIA1\",\"SecretAccessKey\":\"s\",\"SessionToken\":"
		 "\"t\",\"Expiration\":1795338000}}",
			0, 1795338000000},
		{"{\"Credentials\":{\"AccessKeyId\":\"ASIA1\",\"SecretAccessKey\":\"s\",\"Expiration\":1}}",
			SWP_ANSWER_MALFORMED, 0},
		{"{\"Credentials\":{\"AccessKeyId\":\"ASIA1\",\"SecretAccessKey\":\"s\",\"SessionToken\":"
		 "\"t\"}}",
			SWP_ANSWER_MALFORMED, 0},
		{"{}", SWP_ANSWER_MALFORMED, 0},
	};

	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		struct swp_credentials credentials = {0};
		json_t *document = parse(rows[i].text);

		assert_int_equal(swp_answer_assume_role(document, "arn:aws:iam::1:role/x", &credentials),
			rows[i].result);
		assert_int_equal(credentials.expires_at_ms, rows[i].expires_at_ms);
		swp_credentials_done(&credentials);
		json_decref(document);
	}
}

static void caller_identity(void **state)
{
	struct swp_caller_identity_answer identity;
	json_t *good = parse("{\"Account\":\"111111111111\",\"Arn\":\"arn:aws-cn:iam::111111111111:user/"
			     "x\",\"UserId\":\"u\"}");
	json_t *bad = parse("{\"Account\":\"1\",\"Arn\":\"arn:aws:iam::1:user/x\"}");

	(void)state;
	assert_int_equal(swp_answer_caller_identity(good, &identity), 0);
	assert_string_equal(identity.account, "111111111111");
	assert_int_equal(swp_answer_caller_identity(bad, &identity), SWP_ANSWER_MALFORMED);
	json_decref(good);
	json_decref(bad);
}

static void memory_that_fails(void **state)
{
	json_t *page = parse("{\"Accounts\":[{\"Id\":\"111111111111\",\"Name\":\"a\",\"State\":\"ACTIVE\","
			     "\"Paths\":[\"o-x/r-1/ou-1-work/111111111111/\"]}]}");
	unsigned long nth = 1;
	int error;

	(void)state;
	do {
		struct swp_organization organization;

		swp_alloc_fail_at(nth++, 0);
		error = swp_organization_init(&organization);
		if (error == 0)
			error = swp_organization_read_accounts(&organization, page, NULL, NULL, NULL);
		swp_alloc_fail_at(0, 0);
		assert_true(error == 0 || error == -ENOMEM);
		swp_organization_done(&organization);
	} while (error < 0);
	assert_true(nth > 5);
	json_decref(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(state_before_status),
		cmocka_unit_test(malformed),
		cmocka_unit_test(paths_and_names_meet),
		cmocka_unit_test(description),
		cmocka_unit_test(assumed_roles),
		cmocka_unit_test(caller_identity),
		cmocka_unit_test(memory_that_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
