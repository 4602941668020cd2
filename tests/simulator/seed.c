/* Accounts, units, users and refusals from a seed. See seed.h. */
#include "tests/simulator/seed.h"

#include <stdio.h>

uint64_t swp_sim_dice_next(struct swp_sim_dice *dice)
{
	uint64_t x = dice->state += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

unsigned swp_sim_dice_below(struct swp_sim_dice *dice, unsigned below)
{
	return (unsigned)(swp_sim_dice_next(dice) >> 33) % below;
}

bool swp_sim_dice_chance(struct swp_sim_dice *dice, unsigned percent)
{
	return swp_sim_dice_below(dice, 100) < percent;
}

struct swp_sim_dice swp_sim_dice_for(
	const struct swp_sim_account *account, unsigned region, unsigned what, unsigned number)
{
	struct swp_sim_dice dice = {account->seed};
	dice.state ^= swp_sim_dice_next(&dice) + region;
	dice.state ^= swp_sim_dice_next(&dice) + what;
	dice.state ^= swp_sim_dice_next(&dice) + number;
	return dice;
}

static const struct {
	const char *name;
	int parent; /* row; -1: the root */
} unit_rows[] = {
	{"Security", -1},
	{"Infrastructure", -1},
	{"Workloads", -1},
	{"Sandbox", -1},
	{"Suspended", -1},
	{"Prod", 2},
	{"NonProd", 2},
	{"Dev", 6},
	{"Test", 6},
	{"Network", 1},
};

enum {
	UNIT_SECURITY,
	UNIT_INFRASTRUCTURE,
	UNIT_WORKLOADS,
	UNIT_SANDBOX,
	UNIT_SUSPENDED,
	UNIT_PROD,
	UNIT_NONPROD,
	UNIT_DEV,
	UNIT_TEST,
	UNIT_NETWORK,
	UNIT_ROOT
};

/* The demonstration: every account has its story. */
static const struct {
	const char *name;
	int unit;
	enum swp_sim_trait trait;
} demo_rows[] = {
	{"management", UNIT_ROOT, SWP_SIM_TRAIT_MANAGEMENT},
	{"security-tooling", UNIT_SECURITY, SWP_SIM_TRAIT_CAREFUL},
	{"log-archive", UNIT_SECURITY, SWP_SIM_TRAIT_UNUSED},
	{"ml-platform-prod", UNIT_PROD, SWP_SIM_TRAIT_CAREFUL},
	{"recommendations-prod", UNIT_PROD, SWP_SIM_TRAIT_MIXED},
	{"chatbot-prod", UNIT_PROD, SWP_SIM_TRAIT_MIXED},
	{"research-dev", UNIT_DEV, SWP_SIM_TRAIT_CARELESS},
	{"chatbot-test", UNIT_TEST, SWP_SIM_TRAIT_DENIED_LISTS},
	{"payments-prod", UNIT_PROD, SWP_SIM_TRAIT_SCP_BEDROCK},
	{"acquired-startup", UNIT_SANDBOX, SWP_SIM_TRAIT_NO_ROLE},
	{"sandbox-1", UNIT_SANDBOX, SWP_SIM_TRAIT_CARELESS},
	{"former-project", UNIT_SUSPENDED, SWP_SIM_TRAIT_SUSPENDED},
};

/* What an account of a seeded organization is like: out of forty, seven are not to be swept as usual. */
static enum swp_sim_trait trait_of(size_t number, struct swp_sim_dice *dice)
{
	if (number == 0)
		return SWP_SIM_TRAIT_MANAGEMENT;
	switch (number % 40) {
	case 3:
		return SWP_SIM_TRAIT_SUSPENDED;
	case 5:
		return SWP_SIM_TRAIT_NO_ROLE;
	case 7:
		return SWP_SIM_TRAIT_SCP_BEDROCK;
	case 9:
		return SWP_SIM_TRAIT_DENIED_LISTS;
	case 11:
		return SWP_SIM_TRAIT_PENDING_CLOSURE;
	default:
		break;
	}
	unsigned roll = swp_sim_dice_below(dice, 100);
	return roll < 60 ? SWP_SIM_TRAIT_MIXED : roll < 80 ? SWP_SIM_TRAIT_CARELESS : SWP_SIM_TRAIT_CAREFUL;
}

static void add_units(struct swp_sim_world *world, struct swp_sim_dice *dice)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	char id[40], root[8] = {0};
	for (size_t i = 0; i < 4; i++)
		root[i] = letters[swp_sim_dice_below(dice, 36)];
	snprintf(id, sizeof id, "r-%s", root);
	size_t first = swp_sim_world_add_unit(world, id, "Root", SIZE_MAX);
	for (size_t i = 0; i < sizeof unit_rows / sizeof unit_rows[0]; i++) {
		int size = snprintf(id, sizeof id, "ou-%s-", root);
		for (size_t k = 0; k < 8; k++)
			id[size++] = letters[swp_sim_dice_below(dice, 36)];
		id[size] = '\0';
		swp_sim_world_add_unit(world, id, unit_rows[i].name,
			unit_rows[i].parent < 0 ? first : first + 1 + (size_t)unit_rows[i].parent);
	}
}

