/* Calls: made once, shared by all who want them, walked page by page as long as somebody wants more. */
#include "checks/evaluation-internal.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

/* --- notes --- */

struct swp_note *swp_note_new(const struct swp_gap *gap, const char *action)
{
	const char *texts[4] = {gap->action && *gap->action ? gap->action : action, gap->error_code,
		gap->message, gap->request_id};
	const char **places[4];
	struct swp_note *note;
	size_t length = 0;
	char *at;

	for (size_t i = 0; i < SWP_ARRAY_SIZE(texts); i++)
		length += (texts[i] ? strlen(texts[i]) : 0) + 1;
	note = swp_calloc(1, sizeof(*note) + length);
	if (!note)
		return NULL;
	note->gap.reason = gap->reason;
	places[0] = &note->gap.action;
	places[1] = &note->gap.error_code;
	places[2] = &note->gap.message;
	places[3] = &note->gap.request_id;
	at = note->text;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(texts); i++) {
		size_t bytes = texts[i] ? strlen(texts[i]) : 0;

		if (bytes)
			memcpy(at, texts[i], bytes);
		*places[i] = at;
		at += bytes + 1;
	}
	return note;
}

/* --- queues and life of walks --- */

static void queue_add(struct swp_walk_queue *queue, struct swp_walk *walk)
{
	walk->queue_next = NULL;
	walk->queue_previous = queue->last;
	if (queue->last)
		queue->last->queue_next = walk;
	else
		queue->first = walk;
	queue->last = walk;
	queue->count++;
}

static void queue_remove(struct swp_walk_queue *queue, struct swp_walk *walk)
{
	if (walk->queue_previous)
		walk->queue_previous->queue_next = walk->queue_next;
	else
		queue->first = walk->queue_next;
	if (walk->queue_next)
		walk->queue_next->queue_previous = walk->queue_previous;
	else
		queue->last = walk->queue_previous;
	walk->queue_previous = walk->queue_next = NULL;
	queue->count--;
}

static struct swp_walk_queue *queue_of(struct swp_evaluation *evaluation, const struct swp_walk *walk)
{
	return walk->urgent ? &evaluation->urgent : &evaluation->pages;
}

static void source_free(struct swp_source *source)
{
	json_decref(source->json);
	swp_free(source->note);
	swp_free(source);
}

static void walk_free(struct swp_evaluation *evaluation, struct swp_walk *walk)
{
	struct swp_source *source = walk->sources;

	while (source) {
		struct swp_source *next = source->next;

		source_free(source);
		source = next;
	}
	if (walk->key)
		swp_map_take(evaluation->calls, walk->key);
	if (walk->previous)
		walk->previous->next = walk->next;
	else if (evaluation->walks == walk)
		evaluation->walks = walk->next;
	if (walk->next)
		walk->next->previous = walk->previous;
	json_decref(walk->input);
	swp_free(walk->key);
	swp_free(walk->token);
	swp_free(walk->guard);
	swp_free(walk->policy);
	swp_free(walk);
}

void swp_walks_free(struct swp_evaluation *evaluation)
{
	while (evaluation->walks)
		walk_free(evaluation, evaluation->walks);
}

static bool walk_is_used(const struct swp_walk *walk)
{
	for (const struct swp_source *source = walk->sources; source; source = source->next) {
		if (source->users)
			return true;
	}
	return walk->held;
}

/* Frees, or keeps a while, a walk that nobody uses any more. */
static void walk_retire(struct swp_evaluation *evaluation, struct swp_walk *walk)
{
	if (walk->state == SWP_WALK_OPEN || walk_is_used(walk))
		return;
	if (walk->state == SWP_WALK_QUEUED)
		queue_remove(queue_of(evaluation, walk), walk);
	if (walk->state != SWP_WALK_SETTLED || !walk->shareable || !walk->key) {
		walk_free(evaluation, walk);
		return;
	}
	queue_add(&evaluation->kept, walk);
	if (evaluation->kept.count > SWP_LIMIT_SHARED_DOCUMENTS) {
		struct swp_walk *oldest = evaluation->kept.first;

		queue_remove(&evaluation->kept, oldest);
		walk_free(evaluation, oldest);
	}
}

