/* The loop's side of the credential chain: files, exchanges, calls, processes and pauses for the machine; waiters for its result. */
#include "proto/io/credential-source.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/io/files.h"
#include "proto/io/process.h"

struct swp_credential_source {
	struct swp_loop *loop;
	struct swp_http_client *http;
	struct swp_caller *caller, *own_caller;
	struct swp_credential_source_options options;
	char *explicit_profile, *home;
	struct swp_profile_set *profiles; /* as read at the start, for the getters */
	char *profile;			  /* in use */
	struct swp_endpoint_options own_endpoints;

	bool planned;
	struct swp_credential_plan plan;
	struct swp_credential_machine *machine; /* NULL: not planned yet */
	bool running;

	bool have, expired;
	struct swp_credentials present;
	int64_t next_try_ms; /* monotonic: no refresh before, unless it must be */

	struct swp_credential_wait waits, delivering; /* heads of rings */
	struct swp_timer turn;

	struct swp_timer pause;
	struct swp_http_exchange exchange;
	struct swp_call call;
	struct swp_caller_identity identity;
	struct swp_process *process;
	struct swp_timer process_limit;
	bool process_late, asking;
};

/* --- rings of waiters --- */

static void ring_init(struct swp_credential_wait *head)
{
	head->next = head->previous = head;
}

static bool ring_is_empty(const struct swp_credential_wait *head)
{
	return head->next == head;
}

static void ring_append(struct swp_credential_wait *head, struct swp_credential_wait *wait)
{
	wait->previous = head->previous;
	wait->next = head;
	head->previous->next = wait;
	head->previous = wait;
}

void swp_credential_source_cancel(struct swp_credential_wait *wait)
{
	if (!wait->next)
		return;
	wait->previous->next = wait->next;
	wait->next->previous = wait->previous;
	wait->next = wait->previous = NULL;
}

static void ring_empty(struct swp_credential_wait *head)
{
	while (head->next && !ring_is_empty(head))
		swp_credential_source_cancel(head->next);
}

/* Answers everybody who waits now; those who come meanwhile wait for the next turn. */
static void deliver(struct swp_credential_source *source, int error, const struct swp_problem *problem)
{
	SWP_CLEANUP(swp_credentials_done) struct swp_credentials copy = {0};
	struct swp_problem words = {0};
	if (problem)
		words = *problem;
	if (error == 0)
		error = swp_credentials_copy(&copy, &source->present);
	if (error == -ENOMEM && !words.text[0])
		swp_problem_set(&words, error, "credentials: out of memory");
	while (!ring_is_empty(&source->waits)) {
		struct swp_credential_wait *wait = source->waits.next;
		swp_credential_source_cancel(wait);
		ring_append(&source->delivering, wait);
	}
	while (!ring_is_empty(&source->delivering)) {
		struct swp_credential_wait *wait = source->delivering.next;
		swp_credential_source_cancel(wait);
		wait->error = error;
		wait->done(wait, error == 0 ? &copy : NULL, error == 0 ? NULL : &words);
	}
}

/* --- files --- */

static int read_file(struct swp_credential_source *source, const char *path, struct swp_buf *out)
{
	out->secret = true;
	if (source->options.read_file)
		return source->options.read_file(source->options.file_context, path, out);
	return swp_file_read(path, out, NULL);
}

static int save_file(struct swp_credential_source *source, const char *path, const char *text, size_t length)
{
	if (source->options.save_file)
		return source->options.save_file(source->options.file_context, path, text, length);
	return swp_file_write(path, text, length, NULL);
}

static int load_file(struct swp_credential_source *source, struct swp_profile_set *profiles,
	enum swp_profile_file file, struct swp_problem *problem)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf path = {0}, bytes = {0};
	int r = swp_profile_path(&source->options.environment, file, &path);
	if (r < 0)
		return r;
	swp_buf_init(&bytes, SWP_LIMIT_FILE_BYTES);
	r = read_file(source, swp_buf_text(&path), &bytes);
	if (r == -ENOENT ||
		r == -ENOTDIR) /* both files are optional; an empty one keeps the path for messages */
		swp_buf_clear(&bytes);
	else if (r < 0)
		return swp_problem_set(problem, r,
			"%s can't be read: %s; correct it, or name another file with %s", swp_buf_text(&path),
			strerror(-r),
			file == SWP_PROFILE_CONFIG ? "AWS_CONFIG_FILE" : "AWS_SHARED_CREDENTIALS_FILE");
	return swp_profile_set_add(
		profiles, file, swp_buf_text(&path), swp_buf_text(&bytes), bytes.length, problem);
}

