/* Signs requests for the contract test: one JSON object a line on standard input, one Authorization value a line out.
 * {"method","path","query","headers":[[name,value]…],"body","s3","access_key","secret_key","token","region","service","time_ms"}
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/aws/sigv4.h"
#include "proto/base/clock.h"

enum { HEADERS = 28 };

static const char *text(const json_t *row, const char *name)
{
	const char *value = json_string_value(json_object_get(row, name));

	return value != NULL ? value : "";
}

static int sign_row(const json_t *row, struct swp_signature *signature)
{
	const json_t *list = json_object_get(row, "headers"), *body = json_object_get(row, "body");
	struct swp_sign_header headers[HEADERS];
	struct swp_secret secret = {0};
	struct swp_signing_key key;
	int64_t time_ms = json_integer_value(json_object_get(row, "time_ms"));
	char day[SWP_TIME_TEXT_BYTES];
	struct swp_sign_request request = {.method = text(row, "method"),
		.path = text(row, "path"),
		.query = text(row, "query"),
		.headers = headers,
		.body = json_string_value(body),
		.body_length = json_string_length(body),
		.s3 = json_is_true(json_object_get(row, "s3"))};
	int error;

	for (size_t i = 0; i < json_array_size(list) && i < HEADERS; i++) {
		const json_t *pair = json_array_get(list, i);

		headers[request.header_count++] =
			(struct swp_sign_header){json_string_value(json_array_get(pair, 0)),
				json_string_value(json_array_get(pair, 1))};
	}
	swp_time_format_basic(time_ms, day);
	day[8] = '\0';
	error = swp_secret_set(&secret, text(row, "secret_key"), strlen(text(row, "secret_key")));
	if (error == 0)
		error = swp_signing_key_derive(&secret, day, text(row, "region"), text(row, "service"), &key);
	if (error == 0)
		error = swp_sigv4_sign(
			&request, text(row, "access_key"), text(row, "token"), &key, time_ms, signature);
	swp_secret_set(&secret, NULL, 0);
	return error;
}

int main(void)
{
	struct swp_signature signature;
	char *line = NULL;
	size_t size = 0;
	int failures = 0;

	swp_signature_init(&signature);
	while (getline(&line, &size, stdin) > 0) {
		json_t *row = json_loads(line, 0, NULL);
		int error = row != NULL ? sign_row(row, &signature) : -1;

		if (error == 0)
			puts(signature.authorization.data);
		else
			printf("error %d\n", error);
		failures += error != 0;
		json_decref(row);
	}
	free(line);
	swp_signature_done(&signature);
	return failures == 0 ? 0 : 1;
}
