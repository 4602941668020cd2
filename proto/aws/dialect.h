/* The AWS protocols: from operation and input to an unsigned HTTP request, from an HTTP answer to a JSON document.
 * json 1.0/1.1, rest-json, query, ec2 query, rest-xml. No I/O.
 *
 * XML becomes JSON: the result wrapper (<OperationResult> within <OperationResponse>, ec2's <OperationResponse>, S3's root) is
 * stripped; an element with children is an object; with text a string; an element whose children are all <member> (query) or
 * <item> (ec2), or whose name is in operation->lists, is an array; a name that repeats becomes an array; an empty element is "".
 * A name in operation->lists is an array whatever it holds: the items of a wrapped list, the repeated (flattened) element
 * itself, one value, or nothing. operation->result that is an empty element, or (in `lists`) not there, is an empty array.
 * A document type declaration makes an answer malformed. JSON is read for every protocol, told by its first byte.
 * \u0000 in a name or string becomes U+FFFD, so that nothing is cut at a NUL in silence.
 */
#ifndef SWP_AWS_DIALECT_H
#define SWP_AWS_DIALECT_H

#include <jansson.h>

#include "proto/aws/operation.h"
#include "proto/base/buf.h"

struct swp_aws_request { /* unsigned; all strings owned by it, or literals; buffers are kept for reuse */
	const char *method;
	struct swp_buf
		path; /* with the endpoint's own path prefix left to the caller; encoded once, as sent */
	struct swp_buf query; /* sorted or not, as sent, without '?'; encoded */
	struct swp_buf body;
	const char *content_type;  /* NULL: none */
	const char *target_prefix; /* X-Amz-Target is "prefix.name"; NULL: none */
	const char *target_name;
	const char *accept; /* NULL: none */
	char host_label
		[64]; /* "" none; made of letters, digits and -._ only; its part of the path is left out */
};
void swp_aws_request_init(struct swp_aws_request *request);
void swp_aws_request_done(struct swp_aws_request *request);

/* `input` is an object (borrowed) or NULL; `token` the page token to send or NULL. Input members of query and ec2 are named as
 * on the wire; lists become Name.member.1 (query) or Name.1 (ec2). Rest members without a row go to the body, and to the query
 * by their own name where the method has no body; null is left out of query strings and forms.
 * 0; -EINVAL when a URI or host label is missing, empty or no name ("..", a slash in a bucket), when a member cannot be written where
 * it belongs, or when there is a token and the operation does not page; -ENOMEM; -E2BIG. The request is cleared first, so
 * that one struct serves many calls. */
int swp_dialect_build(const struct swp_aws_operation *operation, const json_t *input, const char *token,
	struct swp_aws_request *request);

enum { SWP_DIALECT_MALFORMED = 1, SWP_DIALECT_TOO_DEEP = 2, SWP_DIALECT_MISSING_MEMBER = 3 };
/* A success answer's document: new reference, an object; an empty body is malformed for every protocol (a read
 * always has a document, and a lost one must not be taken for one that lacks all its optional members). operation->result must be
 * there and an array, operation->required must be there; null counts as absent. TOO_DEEP: also more than
 * SWP_LIMIT_DOCUMENT_VALUES values.
 * 0, -ENOMEM, or a code above; then ret_member (if not NULL) names what is missing (borrowed from operation). */
int swp_dialect_parse(const struct swp_aws_operation *operation, const char *body, size_t length,
	json_t **ret_document, const char **ret_member);

struct swp_aws_error {
	char code[128]; /* trimmed: after '#', before ':'; "" when AWS told none */
	char message[2048];
	char request_id[128];
};
/* Reads an error answer; never fails: an unreadable one (a proxy's page) has empty code, and so has a code that is no name. `error_type_header` as in x-amzn-errortype, "" if none. */
void swp_dialect_parse_error(enum swp_protocol protocol, const char *error_type_header, const char *body,
	size_t length, struct swp_aws_error *ret_error);

#endif
