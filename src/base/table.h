// SPDX-License-Identifier: Apache-2.0
/* table.h - hash index from a 64-bit hash to an item number, and strings
 *
 * The table does not own the items: it maps a hash to the number (0-based) of
 * an item that lives in somebody's array, and asks eq() whether that item is
 * the one looked for. One thread at a time; items are never removed. */
#ifndef PYRO_BASE_TABLE_H
#define PYRO_BASE_TABLE_H

#include "base/arena.h"

#define PYRO_TABLE_NONE UINT32_MAX

struct pyro_table_slot;

struct pyro_table {
	struct pyro_table_slot *slots;
	size_t cap; /* power of two, or 0 */
	size_t count;
};

typedef bool pyro_table_eq_fn(const void *owner, uint32_t item,
			      const void *key);

/* The item with this hash for which eq(owner, item, key) holds, else
 * PYRO_TABLE_NONE. */
uint32_t pyro_table_find(const struct pyro_table *table, uint64_t hash,
			 pyro_table_eq_fn *eq, const void *owner,
			 const void *key);
/* Add an item that is not in the table. 0 or -ENOMEM. */
int pyro_table_add(struct pyro_table *table, uint64_t hash, uint32_t item);
/* Forget all items, keep the room. */
void pyro_table_clear(struct pyro_table *table);
void pyro_table_free(struct pyro_table *table);

/* Hash of bytes, for keys in these tables (not for untrusted adversaries). */
uint64_t pyro_hash(const void *data, size_t len, uint64_t seed);

struct pyro_string {
	const char *data; /* NUL-terminated, in the arena */
	size_t len;
};

/* Interned strings: equal strings have equal numbers. Number 0 is "". */
struct pyro_strings {
	struct pyro_arena arena;
	struct pyro_table table;
	struct pyro_string *items;
	size_t count;
	size_t cap;
	bool failed; /* out of memory once: later numbers may be 0 */
};

int pyro_strings_init(struct pyro_strings *strings);
/* The number of this string; PYRO_TABLE_NONE: it is not there. */
uint32_t pyro_strings_find(const struct pyro_strings *strings, const char *s,
			   size_t len);
/* The number of this string, adding it if new; 0 and failed for OOM. */
uint32_t pyro_strings_add(struct pyro_strings *strings, const char *s,
			  size_t len);
static inline const char *pyro_strings_get(const struct pyro_strings *strings,
					   uint32_t id)
{
	return id < strings->count ? strings->items[id].data : "";
}
void pyro_strings_free(struct pyro_strings *strings);

#endif