static int load_profiles(struct swp_credential_source *source, struct swp_profile_set **ret_profiles,
	struct swp_problem *problem)
{
	struct swp_profile_set *profiles = swp_profile_set_new();
	int r = profiles ? load_file(source, profiles, SWP_PROFILE_CONFIG, problem) : -ENOMEM;
	if (r == 0)
		r = load_file(source, profiles, SWP_PROFILE_CREDENTIALS, problem);
	if (r == 0)
		*ret_profiles = profiles;
	else
		swp_profile_set_free(profiles);
	return r;
}

/* --- planning --- */

static void drop_plan(struct swp_credential_source *source)
{
	swp_credential_machine_free(source->machine);
	source->machine = NULL;
	if (source->planned)
		swp_credential_plan_done(&source->plan);
	source->planned = false;
}

static const struct swp_endpoint_options *endpoints_of(const struct swp_credential_source *source)
{
	return source->options.endpoints ? source->options.endpoints : &source->own_endpoints;
}

/* Reads the files again: what stands in them may be newer than we are. */
static int make_plan(struct swp_credential_source *source, struct swp_problem *problem)
{
	struct swp_profile_set *profiles = NULL;
	int r = load_profiles(source, &profiles, problem);
	if (r != 0)
		return r;
	drop_plan(source);
	r = swp_credential_plan_make(
		profiles, &source->options.environment, source->explicit_profile, &source->plan, problem);
	swp_profile_set_free(profiles);
	if (r != 0)
		return r;
	source->planned = true;
	source->machine =
		swp_credential_machine_new(&source->plan, &source->options.environment, endpoints_of(source));
	return source->machine ? 0 : -ENOMEM;
}

/* --- the turn: who waits is answered, or a refresh begins --- */

enum urgency {
	GOOD,
	SHOULD_REFRESH,
	MUST_REFRESH,
};

static enum urgency judge(const struct swp_credential_source *source)
{
	if (!source->have || source->expired)
		return MUST_REFRESH;
	if (!source->present.expires_at_ms)
		return GOOD;
	int64_t left_ms = source->present.expires_at_ms - swp_clock_wall_ms(swp_loop_clock(source->loop));
	bool tried = swp_loop_now_ms(source->loop) < source->next_try_ms;
	if (left_ms <= 0)
		return MUST_REFRESH;
	if (left_ms > SWP_CREDENTIAL_ADVISORY_MS || tried)
		return GOOD;
	return left_ms > SWP_CREDENTIAL_MANDATORY_MS ? SHOULD_REFRESH : MUST_REFRESH;
}

static void finish(struct swp_credential_source *source, int error, const struct swp_problem *problem)
{
	source->running = false;
	bool failed = error != 0 && judge(source) == MUST_REFRESH;
	if (!failed) { /* after a failed advisory refresh the old ones are still good for a while */
		source->next_try_ms = swp_loop_now_ms(source->loop) + SWP_CREDENTIAL_RETRY_MS;
		error = 0;
	}
	deliver(source, error, problem);
}

static int refuse_same(const struct swp_credential_source *source, struct swp_problem *problem)
{
	return swp_problem_set(problem, SWP_CREDENTIAL_E_EXPIRED,
		"AWS says that the credentials from %s have expired, and their source still gives the same "
		"ones; renew them there",
		source->present.source);
}

static void succeed(struct swp_credential_source *source)
{
	struct swp_problem problem = {0};
	const struct swp_credentials *got = swp_credential_machine_credentials(source->machine);
	if (source->expired && source->have && swp_credentials_equal(got, &source->present)) {
		finish(source, refuse_same(source, &problem), &problem);
		return;
	}
	struct swp_credentials copy = {0};
	int r = swp_credentials_copy(&copy, got);
	if (r == 0) {
		swp_credentials_done(&source->present);
		source->present = copy;
		source->have = true;
		source->expired = false;
	}
	finish(source, r, NULL);
}

