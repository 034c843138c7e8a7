// SPDX-License-Identifier: Apache-2.0
/* arena.c - pages, growing arrays and bump arenas from mmap */
#include "base/arena.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE ((size_t)4096)
#define CHUNK_MIN ((size_t)32 << 10)
#define CHUNK_MAX ((size_t)1 << 20)

struct pyro_arena_chunk {
	struct pyro_arena_chunk *next;
	size_t size; /* mapped, this header included */
	size_t used;
	size_t unused; /* keeps what follows 16-aligned */
};

static struct {
	_Atomic size_t mapped, limit;
	_Atomic size_t parents; /* of it, in a forked child */
	_Atomic uint64_t refused;
} memory;

/* What of so much counts. */
static size_t own(size_t mapped)
{
	size_t parents = atomic_load(&memory.parents);

	return mapped > parents ? mapped - parents : 0;
}

void pyro_memory_limit(size_t bytes)
{
	atomic_store(&memory.limit, bytes);
}

size_t pyro_memory_mapped(void)
{
	return atomic_load(&memory.mapped);
}

bool pyro_memory_is_short(size_t more)
{
	size_t limit = atomic_load(&memory.limit);

	return limit && own(atomic_load(&memory.mapped)) + more > limit / 4 * 3;
}

void pyro_memory_forked(void)
{
	atomic_store(&memory.parents, atomic_load(&memory.mapped));
}

uint64_t pyro_memory_refused(void)
{
	return atomic_load(&memory.refused);
}

/* False: it would be too much. */
static bool take(size_t bytes)
{
	size_t limit = atomic_load(&memory.limit);
	size_t before = own(atomic_fetch_add(&memory.mapped, bytes));

	if (!limit || (bytes <= limit && before <= limit - bytes))
		return true;
	atomic_fetch_sub(&memory.mapped, bytes);
	return false;
}

/* pages is what the kernel gave for bytes that were taken. */
static void *taken(void *pages, size_t bytes)
{
	if (pages != MAP_FAILED)
		return pages;
	atomic_fetch_sub(&memory.mapped, bytes);
	return NULL;
}

static void *refused(void *pages)
{
	if (!pages)
		atomic_fetch_add(&memory.refused, 1);
	return pages;
}

void *pyro_pages_alloc(size_t size)
{
	size_t bytes = pyro_align_up(size, PAGE);
	int saved = errno;
	void *p = NULL;

	if (size == 0)
		return NULL;
	if (bytes >= size && take(bytes))
		p = taken(mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
			  bytes);
	errno = saved;
	return refused(p);
}

void pyro_pages_free(void *pages, size_t size)
{
	size_t bytes = pyro_align_up(size, PAGE);
	int saved = errno;

	if (pages && size && munmap(pages, bytes) == 0)
		atomic_fetch_sub(&memory.mapped, bytes);
	errno = saved;
}

static void *resize(void *pages, size_t old, size_t bytes)
{
	int saved = errno;
	void *p = NULL;

	if (!pages)
		return pyro_pages_alloc(bytes);
	if (take(bytes - old))
		p = taken(mremap(pages, old, bytes, MREMAP_MAYMOVE),
			  bytes - old);
	errno = saved;
	return refused(p);
}

void *pyro_array_grow(void *array, size_t *cap, size_t need, size_t item)
{
	if (array && need <= *cap)
		return array;
	if (need > SIZE_MAX / 4 / item)
		return NULL;

	size_t old = pyro_align_up(*cap * item, PAGE);
	size_t bytes = pyro_align_up(pyro_max(need * item, 2 * old), PAGE);
	void *fresh = resize(array, old, bytes);

	if (!fresh)
		return NULL;
	*cap = bytes / item;
	return fresh;
}

static struct pyro_arena_chunk *chunk_new(struct pyro_arena *arena, size_t size)
{
	/* Double with the arena, so that small users stay small. */
	size_t want = pyro_max(CHUNK_MIN, pyro_min(arena->bytes, CHUNK_MAX));

	if (size > SIZE_MAX / 2)
		return NULL;
	want = pyro_align_up(
		pyro_max(want, size + sizeof(struct pyro_arena_chunk)), PAGE);

	struct pyro_arena_chunk *chunk = pyro_pages_alloc(want);

	if (!chunk)
		return NULL;
	chunk->size = want;
	chunk->used = sizeof(*chunk);
	chunk->next = arena->head;
	arena->head = chunk;
	arena->bytes += want;
	return chunk;
}

void *pyro_arena_alloc(struct pyro_arena *arena, size_t size)
{
	struct pyro_arena_chunk *chunk = arena->head;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = pyro_align_up(pyro_max(size, 1), 16);
	if (!chunk || size > chunk->size - chunk->used) {
		chunk = chunk_new(arena, size);
		if (!chunk)
			return NULL;
	}

	void *p = (char *)chunk + chunk->used;

	chunk->used += size;
	return p;
}

char *pyro_arena_strndup(struct pyro_arena *arena, const char *s, size_t len)
{
	char *copy = len < SIZE_MAX ? pyro_arena_alloc(arena, len + 1) : NULL;

	if (copy) {
		memcpy(copy, s, len);
		copy[len] = '\0';
	}
	return copy;
}

void pyro_arena_free(struct pyro_arena *arena)
{
	struct pyro_arena_chunk *chunk = arena->head;

	while (chunk) {
		struct pyro_arena_chunk *next = chunk->next;

		pyro_pages_free(chunk, chunk->size);
		chunk = next;
	}
	arena->head = NULL;
	arena->bytes = 0;
}
