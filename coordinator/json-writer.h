/* Writes JSON to a stream as it goes: two spaces of indentation, keys in the order given (callers give them bytewise sorted).
 * Nothing is held in memory but the nesting. Failures of the stream are sticky.
 */
#ifndef SWP_COORDINATOR_JSON_WRITER_H
#define SWP_COORDINATOR_JSON_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define SWP_JSON_WRITER_DEPTH 16

struct swp_json_writer {
	FILE *out; /* borrowed */
	int depth;
	bool has_items[SWP_JSON_WRITER_DEPTH];
	bool flat[SWP_JSON_WRITER_DEPTH]; /* this level and what is in it stand on one line */
};

void swp_json_writer_init(struct swp_json_writer *writer, FILE *out);
/* `key` NULL inside arrays and at the top. `flat` puts the whole value on one line. */
void swp_json_object_begin(struct swp_json_writer *writer, const char *key, bool flat);
void swp_json_object_end(struct swp_json_writer *writer);
void swp_json_array_begin(struct swp_json_writer *writer, const char *key, bool flat);
void swp_json_array_end(struct swp_json_writer *writer);
/* NULL is written as null. Invalid UTF-8 is written as U+FFFD. */
void swp_json_text(struct swp_json_writer *writer, const char *key, const char *text);
/* "" is written as null too. */
void swp_json_text_or_null(struct swp_json_writer *writer, const char *key, const char *text);
void swp_json_number(struct swp_json_writer *writer, const char *key, uint64_t number);
/* Hundredths as a decimal: 9950 is 99.5. */
void swp_json_hundredths(struct swp_json_writer *writer, const char *key, uint32_t hundredths);
void swp_json_bool(struct swp_json_writer *writer, const char *key, bool value);
/* Text that is JSON already (one line). */
void swp_json_raw(struct swp_json_writer *writer, const char *key, const char *json);
/* "2026-11-22T08:00:00Z"; negative is null. */
void swp_json_time(struct swp_json_writer *writer, const char *key, int64_t wall_ms);
/* Ends with a newline; 0, or the stream's error (-EIO). */
int swp_json_writer_finish(struct swp_json_writer *writer);

#endif