static void set_state(struct swp_sim_account *account)
{
	if (account->trait == SWP_SIM_TRAIT_SUSPENDED)
		account->state = "SUSPENDED";
	else if (account->trait == SWP_SIM_TRAIT_PENDING_CLOSURE)
		account->state = "PENDING_CLOSURE";
}

static void add_roles(struct swp_sim_world *world, size_t number, const struct swp_sim_seed_options *options)
{
	struct swp_sim_account *account = &world->accounts[number];
	if (account->trait == SWP_SIM_TRAIT_MANAGEMENT)
		return; /* StackSets do not deploy to it */
	struct swp_sim_role *access =
		swp_sim_account_add_role(account, SWP_SIM_TEXT("OrganizationAccountAccessRole"));
	access->trusted = swp_sim_allocate(sizeof(char *));
	access->trusted[0] = swp_sim_copy(world->accounts[0].id);
	access->trusted_count = 1;
	if (account->trait == SWP_SIM_TRAIT_NO_ROLE)
		return;
	struct swp_sim_role *role = swp_sim_account_add_role(account, swp_sim_text_of(options->role_name));
	if (options->external_id != NULL)
		role->external_id = swp_sim_copy(options->external_id);
}

/* The refusals that go with what an account is like. */
static void add_refusals(struct swp_sim_world *world, const struct swp_sim_account *account)
{
	struct swp_sim_buffer fault = {0};
	if (account->trait == SWP_SIM_TRAIT_SCP_BEDROCK)
		swp_sim_buffer_printf(&fault,
			"{\"account\":\"%s\",\"operation\":\"bedrock*:*\",\"kind\":\"denied-scp\",\"policy\":"
			"\"arn:%s:organizations::%s:policy/%s/service_control_policy/p-nobedrock\"}",
			account->id, world->partition->name, world->accounts[0].id, world->organization.id);
	else if (account->trait == SWP_SIM_TRAIT_DENIED_LISTS)
		swp_sim_buffer_printf(&fault,
			"{\"account\":\"%s\",\"operation\":\"bedrock:ListGuardrails\",\"kind\":\"denied-"
			"identity-implicit\"}",
			account->id);
	if (fault.size)
		swp_sim_world_add_fault(world, swp_sim_buffer_string(&fault));
	swp_sim_buffer_done(&fault);
}

static void add_account(struct swp_sim_world *world, size_t number,
	const struct swp_sim_seed_options *options, struct swp_sim_dice *dice)
{
	static const char *const teams[] = {"search", "vision", "forecast", "claims", "support", "fraud",
		"pricing", "logistics", "marketing", "genomics"};
	static const int units[] = {UNIT_PROD, UNIT_PROD, UNIT_DEV, UNIT_TEST, UNIT_SANDBOX, UNIT_NETWORK};
	char id[16], name[64], email[80];
	int unit = number == 0 ? UNIT_ROOT : units[swp_sim_dice_below(dice, 6)];
	snprintf(id, sizeof id, "%012llu",
		(unsigned long long)(100000000000 + swp_sim_dice_next(dice) % 899999999999 + number));
	struct swp_sim_account *account = swp_sim_world_add_account(world, swp_sim_text_of(id));
	account->trait = options->is_demo ? demo_rows[number].trait : trait_of(number, dice);
	if (account->trait == SWP_SIM_TRAIT_SUSPENDED || account->trait == SWP_SIM_TRAIT_PENDING_CLOSURE)
		unit = UNIT_SUSPENDED;
	if (options->is_demo)
		unit = demo_rows[number].unit;
	account->unit = unit == UNIT_ROOT ? 0 : (size_t)unit + 1;
	snprintf(name, sizeof name, number ? "%s-%s-%zu" : "management", teams[swp_sim_dice_below(dice, 10)],
		unit == UNIT_ROOT ? "root" : unit_rows[unit].name, number);
	account->name = swp_sim_copy(options->is_demo ? demo_rows[number].name : name);
	snprintf(email, sizeof email, "aws+%s@example.com", account->name);
	account->email = swp_sim_copy(email);
	account->joined_method = swp_sim_copy(number == 0 ? "INVITED" : "CREATED");
	account->joined_at_sec = 1577836800.0 + (double)swp_sim_dice_below(dice, 150000000) + 0.25;
	account->seed = swp_sim_dice_next(dice) | 1;
	set_state(account);
}

