/* Parser and look-ups of the shared AWS files. It never opens one, and never quotes what stands in one. */
#include "proto/aws/profile.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/limits.h"
#include "proto/base/map.h"
#include "proto/base/secret.h"
#include "proto/base/text.h"

#define SPACES " \t\r\f\v"

struct entry {
	char *value; /* owned, wiped */
	bool group;  /* has sub-keys, which stand in the section's map as "key\nsub" */
	unsigned line;
};

struct section {
	struct swp_map *entries; /* key → struct entry */
	unsigned line;
};

enum section_kind {
	KIND_PROFILE,
	KIND_SSO_SESSION,
	KIND_SERVICES,
	KIND_COUNT,
	KIND_OTHER = KIND_COUNT,
};

struct file {
	char *path;
	struct swp_map *sections;	   /* header as written → struct section, owned */
	struct swp_map *names[KIND_COUNT]; /* name → struct section, borrowed from sections */
};

struct swp_profile_set {
	struct file files[2]; /* by enum swp_profile_file */
};

/* --- ownership --- */

static void free_entry(void *pointer)
{
	struct entry *entry = pointer;
	if (!entry)
		return;
	if (entry->value)
		swp_wipe(entry->value, strlen(entry->value));
	swp_free(entry->value);
	swp_free(entry);
}

static void free_section(void *pointer)
{
	struct section *section = pointer;
	if (!section)
		return;
	swp_map_free(section->entries, free_entry);
	swp_free(section);
}

static void file_done(struct file *file)
{
	for (int kind = 0; kind < KIND_COUNT; kind++)
		swp_map_free(file->names[kind], NULL);
	swp_map_free(file->sections, free_section);
	swp_free(file->path);
	*file = (struct file){0};
}

static int file_init(struct file *file, const char *path)
{
	file->path = swp_strdup(path);
	file->sections = swp_map_new();
	bool complete = file->path && file->sections;
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		file->names[kind] = swp_map_new();
		complete = complete && file->names[kind];
	}
	return complete ? 0 : -ENOMEM;
}

struct swp_profile_set *swp_profile_set_new(void)
{
	return swp_calloc(1, sizeof(struct swp_profile_set));
}

void swp_profile_set_free(struct swp_profile_set *set)
{
	if (!set)
		return;
	file_done(&set->files[SWP_PROFILE_CONFIG]);
	file_done(&set->files[SWP_PROFILE_CREDENTIALS]);
	swp_free(set);
}

const char *swp_profile_set_path(const struct swp_profile_set *set, enum swp_profile_file file)
{
	return set->files[file].path ? set->files[file].path : "";
}

/* --- words --- */

struct splitter {
	struct swp_buf word;
	char **words;
	size_t count;
	bool open; /* a word has begun, an empty quoted one too */
};

void swp_words_free(char **words)
{
	for (size_t i = 0; words && words[i]; i++) {
		swp_wipe(words[i], strlen(words[i]));
		swp_free(words[i]);
	}
	swp_free(words);
}

static int end_word(struct splitter *splitter)
{
	if (!splitter->open)
		return 0;
	if (splitter->count >= SWP_LIMIT_COMMAND_WORDS)
		return -E2BIG;
	char *word = swp_strndup(swp_buf_text(&splitter->word), splitter->word.length);
	if (!word)
		return -ENOMEM;
	splitter->words[splitter->count++] = word;
	splitter->open = false;
	swp_buf_clear(&splitter->word);
	return 0;
}

/* Takes one quoted part; `*text` stands behind the opening quote and is left on the closing one. */
static int take_quoted(struct splitter *splitter, const char **text, char quote)
{
	const char *c = *text;
	for (; *c && *c != quote; c++) {
		if (quote == '"' && *c == '\\' && (c[1] == '"' || c[1] == '\\'))
			c++;
		int r = swp_buf_append_byte(&splitter->word, *c);
		if (r < 0)
			return r;
	}
	*text = c;
	return *c ? 0 : -EINVAL;
}

