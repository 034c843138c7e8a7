// SPDX-License-Identifier: Apache-2.0
/* made.c - code made at run time, as a JIT compiler does, and its perf map
 *
 * The machine code is x86_64's. Calls go main -> made_outer -> made_inner ->
 * called_by_made (which is C and computes); main -> made_loop (which computes
 * itself); and main -> made_without_frame -> called_by_made, where the frame
 * pointer is lost. With an argument, no map is written. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ROUND 20000000L

/* Calls its first argument with the other two. */
static const unsigned char with_frame[] = {
	0x55,             /* push %rbp */
	0x48, 0x89, 0xe5, /* mov %rsp, %rbp */
	0x48, 0x89, 0xf8, /* mov %rdi, %rax */
	0x48, 0x89, 0xf7, /* mov %rsi, %rdi */
	0x48, 0x89, 0xd6, /* mov %rdx, %rsi */
	0xff, 0xd0,       /* call *%rax */
	0x5d, 0xc3,       /* pop %rbp; ret */
};
static const unsigned char without_frame[] = {
	0x55,             /* push %rbp */
	0x31, 0xed,       /* xor %ebp, %ebp */
	0x48, 0x89, 0xf8, /* mov %rdi, %rax */
	0x48, 0x89, 0xf7, /* mov %rsi, %rdi */
	0x48, 0x89, 0xd6, /* mov %rdx, %rsi */
	0xff, 0xd0,       /* call *%rax */
	0x5d, 0xc3,       /* pop %rbp; ret */
};
static const unsigned char loop[] = {
	0x55,             /* push %rbp */
	0x48, 0x89, 0xe5, /* mov %rsp, %rbp */
	0x48, 0xff, 0xcf, /* dec %rdi */
	0x75, 0xfb,       /* jnz to dec */
	0x5d, 0xc3,       /* pop %rbp; ret */
};

static unsigned char *made;
static FILE *map;

__attribute__((noinline, used)) static long called_by_made(long n)
{
	volatile long sum = 0;

	for (long i = 0; i < n / 2; i++)
		sum += i;
	return sum;
}

/* A copy of code at an offset, told in the map. */
static void *make(const void *code, size_t len, size_t offset, const char *name)
{
	memcpy(made + offset, code, len);
	if (map)
		fprintf(map, "%lx %zx %s\n", (long)(made + offset), len, name);
	return made + offset;
}

typedef long call_fn(void *fn, void *a, void *b);
typedef long loop_fn(long n);

int main(int argc, char **argv)
{
	char path[64];
	void *outer, *inner, *lost, *spin;
	call_fn *call;
	loop_fn *spin_fn;

	(void)argv;
	made = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (made == MAP_FAILED)
		return 1;
	if (argc < 2) {
		snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
		map = fopen(path, "w");
		if (!map)
			return 1;
		puts(path);
		/* What was there before; only the last counts. */
		fprintf(map, "%lx 1000 before\n", (long)made);
	}
	outer = make(with_frame, sizeof(with_frame), 0, "made_outer");
	inner = make(with_frame, sizeof(with_frame), 256,
		     "JS:*made inner /a/b.js:12:3");
	lost = make(without_frame, sizeof(without_frame), 512,
		    "made_without_frame");
	spin = make(loop, sizeof(loop), 768, "made_loop");
	if (map)
		fclose(map);

	for (int i = 0; i < 120; i++) {
		memcpy(&call, &outer, sizeof(call));
		call(inner, (void *)called_by_made, (void *)ROUND);
		memcpy(&call, &lost, sizeof(call));
		call((void *)called_by_made, (void *)ROUND, NULL);
		memcpy(&spin_fn, &spin, sizeof(spin_fn));
		spin_fn(ROUND);
	}
	return 0;
}
