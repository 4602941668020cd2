#include "coordinator/resume.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/text.h"
#include "proto/record/keys.h"

#define RESUME_BYTES (1u << 30) /* as a report's: rows of the largest organization */

static int keep_field(void *context, const char *field, const struct swp_store_reply *value)
{
	struct swp_resume *resume = context;
	char *copy = swp_region_strndup(resume->memory, value->bytes, value->length);

	return copy ? swp_map_put(resume->fields, field, copy, NULL) : -ENOMEM;
}

static int keep_row(void *context, const char *field, const struct swp_store_reply *value)
{
	struct swp_resume *resume = context;
	struct swp_record_account *row;
	int error;

	if (swp_map_get(resume->rows, field)) /* HSCAN tells some twice */
		return 0;
	row = swp_region_alloc(resume->memory, sizeof(*row));
	error = row ? swp_account_decode(value->bytes, value->length, resume->memory, row) : -ENOMEM;
	return error ? error : swp_map_put(resume->rows, field, row, NULL);
}

const char *swp_resume_field(const struct swp_resume *resume, const char *field)
{
	const char *text = swp_map_get(resume->fields, field);

	return text ? text : "";
}

const struct swp_record_account *swp_resume_account(const struct swp_resume *resume, const char *id)
{
	const struct swp_record_account *row = swp_map_get(resume->rows, id);

	return row && !row->not_planned && row->unread.reason == 0 ? row : NULL;
}

/* "all retried throttled" */
static void read_own_calls(struct swp_resume *resume)
{
	const char *at = swp_resume_field(resume, SWP_SWEEP_FIELD_OWN_CALLS);

	for (size_t i = 0; i < SWP_ARRAY_SIZE(resume->own_calls) && *at; i++) {
		size_t length = strcspn(at, " ");
		char digits[24] = "";

		if (length < sizeof(digits))
			memcpy(digits, at, length);
		if (swp_parse_u64(digits, UINT64_MAX, &resume->own_calls[i]))
			resume->own_calls[i] = 0;
		at += length + (at[length] == ' ');
	}
}

static int load_fields(const struct swp_asker *asker, struct swp_resume *resume, struct swp_problem *problem)
{
	char key[SWP_KEY_BYTES];
	int error = swp_key_format(SWP_KEY_SWEEP, resume->sweep, NULL, NULL, key);

	if (error == 0)
		error = swp_ask_hash(asker, key, keep_field, resume, problem);
	if (error)
		return error;
	if (!*swp_resume_field(resume, SWP_SWEEP_FIELD_CATALOGUE))
		return swp_problem_set(problem, -ENOENT,
			"the store holds no sweep '%s'; `orgsweep status` lists them", resume->sweep);
	if (swp_text_equal(swp_resume_field(resume, SWP_SWEEP_FIELD_STATE), "finished"))
		return swp_problem_set(problem, -EALREADY,
			"sweep %s is finished (%s): there is nothing to resume; `orgsweep report %s` writes "
			"its report",
			resume->sweep, swp_resume_field(resume, SWP_SWEEP_FIELD_STATUS), resume->sweep);
	if (swp_parse_i64(swp_resume_field(resume, SWP_SWEEP_FIELD_STARTED_AT), 0, INT64_MAX,
		    &resume->started_at_ms))
		return swp_problem_set(
			problem, -EBADMSG, "sweep %s: when it started is damaged", resume->sweep);
	read_own_calls(resume);
	return 0;
}

static int load_catalogue(
	const struct swp_asker *asker, struct swp_resume *resume, struct swp_problem *problem)
{
	int error = swp_ask_catalogue(
		asker, swp_resume_field(resume, SWP_SWEEP_FIELD_CATALOGUE), &resume->catalogue, problem);

	if (error == -ENOENT)
		swp_problem_set(problem, error, "the store lost the catalogue of sweep %s", resume->sweep);
	if (error == -EBADMSG)
		swp_problem_set(problem, error, "sweep %s: its catalogue is damaged", resume->sweep);
	return error;
}

static int load_selection(struct swp_resume *resume, struct swp_problem *problem)
{
	int error = swp_selection_parse(
		resume->catalogue, swp_resume_field(resume, SWP_SWEEP_FIELD_SELECTION), &resume->selection);

	return error == -EBADMSG ? swp_problem_set(problem, error,
					   "sweep %s: its selection of checks is damaged", resume->sweep)
				 : error;
}

static int load(const struct swp_asker *asker, struct swp_resume *resume, struct swp_problem *problem)
{
	char key[SWP_KEY_BYTES];
	int error;

	if (!resume->memory || !resume->fields || !resume->rows)
		return swp_problem_set(problem, -ENOMEM, "out of memory");
	error = load_fields(asker, resume, problem);
	if (error == 0)
		error = load_catalogue(asker, resume, problem);
	if (error == 0)
		error = load_selection(resume, problem);
	if (error == 0)
		error = swp_key_format(SWP_KEY_ACCOUNTS, resume->sweep, NULL, NULL, key);
	return error ? error : swp_ask_hash(asker, key, keep_row, resume, problem);
}

int swp_resume_load(const struct swp_asker *asker, const char *sweep, struct swp_resume **ret_resume,
	struct swp_problem *problem)
{
	struct swp_resume *resume;
	int error;

	if (!swp_key_is_sweep_id(sweep))
		return swp_problem_set(problem, -ENOENT, "'%s' is no sweep id; see `orgsweep status`", sweep);
	resume = swp_calloc(1, sizeof(*resume));
	if (!resume)
		return swp_problem_set(problem, -ENOMEM, "out of memory");
	snprintf(resume->sweep, sizeof(resume->sweep), "%s", sweep);
	resume->memory = swp_region_new(RESUME_BYTES);
	resume->fields = swp_map_new();
	resume->rows = swp_map_new();
	error = load(asker, resume, problem);
	if (error) {
		swp_resume_free(resume);
		return error;
	}
	*ret_resume = resume;
	return 0;
}

void swp_resume_free(struct swp_resume *resume)
{
	if (!resume)
		return;
	swp_catalogue_unref(resume->catalogue);
	swp_map_free(resume->fields, NULL);
	swp_map_free(resume->rows, NULL);
	swp_region_free(resume->memory);
	swp_free(resume);
}
