/* What the makers of seeded documents share. */
#ifndef TESTS_SIMULATOR_SEED_DOCUMENTS_H
#define TESTS_SIMULATOR_SEED_DOCUMENTS_H

#include "tests/simulator/seed.h"

/* Where documents are made; the text is the maker's scratch. */
struct swp_sim_seed_place {
	const struct swp_sim_world *world;
	const struct swp_sim_account *account;
	unsigned region;
	struct swp_sim_buffer *text;
};

/* Adds the document that stands in place->text. */
void swp_sim_seed_add(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf,
	enum swp_sim_collection collection);

#endif
