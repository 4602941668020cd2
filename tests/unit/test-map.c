/* Maps: order, replacing, removing while walking, failing memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/hash.h"
#include "proto/base/map.h"

static int values[4] = {10, 11, 12, 13};

static void test_put_get_take(void **state)
{
	struct swp_map *map = swp_map_new();
	char key[] = "key";
	void *old = key;

	(void)state;
	assert_null(swp_map_get(map, "key"));
	assert_null(swp_map_take(map, "key"));
	assert_int_equal(swp_map_count(map), 0);
	assert_int_equal(swp_map_put(map, key, &values[0], &old), 0);
	assert_null(old);
	key[0] = 'X'; /* keys are copied */
	assert_ptr_equal(swp_map_get(map, "key"), &values[0]);
	assert_int_equal(swp_map_put(map, "key", &values[1], &old), 0);
	assert_ptr_equal(old, &values[0]);
	assert_int_equal(swp_map_put(map, "", &values[2], NULL), 0);
	assert_int_equal(swp_map_count(map), 2);
	assert_ptr_equal(swp_map_get(map, ""), &values[2]);
	assert_ptr_equal(swp_map_take(map, "key"), &values[1]);
	assert_null(swp_map_get(map, "key"));
	assert_int_equal(swp_map_count(map), 1);
	swp_map_free(map, NULL);
	swp_map_free(NULL, NULL);
}

struct walk {
	struct swp_map *map;
	char seen[64];
	const char *stop_at;
	bool remove;
};

static int visit(const char *key, void *value, void *context)
{
	struct walk *walk = context;
	bool stop = walk->stop_at && strcmp(key, walk->stop_at) == 0;

	assert_true(strlen(walk->seen) + strlen(key) < sizeof(walk->seen));
	memcpy(walk->seen + strlen(walk->seen), key, strlen(key) + 1);
	if (walk->remove)
		assert_ptr_equal(swp_map_take(walk->map, key), value);
	return stop ? 7 : 0;
}

static void test_walk_in_order(void **state)
{
	struct walk walk = {.map = swp_map_new()};

	(void)state;
	assert_int_equal(swp_map_put(walk.map, "c", &values[0], NULL), 0);
	assert_int_equal(swp_map_put(walk.map, "a", &values[1], NULL), 0);
	assert_int_equal(swp_map_put(walk.map, "b", &values[2], NULL), 0);
	assert_int_equal(swp_map_put(walk.map, "c", &values[3], NULL), 0);
	assert_int_equal(swp_map_each(walk.map, visit, &walk), 0);
	assert_string_equal(walk.seen, "cab");
	walk.seen[0] = '\0';
	walk.stop_at = "a";
	assert_int_equal(swp_map_each(walk.map, visit, &walk), 7);
	assert_string_equal(walk.seen, "ca");
	walk.seen[0] = '\0';
	walk.stop_at = NULL;
	walk.remove = true;
	assert_int_equal(swp_map_each(walk.map, visit, &walk), 0);
	assert_string_equal(walk.seen, "cab");
	assert_int_equal(swp_map_count(walk.map), 0);
	swp_map_free(walk.map, NULL);
}

static int fill(struct swp_map *map, int count)
{
	for (int i = 0; i < count; i++) {
		char key[32];
		int *value = malloc(sizeof(*value)), error;
		void *old = NULL;

		*value = i;
		snprintf(key, sizeof(key), "arn:aws:x:%d", i);
		error = swp_map_put(map, key, value, &old);
		if (error) {
			free(value);
			return error;
		}
		assert_null(old);
	}
	return 0;
}

static void test_many(void **state)
{
	struct swp_map *map = swp_map_new();

	(void)state;
	assert_int_equal(fill(map, 20000), 0);
	assert_int_equal(swp_map_count(map), 20000);
	for (int i = 0; i < 20000; i++) {
		char key[32];
		const int *value;

		snprintf(key, sizeof(key), "arn:aws:x:%d", i);
		value = swp_map_get(map, key);
		assert_non_null(value);
		assert_int_equal(*value, i);
	}
	swp_map_free(map, free);
}

static void test_failing_memory(void **state)
{
	int error = -ENOMEM;

	(void)state;
	for (unsigned long nth = 1; error; nth++) {
		struct swp_map *map;

		swp_alloc_fail_at(nth, 0);
		map = swp_map_new();
		error = map ? fill(map, 400) : -ENOMEM;
		swp_alloc_fail_at(0, 0);
		/* What is in it is whole. */
		if (map && error)
			assert_int_equal(swp_map_put(map, "one more", NULL, NULL), 0);
		swp_map_free(map, free);
		assert_true(nth < 1000);
	}
}

/* Against values of another implementation (a plain one in Python, which gives the paper's vector with two and four rounds). */
static void test_hash(void **state)
{
	static const uint64_t key[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
	static const struct {
		size_t length;
		uint64_t hash;
	} rows[] = {
		{0, 0xabac0158050fc4dc},
		{1, 0xc9f49bf37d57ca93},
		{7, 0xd3927d989bb11140},
		{8, 0x369095118d299a8e},
		{9, 0x25a48eb36c063de4},
		{15, 0xd320d86d2a519956},
		{16, 0xcc4fdd1a7d908b66},
		{63, 0x9d199062b7bbb3a8},
	};
	unsigned char bytes[64];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)i;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(swp_hash_keyed(bytes, rows[i].length, key), rows[i].hash);
	assert_int_equal(swp_hash("abc", 3), swp_hash("abc", 3));
	assert_int_not_equal(swp_hash("abc", 3), swp_hash("abd", 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put_get_take),
		cmocka_unit_test(test_walk_in_order),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_failing_memory),
		cmocka_unit_test(test_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
