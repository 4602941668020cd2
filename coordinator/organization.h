/* The organization as it is known so far: accounts and organizational units, with interned names, and what AWS's answers
 * say about them. No I/O: documents in, structures out. Who asks AWS is enumeration.h.
 *
 * Sources: AWS Organizations API (ListAccounts: State before Status, Paths "o-…/r-…/ou-…/123456789012/"), where an empty
 * page with a token is legal.
 */
#ifndef SWP_COORDINATOR_ORGANIZATION_H
#define SWP_COORDINATOR_ORGANIZATION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coordinator/region-set.h"
#include "proto/base/buf.h"
#include "proto/base/map.h"
#include "proto/base/region.h"

#define SWP_ACCOUNT_ID_BYTES 13

/* A root or an organizational unit. */
struct swp_unit {
	const char *id;
	const char *name;	 /* NULL while unknown */
	struct swp_unit *parent; /* NULL: a root, or not known yet */
	struct swp_unit *next;	 /* in the organization's list, in the order of becoming known */
	unsigned depth;		 /* 0: root */
	bool accounts_below;	 /* an account is known in it or under it */
	bool children_named;	 /* ListOrganizationalUnitsForParent was asked (answered or refused) */
	bool accounts_asked;	 /* ListAccountsForParent was asked */
};

enum swp_account_state { /* AWS's State */
	SWP_ACCOUNT_ACTIVE,
	SWP_ACCOUNT_SUSPENDED,
	SWP_ACCOUNT_PENDING_CLOSURE,
	SWP_ACCOUNT_PENDING_ACTIVATION,
	SWP_ACCOUNT_CLOSED,
	SWP_ACCOUNT_STATE_UNKNOWN, /* a word that we do not know: listed, not planned */
};
const char *swp_account_state_name(enum swp_account_state state);
enum swp_account_state swp_account_state_parse(const char *word); /* NULL is unknown */

/* Where an account stands in the sweep. */
enum swp_account_stage {
	SWP_ACCOUNT_LISTED, /* scope not decided */
	SWP_ACCOUNT_NOT_PLANNED,
	SWP_ACCOUNT_WAITING,  /* in scope, not open yet */
	SWP_ACCOUNT_CHECKING, /* of a sweep that is resumed: its seals are looked up */
	SWP_ACCOUNT_OPEN,
	SWP_ACCOUNT_SETTLED, /* no job of it is open any more */
};

struct swp_open_account;

/* One account; this struct, its name and its place in the map are all that a closed account costs. */
struct swp_account {
	char id[SWP_ACCOUNT_ID_BYTES];
	unsigned char state;  /* enum swp_account_state */
	unsigned char stage;  /* enum swp_account_stage */
	unsigned char reason; /* enum swp_reason: why none of its jobs can be done */
	bool management, own;
	bool path_told;		       /* its row in the store has its path */
	bool regions_told;	       /* AWS has said which of its regions are enabled */
	bool swept;		       /* AWS answered at least one planned call with its credentials */
	bool correlated, counted;      /* counted: what was found stands in the progress */
	bool resumed;		       /* its plan stands from before */
	unsigned char checks_out;      /* CHECKING: seals asked for */
	unsigned char redone;	       /* times that jobs of it were done again because the store lost them */
	const char *not_planned_why;   /* literal; "" */
	const char *name;	       /* "" unknown */
	struct swp_unit *unit;	       /* NULL unknown */
	int64_t joined_at_ms;	       /* -1 unknown */
	int64_t settled_at_ms;	       /* wall; 0: not */
	struct swp_region_set planned; /* regions with a job, the pseudo-regions included */
	struct swp_region_set sealed;  /* of those: their seal was seen */
	struct swp_region_set lost;    /* of those: given up (worker-lost) */
	struct swp_region_set not_enabled;
	const struct swp_account_failure *failure; /* of `reason`; NULL none */
	struct swp_account *next_settled;	   /* in the queue of those to be correlated */
	struct swp_open_account *open;		   /* owned by accounts.h; NULL while not open */
};

/* What AWS said when an account could not be entered. Interned: alike ones are kept once. */
struct swp_account_failure {
	const char *action, *error_code, *message, *request_id;
};

struct swp_organization {
	struct swp_region *memory; /* owns all texts, units and accounts */
	struct swp_map *by_id;	   /* account id → struct swp_account */
	struct swp_map *units_by_id;
	struct swp_account **accounts; /* in the order of becoming known; owns the array */
	size_t count, capacity;
	struct swp_unit *units, *last_unit;
	size_t unit_count;
	char id[40];			       /* "" none: no organization */
	char management[SWP_ACCOUNT_ID_BYTES]; /* "" unknown */
	bool has_paths;			       /* at least one account came with Paths */
};

/* 0, -ENOMEM. A failed one may be given to _done. */
int swp_organization_init(struct swp_organization *organization);
void swp_organization_done(struct swp_organization *organization);

struct swp_account *swp_organization_find(const struct swp_organization *organization, const char *id);
/* The account of that id, made if it is not there. NULL: out of memory, or above SWP_LIMIT_ACCOUNTS. */
struct swp_account *swp_organization_add(struct swp_organization *organization, const char *id);
/* The unit of that id, made if it is not there. NULL: out of memory, or above SWP_LIMIT_ORGANIZATIONAL_UNITS. */
struct swp_unit *swp_organization_unit(struct swp_organization *organization, const char *id);
void swp_organization_set_parent(struct swp_unit *unit, struct swp_unit *parent);
/* The account is in that unit: marks the units above as having accounts. */
void swp_organization_place(struct swp_account *account, struct swp_unit *unit);

/* "Root/Workloads/Prod", ending with the unit; false (and nothing appended) while a name or parent is not known. */
bool swp_unit_path(const struct swp_unit *unit, struct swp_buf *ret_path);
bool swp_account_id_is_valid(const char *id); /* twelve digits */

/* --- what answers say; each 0, -ENOMEM, or 1: the document lacks what identifies it (malformed) --- */
enum { SWP_ORGANIZATION_MALFORMED = 1, SWP_ORGANIZATION_FULL = 2 };
/* DescribeOrganization: id and management account. */
int swp_organization_read_description(struct swp_organization *organization, const json_t *document);
/* A page of ListAccounts, or of ListAccountsForParent (`unit` then is the parent, else NULL). `found` (may be NULL) is
 * called for each account that is new. Also SWP_ORGANIZATION_FULL: more than SWP_LIMIT_ACCOUNTS. */
int swp_organization_read_accounts(struct swp_organization *organization, const json_t *document,
	struct swp_unit *unit, void (*found)(struct swp_account *account, void *context), void *context);
/* A page of ListRoots (`parent` NULL) or ListOrganizationalUnitsForParent. */
int swp_organization_read_units(
	struct swp_organization *organization, const json_t *document, struct swp_unit *parent);

#endif
