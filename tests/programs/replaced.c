// SPDX-License-Identifier: Apache-2.0
/* replaced.c - replaced LIBRARY FILE WITH: loads the library, puts the file WITH
 * in the place of FILE ("-": removes FILE; "=": does nothing), and computes in
 * both: as a package manager does to a running program */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Neither known when it is compiled. */
static volatile long rounds = 2000000, done;

__attribute__((noinline)) static long hidden_in_main(long n)
{
	volatile long sum = 0;

	for (long i = 0; i < n; i++)
		sum += i;
	return sum;
}

int main(int argc, char **argv)
{
	void *library, *symbol;
	long (*shown)(long n);

	if (argc != 4)
		return 2;
	library = dlopen(argv[1], RTLD_NOW);
	if (!library) {
		fputs(dlerror(), stderr);
		return 1;
	}
	symbol = dlsym(library, "shown_old");
	memcpy(&shown, &symbol, sizeof(shown));
	if (strcmp(argv[3], "-") == 0   ? unlink(argv[2])
	    : strcmp(argv[3], "=") == 0 ? 0
					: rename(argv[3], argv[2])) {
		perror(argv[2]);
		return 1;
	}
	for (int i = 0; i < 800; i++)
		done += shown(rounds) + hidden_in_main(rounds);
	return 0;
}
