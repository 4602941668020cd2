/* orgsweep doctor: tries what a sweep needs, in the order in which things fail, and says what to fix.
 * It is a sweep that plans only (identity, organization, one AssumeRole an account, regions), and then the store.
 */
#include <errno.h>
#include <string.h>

#include "coordinator/ask.h"
#include "coordinator/commands.h"
#include "coordinator/json-writer.h"
#include "proto/base/alloc.h"
#include "proto/base/text.h"

#define DOCTOR_PROBLEMS 32

struct ailment { /* accounts that fail in the same way */
	enum swp_reason reason;
	char error_code[96], message[300], action[96];
	unsigned accounts;
	char first[16];
	bool management;
};

struct doctor {
	struct swp_settings settings;
	struct swp_loop *loop;
	struct swp_sweep *sweep;
	struct swp_sweep_result result;
	struct swp_problem problem;
	struct ailment ailments[DOCTOR_PROBLEMS];
	size_t ailment_count;
	unsigned accounts, roles, regions_unknown;
	bool finished;
	/* findings, in order */
	struct swp_json_writer json;
	bool as_json, ok;
	struct swp_buf fixes;
	unsigned fix_count;
};

static void say(struct doctor *doctor, const char *what, bool ok, const char *detail, const char *fix)
{
	SWP_CLEANUP(swp_buf_done) struct swp_buf clean = {0};
	doctor->ok &= ok;
	if (doctor->as_json) {
		swp_json_object_begin(&doctor->json, NULL, true);
		swp_json_text(&doctor->json, "detail", detail);
		swp_json_text_or_null(&doctor->json, "fix", fix);
		swp_json_text(&doctor->json, "name", what);
		swp_json_bool(&doctor->json, "ok", ok);
		swp_json_object_end(&doctor->json);
		return;
	}
	(void)swp_text_clean(&clean, detail, strlen(detail));
	printf("%-4s %-13s %s\n", ok ? "ok" : "FIX", what, swp_buf_text(&clean));
	if (!ok && fix && *fix)
		swp_buf_append_format(&doctor->fixes, "  %u. %s\n", ++doctor->fix_count, fix);
}

static void account_told(void *context, const struct swp_sweep_account *account)
{
	struct doctor *doctor = context;
	struct ailment *ailment = NULL;
	if (account->not_planned)
		return;
	doctor->accounts++;
	if (account->reason == SWP_REASON_NONE) {
		doctor->roles++;
		doctor->regions_unknown += swp_text_equal(account->regions_from, "partition");
		return;
	}
	for (size_t i = 0; i < doctor->ailment_count && !ailment; i++)
		if (doctor->ailments[i].reason == account->reason &&
			swp_text_equal(doctor->ailments[i].error_code, account->error_code) &&
			doctor->ailments[i].management == account->management)
			ailment = &doctor->ailments[i];
	if (!ailment && doctor->ailment_count == DOCTOR_PROBLEMS)
		return;
	if (!ailment) {
		ailment = &doctor->ailments[doctor->ailment_count++];
		*ailment = (struct ailment){.reason = account->reason, .management = account->management};
		snprintf(ailment->error_code, sizeof(ailment->error_code), "%s", account->error_code);
		snprintf(ailment->message, sizeof(ailment->message), "%s", account->message);
		snprintf(ailment->action, sizeof(ailment->action), "%s", account->action);
		snprintf(ailment->first, sizeof(ailment->first), "%s", account->id);
	}
	ailment->accounts++;
}

static void finished(void *context, const struct swp_sweep_result *result)
{
	struct doctor *doctor = context;
	doctor->result = *result;
	if (result->problem)
		doctor->problem = *result->problem;
	doctor->finished = true;
	swp_loop_stop(doctor->loop);
}

