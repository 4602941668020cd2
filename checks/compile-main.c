/* swp-catalogue-compile OUTPUT FILE...: compiles the catalogue's YAML files into a C array, at build time. A fault fails the build with file,
 * line, cause and the nearest known name. OUTPUT "-" only checks; "*.json" gets the compiled text itself.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checks/catalogue.h"
#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

static void complain(const struct swp_lint_message *message, void *context)
{
	(void)context;
	fprintf(stderr, "%s:%u: error: %s\n", message->file, message->line, message->text);
}

static int read_file(const char *name, struct swp_buf *content)
{
	FILE *stream = fopen(name, "rb");
	char block[65536];
	size_t length;
	int r = 0;

	if (!stream)
		return -errno;
	while (r == 0 && (length = fread(block, 1, sizeof(block), stream)) > 0)
		r = swp_buf_append(content, block, length);
	if (r == 0 && ferror(stream))
		r = -EIO;
	fclose(stream);
	return r;
}

static int write_text(const char *name, const struct swp_buf *compiled)
{
	FILE *stream = fopen(name, "wb");

	if (!stream)
		return -errno;
	fwrite(compiled->data, 1, compiled->length, stream);
	return fclose(stream) == 0 ? 0 : -errno;
}

static int write_array(const char *name, const struct swp_buf *compiled)
{
	FILE *stream = fopen(name, "wb");

	if (!stream)
		return -errno;
	fprintf(stream, "#include \"checks/catalogue.h\"\n\nstatic const char compiled[] = {");
	for (size_t i = 0; i < compiled->length; i++)
		fprintf(stream, "%s%d,", i % 24 ? "" : "\n\t", compiled->data[i]);
	fprintf(stream, "\n\t0};\n\nconst char *swp_catalogue_builtin(size_t *ret_length)\n{\n"
			"\t*ret_length = sizeof(compiled) - 1;\n\treturn compiled;\n}\n");
	if (fclose(stream) != 0)
		return -errno;
	return 0;
}

static int run(const char *output, char **names, size_t count)
{
	struct swp_catalogue_file *files = swp_calloc(count + 1, sizeof(*files));
	struct swp_buf *contents = swp_calloc(count + 1, sizeof(*contents));
	SWP_CLEANUP(swp_buf_done) struct swp_buf compiled = {.limit_bytes = SWP_LIMIT_CATALOGUE_BYTES};
	int r = files && contents ? 0 : -ENOMEM;

	for (size_t i = 0; i < count && r == 0; i++) {
		r = read_file(names[i], &contents[i]);
		if (r < 0)
			fprintf(stderr, "%s: %s\n", names[i], strerror(-r));
		files[i] = (struct swp_catalogue_file){
			.name = names[i], .bytes = swp_buf_text(&contents[i]), .length = contents[i].length};
	}
	if (r == 0)
		r = swp_catalogue_compile(files, count, NULL, complain, NULL, &compiled);
	if (r == 0 && strcmp(output, "-") != 0)
		r = swp_text_ends(output, ".json") ? write_text(output, &compiled)
						   : write_array(output, &compiled);
	if (r < 0)
		fprintf(stderr, "swp-catalogue-compile: %s\n", strerror(-r));
	for (size_t i = 0; contents && i < count; i++)
		swp_buf_done(&contents[i]);
	swp_free(contents);
	swp_free(files);
	return r;
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: swp-catalogue-compile OUTPUT|- FILE...\n");
		return 2;
	}
	return run(argv[1], argv + 2, (size_t)argc - 2) == 0 ? 0 : 1;
}
