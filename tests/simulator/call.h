/*
 * One call of the simulated AWS: who asks what, and the answer that is being written.
 *
 * A service is a table of operations. A row says how the request is recognized, what IAM action it needs, and how
 * it is answered; the two common shapes (a page of a list, one document) are answered from the row alone.
 */
#ifndef TESTS_SIMULATOR_CALL_H
#define TESTS_SIMULATOR_CALL_H

#include "tests/simulator/http.h"
#include "tests/simulator/world.h"

#define SWP_SIM_OPERATIONS_MAX 160
#define SWP_SIM_URI_PARTS_MAX 4
#define SWP_SIM_SCRATCH_COUNT 12

struct swp_sim_call;
struct swp_sim_fault;
struct swp_sim_shared;
struct swp_sim_credentials;
struct swp_sim_principal;

enum swp_sim_protocol {
	SWP_SIM_JSON_11,
	SWP_SIM_REST_JSON,
	SWP_SIM_QUERY,
	SWP_SIM_EC2_QUERY,
	SWP_SIM_REST_XML,
	SWP_SIM_PROTOCOL_COUNT
};

/* Where a parameter stands in the request. */
enum swp_sim_place {
	SWP_SIM_IN_BODY,  /* member of the JSON body, or of the form of a query protocol */
	SWP_SIM_IN_QUERY, /* query string */
	SWP_SIM_IN_URI,	  /* part of the path, as {name} in the operation's uri */
};

/* A parameter that names the document, in the order of the collection's keys. */
struct swp_sim_parameter {
	const char *name;
	enum swp_sim_place place;
};

/* How a list is cut into pages. A list without token_in is answered whole. */
struct swp_sim_paging {
	const char *token_in;
	const char *token_out;
	const char *limit;
	enum swp_sim_place place;
	unsigned page_default;
	unsigned page_max;     /* a larger limit is refused */
	unsigned page_cap;     /* at most this many are answered, whatever is asked; 0: page_max */
	const char *truncated; /* boolean member that says whether there is more; NULL: none */
};

/* What AWS says when the document is not there. The message may hold one %.*s: the last key. */
struct swp_sim_missing {
	int status;
	const char *code;
	const char *message;
};

struct swp_sim_operation {
	const char *name;
	const char *action; /* IAM action; NULL: none is needed */
	const char *method; /* REST: method and uri; else POST / */
	const char *uri;    /* {name} takes one part; ?name at the end asks for that query parameter */
	void (*answer)(struct swp_sim_call *call);
	enum swp_sim_collection collection;
	const char *member; /* list: member of the list; document: member it is wrapped in, or NULL */
	struct swp_sim_paging paging;
	struct swp_sim_parameter keys[SWP_SIM_KEY_MAX];
	struct swp_sim_missing missing;
	const char *throttle_code; /* NULL: the service's */
};

struct swp_sim_service {
	const char *name; /* as boto3 calls it */
	const char *signing_name;
	const char *host_prefix;
	enum swp_sim_protocol protocol;
	const char *target_prefix; /* JSON 1.1: of X-Amz-Target */
	const char *name_space;	   /* XML */
	const char *throttle_code;
	int throttle_status;
	bool is_global; /* signed for the partition's global region */
	const struct swp_sim_operation *operations;
	size_t operation_count;
};

extern const struct swp_sim_service *const swp_sim_services[];
extern const size_t swp_sim_service_count;

/* What every call can reach. Borrowed parts, owned by main. */
struct swp_sim_context {
	struct swp_sim_world *world;
	struct swp_sim_shared *shared;
	struct swp_sim_credentials *credentials;
	unsigned session_seconds; /* 0: what AssumeRole asks for */
	unsigned page_cap;	  /* lists give at most so many a page; 0: as AWS */
	struct swp_sim_buffer scratch[SWP_SIM_SCRATCH_COUNT];
	struct swp_sim_buffer xml_scratch;
};

