/* Endpoint URLs, container addresses and NO_PROXY from any bytes: a line each of URL, host and list. libcurl is asked too: the host that we
 * sign for, and the one that credentials may be fetched from, must be the one that it would connect to.
 */
#include <curl/curl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "proto/aws/credentials.h"
#include "proto/aws/endpoint.h"
#include "proto/io/lookup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct swp_aws_service service = {.name = "bedrock",
	.endpoint_prefix = "bedrock",
	.endpoint_variable = "BEDROCK",
	.signing_name = "bedrock"};

/* Without port; NULL when libcurl takes it for no URL. */
static char *host_of_libcurl(const char *url)
{
	CURLU *parsed = curl_url();
	char *host = NULL;

	if (parsed && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK)
		curl_url_get(parsed, CURLUPART_HOST, &host, 0);
	curl_url_cleanup(parsed);
	return host;
}

static void check_host(const struct swp_endpoint *endpoint)
{
	char url[600], *host;
	size_t length =
		endpoint->host[0] == '[' ? strcspn(endpoint->host, "]") + 1 : strcspn(endpoint->host, ":");

	snprintf(url, sizeof(url), "%s://%s%s/", endpoint->scheme, endpoint->host, endpoint->path);
	host = host_of_libcurl(url);
	SWP_ASSERT(host && (strlen(host) == length && strncasecmp(host, endpoint->host, length) == 0));
	curl_free(host);
}

static void endpoint(const char *url)
{
	struct swp_endpoint_options options = {0};
	struct swp_problem problem = {0};
	struct swp_endpoint resolved;

	if (swp_endpoint_options_add(&options, NULL, NULL, url, &problem) != 0) {
		SWP_ASSERT(problem.text[0]);
		return;
	}
	SWP_ASSERT(swp_endpoint_resolve(
			   &options, swp_partition_by_name("aws"), &service, "eu-west-1", &resolved) == 0);
	SWP_ASSERT(resolved.host[0] && !strpbrk(resolved.host, "@/?# \\") && !strpbrk(resolved.path, "?# "));
	SWP_ASSERT(!resolved.path[0] ||
		   (resolved.path[0] == '/' && resolved.path[strlen(resolved.path) - 1] != '/'));
	check_host(&resolved);
	swp_endpoint_options_done(&options);
}

static void container(const char *url)
{
	char *host = swp_credential_container_url_allowed(url) && strncmp(url, "http://", 7) == 0
			     ? host_of_libcurl(url)
			     : NULL;

	SWP_ASSERT(!host || strncmp(host, "127.", 4) == 0 || strncmp(host, "169.254.170.2", 13) == 0 ||
		   host[0] == '[' || strcasecmp(host, "localhost") == 0);
	curl_free(host);
}

static const char *take_line(char **text)
{
	return *text ? strsep(text, "\n") : "";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = strndup((const char *)data, size), *text = copy;

	if (!copy)
		return 0;
	const char *url = take_line(&text), *host = take_line(&text), *list = take_line(&text);
	endpoint(url);
	container(url);
	bool covered = swp_no_proxy_covers(list, host);
	SWP_ASSERT(!covered || list[0]);
	if (host[0] && covered) { /* more entries cover no less */
		char more[2048];

		if ((size_t)snprintf(more, sizeof(more), "x.invalid, %s", list) < sizeof(more))
			SWP_ASSERT(swp_no_proxy_covers(more, host));
	}
	swp_partition_by_arn(url);
	swp_partition_by_region(host);
	free(copy);
	return 0;
}
