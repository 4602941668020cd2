/* One coordinator: connection, session, and the frames that wait for it. Internal to worker/. */
#ifndef SWP_WORKER_LINK_H
#define SWP_WORKER_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/wire/message.h"
#include "worker/worker.h"

struct swp_link; /* opaque */

int swp_link_new(struct swp_worker *worker, const char *endpoint, const struct swp_bus_keys *keys,
	const char *server_public_key, struct swp_link **ret_link, struct swp_problem *problem);
void swp_link_free(struct swp_link *link); /* takes NULL */
/* Sends, or keeps until the coordinator is there again. What can't be kept is logged and dropped: the lease repairs it. */
void swp_link_send(struct swp_link *link, const struct swp_message *message);
void swp_link_give_back(
	struct swp_link *link, uint64_t job, uint64_t epoch, enum swp_give_back_why why, const char *detail);
bool swp_link_is_open(const struct swp_link *link);
/* Times that the coordinator fell silent. */
uint64_t swp_link_losses(const struct swp_link *link);
const char *swp_link_endpoint(const struct swp_link *link);
/* Takes no new jobs from now on, and tells so. */
void swp_link_drain(struct swp_link *link);
/* Draining, and its last job is gone: says BYE and closes. True when closed. */
bool swp_link_try_close(struct swp_link *link);
/* Jobs of that link. */
size_t swp_link_job_count(const struct swp_link *link);
void swp_link_job_added(struct swp_link *link);
void swp_link_job_removed(struct swp_link *link);

#endif
