/* Error answers from any bytes: the header up to the first newline, then the body. Then the classifier sees what was read. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/aws/dialect.h"
#include "proto/aws/outcome.h"
#include "proto/base/error.h"
#include "proto/base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *newline = memchr(text, '\n', size);
	size_t header_length = newline != NULL ? (size_t)(newline - text) : 0;
	char header[256] = "";

	if (header_length < sizeof(header))
		memcpy(header, text, header_length);
	if (newline != NULL)
		header_length++;
	for (int protocol = SWP_PROTOCOL_JSON_1_0; protocol <= SWP_PROTOCOL_REST_XML; protocol++) {
		struct swp_aws_error error;
		struct swp_answer_facts facts = {.status = 400};
		struct swp_classified said;

		swp_dialect_parse_error((enum swp_protocol)protocol, header, text + header_length,
			size - header_length, &error);
		SWP_ASSERT(strlen(error.code) < sizeof(error.code) &&
			   strlen(error.message) < sizeof(error.message));
		SWP_ASSERT(strpbrk(error.code, " \t\r\n#:<>\"\x1b") == NULL);
		SWP_ASSERT(swp_text_is_utf8(error.message, strlen(error.message)));
		facts.code = error.code;
		facts.message = error.message;
		said = swp_classify(&facts);
		/* Who tells no code is not AWS. */
		SWP_ASSERT(error.code[0] != '\0' || said.outcome == SWP_OUTCOME_FAILED);
	}
	return 0;
}