void swp_source_release(struct swp_evaluation *evaluation, struct swp_source *source)
{
	source->users--;
	if (source->users == 0)
		walk_retire(evaluation, source->walk);
}

void swp_source_wait(struct swp_source *source, struct swp_waiter *waiter, struct swp_item *item, size_t step,
	size_t element)
{
	*waiter =
		(struct swp_waiter){.item = item, .step = step, .element = element, .next = source->waiters};
	if (source->waiters)
		source->waiters->previous = waiter;
	source->waiters = waiter;
}

void swp_source_unwait(struct swp_source *source, struct swp_waiter *waiter)
{
	if (!waiter->item)
		return;
	if (waiter->previous)
		waiter->previous->next = waiter->next;
	else
		source->waiters = waiter->next;
	if (waiter->next)
		waiter->next->previous = waiter->previous;
	*waiter = (struct swp_waiter){0};
}

/* --- finding and making --- */

/* The operation's address in hexadecimal, then the input. Inputs are built in the order of their members' names, so that equal ones
 * give equal text. */
static char *call_key(const struct swp_operation *operation, const json_t *input)
{
	const size_t digits = 2 * sizeof(uintptr_t);
	char usual[512]; /* most inputs are a name or nothing: one pass does */
	size_t length = json_dumpb(input, usual, sizeof(usual), JSON_COMPACT);
	uintptr_t address = (uintptr_t)operation;
	char *key = length > 0 ? swp_calloc(1, digits + length + 1) : NULL; /* 0: jansson had no memory */

	if (!key)
		return NULL;
	for (size_t i = 0; i < digits; i++, address >>= 4)
		key[i] = "0123456789abcdef"[address & 15];
	if (length <= sizeof(usual)) {
		memcpy(key + digits, usual, length);
	} else if (json_dumpb(input, key + digits, length, JSON_COMPACT) != length) {
		swp_free(key);
		return NULL;
	}
	return key;
}

static bool same_items(const struct swp_items *a, const struct swp_items *b)
{
	for (size_t i = 0; i < a->count && i < b->count; i++) {
		if (strcmp(a->members[i], b->members[i]) != 0)
			return false;
	}
	return a->count == b->count;
}

/* -ENOMEM when the walk can't be made unread at once in closing. */
static int settle_new(struct swp_evaluation *evaluation, struct swp_source *source)
{
	const struct swp_service_run *service =
		&evaluation->services[source->walk->operation->service->index];
	struct swp_gap gap = {.reason = evaluation->closing};

	if (service->not_offered)
		gap = (struct swp_gap){.reason = SWP_REASON_SERVICE_UNAVAILABLE,
			.message = "the service is not offered in this region"};
	if (gap.reason == SWP_REASON_NONE)
		return 0;
	source->note = swp_note_new(&gap, source->walk->operation->aws.action);
	source->state = SWP_SOURCE_UNREAD;
	return source->note ? 1 : -ENOMEM;
}

static struct swp_source *add_source(struct swp_walk *walk, const struct swp_call_wish *wish)
{
	struct swp_source *source = swp_calloc(1, sizeof(*source));

	if (!source)
		return NULL;
	source->walk = walk;
	source->items = wish->items;
	source->stream = wish->stream;
	source->whole = wish->whole;
	source->next = walk->sources;
	walk->sources = source;
	return source;
}

static int new_walk(struct swp_evaluation *evaluation, const struct swp_call_wish *wish, char *key,
	struct swp_walk **ret_walk)
{
	struct swp_walk *walk = swp_calloc(1, sizeof(*walk));

