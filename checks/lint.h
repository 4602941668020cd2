/* Faults of a catalogue: who found one says in which JSON object or array it is and under which key; where the text came from
 * YAML, file and line are looked up, so that the same code checks YAML at build time and compiled text at load time.
 */
#ifndef SWP_CHECKS_LINT_H
#define SWP_CHECKS_LINT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "checks/catalogue.h"
#include "proto/base/error.h"

struct swp_locations; /* opaque: where each member of the YAML stood */

/* NULL on -ENOMEM. */
struct swp_locations *swp_locations_new(void);
void swp_locations_free(struct swp_locations *locations); /* takes NULL */
/* Remembers where `key` of `container` stands ("[3]" for an array's element, "" for the container itself). `file` is borrowed for the
 * life of the locations. -ENOMEM. */
int swp_locations_add(struct swp_locations *locations, const json_t *container, const char *key,
	const char *file, unsigned line);
/* False when unknown. Falls back to the container's own place. */
bool swp_locations_find(const struct swp_locations *locations, const json_t *container, const char *key,
	const char **ret_file, unsigned *ret_line);

struct swp_lint {
	const struct swp_locations *locations; /* borrowed; NULL when compiled text is loaded */
	void (*complain)(const struct swp_lint_message *message, void *context); /* NULL: only `problem` */
	void *context;
	struct swp_problem *problem; /* NULL or: gets the first fault */
	unsigned faults;
};

/* Counts a fault and tells it. `container` holds the fault, `key` is the member concerned; NULL: the container itself. */
void swp_lint_fault(struct swp_lint *lint, const json_t *container, const char *key, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* "unknown WHAT 'WORD'", and the nearest of `names` if one is near. */
void swp_lint_unknown(struct swp_lint *lint, const json_t *container, const char *key, const char *what,
	const char *word, const char *const *names, size_t count);

/* What chains may refer to; both lists sorted bytewise. Facts and relations stand together in `facts`. */
struct swp_chain_names {
	const char *const *checks;
	size_t check_count;
	const char *const *facts;
	size_t fact_count;
};

#endif
