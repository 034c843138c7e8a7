#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# loading.sh - however the library and the program's own code get into the
# process: linked through another library, opened by dlopen, code that comes and
# goes at the same addresses
. "$(dirname "$0")/_life.sh"

source=${SOURCE_DIR:-$here/../..}
build=$(cd "$(dirname "$library")" && pwd)
cc=(${CC:-cc} -O2 -g -fomit-frame-pointer -D_GNU_SOURCE -I"$source/include")

# A program of four threads; how the library gets in is the macro's.
cat >threads.c <<'EOF2'
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void begin(void);

static double cpu(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

#define WORKER(n)                                                   \
	__attribute__((noinline)) void *worker_##n(void *arg)       \
	{                                                           \
		double end = cpu() + 0.8;                           \
		while (cpu() < end)                                 \
			for (int i = 0; i < 3000; i++)              \
				__asm__ volatile("" ::"i"(n));      \
		return arg;                                         \
	}
WORKER(0)
WORKER(1)
WORKER(2)
WORKER(3)

int main(void)
{
	void *(*const fn[])(void *) = {worker_0, worker_1, worker_2, worker_3};
	pthread_t thread[4];

	/* Two before it starts, two after. */
	for (int i = 0; i < 2; i++)
		if (pthread_create(&thread[i], NULL, fn[i], NULL))
			return 1;
	begin();
	for (int i = 2; i < 4; i++)
		if (pthread_create(&thread[i], NULL, fn[i], NULL))
			return 1;
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	return 0;
}
EOF2
cat >begin.c <<'EOF2'
#include <pyroscope/pyroscope.h>

void begin(void);
void begin(void)
{
	pyroscope_load("");
}
EOF2
cat >begin_dlopen.c <<'EOF2'
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

void begin(void);
void begin(void)
{
	void *lib = dlopen("libpyroscope.so.0", RTLD_NOW);
	void (*load)(const char *) = NULL;

	if (!lib) {
		puts(dlerror());
		exit(1);
	}
	*(void **)&load = dlsym(lib, "pyroscope_load");
	load("");
	dlclose(lib); /* it stays */
}
EOF2
flags=(-L"$build" -Wl,-rpath,"$build")
"${cc[@]}" threads.c begin.c -o linked "${flags[@]}" -lpyroscope -lpthread
"${cc[@]}" threads.c begin.c -o libc_first "${flags[@]}" -Wl,--no-as-needed \
	-lc -lpyroscope -lpthread
"${cc[@]}" -shared -fPIC begin.c -o libbegin.so "${flags[@]}" -lpyroscope
"${cc[@]}" threads.c -o indirect -L. -Wl,-rpath,"$work:$build" \
	-Wl,-rpath-link,"$build" -lbegin -lpthread
"${cc[@]}" threads.c begin_dlopen.c -o opened -Wl,-rpath,"$build" -lpthread \
	-ldl
for way in linked libc_first indirect opened; do
	run linked ./$way
	succeeded "$way" -
	# Those that only a look at all threads finds are seen a second later.
	for n in 0 1 2 3; do
		has_samples "$way" 20 worker_$n
	done
	sampled "$way" 50
done

## Code that comes and goes
cat >plugin.c <<'EOF2'
#define CAT_(a, b) a##b
#define CAT(a, b) CAT_(a, b)

__attribute__((noinline)) static long CAT(NAME, _inner)(long n)
{
	for (long i = 0; i < n; i++)
		__asm__ volatile("" : "+r"(n));
	return n + PAD;
}

long CAT(NAME, _burn)(long n)
{
	return CAT(NAME, _inner)(n) + 1;
}
EOF2
"${cc[@]}" -shared -fPIC -DNAME=one -DPAD=1 plugin.c -o one.so
"${cc[@]}" -shared -fPIC -DNAME=two -DPAD=2 plugin.c -o two.so
cat >churn.c <<'EOF2'
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <pyroscope/pyroscope.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static double end;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

#define CALLER(name)                                                      \
	__attribute__((noinline)) static void call_##name(void)           \
	{                                                                 \
		/* Closed before another opens: the addresses are used    \
		 * again. */                                              \
		pthread_mutex_lock(&lock);                                \
		void *lib = dlopen("./" #name ".so", RTLD_NOW);           \
		long (*fn)(long) = NULL;                                  \
		if (!lib) {                                               \
			puts(dlerror());                                  \
			exit(1);                                          \
		}                                                         \
		*(void **)&fn = dlsym(lib, #name "_burn");                \
		/* Closed when its time is over, to make room. */         \
		for (long t = (long)(now() * 2); (long)(now() * 2) == t;) \
			fn(100000);                                       \
		dlclose(lib);                                             \
		pthread_mutex_unlock(&lock);                              \
	}
CALLER(one)
CALLER(two)

/* Each for half a second, as plugins that are loaded anew: two changes within
 * one look at the list of objects would be seen as none. */
static void *churn(void *arg)
{
	while (now() < end)
		if ((long)(now() * 2) % 2)
			call_one();
		else
			call_two();
	return arg;
}

/* dlopen and dlclose as fast as they go, with threads that are sampled. */
static void *spin(void *arg)
{
	while (now() < end) {
		void *lib = dlopen("./one.so", RTLD_LAZY);

		if (lib)
			dlclose(lib);
	}
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t thread[8];

	(void)argv;
	pyroscope_load("");
	end = now() + (argc > 1 ? 2 : 5);
	for (int i = 0; i < 8; i++)
		pthread_create(&thread[i], NULL, argc > 1 ? spin : churn,
			       NULL);
	for (int i = 0; i < 8; i++)
		pthread_join(thread[i], NULL);
	return 0;
}
EOF2
"${cc[@]}" churn.c -o churn "${flags[@]}" -lpyroscope -lpthread -ldl
for how in linked preloaded; do
	run $how ./churn
	succeeded "code that comes and goes, $how"
	has_samples "code that comes and goes, $how" 50 one_inner
	has_samples "code that comes and goes, $how" 50 two_inner
	is "names of another library, $how" 0 \
		"$(profile "(mixed('call_one', 'two_') + \
			mixed('call_two', 'one_')) * 100 // ticks()" \
			drop/*[0-9].pb.gz 2>&1)"
	run $how ./churn fast
	succeeded "dlopen and dlclose from eight threads, $how"
	sampled "dlopen and dlclose from eight threads, $how" 50
done
finish
