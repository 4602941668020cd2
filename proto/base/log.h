/* Structured logs: one event, named, with fields; text for a terminal, JSON by option. Programs log; libraries return.
 * Field values and messages are neutralized. There is no field type for secrets, on purpose.
 */
#ifndef SWP_BASE_LOG_H
#define SWP_BASE_LOG_H

#include <stdint.h>
#include <stdio.h>

#include "proto/base/clock.h"

enum swp_log_level {
	SWP_LOG_DEBUG,
	SWP_LOG_INFO,
	SWP_LOG_WARNING,
	SWP_LOG_ERROR,
};

enum swp_log_form {
	SWP_LOG_TEXT,
	SWP_LOG_JSON,
};

struct swp_log_field {
	const char *name; /* NULL ends the list */
	const char *text; /* NULL: the number counts */
	int64_t number;
};

static inline const char *swp_log_text(const char *text)
{
	return text ? text : "";
}

/* NULL is logged as "". */
#define SWP_LOG_S(field_name, value)                                                                         \
	((struct swp_log_field){.name = (field_name), .text = swp_log_text(value)})
#define SWP_LOG_N(field_name, value)                                                                         \
	((struct swp_log_field){.name = (field_name), .number = (int64_t)(value)})

/* Process-wide; one thread logs. Without it: text, INFO and above, to standard error. On a terminal the level is coloured
 * unless NO_COLOR is set. `stream` is borrowed; `clock` is borrowed. `program` names the writer ("orgsweep", "orgsweep-worker"). */
void swp_log_setup(FILE *stream, enum swp_log_form form, enum swp_log_level least, const char *program,
	const struct swp_clock *clock);
/* Fields that every later event carries (e.g. the sweep id); NULL text removes. At most 4 (asserted). `name` is borrowed
 * for ever, `text` is copied (the field is left out when there is no memory for it). */
void swp_log_context(const char *name, const char *text);
/* One line, by one write: "2026-11-23T08:00:00Z WARNING aws.denied access refused account=… attempt=3", or one JSON object
 * with time, level, program, event, message and the fields. Text values that hold a blank, a quote or "=" are quoted.
 * Values are cut at SWP_LIMIT_LOG_VALUE_BYTES. Names, event and program are ours and taken as they are. Keeps errno. */
void swp_log_fields(
	enum swp_log_level level, const char *event, const char *message, const struct swp_log_field *fields);
/* A hook is called before a line is written and after it (to hide and redraw a progress line); NULL removes it. */
void swp_log_set_hook(void (*hook)(int before, void *context), void *context);

/* swp_log(SWP_LOG_WARNING, "aws.denied", "access refused", SWP_LOG_S("account", id), SWP_LOG_N("attempt", 3)); */
#define swp_log(level, event, message, ...) /* at least one field */                                         \
	swp_log_fields((level), (event), (message), (const struct swp_log_field[]){__VA_ARGS__, {.name = 0}})

#endif