static int plan(struct doctor *doctor)
{
	struct swp_sweep_options options;
	struct swp_sweep_events events = {.account = account_told, .finished = finished, .context = doctor};
	swp_settings_sweep_options(&doctor->settings, &options);
	options.plan_only = true;
	doctor->loop = swp_loop_new(swp_clock_system());
	if (!doctor->loop)
		return -ENOMEM;
	doctor->sweep = swp_sweep_new(doctor->loop, &options, &events, &doctor->problem);
	if (!doctor->sweep)
		return -EINVAL;
	int error = swp_sweep_start(doctor->sweep);
	return error ? error : swp_loop_run(doctor->loop);
}

static void say_identity(struct doctor *doctor)
{
	char detail[1024];
	const char *account = swp_sweep_caller_account(doctor->sweep),
		   *management = swp_sweep_management_account(doctor->sweep);
	snprintf(detail, sizeof(detail), "%s (credentials: %s), partition %s",
		swp_sweep_caller_arn(doctor->sweep), swp_sweep_credential_source(doctor->sweep),
		swp_sweep_partition(doctor->sweep));
	say(doctor, "identity", true, detail, NULL);
	if (!*management)
		return;
	bool is_management = swp_text_equal(account, management);
	snprintf(detail, sizeof(detail),
		is_management ? "this is the management account %s: StackSets never deploy the role here; it "
				"is swept with these credentials unless "
				"--role-name is given"
			      : "this is member account %s, a delegated administrator for Organizations; the "
				"role in the management account must be made by hand",
		account);
	say(doctor, "standing in", true, detail, NULL);
}

static void say_could_not(struct doctor *doctor)
{
	if (*swp_sweep_caller_arn(doctor->sweep)) {
		say_identity(doctor);
		say(doctor, "organization", false, doctor->problem.text,
			"run from the management account or a delegated administrator of Organizations, or "
			"sweep one account with --no-org");
	} else {
		say(doctor, "identity", false, doctor->problem.text,
			"give credentials: --profile NAME, AWS_PROFILE, or AWS_ACCESS_KEY_ID and its "
			"companions; then run doctor again");
	}
}

static void say_accounts(struct doctor *doctor)
{
	char detail[1024], fix[1024];
	snprintf(detail, sizeof(detail), "%u of %u active accounts in scope let the role be assumed",
		doctor->roles, doctor->accounts);
	say(doctor, "roles", doctor->roles == doctor->accounts, detail, NULL);
	for (size_t i = 0; i < doctor->ailment_count; i++) {
		const struct ailment *ailment = &doctor->ailments[i];
		snprintf(detail, sizeof(detail), "%u account%s (%s%s): %s %s: %s", ailment->accounts,
			ailment->accounts == 1 ? "" : "s", ailment->first, ailment->accounts > 1 ? ", …" : "",
			ailment->action, ailment->error_code, ailment->message);
		snprintf(fix, sizeof(fix),
			ailment->management ? "%s: make the role in the management account with "
					      "deploy/role.yaml as an ordinary stack%s"
					    : "%s%s: deploy deploy/role.yaml there as a StackSet, and check "
					      "its trust policy and external id",
			ailment->first, ailment->accounts > 1 ? " and the others" : "");
		say(doctor, "role", false, detail, fix);
	}
	if (doctor->regions_unknown) {
		snprintf(detail, sizeof(detail),
			"in %u account%s nobody may say which regions are enabled; all are tried",
			doctor->regions_unknown, doctor->regions_unknown == 1 ? "" : "s");
		say(doctor, "regions", false, detail, "grant account:ListRegions to the scan role");
	} else if (doctor->roles) {
		say(doctor, "regions", true, "the enabled regions of every account are known", NULL);
	}
}

/* False: it is not reached. */
static bool say_store(struct doctor *doctor)
{
	const struct swp_store_warning *warning;
	struct swp_reading *reading = NULL;
	struct swp_problem problem = {""};
	int error = swp_reading_open(&doctor->settings, &reading, &problem);
	say(doctor, "store", !error,
		error				 ? problem.text
		: doctor->settings.private_store ? "a private redis-server in the state folder works"
						 : "reachable",
		"start Redis (6.2 or newer), check the URL of --store and ORGSWEEP_STORE_PASSWORD; without "
		"--store: apt-get install redis-server");
	for (size_t i = 0; !error && (warning = swp_store_warning(swp_reading_asker(reading)->store, i)); i++)
		say(doctor, "store", false, warning->what, warning->fix);
	swp_reading_close(reading);
	return !error;
}

