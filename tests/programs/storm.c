// SPDX-License-Identifier: Apache-2.0
/* storm.c - everything at once that makes stacks and address spaces change
 *
 *     storm SEED SECONDS DIRECTORY
 *
 * In rounds of 64 threads: libraries of DIRECTORY (plugin.so, throws.so) opened
 * and closed, C++ exceptions, longjmp, also out of signal handlers, fork, vfork,
 * posix_spawn and exec, handlers that burn on alternate stacks of 8 KiB,
 * coroutines with garbage in the frame pointer whose stacks are unmapped right
 * after, code written at run time, short threads; locks that are fought for, waits
 * for conditions, pipes and sleep, threads that are cancelled where they wait, blocks
 * that others free. Each looks at its own results.
 * After each round the memory, the descriptors and the timers of the process are
 * as they were after the second. Prints the CPU time that getrusage counts and,
 * if all was right, "ok"; exit code 0. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include <pyroscope/pyroscope.h>

#include "program.h"

#define THREADS 64
#define PAGE 4096

static _Atomic bool stop;
static _Atomic long turns;
static const char *directory, *self;

NOINLINE static void burn(int n)
{
	for (int i = 0; i < n * 1000; i++)
		__asm__ volatile("");
}

/* Deeper than a record holds, now and then. */
NOINLINE static int recurse(int depth)
{
	if (depth == 0)
		burn(30);
	else
		recurse(depth - 1);
	__asm__ volatile("" ::: "memory");
	return depth;
}

/* --- libraries --- */

static void *open_library(const char *name)
{
	char path[4096];
	void *lib;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!lib)
		PROBLEM("%s", dlerror());
	return lib;
}

static int (*function(void *lib, const char *name))(int)
{
	int (*fn)(int) = NULL;

	*(void **)&fn = dlsym(lib, name);
	if (!fn)
		PROBLEM("no %s", name);
	return fn;
}

static void use_library(unsigned *seed)
{
	void *lib = open_library(rand_r(seed) % 2 ? "plugin.so" : "throws.so");

	(void)seed;
	if (!lib)
		return;
	if (function(lib, "turn")(7) != 8)
		PROBLEM("a library's function");
	dlclose(lib);
}

static int (*throw_and_catch)(int);

static void use_exceptions(unsigned *seed)
{
	int n = (int)(rand_r(seed) % 30);

	if (throw_and_catch(n) != n + 1)
		PROBLEM("an exception");
}

/* --- jumps --- */

static _Thread_local sigjmp_buf where;
static _Thread_local volatile int handled;

NOINLINE static void jump_from(int depth)
{
	if (depth == 0)
		siglongjmp(where, 5);
	jump_from(depth - 1);
	__asm__ volatile("" ::: "memory");
}

static void on_usr1(int sig)
{
	(void)sig;
	burn(20);
	siglongjmp(where, 6);
}

static void use_jumps(unsigned *seed)
{
	int got = sigsetjmp(where, 1);

	if (got == 0)
		jump_from((int)(rand_r(seed) % 20));
	if (got == 5)
		raise(SIGUSR1);
	if (got != 6)
		PROBLEM("longjmp gave %d", got);
}

/* --- alternate stacks --- */

static void on_usr2(int sig)
{
	(void)sig;
	burn(50);
	handled++;
}

/* What lies below is not ours: an overflow faults. */
static void use_altstack(unsigned *seed)
{
	char *pages = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stack_t ss = {.ss_sp = pages + PAGE, .ss_size = 2 * PAGE}, old;
	int before = handled;

	(void)seed;
	mprotect(pages, PAGE, PROT_NONE);
	sigaltstack(&ss, &old);
	for (int i = 0; i < 20; i++)
		raise(SIGUSR2);
	if (handled != before + 20)
		PROBLEM("%d of 20 signals", handled - before);
	sigaltstack(&old, NULL);
	munmap(pages, 3 * PAGE);
}

/* --- coroutines --- */

struct coroutine {
	ucontext_t own, caller;
	unsigned seed;
	int result;
};

static _Thread_local struct coroutine *running;