static void pump(struct swp_credential_source *source);

static void begin_refresh(struct swp_credential_source *source)
{
	struct swp_problem problem = {0};
	const struct swp_clock *clock = swp_loop_clock(source->loop);
	int r = 0;
	SWP_ASSERT(source->http && source->caller);
	source->running = true;
	if (!source->machine || source->expired)
		r = make_plan(source, &problem);
	if (r != 0) {
		if (!problem.text[0])
			swp_problem_set(&problem, r, "credentials: %s",
				r < 0 ? strerror(-r) : swp_credential_error_name(r));
		finish(source, r, &problem);
		return;
	}
	swp_credential_machine_start(source->machine, swp_clock_wall_ms(clock), swp_clock_random_unit(clock));
	pump(source);
}

static void take_turn(struct swp_timer *timer)
{
	struct swp_credential_source *source = SWP_CONTAINER_OF(timer, struct swp_credential_source, turn);
	if (ring_is_empty(&source->waits))
		return;
	enum urgency urgency = judge(source);
	if (urgency != MUST_REFRESH)
		deliver(source, 0, NULL);
	if (urgency != GOOD && !source->running)
		begin_refresh(source);
}

int swp_credential_source_get(struct swp_credential_source *source, struct swp_credential_wait *wait)
{
	SWP_ASSERT(!wait->next && wait->done);
	if (!swp_timer_is_running(&source->turn)) {
		int r = swp_timer_start(&source->turn, 0);
		if (r < 0)
			return r;
	}
	ring_append(&source->waits, wait);
	return 0;
}

void swp_credential_source_expired(struct swp_credential_source *source)
{
	source->expired = source->have;
}

void swp_credential_source_expired_key(struct swp_credential_source *source, const char *access_key_id)
{
	if (source->have && swp_text_equal(source->present.access_key_id, access_key_id))
		source->expired = true;
}

/* --- what the machine needs --- */

static void answer(struct swp_credential_source *source, const struct swp_credential_answer *answered)
{
	swp_credential_machine_answer(
		source->machine, answered, swp_clock_wall_ms(swp_loop_clock(source->loop)));
	pump(source);
}

static void answer_error(struct swp_credential_source *source, int error, const char *detail)
{
	answer(source,
		&(struct swp_credential_answer){.error = error, .detail = detail && *detail ? detail : NULL});
}

static void give_file(struct swp_credential_source *source, const struct swp_credential_request *request)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf bytes = {0};
	swp_buf_init(&bytes, SWP_LIMIT_CREDENTIAL_JSON_BYTES);
	int r = read_file(source, request->path, &bytes);
	answer(source, &(struct swp_credential_answer){.error = r < 0 ? r : 0,
			       .bytes = swp_buf_text(&bytes),
			       .length = r < 0 ? 0 : bytes.length});
}

static void do_save(struct swp_credential_source *source, const struct swp_credential_request *request)
{
	answer_error(source, save_file(source, request->path, request->text, request->text_length), NULL);
}

static const int failure_errors[] = {
	[SWP_HTTP_OK] = 0,
	[SWP_HTTP_RESOLVE] = -EHOSTUNREACH,
	[SWP_HTTP_CONNECT] = -ECONNREFUSED,
	[SWP_HTTP_TLS] = -EPROTO,
	[SWP_HTTP_RESET] = -ECONNRESET,
	[SWP_HTTP_TRUNCATED] = -ECONNRESET,
	[SWP_HTTP_PROXY] = -ENETUNREACH,
	[SWP_HTTP_TIMEOUT] = -ETIMEDOUT,
	[SWP_HTTP_TOO_LARGE] = -EMSGSIZE,
	[SWP_HTTP_INTERNAL] = -EIO,
};

static void exchange_done(struct swp_http_exchange *exchange, const struct swp_http_response *response)
{
	struct swp_credential_source *source =
		SWP_CONTAINER_OF(exchange, struct swp_credential_source, exchange);
	const char *detail = response->failure_text && *response->failure_text
				     ? response->failure_text
				     : swp_http_failure_name(response->failure);
	answer(source, &(struct swp_credential_answer){.error = failure_errors[response->failure],
			       .detail = detail,
			       .status = response->status,
			       .bytes = response->body ? response->body : "",
			       .length = response->body ? response->body_length : 0});
}

