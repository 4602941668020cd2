/*
 * Organizations from a seed: the same seed gives the same accounts, the same documents, and the same bytes,
 * in whatever order they are asked for.
 */
#ifndef TESTS_SIMULATOR_SEED_H
#define TESTS_SIMULATOR_SEED_H

#include "tests/simulator/world.h"

struct swp_sim_seed_options {
	uint64_t seed;
	size_t accounts;
	uint64_t regions; /* bit per region */
	bool is_demo;	  /* the demonstration: 12 accounts with names and stories, 4 regions */
	const char *role_name;
	const char *external_id; /* NULL: none */
};

/* Fills an initialized world. */
void swp_sim_seed_organization(struct swp_sim_world *world, const struct swp_sim_seed_options *options);

/* Fills a shelf with what the seed gives this account and region. */
void swp_sim_seed_fill(struct swp_sim_world *world, size_t account, unsigned region,
	enum swp_sim_collection collection, struct swp_sim_shelf *shelf);

/* What an account is like. */
enum swp_sim_trait {
	SWP_SIM_TRAIT_MIXED,
	SWP_SIM_TRAIT_CAREFUL, /* nearly everything as it should be */
	SWP_SIM_TRAIT_CARELESS,
	SWP_SIM_TRAIT_UNUSED, /* no resources */
	SWP_SIM_TRAIT_SUSPENDED,
	SWP_SIM_TRAIT_PENDING_CLOSURE,
	SWP_SIM_TRAIT_NO_ROLE,
	SWP_SIM_TRAIT_SCP_BEDROCK,  /* a service control policy closes Bedrock */
	SWP_SIM_TRAIT_DENIED_LISTS, /* the role may not list guardrails */
	SWP_SIM_TRAIT_MANAGEMENT,
};

/* Dice that fall the same way for the same words. */
struct swp_sim_dice {
	uint64_t state;
};
struct swp_sim_dice swp_sim_dice_for(
	const struct swp_sim_account *account, unsigned region, unsigned what, unsigned number);
uint64_t swp_sim_dice_next(struct swp_sim_dice *dice);
/* 0 … below-1 */
unsigned swp_sim_dice_below(struct swp_sim_dice *dice, unsigned below);
/* True in `percent` of 100. */
bool swp_sim_dice_chance(struct swp_sim_dice *dice, unsigned percent);

#endif
