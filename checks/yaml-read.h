/* YAML in, JSON out, with the line of each member. A strict subset: one document, no anchors, aliases, tags or merge keys, no key twice;
 * plain scalars true, false, null and numbers are what they look like (YAML 1.2 core schema), everything else is text.
 */
#ifndef SWP_CHECKS_YAML_READ_H
#define SWP_CHECKS_YAML_READ_H

#include <jansson.h>

#include "checks/lint.h"

enum { SWP_YAML_FAULTY = 1 };
/* `file` (its name too) is borrowed as long as lint->locations lives. New reference in ret_document; an empty file gives an empty object.
 * SWP_YAML_FAULTY: told through `lint`; -ENOMEM. `locations` may be NULL. */
int swp_yaml_parse(const struct swp_catalogue_file *file, struct swp_lint *lint,
	struct swp_locations *locations, json_t **ret_document);

#endif
