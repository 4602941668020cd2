#include "coordinator/account-rows.h"

#include <errno.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/buf.h"
#include "proto/base/error.h"
#include "proto/base/map.h"

struct swp_account_rows {
	struct swp_region *memory;  /* borrowed */
	struct swp_region *scratch; /* a row as it is decoded */
	struct swp_map *texts;	    /* text → its one copy */
	struct swp_map *lists;	    /* texts of a list, each with its length → its one copy */
};

struct swp_account_rows *swp_account_rows_new(struct swp_region *memory)
{
	struct swp_account_rows *rows = swp_calloc(1, sizeof(*rows));

	if (!rows)
		return NULL;
	rows->memory = memory;
	rows->scratch = swp_region_new(0);
	rows->texts = swp_map_new();
	rows->lists = swp_map_new();
	if (rows->scratch && rows->texts && rows->lists)
		return rows;
	swp_account_rows_free(rows);
	return NULL;
}

void swp_account_rows_free(struct swp_account_rows *rows)
{
	if (!rows)
		return;
	swp_region_free(rows->scratch);
	swp_map_free(rows->texts, NULL);
	swp_map_free(rows->lists, NULL);
	swp_free(rows);
}

/* In place of `*text`; NULL stays. */
static int share_text(struct swp_account_rows *rows, const char **text)
{
	char *kept = *text ? swp_map_get(rows->texts, *text) : NULL;
	int error = 0;

	if (!*text)
		return 0;
	if (!kept) {
		kept = swp_region_strdup(rows->memory, *text);
		error = kept ? swp_map_put(rows->texts, kept, kept, NULL) : -ENOMEM;
	}
	if (error == 0)
		*text = kept;
	return error;
}

/* One that hardly another row has. */
static int own_text(struct swp_account_rows *rows, const char **text)
{
	if (!*text)
		return 0;
	*text = **text ? swp_region_strdup(rows->memory, *text) : "";
	return *text ? 0 : -ENOMEM;
}

static int copy_list(
	struct swp_account_rows *rows, const char *const *texts, size_t count, const char ***ret_list)
{
	const char **list = swp_region_alloc(rows->memory, (count + 1) * sizeof(*list));
	int error = list ? 0 : -ENOMEM;

	for (size_t i = 0; i < count && error == 0; i++) {
		list[i] = texts[i];
		error = share_text(rows, &list[i]);
	}
	*ret_list = list;
	return error;
}

static int share_list(struct swp_account_rows *rows, const char *const **texts, size_t count)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf key = {0};
	const char **kept;
	int error = 0;

	for (size_t i = 0; i < count; i++) {
		swp_buf_append_format(&key, "%zu:", strlen((*texts)[i]));
		swp_buf_append_text(&key, (*texts)[i]);
	}
	if (key.failed)
		return key.failed;
	kept = swp_map_get(rows->lists, swp_buf_text(&key));
	if (!kept) {
		error = copy_list(rows, *texts, count, &kept);
		if (error == 0)
			error = swp_map_put(rows->lists, swp_buf_text(&key), kept, NULL);
	}
	if (error == 0)
		*texts = kept;
	return error;
}

int swp_account_rows_read(struct swp_account_rows *rows, const void *bytes, size_t length,
	struct swp_record_account *ret_account)
{
	struct swp_record_account account;
	const char **const own[] = {
		&account.id, &account.name, &account.unread.message, &account.unread.request_id};
	const char **const shared[] = {&account.path, &account.state, &account.excluded,
		&account.unread.action, &account.unread.error_code};
	int error;

	swp_region_reset(rows->scratch);
	error = swp_account_decode(bytes, length, rows->scratch, &account);
	if (error < 0)
		return error;
	for (size_t i = 0; i < SWP_ARRAY_SIZE(own) && error == 0; i++)
		error = own_text(rows, own[i]);
	for (size_t i = 0; i < SWP_ARRAY_SIZE(shared) && error == 0; i++)
		error = share_text(rows, shared[i]);
	if (error == 0)
		error = share_list(rows, &account.regions, account.region_count);
	if (error == 0)
		error = share_list(rows, &account.regions_not_enabled, account.region_not_enabled_count);
	if (error == 0)
		*ret_account = account;
	return error;
}