static int split_words(struct splitter *splitter, const char *text)
{
	for (const char *c = text; *c; c++) {
		int r;
		if (strchr(" \t\r\n", *c)) {
			r = end_word(splitter);
		} else if (*c == '\'' || *c == '"') {
			splitter->open = true;
			char quote = *c++;
			r = take_quoted(splitter, &c, quote);
		} else {
			if (*c == '\\' && !*++c)
				return -EINVAL;
			splitter->open = true;
			r = swp_buf_append_byte(&splitter->word, *c);
		}
		if (r < 0)
			return r;
	}
	return end_word(splitter);
}

int swp_words_split(const char *text, char ***ret_words, size_t *ret_count)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf word_guard = {0};
	struct splitter splitter = {.words = swp_calloc(SWP_LIMIT_COMMAND_WORDS + 1, sizeof(char *))};
	if (!splitter.words)
		return -ENOMEM;
	splitter.word.secret = true;
	int r = split_words(&splitter, text);
	word_guard = splitter.word;
	if (r < 0) {
		swp_words_free(splitter.words);
		return r;
	}
	*ret_words = splitter.words;
	if (ret_count)
		*ret_count = splitter.count;
	return 0;
}

/* --- parser: one line at a time, as Python's configparser does --- */

struct parser {
	struct file *file;
	enum swp_profile_file which;
	struct swp_problem *problem;
	unsigned line;
	size_t indent;		 /* of the key that continuation lines belong to */
	struct section *section; /* borrowed */
	char *key;		 /* owned; NULL: no value is being collected */
	unsigned key_line;
	struct swp_buf value;
};

static void parser_done(struct parser *parser)
{
	swp_free(parser->key);
	swp_buf_done(&parser->value);
}

static int complain(const struct parser *parser, unsigned line, const char *what)
{
	return swp_problem_set(parser->problem, -EINVAL, "%s line %u: %s", parser->file->path, line, what);
}

