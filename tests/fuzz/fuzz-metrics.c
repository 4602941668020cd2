/* What comes from outside into the metrics: label values, and the address that the server is to listen on. Whatever they are, the text stays
 * one sample a line, whole UTF-8, and says the value again when its escapes are undone. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/base/limits.h"
#include "proto/base/metrics.h"
#include "proto/base/text.h"
#include "proto/io/metrics-server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct swp_metric_row rows[] = {
	{"t_value", SWP_METRIC_GAUGE, "h.", {"first", "second"}},
	{"t_dropped_total", SWP_METRIC_COUNTER, "h.", {"metric"}},
};

static void check_address(const char *text)
{
	struct swp_metrics_address address;
	struct swp_problem problem = {""};
	int error;

	memset(&address, 0xee, sizeof(address));
	error = swp_metrics_address_parse(text, &address, &problem);
	SWP_ASSERT(error == 0 || error == -EINVAL);
	SWP_ASSERT((error == 0) == (problem.text[0] == '\0'));
	if (error)
		return;
	SWP_ASSERT(memchr(address.host, '\0', sizeof(address.host)));
	SWP_ASSERT(!strpbrk(address.host, "[]/@ \t"));
}

/* Undoes the escapes of the value that begins at `at`; what stands behind its closing quote, or NULL when it has none on its line. */
static const char *unescape(const char *at, char *out)
{
	for (; *at && *at != '\n' && *at != '"'; at++) {
		if (*at != '\\') {
			*out++ = *at;
			continue;
		}
		at++;
		SWP_ASSERT(*at == '\\' || *at == '"' || *at == 'n');
		*out++ = *at == 'n' ? '\n' : *at;
	}
	*out = '\0';
	return *at == '"' ? at + 1 : NULL;
}

static void check_text(const char *text, size_t length, const char *first, const char *second)
{
	static const char begin[] = "# HELP t_value h.\n# TYPE t_value gauge\nt_value{first=\"";
	char one[SWP_LIMIT_METRIC_LABEL_BYTES + 1], other[SWP_LIMIT_METRIC_LABEL_BYTES + 1];
	const char *at = text + sizeof(begin) - 1;

	SWP_ASSERT(swp_text_is_utf8(text, length) && swp_text_starts(text, begin));
	at = unescape(at, one);
	SWP_ASSERT(at && swp_text_starts(at, ",second=\""));
	at = unescape(at + strlen(",second=\""), other);
	SWP_ASSERT(at && swp_text_starts(at, "} 1\n# HELP t_dropped_total h.\n"));
	if (strlen(first) <= SWP_LIMIT_METRIC_LABEL_BYTES && swp_text_is_utf8(first, strlen(first)))
		SWP_ASSERT(strcmp(one, first) == 0);
	if (strlen(second) <= SWP_LIMIT_METRIC_LABEL_BYTES && swp_text_is_utf8(second, strlen(second)))
		SWP_ASSERT(strcmp(other, second) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Two texts, at the first NUL. */
	char *first = swp_strndup((const char *)data, size);
	size_t length = first ? strlen(first) : 0;
	char *second = first && length < size
			       ? swp_strndup((const char *)data + length + 1, size - length - 1)
			       : swp_strdup("");
	struct swp_metrics *metrics = swp_metrics_new(rows, SWP_ARRAY_SIZE(rows), 1);
	struct swp_buf text = {0};

	if (first && second && metrics) {
		const char *values[] = {first, second};

		check_address(first);
		swp_metric_set(swp_metrics_series(metrics, 0, values), 1);
		SWP_ASSERT(swp_metric_value(swp_metrics_series(metrics, 0, values)) == 1); /* found again */
		SWP_ASSERT(swp_metrics_write(metrics, &text) == 0);
		check_text(text.data, text.length, first, second);
		swp_metrics_remove_first(metrics, 0, first);
	}
	swp_buf_done(&text);
	swp_metrics_free(metrics);
	swp_free(first);
	swp_free(second);
	return 0;
}
