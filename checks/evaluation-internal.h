/* Between the files of the evaluation machine; nobody else includes it.
 *
 *   resource run ──has──> items ──wait for──> sources ──of──> walks ──are──> AWS calls, page by page
 *
 * A walk is one call with its pages. A source is what a consumer wants of its answers: the document, a list of all pages, or (a run's own
 * list) each element as it comes. Items are resources being read; what is listed by nobody (account × region subjects) is one item that
 * lives until the end. Everything is owned by the evaluation; walks and their sources live as long as somebody uses them.
 */
#ifndef SWP_CHECKS_EVALUATION_INTERNAL_H
#define SWP_CHECKS_EVALUATION_INTERNAL_H

#include "checks/evaluation.h"
#include "checks/model.h"
#include "proto/aws/retry.h"
#include "proto/base/map.h"

struct swp_item;
struct swp_walk;

/* An owned copy of a gap. */
struct swp_note {
	struct swp_gap gap;
	char text[]; /* what the gap's pointers point to */
};

/* Embedded in whoever waits for a source. */
struct swp_waiter {
	struct swp_item *item; /* NULL: does not wait */
	size_t step, element;
	struct swp_waiter *previous, *next;
};

enum swp_source_state { SWP_SOURCE_PENDING, SWP_SOURCE_READ, SWP_SOURCE_GONE, SWP_SOURCE_UNREAD };
struct swp_source {
	struct swp_walk *walk;
	struct swp_items items;		 /* count 0: the document */
	struct swp_resource_run *stream; /* its elements go there; NULL: they are kept in json */
	enum swp_source_state state;
	json_t *json;	       /* document, or list of all pages so far */
	struct swp_note *note; /* UNREAD: why; READ: why the list is not complete */
	struct swp_waiter *waiters;
	bool whole; /* somebody wants all pages */
	unsigned users;
	struct swp_source *next; /* of the walk */
};

enum swp_walk_state { SWP_WALK_QUEUED, SWP_WALK_OPEN, SWP_WALK_SETTLED };
struct swp_walk {
	const struct swp_operation *operation;
	json_t *input;
	char *key; /* in evaluation->calls; NULL: not shared */
	struct swp_source *sources;
	enum swp_walk_state state;
	char *token;
	struct swp_page_guard *guard; /* once there are pages */
	uint32_t id;		      /* while open */
	bool urgent;		      /* behind a resource: made before more pages of lists are asked for */
	bool held;		      /* kept to the end: lists, calls of the job, probes */
	bool shareable; /* kept a while when nobody uses it: others may follow to the same document */
	bool answered, refused_by_scp;		      /* what the first page met */
	char *policy;				      /* ARN of the policy that refused it, if AWS told */
	struct swp_walk *previous, *next;	      /* of all walks */
	struct swp_walk *queue_previous, *queue_next; /* of a queue, or of the kept ones */
};
struct swp_walk_queue {
	struct swp_walk *first, *last;
	size_t count;
};

struct swp_fan { /* the calls that one step makes for each element */
	size_t count, pending;
	struct swp_source **sources;
	struct swp_waiter *waiters;
	const struct swp_gap *gap;     /* why there may be more elements */
	const struct swp_gap **unmade; /* elements whose call could not be made: why */
};
struct swp_slot { /* a step of an item */
	struct swp_source *source;
	struct swp_waiter waiter;
	struct swp_fan *fan;
	json_t *own;		     /* the value, where it is not the source's */
	const struct swp_gap **gaps; /* of elements */
	size_t gap_count;
	struct swp_gap gap; /* the value's, where it is nobody else's */
};

struct swp_item {
	struct swp_resource_run *run;
	struct swp_item *previous, *next; /* of the run */
	char *arn;
	uint64_t started, settled; /* bits of steps */
	bool busy;		   /* being worked on: don't free */
	bool over;
	struct swp_slot *slots;
	struct swp_value roots[]; /* job, list, steps */
};

struct swp_held { /* the verdict on what is not listed: given out at the end */
	bool decided;
	enum swp_status status;
	json_t *evidence;
	struct swp_gap gap;
	struct swp_note *note; /* owns the gap's texts */
};
struct swp_cell_run {
	bool selected;
	struct swp_resource_run *run;
	uint64_t rows, pass, fail, not_applicable, unread;
	enum swp_reason reason;
	enum swp_not_applicable why; /* told of a cell without PASS, FAIL and gaps */
	struct swp_held held;
};