static int put_entry(struct parser *parser, const char *key, const char *value, size_t length, bool group)
{
	struct entry *entry = swp_calloc(1, sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	*entry =
		(struct entry){.value = swp_strndup(value, length), .group = group, .line = parser->key_line};
	void *old = NULL;
	if (!entry->value || swp_map_put(parser->section->entries, key, entry, &old) < 0) {
		free_entry(entry);
		return -ENOMEM;
	}
	free_entry(old);
	return 0;
}

static const char *trim(const char *text, size_t *length)
{
	while (*length && strchr(SPACES, *text)) {
		text++;
		(*length)--;
	}
	while (*length && strchr(SPACES "\n", text[*length - 1]))
		(*length)--;
	return text;
}

static int put_sub_key(struct parser *parser, const char *line, size_t length)
{
	const char *equals = memchr(line, '=', length);
	if (!equals)
		return complain(parser, parser->key_line,
			"below this key each line must be `name = value`; correct or remove the indented "
			"lines");
	size_t key_length = (size_t)(equals - line);
	size_t value_length = length - key_length - 1;
	const char *key = trim(line, &key_length);
	const char *value = trim(equals + 1, &value_length);
	SWP_CLEANUP(swp_free_pointer)
	char *full = swp_asprintf("%s\n%.*s", parser->key, (int)key_length, key);
	return full ? put_entry(parser, full, value, value_length, false) : -ENOMEM;
}

static int put_group(struct parser *parser, const char *text)
{
	for (const char *line = text; *line; line += *line == '\n') {
		size_t length = strcspn(line, "\n");
		size_t trimmed = length;
		const char *begin = trim(line, &trimmed);
		int r = trimmed ? put_sub_key(parser, begin, trimmed) : 0;
		if (r < 0)
			return r;
		line += length;
	}
	return put_entry(parser, parser->key, "", 0, true);
}

/* Ends the value that is being collected, if one is. */
static int end_value(struct parser *parser)
{
	if (!parser->key)
		return 0;
	while (parser->value.length && strchr(SPACES "\n", parser->value.data[parser->value.length - 1]))
		swp_buf_truncate(&parser->value, parser->value.length - 1);
	const char *text = swp_buf_text(&parser->value);
	int r = parser->value.failed;
	if (r == 0)
		r = *text == '\n' ? put_group(parser, text)
				  : put_entry(parser, parser->key, text, parser->value.length, false);
	swp_free(parser->key);
	parser->key = NULL;
	swp_buf_clear(&parser->value);
	return r;
}

static const struct section_word {
	const char *word;
	enum section_kind kind;
} section_words[] = {
	{"profile", KIND_PROFILE},
	{"sso-session", KIND_SSO_SESSION},
	{"services", KIND_SERVICES},
};

/* Which kind a header of the config file is, and its name (owned by the caller). 0, -ENOMEM. */
static int classify_header(
	const struct parser *parser, const char *header, enum section_kind *ret_kind, char **ret_name)
{
	*ret_kind = KIND_OTHER;
	*ret_name = NULL;
	char **words = NULL;
	size_t count = 0;
	if (parser->which == SWP_PROFILE_CREDENTIALS || swp_text_equal(header, "default")) {
		*ret_kind = KIND_PROFILE;
		*ret_name = swp_strdup(header);
		return *ret_name ? 0 : -ENOMEM;
	}
	int r = swp_words_split(header, &words, &count);
	for (size_t i = 0; r == 0 && count == 2 && i < SWP_ARRAY_SIZE(section_words); i++) {
		if (!swp_text_equal(words[0], section_words[i].word))
			continue;
		*ret_kind = section_words[i].kind;
		*ret_name = swp_strdup(words[1]);
		r = *ret_name ? 0 : -ENOMEM;
	}
	swp_words_free(words);
	return r == -ENOMEM ? r : 0;
}

static int name_section(struct parser *parser, const char *header, struct section *section)
{
	enum section_kind kind;
	SWP_CLEANUP(swp_free_pointer) char *name = NULL;
	int r = classify_header(parser, header, &kind, &name);
	if (r < 0 || kind == KIND_OTHER)
		return r;
	return swp_map_put(parser->file->names[kind], name, section, NULL);
}

static int add_section(struct parser *parser, const char *header)
{
	const struct section *twin = swp_map_get(parser->file->sections, header);
	if (twin)
		return swp_problem_set(parser->problem, -EINVAL,
			"%s line %u: section [%s] stands there twice, the first time in line %u; join the "
			"two",
			parser->file->path, parser->line, header, twin->line);
	if (swp_map_count(parser->file->sections) >= SWP_LIMIT_PROFILE_SECTIONS)
		return swp_problem_set(parser->problem, -E2BIG, "%s: more than %d sections; split the file",
			parser->file->path, SWP_LIMIT_PROFILE_SECTIONS);
	struct section *section = swp_calloc(1, sizeof(*section));
	if (!section)
		return -ENOMEM;
	section->line = parser->line;
	section->entries = swp_map_new();
	if (!section->entries || swp_map_put(parser->file->sections, header, section, NULL) < 0) {
		free_section(section);
		return -ENOMEM;
	}
	parser->section = section;
	return name_section(parser, header, section);
}

/* "[header] anything": true, with the header's length, when the line is one. */
static bool find_header(const char *line, size_t length, size_t *ret_length)
{
	const char *end = line[0] == '[' ? memrchr(line, ']', length) : NULL;
	if (!end || end < line + 2)
		return false;
	*ret_length = (size_t)(end - line) - 1;
	return true;
}

static int begin_value(struct parser *parser, const char *line, size_t length)
{
	size_t key_length = 0;
	while (key_length < length && line[key_length] != '=' && line[key_length] != ':')
		key_length++;
	size_t value_length = length - key_length - (key_length < length);
	const char *value = trim(line + length - value_length, &value_length);
	bool has_delimiter = key_length < length;
	const char *key = trim(line, &key_length);
	if (!has_delimiter || key_length == 0)
		return complain(parser, parser->line,
			"expected `key = value` or `[section]`; correct or remove the line");
	if (!parser->section)
		return complain(
			parser, parser->line, "a key stands before the first `[section]`; put it under one");
	parser->key = swp_strndup(key, key_length);
	if (!parser->key)
		return -ENOMEM;
	for (char *c = parser->key; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	parser->key_line = parser->line;
	const struct entry *twin = swp_map_get(parser->section->entries, parser->key);
	if (twin)
		return swp_problem_set(parser->problem, -EINVAL,
			"%s line %u: key %s stands twice in its section, the first time in line %u; remove "
			"one",
			parser->file->path, parser->line, parser->key, twin->line);
	return swp_buf_append(&parser->value, value, value_length);
}

static int parse_line(struct parser *parser, const char *line, size_t length)
{
	size_t trimmed = length;
	const char *text = trim(line, &trimmed);
	if (trimmed == 0 || *text == '#' || *text == ';')
		return 0;
	size_t indent = (size_t)(text - line);
	if (parser->key && indent > parser->indent) {
		int r = swp_buf_append_byte(&parser->value, '\n');
		return r < 0 ? r : swp_buf_append(&parser->value, text, trimmed);
	}
	int r = end_value(parser);
	if (r < 0)
		return r;
	parser->indent = indent;
	size_t header_length;
	if (!find_header(text, trimmed, &header_length))
		return begin_value(parser, text, trimmed);
	SWP_CLEANUP(swp_free_pointer) char *header = swp_strndup(text + 1, header_length);
	return header ? add_section(parser, header) : -ENOMEM;
}

static int parse_file(struct parser *parser, const char *bytes, size_t length)
{
	static const char mark[] = "\xef\xbb\xbf"; /* some editors put it first */
	const char *end = bytes + length;
	if (length >= 3 && memcmp(bytes, mark, 3) == 0)
		bytes += 3;
	while (bytes < end) {
		const char *stop = memchr(bytes, '\n', (size_t)(end - bytes));
		size_t line_length = (size_t)((stop ? stop : end) - bytes);
		parser->line++;
		int r = parse_line(parser, bytes, line_length);
		if (r < 0)
			return r;
		bytes += line_length + (stop != NULL);
	}
	return end_value(parser);
}

int swp_profile_set_add(struct swp_profile_set *set, enum swp_profile_file which, const char *path,
	const char *bytes, size_t length, struct swp_problem *problem)
{
	if (length > SWP_LIMIT_FILE_BYTES)
		return swp_problem_set(problem, -E2BIG, "%s is larger than %u MiB; that is no AWS file", path,
			SWP_LIMIT_FILE_BYTES >> 20);
	if (!swp_text_is_utf8(bytes ? bytes : "", length))
		return swp_problem_set(problem, -EINVAL, "%s is not UTF-8 text; save it as UTF-8", path);
	struct file *file = &set->files[which];
	file_done(file);
	struct parser parser = {.file = file, .which = which, .problem = problem};
	swp_buf_init(&parser.value, SWP_LIMIT_FILE_BYTES);
	parser.value.secret = true;
	int r = file_init(file, path);
	if (r == 0 && length)
		r = parse_file(&parser, bytes, length);
	parser_done(&parser);
	if (r == -ENOMEM)
		swp_problem_set(problem, r, "%s: out of memory", path);
	return r;
}

/* --- look-ups --- */

static const struct section *find_section(const struct file *file, enum section_kind kind, const char *name)
{
	return file->names[kind] ? swp_map_get(file->names[kind], name) : NULL;
}

static const char *section_get(const struct section *section, const char *key)
{
	const struct entry *entry = section ? swp_map_get(section->entries, key) : NULL;
	return entry && !entry->group ? entry->value : NULL;
}

struct nearest {
	const char *word, *best;
};

/* swp_nearest compares a list; two at a time keep the better one without a list. */
static int keep_nearer(const char *key, void *value, void *context)
{
	(void)value;
	struct nearest *nearest = context;
	const char *pair[2] = {nearest->best ? nearest->best : key, key};
	const char *winner = swp_nearest(nearest->word, pair, 2);
	if (winner)
		nearest->best = winner;
	return 0;
}

static void find_nearest(const struct file *file, enum section_kind kind, struct nearest *nearest)
{
	if (file->names[kind])
		swp_map_each(file->names[kind], keep_nearer, nearest);
}

bool swp_profile_exists(const struct swp_profile_set *set, const char *profile)
{
	return find_section(&set->files[SWP_PROFILE_CONFIG], KIND_PROFILE, profile) ||
	       find_section(&set->files[SWP_PROFILE_CREDENTIALS], KIND_PROFILE, profile);
}

const char *swp_profile_nearest(const struct swp_profile_set *set, const char *profile)
{
	struct nearest nearest = {.word = profile};
	find_nearest(&set->files[SWP_PROFILE_CONFIG], KIND_PROFILE, &nearest);
	find_nearest(&set->files[SWP_PROFILE_CREDENTIALS], KIND_PROFILE, &nearest);
	return nearest.best;
}

const char *swp_profile_get_from(
	const struct swp_profile_set *set, enum swp_profile_file file, const char *profile, const char *key)
{
	return section_get(find_section(&set->files[file], KIND_PROFILE, profile), key);
}

const char *swp_profile_get(const struct swp_profile_set *set, const char *profile, const char *key)
{
	const char *value = swp_profile_get_from(set, SWP_PROFILE_CREDENTIALS, profile, key);
	return value ? value : swp_profile_get_from(set, SWP_PROFILE_CONFIG, profile, key);
}

static const struct section *find_sso_session(const struct swp_profile_set *set, const char *session)
{
	return find_section(&set->files[SWP_PROFILE_CONFIG], KIND_SSO_SESSION, session);
}

bool swp_sso_session_exists(const struct swp_profile_set *set, const char *session)
{
	return find_sso_session(set, session) != NULL;
}

const char *swp_sso_session_nearest(const struct swp_profile_set *set, const char *session)
{
	struct nearest nearest = {.word = session};
	find_nearest(&set->files[SWP_PROFILE_CONFIG], KIND_SSO_SESSION, &nearest);
	return nearest.best;
}

const char *swp_sso_session_get(const struct swp_profile_set *set, const char *session, const char *key)
{
	return section_get(find_sso_session(set, session), key);
}

struct session_walk {
	int (*visit)(const char *key, const char *value, void *context);
	void *context;
};

static int visit_plain(const char *key, void *value, void *context)
{
	const struct session_walk *walk = context;
	const struct entry *entry = value;
	return entry->group || strchr(key, '\n') ? 0 : walk->visit(key, entry->value, walk->context);
}

int swp_sso_session_each(const struct swp_profile_set *set, const char *session,
	int (*visit)(const char *key, const char *value, void *context), void *context)
{
	const struct section *section = find_sso_session(set, session);
	struct session_walk walk = {.visit = visit, .context = context};
	return section ? swp_map_each(section->entries, visit_plain, &walk) : 0;
}

static const struct section *find_services(const struct swp_profile_set *set, const char *name)
{
	return find_section(&set->files[SWP_PROFILE_CONFIG], KIND_SERVICES, name);
}

bool swp_services_exists(const struct swp_profile_set *set, const char *section)
{
	return find_services(set, section) != NULL;
}

const char *swp_services_get(
	const struct swp_profile_set *set, const char *section, const char *service, const char *key)
{
	char full[160];
	int length = snprintf(full, sizeof(full), "%s\n%s", service, key);
	return length > 0 && (size_t)length < sizeof(full) ? section_get(find_services(set, section), full)
							   : NULL;
}

/* --- environment and settings --- */

const char *swp_environment_get(const struct swp_environment *environment, const char *name)
{
	const char *value = environment->get ? environment->get(environment->context, name) : NULL;
	return value && *value ? value : NULL;
}

/* $NAME or ${NAME} at `text`: appends the value; returns how many bytes of text it took, 0 when it is none. */
static size_t expand_variable(
	const struct swp_environment *environment, const char *text, struct swp_buf *out)
{
	bool braced = text[1] == '{';
	const char *name = text + 1 + braced;
	size_t length = 0;
	while (isalnum((unsigned char)name[length]) || name[length] == '_')
		length++;
	char buffer[128];
	if (length == 0 || length >= sizeof(buffer) || (braced && name[length] != '}'))
		return 0;
	memcpy(buffer, name, length);
	buffer[length] = 0;
	const char *value = environment->get ? environment->get(environment->context, buffer) : NULL;
	if (!value)
		return 0;
	swp_buf_append_text(out, value);
	return 1 + (braced ? 2u : 0u) + length;
}

int swp_path_expand(const struct swp_environment *environment, const char *path, struct swp_buf *out)
{
	if (path[0] == '~' && (path[1] == '/' || path[1] == 0) && environment->home) {
		swp_buf_append_text(out, environment->home);
		path++;
	}
	while (*path) {
		size_t taken = *path == '$' ? expand_variable(environment, path, out) : 0;
		if (taken == 0) {
			swp_buf_append_byte(out, *path);
			taken = 1;
		}
		path += taken;
	}
	return out->failed;
}

int swp_profile_path(
	const struct swp_environment *environment, enum swp_profile_file file, struct swp_buf *out)
{
	static const char *const variables[] = {"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"};
	static const char *const usual[] = {"~/.aws/config", "~/.aws/credentials"};
	const char *path = swp_environment_get(environment, variables[file]);
	return swp_path_expand(environment, path ? path : usual[file], out);
}

static const struct setting_row {
	const char *variables[2];
	const char *key;
} settings[SWP_SETTING_COUNT] = {
	[SWP_SETTING_REGION] = {{"AWS_REGION", "AWS_DEFAULT_REGION"}, "region"},
	[SWP_SETTING_CA_BUNDLE] = {{"AWS_CA_BUNDLE"}, "ca_bundle"},
	[SWP_SETTING_USE_FIPS] = {{"AWS_USE_FIPS_ENDPOINT"}, "use_fips_endpoint"},
	[SWP_SETTING_USE_DUAL_STACK] = {{"AWS_USE_DUALSTACK_ENDPOINT"}, "use_dualstack_endpoint"},
	[SWP_SETTING_IGNORE_ENDPOINT_URLS] = {{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"},
		"ignore_configured_endpoint_urls"},
	[SWP_SETTING_METADATA_TIMEOUT] = {{"AWS_METADATA_SERVICE_TIMEOUT"}, "metadata_service_timeout"},
	[SWP_SETTING_METADATA_ATTEMPTS] = {{"AWS_METADATA_SERVICE_NUM_ATTEMPTS"},
		"metadata_service_num_attempts"},
	[SWP_SETTING_METADATA_ENDPOINT] = {{"AWS_EC2_METADATA_SERVICE_ENDPOINT"},
		"ec2_metadata_service_endpoint"},
	[SWP_SETTING_METADATA_ENDPOINT_MODE] = {{"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"},
		"ec2_metadata_service_endpoint_mode"},
	[SWP_SETTING_METADATA_V1_DISABLED] = {{"AWS_EC2_METADATA_V1_DISABLED"}, "ec2_metadata_v1_disabled"},
	[SWP_SETTING_METADATA_USE_IPV6] = {{"AWS_IMDS_USE_IPV6"}, "imds_use_ipv6"},
};

const char *swp_setting_get(const struct swp_profile_set *set, const struct swp_environment *environment,
	const char *profile, enum swp_setting setting)
{
	const struct setting_row *row = &settings[setting];
	for (size_t i = 0; i < SWP_ARRAY_SIZE(row->variables) && row->variables[i]; i++) {
		const char *value = swp_environment_get(environment, row->variables[i]);
		if (value)
			return value;
	}
	const char *value = swp_profile_get(set, profile, row->key);
	return value && *value ? value : NULL;
}

bool swp_setting_is_true(const struct swp_profile_set *set, const struct swp_environment *environment,
	const char *profile, enum swp_setting setting)
{
	return swp_text_equal_ignoring_case(swp_setting_get(set, environment, profile, setting), "true");
}

const char *swp_setting_variable(enum swp_setting setting)
{
	return settings[setting].variables[0];
}

const char *swp_profile_choose(
	const struct swp_environment *environment, const char *explicit_profile, bool *ret_named)
{
	const char *name = explicit_profile;
	if (!name)
		name = swp_environment_get(environment, "AWS_PROFILE");
	if (!name)
		name = swp_environment_get(environment, "AWS_DEFAULT_PROFILE");
	if (ret_named)
		*ret_named = name != NULL;
	return name ? name : "default";
}

/* --- configured endpoints --- */

struct endpoint_walk {
	const struct swp_profile_set *set;
	const struct swp_environment *environment;
	const char *profile;
	const char *services; /* name of the profile's services section; NULL: none */
	struct swp_endpoint_options *options;
	struct swp_problem *problem;
};

static int add_endpoint(struct endpoint_walk *walk, const char *service, const char *url, const char *where)
{
	int r = swp_endpoint_options_add(walk->options, service, NULL, url, walk->problem);
	if (r < 0)
		swp_problem_prefix(walk->problem, "%s", where);
	return r;
}

static int add_variable_endpoint(
	struct endpoint_walk *walk, const struct swp_aws_service *service, bool *ret_found)
{
	char variable[160];
	snprintf(variable, sizeof(variable), "AWS_ENDPOINT_URL_%s", service->endpoint_variable);
	const char *url = swp_environment_get(walk->environment, variable);
	*ret_found = url != NULL;
	return url ? add_endpoint(walk, service->name, url, variable) : 0;
}

static int add_section_endpoint(struct endpoint_walk *walk, const struct swp_aws_service *service)
{
	char key[128];
	size_t i = 0;
	for (; service->endpoint_variable[i] && i < sizeof(key) - 1; i++)
		key[i] = (char)tolower((unsigned char)service->endpoint_variable[i]);
	key[i] = 0;
	const char *url = swp_services_get(walk->set, walk->services, key, "endpoint_url");
	char where[256];
	snprintf(where, sizeof(where), "[services %s] %s endpoint_url", walk->services, key);
	return url && *url ? add_endpoint(walk, service->name, url, where) : 0;
}

static int find_services_section(struct endpoint_walk *walk)
{
	walk->services = swp_profile_get(walk->set, walk->profile, "services");
	if (!walk->services || swp_services_exists(walk->set, walk->services))
		return 0;
	return swp_problem_set(walk->problem, -EINVAL,
		"profile %s names services = %s, but %s has no section [services %s]; add it or remove the "
		"key",
		walk->profile, walk->services, swp_profile_set_path(walk->set, SWP_PROFILE_CONFIG),
		walk->services);
}

static int add_endpoints(
	struct endpoint_walk *walk, const struct swp_aws_service *const *services, size_t count)
{
	const char *global = swp_environment_get(walk->environment, "AWS_ENDPOINT_URL");
	int r = global ? add_endpoint(walk, NULL, global, "AWS_ENDPOINT_URL") : find_services_section(walk);
	for (size_t i = 0; r == 0 && i < count; i++) {
		bool found;
		r = add_variable_endpoint(walk, services[i], &found);
		if (r == 0 && !found && walk->services)
			r = add_section_endpoint(walk, services[i]);
	}
	const char *own = global ? NULL : swp_profile_get(walk->set, walk->profile, "endpoint_url");
	if (r == 0 && own && *own)
		r = add_endpoint(walk, NULL, own, "endpoint_url of the profile");
	return r;
}

static int read_switch(struct endpoint_walk *walk, enum swp_setting setting, bool *ret_value)
{
	const char *value = swp_setting_get(walk->set, walk->environment, walk->profile, setting);
	if (value && !swp_text_equal_ignoring_case(value, "true") &&
		!swp_text_equal_ignoring_case(value, "false"))
		return swp_problem_set(walk->problem, -EINVAL,
			"%s (or %s of profile %s) must be true or false", settings[setting].variables[0],
			settings[setting].key, walk->profile);
	*ret_value = value && swp_text_equal_ignoring_case(value, "true");
	return 0;
}

int swp_profile_endpoints(const struct swp_profile_set *set, const struct swp_environment *environment,
	const char *profile, const struct swp_aws_service *const *services, size_t service_count,
	struct swp_endpoint_options *options, struct swp_problem *problem)
{
	struct endpoint_walk walk = {.set = set,
		.environment = environment,
		.profile = profile,
		.options = options,
		.problem = problem};
	int r = read_switch(&walk, SWP_SETTING_USE_FIPS, &options->fips);
	if (r == 0)
		r = read_switch(&walk, SWP_SETTING_USE_DUAL_STACK, &options->dual_stack);
	if (r < 0 || swp_setting_is_true(set, environment, profile, SWP_SETTING_IGNORE_ENDPOINT_URLS))
		return r;
	return add_endpoints(&walk, services, service_count);
}
