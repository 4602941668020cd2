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

/* What is read off an account's trait: chances in percent that something is as it should be. */
struct swp_sim_habits {
	unsigned is_closed; /* a notebook's root access or direct internet access is Disabled */
	unsigned has_key;
	unsigned has_logging;
	unsigned has_guardrails;
	unsigned amount; /* of resources, 100: normal */
};
const struct swp_sim_habits *swp_sim_seed_habits(const struct swp_sim_account *account);

/* How many of something: mean `mean_tenths` / 10, from none to about three times as many. */
unsigned swp_sim_seed_amount(
	const struct swp_sim_account *account, struct swp_sim_dice *dice, unsigned mean_tenths);
/* arn:PARTITION:SERVICE:REGION:ACCOUNT:KIND/NAME */
void swp_sim_seed_put_arn(const struct swp_sim_seed_place *place, struct swp_sim_buffer *into,
	const char *service, const char *kind, const char *name);
/* The account's own key in the region: its id, its ARN. */
void swp_sim_seed_put_key_id(const struct swp_sim_seed_place *place, struct swp_sim_buffer *into);
void swp_sim_seed_put_key_arn(const struct swp_sim_seed_place *place, struct swp_sim_buffer *into);
/* Id of the region's guardrail of that number, whether there are so many or not. */
void swp_sim_seed_guardrail_id(const struct swp_sim_seed_place *place, unsigned number, char ret_id[16]);

/* Adds the document that stands in place->text. */
void swp_sim_seed_add(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf,
	enum swp_sim_collection collection);
/* The same, with a summary of its own, and names it goes by as well (each followed by a newline). */
void swp_sim_seed_add_as(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf,
	enum swp_sim_collection collection, struct swp_sim_text summary, const char *aliases);

/* Makers, one a collection. */
#define SWP_SIM_MAKER(name)                                                                                  \
	void swp_sim_seed_##name(const struct swp_sim_seed_place *place, struct swp_sim_shelf *shelf)
SWP_SIM_MAKER(enforced_guardrails);
SWP_SIM_MAKER(custom_models);
SWP_SIM_MAKER(agents);
SWP_SIM_MAKER(action_groups);
SWP_SIM_MAKER(agent_aliases);
SWP_SIM_MAKER(agent_versions);
SWP_SIM_MAKER(knowledge_bases);
SWP_SIM_MAKER(data_sources);
SWP_SIM_MAKER(agent_runtimes);
SWP_SIM_MAKER(gateways);
SWP_SIM_MAKER(memories);
SWP_SIM_MAKER(code_interpreters);
SWP_SIM_MAKER(browsers);
SWP_SIM_MAKER(models);
SWP_SIM_MAKER(domains);
SWP_SIM_MAKER(training_jobs);
SWP_SIM_MAKER(keys);
SWP_SIM_MAKER(log_groups);
SWP_SIM_MAKER(trails);
SWP_SIM_MAKER(trail_status);
SWP_SIM_MAKER(event_selectors);
SWP_SIM_MAKER(detectors);
SWP_SIM_MAKER(functions);
SWP_SIM_MAKER(vpc_endpoints);
SWP_SIM_MAKER(security_groups);
SWP_SIM_MAKER(roles);
SWP_SIM_MAKER(users);
SWP_SIM_MAKER(groups);
SWP_SIM_MAKER(policies);
SWP_SIM_MAKER(service_credentials);
SWP_SIM_MAKER(buckets);

#endif
