/* The rows: every option and every command, once. */
#include "coordinator/options.h"

#include "proto/base/text.h"

#define SWEEPING (SWP_COMMAND_SWEEP | SWP_COMMAND_DEMO)
#define ORDERING (SWP_COMMAND_CANCEL | SWP_COMMAND_DRAIN)
#define READING (SWP_COMMAND_REPORT | SWP_COMMAND_STATUS | SWP_COMMAND_SWEEPS)
#define EVERY                                                                                                \
	(SWEEPING | READING | ORDERING | SWP_COMMAND_SERVE | SWP_COMMAND_DOCTOR | SWP_COMMAND_CHECKS |       \
		SWP_COMMAND_CHAINS)
#define WORKING (SWEEPING | SWP_COMMAND_SERVE)
#define REACHING (WORKING | SWP_COMMAND_DOCTOR)
/* Also of one scheduled sweep. */
#define OWN (REACHING | SWP_COMMAND_SCHEDULED)

static const char *const severities[] = {"info", "low", "medium", "high", "critical", "none", NULL};
static const char *const formats[] = {"json", NULL};
static const char *const log_formats[] = {"auto", "text", "json", NULL};
static const char *const log_levels[] = {"debug", "info", "warning", "error", NULL};

static const struct swp_option_row rows[SWP_OPT_COUNT] = {
	[SWP_OPT_PROFILE] = {"profile", "NAME", SWP_OPTION_TEXT, EVERY | SWP_COMMAND_SCHEDULED,
		.help = "profile of ~/.aws to start from"},
	[SWP_OPT_ROLE_NAME] = {"role-name", "NAME", SWP_OPTION_TEXT, OWN, .fallback = "OrgsweepAudit",
		.help = "role to assume in every account; a path may be part of it"},
	[SWP_OPT_EXTERNAL_ID] = {"external-id", "ID", SWP_OPTION_TEXT, OWN,
		.help = "external id that the role's trust policy asks for"},
	[SWP_OPT_NO_ORG] = {"no-org", NULL, SWP_OPTION_FLAG, OWN,
		.help = "sweep the caller's own account only"},
	[SWP_OPT_ACCOUNTS] = {"accounts", "LIST", SWP_OPTION_LIST, OWN,
		.help = "only these: ids, names, globs; `management` is the management account"},
	[SWP_OPT_EXCLUDE_ACCOUNTS] = {"exclude-accounts", "LIST", SWP_OPTION_LIST, OWN,
		.help = "all but these"},
	[SWP_OPT_OU] = {"ou", "LIST", SWP_OPTION_LIST, OWN,
		.help = "only accounts in these organizational units and below: ids (ou-…, r-…), paths "
			"(Workloads/Prod), globs"},
	[SWP_OPT_EXCLUDE_OU] = {"exclude-ou", "LIST", SWP_OPTION_LIST, OWN, .help = "all but those in these"},
	[SWP_OPT_REGIONS] = {"regions", "LIST", SWP_OPTION_LIST, OWN, .fallback = "all",
		.help = "only these regions; all: those enabled in each account"},
	[SWP_OPT_EXCLUDE_REGIONS] = {"exclude-regions", "LIST", SWP_OPTION_LIST, OWN,
		.help = "all but these"},
	[SWP_OPT_CHECKS] = {"checks", "LIST", SWP_OPTION_LIST, OWN, .help = "only these checks; globs"},
	[SWP_OPT_EXCLUDE_CHECKS] = {"exclude-checks", "LIST", SWP_OPTION_LIST, OWN, .help = "all but these"},
	[SWP_OPT_CATALOGUE] = {"catalogue", "DIR", SWP_OPTION_TEXT,
		OWN | SWP_COMMAND_CHECKS | SWP_COMMAND_CHAINS,
		.help = "add a folder of your own checks and chains to the built-in catalogue"},
	[SWP_OPT_WORKERS] = {"workers", "N", SWP_OPTION_NUMBER, WORKING, .most = 256,
		.help = "local worker processes (default: cores - 1, at least 1)"},
	[SWP_OPT_LISTEN] = {"listen", "ENDPOINT", SWP_OPTION_TEXT, WORKING,
		.help = "let workers of other hosts connect: tcp://HOST:PORT"},
	[SWP_OPT_KEYS] = {"keys", "DIR", SWP_OPTION_TEXT, WORKING,
		.help = "folder with server.key and allowed/ for --listen"},
	[SWP_OPT_METRICS] = {"metrics", "HOST:PORT", SWP_OPTION_TEXT, WORKING,
		.help = "serve /metrics (Prometheus), /healthz and /readyz there; :PORT is all addresses"},
	[SWP_OPT_STORE] = {"store", "URL", SWP_OPTION_TEXT, EVERY,
		.help = "Redis to use: redis://, rediss://, unix://, sentinel:// (default: a private "
			"redis-server in the state folder)"},
	[SWP_OPT_KEEP] = {"keep", "N", SWP_OPTION_NUMBER, WORKING | SWP_COMMAND_SCHEDULED, .fallback = "10",
		.least = 1, .most = 100000, .help = "sweeps to keep in the store"},
	[SWP_OPT_CONFIG] = {"config", "FILE", SWP_OPTION_TEXT, EVERY, .help = "configuration file (YAML)"},
	[SWP_OPT_DEADLINE] = {"deadline", "DURATION", SWP_OPTION_DURATION, WORKING | SWP_COMMAND_SCHEDULED,
		.help = "end the sweep after this time (90s, 15m, 2h) and report what was seen"},
	[SWP_OPT_OUTPUT] = {"output", "FILE", SWP_OPTION_REPEATED, SWEEPING | SWP_COMMAND_REPORT,
		.help = "write the report there (format by extension: .json); - is standard output; may be "
			"repeated"},
	[SWP_OPT_FORMAT] = {"format", "NAME", SWP_OPTION_CHOICE, SWEEPING | SWP_COMMAND_REPORT,
		.choices = formats, .help = "format of `--output -` and of names without an extension"},
	[SWP_OPT_ALL] = {"all", NULL, SWP_OPTION_FLAG, WORKING | SWP_COMMAND_REPORT | SWP_COMMAND_SCHEDULED,
		.help = "list PASS and NOT_APPLICABLE results too"},
	[SWP_OPT_FAIL_ON] = {"fail-on", "SEVERITY", SWP_OPTION_CHOICE, SWEEPING, .fallback = "low",
		.choices = severities, .help = "exit 1 (or 4) for findings at or above this severity"},
	[SWP_OPT_MIN_COVERAGE] = {"min-coverage", "PERCENT", SWP_OPTION_PERCENT, SWEEPING, .fallback = "100",
		.help = "exit 3 (or 4) when less than this was assessed"},
	[SWP_OPT_QUIET] = {"quiet", NULL, SWP_OPTION_FLAG, SWEEPING | SWP_COMMAND_REPORT,
		.help = "no progress and no summary"},
	[SWP_OPT_PLAN] = {"plan", NULL, SWP_OPTION_FLAG, SWEEPING,
		.help = "enumerate, print accounts, regions, cells and expected calls, and sweep nothing"},
	[SWP_OPT_RESUME] = {"resume", "SWEEP|latest", SWP_OPTION_TEXT, SWP_COMMAND_SWEEP,
		.help = "go on with a sweep whose coordinator is gone; give the other options as before"},
	[SWP_OPT_REPORTS] = {"reports", "DIR", SWP_OPTION_TEXT, SWP_COMMAND_SERVE,
		.help = "folder for the reports of scheduled sweeps: NAME-SWEEP.json"},
	[SWP_OPT_JSON] = {"json", NULL, SWP_OPTION_FLAG,
		SWP_COMMAND_CHECKS | SWP_COMMAND_CHAINS | SWP_COMMAND_STATUS | SWP_COMMAND_SWEEPS |
			SWP_COMMAND_DOCTOR | ORDERING,
		.help = "JSON on standard output"},
	[SWP_OPT_LOG_FORMAT] = {"log-format", "NAME", SWP_OPTION_CHOICE, EVERY, .fallback = "auto",
		.choices = log_formats, .help = "text or json (auto: text)"},
	[SWP_OPT_LOG_LEVEL] = {"log-level", "LEVEL", SWP_OPTION_CHOICE, EVERY, .fallback = "warning",
		.choices = log_levels, .help = "least severity of log lines"},
	[SWP_OPT_HELP] = {"help", NULL, SWP_OPTION_FLAG, EVERY | SWP_COMMAND_STORE, .help = "this text"},
};