	if (!walk || (key && swp_map_put(evaluation->calls, key, walk, NULL) < 0)) {
		swp_free(walk);
		return -ENOMEM;
	}
	walk->operation = wish->operation;
	walk->input = json_incref(wish->input);
	walk->key = key;
	walk->urgent = wish->urgent;
	walk->held = wish->held;
	walk->shareable = wish->shareable;
	walk->next = evaluation->walks;
	if (evaluation->walks)
		evaluation->walks->previous = walk;
	evaluation->walks = walk;
	queue_add(queue_of(evaluation, walk), walk);
	*ret_walk = walk;
	return 0;
}

/* A walk and, unless it is a probe, the source in it. */
static int make(struct swp_evaluation *evaluation, const struct swp_call_wish *wish, char *key,
	struct swp_source **ret_source)
{
	struct swp_walk *walk;
	struct swp_source *source;
	int r = new_walk(evaluation, wish, key, &walk);

	if (r < 0) {
		swp_free(key);
		return r;
	}
	source = add_source(walk, wish);
	if (!source) {
		walk->held = false;
		walk_retire(evaluation, walk);
		return -ENOMEM;
	}
	source->users = 1;
	r = settle_new(evaluation, source);
	if (r < 0)
		return r;
	if (r > 0) {
		queue_remove(queue_of(evaluation, walk), walk);
		walk->state = SWP_WALK_SETTLED;
	}
	*ret_source = source;
	return 0;
}

/* A source of a walk that is there already: the same, or a new one as long as no page has been read. */
static struct swp_source *join(struct swp_walk *walk, const struct swp_call_wish *wish)
{
	for (struct swp_source *source = walk->sources; source; source = source->next) {
		bool cut = source->note &&
			   source->note->gap.reason == SWP_REASON_NONE; /* nobody wanted the other pages */

		if (source->stream == wish->stream && same_items(&source->items, &wish->items))
			return cut && wish->whole ? NULL : source;
	}
	return walk->answered ? NULL : add_source(walk, wish);
}

static int get(
	struct swp_evaluation *evaluation, const struct swp_call_wish *wish, struct swp_source **ret_source)
{
	char *key = call_key(wish->operation, wish->input);
	struct swp_walk *walk = key ? swp_map_get(evaluation->calls, key) : NULL;
	struct swp_source *source;

	if (!key)
		return -ENOMEM;
	if (!walk)
		return make(evaluation, wish, key, ret_source);
	swp_free(key);
	source = join(walk, wish);
	if (!source)
		return make(evaluation, wish, NULL, ret_source);
	if (walk->state == SWP_WALK_SETTLED && !walk_is_used(walk))
		queue_remove(&evaluation->kept, walk);
	source->users++;
	source->whole = source->whole || wish->whole;
	walk->held = walk->held || wish->held;
	*ret_source = source;
	return 0;
}

int swp_source_get(
	struct swp_evaluation *evaluation, const struct swp_call_wish *wish, struct swp_source **ret_source)
{
	int r = get(evaluation, wish, ret_source);

	json_decref(wish->input);
	return r;
}

/* --- settling --- */

static int notify(struct swp_evaluation *evaluation, struct swp_source *source)
{
	int r = 0;

	source->users++; /* stays while its waiters go on */
	while (source->waiters && r == 0) {
		struct swp_waiter *waiter = source->waiters;
		struct swp_item *item = waiter->item;
		size_t step = waiter->step, element = waiter->element;

		swp_source_unwait(source, waiter);
		r = swp_item_source_settled(item, step, element);
	}
	if (r == 0)
		swp_source_release(evaluation, source);
	return r;
}

