// SPDX-License-Identifier: Apache-2.0
/* exact.c - counts what a program allocates, exactly: the truth about heap
 * profiles
 *
 *     EXACT_DIR=folder LD_PRELOAD=libexact.so program
 *     EXACT_DIR=folder LD_PRELOAD=libpyroscope.so:libexact.so program
 *
 * Each process, a forked one too, keeps a file PID-NANOSECONDS of struct totals in
 * the folder, right at any time, and at its exit writes PID-NANOSECONDS.txt: a line
 * for each place that called an allocation function.
 *
 * Sizes are as asked for; realloc is a free and an allocation. Blocks are looked up
 * by address in memory of our own, which a fork empties: what a child inherits is
 * not its own. Nothing here allocates. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define CALLER ((uintptr_t)__builtin_return_address(0))

#define SHARDS 256
#define SHARD_BLOCKS 65536
#define SITES 65536

/* heap_programs.py reads it. */
struct totals {
	_Atomic uint64_t objects, bytes, live_objects, live_bytes;
	_Atomic uint64_t lost; /* blocks that no room was left for */
};

struct site {
	_Atomic uintptr_t caller;
	struct totals totals;
};

struct block {
	uintptr_t address;
	size_t size;
	struct site *site;
};

struct shard {
	_Atomic int lock;
	uint32_t used;
	struct block block[SHARD_BLOCKS];
};

/* Zero after a fork. */
struct state {
	struct totals *totals; /* the file's */
	char path[256];
	struct site site[SITES];
	struct shard shard[SHARDS];
};

static struct state *state;

static struct {
	void *(*malloc)(size_t);
	void (*free)(void *);
	void *(*calloc)(size_t, size_t);
	void *(*realloc)(void *, size_t);
	int (*posix_memalign)(void **, size_t, size_t);
	void *(*aligned_alloc)(size_t, size_t);
	void *(*memalign)(size_t, size_t);
	void *(*valloc)(size_t);
	void *(*pvalloc)(size_t);
} next;

/* What dlsym() asks for on its way. */
static _Alignas(16) char boot[65536];
static _Atomic size_t boot_used;

static void *boot_alloc(size_t size)
{
	size_t at = atomic_fetch_add(&boot_used, (size + 15) & ~(size_t)15);

	return at + size <= sizeof(boot) ? boot + at : NULL;
}

static bool is_boot(const void *p)
{
	return (uintptr_t)p - (uintptr_t)boot < sizeof(boot);
}

static void find(void *function, const char *name)
{
	*(void **)function = dlsym(RTLD_NEXT, name);
}

static bool resolved(void)
{
	static _Thread_local bool busy
		__attribute__((tls_model("initial-exec")));
	static _Atomic bool done;

	if (atomic_load_explicit(&done, memory_order_acquire))
		return true;
	if (busy)
		return false;
	busy = true;
	find(&next.free, "free");
	find(&next.calloc, "calloc");
	find(&next.realloc, "realloc");
	find(&next.posix_memalign, "posix_memalign");
	find(&next.aligned_alloc, "aligned_alloc");
	find(&next.memalign, "memalign");
	find(&next.valloc, "valloc");
	find(&next.pvalloc, "pvalloc");
	find(&next.malloc, "malloc");

	struct state *fresh =
		mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (fresh == MAP_FAILED ||
	    madvise(fresh, sizeof(*state), MADV_WIPEONFORK) != 0)
		abort();
	state = fresh;
	atomic_store_explicit(&done, true, memory_order_release);
	busy = false;
	return true;
}

/* --- the file --- */

static struct totals *open_totals(void)
{
	static struct totals nowhere;
	const char *folder = getenv("EXACT_DIR");
	struct timespec t;
	void *map = MAP_FAILED;
	int fd;

