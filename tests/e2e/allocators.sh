#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# allocators.sh - each call of an allocator is counted once, whichever allocator it
# is and wherever it stands in the order of lookup: the library before it, or behind
. "$(dirname "$0")/_life.sh"
export PYROSCOPE_PROFILE_TYPES=heap PYROSCOPE_HEAP_SAMPLING_INTERVAL_BYTES=1

source=${SOURCE_DIR:-$here/../..}
build=$(cd "$(dirname "$library")" && pwd)
flags=(-O2 -g -fomit-frame-pointer -D_GNU_SOURCE -Wall -Wextra
	-I"$source/include" -L"$build" -Wl,-rpath,"$build")
cxx=(${CXX:-c++} -std=c++17 -faligned-new)
cc=(${CC:-cc})

# counts WHAT [LINES]: the profile says of each function what the program says
counts()
{
	succeeded "$1" "${2:-0}"
	grep -v '?' out >table
	if PYTHONPATH=$here/.. python3 "$here/heap_calls.py" \
		drop/*.heap.pb.gz <table; then
		ok "$1: counts"
	else
		fail "$1: counts"
	fi
}

for how in lazy now; do
	"${cxx[@]}" "${flags[@]}" "$source/tests/programs/operators.cpp" \
		-o operators_$how -Wl,-z,$how -lpyroscope || exit 1
	run linked ./operators_$how
	counts "$how, libc"
done
for name in libjemalloc.so.2 libtcmalloc_minimal.so.4 libmimalloc.so.2; do
	for how in lazy now; do
		run linked env LD_PRELOAD="$name" ./operators_$how
		counts "$how, $name preloaded"
		run linked env LD_PRELOAD="$library:$name" ./operators_$how
		counts "$how, $name behind the library"
	done
done

## An interposer in front of us calls us: one call all the same.
cat >chain.c <<'EOF2'
#include <dlfcn.h>
#include <stddef.h>

#define CHAIN(result, name, parameters, arguments)                      \
	result name parameters;                                         \
	result name parameters                                          \
	{                                                               \
		static result(*volatile next) parameters;               \
                                                                        \
		if (!next)                                              \
			*(void **)&next = dlsym(RTLD_NEXT, #name);      \
		return next arguments;                                  \
	}
CHAIN(void *, malloc, (size_t size), (size))
CHAIN(void *, calloc, (size_t count, size_t size), (count, size))
CHAIN(void *, realloc, (void *p, size_t size), (p, size))
CHAIN(void *, memalign, (size_t align, size_t size), (align, size))
CHAIN(void, free, (void *p), (p))
EOF2
"${cc[@]}" -O2 -D_GNU_SOURCE -shared -fPIC -fno-builtin \
	-fno-optimize-sibling-calls chain.c -o chain.so
for how in lazy now; do
	run linked env LD_PRELOAD=./chain.so ./operators_$how
	counts "$how, an interposer in front"
	run linked env LD_PRELOAD="./chain.so $library" ./operators_$how
	counts "$how, an interposer in front, preloaded"
done

## The program's own allocator: what its libraries call is seen.
cat >own.c <<'EOF2'
#include <pyroscope/pyroscope.h>

#include <stddef.h>
#include <string.h>

void work(void);

#ifdef OWN /* never frees */
static _Alignas(16) char room[64 << 20];
static size_t used;

void *malloc(size_t size)
{
	size_t bytes = (size + 31) & ~(size_t)15;
	size_t at = __atomic_fetch_add(&used, bytes, __ATOMIC_RELAXED);

	if (bytes < size || at + bytes > sizeof(room))
		return NULL;
	*(size_t *)(room + at) = size;
	return room + at + 16;
}

void free(void *p)
{
	if (p && ((char *)p < room || (char *)p >= room + sizeof(room)))
		__builtin_trap(); /* another allocator's */
}

void *calloc(size_t count, size_t size)
{
	return malloc(count * size); /* zeros: never used before */
}

void *realloc(void *p, size_t size)
{
	void *q = malloc(size);

	if (p && q)
		memcpy(q, p, ((size_t *)p)[-2] < size ? ((size_t *)p)[-2]
						      : size);
	return q;
}
#endif

int main(void)
{
	pyroscope_load("");
	while (pyroscope_flush(0) != 0)
		;
	work();
	return 0;
}
EOF2
cat >work.c <<'EOF2'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *volatile kept[100];

__attribute__((noinline)) void call_library(void)
{
	for (int i = 0; i < 10; i++) {
		kept[i] = malloc(100);
		kept[i] = realloc(kept[i], 200);
		if (i % 2)
			free(kept[i]);
	}
	/* Inside libc. */
	kept[10] = strdup("nine bytes");
}

void work(void);
void work(void)
{
	kept[99] = malloc(20000);
	call_library();
	printf("call_library 21 3011 6 1011\n");
}
EOF2
"${cc[@]}" "${flags[@]}" -shared -fPIC work.c -o libwork.so
jemalloc=$("${cc[@]}" -print-file-name=libjemalloc.a)
for how in "the program's own allocator:-DOWN" "jemalloc inside:-Wl,-u,malloc $jemalloc -lm"; do
	# shellcheck disable=SC2086
	"${cc[@]}" "${flags[@]}" own.c ${how#*:} -o own -L. \
		-Wl,-rpath,"$work:$build" -lwork -lpyroscope
	how=${how%%:*}
	run linked ./own
	counts "$how" 1
	is "$how: is told" 1 "$(grep -c 'a malloc() of its own' err)"
	is "$how: each profile says so" True "$(profile \
		"all('hooks=own' in p.comments[0] and 'its own' in p.comments[1]
		for p in profiles)" drop/*.heap.pb.gz 2>&1)"
	"$build/pyro" record -q -t heap --heap-interval 1 -o own.pb.gz ./own >out 2>err
	is "$how: pyro record's profile says so" 1 "$(profile \
		"sum('its own' in c for c in profiles[0].comments)" own.pb.gz 2>&1)"
done
finish
