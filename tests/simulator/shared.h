/*
 * What all processes of the simulator share: statistics, faults, the clock's offset. One anonymous mapping made
 * before the processes part; counters are atomic, faults are changed under a lock and read by generation.
 */
#ifndef TESTS_SIMULATOR_SHARED_H
#define TESTS_SIMULATOR_SHARED_H

#include "tests/simulator/call.h"
#include "tests/simulator/faults.h"

#include <stdatomic.h>

#define SWP_SIM_STATUS_MAX 600

struct swp_sim_statistics {
	atomic_uint_fast64_t requests;
	atomic_uint_fast64_t control_requests;
	atomic_uint_fast64_t connections_accepted;
	atomic_uint_fast64_t tls_handshakes;
	atomic_uint_fast64_t tls_resumed;
	atomic_uint_fast64_t refused_signatures;
	atomic_uint_fast64_t faults_injected;
	atomic_int_fast64_t in_flight;
	atomic_int_fast64_t in_flight_peak;
	atomic_int_fast64_t connections_open;
	atomic_int_fast64_t connections_peak;
	atomic_uint_fast64_t bytes_sent;
	atomic_uint_fast64_t by_operation[SWP_SIM_OPERATIONS_MAX];
	atomic_uint_fast64_t by_status[SWP_SIM_STATUS_MAX];
};

struct swp_sim_shared {
	struct swp_sim_statistics statistics;
	atomic_int_fast64_t clock_offset_sec;
	atomic_flag faults_lock;
	atomic_size_t fault_count;
	struct swp_sim_fault faults[SWP_SIM_FAULTS_MAX];
	size_t account_count;
	atomic_uint_fast64_t by_account[]; /* account_count of them */
};

/* The mapping; ends the program when there is no memory. swp_sim_shared_free takes it. */
struct swp_sim_shared *swp_sim_shared_new(size_t account_count);
void swp_sim_shared_free(struct swp_sim_shared *shared);
/* All counters to 0 but those that tell the present state. */
void swp_sim_shared_reset_statistics(struct swp_sim_shared *shared);

static inline void swp_sim_count(atomic_uint_fast64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* Changes a present count and keeps its highest value. */
void swp_sim_count_present(atomic_int_fast64_t *present, atomic_int_fast64_t *peak, int change);

#endif
