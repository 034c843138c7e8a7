// SPDX-License-Identifier: Apache-2.0
/* table.c - open-addressing hash index and interned strings */
#include "base/table.h"

#include <errno.h>
#include <string.h>

struct pyro_table_slot {
	uint64_t hash;
	uint32_t item_plus_1; /* 0: empty */
	uint32_t unused;
};

uint32_t pyro_table_find(const struct pyro_table *table, uint64_t hash,
			 pyro_table_eq_fn *eq, const void *owner,
			 const void *key)
{
	if (table->cap == 0)
		return PYRO_TABLE_NONE;
	for (size_t i = hash & (table->cap - 1);;
	     i = (i + 1) & (table->cap - 1)) {
		const struct pyro_table_slot *slot = &table->slots[i];

		if (slot->item_plus_1 == 0)
			return PYRO_TABLE_NONE;
		if (slot->hash == hash && eq(owner, slot->item_plus_1 - 1, key))
			return slot->item_plus_1 - 1;
	}
}

static void put(struct pyro_table_slot *slots, size_t cap, uint64_t hash,
		uint32_t item_plus_1)
{
	size_t i = hash & (cap - 1);

	while (slots[i].item_plus_1 != 0)
		i = (i + 1) & (cap - 1);
	slots[i].hash = hash;
	slots[i].item_plus_1 = item_plus_1;
}

static int grow(struct pyro_table *table)
{
	size_t cap = pyro_max(256, table->cap * 2);
	struct pyro_table_slot *slots = pyro_pages_alloc(cap * sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < table->cap; i++)
		if (table->slots[i].item_plus_1 != 0)
			put(slots, cap, table->slots[i].hash,
			    table->slots[i].item_plus_1);
	pyro_pages_free(table->slots, table->cap * sizeof(*slots));
	table->slots = slots;
	table->cap = cap;
	return 0;
}

int pyro_table_add(struct pyro_table *table, uint64_t hash, uint32_t item)
{
	if (item >= UINT32_MAX - 1)
		return -ENOMEM;
	if (table->count * 4 >= table->cap * 3) {
		int err = grow(table);
		if (err)
			return err;
	}
	put(table->slots, table->cap, hash, item + 1);
	table->count++;
	return 0;
}

void pyro_table_clear(struct pyro_table *table)
{
	if (table->count)
		memset(table->slots, 0, table->cap * sizeof(*table->slots));
	table->count = 0;
}

void pyro_table_free(struct pyro_table *table)
{
	pyro_pages_free(table->slots, table->cap * sizeof(*table->slots));
	*table = (struct pyro_table){0};
}

/* Multiply-and-fold over 8-byte words, finished as in MurmurHash3's fmix64
 * (public domain, Austin Appleby). */
uint64_t pyro_hash(const void *data, size_t len, uint64_t seed)
{
	const unsigned char *p = data;
	uint64_t h = seed ^ (len * UINT64_C(0x9e3779b97f4a7c15));
	uint64_t word;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&word, p, 8);
		h = (h ^ word) * UINT64_C(0xff51afd7ed558ccd);
		h ^= h >> 32;
	}
	word = 0;
	if (len)
		memcpy(&word, p, len);
	h = (h ^ word) * UINT64_C(0xff51afd7ed558ccd);
	h ^= h >> 33;
	h *= UINT64_C(0xc4ceb9fe1a85ec53);
	return h ^ h >> 33;
}

static bool same_string(const void *owner, uint32_t item, const void *key)
{
	const struct pyro_strings *strings = owner;
	const struct pyro_string *want = key;
	const struct pyro_string *have = &strings->items[item];

	return have->len == want->len &&
	       memcmp(have->data, want->data, want->len) == 0;
}

int pyro_strings_init(struct pyro_strings *strings)
{
	*strings = (struct pyro_strings){0};
	pyro_strings_add(strings, "", 0);
	return strings->failed ? -ENOMEM : 0;
}

uint32_t pyro_strings_find(const struct pyro_strings *strings, const char *s,
			   size_t len)
{
	struct pyro_string key = {s, len};

	return pyro_table_find(&strings->table, pyro_hash(s, len, 0),
			       same_string, strings, &key);
}

uint32_t pyro_strings_add(struct pyro_strings *strings, const char *s,
			  size_t len)
{
	uint32_t found = pyro_strings_find(strings, s, len);

	if (found != PYRO_TABLE_NONE)
		return found;

	struct pyro_string *items =
		pyro_array_grow(strings->items, &strings->cap,
				strings->count + 1, sizeof(*items));
	if (items)
		strings->items = items;

	char *copy = pyro_arena_strndup(&strings->arena, s, len);

	if (!items || !copy ||
	    pyro_table_add(&strings->table, pyro_hash(s, len, 0),
			   (uint32_t)strings->count)) {
		strings->failed = true;
		return 0;
	}
	strings->items[strings->count] = (struct pyro_string){copy, len};
	return (uint32_t)strings->count++;
}

void pyro_strings_free(struct pyro_strings *strings)
{
	pyro_arena_free(&strings->arena);
	pyro_table_free(&strings->table);
	pyro_pages_free(strings->items, strings->cap * sizeof(*strings->items));
	*strings = (struct pyro_strings){0};
}
