// SPDX-License-Identifier: Apache-2.0
/* bench_heap.c - nanoseconds of CPU time that a pair of malloc and free takes
 *
 *     bench_heap tight|random|tree [THREADS]
 *
 * tight: 64 bytes, freed at once. random: 16 to 4096 bytes, small ones more often,
 * of which 1024 live. tree: a binary tree of 65536 nodes of 48 bytes, built and
 * taken down. Each thread has its own. Prints the median of 15 parts; heap.py runs
 * it with one allocator after the other. */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "bench/bench.h"

#define PARTS 15
#define PART_NS 2e7
#define LIVE 1024
#define SIZES 65536
#define NODES 65536

typedef size_t work_fn(void **live, const uint16_t *size);

/* Through a pointer: the compiler may not know what they do. */
static void *(*volatile allocate)(size_t) = malloc;
static void (*volatile release)(void *) = free;

static size_t tight(void **live, const uint16_t *size)
{
	size_t pairs = 20000;

	(void)live;
	(void)size;
	for (size_t i = 0; i < pairs; i++)
		release(allocate(64));
	return pairs;
}

static size_t random_sizes(void **live, const uint16_t *size)
{
	for (size_t i = 0; i < SIZES; i++) {
		size_t at = (i * 2654435761u >> 7) % LIVE;

		release(live[at]);
		live[at] = allocate(size[i]);
	}
	return SIZES;
}

struct node {
	struct node *child[2];
	uint64_t key[4];
};

static struct node *build(size_t nodes)
{
	struct node *node = nodes ? allocate(sizeof(*node)) : NULL;

	if (!node)
		return NULL;
	node->key[0] = nodes;
	node->child[0] = build((nodes - 1) / 2);
	node->child[1] = build(nodes - 1 - (nodes - 1) / 2);
	return node;
}

static void take_down(struct node *node)
{
	if (!node)
		return;
	take_down(node->child[0]);
	take_down(node->child[1]);
	release(node);
}

static size_t tree(void **live, const uint16_t *size)
{
	(void)live;
	(void)size;
	take_down(build(NODES));
	return NODES;
}

static work_fn *work;
static pthread_barrier_t start;

/* Of this thread: others on the machine are not in it. */
static double thread_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/* The result is a number of its own for each thread. */
static void *run(void *result)
{
	void **live = calloc(LIVE, sizeof(*live));
	uint16_t *size = malloc(SIZES * sizeof(*size));
	double part[PARTS];
	uint32_t state = 1;

	for (int i = 0; i < SIZES; i++)
		size[i] = (uint16_t)(16 +
				     next_random(&state) %
					     (1 + (4080u >>
						   next_random(&state) % 8)));
	work(live, size);
	pthread_barrier_wait(&start);
	for (int i = 0; i < PARTS; i++) {
		double begin = thread_ns(), took;
		size_t pairs = 0;

		do {
			pairs += work(live, size);
			took = thread_ns() - begin;
		} while (took < PART_NS);
		part[i] = took / (double)pairs;
	}
	*(double *)result = median(part, PARTS);
	return NULL;
}

int main(int argc, char **argv)
{
	int threads = argc > 2 ? atoi(argv[2]) : 1;
	double ns[16], sum = 0;
	pthread_t id[16];

	if (argc < 2 || threads < 1 || threads > 16)
		return 2;
	work = strcmp(argv[1], "tight") == 0    ? tight
	       : strcmp(argv[1], "random") == 0 ? random_sizes
						: tree;
	pthread_barrier_init(&start, NULL, (unsigned)threads);
	/* One alone stays the only one of its program. */
	if (threads == 1)
		run(&ns[0]);
	for (int i = 0; threads > 1 && i < threads; i++)
		if (pthread_create(&id[i], NULL, run, &ns[i]) != 0)
			return 1;
	for (int i = 0; threads > 1 && i < threads; i++)
		pthread_join(id[i], NULL);
	for (int i = 0; i < threads; i++)
		sum += ns[i];
	printf("%.3f\n", sum / threads);
	return 0;
}
