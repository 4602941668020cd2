/* HTTP/1.1 requests. See http.h. */
#include "tests/simulator/http.h"

#include <strings.h>

static char *find_line_end(char *at, char *end)
{
	char *found = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
	return found;
}

static bool parse_request_line(struct swp_sim_text line, struct swp_sim_request *request)
{
	request->method = swp_sim_text_cut(&line, ' ');
	struct swp_sim_text target = swp_sim_text_cut(&line, ' ');
	if (request->method.size == 0 || target.size == 0 || line.at == NULL ||
		!swp_sim_text_starts(line, "HTTP/1."))
		return false;
	request->keeps_alive = swp_sim_text_is(line, "HTTP/1.1");
	if (swp_sim_text_starts(target, "https://") || swp_sim_text_starts(target, "http://")) {
		const char *authority = (const char *)memchr(target.at, ':', target.size) + 3;
		size_t left = target.size - (size_t)(authority - target.at);
		const char *slash = memchr(authority, '/', left);
		target = slash ? (struct swp_sim_text){slash, left - (size_t)(slash - authority)}
			       : SWP_SIM_TEXT("/");
	}
	request->path = swp_sim_text_cut(&target, '?');
	request->query = target.at ? target : (struct swp_sim_text){"", 0};
	return request->path.size && request->path.at[0] == '/';
}

static void keep_known(struct swp_sim_request *request, struct swp_sim_text name, struct swp_sim_text value)
{
	static const struct {
		struct swp_sim_text name;
		size_t offset;
	} known[] = {
#define KNOWN(literal, member) {{literal, sizeof(literal) - 1}, offsetof(struct swp_sim_request, member)}
		KNOWN("host", host),
		KNOWN("authorization", authorization),
		KNOWN("x-amz-target", target),
		KNOWN("content-type", content_type),
		KNOWN("x-amz-date", date),
		KNOWN("x-amz-security-token", token),
		KNOWN("x-amz-content-sha256", content_hash),
		KNOWN("user-agent", user_agent),
#undef KNOWN
	};
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (swp_sim_text_equal(name, known[i].name)) {
			memcpy((char *)request + known[i].offset, &value, sizeof value);
			return;
		}
	}
}

static bool parse_header(char *at, size_t size, struct swp_sim_request *request)
{
	char *colon = memchr(at, ':', size);
	if (colon == NULL || colon == at || request->header_count == SWP_SIM_HEADERS_MAX)
		return false;
	for (char *c = at; c < colon; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c | 32);
		else if (*c == ' ' || *c == '\t')
			return false;
	}
	struct swp_sim_header *header = &request->headers[request->header_count++];
	header->name = (struct swp_sim_text){at, (size_t)(colon - at)};
	header->value = swp_sim_text_trim((struct swp_sim_text){colon + 1, size - (size_t)(colon + 1 - at)});
	keep_known(request, header->name, header->value);
	return true;
}

static enum swp_sim_http_result find_body(char *body, char *end, struct swp_sim_request *request)
{
	uint64_t length = 0;
	struct swp_sim_text value = swp_sim_http_header(request, "content-length");
	if (swp_sim_http_header(request, "transfer-encoding").at != NULL)
		return SWP_SIM_HTTP_BAD;
	if (value.at != NULL && swp_sim_text_number(value, &length) != 0)
		return SWP_SIM_HTTP_BAD;
	if (length > SWP_SIM_BODY_BYTES_MAX)
		return SWP_SIM_HTTP_TOO_LARGE;
	value = swp_sim_http_header(request, "connection");
	if (value.at != NULL && swp_sim_text_is_caseless(value, "close"))
		request->keeps_alive = false;
	value = swp_sim_http_header(request, "expect");
	request->expects_continue = value.at != NULL && swp_sim_text_is_caseless(value, "100-continue");
	if ((uint64_t)(end - body) < length)
		return SWP_SIM_HTTP_MORE;
	request->body = (struct swp_sim_text){body, (size_t)length};
	return SWP_SIM_HTTP_COMPLETE;
}

enum swp_sim_http_result swp_sim_http_parse(char *bytes, size_t size, struct swp_sim_request *ret)
{
	char *end = bytes + size, *at = bytes;
	bool is_first = true;
	ret->expects_continue = false;
	if (memmem(bytes, size < SWP_SIM_HEAD_BYTES_MAX ? size : SWP_SIM_HEAD_BYTES_MAX, "\r\n\r\n", 4) ==
		NULL)
		return size >= SWP_SIM_HEAD_BYTES_MAX ? SWP_SIM_HTTP_TOO_LARGE : SWP_SIM_HTTP_MORE;
	ret->header_count = 0;
	ret->host = ret->authorization = ret->target = ret->content_type = (struct swp_sim_text){"", 0};
	ret->date = ret->token = ret->content_hash = ret->user_agent = (struct swp_sim_text){"", 0};
	for (;; is_first = false) {
		char *line_end = find_line_end(at, end);
		if (line_end == NULL || line_end == at || line_end[-1] != '\r')
			return SWP_SIM_HTTP_BAD;
		size_t line_size = (size_t)(line_end - 1 - at);
		char *line = at;
		at = line_end + 1;
		if (line_size == 0 && !is_first)
			break;
		if (is_first ? !parse_request_line((struct swp_sim_text){line, line_size}, ret)
			     : !parse_header(line, line_size, ret))
			return SWP_SIM_HTTP_BAD;
	}
	enum swp_sim_http_result result = find_body(at, end, ret);
	if (result == SWP_SIM_HTTP_COMPLETE)
		ret->size = (size_t)(at - bytes) + ret->body.size;
	return result;
}

struct swp_sim_text swp_sim_http_header(const struct swp_sim_request *request, const char *name)
{
	size_t size = strlen(name);
	for (size_t i = 0; i < request->header_count; i++) {
		struct swp_sim_text have = request->headers[i].name;
		if (have.size == size && memcmp(have.at, name, size) == 0)
			return request->headers[i].value;
	}
	return (struct swp_sim_text){NULL, 0};
}

const char *swp_sim_http_reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
		{200, "OK"},
		{301, "Moved Permanently"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{407, "Proxy Authentication Required"},
		{409, "Conflict"},
		{413, "Content Too Large"},
		{429, "Too Many Requests"},
		{500, "Internal Server Error"},
		{502, "Bad Gateway"},
		{503, "Service Unavailable"},
		{504, "Gateway Timeout"},
	};
	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
		if (reasons[i].status == status)
			return reasons[i].reason;
	}
	return "Status";
}
