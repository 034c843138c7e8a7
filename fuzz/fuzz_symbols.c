// SPDX-License-Identifier: Apache-2.0
/* fuzz_symbols.c - symbol tables in an image that is sound otherwise
 *
 * Of the first byte, what the others are: 0 a .symtab and its strings, 1 a
 * .dynsym and its strings (the next two bytes say how many belong to the
 * symbols), 2 a mapped image from its dynamic section on, at address 0x200. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "image/symbols.h"

/* As many sections of code as a compiler's symbols have indices of. */
#define CODE_SECTIONS 16
#define SECTIONS (CODE_SECTIONS + 3)
#define CODE_BYTES 0x4000
#define DYNAMIC 0x200

struct file {
	Elf64_Ehdr ehdr;
	Elf64_Shdr shdr[SECTIONS];
	unsigned char data[];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static Elf64_Ehdr header(void)
{
	return (Elf64_Ehdr){
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
			    ELFDATA2LSB, EV_CURRENT},
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_shentsize = sizeof(Elf64_Shdr),
	};
}

static void use(const struct pyro_elf *elf)
{
	struct pyro_build_id id = {.len = 0};
	struct pyro_symbols *symbols;
	struct pyro_symbol symbol;

	if (pyro_symbols_open(elf, &id, "", &symbols) != 0)
		return;
	for (uint64_t at = 0; at < CODE_BYTES + 0x1000; at += 3) {
		if (!pyro_symbols_find(symbols, at, &symbol))
			continue;
		if (at < symbol.lo || at >= symbol.hi ||
		    symbol.lo >= CODE_BYTES || !symbol.name[0] ||
		    strchr(symbol.name, '@') || strlen(symbol.name) > 8192)
			abort();
	}
	pyro_symbols_free(symbols);
}

static void use_tables(uint32_t type, const uint8_t *data, size_t size)
{
	size_t len = size < 2 ? 0 : data[0] | (size_t)data[1] << 8;
	size_t bytes = sizeof(struct file) + size;
	struct file *f = malloc(bytes); /* exact: nothing may be read behind */
	struct pyro_elf elf;

	if (!f || size < 2 || len > size - 2) {
		free(f);
		return;
	}
	*f = (struct file){.ehdr = header()};
	f->ehdr.e_shoff = offsetof(struct file, shdr);
	f->ehdr.e_shnum = SECTIONS;
	for (size_t i = 1; i <= CODE_SECTIONS; i++)
		f->shdr[i] = (Elf64_Shdr){
			.sh_type = SHT_NOBITS,
			.sh_flags = SHF_ALLOC | SHF_EXECINSTR,
			.sh_size = CODE_BYTES,
		};
	f->shdr[SECTIONS - 2] = (Elf64_Shdr){
		.sh_type = type,
		.sh_offset = sizeof(*f) + 2,
		.sh_size = len,
		.sh_entsize = sizeof(Elf64_Sym),
		.sh_link = SECTIONS - 1,
	};
	f->shdr[SECTIONS - 1] = (Elf64_Shdr){
		.sh_type = SHT_STRTAB,
		.sh_offset = sizeof(*f) + 2 + len,
		.sh_size = size - 2 - len,
	};
	memcpy(f->data, data, size);
	if (pyro_elf_open_bytes(&elf, (unsigned char *)f, bytes) == 0) {
		use(&elf);
		pyro_elf_close(&elf);
	}
	free(f);
}

static void use_mapped(const uint8_t *data, size_t size)
{
	static unsigned char *pages;
	const Elf64_Phdr phdr[] = {
		{.p_type = PT_LOAD, .p_flags = PF_X, .p_memsz = CODE_BYTES},
		{.p_type = PT_DYNAMIC, .p_vaddr = DYNAMIC, .p_memsz = 0x200},
	};
	Elf64_Ehdr ehdr = header();
	struct pyro_elf elf;

	if (!pages)
		pages = mmap(NULL, CODE_BYTES, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED || size > CODE_BYTES - DYNAMIC)
		return;
	memset(pages, 0, CODE_BYTES);
	ehdr.e_phoff = sizeof(ehdr);
	ehdr.e_phnum = PYRO_COUNT_OF(phdr);
	memcpy(pages, &ehdr, sizeof(ehdr));
	memcpy(pages + sizeof(ehdr), phdr, sizeof(phdr));
	memcpy(pages + DYNAMIC, data, size);
	if (pyro_elf_open_memory(&elf, (uintptr_t)pages) == 0) {
		use(&elf);
		pyro_elf_close(&elf);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	switch (data[0] % 3) {
	case 0:
		use_tables(SHT_SYMTAB, data + 1, size - 1);
		break;
	case 1:
		use_tables(SHT_DYNSYM, data + 1, size - 1);
		break;
	default:
		use_mapped(data + 1, size - 1);
	}
	return 0;
}
