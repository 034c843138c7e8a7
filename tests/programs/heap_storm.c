// SPDX-License-Identifier: Apache-2.0
/* heap_storm.c - threads that allocate, reallocate and free each other's blocks
 *
 *     heap_storm storm SECONDS [return]
 *     heap_storm live MILLIONS
 *
 * storm: 64 threads that end in any way, replaced by others, and children of fork
 * that go on with what they got; with "return", threads only return. Each block is
 * full of a pattern that whoever takes it out checks. live: so many objects at
 * once, in a second of rest "live COUNT BYTES" is said. In the end everything has
 * been freed, and "ok" is printed if all was right; exit code 0. The functions
 * that allocate blocks are called storm_. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

#define THREADS 64
#define PLACES 16384
#define ALIVE 0x0a11feed
#define FREED 0x0dead0ff

struct block {
	uint32_t state;
	uint32_t seed;
	size_t size; /* of this header and the pattern */
	unsigned char pattern[];
};

static _Atomic(struct block *) place[PLACES];
static _Atomic long made, freed, bytes; /* bytes: asked for */
static _Atomic bool stop;
static bool only_return;

/* --- blocks --- */

static size_t random_size(unsigned *seed)
{
	int kind = rand_r(seed) % 1000;
	size_t most = kind < 900 ? 400 : kind < 995 ? 8000 : 300000;

	return sizeof(struct block) + (size_t)rand_r(seed) % most;
}

static unsigned char pattern_at(const struct block *b, size_t i)
{
	return (unsigned char)(b->seed + i * 7);
}

/* Large ones by their ends: what an allocator writes is there. */
static size_t step_after(size_t i, size_t len)
{
	return i == 255 && len > 1024 ? len - 256 : i + 1;
}

static void fill(struct block *b, size_t size, unsigned seed)
{
	size_t len = size - sizeof(*b);

	b->state = ALIVE;
	b->seed = seed;
	b->size = size;
	for (size_t i = 0; i < len; i = step_after(i, len))
		b->pattern[i] = pattern_at(b, i);
}

/* As far as the first len bytes of the pattern reach. */
static void check(const struct block *b, size_t len)
{
	size_t own = b->size - sizeof(*b);

	if (b->state != ALIVE)
		PROBLEM("block %p is in state %x", (void *)b, b->state);
	for (size_t i = 0; i < own && i < len; i = step_after(i, own))
		if (b->pattern[i] != pattern_at(b, i)) {
			PROBLEM("block %p of %zu: byte %zu", (void *)b, b->size,
				i);
			return;
		}
}

/* Through a pointer, or the compiler would know what malloc() does. */
static void *(*volatile from_malloc)(size_t) = malloc;
static void *(*volatile from_calloc)(size_t, size_t) = calloc;
static int (*volatile from_memalign)(void **, size_t, size_t) = posix_memalign;
static void *(*volatile from_realloc)(void *, size_t) = realloc;

NOINLINE static void *storm_allocate(size_t size, unsigned kind)
{
	void *p = NULL;

	if (kind % 8 == 0) {
		const char *zero = p = from_calloc(1, size);

		for (size_t i = 0; p && i < size; i++)
			if (zero[i]) {
				PROBLEM("calloc: byte %zu of %zu", i, size);
				break;
			}
	} else if (kind % 8 == 1) {
		size_t align = (size_t)16 << (kind / 8 % 10);

		/* mimalloc 2.0.9 does not always align multiples. */
		if (from_memalign(&p, align, size + (size % align == 0)) != 0)
			p = NULL;
		if ((uintptr_t)p % align != 0)
			PROBLEM("%p is not aligned to %zu", p, align);
	} else {
		p = from_malloc(size);
	}
	__asm__ volatile("" : "+r"(p));
	return p;
}

static struct block *make(unsigned *seed)
{
	size_t size = random_size(seed);
	struct block *b = storm_allocate(size, (unsigned)rand_r(seed));

	if (!b) {
		PROBLEM("no %zu bytes", size);
		return NULL;
	}
	atomic_fetch_add(&made, 1);
	atomic_fetch_add(&bytes, (long)size);
	fill(b, size, (unsigned)rand_r(seed));
	return b;
}

NOINLINE static void *storm_reallocate(void *p, size_t size)
{
	p = from_realloc(p, size);
	__asm__ volatile("" : "+r"(p));
	return p;
}

static struct block *resize(struct block *b, unsigned *seed)
{
	size_t size = random_size(seed), old = b->size;
	struct block *moved;

	/* What is said of a failure: the block is as it was. */
	if (rand_r(seed) % 64 == 0 && storm_reallocate(b, PTRDIFF_MAX))
		PROBLEM("half of the address space");
	check(b, SIZE_MAX);
	moved = storm_reallocate(b, size);
	if (!moved) {
		PROBLEM("no %zu bytes for %zu", size, old);
		return b;
	}
	atomic_fetch_add(&bytes, (long)size);
	if (size < old)
		moved->size = size;
	check(moved, size < old && old > 1024 ? 256 : SIZE_MAX);
	fill(moved, size, (unsigned)rand_r(seed));
	return moved;
}