struct swp_resource_run {
	struct swp_evaluation *evaluation;
	const struct swp_resource *resource;
	uint64_t steps; /* needed ones */
	size_t *checks; /* indexes of selected, not joined checks */
	size_t check_count;
	bool wants_facts;
	struct swp_source *list;
	struct swp_source **job_sources; /* by step, NULL where the step is not of the job */
	struct swp_map *seen;		 /* ARNs, each once */
	uint64_t listed;
	struct swp_note *gap; /* why the list is not wholly known */
	struct swp_note *fact_gap;
	struct swp_item *items;
	char *arn; /* of what is not listed */
	bool used; /* proves use of its family */
};

struct swp_service_run {
	bool not_offered;
	bool probing;
	struct swp_walk **probes;
};

struct swp_open_call {
	struct swp_walk *walk;
	uint32_t generation;
};

struct swp_evaluation {
	struct swp_catalogue *catalogue;
	struct swp_evaluation_job job;
	const struct swp_evaluation_sink *sink;
	const struct swp_wanted_facts *facts; /* the job's, or own_facts */
	struct swp_wanted_facts *own_facts;
	json_t *job_root;
	struct swp_map *calls; /* key → walk */
	struct swp_walk *walks;
	struct swp_walk_queue urgent, pages, kept;
	struct swp_open_call *open;
	size_t open_count, open_capacity;
	uint32_t *free_slots;
	size_t free_count;
	struct swp_service_run *services;
	struct swp_resource_run *runs;
	size_t run_count;
	struct swp_cell_run *cells; /* by check index */
	enum swp_reason closing;    /* finish: new calls are not made, for that reason */
	struct swp_map *vanished;   /* ARNs of resources that were listed and are gone, each once */
	int failed;
};

static inline struct swp_scope swp_scope_of(
	const struct swp_evaluation *evaluation, const struct swp_value *roots)
{
	return (struct swp_scope){.roots = roots, .moment_ms = evaluation->job.started_at_ms};
}
static inline struct swp_scope swp_item_scope(const struct swp_item *item)
{
	return swp_scope_of(item->run->evaluation, item->roots);
}

/* --- calls (evaluation-calls.c) --- */
struct swp_call_wish {
	const struct swp_operation *operation;
	json_t *input; /* taken */
	struct swp_items items;
	struct swp_resource_run *stream;
	bool urgent, held, shareable;
	bool whole; /* all pages are wanted, whatever they hold */
};
/* The source of a call, shared with whoever makes the same; the caller is one of its users. -ENOMEM. */
int swp_source_get(
	struct swp_evaluation *evaluation, const struct swp_call_wish *wish, struct swp_source **ret_source);
void swp_source_release(struct swp_evaluation *evaluation, struct swp_source *source);
void swp_source_wait(struct swp_source *source, struct swp_waiter *waiter, struct swp_item *item, size_t step,
	size_t element);
void swp_source_unwait(struct swp_source *source, struct swp_waiter *waiter);
struct swp_walk *swp_walk_next(struct swp_evaluation *evaluation);
int swp_walk_answer(
	struct swp_evaluation *evaluation, struct swp_walk *walk, const struct swp_evaluation_answer *answer);
/* All that is not settled becomes unread for evaluation->closing. */
int swp_walks_close(struct swp_evaluation *evaluation);
void swp_walks_free(struct swp_evaluation *evaluation);
/* NULL on -ENOMEM. `action` stands in when the gap has none. */
struct swp_note *swp_note_new(const struct swp_gap *gap, const char *action);

/* --- items (evaluation-items.c) --- */
int swp_run_take_element(struct swp_resource_run *run, json_t *element);
int swp_run_start_subject(struct swp_resource_run *run);
void swp_run_take_gap(struct swp_resource_run *run, struct swp_note *note); /* taken */
/* A source that the item waits for has settled; or (page) a list has grown. */
int swp_item_source_settled(struct swp_item *item, size_t step, size_t element);
int swp_item_page(struct swp_item *item, size_t step);
bool swp_item_wants_more(const struct swp_item *item, size_t step);
void swp_item_free(struct swp_item *item);
int swp_input_build(const struct swp_input *input, struct swp_scope *scope, const struct swp_gap *malformed,
	json_t **ret_input, const struct swp_gap **ret_gap);

/* --- judgement (evaluation-judge.c) --- */
int swp_judge_item(struct swp_item *item);
/* Checks of a subject that pages can decide before the last one. */
int swp_judge_early(struct swp_item *item, size_t step);
int swp_finish_cells(struct swp_evaluation *evaluation);

#endif
