/* The command line. See options.h. */
#include "tests/simulator/options.h"

enum kind {
	FLAG,
	TEXT,
	NUMBER,
	TEXTS, /* may be repeated; the count stands behind the array's member */
};

#define OF(member) offsetof(struct swp_sim_options, member)

static const struct option_row {
	const char *name;
	const char *value;
	enum kind kind;
	size_t offset;
	const char *help;
} rows[] = {
	{"listen", "HOST:PORT", TEXTS, OF(listen),
		"where to listen; port 0: any free one; may be repeated [127.0.0.1:0]"},
	{"state", "DIR", TEXT, OF(state),
		"folder for ca.pem, cert.pem and their keys; used again when there"},
	{"seed", "N", NUMBER, OF(seed), "what the organization is made from [1]"},
	{"accounts", "N", NUMBER, OF(accounts), "accounts of the seeded organization [12]"},
	{"regions", "N|LIST", TEXT, OF(regions), "regions it has: the first N, or names with commas [4]"},
	{"role-name", "NAME", TEXT, OF(role_name),
		"role that can be assumed in member accounts [OrgsweepAudit]"},
	{"external-id", "TEXT", TEXT, OF(external_id), "external id that the role asks for [none]"},
	{"organization", "FILE", TEXT, OF(organization),
		"an organization stated in JSON instead of a seeded one"},
	{"demo", NULL, FLAG, OF(is_demo),
		"the demonstration organization: 12 accounts, 4 regions, some of everything"},
	{"no-organization", NULL, FLAG, OF(is_no_organization),
		"Organizations says AWSOrganizationsNotInUse"},
	{"hide-paths", NULL, FLAG, OF(hides_paths), "ListAccounts gives no Paths"},
	{"hide-states", NULL, FLAG, OF(hides_states), "ListAccounts gives Status, not State"},
	{"empty-page", NULL, FLAG, OF(has_empty_page),
		"ListAccounts begins with an empty page that has a token"},
	{"page-size", "N", NUMBER, OF(page_size), "lists give at most N entries a page [as AWS]"},
	{"session-seconds", "N", NUMBER, OF(session_seconds), "sessions end after N seconds [as asked for]"},
	{"latency-ms", "N", NUMBER, OF(latency_ms), "each answer comes N ms later [0]"},
	{"latency-jitter-ms", "N", NUMBER, OF(latency_jitter_ms), "and up to N ms more, at random [0]"},
	{"fault", "SPEC", TEXTS, OF(fault),
		"account=…,region=…,operation=SERVICE:OPERATION,kind=KIND[:ARGUMENT],times=N,after=N; may be "
		"repeated"},
	{"faults", "FILE", TEXT, OF(faults), "the same as JSON"},
	{"list-faults", NULL, FLAG, OF(lists_faults),
		"print the kinds of faults as a Markdown table, and exit"},
	{"print-organization", NULL, FLAG, OF(prints_organization),
		"print the organization as JSON, and exit"},
	{"ready-file", "FILE", TEXT, OF(ready_file), "written when it listens: ports, CA and keys as JSON"},
	{"environment-file", "FILE", TEXT, OF(environment_file),
		"the same as shell lines: export AWS_ACCESS_KEY_ID=…"},
	{"log", "FILE", TEXT, OF(log), "one JSON line a request"},
	{"processes", "N", NUMBER, OF(processes), "processes that serve the same ports [1]"},
	{"plain-http", NULL, FLAG, OF(is_plain), "no TLS"},
	{"die-with-parent", NULL, FLAG, OF(dies_with_parent), "end when the process that started it ends"},
	{"help", NULL, FLAG, OF(asks_help), "this text"},
};
#define ROW_COUNT (sizeof rows / sizeof rows[0])

static const struct option_row *find_row(struct swp_sim_text name)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		if (swp_sim_text_is(name, rows[i].name))
			return &rows[i];
	}
	return NULL;
}

static size_t *count_of(struct swp_sim_options *options, const struct option_row *row, size_t *ret_most)
{
	bool is_listen = row->offset == OF(listen);
	*ret_most = is_listen ? SWP_SIM_LISTENS_MAX : SWP_SIM_FAULT_OPTIONS_MAX;
	return is_listen ? &options->listen_count : &options->fault_count;
}

static int set_value(struct swp_sim_options *options, const struct option_row *row, const char *value,
	struct swp_sim_buffer *error)
{
	char *member = (char *)options + row->offset;
	uint64_t number;
	size_t most, *count;
	switch (row->kind) {
	case FLAG:
		memcpy(member, &(bool){true}, sizeof(bool));
		return 0;
	case TEXT:
		memcpy(member, &value, sizeof value);
		return 0;
	case TEXTS:
		count = count_of(options, row, &most);
		if (*count == most) {
			swp_sim_buffer_printf(error, "--%s: at most %zu", row->name, most);
			return -1;
		}
		memcpy(member + (*count)++ * sizeof value, &value, sizeof value);
		return 0;
	case NUMBER:
		break;
	}
	if (swp_sim_text_number(swp_sim_text_of(value), &number) != 0) {
		swp_sim_buffer_printf(error, "--%s: %s is no whole number", row->name, value);
		return -1;
	}
	memcpy(member, &number, sizeof number);
	return 0;
}

int swp_sim_options_parse(
	int count, char **arguments, struct swp_sim_options *ret, struct swp_sim_buffer *error)
{
	*ret = (struct swp_sim_options){
		.seed = 1, .accounts = 12, .processes = 1, .role_name = "OrgsweepAudit"};
	for (int i = 1; i < count; i++) {
		struct swp_sim_text name = swp_sim_text_of(arguments[i]), value;
		if (!swp_sim_text_starts(name, "--")) {
			swp_sim_buffer_printf(error, "%s: options begin with --; see --help", arguments[i]);
			return -1;
		}
		value = (struct swp_sim_text){name.at + 2, name.size - 2};
		name = swp_sim_text_cut(&value, '=');
		const struct option_row *row = find_row(name);
		if (row == NULL) {
			swp_sim_buffer_printf(error, "no option --%.*s; see --help", (int)name.size, name.at);
			return -1;
		}
		if (row->kind != FLAG && value.at == NULL)
			value = swp_sim_text_of(++i < count ? arguments[i] : "");
		if ((row->kind != FLAG && value.size == 0) || (row->kind == FLAG && value.at != NULL)) {
			swp_sim_buffer_printf(error, "--%s %s", row->name,
				row->kind == FLAG ? "takes no value" : "asks for a value");
			return -1;
		}
		if (set_value(ret, row, value.at, error) != 0)
			return -1;
	}
	if (ret->listen_count == 0)
		ret->listen[ret->listen_count++] = "127.0.0.1:0";
	return 0;
}

void swp_sim_options_help(struct swp_sim_buffer *into)
{
	swp_sim_buffer_put(into,
		"orgsweep-simulator: a simulated AWS Organization over HTTPS\n\n"
		"  orgsweep-simulator --state DIR --environment-file DIR/environment [options]\n"
		"  . DIR/environment; orgsweep sweep\n\nOptions:\n");
	for (size_t i = 0; i < ROW_COUNT; i++) {
		int width =
			26 - (int)strlen(rows[i].name) - (rows[i].value ? (int)strlen(rows[i].value) + 1 : 0);
		swp_sim_buffer_printf(into, "  --%s%s%s%*s%s\n", rows[i].name, rows[i].value ? " " : "",
			rows[i].value ? rows[i].value : "", width > 1 ? width : 1, "", rows[i].help);
	}
}
