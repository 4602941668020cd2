/* Small text work: parsing numbers and durations, globs, nearest names, encodings, neutralizing what is hostile.
 */
#ifndef SWP_BASE_TEXT_H
#define SWP_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/buf.h"

/* Whole string, decimal, no sign for _u64; -EINVAL, -ERANGE. */
int swp_parse_u64(const char *text, uint64_t max, uint64_t *ret_value);
int swp_parse_i64(const char *text, int64_t min, int64_t max, int64_t *ret_value);
/* "90", "90s", "15m", "2h", "1d", "500ms"; bare numbers are seconds. -EINVAL, -ERANGE (above 366 days). */
int swp_parse_duration_ms(const char *text, int64_t *ret_ms);
/* The same for how old things are: the unit must be said. -EINVAL, -ERANGE (above 36,525 days, a century). */
int swp_parse_age_ms(const char *text, int64_t *ret_ms);
/* "80", "99.5", "80%": 0 to 100, at most two decimals, in hundredths of a percent. -EINVAL, -ERANGE. */
int swp_parse_percent(const char *text, uint32_t *ret_hundredths);
/* true/false/yes/no/1/0/on/off, any case. -EINVAL. */
int swp_parse_bool(const char *text, bool *ret_value);

/* Glob with * and ? over the whole text; no classes, no escapes. ? is one byte. No recursion, and never more steps than
 * pattern length × text length. */
bool swp_glob_match(const char *pattern, const char *text);
bool swp_glob_is_plain(const char *pattern);
/* Of `count` names the one with the least edit distance to `word`, ignoring case; NULL when none is near (distance above
 * a third of the length, at least 2; or nothing in common). Of names above 128 bytes the beginning counts. Borrowed from
 * `names`. */
const char *swp_nearest(const char *word, const char *const *names, size_t count);
/* The same, however far it is: where a list of what there is would be too long to show. NULL only without names. */
const char *swp_nearest_of_all(const char *word, const char *const *names, size_t count);

bool swp_text_equal(const char *a, const char *b);		 /* NULL equals only NULL */
bool swp_text_equal_ignoring_case(const char *a, const char *b); /* ASCII */
bool swp_text_starts(const char *text, const char *prefix);
bool swp_text_ends(const char *text, const char *suffix);
/* Case-insensitive (ASCII) search; NULL when not there. */
const char *swp_text_find_ignoring_case(const char *text, const char *needle);

/* Appends `text` with control characters (C0, DEL, and the bytes of invalid UTF-8 as \xNN; C1, line separators and
 * bidirectional marks as \u{NNNN}) shown, so that a terminal does nothing with it. 0, -ENOMEM, -E2BIG (nothing is
 * appended then). */
int swp_text_clean(struct swp_buf *out, const char *text, size_t length);
/* The same into an array of `size` (≥ 1) bytes: always terminated, cut between two characters where it is full.
 * Returns the length. Allocates nothing. */
size_t swp_text_clean_array(char *out, size_t size, const char *text, size_t length);
/* True when the bytes are well-formed UTF-8 without NUL. */
bool swp_text_is_utf8(const char *text, size_t length);

/* Each returns 0, -ENOMEM, -E2BIG; on failure nothing is appended. */
int swp_hex_encode(struct swp_buf *out, const void *bytes, size_t length); /* lower case */
int swp_base64_encode(struct swp_buf *out, const void *bytes, size_t length);
/* RFC 4648 §4 to the letter: padded, no line breaks, no bits left over; else -EINVAL. */
int swp_base64_decode(struct swp_buf *out, const char *text, size_t length);
/* RFC 3986: everything but A-Z a-z 0-9 - _ . ~ as %XX (upper case); keeps '/' if asked. */
int swp_percent_encode(struct swp_buf *out, const char *text, size_t length, bool keep_slash);

/* strcmp order over bytes, for qsort of char *. */
int swp_compare_text_pointers(const void *a, const void *b);

#endif
