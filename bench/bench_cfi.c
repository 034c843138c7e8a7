// SPDX-License-Identifier: Apache-2.0
/* bench_cfi.c FILE... - how long the unwind tables of an object take to build,
 * and how large they are; the file is in the page cache, medians */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench/bench.h"
#include "image/cfi.h"

#define ROUNDS 25

static int build(const char *path)
{
	struct pyro_elf elf;
	struct pyro_unwind_table *table = NULL;
	uint64_t lo = 0, hi = 0, offset;
	double ns[ROUNDS];
	const char *slash = strrchr(path, '/');
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err = fd < 0 ? -1 : pyro_elf_open_file(&elf, fd);

	if (err) {
		fprintf(stderr, "%s: cannot be read\n", path);
		return 1;
	}
	pyro_elf_text_range(elf.phdr, elf.ehdr.e_phnum, &lo, &hi, &offset);
	for (int i = 0; i < ROUNDS && !err; i++) {
		double begin = now_ns();

		if (table)
			pyro_cfi_free(table);
		err = pyro_cfi_build(&elf, &table);
		ns[i] = now_ns() - begin;
	}
	if (err) {
		/* Data alone, as libicudata. */
		printf("%-32.32s no CFI\n", slash ? slash + 1 : path);
	} else {
		double took = median(ns, ROUNDS);

		printf("%-32.32s %8.1f %9u %6u %8.1f %7.0f %9.2f %9.3f\n",
		       slash ? slash + 1 : path, (double)(hi - lo) / 1e6,
		       table->row_count, table->rule_count, took / 1e6,
		       took / table->row_count, (double)table->bytes / 1e6,
		       (double)table->bytes / (double)(hi - lo));
		pyro_cfi_free(table);
	}
	pyro_elf_close(&elf);
	close(fd);
	return 0;
}

int main(int argc, char **argv)
{
	int bad = 0;

	printf("%-32s %8s %9s %6s %8s %7s %9s %9s\n", "object", "text MB",
	       "rows", "rules", "ms", "ns/row", "table MB", "MB/MB");
	for (int i = 1; i < argc; i++)
		bad |= build(argv[i]);
	return bad;
}