static void coroutine_main(void)
{
	struct coroutine *c = running;

	for (int i = 0; i < 5; i++) {
		burn_with_fp(((uintptr_t)rand_r(&c->seed) << 20) |
				     (uintptr_t)rand_r(&c->seed),
			     (size_t)(rand_r(&c->seed) % 256), 30000);
		burn_with_fp((uintptr_t)__builtin_frame_address(0) + 64, 100,
			     30000);
		c->result += recurse((int)(rand_r(&c->seed) % 20)) >= 0;
		swapcontext(&c->own, &c->caller);
	}
}

static void use_coroutine(unsigned *seed)
{
	size_t size = (8 + rand_r(seed) % 8) * PAGE;
	struct coroutine c = {.seed = *seed};
	bool told = rand_r(seed) % 2;
	char *stack = mmap(NULL, size + PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mprotect(stack, PAGE, PROT_NONE);
	if (told && pyroscope_stack_register(stack + PAGE, size) != 0)
		PROBLEM("pyroscope_stack_register");
	getcontext(&c.own);
	c.own.uc_stack.ss_sp = stack + PAGE;
	c.own.uc_stack.ss_size = size;
	c.own.uc_link = &c.caller;
	makecontext(&c.own, coroutine_main, 0);
	for (int i = 0; i < 5; i++) {
		running = &c;
		swapcontext(&c.caller, &c.own);
	}
	if (c.result != 5)
		PROBLEM("a coroutine came to %d", c.result);
	if (told)
		pyroscope_stack_unregister(stack + PAGE);
	munmap(stack, size + PAGE);
}

/* --- code made at run time --- */

static void use_written_code(unsigned *seed)
{
#if defined(__x86_64__)
	static const unsigned char with_fp[] = {
		0x55, 0x48, 0x89, 0xe5,       /* push rbp; mov rbp, rsp */
		0xb9, 0x50, 0xc3, 0x00, 0x00, /* mov ecx, 50000 */
		0xff, 0xc9, 0x75, 0xfc,       /* dec ecx; jnz */
		0x5d, 0xc3,                   /* pop rbp; ret */
	};
	static const unsigned char without_fp[] = {
		0x55, 0x48, 0x83, 0xec, 0x28, /* push rbp; sub rsp, 40 */
		0x31, 0xed,                   /* xor ebp, ebp */
		0xb9, 0x50, 0xc3, 0x00, 0x00, /* mov ecx, 50000 */
		0xff, 0xc9, 0x75, 0xfc,       /* dec ecx; jnz */
		0x48, 0x83, 0xc4, 0x28, 0x5d, /* add rsp, 40; pop rbp */
		0xc3,                         /* ret */
	};
	unsigned char *code = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void (*fn)(void);

	if (rand_r(seed) % 2)
		memcpy(code, with_fp, sizeof(with_fp));
	else
		memcpy(code, without_fp, sizeof(without_fp));
	mprotect(code, PAGE, PROT_READ | PROT_EXEC);
	*(void **)&fn = code;
	for (int i = 0; i < 10; i++)
		fn();
	munmap(code, PAGE);
#else
	(void)seed;
#endif
}

/* --- processes --- */

static void check_child(const char *how, pid_t pid, int code)
{
	int status = 0;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		PROBLEM("%s: %s", how, strerror(errno));
	else if (!WIFEXITED(status) || WEXITSTATUS(status) != code)
		PROBLEM("%s: status %x, not code %d", how, status, code);
}

/* In a function without variables that vfork's child could spoil. */
NOINLINE static pid_t vfork_and_exec(char *const *argv)
{
	pid_t pid = vfork();

	if (pid == 0) {
		execv(self, argv);
		_exit(127);
	}
	return pid;
}

static void use_processes(unsigned *seed)
{
	int code = (int)(rand_r(seed) % 200), kind = (int)(rand_r(seed) % 4);
	char text[16];
	char *argv[] = {(char *)self, (char *)"child", text, NULL};
	extern char **environ;
	pid_t pid = -1;

	snprintf(text, sizeof(text), "%d", code);
	if (kind == 0 || kind == 1) {
		pid = fork();
		if (pid == 0 && kind == 0) {
			burn(2000);
			_exit(code);
		} else if (pid == 0) {
			execv(self, argv);
			_exit(127);
		}
		check_child("fork", pid, code);
	} else if (kind == 2) {
		check_child("vfork", vfork_and_exec(argv), code);
	} else {
		int err = posix_spawn(&pid, self, NULL, NULL, argv, environ);

		check_child("posix_spawn", err ? -1 : pid, code);
	}
}

static void *short_life(void *arg)
{
	recurse(10);
	return arg;
}

static void use_threads(unsigned *seed)
{
	pthread_t thread;
	void *result = NULL;

	if (pthread_create(&thread, NULL, short_life, seed) != 0)
		PROBLEM("pthread_create");
	else if (pthread_join(thread, &result) != 0 || result != seed)
		PROBLEM("pthread_join");
}

static void use_depth(unsigned *seed)
{
	recurse((int)(rand_r(seed) % 300));
}

/* --- waiting --- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static long by_mutex, by_rwlock; /* how often they were taken, */
static _Atomic long taken[2];    /* counted without them */

static struct timespec in_1_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += 1000000;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

static void use_locks(unsigned *seed)
{
	struct timespec soon = in_1_ms();
	int rc = rand_r(seed) % 2 ? pthread_mutex_timedlock(&mutex, &soon)
				  : pthread_mutex_lock(&mutex);

	if (rc == 0) {
		by_mutex++;
		atomic_fetch_add(&taken[0], 1);
		burn((int)(rand_r(seed) % 50));
		if (rand_r(seed) % 4 == 0 &&
		    pthread_cond_timedwait(&never, &mutex, &soon) != ETIMEDOUT)
			PROBLEM("a condition that nobody signals");
		pthread_mutex_unlock(&mutex);
	} else if (rc != ETIMEDOUT) {
		PROBLEM("a lock: %s", strerror(rc));
	}
	pthread_rwlock_wrlock(&rwlock);
	by_rwlock++;
	pthread_rwlock_unlock(&rwlock);
	atomic_fetch_add(&taken[1], 1);
	pthread_rwlock_rdlock(&rwlock);
	burn(5);
	pthread_rwlock_unlock(&rwlock);
}

static void use_pipes(unsigned *seed)
{
	char byte = (char)rand_r(seed), got = 0;
	int fd[2];

	if (pipe2(fd, O_CLOEXEC) != 0) {
		PROBLEM("pipe: %s", strerror(errno));
		return;
	}
	if (write(fd[1], &byte, 1) != 1 || read(fd[0], &got, 1) != 1 ||
	    got != byte)
		PROBLEM("a pipe");
	close(fd[0]);
	close(fd[1]);
	usleep(rand_r(seed) % 1000);
}

static void *wait_for_ever(void *arg)
{
	pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t none = PTHREAD_COND_INITIALIZER;

	pthread_mutex_lock(&own);
	for (;;)
		pthread_cond_wait(&none, &own);
	return arg;
}

static void use_cancellation(unsigned *seed)
{
	pthread_t thread;
	void *result = NULL;

	if (pthread_create(&thread, NULL, wait_for_ever, NULL) != 0) {
		PROBLEM("pthread_create");
		return;
	}
	usleep(rand_r(seed) % 300);
	pthread_cancel(thread);
	if (pthread_join(thread, &result) != 0 || result != PTHREAD_CANCELED)
		PROBLEM("a thread that was cancelled");
}

/* A block that another thread has filled is freed. */
static void use_memory(unsigned *seed)
{
	static _Atomic(unsigned char *) shared[64];
	size_t size = 8 + rand_r(seed) % 5000, wrong = 0;
	unsigned char *block = malloc(size);

	memset(block, (int)(size % 251), size);
	memcpy(block, &size, sizeof(size));
	block = atomic_exchange(&shared[rand_r(seed) % 64], block);
	if (!block)
		return;
	memcpy(&size, block, sizeof(size));
	for (size_t i = sizeof(size); i < size; i++)
		wrong += block[i] != size % 251;
	if (wrong)
		PROBLEM("%zu bytes of a block", wrong);
	free(block);
}

/* --- */

static void (*const use[])(unsigned *) = {
	use_library,   use_exceptions,   use_jumps,     use_altstack,
	use_coroutine, use_written_code, use_processes, use_threads,
	use_depth,     use_locks,        use_pipes,     use_cancellation,
	use_memory,
};
#define USES (sizeof(use) / sizeof(use[0]))

/* Most threads do everything, some one thing only. */
static void *storm_thread(void *arg)
{
	intptr_t index = (intptr_t)arg;
	unsigned seed = (unsigned)index;
	size_t only = (size_t)index % THREADS;

	while (!atomic_load(&stop)) {
		int canary = (int)(rand_r(&seed) % 1000) + 2000;
		size_t which = only < USES ? only : rand_r(&seed) % USES;

		use[which](&seed);
		errno = canary;
		burn(20);
		if (errno != canary)
			PROBLEM("errno became %d", errno);
		atomic_fetch_add(&turns, 1);
	}
	return NULL;
}

static void run_round(unsigned seed, double seconds)
{
	pthread_t thread[THREADS];
	double end = clock_s(CLOCK_MONOTONIC) + seconds;

	atomic_store(&stop, false);
	for (intptr_t i = 0; i < THREADS; i++)
		if (pthread_create(&thread[i], NULL, storm_thread,
				   (void *)(i + (intptr_t)(seed % 10000) *
							THREADS)) != 0)
			PROBLEM("pthread_create");
	while (clock_s(CLOCK_MONOTONIC) < end)
		usleep(50000);
	atomic_store(&stop, true);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
}

struct state {
	long kib;   /* anonymous memory */
	int timers; /* -1: the kernel does not tell */
	int fds;
};

static struct state look(void)
{
	struct state now = {.timers = -1};
	char line[256];
	FILE *f = fopen("/proc/self/timers", "r");

	if (f)
		now.timers = 0;
	while (f && fgets(line, sizeof(line), f))
		now.timers += strncmp(line, "ID:", 3) == 0;
	if (f)
		fclose(f);
	for (int fd = 0; fd < 1024; fd++)
		now.fds += fcntl(fd, F_GETFD) >= 0;
	now.kib = resident();
	return now;
}

/* Timers of threads that ended unannounced, and descriptors of a file that is
 * being read for its names, are gone within some seconds. */
static struct state settle(const struct state *wanted)
{
	struct state now = look();

	for (int i = 0;
	     i < 100 && (now.timers > wanted->timers || now.fds > wanted->fds);
	     i++) {
		usleep(100000);
		now = look();
	}
	return now;
}

static double rusage_s(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void handle(int sig, void (*handler)(int), int flags)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = handler;
	action.sa_flags = flags;
	if (sigaction(sig, &action, NULL) != 0)
		PROBLEM("sigaction");
}

static void storm(unsigned seed, double seconds)
{
	/* What one grows by, the next round uses: allocator's arenas, files'
	 * names. A MiB more may be so in a longer storm. */
	double round = seconds / 4 < 60 ? seconds / 4 : 60;
	double end = clock_s(CLOCK_MONOTONIC) + seconds;
	struct state first = {.kib = 0}, now = look();

	for (int i = 0; i < 4 || clock_s(CLOCK_MONOTONIC) < end; i++) {
		run_round(seed + (unsigned)i, round);
		now = i == 0 ? look() : settle(i == 1 ? &now : &first);
		if (i == 1)
			first = now;
		printf("round %d: %ld turns, %ld KiB, %d descriptors, "
		       "%d timers\n",
		       i, atomic_load(&turns), now.kib, now.fds, now.timers);
	}
	if (by_mutex != taken[0] || by_rwlock != taken[1])
		PROBLEM("two threads had a lock at once");
	if (now.timers > first.timers || now.fds > first.fds)
		PROBLEM("timers or descriptors are left");
	if (now.kib > first.kib + 4096)
		PROBLEM("memory grew from %ld to %ld KiB", first.kib, now.kib);
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "child") == 0)
		return atoi(argv[2]);
	if (argc != 4)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	self = argv[0];
	directory = argv[3];
	pyroscope_load("");
	handle(SIGUSR1, on_usr1, 0);
	handle(SIGUSR2, on_usr2, SA_ONSTACK);

	void *throws = open_library("throws.so");

	if (!throws)
		return 1;
	throw_and_catch = function(throws, "throw_and_catch");
	storm((unsigned)strtoul(argv[1], NULL, 0), atof(argv[2]));
	if (atomic_load(&problems) == 0)
		puts("ok");
	printf("cpu_ms=%.0f pid=%d\n", rusage_s() * 1e3, (int)getpid());
	return atomic_load(&problems) ? 1 : 0;
}
