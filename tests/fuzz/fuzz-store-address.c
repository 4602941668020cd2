/* Store URLs: what is accepted keeps its promises; no password ever shows in a message. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/base/text.h"
#include "proto/io/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_address(const struct swp_store_address *address)
{
	SWP_ASSERT(memchr(address->host, '\0', sizeof(address->host)));
	SWP_ASSERT(memchr(address->user, '\0', sizeof(address->user)));
	SWP_ASSERT(address->host[0] != '\0');
	SWP_ASSERT((address->scheme == SWP_STORE_UNIX) == (address->port == 0));
	SWP_ASSERT(address->scheme != SWP_STORE_UNIX || address->host[0] == '/');
	SWP_ASSERT(!strchr(address->user, ':'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *url = swp_strndup((const char *)data, size);
	struct swp_store_address address;
	struct swp_problem problem = {""};
	int error;

	if (!url)
		return 0;
	memset(&address, 0xee, sizeof(address));
	error = swp_store_address_parse(url, &address, &problem);
	SWP_ASSERT(error == 0 || error == -EINVAL);
	if (error == 0)
		check_address(&address);
	else
		SWP_ASSERT(problem.text[0] != '\0');
	SWP_ASSERT(!strstr(problem.text, "hunter2"));
	swp_free(url);
	return 0;
}
