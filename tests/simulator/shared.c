/* Shared state. See shared.h. */
#include "tests/simulator/shared.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

static size_t mapping_size(size_t account_count)
{
	return sizeof(struct swp_sim_shared) + account_count * sizeof(atomic_uint_fast64_t);
}

struct swp_sim_shared *swp_sim_shared_new(size_t account_count)
{
	void *mapping = mmap(
		NULL, mapping_size(account_count), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (mapping == MAP_FAILED) {
		fputs("orgsweep-simulator: no memory for the shared state\n", stderr);
		exit(70);
	}
	struct swp_sim_shared *shared = mapping;
	shared->account_count = account_count;
	atomic_flag_clear(&shared->faults_lock);
	return shared;
}

void swp_sim_shared_free(struct swp_sim_shared *shared)
{
	if (shared != NULL)
		munmap(shared, mapping_size(shared->account_count));
}

void swp_sim_shared_reset_statistics(struct swp_sim_shared *shared)
{
	struct swp_sim_statistics *now = &shared->statistics;
	atomic_uint_fast64_t *const counters[] = {&now->requests, &now->control_requests,
		&now->connections_accepted, &now->tls_handshakes, &now->tls_resumed, &now->refused_signatures,
		&now->faults_injected, &now->bytes_sent};
	for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++)
		atomic_store(counters[i], 0);
	for (size_t i = 0; i < SWP_SIM_OPERATIONS_MAX; i++)
		atomic_store(&now->by_operation[i], 0);
	for (size_t i = 0; i < SWP_SIM_STATUS_MAX; i++)
		atomic_store(&now->by_status[i], 0);
	for (size_t i = 0; i < shared->account_count; i++)
		atomic_store(&shared->by_account[i], 0);
	atomic_store(&now->in_flight_peak, atomic_load(&now->in_flight));
	atomic_store(&now->connections_peak, atomic_load(&now->connections_open));
}

void swp_sim_count_present(atomic_int_fast64_t *present, atomic_int_fast64_t *peak, int change)
{
	int_fast64_t now = atomic_fetch_add_explicit(present, change, memory_order_relaxed) + change;
	if (now > atomic_load_explicit(peak, memory_order_relaxed))
		atomic_store_explicit(peak, now, memory_order_relaxed);
}
