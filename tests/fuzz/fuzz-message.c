/* Frames of the wire: what decodes must encode again, and decode to the same. Both sessions take any frame at any time. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/error.h"
#include "proto/wire/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was decoded is within all ceilings, so that encoding can't fail but for memory. */
static void round_trip(const uint8_t *data, size_t size)
{
	struct swp_message first, second;
	struct swp_buf once = {.secret = true}, twice = {.secret = true};

	if (swp_message_decode(data, size, &first) < 0)
		return;
	SWP_ASSERT(swp_message_encode(&first, &once) == 0);
	SWP_ASSERT(swp_message_decode(once.data, once.length, &second) == 0);
	SWP_ASSERT(swp_message_encode(&second, &twice) == 0);
	SWP_ASSERT(once.length == twice.length && memcmp(once.data, twice.data, once.length) == 0);
	swp_message_done(&first);
	swp_message_done(&second);
	swp_buf_done(&once);
	swp_buf_done(&twice);
}

static void converse(enum swp_session_side side, const uint8_t *data, size_t size)
{
	struct swp_session session;
	struct swp_message message;

	swp_session_init(&session, side, 0);
	for (int64_t now_ms = 0; now_ms < 3; now_ms++) {
		swp_session_received(&session, data, size, now_ms, &message);
		swp_message_done(&message);
		swp_session_tick(&session, now_ms);
		SWP_ASSERT(swp_session_next_ms(&session) >= now_ms);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	round_trip(data, size);
	converse(SWP_SESSION_WORKER, data, size);
	converse(SWP_SESSION_COORDINATOR, data, size);
	return 0;
}
