/* Organizations stated in JSON. The format is described in README.md. */
#ifndef TESTS_SIMULATOR_ORGANIZATION_FILE_H
#define TESTS_SIMULATOR_ORGANIZATION_FILE_H

#include "tests/simulator/world.h"

#include <stdio.h>

/*
 * Reads the file into an initialized world. `regions` are those of accounts that state none, unless the file does.
 * 0, or -1 with a message that names the place.
 */
int swp_sim_organization_read(
	struct swp_sim_world *world, const char *path, uint64_t regions, struct swp_sim_buffer *error);

/* Prints the world, seeded documents included, as such a file. */
void swp_sim_organization_print(struct swp_sim_world *world, FILE *file);

#endif
