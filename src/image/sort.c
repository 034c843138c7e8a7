// SPDX-License-Identifier: Apache-2.0
/* sort.c - stable radix sort by 64-bit keys
 *
 * One pass for each byte in which keys differ: for the addresses of one image
 * three or four. Tables of images are often sorted already: then none. Few items
 * are inserted one by one, without another array. */
#include "image/sort.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"

#define FEW 32

static void sort_by_byte(const struct pyro_sort_item *from,
			 struct pyro_sort_item *to, size_t count,
			 unsigned shift)
{
	size_t start[256] = {0};
	size_t at = 0;

	for (size_t i = 0; i < count; i++)
		start[(from[i].key >> shift) & 255]++;
	for (size_t i = 0; i < PYRO_COUNT_OF(start); i++) {
		size_t n = start[i];
		start[i] = at;
		at += n;
	}
	for (size_t i = 0; i < count; i++)
		to[start[(from[i].key >> shift) & 255]++] = from[i];
}

static void insert_each(struct pyro_sort_item *items, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct pyro_sort_item item = items[i];
		size_t to = i;

		for (; to > 0 && items[to - 1].key > item.key; to--)
			items[to] = items[to - 1];
		items[to] = item;
	}
}

int pyro_sort(struct pyro_sort_item *items, size_t count)
{
	uint64_t differ = 0;
	bool sorted = true;

	for (size_t i = 1; i < count; i++) {
		differ |= items[i].key ^ items[i - 1].key;
		sorted = sorted && items[i].key >= items[i - 1].key;
	}
	if (sorted)
		return 0;
	if (count <= FEW) {
		insert_each(items, count);
		return 0;
	}

	struct pyro_sort_item *other = pyro_pages_alloc(count * sizeof(*items));

	if (!other)
		return -ENOMEM;

	struct pyro_sort_item *from = items, *to = other;

	for (unsigned shift = 0; shift < 64; shift += 8) {
		if (((differ >> shift) & 255) == 0)
			continue;
		sort_by_byte(from, to, count, shift);

		struct pyro_sort_item *last = from;

		from = to;
		to = last;
	}
	if (from != items)
		memcpy(items, from, count * sizeof(*items));
	pyro_pages_free(other, count * sizeof(*items));
	return 0;
}
