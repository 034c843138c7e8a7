// SPDX-License-Identifier: Apache-2.0
/* symbols_table.h - symbol tables as they are in images (symbols.c only) */
#ifndef PYRO_IMAGE_SYMBOLS_TABLE_H
#define PYRO_IMAGE_SYMBOLS_TABLE_H

#include "image/elf.h"

/* Zero-initialised is empty. */
struct pyro_symtab {
	const struct pyro_elf *elf; /* whose sections the symbols name */
	unsigned char *symbols;     /* Elf64_Sym; pages */
	size_t symbols_len;
	unsigned char *strings; /* pages */
	size_t strings_len;
};

/* Read the table of a section type (SHT_SYMTAB, SHT_DYNSYM) of a file, or the
 * one that PT_DYNAMIC leads to. 0, -ENOENT when there is none, or -errno. */
int pyro_symtab_read(struct pyro_symtab *table, const struct pyro_elf *elf,
		     uint32_t type);
int pyro_symtab_read_dynamic(struct pyro_symtab *table,
			     const struct pyro_elf *elf);
void pyro_symtab_free(struct pyro_symtab *table);

#endif