static int settle_source(struct swp_evaluation *evaluation, struct swp_source *source,
	enum swp_source_state state, const struct swp_gap *gap)
{
	if (gap) {
		source->note = swp_note_new(gap, source->walk->operation->aws.action);
		if (!source->note)
			return -ENOMEM;
	}
	/* Pages that were read stay read; what is missing is told by the note. */
	source->state =
		state == SWP_SOURCE_UNREAD && source->json && source->items.count ? SWP_SOURCE_READ : state;
	if (source->stream && gap) {
		struct swp_note *copy = swp_note_new(&source->note->gap, NULL);

		if (!copy)
			return -ENOMEM;
		swp_run_take_gap(source->stream, copy);
	}
	return notify(evaluation, source);
}

/* Each source once; notifying may retire sources, so the list is begun anew. */
static int settle(struct swp_evaluation *evaluation, struct swp_walk *walk, enum swp_source_state state,
	const struct swp_gap *gap)
{
	bool was_held = walk->held;
	int r = 0;

	walk->held = true;
	walk->state = SWP_WALK_SETTLED;
	for (struct swp_source *source = walk->sources; source && r == 0; source = source->next) {
		if (source->state == SWP_SOURCE_PENDING)
			r = settle_source(evaluation, source, state, gap);
	}
	walk->held = was_held;
	if (r == 0)
		walk_retire(evaluation, walk);
	return r;
}

int swp_walks_close(struct swp_evaluation *evaluation)
{
	int r = 0;

	for (;;) {
		struct swp_walk *walk = evaluation->walks;
		struct swp_gap gap = {.reason = evaluation->closing};

		while (walk && walk->state == SWP_WALK_SETTLED)
			walk = walk->next;
		if (!walk || r < 0)
			return r;
		if (walk->state == SWP_WALK_QUEUED)
			queue_remove(queue_of(evaluation, walk), walk);
		r = settle(evaluation, walk, SWP_SOURCE_UNREAD, &gap);
	}
}

/* --- answers --- */

static int settle_not_offered(struct swp_evaluation *evaluation, struct swp_walk *walk)
{
	static const struct swp_gap gap = {.reason = SWP_REASON_SERVICE_UNAVAILABLE,
		.message = "the service is not offered in this region"};
	const struct swp_service *service = walk->operation->service;
	int r;

	evaluation->services[service->index].not_offered = true;
	r = settle(evaluation, walk, SWP_SOURCE_UNREAD, &gap);
	for (struct swp_walk *other = evaluation->walks; other && r == 0;) {
		if (other->state != SWP_WALK_QUEUED || other->operation->service != service) {
			other = other->next;
			continue;
		}
		queue_remove(queue_of(evaluation, other), other);
		r = settle(evaluation, other, SWP_SOURCE_UNREAD, &gap);
		other = evaluation->walks; /* settling may have changed the list */
	}
	return r;
}

/* After a refusal, whoever it names (a selected call may be refused for two reasons, and AWS names one): is the whole service closed
 * here by a service control policy? Its probe set tells, whatever is selected. */
static int start_probes(struct swp_evaluation *evaluation, const struct swp_service *service)
{
	struct swp_service_run *run = &evaluation->services[service->index];
	int r = 0;

	if (run->probing || evaluation->closing != SWP_REASON_NONE || service->probe_count == 0)
		return 0;
	run->probing = true;
	run->probes = swp_calloc(service->probe_count, sizeof(*run->probes));
	if (!run->probes)
		return -ENOMEM;
	for (size_t i = 0; i < service->probe_count && r == 0; i++) {
		const struct swp_operation *operation = service->probe[i];
		json_t *input = operation->input ? json_deep_copy(operation->input) : json_object();
		struct swp_call_wish wish = {
			.operation = operation, .input = input, .urgent = true, .held = true};
		char *key = input ? call_key(operation, input) : NULL;

		run->probes[i] = key ? swp_map_get(evaluation->calls, key) : NULL;
		if (!key)
			r = -ENOMEM;
		else if (!run->probes[i])
			r = new_walk(evaluation, &wish, key, &run->probes[i]);
		else
			run->probes[i]->held = true;
		if (key && (r < 0 || run->probes[i]->key != key))
			swp_free(key);
		json_decref(input);
	}
	return r;
}

