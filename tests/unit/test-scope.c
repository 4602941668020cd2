/* Which accounts are in scope, which role is tried, and what an entry that matches nothing is nearest to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "coordinator/scope.h"
#include "proto/base/error.h"

static struct swp_organization organization;

static struct swp_unit *unit(const char *id, const char *name, struct swp_unit *parent)
{
	struct swp_unit *made = swp_organization_unit(&organization, id);

	assert_non_null(made);
	made->name = name;
	swp_organization_set_parent(made, parent);
	return made;
}

static void account(const char *id, const char *name, struct swp_unit *where, bool management)
{
	struct swp_account *made = swp_organization_add(&organization, id);

	assert_non_null(made);
	made->name = name;
	made->management = management;
	swp_organization_place(made, where);
}

/* Root/{Workloads/{Prod/Deep, Test}, Sandbox}; management directly under the root. */
static int build(void **state)
{
	struct swp_unit *root, *workloads, *prod;

	(void)state;
	assert_int_equal(swp_organization_init(&organization), 0);
	root = unit("r-ab12", "Root", NULL);
	workloads = unit("ou-ab12-workload", "Workloads", root);
	prod = unit("ou-ab12-production", "Prod", workloads);
	account("111111111111", "management", root, true);
	account("222222222222", "shop-prod", prod, false);
	account("333333333333", "shop-deep", unit("ou-ab12-deepdeep", "Deep", prod), false);
	account("444444444444", "shop-test", unit("ou-ab12-testtest", "Test", workloads), false);
	account("555555555555", "sand-1", unit("ou-ab12-sandsand", "Sandbox", root), false);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	swp_organization_done(&organization);
	return 0;
}

#define LIST(...)                                                                                            \
	{                                                                                                    \
		(const char *const[]){__VA_ARGS__},                                                          \
			sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)                          \
	}

static const struct {
	const char *name;
	struct swp_text_list accounts, exclude_accounts, ou, exclude_ou;
	const char *in; /* first digits of those in scope */
	const char *unmatched;
} rows[] = {
	{.name = "everything", .in = "12345"},
	{.name = "one id", .accounts = LIST("222222222222"), .in = "2"},
	{.name = "a name's glob", .accounts = LIST("shop-*"), .in = "234"},
	{.name = "an id's glob", .accounts = LIST("5*"), .in = "5"},
	{.name = "the management account by its role", .accounts = LIST("management"), .in = "1"},
	{.name = "all but one", .exclude_accounts = LIST("sand-?"), .in = "1234"},
	{.name = "path with nested", .ou = LIST("Workloads/Prod"), .in = "23"},
	{.name = "path with the root's name", .ou = LIST("Root/Workloads"), .in = "234"},
	{.name = "the root by name", .ou = LIST("Root"), .in = "12345"},
	{.name = "the root by id", .ou = LIST("r-ab12"), .in = "12345"},
	{.name = "an OU by id, nested included", .ou = LIST("ou-ab12-production"), .in = "23"},
	{.name = "a segment's glob does not cross segments", .ou = LIST("Work*/T*"), .in = "4"},
	{.name = "a glob alone is one segment", .ou = LIST("Prod"), .in = "", .unmatched = "Prod"},
	{.name = "but one branch", .ou = LIST("Workloads"), .exclude_ou = LIST("Workloads/Prod"), .in = "4"},
	{.name = "accounts and OUs narrow together",
		.accounts = LIST("shop-*"),
		.ou = LIST("Workloads/Test"),
		.in = "4"},
	{.name = "an account that is not there",
		.accounts = LIST("222222222222", "shop-prd"),
		.in = "2",
		.unmatched = "shop-prd"},
	{.name = "exclusion that matches nothing",
		.exclude_accounts = LIST("nobody"),
		.in = "12345",
		.unmatched = "nobody"},
	{.name = "an OU that is not there",
		.ou = LIST("Workloads/Prd"),
		.in = "",
		.unmatched = "Workloads/Prd"},
};

