/* Prints what our endpoint resolver says, for the contract test. In: "partition service-name endpoint-prefix scope region fips
 * dual" a line; out: "scheme://host signing-region", "none" (no such variant) or "error N". "partitions" prints all regions.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/aws/endpoint.h"

static void print_partition(const char *name)
{
	const struct swp_partition *partition = swp_partition_by_name(name);

	if (partition == NULL) {
		puts("unknown");
		return;
	}
	printf("%s %s %s", partition->dns_suffix, partition->dual_stack_suffix, partition->global_region);
	for (const char *const *region = partition->regions; *region != NULL; region++)
		printf(" %s", *region);
	putchar('\n');
}

static void print_endpoint(char *const words[7])
{
	struct swp_aws_service service = {.name = words[1],
		.endpoint_prefix = words[2],
		.signing_name = words[1],
		.scope = strcmp(words[3], "global") == 0 ? SWP_SCOPE_GLOBAL : SWP_SCOPE_REGIONAL};
	struct swp_endpoint_options options = {.fips = words[5][0] == '1', .dual_stack = words[6][0] == '1'};
	struct swp_endpoint endpoint;
	int result = swp_endpoint_resolve(
		&options, swp_partition_by_name(words[0]), &service, words[4], &endpoint);

	if (result == 0)
		printf("%s://%s %s\n", endpoint.scheme, endpoint.host, endpoint.signing_region);
	else if (result == SWP_ENDPOINT_NO_VARIANT)
		puts("none");
	else
		printf("error %d\n", result);
}

int main(void)
{
	char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, stdin) > 0) {
		char *words[7], *rest = line;
		size_t count = 0;

		while (count < 7 && (words[count] = strsep(&rest, " \n")) != NULL && words[count][0] != '\0')
			count++;
		if (count == 7)
			print_endpoint(words);
		else if (count == 2)
			print_partition(words[1]);
		else
			puts("unreadable");
	}
	free(line);
	return 0;
}
