/* One JSON line a request: who asked what, and what the answer was. Never a secret or a token. */
#ifndef TESTS_SIMULATOR_REQUEST_LOG_H
#define TESTS_SIMULATOR_REQUEST_LOG_H

#include "tests/simulator/call.h"

struct swp_sim_log;
/* Appends to the file; NULL and errno when it cannot be opened. */
struct swp_sim_log *swp_sim_log_open(const char *path);
void swp_sim_log_close(struct swp_sim_log *log);
void swp_sim_log_call(struct swp_sim_log *log, const struct swp_sim_call *call);
/* Writes what is kept back; called when the server has nothing to do. */
void swp_sim_log_flush(struct swp_sim_log *log);

#endif