static void each_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(rows); i++) {
		struct swp_sweep_options options = {.accounts = rows[i].accounts,
			.exclude_accounts = rows[i].exclude_accounts,
			.ou = rows[i].ou,
			.exclude_ou = rows[i].exclude_ou};
		struct swp_scope scope;
		enum swp_scope_list list;
		const char *entry = NULL;
		char in[8] = "";

		assert_int_equal(swp_scope_init(&scope, &options), 0);
		for (size_t a = 0; a < organization.count; a++)
			if (swp_scope_decide(&scope, organization.accounts[a]) == SWP_SCOPE_IN)
				in[strlen(in)] = organization.accounts[a]->id[0];
		if (strcmp(in, rows[i].in) != 0)
			fail_msg("%s: \"%s\" in scope, expected \"%s\"", rows[i].name, in, rows[i].in);
		if (swp_scope_unmatched(&scope, &list, &entry) != (rows[i].unmatched != NULL) ||
			(entry && strcmp(entry, rows[i].unmatched) != 0))
			fail_msg("%s: unmatched %s, expected %s", rows[i].name, entry, rows[i].unmatched);
		assert_int_equal(swp_scope_all_matched(&scope), rows[i].unmatched == NULL);
		swp_scope_done(&scope);
	}
}

static void nearest(void **state)
{
	(void)state;
	assert_string_equal(swp_scope_nearest(&organization, SWP_SCOPE_ACCOUNTS, "shop-prd"), "shop-prod");
	assert_string_equal(
		swp_scope_nearest(&organization, SWP_SCOPE_OU, "Workloads/Prd"), "Workloads/Prod");
	assert_string_equal(swp_scope_nearest(&organization, SWP_SCOPE_EXCLUDE_OU, "ou-ab12-sandsant"),
		"ou-ab12-sandsand");
	assert_non_null(swp_scope_nearest(&organization, SWP_SCOPE_ACCOUNTS, "zzzzzzzzzzzzzzzz"));
}

static void an_empty_unit_is_a_match_too(void **state)
{
	struct swp_sweep_options options = {.exclude_ou = LIST("Empty")};
	struct swp_scope scope;
	struct swp_unit *empty =
		unit("ou-ab12-emptyempty", "Empty", swp_organization_unit(&organization, "r-ab12"));

	(void)state;
	assert_int_equal(swp_scope_init(&scope, &options), 0);
	assert_false(swp_scope_all_matched(&scope));
	swp_scope_see_unit(&scope, empty);
	assert_true(swp_scope_all_matched(&scope));
	swp_scope_done(&scope);
}

static void only_named_branches_are_needed(void **state)
{
	struct swp_sweep_options options = {.ou = LIST("Workloads/Prod", "ou-ab12-sandsand")};
	struct swp_scope scope;

	(void)state;
	assert_int_equal(swp_scope_init(&scope, &options), 0);
	assert_true(swp_scope_needs_units(&scope));
	assert_true(swp_scope_needs_unit_names(&scope));
	assert_true(swp_scope_needs_children(&scope, swp_organization_unit(&organization, "r-ab12")));
	assert_true(
		swp_scope_needs_children(&scope, swp_organization_unit(&organization, "ou-ab12-workload")));
	assert_false(
		swp_scope_needs_children(&scope, swp_organization_unit(&organization, "ou-ab12-production")));
	assert_false(
		swp_scope_needs_children(&scope, swp_organization_unit(&organization, "ou-ab12-sandsand")));
	swp_scope_done(&scope);
	options.ou = (struct swp_text_list)LIST("ou-ab12-sandsand");
	assert_int_equal(swp_scope_init(&scope, &options), 0);
	assert_true(swp_scope_needs_units(&scope));
	assert_false(swp_scope_needs_unit_names(&scope));
	swp_scope_done(&scope);
}

static void the_first_role_that_matches(void **state)
{
	const struct swp_sweep_role roles[] = {
		{.accounts = LIST("management"), .role_name = "ByHand"},
		{.ou = LIST("Workloads/Prod"), .role_name = "ProdAudit", .external_id = "x"},
		{.ou = LIST("Workloads"), .role_name = "Audit"},
	};
	struct swp_sweep_options options = {.roles = roles, .role_count = SWP_ARRAY_SIZE(roles)};
	struct swp_scope scope;
	static const char *const expected[] = {"ByHand", "ProdAudit", "ProdAudit", "Audit", NULL};

	(void)state;
	assert_int_equal(swp_scope_init(&scope, &options), 0);
	for (size_t i = 0; i < SWP_ARRAY_SIZE(expected); i++) {
		const struct swp_sweep_role *role = swp_scope_role(&scope, organization.accounts[i]);

		if (!expected[i])
			assert_null(role);
		else
			assert_string_equal(role->role_name, expected[i]);
	}
	swp_scope_done(&scope);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row),
		cmocka_unit_test(nearest),
		cmocka_unit_test(an_empty_unit_is_a_match_too),
		cmocka_unit_test(only_named_branches_are_needed),
		cmocka_unit_test(the_first_role_that_matches),
	};

	return cmocka_run_group_tests(tests, build, tear_down);
}
