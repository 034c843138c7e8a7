// SPDX-License-Identifier: Apache-2.0
/* bind.h - do the program's calls reach the hooks?
 *
 * They do by the dynamic linker's rules where libpyroscope.so comes before libc
 * in the order of lookup: linked by the program, or preloaded. They do not where
 * a library links it, where -lc comes first, where the running program opens it,
 * in objects that were opened with RTLD_DEEPBIND, and for functions that the
 * executable defines itself. So each slot of each object that holds just that
 * function to which a hook forwards is given the hook instead. What holds
 * anything else - an older version of the function, another allocator, another
 * interposer - is left alone: a hook may stand only where it changes nothing.
 *
 * In libpyroscope.a there is nothing to do: the linker has put the hooks in. */
#ifndef PYRO_SOURCE_BIND_H
#define PYRO_SOURCE_BIND_H

#include <stdatomic.h>

#include "base/util.h"

/* Of all files together. */
#define PYRO_BIND_MAX 384
#define PYRO_BIND_RULES_MAX 8

/* One hook. Files that have some put them into tables, by the macros of
 * next.h. There may be several of one name that forward to different functions:
 * each slot gets the one that forwards to what it holds. */
struct pyro_hooked {
	const char *name; /* of the function */
	void (*hook)(void);
	_Atomic uintptr_t *next; /* to what the hook forwards; 0: not known */
};

/* Called when it was seen what the loaded objects define, before slots are
 * changed: may set where the hooks of its table forward to. Collector, without
 * any lock. */
typedef void pyro_bind_rule_fn(void);

/* From the constructor, or before the collector runs. Borrows the table for
 * ever. A hook whose next is 0 is one that the library does not export: without a
 * rule it forwards to the first definition there is, and an object's calls of its
 * own definition are left alone - what an allocator does inside is one call. */
void pyro_bind_add(const struct pyro_hooked *table, size_t count,
		   pyro_bind_rule_fn *rule);

/* Bind what was loaded since the last call; some 50 ns when nothing was.
 * Collector only. */
void pyro_bind_refresh(void);

enum pyro_bind_mode {
	PYRO_BIND_NONE,    /* not known: no such hook, or nobody defines it */
	PYRO_BIND_SYMBOLS, /* the linker's rules lead to the hook */
	PYRO_BIND_GOT,     /* the slots of loaded objects are changed */
	PYRO_BIND_OWN,     /* got, and the executable defines the function: its
			    * own calls are not seen */
	PYRO_BIND_WRAP     /* libpyroscope.a */
};
/* The first definition of a hooked name that is not the library's. */
struct pyro_bind_definition {
	uintptr_t function;       /* 0: nobody defines it */
	size_t object;            /* its number in the loader's list */
	enum pyro_bind_mode mode; /* of the name */
};
/* For rules. */
struct pyro_bind_definition pyro_bind_definition(const char *name);

/* As of the last refresh. Any thread. */
enum pyro_bind_mode pyro_bind_mode(const char *name);

/* Slots of hooked names, as of the last refresh, without the library's own and
 * those that no call has resolved yet. */
struct pyro_bind_counts {
	uint64_t bound;     /* that hold the hook */
	uint64_t patched;   /* of these, that were changed, ever */
	uint64_t elsewhere; /* that hold something else */
};
/* For one name, or for all when it is NULL. Any thread. */
struct pyro_bind_counts pyro_bind_counts(const char *name);

#endif
