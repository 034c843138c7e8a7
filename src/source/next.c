// SPDX-License-Identifier: Apache-2.0
/* next.c - where hooks forward to
 *
 * Found in the objects themselves. dlsym() allocates when it fails, and leaves an
 * error for the program's dlerror(); before glibc 2.36 it may give an old version
 * of a function; and by RTLD_DEFAULT it may find a stub in the executable's PLT,
 * which leads back to us once the executable is bound. */
#include "source/next.h"

#include <errno.h>
#include <link.h>

#include "image/dynamic.h"

#define BATCH 96

struct search {
	const char *name;
	uint32_t hash;
	uintptr_t next;  /* the first definition behind us */
	uintptr_t first; /* of those before us */
};

struct searches {
	struct search item[BATCH];
	size_t count;
	bool behind; /* the objects that come now are */
};

static int look_in(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct searches *all = arg;
	struct pyro_dynamic d;
	bool several = false;

	(void)size;
	if (!pyro_dynamic_open(&d, info->dlpi_addr, info->dlpi_phdr,
			       info->dlpi_phnum))
		return 0;
	if (pyro_dynamic_contains(&d, (uintptr_t)pyro_next_find)) {
		all->behind = true;
		return 0;
	}
	for (size_t i = 0; i < all->count; i++) {
		struct search *s = &all->item[i];
		uintptr_t *found = all->behind ? &s->next : &s->first;

		if (!*found)
			*found = pyro_dynamic_find(&d, s->name, s->hash,
						   &several);
	}
	return 0;
}

/* Without our lock over the loader's: dlopen may wait for the caller, holding
 * both. */
static void search(struct searches *all)
{
	int saved = errno;

	for (size_t i = 0; i < all->count; i++)
		all->item[i].hash = pyro_dynamic_hash(all->item[i].name);
	dl_iterate_phdr(look_in, all);
	errno = saved;
}

/* Linked indirectly, or behind -lc, there is nothing behind us. */
static uintptr_t result(const struct search *s)
{
	return s->next ? s->next : s->first;
}

uintptr_t pyro_next_find(const char *name)
{
	struct searches one = {.item = {{.name = name}}, .count = 1};

	search(&one);
	return result(&one.item[0]);
}

void pyro_next_resolve(const struct pyro_hooked *table, size_t count)
{
	struct searches all = {.count = pyro_min(count, BATCH)};

	for (size_t i = 0; i < all.count; i++)
		all.item[i].name = table[i].name;
	search(&all);
	for (size_t i = 0; i < all.count; i++)
		if (atomic_load(table[i].next) == 0)
			atomic_store(table[i].next, result(&all.item[i]));
	pyro_bind_add(table, count, NULL);
}
