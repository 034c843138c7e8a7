// SPDX-License-Identifier: Apache-2.0
/* operators.cpp - each operator new and delete, and what allocators have beside
 * malloc, called by a function of its own, with what the profile must say of it:
 * as heap_calls.c. Built by e2e/allocators.sh, with several allocators. */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <malloc.h>
#include <map>
#include <new>
#include <string>

#include <pyroscope/pyroscope.h>

#define WEAK __attribute__((weak))

extern "C" {
void *mallocx(size_t, int) WEAK;
void *rallocx(void *, size_t, int) WEAK;
size_t xallocx(void *, size_t, size_t, int) WEAK;
void dallocx(void *, int) WEAK;
void sdallocx(void *, size_t, int) WEAK;
void *tc_malloc(size_t) WEAK;
void *tc_calloc(size_t, size_t) WEAK;
void *tc_realloc(void *, size_t) WEAK;
void *tc_memalign(size_t, size_t) WEAK;
int tc_posix_memalign(void **, size_t, size_t) WEAK;
void *tc_new(size_t) WEAK;
void tc_free(void *) WEAK;
void tc_free_sized(void *, size_t) WEAK;
void tc_delete(void *) WEAK;
void *mi_malloc(size_t) WEAK;
void *mi_zalloc(size_t) WEAK;
void *mi_calloc(size_t, size_t) WEAK;
void *mi_realloc(void *, size_t) WEAK;
void *mi_malloc_aligned(size_t, size_t) WEAK;
int mi_posix_memalign(void **, size_t, size_t) WEAK;
void *mi_new(size_t) WEAK;
void mi_free(void *) WEAK;
void mi_free_size(void *, size_t) WEAK;
}

static void *volatile kept[1000];
static size_t keeping;
static int problems;

static void problem(const char *what)
{
	printf("problem: %s\n", what);
	problems++;
}

struct want {
	const char *name;
	size_t objects, bytes, inuse_objects, inuse_bytes;

	explicit want(const char *text) : want{text, 0, 0, 0, 0}
	{
	}
	want(const char *text, size_t o, size_t b, size_t io, size_t ib)
		: name(text), objects(o), bytes(b), inuse_objects(io),
		  inuse_bytes(ib)
	{
	}
	void tell() const
	{
		printf("%s %zu %zu %zu %zu\n", name, objects, bytes,
		       inuse_objects, inuse_bytes);
	}
	/* Is it to be freed? */
	bool take(void *p, size_t size)
	{
		if (!p) {
			problem(name);
			return false;
		}
		memset(p, 1, size);
		objects++;
		bytes += size;
		if (objects % 2 == 0)
			return true;
		kept[keeping++] = p;
		inuse_objects++;
		inuse_bytes += size;
		return false;
	}
};

