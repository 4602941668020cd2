/* Streaming JSON; see the header. */
#include "coordinator/json-writer.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/error.h"
#include "proto/base/text.h"

void swp_json_writer_init(struct swp_json_writer *writer, FILE *out)
{
	*writer = (struct swp_json_writer){.out = out};
}

/* The length of the well-formed UTF-8 sequence at `text`, 0 if there is none (RFC 3629: no surrogates, nothing overlong). */
static int sequence_length(const unsigned char *text)
{
	int length = text[0] < 0x80			 ? 1
		     : text[0] >= 0xc2 && text[0] < 0xe0 ? 2
		     : (text[0] & 0xf0) == 0xe0		 ? 3
		     : text[0] >= 0xf0 && text[0] < 0xf5 ? 4
							 : 0;
	for (int i = 1; i < length; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	bool overlong = (text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xf0 && text[1] < 0x90);
	bool outside = (text[0] == 0xed && text[1] > 0x9f) || (text[0] == 0xf4 && text[1] > 0x8f);
	return overlong || outside ? 0 : length;
}

/* U+0080 to U+009F: some of them begin a control sequence, as ESC does. */
static bool is_control(const unsigned char *at)
{
	return *at < 0x20 || *at == 0x7f || (at[0] == 0xc2 && at[1] < 0xa0);
}

/* The length of the sequence that can stand as it is, 0 if there is none. */
static int plain_length(const unsigned char *at)
{
	return *at == '"' || *at == '\\' || is_control(at) ? 0 : sequence_length(at);
}

/* What can't stand as it is; returns its length. */
static int write_escape(FILE *out, const unsigned char *at)
{
	int length = sequence_length(at);
	if (!length)
		fputs("\\ufffd", out);
	else if (is_control(at))
		fprintf(out, "\\u%04x", at[length - 1]);
	else
		fprintf(out, "\\%c", *at);
	return length ? length : 1;
}

static void escaped(FILE *out, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	fputc('"', out);
	while (*at) {
		const unsigned char *start = at;
		for (int length; *at && (length = plain_length(at)) > 0;)
			at += length;
		if (at > start)
			fwrite(start, 1, (size_t)(at - start), out);
		if (*at)
			at += write_escape(out, at);
	}
	fputc('"', out);
}

static void indent(struct swp_json_writer *writer)
{
	fputc('\n', writer->out);
	for (int i = 0; i < writer->depth; i++)
		fputs("  ", writer->out);
}

/* Comma, line, indentation and key before a value. */
static void before(struct swp_json_writer *writer, const char *key)
{
	bool flat = writer->flat[writer->depth];
	if (writer->has_items[writer->depth])
		fputs(flat ? ", " : ",", writer->out);
	if (!flat && writer->depth)
		indent(writer);
	writer->has_items[writer->depth] = true;
	if (key) {
		escaped(writer->out, key);
		fputs(": ", writer->out);
	}
}

static void begin(struct swp_json_writer *writer, const char *key, bool flat, char bracket)
{
	before(writer, key);
	bool inherited = writer->flat[writer->depth];
	SWP_ASSERT(writer->depth + 1 < SWP_JSON_WRITER_DEPTH);
	writer->depth++;
	writer->has_items[writer->depth] = false;
	writer->flat[writer->depth] = flat || inherited;
	fputc(bracket, writer->out);
}

static void end(struct swp_json_writer *writer, char bracket)
{
	SWP_ASSERT(writer->depth > 0);
	bool line = writer->has_items[writer->depth] && !writer->flat[writer->depth];
	writer->depth--;
	if (line)
		indent(writer);
	fputc(bracket, writer->out);
}

void swp_json_object_begin(struct swp_json_writer *writer, const char *key, bool flat)
{
	begin(writer, key, flat, '{');
}

void swp_json_object_end(struct swp_json_writer *writer)
{
	end(writer, '}');
}

void swp_json_array_begin(struct swp_json_writer *writer, const char *key, bool flat)
{
	begin(writer, key, flat, '[');
}

void swp_json_array_end(struct swp_json_writer *writer)
{
	end(writer, ']');
}

void swp_json_text(struct swp_json_writer *writer, const char *key, const char *text)
{
	before(writer, key);
	if (!text)
		fputs("null", writer->out);
	else
		escaped(writer->out, text);
}

void swp_json_text_or_null(struct swp_json_writer *writer, const char *key, const char *text)
{
	swp_json_text(writer, key, text && *text ? text : NULL);
}

void swp_json_number(struct swp_json_writer *writer, const char *key, uint64_t number)
{
	before(writer, key);
	fprintf(writer->out, "%" PRIu64, number);
}

void swp_json_hundredths(struct swp_json_writer *writer, const char *key, uint32_t hundredths)
{
	before(writer, key);
	if (hundredths % 10)
		fprintf(writer->out, "%" PRIu32 ".%02" PRIu32, hundredths / 100, hundredths % 100);
	else
		fprintf(writer->out, "%" PRIu32 ".%" PRIu32, hundredths / 100, hundredths % 100 / 10);
}

void swp_json_bool(struct swp_json_writer *writer, const char *key, bool value)
{
	before(writer, key);
	fputs(value ? "true" : "false", writer->out);
}

void swp_json_raw(struct swp_json_writer *writer, const char *key, const char *json)
{
	before(writer, key);
	fputs(json, writer->out);
}

void swp_json_time(struct swp_json_writer *writer, const char *key, int64_t wall_ms)
{
	char text[SWP_TIME_TEXT_BYTES];
	if (wall_ms >= 0)
		swp_time_format(wall_ms, text);
	swp_json_text(writer, key, wall_ms >= 0 ? text : NULL);
}

int swp_json_writer_finish(struct swp_json_writer *writer)
{
	fputc('\n', writer->out);
	return fflush(writer->out) || ferror(writer->out) ? -EIO : 0;
}