static void do_exchange(struct swp_credential_source *source, const struct swp_credential_request *request)
{
	struct swp_http_header headers[SWP_ARRAY_SIZE(request->headers)];
	for (size_t i = 0; i < request->header_count; i++)
		headers[i] = (struct swp_http_header){request->headers[i].name, request->headers[i].value};
	const struct swp_http_request sent = {
		.method = request->method,
		.url = request->url,
		.headers = headers,
		.header_count = request->header_count,
		.timeout_ms = request->timeout_ms,
		.connect_timeout_ms = request->timeout_ms,
		.response_limit_bytes = SWP_LIMIT_CREDENTIAL_JSON_BYTES,
		.direct = request->direct,
		.secret = true,
	};
	int r = swp_http_start(source->http, &sent, &source->exchange, exchange_done);
	if (r < 0)
		answer_error(source, r, NULL);
}

static void call_done(struct swp_call *call, struct swp_answer *answered)
{
	struct swp_credential_source *source = SWP_CONTAINER_OF(call, struct swp_credential_source, call);
	answer(source, &(struct swp_credential_answer){.outcome = answered->outcome,
			       .error_code = answered->error_code,
			       .message = answered->message,
			       .status = answered->status,
			       .document = answered->document});
}

static void do_call(struct swp_credential_source *source, const struct swp_credential_request *request)
{
	const struct swp_credentials *signer = request->signer;
	const struct swp_partition *known = swp_partition_by_region(request->region);
	source->identity = (struct swp_caller_identity){
		.access_key_id = signer ? signer->access_key_id : "",
		.session_token = signer ? &signer->session_token : NULL,
		.secret_access_key = signer ? &signer->secret_access_key : NULL,
		.anonymous = signer == NULL,
	};
	const struct swp_call_request sent = {
		.operation = request->operation,
		.input = request->input,
		.region = request->region,
		.identity = &source->identity,
		.secret = true,
	};
	swp_caller_set_partition(source->caller, known ? known : swp_partition_by_name("aws"));
	int r = swp_call_start(source->caller, &sent, &source->call, call_done);
	if (r < 0)
		answer_error(source, r, NULL);
}

static void process_ended(void *context, int wait_status, const char *output, size_t output_length)
{
	struct swp_credential_source *source = context;
	char words[80] = "";
	int error = 0;
	swp_timer_stop(&source->process_limit);
	if (source->process_late) {
		error = -ETIMEDOUT;
		snprintf(words, sizeof(words), "did not end within %d s",
			SWP_LIMIT_CREDENTIAL_PROCESS_MS / 1000);
	} else if (!output) {
		error = -E2BIG;
		snprintf(words, sizeof(words), "printed more than 1 MiB");
	}
	answer(source, &(struct swp_credential_answer){.error = error,
			       .detail = error ? words : NULL,
			       .status = wait_status,
			       .bytes = output ? output : "",
			       .length = output ? output_length : 0});
}

static void process_is_late(struct swp_timer *timer)
{
	struct swp_credential_source *source =
		SWP_CONTAINER_OF(timer, struct swp_credential_source, process_limit);
	source->process_late = true;
	swp_process_signal(source->process, SIGKILL);
}

/* Our environment without our own settings: a store's password is nothing for a helper of somebody else. NULL on out of memory;
 * the list is the caller's, the texts are the environment's. */
static const char **child_environment(void)
{
	size_t count = 0, kept = 0;
	while (environ[count])
		count++;
	const char **list = swp_calloc(count + 1, sizeof(const char *));
	for (size_t i = 0; list && i < count; i++)
		if (!swp_text_starts(environ[i], "ORGSWEEP_"))
			list[kept++] = environ[i];
	return list;
}

