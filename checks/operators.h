/* The operators of a leaf predicate and the text functions of paths: one row each. Parser, linter, documentation and tests are made
 * from these tables.
 */
#ifndef SWP_CHECKS_OPERATORS_H
#define SWP_CHECKS_OPERATORS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "proto/base/region.h"

enum swp_type { /* of a value */
	SWP_TYPE_ANY,
	SWP_TYPE_STRING,
	SWP_TYPE_NUMBER,
	SWP_TYPE_BOOLEAN,
	SWP_TYPE_OBJECT,
	SWP_TYPE_ARRAY,
	SWP_TYPE_MOMENT, /* a text of RFC 3339, or a number of seconds since 1970 */
	SWP_TYPE_COUNT,
};
const char *swp_type_name(enum swp_type type);		       /* "string" */
int swp_type_parse(const char *name, enum swp_type *ret_type); /* -EINVAL */
bool swp_type_fits(enum swp_type type, const json_t *value);
enum swp_type swp_type_of(const json_t *value); /* never MOMENT */
/* Of a value that fits SWP_TYPE_MOMENT: milliseconds since 1970. -EINVAL for any other, and outside of the years 2000 to 9999: AWS has
 * nothing from before; zero, -1 and the year 1 stand for "never". */
int swp_moment_of(const json_t *value, int64_t *ret_wall_ms);

enum swp_operand_kind {
	SWP_OPERAND_SCALAR,  /* text, number or boolean; the value must be of its type */
	SWP_OPERAND_SCALARS, /* a list of them, all of one type, or $set.NAME */
	SWP_OPERAND_TEXT,
	SWP_OPERAND_TEXTS, /* one text or a list */
	SWP_OPERAND_NUMBER,
	SWP_OPERAND_TRUE,     /* just `true`; the node says the value's `type`, unless the row does */
	SWP_OPERAND_DURATION, /* "90d", "12h" */
	SWP_OPERAND_PATH,     /* of the text that the value is held against */
};

struct swp_operator {
	const char *name;
	enum swp_operand_kind operand;
	enum swp_type value; /* ANY: that of the operand, or of the node's `type` */
	bool when_absent;    /* what holds when the value is absent and the node gives no default */
	bool (*holds)(const json_t *value, const json_t *operand); /* NULL: holds_at */
	const char *help;
	/* For moments: how long after the sweep's start the value lies (below zero: before it), and the duration. */
	bool (*holds_at)(int64_t after_ms, int64_t duration_ms);
};
extern const struct swp_operator swp_operators[];
extern const size_t swp_operator_count;
const struct swp_operator *swp_operator_find(const char *name); /* NULL */

struct swp_transform {
	const char *name;
	enum swp_type result; /* all take text */
	/* 0: new reference in ret_value, NULL where the text has no such part (absent); -ENOMEM. */
	int (*apply)(const char *text, json_t **ret_value);
	const char *help;
};
extern const struct swp_transform swp_transforms[];
extern const size_t swp_transform_count;
const struct swp_transform *swp_transform_find(const char *name); /* NULL */

#endif
