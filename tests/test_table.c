// SPDX-License-Identifier: Apache-2.0
/* test_table.c - the hash index with equal and clustered hashes, and interned
 * strings */
#include "tests/unit.h"

#include <stdio.h>
#include <string.h>

#include "base/table.h"

#define ITEMS 20000

static uint64_t keys[ITEMS];
static size_t asked;

static bool same_key(const void *owner, uint32_t item, const void *key)
{
	assert_ptr_equal(owner, keys);
	assert_true(item < ITEMS);
	asked++;
	return keys[item] == *(const uint64_t *)key;
}

static uint32_t find(const struct pyro_table *table, uint64_t hash,
		     uint64_t key)
{
	return pyro_table_find(table, hash, same_key, keys, &key);
}

static void fill(struct pyro_table *table, size_t count,
		 uint64_t (*hash)(uint64_t key))
{
	for (uint32_t i = 0; i < count; i++) {
		keys[i] = i * UINT64_C(0x9e3779b9) + 7;
		assert_int_equal(find(table, hash(keys[i]), keys[i]),
				 PYRO_TABLE_NONE);
		assert_int_equal(pyro_table_add(table, hash(keys[i]), i), 0);
	}
	assert_int_equal(table->count, count);
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(find(table, hash(keys[i]), keys[i]), i);
	assert_int_equal(find(table, hash(5), 5), PYRO_TABLE_NONE);
}

static uint64_t good(uint64_t key)
{
	return pyro_hash(&key, sizeof(key), 1);
}

static uint64_t same(uint64_t key)
{
	(void)key;
	return 255; /* the last place of a new table: probing wraps */
}

static uint64_t clustered(uint64_t key)
{
	return key << 40; /* differ only where the mask does not look */
}

static void test_find(void **state)
{
	struct pyro_table table = {0};

	(void)state;
	assert_int_equal(find(&table, 1, 1), PYRO_TABLE_NONE);
	fill(&table, ITEMS, good);
	/* Item numbers compare hashes first: eq is asked about little else. */
	asked = 0;
	for (uint32_t i = 0; i < ITEMS; i++)
		find(&table, good(keys[i]), keys[i]);
	assert_int_equal(asked, ITEMS);
	pyro_table_clear(&table);
	assert_int_equal(table.count, 0);
	assert_int_equal(find(&table, good(keys[3]), keys[3]), PYRO_TABLE_NONE);
	fill(&table, 1000, good);
	pyro_table_free(&table);
	assert_int_equal(find(&table, good(keys[3]), keys[3]), PYRO_TABLE_NONE);
}

static void test_collisions(void **state)
{
	struct pyro_table table = {0};

	(void)state;
	fill(&table, 1000, same);
	pyro_table_free(&table);
	fill(&table, 1000, clustered);
	pyro_table_free(&table);
}

static void test_bounds(void **state)
{
	struct pyro_table table = {0};

	(void)state;
	/* PYRO_TABLE_NONE is no item's number. */
	assert_true(pyro_table_add(&table, 1, UINT32_MAX) < 0);
	assert_true(pyro_table_add(&table, 1, UINT32_MAX - 1) < 0);
	assert_int_equal(pyro_table_add(&table, 1, UINT32_MAX - 2), 0);
	pyro_table_free(&table);
}

/* Every length and every flipped bit changes the hash, at any alignment the
 * hash is the same. */
static void test_hash(void **state)
{
	unsigned char bytes[80], moved[88];
	uint64_t seen[sizeof(bytes) + 1];

	(void)state;
	memset(bytes, 0, sizeof(bytes));
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		seen[len] = pyro_hash(bytes, len, 0);
		for (size_t i = 0; i < len; i++)
			assert_int_not_equal(seen[i], seen[len]);
		assert_int_not_equal(pyro_hash(bytes, len, 1), seen[len]);
		for (size_t bit = 0; bit < len * 8; bit++) {
			bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
			assert_int_not_equal(pyro_hash(bytes, len, 0),
					     seen[len]);
			bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
		}
		memcpy(moved + len % 8, bytes, len);
		assert_int_equal(pyro_hash(moved + len % 8, len, 0), seen[len]);
	}
}

static void test_strings(void **state)
{
	struct pyro_strings strings;
	char text[32];

	(void)state;
	assert_int_equal(pyro_strings_init(&strings), 0);
	assert_int_equal(pyro_strings_add(&strings, "", 0), 0);
	for (int i = 0; i < 5000; i++) {
		int len = snprintf(text, sizeof(text), "s%d", i);

		assert_int_equal(pyro_strings_add(&strings, text, (size_t)len),
				 i + 1);
	}
	for (int i = 0; i < 5000; i++) {
		int len = snprintf(text, sizeof(text), "s%d", i);

		assert_int_equal(pyro_strings_add(&strings, text, (size_t)len),
				 i + 1);
		assert_string_equal(pyro_strings_get(&strings, (uint32_t)i + 1),
				    text);
	}
	/* Equal up to a NUL is not equal; a prefix is not equal. */
	uint32_t a = pyro_strings_add(&strings, "a\0b", 3);
	uint32_t b = pyro_strings_add(&strings, "a\0c", 3);
	uint32_t c = pyro_strings_add(&strings, "a", 1);

	assert_true(a != b && b != c && a != c);
	assert_string_equal(pyro_strings_get(&strings, UINT32_MAX), "");
	assert_false(strings.failed);
	pyro_strings_free(&strings);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_collisions),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
