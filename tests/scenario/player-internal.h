/* What the player's files share. */
#ifndef SWP_TESTS_SCENARIO_PLAYER_INTERNAL_H
#define SWP_TESTS_SCENARIO_PLAYER_INTERNAL_H

#include "tests/scenario/player.h"

struct player {
	const char *scenario;
	int64_t now_ms, wall_offset_ms;
	uint64_t random_state;
	unsigned loops, clients, links, exchanges, lookups;
	bool proxy;
};
extern struct player player;

void player_http_begin(void);
void player_http_end(void);
void player_store_begin(void);
void player_store_end(void);
void player_bus_begin(void);
void player_bus_end(void);

#endif