static int keep_policy(struct swp_walk *walk, const char *message)
{
	char arn[SWP_LIMIT_ARN_BYTES];

	if (!message || !swp_classify_policy_arn(message, arn, sizeof(arn)))
		return 0;
	walk->policy = swp_strdup(arn);
	return walk->policy ? 0 : -ENOMEM;
}

static int take_failure(struct swp_evaluation *evaluation, struct swp_walk *walk, const struct swp_gap *gap)
{
	const struct swp_service *service = walk->operation->service;
	bool refused = gap->reason >= SWP_REASON_DENIED_IAM && gap->reason <= SWP_REASON_DENIED_SESSION;
	int r = 0;

	if (gap->reason == SWP_REASON_DENIED_SCP && !walk->answered) {
		walk->refused_by_scp = true;
		r = keep_policy(walk, gap->message);
	}
	if (r == 0 && refused)
		r = start_probes(evaluation, service);
	walk->answered = true;
	return r == 0 ? settle(evaluation, walk, SWP_SOURCE_UNREAD, gap) : r;
}

static const json_t *member_of(const json_t *document, const char *path)
{
	while (document && *path) {
		size_t length = strcspn(path, ".");
		char name[256];

		if (length >= sizeof(name))
			return NULL;
		memcpy(name, path, length);
		name[length] = '\0';
		document = json_object_get(document, name);
		path += length + (path[length] == '.');
	}
	return document;
}

static bool is_xml(const struct swp_operation *operation)
{
	enum swp_protocol protocol = operation->service->aws.protocol;

	return protocol == SWP_PROTOCOL_QUERY || protocol == SWP_PROTOCOL_EC2 ||
	       protocol == SWP_PROTOCOL_REST_XML;
}

/* The list of a page; ret_list NULL: an empty one in XML, where <List/> is an empty text. False: malformed. */
static bool list_of(const struct swp_source *source, const json_t *document, const json_t **ret_list)
{
	bool xml = is_xml(source->walk->operation);

	for (size_t i = 0; i < source->items.count; i++) {
		if (xml && json_is_string(document) && json_string_length(document) == 0)
			break;
		document = json_object_get(document, source->items.members[i]);
	}
	*ret_list = json_is_array(document) ? document : NULL;
	return *ret_list || (xml && json_is_string(document) && json_string_length(document) == 0);
}

static bool has_required(const struct swp_operation *operation, const json_t *document)
{
	for (const char *const *name = operation->aws.required; name && *name; name++) {
		const json_t *member = json_object_get(document, *name);

		if (!member || json_is_null(member))
			return false;
	}
	return json_is_object(document);
}

/* Do pages go on? Told by a flag (in XML a text), or by the token being there. False: the answer makes no sense. */
static bool pages_go_on(
	const struct swp_operation *operation, const json_t *document, bool has_token, bool *ret_more)
{
	const json_t *more = operation->aws.more_flag ? member_of(document, operation->aws.more_flag) : NULL;
	const char *text = is_xml(operation) ? json_string_value(more) : NULL;

	*ret_more = has_token;
	if (!more || json_is_null(more))
		return true;
	if (!json_is_boolean(more) && !swp_text_equal(text, "true") && !swp_text_equal(text, "false"))
		return false;
	*ret_more = json_is_true(more) || swp_text_equal(text, "true");
	return has_token || !*ret_more;
}

/* The next page's token; "" at the last one, NULL when the answer makes no sense. */
static const char *token_of(const struct swp_operation *operation, const json_t *document)
{
	const json_t *token;
	bool more;

	if (!operation->aws.input_token)
		return "";
	token = member_of(document, operation->aws.output_token);
	if (token && !json_is_string(token) && !json_is_null(token))
		return NULL;
	if (!pages_go_on(operation, document, json_string_length(token) > 0, &more))
		return NULL;
	return more ? json_string_value(token) : "";
}