static void do_process(struct swp_credential_source *source, const struct swp_credential_request *request)
{
	struct swp_problem problem = {0};
	const char **environment = child_environment();
	const struct swp_process_options options = {
		.arguments = request->arguments,
		.environment = environment,
		.output_fd = -1,
		.error_fd = STDERR_FILENO, /* it may tell a person which page to open */
		.capture_output = true,
		.capture_secret = true,
	};
	swp_process_free(source->process); /* of the refresh before; ended */
	source->process_late = false;
	source->process = environment
				  ? swp_process_start(source->loop, &options, process_ended, source, &problem)
				  : NULL;
	swp_free(environment);
	if (!source->process ||
		swp_timer_start(&source->process_limit, SWP_LIMIT_CREDENTIAL_PROCESS_MS) < 0) {
		swp_process_free(source->process);
		source->process = NULL;
		answer_error(source, environment ? -ENOENT : -ENOMEM, problem.text);
	}
}

static void do_ask(struct swp_credential_source *source, const struct swp_credential_request *request)
{
	const struct swp_credential_prompt *prompt = source->options.prompt;
	if (!prompt) {
		answer_error(source, -ENOTTY, NULL);
		return;
	}
	source->asking = true;
	prompt->ask(prompt->context, source, request->question);
}

void swp_credential_source_code(struct swp_credential_source *source, const char *code)
{
	if (!source->asking)
		return;
	source->asking = false;
	if (!code)
		answer_error(source, -ENOTTY, NULL);
	else
		answer(source, &(struct swp_credential_answer){.bytes = code, .length = strlen(code)});
}

static void pause_over(struct swp_timer *timer)
{
	answer_error(SWP_CONTAINER_OF(timer, struct swp_credential_source, pause), 0, NULL);
}

static void do_pause(struct swp_credential_source *source, const struct swp_credential_request *request)
{
	if (swp_timer_start(&source->pause, request->pause_ms) < 0)
		answer_error(source, 0, NULL);
}

static void end_well(struct swp_credential_source *source, const struct swp_credential_request *request)
{
	(void)request;
	succeed(source);
}

static void end_badly(struct swp_credential_source *source, const struct swp_credential_request *request)
{
	(void)request;
	struct swp_problem problem = {0};
	int error = swp_credential_machine_error(source->machine, &problem);
	finish(source, error, &problem);
}

static void (*const actions[])(
	struct swp_credential_source *source, const struct swp_credential_request *request) = {
	[SWP_CREDENTIAL_NEED_FILE] = give_file,
	[SWP_CREDENTIAL_NEED_SAVE] = do_save,
	[SWP_CREDENTIAL_NEED_PROCESS] = do_process,
	[SWP_CREDENTIAL_NEED_HTTP] = do_exchange,
	[SWP_CREDENTIAL_NEED_CALL] = do_call,
	[SWP_CREDENTIAL_NEED_CODE] = do_ask,
	[SWP_CREDENTIAL_NEED_PAUSE] = do_pause,
	[SWP_CREDENTIAL_DONE] = end_well,
	[SWP_CREDENTIAL_FAILED] = end_badly,
};

/* Carries out the present need. What can be answered at once answers within, a few levels deep at most: a step has at most two
 * files, and only exchanges that can't be started repeat. */
static void pump(struct swp_credential_source *source)
{
	const struct swp_credential_request *request = swp_credential_machine_request(source->machine);
	actions[request->need](source, request);
}

/* --- life --- */

static const char *own_variable(void *context, const char *name)
{
	(void)context;
	return getenv(name);
}

static int fill_environment(struct swp_credential_source *source)
{
	struct swp_environment *environment = &source->options.environment;
	if (!environment->get)
		environment->get = own_variable;
	const char *home = environment->home;
	if (!home)
		home = swp_environment_get(environment, "HOME");
	const struct passwd *person = home ? NULL : getpwuid(getuid());
	if (!home && person)
		home = person->pw_dir;
	source->home = swp_strdup(home ? home : "");
	environment->home = source->home;
	return source->home ? 0 : -ENOMEM;
}

static int init(struct swp_credential_source *source, struct swp_problem *problem)
{
	int r = fill_environment(source);
	if (r == 0 && source->options.profile) {
		source->explicit_profile = swp_strdup(source->options.profile);
		r = source->explicit_profile ? 0 : -ENOMEM;
	}
	if (r == 0)
		r = load_profiles(source, &source->profiles, problem);
	if (r != 0)
		return r;
	source->profile =
		swp_strdup(swp_profile_choose(&source->options.environment, source->explicit_profile, NULL));
	if (!source->profile)
		return -ENOMEM;
	return source->options.endpoints
		       ? 0
		       : swp_credential_source_endpoints(source, NULL, 0, &source->own_endpoints, problem);
}

