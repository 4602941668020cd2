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
	SWP_ASSERT((address->scheme == SWP_STORE_SENTINEL) == (address->host[0] == '\0'));
	SWP_ASSERT((address->scheme == SWP_STORE_SENTINEL || address->scheme == SWP_STORE_UNIX) ==
		   (address->port == 0));
	SWP_ASSERT((address->scheme == SWP_STORE_SENTINEL) == (address->sentinel_count > 0));
	SWP_ASSERT(address->sentinel_count <= SWP_LIMIT_SENTINELS);
	for (size_t i = 0; i < address->sentinel_count; i++) {
		SWP_ASSERT(memchr(address->sentinels[i].name, '\0', sizeof(address->sentinels[i].name)));
		SWP_ASSERT(address->sentinels[i].name[0] != '\0' && address->sentinels[i].port != 0);
	}
	SWP_ASSERT(address->scheme != SWP_STORE_UNIX || address->host[0] == '/');
	SWP_ASSERT(!strchr(address->user, ':'));
}

/* What is written out is read as the same. */
static void check_again(const struct swp_store_address *address)
{
	struct swp_store_address again;
	char *url = swp_store_address_format(address);

	if (url) {
		SWP_ASSERT(swp_store_address_parse(url, &again, NULL) == 0);
		SWP_ASSERT(memcmp(&again, address, sizeof(again)) == 0);
	}
	swp_free(url);
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
	if (error == 0) {
		check_address(&address);
		check_again(&address);
	} else
		SWP_ASSERT(problem.text[0] != '\0');
	SWP_ASSERT(!strstr(problem.text, "hunter2"));
	swp_free(url);
	return 0;
}
