// SPDX-License-Identifier: Apache-2.0
/* hello.c - a program that profiles itself
 *
 *     cc -O2 hello.c -o hello $(pkg-config --cflags --libs pyroscope)
 *     ./hello http://127.0.0.1:4040
 *
 * It computes for ten seconds; then the service "hello" in Pyroscope shows
 * three quarters of its time in slow() and one quarter in quick(). */
#include <pyroscope/pyroscope.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

/* A name of its own in the profile, whatever the optimizer thinks. */
#define OWN_FRAME __attribute__((noinline))

static uint64_t mix(uint64_t x, unsigned rounds)
{
	while (rounds-- > 0)
		x = (x ^ (x >> 29)) * UINT64_C(0x9e3779b97f4a7c15);
	return x;
}

static OWN_FRAME uint64_t quick(uint64_t x)
{
	return mix(x, 100000) + 1;
}

static OWN_FRAME uint64_t slow(uint64_t x)
{
	return mix(x, 300000) + 2;
}

int main(int argc, char **argv)
{
	time_t end = time(NULL) + 10;
	uint64_t x = 1;

	pyroscope_set_app_name("hello");
	pyroscope_load(argc > 1 ? argv[1] : "");

	while (time(NULL) < end)
		x = quick(slow(x));

	/* Keeps the result, and so the work, from being optimized away. */
	printf("%llx\n", (unsigned long long)x);
	return 0;
}
