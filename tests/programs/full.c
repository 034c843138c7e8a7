// SPDX-License-Identifier: Apache-2.0
/* full.c - a folder that takes no profiles for a while, around known work
 *
 *     full FOLDER     where profiles are written to
 *
 * It is moved away and comes back. Prints, for e2e/full.py:
 *
 *     kept FROM TO CPU WAITED   all of that time has to be in the profiles
 *                               (CLOCK_REALTIME, CPU time, that for the lock; ns)
 *     lost FROM TO              no window of it may overlap
 *     rest FROM TO CPU WAITED   as kept
 *     dropped WHEN COUNT        profiles that nobody will get, so far */
#include <errno.h>
#include <pthread.h>
#include <pyroscope/pyroscope.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "program.h"

#define BLOCKS 512
#define BLOCK_BYTES 16384
#define BURN_S 0.3

static void call(int result, const char *what)
{
	if (result != 0)
		PROBLEM("%s: %s", what, pyroscope_strerror(result));
}
#define FLUSH() call(pyroscope_flush(0), "flush")

/* ---- Work of all kinds ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic bool comes;
static double waited;

static void *wait_for_lock(void *arg)
{
	double began = now();

	atomic_store(&comes, true);
	pthread_mutex_lock(&lock);
	pthread_mutex_unlock(&lock);
	waited += now() - began;
	return arg;
}

NOINLINE static void work(void)
{
	pthread_t thread;

	for (int i = 0; i < BLOCKS; i++)
		free(memset(malloc(BLOCK_BYTES), 1, BLOCK_BYTES));
	pthread_mutex_lock(&lock);
	atomic_store(&comes, false);
	pthread_create(&thread, NULL, wait_for_lock, NULL);
	while (!atomic_load(&comes))
		usleep(1000);
	for (double end = cpu() + BURN_S; cpu() < end;)
		for (int i = 0; i < 100000; i++)
			__asm__ volatile("");
	pthread_mutex_unlock(&lock);
	pthread_join(thread, NULL);
}

#define WORKS(XX)   \
	XX(written) \
	XX(kept)    \
	XX(kept_on) XX(after) XX(lost) XX(paused) XX(on) XX(too_large) XX(last)
/* Functions that are equal but for a comment would become one. */
#define DEFINE_WORK(name)                                  \
	NOINLINE static void work_##name(void)             \
	{                                                  \
		work();                                    \
		__asm__ volatile("# " #name ::: "memory"); \
	}
WORKS(DEFINE_WORK)

/* ---- The folder ---- */

static const char *folder;
static char away[4096];

static void take_folder_away(void)
{
	if (rename(folder, away) != 0)
		PROBLEM("rename: %d", errno);
}

static void bring_folder_back(void)
{
	if (rename(away, folder) != 0)
		PROBLEM("rename: %d", errno);
}

static void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
	if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
		PROBLEM("setrlimit: %d", errno);
}

static void tell_dropped(const char *when)
{
	struct pyroscope_stats stats = PYROSCOPE_STATS_INIT;

	call(pyroscope_stats(&stats), "stats");
	printf("dropped %s %llu\n", when,
	       (unsigned long long)stats.profiles_dropped_unwritten);
}

/* What cannot be written goes on. */
static void keep(void)
{
	long long from = realtime(), before;
	double began = process_cpu(), waited_before = waited;

	work_written();
	FLUSH();
	take_folder_away();
	work_kept();
	FLUSH();
	work_kept_on();
	FLUSH();
	bring_folder_back();
	work_after();
	before = realtime();
	FLUSH();
	printf("kept %lld %lld %.0f %.0f %lld\n", from, realtime(),
	       (process_cpu() - began) * 1e9, (waited - waited_before) * 1e9,
	       before);
	tell_dropped("kept");
}

/* But not into a time of other types. */
static void lose_by_pause(void)
{
	long long from;

	take_folder_away();
	from = realtime();
	work_lost();
	call(pyroscope_pause(NULL), "pause");
	bring_folder_back();
	work_paused();
	printf("lost %lld %lld\n", from, realtime());
	call(pyroscope_resume(NULL), "resume");
	tell_dropped("paused");
}

/* Nor if it is too large, of which there will be more. */
static void lose_by_size(void)
{
	long long from = realtime(), to;

	limit_files(16);
	work_too_large();
	to = realtime();
	FLUSH();
	limit_files(RLIM_INFINITY);
	printf("lost %lld %lld\n", from, to);
	tell_dropped("too_large");
}

static void rest(void (*fn)(void))
{
	long long from = realtime();
	double began = process_cpu(), waited_before = waited;

	fn();
	FLUSH();
	printf("rest %lld %lld %.0f %.0f\n", from, realtime(),
	       (process_cpu() - began) * 1e9, (waited - waited_before) * 1e9);
}

int main(int argc, char **argv)
{
	struct pyroscope_config config = PYROSCOPE_CONFIG_INIT;

	if (argc < 2)
		return 2;
	folder = argv[1];
	snprintf(away, sizeof(away), "%s.away", folder);
	setvbuf(stdout, NULL, _IOLBF, 0);
	config.profile_types = "cpu,heap,mutex";
	config.heap_interval = BLOCK_BYTES;
	call(pyroscope_start(&config), "start");
	FLUSH();
	keep();
	lose_by_pause();
	rest(work_on);
	lose_by_size();
	rest(work_last);
	call(pyroscope_stop(5000), "stop");
	return problems != 0;
}
