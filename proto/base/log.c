/* Structured logs. A line is built whole and written by one write, so that lines of several programs that share a
 * standard error do not mix.
 */
#include "proto/base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/alloc.h"
#include "proto/base/buf.h"
#include "proto/base/error.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

#define CONTEXT_FIELDS 4

static struct {
	FILE *stream; /* NULL: standard error */
	enum swp_log_form form;
	enum swp_log_level least;
	const char *program;
	const struct swp_clock *clock;
	bool colours;
	void (*hook)(int before, void *context);
	void *hook_context;
	struct swp_log_field context[CONTEXT_FIELDS]; /* texts are owned */
} log_state = {.least = SWP_LOG_INFO, .program = "orgsweep"};

static const struct {
	const char *name, *colour;
} levels[] = {
	[SWP_LOG_DEBUG] = {"DEBUG", "\033[2m"},
	[SWP_LOG_INFO] = {"INFO", "\033[36m"},
	[SWP_LOG_WARNING] = {"WARNING", "\033[33m"},
	[SWP_LOG_ERROR] = {"ERROR", "\033[31m"},
};

static FILE *stream_now(void)
{
	return log_state.stream ? log_state.stream : stderr;
}

static bool wants_colours(FILE *stream)
{
	const char *no_color = getenv("NO_COLOR"), *terminal = getenv("TERM");

	return fileno(stream) >= 0 && isatty(fileno(stream)) && !(no_color && *no_color) &&
	       !swp_text_equal(terminal, "dumb");
}

void swp_log_setup(FILE *stream, enum swp_log_form form, enum swp_log_level least, const char *program,
	const struct swp_clock *clock)
{
	log_state.stream = stream;
	log_state.form = form;
	log_state.least = least;
	log_state.program = program;
	log_state.clock = clock;
	log_state.colours = form == SWP_LOG_TEXT && wants_colours(stream_now());
}

void swp_log_context(const char *name, const char *text)
{
	struct swp_log_field *place = NULL;

	for (size_t i = 0; i < CONTEXT_FIELDS; i++) {
		struct swp_log_field *field = &log_state.context[i];

		if (field->name && strcmp(field->name, name) == 0) {
			place = field;
			break;
		}
		if (!field->name && !place)
			place = field;
	}
	SWP_ASSERT(place || !text);
	if (!place)
		return;
	swp_free((char *)(uintptr_t)place->text);
	place->text = text ? swp_strdup(text) : NULL;
	place->name = place->text ? name : NULL;
}

void swp_log_set_hook(void (*hook)(int before, void *context), void *context)
{
	log_state.hook = hook;
	log_state.hook_context = context;
}

/* Neutralized, cut at the ceiling. */
static int clean_value(struct swp_buf *clean, const char *text)
{
	size_t length = strnlen(text, SWP_LIMIT_LOG_VALUE_BYTES + 1);
	bool cut = length > SWP_LIMIT_LOG_VALUE_BYTES;

	if (cut) {
		/* Not in the middle of a character. */
		for (length = SWP_LIMIT_LOG_VALUE_BYTES;
			length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80;)
			length--;
	}
	swp_buf_clear(clean);
	swp_text_clean(clean, text, length);
	return cut ? swp_buf_append_text(clean, "…") : clean->failed;
}

/* In double quotes; the text is clean already, so only two characters are left to escape. */
static void append_quoted(struct swp_buf *line, const char *text)
{
	swp_buf_append_byte(line, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			swp_buf_append_byte(line, '\\');
		swp_buf_append_byte(line, *text);
	}
	swp_buf_append_byte(line, '"');
}

static void append_text_field(struct swp_buf *line, const char *name, const char *value)
{
	swp_buf_append_format(line, " %s=", name);
	if (*value && !strpbrk(value, " \"="))
		swp_buf_append_text(line, value);
	else
		append_quoted(line, value);
}

static void append_json_field(struct swp_buf *line, const char *name, const char *value)
{
	swp_buf_append_byte(line, ',');
	append_quoted(line, name);
	swp_buf_append_byte(line, ':');
	append_quoted(line, value);
}

static void append_field(struct swp_buf *line, struct swp_buf *clean, const struct swp_log_field *field)
{
	bool json = log_state.form == SWP_LOG_JSON;

	if (!field->text) {
		swp_buf_append_format(
			line, json ? ",\"%s\":%" PRId64 : " %s=%" PRId64, field->name, field->number);
		return;
	}
	clean_value(clean, field->text);
	(json ? append_json_field : append_text_field)(line, field->name, swp_buf_text(clean));
}

static void append_head(struct swp_buf *line, struct swp_buf *clean, enum swp_log_level level,
	const char *event, const char *message)
{
	const struct swp_clock *clock = log_state.clock ? log_state.clock : swp_clock_system();
	char time[SWP_TIME_TEXT_BYTES];

	swp_time_format(swp_clock_wall_ms(clock), time);
	clean_value(clean, message);
	if (log_state.form == SWP_LOG_JSON) {
		swp_buf_append_format(line,
			"{\"time\":\"%s\",\"level\":\"%s\",\"program\":\"%s\",\"event\":\"%s\"", time,
			levels[level].name, log_state.program, event);
		append_json_field(line, "message", swp_buf_text(clean));
		return;
	}
	swp_buf_append_format(line, "%s %s%s%s %s %s", time, log_state.colours ? levels[level].colour : "",
		levels[level].name, log_state.colours ? "\033[0m" : "", event, swp_buf_text(clean));
}

/* By the descriptor where there is one: stdio could split the line at its buffer's end. */
static void write_line(const char *line, size_t length)
{
	FILE *stream = stream_now();
	int fd = fileno(stream);

	if (fd < 0) {
		fwrite(line, 1, length, stream);
		fflush(stream);
		return;
	}
	fflush(stream);
	while (length > 0) {
		ssize_t written = write(fd, line, length);

		if (written < 0 && errno == EINTR)
			continue;
		/* A log that can't be written is not worth the program's end. */
		if (written < 0)
			return;
		line += written;
		length -= (size_t)written;
	}
}

static void write_hooked(const char *line, size_t length)
{
	if (log_state.hook)
		log_state.hook(1, log_state.hook_context);
	write_line(line, length);
	if (log_state.hook)
		log_state.hook(0, log_state.hook_context);
}

void swp_log_fields(
	enum swp_log_level level, const char *event, const char *message, const struct swp_log_field *fields)
{
	static const char lost[] = "a log line was lost: out of memory, or above its ceiling\n";
	SWP_CLEANUP(swp_buf_done) struct swp_buf line = {.limit_bytes = SWP_LIMIT_LOG_LINE_BYTES};
	SWP_CLEANUP(swp_buf_done) struct swp_buf clean = {0};
	int error = errno;

	if (level < log_state.least)
		return;
	append_head(&line, &clean, level, event, message);
	for (size_t i = 0; i < CONTEXT_FIELDS; i++) {
		if (log_state.context[i].name)
			append_field(&line, &clean, &log_state.context[i]);
	}
	for (; fields && fields->name; fields++)
		append_field(&line, &clean, fields);
	swp_buf_append_text(&line, log_state.form == SWP_LOG_JSON ? "}\n" : "\n");
	if (line.failed || clean.failed)
		write_hooked(lost, sizeof(lost) - 1);
	else
		write_hooked(line.data, line.length);
	/* Logging must not disturb the one who is about to look at errno. */
	errno = error;
}