static int keep_elements(struct swp_source *source, const json_t *list)
{
	if (!source->json)
		source->json = json_array();
	if (!source->json || (list && json_array_extend(source->json, (json_t *)list) < 0))
		return -ENOMEM;
	for (struct swp_waiter *waiter = source->waiters; waiter; waiter = waiter->next) {
		int r = swp_item_page(waiter->item, waiter->step);

		if (r < 0)
			return r;
	}
	return 0;
}

static int stream_elements(struct swp_source *source, const json_t *list)
{
	int r = 0;

	for (size_t i = 0; i < json_array_size(list) && r == 0; i++)
		r = swp_run_take_element(source->stream, json_array_get(list, i));
	return r;
}

/* 0, 1: malformed, or negative. */
static int give_page(struct swp_source *source, json_t *document)
{
	const json_t *list;

	if (source->items.count == 0) {
		source->json = json_incref(document);
		return 0;
	}
	if (!list_of(source, document, &list))
		return 1;
	return source->stream ? stream_elements(source, list) : keep_elements(source, list);
}

static bool source_wants_more(const struct swp_source *source)
{
	if (source->stream || source->whole)
		return true;
	for (const struct swp_waiter *waiter = source->waiters; waiter; waiter = waiter->next) {
		if (swp_item_wants_more(waiter->item, waiter->step))
			return true;
	}
	return false;
}

static bool walk_wants_more(const struct swp_walk *walk)
{
	for (const struct swp_source *source = walk->sources; source; source = source->next) {
		if (source_wants_more(source))
			return true;
	}
	return false;
}

static unsigned long elements_on_page(const struct swp_walk *walk, const json_t *document)
{
	unsigned long most = 0;

	for (const struct swp_source *source = walk->sources; source; source = source->next) {
		const json_t *list = NULL;

		if (source->items.count && list_of(source, document, &list) && json_array_size(list) > most)
			most = json_array_size(list);
	}
	return most;
}

static int go_on(struct swp_evaluation *evaluation, struct swp_walk *walk, const char *token)
{
	char *copy = swp_strdup(token);

	if (!copy)
		return -ENOMEM;
	swp_free(walk->token);
	walk->token = copy;
	walk->state = SWP_WALK_QUEUED;
	queue_add(queue_of(evaluation, walk), walk);
	return 0;
}

static int fail(
	struct swp_evaluation *evaluation, struct swp_walk *walk, enum swp_reason reason, const char *message)
{
	struct swp_gap gap = {.reason = reason,
		.error_code = reason == SWP_REASON_LIMIT_REACHED ? "LimitReached" : "MalformedResponse",
		.message = message};

	return settle(evaluation, walk, SWP_SOURCE_UNREAD, &gap);
}

static int after_page(struct swp_evaluation *evaluation, struct swp_walk *walk, const json_t *document)
{
	const char *token = token_of(walk->operation, document);
	enum swp_page_verdict verdict;

	if (!token)
		return fail(evaluation, walk, SWP_REASON_MALFORMED_RESPONSE,
			"the page token is no text, or missing");
	if (!walk->operation->aws.input_token)
		return settle(evaluation, walk, SWP_SOURCE_READ, NULL);
	if (!walk->guard && !(walk->guard = swp_calloc(1, sizeof(*walk->guard))))
		return -ENOMEM;
	verdict = swp_page_guard_next(walk->guard, *token ? token : NULL, elements_on_page(walk, document));
	switch (verdict) {
	case SWP_PAGE_LAST:
		return settle(evaluation, walk, SWP_SOURCE_READ, NULL);
	case SWP_PAGE_REPEATED:
		return fail(evaluation, walk, SWP_REASON_MALFORMED_RESPONSE, "a page token came twice");
	case SWP_PAGE_LIMIT:
		return fail(evaluation, walk, SWP_REASON_LIMIT_REACHED,
			"more pages or resources than a list may have");
	default:
		break;
	}
	if (walk_wants_more(walk))
		return go_on(evaluation, walk, token);
	return settle(evaluation, walk, SWP_SOURCE_READ, &swp_gap_pending);
}

