/* What is kept in Redis about a sweep, as bytes: parts (rows of results, facts, cells), the seal that closes a job's
 * parts, an account's row, a gap, chain instances. MessagePack, one version number in front of each. No I/O.
 *
 * Codes are numbers here, since this floor knows no judgement; their meaning is that of
 *   status          enum swp_status          (checks/evaluation.h)  0 PASS, 1 FAIL, 2 NOT_APPLICABLE, 3 NOT_ASSESSED
 *   not_applicable  enum swp_not_applicable  (checks/evaluation.h)  0 none
 *   reason          enum swp_reason          (proto/aws/outcome.h)  0 none
 *   check, chain    index in the catalogue whose hash the sweep names
 * These numbers are stored: values may be added at the end of those enumerations, never moved.
 *
 * Everything read is hostile: text that is not UTF-8 or holds a NUL, numbers above their ceiling, missing bytes and bytes
 * left over are -EBADMSG; an unknown version is -EPROTONOSUPPORT; members added later at the end of a row are skipped.
 */
#ifndef SWP_RECORD_RECORD_H
#define SWP_RECORD_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/buf.h"
#include "proto/base/region.h"

#define SWP_RECORD_VERSION 1
#define SWP_RECORD_CODE_MAX 63u /* highest status, reason or not_applicable that is believed */

/* Why something was not read. When decoded, texts are never NULL; "" where nothing is known. For encoding NULL is "". */
struct swp_record_gap {
	unsigned reason;
	const char *action; /* "bedrock:ListGuardrails" */
	const char *error_code;
	const char *message;
	const char *request_id;
};

struct swp_record_result {
	size_t check;
	unsigned status;
	const char *resource; /* ARN; NULL: none */
	const char *evidence; /* compact JSON object, keys sorted; NULL: none */
	unsigned not_applicable;
	struct swp_record_gap gap;
};

struct swp_record_fact {
	const char *name, *subject;
	const char *object; /* the other end of a relation; NULL: a plain fact */
	const char *value;  /* compact JSON text of any kind; NULL: unknown, then gap says why */
	struct swp_record_gap gap;
};

struct swp_record_cell {
	size_t check;
	unsigned status, reason, not_applicable;
	bool partial; /* FAIL, and something else of the cell could not be read */
};

/* --- parts: rows in a row ------------------------------------------------------------------------------------------
 * A part is [version, row count] and then so many rows. Kinds of rows: result, fact, cell, and place, which says of which
 * account and region the rows behind it are (in a job's own parts there is none: the key says it). A gap that repeats
 * within a part is stored once.
 */
enum swp_record_kind {
	SWP_RECORD_PLACE, /* never given out by the reader */
	SWP_RECORD_RESULT,
	SWP_RECORD_FACT,
	SWP_RECORD_CELL,
};

#define SWP_PART_GAPS_REMEMBERED 8

struct swp_part_writer {
	struct swp_buf *out; /* borrowed until swp_part_end */
	size_t start;	     /* where in `out` this part begins */
	uint32_t rows;	     /* written so far; a caller closes the part at SWP_LIMIT_PART_RESOURCES */
	uint32_t gaps;	     /* gaps defined so far */
	struct {
		size_t offset, length; /* encoded bytes in `out` */
		uint32_t number;
	} remembered[SWP_PART_GAPS_REMEMBERED];
};
/* Begins a part at the end of `out`, which then takes only this writer's bytes until swp_part_end. 0 or what swp_buf says. */
int swp_part_begin(struct swp_part_writer *writer, struct swp_buf *out);
/* Each appends one row. Text that is not UTF-8 is stored cleaned (swp_text_clean), text above SWP_LIMIT_ROW_TEXT_BYTES is cut
 * (evidence and value: -E2BIG instead, since half a JSON text is none). 0, -ENOMEM, -E2BIG; then nothing was appended. */
int swp_part_add_place(struct swp_part_writer *writer, const char *account, const char *region);
int swp_part_add_result(struct swp_part_writer *writer, const struct swp_record_result *result);
int swp_part_add_fact(struct swp_part_writer *writer, const struct swp_record_fact *fact);
int swp_part_add_cell(struct swp_part_writer *writer, const struct swp_record_cell *cell);
/* Writes the count; the bytes from `start` on are the part. Returns out->failed. */
int swp_part_end(struct swp_part_writer *writer);
/* Is it time to end it: SWP_LIMIT_PART_RESOURCES rows or SWP_LIMIT_PART_BYTES / 2 bytes. */
bool swp_part_is_full(const struct swp_part_writer *writer);

struct swp_record_row {
	enum swp_record_kind kind;
	const char *account, *region; /* of the last place row; "" before the first */
	union {
		struct swp_record_result result;
		struct swp_record_fact fact;
		struct swp_record_cell cell;
	};
};

struct swp_part_reader; /* opaque; needs memory for texts only, whatever the part's length */
/* `bytes` are borrowed until swp_part_reader_free. -EBADMSG, -EPROTONOSUPPORT, -E2BIG (above SWP_LIMIT_PART_BYTES), -ENOMEM. */
int swp_part_reader_new(const void *bytes, size_t length, struct swp_part_reader **ret_reader);
/* The same reader for another part: spares the allocations. On failure the reader is at its end. */
int swp_part_reader_open(struct swp_part_reader *reader, const void *bytes, size_t length);
/* 1: a row, its texts borrowed until the next call; 0: the end (all counted rows were there, nothing is left over);
 * -EBADMSG, -ENOMEM. Rows before a fault have been given out: a caller that must have all or nothing reads twice. */