struct swp_sim_call {
	struct swp_sim_context *context;
	const struct swp_sim_request *request;
	const struct swp_sim_service *service;
	const struct swp_sim_operation *operation; /* NULL: unknown */
	unsigned operation_number;		   /* over all services */
	struct swp_sim_text uri_parts[SWP_SIM_URI_PARTS_MAX];
	struct swp_sim_text bucket; /* of an S3 request, path or host style */
	const struct swp_sim_principal *principal;
	size_t account;			/* of the principal */
	unsigned region;		/* of the credential scope */
	struct swp_sim_text credential; /* access key id of the request, whether known or not */
	bool is_signed_well;
	int64_t now_sec;		   /* the simulated clock */
	const struct swp_sim_fault *fault; /* that applies to this call; NULL: none */
	size_t scratch_used;
	/* The answer. */
	struct swp_sim_buffer *body; /* content before body_start is not the body's */
	size_t body_start;
	int status;
	const char *error_code;		      /* NULL: none */
	const char *content_type;	      /* NULL: the protocol's */
	struct swp_sim_buffer *extra_headers; /* whole lines */
	char request_id[37];
};

/* Text that lives until the call is answered. */
struct swp_sim_buffer *swp_sim_call_scratch(struct swp_sim_call *call);

/*
 * A parameter of the request, decoded. `at` is NULL when it is not there. For SWP_SIM_IN_BODY of the JSON protocols only
 * strings, numbers and booleans of the outermost object.
 */
struct swp_sim_text swp_sim_call_parameter(
	struct swp_sim_call *call, const char *name, enum swp_sim_place place);
/* A list parameter has this element (JSON array of strings, or Name.1, Name.member.1 forms). */
bool swp_sim_call_list_has(struct swp_sim_call *call, const char *name, struct swp_sim_text element);
/* Is the list parameter there, and not empty? */
bool swp_sim_call_has_list(struct swp_sim_call *call, const char *name);

/* What is written of the body. */
static inline struct swp_sim_text swp_sim_call_body(const struct swp_sim_call *call)
{
	return (struct swp_sim_text){
		call->body->data + call->body_start, call->body->size - call->body_start};
}

static inline void swp_sim_call_clear_body(struct swp_sim_call *call)
{
	call->body->size = call->body_start;
}

/* Answers with an error, in the shape of the service's protocol; what was written to the body is dropped. */
void swp_sim_call_fail(struct swp_sim_call *call, int status, const char *code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* Answers what the operation's row says of a document that is not there. */
void swp_sim_call_fail_missing(struct swp_sim_call *call, struct swp_sim_text key);

/* The two common answers. */
void swp_sim_answer_list(struct swp_sim_call *call);
void swp_sim_answer_document(struct swp_sim_call *call);
/* A document that is one a region: `{}` when there is none. */
void swp_sim_answer_single(struct swp_sim_call *call);

/* Page of a list that is already chosen. */
struct swp_sim_page {
	size_t first;
	size_t count;
	bool has_more;
	char token[64]; /* when has_more */
};
/* Reads token and limit, fails the call when they are bad. `total` is the length of the whole list. */
bool swp_sim_call_page(struct swp_sim_call *call, size_t total, struct swp_sim_page *ret_page);
/* Writes the members that tell of a next page into a JSON object that has members before, or into XML. */
/* Token of the page that starts with entry `first`. */
void swp_sim_call_token(const struct swp_sim_call *call, size_t first, char ret_token[64]);
void swp_sim_call_put_page_end(struct swp_sim_call *call, const struct swp_sim_page *page);

/* A document of the account and region of the call. */
const struct swp_sim_shelf *swp_sim_call_shelf(struct swp_sim_call *call, enum swp_sim_collection collection);
/* ARN of the caller, appended. */
void swp_sim_call_put_caller_arn(struct swp_sim_call *call, struct swp_sim_buffer *into);

/* Query and XML answers: the document elements around a result. */
void swp_sim_xml_begin(struct swp_sim_call *call);
void swp_sim_xml_end(struct swp_sim_call *call);
/* <name>text</name>, escaped. */
void swp_sim_xml_element(struct swp_sim_buffer *into, const char *name, struct swp_sim_text text);
/* A page of a list in a query protocol's XML. */
void swp_sim_answer_xml_list(struct swp_sim_call *call);
/* A JSON object's members as elements, by the naming rules of the service's protocol. */
void swp_sim_xml_members(struct swp_sim_call *call, struct swp_sim_text json);

#endif
