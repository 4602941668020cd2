/* The classifier from any status, code and message: whatever is said, a refusal or a success never comes out of nothing.
 * Two bytes of status, one of flags, the code up to a newline, then the message.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/aws/outcome.h"
#include "proto/base/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct swp_answer_facts *facts, const struct swp_classified *said)
{
	SWP_ASSERT((size_t)said->reason < SWP_REASON_COUNT);
	SWP_ASSERT((said->outcome == SWP_OUTCOME_OK) == (facts->status >= 200 && facts->status <= 299));
	SWP_ASSERT((said->reason == SWP_REASON_NONE) ==
		   (said->outcome == SWP_OUTCOME_OK || said->outcome == SWP_OUTCOME_NOT_FOUND));
	SWP_ASSERT(said->outcome != SWP_OUTCOME_NOT_FOUND || (facts->status >= 400 && facts->status <= 499));
	if (facts->code[0] == '\0')
		SWP_ASSERT(said->outcome == SWP_OUTCOME_OK || said->outcome == SWP_OUTCOME_THROTTLED ||
			   said->outcome == SWP_OUTCOME_TRANSIENT || said->outcome == SWP_OUTCOME_FAILED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct swp_gone_rule gone[] = {{"ValidationException", "could not find"}, {"X", NULL}};
	char text[4096], arn[128], *newline;
	struct swp_answer_facts facts = {.gone = gone, .gone_count = 2};
	struct swp_classified said;

	if (size < 3 || size - 3 >= sizeof(text))
		return 0;
	memcpy(text, data + 3, size - 3);
	text[size - 3] = '\0';
	newline = strchr(text, '\n');
	if (newline != NULL)
		*newline = '\0';
	facts.status = (data[0] << 8 | data[1]) % 700;
	facts.date_differs = data[2] & 1;
	facts.code = text;
	facts.message = newline != NULL ? newline + 1 : "";
	said = swp_classify(&facts);
	check(&facts, &said);
	if (swp_classify_policy_arn(facts.message, arn, sizeof(arn)))
		SWP_ASSERT(strncmp(arn, "arn:", 4) == 0 && strlen(arn) < sizeof(arn) &&
			   strstr(facts.message, arn) != NULL);
	return 0;
}
