// SPDX-License-Identifier: Apache-2.0
/* arena.h - memory from mmap alone
 *
 * The library never calls the program's malloc: it may be broken, slow, hooked,
 * or locked by the thread that a fork copies. Three forms: whole pages, arrays
 * that grow in place (mremap), and bump arenas that are freed at once. */
#ifndef PYRO_BASE_ARENA_H
#define PYRO_BASE_ARENA_H

#include "base/util.h"

/* What all of it takes may have a limit: beyond it there is no memory, as if the
 * kernel had refused. Address space is counted, so that what is in RAM is less.
 * 0: no limit, as it is at first. Any thread. */
void pyro_memory_limit(size_t bytes);
size_t pyro_memory_mapped(void);
/* Would so many bytes more be over three quarters of it? Then what is only gathered
 * has to stop, so that it can still be handed on. */
bool pyro_memory_is_short(size_t more);
/* In a forked child: what it has of its parent, most of which it never looks at, does
 * not count. Stores only. */
void pyro_memory_forked(void);
/* How often there was none, for the limit or by the kernel. */
uint64_t pyro_memory_refused(void);

/* Zeroed pages for at least size bytes. Returns owned (pyro_pages_free with
 * the same size), NULL when the kernel refuses or size is 0. Any thread. */
void *pyro_pages_alloc(size_t size);

/* NULL is fine. Keeps errno. */
void pyro_pages_free(void *pages, size_t size);

/* Make room for need items of item bytes in an array that came from here (or
 * is NULL with *cap 0); doubles, new items are zeroed. Returns the array, which
 * may have moved, and sets *cap; NULL for out of memory, the old array stays.
 * Free with pyro_pages_free(array, *cap * item). */
void *pyro_array_grow(void *array, size_t *cap, size_t need, size_t item);

struct pyro_arena_chunk;

/* Zero-initialised is empty and ready. One thread at a time. */
struct pyro_arena {
	struct pyro_arena_chunk *head;
	size_t bytes; /* mapped, for the memory budget */
};

/* size zeroed bytes, 16-aligned, valid until pyro_arena_free; NULL for OOM. */
void *pyro_arena_alloc(struct pyro_arena *arena, size_t size);

/* Copy of len bytes with a NUL behind; NULL for out of memory. */
char *pyro_arena_strndup(struct pyro_arena *arena, const char *s, size_t len);

/* Unmap all; the arena is empty and ready again. */
void pyro_arena_free(struct pyro_arena *arena);

#endif