struct swp_credential_source *swp_credential_source_new(struct swp_loop *loop, struct swp_http_client *http,
	struct swp_caller *caller, const struct swp_credential_source_options *options,
	struct swp_problem *problem)
{
	struct swp_credential_source *source = swp_calloc(1, sizeof(*source));
	if (!source)
		return NULL;
	source->loop = loop;
	source->options = *options;
	ring_init(&source->waits);
	ring_init(&source->delivering);
	swp_timer_init(&source->turn, loop, take_turn);
	swp_timer_init(&source->pause, loop, pause_over);
	swp_timer_init(&source->process_limit, loop, process_is_late);
	struct swp_problem own = {0};
	int r = init(source, &own);
	if (r == 0 && http)
		r = swp_credential_source_attach(source, http, caller);
	if (r == 0)
		return source;
	if (!own.text[0])
		swp_problem_set(&own, r, "credentials: %s", strerror(-r));
	if (problem)
		*problem = own;
	swp_credential_source_free(source);
	return NULL;
}

int swp_credential_source_attach(
	struct swp_credential_source *source, struct swp_http_client *http, struct swp_caller *caller)
{
	source->http = http;
	source->caller = caller;
	if (caller)
		return 0;
	const struct swp_caller_options options = {
		.http = http, .loop = source->loop, .endpoints = endpoints_of(source), .max_in_flight = 1};
	source->own_caller = swp_caller_new(&options);
	source->caller = source->own_caller;
	return source->caller ? 0 : -ENOMEM;
}

void swp_credential_source_free(struct swp_credential_source *source)
{
	if (!source)
		return;
	ring_empty(&source->waits);
	ring_empty(&source->delivering);
	swp_timer_stop(&source->turn);
	swp_timer_stop(&source->pause);
	swp_timer_stop(&source->process_limit);
	swp_http_cancel(&source->exchange);
	swp_call_cancel(&source->call);
	swp_process_free(source->process);
	if (source->asking && source->options.prompt->cancel)
		source->options.prompt->cancel(source->options.prompt->context);
	drop_plan(source);
	swp_caller_free(source->own_caller);
	swp_endpoint_options_done(&source->own_endpoints);
	swp_credentials_done(&source->present);
	swp_profile_set_free(source->profiles);
	swp_free(source->profile);
	swp_free(source->explicit_profile);
	swp_free(source->home);
	swp_free(source);
}

/* --- what environment and profile say --- */

const char *swp_credential_source_profile(const struct swp_credential_source *source)
{
	return source->profile;
}

const char *swp_credential_source_setting(
	const struct swp_credential_source *source, enum swp_setting setting)
{
	const char *value =
		swp_setting_get(source->profiles, &source->options.environment, source->profile, setting);
	return value ? value : "";
}

bool swp_credential_source_setting_is_true(
	const struct swp_credential_source *source, enum swp_setting setting)
{
	return swp_setting_is_true(source->profiles, &source->options.environment, source->profile, setting);
}

const char *swp_credential_source_region(const struct swp_credential_source *source)
{
	return swp_credential_source_setting(source, SWP_SETTING_REGION);
}

int swp_credential_source_endpoints(const struct swp_credential_source *source,
	const struct swp_aws_service *const *services, size_t service_count,
	struct swp_endpoint_options *options, struct swp_problem *problem)
{
	size_t own = 0, count = 0;
	while (swp_credential_services[own])
		own++;
	const struct swp_aws_service **all =
		swp_calloc(service_count + own, sizeof(const struct swp_aws_service *));
	if (!all)
		return -ENOMEM;
	for (; count < service_count; count++)
		all[count] = services[count];
	for (size_t i = 0; i < own; i++) {
		bool given = false;
		for (size_t k = 0; k < service_count; k++)
			given = given || swp_text_equal(services[k]->name, swp_credential_services[i]->name);
		if (!given)
			all[count++] = swp_credential_services[i];
	}
	int r = swp_profile_endpoints(source->profiles, &source->options.environment, source->profile, all,
		count, options, problem);
	swp_free(all);
	return r;
}
