// SPDX-License-Identifier: Apache-2.0
/* sums.c - C: static inline functions, nested ones (GNU C), clones, macros */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIX(h, x) ((h) = ((h) ^ (x)) * 1099511628211u)

static inline uint64_t mix(uint64_t h, uint64_t x)
{
	return MIX(h, x);
}

static inline uint64_t hash(const unsigned char *p, size_t len)
{
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < len; i++)
		h = mix(h, p[i]);
	return h;
}

static __attribute__((noinline)) uint64_t fold(const unsigned char *p,
					       size_t len, int how)
{
	uint64_t h = hash(p, len);

	switch (how) {
	case 0:
		return h >> 32;
	case 1:
		return mix(h, hash(p, len / 2));
	default:
		return h;
	}
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

#if defined(__GNUC__) && !defined(__clang__)
static uint64_t walk(uint64_t *list, size_t n)
{
	uint64_t sum = 0;

	/* Its own code lies outside of walk's. */
	__attribute__((noinline)) void visit(size_t i)
	{
		sum = mix(sum, list[i]);
	}

	for (size_t i = 0; i < n; i++)
		visit(i * 7 % n);
	return sum;
}
#else
static __attribute__((noinline)) uint64_t walk(uint64_t *list, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum = mix(sum, list[i * 7 % n]);
	return sum;
}
#endif

int main(int argc, char **argv)
{
	size_t n = 10000;
	uint64_t *list = malloc(n * sizeof(*list));
	uint64_t sum = 0;

	if (!list)
		return 1;
	for (int round = 0; round < 20 * argc; round++) {
		for (size_t i = 0; i < n; i++)
			list[i] = fold((const unsigned char *)argv[0],
				       strlen(argv[0]), (int)(i % 3)) +
				  i * 2654435761u;
		qsort(list, n, sizeof(*list), compare);
		sum += walk(list, n);
	}
	printf("%llu\n", (unsigned long long)sum);
	free(list);
	return 0;
}