/* In every account some opt-in region is on or off, where the simulation has any. */
static void switch_regions(struct swp_sim_account *account, struct swp_sim_dice *dice)
{
	for (unsigned i = 0; i < swp_sim_region_count; i++) {
		if (swp_sim_regions[i].is_opt_in && swp_sim_dice_chance(dice, 30))
			account->regions &= ~(UINT64_C(1) << i);
	}
}

static void add_users(struct swp_sim_world *world)
{
	swp_sim_world_add_user(world, 0, "orgsweep-operator", NULL, NULL);
	if (world->account_count > 1) {
		struct swp_sim_administrator *administrator = swp_sim_world_add_administrator(world, 1);
		swp_sim_administrator_add_service(administrator, SWP_SIM_TEXT("securityhub.amazonaws.com"));
		swp_sim_administrator_add_service(administrator, SWP_SIM_TEXT("account.amazonaws.com"));
		swp_sim_world_add_user(world, 1, "delegated-operator", NULL, NULL);
	}
	if (world->account_count > 2)
		swp_sim_world_add_user(world, 2, "member-operator", NULL, NULL);
}

static void add_policies(struct swp_sim_world *world)
{
	struct swp_sim_organization *organization = &world->organization;
	struct swp_sim_buffer text = {0};
	swp_sim_buffer_printf(&text,
		"{\"Id\":\"p-FullAWSAccess\",\"Arn\":\"arn:%s:organizations::aws:policy/"
		"service_control_policy/"
		"p-FullAWSAccess\",\"Name\":\"FullAWSAccess\",\"Description\":\"Allows access to every "
		"operation\","
		"\"Type\":\"SERVICE_CONTROL_POLICY\",\"AwsManaged\":true}",
		world->partition->name);
	swp_sim_policies_add(&organization->policies, &organization->policy_count,
		(struct swp_sim_policy){swp_sim_copy(swp_sim_buffer_string(&text)),
			swp_sim_copy("p-FullAWSAccess"), swp_sim_copy("SERVICE_CONTROL_POLICY"),
			swp_sim_copy("{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\","
				     "\"Action\":\"*\","
				     "\"Resource\":\"*\"}]}")});
	swp_sim_buffer_clear(&text);
	swp_sim_buffer_printf(&text,
		"{\"Id\":\"p-nobedrock\",\"Arn\":\"arn:%s:organizations::%s:policy/%s/service_control_policy/"
		"p-nobedrock\","
		"\"Name\":\"NoBedrock\",\"Description\":\"Closes "
		"Bedrock\",\"Type\":\"SERVICE_CONTROL_POLICY\","
		"\"AwsManaged\":false}",
		world->partition->name, world->accounts[0].id, organization->id);
	swp_sim_policies_add(&organization->policies, &organization->policy_count,
		(struct swp_sim_policy){swp_sim_copy(swp_sim_buffer_string(&text)),
			swp_sim_copy("p-nobedrock"), swp_sim_copy("SERVICE_CONTROL_POLICY"),
			swp_sim_copy("{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Deny\","
				     "\"Action\":\"bedrock:*\","
				     "\"Resource\":\"*\"}]}")});
	swp_sim_buffer_done(&text);
}

void swp_sim_seed_organization(struct swp_sim_world *world, const struct swp_sim_seed_options *options)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	struct swp_sim_dice dice = {options->seed * UINT64_C(0x9e3779b97f4a7c15) + 1};
	char id[16] = "o-";
	size_t count = options->is_demo ? sizeof demo_rows / sizeof demo_rows[0] : options->accounts;
	for (size_t i = 2; i < 12; i++)
		id[i] = letters[swp_sim_dice_below(&dice, 36)];
	world->seed = options->seed;
	world->regions = options->regions;
	world->is_demo = options->is_demo;
	world->organization.id = swp_sim_copy(id);
	world->organization.feature_set = swp_sim_copy("ALL");
	world->organization.management = 0;
	add_units(world, &dice);
	for (size_t i = 0; i < count; i++) {
		add_account(world, i, options, &dice);
		if (i != 0)
			switch_regions(&world->accounts[i], &dice);
		add_roles(world, i, options);
		add_refusals(world, &world->accounts[i]);
	}
	add_policies(world);
	add_users(world);
}
