// SPDX-License-Identifier: Apache-2.0
/* fuzz_dwarf.c - a file's DWARF by libdw, as far as it is asked for addresses
 *
 * What libdw itself reads is not instrumented, but its memory is malloc's, which
 * the sanitizer watches. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "image/lines.h"

#define ADDRESSES 0x400
#define MEMORY ((size_t)4 << 20)
#define CPU_NS 200000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int open_image(void *arg, uint32_t module, struct pyro_elf *elf)
{
	int fd = dup(*(int *)arg);
	int err = fd < 0 ? -1 : pyro_elf_open_file(elf, fd);

	(void)module;
	if (err && fd >= 0)
		close(fd);
	return err;
}

static void check(const struct pyro_source *source, size_t count)
{
	if (count == 0 || count > PYRO_SOURCES_MAX)
		abort();
	for (size_t i = 0; i < count; i++)
		if (!source[i].function || !source[i].file ||
		    strlen(source[i].function) + strlen(source[i].file) >
			    ((size_t)1 << 20))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pyro_lines *lines = pyro_lines_new("", MEMORY, 1000);
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (!lines || fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	for (uint64_t at = 0; at < ADDRESSES; at += 5)
		pyro_lines_want(lines, 1, at, at % 7);
	pyro_lines_resolve(lines, open_image, &fd, CPU_NS);
	for (uint64_t at = 0; at < ADDRESSES; at++) {
		struct pyro_source source[PYRO_SOURCES_MAX];
		size_t count;

		if (pyro_lines_find(lines, 1, at, source, &count) ==
		    PYRO_LINES_KNOWN)
			check(source, count);
	}
	pyro_lines_free(lines);
	close(fd);
	return 0;
}
