// SPDX-License-Identifier: Apache-2.0
/* next.c - where hooks forward to */
#include "source/next.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>

#include "image/dynamic.h"

struct search {
	const char *name;
	uintptr_t found;
};

static int look_in(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct search *search = arg;
	struct pyro_dynamic d;
	bool several = false;

	(void)size;
	if (pyro_dynamic_open(&d, info->dlpi_addr, info->dlpi_phdr,
			      info->dlpi_phnum) &&
	    !pyro_dynamic_contains(&d, (uintptr_t)pyro_next_find))
		search->found = pyro_dynamic_find(
			&d, search->name, pyro_dynamic_hash(search->name),
			&several);
	return search->found != 0;
}

/* Compiled with -fno-optimize-sibling-calls: dlsym(RTLD_NEXT) looks at its return
 * address to know who asks. */
uintptr_t pyro_next_find(const char *name)
{
	struct search search = {.name = name};
	int saved = errno;

	search.found = (uintptr_t)dlsym(RTLD_NEXT, name);
	/* Linked indirectly, or behind -lc: libc comes before us. Not by
	 * RTLD_DEFAULT, which may find a stub in the executable's PLT; that leads
	 * back to us once the executable is bound. Without our lock over the
	 * loader's: dlopen may wait for the caller, holding both. */
	if (!search.found)
		dl_iterate_phdr(look_in, &search);
	errno = saved;
	return search.found;
}

void pyro_next_resolve(const struct pyro_hooked *table, size_t count)
{
	for (size_t i = 0; i < count; i++)
		(void)pyro_next_address(table[i].next, table[i].name);
	pyro_bind_add(table, count, NULL);
}
