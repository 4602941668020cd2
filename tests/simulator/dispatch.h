/*
 * From a request to its answer: which operation, is it signed, may it be asked, what is the answer.
 *
 * The answer is rendered whole, head and body, into a buffer of the caller's.
 */
#ifndef TESTS_SIMULATOR_DISPATCH_H
#define TESTS_SIMULATOR_DISPATCH_H

#include "tests/simulator/faults.h"
#include "tests/simulator/shared.h"

struct swp_sim_dispatcher;
struct swp_sim_log;

/* Borrows all; log may be NULL. */
struct swp_sim_dispatcher *swp_sim_dispatcher_new(struct swp_sim_context *context, struct swp_sim_log *log);
void swp_sim_dispatcher_free(struct swp_sim_dispatcher *dispatcher);

struct swp_sim_outcome {
	enum swp_sim_delivery delivery;
	uint64_t delay_ms; /* beside the general latency */
	bool is_control;
	size_t start; /* the answer is the buffer's content from here on */
};

/* Answers `request` into `answer`, which is cleared first. now_sec is the real time. */
struct swp_sim_outcome swp_sim_dispatch(struct swp_sim_dispatcher *dispatcher,
	const struct swp_sim_request *request, int64_t now_sec, struct swp_sim_buffer *answer);

/* service:operation of a number, e.g. sagemaker:ListEndpoints; both NULL behind the last. */
void swp_sim_operation_name(unsigned number, const char **ret_service, const char **ret_operation);

/* Answers a request to /_simulator/…: writes the JSON body, returns the HTTP status. */
int swp_sim_control(
	struct swp_sim_context *context, const struct swp_sim_request *request, struct swp_sim_buffer *body);

#endif