	clock_gettime(CLOCK_MONOTONIC, &t);
	snprintf(state->path, sizeof(state->path), "%s/%d-%lld",
		 folder ? folder : "/nowhere", (int)getpid(),
		 (long long)t.tv_sec * 1000000000 + t.tv_nsec);
	fd = open(state->path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd >= 0 && ftruncate(fd, sizeof(struct totals)) == 0)
		map = mmap(NULL, sizeof(struct totals), PROT_READ | PROT_WRITE,
			   MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	return map == MAP_FAILED ? &nowhere : map;
}

/* The first allocation of a process comes from its only thread. */
static struct totals *totals(void)
{
	if (!state->totals) {
		int saved = errno;

		state->totals = open_totals();
		errno = saved;
	}
	return state->totals;
}

/* --- counting --- */

static void add(struct totals *t, size_t size)
{
	atomic_fetch_add(&t->objects, 1);
	atomic_fetch_add(&t->bytes, size);
	atomic_fetch_add(&t->live_objects, 1);
	atomic_fetch_add(&t->live_bytes, size);
}

static void subtract(struct totals *t, size_t size)
{
	atomic_fetch_sub(&t->live_objects, 1);
	atomic_fetch_sub(&t->live_bytes, size);
}

static size_t hash(uintptr_t key)
{
	return (size_t)(key * 0x9e3779b97f4a7c15 >> 32);
}

static struct site *site_of(uintptr_t caller)
{
	for (size_t i = hash(caller);; i++) {
		struct site *site = &state->site[i % SITES];
		uintptr_t found = 0;

		if (atomic_compare_exchange_strong(&site->caller, &found,
						   caller) ||
		    found == caller)
			return site;
	}
}

static struct shard *lock_shard(uintptr_t key)
{
	struct shard *shard = &state->shard[hash(key) >> 24 & (SHARDS - 1)];

	while (atomic_exchange_explicit(&shard->lock, 1, memory_order_acquire))
		while (atomic_load_explicit(&shard->lock, memory_order_relaxed))
			__asm__ volatile("" ::: "memory");
	return shard;
}

static void unlock_shard(struct shard *shard)
{
	atomic_store_explicit(&shard->lock, 0, memory_order_release);
}

/* The block's place, or the empty one where it would be. */
static size_t place_of(const struct shard *shard, uintptr_t key)
{
	size_t i = hash(key) % SHARD_BLOCKS;

	while (shard->block[i].address && shard->block[i].address != key)
		i = (i + 1) % SHARD_BLOCKS;
	return i;
}

static void insert(void *p, size_t size, struct site *site)
{
	struct shard *shard = lock_shard((uintptr_t)p);
	struct block *block = &shard->block[place_of(shard, (uintptr_t)p)];
	struct block stale = *block;
	bool full = shard->used >= SHARD_BLOCKS - 1;

	if (!full) {
		shard->used += !stale.address;
		*block = (struct block){(uintptr_t)p, size, site};
	}
	unlock_shard(shard);
	/* Freed by somebody whom we do not see. */
	if (stale.address) {
		subtract(totals(), stale.size);
		subtract(&stale.site->totals, stale.size);
	}
	atomic_fetch_add(&totals()->lost, full);
}

/* What follows moves up, where it is still found. */
static void close_gap(struct shard *shard, size_t gap)
{
	for (size_t i = (gap + 1) % SHARD_BLOCKS; shard->block[i].address;
	     i = (i + 1) % SHARD_BLOCKS) {
		size_t home = hash(shard->block[i].address) % SHARD_BLOCKS;

		if ((i - home) % SHARD_BLOCKS >= (i - gap) % SHARD_BLOCKS) {
			shard->block[gap] = shard->block[i];
			gap = i;
		}
	}
	shard->block[gap].address = 0;
}

static struct block removed(void *p)
{
	struct shard *shard = lock_shard((uintptr_t)p);
	size_t place = place_of(shard, (uintptr_t)p);
	struct block block = shard->block[place];