int swp_part_next(struct swp_part_reader *reader, struct swp_record_row *ret_row);
void swp_part_reader_free(struct swp_part_reader *reader); /* takes NULL */

/* --- the seal ------------------------------------------------------------------------------------------------------
 * [version, parts, rows, calls, retried, throttled, vanished, answered, worker, [[check, status, reason, not_applicable, partial] …]]
 */
struct swp_record_seal {
	uint32_t parts;			    /* p0 … p<parts-1> belong to it */
	uint64_t rows;			    /* result and fact rows in them */
	uint64_t calls, retried, throttled; /* HTTP requests, of them retries, answers that throttled */
	uint64_t vanished;		    /* resources listed and gone when described */
	bool answered;	    /* AWS answered at least one planned call (a refusal is an answer) */
	const char *worker; /* who did it */
	size_t cell_count;
};
/* `cells` has seal->cell_count entries (≤ SWP_LIMIT_CATALOGUE_ROWS). 0, -ENOMEM, -E2BIG. */
int swp_seal_encode(
	const struct swp_record_seal *seal, const struct swp_record_cell *cells, struct swp_buf *out);

struct swp_seal_reader {
	const char *next, *end; /* internal */
	size_t left;
	char worker[128];
};
/* Reads the head; ret_seal->worker is borrowed from `reader`. -EBADMSG, -EPROTONOSUPPORT. `bytes` are borrowed while cells are read. */
int swp_seal_open(
	struct swp_seal_reader *reader, const void *bytes, size_t length, struct swp_record_seal *ret_seal);
/* 1: a cell; 0: the end; -EBADMSG. */
int swp_seal_next_cell(struct swp_seal_reader *reader, struct swp_record_cell *ret_cell);

/* --- an account's row (value in swp:<sweep>:accounts) --------------------------------------------------------------- */
struct swp_record_account {
	const char *id, *name;
	const char *path;     /* "Root/Workloads/Prod"; NULL: not known */
	const char *state;    /* "ACTIVE" … as Organizations says */
	int64_t joined_at_ms; /* 0: not known */
	bool not_planned;     /* listed only: not active, or excluded */
	bool swept;
	unsigned reason;      /* why it was not swept; enum swp_reason; 0 none */
	const char *excluded; /* why not planned, for people ("suspended", "--exclude-accounts"); "" none */
	const char *const *regions; /* planned; sorted bytewise */
	size_t region_count;
	const char *const *regions_not_enabled;
	size_t region_not_enabled_count;
	struct swp_record_gap
		unread; /* reason 0: its jobs decide; else all its cells are NOT_ASSESSED for this, no job was made */
	int64_t settled_at_ms; /* 0: not settled yet */
	bool regions_told;     /* AWS has said which regions are enabled */
};
/* 0, -ENOMEM, -E2BIG (above SWP_LIMIT_RECORD_REGIONS regions). */
int swp_account_encode(const struct swp_record_account *account, struct swp_buf *out);
/* Everything in ret_account lives in `region`. -EBADMSG, -EPROTONOSUPPORT, -ENOMEM. */
int swp_account_decode(
	const void *bytes, size_t length, struct swp_region *region, struct swp_record_account *ret_account);

/* --- a gap without account (list swp:<sweep>:gaps: the enumeration broke off) ------------------------------------------ */
int swp_gap_encode(const struct swp_record_gap *gap, struct swp_buf *out);
int swp_gap_decode(
	const void *bytes, size_t length, struct swp_region *region, struct swp_record_gap *ret_gap);

/* --- chain instances (values in swp:<sweep>:chains:<account> and swp:<sweep>:chains-over) ------------------------------ */
struct swp_record_chain_finding {
	size_t check;
	const char *account, *region;
	const char *resource; /* NULL: unread list */
	unsigned status;
};
struct swp_record_chain_fix {
	size_t check;
	const char *resource; /* NULL: none */
};
struct swp_record_chain {
	size_t chain;
	bool confirmed;
	const char *basis, *account, *narrative;
	const char *const *regions;
	size_t region_count;
	const char *const *regions_not_assessed;
	size_t region_not_assessed_count;
	const char *const *resources;
	size_t resource_count;
	const struct swp_record_chain_finding *findings;
	size_t finding_count;
	const struct swp_record_chain_fix *fix;
	size_t fix_count;
};
/* Appends one instance behind others: the instances of a value simply follow each other. 0, -ENOMEM, -E2BIG. */
int swp_chain_encode(const struct swp_record_chain *chain, struct swp_buf *out);
struct swp_chain_reader {
	const char *next, *end; /* internal */
};
/* `bytes` are borrowed while it is read. */
void swp_chain_open(struct swp_chain_reader *reader, const void *bytes, size_t length);
/* 1: an instance, everything in `region`; 0: the end; -EBADMSG, -EPROTONOSUPPORT, -ENOMEM. The caller may reset the region
 * between calls. */
int swp_chain_next(
	struct swp_chain_reader *reader, struct swp_region *region, struct swp_record_chain *ret_chain);

#endif
