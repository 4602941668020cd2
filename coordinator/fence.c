#include "coordinator/fence.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/base/text.h"

#define FEW 48 /* arguments that need no memory */

void swp_fence_add(struct swp_fence *fence, const char *key, uint64_t term)
{
	SWP_ASSERT(fence->count < SWP_FENCE_ROWS);
	snprintf(fence->keys[fence->count], sizeof(fence->keys[0]), "%s", key);
	snprintf(fence->terms[fence->count], sizeof(fence->terms[0]), "%" PRIu64, term);
	fence->count++;
}

int swp_fence_run(const struct swp_fence *fence, struct swp_store *store, enum swp_script which,
	struct swp_store_script *script, const struct swp_store_argument *arguments, size_t count,
	swp_store_done done, void *context)
{
	size_t own = swp_script_row(which)->own_keys, rows = fence ? fence->count : 0;
	struct swp_store_argument few[FEW], *all = few;
	int error;

	SWP_ASSERT(count >= own);
	if (count + 2 * rows > FEW && !(all = swp_calloc(count + 2 * rows, sizeof(*all))))
		return -ENOMEM;
	if (own > 0)
		memcpy(all, arguments, own * sizeof(*all));
	for (size_t i = 0; i < rows; i++) {
		all[own + i] = SWP_STORE_TEXT_ARGUMENT(fence->keys[i]);
		all[own + rows + i] = SWP_STORE_TEXT_ARGUMENT(fence->terms[i]);
	}
	if (count > own)
		memcpy(all + own + 2 * rows, arguments + own, (count - own) * sizeof(*all));
	error = swp_store_run(
		store, script, all, own + rows, all + own + rows, count - own + rows, done, context);
	if (all != few)
		swp_free(all);
	return error;
}

bool swp_fence_is_deposed(const struct swp_store_reply *reply)
{
	return reply->type == SWP_STORE_REPLY_ERROR && swp_text_starts(reply->bytes, SWP_SCRIPT_DEPOSED);
}
