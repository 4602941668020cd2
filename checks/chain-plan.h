/* What the chains and joined checks of a selection need, read once from the catalogue: legs with numbered sources and variables, so that
 * evaluation handles numbers only. Trusts the linter; what it would have refused gives -EINVAL.
 */
#ifndef SWP_CHECKS_CHAIN_PLAN_H
#define SWP_CHECKS_CHAIN_PLAN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "checks/catalogue.h"
#include "checks/text-pool.h"
#include "proto/base/limits.h"

enum swp_leg_kind { SWP_LEG_FINDING, SWP_LEG_FACT, SWP_LEG_RELATION, SWP_LEG_KIND_COUNT };

/* Columns of a row that a leg can bind to a variable. */
enum swp_column {
	SWP_COLUMN_ACCOUNT,
	SWP_COLUMN_REGION,
	SWP_COLUMN_SUBJECT, /* a finding's resource, a fact's subject */
	SWP_COLUMN_OBJECT,  /* a relation's other end */
	SWP_COLUMN_VALUE,   /* a fact's value, if it is text */
	SWP_COLUMN_COUNT,
};
/* The word for it in YAML, by kind of leg: "resource", "subject" …; NULL where that kind has no such column. */
const char *swp_column_word(enum swp_leg_kind kind, enum swp_column column);
const char *swp_leg_kind_word(enum swp_leg_kind kind); /* "finding" */

#define SWP_NO_VARIABLE 255u

/* The thing does not exist although the lists where it would stand were wholly read. */
enum swp_missing { SWP_MISSING_PASS, SWP_MISSING_FAIL, SWP_MISSING_NOT_ASSESSED, SWP_MISSING_COUNT };
extern const char *const swp_missing_words[SWP_MISSING_COUNT + 1]; /* "not-assessed"; NULL-terminated */

struct swp_leg_source { /* one alternative of a leg */
	enum swp_leg_kind kind;
	size_t check;				   /* finding */
	size_t fact;				   /* fact, relation: index of struct swp_fact_name */
	bool selected;				   /* finding: the check is */
	unsigned char variables[SWP_COLUMN_COUNT]; /* index, or SWP_NO_VARIABLE */
	uint32_t value;				   /* fact: JSON text that counts as FAIL */
	bool any_value;				   /* fact: whatever its value */
	enum swp_missing missing;
	bool ignores_unread_list;
};
struct swp_leg {
	const char *name;
	struct swp_leg_source *sources;
	size_t source_count;
	uint32_t variables;   /* mask */
	unsigned at_least;    /* so many different rows must fail */
	unsigned component;   /* legs that share a variable other than the instance's are one component */
	bool needs_read_rows; /* PASS rows matter: they say of a joined resource that it was read */
};
struct swp_path {
	struct swp_leg *legs;
	size_t leg_count;
	size_t component_count;
	bool usable; /* each leg has a selected source */
};
struct swp_chain_plan {
	size_t chain; /* in the catalogue */
	const char *name;
	const char *basis;
	const char *variables[SWP_LIMIT_CHAIN_VARIABLES];
	size_t variable_count;
	struct swp_path *paths;
	size_t path_count;
	struct swp_leg *amplifiers;
	size_t amplifier_count;
	uint32_t instance, regions, resources, regions_not_assessed; /* masks */
	unsigned char (*different)[2];
	size_t different_count;
	unsigned char
		account;   /* the variable that gives the report's account; SWP_NO_VARIABLE in one account */
	unsigned char key; /* over accounts: the variable that every leg binds, or SWP_NO_VARIABLE */
	const char *confirmed, *unverified, *not_shown; /* texts with {variable} */
};
struct swp_joined_plan {
	size_t check;
	size_t relation, fact; /* names */
	size_t complete;       /* name: the subjects' list */
	uint32_t value;
	bool any_value;
	enum swp_missing missing; /* the thing at the other end */
	enum swp_missing none;	  /* the subject points to nothing; PASS: not applicable */
};
struct swp_fact_name {
	const char *name;
	bool complete;	      /* "complete:KIND": how far a list was read */
	enum swp_level level; /* of the job that gives it */
	size_t kinds[8];      /* a fact: the names "complete:KIND" of the lists that give it */
	size_t kind_count;
};
struct swp_plans {
	struct swp_region *region;     /* owns all below */
	struct swp_chain_plan *chains; /* usable ones only, by id */
	size_t chain_count;
	struct swp_joined_plan *joined; /* by id */
	size_t joined_count;
	struct swp_fact_name *names; /* sorted bytewise */
	size_t name_count;
	bool *wants_check;  /* by check index */
	bool *wants_passes; /* … its PASS rows too */
	size_t check_count;
};

/* Chains and joined checks whose join stays inside an account (`over_accounts` false), or goes over accounts. Borrows the catalogue's texts; values
 * are interned in `pool`. `account` is that of the scope and may be NULL. -ENOMEM, -E2BIG (pool), -EINVAL. */
int swp_plans_new(struct swp_catalogue *catalogue, const struct swp_selection *selection, bool over_accounts,
	struct swp_text_pool *pool, struct swp_plans **ret_plans);
void swp_plans_free(struct swp_plans *plans); /* takes NULL */
/* Index in names, or -1. */
int swp_plans_name(const struct swp_plans *plans, const char *name);

/* Calls `visit` for each fact and relation that a chain's legs name (doubles possible). Non-zero ends the walk and is returned. */
int swp_chain_each_fact(const json_t *chain, int (*visit)(const char *name, void *context), void *context);
struct swp_missing_checks {
	const char *ids[SWP_LIMIT_CHAIN_LEGS * SWP_LIMIT_CHAIN_ALTERNATIVES];
	size_t count;
};
/* The checks whose absence from the selection keeps the chain from being evaluated; none: it can be. Of several paths the one that lacks
 * least. -EINVAL when a leg is not as the linter wants it. */
int swp_chain_missing(const struct swp_catalogue *catalogue, const struct swp_selection *selection,
	const json_t *chain, struct swp_missing_checks *ret_missing);

#endif