#define CALLER(name, size, allocate, release)                            \
	extern "C" __attribute__((noinline)) void call_##name(void);     \
	extern "C" void call_##name(void)                                \
	{                                                                \
		want w("call_" #name);                                   \
                                                                         \
		for (size_t i = 0; i < 5; i++) {                         \
			void *p = allocate;                              \
                                                                         \
			if (w.take(p, size))                             \
				release;                                 \
		}                                                        \
		w.tell();                                                \
	}

static constexpr std::align_val_t align{64};

/* As programs must not, and some do. */
static void free_new(void *volatile p)
{
	free(p);
}

CALLER(malloc, 20 + i, malloc(20 + i), free(p))
CALLER(calloc, 3 * 20, calloc(3, 20), free(p))
CALLER(realloc, 25, realloc(nullptr, 25), free(p))
CALLER(aligned_alloc, 128, aligned_alloc(64, 128), free(p))
CALLER(memalign, 130, memalign(64, 130), free(p))
CALLER(new, 40 + i, ::operator new(40 + i), ::operator delete(p))
CALLER(new_sized, 50 + i, ::operator new(50 + i),
       ::operator delete(p, 50 + i))
CALLER(new_array, 60 + i, ::operator new[](60 + i), ::operator delete[](p))
CALLER(new_array_sized, 70, ::operator new[](70), ::operator delete[](p, 70))
CALLER(new_nothrow, 80, ::operator new(80, std::nothrow),
       ::operator delete(p, std::nothrow))
CALLER(new_array_nothrow, 90, ::operator new[](90, std::nothrow),
       ::operator delete[](p, std::nothrow))
CALLER(new_aligned, 64, ::operator new(64, align),
       ::operator delete(p, align))
CALLER(new_aligned_sized, 128, ::operator new(128, align),
       ::operator delete(p, 128, align))
CALLER(new_array_aligned, 192, ::operator new[](192, align),
       ::operator delete[](p, align))
CALLER(new_aligned_nothrow, 256, ::operator new(256, align, std::nothrow),
       ::operator delete(p, align, std::nothrow))
CALLER(new_large, 500000 + i, ::operator new(500000 + i),
       ::operator delete(p))
CALLER(new_free, 44, ::operator new(44), free_new(p))
CALLER(mallocx, 300 + i, mallocx(300 + i, 0), dallocx(p, 0))
CALLER(mallocx_sized, 320, mallocx(320, 0), sdallocx(p, 320, 0))
CALLER(tc_malloc, 30 + i, tc_malloc(30 + i), tc_free(p))
CALLER(tc_calloc, 4 * 30, tc_calloc(4, 30), tc_free_sized(p, 4 * 30))
CALLER(tc_memalign, 333, tc_memalign(256, 333), free(p))
CALLER(tc_new, 34, tc_new(34), tc_delete(p))
CALLER(mi_malloc, 30 + i, mi_malloc(30 + i), mi_free(p))
CALLER(mi_zalloc, 35 + i, mi_zalloc(35 + i), mi_free_size(p, 35 + i))
CALLER(mi_calloc, 4 * 30, mi_calloc(4, 30), free(p))
CALLER(mi_malloc_aligned, 333, mi_malloc_aligned(333, 256), mi_free(p))
CALLER(mi_new, 34, mi_new(34), mi_free(p))

typedef int memalign_fn(void **, size_t, size_t);
static void *aligned(memalign_fn *fn)
{
	void *p = nullptr;

	return fn(&p, 64, 70) == 0 ? p : nullptr;
}
CALLER(posix_memalign, 70, aligned(posix_memalign), free(p))
CALLER(tc_posix_memalign, 70, aligned(tc_posix_memalign), tc_free(p))
CALLER(mi_posix_memalign, 70, aligned(mi_posix_memalign), mi_free(p))

#define RESIZER(name, allocate, resize)                              \
	extern "C" __attribute__((noinline)) void call_##name(void); \
	extern "C" void call_##name(void)                            \
	{                                                            \
		want w("call_" #name);                               \
                                                                     \
		for (size_t i = 0; i < 5; i++) {                     \
			void *p = allocate;                          \
                                                                     \
			w.objects++;                                 \
			w.bytes += 40;                               \
			p = resize;                                  \
			if (w.take(p, 4000))                         \
				free(p);                             \
		}                                                    \
		w.tell();                                            \
	}
RESIZER(resize, malloc(40), realloc(p, 4000))
RESIZER(rallocx, mallocx(40, 0), rallocx(p, 4000, 0))
RESIZER(tc_realloc, tc_malloc(40), tc_realloc(p, 4000))
RESIZER(mi_realloc, mi_malloc(40), mi_realloc(p, 4000))

/* In place, or it fails; and the block is the same in either case. */
extern "C" __attribute__((noinline)) void call_xallocx(void);
extern "C" void call_xallocx(void)
{
	want w("call_xallocx", 2, 100 + 90, 1, 90);
	void *p = mallocx(100, 0);

	if (xallocx(p, 90, 0, 0) < 90)
		problem("xallocx");
	if (xallocx(p, 100000, 0, 0) >= 100000)
		problem("xallocx grows");
	kept[keeping++] = p;
	w.tell();
}

/* What comes after it is counted as before. */
extern "C" __attribute__((noinline)) void call_throws(void);
extern "C" void call_throws(void)
{
	volatile size_t huge = SIZE_MAX / 4;
	int caught = 0;

	for (int i = 0; i < 3; i++) {
		try {
			kept[keeping] = ::operator new(huge);
		} catch (const std::bad_alloc &) {
			caught++;
		}
	}
	if (caught != 3)
		problem("bad_alloc");
	/* The exceptions themselves are allocated. */
	printf("call_throws ? ? 0 0\n");
}

/* As programs use it: all is freed. */
extern "C" __attribute__((noinline)) void call_containers(void);
extern "C" void call_containers(void)
{
	std::map<int, std::string> map;

	for (int i = 0; i < 20; i++)
		map[i] = std::string(100, 'x');
	map.clear();
	/* A node and a text each, of sizes that the library knows. */
	printf("call_containers ? ? 0 0\n");
}

int main(void)
{
	pyroscope_load("");
	while (pyroscope_flush(0) != 0)
		;
	/* A thread looks whether profiling is on every 16 KiB. */
	kept[0] = malloc(20000);
	free(kept[0]);
	call_malloc();
	call_calloc();
	call_realloc();
	call_resize();
	call_posix_memalign();
	call_aligned_alloc();
	call_memalign();
	call_new();
	call_new_sized();
	call_new_array();
	call_new_array_sized();
	call_new_nothrow();
	call_new_array_nothrow();
	call_new_aligned();
	call_new_aligned_sized();
	call_new_array_aligned();
	call_new_aligned_nothrow();
	call_new_large();
	call_new_free();
	if (!mi_malloc) /* aborts */
		call_throws();
	pyroscope_flush(0);
	if (mallocx) {
		call_mallocx();
		call_mallocx_sized();
		call_rallocx();
		call_xallocx();
	}
	if (tc_malloc) {
		call_tc_malloc();
		call_tc_calloc();
		call_tc_memalign();
		call_tc_posix_memalign();
		call_tc_new();
		call_tc_realloc();
	}
	if (mi_malloc) {
		call_mi_malloc();
		call_mi_zalloc();
		call_mi_calloc();
		call_mi_malloc_aligned();
		call_mi_posix_memalign();
		call_mi_new();
		call_mi_realloc();
	}
	call_containers();
	return problems > 0;
}
