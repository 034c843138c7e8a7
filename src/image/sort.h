// SPDX-License-Identifier: Apache-2.0
/* sort.h - stable sort of keyed items; the libc's qsort may call malloc */
#ifndef PYRO_IMAGE_SORT_H
#define PYRO_IMAGE_SORT_H

#include "base/util.h"

struct pyro_sort_item {
	uint64_t key;
	uint64_t value;
};

/* Sort by rising key; items of equal keys keep their order. 0 or -ENOMEM. */
int pyro_sort(struct pyro_sort_item *items, size_t count);

#endif