const struct swp_option_row *swp_option_row(enum swp_option option)
{
	return &rows[option];
}

static const struct swp_command_row commands[] = {
	{"sweep", SWP_COMMAND_SWEEP, "[options]", "sweep the organization and report",
		"Finds credentials as the AWS SDKs do, lists the organization's accounts, assumes a role in "
		"each of them, runs the checks in\n"
		"every enabled region and correlates attack chains. The summary goes to standard error; "
		"--output writes the report.\n"
		"Exit codes: 0 nothing found and all seen, 1 findings, 2 could not run, 3 not all seen, 4 "
		"findings and not all seen,\n"
		"5 store or output lost on the way, 130 and 143 interrupted (the partial report is written).",
		"  orgsweep sweep --profile audit --output report.json\n"
		"  orgsweep sweep --ou Workloads/Prod --exclude-accounts 'sandbox-*' --regions "
		"eu-west-1,eu-central-1\n"
		"  orgsweep sweep --plan\n"
		"  orgsweep sweep --resume latest --profile audit --output report.json\n"
		"  orgsweep sweep --checks 'aws-bedrock-*' --fail-on high --min-coverage 95 --output - | jq "
		".coverage\n",
		0, 0},
	{"report", SWP_COMMAND_REPORT, "[SWEEP|latest] [options]",
		"write the report of a sweep that is in the store", NULL,
		"  orgsweep report latest --output report.json\n"
		"  orgsweep report --all --output - | jq '.results | length'\n",
		0, 1},
	{"checks", SWP_COMMAND_CHECKS, "list | show ID | lint DIR [options]",
		"list or explain checks, or lint a catalogue folder", NULL,
		"  orgsweep checks list\n  orgsweep checks show aws-bedrock-001\n  orgsweep checks lint "
		"./our-checks\n",
		1, 2},
	{"chains", SWP_COMMAND_CHAINS, "list | show ID [options]", "list or explain attack chains", NULL,
		"  orgsweep chains list --json\n  orgsweep chains show AC-38\n", 1, 2},
	{"status", SWP_COMMAND_STATUS, "[options]", "sweeps in the store, and what runs", NULL,
		"  orgsweep status\n  orgsweep status --json --store redis://redis.internal\n", 0, 0},
	{"doctor", SWP_COMMAND_DOCTOR, "[options]",
		"try credentials, organization, roles, regions and store, and say what to fix",
		"Tries identity, organization, one AssumeRole per account, the region lists and the store, "
		"says which account it stands in and\n"
		"what that implies, and lists what to fix in the order to check. Exit codes: 0 all is well, "
		"1 something is to be fixed.",
		"  orgsweep doctor --profile audit\n  orgsweep doctor --accounts management --json\n", 0, 0},
	{"serve", SWP_COMMAND_SERVE, "--config FILE [options]", "sweep on a schedule, as a service",
		"Runs the sweeps that the configuration file names, each on its schedule, with local workers "
		"or "
		"with those that connect to\n"
		"`listen`. Several on one store: one leads, the others stand by and take over within 15 s. "
		"SIGTERM: no new jobs, running ones\n"
		"finish (30 s at most), and the sweep is gone on with at the next start. SIGHUP: reads "
		"configuration and keys again.",
		"  orgsweep serve --config /etc/orgsweep.yaml\n", 0, 0},
	{"sweeps", SWP_COMMAND_SWEEPS, "[options]", "sweeps in the store, newest first", NULL,
		"  orgsweep sweeps\n  orgsweep sweeps --json --store redis://redis.internal\n", 0, 0},
	{"cancel", SWP_COMMAND_CANCEL, "SWEEP|latest [options]", "end a running sweep early",
		"Its coordinator hears of it within seconds: what is committed counts, the rest is "
		"NOT_ASSESSED(cancelled).",
		"  orgsweep cancel latest --store redis://redis.internal\n", 1, 1},
	{"drain", SWP_COMMAND_DRAIN, "WORKER [options]", "let a worker finish what it has, and leave", NULL,
		"  orgsweep drain worker-3 --store redis://redis.internal\n", 1, 1},
	{"demo", SWP_COMMAND_DEMO, "[sweep options]", "sweep a simulated organization, no AWS needed",
		"Starts the simulator on 127.0.0.1 with a demonstration organization and sweeps it with the "
		"options given. It shows findings,\n"
		"all chains and some gaps, so that it exits 4.",
		"  orgsweep demo\n  orgsweep demo --output demo.json --all\n", 0, 0},
	{"store", SWP_COMMAND_STORE, "acl", "print ACL users for the central Redis, with the least they need",
		"Lines of a users.acl file on standard output, one for the coordinator and one for workers, "
		"and "
		"on standard error what to do with\n"
		"them. docs/redis.md tells how to run the central Redis.",
		"  orgsweep store acl\n  orgsweep store acl | sed 's/^user/ACL SETUSER/' | redis-cli\n", 1,
		1},
};

const struct swp_command_row *swp_command_row(size_t index)
{
	return index < SWP_ARRAY_SIZE(commands) ? &commands[index] : NULL;
}

const struct swp_command_row *swp_command_find(const char *name)
{
	for (size_t i = 0; i < SWP_ARRAY_SIZE(commands); i++)
		if (swp_text_equal(commands[i].name, name))
			return &commands[i];
	return NULL;
}
