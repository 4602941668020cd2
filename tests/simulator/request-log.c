/* The request log. See request-log.h. */
#include "tests/simulator/request-log.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Kept back up to this, so that a line is not a system call. */
#define KEPT_BYTES_MAX 65536

struct swp_sim_log {
	int fd;
	struct swp_sim_buffer lines;
};

struct swp_sim_log *swp_sim_log_open(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		return NULL;
	struct swp_sim_log *log = swp_sim_allocate_zeroed(1, sizeof *log);
	log->fd = fd;
	return log;
}

void swp_sim_log_flush(struct swp_sim_log *log)
{
	if (log == NULL)
		return;
	size_t at = 0;
	while (at < log->lines.size) {
		ssize_t written = write(log->fd, log->lines.data + at, log->lines.size - at);
		if (written <= 0)
			break;
		at += (size_t)written;
	}
	swp_sim_buffer_clear(&log->lines);
}

void swp_sim_log_close(struct swp_sim_log *log)
{
	if (log == NULL)
		return;
	swp_sim_log_flush(log);
	close(log->fd);
	swp_sim_buffer_done(&log->lines);
	free(log);
}

static void put_member(struct swp_sim_buffer *into, const char *name, struct swp_sim_text value)
{
	swp_sim_buffer_byte(into, into->size && into->data[into->size - 1] != '\n' ? ',' : '{');
	swp_sim_buffer_json(into, swp_sim_text_of(name));
	swp_sim_buffer_byte(into, ':');
	if (value.at == NULL)
		swp_sim_buffer_put(into, "null");
	else
		swp_sim_buffer_json(into, value);
}

static struct swp_sim_text text_or_null(const char *string)
{
	return string ? swp_sim_text_of(string) : (struct swp_sim_text){NULL, 0};
}

void swp_sim_log_call(struct swp_sim_log *log, const struct swp_sim_call *call)
{
	struct swp_sim_buffer *into = &log->lines;
	const struct swp_sim_world *world = call->context->world;
	put_member(into, "account",
		text_or_null(call->account != SIZE_MAX ? world->accounts[call->account].id : NULL));
	put_member(into, "region",
		text_or_null(
			call->region < swp_sim_region_count ? swp_sim_regions[call->region].name : NULL));
	put_member(into, "service", text_or_null(call->service ? call->service->name : NULL));
	put_member(into, "operation", text_or_null(call->operation ? call->operation->name : NULL));
	swp_sim_buffer_printf(into, ",\"status\":%d", call->status);
	put_member(into, "error_code", text_or_null(call->error_code));
	put_member(into, "request_id", swp_sim_text_of(call->request_id));
	put_member(into, "access_key_id", call->credential);
	swp_sim_buffer_printf(into, ",\"signature_ok\":%s", call->is_signed_well ? "true" : "false");
	put_member(into, "host", call->request->host);
	put_member(into, "user_agent", call->request->user_agent);
	swp_sim_buffer_put(into, "}\n");
	if (into->size > KEPT_BYTES_MAX)
		swp_sim_log_flush(log);
}
