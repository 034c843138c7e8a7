// SPDX-License-Identifier: Apache-2.0
/* stats.c - stacks that end for several reasons, and what the library counted
 *
 * Burns CPU time on whole stacks; deeper than a record holds; in code made at run
 * time without a frame pointer; with a frame pointer that leads nowhere.
 * Then two threads read the counters while others burn: none ever falls, and
 * samples are the sum of the reasons. Stops, prints the counters as name=value;
 * exit code 0 if they were right, those of a forked child included. */
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <pyroscope/pyroscope.h>

#include "program.h"

#define FIELD(name)                                           \
	{                                                     \
#name, offsetof(struct pyroscope_stats, name) \
	}
/* Samples are the sum of the first ten. */
static const struct {
	const char *name;
	size_t at;
} field[] = {
	FIELD(complete),
	FIELD(truncated_depth),
	FIELD(truncated_gap),
	FIELD(truncated_expression),
	FIELD(truncated_register),
	FIELD(truncated_bounds),
	FIELD(truncated_progress),
	FIELD(truncated_unmapped),
	FIELD(truncated_pending),
	FIELD(truncated_unloaded),
#define REASONS 10
	FIELD(lost),
	FIELD(samples),
#define RISING 12
	FIELD(overflow),
	FIELD(profiles_sent),
};
#define FIELDS (sizeof(field) / sizeof(field[0]))

static uint64_t value(const struct pyroscope_stats *stats, size_t i)
{
	return *(const uint64_t *)(const void *)((const char *)stats +
						 field[i].at);
}

static const char *wrong;
static _Atomic int done;

NOINLINE static void burn(double seconds)
{
	double end = cpu() + seconds;

	while (cpu() < end)
		for (int i = 0; i < 10000; i++)
			__asm__ volatile("");
}

NOINLINE static void burn_deep(int depth)
{
	if (depth == 0)
		burn(0.2);
	else
		burn_deep(depth - 1);
	__asm__ volatile("" ::: "memory");
}

static void burn_in_written_code(void)
{
#if defined(__x86_64__)
	static const unsigned char code[] = {
		0x55, 0x48, 0x83, 0xec, 0x20, /* push rbp; sub rsp, 32 */
		0x31, 0xed,                   /* xor ebp, ebp */
		0xb9, 0x00, 0xe1, 0xf5, 0x05, /* mov ecx, 100000000 */
		0xff, 0xc9, 0x75, 0xfc,       /* dec ecx; jnz */
		0x48, 0x83, 0xc4, 0x20, 0x5d, /* add rsp, 32; pop rbp */
		0xc3,                         /* ret */
	};
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void (*fn)(void);

	memcpy(page, code, sizeof(code));
	mprotect(page, 4096, PROT_READ | PROT_EXEC);
	*(void **)&fn = page;
	for (int i = 0; i < 5; i++)
		fn();
	munmap(page, 4096);
#endif
}

/* What must hold whenever one looks. */
static void *watch(void *arg)
{
	struct pyroscope_stats before = PYROSCOPE_STATS_INIT;

	while (!atomic_load(&done)) {
		struct pyroscope_stats now = PYROSCOPE_STATS_INIT;
		uint64_t sum = 0;

		if (pyroscope_stats(&now) != 0)
			wrong = "result";
		for (size_t i = 0; i < RISING; i++) {
			sum += i < REASONS ? value(&now, i) : 0;
			if (value(&now, i) < value(&before, i))
				wrong = field[i].name;
		}
		if (sum != now.samples)
			wrong = "sum";
		before = now;
		usleep(1000);
	}
	return arg;
}

static void read_while_sampled(void)
{
	pthread_t thread[2];

	for (int i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, watch, NULL);
	burn(0.3);
	pyroscope_flush(0);
	burn(0.2);
	atomic_store(&done, 1);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
}

static void check_child(void)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		struct pyroscope_stats stats = PYROSCOPE_STATS_INIT;

		_exit(pyroscope_stats(&stats) != 0 || stats.samples > 100 ||
		      stats.profiles_sent != 0);
	}
	waitpid(pid, &status, 0);
	if (status != 0)
		wrong = "a forked child's";
}

int main(int argc, char **argv)
{
	struct pyroscope_stats stats = PYROSCOPE_STATS_INIT;

	if (pyroscope_stats(&stats) != 0 || stats.samples || stats.objects)
		wrong = "before the start";
	(void)argv;
	pyroscope_load("");
	burn(0.3);
	burn_deep(200);
	burn_in_written_code();
	burn_with_fp(16, (size_t)argc, 200000000);
	burn_with_fp(0x7fffffff0000, (size_t)argc, 200000000);
	read_while_sampled();
	check_child();
	pyroscope_stats(&stats);
	if (!stats.objects || !stats.tables_bytes || !stats.library_cpu_ns ||
	    !stats.handlers_cpu_ns || !stats.reading_cpu_ns)
		wrong = "objects, tables, time of its own";
	pyroscope_stop(10000);
	pyroscope_stats(&stats);
	for (size_t i = 0; i < FIELDS; i++)
		printf("%s=%llu\n", field[i].name,
		       (unsigned long long)value(&stats, i));
	if (wrong)
		printf("wrong: %s\n", wrong);
	return wrong != NULL;
}
