/* XML text → jansson document, by the rules of dialect.h. Internal to proto/aws. Attributes, comments and processing
 * instructions are ignored; a document type declaration makes the document malformed, so there are no entities to expand.
 */
#ifndef SWP_AWS_XML_H
#define SWP_AWS_XML_H

#include <jansson.h>
#include <stddef.h>

#define SWP_XML_NAME_BYTES 128 /* AWS's longest member name has 80 */

/* `item` names list children ("member", "item"; NULL none), `lists` as swp_aws_operation.lists (may be NULL).
 * 0 with a new reference to the root element's value and its name; -ENOMEM; SWP_DIALECT_MALFORMED; SWP_DIALECT_TOO_DEEP. */
int swp_xml_read(const char *text, size_t length, const char *item, const char *const *lists,
	char ret_root[static SWP_XML_NAME_BYTES], json_t **ret_value);

#endif