	if (block.address) {
		shard->used--;
		close_gap(shard, place);
	}
	unlock_shard(shard);
	return block;
}

static void *counted(void *p, size_t size, uintptr_t caller)
{
	struct site *site;

	if (!p)
		return p;
	site = site_of(caller);
	add(totals(), size);
	add(&site->totals, size);
	insert(p, size, site);
	return p;
}

static void forget(const struct block *block)
{
	if (block->address) {
		subtract(totals(), block->size);
		subtract(&block->site->totals, block->size);
	}
}

/* --- the functions --- */

EXPORT void *malloc(size_t size)
{
	if (!resolved())
		return boot_alloc(size);
	return counted(next.malloc(size), size, CALLER);
}

EXPORT void *calloc(size_t count, size_t size)
{
	if (!resolved())
		return boot_alloc(count * size);
	return counted(next.calloc(count, size), count * size, CALLER);
}

EXPORT void free(void *p)
{
	struct block block;

	if (!p || is_boot(p) || !resolved())
		return;
	block = removed(p);
	forget(&block);
	next.free(p);
}

static void *reallocate(void *p, size_t size, uintptr_t caller)
{
	struct block block = {.address = 0};
	void *q;

	if (!resolved() || is_boot(p)) {
		q = resolved() ? counted(next.malloc(size), size, caller)
			       : boot_alloc(size);
		if (p && q)
			memcpy(q, p, size);
		return q;
	}
	if (p)
		block = removed(p);
	q = next.realloc(p, size);
	if (q || size == 0)
		forget(&block);
	else if (block.address)
		insert(p, block.size, block.site);
	return counted(q, size, caller);
}

EXPORT void *realloc(void *p, size_t size)
{
	return reallocate(p, size, CALLER);
}

EXPORT void *reallocarray(void *p, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return reallocate(p, bytes, CALLER);
}

EXPORT int posix_memalign(void **p, size_t align, size_t size)
{
	int err;

	if (!resolved())
		return ENOMEM;
	err = next.posix_memalign(p, align, size);
	if (err == 0)
		counted(*p, size, CALLER);
	return err;
}

EXPORT void *aligned_alloc(size_t align, size_t size)
{
	if (!resolved())
		return NULL;
	return counted(next.aligned_alloc(align, size), size, CALLER);
}

EXPORT void *memalign(size_t align, size_t size)
{
	if (!resolved())
		return NULL;
	return counted(next.memalign(align, size), size, CALLER);
}

EXPORT void *valloc(size_t size)
{
	if (!resolved())
		return NULL;
	return counted(next.valloc(size), size, CALLER);
}

EXPORT void *pvalloc(size_t size)
{
	if (!resolved())
		return NULL;
	return counted(next.pvalloc(size), size, CALLER);
}

/* --- the report --- */

struct module {
	uintptr_t address;
	uintptr_t base;
	const char *name;
};

static int look_for(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct module *found = arg;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type == PT_LOAD &&
		    found->address - info->dlpi_addr - p->p_vaddr <
			    p->p_memsz) {
			found->base = info->dlpi_addr;
			found->name = info->dlpi_name;
			return 1;
		}
	}
	return 0;
}

/* "CALLER OBJECTS BYTES LIVE_OBJECTS LIVE_BYTES MODULE"; the caller is the return
 * address as the module has it, the program's own module is "-". */
static void report_site(int fd, const struct site *site)
{
	struct module module = {.address = site->caller};

	dl_iterate_phdr(look_for, &module);
	dprintf(fd, "%jx %ju %ju %ju %ju %s\n",
		(uintmax_t)(module.address - module.base),
		(uintmax_t)site->totals.objects, (uintmax_t)site->totals.bytes,
		(uintmax_t)site->totals.live_objects,
		(uintmax_t)site->totals.live_bytes,
		module.name && module.name[0] ? module.name : "-");
}

__attribute__((destructor)) static void report(void)
{
	char path[sizeof(state->path) + 4];
	int fd;

	if (!state || !state->totals)
		return;
	snprintf(path, sizeof(path), "%s.txt", state->path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	for (size_t i = 0; fd >= 0 && i < SITES; i++)
		if (state->site[i].caller)
			report_site(fd, &state->site[i]);
	if (fd >= 0)
		close(fd);
}
