/* JSON text → jansson document. jansson stays the document's form; reading is ours, since jansson's own reader goes byte by
 * byte through two call-backs and costs most of a call's CPU time. Held against jansson's reader by a test and a fuzz harness.
 * Internal to proto/aws.
 *
 * Stricter than jansson: depth and number of values have ceilings. Otherwise the same: RFC 8259, UTF-8 only, the last of
 * equal names counts, integers beyond 64 bits and numbers beyond a double are malformed. One difference: \u0000 in a name
 * or string becomes U+FFFD, so that nothing is cut at a NUL in silence.
 */
#ifndef SWP_AWS_JSON_READ_H
#define SWP_AWS_JSON_READ_H

#include <jansson.h>
#include <stddef.h>

/* Any JSON value; `text` need not be terminated. 0 with a new reference, -ENOMEM, SWP_DIALECT_MALFORMED or
 * SWP_DIALECT_TOO_DEEP (depth or number of values above the ceiling). */
int swp_json_read(const char *text, size_t length, json_t **ret_value);

#endif