/* Local workers are of no account where there are none, so that only a user who is named and does not get in is a fault. */
static void say_worker_store(struct doctor *doctor)
{
	const struct swp_store_options *store = swp_settings_workers_own_store(&doctor->settings);
	const char *own_user = doctor->settings.store.address.user;
	struct swp_problem problem = {""};
	char detail[256];
	if (store) {
		int error = swp_reading_try(store, &problem);
		snprintf(detail, sizeof(detail), "local workers are let in as %s", store->address.user);
		say(doctor, "worker store", !error, error ? problem.text : detail,
			"give a user of the store in ORGSWEEP_STORE_WORKER_USER, its password in "
			"ORGSWEEP_STORE_WORKER_PASSWORD_FILE, and that user the rights that `orgsweep store "
			"acl` prints");
	} else if (*own_user) {
		snprintf(detail, sizeof(detail),
			"local workers would use our user %s, and could do all that it may; "
			"ORGSWEEP_STORE_WORKER_USER gives them their own",
			own_user);
		say(doctor, "worker store", true, detail, NULL);
	}
}

static int examine(struct doctor *doctor)
{
	int error = plan(doctor);
	if (error)
		return error;
	doctor->ok = true;
	doctor->as_json = swp_options_flag(&doctor->settings.options, SWP_OPT_JSON);
	swp_json_writer_init(&doctor->json, stdout);
	if (doctor->as_json) {
		swp_json_object_begin(&doctor->json, NULL, false);
		swp_json_array_begin(&doctor->json, "checks", false);
	}
	if (doctor->result.end == SWP_SWEEP_END_COULD_NOT_RUN) {
		say_could_not(doctor);
	} else {
		const char *organization = swp_sweep_organization_id(doctor->sweep);
		say_identity(doctor);
		say(doctor, "organization", true,
			*organization ? organization : "none in use: only the caller's own account is swept",
			NULL);
		say_accounts(doctor);
	}
	if (say_store(doctor))
		say_worker_store(doctor);
	if (doctor->as_json) {
		swp_json_array_end(&doctor->json);
		swp_json_bool(&doctor->json, "ok", doctor->ok);
		swp_json_object_end(&doctor->json);
		(void)swp_json_writer_finish(&doctor->json);
	} else if (doctor->fix_count) {
		printf("\nTo fix, in this order:\n%s", swp_buf_text(&doctor->fixes));
	}
	return 0;
}

static int resolve(struct doctor *doctor)
{
	static int (*const parts[])(struct swp_settings * settings, struct swp_problem * problem) = {
		swp_settings_catalogue, swp_settings_selection, swp_settings_store, swp_settings_worker_store,
		swp_settings_endpoints};
	int error = 0;
	for (size_t i = 0; !error && i < SWP_ARRAY_SIZE(parts); i++)
		error = parts[i](&doctor->settings, &doctor->problem);
	return error;
}

int swp_command_doctor(const struct swp_command_row *command, int argc, char *const *argv)
{
	struct doctor *doctor = swp_calloc(1, sizeof(*doctor));
	int code = SWP_EXIT_COULD_NOT;
	if (!doctor)
		return code;
	int error = swp_settings_resolve(&doctor->settings, command, argc, argv, &doctor->problem);
	if (!error && swp_command_helped(&doctor->settings)) {
		code = SWP_EXIT_OK;
	} else {
		if (!error)
			error = resolve(doctor);
		if (!error)
			error = examine(doctor);
		if (error)
			swp_command_complain(
				"%s", *doctor->problem.text ? doctor->problem.text : strerror(-error));
		else
			code = doctor->ok ? SWP_EXIT_OK : SWP_EXIT_FOUND;
	}
	swp_sweep_free(doctor->sweep);
	swp_loop_free(doctor->loop);
	swp_settings_done(&doctor->settings);
	swp_buf_done(&doctor->fixes);
	swp_free(doctor);
	return code;
}