/* The member at `path` of `value`, a text that holds JSON, is replaced by what it holds, so that paths lead into it. What is no JSON stays
 * a text, which is then another type than a path wants. */
static int open_json_text(json_t *value, const char *path)
{
	size_t length = strcspn(path, ".");
	json_t *member = json_object_getn(value, path, length);
	json_error_t error;

	if (path[length])
		return open_json_text(member, path + length + 1);
	if (!json_is_string(member))
		return 0;
	member = json_loadb(json_string_value(member), json_string_length(member), JSON_DECODE_ANY, &error);
	if (!member)
		return json_error_code(&error) == json_error_out_of_memory ? -ENOMEM : 0;
	return json_object_setn_new(value, path, length, member) < 0 ? -ENOMEM : 0;
}

static int open_json_texts(const struct swp_operation *operation, json_t *document)
{
	int r = 0;

	for (const char *const *path = operation->json_texts; path && *path && r == 0; path++)
		r = open_json_text(document, *path);
	return r;
}

static int take_document(struct swp_evaluation *evaluation, struct swp_walk *walk, json_t *document)
{
	int r = 0;

	walk->answered = true;
	if (!has_required(walk->operation, document))
		return fail(evaluation, walk, SWP_REASON_MALFORMED_RESPONSE,
			"the answer lacks a member that the API's model requires");
	r = open_json_texts(walk->operation, document);
	for (struct swp_source *source = walk->sources; source && r == 0; source = source->next)
		r = give_page(source, document);
	if (r > 0)
		return fail(evaluation, walk, SWP_REASON_MALFORMED_RESPONSE, "the answer lacks its list");
	return r < 0 ? r : after_page(evaluation, walk, document);
}

/* Is the call one that can't be answered "not there": a list, or the document that is asked for in its own right? Only what
 * another document names can be gone. */
static bool must_be_there(const struct swp_walk *walk)
{
	for (const struct swp_source *source = walk->sources; source; source = source->next) {
		if (source->stream)
			return true;
		for (const struct swp_waiter *waiter = source->waiters; waiter; waiter = waiter->next) {
			const struct swp_resource *resource = waiter->item->run->resource;

			if (!resource->has_list && resource->steps[waiter->step].gone == SWP_GONE_UNREAD)
				return true;
		}
	}
	return false;
}

int swp_walk_answer(
	struct swp_evaluation *evaluation, struct swp_walk *walk, const struct swp_evaluation_answer *answer)
{
	struct swp_gap gone = answer->gap;

	gone.reason = must_be_there(walk) ? SWP_REASON_SERVICE_UNAVAILABLE : SWP_REASON_NOT_FOUND;
	switch (answer->kind) {
	case SWP_ANSWER_DOCUMENT:
		return take_document(evaluation, walk, answer->document);
	case SWP_ANSWER_NOT_FOUND:
		walk->answered = true;
		return settle(evaluation, walk,
			gone.reason == SWP_REASON_NOT_FOUND ? SWP_SOURCE_GONE : SWP_SOURCE_UNREAD, &gone);
	case SWP_ANSWER_NOT_OFFERED:
		walk->answered = true;
		return settle_not_offered(evaluation, walk);
	default:
		return take_failure(evaluation, walk, &answer->gap);
	}
}

struct swp_walk *swp_walk_next(struct swp_evaluation *evaluation)
{
	struct swp_walk_queue *queue = evaluation->urgent.first ? &evaluation->urgent : &evaluation->pages;
	struct swp_walk *walk = queue->first;

	if (!walk)
		return NULL;
	queue_remove(queue, walk);
	walk->state = SWP_WALK_OPEN;
	return walk;
}
