// SPDX-License-Identifier: Apache-2.0
/* reload.c - libraries that take each other's place
 *
 *     reload SEED SECONDS LONGEST_MS LIBRARY_DIR
 *
 * Two libraries of one layout, alpha.so and beta.so, are opened and closed in
 * turn, so that each is mapped where the other was, and burn CPU time for a
 * random while of at most LONGEST_MS: call_alpha() calls alpha_burn() and
 * alpha_inner(), call_beta() beta's. If there is a gamma.so, another thread opens
 * and closes it as fast as it can. Prints how much time went to each, how often a
 * library stood where the other had been, how many times gamma.so came and went,
 * and by how many KiB memory grew after the first third. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <pyroscope/pyroscope.h>

#include "program.h"

static _Atomic bool stop;
static _Atomic long cycles;
static char gamma_path[4096];

typedef long burn_fn(double until);

struct library {
	const char *name;
	char path[4096];
	burn_fn *fn;
	void *handle;
	double cpu_s;
};

static void open_library(struct library *lib)
{
	char symbol[64];

	lib->handle = dlopen(lib->path, RTLD_NOW | RTLD_LOCAL);
	snprintf(symbol, sizeof(symbol), "%s_burn", lib->name);
	if (lib->handle)
		*(void **)&lib->fn = dlsym(lib->handle, symbol);
	if (!lib->handle || !lib->fn) {
		puts(dlerror());
		exit(1);
	}
}

/* Not inlined, and not the same code: a sample's caller tells which library it
 * was in, whatever that one is called. */
#define CALLER(name)                                            \
	NOINLINE static void call_##name(burn_fn *fn, double s) \
	{                                                       \
		fn(clock_s(CLOCK_THREAD_CPUTIME_ID) + s);       \
		__asm__ volatile("" ::"i"(#name[0]));           \
	}
CALLER(alpha)
CALLER(beta)

static void *spin(void *arg)
{
	while (!atomic_load(&stop)) {
		void *lib = dlopen(gamma_path, RTLD_NOW | RTLD_LOCAL);

		if (!lib)
			break;
		if (dlclose(lib) == 0)
			atomic_fetch_add(&cycles, 1);
	}
	return arg;
}

int main(int argc, char **argv)
{
	if (argc != 5)
		return 2;

	unsigned seed = (unsigned)strtoul(argv[1], NULL, 0);
	double longest = atof(argv[3]) / 1e3, seconds = atof(argv[2]), end;
	struct library lib[2] = {{.name = "alpha"}, {.name = "beta"}};
	void (*const call[2])(burn_fn *, double) = {call_alpha, call_beta};
	uintptr_t last = 0;
	long turns = 0, same = 0, early = 0;
	pthread_t thread;

	for (int i = 0; i < 2; i++)
		snprintf(lib[i].path, sizeof(lib[i].path), "%s/%s.so", argv[4],
			 lib[i].name);
	snprintf(gamma_path, sizeof(gamma_path), "%s/gamma.so", argv[4]);
	pyroscope_load("");
	end = clock_s(CLOCK_MONOTONIC) + seconds;
	pthread_create(&thread, NULL, spin, NULL);
	for (; clock_s(CLOCK_MONOTONIC) < end; turns++) {
		struct library *l = &lib[turns % 2];
		double before, s = longest * rand_r(&seed) / RAND_MAX;

		open_library(l);
		same += (uintptr_t)l->fn == last;
		last = (uintptr_t)l->fn;
		before = clock_s(CLOCK_THREAD_CPUTIME_ID);
		call[turns % 2](l->fn, s);
		l->cpu_s += clock_s(CLOCK_THREAD_CPUTIME_ID) - before;
		dlclose(l->handle);
		if (!early && clock_s(CLOCK_MONOTONIC) > end - seconds * 2 / 3)
			early = resident();
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	printf("alpha_ms=%.0f beta_ms=%.0f turns=%ld same=%ld gamma=%ld "
	       "grown=%ld\n",
	       lib[0].cpu_s * 1e3, lib[1].cpu_s * 1e3, turns, same,
	       atomic_load(&cycles), resident() - early);
	return 0;
}
