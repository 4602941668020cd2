/* Fixtures of tests/fixtures/evaluation: answers in, cells and rows out; the same in any order of answers. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/text.h"
#include "tests/unit/evaluation-player.h"

#define FOLDER "tests/fixtures/evaluation"
#define TEST_CATALOGUE "tests/catalogue/aws"

static struct swp_catalogue *builtin, *extended;

static struct swp_catalogue *catalogue_of(const json_t *fixture)
{
	if (!json_is_true(json_object_get(fixture, "test_catalogue")))
		return builtin;
	if (!extended)
		extended = player_catalogue(TEST_CATALOGUE);
	return extended;
}

/* Every order of answers gives the same, and what the fixture expects. */
static unsigned play_orders(const json_t *fixture, const char *name)
{
	char *first = NULL;
	unsigned failures = 0;

	for (unsigned order = 0; order < 12; order++) {
		struct player player = {
			.catalogue = catalogue_of(fixture), .fixture = fixture, .order = order};
		char *text;

		player_play(&player);
		if (!player_meets(&player, name))
			failures++;
		text = json_dumps(player.outcome, JSON_SORT_KEYS);
		if (first && strcmp(first, text) != 0) {
			fprintf(stderr, "%s: order %u gives something else:\n%s\n%s\n", name, order, first,
				text);
			failures++;
		}
		if (!first)
			first = text;
		else
			free(text);
		player_done(&player);
		if (failures)
			break;
	}
	free(first);
	return failures;
}

static unsigned play_file(const char *name)
{
	char path[512];
	json_t *cases, *one;
	const char *title;
	unsigned failures = 0;

	snprintf(path, sizeof(path), FOLDER "/%s", name);
	cases = player_load_fixture(path);
	json_object_foreach(cases, title, one)
	{
		char full[768];

		snprintf(full, sizeof(full), "%s: %s", name, title);
		failures += play_orders(one, full);
	}
	json_decref(cases);
	return failures;
}

static void test_fixtures(void **state)
{
	DIR *folder = opendir(FOLDER);
	struct dirent *entry;
	unsigned failures = 0, files = 0;

	(void)state;
	assert_non_null(folder);
	while ((entry = readdir(folder))) {
		if (!swp_text_ends(entry->d_name, ".json"))
			continue;
		failures += play_file(entry->d_name);
		files++;
	}
	closedir(folder);
	assert_int_not_equal(files, 0);
	assert_int_equal(failures, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fixtures),
	};
	int failures;

	builtin = player_catalogue(NULL);
	failures = cmocka_run_group_tests(tests, NULL, NULL);
	swp_catalogue_unref(builtin);
	swp_catalogue_unref(extended);
	return failures;
}