static void end(struct block *b)
{
	if (!b)
		return;
	check(b, SIZE_MAX);
	b->state = FREED;
	atomic_fetch_add(&freed, 1);
	free(b);
}

/* --- threads --- */

static void turn(unsigned *seed)
{
	_Atomic(struct block *) *at = &place[rand_r(seed) % PLACES];
	struct block *b;

	switch (rand_r(seed) % 4) {
	case 0:
		end(atomic_exchange(at, NULL));
		break;
	case 1:
		b = atomic_exchange(at, NULL);
		if (b)
			end(atomic_exchange(at, resize(b, seed)));
		break;
	default:
		end(atomic_exchange(at, make(seed)));
	}
}

static void *storm_thread(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	unsigned turns = seed % 16 == 0 ? 10 : (unsigned)rand_r(&seed) % 60000;
	int old;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
	for (unsigned i = 0; i < turns && !atomic_load(&stop); i++) {
		errno = (int)i;
		turn(&seed);
		if (i % 64 == 0 && !only_return) {
			pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old);
			pthread_testcancel();
			pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
		}
	}
	if (turns % 2 && !only_return)
		pthread_exit(arg);
	return arg;
}

/* A child has its own copy of all blocks. */
static void child(unsigned seed)
{
	for (int i = 0; i < 300; i++)
		turn(&seed);
	_exit(atomic_load(&problems) ? 1 : 0);
}

static void fork_one(unsigned seed)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		child(seed);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		PROBLEM("a child's status: %x", status);
}

static long threads_made;

static void start(pthread_t *thread, unsigned *seed)
{
	uintptr_t arg = (uintptr_t)rand_r(seed);

	if (pthread_create(thread, NULL, storm_thread, (void *)arg) != 0) {
		perror("pthread_create");
		exit(1);
	}
	threads_made++;
}

static void storm(double seconds)
{
	double until = now() + seconds;
	pthread_t thread[THREADS];
	unsigned seed = 1;
	long forks = 0;

	for (int i = 0; i < THREADS; i++)
		start(&thread[i], &seed);
	while (now() < until && atomic_load(&problems) == 0) {
		usleep(5000);
		if (!only_return)
			pthread_cancel(thread[rand_r(&seed) % THREADS]);
		for (int i = 0; i < THREADS; i++)
			if (pthread_tryjoin_np(thread[i], NULL) == 0)
				start(&thread[i], &seed);
		if (rand_r(&seed) % 8 == 0) {
			fork_one((unsigned)rand_r(&seed));
			forks++;
		}
	}
	atomic_store(&stop, true);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	for (int i = 0; i < PLACES; i++)
		end(atomic_exchange(&place[i], NULL));
	printf("%ld blocks, %ld bytes, %ld threads, %ld forks\n",
	       atomic_load(&made), atomic_load(&bytes), threads_made, forks);
}

/* --- many objects --- */

NOINLINE static void *storm_object(size_t size)
{
	void *p = from_malloc(size);

	__asm__ volatile("" : "+r"(p));
	return p;
}

static void live(size_t count)
{
	uint32_t **object = from_calloc(count, sizeof(*object));
	unsigned seed = 7;
	size_t sum = 0;

	for (size_t i = 0; object && i < count; i++) {
		size_t size = 8 + (size_t)rand_r(&seed) % 40;

		object[i] = storm_object(size);
		if (!object[i]) {
			PROBLEM("no memory for object %zu", i);
			break;
		}
		*object[i] = (uint32_t)i;
		sum += size;
	}
	printf("live %zu %zu\n", count, sum);
	fflush(stdout);
	fork_one(3);
	sleep(4);
	/* Each second first, so that what is left is not in a row. */
	for (size_t i = 0; object && i < count; i++) {
		size_t at = i < (count + 1) / 2 ? 2 * i
						: 2 * (i - (count + 1) / 2) + 1;

		if (object[at] && *object[at] != (uint32_t)at)
			PROBLEM("object %zu", at);
		free(object[at]);
	}
	free(object);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	only_return = argc > 3;
	/* Until it is profiled: 64 threads would have both processors first. */
	usleep(300000);
	if (strcmp(argv[1], "live") == 0)
		live((size_t)(atof(argv[2]) * 1e6));
	else
		storm(atof(argv[2]));
	if (atomic_load(&made) != atomic_load(&freed))
		PROBLEM("%ld blocks made, %ld freed", atomic_load(&made),
			atomic_load(&freed));
	if (atomic_load(&problems) == 0)
		puts("ok");
	printf("pid=%d\n", (int)getpid());
	return atomic_load(&problems) ? 1 : 0;
}
