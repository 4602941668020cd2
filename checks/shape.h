/* Shapes of catalogue rows: which members a mapping may have, of what kind, and which it must have. Tables; one walker.
 */
#ifndef SWP_CHECKS_SHAPE_H
#define SWP_CHECKS_SHAPE_H

#include <jansson.h>
#include <stdbool.h>

#include "checks/lint.h"

enum swp_member_kind {
	SWP_MEMBER_ANY,	  /* looked at by whoever compiles it */
	SWP_MEMBER_TEXT,  /* not empty */
	SWP_MEMBER_TEXTS, /* a list of them */
	SWP_MEMBER_NUMBER,
	SWP_MEMBER_WORD,    /* a text of `words` */
	SWP_MEMBER_OBJECT,  /* of `shape` */
	SWP_MEMBER_OBJECTS, /* a list of them */
	SWP_MEMBER_MAP,	    /* names to anything */
};
struct swp_shape;
struct swp_member {
	const char *name; /* NULL ends the list */
	enum swp_member_kind kind;
	bool required;
	const struct swp_shape *shape;
	const char *const *words; /* NULL-terminated */
};
struct swp_shape {
	const char *what; /* "member of a check" */
	const struct swp_member *members;
};

/* Tells each fault of member `key` of `container`, which must be a mapping of that shape. False when there was one. */
bool swp_shape_check(
	struct swp_lint *lint, const json_t *container, const char *key, const struct swp_shape *shape);

extern const struct swp_shape swp_shape_document, swp_shape_service, swp_shape_operation, swp_shape_resource,
	swp_shape_step, swp_shape_check_row;

#endif
