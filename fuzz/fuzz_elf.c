// SPDX-License-Identifier: Apache-2.0
/* fuzz_elf.c - an image from anywhere: as a file, and as if it were mapped */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "image/cfi.h"
#include "image/symbols.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const struct pyro_elf *elf)
{
	struct pyro_unwind_table *table;
	struct pyro_symbols *symbols;
	struct pyro_symbol symbol;
	struct pyro_build_id id;

	pyro_elf_build_id(elf, &id);
	if (pyro_cfi_build(elf, &table) == 0)
		pyro_unwind_rule(table, table->lo);
	pyro_cfi_free(table);
	if (pyro_symbols_open(elf, &id, "", &symbols) != 0)
		return;
	for (uint64_t at = 0; at < 0x4000; at += 7)
		if (pyro_symbols_find(symbols, at, &symbol) &&
		    (at < symbol.lo || at >= symbol.hi || !symbol.name[0]))
			abort();
	pyro_symbols_free(symbols);
}

static void use_file(const uint8_t *data, size_t size)
{
	struct pyro_elf elf;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	if (pyro_elf_open_file(&elf, fd) == 0) {
		use(&elf);
		pyro_elf_close(&elf);
	}
	close(fd);
}

/* Pages of its own, so that what lies behind them cannot be read. */
static void use_memory(const uint8_t *data, size_t size)
{
	size_t len = pyro_align_up(size + 1, 4096);
	unsigned char *pages = mmap(NULL, len + 4096, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct pyro_elf elf;

	if (pages == MAP_FAILED || mprotect(pages + len, 4096, PROT_NONE))
		abort();
	memcpy(pages, data, size);
	if (pyro_elf_open_memory(&elf, (uintptr_t)pages) == 0) {
		use(&elf);
		pyro_elf_close(&elf);
	}
	munmap(pages, len + 4096);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	use_file(data, size);
	use_memory(data, size);
	return 0;
}
